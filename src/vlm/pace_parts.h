/*
 * pace_parts.h
 *	  What the files of a server's pace share.
 */
#ifndef LLAVA_PACE_PARTS_H
#define LLAVA_PACE_PARTS_H

#include "vlm.h"

/* VlmPace.limit where none was found. */
#define NO_LIMIT 1e9

/* The share of the limit that a first probe tries beyond it, of slots and of a rate. */
#define SLOTS_STEP 0.03
#define RATE_STEP 0.08

/* The longest wait between probes, unless refusals would become too many (pace_probe.c). */
#define PROBE_MOST_MS 3000

/* The latency that is assumed before the first answer. */
#define LATENCY_FIRST_MS 300.0

static inline double
pace_larger(double a, double b)
{
	return a > b ? a : b;
}

static inline double
pace_smaller(double a, double b)
{
	return a < b ? a : b;
}

static inline double
pace_latency(const VlmPace *pace)
{
	return pace->latency_ms > 0 ? pace_larger(pace->latency_ms, 1) : LATENCY_FIRST_MS;
}

static inline bool
pace_is_rate(const VlmPace *pace)
{
	return pace->kind == VLM_PACE_RATE;
}

/* The most that the level may grow to without a probe. */
static inline double
pace_target(const VlmPace *pace)
{
	return pace_is_rate(pace) ? pace->limit : pace_smaller(pace->limit, pace->max_in_flight);
}

static inline double
pace_least_step(const VlmPace *pace)
{
	return pace_is_rate(pace) ? RATE_STEP : SLOTS_STEP;
}

/* ---- pace_limit.c ---- */

/* Another level: what is known of requests sent before says nothing of it. */
extern void pace_set_level(VlmPace *pace, double level, int64_t now_ms);
extern void pace_set_limit(VlmPace *pace, double limit, int64_t now_ms);
extern void pace_set_kind(VlmPace *pace, VlmPaceKind kind, double limit, int64_t now_ms);

/* The share that is refused while nothing is tried; 0 while too little is known. */
extern double pace_calm_share(const VlmPace *pace);
extern void pace_forget_calm(VlmPace *pace);

/* What the server took, in two spans of time one after the other. */
extern void pace_count_taken(VlmPace *pace, int change, int64_t now_ms);

/* Requests a second that the server took of late. */
extern double pace_taken_rate(const VlmPace *pace, int64_t now_ms);

/* ---- pace_probe.c ---- */

extern void pace_probe_after(VlmPace *pace, double wait_ms, int64_t now_ms);
extern void pace_begin_probe(VlmPace *pace, int64_t now_ms);
extern void pace_probe_succeeded(VlmPace *pace, int64_t now_ms);

/* Whether the probe has seen enough answers to have succeeded. */
extern bool pace_probe_is_over(const VlmPace *pace, int64_t now_ms);

/* Whether more was refused than strays are. */
extern bool pace_probe_is_refused(const VlmPace *pace);
extern void pace_probe_failed(VlmPace *pace, int64_t sent_ms, int64_t now_ms);

/* ---- pace_trial.c ---- */

/* Refusals went on during the trial: what it changed was not their cause. */
extern bool pace_trial_has_failed(const VlmPace *pace);

/* Enough requests have ended to tell whether refusals have ceased. */
extern bool pace_trial_is_over(const VlmPace *pace);
extern void pace_end_trial(VlmPace *pace, int64_t now_ms);

/* Begins a trial, or lowers a rate, if refusals call for it while nothing is tried. */
extern void pace_look_at_calm(VlmPace *pace, int64_t now_ms);

/* ---- pace_storm.c ---- */

/*
 * The server takes requests again.  If a long storm ended not long before, both were
 * perhaps the rest of a minute's quota: what was taken between them becomes the rate.
 */
extern void pace_end_storm(VlmPace *pace, int64_t now_ms);
extern bool pace_is_storm(const VlmPace *pace, int64_t now_ms);

/* A refusal in a storm, which begins with the first: one request at a time, after a wait. */
extern void pace_storm(VlmPace *pace, int64_t retry_after_ms, int64_t now_ms);

/* ---- pace_wait.c ---- */

/* Slots of refused requests that are left empty now: each for about a latency. */
extern double pace_kept_empty(const VlmPace *pace, int64_t now_ms);
extern void pace_keep_empty(VlmPace *pace, int64_t now_ms);
extern void pace_wait_until(VlmPace *pace, VlmPaceWait reason, int64_t at_ms);

/* ---- pace_credit.c ---- */

extern void pace_fill_credits(VlmPace *pace, int64_t tokens, int64_t now_ms);
extern int64_t pace_wait_for_credit(VlmPace *pace, int64_t tokens, int64_t now_ms);

#endif							/* LLAVA_PACE_PARTS_H */
