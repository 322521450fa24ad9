/*
 * test_vlm_streak.c
 *	  When a task's replies are hopeless, and when its pictures are merely hard.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vlm/vlm.h"

/* How many rejects it takes from here on; -1: over 10,000. */
static int
rejects_until_hopeless(VlmStreak *streak, const char *reason)
{
	for (int i = 1; i <= 10000; i++)
		if (vlm_streak_note(streak, reason))
			return i;
	return -1;
}

static void
test_none_accepted(void **state)
{
	VlmStreak	streak = {0};

	(void) state;
	assert_int_equal(rejects_until_hopeless(&streak, "no_question"), 32);
}

static void
test_another_reason(void **state)
{
	VlmStreak	streak = {0};

	(void) state;
	for (int i = 0; i < 1000; i++)
		assert_false(vlm_streak_note(&streak, i % 31 == 0 ? "too_short" : "no_question"));
	assert_int_equal(rejects_until_hopeless(&streak, "no_answer"), 32);
}

/* One in 20, evenly and by chance. */
static void
test_hard(void **state)
{
	VlmStreak	streak = {0};
	uint64_t	random = 1;

	(void) state;
	for (int i = 0; i < 100000; i++)
		assert_false(vlm_streak_note(&streak, i % 20 == 19 ? NULL : "too_short"));
	memset(&streak, 0, sizeof(streak));
	assert_false(vlm_streak_note(&streak, NULL));
	for (int i = 1; i < 20; i++)
		(void) vlm_streak_note(&streak, "too_short");
	for (int i = 0; i < 100000; i++)
	{
		random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
		assert_false(vlm_streak_note(&streak, (random >> 33) % 20 == 0 ? NULL : "too_short"));
	}
	assert_in_range(rejects_until_hopeless(&streak, "too_short"), 250, 400);
}

/* A good prompt, and then a server with another model. */
static void
test_changed(void **state)
{
	VlmStreak	streak = {0};

	(void) state;
	for (int i = 0; i < 100000; i++)
		assert_false(vlm_streak_note(&streak, i % 50 == 0 ? "too_short" : NULL));
	assert_int_equal(rejects_until_hopeless(&streak, "no_question"), 32);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none_accepted), cmocka_unit_test(test_another_reason),
		cmocka_unit_test(test_hard), cmocka_unit_test(test_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
