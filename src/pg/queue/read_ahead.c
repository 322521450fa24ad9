/*
 * read_ahead.c
 *	  Has the kernel read the pictures that will be claimed next.
 *
 * Reading a page that is not in the page cache takes as long as the disk does, and the
 * loop serves no sockets meanwhile.  So the loop looks at the rows after its cursor,
 * finds the blocks of the pictures' TOAST values in the TOAST index, and announces them
 * to the kernel (POSIX_FADV_WILLNEED), which reads them in the background.  It announces
 * ranges of the file and not single blocks, as PrefetchBuffer does: on a disk that limits
 * requests per second this takes a sixteenth of them.
 *
 * This is only an optimisation: a picture that was not announced is read all the same.
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "access/detoast.h"
#include "access/genam.h"
#include "access/nbtree.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/toast_internals.h"
#include "claim.h"
#include "compat.h"
#include "storage/fd.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/*
 * One announcement ends with the picture that exceeds this many bytes, or after this many
 * rows.  A new one is made once the cursor has reached the start of the last one, so the
 * kernel has the time of at least one claim for each.
 */
#define AHEAD_BYTES (4 * 1024 * 1024)
#define AHEAD_ROWS 256

/* Linux reads at most this much per call, the size of its own read-ahead. */
#define BLOCKS_AT_ONCE (128 * 1024 / BLCKSZ)

/* Consecutive blocks of one file. */
typedef struct Span
{
	Relation	relation;
	BlockNumber first;
	int			n;
} Span;

/* The TOAST table of the pictures, and its blocks to announce. */
typedef struct Toast
{
	Relation	table;			/* NULL: not opened yet */
	Relation   *indexes;
	int			n_indexes;
	IndexScanDesc scan;
	BlockNumber leaf;			/* index page that was read last */
	Span	   *spans;
	int			n;
	int			room;
	int64		bytes;			/* of the values */
} Toast;

static void
announce(Loop *loop, const Span *span)
{
	char		path[MAXPGPATH];
	int			segment = span->first / RELSEG_SIZE;
	off_t		offset = (off_t) (span->first % RELSEG_SIZE) * BLCKSZ;
	int			fd;

	compat_relation_path(span->relation, path, sizeof(path));
	if (segment > 0)
		snprintf(path + strlen(path), sizeof(path) - strlen(path), ".%d", segment);
	fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	if (fd < 0)
		return;
	for (int done = 0; done < span->n; done += BLOCKS_AT_ONCE)
	{
		(void) posix_fadvise(fd, offset + (off_t) done * BLCKSZ,
							 (off_t) Min(span->n - done, BLOCKS_AT_ONCE) * BLCKSZ,
							 POSIX_FADV_WILLNEED);
		dispatch_serve(loop);
	}
	CloseTransientFile(fd);
}

static void
add_block(Toast *toast, Relation relation, BlockNumber block)
{
	Span	   *last = toast->n > 0 ? &toast->spans[toast->n - 1] : NULL;

	if (last != NULL && last->relation == relation && block >= last->first)
	{
		if (block < last->first + last->n)
			return;
		/* a span lies in one file */
		if (block == last->first + last->n && block % RELSEG_SIZE != 0)
		{
			last->n++;
			return;
		}
	}
	if (toast->n == toast->room)
	{
		toast->room *= 2;
		toast->spans = repalloc(toast->spans, sizeof(Span) * toast->room);
	}
	toast->spans[toast->n++] = (Span)
	{
		relation, block, 1
	};
}

static void
toast_open(Toast *toast, Oid table)
{
	int			valid;

	toast->table = table_open(table, AccessShareLock);
	valid = toast_open_indexes(toast->table, AccessShareLock, &toast->indexes, &toast->n_indexes);
	/* only index entries are read, so visibility does not matter */
	toast->scan = compat_index_beginscan(toast->table, toast->indexes[valid], SnapshotAny, 1);
	toast->leaf = InvalidBlockNumber;
	toast->room = 64;
	toast->n = 0;
	toast->spans = palloc(sizeof(Span) * toast->room);
}

static void
toast_close(Toast *toast)
{
	pfree(toast->spans);
	index_endscan(toast->scan);
	toast_close_indexes(toast->indexes, toast->n_indexes, AccessShareLock);
	table_close(toast->table, AccessShareLock);
}

