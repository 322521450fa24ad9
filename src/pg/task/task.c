/*
 * task.c
 *	  Reading tasks: the newest version of each is the task.  What follows from one: the
 *	  seed, the question and the expected tokens of a request.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "task_row.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

/* The most names that a HINT lists. */
#define HINT_NAMES 24

/*
 * For the forecast: tokens of a short prompt and the chat template, bytes of a long one
 * for each token, and tokens of a reply that the task sets no limit to.
 */
#define PROMPT_TOKENS 300
#define PROMPT_BYTES 3
#define REPLY_TOKENS 1024

#define NUMBER_INT(column, field, nullable, of_kind) \
	{column, offsetof(LlavaTask, field), false, nullable, of_kind}
#define NUMBER_DOUBLE(column, field, nullable) \
	{column, offsetof(LlavaTask, field), true, nullable, false}

const TaskNumber task_numbers[TASK_NUMBERS] = {
	NUMBER_INT("min_rounds", rules.min_rounds, false, true),
	NUMBER_INT("max_rounds", rules.max_rounds, false, true),
	NUMBER_INT("min_question_chars", rules.min_question_chars, false, true),
	NUMBER_INT("max_question_chars", rules.max_question_chars, false, true),
	NUMBER_INT("min_answer_chars", rules.min_answer_chars, false, true),
	NUMBER_INT("min_letters", rules.min_letters, false, true),
	NUMBER_DOUBLE("min_language_share", rules.min_language_share, false),
	NUMBER_DOUBLE("max_loop_share", rules.max_loop_share, false),
	NUMBER_DOUBLE("long_ratio", long_ratio, false),
	NUMBER_INT("max_tokens", sampling.max_tokens, true, true),
	NUMBER_DOUBLE("temperature", sampling.temperature, true),
	NUMBER_DOUBLE("top_p", sampling.top_p, true),
	NUMBER_DOUBLE("repetition_penalty", sampling.repetition_penalty, true),
	NUMBER_DOUBLE("presence_penalty", sampling.presence_penalty, true),
};

static const char *const kind_names[] = {
	[REPLY_DIALOGUE] = "dialogue",
	[REPLY_QUESTION_ANSWER] = "question_answer",
	[REPLY_DESCRIPTION] = "description",
	[REPLY_OBJECT] = "json",
};

static const char *const language_names[] = {
	[REPLY_LANGUAGE_ANY] = "any",
	[REPLY_LANGUAGE_ZH] = "zh",
	[REPLY_LANGUAGE_EN] = "en",
};

/* The word's place in a list; ERROR if it is not in it. */
static int
place_of(const char *const *words, int n, const char *word, const char *what, const char *hint)
{
	for (int i = 0; i < n; i++)
		if (strcmp(word, words[i]) == 0)
			return i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown %s \"%s\"", what, word),
			 errhint("%s", hint)));
}

ReplyKind
task_kind(const char *name)
{
	return (ReplyKind) place_of(kind_names, lengthof(kind_names), name, "kind of reply",
								"A task's kind is dialogue, question_answer, description or json.");
}

ReplyLanguage
task_language(const char *name)
{
	return (ReplyLanguage) place_of(language_names, lengthof(language_names), name, "language",
									"A task's language is zh, en or any.");
}

TaskRow *
task_row_new(HeapTuple tuple, TupleDesc desc)
{
	TaskRow    *row = palloc(sizeof(TaskRow));

	row->desc = desc;
	row->values = palloc(sizeof(Datum) * desc->natts);
	row->nulls = palloc(sizeof(bool) * desc->natts);
	heap_deform_tuple(tuple, desc, row->values, row->nulls);
	return row;
}

int
task_row_column(const TaskRow *row, const char *name)
{
	int			number = SPI_fnumber(row->desc, name);

	if (number <= 0)
		elog(ERROR, "table \"llava_task\" has no column \"%s\"", name);
	return number - 1;
}

char *
task_row_text(const TaskRow *row, const char *name)
{
	int			i = task_row_column(row, name);

	return row->nulls[i] ? NULL : TextDatumGetCString(row->values[i]);
}

