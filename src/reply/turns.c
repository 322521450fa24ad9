/*
 * turns.c
 *	  Text to turns at its labels, and the repairs that replies need.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE				/* memrchr */
#endif
#include "parts.h"

#include <stdlib.h>

/* More turns than any dialogue has; the rest is not looked at. */
#define MAX_PARTS 4096

void
parts_add(Parts *parts, bool human, Span text, char *owned)
{
	if (parts->n == parts->room && parts->n < MAX_PARTS)
	{
		int			room = parts->room * 2 + 16;
		Part	   *grown = realloc(parts->items, sizeof(Part) * (size_t) room);

		if (grown != NULL)
		{
			parts->items = grown;
			parts->room = room;
		}
		else
			parts->no_memory = true;
	}
	if (parts->n == parts->room)
	{
		free(owned);
		return;
	}
	parts->items[parts->n].human = human;
	parts->items[parts->n].text = text;
	parts->items[parts->n].owned = owned;
	parts->n++;
}

void
parts_remove(Parts *parts, int first, int count)
{
	for (int i = first; i < first + count; i++)
		free(parts->items[i].owned);
	memmove(parts->items + first, parts->items + first + count,
			sizeof(Part) * (size_t) (parts->n - first - count));
	parts->n -= count;
}

void
parts_free(Parts *parts)
{
	for (int i = 0; i < parts->n; i++)
		free(parts->items[i].owned);
	free(parts->items);
	memset(parts, 0, sizeof(*parts));
}

bool
parts_have_both(const Parts *parts)
{
	bool		human = false;
	bool		gpt = false;

	for (int i = 0; i < parts->n; i++)
		*(parts->items[i].human ? &human : &gpt) = true;
	return human && gpt;
}

/* ---- splitting ---- */

Span
turns_trim_rules(Span text)
{
	for (;;)
	{
		const char *last;

		text = text_trim(text);
		if (text.n == 0)
			return text;
		last = memrchr(text.p, '\n', text.n);
		last = last == NULL ? text.p : last + 1;
		if (!line_is_rule(text_span(last, text.p + text.n)))
			return text;
		text.n = (size_t) (last - text.p);
	}
}

/* In a question: behind the question mark, an answer's label of this set. */
static bool
answer_inside(Span line, ReplyKind set, const Signature *signature, const char **mark, Label *label)
{
	const char *end = line.p + line.n;

	for (const char *p = line.p; p < end; p++)
	{
		const char *behind;

		if (*p == '?')
			behind = p + 1;
		else if (text_starts(text_span(p, end), "？"))
			behind = p + strlen("？");
		else
			continue;
		*mark = behind;
		behind = text_skip_blanks(behind, end);
		if (behind < end && label_parse(text_span(behind, end), set, label) &&
			!label->human && label->colon && label->bold == signature->common.bold)
			return true;
	}
	return false;
}

typedef struct Splitter
{
	ReplyKind	set;
	Parts	   *parts;
	Signature	signature;
	bool		inside;			/* an answer may follow its question's mark */
	bool		open;			/* a turn is being collected */
	bool		human;
	const char *start;
} Splitter;

static void
close_turn(Splitter *s, const char *end)
{
	if (s->open)
		parts_add(s->parts, s->human, turns_trim_rules(text_span(s->start, end)), NULL);
	s->open = false;
}

static void
open_turn(Splitter *s, bool human, const char *start)
{
	s->open = true;
	s->human = human;
	s->start = start;
}

static void
split_line(Splitter *s, Span line, Span *preamble, const char *text_start)
{
	Label		label;
	const char *mark;

	if (label_parse(line, s->set, &label) && signature_takes(&s->signature, &label))
	{
		if (s->open)
			close_turn(s, line.p);
		else
			*preamble = turns_trim_rules(text_span(text_start, line.p));
		open_turn(s, label.human, label.end);
		line = text_span(label.end, line.p + line.n);
	}
	if (s->inside && s->open && s->human &&
		answer_inside(line, s->set, &s->signature, &mark, &label))
	{
		close_turn(s, mark);
		open_turn(s, false, label.end);
	}
}

