/*
 * task_rows.c
 *	  Writing tasks: a change is an INSERT, and rows never change.
 *
 * A row without a version is what a person writes: it gets the next version, and
 * what it leaves out is inherited from the version before, from the task it is an
 * experiment on ('...-v2'), or from the defaults of its kind.  A row with a version
 * is a restore and taken as it is.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "commands/extension.h"
#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "storage/lmgr.h"
#include "task_row.h"
#include "utils/builtins.h"

/* How much of a value a HINT shows, in bytes. */
#define HINT_VALUE 40

PG_FUNCTION_INFO_V1(llava_task_insert);
PG_FUNCTION_INFO_V1(llava_task_frozen);

static bool
is_null(const TaskRow *row, const char *name)
{
	return row->nulls[task_row_column(row, name)];
}

static Datum
value_of(const TaskRow *row, const char *name)
{
	return row->values[task_row_column(row, name)];
}

static void
task_row_set(TaskRow *row, const char *name, Datum value)
{
	int			i = task_row_column(row, name);

	row->values[i] = value;
	row->nulls[i] = false;
}

static void
task_row_set_if_null(TaskRow *row, const char *name, Datum value)
{
	if (is_null(row, name))
		task_row_set(row, name, value);
}

static void
task_row_set_null(TaskRow *row, const char *name)
{
	row->nulls[task_row_column(row, name)] = true;
}

static SqlStatement sql_task_previous = {
	.text =
	"SELECT * FROM @.llava_task WHERE name OPERATOR(pg_catalog.=) $1"
	" ORDER BY version DESC LIMIT 1",
	.types = "t"
};

TaskRow *
task_row_newest(Oid table, const char *name)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		value = CStringGetTextDatum(name);
	TaskRow    *row = NULL;

	rows_spi_connect();
	if (rows_run_as_owner(table, &sql_task_previous, &value, NULL) == 1)
	{
		MemoryContextSwitchTo(caller);
		row = task_row_new(heap_copytuple(SPI_tuptable->vals[0]),
						   CreateTupleDescCopy(SPI_tuptable->tupdesc));
	}
	SPI_finish();
	return row;
}

/* Whether word begins with task and a dash. */
static bool
is_experiment_on(const char *word, const char *task)
{
	size_t		size = task != NULL ? strlen(task) : 0;

	return size > 0 && strncmp(word, task, size) == 0 && word[size] == '-';
}

/* The task that a new name is an experiment on: the longest that fits, or NULL. */
static const char *
experiment_base(List *tasks, const char *name)
{
	const char *base = NULL;
	size_t		longest = 0;
	ListCell   *cell;

	foreach(cell, tasks)
	{
		LlavaTask  *task = lfirst(cell);

		if (is_experiment_on(name, task->name) && strlen(task->name) > longest)
		{
			base = task->name;
			longest = strlen(task->name);
		}
		if (is_experiment_on(name, task->alias) && strlen(task->alias) > longest)
		{
			base = task->name;
			longest = strlen(task->alias);
		}
	}
	return base;
}

/* Whether the default of a column depends on the kind and language of the reply. */
static bool
depends_on_kind(const char *name)
{
	for (int i = 0; i < TASK_NUMBERS; i++)
		if (strcmp(name, task_numbers[i].column) == 0)
			return task_numbers[i].of_kind;
	return strcmp(name, "questions") == 0 || strcmp(name, "required") == 0 ||
		strcmp(name, "response_format") == 0;
}

static bool
says_otherwise(const TaskRow *row, const TaskRow *base, const char *name)
{
	return !is_null(row, name) &&
		strcmp(task_row_text(row, name), task_row_text(base, name)) != 0;
}

/* Fills what row leaves out from base; false if some columns cannot be inherited. */
static bool
inherit(TaskRow *row, const TaskRow *base)
{
	bool		other_kind = says_otherwise(row, base, "kind") ||
	says_otherwise(row, base, "language");

	for (int i = 0; i < row->desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(row->desc, i);
		const char *name = NameStr(attribute->attname);
		int			from;

		if (attribute->attisdropped || !row->nulls[i] ||
			(other_kind && depends_on_kind(name)))
			continue;
		from = task_row_column(base, name);
		row->values[i] = base->values[from];
		row->nulls[i] = base->nulls[from];
	}
	return !other_kind;
}

