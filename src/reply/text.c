/*
 * text.c
 *	  UTF-8, character classes, and spans of text.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE				/* memmem */
#endif
#include "text.h"

uint32_t
text_decode_rare(const char *p, const char *end, int *length)
{
	const unsigned char *s = (const unsigned char *) p;
	size_t		left = (size_t) (end - p);
	uint32_t	c;
	int			n;

	*length = 1;
	if (s[0] < 0x80)
		return s[0];
	if (s[0] < 0xC2 || s[0] > 0xF4)
		return 0xFFFD;
	n = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
	if (left < (size_t) n)
		return 0xFFFD;
	c = s[0] & (0xFF >> (n + 1));
	for (int i = 1; i < n; i++)
	{
		if ((s[i] & 0xC0) != 0x80)
			return 0xFFFD;
		c = c << 6 | (s[i] & 0x3F);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && c < 0x10000) || (c >= 0xD800 && c <= 0xDFFF) ||
		c > 0x10FFFF)
		return 0xFFFD;
	*length = n;
	return c;
}

int
text_encode(uint32_t c, char *out)
{
	if (c < 0x80)
	{
		out[0] = (char) c;
		return 1;
	}
	if (c < 0x800)
	{
		out[0] = (char) (0xC0 | c >> 6);
		out[1] = (char) (0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000)
	{
		out[0] = (char) (0xE0 | c >> 12);
		out[1] = (char) (0x80 | (c >> 6 & 0x3F));
		out[2] = (char) (0x80 | (c & 0x3F));
		return 3;
	}
	out[0] = (char) (0xF0 | c >> 18);
	out[1] = (char) (0x80 | (c >> 12 & 0x3F));
	out[2] = (char) (0x80 | (c >> 6 & 0x3F));
	out[3] = (char) (0x80 | (c & 0x3F));
	return 4;
}

bool
text_is_kana_or_hangul(uint32_t c)
{
	return (c >= 0x3041 && c <= 0x30FF && c != 0x30FB) || (c >= 0x31F0 && c <= 0x31FF) ||
		(c >= 0xAC00 && c <= 0xD7A3) || (c >= 0x1100 && c <= 0x11FF) ||
		(c >= 0x3131 && c <= 0x318E) || (c >= 0xFF66 && c <= 0xFF9D);
}

bool
text_is_latin(uint32_t c)
{
	/* but for the signs of times and division */
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= 0xC0 && c <= 0x24F && c != 0xD7 && c != 0xF7) || (c >= 0xFF21 && c <= 0xFF3A) || (c >= 0xFF41 && c <= 0xFF5A);
}

bool
text_is_letter(uint32_t c)
{
	return text_is_han(c) || text_is_kana_or_hangul(c) || text_is_latin(c) ||
		(c >= 0x370 && c <= 0x1FFF && c != 0x37E && c != 0x387);
}

static bool
is_ideographic_space(const char *p, const char *end)
{
	return end - p >= 3 && memcmp(p, "\xE3\x80\x80", 3) == 0;
}

const char *
text_skip_blanks(const char *p, const char *end)
{
	for (;;)
	{
		if (p < end && (*p == ' ' || *p == '\t'))
			p++;
		else if (is_ideographic_space(p, end))
			p += 3;
		else
			return p;
	}
}

Span
text_trim(Span span)
{
	const char *p = span.p;
	const char *end = p + span.n;

	for (;;)
	{
		p = text_skip_blanks(p, end);
		if (p == end || *p != '\n')
			break;
		p++;
	}
	for (;;)
	{
		if (end > p && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\n'))
			end--;
		else if (end - p >= 3 && is_ideographic_space(end - 3, end))
			end -= 3;
		else
			return text_span(p, end);
	}
}

Span
text_line(const char *p, const char *end)
{
	const char *newline = memchr(p, '\n', (size_t) (end - p));

	return text_span(p, newline == NULL ? end : newline);
}

size_t
text_chars(Span span)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	size_t		n = span.n;
	size_t		i = 0;

	/* less the continuation bytes, 10xxxxxx, eight at a time */
	for (; i + 8 <= span.n; i += 8)
	{
		uint64_t	eight;

		memcpy(&eight, span.p + i, 8);
		n -= (eight >> 7 & ~eight >> 6 & ones) * ones >> 56;
	}
	for (; i < span.n; i++)
		n -= ((unsigned char) span.p[i] & 0xC0) == 0x80;
	return n;
}

Span
text_undecorated(Span text)
{
	while (text.n > 0 && strchr("*_#>\"` \t\n", *text.p) != NULL && *text.p != '\0')
		text = text_span(text.p + 1, text.p + text.n);
	return text;
}

Span
text_unmarked(Span sentence)
{
	static const char *const marks[] = {"？", "?", "。", ".", "！", "!", NULL};

	for (const char *const *mark = marks; *mark != NULL; mark++)
	{
		size_t		n = strlen(*mark);

		if (sentence.n >= n && memcmp(sentence.p + sentence.n - n, *mark, n) == 0)
			return text_trim(text_span(sentence.p, sentence.p + sentence.n - n));
	}
	return sentence;
}

const char *
text_find(Span span, const char *needle)
{
	const char *end = span.p + span.n;

	if (span.n == 0)
		return NULL;
	if ((unsigned char) *needle >= 0x80)
		return memmem(span.p, span.n, needle, strlen(needle));
	/* ASCII is rare in Chinese text */
	for (const char *p = span.p; (p = memchr(p, *needle, (size_t) (end - p))) != NULL; p++)
		if (text_starts(text_span(p, end), needle))
			return p;
	return NULL;
}

bool
text_has_any(Span span, const char *const *needles)
{
	for (; *needles != NULL; needles++)
		if (text_find(span, *needles) != NULL)
			return true;
	return false;
}

static bool
starts_folded(Span span, const char *prefix)
{
	for (; *prefix != '\0'; prefix++, span.p++, span.n--)
		if (span.n == 0 || (char) text_fold((unsigned char) *span.p) != *prefix)
			return false;
	return true;
}

bool
text_starts_any(Span span, const char *const *prefixes)
{
	for (; *prefixes != NULL; prefixes++)
		if (starts_folded(span, *prefixes))
			return true;
	return false;
}

const char *
text_skip_one(const char *p, const char *end, const char *const *words)
{
	size_t		room = (size_t) (end - p);
	size_t		longest = 0;

	if (room == 0)
		return NULL;
	for (; *words != NULL; words++)
	{
		size_t		n = 0;

		while (n < room && (*words)[n] != '\0' && (*words)[n] == p[n])
			n++;
		if ((*words)[n] == '\0' && n > longest)
			longest = n;
	}
	return longest == 0 ? NULL : p + longest;
}

const char *
text_skip_all(const char *p, const char *end, const char *const *words)
{
	const char *behind;

	while ((behind = text_skip_one(p, end, words)) != NULL)
		p = text_skip_blanks(behind, end);
	return p;
}
