/*
 * shape.c
 *	  What is in the reply: JSON, labels, or a description; unwrapped, split into turns,
 *	  repaired and checked.
 */
#include "parts.h"

#include <stdlib.h>

#define PREAMBLE_CHARS 80

/* One outer fence: the text inside, and what stands before and behind it. */
static Span
unwrap_fence(Span text, Span *before, Span *behind)
{
	const char *end = text.p + text.n;
	Label		label;

	*before = text_span(text.p, text.p);
	*behind = text_span(end, end);
	for (const char *p = text.p; p < end;)
	{
		Span		line = text_line(p, end);

		if (line_is_fence(line))
		{
			const char *inside = line.p + line.n < end ? line.p + line.n + 1 : end;
			const char *close = end;

			for (const char *q = inside; q < end;)
			{
				Span		other = text_line(q, end);

				if (line_is_fence(other))
				{
					close = other.p;
					*behind = text_trim(text_span(other.p + other.n, end));
				}
				q = other.p + other.n + 1;
			}
			*before = text_trim(text_span(text.p, line.p));
			return text_trim(text_span(inside, close));
		}
		/* a fence behind the first label belongs to an answer */
		if (label_parse(line, REPLY_DIALOGUE, &label) ||
			label_parse(line, REPLY_QUESTION_ANSWER, &label))
			break;
		p = line.p + line.n + 1;
	}
	return text;
}

/* '> ' off every line, where the first label has it.  False without memory. */
static bool
strip_quotes(Work *work)
{
	const char *end = work->text.p + work->text.n;
	char	   *start = work->buffer + (work->text.p - work->buffer);
	char	   *out = start;
	Span		line;
	bool		quoted = false;

	for (const char *p = work->text.p; p < end && !quoted; p = line.p + line.n + 1)
	{
		Span		inner;

		line = text_line(p, end);
		inner = line_without_quote(line);
		if (!line_has_own_label(inner, work->rules->kind))
			continue;
		if (inner.p == line.p)
			return true;
		quoted = true;
	}
	if (!quoted)
		return true;
	if (!work_keep_origins(work, (size_t) (end - work->buffer)))
		return false;
	for (const char *p = work->text.p; p < end; p = line.p + line.n + 1)
	{
		const char *from;
		const char *stop;

		line = text_line(p, end);
		stop = line.p + line.n < end ? line.p + line.n + 1 : end;
		from = text_starts(line, "> ") ? line.p + 2 : text_starts(line, ">") ? line.p + 1 : line.p;
		for (; from < stop; from++)
		{
			work->origin[out - work->buffer] = work->origin[from - work->buffer];
			*out++ = *from;
		}
	}
	work->text.n = (size_t) (out - start);
	return true;
}

static ReplyReason
take_preamble(Work *work, Span preamble)
{
	if (preamble.n == 0)
		return REPLY_ACCEPTED;
	if (text_chars(preamble) > PREAMBLE_CHARS)
		return work_at(work, preamble.p, REPLY_UNPARSABLE);
	work->result->flags |= REPLY_PREAMBLE_DROPPED;
	return REPLY_ACCEPTED;
}

static ReplyReason
degenerate(Work *work, const Span *spans, int n)
{
	return check_degenerate(spans, n, work->rules->max_loop_share, &work->result->measures,
							&work->no_memory) ? REPLY_DEGENERATE : REPLY_ACCEPTED;
}

static ReplyReason
parts_degenerate(Work *work)
{
	Span	   *spans = malloc(sizeof(Span) * (size_t) (work->parts.n + 1));
	ReplyReason reason;

	if (spans == NULL)
		return REPLY_NO_MEMORY;
	for (int i = 0; i < work->parts.n; i++)
		spans[i] = work->parts.items[i].text;
	reason = degenerate(work, spans, work->parts.n);
	free(spans);
	return reason;
}

/* Text without the courtesies, and the rules before them, at its end. */
static Span
without_closing(Work *work, Span text)
{
	bool		trimmed;

	for (;;)
	{
		text = check_trim_closing(text, &trimmed);
		if (!trimmed)
			return text;
		work->result->flags |= REPLY_CLOSING_TRIMMED;
		text = turns_trim_rules(text);
	}
}

