/*
 * outcome.c
 *	  What is to be done about a response: retry, throttle, give up on the image, or
 *	  pause the server.
 *
 * Where there was no whole response libcurl's code decides, else error_verdict.c, and of a
 * completion how it ended.
 */
#include "envelope.h"
#include "error_verdict.h"
#include "fingerprint.h"
#include "mask.h"
#include "usage.h"
#include "wrapping.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Bytes of the control character that begins here; 0: another character.  Controls are
 * those of ASCII and of Latin-1, line ends, and those that reorder what a log shows.
 */
static int
control_length(const unsigned char *text)
{
	if (text[0] < 0x20 || text[0] == 0x7F)
		return 1;
	if (text[0] == 0xC2 && text[1] >= 0x80 && text[1] <= 0x9F)
		return 2;
	if (text[0] != 0xE2)
		return 0;
	return (text[1] == 0x80 && text[2] >= 0xA8 && text[2] <= 0xAE) ||
		(text[1] == 0x81 && text[2] >= 0xA6 && text[2] <= 0xA9) ? 3 : 0;
}

/* Appends text, clipped at a character, with blanks for control characters. */
static void
append_clipped(char *out, size_t room, const char *text)
{
	size_t		at = strlen(out);
	size_t		end;

	while (*text != '\0' && at + 1 < room)
	{
		int			length = control_length((const unsigned char *) text);

		out[at++] = length > 0 ? ' ' : *text;
		text += length > 0 ? length : 1;
	}
	end = at;
	if (*text != '\0')
	{
		/* step back over a character that did not fit */
		while (end > 0 && ((unsigned char) out[end - 1] & 0xc0) == 0x80)
			end--;
		if (end > 0 && (unsigned char) out[end - 1] >= 0xc0)
			end--;
		else
			end = at;
	}
	out[end] = '\0';
}

/* Appends what the server said, masked before it is clipped.  False: no memory. */
static bool
append_masked(char *out, size_t room, const char *text, const char *api_key)
{
	char	   *copy = strdup(text);
	bool		ok = copy != NULL && mask_words(copy, strlen(copy), api_key);

	if (ok)
		append_clipped(out, room, copy);
	free(copy);
	return ok;
}

static void
set(VlmOutcome *outcome, VlmAction action, const char *reason, bool counts, bool probe)
{
	outcome->action = action;
	outcome->reason = reason;
	outcome->counts = counts;
	outcome->probe = probe;
}

/* What libcurl's codes mean that mean the same whether or not the request was sent. */
typedef struct TransportFault
{
	CURLcode	code;
	VlmAction	action;
	const char *reason;
	bool		counts;
	bool		probe;
} TransportFault;

static const TransportFault transport_faults[] = {
	{CURLE_COULDNT_RESOLVE_HOST, VLM_PAUSE, "dns", false, true},
	{CURLE_COULDNT_RESOLVE_PROXY, VLM_PAUSE, "dns", false, true},
	{CURLE_PEER_FAILED_VERIFICATION, VLM_PAUSE, "tls", false, true},
	{CURLE_SSL_CONNECT_ERROR, VLM_PAUSE, "tls", false, true},
	{CURLE_SSL_CERTPROBLEM, VLM_PAUSE, "tls", false, true},
	{CURLE_SSL_CACERT_BADFILE, VLM_PAUSE, "tls", false, true},
	{CURLE_SSL_ISSUER_ERROR, VLM_PAUSE, "tls", false, true},
	{CURLE_UNSUPPORTED_PROTOCOL, VLM_PAUSE, "url", false, false},
	{CURLE_URL_MALFORMAT, VLM_PAUSE, "url", false, false},
	{CURLE_WRITE_ERROR, VLM_RETRY, "no_memory", false, false},
	{CURLE_OUT_OF_MEMORY, VLM_RETRY, "no_memory", false, false},
	{CURLE_PARTIAL_FILE, VLM_RETRY, "partial_body", true, true}
};

static void
judge_code(int code, VlmOutcome *outcome)
{
	for (size_t i = 0; i < sizeof(transport_faults) / sizeof(transport_faults[0]); i++)
		if ((int) transport_faults[i].code == code)
		{
			set(outcome, transport_faults[i].action, transport_faults[i].reason,
				transport_faults[i].counts, transport_faults[i].probe);
			return;
		}
	set(outcome, VLM_RETRY, "connection_lost", true, true);
}

