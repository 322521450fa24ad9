/*
 * json_scan.h
 *	  Bytes of JSON, many at a time.
 */
#ifndef LLAVA_JSON_SCAN_H
#define LLAVA_JSON_SCAN_H


/* The first byte that a JSON string does not hold as it is, or end. */
extern const char *json_plain_end(const char *bytes, const char *end);

/*
 * True only for what json_in() takes, in valid UTF-8 and on one line; false says
 * nothing: numbers with exponents, escaped surrogates and deep nesting are not looked
 * into.
 */
extern bool json_is_certain(const char *bytes, size_t length);

#endif							/* LLAVA_JSON_SCAN_H */
