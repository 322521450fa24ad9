/*
 * test_vlm.c
 *	  Bodies, envelopes, outcomes and quotas: everything of src/vlm but the wire and the pace.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <curl/curl.h>
#include <jansson.h>

#include "vlm/base64.h"
#include "vlm/vlm.h"

/* ---- base64 ---- */

static void
base64_is_rfc_4648(void **state)
{
	static const char *const vectors[][2] = {
		{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}
	};

	(void) state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
	{
		size_t		size = strlen(vectors[i][0]);
		char		out[16] = {0};

		assert_int_equal(base64_length(size), strlen(vectors[i][1]));
		base64_slice((const uint8_t *) vectors[i][0], size, 0, base64_length(size), out);
		assert_string_equal(out, vectors[i][1]);
	}
}

static void
base64_may_be_cut_anywhere(void **state)
{
	uint8_t		data[1001];
	char		whole[1400];
	char		pieces[1400];
	uint32_t	random = 7;

	(void) state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t) (i * 89 + 3);
	for (size_t size = 999; size <= 1001; size++)
	{
		size_t		length = base64_length(size);

		base64_slice(data, size, 0, length, whole);
		for (int round = 0; round < 200; round++)
		{
			for (size_t at = 0; at < length;)
			{
				size_t		n = 1 + (random = random * 1664525 + 1013904223) % 97;

				n = n < length - at ? n : length - at;
				base64_slice(data, size, at, n, pieces + at);
				at += n;
			}
			assert_memory_equal(whole, pieces, length);
		}
	}
}

/* RFC 4648 by the letter, a character at a time. */
static char
plain_character(const uint8_t *data, size_t size, size_t at)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	int			index = 0;

	if (at * 6 >= size * 8)
		return '=';
	for (size_t bit = at * 6; bit < at * 6 + 6; bit++)
		index = index * 2 + (bit < size * 8 ? data[bit / 8] >> (7 - bit % 8) & 1 : 0);
	return alphabet[index];
}

static void
base64_is_right_at_every_length(void **state)
{
	uint32_t	random = 3;

	(void) state;
	for (size_t size = 0; size <= 300; size++)
	{
		/* exactly so large, for the sanitizer to see a read beyond */
		uint8_t    *data = malloc(size + (size == 0));
		char	   *out = malloc(base64_length(size) + (size == 0));

		assert_non_null(data);
		assert_non_null(out);
		for (size_t i = 0; i < size; i++)
			data[i] = (uint8_t) ((random = random * 1664525 + 1013904223) >> 24);
		base64_slice(data, size, 0, base64_length(size), out);
		for (size_t i = 0; i < base64_length(size); i++)
			assert_int_equal(out[i], plain_character(data, size, i));
		free(data);
		free(out);
	}
}

/* ---- bodies ---- */

static const VlmSampling sampling = {
	.max_tokens = 2048,.temperature = 0.7,.top_p = 0.8,.repetition_penalty = 1.05,
	.presence_penalty = NAN,.seed = 12345
};

static json_t *
body_json(const VlmBody *body)
{
	char	   *text = malloc(body->head_size + body->tail_size + 5);
	json_t	   *json;

	assert_non_null(text);
	sprintf(text, "%sQUJD%s", body->head, body->tail);
	json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	free(text);
	return json;
}

