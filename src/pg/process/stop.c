/*
 * stop.c
 *	  Lets a worker settle its calls before SIGTERM ends it.
 *
 * PostgreSQL's own handler (die) would end a worker even in the middle of a settle, and
 * replies that were paid for would be requested again.  So SIGTERM only sets a flag and a
 * timer: the loop settles the replies that have arrived, gives unsent rows back, and ends.
 * If something delays it, such as a trigger or a disk, the timer's signal ends the worker
 * through die, at the next CHECK_FOR_INTERRUPTS.
 */
#include "postgres.h"

#include <signal.h>
#include <time.h>

#include "miscadmin.h"
#include "process.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"

/* A fast shutdown waits at most this long for a worker. */
#define STOP_MS 500

/* The timer's signal, which background workers do not use otherwise. */
#define STOP_NOW SIGUSR2

static volatile sig_atomic_t wanted;
static timer_t timer;

/* Signal handler; timer_settime is async-signal-safe (signal-safety(7)). */
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
	/* without a timer SIGTERM keeps ending the worker at once */
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
