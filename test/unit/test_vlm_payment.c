/*
 * test_vlm_payment.c
 *	  Which responses are paid for, and for how many tokens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "vlm/vlm.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

typedef struct Case
{
	int			status;			/* 0: the connection ended, as broken_off says */
	const char *body;
	bool		broken_off;
	bool		paid;
	int64_t		prompt;
	int64_t		completion;
} Case;

#define CHOICE "\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"一只猫。\"},\"finish_reason\":\"stop\"}]"
#define USAGE "\"usage\":{\"prompt_tokens\":70,\"completion_tokens\":7}"

static const Case cases[] = {
	{200, "{" CHOICE "," USAGE "}", false, true, 70, 7},
	{200, "{" CHOICE "}", false, true, -1, -1},
	{200, "{" CHOICE ",\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0}}", false, true, -1, -1},
	{200, "{" CHOICE ",\"usage\":{\"prompt_tokens\":70}}", false, true, 70, -1},
	{200, "{" CHOICE ",\"usage\":\"200\"}", false, true, -1, -1},
	{200, "{" CHOICE ",\"usage\":{\"prompt_tokens\":\"70\",\"completion_tokens\":7.0}}", false, true, 70, 7},
	/* no answer, and it is said what was used, or there is a choice */
	{200, "{\"choices\":[{\"message\":{\"content\":null}}]," USAGE "}", false, true, 70, 7},
	{200, "{\"choices\":[{\"message\":{\"content\":null}}]}", false, true, -1, -1},
	{200, "{\"choices\":[]}", false, true, -1, -1},
	{200, "{\"id\":\"1\"," USAGE "}", false, true, 70, 7},
	{200, "  {\"choices\":[{\"message\":{\"content\":\"一只", false, true, -1, -1},
	{200, "{\"choices\":[{\"message\":{\"content\":\"一只\"},\"finish_reason\":\"error\"}]}", false, true, -1, -1},
	{200, "{\"choices\":[{\"message\":{\"content\":\"一只\"},\"error\":{\"code\":502}}]," USAGE "}", false, true, 70, 7},
	{200, "{\"choices\":[{\"message\":{\"content\":null,\"reasoning_content\":\"想\"}}],\"usage\":{\"prompt_tokens\":70,\"completion_tokens\":0}}",
	false, true, 70, -1},
	/* errors, and what no model has written */
	{200, "{\"error\":{\"code\":429,\"message\":\"slow down\"}}", false, false, -1, -1},
	{200, "{\"error\":{\"message\":\"internal error\"}}", false, false, -1, -1},
	{200, "{\"choices\":[{\"error\":{\"code\":500}}]}", false, false, -1, -1},
	{200, "<html>Welcome to nginx</html>", false, false, -1, -1},
	{200, "", false, false, -1, -1},
	{500, "{\"error\":{\"message\":\"CUDA\"}}", false, false, -1, -1},
	{429, "{\"error\":{\"message\":\"slow down\"}," USAGE "}", false, false, -1, -1},
	/* the connection */
	{0, NULL, false, false, -1, -1},
	{0, "{\"choices\":", true, true, -1, -1},
};

static void
what_a_model_wrote_is_paid_for(void **state)
{
	(void) state;
	for (size_t i = 0; i < COUNT(cases); i++)
	{
		VlmResponse response = {.status = cases[i].status, .retry_after_ms = -1};
		VlmOutcome	outcome;
		VlmEnvelope envelope;

		if (cases[i].body != NULL)
		{
			response.body = strdup(cases[i].body);
			response.body_size = strlen(response.body);
		}
		response.curl_code = cases[i].status == 0 ? CURLE_PARTIAL_FILE : 0;
		response.broken_off = cases[i].broken_off;
		vlm_outcome(&response, &outcome, &envelope);
		if (outcome.paid != cases[i].paid || envelope.prompt_tokens != cases[i].prompt ||
			envelope.completion_tokens != cases[i].completion)
			fail_msg("case %zu: paid %d, tokens %lld and %lld: %s", i, outcome.paid,
					 (long long) envelope.prompt_tokens, (long long) envelope.completion_tokens,
					 cases[i].body);
		vlm_envelope_free(&envelope);
		vlm_response_free(&response);
	}
}

static void
what_is_not_said_is_the_forecast(void **state)
{
	const VlmTokens forecast = {300, 40};
	VlmTokens	used;

	(void) state;
	assert_true(vlm_tokens_known((VlmTokens) {0, 0}));
	assert_false(vlm_tokens_known((VlmTokens) {1, -1}));
	used = vlm_tokens_used((VlmTokens) {-1, -1}, forecast);
	assert_true(used.prompt == 300 && used.completion == 40);
	used = vlm_tokens_used((VlmTokens) {7, -1}, forecast);
	assert_true(used.prompt == 7 && used.completion == 40);
	used = vlm_tokens_used((VlmTokens) {-1, 0}, forecast);
	assert_true(used.prompt == 300 && used.completion == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_model_wrote_is_paid_for),
		cmocka_unit_test(what_is_not_said_is_the_forecast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
