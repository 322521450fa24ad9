/*
 * task_stage.c
 *	  What a new row of llava_task says of objects and of stages: the keys that are
 *	  required, the task that it follows, on which condition and with which share.
 */
#include "postgres.h"

#include <math.h>

#include "access/genam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "reply/reply.h"
#include "task.h"
#include "task_row.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/snapmgr.h"

/* More keys than a model can be told of. */
#define KEYS_MOST 64

static void
clear_column(TaskRow *row, const char *name)
{
	row->nulls[task_row_column(row, name)] = true;
}

static bool
has_value(const TaskRow *row, const char *name)
{
	return !row->nulls[task_row_column(row, name)];
}

static Datum
stage_value(const TaskRow *row, const char *name)
{
	return row->values[task_row_column(row, name)];
}

static void
check_spec(const char *spec, ReplyKey *keys, int n)
{
	if (!reply_key_parse(spec, strlen(spec), &keys[n]))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("required key \"%s\" is not understood", spec),
				 errhint("A key is written as 'worth 0..3', 'has_text boolean', 'lines list', 'why text', or only 'key'.")));
	for (int i = 0; i < n; i++)
		if (keys[i].length == keys[n].length && memcmp(keys[i].name, keys[n].name, keys[n].length) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the key \"%.*s\" is required twice", (int) keys[n].length, keys[n].name),
					 errhint("Name each key once.")));
}

static void
check_required(const TaskRow *row)
{
	ReplyKey	keys[KEYS_MOST];
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(stage_value(row, "required")), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &n);
	if (n > KEYS_MOST)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%d keys are required, at most %d can be", n, KEYS_MOST),
				 errhint("Keys that are not required are stored as well.")));
	for (int i = 0; i < n; i++)
		check_spec(nulls[i] ? "" : TextDatumGetCString(elements[i]), keys, i);
}

/* required and response_format belong to kind json alone. */
static void
check_object(TaskRow *row, const char *name)
{
	static const char *const columns[] = {"required", "response_format"};
	bool		is_object = task_kind(task_row_text(row, "kind")) == REPLY_OBJECT;

	for (int i = 0; i < lengthof(columns); i++)
		if (has_value(row, columns[i]) && !is_object)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("%s is of tasks of kind json, and \"%s\" is of kind %s", columns[i], name,
							task_row_text(row, "kind")),
					 errhint("INSERT INTO llava_task (name, kind, language, prompt, required) VALUES (..., 'json', 'zh', ..., ARRAY['worth 0..3']);")));
	if (has_value(row, "required"))
		check_required(row);
	if (has_value(row, "response_format") &&
		!JB_ROOT_IS_OBJECT(DatumGetJsonbP(stage_value(row, "response_format"))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("response_format is not a JSON object"),
				 errhint("Such as '{\"type\": \"json_object\"}'. NULL takes that of the version before; without any, none is sent.")));
}

/* ---- the task that it follows ---- */

/* The chain from the task that is followed back to its first, as a person reads it. */
static char *
path_of(List *tasks, const char *name, const char *after)
{
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfo(&path, "%s", name);
	for (int n = list_length(tasks); n >= 0 && after != NULL; n--)
	{
		LlavaTask  *task = task_named(tasks, after);

		appendStringInfo(&path, " after %s", after);
		if (strcmp(after, name) == 0)
			break;
		after = task == NULL ? NULL : task->after;
	}
	return path.data;
}

static void
check_after(TaskRow *row, List *tasks, const char *name)
{
	const char *word = task_row_text(row, "after");
	const char *alias = task_row_text(row, "alias");
	const char *after = strcmp(word, name) == 0 || (alias != NULL && strcmp(word, alias) == 0) ?
	name : task_required(tasks, word)->name;
	const char *step = after;

	for (int n = list_length(tasks); n >= 0 && step != NULL; n--)
	{
		LlavaTask  *task = task_named(tasks, step);

		if (strcmp(step, name) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("task \"%s\" would follow itself", name),
					 errdetail("The circle is: %s.", path_of(tasks, name, after)),
					 errhint("after '' takes back what a task follows.")));
		step = task == NULL ? NULL : task->after;
	}
	row->values[task_row_column(row, "after")] = CStringGetTextDatum(after);
}

