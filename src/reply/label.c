/*
 * label.c
 *	  Labels of turns: the words, their decoration, and the signature that the first
 *	  one fixes (replies.md, section 2).
 */
#include "parts.h"

typedef struct Word
{
	const char *text;			/* folded */
	bool		human;
	bool		latin;
} Word;

/* Longer words before their own beginnings. */
static const Word dialogue_words[] = {
	{"视觉AI助手", false, false}, {"视觉助手", false, false}, {"AI助手", false, false},
	{"回答者", false, false}, {"助手", false, false}, {"答", false, false},
	{"提问者", true, false}, {"用户", true, false}, {"用戶", true, false},
	{"人类", true, false}, {"人", true, false}, {"问", true, false},
	{"assistant", false, true}, {"ai", false, true}, {"a", false, true},
	{"user", true, true}, {"human", true, true}, {"q", true, true}, {NULL, false, false}
};

static const Word reasoning_words[] = {
	{"详细回答", false, false}, {"回答", false, false}, {"答案", false, false},
	{"解答", false, false}, {"答", false, false},
	{"问题", true, false}, {"問題", true, false}, {"提问", true, false},
	{"answer", false, true}, {"a", false, true},
	{"question", true, true}, {"q", true, true}, {NULL, false, false}
};

/* Radicals that some fonts and models put for the characters of labels. */
static uint32_t
fold_radical(uint32_t c)
{
	switch (c)
	{
		case 0x2F64:
			return 0x7528;		/* 用 */
		case 0x2F3E:
			return 0x6236;		/* 戶 */
		case 0x2F08:
			return 0x4EBA;		/* 人 */
		case 0x2F3F:
			return 0x624B;		/* 手 */
		default:
			return c;
	}
}

static inline uint32_t
folded_at(const char *p, const char *end, int *length)
{
	uint32_t	c = text_decode(p, end, length);

	return c >= 0x2F00 && c <= 0x2FD5 ? fold_radical(c) : text_fold(c);
}

static bool
is_digit_at(const char *p, const char *end, int *length)
{
	uint32_t	c;

	if (p >= end)
		return false;
	c = folded_at(p, end, length);
	return c >= '0' && c <= '9';
}

static const char *
skip_digits(const char *p, const char *end)
{
	int			length;

	while (is_digit_at(p, end, &length))
		p += length;
	return p;
}

/* Arabic digits of either width, or Chinese numerals. */
static const char *
skip_number(const char *p, const char *end)
{
	static const char *const numerals[] = {
		"一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "两", NULL
	};
	const char *behind;
	int			length;

	for (;;)
	{
		if ((behind = text_skip_one(p, end, numerals)) != NULL)
			p = behind;
		else if (is_digit_at(p, end, &length))
			p += length;
		else
			return p;
	}
}

/* Behind the word if it begins here, letters folded; else NULL. */
static const char *
match_word(const char *p, const char *end, const char *word)
{
	const char *word_end = word + strlen(word);
	int			length;
	int			word_length;

	while (word < word_end)
	{
		if (p >= end || folded_at(p, end, &length) != folded_at(word, word_end, &word_length))
			return NULL;
		p += length;
		word += word_length;
	}
	return p;
}

static const char *
find_word(const char *p, const char *end, const Word *words, const Word **found)
{
	int			length;
	uint32_t	first = p < end ? folded_at(p, end, &length) : 0;
	char		lead = (char) (first < 0x80 ? first : first >= 0x4E00 && first <= 0x9FFF ? 0xE0 | first >> 12 : (unsigned char) *p);

	for (; words->text != NULL; words++)
	{
		const char *behind;

		/* nearly every line of a reply is done with here */
		if (lead != (char) text_fold((unsigned char) words->text[0]))
			continue;
		behind = match_word(p, end, words->text);
		if (behind == NULL)
			continue;
		/* a Latin word must end here: 'A' is no label in 'As' */
		if (words->latin && behind < end && text_is_latin(text_decode(behind, end, &length)))
			continue;
		*found = words;
		return behind;
	}
	return NULL;
}

