/*
 * claim.c
 *	  Rows of the queue become calls, and their pictures (pictures.c) go to the
 *	  preparing threads.
 *
 * A claim scans (visible_at, image, task) beyond the cursor, so that entries of
 * settled rows are passed once and not at every claim.  What a commit queues
 * behind the cursor brings it back (wake.c); a full pass at the start and
 * seldom after finds what was skipped because it was locked.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "db/db.h"
#include "executor/spi.h"
#include "holders.h"
#include "image/image.h"
#include "loop.h"
#include "miscadmin.h"
#include "process/process.h"
#include "server/server.h"
#include "stall.h"
#include "task/task.h"
#include "timeline.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* Rows of one claim, and calls that may be held beyond those in flight. */
#define CLAIM_BATCH 64

/*
 * A full pass of the queue even when nothing says so.  Beside an old snapshot it goes
 * over the index entries of all that was settled since: a hundredth of the time at most.
 */
#define FULL_PASS_MS (60 * 1000)
#define FULL_PASS_SHARE 100

/* So often at most is looked for what should not be there. */
#define RARE_LOOKS_MS 1000

static void
load_tasks(Loop *loop)
{
	TaskSet    *set;
	MemoryContext context;
	MemoryContext old;

	if (loop->claims.tasks != NULL)
		taskset_release(loop->claims.tasks);
	loop->claims.tasks = NULL;
	context = AllocSetContextCreate(loop->context, "llava_zh tasks", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	set = palloc0(sizeof(TaskSet));
	set->context = context;
	set->users = 1;
	set->tasks = task_list();
	MemoryContextSwitchTo(old);
	loop->claims.tasks = set;
}

static LlavaTask *
task_of_set(TaskSet *set, const char *name)
{
	ListCell   *cell;

	foreach(cell, set->tasks)
	{
		LlavaTask  *task = lfirst(cell);

		if (strcmp(task->name, name) == 0)
			return task;
	}
	return NULL;
}

void
claims_wake(Loop *loop)
{
	loop->claims.at = 0;
	loop->claims.dry = false;
}

void
claims_wake_by(Loop *loop, TimestampTz at)
{
	loop->claims.at = Min(loop->claims.at, at);
}

void
claims_look_by(Loop *loop, TimestampTz at)
{
	loop->claims.look_at = Min(loop->claims.look_at, at);
}

void
claims_rest(Loop *loop, int ms)
{
	loop->claims.at = loop->claims.look_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms);
}

void
claims_hurry(Loop *loop)
{
	loop->claims.look_at = loop->claims.full_pass_at = 0;
	loop->claims.rare_looks_ms = 0;
	claim_reset_cursor(loop, DT_NOBEGIN);
}

void
claim_reset_cursor(Loop *loop, TimestampTz from)
{
	if (from > loop->claims.cursor.visible_at)
		return;
	loop->claims.cursor.visible_at = from == DT_NOBEGIN ? from : from - 1;
	loop->claims.cursor.image = 0;
	loop->claims.cursor.task[0] = '\0';
	read_ahead_reset(loop);
	claims_wake(loop);
}

static void
advance_cursor(Loop *loop, TimestampTz visible_at, int64 image, const char *task)
{
	if (visible_at < loop->claims.cursor.visible_at ||
		(visible_at == loop->claims.cursor.visible_at && image < loop->claims.cursor.image))
		return;
	loop->claims.cursor.visible_at = visible_at;
	loop->claims.cursor.image = image;
	pfree(loop->claims.cursor.task);
	loop->claims.cursor.task = MemoryContextStrdup(loop->context, task);
}

/*
 * Names of the tasks that some server can be asked about now.  When the set
 * grows, rows that the cursor passed have become claimable.
 */
