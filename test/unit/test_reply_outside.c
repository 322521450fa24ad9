/*
 * test_reply_outside.c
 *	  What models and servers of other families leave in a reply: replies_outside.jsonl
 *	  are cases from public reports, replies_cousins.jsonl their relatives, and texts that
 *	  look alike and are right.
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

static const char *
text_of(json_t *row, const char *key)
{
	return json_string_value(json_object_get(row, key));
}

static void
parse(json_t *row, const char *key, ReplyResult *result)
{
	const char *task = text_of(row, "task");
	json_t	   *text = json_object_get(row, key);
	ReplyRules	rules;

	reply_rules_default(&rules, strcmp(task, "日常对话") == 0 ? REPLY_DIALOGUE : REPLY_DESCRIPTION);
	if (strcmp(task, "image description") == 0)
		rules.language = REPLY_LANGUAGE_EN;
	reply_parse(&rules, json_string_value(text), json_string_length(text), REPLY_FINISH_STOP, result);
}

/* The reply's one turn is this text, in which entities of the case may be written. */
static bool
is_text(const ReplyResult *result, const char *text)
{
	return result->reason == REPLY_ACCEPTED && result->n_turns == 1 &&
		strcmp(result->turns[0].text, text) == 0;
}

static bool
is_same_dialogue(json_t *row, const ReplyResult *result)
{
	ReplyResult other;
	bool		same;

	parse(row, "text", &other);
	same = other.reason == REPLY_ACCEPTED && result->reason == REPLY_ACCEPTED &&
		other.n_turns == result->n_turns;
	for (int i = 0; same && i < other.n_turns; i++)
		same = strcmp(other.turns[i].text, result->turns[i].text) == 0;
	reply_result_free(&other);
	return same;
}

/* 'text: entities decoded' gives the text in other words: there it is the reply's. */
static bool
is_decoded(const ReplyResult *result, const char *reply)
{
	const char *at = strstr(reply, "&amp;");
	char	   *decoded = calloc(1, strlen(reply) + 1);
	bool		same;

	assert_non_null(at);
	assert_non_null(decoded);
	memcpy(decoded, reply, (size_t) (at - reply));
	decoded[at - reply] = '&';
	strcat(decoded, at + strlen("&amp;"));
	same = is_text(result, decoded);
	free(decoded);
	return same;
}

/* No turn of an accepted reply holds what keeps a sample out of every export. */
static bool
can_leave(const ReplyResult *result)
{
	for (int i = 0; i < result->n_turns; i++)
	{
		ReplyToken	token;

		if (reply_find_token(result->turns[i].text, result->turns[i].length,
							 REPLY_TOKEN_RULES, &token) != NULL)
			return false;
	}
	return true;
}

static bool
comes_out(json_t *row, const ReplyResult *result)
{
	const char *expect = text_of(row, "expect");
	const char *reason = reply_reason_name(result->reason);

	if (strncmp(expect, "reject ", 7) == 0)
		return reason != NULL && strcmp(reason, expect + 7) == 0;
	if (strcmp(expect, "today") == 0)
		return result->reason == REPLY_SPECIAL_TOKEN;
	if (!can_leave(result))
		return false;
	if (strcmp(expect, "dialogue") == 0)
		return is_same_dialogue(row, result);
	if (strcmp(expect, "text: entities decoded") == 0)
		return is_decoded(result, text_of(row, "reply"));
	return strncmp(expect, "text", 4) == 0 && is_text(result, text_of(row, "text"));
}

static void
all_come_out(const char *path, int at_least)
{
	FILE	   *file = fopen(path, "r");
	char	   *line = NULL;
	size_t		room = 0;
	int			cases = 0;
	int			wrong = 0;

	assert_non_null(file);
	while (getline(&line, &room, file) > 0)
	{
		json_t	   *row = json_loads(line, JSON_ALLOW_NUL, NULL);
		ReplyResult result;

		assert_non_null(row);
		parse(row, "reply", &result);
		if (!comes_out(row, &result))
		{
			const char *reason = reply_reason_name(result.reason);

			printf("%s: expected '%s', is %s: %.400s\n", text_of(row, "name"), text_of(row, "expect"),
				   reason == NULL ? "accepted" : reason, result.n_turns > 0 ? result.turns[0].text : "");
			wrong++;
		}
		cases++;
		reply_result_free(&result);
		json_decref(row);
	}
	free(line);
	fclose(file);
	printf("%s: %d of %d cases exact\n", path, cases - wrong, cases);
	assert_true(cases >= at_least);
	assert_int_equal(wrong, 0);
}

static void
reports_come_out(void **state)
{
	(void) state;
	all_come_out("test/unit/replies_outside.jsonl", 25);
}

static void
cousins_come_out(void **state)
{
	(void) state;
	all_come_out("test/unit/replies_cousins.jsonl", 200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports_come_out),
		cmocka_unit_test(cousins_come_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
