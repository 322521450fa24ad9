/*
 * test_web_pool.c
 *	  The pool against the simulated web: names, judged addresses, caps, and each way in
 *	  which an answer goes wrong.
 */
#define _GNU_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* nothing leaves this machine, whatever fails */
#include "../web/connects.c"
#include "../web/simulated.h"
#include "web/web.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static Simulated *web;
static WebPorts ports;

/* One of its counters, which its threads change. */
static int
counted(const int *counter)
{
	int			n;

	pthread_mutex_lock(&web->lock);
	n = *counter;
	pthread_mutex_unlock(&web->lock);
	return n;
}

static WebPoolConfig
usual(void)
{
	WebPoolConfig config = {.agent = "llava_zh/test (+mailto:nobody@example.org)",.from = "nobody@example.org",.max_connections = 100,.max_per_address = 8};
	const char *bad;

	assert_true(web_nets_parse("127.0.0.0/8", &config.allow, &bad));
	snprintf(config.nameservers, sizeof(config.nameservers), "127.0.0.1:%d", web->names_port);
	return config;
}

static void
submit(WebPool *pool, const char *host, const char *path, int deadline_ms)
{
	char		text[1024];
	WebUrl		url;
	WebRequest	request = {.url = &url,.max_bytes = 100000,.deadline_ms = deadline_ms,.images_only = true};

	snprintf(text, sizeof(text), "http://%s:%d%s", host, web->port, path);
	assert_null(web_url_parse(text, strlen(text), &ports, &url));
	assert_true(web_pool_submit(pool, &request));
	web_url_free(&url);
}

/* The next that ends, within thirty seconds. */
static WebResponse
wait_for(WebPool *pool)
{
	WebResponse response;
	int64_t		end = simulated_us() + 30000000;

	while (!web_pool_next(pool, &response))
	{
		struct pollfd fd = {.fd = web_pool_fd(pool),.events = POLLIN};
		int64_t		wait = web_pool_prepare_wait(pool);

		assert_true(simulated_us() < end);
		poll(&fd, 1, wait < 0 || wait > 1000 ? 1000 : (int) wait);
		web_pool_step(pool);
	}
	return response;
}

static WebResponse
get(WebPool *pool, const char *host, const char *path, int deadline_ms)
{
	submit(pool, host, path, deadline_ms);
	return wait_for(pool);
}

static void
pictures_arrive(void **state)
{
	WebPoolConfig config = usual();
	WebPool    *pool = web_pool_new(&config);

	(void) state;
	for (int i = 0; i < 3; i++)
	{
		WebResponse response = get(pool, "a.test", "/picture/1", 5000);

		assert_int_equal(response.fault, WEB_FAULT_NONE);
		assert_int_equal(response.status, 200);
		assert_memory_equal(response.body, "\xFF\xD8\xFF", 3);
		assert_int_equal(response.body_size, sizeof(simulated_jpeg) + 4 + 16);
		assert_int_equal(strncmp(response.address, "127.0.0.", 8), 0);
		assert_true(response.began_ms > 0);
		web_response_free(&response);
	}
	/* one connection, two lookups */
	assert_int_equal(counted(&web->max_open), 1);
	assert_int_equal(counted(&web->lookups), 2);
	assert_int_equal(web_pool_bytes(pool), 0);
	web_pool_free(pool);
}

