/*
 * shards.c
 *	  llava_write_shards: an export as tar files that WebDataset's readers take: each
 *	  sample's picture and line side by side, under one key.
 *
 * Shards that an earlier call with the same arguments has left are kept as long as they
 * are of the same samples; all passes over the samples of one call see one snapshot.  The
 * files are all there, or none has its final name.  Memory holds one sample at a time.
 * The result's rows are what llava_export_shards records: samples, shards, and the whole.
 */
#include "postgres.h"

#include <sys/stat.h>

#include "funcapi.h"
#include "miscadmin.h"
#include "picture/picture.h"
#include "process/process.h"
#include "shards.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

PG_FUNCTION_INFO_V1(llava_write_shards);

#define FETCH_ROWS 32

enum
{
	ARG_DIRECTORY,
	ARG_SETTINGS,				/* of the manifest; they tell exports apart */
	ARG_PREPARED,
	ARG_SHARD_BYTES,
	ARG_SHARD_ROWS,
	ARG_CHOICE,					/* and those after it, of llava_exported */
	ARG_SPLIT = ARG_CHOICE + 4,
	ARGS = ARG_CHOICE + 10
};

/* Arguments of sql_shard_samples */
enum
{
	SAMPLES_PREPARED = ARGS - ARG_CHOICE,
	SAMPLES_ARGUMENTS
};

/* ---- the samples ---- */

static SqlStatement sql_shard_samples = {
	.text =
	"SELECT (e.sample).line, (e.sample).image, (e.sample).task, (e.sample).file_name,"
	"  (e.sample).sha256"
	" FROM (SELECT @.llava_exported($1, $2, $3, $4, $5, $6, $7, CASE WHEN $11 THEN 'sample.jpg'"
	"   ELSE 'sample' END, NULL::text, $8, false, $9, $10) AS sample OFFSET 0) e",
	.types = "tTTBtdtlijB"
};

static void
sample_of_row(HeapTuple row, TupleDesc desc, ShardSample * sample)
{
	bool		is_null;
	text	   *line = DatumGetTextPP(SPI_getbinval(row, desc, 1, &is_null));
	Datum		sha256;

	sample->line_bytes = VARSIZE_ANY_EXHDR(line) + 1;
	sample->line = palloc(sample->line_bytes);
	memcpy(sample->line, VARDATA_ANY(line), sample->line_bytes - 1);
	sample->line[sample->line_bytes - 1] = '\n';
	sample->image = DatumGetInt64(SPI_getbinval(row, desc, 2, &is_null));
	sample->task = SPI_getbinval(row, desc, 3, &is_null);
	sample->name = TextDatumGetCString(SPI_getbinval(row, desc, 4, &is_null));
	sha256 = SPI_getbinval(row, desc, 5, &is_null);
	sample->sha256 = is_null ? NULL : DatumGetByteaPP(sha256);
}

typedef bool (*TakeSample) (ShardExport * export, const ShardSample * sample);

/* One sample, in the memory of one; false: no more are wanted. */
static bool
take_row(ShardExport * export, TakeSample take, HeapTuple row, TupleDesc desc, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	ShardSample sample;
	bool		go_on;

	CHECK_FOR_INTERRUPTS();
	sample_of_row(row, desc, &sample);
	SPI_connect();
	go_on = take(export, &sample);
	SPI_finish();
	MemoryContextSwitchTo(old);
	MemoryContextReset(context);
	return go_on;
}

/* All samples in the order of the export, or as many as are wanted. */
static void
take_samples(ShardExport * export, TakeSample take)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "llava_write_shards sample",
												  ALLOCSET_DEFAULT_SIZES);
	Portal		cursor = sql_open(&sql_shard_samples, export->arguments, export->nulls);
	bool		go_on = true;

	while (go_on)
	{
		SPITupleTable *rows;

		SPI_cursor_fetch(cursor, true, FETCH_ROWS);
		rows = SPI_tuptable;
		if (SPI_processed == 0)
			break;
		for (uint64 i = 0; i < rows->numvals && go_on; i++)
			go_on = take_row(export, take, rows->vals[i], rows->tupdesc, context);
		SPI_freetuptable(rows);
	}
	SPI_cursor_close(cursor);
	MemoryContextDelete(context);
}

