/*
 * scan.c
 *	  Reads a chat completion in one pass, without building a tree.
 *
 * The whole body is checked to be JSON (RFC 8259) in UTF-8, but only what the
 * envelope needs is kept.  The scan is unsure, and leaves the body to jansson, where jansson
 * could come to another result: a name that comes twice or has an escape, an error object,
 * content that is not a string, thinking in unusual members, usage under other names,
 * surrogates, numbers that could overflow, deep nesting.
 */
#include "envelope.h"

#include "escapes.h"
#include "wrapping.h"

#include <stdlib.h>
#include <string.h>

#define MOST_DEPTH 32
#define MOST_DIGITS 18			/* of any integer that fits into 63 bits */

typedef struct Span
{
	const char *p;				/* after the opening quote; NULL: not there */
	size_t		size;
	bool		escaped;
} Span;

typedef struct Scan
{
	const char *p;
	const char *end;
} Scan;

/* What the envelope is made of; a Span of NULL was missing or null. */
typedef struct Found
{
	bool		choices;
	bool		message;
	bool		usage;
	bool		usage_object;
	bool		choice_usage;
	Span		model;
	Span		finish_reason;
	Span		content;
	Span		refusal;
	Span		reasoning_content;
	Span		reasoning;
	int64_t		prompt_tokens;
	int64_t		completion_tokens;
} Found;

/* Reads the value of a member; the scan is at its first byte. */
typedef bool (*Member) (Scan *scan, const char *name, size_t size, Found *found);

static void
skip_blanks(Scan *scan)
{
	while (scan->p < scan->end &&
		   (*scan->p == ' ' || *scan->p == '\n' || *scan->p == '\r' || *scan->p == '\t'))
		scan->p++;
}

static bool
take(Scan *scan, char c)
{
	if (scan->p == scan->end || *scan->p != c)
		return false;
	scan->p++;
	return true;
}

static bool
take_word(Scan *scan, const char *word)
{
	size_t		size = strlen(word);

	if ((size_t) (scan->end - scan->p) < size || memcmp(scan->p, word, size) != 0)
		return false;
	scan->p += size;
	return true;
}

/* The code behind "\u"; -1: none, or a surrogate. */
static int
unicode_escape(const char *p, const char *end)
{
	int			code = escape_hex_number(p, (size_t) (end - p), 4);

	return code >= 0xd800 && code <= 0xdfff ? -1 : code;
}

static bool
take_escape(Scan *scan)
{
	scan->p++;
	if (scan->p == scan->end)
		return false;
	if (*scan->p == 'u')
	{
		if (unicode_escape(scan->p + 1, scan->end) < 0)
			return false;
		scan->p += 5;
		return true;
	}
	return *scan->p != '\0' && strchr("\"\\/bfnrt", *scan->p++) != NULL;
}

static bool
take_string(Scan *scan, Span *span)
{
	span->escaped = false;
	if (!take(scan, '"'))
		return false;
	span->p = scan->p;
	while (scan->p < scan->end && *scan->p != '"')
	{
		unsigned char c = (unsigned char) *scan->p;
		size_t		size = 1;

		if (c == '\\')
		{
			span->escaped = true;
			if (!take_escape(scan))
				return false;
			continue;
		}
		if (c < 0x20 || (c >= 0x80 && (size = wrapping_character_size(scan->p, scan->end)) == 0))
			return false;
		scan->p += size;
	}
	span->size = (size_t) (scan->p - span->p);
	return take(scan, '"');
}

static bool
take_digits(Scan *scan)
{
	const char *first = scan->p;

	while (scan->p < scan->end && *scan->p >= '0' && *scan->p <= '9')
		scan->p++;
	return scan->p > first && scan->p - first <= MOST_DIGITS;
}

/* *whole: its value; -1 if it has a fraction. */
static bool
take_number(Scan *scan, int64_t *whole)
{
	bool		negative = take(scan, '-');
	const char *first = scan->p;

	*whole = 0;
	if (!take_digits(scan) || (*first == '0' && scan->p - first > 1))
		return false;
	for (const char *p = first; p < scan->p; p++)
		*whole = *whole * 10 + (*p - '0');
	if (negative)
		*whole = -*whole;
	if (scan->p < scan->end && *scan->p == '.')
	{
		scan->p++;
		*whole = -1;
		if (!take_digits(scan))
			return false;
	}
	return scan->p == scan->end || (*scan->p != 'e' && *scan->p != 'E');
}

