/*
 * stat_sql.c
 *	  What all processes have counted of their servers, for the views.
 */
#include "postgres.h"

#include <math.h>

#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "limits.h"
#include "server.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#define COUNTER_COLUMNS 13
#define LIMITS_COLUMNS 5

PG_FUNCTION_INFO_V1(llava_server_counters);
PG_FUNCTION_INFO_V1(llava_server_limits);
PG_FUNCTION_INFO_V1(llava_server_endpoints);

/*
 * The latency in ms that this share of the requests stayed under, to the width of a
 * bucket (a fifth); negative if there were none.
 */
static double
latency_quantile(const ServerCounters *counters, double share)
{
	double		total = 0;
	double		seen = 0;

	for (int i = 0; i < LATENCY_BUCKETS; i++)
		total += counters->latency[i];
	if (total == 0)
		return -1;
	for (int i = 0; i < LATENCY_BUCKETS; i++)
	{
		seen += counters->latency[i];
		if (seen >= share * total)
			return exp2((i + 1) / 4.0);
	}
	return exp2(LATENCY_BUCKETS / 4.0);
}

/* A decaying mean as of now, per minute. */
static double
rate_now(const ServerCounters *counters, double rate)
{
	double		age_ms = (double) (GetCurrentTimestamp() - counters->rated_at) / 1000.0;

	return rate * exp(-age_ms / LIMITS_RATE_MS) * 60000.0 / LIMITS_RATE_MS;
}

static void
put_row(ReturnSetInfo *result, const LimitsFacts *facts)
{
	const ServerCounters *counters = &facts->counters;
	double		median = latency_quantile(counters, 0.5);
	double		high = latency_quantile(counters, 0.95);
	Datum		values[COUNTER_COLUMNS];
	bool		nulls[COUNTER_COLUMNS] = {false};

	values[0] = ObjectIdGetDatum(facts->server);
	values[1] = Int32GetDatum(facts->in_flight);
	values[2] = Int32GetDatum(facts->allowed);
	values[3] = Int64GetDatum(counters->answers);
	values[4] = Int64GetDatum(counters->throttled);
	values[5] = Int64GetDatum(counters->timeouts);
	values[6] = Int64GetDatum(counters->disconnects);
	values[7] = Int64GetDatum(counters->server_errors);
	values[8] = Int64GetDatum(counters->others);
	values[9] = Float8GetDatum(median);
	values[10] = Float8GetDatum(high);
	nulls[9] = nulls[10] = median < 0;
	values[11] = Float8GetDatum(rate_now(counters, counters->answers_rate));
	values[12] = Float8GetDatum(rate_now(counters, counters->tokens_rate));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * llava_server_counters(): a row for each server of this database that was used
 * since the start of the server, where llava_zh is preloaded; else none.
 */
Datum
llava_server_counters(PG_FUNCTION_ARGS)
{
	LimitsFacts facts;
	int			position = 0;

	InitMaterializedSRF(fcinfo, 0);
	while (limits_next(&position, &facts))
		put_row((ReturnSetInfo *) fcinfo->resultinfo, &facts);
	return (Datum) 0;
}

static Datum
word(const char *text, bool *null)
{
	*null = text == NULL;
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

static void
put_limits(ReturnSetInfo *result, Oid server)
{
	LimitsWait	wait = {0};
	Datum		values[LIMITS_COLUMNS] = {ObjectIdGetDatum(server)};
	bool		nulls[LIMITS_COLUMNS] = {false};

	(void) limits_wait(server, &wait);
	values[1] = word(limits_hold(server), &nulls[1]);
	values[2] = word(wait.held_down_by, &nulls[2]);
	values[3] = word(wait.waits_for, &nulls[3]);
	values[4] = TimestampTzGetDatum(wait.until);
	nulls[4] = wait.waits_for == NULL;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
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
		put_limits(result, lfirst_oid(cell));
	return (Datum) 0;
}

/* The option url as it is written; NULL if the server was dropped. */
static const char *
url_of(Oid server)
{
	ForeignServer *foreign = GetForeignServerExtended(server, FSV_MISSING_OK);
	ListCell   *cell;

	if (foreign != NULL)
		foreach(cell, foreign->options)
			if (strcmp(lfirst_node(DefElem, cell)->defname, "url") == 0)
			return defGetString(lfirst_node(DefElem, cell));
	return NULL;
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
		const char *url = url_of(lfirst_oid(cell));
		EndpointFacts facts = url == NULL ? (EndpointFacts) {-1, -1, -1} : limits_endpoint(url);
		bool		counted = facts.limit >= 0 && facts.in_flight >= 0;
		Datum		values[4] = {ObjectIdGetDatum(lfirst_oid(cell)), Int32GetDatum(facts.limit),
		Int32GetDatum(facts.in_flight), Int32GetDatum(facts.waiting)};
		bool		nulls[4] = {false, facts.limit < 0, !counted, !counted};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
