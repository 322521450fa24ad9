/*
 * wrapping.c
 *	  The JSON of a response body, whatever a gateway has wrapped around it.
 *
 * A reply that arrived whole has been paid for, so it is read if it can be read in one
 * way only.  Each step reads the body once, so all of it takes linear time.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "wrapping.h"

#include "text_buffer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MOST_NUMBER 18			/* bytes of a number that fits into 64 bits */

typedef struct Lines
{
	const char *p;
	const char *end;
} Lines;

/* The next line, without its line end; false if there is none. */
static bool
next_line(Lines *lines, Lines *line)
{
	const char *newline;

	if (lines->p == lines->end)
		return false;
	newline = memchr(lines->p, '\n', (size_t) (lines->end - lines->p));
	line->p = lines->p;
	line->end = newline == NULL ? lines->end : newline;
	lines->p = newline == NULL ? lines->end : newline + 1;
	if (line->end > line->p && line->end[-1] == '\r')
		line->end--;
	return true;
}

static bool
starts(const Lines *line, const char *word)
{
	size_t		size = strlen(word);

	return (size_t) (line->end - line->p) >= size && memcmp(line->p, word, size) == 0;
}

static bool
is_blank(const Lines *line)
{
	for (const char *p = line->p; p < line->end; p++)
		if (*p != ' ' && *p != '\t' && *p != '\r' && *p != '\0')
			return false;
	return true;
}

/* Whether the line only keeps the connection alive, or ends a stream. */
static bool
is_beside(const Lines *line)
{
	return is_blank(line) || *line->p == ':' || starts(line, "data: [DONE]") ||
		starts(line, "data:[DONE]");
}

static void
skip_mark(Lines *body)
{
	if (starts(body, "\xef\xbb\xbf"))
		body->p += 3;
}

/* The body without a byte order mark, and without comments and blank lines around it. */
static Lines
unwrapped(const char *text, size_t size)
{
	Lines		body = {text, text + size};
	Lines		rest;
	Lines		line;

	skip_mark(&body);
	for (rest = body; next_line(&rest, &line) && is_beside(&line); body = rest)
		;
	skip_mark(&body);
	while (body.end > body.p)
	{
		const char *newline = memrchr(body.p, '\n', (size_t) (body.end - body.p));

		line.p = newline == NULL ? body.p : newline + 1;
		line.end = body.end;
		if (!is_beside(&line))
			break;
		body.end = newline == NULL ? body.p : newline;
	}
	return body;
}

/* ---- JSON that is nearly right ---- */

size_t
wrapping_character_size(const char *p, const char *end)
{
	const unsigned char *u = (const unsigned char *) p;
	size_t		size = u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : 2;

	if (u[0] < 0xc2 || u[0] > 0xf4 || (size_t) (end - p) < size)
		return 0;
	for (size_t i = 1; i < size; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] >= 0xa0) ||
		(u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] >= 0x90))
		return 0;
	return size;
}

/* The code of "\uXXXX" at p; -1 if something else is there. */
static int
escaped_code(const char *p, const char *end)
{
	int			code = 0;

	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++)
	{
		const char *digits = "0123456789abcdef";
		const char *digit = p[i] == '\0' ? NULL : strchr(digits, p[i] | (p[i] >= 'A' ? 0x20 : 0));

		if (digit == NULL)
			return -1;
		code = code * 16 + (int) (digit - digits);
	}
	return code;
}

/* Copies the escape at p; half a surrogate pair becomes U+FFFD.  Returns its end. */
static const char *
tidy_escape(TextBuffer *out, const char *p, const char *end)
{
	int			code = escaped_code(p, end);
	int			low = code >= 0xd800 && code <= 0xdbff ? escaped_code(p + 6, end) : -1;
	size_t		size = code >= 0 ? 6 : end - p >= 2 ? 2 : 1;

	if (low >= 0xdc00 && low <= 0xdfff)
		size = 12;
	else if (code >= 0xd800 && code <= 0xdfff)
	{
		text_add(out, "\\ufffd", 6);
		return p + 6;
	}
	text_add(out, p, size);
	return p + size;
}

