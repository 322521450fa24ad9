/*
 * fuzz_envelope.c
 *	  Any body under any status: an outcome, and the key in none of its words.
 */
#define _GNU_SOURCE

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keyless.h"
#include "vlm/envelope.h"

#define KEY "sk/se\"ret"

/* Where the input goes on, so that keys are found; its second byte says which. */
static const char *const beginnings[] = {
	"", "{\"error\":{\"message\":\"sk\\/se\\\"ret", "{\"model\":\"\\u0073k/se\\\"r", "\"{\\\"k\\\":\\\"sk\\\\/s", "[\"sk%2fse%22re",
	"data: {\"choices\":[{\"delta\":{\"content\":\"sk\\/se\\\"r"
};

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the scan is sure of jansson reads too. */
static void
compare_readers(const char *body, size_t size)
{
	VlmEnvelope scanned;
	VlmEnvelope loaded;
	const char *message;

	if (envelope_scan(body, size, &scanned) != ENVELOPE_READ)
		return;
	if (!envelope_load(body, size, &loaded, &message) || scanned.content_size != loaded.content_size ||
		memcmp(scanned.content, loaded.content, loaded.content_size) != 0 ||
		scanned.prompt_tokens != loaded.prompt_tokens || scanned.refused != loaded.refused ||
		scanned.has_reasoning != loaded.has_reasoning)
		abort();
	vlm_envelope_free(&scanned);
	vlm_envelope_free(&loaded);
}

static bool
is_json(const VlmResponse *response)
{
	json_t	   *root = json_loadb(response->body, response->body_size, JSON_ALLOW_NUL, NULL);

	json_decref(root);
	return root != NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = {200, 400, 401, 403, 404, 413, 429, 500, 503, 302};
	VlmResponse response;
	VlmOutcome	outcome;
	VlmEnvelope envelope;
	const char *begin;
	bool		json;

	if (size < 2)
		return 0;
	begin = beginnings[data[1] % (sizeof(beginnings) / sizeof(beginnings[0]))];
	memset(&response, 0, sizeof(response));
	response.status = statuses[data[0] % 10];
	response.retry_after_ms = -1;
	response.api_key = strdup(KEY);
	response.body_size = strlen(begin) + size - 2;
	response.body = malloc(response.body_size + 1);
	if (response.body == NULL || response.api_key == NULL)
		abort();
	memcpy(response.body, begin, strlen(begin));
	memcpy(response.body + strlen(begin), data + 2, size - 2);
	response.body[response.body_size] = '\0';
	compare_readers(response.body, response.body_size);
	json = is_json(&response);
	vlm_outcome(&response, &outcome, &envelope);
	if (outcome.action != VLM_DONE && outcome.reason == NULL)
		abort();
	keyless_text(outcome.detail, strlen(outcome.detail), KEY, 2);
	keyless_text(envelope.content, envelope.content_size, KEY, 2);
	keyless_text(envelope.model, envelope.model == NULL ? 0 : strlen(envelope.model), KEY, 2);
	keyless_text(response.body, response.body_size, KEY, 3);
	/* JSON stays JSON */
	if (json && !is_json(&response))
		abort();
	vlm_envelope_free(&envelope);
	vlm_response_free(&response);
	return 0;
}
