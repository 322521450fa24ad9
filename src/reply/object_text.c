/*
 * object_text.c
 *	  The signs, white space and strings of JSON as models write it, to strict JSON.
 *
 * A string may be in any quotation marks.  Models forget to escape a mark inside a text:
 * "写着"营业中"，很亮".  A mark ends the string if what follows it can follow a string there;
 * other marks belong to the text and come in pairs.  A mark that would close such a pair
 * and end the string alike could be either, and one beside a colon or a bracket may be of
 * another string, where the text's own mark is missing: then the document is not read.
 */
#include "object.h"

#include <stdlib.h>

/* How far a look ahead goes over the next key or a comment. */
#define LOOK_AHEAD 128

void
object_text_append(ObjectText *text, const char *p, size_t n)
{
	if (text->mute || text->no_memory)
		return;
	if (text->room - text->n < n)
	{
		size_t		room = (text->room + n) * 2;
		char	   *grown = realloc(text->p, room);

		if (grown == NULL)
		{
			text->no_memory = true;
			return;
		}
		text->p = grown;
		text->room = room;
	}
	memcpy(text->p + text->n, p, n);
	text->n += n;
}

/* ---- signs and what stands between them ---- */

/* The last byte of a full-width sign in this block of three bytes; 0: none. */
static char
wide_sign(unsigned char second, unsigned char third)
{
	if (second == 0xBC)
		return third == 0x9A ? ':' : third == 0x8C ? ',' : third == 0xBB ? '[' : third == 0xBD ? ']' : 0;
	return second != 0xBD ? 0 : third == 0x9B ? '{' : third == 0x9D ? '}' : 0;
}

char
object_sign(const char *p, const char *end, int *length)
{
	*length = 1;
	if (p == end)
		return 0;
	switch ((unsigned char) *p)
	{
		case '{':
		case '}':
		case '[':
		case ']':
		case ':':
		case ',':
			return *p;
		case 0xEF:
			if (end - p < 3)
				return 0;
			*length = 3;
			return wide_sign((unsigned char) p[1], (unsigned char) p[2]);
		default:
			return 0;
	}
}

