/*
 * test_vlm_pace.c
 *	  How many requests at once and how many a minute a server is sent, against servers in
 *	  virtual time: what they permit must be used, and little be refused.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vlm/vlm.h"

#define MOST_IN_FLIGHT 1024

typedef struct Simulated
{
	/* what it permits; 0: all */
	int			slots;
	double		per_minute;
	double		burst;			/* requests that a bucket holds; 0: a second's */
	bool		calendar;		/* a minute's requests by the clock, no bucket */
	double		stray;			/* share refused at random */
	int64_t		storm_ends;		/* all is refused until then */

	/* how it answers */
	int64_t		latency;		/* mean, ms */
	bool		heavy;			/* a tail of up to 20 times as much; else half to one and
								 * a half */
	int64_t		refuses_after;	/* ms */
	int64_t		retry_after;	/* ms; 0: not said */
	bool		says_budget;	/* and that it is empty until then */

	int64_t		now;
	uint64_t	random;
	double		credit;
	int64_t		credit_at;
	int			n;
	struct
	{
		int64_t		sent;
		int64_t		ends;
		VlmAction	action;
	}			requests[MOST_IN_FLIGHT];
	int			served;			/* at this moment */

	double		latencies;		/* of what was taken, their sum */
	int64_t		taken;

	/* counted by simulate */
	int			sent;
	int			answered;
	int			refused;
} Simulated;

static double
draw(Simulated *server)
{
	server->random = server->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (double) (server->random >> 11) / 9007199254740992.0;
}

static int64_t
draw_latency(Simulated *server)
{
	double		drawn = draw(server);
	double		factor = 0.5 + drawn;

	/* log-normal, its sigma is 1, in ten pieces: the mean is 1 */
	if (server->heavy)
	{
		static const double tail[] = {0.12, 0.22, 0.31, 0.41, 0.53, 0.69, 0.89, 1.2, 1.75, 3.88};

		factor = tail[(int) (drawn * 10)];
		if (drawn > 0.999)
			factor = 20;
	}
	return (int64_t) ((double) server->latency * factor) + 1;
}

/* Takes one of the requests that are permitted now; false: there is none. */
static bool
take_credit(Simulated *server)
{
	double		most = server->calendar ? server->per_minute :
		server->burst > 0 ? server->burst : server->per_minute / 60;

	if (server->per_minute <= 0)
		return true;
	if (server->calendar)
	{
		if (server->now / 60000 != server->credit_at / 60000 || server->credit_at == 0)
			server->credit = most;
	}
	else
		server->credit += (double) (server->now - server->credit_at) * server->per_minute / 60000;
	server->credit_at = server->now;
	if (server->credit > most)
		server->credit = most;
	if (server->credit < 1)
		return false;
	server->credit -= 1;
	return true;
}

static bool
is_taken(Simulated *server)
{
	if (draw(server) < server->stray || server->now < server->storm_ends)
		return false;
	if (server->slots > 0 && server->served >= server->slots)
		return false;
	return take_credit(server);
}

static void
simulate_request(Simulated *server)
{
	bool		taken = is_taken(server);

	assert_true(server->n < MOST_IN_FLIGHT);
	server->sent++;
	server->served += taken;
	server->requests[server->n].sent = server->now;
	server->requests[server->n].ends = server->now +
		(taken ? draw_latency(server) : server->refuses_after > 0 ? server->refuses_after : 5);
	server->requests[server->n].action = taken ? VLM_DONE : VLM_THROTTLE;
	if (taken)
	{
		server->taken++;
		server->latencies += (double) (server->requests[server->n].ends - server->now);
	}
	server->n++;
}

static int64_t
said(const Simulated *server)
{
	if (server->calendar && server->retry_after > 0)
		return 60000 - server->now % 60000;
	return server->retry_after > 0 ? server->retry_after : -1;
}

