/*
 * suspects.c
 *	  Which picture crashes its server.
 *
 * Requests that are lost together show that the server died, not which of them it died
 * of.  Each is a suspect: it is sent again in smaller company, in the end alone, and is
 * cleared by any answer.  Company is how many requests may be in flight at the server
 * at a time, the suspect included.  "In flight" covers as many processes as the server's
 * Limits do: all of them, or one.
 *
 * One request that is lost while others are answered is an accident, and counts as an
 * attempt like any error.  If a large share of those in flight is lost at about the
 * same time, the server has died.  The loss of a request that was alone in flight
 * counts if the server is known to have been up: after an answer, or after a time in
 * which it refused connections.  Two different pictures lost alone without an answer in
 * between show an outage behind something that still accepts connections, and neither
 * is blamed.
 */
#include "postgres.h"

#include <math.h>

#include "server_private.h"

/* Requests lost within this time are lost together. */
#define TOGETHER_MS 250

/* After a first loss nothing is sent for this long, unless an answer comes. */
#define HOLD_MS 100

/*
 * After the loss of a lone request only one at a time is sent for this long, unless an
 * answer comes.
 */
#define DARK_HOLD_MS 1000

/* If fewer than one in this many is lost together, it is an accident. */
#define SHARE_OF_DEATH 8

/*
 * Up to this many requests are sent again one by one after a death; more are sent in
 * groups first.
 */
#define ONE_BY_ONE 16

/* A gateway that has reported a loss for this long means an outage, not a hiccup. */
#define GATEWAY_DARK_MS 1000

/*
 * Of the losses that may be an outage's, one in this time counts: otherwise the last
 * picture left would be sent for ever.
 */
#define DARK_COUNTS_MS (60 * 1000)
#define GATEWAY_COUNTS_MS (10 * 60 * 1000)

/*
 * Other requests leave room for a suspect for this long after one has asked for it, or
 * was back.
 */
#define WANTED_MS 200

/* A suspect that has found no room for this long lets the others go on for as long. */
#define TURN_MS (30 * 1000)

/* Without a suspect for this long the trial is over. */
#define TRIAL_OVER_MS 2000

ServerSign
suspects_sign(const VlmOutcome *outcome)
{
	const char *reason = outcome->reason;

	if (outcome->action == VLM_DONE || outcome->action == VLM_FILTERED ||
		outcome->action == VLM_IMAGE_FAULT)
		return SIGN_ANSWER;
	if (outcome->action == VLM_PAUSE)
		return strcmp(reason, "refused") == 0 || strcmp(reason, "connect_timeout") == 0 ?
			SIGN_UNREACHED : SIGN_NONE;
	if (outcome->action != VLM_RETRY)
		return SIGN_NONE;
	/* the response was too large, or says itself that it broke off */
	if (strcmp(reason, "reply_too_large") == 0 || strcmp(reason, "unfinished") == 0)
		return SIGN_ANSWER;
	if (strcmp(reason, "connection_lost") == 0 || strcmp(reason, "partial_body") == 0)
		return SIGN_LOST;
	return strcmp(reason, "http_502") == 0 || strcmp(reason, "http_503") == 0 ||
		strcmp(reason, "http_52x") == 0 ? SIGN_GATEWAY : SIGN_NONE;
}

/* ---- those that were alone ---- */

static LoneLoss *
find_lone(Suspects *suspects, const SuspectRow *row)
{
	for (int i = 0; i < LONE_LOSSES; i++)
	{
		LoneLoss   *lone = &suspects->lone[i];

		if (lone->image == row->image && lone->task == row->task)
			return lone;
	}
	return NULL;
}

static void
add_lone(Suspects *suspects, const SuspectRow *row)
{
	LoneLoss   *lone = &suspects->lone[suspects->next_lone];

	suspects->next_lone = (suspects->next_lone + 1) % LONE_LOSSES;
	lone->image = row->image;
	lone->task = row->task;
	lone->fresh = true;
	lone->died = false;
}

/* The server answers: unless it was found down in between, it had not died. */
static void
server_lives(Suspects *suspects)
{
	for (int i = 0; i < LONE_LOSSES; i++)
	{
		LoneLoss   *lone = &suspects->lone[i];

		if (lone->fresh && !lone->died)
			memset(lone, 0, sizeof(*lone));
		lone->fresh = false;
	}
}

