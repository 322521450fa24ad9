/*
 * fetch_sql.c
 *	  llava_url and llava_robots: what a URL and a robots.txt mean, without a request.
 */
#include "postgres.h"

#include "errand.h"
#include "funcapi.h"
#include "utils/builtins.h"

/* The longest normal form: each octet may have become an escape. */
#define URL_SPACE (3 * WEB_URL_MAX + WEB_HOST_MAX + 64)

PG_FUNCTION_INFO_V1(llava_url);
PG_FUNCTION_INFO_V1(llava_robots);

static Datum
make_record(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/* llava_url(url): normal, host, domain, reason. */
Datum
llava_url(PG_FUNCTION_ARGS)
{
	text	   *given = PG_GETARG_TEXT_PP(0);
	char	   *normal = palloc(URL_SPACE);
	Datum		values[4] = {0};
	bool		nulls[4] = {true, true, true, true};
	WebUrl		url;
	const char *reason = web_url_parse(VARDATA_ANY(given), VARSIZE_ANY_EXHDR(given), NULL, &url);

	if (reason != NULL && strcmp(reason, "memory") == 0)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	if (reason == NULL)
	{
		/* nothing may be raised while it is ours to free */
		strlcpy(normal, url.normal, URL_SPACE);
		web_url_free(&url);
		values[0] = CStringGetTextDatum(normal);
		values[1] = CStringGetTextDatum(url.host);
		values[2] = CStringGetTextDatum(url.domain);
		nulls[0] = nulls[1] = nulls[2] = false;
	}
	else
	{
		values[3] = CStringGetTextDatum(reason);
		nulls[3] = false;
	}
	return make_record(fcinfo, values, nulls);
}

/* The path that robots.txt is held against, palloc'd; NULL: the URL is refused. */
static char *
path_of(text *given)
{
	char	   *path = palloc(URL_SPACE);
	WebUrl		url;

	if (web_url_parse(VARDATA_ANY(given), VARSIZE_ANY_EXHDR(given), NULL, &url) != NULL)
		return NULL;
	strlcpy(path, url.path, URL_SPACE);
	web_url_free(&url);
	return path;
}

/* llava_robots(robots, agent, url): allowed, line, crawl_delay. */
Datum
llava_robots(PG_FUNCTION_ARGS)
{
	bytea	   *given = PG_GETARG_BYTEA_PP(0);
	char	   *agent = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char	   *path = path_of(PG_GETARG_TEXT_PP(2));
	Datum		values[3] = {0};
	bool		nulls[3] = {false, true, true};
	WebRobots  *robots;
	WebRobotsVerdict verdict;
	double		delay;

	if (agent[0] == '\0' || agent[strspn(agent, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-")] != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is no product token", agent),
				 errhint("Letters, hyphens and underscores, as 'llava_zh'.")));
	if (path == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the URL cannot be fetched: \"%s\"", text_to_cstring(PG_GETARG_TEXT_PP(2))),
				 errhint("SELECT reason FROM llava_url(...) says why.")));
	robots = web_robots_parse(VARDATA_ANY(given), Min(VARSIZE_ANY_EXHDR(given), WEB_ROBOTS_MAX), agent);
	if (robots == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	verdict = web_robots_judge(robots, path);
	delay = web_robots_crawl_delay(robots);
	web_robots_free(robots);
	values[0] = BoolGetDatum(verdict.allowed);
	values[1] = Int32GetDatum(verdict.line);
	nulls[1] = verdict.line == 0;
	values[2] = Float8GetDatum(delay);
	nulls[2] = delay < 0;
	return make_record(fcinfo, values, nulls);
}
