/*
 * test_vlm_servers.c
 *	  Answers of other people's servers, over the wire: what becomes of each.
 *
 * servers.jsonl and servers_more.jsonl have a case a line: status, headers and body, and
 * what is expected.  Each miss is printed.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <jansson.h>

#include "reply/reply.h"
#include "vlm/vlm.h"

static VlmPool *pool;

/* ---- a server that gives the one answer that is set ---- */

typedef struct Answer
{
	int			listener;
	int			port;
	pthread_t	thread;
	char	   *bytes;
	size_t		size;
} Answer;

static Answer answer;
static pthread_mutex_t answer_lock = PTHREAD_MUTEX_INITIALIZER;

/* The head, and the two bytes of a body without a picture. */
static bool
request_is_read(int fd)
{
	char		request[4096];
	size_t		size = 0;

	while (size < sizeof(request) - 1)
	{
		ssize_t		got = recv(fd, request + size, sizeof(request) - 1 - size, 0);
		char	   *end;

		if (got <= 0)
			return false;
		size += (size_t) got;
		request[size] = '\0';
		end = strstr(request, "\r\n\r\n");
		if (end != NULL && end + 6 <= request + size)
			return true;
	}
	return false;
}

static void
send_all(int fd, const char *bytes, size_t size)
{
	ssize_t		sent;

	for (; size > 0 && (sent = send(fd, bytes, size, MSG_NOSIGNAL)) > 0; size -= (size_t) sent)
		bytes += sent;
}

/* Of a copy: the client may have read enough, and set the next one, before all is sent. */
static void
send_answer(int fd)
{
	char	   *bytes;
	size_t		size;

	pthread_mutex_lock(&answer_lock);
	size = answer.size;
	bytes = malloc(size);
	memcpy(bytes, answer.bytes, size);
	pthread_mutex_unlock(&answer_lock);
	send_all(fd, bytes, size);
	free(bytes);
}

static void *
serve(void *arg)
{
	int			fd;

	(void) arg;
	while ((fd = accept(answer.listener, NULL, NULL)) >= 0)
	{
		if (request_is_read(fd))
			send_answer(fd);
		close(fd);
	}
	return NULL;
}

static void
start(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t	size = sizeof(address);

	answer.listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(bind(answer.listener, (struct sockaddr *) &address, size) == 0);
	assert_true(listen(answer.listener, 8) == 0);
	assert_true(getsockname(answer.listener, (struct sockaddr *) &address, &size) == 0);
	answer.port = ntohs(address.sin_port);
	pthread_create(&answer.thread, NULL, serve, NULL);
	pool = vlm_pool_new(4);
	assert_non_null(pool);
}

static void
stop(void)
{
	shutdown(answer.listener, SHUT_RDWR);
	pthread_join(answer.thread, NULL);
	close(answer.listener);
	vlm_pool_free(pool);
}

static uint8_t *
base64_bytes(const char *text, size_t *size)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t    *bytes = malloc(strlen(text) + 1);
	uint32_t	bits = 0;
	int			n = 0;

	*size = 0;
	for (; *text != '\0' && *text != '='; text++)
	{
		bits = bits << 6 | (uint32_t) (strchr(alphabet, *text) - alphabet);
		n += 6;
		if (n >= 8)
		{
			n -= 8;
			bytes[(*size)++] = (uint8_t) (bits >> n);
		}
	}
	return bytes;
}

/* The whole answer; its length is said unless the case says how else it is told. */
static void
set_answer(const json_t *one)
{
	const char *packed = json_string_value(json_object_get(one, "body_base64"));
	json_t	   *header;
	size_t		i;
	size_t		size = json_string_length(json_object_get(one, "body"));
	uint8_t    *body = packed != NULL ? base64_bytes(packed, &size) : NULL;
	bool		chunked = false;
	int			n;

	pthread_mutex_lock(&answer_lock);
	free(answer.bytes);
	answer.bytes = malloc(size + 4096);
	n = sprintf(answer.bytes, "HTTP/1.1 %d X\r\nConnection: close\r\n", (int) json_integer_value(json_object_get(one, "status")));
	json_array_foreach(json_object_get(one, "headers"), i, header)
	{
		n += sprintf(answer.bytes + n, "%s\r\n", json_string_value(header));
		chunked |= strncmp(json_string_value(header), "Transfer-Encoding", 17) == 0;
	}
	if (!chunked)
		n += sprintf(answer.bytes + n, "Content-Length: %zu\r\n", size);
	n += sprintf(answer.bytes + n, "\r\n");
	memcpy(answer.bytes + n, body != NULL ? (const char *) body :
		   json_string_value(json_object_get(one, "body")), size);
	answer.size = (size_t) n + size;
	pthread_mutex_unlock(&answer_lock);
	free(body);
}

