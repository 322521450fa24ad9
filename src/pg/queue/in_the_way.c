/*
 * in_the_way.c
 *	  Names the process that holds a lock which the loop waits for.
 *
 * A step of the loop that fails to get a lock is repeated until it succeeds.  After the
 * first failure, and only then, the locks that later steps wait for are recorded
 * (blockers.c).  A process that stays in the way is reported once: by a worker in the log
 * and in pg_stat_activity, by llava_drain as a NOTICE.  When a claim finds only locked
 * rows, the holder of the first one is reported too.
 */
#include "postgres.h"

#include "claim.h"
#include "compat.h"
#include "utils/lsyscache.h"

/* Interval of recording the awaited lock; well below tx.c's LOCK_TIMEOUT. */
#define NOTE_MS 4

/* Recording goes on for this long after a failure; longer than a settle's pause. */
#define WATCH_MS (20 * 1000)

/* A process is reported after it has been in the way for this long. */
#define SAY_AFTER_MS (2 * 1000)

/* pg_stat_activity names a process for this long; longer than a settle's pause. */
#define SHOW_MS (10 * 1000)

/* Interval of the check for locked rows that are due; and while one was found. */
#define LOCK_DUE_MS (5 * 1000)
#define LOCK_DUE_AGAIN_MS 1000

typedef struct Finding
{
	Blocker		blocker;
	int			locks;			/* how many it holds, if the lock table is
								 * full; else 0 */
	const ErrorData *error;
} Finding;

void
in_the_way_watch(Loop *loop)
{
	if (loop->in_the_way.watch_until_ms != 0)
		blockers_note_begin(NOTE_MS);
}

const char *
in_the_way_activity(const Loop *loop)
{
	return clock_monotonic_ms() < loop->in_the_way.until_ms ? loop->in_the_way.words : NULL;
}

/* ---- words ---- */

/*
 * The lock tag of a row does not name the table, but the error's context does: "while
 * updating tuple (0,1) in relation ...".
 */
static const char *
first_line(const char *context)
{
	if (context == NULL)
		return "";
	context = compat_lock_context(context);
	return psprintf(" (%.*s)", (int) strcspn(context, "\n"), context);
}

static const char *
relation_words(Oid relation)
{
	const char *name = get_rel_name(relation);

	return name == NULL ? psprintf("relation %u", relation) : psprintf("table %s", name);
}

static const char *
lock_words(const Finding *finding)
{
	const LOCKTAG *tag = &finding->blocker.tag;

	switch ((LockTagType) tag->locktag_type)
	{
		case LOCKTAG_RELATION:
			return relation_words(tag->locktag_field2);
		case LOCKTAG_RELATION_EXTEND:
		case LOCKTAG_PAGE:
		case LOCKTAG_TUPLE:
			return psprintf("a row of %s", relation_words(tag->locktag_field2));
		case LOCKTAG_TRANSACTION:
			return psprintf("a row%s", first_line(finding->error->context));
		case LOCKTAG_ADVISORY:
			return "an advisory lock";
		default:
			return psprintf("a lock of type %d", tag->locktag_type);
	}
}

static const char *
who_words(int pid)
{
	return pid == 0 ? "a prepared transaction (see pg_prepared_xacts)" : process_words(pid);
}

static char *
finding_words(const Finding *finding)
{
	const Blocker *blocker = &finding->blocker;
	const char *chain = "";

	if (finding->locks > 0)
		return psprintf("%s: no room for locks is left; %s has %d of them", tx_activity(),
						who_words(blocker->pid), finding->locks);
	if (blocker->first != blocker->pid)
		chain = psprintf(", and itself waits for %s", who_words(blocker->first));
	return psprintf("%s waits for %s: %s is in the way%s", tx_activity(), lock_words(finding),
					who_words(blocker->pid), chain);
}

/* Runs in a subtransaction: the text needs the catalogue, which may be locked too. */
static void
in_the_way_say(Loop *loop, void *arg)
{
	const char *words = finding_words(arg);

	strlcpy(loop->in_the_way.words, words, sizeof(loop->in_the_way.words));
	ereport(loop->tx.in_procedure ? NOTICE : LOG,
			(errmsg("%s", words),
			 errhint("SELECT pg_terminate_backend(pid) ends a session that is in the way.")));
}

/* ---- processes that were seen in the way ---- */

static bool
is_current(const InTheWay *one, int64 now_ms)
{
	return one->since_ms != 0 && one->seen_ms + WATCH_MS > now_ms;
}

/* The entry of this process and table; a new one replaces the one unseen for longest. */
static InTheWay *
place_of(Loop *loop, int pid, Oid relation, int64 now_ms)
{
	InTheWay   *oldest = &loop->in_the_way.list[0];

	for (int i = 0; i < MAX_IN_THE_WAY; i++)
	{
		InTheWay   *one = &loop->in_the_way.list[i];

		if (is_current(one, now_ms) && one->pid == pid && one->relation == relation)
			return one;
		if (one->seen_ms < oldest->seen_ms)
			oldest = one;
	}
	oldest->pid = pid;
	oldest->relation = relation;
	oldest->since_ms = now_ms;
	oldest->said = false;
	return oldest;
}

