/*
 * pace.c
 *	  How many requests at once and how many a minute one server is sent.
 *
 * A refusal is no limit: public endpoints refuse one request in a hundred at random.
 * What tells a limit is how many of the requests are refused, and that the share follows
 * what is sent.  The level of what is sent is one of two kinds: so many at once, or, where
 * that does not make refusals cease, so many a second, evenly.  A server that takes N at
 * once refuses 1 - N / level if the slot of a refused request is left empty for about a
 * latency, as if it had been answered; else the few that are too many would be sent again
 * and again.
 *
 * Grow: by one a success, as TCP's slow start (RFC 5681), up to the limit that is known,
 * or to max_in_flight.
 * Cut: a cumulative sum over what is sent tells a share of half after some 14 requests and
 * is not moved by 5 %.  What was taken is the new limit; a second cut changes the kind.
 * Probe: now and then a little more than the limit is tried for about a latency, and
 * twice as much of it each time nothing is refused, so that a limit that was doubled
 * is found again in seconds; a failed one costs a few refusals, and is repeated so
 * seldom that these are about one in a hundred.
 * Trial: where some are refused all the time but too few for a cut, the other kind is
 * tried, then a lower level.  If refusals cease they came of a limit; else they are
 * strays, and are left alone.
 * Storm: nearly all is refused, so the server takes nothing: one request at a time, after
 * Retry-After or longer and longer waits.  Slow start leads back to the limit from before.
 * From storm to storm a minute's requests may have been used up: what was taken meanwhile
 * is then the limit a second.
 */
#include "vlm.h"

#include <math.h>
#include <string.h>

#define FIRST_WINDOW 32.0
#define NO_LIMIT 1e9

/*
 * The cumulative sum: log-likelihood ratios of a share of 15 % against one of 5 %.  What
 * is sent counts as taken until it is refused, which is known much earlier than a success.
 */
#define TAKEN_SCORE 0.11
#define REFUSED_SCORE 1.21
#define CUT_SCORE 7.0

/* The same at a rate, which refuses evenly. */
#define RATE_CUT_SCORE 4.0

/* Means over about so many requests: of what is refused, and of latencies. */
#define SHARE_OVER 24.0
#define STORM_OVER 6.0
#define LATENCY_OVER 32.0

/* So large a share of the latest requests is a storm; so soon after a long one, too. */
#define STORM_SHARE 0.85
#define STORM_AGAIN_SHARE 0.4
#define STORM_AGAIN_MS 90000

/* The wait in a storm that says no Retry-After; doubled by each further refusal. */
#define STORM_WAIT_MS 100
#define STORM_WAIT_MAX_MS 10000

/* A storm as long may be the rest of a minute whose requests are used up. */
#define LONG_STORM_MS 1000

/* How much more than the limit is tried: at first, of slots and of a rate, and at most. */
#define SLOTS_STEP 0.03
#define RATE_STEP 0.08
#define STEP_MOST 0.5

/* Between probes: rounds and ms at least, ms and answers for each refusal at most. */
#define PROBE_ROUNDS 2
#define PROBE_MS 300
#define PROBE_MOST_MS 3000
#define ANSWERS_A_REFUSAL 100.0
#define RATE_PROBE_LEAST_MS 1500

/* A rate is probed until as many ms' worth of it were sent beyond the limit. */
#define RATE_PROBE_MS 100

/*
 * A trial is made of this many refusals of such a share, takes so much off at most, and
 * ends when so many were due again: few enough are left if it was a limit.
 */
#define TRIAL_REFUSALS 12
#define TRIAL_SHARE 0.01
#define TRIAL_MOST 0.15
#define TRIAL_DUE 8.0
#define TRIAL_LEFT 1
#define TRIAL_WAITS 20
#define TRIAL_WAIT_MOST_MS 300000

/* At a rate fewer refusals lower it, so often unless so much is sent with fewer. */
#define RATE_REFUSALS 3
#define LOWERED_MOST 4
#define CALM_ENOUGH 600
#define TRIAL_WAIT_FIRST_MS 30000

/* What was taken is counted over so many requests and ms, twice. */
#define TAKEN_REQUESTS 40
#define TAKEN_MS 1000

/*
 * At a rate: refusals that come when more are in flight than usual, in mean so many
 * standard deviations of so many refusals, are of a limit of slots.
 */
