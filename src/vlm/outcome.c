/*
 * outcome.c
 *	  What is to be done about a response: retry, throttle, give up on the image, or
 *	  pause the server.
 *
 * The words are those of vLLM (both error shapes), llama.cpp, SGLang and
 * DashScope's compatible mode.  Where a status means several things the server's
 * code, type and message decide.
 */
#include "vlm.h"

#include "mask.h"

#include <ctype.h>
#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the server said, in one lower-case string: code, type, message. */
typedef struct Words
{
	char		all[1024];
	char		message[256];
} Words;

/* Appends, clipped on a character, control characters as blanks. */
static void
append_clipped(char *out, size_t room, const char *text)
{
	size_t		at = strlen(out);
	size_t		end;

	for (; *text != '\0' && at + 1 < room; text++)
		out[at++] = (unsigned char) *text < 0x20 ? ' ' : *text;
	end = at;
	if (*text != '\0')
	{
		/* step back over a character that did not fit */
		while (end > 0 && ((unsigned char) out[end - 1] & 0xc0) == 0x80)
			end--;
		if (end > 0 && (unsigned char) out[end - 1] >= 0xc0)
			end--;
		else
			end = at;
	}
	out[end] = '\0';
}

static void
add_word(Words *words, const json_t *value)
{
	char		number[32];

	if (json_is_integer(value))
	{
		snprintf(number, sizeof(number), "%lld", (long long) json_integer_value(value));
		append_clipped(words->all, sizeof(words->all), number);
	}
	else if (json_is_string(value))
		append_clipped(words->all, sizeof(words->all), json_string_value(value));
	append_clipped(words->all, sizeof(words->all), " ");
}

/* Appends what the server said, masked before it is clipped.  False: no memory. */
static bool
append_masked(char *out, size_t room, const char *text, const char *api_key)
{
	char	   *copy = strdup(text);
	bool		ok = copy != NULL && mask_words(copy, strlen(copy), api_key);

	if (ok)
		append_clipped(out, room, copy);
	free(copy);
	return ok;
}

/*
 * Nested {"error": {...}}, {"error": "text"}, or flat {"message": ..., "code": ...}.
 * False: no memory.
 */
static bool
read_words(const VlmResponse *response, Words *words)
{
	json_t	   *root = response->body == NULL ? NULL :
	json_loadb(response->body, response->body_size, JSON_ALLOW_NUL, NULL);
	json_t	   *error = json_object_get(root, "error");
	json_t	   *object = json_is_object(error) ? error : root;
	json_t	   *message = json_is_string(error) ? error : json_object_get(object, "message");
	const char *said = NULL;
	bool		ok;

	memset(words, 0, sizeof(*words));
	if (!json_is_string(message))
		message = json_object_get(root, "detail");
	add_word(words, json_object_get(object, "code"));
	add_word(words, json_object_get(object, "type"));
	add_word(words, message);
	if (json_is_string(message))
		said = json_string_value(message);
	else if (root == NULL)
		said = response->body;
	ok = said == NULL ||
		append_masked(words->message, sizeof(words->message), said, response->api_key);
	json_decref(root);
	for (char *c = words->all; *c != '\0'; c++)
		*c = (char) tolower((unsigned char) *c);
	return ok;
}

static bool
says(const Words *words, const char *const *phrases)
{
	for (; *phrases != NULL; phrases++)
		if (strstr(words->all, *phrases) != NULL)
			return true;
	return false;
}

static const char *const money[] = {
	"arrearage", "freetieronly", "free tier", "overdue", "notpurchased", "not purchased",
	"credit balance", "insufficient balance", "insufficient_balance", "billing",
	"exceeded your current quota", NULL
};
static const char *const filtered[] = {
	"datainspectionfailed", "data_inspection_failed", "content_filter", "content filter",
	"inappropriate content", "content_policy", NULL
};
static const char *const context[] = {
	"context_length", "context length", "exceed_context", "maximum model length",
	"context size", "too many tokens", "longer than the maximum", NULL
};
static const char *const no_vision[] = {
	"mmproj", "image input is not supported", "not a multimodal model",
	"does not support image", "at most 0 image", NULL
};
static const char *const image_words[] = {
	"image", "data-uri", "base64", "picture", "multimodal", NULL
};
static const char *const model_words[] = {
	"model_not_found", "model not found", "does not exist", "no such model", "model", NULL
};