static void
faults(void **state)
{
	static const struct
	{
		const char *host;
		const char *path;
		WebFault	fault;
		int			status;
	}			cases[] = {
		{"nx.test", "/x", WEB_FAULT_NO_NAME, 0}, {"servfail.test", "/x", WEB_FAULT_NAMES, 0}, {"silent.test", "/x", WEB_FAULT_NAMES, 0},
		{"ip-10-0-0-1.test", "/x", WEB_FAULT_ADDRESS, 0}, {"ip-169-254-169-254.test", "/x", WEB_FAULT_ADDRESS, 0},
		{"ip-0-0-0-0.test", "/x", WEB_FAULT_ADDRESS, 0}, {"six.test", "/x", WEB_FAULT_ADDRESS, 0}, {"ip-127-9-9-9.test", "/x", WEB_FAULT_CONNECT, 0},
		{"a.test", "/status/404", WEB_FAULT_NONE, 404}, {"a.test", "/status/500", WEB_FAULT_NONE, 500}, {"a.test", "/to/b.test/x", WEB_FAULT_NONE, 302},
		{"a.test", "/html", WEB_FAULT_NOT_IMAGE, 200}, {"a.test", "/page", WEB_FAULT_NOT_IMAGE, 200}, {"a.test", "/lie", WEB_FAULT_NONE, 200},
		{"a.test", "/empty", WEB_FAULT_NONE, 200}, {"a.test", "/gzip", WEB_FAULT_NONE, 200}, {"a.test", "/length", WEB_FAULT_TOO_LARGE, 200},
		{"a.test", "/endless", WEB_FAULT_TOO_LARGE, 200}, {"a.test", "/headers", WEB_FAULT_TOO_LARGE, 200}, {"a.test", "/cut", WEB_FAULT_CUT, 200},
		{"a.test", "/junk", WEB_FAULT_PROTOCOL, 0}, {"a.test", "/close", WEB_FAULT_CONNECT, 0}, {"a.test", "/hang", WEB_FAULT_TIMEOUT, 0},
		{"mixed.test", "/picture/1", WEB_FAULT_NONE, 200}
	};
	WebPoolConfig config = usual();
	WebPool    *pool = web_pool_new(&config);

	(void) state;
	for (size_t i = 0; i < COUNT(cases); i++)
	{
		WebResponse response = get(pool, cases[i].host, cases[i].path, 1500);

		if (response.fault != cases[i].fault || response.status != cases[i].status)
			fail_msg("%s%s: fault %d, status %d, %s", cases[i].host, cases[i].path, response.fault, response.status, response.error);
		web_response_free(&response);
	}
	web_pool_free(pool);
}

/* The name's second lookup says something else: the connection goes nowhere else. */
static void
rebinding(void **state)
{
	WebPoolConfig config = usual();
	WebPool    *pool = web_pool_new(&config);
	WebResponse response = get(pool, "rebind.test", "/picture/1", 3000);

	(void) state;
	assert_int_equal(response.fault, WEB_FAULT_NONE);
	web_response_free(&response);
	/* the kept connection is judged anew when nothing is let in any more */
	config.allow.n = 0;
	assert_true(web_pool_configure(pool, &config));
	response = get(pool, "rebind.test", "/picture/1", 3000);
	assert_int_equal(response.fault, WEB_FAULT_ADDRESS);
	web_response_free(&response);
	web_pool_free(pool);
	config = usual();
	pool = web_pool_new(&config);
	response = get(pool, "rebind.test", "/picture/1", 3000);
	assert_int_equal(response.fault, WEB_FAULT_ADDRESS);
	assert_string_equal(response.address, "10.0.0.1");
	web_response_free(&response);
	web_pool_free(pool);
}

/* No more at once to an address than is allowed, whatever the number of its names. */
static void
caps(void **state)
{
	WebPoolConfig config = usual();
	WebPool    *pool;
	int			before = counted(&web->active);	/* those that hang since another test */

	(void) state;
	config.max_per_address = 2;
	pool = web_pool_new(&config);
	pthread_mutex_lock(&web->lock);
	web->max_active = before;
	pthread_mutex_unlock(&web->lock);
	for (int i = 0; i < 6; i++)
	{
		char		host[32];

		snprintf(host, sizeof(host), "ip-127-0-0-3.%d.test", i);
		submit(pool, host, "/slow/50/x", 5000);
	}
	for (int i = 0; i < 6; i++)
	{
		WebResponse response = wait_for(pool);

		assert_int_equal(response.fault, WEB_FAULT_NONE);
		web_response_free(&response);
	}
	/* one that hung may have ended meanwhile */
	assert_in_range(counted(&web->max_active), 1, before + 2);
	assert_int_equal(web_pool_in_flight(pool), 0);
	web_pool_free(pool);
}

/*
 * Some wait for an address that is busy, more are turned away at once, and neither is a
 * fault of the host's.
 */
