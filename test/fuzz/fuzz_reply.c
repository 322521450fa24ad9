/*
 * fuzz_reply.c
 *	  Any reply under any rules: turns that alternate, are not empty, and stand in the
 *	  reply, or a reason; and no input that costs far more than others of its length.
 *
 * The cost of a byte is CPU time, the least of several parses where one seems slow.
 * Its mean over replies that went through all checks, and its greatest over all of
 * them, are printed at the end.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "reply/reply.h"

#define MIN_TIMED 1024			/* bytes; below it calls cost more than text */
#define MIN_MEAN 200			/* inputs that a mean needs */
#define MAX_TIMES 10			/* the mean cost of a byte */
#define AGAIN 20

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int			LLVMFuzzerInitialize(int *argc, char ***argv);

static double total_seconds;
static double total_bytes;
static double greatest;			/* seconds for a byte */
static size_t greatest_size;
static long timed;

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static void
print_costs(void)
{
	if (timed > 0)
		fprintf(stderr, "fuzz_reply: %ld timed, mean %.1f ns/byte, slowest %.1f ns/byte of %zu bytes (%.1f times)\n",
				timed, total_seconds / total_bytes * 1e9, greatest * 1e9, greatest_size,
				greatest / (total_seconds / total_bytes));
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	atexit(print_costs);
	return 0;
}

/* What any result must hold. */
static void
check(const ReplyRules *rules, const ReplyResult *result, size_t size)
{
	static const char *const blanks[] = {" ", "\t", "\n", "\xE3\x80\x80"};

	if (result->offset > size)
		abort();
	if ((result->reason == REPLY_ACCEPTED) != (result->n_turns > 0))
		abort();
	if (result->reason != REPLY_ACCEPTED && (result->flags != 0 || result->turns != NULL))
		abort();
	if (result->n_turns > 2 * rules->max_rounds)
		abort();
	for (int i = 0; i < result->n_turns; i++)
	{
		const ReplyTurn *turn = &result->turns[i];
		ReplyToken	token;

		if (turn->length == 0 || strlen(turn->text) != turn->length ||
			turn->human != (rules->kind != REPLY_DESCRIPTION && i % 2 == 0))
			abort();
		if (strstr(turn->text, "<image>") != NULL || strstr(turn->text, "<|im_end|>") != NULL ||
			strstr(turn->text, "<box>") != NULL || strchr(turn->text, '\r') != NULL)
			abort();
		/* what is accepted can leave */
		if (reply_find_token(turn->text, turn->length, REPLY_TOKEN_RULES, &token) != NULL ||
			reply_is_blank(turn->text, turn->length))
			abort();
		for (int j = 0; j < 4; j++)
			if (strncmp(turn->text, blanks[j], strlen(blanks[j])) == 0)
				abort();
	}
}

static double
parse(const ReplyRules *rules, const uint8_t *data, size_t size, ReplyFinish finish, ReplyReason *reason)
{
	ReplyResult result;
	double		start = seconds();
	double		taken;

	reply_parse(rules, (const char *) data, size, finish, &result);
	taken = seconds() - start;
	check(rules, &result, size);
	*reason = result.reason;
	reply_result_free(&result);
	return taken;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const prompts[] = {"Describe the scene in this photo in detail.", NULL};
	ReplyRules	rules;
	ReplyFinish finish;
	ReplyReason reason;
	double		taken;

	if (size < 2)
		return 0;
	reply_rules_default(&rules, (ReplyKind) (data[0] % 3));
	rules.language = (ReplyLanguage) (data[0] / 3 % 3);
	rules.prompts = data[1] & 4 ? prompts : NULL;
	if (data[1] & 8)
		rules.min_letters = rules.min_answer_chars = rules.min_question_chars = 0;
	if (data[1] & 16)
		rules.min_language_share = 0;
	finish = (ReplyFinish) (data[1] % 3);
	data += 2;
	size -= 2;
	taken = parse(&rules, data, size, finish, &reason);
	if (size < MIN_TIMED)
		return 0;
	/* a slow one is looked at again: the machine may have been busy */
	for (int i = 0; i < AGAIN && timed > MIN_MEAN && taken / (double) size > greatest; i++)
	{
		double		again = parse(&rules, data, size, finish, &reason);

		taken = again < taken ? again : taken;
	}
	if (reason == REPLY_ACCEPTED || reason == REPLY_LANGUAGE || reason == REPLY_TOO_SHORT)
	{
		total_seconds += taken;
		total_bytes += (double) size;
		timed++;
	}
	if (timed > MIN_MEAN && taken / (double) size > greatest)
	{
		greatest = taken / (double) size;
		greatest_size = size;
		if (greatest > MAX_TIMES * total_seconds / total_bytes)
		{
			print_costs();
			abort();
		}
	}
	return 0;
}
