/*
 * forget.c
 *	  llava_forget: removes a picture, and every word about it, from the tables.
 *
 * What stays is what it cost (the ledger's rows, without their bodies) and a tombstone:
 * sha256, time and reason, by which intake refuses the same bytes.
 *
 * Copies that arrive and replies that are settled meanwhile wait: the tables are locked
 * against writers first, and read after.  A reply that is settled later finds neither
 * queue row nor picture, and only its cost is recorded (see sql_settle_late).
 *
 * Users' tables may refer to ours.  What they deferred is checked at once: statements as
 * the tables' owner run as security-restricted operations, which leave nothing for later.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "db/db.h"
#include "intake.h"
#include "storage/lmgr.h"
#include "task/task.h"
#include "utils/array.h"
#include "utils/datum.h"

PG_FUNCTION_INFO_V1(llava_forget);

/* A picture and its copies. */
typedef struct Family
{
	int			n;
	Datum	   *ids;
	Datum	   *hashes;			/* sha256; 0 where there is none */
} Family;

/*
 * The tables that a takedown writes, and what is done with the rows of the pictures, whose
 * ids are $1.  Those before UNLOCKED are locked, in the order in which settling and
 * inserting lock them; those after it are written otherwise.
 */
static struct
{
	const char *table;
	SqlStatement statement;
}			cleared[] =

{
	{"llava_image", {.text = "DELETE FROM @.llava_image WHERE id = ANY ($1)",.types = "L"}},
	{"llava_pending", {.text = "DELETE FROM @.llava_pending WHERE image = ANY ($1)",.types = "L"}},
	{"llava_conversation",
	{.text = "DELETE FROM @.llava_conversation WHERE image = ANY ($1)",.types = "L"}},
	/* the ledger keeps what the picture cost */
	{"llava_reply",
		{.text = "UPDATE @.llava_reply SET body = '', measures = NULL, reason_offset = NULL"
	" WHERE image = ANY ($1)",.types = "L"}},
	{"llava_interrupted",
	{.text = "DELETE FROM @.llava_interrupted WHERE image = ANY ($1)",.types = "L"}},

	/*
	 * which files have the picture is still to be found, not what it was
	 * called
	 */
	{"llava_manifest_line",
		{.text = "UPDATE @.llava_manifest_line SET file_name = '' WHERE image = ANY ($1)",
	.types = "L"}},
	{"llava_fetch", {.text = "DELETE FROM @.llava_fetch WHERE image = ANY ($1)",.types = "L"}},
	{"llava_fetched", {.text = "DELETE FROM @.llava_fetched WHERE image = ANY ($1)",.types = "L"}},
	{.table = "llava_url_forgotten"},
	{.table = "llava_seen"},
	{.table = "llava_hash"}
};

#define UNLOCKED 8

static void
forget_check_arguments(FunctionCallInfo fcinfo)
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
	lengths_check("llava_seen", "forgotten_reason", PG_GETARG_DATUM(1));
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("llava_forget needs the isolation level READ COMMITTED"),
				 errdetail("An older snapshot does not show what was committed since.")));
}

/* From rows of id and sha256. */
static void
take_family(Family *family, uint64 rows, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);

	family->n = (int) rows;
	family->ids = palloc(sizeof(Datum) * rows);
	family->hashes = palloc0(sizeof(Datum) * rows);
	for (uint64 i = 0; i < rows; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		bool		isnull;
		Datum		hash;

		family->ids[i] = SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &isnull);
		hash = SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull);
		if (!isnull)
			family->hashes[i] = datumCopy(hash, false, -1);
	}
	MemoryContextSwitchTo(old);
}

static Datum
bigint_array(Datum *values, int n)
{
	return PointerGetDatum(construct_array(values, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
										   TYPALIGN_DOUBLE));
}

static Datum
hashes_of(const Family *family)
{
	Datum	   *hashes = palloc(sizeof(Datum) * (family->n + 1));
	int			n = 0;

	for (int i = 0; i < family->n; i++)
		if (family->hashes[i] != (Datum) 0)
			hashes[n++] = family->hashes[i];
	return PointerGetDatum(construct_array(hashes, n, BYTEAOID, -1, false, TYPALIGN_INT));
}

