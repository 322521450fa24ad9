/*
 * marks.c
 *	  Finished turns without what a server or a template put into them: citation marks, marks
 *	  around an answer, HTML's entities.
 *
 * Each of them only shrinks a turn, so that it is done in a copy's own room.
 */
#include "parts.h"

#include <stdlib.h>

/* ---- citations ---- */

#define MARK_BYTES 400			/* a longer one is none */

/* Behind U+E201, U+3011 (the stop) on the same line; NULL: not soon. */
static const char *
behind_stop(const char *p, const char *end, const char *stop)
{
	const char *limit = end - p > MARK_BYTES ? p + MARK_BYTES : end;

	for (; p < limit && *p != '\n'; p++)
		if (text_starts(text_span(p, end), stop))
			return p + strlen(stop);
	return NULL;
}

/* Behind the mark at p: U+E200 ... U+E201, or digits and U+2020 in U+3010; NULL: none. */
static const char *
skip_citation(const char *p, const char *end)
{
	static const char dagger[] = "\xE2\x80\xA0";
	const char *digits;

	if (text_starts(text_span(p, end), "\xEE\x88\x80"))
		return behind_stop(p, end, "\xEE\x88\x81");
	if (!text_starts(text_span(p, end), "【"))
		return NULL;
	digits = p + strlen("【");
	for (p = digits; p < end && ((*p >= '0' && *p <= '9') || *p == ':'); p++)
		;
	return p > digits && text_starts(text_span(p, end), dagger) ? behind_stop(p, end, "】") : NULL;
}

/* U+E203, U+E204, U+E206: around what is cited. */
static bool
is_citation_edge(uint32_t c)
{
	return c == 0xE203 || c == 0xE204 || c == 0xE206;
}

static bool
has_citation(Span text)
{
	const char *end = text.p + text.n;

	for (const char *p = text.p; p < end; p++)
		if (((unsigned char) *p == 0xEE || (unsigned char) *p == 0xE3) && skip_citation(p, end) != NULL)
			return true;
	return false;
}

/* Whether no blank is wanted before what stands here. */
static bool
needs_no_blank(const char *p, const char *end)
{
	return p == end || *p == ' ' || *p == '\n';
}

static size_t
drop_citations(char *text, size_t n)
{
	const char *end = text + n;
	char	   *out = text;
	int			length;

	for (const char *p = text; p < end; p += length)
	{
		const char *behind = skip_citation(p, end);
		uint32_t	c = text_decode(p, end, &length);

		if (behind != NULL)
			length = (int) (behind - p);
		if (behind == NULL && !is_citation_edge(c))
		{
			memmove(out, p, (size_t) length);
			out += length;
		}
		else if (out > text && out[-1] == ' ' && needs_no_blank(p + length, end))
			out--;
	}
	return (size_t) (out - text);
}

/* ---- marks around a part of the answer ---- */

static bool
has_answer_marks(Span text)
{
	TokenScan	scan;
	ReplyToken	token;

	if (memchr(text.p, '<', text.n) == NULL)
		return false;
	tokens_begin(&scan, text, false, false);
	while (tokens_next(&scan, &token))
		if (token.kind == TOKEN_MARK)
			return true;
	return false;
}

static size_t
drop_answer_marks(char *text, size_t n)
{
	const char *end = text + n;
	char	   *out = text;
	ReplyToken	token;

	for (const char *p = text; p < end;)
		if (*p == '<' && token_begins(text_span(p, end), &token) && token.kind == TOKEN_MARK)
			p = token.end;
		else
			*out++ = *p++;
	return (size_t) (out - text);
}

/* ---- entities ---- */

static const struct
{
	const char *name;
	uint32_t	c;
}			entities[] =

