/*
 * follow.c
 *	  CALL llava_follow: queues what a change of a task owes to results that were there
 *	  before, and exchanges rows that wait for the first of their chain.
 *
 * Results that are settled from now on are their settles' affair.  A settle that has begun
 * may have read the tasks as they were, so the call first waits for those to end; from then
 * on each result is either there to be read here, or is settled under the tasks of now.
 * Nothing is queued twice, so that an interrupted call can simply be repeated.
 */
#include "postgres.h"

#include "follow.h"
#include "miscadmin.h"
#include "process/process.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"

#define FOLLOW_BATCH 1000

PG_FUNCTION_INFO_V1(llava_follow);

/* ---- the tasks ---- */

static SqlStatement sql_follow_tasks = {
	.text =
	"SELECT name, after, condition::pg_catalog.text, coalesce(share, 1), weight"
	" FROM (SELECT DISTINCT ON (name) name, after, condition, share, weight FROM @.llava_task"
	"       ORDER BY name, version DESC) AS newest",
	.types = ""
};

static TaskFollower *
read_follower(HeapTuple row, TupleDesc desc)
{
	TaskFollower *task = palloc0(sizeof(TaskFollower));
	bool		isnull;

	task->name = SPI_getvalue(row, desc, 1);
	task->after = SPI_getvalue(row, desc, 2);
	task->condition = SPI_getvalue(row, desc, 3);
	task->share = DatumGetFloat8(SPI_getbinval(row, desc, 4, &isnull));
	task->weight = DatumGetInt64(SPI_getbinval(row, desc, 5, &isnull));
	return task;
}

static void
read_followers(Follow *follow)
{
	uint64		n = sql_run(&sql_follow_tasks, NULL, NULL, 0);
	SPITupleTable *table = SPI_tuptable;
	MemoryContext caller = MemoryContextSwitchTo(follow->context);

	for (uint64 i = 0; i < n; i++)
		follow->tasks = lappend(follow->tasks, read_follower(table->vals[i], table->tupdesc));
	MemoryContextSwitchTo(caller);
}

static const TaskFollower *
follower_named(const Follow *follow, const char *name)
{
	ListCell   *cell;

	foreach(cell, follow->tasks)
	{
		const TaskFollower *task = lfirst(cell);

		if (strcmp(task->name, name) == 0)
			return task;
	}
	return NULL;
}

/* How many tasks come before it in its chain; a restore could bring a circle. */
static int
follow_depth(const Follow *follow, const TaskFollower *task)
{
	int			depth = 0;

	while (task != NULL && task->after != NULL && depth < list_length(follow->tasks))
	{
		task = follower_named(follow, task->after);
		depth++;
	}
	return depth;
}

const char *
follow_first(const Follow *follow, const TaskFollower *task)
{
	for (int n = follow_depth(follow, task); n > 0 && task != NULL && task->after != NULL; n--)
		task = follower_named(follow, task->after);
	return task == NULL || task->after != NULL ? NULL : task->name;
}

/* Whether other is task, or comes before it in its chain. */
static bool
is_in_chain(const Follow *follow, const TaskFollower *task, const char *other)
{
	for (int n = follow_depth(follow, task); n >= 0 && task != NULL; n--)
	{
		if (strcmp(task->name, other) == 0)
			return true;
		task = task->after == NULL ? NULL : follower_named(follow, task->after);
	}
	return false;
}

/*
 * The tasks that the call is about, those first that others follow: all that follow one, or
 * a named one's chain.
 */
static List *
chosen_tasks(const Follow *follow, const char *name)
{
	const TaskFollower *named = name == NULL ? NULL : follower_named(follow, name);
	List	   *chosen = NIL;

	for (int depth = 0; depth <= list_length(follow->tasks); depth++)
	{
		ListCell   *cell;

		foreach(cell, follow->tasks)
		{
			TaskFollower *task = lfirst(cell);

			if (follow_depth(follow, task) == depth &&
				(named == NULL ? task->after != NULL :
				 task == named || (task->after != NULL && is_in_chain(follow, named, task->name))))
				chosen = lappend(chosen, task);
		}
	}
	return chosen;
}

/* ---- settles under way ---- */

static bool
is_among(const VirtualTransactionId *list, int n, VirtualTransactionId transaction)
{
	for (int i = 0; i < n; i++)
		if (VirtualTransactionIdEquals(list[i], transaction))
			return true;
	return false;
}

/*
 * Waits for the transactions that have written to the table and have not ended.  A VACUUM of
 * it, which writes no result, is not among them.
 */
static void
wait_for_writers(const char *table)
{
	LOCKTAG		tag;
	VirtualTransactionId *writers;
	VirtualTransactionId *others;
	int			n_writers;
	int			n_others;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, extension_relation(table));
	writers = GetLockConflicts(&tag, ShareLock, &n_writers);
	others = GetLockConflicts(&tag, ShareUpdateExclusiveLock, &n_others);
	for (int i = 0; i < n_writers; i++)
		if (!is_among(others, n_others, writers[i]))
			(void) VirtualXactLock(writers[i], true);
}

/* ---- the call ---- */

static void
follow_begin(Tx *tx)
{
	if (!tx_begin(tx, "llava_zh: queueing what tasks are owed"))
		extension_schema_required();
	/* this session holds nothing up while it waits for a lock */
	tx_set_locally("lock_timeout", "0");
}

