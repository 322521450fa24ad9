/*
 * update.c
 *	  What scripts of ALTER EXTENSION UPDATE need beside SQL; they make these functions
 *	  and drop them.
 */
#include "postgres.h"

#include "catalog/heap.h"
#include "commands/extension.h"
#include "db/db.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/regproc.h"

PG_FUNCTION_INFO_V1(llava_update_grant);
PG_FUNCTION_INFO_V1(llava_update_statistics);
PG_FUNCTION_INFO_V1(llava_update_bodies);
PG_FUNCTION_INFO_V1(llava_update_replaced);

static void
require_script(const char *function)
{
	if (!creating_extension)
		elog(ERROR, "%s is for update scripts", function);
}

/*
 * llava_update_grant(statement text, initial boolean): a GRANT or REVOKE of an update
 * script.  What a script grants counts as the extension's own, which pg_dump leaves to
 * CREATE EXTENSION; unless initial, it counts as what a user has granted, and is dumped.
 */
Datum
llava_update_grant(PG_FUNCTION_ARGS)
{
	char	   *statement = text_to_cstring(PG_GETARG_TEXT_PP(0));
	bool		initial = PG_GETARG_BOOL(1);

	require_script("llava_update_grant");
	creating_extension = initial;
	PG_TRY();
	{
		int			rc;

		SPI_connect();
		rc = SPI_execute(statement, false, 0);
		if (rc != SPI_OK_UTILITY)
			elog(ERROR, "\"%s\": %s", statement, SPI_result_code_string(rc));
		SPI_finish();
	}
	PG_FINALLY();
	{
		creating_extension = true;
	}
	PG_END_TRY();
	PG_RETURN_VOID();
}

/*
 * llava_update_statistics(relation oid, place smallint): removes what ANALYZE has stored of
 * a column.
 */
Datum
llava_update_statistics(PG_FUNCTION_ARGS)
{
	require_script("llava_update_statistics");
	RemoveStatistics(PG_GETARG_OID(0), PG_GETARG_INT16(1));
	PG_RETURN_VOID();
}

static SqlStatement sql_update_bodies = {
	.text = "UPDATE @.llava_reply SET body = NULL WHERE body = ''",
	.types = ""
};

/*
 * llava_update_bodies(): a takedown of 1.0.0 left an empty body.  A user's triggers on the
 * ledger run as its owner, not as who updates the extension.
 */
Datum
llava_update_bodies(PG_FUNCTION_ARGS)
{
	require_script("llava_update_bodies");
	rows_spi_connect();
	rows_run_as_owner(extension_relation("llava_reply"), &sql_update_bodies, NULL, NULL);
	SPI_finish();
	PG_RETURN_VOID();
}

/* Runs a statement without arguments; ERROR unless it comes out as expected. */
static void
update_execute(const char *statement, int expected)
{
	int			rc = SPI_execute(statement, false, 0);

	if (rc != expected)
		elog(ERROR, "\"%s\": %s", statement, SPI_result_code_string(rc));
}

/*
 * llava_update_replaced(routine regprocedure): takes an old routine out of the extension
 * and drops it.  Where something depends on it, a user's view for example, it stays and is
 * the user's: the update neither fails nor drops what is not ours.
 */
Datum
llava_update_replaced(PG_FUNCTION_ARGS)
{
	Oid			routine = PG_GETARG_OID(0);
	char	   *name = format_procedure_qualified(routine);

	require_script("llava_update_replaced");
	SPI_connect();
	update_execute(psprintf("ALTER EXTENSION llava_zh DROP ROUTINE %s", name), SPI_OK_UTILITY);
	update_execute(psprintf("SELECT FROM pg_catalog.pg_depend"
							" WHERE refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass"
							" AND refobjid = %u", routine), SPI_OK_SELECT);
	if (SPI_processed == 0)
		update_execute(psprintf("DROP ROUTINE %s", name), SPI_OK_UTILITY);
	else
		/* a NOTICE of a script is not shown */
		ereport(WARNING,
				(errmsg("%s stays, since other objects depend on it", name),
				 errdetail("It is the function of 1.0.0 under another name and no longer a part "
						   "of the extension."),
				 errhint("Let them use the new function, then drop it.")));
	SPI_finish();
	PG_RETURN_VOID();
}
