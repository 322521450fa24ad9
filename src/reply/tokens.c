/*
 * tokens.c
 *	  Control tokens of the models' families, one list for the parser and for exports: the
 *	  parser takes off or refuses what an export would leave out.
 *
 * The list is data: a new token is a line.  Lists of earlier rules stay as they were, for
 * an export that was recorded by them is written again by them.
 */
#include "parts.h"

#include <pthread.h>

#define TOKEN_BYTES 64			/* what is longer is no token of any model */

typedef enum TokenForm
{
	ANGLE,						/* <name> and </name> */
	BARRED,						/* <|name|>, letters folded, U+2581 as '_';
								 * wide bars too */
	SQUARE,						/* [NAME] and [/NAME] */
	TRIANGLE					/* U+25C1 name U+25B7, Kimi's */
}			TokenForm;

/* In a name '#' stands for digits (there may be none), '@' for one hexadecimal digit. */
typedef struct TokenEntry
{
	const char *name;
	TokenForm	form;
	TokenKind	kind;
	bool		word;			/* people write about it: it may be named in a
								 * text */
}			TokenEntry;

static const TokenEntry entries[] = {
	{"image", ANGLE, TOKEN_IMAGE, false},
	{"video", ANGLE, TOKEN_MEDIA, false},
	{"audio", ANGLE, TOKEN_MEDIA, false},

	/* thoughts, and answers beside them */
	{"think", ANGLE, TOKEN_THINK, true},
	{"thinking", ANGLE, TOKEN_THINK, true},
	{"thought", ANGLE, TOKEN_THINK, true},
	{"thoughts", ANGLE, TOKEN_THINK, true},
	{"reasoning", ANGLE, TOKEN_THINK, true},
	{"reflection", ANGLE, TOKEN_THINK, true},
	{"seed:think", ANGLE, TOKEN_THINK, true},
	{"longcat_think", ANGLE, TOKEN_THINK, true},
	{"antthinking", ANGLE, TOKEN_THINK, true},
	{"THINK", SQUARE, TOKEN_THINK, true},
	{"think", TRIANGLE, TOKEN_THINK, true},
	{"begin_of_thought", BARRED, TOKEN_THINK, false},
	{"end_of_thought", BARRED, TOKEN_THINK, false},
	{"start_thinking", BARRED, TOKEN_THINK, false},
	{"end_thinking", BARRED, TOKEN_THINK, false},
	{"answer", ANGLE, TOKEN_ANSWER, true},
	{"final_answer", ANGLE, TOKEN_ANSWER, true},
	{"response", ANGLE, TOKEN_ANSWER, true},
	{"output", ANGLE, TOKEN_ANSWER, true},
	{"conclusion", ANGLE, TOKEN_ANSWER, true},
	{"final", ANGLE, TOKEN_ANSWER, true},
	{"result", ANGLE, TOKEN_ANSWER, true},
	{"description", ANGLE, TOKEN_ANSWER, true},
	{"caption", ANGLE, TOKEN_ANSWER, true},
	{"begin_of_box", BARRED, TOKEN_MARK, false},
	{"end_of_box", BARRED, TOKEN_MARK, false},
	{"begin_of_solution", BARRED, TOKEN_MARK, false},
	{"end_of_solution", BARRED, TOKEN_MARK, false},
	{"start_response", BARRED, TOKEN_MARK, false},
	{"end_response", BARRED, TOKEN_MARK, false},

	/* where a reply ends */
	{"im_end", BARRED, TOKEN_END, false},
	{"endoftext", BARRED, TOKEN_END, false},
	{"end_of_text", BARRED, TOKEN_END, false},
	{"eot_id", BARRED, TOKEN_END, false},
	{"eom_id", BARRED, TOKEN_END, false},
	{"eot", BARRED, TOKEN_END, false},
	{"eos", BARRED, TOKEN_END, false},
	{"end", BARRED, TOKEN_END, false},
	{"return", BARRED, TOKEN_END, false},
	{"observation", BARRED, TOKEN_END, false},
	{"end_of_sentence", BARRED, TOKEN_END, false},
	{"end_of_turn_token", BARRED, TOKEN_END, false},
	{"end_of_role", BARRED, TOKEN_HEAD, false},
	{"eod", BARRED, TOKEN_END, false},
	{"im_end", ANGLE, TOKEN_END, false},
	{"end_of_turn", ANGLE, TOKEN_END, false},
	{"end_of_utterance", ANGLE, TOKEN_END, false},
	{"eoa", ANGLE, TOKEN_END, true},
	{"eos", ANGLE, TOKEN_END, true},
	{"eot", ANGLE, TOKEN_END, true},
	{"eod", ANGLE, TOKEN_END, true},
	{"/s", ANGLE, TOKEN_END, true},
	{"EOS", SQUARE, TOKEN_END, true},
	{"UNUSED_TOKEN_145", SQUARE, TOKEN_END, false},
	{"pad", BARRED, TOKEN_LAST, false},
	{"pad", ANGLE, TOKEN_LAST, true},
	{"PAD", SQUARE, TOKEN_LAST, true},

	/* where one begins */
	{"s", ANGLE, TOKEN_BEGIN, true},
	{"bos", ANGLE, TOKEN_BEGIN, true},
	{"sop", ANGLE, TOKEN_BEGIN, false},
	{"BOS", SQUARE, TOKEN_BEGIN, true},
	{"gMASK", SQUARE, TOKEN_BEGIN, false},
	{"sop", BARRED, TOKEN_BEGIN, false},
	{"bos", BARRED, TOKEN_BEGIN, false},
	{"startoftext", BARRED, TOKEN_BEGIN, false},
	{"begin_of_text", BARRED, TOKEN_BEGIN, false},
	{"begin_of_sentence", BARRED, TOKEN_BEGIN, false},
	{"start_of_turn_token", BARRED, TOKEN_BEGIN, false},
	{"assistant", BARRED, TOKEN_BEGIN, false},
	{"chatbot_token", BARRED, TOKEN_BEGIN, false},
	{"bot", BARRED, TOKEN_BEGIN, false},
	{"AI", ANGLE, TOKEN_BEGIN, true},
	{"im_middle", BARRED, TOKEN_HEAD, false},
	{"im_sep", BARRED, TOKEN_HEAD, false},
	{"im_assistant", BARRED, TOKEN_HEAD, false},
	{"start", BARRED, TOKEN_HEAD, false},
	{"start_header_id", BARRED, TOKEN_HEAD, false},
	{"end_header_id", BARRED, TOKEN_HEAD, false},
	{"start_of_role", BARRED, TOKEN_HEAD, false},
	{"start_of_turn", ANGLE, TOKEN_HEAD, false},
	{"channel", BARRED, TOKEN_CHANNEL, false},
	{"message", BARRED, TOKEN_MESSAGE, false},

	/* pieces of bytes and of words that a tokenizer did not put together */
	{"0x@@", ANGLE, TOKEN_DEBRIS, true},
	{"/w", ANGLE, TOKEN_DEBRIS, true},

	/* what has no place in a reply */
	{"unk", ANGLE, TOKEN_OTHER, true},
	{"mask", ANGLE, TOKEN_OTHER, true},
	{"cls", ANGLE, TOKEN_OTHER, true},
	{"sep", ANGLE, TOKEN_OTHER, true},
	{"img", ANGLE, TOKEN_OTHER, false},
	{"ref", ANGLE, TOKEN_OTHER, false},
	{"box", ANGLE, TOKEN_OTHER, false},
	{"quad", ANGLE, TOKEN_OTHER, false},
	{"bbox", ANGLE, TOKEN_OTHER, false},
	{"ref-object", ANGLE, TOKEN_OTHER, false},
	{"cot-process", ANGLE, TOKEN_OTHER, false},
	{"im_patch", ANGLE, TOKEN_OTHER, false},
	{"im_start", ANGLE, TOKEN_OTHER, false},
	{"IMG_CONTEXT", ANGLE, TOKEN_OTHER, false},
	{"img_context", ANGLE, TOKEN_OTHER, false},
	{"image_soft_token", ANGLE, TOKEN_OTHER, false},
	{"audio_soft_token", ANGLE, TOKEN_OTHER, false},
	{"image_id", ANGLE, TOKEN_OTHER, false},
	{"image_#", ANGLE, TOKEN_OTHER, false},
	{"img_#", ANGLE, TOKEN_OTHER, false},
	{"img-#", SQUARE, TOKEN_OTHER, false},
	{"minimax:tool_call", ANGLE, TOKEN_OTHER, false},
	{"slice", ANGLE, TOKEN_OTHER, false},
	{"image_pad", ANGLE, TOKEN_OTHER, false},
	{"image_placeholder", ANGLE, TOKEN_OTHER, false},
	{"ImageHere", ANGLE, TOKEN_OTHER, false},
	{"start_of_image", ANGLE, TOKEN_OTHER, false},
	{"end_of_image", ANGLE, TOKEN_OTHER, false},
	{"boi", ANGLE, TOKEN_OTHER, false},
	{"eoi", ANGLE, TOKEN_OTHER, false},
	{"fake_token_around_image", ANGLE, TOKEN_OTHER, false},
	{"global-img", ANGLE, TOKEN_OTHER, false},
	{"eoh", ANGLE, TOKEN_OTHER, false},
	{"eop", ANGLE, TOKEN_OTHER, false},
	{"用户", ANGLE, TOKEN_OTHER, true},
	{"tool_call", ANGLE, TOKEN_OTHER, false},
	{"tool_calls", ANGLE, TOKEN_OTHER, false},
	{"tool_response", ANGLE, TOKEN_OTHER, false},
	{"tools", ANGLE, TOKEN_OTHER, true},
	{"function_call", ANGLE, TOKEN_OTHER, false},
	{"function_calls", ANGLE, TOKEN_OTHER, false},
	{"tool_code", ANGLE, TOKEN_OTHER, false},
	{"unused#", ANGLE, TOKEN_OTHER, false},
	{"reserved_#", ANGLE, TOKEN_OTHER, false},
	{"reserved_token_#", ANGLE, TOKEN_OTHER, false},
	{"extra_id_#", ANGLE, TOKEN_OTHER, false},
	{"SPECIAL_#", ANGLE, TOKEN_OTHER, false},
	{"loc_#", ANGLE, TOKEN_OTHER, false},
	{"loc#", ANGLE, TOKEN_OTHER, false},
	{"seg#", ANGLE, TOKEN_OTHER, false},
	{"unused#", SQUARE, TOKEN_OTHER, false},
	{"UNUSED_TOKEN_#", SQUARE, TOKEN_OTHER, false},
	{"UNK", SQUARE, TOKEN_OTHER, true},
	{"CLS", SQUARE, TOKEN_OTHER, true},
	{"SEP", SQUARE, TOKEN_OTHER, true},
	{"MASK", SQUARE, TOKEN_OTHER, true},
	{"sMASK", SQUARE, TOKEN_OTHER, false},
	{"INST", SQUARE, TOKEN_OTHER, false},
	{"SYSTEM_PROMPT", SQUARE, TOKEN_OTHER, false},
	{"IMG", SQUARE, TOKEN_OTHER, true},
	{"IMG_BREAK", SQUARE, TOKEN_OTHER, false},
	{"IMG_END", SQUARE, TOKEN_OTHER, false},
	{"TOOL_CALLS", SQUARE, TOKEN_OTHER, false},
	{"TOOL_RESULTS", SQUARE, TOKEN_OTHER, false},
	{"AVAILABLE_TOOLS", SQUARE, TOKEN_OTHER, false},
	{NULL, ANGLE, TOKEN_NONE, false}
};

