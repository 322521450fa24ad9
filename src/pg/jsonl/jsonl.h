/*
 * jsonl.h
 *	  COPY (FORMAT jsonl), and JSON in bytes.
 */
#ifndef LLAVA_JSONL_H
#define LLAVA_JSONL_H

/* ---- json_scan.c: bytes of JSON, many at a time ---- */

/* The first byte that must be escaped in a JSON string, or end. */
extern const char *json_plain_end(const char *bytes, const char *end);

/*
 * True only for a text that json_in() accepts, in valid UTF-8 and on one line.  False says
 * nothing: numbers with exponents, escaped surrogates and deep nesting are not decided
 * here.
 */
extern bool json_is_certain(const char *bytes, size_t length);

/* ---- copy_jsonl.c ---- */

extern void copy_jsonl_install(void);	/* the ProcessUtility hook, once */

#endif							/* LLAVA_JSONL_H */
