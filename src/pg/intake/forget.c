/*
 * forget.c
 *	  llava_forget: removes pictures, and every word about them, from the tables.
 *
 * What stays is what they cost (the ledger's rows, without their bodies) and a tombstone:
 * sha256, time and reason, by which intake refuses the same bytes.  llava_remove leaves no
 * tombstone.
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
#include "erased_statistics.h"
#include "forget.h"
#include "intake.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

/* A row of llava_image that goes. */
typedef struct Member
{
	Datum		id;
	Datum		hash;			/* sha256; 0 where there is none */
	bool		is_there;		/* else its row was deleted before */
} Member;

/* Pictures and their copies. */
typedef struct Family
{
	int			n;
	Member	   *members;
} Family;

/*
 * The tables that a takedown writes, and what is done with the rows of the pictures, whose
 * ids are $1.  Those before UNLOCKED are locked, in the order in which settling and
 * inserting lock them; those after it are written otherwise.
 */
#define ROWS_OF(name, key) \
	.table = name, \
	.rows = {.text = "SELECT ctid FROM ONLY @." name " WHERE " key " = ANY ($1)",.types = "L"}
#define DELETED(name, key) \
	{ROWS_OF(name, key), \
		.statement = {.text = "DELETE FROM @." name " WHERE " key " = ANY ($1)",.types = "L"}}
#define WRITTEN(name, columns) \
	ROWS_OF(name, "image"),.rows_stay = true, \
		.statement = {.text = "UPDATE @." name " SET " columns " WHERE image = ANY ($1)",.types = "L"}
#define EMPTIED(name, columns) {WRITTEN(name, columns)}
#define EMPTIED_IF(name, columns, when) {WRITTEN(name, columns), when}
#define BODY_EMPTIED "body = NULL, measures = NULL, reason_offset = NULL"

static struct
{
	const char *table;
	SqlStatement statement;
	SqlStatement rows;			/* see erased_statistics_find */
	bool		rows_stay;
	const char *since;			/* for schemas with this column; or NULL */
	const char *until;			/* for schemas without it; or NULL */
}			cleared[] =

{
	DELETED("llava_image", "id"),
	DELETED("llava_pending", "image"),
	DELETED("llava_conversation", "image"),
	DELETED("llava_annotation", "image"),
	/* the ledger keeps what the picture cost */
	EMPTIED_IF("llava_reply", BODY_EMPTIED,.until = "keep"),
	EMPTIED_IF("llava_reply", BODY_EMPTIED ", keep = NULL, note = NULL",.since = "keep"),
	DELETED("llava_interrupted", "image"),

	/* which files have the picture is still found, not its name there */
	EMPTIED("llava_manifest_line", "file_name = ''"),
	DELETED("llava_fetch", "image"),
	DELETED("llava_fetched", "image"),
	{.table = "llava_url_forgotten"},
	{.table = "llava_seen"},
	{.table = "llava_hash"}
};

#define UNLOCKED 10

/* Set while llava_image's rows are deleted by this file: see llava_image_deleted. */
static bool is_deleting = false;

PG_FUNCTION_INFO_V1(llava_image_deleted);

/* From rows of id, sha256, and whether there is such a row. */
static void
take_family(Family *family, uint64 rows, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);

	family->n = (int) rows;
	family->members = palloc0(sizeof(Member) * (rows + 1));
	for (uint64 i = 0; i < rows; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		Member	   *member = &family->members[i];
		bool		isnull;
		Datum		hash;

		member->id = SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &isnull);
		hash = SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull);
		if (!isnull)
			member->hash = datumCopy(hash, false, -1);
		member->is_there = DatumGetBool(SPI_getbinval(row, SPI_tuptable->tupdesc, 3, &isnull));
	}
	MemoryContextSwitchTo(old);
}

static Datum
bigint_array(Datum *values, int n)
{
	return PointerGetDatum(construct_array(values, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
										   TYPALIGN_DOUBLE));
}

/* The ids of the family's members, and of those with a sha256. */
static Datum
ids_of(const Family *family, bool with_hash)
{
	Datum	   *ids = palloc(sizeof(Datum) * (family->n + 1));
	int			n = 0;

	for (int i = 0; i < family->n; i++)
		if (!with_hash || family->members[i].hash != (Datum) 0)
			ids[n++] = family->members[i].id;
	return bigint_array(ids, n);
}

static Datum
hashes_of(const Family *family)
{
	Datum	   *hashes = palloc(sizeof(Datum) * (family->n + 1));
	int			n = 0;

	for (int i = 0; i < family->n; i++)
		if (family->members[i].hash != (Datum) 0)
			hashes[n++] = family->members[i].hash;
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
	Datum		values[2] = {hashes_of(family), ids_of(family, false)};
	uint64		rows = rows_run_as_owner(extension_relation("llava_seen"), &sql_forget_seen_images,
										 values, NULL);
	bool		isnull;

	*ids = palloc(sizeof(Datum) * (family->n + rows));
	for (int i = 0; i < family->n; i++)
		(*ids)[i] = family->members[i].id;
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
	"SELECT f.id, i.sha256, i.id IS NOT NULL FROM family f LEFT JOIN @.llava_image i ON i.id = f.id",
	.types = "L"
};

