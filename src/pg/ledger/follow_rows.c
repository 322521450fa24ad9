/*
 * follow_rows.c
 *	  The batches of llava_follow: rows of the queue that a task is owed.
 *
 * Results and rows are locked by one statement and judged by the next, whose snapshot is
 * newer: what was settled until then is seen, and what is settled later finds the row that
 * was written here.  Results are locked before rows, as in a settle.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "follow.h"
#include "process/process.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* What a condition makes of a row. */
#define VERDICT(holds) \
	"CASE WHEN " holds " THEN NULL WHEN " holds " IS NULL THEN 'condition_error' ELSE 'condition' END"
#define VERDICT_DETAIL(holds, condition) \
	"CASE WHEN " holds " THEN NULL ELSE pg_catalog.left(" condition ", 200) END"

/* Runs a step's statement; a NULL stands at the place of a condition that there is none of. */
static uint64
follow_run(SqlStatement *statement, Datum *values, const TaskFollower *task, int condition)
{
	char		nulls[8];

	memset(nulls, ' ', sizeof(nulls));
	nulls[strlen(statement->types)] = '\0';
	if (condition >= 0)
	{
		values[condition] = task->condition == NULL ? (Datum) 0 : CStringGetTextDatum(task->condition);
		nulls[condition] = task->condition == NULL ? 'n' : ' ';
	}
	return sql_run(statement, values, nulls, 0);
}

static void
follow_looked_at(Follow *follow, int64 rows)
{
	follow->done += rows;
	work_done(follow->work, follow->done);
}

/* ---- rows of a task whose gate has not been passed ---- */

static SqlStatement sql_exchange_lock = {
	.text =
	"SELECT coalesce(pg_catalog.array_agg(k.image), '{}'), pg_catalog.max(k.image), pg_catalog.count(*)"
	" FROM (SELECT p.image FROM @.llava_pending p JOIN @.llava_image i ON i.id = p.image"
	"  WHERE " TASK_EXCHANGED("p", "i", "$1", "$2", "$3") " AND p.image > $4"
	"  ORDER BY p.image LIMIT $5 FOR UPDATE OF p) AS k",
	.types = "ttlll"
};

/* A row that rests has the end of its last lease in visible_at. */
static SqlStatement sql_exchange = {
	.text =
	"WITH gone AS (DELETE FROM @.llava_pending p USING @.llava_image i"
	"  WHERE i.id = p.image AND p.image = ANY ($5) AND " TASK_EXCHANGED("p", "i", "$1", "$2", "$3")
	"  RETURNING p.image, CASE WHEN p.failure IS NULL THEN p.visible_at ELSE pg_catalog.now() END AS visible_at),"
	" added AS (INSERT INTO @.llava_pending (image, task, visible_at) SELECT g.image, $4, g.visible_at FROM gone g"
	"  WHERE NOT " TASK_HAS_RESULT("g.image", "$4") " ON CONFLICT DO NOTHING)"
	" SELECT pg_catalog.count(*), pg_catalog.min(g.visible_at) FROM gone g",
	.types = "ttltL"
};

bool
follow_exchange(Follow *follow, const TaskFollower *task, int64 *last, TaskOwed *sum)
{
	Datum		values[5] = {
		CStringGetTextDatum(task->name), CStringGetTextDatum(task->after), Int64GetDatum(task->weight),
		Int64GetDatum(*last), Int64GetDatum(follow->batch)
	};
	bool		isnull;
	int64		rows;
	int64		gone;

	(void) sql_run(&sql_exchange_lock, values, NULL, 0);
	rows = DatumGetInt64(sql_value(3, &isnull));
	if (rows == 0)
		return false;
	*last = DatumGetInt64(sql_value(2, &isnull));
	values[4] = sql_value(1, &isnull);
	values[3] = CStringGetTextDatum(follow_first(follow, task));
	(void) sql_run(&sql_exchange, values, NULL, 0);
	gone = DatumGetInt64(sql_value(1, &isnull));
	sum->exchanged += gone;
	if (gone > 0)
		wake_at_commit(DatumGetTimestampTz(sql_value(2, &isnull)));
	follow_looked_at(follow, rows);
	return rows == follow->batch;
}

/* ---- results that are owed a row ---- */

#define RESULTS \
	"(SELECT image, object AS result FROM @.llava_annotation WHERE task = $2 AND image = ANY ($6)" \
	" UNION ALL SELECT image, conversation FROM @.llava_conversation WHERE task = $2 AND image = ANY ($6))"

static SqlStatement sql_follow_range = {
	.text =
	"SELECT pg_catalog.max(r.image), pg_catalog.count(*) FROM ("
	" (SELECT image FROM @.llava_annotation WHERE task = $1 AND image > $2 ORDER BY image LIMIT $3)"
	" UNION ALL"
	" (SELECT image FROM @.llava_conversation WHERE task = $1 AND image > $2 ORDER BY image LIMIT $3)"
	" ORDER BY image LIMIT $3) AS r",
	.types = "tll"
};