static void
body_says_what_was_asked(void **state)
{
	const char *prompt = "描述 \"图片\"。\n第二行\\ </s>";
	VlmBody		body;
	const char *message;
	json_t	   *json;
	json_t	   *content;

	(void) state;
	assert_true(vlm_body_build(&body, "Qwen/模型", prompt, &sampling, NULL, &message));
	json = body_json(&body);
	assert_string_equal(json_string_value(json_object_get(json, "model")), "Qwen/模型");
	assert_true(json_is_false(json_object_get(json, "stream")));
	assert_int_equal(json_integer_value(json_object_get(json, "seed")), 12345);
	assert_int_equal(json_integer_value(json_object_get(json, "max_tokens")), 2048);
	assert_true(json_real_value(json_object_get(json, "temperature")) == 0.7);
	assert_null(json_object_get(json, "presence_penalty"));
	assert_non_null(strstr(body.tail, "\"temperature\":0.7,"));
	content = json_object_get(json_array_get(json_object_get(json, "messages"), 0), "content");
	/* the image stands before the text */
	assert_string_equal(json_string_value(json_object_get(json_object_get(json_array_get(content, 0),
																		  "image_url"), "url")),
						"data:image/jpeg;base64,QUJD");
	assert_string_equal(json_string_value(json_object_get(json_array_get(content, 1), "text")), prompt);
	json_decref(json);
	vlm_body_free(&body);
}

static void
a_body_takes_another_seed(void **state)
{
	VlmSampling unset = sampling;
	VlmBody		without;
	VlmBody		body;
	const char *message;
	json_t	   *expected;
	json_t	   *json;

	(void) state;
	unset.seed = -1;
	assert_true(vlm_body_build(&body, "m", "提示 \"}\" ", &sampling, "{\"top_k\": 20, \"a\": {}}", &message));
	expected = body_json(&body);
	vlm_body_free(&body);
	assert_true(vlm_body_build(&without, "m", "提示 \"}\" ", &unset, "{\"top_k\": 20, \"a\": {}}", &message));
	assert_null(strstr(without.tail, "seed"));
	assert_true(vlm_body_with_seed(&body, &without, sampling.seed));
	json = body_json(&body);
	assert_true(json_equal(json, expected));
	assert_int_equal(body.tail_size, strlen(body.tail));
	assert_int_equal(body.head_size, strlen(body.head));
	json_decref(json);
	json_decref(expected);
	vlm_body_free(&body);
	vlm_body_free(&without);
}

static void
extra_body_is_merged_or_refused(void **state)
{
	VlmBody		body;
	const char *message;
	json_t	   *json;

	(void) state;
	assert_true(vlm_body_build(&body, "m", "p", &sampling,
							   "{\"temperature\": 0, \"enable_thinking\": false}", &message));
	json = body_json(&body);
	assert_true(json_is_false(json_object_get(json, "enable_thinking")));
	assert_int_equal(json_integer_value(json_object_get(json, "temperature")), 0);
	json_decref(json);
	vlm_body_free(&body);
	assert_null(vlm_extra_body_check("{}"));
	assert_non_null(vlm_extra_body_check("[]"));
	assert_non_null(vlm_extra_body_check("{"));
	assert_non_null(vlm_extra_body_check("{\"model\": 1}"));
	assert_non_null(vlm_extra_body_check("{\"messages\": []}"));
	assert_non_null(vlm_extra_body_check("{\"stream\": true}"));
	assert_non_null(vlm_extra_body_check("{\"n\": 2}"));
	assert_non_null(vlm_extra_body_check("{\"seed\": 2}"));
	assert_false(vlm_body_build(&body, "m", "p", &sampling, "{\"n\": 2}", &message));
}

/* ---- envelopes ---- */

static bool
parses(const char *text, VlmEnvelope *envelope)
{
	const char *message;
	bool		ok = vlm_envelope_parse(text, strlen(text), envelope, &message);

	assert_true(ok == (message == NULL));
	return ok;
}

