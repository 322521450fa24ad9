/*
 * clean.c
 *	  What comes off a reply before its shape is looked at: invisible characters, line
 *	  ends of every kind, thoughts, what follows the end of the turn.
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

/* The start of text that normalising leaves as it is. */
static const char *
skip_normal(const char *p, const char *end)
{
	int			length;

	for (;;)
	{
		/* nearly all: ASCII, and U+4000 to U+9FFF */
		while (end - p >= 3)
		{
			const unsigned char *s = (const unsigned char *) p;

			if (s[0] >= 0xE4 && s[0] <= 0xE9 && (s[1] & 0xC0) == 0x80 && (s[2] & 0xC0) == 0x80)
				p += 3;
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

			if (c == 0xFFFD || c == '\r' || text_is_dropped(c))
				return p;
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

/* Line ends to \n, invisible characters out.  Bad UTF-8 ends it. */
ReplyReason
work_normalise(Work *work, const char *reply, size_t size)
{
	const char *end = reply + size;
	const char *p = skip_normal(reply, end);
	char	   *out = work->buffer + (p - reply);
	int			length;

	memcpy(work->buffer, reply, (size_t) (p - reply));
	work->text = text_span(work->buffer, out);
	if (p == end)
		return REPLY_ACCEPTED;
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
		if (text_is_dropped(c) || (c == '\r' && p + 1 < end && p[1] == '\n'))
			continue;
		for (int i = 0; i < length; i++)
		{
			work->origin[out - work->buffer] = origin;
			*out++ = c == '\r' ? '\n' : p[i];
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

/* ---- what is not content ---- */

/*
 * What closes a thought: the first </think>; without an opening one only if it ends or
 * begins its line, for a text may also speak of it.
 */
static const char *
find_close(Span text)
{
	const char *end = text.p + text.n;
	const char *close = text_find(text, "</think>");
	const char *behind;

	if (close == NULL || text_find(text_span(text.p, close), "<think>") != NULL)
		return close;
	behind = text_skip_blanks(close + strlen("</think>"), end);
	return close == text.p || close[-1] == '\n' || behind == end || *behind == '\n' ? close : NULL;
}

ReplyReason
work_remove_think(Work *work)
{
	Span		text = text_trim(work->text);
	const char *close = find_close(text);
	Span		inner = text;

	/* line breaks may be written as backslash-n */
	while (text_starts(inner, "\\n"))
		inner = text_trim(text_span(inner.p + 2, inner.p + inner.n));
	if (text_starts(inner, "<think>"))
		text = inner;
	if (!text_starts(text, "<think>"))
	{
		/* some templates leave the opening to the prompt */
		if (close == NULL || text_find(text, "<think>") != NULL)
			return REPLY_ACCEPTED;
	}
	else if (close == NULL)
		return work_at(work, text.p, REPLY_UNCLOSED_THINK);
	work->result->flags |= REPLY_THINK_REMOVED;
	work->text = text_trim(text_span(close + strlen("</think>"), text.p + text.n));
	return REPLY_ACCEPTED;
}

/* Whether <|...|> stands here, on one line. */
static bool
is_special_token(Span text)
{
	const char *end = text.p + (text.n > 66 ? 66 : text.n);

	if (!text_starts(text, "<|"))
		return false;
	for (const char *p = text.p + 2; p < end && *p != '\n' && *p != '<'; p++)
		if (*p == '>' && p[-1] == '|')
			return p - 1 >= text.p + 2;
	return false;
}

ReplyReason
text_cut_at_token(Span *text, const char **where)
{
	static const char *const ends[] = {"<|im_end|>", "<|endoftext|>", NULL};
	static const char *const others[] = {"<box>", "<ref>", "</box>", "</ref>", NULL};
	const char *end = text->p + text->n;
	const char *special = NULL;
	const char *image = NULL;

	for (const char *p = text->p; p < end && (p = memchr(p, '<', (size_t) (end - p))) != NULL; p++)
	{
		Span		rest = text_span(p, end);

		if (text_starts_any(rest, ends))
		{
			text->n = (size_t) (p - text->p);
			break;
		}
		if (special == NULL && (is_special_token(rest) || text_starts_any(rest, others)))
			special = p;
		if (image == NULL && text_starts(rest, "<image>"))
			image = p;
	}
	*where = special != NULL ? special : image;
	return special != NULL ? REPLY_SPECIAL_TOKEN : image != NULL ? REPLY_IMAGE_TOKEN_LEAK : REPLY_ACCEPTED;
}

ReplyReason
work_look_for_tokens(Work *work)
{
	const char *where;
	ReplyReason reason = text_cut_at_token(&work->text, &where);

	return reason == REPLY_ACCEPTED ? reason : work_at(work, where, reason);
}
