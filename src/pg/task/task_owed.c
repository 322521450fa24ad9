/*
 * task_owed.c
 *	  What a new version of a task owes to results that are there already: rows that
 *	  llava_follow would queue.
 *
 * A result is owed a row of the follower if the follower is for its picture (by weight and
 * share), has no result of its own there, and has no row, or one that waits and was never
 * asked for, or that rests for what it followed.  What rests for any other reason, or was
 * asked for by name, is nobody's debt.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "task_row.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/rls.h"

static SqlStatement sql_task_owed = {
	.text =
	"SELECT pg_catalog.count(*),"
	" pg_catalog.count(*) FILTER (WHERE o.fits AND o.holds),"
	" pg_catalog.count(*) FILTER (WHERE o.owed AND o.holds AND NOT o.waits),"
	" pg_catalog.count(*) FILTER (WHERE o.owed AND NOT o.holds AND o.failure IS DISTINCT FROM 'condition'),"
	" pg_catalog.count(*) FILTER (WHERE o.owed AND o.holds IS NULL AND o.failure IS DISTINCT FROM 'condition_error')"
	" FROM (SELECT f.fits, c.holds, p.failure, p.image IS NOT NULL AND p.failure IS NULL AS waits,"
	"   f.fits AND " TASK_OWES("r.image", "$1", "p") " AS owed"
	"  FROM (SELECT image, object AS result FROM @.llava_annotation WHERE task = $2"
	"   UNION ALL SELECT image, conversation FROM @.llava_conversation WHERE task = $2 LIMIT $6) AS r"
	"  CROSS JOIN LATERAL (SELECT i.id, i.task, i.sha256 FROM @.llava_image i WHERE i.id = r.image OFFSET 0) AS i"
	"  LEFT JOIN LATERAL (SELECT q.image, q.failure, q.call, q.holder, q.released FROM @.llava_pending q"
	"   WHERE q.image = r.image AND q.task = $1 OFFSET 0) AS p ON true,"
	"  LATERAL (SELECT " TASK_FITS("i", "$1", "$4", "$5") ") AS f (fits),"
	"  LATERAL (SELECT " TASK_HOLDS("r.result", "$3") ") AS c (holds)) AS o",
	.types = "tttdll"
};

/* Rows that wait for the follower itself where it has nothing to follow yet. */
static SqlStatement sql_task_exchanged = {
	.text =
	"SELECT pg_catalog.count(*) FROM (SELECT FROM @.llava_pending p JOIN @.llava_image i ON i.id = p.image"
	" WHERE " TASK_EXCHANGED("p", "i", "$1", "$2", "$3") " LIMIT $4) AS o",
	.types = "ttll"
};

TaskOwed
task_owed(const TaskFollower *follower, int64 most)
{
	TaskOwed	owed;
	Datum		values[6] = {
		CStringGetTextDatum(follower->name), CStringGetTextDatum(follower->after), (Datum) 0,
		Float8GetDatum(follower->share), Int64GetDatum(follower->weight), Int64GetDatum(most)
	};
	int64	   *const counts[] = {&owed.results, &owed.passes, &owed.queued, &owed.condition, &owed.condition_error};
	bool		isnull;

	if (follower->condition != NULL)
		values[2] = CStringGetTextDatum(follower->condition);
	(void) sql_run(&sql_task_owed, values, follower->condition == NULL ? "  n   " : NULL, 0);
	for (int i = 0; i < lengthof(counts); i++)
		*counts[i] = DatumGetInt64(sql_value(i + 1, &isnull));
	values[2] = values[4];
	values[3] = values[5];
	(void) sql_run(&sql_task_exchanged, values, NULL, 0);
	owed.exchanged = DatumGetInt64(sql_value(1, &isnull));
	owed.more = owed.results >= most || owed.exchanged >= most;
	return owed;
}

/* ---- what an INSERT says of it ---- */

/* The new row as a follower; after NULL: it is none. */
static TaskFollower
follower_of(const TaskRow *row)
{
	int			condition = task_row_column(row, "condition");
	int			share = task_row_column(row, "share");
	TaskFollower follower = {
		.name = task_row_text(row, "name"),
		.after = task_row_text(row, "after"),
		.share = row->nulls[share] ? 1 : DatumGetFloat8(row->values[share]),
		.weight = DatumGetInt64(row->values[task_row_column(row, "weight")])
	};

	if (!row->nulls[condition])
		follower.condition = DatumGetCString(DirectFunctionCall1(jsonpath_out, row->values[condition]));
	return follower;
}

/*
 * Whether who inserts may read the rows that would be counted: else the count for a condition
 * of its own would tell what they say.
 */
static bool
may_count(void)
{
	static const char *const tables[] = {"llava_annotation", "llava_conversation", "llava_pending", "llava_image"};

	for (int i = 0; i < lengthof(tables); i++)
	{
		Oid			table = extension_relation(tables[i]);

		if (pg_class_aclcheck(table, GetOuterUserId(), ACL_SELECT) != ACLCHECK_OK ||
			check_enable_rls(table, GetOuterUserId(), true) == RLS_ENABLED)
			return false;
	}
	return true;
}

/*
 * Whoever inserts waits for the count, so that it is of so many results and rows only.  An
 * edit concerns them all alike: where none of these is owed anything, nothing is said.
 */
#define TELL_MOST 10000

void
task_tell_owed(const TaskRow *row)
{
	TaskFollower follower = follower_of(row);
	RowsCaller	caller;
	TaskOwed	owed;

	if (follower.after == NULL || !may_count())
		return;
	rows_spi_connect();
	rows_begin_as_owner(extension_relation("llava_pending"), &caller);
	/* compiling the statement takes longer than the count */
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	owed = task_owed(&follower, TELL_MOST);
	rows_end_as_owner(&caller);
	SPI_finish();
	if (owed.queued + owed.condition + owed.condition_error + owed.exchanged == 0)
		return;
	ereport(NOTICE,
			(errmsg("nothing is queued for what was there before: llava_follow would queue %s" INT64_FORMAT
					" rows of \"%s\"", owed.more ? "at least " : "", owed.queued, follower.name),
			 errdetail("%s would lay aside " INT64_FORMAT " rows by the condition, and exchange " INT64_FORMAT
					   " that wait for what is first in its chain.",
					   owed.more ? "Of the first " CppAsString2(TELL_MOST) " that it finds it" : "It",
					   owed.condition + owed.condition_error, owed.exchanged),
			 errhint("CALL llava_follow(%s);", quote_literal_cstr(follower.name))));
}