static void
envelopes_are_taken_apart(void **state)
{
	VlmEnvelope e;

	(void) state;
	assert_true(parses("{\"id\":\"x\",\"model\":\"tiny\",\"choices\":[{\"finish_reason\":\"length\","
					   "\"message\":{\"role\":\"assistant\",\"content\":\"好\\u0000了\"}}],"
					   "\"usage\":{\"prompt_tokens\":59,\"completion_tokens\":64}}", &e));
	assert_int_equal(e.content_size, 7);
	assert_memory_equal(e.content, "好\0了", 7);
	assert_string_equal(e.finish_reason, "length");
	assert_string_equal(e.model, "tiny");
	assert_int_equal(e.prompt_tokens, 59);
	vlm_envelope_free(&e);
	assert_true(parses("{\"choices\":[{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
					   "{\"type\":\"text\",\"text\":\"b\"}]}}]}", &e));
	assert_string_equal(e.content, "ab");
	assert_int_equal(e.prompt_tokens, -1);
	vlm_envelope_free(&e);
	assert_true(parses("{\"choices\":[{\"message\":{\"content\":null,\"reasoning_content\":\"hm\"}}]}", &e));
	assert_true(e.has_reasoning);
	assert_int_equal(e.content_size, 0);
	vlm_envelope_free(&e);
	assert_true(parses("{\"choices\":[{\"message\":{\"content\":null,\"refusal\":\"no\"}}]}", &e));
	assert_true(e.refused);
	vlm_envelope_free(&e);
	assert_false(parses("{\"choices\":[]}", &e));
	assert_false(parses("{}", &e));
	assert_false(parses("{\"choices\":[{\"message\":{\"content\":null}}]}", &e));
	assert_false(parses("{\"error\":{\"message\":\"x\"},\"choices\":[{\"message\":{\"content\":\"a\"}}]}", &e));
	assert_false(parses("<html>", &e));
	assert_false(parses("", &e));
	/* the parser says what such a text is worth: it was paid for */
	assert_true(parses("{\"choices\":[{\"message\":{\"content\":\"\xff\"}}]}", &e));
	assert_string_equal(e.content, "\xef\xbf\xbd");
	vlm_envelope_free(&e);
}

/* ---- outcomes ---- */

typedef struct Case
{
	int			status;
	const char *body;
	VlmAction	action;
	const char *reason;
	bool		counts;
} Case;

static const Case cases[] = {
	{400, "{\"error\":{\"code\":400,\"message\":\"Failed to load image or audio file\",\"type\":\"invalid_request_error\"}}",
	VLM_IMAGE_FAULT, "bad_image", true},
	{400, "{\"object\":\"error\",\"message\":\"The image length and width do not meet the model restrictions\",\"code\":400}",
	VLM_IMAGE_FAULT, "bad_image", true},
	{400, "{\"error\":{\"message\":\"request (6045 tokens) exceeds the available context size\",\"type\":\"exceed_context_size_error\"}}",
	VLM_IMAGE_FAULT, "context", true},
	{400, "{\"object\":\"error\",\"message\":\"This model's maximum context length is 4096 tokens\"}",
	VLM_IMAGE_FAULT, "context", true},
	{400, "{\"error\":{\"code\":\"data_inspection_failed\",\"message\":\"Input data may contain inappropriate content.\"}}",
	VLM_FILTERED, "content_filter", true},
	{400, "{\"error\":{\"code\":\"Arrearage\",\"message\":\"Access denied\"}}", VLM_PAUSE, "money", false},
	{401, "{\"error\":{\"message\":\"Invalid API Key\"}}", VLM_PAUSE, "key", false},
	{403, "{\"error\":{\"code\":\"AllocationQuota.FreeTierOnly\",\"message\":\"x\"}}", VLM_PAUSE, "money", false},
	{404, "{\"error\":{\"code\":\"model_not_found\",\"message\":\"The model does not exist\"}}", VLM_PAUSE, "model", false},
	{404, "{\"error\":{\"message\":\"File Not Found\",\"type\":\"not_found_error\"}}", VLM_PAUSE, "not_found", false},
	{400, "{\"error\":{\"message\":\"Unrecognized request argument: top_kk\"}}", VLM_IMAGE_FAULT, "bad_request", true},
	{413, "", VLM_IMAGE_FAULT, "too_large", true},
	{429, "{\"error\":{\"code\":\"Throttling.RateQuota\",\"message\":\"Requests rate limit exceeded\"}}",
	VLM_THROTTLE, "throttled", false},
	{429, "{\"error\":{\"code\":\"PrepaidBillOverdue\",\"message\":\"x\"}}", VLM_PAUSE, "money", false},
	{500, "{\"error\":{\"message\":\"boom\"}}", VLM_RETRY, "http_500", true},
	{500, "{\"error\":{\"message\":\"image input is not supported - hint: you may need to provide the mmproj\"}}",
	VLM_PAUSE, "model", false},
	{502, "<html>Bad Gateway</html>", VLM_RETRY, "http_502", false},
	{503, "{\"error\":{\"message\":\"Loading model\",\"type\":\"unavailable_error\"}}", VLM_THROTTLE, "http_503", false},
	{302, "", VLM_PAUSE, "redirect", false},
	{200, "<html>", VLM_RETRY, "no_completion", true},
	{200, "{\"error\":{\"code\":\"Arrearage\"}}", VLM_PAUSE, "money", false},
	{200, "{\"choices\":[{\"message\":{\"content\":\"x\"}}]}", VLM_DONE, NULL, true}
};

