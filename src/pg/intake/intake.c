/*
 * intake.c
 *	  A picture arrives: BEFORE INSERT on llava_image.
 *
 * Headers and sha256 only; decoding is the worker's.  What is wrong with a
 * picture lands in its row and never fails the statement, what is wrong with the
 * row (no bytes, a path that leads out, an unknown task) is its writer's mistake
 * and does.  The bytes are fetched once, and copied only into the row that is
 * stored.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "db/db.h"
#include "executor/spi.h"
#include "image/image.h"
#include "intake.h"
#include "miscadmin.h"
#include "process/process.h"
#include "task/task.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* The columns intake reads or writes; the first WRITTEN of them it writes. */
enum
{
	COLUMN_IMAGE,
	COLUMN_IN_FILE,
	COLUMN_TASK,
	COLUMN_SHA256,
	COLUMN_FORMAT,
	COLUMN_WIDTH,
	COLUMN_HEIGHT,
	COLUMN_CHANNELS,
	COLUMN_BITS,
	COLUMN_ORIENTATION,
	COLUMN_PROGRESSIVE,
	COLUMN_ANIMATED,
	COLUMN_COMPLETE,
	COLUMN_BYTES,
	COLUMN_REJECTED,
	COLUMN_REJECTED_DETAIL,
	COLUMN_SAME_AS,
	COLUMN_SAME_DISTANCE,
	COLUMN_RECEIVED_AT,
	WRITTEN,
	COLUMN_ID = WRITTEN,
	COLUMN_PATH,
	COLUMNS
};

static const char *const column_names[COLUMNS] = {
	[COLUMN_IMAGE] = "image",
	[COLUMN_IN_FILE] = "in_file",
	[COLUMN_TASK] = "task",
	[COLUMN_SHA256] = "sha256",
	[COLUMN_FORMAT] = "format",
	[COLUMN_WIDTH] = "width",
	[COLUMN_HEIGHT] = "height",
	[COLUMN_CHANNELS] = "channels",
	[COLUMN_BITS] = "bits",
	[COLUMN_ORIENTATION] = "orientation",
	[COLUMN_PROGRESSIVE] = "progressive",
	[COLUMN_ANIMATED] = "animated",
	[COLUMN_COMPLETE] = "complete",
	[COLUMN_BYTES] = "bytes",
	[COLUMN_REJECTED] = "rejected",
	[COLUMN_REJECTED_DETAIL] = "rejected_detail",
	[COLUMN_SAME_AS] = "same_as",
	[COLUMN_SAME_DISTANCE] = "same_distance",
	[COLUMN_RECEIVED_AT] = "received_at",
	[COLUMN_ID] = "id",
	[COLUMN_PATH] = "path",
};

/* What holds for all rows of a statement. */
typedef struct Intake
{
	List	   *tasks;			/* task_weights() */
	Oid			image;
	Oid			seen;
	Oid			pending;
	Oid			draw_seq;
	ImageLimits limits;
	int			columns[COLUMNS];
} Intake;

/* A row on its way in: all columns, those of WRITTEN to be stored. */
typedef struct Arrival
{
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];
	bytea	   *given_sha256;	/* by the writer; or NULL */
} Arrival;

int64		intake_unread_size = -1;

PG_FUNCTION_INFO_V1(llava_intake);

static void
find_columns(TupleDesc desc, int *columns)
{
	for (int i = 0; i < COLUMNS; i++)
	{
		columns[i] = SPI_fnumber(desc, column_names[i]);
		if (columns[i] <= 0)
			elog(ERROR, "table \"llava_image\" has no column \"%s\"", column_names[i]);
	}
}