/* Behind a colon of any kind, blanks before it allowed; NULL if there is none. */
static const char *
skip_colon(const char *p, const char *end)
{
	static const char *const colons[] = {"：", ":", "﹕", "︰", NULL};

	p = text_skip_blanks(p, end);
	for (const char *const *colon = colons; *colon != NULL; colon++)
		if (text_starts(text_span(p, end), *colon))
			return p + strlen(*colon);
	return NULL;
}

/* Bullet, list number, heading signs before a label; in any of the usual orders. */
static const char *
skip_decoration(const char *p, const char *end, Label *label)
{
	const char *digits;

	if (p < end && *p == '#')
	{
		const char *start = p;

		while (p < end && *p == '#' && p - start < 6)
			p++;
		label->heading = true;
		p = text_skip_blanks(p, end);
	}
	if (p + 1 < end && (*p == '-' || *p == '*') && (p[1] == ' ' || p[1] == '\t'))
	{
		label->bullet = true;
		p = text_skip_blanks(p + 1, end);
	}
	digits = skip_digits(p, end);
	if (digits > p && (text_starts(text_span(digits, end), ".") ||
					   text_starts(text_span(digits, end), "、")))
	{
		label->number = true;
		p = text_skip_blanks(digits + (*digits == '.' ? 1 : strlen("、")), end);
	}
	return p;
}

/* Behind what closes bold and brackets and behind the colon; NULL: no label. */
static const char *
finish_label(const char *p, const char *end, const char *closing, Label *label)
{
	const char *colon;
	const char *number = text_skip_blanks(p, end);
	bool		bold_open = label->bold;

	if (skip_number(number, end) > number)
		p = skip_number(number, end);
	if (closing != NULL)
	{
		/* 【用户：】 */
		if ((colon = skip_colon(p, end)) != NULL)
			p = text_skip_blanks(colon, end);
		if (!text_starts(text_span(p, end), closing))
			return NULL;
		p += strlen(closing);
	}
	if (bold_open && text_starts(text_span(p, end), "**"))
	{
		p += 2;
		bold_open = false;
	}
	colon = skip_colon(p, end);
	if (colon != NULL)
	{
		label->colon = true;
		p = colon;
		if (bold_open && text_starts(text_span(text_skip_blanks(p, end), end), "**"))
		{
			p = text_skip_blanks(p, end) + 2;
			bold_open = false;
		}
	}
	if (bold_open)
		return NULL;
	p = text_skip_blanks(p, end);
	return colon != NULL || closing != NULL || p == end ? p : NULL;
}

/* A label's first byte: decoration, a letter, a digit, or of a character from U+2000. */
static bool
may_begin_label(char c)
{
	return (unsigned char) c >= 0xE2 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9') || c == '*' || c == '#' || c == '-' || c == '[';
}

bool
label_parse(Span line, ReplyKind set, Label *label)
{
	const char *end = line.p + line.n;
	const char *p = text_skip_blanks(line.p, end);
	const char *closing = NULL;
	const Word *word;

	memset(label, 0, sizeof(*label));
	if (p == end || !may_begin_label(*p))
		return false;

	/*
	 * an ideographic space, or a single blank, is how people begin a
	 * paragraph
	 */
	label->indent = p - line.p >= 2 && (*line.p == ' ' || *line.p == '\t');
	p = skip_decoration(p, end, label);
	if (text_starts(text_span(p, end), "**"))
	{
		label->bold = true;
		p += 2;
	}
	if (text_starts(text_span(p, end), "【"))
		closing = "】";
	else if (text_starts(text_span(p, end), "["))
		closing = "]";
	label->bracket = closing != NULL;
	if (closing != NULL)
		p += *p == '[' ? 1 : strlen("【");
	p = find_word(p, end, set == REPLY_QUESTION_ANSWER ? reasoning_words : dialogue_words, &word);
	if (p == NULL)
		return false;
	label->human = word->human;
	label->latin = word->latin;
	p = finish_label(p, end, closing, label);
	label->end = p;
	return p != NULL;
}

/* A colon may be there or not where something else tells a label from a lone word. */
static bool
same_common(const Label *a, const Label *b)
{
	return a->bold == b->bold && a->bracket == b->bracket && a->heading == b->heading &&
		a->latin == b->latin &&
		(a->bold || a->bracket || a->heading || a->colon == b->colon);
}