static SqlStatement sql_forget_seen_images = {
	.text =
	"SELECT DISTINCT image FROM @.llava_seen WHERE sha256 = ANY ($1) AND image <> ALL ($2)",
	.types = "YL"
};

/*
 * Finds the images that llava_seen lists under the family's hashes and the family lacks;
 * returns how many.
 */
static int
find_first_ones(const Family *family, Datum **ids)
{
	Datum		values[2] = {hashes_of(family), bigint_array(family->ids, family->n)};
	uint64		rows = rows_run_as_owner(extension_relation("llava_seen"), &sql_forget_seen_images,
										 values, NULL);
	bool		isnull;

	*ids = palloc(sizeof(Datum) * (family->n + rows));
	memcpy(*ids, family->ids, sizeof(Datum) * family->n);
	for (uint64 i = 0; i < rows; i++)
		(*ids)[family->n + i] = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);
	return (int) rows;
}

static SqlStatement sql_forget_family = {
	.text =
	"WITH RECURSIVE family (id) AS (SELECT pg_catalog.unnest($1) UNION"
	"  SELECT n.id FROM family f JOIN @.llava_image i ON i.id = f.id, LATERAL ("
	"    SELECT i.same_as"
	"    UNION ALL SELECT c.id FROM @.llava_image c WHERE c.same_as = i.id"
	"    UNION ALL SELECT r.id FROM @.llava_image r"
	"      WHERE r.sha256 = i.sha256 AND r.rejected IS NOT NULL) n (id)"
	"  WHERE n.id IS NOT NULL) "
	"SELECT f.id, i.sha256 FROM family f LEFT JOIN @.llava_image i ON i.id = f.id",
	.types = "L"
};

/*
 * The picture, its copies, what it is a copy of and that one's copies.  Each table is read
 * as its owner, since their owners may differ.
 */
static void
find_family(Datum image, Family *family)
{
	MemoryContext context = CurrentMemoryContext;
	Datum	   *ids = &image;
	int			n = 1;

	for (;;)
	{
		Datum		value = bigint_array(ids, n);

		take_family(family, rows_run_as_owner(extension_relation("llava_image"),
											  &sql_forget_family, &value, NULL), context);
		n = find_first_ones(family, &ids);
		if (n == 0)
			return;
		n += family->n;
	}
}

static SqlStatement sql_forget_seen = {
	.text =
	"INSERT INTO @.llava_seen AS s (sha256, image, forgotten_at, forgotten_reason) "
	"VALUES ($1, $2, pg_catalog.now(), $3) "
	"ON CONFLICT (sha256) DO UPDATE SET forgotten_at = EXCLUDED.forgotten_at,"
	"  forgotten_reason = EXCLUDED.forgotten_reason WHERE s.forgotten_at IS NULL",
	.types = "blt"
};

static SqlStatement sql_forget_seen_image = {
	.text =
	"UPDATE @.llava_seen SET forgotten_at = pg_catalog.now(), forgotten_reason = $2"
	" WHERE image = $1 AND forgotten_at IS NULL",
	.types = "lt"
};

static uint64
leave_tombstones(const Family *family, Datum image, Datum reason)
{
	Oid			seen = extension_relation("llava_seen");
	uint64		n = 0;

	for (int i = 0; i < family->n; i++)
	{
		Datum		values[3] = {family->hashes[i], family->ids[i], reason};

		if (family->hashes[i] != (Datum) 0)
			n += rows_run_as_owner(seen, &sql_forget_seen, values, NULL);
	}
	if (n == 0)
	{
		/* its row was deleted before */
		Datum		values[2] = {image, reason};

		n = rows_run_as_owner(seen, &sql_forget_seen_image, values, NULL);
	}
	return n;
}

/* The numbers of rows deleted or changed, in llava_image and in the other tables. */
typedef struct Forgotten
{
	Datum		image;
	Datum		reason;
	uint64		images;
	uint64		others;
} Forgotten;