#define LOCK_RESULTS(table) \
	"SELECT coalesce(pg_catalog.array_agg(k.image), '{}') FROM (SELECT r.image FROM @." table " r" \
	"  JOIN @.llava_image i ON i.id = r.image" \
	"  LEFT JOIN @.llava_pending p ON p.image = r.image AND p.task = $1" \
	"  WHERE r.task = $2 AND r.image > $5 AND r.image <= $6 AND " TASK_FITS("i", "$1", "$3", "$4") \
	"   AND " TASK_OWES("r.image", "$1", "p") " ORDER BY r.image FOR NO KEY UPDATE OF r) AS k"

static SqlStatement sql_follow_lock_samples = {
	.text = LOCK_RESULTS("llava_conversation"),
	.types = "ttdlll"
};

static SqlStatement sql_follow_lock_annotations = {
	.text = LOCK_RESULTS("llava_annotation"),
	.types = "ttdlll"
};

static SqlStatement sql_follow_add = {
	.text =
	"INSERT INTO @.llava_pending (image, task, failure, detail)"
	" SELECT r.image, $1, " VERDICT("c.holds") ", " VERDICT_DETAIL("c.holds", "$3")
	" FROM " RESULTS " AS r JOIN @.llava_image i ON i.id = r.image"
	" LEFT JOIN @.llava_pending p ON p.image = r.image AND p.task = $1,"
	" LATERAL (SELECT " TASK_HOLDS("r.result", "$3") " OFFSET 0) AS c (holds)"
	" WHERE p.image IS NULL AND " TASK_FITS("i", "$1", "$4", "$5") " AND " TASK_OWES("r.image", "$1", "p")
	" ON CONFLICT DO NOTHING RETURNING image, failure",
	.types = "tttdlL"
};

static SqlStatement sql_follow_again = {
	.text =
	"UPDATE @.llava_pending AS p SET failure = v.failure, detail = v.detail,"
	"  attempts = 0, interruptions = 0, rejects = NULL, refused_by = NULL,"
	"  visible_at = CASE WHEN p.failure IS NULL THEN p.visible_at ELSE pg_catalog.now() END"
	" FROM (SELECT r.image, " VERDICT("c.holds") " AS failure, " VERDICT_DETAIL("c.holds", "$3") " AS detail"
	"  FROM " RESULTS " AS r JOIN @.llava_image i ON i.id = r.image,"
	"  LATERAL (SELECT " TASK_HOLDS("r.result", "$3") " OFFSET 0) AS c (holds)"
	"  WHERE " TASK_FITS("i", "$1", "$4", "$5") ") AS v"
	" WHERE p.image = v.image AND p.task = $1 AND " TASK_OWES("p.image", "$1", "p")
	"  AND p.failure IS DISTINCT FROM v.failure RETURNING p.image, p.failure",
	.types = "tttdlL"
};

/*
 * A row that was asked for by name locks no result: it may have been settled while the INSERT
 * waited for it, and the one in its place is not owed.
 */
static SqlStatement sql_follow_not_owed = {
	.text =
	"DELETE FROM @.llava_pending p WHERE p.task = $1 AND p.image = ANY ($2) AND " TASK_NEVER_ASKED("p")
	" AND " TASK_HAS_RESULT("p.image", "$1"),
	.types = "tL"
};

/* Counts the rows that a statement has written, by what it made of them. */
static int64
count_written(TaskOwed *sum)
{
	int64		queued = 0;

	for (uint64 i = 0; i < SPI_processed; i++)
	{
		const char *failure = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2);

		if (failure == NULL)
			queued++;
		else if (strcmp(failure, "condition") == 0)
			sum->condition++;
		else
			sum->condition_error++;
	}
	sum->queued += queued;
	return queued;
}

/* Queues what is owed to these results, which are locked. */
static void
follow_images(const TaskFollower *task, Datum images, TaskOwed *sum)
{
	Datum		values[6] = {
		CStringGetTextDatum(task->name), CStringGetTextDatum(task->after), (Datum) 0,
		Float8GetDatum(task->share), Int64GetDatum(task->weight), images
	};
	Datum		written[2] = {values[0], images};
	int64		queued;

	(void) follow_run(&sql_follow_again, values, task, 2);
	queued = count_written(sum);
	if (follow_run(&sql_follow_add, values, task, 2) > 0)
	{
		queued += count_written(sum);
		sum->queued -= (int64) sql_run(&sql_follow_not_owed, written, NULL, 0);
	}
	if (queued > 0)
		wake_at_commit(GetCurrentTransactionStartTimestamp());
}