static void
set(VlmOutcome *outcome, VlmAction action, const char *reason, bool counts, bool probe)
{
	outcome->action = action;
	outcome->reason = reason;
	outcome->counts = counts;
	outcome->probe = probe;
}

/* No whole response. */
static void
judge_transport(const VlmResponse *response, VlmOutcome *outcome)
{
	if (response->too_large)
	{
		set(outcome, VLM_RETRY, "reply_too_large", true, false);
		return;
	}
	switch (response->curl_code)
	{
		case CURLE_COULDNT_RESOLVE_HOST:
		case CURLE_COULDNT_RESOLVE_PROXY:
			set(outcome, VLM_PAUSE, "dns", false, true);
			return;
		case CURLE_COULDNT_CONNECT:
			set(outcome, VLM_PAUSE, "refused", false, true);
			return;
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_CONNECT_ERROR:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_SSL_ISSUER_ERROR:
			set(outcome, VLM_PAUSE, "tls", false, true);
			return;
		case CURLE_UNSUPPORTED_PROTOCOL:
		case CURLE_URL_MALFORMAT:
			set(outcome, VLM_PAUSE, "url", false, false);
			return;
		case CURLE_OPERATION_TIMEDOUT:
			if (!response->sent)
				set(outcome, VLM_PAUSE, "connect_timeout", false, true);
			else
				set(outcome, VLM_RETRY, "timeout", true, false);
			return;
		case CURLE_WRITE_ERROR:
		case CURLE_OUT_OF_MEMORY:
			set(outcome, VLM_RETRY, "no_memory", false, false);
			return;
		case CURLE_PARTIAL_FILE:
			set(outcome, VLM_RETRY, "partial_body", true, true);
			return;
		case CURLE_SEND_FAIL_REWIND:
			/* a kept connection that was dead; or died of the whole request */
			set(outcome, VLM_RETRY, "connection_lost", response->sent, true);
			return;
		default:
			set(outcome, VLM_RETRY, "connection_lost", true, true);
	}
}

static void
judge_bad_request(const Words *words, VlmOutcome *outcome)
{
	if (says(words, money))
		set(outcome, VLM_PAUSE, "money", false, true);
	else if (says(words, filtered))
		set(outcome, VLM_FILTERED, "content_filter", true, false);
	else if (says(words, no_vision))
		set(outcome, VLM_PAUSE, "model", false, true);
	else if (says(words, context))
		set(outcome, VLM_IMAGE_FAULT, "context", true, true);
	else if (says(words, image_words))
		set(outcome, VLM_IMAGE_FAULT, "bad_image", true, false);
	else
		set(outcome, VLM_IMAGE_FAULT, "bad_request", true, true);
}

/* A status of the server's own trouble. */
static void
judge_server_error(int status, const Words *words, VlmOutcome *outcome)
{
	if (says(words, no_vision))
		set(outcome, VLM_PAUSE, "model", false, true);
	else if (status == 500)
		set(outcome, VLM_RETRY, "http_500", true, true);
	else if (status == 503)
		set(outcome, VLM_THROTTLE, "http_503", false, false);
	else if (status == 502 || status == 504)
		set(outcome, VLM_RETRY, status == 502 ? "http_502" : "http_504", false, true);
	else
		set(outcome, VLM_RETRY, "http_5xx", true, true);
}

