/*
 * claim.c
 *	  Decides when rows of the queue are claimed, and how many.
 *
 * A claim scans the index of each group of rows (destinations.h) from its destination's
 * cursor on, so that it reads the dead entries of settled rows once and not at every claim.
 * When a commit queues rows before a cursor, the cursor moves back to them (wake.c).  Rows
 * that a claim skipped because they were locked are found by a full pass, at the start and
 * at most once a minute after.
 */
#include "postgres.h"

#include "claim.h"
#include "hopeless.h"
#include "process/process.h"
#include "utils/memutils.h"

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
	claims_wake_by(loop, 0);
	destinations_pins_changed(loop);
	loop->claims.not_before = 0;
	foreach_destination(destination, loop)
	{
		destination->dry = false;
	}
}

void
claims_wake_for(Loop *loop, const Call *call)
{
	Route		route = route_of(call->task, call->row.server, call->row.not_server);

	loop->claims.not_before = 0;
	foreach_destination(destination, loop)
	{
		if (!destination_has_route(destination, &route))
			continue;
		destination->at = 0;
		destination->dry = false;
	}
}

void
claims_wake_by(Loop *loop, TimestampTz at)
{
	foreach_destination(destination, loop)
	{
		destination->at = Min(destination->at, at);
	}
}

void
claims_look_by(Loop *loop, TimestampTz at)
{
	loop->claims.look_at = Min(loop->claims.look_at, at);
}

void
claims_rest(Loop *loop, int ms)
{
	loop->claims.not_before = loop->claims.look_at =
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms);
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
	destinations_pins_changed(loop);
	if (from == DT_NOBEGIN)
		loop->claims.full_pass = true;
	foreach_destination(destination, loop)
	{
		if (from > destination->cursor.visible_at)
		{
			destination->queued_from = Min(destination->queued_from, from);
			continue;
		}
		destination_go_back(destination, from);
		loop->claims.not_before = 0;
	}
}

/*
 * How many rows to claim in all: no more than there is memory for, and llava_drain's limit
 * allows to send.  Rows of servers that have too many, since others refused them, count
 * only in the end.
 */
static int
rows_wanted(Loop *loop)
{
	int64		left;
	int64		most = 4 * Max(servers_capacity(loop, &left), 1);

	if (dispatch_files_are_away(loop) || clock_monotonic_ms() < loop->restore.until_ms)
		return 0;
	most = Min(most - loop->calls.held, left);
	if (loop->scope.limit >= 0)
		most = Min(most, loop->scope.limit);
	return (int) Max(0, Min(most, Min(CLAIM_BATCH, pictures_at_once(loop))));
}

/* While there is no room for more rows a claim would be in vain: a call must end first. */
TimestampTz
claims_due(Loop *loop)
{
	TimestampTz due = destinations_due(loop);

	if (due <= GetCurrentTimestamp() && rows_wanted(loop) == 0)
		return loop->claims.look_at;
	return Min(loop->claims.look_at, Max(due, loop->claims.not_before));
}

static SqlStatement sql_next_due = {
	.text =
	"SELECT pg_catalog.min(n.visible_at) FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2),"
	"  pg_catalog.unnest($3)) AS g (task, server, not_server) CROSS JOIN LATERAL ("
	"  SELECT p.visible_at FROM @.llava_pending p"
	"  WHERE " ROW_OF_GROUP " AND p.visible_at > pg_catalog.now() AND p.holder IS NULL"
	"  ORDER BY p.visible_at LIMIT 1) n",
	.types = "TTT"
};

static TimestampTz
next_due(const Destination *destination)
{
	Datum		values[3];
	Datum		due;
	bool		isnull;

	groups_values(&destination->asked, values);
	sql_run(&sql_next_due, values, NULL, 0);
	due = sql_value(1, &isnull);
	return isnull ? DT_NOEND : DatumGetTimestampTz(due);
}

/* Sets the time of the next claim for a destination from what this one found. */
static void
plan_next_claim(Loop *loop, Destination *destination)
{
	bool		full_pass = destination->cursor_before.visible_at == DT_NOBEGIN;
	bool		found_none = destination->claimed == 0;

	destination->at = 0;
	destination->dry = false;
	if (destination->claimed == destination->wanted)
		return;
	if (!full_pass && found_none && destination_is_idle(loop, destination))
	{
		/*
		 * before resting, find rows that were locked when the cursor passed
		 * them
		 */
		destination_reset(destination);
		loop->claims.full_pass = true;
		return;
	}
	destination->dry = full_pass && found_none;
	loop->claims.lock_due |= destination->dry;
	destination->next_due = next_due(destination);
	destination->at = destination->next_due;
}

/* Repairs that are rarely needed: done on full passes only, and at most once a second. */
static void
look_for_rare(Loop *loop, bool full_pass)
{
	int64		now_ms = clock_monotonic_ms();

	if (!loop->far_ahead && (!full_pass || now_ms < loop->claims.rare_looks_ms))
		return;
	loop->claims.rare_looks_ms = now_ms + RARE_LOOKS_MS;
	clock_bring_back(loop);
	untaken_look(loop);
}

