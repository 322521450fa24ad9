/*
 * token_scan.c
 *	  Finds control tokens in a text, and cuts the text where the model's turn ends.
 */
#include "tokens.h"

#define TOKEN_BYTES 64			/* more than any token has */

/* ---- one token ---- */

static const char wide_bar[] = "\xEF\xBD\x9C";
static const char low_block[] = "\xE2\x96\x81";

/* Whether this may stand in the name of a barred token. */
static bool
is_barred_name(const char *p, const char *end, bool wide, const TokenIndex *index)
{
	return is_alnum(*p) || *p == '_' || *p == '-' || (wide && (unsigned char) *p >= 0x80) ||
		(index == &tokens_now && text_starts(text_span(p, end), low_block));
}

/*
 * Behind the name at p of a barred token, copied to name with '_' for U+2581; NULL if
 * there is none.  Loose: any name on one line.
 */
static const char *
barred_name(const char *p, const char *end, bool wide, const TokenIndex *index, bool loose,
			char *name, size_t *n)
{
	const char *stop = p + TOKEN_BYTES - 1 - (wide ? 3 : 1);

	for (*n = 0; p < end; (*n)++)
	{
		if (wide ? text_starts(text_span(p, end), wide_bar) : *p == '|')
			return p;
		if (p >= stop || *p == '\n' || *p == '<' ||
			!(loose || is_barred_name(p, end, wide, index)))
			return NULL;
		name[*n] = text_starts(text_span(p, end), low_block) ? '_' : *p;
		p += name[*n] == '_' && *p != '_' ? 3 : 1;
	}
	return NULL;
}

static bool
barred_at(Span rest, const TokenIndex *index, bool loose, ReplyToken *token)
{
	const char *end = rest.p + rest.n;
	bool		wide = rest.n > 4 && memcmp(rest.p + 1, wide_bar, 3) == 0;
	size_t		bar = wide ? 3 : 1;
	char		name[TOKEN_BYTES];
	size_t		n;
	const char *behind;

	if (!wide && (rest.n < 2 || rest.p[1] != '|'))
		return false;
	behind = barred_name(rest.p + 1 + bar, end, wide, index, loose, name, &n);
	if (behind == NULL || (n == 0 && !loose) || (size_t) (end - behind) <= bar || behind[bar] != '>')
		return false;
	token->entry = tokens_find_entry(index, BARRED, name, name + n, &token->closing);
	token->kind = token->entry == NULL ? TOKEN_OTHER : token->entry->kind;
	token->end = behind + bar + 1;
	token->word = false;
	/* the names of end_of_thought and END_THINKING say that they close */
	token->closing |= n > 4 && memcmp(name, "end_", 4) == 0;
	token->closing |= n > 4 && memcmp(name, "END_", 4) == 0;
	return true;
}

/* A token between other brackets, whose name is at p and must end with close. */
static bool
bracketed_at(const char *p, const char *end, TokenForm form, const char *close,
			 const TokenIndex *index, ReplyToken *token)
{
	const char *stop = end - p > TOKEN_BYTES ? p + TOKEN_BYTES : end;
	const char *q = p;

	while (q < stop && *q != '\n' && *q != '<' && *q != '[' && *q != *close)
		q++;
	if (!text_starts(text_span(q, end), close))
		return false;
	token->entry = tokens_find_entry(index, form, p, q, &token->closing);
	if (token->entry == NULL)
		return false;
	token->kind = token->entry->kind;
	token->word = token->entry->word;
	token->end = q + strlen(close);
	return true;
}

static bool
token_at(Span rest, const TokenIndex *index, bool loose, ReplyToken *token)
{
	const char *end = rest.p + rest.n;

	token->at = rest.p;
	if (*rest.p == '<')
		return barred_at(rest, index, loose, token) ||
			bracketed_at(rest.p + 1, end, ANGLE, ">", index, token);
	if (*rest.p == '[')
		return bracketed_at(rest.p + 1, end, SQUARE, "]", index, token);
	return text_starts(rest, "◁") && bracketed_at(rest.p + strlen("◁"), end, TRIANGLE, "▷", index, token);
}

/* ---- a token that a text only names ---- */

