/*
 * clock_step.c
 *	  The monotonic clock, and whether the machine's was set.
 */
#include "postgres.h"

#include <time.h>

#include "process.h"

/* A smaller step is an adjustment (NTP), not a change of the clock. */
#define STEP_MS 1000

/* The two clocks are compared only if both were read within this time. */
#define TOGETHER_MS 50

int64
clock_monotonic_ms(void)
{
	struct timespec now;

	/*
	 * not instr_time, which may count ticks since PostgreSQL 19: rooms below
	 * compare with this clock
	 */
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64
clock_step_ms(void)
{
	static int64 ahead_ms;		/* wall clock minus monotonic clock */
	static bool known;
	int64		before = clock_monotonic_ms();
	int64		now_ahead = GetCurrentTimestamp() / 1000 - before;
	int64		step = known ? now_ahead - ahead_ms : 0;

	if (clock_monotonic_ms() - before > TOGETHER_MS)
		return 0;
	ahead_ms = now_ahead;
	known = true;
	return step <= -STEP_MS || step >= STEP_MS ? step : 0;
}
