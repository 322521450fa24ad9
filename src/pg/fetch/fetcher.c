/*
 * fetcher.c
 *	  The loop of the process that fetches.
 *
 * A turn settles what has come, looks for hosts that have rows, claims what is due, sends
 * it, and waits; no transaction is open meanwhile.  A request begins only when the claim,
 * and with it its host's free_at, is safe on disk.
 */
#include "postgres.h"

#include "access/xact.h"
#include "errand.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "process/process.h"
#include "utils/memutils.h"

/* Most hosts claimed in one transaction. */
#define CLAIM_HOSTS 64

/* In the middle of long work sockets are served about so often. */
#define SERVE_MS 2

#define MOST_PER_ADDRESS 8

bool
fetch_is_on(void)
{
	return llava_fetch && llava_fetch_contact[0] != '\0';
}

/* ---- settings ---- */

static void
read_config(WebPoolConfig *config)
{
	const char *bad;

	memset(config, 0, sizeof(*config));
	(void) web_nets_parse(llava_fetch_allow, &config->allow, &bad);
	strlcpy(config->nameservers, llava_fetch_nameservers, sizeof(config->nameservers));
	snprintf(config->agent, sizeof(config->agent), "%s/%s (+%s)", FETCHER_AGENT, LLAVA_ZH_VERSION, llava_fetch_contact);
	if (strchr(llava_fetch_contact, '@') != NULL)
		strlcpy(config->from, llava_fetch_contact, sizeof(config->from));
	config->max_connections = llava_fetch_in_flight * 4;
	config->max_per_address = MOST_PER_ADDRESS;
}

static void
warn_of_settings(const WebPoolConfig *config)
{
	if (web_nets_are_inside(&config->allow))
		ereport(WARNING,
				(errmsg("llava_zh.fetch_allow lets the fetcher connect to addresses that are not public: %s", llava_fetch_allow),
				 errdetail("Whoever may INSERT into llava_image can have them asked.")));
}

void
fetcher_reload(Fetcher *fetcher)
{
	WebPoolConfig config;
	const char *bad;

	read_config(&config);
	(void) web_reservations_parse(llava_fetch_reservations, &fetcher->honoured, &bad);
	if (!web_pool_configure(fetcher->pool, &config))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("could not use llava_zh.fetch_nameservers: %s", llava_fetch_nameservers)));
	warn_of_settings(&config);
	fetcher->claim_at = fetcher->discovery.at = DT_NOBEGIN;
}

void
fetcher_serve(Fetcher *fetcher)
{
	static int64 served_ms;
	int64		now_ms = clock_monotonic_ms();

	if (now_ms - served_ms < SERVE_MS)
		return;
	served_ms = now_ms;
	web_pool_step(fetcher->pool);
}

bool
fetcher_try(void (*work) (void *arg), void *arg)
{
	ErrorData  *error;

	if (tx_try(CurrentMemoryContext, work, arg, &error))
		return true;
	if (!tx_error_passes(error))
		ReThrowError(error);
	return false;
}

