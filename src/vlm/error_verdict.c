/*
 * error_verdict.c
 *	  What an error means: by the table in verdicts.c, or, if nothing in it fits, by the
 *	  status.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "error_verdict.h"

#include "verdicts.h"

#include <string.h>

/* The most bytes between the two halves of a pattern. */
#define MOST_BETWEEN 80

/* An exhausted quota that is back sooner than this is throttling; else it is money. */
#define SOON_MS 3600000

static int
kind_of(int status)
{
	if (status < 300)
		return IN_200;
	if (status == 401 || status == 403 || status == 407)
		return IN_AUTH;
	if (status == 404 || status == 405 || status == 410)
		return IN_404;
	if (status == 429 || status == 498 || status == 529)
		return IN_429;
	if (status == 451)
		return IN_REST;
	return status >= 500 ? IN_5XX : IN_4XX;
}

static const char *
find(const char *from, const char *end, const char *word, size_t size)
{
	return memmem(from, (size_t) (end - from), word, size);
}

/* Where the second half of a pattern must end: with the field, or after MOST_BETWEEN. */
static const char *
reach(const char *p, const char *end, Where where, size_t size)
{
	const char *most = (size_t) (end - p) > MOST_BETWEEN + size ? p + MOST_BETWEEN + size : end;
	const char *field = memchr(p, where == TEXT ? '\n' : '|', (size_t) (most - p));

	return field == NULL ? most : field;
}

static bool
fits(const Words *words, Where where, const char *pattern)
{
	const char *p = where == TEXT ? words->text : words->codes;
	const char *end = p + (where == TEXT ? words->text_size : words->codes_size);
	const char *star = strchr(pattern, '*');
	size_t		first = star == NULL ? strlen(pattern) : (size_t) (star - pattern);
	size_t		second = star == NULL ? 0 : strlen(star + 1);

	while ((p = find(p, end, pattern, first)) != NULL)
	{
		p += first;
		if (star == NULL || find(p, reach(p, end, where, second), star + 1, second) != NULL)
			return true;
	}
	return false;
}

static bool
says(const Words *words, const char *text)
{
	return fits(words, TEXT, text);
}

static void
set(VlmOutcome *outcome, VlmAction action, const char *reason, bool counts, bool probe)
{
	outcome->action = action;
	outcome->reason = reason;
	outcome->counts = counts;
	outcome->probe = probe;
}

/* ---- by the status ---- */

static const char *
server_reason(int status)
{
	switch (status)
	{
		case 500:
			return "http_500";
		case 502:
			return "http_502";
		case 503:
			return "http_503";
		case 504:
			return "http_504";
		default:
			return (status >= 520 && status <= 530) || status >= 598 ? "http_52x" : "http_5xx";
	}
}

/* Whether a gateway says so, and no picture can be the cause. */
static bool
is_between(int status, bool in_body)
{
	return status == 502 || status == 504 || (status == 503 && in_body) ||
		(status >= 520 && status <= 530) || status >= 598;
}

static void
judge_server_error(int status, bool in_body, VlmOutcome *outcome)
{
	if (status == 503 && !in_body)
		set(outcome, VLM_THROTTLE, "http_503", false, false);
	else
		set(outcome, VLM_RETRY, server_reason(status), !is_between(status, in_body), true);
}

static void
judge_bad_request(const Words *words, VlmOutcome *outcome)
{
	static const char *const pictures[] = {
		"image", "data-uri", "base64", "picture", "multimodal", "图片", "图像", NULL
	};

	for (const char *const *word = pictures; *word != NULL; word++)
		if (says(words, *word))
		{
			set(outcome, VLM_IMAGE_FAULT, "bad_image", true, false);
			return;
		}
	set(outcome, VLM_IMAGE_FAULT, "bad_request", true, true);
}

static void
judge_client_error(int status, const Words *words, VlmOutcome *outcome)
{
	switch (status)
	{
		case 402:
			set(outcome, VLM_PAUSE, "money", false, true);
			return;
		case 401:
		case 403:
		case 407:
			set(outcome, VLM_PAUSE, "key", false, true);
			return;
		case 404:
		case 410:
			set(outcome, VLM_PAUSE, says(words, "model") || says(words, "模型") ? "model" : "not_found",
				false, true);
			return;
		case 405:
			set(outcome, VLM_PAUSE, "not_found", false, true);
			return;
		case 408:
		case 409:
		case 424:
		case 425:
		case 444:
		case 460:
		case 499:
			set(outcome, VLM_RETRY, "http_408", true, true);
			return;
		case 413:
			set(outcome, VLM_IMAGE_FAULT, "too_large", true, false);
			return;
		case 451:
			set(outcome, VLM_FILTERED, "content_filter", true, false);
			return;
		default:
			judge_bad_request(words, outcome);
	}
}

static void
judge_status(int status, bool in_body, const Words *words, VlmOutcome *outcome)
{
	if (status == 429 || status == 498 || status == 529)
		set(outcome, VLM_THROTTLE, "throttled", false, true);
	else if (status >= 500)
		judge_server_error(status, in_body, outcome);
	else if (status >= 400)
		judge_client_error(status, words, outcome);
	else if (status >= 300)
		set(outcome, VLM_PAUSE, "redirect", false, true);
	else if (status >= 200)
		set(outcome, VLM_RETRY, "no_completion", true, true);
	else
		set(outcome, VLM_RETRY, "http_status", true, true);
}

/* ---- by the table ---- */

static void
apply(Class class, int status, bool soon, VlmOutcome *outcome)
{
	bool		throttle = class == THROTTLE || (class == QUOTA && soon);

	if (throttle)
		set(outcome, VLM_THROTTLE, status == 503 ? "http_503" : "throttled", false, status != 503);
	else if (class == MONEY || class == QUOTA)
		set(outcome, VLM_PAUSE, "money", false, true);
	else if (class == KEY)
		set(outcome, VLM_PAUSE, "key", false, true);
	else if (class == MODEL)
		set(outcome, VLM_PAUSE, "model", false, true);
	else if (class == REGION)
		set(outcome, VLM_PAUSE, "region", false, true);
	else if (class == FILTER)
		set(outcome, VLM_FILTERED, "content_filter", true, false);
	else if (class == CONTEXT)
		set(outcome, VLM_IMAGE_FAULT, "context", true, true);
	else if (class == IMAGE)
		set(outcome, VLM_IMAGE_FAULT, "bad_image", true, false);
	else
		set(outcome, VLM_RETRY, status >= 500 ? server_reason(status) : "http_502",
			class == SERVER, true);
}

/*
 * The first verdict that fits; NULL: none, or the words mean nothing, as in a page with
 * status 200, which anybody may have sent.
 */
static const Verdict *
verdict_for(int status, const Words *words)
{
	int			kind = kind_of(status);

	if (status == 402 || status < 200 || (status >= 300 && status < 400) ||
		(kind == IN_200 && !words->json))
		return NULL;
	for (const Verdict *verdict = verdicts; verdict->provider != NULL; verdict++)
		if ((verdict->statuses & kind) != 0)
			for (const char *const *pattern = verdict->patterns; *pattern != NULL; pattern++)
				if (fits(words, verdict->where, *pattern))
					return verdict;
	return NULL;
}

void
error_verdict(int status, bool in_body, const Words *words, int64_t retry_after_ms,
			  VlmOutcome *outcome)
{
	const Verdict *verdict = verdict_for(status, words);

	if (verdict != NULL)
		apply(verdict->class, status, retry_after_ms > 0 && retry_after_ms < SOON_MS, outcome);
	else
		judge_status(status, in_body, words, outcome);
}