/* Looked up at the statement's first row: fn_extra is this trigger's and no other's. */
static Intake *
intake_of_statement(FunctionCallInfo fcinfo)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	Intake	   *intake = flinfo->fn_extra;
	MemoryContext caller;
	Relation	relation;
	ImageFit	fit;

	if (intake != NULL)
		return intake;
	relation = rows_trigger(fcinfo, "llava_image")->tg_relation;
	caller = MemoryContextSwitchTo(flinfo->fn_mcxt);
	intake = palloc0(sizeof(Intake));
	intake->image = RelationGetRelid(relation);
	intake->seen = extension_relation("llava_seen");
	intake->pending = extension_relation("llava_pending");
	intake->draw_seq = extension_relation("llava_draw_seq");
	config_image_fit(&fit);
	intake->limits = fit.limits;
	find_columns(RelationGetDescr(relation), intake->columns);
	intake->tasks = task_weights_as_owner();
	MemoryContextSwitchTo(caller);
	flinfo->fn_extra = intake;
	copying_new_pictures(intake->image);
	return intake;
}

/* Only what the writer gave is kept: facts are found anew, and a sha256 is held against them. */
static void
read_arrival(Arrival *arrival, const Intake *intake, HeapTuple tuple, TupleDesc desc)
{
	static const int given[] = {COLUMN_ID, COLUMN_IMAGE, COLUMN_PATH, COLUMN_TASK};
	Datum		sha256;
	bool		isnull;

	memset(arrival->nulls, true, sizeof(arrival->nulls));
	memset(arrival->values, 0, sizeof(arrival->values));
	for (int i = 0; i < lengthof(given); i++)
		arrival->values[given[i]] = heap_getattr(tuple, intake->columns[given[i]], desc,
												 &arrival->nulls[given[i]]);
	sha256 = heap_getattr(tuple, intake->columns[COLUMN_SHA256], desc, &isnull);
	arrival->given_sha256 = isnull ? NULL : DatumGetByteaPP(sha256);
}

static void
set(Arrival *arrival, int column, Datum value)
{
	arrival->values[column] = value;
	arrival->nulls[column] = false;
}

static void
set_null(Arrival *arrival, int column)
{
	arrival->values[column] = (Datum) 0;
	arrival->nulls[column] = true;
}

static bool
has_parent_component(const char *path)
{
	for (const char *c = path; *c != '\0';)
	{
		size_t		size = strcspn(c, "/\\");

		if (size == 2 && c[0] == '.' && c[1] == '.')
			return true;
		c += size;
		c += strspn(c, "/\\");
	}
	return false;
}

/* Exports write files under this name: it must not lead out of their directory. */
static void
check_path(const char *path)
{
	const char *problem = path[0] == '\0' ? "is empty" :
	path[0] == '/' || path[0] == '\\' ? "is absolute" :
	has_parent_component(path) ? "leads upwards" : NULL;

	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("path \"%s\" %s", path, problem),
				 errhint("path is your name for the picture, relative to wherever exports will put it, "
						 "such as 'shops/0001.jpg'. To read a file of the server, CALL llava_load(directory).")));
}

static void
check_arrival(const Arrival *arrival)
{
	if (!arrival->nulls[COLUMN_PATH])
		check_path(TextDatumGetCString(arrival->values[COLUMN_PATH]));
	if (!arrival->nulls[COLUMN_IMAGE] || intake_unread_size >= 0)
		return;
	if (arrival->nulls[COLUMN_PATH] || llava_image_directory[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("a row of \"llava_image\" needs the bytes of its picture"),
				 errhint("INSERT INTO llava_image (path, image) VALUES ('a.jpg', pg_read_binary_file('/data/a.jpg')), "
						 "or CALL llava_load('/data'). With the setting llava_zh.image_directory a path below it is enough. "
						 "Nothing is fetched from source_url.")));
}

static void
reject(Arrival *arrival, ImageStatus status, const char *detail)
{
	if (status == IMAGE_NO_MEMORY)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"), errdetail("%s", detail)));
	set(arrival, COLUMN_REJECTED, CStringGetTextDatum(image_status_name(status)));
	set(arrival, COLUMN_REJECTED_DETAIL, CStringGetTextDatum(detail));
}

