/*
 * fuzz_body.c
 *	  Any extra_body and prompt: refused, or a JSON body that still asks what it is
 *	  to ask, with the image where it belongs.
 */
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vlm/vlm.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *
text_of(const uint8_t *data, size_t size)
{
	char	   *text = malloc(size + 1);

	if (text == NULL)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

static void
check(const VlmBody *body, const char *prompt)
{
	char	   *whole = malloc(body->head_size + body->tail_size + 4);
	json_t	   *json;
	const char *model;
	const char *url;
	const char *text;
	json_int_t	seed;

	if (whole == NULL || body->head_size != strlen(body->head) || body->tail_size != strlen(body->tail))
		abort();
	memcpy(whole, body->head, body->head_size);
	memcpy(whole + body->head_size, "QUJD", 4);
	memcpy(whole + body->head_size + 4, body->tail, body->tail_size);
	json = json_loadb(whole, body->head_size + 4 + body->tail_size, JSON_REJECT_DUPLICATES, NULL);
	if (json == NULL ||
		json_unpack(json, "{s:s, s:[{s:[{s:{s:s}}, {s:s}]}], s:I}", "model", &model, "messages", "content",
					"image_url", "url", &url, "text", &text, "seed", &seed) != 0)
		abort();
	if (strcmp(model, "m") != 0 || strcmp(url, "data:image/jpeg;base64,QUJD") != 0 || strcmp(text, prompt) != 0 ||
		seed != 7 || !json_is_false(json_object_get(json, "stream")) || json_object_get(json, "n") != NULL)
		abort();
	json_decref(json);
	free(whole);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const VlmSampling sampling = {
		.max_tokens = 100,.temperature = 0.7,.top_p = NAN,.repetition_penalty = NAN,.presence_penalty = NAN,.seed = 7
	};
	size_t		extra_size;
	char	   *extra;
	char	   *prompt;
	VlmBody		body;
	const char *message = NULL;

	if (size < 1)
		return 0;
	extra_size = data[0] < size - 1 ? data[0] : size - 1;
	extra = text_of(data + 1, extra_size);
	prompt = text_of(data + 1 + extra_size, size - 1 - extra_size);
	if (vlm_body_build(&body, "m", prompt, &sampling, extra, &message))
	{
		if (vlm_extra_body_check(extra) != NULL)
			abort();
		check(&body, prompt);
		vlm_body_free(&body);
	}
	else if (message == NULL)
		abort();
	free(extra);
	free(prompt);
	return 0;
}