void
turns_split(Span text, ReplyKind set, bool inside, Parts *parts, Span *preamble)
{
	Splitter	s = {.set = set,.inside = inside,.parts = parts};
	const char *end = text.p + text.n;

	*preamble = text;
	for (const char *p = text.p; p < end;)
	{
		Span		line = text_line(p, end);

		split_line(&s, line, preamble, text.p);
		p = line.p + line.n + 1;
	}
	close_turn(&s, end);
}

/* ---- repairs ---- */

static bool
drop_leading(Parts *parts, uint32_t *flags)
{
	int			n = 0;

	while (n < parts->n && !parts->items[n].human)
		n++;
	parts_remove(parts, 0, n);
	if (n > 0)
		*flags |= REPLY_LEADING_TURN_DROPPED;
	return n > 0;
}

/* An empty last answer leaves its question dangling. */
static void
drop_dangling(Parts *parts, uint32_t *flags)
{
	bool		dropped = false;

	while (parts->n > 0 && (parts->items[parts->n - 1].human ||
							parts->items[parts->n - 1].text.n == 0))
	{
		parts_remove(parts, parts->n - 1, 1);
		dropped = true;
	}
	if (dropped)
	{
		*flags |= REPLY_DANGLING_TURN_DROPPED;
		parts->cut = false;
	}
}

/* Makes one part of items[first .. end), in place of the first, a blank line between. */
static bool
join(Part *items, int first, int end)
{
	size_t		size = 0;
	char	   *joined;
	char	   *out;

	for (int i = first; i < end; i++)
		size += items[i].text.n + 2;
	joined = out = malloc(size);
	if (joined == NULL)
		return false;
	for (int i = first; i < end; i++)
	{
		if (i > first)
		{
			memcpy(out, "\n\n", 2);
			out += 2;
		}
		memcpy(out, items[i].text.p, items[i].text.n);
		out += items[i].text.n;
		free(items[i].owned);
		items[i].owned = NULL;
	}
	items[first].owned = joined;
	items[first].text = text_span(joined, out);
	return true;
}

/* Answers in a row become one. */
static ReplyReason
merge_answers(Parts *parts, uint32_t *flags)
{
	Part	   *items = parts->items;
	int			kept = 0;
	int			end;

	for (int i = 0; i < parts->n; i = end)
	{
		end = i + 1;
		while (!items[i].human && end < parts->n && !items[end].human)
			end++;
		if (end - i > 1)
		{
			if (!join(items, i, end))
				return REPLY_NO_MEMORY;
			*flags |= REPLY_MERGED_TURNS;
		}
		items[kept++] = items[i];
		if (kept <= i)
			items[i].owned = NULL;
	}
	parts->n = kept;
	return REPLY_ACCEPTED;
}

/* Empty turns, merged answers, questions without answer or that are none. */
static ReplyReason
check_roles(Parts *parts, uint32_t *flags)
{
	for (int i = 0; i < parts->n; i++)
		if (parts->items[i].text.n == 0)
			return REPLY_EMPTY_TURN;
	for (int i = 1; i < parts->n; i++)
		if (parts->items[i].human && i > 1 && !check_is_addressed(parts->items[i].text))
			return REPLY_AMBIGUOUS_ROLE;
	for (int i = 0; i + 1 < parts->n; i++)
		if (parts->items[i].human && parts->items[i + 1].human)
			return REPLY_ROLES_NOT_ALTERNATING;
	return merge_answers(parts, flags);
}

