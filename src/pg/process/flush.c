/*
 * flush.c
 *	  Flushes the workers' commits to disk without making their loops wait.
 *
 * A flush takes milliseconds, or far longer on a busy disk, and a loop that waits for it
 * serves no sockets.  Where llava_zh is preloaded the workers commit asynchronously, and
 * the launcher, which has little else to do, flushes the log for all of them at once.
 * Anything that must not happen before a commit is durable, such as sending a claimed
 * call, waits until flush_is_done; the launcher sets the latches of the waiting processes.
 * If the launcher is gone, PostgreSQL's WAL writer flushes the log somewhat later.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "process.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/spin.h"

/* If the list is full, the process polls every FLUSH_LOOK_MS; all do so in any case. */
#define MAX_WAITING 64

typedef struct FlushState
{
	pg_atomic_uint64 wanted;	/* position up to which to flush the log */
	slock_t		mutex;			/* protects the rest */
	Latch	   *flusher;		/* the launcher's; NULL: there is none */
	int			n_waiting;
	Latch	   *waiting[MAX_WAITING];	/* processes to wake after a flush */
} FlushState;

static FlushState *state;		/* NULL: not preloaded */
static XLogRecPtr flushed;		/* at least this far, as this process knows */

static void
flush_init(void)
{
	pg_atomic_init_u64(&state->wanted, 0);
	SpinLockInit(&state->mutex);
}

const SharedPart flush_shared = {
	"llava_zh flush", sizeof(FlushState), NULL, (void **) &state, flush_init
};

/* Latches stay in shared memory: setting that of an ended process is a spurious wake-up. */
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

void
flush_ask(XLogRecPtr upto)
{
	uint64		wanted = pg_atomic_read_u64(&state->wanted);
	Latch	   *flusher;

	while (wanted < upto && !pg_atomic_compare_exchange_u64(&state->wanted, &wanted, upto))
		;
	SpinLockAcquire(&state->mutex);
	flusher = state->flusher;
	SpinLockRelease(&state->mutex);
	if (flusher != NULL)
		SetLatch(flusher);
}

/* Adds this process to the list, unless it is on it; wake_waiting empties the list. */
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

	/*
	 * check again: the flush may have ended before this process was on the
	 * list
	 */
	return is_flushed(upto);
}
