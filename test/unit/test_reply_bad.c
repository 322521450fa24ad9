/*
 * test_reply_bad.c
 *	  Replies that no model should give: each gets a reason, in memory and steps that
 *	  grow with its length and no faster.
 */
#include "reply_case.h"

#define MEGABYTE (1u << 20)
#define MEMORY_TIMES 30			/* a reply's own length */

static void
expect(ReplyKind kind, const char *reply, size_t n, ReplyReason reason, size_t offset)
{
	ReplyRules	rules;
	ReplyResult result;

	reply_rules_default(&rules, kind);
	reply_parse(&rules, reply, n, REPLY_FINISH_STOP, &result);
	if (result.reason != reason || result.offset != offset)
	{
		printf("  %.40s: offset %zu\n", reply, result.offset);
		print_result(&result);
	}
	assert_int_equal(result.reason, reason);
	assert_int_equal(result.offset, offset);
	assert_true(reason == REPLY_ACCEPTED || (result.turns == NULL && result.flags == 0));
	reply_result_free(&result);
}

/* Any kind of task gives this reason. */
static void
expect_always(const char *reply, size_t n, ReplyReason reason, size_t offset)
{
	for (int kind = REPLY_DIALOGUE; kind <= REPLY_DESCRIPTION; kind++)
		expect((ReplyKind) kind, reply, n, reason, offset);
}

/* head, what as often as fits into size, tail; to be freed. */
static char *
repeated(const char *head, const char *what, const char *tail, size_t size, size_t *n)
{
	size_t		step = strlen(what);
	char	   *text = malloc(size + strlen(head) + strlen(tail) + 1);

	assert_non_null(text);
	*n = strlen(head);
	memcpy(text, head, *n);
	for (size_t i = 0; i + step <= size; i += step, *n += step)
		memcpy(text + *n, what, step);
	strcpy(text + *n, tail);
	*n += strlen(tail);
	return text;
}

static void
expect_repeated(ReplyKind kind, const char *head, const char *what, const char *tail, size_t size, ReplyReason reason)
{
	ReplyRules	rules;
	ReplyResult result;
	size_t		n;
	char	   *text = repeated(head, what, tail, size, &n);

	reply_rules_default(&rules, kind);
	reply_parse(&rules, text, n, REPLY_FINISH_STOP, &result);
	if (result.reason != reason)
	{
		printf("  %.30s %.30s\n", head, what);
		print_result(&result);
	}
	assert_int_equal(result.reason, reason);
	assert_true(result.offset <= n);
	reply_result_free(&result);
	free(text);
}

static void
nothing_at_all(void **state)
{
	(void) state;
	expect_always("", 0, REPLY_EMPTY, 0);
	expect_always("\0", 1, REPLY_EMPTY, 0);
	expect_always("\0\0\0\n\0", 5, REPLY_EMPTY, 0);
	expect_always("\xEF\xBB\xBF", 3, REPLY_EMPTY, 0);
	expect_repeated(REPLY_DIALOGUE, "", "\n", "", MEGABYTE, REPLY_EMPTY);
	expect_repeated(REPLY_DESCRIPTION, "", "\r\n", "", MEGABYTE, REPLY_EMPTY);
	expect_repeated(REPLY_QUESTION_ANSWER, "", "　", "", MEGABYTE, REPLY_EMPTY);
	expect_repeated(REPLY_DESCRIPTION, "", "\xE2\x80\x8B", "", MEGABYTE, REPLY_EMPTY);
}

/* Good text before, so that the offset says where. */
#define BAD(bytes) expect_always("图" bytes "中", 3 + sizeof(bytes) - 1 + 3, REPLY_BAD_UTF8, 3)