/* There is no whole response: libcurl's code decides. */
static void
judge_transport(const VlmResponse *response, VlmOutcome *outcome)
{
	outcome->paid = response->broken_off;
	if (response->too_large)
		set(outcome, VLM_RETRY, "reply_too_large", true, false);
	else if (response->curl_code == CURLE_COULDNT_CONNECT && !response->sent)
		set(outcome, VLM_PAUSE, "refused", false, true);
	else if (response->curl_code == CURLE_COULDNT_CONNECT)
		/* a kept connection broke, and libcurl could not open another */
		set(outcome, VLM_RETRY, "connection_lost", true, true);
	else if (response->curl_code == CURLE_OPERATION_TIMEDOUT && !response->sent)
		set(outcome, VLM_PAUSE, "connect_timeout", false, true);
	else if (response->curl_code == CURLE_OPERATION_TIMEDOUT)
		set(outcome, VLM_RETRY, "timeout", true, false);
	else if (response->curl_code == CURLE_SEND_FAIL_REWIND)
		/* a kept connection was dead, or died once the request was sent */
		set(outcome, VLM_RETRY, "connection_lost", response->sent, true);
	else
		judge_code(response->curl_code, outcome);
}

/* ---- a response that is no completion ---- */

/* Whether part of a reply came with the error. */
static bool
has_reply(const Words *words)
{
	const json_t *message = json_object_get(envelope_choice(words->root), "message");

	return json_string_length(json_object_get(message, "content")) > 0;
}

/*
 * An error that broke off a reply is not due to load or a gateway: part of the reply was
 * made, and is paid for.
 */
static void
judge_broken(VlmOutcome *outcome)
{
	if (outcome->action == VLM_THROTTLE || outcome->action == VLM_RETRY)
		set(outcome, VLM_RETRY, "unfinished", true, true);
}

/* Whether the body was cut: it begins as JSON does, and cannot be parsed. */
static bool
is_cut(const VlmResponse *response, const Words *words)
{
	const char *body = response->body;

	return words->root == NULL && body != NULL && body[strspn(body, " \t\r\n")] == '{';
}

/*
 * Whether a 2xx that is no completion was paid for: it states usage, or has part of a
 * reply, or has no error and what should have been a reply.  In doubt it was paid for: a
 * budget that ends early can be raised.
 */
static bool
was_paid(const VlmResponse *response, const Words *words, const VlmEnvelope *envelope,
		 const VlmOutcome *outcome)
{
	const json_t *choices = json_object_get(envelope_root(words->root), "choices");

	if (has_reply(words) || envelope->prompt_tokens > 0 || envelope->completion_tokens > 0)
		return true;
	return outcome->action == VLM_RETRY && words->status == 0 &&
		(json_is_array(choices) || is_cut(response, words));
}

static void
judge_payment(const VlmResponse *response, const Words *words, VlmOutcome *outcome,
			  VlmEnvelope *envelope)
{
	if (response->status > 299)
		return;
	usage_read(envelope_root(words->root), envelope);
	usage_believe(envelope);
	outcome->paid = was_paid(response, words, envelope, outcome);
}

/* False: no memory. */
static bool
describe(const VlmResponse *response, const char *message, const char *said, VlmOutcome *outcome)
{
	snprintf(outcome->detail, sizeof(outcome->detail), "HTTP %d: %s%s", response->status,
			 message == NULL ? "" : message, message == NULL ? "" : ": ");
	return said == NULL ||
		append_masked(outcome->detail, sizeof(outcome->detail), said, response->api_key);
}

/*
 * The number for the words of the response, if they are about the request or the account.
 * Codes repeat the texts without separators, so they count only where there are no texts.
 */
static uint64_t
number_of(int status, VlmAction action, const Words *words)
{
	if (action == VLM_THROTTLE || (action == VLM_RETRY && status / 100 != 4))
		return 0;
	return words->text_size > 0 ? fingerprint(status, words->text, words->text_size) :
		fingerprint(status, words->codes, words->codes_size);
}

/* False: no memory. */
static bool
judge_words(const VlmResponse *response, const char *message, VlmOutcome *outcome,
			VlmEnvelope *envelope)
{
	Words	   *words = malloc(sizeof(Words));
	bool		in_body;
	int			status;
	bool		ok;

	if (words == NULL)
		return false;
	words_read(response, words);
	in_body = response->status < 300 && words->status != 0;
	status = in_body ? words->status : response->status;
	error_verdict(status, in_body, words, response->retry_after_ms, outcome);
	if (response->status < 300 && has_reply(words))
		judge_broken(outcome);
	outcome->said = number_of(status, outcome->action, words);
	judge_payment(response, words, outcome, envelope);
	ok = describe(response, message, words->said, outcome);
	words_free(words);
	free(words);
	return ok;
}

