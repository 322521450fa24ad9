/*
 * leaks.c
 *	  Words that point at what a reader of the sample does not have: figures by
 *	  number, attachments, the description that the model believes it was given.
 */
#include "parts.h"

#include <ctype.h>

/* Behind the prefix where text begins with it; else NULL. */
static const char *
skip(const char *p, const char *end, const char *prefix)
{
	return text_starts(text_span(p, end), prefix) ? p + strlen(prefix) : NULL;
}

/* Before the suffix where [start, p) ends in one of them; else NULL. */
static const char *
skip_back(const char *start, const char *p, const char *const *suffixes)
{
	for (; *suffixes != NULL; suffixes++)
	{
		size_t		n = strlen(*suffixes);

		if ((size_t) (p - start) >= n && memcmp(p - n, *suffixes, n) == 0)
			return p - n;
	}
	return NULL;
}

/* Whether one of them stands right before p. */
static bool
follows(const char *start, const char *p, const char *const *suffixes)
{
	return skip_back(start, p, suffixes) != NULL;
}

static bool
precedes_any(const char *p, const char *end, const char *const *prefixes)
{
	for (; *prefixes != NULL; prefixes++)
		if (text_starts(text_span(p, end), *prefixes))
			return true;
	return false;
}

/* ---- figures and attachments ---- */

/* p is at 图. */
static bool
is_figure(Span text, const char *p)
{
	static const char *const quotes[] = {"“", "《", "「", "『", "\"", NULL};
	static const char *const words[] = {"地", "版", "构", "企", "意", "试", "力", "贪", "拼", "蓝", "插", NULL};
	static const char *const pointing[] = {"如", "见", "参考", "参照", "看", "（", "(", NULL};
	static const char *const elsewhere[] = {"如上", "如下", "见上", "见下", "见附", "如附", NULL};
	static const char *const sides[] = {"上", "下", NULL};
	static const char *const measures[] = {"D", "d", "个", "位", "只", "条", "名", "张", "把", "种", "次", "年", "月", NULL};
	static const char *const numerals[] = {"一", "二", "三", "四", "五", "六", NULL};
	static const char *const said[] = {"所示", "展示", "显示", "和图", "与图", "、图", "中所", NULL};
	const char *end = text.p + text.n;
	const char *behind = p + strlen("图");
	const char *digits = behind < end && *behind == ' ' ? behind + 1 : behind;

	if (follows(text.p, p, quotes) || follows(text.p, p, words))
		return false;
	if (follows(text.p, p, elsewhere) || (follows(text.p, p, pointing) && skip(behind, end, "所示")) ||
		(follows(text.p, p, sides) && skip(behind, end, "所示")))
		return true;
	if (digits < end && *digits >= '1' && *digits <= '9')
	{
		while (digits < end && isdigit((unsigned char) *digits))
			digits++;
		return !precedes_any(digits, end, measures);
	}
	/* 图一共: the numeral alone says nothing */
	return precedes_any(behind, end, numerals) &&
		(precedes_any(behind + strlen("一"), end, said) || follows(text.p, p, pointing));
}

/* p is at 附 or 表. */
static bool
is_attachment(Span text, const char *p)
{
	static const char *const pointing[] = {
		"见", "参见", "参考", "参阅", "查看", "查阅", "如", "请看", "在", NULL
	};
	static const char *const attached[] = {"附件", "附录", "附表", NULL};
	const char *end = text.p + text.n;
	const char *behind = skip(p, end, "表");

	if (behind == NULL)
		return precedes_any(p, end, attached) && follows(text.p, p, pointing);
	behind = behind < end && *behind == ' ' ? behind + 1 : behind;
	return behind < end && *behind >= '1' && *behind <= '9' && follows(text.p, p, pointing);
}

/* p is at the f or a of a word. */
static bool
is_english_reference(Span text, const char *p)
{
	static const char *const figures[] = {"figure ", "fig. ", "fig ", NULL};
	static const char *const others[] = {
		"attached file", "attached document", "attached image", "attachment", "as shown in the figure",
		"as shown above", "as shown below", NULL
	};
	Span		rest = text_span(p, text.p + text.n);

	if (text_starts_any(rest, figures))
	{
		const char *space = memchr(p, ' ', rest.n);

		return space + 1 < p + rest.n && isdigit((unsigned char) space[1]);
	}
	return text_starts_any(rest, others);
}

