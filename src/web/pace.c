/*
 * pace.c
 *	  How often a host is asked, and when it is left alone.
 *
 * One request at a time, and a delay from one start to the next: the operator's, the host's
 * Crawl-delay or its latency, whichever is longest.  Time that was not used is not made up
 * for.  A host that asks for less is given what it asks for; one that refuses or does not
 * answer is tried more and more seldom, by one request each time.
 */
#include "web.h"

#include <string.h>

#define MINUTE_MS (60 * INT64_C(1000))
#define HOUR_MS (60 * MINUTE_MS)

#define LONGEST_PENALTY_MS (5 * (int) MINUTE_MS)
#define LONGEST_RETRY_AFTER_MS (24 * HOUR_MS)

/* A longer latency is an error's, not a pace. */
#define LONGEST_LATENCY_MS (60 * 1000)

#define ERRORS_OF_DOWN 5
#define GIVEN_UP_AFTER_MS (3 * 24 * HOUR_MS)
#define REFUSALS_OF_BLOCKED 10
#define RECENT 50

static const int64_t down_probes[] = {MINUTE_MS, 5 * MINUTE_MS, 30 * MINUTE_MS, 6 * HOUR_MS, 24 * HOUR_MS};
static const int64_t blocked_probes[] = {HOUR_MS, 6 * HOUR_MS, 24 * HOUR_MS};

#define N_DOWN_PROBES ((int) (sizeof(down_probes) / sizeof(down_probes[0])))
#define N_BLOCKED_PROBES ((int) (sizeof(blocked_probes) / sizeof(blocked_probes[0])))

const char *
web_host_state_name(WebHostState state)
{
	static const char *const names[WEB_HOST_STATES] = {"ok", "slow", "throttled", "blocked", "down"};

	return names[state];
}

static int
largest(int a, int b)
{
	return a > b ? a : b;
}

int
web_pace_delay(const WebPace *pace, int base_ms)
{
	return largest(largest(base_ms, pace->crawl_delay_ms), largest(pace->penalty_ms, pace->latency_ms));
}

static void
pace_move(WebPace *pace, WebHostState state, int64_t now_ms)
{
	if (pace->state == state)
		return;
	pace->state = state;
	pace->since_ms = now_ms;
	pace->probes = 0;
}

static void
not_before(WebPace *pace, int64_t time_ms)
{
	if (pace->free_ms < time_ms)
		pace->free_ms = time_ms;
}

void
web_pace_begin(WebPace *pace, int base_ms, int64_t now_ms)
{
	pace->free_ms = now_ms + web_pace_delay(pace, base_ms);
}

static void
note_refusal(WebPace *pace, bool refused)
{
	uint64_t	kept = (UINT64_C(1) << RECENT) - 1;

	pace->recent = (int64_t) (((uint64_t) pace->recent << 1 | refused) & kept);
	if (pace->n_recent < RECENT)
		pace->n_recent++;
	pace->refusals = refused ? pace->refusals + 1 : 0;
}

/* Many in a row where there were none before, or most of the newest. */
static bool
refuses_everything(const WebPace *pace)
{
	int			refused = __builtin_popcountll((uint64_t) pace->recent);

	return (pace->refusals >= REFUSALS_OF_BLOCKED && refused == pace->refusals) ||
		(pace->n_recent == RECENT && refused > RECENT / 2);
}

static bool
end_forbidden(WebPace *pace, int64_t now_ms)
{
	note_refusal(pace, true);
	pace->errors = 0;
	if (pace->state != WEB_HOST_BLOCKED && !refuses_everything(pace))
		return false;
	pace_move(pace, WEB_HOST_BLOCKED, now_ms);
	if (pace->probes == N_BLOCKED_PROBES)
		return true;
	not_before(pace, now_ms + blocked_probes[pace->probes++]);
	return false;
}

static bool
end_error(WebPace *pace, int64_t now_ms)
{
	int			probe;

	pace->errors++;
	if (pace->state != WEB_HOST_DOWN && pace->errors < ERRORS_OF_DOWN)
		return false;
	pace_move(pace, WEB_HOST_DOWN, now_ms);
	if (now_ms - pace->since_ms >= GIVEN_UP_AFTER_MS)
		return true;
	probe = pace->probes < N_DOWN_PROBES ? pace->probes++ : N_DOWN_PROBES - 1;
	not_before(pace, now_ms + down_probes[probe]);
	return false;
}

static void
end_throttled(WebPace *pace, int base_ms, int64_t retry_after_ms, int64_t now_ms)
{
	int			delay = web_pace_delay(pace, base_ms);

	pace->errors = 0;
	pace_move(pace, WEB_HOST_THROTTLED, now_ms);
	if (retry_after_ms >= 0)
	{
		not_before(pace, now_ms + (retry_after_ms < LONGEST_RETRY_AFTER_MS ? retry_after_ms : LONGEST_RETRY_AFTER_MS));
		return;
	}
	pace->penalty_ms = delay < LONGEST_PENALTY_MS / 2 ? delay * 2 : LONGEST_PENALTY_MS;
	not_before(pace, now_ms + pace->penalty_ms);
}

static void
end_answer(WebPace *pace, int base_ms, int latency_ms, int64_t now_ms)
{
	if (latency_ms > LONGEST_LATENCY_MS)
		latency_ms = LONGEST_LATENCY_MS;
	note_refusal(pace, false);
	/* what was refused while it was blocked says nothing of the time after */
	if (pace->state == WEB_HOST_BLOCKED)
		pace->recent = pace->n_recent = 0;
	pace->errors = 0;
	pace->latency_ms = pace->latency_ms == 0 ? latency_ms : (pace->latency_ms * 3 + latency_ms) / 4;
	pace->penalty_ms -= pace->penalty_ms / 10 + 1;
	if (pace->penalty_ms <= base_ms)
		pace->penalty_ms = 0;
	pace_move(pace, pace->penalty_ms > 0 ? WEB_HOST_THROTTLED :
			  web_pace_delay(pace, base_ms) > base_ms ? WEB_HOST_SLOW : WEB_HOST_OK, now_ms);
}

bool
web_pace_end(WebPace *pace, int base_ms, WebEvent event, int latency_ms, int64_t retry_after_ms,
			 int64_t now_ms)
{
	switch (event)
	{
		case WEB_EVENT_FORBIDDEN:
			return end_forbidden(pace, now_ms);
		case WEB_EVENT_ERROR:
			return end_error(pace, now_ms);
		case WEB_EVENT_THROTTLED:
			end_throttled(pace, base_ms, retry_after_ms, now_ms);
			return false;
		case WEB_EVENT_ANSWER:
			end_answer(pace, base_ms, latency_ms, now_ms);
			return false;
	}
	return false;
}
