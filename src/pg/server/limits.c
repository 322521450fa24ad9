/*
 * limits.c
 *	  See limits.h.
 *
 * One lock guards all of it: each hold is some arithmetic on one entry, a few
 * times a request.
 */
#include "postgres.h"

#include "db/db.h"
#include "failures.h"
#include "limits.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "process/process.h"
#include "server.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "vlm/vlm.h"

/*
 * Places in shared memory, of each rank, and of them for one group: those of one
 * database where the rank is its queue's owner's, of one role in it where it is others'.
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

#define MAX_SERVERS 512

/* Servers whose limits hold in some process for itself, that are known by name. */
#define MAX_LOCAL 256

/* Who finds the list full asks again after this. */
#define MAX_WAITING 16
#define ASK_AGAIN_MS 100

/* First pause before a server is probed; doubles up to llava_zh.retry_delay_max. */
#define PROBE_DELAY_MS 1000

struct Limits
{
	Oid			database;		/* InvalidOid: free */
	Oid			server;
	LimitsRank	rank;
	Oid			owner;			/* the server's */
	TimestampTz used_at;		/* when somebody attached or left */
	int			users;			/* processes attached */
	VlmPace		pace;
	VlmQuota	quota;
	int			urgent;			/* sessions that wait for a slot */
	int			n_waiting;
	Latch	   *waiting[MAX_WAITING];

	Pause		pause;
	Failures	failures;
	ServerCounters counters;
	Suspects	suspects;
};

/* What this process holds of one server; given back at exit. */
typedef struct Attached
{
	Limits	   *limits;
	Oid			server;
	EndpointUse *endpoint;		/* or NULL */
	int			in_flight;
	int64		unsettled;
	double		unsettled_cost;
	bool		recording;
	bool		urgent;
	int			suspects;		/* of those in flight */
} Attached;

typedef struct Local
{
	Oid			database;
	Oid			server;
	int			users;			/* processes that have it for themselves; 0:
								 * free */
} Local;

typedef struct SharedLimits
{
	Limits		servers[MAX_SERVERS];
	Local		local[MAX_LOCAL];
	int			more_local;		/* attachments beyond those */
} SharedLimits;

static SharedLimits *shared;	/* or NULL */
static List *attached = NIL;	/* Attached, in TopMemoryContext */
static bool exit_registered;

Size
limits_memory(void)
{
	return sizeof(SharedLimits);
}

void
limits_start_up(void *memory, bool found)
{
	shared = memory;
	if (!found)
		memset(shared, 0, limits_memory());
}

bool
limits_are_shared(const Limits *limits)
{
	return shared != NULL && limits >= shared->servers &&
		limits < shared->servers + MAX_SERVERS;
}

static void
lock(void)
{
	if (shared != NULL)
		LWLockAcquire(&GetNamedLWLockTranche("llava_zh")[SHARED_LOCK_LIMITS].lock, LW_EXCLUSIVE);
}

static void
unlock(void)
{
	if (shared != NULL)
		LWLockRelease(&GetNamedLWLockTranche("llava_zh")[SHARED_LOCK_LIMITS].lock);
}

static int64
now_ms(void)
{
	return GetCurrentTimestamp() / 1000;
}

static Attached *
attached_to(const Limits *limits)
{
	ListCell   *cell;

	foreach(cell, attached)
	{
		Attached   *mine = lfirst(cell);

		if (mine->limits == limits)
			return mine;
	}
	elog(ERROR, "not attached to the limits of a server");
}

/* ---- attaching ---- */

static bool
same_group(const Limits *limits, LimitsRank rank, Oid owner)
{
	switch (rank)
	{
		case LIMITS_OF_SUPERUSER:
			return true;
		case LIMITS_OF_QUEUE_OWNER:
			return limits->database == MyDatabaseId;
		default:
			return limits->database == MyDatabaseId && limits->owner == owner;
	}
}

