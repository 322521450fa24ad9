/*
 * test_reply_corpus.c
 *	  Every case of replies.jsonl comes out exactly: outcome, reason, turns to the
 *	  letter, set of flags.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "reply/reply.h"

static char *prompts[4];

static char *
read_file(const char *path)
{
	FILE	   *file = fopen(path, "r");
	char	   *text = calloc(1, 65536);

	assert_non_null(file);
	assert_non_null(text);
	assert_true(fread(text, 1, 65535, file) > 0);
	fclose(file);
	return text;
}

static const char *
text_of(json_t *object, const char *key)
{
	json_t	   *value = json_object_get(object, key);

	return json_is_string(value) ? json_string_value(value) : "";
}

static bool
flag_is_expected(json_t *expected, const char *name)
{
	size_t		i;
	json_t	   *flag;

	json_array_foreach(expected, i, flag)
		if (strcmp(json_string_value(flag), name) == 0)
			return true;
	return false;
}

static bool
turns_differ(json_t *expected, const ReplyResult *result)
{
	size_t		i;
	json_t	   *turn;

	if ((int) json_array_size(expected) != result->n_turns)
		return true;
	json_array_foreach(expected, i, turn)
	{
		const char *role = json_string_value(json_array_get(turn, 0));
		const char *value = json_string_value(json_array_get(turn, 1));

		if ((strcmp(role, "human") == 0) != result->turns[i].human ||
			strcmp(value, result->turns[i].text) != 0)
			return true;
	}
	return false;
}

/* True if it came out as expected; says what did not. */
static bool
check_case(json_t *row)
{
	json_t	   *expect = json_object_get(row, "expect");
	json_t	   *reply = json_object_get(row, "reply");
	const char *task = text_of(row, "task");
	const char *wanted = text_of(expect, "reason");
	const char *reason;
	ReplyRules	rules;
	ReplyResult result;
	bool		ok = true;

	reply_rules_default(&rules, strcmp(task, "日常对话") == 0 ? REPLY_DIALOGUE :
						strcmp(task, "复杂推理") == 0 ? REPLY_QUESTION_ANSWER : REPLY_DESCRIPTION);
	rules.prompts = (const char *const *) prompts;
	reply_parse(&rules, json_string_value(reply), json_string_length(reply),
				strcmp(text_of(row, "finish_reason"), "length") == 0 ?
				REPLY_FINISH_LENGTH : REPLY_FINISH_STOP, &result);
	reason = result.reason == REPLY_ACCEPTED ? "" : reply_reason_name(result.reason);
	if (strcmp(reason, wanted) != 0)
	{
		printf("%s: reason '%s', expected '%s'\n", text_of(row, "id"), reason, wanted);
		ok = false;
	}
	else if (turns_differ(json_object_get(expect, "turns"), &result))
	{
		printf("%s: turns differ; the first here: %s\n", text_of(row, "id"),
			   result.n_turns > 0 ? result.turns[0].text : "none");
		for (int i = 0; i < result.n_turns; i++)
			printf("   [%d] %.200s\n", i, result.turns[i].text);
		ok = false;
	}
	for (int bit = 0; bit < REPLY_FLAGS; bit++)
		if (((result.flags >> bit & 1) != 0) !=
			flag_is_expected(json_object_get(expect, "flags"), reply_flag_name(bit)))
		{
			printf("%s: flag %s is %s\n", text_of(row, "id"), reply_flag_name(bit),
				   result.flags >> bit & 1 ? "set" : "missing");
			ok = false;
		}
	assert_true(result.offset <= json_string_length(reply));
	reply_result_free(&result);
	return ok;
}

static void
corpus_comes_out_exactly(void **state)
{
	FILE	   *file = fopen("test/unit/replies.jsonl", "r");
	char	   *line = NULL;
	size_t		room = 0;
	int			cases = 0;
	int			wrong = 0;

	(void) state;
	assert_non_null(file);
	prompts[0] = read_file("test/prompts/zh_conversation.txt");
	prompts[1] = read_file("test/prompts/zh_complex_reasoning.txt");
	prompts[2] = read_file("test/prompts/zh_detail.txt");
	while (getline(&line, &room, file) > 0)
	{
		json_t	   *row = json_loads(line, JSON_ALLOW_NUL, NULL);

		assert_non_null(row);
		wrong += !check_case(row);
		cases++;
		json_decref(row);
	}
	free(line);
	fclose(file);
	for (int i = 0; i < 3; i++)
		free(prompts[i]);
	printf("%d of %d cases exact\n", cases - wrong, cases);
	assert_true(cases >= 113);
	assert_int_equal(wrong, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus_comes_out_exactly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