static void
set_facts(Arrival *arrival, const ImageInfo *info)
{
	if (info->format == IMAGE_FORMAT_NONE)
		return;
	set(arrival, COLUMN_FORMAT, CStringGetTextDatum(image_format_name(info->format)));
	if (info->width <= 0 || info->height <= 0)
		return;
	set(arrival, COLUMN_WIDTH, Int32GetDatum(info->width));
	set(arrival, COLUMN_HEIGHT, Int32GetDatum(info->height));
	set(arrival, COLUMN_CHANNELS, Int16GetDatum(info->channels));
	set(arrival, COLUMN_BITS, Int16GetDatum(info->bits));
	set(arrival, COLUMN_ORIENTATION, Int16GetDatum(info->orientation));
	set(arrival, COLUMN_PROGRESSIVE, BoolGetDatum(info->progressive));
	set(arrival, COLUMN_ANIMATED, BoolGetDatum(info->animated));
	set(arrival, COLUMN_COMPLETE, BoolGetDatum(info->complete));
}

/* Whether the picture can be asked about, by its header and the limits. */
static ImageStatus
inspect(const uint8_t *data, size_t size, const ImageLimits *limits, ImageInfo *info,
		ImageError *error)
{
	ImageStatus status = image_info(data, size, info, error);

	return status == IMAGE_OK ? image_check(info, size, limits, error) : status;
}

/* As find_facts, for a picture that stays in the file its path names. */
static bool
find_facts_in_file(Arrival *arrival, const ImageLimits *limits)
{
	const char *path = TextDatumGetCString(arrival->values[COLUMN_PATH]);
	uint8_t		digest[IMAGE_SHA256_SIZE];
	uint8_t    *data;
	size_t		size;
	ImageInfo	info = {0};
	ImageError	error = {0};
	ImageStatus status = image_file_read(llava_image_directory, path, limits->max_bytes, &data,
										 &size, &error);
	bool		was_read = status == IMAGE_OK;

	/* nothing throws while data is ours */
	if (was_read)
	{
		image_sha256(data, size, digest);
		status = inspect(data, size, limits, &info, &error);
		free(data);
	}
	if (status == IMAGE_NO_DIRECTORY)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FILE),
				 errmsg("%s", error.message),
				 errhint("The directory is the setting llava_zh.image_directory.")));
	if (was_read || status == IMAGE_TOO_LARGE)
		set(arrival, COLUMN_BYTES, Int64GetDatum((int64) size));
	if (was_read)
	{
		set(arrival, COLUMN_IN_FILE, BoolGetDatum(true));
		set(arrival, COLUMN_SHA256,
			PointerGetDatum(rows_bytea(digest, sizeof(digest))));
		set_facts(arrival, &info);
	}
	if (status != IMAGE_OK)
		reject(arrival, status, error.message);
	return status == IMAGE_OK;
}

/* A file that is too large to be fetched: its row has its size and no bytes. */
static void
reject_size(Arrival *arrival, int64 size)
{
	set(arrival, COLUMN_BYTES, Int64GetDatum(size));
	reject(arrival, IMAGE_TOO_LARGE,
		   psprintf("the file has " INT64_FORMAT " bytes, over llava_zh.image_max_size", size));
	set_null(arrival, COLUMN_IMAGE);
}

/*
 * Size, sha256, header facts, and whether the picture can be asked about.  A file
 * over the size limit is not even fetched, and lands without its bytes.
 */
