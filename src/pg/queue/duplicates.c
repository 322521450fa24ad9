/*
 * duplicates.c
 *	  Finds near-duplicates: a picture that looks like an earlier one (a "copy") is parked
 *	  before it is sent.
 *
 * Preparation hashes the picture (image/hash.c).  Candidates are the rows of llava_hash
 * whose coarse hash is within IMAGE_SAME_COARSE bits; the fine hash and the colours
 * confirm.  Three indexes find the candidates, one for each third of the coarse hash's
 * bits: two hashes at most 8 bits apart differ in at most two bits in one of the thirds,
 * so looking up all values within two bits of each third finds every candidate.
 *
 * A picture is compared once, when its hash is stored.  The hash of a copy is stored too,
 * but is no candidate, so that similarity does not drift from copy to copy.  Only one
 * process compares at a time: of several copies in different workers one is sent.
 */
#include "postgres.h"

#include "loop.h"
#include "picture/picture.h"
#include "utils/builtins.h"

/* Pictures compared in one transaction. */
#define LOOK_BATCH 64

/* Pause after a transient error (a lock, a full disk). */
#define LOOK_RETRY_MS 500

/* After waiting this long for another process, name it in the log; and how often again. */
#define SAY_WAITING_MS (10 * 1000)
#define SAY_AGAIN_MS (60 * 1000)

/* The coarse hash is cut into bands of 22, 21 and 21 bits, each searched in this radius. */
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
	bool		waits;			/* another process holds the lock */
} Look;

/* All values of the band within BAND_RADIUS bits of the hash's own, as bigint[]. */
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
	return loop_bigints(values, n);
}

