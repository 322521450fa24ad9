/*
 * shards_write.c
 *	  A sample of an export into its shard, and what is told of it.
 *
 * A shard is begun with its first picture.  Samples whose pictures are missing belong to
 * the shard before the next picture, so that another call comes to the same.
 */
#include "postgres.h"

#include "picture/picture.h"
#include "shards.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

/* Columns of the result */
enum
{
	RESULT_LINE,				/* a sample's number; of a shard its first;
								 * NULL: the whole */
	RESULT_IMAGE,				/* NULL: a shard */
	RESULT_TASK,
	RESULT_FILE_NAME,
	RESULT_IMAGE_SHA256,
	RESULT_SHA256,				/* of the line; of the shard; of all lines */
	RESULT_FILE,
	RESULT_ROWS,
	RESULT_BYTES,
	RESULT_WRITTEN,				/* by this call */
	RESULT_MISSING,
	RESULT_COLUMNS
};

/* ---- the result ---- */

static Datum
digest_datum(const unsigned char *digest)
{
	bytea	   *value = palloc(VARHDRSZ + EXPORT_DIGEST);

	SET_VARSIZE(value, VARHDRSZ + EXPORT_DIGEST);
	memcpy(VARDATA(value), digest, EXPORT_DIGEST);
	return PointerGetDatum(value);
}

static void
put_row(ShardExport * export, Datum *values, bool *nulls)
{
	tuplestore_putvalues(export->result->setResult, export->result->setDesc, values, nulls);
}

/* A sample that is in a shard: one line of the export. */
static void
put_sample(ShardExport * export, const ShardSample * sample)
{
	Datum		values[RESULT_COLUMNS] = {0};
	bool		nulls[RESULT_COLUMNS];
	unsigned char sha256[EXPORT_DIGEST];
	const char *extension = strrchr(sample->name, '.');

	image_sha256((const uint8_t *) sample->line, sample->line_bytes, sha256);
	export_digest_add(export->total.lines, sample->line, sample->line_bytes);
	export->total.line_bytes += (int64) sample->line_bytes;
	memset(nulls, true, sizeof(nulls));
	values[RESULT_LINE] = Int64GetDatum(++export->total.rows);
	values[RESULT_IMAGE] = Int64GetDatum(sample->image);
	values[RESULT_TASK] = sample->task;
	values[RESULT_FILE_NAME] = CStringGetTextDatum(sample->name);
	values[RESULT_IMAGE_SHA256] = PointerGetDatum(sample->sha256);
	values[RESULT_SHA256] = digest_datum(sha256);
	memset(nulls, false, RESULT_FILE * sizeof(bool));
	nulls[RESULT_IMAGE_SHA256] = sample->sha256 == NULL;
	put_row(export, values, nulls);
	if (extension == NULL)
		return;
	if (export->total.extension == NULL)
		export->total.extension = MemoryContextStrdup(export->notes.context, extension);
	export->total.extensions_differ |= strcmp(export->total.extension, extension) != 0;
}

void
shards_put_shards(ShardExport * export)
{
	int64		first = 1;

	for (int i = 0; i < export->notes.n; i++)
	{
		const		ShardNote *note = &export->notes.notes[i];
		Datum		values[RESULT_COLUMNS] = {0};
		bool		nulls[RESULT_COLUMNS];

		memset(nulls, true, sizeof(nulls));
		values[RESULT_LINE] = Int64GetDatum(first);
		values[RESULT_SHA256] = digest_datum(note->sha256);
		values[RESULT_FILE] = CStringGetTextDatum(notes_final_name(&export->notes, i));
		values[RESULT_ROWS] = Int64GetDatum(note->rows);
		values[RESULT_BYTES] = Int64GetDatum(note->bytes);
		values[RESULT_WRITTEN] = BoolGetDatum(i >= export->kept);
		memset(nulls + RESULT_SHA256, false, (RESULT_MISSING - RESULT_SHA256) * sizeof(bool));
		nulls[RESULT_LINE] = false;
		put_row(export, values, nulls);
		first += note->rows;
	}
}

void
shards_put_whole(ShardExport * export)
{
	Datum		values[RESULT_COLUMNS] = {0};
	bool		nulls[RESULT_COLUMNS];
	unsigned char sha256[EXPORT_DIGEST];

	memset(nulls, true, sizeof(nulls));
	export_digest_end(export->total.lines, sha256);
	values[RESULT_SHA256] = digest_datum(sha256);
	values[RESULT_FILE] = CStringGetTextDatum(psprintf("%s-*-of-%05d.tar", export->notes.prefix,
													   export->notes.n));
	values[RESULT_ROWS] = Int64GetDatum(export->total.rows);
	values[RESULT_BYTES] = Int64GetDatum(export->total.line_bytes);
	values[RESULT_MISSING] = Int64GetDatum(export->total.missing);
	nulls[RESULT_SHA256] = nulls[RESULT_FILE] = nulls[RESULT_ROWS] = nulls[RESULT_BYTES] = false;
	nulls[RESULT_MISSING] = false;
	put_row(export, values, nulls);
}

/* ---- a shard ---- */

/* What tells the sample from what it was: pictures are known by their digests. */
static void
add_content(ShardExport * export, const ShardSample * sample)
{
	export_digest_add(export->content, sample->line, sample->line_bytes);
	if (sample->sha256 != NULL)
		export_digest_add(export->content, VARDATA_ANY(sample->sha256),
						  VARSIZE_ANY_EXHDR(sample->sha256));
}