/* Claims rows for one destination after the other, up to wanted in all.  Returns how many. */
static int
claim_for_all(Loop *loop, int wanted)
{
	Destination *destination;
	int			claimed = 0;

	while (claimed < wanted && (destination = destination_next(loop)) != NULL)
	{
		destination->wanted = (int) Min(destination->room, wanted - claimed);
		destination->claimed = claim_others_first(loop, destination, destination->wanted);
		destination_took(loop, destination, destination->claimed);
		claimed += destination->claimed;
	}
	return claimed;
}

static void
claim_rows(Loop *loop)
{
	int			wanted = rows_wanted(loop);
	Datum		groups[3];

	timeline_check(loop);
	holders_look(loop);
	destinations_groups(loop, false, groups);
	absent_release(loop, DatumGetArrayTypeP(groups[0]));
	/* these may have moved cursors */
	foreach_destination(destination, loop)
	{
		destination->cursor_before = destination->cursor;
		destination->wanted = 0;
	}
	if (claim_for_all(loop, wanted) > 0)
	{
		about_read(loop);
		pictures_read(loop);
	}
	foreach_destination(destination, loop)
	{
		if (destination->wanted == 0)
			continue;
		if (destination->claimed == destination->wanted)
			read_ahead(loop, destination);
		plan_next_claim(loop, destination);
	}
}

/* The claim's transaction: reads servers and tasks, then claims rows if there is room. */
static void
look_and_claim(Loop *loop, void *arg)
{
	bool		full_pass = *(bool *) arg;
	bool		restoring;

	/* send nothing whose reply could not be stored */
	trust_check_worker_relations();
	servers_load(loop);
	load_tasks(loop);
	restoring = restore_is_awaited(loop);
	if (!restoring)
		look_for_rare(loop, full_pass);
	destinations_read(loop);
	destinations_look(loop);
	if (rows_wanted(loop) > 0 && !restoring)
		claim_rows(loop);
	server_record_pauses(loop);
}

static void
claim_succeeded(Loop *loop)
{
	loop->claims.careful = false;
	if (postponed_done(POSTPONED_CLAIM))
		ereport(LOG, (errmsg("llava_zh: claims go on")));
}

/* Moves the cursors back to where they were before this claim, which failed. */
static void
cursors_back(Loop *loop)
{
	foreach_destination(destination, loop)
	{
		if (destination->wanted == 0)
			continue;
		destination->cursor = destination->cursor_before;
		destination->at = 0;
		read_ahead_reset(&destination->ahead);
	}
}

/*
 * After a transient error (a lock, a full disk) the claim is repeated later; requests in
 * flight go on.  Any other error may be due to one row: the next claim takes the same
 * rows and reads their pictures one by one (careful).  If that fails too, the rows are
 * left to the next full pass, and llava_drain raises the error.
 */
static void
claim_failed(Loop *loop, ErrorData *error)
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
		cursors_back(loop);
	loop->claims.careful = !passes;
	servers_load_again(loop);
	claims_rest(loop, 1000);
}

/* Claims in a subtransaction. */
static void
try_claim(Loop *loop, bool full_pass)
{
	ErrorData  *error = NULL;

	foreach_destination(destination, loop)
	{
		destination->wanted = 0;
	}
	if (loop_try(loop, look_and_claim, &full_pass, &error))
	{
		claim_succeeded(loop);
		if (loop->claims.lock_due)
			in_the_way_of_claim(loop);
	}
	else
	{
		calls_free(loop, CALL_CLAIMED);
		loop->claims.full_pass |= full_pass;
		claim_failed(loop, error);
	}
	loop->claims.lock_due = false;
}

/* Each look claims for all destinations: rows may have been locked when their cursors passed. */
static void
look_begins(Loop *loop, TimestampTz now)
{
	if (now >= loop->claims.look_at)
		claims_wake_by(loop, 0);
	loop->claims.look_at = TimestampTzPlusMilliseconds(now, llava_naptime);
	if (now >= loop->claims.full_pass_at)
		claim_reset_cursor(loop, DT_NOBEGIN);
}

Step
claims_run(Loop *loop)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		full_pass;
	bool		stopped;
	XLogRecPtr	claimed_at;

	/* the previous claim may have ended with an error during its commit */
	calls_free(loop, CALL_CLAIMED);
	look_begins(loop, now);
	if (!loop_begin(loop, "llava_zh: claiming images"))
	{
		destinations_forget(loop);
		loop->claims.not_before = loop->claims.look_at;
		return STEP_GONE;
	}
	full_pass = loop->claims.full_pass;
	loop->claims.full_pass = false;

	/*
	 * a session's synchronous_commit may be off, and it does not ask the
	 * launcher to flush
	 */
	if (loop->tx.in_procedure || !flush_is_shared())
		tx_commit_as("local");
	stopped = hopeless_write(loop);
	try_claim(loop, full_pass);
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
