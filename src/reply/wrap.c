/*
 * wrap.c
 *	  What stands around a reply and is no part of it: lines of a server's stream, the
 *	  template's head, thoughts, the tags around an answer.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE				/* memrchr */
#endif
#include "parts.h"

/* ---- streams ---- */

/* Behind a line that begins with the word, and its blanks; NULL: another line. */
static const char *
behind_word(Span line, const char *word)
{
	return text_starts(line, word) ? text_skip_blanks(line.p + strlen(word), line.p + line.n) : NULL;
}

static bool
is_done_line(Span line)
{
	return text_starts(line, "data: [DONE]") || text_starts(line, "data:[DONE]") || text_starts(line, "[DONE]");
}

/* Whether the line is one that a stream has beside its data. */
static bool
is_stream_line(Span line)
{
	const char *data = behind_word(line, "data:");

	return is_done_line(line) || text_starts(line, ": OPENROUTER PROCESSING") || text_starts(line, ": keep-alive") ||
		text_starts(line, "event: ") || text_starts(line, "id: ") || text_starts(line, "retry: ") ||
		(data != NULL && data == line.p + line.n);
}

/* Whether a stream begins here: data, or lines of its own before them. */
static bool
begins_stream(Span text)
{
	static const char *const fields[] = {"id:", "event:", "retry:", NULL};
	const char *end = text.p + text.n;
	Span		line = text_line(text.p, end);

	for (int i = 0; i < 3 && text_skip_one(line.p, end, fields) != NULL && line.p + line.n < end; i++)
		line = text_line(line.p + line.n + 1, end);
	return text_starts(line, ": OPENROUTER PROCESSING") || text_starts(line, ": keep-alive") || behind_word(line, "data:") != NULL;
}

/* Off every line 'data:', and those lines that are only the stream's. */
static void
strip_data(Work *work)
{
	const char *end = work->text.p + work->text.n;
	char	   *start = work->buffer + (work->text.p - work->buffer);
	char	   *out = start;
	Span		line;

	for (const char *p = work->text.p; p < end; p = line.p + line.n + 1)
	{
		const char *stop;
		const char *data;

		line = text_line(p, end);
		if (is_stream_line(line))
			continue;
		stop = line.p + line.n < end ? line.p + line.n + 1 : end;
		data = behind_word(line, "data:");
		for (const char *from = data == NULL ? line.p : data; from < stop; from++)
		{
			work->origin[out - work->buffer] = work->origin[from - work->buffer];
			*out++ = *from;
		}
	}
	work->text = text_trim(text_span(start, out));
}

void
work_unwrap_stream(Work *work)
{
	Span		text = text_trim(work->text);
	const char *end = text.p + text.n;
	const char *last;

	if (begins_stream(text))
	{
		if (work_keep_origins(work, (size_t) (end - work->buffer)))
			strip_data(work);
		work->result->flags |= REPLY_STREAM_REMOVED;
		return;
	}
	last = text.n == 0 ? NULL : memrchr(text.p, '\n', text.n);
	if (last == NULL || !is_done_line(text_span(last + 1, end)))
		return;
	work->text = text_trim(text_span(text.p, last));
	work->result->flags |= REPLY_STREAM_REMOVED;
}

/* ---- the template's head ---- */

static const char *const roles[] = {"assistant", "model", "bot", "gpt", "助手", NULL};

/* Behind what opens the turn: begin tokens, tokens around a role. */
static const char *
skip_head_tokens(Span text)
{
	const char *end = text.p + text.n;
	const char *p = text.p;
	ReplyToken	token;
	ReplyToken	next;

	for (;;)
	{
		Span		rest = text_trim(text_span(p, end));

		if (!token_begins(rest, &token) || token.closing)
			return p;
		if (token.kind == TOKEN_BEGIN)
			p = token.end;
		else if (token.kind == TOKEN_HEAD)
		{
			const char *role = text_skip_one(token.end, end, roles);

			/* the role of anybody else is not the reply's head */
			if (role == NULL)
				return p;
			p = role;
			if (token_begins(text_span(p, end), &next) && (next.kind == TOKEN_HEAD || next.kind == TOKEN_MESSAGE))
				p = next.end;
		}
		else
			return p;
	}
}