/* Keeps what is needed of the first sample behind the shards that can stay; NULL: none. */
static void
remember_behind(ShardExport * export, const ShardSample * sample)
{
	if (export->behind.name != NULL)
		pfree(export->behind.name);
	export->behind.name = NULL;
	if (sample == NULL)
		return;
	export->behind.name = MemoryContextStrdup(export->notes.context, sample->name);
	export->behind.image = sample->image;
	export->behind.line_bytes = sample->line_bytes;
}

/* Counts the shards that are there and can stay. */
static bool
look_at_sample(ShardExport * export, const ShardSample * sample)
{
	if (!export->is_begun)
		remember_behind(export, sample);
	if (export->shard == export->notes.n || !shards_pass_sample(export, sample, false))
		return false;
	if (export->is_begun)
		return true;
	if (!notes_file_is_whole(&export->notes, export->kept))
	{
		if (export->notes.ended)
			notes_refuse(&export->notes, "shards that are not as they were written",
						 psprintf("Shard %d is gone or has changed.", export->kept));
		return false;
	}
	export->kept++;
	remember_behind(export, NULL);
	return true;
}

static bool
take_sample(ShardExport * export, const ShardSample * sample)
{
	if (export->shard >= export->kept)
		shards_write_sample(export, sample);
	else if (!shards_pass_sample(export, sample, true))
		elog(ERROR, "samples of shard %d differ within a snapshot", export->shard);
	work_done(export->work, export->total.rows + export->total.missing);
	return true;
}

/* Whether the last shard that could stay would have further samples if it were written now. */
static bool
last_kept_would_grow(ShardExport * export)
{
	bool		grows;

	if (export->kept == 0 || export->notes.ended || export->behind.name == NULL)
		return false;
	SPI_connect();
	grows = shards_has_room_behind(export);
	SPI_finish();
	return grows;
}

/* Keeps what an earlier call has left and is still right. */
static void
keep_shards(ShardExport * export)
{
	unsigned char unused[EXPORT_DIGEST];

	if (export->notes.n == 0)
		return;
	take_samples(export, look_at_sample);
	if (last_kept_would_grow(export))
		export->kept--;
	export->shard = export->kept;
	if (export->kept < export->notes.n && export->notes.ended)
		shards_refuse_other_samples(export);
	notes_truncate(&export->notes, export->kept);
	export_digest_end(export->content, unused);
	export->is_begun = false;
	export->shard = 0;
}

static void
export_shards(ShardExport * export)
{
	export->content = export_digest_new(CurrentMemoryContext);
	export->digest = export_digest_new(CurrentMemoryContext);
	export->total.lines = export_digest_new(CurrentMemoryContext);
	export->work = work_begin(CurrentMemoryContext, "llava_export_shards", "samples", -1);
	keep_shards(export);
	take_samples(export, take_sample);
	if (export->is_begun)
		shards_end_shard(export);
	notes_finish(&export->notes);
	shards_put_shards(export);
	shards_put_whole(export);
	work_end(export->work);
}

/* ---- the call ---- */

static void
shards_check_call(FunctionCallInfo fcinfo)
{
	folder_check_role();
	if (PG_ARGISNULL(ARG_DIRECTORY) || PG_ARGISNULL(ARG_SETTINGS))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("directory is NULL"),
				 errhint("SELECT * FROM llava_export_shards('/data/export');")));
	if (PG_ARGISNULL(ARG_SHARD_BYTES) || PG_GETARG_INT64(ARG_SHARD_BYTES) <= 0 ||
		(!PG_ARGISNULL(ARG_SHARD_ROWS) && PG_GETARG_INT64(ARG_SHARD_ROWS) <= 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("shard_bytes and shard_rows must be positive"),
				 errhint("A shard ends before it would have more of either; it has a sample at least.")));
}

