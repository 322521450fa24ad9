/*
 * export_choice.c
 *	  Which samples an export has, in which order: a cursor over them from the
 *	  arguments.
 *
 * A split and a mix are chosen by the bytes of the images alone, so that a sample stays on
 * its side when others are added, and an image's samples stay together.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "export.h"
#include "task/task.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"

PG_FUNCTION_INFO_V1(llava_export_rules);

/* ROWS: the column of llava_image, which 1.0.0 does not have */
#define ROWS_NOW "i.rows"
#define ROWS_1_0 "NULL::pg_catalog.int4"

#define SAMPLE_COLUMNS(COLUMN, ROWS) \
	COLUMN(COLUMN_TASK, "c.task") \
	COLUMN(COLUMN_CONVERSATION, "c.conversation") \
	COLUMN(COLUMN_PATH, "i.path") \
	COLUMN(COLUMN_SHA256, "i.sha256") \
	COLUMN(COLUMN_FORMAT, "i.format") \
	COLUMN(COLUMN_REJECTED, "i.rejected") \
	COLUMN(COLUMN_WIDTH, "i.width") \
	COLUMN(COLUMN_HEIGHT, "i.height") \
	COLUMN(COLUMN_CHANNELS, "i.channels::integer") \
	COLUMN(COLUMN_COMPLETE, "i.complete") \
	COLUMN(COLUMN_ROWS, ROWS) \
	COLUMN(COLUMN_PICTURE, "CASE WHEN $6 THEN i.image END") \
	COLUMN(COLUMN_READ_FILE, "$6 AND i.in_file")

/* Columns of the statements */
enum
{
	COLUMN_IMAGE,
	SAMPLE_COLUMNS(SQL_RESULT_INDEX, ROWS_NOW)
};

/* Arguments of llava_export and llava_selected */
enum
{
	ARG_FORMAT,
	ARG_TASKS,
	ARG_WITHOUT_FLAGS,
	ARG_MIX,
	ARG_SPLIT,
	ARG_VALIDATION,
	ARG_IMAGE_TOKEN,
	ARG_IMAGE_NAME,
	ARG_FOLDER,
	ARG_SEED,
	ARG_DATA_URLS,
	ARG_CUTOFF_LEN,
	ARG_WEIGHTS,				/* since 1.1.0 */
	ARG_RULES,					/* of llava_exported_by only */
	ARG_TWICE
};

/*
 * Arguments of the statements.  CHOICE_VALIDATION says which side of the split, NULL for
 * both; CHOICE_SHARE is the validation set's.
 */
#define CHOICE_ARGUMENTS(ARGUMENT) \
	ARGUMENT(1, CHOICE_TASKS, "tasks", "T") \
	ARGUMENT(2, CHOICE_WITHOUT_FLAGS, "without_flags", "T") \
	ARGUMENT(3, CHOICE_VALIDATION, "validation", "B") \
	ARGUMENT(4, CHOICE_SHARE, "share", "d") \
	ARGUMENT(5, CHOICE_SEED, "seed", "l") \
	ARGUMENT(6, CHOICE_PICTURE, "picture", "B")

/* The mix has these as well. */
#define MIX_ARGUMENTS(ARGUMENT) \
	ARGUMENT(7, CHOICE_FORMAT, "format", "t") \
	ARGUMENT(8, CHOICE_IMAGE_NAME, "image_name", "t") \
	ARGUMENT(9, CHOICE_CUTOFF_LEN, "cutoff_len", "i")

/*
 * And these, unless the schema is that of 1.0.0.  CHOICE_NAMED are the tasks of the export's
 * own weights, CHOICE_WEIGHTS those weights; NULL: the weights are llava_task's.
 */
#define WEIGHT_ARGUMENTS(ARGUMENT) \
	ARGUMENT(10, CHOICE_NAMED, "named", "T") \
	ARGUMENT(11, CHOICE_WEIGHTS, "weights", "T") \
	ARGUMENT(12, CHOICE_RULES, "rules", "i") \
	ARGUMENT(13, CHOICE_TWICE, "twice", "B")