/* The server is down: a request that was lost alone just before may be the reason. */
static void
server_is_gone(Suspects *suspects)
{
	for (int i = 0; i < LONE_LOSSES; i++)
		if (suspects->lone[i].fresh)
			suspects->lone[i].died = true;
}

/* Whether the last sign was a loss: nothing has shown since that the server is up. */
static bool
is_dark(const Suspects *suspects)
{
	return suspects->seen == SIGN_LOST || suspects->seen == SIGN_GATEWAY;
}

/* Whether the server was up when the lone request was lost. */
static bool
lone_counts(const Suspects *suspects, ServerSign sign, bool same, int64 now_ms)
{
	int64		since_ms = now_ms - suspects->counted_ms;

	if (sign == SIGN_GATEWAY)
		return suspects->seen == SIGN_ANSWER || since_ms >= GATEWAY_COUNTS_MS;
	return !is_dark(suspects) || same || since_ms >= DARK_COUNTS_MS;
}

static void
lost_alone(Suspects *suspects, ServerSign sign, const SuspectRow *row, int64 now_ms, Loss *loss)
{
	bool		dark = is_dark(suspects);
	bool		same = row->image == suspects->last_image && row->task == suspects->last_task;
	LoneLoss   *before = find_lone(suspects, row);
	bool		there;

	if (suspects->counted_ms == 0)
		suspects->counted_ms = now_ms;
	loss->alone = true;
	there = lone_counts(suspects, sign, same, now_ms);

	/*
	 * a gateway returns 502 for many reasons; a second time this row may be
	 * one
	 */
	loss->counts = there && (sign != SIGN_GATEWAY || before != NULL);
	loss->outage = dark && !same;
	if (there)
		suspects->counted_ms = now_ms;
	suspects->lone_ms = now_ms;
	suspects->last_image = row->image;
	suspects->last_task = row->task;
	if (!there || dark)
		return;
	loss->kills = before != NULL && before->died;
	if (loss->kills)
		memset(before, 0, sizeof(*before));
	else if (before == NULL)
		add_lone(suspects, row);
	else
		before->fresh = true;
}

/* ---- those that were not ---- */

/* The losses that happen now; NULL if there are none. */
static LossEvent *
current_event(Suspects *suspects, int64 now_ms)
{
	LossEvent  *event = &suspects->events[suspects->n_events % LOSS_EVENTS];

	return suspects->n_events > 0 && now_ms - event->begun_ms < TOGETHER_MS ? event : NULL;
}

static LossEvent *
begin_event(Suspects *suspects, int in_flight, int64 now_ms)
{
	LossEvent  *event = &suspects->events[++suspects->n_events % LOSS_EVENTS];

	memset(event, 0, sizeof(*event));
	event->number = suspects->n_events;
	event->begun_ms = now_ms;
	event->in_flight = in_flight;
	return event;
}

static bool
is_death(const LossEvent *event)
{
	return event->lost >= 2 && event->lost > event->answers &&
		event->lost * SHARE_OF_DEATH >= event->in_flight;
}

/*
 * The company in which requests are sent again after a death with this many in flight.
 */
static int
smaller_company(int in_flight)
{
	return in_flight <= ONE_BY_ONE ? 1 : (int) ceil(sqrt(in_flight));
}

bool
limits_died(Limits *limits, uint64 event, int *company)
{
	const LossEvent *known = &limits->suspects.events[event % LOSS_EVENTS];
	bool		died = true;

	*company = 1;
	limits_lock();
	if (known->number == event)
	{
		*company = smaller_company(Max(known->in_flight, known->lost));
		died = is_death(known);
	}
	limits_unlock();
	return died;
}

static void
lost_together(Suspects *suspects, LossEvent *event, int64 now_ms, Loss *loss)
{
	event->lost++;
	loss->event = event->number;
	loss->lost = event->lost;
	loss->in_flight = Max(event->in_flight, event->lost);
	loss->wait_ms = event->begun_ms + TOGETHER_MS - now_ms;
	/* of several servers behind one address the others may be alive */
	loss->outage = is_death(event) && event->lost * 2 >= event->in_flight;
}

/* ---- signs ---- */

static void
lost(Suspects *suspects, ServerSign sign, int in_flight, const SuspectRow *row, int64 now_ms,
	 Loss *loss)
{
	LossEvent  *event = current_event(suspects, now_ms);
	bool		dark = is_dark(suspects);

	if (event == NULL && in_flight > 1)
		event = begin_event(suspects, in_flight, now_ms);
	if (event != NULL)
		lost_together(suspects, event, now_ms, loss);
	else if (row == NULL || !row->sent)
		return;
	else
		lost_alone(suspects, sign, row, now_ms, loss);
	if (event != NULL && !is_death(event))
		return;
	if (dark && sign == SIGN_GATEWAY && now_ms - suspects->dark_since_ms >= GATEWAY_DARK_MS)
		server_is_gone(suspects);
	if (!dark)
		suspects->dark_since_ms = now_ms;
	suspects->seen = sign;
}