{
	{"amp", 0x26}, {"lt", 0x3C}, {"gt", 0x3E}, {"quot", 0x22}, {"apos", 0x27}, {"nbsp", 0x20},
	{"ensp", 0x2002}, {"emsp", 0x2003}, {"thinsp", 0x2009}, {"copy", 0xA9}, {"reg", 0xAE},
	{"trade", 0x2122}, {"deg", 0xB0}, {"plusmn", 0xB1}, {"times", 0xD7}, {"divide", 0xF7},
	{"middot", 0xB7}, {"bull", 0x2022}, {"hellip", 0x2026}, {"mdash", 0x2014}, {"ndash", 0x2013},
	{"lsquo", 0x2018}, {"rsquo", 0x2019}, {"sbquo", 0x201A}, {"ldquo", 0x201C}, {"rdquo", 0x201D},
	{"bdquo", 0x201E}, {"laquo", 0xAB}, {"raquo", 0xBB}, {"lsaquo", 0x2039}, {"rsaquo", 0x203A},
	{"yen", 0xA5}, {"cent", 0xA2}, {"pound", 0xA3}, {"euro", 0x20AC}, {"curren", 0xA4}, {"sect", 0xA7},
	{"para", 0xB6}, {"frac12", 0xBD}, {"frac14", 0xBC}, {"frac34", 0xBE}, {"sup1", 0xB9},
	{"sup2", 0xB2}, {"sup3", 0xB3}, {"ordm", 0xBA}, {"ordf", 0xAA}, {"micro", 0xB5}, {"larr", 0x2190},
	{"uarr", 0x2191}, {"rarr", 0x2192}, {"darr", 0x2193}, {"harr", 0x2194}, {"rArr", 0x21D2},
	{"lArr", 0x21D0}, {"infin", 0x221E}, {"ne", 0x2260}, {"le", 0x2264}, {"ge", 0x2265},
	{"asymp", 0x2248}, {"equiv", 0x2261}, {"sum", 0x2211}, {"radic", 0x221A}, {"minus", 0x2212},
	{"permil", 0x2030}, {"prime", 0x2032}, {"Prime", 0x2033}, {"dagger", 0x2020}, {"Dagger", 0x2021},
	{"oline", 0x203E}, {"frasl", 0x2044}, {"star", 0x2606}, {"starf", 0x2605}, {"check", 0x2713},
	{"hearts", 0x2665}, {"alpha", 0x3B1}, {"beta", 0x3B2}, {"gamma", 0x3B3}, {"delta", 0x3B4},
	{"epsilon", 0x3B5}, {"theta", 0x3B8}, {"lambda", 0x3BB}, {"mu", 0x3BC}, {"pi", 0x3C0},
	{"sigma", 0x3C3}, {"tau", 0x3C4}, {"phi", 0x3C6}, {"omega", 0x3C9}, {"Delta", 0x394},
	{"Sigma", 0x3A3}, {"Omega", 0x3A9}, {"iexcl", 0xA1}, {"iquest", 0xBF}, {"szlig", 0xDF},
	{"agrave", 0xE0}, {"aacute", 0xE1}, {"acirc", 0xE2}, {"atilde", 0xE3}, {"auml", 0xE4},
	{"aring", 0xE5}, {"aelig", 0xE6}, {"ccedil", 0xE7}, {"egrave", 0xE8}, {"eacute", 0xE9},
	{"ecirc", 0xEA}, {"euml", 0xEB}, {"igrave", 0xEC}, {"iacute", 0xED}, {"icirc", 0xEE},
	{"iuml", 0xEF}, {"eth", 0xF0}, {"ntilde", 0xF1}, {"ograve", 0xF2}, {"oacute", 0xF3},
	{"ocirc", 0xF4}, {"otilde", 0xF5}, {"ouml", 0xF6}, {"oslash", 0xF8}, {"ugrave", 0xF9},
	{"uacute", 0xFA}, {"ucirc", 0xFB}, {"uuml", 0xFC}, {"yacute", 0xFD}, {"thorn", 0xFE},
	{"yuml", 0xFF}, {"Agrave", 0xC0}, {"Aacute", 0xC1}, {"Acirc", 0xC2}, {"Atilde", 0xC3},
	{"Auml", 0xC4}, {"Aring", 0xC5}, {"AElig", 0xC6}, {"Ccedil", 0xC7}, {"Egrave", 0xC8},
	{"Eacute", 0xC9}, {"Ecirc", 0xCA}, {"Euml", 0xCB}, {"Igrave", 0xCC}, {"Iacute", 0xCD},
	{"Icirc", 0xCE}, {"Iuml", 0xCF}, {"Ntilde", 0xD1}, {"Ograve", 0xD2}, {"Oacute", 0xD3},
	{"Ocirc", 0xD4}, {"Otilde", 0xD5}, {"Ouml", 0xD6}, {"Oslash", 0xD8}, {"Ugrave", 0xD9},
	{"Uacute", 0xDA}, {"Ucirc", 0xDB}, {"Uuml", 0xDC}, {"lang", 0x27E8}, {"rang", 0x27E9},
	{"NewLine", 0xA}, {"Tab", 0x9}, {"lpar", 0x28}, {"rpar", 0x29}, {"comma", 0x2C}, {"period", 0x2E},
	{"colon", 0x3A}, {"semi", 0x3B}, {"excl", 0x21}, {"quest", 0x3F}, {"num", 0x23}
};