/* Of failures that may be the picture's: those that, many in a row, are the server's. */
static bool
may_be_an_outage(const VlmOutcome *outcome)
{
	static const char *const reasons[] = {
		"http_500", "http_502", "no_completion", "connection_lost", "partial_body", "context",
		"bad_request"
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (strcmp(outcome->reason, reasons[i]) == 0)
			return true;
	return false;
}

static void
assert_outage(const VlmOutcome *outcome)
{
	if (outcome->action == VLM_RETRY || outcome->action == VLM_IMAGE_FAULT)
		assert_int_equal(outcome->probe, may_be_an_outage(outcome));
}

/* As the scan reads them, and, with 19 digits, jansson. */
static void
counts_no_completion_can_have_are_unknown(void **state)
{
	static const char *const counts[] = {"1000000001", "9223372036854775000"};

	(void) state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
	{
		VlmEnvelope envelope;
		const char *message;
		char		body[256];

		snprintf(body, sizeof(body),
				 "{\"choices\":[{\"message\":{\"content\":\"a\"}}],"
				 "\"usage\":{\"prompt_tokens\":%s,\"completion_tokens\":1000000000}}", counts[i]);
		assert_true(vlm_envelope_parse(body, strlen(body), &envelope, &message));
		assert_int_equal(envelope.prompt_tokens, -1);
		assert_int_equal(envelope.completion_tokens, 1000000000);
		vlm_envelope_free(&envelope);
	}
}

/* However they are written; what no answer can have is no count. */
static void
counts_are_read_in_all_spellings(void **state)
{
	static const struct
	{
		const char *usage;
		int			prompt;
		int			completion;
	}			usages[] = {
		{"{\"prompt_tokens\":\"100\",\"completion_tokens\":\" 200 \"}", 100, 200},
		{"{\"prompt_tokens\":100.0,\"completion_tokens\":\"200.0\"}", 100, 200},
		{"{\"prompt_tokens\":100.5,\"completion_tokens\":2e2}", -1, 200},
		{"{\"input_tokens\":100,\"output_tokens\":200}", 100, 200},
		{"{\"promptTokens\":100,\"completionTokens\":200}", 100, 200},
		{"{\"inputTokens\":100,\"outputTokens\":\"200\"}", 100, 200},
		{"{\"prompt_tokens\":0,\"completion_tokens\":0,\"input_tokens\":100,\"output_tokens\":200}", 100, 200},
		{"{\"prompt_tokens\":0,\"completion_tokens\":200,\"total_tokens\":300}", 100, 200},
		{"{\"prompt_tokens\":100,\"total_tokens\":300}", 100, 200},
		{"{\"prompt_tokens\":0,\"completion_tokens\":0,\"total_tokens\":0}", -1, -1},
		{"{\"prompt_tokens\":-1,\"completion_tokens\":null}", -1, -1},
		{"{\"prompt_tokens\":\"many\",\"completion_tokens\":\"\"}", -1, -1},
		{"{\"prompt_tokens\":\"0x10\",\"completion_tokens\":\"1e3\"}", -1, -1},
		{"{\"prompt_tokens\":true,\"completion_tokens\":[200]}", -1, -1},
		{"{\"prompt_tokens\":99999999999999999999,\"completion_tokens\":2}", -1, 2},
		{"{\"prompt_tokens\":1e999,\"completion_tokens\":2}", -1, 2},
		{"[]", -1, -1}, {"\"100\"", -1, -1}, {"null", -1, -1}
	};

	(void) state;
	for (size_t i = 0; i < sizeof(usages) / sizeof(usages[0]); i++)
	{
		VlmEnvelope envelope;
		const char *message;
		char		body[256];

		snprintf(body, sizeof(body), "{\"choices\":[{\"message\":{\"content\":\"a\"}}],\"usage\":%s}", usages[i].usage);
		assert_true(vlm_envelope_parse(body, strlen(body), &envelope, &message));
		if (envelope.prompt_tokens != usages[i].prompt || envelope.completion_tokens != usages[i].completion)
			fail_msg("%s: %d and %d", usages[i].usage, (int) envelope.prompt_tokens, (int) envelope.completion_tokens);
		vlm_envelope_free(&envelope);
	}
}

/* A stream is kept as one completion, in which a key is found that two events share. */
static void
a_stream_is_kept_as_a_completion(void **state)
{
	VlmResponse response = {.status = 200,.retry_after_ms = -1};
	VlmOutcome	outcome;
	VlmEnvelope envelope;
	json_t	   *root;

	(void) state;
	response.api_key = strdup("sk-abc123");
	response.body = strdup(": x\n\ndata: {\"id\":\"i\",\"choices\":[{\"delta\":{\"reasoning\":\"sk-a\"}}]}\n\n"
						   "data: {\"choices\":[{\"delta\":{\"reasoning\":\"bc123\",\"content\":\"a sk-ab\"}}]}\n\n"
						   "data: {\"choices\":[{\"delta\":{\"content\":\"c123 b\"},\"finish_reason\":\"stop\"}]}\n\n"
						   "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":8}}\n\ndata: [DONE]\n\n");
	response.body_size = strlen(response.body);
	vlm_outcome(&response, &outcome, &envelope);
	assert_int_equal(outcome.action, VLM_DONE);
	assert_string_equal(envelope.content, "a ********* b");
	assert_int_equal(envelope.prompt_tokens, 7);
	assert_int_equal(envelope.completion_tokens, 8);
	assert_true(envelope.has_reasoning);
	assert_null(strstr(response.body, "sk-a"));
	assert_null(strstr(response.body, "c123"));
	root = json_loads(response.body, 0, NULL);
	assert_non_null(root);
	json_decref(root);
	vlm_envelope_free(&envelope);
	vlm_response_free(&response);
}

