/*
 * flush.c
 *	  The loop's commits reach the disk without the loop waiting for it.
 *
 * A flush takes milliseconds, or as long as a busy disk likes, and a loop that waits
 * for it serves no sockets.  Where llava_zh is preloaded the workers commit
 * asynchronously and the launcher, which has little else to do, flushes the log at
 * once for all of them.  What must not be done before a commit is safe (sending a
 * call that was claimed) waits for flush_is_done; who waits is woken.  Without a
 * launcher the log writer comes round by itself, later.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "process.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/spin.h"

/* Who finds the list full looks again after FLUSH_LOOK_MS, as all do. */
#define MAX_WAITING 64

typedef struct FlushState
{
	pg_atomic_uint64 wanted;	/* up to here the log is to be flushed */
	slock_t		mutex;			/* over the rest */
	Latch	   *flusher;		/* the launcher's; NULL: there is none */
	int			n_waiting;
	Latch	   *waiting[MAX_WAITING];
} FlushState;

static FlushState *state;
static XLogRecPtr flushed;		/* as this process knows it */

Size
flush_memory(void)
{
	return sizeof(FlushState);
}

void
flush_start_up(void *memory, bool found)
{
	state = memory;
	if (found)
		return;
	memset(state, 0, sizeof(FlushState));
	pg_atomic_init_u64(&state->wanted, 0);
	SpinLockInit(&state->mutex);
}

/* The latches lie in shared memory for ever: a stale one costs a spurious wake. */
static void
take_flusher(Latch *latch)
{
	SpinLockAcquire(&state->mutex);
	state->flusher = latch;
	SpinLockRelease(&state->mutex);
}

static void
leave(int code, Datum arg)
{
	take_flusher(NULL);
}

void
flush_begin(void)
{
	take_flusher(MyLatch);
	before_shmem_exit(leave, (Datum) 0);
}

static void
wake_waiting(void)
{
	Latch	   *waiting[MAX_WAITING];
	int			n;

	SpinLockAcquire(&state->mutex);
	n = state->n_waiting;
	memcpy(waiting, state->waiting, sizeof(Latch *) * n);
	state->n_waiting = 0;
	SpinLockRelease(&state->mutex);
	for (int i = 0; i < n; i++)
		SetLatch(waiting[i]);
}

void
flush_serve(void)
{
	XLogRecPtr	wanted = pg_atomic_read_u64(&state->wanted);

	if (wanted <= flushed)
		return;
	XLogFlush(wanted);
	flushed = wanted;
	wake_waiting();
}

bool
flush_is_shared(void)
{
	return state != NULL;
}

static void
raise_wanted(XLogRecPtr upto)
{
	uint64		wanted = pg_atomic_read_u64(&state->wanted);

	while (wanted < upto && !pg_atomic_compare_exchange_u64(&state->wanted, &wanted, upto))
		;
}

void
flush_ask(XLogRecPtr upto)
{
	Latch	   *flusher;

	raise_wanted(upto);
	SpinLockAcquire(&state->mutex);
	flusher = state->flusher;
	SpinLockRelease(&state->mutex);
	if (flusher != NULL)
		SetLatch(flusher);
}

/* The list is left by being woken: it holds a latch once. */
static void
wait_for_flush(void)
{
	int			i = 0;

	SpinLockAcquire(&state->mutex);
	while (i < state->n_waiting && state->waiting[i] != MyLatch)
		i++;
	if (i == state->n_waiting && i < MAX_WAITING)
		state->waiting[state->n_waiting++] = MyLatch;
	SpinLockRelease(&state->mutex);
}

static bool
is_flushed(XLogRecPtr upto)
{
	if (upto > flushed)
		flushed = GetFlushRecPtr(NULL);
	return upto <= flushed;
}

bool
flush_is_done(XLogRecPtr upto)
{
	if (is_flushed(upto))
		return true;
	wait_for_flush();
	/* it may have been done before there was anybody to wake */
	return is_flushed(upto);
}
