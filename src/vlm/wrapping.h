/*
 * wrapping.h
 *	  The JSON of a response body, whatever a gateway has wrapped around it.
 */
#ifndef LLAVA_WRAPPING_H
#define LLAVA_WRAPPING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * NULL: no JSON in it, or no memory.  Left out are a byte order mark, comment lines
 * and blank lines around it; null stands for numbers that no JSON reader can hold; what
 * is no character is U+FFFD; an event stream is put together to one completion.
 */
extern json_t *wrapping_load(const char *body, size_t size);

/* Whether the body is an event stream (text/event-stream), by its first line. */
extern bool wrapping_is_stream(const char *body, size_t size);

/* Bytes of the UTF-8 character at p, which is not ASCII; 0: it is none. */
extern size_t wrapping_character_size(const char *p, const char *end);

#endif							/* LLAVA_WRAPPING_H */