/* What is hostile takes no more time for each byte than what is usual. */
static void
odd_bodies_take_linear_time(void **state)
{
	static const char *const repeated[] = {
		"\xff", "\\ud800", "<", "< ", "<style>", "data: {}\n", "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n",
		": x\n", "\n", "[", "{\"error\":", "model ", "{\"a\":1e9,", "\"", "1", "\xef\xbb\xbf", "://", "n't ", "</think> "
	};
	static const int sizes[] = {1 << 16, 1 << 20};

	(void) state;
	for (size_t i = 0; i < sizeof(repeated) / sizeof(repeated[0]) * 2; i++)
	{
		const char *one = repeated[i / 2];
		double		seconds[2];

		for (int s = 0; s < 2; s++)
		{
			VlmResponse response = {.status = i % 2 == 0 ? 200 : 400,.retry_after_ms = -1};
			VlmOutcome	outcome;
			VlmEnvelope envelope;
			size_t		n = strlen(one);
			clock_t		begun;

			response.body_size = (size_t) sizes[s] / n * n;
			response.body = malloc(response.body_size + 1);
			for (size_t at = 0; at < response.body_size; at += n)
				memcpy(response.body + at, one, n);
			response.body[response.body_size] = '\0';
			begun = clock();
			vlm_outcome(&response, &outcome, &envelope);
			seconds[s] = (double) (clock() - begun) / CLOCKS_PER_SEC;
			vlm_envelope_free(&envelope);
			vlm_response_free(&response);
		}
		if (seconds[1] > 0.2 && seconds[1] > seconds[0] * 64)
			fail_msg("%s: %f s, and %f s for 16 times as much", one, seconds[0], seconds[1]);
	}
}