static void
end_request(Simulated *server, VlmPace *pace, int i)
{
	bool		taken = server->requests[i].action == VLM_DONE;
	int64_t		latency = server->now - server->requests[i].sent;

	server->served -= taken;
	server->answered += taken;
	server->refused += !taken;
	server->requests[i] = server->requests[--server->n];
	vlm_pace_ended(pace, taken ? VLM_DONE : VLM_THROTTLE, latency, taken ? -1 : said(server),
				   !taken && server->says_budget, 0, -1, server->now);
}

static void
simulate(Simulated *server, VlmPace *pace, int64_t ms)
{
	int64_t		ask_at = 0;

	server->sent = server->answered = server->refused = 0;
	for (int64_t until = server->now + ms; server->now < until; server->now++)
	{
		bool		ended = false;
		int64_t		wait = 0;

		for (int i = server->n - 1; i >= 0; i--)
			if (server->requests[i].ends <= server->now)
			{
				end_request(server, pace, i);
				ended = true;
			}
		if (!ended && server->now < ask_at)
			continue;
		while ((wait = vlm_pace_wait(pace, 0, server->now)) == 0)
		{
			vlm_pace_sent(pace, 0, server->now);
			simulate_request(server);
		}
		/* the promise: nothing changes before, but for the end of a request */
		assert_true(wait > 0 || server->n > 0);
		ask_at = wait < 0 ? INT64_MAX : server->now + wait;
	}
}

/* What is permitted in so many ms, with so many in flight at most. */
static double
ideal(const Simulated *server, int in_flight, double ms)
{
	int			slots = server->slots > 0 && server->slots < in_flight ? server->slots : in_flight;
	double		rate = slots * (double) server->taken / server->latencies;

	if (server->per_minute > 0 && server->per_minute / 60000 < rate)
		rate = server->per_minute / 60000;
	return rate * ms;
}

typedef struct Figures
{
	double		used;			/* of what is permitted */
	double		refused;		/* of what is sent */
} Figures;

static Figures
measure(Simulated *server, VlmPace *pace, int64_t ms)
{
	Figures		figures;

	server->taken = 0;
	server->latencies = 0;
	simulate(server, pace, ms);
	figures.used = server->answered / ideal(server, pace->max_in_flight, (double) ms);
	figures.refused = server->refused / (server->sent > 0 ? (double) server->sent : 1.0);
	return figures;
}

static void
begin(Simulated *server, VlmPace *pace, int in_flight)
{
	/* calendar minutes do not begin with the run */
	server->now = 13000;
	server->credit_at = server->now;
	server->credit = server->calendar ? server->per_minute : server->burst;
	vlm_pace_init(pace, server->now);
	vlm_pace_limits(pace, in_flight, 0, 0);
}

static bool failed_any;

/* All are shown before one of them fails the test. */
static void
judge(const char *what, const Simulated *server, Figures figures, double least, double most)
{
	bool		bad = figures.used < least || figures.refused > most;

	failed_any |= bad;
	printf("%s%s: %d slots, %.0f a minute%s%s, %.3f stray, %d ms%s%s: %.3f used, %.4f refused\n",
		   bad ? "MISSED " : "", what, server->slots, server->per_minute,
		   server->calendar ? " by the clock" : "", server->burst > 0 ? " in small bursts" : "",
		   server->stray, (int) server->latency, server->heavy ? " with a tail" : "",
		   server->retry_after > 0 ? ", Retry-After" : "", figures.used, figures.refused);
}

static const int64_t latencies[] = {50, 300, 2000, 10000};