static void
bytes_that_are_no_utf8(void **state)
{
	(void) state;
	BAD("\x80");				/* continuation alone */
	BAD("\xE5\x9B");			/* in the middle of a character */
	BAD("\xE5");
	BAD("\xF0\x9F\x98");
	BAD("\xC0\xAF");			/* overlong */
	BAD("\xC1\xBF");
	BAD("\xE0\x80\xAF");
	BAD("\xE0\x9F\xBF");
	BAD("\xF0\x80\x80\xAF");
	BAD("\xF0\x8F\xBF\xBF");
	BAD("\xC0\x80");			/* NUL, overlong */
	BAD("\xED\xA0\x80");		/* surrogates */
	BAD("\xED\xBF\xBF");
	BAD("\xED\xA0\xBD\xED\xB8\x80");
	BAD("\xF4\x90\x80\x80");	/* beyond U+10FFFF */
	BAD("\xF5\x80\x80\x80");
	BAD("\xF8\x88\x80\x80\x80");
	BAD("\xFE");
	BAD("\xFF");
	BAD("\xEF\xBF\xBD");		/* what a decoder before us put there */
	expect_always("图\xE5\x9B", 5, REPLY_BAD_UTF8, 3);	/* cut at the end */
	expect_always("图\xE5", 4, REPLY_BAD_UTF8, 3);
	expect_always("图\xF0\x9F\x98", 6, REPLY_BAD_UTF8, 3);
	/* the last of each length are good */
	expect(REPLY_DESCRIPTION, D "\xDF\xBF\xEF\xBF\xBF\xF4\x8F\xBF\xBF\xED\x9F\xBF\xEE\x80\x80",
		   strlen(D) + 15, REPLY_ACCEPTED, 0);
}

static void
nul_in_json(void **state)
{
	static const Case cases[] = {
		{"NUL goes", REPLY_DIALOGUE, "[{\"用户\":\"\\u0000" Q1 "\",\"助手\":\"" A1 A2 "\\u0000\"}]",
			REPLY_ACCEPTED, REPLY_SHORT_DIALOGUE, {Q1, A1 A2}},
		{"nothing but NUL", REPLY_DIALOGUE, "[{\"用户\":\"\\u0000\",\"助手\":\"" A1 A2 "\"}]", REPLY_EMPTY_TURN, 0},
		{"low half first", REPLY_DIALOGUE, "[{\"用户\":\"\\udc00\",\"助手\":\"" A1 A2 "\"}]", REPLY_BAD_UTF8, 0},
		{"two high halves", REPLY_DIALOGUE, "[{\"用户\":\"" Q1 "\",\"助手\":\"\\ud83d\\ud83d" A1 A2 "\"}]", REPLY_BAD_UTF8, 0},
		{"a half and no more", REPLY_DIALOGUE, "[{\"用户\":\"" Q1 "\",\"助手\":\"" A1 A2 "\\ud83d\\u\"}]", REPLY_BAD_UTF8, 0},
		{"no hexadecimals", REPLY_DIALOGUE, "[{\"用户\":\"" Q1 "\",\"助手\":\"" A1 A2 "\\uZZZZ\"}]",
			REPLY_ACCEPTED, REPLY_SHORT_DIALOGUE, {Q1, A1 A2 "ZZZZ"}},
	};

	(void) state;
	ALL_COME_OUT(cases);
}

static void
more_than_is_read(void **state)
{
	size_t		n;
	char	   *text = repeated("", "图中有人。", "", 10 * MEGABYTE, &n);

	(void) state;
	expect_always(text, n, REPLY_TOO_LONG, REPLY_MAX_BYTES);
	/* the most that is read, in an allocation of its own */
	text = realloc(text, REPLY_MAX_BYTES);
	assert_non_null(text);
	expect_always(text, REPLY_MAX_BYTES - 1, REPLY_DEGENERATE, 0);
	free(text);
}

static void
turns_without_end(void **state)
{
	char	   *text = malloc(100000 * 64);
	size_t		n = 0;

	(void) state;
	assert_non_null(text);
	/* 100,000 turns, all of them different */
	for (int i = 0; i < 50000; i++)
		n += (size_t) sprintf(text + n, "用户：第%d个是什么？\n助手：是%x号。\n", i, i * 7919);
	expect(REPLY_DIALOGUE, text, n, REPLY_TOO_SHORT, 0);
	expect(REPLY_QUESTION_ANSWER, text, n, REPLY_TOO_SHORT, 0);
	free(text);
	expect_repeated(REPLY_DIALOGUE, "", "用户：\n", "", MEGABYTE, REPLY_EMPTY_TURN);
	expect_repeated(REPLY_DIALOGUE, "", "助手：\n", "", MEGABYTE, REPLY_NO_USER_FIRST);
	expect_repeated(REPLY_DIALOGUE, "", "用户：\n助手：\n", "", MEGABYTE, REPLY_EMPTY_TURN);
	expect_repeated(REPLY_DIALOGUE, "", "**User:**\n", "", MEGABYTE, REPLY_EMPTY_TURN);
	expect_repeated(REPLY_QUESTION_ANSWER, "", "问题：\n回答：\n", "", MEGABYTE, REPLY_EMPTY_TURN);
	expect_repeated(REPLY_DESCRIPTION, "", "描述：\n", "", MEGABYTE, REPLY_DEGENERATE);
}

