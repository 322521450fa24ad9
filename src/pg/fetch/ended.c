/*
 * ended.c
 *	  Requests that have ended, until they are written down.
 *
 * Each is settled in a subtransaction of its own, many in one transaction.  What a user's
 * lock or a full disk keeps from being settled is kept, and tried again.
 */
#include "postgres.h"

#include "errand.h"
#include "utils/memutils.h"

/* Other errors of its own end its row after so many tries. */
#define SETTLE_TRIES 3

#define SETTLES_AT_ONCE 32

void
ended_take(Fetcher *fetcher)
{
	WebResponse response;

	while (web_pool_next(fetcher->pool, &response))
	{
		Errand	   *errand = response.user;

		errand->response = response;
		dlist_delete(&errand->node);
		dlist_push_tail(&fetcher->ended, &errand->node);
	}
}

static void
finish(Fetcher *fetcher, Settle *settle)
{
	dlist_delete(&settle->errand->node);
	errand_free(settle->errand);
	fetcher->n_flying--;
	if (settle->next != NULL)
		dlist_push_tail(&fetcher->hops, &settle->next->node);
}

static void
settle_error(void *arg)
{
	Settle	   *settle = arg;

	settle_as_error(settle->errand, "it could not be written down: see the server log");
}

/* After an error: whether the errand is done with all the same. */
static bool
give_up_settling(Settle *settle, const ErrorData *error)
{
	ErrorData  *second;

	if (tx_error_passes(error) || ++settle->errand->settle_tries < SETTLE_TRIES)
		return false;
	ereport(WARNING,
			(errmsg("llava_zh: what was fetched for image " INT64_FORMAT " could not be written down: %s",
					settle->errand->row.image, error->message)));
	return tx_try(CurrentMemoryContext, settle_error, settle, &second);
}

/* Each in a subtransaction of its own: one that fails keeps none of the others. */
void
ended_settle(Fetcher *fetcher)
{
	dlist_mutable_iter iter;
	bool		failed = false;
	int			settled = 0;
	List	   *done = NIL;
	ListCell   *cell;

	if (!tx_begin(&fetcher->tx, "llava_zh: writing down what has come"))
	{
		fetcher->settle_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), llava_naptime);
		return;
	}
	dlist_foreach_modify(iter, &fetcher->ended)
	{
		Settle	   *settle = MemoryContextAllocZero(fetcher->context, sizeof(Settle));
		ErrorData  *error;

		if (++settled > SETTLES_AT_ONCE)
			break;
		settle->fetcher = fetcher;
		settle->errand = dlist_container(Errand, node, iter.cur);
		if (tx_try(CurrentMemoryContext, settle_errand, settle, &error) || give_up_settling(settle, error))
		{
			MemoryContext old = MemoryContextSwitchTo(fetcher->context);

			done = lappend(done, settle);
			MemoryContextSwitchTo(old);
		}
		else
		{
			failed = true;
			if (settle->next != NULL)
				errand_free(settle->next);
		}
	}
	(void) tx_commit(&fetcher->tx, NULL);
	foreach(cell, done)
		finish(fetcher, lfirst(cell));
	MemoryContextReset(fetcher->context);
	fetcher->claim_at = DT_NOBEGIN;
	fetcher->settle_at = failed ? TimestampTzPlusMilliseconds(GetCurrentTimestamp(), SETTLE_PAUSE_MS) : DT_NOBEGIN;
}