/* 0 for NULL. */
static int64
row_bigint(const TaskRow *row, const char *name)
{
	int			i = task_row_column(row, name);

	return row->nulls[i] ? 0 : DatumGetInt64(row->values[i]);
}

/* NULL and empty elements are not counted as questions. */
static void
read_questions(LlavaTask *task, const TaskRow *row)
{
	int			column = task_row_column(row, "questions");
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	if (row->nulls[column])
		return;
	deconstruct_array(DatumGetArrayTypeP(row->values[column]), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &n);
	task->questions = palloc(sizeof(char *) * Max(n, 1));
	for (int i = 0; i < n; i++)
		if (!nulls[i] && VARSIZE_ANY_EXHDR(DatumGetPointer(elements[i])) > 0)
			task->questions[task->n_questions++] = TextDatumGetCString(elements[i]);
}

static void
read_numbers(LlavaTask *task, const TaskRow *row)
{
	for (int i = 0; i < TASK_NUMBERS; i++)
	{
		const TaskNumber *number = &task_numbers[i];
		int			column = task_row_column(row, number->column);
		Datum		value = row->values[column];
		char	   *field = (char *) task + number->offset;

		if (number->is_double)
			*(double *) field = row->nulls[column] ? NAN : DatumGetFloat8(value);
		else
			*(int *) field = row->nulls[column] ? -1 : DatumGetInt32(value);
	}
}

/* Index of a column that 1.0.0 did not have; -1: it is not there, or NULL. */
static int
newer_column(const TaskRow *row, const char *name)
{
	int			number = SPI_fnumber(row->desc, name);

	return number > 0 && !row->nulls[number - 1] ? number - 1 : -1;
}

/* The keys that an object must have.  What cannot be read was not checked, as in a restore. */
static void
read_required(LlavaTask *task, const TaskRow *row)
{
	int			column = newer_column(row, "required");
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	ReplyKey   *keys;

	if (column < 0)
		return;
	deconstruct_array(DatumGetArrayTypeP(row->values[column]), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &n);
	task->rules.required = keys = palloc(sizeof(ReplyKey) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		char	   *spec = nulls[i] ? NULL : TextDatumGetCString(elements[i]);

		if (spec != NULL && reply_key_parse(spec, strlen(spec), &keys[task->rules.n_required]))
			task->rules.n_required++;
	}
}

static void
read_stage(LlavaTask *task, const TaskRow *row)
{
	int			column = newer_column(row, "response_format");

	if (column >= 0)
		task->sampling.response_format = DatumGetCString(DirectFunctionCall1(jsonb_out, row->values[column]));
	column = newer_column(row, "after");
	if (column >= 0)
		task->after = TextDatumGetCString(row->values[column]);
}

static LlavaTask *
read_task(const TaskRow *row)
{
	LlavaTask  *task = palloc0(sizeof(LlavaTask));

	task->name = task_row_text(row, "name");
	task->version = DatumGetInt32(row->values[task_row_column(row, "version")]);
	task->alias = task_row_text(row, "alias");
	task->prompt = task_row_text(row, "prompt");
	task->kind = task_kind(task_row_text(row, "kind"));
	task->language = task_language(task_row_text(row, "language"));
	task->weight = row_bigint(row, "weight");
	task->server = task_row_text(row, "server");
	task->long_images = long_images_of(task_row_text(row, "long_images"));
	task->long_max_pixels = row_bigint(row, "long_max_pixels");
	read_questions(task, row);
	read_numbers(task, row);
	read_required(task, row);
	read_stage(task, row);
	task->sampling.seed = -1;
	task->rules.kind = task->kind;
	task->rules.language = task->language;
	return task;
}

/* A model that echoes a prompt echoes any of ours: all tasks share one list. */
static void
share_prompts(List *tasks)
{
	const char **prompts = palloc(sizeof(char *) * (list_length(tasks) + 1));
	int			n = 0;
	ListCell   *cell;

	foreach(cell, tasks)
	{
		LlavaTask  *task = lfirst(cell);

		prompts[n++] = task->prompt;
		task->rules.prompts = prompts;
	}
	prompts[n] = NULL;
}

