/*
 * claim.c
 *	  Claims hosts that are due, and of each one row, or its robots.txt.
 *
 * Hosts come in the order of next_at, so that none starves, and a host's rows by index
 * descent, so that what waits for one of them costs the others nothing.  One request of a
 * host is in flight at a time.  Rows that need no request on the way are settled here: what
 * robots.txt refuses, what another row has fetched, what is gone.
 */
#include "postgres.h"

#include "errand.h"
#include "executor/spi.h"
#include "intake/intake.h"
#include "miscadmin.h"
#include "utils/builtins.h"

/* Requests at once to hosts of one registered domain. */
#define MOST_PER_DOMAIN 4

/* How long a host waits whose domain has enough requests in flight. */
#define DOMAIN_BUSY_MS 100

/* Rows of a host that are settled without a request in one claim. */
#define MOST_SETTLED 100

/* Rows of a host that rest in one claim. */
#define MOST_RESTED 1000

/* A lease is as long as the request, and this. */
#define LEASE_MARGIN_MS (60 * 1000)

#define CLAIM_COLUMNS(RESULT) \
	RESULT(CLAIM_URL, "f.url") \
	RESULT(CLAIM_DIGEST, "f.digest") \
	RESULT(CLAIM_CLAIM, "f.claim") \
	RESULT(CLAIM_ATTEMPTS, "f.attempts") \
	RESULT(CLAIM_N_HOPS, "coalesce(pg_catalog.cardinality(f.hops), 0)") \
	RESULT(CLAIM_TRIED, "f.tried") \
	RESULT(CLAIM_EXPECTED, "f.expected")

enum
{
	CLAIM_IMAGE,
	CLAIM_COLUMNS(SQL_RESULT_INDEX)
};

static SqlStatement sql_claim_row = {
	.text =
	"UPDATE @.llava_fetch f SET holder = $4, claim = $5,"
	"  visible_at = $3, attempts = f.attempts + 1"
	" WHERE f.image = (SELECT w.image FROM @.llava_fetch w WHERE w.host = $1 AND w.failure IS NULL"
	"   AND w.visible_at <= $2 ORDER BY w.host, w.visible_at, w.image LIMIT 1 FOR UPDATE SKIP LOCKED)"
	" RETURNING f.image" CLAIM_COLUMNS(SQL_RESULT),
	.types = "tzzil"
};

static Errand *
errand_of_row(const Host *host)
{
	HeapTuple	row = SPI_tuptable->vals[0];
	TupleDesc	desc = SPI_tuptable->tupdesc;
	Errand	   *errand = errand_new(host->host, host->domain);
	MemoryContext old = MemoryContextSwitchTo(errand->context);
	bool		isnull;
	Datum		value;

	errand->row.image = DatumGetInt64(SPI_getbinval(row, desc, CLAIM_IMAGE + 1, &isnull));
	errand->row.digest = DatumGetByteaPCopy(SPI_getbinval(row, desc, CLAIM_DIGEST + 1, &isnull));
	errand->row.claim = DatumGetInt64(SPI_getbinval(row, desc, CLAIM_CLAIM + 1, &isnull));
	errand->row.attempts = DatumGetInt32(SPI_getbinval(row, desc, CLAIM_ATTEMPTS + 1, &isnull));
	errand->row.n_hops = DatumGetInt32(SPI_getbinval(row, desc, CLAIM_N_HOPS + 1, &isnull));
	value = SPI_getbinval(row, desc, CLAIM_TRIED + 1, &isnull);
	errand->row.tried = isnull ? NULL : TextDatumGetCString(value);
	value = SPI_getbinval(row, desc, CLAIM_EXPECTED + 1, &isnull);
	errand->row.expected = isnull ? NULL : DatumGetByteaPCopy(value);
	if (host->robots_sha256 != NULL)
		errand->row.robots_sha256 = DatumGetByteaPCopy(PointerGetDatum(host->robots_sha256));
	MemoryContextSwitchTo(old);
	return errand;
}

/* ---- rows that need no request ---- */