static void
ask(VlmResponse *response)
{
	VlmRequest	request = {.api_key = "sk-0123456789abcdef",.request_id = "1",.connect_timeout_ms = 5000,
		.request_timeout_ms = 10000,.max_reply_bytes = 1 << 20};
	char		url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/v1", answer.port);
	request.url = url;
	request.body.head = strdup("{");
	request.body.head_size = 1;
	request.body.tail = strdup("}");
	request.body.tail_size = 1;
	assert_true(vlm_pool_submit(pool, &request));
	while (!vlm_pool_next(pool, response))
	{
		struct pollfd wait = {.fd = vlm_pool_fd(pool),.events = POLLIN};
		int64_t		timeout = vlm_pool_prepare_wait(pool);

		poll(&wait, 1, timeout < 0 ? 1000 : (int) timeout);
		vlm_pool_step(pool);
	}
}

/* ---- what became of it, in the cases' words ---- */

/* A reply: as it is settled, by the envelope and then by the parser. */
static const char *
became_of_reply(const VlmEnvelope *envelope)
{
	const char *reason = vlm_envelope_reason(envelope);
	ReplyRules	rules;
	ReplyResult result;
	const char *became = "completion";

	if (reason != NULL)
		return reason;
	if (vlm_finish(envelope->finish_reason) == VLM_FINISH_LENGTH)
		return "truncated";
	reply_rules_default(&rules, REPLY_DESCRIPTION);
	reply_parse(&rules, envelope->content, envelope->content_size, REPLY_FINISH_STOP, &result);
	if (result.reason != REPLY_ACCEPTED)
		became = reply_reason_name(result.reason);
	reply_result_free(&result);
	return became;
}

static const char *
became_of(const VlmOutcome *outcome, const VlmEnvelope *envelope)
{
	static char pause[32];

	switch (outcome->action)
	{
		case VLM_DONE:
			return became_of_reply(envelope);
		case VLM_RETRY:
			return outcome->counts ? "retry" : "busy";
		case VLM_THROTTLE:
			return "throttle";
		case VLM_FILTERED:
			return "content_filter";
		case VLM_IMAGE_FAULT:
			/* that many in a row are the server's fault says nothing of this picture */
			return strcmp(outcome->reason, "bad_request") == 0 ? "bad_request" : "bad_image";
		default:
			snprintf(pause, sizeof(pause), "pause %s", outcome->reason);
			return pause;
	}
}

/* "pause" is any of them; "a or b" is either. */
static bool
is_expected(const char *expect, const char *became)
{
	const char *or = strstr(expect, " or ");
	size_t		size = or == NULL ? strlen(expect) : (size_t) (or - expect);

	if (or != NULL && is_expected(or + 4, became))
		return true;
	return strncmp(expect, became, size) == 0 &&
		(became[size] == '\0' || (size == 5 && strncmp(expect, "pause", 5) == 0));
}

/* What a whole reply took, where a case says so. */
static bool
has_usage(const json_t *one, const VlmEnvelope *envelope)
{
	const json_t *usage = json_object_get(one, "usage");

	return usage == NULL ||
		(json_integer_value(json_array_get(usage, 0)) == envelope->prompt_tokens &&
		 json_integer_value(json_array_get(usage, 1)) == envelope->completion_tokens);
}

static bool
is_as_said(const json_t *one, const char *file)
{
	const char *name = json_string_value(json_object_get(one, "name"));
	const char *expect = json_string_value(json_object_get(one, "expect"));
	VlmResponse response;
	VlmOutcome	outcome;
	VlmEnvelope envelope;
	bool		ok;

	set_answer(one);
	ask(&response);
	vlm_outcome(&response, &outcome, &envelope);
	ok = is_expected(expect, became_of(&outcome, &envelope)) && has_usage(one, &envelope);
	if (!ok)
		printf("%s: %s: \"%s\" expected, \"%s\" (%s, %d+%d tokens) came: %s\n", file, name, expect,
			   became_of(&outcome, &envelope), outcome.reason == NULL ? "" : outcome.reason,
			   (int) envelope.prompt_tokens, (int) envelope.completion_tokens, outcome.detail);
	vlm_envelope_free(&envelope);
	vlm_response_free(&response);
	return ok;
}

static void
run_file(const char *file, int least)
{
	FILE	   *in = fopen(file, "r");
	char	   *line = NULL;
	size_t		room = 0;
	int			cases = 0;
	int			right = 0;

	assert_non_null(in);
	while (getline(&line, &room, in) > 0)
	{
		json_t	   *one = json_loads(line, JSON_ALLOW_NUL, NULL);

		assert_non_null(one);
		cases++;
		right += is_as_said(one, file);
		json_decref(one);
	}
	free(line);
	fclose(in);
	printf("# %s: %d of %d\n", file, right, cases);
	assert_int_equal(right, cases);
	assert_true(cases >= least);
}

static void
reported_answers_end_as_they_should(void **state)
{
	(void) state;
	run_file("test/unit/servers.jsonl", 101);
}

static void
answers_of_other_providers_do_too(void **state)
{
	(void) state;
	run_file("test/unit/servers_more.jsonl", 160);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reported_answers_end_as_they_should),
		cmocka_unit_test(answers_of_other_providers_do_too),
	};
	int			failed;

	start();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	stop();
	free(answer.bytes);
	return failed;
}
