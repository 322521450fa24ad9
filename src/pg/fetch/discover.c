/*
 * discover.c
 *	  Finds the hosts that have rows waiting, and puts those in line that stand in none.
 *
 * INSERT writes no host, so a pass goes from host to host through the index of waiting rows,
 * some hundred in a transaction.  It looks at each host's row and writes it only where
 * something is to be done.  A pass begins again after ten times as long as it took, so
 * that an INSERT that goes on for hours does not keep the fetcher at it.
 */
#include "postgres.h"

#include "errand.h"
#include "executor/spi.h"
#include "process/process.h"
#include "utils/memutils.h"

/* Hosts that are looked at in one transaction. */
#define STEP_HOSTS 200

/* Between two passes, at least and in times of how long the first of them took. */
#define PAUSE_MS 500
#define PAUSE_SHARE 10

/* Rows of a host whose URLs are refused today that rest in one step. */
#define MOST_RESTED 1000

static void
see_to_host(const char *host, const char *url)
{
	WebUrl		parsed;
	char		name[WEB_HOST_MAX + 1];
	char		domain[WEB_HOST_MAX + 1];
	const char *refused = web_url_parse(url, strlen(url), config_fetch_ports(), &parsed);

	if (refused != NULL && strcmp(refused, "memory") == 0)
		return;
	if (refused != NULL)
	{
		/* a port that the settings no longer let in */
		(void) host_rest_rows(host, refused, "the URL cannot be fetched with the settings of today", MOST_RESTED);
		return;
	}
	/* nothing may be raised while it is ours to free */
	strlcpy(name, parsed.host, sizeof(name));
	strlcpy(domain, parsed.domain, sizeof(domain));
	web_url_free(&parsed);
	host_wanted(host, name, domain);
}

/* The next hosts of the pass; false: it has come to the end. */
static bool
discover_hosts(Fetcher *fetcher)
{
	Discovery  *discovery = &fetcher->discovery;
	char	   *host = pstrdup(discovery->behind == NULL ? "" : discovery->behind);

	for (int i = 0; i < STEP_HOSTS; i++)
	{
		char	   *url;
		bool		in_line;

		host = host_after(host, &url, &in_line);
		if (host == NULL)
			return false;
		if (!in_line)
			see_to_host(host, url);
		fetcher_serve(fetcher);
	}
	if (discovery->behind != NULL)
		pfree(discovery->behind);
	discovery->behind = MemoryContextStrdup(TopMemoryContext, host);
	return true;
}

static SqlStatement sql_wide_feeders = {
	.text =
	"SELECT pg_catalog.string_agg(CASE a.grantee WHEN 0 THEN 'PUBLIC'"
	"  ELSE pg_catalog.pg_get_userbyid(a.grantee)::pg_catalog.text END, ', ')"
	" FROM pg_catalog.pg_class c, LATERAL pg_catalog.aclexplode(c.relacl) a"
	" WHERE c.oid = '@.llava_image'::pg_catalog.regclass AND a.privilege_type = 'INSERT' AND a.grantee <> c.relowner",
	.types = ""
};

/* What was granted before there was fetching may be more than was meant. */
static void
warn_of_feeders(void)
{
	char	   *roles;

	(void) sql_run(&sql_wide_feeders, NULL, NULL, 0);
	roles = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (roles != NULL)
		ereport(WARNING,
				(errmsg("llava_zh: roles that may INSERT into any column of \"llava_image\" can make this server send requests: %s", roles),
				 errhint("GRANT INSERT on the columns that they need: without source_url nothing is fetched.")));
}

typedef struct DiscoverStep
{
	Fetcher    *fetcher;
	bool		more;			/* there are hosts behind those that were
								 * looked at */
} DiscoverStep;

static void
discover_step(void *arg)
{
	DiscoverStep *step = arg;
	Discovery  *discovery = &step->fetcher->discovery;

	if (!discovery->started)
	{
		hosts_release(llava_fetch_delay);
		warn_of_feeders();
	}
	if (discovery->clock_step_ms != 0)
		hosts_follow_clock(discovery->clock_step_ms);
	step->more = discover_hosts(step->fetcher);
}

/* When the next pass begins. */
static void
end_pass(Discovery *discovery, TimestampTz now)
{
	int64		rest_ms = Max(discovery->spent_ms * PAUSE_SHARE, discovery->again ? PAUSE_MS : llava_naptime);

	if (discovery->behind != NULL)
		pfree(discovery->behind);
	discovery->behind = NULL;
	discovery->again = false;
	discovery->at = TimestampTzPlusMilliseconds(now, rest_ms);
}

void
discover(Fetcher *fetcher)
{
	Discovery  *discovery = &fetcher->discovery;
	TimestampTz now = GetCurrentTimestamp();
	int64		begun_ms = clock_monotonic_ms();
	DiscoverStep step = {.fetcher = fetcher};

	discovery->at = TimestampTzPlusMilliseconds(now, llava_naptime);
	if (discovery->behind == NULL)
		discovery->spent_ms = 0;
	if (!tx_begin(&fetcher->tx, "llava_zh: looking for hosts"))
		return;
	if (!fetcher_try(discover_step, &step))
	{
		discovery->at = TimestampTzPlusMilliseconds(now, SETTLE_PAUSE_MS);
		(void) tx_commit(&fetcher->tx, NULL);
		return;
	}
	(void) tx_commit(&fetcher->tx, NULL);
	discovery->started = true;
	discovery->clock_step_ms = 0;
	discovery->spent_ms += clock_monotonic_ms() - begun_ms;
	if (step.more)
		discovery->at = now;
	else
		end_pass(discovery, now);
	fetcher->claim_at = DT_NOBEGIN;
}

/* A commit has queued rows: after the pass that is under way there is another one. */
void
discover_news(Fetcher *fetcher)
{
	Discovery  *discovery = &fetcher->discovery;
	TimestampTz earliest;
	TimestampTz soon = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
												   Max(discovery->spent_ms * PAUSE_SHARE, PAUSE_MS / 10));

	if (!wake_take_queued(&earliest) || earliest == DT_NOEND)
		return;
	hosts_look_from(earliest);
	if (discovery->behind != NULL)
		discovery->again = true;
	else if (discovery->at > soon)
		discovery->at = soon;
}
