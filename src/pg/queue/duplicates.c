/*
 * duplicates.c
 *	  Near sameness: a picture that looks like one asked about before is parked
 *	  before its request.
 *
 * Preparation hashes the picture (image/hash.c).  Of the hashes in llava_hash those
 * within IMAGE_SAME_COARSE bits of its coarse one are candidates; the fine hash and
 * the colours confirm.  Candidates are found through three indexes, one for each third
 * of the coarse hash's bits: two hashes at most 8 bits apart differ in at most two bits
 * of one of the three, so the values within two bits of each find them all.
 *
 * A picture is looked at once, when its hash is stored; a copy's hash is stored
 * too, but is nobody's candidate, so that likeness does not drift from copy to copy.
 * One process looks at a time, so of copies in flight in several workers one is
 * asked about.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "db/db.h"
#include "executor/spi.h"
#include "image/image.h"
#include "loop.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "picture/picture.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* Pictures of one transaction. */
#define LOOK_BATCH 64

/* Pause after a look that found a lock or a full disk. */
#define LOOK_RETRY_MS 500

/* Looks that wait so long for another process's say for whose, and then so often. */
#define SAY_WAITING_MS (10 * 1000)
#define SAY_AGAIN_MS (60 * 1000)

/* The coarse hash in pieces, of 22, 21 and 21 bits, and how near theirs are looked up. */
#define BANDS		3
#define BAND_BEGIN(band) ((64 * (band) + BANDS - 1) / BANDS)
#define BAND_RADIUS	2
#define BAND_VALUES	(1 + 22 + 22 * 21 / 2)

StaticAssertDecl(IMAGE_SAME_COARSE < (BAND_RADIUS + 1) * BANDS,
				 "hashes that are one picture's must be within the radius in a band");

typedef struct Look
{
	Call	   *calls[LOOK_BATCH];
	bool		parked[LOOK_BATCH];
	int			n;
	bool		waits;			/* for another process's look */
} Look;