/* The side of the split, which names begin with; NULL: there is no split. */
static char *
split_argument(FunctionCallInfo fcinfo)
{
	char	   *split = PG_ARGISNULL(ARG_SPLIT) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(ARG_SPLIT));

	if (split != NULL && strcmp(split, "train") != 0 && strcmp(split, "validation") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid split \"%s\"", split),
				 errhint("It is 'train' or 'validation'.")));
	return split;
}

static void
shards_arguments(FunctionCallInfo fcinfo, ShardExport * export)
{
	export->arguments = palloc(SAMPLES_ARGUMENTS * sizeof(Datum));
	export->nulls = palloc(SAMPLES_ARGUMENTS);
	export->prepared = !PG_ARGISNULL(ARG_PREPARED) && PG_GETARG_BOOL(ARG_PREPARED);
	export->shard_bytes = PG_GETARG_INT64(ARG_SHARD_BYTES);
	export->shard_rows = PG_ARGISNULL(ARG_SHARD_ROWS) ? 0 : PG_GETARG_INT64(ARG_SHARD_ROWS);
	for (int i = 0; i < SAMPLES_PREPARED; i++)
	{
		export->arguments[i] = PG_GETARG_DATUM(ARG_CHOICE + i);
		export->nulls[i] = PG_ARGISNULL(ARG_CHOICE + i) ? 'n' : ' ';
	}
	export->arguments[SAMPLES_PREPARED] = BoolGetDatum(export->prepared);
	export->nulls[SAMPLES_PREPARED] = ' ';
}

/* Pictures that are prepared come out otherwise where these settings are others. */
static char *
preparation(void)
{
	ImageFit	fit;

	config_image_fit(&fit);
	return psprintf("image_quality %d, image_full_chroma %s", fit.quality,
					fit.full_chroma ? "on" : "off");
}

static void
warn_of_pictures(const ShardExport * export)
{
	if (export->total.missing > 0)
		ereport(WARNING,
				(errmsg_plural("%lld sample was left out of the shards",
							   "%lld samples were left out of the shards",
							   (unsigned long) export->total.missing, (long long) export->total.missing),
				 errdetail("The bytes of their pictures are gone, or cannot be decoded.")));
	if (export->total.extensions_differ)
		ereport(NOTICE,
				(errmsg("the pictures in the shards are of several formats"),
				 errdetail("Hugging Face's loader takes the columns of a data set from its first samples."),
				 errhint("With prepared => true all are JPEG.")));
}

/*
 * llava_write_shards(directory text, settings jsonb, prepared boolean, shard_bytes bigint,
 * shard_rows bigint, and llava_exported's choice of samples): see the columns above.
 */
Datum
llava_write_shards(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	ShardExport export = {0};
	char	   *settings;
	mode_t		mask;

	shards_check_call(fcinfo);
	InitMaterializedSRF(fcinfo, 0);
	export.result = (ReturnSetInfo *) fcinfo->resultinfo;
	shards_arguments(fcinfo, &export);
	settings = DatumGetCString(DirectFunctionCall1(jsonb_out, PG_GETARG_DATUM(ARG_SETTINGS)));
	/* as COPY TO a file */
	mask = umask(S_IWGRP | S_IWOTH);
	PG_TRY();
	{
		char	   *split = split_argument(fcinfo);

		folder_open(&export.folder, text_to_cstring(PG_GETARG_TEXT_PP(ARG_DIRECTORY)));
		notes_open(&export.notes, &export.folder, split, settings, preparation());
		SPI_connect();
		export_shards(&export);
		SPI_finish();
	}
	PG_FINALLY();
	{
		umask(mask);
		shard_close(&export.file);
		notes_close(&export.notes);
		folder_close(&export.folder);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	warn_of_pictures(&export);
	return (Datum) 0;
}
