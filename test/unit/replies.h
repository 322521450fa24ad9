/*
 * replies.h
 *	  Composes replies of which the turns are known: sentences from word lists, in
 *	  every label style, wrapping and noise that the reply policy names.  All of it
 *	  follows from one seed.
 */
#ifndef TEST_REPLIES_H
#define TEST_REPLIES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reply/reply.h"

#define MAX_TURNS 10
#define TURN_BYTES 2400
#define REPLY_BYTES (MAX_TURNS * TURN_BYTES * 3)

#define PICK(list) ((list)[below(sizeof(list) / sizeof((list)[0]))])

static uint64_t random_state;

static uint32_t
below(size_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t) ((random_state >> 20) % limit);
}

static bool
chance(int percent)
{
	return (int) below(100) < percent;
}

/* Text that only grows; room is REPLY_BYTES or TURN_BYTES, more than is written. */
typedef struct Text
{
	char	   *p;
	size_t		n;
} Text;

static void
put(Text *text, const char *s)
{
	size_t		n = strlen(s);

	memcpy(text->p + text->n, s, n + 1);
	text->n += n;
}

/* ---- what is said ---- */

/*
 * How often a reply may say the same words: a 10-gram is a loop from four times on
 * (replies are composed to be accepted).
 */
#define TIMES_SAID 3
#define SAID 256

static const char *said[SAID];
static int	n_said;

/* Any of the list that has not been said too often; the list must be long enough. */
static const char *
pick_scarce(const char *const *list, size_t n)
{
	const char *word;
	int			times;

	do
	{
		word = list[below(n)];
		times = 0;
		for (int i = 0; i < n_said; i++)
			times += said[i] == word;
	}
	while (times >= TIMES_SAID);
	if (n_said < SAID)
		said[n_said++] = word;
	return word;
}

#define SAY(list) pick_scarce((list), sizeof(list) / sizeof((list)[0]))

static const char *const zh_subjects[] = {
	"穿红外套的老人", "骑自行车的学生", "戴草帽的农夫", "一只橘色的小猫", "交谈中的游客", "穿白大褂的医生", "抱着吉他的青年", "柜台后的店员", "三只灰色的鸽子",
	"推婴儿车的母亲", "蓝色的公交车", "打着黑伞的行人", "轮椅上的女士", "睡觉的黄狗", "身着汉服的姑娘"
};
static const char *const zh_places[] = {
	"古老的石桥上", "热闹的市场里", "海边的沙滩旁", "明亮的教室中", "下雨的街角", "油菜花田边", "地铁站出口", "木质的餐桌前", "雪山脚下", "摆满书的架旁",
	"灯火通明的夜市", "图书馆里", "挂“茶”字的门口", "《出发》站牌下"
};
static const char *const zh_verbs[] = {
	"悠闲地欣赏", "认真地观察", "小心地搬运", "大声地讨论", "专注地拍摄", "愉快地分享", "耐心地等待",
	"仔细地整理", "快速地绕过", "安静地守着", "好奇地打量", "轻轻地抚摸"
};
static const char *const zh_objects[] = {
	"远处的帆船", "一篮新鲜的苹果", "刚出炉的面包", "墙上的旧地图", "闪烁的霓虹灯", "盛开的樱花", "整齐的木箱", "老式收音机", "写满公式的黑板", "冒热气的咖啡",
	"五颜六色的风筝", "印“ABC”的纸袋", "（很重的）行李", "7个玻璃瓶", "编号A3的展板", "标价３元的糖葫芦"
};
static const char *const zh_tails[] = {
	"，气氛十分轻松", "，光线从左侧照来", "，旁边有一张空椅", "，地面有些潮湿", "；背景里人影模糊", "，这说明天气寒冷", "——画面很有层次", "，色彩对比强烈", "：动作自然", ""
};
static const char *const zh_stops[] = {"。", "。", "。", "！", "……", "。”"};
static const char *const zh_opens[] = {
	"图中", "画面里，", "从左边看，", "可以看到", "在照片右侧，", "仔细看的话，", "\"", "“", "（补充）", "首先，", "那么"
};
static const char *const zh_asks[] = {
	"正在做什么？", "为什么会出现在那里？", "和周围的环境有什么关系?", "给人怎样的感觉呢？", "接下来可能会去哪儿？",
	"手里拿的是什么东西？", "有没有注意到旁边的东西吗？", "为什么显得这么特别呢", "是谁先发现的？请说明理由。"
};