/* What exports of 1.0.0 left out; any <|name|> beside these.  Never changed. */
static const TokenEntry entries_of_1_0[] = {
	{"image", ANGLE, TOKEN_IMAGE, false},
	{"video", ANGLE, TOKEN_MEDIA, false},
	{"audio", ANGLE, TOKEN_MEDIA, false},
	{"think", ANGLE, TOKEN_THINK, false},
	{"s", ANGLE, TOKEN_OTHER, false},
	{"unk", ANGLE, TOKEN_OTHER, false},
	{"pad", ANGLE, TOKEN_OTHER, false},
	{"bos", ANGLE, TOKEN_OTHER, false},
	{"eos", ANGLE, TOKEN_OTHER, false},
	{"img", ANGLE, TOKEN_OTHER, false},
	{"ref", ANGLE, TOKEN_OTHER, false},
	{"box", ANGLE, TOKEN_OTHER, false},
	{"quad", ANGLE, TOKEN_OTHER, false},
	{"bbox", ANGLE, TOKEN_OTHER, false},
	{"ref-object", ANGLE, TOKEN_OTHER, false},
	{"cot-process", ANGLE, TOKEN_OTHER, false},
	{"im_start", ANGLE, TOKEN_OTHER, false},
	{"im_end", ANGLE, TOKEN_OTHER, false},
	{"im_patch", ANGLE, TOKEN_OTHER, false},
	{"IMG_CONTEXT", ANGLE, TOKEN_OTHER, false},
	{"start_of_image", ANGLE, TOKEN_OTHER, false},
	{"end_of_image", ANGLE, TOKEN_OTHER, false},
	{"start_of_turn", ANGLE, TOKEN_OTHER, false},
	{"end_of_turn", ANGLE, TOKEN_OTHER, false},
	{NULL, ANGLE, TOKEN_NONE, false}
};

