/*
 * notices.c
 *	  Replies and answers that say why there is none: refusals, pictures not seen.
 *
 * Nothing here knows a sentence: a notice is told by who cannot do what, in that
 * order, with the words between that people put there.  Words are compared with
 * script_plain's copy of the text, so they are small and simplified.
 */
#include "parts.h"

/* A notice is no longer than this; a description that happens to say 'cannot' is. */
#define NOTICE_CHARS 160
#define NOTICE_BYTES (NOTICE_CHARS * 4)

/* Bytes in which an answer says that it is none. */
#define ANSWER_HEAD 160

static const char *const greetings[] = {
	"您好", "你好", "嗯", "亲爱的用户", "尊敬的用户", "请", "，", ",", "！", "!", "。", "~", "～", "hello", "hi", NULL
};
static const char *const apologies[] = {
	"抱歉", "很抱歉", "非常抱歉", "十分抱歉", "真抱歉", "真的很抱歉", "对不起", "不好意思", "很遗憾", "非常遗憾", "我很遗憾", "我很抱歉",
	"我感到抱歉", "原谅", "请原谅", "请谅解", "i'm sorry", "i’m sorry", "i am sorry", "i'm really sorry",
	"i'm very sorry", "sorry", "i apologize", "my apologies", "apologies", "unfortunately, i", "i regret", NULL
};

/* ---- apologies ---- */

/*
 * Whether an apology is said here: somebody's, with a pause or what it is for behind it.
 * One that is only spoken of ('抱歉二字写在...') has neither.
 */
static bool
apologises(const char *p, const char *end)
{
	static const char *const goes_on[] = {
		"，", "。", "！", "、", "：", "；", "…", "～", "—", ",", ".", "!", ":", ";", "~", "-", " ", "\n", "的是",
		"我", "本", "您", "你", "但", "由于", "因为", "因", "无法", "不能", "不可", "没", "未", "暂", "目前", "图", "这", "该", "此",
		"从", "仅", "出于", "根据", "要", "给", "让", "了", NULL
	};
	const char *behind = text_skip_one(p, end, apologies);

	return behind != NULL && (behind == end || text_skip_one(behind, end, goes_on) != NULL);
}

/* ---- who cannot do what ---- */

static const char *const selves[] = {
	"这个问题", "该问题", "此问题", "这个请求", "该请求", "对此", "关于这一点", "我", "我们", "本人", "本模型", "目前", "暂时", "现在", "当前", "这里", "恐怕", "可能", "还", "也", "是", "并", "恕", "，", ",", "所以",
	"因此", "i", "am", "'m", "’m", "currently", "afraid", "that", "so", "therefore", "must", "have", "to", NULL
};
static const char *const unable[] = {
	"不能", "无法", "没法", "没办法", "没有办法", "不便", "不方便", "不会", "不可以", "不可", "拒绝", "难以", "不支持", "选择不",
	"无权", "不被允许", "can't", "can’t", "cannot", "can not", "won't", "won’t", "will not", "unable to",
	"not able to", "decline", "refuse", "do not feel comfortable", "don't feel comfortable", "not comfortable",
	"not going to", "not permitted", "not allowed", NULL
};
static const char *const deeds[] = {
	"协助", "帮助", "帮您", "帮你", "提供", "回答", "回应", "生成", "完成", "满足", "处理", "继续", "讨论", "给到", "给出", "为您", "为你",
	"显示", "执行", "参与", "评论", "描述", "识别", "创作", "设计", "编写", "展示", "透露", "进行", "对", "就", "按照", "遵循", "配合",
	"assist", "help", "comply", "provide", "describe", "identify", "answer", "create", "generate", "fulfill",
	"engage", "discuss", "continue", "respond", "with", "to", NULL
};
static const char *const manners[] = {
	"直接", "再", "准确", "继续", "相关", "地", "此", "这个", "该", "任何", "您的", "你的", "directly", "be", "able", "to", NULL
};