#define CROWDED 0.9
#define CROWDED_OVER 5
#define LOAD_OVER 256.0

/* A cut within so many rounds after another is none of slots. */
#define SOON_ROUNDS 10

/* The most that passes for strays. */
#define STRAY_MOST 0.06

/* Before the first answer a latency is taken to be this. */
#define LATENCY_FIRST_MS 300.0

/* An even rate is kept to so many ms. */
#define EVEN_MS 10.0

void
vlm_pace_init(VlmPace *pace, int64_t now_ms)
{
	memset(pace, 0, sizeof(*pace));
	pace->max_in_flight = 1;
	pace->level = FIRST_WINDOW;
	pace->limit = NO_LIMIT;
	pace->changed_ms = pace->storm_ms = INT64_MIN;
	pace->cut_ms = INT64_MIN / 2;
	pace->probe_step = SLOTS_STEP;
	pace->credit_ms = pace->kept_ms = now_ms;
	pace->taken_ms = pace->fair_ms = now_ms;
}

void
vlm_pace_limits(VlmPace *pace, int max_in_flight, int requests_per_minute,
				int64_t tokens_per_minute)
{
	pace->max_in_flight = max_in_flight < 1 ? 1 : max_in_flight;
	pace->requests_per_minute = requests_per_minute;
	pace->tokens_per_minute = tokens_per_minute;
}

static double
larger(double a, double b)
{
	return a > b ? a : b;
}

static double
smaller(double a, double b)
{
	return a < b ? a : b;
}

static double
latency(const VlmPace *pace)
{
	return pace->latency_ms > 0 ? larger(pace->latency_ms, 1) : LATENCY_FIRST_MS;
}

static bool
is_rate(const VlmPace *pace)
{
	return pace->kind == VLM_PACE_RATE;
}

/* The most that the level may grow to without a probe. */
static double
target(const VlmPace *pace)
{
	return is_rate(pace) ? pace->limit : smaller(pace->limit, pace->max_in_flight);
}

double
vlm_pace_allowed(const VlmPace *pace)
{
	if (pace->storm > 0)
		return 1;
	return is_rate(pace) ? pace->max_in_flight : smaller(pace->level, pace->max_in_flight);
}

/* ---- credit of requests and tokens ---- */

/* A second's worth, or one: what may be sent in a burst. */
static double
burst(double per_minute, double least)
{
	double		second = per_minute / 60.0;

	return second > least ? second : least;
}

static void
fill_credits(VlmPace *pace, int64_t tokens, int64_t now_ms)
{
	double		minutes = (double) (now_ms - pace->credit_ms) / 60000.0;
	double		most;

	pace->credit_ms = now_ms;
	if (minutes < 0)
		return;
	pace->request_credit += minutes * pace->requests_per_minute;
	most = burst(pace->requests_per_minute, 1.0);
	if (pace->request_credit > most)
		pace->request_credit = most;
	pace->token_credit += minutes * (double) pace->tokens_per_minute;
	most = burst((double) pace->tokens_per_minute, (double) tokens);
	if (pace->token_credit > most)
		pace->token_credit = most;
}

/* Milliseconds until missing credit has come in at this rate. */
static int64_t
wait_for(double missing, double per_minute)
{
	return missing <= 0 ? 0 : (int64_t) (missing / per_minute * 60000.0) + 1;
}

static int64_t
wait_for_credit(VlmPace *pace, int64_t tokens, int64_t now_ms)
{
	int64_t		wait = 0;
	int64_t		other;

	fill_credits(pace, tokens, now_ms);
	if (pace->requests_per_minute > 0)
		wait = wait_for(1.0 - pace->request_credit, pace->requests_per_minute);
	pace->waits_for = wait > 0 ? VLM_PACE_REQUESTS : VLM_PACE_NOTHING;
	if (pace->tokens_per_minute > 0)
	{
		other = wait_for((double) tokens - pace->token_credit, (double) pace->tokens_per_minute);
		if (other > wait)
		{
			wait = other;
			pace->waits_for = VLM_PACE_TOKENS;
		}
	}
	pace->waits_until_ms = now_ms + wait;
	return wait;
}

/* ---- slots of refused requests ---- */