#define ENTITY_BYTES 12

/* &#20013; and &#x4E2D;, [p, end) being between '#' and ';'; 0: none that is a character. */
static uint32_t
numbered(const char *p, const char *end)
{
	bool		hex = p < end && (*p | 32) == 'x';
	uint32_t	c = 0;

	if (p + hex == end)
		return 0;
	for (p += hex; p < end; p++)
	{
		char		small = (char) (*p | 32);
		int			digit = *p >= '0' && *p <= '9' ? *p - '0' :
		hex && small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;

		if (digit < 0)
			return 0;
		c = c * (hex ? 16 : 10) + (uint32_t) digit;
		if (c > 0x10FFFF)
			return 0;
	}
	if (c == 0xA0)
		return ' ';
	return (c < ' ' && c != '\n' && c != '\t') || (c >= 0x7F && c < 0xA0) || (c >= 0xD800 && c <= 0xDFFF) ||
		c == 0xFFFD || c >= 0xE0000 || text_is_dropped(c) || text_is_line_end(c) ? 0 : c;
}

/*
 * The character of the entity at the ampersand p, and what is behind it; 0: none.  What was
 * escaped again and again is undone as often.
 */
static uint32_t
entity_at(const char *p, const char *end, const char **behind)
{
	const char *name = p + 1;
	const char *stop;

	while (text_starts(text_span(name, end), "amp;") && end - name > 4 && name[4] != ' ' &&
		   (text_starts(text_span(name + 4, end), "amp;") || name[4] == '#' ||
			((name[4] | 32) >= 'a' && (name[4] | 32) <= 'z' &&
			 memchr(name + 4, ';', (size_t) (end - name - 4 > ENTITY_BYTES ? ENTITY_BYTES : end - name - 4)) != NULL)))
		name += 4;
	for (stop = name; stop < end && stop - name < ENTITY_BYTES && *stop != ';'; stop++)
		;
	if (stop == end || *stop != ';' || stop == name)
		return 0;
	*behind = stop + 1;
	if (*name == '#')
		return numbered(name + 1, stop);
	for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++)
		if (strlen(entities[i].name) == (size_t) (stop - name) &&
			memcmp(entities[i].name, name, (size_t) (stop - name)) == 0)
			return entities[i].c;
	return 0;
}

/* Whether '<' with this behind it, escaped or not, is a tag or a token. */
static bool
begins_tag(const char *p, const char *end)
{
	return p < end && ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || strchr("/!?|", *p) != NULL);
}

/* Whether the entity is itself in quotation marks: a text shows it. */
static bool
is_shown(Span text, const char *p, const char *behind)
{
	static const char *const opening[] = {"“", "‘", "「", "\"", "'", "`", NULL};
	static const char *const closing[] = {"”", "’", "」", "\"", "'", "`", NULL};
	const char *end = text.p + text.n;

	if (text_skip_one(behind, end, closing) == NULL)
		return false;
	return (p - text.p >= 3 && text_skip_one(p - 3, p, opening) == p) ||
		(p > text.p && text_skip_one(p - 1, p, opening) == p);
}

typedef enum Entities
{
	NO_ENTITIES, SHOWN_ENTITIES, SOME_ENTITIES
}			Entities;

/* Whether a text has entities, and is not about them or about code. */
static Entities
entities_of(Span text)
{
	static const char *const about[] = {
		"HTML", "html", "XML", "xml", "实体", "實體", "转义", "轉義", "字符引用", "源码", "源代码", "代码", "代碼", "标记语言", "`",
		"entit", "escape", "code", "</", NULL
	};
	const char *end = text.p + text.n;
	const char *behind;
	bool		some = false;

	for (const char *p = text.p; p < end && (p = memchr(p, '&', (size_t) (end - p))) != NULL; p++)
	{
		uint32_t	c = entity_at(p, end, &behind);

		if (c == 0)
			continue;
		some = true;
		if (is_shown(text, p, behind) || (c == '<' && begins_tag(behind, end)))
			return SHOWN_ENTITIES;
	}
	return !some ? NO_ENTITIES : text_has_any(text, about) ? SHOWN_ENTITIES : SOME_ENTITIES;
}