static void
outcomes_are_classed(void **state)
{
	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		VlmResponse response = {.status = cases[i].status,.retry_after_ms = -1};
		VlmOutcome	outcome;
		VlmEnvelope envelope;

		response.body = strdup(cases[i].body);
		response.body_size = strlen(cases[i].body);
		vlm_outcome(&response, &outcome, &envelope);
		assert_int_equal(outcome.action, cases[i].action);
		if (cases[i].reason != NULL)
			assert_string_equal(outcome.reason, cases[i].reason);
		assert_int_equal(outcome.counts, cases[i].counts);
		assert_outage(&outcome);
		vlm_envelope_free(&envelope);
		vlm_response_free(&response);
	}
}

static void
failures_of_the_wire_are_classed(void **state)
{
	static const struct
	{
		int			code;
		bool		sent;
		VlmAction	action;
		const char *reason;
		bool		counts;
	}			wire[] = {
		{CURLE_COULDNT_CONNECT, false, VLM_PAUSE, "refused", false},
		{CURLE_COULDNT_CONNECT, true, VLM_RETRY, "connection_lost", true},
		{CURLE_COULDNT_RESOLVE_HOST, false, VLM_PAUSE, "dns", false},
		{CURLE_PEER_FAILED_VERIFICATION, false, VLM_PAUSE, "tls", false},
		{CURLE_OPERATION_TIMEDOUT, false, VLM_PAUSE, "connect_timeout", false},
		{CURLE_OPERATION_TIMEDOUT, true, VLM_RETRY, "timeout", true},
		{CURLE_RECV_ERROR, true, VLM_RETRY, "connection_lost", true},
		{CURLE_SEND_FAIL_REWIND, false, VLM_RETRY, "connection_lost", false},
		{CURLE_SEND_FAIL_REWIND, true, VLM_RETRY, "connection_lost", true},
		{CURLE_PARTIAL_FILE, true, VLM_RETRY, "partial_body", true},
		{CURLE_OUT_OF_MEMORY, false, VLM_RETRY, "no_memory", false}
	};

	(void) state;
	for (size_t i = 0; i < sizeof(wire) / sizeof(wire[0]); i++)
	{
		VlmResponse response = {.curl_code = wire[i].code,.sent = wire[i].sent};
		VlmOutcome	outcome;
		VlmEnvelope envelope;

		vlm_outcome(&response, &outcome, &envelope);
		assert_int_equal(outcome.action, wire[i].action);
		assert_string_equal(outcome.reason, wire[i].reason);
		assert_int_equal(outcome.counts, wire[i].counts);
		assert_outage(&outcome);
	}
}

static void
key_is_masked_and_words_are_clipped(void **state)
{
	VlmResponse response = {.status = 401};
	VlmOutcome	outcome;
	VlmEnvelope envelope;
	json_t	   *json;
	char		body[2000] = "{\"error\":{\"message\":\"Incorrect key sk-abc123 provided ";

	(void) state;
	for (int i = 0; i < 300; i++)
		strcat(body, "密");
	strcat(body, "\"}}");
	response.api_key = strdup("sk-abc123");
	response.body = strdup(body);
	response.body_size = strlen(body);
	vlm_outcome(&response, &outcome, &envelope);
	assert_null(strstr(outcome.detail, "sk-abc123"));
	assert_non_null(strstr(outcome.detail, "*********"));
	/* whole characters only */
	json = json_string(outcome.detail);
	assert_non_null(json);
	json_decref(json);
	vlm_response_free(&response);
}