/* 'As an AI, ', '由于…，': up to and with the comma. */
static const char *
skip_reason(const char *p, const char *end)
{
	static const char *const openings[] = {
		"作为", "身为", "由于", "因为", "鉴于", "根据", "出于", "按照", "as an ", "as a ", "as this ", "due to ", "because ",
		"based on ", NULL
	};
	static const char *const commas[] = {"，", ",", "、我", NULL};
	const char *behind;

	if (text_skip_one(p, end, openings) == NULL)
		return p;
	for (const char *q = p; q < end && *q != '\n'; q++)
		if ((behind = text_skip_one(q, end, commas)) != NULL)
			return text_skip_blanks(behind, end);
	return p;
}

/* Whether text begins by saying that it cannot, or will not. */
static bool
declines(Span text)
{
	const char *end = text.p + text.n;
	const char *p = text_skip_all(text.p, end, greetings);
	const char *reason = skip_reason(p, end);
	const char *behind;

	p = text_skip_all(reason, end, selves);
	behind = text_skip_one(p, end, unable);
	if (behind == NULL)
		return false;
	p = text_skip_all(text_skip_blanks(behind, end), end, manners);
	return text_skip_one(p, end, deeds) != NULL;
}

/* 'The request touches ...': what is wrong with it, and a rule or a refusal. */
static bool
is_about_rules(Span text)
{
	static const char *const subjects[] = {
		"该", "此", "这", "您的", "你的", "本", "这张", "请求", "内容", "图片", "this", "your request", "the request", "the image",
		"the content", NULL
	};
	static const char *const wrongs[] = {
		"违反", "违背", "违规", "不符合", "敏感", "不适宜", "不适合", "不当", "不良", "不允许", "violate", "against", "inappropriate",
		"sensitive", NULL
	};
	static const char *const rules[] = {
		"政策", "规定", "准则", "条款", "法律", "法规", "规范", "原则", "我不", "我无法", "无法", "不能", "policy", "policies",
		"guidelines", "terms", "i can", "i won", "i'm unable", NULL
	};
	static const char *const laws[] = {
		"根据相关法律", "根据相关规定", "根据法律", "依据法律", "根据国家", NULL
	};
	const char *end = text.p + text.n;
	const char *p = text_skip_all(text.p, end, greetings);

	if (text_starts_any(text_span(p, end), laws))
		return text_has_any(text, unable);
	return text_skip_one(p, end, subjects) != NULL && text_has_any(text, wrongs) && text_has_any(text, rules);
}

/* ---- pictures not seen ---- */

static const char *const pictures[] = {
	"图片", "图像", "照片", "相片", "截图", "图", "附件", "image", "picture", "photo", "attachment", "visual content", NULL
};

#define BEGINNING 240			/* bytes in which a notice says what it is */
#define CLAUSE_CHARS 16			/* from the verb to the picture */
#define CLAUSE_BYTES 48			/* the same in English */

/* Whether the picture is spoken of as a whole at p: '图片中的人' is not. */
static bool
is_whole_picture(const char *p, const char *end)
{
	static const char *const places[] = {
		"中", "里", "上", "内", "左", "右", "下", "前", "后", "底", "顶", "边", "的", " of a ", " of the ", NULL
	};
	static const char *const wholes[] = {"中的内容", "的内容", "的具体内容", "中的具体内容", "里的内容", "上传", "内容", NULL};
	const char *behind = text_skip_one(p, end, pictures);

	return behind != NULL && (text_skip_one(behind, end, wholes) != NULL || text_skip_one(behind, end, places) == NULL);
}

/* The picture within the rest of the clause. */
static bool
picture_follows(const char *p, const char *end)
{
	static const char *const stops[] = {"，", "。", "！", "？", "；", ", ", ". ", "; ", "\n", NULL};
	bool		english = p < end && p[-1] >= 'a' && p[-1] <= 'z';
	int			length;

	for (int i = 0; i < (english ? CLAUSE_BYTES : CLAUSE_CHARS) && p < end; i++, p += length)
	{
		if (is_whole_picture(p, end))
			return true;
		if (text_skip_one(p, end, stops) != NULL)
			return false;
		(void) text_decode(p, end, &length);
	}
	return false;
}

