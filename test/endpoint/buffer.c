/*
 * buffer.c
 *	  Growing bytes, and allocations that end the program where they fail.
 */
#include "buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
die(const char *format,...)
{
	va_list		args;

	fflush(stdout);
	fputs("llava_endpoint: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

void *
must_alloc(size_t size)
{
	void	   *memory = calloc(1, size ? size : 1);

	if (memory == NULL)
		die("out of memory");
	return memory;
}

void *
must_resize(void *memory, size_t size)
{
	void	   *moved = realloc(memory, size ? size : 1);

	if (moved == NULL)
		die("out of memory");
	return moved;
}

char *
must_copy(const char *text)
{
	size_t		size = strlen(text) + 1;

	return memcpy(must_alloc(size), text, size);
}

/* Makes room for `more` bytes and the NUL behind them. */
void
buffer_reserve(Buffer *buffer, size_t more)
{
	size_t		need = buffer->size + more + 1;

	if (need <= buffer->room)
		return;
	if (need < buffer->room * 2)
		need = buffer->room * 2;
	if (need < 64)
		need = 64;
	buffer->data = must_resize(buffer->data, need);
	buffer->room = need;
}

void
buffer_add(Buffer *buffer, const void *data, size_t size)
{
	buffer_reserve(buffer, size);
	if (size > 0)
		memcpy(buffer->data + buffer->size, data, size);
	buffer->size += size;
	buffer->data[buffer->size] = '\0';
}

void
buffer_text(Buffer *buffer, const char *text)
{
	buffer_add(buffer, text, strlen(text));
}

void
buffer_vprintf(Buffer *buffer, const char *format, va_list args)
{
	va_list		again;
	int			size;

	va_copy(again, args);
	size = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (size < 0)
		die("bad format");
	buffer_reserve(buffer, (size_t) size);
	vsnprintf(buffer->data + buffer->size, (size_t) size + 1, format, args);
	buffer->size += (size_t) size;
}

void
buffer_printf(Buffer *buffer, const char *format,...)
{
	va_list		args;

	va_start(args, format);
	buffer_vprintf(buffer, format, args);
	va_end(args);
}

void
buffer_json(Buffer *buffer, const char *text)
{
	buffer_text(buffer, "\"");
	while (*text)
	{
		const char *plain = text;
		unsigned char c;

		while ((unsigned char) *text >= 0x20 && *text != '"' && *text != '\\' && *text != 0x7f)
			text++;
		buffer_add(buffer, plain, (size_t) (text - plain));
		c = (unsigned char) *text;
		if (c == '\0')
			break;
		if (c == '"' || c == '\\')
			buffer_printf(buffer, "\\%c", c);
		else if (c == '\n')
			buffer_text(buffer, "\\n");
		else
			buffer_printf(buffer, "\\u%04x", c);
		text++;
	}
	buffer_text(buffer, "\"");
}

void
buffer_drop_front(Buffer *buffer, size_t size)
{
	if (size == 0)
		return;
	memmove(buffer->data, buffer->data + size, buffer->size - size);
	buffer->size -= size;
	buffer->data[buffer->size] = '\0';
}

void
buffer_clear(Buffer *buffer)
{
	buffer->size = 0;
	if (buffer->data)
		buffer->data[0] = '\0';
}

void
buffer_free(Buffer *buffer)
{
	free(buffer->data);
	memset(buffer, 0, sizeof(*buffer));
}
