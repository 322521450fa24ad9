/*
 * intake.c
 *	  A picture arrives: BEFORE INSERT on llava_image.
 *
 * Headers and sha256 only; decoding is the worker's.  A fault of the picture is recorded
 * in its row and never fails the statement; a fault of the row (no bytes, a path that
 * leads out, an unknown task) is the writer's, and an ERROR.  The bytes are fetched once,
 * and copied only into the row that is stored.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "commands/sequence.h"
#include "intake.h"
#include "miscadmin.h"
#include "process/process.h"
#include "task/task.h"
#include "utils/builtins.h"

int64		intake_unread_size = -1;
IntakeFile	intake_file = {NULL, DT_NOBEGIN};

PG_FUNCTION_INFO_V1(llava_intake);

void
intake_set_up(Intake *intake, Relation image)
{
	ImageFit	fit;

	intake->image = RelationGetRelid(image);
	intake->seen = extension_relation("llava_seen");
	intake->pending = extension_relation("llava_pending");
	intake->draw_seq = extension_relation("llava_draw_seq");
	config_image_fit(&fit);
	intake->limits = fit.limits;
	intake->written = arrival_find_columns(RelationGetDescr(image), intake->columns);
	intake->tasks = task_weights_as_owner();
	intake->fetch_queue = NULL;
}

/* Set up at the statement's first row.  fn_extra belongs to this trigger alone. */
static Intake *
intake_of_statement(FunctionCallInfo fcinfo)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	Intake	   *intake = flinfo->fn_extra;
	MemoryContext caller;
	Relation	relation;

	if (intake != NULL)
		return intake;
	relation = rows_trigger(fcinfo, "llava_image")->tg_relation;
	caller = MemoryContextSwitchTo(flinfo->fn_mcxt);
	intake = palloc0(sizeof(Intake));
	intake_set_up(intake, relation);
	MemoryContextSwitchTo(caller);
	flinfo->fn_extra = intake;
	copying_new_pictures(intake->image);
	return intake;
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
const char *
intake_path_problem(const char *path)
{
	return path[0] == '\0' ? "is empty" :
		path[0] == '/' || path[0] == '\\' ? "is absolute" :
		has_parent_component(path) ? "leads upwards" : NULL;
}

static void
check_path(const char *path)
{
	const char *problem = intake_path_problem(path);

	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("path \"%s\" %s", path, problem),
				 errhint("The path is your name for the picture, relative to wherever exports will put it, "
						 "such as 'shops/0001.jpg'. To read a file of the server, CALL llava_load(directory).")));
}

static void
check_arrival(const Arrival *arrival)
{
	if (!arrival->nulls[COLUMN_PATH])
		check_path(TextDatumGetCString(arrival->values[COLUMN_PATH]));
	if (!arrival->nulls[COLUMN_IMAGE] || intake_unread_size >= 0 || arrival_is_to_be_fetched(arrival))
		return;
	if (arrival->nulls[COLUMN_PATH] || llava_image_directory[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("a row of \"llava_image\" needs the bytes of its picture"),
				 errhint("INSERT INTO llava_image (path, image) VALUES ('a.jpg', pg_read_binary_file('/data/a.jpg')), "
						 "or CALL llava_load('/data'). With the setting llava_zh.image_directory a path below it is enough. "
						 "What source_url names is fetched where llava_zh.fetch is on.")));
}

/* The name of the task that the INSERT gave by name or alias; NULL if it gave none. */
static const char *
given_task(Arrival *arrival, const Intake *intake)
{
	char	   *word;
	LlavaTask  *task;

	if (arrival->nulls[COLUMN_TASK])
		return NULL;
	word = TextDatumGetCString(arrival->values[COLUMN_TASK]);
	task = task_required(intake->tasks, word);
	if (strcmp(word, task->name) != 0)
		arrival_set(arrival, COLUMN_TASK, CStringGetTextDatum(task->name));
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
	arrival_set(arrival, COLUMN_TASK, CStringGetTextDatum(name));
	return name;
}