/* ---- the description it was not given ---- */

static const char *const sources[] = {
	"根据", "依据", "按照", "依照", "基于", "参照", "参考", "结合", "鉴于", "据", "从", "由", "在", NULL
};
static const char *const givers[] = {"您", "你", "用户", "所", "已", NULL};
static const char *const given[] = {"提供", "给出", "给定", "输入", "附带", "附上", NULL};
static const char *const between[] = {
	"这段", "这个", "这些", "上述", "以上", "上面", "前面", "相关", "现有", "题目", "题干", "该", "此",
	"图片", "图像", "照片", "画面", "图中", "文字", "文本", "详细", "中", "的", "里", "对", "图", NULL
};

static const char *const pictures[] = {"图片", "图像", "照片", "画面", "图", NULL};

/* Back over words that may stand between the source and the noun. */
static bool
is_given(const char *start, const char *noun, bool must_be_given)
{
	const char *p = noun;
	bool		was_given = false;
	bool		by_somebody = false;

	for (int i = 0; i < 8; i++)
	{
		const char *before;

		if ((before = skip_back(start, p, given)) != NULL)
			was_given = true;
		else if ((before = skip_back(start, p, givers)) != NULL)
			by_somebody = true;
		else if ((before = skip_back(start, p, between)) == NULL)
			break;
		p = before;
		/* 图片提供的信息 is what can be seen in it */
		if (was_given && !by_somebody && must_be_given &&
			follows(start, p, pictures))
			return false;
	}
	if (was_given && by_somebody)
		return true;
	return follows(start, p, sources) && (was_given || !must_be_given);
}

/* p is at a noun's first character. */
static bool
is_meta(Span text, const char *p)
{
	static const char *const nouns[] = {
		"描述", "说明文字", "文字说明", "文字描述", "标注信息", "标注框", "边界框", "检测框", "图注", NULL
	};
	static const char *const infos[] = {"信息", "内容", "文字", "文本", "说明", "资料", "图片说明", NULL};
	static const char *const telling[] = {"提到", "提及", "没有提", "未提", "并未", "并没有", "指出", "说到", "给出", NULL};
	const char *end = text.p + text.n;

	for (const char *const *noun = nouns; *noun != NULL; noun++)
	{
		const char *behind = skip(p, end, *noun);

		if (behind == NULL)
			continue;
		if (is_given(text.p, p, false))
			return true;
		behind = skip(behind, end, "中");
		return behind != NULL && precedes_any(behind, end, telling);
	}
	return precedes_any(p, end, infos) && is_given(text.p, p, true);
}

#define MAX_WORDS 6

/* Where the word that ends before p begins, or p. */
static const char *
word_back(const char *start, const char *p)
{
	while (p > start && p[-1] == ' ')
		p--;
	while (p > start && (isalpha((unsigned char) p[-1]) || p[-1] == '\''))
		p--;
	return p;
}

/* Whether [p, end) is one of these words, letters folded; a blank may follow it. */
static bool
is_word_of(const char *p, const char *end, const char *const *words)
{
	for (; *words != NULL; words++)
	{
		const char *one[] = {*words, NULL};
		size_t		n = strlen(*words);

		if (text_starts_any(text_span(p, end), one) && ((size_t) (end - p) == n || p[n] == ' '))
			return true;
	}
	return false;
}

/* p is at a noun's first letter: 'according to the provided description'. */
static bool
is_english_meta(Span text, const char *p)
{
	static const char *const nouns[] = {
		"description", "caption", "bounding box", "annotation", "alt text", "coordinates", NULL
	};
	static const char *const fillers[] = {
		"the", "your", "this", "given", "provided", "supplied", "image", "image's", "picture", "photo",
		"text", "above", "detailed", "information", "in", "you", "of", NULL
	};
	static const char *const articles[] = {"the", "your", NULL};
	static const char *const sources_en[] = {"to", "on", "per", "from", "in", NULL};
	static const char *const verbs[] = {"according", "based", "as", "described", "mentioned", "stated", "relying", NULL};
	static const char *const telling[] = {" mentions", " states", " says", " indicates", " does not", " doesn't", NULL};
	const char *end = text.p + text.n;
	const char *word = p;
	bool		described = false;

	if (!text_starts_any(text_span(p, end), nouns))
		return false;
	for (int i = 0; i < MAX_WORDS; i++)
	{
		const char *before = word_back(text.p, word);

		if (before == word)
			break;
		if (is_word_of(before, word, sources_en) && is_word_of(word_back(text.p, before), before, verbs))
			return true;
		if (!is_word_of(before, word, fillers))
			break;
		described |= is_word_of(before, word, articles);
		word = before;
	}
	while (p < end && isalpha((unsigned char) *p))
		p++;
	return described && text_starts_any(text_span(p, end), telling);
}

