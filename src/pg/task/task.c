/*
 * task.c
 *	  Reading tasks: the newest version of each is the task.  What follows from one: the
 *	  seed, the question and the expected tokens of a request.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "db/db.h"
#include "executor/spi.h"
#include "image/image.h"
#include "reply/reply.h"
#include "task.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "vlm/vlm.h"

/* The most names that a HINT lists. */
#define HINT_NAMES 24

/*
 * For the forecast: tokens of a short prompt and the chat template, bytes of a long one
 * for each token, and tokens of a reply that the task sets no limit to.
 */
#define PROMPT_TOKENS 300
#define PROMPT_BYTES 3
#define REPLY_TOKENS 1024

#define NEWEST_COLUMNS(COLUMN) \
	COLUMN(NEWEST_VERSION, "version") \
	COLUMN(NEWEST_ALIAS, "alias") \
	COLUMN(NEWEST_PROMPT, "prompt") \
	COLUMN(NEWEST_KIND, "kind") \
	COLUMN(NEWEST_LANGUAGE, "language") \
	COLUMN(NEWEST_MIN_ROUNDS, "min_rounds") \
	COLUMN(NEWEST_MAX_ROUNDS, "max_rounds") \
	COLUMN(NEWEST_WEIGHT, "weight") \
	COLUMN(NEWEST_SERVER, "server") \
	COLUMN(NEWEST_QUESTIONS, "questions") \
	COLUMN(NEWEST_MAX_TOKENS, "max_tokens") \
	COLUMN(NEWEST_TEMPERATURE, "temperature") \
	COLUMN(NEWEST_TOP_P, "top_p") \
	COLUMN(NEWEST_REPETITION_PENALTY, "repetition_penalty") \
	COLUMN(NEWEST_PRESENCE_PENALTY, "presence_penalty") \
	COLUMN(NEWEST_MIN_QUESTION_CHARS, "min_question_chars") \
	COLUMN(NEWEST_MAX_QUESTION_CHARS, "max_question_chars") \
	COLUMN(NEWEST_MIN_ANSWER_CHARS, "min_answer_chars") \
	COLUMN(NEWEST_MIN_LETTERS, "min_letters") \
	COLUMN(NEWEST_MIN_LANGUAGE_SHARE, "min_language_share") \
	COLUMN(NEWEST_MAX_LOOP_SHARE, "max_loop_share") \
	COLUMN(NEWEST_LONG_IMAGES, "long_images") \
	COLUMN(NEWEST_LONG_RATIO, "long_ratio") \
	COLUMN(NEWEST_LONG_MAX_PIXELS, "long_max_pixels")

/* The columns of sql_task_newest. */
enum
{
	NEWEST_NAME = 1,
	NEWEST_COLUMNS(SQL_RESULT_INDEX)
};

static const char *const kind_names[] = {
	[REPLY_DIALOGUE] = "dialogue",
	[REPLY_QUESTION_ANSWER] = "question_answer",
	[REPLY_DESCRIPTION] = "description",
};

static const char *const language_names[] = {
	[REPLY_LANGUAGE_ANY] = "any",
	[REPLY_LANGUAGE_ZH] = "zh",
	[REPLY_LANGUAGE_EN] = "en",
};

const char *
task_kind_name(ReplyKind kind)
{
	return kind_names[kind];
}

const char *
task_language_name(ReplyLanguage language)
{
	return language_names[language];
}

ReplyKind
task_kind(const char *name)
{
	for (int i = 0; i < lengthof(kind_names); i++)
		if (strcmp(name, kind_names[i]) == 0)
			return (ReplyKind) i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown kind of reply \"%s\"", name),
			 errhint("A task's kind is dialogue, question_answer or description.")));
}

ReplyLanguage
task_language(const char *name)
{
	for (int i = 0; i < lengthof(language_names); i++)
		if (strcmp(name, language_names[i]) == 0)
			return (ReplyLanguage) i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown language \"%s\"", name),
			 errhint("A task's language is zh, en or any.")));
}

