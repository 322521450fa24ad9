/*
 * summarise.c
 *	  Keeps the BRIN index over llava_conversation.created_at summarised.
 *
 * The index has no autosummarize: under the worker's load autovacuum's list of requests is
 * nearly always full, and each request that does not fit writes a line to the log.  The
 * loop summarises instead, from the last full range of pages back to the first range that
 * is summarised already.  Gaps before that one are left to VACUUM.
 *
 * Summarising takes the lock that VACUUM takes too.  If it is not free, the loop tries
 * again at the next interval, so that neither waits for the other.
 */
#include "postgres.h"

#include "access/brin.h"
#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_am_d.h"
#include "loop.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

/* Interval while samples are written. */
#define SUMMARISE_EVERY_MS (10 * 1000)

/* Ranges summarised in one transaction: some 64 MB of pages just written. */
#define RANGES_AT_ONCE 512

/*
 * The number of full page ranges of the table, and in *pages their size.  Returns 0 if the
 * lock is not free, or if somebody has replaced the index by another kind.
 */
static BlockNumber
full_ranges(Oid table, Oid index, int *pages)
{
	Relation	heap;
	Relation	ranges;
	BlockNumber n = 0;

	if (!ConditionalLockRelationOid(table, ShareUpdateExclusiveLock))
		return 0;
	heap = table_open(table, NoLock);
	ranges = index_open(index, AccessShareLock);
	if (ranges->rd_rel->relam == BRIN_AM_OID && ranges->rd_index->indrelid == table)
	{
		*pages = (int) BrinGetPagesPerRange(ranges);
		n = RelationGetNumberOfBlocks(heap) / *pages;
	}
	index_close(ranges, AccessShareLock);
	table_close(heap, NoLock);
	return n;
}

/* Runs as the table's owner, as brin_summarize_range demands. */
static void
summarise_back(Loop *loop, Oid table, Oid index)
{
	RowsCaller	caller;
	int			pages = 0;
	BlockNumber n = full_ranges(table, index, &pages);

	rows_begin_as_owner(table, &caller);
	for (int i = 0; i < RANGES_AT_ONCE && n > 0; i++)
	{
		int64		block = (int64) --n * pages;

		if (DatumGetInt32(DirectFunctionCall2(brin_summarize_range, ObjectIdGetDatum(index),
											  Int64GetDatum(block))) == 0)
			break;
		dispatch_serve(loop);
	}
	rows_end_as_owner(&caller);
}

static void
summarise_work(Loop *loop, void *arg)
{
	Oid			table = extension_relation("llava_conversation");
	Oid			index = get_relname_relid("llava_conversation_created",
										  get_rel_namespace(table));

	/* somebody may have dropped the index */
	if (OidIsValid(index) && get_rel_relkind(index) == RELKIND_INDEX)
		summarise_back(loop, table, index);
}

TimestampTz
summaries_due(Loop *loop)
{
	if (loop->settles.accepted == loop->summaries.accepted)
		return DT_NOEND;
	return TimestampTzPlusMilliseconds(loop->summaries.at, SUMMARISE_EVERY_MS);
}

void
summaries_hurry(Loop *loop)
{
	loop->summaries.at = Min(loop->summaries.at, GetCurrentTimestamp());
}

Step
summaries_run(Loop *loop)
{
	ErrorData  *error;

	loop->summaries.accepted = loop->settles.accepted;
	loop->summaries.at = GetCurrentTimestamp();
	if (!loop_begin(loop, "llava_zh: summarising samples"))
		return STEP_NOTHING;
	/* a lost commit does no harm: VACUUM summarises too */
	tx_commit_as("off");
	if (!loop_try(loop, summarise_work, NULL, &error))
	{
		ereport(tx_error_passes(error) ? DEBUG1 : LOG,
				(errmsg("llava_zh: samples not summarised: %s", error->message)));
		FreeErrorData(error);
	}
	loop_commit(loop);
	return STEP_DONE;
}
