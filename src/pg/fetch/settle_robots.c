/*
 * settle_robots.c
 *	  What the answer to a request for robots.txt means for its host (RFC 9309, 2.3.1).
 *
 * What there is holds for a day; 4xx is none, and everything is allowed.  A host that
 * answers with an error, or not at all, is left alone for twelve hours; then the last good
 * copy serves for thirty days, and without one its rows rest.
 */
#include "postgres.h"

#include "errand.h"
#include "executor/spi.h"

#define HOUR_US (INT64CONST(3600) * USECS_PER_SEC)
#define ROBOTS_US (24 * HOUR_US + USECS_PER_SEC)
#define UNREACHABLE_US (12 * HOUR_US)
#define GOOD_COPY_US (30 * 24 * HOUR_US)

/* The host whose robots.txt it was, which may be another than the one that was asked. */
static bool
read_owner(const Errand *errand, const Host *asked, Host *owner)
{
	if (strcmp(errand->robots_of, asked->host) != 0)
		return host_read(errand->robots_of, owner);
	*owner = *asked;
	return true;
}

/* Crawl-delay holds for the pace; a longer one than is obeyed lets the rows rest. */
static void
take_crawl_delay(Host *host, const WebRobots *robots)
{
	double		delay = robots == NULL ? -1 : web_robots_crawl_delay(robots);

	host->pace.crawl_delay_ms = delay <= 0 ? 0 : delay > 1e6 ? 1000000000 : (int) (delay * 1000);
	host->rests = NULL;
	if (host->pace.crawl_delay_ms <= llava_fetch_max_delay)
		return;
	host->rests = pstrdup("crawl_delay");
	host->reason = psprintf("robots.txt asks for a Crawl-delay of %g s", delay);
}

/* The rules of today, or that there are none. */
static void
robots_came(Host *host, const Errand *errand, bool any)
{
	const WebResponse *response = &errand->response;
	TimestampTz now = GetCurrentTimestamp();
	bytea	   *before = host->robots_sha256;
	bool		had_rules = host->has_robots;
	uint8_t		digest[IMAGE_SHA256_SIZE];
	const void *text = response->body != NULL ? (const void *) response->body : "";
	bool		changed;

	host->robots_until = now + ROBOTS_US;
	host->robots_good_at = now;
	host->robots_failed_at = DT_NOBEGIN;
	host->robots_unreachable = false;
	if (!errand->unverified || host->reason == NULL || strcmp(host->reason, "tls") != 0)
		host->reason = NULL;
	host->has_robots = any;
	host->robots_sha256 = NULL;
	if (any)
	{
		image_sha256(text, response->body_size, digest);
		host->robots_sha256 = rows_bytea(digest, sizeof(digest));
	}
	changed = had_rules && (!any || before == NULL || memcmp(VARDATA_ANY(before), digest, sizeof(digest)) != 0);
	host_write_robots(host, any ? text : NULL, response->body_size, response->status);
	take_crawl_delay(host, any ? judge_robots(host) : NULL);
	/* what the former rules refused is asked anew, so many rows at a time */
	if (changed && host->rests == NULL)
		host->rests = pstrdup(RESTS_UNTIL_RELEASED);
}

/* It waits; after the second time the last good copy serves, or its rows rest. */
static void
robots_did_not_come(Host *host, const char *reason, const char *detail, int64 wait_us)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		again = !TIMESTAMP_IS_NOBEGIN(host->robots_failed_at);
	bool		good = !TIMESTAMP_IS_NOBEGIN(host->robots_good_at) && now - host->robots_good_at < GOOD_COPY_US;

	if (!again)
	{
		host->robots_failed_at = now;
		host->pace.since_ms = ms_of(now);
		if (host->pace.free_ms < ms_of(now + wait_us))
			host->pace.free_ms = ms_of(now + wait_us);
	}
	else if (good)
		host->robots_until = now + wait_us;
	else
	{
		host->robots_until = DT_NOBEGIN;
		host->rests = pstrdup(reason);
	}
	host->robots_unreachable = strcmp(reason, "robots_unreachable") == 0;
	host->reason = detail == NULL ? NULL : pstrdup(detail);
	host_write_robots_times(host);
}

/* Another host, which a person has stopped, or where many wait already, is not waited for. */
static const char *
why_not_followed(const Settle *settle, const char *host)
{
	Host		there;

	if (settle->fetcher->n_hops >= MOST_HOPS_WAITING)
		return "robots.txt is redirected, as those of many other hosts are";
	if (strcmp(host, settle->errand->host) == 0 || !host_read(host, &there) || !there.parked)
		return NULL;
	return "robots.txt is redirected to a host that is parked";
}

/*
 * Another request for the same robots.txt; false: the redirect leads nowhere, or *why it is
 * not followed.
 */
