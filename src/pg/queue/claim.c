/*
 * claim.c
 *	  Decides when rows of the queue are claimed, and how many.
 *
 * A claim scans the index on (visible_at, image, task) from a cursor on, so that it reads
 * the dead entries of settled rows once and not at every claim.  When a commit queues
 * rows before the cursor, the cursor moves back to them (wake.c).  Rows that a claim
 * skipped because they were locked are found by a full pass, at the start and at most once
 * a minute after.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "claim.h"
#include "hopeless.h"
#include "process/process.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* Most rows of one claim. */
#define CLAIM_BATCH 64

/*
 * The interval of full passes.  While an old snapshot exists, a pass reads the index
 * entries of every row settled since; it may take at most a hundredth of the time.
 */
#define FULL_PASS_MS (60 * 1000)
#define FULL_PASS_SHARE 100

/* Smallest interval of look_for_rare. */
#define RARE_LOOKS_MS 1000

static void
load_tasks(Loop *loop)
{
	MemoryContext context = AllocSetContextCreate(loop->context, "llava_zh tasks",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	TaskSet    *set = palloc0(sizeof(TaskSet));
	ListCell   *cell;


	if (loop->claims.tasks != NULL)
		taskset_release(loop->claims.tasks);
	loop->claims.tasks = NULL;
	set->context = context;
	set->users = 1;
	set->tasks = task_list();
	foreach(cell, set->tasks)
	{
		LlavaTask  *task = lfirst(cell);

		task->counter = task_counter_known(task->name);
	}
	hopeless_read(set->tasks);
	MemoryContextSwitchTo(old);
	loop->claims.tasks = set;
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
	Cursor	   *cursor = &loop->claims.cursor;

	if (from > cursor->place.visible_at)
		return;
	cursor->place.visible_at = from == DT_NOBEGIN ? from : from - 1;
	cursor->place.image = 0;
	cursor->task[0] = '\0';
	read_ahead_reset(loop);
	claims_wake(loop);
}

/*
 * Names of the tasks that have an available server now, as text[].  When the set grows,
 * rows before the cursor become claimable, so the cursor goes back to the start.
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
		if (!hopeless_waits(task) && server_for_task(loop, task, NULL) != NULL)
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

/*
 * How many rows to claim: enough beyond the requests in flight that a free slot never
 * waits for a claim, but no more than max_requests and llava_drain's limit allow to send.
 */
static int
rows_wanted(Loop *loop)
{
	int64		left;
	int64		capacity = servers_capacity(loop, &left);
	int64		most = 2 * Max(capacity, 1);	/* one window in flight, one
												 * prepared */

	if (dispatch_files_are_away(loop) || clock_monotonic_ms() < loop->restore.until_ms)
		return 0;

	/*
	 * wait until a group can be claimed: a claim costs about the same for 1
	 * or 64 rows
	 */
	if (left <= 0 || loop->calls.held > most - Min(CLAIM_BATCH, Max(capacity / 2, 1)))
		return 0;
	left = Min(left, most - loop->calls.held);
	if (loop->scope.limit >= 0)
		left = Min(left, loop->scope.limit);
	return (int) Max(0, Min(left, Min(CLAIM_BATCH, pictures_at_once(loop))));
}

/* While there is no room for more rows a claim would be in vain: a call must end first. */
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

/* Sets the time of the next claim from what this one found. */
static void
plan_next_claim(Loop *loop, ArrayType *tasks, bool found_all, bool found_none, bool full_pass)
{
	Datum		values[] = {PointerGetDatum(tasks)};

	claims_wake(loop);
	if (found_all)
		return;
	if (!full_pass && found_none && loop->calls.held == 0)
	{
		/*
		 * before resting, find rows that were locked when the cursor passed
		 * them
		 */
		claim_reset_cursor(loop, DT_NOBEGIN);
		return;
	}
	loop->claims.dry = full_pass && found_none;
	loop->claims.lock_due = loop->claims.dry;
	loop->claims.next_due = sql_run(&sql_next_due, values, NULL, 0) > 0 ?
		DatumGetTimestampTz(returned(0, 1)) : DT_NOEND;
	loop->claims.at = loop->claims.next_due;
}

/* Repairs that are rarely needed: done on full passes only, and at most once a second. */
static void
look_for_rare(Loop *loop)
{
	int64		now_ms = clock_monotonic_ms();

	if (!loop->far_ahead &&
		(loop->claims.cursor.place.visible_at != DT_NOBEGIN || now_ms < loop->claims.rare_looks_ms))
		return;
	loop->claims.rare_looks_ms = now_ms + RARE_LOOKS_MS;
	clock_bring_back(loop);
	untaken_look(loop);
}

/*
 * The claim's transaction: reads servers and tasks, then claims rows if there is room.
 * Sets *arg to the tasks that have a server, as text[].
 */
static void
look_and_claim(Loop *loop, void *arg)
{
	ArrayType **tasks = arg;
	bool		full_pass;
	bool		restoring;
	int			wanted;
	int			claimed;

	/* send nothing whose reply could not be stored */
	trust_check_worker_relations();
	servers_load(loop);
	load_tasks(loop);
	restoring = restore_is_awaited(loop);
	if (!restoring)
		look_for_rare(loop);
	*tasks = claimable_tasks(loop);
	wanted = rows_wanted(loop);
	if (wanted > 0 && !restoring)
	{
		timeline_check(loop);
		holders_look(loop);
		absent_release(loop, *tasks);
		full_pass = loop->claims.cursor.place.visible_at == DT_NOBEGIN;
		claimed = claim_others_first(loop, *tasks, wanted);
		if (claimed > 0)
		{
			about_read(loop);
			pictures_read(loop);
		}
		if (claimed == wanted)
			read_ahead(loop, *tasks);
		plan_next_claim(loop, *tasks, claimed == wanted, claimed == 0, full_pass);
	}
	server_record_pauses(loop);
}

static void
claim_succeeded(Loop *loop)
{
	loop->claims.careful = false;
	if (postponed_done(POSTPONED_CLAIM))
		ereport(LOG, (errmsg("llava_zh: claims go on")));
}

/*
 * After a transient error (a lock, a full disk) the claim is repeated later; requests in
 * flight go on.  Any other error may be due to one row: the next claim takes the same
 * rows and reads their pictures one by one (careful).  If that fails too, the rows are
 * left to the next full pass, and llava_drain raises the error.
 */
static void
claim_failed(Loop *loop, ErrorData *error, TimestampTz cursor)
{
	bool		passes = tx_error_passes(error);

	if (!passes && loop->claims.careful && loop->tx.in_procedure)
		ReThrowError(error);
	/* log each reason once */
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

/* Claims in a subtransaction; cursor: where it was before. */
static void
try_claim(Loop *loop, TimestampTz cursor)
{
	ErrorData  *error = NULL;
	ArrayType  *tasks;

	if (loop_try(loop, look_and_claim, &tasks, &error))
	{
		claim_succeeded(loop);
		if (loop->claims.lock_due)
			in_the_way_of_claim(loop, tasks);
	}
	else
	{
		calls_free(loop, CALL_CLAIMED);
		claim_failed(loop, error, cursor);
	}
	loop->claims.lock_due = false;
}

Step
claims_run(Loop *loop)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz cursor;
	bool		full_pass;
	bool		stopped;
	XLogRecPtr	claimed_at;

	/* the previous claim may have ended with an error during its commit */
	calls_free(loop, CALL_CLAIMED);
	loop->claims.look_at = TimestampTzPlusMilliseconds(now, llava_naptime);
	if (now >= loop->claims.full_pass_at)
		claim_reset_cursor(loop, DT_NOBEGIN);
	full_pass = loop->claims.cursor.place.visible_at == DT_NOBEGIN;
	if (!loop_begin(loop, "llava_zh: claiming images"))
	{
		loop->claims.dry = true;
		loop->claims.at = loop->claims.look_at;
		return STEP_GONE;
	}

	/*
	 * a session's synchronous_commit may be off, and it does not ask the
	 * launcher to flush
	 */
	if (loop->tx.in_procedure || !flush_is_shared())
		tx_commit_as("local");
	cursor = loop->claims.cursor.place.visible_at;
	stopped = hopeless_write(loop);
	try_claim(loop, cursor);
	claimed_at = loop_commit(loop);
	if (stopped)
		hopeless_written();
	if (full_pass)
		loop->claims.full_pass_at = GetCurrentTimestamp() +
			Max(FULL_PASS_MS * INT64CONST(1000), FULL_PASS_SHARE * (GetCurrentTimestamp() - now));
	loop->claims.looked = true;

	claim_start(loop, claimed_at);
	loop->claims.look_at = Min(loop->claims.look_at, Max(servers_next_probe(loop), now + 100 * 1000));
	if (servers_any_paused(loop))
		loop->claims.look_at = Min(loop->claims.look_at, now + USECS_PER_SEC);
	return STEP_DONE;
}
