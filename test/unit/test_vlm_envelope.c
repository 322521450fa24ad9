/*
 * test_vlm_envelope.c
 *	  The scan and jansson read the same out of the same bodies, whole or damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vlm/envelope.h"

#define DAMAGED 300000
#define ROOM 2048

/* As vLLM, llama.cpp, SGLang and DashScope write them, and Python's json.dumps. */
static const char *const usual[] = {
	"{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1764000000,\"model\":\"Qwen/Qwen2.5-VL-32B-Instruct\","
	"\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"用户：图中有什么？\\n助手：一只“猫”。\","
	"\"refusal\":null,\"annotations\":null,\"audio\":null,\"function_call\":null,\"tool_calls\":[],\"reasoning_content\":null},"
	"\"logprobs\":null,\"finish_reason\":\"stop\",\"stop_reason\":null,\"token_ids\":null}],\"service_tier\":null,"
	"\"usage\":{\"prompt_tokens\":1359,\"total_tokens\":1700,\"completion_tokens\":341,\"prompt_tokens_details\":null},"
	"\"prompt_logprobs\":null,\"kv_transfer_params\":null}",
	"{\"choices\":[{\"finish_reason\":\"length\",\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"\"}}],"
	"\"created\":1764000000,\"model\":\"tiny\",\"usage\":{\"completion_tokens\":0,\"prompt_tokens\":59,\"total_tokens\":59},"
	"\"id\":\"x\",\"timings\":{\"prompt_n\":1,\"prompt_ms\":92.413,\"predicted_per_second\":-10.25},\"a\":{},\"b\":[[],[{}],1]}",
	"{\n  \"choices\": [ { \"message\": { \"content\": \"\\u56fe\\u4e2d\\t\\\"\\\\\\/\\b\\f\\r\\u0000\\u00e9\\u0041\","
	" \"role\": \"assistant\", \"reasoning_content\": \"hm\" }, \"finish_reason\": null, \"index\": 0 }, {\"index\":1} ],\n"
	"  \"object\": \"chat.completion\", \"usage\": null, \"model\": null }\n",
	"{\"error\":null,\"choices\":[{\"message\":{\"content\":\"a\",\"refusal\":\"\",\"reasoning\":\"\"}}]}",
	"{\"choices\":[{\"error\":null,\"message\":{\"content\":\"The lake lies still in the early light, a row of white boats is moored along the bank, and an old "
	"man in a straw hat sits on the stone steps with a red bucket beside him.\",\"thinking\":null},\"finish_reason\":\"stop\"}],"
	"\"input_sensitive\":null,\"base_resp\":null,\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":34}}",
};