/* Skips a string, number or literal. */
static bool
skip_scalar(Scan *scan)
{
	Span		span;
	int64_t		number;

	if (scan->p == scan->end)
		return false;
	switch (*scan->p)
	{
		case '"':
			return take_string(scan, &span);
		case 't':
			return take_word(scan, "true");
		case 'f':
			return take_word(scan, "false");
		case 'n':
			return take_word(scan, "null");
		default:
			return take_number(scan, &number);
	}
}

/* A name, its colon and the blanks around them. */
static bool
take_name(Scan *scan, Span *name)
{
	skip_blanks(scan);
	if (!take_string(scan, name) || name->escaped)
		return false;
	skip_blanks(scan);
	if (!take(scan, ':'))
		return false;
	skip_blanks(scan);
	return true;
}

/* Skips any value. */
static bool
skip_value(Scan *scan)
{
	char		closing[MOST_DEPTH];
	int			depth = 0;
	Span		name;

	for (;;)
	{
		bool		opened = false;

		skip_blanks(scan);
		if (scan->p < scan->end && (*scan->p == '{' || *scan->p == '['))
		{
			if (depth == MOST_DEPTH)
				return false;
			closing[depth++] = *scan->p == '{' ? '}' : ']';
			scan->p++;
			skip_blanks(scan);
			opened = true;
		}
		else if (!skip_scalar(scan))
			return false;
		/* close what is complete */
		while (depth > 0)
		{
			skip_blanks(scan);
			if (!take(scan, closing[depth - 1]))
				break;
			depth--;
			opened = false;
		}
		if (depth == 0)
			return true;
		if (!opened && !take(scan, ','))
			return false;
		if (closing[depth - 1] == '}' && !take_name(scan, &name))
			return false;
	}
}

/* An object; calls member for each of its members. */
static bool
read_object(Scan *scan, Member member, Found *found)
{
	Span		name;

	if (!take(scan, '{'))
		return false;
	skip_blanks(scan);
	if (take(scan, '}'))
		return true;
	do
	{
		if (!take_name(scan, &name) || !member(scan, name.p, name.size, found))
			return false;
		skip_blanks(scan);
	} while (take(scan, ','));
	return take(scan, '}');
}

static bool
is_name(const char *name, size_t size, const char *wanted)
{
	return size == strlen(wanted) && memcmp(name, wanted, size) == 0;
}

/* A string or null, which may come once. */
static bool
take_text(Scan *scan, Span *span)
{
	if (span->p != NULL)
		return false;
	return take_word(scan, "null") || take_string(scan, span);
}

static bool
take_count(Scan *scan, int64_t *count)
{
	int64_t		number;

	if (*count >= 0 || !take_number(scan, &number) || number < 0)
		return false;
	*count = number;
	return true;
}

static bool
usage_member(Scan *scan, const char *name, size_t size, Found *found)
{
	if (is_name(name, size, "prompt_tokens"))
		return take_count(scan, &found->prompt_tokens);
	if (is_name(name, size, "completion_tokens"))
		return take_count(scan, &found->completion_tokens);
	return skip_value(scan);
}

static bool
message_member(Scan *scan, const char *name, size_t size, Found *found)
{
	if (is_name(name, size, "content"))
		return found->content.p == NULL && take_string(scan, &found->content);
	if (is_name(name, size, "refusal"))
		return take_text(scan, &found->refusal);
	if (is_name(name, size, "reasoning_content"))
		return take_text(scan, &found->reasoning_content);
	if (is_name(name, size, "reasoning"))
		return take_text(scan, &found->reasoning);
	return envelope_is_thinking(name, size) ? take_word(scan, "null") : skip_value(scan);
}

static bool
choice_member(Scan *scan, const char *name, size_t size, Found *found)
{
	if (is_name(name, size, "finish_reason"))
		return take_text(scan, &found->finish_reason);
	if (is_name(name, size, "message"))
	{
		if (found->message)
			return false;
		found->message = true;
		return read_object(scan, message_member, found);
	}
	if (is_name(name, size, "error"))
		return take_word(scan, "null");
	found->choice_usage |= is_name(name, size, "usage");
	return skip_value(scan);
}