enum
{
	CHOICE_ARGUMENTS(SQL_INDEX)
	MIX_ARGUMENTS(SQL_INDEX)
	WEIGHT_ARGUMENTS(SQL_INDEX)
	CHOICES
};

/* ---- one sample ---- */

/* NULL if the column is NULL. */
static char *
row_text(const TupleTableSlot *row, int column)
{
	return row->tts_isnull[column] ? NULL : TextDatumGetCString(row->tts_values[column]);
}

/* 0 if the column is NULL. */
static int
row_int(const TupleTableSlot *row, int column)
{
	return row->tts_isnull[column] ? 0 : DatumGetInt32(row->tts_values[column]);
}

static bool
row_bool(const TupleTableSlot *row, int column)
{
	return !row->tts_isnull[column] && DatumGetBool(row->tts_values[column]);
}

void
export_sample(TupleTableSlot *row, ExportSample *sample)
{
	slot_getallattrs(row);
	memset(sample, 0, sizeof(*sample));
	sample->image = DatumGetInt64(row->tts_values[COLUMN_IMAGE]);
	sample->task = row_text(row, COLUMN_TASK);
	sample->conversation = DatumGetJsonbP(row->tts_values[COLUMN_CONVERSATION]);
	sample->path = row_text(row, COLUMN_PATH);
	if (!row->tts_isnull[COLUMN_SHA256])
		sample->sha256 = DatumGetByteaPP(row->tts_values[COLUMN_SHA256]);
	sample->image_format = row_text(row, COLUMN_FORMAT);
	sample->rejected = row_text(row, COLUMN_REJECTED);
	sample->width = row_int(row, COLUMN_WIDTH);
	sample->height = row_int(row, COLUMN_HEIGHT);
	sample->channels = row_int(row, COLUMN_CHANNELS);
	sample->ends_early = !row->tts_isnull[COLUMN_COMPLETE] && !row_bool(row, COLUMN_COMPLETE);
	/* 1.0.0 noted no rows, and took no file that ends early but to cut it */
	sample->cut = sample->ends_early && row_int(row, COLUMN_ROWS) != sample->height;

	/*
	 * not a part of the row: an export without pictures needs no right to
	 * read files
	 */
	if (row_bool(row, COLUMN_READ_FILE))
		sample->picture = export_image_bytes(sample->image);
	else if (!row->tts_isnull[COLUMN_PICTURE])
		sample->picture = (struct varlena *) DatumGetPointer(row->tts_values[COLUMN_PICTURE]);
}

static char *
choice_argument_text(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i));
}

/* Whether the argument says 'second' rather than 'first'. */
static bool
argument_choice(FunctionCallInfo fcinfo, int i, const char *what, const char *first,
				const char *second)
{
	char	   *said = choice_argument_text(fcinfo, i);

	if (said != NULL && strcmp(said, first) == 0)
		return false;
	if (said != NULL && strcmp(said, second) == 0)
		return true;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid %s \"%s\"", what, said == NULL ? "NULL" : said),
			 errhint("It is '%s' or '%s'.", first, second)));
}

/* ---- the arguments ---- */

static ExportFormat
format_argument(FunctionCallInfo fcinfo)
{
	char	   *name = choice_argument_text(fcinfo, ARG_FORMAT);
	ExportFormat format = name == NULL ? EXPORT_FORMATS : export_format(name);

	if (format == EXPORT_FORMATS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown export format \"%s\"", name == NULL ? "NULL" : name),
				 errhint("The formats are %s.", export_format_names())));
	return format;
}

/*
 * The rules by which samples are left out: those that the caller names, else the current
 * ones; those of 1.0.0 under its schema, since its llava_record_export does not record
 * them.
 */
static int
rules_argument(FunctionCallInfo fcinfo)
{
	if (PG_NARGS() > ARG_RULES && !PG_ARGISNULL(ARG_RULES))
		return PG_GETARG_INT32(ARG_RULES);
	return extension_older_version() == NULL ? REPLY_TOKEN_RULES : REPLY_TOKEN_RULES_1_0;
}

