/*
 * test_vlm_pool.c
 *	  The request pool on the wire: what comes back of each kind of server, what a
 *	  server is sent, and that it is sent it once.
 */
#define _GNU_SOURCE

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "loopback.h"
#include "vlm/base64.h"
#include "vlm/vlm.h"

#define KEY "sk-secret"
#define MANY 300
#define GIVE_UP_MS 30000

/* One pool and one server for each test. */
typedef struct Wire
{
	VlmPool    *pool;
	Loopback   *server;
	int			submitted;
	int			request_timeout_ms;
	size_t		max_reply_bytes;
	size_t		image_size;
	char	   *sent;			/* the last body, as it should have gone out */
	size_t		sent_size;
} Wire;

static int
set_up(void **state)
{
	Wire	   *wire = calloc(1, sizeof(Wire));

	wire->server = loopback_start();
	wire->pool = vlm_pool_new(MANY);
	wire->request_timeout_ms = GIVE_UP_MS;
	wire->max_reply_bytes = 10000;
	wire->image_size = 2000;
	*state = wire;
	return wire->pool == NULL;
}

static int
tear_down(void **state)
{
	Wire	   *wire = *state;

	vlm_pool_free(wire->pool);
	loopback_stop(wire->server);
	free(wire->sent);
	free(wire);
	return 0;
}

static int64_t
clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
submit_to(Wire *wire, int port, const char *word)
{
	VlmRequest	request = {.connect_timeout_ms = 5000,.api_key = KEY};
	char		url[128];
	char		id[16];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/%s/", port, word);
	snprintf(id, sizeof(id), "%d", ++wire->submitted);
	request.url = url;
	request.request_id = id;
	request.body.head = strdup("{\"before\":\"");
	request.body.head_size = strlen(request.body.head);
	request.body.tail = strdup("\",\"after\":1}");
	request.body.tail_size = strlen(request.body.tail);
	request.image_size = wire->image_size;
	request.image = malloc(wire->image_size + 1);
	for (size_t i = 0; i < wire->image_size; i++)
		request.image[i] = (uint8_t) (i * 31 + (size_t) wire->submitted);
	request.request_timeout_ms = wire->request_timeout_ms;
	request.max_reply_bytes = wire->max_reply_bytes;
	request.user = (void *) (intptr_t) wire->submitted;

	free(wire->sent);
	wire->sent_size = request.body.head_size + base64_length(wire->image_size) + request.body.tail_size;
	wire->sent = malloc(wire->sent_size + 1);
	memcpy(wire->sent, request.body.head, request.body.head_size);
	base64_slice(request.image, wire->image_size, 0, base64_length(wire->image_size),
				 wire->sent + request.body.head_size);
	strcpy(wire->sent + request.body.head_size + base64_length(wire->image_size), request.body.tail);
	assert_true(vlm_pool_submit(wire->pool, &request));
}

static void
submit(Wire *wire, const char *word)
{
	submit_to(wire, wire->server->port, word);
}

/* One wait and one step, as a process with an event loop does. */
static void
turn(Wire *wire, int64_t since)
{
	struct pollfd wait = {.fd = vlm_pool_fd(wire->pool),.events = POLLIN};
	int64_t		timeout = vlm_pool_prepare_wait(wire->pool);

	if (clock_ms() - since > GIVE_UP_MS)
		fail_msg("nothing has come for %d s", GIVE_UP_MS / 1000);
	poll(&wait, 1, timeout < 0 || timeout > 10 ? 10 : (int) timeout);
	vlm_pool_step(wire->pool);
}

/* Until the server has no connection open; its closes have then arrived. */
static void
turn_until_closed(Wire *wire)
{
	int64_t		since = clock_ms();

	while (loopback_open(wire->server) > 0)
		turn(wire, since);
}

static VlmResponse
next(Wire *wire)
{
	VlmResponse response;
	int64_t		since = clock_ms();

	while (!vlm_pool_next(wire->pool, &response))
		turn(wire, since);
	return response;
}

static VlmResponse
ask(Wire *wire, const char *word)
{
	submit(wire, word);
	return next(wire);
}

static void
turn_until(Wire *wire, const int *counter, int at_least)
{
	int64_t		since = clock_ms();

	while (loopback_count(wire->server, counter) < at_least)
		turn(wire, since);
}

#define assert_count(wire, counter, expected) \
	assert_int_equal(loopback_count((wire)->server, &(wire)->server->counter), expected)