static bool
ends_with_any(const char *start, const char *p, const char *const *words)
{
	for (; *words != NULL; words++)
	{
		size_t		n = strlen(*words);

		if ((size_t) (p - start) >= n && memcmp(p - n, *words, n) == 0)
			return true;
	}
	return false;
}

static const char *
back_over_blanks(const char *start, const char *p)
{
	static const char *const blanks[] = {" ", "\t", NULL};

	while (p > start && (ends_with_any(start, p, blanks)))
		p--;
	return p;
}

static const char *const sentence_ends[] = {
	"。", "！", "？", "…", ".", "!", "?", "。”", "！”", "？”", "。」", "。』", "。）", "`", "*", "|", ">", "]", "}", "】", "～", "~", NULL
};

/*
 * Whether a text names the token rather than holds it: it stands in quotation marks, or
 * is set off inside a sentence.
 */
static bool
is_named(Span text, const ReplyToken *token)
{
	static const char *const opening[] = {"“", "‘", "「", "『", "《", "（", "(", "\"", "'", "`", "【", NULL};
	static const char *const closing[] = {"”", "’", "」", "』", "》", "）", ")", "\"", "'", "`", "】", NULL};
	static const char *const before[] = {" ", "\t", "、", "，", "：", ",", ":", NULL};
	static const char *const behind[] = {" ", "\t", "、", "，", "。", "；", "：", ",", ".", ";", ":", NULL};
	const char *end = text.p + text.n;
	const char *previous = back_over_blanks(text.p, token->at);
	const char *next = text_skip_blanks(token->end, end);

	if (token->end == end || *token->end == '<' || *token->end == '\n' || is_alnum(*token->end))
		return false;
	if (ends_with_any(text.p, token->at, opening) && text_skip_one(token->end, end, closing) != NULL)
		return true;
	if (!ends_with_any(text.p, token->at, before) || text_skip_one(token->end, end, behind) == NULL)
		return false;
	return previous > text.p && previous[-1] != '\n' && !ends_with_any(text.p, previous, sentence_ends) &&
		next < end && *next != '\n' && *next != '<';
}

void
tokens_begin(TokenScan *scan, Span text, bool loose, bool triangles)
{
	tokens_make_index();
	scan->text = text;
	scan->p = scan->angle = scan->square = text.p;
	scan->triangle = triangles ? text.p : NULL;
	scan->loose = loose;
}

void
work_scan(const Work *work, TokenScan *scan, Span text)
{
	tokens_begin(scan, text, false, work->seen.triangles > 0);
}

/* Whether a token's name may begin with this byte; rules out nearly all brackets. */
static bool
may_begin_name(char c)
{
	return is_alnum(c) || c == '|' || c == '/' || (unsigned char) c >= 0x80;
}

/* Where the next token with this bracket may be; searched anew only behind the last one. */
static const char *
next_start(const char **known, const char *p, const char *end, char start)
{
	if (*known != NULL && *known <= p)
	{
		while ((p = memchr(p, start, (size_t) (end - p))) != NULL)
		{
			while (p < end && *p == start && (p + 1 == end || !may_begin_name(p[1])))
				p++;
			if (p == end || *p == start)
				break;
		}
		*known = p == end ? NULL : p;
	}
	return *known == NULL ? end : *known;
}

static const char *
next_triangle(const char **known, const char *p, const char *end)
{
	if (*known != NULL && *known <= p)
		*known = text_find(text_span(p, end), "◁");
	return *known == NULL ? end : *known;
}

bool
tokens_next(TokenScan *scan, ReplyToken *token)
{
	const char *end = scan->text.p + scan->text.n;

	while (scan->p < end)
	{
		const char *angle = next_start(&scan->angle, scan->p, end, '<');
		const char *square = next_start(&scan->square, scan->p, end, '[');
		const char *triangle = next_triangle(&scan->triangle, scan->p, end);
		const char *p = angle < square ? angle : square;

		p = p < triangle ? p : triangle;
		scan->p = p + 1;
		if (p == end)
			return false;
		if (!token_at(text_span(p, end), &tokens_now, scan->loose, token) ||
			(token->word && is_named(scan->text, token)))
			continue;
		scan->p = token->end;
		return true;
	}
	return false;
}