/* ---- looking ---- */

#define SECOND(byte) (UINT64_C(1) << ((byte) & 0x3F))

/*
 * For the first byte of three, the second ones of 图 附 表 描 说 文 标 边 检 信 内 资: nearly
 * every character of a text is done with here.
 */
static const uint64_t second_bytes[16] = {
	[0x4] = SECOND(0xBF),
	[0x5] = SECOND(0x9B) | SECOND(0x86),
	[0x6] = SECOND(0x8F) | SECOND(0x96) | SECOND(0xA0) | SECOND(0xA3),
	[0x8] = SECOND(0xA1) | SECOND(0xAF) | SECOND(0xBE) | SECOND(0xB5),
	[0x9] = SECOND(0x99)
};

/* Whether the second character is one of those in is_meta's nouns. */
static bool
may_be_noun(Span text, const char *p)
{
	const char *end = text.p + text.n;
	int			length;

	if (end - p < 6)
		return false;
	switch (text_decode(p + 3, end, &length))
	{
		case 0x8FF0:			/* 述 */
		case 0x660E:			/* 明 */
		case 0x5B57:			/* 字 */
		case 0x672C:			/* 本 */
		case 0x6CE8:			/* 注 */
		case 0x754C:			/* 界 */
		case 0x6D4B:			/* 测 */
		case 0x606F:			/* 息 */
		case 0x5BB9:			/* 容 */
		case 0x6599:			/* 料 */
		case 0x7247:			/* 片 */
			return true;
		default:
			return false;
	}
}

static void
look_at_han(Span text, const char *p, uint32_t *flags)
{
	int			length;

	switch (text_decode(p, text.p + text.n, &length))
	{
		case 0x56FE:			/* 图 */
			if (is_figure(text, p))
				*flags |= REPLY_DANGLING_REFERENCE;
			if (may_be_noun(text, p) && is_meta(text, p))
				*flags |= REPLY_META_LEAK;
			break;
		case 0x9644:			/* 附 */
		case 0x8868:			/* 表 */
			if (is_attachment(text, p))
				*flags |= REPLY_DANGLING_REFERENCE;
			break;
		case 0x63CF:			/* 描 */
		case 0x8BF4:			/* 说 */
		case 0x6587:			/* 文 */
		case 0x6807:			/* 标 */
		case 0x8FB9:			/* 边 */
		case 0x68C0:			/* 检 */
		case 0x4FE1:			/* 信 */
		case 0x5185:			/* 内 */
		case 0x8D44:			/* 资 */
			if (may_be_noun(text, p) && is_meta(text, p))
				*flags |= REPLY_META_LEAK;
			break;
		default:				/* shares two bytes with one of them */
			break;
	}
}

/* p is at an ASCII letter. */
static void
look_at_latin(Span text, const char *p, uint32_t *flags)
{
	if (strchr("aAbBcCdDfF", *p) == NULL || (p > text.p && isalpha((unsigned char) p[-1])))
		return;
	if (is_english_reference(text, p))
		*flags |= REPLY_DANGLING_REFERENCE;
	if (is_english_meta(text, p))
		*flags |= REPLY_META_LEAK;
}

void
check_leaks(Span text, uint32_t *flags)
{
	const char *end = text.p + text.n;

	for (const char *p = text.p; p < end;)
	{
		unsigned char c = (unsigned char) *p;

		if ((c & 0xF0) == 0xE0 && end - p >= 3)
		{
			if (second_bytes[c & 0x0F] >> (p[1] & 0x3F) & 1)
				look_at_han(text, p, flags);
			p += 3;
			continue;
		}
		if (c < 0x80 && isalpha(c))
			look_at_latin(text, p, flags);
		p++;
	}
}