/* Frees the response, which is to be the answer to the request of this number. */
static void
assert_answers(VlmResponse response, int number)
{
	char		id[16];

	snprintf(id, sizeof(id), "%d", number);
	assert_int_equal(response.curl_code, CURLE_OK);
	assert_int_equal(response.status, 200);
	assert_string_equal(response.body, id);
	assert_int_equal(response.body_size, strlen(id));
	assert_ptr_equal(response.user, (void *) (intptr_t) number);
	assert_string_equal(response.api_key, KEY);
	assert_true(response.sent);
	vlm_response_free(&response);
}

/* Frees the response, which is to be none. */
static void
assert_fails(VlmResponse response, int code)
{
	assert_int_equal(response.curl_code, code);
	assert_int_equal(response.status, 0);
	assert_string_not_equal(response.error, "");
	assert_null(strstr(response.error, KEY));
	vlm_response_free(&response);
}

/* ---- what is sent ---- */

static void
a_request_is_whole_and_says_who_asks(void **state)
{
	Wire	   *wire = *state;
	char	   *head;
	char	   *body;

	/* large enough for libcurl to want Expect: */
	wire->image_size = 1200001;
	assert_answers(ask(wire, "ok"), 1);
	head = loopback_last(wire->server);
	body = strstr(head, "\r\n\r\n");
	assert_non_null(body);
	assert_string_equal(body + 4, wire->sent);
	*body = '\0';
	assert_true(strncmp(head, "POST /ok/chat/completions HTTP/1.1\r\n", 36) == 0);
	assert_non_null(strstr(head, "\r\nX-Request-Id: 1"));
	assert_non_null(strstr(head, "\r\nAuthorization: Bearer " KEY));
	assert_non_null(strstr(head, "\r\nContent-Type: application/json"));
	assert_null(strcasestr(head, "\r\nExpect:"));
	assert_null(strcasestr(head, "\r\nTransfer-Encoding:"));
	free(head);
}

static void
a_key_with_a_line_break_is_not_sent(void **state)
{
	Wire	   *wire = *state;
	VlmRequest	request = {.url = "http://127.0.0.1:1",.request_id = "1",.api_key = "a\r\nX-Other: b"};

	request.body.head = strdup("");
	assert_false(vlm_pool_submit(wire->pool, &request));
	/* still the caller's */
	free(request.body.head);
	assert_int_equal(vlm_pool_in_flight(wire->pool), 0);
	assert_int_equal(vlm_pool_bytes(wire->pool), 0);
}

static void
connections_are_used_again(void **state)
{
	Wire	   *wire = *state;

	for (int i = 1; i <= 50; i++)
		assert_answers(ask(wire, "ok"), i);
	assert_count(wire, requests, 50);
	assert_count(wire, connections, 1);
}

/* ---- what comes back ---- */

static void
a_body_comes_whole_however_its_length_is_told(void **state)
{
	static const char *const ways[][2] = {
		{"chunked", "one two"}, {"until-close", "all of it"}, {"empty", ""}
	};
	Wire	   *wire = *state;

	for (int i = 0; i < 3; i++)
	{
		VlmResponse response = ask(wire, ways[i][0]);

		assert_int_equal(response.curl_code, CURLE_OK);
		assert_int_equal(response.status, 200);
		assert_string_equal(response.body, ways[i][1]);
		assert_int_equal(response.body_size, strlen(ways[i][1]));
		vlm_response_free(&response);
	}
	assert_answers(ask(wire, "continue"), 4);
}

static void
a_cut_body_is_no_response(void **state)
{
	Wire	   *wire = *state;

	assert_fails(ask(wire, "truncated"), CURLE_PARTIAL_FILE);
	assert_fails(ask(wire, "truncated-chunks"), CURLE_PARTIAL_FILE);
}

static void
a_reset_connection_is_no_response_and_was_sent(void **state)
{
	Wire	   *wire = *state;
	VlmResponse response = ask(wire, "reset");

	assert_true(response.sent);
	assert_fails(response, CURLE_RECV_ERROR);
	assert_count(wire, requests, 1);
}

static void
a_refused_connection_was_not_sent(void **state)
{
	Wire	   *wire = *state;
	int			port;
	int			unheard = loopback_bind(&port); /* bound, not listening */
	VlmResponse response;

	submit_to(wire, port, "ok");
	response = next(wire);
	assert_false(response.sent);
	assert_int_equal(response.retry_after_ms, -1);
	assert_fails(response, CURLE_COULDNT_CONNECT);
	close(unheard);
}