/* ---- a completion ---- */

/* Notes that a filter or the model's thinking left no answer: the server may be at fault. */
static void
note_no_answer(const VlmEnvelope *envelope, const char *reason, VlmOutcome *outcome)
{
	const char *finish = envelope->finish_reason == NULL ? "" : envelope->finish_reason;
	uint64_t	said;

	if (strcmp(reason, "no_answer_thinking") == 0)
		said = fingerprint(0, reason, strlen(reason));
	else if (strcmp(reason, "content_filter") == 0)
		said = fingerprint(0, finish, strlen(finish));
	else
		return;
	outcome->reason = reason;
	outcome->said = said;
}

/* False: no memory. */
static bool
judge_completion(const VlmResponse *response, const VlmEnvelope *envelope, VlmOutcome *outcome)
{
	const char *reason = vlm_envelope_reason(envelope);

	outcome->paid = true;
	set(outcome, VLM_DONE, NULL, true, false);
	if (reason == NULL)
		return true;
	if (strcmp(reason, "unfinished") != 0)
	{
		note_no_answer(envelope, reason, outcome);
		return true;
	}
	set(outcome, VLM_RETRY, "unfinished", true, true);
	return describe(response, "the reply was broken off, finish_reason", envelope->finish_reason,
					outcome);
}

/* Replaces a body that is an event stream by the completion that it amounts to. */
static bool
join_stream(VlmResponse *response)
{
	json_t	   *root;
	char	   *joined;

	if (response->body == NULL || !wrapping_is_stream(response->body, response->body_size))
		return true;
	root = wrapping_load(response->body, response->body_size);
	if (root == NULL)
		return true;
	joined = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	if (joined == NULL)
		return false;
	free(response->body);
	response->body = joined;
	response->body_size = strlen(joined);
	return true;
}

/* An envelope without content or usage. */
static void
forget_envelope(VlmEnvelope *envelope)
{
	vlm_envelope_free(envelope);
	envelope->prompt_tokens = envelope->completion_tokens = -1;
}

/* False: no memory. */
static bool
judge(VlmResponse *response, VlmOutcome *outcome, VlmEnvelope *envelope)
{
	const char *message = NULL;
	bool		success = response->status >= 200 && response->status <= 299;

	if (response->curl_code != 0)
	{
		judge_transport(response, outcome);
		return append_masked(outcome->detail, sizeof(outcome->detail),
							 response->too_large ? "the reply is over the size limit" :
							 response->error, response->api_key);
	}
	if (!join_stream(response))
		return false;
	if (success && vlm_envelope_parse(response->body, response->body_size, envelope, &message))
		return judge_completion(response, envelope, outcome);
	forget_envelope(envelope);
	return judge_words(response, message, outcome, envelope);
}

static bool
mask_string(char *text, const char *api_key)
{
	return text == NULL || mask_words(text, strlen(text), api_key);
}

static bool
mask_envelope(VlmEnvelope *envelope, const char *api_key)
{
	return mask_words(envelope->content, envelope->content_size, api_key) &&
		mask_string(envelope->finish_reason, api_key) &&
		mask_string(envelope->model, api_key);
}

void
vlm_outcome(VlmResponse *response, VlmOutcome *outcome, VlmEnvelope *envelope)
{
	const char *api_key = response->api_key;

	memset(outcome, 0, sizeof(*outcome));
	memset(envelope, 0, sizeof(*envelope));
	forget_envelope(envelope);
	outcome->budget_empty = response->budget_empty;

	/*
	 * the body is judged before it is masked, so that a key that is a common
	 * word does no harm
	 */
	if (judge(response, outcome, envelope) && mask_envelope(envelope, api_key) &&
		mask_body(response->body, &response->body_size, api_key))
		return;
	/* no memory: what could not be masked is not kept */
	forget_envelope(envelope);
	free(response->body);
	response->body = NULL;
	response->body_size = 0;
	set(outcome, VLM_RETRY, "no_memory", true, true);
	strcpy(outcome->detail, "out of memory");
}
