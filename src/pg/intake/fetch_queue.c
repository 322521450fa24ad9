/*
 * fetch_queue.c
 *	  Rows that an INSERT or COPY queues to be fetched, many in one statement of ours.
 *
 * They are kept beside the statement that brings them and written when there are many, and
 * when it has ended: AFTER INSERT.  If it fails, its memory goes and they with it.  What
 * was kept in another subtransaction is left alone, as that one may yet be rolled back
 * without it.  A row that the statement did not store in the end (ON CONFLICT DO NOTHING)
 * may be queued; the fetcher finds that it waits for nothing.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "db/db.h"
#include "executor/spi.h"
#include "intake.h"
#include "lib/ilist.h"
#include "process/process.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define MOST_KEPT 1000

struct FetchQueue
{
	dlist_node	node;
	MemoryContext rows;			/* what is kept, and nothing else */
	SubTransactionId sub;
	bool		any_forgotten;	/* some URLs were taken down before it began */
	int			n;
	Datum		images[MOST_KEPT];
	Datum		hosts[MOST_KEPT];
	Datum		urls[MOST_KEPT];
	Datum		digests[MOST_KEPT];
	Datum		expected[MOST_KEPT];
	bool		not_expected[MOST_KEPT];
};

/* Of all statements that are under way. */
static dlist_head open_queues = DLIST_STATIC_INIT(open_queues);

PG_FUNCTION_INFO_V1(llava_image_queued);

static SqlStatement sql_any_forgotten = {
	.text = "SELECT FROM @.llava_url_forgotten LIMIT 1",
	.types = ""
};

static void
close_queue(void *arg)
{
	FetchQueue *queue = arg;

	dlist_delete(&queue->node);
}

FetchQueue *
fetch_queue_of(Intake *intake, MemoryContext statement)
{
	FetchQueue *queue = intake->fetch_queue;
	MemoryContextCallback *callback;

	if (queue != NULL)
		return queue;
	queue = MemoryContextAllocZero(statement, sizeof(FetchQueue));
	callback = MemoryContextAllocZero(statement, sizeof(MemoryContextCallback));
	queue->rows = AllocSetContextCreate(statement, "llava_zh fetches to be queued", ALLOCSET_DEFAULT_SIZES);
	queue->sub = GetCurrentSubTransactionId();
	dlist_push_tail(&open_queues, &queue->node);
	callback->func = close_queue;
	callback->arg = queue;
	MemoryContextRegisterResetCallback(statement, callback);
	intake->fetch_queue = queue;
	rows_spi_connect();
	queue->any_forgotten = rows_run_as_owner(extension_relation("llava_url_forgotten"), &sql_any_forgotten, NULL, NULL) > 0;
	SPI_finish();
	return queue;
}

bool
fetch_queue_any_forgotten(const FetchQueue *queue)
{
	return queue->any_forgotten;
}

static SqlStatement sql_queue_fetches = {
	.text =
	"INSERT INTO @.llava_fetch (image, host, url, digest, expected, visible_at)"
	" SELECT u.image, u.host, u.url, u.digest, u.expected, $6"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4),"
	"  pg_catalog.unnest($5)) AS u (image, host, url, digest, expected)"
	" ON CONFLICT DO NOTHING",
	.types = "LTTYYz"
};

static Datum
array_of(FetchQueue *queue, Datum *values, bool *nulls, Oid type)
{
	int			n = queue->n;
	int			lower = 1;

	return PointerGetDatum(construct_md_array(values, nulls, 1, &n, &lower, type, type == INT8OID ? (int) sizeof(int64) : -1,
											  type == INT8OID && FLOAT8PASSBYVAL, type == INT8OID ? TYPALIGN_DOUBLE : TYPALIGN_INT));
}

static void
flush(FetchQueue *queue)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	MemoryContext caller;
	Datum		values[6];

	if (queue->n == 0)
		return;
	caller = MemoryContextSwitchTo(queue->rows);
	values[0] = array_of(queue, queue->images, NULL, INT8OID);
	values[1] = array_of(queue, queue->hosts, NULL, TEXTOID);
	values[2] = array_of(queue, queue->urls, NULL, TEXTOID);
	values[3] = array_of(queue, queue->digests, NULL, BYTEAOID);
	values[4] = array_of(queue, queue->expected, queue->not_expected, BYTEAOID);
	values[5] = TimestampTzGetDatum(now);
	MemoryContextSwitchTo(caller);
	rows_spi_connect();
	(void) rows_run_as_owner(extension_relation("llava_fetch"), &sql_queue_fetches, values, NULL);
	SPI_finish();
	queue->n = 0;
	MemoryContextReset(queue->rows);
	wake_at_commit(now);
}

void
fetch_queue_add(FetchQueue *queue, Datum id, const IntakeUrl *url, const struct varlena *expected)
{
	MemoryContext caller = MemoryContextSwitchTo(queue->rows);
	int			n = queue->n;

	queue->images[n] = id;
	queue->hosts[n] = CStringGetTextDatum(url->host);
	queue->urls[n] = CStringGetTextDatum(url->normal);
	queue->digests[n] = PointerGetDatum(rows_bytea(VARDATA_ANY(url->digest), VARSIZE_ANY_EXHDR(url->digest)));
	queue->not_expected[n] = expected == NULL;
	queue->expected[n] = expected == NULL ? (Datum) 0 :
		PointerGetDatum(rows_bytea(VARDATA_ANY(expected), VARSIZE_ANY_EXHDR(expected)));
	MemoryContextSwitchTo(caller);
	queue->n++;
	if (queue->n == MOST_KEPT)
		flush(queue);
}

/* AFTER INSERT on llava_image, FOR EACH STATEMENT, SECURITY DEFINER. */
Datum
llava_image_queued(PG_FUNCTION_ARGS)
{
	dlist_iter	iter;

	rows_statement_trigger(fcinfo, "llava_image");
	dlist_foreach(iter, &open_queues)
	{
		FetchQueue *queue = dlist_container(FetchQueue, node, iter.cur);

		if (queue->sub == GetCurrentSubTransactionId())
			flush(queue);
	}
	return PointerGetDatum(NULL);
}
