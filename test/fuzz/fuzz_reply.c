/*
 * fuzz_reply.c
 *	  Any reply under any rules: turns that alternate and are not empty, or a reason.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "reply/reply.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const prompts[] = {"Describe the scene in this photo in detail.", NULL};
	ReplyRules	rules;
	ReplyResult result;

	if (size < 2)
		return 0;
	reply_rules_default(&rules, (ReplyKind) (data[0] % 3));
	rules.language = (ReplyLanguage) (data[0] / 3 % 3);
	rules.prompts = data[1] & 4 ? prompts : NULL;
	if (data[1] & 8)
		rules.min_letters = rules.min_answer_chars = rules.min_question_chars = 0;
	if (data[1] & 16)
		rules.min_language_share = 0;
	reply_parse(&rules, (const char *) data + 2, size - 2, (ReplyFinish) (data[1] % 3), &result);
	if (result.offset > size - 2)
		abort();
	if ((result.reason == REPLY_ACCEPTED) != (result.n_turns > 0))
		abort();
	for (int i = 0; i < result.n_turns; i++)
		if (result.turns[i].length == 0 ||
			result.turns[i].human != (rules.kind != REPLY_DESCRIPTION && i % 2 == 0))
			abort();
	reply_result_free(&result);
	return 0;
}