static bool
follow(Settle *settle, const char **why)
{
	Errand	   *errand = settle->errand;
	const char *location = errand->response.headers[WEB_HEADER_LOCATION];
	WebUrl		to;
	char	   *host;
	Errand	   *next;

	if (location == NULL || errand->robots_hops >= MOST_HOPS ||
		web_url_join(&errand->url, location, config_fetch_ports(), &to) != NULL)
		return false;
	/* what cannot be allocated here leaks one URL */
	host = pnstrdup(to.normal, to.path - to.normal);
	next = errand_new(host, to.domain);
	next->url = to;
	/* from here on an ERROR leaves it to the caller */
	settle->next = next;
	next->robots_of = MemoryContextStrdup(next->context, errand->robots_of);
	next->robots_hops = errand->robots_hops + 1;
	*why = why_not_followed(settle, host);
	if (*why != NULL)
	{
		settle->next = NULL;
		errand_free(next);
		return false;
	}
	host_wanted(host, to.host, to.domain);
	return true;
}

static void
settle_answer(Settle *settle, Host *host)
{
	const WebResponse *response = &settle->errand->response;
	int			status = response->status;
	const char *why = NULL;

	if (status >= 200 && status < 300)
		robots_came(host, settle->errand, true);
	else if (status >= 300 && status < 400 && follow(settle, &why))
		return;
	else if (why != NULL)
		robots_did_not_come(host, "robots_unreachable", why, UNREACHABLE_US);
	else if (status >= 500 || status == 429)
		robots_did_not_come(host, "robots_unreachable", psprintf("robots.txt: HTTP status %d", status), UNREACHABLE_US);
	else
		robots_came(host, settle->errand, false);
}

/* Clash and its kind give each name an address of this range, which is for benchmarks. */
static bool
is_of_proxy(const char *address)
{
	return strncmp(address, "198.18.", 7) == 0 || strncmp(address, "198.19.", 7) == 0;
}

static void
settle_fault(Settle *settle, Host *host, const char *reason)
{
	const WebResponse *response = &settle->errand->response;
	char	   *words = psprintf("robots.txt: %s", rows_clean_text(response->error));

	switch (response->fault)
	{
		case WEB_FAULT_NO_NAME:
			robots_did_not_come(host, reason, words, 24 * HOUR_US);
			break;
		case WEB_FAULT_ADDRESS:
			host->rests = pstrdup(reason);
			host->reason = pstrdup(is_of_proxy(response->address) ?
								   "the name leads to 198.18.0.0/15, as with a proxy that answers all names so: see llava_zh.fetch_allow" :
								   "the name leads to an address that is not public");
			break;
		case WEB_FAULT_NAMES:
		case WEB_FAULT_RESOLVER:
		case WEB_FAULT_BUSY:
		case WEB_FAULT_MEMORY:
			/* the host's pace has noted it: it is asked again by and by */
			break;
		case WEB_FAULT_TLS:
			if (llava_fetch_tls == FETCH_TLS_RECORD && !settle->errand->unverified)
			{
				/* what was never asked for is asked for without a look at it */
				host->reason = pstrdup("tls");
				host->robots_until = DT_NOBEGIN;
				host_write_robots_times(host);
			}
			else
				robots_did_not_come(host, reason, words, 24 * HOUR_US);
			break;
		default:
			robots_did_not_come(host, "robots_unreachable", words, UNREACHABLE_US);
			break;
	}
}

/* asked: whose turn it was. */
void
settle_robots(Settle *settle, Host *asked)
{
	Errand	   *errand = settle->errand;
	Outcome		outcome = {0};
	const char *reason = outcome_fault(&errand->response, &outcome);
	Host		owner;

	if (errand->response.status == 429 || errand->response.status == 503)
		outcome.event = WEB_EVENT_THROTTLED;
	outcome.reason = reason;
	settle_pace(errand, asked, &outcome);
	if (!read_owner(errand, asked, &owner))
	{
		host_put_in_line(asked);
		return;
	}
	if (reason == NULL)
		settle_answer(settle, &owner);
	else
		settle_fault(settle, &owner, reason);
	/* the Crawl-delay that has just been read counts from this request on */
	if (owner.rests == NULL && strcmp(owner.host, asked->host) == 0)
		settle_keep_delay(errand, &owner);
	if (strcmp(owner.host, asked->host) != 0)
		host_put_in_line(asked);
	/* while it is on its way elsewhere its host is still being asked */
	if (settle->next != NULL && strcmp(settle->next->host, owner.host) != 0)
		host_write(&owner, DT_NOEND, true);
	else if (settle->next != NULL)
		host_write(&owner, owner.pace.free_ms * 1000, false);
	else if (owner.rests != NULL)
		host_write(&owner, GetCurrentTimestamp(), false);
	else
		host_put_in_line(&owner);
}
