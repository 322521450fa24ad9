/*
 * pictures.c
 *	  Reads the pictures of claimed rows into memory, or notes the files that the preparing
 *	  threads will read.
 *
 * llava_zh.prepare_memory bounds the bytes of all pictures not sent yet.  A claim whose
 * pictures do not all fit gives the other rows back (CallFit.no_room), but reads at least
 * one, so that a picture larger than the limit is sent too.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "loop.h"

/*
 * Bytes of pictures that one claim reads from the table.  No reply is settled meanwhile;
 * from memory they are read at some 2 GB/s, with two copies.
 */
#define READ_AT_ONCE (4 * 1024 * 1024)

/* Larger pictures are read in slices, and sockets are served in between. */
#define SLICE (512 * 1024)

/* Bytes left of llava_zh.prepare_memory. */
static int64
room(Loop *loop)
{
	return (int64) llava_prepare_memory * 1024 - loop->calls.bytes -
		(int64) vlm_pool_bytes(loop->dispatch.pool);
}

int
pictures_at_once(Loop *loop)
{
	int64		left = room(loop);

	/*
	 * with room for few pictures a claim would give most of its rows back:
	 * wait
	 */
	if (loop->calls.held > 0 && left < Min(READ_AT_ONCE, (int64) llava_prepare_memory * 1024 / 8))
		return 0;
	return (int) Max(Min(READ_AT_ONCE, left) / Max(loop->picture_size, 1), 1);
}

/* Gives the call a job with malloc'd memory for a picture of this size.  NULL: no memory. */
static ImageJob *
new_job(Loop *loop, Call *call, int64 size)
{
	ImageJob   *job = calloc(1, sizeof(ImageJob));

	if (job == NULL || (job->data = malloc((size_t) Max(size, 1))) == NULL)
	{
		free(job);
		return NULL;
	}
	job->user = call;
	call->fit.job = job;
	call_set_bytes(loop, call, size);
	return job;
}

/* Copies the picture for the threads.  False if there is no memory. */
static bool
copy_picture(Loop *loop, Call *call, const bytea *bytes)
{
	size_t		size = VARSIZE_ANY_EXHDR(bytes);
	ImageJob   *job = new_job(loop, call, (int64) size);

	if (job == NULL)
		return false;
	memcpy(job->data, VARDATA_ANY(bytes), size);
	job->size = size;
	return true;
}

static SqlStatement sql_image_slice = {
	.text =
	"SELECT pg_catalog.substr(image, $2, $3) FROM @.llava_image WHERE id = $1",
	.types = "lii"
};

/*
 * Reads a large picture slice by slice; the transaction has one snapshot.  Returns false
 * if there is no memory, or if the slices do not add up to the size.
 */
static bool
read_slices(Loop *loop, Call *call, int64 size)
{
	ImageJob   *job = new_job(loop, call, size);	/* freed with the call if
													 * a slice fails */

	if (job == NULL)
		return false;
	while ((int64) job->size < size)
	{
		Datum		values[3] = {
			Int64GetDatum(call->image), Int32GetDatum((int32) job->size + 1), Int32GetDatum(SLICE)
		};
		Datum		slice_datum = (Datum) 0;
		bytea	   *slice;

		if (sql_run(&sql_image_slice, values, NULL, 0) > 0)
			slice_datum = returned(0, 1);
		if (DatumGetPointer(slice_datum) == NULL)
			return false;
		slice = DatumGetByteaPP(slice_datum);
		if (VARSIZE_ANY_EXHDR(slice) == 0 || VARSIZE_ANY_EXHDR(slice) > (size_t) size - job->size)
			return false;
		memcpy(job->data + job->size, VARDATA_ANY(slice), VARSIZE_ANY_EXHDR(slice));
		job->size += VARSIZE_ANY_EXHDR(slice);
		SPI_freetuptable(SPI_tuptable);
		dispatch_serve(loop);
	}
	return true;
}

/* Notes the picture's file, which a thread will read.  False if there is no memory. */
static bool
note_file(Loop *loop, Call *call, HeapTuple row, TupleDesc desc)
{
	bool		isnull;
	char	   *path = SPI_getvalue(row, desc, 7);
	Datum		sha256 = SPI_getbinval(row, desc, 8, &isnull);
	bytea	   *known = isnull ? NULL : DatumGetByteaPP(sha256);
	Datum		bytes = SPI_getbinval(row, desc, 9, &isnull);
	ImageJob   *job;

	/*
	 * a row made by hand may lack size and sha256: treated like one without
	 * bytes
	 */
	if (isnull || known == NULL || VARSIZE_ANY_EXHDR(known) != IMAGE_SHA256_SIZE)
		return true;
	job = calloc(1, sizeof(ImageJob));
	if (job == NULL ||
		(job->file = image_file_new(llava_image_directory, path, (size_t) DatumGetInt64(bytes),
									(const uint8 *) VARDATA_ANY(known))) == NULL)
	{
		free(job);
		return false;
	}
	job->user = call;
	call->fit.job = job;
	call_set_bytes(loop, call, DatumGetInt64(bytes));
	return true;
}

/* Copies width, height and the policy for long images from the picture's row. */
static void
read_facts(Call *call, HeapTuple row, TupleDesc desc)
{
	bool		isnull;

	/* a null reads as 0 */
	call->fit.facts.width = DatumGetInt32(SPI_getbinval(row, desc, 4, &isnull));
	call->fit.facts.height = DatumGetInt32(SPI_getbinval(row, desc, 5, &isnull));
	call->row.long_policy = long_images_of(SPI_getvalue(row, desc, 6));
}

