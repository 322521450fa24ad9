/*
 * words.c
 *	  Collects the codes and the texts of an error response, whatever its shape.
 *
 * Providers put code, type and message at the root, in "error", in a list, in a choice or
 * in "base_resp", and a gateway may quote the provider's own JSON.  So this file walks
 * the whole body and recognises members by their names.  It skips members that may repeat
 * the request or hold the reply.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "words.h"

#include "wrapping.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MOST_DEPTH 8
#define MOST_VALUES 10000		/* of the JSON that are read */
#define MOST_PAGE 32768			/* bytes of a page that are read */

/* Members whose text is a message for people. */
static const char *const text_names[] = {
	"message", "msg", "error", "error_msg", "error_message", "err_msg", "errmsg", "errormsg",
	"status_msg", "status_message", "detail", "details", "error_description", "description", "title", "reason",
	"reasons", "errors", "raw", "err", "info", "desc", "errormessage", "cause", "hint", "error_info", NULL
};

/* Members whose value is a code. */
static const char *const code_names[] = {
	"code", "type", "error_code", "errcode", "err_code", "errorcode", "status", "status_code",
	"statuscode", "error_type", "kind", "quotaid", "quota_id", "error", "title", "blockreason",
	"block_reason", "native_finish_reason", "finish_reason", "reason", "name", NULL
};

/* Members whose code means something only together with their name. */
static const char *const named_codes[] = {
	"status_code", "error_code", "errcode", "err_code", "errorcode", "blockreason",
	"block_reason", NULL
};

/* Members that mean an error if they are true. */
static const char *const flags[] = {
	"input_sensitive", "output_sensitive", "flagged", "filtered", "blocked", NULL
};

/* Members that may repeat the request, or that hold numbers which are no codes. */
static const char *const passed_over[] = {
	"input", "body", "request", "messages", "prompt", "usage", "logprobs", "url", "headers",
	"request_id", "param", "loc", "delta", "ctx", NULL
};

static bool
is_one_of(const char *name, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcasecmp(name, *names) == 0)
			return true;
	return false;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c | 0x20) : c;
}

static void
put(Words *words, char c)
{
	if (words->text_size + 1 < sizeof(words->text))
		words->text[words->text_size++] = c;
}

static void
put_code(Words *words, char c)
{
	if (words->codes_size + 1 < sizeof(words->codes))
		words->codes[words->codes_size++] = c;
}

static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c & 0x80) != 0;
}

static void
put_squashed(Words *words, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (is_plain(lower(text[i])))
			put_code(words, lower(text[i]));
}

static void
add_code(Words *words, const char *name, const char *code)
{
	put_code(words, '|');
	if (name != NULL && is_one_of(name, named_codes))
		put_squashed(words, name, strlen(name));
	put_squashed(words, code, strlen(code));
	put_code(words, '|');
}

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0';
}

/* The end of a URL's path, whose words are no part of the message. */
static const char *
skip_path(const char *p, const char *end)
{
	while (p < end && (unsigned char) *p < 0x80 && !is_space(*p) && strchr("\"'<>),;", *p) == NULL)
		p++;
	return p;
}

/* Keeps the host of a URL whose "://" is at p; returns the end of the URL. */
static const char *
put_url(Words *words, const char *p, const char *end)
{
	for (p += 3; p < end && (is_plain(lower(*p)) || *p == '.' || *p == '-') &&
		 (unsigned char) *p < 0x80; p++)
		put(words, lower(*p));
	return skip_path(p, end);
}

/* The size of "n't" at p, with either apostrophe; 0 if something else is there. */
static size_t
is_not(const char *p, const char *end)
{
	static const char *const spellings[] = {"n't", "n\xe2\x80\x99t", NULL};

	for (const char *const *one = spellings; *one != NULL; one++)
	{
		size_t		size = strlen(*one);

		if ((size_t) (end - p) >= size && memcmp(p, *one, size) == 0)
			return size;
	}
	return 0;
}

/*
 * The size of a text up to where it repeats the request: the picture comes before the
 * prompt there.
 */
static size_t
before_request(const char *text, size_t size)
{
	static const char picture[] = "data:image/";
	const char *found = size == 0 ? NULL : memmem(text, size, picture, strlen(picture));

	return found == NULL ? size : (size_t) (found - text) + strlen(picture);
}

/*
 * Adds a text in small letters with single blanks, for searching; and among the codes its
 * letters and digits alone.
 */