static bool
same_question(Span a, Span b)
{
	a = text_unmarked(a);
	b = text_unmarked(b);
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* Among the rounds that are looked at: enough to say what a reply repeats. */
static bool
asked_before(const Parts *parts, int kept, Span question)
{
	for (int i = 0; i < kept; i += 2)
		if (same_question(parts->items[i].text, question))
			return true;
	return false;
}

/* Rounds are pairs from here on. */
static void
drop_rounds(const ReplyRules *rules, Parts *parts, uint32_t *flags)
{
	int			enough = 4 * rules->max_rounds + 64;
	int			kept = 0;

	for (int i = 0; i < parts->n; i += 2)
	{
		Part	   *round = &parts->items[i];

		if (kept < enough && asked_before(parts, kept, round[0].text))
			*flags |= REPLY_DUPLICATE_ROUND_DROPPED;
		else if (kept < enough && check_is_refusal(round[1].text))
			*flags |= REPLY_REFUSED_ROUND_DROPPED;
		else
		{
			if (kept < i)
			{
				/* the dropped ones' memory goes with the end of the list */
				Part		dropped[2] = {parts->items[kept], parts->items[kept + 1]};

				memcpy(&parts->items[kept], round, sizeof(dropped));
				memcpy(round, dropped, sizeof(dropped));
			}
			kept += 2;
		}
	}
	parts_remove(parts, kept, parts->n - kept);
	if (parts->n > 2 * rules->max_rounds)
	{
		*flags |= rules->kind == REPLY_QUESTION_ANSWER ? REPLY_EXTRA_PAIRS : REPLY_TRIMMED_ROUNDS;
		parts_remove(parts, 2 * rules->max_rounds, parts->n - 2 * rules->max_rounds);
	}
}

/* The last answer was cut off: its round goes, if enough is left. */
static ReplyReason
drop_cut_round(const ReplyRules *rules, Parts *parts, uint32_t *flags)
{
	/* of several pairs the first is what is wanted, and it is whole */
	int			needed = rules->kind == REPLY_QUESTION_ANSWER ? 1 : 2;

	if (!parts->cut)
		return REPLY_ACCEPTED;
	if (parts->n / 2 - 1 < needed)
		return REPLY_TRUNCATED;
	parts_remove(parts, parts->n - 2, 2);
	*flags |= REPLY_SALVAGED;
	parts->cut = false;
	return REPLY_ACCEPTED;
}

static ReplyReason
missing_side(const ReplyRules *rules, const Parts *parts)
{
	bool		human = false;
	bool		gpt = false;

	for (int i = 0; i < parts->n; i++)
		if (parts->items[i].text.n > 0)
			*(parts->items[i].human ? &human : &gpt) = true;
	if (rules->kind != REPLY_QUESTION_ANSWER || (human && gpt))
		return REPLY_ACCEPTED;
	return human ? REPLY_NO_ANSWER : gpt ? REPLY_NO_QUESTION : REPLY_EMPTY_TURN;
}

ReplyReason
turns_repair(const ReplyRules *rules, ReplyFinish finish, Parts *parts, uint32_t *flags)
{
	ReplyReason reason = missing_side(rules, parts);
	bool		leading;
	bool		asked;

	if (reason == REPLY_NO_ANSWER && finish == REPLY_FINISH_LENGTH)
		return REPLY_TRUNCATED;
	if (reason != REPLY_ACCEPTED)
		return reason;
	leading = drop_leading(parts, flags);
	if (parts->n == 0)
		return leading ? REPLY_NO_USER_FIRST : REPLY_UNPARSABLE;
	asked = parts->items[0].text.n > 0;
	drop_dangling(parts, flags);
	if (parts->n == 0)
		return leading ? REPLY_NO_USER_FIRST : finish == REPLY_FINISH_LENGTH ? REPLY_TRUNCATED :
			asked ? REPLY_NO_ANSWER : REPLY_EMPTY_TURN;
	reason = check_roles(parts, flags);
	if (reason == REPLY_ACCEPTED)
		reason = drop_cut_round(rules, parts, flags);
	if (reason != REPLY_ACCEPTED)
		return reason;
	drop_rounds(rules, parts, flags);
	if (parts->n == 0)
		return REPLY_REFUSAL;
	if (parts->n < 2 * rules->min_rounds)
		return REPLY_TOO_FEW_ROUNDS;
	if (parts->n == 2 && rules->max_rounds > 1)
		*flags |= REPLY_SHORT_DIALOGUE;
	return REPLY_ACCEPTED;
}
