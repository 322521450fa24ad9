/*
 * claim_rows.c
 *	  Claims rows of the queue, and makes calls of them.
 *
 * A claim gives the row a new call id, this process as its holder and a lease: until the
 * lease ends (visible_at) no other process claims the row.  A row whose lease ran out is
 * claimed like any other; the call that held it is noted in llava_interrupted.
 */
#include "postgres.h"

#include "claim.h"
#include "process/process.h"
#include "utils/builtins.h"

/* Parameters of sql_claim, from $1 on, and the columns that it returns. */
enum
{
	CLAIM_TASKS,
	CLAIM_SERVERS,
	CLAIM_NOT_SERVERS,
	CLAIM_FROM_VISIBLE_AT,
	CLAIM_FROM_IMAGE,
	CLAIM_WANTED,
	CLAIM_HOLDER,
	CLAIM_LEASE,
	CLAIM_NOT_CALLS,
	CLAIM_EXCUSED,
	CLAIM_VALUES
};

enum
{
	CLAIMED_IMAGE = 1,
	CLAIMED_TASK,
	CLAIMED_CALL,
	CLAIMED_ATTEMPTS,
	CLAIMED_VARIATION,
	CLAIMED_VISIBLE_AT,
	CLAIMED_RELEASED,
	CLAIMED_REJECTS,
	CLAIMED_REFUSED_BY,
	CLAIMED_EXCUSED,
	CLAIMED_COMPANY,
	CLAIMED_SERVER,
	CLAIMED_NOT_SERVER,
	CLAIMED_HERE,
	CLAIMED_FIRST
};

static void
advance_cursor(Destination *destination, TimestampTz visible_at, int64 image)
{
	QueuePlace *cursor = &destination->cursor;

	if (visible_at < cursor->visible_at ||
		(visible_at == cursor->visible_at && image < cursor->image))
		return;
	cursor->visible_at = visible_at;
	cursor->image = image;
}

/* A text column in the loop's memory; NULL if it is null or empty. */
static char *
read_text(Loop *loop, uint64 row, int column)
{
	char	   *text = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);

	return text == NULL || text[0] == '\0' ? NULL : MemoryContextStrdup(loop->context, text);
}

/* Reads the row's rejection history, and derives the sampling parameters from it. */
static void
read_rejects(Call *call, HeapTuple row, TupleDesc desc)
{
	bool		isnull;
	Datum		reasons = SPI_getbinval(row, desc, CLAIMED_REJECTS, &isnull);

	if (!isnull)
		call->row.rejects = rejects_of(reasons);
	call->request.sampling = rejects_sampling(&call->row.rejects, &call->task->sampling);
}

/* Makes a bigint[] from a list of pointers to int64. */
static Datum
id_array(const List *ids)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(list_length(ids), 1));
	ListCell   *cell;
	int			n = 0;

	foreach(cell, ids)
		values[n++] = Int64GetDatum(*(int64 *) lfirst(cell));
	return loop_bigints(values, n);
}

/* Ids of the calls whose settle has failed before. */
static List *
unsettled_ids(Loop *loop)
{
	List	   *ids = NIL;

	foreach_call(call, loop, CALL_FINISHED)
	{
		if (call->settle.delay > 0)
			ids = lappend(ids, &call->id);
	}
	return ids;
}

Datum
claim_unsettled(Loop *loop)
{
	return id_array(unsettled_ids(loop));
}

/* Ids of the calls that made their servers pause, of the servers that are due for a probe. */
static List *
guilty_ids(Loop *loop)
{
	List	   *ids = NIL;

	foreach_server(server, loop)
	{
		int64	   *id = palloc(sizeof(int64));

		*id = server_not_to_probe_with(server);
		if (*id != 0)
			ids = lappend(ids, id);
	}
	return ids;
}

