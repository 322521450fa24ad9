/*
 * object_bare.c
 *	  Values without quotes: numbers, the words of JSON and Python, and what is neither.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE				/* strncasecmp */
#endif
#include "object.h"

#include <strings.h>

/* What numeric takes; more is an error of jsonb_in. */
#define NUMBER_DIGITS 100000	/* before the point */
#define NUMBER_SCALE 16000		/* behind it */

static const char *
skip_digits(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

/* Whether this is a number of JSON that numeric can hold. */
static bool
is_number(const char *p, const char *end)
{
	const char *digits = p < end && *p == '-' ? p + 1 : p;
	const char *whole = skip_digits(digits, end);
	const char *fraction = whole;
	long		exponent = 0;

	if (whole == digits || (*digits == '0' && whole > digits + 1))
		return false;
	if (fraction < end && *fraction == '.')
	{
		fraction = skip_digits(whole + 1, end);
		if (fraction == whole + 1)
			return false;
	}
	if (fraction < end && (*fraction == 'e' || *fraction == 'E'))
	{
		const char *from = fraction + 1;
		bool		minus = from < end && *from == '-';

		from += from < end && (*from == '-' || *from == '+');
		if (from == end || skip_digits(from, end) != end)
			return false;
		for (; from < end && exponent < NUMBER_DIGITS; from++)
			exponent = exponent * 10 + (*from - '0');
		exponent = minus ? -exponent : exponent;
	}
	else if (fraction != end)
		return false;
	return (whole - digits) + exponent <= NUMBER_DIGITS && (fraction - whole) - exponent <= NUMBER_SCALE;
}

static bool
is_word(const char *p, const char *end, const char *word)
{
	return (size_t) (end - p) == strlen(word) && strncasecmp(p, word, strlen(word)) == 0;
}

/* Whether no value without quotes goes on at p: a sign, a line's end, a quotation mark, a comment. */
static bool
ends_bare(const char *p, const char *end)
{
	int			length;
	char		sign = object_sign(p, end, &length);

	return (sign != 0 && sign != ':') || *p == '\n' || *p == '\r' || object_quote(p, end) > 0 || *p == '#' ||
		(*p == '/' && end - p >= 2 && (p[1] == '/' || p[1] == '*'));
}

/* What stands without quotes from *p on, blanks in it but not behind it; *p is then behind all. */
static Span
take_bare(const char **p, const char *end)
{
	const char *from = *p;
	const char *stop = from;

	while (*p < end && !ends_bare(*p, end))
	{
		const char *next = object_skip_white(*p, end);

		if (next == *p)
			stop = ++next;
		*p = next;
	}
	return text_span(from, stop);
}

bool
object_bare(const char **p, const char *end, ObjectRead *read, ValueKind *kind)
{
	Span		bare = take_bare(p, end);
	const char *stop = bare.p + bare.n;
	const char *word = NULL;

	*kind = VALUE_NUMBER;
	if (bare.n == 0)
		return false;
	if (is_word(bare.p, stop, "true"))
		word = "true";
	else if (is_word(bare.p, stop, "false"))
		word = "false";
	else if (is_word(bare.p, stop, "null") || is_word(bare.p, stop, "none"))
		word = "null";
	if (word != NULL)
	{
		*kind = word[0] == 'n' ? VALUE_NULL : VALUE_BOOLEAN;
		object_text_append(&read->text, word, strlen(word));
	}
	else if (is_number(bare.p, stop))
		object_text_append(&read->text, bare.p, bare.n);
	else
	{
		read->bad_value = read->bad_value == NULL ? bare.p : read->bad_value;
		object_text_append(&read->text, "null", 4);
	}
	return true;
}
