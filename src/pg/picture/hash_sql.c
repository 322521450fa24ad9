/*
 * hash_sql.c
 *	  A picture's hash (image/hash.c) as the columns of llava_hash hold it, and in SQL.
 */
#include "postgres.h"

#include "db/db.h"
#include "picture.h"
#include "port/pg_bitutils.h"
#include "port/pg_bswap.h"

PG_FUNCTION_INFO_V1(llava_hash_distance);
PG_FUNCTION_INFO_V1(llava_coarse_distance);
PG_FUNCTION_INFO_V1(llava_image_hash);

Datum
hash_fine_datum(const ImageHash *hash)
{
	uint64		words[IMAGE_FINE_WORDS];

	for (int i = 0; i < IMAGE_FINE_WORDS; i++)
		words[i] = pg_hton64(hash->fine[i]);
	return PointerGetDatum(rows_bytea(words, sizeof(words)));
}

Datum
hash_colours_datum(const ImageHash *hash)
{
	return PointerGetDatum(rows_bytea(hash->colours, IMAGE_COLOURS));
}

bool
hash_read(Datum coarse, Datum fine, Datum colours, ImageHash *hash)
{
	bytea	   *f = DatumGetByteaPP(fine);
	bytea	   *c = DatumGetByteaPP(colours);

	if (VARSIZE_ANY_EXHDR(f) != sizeof(hash->fine) ||
		VARSIZE_ANY_EXHDR(c) != sizeof(hash->colours))
		return false;
	hash->known = true;
	hash->coarse = (uint64) DatumGetInt64(coarse);
	memcpy(hash->fine, VARDATA_ANY(f), sizeof(hash->fine));
	for (int i = 0; i < IMAGE_FINE_WORDS; i++)
		hash->fine[i] = pg_ntoh64(hash->fine[i]);
	memcpy(hash->colours, VARDATA_ANY(c), sizeof(hash->colours));
	return true;
}

/* llava_hash_distance(a bytea, b bytea): bits in which two fine hashes differ. */
Datum
llava_hash_distance(PG_FUNCTION_ARGS)
{
	bytea	   *a = PG_GETARG_BYTEA_PP(0);
	bytea	   *b = PG_GETARG_BYTEA_PP(1);
	int			size = VARSIZE_ANY_EXHDR(a);
	int			distance = 0;

	if (size != VARSIZE_ANY_EXHDR(b))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("hashes of %d and %d bytes cannot be compared", size,
						(int) VARSIZE_ANY_EXHDR(b)),
				 errhint("Both must be llava_hash.fine, or the result of llava_image_hash(image).")));
	for (int i = 0; i < size; i++)
		distance += pg_number_of_ones[(uint8) VARDATA_ANY(a)[i] ^ (uint8) VARDATA_ANY(b)[i]];
	PG_RETURN_INT32(distance);
}

/* llava_hash_distance(a bigint, b bigint): of two coarse hashes. */
Datum
llava_coarse_distance(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(pg_popcount64((uint64) (PG_GETARG_INT64(0) ^ PG_GETARG_INT64(1))));
}

/*
 * llava_image_hash(image bytea): as the worker would store it; NULLs if the picture has
 * none.
 */
Datum
llava_image_hash(PG_FUNCTION_ARGS)
{
	ImageHash	hash;
	ImageFit	fit;
	Datum		values[3] = {0};
	bool		nulls[3] = {true, true, true};

	config_image_fit(&fit);
	image_fit_defaults(&fit, IMAGE_FACTOR);
	fit.hash = true;
	(void) image_prepared_bytes(PG_GETARG_BYTEA_PP(0), &fit, &hash, NULL);
	if (hash.known)
	{
		values[0] = Int64GetDatum((int64) hash.coarse);
		values[1] = hash_fine_datum(&hash);
		values[2] = hash_colours_datum(&hash);
		memset(nulls, false, sizeof(nulls));
	}
	PG_RETURN_DATUM(rows_result(fcinfo, values, nulls));
}