/* Those that are left empty now: each for about a latency. */
static double
kept_empty(const VlmPace *pace, int64_t now_ms)
{
	double		age = (double) (now_ms - pace->kept_ms);

	return pace->kept * exp(-(age > 0 ? age : 0) / latency(pace));
}

static void
keep_empty(VlmPace *pace, int64_t now_ms)
{
	pace->kept = kept_empty(pace, now_ms) + 1;
	pace->kept_ms = now_ms;
}

/* -1: a request in flight must end first; else ms until a slot is not left empty any more. */
static int64_t
wait_for_slot(const VlmPace *pace, int64_t now_ms)
{
	double		free_slots = vlm_pace_allowed(pace) - pace->in_flight;
	double		kept = kept_empty(pace, now_ms);

	/* a half counts as none, so that the last one comes to an end */
	if (pace->in_flight == 0 && kept < 0.5)
		return 0;
	if (free_slots < 1)
		return pace->in_flight > 0 ? -1 : 0;
	free_slots = floor(free_slots) - 0.5;
	return kept <= free_slots ? 0 : (int64_t) (log(kept / free_slots) * latency(pace)) + 1;
}

/* At an even rate: ms until the next one's turn. */
static int64_t
wait_for_turn(const VlmPace *pace, int64_t now_ms)
{
	double		wait = pace->turn_ms - (double) now_ms;

	return !is_rate(pace) || pace->storm > 0 || wait <= 0 ? 0 : (int64_t) wait + 1;
}

int64_t
vlm_pace_wait(VlmPace *pace, int64_t tokens, int64_t now_ms)
{
	int64_t		wait;

	if (now_ms < pace->not_before_ms)
		return pace->not_before_ms - now_ms;
	pace->waits_for = VLM_PACE_NOTHING;
	wait = wait_for_slot(pace, now_ms);
	if (wait == 0)
	{
		wait = wait_for_turn(pace, now_ms);
		pace->bound_by_rate = wait > 0;
	}
	return wait != 0 ? wait : wait_for_credit(pace, tokens, now_ms);
}

/* What the server took, in two spans of time one after the other. */
static void
count_taken(VlmPace *pace, int change, int64_t now_ms)
{
	if (pace->taken >= TAKEN_REQUESTS && now_ms - pace->taken_ms >= TAKEN_MS)
	{
		pace->taken_before = pace->taken;
		pace->taken_before_ms = now_ms - pace->taken_ms;
		pace->taken = 0;
		pace->taken_ms = now_ms;
	}
	pace->taken += change;
	pace->fair_taken += change;
	pace->chain_taken += change;
}

void
vlm_pace_sent(VlmPace *pace, int64_t tokens, int64_t now_ms)
{
	fill_credits(pace, tokens, now_ms);
	pace->in_flight++;
	if (pace->requests_per_minute > 0)
		pace->request_credit -= 1.0;
	if (pace->tokens_per_minute > 0)
		pace->token_credit -= (double) tokens;
	pace->score = larger(pace->score - TAKEN_SCORE, 0);
	pace->share -= pace->share / SHARE_OVER;
	pace->storm_share -= pace->storm_share / STORM_OVER;
	pace->seen_sent++;
	if (is_rate(pace))
	{
		double		off = pace->in_flight - pace->load_mean;

		pace->turn_ms = larger(pace->turn_ms, (double) now_ms - EVEN_MS) + 1000 / pace->level;
		if (pace->mode != VLM_PACE_PROBE)
		{
			pace->load_mean += off / LOAD_OVER;
			pace->load_variance += (off * off - pace->load_variance) / LOAD_OVER;
		}
	}
	count_taken(pace, 1, now_ms);
}

/* ---- what is known of the server's limit ---- */

/* The level is another; what was sent before says nothing of it. */
static void
set_level(VlmPace *pace, double level, int64_t now_ms)
{
	/* the slots of those that were too many are gone */
	if (level < pace->level)
		pace->kept = 0;
	pace->level = is_rate(pace) ? larger(level, 0.01) : larger(level, 1);
	pace->changed_ms = now_ms;
	pace->score = 0;
	pace->seen_sent = pace->seen_refused = pace->seen_answered = 0;
	pace->at_refusal = 0;
}

static double
least_step(const VlmPace *pace)
{
	return is_rate(pace) ? RATE_STEP : SLOTS_STEP;
}