Fetcher *
fetcher_new(void)
{
	Fetcher    *fetcher = MemoryContextAllocZero(TopMemoryContext, sizeof(Fetcher));
	WebPoolConfig config;
	const char *bad;

	read_config(&config);
	(void) web_reservations_parse(llava_fetch_reservations, &fetcher->honoured, &bad);
	fetcher->context = AllocSetContextCreate(TopMemoryContext, "llava_zh fetcher", ALLOCSET_DEFAULT_SIZES);
	fetcher->pool = web_pool_new(&config);
	if (fetcher->pool == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not create the pool of requests")));
	/* the only sleep is the transport's, which has a pool of its own */
	(void) transport_pool(1);
	dlist_init(&fetcher->claimed);
	dlist_init(&fetcher->ready);
	dlist_init(&fetcher->flying);
	dlist_init(&fetcher->ended);
	dlist_init(&fetcher->hops);
	fetcher->claim_at = fetcher->settle_at = fetcher->discovery.at = DT_NOBEGIN;
	warn_of_settings(&config);
	return fetcher;
}

/* ---- claims ---- */

static SqlStatement sql_restoring = {
	.text = "SELECT @.llava_restoring()",
	.types = ""
};

static bool
is_being_restored(void)
{
	bool		isnull;

	(void) sql_run(&sql_restoring, NULL, NULL, 0);
	(void) SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	return !isnull;
}

void
fetcher_add_hop(Fetcher *fetcher, Errand *errand)
{
	errand->wanted_ms = 0;
	dlist_push_tail(&fetcher->hops, &errand->node);
	fetcher->n_hops++;
}

void
fetcher_drop(Fetcher *fetcher, Errand *errand)
{
	errand_let_go(errand);
	if (errand->robots_hops > 0)
		fetcher_add_hop(fetcher, errand);
	else
		errand_free(errand);
}

/* What was claimed in a transaction that failed was not. */
static void
drop_claimed(Fetcher *fetcher)
{
	if (fetcher->making != NULL)
		fetcher_drop(fetcher, fetcher->making);
	fetcher->making = NULL;
	while (!dlist_is_empty(&fetcher->claimed))
		fetcher_drop(fetcher, dlist_container(Errand, node, dlist_pop_head_node(&fetcher->claimed)));
}

typedef struct ClaimStep
{
	Fetcher    *fetcher;
	TimestampTz now;
	int			room;
	int			claimed;
	TimestampTz next;
} ClaimStep;

static void
claim_step(void *arg)
{
	ClaimStep  *step = arg;
	TimestampTz soon = TimestampTzPlusMilliseconds(step->now, SETTLE_PAUSE_MS);
	bool		stuck;

	if (is_being_restored())
		return;
	step->claimed = claim_errands(step->fetcher, step->now, step->room, &stuck);
	step->next = hosts_next(DT_NOBEGIN);
	/* hosts that others have locked are due, and nothing can be done about it */
	if (stuck && step->next <= step->now)
		step->next = Min(hosts_next(step->now), soon);
	/* whose hosts may have been put in line by nobody else */
	if (step->fetcher->n_hops > 0)
		step->next = Min(step->next, TimestampTzPlusMilliseconds(step->now, HOP_LOOK_MS));
}

/* All times of the wall are for nothing after it was set.  True: it was. */
static bool
look_at_clock(Fetcher *fetcher)
{
	int64		step = clock_step_ms();

	if (step == 0)
		return false;
	ereport(LOG,
			(errmsg("llava_zh: the clock was set %s by " INT64_FORMAT " s", step < 0 ? "back" : "forward",
					((step < 0 ? -step : step) + 500) / 1000)));
	fetcher->discovery.clock_step_ms += step;
	hosts_look_from(DT_NOBEGIN);
	fetcher->claim_at = fetcher->settle_at = fetcher->discovery.at = DT_NOBEGIN;
	return true;
}

static void
claim(Fetcher *fetcher)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz nap = TimestampTzPlusMilliseconds(now, llava_naptime);
	ClaimStep	step = {.fetcher = fetcher,.now = now,.next = nap};

	/*
	 * by a clock that was set all hosts would be due; the times are mended
	 * first
	 */
	if (look_at_clock(fetcher))
		return;
	step.room = Min(llava_fetch_in_flight - fetcher->n_flying, CLAIM_HOSTS);
	fetcher->claim_at = nap;
	if (!tx_begin(&fetcher->tx, "llava_zh: claiming what is due"))
		return;
	if (fetcher_try(claim_step, &step))
		fetcher->claim_at = Min(nap, step.next);
	else
	{
		step.claimed = 0;
		drop_claimed(fetcher);
		hosts_look_from(DT_NOBEGIN);
		fetcher->claim_at = TimestampTzPlusMilliseconds(now, SETTLE_PAUSE_MS);
	}
	/* before a request begins its host's free_at must be safe */
	if (step.claimed > 0)
		tx_commit_as("local");
	(void) tx_commit(&fetcher->tx, NULL);
	while (!dlist_is_empty(&fetcher->claimed))
		dlist_push_tail(&fetcher->ready, dlist_pop_head_node(&fetcher->claimed));
	fetcher->n_flying += step.claimed;
}

