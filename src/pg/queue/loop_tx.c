/*
 * loop_tx.c
 *	  The loop's transactions: those of db/tx.c, plus what pg_stat_activity shows between
 *	  them, and the reports of in_the_way.c about locks.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "loop.h"
#include "process/process.h"

typedef struct LoopWork
{
	Loop	   *loop;
	void		(*work) (Loop *loop, void *arg);
	void	   *arg;
} LoopWork;

/* Nesting depth of loop_try; only the outermost watches for locks. */
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

Datum
loop_bigints(Datum *values, int n)
{
	return PointerGetDatum(construct_array(values, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
										   TYPALIGN_DOUBLE));
}

static void
do_work(void *arg)
{
	LoopWork   *work = arg;

	work->work(work->loop, work->arg);
}

bool
loop_try(Loop *loop, void (*work) (Loop *loop, void *arg), void *arg, ErrorData **error)
{
	LoopWork	all = {loop, work, arg};
	bool		done;

	if (tries++ == 0)
		in_the_way_watch(loop);
	done = tx_try(loop->context, do_work, &all, error);
	if (tries == 1)
		in_the_way_look(loop, *error);
	tries--;
	return done;
}