/* Requests in a latency at the limit. */
static double
in_a_round(const VlmPace *pace)
{
	return is_rate(pace) ? pace->limit * latency(pace) / 1000 : pace->limit;
}

static void
probe_after(VlmPace *pace, double wait_ms, int64_t now_ms)
{
	double		round = latency(pace);
	double		least = larger(PROBE_ROUNDS * round, is_rate(pace) ? RATE_PROBE_LEAST_MS : PROBE_MS);
	double		extra = is_rate(pace) ? 1 : larger(SLOTS_STEP * pace->limit, 1);
	double		most = larger(ANSWERS_A_REFUSAL * extra * round / in_a_round(pace),
							  PROBE_MOST_MS);

	pace->probe_wait_ms = larger(smaller(wait_ms, most), least);
	pace->probe_at_ms = now_ms + (int64_t) pace->probe_wait_ms;
}

static void
set_limit(VlmPace *pace, double limit, int64_t now_ms)
{
	pace->limit = is_rate(pace) ? larger(limit, 0.01) : larger(limit, 1);
	if (!is_rate(pace) && pace->limit >= pace->max_in_flight)
		pace->limit = NO_LIMIT;
	pace->mode = VLM_PACE_CALM;
	set_level(pace, target(pace), now_ms);
}

static void
set_kind(VlmPace *pace, VlmPaceKind kind, double limit, int64_t now_ms)
{
	pace->kind = kind;
	pace->turn_ms = (double) now_ms;
	pace->kept = 0;
	pace->load_mean = pace->load_variance = pace->in_flight;
	pace->crowded = 0;
	pace->crowded_refusals = 0;
	pace->probe_step = least_step(pace);
	set_limit(pace, limit, now_ms);
}

/* The share that is refused while nothing is tried, as far as it is known. */
static double
calm_share(const VlmPace *pace)
{
	return pace->calm_sent < 50 ? 0 : (double) pace->calm_refused / (double) pace->calm_sent;
}

static void
forget_calm(VlmPace *pace)
{
	pace->calm_sent = pace->calm_refused = 0;
}

/* What the server took a second of late. */
static double
taken_rate(const VlmPace *pace, int64_t now_ms)
{
	double		ms = (double) (pace->taken_before_ms + now_ms - pace->taken_ms);

	return ms < 1 ? 1 : larger((double) (pace->taken_before + pace->taken), 1) * 1000 / ms;
}

static void
begin_probe(VlmPace *pace, int64_t now_ms)
{
	double		more = pace->limit * pace->probe_step;

	if (pace->probe_step <= least_step(pace))
	{
		pace->chain_limit = pace->limit;
		pace->chain_taken = 0;
		pace->chain_ms = now_ms;
	}
	/* so many a second from now on; of slots one after the other */
	pace->probe_to = is_rate(pace) ? pace->limit + more : floor(pace->limit + larger(more, 1));
	set_level(pace, is_rate(pace) ? pace->probe_to : floor(pace->limit + 1), now_ms);
	/* what is sent now is more already */
	pace->changed_ms = now_ms - 1;
	pace->mode = VLM_PACE_PROBE;
}

static void
probe_succeeded(VlmPace *pace, int64_t now_ms)
{
	set_limit(pace, pace->level, now_ms);
	pace->lowered = 0;
	pace->probe_step = smaller(pace->probe_step * 2, STEP_MOST);
	pace->probe_wait_ms = 0;
	pace->probe_at_ms = now_ms;
}

/* Whether the probe has seen enough to have failed if it was to. */
static bool
probe_is_over(const VlmPace *pace, int64_t now_ms)
{
	if (is_rate(pace))
		return pace->seen_answered >= 4 &&
			(double) (now_ms - pace->changed_ms) >= RATE_PROBE_MS / pace->probe_step;
	return pace->seen_answered >= 4 && (double) pace->seen_answered >= pace->level / 2;
}

/* Whether more was refused than strays are. */
static bool
is_refused(const VlmPace *pace)
{
	double		due = pace->stray * (double) pace->seen_sent;

	return (double) pace->seen_refused > (due < 0.5 ? 0 : due + 2 * sqrt(due));
}