static bool
find_facts(Arrival *arrival, const ImageLimits *limits)
{
	Size		size;
	struct varlena *image;
	ImageInfo	info = {0};
	ImageError	error = {0};
	ImageStatus status;

	set(arrival, COLUMN_IN_FILE, BoolGetDatum(false));
	if (arrival->nulls[COLUMN_IMAGE] && intake_unread_size >= 0)
	{
		reject_size(arrival, intake_unread_size);
		return false;
	}
	if (arrival->nulls[COLUMN_IMAGE])
		return find_facts_in_file(arrival, limits);
	size = toast_raw_datum_size(arrival->values[COLUMN_IMAGE]) - VARHDRSZ;
	if (limits->max_bytes > 0 && size > limits->max_bytes)
	{
		reject_size(arrival, (int64) size);
		return false;
	}

	set(arrival, COLUMN_BYTES, Int64GetDatum((int64) size));
	image = PG_DETOAST_DATUM_PACKED(arrival->values[COLUMN_IMAGE]);
	set(arrival, COLUMN_IMAGE, PointerGetDatum(image));
	set(arrival, COLUMN_SHA256, DirectFunctionCall1(sha256_bytea, PointerGetDatum(image)));

	status = inspect((const uint8_t *) VARDATA_ANY(image), size, limits, &info, &error);
	set_facts(arrival, &info);
	if (status != IMAGE_OK)
		reject(arrival, status, error.message);
	return status == IMAGE_OK;
}

/* At most as much of it as a sha256 has. */
static char *
digest_words(const bytea *digest)
{
	size_t		size = Min(VARSIZE_ANY_EXHDR(digest), IMAGE_SHA256_SIZE);
	char	   *words = palloc(2 * size + 1);

	words[hex_encode(VARDATA_ANY(digest), size, words)] = '\0';
	return words;
}

/*
 * The sha256 that the writer gave is that of the bytes, or they are not the picture that
 * was meant, whatever else they are.  Of bytes that were not read nothing is known.
 */
static bool
has_given_digest(Arrival *arrival)
{
	const bytea *given = arrival->given_sha256;
	const bytea *found;

	if (given == NULL || arrival->nulls[COLUMN_SHA256])
		return true;
	found = DatumGetByteaPP(arrival->values[COLUMN_SHA256]);
	if (VARSIZE_ANY_EXHDR(given) == VARSIZE_ANY_EXHDR(found) &&
		memcmp(VARDATA_ANY(given), VARDATA_ANY(found), VARSIZE_ANY_EXHDR(found)) == 0)
		return true;
	set(arrival, COLUMN_REJECTED, CStringGetTextDatum("changed"));
	set(arrival, COLUMN_REJECTED_DETAIL,
		CStringGetTextDatum(psprintf("its sha256 is %s, and %s was given",
									 digest_words(found), digest_words(given))));
	return false;
}

/* The task the writer named, by its name; NULL if none was. */
static const char *
given_task(Arrival *arrival, const Intake *intake)
{
	char	   *word;
	LlavaTask  *task;

	if (arrival->nulls[COLUMN_TASK])
		return NULL;
	word = TextDatumGetCString(arrival->values[COLUMN_TASK]);
	task = task_named(intake->tasks, word);
	if (task == NULL)
		task_unknown(intake->tasks, word);
	if (strcmp(word, task->name) != 0)
		set(arrival, COLUMN_TASK, CStringGetTextDatum(task->name));
	return task->name;
}

static const char *
drawn_task(Arrival *arrival, const Intake *intake)
{
	const char *name = task_draw(intake->tasks, nextval_internal(intake->draw_seq, false));

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no task has a weight, so none can be drawn for the picture"),
				 errhint("Name one: INSERT INTO llava_image (path, image, task) ..., "
						 "or give one a weight: INSERT INTO llava_task (name, weight) ...")));
	set(arrival, COLUMN_TASK, CStringGetTextDatum(name));
	return name;
}

/* Locked against llava_forget until what follows from it is committed. */
SqlStatement sql_image_state = {
	.text =
	"SELECT rejected, same_as, image IS NULL AND NOT in_file, received_at IS NULL, sha256"
	" FROM @.llava_image WHERE id = $1"
	" FOR KEY SHARE",
	.types = "l"
};

/*
 * Whether a row with this id is there: then this INSERT fails or, with ON
 * CONFLICT, stores nothing, and must not queue or claim bytes for the other.
 */
static bool
id_is_taken(const Intake *intake, Datum id)
{
	return rows_run_as_owner(intake->image, &sql_image_state, &id, NULL) > 0;
}

