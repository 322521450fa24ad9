/*
 * escapes.h
 *	  What the escapes of JSON, of URLs and of HTML mean.
 */
#ifndef LLAVA_VLM_ESCAPES_H
#define LLAVA_VLM_ESCAPES_H

#include <stddef.h>
#include <stdint.h>

/*
 * Decodes the escape at p, of which left bytes are there: *n bytes go to out, which has
 * room for four.  Returns the bytes that the escape takes; 0: there is none.
 */
typedef size_t (*Escape) (const char *p, size_t left, char *out, size_t *n);

extern size_t escape_decode_json(const char *p, size_t left, char *out, size_t *n);
extern size_t escape_decode_url(const char *p, size_t left, char *out, size_t *n);
extern size_t escape_decode_html(const char *p, size_t left, char *out, size_t *n);

/* The value of this many hexadecimal digits at p; -1: they are not all there. */
extern int	escape_hex_number(const char *p, size_t left, size_t digits);

/* Writes the character in UTF-8; returns its one to four bytes. */
extern size_t escape_put_character(char *out, uint32_t code);

#endif							/* LLAVA_VLM_ESCAPES_H */