/*
 * Coarse hashes within $2 bits of $1 and fine hashes within $4 bits of $3.  SQL checks
 * the fine hash too: a hundred thousand pages of one layout may share one coarse hash.
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

/* Returns the nearest picture of which this one is a copy, or 0. */
static int64
find_original(const ImageHash *hash, int *distance)
{
	Datum		values[4 + BANDS] = {
		Int64GetDatum((int64) hash->coarse), Int32GetDatum(IMAGE_SAME_COARSE),
		hash_fine_datum(hash), Int32GetDatum(IMAGE_SAME_FINE)
	};
	int64		original = 0;
	uint64		rows;

	for (int band = 0; band < BANDS; band++)
		values[4 + band] = band_values(hash->coarse, band);
	rows = sql_run(&sql_hash_near, values, NULL, 0);
	for (uint64 i = 0; i < rows; i++)
	{
		int64		image = DatumGetInt64(returned(i, 1));
		ImageHash	other;
		int			apart;

		if (!hash_read(returned(i, 2), returned(i, 3), returned(i, 4), &other) ||
			!image_hash_same(hash, &other))
			continue;
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

static SqlStatement sql_hash_add = {
	.text =
	"INSERT INTO @.llava_hash (image, coarse, fine, colours, copy)"
	" VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
	.types = "llbbB"
};

static void
store_hash(int64 image, const ImageHash *hash, bool copy)
{
	Datum		values[] = {
		Int64GetDatum(image), Int64GetDatum((int64) hash->coarse), hash_fine_datum(hash),
		hash_colours_datum(hash), BoolGetDatum(copy)
	};

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
	Datum		values[] = {
		Int64GetDatum(image), Int64GetDatum(original), Int32GetDatum(distance)
	};

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
	NullableDatum detail = {
		CStringGetTextDatum(psprintf("%d of 256 bits from image " INT64_FORMAT, distance, original)),
		false
	};

	call_run(call, &sql_hash_park, &detail, 1);
}

/* original is null if the picture is no copy, or is a copy that was released. */
static SqlStatement sql_hash_state = {
	.text =
	"SELECT h.image IS NULL AS is_new,"
	"  CASE WHEN h.copy AND i.same_distance IS NOT NULL THEN i.same_as END AS original,"
	"  i.same_distance FROM @.llava_image i"
	" LEFT JOIN @.llava_hash h ON h.image = i.id WHERE i.id = $1",
	.types = "l"
};

/* Compares one picture, unless that was done before.  Returns true if its row was parked. */
static bool
copies_compare(const Call *call)
{
	const ImageHash *hash = &call->fit.job->prepared.hash;
	Datum		values[] = {Int64GetDatum(call->image)};
	bool		is_new;
	int64		original;
	int			distance;

	if (sql_run(&sql_hash_state, values, NULL, 0) == 0)
		return false;			/* the picture was deleted */
	is_new = DatumGetBool(returned(0, 1));
	original = DatumGetInt64(returned(0, 2));
	distance = DatumGetInt16(returned(0, 3));
	SPI_freetuptable(SPI_tuptable);
	if (is_new)
	{
		original = find_original(hash, &distance);
		store_hash(call->image, hash, original != 0);
		if (original != 0)
			mark_copy(call->image, original, distance);
	}
	if (original != 0)
		park(call, original, distance);
	return original != 0;
}

static void
copies_compare_all(Loop *loop, void *arg)
{
	Look	   *look = arg;

	/*
	 * with the lock, this process sees all hashes that others stored, and
	 * they see its own
	 */
	look->waits = true;
	own_lock_take(OWN_LOCK_LOOK, 0);
	look->waits = false;
	for (int i = 0; i < look->n; i++)
	{
		look->parked[i] = copies_compare(look->calls[i]);
		dispatch_serve(loop);
	}
}

/* Adds up to most calls with this number of failed_looks (CallFit) to the batch. */
static void
copies_gather_failed(Loop *loop, Look *look, int failed_looks, int most)
{
	foreach_call(call, loop, CALL_HASHED)
	{
		if (look->n == most)
			break;
		if (call->fit.failed_looks != failed_looks)
			continue;
		look->parked[look->n] = false;
		look->calls[look->n++] = call;
	}
}

/*
 * Collects a batch: all new calls; if there are none, one call that failed as part of a
 * batch; if there are none, one that failed alone, after the pause.
 */
static void
copies_gather(Loop *loop, Look *look)
{
	look->n = 0;
	copies_gather_failed(loop, look, 0, LOOK_BATCH);
	if (look->n == 0)
		copies_gather_failed(loop, look, 1, 1);
	if (look->n == 0 && GetCurrentTimestamp() >= loop->copies.look_at)
		copies_gather_failed(loop, look, 2, 1);
}

/* Puts a failed batch behind the others, so that a locked row delays only its own call. */
static void
copies_postpone(Loop *loop, Look *look)
{
	for (int i = 0; i < look->n; i++)
	{
		Call	   *call = look->calls[i];

		/* a call that fails alone has the locked row */
		call->fit.failed_looks = look->n > 1 ? 1 : 2;
		call_move(loop, call, CALL_HASHED);
	}
	look->n = 0;
}

/* Sets the time of the next batch: at once, unless all remaining calls failed alone. */
static void
plan_next_look(Loop *loop, bool failed)
{
	if (failed)
		loop->copies.look_at =
			TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_RETRY_MS);
	foreach_call(call, loop, CALL_HASHED)
	{
		if (call->fit.failed_looks < 2)
			loop->copies.look_at = 0;
	}
}

/* Names the process that holds the lock, in the log and in pg_stat_activity. */
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

/* Notes how long this process has been waiting for the lock.  In a transaction. */
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

/* At once, unless all calls in CALL_HASHED failed alone: those wait for the pause. */
TimestampTz
copies_due(Loop *loop)
{
	TimestampTz due = DT_NOEND;

	foreach_call(call, loop, CALL_HASHED)
	{
		if (call->fit.failed_looks < 2)
			return DT_NOBEGIN;
		due = loop->copies.look_at;
	}
	return due;
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

	copies_gather(loop, &look);
	if (look.n == 0)
		return STEP_NOTHING;
	if (!loop_begin(loop, "llava_zh: looking for copies"))
		return STEP_GONE;
	/* a lost commit does no harm: the pictures are compared again */
	tx_commit_as("off");
	look.waits = false;
	done = loop_try(loop, copies_compare_all, &look, &error);
	note_waiting(loop, !done && look.waits);
	if (!done)
	{
		/* on any other error, err towards sending a duplicate */
		bool		repeat = tx_error_passes(error);

		ereport(repeat ? DEBUG1 : LOG,
				(errmsg("llava_zh: look for copies of %d pictures %s: %s", look.n,
						repeat ? "postponed" : "given up", error->message)));
		FreeErrorData(error);
		memset(look.parked, false, sizeof(look.parked));
		if (repeat)
			copies_postpone(loop, &look);
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