static void
strays_are_no_limit(void **state)
{
	static const double shares[] = {0.001, 0.01, 0.03, 0.05};

	(void) state;
	failed_any = false;
	for (int latency = 0; latency < 4; latency++)
		for (int share = 0; share < 4; share++)
			for (int variant = 0; variant < 4; variant++)
			{
				VlmPace		pace;
				Simulated	server = {.latency = latencies[latency], .stray = shares[share],
					.heavy = variant & 1, .retry_after = variant & 2 ? 1000 : 0, .random = 7};

				begin(&server, &pace, 64);
				simulate(&server, &pace, 20 * server.latency);
				judge("strays", &server, measure(&server, &pace, 400 * server.latency),
					  1 - shares[share] - 0.035, shares[share] * 1.5 + 0.001);
			}
	assert_false(failed_any);
}

static void
slots_are_kept_full(void **state)
{
	static const int slots[] = {3, 8, 20, 32, 48, 60};

	(void) state;
	failed_any = false;
	for (int latency = 0; latency < 4; latency++)
		for (int i = 0; i < 6; i++)
			for (int variant = 0; variant < 4; variant++)
			{
				VlmPace		pace;
				Simulated	server = {.latency = latencies[latency], .slots = slots[i],
					.heavy = variant & 1, .retry_after = variant & 2 ? 1000 : 0, .random = 7};

				begin(&server, &pace, 64);
				simulate(&server, &pace, 60 * server.latency + 10000);
				judge("slots", &server, measure(&server, &pace, 200 * server.latency + 60000), 0.95,
					  0.02);
			}
	assert_false(failed_any);
}

/* Buckets of a second's and of a fifth's, and minutes by the clock. */
static void
minutes_are_used(void **state)
{
	static const double per_minute[] = {3000, 6000, 12000};

	(void) state;
	failed_any = false;
	for (int i = 0; i < 3; i++)
		for (int kind = 0; kind < 3; kind++)
			for (int variant = 0; variant < 4; variant++)
			{
				VlmPace		pace;
				Simulated	server = {.latency = 300, .per_minute = per_minute[i],
					.burst = kind == 1 ? per_minute[i] / 300 : 0, .calendar = kind == 2,
					.heavy = variant & 1, .retry_after = variant & 2 ? 1000 : 0, .random = 11};

				begin(&server, &pace, 64);
				/* whole minutes by the clock are measured */
				simulate(&server, &pace, 107000);
				judge("minutes", &server, measure(&server, &pace, 180000), 0.95, 0.02);
			}
	assert_false(failed_any);
}

static void
add_quarter(Figures *sum, Figures figures)
{
	sum->used += figures.used / 4;
	sum->refused += figures.refused / 4;
}

/* Ten seconds after the first request, and ten after the limit is halved, of four runs. */
static void
minutes_are_found_soon(void **state)
{
	(void) state;
	failed_any = false;
	for (int variant = 0; variant < 4; variant++)
	{
		Figures		first = {0},
					halved = {0};
		Simulated	server;

		for (int seed = 1; seed <= 4; seed++)
		{
			VlmPace		pace;

			server = (Simulated) {.latency = 300, .per_minute = 6000, .burst = variant & 1 ? 20 : 0,
				.retry_after = variant & 2 ? 1000 : 0, .random = (uint64_t) seed};
			begin(&server, &pace, 64);
			simulate(&server, &pace, 10000);
			add_quarter(&first, measure(&server, &pace, 10000));
			server.per_minute /= 2;
			simulate(&server, &pace, 10000);
			add_quarter(&halved, measure(&server, &pace, 10000));
		}
		judge("halved soon", &server, halved, 0.95, 0.02);
		server.per_minute *= 2;
		judge("at first", &server, first, 0.95, 0.02);
	}
	assert_false(failed_any);
}

static void
another_limit_is_found(void **state)
{
	(void) state;
	failed_any = false;
	for (int kind = 0; kind < 2; kind++)
		for (int variant = 0; variant < 4; variant++)
			for (int change = 0; change < 2; change++)
			{
				VlmPace		pace;
				Simulated	server = {.latency = 300, .slots = kind == 0 ? 32 : 0,
					.per_minute = kind == 1 ? 6400 : 0, .heavy = variant & 1,
					.retry_after = variant & 2 ? 1000 : 0, .random = 11};

				begin(&server, &pace, 100);
				simulate(&server, &pace, 40000);
				server.slots = change ? server.slots * 2 : server.slots / 2;
				server.per_minute *= change ? 2 : 0.5;
				simulate(&server, &pace, 10000);
				judge(change ? "doubled" : "halved", &server, measure(&server, &pace, 20000), 0.95, 0.02);
			}
	assert_false(failed_any);
}