/* Of two places that nobody uses the one to be given away; either may be NULL. */
static Limits *
less_used(Limits *a, Limits *b)
{
	return a == NULL || b->used_at < a->used_at ? b : a;
}

/*
 * A place for a server that has none.  A rank or a group that has all it may have gives
 * up the one that was not used for longest; NULL where all are in use.
 */
static Limits *
find_place(LimitsRank rank, Oid owner)
{
	Limits	   *vacant = NULL;
	Limits	   *of_rank = NULL;
	Limits	   *of_group = NULL;
	int			in_rank = 0;
	int			in_group = 0;

	for (int i = 0; i < MAX_SERVERS; i++)
	{
		Limits	   *limits = &shared->servers[i];

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

static void
clear_entry(Limits *limits, Oid server)
{
	memset(limits, 0, sizeof(*limits));
	limits->database = MyDatabaseId;
	limits->server = server;
	vlm_quota_init(&limits->quota);
	vlm_pace_init(&limits->pace, now_ms());
}

/* The entry of this database's server; NULL: it has none. */
static Limits *
find_entry(Oid server)
{
	for (int i = 0; i < MAX_SERVERS; i++)
		if (shared->servers[i].database == MyDatabaseId && shared->servers[i].server == server)
			return &shared->servers[i];
	return NULL;
}

/* The same, made if need be; NULL when there is no place. */
static Limits *
shared_entry(const LlavaServer *server, LimitsRank rank)
{
	Limits	   *limits = find_entry(server->oid);

	if (limits == NULL)
	{
		limits = find_place(rank, server->owner);
		if (limits == NULL)
			return NULL;
		clear_entry(limits, server->oid);
	}
	/* it may have changed hands */
	limits->rank = rank;
	limits->owner = server->owner;
	limits->used_at = GetCurrentTimestamp();
	limits->users++;
	return limits;
}

/* What this process has for itself is known to all, as far as there is room. */
static Local *
find_local(Oid server, Local **vacant)
{
	*vacant = NULL;
	for (int i = 0; i < MAX_LOCAL; i++)
	{
		Local	   *local = &shared->local[i];

		if (local->users == 0)
			*vacant = local;
		else if (local->database == MyDatabaseId && local->server == server)
			return local;
	}
	return NULL;
}

static void
add_local(Oid server)
{
	Local	   *vacant;
	Local	   *local = find_local(server, &vacant);

	if (local == NULL && vacant != NULL)
	{
		local = vacant;
		local->database = MyDatabaseId;
		local->server = server;
	}
	if (local != NULL)
		local->users++;
	else
		shared->more_local++;
}

static void
remove_local(Oid server)
{
	Local	   *vacant;
	Local	   *local = find_local(server, &vacant);

	if (local != NULL)
		local->users--;
	else
		shared->more_local--;
}

static void
wake_waiting(Limits *limits)
{
	for (int i = 0; i < limits->n_waiting; i++)
		SetLatch(limits->waiting[i]);
	limits->n_waiting = 0;
}

static void
forget_waiting(Limits *limits)
{
	int			kept = 0;

	for (int i = 0; i < limits->n_waiting; i++)
		if (limits->waiting[i] != MyLatch)
			limits->waiting[kept++] = limits->waiting[i];
	limits->n_waiting = kept;
}

static void
set_recording(Attached *mine, bool recording)
{
	if (mine->recording != recording)
		vlm_quota_recording(&mine->limits->quota, recording);
	mine->recording = recording;
}

/* Requests of this process that nobody waits for any more stay counted as made. */
static void
give_back(Attached *mine)
{
	Limits	   *limits = mine->limits;

	limits->users--;
	limits->used_at = GetCurrentTimestamp();
	if (shared != NULL && !limits_are_shared(limits))
		remove_local(mine->server);
	limits->pace.in_flight -= mine->in_flight;
	if (mine->suspects > 0)
		suspects_back(&limits->suspects, mine->suspects, now_ms());
	vlm_quota_settled(&limits->quota, mine->unsettled, mine->unsettled_cost);
	set_recording(mine, false);
	limits->urgent -= mine->urgent ? 1 : 0;
	if (limits->pause.prober == MyProcPid)
		limits->pause.prober = 0;
	forget_waiting(limits);
	wake_waiting(limits);
}

static void
give_back_all(int code, Datum arg)
{
	ListCell   *cell;

	lock();
	foreach(cell, attached)
		give_back(lfirst(cell));
	endpoints_give_back_all();
	unlock();
	attached = NIL;
}

/* Once for each server in a process; without preloading once, in workers. */
static void
say_local(const LlavaServer *server, LimitsRank rank)
{
	static bool said;

	if (shared != NULL)
		ereport(LOG,
				(errmsg("llava_zh: limits of server \"%s\" hold in each process for itself",
						server->name),
				 rank == LIMITS_OF_OTHERS ?
				 errdetail("Servers of one role have %d places in shared memory, and those of all roles but superusers and the queue's owner %d.",
						   ranks[rank].of_group, ranks[rank].places) :
				 errdetail("All %d places in shared memory that such servers have are in use.",
						   ranks[rank].of_group),
				 errhint("llava_stat_server shows it. Drop servers that are not asked, and restart the workers.")));
	else if (!said && MyBackendType == B_BG_WORKER)
	{
		said = true;
		ereport(LOG,
				(errmsg("llava_zh is not preloaded: limits per server hold in each process for itself")));
	}
}

static Limits *
local_entry(Oid server)
{
	Limits	   *limits = MemoryContextAlloc(TopMemoryContext, sizeof(Limits));

	clear_entry(limits, server);
	limits->users = 1;
	return limits;
}

Limits *
limits_attach(const LlavaServer *server, LimitsRank rank)
{
	MemoryContext old;
	Attached   *mine;
	Limits	   *limits = NULL;
	ListCell   *cell;

	foreach(cell, attached)
	{
		mine = lfirst(cell);
		if (mine->server == server->oid)
			return mine->limits;
	}
	if (!exit_registered)
		before_shmem_exit(give_back_all, (Datum) 0);
	exit_registered = true;

	old = MemoryContextSwitchTo(TopMemoryContext);
	mine = palloc0(sizeof(Attached));
	mine->limits = local_entry(server->oid);
	mine->server = server->oid;
	attached = lappend(attached, mine);
	MemoryContextSwitchTo(old);
	lock();
	if (shared != NULL)
		limits = shared_entry(server, rank);
	if (shared != NULL && limits == NULL)
		add_local(server->oid);
	unlock();
	if (limits == NULL)
		say_local(server, rank);
	else
	{
		pfree(mine->limits);
		mine->limits = limits;
	}
	return mine->limits;
}

void
limits_detach(Limits *limits)
{
	Attached   *mine = attached_to(limits);

	Assert(mine->in_flight == 0 && mine->unsettled == 0);
	lock();
	give_back(mine);
	endpoint_drop(mine->endpoint);
	unlock();
	attached = list_delete_ptr(attached, mine);
	if (!limits_are_shared(limits))
		pfree(limits);
	pfree(mine);
}

bool
limits_were_read(Limits *limits)
{
	bool		read;

	lock();
	read = limits->quota.changes > 0;
	unlock();
	return read;
}

/* ---- what is allowed ---- */

void
limits_set_options(Limits *limits, const LlavaServer *options)
{
	lock();
	vlm_pace_limits(&limits->pace, options->max_in_flight, options->requests_per_minute,
					options->tokens_per_minute);
	vlm_quota_limits(&limits->quota, options->max_requests, options->budget,
					 options->input_price, options->output_price);
	failures_ask(&limits->failures, options->url, options->model);
	/* a larger limit may be just what somebody waits for */
	wake_waiting(limits);
	unlock();
}

void
limits_set_endpoint(Limits *limits, const LlavaServer *server, LimitsRank rank)
{
	Attached   *mine = attached_to(limits);

	lock();
	endpoint_leave(mine->endpoint);
	unlock();
	mine->endpoint = NULL;
	mine->endpoint = endpoint_use(server->oid, server->url, rank != LIMITS_OF_OTHERS);
}

void
limits_reload(void)
{
	lock();
	endpoints_publish(true);
	unlock();
}

EndpointFacts
limits_endpoint(const char *url)
{
	uint64		number = endpoint_number(url);
	EndpointFacts facts;

	lock();
	facts = endpoint_facts(number);
	unlock();
	return facts;
}

void
limits_recording(bool begins)
{
	ListCell   *cell;

	lock();
	foreach(cell, attached)
		set_recording(lfirst(cell), begins);
	unlock();
}

int64
limits_begin_reading(Limits *limits)
{
	int64		reading;

	lock();
	reading = vlm_quota_begin_reading(&limits->quota);
	unlock();
	return reading;
}

void
limits_read(Limits *limits, int64 reading, int64 requests, double cost)
{
	lock();
	(void) vlm_quota_read(&limits->quota, reading, requests, cost);
	unlock();
}

int64
limits_remaining(Limits *limits)
{
	int64		left;

	lock();
	left = vlm_quota_left(&limits->quota);
	unlock();
	return left;
}

bool
limits_over_budget(Limits *limits)
{
	bool		over;

	lock();
	over = vlm_quota_over_budget(&limits->quota);
	unlock();
	return over;
}

int64
limits_unsettled(Limits *limits)
{
	int64		unsettled;

	lock();
	unsettled = limits->quota.unsettled;
	unlock();
	return unsettled;
}

static int
allowed(const Limits *limits)
{
	return (int) vlm_pace_allowed(&limits->pace);
}

int
limits_room(Limits *limits)
{
	Attached   *mine = attached_to(limits);
	int			room;

	lock();
	room = allowed(limits) - limits->pace.in_flight + mine->in_flight;
	room = Min(room, endpoint_room(mine->endpoint));
	unlock();
	return Max(room, 0);
}

double
limits_load(Limits *limits, int more)
{
	Attached   *mine = attached_to(limits);
	double		load;

	lock();
	load = (limits->pace.in_flight + more) / Max(vlm_pace_allowed(&limits->pace), 1.0);
	load = Max(load, endpoint_load(mine->endpoint, more));
	unlock();
	return load;
}

/* ---- slots ---- */

/* The latch is set when it may help to try again.  False: the list is full. */
static bool
wait_for_slot(Limits *limits)
{
	for (int i = 0; i < limits->n_waiting; i++)
		if (limits->waiting[i] == MyLatch)
			return true;
	if (limits->n_waiting == MAX_WAITING)
		return false;
	limits->waiting[limits->n_waiting++] = MyLatch;
	return true;
}

/* Whether this process may ask a server that is paused, as its one probe. */
static bool
may_probe(const Pause *pause)
{
	return pause->reason[0] == '\0' || pause->prober == MyProcPid ||
		(pause->prober == 0 && GetCurrentTimestamp() >= pause->probe_at);
}

/* max_requests and budget, which the caller finds used up when it looks again. */
static bool
used_up(const Limits *limits)
{
	return vlm_quota_left(&limits->quota) <= 0 || vlm_quota_over_budget(&limits->quota);
}

/* 0 if a request may be sent now; else as limits_take's wait_ms. */
static int64
time_to_slot(Limits *limits, Attached *mine, int64 tokens, bool urgent, int company)
{
	int64		wait;

	if (used_up(limits))
		return ASK_AGAIN_MS;
	if (!urgent && !may_probe(&limits->pause))
		return ASK_AGAIN_MS;
	if (!urgent && limits->pause.reason[0] != '\0' && mine->in_flight > 0)
		return ASK_AGAIN_MS;
	wait = urgent ? 0 : suspects_wait(&limits->suspects, company, limits->pace.in_flight, now_ms());
	if (wait > 0)
		return wait;
	if (!urgent && limits->urgent > 0)
		wait = -1;
	else
		wait = vlm_pace_wait(&limits->pace, tokens, now_ms());
	if (wait < 0 && !wait_for_slot(limits))
		wait = ASK_AGAIN_MS;
	return wait;
}

bool
limits_take(Limits *limits, int64 tokens, bool urgent, int company, EndpointUse **endpoint,
			int64 *wait_ms)
{
	Attached   *mine = attached_to(limits);

	lock();
	*wait_ms = time_to_slot(limits, mine, tokens, urgent, company);
	if (*wait_ms != 0)
		endpoint_leave(mine->endpoint);
	else
		*wait_ms = endpoint_wait(mine->endpoint, urgent);
	if (*wait_ms == 0)
	{
		*endpoint = mine->endpoint;
		endpoint_sent(mine->endpoint);
		vlm_pace_sent(&limits->pace, tokens, now_ms());
		mine->in_flight++;
		mine->unsettled++;
		vlm_quota_sent(&limits->quota);
		if (company > 0)
		{
			suspects_sent(&limits->suspects, company, now_ms());
			mine->suspects++;
		}
		if (!urgent && limits->pause.reason[0] != '\0')
			limits->pause.prober = MyProcPid;
	}
	if (urgent && mine->urgent != (*wait_ms != 0))
	{
		mine->urgent = !mine->urgent;
		limits->urgent += mine->urgent ? 1 : -1;
		if (limits->urgent == 0)
			wake_waiting(limits);
	}
	unlock();
	return *wait_ms == 0;
}

void
limits_not_urgent(Limits *limits)
{
	Attached   *mine = attached_to(limits);

	lock();
	if (mine->urgent)
		limits->urgent--;
	mine->urgent = false;
	endpoint_leave(mine->endpoint);
	forget_waiting(limits);
	wake_waiting(limits);
	unlock();
}

void
limits_suspect_back(Limits *limits)
{
	Attached   *mine = attached_to(limits);

	lock();
	suspects_back(&limits->suspects, 1, now_ms());
	mine->suspects--;
	unlock();
}

bool
limits_suspects_first(Limits *limits)
{
	bool		first;

	lock();
	first = suspects_first(&limits->suspects, now_ms());
	unlock();
	return first;
}

void
limits_look_at_end(Limits *limits, ServerSign sign, const SuspectRow *row, Loss *loss)
{
	lock();
	suspects_ended(&limits->suspects, sign, limits->pace.in_flight, row, now_ms(), loss);
	unlock();
}

bool
limits_died(Limits *limits, uint64 event, int *company)
{
	bool		died;

	lock();
	died = suspects_died(&limits->suspects, event, company);
	unlock();
	return died;
}

bool
limits_trial(Limits *limits, bool *news)
{
	bool		trial;

	lock();
	trial = suspects_trial(&limits->suspects, now_ms());
	*news = trial != limits->suspects.recorded;
	unlock();
	return trial;
}

void
limits_trial_recorded(Limits *limits, bool trial)
{
	lock();
	limits->suspects.recorded = trial;
	unlock();
}

double
limits_ended(Limits *limits, EndpointUse *endpoint, const VlmOutcome *outcome, int64 latency_ms,
			 int64 retry_after_ms, VlmTokens forecast, VlmTokens said)
{
	Attached   *mine = attached_to(limits);
	double		cost = 0;

	lock();
	endpoint_ended(endpoint);
	vlm_pace_ended(&limits->pace, outcome->action, latency_ms,
				   Min(retry_after_ms, llava_retry_delay_max), outcome->budget_empty,
				   forecast.prompt + forecast.completion,
				   vlm_tokens_known(said) ? said.prompt + said.completion : -1, now_ms());
	mine->in_flight--;
	failures_note_end(&limits->failures, outcome);
	if (outcome->paid)
		cost = vlm_quota_ended(&limits->quota, vlm_tokens_used(said, forecast));
	mine->unsettled_cost += cost;
	counters_note_end(&limits->counters, outcome, latency_ms, Max(said.prompt, 0),
					  Max(said.completion, 0));
	if (limits->urgent > 0)
		wake_waiting(limits);
	unlock();
	return cost;
}

bool
limits_failing(Limits *limits, bool first_attempt)
{
	bool		failing;

	lock();
	failing = failures_are_outage(&limits->failures, first_attempt);
	unlock();
	return failing;
}

bool
limits_blame(Limits *limits, const VlmOutcome *outcome, bool first_attempt)
{
	bool		guilty;

	lock();
	guilty = failures_blame(&limits->failures, outcome, first_attempt);
	unlock();
	return guilty;
}

bool
limits_guilty(Limits *limits, uint64 said)
{
	uint64		guilty;

	lock();
	guilty = limits->failures.guilty;
	unlock();
	return guilty != 0 && (said == 0 || said == guilty);
}

void
limits_owe(Limits *limits, const VlmOutcome *outcome)
{
	lock();
	failures_owe(&limits->failures, outcome);
	unlock();
}

bool
limits_owed(Limits *limits, uint64 *said, char *reason, Size room)
{
	bool		owed;

	lock();
	owed = failures_are_owed(&limits->failures);
	*said = limits->failures.owed;
	strlcpy(reason, limits->failures.owed_reason, room);
	unlock();
	return owed;
}

void
limits_given_up(Limits *limits, EndpointUse *endpoint, bool sent)
{
	Attached   *mine = attached_to(limits);

	lock();
	endpoint_ended(endpoint);
	endpoint_leave(endpoint);
	limits->pace.in_flight--;
	mine->in_flight--;
	if (sent)
		vlm_quota_settled(&limits->quota, 1, 0);
	else
		vlm_quota_not_sent(&limits->quota);
	mine->unsettled--;
	if (limits->pause.prober == MyProcPid)
		limits->pause.prober = 0;
	wake_waiting(limits);
	unlock();
}

void
limits_settled(Limits *limits, double cost)
{
	Attached   *mine = attached_to(limits);

	lock();
	vlm_quota_settled(&limits->quota, 1, cost);
	mine->unsettled--;
	mine->unsettled_cost -= cost;
	unlock();
}

void
limits_offer(Limits *limits)
{
	Attached   *mine = attached_to(limits);

	lock();
	endpoint_leave(mine->endpoint);
	if (limits->n_waiting > 0 &&
		(limits->pace.in_flight == 0 ||
		 limits->pace.in_flight + 1 <= vlm_pace_allowed(&limits->pace)))
		wake_waiting(limits);
	unlock();
}

/* ---- pauses ---- */

void
limits_pause_now(Limits *limits, Pause *pause)
{
	lock();
	*pause = limits->pause;
	unlock();
}

bool
limits_pause(Limits *limits, const char *reason, const char *detail, bool probe, int64 call)
{
	Pause	   *pause = &limits->pause;
	int64		delay = PROBE_DELAY_MS;
	bool		news;

	lock();
	news = strcmp(pause->reason, reason) != 0;
	if (news || pause->prober == MyProcPid)
	{
		for (int i = 0; i < pause->count && delay < llava_retry_delay_max; i++)
			delay *= 2;
		pause->count++;
		strlcpy(pause->reason, reason, sizeof(pause->reason));
		if (detail != pause->detail)
			strlcpy(pause->detail, detail, sizeof(pause->detail));
		pause->probe_at = !probe ? DT_NOEND :
			TimestampTzPlusMilliseconds(GetCurrentTimestamp(), Min(delay, llava_retry_delay_max));
		pause->prober = 0;
		pause->call = call;
		if (news)
			pause->recorded = false;
	}
	unlock();
	return news;
}

void
limits_probe_within(Limits *limits, int ms)
{
	Pause	   *pause = &limits->pause;

	lock();
	if (pause->probe_at != DT_NOEND)
		pause->probe_at = Min(pause->probe_at, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms));
	unlock();
}

bool
limits_resume(Limits *limits)
{
	bool		was;

	lock();
	was = limits->pause.reason[0] != '\0';
	if (was)
	{
		memset(&limits->pause, 0, sizeof(Pause));
		failures_forgive(&limits->failures);
		wake_waiting(limits);
	}
	unlock();
	return was;
}

/* What the server said of when is forgotten; who waits for it looks again. */
static void
forget_wait(Limits *limits)
{
	vlm_pace_forget_wait(&limits->pace);
	wake_waiting(limits);
}

void
limits_forget_wait(Limits *limits)
{
	lock();
	forget_wait(limits);
	unlock();
}

void
limits_forget_wait_of(Oid server)
{
	Limits	   *limits;

	if (shared == NULL)
		return;
	lock();
	limits = find_entry(server);
	if (limits != NULL)
		forget_wait(limits);
	unlock();
}

void
limits_clock_set_back(Limits *limits)
{
	Pause	   *pause = &limits->pause;

	lock();
	if (pause->probe_at != DT_NOEND)
		pause->probe_at = Min(pause->probe_at, GetCurrentTimestamp());
	vlm_pace_clock_set_back(&limits->pace, now_ms(), llava_retry_delay_max);
	suspects_clock_set_back(&limits->suspects, now_ms());
	wake_waiting(limits);
	unlock();
}

int64
limits_pace_wait(Limits *limits, int64 tokens)
{
	int64		wait;

	lock();
	wait = vlm_pace_wait(&limits->pace, tokens, now_ms());
	unlock();
	return wait;
}

void
limits_pause_recorded(Limits *limits, const char *reason)
{
	lock();
	limits->pause.recorded = strcmp(limits->pause.reason, reason != NULL ? reason : "") == 0;
	unlock();
}

/* ---- looking ---- */

bool
limits_next(int *position, LimitsFacts *facts)
{
	bool		found = false;

	if (shared == NULL)
		return false;
	lock();
	while (!found && *position < MAX_SERVERS)
	{
		const Limits *limits = &shared->servers[(*position)++];

		if (limits->database != MyDatabaseId)
			continue;
		facts->server = limits->server;
		facts->in_flight = limits->pace.in_flight;
		facts->allowed = allowed(limits);
		facts->counters = limits->counters;
		found = true;
	}
	unlock();
	return found;
}

/* What is waited for, in the words of llava_stat_server; NULL: nothing. */
static const char *
waits_for(const Limits *limits, TimestampTz *until)
{
	static const char *const names[] = {
		[VLM_PACE_NOTHING] = NULL,[VLM_PACE_RETRY_AFTER] = "Retry-After",
		[VLM_PACE_STORM] = "throttling",[VLM_PACE_REQUESTS] = "requests_per_minute",
		[VLM_PACE_TOKENS] = "tokens_per_minute"
	};
	int64		until_ms;
	const char *name;

	*until = limits->pause.probe_at;
	if (limits->pause.reason[0] != '\0')
		return *until == DT_NOEND || *until <= GetCurrentTimestamp() ? NULL : "probe";
	name = names[vlm_pace_waits_for(&limits->pace, now_ms(), &until_ms)];
	*until = until_ms * 1000;
	return name;
}

bool
limits_wait(Oid server, LimitsWait *wait)
{
	const Limits *limits;

	if (shared == NULL)
		return false;
	lock();
	limits = find_entry(server);
	if (limits != NULL)
	{
		wait->held_down_by = vlm_pace_held_down_by(&limits->pace, now_ms());
		wait->waits_for = waits_for(limits, &wait->until);
	}
	unlock();
	return limits != NULL;
}

const char *
limits_hold(Oid server)
{
	Local	   *vacant;
	const char *hold = NULL;

	if (shared == NULL)
		return "local";
	lock();
	if (find_local(server, &vacant) != NULL)
		hold = "local";
	else if (find_entry(server) != NULL)
		hold = "shared";
	else if (shared->more_local > 0)
		hold = "local";
	unlock();
	return hold;
}
