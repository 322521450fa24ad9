/*
 * limits.c
 *	  See limits.h.
 *
 * One lock guards all of it: each hold is some arithmetic on one entry, a few
 * times a request.
 */
#include "postgres.h"

#include "limits.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "utils/memutils.h"

#define MAX_SERVERS 128

/* Who finds the list full asks again after this. */
#define MAX_WAITING 16
#define ASK_AGAIN_MS 100

/* First pause before a server is probed; doubles up to llava_zh.retry_delay_max. */
#define PROBE_DELAY_MS 1000

/* So many pictures in a row that fail at their first attempt are not what is wrong. */
#define FAILURES_IN_A_ROW 16

struct Limits
{
	Oid			database;		/* InvalidOid: free */
	Oid			server;
	int			users;			/* processes attached */
	VlmPace		pace;
	VlmQuota	quota;
	int			urgent;			/* sessions that wait for a slot */
	int			n_waiting;
	Latch	   *waiting[MAX_WAITING];

	Pause		pause;
	int			failures;		/* at a first attempt, since an answer, of
								 * those that may be the server's fault */
	ServerCounters counters;
};

/* What this process holds of one server; given back at exit. */
typedef struct Attached
{
	Limits	   *limits;
	Oid			server;
	int			in_flight;
	int64		unsettled;
	double		unsettled_cost;
	bool		recording;
	bool		urgent;
} Attached;

static Limits *shared;			/* MAX_SERVERS of them, or NULL */
static List *attached = NIL;	/* Attached, in TopMemoryContext */
static bool exit_registered;

Size
limits_memory(void)
{
	return mul_size(MAX_SERVERS, sizeof(Limits));
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
	return shared != NULL && limits >= shared && limits < shared + MAX_SERVERS;
}

static void
lock(void)
{
	if (shared != NULL)
		LWLockAcquire(&GetNamedLWLockTranche("llava_zh")->lock, LW_EXCLUSIVE);
}

