/*
 * in_the_way.c
 *	  Whoever holds what the loop waits for is named.
 *
 * A step of the loop's that cannot have a lock is tried again, for as long as somebody
 * holds it.  While that goes on, and only then, the locks that are awaited are noted
 * (blockers.c), and who stays in the way is told once: in the log and as what the worker
 * does, or to the session that drains.  Rows that a claim passes over because they are
 * locked are looked at too, once nothing else is left.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "db/db.h"
#include "executor/spi.h"
#include "loop.h"
#include "nodes/value.h"
#include "pgstat.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* An awaited lock is noted so often: well within tx.c's LOCK_TIMEOUT. */
#define NOTE_MS 4

/* Locks are noted for so long after one could not be had; longer than a settle's pause. */
#define WATCH_MS (20 * 1000)

/* Who is in the way for so long is told of. */
#define SAY_AFTER_MS (2 * 1000)

/* A worker shows who was in the way for so long; longer than a settle's pause. */
#define SHOW_MS (10 * 1000)

/* Whether rows that are due are locked is looked at so often; and again while one is. */
#define LOCK_DUE_MS (5 * 1000)
#define LOCK_DUE_AGAIN_MS 1000

typedef struct Finding
{
	Blocker		blocker;
	int			locks;			/* that it holds, if these are too many; else
								 * 0 */
	const ErrorData *error;
} Finding;

void
in_the_way_watch(Loop *loop)
{
	if (loop->in_the_way.watch_until != 0)
		blockers_note_begin(NOTE_MS);
}

const char *
in_the_way_activity(const Loop *loop)
{
	return GetCurrentTimestamp() < loop->in_the_way.until ? loop->in_the_way.words : NULL;
}

/* ---- words ---- */