/* Locked against llava_forget until what follows from it is committed. */
SqlStatement sql_image_state = {
	.text =
	"SELECT rejected, same_as, image IS NULL AND (NOT in_file OR path IS NULL), received_at IS NULL, sha256"
	" FROM @.llava_image WHERE id = $1"
	" FOR KEY SHARE",
	.types = "l"
};

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
 * Finds the first image that had these bytes; false if none had.  *forgotten, palloc'd in
 * this context, says when and why it was taken down, or is NULL.
 */
static bool
find_seen(Oid seen, Datum sha256, int64 *first, MemoryContext context, char **forgotten)
{
	Datum		words;
	bool		isnull;

	*forgotten = NULL;
	if (rows_run_as_owner(seen, &sql_seen_find, &sha256, NULL) == 0)
		return false;
	*first = DatumGetInt64(sql_value(1, &isnull));
	words = sql_value(2, &isnull);
	if (!isnull)
		*forgotten = MemoryContextStrdup(context, TextDatumGetCString(words));
	return true;
}

static SqlStatement sql_seen_add = {
	.text =
	"INSERT INTO @.llava_seen (sha256, image) VALUES ($1, $2) ON CONFLICT DO NOTHING",
	.types = "bl"
};

/* The first image with these bytes, which is this one if none came before. */
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
		/* its row was deleted in between */
		CHECK_FOR_INTERRUPTS();
	}
}

void
intake_refuse_forgotten(Arrival *arrival, const char *forgotten)
{
	arrival_set_null(arrival, COLUMN_IMAGE);
	arrival_set_null(arrival, COLUMN_FILE_TIME);
	arrival_set(arrival, COLUMN_IN_FILE, BoolGetDatum(false));
	for (int i = COLUMN_FORMAT; i <= COLUMN_BYTES; i++)
		arrival_set_null(arrival, i);
	arrival_set(arrival, COLUMN_REJECTED, CStringGetTextDatum("forgotten"));
	arrival_set(arrival, COLUMN_REJECTED_DETAIL, CStringGetTextDatum(forgotten));
}

/* When and why the picture with these bytes was taken down; NULL if it was not. */
static char *
words_of_takedown(Oid seen, Datum sha256)
{
	MemoryContext caller = CurrentMemoryContext;
	int64		first;
	char	   *forgotten;

	rows_spi_connect();
	(void) find_seen(seen, sha256, &first, caller, &forgotten);
	SPI_finish();
	return forgotten;
}

bool
intake_is_forgotten(Datum sha256)
{
	return words_of_takedown(extension_relation("llava_seen"), sha256) != NULL;
}

/* A picture that cannot be sent to a model.  Its bytes may have been taken down before. */
static void
keep_rejected(Arrival *arrival, const Intake *intake)
{
	char	   *forgotten;

	if (arrival->nulls[COLUMN_SHA256])
		return;
	forgotten = words_of_takedown(intake->seen, arrival->values[COLUMN_SHA256]);
	if (forgotten != NULL)
		intake_refuse_forgotten(arrival, forgotten);
}

static SqlStatement sql_pending_add = {
	.text =
	"INSERT INTO @.llava_pending (image, task, visible_at) VALUES ($1, $2, $3)"
	" ON CONFLICT DO NOTHING",
	.types = "ltz"
};

/* The first of the task's chain is asked for in its place. */
static void
queue(const Intake *intake, Datum id, const char *task)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	Datum		values[3] = {id, CStringGetTextDatum(task_first(intake->tasks, task)), TimestampTzGetDatum(now)};

	rows_run_as_owner(intake->pending, &sql_pending_add, values, NULL);
	wake_at_commit(now);
}

/* Queues a picture that can be sent to a model, unless an earlier image has its bytes. */
static void
accept_image(Arrival *arrival, const Intake *intake, const char *task, bool is_there)
{
	Datum		id = arrival->values[COLUMN_ID];
	MemoryContext caller = CurrentMemoryContext;
	int64		first;
	char	   *forgotten;

	rows_spi_connect();

	/*
	 * a row with this id: then this INSERT fails or, with ON CONFLICT, stores
	 * nothing, and must neither queue the existing row nor claim bytes for it
	 */
	if (is_there || rows_run_as_owner(intake->image, &sql_image_state, &id, NULL) == 0)
	{
		first = first_with_bytes(intake, arrival->values[COLUMN_SHA256], id, caller, &forgotten);
		MemoryContextSwitchTo(caller);
		if (forgotten != NULL)
			intake_refuse_forgotten(arrival, forgotten);
		else if (first != DatumGetInt64(id))
		{
			arrival_set(arrival, COLUMN_SAME_AS, Int64GetDatum(first));
			arrival_set_null(arrival, COLUMN_IMAGE);
			arrival_set(arrival, COLUMN_IN_FILE, BoolGetDatum(false));
		}
		else
			queue(intake, id, task != NULL ? task : drawn_task(arrival, intake));
	}
	SPI_finish();
}