static void
trim_last_turn(Work *work)
{
	Part	   *last = &work->parts.items[work->parts.n - 1];

	last->text = without_closing(work, last->text);
}

/* JSON may write a token's characters as escapes. */
static ReplyReason
look_for_escaped_tokens(Work *work)
{
	const char *where;
	ReplyReason reason = REPLY_ACCEPTED;

	for (int i = 0; i < work->parts.n && reason == REPLY_ACCEPTED; i++)
	{
		Part	   *part = &work->parts.items[i];

		reason = text_cut_at_token(&part->text, true, &where, &work->result->flags);
		part->text = text_trim(part->text);
	}
	return reason;
}

static ReplyReason
parse_json(Work *work, const char *start)
{
	JsonReply	json;
	ReplyReason reason;
	Span		before = text_trim(text_span(work->text.p, start));
	Span		preamble;
	Span		behind;

	if (text_starts(before, "```") || text_find(before, "\n```") != NULL)
		(void) unwrap_fence(work->text, &preamble, &behind);
	else
		preamble = before;
	json_read(text_span(start, work->text.p + work->text.n), &json);
	work->parts = json.parts;
	if (json.bad_character)
		return REPLY_BAD_UTF8;
	if (json.error_object)
		return REPLY_TRANSPORT_ERROR;
	/* what is written as escapes has not been seen */
	work->seen.marks++;
	work->seen.triangles++;
	work->may_have_tokens = work->may_have_entities = true;
	reason = look_for_escaped_tokens(work);
	if (reason == REPLY_ACCEPTED)
		reason = parts_look_for_garbage(&work->parts);
	if (reason != REPLY_ACCEPTED)
		return reason;
	if (work->parts.n > 0)
		trim_last_turn(work);
	reason = parts_degenerate(work);
	if (reason == REPLY_ACCEPTED)
		reason = take_preamble(work, preamble);
	if (reason != REPLY_ACCEPTED)
		return reason;
	if (json.cut)
	{
		while (work->parts.n > 0 && work->parts.items[work->parts.n - 1].human)
			parts_remove(&work->parts, work->parts.n - 1, 1);
		if (work->parts.n == 0)
			return REPLY_TRUNCATED;
		work->result->flags |= REPLY_SALVAGED;
	}
	return work->parts.n == 0 ? REPLY_UNPARSABLE :
		turns_repair(work->rules, work->finish, &work->parts, &work->result->flags);
}

/* The text with the blanks before its first line, which a label's indent counts. */
static Span
with_indent(const Work *work)
{
	const char *p = work->text.p;

	while (p > work->buffer && (p[-1] == ' ' || p[-1] == '\t'))
		p--;
	if (p > work->buffer && p[-1] != '\n')
		p = work->text.p;
	return text_span(p, work->text.p + work->text.n);
}

/*
 * A reasoning reply may come in dialogue labels.  Some words (Q, A and their like)
 * are of both sets, so finding one says nothing: both sides must be there.
 */
static void
split_turns(Work *work, Span *preamble)
{
	Parts		other = {0};
	Span		text = with_indent(work);
	Span		before;

	turns_split(text, work->rules->kind, work->rules->kind == REPLY_QUESTION_ANSWER, &work->parts,
				preamble);
	if (work->rules->kind != REPLY_QUESTION_ANSWER || parts_have_both(&work->parts))
		return;
	turns_split(text, REPLY_DIALOGUE, false, &other, &before);
	if (work->parts.n == 0 || parts_have_both(&other))
	{
		parts_free(&work->parts);
		work->parts = other;
		*preamble = before;
	}
	else
		parts_free(&other);
}

static ReplyReason
parse_labels(Work *work)
{
	Span		preamble;
	Span		before;
	Span		behind;
	ReplyReason reason;

	work->text = unwrap_fence(work->text, &before, &behind);
	if (!strip_quotes(work))
		return REPLY_NO_MEMORY;
	split_turns(work, &preamble);
	if (work->parts.n == 0)
	{
		reason = degenerate(work, &work->text, 1);
		if (reason != REPLY_ACCEPTED)
			return reason;
		return work->rules->kind == REPLY_QUESTION_ANSWER ? REPLY_NO_QUESTION : REPLY_UNPARSABLE;
	}
	work->parts.cut = work->finish == REPLY_FINISH_LENGTH;
	trim_last_turn(work);
	reason = parts_degenerate(work);
	if (reason == REPLY_ACCEPTED)
		reason = take_preamble(work, before.n > 0 ? before : preamble);
	if (reason == REPLY_ACCEPTED)
		reason = turns_repair(work->rules, work->finish, &work->parts, &work->result->flags);
	return reason;
}

