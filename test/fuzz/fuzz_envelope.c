/*
 * fuzz_envelope.c
 *	  Any body under any status: an outcome, and the key in none of its words.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vlm/envelope.h"

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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = {200, 400, 401, 403, 404, 413, 429, 500, 503, 302};
	VlmResponse response;
	VlmOutcome	outcome;
	VlmEnvelope envelope;

	if (size < 1)
		return 0;
	memset(&response, 0, sizeof(response));
	response.status = statuses[data[0] % 10];
	response.retry_after_ms = -1;
	response.api_key = strdup("sk-secret");
	response.body_size = size - 1;
	response.body = malloc(size);
	if (response.body == NULL || response.api_key == NULL)
		abort();
	memcpy(response.body, data + 1, size - 1);
	response.body[size - 1] = '\0';
	compare_readers(response.body, response.body_size);
	vlm_outcome(&response, &outcome, &envelope);
	if (strstr(outcome.detail, "sk-secret") != NULL ||
		(outcome.action != VLM_DONE && outcome.reason == NULL))
		abort();
	vlm_envelope_free(&envelope);
	vlm_response_free(&response);
	return 0;
}
