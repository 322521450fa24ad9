/*
 * limits.c
 *	  See limits.h.
 *
 * One lock guards all of it: each hold is some arithmetic on one entry, a few
 * times a request.
 */
#include "postgres.h"

#include "db/db.h"
#include "limits_private.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "process/process.h"
#include "server.h"
#include "storage/ipc.h"
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

/* First pause before a server is probed; doubles up to llava_zh.retry_delay_max. */
#define PROBE_DELAY_MS 1000

SharedLimits *shared_limits;

static List *attached = NIL;	/* Attached, in TopMemoryContext */
static bool limits_exit_registered;

Size
limits_memory(void)
{
	return sizeof(SharedLimits);
}

void
limits_start_up(void *memory, bool found)
{
	shared_limits = memory;
	if (!found)
		memset(shared_limits, 0, limits_memory());
}

bool
limits_are_shared(const Limits *limits)
{
	return shared_limits != NULL && limits >= shared_limits->servers &&
		limits < shared_limits->servers + MAX_SERVERS;
}

void
limits_lock(void)
{
	if (shared_limits != NULL)
		LWLockAcquire(&GetNamedLWLockTranche("llava_zh")[SHARED_LOCK_LIMITS].lock, LW_EXCLUSIVE);
}

void
limits_unlock(void)
{
	if (shared_limits != NULL)
		LWLockRelease(&GetNamedLWLockTranche("llava_zh")[SHARED_LOCK_LIMITS].lock);
}

int64
limits_now_ms(void)
{
	return GetCurrentTimestamp() / 1000;
}

Attached *
limits_attached_to(const Limits *limits)
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

/* The entry of this database's server; NULL: it has none. */
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

/* The same, made if need be; NULL when there is no place. */
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
	/* it may have changed hands */
	limits->rank = rank;
	limits->owner = server->owner;
	limits->used_at = GetCurrentTimestamp();
	limits->users++;
	return limits;
}

/* What this process has for itself is known to all, as far as there is room. */
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
limits_add_local(Oid server)
{
	LocalLimits *vacant;
	LocalLimits *local = find_local(server, &vacant);

	if (local == NULL && vacant != NULL)
	{
		local = vacant;
		local->database = MyDatabaseId;
		local->server = server;
	}
	if (local != NULL)
		local->users++;
	else
		shared_limits->more_local++;
}

void
limits_remove_local(Oid server)
{
	LocalLimits *vacant;
	LocalLimits *local = find_local(server, &vacant);

	if (local != NULL)
		local->users--;
	else
		shared_limits->more_local--;
}

void
limits_wake_waiting(Limits *limits)
{
	for (int i = 0; i < limits->n_waiting; i++)
		SetLatch(limits->waiting[i]);
	limits->n_waiting = 0;
}

void
limits_forget_waiting(Limits *limits)
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
give_back_limits(Attached *mine)
{
	Limits	   *limits = mine->limits;

	limits->users--;
	limits->used_at = GetCurrentTimestamp();
	if (shared_limits != NULL && !limits_are_shared(limits))
		limits_remove_local(mine->server);
	limits->pace.in_flight -= mine->in_flight;
	if (mine->suspects > 0)
		suspects_back(&limits->suspects, mine->suspects, limits_now_ms());
	vlm_quota_settled(&limits->quota, mine->unsettled, mine->unsettled_cost);
	set_recording(mine, false);
	limits->urgent -= mine->urgent ? 1 : 0;
	if (limits->pause.prober == MyProcPid)
		limits->pause.prober = 0;
	limits_forget_waiting(limits);
	limits_wake_waiting(limits);
}

static void
give_back_all_limits(int code, Datum arg)
{
	ListCell   *cell;

	limits_lock();
	foreach(cell, attached)
		give_back_limits(lfirst(cell));
	endpoints_give_back_all();
	limits_unlock();
	attached = NIL;
}