static void
crowds(void **state)
{
	WebPoolConfig config = usual();
	WebPool    *pool;
	int			faults[WEB_FAULT_MEMORY + 1] = {0};

	(void) state;
	config.max_per_address = 1;
	pool = web_pool_new(&config);
	for (int i = 0; i < 10; i++)
	{
		char		host[32];

		snprintf(host, sizeof(host), "ip-127-0-0-5.%d.test", i);
		submit(pool, host, "/hang", 700);
	}
	for (int i = 0; i < 10; i++)
	{
		WebResponse response = wait_for(pool);

		faults[response.fault]++;
		if (response.fault == WEB_FAULT_BUSY)
			assert_string_equal(response.address, "127.0.0.5");
		/* those that are turned away come first */
		if (i < 5)
			assert_int_equal(response.fault, WEB_FAULT_BUSY);
		web_response_free(&response);
	}
	assert_int_equal(faults[WEB_FAULT_BUSY], 9);
	assert_int_equal(faults[WEB_FAULT_TIMEOUT], 1);
	web_pool_free(pool);
}

/* Where nobody answers it is no single name's fault, until somebody does. */
static void
no_name_server(void **state)
{
	WebPoolConfig config = usual();
	WebPool    *pool;

	int			faults[WEB_FAULT_MEMORY + 1] = {0};

	(void) state;
	pool = web_pool_new(&config);
	for (int i = 0; i < 8; i++)
	{
		char		host[32];

		snprintf(host, sizeof(host), "silent-away%d.test", i);
		submit(pool, host, "/x", 60000);
	}
	for (int i = 0; i < 8; i++)
	{
		WebResponse response = wait_for(pool);

		faults[response.fault]++;
		web_response_free(&response);
	}
	assert_int_equal(faults[WEB_FAULT_NAMES], 4);
	assert_int_equal(faults[WEB_FAULT_RESOLVER], 4);
	for (int i = 0; i < 8; i++)
	{
		char		host[32];
		WebResponse response;

		snprintf(host, sizeof(host), i == 0 ? "nx%d.test" : "servfail%d.test", i);
		response = get(pool, host, "/x", 20000);
		assert_int_equal(response.fault, i == 0 ? WEB_FAULT_NO_NAME : WEB_FAULT_NAMES);
		web_response_free(&response);
	}
	web_pool_free(pool);
}

/* An AVIF is a picture, whatever a server takes it for. */
static void
avif_as_film(void **state)
{
	WebPoolConfig config = usual();
	WebPool    *pool = web_pool_new(&config);
	WebResponse response = get(pool, "a.test", "/avif", 5000);

	(void) state;
	assert_int_equal(response.fault, WEB_FAULT_NONE);
	web_response_free(&response);
	web_pool_free(pool);
}

/* Names that never come do not hold up what does, nor the pool's end. */
static void
silent_names(void **state)
{
	WebPoolConfig config = usual();
	WebPool    *pool = web_pool_new(&config);
	WebResponse response;
	int64_t		begun;

	(void) state;
	for (int i = 0; i < 256; i++)
	{
		char		host[32];

		snprintf(host, sizeof(host), "silent%d.test", i);
		submit(pool, host, "/x", 60000);
	}
	response = get(pool, "b.test", "/picture/1", 5000);
	assert_int_equal(response.fault, WEB_FAULT_NONE);
	web_response_free(&response);
	begun = simulated_us();
	web_pool_free(pool);
	assert_true(simulated_us() - begun < 500000);
}

static void
kept_headers(void **state)
{
	WebPoolConfig config = usual();
	WebPool    *pool = web_pool_new(&config);
	WebResponse response = get(pool, "a.test", "/header/X-Robots-Tag:%20max-snippet:%2010,%20noai%0D%0Ax-robots-tag:%20noindex/1", 3000);
	char	   *why;

	(void) state;
	assert_string_equal(response.headers[WEB_HEADER_X_ROBOTS_TAG], "max-snippet: 10, noai\nnoindex");
	why = web_reserved(&response, WEB_RESERVED_NOAI, "llava_zh");
	assert_string_equal(why, "X-Robots-Tag: max-snippet: 10, noai\nnoindex");
	free(why);
	assert_null(web_reserved(&response, WEB_RESERVED_TDM, "llava_zh"));
	web_response_free(&response);
	response = get(pool, "a.test", "/retry/429/7", 3000);
	assert_int_equal(response.status, 429);
	assert_int_equal(response.retry_after_ms, 7000);
	web_response_free(&response);
	web_pool_free(pool);
}

