/*
 * sentences.c
 *	  Where the sentences of a text end: at 。！？； and their like outside of quotation
 *	  marks, and at line ends.
 *
 * A prompt numbers the sentences of an answer, and the reply names them by number: so the
 * same text must always give the same sentences, whoever asks.
 */
#include "parts.h"

/* A quotation that has not ended by then is none: the mark is a stray one. */
#define QUOTATION_MOST 600		/* bytes */

typedef struct Pair
{
	const char *open;
	const char *close;
} Pair;

static const Pair quotations[] = {
	{"“", "”"}, {"\"", "\""}, {"「", "」"}, {"『", "』"}, {"《", "》"}, {"‘", "’"}, {"＂", "＂"}, {NULL, NULL}
};

static const char *const ends[] = {"。", "！", "？", "；", "!", "?", ";", "｡", "．", NULL};

/* What belongs to the sentence behind its end. */
static const char *const closers[] = {"”", "\"", "」", "』", "》", "’", "）", ")", "】", "]", "＂", NULL};

/* Behind the quotation that opens at p; p: none does. */
static const char *
skip_quotation(const char *p, const char *end)
{
	const char *limit = end - p > QUOTATION_MOST ? p + QUOTATION_MOST : end;
	const char *line = memchr(p, '\n', (size_t) (limit - p));

	limit = line == NULL ? limit : line;
	for (const Pair *pair = quotations; pair->open != NULL; pair++)
	{
		const char *close;

		if (!text_starts(text_span(p, limit), pair->open))
			continue;
		close = text_find(text_span(p + strlen(pair->open), limit), pair->close);
		return close == NULL ? p : close + strlen(pair->close);
	}
	return p;
}

static bool
is_letter_or_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static const char *
skip_closers(const char *p, const char *end)
{
	const char *next;

	while ((next = text_skip_one(p, end, closers)) != NULL)
		p = next;
	return p;
}

/* A full stop, not a decimal point, a list's number or an initial. */
static bool
is_full_stop(const char *start, const char *p, const char *end)
{
	const char *word = p;
	const char *next = skip_closers(p + 1, end);

	if (next < end && *next != ' ' && *next != '\n')
		return false;
	while (word > start && is_letter_or_digit(word[-1]))
		word--;
	return p - word > 1 || (p > start && word == p);
}

/* Behind the mark at p that ends a sentence; NULL: none stands there. */
static const char *
behind_end(const char *start, const char *p, const char *end)
{
	const char *behind = text_skip_one(p, end, ends);
	const char *more;

	if (behind == NULL && *p == '.' && is_full_stop(start, p, end))
		behind = p + 1;
	if (behind == NULL)
		return NULL;
	while ((more = text_skip_one(behind, end, ends)) != NULL)
		behind = more;
	return skip_closers(behind, end);
}

static const char *
skip_white(const char *p, const char *end)
{
	while (p < end)
	{
		const char *next = text_skip_blanks(p, end);

		next += next < end && (*next == '\n' || *next == '\r');
		if (next == p)
			return p;
		p = next;
	}
	return p;
}

size_t
reply_sentence(const char *text, size_t length)
{
	const char *end = text + length;
	const char *start = skip_white(text, end);
	const char *p = start;

	while (p < end && *p != '\n')
	{
		const char *behind = behind_end(start, p, end);
		int			bytes;

		if (behind != NULL)
			return (size_t) (skip_white(behind, end) - text);
		behind = skip_quotation(p, end);
		if (behind == p)
		{
			(void) text_decode(p, end, &bytes);
			behind = p + bytes;
		}
		p = behind;
	}
	return (size_t) (skip_white(p, end) - text);
}

static Span
trim_sentence(Span span)
{
	for (;;)
	{
		span = text_trim(span);
		if (span.n > 0 && span.p[span.n - 1] == '\r')
			span = text_span(span.p, span.p + span.n - 1);
		else if (span.n > 0 && *span.p == '\r')
			span = text_span(span.p + 1, span.p + span.n);
		else
			return span;
	}
}

bool
reply_next_sentence(const char **text, size_t *length, const char **sentence, size_t *size)
{
	while (*length > 0)
	{
		size_t		n = reply_sentence(*text, *length);
		Span		trimmed = trim_sentence(text_span(*text, *text + n));

		*text += n;
		*length -= n;
		if (trimmed.n == 0)
			continue;
		*sentence = trimmed.p;
		*size = trimmed.n;
		return true;
	}
	return false;
}