/* Once for each server in a process; without preloading once, in workers. */
void
limits_say_local(const LlavaServer *server, LimitsRank rank)
{
	static bool said;

	if (shared_limits != NULL)
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

	limits_clear_entry(limits, server);
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
	if (!limits_exit_registered)
		before_shmem_exit(give_back_all_limits, (Datum) 0);
	limits_exit_registered = true;

	old = MemoryContextSwitchTo(TopMemoryContext);
	mine = palloc0(sizeof(Attached));
	mine->limits = local_entry(server->oid);
	mine->server = server->oid;
	attached = lappend(attached, mine);
	MemoryContextSwitchTo(old);
	limits_lock();
	if (shared_limits != NULL)
		limits = limits_shared_entry(server, rank);
	if (shared_limits != NULL && limits == NULL)
		limits_add_local(server->oid);
	limits_unlock();
	if (limits == NULL)
		limits_say_local(server, rank);
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
	Attached   *mine = limits_attached_to(limits);

	Assert(mine->in_flight == 0 && mine->unsettled == 0);
	limits_lock();
	give_back_limits(mine);
	endpoint_drop(mine->endpoint);
	limits_unlock();
	attached = list_delete_ptr(attached, mine);
	if (!limits_are_shared(limits))
		pfree(limits);
	pfree(mine);
}

bool
limits_were_read(Limits *limits)
{
	bool		read;

	limits_lock();
	read = limits->quota.changes > 0;
	limits_unlock();
	return read;
}

/* ---- what is allowed ---- */

void
limits_set_options(Limits *limits, const LlavaServer *options)
{
	limits_lock();
	vlm_pace_limits(&limits->pace, options->max_in_flight, options->requests_per_minute,
					options->tokens_per_minute);
	vlm_quota_limits(&limits->quota, options->max_requests, options->budget,
					 options->input_price, options->output_price);
	failures_ask(&limits->failures, options->url, options->model);
	/* a larger limit may be just what somebody waits for */
	limits_wake_waiting(limits);
	limits_unlock();
}

void
limits_set_endpoint(Limits *limits, const LlavaServer *server, LimitsRank rank)
{
	Attached   *mine = limits_attached_to(limits);

	limits_lock();
	endpoint_leave(mine->endpoint);
	limits_unlock();
	mine->endpoint = NULL;
	mine->endpoint = endpoint_use(server->oid, server->url, rank != LIMITS_OF_OTHERS);
}

void
limits_reload(void)
{
	limits_lock();
	endpoints_publish(true);
	limits_unlock();
}

EndpointFacts
limits_endpoint(const char *url)
{
	uint64		number = endpoint_number(url);
	EndpointFacts facts;

	limits_lock();
	facts = endpoint_facts(number);
	limits_unlock();
	return facts;
}

void
limits_recording(bool begins)
{
	ListCell   *cell;

	limits_lock();
	foreach(cell, attached)
		set_recording(lfirst(cell), begins);
	limits_unlock();
}

int64
limits_begin_reading(Limits *limits)
{
	int64		reading;

	limits_lock();
	reading = vlm_quota_begin_reading(&limits->quota);
	limits_unlock();
	return reading;
}

void
limits_read(Limits *limits, int64 reading, int64 requests, double cost)
{
	limits_lock();
	(void) vlm_quota_read(&limits->quota, reading, requests, cost);
	limits_unlock();
}

int64
limits_remaining(Limits *limits)
{
	int64		left;

	limits_lock();
	left = vlm_quota_left(&limits->quota);
	limits_unlock();
	return left;
}

bool
limits_over_budget(Limits *limits)
{
	bool		over;

	limits_lock();
	over = vlm_quota_over_budget(&limits->quota);
	limits_unlock();
	return over;
}

int64
limits_unsettled(Limits *limits)
{
	int64		unsettled;

	limits_lock();
	unsettled = limits->quota.unsettled;
	limits_unlock();
	return unsettled;
}

int
limits_allowed(const Limits *limits)
{
	return (int) vlm_pace_allowed(&limits->pace);
}

