/*
 * followers.c
 *	  Tasks that follow another one: queued for a picture when a result of that one is
 *	  accepted.
 *
 * Which tasks follow is read in the transaction that stores the result, so that a task
 * which was changed meanwhile counts as it is now.  A condition that is not true leaves a
 * row that rests, countable and released by llava_retry; a share leaves none.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "db/db.h"
#include "ledger.h"
#include "utils/array.h"
#include "utils/builtins.h"

typedef struct Follower
{
	char	   *name;
	char	   *after;
	int32		version;
	double		share;
} Follower;

static SqlStatement sql_followers = {
	.text =
	"SELECT name, after, version, coalesce(share, 1)"
	" FROM (SELECT DISTINCT ON (name) name, after, version, share FROM @.llava_task"
	"       ORDER BY name, version DESC) AS newest WHERE after IS NOT NULL",
	.types = ""
};

List *
followers_read(void)
{
	uint64		n = sql_run(&sql_followers, NULL, NULL, 0);
	List	   *followers = NIL;

	for (uint64 i = 0; i < n; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		Follower   *follower = palloc(sizeof(Follower));
		bool		isnull;

		follower->name = SPI_getvalue(row, desc, 1);
		follower->after = SPI_getvalue(row, desc, 2);
		follower->version = DatumGetInt32(SPI_getbinval(row, desc, 3, &isnull));
		follower->share = DatumGetFloat8(SPI_getbinval(row, desc, 4, &isnull));
		followers = lappend(followers, follower);
	}
	return followers;
}

/* Annotations about another reply than this one, or about any. */
static SqlStatement sql_follow_withdraw = {
	.text =
	"DELETE FROM @.llava_annotation WHERE image = $1 AND task = $2 AND about <> $3",
	.types = "ltl"
};

/*
 * A row that rests is judged anew, unless a person cancelled it; one that waits is asked
 * about the new result anyway; one that is held finds at its settle that its result is about
 * an old one.  A conversation that is there already is not asked for again.
 */
static SqlStatement sql_follow = {
	.text =
	"INSERT INTO @.llava_pending AS p (image, task, failure, detail)"
	" SELECT i.id, t.name, CASE WHEN t.condition IS NULL OR c.holds THEN NULL"
	"    WHEN c.holds IS NULL THEN 'condition_error' ELSE 'condition' END,"
	"   CASE WHEN t.condition IS NULL OR c.holds THEN NULL ELSE pg_catalog.left(t.condition::pg_catalog.text, 200) END"
	" FROM @.llava_image i, @.llava_task t,"
	"  LATERAL (SELECT CASE WHEN t.condition IS NOT NULL"
	"    THEN pg_catalog.jsonb_path_match($4, t.condition, '{}', true) END OFFSET 0) AS c (holds)"
	" WHERE i.id = $1 AND t.name = $2 AND t.version = $3 AND (t.weight = 0 OR i.task = t.name)"
	"  AND ($5 >= 1 OR @.llava_image_share(i.id, i.sha256, 2::pg_catalog.int8) < $5)"
	"  AND NOT EXISTS (SELECT FROM @.llava_conversation s WHERE s.image = $1 AND s.task = $2)"
	"  AND NOT EXISTS (SELECT FROM @.llava_annotation a WHERE a.image = $1 AND a.task = $2)"
	" ON CONFLICT (image, task) DO UPDATE SET failure = EXCLUDED.failure, detail = EXCLUDED.detail,"
	"  attempts = 0, interruptions = 0, rejects = NULL, refused_by = NULL, visible_at = pg_catalog.now()"
	" WHERE p.failure <> 'cancelled'",
	.types = "ltijd"
};

static bool
queue_follower(const Follower *follower, const FollowedResult *result)
{
	Datum		values[5] = {
		Int64GetDatum(result->image), CStringGetTextDatum(follower->name), Int32GetDatum(follower->version),
		result->result, Float8GetDatum(follower->share)
	};

	return follower->share > 0 && sql_run(&sql_follow, values, NULL, 0) > 0;
}

bool
followers_queue(const List *followers, const FollowedResult *result)
{
	bool		queued = false;
	ListCell   *cell;

	foreach(cell, followers)
	{
		const Follower *follower = lfirst(cell);

		if (strcmp(follower->after, result->task) == 0 && queue_follower(follower, result))
			queued = true;
	}
	return queued;
}

/* Annotations about other replies than those of these results. */
static SqlStatement sql_withdraw_older = {
	.text =
	"DELETE FROM @.llava_annotation a"
	" USING ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3)) AS r (image, task, reply)"
	" WHERE a.image = r.image AND a.task = r.task AND a.about <> r.reply RETURNING a.image, a.task",
	.types = "LTL"
};