static void
no_part_of_a_key_is_left_where_words_are_clipped(void **state)
{
	(void) state;
	for (int before = 180; before < 340; before++)
	{
		VlmResponse response = {.status = 401};
		VlmOutcome	outcome;
		VlmEnvelope envelope;
		char		body[600];

		response.body_size = (size_t) snprintf(body, sizeof(body), "{\"message\":\"%0*d sk-abc123\"}", before, 0);
		response.api_key = strdup("sk-abc123");
		response.body = strdup(body);
		vlm_outcome(&response, &outcome, &envelope);
		assert_null(strstr(outcome.detail, "sk-a"));
		vlm_response_free(&response);
	}
}

static void
key_is_masked_in_an_answer_however_spelt(void **state)
{
	VlmResponse response = {.status = 200};
	VlmOutcome	outcome;
	VlmEnvelope envelope;

	(void) state;
	response.body = strdup("{\"choices\":[{\"message\":{\"content\":\"sk-abc123 and sk\\u002dabc123\"},"
						   "\"finish_reason\":\"stop\"}]}");
	response.body_size = strlen(response.body);
	response.api_key = strdup("sk-abc123");
	vlm_outcome(&response, &outcome, &envelope);
	assert_int_equal(outcome.action, VLM_DONE);
	assert_string_equal(envelope.content, "********* and *********");
	assert_null(strstr(response.body, "sk-abc123"));
	vlm_envelope_free(&envelope);
	vlm_response_free(&response);
}

/* ---- quota ---- */

static void
record(VlmQuota *quota, int64_t requests)
{
	vlm_quota_recording(quota, true);
	vlm_quota_settled(quota, requests, (double) requests);
	vlm_quota_recording(quota, false);
}

/* A server whose first requests are recorded and read; the others are under way. */
static void
begin_quota(VlmQuota *quota, int recorded, int under_way)
{
	vlm_quota_init(quota);
	vlm_quota_limits(quota, 100, 100, 1e6, 0);
	for (int i = 0; i < recorded + under_way; i++)
	{
		vlm_quota_sent(quota);
		assert_true(vlm_quota_ended(quota, (VlmTokens) {1, 0}) == 1);
	}
	record(quota, recorded);
	assert_true(vlm_quota_read(quota, vlm_quota_begin_reading(quota), recorded, recorded));
}

static void
what_is_under_way_counts(void **state)
{
	VlmQuota	quota;

	(void) state;
	vlm_quota_init(&quota);
	assert_true(vlm_quota_left(&quota) > 1000000000);
	assert_false(vlm_quota_over_budget(&quota));
	begin_quota(&quota, 40, 20);
	assert_int_equal(vlm_quota_left(&quota), 40);
	vlm_quota_sent(&quota);
	assert_int_equal(vlm_quota_left(&quota), 39);
	vlm_quota_not_sent(&quota);
	vlm_quota_limits(&quota, 60, 60.5, 1e6, 0);
	assert_int_equal(vlm_quota_left(&quota), 0);
	assert_false(vlm_quota_over_budget(&quota));
	vlm_quota_limits(&quota, 60, 60, 1e6, 0);
	assert_true(vlm_quota_over_budget(&quota));
	/* recorded by another process, it is the same requests */
	record(&quota, 20);
	assert_true(vlm_quota_read(&quota, vlm_quota_begin_reading(&quota), 60, 60));
	assert_int_equal(vlm_quota_left(&quota), 0);
	assert_int_equal(quota.unsettled, 0);
}