/* NULL for NULL, else palloc'd. */
static char *
text_of(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(tuple, desc, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static int
int_of(HeapTuple tuple, TupleDesc desc, int column, int if_null)
{
	bool		isnull;
	Datum		value = SPI_getbinval(tuple, desc, column, &isnull);

	return isnull ? if_null : DatumGetInt32(value);
}

static int64
bigint_of(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(tuple, desc, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

static double
double_of(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(tuple, desc, column, &isnull);

	return isnull ? NAN : DatumGetFloat8(value);
}

/* NULL and empty elements are not counted as questions. */
static void
read_questions(LlavaTask *task, HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		value = SPI_getbinval(tuple, desc, NEWEST_QUESTIONS, &isnull);
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	if (isnull)
		return;
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &n);
	task->questions = palloc(sizeof(char *) * Max(n, 1));
	for (int i = 0; i < n; i++)
		if (!nulls[i] && VARSIZE_ANY_EXHDR(DatumGetPointer(elements[i])) > 0)
			task->questions[task->n_questions++] = TextDatumGetCString(elements[i]);
}

static void
read_sampling(VlmSampling *sampling, HeapTuple tuple, TupleDesc desc)
{
	sampling->max_tokens = int_of(tuple, desc, NEWEST_MAX_TOKENS, -1);
	sampling->temperature = double_of(tuple, desc, NEWEST_TEMPERATURE);
	sampling->top_p = double_of(tuple, desc, NEWEST_TOP_P);
	sampling->repetition_penalty = double_of(tuple, desc, NEWEST_REPETITION_PENALTY);
	sampling->presence_penalty = double_of(tuple, desc, NEWEST_PRESENCE_PENALTY);
	sampling->seed = -1;
}

static void
read_rules(ReplyRules *rules, HeapTuple tuple, TupleDesc desc)
{
	rules->min_rounds = int_of(tuple, desc, NEWEST_MIN_ROUNDS, 1);
	rules->max_rounds = int_of(tuple, desc, NEWEST_MAX_ROUNDS, 1);
	rules->min_question_chars = int_of(tuple, desc, NEWEST_MIN_QUESTION_CHARS, 0);
	rules->max_question_chars = int_of(tuple, desc, NEWEST_MAX_QUESTION_CHARS, 0);
	rules->min_answer_chars = int_of(tuple, desc, NEWEST_MIN_ANSWER_CHARS, 0);
	rules->min_letters = int_of(tuple, desc, NEWEST_MIN_LETTERS, 0);
	rules->min_language_share = double_of(tuple, desc, NEWEST_MIN_LANGUAGE_SHARE);
	rules->max_loop_share = double_of(tuple, desc, NEWEST_MAX_LOOP_SHARE);
}

static LlavaTask *
read_task(HeapTuple tuple, TupleDesc desc)
{
	LlavaTask  *task = palloc0(sizeof(LlavaTask));

	task->name = text_of(tuple, desc, NEWEST_NAME);
	task->version = int_of(tuple, desc, NEWEST_VERSION, 0);
	task->alias = text_of(tuple, desc, NEWEST_ALIAS);
	task->prompt = text_of(tuple, desc, NEWEST_PROMPT);
	task->kind = task_kind(text_of(tuple, desc, NEWEST_KIND));
	task->language = task_language(text_of(tuple, desc, NEWEST_LANGUAGE));
	task->weight = bigint_of(tuple, desc, NEWEST_WEIGHT);
	task->server = text_of(tuple, desc, NEWEST_SERVER);
	task->long_images = long_images_of(text_of(tuple, desc, NEWEST_LONG_IMAGES));
	task->long_ratio = double_of(tuple, desc, NEWEST_LONG_RATIO);
	task->long_max_pixels = bigint_of(tuple, desc, NEWEST_LONG_MAX_PIXELS);
	read_questions(task, tuple, desc);
	read_sampling(&task->sampling, tuple, desc);
	read_rules(&task->rules, tuple, desc);
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

static SqlStatement sql_task_newest = {
	.text =
	"SELECT name" NEWEST_COLUMNS(SQL_RESULT) " "
	"FROM (SELECT DISTINCT ON (name) * FROM @.llava_task"
	"      ORDER BY name, version DESC) AS newest "
	"WHERE $1 IS NULL OR name OPERATOR(pg_catalog.=) $1 OR alias OPERATOR(pg_catalog.=) $1 "
	"ORDER BY name OPERATOR(pg_catalog.=) $1 DESC, name COLLATE pg_catalog.\"C\"",
	.types = "t"
};

List *
task_list(void)
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *tasks = NIL;
	Datum		any = (Datum) 0;

	rows_spi_connect();
	sql_run(&sql_task_newest, &any, "n", 0);
	MemoryContextSwitchTo(caller);
	for (uint64 i = 0; i < SPI_processed; i++)
		tasks = lappend(tasks, read_task(SPI_tuptable->vals[i], SPI_tuptable->tupdesc));
	share_prompts(tasks);
	SPI_finish();
	return tasks;
}

static SqlStatement sql_task_weights = {
	.text =
	"SELECT name, weight, alias "
	"FROM (SELECT DISTINCT ON (name) name, weight, alias FROM @.llava_task"
	"      ORDER BY name, version DESC) AS newest "
	"ORDER BY name COLLATE pg_catalog.\"C\"",
	.types = ""
};

List *
task_weights(void)
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *tasks = NIL;

	rows_spi_connect();
	sql_run(&sql_task_weights, NULL, NULL, 0);
	MemoryContextSwitchTo(caller);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		LlavaTask  *task = palloc0(sizeof(LlavaTask));

		task->name = text_of(tuple, desc, 1);
		task->weight = bigint_of(tuple, desc, 2);
		task->alias = text_of(tuple, desc, 3);
		tasks = lappend(tasks, task);
	}
	SPI_finish();
	return tasks;
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

void
task_unknown(List *tasks, const char *name)
{
	StringInfoData names;
	int			n = 0;
	ListCell   *cell;

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
	List	   *tasks = task_list();
	LlavaTask  *task = task_named(tasks, name);

	if (task == NULL)
		task_unknown(tasks, name);
	return task;
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