/* Queues again what has just lost its annotation, rows of sql_withdraw_older. */
static bool
queue_withdrawn(const List *followers, const FollowedResult *results, int n, SPITupleTable *table, uint64 rows)
{
	bool		queued = false;

	for (uint64 row = 0; row < rows; row++)
	{
		bool		isnull;
		int64		image = DatumGetInt64(SPI_getbinval(table->vals[row], table->tupdesc, 1, &isnull));
		const char *name = SPI_getvalue(table->vals[row], table->tupdesc, 2);
		ListCell   *cell;

		foreach(cell, followers)
		{
			const Follower *follower = lfirst(cell);

			for (int i = 0; i < n && strcmp(follower->name, name) == 0; i++)
				if (results[i].image == image && strcmp(follower->after, results[i].task) == 0)
					queued |= queue_follower(follower, &results[i]);
		}
	}
	return queued;
}

bool
followers_withdraw_older(const List *followers, const FollowedResult *results, int n)
{
	int			most = Max(n * list_length(followers), 1);
	Datum	   *images = palloc(sizeof(Datum) * most);
	Datum	   *names = palloc(sizeof(Datum) * most);
	Datum	   *replies = palloc(sizeof(Datum) * most);
	Datum		values[3];
	int			m = 0;
	uint64		rows;
	ListCell   *cell;

	foreach(cell, followers)
	{
		const Follower *follower = lfirst(cell);

		for (int i = 0; i < n; i++)
		{
			if (strcmp(follower->after, results[i].task) != 0)
				continue;
			images[m] = Int64GetDatum(results[i].image);
			names[m] = CStringGetTextDatum(follower->name);
			replies[m++] = Int64GetDatum(results[i].reply);
		}
	}
	if (m == 0)
		return false;
	values[0] = PointerGetDatum(construct_array(images, m, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	values[1] = PointerGetDatum(construct_array(names, m, TEXTOID, -1, false, TYPALIGN_INT));
	values[2] = PointerGetDatum(construct_array(replies, m, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	rows = sql_run(&sql_withdraw_older, values, NULL, 0);
	return queue_withdrawn(followers, results, n, SPI_tuptable, rows);
}

bool
followers_of_result(const List *followers, const FollowedResult *result)
{
	bool		queued = followers_queue(followers, result);

	return followers_withdraw_older(followers, result, 1) || queued;
}

/*
 * A row that is held waits again, and its call will find that it is another's.  Rows that
 * are not held are written as well: one that a claim holds but has not committed is seen as
 * it was, and only an UPDATE of it waits for that claim.
 */
static SqlStatement sql_follow_fence = {
	.text =
	"UPDATE @.llava_pending SET call = CASE WHEN holder IS NULL THEN call END,"
	"  visible_at = CASE WHEN holder IS NULL THEN visible_at ELSE pg_catalog.now() END,"
	"  attempts = CASE WHEN holder IS NULL THEN attempts ELSE GREATEST(attempts - 1, 0) END,"
	"  holder = NULL"
	" WHERE image = $1 AND task = $2",
	.types = "lt"
};

void
followers_of_withdrawn(const List *followers, int64 image, const char *task)
{
	ListCell   *cell;

	foreach(cell, followers)
	{
		const Follower *follower = lfirst(cell);
		Datum		values[3] = {Int64GetDatum(image), (Datum) 0, (Datum) 0};

		if (strcmp(follower->after, task) != 0)
			continue;
		values[1] = CStringGetTextDatum(follower->name);
		/* about NULL stays: it followed nothing */
		values[2] = Int64GetDatum(0);
		sql_run(&sql_follow_withdraw, values, NULL, 0);
		sql_run(&sql_follow_fence, values, NULL, 0);
	}
}

bool
followers_of_change(const List *followers, const FollowedResult *result)
{
	followers_of_withdrawn(followers, result->image, result->task);
	return followers_queue(followers, result);
}

/* Locked, so that the result stays what the settle found until it has committed. */
static SqlStatement sql_result_reply = {
	.text =
	"SELECT reply FROM @.llava_conversation WHERE image = $1 AND task = $2 FOR SHARE",
	.types = "lt"
};

static SqlStatement sql_annotation_reply = {
	.text =
	"SELECT reply FROM @.llava_annotation WHERE image = $1 AND task = $2 FOR SHARE",
	.types = "lt"
};

int64
result_reply(int64 image, const LlavaTask *task)
{
	Datum		values[2] = {Int64GetDatum(image), CStringGetTextDatum(task->name)};
	bool		isnull;

	if (sql_run(task->kind == REPLY_OBJECT ? &sql_annotation_reply : &sql_result_reply, values, NULL, 0) == 0)
		return 0;
	return DatumGetInt64(sql_value(1, &isnull));
}

static SqlStatement sql_result_read = {
	.text =
	"SELECT reply, conversation FROM @.llava_conversation WHERE image = $1 AND task = $2",
	.types = "lt"
};

static SqlStatement sql_annotation_read = {
	.text =
	"SELECT reply, object FROM @.llava_annotation WHERE image = $1 AND task = $2",
	.types = "lt"
};

int64
result_read(int64 image, const LlavaTask *task, Datum *result)
{
	Datum		values[2] = {Int64GetDatum(image), CStringGetTextDatum(task->name)};
	bool		isnull;

	if (sql_run(task->kind == REPLY_OBJECT ? &sql_annotation_read : &sql_result_read, values, NULL, 0) == 0)
		return 0;
	*result = sql_value(2, &isnull);
	return DatumGetInt64(sql_value(1, &isnull));
}