/*
 * The pictures, their copies, what they are copies of and those ones' copies.  Each table
 * is read as its owner, since their owners may differ.
 */
static void
find_family(Datum *ids, int n, Family *family)
{
	MemoryContext context = CurrentMemoryContext;

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

static SqlStatement sql_remove_family = {
	.text =
	"SELECT i.id, i.sha256, true FROM @.llava_image i WHERE i.id = ANY ($1) UNION "
	"SELECT c.id, c.sha256, true FROM @.llava_image c WHERE c.same_as = ANY ($1)",
	.types = "L"
};

/* The pictures and those that are copies of them; not what they are copies of. */
static void
find_copies(Datum *ids, int n, Family *family)
{
	MemoryContext context = CurrentMemoryContext;
	Datum		value = bigint_array(ids, n);

	take_family(family, rows_run_as_owner(extension_relation("llava_image"),
										  &sql_remove_family, &value, NULL), context);
}

static SqlStatement sql_forget_seen = {
	.text =
	"INSERT INTO @.llava_seen AS s (sha256, image, forgotten_at, forgotten_reason) "
	"SELECT f.h, pg_catalog.min(f.i), pg_catalog.now(), $3"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS f (h, i) GROUP BY f.h "
	"ON CONFLICT (sha256) DO UPDATE SET forgotten_at = EXCLUDED.forgotten_at,"
	"  forgotten_reason = EXCLUDED.forgotten_reason WHERE s.forgotten_at IS NULL",
	.types = "YLt"
};

/* Of pictures whose rows were deleted before.  It reads the whole table. */
static SqlStatement sql_forget_seen_image = {
	.text =
	"UPDATE @.llava_seen SET forgotten_at = pg_catalog.now(), forgotten_reason = $2"
	" WHERE image = ANY ($1) AND forgotten_at IS NULL",
	.types = "Lt"
};

static SqlStatement sql_remove_seen = {
	.text =
	"DELETE FROM @.llava_seen WHERE sha256 = ANY ($1) AND image = ANY ($2)"
	" AND forgotten_at IS NULL",
	.types = "YL"
};

static uint64
clear_seen(const Family *family, Datum reason)
{
	Datum		values[3] = {hashes_of(family), ids_of(family, true), reason};

	return rows_run_as_owner(extension_relation("llava_seen"), reason == (Datum) 0 ?
							 &sql_remove_seen : &sql_forget_seen, values, NULL);
}

static bool
has_column(Oid table, const char *column)
{
	return get_attnum(table, column) != InvalidAttrNumber;
}

/* Whether the table is there, and has the columns that the statement is for. */
static bool
suits_schema(int i, Oid table)
{
	return OidIsValid(table) &&
		(cleared[i].since == NULL || has_column(table, cleared[i].since)) &&
		(cleared[i].until == NULL || !has_column(table, cleared[i].until));
}

/* Runs one of the statements of cleared[], behind a look at the statistics of its table. */
static uint64
clear_table(int i, Datum ids, bool *removed_statistics)
{
	Oid			table = extension_find_relation(cleared[i].table);
	TableStatistics *statistics;
	uint64		rows;

	*removed_statistics = false;
	if (!suits_schema(i, table))
		return 0;
	statistics = erased_statistics_read(table, cleared[i].rows_stay);
	if (statistics != NULL)
		erased_statistics_find(statistics, &cleared[i].rows, ids);
	is_deleting = i == 0;
	PG_TRY();
	{
		rows = rows_run_as_owner(table, &cleared[i].statement, &ids, NULL);
	}
	PG_FINALLY();
	{
		is_deleting = false;
	}
	PG_END_TRY();
	*removed_statistics = statistics != NULL && rows > 0 && erased_statistics_remove(statistics);
	return rows;
}

static void
note_absent(Forget *forget, const Family *family)
{
	MemoryContext old = MemoryContextSwitchTo(forget->context);

	for (int i = 0; i < family->n; i++)
		if (!family->members[i].is_there)
		{
			int64	   *id = palloc(sizeof(int64));

			*id = DatumGetInt64(family->members[i].id);
			forget->absent = lappend(forget->absent, id);
		}
	MemoryContextSwitchTo(old);
}

static void
clear_tables(Forget *forget)
{
	Family		family;
	Datum		ids;

	if (forget->reason == (Datum) 0)
		find_copies(forget->ids, forget->n, &family);
	else
		find_family(forget->ids, forget->n, &family);
	ids = ids_of(&family, false);
	if (forget->reason != (Datum) 0)
		forget_urls(ids, forget->reason);
	forget->others += clear_seen(&family, forget->reason);
	for (int i = 0; i < UNLOCKED; i++)
	{
		bool		removed_statistics;
		uint64		rows = clear_table(i, ids, &removed_statistics);

		if (i == 0)
			forget->images += rows;
		else
			forget->others += rows;
		if (strcmp(cleared[i].table, "llava_manifest_line") == 0)
			forget->lines += rows;
		if (removed_statistics)
			forget->unanalyzed |= 1 << i;
	}
	note_absent(forget, &family);
}

/*
 * A caller's search_path is not ours.  The planner knows nothing of how the tables' values
 * are spread in a batch of ids: every one of them is an index lookup.  What it may not use
 * it takes for dear, and what is dear for worth compiling.
 */
static void
set_locally(void)
{
	static const char *const settings[][2] = {
		{"search_path", "pg_catalog, pg_temp"},
		{"enable_seqscan", "off"}, {"enable_hashjoin", "off"},
		{"enable_mergejoin", "off"}, {"enable_bitmapscan", "off"},
		{"jit", "off"}
	};

	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1], PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
}