int
limits_room(Limits *limits)
{
	Attached   *mine = limits_attached_to(limits);
	int			room;

	limits_lock();
	room = limits_allowed(limits) - limits->pace.in_flight + mine->in_flight;
	room = Min(room, endpoint_room(mine->endpoint));
	limits_unlock();
	return Max(room, 0);
}

double
limits_load(Limits *limits, int more)
{
	Attached   *mine = limits_attached_to(limits);
	double		load;

	limits_lock();
	load = (limits->pace.in_flight + more) / Max(vlm_pace_allowed(&limits->pace), 1.0);
	load = Max(load, endpoint_load(mine->endpoint, more));
	limits_unlock();
	return load;
}

/* ---- slots ---- */

/* The latch is set when it may help to try again.  False: the list is full. */
static bool
wait_for_limits_slot(Limits *limits)
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
bool
limits_are_used_up(const Limits *limits)
{
	return vlm_quota_left(&limits->quota) <= 0 || vlm_quota_over_budget(&limits->quota);
}

/* 0 if a request may be sent now; else as limits_take's wait_ms. */
static int64
time_to_slot(Limits *limits, Attached *mine, int64 tokens, bool urgent, int company)
{
	int64		wait;

	if (limits_are_used_up(limits))
		return ASK_AGAIN_MS;
	if (!urgent && !may_probe(&limits->pause))
		return ASK_AGAIN_MS;
	if (!urgent && limits->pause.reason[0] != '\0' && mine->in_flight > 0)
		return ASK_AGAIN_MS;
	wait = urgent ? 0 : suspects_wait(&limits->suspects, company, limits->pace.in_flight, limits_now_ms());
	if (wait > 0)
		return wait;
	if (!urgent && limits->urgent > 0)
		wait = -1;
	else
		wait = vlm_pace_wait(&limits->pace, tokens, limits_now_ms());
	if (wait < 0 && !wait_for_limits_slot(limits))
		wait = ASK_AGAIN_MS;
	return wait;
}

