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
	"请", "帮我", "帮忙", "能否", "能不能", "可否", "可以", "我想知道", "我想了解", "想了解", "想知道",
	"想问", "描述", "介绍", "说说", "讲讲", "谈谈", "聊聊", "解释", "分析", "告诉", "列出", "列举", "翻译",
	"总结", "比较", "对比", "说明", "评价", "数一数", "数数", "看看", "读出", "读一下", "推测", "猜猜",
	"概括", "指出", "举例", "判断", "估计", "什么", "怎么", "怎样", "如何", "为什么", "为何", "哪", "几",
	"多少", "谁", "是否", "有没有", "是不是", "給我", "給出", "给出", "给我", "設計", "设计", "写出", "写一",
	"推荐", "建议", "describe", "explain", "tell me", "list", "what", "how", "why", "which", "who",
	"where", "when", "please", "can you", "could you", "is there", "are there", "compare", "count",
	"summarize", "identify", NULL
};

bool
check_is_addressed(Span question)
{
	static const char *const marks[] = {"?", "？", NULL};
	static const char *const particles[] = {"吗", "呢", "么", NULL};
	char		room[1200];
	Span		trimmed = text_trim(question);
	Span		core = trimmed;

	if (text_has_any(trimmed, marks))
		return true;
	/* a full stop may follow the particle */
	while (core.n > 0 && (core.p[core.n - 1] == '.' || core.p[core.n - 1] == '!'))
		core.n--;
	if (core.n >= 3 && (memcmp(core.p + core.n - 3, "。", 3) == 0 ||
						memcmp(core.p + core.n - 3, "！", 3) == 0))
		core.n -= 3;
	for (const char *const *particle = particles; *particle != NULL; particle++)
		if (core.n >= 3 && memcmp(core.p + core.n - 3, *particle, 3) == 0)
			return true;
	return text_has_any(text_lower(trimmed, room, sizeof(room)), requests);
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
	"整体", "整个", "主要", "有", "有些", "什么", "哪些", "啥", "什么样", "怎样", "东西", "元素", "物体", "物品", "事物", "细节", "人物",
	"是", "了", "着", "吗", "呢", "吧", "和", "以及", "及其", "与", "在", "对", "进行", "都", "我", "观察", "到",
	"、", "，", ",", "。", "？", "?", "！", ".", ":", "：", "“", "”",
	"please", "can", "could", "you", "describe", "caption", "summarize", "the", "this", "a", "an", "image",
	"picture", "photo", "photograph", "scene", "in", "of", "detail", "details", "detailed", "what", "is", "are",
	"what's", "shown", "depicted", "see", "do", "does", "show", "depict", "give", "me", "provide", "description",
	"contents", "content", "there", "it", "as", "much", "possible", "for", "objects", "visible", NULL
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
	Span		text = text_lower(text_trim(question), room, sizeof(room));

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
	static const char *const help[] = {"帮助", "有用", "帮到", NULL};
	static const char *const ends[] = {"以上就是", "以上是", "以上即", "以上内容", NULL};
	static const char *const welcome[] = {"欢迎", NULL};
	static const char *const invites[] = {
		"随时", "您", "你", "继续", "提问", "提出", "告诉", "联系", "补充", "再次", "进一步", "大家", NULL
	};
	static const char *const at_once[] = {"请随时", "随时", "可以随时", "您可以随时", "你可以随时", NULL};
	static const char *const english[] = {
		"i hope this", "hope this", "hope that", "let me know", "feel free", "please let me know",
		"please feel free", "if you have any", "if you need", "if you'd like", NULL
	};
	const char *end = paragraph.p + paragraph.n;
	const char *behind;
	char		room[400];

	if (text_chars(paragraph) > CLOSING_CHARS)
		return false;
	if (text_starts(paragraph, "希望"))
		return text_has_any(paragraph, help);
	behind = text_skip_one(paragraph.p, end, welcome);
	if (behind != NULL)
		return text_skip_one(behind, end, invites) != NULL;
	return offers_more(paragraph) || text_skip_one(paragraph.p, end, ends) != NULL ||
		text_skip_one(paragraph.p, end, at_once) != NULL ||
		text_starts_any(text_lower(paragraph, room, sizeof(room)), english);
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
