/*
 * phrases.c
 *	  What is recognised by its words: questions, courtesies, echoes.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE				/* memmem */
#endif
#include "parts.h"

#include <stdlib.h>

#define CLOSING_CHARS 100

static const char *const requests[] = {
	"请", "帮我", "帮忙", "麻烦", "能否", "能不能", "可否", "可以", "我想知道", "我想了解", "想了解", "想知道",
	"想问", "想听", "描述", "介绍", "说说", "讲讲", "谈谈", "聊聊", "解释", "分析", "告诉", "列出", "列举", "翻译",
	"总结", "比较", "对比", "说明", "评价", "数数", "看看", "读出", "一下", "推测", "猜猜",
	"概括", "指出", "举例", "判断", "估计", "什么", "怎么", "怎样", "如何", "为什么", "为何", "哪", "几",
	"多少", "谁", "是否", "有没有", "是不是", "给出", "给我", "设计", "写出", "写一", "推荐", "建议", NULL
};

/* They have a request's characters in them and ask for nothing. */
static const char *const no_requests[] = {
	"申请", "邀请", "聘请", "请假", "请柬", "请帖", "几乎", "几何", "茶几", "一下子", "说明书", "介绍信",
	"设计师", "设计院", "分析师", NULL
};

static const char *const english_requests[] = {
	"what", "what's", "how", "why", "which", "who", "where", "when", "please", "can you", "could you",
	"would you", "is there", "are there", NULL
};

/* They ask for what stands behind them, where a turn begins with one. */
static const char *const english_verbs[] = {
	"describe ", "explain ", "tell ", "list ", "name ", "compare ", "count ", "give ", "show me ", "summarize ",
	"summarise ", "identify ", "suggest ", "guess ", "estimate ", "translate ", "read ", "point out ", "recommend ",
	NULL
};

static bool
is_ascii_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* Whether any of a NULL-ended list stands in text as a word, or words. */
static bool
has_word(Span text, const char *const *words)
{
	const char *end = text.p + text.n;

	for (; *words != NULL; words++)
		for (const char *p = text.p; p < end && (p = text_find(text_span(p, end), *words)) != NULL; p++)
		{
			const char *behind = p + strlen(*words);

			if ((p == text.p || !is_ascii_letter(p[-1])) && (behind == end || !is_ascii_letter(*behind)))
				return true;
		}
	return false;
}

/* '看一看': a verb, 一, and the verb again; '一天一天' is none. */
static bool
has_doubled_verb(Span text)
{
	static const char one[] = "一";
	const char *end = text.p + text.n;
	const size_t n = strlen(one);

	for (const char *p = text.p; p < end && (p = text_find(text_span(p, end), one)) != NULL; p += n)
		if ((size_t) (p - text.p) >= n && (size_t) (end - p) >= 2 * n && (unsigned char) *(p - n) >= 0xE3 &&
			memcmp(p - n, p + n, n) == 0 && memcmp(p - n, one, n) != 0 &&
			((size_t) (p - text.p) < 2 * n || memcmp(p - 2 * n, one, n) != 0))
			return true;
	return false;
}

/* Blanks in place of every occurrence of any of a NULL-ended list. */
static void
blank_out(char *text, size_t n, const char *const *words)
{
	for (; *words != NULL; words++)
		for (char *p = text; p < text + n;)
		{
			const char *found = text_find(text_span(p, text + n), *words);

			if (found == NULL)
				break;
			p = text + (found - text);
			memset(p, ' ', strlen(*words));
		}
}

bool
check_is_addressed(Span question)
{
	static const char *const marks[] = {"?", "？", NULL};
	static const char *const particles[] = {"吗", "呢", "么", NULL};
	char		room[1200];
	Span		text = text_trim(question);
	Span		core = text_unmarked(text);
	Span		plain;

	if (text_has_any(text, marks))
		return true;
	for (const char *const *particle = particles; *particle != NULL; particle++)
		if (core.n >= 3 && memcmp(core.p + core.n - 3, *particle, 3) == 0)
			return true;
	plain = script_plain(text, room, sizeof(room));
	blank_out(room, plain.n, no_requests);
	return text_has_any(plain, requests) || has_doubled_verb(plain) ||
		has_word(plain, english_requests) || text_starts_any(plain, english_verbs);
}

