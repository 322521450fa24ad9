/*
 * envelope.c
 *	  Reads a chat completion with jansson, whatever shape the provider gives it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "envelope.h"

#include "usage.h"
#include "wrapping.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static char *
copy_string(const json_t *value)
{
	return json_is_string(value) ? strdup(json_string_value(value)) : NULL;
}

static bool
set_content(VlmEnvelope *envelope, const char *text, size_t size)
{
	char	   *grown = realloc(envelope->content, envelope->content_size + size + 1);

	if (grown == NULL)
		return false;
	memcpy(grown + envelope->content_size, text, size);
	envelope->content = grown;
	envelope->content_size += size;
	grown[envelope->content_size] = '\0';
	return true;
}

static bool
is_filled(const json_t *value)
{
	return (json_is_string(value) && json_string_length(value) > 0) ||
		(json_is_array(value) && json_array_size(value) > 0) ||
		(json_is_object(value) && json_object_size(value) > 0);
}

/* ---- content ---- */

/* A part of the content that is the model's thinking. */
static bool
is_thought(const json_t *part)
{
	const char *type = json_string_value(json_object_get(part, "type"));

	return type != NULL && (strcasestr(type, "think") != NULL || strcasestr(type, "reason") != NULL ||
							strcasestr(type, "thought") != NULL);
}

/* The text of a string or of {"type": "text", "text": ...}; NULL: another kind of part. */
static const json_t *
part_text(const json_t *part)
{
	const json_t *text = json_is_string(part) ? part : json_object_get(part, "text");

	return json_is_string(text) && !is_thought(part) ? text : NULL;
}

/* content: a string, a part, or an array of parts.  False: there is none, or no memory. */
static bool
read_content(VlmEnvelope *envelope, const json_t *content, const char **message)
{
	size_t		i;
	json_t	   *part;
	const json_t *text = part_text(content);
	bool		found = false;

	*message = "out of memory";
	if (text != NULL)
		return set_content(envelope, json_string_value(text), json_string_length(text));
	json_array_foreach(content, i, part)
	{
		envelope->has_reasoning |= is_thought(part);
		text = part_text(part);
		if (text == NULL)
			continue;
		if (!set_content(envelope, json_string_value(text), json_string_length(text)))
			return false;
		found = true;
	}
	*message = "the message has no content";
	return found;
}

bool
envelope_is_thinking(const char *name, size_t size)
{
	static const char *const names[] = {
		"thinking", "reasoning_details", "thinking_content", "reasoning_text", "thought",
		"thoughts", "thinking_blocks", "reasoning_summary", NULL
	};

	for (const char *const *one = names; *one != NULL; one++)
		if (strlen(*one) == size && memcmp(*one, name, size) == 0)
			return true;
	return false;
}

static bool
has_thinking(const json_t *message)
{
	const char *name;
	json_t	   *value;

	if (is_filled(json_object_get(message, "reasoning_content")) ||
		is_filled(json_object_get(message, "reasoning")))
		return true;
	json_object_foreach((json_t *) (uintptr_t) message, name, value)
		if (envelope_is_thinking(name, strlen(name)) && is_filled(value))
		return true;
	return false;
}

/* ---- errors beside it ---- */

/* Whether this value means that there is no error: 0, 200, "success" ... */
static bool
is_fine(const json_t *value)
{
	static const char *const words[] = {"", "0", "200", "ok", "success", "none", "null", "false", NULL};

	if (json_is_string(value))
		for (const char *const *word = words; *word != NULL; word++)
			if (strcasecmp(json_string_value(value), *word) == 0)
				return true;
	return value == NULL || json_is_null(value) || json_is_false(value) ||
		(json_is_number(value) && (json_number_value(value) == 0 || json_number_value(value) == 200));
}

/* Whether a code says that there is no error, whatever the text beside it says. */
static bool
is_fine_code(const json_t *code)
{
	bool		said = json_is_string(code) ? json_string_length(code) > 0 : json_is_number(code);

	return said && is_fine(code);
}