typedef struct RowArgument
{
	HeapTuple	row;
	TupleDesc	desc;
} RowArgument;

/* Gives one picture to each call for it: an image may be claimed for several tasks. */
static void
pictures_read_row(Loop *loop, void *arg)
{
	HeapTuple	row = ((RowArgument *) arg)->row;
	TupleDesc	desc = ((RowArgument *) arg)->desc;
	bool		null;
	bool		in_file;
	int64		image = DatumGetInt64(SPI_getbinval(row, desc, 1, &null));
	Datum		datum = SPI_getbinval(row, desc, 2, &null);
	bytea	   *bytes = null ? NULL : DatumGetByteaPP(datum);
	bool		fits = DatumGetBool(SPI_getbinval(row, desc, 3, &null));
	int64		size = DatumGetInt64(SPI_getbinval(row, desc, 9, &null));

	(void) SPI_getbinval(row, desc, 7, &null);
	in_file = !null;
	/* the running mean, from which the next claim estimates */
	loop->picture_size += (size - loop->picture_size) / 8;
	foreach_call(call, loop, CALL_CLAIMED)
	{
		if (call->image != image)
			continue;
		call->fit.no_room = !fits;
		read_facts(call, row, desc);
		if (fits && in_file)
			call->fit.no_room |= !note_file(loop, call, row, desc);
		else if (bytes != NULL)
			call->fit.no_room |= !copy_picture(loop, call, bytes);
		else if (fits && size > SLICE)
			call->fit.no_room |= !read_slices(loop, call, size);
	}
	if (bytes != NULL && (Pointer) bytes != DatumGetPointer(datum))
		pfree(bytes);
}

/* Marks the calls for a picture that cannot be read as faulty; all others go on. */
static void
note_unreadable(Loop *loop, const RowArgument *argument, const ErrorData *error)
{
	bool		null;
	int64		image = DatumGetInt64(SPI_getbinval(argument->row, argument->desc, 1, &null));

	foreach_call(call, loop, CALL_CLAIMED)
	{
		if (call->image != image)
			continue;
		if (call->fit.job != NULL)
			image_job_free(call->fit.job);
		call->fit.job = NULL;
		call_set_bytes(loop, call, 0);
		call->fit.no_room = false;
		call->end.fault = "unreadable";
		call->end.fault_detail = MemoryContextStrdup(loop->context, error->message);
	}
}

static void
pictures_read_row_carefully(Loop *loop, RowArgument *argument)
{
	ErrorData  *error;

	if (loop_try(loop, pictures_read_row, argument, &error))
		return;
	if (tx_error_passes(error))
		ReThrowError(error);
	note_unreadable(loop, argument, error);
	FreeErrorData(error);
}

/*
 * The pictures $1 in order of id.  fits: within $2 bytes, of which $3 are read from the
 * table; the first always fits.  Pictures of more than $4 bytes are read in slices later.
 * One in a file has no bytes when its path was taken away.
 */
static SqlStatement sql_claim_images = {
	.text =
	"SELECT s.id, CASE WHEN s.fits AND s.bytes <= $4 THEN"
	"   (SELECT i.image FROM @.llava_image i WHERE i.id = s.id) END, s.fits,"
	"  s.width, s.height, s.long_images, s.path, s.sha256, s.bytes FROM ("
	"  SELECT i.id, i.width, i.height, i.long_images,"
	"    CASE WHEN i.in_file THEN i.path END AS path, i.sha256,"
	"    CASE WHEN i.in_file AND i.path IS NOT NULL THEN i.bytes"
	"      ELSE pg_catalog.octet_length(i.image) END AS bytes,"
	"    coalesce(pg_catalog.sum(CASE WHEN i.in_file AND i.path IS NOT NULL THEN i.bytes"
	"      ELSE pg_catalog.octet_length(i.image) END) OVER before, 0) < $2"
	"    AND (i.in_file OR coalesce(pg_catalog.sum(pg_catalog.octet_length(i.image))"
	"      OVER before, 0) < $3) AS fits"
	"  FROM @.llava_image i WHERE i.id = ANY ($1)"
	"  WINDOW before AS (ORDER BY i.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) s",
	.types = "Llll"
};

void
pictures_read(Loop *loop)
{
	Datum	   *ids = palloc(sizeof(Datum) * Max(loop->calls.held, 1));
	Datum		values[4];
	int			n = 0;
	uint64		rows;
	SPITupleTable *table;

	foreach_call(call, loop, CALL_CLAIMED)
	{
		ids[n++] = Int64GetDatum(call->image);
	}
	values[0] = loop_bigints(ids, n);
	values[1] = Int64GetDatum(Max(room(loop), 1));
	values[2] = Int64GetDatum(READ_AT_ONCE);
	values[3] = Int64GetDatum(SLICE);
	rows = sql_run(&sql_claim_images, values, NULL, 0);
	table = SPI_tuptable;
	for (uint64 i = 0; i < rows; i++)
	{
		RowArgument argument = {table->vals[i], table->tupdesc};

		if (loop->claims.careful)
			pictures_read_row_carefully(loop, &argument);
		else
			pictures_read_row(loop, &argument);
		dispatch_serve(loop);
	}
}