/* Whether the label is the one that a template puts there. */
static bool
is_assistant(Span line, const Label *label, ReplyKind kind)
{
	static const char *const words[] = {"assistant", NULL};
	static const char *const shorter[] = {"assistant", "ai", NULL};

	if (label->human || label->bullet || label->number)
		return false;
	if (kind == REPLY_DESCRIPTION)
		return !label->latin || text_starts_any(text_undecorated(line), shorter);
	return label->latin && text_starts_any(text_undecorated(line), words);
}

/* Behind 'assistant' on a line of its own, or with a colon; else text.p. */
static const char *
skip_role(Span text, ReplyKind kind)
{
	const char *end = text.p + text.n;
	Span		line = text_line(text.p, end);
	Label		label;
	const char *next;

	if (behind_word(line, "model") == line.p + line.n)
		next = line.p + line.n;
	else if (label_parse(line, REPLY_DIALOGUE, &label) && is_assistant(line, &label, kind))
		next = label.end;
	else
		return text.p;
	if (kind == REPLY_DESCRIPTION)
		return next;

	/*
	 * in a dialogue it may be a turn's label, but for one right before
	 * another
	 */
	text = text_trim(text_span(next, end));
	if (next < line.p + line.n || text.n == 0)
		return line.p;
	return *text.p == '[' || *text.p == '{' ||
		line_has_own_label(line_without_quote(text_line(text.p, end)), kind) ? next : line.p;
}

void
work_unwrap_head(Work *work)
{
	Span		text = text_trim(work->text);
	const char *end = text.p + text.n;
	const char *p;
	const char *role;
	Span		rest;

	if (text.n == 0)
		return;
	p = *text.p == '<' || *text.p == '[' ? skip_head_tokens(text) : text.p;
	rest = text_trim(text_span(p, end));
	role = rest.n == 0 ? rest.p : skip_role(rest, work->rules->kind);
	if (role > rest.p && text_trim(text_span(role, end)).n > 0)
		p = role;
	if (p == text.p)
		return;
	work->result->flags |= REPLY_TOKENS_REMOVED;
	work->text = text_trim(text_span(p, end));
}

/* ---- thoughts ---- */

/* The next token of a thought; false: there is none. */
static bool
next_of_thought(TokenScan *scan, ReplyToken *token)
{
	while (tokens_next(scan, token))
		if (token->kind == TOKEN_THINK)
			return true;
	return false;
}

static bool
find_close(TokenScan *scan, const ReplyToken *opening, ReplyToken *close)
{
	scan->p = opening->end;
	while (next_of_thought(scan, close))
		if (token_pairs(opening, close))
			return true;
	return false;
}

/* No opening one before or behind: then a closing one closed a thought that the prompt opened. */
static bool
closes_unopened(const Work *work, Span text, ReplyToken *close)
{
	TokenScan	scan;
	ReplyToken	token;

	work_scan(work, &scan, text);
	if (!next_of_thought(&scan, close) || !close->closing || !token_ends(text, close))
		return false;
	while (next_of_thought(&scan, &token))
		if (!token.closing && token_pairs(&token, close))
			return false;
	return true;
}

static Span
without_written_newlines(Span text)
{
	while (text_starts(text, "\\n"))
		text = text_trim(text_span(text.p + 2, text.p + text.n));
	return text;
}

/* Harmony's channels, with their tokens or without: the last one is the answer. */
static ReplyReason
take_final_channel(Work *work, bool *found)
{
	Span		text = work->text;
	const char *end = text.p + text.n;
	const char *answer = NULL;
	bool		final = false;
	TokenScan	scan;
	ReplyToken	token;

	*found = false;
	if (text_starts(text, "analysis"))
	{
		answer = text_find(text, "assistantfinal");
		answer = answer == NULL ? NULL : answer + strlen("assistantfinal");
	}
	else if (token_begins(text, &token) && token.kind == TOKEN_CHANNEL)
	{
		work_scan(work, &scan, text);
		while (tokens_next(&scan, &token))
		{
			if (token.kind == TOKEN_CHANNEL)
				final = text_starts(text_span(token.end, end), "final");
			else if (token.kind == TOKEN_MESSAGE && final)
			{
				answer = token.end;
				break;
			}
		}
		if (answer == NULL)
			return work_at(work, text.p, REPLY_UNCLOSED_THINK);
	}
	if (answer == NULL)
		return REPLY_ACCEPTED;
	*found = true;
	work->result->flags |= REPLY_THINK_REMOVED;
	work->text = text_trim(text_span(answer, end));
	return REPLY_ACCEPTED;
}