static ArrayType *
claimable_tasks(Loop *loop)
{
	ListCell   *cell;
	Datum	   *names = palloc(sizeof(Datum) * Max(list_length(loop->claims.tasks->tasks), 1));
	List	   *before = loop->claims.claimable;
	List	   *now = NIL;
	int			n = 0;
	MemoryContext old = MemoryContextSwitchTo(loop->context);

	foreach(cell, loop->claims.tasks->tasks)
	{
		LlavaTask  *task = lfirst(cell);

		if (loop->scope.only_task != NULL && strcmp(loop->scope.only_task, task->name) != 0)
			continue;
		if (server_for_task(loop, task, NULL) != NULL)
			now = lappend(now, makeString(pstrdup(task->name)));
	}
	MemoryContextSwitchTo(old);
	foreach(cell, now)
	{
		if (!list_member(before, lfirst(cell)))
			claim_reset_cursor(loop, DT_NOBEGIN);
		names[n++] = CStringGetTextDatum(strVal(lfirst(cell)));
	}
	list_free_deep(before);
	loop->claims.claimable = now;
	return construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT);
}

/* What the image and task have behind them, and how they are asked about now. */
static void
read_rejects(Loop *loop, Call *call, HeapTuple row, TupleDesc desc)
{
	bool		isnull;
	Datum		reasons = SPI_getbinval(row, desc, 8, &isnull);
	char	   *refused_by = SPI_getvalue(row, desc, 9);

	if (!isnull)
		call->row.rejects = rejects_of(reasons);
	if (refused_by != NULL)
		call->row.refused_by = MemoryContextStrdup(loop->context, refused_by);
	call->request.sampling = rejects_sampling(&call->row.rejects, &call->task->sampling);
}

/* bigint[] of the numbers that the list points to. */
static ArrayType *
id_array(const List *ids)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(list_length(ids), 1));
	ListCell   *cell;
	int			n = 0;

	foreach(cell, ids)
		values[n++] = Int64GetDatum(*(int64 *) lfirst(cell));
	return construct_array(values, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
}

static List *
unsettled_ids(Loop *loop)
{
	List	   *ids = NIL;
	dlist_iter	iter;

	dlist_foreach(iter, &loop->calls.lists[CALL_FINISHED])
	{
		Call	   *call = dlist_container(Call, node, iter.cur);

		if (call->settle.delay > 0)
			ids = lappend(ids, &call->id);
	}
	return ids;
}

ArrayType *
claim_unsettled(Loop *loop)
{
	return id_array(unsettled_ids(loop));
}

/* Calls that paused the servers which are to be probed now: with other rows, if there are. */
static List *
guilty_ids(Loop *loop)
{
	List	   *ids = NIL;
	dlist_iter	iter;

	dlist_foreach(iter, &loop->servers.list)
	{
		int64	   *id = palloc(sizeof(int64));

		*id = server_not_to_probe_with(dlist_container(ServerState, node, iter.cur));
		if (*id != 0)
			ids = lappend(ids, id);
	}
	return ids;
}

/* A row that was claimed becomes a call without bytes, in CALL_CLAIMED. */
static void
add_call(Loop *loop, HeapTuple row, TupleDesc desc, TimestampTz lease_until)
{
	Call	   *call = call_new(loop);
	char	   *name = SPI_getvalue(row, desc, 2);
	bool		isnull;

	call->image = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
	call->task = task_of_set(loop->claims.tasks, name);
	/* now, since no ERROR may come when it is sent */
	if (call->task->counter == NULL)
		call->task->counter = task_counter(name);
	call->id = DatumGetInt64(SPI_getbinval(row, desc, 3, &isnull));
	call->row.attempts = DatumGetInt32(SPI_getbinval(row, desc, 4, &isnull));
	call->row.variation = DatumGetInt32(SPI_getbinval(row, desc, 5, &isnull));
	call->row.released = DatumGetBool(SPI_getbinval(row, desc, 7, &isnull));
	call->row.excused = DatumGetBool(SPI_getbinval(row, desc, 10, &isnull));
	read_rejects(loop, call, row, desc);
	call->row.company = DatumGetInt32(SPI_getbinval(row, desc, 11, &isnull));
	if (isnull)
		call->row.company = 0;
	call->lease.until = lease_until;
	call->request.seed = task_seed(call->image, name, call->row.variation);
}

