/*
 * limits_chance.c
 *	  Whether a server may be asked now: the one place that knows; and what that hangs on,
 *	  pauses and what max_requests and budget leave.
 *
 * A person forbids it by the options paused, max_requests and budget; a worker that met an
 * error pauses the server, and then one request at a time, its probe, may find out whether
 * the error lasts.  Sessions are not held up by such a pause: a user waits, and sees the
 * error.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "server_private.h"

/*
 * How long the first pause lasts; each further one is twice as long, up to
 * llava_zh.retry_delay_max.
 */
#define PROBE_DELAY_MS 1000

/* As limits_used_up, with the lock held. */
static const char *
used_up_option(const Limits *limits, bool for_good)
{
	if (vlm_quota_left(&limits->quota) <= 0 && (!for_good || limits->quota.unsettled == 0))
		return "max_requests";
	return vlm_quota_over_budget(&limits->quota) ? "budget" : NULL;
}

ServerChance
limits_chance_locked(const Limits *limits, bool urgent)
{
	const Pause *pause = &limits->pause;

	if (used_up_option(limits, false) != NULL)
		return SERVER_CLOSED;
	if (urgent || pause->reason[0] == '\0')
		return SERVER_OPEN;
	if (pause->prober == MyProcPid)
		return SERVER_PROBED;
	return pause->prober == 0 && GetCurrentTimestamp() >= pause->probe_at ?
		SERVER_TO_PROBE : SERVER_CLOSED;
}

ServerChance
limits_chance(const LlavaServer *options, Limits *limits)
{
	ServerChance chance;

	if (options->paused)
		return SERVER_CLOSED;
	limits_lock();
	chance = limits_chance_locked(limits, false);
	limits_unlock();
	return chance;
}

const char *
limits_used_up(Limits *limits, bool for_good)
{
	const char *option;

	limits_lock();
	option = used_up_option(limits, for_good);
	limits_unlock();
	return option;
}

const char *
limits_closed_by(const LlavaServer *options, Limits *limits)
{
	return options->paused ? "paused" : limits_used_up(limits, true);
}

/* ---- what max_requests leaves, and what llava_usage has recorded ---- */

int64
limits_remaining(Limits *limits)
{
	int64		left;

	limits_lock();
	left = vlm_quota_left(&limits->quota);
	limits_unlock();
	return left;
}

int64
limits_generated(Limits *limits)
{
	int64		generated;

	limits_lock();
	generated = limits->counters.generated;
	limits_unlock();
	return generated;
}

void
limits_settled(Limits *limits, double cost)
{
	Attached   *mine = limits_attached_to(limits);

	limits_lock();
	vlm_quota_settled(&limits->quota, 1, cost);
	mine->unsettled--;
	mine->unsettled_cost -= cost;
	limits_unlock();
}

bool
limits_were_read(Limits *limits)
{
	bool		read;

	limits_lock();
	read = limits->quota.changes > 0;
	limits_unlock();
	return read;
}

int64
limits_begin_reading(Limits *limits)
{
	int64		reading;

	limits_lock();
	reading = vlm_quota_begin_reading(&limits->quota);
	limits_unlock();
	return reading;
}

void
limits_read(Limits *limits, int64 reading, int64 requests, double cost)
{
	limits_lock();
	(void) vlm_quota_read(&limits->quota, reading, requests, cost);
	limits_unlock();
}

/* ---- pauses ---- */

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