/* Makes a call in CALL_CLAIMED from a claimed row; pictures.c adds the picture. */
static void
add_call(Loop *loop, uint64 row, const char *name, TimestampTz lease_until)
{
	Call	   *call = call_new(loop);

	call->image = DatumGetInt64(returned(row, CLAIMED_IMAGE));
	call->task = taskset_task(loop->claims.tasks, name);
	/* here, since sending must not raise an ERROR */
	if (call->task->counter == NULL)
		call->task->counter = task_counter(name);
	call->id = DatumGetInt64(returned(row, CLAIMED_CALL));
	call->row.attempts = DatumGetInt32(returned(row, CLAIMED_ATTEMPTS));
	call->row.variation = DatumGetInt32(returned(row, CLAIMED_VARIATION));
	call->row.released = DatumGetBool(returned(row, CLAIMED_RELEASED));
	call->row.first = DatumGetBool(returned(row, CLAIMED_FIRST));
	call->row.excused = DatumGetBool(returned(row, CLAIMED_EXCUSED));
	call->row.refused_by = read_text(loop, row, CLAIMED_REFUSED_BY);
	call->row.server = read_text(loop, row, CLAIMED_SERVER);
	call->row.not_server = read_text(loop, row, CLAIMED_NOT_SERVER);
	read_rejects(call, SPI_tuptable->vals[row], SPI_tuptable->tupdesc);
	call->row.company = DatumGetInt32(returned(row, CLAIMED_COMPANY));
	call->lease.until = lease_until;
	call->request.seed = task_seed(call->image, name, call->row.variation);
}

/*
 * The merge gives the rows' places, in the order of the queue; the lock is taken at the
 * places, one after the other, until there are enough.  What must hold of a locked row is
 * said of p, since it is tested again if another process has changed the row meanwhile.
 */
#define CLAIM(rows) { \
	.text = \
	"WITH picked AS MATERIALIZED (" \
	"  SELECT p.ctid, p.image, p.task, p.visible_at, p.call, p.holder" \
	"  FROM (" rows ") k JOIN @.llava_pending p ON p.ctid = k.spot" \
	"  WHERE p.failure IS NULL AND p.visible_at <= pg_catalog.now()" \
	"    AND NOT coalesce(p.call = ANY ($9), false) AND (NOT p.excused OR $10)" \
	"  ORDER BY k.visible_at, k.image LIMIT $6 FOR UPDATE OF p SKIP LOCKED), " \
	/* rows that still have a holder: the lease ran out before the call was settled */ \
	"interrupted AS (INSERT INTO @.llava_interrupted (image, call, task)" \
	"  SELECT image, call, task FROM picked WHERE holder IS NOT NULL" \
	"  ON CONFLICT DO NOTHING) " \
	"UPDATE @.llava_pending p" \
	" SET call = CASE WHEN here THEN pg_catalog.nextval('@.llava_call_seq') ELSE p.call END," \
	"  holder = CASE WHEN here THEN $7 END," \
	"  visible_at = CASE WHEN here THEN pg_catalog.now() + $8 ELSE p.visible_at END," \
	"  attempts = p.attempts + (here AND picked.holder IS NULL)::integer," \
	"  interruptions = p.interruptions + (picked.holder IS NOT NULL)::integer," \
	"  failure = CASE WHEN NOT here THEN 'no_picture' END," \
	"  detail = CASE WHEN here THEN p.detail ELSE 'it has no row in llava_image' END " \
	/* picked has locked the rows, so that their ctids stay valid */ \
	"FROM (SELECT k.*, (SELECT i.id FROM @.llava_image i WHERE i.id = k.image) IS NOT NULL AS here" \
	"  FROM picked k OFFSET 0) picked WHERE p.ctid = picked.ctid " \
	"RETURNING p.image, p.task, p.call, p.attempts, p.variation, picked.visible_at," \
	"  p.released, p.rejects, p.refused_by, p.excused, p.company, p.server, p.not_server, here," \
	"  p.attempts = 1 AND (picked.call IS NULL OR (SELECT true FROM @.llava_reply r" \
	"    WHERE r.image = p.image AND r.task = p.task AND r.task_version =" \
	"      (SELECT pg_catalog.max(t.version) FROM @.llava_task t WHERE t.name = p.task)" \
	"    LIMIT 1) IS NULL)", \
	.types = "TTTzllivLB" \
}

static SqlStatement sql_claim[] = FOR_GROUPS(CLAIM);

/*
 * The claim itself.  Returns the number of rows, including those put aside for want of
 * their picture.  passed_over: ids of calls whose rows are not to be claimed; excused:
 * whether to claim rows that blame.c returned to the queue.
 */