void
intake_judge(Arrival *arrival, const Intake *intake, const char *task, bool is_there)
{
	bool		is_usable = arrival_find_facts(arrival, &intake->limits);

	if (arrival_has_given_digest(arrival) && is_usable)
		accept_image(arrival, intake, task, is_there);
	else
		keep_rejected(arrival, intake);
}

/*
 * Sets the time of the row's file, if llava_load has brought it.  What an INSERT gives is
 * not taken, since llava_load does not read a file of the stored size and time.
 */
static void
set_file_time(Arrival *arrival)
{
	if (intake_file.path != NULL && intake_file.time != DT_NOBEGIN &&
		!arrival->nulls[COLUMN_BYTES] && !arrival->nulls[COLUMN_PATH] &&
		strcmp(TextDatumGetCString(arrival->values[COLUMN_PATH]), intake_file.path) == 0)
		arrival_set(arrival, COLUMN_FILE_TIME, TimestampTzGetDatum(intake_file.time));
}

/* BEFORE INSERT on llava_image, FOR EACH ROW WHEN received_at IS NULL, SECURITY DEFINER. */
Datum
llava_intake(PG_FUNCTION_ARGS)
{
	Intake	   *intake = intake_of_statement(fcinfo);
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	HeapTuple	row = intake_clip_url(trigger->tg_trigtuple, desc, intake->columns);
	HeapTuple	stored;
	Datum		given;
	Arrival		arrival;
	const char *task;

	lengths_check_row("llava_image", row, desc);
	arrival_read(&arrival, intake->columns, row, desc);
	if (arrival.nulls[COLUMN_ID])	/* the table's own constraint raises the
									 * error */
		return PointerGetDatum(row);

	given = arrival.values[COLUMN_IMAGE];
	check_arrival(&arrival);
	task = given_task(&arrival, intake);
	if (arrival_is_to_be_fetched(&arrival))
		arrival_queue_fetch(&arrival, fetch_queue_of(intake, fcinfo->flinfo->fn_mcxt));
	else
	{
		intake_judge(&arrival, intake, task, false);
		set_file_time(&arrival);
	}
	arrival_set(&arrival, COLUMN_RECEIVED_AT,
				TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));

	stored = heap_modify_tuple_by_cols(row, desc, intake->written, intake->columns,
									   arrival.values, arrival.nulls);
	if (!arrival.nulls[COLUMN_IMAGE] && arrival.values[COLUMN_IMAGE] != given)
		pfree(DatumGetPointer(arrival.values[COLUMN_IMAGE]));
	return PointerGetDatum(stored);
}

/* Whether the row already says that its picture was taken down, and holds nothing of it. */
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
	int			columns[COLUMNS];
	Arrival		row;
	char	   *forgotten;
	bool		isnull;
	Datum		sha256 = heap_getattr(tuple, SPI_fnumber(desc, "sha256"), desc, &isnull);

	/*
	 * without a sha256 nothing is known, and a restore does not read
	 * terabytes for it
	 */
	if (isnull)
		return tuple;
	forgotten = words_of_takedown(extension_relation("llava_seen"), sha256);
	if (forgotten == NULL)
		return tuple;

	(void) arrival_find_columns(desc, columns);
	for (int i = 0; i < COLUMNS; i++)
		row.values[i] = heap_getattr(tuple, columns[i], desc, &row.nulls[i]);
	if (is_refused(&row))
		return tuple;
	intake_refuse_forgotten(&row, forgotten);
	arrival_set_null(&row, COLUMN_SAME_AS);
	arrival_set_null(&row, COLUMN_SAME_DISTANCE);
	return heap_modify_tuple_by_cols(tuple, desc, WRITTEN, columns, row.values, row.nulls);
}