static SqlStatement sql_claim = {
	.text =
	"WITH picked AS MATERIALIZED ("
	"  SELECT p.ctid, p.image, p.task, p.visible_at, p.call, p.holder FROM @.llava_pending p"
	"  WHERE p.failure IS NULL AND p.visible_at <= pg_catalog.now()"
	"    AND (p.visible_at, p.image, p.task) > ($1, $2, $3) AND p.task = ANY ($4)"
	"    AND NOT coalesce(p.call = ANY ($8), false) AND (NOT p.excused OR $9)"
	"  ORDER BY p.visible_at, p.image, p.task LIMIT $5 FOR UPDATE SKIP LOCKED), "
	/* leases that ran out: whoever held them never came back */
	"interrupted AS (INSERT INTO @.llava_interrupted (image, call, task)"
	"  SELECT image, call, task FROM picked WHERE holder IS NOT NULL"
	"  ON CONFLICT DO NOTHING) "
	"UPDATE @.llava_pending p"
	" SET call = CASE WHEN here THEN pg_catalog.nextval('@.llava_call_seq') ELSE p.call END,"
	"  holder = CASE WHEN here THEN $6 END,"
	"  visible_at = CASE WHEN here THEN pg_catalog.now() + $7 ELSE p.visible_at END,"
	"  attempts = p.attempts + (here AND picked.holder IS NULL)::integer,"
	"  interruptions = p.interruptions + (picked.holder IS NOT NULL)::integer,"
	"  failure = CASE WHEN NOT here THEN 'no_picture' END,"
	"  detail = CASE WHEN here THEN p.detail ELSE 'it has no row in llava_image' END "
	/* locked above, so that they stay where they are */
	"FROM (SELECT k.*, (SELECT i.id FROM @.llava_image i WHERE i.id = k.image) IS NOT NULL AS here"
	"  FROM picked k OFFSET 0) picked WHERE p.ctid = picked.ctid "
	"RETURNING p.image, p.task, p.call, p.attempts, p.variation, picked.visible_at,"
	"  p.released, p.rejects, p.refused_by, p.excused, p.company, here",
	.types = "zltTlivLB"
};

/*
 * The claim itself: how many rows it took, those that it put aside among them.
 * passed_over: whose rows are left alone besides; excused: whether rows are taken that
 * went back for their server's fault.
 */
static int
claim(Loop *loop, ArrayType *tasks, int wanted, const List *passed_over, bool excused)
{
	Datum		values[9];
	uint64		absent = 0;
	uint64		n;
	int64		lease = servers_longest_lease(loop);
	TimestampTz lease_until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), lease);

	values[0] = TimestampTzGetDatum(loop->claims.cursor.visible_at);
	values[1] = Int64GetDatum(loop->claims.cursor.image);
	values[2] = CStringGetTextDatum(loop->claims.cursor.task);
	values[3] = PointerGetDatum(tasks);
	values[4] = Int64GetDatum(wanted);
	values[5] = Int32GetDatum(loop->holder);
	values[6] = rows_interval(lease);
	/* their leases may have run out meanwhile */
	values[7] = PointerGetDatum(id_array(list_concat(unsettled_ids(loop), passed_over)));
	values[8] = BoolGetDatum(excused);
	n = sql_run(&sql_claim, values, NULL, 0);

	for (uint64 i = 0; i < n; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		if (DatumGetBool(SPI_getbinval(row, desc, 12, &isnull)))
			add_call(loop, row, desc, lease_until);
		else
			absent++;
		advance_cursor(loop, DatumGetTimestampTz(SPI_getbinval(row, desc, 6, &isnull)),
					   DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull)),
					   SPI_getvalue(row, desc, 2));
	}
	absent_note(loop, absent);
	return (int) n;
}