/* What the scan leaves to jansson. */
static const char *const unusual[] = {
	"", "{}", "[]", "<html>", "{\"choices\":[]}", "{\"choices\":[{\"message\":{}}]}",
	"{\"choices\":[{\"message\":{\"content\":null,\"reasoning\":\"x\"}}]}",
	"{\"choices\":[{\"message\":{\"content\":[{\"text\":\"a\"}]}}]}",
	"{\"choices\":[{\"message\":{\"content\":\"a\",\"refusal\":\"no\"}}]}",
	"{\"choices\":[{\"message\":{\"content\":\"a\",\"content\":\"b\"}}]}",
	"{\"choices\":[{\"message\":{\"c\\u006fntent\":\"b\",\"content\":\"a\"}}]}",
	"{\"choices\":[{\"message\":{\"content\":\"\\ud83d\\ude00\"}}]}",
	"{\"choices\":[{\"message\":{\"content\":\"\\ud83d\"}}]}",
	"{\"choices\":[{\"message\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":1.5}}",
	"{\"choices\":[{\"message\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":-1}}",
	"{\"choices\":[{\"message\":{\"content\":\"a\"}}],\"x\":12345678901234567890}",
	"{\"choices\":[{\"message\":{\"content\":\"a\"}}],\"x\":1e999}",
	"{\"choices\":[{\"message\":{\"content\":\"a\"}}],\"x\":01}",
	"{\"choices\":[{\"message\":{\"content\":\"a\"}}]} x",
	"{\"choices\":[{\"message\":{\"content\":\"a\"}}],}",
	"{\"choices\":[{\"message\":{\"content\":\"\xed\xa0\x80\"}}]}",
	"{\"choices\":[{\"message\":{\"content\":\"\xc0\xaf\"}}]}",
	"{\"choices\":[{\"message\":{\"content\":\"a\"}}],\"error\":{}}",
	"{\"choices\":[{\"message\":{\"content\":\"a\"},\"error\":{}}]}",
	"{\"choices\":[{\"message\":{\"content\":\"a\"},\"usage\":{\"prompt_tokens\":1}}]}",
	"{\"choices\":[{\"message\":{\"content\":\"a\",\"thinking\":\"b\"}}]}",
	"{\"choices\":[{\"message\":{\"content\":\"a\"}}],\"base_resp\":{\"status_code\":0}}",
	"{\"choices\":[{\"message\":{\"content\":\"a\"}}],\"input_sensitive\":false}",
	"{\"choices\":[{\"message\":{\"content\":\"a\"}}],\"usage\":{\"input_tokens\":1,\"output_tokens\":2}}",
	"{\"choices\":[{\"message\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":2}}",
	"{\"choices\":[{\"message\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":\"1\",\"completion_tokens\":\"2\"}}",
	"\xef\xbb\xbf{\"choices\":[{\"message\":{\"content\":\"a\"}}]}",
	": x\n{\"choices\":[{\"message\":{\"content\":\"a\"}}]}",
	"[{\"choices\":[{\"message\":{\"content\":\"a\"}}]}]",
	"{\"data\":{\"choices\":[{\"message\":{\"content\":\"a\"}}]}}",
	"{\"choices\":[{\"message\":{\"content\":\"a\"}}],\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
};

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Whether the scan was sure; then jansson reads the same. */
static bool
agree(const char *body, size_t size)
{
	char	   *exact = malloc(size + (size == 0));
	VlmEnvelope scanned;
	VlmEnvelope loaded;
	const char *message;
	bool		sure;

	/* a block of just this size, for the sanitizer */
	assert_non_null(exact);
	memcpy(exact, body, size);
	sure = envelope_scan(exact, size, &scanned) == ENVELOPE_READ;
	if (sure)
	{
		if (!envelope_load(exact, size, &loaded, &message))
			fail_msg("only the scan takes %.*s (%s)", (int) size, body, message);
		assert_int_equal(scanned.content_size, loaded.content_size);
		assert_memory_equal(scanned.content, loaded.content, loaded.content_size + 1);
		assert_true(same_text(scanned.finish_reason, loaded.finish_reason));
		assert_true(same_text(scanned.model, loaded.model));
		assert_int_equal(scanned.prompt_tokens, loaded.prompt_tokens);
		assert_int_equal(scanned.completion_tokens, loaded.completion_tokens);
		assert_int_equal(scanned.has_reasoning, loaded.has_reasoning);
		assert_int_equal(scanned.refused, loaded.refused);
		vlm_envelope_free(&scanned);
		vlm_envelope_free(&loaded);
	}
	free(exact);
	return sure;
}

static void
usual_bodies_are_scanned(void **state)
{
	(void) state;
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		assert_true(agree(usual[i], strlen(usual[i])));
}

static void
unusual_bodies_are_left_to_jansson(void **state)
{
	(void) state;
	for (size_t i = 0; i < sizeof(unusual) / sizeof(unusual[0]); i++)
		if (agree(unusual[i], strlen(unusual[i])))
			fail_msg("the scan was sure of %s", unusual[i]);
}

static uint64_t
next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A few bytes changed, dropped or put in, out of those that mean something. */
static size_t
damage(char *body, size_t size, uint64_t *random)
{
	static const char bytes[] = "{}[]\",:\\u0e9-.ntf \n\x01\xe5\x9b\xbe\xed\xa0\xf0\xff";
	int			times = 1 + (int) (next(random) % 3);

	while (times-- > 0 && size > 1 && size < ROOM - 64)
	{
		size_t		at = next(random) % size;
		size_t		n = 1 + next(random) % 12;

		switch (next(random) % 4)
		{
			case 0:
				body[at] = bytes[next(random) % (sizeof(bytes) - 1)];
				break;
			case 1:
				n = n < size - at ? n : size - at;
				memmove(body + at, body + at + n, size - at - n);
				size -= n;
				break;
			case 2:
				memmove(body + at + 1, body + at, size - at);
				body[at] = bytes[next(random) % (sizeof(bytes) - 1)];
				size++;
				break;
			default:
				/* a piece of it once more, elsewhere */
				n = n * 4 < size - at ? n * 4 : size - at;
				memmove(body + at + n, body + at, size - at);
				size += n;
		}
	}
	return size;
}

static void
damaged_bodies_are_read_alike(void **state)
{
	uint64_t	random = 20260101;
	size_t		sure = 0;
	char		body[ROOM];

	(void) state;
	for (int i = 0; i < DAMAGED; i++)
	{
		const char *from = usual[next(&random) % (sizeof(usual) / sizeof(usual[0]))];
		size_t		size = strlen(from);

		memcpy(body, from, size);
		size = damage(body, size, &random);
		sure += agree(body, size);
	}
	/* damage inside strings and numbers leaves many whole */
	assert_true(sure > DAMAGED / 10 && sure < DAMAGED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usual_bodies_are_scanned),
		cmocka_unit_test(unusual_bodies_are_left_to_jansson),
		cmocka_unit_test(damaged_bodies_are_read_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