static void
a_timeout_ends_the_wait(void **state)
{
	Wire	   *wire = *state;
	VlmResponse response;

	wire->request_timeout_ms = 2000;
	response = ask(wire, "hold");
	assert_true(response.sent);
	assert_true(response.latency_ms >= 2000);
	assert_true(response.latency_ms < 20000);
	assert_fails(response, CURLE_OPERATION_TIMEDOUT);
	turn_until(wire, &wire->server->gone, 1);
}

static void
an_answer_before_the_body_was_sent_counts(void **state)
{
	Wire	   *wire = *state;
	VlmResponse response;

	wire->image_size = 12 * 1024 * 1024;
	response = ask(wire, "early");
	assert_int_equal(response.curl_code, CURLE_OK);
	assert_int_equal(response.status, 413);
	assert_string_equal(response.body, "{}");
	vlm_response_free(&response);
	assert_int_equal(vlm_pool_bytes(wire->pool), 0);
}

/* A reply is cut off where the limit is, not where the server stops. */
static void
a_reply_over_the_limit_is_not_kept(void **state)
{
	static const char *const replies[] = {"big-10001", "chunky-10001", "big-1900000", "chunky-1900000", "packed"};
	Wire	   *wire = *state;
	VlmResponse response;

	for (int i = 0; i < 5; i++)
	{
		response = ask(wire, replies[i]);
		assert_true(response.too_large);
		assert_true(response.body_size <= 10000);
		assert_fails(response, CURLE_WRITE_ERROR);
	}
	response = ask(wire, "big-10000");
	assert_false(response.too_large);
	assert_int_equal(response.body_size, 10000);
	assert_int_equal(response.status, 200);
	vlm_response_free(&response);
	wire->max_reply_bytes = 100000;
	response = ask(wire, "packed");
	assert_int_equal(response.body_size, 100000);
	assert_int_equal(strspn(response.body, "0"), 100000);
	vlm_response_free(&response);
}

/* Of what is no body, too, no more is read than is some multiple of the limit. */
static void
what_is_no_body_is_limited_too(void **state)
{
	static const char *const kinds[] = {
		"extension", "extensions", "trailer", "name", "comment", "blocks", "frames",
		/* libcurl has limits of its own for these */
		"interim", "headers", "header", "status", "protocol"
	};
	Wire	   *wire = *state;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
	{
		char		word[32];
		VlmResponse response;
		size_t		wasted;

		snprintf(word, sizeof(word), "endless-%s", kinds[i]);
		response = ask(wire, word);
		turn_until_closed(wire);
		pthread_mutex_lock(&wire->server->lock);
		wasted = wire->server->wasted;
		wire->server->wasted = 0;
		pthread_mutex_unlock(&wire->server->lock);
		printf("%s: %zu KB left the server, code %d\n", word, wasted / 1024, response.curl_code);
		/* an endless line too, which libcurl calls a lack of memory */
		assert_true(response.too_large);
		assert_int_not_equal(response.curl_code, CURLE_OK);
		assert_fails(response, i < 7 ? CURLE_WRITE_ERROR : response.curl_code);
		/* what was read, and what the kernel holds for sockets that nobody reads */
		assert_true(wasted < LOOPBACK_ENDLESS / 4);
	}
	assert_answers(ask(wire, "ok"), 13);
	assert_int_equal(vlm_pool_bytes(wire->pool), 0);
}

/* The count begins anew with each request, and the pieces that a reply comes in are no matter. */
static void
a_connection_may_carry_more_than_one_reply(void **state)
{
	Wire	   *wire = *state;

	wire->max_reply_bytes = 1900000;
	for (int i = 0; i < 12; i++)
	{
		VlmResponse response = ask(wire, "chunky-1900000");

		assert_int_equal(response.curl_code, CURLE_OK);
		assert_int_equal(response.body_size, 1900000);
		vlm_response_free(&response);
	}
	assert_count(wire, connections, 1);
}