bool
limits_take(Limits *limits, int64 tokens, bool urgent, int company, EndpointUse **endpoint,
			int64 *wait_ms)
{
	Attached   *mine = limits_attached_to(limits);

	limits_lock();
	*wait_ms = time_to_slot(limits, mine, tokens, urgent, company);
	if (*wait_ms != 0)
		endpoint_leave(mine->endpoint);
	else
		*wait_ms = endpoint_wait(mine->endpoint, urgent);
	if (*wait_ms == 0)
	{
		*endpoint = mine->endpoint;
		endpoint_sent(mine->endpoint);
		vlm_pace_sent(&limits->pace, tokens, limits_now_ms());
		mine->in_flight++;
		mine->unsettled++;
		vlm_quota_sent(&limits->quota);
		if (company > 0)
		{
			suspects_sent(&limits->suspects, company, limits_now_ms());
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
			limits_wake_waiting(limits);
	}
	limits_unlock();
	return *wait_ms == 0;
}

void
limits_not_urgent(Limits *limits)
{
	Attached   *mine = limits_attached_to(limits);

	limits_lock();
	if (mine->urgent)
		limits->urgent--;
	mine->urgent = false;
	endpoint_leave(mine->endpoint);
	limits_forget_waiting(limits);
	limits_wake_waiting(limits);
	limits_unlock();
}

void
limits_suspect_back(Limits *limits)
{
	Attached   *mine = limits_attached_to(limits);

	limits_lock();
	suspects_back(&limits->suspects, 1, limits_now_ms());
	mine->suspects--;
	limits_unlock();
}

bool
limits_suspects_first(Limits *limits)
{
	bool		first;

	limits_lock();
	first = suspects_first(&limits->suspects, limits_now_ms());
	limits_unlock();
	return first;
}

void
limits_look_at_end(Limits *limits, ServerSign sign, const SuspectRow *row, Loss *loss)
{
	limits_lock();
	suspects_ended(&limits->suspects, sign, limits->pace.in_flight, row, limits_now_ms(), loss);
	limits_unlock();
}

bool
limits_died(Limits *limits, uint64 event, int *company)
{
	bool		died;

	limits_lock();
	died = suspects_died(&limits->suspects, event, company);
	limits_unlock();
	return died;
}

bool
limits_trial(Limits *limits, bool *news)
{
	bool		trial;

	limits_lock();
	trial = suspects_trial(&limits->suspects, limits_now_ms());
	*news = trial != limits->suspects.recorded;
	limits_unlock();
	return trial;
}

void
limits_trial_recorded(Limits *limits, bool trial)
{
	limits_lock();
	limits->suspects.recorded = trial;
	limits_unlock();
}

double
limits_ended(Limits *limits, EndpointUse *endpoint, const VlmOutcome *outcome, int64 latency_ms,
			 int64 retry_after_ms, VlmTokens forecast, VlmTokens said)
{
	Attached   *mine = limits_attached_to(limits);
	double		cost = 0;

	limits_lock();
	endpoint_ended(endpoint);
	vlm_pace_ended(&limits->pace, outcome->action, latency_ms,
				   Min(retry_after_ms, llava_retry_delay_max), outcome->budget_empty,
				   forecast.prompt + forecast.completion,
				   vlm_tokens_known(said) ? said.prompt + said.completion : -1, limits_now_ms());
	mine->in_flight--;
	failures_note_end(&limits->failures, outcome);
	if (outcome->paid)
		cost = vlm_quota_ended(&limits->quota, vlm_tokens_used(said, forecast));
	mine->unsettled_cost += cost;
	counters_note_end(&limits->counters, outcome, latency_ms, Max(said.prompt, 0),
					  Max(said.completion, 0));
	if (limits->urgent > 0)
		limits_wake_waiting(limits);
	limits_unlock();
	return cost;
}

bool
limits_failing(Limits *limits, bool first_attempt)
{
	bool		failing;

	limits_lock();
	failing = failures_are_outage(&limits->failures, first_attempt);
	limits_unlock();
	return failing;
}

bool
limits_blame(Limits *limits, const VlmOutcome *outcome, bool first_attempt)
{
	bool		guilty;

	limits_lock();
	guilty = failures_blame(&limits->failures, outcome, first_attempt);
	limits_unlock();
	return guilty;
}

bool
limits_guilty(Limits *limits, uint64 said)
{
	uint64		guilty;

	limits_lock();
	guilty = limits->failures.guilty;
	limits_unlock();
	return guilty != 0 && (said == 0 || said == guilty);
}

void
limits_owe(Limits *limits, const VlmOutcome *outcome)
{
	limits_lock();
	failures_owe(&limits->failures, outcome);
	limits_unlock();
}

bool
limits_owed(Limits *limits, uint64 *said, char *reason, Size room)
{
	bool		owed;

	limits_lock();
	owed = failures_are_owed(&limits->failures);
	*said = limits->failures.owed;
	strlcpy(reason, limits->failures.owed_reason, room);
	limits_unlock();
	return owed;
}

void
limits_given_up(Limits *limits, EndpointUse *endpoint, bool sent)
{
	Attached   *mine = limits_attached_to(limits);

	limits_lock();
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
	limits_wake_waiting(limits);
	limits_unlock();
}

void
limits_settled(Limits *limits, double cost)
{
	Attached   *mine = limits_attached_to(limits);

	limits_lock();
	vlm_quota_settled(&limits->quota, 1, cost);
	mine->unsettled--;
	mine->unsettled_cost -= cost;
	limits_unlock();
}

void
limits_offer(Limits *limits)
{
	Attached   *mine = limits_attached_to(limits);

	limits_lock();
	endpoint_leave(mine->endpoint);
	if (limits->n_waiting > 0 &&
		(limits->pace.in_flight == 0 ||
		 limits->pace.in_flight + 1 <= vlm_pace_allowed(&limits->pace)))
		limits_wake_waiting(limits);
	limits_unlock();
}

/* ---- pauses ---- */

void
limits_pause_now(Limits *limits, Pause *pause)
{
	limits_lock();
	*pause = limits->pause;
	limits_unlock();
}

bool
limits_pause(Limits *limits, const char *reason, const char *detail, bool probe, int64 call)
{
	Pause	   *pause = &limits->pause;
	int64		delay = PROBE_DELAY_MS;
	bool		news;

	limits_lock();
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
	limits_unlock();
	return news;
}

void
limits_probe_within(Limits *limits, int ms)
{
	Pause	   *pause = &limits->pause;

	limits_lock();
	if (pause->probe_at != DT_NOEND)
		pause->probe_at = Min(pause->probe_at, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms));
	limits_unlock();
}