/* ---- one token ---- */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Whether the whole of [p, end) is the name. */
static bool
is_name(const char *p, const char *end, const char *name, bool folded)
{
	for (; *name != '\0'; name++)
	{
		if (*name == '#')
		{
			while (p < end && is_digit(*p))
				p++;
			continue;
		}
		if (p == end)
			return false;
		if (*name == '@' ? !is_digit(*p) && ((*p | 32) < 'a' || (*p | 32) > 'f') :
			folded ? (char) text_fold((unsigned char) *p) != *name : *p != *name)
			return false;
		p++;
	}
	return p == end;
}

/* Of each list, by form and first letter, the place behind that of its first entry; 0: none. */
#define KEYS 128
#define MAX_ENTRIES 255

typedef struct TokenIndex
{
	const		TokenEntry *list;
	unsigned char first[TRIANGLE + 1][KEYS];
	unsigned char next[MAX_ENTRIES];
}			TokenIndex;

static TokenIndex now =
{
	.list = entries
};
static TokenIndex of_1_0 =
{
	.list = entries_of_1_0
};
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int
key_of(char c)
{
	return (unsigned char) c < KEYS ? (int) text_fold((unsigned char) c) : 0;
}

/* An entry's chain keeps the list's order. */
static void
make_index(TokenIndex * index, size_t n)
{
	while (n-- > 0)
	{
		const		TokenEntry *entry = &index->list[n];
		unsigned char *head = &index->first[entry->form][key_of(entry->name[0])];

		index->next[n] = *head;
		*head = (unsigned char) (n + 1);
	}
}