static const char *const en_subjects[] = {
	"An old man in a red coat", "A tabby cat", "The tall clerk", "One of the students", "A yellow bus",
	"The woman with the umbrella", "Every visitor", "A sleepy dog", "The boy (in blue)", "Someone's brother"
};
static const char *const en_verbs[] = {
	"quietly watches", "is carrying", "points toward", "seems to admire", "walks past", "leans against",
	"has just noticed", "carefully sorts", "slowly circles"
};
static const char *const en_objects[] = {
	"a basket of apples", "the \"OPEN\" sign", "an empty bench", "the wooden boats", "three glass bottles",
	"a map of the harbour", "the steaming cup", "several paper kites", "the lamp's reflection", "a pile of books"
};
static const char *const en_tails[] = {
	" near the bridge", " while it rains", ", which suggests winter", " - a calm scene", " on the left side",
	"; the light is soft", " behind the counter", ", as far as anyone can tell", ""
};

static void
say_sentence(Text *text, bool english)
{
	if (english)
	{
		put(text, SAY(en_subjects));
		put(text, " ");
		put(text, SAY(en_verbs));
		put(text, " ");
		put(text, SAY(en_objects));
		put(text, SAY(en_tails));
		put(text, chance(90) ? ". " : "! ");
		return;
	}
	if (chance(40))
		put(text, PICK(zh_opens));
	put(text, SAY(zh_subjects));
	put(text, "在");
	put(text, SAY(zh_places));
	put(text, SAY(zh_verbs));
	put(text, SAY(zh_objects));
	put(text, SAY(zh_tails));
	put(text, PICK(zh_stops));
}

static void
say_question(Text *text, bool english)
{
	if (english)
	{
		put(text, "Why do you think ");
		put(text, SAY(en_subjects));
		put(text, " ");
		put(text, SAY(en_verbs));
		put(text, " ");
		put(text, SAY(en_objects));
		put(text, SAY(en_tails));
		put(text, "?");
		return;
	}
	if (chance(20))
		put(text, "请问，");
	put(text, "在");
	put(text, SAY(zh_places));
	put(text, "，");
	put(text, SAY(zh_subjects));
	put(text, SAY(zh_verbs));
	put(text, SAY(zh_objects));
	put(text, "时，");
	put(text, SAY(zh_asks));
}

/* What stands inside answers and is no label: markdown, tables, code, quotes. */
static const char *const insides[] = {
	"\n\n", "\n", "\n\n\n", "\n- ", "\n* 要点：", "\n1. ", "\n2、", "\n\n### 细节\n\n", "\n\n---\n\n", "\n**重点**：",
	"\n\n| 物体 | 数量 |\n| --- | --- |\n| 苹果 | 3 |\n\n", "\n```python\nprint('你好')\n```\n", "\n    缩进的一行：", "\n　　",
	" 😀 ", " C:\\数据\\图片 ", " $x<3$ ", " &lt;b&gt; ", "\n人们说：", "\n问题在于：", "\n助手们都在，", "\nAs: ", "\nAnswering: ",
	"\n回答问题时，", "\n问答环节，", "\n第一轮比赛中，"
};

/* ---- how it is dressed ---- */

typedef struct Style
{
	bool		latin;
	const char *human;
	const char *gpt;
	const char *colon;			/* "" where there is none */
	int			bold;			/* 0, 1: colon outside, 2: inside */
	int			bracket;		/* 0, 1: 【】, 2: [] */
	int			heading;
	const char *bullet;			/* on both, or "" */
	int			number;			/* 1: before every label, 2: before the human one, the other indented */
	int			count;			/* 1: digits behind the label, 2: full-width ones */
	int			fresh_line;		/* text below the label */
	bool		quote;
} Style;

typedef struct Reply
{
	ReplyKind	kind;
	bool		english;
	int			n;
	Text		turns[MAX_TURNS];
	bool		human[MAX_TURNS];
	Text		text;			/* the reply */
	uint32_t	flags;
	Style		style;
	bool		json;
	bool		fenced;
	bool		written_newlines;
} Reply;

static const char *const zh_humans[] = {"用户", "用戶", "人", "人类", "提问者", "问"};
static const char *const zh_gpts[] = {"助手", "AI助手", "视觉AI助手", "视觉助手", "回答者", "答", "ＡＩ助手"};
static const char *const en_humans[] = {"User", "Human", "Q", "USER", "user", "Ｕｓｅｒ", "Ｑ"};
static const char *const en_gpts[] = {"Assistant", "AI", "A", "ASSISTANT", "Ａｓｓｉｓｔａｎｔ", "ai"};
static const char *const zh_asked[] = {"问题", "問題", "提问"};
static const char *const zh_answered[] = {"回答", "详细回答", "答案", "解答", "答"};
static const char *const en_asked[] = {"Question", "Q", "QUESTION", "question"};
static const char *const en_answered[] = {"Answer", "A", "answer", "ＡＮＳＷＥＲ"};
static const char *const colons[] = {"：", "：", ":", "﹕", "︰", " ：", ": ", "　：　"};