static void
json_without_end(void **state)
{
	char	   *deep = malloc(80000);
	size_t		n;

	(void) state;
	assert_non_null(deep);
	expect_repeated(REPLY_DIALOGUE, "", "[{\"x\":", "", 10000 * 6, REPLY_TRUNCATED);
	expect_repeated(REPLY_DIALOGUE, "[{\"x\":", "[", "", MEGABYTE, REPLY_TRUNCATED);
	expect_repeated(REPLY_DIALOGUE, "", "{\"x\":", "1", MEGABYTE, REPLY_TRUNCATED);
	expect_repeated(REPLY_DIALOGUE, "[{\"x\":\"", "\\", "\"}]", MEGABYTE, REPLY_UNPARSABLE);
	expect_repeated(REPLY_DIALOGUE, "[{\"x\":\"", "\\u0000", "\"}]", MEGABYTE, REPLY_UNPARSABLE);
	expect_repeated(REPLY_DIALOGUE, "[{\"", "x", "", MEGABYTE, REPLY_TRUNCATED);
	expect_repeated(REPLY_DIALOGUE, "[{\"x\"", " ", ":1}]", MEGABYTE, REPLY_TRUNCATED);
	/* 10,000 deep around a conversation, and closed again */
	n = 0;
	for (int i = 0; i < 10000; i++)
		n += (size_t) sprintf(deep + n, "[");
	n += (size_t) sprintf(deep + n, "{\"用户\":\"" Q1 "\",\"助手\":\"" A1 A2 "\"}");
	for (int i = 0; i < 10000; i++)
		n += (size_t) sprintf(deep + n, "]");
	expect(REPLY_DIALOGUE, deep, n, REPLY_DEGENERATE, 0);
	n = 0;
	for (int i = 0; i < 10000; i++)
		n += (size_t) sprintf(deep + n, "%s", i == 0 ? "[{\"x\":" : "[");
	n += (size_t) sprintf(deep + n, "{\"用户\":\"" Q1 "\",\"助手\":\"" A1 A2 "\"}");
	for (int i = 0; i < 10000; i++)
		n += (size_t) sprintf(deep + n, "]");
	expect(REPLY_DIALOGUE, deep, n, REPLY_ACCEPTED, 0);
	free(deep);
}

/* ---- memory ---- */

static size_t allocated;
static size_t peak;

/* AddressSanitizer calls these. */
void		__sanitizer_malloc_hook(const volatile void *p, size_t size);
void		__sanitizer_free_hook(const volatile void *p);
size_t		__sanitizer_get_allocated_size(const volatile void *p);

void
__sanitizer_malloc_hook(const volatile void *p, size_t size)
{
	(void) p;
	allocated += size;
	peak = allocated > peak ? allocated : peak;
}

void
__sanitizer_free_hook(const volatile void *p)
{
	if (p != NULL)
		allocated -= __sanitizer_get_allocated_size(p);
}

static void
memory_is_bounded(void **state)
{
	static const char *const hostile[] = {
		"用户：\n", "助手：好\n", "啊", "a", "\"", "[{\"x\":", "\\n好", "\r\n好", "> 好\n", "<|", "{\"q\":\"好\"}"
	};

	(void) state;
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++)
	{
		size_t		n;
		char	   *text = repeated("", hostile[i], "", MEGABYTE / 4, &n);

		for (int kind = REPLY_DIALOGUE; kind <= REPLY_DESCRIPTION; kind++)
		{
			ReplyRules	rules;
			ReplyResult result;
			size_t		before = allocated;

			peak = before;
			reply_rules_default(&rules, (ReplyKind) kind);
			reply_parse(&rules, text, n, REPLY_FINISH_STOP, &result);
			reply_result_free(&result);
			if (peak - before > MEMORY_TIMES * n)
				printf("  %s: %zu times\n", hostile[i], (peak - before) / n);
			assert_in_range(peak - before, n, MEMORY_TIMES * n);
			assert_int_equal(allocated, before);
		}
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_at_all),
		cmocka_unit_test(bytes_that_are_no_utf8),
		cmocka_unit_test(nul_in_json),
		cmocka_unit_test(more_than_is_read),
		cmocka_unit_test(turns_without_end),
		cmocka_unit_test(json_without_end),
		cmocka_unit_test(memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
