/*
 * retry_after.c
 *	  How long a server asks to be left alone, in all the ways it is said.
 *
 * Retry-After is seconds or a date; servers also write "1500ms", "2s", "1m30.5s" and
 * fractions, and have headers of their own: milliseconds, and when a limit begins anew.
 */
#include "retry_after.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* Milliseconds; libcurl 8.13 and later knows no more of Retry-After either. */
#define MOST (6 * 3600 * 1000.0)

/* A number as large is a point in time: seconds since 1970, or milliseconds. */
#define FIRST_TIME 1e9
#define FIRST_TIME_MS 1e12

typedef struct Unit
{
	const char *name;
	double		ms;
} Unit;

/* Longer names before those that they begin with. */
static const Unit units[] = {
	{"milliseconds", 1}, {"millis", 1}, {"msec", 1}, {"ms", 1}, {"us", 0.001}, {"ns", 0.000001},
	{"minutes", 60000}, {"minute", 60000}, {"mins", 60000}, {"min", 60000}, {"m", 60000},
	{"hours", 3600000}, {"hour", 3600000}, {"h", 3600000}, {"days", 86400000}, {"day", 86400000},
	{"d", 86400000}, {"seconds", 1000}, {"second", 1000}, {"secs", 1000}, {"sec", 1000}, {"s", 1000}
};

static const char *
skip_blanks(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

/* Digits, perhaps with a fraction; no sign, exponent, or name of a number. */
static bool
take_number(const char **p, double *number)
{
	const char *digits = *p;
	size_t		size = strspn(digits, "0123456789.");
	char		copy[32];

	if (size == 0 || size >= sizeof(copy) || *digits == '.')
		return false;
	memcpy(copy, digits, size);
	copy[size] = '\0';
	/* of "1.2.3" nothing is meant */
	if (strchr(copy, '.') != strrchr(copy, '.'))
		return false;
	*number = strtod(copy, NULL);
	*p += size;
	return true;
}

static const Unit *
take_unit(const char **p)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
	{
		size_t		size = strlen(units[i].name);

		if (strncasecmp(*p, units[i].name, size) == 0)
		{
			*p += size;
			return &units[i];
		}
	}
	return NULL;
}

/* "30", "1500ms", "1m30.5s"; plain: what a number without a unit is in ms.  -1: none. */
static double
span_ms(const char *text, double plain)
{
	const char *p = skip_blanks(text);
	double		sum = 0;
	bool		bare = false;

	if (*p == '\0')
		return -1;
	while (*p != '\0')
	{
		const Unit *unit;
		double		number;

		if (bare || !take_number(&p, &number))
			return -1;
		p = skip_blanks(p);
		unit = take_unit(&p);
		bare = unit == NULL;
		sum += number * (bare ? plain : unit->ms);
		p = skip_blanks(p);
	}
	return sum;
}

/* Days since 1970; March is the first month of the year that is counted with. */
static int64_t
days_of(int year, int month, int day)
{
	year -= month <= 2;
	month = (month + 9) % 12;
	return (int64_t) year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 +
		day - 1 - 719468;
}

/* RFC 3339 in UTC, as "2026-11-29T13:40:00.5Z"; -1: it is none. */
static double
time_ms(const char *text, int64_t now_s)
{
	int			year;
	int			month;
	int			day;
	int			hour;
	int			minute;
	double		second;
	char		zone;

	if (sscanf(skip_blanks(text), "%4d-%2d-%2dT%2d:%2d:%9lf%c", &year, &month, &day, &hour, &minute,
			   &second, &zone) != 7 || zone != 'Z' || year < 1970 || month < 1 || month > 12 ||
		!(second >= 0 && second < 61))
		return -1;
	return ((double) (days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 - now_s) +
			second) * 1000;
}

/* A date, or how long, or since when it is right again. */
static double
until_ms(const char *text, double plain, int64_t now_s)
{
	double		span = span_ms(text, plain);
	double		number = plain > 0 ? span / plain : -1;
	time_t		date;

	if (number >= FIRST_TIME_MS)
		return number - (double) now_s * 1000;
	if (number >= FIRST_TIME)
		return (number - (double) now_s) * 1000;
	if (span >= 0)
		return span;
	span = time_ms(text, now_s);
	if (span >= 0)
		return span;
	date = curl_getdate(text, NULL);
	return date < 0 ? -1 : (double) (date - now_s) * 1000;
}

/* ---- when a limit begins anew ---- */

/* When there is more, and what is left. */
typedef struct Limit
{
	const char *reset;
	const char *remaining;
} Limit;

static const Limit limits[] = {
	{"x-ratelimit-reset-requests", "x-ratelimit-remaining-requests"},
	{"x-ratelimit-reset-tokens", "x-ratelimit-remaining-tokens"},
	{"x-ratelimit-reset", "x-ratelimit-remaining"},
	{"ratelimit-reset", "ratelimit-remaining"},
	{"anthropic-ratelimit-requests-reset", "anthropic-ratelimit-requests-remaining"},
	{"anthropic-ratelimit-tokens-reset", "anthropic-ratelimit-tokens-remaining"},
	{"anthropic-ratelimit-input-tokens-reset", "anthropic-ratelimit-input-tokens-remaining"},
	{"anthropic-ratelimit-output-tokens-reset", "anthropic-ratelimit-output-tokens-remaining"}
};

/*
 * The last to begin anew of those that are used up.  Where none says so, the first of
 * all: which one it was is not known, and others may be of a day.
 */
static double
reset_ms(HeaderOf header, void *arg, int64_t now_s, bool *budget_empty)
{
	double		used_up = -1;
	double		soonest = -1;

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
	{
		const char *reset = header(arg, limits[i].reset);
		double		wait = reset == NULL ? -1 : until_ms(reset, 1000, now_s);
		const char *left = wait <= 0 ? NULL : header(arg, limits[i].remaining);

		if (wait > 0 && (soonest < 0 || wait < soonest))
			soonest = wait;
		if (left != NULL && strtod(left, NULL) <= 0 && wait > used_up)
			used_up = wait;
	}
	*budget_empty = used_up > 0;
	return used_up > 0 ? used_up : soonest;
}

/* ---- all together ---- */

int64_t
retry_after_ms(HeaderOf header, void *arg, int status, int64_t now_s, bool *budget_empty)
{
	static const char *const in_ms[] = {"retry-after-ms", "x-ms-retry-after-ms", "x-retry-after-ms"};
	const char *value;
	double		wait = -1;
	double		reset = -1;

	*budget_empty = false;
	if (status == 429 || status == 503 || status == 498 || status == 529)
		reset = reset_ms(header, arg, now_s, budget_empty);
	for (size_t i = 0; i < sizeof(in_ms) / sizeof(in_ms[0]) && wait <= 0; i++)
		if ((value = header(arg, in_ms[i])) != NULL)
			wait = span_ms(value, 1);
	if (wait <= 0 && (value = header(arg, "retry-after")) != NULL)
		wait = until_ms(value, 1000, now_s);
	if (wait <= 0)
		wait = reset;
	if (!(wait > 0))
		return -1;
	return wait > MOST ? (int64_t) MOST : wait < 1 ? 1 : (int64_t) wait;
}