/* Any of the verbs near the beginning, with the picture behind it. */
static bool
done_to_picture(Span text, const char *const *verbs)
{
	const char *end = text.p + text.n;

	for (; *verbs != NULL; verbs++)
		for (const char *p = text.p; p < end && (p = text_find(text_span(p, end), *verbs)) != NULL &&
			 p - text.p < BEGINNING; p++)
			if (picture_follows(p + strlen(*verbs), end))
				return true;
	return false;
}

static const char *const not_seeing[] = {
	"看不到", "看不见", "看到不了", "无法看", "无法查看", "无法直接", "无法访问", "无法打开", "无法读取", "无法浏览", "无法接收", "无法处理", "无法识别",
	"无法解析", "无法获取", "无法分析", "无法观看", "不能看", "不能查看", "不能直接", "不能处理", "不能识别", "还不能", "没有看到", "没看到", "未看到",
	"未能看到", "没能看到", "没有收到", "没收到", "未收到", "未能收到", "没有接收到", "未接收到", "没有检测到", "未检测到", "没有获取到", "没有提供",
	"未提供", "没有上传", "未上传", "没有附", "未附", "没有发送", "未发送", "忘记上传", "忘了上传", "缺少", "处理不了", "不具备", "没有能力",
	"can't see", "can’t see", "cannot see", "can't view", "cannot view", "can't access", "cannot access",
	"can't process", "cannot process", "can't open", "cannot open", "don't see", "do not see", "don’t see",
	"unable to see", "unable to view", "unable to access", "unable to process", "unable to open",
	"unable to analyze", "not able to see", "not able to view", "didn't receive", "did not receive",
	"haven't received", "have not received", "ability to see", "ability to view", "don't have access to", "no ", NULL
};
static const char *const asking_for[] = {
	"请上传", "请提供", "请发送", "请分享", "请附上", "请重新上传", "请重新发送", "请再次上传", "请再次发送", "请您上传", "请您提供", "请先上传", "请先提供", "请把",
	"请将", "能否上传", "能否提供", "可以上传", "可以提供", "重新上传", "重新发送", "重新提供", "please upload", "please provide", "please share",
	"please attach", "please send", "please resend", "could you share", "could you please share",
	"could you upload", "could you please upload", "could you provide", "could you please provide",
	"can you upload", "can you share", "try uploading", "re-upload", NULL
};

/* The picture, and soon after it, that it did not come. */
static bool
picture_is_missing(Span text)
{
	static const char *const failures[] = {
		"加载失败", "上传失败", "加载不", "未能加载", "没有加载", "无法加载", "未加载", "没有上传", "没有成功", "未成功", "未能成功", "没能成功", "未能正常",
		"没有正常", "无法显示", "未显示", "没有显示", "无法打开", "无法访问", "失效", "未上传", "没有附", "没有传", "丢失", "did not come", "didn't come",
		"did not load", "didn't load", "failed to", "was not", "wasn't", "were not", "not been", "hasn't been",
		"did not upload", "didn't upload", "is missing", NULL
	};
	const char *end = text.p + text.n;

	for (const char *const *name = pictures; *name != NULL; name++)
		for (const char *p = text.p; p < end && (p = text_find(text_span(p, end), *name)) != NULL; p++)
		{
			const char *behind = p + strlen(*name);

			if (text_has_any(text_span(behind, end - behind > 30 ? behind + 30 : end), failures) &&
				!text_starts(text_span(behind, end), "中"))
				return true;
		}
	return false;
}

/* ---- verdicts ---- */

/* What stands in quotation marks is the picture's: out of the way. */
static void
blank_quotes(char *text, size_t n)
{
	bool		quoted = false;

	for (size_t i = 0; i + 3 <= n; i++)
	{
		Span		rest = {text + i, n - i};

		if (text_starts(rest, "“") || text_starts(rest, "「") || text_starts(rest, "《"))
			quoted = true;
		else if (text_starts(rest, "”") || text_starts(rest, "」") || text_starts(rest, "》"))
			quoted = false;
		else if (quoted)
			text[i] = ' ';
	}
}