static void
forget_locked(void *arg)
{
	Forget	   *forget = arg;
	TimestampTz locked_at;
	List	   *constraints;
	Oid			tables[lengthof(cleared)];
	int			n = 0;

	set_locally();
	for (int i = 0; i < lengthof(cleared); i++)
	{
		Oid			table = extension_find_relation(cleared[i].table);

		if (!OidIsValid(table))
			continue;
		tables[n++] = table;
		if (i < UNLOCKED)
			LockRelationOid(table, ShareRowExclusiveLock);
	}
	locked_at = GetCurrentTimestamp();
	rows_spi_connect();
	constraints = constraints_immediate(tables, n);
	clear_tables(forget);
	constraints_put_back(constraints);
	SPI_finish();
	forget->locked_ms = TimestampDifferenceMilliseconds(locked_at, GetCurrentTimestamp());
}

void
forget_pictures(Forget *forget, const char *function)
{
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s needs the isolation level READ COMMITTED", function),
				 errdetail("An older snapshot does not show what was committed since.")));
	blockers_run(function, forget_locked, forget);
}

static void
leave_tombstones(void *arg)
{
	Forget	   *forget = arg;
	Datum	   *ids = palloc(sizeof(Datum) * list_length(forget->absent));
	Datum		values[2] = {0, forget->reason};
	ListCell   *cell;

	foreach(cell, forget->absent)
		ids[foreach_current_index(cell)] = Int64GetDatum(*(int64 *) lfirst(cell));
	values[0] = bigint_array(ids, list_length(forget->absent));
	set_locally();
	rows_spi_connect();
	forget->others += rows_run_as_owner(extension_relation("llava_seen"), &sql_forget_seen_image,
										values, NULL);
	SPI_finish();
}

void
forget_absent(Forget *forget, const char *function)
{
	if (forget->absent != NIL && forget->reason != (Datum) 0)
		blockers_run(function, leave_tombstones, forget);
}

void
forget_name_exports(const Forget *forget)
{
	if (forget->lines > 0)
		ereport(NOTICE,
				(errmsg_plural("%llu line of recorded exports still has what was taken down",
							   "%llu lines of recorded exports still have what was taken down",
							   (unsigned long) forget->lines, (unsigned long long) forget->lines),
				 errhint("SELECT file, count(*) FROM llava_published WHERE file_name = '' GROUP BY file ORDER BY file; names the files.")));
}

void
forget_name_analyze(const Forget *forget)
{
	StringInfoData commands;

	initStringInfo(&commands);
	for (int i = 0; i < UNLOCKED; i++)
		if (forget->unanalyzed & (1 << i))
			appendStringInfo(&commands, "%sANALYZE %s;", commands.len > 0 ? " " : "",
							 cleared[i].table);
	if (commands.len > 0)
		ereport(NOTICE,
				(errmsg("statistics in which erased values stood were removed"),
				 errhint("The planner has them again after: %s", commands.data)));
}

/*
 * BEFORE DELETE on llava_image, FOR EACH ROW WHEN received_at IS NOT NULL: samples,
 * replies and queue rows would stay behind.
 */
Datum
llava_image_deleted(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = rows_trigger(fcinfo, "llava_image");

	if (!is_deleting)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("rows of \"llava_image\" are not deleted by DELETE"),
				 errdetail("Samples, replies and queue rows of the picture would stay behind."),
				 errhint("SELECT llava_remove(id) takes out a picture that was loaded by mistake, with all of its rows; llava_forget(id, reason) takes it down for good.")));
	return PointerGetDatum(trigger->tg_trigtuple);
}