/* The bytes of the white space at p; 0: none. */
static int
white(const char *p, const char *end)
{
	static const char *const wide[] = {
		"\xE3\x80\x80", "\xC2\xA0", "\xEF\xBB\xBF", "\xE2\x80\x8B", "\xE2\x80\xA8", "\xE2\x80\xA9", "\xC2\x85", NULL
	};

	if (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r' || *p == '\v' || *p == '\f' || *p == '\0')
		return 1;
	/* line ends that were written down, maybe cut */
	if (*p == '\\')
		return end - p < 2 ? 1 : p[1] == 'n' || p[1] == 't' || p[1] == 'r' ? 2 : 0;
	if ((unsigned char) *p < 0xC2)
		return 0;
	for (int i = 0; wide[i] != NULL; i++)
		if (text_starts(text_span(p, end), wide[i]))
			return (int) strlen(wide[i]);
	return 0;
}

const char *
object_skip_white(const char *p, const char *end)
{
	int			length;

	while (p < end && (length = white(p, end)) > 0)
		p += length;
	return p;
}

/* Behind the comment at p, p if there is none. */
static const char *
skip_comment(const char *p, const char *end)
{
	bool		block = end - p >= 2 && p[0] == '/' && p[1] == '*';
	const char *stop;

	/* a single stroke at the end is one that was cut */
	if (*p == '/' && p + 1 == end)
		return end;
	if (!block && *p != '#' && !(*p == '/' && p[1] == '/'))
		return p;
	stop = block ? text_find(text_span(p + 2, end), "*/") : memchr(p, '\n', (size_t) (end - p));
	return stop == NULL ? end : stop + (block ? 2 : 1);
}

const char *
object_skip(const char *p, const char *end, size_t most)
{
	const char *limit = NULL;
	const char *next;

	for (;;)
	{
		p = object_skip_white(p, end);
		if (p == end || (*p != '/' && *p != '#'))
			return p;
		if (limit == NULL)
			limit = (size_t) (end - p) > most ? p + most : end;
		next = p < limit ? skip_comment(p, limit) : p;
		if (next == limit && limit < end)
			return NULL;
		if (next == p)
			return p;
		p = next;
	}
}

/* ---- quotation marks ---- */

typedef struct Quotes
{
	const char *open;			/* either of them opens and closes */
	const char *close;
} Quotes;

static const Quotes quotes[] = {
	{"\"", "\""}, {"'", "'"}, {"“", "”"}, {"‘", "’"}, {"＂", "＂"}, {"＇", "＇"}
};

#define N_QUOTES 6

/* The marks of the string that begins at p; NULL: none begins. */
static const Quotes *
quotes_at(const char *p, const char *end, int *length)
{
	*length = 1;
	if (p == end)
		return NULL;
	if (*p == '"')
		return &quotes[0];
	if (*p == '\'')
		return &quotes[1];
	*length = 3;
	if ((unsigned char) *p != 0xE2 && (unsigned char) *p != 0xEF)
		return NULL;
	for (int i = 2; i < N_QUOTES; i++)
		if (text_starts(text_span(p, end), quotes[i].open) || text_starts(text_span(p, end), quotes[i].close))
			return &quotes[i];
	return NULL;
}

int
object_quote(const char *p, const char *end)
{
	int			length;

	return quotes_at(p, end, &length) == NULL ? 0 : length;
}

/* The next mark of these from p on that is not escaped; end: none. */
static const char *
next_mark(const Quotes *q, const char *p, const char *end)
{
	unsigned char first = (unsigned char) q->open[0];
	int			length;

	for (; p < end; p++)
	{
		if (*p == '\\' && p + 1 < end)
			p++;
		else if ((unsigned char) *p == first && quotes_at(p, end, &length) == q)
			return p;
	}
	return end;
}

static int
mark_size(const Quotes *q)
{
	return (int) strlen(q->open);
}

static bool
is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

const char *
object_skip_name(const char *p, const char *end)
{
	if (p < end && *p >= '0' && *p <= '9')
		return p;
	while (p < end && is_name(*p))
		p++;
	return p;
}

/* Whether a key and its colon stand at p, as far as a look ahead tells. */
static bool
key_follows(const char *p, const char *end)
{
	int			length;
	const Quotes *q = quotes_at(p, end, &length);
	const char *behind;

	if (q != NULL)
	{
		const char *limit = end - p > LOOK_AHEAD ? p + LOOK_AHEAD : end;

		behind = next_mark(q, p + length, limit);
		if (behind == limit)
			return true;
		behind += length;
	}
	else
	{
		behind = object_skip_name(p, end);
		if (behind == p)
			return false;
	}
	p = object_skip(behind, end, LOOK_AHEAD);
	return p == NULL || p == end || object_sign(p, end, &length) == ':';
}

/* Whether a value of a list begins at p. */
static bool
value_follows(const char *p, const char *end)
{
	static const char *const words[] = {"true", "false", "null", "True", "False", "None", NULL};
	int			length;
	char		sign = object_sign(p, end, &length);

	return sign == '{' || sign == '[' || object_quote(p, end) > 0 || *p == '-' || (*p >= '0' && *p <= '9') ||
		text_skip_one(p, end, words) != NULL;
}

typedef enum Mark
{
	MARK_ENDS,					/* the string */
	MARK_INSIDE,				/* the text's own */
	MARK_UNSURE
} Mark;

/* What the mark before p is, by what stands behind it. */
static Mark
mark_before(const char *p, const char *end, StringPlace place)
{
	char		closing = place == PLACE_IN_LIST ? ']' : '}';
	int			length;
	char		sign;

	p = object_skip(p, end, LOOK_AHEAD);
	if (p == NULL || p == end)
		return MARK_ENDS;
	sign = object_sign(p, end, &length);
	if (sign == (place == PLACE_KEY ? ':' : closing))
		return MARK_ENDS;
	if (sign != ',' || place == PLACE_KEY)
		return sign == 0 || sign == ',' ? MARK_INSIDE : MARK_UNSURE;
	p = object_skip(p + length, end, LOOK_AHEAD);
	if (p == NULL || p == end || object_sign(p, end, &length) == closing ||
		(place == PLACE_IN_LIST ? value_follows(p, end) : key_follows(p, end)))
		return MARK_ENDS;
	return MARK_INSIDE;
}

/* it's: between letters, part of the word. */
static bool
is_apostrophe(const char *p, const char *from, const char *end)
{
	return *p == '\'' && p > from && is_name(p[-1]) && p + 1 < end && is_name(p[1]);
}

/* Whether any mark of these is escaped in the text. */
static bool
has_escaped_mark(const Quotes *q, const char *p, const char *stop)
{
	char		bytes[4];
	int			length;
	uint32_t	c;

	for (; p < stop; p++)
	{
		const char *hex = p + 2;

		if (*p != '\\' || p + 1 == stop)
			continue;
		if (quotes_at(p + 1, stop, &length) == q)
			return true;
		if (p[1] == 'u' && object_take_hex(&hex, stop, 4, &c) && quotes_at(bytes, bytes + text_encode(c, bytes), &length) == q)
			return true;
		p++;
	}
	return false;
}

/*
 * Where the string's text ends that begins at p; *stop is its closing mark.  Only where no
 * mark of the text is escaped nor an apostrophe do the others tell what is a pair.
 */
static ReadEnd
find_end(const Quotes *q, const char *p, const char *end, StringPlace place, const char **stop)
{
	const char *from = p;
	int			size = mark_size(q);
	bool		apostrophes = false;
	int			inside = 0;

	for (;; p += size)
	{
		Mark		mark;

		p = next_mark(q, p, end);
		if (p == end)
			return READ_OPEN;
		mark = mark_before(p + size, end, place);
		if (mark == MARK_ENDS)
			break;
		if (mark == MARK_UNSURE || place == PLACE_KEY)
			return READ_MALFORMED;
		if (is_apostrophe(p, from, end) && place == PLACE_IN_OBJECT)
			apostrophes = true;
		else
			inside++;
	}
	*stop = p;
	if (inside > 0 && (inside % 2 == 1 || apostrophes || has_escaped_mark(q, from, p)))
		return READ_MALFORMED;
	return READ_CLOSED;
}

ReadEnd
object_string(const char **p, const char *end, StringPlace place, ObjectRead *read)
{
	int			length;
	const Quotes *q = quotes_at(*p, end, &length);
	const char *stop;
	ReadEnd		found = find_end(q, *p + length, end, place, &stop);

	if (found != READ_CLOSED)
		return found;
	object_text_append(&read->text, "\"", 1);
	if (!object_write_text(*p + length, stop, read))
		return READ_MALFORMED;
	object_text_append(&read->text, "\"", 1);
	*p = stop + length;
	return READ_CLOSED;
}
