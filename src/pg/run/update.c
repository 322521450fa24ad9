/*
 * update.c
 *	  What scripts of ALTER EXTENSION UPDATE need beside SQL; they make these functions
 *	  and drop them.
 */
#include "postgres.h"

#include "commands/extension.h"
#include "executor/spi.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(llava_update_grant);

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

	if (!creating_extension)
		elog(ERROR, "llava_update_grant is for update scripts");
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
