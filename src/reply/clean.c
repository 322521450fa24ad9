/*
 * clean.c
 *	  What comes off a reply first: invisible characters, and line ends of every kind.
 */
#include "parts.h"

#include <stdlib.h>

ReplyReason
work_at(Work *work, const char *where, ReplyReason reason)
{
	if (where >= work->buffer && where < work->text.p + work->text.n)
		work->result->offset = work->origin == NULL ? (size_t) (where - work->buffer) :
			work->origin[where - work->buffer];
	return reason;
}

/* ---- normalising ---- */

#define BLACK_FLAG 0x1F3F4		/* tags behind it name the country */

/* Where the character before p begins; start if there is none. */
static const char *
back_to_character(const char *start, const char *p)
{
	if (p > start)
		p--;
	while (p > start && ((unsigned char) *p & 0xC0) == 0x80)
		p--;
	return p;
}

/* A tag, which only follows a flag, or a selector of variants, which only a Han has. */
static bool
is_unseen(uint32_t c, uint32_t previous)
{
	bool		tag = c >= 0xE0000 && c <= 0xE007F;

	if (tag)
		return previous != BLACK_FLAG && !(previous > 0xE0000 && previous < 0xE007F);
	return c >= 0xE0100 && c <= 0xE01EF && !text_is_han(previous);
}

/* A character of three bytes from U+3000 that is kept as it is. */
static inline bool
is_plain_wide(const unsigned char *s)
{
	return (((s[0] >= 0xE3 && s[0] <= 0xE9) || (s[0] == 0xEF && (s[1] == 0xBC || s[1] == 0xBD))) &&
			(s[1] & 0xC0) == 0x80 && (s[2] & 0xC0) == 0x80);
}

/* The start of text that normalising leaves as it is. */
static const char *
skip_normal(const char *p, const char *end, Seen *seen)
{
	int			length;

	for (;;)
	{
		/* nearly all: ASCII, and U+3000 to U+9FFF */
		while (end - p >= 3)
		{
			const unsigned char *s = (const unsigned char *) p;

			if (is_plain_wide(s))
			{
				if (seen_block(s))
					seen_take(seen, text_decode(p, end, &length));
				p += 3;
			}
			else if (s[0] < 0x80 && s[0] != '\0' && s[0] != '\r')
				p++;
			else
				break;
		}
		if (p == end)
			return p;
		else
		{
			uint32_t	c = text_decode(p, end, &length);

			if (c == 0xFFFD || text_is_line_end(c) || text_is_dropped(c) || c >= 0xE0000)
				return p;
			seen_take(seen, c);
		}
		p += length;
	}
}

/* From here on the buffer's bytes are not where they were in the reply. */
bool
work_keep_origins(Work *work, size_t size)
{
	if (work->origin != NULL)
		return true;
	work->origin = calloc(size + 1, sizeof(uint32_t));
	if (work->origin == NULL)
		return false;
	for (size_t i = 0; i <= size; i++)
		work->origin[i] = (uint32_t) i;
	return true;
}

/* Whether the character at p, behind which next stands, is no part of the text. */
static bool
is_left_out(Work *work, uint32_t c, uint32_t previous, const char *next, const char *end)
{
	int			length;

	/* \r\n, \r and a next line, are one line end */
	if (c == '\r')
		return next < end && (*next == '\n' || text_decode(next, end, &length) == 0x85);
	if (text_is_bidi(c) || is_unseen(c, previous))
		work->result->flags |= REPLY_MARKS_REMOVED;
	return text_is_dropped(c) || is_unseen(c, previous);
}

/* Line ends to \n, invisible characters out.  Bad UTF-8 ends it. */
ReplyReason
work_normalise(Work *work, const char *reply, size_t size)
{
	const char *end = reply + size;
	const char *p = skip_normal(reply, end, &work->seen);
	char	   *out = work->buffer + (p - reply);
	uint32_t	previous = 0;
	int			length;

	memcpy(work->buffer, reply, (size_t) (p - reply));
	work->text = text_span(work->buffer, out);
	if (p == end)
		return REPLY_ACCEPTED;
	/* what may have to stay because of what is before it is looked at again */
	p = back_to_character(reply, p);
	out = work->buffer + (p - reply);
	if (!work_keep_origins(work, size))
		return REPLY_NO_MEMORY;
	for (; p < end; p += length)
	{
		uint32_t	c = text_decode(p, end, &length);
		uint32_t	origin = (uint32_t) (p - reply);

		if (c == 0xFFFD)
		{
			work->result->offset = origin;
			return REPLY_BAD_UTF8;
		}
		if (is_left_out(work, c, previous, p + length, end))
			continue;
		previous = c;
		seen_take(&work->seen, c);
		for (int i = 0; i < (text_is_line_end(c) ? 1 : length); i++)
		{
			work->origin[out - work->buffer] = origin;
			*out++ = text_is_line_end(c) ? '\n' : p[i];
		}
	}
	work->text = text_span(work->buffer, out);
	return REPLY_ACCEPTED;
}

/* Here a line may end in backslash-n; no further than that is looked. */
static bool
begins_with_label(Span text, ReplyKind kind)
{
	const char *written = text_find(text, "\\n");
	Span		line = text_line(text.p, written == NULL ? text.p + text.n : written);

	return line_has_own_label(line_without_quote(line), kind);
}

/* Whether backslash-n separates turns: a label or the end follows one. */
static bool
uses_written_newlines(const Work *work)
{
	const char *end = work->text.p + work->text.n;

	for (const char *p = work->text.p; p < end && (p = text_find(text_span(p, end), "\\n")) != NULL;)
	{
		do
			p = text_skip_blanks(p + 2, end);
		while (end - p >= 2 && p[0] == '\\' && p[1] == 'n');
		if (text_trim(text_span(p, end)).n == 0)
			return true;
		if (begins_with_label(text_span(p, end), work->rules->kind))
			return true;
	}
	return false;
}

bool
work_undo_written_newlines(Work *work)
{
	char	   *out = work->buffer;
	size_t		start = (size_t) (work->text.p - work->buffer);

	if (!uses_written_newlines(work))
		return true;
	if (!work_keep_origins(work, start + work->text.n))
		return false;
	out += start;
	for (size_t i = start; i < start + work->text.n; i++)
	{
		work->origin[out - work->buffer] = work->origin[i];
		if (work->buffer[i] == '\\' && i + 1 < start + work->text.n && work->buffer[i + 1] == 'n')
		{
			*out++ = '\n';
			i++;
		}
		else
			*out++ = work->buffer[i];
	}
	work->text.n = (size_t) (out - work->text.p);
	return true;
}
