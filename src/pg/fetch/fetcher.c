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
#include "utils/builtins.h"
#include "utils/memutils.h"

/* Most hosts claimed, and most looked at for rows, in one transaction. */
#define CLAIM_HOSTS 64
#define DISCOVER_HOSTS 200

/* A pass over all hosts begins at most so often. */
#define DISCOVER_PAUSE_MS 500

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
	fetcher->claim_at = fetcher->discover_at = DT_NOBEGIN;
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
	fetcher->claim_at = fetcher->settle_at = fetcher->discover_at = DT_NOBEGIN;
	warn_of_settings(&config);
	return fetcher;
}

/* ---- which hosts there are ---- */

/* The next hosts of the pass; false: it has come to the end. */
static bool
discover_hosts(Fetcher *fetcher)
{
	char	   *host = fetcher->discovered == NULL ? pstrdup("") : pstrdup(fetcher->discovered);
	char	   *url;

	for (int i = 0; i < DISCOVER_HOSTS; i++)
	{
		WebUrl		parsed;
		char		name[WEB_HOST_MAX + 1];
		char		domain[WEB_HOST_MAX + 1];

		host = host_after(host, &url);
		if (host == NULL)
			return false;
		if (web_url_parse(url, strlen(url), config_fetch_ports(), &parsed) != NULL)
		{
			/* a port that the settings no longer let in */
			(void) host_rest_rows(host, "port", "the URL cannot be fetched with the settings of today", 1000);
			continue;
		}
		strlcpy(name, parsed.host, sizeof(name));
		strlcpy(domain, parsed.domain, sizeof(domain));
		web_url_free(&parsed);
		host_wanted(host, name, domain);
	}
	if (fetcher->discovered != NULL)
		pfree(fetcher->discovered);
	fetcher->discovered = MemoryContextStrdup(TopMemoryContext, host);
	return true;
}

static SqlStatement sql_wide_feeders = {
	.text =
	"SELECT pg_catalog.string_agg(CASE a.grantee WHEN 0 THEN 'PUBLIC'"
	"  ELSE pg_catalog.pg_get_userbyid(a.grantee)::pg_catalog.text END, ', ')"
	" FROM pg_catalog.pg_class c, LATERAL pg_catalog.aclexplode(c.relacl) a"
	" WHERE c.oid = '@.llava_image'::pg_catalog.regclass AND a.privilege_type = 'INSERT' AND a.grantee <> c.relowner",
	.types = ""
};

/* What was granted before there was fetching may be more than was meant. */
static void
warn_of_feeders(void)
{
	char	   *roles;

	(void) sql_run(&sql_wide_feeders, NULL, NULL, 0);
	roles = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (roles != NULL)
		ereport(WARNING,
				(errmsg("llava_zh: roles that may INSERT into any column of \"llava_image\" can make this server send requests: %s", roles),
				 errhint("GRANT INSERT on the columns that they need: without source_url nothing is fetched.")));
}

/* A step of a transaction, and what came of it. */
typedef struct Step
{
	Fetcher    *fetcher;
	TimestampTz now;
	int			room;
	int			claimed;
	bool		more;			/* there are hosts behind those that were
								 * looked at */
	TimestampTz next;
} Step;

/* False: a user's lock or a full disk is in the way, and it is to be tried again. */
static bool
try_step(void (*work) (void *arg), Step *step)
{
	ErrorData  *error;

	if (tx_try(CurrentMemoryContext, work, step, &error))
		return true;
	if (!tx_error_passes(error))
		ReThrowError(error);
	return false;
}

static void
discover_step(void *arg)
{
	Step	   *step = arg;

	if (!step->fetcher->started)
	{
		hosts_release(llava_fetch_delay);
		warn_of_feeders();
	}
	step->more = discover_hosts(step->fetcher);
}