static bool
read_choices(Scan *scan, Found *found)
{
	if (found->choices || !take(scan, '['))
		return false;
	found->choices = true;
	skip_blanks(scan);
	if (!read_object(scan, choice_member, found))
		return false;
	skip_blanks(scan);
	while (take(scan, ','))
	{
		if (!skip_value(scan))
			return false;
		skip_blanks(scan);
	}
	return take(scan, ']');
}

static bool
root_member(Scan *scan, const char *name, size_t size, Found *found)
{
	if (is_name(name, size, "choices"))
		return read_choices(scan, found);
	if (is_name(name, size, "error"))
		return take_word(scan, "null");
	if (is_name(name, size, "model"))
		return take_text(scan, &found->model);
	if (is_name(name, size, "usage"))
	{
		if (found->usage)
			return false;
		found->usage = true;
		if (take_word(scan, "null"))
			return true;
		found->usage_object = true;
		return read_object(scan, usage_member, found);
	}
	/* members in which some servers put errors or usage */
	if (is_name(name, size, "base_resp") || is_name(name, size, "input_sensitive") ||
		is_name(name, size, "output_sensitive") || is_name(name, size, "usageMetadata") ||
		is_name(name, size, "usage_metadata") || is_name(name, size, "token_usage"))
		return take_word(scan, "null");
	return skip_value(scan);
}

/* Decoded, malloc'd and NUL-ended; an escape is never shorter than its meaning. */
static char *
text_of(const Span *span, size_t *size)
{
	static const char letters[] = "bfnrt\"\\/";
	static const char meanings[] = "\b\f\n\r\t\"\\/";
	char	   *text = malloc(span->size + 1);
	char	   *out = text;
	const char *end = span->p + span->size;

	if (text == NULL)
		return NULL;
	for (const char *p = span->p; p < end;)
	{
		const char *escape = span->escaped ? memchr(p, '\\', (size_t) (end - p)) : NULL;
		size_t		plain = (size_t) ((escape == NULL ? end : escape) - p);

		memcpy(out, p, plain);
		out += plain;
		p += plain;
		if (escape == NULL)
			continue;
		if (p[1] == 'u')
		{
			out += escape_put_character(out, (uint32_t) unicode_escape(p + 2, end));
			p += 6;
		}
		else
		{
			*out++ = meanings[strchr(letters, p[1]) - letters];
			p += 2;
		}
	}
	*out = '\0';
	*size = (size_t) (out - text);
	return text;
}

/* *copy is NULL where there is none; it ends at a NUL, as jansson's strings do. */
static bool
copy_span(char **copy, const Span *span)
{
	size_t		size;

	*copy = span->p == NULL ? NULL : text_of(span, &size);
	return span->p == NULL || *copy != NULL;
}

static EnvelopeScan
fill(VlmEnvelope *envelope, const Found *found)
{
	memset(envelope, 0, sizeof(*envelope));
	envelope->prompt_tokens = found->prompt_tokens;
	envelope->completion_tokens = found->completion_tokens;
	envelope->has_reasoning = found->reasoning_content.size > 0 || found->reasoning.size > 0;
	envelope->content = text_of(&found->content, &envelope->content_size);
	if (envelope->content != NULL && copy_span(&envelope->finish_reason, &found->finish_reason) &&
		copy_span(&envelope->model, &found->model))
		return ENVELOPE_READ;
	vlm_envelope_free(envelope);
	return ENVELOPE_NO_MEMORY;
}

EnvelopeScan
envelope_scan(const char *body, size_t size, VlmEnvelope *envelope)
{
	Scan		scan = {body, body + size};
	Found		found = {.prompt_tokens = -1,.completion_tokens = -1};

	skip_blanks(&scan);
	if (!read_object(&scan, root_member, &found))
		return ENVELOPE_UNSURE;
	skip_blanks(&scan);
	if (scan.p != scan.end || found.content.p == NULL || found.refusal.size > 0)
		return ENVELOPE_UNSURE;
	/* usage with other names, or with impossible counts */
	if (found.usage_object && (found.prompt_tokens <= 0 || found.completion_tokens < 0))
		return ENVELOPE_UNSURE;
	/* usage may stand in the choice */
	if (!found.usage_object && found.choice_usage)
		return ENVELOPE_UNSURE;
	return fill(envelope, &found);
}
