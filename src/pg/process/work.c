/*
 * work.c
 *	  How far the long calls are: a NOTICE every ten seconds to who made the call, and
 *	  llava_work for other sessions.
 *
 * A process counts one call at a time, the outermost.  Counts are in shared memory where
 * llava_zh is preloaded; only the process that makes the call writes them.  A place is
 * taken, read and given back under a lock.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "portability/instr_time.h"
#include "process.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

/* Calls of all databases together. */
#define MAX_WORKS 256

#define NOTICE_MS 10000

/* The rate is that of the last minute: one sample a second. */
#define SAMPLES 60
#define SAMPLE_MS 1000

typedef struct WorkPlace
{
	int			pid;			/* 0: free */
	Oid			database;
	char		name[32];
	int64		total;			/* -1: unknown */
	pg_atomic_uint64 done;
	pg_atomic_uint64 per_hour;
} WorkPlace;

typedef struct WorkSample
{
	double		ms;
	int64		done;
} WorkSample;

struct Work
{
	MemoryContextCallback callback; /* at the end of its memory context */
	const char *name;			/* of the function that was called */
	const char *things;			/* what is counted, in the plural */
	int64		total;
	double		noticed_ms;
	WorkSample	samples[SAMPLES];	/* a ring */
	int			n;				/* samples that were ever taken */
};

static WorkPlace *places;
static WorkPlace *mine;			/* NULL: not in shared memory */
static Work *current;			/* NULL: no call is counted */

PG_FUNCTION_INFO_V1(llava_work_counters);

static void
places_init(void)
{
	for (int i = 0; i < MAX_WORKS; i++)
	{
		pg_atomic_init_u64(&places[i].done, 0);
		pg_atomic_init_u64(&places[i].per_hour, 0);
	}
}

const SharedPart work_shared = {
	"llava_zh work", MAX_WORKS * sizeof(WorkPlace), NULL, (void **) &places, places_init
};

static double
now_ms(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return INSTR_TIME_GET_MILLISEC(now);
}

/* ---- shared memory ---- */

static void
place_give_back(int code, Datum arg)
{
	if (mine == NULL)
		return;
	LWLockAcquire(shared_lock(SHARED_LOCK_WORK), LW_EXCLUSIVE);
	mine->pid = 0;
	LWLockRelease(shared_lock(SHARED_LOCK_WORK));
	mine = NULL;
}

/* Leaves mine NULL if there is no shared memory, or no place in it. */
static void
place_take(const Work *work)
{
	static bool registered;

	if (places == NULL)
		return;
	if (!registered)
		before_shmem_exit(place_give_back, (Datum) 0);
	registered = true;
	LWLockAcquire(shared_lock(SHARED_LOCK_WORK), LW_EXCLUSIVE);
	for (int i = 0; i < MAX_WORKS && mine == NULL; i++)
	{
		if (places[i].pid != 0)
			continue;
		mine = &places[i];
		mine->pid = MyProcPid;
		mine->database = MyDatabaseId;
		strlcpy(mine->name, work->name, sizeof(mine->name));
		mine->total = work->total;
		pg_atomic_write_u64(&mine->done, 0);
		pg_atomic_write_u64(&mine->per_hour, 0);
	}
	LWLockRelease(shared_lock(SHARED_LOCK_WORK));
}

/* ---- one call ---- */

static void
context_ended(void *arg)
{
	if (current == arg)
	{
		current = NULL;
		place_give_back(0, (Datum) 0);
	}
}

Work *
work_begin(MemoryContext context, const char *name, const char *things, int64 total)
{
	Work	   *work;

	if (current != NULL)
		return NULL;
	work = MemoryContextAllocZero(context, sizeof(Work));
	work->name = name;
	work->things = things;
	work->total = total;
	work->noticed_ms = work->samples[0].ms = now_ms();
	work->n = 1;
	work->callback.func = context_ended;
	work->callback.arg = work;
	MemoryContextRegisterResetCallback(context, &work->callback);
	current = work;
	place_take(work);
	return work;
}

void
work_end(Work *work)
{
	if (work != NULL)
		context_ended(work);
}

/* The oldest sample that is kept: of a minute ago, or of the beginning. */
static const WorkSample *
oldest_sample(const Work *work)
{
	return &work->samples[work->n < SAMPLES ? 0 : work->n % SAMPLES];
}

/* In an hour, so that slow work has a whole number. */
static double
rate_per_hour(const Work *work, int64 done, double ms)
{
	const WorkSample *since = oldest_sample(work);

	return ms > since->ms ? (done - since->done) * 3600000.0 / (ms - since->ms) : 0;
}

static void
notice(const Work *work, int64 done, double per_hour)
{
	StringInfoData line;

	initStringInfo(&line);
	appendStringInfo(&line, INT64_FORMAT, done);
	if (work->total >= 0)
		appendStringInfo(&line, " of " INT64_FORMAT, work->total);
	appendStringInfo(&line, " %s, %.1f a second", work->things, per_hour / 3600);
	if (work->total > done && per_hour > 0)
	{
		int64		left = (int64) ((work->total - done) * 3600 / per_hour) + 1;

		appendStringInfo(&line, ", about " INT64_FORMAT ":%02d:%02d left", left / 3600,
						 (int) (left / 60 % 60), (int) (left % 60));
	}
	ereport(NOTICE, (errmsg_internal("%s: %s", work->name, line.data)));
	pfree(line.data);
}

void
work_done(Work *work, int64 done)
{
	double		ms;
	double		per_hour;

	if (work == NULL || work != current)
		return;
	if (mine != NULL)
		pg_atomic_write_u64(&mine->done, (uint64) done);
	ms = now_ms();
	if (ms < work->samples[(work->n - 1) % SAMPLES].ms + SAMPLE_MS)
		return;
	per_hour = rate_per_hour(work, done, ms);
	work->samples[work->n++ % SAMPLES] = (WorkSample)
	{
		ms, done
	};
	if (mine != NULL)
		pg_atomic_write_u64(&mine->per_hour, (uint64) per_hour);
	if (ms < work->noticed_ms + NOTICE_MS)
		return;
	work->noticed_ms = ms;
	notice(work, done, per_hour);
}

/* llava_work_counters(): the calls of this database; no rows unless llava_zh is preloaded. */
Datum
llava_work_counters(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	if (places == NULL)
		return (Datum) 0;
	LWLockAcquire(shared_lock(SHARED_LOCK_WORK), LW_SHARED);
	for (int i = 0; i < MAX_WORKS; i++)
	{
		WorkPlace  *place = &places[i];
		Datum		values[5];
		bool		nulls[5] = {false};

		if (place->pid == 0 || place->database != MyDatabaseId)
			continue;
		values[0] = Int32GetDatum(place->pid);
		values[1] = CStringGetTextDatum(place->name);
		values[2] = Int64GetDatum((int64) pg_atomic_read_u64(&place->done));
		values[3] = Int64GetDatum(place->total);
		nulls[3] = place->total < 0;
		values[4] = Float8GetDatum((double) pg_atomic_read_u64(&place->per_hour) / 3600);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	LWLockRelease(shared_lock(SHARED_LOCK_WORK));
	return (Datum) 0;
}
