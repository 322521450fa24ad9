/*
 * text_buffer.h
 *	  Bytes that grow at their end, NUL-ended.
 */
#ifndef LLAVA_TEXT_BUFFER_H
#define LLAVA_TEXT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct TextBuffer
{
	char	   *p;				/* malloc; NULL while nothing was added */
	size_t		size;
	size_t		room;
	bool		failed;			/* no memory: something is missing */
} TextBuffer;

static inline void
text_add(TextBuffer *buffer, const char *bytes, size_t size)
{
	if (buffer->room - buffer->size <= size)	/* room for a NUL too; no sum */
	{
		size_t		room = (buffer->size + size + 1) * 2;
		char	   *grown = realloc(buffer->p, room);

		if (grown == NULL)
		{
			buffer->failed = true;
			return;
		}
		buffer->p = grown;
		buffer->room = room;
	}
	memcpy(buffer->p + buffer->size, bytes, size);
	buffer->size += size;
	buffer->p[buffer->size] = '\0';
}

static inline void
text_free(TextBuffer *buffer)
{
	free(buffer->p);
	memset(buffer, 0, sizeof(*buffer));
}

#endif							/* LLAVA_TEXT_BUFFER_H */
