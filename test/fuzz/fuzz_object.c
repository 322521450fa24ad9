/*
 * fuzz_object.c
 *	  Any reply to a task of kind json: an object that jsonb takes, with the keys and types
 *	  that were asked for, or a reason; and no input that costs far more than others.
 *
 * jsonb itself is not here.  What it would refuse is told by jansson, which is as strict, and
 * by the limits that it has beyond JSON: depth, size, numbers, NUL.  test/t/250_objects.pl
 * gives the corpus, and damaged forms of it, to the server's own.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "reply/reply.h"

#define DEPTH 64
#define MOST_BYTES (2u << 20)	/* an object of 256 KB, all of it escaped */
#define MIN_TIMED 4096
#define MAX_NS 1500				/* for a byte; sanitized code takes some 30 */

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/* Deepest level; strings were found to be whole before. */
static int
depth_of(const char *p)
{
	int			depth = 0;
	int			deepest = 0;

	for (; *p != '\0'; p++)
		if (*p == '"')
			for (p++; *p != '"'; p++)
				p += *p == '\\';
		else if (*p == '{' || *p == '[')
			deepest = ++depth > deepest ? depth : deepest;
		else if (*p == '}' || *p == ']')
			depth--;
	return deepest;
}

static void
check_object(const ReplyRules *rules, const ReplyResult *result)
{
	json_t	   *object;
	json_error_t error;

	if (strlen(result->object) != result->object_length || result->object_length > MOST_BYTES)
		abort();
	/* numbers beyond double are jsonb's, but not jansson's */
	object = json_loadb(result->object, result->object_length, JSON_DECODE_INT_AS_REAL, &error);
	if (object == NULL && json_error_code(&error) != json_error_numeric_overflow)
		abort();
	if (depth_of(result->object) > DEPTH)
		abort();
	for (int i = 0; i < rules->n_required && object != NULL; i++)
	{
		const ReplyKey *key = &rules->required[i];
		char		name[64];
		json_t	   *value;

		snprintf(name, sizeof(name), "%.*s", (int) key->length, key->name);
		value = json_object_get(object, name);
		if (value == NULL || (key->type == REPLY_BOOLEAN && !json_is_boolean(value)) ||
			(key->type == REPLY_LIST && !json_is_array(value)) ||
			(key->type == REPLY_TEXT && !json_is_string(value)) ||
			(key->type == REPLY_RANGE &&
			 (json_number_value(value) < key->low || json_number_value(value) > key->high)))
			abort();
	}
	json_decref(object);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const specs[] = {"worth 0..3", "has_text boolean", "why text", "lines list", "kind"};
	ReplyKey	keys[5];
	ReplyRules	rules = {.kind = REPLY_OBJECT,.required = keys};
	ReplyResult result;
	double		start;
	double		taken = 1;

	if (size < 2)
		return 0;
	for (int i = 0; i < 5; i++)
		if (data[0] >> i & 1)
			(void) reply_key_parse(specs[i], strlen(specs[i]), &keys[rules.n_required++]);
	for (int i = 0; i < (size > MIN_TIMED ? 5 : 1) && (i == 0 || taken * 1e9 / (double) size > MAX_NS); i++)
	{
		if (i > 0)
			reply_result_free(&result);
		start = seconds();
		reply_parse(&rules, (const char *) data + 2, size - 2, (ReplyFinish) (data[1] % 3), &result);
		taken = seconds() - start;
	}
	if (size > MIN_TIMED && taken * 1e9 / (double) size > MAX_NS)
		abort();
	if ((result.reason == REPLY_ACCEPTED) != (result.object != NULL) || result.n_turns != 0 || result.offset > size)
		abort();
	if (result.reason != REPLY_ACCEPTED && (result.flags & ~REPLY_WHITE_SPACE) != 0)
		abort();
	if (result.object != NULL)
		check_object(&rules, &result);
	reply_result_free(&result);
	return 0;
}