ReplyReason
work_remove_think(Work *work)
{
	Span		text = text_trim(work->text);
	const char *end = text.p + text.n;
	ReplyToken	token;
	ReplyToken	close;
	TokenScan	scan;
	bool		found;
	ReplyReason reason;

	work->text = text;
	if (!work->may_have_tokens && !text_starts(text, "analysis"))
		return REPLY_ACCEPTED;
	reason = take_final_channel(work, &found);
	if (reason != REPLY_ACCEPTED || found)
		return reason;
	work_scan(work, &scan, text);
	for (bool first = true;; first = false)
	{
		/* line breaks may be written as backslash-n */
		Span		inner = without_written_newlines(text);

		if (token_begins(inner, &token) && token.kind == TOKEN_THINK && !token.closing)
		{
			if (!find_close(&scan, &token, &close))
				return work_at(work, inner.p, REPLY_UNCLOSED_THINK);
		}
		/* some templates leave the opening to the prompt */
		else if (!first || !closes_unopened(work, text, &close))
			break;
		work->result->flags |= REPLY_THINK_REMOVED;
		text = text_trim(text_span(close.end, end));
		work->text = text;
	}
	return REPLY_ACCEPTED;
}

/* ---- answers ---- */

/* Tokens around the whole of it, one pair or half a pair. */
static void
unwrap_marks(Work *work)
{
	ReplyToken	token;
	Span		text = text_trim(work->text);

	while (token_begins(text, &token) && token.kind == TOKEN_MARK && !token.closing)
	{
		text = text_trim(text_span(token.end, text.p + text.n));
		work->result->flags |= REPLY_ANSWER_UNWRAPPED;
	}
	work->text = text;
	while ((text = text_trim(work->text)).n > 0)
	{
		const char *end = text.p + text.n;
		const char *last = memrchr(text.p, '<', text.n);

		if (last == NULL || end[-1] != '>' || !token_begins(text_span(last, end), &token) ||
			token.kind != TOKEN_MARK || !token.closing || token.end < end)
			return;
		work->text = text_span(text.p, last);
		work->result->flags |= REPLY_ANSWER_UNWRAPPED;
	}
}

/* The tags of an answer: the last that opens on a fresh line, and what closes the text. */
static void
unwrap_answer(Work *work)
{
	Span		text = work->text;
	const char *end = text.p + text.n;
	ReplyToken	opening = {0};
	ReplyToken	closing = {0};
	ReplyToken	token;
	TokenScan	scan;
	const char *start = text.p;

	work_scan(work, &scan, text);
	while (tokens_next(&scan, &token))
	{
		if (token.kind != TOKEN_ANSWER)
			continue;
		if (token.closing)
			closing = token;
		else if (opening.at == NULL && (token.at == text.p || token.at[-1] == '\n'))
			opening = token;
	}
	if (opening.at == NULL && (closing.at == NULL || closing.end < end))
		return;
	if (closing.at != NULL && closing.end == end && (opening.at == NULL || token_pairs(&opening, &closing)))
		end = closing.at;
	else if (closing.at != NULL || opening.at > text.p)
		return;
	if (opening.at != NULL)
		start = opening.end;
	if (opening.at > text.p)
		work->result->flags |= REPLY_THINK_REMOVED;
	work->text = text_trim(text_span(start, end));
	work->result->flags |= REPLY_ANSWER_UNWRAPPED;
}

ReplyReason
work_look_for_tokens(Work *work)
{
	const char *where;
	ReplyReason reason;

	if (!work->may_have_tokens)
		return REPLY_ACCEPTED;
	reason = text_cut_at_token(&work->text, work->seen.triangles > 0, &where, &work->result->flags);
	if (reason != REPLY_ACCEPTED)
		return work_at(work, where, reason);
	unwrap_marks(work);
	unwrap_answer(work);
	unwrap_marks(work);
	return REPLY_ACCEPTED;
}
