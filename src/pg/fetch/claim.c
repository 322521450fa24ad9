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
#include "process/process.h"
#include "utils/builtins.h"

/* A host whose rows cannot be claimed is tried again after this, or this if it is an error. */
#define LOCKED_MS 1000
#define ERROR_MS (60 * 1000)

/* A row whose URL another one is being fetched from is looked at again so long after that. */
#define FIRST_LOOK_S 30

/* Rows of a host that are settled without a request in one claim. */
#define MOST_SETTLED 100

/* Rows of a host that rest, or wait again, in one claim. */
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
	" WHERE f.ctid = (SELECT w.ctid FROM @.llava_fetch w WHERE w.host = $1 AND w.failure IS NULL"
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
	" WHERE d.digest = $1 AND (i.sha256 IS NOT NULL) ORDER BY d.digest, d.image LIMIT 1",
	.types = "b"
};

/* Another row with this URL that was claimed before and has not come to an end. */
static SqlStatement sql_claim_first = {
	.text =
	"SELECT pg_catalog.max(CASE WHEN holder IS NULL THEN visible_at ELSE pg_catalog.now() END) FROM @.llava_fetch"
	" WHERE digest = $1 AND claim IS NOT NULL AND failure IS NULL AND image <> $2 HAVING pg_catalog.count(*) > 0",
	.types = "bl"
};

/* It was never claimed, so the other one waits for nobody. */
static SqlStatement sql_claim_after = {
	.text =
	"UPDATE @.llava_fetch SET holder = NULL, claim = NULL, attempts = attempts - 1,"
	"  visible_at = GREATEST($2, pg_catalog.now()) + pg_catalog.make_interval(secs => $3)"
	" WHERE image = $1",
	.types = "lzi"
};

/* Its URL may be on its way through redirects, or waits for its next attempt. */
static bool
row_waits_for_first(const Errand *errand)
{
	Datum		first[2] = {PointerGetDatum(errand->row.digest), Int64GetDatum(errand->row.image)};
	Datum		values[3] = {first[1], 0, Int32GetDatum(FIRST_LOOK_S)};
	bool		isnull;

	if (sql_run(&sql_claim_first, first, NULL, 0) == 0)
		return false;
	values[1] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	(void) sql_run(&sql_claim_after, values, NULL, 0);
	return true;
}

/* Whether the row is settled, or put off, without a request. */
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
		return row_waits_for_first(errand);
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
claim_row(Fetcher *fetcher, const Host *host, TimestampTz now, bool *more)
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
		errand = fetcher->making = errand_of_row(host);
		if (!row_is_settled(errand))
		{
			errand_set_url(errand, url, &reason);
			if (reason == NULL && row_is_allowed(errand, host))
				return errand;
			if (reason != NULL)
				rest_row(errand, reason, "the URL cannot be fetched with the settings of today");
		}
		fetcher->making = NULL;
		errand_free(errand);
		fetcher_serve(fetcher);
		CHECK_FOR_INTERRUPTS();
	}
	*more = true;
	return NULL;
}

/* NULL: the settings of today do not let it be asked; the host's rows rest. */
static Errand *
robots_errand(Fetcher *fetcher, Host *host)
{
	Errand	   *errand = fetcher->making = errand_new(host->host, host->domain);
	const char *reason;

	errand->robots_of = MemoryContextStrdup(errand->context, host->host);
	if (errand_set_url(errand, psprintf("%s/robots.txt", host->host), &reason))
		return errand;
	fetcher->making = NULL;
	errand_free(errand);
	host->rests = pstrdup(reason);
	host->reason = pstrdup("the URL cannot be fetched with the settings of today");
	return NULL;
}

/* A robots.txt of another host that was redirected to this one. */
static Errand *
waiting_hop(Fetcher *fetcher, const char *host)
{
	dlist_iter	iter;

	dlist_foreach(iter, &fetcher->hops)
	{
		Errand	   *errand = dlist_container(Errand, node, iter.cur);

		if (strcmp(errand->host, host) == 0)
			return errand;
	}
	return NULL;
}

static void
take_hop(Fetcher *fetcher, Errand *errand)
{
	dlist_delete(&errand->node);
	fetcher->n_hops--;
	fetcher->making = errand;
}

/* Puts hosts in line that a robots.txt was redirected to: no row may wait for them. */
static void
want_hops(Fetcher *fetcher)
{
	int64		now_ms = clock_monotonic_ms();
	dlist_iter	iter;

	dlist_foreach(iter, &fetcher->hops)
	{
		Errand	   *errand = dlist_container(Errand, node, iter.cur);

		if (now_ms - errand->wanted_ms < HOP_LOOK_MS)
			continue;
		host_wanted(errand->host, errand->url.host, errand->domain);
		errand->wanted_ms = now_ms;
	}
}

/* Whether robots.txt is asked for before anything else of the host. */
static bool
wants_robots(const Host *host, TimestampTz now)
{
	return TIMESTAMP_IS_NOBEGIN(host->robots_until) || host->robots_until <= now;
}