static bool
says_error(const json_t *error)
{
	const char *name;
	json_t	   *value;

	if (is_fine_code(json_object_get(error, "code")))
		return false;
	json_object_foreach((json_t *) (uintptr_t) error, name, value)
		if (!is_fine(value) && (is_filled(value) || json_is_number(value) || json_is_true(value)))
		return true;
	return false;
}

bool
envelope_is_error(const json_t *error)
{
	if (json_is_object(error))
		return says_error(error);
	if (json_is_array(error))
		return json_array_size(error) > 0 && envelope_is_error(json_array_get(error, 0));
	return !is_fine(error);
}

/* Whether the root states an error, whatever choices stand beside it. */
static bool
is_error_root(const json_t *root)
{
	const json_t *base = json_object_get(root, "base_resp");

	return envelope_is_error(json_object_get(root, "error")) ||
		json_is_true(json_object_get(root, "input_sensitive")) ||
		json_is_true(json_object_get(root, "output_sensitive")) ||
		!is_fine(json_object_get(base, "status_code"));
}

/* ---- the whole ---- */

const json_t *
envelope_root(const json_t *root)
{
	static const char *const names[] = {"data", "result", "output", "response", NULL};

	if (json_is_array(root))
		root = json_array_get(root, 0);
	if (json_is_array(json_object_get(root, "choices")))
		return root;
	for (const char *const *name = names; *name != NULL; name++)
		if (json_is_array(json_object_get(json_object_get(root, *name), "choices")))
			return json_object_get(root, *name);
	return root;
}

const json_t *
envelope_choice(const json_t *root)
{
	return json_array_get(json_object_get(envelope_root(root), "choices"), 0);
}

static bool
read_choice(VlmEnvelope *envelope, const json_t *root, const char **message)
{
	const json_t *choice = envelope_choice(root);
	json_t	   *words = json_object_get(choice, "message");
	json_t	   *refusal = json_object_get(words, "refusal");

	if (!json_is_object(choice))
	{
		*message = json_is_array(json_object_get(root, "choices")) ?
			"choices is empty" : "there are no choices";
		return false;
	}
	if (envelope_is_error(json_object_get(choice, "error")))
	{
		*message = "the choice is an error";
		return false;
	}
	envelope->finish_reason = copy_string(json_object_get(choice, "finish_reason"));
	envelope->has_reasoning = has_thinking(words);
	if (json_is_string(refusal) && json_string_length(refusal) > 0)
	{
		envelope->refused = true;
		return read_content(envelope, refusal, message);
	}
	if (read_content(envelope, json_object_get(words, "content"), message))
		return true;

	/*
	 * thinking used up the tokens, or a filter removed the reply: empty, and
	 * paid for
	 */
	return (envelope->has_reasoning || vlm_finish(envelope->finish_reason) == VLM_FINISH_FILTERED) &&
		set_content(envelope, "", 0);
}

bool
envelope_load(const char *body, size_t size, VlmEnvelope *envelope, const char **message)
{
	json_t	   *loaded = wrapping_load(body, size);
	const json_t *root = envelope_root(loaded);
	bool		ok = false;

	memset(envelope, 0, sizeof(*envelope));
	envelope->prompt_tokens = envelope->completion_tokens = -1;
	if (!json_is_object(root))
		*message = "the body is not a JSON object";
	else if (is_error_root(root) || (json_is_object(loaded) && is_error_root(loaded)))
		*message = "the body is an error object";
	else
		ok = read_choice(envelope, root, message);
	if (ok)
	{
		usage_read(root, envelope);
		envelope->model = copy_string(json_object_get(root, "model"));
		*message = NULL;
	}
	else
		vlm_envelope_free(envelope);
	json_decref(loaded);
	return ok;
}

void
vlm_envelope_free(VlmEnvelope *envelope)
{
	free(envelope->content);
	free(envelope->finish_reason);
	free(envelope->model);
	memset(envelope, 0, sizeof(*envelope));
}