static void
pick_style(Style *style, ReplyKind kind)
{
	memset(style, 0, sizeof(*style));
	style->latin = chance(35);
	if (kind == REPLY_QUESTION_ANSWER && chance(85))
	{
		style->human = style->latin ? PICK(en_asked) : PICK(zh_asked);
		style->gpt = style->latin ? PICK(en_answered) : PICK(zh_answered);
	}
	else
	{
		style->human = style->latin ? PICK(en_humans) : PICK(zh_humans);
		style->gpt = style->latin ? PICK(en_gpts) : PICK(zh_gpts);
	}
	style->colon = PICK(colons);
	style->bullet = "";
	style->bold = chance(30) ? 1 + (int) below(2) : 0;
	style->bracket = chance(15) ? 1 + (int) below(2) : 0;
	style->heading = chance(15) ? 1 + (int) below(6) : 0;
	if (style->heading == 0 && chance(12))
		style->bullet = chance(50) ? "- " : "* ";
	else if (style->heading == 0 && chance(12))
		style->number = 1 + (int) below(2);
	style->count = chance(25) ? 1 + (int) below(2) : 0;
	style->fresh_line = chance(25);
	style->quote = chance(6);
	if (style->bracket != 0 && chance(60))
		style->colon = "";
	else if (chance(10))
	{
		style->colon = "";
		style->fresh_line = 1;
	}
	if (style->colon[0] == '\0' && style->bold == 2)
		style->bold = 1;
}

/* A turn's label; number is its round's, from 1. */
static void
put_label(Text *text, const Style *style, bool human, int number)
{
	static const char *const wide[] = {"０", "１", "２", "３", "４", "５"};
	char		digits[24];

	if (style->heading > 0)
	{
		put(text, &"######"[6 - style->heading]);
		put(text, " ");
	}
	put(text, style->bullet);
	if (style->number == 1 || (style->number == 2 && human))
	{
		snprintf(digits, sizeof(digits), "%d%s", number, chance(50) ? ". " : "、");
		put(text, digits);
	}
	else if (style->number == 2)
		put(text, "   ");
	if (style->bold != 0)
		put(text, "**");
	if (style->bracket != 0)
		put(text, style->bracket == 1 ? "【" : "[");
	put(text, human ? style->human : style->gpt);
	snprintf(digits, sizeof(digits), "%d", number);
	if (style->count != 0)
		put(text, style->count == 1 ? digits : wide[number]);
	if (style->bracket != 0)
		put(text, style->bracket == 1 ? "】" : "]");
	if (style->bold == 1)
		put(text, "**");
	put(text, style->colon);
	if (style->bold == 2)
		put(text, "**");
	put(text, style->fresh_line ? "\n" : chance(30) ? " " : "");
}

/* A line that has another signature than the labels, and so is content. */
static const char *
decoy_of(const Style *style)
{
	static const char *const plain[] = {"\n- 用户：张三", "\n**用户：**张三", "\n### 助手：小王", "\n【用户】张三", "\n1. 用户：张三"};
	static const char *const bold[] = {"\n用户：admin", "\n助手：小王", "\nUser: guest", "\nA: 甲"};

	if (style->quote || style->number != 0 || style->bullet[0] != '\0' || style->bracket != 0 ||
		style->heading != 0)
		return "\n备注：";
	if (style->bold != 0)
		return PICK(bold);
	return style->latin ? PICK(plain) : chance(50) ? "\nUser: guest" : PICK(plain);
}

static void
say_answer(Reply *reply, Text *text, int sentences)
{
	for (int i = 0; i < sentences; i++)
	{
		if (i > 0 && chance(35))
			put(text, SAY(insides));
		else if (i > 0 && chance(8))
			put(text, decoy_of(&reply->style));
		say_sentence(text, reply->english);
	}
	while (text->n > 0 && (text->p[text->n - 1] == ' ' || text->p[text->n - 1] == '\n'))
		text->p[--text->n] = '\0';
}