static void
shape_arguments(FunctionCallInfo fcinfo, ExportShape *shape)
{
	shape->format = format_argument(fcinfo);
	shape->image_last = argument_choice(fcinfo, ARG_IMAGE_TOKEN, "place of the image token",
										"first", "last");
	export_image_name(choice_argument_text(fcinfo, ARG_IMAGE_NAME), shape);
	shape->folder = export_folder(choice_argument_text(fcinfo, ARG_FOLDER));
	if (shape->folder != NULL && shape->format == EXPORT_IMAGEFOLDER)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("format \"imagefolder\" takes no folder"),
				 errhint("Its metadata.jsonl lies beside the images.")));
	shape->rules = rules_argument(fcinfo);
	shape->data_urls = !PG_ARGISNULL(ARG_DATA_URLS) && PG_GETARG_BOOL(ARG_DATA_URLS);
	if (shape->data_urls && shape->format != EXPORT_OPENAI)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("data URLs are only available in format \"openai\"")));
	shape->cutoff_len = PG_ARGISNULL(ARG_CUTOFF_LEN) ? 0 : PG_GETARG_INT32(ARG_CUTOFF_LEN);
	if (shape->cutoff_len < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cutoff_len must not be negative"),
				 errhint("With 0 lengths are not checked.")));
}

/* Names as they are stored, for names or aliases. */
static Datum
task_names(ArrayType *named)
{
	Datum	   *names;
	bool	   *nulls;
	int			n;

	deconstruct_array(named, TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("a task to export is NULL")));
		names[i] = CStringGetTextDatum(task_find(TextDatumGetCString(names[i]))->name);
	}
	return PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
}

