/*
 * limits_slots.c
 *	  Slots: when a request may be sent to a server, and what its end changes.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "server_private.h"

int
limits_room(Limits *limits)
{
	Attached   *mine = limits_attached_to(limits);
	int			room;

	limits_lock();
	room = (int) vlm_pace_allowed(&limits->pace) - limits->pace.in_flight + mine->in_flight;
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

/* Has this process's latch set when a slot may be free; false if the list is full. */
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

/* 0 if a request may be sent now; else limits_take's wait_ms. */
static int64
time_to_slot(Limits *limits, Attached *mine, int64 tokens, bool urgent, int company)
{
	ServerChance chance = limits_chance_locked(limits, urgent);
	int64		wait;

	if (chance == SERVER_CLOSED)
		return ASK_AGAIN_MS;
	/* a probe is the only request in flight */
	if (chance != SERVER_OPEN && mine->in_flight > 0)
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
		if (urgent)
			limits->counters.generated++;
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
	counters_note_end(&limits->counters, outcome, latency_ms, Max(said.completion, 0));
	if (limits->urgent > 0)
		limits_wake_waiting(limits);
	limits_unlock();
	return cost;
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
limits_forget_wait(Limits *limits)
{
	limits_lock();
	vlm_pace_forget_wait(&limits->pace);
	limits_wake_waiting(limits);
	limits_unlock();
}

void
limits_forget_wait_of(Oid server)
{
	Limits	   *limits;

	limits_lock();
	limits = limits_entry_of(server);
	if (limits != NULL)
	{
		vlm_pace_forget_wait(&limits->pace);
		limits_wake_waiting(limits);
	}
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