static void
a_person_changes_what_is_recorded(void **state)
{
	VlmQuota	quota;

	(void) state;
	begin_quota(&quota, 40, 20);
	assert_true(vlm_quota_read(&quota, vlm_quota_begin_reading(&quota), 0, 0));
	assert_int_equal(vlm_quota_left(&quota), 80);
	assert_true(quota.cost == 20);
	assert_true(vlm_quota_read(&quota, vlm_quota_begin_reading(&quota), 1000, 1000));
	assert_int_equal(vlm_quota_left(&quota), 100 - 1020);
	assert_true(quota.cost == 1020);
}

/* One process reads, others record and read before it has told what it read. */
static void
an_old_reading_is_nobodys_word(void **state)
{
	VlmQuota	quota;
	int64_t		old;

	(void) state;
	begin_quota(&quota, 40, 20);
	old = vlm_quota_begin_reading(&quota);
	record(&quota, 10);
	assert_true(vlm_quota_read(&quota, vlm_quota_begin_reading(&quota), 50, 50));
	assert_false(vlm_quota_read(&quota, old, 40, 40));
	assert_int_equal(vlm_quota_left(&quota), 40);
	assert_true(quota.cost == 60);

	/* nor one that began before another that a person's word came with */
	old = vlm_quota_begin_reading(&quota);
	assert_true(vlm_quota_read(&quota, vlm_quota_begin_reading(&quota), 0, 0));
	assert_false(vlm_quota_read(&quota, old, 50, 50));
	assert_int_equal(vlm_quota_left(&quota), 90);
}

/* Between its commit and its end a settle's requests are recorded and unsettled. */
static void
a_reading_beside_a_settle_is_nobodys_word(void **state)
{
	VlmQuota	quota;
	int64_t		reading;

	(void) state;
	begin_quota(&quota, 40, 20);
	vlm_quota_recording(&quota, true);
	reading = vlm_quota_begin_reading(&quota);
	assert_false(vlm_quota_read(&quota, reading, 10, 10));
	vlm_quota_settled(&quota, 10, 10);
	vlm_quota_recording(&quota, false);
	assert_false(vlm_quota_read(&quota, reading, 10, 10));
	assert_int_equal(vlm_quota_left(&quota), 40);

	/* one that goes on after another has ended */
	vlm_quota_recording(&quota, true);
	vlm_quota_recording(&quota, true);
	vlm_quota_recording(&quota, false);
	assert_false(vlm_quota_read(&quota, vlm_quota_begin_reading(&quota), 10, 10));
	vlm_quota_recording(&quota, false);
	assert_true(vlm_quota_read(&quota, vlm_quota_begin_reading(&quota), 10, 10));
	assert_int_equal(vlm_quota_left(&quota), 80);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_is_rfc_4648),
		cmocka_unit_test(base64_may_be_cut_anywhere),
		cmocka_unit_test(base64_is_right_at_every_length),
		cmocka_unit_test(body_says_what_was_asked),
		cmocka_unit_test(a_body_takes_another_seed),
		cmocka_unit_test(extra_body_is_merged_or_refused),
		cmocka_unit_test(envelopes_are_taken_apart),
		cmocka_unit_test(counts_no_completion_can_have_are_unknown),
		cmocka_unit_test(counts_are_read_in_all_spellings),
		cmocka_unit_test(a_stream_is_kept_as_a_completion),
		cmocka_unit_test(odd_bodies_take_linear_time),
		cmocka_unit_test(outcomes_are_classed),
		cmocka_unit_test(failures_of_the_wire_are_classed),
		cmocka_unit_test(key_is_masked_and_words_are_clipped),
		cmocka_unit_test(no_part_of_a_key_is_left_where_words_are_clipped),
		cmocka_unit_test(key_is_masked_in_an_answer_however_spelt),
		cmocka_unit_test(what_is_under_way_counts),
		cmocka_unit_test(a_person_changes_what_is_recorded),
		cmocka_unit_test(an_old_reading_is_nobodys_word),
		cmocka_unit_test(a_reading_beside_a_settle_is_nobodys_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
