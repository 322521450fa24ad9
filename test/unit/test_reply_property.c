/*
 * test_reply_property.c
 *	  Composed replies come apart into the turns they were made of, to the letter;
 *	  damaged ones still give turns that hold what every sample must.
 *
 * REPLY_SEED=n and REPLY_ROUNDS=n, REPLY_DAMAGED=n choose another sequence, or a longer one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "replies.h"

#define COMPOSED 100000
#define DAMAGED 30000
#define SHOWN 8					/* failures printed in full */

/* Most of the time would go into memory that is kept back. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "quarantine_size_mb=4:malloc_context_size=1";
}

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

/* ---- damage ---- */

static const char *const splinters[] = {
	"\n用户：", "\n助手：", "\n助手：\n用户：", "\n\n**用户**：", "\nUser: ", "\nAssistant:", "\n问题：", "\n回答：", "？回答：", "\n- 用户：",
	"\n> ", "```", "\n```\n", "\n---\n", "【用户】", "\n第二轮：\n", "<think>", "</think>", "<|im_end|>", "<|", "<image>", "\\n", "\\",
	"\"", "{", "}", "[", "]", ":", ",", "\"content\":", "null", "\n\n希望有帮助", "抱歉，", "我无法",
	"\xE3\x80\x80", "\xE2\x80\x8B", "\r", "\t", " ", "\n", "\n\n", "**", "# ", "1. ", "答：", "A:", "Q1:", "...", "……", "图1", "13800138000"
};

/* Replaces text[at .. at + gone) by what. */
static void
splice(Text *text, size_t at, size_t gone, const char *what, size_t size)
{
	memmove(text->p + at + size, text->p + at + gone, text->n - at - gone + 1);
	memcpy(text->p + at, what, size);
	text->n += size - gone;
}

/* The nearest character's start from here on. */
static size_t
whole_at(const Text *text, size_t at)
{
	while (at < text->n && (text->p[at] & 0xC0) == 0x80)
		at++;
	return at;
}

/* One damage; hardly ever inside a character, where it would only make bad UTF-8. */
static void
damage(Text *text, Text *room)
{
	bool		torn = chance(1);
	size_t		at = below(text->n + 1);
	size_t		n = below(chance(80) ? 12 : 300);
	size_t		middle;
	const char *splinter = PICK(splinters);

	at = torn ? at : whole_at(text, at);
	n = n < text->n - at ? n : text->n - at;
	n = torn ? n : whole_at(text, at + n) - at;
	middle = torn ? at + n / 2 : whole_at(text, at + n / 2);
	switch (below(6))
	{
		case 0:
			splice(text, at, n, "", 0);
			break;
		case 1:					/* swaps what stands there with what stands behind it */
			memcpy(room->p, text->p + at, middle - at);
			memmove(text->p + at, text->p + middle, at + n - middle);
			memcpy(text->p + at + (at + n - middle), room->p, middle - at);
			break;
		case 2:					/* says something again elsewhere */
			memcpy(room->p, text->p + at, n);
			splice(text, whole_at(text, below(text->n + 1)), 0, room->p, n);
			break;
		case 3:
			splice(text, at, 0, splinter, strlen(splinter));
			break;
		case 4:
			splice(text, at, n, splinter, strlen(splinter));
			break;
		case 5:
			if (chance(30))
				text->p[text->n = at] = '\0';
			else if (at < text->n && (torn || text->p[at] > 0))
				text->p[at] = (char) (1 + below(torn ? 255 : 127));
	}
}

/*
 * Without all that reading may change: blanks and line ends, written ones too, quote
 * signs, backslashes, characters that are dropped.
 */
static void
squeeze(const char *from, size_t n, Text *out)
{
	const unsigned char *p = (const unsigned char *) from;
	const unsigned char *end = p + n;
	char	   *o = out->p;

	for (; p < end; p++)
	{
		uint32_t	three = end - p >= 3 ? (uint32_t) (p[0] << 16 | p[1] << 8 | p[2]) : 0;

		if (three == 0xE38080 || three == 0xEFBBBF || three == 0xE2808B || three == 0xE281A0)
			p += 2;
		else if (*p == '\\')
			p += p + 1 < end && (p[1] == 'n' || p[1] == 't' || p[1] == 'r' || p[1] == 'b' || p[1] == 'f');
		else if (*p > ' ' && *p != '>')
			*o++ = (char) *p;
	}
	*o = '\0';
	out->n = (size_t) (o - out->p);
}

static bool
is_utf8(const char *p)
{
	json_t	   *string = json_string(p);

	json_decref(string);
	return string != NULL;
}