static void
retry_after_is_read_as_seconds_or_date(void **state)
{
	static const struct
	{
		const char *word;
		int64_t		low;
		int64_t		high;
	}			said[] = {
		{"retry-7", 7000, 7000}, {"retry-date", 10000, 31000}, {"retry-0", -1, -1}, {"retry--5", -1, -1},
		{"retry-soon", -1, -1}, {"retry-99999999999999999999", -1, 21600000},
		{"retry-1000000", 21600000, 21600000}, {"retry-Wed, 01 Jan 2020 00:00:00 GMT", -1, -1}
	};
	Wire	   *wire = *state;

	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
	{
		char		word[64] = "";
		VlmResponse response;

		/* a blank in a path is %20 on the wire; the server needs none */
		for (const char *c = said[i].word; *c != '\0'; c++)
			strncat(word, *c == ' ' ? "%20" : (char[2]) {*c, '\0'}, sizeof(word) - strlen(word) - 1);
		response = ask(wire, word);
		assert_int_equal(response.curl_code, CURLE_OK);
		assert_int_equal(response.status, 429);
		if (response.retry_after_ms < said[i].low || response.retry_after_ms > said[i].high)
			fail_msg("%s: %lld ms", said[i].word, (long long) response.retry_after_ms);
		vlm_response_free(&response);
	}
}

static void
a_redirect_is_not_followed(void **state)
{
	Wire	   *wire = *state;
	VlmResponse response = ask(wire, "redirect");

	assert_int_equal(response.status, 307);
	assert_int_equal(response.curl_code, CURLE_OK);
	assert_count(wire, requests, 1);
	vlm_response_free(&response);
}

static void
a_key_stands_in_no_error(void **state)
{
	Wire	   *wire = *state;
	VlmResponse response = ask(wire, "key");

	assert_null(strstr(response.error, KEY));
	vlm_response_free(&response);
	assert_fails(ask(wire, "no-http"), CURLE_UNSUPPORTED_PROTOCOL);
}

/* ---- nothing is sent twice ---- */

static void
a_connection_closed_while_idle_costs_no_request(void **state)
{
	Wire	   *wire = *state;

	for (int i = 1; i <= 20; i++)
	{
		assert_answers(ask(wire, "ok-then-close"), i);
		turn_until_closed(wire);
	}
	assert_count(wire, requests, 20);
	assert_count(wire, connections, 20);
}

static void
a_request_lost_with_a_kept_connection_is_told_and_not_repeated(void **state)
{
	static const char *const words[] = {"ok-then-reset", "ok-then-nothing"};
	Wire	   *wire = *state;

	for (int i = 0; i < 20; i++)
	{
		VlmResponse response;

		wire->image_size = i % 4 < 2 ? 1000 : 300000;
		assert_answers(ask(wire, words[i % 2]), 2 * i + 1);
		response = ask(wire, words[i % 2]);
		assert_int_equal(response.status, 0);
		assert_int_not_equal(response.curl_code, CURLE_OK);
		assert_string_not_equal(response.error, "");
		vlm_response_free(&response);
		assert_count(wire, requests, 2 * i + 2);
	}
}

/* ---- many at once ---- */

/* All come back, each once and with its own answer. */
static void
collect(Wire *wire, int first, int last)
{
	bool	   *seen = calloc((size_t) last + 1, sizeof(bool));

	for (int i = first; i <= last; i++)
	{
		VlmResponse response = next(wire);
		int			number = (int) (intptr_t) response.user;

		assert_in_range(number, first, last);
		assert_false(seen[number]);
		seen[number] = true;
		assert_answers(response, number);
	}
	free(seen);
	assert_int_equal(vlm_pool_in_flight(wire->pool), 0);
	assert_int_equal(vlm_pool_bytes(wire->pool), 0);
}

static void
hundreds_are_in_flight_at_once(void **state)
{
	Wire	   *wire = *state;

	for (int round = 0; round < 2; round++)
	{
		for (int i = 0; i < MANY; i++)
			submit(wire, "hold");
		turn_until(wire, &wire->server->held, MANY);
		assert_int_equal(vlm_pool_in_flight(wire->pool), MANY);
		/* a picture that is sent needs no memory any more */
		assert_true(vlm_pool_bytes(wire->pool) < MANY * wire->image_size);
		loopback_release(wire->server, true);
		collect(wire, round * MANY + 1, (round + 1) * MANY);
		loopback_release(wire->server, false);
	}
	assert_count(wire, requests, 2 * MANY);
	assert_count(wire, connections, MANY);
}

static void
no_more_connections_than_allowed(void **state)
{
	Wire	   *wire = *state;

	vlm_pool_set_max_connections(wire->pool, 5);
	for (int i = 0; i < 20; i++)
		submit(wire, "hold");
	turn_until(wire, &wire->server->held, 5);
	loopback_release(wire->server, true);
	collect(wire, 1, 20);
	assert_count(wire, max_held, 5);
	assert_count(wire, connections, 5);
}

/* ---- cancel ---- */

