/*
 * fetch_check.c
 *	  llava_fetch_check: what would become of a URL, by what is known today.  With the rights
 *	  of the caller.
 */
#include "postgres.h"

#include "errand.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "intake/intake.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(llava_fetch_check);

static SqlStatement sql_check_known = {
	.text =
	"SELECT image FROM @.llava_fetched WHERE digest OPERATOR(pg_catalog.=) $1 ORDER BY digest, image LIMIT 1",
	.types = "b"
};

static SqlStatement sql_check_host = {
	.text =
	"SELECT robots, robots_until IS NOT NULL, parked, rests, reason,"
	"  CASE WHEN free_at OPERATOR(pg_catalog.>) pg_catalog.now() AND state OPERATOR(pg_catalog.<>) 'ok' THEN state END"
	" FROM @.llava_host WHERE host OPERATOR(pg_catalog.=) $1",
	.types = "t"
};

typedef struct Check
{
	const char *outcome;
	char	   *reason;
} Check;

static char *
check_text(int number)
{
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, number);
}

/* By the robots.txt that was read last. */
static Check
check_robots(const char *path, bool known)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	WebRobotsVerdict verdict = {.allowed = true};
	WebRobots  *robots;

	if (!known)
		return (Check)
	{
		"fetch", pstrdup("its robots.txt is not known yet")
	};
	if (!isnull)
	{
		bytea	   *text = DatumGetByteaPP(value);

		robots = web_robots_parse(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text), FETCHER_AGENT);
		if (robots == NULL)
			ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
		verdict = web_robots_judge(robots, path);
		web_robots_free(robots);
	}
	if (!verdict.allowed)
		return (Check)
	{
		"rests", psprintf("robots: line %d", verdict.line)
	};
	if (verdict.reserved_line != 0)
		return (Check)
	{
		"rests", psprintf("reserved: line %d of robots.txt", verdict.reserved_line)
	};
	return (Check)
	{
		"fetch", NULL
	};
}

static Check
check_host(const IntakeUrl *url)
{
	Datum		value = CStringGetTextDatum(url->host);
	bool		isnull;
	bool		known;

	if (sql_run(&sql_check_host, &value, NULL, 0) == 0)
		return (Check)
	{
		"fetch", pstrdup("nothing is known of its host yet")
	};
	known = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
	if (DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3, &isnull)))
		return (Check)
	{
		"waits", pstrdup("its host is parked")
	};
	if (check_text(4) != NULL)
		return (Check)
	{
		"rests", check_text(4)
	};
	if (check_text(6) != NULL)
		return (Check)
	{
		"waits", psprintf("its host is %s: %s", check_text(6), check_text(5) == NULL ? "" : check_text(5))
	};
	return check_robots(url->normal + strlen(url->host), known);
}

static Check
check_url(const IntakeUrl *url)
{
	Datum		digest = PointerGetDatum(url->digest);
	char	   *forgotten = intake_find_forgotten(url->digest);

	if (forgotten != NULL)
		return (Check)
	{
		"forgotten", forgotten
	};
	if (sql_run(&sql_check_known, &digest, NULL, 0) > 0)
		return (Check)
	{
		"same", psprintf("it was fetched as image %s", check_text(1))
	};
	return check_host(url);
}

/* llava_fetch_check(url): outcome and reason. */
Datum
llava_fetch_check(PG_FUNCTION_ARGS)
{
	text	   *given = PG_GETARG_TEXT_PP(0);
	MemoryContext caller = CurrentMemoryContext;
	Check		check;
	IntakeUrl	url;
	Datum		values[2] = {0};
	bool		nulls[2] = {false, false};
	TupleDesc	desc;

	intake_url(VARDATA_ANY(given), VARSIZE_ANY_EXHDR(given), &url);
	if (url.refused != NULL)
		check = (Check)
	{
		"refused", pstrdup(url.refused)
	};
/**INDENT** Error@149: Unmatched 'else' */
	else
	{
		rows_spi_connect();
		check = check_url(&url);
		if (check.reason != NULL)
			check.reason = MemoryContextStrdup(caller, check.reason);
		SPI_finish();
	}
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = CStringGetTextDatum(check.outcome);
	nulls[1] = check.reason == NULL;
	if (check.reason != NULL)
		values[1] = CStringGetTextDatum(check.reason);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}