static size_t
decode_entities(char *text, size_t n)
{
	const char *end = text + n;
	char	   *out = text;
	const char *behind;

	for (const char *p = text; p < end;)
	{
		uint32_t	c = *p == '&' ? entity_at(p, end, &behind) : 0;

		if (c == 0)
		{
			*out++ = *p++;
			continue;
		}
		out += text_encode(c, out);
		p = behind;
	}
	return (size_t) (out - text);
}

/* ---- the turns ---- */

/* False without memory. */
static bool
own_text(Part *part)
{
	char	   *copy;

	if (part->owned != NULL && part->text.p >= part->owned)
		return true;
	copy = malloc(part->text.n + 1);
	if (copy == NULL)
		return false;
	memcpy(copy, part->text.p, part->text.n);
	part->owned = copy;
	part->text.p = copy;
	return true;
}

static bool
clean_part(const Work *work, Part *part, bool decode, uint32_t *flags)
{
	bool		citations = work->seen.marks > 0 && has_citation(part->text);
	bool		marks = work->may_have_tokens && has_answer_marks(part->text);
	char	   *text;

	if (!citations && !marks && !decode)
		return true;
	if (!own_text(part))
		return false;
	text = part->owned + (part->text.p - part->owned);
	if (citations)
		part->text.n = drop_citations(text, part->text.n);
	if (marks)
		part->text.n = drop_answer_marks(text, part->text.n);
	if (decode)
		part->text.n = decode_entities(text, part->text.n);
	part->text = text_trim(part->text);
	*flags |= (citations ? REPLY_MARKS_REMOVED : 0) | (marks ? REPLY_ANSWER_UNWRAPPED : 0) |
		(decode ? REPLY_ENTITIES_DECODED : 0);
	return true;
}

/* What would keep the turn out of every export. */
static ReplyReason
check_part(const Work *work, Span text)
{
	ReplyToken	token;

	if (reply_is_blank(text.p, text.n))
		return work->rules->kind == REPLY_DESCRIPTION ? REPLY_EMPTY : REPLY_EMPTY_TURN;
	if ((!work->may_have_tokens && !work->may_have_entities) || !text_find_token(text, work->seen.triangles > 0, &token))
		return REPLY_ACCEPTED;
	return token.kind == TOKEN_IMAGE || token.kind == TOKEN_MEDIA ? REPLY_IMAGE_TOKEN_LEAK :
		token.kind == TOKEN_DEBRIS ? REPLY_TOKEN_DEBRIS : REPLY_SPECIAL_TOKEN;
}

ReplyReason
work_clean_parts(Work *work)
{
	bool		some = false;
	bool		shown = false;
	ReplyReason reason = REPLY_ACCEPTED;

	/* a reply that shows entities anywhere means all of them */
	for (int i = 0; i < work->parts.n && work->may_have_entities; i++)
	{
		Entities	found = entities_of(work->parts.items[i].text);

		some |= found == SOME_ENTITIES;
		shown |= found == SHOWN_ENTITIES;
	}
	for (int i = 0; i < work->parts.n && reason == REPLY_ACCEPTED; i++)
	{
		Part	   *part = &work->parts.items[i];

		if (!clean_part(work, part, some && !shown, &work->result->flags))
			return REPLY_NO_MEMORY;
		reason = check_part(work, part->text);
	}
	return reason;
}

bool
reply_is_blank(const char *text, size_t length)
{
	static const struct
	{
		uint32_t	first;
		uint32_t	last;
	}			blanks[] =
	{
		{0, ' '}, {0x7F, 0xA0}, {0x1680, 0x1680}, {0x2000, 0x200F}, {0x2028, 0x202F},
		{0x205F, 0x2064}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}
	};
	const char *end = text + length;
	int			size;

	for (const char *p = text; p < end; p += size)
	{
		uint32_t	c = text_decode(p, end, &size);
		bool		blank = false;

		for (size_t i = 0; i < sizeof(blanks) / sizeof(blanks[0]); i++)
			blank |= c >= blanks[i].first && c <= blanks[i].last;
		if (!blank)
			return false;
	}
	return true;
}