static SqlStatement sql_claim_rest = {
	.text =
	"UPDATE @.llava_fetch SET failure = $2, detail = $3, failed_at = pg_catalog.now(), holder = NULL,"
	"  attempts = attempts - 1 WHERE image = $1",
	.types = "ltt"
};

static void
rest_row(const Errand *errand, const char *reason, const char *detail)
{
	Datum		values[3] = {Int64GetDatum(errand->row.image), CStringGetTextDatum(reason), CStringGetTextDatum(detail)};

	(void) sql_run(&sql_claim_rest, values, NULL, 0);
}

static SqlStatement sql_claim_done = {
	.text = "DELETE FROM @.llava_fetch WHERE image = $1",
	.types = "l"
};

static SqlStatement sql_claim_waits = {
	.text =
	"SELECT FROM @.llava_image WHERE id = $1 AND image IS NULL AND NOT in_file AND sha256 IS NULL"
	"  AND same_as IS NULL AND rejected IS NULL",
	.types = "l"
};

/* The first picture that came from the same URL. */
static SqlStatement sql_claim_known = {
	.text =
	"SELECT coalesce(i.same_as, i.id) FROM @.llava_fetched d JOIN @.llava_image i ON i.id = d.image"
	" WHERE d.digest = $1 AND (i.sha256 IS NOT NULL) ORDER BY d.image LIMIT 1",
	.types = "b"
};

/* Whether the row is settled without a request. */
static bool
row_is_settled(Errand *errand)
{
	Datum		id = Int64GetDatum(errand->row.image);
	Datum		digest = PointerGetDatum(errand->row.digest);
	bool		isnull;
	char	   *forgotten;

	if (sql_run(&sql_claim_waits, &id, NULL, 0) == 0)
		(void) sql_run(&sql_claim_done, &id, NULL, 0);
	else if ((forgotten = intake_find_forgotten(errand->row.digest)) != NULL)
	{
		intake_url_forgotten(errand->row.image, forgotten);
		(void) sql_run(&sql_claim_done, &id, NULL, 0);
	}
	else if (sql_run(&sql_claim_known, &digest, NULL, 0) > 0)
	{
		intake_same_url(errand->row.image, DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull)));
		(void) sql_run(&sql_claim_done, &id, NULL, 0);
	}
	else
		return false;
	return true;
}

/* Whether robots.txt lets it be asked for; else the row rests. */
static bool
row_is_allowed(Errand *errand, const Host *host)
{
	const WebRobots *robots = judge_robots(host);
	WebRobotsVerdict verdict = {.allowed = true};

	if (robots != NULL)
		verdict = web_robots_judge(robots, errand->url.path);
	errand->row.robots_line = verdict.line;
	if (!verdict.allowed)
		rest_row(errand, "robots", psprintf("line %d of %s/robots.txt", verdict.line, host->host));
	else if (verdict.reserved_line != 0)
		rest_row(errand, "reserved", psprintf("line %d of %s/robots.txt reserves it", verdict.reserved_line, host->host));
	return verdict.allowed && verdict.reserved_line == 0;
}

/* ---- one host ---- */

/* A number that no claim had before: the clock's, since one process claims at a time. */
static int64
next_claim(void)
{
	static int64 last;

	last = Max(last + 1, GetCurrentTimestamp());
	return last;
}

/* A row of the host that is to be asked for; NULL: there is none now. */
static Errand *
claim_row(const Host *host, TimestampTz now, bool *more)
{
	Datum		values[5] = {CStringGetTextDatum(host->host), TimestampTzGetDatum(now),
		TimestampTzGetDatum(TimestampTzPlusMilliseconds(now, llava_fetch_timeout + LEASE_MARGIN_MS)),
	Int32GetDatum(FETCHER_SLOT)};

	*more = false;
	for (int i = 0; i < MOST_SETTLED; i++)
	{
		Errand	   *errand;
		const char *reason;
		char	   *url;

		values[4] = Int64GetDatum(next_claim());
		if (sql_run(&sql_claim_row, values, NULL, 0) == 0)
			return NULL;
		url = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, CLAIM_URL + 1);
		errand = errand_of_row(host);
		if (!row_is_settled(errand))
		{
			errand_set_url(errand, url, &reason);
			if (reason == NULL && row_is_allowed(errand, host))
				return errand;
			if (reason != NULL)
				rest_row(errand, reason, "the URL cannot be fetched with the settings of today");
		}
		errand_free(errand);
		CHECK_FOR_INTERRUPTS();
	}
	*more = true;
	return NULL;
}