static void
fill_number(TaskRow *row, const TaskNumber *number, const LlavaTask *defaults)
{
	const char *field = (const char *) defaults + number->offset;

	if (!number->is_double)
		task_row_set_if_null(row, number->column, Int32GetDatum(*(const int *) field));
	else if (!isnan(*(const double *) field))
		task_row_set_if_null(row, number->column, Float8GetDatum(*(const double *) field));
}

/* The defaults of the row's kind and language; nullable columns only if so asked. */
static void
fill_defaults(TaskRow *row, bool nullable_too)
{
	LlavaTask	defaults;

	task_defaults(&defaults, task_kind(task_row_text(row, "kind")),
				  task_language(task_row_text(row, "language")));
	if (!is_null(row, "min_rounds"))
		defaults.rules.max_rounds = Max(defaults.rules.max_rounds,
										DatumGetInt32(value_of(row, "min_rounds")));
	task_row_set_if_null(row, "weight", Int64GetDatum(0));
	task_row_set_if_null(row, "long_images", CStringGetTextDatum(long_images_name(LONG_SHRINK)));
	for (int i = 0; i < TASK_NUMBERS; i++)
		if (nullable_too || !task_numbers[i].nullable)
			fill_number(row, &task_numbers[i], &defaults);
}

/* What no default can stand for: a prompt's language is its writer's to know. */
static void
require_what_is_asked(const TaskRow *row, const char *name)
{
	static const char *const columns[] = {"kind", "language", "prompt"};
	const char *missing = NULL;

	if (!is_null(row, "kind"))
		(void) task_kind(task_row_text(row, "kind"));
	for (int i = lengthof(columns) - 1; i >= 0; i--)
		if (is_null(row, columns[i]))
			missing = columns[i];

	if (missing != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("the new task \"%s\" needs a %s", name, missing),
				 errhint("INSERT INTO llava_task (name, kind, language, prompt) VALUES (%s, 'description', 'zh', '...'); "
						 "kind is dialogue, question_answer, description or json, language zh, en or any. "
						 "The array questions has the human turns of descriptions. "
						 "A name that begins with a task's and a dash inherits from that task.",
						 quote_literal_cstr(name))));
}

/* An empty text means none; NULL means as before. */
static void
empty_is_null(TaskRow *row, const char *name)
{
	const char *value = task_row_text(row, name);

	if (value != NULL && value[0] == '\0')
		task_row_set_null(row, name);
}

/* A word must be the name or alias of only one task. */
static void
check_words(List *tasks, const char *name, const char *alias)
{
	ListCell   *cell;

	foreach(cell, tasks)
	{
		LlavaTask  *other = lfirst(cell);
		const char *word;

		if (strcmp(other->name, name) == 0)
			continue;
		if (alias != NULL && (strcmp(other->name, alias) == 0 ||
							  (other->alias != NULL && strcmp(other->alias, alias) == 0)))
			word = alias;
		else if (other->alias != NULL && strcmp(other->alias, name) == 0)
			word = name;
		else
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("\"%s\" already means the task \"%s\"", word, other->name),
				 errhint("Choose another %s.", word == alias ? "alias" : "name")));
	}
}

static void
check_weight(const TaskRow *row)
{
	if (!is_null(row, "weight") &&
		DatumGetInt64(value_of(row, "weight")) > TASK_MAX_WEIGHT)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("weight " INT64_FORMAT " is over " INT64_FORMAT,
						DatumGetInt64(value_of(row, "weight")), TASK_MAX_WEIGHT),
				 errhint("Weights are shares: only their proportions count.")));
}

static void
check_max_tokens(const TaskRow *row)
{
	int			tokens = is_null(row, "max_tokens") ? 1 : DatumGetInt32(value_of(row, "max_tokens"));

	if (tokens < 1 || tokens > TASK_MAX_TOKENS)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("max_tokens %d is not in 1 .. %d", tokens, TASK_MAX_TOKENS),
				 errhint("It is how long a reply may be. NULL means as before.")));
}

