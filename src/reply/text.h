/*
 * text.h
 *	  UTF-8, character classes, and spans of text.
 */
#ifndef LLAVA_REPLY_TEXT_H
#define LLAVA_REPLY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes of somebody else's memory. */
typedef struct Span
{
	const char *p;
	size_t		n;
} Span;

extern uint32_t text_decode_rare(const char *p, const char *end, int *length);

/*
 * The character at p (before end) and its length in bytes.  Invalid bytes, overlong
 * forms and surrogates give 0xFFFD and length 1.
 */
static inline uint32_t
text_decode(const char *p, const char *end, int *length)
{
	const unsigned char *s = (const unsigned char *) p;

	*length = 1;
	if (s[0] < 0x80)
		return s[0];

	/*
	 * three bytes, Chinese and its punctuation, if not overlong nor a
	 * surrogate
	 */
	if ((s[0] & 0xF0) != 0xE0 || s[0] == 0xE0 || s[0] == 0xED || end - p < 3 ||
		((s[1] ^ 0x80) | (s[2] ^ 0x80)) >= 0x40)
		return text_decode_rare(p, end, length);
	*length = 3;
	return (uint32_t) (s[0] & 0x0F) << 12 | (uint32_t) (s[1] & 0x3F) << 6 | (s[2] & 0x3F);
}

/* Appends a character to out (room for 4 bytes); its length. */
extern int	text_encode(uint32_t c, char *out);

static inline bool
text_is_han(uint32_t c)
{
	return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || c == 0x3007 ||
		(c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x323AF);
}

/* Controls that turn the order of what is shown. */
static inline bool
text_is_bidi(uint32_t c)
{
	return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

/* What normalising takes out: NUL, and marks that nobody sees. */
static inline bool
text_is_dropped(uint32_t c)
{
	return c == 0 || c == 0xFEFF || c == 0x200B || c == 0x2060 || text_is_bidi(c);
}

/* Line ends beside \n: \r, and the next line, line separator, paragraph separator. */
static inline bool
text_is_line_end(uint32_t c)
{
	return c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029;
}

extern bool text_is_kana_or_hangul(uint32_t c);
extern bool text_is_latin(uint32_t c);
extern bool text_is_letter(uint32_t c);

/* Full-width ASCII to ASCII, letters to lower case. */
static inline uint32_t
text_fold(uint32_t c)
{
	if (c >= 0xFF01 && c <= 0xFF5E)
		c -= 0xFEE0;
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

/* Blank: space, tab, U+3000; with newlines: these and \n. */
extern const char *text_skip_blanks(const char *p, const char *end);
extern Span text_trim(Span span);	/* blanks and newlines at both ends */
extern Span text_line(const char *p, const char *end);	/* up to, without, \n */

extern size_t text_chars(Span span);

static inline Span
text_span(const char *p, const char *end)
{
	Span		span = {p, (size_t) (end - p)};

	return span;
}

static inline bool
text_starts(Span span, const char *prefix)
{
	size_t		n = strlen(prefix);

	return span.p != NULL && span.n >= n && memcmp(span.p, prefix, n) == 0;
}

/* Behind bold, heading and quotation signs. */
extern Span text_undecorated(Span text);

/* Without the one mark that ends a sentence. */
extern Span text_unmarked(Span sentence);

/* Where needle stands in span, or NULL. */
extern const char *text_find(Span span, const char *needle);

/* Whether any of a NULL-ended list stands in span, or begins it (letters folded). */
extern bool text_has_any(Span span, const char *const *needles);
extern bool text_starts_any(Span span, const char *const *prefixes);

/* Behind the longest of a NULL-ended list that stands at p; NULL if none does. */
extern const char *text_skip_one(const char *p, const char *end, const char *const *words);

/* Behind as many of them in a row as stand at p, blanks between them too. */
extern const char *text_skip_all(const char *p, const char *end, const char *const *words);

#endif							/* LLAVA_REPLY_TEXT_H */