static Errand *
robots_errand(const Host *host)
{
	Errand	   *errand = errand_new(host->host, host->domain);
	const char *reason;
	char	   *url = psprintf("%s/robots.txt", host->host);

	errand->robots_of = MemoryContextStrdup(errand->context, host->host);
	if (!errand_set_url(errand, url, &reason))
		elog(ERROR, "robots.txt of \"%s\": %s", host->host, reason);
	return errand;
}

/* A robots.txt of another host that was redirected to this one. */
static Errand *
waiting_hop(Fetcher *fetcher, const char *host)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &fetcher->hops)
	{
		Errand	   *errand = dlist_container(Errand, node, iter.cur);

		if (strcmp(errand->host, host) == 0)
			return errand;
	}
	return NULL;
}

static bool
domain_is_busy(Fetcher *fetcher, const char *domain)
{
	dlist_head *lists[] = {&fetcher->claimed, &fetcher->ready, &fetcher->flying};
	int			n = 0;

	for (int i = 0; i < lengthof(lists); i++)
	{
		dlist_iter	iter;

		dlist_foreach(iter, lists[i])
			n += strcmp(dlist_container(Errand, node, iter.cur)->domain, domain) == 0;
	}
	return n >= MOST_PER_DOMAIN;
}

/* Whether robots.txt is asked for before anything else of the host. */
static bool
wants_robots(const Host *host, TimestampTz now)
{
	return TIMESTAMP_IS_NOBEGIN(host->robots_until) || host->robots_until <= now;
}

/* Rows of a host that was given up rest. */
static void
rest_of_host(Host *host, TimestampTz now)
{
	uint64		n = host_rest_rows(host->host, host->rests, host->reason, MOST_RESTED);

	host_write(host, n == MOST_RESTED ? now : DT_NOEND, false);
}

/* The errand that is to be sent now, in the list of claimed ones; false: none is. */
static bool
claim_of_host(Fetcher *fetcher, Host *host, TimestampTz now)
{
	Errand	   *errand = waiting_hop(fetcher, host->host);
	bool		more = false;

	if (errand == NULL && host->rests == NULL && host->pace.crawl_delay_ms > llava_fetch_max_delay && !wants_robots(host, now))
		host->rests = pstrdup("crawl_delay");
	if (errand == NULL && host->rests != NULL)
	{
		rest_of_host(host, now);
		return false;
	}
	if (errand == NULL && TIMESTAMP_NOT_FINITE(host_first_row(host->host)))
	{
		host_write(host, DT_NOEND, false);
		return false;
	}
	if (domain_is_busy(fetcher, host->domain))
	{
		host_write(host, TimestampTzPlusMilliseconds(now, DOMAIN_BUSY_MS), false);
		return false;
	}
	if (errand != NULL)
		dlist_delete(&errand->node);
	else if (wants_robots(host, now))
		errand = robots_errand(host);
	else
		errand = claim_row(host, now, &more);
	if (errand == NULL && more)
		host_write(host, now, false);
	else if (errand == NULL)
		host_put_in_line(host);
	if (errand == NULL)
		return false;
	dlist_push_tail(&fetcher->claimed, &errand->node);
	errand->unverified = host->reason != NULL && strcmp(host->reason, "tls") == 0 && llava_fetch_tls == FETCH_TLS_RECORD;
	web_pace_begin(&host->pace, llava_fetch_delay, ms_of(now) + 1);
	host_write(host, DT_NOEND, true);
	return true;
}

int
claim_errands(Fetcher *fetcher, TimestampTz now, int room)
{
	Host	   *hosts;
	int			n = hosts_due(now, room, &hosts);
	int			claimed = 0;

	for (int i = 0; i < n; i++)
		claimed += claim_of_host(fetcher, &hosts[i], now);
	return claimed;
}
