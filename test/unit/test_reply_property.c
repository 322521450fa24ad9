/*
 * test_reply_property.c
 *	  Composed replies come apart into the turns they were made of, to the letter;
 *	  damaged ones still give turns that hold what every sample must.
 *
 * REPLY_SEED=n and REPLY_ROUNDS=n choose another sequence, or a longer one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "replies.h"

#define COMPOSED 100000
#define DAMAGED 60000
#define SHOWN 8					/* failures printed in full */

static long
from_environment(const char *name, long otherwise)
{
	const char *value = getenv(name);

	return value == NULL ? otherwise : atol(value);
}

static void
rules_for(const Reply *reply, ReplyRules *rules)
{
	reply_rules_default(rules, reply->kind);
	if (reply->english)
		rules->language = REPLY_LANGUAGE_EN;
}

/* What differs, or NULL. */
static const char *
difference(const Reply *reply, const ReplyResult *result)
{
	const uint32_t structural = (REPLY_SHORT_DIALOGUE << 1) - 1;

	if (result->reason != REPLY_ACCEPTED)
		return reply_reason_name(result->reason);
	if (result->n_turns != reply->n)
		return "the number of turns";
	for (int i = 0; i < reply->n; i++)
		if (result->turns[i].human != reply->human[i])
			return "who speaks";
		else if (strcmp(result->turns[i].text, reply->turns[i].p) != 0)
			return "a turn's text";
	if ((result->flags & structural) != reply->flags)
		return "the flags";
	return NULL;
}

static void
show(const Reply *reply, const ReplyResult *result, const char *what)
{
	printf("---- %s (flags %x, expected %x) of:\n%s\n---- turns:\n", what, result->flags, reply->flags,
		   reply->text.p);
	for (int i = 0; i < result->n_turns; i++)
		if (i >= reply->n || strcmp(result->turns[i].text, reply->turns[i].p) != 0)
			printf("[%d] %s\n", i, result->turns[i].text);
}

static void
composed_replies_come_apart(void **state)
{
	long		n = from_environment("REPLY_ROUNDS", COMPOSED);
	long		wrong = 0;
	Reply		reply;
	Text		body;
	Text		room;

	(void) state;
	random_state = (uint64_t) from_environment("REPLY_SEED", 20240229) * 2654435769u + 1;
	reply_room(&reply, &body, &room);
	for (long i = 0; i < n; i++)
	{
		ReplyRules	rules;
		ReplyResult result;
		const char *what;

		compose(&reply, &body, &room);
		rules_for(&reply, &rules);
		reply_parse(&rules, reply.text.p, reply.text.n, REPLY_FINISH_STOP, &result);
		what = difference(&reply, &result);
		if (what != NULL && wrong++ < SHOWN)
			show(&reply, &result, what);
		reply_result_free(&result);
	}
	reply_room_free(&reply, &body, &room);
	printf("%ld of %ld composed replies to the letter\n", n - wrong, n);
	assert_int_equal(wrong, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(composed_replies_come_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