/* The task's policy, or the row's own, on a long picture; false: it is parked. */
static bool
fit_if_long(Loop *loop, Call *call)
{
	ImageFit   *fit = &call->fit.job->fit;
	LongImages	of_row = call->row.long_policy;

	if (call->row.released && (of_row == LONG_PARK ||
							   (of_row == LONG_AS_TASK && call->task->long_images == LONG_PARK)))
		of_row = LONG_SHRINK;
	call->fit.long_done = long_images_fit(call->task, of_row, &call->fit.facts, fit);
	call->fit.pixel_factor = fit->factor;
	call->fit.min_pixels = fit->min_pixels;
	call->fit.max_pixels = fit->max_pixels;
	if (call->fit.long_done != LONG_PARK)
		return true;
	call->end.fault = "long_image";
	call->end.fault_detail = MemoryContextAlloc(loop->context, 128);
	snprintf(call->end.fault_detail, 128,
			 "%d x %d pixels are over the ratio %g, and more than " INT64_FORMAT " pixels",
			 call->fit.facts.width, call->fit.facts.height, call->task->long_ratio, fit->max_pixels);
	return false;
}

/* Puts a claimed call on its way, or to its end if it cannot be asked. */
static void
start_call(Loop *loop, Call *call)
{
	const LlavaServer *options;

	if (loop->scope.limit > 0)
		loop->scope.limit--;
	/* others of this claim may have taken the memory or the last place */
	if (!call->fit.no_room)
		call_set_server(call, server_for_task(loop, call->task, call->row.refused_by));
	if (call->server == NULL)
	{
		call_move(loop, call, CALL_FINISHED);
		return;
	}
	if (call->fit.job == NULL)
	{
		if (call->end.fault == NULL)
			call->end.fault = "no_bytes";
		call_move(loop, call, CALL_FINISHED);
		return;
	}
	options = call->server->options;
	config_image_fit(&call->fit.job->fit);
	call->fit.job->fit.hash = llava_near_duplicates;
	call->fit.job->fit.factor = options->pixel_factor;
	call->fit.job->fit.min_pixels = options->min_pixels;
	call->fit.job->fit.max_pixels = options->max_pixels;
	if (!fit_if_long(loop, call))
	{
		call_move(loop, call, CALL_FINISHED);
		return;
	}
	call_move(loop, call, CALL_PREPARING);
	image_pool_submit(loop->dispatch.images, call->fit.job);
}

/*
 * How many to claim: enough beyond what is in flight that a slot never waits for
 * a claim, and never more than max_requests or the caller's limit lets be sent.
 */
static int
rows_wanted(Loop *loop)
{
	int64		left;
	int64		capacity = servers_capacity(loop, &left);
	int64		most = 2 * Max(capacity, 1);	/* a window in flight, one
												 * ahead */

	if (dispatch_files_are_away(loop) || GetCurrentTimestamp() < loop->restore.until)
		return 0;
	/* claims in groups */
	if (left <= 0 || loop->calls.held > most - Min(CLAIM_BATCH, Max(capacity / 2, 1)))
		return 0;
	left = Min(left, most - loop->calls.held);
	if (loop->scope.limit >= 0)
		left = Min(left, loop->scope.limit);
	return (int) Max(0, Min(left, Min(CLAIM_BATCH, pictures_at_once(loop))));
}

/* Where there is no room for more rows, the end of a call makes some. */
TimestampTz
claims_due(Loop *loop)
{
	if (loop->claims.at > GetCurrentTimestamp() || rows_wanted(loop) > 0)
		return Min(loop->claims.look_at, loop->claims.at);
	return loop->claims.look_at;
}

static SqlStatement sql_next_due = {
	.text =
	"SELECT visible_at FROM @.llava_pending"
	" WHERE failure IS NULL AND visible_at > pg_catalog.now() AND holder IS NULL"
	"  AND task = ANY ($1) ORDER BY visible_at LIMIT 1",
	.types = "T"
};

