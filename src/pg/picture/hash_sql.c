/*
 * hash_sql.c
 *	  A picture's hash (image/hash.c) as the columns of llava_hash hold it, and in SQL.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "db/db.h"
#include "funcapi.h"
#include "image/image.h"
#include "picture.h"
#include "port/pg_bitutils.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(llava_hash_distance);
PG_FUNCTION_INFO_V1(llava_coarse_distance);
PG_FUNCTION_INFO_V1(llava_image_hash);

static bytea *
bytes_of(const void *data, int size)
{
	bytea	   *bytes = palloc(VARHDRSZ + size);

	SET_VARSIZE(bytes, VARHDRSZ + size);
	memcpy(VARDATA(bytes), data, size);
	return bytes;
}

Datum
hash_fine_datum(const ImageHash *hash)
{
	uint64		words[IMAGE_FINE_WORDS];

	for (int i = 0; i < IMAGE_FINE_WORDS; i++)
		words[i] = pg_hton64(hash->fine[i]);
	return PointerGetDatum(bytes_of(words, sizeof(words)));
}

Datum
hash_colours_datum(const ImageHash *hash)
{
	return PointerGetDatum(bytes_of(hash->colours, IMAGE_COLOURS));
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
	bytea	   *image = PG_GETARG_BYTEA_PP(0);
	ImagePrepared prepared = {0};
	ImageFit	fit;
	TupleDesc	desc;
	Datum		values[3] = {0};
	bool		nulls[3] = {true, true, true};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	config_image_fit(&fit);
	image_fit_defaults(&fit, IMAGE_FACTOR);
	fit.hash = true;
	PG_TRY();
	{
		image_prepare_here((const uint8 *) VARDATA_ANY(image), VARSIZE_ANY_EXHDR(image),
						   &fit, &prepared);
	}
	PG_FINALLY();
	{
		image_prepared_free(&prepared);
	}
	PG_END_TRY();
	if (prepared.hash.known)
	{
		values[0] = Int64GetDatum((int64) prepared.hash.coarse);
		values[1] = hash_fine_datum(&prepared.hash);
		values[2] = hash_colours_datum(&prepared.hash);
		memset(nulls, false, sizeof(nulls));
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