static void
discover(Fetcher *fetcher)
{
	TimestampTz now = GetCurrentTimestamp();
	Step		step = {.fetcher = fetcher};

	fetcher->discover_at = TimestampTzPlusMilliseconds(now, llava_naptime);
	if (!tx_begin(&fetcher->tx, "llava_zh: looking for hosts"))
		return;
	if (!try_step(discover_step, &step))
	{
		fetcher->discover_at = TimestampTzPlusMilliseconds(now, SETTLE_PAUSE_MS);
		(void) tx_commit(&fetcher->tx, NULL);
		return;
	}
	fetcher->started = true;
	if (step.more)
		fetcher->discover_at = now;
	else
	{
		if (fetcher->discovered != NULL)
			pfree(fetcher->discovered);
		fetcher->discovered = NULL;
		if (fetcher->discover_again)
			fetcher->discover_at = TimestampTzPlusMilliseconds(now, DISCOVER_PAUSE_MS);
		fetcher->discover_again = false;
	}
	(void) tx_commit(&fetcher->tx, NULL);
	fetcher->claim_at = DT_NOBEGIN;
}

/* A commit has queued rows: after the pass that is under way there is another one. */
static void
look_for_news(Fetcher *fetcher)
{
	TimestampTz earliest;
	TimestampTz soon = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), DISCOVER_PAUSE_MS / 10);

	if (!wake_take_queued(&earliest) || earliest == DT_NOEND)
		return;
	if (fetcher->discovered != NULL)
		fetcher->discover_again = true;
	else if (fetcher->discover_at > soon)
		fetcher->discover_at = soon;
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

/* What was claimed in a transaction, or a part of one, that failed was not. */
static void
drop_claimed(Fetcher *fetcher)
{
	while (!dlist_is_empty(&fetcher->claimed))
	{
		Errand	   *errand = dlist_container(Errand, node, dlist_pop_head_node(&fetcher->claimed));

		if (errand->robots_hops > 0)
			dlist_push_tail(&fetcher->hops, &errand->node);
		else
			errand_free(errand);
	}
}

static void
claim_step(void *arg)
{
	Step	   *step = arg;

	if (is_being_restored())
		return;
	step->claimed = claim_errands(step->fetcher, step->now, step->room);
	step->next = hosts_next();
}

static void
claim(Fetcher *fetcher)
{
	int			room = Min(llava_fetch_in_flight - fetcher->n_flying, CLAIM_HOSTS);
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz nap = TimestampTzPlusMilliseconds(now, llava_naptime);
	Step		step = {.fetcher = fetcher,.now = now,.room = room,.next = nap};

	fetcher->claim_at = nap;
	if (!tx_begin(&fetcher->tx, "llava_zh: claiming what is due"))
		return;
	if (try_step(claim_step, &step))
		fetcher->claim_at = Min(nap, step.next);
	else
	{
		step.claimed = 0;
		drop_claimed(fetcher);
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
	struct timespec monotonic;

	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	errand->sent_at = GetCurrentTimestamp();
	errand->sent_ms = (int64) monotonic.tv_sec * 1000 + monotonic.tv_nsec / 1000000;
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
	return fetch_is_on() && fetcher->started && fetcher->n_flying < llava_fetch_in_flight &&
		web_pool_bytes(fetcher->pool) < (size_t) llava_fetch_memory * 1024;
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
		until = Min(until, fetcher->discover_at);
	if (may_claim(fetcher))
		until = Min(until, fetcher->claim_at);
	wait = until <= now ? 0 : (long) ((until - now + 999) / 1000);
	if (pool_ms >= 0 && pool_ms < wait)
		wait = (long) pool_ms;
	if (transport_wait(web_pool_fd(fetcher->pool), wait))
		look_for_news(fetcher);
	web_pool_step(fetcher->pool);
}

void
fetcher_turn(Fetcher *fetcher, int naptime_ms)
{
	ended_take(fetcher);
	if (!dlist_is_empty(&fetcher->ended) && GetCurrentTimestamp() >= fetcher->settle_at)
		ended_settle(fetcher);
	if (fetch_is_on() && GetCurrentTimestamp() >= fetcher->discover_at)
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
	MemoryContextReset(fetcher->context);
	fetcher->claim_at = fetcher->settle_at = fetcher->discover_at = later;
}

/* Lease and host of what has not come are given back; its delay counts from now on. */
void
fetcher_wind_up(Fetcher *fetcher)
{
	dlist_head *lists[] = {&fetcher->ready, &fetcher->flying};

	ended_take(fetcher);
	if (!dlist_is_empty(&fetcher->ended))
		ended_settle(fetcher);
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