bool
task_server_exists(const char *server)
{
	Oid			oid = get_foreign_server_oid(server, true);

	return OidIsValid(oid) && GetForeignServer(oid)->fdwid == get_foreign_data_wrapper_oid("llava_zh", true);
}

/* Rows of a task whose server does not exist would wait for ever. */
static void
check_server(const TaskRow *row, const char *name)
{
	const char *server = task_row_text(row, "server");
	Oid			oid = server == NULL ? InvalidOid : get_foreign_server_oid(server, true);

	if (server == NULL || task_server_exists(server))
		return;
	ereport(ERROR,
			(errcode(OidIsValid(oid) ? ERRCODE_WRONG_OBJECT_TYPE : ERRCODE_UNDEFINED_OBJECT),
			 OidIsValid(oid) ?
			 errmsg("server \"%s\" of the task \"%s\" is not a server of the wrapper llava_zh", server, name) :
			 errmsg("server \"%s\" of the task \"%s\" does not exist", server, name),
			 errhint("CREATE SERVER it first, or name one of llava_stat_server; an empty text means any server.")));
}

/* The version and everything that was left out. */
static void
complete(TaskRow *row, Relation relation, const char *name)
{
	Oid			table = RelationGetRelid(relation);
	List	   *tasks;
	TaskRow    *base;
	bool		inherited = false;

	/* false before ALTER EXTENSION UPDATE */
	bool		newer = SPI_fnumber(row->desc, "after") > 0;
	bool		follows_none = newer && !is_null(row, "after") && task_row_text(row, "after")[0] == '\0';

	/* one at a time: conflicts with itself, with no INSERT and no SELECT */
	LockRelationOid(table, ShareUpdateExclusiveLock);
	task_stage_check_newest(relation);

	tasks = task_weights_as_owner();
	base = task_row_newest(table, name);
	if (base != NULL)
	{
		int			version = DatumGetInt32(value_of(base, "version"));

		inherited = inherit(row, base);
		if (version == PG_INT32_MAX)
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("the task \"%s\" has version %d, and there is no version after it", name, version),
					 errhint("INSERT the task under another name.")));
		task_row_set(row, "version", Int32GetDatum(version + 1));
	}
	else
	{
		const char *other = experiment_base(tasks, name);

		if (other != NULL && (base = task_row_newest(table, other)) != NULL)
		{
			task_row_set_null(base, "alias");
			task_row_set(base, "weight", Int64GetDatum(0));
			if (newer)
				task_stage_leave(base);
			inherited = inherit(row, base);
		}
		require_what_is_asked(row, name);
		task_row_set(row, "version", Int32GetDatum(1));
	}
	fill_defaults(row, !inherited);
	empty_is_null(row, "alias");
	empty_is_null(row, "title");
	empty_is_null(row, "server");
	check_server(row, name);
	check_words(tasks, name, task_row_text(row, "alias"));
	if (newer)
	{
		task_stage_check(row, tasks, name, follows_none);
		task_tell_owed(row);
	}
	task_advise(row, table, base == NULL);
}

/* Shipped rows are being deleted for those of a restore. */
static bool giving_way;

static SqlStatement sql_task_give_way = {
	.text =
	"DELETE FROM @.llava_task WHERE shipped AND kind OPERATOR(pg_catalog.=) 'json'"
	" AND (CASE WHEN name OPERATOR(pg_catalog.=) $1 THEN version OPERATOR(pg_catalog.=) $2"
	"  ELSE name OPERATOR(pg_catalog.=) $3 OR alias OPERATOR(pg_catalog.=) $1"
	"   OR alias OPERATOR(pg_catalog.=) $3 END)",
	.types = "tit"
};

/*
 * A task that an older version did not ship may be a user's own in what is restored: then
 * that is the task.
 */
