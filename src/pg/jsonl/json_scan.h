/*
 * json_scan.h
 *	  Bytes of JSON, many at a time.
 */
#ifndef LLAVA_JSON_SCAN_H
#define LLAVA_JSON_SCAN_H


/* The first byte that must be escaped in a JSON string, or end. */
extern const char *json_plain_end(const char *bytes, const char *end);

/*
 * True only for a text that json_in() accepts, in valid UTF-8 and on one line.  False says
 * nothing: numbers with exponents, escaped surrogates and deep nesting are not decided
 * here.
 */
extern bool json_is_certain(const char *bytes, size_t length);

#endif							/* LLAVA_JSON_SCAN_H */