void
limits_look_at_end(Limits *limits, ServerSign sign, const SuspectRow *row, Loss *loss)
{
	Suspects   *suspects = &limits->suspects;
	LossEvent  *event;
	LoneLoss   *lone;
	int64		now_ms;

	memset(loss, 0, sizeof(*loss));
	limits_lock();
	now_ms = limits_now_ms();
	event = current_event(suspects, now_ms);
	switch (sign)
	{
		case SIGN_NONE:
			break;
		case SIGN_ANSWER:
			if (event != NULL)
				event->answers++;
			server_lives(suspects);
			suspects->seen = sign;
			lone = row == NULL ? NULL : find_lone(suspects, row);
			if (lone != NULL)
				memset(lone, 0, sizeof(*lone));
			break;
		case SIGN_UNREACHED:
			server_is_gone(suspects);
			suspects->seen = sign;
			break;
		default:
			lost(suspects, sign, limits->pace.in_flight, row, now_ms, loss);
	}
	limits_unlock();
}

/* ---- trials ---- */

/* How long a loss holds all other requests back, in ms; 0: none does. */
static int64
hold_ms(Suspects *suspects, int in_flight, int64 now_ms)
{
	const LossEvent *event = current_event(suspects, now_ms);

	if (is_dark(suspects) && in_flight > 0 && now_ms - suspects->lone_ms < DARK_HOLD_MS)
		return ASK_AGAIN_MS;
	if (event == NULL || event->answers > 0)
		return 0;
	return Max(event->begun_ms + HOLD_MS - now_ms, 0);
}

static bool
suspects_first(const Suspects *suspects, int64 now_ms)
{
	return suspects->in_flight > 0 || suspects->blocked_ms == 0 ||
		(now_ms - suspects->blocked_ms) / TURN_MS % 2 == 0;
}

int64
suspects_wait(Suspects *suspects, int company, int in_flight, int64 now_ms)
{
	int64		wait = hold_ms(suspects, in_flight, now_ms);

	if (wait > 0)
		return wait;
	if (company == 0)
		return suspects->in_flight > 0 || now_ms < suspects->wanted_ms ? ASK_AGAIN_MS : 0;
	if (suspects->in_flight > 0)
		company = Min(company, suspects->company);
	if (in_flight < company)
		return 0;
	if (suspects->blocked_ms == 0)
		suspects->blocked_ms = now_ms;
	if (suspects_first(suspects, now_ms))
		suspects->wanted_ms = now_ms + WANTED_MS;
	suspects->tried_ms = now_ms;
	return ASK_AGAIN_MS;
}

void
suspects_sent(Suspects *suspects, int company, int64 now_ms)
{
	suspects->company = suspects->in_flight > 0 ? Min(suspects->company, company) : company;
	suspects->in_flight++;
	suspects->blocked_ms = 0;
	suspects->tried_ms = now_ms;
}

void
suspects_back(Suspects *suspects, int n, int64 now_ms)
{
	suspects->in_flight -= n;
	/* the next suspect may be ready */
	suspects->wanted_ms = now_ms + WANTED_MS;
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

bool
limits_trial(Limits *limits, bool *news)
{
	const Suspects *suspects = &limits->suspects;
	bool		trial;

	limits_lock();
	trial = suspects->in_flight > 0 ||
		(suspects->tried_ms > 0 && limits_now_ms() - suspects->tried_ms < TRIAL_OVER_MS);
	*news = trial != suspects->recorded;
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

void
suspects_clock_set_back(Suspects *suspects, int64 now_ms)
{
	int64	   *times[] = {
		&suspects->dark_since_ms, &suspects->lone_ms, &suspects->counted_ms,
		&suspects->wanted_ms, &suspects->blocked_ms, &suspects->tried_ms
	};

	for (int i = 0; i < lengthof(times); i++)
		*times[i] = Min(*times[i], now_ms);
	for (int i = 0; i < LOSS_EVENTS; i++)
		suspects->events[i].begun_ms = Min(suspects->events[i].begun_ms, now_ms);
}