static void
give_way(const TaskRow *row, Oid table, const char *name)
{
	const char *alias = task_row_text(row, "alias");
	Datum		values[3] = {CStringGetTextDatum(name), value_of(row, "version"), (Datum) 0};

	if (alias != NULL)
		values[2] = CStringGetTextDatum(alias);
	rows_spi_connect();
	giving_way = true;
	PG_TRY();
	{
		rows_run_as_owner(table, &sql_task_give_way, values, alias == NULL ? "  n" : "   ");
	}
	PG_FINALLY();
	{
		giving_way = false;
	}
	PG_END_TRY();
	SPI_finish();
}

/* BEFORE INSERT on llava_task, FOR EACH ROW, SECURITY DEFINER. */
Datum
llava_task_insert(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = rows_trigger(fcinfo, "llava_task");
	TaskRow    *row = task_row_new(trigger->tg_trigtuple, RelationGetDescr(trigger->tg_relation));
	const char *name = task_row_text(row, "name");

	if (name == NULL || name[0] == '\0')	/* the table's own constraints
											 * raise the error */
		return PointerGetDatum(trigger->tg_trigtuple);

	if (is_null(row, "version"))
	{
		lengths_check_row("llava_task", trigger->tg_trigtuple, row->desc);
		check_max_tokens(row);
		complete(row, trigger->tg_relation, name);
		task_row_set(row, "shipped", BoolGetDatum(false));
	}
	else
	{
		task_row_set_if_null(row, "language", CStringGetTextDatum("zh"));
		require_what_is_asked(row, name);
		if (!creating_extension)
			give_way(row, RelationGetRelid(trigger->tg_relation), name);
		fill_defaults(row, creating_extension);
		if (!creating_extension)	/* else pg_dump would leave it out */
			task_row_set(row, "shipped", BoolGetDatum(false));
	}
	check_weight(row);
	return PointerGetDatum(heap_form_tuple(row->desc, row->values, row->nulls));
}

/* A value as SQL, shortened if it is long. */
static void
task_append_value(StringInfo sql, const char *value)
{
	int			size;

	if (value == NULL)
	{
		appendStringInfoString(sql, "NULL");
		return;
	}
	size = pg_mbcliplen(value, strlen(value), HINT_VALUE);
	appendStringInfoString(sql, quote_literal_cstr(psprintf("%.*s%s", size, value,
															value[size] != '\0' ? "..." : "")));
}

/* The INSERT that does what this UPDATE or DELETE wanted. */
static char *
insert_instead(TriggerData *trigger)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	HeapTuple	old = trigger->tg_trigtuple;
	StringInfoData columns;
	StringInfoData values;

	initStringInfo(&columns);
	initStringInfo(&values);
	task_append_value(&values, SPI_getvalue(old, desc, SPI_fnumber(desc, "name")));
	for (int i = 1; TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) && i <= desc->natts; i++)
	{
		const char *name = NameStr(TupleDescAttr(desc, i - 1)->attname);
		const char *before = SPI_getvalue(old, desc, i);
		const char *after = SPI_getvalue(trigger->tg_newtuple, desc, i);

		if (strcmp(name, "name") == 0 || strcmp(name, "version") == 0 ||
			after == NULL || (before != NULL && strcmp(before, after) == 0))
			continue;
		appendStringInfo(&columns, ", %s", quote_identifier(name));
		appendStringInfoString(&values, ", ");
		task_append_value(&values, after);
	}
	if (columns.len == 0)
	{
		appendStringInfoString(&columns, ", weight");
		appendStringInfoString(&values, ", 0");
	}
	return psprintf("INSERT INTO llava_task (name%s) VALUES (%s);", columns.data, values.data);
}

/* BEFORE UPDATE OR DELETE on llava_task, FOR EACH ROW: samples refer to versions. */
Datum
llava_task_frozen(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = rows_trigger(fcinfo, "llava_task");
	bool		updated = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);

	if (giving_way && !updated)
		return PointerGetDatum(trigger->tg_trigtuple);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("versions of a task are never %s", updated ? "changed" : "deleted"),
			 errdetail("Replies and samples refer to them."),
			 errhint("%s: %s", updated ? "A change is a new version" :
					 "A task of weight 0 is not drawn", insert_instead(trigger))));
}
