/*
 * task_draw.c
 *	  What is drawn for an image: its task, its seed, the human turn of a description.
 *
 * The draw is a Weyl sequence over the integers.  With W the sum of the weights
 * and m coprime to W, (n * m) mod W takes every value of [0, W) once in any W
 * consecutive n, so any W draws in a row give exactly the weights; with m near
 * W / golden ratio the values of a shorter run are spread as evenly as a sequence
 * can be.  Nothing is locked and nothing is counted.
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "task.h"
#include "utils/builtins.h"

#define GOLDEN_RATIO_INVERSE 0.61803398874989484820

/* The tasks of llava_draw_task, cached until something may have changed them. */
typedef struct DrawCache
{
	MemoryContext context;
	List	   *tasks;
	CommandId	command;
	TimestampTz transaction;
	TimestampTz statement;
} DrawCache;

PG_FUNCTION_INFO_V1(llava_draw_task);
PG_FUNCTION_INFO_V1(llava_task_name);

static int64
greatest_common_divisor(int64 a, int64 b)
{
	while (b != 0)
	{
		int64		rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* The integer nearest total / golden ratio that is coprime to total. */
static int64
draw_multiplier(int64 total)
{
	static int64 known_total,
				known_multiplier;
	double		wanted = (double) total * GOLDEN_RATIO_INVERSE;
	int64		below = (int64) floor(wanted);
	int64		above = below + 1;

	if (total == known_total)
		return known_multiplier;
	for (;;)
	{
		bool		take_below = below > 0 && wanted - (double) below <= (double) above - wanted;
		int64		candidate = take_below ? below-- : above++;

		/* ends at 1 (below) at the latest: it is coprime to everything */
		if (greatest_common_divisor(total, candidate) == 1)
		{
			known_total = total;
			known_multiplier = candidate;
			return candidate;
		}
	}
}

/* (a * b) mod m for a < m <= 2^62, where the product may not fit. */
static uint64
multiply_modulo(uint64 a, uint64 b, uint64 m)
{
	uint64		result = 0;

	if (m <= PG_UINT32_MAX)
		return a * (b % m) % m;
	for (; b != 0; b >>= 1)
	{
		if (b & 1)
			result = (result + a) % m;
		a = (a + a) % m;
	}
	return result;
}

const char *
task_draw(List *tasks, int64 n)
{
	int64		total = 0;
	int64		place;
	ListCell   *cell;

	foreach(cell, tasks)
		total += ((LlavaTask *) lfirst(cell))->weight;
	if (total <= 0)
		return NULL;

	n %= total;
	if (n < 0)
		n += total;
	place = (int64) multiply_modulo((uint64) n, (uint64) draw_multiplier(total), (uint64) total);
	foreach(cell, tasks)
	{
		LlavaTask  *task = lfirst(cell);

		if (place < task->weight)
			return task->name;
		place -= task->weight;
	}
	return NULL;
}

/* splitmix64's finaliser: every bit of the result depends on every bit of x. */
static uint64
mix(uint64 x)
{
	x = (x ^ (x >> 30)) * UINT64CONST(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64CONST(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

uint64
task_mix(uint64 x)
{
	return mix(x + UINT64CONST(0x9e3779b97f4a7c15));
}

static uint64
fnv1a(uint64 hash, const unsigned char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * UINT64CONST(0x100000001b3);
	return hash;
}

static uint64
fnv1a_number(uint64 hash, uint64 number)
{
	for (int i = 0; i < 8; i++)
	{
		unsigned char byte = (unsigned char) (number >> (8 * i));

		hash = fnv1a(hash, &byte, 1);
	}
	return hash;
}

/*
 * FNV-1a (64 bits) over image, the bytes of task's name and variation, numbers as
 * 8 bytes with the least first, then mix(), of which the low 31 bits.  Seeds
 * stand in ledgers: this never changes.
 */
int64
task_seed(int64 image, const char *task, int variation)
{
	uint64		hash = UINT64CONST(0xcbf29ce484222325);

	hash = fnv1a_number(hash, (uint64) image);
	hash = fnv1a(hash, (const unsigned char *) task, strlen(task));
	hash = fnv1a_number(hash, (uint64) (int64) variation);
	return (int64) (mix(hash) & 0x7fffffff);
}

/* Hashed, since the task that an image got already depends on its number. */
const char *
task_question(const LlavaTask *task, int64 image)
{
	const char *const *questions = (const char *const *) task->questions;
	int			n = task->n_questions;

	if (n == 0)
		questions = shipped_questions(task->language, &n);
	return questions[task_mix((uint64) image) % (uint64) n];
}

static List *
cached_tasks(FmgrInfo *flinfo)
{
	DrawCache  *cache = flinfo->fn_extra;
	CommandId	command = GetCurrentCommandId(false);
	TimestampTz transaction = GetCurrentTransactionStartTimestamp();
	TimestampTz statement = GetCurrentStatementStartTimestamp();
	MemoryContext caller;

	if (cache == NULL)
	{
		cache = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(DrawCache));
		cache->context = AllocSetContextCreate(flinfo->fn_mcxt, "llava_draw_task",
											   ALLOCSET_SMALL_SIZES);
		flinfo->fn_extra = cache;
	}
	else if (cache->command == command && cache->transaction == transaction &&
			 cache->statement == statement)
		return cache->tasks;

	cache->transaction = 0;		/* invalid until it is filled, in case of an
								 * ERROR */
	MemoryContextReset(cache->context);
	caller = MemoryContextSwitchTo(cache->context);
	cache->tasks = task_weights();
	MemoryContextSwitchTo(caller);
	cache->command = command;
	cache->transaction = transaction;
	cache->statement = statement;
	return cache->tasks;
}

/* llava_draw_task(n bigint) returns text: NULL if no task has a weight. */
Datum
llava_draw_task(PG_FUNCTION_ARGS)
{
	const char *name = task_draw(cached_tasks(fcinfo->flinfo), PG_GETARG_INT64(0));

	if (name == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(name));
}

/*
 * llava_task_name(task text): the name of a task by name or alias; an ERROR if there is
 * none.
 */
Datum
llava_task_name(PG_FUNCTION_ARGS)
{
	LlavaTask  *task = task_required(task_weights(), text_to_cstring(PG_GETARG_TEXT_PP(0)));

	PG_RETURN_TEXT_P(cstring_to_text(task->name));
}
