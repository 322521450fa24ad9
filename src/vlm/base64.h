/*
 * base64.h
 *	  Base64 made piece by piece, as a socket takes it.
 */
#ifndef LLAVA_VLM_BASE64_H
#define LLAVA_VLM_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* Length of the encoding of size bytes, padding included. */
extern size_t base64_length(size_t size);

/*
 * Writes characters [from, from + n) of the encoding of data to out.  from and n
 * may be anything within base64_length(size).
 */
extern void base64_slice(const uint8_t *data, size_t size, size_t from, size_t n, char *out);

#endif							/* LLAVA_VLM_BASE64_H */
