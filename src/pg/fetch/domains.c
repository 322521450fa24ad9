/*
 * domains.c
 *	  How many requests go to the hosts of one owner, and whose turn is when.
 *
 * A registered domain may have any number of hosts, and so may an address.  Hosts that find
 * it busy are given turns one behind the other: were all to come back at once, each would
 * be looked at and written again and again while only a few of them can be asked.
 */
#include "postgres.h"

#include "errand.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* Requests at once to hosts of one registered domain. */
#define MOST_PER_DOMAIN 4

/* A host that finds its domain busy waits at least as long, and so long behind another. */
#define BUSY_MS 100
#define TURN_MS 10

/* Domains whose turns are over are forgotten when there are so many. */
#define MOST_KEPT 4096

typedef struct Domain
{
	char		name[WEB_HOST_MAX + 1];
	int			in_flight;
	TimestampTz last_turn;		/* that was given */
} Domain;

static HTAB * domains;

static Domain *
domain_of(const char *name, HASHACTION action)
{
	Domain	   *domain;
	bool		found;

	if (domains == NULL)
	{
		HASHCTL		control = {.keysize = WEB_HOST_MAX + 1,.entrysize = sizeof(Domain),.hcxt = TopMemoryContext};

		domains = hash_create("llava_zh domains", 256, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	}
	domain = hash_search(domains, name, action, &found);
	if (domain != NULL && !found)
	{
		domain->in_flight = 0;
		domain->last_turn = DT_NOBEGIN;
	}
	return domain;
}

static void
forget_if_idle(const Domain *domain, TimestampTz now)
{
	if (domain->in_flight == 0 && domain->last_turn < now)
		(void) hash_search(domains, domain->name, HASH_REMOVE, NULL);
}

void
domain_enter(Errand *errand)
{
	domain_of(errand->domain, HASH_ENTER)->in_flight++;
	errand->counted = true;
}

void
domain_leave(Errand *errand)
{
	Domain	   *domain = errand->counted ? domain_of(errand->domain, HASH_FIND) : NULL;

	errand->counted = false;
	if (domain == NULL)
		return;
	domain->in_flight--;
	forget_if_idle(domain, GetCurrentTimestamp());
}

bool
domain_is_busy(const char *name)
{
	const Domain *domain = domain_of(name, HASH_FIND);

	return domain != NULL && domain->in_flight >= MOST_PER_DOMAIN;
}

TimestampTz
domain_turn(const char *name, TimestampTz now)
{
	TimestampTz soonest = TimestampTzPlusMilliseconds(now, BUSY_MS);
	Domain	   *domain;

	if (domains != NULL && hash_get_num_entries(domains) > MOST_KEPT)
	{
		HASH_SEQ_STATUS all;

		hash_seq_init(&all, domains);
		while ((domain = hash_seq_search(&all)) != NULL)
			forget_if_idle(domain, now);
	}
	domain = domain_of(name, HASH_ENTER);
	domain->last_turn = Max(soonest, domain->last_turn == DT_NOBEGIN ? soonest :
							TimestampTzPlusMilliseconds(domain->last_turn, TURN_MS));
	return domain->last_turn;
}