static int64
rows_seen(Relation table, Snapshot snapshot)
{
	Snapshot	kept = RegisterSnapshot(snapshot);
	SysScanDesc scan = systable_beginscan(table, InvalidOid, false, kept, 0, NULL);
	int64		rows = 0;

	while (HeapTupleIsValid(systable_getnext(scan)))
		rows++;
	systable_endscan(scan);
	UnregisterSnapshot(kept);
	return rows;
}

/* Rows are never deleted, so that one which is not seen makes the numbers differ. */
void
task_stage_check_newest(Relation table)
{
	if (IsolationUsesXactSnapshot() &&
		rows_seen(table, GetTransactionSnapshot()) != rows_seen(table, GetLatestSnapshot()))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to a concurrent INSERT into llava_task"),
				 errhint("Run the transaction again.")));
}

/* A result of a kind that has not what the prompt puts in could never be asked about. */
static void
check_placeholders(const TaskRow *row, List *tasks)
{
	const char *after = task_row_text(row, "after");
	LlavaTask  *followed = task_named(tasks, after);
	int			unfit = followed == NULL ? 0 :
	placeholders_unfit(prompt_placeholders(task_row_text(row, "prompt")), followed->kind);

	if (unfit != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the prompt has %s, and the results of \"%s\" are %s", placeholder_word(unfit), after,
						followed->kind == REPLY_OBJECT ? "objects" : "conversations"),
				 errhint("{{annotation}} stands for an object, {{conversation}} and {{sentences}} stand for a conversation.")));
}

/* ---- the condition ---- */

/* Behind the quoted part at p, or behind one character. */
static const char *
skip_part(const char *p)
{
	if (*p != '"')
		return p + 1;
	for (p++; *p != '\0' && *p != '"'; p++)
		p += *p == '\\' && p[1] != '\0';
	return *p == '\0' ? p : p + 1;
}

/*
 * By the path as jsonpath prints it: names and strings are quoted, a filter is "?(", and a
 * predicate stands in parentheses.
 */
static void
check_condition(const char *path)
{
	int			depth = 0;

	for (const char *p = path; *p != '\0'; p = skip_part(p))
	{
		if (depth == 0 && strncmp(p, "?(", 2) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("condition %s is a filter, not a predicate", path),
					 errhint("Write what must be true: '$.worth >= 2', not '$ ? (@.worth >= 2)'.")));
		if (strncmp(p, "like_regex", strlen("like_regex")) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("condition %s has like_regex", path),
					 errdetail("It would run while replies are being stored, and a pattern can take any time."),
					 errhint("Use == and starts with, or ask the model for a key that says it.")));
		depth += (*p == '(') - (*p == ')');
	}
}

static bool
is_always_true(const char *path)
{
	return strcmp(path, "true") == 0 || strcmp(path, "(true)") == 0;
}

static void
check_share(const TaskRow *row)
{
	double		share = DatumGetFloat8(stage_value(row, "share"));

	if (!(share >= 0 && share <= 1))	/* NaN too */
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("share %g is not from 0 to 1", share),
				 errhint("It is the share of the pictures for which the task is queued: 0.05 for one in twenty.")));
}

static void
needs_after(const TaskRow *row, const char *name, const char *column)
{
	if (has_value(row, column))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("task \"%s\" has a %s but follows no task", name, column),
				 errhint("Name the task that it follows in the column after.")));
}

void
task_stage_check(TaskRow *row, List *tasks, const char *name, bool taken_back)
{
	check_object(row, name);
	if (taken_back)
	{
		clear_column(row, "after");
		clear_column(row, "condition");
		clear_column(row, "share");
	}
	if (!has_value(row, "after"))
	{
		needs_after(row, name, "condition");
		needs_after(row, name, "share");
		return;
	}
	check_after(row, tasks, name);
	check_placeholders(row, tasks);
	if (has_value(row, "condition"))
	{
		const char *path = DatumGetCString(DirectFunctionCall1(jsonpath_out, stage_value(row, "condition")));

		if (is_always_true(path))
			clear_column(row, "condition");
		else
			check_condition(path);
	}
	if (has_value(row, "share"))
		check_share(row);
}

void
task_stage_leave(TaskRow *base)
{
	clear_column(base, "after");
	clear_column(base, "condition");
	clear_column(base, "share");
}