/*
 * The turns of a text that begins as a question's label says, if an answer's label
 * follows; else none.
 */
static Parts
leading_turns(Span text)
{
	static const ReplyKind sets[] = {REPLY_DIALOGUE, REPLY_QUESTION_ANSWER};
	Parts		parts = {0};

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
	{
		Span		preamble;
		Label		label;

		if (!label_parse(text_line(text.p, text.p + text.n), sets[i], &label) || !label.human)
			continue;
		turns_split(text, sets[i], true, &parts, &preamble);
		if (parts.no_memory || parts_have_both(&parts))
			break;
		parts_free(&parts);
	}
	return parts;
}

/*
 * A description may come as the answer of one labelled pair.  More turns are a dialogue,
 * which nobody has asked for; labels that do not begin the text are the picture's.
 */
static ReplyReason
unwrap_pair(Work *work, Span *text)
{
	Parts		parts = leading_turns(*text);
	ReplyReason reason = REPLY_ACCEPTED;

	if (parts.no_memory)
		reason = REPLY_NO_MEMORY;
	else if (parts.n == 2)
	{
		/* a notice is only looked for where there is no label */
		*text = label_skip_description(parts.items[1].text);
		work->result->flags |= REPLY_ANSWER_UNWRAPPED;
		reason = check_notice(*text);
	}
	else if (parts.n > 2)
		reason = work_at(work, parts.items[2].text.p, REPLY_UNPARSABLE);
	parts_free(&parts);
	return reason;
}

static ReplyReason
parse_description(Work *work)
{
	Span		before;
	Span		behind;
	Span		whole = without_closing(work, work->text);
	Span		text = unwrap_fence(whole, &before, &behind);
	ReplyReason reason;

	/* a fence around a part of it is the picture's */
	if (before.n > 0 || behind.n > 0)
		text = whole;
	text = label_skip_description(text_trim(text));
	reason = unwrap_pair(work, &text);
	if (reason != REPLY_ACCEPTED)
		return reason;
	text = without_closing(work, text);
	reason = degenerate(work, &text, 1);
	if (reason != REPLY_ACCEPTED)
		return reason;
	if (work->finish == REPLY_FINISH_LENGTH)
		return work_at(work, text.p + text.n - 1, REPLY_TRUNCATED);
	if (text.n == 0)
		return REPLY_EMPTY;
	parts_add(&work->parts, false, text, NULL);
	return REPLY_ACCEPTED;
}

const char *
work_json(const Work *work)
{
	const char *start = json_start(work->text);

	for (const char *p = work->text.p; start != NULL && p < start;)
	{
		Span		line = text_line(p, start);

		if (line_has_own_label(line_without_quote(line), work->rules->kind))
			return NULL;
		p = line.p + line.n + 1;
	}
	return start;
}

ReplyReason
work_parse_content(Work *work)
{
	const char *json = work->rules->kind == REPLY_DESCRIPTION ? NULL : work_json(work);
	ReplyReason reason;

	if (json != NULL)
		reason = parse_json(work, json);
	else if (work->rules->kind == REPLY_DESCRIPTION)
		reason = parse_description(work);
	else
		reason = parse_labels(work);
	if (work->parts.no_memory || work->no_memory)
		return REPLY_NO_MEMORY;
	if (reason == REPLY_ACCEPTED || reason == REPLY_TOO_FEW_ROUNDS)
		work->result->measures.rounds = (work->parts.n + 1) / 2;
	if (reason == REPLY_ACCEPTED)
		reason = work_clean_parts(work);
	if (reason != REPLY_ACCEPTED)
		return reason;
	if (work->rules->kind == REPLY_QUESTION_ANSWER &&
		check_only_describes(work->parts.items[0].text))
		return work_at(work, work->parts.items[0].text.p, REPLY_NOT_COMPLEX);
	return check_content(work->rules, &work->parts, &work->result->measures,
						 &work->result->flags);
}