/* The table, if the lock is on a whole table; row locks are reported once per process. */
static Oid
locked_relation(const Finding *finding)
{
	const LOCKTAG *tag = &finding->blocker.tag;

	return finding->locks == 0 && tag->locktag_type == LOCKTAG_RELATION ?
		tag->locktag_field2 : InvalidOid;
}

/* llava_drain reports a locked row at once; all else is given SAY_AFTER_MS to pass. */
static bool
is_time_to_say(const Loop *loop, const InTheWay *one, int64 now_ms)
{
	return !one->said && ((loop->tx.in_procedure && loop->claims.lock_due) ||
						  now_ms >= one->since_ms + SAY_AFTER_MS);
}

static void
in_the_way_note(Loop *loop, Finding *finding)
{
	int64		now_ms = clock_monotonic_ms();
	InTheWay   *one = place_of(loop, finding->blocker.pid, locked_relation(finding), now_ms);
	ErrorData  *error;

	one->seen_ms = now_ms;
	if (is_time_to_say(loop, one, now_ms))
	{
		one->said = loop_try(loop, in_the_way_say, finding, &error);
		if (!one->said)
			FreeErrorData(error);
	}
	if (one->said)
		loop->in_the_way.until_ms = now_ms + SHOW_MS;
}

/* ---- looking ---- */

/* Finds the process to report; false if there is none. */
static bool
in_the_way_find(const ErrorData *error, Finding *finding)
{
	memset(finding, 0, sizeof(*finding));
	finding->error = error;
	if (error->sqlerrcode == ERRCODE_OUT_OF_MEMORY)
	{
		finding->blocker.pid = finding->blocker.first = blockers_greediest(&finding->locks);
		return finding->locks > max_locks_per_xact;
	}
	/* of our own locks (own_lock.c) duplicates.c reports the holder */
	return blockers_find(&finding->blocker) &&
		(finding->blocker.tag.locktag_type != LOCKTAG_ADVISORY ||
		 finding->blocker.tag.locktag_field4 <= 2);
}

void
in_the_way_look(Loop *loop, const ErrorData *error)
{
	bool		watched = loop->in_the_way.watch_until_ms != 0;
	int64		now_ms;
	Finding		finding;

	if (watched)
		blockers_note_end();
	if (!watched && error == NULL)
		return;
	now_ms = clock_monotonic_ms();
	if (error == NULL || (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE &&
						  error->sqlerrcode != ERRCODE_OUT_OF_MEMORY))
	{
		if (now_ms >= loop->in_the_way.watch_until_ms)
			loop->in_the_way.watch_until_ms = 0;
		return;
	}
	loop->in_the_way.watch_until_ms = now_ms + WATCH_MS;
	if (watched && in_the_way_find(error, &finding))
		in_the_way_note(loop, &finding);
}

/* ---- rows that claims skip because they are locked ---- */

static SqlStatement sql_lock_due = {
	.text =
	"SELECT FROM @.llava_pending WHERE ctid = (SELECT n.ctid FROM ROWS FROM (pg_catalog.unnest($1),"
	"  pg_catalog.unnest($2), pg_catalog.unnest($3)) AS g (task, server, not_server) CROSS JOIN LATERAL ("
	"  SELECT p.ctid, p.visible_at FROM @.llava_pending p"
	"  WHERE " ROW_OF_GROUP " AND p.visible_at <= pg_catalog.now() AND NOT coalesce(p.call = ANY ($4), false)"
	"  ORDER BY p.visible_at LIMIT 1) n LIMIT 1) FOR UPDATE",
	.types = "TTTL"
};

static void
lock_due(Loop *loop, void *arg)
{
	Datum		values[4];

	destinations_groups(loop, true, values);
	values[3] = claim_unsettled(loop);
	sql_run(&sql_lock_due, values, NULL, 0);
}

/* Tries twice: the first failure turns on the recording, the second is recorded. */
void
in_the_way_of_claim(Loop *loop)
{
	int64		now_ms = clock_monotonic_ms();
	bool		done = false;
	ErrorData  *error;

	if (!loop->tx.in_procedure && now_ms < loop->in_the_way.lock_due_ms)
		return;
	for (int i = 0; i < 2 && !done; i++)
	{
		done = loop_try(loop, lock_due, NULL, &error);
		if (!done)
			FreeErrorData(error);
	}
	loop->in_the_way.lock_due_ms = now_ms + (done ? LOCK_DUE_MS : 0);
	if (!done)
		claims_wake_by(loop, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOCK_DUE_AGAIN_MS));
}
