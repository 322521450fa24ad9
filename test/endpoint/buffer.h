/*
 * buffer.h
 *	  Growing bytes, and allocations that end the program where they fail.
 */
#ifndef ENDPOINT_BUFFER_H
#define ENDPOINT_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#if defined(__GNUC__)
#define PRINTF_LIKE(at, first) __attribute__((format(printf, at, first)))
#define NEVER_RETURNS __attribute__((noreturn))
#else
#define PRINTF_LIKE(at, first)
#define NEVER_RETURNS
#endif

/* data is NUL-ended as soon as anything was added; NULL before. */
typedef struct Buffer
{
	char	   *data;
	size_t		size;
	size_t		room;
} Buffer;

extern void die(const char *format,...) NEVER_RETURNS PRINTF_LIKE(1, 2);
extern void *must_alloc(size_t size);	/* zeroed */
extern void *must_resize(void *memory, size_t size);
extern char *must_copy(const char *text);

extern void buffer_reserve(Buffer *buffer, size_t more);
extern void buffer_add(Buffer *buffer, const void *data, size_t size);
extern void buffer_text(Buffer *buffer, const char *text);
extern void buffer_printf(Buffer *buffer, const char *format,...) PRINTF_LIKE(2, 3);
extern void buffer_vprintf(Buffer *buffer, const char *format, va_list args) PRINTF_LIKE(2, 0);

/* A JSON string, quoted; every byte that is not printable ASCII but part of UTF-8 stays. */
extern void buffer_json(Buffer *buffer, const char *text);
extern void buffer_drop_front(Buffer *buffer, size_t size);
extern void buffer_clear(Buffer *buffer);	/* keeps the memory */
extern void buffer_free(Buffer *buffer);

#endif							/* ENDPOINT_BUFFER_H */