static void
split_arguments(FunctionCallInfo fcinfo, Datum *values, char *nulls)
{
	double		share = PG_ARGISNULL(ARG_VALIDATION) ? -1 : PG_GETARG_FLOAT8(ARG_VALIDATION);

	if (PG_ARGISNULL(ARG_SPLIT))
		return;
	if (!(share > 0 && share < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the share of the validation set must be between 0 and 1")));
	nulls[CHOICE_VALIDATION] = nulls[CHOICE_SHARE] = ' ';
	values[CHOICE_VALIDATION] = BoolGetDatum(argument_choice(fcinfo, ARG_SPLIT, "split", "train",
															 "validation"));
	values[CHOICE_SHARE] = Float8GetDatum(share);
}

/* These run with the caller's search_path and rights. */
#define EXPORT_TABLES \
	"@.llava_conversation c LEFT JOIN @.llava_image i ON i.id OPERATOR(pg_catalog.=) c.image"
#define EXPORT_SAMPLES(ROWS) \
	"SELECT c.image" SAMPLE_COLUMNS(SQL_RESULT, ROWS) " FROM " EXPORT_TABLES
#define EXPORT_CHOSEN \
	"c.keep IS NOT FALSE AND ($1 IS NULL OR c.task OPERATOR(pg_catalog.=) ANY ($1))" \
	" AND ($2 IS NULL OR NOT c.flags OPERATOR(pg_catalog.&&) $2)" \
	" AND ($3 IS NULL OR (@.llava_image_share(c.image, i.sha256, 0::bigint)" \
	"   OPERATOR(pg_catalog.<) $4) OPERATOR(pg_catalog.=) $3)"
#define EXPORT_ORDER "@.llava_image_share(c.image, i.sha256, $5), c.image, c.task COLLATE pg_catalog.\"C\""

#define EXPORT_IN_ORDER(ROWS) \
	EXPORT_SAMPLES(ROWS) " WHERE " EXPORT_CHOSEN \
	" ORDER BY c.image, c.task COLLATE pg_catalog.\"C\""

/* Sorted without the conversations, which are looked up one by one. */
#define EXPORT_SHUFFLED(ROWS) \
	"SELECT s.* FROM (SELECT c.image, c.task FROM " EXPORT_TABLES \
	"  WHERE " EXPORT_CHOSEN " ORDER BY " EXPORT_ORDER " OFFSET 0) o, " \
	"LATERAL (" EXPORT_SAMPLES(ROWS) " WHERE c.image OPERATOR(pg_catalog.=) o.image" \
	"  AND c.task OPERATOR(pg_catalog.=) o.task OFFSET 0) s"

static SqlStatement sql_export = {
	.text =
	EXPORT_IN_ORDER(ROWS_NOW),
	.types = CHOICE_ARGUMENTS(SQL_TYPE)
};

static SqlStatement sql_export_shuffled = {
	.text =
	EXPORT_SHUFFLED(ROWS_NOW),
	.types = CHOICE_ARGUMENTS(SQL_TYPE)
};

/* Under the schema of 1.0.0, until it is updated. */
static SqlStatement sql_export_1_0 = {
	.text =
	EXPORT_IN_ORDER(ROWS_1_0),
	.types = CHOICE_ARGUMENTS(SQL_TYPE)
};

static SqlStatement sql_export_shuffled_1_0 = {
	.text =
	EXPORT_SHUFFLED(ROWS_1_0),
	.types = CHOICE_ARGUMENTS(SQL_TYPE)
};

/*
 * The largest part of the valid samples with exactly these weights.  What EXPORTED calls
 * reports what is left out as invalid; its lines are discarded.
 */
#define EXPORT_MIX(EXPORTED, WEIGHTS, COUNT, ROWS) \
	"WITH valid AS MATERIALIZED (SELECT (s.sample).image, (s.sample).task, (s.sample).sha256," \
	"   @.llava_image_share((s.sample).image, (s.sample).sha256, 1::bigint) AS share" \
	"  FROM (SELECT @." EXPORTED " AS sample OFFSET 0) s), " \
	"weights AS (" WEIGHTS "), " \
	"have AS (SELECT w.name, w.weight, " COUNT " AS n" \
	"  FROM weights w LEFT JOIN valid v ON v.task OPERATOR(pg_catalog.=) w.name" \
	"  WHERE w.weight OPERATOR(pg_catalog.>) 0" \
	"   AND ($1 IS NULL OR w.name OPERATOR(pg_catalog.=) ANY ($1)) GROUP BY w.name, w.weight), " \
	/* the task that has least of its share is taken whole */ \
	"take AS (SELECT a.name, pg_catalog.min(pg_catalog.div(" \
	"   a.weight OPERATOR(pg_catalog.*) b.n::pg_catalog.numeric, b.weight)) AS n" \
	"  FROM have a, have b GROUP BY a.name), " \
	"ranked AS (SELECT v.image, v.task, v.sha256, pg_catalog.row_number() OVER" \
	"  (PARTITION BY v.task ORDER BY v.share, v.image) AS nth FROM valid v) " \
	"SELECT s.* FROM (SELECT c.image, c.task FROM ranked c JOIN take t" \
	"   ON t.name OPERATOR(pg_catalog.=) c.task" \
	"   AND c.nth::pg_catalog.numeric OPERATOR(pg_catalog.<=) t.n" \
	"  ORDER BY CASE WHEN $5 IS NOT NULL THEN @.llava_image_share(c.image, c.sha256, $5) END," \
	"   c.image, c.task COLLATE pg_catalog.\"C\" OFFSET 0) o, " \
	"LATERAL (" EXPORT_SAMPLES(ROWS) " WHERE c.image OPERATOR(pg_catalog.=) o.image" \
	"  AND c.task OPERATOR(pg_catalog.=) o.task OFFSET 0) s"

#define EXPORT_VALID \
	"$7, $1, $2, false, CASE WHEN $3 THEN 'validation' WHEN NOT $3 THEN 'train' END, $4," \
	" 'first'::text, $8, NULL::text, NULL::bigint, $6, $9"

#define TASK_WEIGHTS(CONDITION) \
	"SELECT DISTINCT ON (name) name, weight::pg_catalog.numeric AS weight FROM @.llava_task" \
	CONDITION " ORDER BY name, version DESC"

#define ALL_WEIGHTS \
	"(" TASK_WEIGHTS(" WHERE $10 IS NULL") ") UNION ALL" \
	" SELECT $10[n], $11[n]::pg_catalog.numeric FROM pg_catalog.generate_subscripts($10, 1) n"

/* ERROR where the export's own weights name a task that has none */
#define COUNT_WEIGHTED \
	"CASE WHEN $10 IS NULL THEN pg_catalog.count(v.task)" \
	" ELSE @.llava_weighted_samples(w.name, pg_catalog.count(v.task)) END"

static SqlStatement sql_export_mix = {
	.text =
	EXPORT_MIX("llava_exported(" EXPORT_VALID ", NULL::jsonb)", ALL_WEIGHTS, COUNT_WEIGHTED,
			   ROWS_NOW),
	.types = CHOICE_ARGUMENTS(SQL_TYPE) MIX_ARGUMENTS(SQL_TYPE) WEIGHT_ARGUMENTS(SQL_TYPE)
};

/* Valid is what the caller's rules let pass; who may name rules may execute this. */
static SqlStatement sql_export_mix_by = {
	.text =
	EXPORT_MIX("llava_exported_by(" EXPORT_VALID ", NULL::jsonb, $12, $13)", ALL_WEIGHTS, COUNT_WEIGHTED,
			   ROWS_NOW),
	.types = CHOICE_ARGUMENTS(SQL_TYPE) MIX_ARGUMENTS(SQL_TYPE) WEIGHT_ARGUMENTS(SQL_TYPE)
};

static SqlStatement sql_export_mix_1_0 = {
	.text =
	EXPORT_MIX("llava_exported(" EXPORT_VALID ")", TASK_WEIGHTS(""), "pg_catalog.count(v.task)",
			   ROWS_1_0),
	.types = CHOICE_ARGUMENTS(SQL_TYPE) MIX_ARGUMENTS(SQL_TYPE)
};

static SqlStatement *
mix_statement(FunctionCallInfo fcinfo)
{
	if (extension_older_version() != NULL)
		return &sql_export_mix_1_0;
	return PG_NARGS() > ARG_RULES ? &sql_export_mix_by : &sql_export_mix;
}

/* Whether the export has weights of its own; they imply a mix. */
static bool
weights_arguments(FunctionCallInfo fcinfo, Datum *values, char *nulls)
{
	ArrayType  *tasks = PG_ARGISNULL(ARG_TASKS) ? NULL : DatumGetArrayTypeP(values[CHOICE_TASKS]);

	if (PG_NARGS() <= ARG_WEIGHTS || PG_ARGISNULL(ARG_WEIGHTS))
		return false;
	export_weights(PG_GETARG_JSONB_P(ARG_WEIGHTS), tasks, &values[CHOICE_NAMED],
				   &values[CHOICE_WEIGHTS]);
	nulls[CHOICE_NAMED] = nulls[CHOICE_WEIGHTS] = ' ';
	return true;
}

/* Whether names that two pictures have leave none out. */
static bool
twice_argument(FunctionCallInfo fcinfo)
{
	return PG_NARGS() > ARG_TWICE && !PG_ARGISNULL(ARG_TWICE) && PG_GETARG_BOOL(ARG_TWICE);
}

/*
 * Whether names that two pictures have leave their samples out: not by the rules of 1.0.0,
 * nor where lines that were published are made again.  Those of a mix are looked for where
 * its valid samples are chosen.
 */
static bool
wants_twice(FunctionCallInfo fcinfo, const ExportShape *shape, const SqlStatement *statement)
{
	if (shape->named_by_hash || shape->rules == REPLY_TOKEN_RULES_1_0)
		return false;
	return !twice_argument(fcinfo) && (statement == &sql_export || statement == &sql_export_shuffled);
}

/*
 * Whether the arguments may be those of an export that was recorded, which is made again
 * though the samples with a flag are gone.
 */
static bool
is_recorded(FunctionCallInfo fcinfo)
{
	return PG_NARGS() > ARG_RULES || extension_older_version() != NULL;
}

static SqlStatement *
choice_arguments(FunctionCallInfo fcinfo, const ExportShape *shape, Datum *values, char *nulls)
{
	memset(nulls, 'n', CHOICES);
	if (!PG_ARGISNULL(ARG_TASKS))
	{
		values[CHOICE_TASKS] = task_names(PG_GETARG_ARRAYTYPE_P(ARG_TASKS));
		nulls[CHOICE_TASKS] = ' ';
	}
	values[CHOICE_WITHOUT_FLAGS] = PG_GETARG_DATUM(ARG_WITHOUT_FLAGS);
	nulls[CHOICE_WITHOUT_FLAGS] = PG_ARGISNULL(ARG_WITHOUT_FLAGS) ? 'n' : ' ';
	if (!PG_ARGISNULL(ARG_WITHOUT_FLAGS) && !is_recorded(fcinfo))
		export_check_flags(PG_GETARG_ARRAYTYPE_P(ARG_WITHOUT_FLAGS));
	split_arguments(fcinfo, values, nulls);
	values[CHOICE_SEED] = PG_GETARG_DATUM(ARG_SEED);
	nulls[CHOICE_SEED] = PG_ARGISNULL(ARG_SEED) ? 'n' : ' ';
	values[CHOICE_PICTURE] = BoolGetDatum(shape->data_urls);
	values[CHOICE_FORMAT] = PG_GETARG_DATUM(ARG_FORMAT);
	values[CHOICE_IMAGE_NAME] = PG_GETARG_DATUM(ARG_IMAGE_NAME);
	values[CHOICE_CUTOFF_LEN] = Int32GetDatum(shape->cutoff_len);
	values[CHOICE_RULES] = Int32GetDatum(shape->rules);
	values[CHOICE_TWICE] = BoolGetDatum(twice_argument(fcinfo));
	nulls[CHOICE_PICTURE] = nulls[CHOICE_FORMAT] = nulls[CHOICE_IMAGE_NAME] = ' ';
	nulls[CHOICE_CUTOFF_LEN] = nulls[CHOICE_RULES] = nulls[CHOICE_TWICE] = ' ';
	if (weights_arguments(fcinfo, values, nulls) ||
		(!PG_ARGISNULL(ARG_MIX) && PG_GETARG_BOOL(ARG_MIX)))
		return mix_statement(fcinfo);
	if (extension_older_version() != NULL)
		return PG_ARGISNULL(ARG_SEED) ? &sql_export_1_0 : &sql_export_shuffled_1_0;
	return PG_ARGISNULL(ARG_SEED) ? &sql_export : &sql_export_shuffled;
}

/* llava_export_rules(): the number of the rules that exports keep now. */
Datum
llava_export_rules(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(REPLY_TOKEN_RULES);
}

char *
export_open(FunctionCallInfo fcinfo, ExportShape *shape)
{
	Datum		values[CHOICES] = {0};
	char		nulls[CHOICES];
	MemoryContext context = CurrentMemoryContext;
	SqlStatement *statement;
	int			guc_level;
	char	   *name;

	shape_arguments(fcinfo, shape);
	SPI_connect();
	statement = choice_arguments(fcinfo, shape, values, nulls);
	/* compiling it takes as long as writing 50,000 lines does */
	guc_level = NewGUCNestLevel();
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
							 false);
	if (wants_twice(fcinfo, shape, statement))
		export_find_twice(shape, PG_ARGISNULL(ARG_TASKS) ? NULL : DatumGetArrayTypeP(values[CHOICE_TASKS]),
						  PG_ARGISNULL(ARG_WITHOUT_FLAGS) ? NULL :
						  PG_GETARG_ARRAYTYPE_P(ARG_WITHOUT_FLAGS), context);
	name = MemoryContextStrdup(context, sql_open(statement, values, nulls)->name);
	AtEOXact_GUC(false, guc_level);
	SPI_finish();
	return name;
}
