/*
 * robots_match.c
 *	  Patterns of robots.txt (RFC 9309, 2.2.2) against the path of a URL.
 *
 * The longest pattern that fits wins, on a tie the one that allows.  A pattern is a list of
 * texts with stars between: each is looked for once, behind the one before, so that no
 * pattern takes more than linear time.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE				/* memmem */
#endif

#include "robots.h"

#include <stdlib.h>
#include <string.h>

static int
hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
is_unreserved(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		(c != '\0' && c < 0x80 && strchr("-._~", c) != NULL);
}

static char *
add_escape(char *out, int c)
{
	static const char digits[] = "0123456789ABCDEF";

	*out++ = '%';
	*out++ = digits[c >> 4];
	*out++ = digits[c & 15];
	return out;
}

size_t
robots_canonical(const char *text, size_t size, bool is_pattern, char *out)
{
	char	   *begin = out;

	for (size_t i = 0; i < size; i++)
	{
		int			c = (unsigned char) text[i];
		int			high = c == '%' && i + 2 < size ? hex_of(text[i + 1]) : -1;
		int			low = high < 0 ? -1 : hex_of(text[i + 2]);
		bool		means_itself = (c == '*' && !is_pattern) || (c == '$' && !(is_pattern && i + 1 == size));

		if (low >= 0)
		{
			c = high * 16 + low;
			i += 2;
			if (is_unreserved(c))
				*out++ = (char) c;
			else
				out = add_escape(out, c);
		}
		else if (c <= 0x20 || c >= 0x7F || means_itself)
			out = add_escape(out, c);
		else
			*out++ = (char) c;
	}
	return (size_t) (out - begin);
}

bool
robots_fits(const char *pattern, size_t size, const char *path, size_t path_size)
{
	bool		to_the_end = size > 0 && pattern[size - 1] == '$';
	const char *end = pattern + size - to_the_end;
	bool		first = true;

	for (;;)
	{
		const char *star = memchr(pattern, '*', (size_t) (end - pattern));
		size_t		part = (size_t) ((star == NULL ? end : star) - pattern);
		const char *found = path;

		if (part > path_size)
			return false;
		if (star == NULL && to_the_end)
		{
			/*
			 * the first part has no choice, the last one comes as late as
			 * possible
			 */
			found = path + path_size - part;
			return (!first || found == path) && memcmp(found, pattern, part) == 0;
		}
		if (first)
			found = memcmp(path, pattern, part) == 0 ? path : NULL;
		else if (part > 0)
			found = memmem(path, path_size, pattern, part);
		if (found == NULL)
			return false;
		if (star == NULL)
			return true;
		path_size -= (size_t) (found - path) + part;
		path = found + part;
		pattern = star + 1;
		first = false;
	}
}

/* Whether a rule comes before the best so far of its kind. */
static bool
beats(const RobotsRule *rule, const RobotsRule *best)
{
	return best == NULL || rule->size > best->size ||
		(rule->size == best->size && rule->kind == ROBOTS_ALLOW && best->kind != ROBOTS_ALLOW);
}

WebRobotsVerdict
web_robots_judge(const WebRobots *robots, const char *path)
{
	const RobotsGroup *group = robots->ours.named ? &robots->ours : &robots->everyone;
	WebRobotsVerdict verdict = {.allowed = true};
	const RobotsRule *best = NULL;
	size_t		size = strlen(path);
	char	   *canonical;

	if (strcmp(path, "/robots.txt") == 0)
		return verdict;
	canonical = malloc(3 * size + 1);
	if (canonical == NULL)
	{
		verdict.allowed = false;
		return verdict;
	}
	size = robots_canonical(path, size, false, canonical);
	for (int i = 0; i < group->n; i++)
	{
		const RobotsRule *rule = &group->rules[i];

		if ((rule->kind == ROBOTS_RESERVED ? verdict.reserved_line == 0 : beats(rule, best)) &&
			robots_fits(robots->texts + rule->pattern, rule->size, canonical, size))
		{
			if (rule->kind == ROBOTS_RESERVED)
				verdict.reserved_line = rule->line;
			else
				best = rule;
		}
	}
	free(canonical);
	if (best != NULL)
	{
		verdict.allowed = best->kind == ROBOTS_ALLOW;
		verdict.line = best->line;
	}
	return verdict;
}
