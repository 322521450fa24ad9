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

/* Annotations about other replies than those of these results. */
static SqlStatement sql_withdraw_older = {
	.text =
	"DELETE FROM @.llava_annotation a"
	" USING ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS r (image, reply)"
	" WHERE a.image = r.image AND a.task = $3 AND a.about <> r.reply",
	.types = "LLt"
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
	" FROM pg_catalog.unnest($1) AS r (image) JOIN @.llava_image i ON i.id = r.image, @.llava_task t,"
	"  LATERAL (SELECT CASE WHEN t.condition IS NOT NULL THEN pg_catalog.jsonb_path_match(coalesce("
	"    (SELECT a.object FROM @.llava_annotation a WHERE a.image = r.image AND a.task = t.after),"
	"    (SELECT s.conversation FROM @.llava_conversation s WHERE s.image = r.image AND s.task = t.after)),"
	"    t.condition, '{}', true) END OFFSET 0) AS c (holds)"
	" WHERE t.name = $2 AND t.version = $3 AND (t.weight = 0 OR i.task = t.name)"
	"  AND ($4 >= 1 OR @.llava_image_share(i.id, i.sha256, 2::pg_catalog.int8) < $4)"
	"  AND NOT EXISTS (SELECT FROM @.llava_conversation s WHERE s.image = r.image AND s.task = $2)"
	"  AND NOT EXISTS (SELECT FROM @.llava_annotation a WHERE a.image = r.image AND a.task = $2)"
	" ON CONFLICT (image, task) DO UPDATE SET failure = EXCLUDED.failure, detail = EXCLUDED.detail,"
	"  attempts = 0, interruptions = 0, rejects = NULL, refused_by = NULL, visible_at = pg_catalog.now()"
	" WHERE p.failure <> 'cancelled'",
	.types = "Ltid"
};

/* The results that this task follows: their images and replies, as arrays; returns how many. */
static int
followed_results(const Follower *follower, const FollowedResult *results, int n, Datum *images, Datum *replies)
{
	Datum	   *image = palloc(sizeof(Datum) * n);
	Datum	   *reply = palloc(sizeof(Datum) * n);
	int			m = 0;

	for (int i = 0; i < n; i++)
	{
		if (strcmp(follower->after, results[i].task) != 0)
			continue;
		image[m] = Int64GetDatum(results[i].image);
		reply[m++] = Int64GetDatum(results[i].reply);
	}
	*images = PointerGetDatum(construct_array(image, m, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	*replies = PointerGetDatum(construct_array(reply, m, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	return m;
}

bool
followers_of_results(const List *followers, const FollowedResult *results, int n)
{
	uint64		queued = 0;
	ListCell   *cell;

	foreach(cell, followers)
	{
		const Follower *follower = lfirst(cell);
		Datum		older[3];
		Datum		values[4];

		if (followed_results(follower, results, n, &older[0], &older[1]) == 0)
			continue;
		older[2] = values[1] = CStringGetTextDatum(follower->name);
		sql_run(&sql_withdraw_older, older, NULL, 0);
		if (follower->share <= 0)
			continue;
		values[0] = older[0];
		values[2] = Int32GetDatum(follower->version);
		values[3] = Float8GetDatum(follower->share);
		queued += sql_run(&sql_follow, values, NULL, 0);
	}
	return queued > 0;
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
	return followers_of_results(followers, result, 1);
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
