/*
 * settle.c
 *	  Writes down what became of a request, for its row and for its host, in one transaction.
 *
 * The claim's number fences it: a row that was deleted, taken down, or given another URL
 * meanwhile is left alone, and what came is dropped.
 */
#include "postgres.h"

#include "errand.h"
#include "executor/spi.h"
#include "intake/intake.h"
#include "process/process.h"
#include "utils/builtins.h"

/* The pauses before the second, third, ... attempt. */
static const int64 settle_pauses_ms[] = {60000, 600000, INT64CONST(7200000), INT64CONST(43200000)};

/* A host whose name nobody could tell is asked for again after this. */
#define RESOLVER_PAUSE_MS (60 * 1000)

/* Points in time are cut to milliseconds, of two clocks. */
#define ROUNDING_MS 2

static SqlStatement sql_settle_locked = {
	.text = "SELECT FROM @.llava_fetch WHERE image = $1 AND claim = $2 FOR UPDATE",
	.types = "ll"
};

static SqlStatement sql_settle_done = {
	.text = "DELETE FROM @.llava_fetch WHERE image = $1",
	.types = "l"
};

/* ---- the row goes on waiting, or rests ---- */

static SqlStatement sql_settle_again = {
	.text =
	"UPDATE @.llava_fetch SET holder = NULL, visible_at = $2, tried = $3, detail = $4,"
	"  attempts = GREATEST(attempts - $5, 0) WHERE image = $1",
	.types = "lztti"
};

/* back: whether the attempt does not count. */
static void
again(const Errand *errand, TimestampTz visible_at, const Outcome *outcome, bool back)
{
	Datum		values[5] = {Int64GetDatum(errand->row.image), TimestampTzGetDatum(visible_at),
		outcome->reason == NULL ? (Datum) 0 : CStringGetTextDatum(outcome->reason),
	outcome->detail == NULL ? (Datum) 0 : CStringGetTextDatum(outcome->detail), Int32GetDatum(back)};
	char		nulls[6] = "     ";

	nulls[2] = outcome->reason == NULL ? 'n' : ' ';
	nulls[3] = outcome->detail == NULL ? 'n' : ' ';
	(void) sql_run(&sql_settle_again, values, nulls, 0);
}

static SqlStatement sql_settle_rest = {
	.text =
	"UPDATE @.llava_fetch SET holder = NULL, failure = $2, detail = $3, tried = $2,"
	"  failed_at = pg_catalog.now() WHERE image = $1",
	.types = "ltt"
};

static void
rest(const Errand *errand, const char *reason, const char *detail)
{
	Datum		values[3] = {Int64GetDatum(errand->row.image), CStringGetTextDatum(reason),
	detail == NULL ? (Datum) 0 : CStringGetTextDatum(detail)};

	(void) sql_run(&sql_settle_rest, values, detail == NULL ? "  n" : NULL, 0);
}

/* ---- another hop ---- */

static SqlStatement sql_settle_moved = {
	.text =
	"UPDATE @.llava_fetch SET holder = NULL, host = $2, url = $3, hops = hops || $4, visible_at = pg_catalog.now(),"
	"  tried = NULL, attempts = GREATEST(attempts - 1, 0) WHERE image = $1",
	.types = "lttt"
};

static SqlStatement sql_settle_was_there = {
	.text = "SELECT FROM @.llava_fetch WHERE image = $1 AND (url = $2 OR $2 = ANY (hops))",
	.types = "lt"
};

/* The row waits for its next host's turn, and meets that one's robots.txt and pace. */
static void
move_on(const Errand *errand, const WebUrl *to)
{
	char	   *host = pnstrdup(to->normal, to->path - to->normal);
	Datum		there[2] = {Int64GetDatum(errand->row.image), CStringGetTextDatum(to->normal)};
	Datum		values[4] = {there[0], CStringGetTextDatum(host), there[1], CStringGetTextDatum(errand->url.normal)};

	if (errand->row.n_hops >= MOST_HOPS)
		rest(errand, "redirects", psprintf("more than %d redirects", MOST_HOPS));
	else if (sql_run(&sql_settle_was_there, there, NULL, 0) > 0)
		rest(errand, "redirects", "a redirect leads back to where it came from");
	else
	{
		(void) sql_run(&sql_settle_moved, values, NULL, 0);
		host_wanted(host, to->host, to->domain);
	}
}

static void
moved(const Errand *errand)
{
	const char *location = errand->response.headers[WEB_HEADER_LOCATION];
	WebUrl		to;
	const char *refused = web_url_join(&errand->url, location, config_fetch_ports(), &to);

	if (refused != NULL)
	{
		rest(errand, refused, psprintf("it is redirected to what cannot be fetched: %s", rows_clean_text(location)));
		return;
	}
	PG_TRY();
	{
		move_on(errand, &to);
	}
	PG_FINALLY();
	{
		web_url_free(&to);
	}
	PG_END_TRY();
}

