/*
 * stop.c
 *	  A worker that is told to end first puts down what it holds.
 *
 * At once, as elsewhere in PostgreSQL (die), would be in the middle of a settle too, and
 * replies that were paid for would be asked for again.  So SIGTERM only sets a mark and
 * a timer: the loop settles what has arrived, gives back what was not sent, and
 * ends.  If it is held up, by a trigger or a disk, the timer's signal ends it like any
 * other process, where it stands.
 */
#include "postgres.h"

#include <signal.h>
#include <time.h>

#include "miscadmin.h"
#include "process.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"

/* A fast shutdown waits so long for a worker at most. */
#define STOP_MS 500

/* The timer's; background workers have no other use for it. */
#define STOP_NOW SIGUSR2

static volatile sig_atomic_t wanted;
static timer_t timer;

/* timer_settime may be called in a handler (signal-safety(7)). */
static void
stop_soon(SIGNAL_ARGS)
{
	int			save_errno = errno;
	struct itimerspec after = {.it_value = {.tv_nsec = STOP_MS * 1000000L}};

	if (!wanted)
		(void) timer_settime(timer, 0, &after, NULL);
	wanted = true;
	SetLatch(MyLatch);
	errno = save_errno;
}

void
stop_watch(void)
{
	struct sigevent event;

	memset(&event, 0, sizeof(event));
	event.sigev_notify = SIGEV_SIGNAL;
	event.sigev_signo = STOP_NOW;
	pqsignal(STOP_NOW, die);
	/* where there is no timer to be had, SIGTERM ends the worker at once */
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0)
		pqsignal(SIGTERM, stop_soon);
}

bool
stop_wanted(void)
{
	return wanted;
}

void
stop_now(void)
{
	ProcDiePending = true;
	InterruptPending = true;
	CHECK_FOR_INTERRUPTS();
}
