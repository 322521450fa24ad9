/*
 * limits_pauses.c
 *	  Pauses: why workers send a server no requests, and when it is probed.
 */
#include "postgres.h"

#include "db/db.h"
#include "limits_private.h"
#include "miscadmin.h"
#include "server.h"
#include "utils/timestamp.h"

/*
 * How long the first pause lasts; each further one is twice as long, up to
 * llava_zh.retry_delay_max.
 */
#define PROBE_DELAY_MS 1000

void
limits_pause_now(Limits *limits, Pause *pause)
{
	limits_lock();
	*pause = limits->pause;
	limits_unlock();
}

bool
limits_pause(Limits *limits, const char *reason, const char *detail, bool probe, int64 call)
{
	Pause	   *pause = &limits->pause;
	int64		delay = PROBE_DELAY_MS;
	bool		news;

	limits_lock();
	news = strcmp(pause->reason, reason) != 0;
	if (news || pause->prober == MyProcPid)
	{
		for (int i = 0; i < pause->count && delay < llava_retry_delay_max; i++)
			delay *= 2;
		pause->count++;
		strlcpy(pause->reason, reason, sizeof(pause->reason));
		if (detail != pause->detail)
			strlcpy(pause->detail, detail, sizeof(pause->detail));
		pause->probe_at = !probe ? DT_NOEND :
			TimestampTzPlusMilliseconds(GetCurrentTimestamp(), Min(delay, llava_retry_delay_max));
		pause->prober = 0;
		pause->call = call;
		if (news)
			pause->recorded = false;
	}
	limits_unlock();
	return news;
}

void
limits_probe_within(Limits *limits, int ms)
{
	Pause	   *pause = &limits->pause;

	limits_lock();
	if (pause->probe_at != DT_NOEND)
		pause->probe_at = Min(pause->probe_at, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms));
	limits_unlock();
}

bool
limits_resume(Limits *limits)
{
	bool		was;

	limits_lock();
	was = limits->pause.reason[0] != '\0';
	if (was)
	{
		memset(&limits->pause, 0, sizeof(Pause));
		failures_forgive(&limits->failures);
		limits_wake_waiting(limits);
	}
	limits_unlock();
	return was;
}

void
limits_pause_recorded(Limits *limits, const char *reason)
{
	limits_lock();
	limits->pause.recorded = strcmp(limits->pause.reason, reason != NULL ? reason : "") == 0;
	limits_unlock();
}