static void
one_may_be_cancelled_in_flight(void **state)
{
	Wire	   *wire = *state;

	submit(wire, "hold");
	submit(wire, "hold");
	submit(wire, "hold");
	turn_until(wire, &wire->server->held, 3);
	vlm_pool_cancel(wire->pool, (void *) (intptr_t) 2);
	assert_int_equal(vlm_pool_in_flight(wire->pool), 2);
	turn_until(wire, &wire->server->gone, 1);
	loopback_release(wire->server, true);
	for (int i = 0; i < 2; i++)
	{
		VlmResponse response = next(wire);

		assert_int_not_equal((intptr_t) response.user, 2);
		assert_answers(response, (int) (intptr_t) response.user);
	}
	assert_int_equal(vlm_pool_bytes(wire->pool), 0);
}

/* One that has ended and waits to be given out. */
static void
submit_and_let_end(Wire *wire)
{
	int64_t		since = clock_ms();

	submit(wire, "ok");
	while (vlm_pool_in_flight(wire->pool) > 0)
		turn(wire, since);
}

static void
one_may_be_cancelled_when_it_has_ended(void **state)
{
	Wire	   *wire = *state;
	VlmResponse response;

	for (int i = 0; i < 3; i++)
		submit_and_let_end(wire);
	vlm_pool_cancel(wire->pool, (void *) (intptr_t) 1);
	vlm_pool_cancel(wire->pool, (void *) (intptr_t) 3);
	submit_and_let_end(wire);
	assert_answers(next(wire), 2);
	assert_answers(next(wire), 4);
	assert_false(vlm_pool_next(wire->pool, &response));
	submit_and_let_end(wire);
	vlm_pool_cancel(wire->pool, NULL);
	assert_false(vlm_pool_next(wire->pool, &response));
	assert_int_equal(vlm_pool_bytes(wire->pool), 0);
}

static void
all_may_be_cancelled_and_the_pool_goes_on(void **state)
{
	Wire	   *wire = *state;
	VlmResponse response;

	for (int i = 0; i < 40; i++)
		submit(wire, "hold");
	turn_until(wire, &wire->server->held, 40);
	submit(wire, "ok");			/* not even begun */
	vlm_pool_cancel(wire->pool, NULL);
	assert_int_equal(vlm_pool_in_flight(wire->pool), 0);
	assert_int_equal(vlm_pool_bytes(wire->pool), 0);
	turn_until(wire, &wire->server->gone, 40);
	assert_false(vlm_pool_next(wire->pool, &response));
	assert_answers(ask(wire, "ok"), 42);
}

/* Idle or waiting for a server, the pool asks for no turns. */
static void
waiting_costs_no_turns(void **state)
{
	Wire	   *wire = *state;
	int			turns = 0;
	int64_t		end;

	assert_answers(ask(wire, "ok-then-close"), 1);
	turn_until_closed(wire);
	submit(wire, "hold");
	turn_until(wire, &wire->server->held, 1);
	end = clock_ms() + 500;
	while (clock_ms() < end)
	{
		turn(wire, clock_ms());
		turns++;
	}
	/* turn() itself waits for 10 ms at most: 50; libcurl wants a few */
	assert_in_range(turns, 1, 80);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_whole_and_says_who_asks),
		TEST(a_key_with_a_line_break_is_not_sent),
		TEST(connections_are_used_again),
		TEST(a_body_comes_whole_however_its_length_is_told),
		TEST(a_cut_body_is_no_response),
		TEST(a_reset_connection_is_no_response_and_was_sent),
		TEST(a_refused_connection_was_not_sent),
		TEST(a_timeout_ends_the_wait),
		TEST(an_answer_before_the_body_was_sent_counts),
		TEST(a_reply_over_the_limit_is_not_kept),
		TEST(what_is_no_body_is_limited_too),
		TEST(a_connection_may_carry_more_than_one_reply),
		TEST(retry_after_is_read_as_seconds_or_date),
		TEST(a_redirect_is_not_followed),
		TEST(a_key_stands_in_no_error),
		TEST(a_connection_closed_while_idle_costs_no_request),
		TEST(a_request_lost_with_a_kept_connection_is_told_and_not_repeated),
		TEST(hundreds_are_in_flight_at_once),
		TEST(no_more_connections_than_allowed),
		TEST(one_may_be_cancelled_in_flight),
		TEST(one_may_be_cancelled_when_it_has_ended),
		TEST(all_may_be_cancelled_and_the_pool_goes_on),
		TEST(waiting_costs_no_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
