/*
 * errors.c
 *	  Error replies as the field's servers word them: vLLM (flat before 0.10.1,
 *	  nested since), DashScope, OpenAI, and a gateway in front of them.
 */
#include "errors.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "recorded.h"
#include "digest.h"

typedef enum RetryAfter
{
	RETRY_NOTHING,
	RETRY_SECONDS,
	RETRY_DATE,
	RETRY_BUDGET				/* by the headers of limits */
} RetryAfter;

typedef struct ErrorType
{
	FaultName	name;
	int			status;
	const char *type;
	const char *code;			/* NULL: the status as a number, as vLLM does */
	const char *message;
	RetryAfter	retry;
	bool		html;			/* a gateway's page instead of JSON */
} ErrorType;

/* Not made here. */
#define ANSWER "answer"
/* A relay's errors: each names its request and says how long it took. */
#define RELAY "relay_error"

static const ErrorType errors[] = {
	{{"429", "too many requests, Retry-After: 1"}, 429, "rate_limit_error", "rate_limit_exceeded",
	"Requests rate limit exceeded, please try again later.", RETRY_SECONDS, false},
	{{"429-date", "Retry-After as a date (429-date-N: in N seconds)"}, 429, "rate_limit_error", "rate_limit_exceeded",
	"Requests rate limit exceeded, please try again later.", RETRY_DATE, false},
	{{"429-none", "no Retry-After"}, 429, "limit_requests", "limit_requests",
	"You exceeded your current requests list.", RETRY_NOTHING, false},
	{{"429-budget", "no requests are left for a second, say headers (429-budget-N: for N)"}, 429, "requests",
	"rate_limit_exceeded", "Rate limit reached for requests.", RETRY_BUDGET, false},
	{{"429-burst", "the rate rose too quickly"}, 429, "limit_burst_rate", "limit_burst_rate",
	"Request rate increased too quickly. To ensure system stability, please adjust your client logic to scale requests "
	"more smoothly over time.", RETRY_NOTHING, false},
	{{"429-quota", "tokens per minute"}, 429, "insufficient_quota", "insufficient_quota",
	"Allocated quota exceeded, please increase your quota limit.", RETRY_NOTHING, false},
	{{"429-overdue", "money: the bill is overdue"}, 429, "PrepaidBillOverdue", "PrepaidBillOverdue",
	"The prepaid bill is overdue.", RETRY_NOTHING, false},
	{{"500", "internal error"}, 500, "InternalServerError", NULL,
	"Internal server error", RETRY_NOTHING, false},
	{{"500-algo", "DashScope's internal error"}, 500, "internal_error", "InternalError.Algo",
	"inference internal error", RETRY_NOTHING, false},
	{{"502", "a gateway's HTML page"}, 502, "", "", "Bad Gateway", RETRY_NOTHING, true},
	{{"503", "unavailable (503-N: with Retry-After: N)"}, 503, "ServiceUnavailableError", NULL,
	"The server is overloaded or not ready yet.", RETRY_NOTHING, false},
	{{"504", "a gateway's HTML page"}, 504, "", "", "Gateway Time-out", RETRY_NOTHING, true},
	{{"401", "wrong key"}, 401, "invalid_request_error", "invalid_api_key",
	"Incorrect API key provided.", RETRY_NOTHING, false},
	{{"403", "no access"}, 403, "access_denied", "access_denied",
	"Access denied.", RETRY_NOTHING, false},
	{{"403-free-tier", "money: the free quota is used up"}, 403, "AllocationQuota.FreeTierOnly",
	"AllocationQuota.FreeTierOnly", "The free tier of the model has been exhausted.", RETRY_NOTHING, false},
	{{"404", "no such path"}, 404, "NotFoundError", NULL, "Not Found", RETRY_NOTHING, false},
	{{"404-model", "no such model"}, 404, "NotFoundError", "model_not_found",
	"The model does not exist.", RETRY_NOTHING, false},
	{{"408", "request timeout"}, 408, "RequestTimeOut", "RequestTimeOut", "Request timed out.", RETRY_NOTHING, false},
	{{"409", "conflict"}, 409, "ConflictError", NULL, "Conflict, try again.", RETRY_NOTHING, false},
	{{"413", "body too large"}, 413, "RequestEntityTooLarge", NULL, "Request body too large.", RETRY_NOTHING, false},
	{{"302", "a redirect to elsewhere"}, 302, "", "", "Found", RETRY_NOTHING, true},
	{{"400", "bad request"}, 400, "BadRequestError", NULL, "Bad request.", RETRY_NOTHING, false},
	{{"400-image", "the image cannot be decoded"}, 400, "BadRequestError", NULL,
	"Failed to load image: cannot identify image file", RETRY_NOTHING, false},
	{{"400-size", "a side or ratio the model refuses"}, 400, "invalid_request_error", "invalid_parameter_error",
	"<400> InternalError.Algo.InvalidParameter: The image length and width do not meet the model restrictions.",
	RETRY_NOTHING, false},
	{{"400-context", "longer than the context"}, 400, "BadRequestError", "context_length_exceeded",
	"This model's maximum context length is 4096 tokens. However, you requested 6144 tokens in the messages, Please "
	"reduce the length of the messages.", RETRY_NOTHING, false},
	{{"400-filter", "the content filter"}, 400, "data_inspection_failed", "data_inspection_failed",
	"<400> InternalError.Algo.DataInspectionFailed: Input data may contain inappropriate content.",
	RETRY_NOTHING, false},
	{{"400-arrearage", "money: the account is in arrears"}, 400, "Arrearage", "Arrearage",
	"Access denied, please make sure your account is in good standing.", RETRY_NOTHING, false},
	{{ANSWER, "-N: line N of the file --answers"}, 200, "", "", "", RETRY_NOTHING, false},
	{{"400-upstream", "refused, with a request id and numbers that are others each time"}, 400, RELAY, "bad_response",
	"The image could not be forwarded to the upstream", RETRY_NOTHING, false},
	{{"400-other", "the same in other words"}, 400, RELAY, "bad_response",
	"The picture was turned down by the relay", RETRY_NOTHING, false},
	{{"400-text-only", "the model takes no pictures"}, 400, "invalid_request_error", NULL,
	"This model does not support image input.", RETRY_NOTHING, false},
	{{"500-text-only", "the model takes no pictures"}, 500, "internal_error", NULL,
	"This model does not support image input.", RETRY_NOTHING, false},
	{{"422-key", "wrong key"}, 422, "invalid_request_error", NULL,
	"Incorrect API key provided.", RETRY_NOTHING, false},
	{{"403-flagged", "the picture is flagged"}, 403, RELAY, NULL,
	"The image was flagged by content moderation", RETRY_NOTHING, false},
	{{"403-firewall", "a firewall's page"}, 403, "", "",
	"Request blocked by the web application firewall", RETRY_NOTHING, true},
};

