/*
 * waiting_tasks.c
 *	  Tasks and rows that nobody will send as things are, and why, for llava_progress and
 *	  llava_status.
 */
#include "postgres.h"

#include "foreign/foreign.h"
#include "funcapi.h"
#include "queue.h"
#include "server/server.h"
#include "task/task.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(llava_waiting_tasks);
PG_FUNCTION_INFO_V1(llava_row_waits);

/* What the servers amount to for a task that names none. */
typedef struct ServersSeen
{
	bool		any;
	bool		trusted;		/* workers use one */
	bool		queue;			/* and it takes the queue's rows */
	bool		open;			/* and it is not paused */
} ServersSeen;

/* Why a task's rows are not sent; state NULL: they are. */
typedef struct TaskWaits
{
	const char *state;
	const char *reason;
} TaskWaits;

static const TaskWaits sent = {NULL, NULL};

/* not_server: one that does not count; NULL: all do. */
static ServersSeen
look_at_servers(const char *not_server)
{
	ServersSeen seen = {false};
	ListCell   *cell;

	foreach(cell, server_oids())
	{
		if (not_server != NULL && strcmp(GetForeignServer(lfirst_oid(cell))->servername, not_server) == 0)
			continue;
		seen.any = true;
		if (server_rank(GetForeignServer(lfirst_oid(cell))->owner) == LIMITS_OF_OTHERS)
			continue;
		seen.trusted = true;
		if (!server_takes_queue(lfirst_oid(cell)))
			continue;
		seen.queue = true;
		seen.open |= !server_is_paused(lfirst_oid(cell));
	}
	return seen;
}

static TaskWaits
no_server(const char *reason)
{
	return (TaskWaits)
	{
		"no server", reason
	};
}

static TaskWaits
paused(const char *reason)
{
	return (TaskWaits)
	{
		"paused", reason
	};
}

/* Of rows that name this server, or whose task does. */
static TaskWaits
waits_for_named(const char *name, const char *who)
{
	Oid			oid = get_foreign_server_oid(name, true);

	if (!OidIsValid(oid) || !list_member_oid(server_oids(), oid))
		return no_server(psprintf("server \"%s\", which the %s names, does not exist", name, who));
	if (server_rank(GetForeignServer(oid)->owner) == LIMITS_OF_OTHERS)
		return no_server(psprintf("workers do not use server \"%s\", which the %s names: see its owner in llava_stat_server",
								  name, who));
	if (server_is_paused(oid))
		return paused(psprintf("server \"%s\", which the %s names, is paused: see llava_stat_server", name, who));
	return sent;
}

static TaskWaits
waits_for_any(const ServersSeen *seen)
{
	if (!seen->any)
		return no_server("there is no server: CREATE SERVER ... FOREIGN DATA WRAPPER llava_zh");
	if (!seen->trusted)
		return no_server("workers use none of the servers: see their owners in llava_stat_server");
	if (!seen->queue)
		return no_server(SERVERS_TAKE_NO_QUEUE);
	return seen->open ? sent : paused("all servers that take the queue are paused: see llava_stat_server");
}

static TaskWaits
waits_stopped(const TaskStopped *stopped, const TaskNewest *task)
{
	return (TaskWaits)
	{
		"stopped",
			psprintf("the first replies of version %d were all rejected (%s): see llava_reply of image " INT64_FORMAT ", id " INT64_FORMAT ". %s A new version lets it go on, or llava_resume_task(%s)",
					 stopped->version, stopped->reason, stopped->image, stopped->call,
					 task_shape(task_kind(task->kind), task_language(task->language)), quote_literal_cstr(stopped->task))
	};
}

/* llava_waiting_tasks(): of each such task the state and the reason. */
Datum
llava_waiting_tasks(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ServersSeen seen = look_at_servers(NULL);
	List	   *all = task_stopped_all();
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, task_newest())
	{
		const TaskNewest *task = lfirst(cell);
		const TaskStopped *stopped = task_stopped_in(all, task->name, task->version);
		TaskWaits	waits = stopped != NULL ? waits_stopped(stopped, task) :
		task->server != NULL ? waits_for_named(task->server, "task") : waits_for_any(&seen);
		Datum		values[3] = {CStringGetTextDatum(task->name)};
		bool		nulls[3] = {false};

		if (waits.state == NULL)
			continue;
		values[1] = CStringGetTextDatum(waits.state);
		values[2] = CStringGetTextDatum(waits.reason);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* The server that the newest version of the task names; NULL: none, or there is no such task. */
static const char *
server_of_task(List *tasks, const char *name)
{
	ListCell   *cell;

	foreach(cell, tasks)
	{
		const TaskNewest *task = lfirst(cell);

		if (strcmp(task->name, name) == 0)
			return task->server;
	}
	return NULL;
}

/* The tasks as they are now, kept for the calls of one statement. */
static List *
tasks_of_call(FunctionCallInfo fcinfo)
{
	MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

	if (fcinfo->flinfo->fn_extra == NULL)
		fcinfo->flinfo->fn_extra = task_newest();
	MemoryContextSwitchTo(old);
	return fcinfo->flinfo->fn_extra;
}

/* Of rows that forbid this server, and neither they nor their task name another. */
static TaskWaits
waits_for_others(const char *not_server)
{
	ServersSeen seen = look_at_servers(not_server);

	if (!seen.queue)
		return no_server(psprintf("the row forbids server \"%s\", and no other takes the queue", not_server));
	return seen.open ? sent :
		paused(psprintf("the row forbids server \"%s\", and all others that take the queue are paused: see llava_stat_server",
						not_server));
}

/*
 * llava_row_waits(task, server, not_server): why nobody will send rows of the task that have
 * this pin and prohibition, not both empty; NULL: they are sent.
 */
Datum
llava_row_waits(PG_FUNCTION_ARGS)
{
	const char *pin = text_to_cstring(PG_GETARG_TEXT_PP(1));
	const char *not_server = text_to_cstring(PG_GETARG_TEXT_PP(2));
	const char *of_task = server_of_task(tasks_of_call(fcinfo), text_to_cstring(PG_GETARG_TEXT_PP(0)));
	const char *name = pin[0] != '\0' ? pin : of_task;
	TaskWaits	waits;

	if (name != NULL && strcmp(name, not_server) == 0)
		waits = no_server(psprintf("the row forbids server \"%s\", which %s names", name,
								   pin[0] != '\0' ? "it" : "its task"));
	else
		waits = name == NULL ? waits_for_others(not_server) :
			waits_for_named(name, pin[0] != '\0' ? "row" : "task");
	if (waits.reason == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(waits.reason));
}
