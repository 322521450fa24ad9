/*
 * ended.c
 *	  Requests that have ended, until they are written down.
 *
 * Each is settled in a subtransaction of its own, many in one transaction.  What a user's
 * lock or a full disk keeps from being settled is kept, and tried again.
 */
#include "postgres.h"

#include "errand.h"
#include "process/process.h"
#include "utils/memutils.h"

/* Other errors of its own end its row after so many tries. */
#define SETTLE_TRIES 3

#define SETTLES_AT_ONCE 32

/* A pass begins no more settles after this long: locks are waited for. */
#define PASS_MS 100

/* What is locked is tried again after SETTLE_PAUSE_MS, and so often after twice as long. */
#define MOST_DOUBLINGS 5

void
ended_take(Fetcher *fetcher)
{
	WebResponse response;

	while (web_pool_next(fetcher->pool, &response))
	{
		Errand	   *errand = response.user;

		errand->response = response;
		fetcher->ended_bytes += response.body_size;
		fetcher->settle_at = DT_NOBEGIN;
		dlist_delete(&errand->node);
		dlist_push_tail(&fetcher->ended, &errand->node);
	}
}

static void
finish(Fetcher *fetcher, Settle *settle)
{
	dlist_delete(&settle->errand->node);
	fetcher->ended_bytes -= settle->errand->response.body_size;
	errand_free(settle->errand);
	fetcher->n_flying--;
	if (settle->next != NULL)
		fetcher_add_hop(fetcher, settle->next);
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

/* False: it stays with those that have ended. */
static bool
settle_one(Settle *settle)
{
	ErrorData  *error;

	if (tx_try(CurrentMemoryContext, settle_errand, settle, &error))
		return true;
	/* another request was part of what was rolled back */
	if (settle->next != NULL)
		errand_free(settle->next);
	settle->next = NULL;
	if (give_up_settling(settle, error))
		return true;
	settle->errand->settle_at_ms = clock_monotonic_ms() + (SETTLE_PAUSE_MS << settle->errand->settle_waits);
	settle->errand->settle_waits = Min(settle->errand->settle_waits + 1, MOST_DOUBLINGS);
	return false;
}

/*
 * Each in a subtransaction of its own: one that fails keeps none of the others.  Each with
 * memory of its own, too: pictures are copied.  Returns what is to be finished.  What has
 * failed is behind the others, however many have.
 */
static List *
settle_some(Fetcher *fetcher)
{
	MemoryContext context = AllocSetContextCreate(fetcher->context, "llava_zh settle", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	List	   *done = NIL;
	int64		begun_ms = clock_monotonic_ms();
	dlist_mutable_iter iter;
	int			n = 0;

	dlist_foreach_modify(iter, &fetcher->ended)
	{
		Errand	   *errand = dlist_container(Errand, node, iter.cur);
		Settle	   *settle;

		if (errand->settle_at_ms > clock_monotonic_ms())
			continue;
		if (++n > SETTLES_AT_ONCE || clock_monotonic_ms() - begun_ms > PASS_MS)
			break;
		settle = MemoryContextAllocZero(fetcher->context, sizeof(Settle));
		settle->fetcher = fetcher;
		settle->errand = errand;
		if (settle_one(settle))
		{
			MemoryContextSwitchTo(fetcher->context);
			done = lappend(done, settle);
			MemoryContextSwitchTo(context);
		}
		else
		{
			dlist_delete(&errand->node);
			dlist_push_tail(&fetcher->ended, &errand->node);
		}
		MemoryContextReset(context);
		fetcher_serve(fetcher);
	}
	MemoryContextSwitchTo(caller);
	return done;
}

bool
ended_settle(Fetcher *fetcher)
{
	TimestampTz later = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), SETTLE_PAUSE_MS);
	List	   *done;
	ListCell   *cell;
	bool		any;

	fetcher->settle_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), llava_naptime);
	if (!tx_begin(&fetcher->tx, "llava_zh: writing down what has come"))
		return false;
	done = settle_some(fetcher);
	(void) tx_commit(&fetcher->tx, NULL);
	foreach(cell, done)
		finish(fetcher, lfirst(cell));
	any = done != NIL;
	MemoryContextReset(fetcher->context);
	fetcher->claim_at = DT_NOBEGIN;
	fetcher->settle_at = any ? DT_NOBEGIN : later;
	return any;
}