/* Adds the blocks of one TOAST value, which the index returns in the order of chunks. */
static void
add_value(Toast *toast, Oid value)
{
	ScanKeyData key;
	ItemPointer chunk;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(value));
	index_rescan(toast->scan, &key, 1, NULL, 0);
	while ((chunk = index_getnext_tid(toast->scan, ForwardScanDirection)) != NULL)
	{
		toast->leaf = ((BTScanOpaque) toast->scan->opaque)->currPos.currPage;
		add_block(toast, toast->table, ItemPointerGetBlockNumber(chunk));
	}
}

/* Adds the blocks of a picture, unless it is stored inline or in a file. */
static void
add_picture(Toast *toast, Datum picture)
{
	struct varlena *value = (struct varlena *) DatumGetPointer(picture);
	struct varatt_external pointer;

	if (!VARATT_IS_EXTERNAL_ONDISK(value))
		return;
	VARATT_EXTERNAL_GET_POINTER(pointer, value);
	if (toast->table == NULL)
		toast_open(toast, pointer.va_toastrelid);
	if (RelationGetRelid(toast->table) != pointer.va_toastrelid)
		return;
	add_value(toast, pointer.va_valueid);
	toast->bytes += VARATT_EXTERNAL_GET_EXTSIZE(pointer);
}

/*
 * Announces all blocks, after the last index lookup: its own reads would otherwise queue
 * behind them.  The next index pages are announced too, since values that were stored one
 * after the other have their entries there.
 */
static void
announce_all(Loop *loop, Toast *toast)
{
	if (toast->leaf != InvalidBlockNumber)
		for (int i = 1; i <= BLOCKS_AT_ONCE; i++)
			add_block(toast, toast->scan->indexRelation, toast->leaf + i);
	for (int i = 0; i < toast->n; i++)
		announce(loop, &toast->spans[i]);
}

static bool
cursor_has_reached(const Destination *destination, const QueuePlace *place)
{
	const QueuePlace *cursor = &destination->cursor;

	return place->visible_at < cursor->visible_at ||
		(place->visible_at == cursor->visible_at && place->image <= cursor->image);
}

/* The next announcement begins where the last one ended, or at the cursor. */
static void
move_on(Destination *destination)
{
	if (cursor_has_reached(destination, &destination->ahead.end))
		destination->ahead.end = destination->cursor;
	destination->ahead.begin = destination->ahead.end;
}

static void
announce_rows(Loop *loop, Ahead *ahead, uint64 n)
{
	Toast		toast = {0};

	for (uint64 i = 0; i < n && toast.bytes < AHEAD_BYTES; i++)
	{
		int64		image = DatumGetInt64(returned(i, 2));
		Datum		picture = returned(i, 3);

		/*
		 * the image was added already if the row before was for another of
		 * its tasks
		 */
		if (DatumGetPointer(picture) != NULL && image != ahead->end.image)
			add_picture(&toast, picture);
		ahead->end.visible_at = DatumGetTimestampTz(returned(i, 1));
		ahead->end.image = image;
		dispatch_serve(loop);
	}
	if (toast.table != NULL)
	{
		announce_all(loop, &toast);
		toast_close(&toast);
	}
}

/* The rows that will be claimed next, each with its picture's TOAST pointer. */
#define AHEAD(rows) { \
	.text = \
	"SELECT p.visible_at, p.image, i.image FROM (" \
	"  SELECT k.visible_at, k.image FROM (" rows ") k ORDER BY k.visible_at, k.image LIMIT $6) p" \
	" JOIN @.llava_image i ON i.id = p.image", \
	.types = "TTTzll" \
}

static SqlStatement sql_ahead[] = FOR_GROUPS(AHEAD);

void
read_ahead(Loop *loop, Destination *destination)
{
	Datum		values[6];

	if (!cursor_has_reached(destination, &destination->ahead.begin))
		return;
	move_on(destination);
	groups_values(&destination->asked, values);
	values[3] = TimestampTzGetDatum(destination->ahead.end.visible_at);
	values[4] = Int64GetDatum(destination->ahead.end.image);
	values[5] = Int64GetDatum(Min(AHEAD_ROWS, AHEAD_BYTES / Max(loop->picture_size, 1) + 1));
	announce_rows(loop, &destination->ahead,
				  sql_run(OF_GROUPS(sql_ahead, destination->asked.n), values, NULL, 0));
	SPI_freetuptable(SPI_tuptable);
}

void
read_ahead_reset(Ahead *ahead)
{
	ahead->begin.visible_at = ahead->end.visible_at = DT_NOBEGIN;
}