/*
 * What a failed probe has found.  A bucket may have let through what probes before sent
 * too much of at a rate, so that counts which was taken from the first of them on.
 */
static double
found_by_probe(const VlmPace *pace, int64_t sent_ms, int64_t now_ms)
{
	double		taken;

	/* where refusals are slow, more was sent meanwhile */
	if (!is_rate(pace))
		return (double) (now_ms - sent_ms) > latency(pace) / 4 ? pace->limit :
			larger(pace->in_flight, pace->limit);
	taken = (double) pace->chain_taken * 970 / (double) (now_ms - pace->chain_ms + 1);
	return smaller(larger(taken, pace->chain_limit), pace->limit);
}

static void
probe_failed(VlmPace *pace, int64_t sent_ms, int64_t now_ms)
{
	bool		far = pace->probe_step > least_step(pace);

	set_limit(pace, found_by_probe(pace, sent_ms, now_ms), now_ms);
	pace->probe_step = least_step(pace);
	probe_after(pace, far ? 0 : pace->probe_wait_ms * 2, now_ms);
}

/* Fewer, or, where it is not known yet that it is no rate, as many but evenly. */
static void
begin_trial(VlmPace *pace, int64_t now_ms)
{
	double		less = smaller(larger(2.5 * calm_share(pace), 0.05), TRIAL_MOST);

	pace->trial_kind = pace->kind;
	pace->trial_limit = pace->limit;
	pace->trial_from = pace->level;
	pace->trial_ms = now_ms;
	pace->trial_share = calm_share(pace);
	if (!pace->tried_rate)
	{
		set_kind(pace, VLM_PACE_RATE, taken_rate(pace, now_ms) * 0.97, now_ms);
		pace->tried_rate = true;
	}
	else
		set_level(pace, smaller(floor(pace->level * (1 - less)), pace->level - 1), now_ms);
	pace->mode = VLM_PACE_TRIAL;
}

/* They are strays: no trial for long, each time longer. */
static void
believe_strays(VlmPace *pace, double share, double wait_ms, int64_t now_ms)
{
	pace->stray = smaller(share, STRAY_MOST);
	pace->trial_wait_ms = smaller(larger(wait_ms, 2 * pace->trial_wait_ms), TRIAL_WAIT_MOST_MS);
	pace->trial_at_ms = now_ms + (int64_t) pace->trial_wait_ms;
}

static void
end_trial(VlmPace *pace, int64_t now_ms)
{
	double		ms = (double) (now_ms - pace->trial_ms);

	forget_calm(pace);
	if (pace->seen_refused <= TRIAL_LEFT)
	{
		pace->stray = 0;
		pace->lowered = 0;
		set_limit(pace, pace->level, now_ms);
		probe_after(pace, PROBE_MOST_MS, now_ms);
		return;
	}
	/* a lower level is tried next, then nothing for long */
	if (pace->trial_kind == pace->kind)
	{
		pace->tried_rate = false;
		believe_strays(pace, pace->trial_share, ms * TRIAL_WAITS, now_ms);
	}
	pace->kind = pace->trial_kind;
	pace->limit = pace->trial_limit;
	pace->probe_step = least_step(pace);
	pace->mode = VLM_PACE_CALM;
	set_level(pace, pace->trial_from, now_ms);
}

/*
 * What is refused at a rate is just what is too much.  If it is refused still when that was
 * taken off several times, it is no rate, nor what was too much.
 */
static void
lower_rate(VlmPace *pace, int64_t now_ms)
{
	double		share = calm_share(pace);

	forget_calm(pace);
	if (++pace->lowered < LOWERED_MOST)
	{
		set_limit(pace, pace->limit * (0.99 - smaller(share, TRIAL_MOST)), now_ms);
		return;
	}
	pace->lowered = 0;
	set_kind(pace, VLM_PACE_SLOTS, NO_LIMIT, now_ms);
	believe_strays(pace, share, TRIAL_WAIT_FIRST_MS, now_ms);
}

