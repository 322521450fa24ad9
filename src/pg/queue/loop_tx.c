/*
 * loop_tx.c
 *	  The loop's transactions: db/tx.c's, with what the process shows meanwhile.
 */
#include "postgres.h"

#include "db/db.h"
#include "loop.h"
#include "process/process.h"
#include "stall.h"

typedef struct Work
{
	Loop	   *loop;
	void		(*work) (Loop *loop, void *arg);
	void	   *arg;
} Work;

/* Calls of loop_try that are under way in each other. */
static int	tries;

bool
loop_begin(Loop *loop, const char *activity)
{
	tries = 0;
	return tx_begin(&loop->tx, activity);
}

const char *
loop_waits_for(const Loop *loop)
{
	const char *words = in_the_way_activity(loop);

	if (words == NULL)
		words = restore_activity(loop);
	if (words == NULL)
		words = postponed_activity();
	return words != NULL ? words : absent_activity(loop);
}

XLogRecPtr
loop_commit(Loop *loop)
{
	const char *words = loop_waits_for(loop);

	return tx_commit(&loop->tx, words != NULL ? words : stall_activity());
}

static void
do_work(void *arg)
{
	Work	   *work = arg;

	work->work(work->loop, work->arg);
}

bool
loop_try(Loop *loop, void (*work) (Loop *loop, void *arg), void *arg, ErrorData **error)
{
	Work		all = {loop, work, arg};
	bool		done;

	if (tries++ == 0)
		in_the_way_watch(loop);
	done = tx_try(loop->context, do_work, &all, error);
	if (tries == 1)
		in_the_way_look(loop, *error);
	tries--;
	return done;
}
