/*
 * hosts.c
 *	  Rows of llava_host: what is known of each host between two requests.
 *
 * next_at is where a host stands in the line of claims.  free_at, which its pace sets, is
 * written before a request begins, so that neither a crash nor another process shortens the
 * delay.  robots.txt is written only when it was asked for, and read only to be parsed.
 */
#include "postgres.h"

#include "errand.h"
#include "executor/spi.h"
#include "process/process.h"
#include "utils/builtins.h"

#define HOST_COLUMNS(RESULT) \
	RESULT(HOST_NAME, "name") \
	RESULT(HOST_DOMAIN, "domain") \
	RESULT(HOST_FREE_AT, "free_at") \
	RESULT(HOST_STATE, "state") \
	RESULT(HOST_SINCE, "since") \
	RESULT(HOST_REASON, "reason") \
	RESULT(HOST_RESTS, "rests") \
	RESULT(HOST_CRAWL_DELAY, "crawl_delay_ms") \
	RESULT(HOST_PENALTY, "penalty_ms") \
	RESULT(HOST_LATENCY, "latency_ms") \
	RESULT(HOST_ERRORS, "errors") \
	RESULT(HOST_REFUSALS, "refusals") \
	RESULT(HOST_PROBES, "probes") \
	RESULT(HOST_RECENT, "recent") \
	RESULT(HOST_N_RECENT, "n_recent") \
	RESULT(HOST_HAS_ROBOTS, "robots IS NOT NULL") \
	RESULT(HOST_ROBOTS_SHA256, "robots_sha256") \
	RESULT(HOST_ROBOTS_UNTIL, "robots_until") \
	RESULT(HOST_ROBOTS_GOOD_AT, "robots_good_at") \
	RESULT(HOST_ROBOTS_FAILED_AT, "robots_failed_at") \
	RESULT(HOST_FETCHED, "fetched") \
	RESULT(HOST_BYTES, "bytes") \
	RESULT(HOST_PARKED, "parked") \
	RESULT(HOST_NEXT_AT, "next_at")

enum
{
	HOST_HOST,
	HOST_COLUMNS(SQL_RESULT_INDEX)
};

static SqlStatement sql_host_read = {
	.text =
	"SELECT host" HOST_COLUMNS(SQL_RESULT)
	" FROM @.llava_host WHERE host = $1 FOR UPDATE",
	.types = "t"
};

static Datum
column(HeapTuple row, int number, bool *isnull)
{
	return SPI_getbinval(row, SPI_tuptable->tupdesc, number + 1, isnull);
}

