/*
 * call.c
 *	  Moves calls from state to state, and keeps the counters in step.
 *
 * The counters are derived from the lists, so that no caller has to walk them.  Every
 * function that changes a call's state or server first removes the call from the counters
 * (count(call, -1)), changes it, and adds it again.  A build with assertions compares
 * counters and lists once a turn.
 */
#include "postgres.h"

#include "loop.h"
#include "process/process.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

LlavaTask *
taskset_task(const TaskSet *set, const char *name)
{
	ListCell   *cell;

	foreach(cell, set->tasks)
	{
		LlavaTask  *task = lfirst(cell);

		if (strcmp(task->name, name) == 0)
			return task;
	}
	return NULL;
}

void
taskset_release(TaskSet *set)
{
	if (--set->users == 0)
		MemoryContextDelete(set->context);
}

void
server_read_release(ServerRead *read)
{
	if (--read->users > 0)
		return;
	/* the API key must not stay in freed memory */
	if (read->key != NULL)
		explicit_bzero(read->key, strlen(read->key));
	MemoryContextDelete(read->context);
}

/* Whether calls in this state have a server and are not sent yet. */
static bool
is_unsent(CallState state)
{
	return state == CALL_PREPARING || state == CALL_HASHED || state == CALL_READY;
}

/* Adds the call to (1) or removes it from (-1) the counters of its server and task. */
static void
count(const Call *call, int change)
{
	if (call->state == CALL_SENT)
		task_counter_add(call->task->counter, change);
	if (call->server == NULL)
		return;
	call->server->calls += change;
	if (is_unsent(call->state))
		call->server->unsent += change;
	if (call->state == CALL_SENT)
		call->server->in_flight += change;
}

/* Whether the move is progress in the sense of stall.c; giving a row back unsent is not. */
static bool
is_progress(const Call *call, CallState to)
{
	return call->state == CALL_SENT || call->end.fault != NULL ||
		(call->state == CALL_PREPARING && to != CALL_FINISHED) || to == CALL_SENT;
}

Call *
call_new(Loop *loop)
{
	Call	   *call = MemoryContextAllocZero(loop->context, sizeof(Call));

	call->set = loop->claims.tasks;
	call->set->users++;
	call->state = CALL_CLAIMED;
	call->retry.company = -1;
	dlist_push_tail(&loop->calls.lists[CALL_CLAIMED], &call->node);
	loop->calls.held++;
	return call;
}

/* Removes the call from the list of its state, and from the counters. */
static void
leave_list(Call *call)
{
	count(call, -1);
	dlist_delete(&call->node);
	if (call->state == CALL_SENT && call->row.company > 0)
		limits_suspect_back(call->server->limits);
}

void
call_move(Loop *loop, Call *call, CallState state)
{
	if (is_progress(call, state))
		stall_progress();
	leave_list(call);
	call->state = state;

	/*
	 * a suspect in the middle of the list would wait for others, and others
	 * for it
	 */
	if (state == CALL_READY && call->row.company > 0)
		dlist_push_head(&loop->calls.lists[state], &call->node);
	else
		dlist_push_tail(&loop->calls.lists[state], &call->node);
	count(call, 1);
}

void
call_set_server(Call *call, ServerState *server)
{
	count(call, -1);
	call->server = server;
	count(call, 1);
}

void
call_free(Loop *loop, Call *call)
{
	leave_list(call);
	call_set_bytes(loop, call, 0);
	if (call->fit.job != NULL)
		image_job_free(call->fit.job);
	if (call->end.fault_detail != NULL)
		pfree(call->end.fault_detail);
	if (call->row.refused_by != NULL)
		pfree(call->row.refused_by);
	if (call->request.prompt != NULL)
		pfree(call->request.prompt);
	if (call->row.server != NULL)
		pfree(call->row.server);
	if (call->row.not_server != NULL)
		pfree(call->row.not_server);
	vlm_response_free(&call->end.response);
	vlm_envelope_free(&call->end.envelope);
	reply_result_free(&call->end.result);
	taskset_release(call->set);
	if (call->request.sent)
		limits_settled(call->server->limits, call->end.cost);
	if (call->request.under != NULL)
		server_read_release(call->request.under);
	loop->calls.held--;
	pfree(call);
}

void
calls_free(Loop *loop, CallState state)
{
	foreach_call(call, loop, state)
	{
		call_free(loop, call);
	}
}

void
call_set_bytes(Loop *loop, Call *call, int64 bytes)
{
	loop->calls.bytes += bytes - call->fit.bytes;
	call->fit.bytes = bytes;
}

CallEnding
call_ending(const Call *call)
{
	if (call->end.fault != NULL)
		return CALL_FAULT;
	if (!call->request.sent)
		return CALL_UNSENT;
	return call->end.outcome.action == VLM_DONE ? CALL_ANSWERED : CALL_FAILED;
}

bool
call_run(const Call *call, SqlStatement *statement, const NullableDatum *values, int n)
{
	Datum		all[CALL_VALUES];
	char		nulls[CALL_VALUES];

	Assert(n <= CALL_VALUES - 3);
	memset(nulls, ' ', sizeof(nulls));
	all[0] = Int64GetDatum(call->image);
	all[1] = CStringGetTextDatum(call->task->name);
	all[2] = Int64GetDatum(call->id);
	for (int i = 0; i < n; i++)
	{
		all[3 + i] = values[i].value;
		nulls[3 + i] = values[i].isnull ? 'n' : ' ';
	}
	return sql_run(statement, all, nulls, 0) > 0;
}

#ifdef USE_ASSERT_CHECKING

static void
check_server(const Loop *loop, const ServerState *server)
{
	int			calls = 0;
	int			unsent = 0;
	int			in_flight = 0;

	for (int state = 0; state < CALL_STATES; state++)
	{
		foreach_call(call, loop, state)
		{
			if (call->server != server)
				continue;
			calls++;
			unsent += is_unsent((CallState) state);
			in_flight += state == CALL_SENT;
		}
	}
	Assert(calls == server->calls);
	Assert(unsent == server->unsent);
	Assert(in_flight == server->in_flight);
}

void
calls_check(const Loop *loop)
{
	int			held = 0;

	for (int state = 0; state < CALL_STATES; state++)
	{
		foreach_call(call, loop, state)
		{
			Assert(call->state == (CallState) state);
			held++;
		}
	}
	Assert(held == loop->calls.held);
	foreach_server(server, loop)
	{
		check_server(loop, server);
	}
}

#endif