/* Whatever the statement returns, read in the current context. */
static List *
read_tasks(SqlStatement *statement, LlavaTask *(*read) (const TaskRow *row))
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *tasks = NIL;

	rows_spi_connect();
	sql_run(statement, NULL, NULL, 0);
	MemoryContextSwitchTo(caller);
	for (uint64 i = 0; i < SPI_processed; i++)
		tasks = lappend(tasks, read(task_row_new(SPI_tuptable->vals[i], SPI_tuptable->tupdesc)));
	SPI_finish();
	return tasks;
}

static SqlStatement sql_task_newest = {
	.text =
	"SELECT * FROM (SELECT DISTINCT ON (name) * FROM @.llava_task"
	"               ORDER BY name, version DESC) AS newest "
	"ORDER BY name COLLATE pg_catalog.\"C\"",
	.types = ""
};

List *
task_list(void)
{
	List	   *tasks = read_tasks(&sql_task_newest, read_task);

	share_prompts(tasks);
	return tasks;
}

static LlavaTask *
read_weight(const TaskRow *row)
{
	LlavaTask  *task = palloc0(sizeof(LlavaTask));

	task->name = task_row_text(row, "name");
	task->kind = task_kind(task_row_text(row, "kind"));
	task->weight = row_bigint(row, "weight");
	task->alias = task_row_text(row, "alias");
	read_stage(task, row);
	return task;
}

List *
task_weights(void)
{
	return read_tasks(&sql_task_newest, read_weight);
}

List *
task_weights_as_owner(void)
{
	RowsCaller	caller;
	List	   *tasks;

	rows_begin_as_owner(extension_relation("llava_task"), &caller);
	tasks = task_weights();
	rows_end_as_owner(&caller);
	return tasks;
}

LlavaTask *
task_named(List *tasks, const char *name)
{
	LlavaTask  *by_alias = NULL;
	ListCell   *cell;

	foreach(cell, tasks)
	{
		LlavaTask  *task = lfirst(cell);

		if (strcmp(task->name, name) == 0)
			return task;
		if (by_alias == NULL && task->alias != NULL && strcmp(task->alias, name) == 0)
			by_alias = task;
	}
	return by_alias;
}

const char *
task_first(List *tasks, const char *name)
{
	LlavaTask  *task = task_named(tasks, name);

	/* a restore could bring a circle */
	for (int n = list_length(tasks); n > 0 && task != NULL && task->after != NULL; n--)
	{
		LlavaTask  *before = task_named(tasks, task->after);

		if (before == NULL)
			break;
		task = before;
	}
	return task == NULL ? name : task->name;
}

LlavaTask *
task_required(List *tasks, const char *name)
{
	LlavaTask  *named = task_named(tasks, name);
	StringInfoData names;
	int			n = 0;
	ListCell   *cell;

	if (named != NULL)
		return named;
	initStringInfo(&names);
	foreach(cell, tasks)
	{
		LlavaTask  *task = lfirst(cell);

		if (n++ == HINT_NAMES)
		{
			appendStringInfoString(&names, ", ...");
			break;
		}
		appendStringInfo(&names, "%s%s", n > 1 ? ", " : "", task->name);
		if (task->alias != NULL)
			appendStringInfo(&names, " (%s)", task->alias);
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("task \"%s\" does not exist", name),
			 errhint("Tasks are %s.", names.data)));
}

LlavaTask *
task_find(const char *name)
{
	return task_required(task_list(), name);
}

VlmTokens
task_forecast(const ImagePrepared *prepared, const ImageFit *fit, const char *prompt,
			  const VlmSampling *sampling)
{
	VlmTokens	forecast;

	forecast.prompt = image_tokens(&prepared->source, fit) +
		Max((int64) strlen(prompt) / PROMPT_BYTES, PROMPT_TOKENS);
	forecast.completion = sampling->max_tokens > 0 ? (sampling->max_tokens + 1) / 2 : REPLY_TOKENS;
	return forecast;
}