static void
say_turns(Reply *reply)
{
	int			rounds = reply->kind == REPLY_DIALOGUE ? 1 + (int) below(5) : 1;

	reply->n = 0;
	n_said = 0;
	for (int i = 0; i < rounds; i++)
	{
		Text	   *turn = &reply->turns[reply->n];

		if (reply->kind != REPLY_DESCRIPTION)
		{
			reply->human[reply->n++] = true;
			do
			{
				turn->n = 0;
				say_question(turn, reply->english);
				for (int j = 0; j < i; j++)
					if (strcmp(reply->turns[2 * j].p, turn->p) == 0)
						turn->n = 0;
			}
			while (turn->n == 0);
		}
		turn = &reply->turns[reply->n];
		reply->human[reply->n++] = false;
		turn->n = 0;
		turn->p[0] = '\0';
		say_answer(reply, turn, (rounds == 1 ? 6 : rounds == 2 ? 3 : rounds < 5 ? 2 : 1) + (int) below(3));
	}
}

/* ---- the whole reply ---- */

static const char *const preambles[] = {
	"好的，以下是根据图片生成的对话：", "当然可以！下面是内容。", "Sure, here is the conversation:", "以下内容仅供参考：\n",
	"# 图片对话", "**图片问答**"
};
static const char *const closings[] = {
	"希望以上内容对您有所帮助！", "如果您还有其他问题，请随时告诉我。", "如有需要，请继续提问。", "欢迎随时提问！", "以上就是全部内容。",
	"请随时告诉我您的想法。", "希望这些回答对你有帮助。"
};
static const char *const rounds_written[] = {"第一轮：", "【第2轮】", "### 第三轮对话", "**第4轮**", "---", "***", "-----"};

static void
put_labelled(Reply *reply, Text *text)
{
	const Style *style = &reply->style;

	for (int i = 0; i < reply->n; i++)
	{
		if (i > 0)
			put(text, PICK(((const char *const[])
		{
			"\n", "\n\n", "\n \n", "\n\n\n"
		})));
		if (reply->human[i] && chance(15))
		{
			put(text, PICK(rounds_written));
			put(text, chance(50) ? "\n" : "\n\n");
		}
		put_label(text, style, reply->human[i], i / 2 + 1);
		put(text, reply->turns[i].p);
		if (!style->fresh_line && chance(10))
			put(text, "  ");
	}
}

static json_t *
json_turns(const Reply *reply)
{
	static const char *const keys[][2] = {{"用户", "助手"}, {"问题", "回答"}, {"question", "answer"}};
	json_t	   *array = json_array();
	int			form = (int) below(5);

	for (int i = 0; i < reply->n; i++)
	{
		json_t	   *turn = json_string(reply->turns[i].p);

		if (form == 0)
			json_array_append_new(array, json_pack("{s:s, s:o}", "role", reply->human[i] ? "user" : "assistant",
												   "content", turn));
		else if (form == 1)
			json_array_append_new(array, json_pack("{s:s, s:o}", "from", reply->human[i] ? "human" : "gpt",
												   "value", turn));
		else
		{
			if (reply->human[i])
				json_array_append_new(array, json_pack("{}"));
			json_object_set_new(json_array_get(array, (size_t) i / 2), keys[form - 2][!reply->human[i]], turn);
		}
	}
	if (chance(30))
		return json_pack("{s:o}", PICK(((const char *const[])
	{
		"conversations", "messages", "对话"
	})), array);
	if (form >= 2 && reply->n == 2 && chance(50))
	{
		json_t	   *pair = json_incref(json_array_get(array, 0));

		json_decref(array);
		return pair;
	}
	return array;
}

static void
put_json(Reply *reply, Text *text)
{
	json_t	   *root = json_turns(reply);
	size_t		flags = (chance(50) ? JSON_ENSURE_ASCII : 0) | (chance(50) ? JSON_INDENT(2) : 0) |
		(chance(20) ? JSON_COMPACT : 0) | (chance(50) ? JSON_PRESERVE_ORDER : 0) |
		(chance(20) ? JSON_ESCAPE_SLASH : 0) | JSON_PRESERVE_ORDER;
	char	   *dump = json_dumps(root, flags);

	put(text, dump);
	free(dump);
	json_decref(root);
}

/* Every occurrence of one string becomes another; room holds the result. */
static void
replace(Text *text, Text *room, const char *from, const char *to)
{
	const char *p = text->p;
	const char *found;
	Text		swap;

	room->n = 0;
	while ((found = strstr(p, from)) != NULL)
	{
		memcpy(room->p + room->n, p, (size_t) (found - p));
		room->n += (size_t) (found - p);
		put(room, to);
		p = found + strlen(from);
	}
	put(room, p);
	swap = *text;
	*text = *room;
	*room = swap;
}