/* "while updating tuple (0,1) in relation ...": a lock on a row knows no table. */
static const char *
first_line(const char *context)
{
	return context == NULL ? "" : psprintf(" (%.*s)", (int) strcspn(context, "\n"), context);
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

/* In a subtransaction: the words need the catalogue, which may be locked too. */
static void
say(Loop *loop, void *arg)
{
	const char *words = finding_words(arg);

	strlcpy(loop->in_the_way.words, words, sizeof(loop->in_the_way.words));
	ereport(loop->tx.in_procedure ? NOTICE : LOG,
			(errmsg("%s", words),
			 errhint("SELECT pg_terminate_backend(pid) ends a session that is in the way.")));
}

/* ---- who has been said ---- */

static bool
is_current(const InTheWay *one, TimestampTz now)
{
	return one->since != 0 && one->seen_at + WATCH_MS * INT64CONST(1000) > now;
}

/* The place of this one, or of the one that was seen least lately. */
static InTheWay *
place_of(Loop *loop, int pid, Oid relation, TimestampTz now)
{
	InTheWay   *oldest = &loop->in_the_way.list[0];

	for (int i = 0; i < MAX_IN_THE_WAY; i++)
	{
		InTheWay   *one = &loop->in_the_way.list[i];

		if (is_current(one, now) && one->pid == pid && one->relation == relation)
			return one;
		if (one->seen_at < oldest->seen_at)
			oldest = one;
	}
	oldest->pid = pid;
	oldest->relation = relation;
	oldest->since = now;
	oldest->said = false;
	return oldest;
}

/* A table as a whole; rows are many, and told of once. */
static Oid
locked_relation(const Finding *finding)
{
	const LOCKTAG *tag = &finding->blocker.tag;

	return finding->locks == 0 && tag->locktag_type == LOCKTAG_RELATION ?
		tag->locktag_field2 : InvalidOid;
}

/* A session is told before it goes on; a worker waits whether it passes. */
static bool
is_time_to_say(const Loop *loop, const InTheWay *one, TimestampTz now)
{
	return !one->said && ((loop->tx.in_procedure && loop->claims.lock_due) ||
						  now >= TimestampTzPlusMilliseconds(one->since, SAY_AFTER_MS));
}

static void
note(Loop *loop, Finding *finding)
{
	TimestampTz now = GetCurrentTimestamp();
	InTheWay   *one = place_of(loop, finding->blocker.pid, locked_relation(finding), now);
	ErrorData  *error;

	one->seen_at = now;
	if (is_time_to_say(loop, one, now))
	{
		one->said = loop_try(loop, say, finding, &error);
		if (!one->said)
			FreeErrorData(error);
	}
	if (one->said)
		loop->in_the_way.until = TimestampTzPlusMilliseconds(now, SHOW_MS);
}

/* ---- looking ---- */

/* False: nobody is to be named. */
static bool
find(const ErrorData *error, Finding *finding)
{
	memset(finding, 0, sizeof(*finding));
	finding->error = error;
	if (error->sqlerrcode == ERRCODE_OUT_OF_MEMORY)
	{
		finding->blocker.pid = finding->blocker.first = blockers_greediest(&finding->locks);
		return finding->locks > max_locks_per_xact;
	}
	/* own_lock.c's: duplicates.c says whose look it is */
	return blockers_find(&finding->blocker) &&
		(finding->blocker.tag.locktag_type != LOCKTAG_ADVISORY ||
		 finding->blocker.tag.locktag_field4 <= 2);
}

void
in_the_way_look(Loop *loop, const ErrorData *error)
{
	bool		watched = loop->in_the_way.watch_until != 0;
	TimestampTz now;
	Finding		finding;

	if (watched)
		blockers_note_end();
	if (!watched && error == NULL)
		return;
	now = GetCurrentTimestamp();
	if (error == NULL || (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE &&
						  error->sqlerrcode != ERRCODE_OUT_OF_MEMORY))
	{
		if (now >= loop->in_the_way.watch_until)
			loop->in_the_way.watch_until = 0;
		return;
	}
	loop->in_the_way.watch_until = TimestampTzPlusMilliseconds(now, WATCH_MS);
	if (watched && find(error, &finding))
		note(loop, &finding);
}

/* ---- rows that are passed over ---- */

static SqlStatement sql_lock_due = {
	.text =
	"SELECT FROM @.llava_pending"
	" WHERE failure IS NULL AND visible_at <= pg_catalog.now() AND task = ANY ($1)"
	"  AND NOT coalesce(call = ANY ($2), false) ORDER BY visible_at LIMIT 1 FOR UPDATE",
	.types = "TL"
};

static void
lock_due(Loop *loop, void *arg)
{
	Datum	   *names = palloc(sizeof(Datum) * Max(list_length(loop->claims.claimable), 1));
	Datum		values[2];
	ListCell   *cell;
	int			n = 0;

	foreach(cell, loop->claims.claimable)
		names[n++] = CStringGetTextDatum(strVal(lfirst(cell)));
	values[0] = PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
	values[1] = PointerGetDatum(claim_unsettled(loop));
	sql_run(&sql_lock_due, values, NULL, 0);
}

/* The first failure has the second noted. */
void
in_the_way_of_claim(Loop *loop)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		done = false;
	ErrorData  *error;

	if (!loop->tx.in_procedure && now < loop->in_the_way.lock_due_at)
		return;
	for (int i = 0; i < 2 && !done; i++)
	{
		done = loop_try(loop, lock_due, NULL, &error);
		if (!done)
			FreeErrorData(error);
	}
	loop->in_the_way.lock_due_at = TimestampTzPlusMilliseconds(now, done ? LOCK_DUE_MS : 0);
	if (!done)
		claims_wake_by(loop, TimestampTzPlusMilliseconds(now, LOCK_DUE_AGAIN_MS));
}

void
in_the_way_hurry(Loop *loop)
{
	InTheWays  *ways = &loop->in_the_way;

	ways->lock_due_at = ways->watch_until = ways->until = 0;
}