/* Counts what is sent and refused while nothing is tried; old times weigh less. */
static void
look_at_calm(VlmPace *pace, int64_t now_ms)
{
	if (pace->calm_sent >= 4096)
	{
		pace->calm_sent /= 2;
		pace->calm_refused /= 2;
	}
	if (pace->calm_refused < (is_rate(pace) ? RATE_REFUSALS : TRIAL_REFUSALS) ||
		calm_share(pace) < TRIAL_SHARE)
	{
		if (pace->calm_sent >= CALM_ENOUGH)
		{
			pace->lowered = 0;
			pace->stray = smaller(pace->stray, calm_share(pace));
		}
		return;
	}
	if (is_rate(pace))
		lower_rate(pace, now_ms);
	else if (pace->level >= 2 && now_ms >= pace->trial_at_ms)
		begin_trial(pace, now_ms);
}

/* ---- what came of requests ---- */

/* Whether as much is under way as may be: else more would not be sent anyway. */
static bool
is_full(const VlmPace *pace, int64_t now_ms)
{
	if (is_rate(pace))
		return pace->bound_by_rate;
	return pace->in_flight + kept_empty(pace, now_ms) + 2 > pace->level * 0.95;
}

static void
grow(VlmPace *pace, int64_t now_ms)
{
	double		most = target(pace);

	if (pace->level < most)
		pace->level = smaller(pace->level + 1.0, most);
	else if (pace->limit < NO_LIMIT && now_ms >= pace->probe_at_ms && is_full(pace, now_ms))
		begin_probe(pace, now_ms);
	else
	{
		pace->calm_sent++;
		look_at_calm(pace, now_ms);
	}
}

/* Whether a long one has ended not long ago, as where the requests of minutes are used up. */
static bool
was_storm(const VlmPace *pace, int64_t now_ms)
{
	return pace->had_storm && now_ms - pace->fair_ms < STORM_AGAIN_MS;
}

/*
 * Where another has ended a minute before, the storm was the rest of a minute, perhaps:
 * what was taken meanwhile is the limit a second.
 */
static void
end_storm(VlmPace *pace, int64_t now_ms)
{
	double		ms = (double) (now_ms - pace->fair_ms);
	bool		again = was_storm(pace, now_ms);

	pace->storm = 0;
	pace->share = pace->storm_share = 0;
	pace->score = 0;
	if (now_ms - pace->storm_began_ms < LONG_STORM_MS)
		return;
	if (again && ms > 0 && pace->fair_taken > 0)
	{
		set_kind(pace, VLM_PACE_RATE, (double) pace->fair_taken * 1000 / ms, now_ms);
		probe_after(pace, PROBE_MOST_MS, now_ms);
	}
	pace->fair_taken = 0;
	pace->fair_ms = now_ms;
	pace->had_storm = true;
}

static void
succeeded(VlmPace *pace, int64_t latency_ms, int64_t now_ms)
{
	double		over = larger(pace->max_in_flight, LATENCY_OVER);

	pace->latency_ms += pace->latency_ms == 0 ? (double) latency_ms :
		((double) latency_ms - pace->latency_ms) / over;
	if (pace->storm > 0)
	{
		/* the answers to what was sent before it promise nothing */
		if (now_ms - latency_ms <= pace->storm_ms)
			return;
		end_storm(pace, now_ms);
	}
	if (now_ms - latency_ms <= pace->changed_ms)
		return;
	pace->seen_answered++;
	pace->before = 0;
	if (pace->mode == VLM_PACE_PROBE)
	{
		pace->level = smaller(pace->level + 1, pace->probe_to);
		if (probe_is_over(pace, now_ms))
			probe_succeeded(pace, now_ms);
	}
	else if (pace->mode == VLM_PACE_TRIAL)
	{
		if ((double) (pace->seen_answered + pace->seen_refused) * pace->trial_share >= TRIAL_DUE)
			end_trial(pace, now_ms);
	}
	else
		grow(pace, now_ms);
}

static void
wait_until(VlmPace *pace, VlmPaceWait reason, int64_t at_ms)
{
	if (at_ms <= pace->not_before_ms)
		return;
	pace->not_before_ms = pace->waits_until_ms = at_ms;
	pace->waits_for = reason;
}

static int64_t
storm_wait_ms(int refusals)
{
	int64_t		wait = STORM_WAIT_MS;

	for (int i = 1; i < refusals && wait < STORM_WAIT_MAX_MS; i++)
		wait *= 2;
	return wait < STORM_WAIT_MAX_MS ? wait : STORM_WAIT_MAX_MS;
}

