/*
 * forget.c
 *	  llava_forget: a picture and every word about it leave the tables.
 *
 * What stays is what it cost (the ledger's rows, without their bodies) and a
 * tombstone: sha256, time and reason, by which intake refuses the same bytes.
 *
 * Copies that arrive and replies that are settled meanwhile wait: the tables are
 * locked against writers first, and read after.  A reply that is settled later
 * finds no row of the queue and no picture, and only its cost is written (see
 * SQL_SETTLE_LATE).
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "rows.h"
#include "storage/lmgr.h"
#include "trust.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(llava_forget);

/* A picture and its copies. */
typedef struct Family
{
	int			n;
	Datum	   *ids;
	Datum	   *hashes;			/* sha256; 0 where there is none */
} Family;

/* In the order in which settles and inserts take them. */
static void
lock_tables(void)
{
	static const char *const tables[] = {
		"llava_image", "llava_pending", "llava_conversation", "llava_reply",
		"llava_interrupted", "llava_manifest_line"
	};

	for (int i = 0; i < lengthof(tables); i++)
		LockRelationOid(extension_relation(tables[i]), ShareRowExclusiveLock);
}

static void
check_arguments(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s is NULL", PG_ARGISNULL(0) ? "image" : "reason"),
				 errhint("SELECT llava_forget(42, 'request of the rights holder, 2026-03-01');")));
	if (VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(1)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("reason is empty"),
				 errhint("The reason is all that will be known of the picture.")));
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("llava_forget needs the isolation level READ COMMITTED"),
				 errdetail("An older snapshot does not show what was committed since.")));
}

/* The picture, its copies, what it is a copy of and that one's copies. */
static void
find_family(Datum image, Family *family)
{
	trust_begin();
	family->n = (int) sql_run(SQL_FORGET_FAMILY, &image, NULL, 0);
	trust_end();
	family->ids = palloc(sizeof(Datum) * family->n);
	family->hashes = palloc0(sizeof(Datum) * family->n);
	for (int i = 0; i < family->n; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		bool		isnull;

		family->ids[i] = SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &isnull);
		family->hashes[i] = SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull);
		if (isnull)
			family->hashes[i] = (Datum) 0;
	}
}

static uint64
forget_rows(const char *table, SqlStatement statement, Datum ids)
{
	return rows_run_as_owner(extension_relation(table), statement, &ids, NULL);
}

static uint64
leave_tombstones(const Family *family, Datum image, Datum reason)
{
	Oid			seen = extension_relation("llava_seen");
	uint64		n = 0;

	for (int i = 0; i < family->n; i++)
	{
		Datum		values[3] = {family->hashes[i], family->ids[i], reason};

		if (family->hashes[i] != (Datum) 0)
			n += rows_run_as_owner(seen, SQL_FORGET_SEEN, values, NULL);
	}
	if (n == 0)
	{
		/* its row was deleted before */
		Datum		values[2] = {image, reason};

		n = rows_run_as_owner(seen, SQL_FORGET_SEEN_IMAGE, values, NULL);
	}
	return n;
}

/* llava_forget(image, reason): how many rows of llava_image are gone. */
Datum
llava_forget(PG_FUNCTION_ARGS)
{
	Family		family;
	Datum		ids;
	uint64		images;
	uint64		others;

	check_arguments(fcinfo);
	lock_tables();
	rows_spi_connect();
	find_family(PG_GETARG_DATUM(0), &family);
	ids = PointerGetDatum(construct_array(family.ids, family.n, INT8OID, sizeof(int64),
										  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	others = leave_tombstones(&family, PG_GETARG_DATUM(0), PG_GETARG_DATUM(1));
	images = forget_rows("llava_image", SQL_FORGET_IMAGE, ids);
	others += forget_rows("llava_pending", SQL_FORGET_PENDING, ids);
	others += forget_rows("llava_conversation", SQL_FORGET_CONVERSATION, ids);
	others += forget_rows("llava_reply", SQL_FORGET_REPLY, ids);
	others += forget_rows("llava_manifest_line", SQL_FORGET_MANIFEST_LINE, ids);
	others += forget_rows("llava_interrupted", SQL_FORGET_INTERRUPTED, ids);
	SPI_finish();

	if (images + others == 0)
		ereport(NOTICE,
				(errmsg("nothing is known of image " INT64_FORMAT, PG_GETARG_INT64(0))));
	PG_RETURN_INT64((int64) images);
}
