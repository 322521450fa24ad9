/*
 * fuzz_envelope.c
 *	  Any body under any status: an outcome, and the key in none of its words.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vlm/vlm.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
	response.body_size = size - 1;
	response.body = malloc(size);
	if (response.body == NULL)
		return 0;
	memcpy(response.body, data + 1, size - 1);
	response.body[size - 1] = '\0';
	vlm_outcome(&response, "sk-secret", &outcome, &envelope);
	if (strstr(outcome.detail, "sk-secret") != NULL ||
		(outcome.action != VLM_DONE && outcome.reason == NULL))
		abort();
	vlm_envelope_free(&envelope);
	vlm_response_free(&response);
	return 0;
}