static bool
is_storm(const VlmPace *pace, int64_t now_ms)
{
	return pace->storm > 0 ||
		pace->storm_share > (was_storm(pace, now_ms) ? STORM_AGAIN_SHARE : STORM_SHARE);
}

/* One request at a time, and not now. */
static void
storm(VlmPace *pace, int64_t retry_after_ms, int64_t now_ms)
{
	if (pace->storm++ == 0)
		pace->storm_began_ms = now_ms;
	pace->storm_ms = now_ms;
	if (pace->before > 0)
		pace->limit = pace->before;
	pace->mode = VLM_PACE_CALM;
	/* to where it was slow start leads back; a rate needs none */
	set_level(pace, is_rate(pace) ? pace->limit : 1, now_ms);
	if (retry_after_ms > 0)
		wait_until(pace, VLM_PACE_RETRY_AFTER, now_ms + retry_after_ms);
	else
		wait_until(pace, VLM_PACE_STORM, now_ms + storm_wait_ms(pace->storm));
}

/* Refused at a rate: whether that is so because too many were in flight. */
static bool
is_crowded(VlmPace *pace)
{
	/* a probe has more in flight anyway */
	double		off = pace->in_flight - pace->load_mean * larger(pace->level / pace->limit, 1);

	pace->crowded += (off / sqrt(larger(pace->load_variance, 0.25)) - pace->crowded) / CROWDED_OVER;
	return ++pace->crowded_refusals >= CROWDED_OVER && pace->crowded > CROWDED;
}

/* Too much is refused: as much as was taken is the limit. */
static void
cut(VlmPace *pace, int64_t now_ms)
{
	double		taken = pace->level * (1 - pace->share);
	bool		soon = (double) (now_ms - pace->cut_ms) < SOON_ROUNDS * latency(pace);

	pace->cut_ms = now_ms;
	/* what was believed to be strays is no more than that */
	pace->stray = 0;
	pace->trial_at_ms = now_ms;
	pace->trial_wait_ms = 0;
	if (!is_rate(pace) && soon && !pace->tried_rate && pace->mode == VLM_PACE_CALM &&
		(double) pace->seen_answered >= pace->level)
	{
		set_kind(pace, VLM_PACE_RATE, taken_rate(pace, now_ms) * 0.97, now_ms);
		probe_after(pace, PROBE_MOST_MS, now_ms);
		return;
	}
	if (pace->before == 0)
		pace->before = pace->limit;
	if (is_rate(pace))
		taken = smaller(taken, taken_rate(pace, now_ms));
	else
		taken = smaller(taken, pace->at_refusal);
	forget_calm(pace);
	set_limit(pace, taken * 0.98, now_ms);
	pace->probe_step = least_step(pace);
	probe_after(pace, 0, now_ms);
}

static void
throttled(VlmPace *pace, int64_t sent_ms, int64_t retry_after_ms, bool budget_empty,
		  int64_t now_ms)
{
	if (!is_rate(pace))
		keep_empty(pace, now_ms);
	count_taken(pace, -1, now_ms);
	if (budget_empty && retry_after_ms > 0)
		wait_until(pace, VLM_PACE_RETRY_AFTER, now_ms + retry_after_ms);
	/* sent before it was known that there were too many */
	if (sent_ms <= pace->changed_ms)
		return;
	pace->seen_refused++;
	pace->at_refusal += pace->at_refusal == 0 ? pace->in_flight :
		(pace->in_flight - pace->at_refusal) / 4;
	pace->score += REFUSED_SCORE;
	pace->share += 1 / SHARE_OVER;
	/* of those that were sent together one */
	if (sent_ms >= pace->refused_ms)
	{
		pace->storm_share += 1 / STORM_OVER;
		pace->refused_ms = now_ms;
	}
	if (is_rate(pace) && pace->storm == 0 && is_crowded(pace))
	{
		set_kind(pace, VLM_PACE_SLOTS, pace->at_refusal * 0.98, now_ms);
		pace->tried_rate = true;
		probe_after(pace, 0, now_ms);
	}
	else if (pace->mode == VLM_PACE_PROBE && is_refused(pace))
		probe_failed(pace, sent_ms, now_ms);
	else if (is_storm(pace, now_ms))
		storm(pace, retry_after_ms, now_ms);
	else if (pace->score > (is_rate(pace) ? RATE_CUT_SCORE : CUT_SCORE))
		cut(pace, now_ms);
	else if (pace->mode == VLM_PACE_TRIAL && pace->seen_refused > TRIAL_LEFT)
		end_trial(pace, now_ms);
	else if (pace->mode == VLM_PACE_CALM)
		pace->calm_refused++;
}

