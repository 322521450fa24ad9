/*
 * test_vlm_retry_after.c
 *	  How long a server asks to be left alone, in all the ways it is said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "vlm/retry_after.h"

/* 2026-11-29 12:00:00 UTC */
#define NOW 1795953600

typedef struct Case
{
	const char *headers;		/* "name: value\n" each */
	int64_t		ms;
	int			status;
} Case;

static const Case cases[] = {
	{"", -1, 429},
	{"retry-after: 5\n", 5000, 429}, {"Retry-After:  5 \n", 5000, 429}, {"retry-after: 0\n", -1, 429},
	{"retry-after: 0.25\n", 250, 429}, {"retry-after: 1500ms\n", 1500, 429}, {"retry-after: 1500 ms\n", 1500, 429},
	{"retry-after: 2s\n", 2000, 429}, {"retry-after: 30 seconds\n", 30000, 429}, {"retry-after: 1m30.5s\n", 90500, 429},
	{"retry-after: 1h\n", 3600000, 429}, {"retry-after: 90000\n", 21600000, 429}, {"retry-after: 99999d\n", 21600000, 429},
	{"retry-after: -5\n", -1, 429}, {"retry-after: soon\n", -1, 429}, {"retry-after: nan\n", -1, 429},
	{"retry-after: 1.2.3\n", -1, 429}, {"retry-after: 5 10\n", -1, 429}, {"retry-after: \n", -1, 429},
	{"retry-after: 1e9\n", -1, 429}, {"retry-after: 99999999999999999999999999999999999999999999\n", -1, 429},
	{"retry-after: Sun, 29 Nov 2026 12:00:30 GMT\n", 30000, 429},
	{"retry-after: Sun, 29 Nov 2026 11:00:00 GMT\n", -1, 429},
	{"retry-after: 2026-11-29T12:01:00Z\n", 60000, 429}, {"retry-after: 2026-11-29T12:01:00.250Z\n", 60250, 429},
	{"retry-after: 1795953660\n", 60000, 429}, {"retry-after: 1795953600500\n", 500, 429},
	{"retry-after-ms: 1234\n", 1234, 429}, {"retry-after-ms: 1234.5\nretry-after: 2\n", 1234, 429},
	{"retry-after-ms: x\nretry-after: 2\n", 2000, 429}, {"x-ms-retry-after-ms: 700\nretry-after: 1\n", 700, 429},
	{"retry-after: 3\n", 3000, 200}, {"retry-after: 3\n", 3000, 503},

	/* OpenAI's and Groq's, which come with every answer */
	{"x-ratelimit-reset-requests: 6m0s\nx-ratelimit-remaining-requests: 14000\n"
		"x-ratelimit-reset-tokens: 120ms\nx-ratelimit-remaining-tokens: 0\n", 120, 429},
	{"x-ratelimit-reset-requests: 6m0s\nx-ratelimit-remaining-requests: 0\n"
		"x-ratelimit-reset-tokens: 120ms\nx-ratelimit-remaining-tokens: 0\n", 360000, 429},
	{"x-ratelimit-reset-requests: 2m59.56s\nx-ratelimit-remaining-requests: 14000\n"
		"x-ratelimit-reset-tokens: 7.66s\nx-ratelimit-remaining-tokens: 17\n", 7660, 429},
	{"x-ratelimit-reset-requests: 1s\n", -1, 200}, {"x-ratelimit-reset-requests: 1s\n", 1000, 503},
	{"x-ratelimit-reset-requests: 1s\nretry-after: 4\n", 4000, 429},
	/* OpenRouter's, a moment in milliseconds, others, seconds */
	{"x-ratelimit-reset: 1795953610000\nx-ratelimit-remaining: 0\n", 10000, 429},
	{"x-ratelimit-reset: 1795953610\n", 10000, 429}, {"x-ratelimit-reset: 12\n", 12000, 429},
	{"ratelimit-reset: 7\nratelimit-remaining: 0\n", 7000, 429},
	{"anthropic-ratelimit-requests-reset: 2026-11-29T12:00:09Z\n", 9000, 529},
	{"x-ratelimit-reset: 1795953000\n", -1, 429}
};

static const char *
header_of(void *arg, const char *name)
{
	static char value[128];
	size_t		size = strlen(name);

	for (const char *line = arg; line != NULL && *line != '\0'; line = strchr(line, '\n') + 1)
		if (strncasecmp(line, name, size) == 0 && line[size] == ':')
		{
			const char *from = line + size + 1;

			snprintf(value, sizeof(value), "%.*s", (int) strcspn(from, "\n"), from);
			return value;
		}
	return NULL;
}

static void
waits_are_read(void **state)
{
	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		bool		empty;
		int64_t		ms = retry_after_ms(header_of, (void *) (uintptr_t) cases[i].headers,
										cases[i].status, NOW, &empty);

		if (ms != cases[i].ms)
			fail_msg("%s: %lld ms, not %lld", cases[i].headers, (long long) ms, (long long) cases[i].ms);
	}
}

/* Only what is said to be used up, of an answer that refuses, and to begin anew. */
static void
an_empty_budget_is_told(void **state)
{
	static const Case budgets[] = {
		{"x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 30s\nretry-after: 1\n", true, 429},
		{"x-ratelimit-remaining: 0\nx-ratelimit-reset: 12\n", true, 429},
		{"x-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 2s\n", true, 529},
		{"x-ratelimit-remaining-requests: 3\nx-ratelimit-reset-requests: 30s\n", false, 429},
		{"x-ratelimit-remaining-requests: 0\n", false, 429}, {"retry-after: 30\n", false, 429},
		{"x-ratelimit-reset-requests: 30s\n", false, 429},
		{"x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 30s\n", false, 200}
	};

	(void) state;
	for (size_t i = 0; i < sizeof(budgets) / sizeof(budgets[0]); i++)
	{
		bool		empty;

		(void) retry_after_ms(header_of, (void *) (uintptr_t) budgets[i].headers,
							  budgets[i].status, NOW, &empty);
		if (empty != (budgets[i].ms == true))
			fail_msg("%s: %d", budgets[i].headers, (int) empty);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_are_read),
		cmocka_unit_test(an_empty_budget_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