/* Rows of a host that was given up rest; or those that its former robots.txt refused wait. */
static void
rest_of_host(Host *host, TimestampTz now)
{
	uint64		n;

	if (strcmp(host->rests, RESTS_UNTIL_RELEASED) != 0)
	{
		n = host_rest_rows(host->host, host->rests, host->reason, MOST_RESTED);
		host_write(host, n == MOST_RESTED ? now : DT_NOEND, false);
		return;
	}
	n = host_release_rows(host->host, "robots", MOST_RESTED);
	if (n < MOST_RESTED)
		host->rests = NULL;
	if (n < MOST_RESTED)
		host_put_in_line(host);
	else
		host_write(host, now, false);
}

/* Whether the host gets no request now, which its row says then. */
static bool
host_passes(Host *host, TimestampTz now)
{
	if (host->rests == NULL && host->pace.crawl_delay_ms > llava_fetch_max_delay && !wants_robots(host, now))
		host->rests = pstrdup("crawl_delay");
	if (host->rests != NULL)
		rest_of_host(host, now);
	else if (wants_robots(host, now) && TIMESTAMP_NOT_FINITE(host_first_row(host->host)))
		host_write(host, DT_NOEND, false);
	else
		return false;
	return true;
}

/* Certificates are looked at again with each robots.txt: that of a day before may hold by now. */
static bool
is_unverified(const Errand *errand, const Host *host)
{
	return llava_fetch_tls == FETCH_TLS_RECORD && host->reason != NULL && strcmp(host->reason, "tls") == 0 &&
		(errand->row.image != 0 || errand->robots_hops > 0 || TIMESTAMP_IS_NOBEGIN(host->robots_until));
}

/* Whether its owner has enough requests, or another database asks it; it comes back then. */
static bool
host_is_busy(Host *host, TimestampTz now)
{
	TimestampTz free_at;

	if (domain_is_busy(host->domain))
		free_at = domain_turn(host->domain, now);
	else
		free_at = shared_pace_take(host->host, now);
	if (free_at == DT_NOBEGIN)
		return false;
	host_put_off(host, free_at);
	return true;
}

/* The errand that is to be sent now; NULL: none is. */
static Errand *
claim_of_host(Fetcher *fetcher, Host *host, TimestampTz now)
{
	Errand	   *errand = waiting_hop(fetcher, host->host);
	bool		more = false;

	if (errand == NULL && host_passes(host, now))
		return NULL;
	if (host_is_busy(host, now))
		return NULL;
	if (errand != NULL)
		take_hop(fetcher, errand);
	else if (wants_robots(host, now))
		errand = robots_errand(fetcher, host);
	else
		errand = claim_row(fetcher, host, now, &more);
	if (errand == NULL)
	{
		shared_pace_give(host->host, now);
		if (host->rests != NULL)
			rest_of_host(host, now);
		else if (more)
			host_write(host, now, false);
		else
			host_put_in_line(host);
		return NULL;
	}
	errand->holds_host = true;
	errand->unverified = is_unverified(errand, host);
	web_pace_begin(&host->pace, llava_fetch_delay, ms_of(now) + 1);
	host_write(host, DT_NOEND, true);
	return errand;
}

typedef struct HostClaim
{
	Fetcher    *fetcher;
	Host	   *host;
	TimestampTz now;			/* of the claim, or when the host is to be
								 * tried again */
	Errand	   *errand;
} HostClaim;

static void
claim_host(void *arg)
{
	HostClaim  *claim = arg;

	claim->errand = claim_of_host(claim->fetcher, claim->host, claim->now);
}

static void
put_off_host(void *arg)
{
	HostClaim  *claim = arg;

	host_put_off(claim->host, claim->now);
}

/* A lock or an error of one host is in nobody else's way. */
static bool
put_off(HostClaim *claim, const ErrorData *error)
{
	bool		passes = tx_error_passes(error);
	ErrorData  *second;

	if (!passes)
		ereport(WARNING,
				(errmsg("llava_zh: what waits for \"%s\" could not be claimed: %s", claim->host->host, error->message)));
	claim->now = TimestampTzPlusMilliseconds(claim->now, passes ? LOCKED_MS : ERROR_MS);
	return tx_try(CurrentMemoryContext, put_off_host, claim, &second);
}

/* Each host in a subtransaction of its own. */
int
claim_errands(Fetcher *fetcher, TimestampTz now, int room, bool *stuck)
{
	Host	   *hosts;
	int			n;
	int			claimed = 0;

	want_hops(fetcher);
	n = hosts_due(now, room, &hosts);
	*stuck = true;
	for (int i = 0; i < n; i++)
	{
		HostClaim	claim = {.fetcher = fetcher,.host = &hosts[i],.now = now};
		ErrorData  *error;

		if (tx_try(CurrentMemoryContext, claim_host, &claim, &error))
			*stuck = false;
		else
		{
			if (fetcher->making != NULL)
				fetcher_drop(fetcher, fetcher->making);
			claim.errand = NULL;
			shared_pace_give(hosts[i].host, now);
			if (put_off(&claim, error))
				*stuck = false;
		}
		fetcher->making = NULL;
		if (claim.errand != NULL)
		{
			domain_enter(claim.errand);
			dlist_push_tail(&fetcher->claimed, &claim.errand->node);
			claimed++;
		}
		fetcher_serve(fetcher);
	}
	return claimed;
}