/* What follows from how much the claim found. */
static void
plan_next_claim(Loop *loop, ArrayType *tasks, bool found_all, bool found_none, bool full_pass)
{
	Datum		values[1];

	claims_wake(loop);
	if (found_all)
		return;
	if (!full_pass && found_none && loop->calls.held == 0)
	{
		/* before it rests: rows that were locked when the cursor passed them */
		claim_reset_cursor(loop, DT_NOBEGIN);
		return;
	}
	loop->claims.dry = full_pass && found_none;
	loop->claims.lock_due = loop->claims.dry;
	loop->claims.next_due = DT_NOEND;
	values[0] = PointerGetDatum(tasks);
	if (sql_run(&sql_next_due, values, NULL, 0) > 0)
	{
		bool		isnull;

		loop->claims.next_due = DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[0],
																  SPI_tuptable->tupdesc, 1, &isnull));
	}
	loop->claims.at = loop->claims.next_due;
}

/* By chance, of those that did not go back for a server's fault. */
static SqlStatement sql_any_due = {
	.text =
	"SELECT visible_at, image FROM @.llava_pending"
	" WHERE image >= (SELECT pg_catalog.min(image) + pg_catalog.floor(pg_catalog.random()"
	"    * (pg_catalog.max(image) - pg_catalog.min(image) + 1))::pg_catalog.int8"
	"   FROM @.llava_pending)"
	"  AND failure IS NULL AND visible_at <= pg_catalog.now() AND task = ANY ($1)"
	"  AND NOT excused AND NOT coalesce(call = ANY ($2), false)"
	" ORDER BY image, task LIMIT 1",
	.types = "TL"
};

/*
 * A server that is to blame for its words is probed with a row by chance: where it is the
 * pictures after all, they are likely to lie side by side, and each of them would prolong
 * the pause.
 */
static int
claim_any(Loop *loop, ArrayType *tasks, const List *passed_over)
{
	Datum		values[2];
	bool		isnull;
	int			claimed;

	values[0] = PointerGetDatum(tasks);
	values[1] = PointerGetDatum(id_array(passed_over));
	if (sql_run(&sql_any_due, values, NULL, 0) == 0)
		return 0;
	loop->claims.cursor.visible_at =
		DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	loop->claims.cursor.image =
		DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
	loop->claims.cursor.task[0] = '\0';
	/* another process may have taken it meanwhile */
	claimed = claim(loop, tasks, 1, passed_over, false);
	claim_reset_cursor(loop, DT_NOBEGIN);
	return claimed;
}

/*
 * A paused server is not probed with the row that it was paused for, which may be to blame
 * itself: unless that is all there is.
 */
static int
claim_others_first(Loop *loop, ArrayType *tasks, int wanted)
{
	List	   *guilty = guilty_ids(loop);
	bool		full_pass = loop->claims.cursor.visible_at == DT_NOBEGIN;
	int			claimed = 0;

	if (servers_probe_blamed(loop))
		claimed = claim_any(loop, tasks, guilty);
	if (claimed == 0)
		claimed = claim(loop, tasks, wanted, guilty, true);
	return claimed == 0 && full_pass && guilty != NIL ?
		claim(loop, tasks, wanted, NIL, true) : claimed;
}

/* What should not be there, and is looked for on passes from the start, not on all. */
static void
look_for_rare(Loop *loop)
{
	int64		now_ms = clock_monotonic_ms();

	if (!loop->far_ahead &&
		(loop->claims.cursor.visible_at != DT_NOBEGIN || now_ms < loop->claims.rare_looks_ms))
		return;
	loop->claims.rare_looks_ms = now_ms + RARE_LOOKS_MS;
	clock_bring_back(loop);
	untaken_look(loop);
}

/* Looks at servers and tasks, and claims what there is room for. */
static void
look_and_claim(Loop *loop, void *arg)
{
	bool		full_pass;
	bool		restoring;
	int			wanted;
	int			claimed;
	ArrayType  *tasks;

	/* nothing is asked while the reply could not be written down */
	trust_check_worker_relations();
	servers_load(loop);
	load_tasks(loop);
	restoring = restore_is_awaited(loop);
	if (!restoring)
		look_for_rare(loop);
	tasks = claimable_tasks(loop);
	wanted = rows_wanted(loop);
	if (wanted > 0 && !restoring)
	{
		timeline_check(loop);
		holders_look(loop);
		absent_release(loop, tasks);
		full_pass = loop->claims.cursor.visible_at == DT_NOBEGIN;
		claimed = claim_others_first(loop, tasks, wanted);
		if (claimed > 0)
			pictures_read(loop);
		if (claimed == wanted)
			read_ahead(loop, tasks);
		plan_next_claim(loop, tasks, claimed == wanted, claimed == 0, full_pass);
	}
	server_record_pauses(loop);
}