static void
begin_shard(ShardExport * export)
{
	memset(&export->note, 0, sizeof(ShardNote));
	export->missing_seen = 0;
	export->is_begun = true;
}

void
shards_end_shard(ShardExport * export)
{
	char	   *name = notes_unfinished_name(&export->notes, export->shard);

	export_digest_end(export->content, export->note.content);
	export->is_begun = false;
	if (export->file.archive == NULL)
		return;
	shard_end(&export->file, name, export->note.sha256);
	export->note.bytes = export->file.bytes;
	notes_add(&export->notes, &export->note);
	export->shard++;
}

/*
 * The picture's bytes as they are to leave; NULL: they are gone, or cannot be decoded.  They
 * belong to the SPI connection.
 */
static SqlStatement sql_shard_picture = {
	.text =
	"SELECT CASE WHEN in_file THEN @.llava_image_bytes(id) ELSE image END, format,"
	"  complete IS FALSE FROM @.llava_image WHERE id OPERATOR(pg_catalog.=) $1",
	.types = "l"
};

static bytea *
shard_picture(const ShardExport * export, int64 image)
{
	Datum		id = Int64GetDatum(image);
	bool		is_gone = true;
	bool		no_format;
	bool		is_null;
	Datum		bytes;
	Datum		format;
	bytea	   *picture;

	if (sql_run(&sql_shard_picture, &id, NULL, 1) == 0)
		return NULL;
	bytes = sql_value(1, &is_gone);
	format = sql_value(2, &no_format);
	if (is_gone)
		return NULL;
	picture = DatumGetByteaPP(bytes);
	if (export->prepared || export_is_prepared(no_format ? NULL : TextDatumGetCString(format),
											   DatumGetBool(sql_value(3, &is_null))))
		picture = export_prepared_bytes(picture);
	return picture;
}

/* ---- a sample ---- */

void
shards_refuse_other_samples(const ShardExport * export)
{
	notes_refuse(&export->notes, "the shards of an export with the same arguments and other samples",
				 psprintf("Shard %d would be another one now.", export->shard));
}

static char *
name_of_line(const ShardSample * sample)
{
	return psprintf("%.*s.json", (int) strcspn(sample->name, "."), sample->name);
}

/* Bytes that the sample takes in a shard. */
static int64
pair_bytes(const ShardSample * sample, const bytea *picture)
{
	return shard_member_bytes(sample->name, VARSIZE_ANY_EXHDR(picture)) +
		shard_member_bytes(name_of_line(sample), sample->line_bytes);
}

/* Whether a shard that has so many rows, whose members take so many bytes, has room for more. */
static bool
has_room(const ShardExport * export, int64 rows, int64 members, int64 bytes)
{
	return members + bytes + SHARD_END_BYTES <= export->shard_bytes && rows != export->shard_rows;
}

bool
shards_has_room_behind(const ShardExport * export)
{
	const		ShardNote *last = &export->notes.notes[export->kept - 1];
	bytea	   *picture = shard_picture(export, export->behind.image);

	return picture != NULL &&
		has_room(export, last->rows, last->bytes - SHARD_END_BYTES, pair_bytes(&export->behind, picture));
}

static void
write_pair(ShardExport * export, const ShardSample * sample, const bytea *picture)
{
	int64		bytes = pair_bytes(sample, picture);

	if (export->notes.ended)
		shards_refuse_other_samples(export);
	if (export->is_begun && export->note.rows > 0 &&
		!has_room(export, export->note.rows, export->note.bytes, bytes))
		shards_end_shard(export);
	if (!export->is_begun)
		begin_shard(export);
	if (export->file.archive == NULL)
	{
		char	   *name = notes_unfinished_name(&export->notes, export->shard);

		shard_begin(&export->file, &export->folder,
					MemoryContextStrdup(export->notes.context, name), export->digest);
	}
	shard_add(&export->file, sample->name, VARDATA_ANY(picture), VARSIZE_ANY_EXHDR(picture));
	shard_add(&export->file, name_of_line(sample), sample->line, sample->line_bytes);
	/* until its end: the bytes of its members */
	export->note.bytes += bytes;
	export->note.rows++;
	put_sample(export, sample);
}

void
shards_write_sample(ShardExport * export, const ShardSample * sample)
{
	bytea	   *picture = shard_picture(export, sample->image);

	if (picture != NULL)
		write_pair(export, sample, picture);
	else
	{
		MemoryContext old = MemoryContextSwitchTo(export->notes.context);

		/* nothing is to come behind the last shard but what is missing, too */
		if (!export->is_begun)
			begin_shard(export);
		note_missing(&export->note, export->note.taken);
		export->total.missing++;
		MemoryContextSwitchTo(old);
	}
	export->note.taken++;
	add_content(export, sample);
}

bool
shards_pass_sample(ShardExport * export, const ShardSample * sample, bool put)
{
	const		ShardNote *kept = &export->notes.notes[export->shard];
	unsigned char content[EXPORT_DIGEST];
	bool		is_missing;

	if (!export->is_begun)
		begin_shard(export);
	is_missing = export->missing_seen < kept->n_missing &&
		kept->missing[export->missing_seen] == export->note.taken;

	export->missing_seen += is_missing ? 1 : 0;
	export->total.missing += put && is_missing ? 1 : 0;
	if (put && !is_missing)
		put_sample(export, sample);
	add_content(export, sample);
	if (++export->note.taken < kept->taken)
		return true;
	export_digest_end(export->content, content);
	if (memcmp(content, kept->content, EXPORT_DIGEST) != 0)
		return false;
	export->is_begun = false;
	export->shard++;
	return true;
}