/* A minute of nothing but refusals, and then all is as before. */
static void
a_storm_is_waited_out(void **state)
{
	(void) state;
	for (int retry_after = 0; retry_after <= 5000; retry_after += 5000)
	{
		VlmPace		pace;
		Simulated	server = {.latency = 500, .retry_after = retry_after, .random = 7};

		begin(&server, &pace, 288);
		assert_true(measure(&server, &pace, 10000).used >= 0.8);
		server.storm_ends = server.now + 60000;
		simulate(&server, &pace, 60000);
		/* what was about to be sent, and then seldom a request */
		assert_in_range(server.sent, 10, 288);
		simulate(&server, &pace, 20000);
		assert_true(measure(&server, &pace, 30000).used >= 0.9);
	}
}

/* One Retry-After holds for its row, not for the server. */
static void
one_answer_stops_nothing(void **state)
{
	VlmPace		pace;
	int64_t		until;
	int64_t		now = 1000;

	(void) state;
	vlm_pace_init(&pace, now);
	vlm_pace_limits(&pace, 8, 0, 0);
	for (int i = 0; i < 20; i++, now += 10)
	{
		vlm_pace_sent(&pace, 0, now);
		vlm_pace_ended(&pace, VLM_DONE, 5, -1, false, 0, -1, now + 5);
	}
	vlm_pace_sent(&pace, 0, now);
	vlm_pace_ended(&pace, VLM_THROTTLE, 5, 21600000, false, 0, -1, now + 5);
	assert_int_equal(vlm_pace_wait(&pace, 0, now + 20), 0);
	assert_int_equal(vlm_pace_waits_for(&pace, now + 20, &until), VLM_PACE_NOTHING);
	assert_true(vlm_pace_allowed(&pace) == 8);

	/* but for one that says that nothing is left, until it is forgotten */
	vlm_pace_sent(&pace, 0, now + 20);
	vlm_pace_ended(&pace, VLM_THROTTLE, 5, 60000, true, 0, -1, now + 25);
	assert_int_equal(vlm_pace_wait(&pace, 0, now + 1025), 59000);
	assert_int_equal(vlm_pace_waits_for(&pace, now + 1025, &until), VLM_PACE_RETRY_AFTER);
	assert_int_equal(until, now + 60025);
	assert_string_equal(vlm_pace_held_down_by(&pace, now + 1025), "Retry-After");
	vlm_pace_forget_wait(&pace);
	assert_int_equal(vlm_pace_wait(&pace, 0, now + 1026), 0);
}

/* All say so: then it holds, and what is in flight is one at most. */
static void
most_answers_stop_the_server(void **state)
{
	VlmPace		pace;
	int			sent = 0;
	int64_t		now = 1000;
	int64_t		until;

	(void) state;
	vlm_pace_init(&pace, now);
	vlm_pace_limits(&pace, 64, 0, 0);
	for (; now < 20000; now += 5)
		if (vlm_pace_wait(&pace, 0, now) == 0)
		{
			vlm_pace_sent(&pace, 0, now);
			vlm_pace_ended(&pace, VLM_THROTTLE, 5, 3600000, false, 0, -1, now + 5);
			sent++;
		}
	assert_in_range(sent, 3, 20);
	assert_int_equal(vlm_pace_waits_for(&pace, now, &until), VLM_PACE_RETRY_AFTER);
	assert_true(vlm_pace_allowed(&pace) == 1);
}