bool
signature_takes(Signature *signature, const Label *label)
{
	int			role = label->human ? 0 : 1;

	if (!signature->known)
	{
		signature->known = true;
		signature->common = *label;
	}
	if (!same_common(&signature->common, label))
		return false;
	if (!signature->role_known[role])
	{
		/* the other role's own bullet or number, or none under a numbered one */
		if (signature->common.human != label->human &&
			(label->bullet || label->number) &&
			!(signature->common.bullet || signature->common.number))
			return false;
		signature->role_known[role] = true;
		signature->role[role] = *label;
	}
	return signature->role[role].bullet == label->bullet &&
		signature->role[role].number == label->number &&
		signature->role[role].indent == label->indent;
}

/* Behind 第三轮, 第2轮对话, Round 3; NULL if that is not here. */
static const char *
skip_round(const char *p, const char *end)
{
	const char *number = match_word(p, end, "round");

	if (number != NULL)
	{
		number = text_skip_blanks(number, end);
		p = skip_digits(number, end);
		return p > number ? p : NULL;
	}
	if (!text_starts(text_span(p, end), "第"))
		return NULL;
	number = p + strlen("第");
	p = skip_number(number, end);
	if (p == number || !text_starts(text_span(p, end), "轮"))
		return NULL;
	p += strlen("轮");
	if (text_starts(text_span(p, end), "对话") || text_starts(text_span(p, end), "问答"))
		p += strlen("对话");
	return p;
}

static const char *
skip_if(const char *p, const char *end, const char *text)
{
	return text_starts(text_span(p, end), text) ? p + strlen(text) : p;
}

static bool
is_round_header(Span line)
{
	const char *end = line.p + line.n;
	Label		unused = {0};
	const char *p = skip_decoration(line.p, end, &unused);

	p = skip_if(p, end, "**");
	p = skip_if(skip_if(p, end, "【"), end, "[");
	p = skip_round(p, end);
	if (p == NULL)
		return false;
	p = skip_if(skip_if(p, end, "】"), end, "]");
	p = skip_if(p, end, "**");
	if (skip_colon(p, end) != NULL)
		p = skip_colon(p, end);
	p = skip_if(p, end, "**");
	return text_skip_blanks(p, end) == end;
}

bool
line_is_rule(Span line)
{
	Span		inner = text_trim(line);

	if (inner.n >= 3 && (*inner.p == '-' || *inner.p == '*' || *inner.p == '_' || *inner.p == '='))
	{
		size_t		i = 0;

		while (i < inner.n && inner.p[i] == inner.p[0])
			i++;
		if (i == inner.n)
			return true;
	}
	return is_round_header(inner);
}

bool
line_is_fence(Span line)
{
	return text_starts(text_trim(line), "```");
}

Span
label_skip_description(Span text)
{
	static const char *const words[] = {
		"图片描述", "图像描述", "照片描述", "描述", "圖片描述", "image description", "description", NULL
	};
	const char *end = text.p + text.n;
	Span		line = text_line(text.p, end);
	const char *line_end = line.p + line.n;
	Label		label = {0};
	const char *p = skip_decoration(text_skip_blanks(line.p, line_end), line_end, &label);

	if (text_starts(text_span(p, line_end), "**"))
	{
		label.bold = true;
		p += 2;
	}
	for (const char *const *word = words; *word != NULL; word++)
	{
		const char *behind = match_word(p, line_end, *word);

		if (behind != NULL)
			behind = finish_label(behind, line_end, NULL, &label);
		if (behind != NULL && !label.bullet)
			return text_trim(text_span(behind, end));
	}
	return text;
}

/* The line behind its '>', if it has one. */
Span
line_without_quote(Span line)
{
	const char *end = line.p + line.n;

	return text_starts(line, ">") ? text_span(text_skip_blanks(line.p + 1, end), end) : line;
}

/* Whether the line has a label that this kind of task accepts. */
bool
line_has_own_label(Span line, ReplyKind kind)
{
	Label		label;

	return (kind == REPLY_QUESTION_ANSWER && label_parse(line, REPLY_QUESTION_ANSWER, &label)) ||
		label_parse(line, REPLY_DIALOGUE, &label);
}