static void
follow_step(Follow *follow, Tx *tx, const TaskFollower *task, FollowStep step, TaskOwed *sum)
{
	int64		last = PG_INT64_MIN;
	bool		more = true;

	while (more)
	{
		CHECK_FOR_INTERRUPTS();
		follow_begin(tx);
		rows_lock_to_write("llava_pending");
		more = step(follow, task, &last, sum);
		tx_commit(tx, NULL);
	}
}

static TaskOwed
follow_task(Follow *follow, Tx *tx, const TaskFollower *task)
{
	TaskOwed	sum = {0};

	if (task->after == NULL)
	{
		follow_step(follow, tx, task, follow_freed_rows, &sum);
		follow_step(follow, tx, task, follow_freed_pictures, &sum);
		return sum;
	}
	if (follow_first(follow, task) != NULL)
		follow_step(follow, tx, task, follow_exchange, &sum);
	follow_step(follow, tx, task, follow_results, &sum);
	return sum;
}

static TaskOwed
follow_dry(Tx *tx, const TaskFollower *task)
{
	TaskOwed	owed = {0};

	follow_begin(tx);
	if (task->after != NULL)
		owed = task_owed(task, PG_INT64_MAX);
	else
		owed.queued = follow_count_freed(task);
	tx_commit(tx, NULL);
	return owed;
}

static void
append_owed(StringInfo json, const TaskFollower *task, const TaskOwed *owed, bool dry)
{
	appendStringInfoString(json, json->len > 1 ? ", " : "");
	escape_json(json, task->name);
	appendStringInfo(json, ": {\"results\": " INT64_FORMAT, owed->results);
	if (dry)
		appendStringInfo(json, ", \"passes\": " INT64_FORMAT, owed->passes);
	appendStringInfo(json, ", \"queued\": " INT64_FORMAT ", \"condition\": " INT64_FORMAT
					 ", \"condition_error\": " INT64_FORMAT ", \"exchanged\": " INT64_FORMAT "}",
					 owed->queued, owed->condition, owed->condition_error, owed->exchanged);
}

/* The task that was named follows one without results: where they would come from. */
static void
say_nothing_followed(const Follow *follow, const TaskFollower *task)
{
	const char *first = follow_first(follow, task);

	ereport(NOTICE,
			(errmsg("there is nothing to follow yet: task \"%s\" has no results", task->after),
			 first == NULL ? 0 :
			 errhint("They come as its rows are asked. To have pictures asked: SELECT llava_enqueue(id, %s) FROM llava_image WHERE ...;",
					 quote_literal_cstr(first))));
}

/* Adds the report to json. */
static void
follow_all(Follow *follow, const char *name, bool dry, StringInfo json)
{
	Tx			tx = {.in_procedure = true};
	ListCell   *cell;

	follow_begin(&tx);
	read_followers(follow);
	tx_commit(&tx, NULL);
	if (!dry)
	{
		follow_begin(&tx);
		wait_for_writers("llava_conversation");
		wait_for_writers("llava_annotation");
		tx_commit(&tx, NULL);
	}
	appendStringInfoChar(json, '{');
	foreach(cell, chosen_tasks(follow, name))
	{
		const TaskFollower *task = lfirst(cell);
		TaskOwed	owed = dry ? follow_dry(&tx, task) : follow_task(follow, &tx, task);

		append_owed(json, task, &owed, dry);
		if (name != NULL && strcmp(task->name, name) == 0 && task->after != NULL &&
			owed.results + owed.exchanged == 0)
			say_nothing_followed(follow, task);
	}
	appendStringInfoChar(json, '}');
}

static Follow *
follow_new(FunctionCallInfo fcinfo)
{
	MemoryContext context = AllocSetContextCreate(PortalContext, "llava_follow", ALLOCSET_DEFAULT_SIZES);
	Follow	   *follow = MemoryContextAllocZero(context, sizeof(Follow));

	follow->context = context;
	follow->batch = PG_ARGISNULL(1) ? FOLLOW_BATCH : PG_GETARG_INT32(1);
	if (follow->batch < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("batch %d is less than 1", follow->batch),
				 errhint("The argument batch is the number of results committed at once, %d by default.",
						 FOLLOW_BATCH)));
	return follow;
}

/* PROCEDURE llava_follow(task, batch, dry, INOUT report jsonb) */
Datum
llava_follow(PG_FUNCTION_ARGS)
{
	Follow	   *follow;
	char	   *name = NULL;
	bool		dry = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	bool		is_null = false;
	Datum		report;
	MemoryContext caller;
	StringInfoData json;

	rows_check_call(fcinfo, "llava_follow");
	extension_schema_required();
	follow = follow_new(fcinfo);
	if (!PG_ARGISNULL(0))
		name = MemoryContextStrdup(follow->context, task_find(text_to_cstring(PG_GETARG_TEXT_PP(0)))->name);
	caller = MemoryContextSwitchTo(follow->context);
	initStringInfo(&json);
	MemoryContextSwitchTo(caller);
	rows_spi_connect_committing();
	tx_enter_procedure("llava_follow");
	follow->work = work_begin(follow->context, "llava_follow", "results", -1);
	follow_all(follow, name, dry, &json);
	SPI_finish();
	work_end(follow->work);
	report = DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
	PG_RETURN_DATUM(rows_result(fcinfo, &report, &is_null));
}
