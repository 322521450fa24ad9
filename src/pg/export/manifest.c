/*
 * manifest.c
 *	  llava_manifest_known: the number of a recorded export, or an ERROR.
 */
#include "postgres.h"

#include "fmgr.h"

PG_FUNCTION_INFO_V1(llava_manifest_known);

/* llava_manifest_known(manifest bigint, known boolean) */
Datum
llava_manifest_known(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the number of the recorded export is NULL")));
	if (PG_ARGISNULL(1) || !PG_GETARG_BOOL(1))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("recorded export %lld does not exist", (long long) PG_GETARG_INT64(0)),
				 errhint("llava_manifest lists them.")));
	PG_RETURN_INT64(PG_GETARG_INT64(0));
}
