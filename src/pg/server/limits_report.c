/*
 * limits_report.c
 *	  What the views show of servers' limits.
 */
#include "postgres.h"

#include "limits_private.h"
#include "miscadmin.h"
#include "server.h"
#include "utils/timestamp.h"

bool
limits_next(int *position, LimitsFacts *facts)
{
	bool		found = false;

	if (shared_limits == NULL)
		return false;
	limits_lock();
	while (!found && *position < MAX_SERVERS)
	{
		const Limits *limits = &shared_limits->servers[(*position)++];

		if (limits->database != MyDatabaseId)
			continue;
		facts->server = limits->server;
		facts->in_flight = limits->pace.in_flight;
		facts->allowed = limits_allowed(limits);
		facts->counters = limits->counters;
		found = true;
	}
	limits_unlock();
	return found;
}

/* What the next request waits for, as llava_stat_server names it; NULL: nothing. */
static const char *
waits_for(const Limits *limits, TimestampTz *until)
{
	static const char *const names[] = {
		[VLM_PACE_NOTHING] = NULL,[VLM_PACE_RETRY_AFTER] = "Retry-After",
		[VLM_PACE_STORM] = "throttling",[VLM_PACE_REQUESTS] = "requests_per_minute",
		[VLM_PACE_TOKENS] = "tokens_per_minute"
	};
	int64		until_ms;
	const char *name;

	*until = limits->pause.probe_at;
	if (limits->pause.reason[0] != '\0')
		return *until == DT_NOEND || *until <= GetCurrentTimestamp() ? NULL : "probe";
	name = names[vlm_pace_waits_for(&limits->pace, limits_now_ms(), &until_ms)];
	*until = until_ms * 1000;
	return name;
}

bool
limits_wait(Oid server, LimitsWait *wait)
{
	const Limits *limits;

	limits_lock();
	limits = limits_entry_of(server);
	if (limits != NULL)
	{
		wait->held_down_by = vlm_pace_held_down_by(&limits->pace, limits_now_ms());
		wait->waits_for = waits_for(limits, &wait->until);
	}
	limits_unlock();
	return limits != NULL;
}

EndpointFacts
limits_endpoint(const char *url)
{
	uint64		number = endpoint_number(url);
	EndpointFacts facts;

	limits_lock();
	facts = endpoint_facts(number);
	limits_unlock();
	return facts;
}
