/*
 * odd_object.c
 *	  An object as models write it down who were asked for JSON.
 */
#define _GNU_SOURCE

#include "odd.h"

#include <string.h>

/* Every `from` in the text becomes `to`. */
static void
exchange(Buffer *text, const char *from, const char *to)
{
	Buffer		out = {0};
	const char *p = text->data;
	const char *next;

	while ((next = strstr(p, from)) != NULL)
	{
		buffer_add(&out, p, (size_t) (next - p));
		buffer_text(&out, to);
		p = next + strlen(from);
	}
	buffer_text(&out, p);
	buffer_free(text);
	*text = out;
}

void
odd_object_python(Buffer *text)
{
	exchange(text, "\"", "'");
	exchange(text, "false", "False");
	exchange(text, "true", "True");
}

void
odd_object_wide(Buffer *text)
{
	exchange(text, "\": ", "\"：");
	exchange(text, ", \"", "，\"");
}

void
odd_object_word(Buffer *text)
{
	static const char *const words[][2] = {
		{"\"worth\": 0", "\"worth\": \"零分\""}, {"\"worth\": 1", "\"worth\": \"一分\""},
		{"\"worth\": 2", "\"worth\": \"两分\""}, {"\"worth\": 3", "\"worth\": \"三分\""}
	};
	size_t		i;

	for (i = 0; i < 4; i++)
		exchange(text, words[i][0], words[i][1]);
}

/* Stuck in white space behind the first comma. */
void
odd_object_white(Buffer *text)
{
	char	   *comma = strchr(text->data, ',');
	int			i;

	if (comma == NULL)
		return;
	text->size = (size_t) (comma + 1 - text->data);
	for (i = 0; i < 1000; i++)
		buffer_text(text, " \n");
}

/* Done, and then white space until max_tokens. */
void
odd_object_tail(Buffer *text)
{
	int			i;

	for (i = 0; i < 1000; i++)
		buffer_text(text, "\n\t");
}