static void
what_holds_down_is_told(void **state)
{
	VlmPace		pace;

	(void) state;
	vlm_pace_init(&pace, 0);
	vlm_pace_limits(&pace, 64, 0, 0);
	assert_string_equal(vlm_pace_held_down_by(&pace, 0), "slow start");
	for (int64_t now = 0; now < 1000; now += 10)
	{
		vlm_pace_sent(&pace, 0, now);
		vlm_pace_ended(&pace, VLM_DONE, 5, -1, false, 0, -1, now + 5);
	}
	assert_string_equal(vlm_pace_held_down_by(&pace, 1000), "max_in_flight");
	vlm_pace_limits(&pace, 64, 1, 0);
	while (vlm_pace_wait(&pace, 0, 1000) == 0)
		vlm_pace_sent(&pace, 0, 1000);
	assert_string_equal(vlm_pace_held_down_by(&pace, 1001), "requests_per_minute");
	vlm_pace_limits(&pace, 64, 0, 1);
	while (vlm_pace_wait(&pace, 10, 1000) == 0)
		vlm_pace_sent(&pace, 10, 1000);
	assert_string_equal(vlm_pace_held_down_by(&pace, 1001), "tokens_per_minute");
}

static int
sent_in_minutes(VlmPace *pace, int minutes, int64_t tokens)
{
	int			sent = 0;

	for (int64_t now = 0; now < (int64_t) minutes * 60000; now += 10)
		while (vlm_pace_wait(pace, tokens, now) == 0)
		{
			vlm_pace_sent(pace, tokens, now);
			vlm_pace_ended(pace, VLM_DONE, 0, -1, false, tokens, -1, now);
			sent++;
		}
	return sent;
}

static void
minutes_are_kept(void **state)
{
	VlmPace		pace;

	(void) state;
	vlm_pace_init(&pace, 0);
	vlm_pace_limits(&pace, 100, 60, 0);
	assert_in_range(sent_in_minutes(&pace, 5, 0), 295, 301);
	vlm_pace_init(&pace, 0);
	vlm_pace_limits(&pace, 100, 0, 600000);
	assert_in_range(sent_in_minutes(&pace, 2, 1500), 790, 810);
	for (uint64_t r = 0; r < 100; r++)
	{
		assert_in_range(vlm_backoff_ms(1, 2000, 300000, r * 7919), 1000, 2000);
		assert_in_range(vlm_backoff_ms(30, 2000, 300000, r * 7919), 150000, 300000);
	}
}

/* What was sent while there was no limit a minute is not owed to one that is set later. */
static void
a_new_limit_begins_at_once(void **state)
{
	VlmPace		pace;

	(void) state;
	vlm_pace_init(&pace, 0);
	vlm_pace_limits(&pace, 100, 0, 0);
	for (int64_t now = 0; now < 60000; now += 10)
	{
		vlm_pace_sent(&pace, 1500, now);
		vlm_pace_ended(&pace, VLM_DONE, 5, -1, false, 1500, 2500, now + 5);
	}
	vlm_pace_limits(&pace, 100, 60, 0);
	assert_in_range(vlm_pace_wait(&pace, 1500, 60000), 0, 1001);
	vlm_pace_limits(&pace, 100, 0, 90000);
	assert_in_range(vlm_pace_wait(&pace, 1500, 60000), 0, 1001);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strays_are_no_limit),
		cmocka_unit_test(slots_are_kept_full),
		cmocka_unit_test(minutes_are_used),
		cmocka_unit_test(minutes_are_found_soon),
		cmocka_unit_test(another_limit_is_found),
		cmocka_unit_test(a_storm_is_waited_out),
		cmocka_unit_test(one_answer_stops_nothing),
		cmocka_unit_test(most_answers_stop_the_server),
		cmocka_unit_test(what_holds_down_is_told),
		cmocka_unit_test(minutes_are_kept),
		cmocka_unit_test(a_new_limit_begins_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