/* ---- the picture ---- */

static SqlStatement sql_settle_evidence = {
	.text =
	"INSERT INTO @.llava_fetched AS d (image, digest, url, final_url, hops, address, status, fetched_at, robots_sha256,"
	"  robots_line, headers, tls_unverified)"
	" SELECT $1, $2, coalesce(w.hops[1], w.url), w.url, w.hops, $3, $4, $5, $6, nullif($7, 0),"
	"  pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('content-type', $8, 'x-robots-tag', $9,"
	"  'tdm-reservation', $10, 'tdm-policy', $11, 'content-usage', $12, 'last-modified', $13, 'etag', $14)), $15"
	" FROM @.llava_fetch w WHERE w.image = $1"
	" ON CONFLICT (image) DO UPDATE SET digest = EXCLUDED.digest, url = EXCLUDED.url, final_url = EXCLUDED.final_url,"
	"  hops = EXCLUDED.hops, address = EXCLUDED.address, status = EXCLUDED.status, fetched_at = EXCLUDED.fetched_at,"
	"  robots_sha256 = EXCLUDED.robots_sha256, robots_line = EXCLUDED.robots_line, headers = EXCLUDED.headers,"
	"  tls_unverified = EXCLUDED.tls_unverified",
	.types = "lbtizbitttttttB"
};

static void
write_evidence(const Errand *errand)
{
	static const WebHeader kept[] = {WEB_HEADER_CONTENT_TYPE, WEB_HEADER_X_ROBOTS_TAG, WEB_HEADER_TDM_RESERVATION,
	WEB_HEADER_TDM_POLICY, WEB_HEADER_CONTENT_USAGE, WEB_HEADER_LAST_MODIFIED, WEB_HEADER_ETAG};
	const WebResponse *response = &errand->response;
	Datum		values[15] = {Int64GetDatum(errand->row.image), PointerGetDatum(errand->row.digest), CStringGetTextDatum(response->address),
		Int32GetDatum(response->status), TimestampTzGetDatum(errand->sent_at), PointerGetDatum(errand->row.robots_sha256),
	Int32GetDatum(errand->row.robots_line)};
	char		nulls[16] = "               ";

	nulls[5] = errand->row.robots_sha256 == NULL ? 'n' : ' ';
	for (int i = 0; i < lengthof(kept); i++)
	{
		const char *header = response->headers[kept[i]];

		nulls[7 + i] = header == NULL ? 'n' : ' ';
		if (header != NULL)
			values[7 + i] = CStringGetTextDatum(rows_clean_text(header));
	}
	values[14] = BoolGetDatum(errand->unverified);
	(void) sql_run(&sql_settle_evidence, values, nulls, 0);
}

static void
fetched(const Errand *errand, Host *host)
{
	Datum		id = Int64GetDatum(errand->row.image);

	if (intake_arrive(errand->row.image, errand->response.body, errand->response.body_size, errand->row.expected))
	{
		write_evidence(errand);
		host->fetched++;
		host->bytes += (int64) errand->response.body_size;
	}
	(void) sql_run(&sql_settle_done, &id, NULL, 0);
}

/* ---- both ---- */

static void
settle_row(const Errand *errand, const Outcome *outcome, Host *host)
{
	TimestampTz now = GetCurrentTimestamp();
	int			pause = Min(Max(errand->row.attempts - 1, 0), lengthof(settle_pauses_ms) - 1);
	bool		down = host->pace.state == WEB_HOST_DOWN;

	switch (outcome->action)
	{
		case OUTCOME_FETCHED:
			fetched(errand, host);
			break;
		case OUTCOME_MOVED:
			moved(errand);
			break;
		case OUTCOME_RETRY:
			/* the probe of a host that is down is not to blame */
			if (errand->row.attempts >= llava_fetch_attempts && !down)
				rest(errand, outcome->reason, outcome->detail);
			else
				again(errand, TimestampTzPlusMilliseconds(now, down ? 0 : settle_pauses_ms[pause]), outcome, down);
			break;
		case OUTCOME_ONCE_MORE:
			if (errand->row.tried != NULL && strcmp(errand->row.tried, outcome->reason) == 0)
				rest(errand, outcome->reason, outcome->detail);
			else
				again(errand, TimestampTzPlusMilliseconds(now, outcome->delay_ms), outcome, true);
			break;
		case OUTCOME_HOST:
			again(errand, now, outcome, true);
			break;
		case OUTCOME_FINAL:
			rest(errand, outcome->reason, outcome->detail);
			break;
	}
}