bool
token_begins(Span text, ReplyToken *token)
{
	tokens_make_index();
	return text.n > 0 && token_at(text, &tokens_now, false, token);
}

bool
token_pairs(const ReplyToken *token, const ReplyToken *closing)
{
	return closing->closing && token->kind == closing->kind &&
		(token->entry == closing->entry || (token->entry->form == BARRED && closing->entry->form == BARRED));
}

bool
token_ends(Span text, const ReplyToken *token)
{
	const char *end = text.p + text.n;
	const char *previous = back_over_blanks(text.p, token->at);
	const char *next = text_skip_blanks(token->end, end);

	return !token->word || previous == text.p || previous[-1] == '\n' || next == end ||
		*next == '\n' || *next == '<' || ends_with_any(text.p, previous, sentence_ends);
}

/* Whether nothing but tokens and white space follows; *other: what does. */
static bool
is_last(Span text, const ReplyToken *token, const char **other)
{
	const char *end = text.p + text.n;
	ReplyToken	next = *token;
	Span		rest;

	for (;;)
	{
		rest = text_trim(text_span(next.end, end));
		if (rest.n == 0)
			return true;
		if (!token_begins(rest, &next) ||
			(next.kind != TOKEN_LAST && next.kind != TOKEN_END))
			break;
		if (next.kind == TOKEN_END)
			return true;
	}
	*other = rest.p;
	return false;
}

/* The two that stop sequences leave behind, which are cut without a flag. */
static bool
is_usual_end(const ReplyToken *token)
{
	return token->kind == TOKEN_END && token->at[1] == '|' &&
		(strcmp(token->entry->name, "im_end") == 0 || strcmp(token->entry->name, "endoftext") == 0);
}

ReplyReason
text_cut_at_token(Span *text, bool triangles, const char **where, uint32_t *flags)
{
	const char *special = NULL;
	const char *image = NULL;
	const char *debris = NULL;
	const char *other = text->p;	/* a token before it is not the last */
	ReplyToken	token;
	TokenScan	scan;

	tokens_begin(&scan, *text, true, triangles);
	while (tokens_next(&scan, &token))
	{
		bool		ends = token.kind == TOKEN_END ? token_ends(*text, &token) :
		token.kind == TOKEN_LAST && token.at >= other && is_last(*text, &token, &other);

		if (ends)
		{
			*flags |= is_usual_end(&token) ? 0 : REPLY_TOKENS_REMOVED;
			text->n = (size_t) (token.at - text->p);
			break;
		}
		if (token.kind == TOKEN_IMAGE || token.kind == TOKEN_MEDIA)
			image = image == NULL ? token.at : image;
		else if (token.kind == TOKEN_DEBRIS)
			debris = debris == NULL ? token.at : debris;
		else if (token.kind != TOKEN_MARK && token.kind != TOKEN_ANSWER)
			special = special == NULL ? token.at : special;
	}
	*where = special != NULL ? special : image != NULL ? image : debris;
	return special != NULL ? REPLY_SPECIAL_TOKEN : image != NULL ? REPLY_IMAGE_TOKEN_LEAK :
		debris != NULL ? REPLY_TOKEN_DEBRIS : REPLY_ACCEPTED;
}

/* ---- exports ---- */

/* The first token by the rules of 1.0.0, which knew two forms. */
static bool
find_of_1_0(Span text, ReplyToken *token)
{
	const char *end = text.p + text.n;

	tokens_make_index();
	for (const char *p = text.p; p < end && (p = memchr(p, '<', (size_t) (end - p))) != NULL; p++)
		if (token_at(text_span(p, end), &tokens_of_1_0, false, token))
			return true;
	return false;
}

bool
text_find_token(Span text, bool triangles, ReplyToken *token)
{
	TokenScan	scan;

	tokens_begin(&scan, text, false, triangles);
	while (tokens_next(&scan, token))
		if (token->kind != TOKEN_ANSWER)
			return true;
	return false;
}

const char *
reply_find_token(const char *text, size_t length, int rules, ReplyToken *token)
{
	Span		span = {text, length};
	bool		found = rules < REPLY_TOKEN_RULES ? find_of_1_0(span, token) :
	text_find_token(span, true, token);

	return found ? token->at : NULL;
}