static void
judge_status(int status, const Words *words, VlmOutcome *outcome)
{
	if (status == 429)
		set(outcome, says(words, money) ? VLM_PAUSE : VLM_THROTTLE,
			says(words, money) ? "money" : "throttled", false, true);
	else if (status == 402)
		set(outcome, VLM_PAUSE, "money", false, true);
	else if (status == 401 || status == 403)
		set(outcome, VLM_PAUSE, says(words, money) ? "money" : "key", false, true);
	else if (status == 404)
		set(outcome, VLM_PAUSE, says(words, model_words) ? "model" : "not_found", false, true);
	else if (status == 405)
		set(outcome, VLM_PAUSE, "not_found", false, true);
	else if (status == 408 || status == 409 || status == 425)
		set(outcome, VLM_RETRY, "http_408", true, true);
	else if (status == 413)
		set(outcome, VLM_IMAGE_FAULT, "too_large", true, false);
	else if (status >= 400 && status < 500)
		judge_bad_request(words, outcome);
	else if (status >= 500)
		judge_server_error(status, words, outcome);
	else if (status >= 300 && status < 400)
		set(outcome, VLM_PAUSE, "redirect", false, true);
	else
		set(outcome, VLM_RETRY, "http_status", true, true);
}

/* 200 and an error object: the error decides, if it is one we know. */
static void
judge_error_body(const Words *words, VlmOutcome *outcome)
{
	if (says(words, money))
		set(outcome, VLM_PAUSE, "money", false, true);
	else if (says(words, filtered))
		set(outcome, VLM_FILTERED, "content_filter", true, false);
	else
		set(outcome, VLM_RETRY, "no_completion", true, true);
}

/* A response that is no completion.  False: no memory. */
static bool
judge_words(const VlmResponse *response, const char *message, VlmOutcome *outcome)
{
	Words		words;

	if (!read_words(response, &words))
		return false;
	if (response->status == 200)
		judge_error_body(&words, outcome);
	else
		judge_status(response->status, &words, outcome);
	snprintf(outcome->detail, sizeof(outcome->detail), "HTTP %d: %s%s", response->status,
			 message == NULL ? "" : message, message == NULL ? "" : ": ");
	append_clipped(outcome->detail, sizeof(outcome->detail), words.message);
	return true;
}

/* False: no memory. */
static bool
judge(const VlmResponse *response, VlmOutcome *outcome, VlmEnvelope *envelope)
{
	const char *message = NULL;

	if (response->curl_code != 0)
	{
		judge_transport(response, outcome);
		return append_masked(outcome->detail, sizeof(outcome->detail),
							 response->too_large ? "the reply is over the size limit" :
							 response->error, response->api_key);
	}
	if (response->status != 200 ||
		!vlm_envelope_parse(response->body, response->body_size, envelope, &message))
		return judge_words(response, message, outcome);
	set(outcome, VLM_DONE, NULL, true, false);
	return true;
}

static bool
mask_string(char *text, const char *api_key)
{
	return text == NULL || mask_words(text, strlen(text), api_key);
}

static bool
mask_envelope(VlmEnvelope *envelope, const char *api_key)
{
	return mask_words(envelope->content, envelope->content_size, api_key) &&
		mask_string(envelope->finish_reason, api_key) &&
		mask_string(envelope->model, api_key) &&
		mask_string(envelope->response_id, api_key);
}

void
vlm_outcome(VlmResponse *response, VlmOutcome *outcome, VlmEnvelope *envelope)
{
	const char *api_key = response->api_key;

	memset(outcome, 0, sizeof(*outcome));
	memset(envelope, 0, sizeof(*envelope));

	/*
	 * the body is judged as it came, so that a key that is a word of it does
	 * no harm
	 */
	if (judge(response, outcome, envelope) && mask_envelope(envelope, api_key) &&
		mask_body(response->body, &response->body_size, api_key))
		return;
	/* what could not be masked is not kept */
	vlm_envelope_free(envelope);
	free(response->body);
	response->body = NULL;
	response->body_size = 0;
	set(outcome, VLM_RETRY, "no_memory", false, false);
	strcpy(outcome->detail, "out of memory");
}
