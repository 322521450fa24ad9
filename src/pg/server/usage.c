/*
 * usage.c
 *	  What llava_usage records of servers.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "executor/spi.h"
#include "server.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Columns of sql_usage_all, as SPI counts them. */
enum
{
	USAGE_SERVER = 1,
	USAGE_REQUESTS,
	USAGE_COST,
	USAGE_PAUSE_REASON,
	USAGE_TRIAL
};

static SqlStatement sql_usage_all = {
	.text =
	"SELECT server, requests, cost::pg_catalog.float8, pause_reason,"
	"  pause_reason IS NULL AND pause_detail IS NOT NULL FROM @.llava_usage",
	.types = ""
};

uint64
usage_read_all(void)
{
	return sql_run(&sql_usage_all, NULL, NULL, 0);
}

ServerUsage
usage_of(const LlavaServer *server, uint64 n)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;
	ServerUsage usage = {0};

	for (uint64 i = 0; i < n; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		bool		isnull;

		if (strcmp(SPI_getvalue(row, desc, USAGE_SERVER), server->name) != 0)
			continue;
		usage.requests = DatumGetInt64(SPI_getbinval(row, desc, USAGE_REQUESTS, &isnull));
		usage.cost = DatumGetFloat8(SPI_getbinval(row, desc, USAGE_COST, &isnull));
		usage.pause_reason = SPI_getvalue(row, desc, USAGE_PAUSE_REASON);
		usage.trial = DatumGetBool(SPI_getbinval(row, desc, USAGE_TRIAL, &isnull));
		break;
	}
	return usage;
}

void
server_read_usage(const LlavaServer *server, Limits *limits)
{
	int64		reading = limits_begin_reading(limits);
	ServerUsage usage;
	uint64		n;

	rows_spi_connect();
	n = rows_run_as_owner(extension_relation("llava_usage"), &sql_usage_all, NULL, NULL);
	usage = usage_of(server, n);
	limits_read(limits, reading, usage.requests, usage.cost);
	SPI_finish();
}

static SqlStatement sql_usage_pause = {
	.text =
	"INSERT INTO @.llava_usage AS u (server, pause_reason, pause_detail, paused_at) "
	"VALUES ($1, $2, $3, CASE WHEN $2 IS NULL THEN NULL ELSE pg_catalog.now() END) "
	"ON CONFLICT (server) DO UPDATE SET pause_reason = EXCLUDED.pause_reason,"
	"  pause_detail = EXCLUDED.pause_detail, paused_at = EXCLUDED.paused_at"
	" WHERE u.pause_reason IS DISTINCT FROM EXCLUDED.pause_reason"
	"  OR u.pause_detail IS DISTINCT FROM EXCLUDED.pause_detail",
	.types = "ttt"
};

void
usage_record_pause(const LlavaServer *server, const char *reason, const char *detail)
{
	Datum		values[] = {CStringGetTextDatum(server->name),
		CStringGetTextDatum(reason != NULL ? reason : ""),
	CStringGetTextDatum(detail != NULL ? detail : "")};
	const char	nulls[] = {' ', reason != NULL ? ' ' : 'n', detail != NULL ? ' ' : 'n', '\0'};

	sql_run(&sql_usage_pause, values, nulls, 0);
}

/* Columns of llava_usage. */
enum
{
	OF_USAGE_SERVER = 1,
	OF_USAGE_PAUSE_REASON = 10
};

/* Read as task_newest.c reads llava_task: views show it to anybody. */
const char *
usage_pause_reason(const char *server)
{
	Relation	table = table_open(extension_relation("llava_usage"), AccessShareLock);
	TupleDesc	desc = RelationGetDescr(table);
	SysScanDesc scan = systable_beginscan(table, InvalidOid, false, GetActiveSnapshot(), 0, NULL);
	const char *reason = NULL;
	bool		found = false;
	HeapTuple	row;

	while (!found && HeapTupleIsValid(row = systable_getnext(scan)))
	{
		bool		isnull;
		Datum		value = heap_getattr(row, OF_USAGE_SERVER, desc, &isnull);

		if (strcmp(TextDatumGetCString(value), server) != 0)
			continue;
		found = true;
		value = heap_getattr(row, OF_USAGE_PAUSE_REASON, desc, &isnull);
		reason = isnull ? NULL : TextDatumGetCString(value);
	}
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return reason;
}
