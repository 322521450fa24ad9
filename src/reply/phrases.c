/*
 * phrases.c
 *	  What is recognised by its words: refusals, courtesies, questions, echoes.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE				/* memmem */
#endif
#include "parts.h"

#include <stdlib.h>

/* A notice is no longer than this; a description that happens to say 'cannot' is. */
#define NOTICE_CHARS 160
#define CLOSING_CHARS 100

static const char *const apologies[] = {
	"抱歉", "很抱歉", "非常抱歉", "十分抱歉", "真抱歉", "对不起", "不好意思", "很遗憾", "對不起",
	"i'm sorry", "i’m sorry", "i am sorry", "sorry", "i apologize", "apologies",
	"unfortunately, i", NULL
};
static const char *const unwilling[] = {
	"我不能", "我无法", "我没办法", "我没有办法", "我不便", "我拒绝", "我不可以", "无法为您", "无法为你",
	"不能为您", "无法提供", "无法回答", "无法生成", "无法完成", "无法协助", "不能提供", "不能回答",
	"根据相关法律", "根据相关规定", "该内容", "i can't", "i can’t", "i cannot", "i can not",
	"i'm unable", "i am unable", "i'm not able", "i won't", "i will not", "i must decline", NULL
};
static const char *const self[] = {
	"作为", "身为", "as an ai", "as a language", "as a text", "我是一个", "我是一名", NULL
};
static const char *const not_seen[] = {
	"看不到", "看不见", "无法看到", "没有看到", "没看到", "无法查看", "不能查看", "无法直接查看",
	"没有收到", "未收到", "没收到", "没有提供图", "未提供图", "没有上传", "未上传", "没有附", "未附",
	"无法访问", "无法打开", "无法识别图", "无法读取", "不能看到", "无法浏览", "请上传", "请提供图", "请发送图",
	"can't see", "cannot see", "can’t see", "don't see", "unable to view", "can't view",
	"cannot view", "unable to see", "no image", "not able to see", "didn't receive", NULL
};
static const char *const picture[] = {
	"图", "照片", "相片", "image", "picture", "photo", NULL
};
static const char *const unsure[] = {
	"无法确定", "无法判断", "无法辨认", "无法得知", "不能确定", "我无法", "我不能", "无法回答", "无法看清",
	"i can't", "i cannot", "i'm unable", "i am unable", NULL
};

static Span
first_chars(Span text, size_t bytes)
{
	text.n = text.n < bytes ? text.n : bytes;
	return text;
}

/* Letters to lower case, for the English phrases; the rest as it is. */
static Span
lower_copy(Span text, char *room, size_t size)
{
	size_t		n = text.n < size ? text.n : size;

	for (size_t i = 0; i < n; i++)
		room[i] = (char) (text.p[i] >= 'A' && text.p[i] <= 'Z' ? text.p[i] + 32 : text.p[i]);
	return text_span(room, room + n);
}

bool
check_is_refusal(Span answer)
{
	char		room[48];
	Span		head = lower_copy(text_trim(answer), room, sizeof(room));

	return text_starts_any(head, apologies) || text_starts_any(head, unsure);
}

ReplyReason
check_notice(Span text)
{
	char		room[NOTICE_CHARS * 4];
	Span		all;

	text = text_trim(text);
	if (text.n > sizeof(room) || text_chars(text) > NOTICE_CHARS)
		return REPLY_ACCEPTED;
	all = lower_copy(text, room, sizeof(room));
	if (text_starts_any(all, apologies))
		return REPLY_REFUSAL;
	if (text_has_any(all, not_seen) && text_has_any(all, picture) &&
		(text_starts_any(all, self) || text_starts_any(all, unwilling) ||
		 text_has_any(first_chars(all, 60), not_seen)))
		return REPLY_IMAGE_NOT_SEEN;
	if (text_starts_any(all, unwilling) ||
		(text_starts_any(all, self) && text_has_any(all, unwilling)))
		return REPLY_REFUSAL;
	return REPLY_ACCEPTED;
}

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
	return text_has_any(lower_copy(trimmed, room, sizeof(room)), requests);
}

bool
check_only_describes(Span question)
{
	static const char *const verbs[] = {
		"描述", "形容", "介绍", "概括", "说明", "讲述", "说说", "描绘", "describe", "caption", NULL
	};
	static const char *const nouns[] = {
		"图", "照片", "画面", "场景", "相片", "image", "picture", "photo", "scene", NULL
	};
	static const char *const contents[] = {
		"有什么", "有哪些", "展示了什么", "描绘了什么", "内容是什么", "画了什么", "拍了什么",
		"what is in", "what's in", "what does", NULL
	};
	static const char *const reasons[] = {
		"为什么", "为何", "原因", "如何", "怎么", "怎样", "推测", "推断", "意义", "作用", "可能", "应该",
		"建议", "目的", "关系", "意味", "how", "why", "would", "should", "might", NULL
	};
	char		room[400];
	Span		text = text_trim(question);
	size_t		chars = text_chars(text);

	text = lower_copy(text, room, sizeof(room));
	if (chars > 60 || text_has_any(text, reasons) || !text_has_any(text, nouns))
		return false;
	if (text_has_any(text, verbs))
		return chars <= 30 || text.n == chars;
	return chars <= 16 && text_has_any(text, contents);
}

/* ---- courtesies at the end ---- */

static bool
is_closing(Span paragraph)
{
	static const char *const help[] = {"帮助", "有用", NULL};
	static const char *const need[] = {"问题", "需要", "疑问", "想了解", "想知道", "补充", NULL};
	static const char *const invites[] = {"欢迎", "请随时", "随时", NULL};
	static const char *const english[] = {
		"i hope this", "hope this", "let me know", "feel free", "if you have any", NULL
	};
	char		room[400];

	if (text_chars(paragraph) > CLOSING_CHARS)
		return false;
	if (text_starts(paragraph, "希望"))
		return text_has_any(paragraph, help);
	if (text_starts(paragraph, "如"))
		return text_has_any(paragraph, need);
	if (text_starts(paragraph, "以上就是") || text_starts(paragraph, "以上是"))
		return true;
	return text_starts_any(paragraph, invites) ||
		text_starts_any(lower_copy(paragraph, room, sizeof(room)), english);
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