/* What the pictures were fetched from, or to be, and what their rows say. */
static SqlStatement sql_forget_urls[] = {
	{.text = "SELECT source_url FROM @.llava_image WHERE id = ANY ($1) AND source_url IS NOT NULL",.types = "L"},
	{.text = "SELECT u.url FROM @.llava_fetch f, LATERAL (SELECT f.url UNION SELECT pg_catalog.unnest(f.hops)) u (url)"
	" WHERE f.image = ANY ($1)",.types = "L"},
	{.text = "SELECT u.url FROM @.llava_fetched f, LATERAL (SELECT f.url UNION SELECT f.final_url) u (url)"
	" WHERE f.image = ANY ($1)",.types = "L"},
};

static SqlStatement sql_forget_url = {
	.text =
	"INSERT INTO @.llava_url_forgotten (digest, reason) VALUES ($1, $2) ON CONFLICT DO NOTHING",
	.types = "bt"
};

/* A letter names URLs: they are fetched no more, whatever they lead to by then. */
static void
leave_url_tombstones(Datum ids, Datum reason)
{
	static const char *const tables[lengthof(sql_forget_urls)] = {"llava_image", "llava_fetch", "llava_fetched"};

	if (!OidIsValid(extension_find_relation("llava_url_forgotten")))
		return;
	for (int i = 0; i < lengthof(sql_forget_urls); i++)
	{
		uint64		rows = rows_run_as_owner(extension_relation(tables[i]), &sql_forget_urls[i], &ids, NULL);
		SPITupleTable *found = SPI_tuptable;

		for (uint64 row = 0; row < rows; row++)
		{
			char	   *text = SPI_getvalue(found->vals[row], found->tupdesc, 1);
			IntakeUrl	url;

			intake_url(text, strlen(text), &url);
			if (url.refused == NULL)
			{
				Datum		values[2] = {PointerGetDatum(url.digest), reason};

				(void) rows_run_as_owner(extension_relation("llava_url_forgotten"), &sql_forget_url, values, NULL);
			}
		}
	}
}

static void
clear_tables(Forgotten *forgotten)
{
	Family		family;
	Datum		ids;

	find_family(forgotten->image, &family);
	ids = bigint_array(family.ids, family.n);
	forgotten->others = leave_tombstones(&family, forgotten->image, forgotten->reason);
	leave_url_tombstones(ids, forgotten->reason);
	for (int i = 0; i < UNLOCKED; i++)
	{
		Oid			table = extension_find_relation(cleared[i].table);
		uint64		rows = OidIsValid(table) ? rows_run_as_owner(table, &cleared[i].statement, &ids, NULL) : 0;

		if (i == 0)
			forgotten->images = rows;
		else
			forgotten->others += rows;
	}
}

static void
forget(void *arg)
{
	List	   *constraints;
	Oid			tables[lengthof(cleared)];
	int			n = 0;

	/* an older version has fewer */
	for (int i = 0; i < lengthof(cleared); i++)
	{
		Oid			table = extension_find_relation(cleared[i].table);

		if (!OidIsValid(table))
			continue;
		tables[n++] = table;
		if (i < UNLOCKED)
			LockRelationOid(table, ShareRowExclusiveLock);
	}
	rows_spi_connect();
	constraints = constraints_immediate(tables, n);
	clear_tables(arg);
	constraints_put_back(constraints);
	SPI_finish();
}

/* llava_forget(image, reason): the number of rows of llava_image that were deleted. */
Datum
llava_forget(PG_FUNCTION_ARGS)
{
	Forgotten	forgotten = {0};

	forget_check_arguments(fcinfo);
	forgotten.image = PG_GETARG_DATUM(0);
	forgotten.reason = PG_GETARG_DATUM(1);
	blockers_run("llava_forget", forget, &forgotten);

	if (forgotten.images + forgotten.others == 0)
		ereport(NOTICE,
				(errmsg("nothing is known of image " INT64_FORMAT, PG_GETARG_INT64(0))));
	PG_RETURN_INT64((int64) forgotten.images);
}
