/*
 * reply.c
 *	  The order of work on one reply (replies.md, section 1).
 *
 * The normalised reply is one working buffer that only ever shrinks; turns are
 * spans of it until the very end.  Once something has been taken out of it, there
 * lies beside it, for each of its bytes, where in the raw reply it stood, so that a
 * verdict can point there.
 */
#include "parts.h"

#include <stdlib.h>

#define PREAMBLE_CHARS 80

static const char *const reason_names[REPLY_REASONS] = {
	NULL, "empty", "refusal", "image_not_seen", "template_echo", "prompt_echo", "unclosed_think",
	"truncated", "no_user_first", "empty_turn", "roles_not_alternating", "ambiguous_role",
	"no_question", "no_answer", "not_complex", "too_short", "too_long", "too_few_rounds",
	"degenerate", "language", "special_token", "image_token_leak", "transport_error", "bad_utf8",
	"unparsable", "no_memory"
};

static const char *const flag_names[REPLY_FLAGS] = {
	"think_removed", "preamble_dropped", "closing_trimmed", "salvaged", "merged_turns",
	"leading_turn_dropped", "dangling_turn_dropped", "trimmed_rounds", "duplicate_round_dropped",
	"refused_round_dropped", "extra_pairs", "short_dialogue", "zh_hant", "pii",
	"dangling_reference", "meta_leak"
};

const char *
reply_reason_name(ReplyReason reason)
{
	return reason_names[reason];
}

const char *
reply_flag_name(int bit)
{
	return flag_names[bit];
}

void
reply_rules_default(ReplyRules *rules, ReplyKind kind)
{
	memset(rules, 0, sizeof(*rules));
	rules->kind = kind;
	rules->language = REPLY_LANGUAGE_ZH;
	rules->min_rounds = 1;
	rules->max_rounds = kind == REPLY_DIALOGUE ? 5 : 1;
	rules->min_question_chars = kind == REPLY_DIALOGUE ? 4 : 0;
	rules->max_question_chars = kind == REPLY_DIALOGUE ? 200 : 0;
	rules->min_answer_chars = kind == REPLY_DIALOGUE ? 6 : 0;
	rules->min_letters = kind == REPLY_QUESTION_ANSWER ? 100 : 80;
	rules->min_language_share = 0.3;
	rules->max_loop_share = 0.2;
}

/* One reply at work. */
typedef struct Work
{
	const ReplyRules *rules;
	ReplyFinish finish;
	ReplyResult *result;
	char	   *buffer;
	uint32_t   *origin;			/* of each byte of buffer; NULL: its own place */
	Span		text;
	Parts		parts;
	bool		no_memory;
} Work;

static ReplyReason
at(Work *work, const char *where, ReplyReason reason)
{
	if (where >= work->buffer && where < work->text.p + work->text.n)
		work->result->offset = work->origin == NULL ? (size_t) (where - work->buffer) :
			work->origin[where - work->buffer];
	return reason;
}

/* ---- normalising ---- */

static bool
is_dropped(uint32_t c)
{
	return c == 0 || c == 0xFEFF || c == 0x200B || c == 0x2060;
}

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

			if (c == 0xFFFD || c == '\r' || is_dropped(c))
				return p;
		}
		p += length;
	}
}