/*
 * The delay counts from when the answer began, or the request ended without one: by then
 * the host had the request, however long it was on its way.  So no two requests reach a
 * host within its delay.
 */
void
settle_keep_delay(Errand *errand, Host *host)
{
	const WebResponse *response = &errand->response;
	int64		now_ms = ms_of(GetCurrentTimestamp());
	int64		there_ms = response->answered_ms == 0 ? now_ms : now_ms - (clock_monotonic_ms() - response->answered_ms);
	int64		free_ms = there_ms + web_pace_delay(&host->pace, llava_fetch_delay) + ROUNDING_MS;

	if (response->began_ms != 0 && host->pace.free_ms < free_ms)
		host->pace.free_ms = free_ms;
	errand->host_free_at = host->pace.free_ms * 1000;
}

/* What is no fault of the host's, and yet takes time. */
static void
settle_own_limits(const Errand *errand, Host *host)
{
	const WebResponse *response = &errand->response;
	TimestampTz now = GetCurrentTimestamp();
	int64		free_ms = 0;

	if (response->fault == WEB_FAULT_BUSY)
		free_ms = ms_of(domain_turn(response->address, now));
	else if (response->fault == WEB_FAULT_RESOLVER)
		free_ms = ms_of(now) + RESOLVER_PAUSE_MS;
	if (host->pace.free_ms < free_ms)
		host->pace.free_ms = free_ms;
}

void
settle_pace(Errand *errand, Host *host, const Outcome *outcome)
{
	const WebResponse *response = &errand->response;
	int64		now_ms = ms_of(GetCurrentTimestamp());

	if (outcome->has_event &&
		web_pace_end(&host->pace, llava_fetch_delay, outcome->event, response->latency_ms,
					 response->retry_after_ms, now_ms))
		host->rests = pstrdup(host->pace.state == WEB_HOST_DOWN ? "host_down" : "blocked");
	settle_keep_delay(errand, host);
	settle_own_limits(errand, host);
	if (host->pace.state == WEB_HOST_OK || host->pace.state == WEB_HOST_SLOW)
	{
		if (host->reason != NULL && strcmp(host->reason, "tls") != 0)
			host->reason = NULL;
	}
	else
		host->reason = outcome->detail != NULL ? outcome->detail : pstrdup(outcome->reason != NULL ? outcome->reason : "");
}

void
settle_errand(void *arg)
{
	Settle	   *settle = arg;
	Errand	   *errand = settle->errand;
	Datum		values[2] = {Int64GetDatum(errand->row.image), Int64GetDatum(errand->row.claim)};
	Host		host;
	Outcome		outcome;

	if (!host_read(errand->host, &host))
		return;
	if (errand->row.image == 0)
	{
		settle_robots(settle, &host);
		return;
	}
	outcome = outcome_of(errand, settle->fetcher->honoured);
	/* with that setting the host is asked again, and it is written down how */
	if (errand->response.fault == WEB_FAULT_TLS && llava_fetch_tls == FETCH_TLS_RECORD && !errand->unverified)
	{
		host.reason = pstrdup("tls");
		outcome.action = OUTCOME_HOST;
	}
	if (errand->response.fault == WEB_FAULT_NONE && !errand->unverified && host.reason != NULL && strcmp(host.reason, "tls") == 0)
		host.reason = NULL;
	settle_pace(errand, &host, &outcome);
	if (sql_run(&sql_settle_locked, values, NULL, 0) > 0)
		settle_row(errand, &outcome, &host);
	host_put_in_line(&host);
}

/* A request may be on its way, or just have arrived: the host's delay counts from now on. */
static void
put_in_line_from_now(const char *name)
{
	Host		host;
	int64		free_ms;

	if (!host_read(name, &host))
		return;
	free_ms = ms_of(GetCurrentTimestamp()) + web_pace_delay(&host.pace, llava_fetch_delay) + ROUNDING_MS;
	host.pace.free_ms = Max(host.pace.free_ms, free_ms);
	host_put_in_line(&host);
}

void
settle_give_back(const Errand *errand)
{
	Outcome		nothing = {0};
	Datum		values[2] = {Int64GetDatum(errand->row.image), Int64GetDatum(errand->row.claim)};

	if (errand->row.image != 0 && sql_run(&sql_settle_locked, values, NULL, 0) > 0)
		again(errand, GetCurrentTimestamp(), &nothing, true);
	put_in_line_from_now(errand->host);
}

void
settle_as_error(const Errand *errand, const char *message)
{
	Datum		values[2] = {Int64GetDatum(errand->row.image), Int64GetDatum(errand->row.claim)};

	if (errand->row.image != 0 && sql_run(&sql_settle_locked, values, NULL, 0) > 0)
		rest(errand, "error", message);
	put_in_line_from_now(errand->host);
}
