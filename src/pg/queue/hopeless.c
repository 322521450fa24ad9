/*
 * hopeless.c
 *	  Stops a task whose first replies are all rejected for one reason, before its prompt has
 *	  cost a request for every picture.
 *
 * A verdict is counted when it is made, by all processes together (task_counters.c).  From
 * then on no process sends a row of that version; the one that found it writes it down in
 * the next claim's transaction (llava_stopped_task), which is what people see and undo.
 */
#include "postgres.h"

#include "hopeless.h"
#include "loop.h"
#include "process/process.h"
#include "task/task.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(llava_resume_task);

/* What was found and is not written down yet; in TopMemoryContext, one a task. */
static List *found = NIL;

static void
hopeless_found(const Call *call)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	TaskStopped *stopped = palloc(sizeof(TaskStopped));

	stopped->task = pstrdup(call->task->name);
	stopped->version = call->task->version;
	stopped->reason = pstrdup(call->end.reason);
	stopped->image = call->image;
	stopped->call = call->id;
	found = lappend(found, stopped);
	MemoryContextSwitchTo(old);
	ereport(LOG,
			(errmsg("llava_zh: the rows of task \"%s\" wait: the first replies of version %d are all rejected (%s), that of image " INT64_FORMAT ", call " INT64_FORMAT ", among them",
					stopped->task, stopped->version, stopped->reason, stopped->image, stopped->call),
			 errhint("%s A new version lets it go on, or llava_resume_task(%s).",
					 task_shape(call->task->kind, call->task->language), quote_literal_cstr(stopped->task))));
}

void
hopeless_note(Loop *loop, const Call *call)
{
	if (call_ending(call) != CALL_ANSWERED || !call->row.first || call->retry.blameless)
		return;
	if (task_counter_note(call->task->counter, call->task->version, call->end.reason))
	{
		hopeless_found(call);
		claims_look_by(loop, 0);
	}
}

void
hopeless_forgive(const Call *call)
{
	TaskCounter *counter = call->task->counter;

	if (!task_counter_is_hopeless(counter, call->task->version))
		task_counter_forgive(counter);
}

bool
hopeless_holds(const Call *call)
{
	return task_counter_is_hopeless(call->task->counter, call->task->version);
}

/* Writes down what was found. */
static void
write_found(Loop *loop, void *arg)
{
	ListCell   *cell;

	foreach(cell, found)
		task_stop(lfirst(cell));
}

static void
forget_found(void)
{
	ListCell   *cell;

	foreach(cell, found)
	{
		TaskStopped *stopped = lfirst(cell);

		task_counter_written(task_counter(stopped->task), stopped->version);
		pfree(stopped->task);
		pfree(stopped->reason);
	}
	list_free_deep(found);
	found = NIL;
}

bool
hopeless_write(Loop *loop)
{
	ErrorData  *error;

	if (found == NIL)
		return false;
	if (loop_try(loop, write_found, NULL, &error))
		return true;
	/* its rows wait all the same; it is tried again with the next claim */
	ereport(LOG,
			(errmsg("llava_zh: that a task waits could not be written down: %s", error->message)));
	FreeErrorData(error);
	return false;
}

void
hopeless_written(void)
{
	forget_found();
}

void
hopeless_read(List *tasks)
{
	List	   *written = NIL;
	List	   *all;
	ListCell   *cell;

	/* looked at before the table: whoever writes says so after the commit */
	foreach(cell, tasks)
	{
		LlavaTask  *task = lfirst(cell);

		if (task->counter != NULL && task_counter_is_written(task->counter, task->version))
			written = lappend(written, task);
	}
	all = task_stopped_all();
	foreach(cell, tasks)
	{
		LlavaTask  *task = lfirst(cell);

		task->stopped = task_stopped_in(all, task->name, task->version);
		if (task->stopped == NULL && list_member_ptr(written, task))
			task_counter_forgive(task->counter);
	}
	list_free(written);
}

bool
hopeless_waits(const LlavaTask *task)
{
	return task->stopped != NULL ||
		(task->counter != NULL && task_counter_is_hopeless(task->counter, task->version));
}

void
hopeless_tell(const Loop *loop)
{
	ListCell   *cell;

	foreach(cell, loop->claims.tasks == NULL ? NIL : loop->claims.tasks->tasks)
	{
		const LlavaTask *task = lfirst(cell);

		if (hopeless_waits(task) && (loop->scope.only_task == NULL || strcmp(loop->scope.only_task, task->name) == 0))
			ereport(NOTICE,
					(errmsg("the rows of task \"%s\" wait: the first replies of version %d are all rejected",
							task->name, task->version),
					 errhint("%s A new version lets it go on, or llava_resume_task(%s).",
							 task_shape(task->kind, task->language), quote_literal_cstr(task->name))));
	}
}

/* llava_resume_task(task): its rows are sent again; false if they were not stopped. */
Datum
llava_resume_task(PG_FUNCTION_ARGS)
{
	char	   *word = text_to_cstring(PG_GETARG_TEXT_PP(0));
	const char *name = task_required(task_weights_as_owner(), word)->name;
	bool		resumed;

	rows_spi_connect();
	resumed = task_resume(name, 0);
	SPI_finish();
	if (resumed)
		wake_at_commit(GetCurrentTransactionStartTimestamp());
	PG_RETURN_BOOL(resumed);
}
