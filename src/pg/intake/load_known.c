/*
 * load_known.c
 *	  Whether a file is the picture that llava_image has under its path.
 *
 * A file of the stored size and time is not read.  Otherwise its sha256 decides.  A row may
 * lack what it could be compared by: 1.0.0 stored no times, a file that was too large was
 * never read, and a row whose picture was taken down says nothing of it, but its tombstone
 * does.
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "intake.h"
#include "load.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#define READ_CHUNK (256 * 1024)

/* What a row says of its picture's bytes. */
typedef struct KnownRow
{
	int64		image;
	bytea	   *sha256;			/* or NULL */
	LoadFacts	facts;
	bool		forgotten;
} KnownRow;

/* ---- the rows ---- */

/* Whether the caller sees a row with the path.  With the caller's search_path. */
static SqlStatement sql_load_is_known = {
	.text =
	"SELECT 1 FROM @.llava_image WHERE path OPERATOR(pg_catalog.=) $1",
	.types = "t"
};

/*
 * With the owner's rights: who reads the file learns no more of its picture than from an
 * INSERT of its bytes.
 */
static SqlStatement sql_load_known = {
	.text =
	"SELECT id, sha256, bytes, file_time, coalesce(rejected = 'forgotten', false)"
	" FROM @.llava_image WHERE path = $1 ORDER BY id",
	.types = "t"
};

static bool
is_known(Datum path)
{
	MemoryContext caller = CurrentMemoryContext;
	bool		known = sql_run(&sql_load_is_known, &path, NULL, 1) > 0;

	SPI_freetuptable(SPI_tuptable);
	MemoryContextSwitchTo(caller);
	return known;
}

static KnownRow
known_row(HeapTuple tuple, TupleDesc desc)
{
	KnownRow	row;
	Datum		value;
	bool		isnull;

	row.image = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
	value = SPI_getbinval(tuple, desc, 2, &isnull);
	row.sha256 = isnull ? NULL : DatumGetByteaPCopy(value);
	value = SPI_getbinval(tuple, desc, 3, &isnull);
	row.facts.size = isnull ? -1 : DatumGetInt64(value);
	value = SPI_getbinval(tuple, desc, 4, &isnull);
	row.facts.time = isnull ? DT_NOBEGIN : DatumGetTimestampTz(value);
	row.forgotten = DatumGetBool(SPI_getbinval(tuple, desc, 5, &isnull));
	return row;
}

/* The rows of the path, *n of them, in the caller's context. */
static KnownRow *
known_rows(Datum path, int *n)
{
	MemoryContext caller = CurrentMemoryContext;
	KnownRow   *rows;

	*n = (int) rows_run_as_owner(extension_relation("llava_image"), &sql_load_known, &path, NULL);
	MemoryContextSwitchTo(caller);
	rows = palloc(sizeof(KnownRow) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
		rows[i] = known_row(SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
	SPI_freetuptable(SPI_tuptable);
	return rows;
}

/* ---- the file ---- */

/* False, with errno set, if it cannot be read. */
static bool
digest_open_file(LoadFiles *in, pg_cryptohash_ctx *context, uint8 *digest)
{
	uint8	   *chunk = palloc(READ_CHUNK);
	bool		done = pg_cryptohash_init(context) >= 0;
	ssize_t		n = READ_CHUNK;

	while (done && n == READ_CHUNK)
	{
		n = load_files_read(in, (char *) chunk, READ_CHUNK);
		if (n < 0)
			return false;
		done = pg_cryptohash_update(context, chunk, n) >= 0;
	}
	if (!done || pg_cryptohash_final(context, digest, PG_SHA256_DIGEST_LENGTH) < 0)
		elog(ERROR, "could not compute a sha256: %s", pg_cryptohash_error(context));
	return true;
}

/* The sha256 of the open file; NULL, with errno set, if it cannot be read. */
static bytea *
digest_of_open_file(LoadFiles *in)
{
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);
	bytea	   *result = NULL;
	int			failure = 0;

	if (context == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	PG_TRY();
	{
		if (digest_open_file(in, context, digest))
			result = rows_bytea(digest, sizeof(digest));
		failure = errno;
	}
	PG_FINALLY();
	{
		pg_cryptohash_free(context);
	}
	PG_END_TRY();
	errno = failure;
	return result;
}

/* ---- the comparison ---- */

static bool
same_facts(const LoadFacts *row, const LoadFacts *file)
{
	return file->time != DT_NOBEGIN && row->time == file->time && row->size == file->size;
}

/* Whether the bytes of a file of this size could be the row's, which is found by reading them. */
static bool
needs_digest(const KnownRow *row, int64 size)
{
	if (row->forgotten)
		return row->sha256 != NULL || size <= (int64) llava_image_max_size * 1024;
	return row->sha256 != NULL && (row->facts.size < 0 || row->facts.size == size);
}

/* digest: the file's sha256; NULL if no row needed it. */
static bool
same_bytes(const KnownRow *row, int64 size, const bytea *digest)
{
	if (needs_digest(row, size) && row->sha256 != NULL)
		return VARSIZE_ANY_EXHDR(row->sha256) == VARSIZE_ANY_EXHDR(digest) &&
			memcmp(VARDATA_ANY(row->sha256), VARDATA_ANY(digest), VARSIZE_ANY_EXHDR(digest)) == 0;
	if (needs_digest(row, size))
		return intake_is_forgotten(PointerGetDatum(digest));
	/* it was too large to be read */
	return row->sha256 == NULL && row->facts.size == size;
}

/* As load_compare, of the open file. */
static LoadVerdict
compare_open_file(Load *load, const KnownRow *rows, int n, const LoadFacts *facts, int64 *image)
{
	bytea	   *digest = NULL;
	bool		needed = false;

	for (int i = 0; i < n; i++)
		needed |= needs_digest(&rows[i], facts->size);
	if (needed && (digest = digest_of_open_file(&load->in)) == NULL)
		return FILE_IS_UNREADABLE;
	for (int i = 0; i < n; i++)
	{
		if (!same_bytes(&rows[i], facts->size, digest))
			continue;
		*image = rows[i].image;
		return rows[i].facts.size < 0 || facts->time == DT_NOBEGIN ? PATH_HAS_FILE :
			PATH_HAS_FILE_UNTIMED;
	}
	return PATH_HAS_OTHER;
}

LoadVerdict
load_compare(Load *load, const char *name, LoadFacts *facts, int64 *image)
{
	Datum		path = CStringGetTextDatum(psprintf("%s%s", load->prefix, name));
	KnownRow   *rows;
	LoadVerdict verdict;
	int			failure;
	int			n;

	if (!is_known(path))
		return PATH_IS_NEW;
	if (!load->compare)
		return PATH_HAS_FILE;
	rows = known_rows(path, &n);
	for (int i = 0; i < n; i++)
		if (same_facts(&rows[i].facts, facts))
			return PATH_HAS_FILE;
	/* the row has gone meanwhile */
	if (n == 0)
		return PATH_IS_NEW;
	*image = rows[0].image;
	if (!load_files_open_file(&load->in, name, facts))
		return FILE_IS_UNREADABLE;
	verdict = compare_open_file(load, rows, n, facts, image);
	failure = errno;
	load_files_close_file(&load->in);
	errno = failure;
	return verdict;
}
