/*
 * about.c
 *	  What a call of a task that follows another is about: the reply whose result it
 *	  follows, as it was when the row was claimed.
 *
 * At the settle the result must still be that of the same reply: what was said about an
 * older one is kept in the ledger alone, and the row waits again.
 */
#include "postgres.h"

#include "db/db.h"
#include "ledger/ledger.h"
#include "loop.h"
#include "task/task.h"

/* The task that the call's task follows; NULL: none, or it is gone. */
static const LlavaTask *
task_before(const Call *call)
{
	return call->task->after == NULL ? NULL : task_named(call->set->tasks, call->task->after);
}

/* The call is not sent: it has nothing to follow. */
static void
follows_nothing(Loop *loop, Call *call, const char *why)
{
	call->end.fault = "nothing_to_follow";
	call->end.fault_detail = MemoryContextStrdup(loop->context, why);
}

/* The row of the call is locked: a result that changes from now on takes the row away. */
static void
about_read_call(Loop *loop, Call *call, const LlavaTask *before)
{
	bool		inserts = task_placeholders(call->task) != 0;
	Datum		result;
	const char *why;
	char	   *prompt;

	call->about = before == NULL ? 0 : result_read(call->image, before, &result);
	if (call->about == 0)
	{
		/* who was named needs no result, unless its prompt does */
		if (inserts || !call->row.released)
			follows_nothing(loop, call, "the picture has no result of the task that this one follows");
		return;
	}
	if (!inserts)
		return;
	prompt = inserted_prompt(call->task, before, result, &why);
	if (prompt == NULL)
	{
		follows_nothing(loop, call, why);
		return;
	}
	call->request.prompt = MemoryContextStrdup(loop->context, prompt);
	pfree(prompt);
}

void
about_read(Loop *loop)
{
	foreach_call(call, loop, CALL_CLAIMED)
	{
		if (call->task->after != NULL)
			about_read_call(loop, call, task_before(call));
	}
}

bool
about_is_outdated(const Call *call)
{
	const LlavaTask *before = task_before(call);

	return call->about != 0 && before != NULL && result_reply(call->image, before) != call->about;
}