/* Every value of the band that is at most BAND_RADIUS bits from the hash's own. */
static Datum
band_values(uint64 coarse, int band)
{
	int			bits = BAND_BEGIN(band + 1) - BAND_BEGIN(band);
	int64		own = (coarse >> BAND_BEGIN(band)) & ((UINT64CONST(1) << bits) - 1);
	Datum		values[BAND_VALUES];
	int			n = 0;

	values[n++] = Int64GetDatum(own);
	for (int i = 0; i < bits; i++)
	{
		int64		near = own ^ (INT64CONST(1) << i);

		values[n++] = Int64GetDatum(near);
		for (int j = 0; j < i; j++)
			values[n++] = Int64GetDatum(near ^ (INT64CONST(1) << j));
	}
	return PointerGetDatum(construct_array(values, n, INT8OID, sizeof(int64),
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/*
 * Hashes within $2 bits of $1, and $4 of $3.  Both here: a hundred thousand pages of
 * one layout may have one coarse hash.
 */
#define HASHES_NEAR \
	"SELECT image, coarse, fine, colours FROM @.llava_hash WHERE NOT copy" \
	" AND @.llava_hash_distance(coarse, $1) <= $2" \
	" AND CASE WHEN pg_catalog.octet_length(fine) = pg_catalog.octet_length($3)" \
	"  THEN @.llava_hash_distance(fine, $3) <= $4 END AND "

static SqlStatement sql_hash_near = {
	.text =
	HASHES_NEAR "(coarse & 4194303::bigint) = ANY ($5)" " UNION ALL "
	HASHES_NEAR "((coarse >> 22) & 2097151::bigint) = ANY ($6)" " UNION ALL "
	HASHES_NEAR "((coarse >> 43) & 2097151::bigint) = ANY ($7)",
	.types = "libiLLL"
};

/* The nearest picture that this is a copy of; 0: there is none. */
static int64
find_original(const ImageHash *hash, int *distance)
{
	Datum		values[4 + BANDS];
	int64		original = 0;
	uint64		rows;

	values[0] = Int64GetDatum((int64) hash->coarse);
	values[1] = Int32GetDatum(IMAGE_SAME_COARSE);
	values[2] = hash_fine_datum(hash);
	values[3] = Int32GetDatum(IMAGE_SAME_FINE);
	for (int band = 0; band < BANDS; band++)
		values[4 + band] = band_values(hash->coarse, band);
	rows = sql_run(&sql_hash_near, values, NULL, 0);
	for (uint64 i = 0; i < rows; i++)
	{
		TupleDesc	desc = SPI_tuptable->tupdesc;
		Datum		columns[4];
		bool		isnull;
		ImageHash	other;
		int64		image;
		int			apart;

		for (int c = 0; c < lengthof(columns); c++)
			columns[c] = SPI_getbinval(SPI_tuptable->vals[i], desc, c + 1, &isnull);
		if (!hash_read(columns[1], columns[2], columns[3], &other) ||
			!image_hash_same(hash, &other))
			continue;
		image = DatumGetInt64(columns[0]);
		apart = image_hash_distance(hash, &other);
		if (original == 0 || apart < *distance || (apart == *distance && image < original))
		{
			original = image;
			*distance = apart;
		}
	}
	SPI_freetuptable(SPI_tuptable);
	return original;
}

/* What is known of a picture before the look. */
typedef enum Known
{
	KNOWN_GONE,
	KNOWN_NEW,
	KNOWN_COPY,
	KNOWN_OTHER					/* first of its looks, or released */
} Known;

static SqlStatement sql_hash_state = {
	.text =
	"SELECT h.copy, i.same_as, i.same_distance FROM @.llava_image i"
	" LEFT JOIN @.llava_hash h ON h.image = i.id WHERE i.id = $1",
	.types = "l"
};

static Known
what_is_known(int64 image, int64 *original, int *distance)
{
	Datum		values[1];
	HeapTuple	row;
	TupleDesc	desc;
	bool		no_hash,
				no_original,
				no_distance;
	bool		copy;

	values[0] = Int64GetDatum(image);
	if (sql_run(&sql_hash_state, values, NULL, 0) == 0)
		return KNOWN_GONE;
	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	copy = DatumGetBool(SPI_getbinval(row, desc, 1, &no_hash));
	*original = DatumGetInt64(SPI_getbinval(row, desc, 2, &no_original));
	*distance = DatumGetInt16(SPI_getbinval(row, desc, 3, &no_distance));
	SPI_freetuptable(SPI_tuptable);
	if (no_hash)
		return KNOWN_NEW;
	return copy && !no_original && !no_distance ? KNOWN_COPY : KNOWN_OTHER;
}

static SqlStatement sql_hash_add = {
	.text =
	"INSERT INTO @.llava_hash (image, coarse, fine, colours, copy)"
	" VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
	.types = "llbbB"
};

static void
store_hash(int64 image, const ImageHash *hash, bool copy)
{
	Datum		values[5];

	values[0] = Int64GetDatum(image);
	values[1] = Int64GetDatum((int64) hash->coarse);
	values[2] = hash_fine_datum(hash);
	values[3] = hash_colours_datum(hash);
	values[4] = BoolGetDatum(copy);
	sql_run(&sql_hash_add, values, NULL, 0);
}

static SqlStatement sql_hash_mark = {
	.text =
	"UPDATE @.llava_image SET same_as = $2, same_distance = $3 WHERE id = $1",
	.types = "lli"
};

static void
mark_copy(int64 image, int64 original, int distance)
{
	Datum		values[3];

	values[0] = Int64GetDatum(image);
	values[1] = Int64GetDatum(original);
	values[2] = Int32GetDatum(distance);
	sql_run(&sql_hash_mark, values, NULL, 0);
}

static SqlStatement sql_hash_park = {
	.text =
	"UPDATE @.llava_pending SET failure = 'near_duplicate', detail = $4, holder = NULL,"
	"  attempts = GREATEST(attempts - 1, 0)"
	" WHERE image = $1 AND task = $2 AND call = $3",
	.types = "ltlt"
};

static void
park(const Call *call, int64 original, int distance)
{
	Datum		values[4];

	values[0] = Int64GetDatum(call->image);
	values[1] = CStringGetTextDatum(call->task->name);
	values[2] = Int64GetDatum(call->id);
	values[3] = CStringGetTextDatum(psprintf("%d of 256 bits from image " INT64_FORMAT,
											 distance, original));
	sql_run(&sql_hash_park, values, NULL, 0);
}

/* Whether the call was parked. */
static bool
look_at(const Call *call)
{
	const ImageHash *hash = &call->fit.job->prepared.hash;
	int64		original;
	int			distance = 0;

	switch (what_is_known(call->image, &original, &distance))
	{
		case KNOWN_NEW:
			original = find_original(hash, &distance);
			store_hash(call->image, hash, original != 0);
			if (original == 0)
				return false;
			mark_copy(call->image, original, distance);
			break;
		case KNOWN_COPY:
			break;
		default:
			return false;
	}
	park(call, original, distance);
	return true;
}

static void
look_at_all(Loop *loop, void *arg)
{
	Look	   *look = arg;

	/* what others stored is seen, and what is stored here is seen by others */
	look->waits = true;
	own_lock_take(OWN_LOCK_LOOK, 0);
	look->waits = false;
	for (int i = 0; i < look->n; i++)
	{
		look->parked[i] = look_at(look->calls[i]);
		dispatch_serve(loop);
	}
}

/* The first calls whose looks failed like this (Call's failed_looks), at most so many. */
static void
gather_those(Loop *loop, Look *look, int failed_looks, int most)
{
	dlist_iter	iter;

	dlist_foreach(iter, &loop->calls.lists[CALL_HASHED])
	{
		Call	   *call = dlist_container(Call, node, iter.cur);

		if (look->n == most)
			break;
		if (call->fit.failed_looks != failed_looks)
			continue;
		look->parked[look->n] = false;
		look->calls[look->n++] = call;
	}
}

/*
 * All that are new; else one whose look failed with others', at once; else one that
 * failed by itself, after a while.
 */
static void
gather(Loop *loop, Look *look)
{
	look->n = 0;
	gather_those(loop, look, 0, LOOK_BATCH);
	if (look->n == 0)
		gather_those(loop, look, 1, 1);
	if (look->n == 0 && GetCurrentTimestamp() >= loop->copies.look_at)
		gather_those(loop, look, 2, 1);
}

/* They wait behind the others: a row that somebody has locked holds up nobody else. */
static void
postpone(Loop *loop, Look *look)
{
	for (int i = 0; i < look->n; i++)
	{
		Call	   *call = look->calls[i];

		/* alone, it is its own row that is locked */
		call->fit.failed_looks = look->n > 1 ? 1 : 2;
		call_move(loop, call, CALL_HASHED);
	}
	look->n = 0;
}

/* When the next look is worth while: at once unless all that is left failed alone. */
static void
plan_next_look(Loop *loop, bool failed)
{
	dlist_iter	iter;

	if (failed)
		loop->copies.look_at =
			TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_RETRY_MS);
	dlist_foreach(iter, &loop->calls.lists[CALL_HASHED])
	{
		if (dlist_container(Call, node, iter.cur)->fit.failed_looks < 2)
			loop->copies.look_at = 0;
	}
}

/* Who looks for so long, in the log and as what this process does. */
static void
say_who_looks(Loop *loop, TimestampTz now)
{
	char		words[256];

	snprintf(words, sizeof(words), "looks for copies have waited %d s for %s",
			 (int) ((now - loop->copies.wait_since) / USECS_PER_SEC),
			 process_words(own_lock_holder(OWN_LOCK_LOOK, 0)));
	ereport(LOG, (errmsg("llava_zh: %s", words)));
	if (!loop->tx.in_procedure)
		pgstat_report_activity(STATE_RUNNING, psprintf("llava_zh: %s", words));
	loop->copies.say_at = TimestampTzPlusMilliseconds(now, SAY_AGAIN_MS);
}

/* After a look: whether another process's was in its way.  In a transaction. */
static void
note_waiting(Loop *loop, bool waits)
{
	TimestampTz now = GetCurrentTimestamp();

	if (!waits)
		loop->copies.wait_since = 0;
	else if (loop->copies.wait_since == 0)
	{
		loop->copies.wait_since = now;
		loop->copies.say_at = TimestampTzPlusMilliseconds(now, SAY_WAITING_MS);
	}
	else if (now >= loop->copies.say_at)
		say_who_looks(loop, now);
}

/* What failed by itself waits a while; all else is looked at at once. */
TimestampTz
copies_due(Loop *loop)
{
	dlist_iter	iter;

	if (dlist_is_empty(&loop->calls.lists[CALL_HASHED]))
		return DT_NOEND;
	dlist_foreach(iter, &loop->calls.lists[CALL_HASHED])
	{
		if (dlist_container(Call, node, iter.cur)->fit.failed_looks < 2)
			return DT_NOBEGIN;
	}
	return loop->copies.look_at;
}

void
copies_hurry(Loop *loop)
{
	loop->copies.look_at = 0;
}

Step
copies_run(Loop *loop)
{
	Look		look;
	ErrorData  *error;
	bool		done;

	gather(loop, &look);
	if (look.n == 0)
		return STEP_NOTHING;
	if (!loop_begin(loop, "llava_zh: looking for copies"))
		return STEP_GONE;
	/* what a crash forgets is found again */
	tx_commit_as("off");
	look.waits = false;
	done = loop_try(loop, look_at_all, &look, &error);
	note_waiting(loop, !done && look.waits);
	if (!done)
	{
		/* what cannot be had asks about a picture too many, never one too few */
		bool		repeat = tx_error_passes(error);

		ereport(repeat ? DEBUG1 : LOG,
				(errmsg("llava_zh: look for copies of %d pictures %s: %s", look.n,
						repeat ? "postponed" : "given up", error->message)));
		FreeErrorData(error);
		memset(look.parked, false, sizeof(look.parked));
		if (repeat)
			postpone(loop, &look);
	}
	loop_commit(loop);
	for (int i = 0; i < look.n; i++)
	{
		Call	   *call = look.calls[i];

		if (look.parked[i])
			call_free(loop, call);
		else
			call_move(loop, call, CALL_READY);
	}
	plan_next_look(loop, !done);
	return STEP_DONE;
}