bool
follow_results(Follow *follow, const TaskFollower *task, int64 *last, TaskOwed *sum)
{
	SqlStatement *const locks[] = {&sql_follow_lock_samples, &sql_follow_lock_annotations};
	Datum		range[3] = {CStringGetTextDatum(task->after), Int64GetDatum(*last), Int64GetDatum(follow->batch)};
	Datum		values[6] = {
		CStringGetTextDatum(task->name), range[0], Float8GetDatum(task->share), Int64GetDatum(task->weight),
		Int64GetDatum(*last), (Datum) 0
	};
	bool		isnull;
	int64		rows;

	(void) sql_run(&sql_follow_range, range, NULL, 0);
	rows = DatumGetInt64(sql_value(2, &isnull));
	if (rows == 0)
		return false;
	*last = DatumGetInt64(sql_value(1, &isnull));
	values[5] = Int64GetDatum(*last);
	for (int i = 0; i < lengthof(locks); i++)
	{
		(void) sql_run(locks[i], values, NULL, 0);
		follow_images(task, sql_value(1, &isnull), sum);
	}
	sum->results += rows;
	follow_looked_at(follow, rows);
	return rows == follow->batch;
}

/* ---- a task that follows none any more ---- */

static SqlStatement sql_freed_rows = {
	.text =
	"WITH picked AS MATERIALIZED (SELECT p.image FROM @.llava_pending p WHERE p.task = $1"
	"  AND p.failure IN ('condition', 'condition_error') ORDER BY p.image LIMIT $2 FOR UPDATE)"
	" UPDATE @.llava_pending p SET failure = NULL, detail = NULL, visible_at = pg_catalog.now()"
	" FROM picked k WHERE p.image = k.image AND p.task = $1",
	.types = "tl"
};

bool
follow_freed_rows(Follow *follow, const TaskFollower *task, int64 *last, TaskOwed *sum)
{
	Datum		values[2] = {CStringGetTextDatum(task->name), Int64GetDatum(follow->batch)};
	int64		rows = (int64) sql_run(&sql_freed_rows, values, NULL, 0);

	sum->queued += rows;
	if (rows > 0)
		wake_at_commit(GetCurrentTransactionStartTimestamp());
	follow_looked_at(follow, rows);
	return rows == follow->batch;
}

/* Pictures of a task that has followed another: its gate no longer queues it. */
#define FREED_PICTURE \
	"i.task = $1 AND i.rejected IS NULL AND i.same_as IS NULL AND i.received_at IS NOT NULL" \
	" AND (i.image IS NOT NULL OR i.in_file)" \
	" AND EXISTS (SELECT FROM @.llava_task t WHERE t.name = $1 AND t.after IS NOT NULL)" \
	" AND NOT EXISTS (SELECT FROM @.llava_pending p WHERE p.image = i.id AND p.task = $1)" \
	" AND NOT " TASK_HAS_RESULT("i.id", "$1")

static SqlStatement sql_freed_pictures = {
	.text =
	"INSERT INTO @.llava_pending (image, task) SELECT i.id, $1 FROM @.llava_image i"
	" WHERE i.id > $2 AND " FREED_PICTURE " ORDER BY i.id LIMIT $3 ON CONFLICT DO NOTHING RETURNING image",
	.types = "tll"
};

bool
follow_freed_pictures(Follow *follow, const TaskFollower *task, int64 *last, TaskOwed *sum)
{
	Datum		values[3] = {CStringGetTextDatum(task->name), Int64GetDatum(*last), Int64GetDatum(follow->batch)};
	int64		rows = (int64) sql_run(&sql_freed_pictures, values, NULL, 0);
	Datum	   *images = palloc(sizeof(Datum) * Max(rows, 1));
	bool		isnull;

	for (int64 i = 0; i < rows; i++)
	{
		images[i] = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);
		*last = Max(*last, DatumGetInt64(images[i]));
	}
	values[1] = PointerGetDatum(construct_array(images, (int) rows, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
												TYPALIGN_DOUBLE));
	sum->queued += rows - (int64) sql_run(&sql_follow_not_owed, values, NULL, 0);
	if (rows > 0)
		wake_at_commit(GetCurrentTransactionStartTimestamp());
	follow_looked_at(follow, rows);
	return rows == follow->batch;
}

static SqlStatement sql_freed_count = {
	.text =
	"SELECT (SELECT pg_catalog.count(*) FROM @.llava_image i WHERE " FREED_PICTURE ")"
	" + (SELECT pg_catalog.count(*) FROM @.llava_pending p WHERE p.task = $1"
	"  AND p.failure IN ('condition', 'condition_error'))",
	.types = "t"
};

int64
follow_count_freed(const TaskFollower *task)
{
	Datum		name = CStringGetTextDatum(task->name);
	bool		isnull;

	(void) sql_run(&sql_freed_count, &name, NULL, 0);
	return DatumGetInt64(sql_value(1, &isnull));
}
