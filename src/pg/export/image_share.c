/*
 * image_share.c
 *	  An image's number, by which split, mix and shuffle go.
 */
#include "postgres.h"

#include "fmgr.h"
#include "port/pg_bswap.h"
#include "task/task.h"

PG_FUNCTION_INFO_V1(llava_image_share);

/*
 * llava_image_share(image bigint, sha256 bytea, seed bigint): a number in [0, 1)
 * by the picture's bytes alone; by its id where there is no hash.
 */
Datum
llava_image_share(PG_FUNCTION_ARGS)
{
	uint64		bits = PG_ARGISNULL(0) ? 0 : (uint64) PG_GETARG_INT64(0);
	uint64		seed = PG_ARGISNULL(2) ? 0 : (uint64) PG_GETARG_INT64(2);

	if (!PG_ARGISNULL(1))
	{
		bytea	   *sha256 = PG_GETARG_BYTEA_PP(1);

		if (VARSIZE_ANY_EXHDR(sha256) >= sizeof(bits))
		{
			memcpy(&bits, VARDATA_ANY(sha256), sizeof(bits));
			bits = pg_ntoh64(bits);
		}
	}
	PG_RETURN_FLOAT8((double) (task_mix(bits ^ task_mix(seed)) >> 11) / ((uint64) 1 << 53));
}