static void
put_body(Reply *reply, Text *text)
{
	static const char *const titles[] = {"描述：", "图片描述：", "## 图片描述\n\n", "**图片描述：**\n", "**描述**：", "描述\n"};

	if (reply->json)
		put_json(reply, text);
	else if (reply->kind == REPLY_DESCRIPTION)
	{
		if (chance(40))
			put(text, PICK(titles));
		put(text, reply->turns[0].p);
	}
	else
		put_labelled(reply, text);
	if (!reply->json && chance(20))
	{
		put(text, "\n\n");
		put(text, PICK(closings));
		reply->flags |= REPLY_CLOSING_TRIMMED;
	}
	if (!reply->json && reply->kind != REPLY_DESCRIPTION && chance(10))
		put(text, "\n\n---");
}

static void
put_around(Reply *reply, Text *text, Text *body, Text *room)
{
	static const char *const fences[] = {"```", "```text", "```markdown", "```json"};
	static const char *const ends[] = {"<|im_end|>", "<|endoftext|>", "<|im_end|>\n用户：还有一个问题？", "\n<|im_end|>\n<|im_start|>user"};

	if (chance(10))
	{
		put(text, PICK(((const char *const[])
		{
			"<think>\n\n</think>\n\n", "<think>用户：先想一想。\n助手：好</think>", "\n<think>{\"a\": 1}</think>\n"
		})));
		reply->flags |= REPLY_THINK_REMOVED;
	}
	if (reply->kind != REPLY_DESCRIPTION && chance(20))
	{
		put(text, PICK(preambles));
		put(text, chance(50) ? "\n" : "\n\n");
		reply->flags |= REPLY_PREAMBLE_DROPPED;
	}
	if (reply->fenced)
	{
		put(text, PICK(fences));
		put(text, "\n");
	}
	if (reply->style.quote && !reply->json && reply->kind != REPLY_DESCRIPTION)
	{
		put(text, "> ");
		replace(body, room, "\n", "\n> ");
	}
	put(text, body->p);
	if (reply->fenced)
		put(text, "\n```");
	if (chance(20))
		put(text, "\n\n");
	if (chance(10))
		put(text, PICK(ends));
}

/* What every reply needs room for, allocated once. */
static inline void
reply_room(Reply *reply, Text *body, Text *room)
{
	memset(reply, 0, sizeof(*reply));
	for (int i = 0; i < MAX_TURNS; i++)
		reply->turns[i].p = malloc(TURN_BYTES);
	reply->text.p = malloc(REPLY_BYTES);
	body->p = malloc(REPLY_BYTES);
	room->p = malloc(REPLY_BYTES);
}

static inline void
reply_room_free(Reply *reply, Text *body, Text *room)
{
	for (int i = 0; i < MAX_TURNS; i++)
		free(reply->turns[i].p);
	free(reply->text.p);
	free(body->p);
	free(room->p);
}

/* The next reply of the seed's sequence. */
static inline void
compose(Reply *reply, Text *body, Text *room)
{
	static const ReplyKind kinds[] = {REPLY_DIALOGUE, REPLY_DIALOGUE, REPLY_DIALOGUE, REPLY_QUESTION_ANSWER, REPLY_DESCRIPTION};

	reply->kind = PICK(kinds);
	reply->english = chance(20);
	reply->flags = 0;
	reply->json = reply->kind != REPLY_DESCRIPTION && chance(15);
	reply->fenced = chance(15);
	pick_style(&reply->style, reply->kind);
	say_turns(reply);
	if (reply->kind == REPLY_DIALOGUE && reply->n == 2)
		reply->flags |= REPLY_SHORT_DIALOGUE;
	body->n = reply->text.n = 0;
	put_body(reply, body);
	if (chance(5))
		put(&reply->text, "\xEF\xBB\xBF");
	put_around(reply, &reply->text, body, room);
	reply->written_newlines = false;
	if (chance(15))
		replace(&reply->text, room, "\n", chance(80) ? "\r\n" : "\r");
	else if (!reply->json && reply->kind != REPLY_DESCRIPTION && chance(8) &&
			 strchr(reply->text.p, '\\') == NULL)
	{
		replace(&reply->text, room, "\n", "\\n");
		reply->written_newlines = true;
	}
	if (chance(5))
		replace(&reply->text, room, "。", "\xE2\x80\x8B。");
}

#endif							/* TEST_REPLIES_H */