/* A restore runs it with the caller's search_path. */
SqlStatement sql_seen_find = {
	.text =
	"SELECT image, 'taken down on ' OPERATOR(pg_catalog.||)"
	"  pg_catalog.to_char(forgotten_at, 'YYYY-MM-DD') OPERATOR(pg_catalog.||) ': '"
	"  OPERATOR(pg_catalog.||) coalesce(pg_catalog.left(forgotten_reason, 4096), '')"
	" FROM @.llava_seen WHERE sha256 OPERATOR(pg_catalog.=) $1",
	.types = "b"
};

/*
 * The first image that had these bytes, false if none had; *forgotten, in this
 * context, says when and why it was taken down, or is NULL.
 */
static bool
find_seen(Oid seen, Datum sha256, int64 *first, MemoryContext context, char **forgotten)
{
	HeapTuple	row;
	TupleDesc	desc;
	Datum		words;
	bool		isnull;

	*forgotten = NULL;
	if (rows_run_as_owner(seen, &sql_seen_find, &sha256, NULL) == 0)
		return false;
	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	*first = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
	words = SPI_getbinval(row, desc, 2, &isnull);
	if (!isnull)
		*forgotten = MemoryContextStrdup(context, TextDatumGetCString(words));
	return true;
}

static SqlStatement sql_seen_add = {
	.text =
	"INSERT INTO @.llava_seen (sha256, image) VALUES ($1, $2) ON CONFLICT DO NOTHING",
	.types = "bl"
};

/* The first image with these bytes: this one, if nobody came before. */
static int64
first_with_bytes(const Intake *intake, Datum sha256, Datum id, MemoryContext context,
				 char **forgotten)
{
	Datum		values[2] = {sha256, id};
	int64		first;

	*forgotten = NULL;
	for (;;)
	{
		if (rows_run_as_owner(intake->seen, &sql_seen_add, values, NULL) > 0)
			return DatumGetInt64(id);
		if (find_seen(intake->seen, sha256, &first, context, forgotten))
			return first;
		/* it was deleted in between */
		CHECK_FOR_INTERRUPTS();
	}
}

/* These bytes were taken down: what came is a row that says so, and nothing of them. */
static void
refuse_forgotten(Arrival *arrival, const char *forgotten)
{
	set_null(arrival, COLUMN_IMAGE);
	set(arrival, COLUMN_IN_FILE, BoolGetDatum(false));
	for (int i = COLUMN_FORMAT; i <= COLUMN_BYTES; i++)
		set_null(arrival, i);
	set(arrival, COLUMN_REJECTED, CStringGetTextDatum("forgotten"));
	set(arrival, COLUMN_REJECTED_DETAIL, CStringGetTextDatum(forgotten));
}

/* A picture that cannot be asked about; its bytes may be known all the same. */
static void
keep_rejected(Arrival *arrival, const Intake *intake)
{
	MemoryContext caller = CurrentMemoryContext;
	int64		first;
	char	   *forgotten = NULL;

	if (arrival->nulls[COLUMN_SHA256])
		return;
	rows_spi_connect();
	(void) find_seen(intake->seen, arrival->values[COLUMN_SHA256], &first, caller, &forgotten);
	SPI_finish();
	if (forgotten != NULL)
		refuse_forgotten(arrival, forgotten);
}

static SqlStatement sql_pending_add = {
	.text =
	"INSERT INTO @.llava_pending (image, task, visible_at) VALUES ($1, $2, $3)"
	" ON CONFLICT DO NOTHING",
	.types = "ltz"
};

static void
queue(const Intake *intake, Datum id, const char *task)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	Datum		values[3];

	values[0] = id;
	values[1] = CStringGetTextDatum(task);
	values[2] = TimestampTzGetDatum(now);
	rows_run_as_owner(intake->pending, &sql_pending_add, values, NULL);
	wake_at_commit(now);
}

