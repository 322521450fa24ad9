/*
 * reply.c
 *	  The order of work on one reply (replies.md, section 1).
 *
 * The normalised reply is one working buffer that only ever shrinks; turns are
 * spans of it until the very end.  Once something has been taken out of it, there
 * lies beside it, for each of its bytes, where in the raw reply it stood, so that a
 * verdict can point there.
 */
#include "object.h"

#include <stdlib.h>

static const char *const reason_names[REPLY_REASONS] = {
	NULL, "empty", "refusal", "image_not_seen", "template_echo", "prompt_echo", "unclosed_think",
	"truncated", "no_user_first", "empty_turn", "roles_not_alternating", "ambiguous_role",
	"no_question", "no_answer", "not_complex", "too_short", "too_long", "too_few_rounds",
	"degenerate", "language", "special_token", "image_token_leak", "transport_error", "bad_utf8",
	"unparsable", "no_memory", "mojibake", "token_debris", "no_object", "missing_key", "bad_value",
	"too_large"
};

static const char *const flag_names[REPLY_FLAGS] = {
	"think_removed", "preamble_dropped", "closing_trimmed", "salvaged", "merged_turns",
	"leading_turn_dropped", "dangling_turn_dropped", "trimmed_rounds", "duplicate_round_dropped",
	"refused_round_dropped", "extra_pairs", "short_dialogue", "zh_hant", "pii",
	"dangling_reference", "meta_leak", "odd_finish", "answer_unwrapped", "tokens_removed",
	"stream_removed", "marks_removed", "entities_decoded", "clipped", "duplicate_key", "white_space"
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
	if (kind == REPLY_OBJECT)
	{
		rules->max_rounds = 1;
		return;
	}
	rules->max_rounds = kind == REPLY_DIALOGUE ? 5 : 1;
	rules->min_question_chars = kind == REPLY_DIALOGUE ? 4 : 0;
	rules->max_question_chars = kind == REPLY_DIALOGUE ? 200 : 0;
	rules->min_answer_chars = kind == REPLY_DIALOGUE ? 6 : 0;
	rules->min_letters = kind == REPLY_QUESTION_ANSWER ? 100 : 80;
	rules->min_language_share = 0.3;
	rules->max_loop_share = 0.2;
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
	ReplyReason reason = work_normalise(work, reply, size);

	work->raw = text_span(reply, reply + size);
	if (reason != REPLY_ACCEPTED)
		return reason;
	work->text = text_trim(work->text);
	work->result->measures.chars = (int) text_chars(work->text);
	if (is_empty(work->text))
		return REPLY_EMPTY;
	if (is_html(work->text) || is_error_json(work->text))
		return REPLY_TRANSPORT_ERROR;
	work->may_have_tokens = work->seen.triangles > 0 ||
		memchr(work->text.p, '<', work->text.n) != NULL || memchr(work->text.p, '[', work->text.n) != NULL;
	work->may_have_entities = memchr(work->text.p, '&', work->text.n) != NULL;
	work_unwrap_stream(work);
	work_unwrap_head(work);
	reason = work_remove_think(work);
	if (reason != REPLY_ACCEPTED)
		return reason;
	work_unwrap_head(work);
	if (work_json(work) == NULL && !work_undo_written_newlines(work))
		return REPLY_NO_MEMORY;
	if (is_empty(text_trim(work->text)))
		return REPLY_EMPTY;
	reason = work_look_for_tokens(work);
	if (reason != REPLY_ACCEPTED)
		return reason;
	work->text = text_trim(work->text);
	if (is_empty(work->text))
		return REPLY_EMPTY;
	reason = work_look_for_garbage(work);
	if (reason != REPLY_ACCEPTED)
		return reason;
	if (is_template(work->text))
		return REPLY_TEMPLATE_ECHO;
	if (check_prompt_echo(work->text, work->rules->prompts))
		return REPLY_PROMPT_ECHO;
	if (!has_label(work->text))
		reason = check_notice(work->text);
	return reason == REPLY_ACCEPTED ? work_parse_content(work) : reason;
}

/* Why a reply has no object that counts: what it is instead, if that can be told. */
static ReplyReason
judge_other(Work *work, const char *reply, size_t size, ReplyReason reason)
{
	ReplyReason other;

	work->buffer = malloc(size + 1);
	if (work->buffer == NULL)
		return REPLY_NO_MEMORY;
	other = work_normalise(work, reply, size);
	if (other != REPLY_ACCEPTED)
		return other;
	work->text = text_trim(work->text);
	if (is_html(work->text) || is_error_json(work->text))
		return REPLY_TRANSPORT_ERROR;
	if (reason == REPLY_MISSING_KEY)
		return reason;
	if (is_empty(work->text))
		return REPLY_EMPTY;
	if (is_template(work->text))
		return REPLY_TEMPLATE_ECHO;
	if (check_prompt_echo(work->text, work->rules->prompts))
		return REPLY_PROMPT_ECHO;
	other = check_notice(work->text);
	return other == REPLY_ACCEPTED ? reason : other;
}

static ReplyReason
judge_object(Work *work, const char *reply, size_t size)
{
	ReplyReason reason = object_judge(work, reply, size);

	return reason == REPLY_NO_OBJECT || reason == REPLY_MISSING_KEY ? judge_other(work, reply, size, reason) : reason;
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
	if (rules->kind == REPLY_OBJECT)
		result->reason = judge_object(&work, reply, length);
	else if ((work.buffer = malloc(length + 1)) == NULL)
		result->reason = REPLY_NO_MEMORY;
	else
		result->reason = judge(&work, reply, length);
	if (result->reason == REPLY_ACCEPTED && rules->kind != REPLY_OBJECT && !copy_turns(&work))
	{
		reply_result_free(result);
		result->reason = REPLY_NO_MEMORY;
	}
	if (result->reason != REPLY_ACCEPTED)
		result->flags &= REPLY_WHITE_SPACE;
	else if (finish == REPLY_FINISH_OTHER)
		result->flags |= REPLY_ODD_FINISH;
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
	free(result->object);
	memset(result, 0, sizeof(*result));
}