/* From here on the buffer's bytes are not where they were in the reply. */
static bool
keep_origins(Work *work, size_t size)
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
static ReplyReason
normalise(Work *work, const char *reply, size_t size)
{
	const char *end = reply + size;
	const char *p = skip_normal(reply, end);
	char	   *out = work->buffer + (p - reply);
	int			length;

	memcpy(work->buffer, reply, (size_t) (p - reply));
	work->text = text_span(work->buffer, out);
	if (p == end)
		return REPLY_ACCEPTED;
	if (!keep_origins(work, size))
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
		if (is_dropped(c) || (c == '\r' && p + 1 < end && p[1] == '\n'))
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

/* The line behind its '>', if it has one. */
static Span
without_quote(Span line)
{
	const char *end = line.p + line.n;

	return text_starts(line, ">") ? text_span(text_skip_blanks(line.p + 1, end), end) : line;
}

/* Whether the line has a label that this kind of task accepts. */
static bool
has_own_label(Span line, ReplyKind kind)
{
	Label		label;

	return (kind == REPLY_QUESTION_ANSWER && label_parse(line, REPLY_QUESTION_ANSWER, &label)) ||
		label_parse(line, REPLY_DIALOGUE, &label);
}

/* Here a line may end in backslash-n; no further than that is looked. */
static bool
begins_with_label(Span text, ReplyKind kind)
{
	const char *written = text_find(text, "\\n");
	Span		line = text_line(text.p, written == NULL ? text.p + text.n : written);

	return has_own_label(without_quote(line), kind);
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

static bool
undo_written_newlines(Work *work)
{
	char	   *out = work->buffer;
	size_t		start = (size_t) (work->text.p - work->buffer);

	if (!keep_origins(work, start + work->text.n))
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

static ReplyReason
remove_think(Work *work)
{
	Span		text = text_trim(work->text);
	const char *close = text_find(text, "</think>");
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
		return at(work, text.p, REPLY_UNCLOSED_THINK);
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

static ReplyReason
look_for_tokens(Work *work)
{
	static const char *const ends[] = {"<|im_end|>", "<|endoftext|>", NULL};
	static const char *const others[] = {"<box>", "<ref>", "</box>", "</ref>", NULL};
	const char *end = work->text.p + work->text.n;
	const char *special = NULL;
	const char *image = NULL;

	for (const char *p = work->text.p; p < end && (p = memchr(p, '<', (size_t) (end - p))) != NULL; p++)
	{
		Span		rest = text_span(p, end);

		if (text_starts_any(rest, ends))
		{
			work->text.n = (size_t) (p - work->text.p);
			break;
		}
		if (special == NULL && (is_special_token(rest) || text_starts_any(rest, others)))
			special = p;
		if (image == NULL && text_starts(rest, "<image>"))
			image = p;
	}
	if (special != NULL)
		return at(work, special, REPLY_SPECIAL_TOKEN);
	if (image != NULL)
		return at(work, image, REPLY_IMAGE_TOKEN_LEAK);
	return REPLY_ACCEPTED;
}

/* The line without its label, of whichever kind. */
static Span
without_label(Span line)
{
	Label		label;

	if (label_parse(line, REPLY_DIALOGUE, &label) ||
		label_parse(line, REPLY_QUESTION_ANSWER, &label))
		return text_span(label.end, line.p + line.n);
	return line;
}

static bool
is_template(Span text)
{
	const char *end = text.p + text.n;
	bool		dots = false;

	for (const char *p = text.p; p < end;)
	{
		Span		line = text_line(p, end);
		Span		rest = without_label(line);
		int			length;

		p = line.p + line.n + 1;
		if (line_is_fence(line))
			continue;
		for (const char *q = rest.p; q < rest.p + rest.n; q += length)
		{
			uint32_t	c = text_decode(q, rest.p + rest.n, &length);

			if (c == '.' || c == 0x2026)
				dots = true;
			else if (c != ' ' && c != '\t' && c != 0x3000)
				return false;
		}
	}
	return dots;
}

static bool
has_label(Span text)
{
	const char *end = text.p + text.n;
	Label		label;

	for (const char *p = text.p; p < end;)
	{
		Span		line = text_line(p, end);

		if (label_parse(line, REPLY_DIALOGUE, &label) ||
			label_parse(line, REPLY_QUESTION_ANSWER, &label))
			return true;
		p = line.p + line.n + 1;
	}
	return false;
}

static bool
is_html(Span text)
{
	static const char *const html[] = {"<html", "<!doctype html", "<head", "<body", NULL};

	return text_starts_any(text, html);
}

/* ---- shape ---- */

/* One outer fence, text before it allowed: the text inside, and what stood before. */
static Span
unwrap_fence(Span text, Span *before)
{
	const char *end = text.p + text.n;
	Label		label;

	*before = text_span(text.p, text.p);
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
					close = other.p;
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
		inner = without_quote(line);
		if (!has_own_label(inner, work->rules->kind))
			continue;
		if (inner.p == line.p)
			return true;
		quoted = true;
	}
	if (!quoted)
		return true;
	if (!keep_origins(work, (size_t) (end - work->buffer)))
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
		return at(work, preamble.p, REPLY_UNPARSABLE);
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

static ReplyReason
parse_json(Work *work, const char *start)
{
	JsonReply	json;
	ReplyReason reason;
	Span		before = text_trim(text_span(work->text.p, start));
	Span		preamble;

	if (text_starts(before, "```") || text_find(before, "\n```") != NULL)
		(void) unwrap_fence(work->text, &preamble);
	else
		preamble = before;
	json_read(text_span(start, work->text.p + work->text.n), &json);
	work->parts = json.parts;
	if (json.lone_surrogate)
		return REPLY_BAD_UTF8;
	if (json.error_object)
		return REPLY_TRANSPORT_ERROR;
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

/* The courtesy at the end of the last turn. */
static void
trim_last_turn(Work *work)
{
	Part	   *last = &work->parts.items[work->parts.n - 1];
	bool		trimmed;

	last->text = check_trim_closing(last->text, &trimmed);
	if (trimmed)
		work->result->flags |= REPLY_CLOSING_TRIMMED;
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

	turns_split(text, work->rules->kind, &work->parts, preamble);
	if (work->rules->kind != REPLY_QUESTION_ANSWER || parts_have_both(&work->parts))
		return;
	turns_split(text, REPLY_DIALOGUE, &other, &before);
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
	ReplyReason reason;

	work->text = unwrap_fence(work->text, &before);
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

static ReplyReason
parse_description(Work *work)
{
	Span		before;
	Span		text = unwrap_fence(work->text, &before);
	ReplyReason reason;

	if (before.n > 0)
		text = work->text;
	text = label_skip_description(text_trim(text));
	reason = degenerate(work, &text, 1);
	if (reason != REPLY_ACCEPTED)
		return reason;
	if (work->finish == REPLY_FINISH_LENGTH)
		return at(work, text.p + text.n - 1, REPLY_TRUNCATED);
	if (text.n == 0)
		return REPLY_EMPTY;
	parts_add(&work->parts, false, text, NULL);
	if (work->parts.n == 1)
		trim_last_turn(work);
	return REPLY_ACCEPTED;
}

static ReplyReason
parse_content(Work *work)
{
	const char *json = work->rules->kind == REPLY_DESCRIPTION ? NULL : json_start(work->text);
	ReplyReason reason;

	if (json != NULL)
		reason = parse_json(work, json);
	else if (work->rules->kind == REPLY_DESCRIPTION)
		reason = parse_description(work);
	else
		reason = parse_labels(work);
	if (work->parts.no_memory || work->no_memory)
		return REPLY_NO_MEMORY;
	if (reason != REPLY_ACCEPTED)
		return reason;
	if (work->rules->kind == REPLY_QUESTION_ANSWER &&
		check_only_describes(work->parts.items[0].text))
		return at(work, work->parts.items[0].text.p, REPLY_NOT_COMPLEX);
	return check_content(work->rules, &work->parts, &work->result->measures,
						 &work->result->flags);
}

/* A description may be an error object too. */
static bool
is_error_json(Span text)
{
	JsonReply	json;
	bool		error;

	if (text.n == 0 || *text.p != '{' || json_start(text) != text.p)
		return false;
	json_read(text, &json);
	error = json.error_object;
	parts_free(&json.parts);
	return error;
}

static bool
is_empty(Span text)
{
	return text.n == 0 || (text.n == 4 && memcmp(text.p, "null", 4) == 0);
}

static ReplyReason
judge(Work *work, const char *reply, size_t size)
{
	ReplyReason reason = normalise(work, reply, size);

	if (reason != REPLY_ACCEPTED)
		return reason;
	work->text = text_trim(work->text);
	work->result->measures.chars = (int) text_chars(work->text);
	if (is_empty(work->text))
		return REPLY_EMPTY;
	if (is_html(work->text) || is_error_json(work->text))
		return REPLY_TRANSPORT_ERROR;
	reason = remove_think(work);
	if (reason != REPLY_ACCEPTED)
		return reason;
	if (json_start(work->text) == NULL && uses_written_newlines(work) &&
		!undo_written_newlines(work))
		return REPLY_NO_MEMORY;
	if (is_empty(text_trim(work->text)))
		return REPLY_EMPTY;
	reason = look_for_tokens(work);
	if (reason != REPLY_ACCEPTED)
		return reason;
	work->text = text_trim(work->text);
	if (is_empty(work->text))
		return REPLY_EMPTY;
	if (is_template(work->text))
		return REPLY_TEMPLATE_ECHO;
	if (check_prompt_echo(work->text, work->rules->prompts))
		return REPLY_PROMPT_ECHO;
	if (!has_label(work->text))
		reason = check_notice(work->text);
	return reason == REPLY_ACCEPTED ? parse_content(work) : reason;
}

/* ---- the result ---- */

static bool
copy_turns(Work *work)
{
	ReplyResult *result = work->result;

	result->turns = calloc((size_t) work->parts.n, sizeof(ReplyTurn));
	if (result->turns == NULL)
		return false;
	for (int i = 0; i < work->parts.n; i++)
	{
		Part	   *part = &work->parts.items[i];
		char	   *text = malloc(part->text.n + 1);

		if (text == NULL)
			return false;
		memcpy(text, part->text.p, part->text.n);
		text[part->text.n] = '\0';
		result->turns[i].human = part->human;
		result->turns[i].text = text;
		result->turns[i].length = part->text.n;
		result->n_turns++;
	}
	return true;
}

void
reply_parse(const ReplyRules *rules, const char *reply, size_t length, ReplyFinish finish,
			ReplyResult *result)
{
	Work		work = {.rules = rules,.finish = finish,.result = result};

	memset(result, 0, sizeof(*result));
	result->measures.tail_bigrams = -1;
	if (length > REPLY_MAX_BYTES)
	{
		result->reason = REPLY_TOO_LONG;
		result->offset = REPLY_MAX_BYTES;
		return;
	}
	work.buffer = malloc(length + 1);
	if (work.buffer == NULL)
		result->reason = REPLY_NO_MEMORY;
	else
		result->reason = judge(&work, reply, length);
	if (result->reason == REPLY_ACCEPTED && !copy_turns(&work))
	{
		reply_result_free(result);
		result->reason = REPLY_NO_MEMORY;
	}
	if (result->reason != REPLY_ACCEPTED)
		result->flags = 0;
	parts_free(&work.parts);
	free(work.buffer);
	free(work.origin);
}

void
reply_result_free(ReplyResult *result)
{
	for (int i = 0; i < result->n_turns; i++)
		free(result->turns[i].text);
	free(result->turns);
	memset(result, 0, sizeof(*result));
}
