/*
 * restore.c
 *	  Holds back claims while the database is being restored from a dump.
 *
 * A dump restores tables first and the values of sequences last.  Claims in between would
 * reuse call ids that are in the dump's ledger, and would not know what was spent.  Either
 * of two signs shows a restore: llava_call_seq is as CREATE EXTENSION made it although the
 * tables contain calls; or a session runs COPY into one of our tables, since pg_restore -j
 * may set the sequence while pictures are still being copied.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "claim.h"
#include "compat.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Interval of the check for COPY while claims go on. */
#define LOOK_MS 500

/*
 * Interval of the check while claims wait for a restore.  The restore has ended when two
 * checks in a row found no sign, since a COPY leaves the progress view shortly before its
 * rows are committed.
 */
#define WAIT_LOOK_MS 250

/* The wait is logged after this time. */
#define SAY_AFTER_MS 1000

PG_FUNCTION_INFO_V1(llava_restoring);

/* Whether the table of this extension has a row in which this column is not null. */
static bool
has_row(const char *name, const char *column)
{
	Relation	table = table_open(extension_relation(name), AccessShareLock);
	AttrNumber	number = get_attnum(RelationGetRelid(table), column);
	Snapshot	snapshot;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull = true;

	if (number == InvalidAttrNumber)
		elog(ERROR, "table \"%s\" has no column \"%s\"", name, column);
	/* the transaction's snapshot may be older than the commit of a COPY */
	snapshot = RegisterSnapshot(rows_newest_snapshot());
	scan = systable_beginscan(table, InvalidOid, false, snapshot, 0, NULL);
	while (isnull && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		CHECK_FOR_INTERRUPTS();
		(void) heap_getattr(tuple, number, RelationGetDescr(table), &isnull);
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(table, NoLock);
	return !isnull;
}

/* Whether the tables contain calls although the sequence was never used. */
static bool
calls_are_ahead(bool *known)
{
	CallSeq		seq;

	call_seq_read(&seq);
	*known = !seq.is_new;
	return seq.is_new && (has_row("llava_conversation", "reply") || has_row("llava_reply", "id") ||
						  has_row("llava_pending", "call"));
}

/* Describes the sign that a restore is under way, palloc'd; NULL if there is none. */
static char *
traces(bool *calls_are_known, bool *is_copy)
{
	int			pid;
	Oid			table;

	*is_copy = copying_find(&pid, &table);
	if (*is_copy)
		return psprintf("process %d copies into %s", pid, get_rel_name(table));
	if (!*calls_are_known && calls_are_ahead(calls_are_known))
		return pstrdup("llava_call_seq is not set, and there are calls already");
	return NULL;
}

/* Logs the wait once, unless it ends within SAY_AFTER_MS; llava_drain tells at once. */
static void
restore_say(Loop *loop, int64 now_ms)
{
	RestoreWait *wait = &loop->restore;

	if (wait->said || now_ms < wait->since_ms + (loop->tx.in_procedure ? 0 : SAY_AFTER_MS))
		return;
	wait->said = true;
	ereport(loop->tx.in_procedure ? NOTICE : LOG,
			(errmsg("llava_zh: nothing is claimed in database \"%s\" until a restore has ended: %s",
					get_database_name(MyDatabaseId), wait->words),
			 wait->is_copy ? 0 :
			 errhint("If no restore is under way, run SELECT setval('llava_call_seq', n), with n the largest of id in llava_reply, reply in llava_conversation and call in llava_pending.")));
}

/* Restored rows have leases whose holders are not processes of this cluster: release them. */
static void
end_wait(Loop *loop)
{
	RestoreWait *wait = &loop->restore;

	if (wait->said && !loop->tx.in_procedure)
		ereport(LOG,
				(errmsg("llava_zh: claims go on in database \"%s\": the restore has ended",
						get_database_name(MyDatabaseId))));
	wait->since_ms = 0;
	wait->said = false;
	holders_release_again(loop);
	claim_reset_cursor(loop, DT_NOBEGIN);
}

bool
restore_is_awaited(Loop *loop)
{
	RestoreWait *wait = &loop->restore;
	int64		now_ms = clock_monotonic_ms();
	char	   *found;
	bool		is_copy;

	if (wait->since_ms == 0 && wait->calls_are_known && now_ms < wait->look_ms)
		return false;
	wait->look_ms = now_ms + LOOK_MS;
	found = traces(&wait->calls_are_known, &is_copy);
	if (found != NULL)
	{
		if (wait->since_ms == 0)
			wait->since_ms = now_ms;
		wait->is_copy = is_copy;
		strlcpy(wait->words, found, sizeof(wait->words));
		snprintf(wait->activity, sizeof(wait->activity),
				 "llava_zh: waiting for a restore to end: %s", wait->words);
		restore_say(loop, now_ms);
	}
	else if (wait->since_ms == 0)
		return false;
	else if (wait->is_clear)
	{
		end_wait(loop);
		return false;
	}
	wait->is_clear = found == NULL;
	wait->until_ms = now_ms + WAIT_LOOK_MS;
	claims_look_by(loop, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), WAIT_LOOK_MS));
	return true;
}

const char *
restore_activity(const Loop *loop)
{
	return loop->restore.since_ms == 0 ? NULL : loop->restore.activity;
}

bool
restore_has_no_end(const Loop *loop)
{
	return loop->restore.since_ms != 0 && !loop->restore.is_clear && !loop->restore.is_copy;
}

/* llava_restoring(): which restore a claim would wait for, as text; NULL if none. */
Datum
llava_restoring(PG_FUNCTION_ARGS)
{
	bool		calls_are_known = false;
	bool		is_copy;
	char	   *found = traces(&calls_are_known, &is_copy);

	if (found == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("a restore to end: %s", found)));
}