/* Each of a merged turn's paragraphs, or the whole turn, stands in the squeezed reply. */
static bool
stands_in(const char *squeezed, const ReplyTurn *turn, bool merged, Text *room)
{
	const char *end = turn->text + turn->length;

	for (const char *p = turn->text; p < end;)
	{
		const char *stop = merged ? strstr(p, "\n\n") : NULL;

		stop = stop == NULL ? end : stop;
		squeeze(p, (size_t) (stop - p), room);
		if (strstr(squeezed, room->p) == NULL)
			return false;
		p = stop == end ? end : stop + 2;
	}
	return true;
}

/* What holds of every result is broken, or NULL. */
static const char *
broken_promise(const Reply *reply, const ReplyResult *result, Text *squeezed, Text *room)
{
	static const char *const blanks[] = {" ", "\t", "\n", "\xE3\x80\x80"};

	if (result->offset > reply->text.n)
		return "the offset is outside";
	if ((result->reason == REPLY_ACCEPTED) != (result->n_turns > 0))
		return "turns and reason disagree";
	if (result->reason != REPLY_ACCEPTED && (result->turns != NULL || result->flags != 0))
		return "a rejected reply has flags";
	if (reply->kind != REPLY_DESCRIPTION ? result->n_turns % 2 != 0 : result->n_turns > 1)
		return "the number of turns";
	squeeze(reply->text.p, reply->text.n, squeezed);
	for (int i = 0; i < result->n_turns; i++)
	{
		const ReplyTurn *turn = &result->turns[i];

		if (turn->human != (reply->kind != REPLY_DESCRIPTION && i % 2 == 0))
			return "the roles do not alternate";
		if (turn->length == 0 || strlen(turn->text) != turn->length)
			return "an empty turn, or NUL in it";
		if (!is_utf8(turn->text) || strstr(turn->text, "<image>") != NULL || strchr(turn->text, '\r') != NULL)
			return "what no turn may hold";
		for (int j = 0; j < 4; j++)
			if (strncmp(turn->text, blanks[j], strlen(blanks[j])) == 0 ||
				(turn->length >= strlen(blanks[j]) &&
				 strcmp(turn->text + turn->length - strlen(blanks[j]), blanks[j]) == 0))
				return "a turn is not trimmed";
		/* what was decoded stands in it in other characters */
		if (strstr(reply->text.p, "\\u") == NULL && !(result->flags & REPLY_ENTITIES_DECODED) &&
			!stands_in(squeezed->p, turn, (result->flags & REPLY_MERGED_TURNS) != 0, room))
			return "a turn that the reply does not hold";
	}
	return NULL;
}

static void
damaged_replies_keep_the_promises(void **state)
{
	long		n = from_environment("REPLY_DAMAGED", DAMAGED);
	long		wrong = 0;
	long		accepted = 0;
	long		reasons[REPLY_REASONS] = {0};
	Reply		reply;
	Text		body;
	Text		room;

	(void) state;
	random_state = (uint64_t) from_environment("REPLY_SEED", 20240229) * 2654435769u + 3;
	reply_room(&reply, &body, &room);
	for (long i = 0; i < n; i++)
	{
		ReplyRules	rules;
		ReplyResult result;
		const char *what;

		/* several damages of each */
		if (i % 3 == 0)
			compose(&reply, &body, &room);
		for (int j = (int) below(5); j >= 0; j--)
			damage(&reply.text, &room);
		rules_for(&reply, &rules);
		if (chance(30))
			rules.min_letters = rules.min_answer_chars = rules.min_question_chars = 0;
		reply_parse(&rules, reply.text.p, reply.text.n,
					chance(20) ? REPLY_FINISH_LENGTH : REPLY_FINISH_STOP, &result);
		what = broken_promise(&reply, &result, &body, &room);
		if (what != NULL && wrong++ < SHOWN)
			show(&reply, &result, what);
		accepted += result.reason == REPLY_ACCEPTED;
		reasons[result.reason]++;
		reply_result_free(&result);
	}
	reply_room_free(&reply, &body, &room);
	printf("%ld damaged replies: %ld accepted", n, accepted);
	for (int i = 1; i < REPLY_REASONS; i++)
		if (reasons[i] > 0)
			printf(", %ld %s", reasons[i], reply_reason_name((ReplyReason) i));
	printf("\n");
	assert_int_equal(wrong, 0);
	assert_in_range(accepted, n / 10, n - n / 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(composed_replies_come_apart),
		cmocka_unit_test(damaged_replies_keep_the_promises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