void
vlm_pace_ended(VlmPace *pace, VlmAction action, int64_t latency_ms, int64_t retry_after_ms,
			   bool budget_empty, int64_t forecast_tokens, int64_t actual_tokens, int64_t now_ms)
{
	if (pace->in_flight > 0)
		pace->in_flight--;
	if (actual_tokens >= 0 && pace->tokens_per_minute > 0)
		pace->token_credit += (double) (forecast_tokens - actual_tokens);
	if (action == VLM_THROTTLE)
		throttled(pace, now_ms - latency_ms, retry_after_ms, budget_empty, now_ms);
	else if (action == VLM_DONE || action == VLM_IMAGE_FAULT || action == VLM_FILTERED)
		succeeded(pace, latency_ms, now_ms);
}

void
vlm_pace_forget_wait(VlmPace *pace)
{
	pace->not_before_ms = 0;
	pace->waits_for = VLM_PACE_NOTHING;
	pace->kept = 0;
}

/* ---- for people ---- */

VlmPaceWait
vlm_pace_waits_for(const VlmPace *pace, int64_t now_ms, int64_t *until_ms)
{
	*until_ms = pace->waits_until_ms;
	return now_ms < pace->waits_until_ms ? pace->waits_for : VLM_PACE_NOTHING;
}

const char *
vlm_pace_held_down_by(const VlmPace *pace, int64_t now_ms)
{
	int64_t		until_ms;

	switch (vlm_pace_waits_for(pace, now_ms, &until_ms))
	{
		case VLM_PACE_RETRY_AFTER:
			return "Retry-After";
		case VLM_PACE_STORM:
			return "throttling";
		case VLM_PACE_REQUESTS:
			return "requests_per_minute";
		case VLM_PACE_TOKENS:
			return "tokens_per_minute";
		case VLM_PACE_NOTHING:
			break;
	}
	if (pace->storm > 0 || (is_rate(pace) && pace->bound_by_rate))
		return "throttling";
	if (is_rate(pace) || pace->level >= pace->max_in_flight)
		return "max_in_flight";
	if (pace->mode == VLM_PACE_CALM && pace->level < target(pace))
		return "slow start";
	return "throttling";
}

static int64_t
not_after(int64_t at_ms, int64_t latest_ms)
{
	return at_ms < latest_ms ? at_ms : latest_ms;
}

void
vlm_pace_clock_set_back(VlmPace *pace, int64_t now_ms, int64_t longest_ms)
{
	int64_t    *past[] = {
		&pace->kept_ms, &pace->refused_ms, &pace->taken_ms, &pace->fair_ms, &pace->chain_ms,
		&pace->changed_ms, &pace->trial_ms, &pace->cut_ms, &pace->storm_began_ms, &pace->storm_ms,
		&pace->credit_ms
	};
	int64_t    *future[] = {
		&pace->not_before_ms, &pace->waits_until_ms, &pace->probe_at_ms, &pace->trial_at_ms
	};

	for (size_t i = 0; i < sizeof(past) / sizeof(past[0]); i++)
		*past[i] = not_after(*past[i], now_ms);
	for (size_t i = 0; i < sizeof(future) / sizeof(future[0]); i++)
		*future[i] = not_after(*future[i], now_ms + longest_ms);
	if (pace->turn_ms > (double) (now_ms + longest_ms))
		pace->turn_ms = (double) (now_ms + longest_ms);
}

int64_t
vlm_backoff_ms(int attempt, int64_t base_ms, int64_t max_ms, uint64_t random)
{
	int64_t		ceiling = base_ms;

	for (int i = 1; i < attempt && ceiling < max_ms; i++)
		ceiling *= 2;
	if (ceiling > max_ms)
		ceiling = max_ms;
	/* full jitter over the upper half: never at once, never all together */
	return ceiling <= 1 ? ceiling : ceiling / 2 + (int64_t) (random % (uint64_t) (ceiling / 2 + 1));
}