const FaultName *
error_fault_name(int index)
{
	return index < (int) (sizeof(errors) / sizeof(errors[0])) ? &errors[index].name : NULL;
}

const char *
error_detail(const Fault *fault, int64_t ordinal, char *room, size_t size)
{
	unsigned long long mixed = (unsigned long long) mix64((uint64_t) ordinal);

	if (strcmp(errors[fault->index].type, RELAY) != 0)
		return NULL;
	snprintf(room, size, "request id: %016llx-%s, %lld.%02llu ms", mixed,
			 mixed % 2 == 0 ? "aBcD" : "xY", (long long) ordinal * 7, mixed % 100);
	return room;
}

void
error_body(Buffer *body, const Fault *fault, bool flat, const char *detail)
{
	const ErrorType *error = &errors[fault->index];
	Buffer		message = {0};

	buffer_text(&message, error->message);
	if (detail)
		buffer_printf(&message, " (%s)", detail);
	if (error->html)
		buffer_printf(body, "<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n<center><h1>%d %s</h1></center>\r\n"
					  "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
					  error->status, error->message, error->status, error->message);
	else
	{
		buffer_text(body, flat || fault->flat ? "{\"object\":\"error\",\"message\":" : "{\"error\":{\"message\":");
		buffer_json(body, message.data);
		buffer_text(body, ",\"type\":");
		buffer_json(body, error->type);
		buffer_text(body, ",\"param\":null,\"code\":");
		if (error->code && !(flat || fault->flat))
			buffer_json(body, error->code);
		else
			buffer_printf(body, "%d", error->status);
		buffer_text(body, flat || fault->flat ? "}" : "}}");
	}
	buffer_free(&message);
}

void
error_reply(Reply *reply, const Fault *fault, bool flat, const char *detail)
{
	const ErrorType *error = &errors[fault->index];
	Buffer		body = {0};
	Buffer		extra = {0};

	if (strcmp(error->name.name, ANSWER) == 0)
	{
		recorded_reply(reply, fault->argument);
		return;
	}
	buffer_add(&extra, "", 0);
	if (error->retry == RETRY_DATE)
	{
		time_t		when = time(NULL) + (fault->argument >= 0 ? fault->argument : 1);
		struct tm	parts;
		char		date[64];

		gmtime_r(&when, &parts);
		strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
		buffer_printf(&extra, "Retry-After: %s\r\n", date);
	}
	else if (error->retry == RETRY_BUDGET)
		buffer_printf(&extra, "x-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: %ds\r\n",
					  fault->argument >= 0 ? fault->argument : 1);
	else if (error->retry == RETRY_SECONDS || (fault->argument >= 0 && error->status >= 429))
		buffer_printf(&extra, "Retry-After: %d\r\n", fault->argument >= 0 ? fault->argument : 1);
	if (error->status == 302)
		buffer_text(&extra, "Location: /elsewhere\r\n");
	error_body(&body, fault, flat, detail);
	http_reply(reply, error->status, error->html ? "text/html" : "application/json", extra.data, &body, LENGTH_TOLD);
	buffer_free(&body);
	buffer_free(&extra);
}

void
error_reply_named(Reply *reply, const char *name, bool flat, const char *detail)
{
	Fault		fault;

	if (!fault_parse(name, strlen(name), &fault))
		die("no error is called %s", name);
	error_reply(reply, &fault, flat, detail);
}
