/*
 * envelope.c
 *	  The JSON a chat completion comes in.
 */
#include "envelope.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Of any one completion. */
#define MOST_TOKENS 1000000000

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

/* content: a string, or an array of {"type": "text", "text": ...} parts. */
static bool
read_content(VlmEnvelope *envelope, const json_t *content, const char **message)
{
	size_t		i;
	json_t	   *part;
	bool		found = false;

	*message = "out of memory";
	if (json_is_string(content))
		return set_content(envelope, json_string_value(content), json_string_length(content));
	json_array_foreach(content, i, part)
	{
		json_t	   *text = json_object_get(part, "text");

		if (!json_is_string(text))
			continue;
		if (!set_content(envelope, json_string_value(text), json_string_length(text)))
			return false;
		found = true;
	}
	*message = "the message has no content";
	return found;
}

static int64_t
token_count(const json_t *usage, const char *name)
{
	json_t	   *value = json_object_get(usage, name);

	return json_is_integer(value) && json_integer_value(value) >= 0 ?
		json_integer_value(value) : -1;
}

static bool
is_filled(const json_t *value)
{
	return json_is_string(value) && json_string_length(value) > 0;
}

static bool
read_choice(VlmEnvelope *envelope, const json_t *root, const char **message)
{
	json_t	   *choice = json_array_get(json_object_get(root, "choices"), 0);
	json_t	   *words = json_object_get(choice, "message");
	json_t	   *refusal = json_object_get(words, "refusal");

	if (!json_is_object(choice))
	{
		*message = json_is_array(json_object_get(root, "choices")) ?
			"choices is empty" : "there are no choices";
		return false;
	}
	envelope->finish_reason = copy_string(json_object_get(choice, "finish_reason"));
	envelope->has_reasoning = is_filled(json_object_get(words, "reasoning_content")) ||
		is_filled(json_object_get(words, "reasoning"));
	if (is_filled(refusal))
	{
		envelope->refused = true;
		return read_content(envelope, refusal, message);
	}
	if (read_content(envelope, json_object_get(words, "content"), message))
		return true;
	/* thinking ate the budget: an empty reply, and paid for */
	return envelope->has_reasoning && set_content(envelope, "", 0);
}

bool
envelope_load(const char *body, size_t size, VlmEnvelope *envelope, const char **message)
{
	json_t	   *root = json_loadb(body, size, JSON_ALLOW_NUL, NULL);
	json_t	   *usage;
	bool		ok = false;

	memset(envelope, 0, sizeof(*envelope));
	envelope->prompt_tokens = envelope->completion_tokens = -1;
	if (!json_is_object(root))
		*message = "the body is not a JSON object";
	else if (json_object_get(root, "error") != NULL &&
			 !json_is_null(json_object_get(root, "error")))
		*message = "the body is an error object";
	else
		ok = read_choice(envelope, root, message);
	if (ok)
	{
		usage = json_object_get(root, "usage");
		envelope->prompt_tokens = token_count(usage, "prompt_tokens");
		envelope->completion_tokens = token_count(usage, "completion_tokens");
		envelope->model = copy_string(json_object_get(root, "model"));
		envelope->response_id = copy_string(json_object_get(root, "id"));
		*message = NULL;
	}
	else
		vlm_envelope_free(envelope);
	json_decref(root);
	return ok;
}

/* What no completion can have is unknown (-1): sums of such numbers would not fit. */
static int64_t
believable(int64_t tokens)
{
	return tokens > MOST_TOKENS ? -1 : tokens;
}

bool
vlm_envelope_parse(const char *body, size_t size, VlmEnvelope *envelope, const char **message)
{
	switch (envelope_scan(body, size, envelope))
	{
		case ENVELOPE_READ:
			*message = NULL;
			break;
		case ENVELOPE_NO_MEMORY:
			*message = "out of memory";
			return false;
		default:
			if (!envelope_load(body, size, envelope, message))
				return false;
	}
	envelope->prompt_tokens = believable(envelope->prompt_tokens);
	envelope->completion_tokens = believable(envelope->completion_tokens);
	return true;
}

void
vlm_envelope_free(VlmEnvelope *envelope)
{
	free(envelope->content);
	free(envelope->finish_reason);
	free(envelope->model);
	free(envelope->response_id);
	memset(envelope, 0, sizeof(*envelope));
}