static void
send_errand(Fetcher *fetcher, Errand *errand)
{
	WebRequest	request = {
		.url = &errand->url,
		.max_bytes = errand->row.image == 0 ? WEB_ROBOTS_MAX : (size_t) llava_image_max_size * 1024,
		.deadline_ms = errand->row.image == 0 ? Min(llava_fetch_timeout, 30000) : llava_fetch_timeout,
		.images_only = errand->row.image != 0,
		.cut_is_enough = errand->row.image == 0,
		.unverified = errand->unverified,
		.user = errand
	};

	errand->sent_at = GetCurrentTimestamp();
	dlist_delete(&errand->node);
	dlist_push_tail(&fetcher->flying, &errand->node);
	if (web_pool_submit(fetcher->pool, &request))
		return;
	errand->response.fault = WEB_FAULT_MEMORY;
	errand->response.retry_after_ms = -1;
	dlist_delete(&errand->node);
	dlist_push_tail(&fetcher->ended, &errand->node);
}

static void
send_ready(Fetcher *fetcher)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &fetcher->ready)
		send_errand(fetcher, dlist_container(Errand, node, iter.cur));
}

/* ---- a turn ---- */

static bool
may_claim(const Fetcher *fetcher)
{
	return fetch_is_on() && fetcher->discovery.started && fetcher->n_flying < llava_fetch_in_flight &&
		web_pool_bytes(fetcher->pool) + fetcher->ended_bytes < (size_t) llava_fetch_memory * 1024;
}

static void
wait_for_something(Fetcher *fetcher)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz until = TimestampTzPlusMilliseconds(now, llava_naptime);
	int64		pool_ms = web_pool_prepare_wait(fetcher->pool);
	long		wait;

	if (!dlist_is_empty(&fetcher->ended))
		until = Min(until, fetcher->settle_at);
	if (fetch_is_on())
		until = Min(until, fetcher->discovery.at);
	if (may_claim(fetcher))
		until = Min(until, fetcher->claim_at);
	wait = until <= now ? 0 : (long) ((until - now + 999) / 1000);
	if (pool_ms >= 0 && pool_ms < wait)
		wait = (long) pool_ms;
	if (transport_wait(web_pool_fd(fetcher->pool), wait))
		discover_news(fetcher);
	web_pool_step(fetcher->pool);
}

void
fetcher_turn(Fetcher *fetcher)
{
	(void) look_at_clock(fetcher);
	ended_take(fetcher);
	if (!dlist_is_empty(&fetcher->ended) && GetCurrentTimestamp() >= fetcher->settle_at)
		(void) ended_settle(fetcher);
	if (fetch_is_on() && GetCurrentTimestamp() >= fetcher->discovery.at)
		discover(fetcher);
	if (may_claim(fetcher) && GetCurrentTimestamp() >= fetcher->claim_at)
		claim(fetcher);
	send_ready(fetcher);
	wait_for_something(fetcher);
}

void
fetcher_recover(Fetcher *fetcher, int rest_ms)
{
	TimestampTz later = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), rest_ms);

	drop_claimed(fetcher);
	hosts_look_from(DT_NOBEGIN);
	MemoryContextReset(fetcher->context);
	fetcher->claim_at = fetcher->settle_at = fetcher->discovery.at = later;
}

/* Lease and host of what has not come are given back; its delay counts from now on. */
void
fetcher_wind_up(Fetcher *fetcher)
{
	dlist_head *lists[] = {&fetcher->ready, &fetcher->flying, &fetcher->ended};

	ended_take(fetcher);
	while (!dlist_is_empty(&fetcher->ended) && ended_settle(fetcher))
		;
	if (!tx_begin(&fetcher->tx, "llava_zh: giving back what was claimed"))
		return;
	for (int i = 0; i < lengthof(lists); i++)
	{
		dlist_iter	iter;

		dlist_foreach(iter, lists[i])
			settle_give_back(dlist_container(Errand, node, iter.cur));
	}
	(void) tx_commit(&fetcher->tx, NULL);
}