static int
claim(Loop *loop, Destination *destination, int wanted, const List *passed_over, bool excused)
{
	Datum		values[CLAIM_VALUES];
	uint64		absent = 0;
	uint64		n;
	int64		lease = servers_longest_lease(loop);
	TimestampTz lease_until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), lease);

	groups_values(&destination->asked, values + CLAIM_TASKS);
	values[CLAIM_FROM_VISIBLE_AT] = TimestampTzGetDatum(destination->cursor.visible_at);
	values[CLAIM_FROM_IMAGE] = Int64GetDatum(destination->cursor.image);
	values[CLAIM_WANTED] = Int64GetDatum(wanted);
	values[CLAIM_HOLDER] = Int32GetDatum(loop->holder);
	values[CLAIM_LEASE] = rows_interval(lease);
	/* not the unsettled calls' rows either, whose leases may have run out */
	values[CLAIM_NOT_CALLS] = id_array(list_concat(unsettled_ids(loop), passed_over));
	values[CLAIM_EXCUSED] = BoolGetDatum(excused);
	n = sql_run(OF_GROUPS(sql_claim, destination->asked.n), values, NULL, 0);

	for (uint64 i = 0; i < n; i++)
	{
		char	   *task = TextDatumGetCString(returned(i, CLAIMED_TASK));

		if (DatumGetBool(returned(i, CLAIMED_HERE)))
			add_call(loop, i, task, lease_until);
		else
			absent++;
		advance_cursor(destination, DatumGetTimestampTz(returned(i, CLAIMED_VISIBLE_AT)),
					   DatumGetInt64(returned(i, CLAIMED_IMAGE)));
	}
	absent_note(loop, absent);
	return (int) n;
}

/* A random row that is due, and that blame.c has not returned to the queue. */
static SqlStatement sql_any_due = {
	.text =
	"SELECT p.visible_at, p.image FROM @.llava_pending p"
	" WHERE p.image >= (SELECT pg_catalog.min(image) + pg_catalog.floor(pg_catalog.random()"
	"    * (pg_catalog.max(image) - pg_catalog.min(image) + 1))::pg_catalog.int8"
	"   FROM @.llava_pending)"
	"  AND p.failure IS NULL AND p.visible_at <= pg_catalog.now() AND EXISTS (SELECT FROM ROWS FROM"
	"   (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3)) AS g (task, server, not_server)"
	"   WHERE g.task = p.task AND g.server = p.server AND g.not_server = p.not_server OFFSET 0)"
	"  AND NOT p.excused AND NOT coalesce(p.call = ANY ($4), false)"
	" ORDER BY p.image, p.task LIMIT 1",
	.types = "TTTL"
};

/*
 * Claims a random row as the probe of a server that was paused for its error text.  If
 * the pictures were at fault after all, the bad ones are likely to be neighbours in the
 * queue, and probing with one after the other would prolong the pause.
 */
static int
claim_any(Loop *loop, Destination *destination, const List *passed_over)
{
	Datum		values[4];
	int			claimed;

	groups_values(&destination->asked, values);
	values[3] = id_array(passed_over);
	if (sql_run(&sql_any_due, values, NULL, 0) == 0)
		return 0;
	destination->cursor.visible_at = DatumGetTimestampTz(returned(0, 1));
	destination->cursor.image = DatumGetInt64(returned(0, 2));
	/* the row may be gone: another process may have claimed it */
	claimed = claim(loop, destination, 1, passed_over, false);
	destination_reset(destination);
	return claimed;
}

/*
 * A paused server is probed with other rows than the one that it was paused for, since
 * that row may be at fault itself.  If no other row is due, that row is used.
 */
int
claim_others_first(Loop *loop, Destination *destination, int wanted)
{
	List	   *guilty = guilty_ids(loop);
	bool		full_pass = destination->cursor.visible_at == DT_NOBEGIN;
	int			claimed = 0;

	if (servers_probe_blamed(loop))
		claimed = claim_any(loop, destination, guilty);
	if (claimed == 0)
		claimed = claim(loop, destination, wanted, guilty, true);
	return claimed == 0 && full_pass && guilty != NIL ?
		claim(loop, destination, wanted, NIL, true) : claimed;
}