static void
unlock(void)
{
	if (shared != NULL)
		LWLockRelease(&GetNamedLWLockTranche("llava_zh")->lock);
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

/* An entry for this database's server, made if need be; NULL when all are used. */
static Limits *
shared_entry(Oid server)
{
	Limits	   *vacant = NULL;

	for (int i = 0; i < MAX_SERVERS; i++)
	{
		Limits	   *limits = &shared[i];

		if (limits->database == MyDatabaseId && limits->server == server)
			return limits;
		if (limits->users == 0 && (vacant == NULL || !OidIsValid(limits->database)))
			vacant = limits;
	}
	return vacant;
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
	limits->pace.in_flight -= mine->in_flight;
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
	unlock();
	attached = NIL;
}

Limits *
limits_attach(Oid server)
{
	MemoryContext old;
	Attached   *mine;
	Limits	   *limits = NULL;
	ListCell   *cell;

	foreach(cell, attached)
	{
		mine = lfirst(cell);
		if (mine->server == server)
			return mine->limits;
	}
	if (!exit_registered)
		before_shmem_exit(give_back_all, (Datum) 0);
	exit_registered = true;

	old = MemoryContextSwitchTo(TopMemoryContext);
	mine = palloc0(sizeof(Attached));
	attached = lappend(attached, mine);
	MemoryContextSwitchTo(old);
	lock();
	if (shared != NULL)
		limits = shared_entry(server);
	if (limits != NULL && (limits->database != MyDatabaseId || limits->server != server))
		clear_entry(limits, server);
	if (limits != NULL)
		limits->users++;
	unlock();
	if (limits == NULL)
	{
		limits = MemoryContextAlloc(TopMemoryContext, sizeof(Limits));
		clear_entry(limits, server);
		limits->users = 1;
	}
	mine->limits = limits;
	mine->server = server;
	return limits;
}

void
limits_detach(Limits *limits)
{
	Attached   *mine = attached_to(limits);

	Assert(mine->in_flight == 0 && mine->unsettled == 0);
	lock();
	give_back(mine);
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
	/* a larger limit may be just what somebody waits for */
	wake_waiting(limits);
	unlock();
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
	return (int) Min(limits->pace.window, limits->pace.max_in_flight);
}

int
limits_room(Limits *limits)
{
	Attached   *mine = attached_to(limits);
	int			room;

	lock();
	room = allowed(limits) - limits->pace.in_flight + mine->in_flight;
	unlock();
	return Max(room, 0);
}

double
limits_load(Limits *limits, int more)
{
	double		load;

	lock();
	load = (limits->pace.in_flight + more) / Max(limits->pace.window, 1.0);
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
time_to_slot(Limits *limits, Attached *mine, int64 tokens, bool urgent)
{
	int64		wait;

	if (used_up(limits))
		return ASK_AGAIN_MS;
	if (!urgent && !may_probe(&limits->pause))
		return ASK_AGAIN_MS;
	if (!urgent && limits->pause.reason[0] != '\0' && mine->in_flight > 0)
		return ASK_AGAIN_MS;
	if (!urgent && limits->urgent > 0)
		wait = -1;
	else
		wait = vlm_pace_wait(&limits->pace, tokens, now_ms());
	if (wait < 0 && !wait_for_slot(limits))
		wait = ASK_AGAIN_MS;
	return wait;
}

bool
limits_take(Limits *limits, int64 tokens, bool urgent, int64 *wait_ms)
{
	Attached   *mine = attached_to(limits);

	lock();
	*wait_ms = time_to_slot(limits, mine, tokens, urgent);
	if (*wait_ms == 0)
	{
		vlm_pace_sent(&limits->pace, tokens, now_ms());
		mine->in_flight++;
		mine->unsettled++;
		vlm_quota_sent(&limits->quota);
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
	forget_waiting(limits);
	wake_waiting(limits);
	unlock();
}

double
limits_ended(Limits *limits, const VlmOutcome *outcome, int64 latency_ms, int64 retry_after_ms,
			 int64 forecast, int64 prompt_tokens, int64 completion_tokens)
{
	Attached   *mine = attached_to(limits);
	int64		usage = prompt_tokens < 0 || completion_tokens < 0 ? -1 :
	prompt_tokens + completion_tokens;
	double		cost;

	prompt_tokens = Max(prompt_tokens, 0);
	completion_tokens = Max(completion_tokens, 0);
	lock();
	vlm_pace_ended(&limits->pace, outcome->action, latency_ms, retry_after_ms, forecast, usage,
				   now_ms());
	mine->in_flight--;
	if (outcome->action == VLM_DONE || outcome->action == VLM_FILTERED ||
		(outcome->action == VLM_IMAGE_FAULT && !outcome->probe))
		limits->failures = 0;
	cost = vlm_quota_ended(&limits->quota, prompt_tokens, completion_tokens);
	mine->unsettled_cost += cost;
	counters_note_end(&limits->counters, outcome, latency_ms, prompt_tokens, completion_tokens);
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
	if (first_attempt && limits->failures < FAILURES_IN_A_ROW)
		limits->failures++;
	failing = limits->failures >= FAILURES_IN_A_ROW;
	unlock();
	return failing;
}

void
limits_given_up(Limits *limits, bool sent)
{
	Attached   *mine = attached_to(limits);

	lock();
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
	lock();
	if (limits->n_waiting > 0 &&
		(limits->pace.in_flight == 0 ||
		 limits->pace.in_flight + 1 <= Min(limits->pace.window, limits->pace.max_in_flight)))
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
limits_pause(Limits *limits, const char *reason, const char *detail, bool probe)
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
		if (news)
			pause->recorded = false;
	}
	unlock();
	return news;
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
		wake_waiting(limits);
	}
	unlock();
	return was;
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
		const Limits *limits = &shared[(*position)++];

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