static void
make(void)
{
	make_index(&now, sizeof(entries) / sizeof(entries[0]) - 1);
	make_index(&of_1_0, sizeof(entries_of_1_0) / sizeof(entries_of_1_0[0]) - 1);
}

/* The entry of this form and name, or NULL. */
static const TokenEntry *
find_name(const TokenIndex * index, TokenForm form, const char *p, const char *end)
{
	for (int i = p < end ? index->first[form][key_of(*p)] : 0; i > 0; i = index->next[i - 1])
	{
		const		TokenEntry *entry = &index->list[i - 1];
		bool		thought = entry->kind == TOKEN_THINK || entry->kind == TOKEN_ANSWER;

		if (is_name(p, end, entry->name,
					form == BARRED || (form == ANGLE && thought && index == &now)))
			return entry;
	}
	return NULL;
}

/* That of a closing one too. */
static const TokenEntry *
find_entry(const TokenIndex * index, TokenForm form, const char *p, const char *end, bool *closing)
{
	const		TokenEntry *entry = find_name(index, form, p, end);

	*closing = false;
	if (entry != NULL || p == end || *p != '/')
		return entry;
	*closing = true;
	return find_name(index, form, p + 1, end);
}

static const char wide_bar[] = "\xEF\xBD\x9C";
static const char low_block[] = "\xE2\x96\x81";

/* Whether this may stand in the name of a barred token. */
static bool
is_barred_name(const char *p, const char *end, bool wide, const TokenIndex * index)
{
	return is_alnum(*p) || *p == '_' || *p == '-' || (wide && (unsigned char) *p >= 0x80) ||
		(index == &now && text_starts(text_span(p, end), low_block));
}

/*
 * Behind the name at p of a barred token, copied to name with '_' for U+2581; NULL if
 * there is none.  Loose: any name on one line.
 */