/*
 * Of these alone consists a question that only asks to describe the picture: one
 * word more ('历史背景', 'why') asks for something else.
 */
static const char *const describing[] = {
	"请", "请问", "您", "你", "能", "能否", "能不能", "可以", "可否", "帮我", "给我", "为我", "用中文", "用文字", "一下", "一段",
	"详细", "仔细", "简要", "简单", "具体", "全面", "完整", "尽可能", "尽量", "地", "的", "描述", "形容", "介绍", "概括", "说明", "讲述",
	"说说", "说一说", "描绘", "总结", "这", "那", "该", "张", "幅", "个", "图", "图片", "图像", "照片", "相片", "画面", "画", "场景",
	"景象", "内容", "所", "展示", "展现", "呈现", "显示", "表现", "看到", "看见", "拍", "拍摄", "包含", "出现", "中", "里", "里面", "上",
	"整体", "整个", "主要", "一段话", "用", "发生", "事情", "情景", "事", "有", "有些", "什么", "哪些", "啥", "什么样", "怎样", "东西", "元素", "物体", "物品", "事物", "细节", "人物",
	"是", "了", "着", "吗", "呢", "吧", "和", "以及", "及其", "与", "在", "对", "进行", "都", "我", "观察", "到",
	"、", "，", ",", "。", "？", "?", "！", ".", ":", "：", "“", "”",
	"please", "can", "could", "you", "describe", "caption", "summarize", "the", "this", "a", "an", "image",
	"picture", "photo", "photograph", "scene", "in", "of", "detail", "details", "detailed", "what", "is", "are",
	"what's", "shown", "depicted", "see", "do", "does", "show", "depict", "give", "me", "provide", "description",
	"contents", "content", "there", "it", "as", "much", "possible", "for", "objects", "visible", "happening", "going", "on", NULL
};

bool
check_only_describes(Span question)
{
	static const char *const pictures[] = {
		"图", "照片", "相片", "画面", "场景", "image", "picture", "photo", "scene", NULL
	};
	static const char *const asking[] = {
		"描述", "形容", "介绍", "概括", "说明", "讲述", "说说", "说一说", "描绘", "总结", "什么", "哪些", "啥",
		"describe", "description", "caption", "summarize", "what", NULL
	};
	char		room[400];
	Span		text = script_plain(text_trim(question), room, sizeof(room));

	return question.n <= sizeof(room) && text_has_any(text, pictures) && text_has_any(text, asking) &&
		text_skip_all(text.p, text.p + text.n, describing) == text.p + text.n;
}

/* ---- courtesies at the end ---- */

/* 'If you have more questions': who, whether, what. */
static bool
offers_more(Span paragraph)
{
	static const char *const ifs[] = {"如果", "如", "若", "倘若", "要是", "假如", NULL};
	static const char *const words[] = {
		"您", "你", "还", "仍", "仍然", "对", "有", "需", "需要", "想", "希望", "存在", "任何", "其他", "其它", "更多", "进一步", "图片", "此",
		"这张", "照片", "以上", "内容", "对话", "回答", "描述", NULL
	};
	static const char *const wishes[] = {
		"问题", "需要", "需求", "疑问", "想了解", "想知道", "要求", "补充", "建议", "想法", "修改", "调整", "不清楚", NULL
	};
	static const char *const offers[] = {
		"请", "告诉", "告知", "随时", "欢迎", "为您", "为你", "帮您", "帮你", "提出", "提问", "继续", "我会", "我可以", "我很", "联系",
		"可以问", "也可以", NULL
	};
	const char *end = paragraph.p + paragraph.n;
	const char *p = text_skip_one(paragraph.p, end, ifs);

	return p != NULL && text_skip_all(p, end, words) > p &&
		text_has_any(paragraph, wishes) && text_has_any(paragraph, offers);
}

