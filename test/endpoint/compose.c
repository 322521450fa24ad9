/*
 * compose.c
 *	  From a request's body to the reply: reads the JSON, looks at the image,
 *	  answers.  Runs in a thread.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "chat.h"
#include "envelope.h"
#include "errors.h"
#include "journal.h"
#include "noise.h"

/* What a request asks; the strings belong to its JSON. */
typedef struct Asked
{
	Buffer		text;			/* of the last user message, parts joined */
	const char *image_url;
	size_t		image_url_size;
} Asked;

static void
copy_text(char *to, size_t room, const char *from)
{
	strncpy(to, from, room - 1);
	to[room - 1] = '\0';
}

static void
read_part(Asked *asked, const json_t *part)
{
	const json_t *url = json_object_get(part, "image_url");
	const char *text = json_string_value(json_object_get(part, "text"));

	if (json_is_object(url))
		url = json_object_get(url, "url");
	if (json_is_string(url))
	{
		asked->image_url = json_string_value(url);
		asked->image_url_size = json_string_length(url);
	}
	else if (text)
	{
		if (asked->text.size > 0)
			buffer_text(&asked->text, "\n");
		buffer_text(&asked->text, text);
	}
}

/* The last user message; false: there is none. */
static bool
read_messages(Asked *asked, const json_t *messages)
{
	bool		found = false;
	size_t		i,
				j;

	for (i = 0; i < json_array_size(messages); i++)
	{
		const json_t *message = json_array_get(messages, i);
		const char *role = json_string_value(json_object_get(message, "role"));
		const json_t *content = json_object_get(message, "content");

		if (role == NULL || strcmp(role, "user") != 0)
			continue;
		found = true;
		buffer_clear(&asked->text);
		if (json_is_string(content))
			buffer_text(&asked->text, json_string_value(content));
		for (j = 0; j < json_array_size(content); j++)
			read_part(asked, json_array_get(content, j));
	}
	buffer_add(&asked->text, "", 0);
	return found;
}

/* The image's bytes out of its data URL; else NULL and *why. */
static unsigned char *
read_image(Chat *chat, const Asked *asked, const char **why)
{
	const char *comma = asked->image_url ? memchr(asked->image_url, ',', asked->image_url_size) : NULL;
	unsigned char *bytes = NULL;

	*why = "not a base64 data URL; this server fetches nothing";
	if (comma == NULL || strncmp(asked->image_url, "data:image/", 11) != 0 ||
		comma - asked->image_url < 7 || memcmp(comma - 7, ";base64", 7) != 0)
		return NULL;
	comma++;
	*why = "bad base64";
	if (!base64_decode(comma, asked->image_url_size - (size_t) (comma - asked->image_url),
					   &bytes, &chat->image_bytes))
		return NULL;
	sha256_hex(bytes, chat->image_bytes, chat->image);
	return bytes;
}

static int64_t
prompt_tokens(const Chat *chat, const char *text)
{
	int64_t		tokens = 0;
	const char *at;

	for (at = text; *at; at++)
		tokens += ((unsigned char) *at & 0xc0) != 0x80;
	tokens /= 2;
	if (chat->looked)
		tokens += (int64_t) ((chat->facts.width + 27) / 28) * ((chat->facts.height + 27) / 28);
	return tokens;
}

static void
write_completion(Chat *chat, const char *prompt, const char *content)
{
	Completion	completion;

	completion.ordinal = chat->ordinal;
	completion.model = chat->model;
	completion.content = content;
	completion.finish_reason = chat->finish_reason;
	completion.prompt_tokens = prompt_tokens(chat, prompt);
	completion_reply(&chat->reply, &completion, &chat->fault);
}

/* Answers about the image. */
static void
answer_image(Chat *chat, const Asked *asked)
{
	Answer		answer;
	Buffer		text = {0};
	char		head[17] = {0};
	uint64_t	variation;
	int			worth;

	memset(&answer, 0, sizeof(answer));
	memcpy(head, chat->image, 16);
	variation = strtoull(head, NULL, 16) ^ mix64((uint64_t) chat->request_seed) ^ mix64(chat->seed + 1);
	answer.task = chat->task;
	(void) prompt_task(asked->text.data, &answer.english);
	if (chat->obedient && answer_obey(asked->text.data, &worth))
		answer.told = worth + 1;
	answer_make(&answer, &chat->facts, variation);
	noise_write(&text, &answer, chat->fault.group == FAULT_TEXT ? chat->fault.index : NOISE_NONE,
				&chat->finish_reason);
	write_completion(chat, asked->text.data, text.data);
	answer_free(&answer);
	buffer_free(&text);
}