ReplyReason
check_notice(Span text)
{
	char		room[NOTICE_BYTES];
	const char *end;
	Span		all;

	text = text_undecorated(text_trim(text));
	if (text.n > sizeof(room) || text_chars(text) > NOTICE_CHARS)
		return REPLY_ACCEPTED;
	all = script_plain(text, room, sizeof(room));
	end = all.p + all.n;
	blank_quotes(room, all.n);
	if (apologises(text_skip_all(all.p, end, greetings), end) || apologises(all.p, end))
		return REPLY_REFUSAL;
	if (done_to_picture(all, not_seeing) || done_to_picture(all, asking_for) || picture_is_missing(all))
		return REPLY_IMAGE_NOT_SEEN;
	return declines(all) || is_about_rules(all) ? REPLY_REFUSAL : REPLY_ACCEPTED;
}

/* From the picture alone it cannot be told; unless the answer goes on to tell. */
static bool
cannot_tell(Span head, Span answer)
{
	static const char *const openings[] = {
		"仅", "仅仅", "只", "单", "从", "根据", "凭", "由", "在", "就", "这", "那", "该", "此", "张", "幅", "图片", "图像", "照片", "画面", "图", "现有",
		"提供", "信息", "内容", "中", "里", "上", "的", "来看", "看", "本身", "，", ",", "我", "我们", "目前", "很", "并", "也", "暂时", "from",
		"the", "this", "image", "picture", "photo", "alone", "it", "is", "i", "am", "'m", "based", "on", NULL
	};
	static const char *const not_able[] = {
		"无法", "不能", "难以", "难", "没法", "没办法", "没有办法", "不太能", "can't", "can’t", "cannot", "unable to", "not possible to",
		"impossible to", "hard to", "difficult to", NULL
	};
	static const char *const how[] = {
		"准确", "明确", "直接", "完全", "具体", "清楚", "清晰", "进一步", "地", "确切", "以", "仅凭", "accurately", "definitively", NULL
	};
	static const char *const tell[] = {
		"确定", "判断", "辨认", "得知", "看清", "看出", "识别", "知道", "确认", "回答", "推断", "了解", "分辨", "获知", "断定", "提供", "给出", "透露",
		"determine", "tell", "say", "identify", "know", "provide", "answer", "confirm", "see", "assist", "help", NULL
	};
	static const char *const goes_on[] = {"但", "不过", "然而", "可能", "but ", "however", NULL};
	const char *end = head.p + head.n;
	const char *p = text_skip_one(text_skip_all(head.p, end, openings), end, not_able);

	if (p == NULL)
		return false;
	p = text_skip_all(text_skip_blanks(p, end), end, how);
	return text_skip_one(p, end, tell) != NULL && !text_has_any(answer, goes_on);
}

/* Whether it is the model itself that cannot, or does not see the picture. */
static bool
speaks_of_itself(Span head)
{
	static const char *const itself[] = {"我", "本人", "本模型", "恕", "i ", "i'm", "i’m", NULL};
	static const char *const roles[] = {
		"作为ai", "作为一个ai", "作为一名ai", "作为一款ai", "作为人工智能", "作为一个人工智能", "作为语言模型",
		"作为一个语言模型", "作为视觉", "作为一个视觉", "身为ai", "as an ai", NULL
	};
	const char *end = head.p + head.n;
	const char *p = text_skip_all(head.p, end, greetings);
	const char *behind = skip_reason(p, end);

	if (text_skip_one(behind, end, itself) == NULL && text_skip_one(p, end, roles) == NULL)
		return false;
	if (declines(head))
		return true;
	p = text_skip_all(behind, end, selves);
	behind = text_skip_one(p, end, not_seeing);
	return behind != NULL && picture_follows(behind, end);
}

bool
check_is_refusal(Span answer)
{
	char		room[ANSWER_HEAD];
	Span		text = text_trim(answer);
	Span		head = script_plain(text, room, sizeof(room));

	return apologises(head.p, head.p + head.n) || cannot_tell(head, text) || speaks_of_itself(head);
}