static const char *
barred_name(const char *p, const char *end, bool wide, const TokenIndex * index, bool loose,
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
barred_at(Span rest, const TokenIndex * index, bool loose, ReplyToken * token)
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
	token->entry = find_entry(index, BARRED, name, name + n, &token->closing);
	token->kind = token->entry == NULL ? TOKEN_OTHER : token->entry->kind;
	token->end = behind + bar + 1;
	token->word = false;
	/* of begin_of_thought and END_THINKING the name says which it is */
	token->closing |= n > 4 && memcmp(name, "end_", 4) == 0;
	token->closing |= n > 4 && memcmp(name, "END_", 4) == 0;
	return true;
}

/* A token between other brackets, whose name is at p and must end with close. */
static bool
bracketed_at(const char *p, const char *end, TokenForm form, const char *close,
			 const TokenIndex * index, ReplyToken * token)
{
	const char *stop = end - p > TOKEN_BYTES ? p + TOKEN_BYTES : end;
	const char *q = p;

	while (q < stop && *q != '\n' && *q != '<' && *q != '[' && *q != *close)
		q++;
	if (!text_starts(text_span(q, end), close))
		return false;
	token->entry = find_entry(index, form, p, q, &token->closing);
	if (token->entry == NULL)
		return false;
	token->kind = token->entry->kind;
	token->word = token->entry->word;
	token->end = q + strlen(close);
	return true;
}

static bool
token_at(Span rest, const TokenIndex * index, bool loose, ReplyToken * token)
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

/* ---- a token that a text only speaks of ---- */

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
is_named(Span text, const ReplyToken * token)
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
tokens_begin(TokenScan * scan, Span text, bool loose, bool triangles)
{
	pthread_once(&once, make);
	scan->text = text;
	scan->p = scan->angle = scan->square = text.p;
	scan->triangle = triangles ? text.p : NULL;
	scan->loose = loose;
}

void
work_scan(const Work *work, TokenScan * scan, Span text)
{
	tokens_begin(scan, text, false, work->seen.triangles > 0);
}

/* Whether a token's name may begin with this byte; nearly all brackets are done with here. */
static bool
may_begin_name(char c)
{
	return is_alnum(c) || c == '|' || c == '/' || (unsigned char) c >= 0x80;
}

/* Where the next one of its kind may be, looked for only when the last one has been passed. */
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
tokens_next(TokenScan * scan, ReplyToken * token)
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
		if (!token_at(text_span(p, end), &now, scan->loose, token) ||
			(token->word && is_named(scan->text, token)))
			continue;
		scan->p = token->end;
		return true;
	}
	return false;
}

bool
token_begins(Span text, ReplyToken * token)
{
	pthread_once(&once, make);
	return text.n > 0 && token_at(text, &now, false, token);
}

bool
token_pairs(const ReplyToken * token, const ReplyToken * closing)
{
	return closing->closing && token->kind == closing->kind &&
		(token->entry == closing->entry || (token->entry->form == BARRED && closing->entry->form == BARRED));
}

bool
token_ends(Span text, const ReplyToken * token)
{
	const char *end = text.p + text.n;
	const char *previous = back_over_blanks(text.p, token->at);
	const char *next = text_skip_blanks(token->end, end);

	return !token->word || previous == text.p || previous[-1] == '\n' || next == end ||
		*next == '\n' || *next == '<' || ends_with_any(text.p, previous, sentence_ends);
}

/* Whether nothing but tokens and white space follows; *other: what does. */
static bool
is_last(Span text, const ReplyToken * token, const char **other)
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

/* The two that stop sequences leave are cut without a flag. */
static bool
is_usual_end(const ReplyToken * token)
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

/* By the rules of 1.0.0: anywhere, in the two forms that they knew. */
static bool
find_of_1_0(Span text, ReplyToken * token)
{
	const char *end = text.p + text.n;

	pthread_once(&once, make);
	for (const char *p = text.p; p < end && (p = memchr(p, '<', (size_t) (end - p))) != NULL; p++)
		if (token_at(text_span(p, end), &of_1_0, false, token))
			return true;
	return false;
}

bool
text_find_token(Span text, bool triangles, ReplyToken * token)
{
	TokenScan	scan;

	tokens_begin(&scan, text, false, triangles);
	while (tokens_next(&scan, token))
		if (token->kind != TOKEN_ANSWER)
			return true;
	return false;
}

const char *
reply_find_token(const char *text, size_t length, int rules, ReplyToken * token)
{
	Span		span = {text, length};
	bool		found = rules < REPLY_TOKEN_RULES ? find_of_1_0(span, token) :
	text_find_token(span, true, token);

	return found ? token->at : NULL;
}