static bool
is_closing(Span paragraph)
{
	static const char *const help[] = {"有帮助", "有所帮助", "有些帮助", "有一些帮助", "有用", "帮到", "帮助到", NULL};
	static const char *const ends[] = {"以上就是", "以上即", "以上内容仅供", NULL};
	static const char *const these[] = {"以上是", NULL};
	static const char *const replies[] = {"描述", "对话", "回答", "解答", "内容", "介绍", "全部", NULL};
	static const char *const welcome[] = {"欢迎", NULL};
	static const char *const invited[] = {"随时", "您", "你", "继续", "再次", "进一步", "大家", "向我", "与我", "和我", NULL};
	static const char *const invites[] = {
		"提问", "提出", "告诉", "联系", "补充", "询问", "追问", "交流", "咨询", "反馈", "指出", "留言", "讨论", "问", NULL
	};
	static const char *const at_once[] = {
		"请随时", "可以随时", "您可以随时", "你可以随时", "随时告诉", "随时提问", "随时联系", "随时欢迎", NULL
	};
	static const char *const english[] = {
		"i hope this", "hope this", "hope that", "let me know", "feel free", "please let me know",
		"please feel free", "if you have any", "if you need", "if you'd like", NULL
	};
	char		room[CLOSING_CHARS * 4];
	const char *end;
	const char *behind;

	if (text_chars(paragraph) > CLOSING_CHARS)
		return false;
	paragraph = script_plain(text_undecorated(paragraph), room, sizeof(room));
	end = paragraph.p + paragraph.n;
	if (text_starts(paragraph, "希望"))
		return text_has_any(paragraph, help);
	behind = text_skip_one(paragraph.p, end, welcome);
	if (behind != NULL)
		return text_skip_one(text_skip_all(behind, end, invited), end, invites) != NULL;
	if (text_skip_one(paragraph.p, end, these) != NULL)
		return text_has_any(paragraph, replies);
	return offers_more(paragraph) || text_skip_one(paragraph.p, end, ends) != NULL ||
		text_skip_one(paragraph.p, end, at_once) != NULL || text_starts_any(paragraph, english);
}

Span
check_trim_closing(Span text, bool *trimmed)
{
	*trimmed = false;
	for (;;)
	{
		const char *blank = NULL;
		Span		last;

		text = text_trim(text);

		/*
		 * the last blank line; its paragraph is short, or nothing is to be
		 * done
		 */
		for (const char *p = text.p + text.n; p - 1 > text.p &&
			 text.p + text.n - p < CLOSING_CHARS * 4; p--)
			if (p[-1] == '\n')
			{
				Span		before = text_trim(text_span(text.p, p));

				if (memchr(before.p + before.n, '\n', (size_t) (p - 1 - before.p - (ptrdiff_t) before.n)) != NULL)
					blank = p;
				break;
			}
		if (blank == NULL)
			return text;
		last = text_trim(text_span(blank, text.p + text.n));
		if (!is_closing(last))
			return text;
		text.n = (size_t) (blank - text.p);
		*trimmed = true;
	}
}

/* ---- the prompt said back ---- */

#define ECHO_SAMPLES 16
#define ECHO_MISSING 6
#define ECHO_WINDOW 24			/* bytes */

/* Without blanks and newlines: at most room bytes; how many. */
static size_t
squeeze(Span text, char *out, size_t room)
{
	size_t		n = 0;

	for (size_t i = 0; i < text.n && n < room; i++)
		if ((unsigned char) text.p[i] > ' ')
			out[n++] = text.p[i];
	return n;
}

/* Whether most of the samples of the reply stand in the squeezed prompt. */
static bool
echoes(Span reply, Span prompt)
{
	int			missing = 0;

	for (int i = 0; i < ECHO_SAMPLES && missing <= ECHO_MISSING; i++)
	{
		char		window[ECHO_WINDOW];
		size_t		at = (reply.n - ECHO_WINDOW) * (size_t) i / (ECHO_SAMPLES - 1);
		size_t		n = squeeze(text_span(reply.p + at, reply.p + reply.n), window, ECHO_WINDOW);

		missing += n == 0 || memmem(prompt.p, prompt.n, window, n) == NULL;
	}
	return missing <= ECHO_MISSING;
}

bool
check_prompt_echo(Span text, const char *const *prompts)
{
	bool		echo = false;

	text = text_trim(text);
	if (prompts == NULL || text.n < 60)
		return false;
	for (; *prompts != NULL && !echo; prompts++)
	{
		Span		prompt = {*prompts, strlen(*prompts)};
		char	   *squeezed;

		/* much more than the prompt is not the prompt */
		if (text.n > prompt.n * 2)
			continue;
		squeezed = malloc(prompt.n);
		if (squeezed == NULL)
			return false;
		echo = echoes(text, text_span(squeezed, squeezed + squeeze(prompt, squeezed, prompt.n)));
		free(squeezed);
	}
	return echo;
}