/*
 * Copies the string at p, with control characters escaped and bad bytes as U+FFFD.
 * Returns its end.
 */
static const char *
tidy_string(TextBuffer *out, const char *p, const char *end)
{
	text_add(out, p++, 1);
	while (p < end && *p != '"')
	{
		unsigned char c = (unsigned char) *p;
		size_t		size = c < 0x80 ? 1 : wrapping_character_size(p, end);
		char		control[8] = "\\u0000";

		if (c == '\\')
		{
			p = tidy_escape(out, p, end);
			continue;
		}
		if (c < 0x20)
		{
			control[4] = (char) ('0' + c / 16);
			control[5] = "0123456789abcdef"[c % 16];
			text_add(out, control, 6);
		}
		else if (size == 0)
			text_add(out, "\\ufffd", 6);
		else
			text_add(out, p, size);
		p += size == 0 ? 1 : size;
	}
	if (p < end)
		text_add(out, p++, 1);
	return p;
}

static bool
is_wordy(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '+' ||
		c == '-' || c == '.';
}

/*
 * Copies the number or literal at p, or null in place of one that jansson cannot hold.
 * Returns its end.
 */
static const char *
tidy_word(TextBuffer *out, const char *p, const char *end)
{
	const char *first = p;
	bool		number = *p == '-' || (*p >= '0' && *p <= '9');
	bool		exponent = false;
	size_t		size;

	for (; p < end && is_wordy(*p); p++)
		exponent |= (*p | 0x20) == 'e';
	size = (size_t) (p - first);
	if ((number && (size > MOST_NUMBER || exponent)) || (first[0] | 0x20) == 'i' ||
		(size > 1 && first[0] == '-' && first[1] > '9') ||
		(size == 3 && memcmp(first, "NaN", 3) == 0))
		text_add(out, "null", 4);
	else
		text_add(out, first, size);
	return p;
}