/* Looks at the image; false: the reply is an error already. */
static bool
look(Chat *chat, const unsigned char *bytes)
{
	Picture		picture;
	const char *why;

	if (!picture_decode(bytes, chat->image_bytes, &picture, &why))
	{
		error_reply_named(&chat->reply, ERROR_IMAGE, chat->flat, why);
		return false;
	}
	facts_find(&picture, &chat->facts);
	picture_free(&picture);
	chat->looked = true;
	if (facts_ratio(&chat->facts) > 200)
	{
		error_reply_named(&chat->reply, ERROR_RATIO, chat->flat, NULL);
		return false;
	}
	return true;
}

/* Whether it can be answered at all; false: the reply is an error already. */
static bool
read_request(Chat *chat, const json_t *request, Asked *asked)
{
	bool		english;

	copy_text(chat->model, sizeof(chat->model),
			  json_is_string(json_object_get(request, "model")) ?
			  json_string_value(json_object_get(request, "model")) : "");
	if (json_is_integer(json_object_get(request, "seed")))
		chat->request_seed = json_integer_value(json_object_get(request, "seed"));
	if (json_is_integer(json_object_get(request, "max_tokens")))
		chat->max_tokens = json_integer_value(json_object_get(request, "max_tokens"));
	chat->presence_penalty = json_number_value(json_object_get(request, "presence_penalty"));
	if (!read_messages(asked, json_object_get(request, "messages")))
	{
		error_reply_named(&chat->reply, ERROR_REQUEST, chat->flat, "no user message");
		return false;
	}
	if (json_is_true(json_object_get(request, "stream")))
	{
		error_reply_named(&chat->reply, ERROR_REQUEST, chat->flat, "this server does not stream");
		return false;
	}
	chat->task = prompt_task(asked->text.data, &english);
	chat->has_task = true;
	if (chat->obedient)
		chat->prompt = must_copy(asked->text.data);
	return true;
}

/* The request is read; what comes of it? */
static void
compose(Chat *chat, const json_t *request, Asked *asked)
{
	unsigned char *bytes = NULL;
	const char *why = NULL;
	char		detail[80];

	if (!read_request(chat, request, asked))
		return;
	if (asked->image_url)
		bytes = read_image(chat, asked, &why);
	if (bytes)
		chat->ask = images_note(chat->image);
	if ((chat->fault_once && chat->ask > 1) ||
		(chat->fault_task[0] != '\0' && strcmp(chat->fault_task, task_alias(chat->task)) != 0))
		memset(&chat->fault, 0, sizeof(chat->fault));
	if (chat->fault.group == FAULT_STATUS)
		error_reply(&chat->reply, &chat->fault, chat->flat,
					error_detail(&chat->fault, chat->ordinal, detail, sizeof(detail)));
	else if (chat->wanted_model[0] && strcmp(chat->wanted_model, chat->model) != 0)
		error_reply_named(&chat->reply, ERROR_MODEL, chat->flat, chat->model);
	else if (asked->image_url && bytes == NULL)
		error_reply_named(&chat->reply, ERROR_IMAGE, chat->flat, why);
	else if (bytes == NULL)
	{
		chat->finish_reason = "stop";
		write_completion(chat, asked->text.data, "没有收到图片。这是一个模拟的模型，只会描述图片的尺寸、颜色和明暗。");
	}
	else if (look(chat, bytes))
		answer_image(chat, asked);
	free(bytes);
}

void
chat_compose(Chat *chat)
{
	json_error_t error;
	json_t	   *request = json_loadb(chat->body.data ? chat->body.data : "", chat->body.size, JSON_ALLOW_NUL, &error);
	Asked		asked = {{0}, NULL, 0};

	buffer_free(&chat->body);
	if (request == NULL || !json_is_object(request))
		error_reply_named(&chat->reply, ERROR_REQUEST, chat->flat, request ? "not an object" : error.text);
	else
		compose(chat, request, &asked);
	json_decref(request);
	buffer_free(&asked.text);
	if (chat->reply.status != 200)
		chat->finish_reason = NULL;
}
