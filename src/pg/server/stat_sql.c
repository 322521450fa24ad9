/*
 * stat_sql.c
 *	  How requests to servers ended, and what holds them back, counted by all processes, for
 *	  the views.
 */
#include "postgres.h"

#include <math.h>

#include "foreign/foreign.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "server_private.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(llava_server_counters);
PG_FUNCTION_INFO_V1(llava_server_limits);
PG_FUNCTION_INFO_V1(llava_server_endpoints);

/* ---- counting ---- */

static int
latency_bucket(int64 latency_ms)
{
	int			bucket = latency_ms < 1 ? 0 : (int) (log2((double) latency_ms) * 4);

	return Min(bucket, LATENCY_BUCKETS - 1);
}

void
counters_note_end(ServerCounters *counters, const VlmOutcome *outcome, int64 latency_ms,
				  int64 completion_tokens)
{
	const char *reason = outcome->reason;

	if (outcome->action == VLM_DONE)
	{
		TimestampTz now = GetCurrentTimestamp();
		double		kept = exp(-(double) (now - counters->rated_at) / 1000.0 / LIMITS_RATE_MS);

		counters->answers++;
		counters->latency[latency_bucket(latency_ms)]++;
		/* decaying means: an answer from LIMITS_RATE_MS ago weighs 1/e */
		counters->answers_rate = counters->answers_rate * kept + 1;
		counters->tokens_rate = counters->tokens_rate * kept + (double) completion_tokens;
		counters->rated_at = now;
	}
	else if (outcome->action == VLM_THROTTLE)
		counters->throttled++;
	else if (strstr(reason, "timeout") != NULL || strcmp(reason, "http_408") == 0)
		counters->timeouts++;
	else if (strcmp(reason, "connection_lost") == 0 || strcmp(reason, "partial_body") == 0 ||
			 strcmp(reason, "refused") == 0 || strcmp(reason, "dns") == 0 ||
			 strcmp(reason, "tls") == 0)
		counters->disconnects++;
	else if (strncmp(reason, "http_5", 6) == 0)
		counters->server_errors++;
	else
		counters->others++;
}

/* ---- the views ---- */

typedef struct ServerFacts
{
	Oid			server;
	int			in_flight;
	int			allowed;		/* how many may be in flight now */
	ServerCounters counters;
} ServerFacts;

/*
 * The latency in ms that this share of the requests stayed under, to the width of a
 * bucket (a fifth); negative if there were none.
 */
static double
latency_quantile(const ServerCounters *counters, double share)
{
	double		seen = 0;
	int			bucket = 0;

	if (counters->answers == 0)
		return -1;
	while (bucket < LATENCY_BUCKETS && seen < share * (double) counters->answers)
		seen += counters->latency[bucket++];
	return exp2(bucket / 4.0);
}

/* A decaying mean as of now, per minute. */
static double
rate_now(const ServerCounters *counters, double rate)
{
	double		age_ms = (double) (GetCurrentTimestamp() - counters->rated_at) / 1000.0;

	return rate * exp(-age_ms / LIMITS_RATE_MS) * 60000.0 / LIMITS_RATE_MS;
}

/* The next server of this database in shared memory; *position starts at 0. */
static bool
next_server(int *position, ServerFacts *facts)
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
		facts->allowed = (int) vlm_pace_allowed(&limits->pace);
		facts->counters = limits->counters;
		found = true;
	}
	limits_unlock();
	return found;
}

/*
 * llava_server_counters(): a row for each server of this database that was used
 * since the start of the server, where llava_zh is preloaded; else none.
 */
Datum
llava_server_counters(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ServerFacts facts;
	const ServerCounters *counters = &facts.counters;
	int			position = 0;

	InitMaterializedSRF(fcinfo, 0);
	while (next_server(&position, &facts))
	{
		double		median = latency_quantile(counters, 0.5);
		Datum		values[] = {
			ObjectIdGetDatum(facts.server),
			Int32GetDatum(facts.in_flight), Int32GetDatum(facts.allowed),
			Int64GetDatum(counters->answers), Int64GetDatum(counters->throttled),
			Int64GetDatum(counters->timeouts), Int64GetDatum(counters->disconnects),
			Int64GetDatum(counters->server_errors), Int64GetDatum(counters->others),
			Float8GetDatum(median), Float8GetDatum(latency_quantile(counters, 0.95)),
			Float8GetDatum(rate_now(counters, counters->answers_rate)),
			Float8GetDatum(rate_now(counters, counters->tokens_rate))
		};
		bool		nulls[lengthof(values)] = {[9] = median < 0,[10] = median < 0};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

static Datum
word(const char *text, bool *null)
{
	*null = text == NULL;
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

/* What the next request waits for; NULL: not for a point in time. */
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

/*
 * llava_server_limits(): for each server of this database, how its limits apply, and,
 * where they are shared, what holds requests back.
 */
Datum
llava_server_limits(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, server_oids())
	{
		const char *hold;
		const char *held_down_by = NULL;
		const char *wait = NULL;
		TimestampTz until = 0;
		const Limits *limits;
		int64		generated = -1;
		Datum		values[6] = {ObjectIdGetDatum(lfirst_oid(cell))};
		bool		nulls[6] = {false};

		limits_lock();
		hold = limits_hold(lfirst_oid(cell));
		limits = limits_entry_of(lfirst_oid(cell));
		if (limits != NULL)
		{
			held_down_by = vlm_pace_held_down_by(&limits->pace, limits_now_ms());
			wait = waits_for(limits, &until);
			generated = limits->counters.generated;
		}
		limits_unlock();
		values[1] = word(hold, &nulls[1]);
		values[2] = word(held_down_by, &nulls[2]);
		values[3] = word(wait, &nulls[3]);
		values[4] = TimestampTzGetDatum(until);
		nulls[4] = wait == NULL;
		values[5] = Int64GetDatum(generated);
		nulls[5] = generated < 0;
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* What is counted at the server's URL; nothing if the server was dropped. */
static EndpointFacts
facts_of(Oid server)
{
	ForeignServer *foreign = GetForeignServerExtended(server, FSV_MISSING_OK);
	const char *url = foreign == NULL ? NULL : options_value(foreign->options, "url");
	EndpointFacts facts = {-1, -1, -1};
	uint64		number;

	if (url == NULL)
		return facts;
	number = endpoint_number(url);
	limits_lock();
	facts = endpoint_facts(number);
	limits_unlock();
	return facts;
}

/*
 * llava_server_endpoints(): for each server of this database, how many requests may be
 * and are in flight at its URL.
 */
Datum
llava_server_endpoints(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, server_oids())
	{
		EndpointFacts facts = facts_of(lfirst_oid(cell));
		bool		counted = facts.limit >= 0 && facts.in_flight >= 0;
		Datum		values[4] = {ObjectIdGetDatum(lfirst_oid(cell)), Int32GetDatum(facts.limit),
		Int32GetDatum(facts.in_flight), Int32GetDatum(facts.waiting)};
		bool		nulls[4] = {false, facts.limit < 0, !counted, !counted};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
