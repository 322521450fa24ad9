/*
 * limits_places.c
 *	  Which servers have their limits in shared memory.
 *
 * Places are counted by rank and by group, so that servers which any role may create
 * never displace those that workers use.  The limits of a server without a place apply
 * to each process separately, and its name is listed as far as there is room.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "server_private.h"

/*
 * Places in shared memory of each rank, and how many of them one group may have: one
 * database for servers of its queue's owner, one role in a database for others'
 * servers.
 */
static const struct
{
	int			places;
	int			of_group;
}			ranks[LIMITS_RANKS] =

{
	[LIMITS_OF_SUPERUSER] = {128, 128},
	[LIMITS_OF_QUEUE_OWNER] = {256, 64},
	[LIMITS_OF_OTHERS] = {128, 16},
};

bool
limits_are_shared(const Limits *limits)
{
	return shared_limits != NULL && limits >= shared_limits->servers &&
		limits < shared_limits->servers + MAX_SERVERS;
}

static bool
same_group(const Limits *limits, LimitsRank rank, Oid owner)
{
	if (rank == LIMITS_OF_SUPERUSER)
		return true;
	return limits->database == MyDatabaseId &&
		(rank == LIMITS_OF_QUEUE_OWNER || limits->owner == owner);
}

/* Of two entries without users, the one to be replaced; a may be NULL. */
static Limits *
less_used(Limits *a, Limits *b)
{
	return a == NULL || b->used_at < a->used_at ? b : a;
}

/*
 * A place for a server that has none.  A rank or a group that has all its places gives
 * up the least recently used; NULL if all are in use.
 */
static Limits *
find_limits_place(LimitsRank rank, Oid owner)
{
	Limits	   *vacant = NULL;
	Limits	   *of_rank = NULL;
	Limits	   *of_group = NULL;
	int			in_rank = 0;
	int			in_group = 0;

	for (int i = 0; i < MAX_SERVERS; i++)
	{
		Limits	   *limits = &shared_limits->servers[i];

		if (!OidIsValid(limits->database))
			vacant = limits;
		else if (limits->rank == rank)
		{
			bool		group = same_group(limits, rank, owner);

			in_rank++;
			in_group += group ? 1 : 0;
			if (limits->users == 0)
				of_rank = less_used(of_rank, limits);
			if (limits->users == 0 && group)
				of_group = less_used(of_group, limits);
		}
	}
	if (in_group >= ranks[rank].of_group)
		return of_group;
	return in_rank >= ranks[rank].places || vacant == NULL ? of_rank : vacant;
}

void
limits_clear_entry(Limits *limits, Oid server)
{
	memset(limits, 0, sizeof(*limits));
	limits->database = MyDatabaseId;
	limits->server = server;
	vlm_quota_init(&limits->quota);
	vlm_pace_init(&limits->pace, limits_now_ms());
}

Limits *
limits_entry_of(Oid server)
{
	if (shared_limits == NULL)
		return NULL;
	for (int i = 0; i < MAX_SERVERS; i++)
		if (shared_limits->servers[i].database == MyDatabaseId && shared_limits->servers[i].server == server)
			return &shared_limits->servers[i];
	return NULL;
}

Limits *
limits_shared_entry(const LlavaServer *server, LimitsRank rank)
{
	Limits	   *limits = limits_entry_of(server->oid);

	if (limits == NULL)
	{
		limits = find_limits_place(rank, server->owner);
		if (limits == NULL)
			return NULL;
		limits_clear_entry(limits, server->oid);
	}
	/* its owner may have changed */
	limits->rank = rank;
	limits->owner = server->owner;
	limits->used_at = GetCurrentTimestamp();
	limits->users++;
	return limits;
}

/*
 * The listed name of a server whose limits apply to some processes separately; else
 * *vacant is a place for it, or NULL.
 */
static LocalLimits *
find_local(Oid server, LocalLimits **vacant)
{
	*vacant = NULL;
	for (int i = 0; i < MAX_LOCAL; i++)
	{
		LocalLimits *local = &shared_limits->local[i];

		if (local->users == 0)
			*vacant = local;
		else if (local->database == MyDatabaseId && local->server == server)
			return local;
	}
	return NULL;
}

void
limits_count_local(Oid server, int change)
{
	LocalLimits *vacant;
	LocalLimits *local = find_local(server, &vacant);

	if (local == NULL && vacant != NULL && change > 0)
	{
		local = vacant;
		local->database = MyDatabaseId;
		local->server = server;
	}
	if (local != NULL)
		local->users += change;
	else
		shared_limits->more_local += change;
}

/*
 * Said once a server in a process; without preloading once a process, in workers only.
 */
void
limits_say_local(const LlavaServer *server, LimitsRank rank)
{
	static bool said;

	if (shared_limits != NULL)
		ereport(LOG,
				(errmsg("llava_zh: the limits of server \"%s\" apply to each process separately",
						server->name),
				 rank == LIMITS_OF_OTHERS ?
				 errdetail("Shared memory has %d places for the servers of one role, and %d for those of all roles other than superusers and the owner of llava_pending.",
						   ranks[rank].of_group, ranks[rank].places) :
				 errdetail("All %d places in shared memory for such servers are in use.",
						   ranks[rank].of_group),
				 errhint("llava_stat_server shows which servers this affects. Drop servers that are not used, and restart the workers.")));
	else if (!said && MyBackendType == B_BG_WORKER)
	{
		said = true;
		ereport(LOG,
				(errmsg("llava_zh is not preloaded: per-server limits apply to each process separately")));
	}
}

const char *
limits_hold(Oid server)
{
	LocalLimits *vacant;

	if (shared_limits == NULL || find_local(server, &vacant) != NULL)
		return "local";
	if (limits_entry_of(server) != NULL)
		return "shared";
	return shared_limits->more_local > 0 ? "local" : NULL;
}