static void
reservations(void **state)
{
	static const struct
	{
		int			header;
		const char *value;
		bool		reserved;
	}			cases[] = {
		{WEB_HEADER_X_ROBOTS_TAG, "noai", true}, {WEB_HEADER_X_ROBOTS_TAG, "all", false}, {WEB_HEADER_X_ROBOTS_TAG, "NoImageAI , x", true},
		{WEB_HEADER_X_ROBOTS_TAG, "noml", true}, {WEB_HEADER_X_ROBOTS_TAG, "none", true}, {WEB_HEADER_X_ROBOTS_TAG, "nofollow", false},
		{WEB_HEADER_X_ROBOTS_TAG, "googlebot: noindex", false}, {WEB_HEADER_X_ROBOTS_TAG, "LLAVA_ZH: noindex", true},
		{WEB_HEADER_X_ROBOTS_TAG, "googlebot: noindex, nofollow", false}, {WEB_HEADER_X_ROBOTS_TAG, "googlebot: noindex, llava_zh: noai", true},
		{WEB_HEADER_X_ROBOTS_TAG, "googlebot: noindex\nnoai", true}, {WEB_HEADER_X_ROBOTS_TAG, "unavailable_after: 25 Jun 2010 15:00:00 PST, noai", true},
		{WEB_HEADER_X_ROBOTS_TAG, "max-image-preview: none", false}, {WEB_HEADER_X_ROBOTS_TAG, "noaix", false}, {WEB_HEADER_X_ROBOTS_TAG, "", false},
		{WEB_HEADER_TDM_RESERVATION, "1", true}, {WEB_HEADER_TDM_RESERVATION, "0", false},
		{WEB_HEADER_CONTENT_USAGE, "train-ai=n", true}, {WEB_HEADER_CONTENT_USAGE, "search=y, train-ai=n", true}, {WEB_HEADER_CONTENT_USAGE, "train-ai=y", false},
		{WEB_HEADER_CONTENT_USAGE, "ai=n", true}
	};
	static const struct
	{
		const char *url;
		int64_t		expires;
	}			links[] = {
		{"http://a.cn/x?Expires=1700000000&Signature=a", 1700000000}, {"http://a.cn/x?auth_key=1700000000-0-0-abc", 1700000000},
		{"http://a.cn/x?e=1700000000&token=a:b", 1700000000}, {"http://a.cn/x?a=1&q-key-time=1600000000;1700000000", 1700000000},
		{"http://a.cn/x", 0}, {"http://a.cn/x?e=12", 0}, {"http://a.cn/x?name=1700000000", 0}, {"http://a.cn/Expires=1700000000", 0}
	};
	const char *bad;
	int			all;

	(void) state;
	assert_true(web_reservations_parse("noai, noindex,tdm ,content-usage", &all, &bad));
	assert_false(web_reservations_parse("noai, nothing", &all, &bad));
	assert_string_equal(bad, "nothing");
	assert_true(web_reservations_parse("noai, noindex,tdm ,content-usage", &all, &bad));
	for (size_t i = 0; i < COUNT(cases); i++)
	{
		WebResponse response = {0};
		char	   *why;

		response.headers[cases[i].header] = (char *) cases[i].value;
		why = web_reserved(&response, all, "llava_zh");
		if ((why != NULL) != cases[i].reserved)
			fail_msg("%s", cases[i].value);
		free(why);
	}
	for (size_t i = 0; i < COUNT(links); i++)
		assert_int_equal(web_url_expires(links[i].url), links[i].expires);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pictures_arrive),
		cmocka_unit_test(faults),
		cmocka_unit_test(rebinding),
		cmocka_unit_test(caps),
		cmocka_unit_test(crowds),
		cmocka_unit_test(no_name_server),
		cmocka_unit_test(avif_as_film),
		cmocka_unit_test(silent_names),
		cmocka_unit_test(kept_headers),
		cmocka_unit_test(reservations),
	};

	web = simulated_start(NULL);
	ports.n = 1;
	ports.ports[0] = web->port;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