/* A picture that can be asked about is queued, unless its bytes were here before. */
static void
accept_image(Arrival *arrival, const Intake *intake, const char *task)
{
	Datum		id = arrival->values[COLUMN_ID];
	MemoryContext caller = CurrentMemoryContext;
	int64		first;
	char	   *forgotten;

	rows_spi_connect();
	if (!id_is_taken(intake, id))
	{
		first = first_with_bytes(intake, arrival->values[COLUMN_SHA256], id, caller, &forgotten);
		MemoryContextSwitchTo(caller);
		if (forgotten != NULL)
			refuse_forgotten(arrival, forgotten);
		else if (first != DatumGetInt64(id))
		{
			set(arrival, COLUMN_SAME_AS, Int64GetDatum(first));
			set_null(arrival, COLUMN_IMAGE);
			set(arrival, COLUMN_IN_FILE, BoolGetDatum(false));
		}
		else
			queue(intake, id, task != NULL ? task : drawn_task(arrival, intake));
	}
	SPI_finish();
}

/* BEFORE INSERT on llava_image, FOR EACH ROW WHEN received_at IS NULL, SECURITY DEFINER. */
Datum
llava_intake(PG_FUNCTION_ARGS)
{
	Intake	   *intake = intake_of_statement(fcinfo);
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	HeapTuple	stored;
	Datum		given;
	Arrival		arrival;
	const char *task;
	bool		is_usable;

	lengths_check_row("llava_image", trigger->tg_trigtuple, desc);
	read_arrival(&arrival, intake, trigger->tg_trigtuple, desc);
	if (arrival.nulls[COLUMN_ID])	/* the table's own constraint says so */
		return PointerGetDatum(trigger->tg_trigtuple);

	given = arrival.values[COLUMN_IMAGE];
	check_arrival(&arrival);
	task = given_task(&arrival, intake);
	is_usable = find_facts(&arrival, &intake->limits);
	if (has_given_digest(&arrival) && is_usable)
		accept_image(&arrival, intake, task);
	else
		keep_rejected(&arrival, intake);
	set(&arrival, COLUMN_RECEIVED_AT,
		TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));

	stored = heap_modify_tuple_by_cols(trigger->tg_trigtuple, desc, WRITTEN, intake->columns,
									   arrival.values, arrival.nulls);
	if (!arrival.nulls[COLUMN_IMAGE] && arrival.values[COLUMN_IMAGE] != given)
		pfree(DatumGetPointer(arrival.values[COLUMN_IMAGE]));
	return PointerGetDatum(stored);
}

/* Whether the row says already that its picture was taken down, and has nothing of it. */
static bool
is_refused(const Arrival *row)
{
	return row->nulls[COLUMN_IMAGE] && !row->nulls[COLUMN_REJECTED] &&
		!DatumGetBool(row->values[COLUMN_IN_FILE]) &&
		strcmp(TextDatumGetCString(row->values[COLUMN_REJECTED]), "forgotten") == 0;
}

HeapTuple
intake_restored(HeapTuple tuple, TupleDesc desc)
{
	MemoryContext caller = CurrentMemoryContext;
	int			columns[COLUMNS];
	Arrival		row;
	int64		first;
	char	   *forgotten = NULL;
	bool		isnull;
	Datum		sha256 = heap_getattr(tuple, SPI_fnumber(desc, "sha256"), desc, &isnull);

	/* without a sha256 nothing is known: 12 TB are not read for it */
	if (isnull)
		return tuple;
	rows_spi_connect();
	(void) find_seen(extension_relation("llava_seen"), sha256, &first, caller, &forgotten);
	SPI_finish();
	if (forgotten == NULL)
		return tuple;

	find_columns(desc, columns);
	for (int i = 0; i < COLUMNS; i++)
		row.values[i] = heap_getattr(tuple, columns[i], desc, &row.nulls[i]);
	if (is_refused(&row))
		return tuple;
	refuse_forgotten(&row, forgotten);
	set_null(&row, COLUMN_SAME_AS);
	set_null(&row, COLUMN_SAME_DISTANCE);
	return heap_modify_tuple_by_cols(tuple, desc, WRITTEN, columns, row.values, row.nulls);
}
