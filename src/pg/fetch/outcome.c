/*
 * outcome.c
 *	  What a response to the request for a picture means, for its row and for its host.
 */
#include "postgres.h"

#include "errand.h"
#include "utils/timestamp.h"

#define DAY_MS (24 * INT64CONST(3600000))

static const struct
{
	const char *reason;
	int64		delay_ms;
	WebFault	fault;
	OutcomeAction action;
	WebEvent	event;
	bool		has_event;
}			faults[] = {
	{"dns", DAY_MS, WEB_FAULT_NO_NAME, OUTCOME_ONCE_MORE, 0, false},
	{"dns", 0, WEB_FAULT_NAMES, OUTCOME_HOST, WEB_EVENT_ERROR, true},
	{"dns", 0, WEB_FAULT_RESOLVER, OUTCOME_HOST, 0, false},
	{"busy", 0, WEB_FAULT_BUSY, OUTCOME_HOST, 0, false},
	{"address", 0, WEB_FAULT_ADDRESS, OUTCOME_FINAL, 0, false},
	{"connect", 0, WEB_FAULT_CONNECT, OUTCOME_RETRY, WEB_EVENT_ERROR, true},
	{"tls", DAY_MS, WEB_FAULT_TLS, OUTCOME_ONCE_MORE, 0, false},
	{"timeout", 0, WEB_FAULT_TIMEOUT, OUTCOME_RETRY, WEB_EVENT_ERROR, true},
	{"slow", 0, WEB_FAULT_SLOW, OUTCOME_RETRY, WEB_EVENT_ERROR, true},
	{"cut", 0, WEB_FAULT_CUT, OUTCOME_RETRY, WEB_EVENT_ERROR, true},
	{"too_large", 0, WEB_FAULT_TOO_LARGE, OUTCOME_FINAL, WEB_EVENT_ANSWER, true},
	{"not_image", 0, WEB_FAULT_NOT_IMAGE, OUTCOME_FINAL, WEB_EVENT_ANSWER, true},
	{"connect", 0, WEB_FAULT_PROTOCOL, OUTCOME_RETRY, WEB_EVENT_ERROR, true},
	{"memory", 0, WEB_FAULT_MEMORY, OUTCOME_HOST, 0, false}
};

static Outcome
outcome_make(OutcomeAction action, const char *reason, WebEvent event)
{
	return (Outcome)
	{
		.action = action,.reason = reason,.has_event = true,.event = event
	};
}

const char *
outcome_fault(const WebResponse *response, Outcome *outcome)
{
	outcome->has_event = true;
	outcome->event = WEB_EVENT_ANSWER;
	for (int i = 0; i < lengthof(faults); i++)
		if (faults[i].fault == response->fault)
		{
			outcome->has_event = faults[i].has_event;
			outcome->event = faults[i].event;
			return faults[i].reason;
		}
	return NULL;
}

static Outcome
outcome_of_fault(const WebResponse *response)
{
	for (int i = 0; i < lengthof(faults); i++)
		if (faults[i].fault == response->fault)
		{
			Outcome		outcome = outcome_make(faults[i].action, faults[i].reason, faults[i].event);

			outcome.has_event = faults[i].has_event;
			outcome.delay_ms = faults[i].delay_ms;
			/* which address it was is not for everybody */
			outcome.detail = response->fault == WEB_FAULT_ADDRESS ?
				pstrdup("the name leads to an address that is not public") : rows_clean_text(response->error);
			return outcome;
		}
	elog(ERROR, "unknown fault %d", response->fault);
	return outcome_make(OUTCOME_FINAL, "error", WEB_EVENT_ANSWER);
}

/* Refused: signed URLs may have run out of time. */
static Outcome
outcome_forbidden(const Errand *errand, int status)
{
	int64		expires = web_url_expires(errand->url.normal);
	int64		now = (int64) (GetCurrentTimestamp() / USECS_PER_SEC) +
	(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (int64) SECS_PER_DAY;
	bool		expired = expires != 0 && expires < now;

	return outcome_make(OUTCOME_FINAL, expired ? "expired" : "forbidden",
						status == 403 && !expired ? WEB_EVENT_FORBIDDEN : WEB_EVENT_ANSWER);
}

static Outcome
outcome_of_status(const Errand *errand, int status)
{
	switch (status)
	{
		case 401:
		case 403:
		case 451:
			return outcome_forbidden(errand, status);
		case 404:
		case 410:
			return outcome_make(OUTCOME_FINAL, "not_found", WEB_EVENT_ANSWER);
		case 429:
		case 503:
			return outcome_make(OUTCOME_HOST, "throttled", WEB_EVENT_THROTTLED);
		case 412:
		case 418:
		case 521:
		case 567:
			/* what asks for JavaScript or a proof of being a person */
			return outcome_make(OUTCOME_FINAL, "blocked", WEB_EVENT_FORBIDDEN);
		case 408:
			return outcome_make(OUTCOME_RETRY, "server_error", WEB_EVENT_ERROR);
	}
	if (status >= 500)
		return outcome_make(OUTCOME_RETRY, "server_error", WEB_EVENT_ERROR);
	if (status >= 300 && status < 400)
		return outcome_make(OUTCOME_FINAL, "redirects", WEB_EVENT_ANSWER);
	return outcome_make(OUTCOME_FINAL, status >= 400 ? "forbidden" : "not_image", WEB_EVENT_ANSWER);
}

/* A body has come: whether it is a picture is judged by its bytes alone. */
static Outcome
outcome_of_body(const WebResponse *response, int honoured)
{
	ImageInfo	info;
	ImageError	error = {0};
	ImageStatus status;
	Outcome		outcome = outcome_make(OUTCOME_FETCHED, NULL, WEB_EVENT_ANSWER);
	char	   *reserved = web_reserved(response, honoured, FETCHER_AGENT);

	if (reserved != NULL)
	{
		/* no ERROR may be raised while it is ours to free */
		char		copy[512];

		strlcpy(copy, reserved, sizeof(copy));
		free(reserved);
		outcome = outcome_make(OUTCOME_FINAL, "reserved", WEB_EVENT_ANSWER);
		outcome.detail = rows_clean_text(copy);
		return outcome;
	}
	if (response->body_size == 0)
	{
		outcome = outcome_make(OUTCOME_ONCE_MORE, "empty", WEB_EVENT_ANSWER);
		outcome.delay_ms = DAY_MS;
		return outcome;
	}
	status = image_info(response->body, response->body_size, &info, &error);
	if (status == IMAGE_UNKNOWN || status == IMAGE_UNSUPPORTED)
	{
		outcome = outcome_make(OUTCOME_FINAL, "not_image", WEB_EVENT_ANSWER);
		outcome.detail = pstrdup(error.message);
	}
	return outcome;
}

Outcome
outcome_of(const Errand *errand, int honoured)
{
	const WebResponse *response = &errand->response;
	Outcome		outcome;

	if (response->fault != WEB_FAULT_NONE)
		return outcome_of_fault(response);
	if (response->status >= 200 && response->status < 300 && response->status != 204)
		return outcome_of_body(response, honoured);
	if (response->status >= 301 && response->status <= 308 && response->status != 304 &&
		response->headers[WEB_HEADER_LOCATION] != NULL)
		return outcome_make(OUTCOME_MOVED, NULL, WEB_EVENT_ANSWER);
	outcome = outcome_of_status(errand, response->status);
	outcome.detail = psprintf("HTTP status %d", response->status);
	return outcome;
}
