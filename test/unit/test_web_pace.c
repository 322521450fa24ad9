/*
 * test_web_pace.c
 *	  How often a host is asked, in virtual time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "web/web.h"

#define BASE 1000
#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)

static int64_t now;

/* A request as soon as it may begin; true: the host was given up. */
static bool
ask(WebPace *pace, WebEvent event, int latency, int64_t retry_after)
{
	if (now < pace->free_ms)
		now = pace->free_ms;
	web_pace_begin(pace, BASE, now);
	now += latency;
	return web_pace_end(pace, BASE, event, latency, retry_after, now);
}

static void
usual_delay(void **state)
{
	WebPace		pace = {0};

	(void) state;
	now = 0;
	for (int i = 0; i < 100; i++)
		assert_false(ask(&pace, WEB_EVENT_ANSWER, 100, -1));
	assert_int_equal(now, 99 * BASE + 100);
	assert_int_equal(pace.state, WEB_HOST_OK);
	/* time that was not used is not made up for */
	now += HOUR;
	ask(&pace, WEB_EVENT_ANSWER, 100, -1);
	assert_int_equal(pace.free_ms, now - 100 + BASE);
	pace.crawl_delay_ms = 7000;
	assert_int_equal(web_pace_delay(&pace, BASE), 7000);
	ask(&pace, WEB_EVENT_ANSWER, 100, -1);
	assert_int_equal(pace.state, WEB_HOST_SLOW);
}

static void
slow_host(void **state)
{
	WebPace		pace = {0};

	(void) state;
	now = 0;
	for (int i = 0; i < 40; i++)
		ask(&pace, WEB_EVENT_ANSWER, 4000, -1);
	assert_int_equal(web_pace_delay(&pace, BASE), 4000);
	assert_int_equal(pace.state, WEB_HOST_SLOW);
	for (int i = 0; i < 40; i++)
		ask(&pace, WEB_EVENT_ANSWER, 10, -1);
	assert_int_equal(web_pace_delay(&pace, BASE), BASE);
	assert_int_equal(pace.state, WEB_HOST_OK);
}

static void
throttling(void **state)
{
	WebPace		pace = {0};

	(void) state;
	now = 0;
	ask(&pace, WEB_EVENT_THROTTLED, 10, 90000);
	assert_int_equal(pace.state, WEB_HOST_THROTTLED);
	assert_int_equal(pace.free_ms, now + 90000);
	ask(&pace, WEB_EVENT_ANSWER, 10, -1);
	assert_int_equal(pace.state, WEB_HOST_OK);
	/* no longer than a day, whatever it says */
	ask(&pace, WEB_EVENT_THROTTLED, 10, INT64_MAX);
	assert_int_equal(pace.free_ms, now + 24 * HOUR);
	for (int i = 0; i < 20; i++)
		ask(&pace, WEB_EVENT_THROTTLED, 10, -1);
	assert_int_equal(web_pace_delay(&pace, BASE), 5 * MINUTE);
	for (int i = 0; i < 100; i++)
		ask(&pace, WEB_EVENT_ANSWER, 10, -1);
	assert_int_equal(web_pace_delay(&pace, BASE), BASE);
	assert_int_equal(pace.state, WEB_HOST_OK);
}

static void
going_down(void **state)
{
	static const int64_t waits[] = {MINUTE, 5 * MINUTE, 30 * MINUTE, 6 * HOUR, 24 * HOUR, 24 * HOUR};
	WebPace		pace = {0};

	(void) state;
	now = 0;
	for (int i = 0; i < 4; i++)
		assert_false(ask(&pace, WEB_EVENT_ERROR, 10, -1));
	assert_int_equal(pace.state, WEB_HOST_OK);
	for (int i = 0; i < 6; i++)
	{
		assert_false(ask(&pace, WEB_EVENT_ERROR, 10, -1));
		assert_int_equal(pace.state, WEB_HOST_DOWN);
		assert_int_equal(pace.free_ms, now + waits[i]);
	}
	while (!ask(&pace, WEB_EVENT_ERROR, 10, -1))
		assert_true(now < 4 * 24 * HOUR);
	assert_true(now - pace.since_ms >= 3 * 24 * HOUR);
	assert_false(ask(&pace, WEB_EVENT_ANSWER, 10, -1));
	assert_int_equal(pace.state, WEB_HOST_OK);
	/* errors that are not in a row are the rows' */
	for (int i = 0; i < 20; i++)
		ask(&pace, i % 5 == 4 ? WEB_EVENT_ANSWER : WEB_EVENT_ERROR, 10, -1);
	assert_int_equal(pace.state, WEB_HOST_OK);
}

static void
blocking(void **state)
{
	static const int64_t waits[] = {HOUR, 6 * HOUR, 24 * HOUR};
	WebPace		pace = {0};

	(void) state;
	now = 0;
	for (int i = 0; i < 5; i++)
		ask(&pace, WEB_EVENT_ANSWER, 10, -1);
	for (int i = 0; i < 9; i++)
		assert_false(ask(&pace, WEB_EVENT_FORBIDDEN, 10, -1));
	assert_int_equal(pace.state, WEB_HOST_OK);
	for (int i = 0; i < 3; i++)
	{
		assert_false(ask(&pace, WEB_EVENT_FORBIDDEN, 10, -1));
		assert_int_equal(pace.state, WEB_HOST_BLOCKED);
		assert_int_equal(pace.free_ms, now + waits[i]);
	}
	assert_true(ask(&pace, WEB_EVENT_FORBIDDEN, 10, -1));
	/* one answer, and it begins anew */
	ask(&pace, WEB_EVENT_ANSWER, 10, -1);
	assert_int_equal(pace.state, WEB_HOST_OK);
	/* a host that refuses now and then is not blocked; one that refuses most is */
	for (int i = 0; i < 200; i++)
		ask(&pace, i % 2 ? WEB_EVENT_FORBIDDEN : WEB_EVENT_ANSWER, 10, -1);
	assert_int_equal(pace.state, WEB_HOST_OK);
	ask(&pace, WEB_EVENT_FORBIDDEN, 10, -1);
	assert_int_equal(pace.state, WEB_HOST_BLOCKED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usual_delay),
		cmocka_unit_test(slow_host),
		cmocka_unit_test(throttling),
		cmocka_unit_test(going_down),
		cmocka_unit_test(blocking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
