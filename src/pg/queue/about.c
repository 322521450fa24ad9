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

void
about_read(Loop *loop)
{
	foreach_call(call, loop, CALL_CLAIMED)
	{
		const LlavaTask *before = task_before(call);

		if (call->task->after == NULL)
			continue;
		call->about = before == NULL ? 0 : result_reply(call->image, before);
		if (call->about != 0 || call->row.released)
			continue;
		call->end.fault = "nothing_to_follow";
		call->end.fault_detail = MemoryContextStrdup(loop->context,
													 "the picture has no result of the task that this one follows");
	}
}

bool
about_is_outdated(const Call *call)
{
	const LlavaTask *before = task_before(call);

	return call->about != 0 && before != NULL && result_reply(call->image, before) != call->about;
}
