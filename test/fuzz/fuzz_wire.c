/*
 * fuzz_wire.c
 *	  Any bytes as a server's whole answer: status line, headers (Retry-After among
 *	  them), chunks, packed bodies.  One response comes of them, within its limits.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keyless.h"
#include "vlm/vlm.h"

#define KEY "sk-secret"
#define MAX_REPLY 2000

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Where the input goes on; its first byte says which. */
static const char *const beginnings[] = {
	"",
	"HTTP/1.1 200 OK\r\n",
	"HTTP/1.1 429 Too Many Requests\r\nRetry-After: ",
	"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: Wed, ",
	"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n20\r\n\x1f\x8b",
	"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n\x78\x9c",
	"HTTP/1.1 200 OK\r\nContent-Encoding: ",
	"HTTP/1.1 200 OK\r\n\r\n{\"choices\":[{\"message\":{\"content\":",
	"HTTP/1.1 401 No\r\n\r\n{\"message\":\"sk\\u002dsecre",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;",
	"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08",
	"HTTP/1.1 429 No\r\nRetry-After-Ms: ",
	"HTTP/1.1 429 No\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: ",
	"HTTP/1.1 529 No\r\nX-RateLimit-Reset-Tokens: 1m",
	"HTTP/1.1 200 OK\r\n\r\n: x\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"sk-se"
};

static int	listener = -1;
static int	port;

static void
listen_once(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t	length = sizeof(address);

	if (listener >= 0)
		return;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *) &address, sizeof(address)) != 0 ||
		listen(listener, 16) != 0 || getsockname(listener, (struct sockaddr *) &address, &length) != 0)
		abort();
	port = ntohs(address.sin_port);
}

static void
submit(VlmPool *pool)
{
	VlmRequest	request;
	char		url[64];

	memset(&request, 0, sizeof(request));
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/v1", port);
	request.url = url;
	request.api_key = KEY;
	request.request_id = "1";
	request.body.head = strdup("{");
	request.body.head_size = 1;
	request.body.tail = strdup("}");
	request.body.tail_size = 1;
	request.connect_timeout_ms = 5000;
	request.request_timeout_ms = 5000;
	request.max_reply_bytes = MAX_REPLY;
	request.user = &listener;
	if (!vlm_pool_submit(pool, &request))
		abort();
}

/* Takes the connection when there is one, and answers when the request is there. */
static void
serve(int *connection, const uint8_t *data, size_t size)
{
	char		request[4096];
	const char *begin;

	if (*connection == -1)
		*connection = accept(listener, NULL, NULL);
	if (*connection < 0 || recv(*connection, request, sizeof(request), MSG_DONTWAIT) <= 0)
		return;
	/* head and body come together: a request of two bytes is one segment or two */
	while (recv(*connection, request, sizeof(request), MSG_DONTWAIT) > 0)
		;
	begin = beginnings[data[0] % (sizeof(beginnings) / sizeof(beginnings[0]))];
	(void) !send(*connection, begin, strlen(begin), MSG_NOSIGNAL);
	(void) !send(*connection, data + 1, size - 1, MSG_NOSIGNAL);
	shutdown(*connection, SHUT_WR);
	while (recv(*connection, request, sizeof(request), MSG_DONTWAIT) > 0)
		;
	close(*connection);
	*connection = -2;
}

static void
check(VlmResponse *response)
{
	VlmOutcome	outcome;
	VlmEnvelope envelope;

	if (response->user != &listener || response->body_size > MAX_REPLY ||
		(response->body == NULL && response->body_size != 0) ||
		(response->body != NULL && response->body[response->body_size] != '\0') ||
		(response->curl_code == 0) != (response->status != 0) ||
		(response->curl_code != 0 && response->error[0] == '\0') ||
		response->retry_after_ms < -1 || response->retry_after_ms == 0 ||
		response->retry_after_ms > 86400 * 1000 || strstr(response->error, KEY) != NULL ||
		response->api_key == NULL || strcmp(response->api_key, KEY) != 0)
		abort();
	vlm_outcome(response, &outcome, &envelope);
	keyless_text(outcome.detail, strlen(outcome.detail), KEY, 2);
	keyless_text(response->body, response->body_size, KEY, 3);
	if (outcome.action != VLM_DONE && outcome.reason == NULL)
		abort();
	vlm_envelope_free(&envelope);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VlmPool    *pool;
	VlmResponse response;
	int			connection = -1;
	int			turns = 0;

	if (size < 1)
		return 0;
	listen_once();
	pool = vlm_pool_new(1);
	if (pool == NULL)
		abort();
	submit(pool);
	while (!vlm_pool_next(pool, &response))
	{
		struct pollfd waits[2] = {{.fd = vlm_pool_fd(pool),.events = POLLIN},
		{.fd = connection == -1 ? listener : connection,.events = POLLIN}};
		int64_t		timeout = vlm_pool_prepare_wait(pool);

		/* the connection has ended: libcurl may not wait, nor go round and round */
		if (++turns > 1000)
			abort();
		poll(waits, 2, timeout < 0 ? 5000 : (int) timeout);
		serve(&connection, data, size);
		vlm_pool_step(pool);
	}
	if (turns > 900)
		abort();
	check(&response);
	vlm_response_free(&response);
	if (vlm_pool_bytes(pool) != 0 || vlm_pool_in_flight(pool) != 0)
		abort();
	vlm_pool_free(pool);
	if (connection >= 0)
		close(connection);
	return 0;
}
