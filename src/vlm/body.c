/*
 * body.c
 *	  The body of a chat-completions request, in two halves around the image.
 */
#include "vlm.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Stands for the base64 while jansson writes the body; cannot occur in JSON text
 * otherwise, since a quote in a value is escaped. */
#define IMAGE_URL_PREFIX "data:image/jpeg;base64,"
#define IMAGE_MARK "\"" IMAGE_URL_PREFIX "\""

static const char *const reserved[] = {"model", "messages", "stream", "n", "seed"};

const char *
vlm_extra_body_check(const char *text)
{
	json_t	   *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	const char *message = NULL;

	if (!json_is_object(object))
		message = "is not a JSON object";
	for (size_t i = 0; message == NULL && i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (json_object_get(object, reserved[i]) != NULL)
			message = "may not set model, messages, stream, n or seed";
	json_decref(object);
	return message;
}

static json_t *
messages(const char *prompt)
{
	return json_pack("[{s:s, s:[{s:s, s:{s:s}}, {s:s, s:s}]}]",
					 "role", "user", "content",
					 "type", "image_url", "image_url", "url", IMAGE_URL_PREFIX,
					 "type", "text", "text", prompt);
}

/* A number as a person wrote it: 0.7, not 0.69999999999999996. */
static json_t *
short_real(double value)
{
	char		text[40];

	snprintf(text, sizeof(text), "%.12g", value);
	return json_real(strtod(text, NULL));
}

static int
set_real(json_t *body, const char *name, double value)
{
	return isnan(value) ? 0 : json_object_set_new(body, name, short_real(value));
}

static int
set_integer(json_t *body, const char *name, int64_t value)
{
	return value < 0 ? 0 : json_object_set_new(body, name, json_integer(value));
}

static json_t *
build(const char *model, const char *prompt, const VlmSampling *sampling)
{
	/*
	 * not json_object(): inside a PostgreSQL server that name is the server's
	 * own
	 */
	json_t	   *body = json_pack("{}");

	if (body == NULL ||
		json_object_set_new(body, "model", json_string(model)) != 0 ||
		json_object_set_new(body, "messages", messages(prompt)) != 0 ||
		set_integer(body, "max_tokens", sampling->max_tokens) != 0 ||
		set_real(body, "temperature", sampling->temperature) != 0 ||
		set_real(body, "top_p", sampling->top_p) != 0 ||
		set_real(body, "repetition_penalty", sampling->repetition_penalty) != 0 ||
		set_real(body, "presence_penalty", sampling->presence_penalty) != 0 ||
		set_integer(body, "seed", sampling->seed) != 0 ||
		json_object_set_new(body, "stream", json_false()) != 0)
	{
		json_decref(body);
		return NULL;
	}
	return body;
}

/* Splits the text behind the mark's prefix. */
static bool
split(VlmBody *body, char *text)
{
	char	   *mark = strstr(text, IMAGE_MARK);
	size_t		head;

	if (mark == NULL)
		return false;
	head = (size_t) (mark - text) + strlen(IMAGE_MARK) - 1;
	body->tail = strdup(text + head);
	if (body->tail == NULL)
		return false;
	body->tail_size = strlen(body->tail);
	text[head] = '\0';
	body->head = text;
	body->head_size = head;
	return true;
}

bool
vlm_body_build(VlmBody *body, const char *model, const char *prompt,
			   const VlmSampling *sampling, const char *extra_body, const char **message)
{
	json_t	   *json;
	json_t	   *extra = NULL;
	char	   *text;

	memset(body, 0, sizeof(*body));
	*message = "out of memory";
	if (extra_body != NULL)
	{
		const char *problem = vlm_extra_body_check(extra_body);

		if (problem != NULL)
		{
			*message = problem;
			return false;
		}
		extra = json_loads(extra_body, 0, NULL);
	}
	json = build(model, prompt, sampling);
	if (json != NULL && extra != NULL && json_object_update(json, extra) != 0)
	{
		json_decref(json);
		json = NULL;
	}
	json_decref(extra);
	/* the task's, whatever the server's extra_body says */
	if (json != NULL && sampling->response_format != NULL &&
		json_object_set_new(json, "response_format", json_loads(sampling->response_format, 0, NULL)) != 0)
	{
		json_decref(json);
		json = NULL;
	}
	text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(12));
	json_decref(json);
	if (text != NULL && split(body, text))
		return true;
	free(text);
	return false;
}

bool
vlm_body_with_seed(VlmBody *body, const VlmBody *without, int64_t seed)
{
	char		member[40];
	size_t		open = without->tail_size - 1;	/* up to the last brace */
	size_t		size = (size_t) snprintf(member, sizeof(member), ",\"seed\":%lld}", (long long) seed);

	body->head_size = without->head_size;
	body->tail_size = open + size;
	body->head = malloc(body->head_size + 1);
	body->tail = malloc(body->tail_size + 1);
	if (body->head == NULL || body->tail == NULL)
	{
		vlm_body_free(body);
		return false;
	}
	memcpy(body->head, without->head, body->head_size + 1);
	memcpy(body->tail, without->tail, open);
	memcpy(body->tail + open, member, size + 1);
	return true;
}

void
vlm_body_free(VlmBody *body)
{
	free(body->head);
	free(body->tail);
	memset(body, 0, sizeof(*body));
}