/* Their claim was rolled back. */
static void
discard_claimed(Loop *loop)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &loop->calls.lists[CALL_CLAIMED])
		call_free(loop, dlist_container(Call, node, iter.cur));
}

/* Only a committed claim is acted upon: this one is. */
static void
start_claimed(Loop *loop, XLogRecPtr claimed_at)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &loop->calls.lists[CALL_CLAIMED])
	{
		Call	   *call = dlist_container(Call, node, iter.cur);

		call->lease.claimed_at = claimed_at;
		start_call(loop, call);
	}
}

static void
claim_succeeded(Loop *loop)
{
	loop->claims.careful = false;
	if (postponed_done(POSTPONED_CLAIM))
		ereport(LOG, (errmsg("llava_zh: claims go on")));
}

/*
 * A lock or a full disk: what is in flight goes on, the claim waits.  Else a row may
 * be the reason: the next claim of the same rows reads their pictures one by one.  If
 * that fails too they are left to the next full pass; a session is told.
 */
static void
claim_failed(Loop *loop, ErrorData *error, TimestampTz cursor)
{
	bool		passes = tx_error_passes(error);

	if (!passes && loop->claims.careful && loop->tx.in_procedure)
		ReThrowError(error);
	/* once for each reason */
	if (postponed_note(POSTPONED_CLAIM, error))
		ereport(LOG,
				(errmsg("llava_zh: claims postponed: %s", error->message),
				 error->hint == NULL ? 0 : errhint("%s", error->hint)));
	FreeErrorData(error);
	if (passes || !loop->claims.careful)
		claim_reset_cursor(loop, cursor);
	loop->claims.careful = !passes;
	servers_load_again(loop);
	claims_rest(loop, 1000);
}

Step
claims_run(Loop *loop)
{
	TimestampTz now = GetCurrentTimestamp();
	ErrorData  *error = NULL;
	TimestampTz cursor;
	bool		full_pass;
	XLogRecPtr	claimed_at;

	/* an error may have ended the claim before in its commit */
	discard_claimed(loop);
	loop->claims.look_at = TimestampTzPlusMilliseconds(now, llava_naptime);
	if (now >= loop->claims.full_pass_at)
		claim_reset_cursor(loop, DT_NOBEGIN);
	full_pass = loop->claims.cursor.visible_at == DT_NOBEGIN;
	if (!loop_begin(loop, "llava_zh: claiming images"))
	{
		loop->claims.dry = true;
		loop->claims.at = loop->claims.look_at;
		return STEP_GONE;
	}
	/* a session may have it off, and does not ask for a flush */
	if (loop->tx.in_procedure || !flush_is_shared())
		tx_commit_as("local");
	cursor = loop->claims.cursor.visible_at;
	loop->claims.lock_due = false;
	if (loop_try(loop, look_and_claim, NULL, &error))
	{
		claim_succeeded(loop);
		if (loop->claims.lock_due)
			in_the_way_of_claim(loop);
		loop->claims.lock_due = false;
	}
	else
	{
		discard_claimed(loop);
		claim_failed(loop, error, cursor);
	}
	claimed_at = loop_commit(loop);
	if (full_pass)
		loop->claims.full_pass_at = GetCurrentTimestamp() +
			Max(FULL_PASS_MS * INT64CONST(1000), FULL_PASS_SHARE * (GetCurrentTimestamp() - now));
	loop->claims.looked = true;

	start_claimed(loop, claimed_at);
	loop->claims.look_at = Min(loop->claims.look_at, Max(servers_next_probe(loop), now + 100 * 1000));
	if (servers_any_paused(loop))
		loop->claims.look_at = Min(loop->claims.look_at, now + USECS_PER_SEC);
	return STEP_DONE;
}