static char *
text_column(HeapTuple row, int number)
{
	bool		isnull;
	Datum		value = column(row, number, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static int64
number_column(HeapTuple row, int number)
{
	bool		isnull;

	return DatumGetInt64(column(row, number, &isnull));
}

static int
integer_column(HeapTuple row, int number)
{
	bool		isnull;

	return DatumGetInt32(column(row, number, &isnull));
}

static TimestampTz
time_column(HeapTuple row, int number)
{
	bool		isnull;
	Datum		value = column(row, number, &isnull);

	return isnull ? DT_NOBEGIN : DatumGetTimestampTz(value);
}

static WebHostState
state_of(const char *name)
{
	for (int i = 0; i < WEB_HOST_STATES; i++)
		if (strcmp(name, web_host_state_name(i)) == 0)
			return i;
	return WEB_HOST_OK;
}

static void
read_pace(HeapTuple row, WebPace *pace)
{
	TimestampTz free_at = time_column(row, HOST_FREE_AT);

	pace->state = state_of(text_column(row, HOST_STATE));
	pace->since_ms = ms_of(time_column(row, HOST_SINCE));
	pace->free_ms = TIMESTAMP_IS_NOBEGIN(free_at) ? 0 : ms_of(free_at);
	pace->crawl_delay_ms = integer_column(row, HOST_CRAWL_DELAY);
	pace->penalty_ms = integer_column(row, HOST_PENALTY);
	pace->latency_ms = integer_column(row, HOST_LATENCY);
	pace->errors = integer_column(row, HOST_ERRORS);
	pace->refusals = integer_column(row, HOST_REFUSALS);
	pace->probes = integer_column(row, HOST_PROBES);
	pace->recent = number_column(row, HOST_RECENT);
	pace->n_recent = integer_column(row, HOST_N_RECENT);
}

static void
read_host(HeapTuple row, Host *host)
{
	bool		isnull;
	Datum		digest;

	memset(host, 0, sizeof(*host));
	host->host = text_column(row, HOST_HOST);
	host->name = text_column(row, HOST_NAME);
	host->domain = text_column(row, HOST_DOMAIN);
	read_pace(row, &host->pace);
	host->robots_unreachable = strcmp(text_column(row, HOST_STATE), "robots_unreachable") == 0;
	host->reason = text_column(row, HOST_REASON);
	host->rests = text_column(row, HOST_RESTS);
	host->has_robots = DatumGetBool(column(row, HOST_HAS_ROBOTS, &isnull));
	digest = column(row, HOST_ROBOTS_SHA256, &isnull);
	host->robots_sha256 = isnull ? NULL : DatumGetByteaPCopy(digest);
	host->robots_until = time_column(row, HOST_ROBOTS_UNTIL);
	host->robots_good_at = time_column(row, HOST_ROBOTS_GOOD_AT);
	host->robots_failed_at = time_column(row, HOST_ROBOTS_FAILED_AT);
	host->fetched = number_column(row, HOST_FETCHED);
	host->bytes = number_column(row, HOST_BYTES);
	host->parked = DatumGetBool(column(row, HOST_PARKED, &isnull));
}

bool
host_read(const char *name, Host *host)
{
	Datum		value = CStringGetTextDatum(name);

	if (sql_run(&sql_host_read, &value, NULL, 0) == 0)
		return false;
	read_host(SPI_tuptable->vals[0], host);
	return true;
}

/* ---- the line ---- */

/* Between two looks at the whole line, in times of how long the first of them took. */
#define LOOK_SHARE 20

/*
 * Where claims begin to read.  What lies before are dead entries, of which there may be
 * millions while somebody keeps a snapshot, and hosts that others had locked or have
 * written: those are found when the whole line is looked at.
 */
static struct
{
	TimestampTz from;
	int64		look_at_ms;		/* monotonic */
}			line = {DT_NOBEGIN, 0};

void
hosts_look_from(TimestampTz earliest)
{
	line.from = Min(line.from, earliest);
}

static SqlStatement sql_hosts_due = {
	.text =
	"SELECT host" HOST_COLUMNS(SQL_RESULT)
	" FROM @.llava_host WHERE next_at <= $1 AND next_at >= $3 ORDER BY next_at, host LIMIT $2 FOR UPDATE SKIP LOCKED",
	.types = "zlz"
};

int
hosts_due(TimestampTz now, int most, Host **hosts)
{
	int64		begun_ms = clock_monotonic_ms();
	bool		whole = begun_ms >= line.look_at_ms;
	Datum		values[3] = {TimestampTzGetDatum(now), Int64GetDatum(most),
	TimestampTzGetDatum(whole ? DT_NOBEGIN : line.from)};
	int			n = (int) sql_run(&sql_hosts_due, values, NULL, 0);
	SPITupleTable *table = SPI_tuptable;

	if (whole)
		line.look_at_ms = begun_ms + Max(llava_naptime, (clock_monotonic_ms() - begun_ms) * LOOK_SHARE);
	line.from = n < most ? now : time_column(table->vals[n - 1], HOST_NEXT_AT);
	*hosts = palloc(sizeof(Host) * (n + 1));
	for (int i = 0; i < n; i++)
	{
		SPI_tuptable = table;
		read_host(table->vals[i], &(*hosts)[i]);
	}
	return n;
}

/* The point in time in the only row; DT_NOEND: there is none. */
static TimestampTz
only_time(uint64 rows)
{
	bool		isnull;

	return rows == 0 ? DT_NOEND : DatumGetTimestampTz(column(SPI_tuptable->vals[0], 0, &isnull));
}

static SqlStatement sql_hosts_next = {
	.text = "SELECT next_at FROM @.llava_host WHERE next_at > $1 AND next_at < 'infinity' ORDER BY next_at, host LIMIT 1",
	.types = "z"
};

TimestampTz
hosts_next(TimestampTz after)
{
	Datum		value = TimestampTzGetDatum(Max(after, line.from == DT_NOBEGIN ? DT_NOBEGIN : line.from - 1));

	return only_time(sql_run(&sql_hosts_next, &value, NULL, 0));
}

#define HOST_ARGUMENTS(ARGUMENT) \
	ARGUMENT(2, PUT_NEXT_AT, "next_at", "z") \
	ARGUMENT(3, PUT_FREE_AT, "free_at", "z") \
	ARGUMENT(4, PUT_ASKING, "asking", "B") \
	ARGUMENT(5, PUT_STATE, "state", "t") \
	ARGUMENT(6, PUT_SINCE, "since", "z") \
	ARGUMENT(7, PUT_REASON, "reason", "t") \
	ARGUMENT(8, PUT_RESTS, "rests", "t") \
	ARGUMENT(9, PUT_DELAY, "delay_ms", "i") \
	ARGUMENT(10, PUT_CRAWL_DELAY, "crawl_delay_ms", "i") \
	ARGUMENT(11, PUT_PENALTY, "penalty_ms", "i") \
	ARGUMENT(12, PUT_LATENCY, "latency_ms", "i") \
	ARGUMENT(13, PUT_ERRORS, "errors", "i") \
	ARGUMENT(14, PUT_REFUSALS, "refusals", "i") \
	ARGUMENT(15, PUT_PROBES, "probes", "i") \
	ARGUMENT(16, PUT_RECENT, "recent", "l") \
	ARGUMENT(17, PUT_N_RECENT, "n_recent", "i") \
	ARGUMENT(18, PUT_FETCHED, "fetched", "l") \
	ARGUMENT(19, PUT_BYTES, "bytes", "l")

enum
{
	PUT_HOST,
	HOST_ARGUMENTS(SQL_INDEX)
	PUT_SIZE
};

static SqlStatement sql_host_write = {
	.text =
	"UPDATE @.llava_host SET host = host" HOST_ARGUMENTS(SQL_SET) " WHERE host = $1",
	.types = "t" HOST_ARGUMENTS(SQL_TYPE)
};

void
host_write(const Host *host, TimestampTz next_at, bool asking)
{
	const WebPace *pace = &host->pace;
	Datum		values[PUT_SIZE] = {0};
	char		nulls[PUT_SIZE + 1];

	hosts_look_from(next_at);
	memset(nulls, ' ', PUT_SIZE);
	nulls[PUT_SIZE] = '\0';
	values[PUT_HOST] = CStringGetTextDatum(host->host);
	/* whatever waits for it, a person has stopped it */
	values[PUT_NEXT_AT] = TimestampTzGetDatum(host->parked ? DT_NOEND : next_at);
	values[PUT_FREE_AT] = TimestampTzGetDatum(pace->free_ms * 1000);
	values[PUT_ASKING] = BoolGetDatum(asking);
	values[PUT_STATE] = CStringGetTextDatum(host->robots_unreachable ? "robots_unreachable" : web_host_state_name(pace->state));
	values[PUT_SINCE] = TimestampTzGetDatum(pace->since_ms * 1000);
	nulls[PUT_REASON] = host->reason == NULL ? 'n' : ' ';
	values[PUT_REASON] = host->reason == NULL ? (Datum) 0 : CStringGetTextDatum(host->reason);
	nulls[PUT_RESTS] = host->rests == NULL ? 'n' : ' ';
	values[PUT_RESTS] = host->rests == NULL ? (Datum) 0 : CStringGetTextDatum(host->rests);
	values[PUT_DELAY] = Int32GetDatum(web_pace_delay(pace, llava_fetch_delay));
	values[PUT_CRAWL_DELAY] = Int32GetDatum(pace->crawl_delay_ms);
	values[PUT_PENALTY] = Int32GetDatum(pace->penalty_ms);
	values[PUT_LATENCY] = Int32GetDatum(pace->latency_ms);
	values[PUT_ERRORS] = Int32GetDatum(pace->errors);
	values[PUT_REFUSALS] = Int32GetDatum(pace->refusals);
	values[PUT_PROBES] = Int32GetDatum(pace->probes);
	values[PUT_RECENT] = Int64GetDatum(pace->recent);
	values[PUT_N_RECENT] = Int32GetDatum(pace->n_recent);
	values[PUT_FETCHED] = Int64GetDatum(host->fetched);
	values[PUT_BYTES] = Int64GetDatum(host->bytes);
	(void) sql_run(&sql_host_write, values, nulls, 0);
}

static SqlStatement sql_host_first_row = {
	.text =
	"SELECT visible_at FROM @.llava_fetch WHERE host = $1 AND failure IS NULL"
	" ORDER BY host, visible_at, image LIMIT 1",
	.types = "t"
};

TimestampTz
host_first_row(const char *host)
{
	Datum		value = CStringGetTextDatum(host);

	return only_time(sql_run(&sql_host_first_row, &value, NULL, 0));
}

void
host_put_in_line(Host *host)
{
	TimestampTz next_at = host_first_row(host->host);

	if (!TIMESTAMP_NOT_FINITE(next_at) && next_at < host->pace.free_ms * 1000)
		next_at = host->pace.free_ms * 1000;
	host_write(host, next_at, false);
}

void
host_put_off(Host *host, TimestampTz until)
{
	host->pace.free_ms = Max(host->pace.free_ms, until / 1000);
	host_write(host, until, false);
}

/* ---- robots.txt ---- */

static SqlStatement sql_host_write_robots = {
	.text =
	"UPDATE @.llava_host SET robots = $2, robots_status = $3, robots_sha256 = $4, robots_until = $5,"
	"  robots_good_at = $6, robots_failed_at = NULL WHERE host = $1",
	.types = "tbibzz"
};

void
host_write_robots(const Host *host, const void *robots, size_t size, int status)
{
	Datum		values[6] = {CStringGetTextDatum(host->host), 0, Int32GetDatum(status),
		PointerGetDatum(host->robots_sha256), TimestampTzGetDatum(host->robots_until),
	TimestampTzGetDatum(host->robots_good_at)};

	if (robots != NULL)
		values[1] = PointerGetDatum(rows_bytea(robots, size));
	(void) sql_run(&sql_host_write_robots, values, robots == NULL ? " n n  " : NULL, 0);
}

static SqlStatement sql_host_write_times = {
	.text =
	"UPDATE @.llava_host SET robots_until = $2, robots_failed_at = $3 WHERE host = $1",
	.types = "tzz"
};

void
host_write_robots_times(const Host *host)
{
	Datum		values[3] = {CStringGetTextDatum(host->host), TimestampTzGetDatum(host->robots_until),
	TimestampTzGetDatum(host->robots_failed_at)};
	char		nulls[4] = "   ";

	nulls[1] = TIMESTAMP_IS_NOBEGIN(host->robots_until) ? 'n' : ' ';
	nulls[2] = TIMESTAMP_IS_NOBEGIN(host->robots_failed_at) ? 'n' : ' ';
	(void) sql_run(&sql_host_write_times, values, nulls, 0);
}

static SqlStatement sql_host_robots = {
	.text = "SELECT robots FROM @.llava_host WHERE host = $1",
	.types = "t"
};

bytea *
host_robots_text(const char *host)
{
	Datum		value = CStringGetTextDatum(host);
	bool		isnull;

	if (sql_run(&sql_host_robots, &value, NULL, 0) == 0)
		return NULL;
	value = column(SPI_tuptable->vals[0], 0, &isnull);
	return isnull ? NULL : DatumGetByteaPP(value);
}

/* ---- which hosts there are ---- */

static SqlStatement sql_host_add = {
	.text = "INSERT INTO @.llava_host (host, name, domain) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
	.types = "ttt"
};

/*
 * A host that is idle, or waits for the time of a later row, is put in line: what was said of
 * its rows counts for those only.  One that somebody has locked is left for another time.
 */
static SqlStatement sql_host_wanted = {
	.text =
	"UPDATE @.llava_host SET next_at = GREATEST(free_at, pg_catalog.now()), rests = NULL"
	" WHERE host = (SELECT h.host FROM @.llava_host h WHERE h.host = $1"
	"  AND h.next_at > GREATEST(h.free_at, pg_catalog.now())"
	"  AND NOT h.asking AND NOT h.parked FOR UPDATE SKIP LOCKED)",
	.types = "t"
};

void
host_wanted(const char *host, const char *name, const char *domain)
{
	Datum		values[3] = {CStringGetTextDatum(host), CStringGetTextDatum(name), CStringGetTextDatum(domain)};

	if (sql_run(&sql_host_add, values, NULL, 0) == 0)
		(void) sql_run(&sql_host_wanted, values, NULL, 0);
}

static SqlStatement sql_host_after = {
	.text =
	"SELECT f.host, f.url, EXISTS (SELECT FROM @.llava_host h WHERE h.host = f.host"
	/* with OFFSET it is not made a hash of all hosts */
	"  AND (h.next_at <= GREATEST(h.free_at, f.visible_at) OR h.asking OR h.parked) OFFSET 0)"
	" FROM @.llava_fetch f WHERE f.host > $1 AND f.failure IS NULL"
	" ORDER BY f.host, f.visible_at, f.image LIMIT 1",
	.types = "t"
};

char *
host_after(const char *host, char **url, bool *in_line)
{
	Datum		value = CStringGetTextDatum(host);
	HeapTuple	row;
	bool		isnull;

	if (sql_run(&sql_host_after, &value, NULL, 0) == 0)
		return NULL;
	row = SPI_tuptable->vals[0];
	*url = text_column(row, 1);
	*in_line = DatumGetBool(column(row, 2, &isnull));
	return text_column(row, 0);
}

/* ---- rows of a host ---- */

static SqlStatement sql_host_rest_rows = {
	.text =
	"UPDATE @.llava_fetch SET failure = $2, detail = $3, failed_at = pg_catalog.now(), holder = NULL"
	" WHERE image = ANY (ARRAY(SELECT image FROM @.llava_fetch WHERE host = $1 AND failure IS NULL"
	"  ORDER BY host, visible_at, image LIMIT $4 FOR UPDATE SKIP LOCKED))",
	.types = "tttl"
};

uint64
host_rest_rows(const char *host, const char *reason, const char *detail, int most)
{
	Datum		values[4] = {CStringGetTextDatum(host), CStringGetTextDatum(reason),
	detail == NULL ? (Datum) 0 : CStringGetTextDatum(detail), Int64GetDatum(most)};

	return sql_run(&sql_host_rest_rows, values, detail == NULL ? "  n " : NULL, 0);
}

static SqlStatement sql_host_release_rows = {
	.text =
	"UPDATE @.llava_fetch SET failure = NULL, detail = NULL, failed_at = NULL, attempts = 0, tried = NULL,"
	"  visible_at = pg_catalog.now()"
	" WHERE image = ANY (ARRAY(SELECT image FROM @.llava_fetch WHERE failure = $2 AND host = $1"
	"  LIMIT $3 FOR UPDATE SKIP LOCKED))",
	.types = "ttl"
};

uint64
host_release_rows(const char *host, const char *reason, int most)
{
	Datum		values[3] = {CStringGetTextDatum(host), CStringGetTextDatum(reason), Int64GetDatum(most)};

	return sql_run(&sql_host_release_rows, values, NULL, 0);
}
