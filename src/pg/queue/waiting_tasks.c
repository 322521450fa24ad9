/*
 * waiting_tasks.c
 *	  Tasks whose rows nobody will send as things are, and why, for llava_progress and
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

static ServersSeen
look_at_servers(void)
{
	ServersSeen seen = {false};
	ListCell   *cell;

	foreach(cell, server_oids())
	{
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

/* Of a task that names this server. */
static TaskWaits
waits_for_named(const char *name)
{
	Oid			oid = get_foreign_server_oid(name, true);

	if (!OidIsValid(oid) || !list_member_oid(server_oids(), oid))
		return no_server(psprintf("server \"%s\", which the task names, does not exist", name));
	if (server_rank(GetForeignServer(oid)->owner) == LIMITS_OF_OTHERS)
		return no_server(psprintf("workers do not use server \"%s\", which the task names: see its owner in llava_stat_server",
								  name));
	if (server_is_paused(oid))
		return paused(psprintf("server \"%s\", which the task names, is paused: see llava_stat_server", name));
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
waits_stopped(const TaskStopped *stopped, const char *kind)
{
	return (TaskWaits)
	{
		"stopped",
			psprintf("the first replies of version %d were all rejected (%s): see llava_reply of image " INT64_FORMAT ", id " INT64_FORMAT ". %s A new version lets it go on, or llava_resume_task(%s)",
					 stopped->version, stopped->reason, stopped->image, stopped->call,
					 task_shape(task_kind(kind)), quote_literal_cstr(stopped->task))
	};
}

/* llava_waiting_tasks(): of each such task the state and the reason. */
Datum
llava_waiting_tasks(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ServersSeen seen = look_at_servers();
	List	   *all = task_stopped_all();
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, task_newest())
	{
		const TaskNewest *task = lfirst(cell);
		const TaskStopped *stopped = task_stopped_in(all, task->name, task->version);
		TaskWaits	waits = stopped != NULL ? waits_stopped(stopped, task->kind) :
		task->server != NULL ? waits_for_named(task->server) : waits_for_any(&seen);
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
