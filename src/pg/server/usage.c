/*
 * usage.c
 *	  What llava_usage records of servers.
 */
#include "postgres.h"

#include "db/db.h"
#include "executor/spi.h"
#include "server.h"
#include "usage.h"

SqlStatement sql_usage_all = {
	.text =
	"SELECT server, requests, cost::pg_catalog.float8, pause_reason,"
	"  pause_reason IS NULL AND pause_detail IS NOT NULL FROM @.llava_usage",
	.types = ""
};

/*
 * A server's row among the n of llava_usage; what it says of a pause, or NULL, and whether
 * it tells of a trial.
 */
const char *
usage_of(const LlavaServer *server, uint64 n, int64 *requests, double *cost, bool *trial)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;

	*requests = 0;
	*cost = 0;
	*trial = false;
	for (uint64 i = 0; i < n; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		bool		isnull;

		if (strcmp(SPI_getvalue(row, desc, 1), server->name) != 0)
			continue;
		*requests = DatumGetInt64(SPI_getbinval(row, desc, 2, &isnull));
		*cost = DatumGetFloat8(SPI_getbinval(row, desc, 3, &isnull));
		*trial = DatumGetBool(SPI_getbinval(row, desc, 5, &isnull));
		return SPI_getvalue(row, desc, 4);
	}
	return NULL;
}

void
server_read_usage(const LlavaServer *server, Limits *limits)
{
	int64		reading = limits_begin_reading(limits);
	int64		requests;
	double		cost;
	bool		trial;
	uint64		n;

	rows_spi_connect();
	n = rows_run_as_owner(extension_relation("llava_usage"), &sql_usage_all, NULL, NULL);
	(void) usage_of(server, n, &requests, &cost, &trial);
	limits_read(limits, reading, requests, cost);
	SPI_finish();
}
