/*
 * refetch.c
 *	  What a person does about hosts and rows: fetch again, park, let go on.
 */
#include "postgres.h"

#include "access/xact.h"
#include "errand.h"
#include "executor/spi.h"
#include "process/process.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(llava_refetch);
PG_FUNCTION_INFO_V1(llava_park);

/* Rows that rest, by host (its name, or scheme, host and port), reason, image; NULL: all. */
static SqlStatement sql_refetch_rows = {
	.text =
	"UPDATE @.llava_fetch SET failure = NULL, detail = NULL, failed_at = NULL, attempts = 0, tried = NULL,"
	"  visible_at = pg_catalog.now()"
	" WHERE failure IS NOT NULL AND ($2 IS NULL OR failure = $2) AND ($3 IS NULL OR image = $3)"
	"  AND ($1 IS NULL OR host = $1 OR host = ANY (ARRAY(SELECT h.host FROM @.llava_host h WHERE h.name = $1)))",
	.types = "ttl"
};

static SqlStatement sql_refetch_hosts = {
	.text =
	"UPDATE @.llava_host SET robots_until = NULL, robots_failed_at = NULL, rests = NULL, errors = 0, refusals = 0,"
	"  probes = 0, recent = 0, n_recent = 0, state = 'ok', since = pg_catalog.now(), reason = NULL,"
	"  free_at = LEAST(free_at, pg_catalog.now() + pg_catalog.make_interval(secs => delay_ms / 1000.0)),"
	"  next_at = CASE WHEN asking OR parked THEN next_at ELSE"
	"   LEAST(free_at, pg_catalog.now() + pg_catalog.make_interval(secs => delay_ms / 1000.0)) END"
	" WHERE (host = $1 OR name = $1) AND NOT asking",
	.types = "t"
};

/* A host whose rows are fetched again is put in line by the fetcher, which looks for such. */
Datum
llava_refetch(PG_FUNCTION_ARGS)
{
	Datum		values[3];
	char		nulls[4] = "   ";
	uint64		rows;

	for (int i = 0; i < 3; i++)
	{
		values[i] = PG_ARGISNULL(i) ? (Datum) 0 : PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	rows_spi_connect();
	rows = rows_run_as_owner(extension_relation("llava_fetch"), &sql_refetch_rows, values, nulls);
	if (!PG_ARGISNULL(0))
		(void) rows_run_as_owner(extension_relation("llava_host"), &sql_refetch_hosts, values, NULL);
	SPI_finish();
	wake_at_commit(GetCurrentTransactionStartTimestamp());
	PG_RETURN_INT64((int64) rows);
}

static SqlStatement sql_park = {
	.text =
	"UPDATE @.llava_host SET parked = $2,"
	"  next_at = CASE WHEN $2 OR asking THEN 'infinity'::pg_catalog.timestamptz ELSE GREATEST(free_at, pg_catalog.now()) END"
	" WHERE host = $1 OR name = $1",
	.types = "tB"
};

/* A request that is under way is not broken off; no other one follows it. */
Datum
llava_park(PG_FUNCTION_ARGS)
{
	Datum		values[2] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	uint64		hosts;

	rows_spi_connect();
	hosts = rows_run_as_owner(extension_relation("llava_host"), &sql_park, values, NULL);
	SPI_finish();
	if (hosts == 0)
		ereport(NOTICE,
				(errmsg("no host \"%s\" is known", TextDatumGetCString(values[0])),
				 errhint("SELECT host FROM llava_stat_host lists them.")));
	wake_at_commit(GetCurrentTransactionStartTimestamp());
	PG_RETURN_INT64((int64) hosts);
}
