/*
 * limits_chance.c
 *	  Whether a server may be asked now: the one place that knows.
 *
 * A person forbids it by the options paused, max_requests and budget; a worker that met an
 * error pauses the server, and then one request at a time, its probe, may find out whether
 * the error lasts.  Sessions are not held up by such a pause: a user waits, and sees the
 * error.
 */
#include "postgres.h"

#include "limits_private.h"
#include "miscadmin.h"
#include "server.h"
#include "utils/timestamp.h"

/*
 * The option whose limit is used up, or NULL.  With for_good max_requests is used up
 * only when all requests are settled, since one that is not sent after all may be
 * replaced.
 */
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
limits_used_up(Limits *limits)
{
	const char *option;

	limits_lock();
	option = used_up_option(limits, false);
	limits_unlock();
	return option;
}

const char *
limits_closed_by(const LlavaServer *options, Limits *limits)
{
	const char *option;

	if (options->paused)
		return "paused";
	limits_lock();
	option = used_up_option(limits, true);
	limits_unlock();
	return option;
}