bool
limits_resume(Limits *limits)
{
	bool		was;

	limits_lock();
	was = limits->pause.reason[0] != '\0';
	if (was)
	{
		memset(&limits->pause, 0, sizeof(Pause));
		failures_forgive(&limits->failures);
		limits_wake_waiting(limits);
	}
	limits_unlock();
	return was;
}

/* What the server said of when is forgotten; who waits for it looks again. */
static void
forget_wait(Limits *limits)
{
	vlm_pace_forget_wait(&limits->pace);
	limits_wake_waiting(limits);
}

void
limits_forget_wait(Limits *limits)
{
	limits_lock();
	forget_wait(limits);
	limits_unlock();
}

void
limits_forget_wait_of(Oid server)
{
	Limits	   *limits;

	limits_lock();
	limits = limits_entry_of(server);
	if (limits != NULL)
		forget_wait(limits);
	limits_unlock();
}

void
limits_clock_set_back(Limits *limits)
{
	Pause	   *pause = &limits->pause;

	limits_lock();
	if (pause->probe_at != DT_NOEND)
		pause->probe_at = Min(pause->probe_at, GetCurrentTimestamp());
	vlm_pace_clock_set_back(&limits->pace, limits_now_ms(), llava_retry_delay_max);
	suspects_clock_set_back(&limits->suspects, limits_now_ms());
	limits_wake_waiting(limits);
	limits_unlock();
}

int64
limits_pace_wait(Limits *limits, int64 tokens)
{
	int64		wait;

	limits_lock();
	wait = vlm_pace_wait(&limits->pace, tokens, limits_now_ms());
	limits_unlock();
	return wait;
}

void
limits_pause_recorded(Limits *limits, const char *reason)
{
	limits_lock();
	limits->pause.recorded = strcmp(limits->pause.reason, reason != NULL ? reason : "") == 0;
	limits_unlock();
}

/* ---- looking ---- */

bool
limits_next(int *position, LimitsFacts *facts)
{
	bool		found = false;

	if (shared_limits == NULL)
		return false;
	limits_lock();
	while (!found && *position < MAX_SERVERS)
	{
		const Limits *limits = &shared_limits->servers[(*position)++];

		if (limits->database != MyDatabaseId)
			continue;
		facts->server = limits->server;
		facts->in_flight = limits->pace.in_flight;
		facts->allowed = limits_allowed(limits);
		facts->counters = limits->counters;
		found = true;
	}
	limits_unlock();
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
	name = names[vlm_pace_waits_for(&limits->pace, limits_now_ms(), &until_ms)];
	*until = until_ms * 1000;
	return name;
}

bool
limits_wait(Oid server, LimitsWait *wait)
{
	const Limits *limits;

	limits_lock();
	limits = limits_entry_of(server);
	if (limits != NULL)
	{
		wait->held_down_by = vlm_pace_held_down_by(&limits->pace, limits_now_ms());
		wait->waits_for = waits_for(limits, &wait->until);
	}
	limits_unlock();
	return limits != NULL;
}

const char *
limits_hold(Oid server)
{
	LocalLimits *vacant;
	const char *hold = NULL;

	if (shared_limits == NULL)
		return "local";
	limits_lock();
	if (find_local(server, &vacant) != NULL)
		hold = "local";
	else if (limits_entry_of(server) != NULL)
		hold = "shared";
	else if (shared_limits->more_local > 0)
		hold = "local";
	limits_unlock();
	return hold;
}
