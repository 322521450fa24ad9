/*
 * meter.c
 *	  Counters of each loop for llava_stat_worker: how often it served its sockets, and the
 *	  longest time that it did not while requests were in flight.
 *
 * Meters are in shared memory and exist only where llava_zh is preloaded.  Only the
 * process that owns a meter writes it, so writing takes no lock.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "process.h"
#include "storage/ipc.h"
#include "utils/tuplestore.h"

#define MAX_METERS 256

/* A look at the sockets counts as late if it comes this long after the previous one. */
#define LATE_US 10000

typedef struct Meter
{
	pg_atomic_uint32 pid;		/* 0: free */
	pg_atomic_uint64 wakes;		/* commits that queued rows */
	pg_atomic_uint64 looks;		/* at the sockets */
	pg_atomic_uint64 late;		/* looks that came too late */
	pg_atomic_uint64 longest_us;	/* between two looks */
} Meter;

static Meter *meters;
static Meter *mine;

PG_FUNCTION_INFO_V1(llava_worker_counters);

static void
meters_init(void)
{
	for (int i = 0; i < MAX_METERS; i++)
	{
		pg_atomic_init_u32(&meters[i].pid, 0);
		pg_atomic_init_u64(&meters[i].wakes, 0);
		pg_atomic_init_u64(&meters[i].looks, 0);
		pg_atomic_init_u64(&meters[i].late, 0);
		pg_atomic_init_u64(&meters[i].longest_us, 0);
	}
}

const SharedPart meter_shared = {
	"llava_zh meters", MAX_METERS * sizeof(Meter), NULL, (void **) &meters, meters_init
};

static void
meter_give_back(int code, Datum arg)
{
	if (mine != NULL)
		pg_atomic_write_u32(&mine->pid, 0);
	mine = NULL;
}

void
meter_begin(void)
{
	static bool registered;

	for (int i = 0; meters != NULL && mine == NULL && i < MAX_METERS; i++)
	{
		uint32		vacant = 0;

		if (!pg_atomic_compare_exchange_u32(&meters[i].pid, &vacant, (uint32) MyProcPid))
			continue;
		mine = &meters[i];
		pg_atomic_write_u64(&mine->wakes, 0);
		pg_atomic_write_u64(&mine->looks, 0);
		pg_atomic_write_u64(&mine->late, 0);
		pg_atomic_write_u64(&mine->longest_us, 0);
	}
	if (!registered)
		before_shmem_exit(meter_give_back, (Datum) 0);
	registered = true;
}

void
meter_end(void)
{
	meter_give_back(0, (Datum) 0);
}

bool
meter_has(int pid)
{
	for (int i = 0; meters != NULL && i < MAX_METERS; i++)
		if (pg_atomic_read_u32(&meters[i].pid) == (uint32) pid)
			return true;
	return false;
}

static void
meter_add(pg_atomic_uint64 *counter, uint64 n)
{
	pg_atomic_write_u64(counter, pg_atomic_read_u64(counter) + n);
}

void
meter_woken(uint64 commits)
{
	if (mine != NULL)
		meter_add(&mine->wakes, commits);
}

void
meter_look(int64 away_us)
{
	if (mine == NULL)
		return;
	meter_add(&mine->looks, 1);
	if (away_us > LATE_US)
		meter_add(&mine->late, 1);
	if (away_us > (int64) pg_atomic_read_u64(&mine->longest_us))
		pg_atomic_write_u64(&mine->longest_us, (uint64) away_us);
}

/*
 * llava_worker_counters(): one row for each process that drains, of all databases; no
 * rows unless llava_zh is preloaded.
 */
Datum
llava_worker_counters(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; meters != NULL && i < MAX_METERS; i++)
	{
		Meter	   *meter = &meters[i];
		int32		pid = (int32) pg_atomic_read_u32(&meter->pid);
		Datum		values[5] = {
			Int32GetDatum(pid), Int64GetDatum((int64) pg_atomic_read_u64(&meter->wakes)),
			Int64GetDatum((int64) pg_atomic_read_u64(&meter->looks)),
			Int64GetDatum((int64) pg_atomic_read_u64(&meter->late)),
			Float8GetDatum((double) pg_atomic_read_u64(&meter->longest_us) / 1000.0)
		};
		bool		nulls[5] = {false};

		if (pid != 0)
			tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