static json_t *
load_tidied(const Lines *body)
{
	TextBuffer	tidy = {0};
	json_t	   *root = NULL;

	for (const char *p = body->p; p < body->end;)
	{
		if (*p == '"')
			p = tidy_string(&tidy, p, body->end);
		else if (is_wordy(*p))
			p = tidy_word(&tidy, p, body->end);
		else
			text_add(&tidy, p++, 1);
	}
	if (!tidy.failed && tidy.size > 0)
		root = json_loadb(tidy.p, tidy.size, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
	text_free(&tidy);
	return root;
}

static json_t *
load_lines(const Lines *body)
{
	json_t	   *root = json_loadb(body->p, (size_t) (body->end - body->p),
								  JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);

	return root != NULL ? root : load_tidied(body);
}

/* ---- event streams ---- */

/* What the events read so far have brought. */
typedef struct Stream
{
	json_t	   *root;			/* all members but choices, each as it came
								 * last */
	json_t	   *message;		/* a whole one, or NULL */
	json_t	   *finish;			/* or NULL */
	json_t	   *error;			/* of the choice, or NULL */
	TextBuffer	content;
	TextBuffer	reasoning;
	bool		choices;
	bool		done;
} Stream;

static void
keep(json_t **kept, json_t *value)
{
	if (value == NULL || json_is_null(value))
		return;
	json_decref(*kept);
	*kept = json_incref(value);
}

static void
add_text(TextBuffer *buffer, const json_t *value)
{
	json_t	   *part;
	size_t		i;

	if (json_is_string(value))
		text_add(buffer, json_string_value(value), json_string_length(value));
	json_array_foreach(value, i, part)
	{
		const json_t *text = json_object_get(part, "text");

		if (json_is_string(text))
			text_add(buffer, json_string_value(text), json_string_length(text));
	}
}

static void
take_choice(Stream *stream, const json_t *choice)
{
	const json_t *delta = json_object_get(choice, "delta");

	if (!json_is_object(choice) || json_integer_value(json_object_get(choice, "index")) != 0)
		return;
	stream->choices = true;
	keep(&stream->finish, json_object_get(choice, "finish_reason"));
	keep(&stream->error, json_object_get(choice, "error"));
	if (json_is_object(json_object_get(choice, "message")))
		keep(&stream->message, json_object_get(choice, "message"));
	if (json_is_object(json_object_get(choice, "usage")))
		json_object_set(stream->root, "usage", json_object_get(choice, "usage"));
	add_text(&stream->content, json_object_get(delta, "content"));
	add_text(&stream->reasoning, json_object_get(delta, "reasoning_content"));
	add_text(&stream->reasoning, json_object_get(delta, "reasoning"));
}

static void
take_event(Stream *stream, const json_t *event)
{
	const char *name;
	json_t	   *value;

	json_object_foreach((json_t *) (uintptr_t) event, name, value)
		if (strcmp(name, "choices") != 0 && !json_is_null(value))
		json_object_set(stream->root, name, value);
	take_choice(stream, json_array_get(json_object_get(event, "choices"), 0));
}

static void
take_line(Stream *stream, Lines line)
{
	json_t	   *event;

	if (!starts(&line, "data:"))
		return;
	for (line.p += 5; line.p < line.end && *line.p == ' ';)
		line.p++;
	if (starts(&line, "[DONE]"))
		stream->done = true;
	else if (!is_blank(&line) && (event = load_lines(&line)) != NULL)
	{
		take_event(stream, event);
		json_decref(event);
	}
}

static json_t *
text_json(const TextBuffer *buffer)
{
	return json_stringn(buffer->size == 0 ? "" : buffer->p, buffer->size);
}

/*
 * A stream without a finish_reason was interrupted, unless it ends with [DONE] or has a
 * whole message.
 */
static json_t *
stream_finish(const Stream *stream)
{
	if (stream->finish != NULL)
		return json_incref(stream->finish);
	return stream->done || stream->message != NULL ? json_null() : json_string("interrupted");
}

static json_t *
stream_message(const Stream *stream)
{
	json_t	   *message = json_pack("{}");

	if (stream->message != NULL)
	{
		json_decref(message);
		return json_incref(stream->message);
	}
	json_object_set_new(message, "role", json_string("assistant"));
	json_object_set_new(message, "content", text_json(&stream->content));
	if (stream->reasoning.size > 0)
		json_object_set_new(message, "reasoning_content", text_json(&stream->reasoning));
	return message;
}

static void
add_choices(Stream *stream)
{
	json_t	   *choice = json_pack("{}");
	json_t	   *choices = json_array();

	json_object_set_new(choice, "index", json_integer(0));
	json_object_set_new(choice, "message", stream_message(stream));
	json_object_set_new(choice, "finish_reason", stream_finish(stream));
	if (stream->error != NULL)
		json_object_set(choice, "error", stream->error);
	json_array_append_new(choices, choice);
	json_object_set_new(stream->root, "choices", choices);
	json_object_set_new(stream->root, "object", json_string("chat.completion"));
}

static json_t *
load_stream(Lines body)
{
	Stream		stream = {.root = json_pack("{}")};
	Lines		line;

	while (next_line(&body, &line))
		take_line(&stream, line);
	if (stream.choices)
		add_choices(&stream);
	if (stream.content.failed || stream.reasoning.failed ||
		json_object_size(stream.root) == 0)
	{
		json_decref(stream.root);
		stream.root = NULL;
	}
	json_decref(stream.message);
	json_decref(stream.finish);
	json_decref(stream.error);
	text_free(&stream.content);
	text_free(&stream.reasoning);
	return stream.root;
}

static bool
begins_stream(const Lines *body)
{
	return starts(body, "data:") || starts(body, "event:") || starts(body, "id:") ||
		starts(body, "retry:");
}

bool
wrapping_is_stream(const char *body, size_t size)
{
	Lines		lines = {body, body + size};
	Lines		rest;
	Lines		line;

	skip_mark(&lines);
	for (rest = lines; next_line(&rest, &line) && (is_blank(&line) || *line.p == ':'); lines = rest)
		;
	return begins_stream(&lines);
}

json_t *
wrapping_load(const char *body, size_t size)
{
	Lines		lines = {body, body + size};
	json_t	   *root;

	if (wrapping_is_stream(body, size))
		return load_stream(lines);
	root = json_loadb(body, size, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
	if (root != NULL)
		return root;
	lines = unwrapped(body, size);
	return load_lines(&lines);
}