static void
add_text(Words *words, const char *text, size_t size)
{
	const char *end = text + before_request(text, size);
	size_t		from = words->text_size;

	put(words, '\n');
	for (const char *p = text; p < end && words->text_size + 8 < sizeof(words->text);)
	{
		size_t		negation = *p == 'n' ? is_not(p, end) : 0;

		if (end - p > 3 && memcmp(p, "://", 3) == 0)
			p = put_url(words, p, end);
		else if (negation > 0)
		{
			for (const char *word = " not"; *word != '\0'; word++)
				put(words, *word);
			p += negation;
		}
		else if (!is_space(*p))
			put(words, lower(*p++));
		else if (p++ > text && words->text[words->text_size - 1] != ' ')
			put(words, ' ');
	}
	put(words, '\n');
	put_code(words, '|');
	put_squashed(words, words->text + from, words->text_size - from);
	put_code(words, '|');
}

static void
note_status(Words *words, long number)
{
	if (words->status == 0 && number >= 400 && number <= 599)
		words->status = (int) number;
}

/* ---- JSON ---- */

static void
walk_string(Words *words, const char *name, const json_t *value)
{
	const char *text = json_string_value(value);

	if (is_one_of(name, code_names))
	{
		add_code(words, name, text);
		if (strlen(text) == 3 && strspn(text, "0123456789") == 3)
			note_status(words, strtol(text, NULL, 10));
	}
	if (is_one_of(name, text_names))
	{
		add_text(words, text, json_string_length(value));
		if (words->said == NULL && text[0] != '\0')
			words->said = text;
	}
}

static void
walk_number(Words *words, const char *name, const json_t *value)
{
	char		number[32];

	if (!is_one_of(name, code_names))
		return;
	snprintf(number, sizeof(number), "%lld", (long long) json_integer_value(value));
	add_code(words, name, number);
	if (json_integer_value(value) >= 400 && json_integer_value(value) <= 599)
		note_status(words, (long) json_integer_value(value));
}

/* Whether the value is a reply, or a part of one: its words are the model's. */
static bool
is_reply(const char *name, const json_t *value)
{
	return json_is_object(value) && strcasecmp(name, "message") == 0 &&
		(json_object_get(value, "role") != NULL || json_object_get(value, "content") != NULL);
}

static void
walk(Words *words, const char *name, const json_t *value, int depth)
{
	const char *inner;
	json_t	   *child;
	size_t		i;

	if (depth > MOST_DEPTH || ++words->values > MOST_VALUES || is_one_of(name, passed_over) || is_reply(name, value))
		return;
	if (json_is_string(value))
		walk_string(words, name, value);
	else if (json_is_integer(value))
		walk_number(words, name, value);
	else if (json_is_true(value) && is_one_of(name, flags))
		add_code(words, NULL, name);
	json_object_foreach((json_t *) (uintptr_t) value, inner, child)
		walk(words, inner, child, depth + 1);
	json_array_foreach(value, i, child)
		walk(words, name, child, depth + 1);
}

/* ---- pages ---- */

/* The end of the tag at p; of <style> and <script> the end of their contents. */
static const char *
skip_element(const char *p, const char *end)
{
	static const char *const hidden[] = {"style", "script", NULL};
	const char *close = memchr(p, '>', (size_t) (end - p));

	for (const char *const *name = hidden; close != NULL && *name != NULL; name++)
	{
		size_t		size = strlen(*name);
		char		tag[16];
		const char *ending;

		if ((size_t) (end - p) <= size || strncasecmp(p + 1, *name, size) != 0)
			continue;
		snprintf(tag, sizeof(tag), "</%s", *name);
		ending = memmem(close, (size_t) (end - close), tag, strlen(tag));
		return ending == NULL ? end : ending;
	}
	return close == NULL ? end : close + 1;
}

/* Adds the text of a page, or plain text, without tags. */
static void
read_page(Words *words, const char *body, size_t size)
{
	const char *end = body + (size < MOST_PAGE ? size : MOST_PAGE);
	char		page[sizeof(words->text)];
	size_t		n = 0;

	for (const char *p = body; p < end && n + 1 < sizeof(page);)
	{
		if (*p == '<')
		{
			p = skip_element(p, end);
			page[n++] = ' ';
		}
		else
			page[n++] = *p++;
	}
	add_text(words, page, n);
}

void
words_read(const VlmResponse *response, Words *words)
{
	memset(words, 0, sizeof(*words));
	if (response->body == NULL)
		return;
	words->root = wrapping_load(response->body, response->body_size);
	words->json = words->root != NULL;
	if (words->json)
		walk(words, "error", words->root, 0);
	else
	{
		read_page(words, response->body, response->body_size);
		words->said = response->body;
	}
	words->text[words->text_size] = '\0';
	words->codes[words->codes_size] = '\0';
}

void
words_free(Words *words)
{
	json_decref(words->root);
	words->root = NULL;
}
