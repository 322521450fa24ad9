/*
 * test_reply_hard.c
 *	  Replies unlike those of the corpus, each beside what it must not be taken for.
 *	  What comes out of them follows from replies.md.
 */
#include "reply_case.h"

#define EN1 "Three people in bright jackets ride along the river, and the one in front wears a yellow helmet with a small lamp on it."
#define EN2 "The sky is clear and blue, with a few white clouds above the hills, and the low sun throws long shadows on the path."

/* ---- labels ---- */

static const Case labels[] = {
	DIALOGUE("wide letters, numbers and colons", "Ｑ１：" Q1 "\nＡ１：" A1 "\nＱ２：" Q2 "\nＡ２：" A2),
	DIALOGUE("bold and wide", "**Ｕｓｅｒ１：** " Q1 "\n**Ａｓｓｉｓｔａｎｔ１：** " A1 "\n**Ｕｓｅｒ２：** " Q2 "\n**Ａｓｓｉｓｔａｎｔ２：** " A2),
	DIALOGUE("wide and narrow", "User: " Q1 "\nＡｓｓｉｓｔａｎｔ：" A1 "\nＨｕｍａｎ：" Q2 "\nAI: " A2),
	DIALOGUE("words of one language vary", "用户：" Q1 "\nAI助手：" A1 "\n提问者：" Q2 "\n视觉助手：" A2),
	DIALOGUE("bold colons in and out", "**用户：**" Q1 "\n**助手**：" A1 "\n**用户**：" Q2 "\n**助手：** " A2),
	DIALOGUE("bold with and without colon", "**用户**\n" Q1 "\n\n**助手：**\n" A1 "\n\n**用户**\n" Q2 "\n\n**助手：**\n" A2),
	DIALOGUE("headings with and without colon", "### 用户\n" Q1 "\n### 助手：\n" A1 "\n### 用户\n" Q2 "\n### 助手：\n" A2),
	DIALOGUE("colons in brackets", "【用户：】" Q1 "\n【助手：】" A1 "\n【用户】：" Q2 "\n【助手：】" A2),
	DIALOGUE("Chinese numerals", "用户一：" Q1 "\n助手一：" A1 "\n用户二：" Q2 "\n助手二：" A2),
	DIALOGUE("blanks of every kind before labels", "用户：" Q1 "\n　助手：" A1 "\n 用户：" Q2 "\n　　助手：" A2),
	DIALOGUE("numbered on questions, bullet below", "1、用户：" Q1 "\n  * 助手：" A1 "\n2、用户：" Q2 "\n  * 助手：" A2),
	DIALOGUE("quoted without blanks", ">用户：" Q1 "\n>\n>助手：" A1 "\n>用户：" Q2 "\n>助手：" A2),
	DIALOGUE("rounds in headings and rules", "## 第一轮对话\n\n**用户：**" Q1 "\n\n**助手：**" A1 "\n\n***\n\n## 第二轮对话\n\n**用户：**" Q2 "\n\n**助手：**" A2 "\n\n***"),
	DIALOGUE("carriage returns alone", "用户：" Q1 "\r助手：" A1 "\r\r用户：" Q2 "\r助手：" A2),
	DIALOGUE("marks inside labels", "用\xE2\x80\x8B户：" Q1 "\n助\xEF\xBB\xBF手：" A1 "\n用户：" Q2 "\n助手：" A2),
	/* other signatures are content */
	REJECTED("languages mixed from the start", "用户：" Q1 "\nAssistant：" A1 "\n用户：" Q2 "\nAssistant：" A2, REPLY_NO_ANSWER),
	REJECTED("all on one line", "用户：" Q1 " 助手：" A1 " 用户：" Q2 " 助手：" A2, REPLY_NO_ANSWER),
	REJECTED("a question and no more", "用户：" Q1, REPLY_NO_ANSWER),
	REJECTED("no labels, line by line", Q1 "\n" A1 "\n" Q2 "\n" A2, REPLY_UNPARSABLE),
	REJECTED("labels in a table", "| 用户 | 助手 |\n|---|---|\n| " Q1 " | " A1 " |\n| " Q2 " | " A2 " |", REPLY_UNPARSABLE),
	REJECTED("a count of people", "用户：" Q1 "\n助手：" A1 "统计如下：\n人：三个\n用户：" Q2 "\n助手：" A2, REPLY_AMBIGUOUS_ROLE),
	{"labels in bold inside sentences", REPLY_DIALOGUE, "用户：" Q1 "\n助手：" A1 "屏幕左边是**用户**：张三，右边是**助手**：小艾。\n用户：" Q2 "\n助手：" A2,
		REPLY_ACCEPTED, 0, {Q1, A1 "屏幕左边是**用户**：张三，右边是**助手**：小艾。", Q2, A2}},
	{"a menu of single words", REPLY_DIALOGUE, "用户：" Q1 "\n助手：" A1 "菜单有三项：\n用户\n订单\n助手\n用户：" Q2 "\n助手：" A2,
		REPLY_ACCEPTED, 0, {Q1, A1 "菜单有三项：\n用户\n订单\n助手", Q2, A2}},
	{"a form under headings", REPLY_DIALOGUE, "### 用户\n" Q1 "\n### 助手\n" A1 "\n用户：admin\n密码：空\n### 用户\n" Q2 "\n### 助手\n" A2,
		REPLY_ACCEPTED, 0, {Q1, A1 "\n用户：admin\n密码：空", Q2, A2}},
	{"a fixture list", REPLY_DIALOGUE, "用户：" Q1 "\n助手：" A1 "赛程表写着：\n第一轮\n甲队对乙队\n第二轮\n丙队对丁队\n用户：" Q2 "\n助手：" A2,
		REPLY_ACCEPTED, 0, {Q1, A1 "赛程表写着：\n第一轮\n甲队对乙队\n第二轮\n丙队对丁队", Q2, A2}},
	{"a quotation in an answer", REPLY_DIALOGUE, "用户：" Q1 "\n助手：" A1 "\n\n> 有志者，事竟成。\n> 用户：某人\n\n用户：" Q2 "\n助手：" A2,
		REPLY_ACCEPTED, 0, {Q1, A1 "\n\n> 有志者，事竟成。\n> 用户：某人", Q2, A2}},
	{"JSON on a screen", REPLY_DIALOGUE, "用户：屏幕上是什么？\n助手：屏幕上是 {\"name\": \"张三\"} 这行代码。" A1 "\n用户：" Q2 "\n助手：" A2,
		REPLY_ACCEPTED, 0, {"屏幕上是什么？", "屏幕上是 {\"name\": \"张三\"} 这行代码。" A1, Q2, A2}},
	{"a list of JSON on a screen", REPLY_DIALOGUE, "用户：返回了什么？\n助手：返回的是\n[{\"user\": \"张三\", \"a\": \"1\"}]\n" A1 "\n用户：" Q2 "\n助手：" A2,
		REPLY_ACCEPTED, 0, {"返回了什么？", "返回的是\n[{\"user\": \"张三\", \"a\": \"1\"}]\n" A1, Q2, A2}},
	{"a path", REPLY_DIALOGUE, "用户：" Q1 "\n助手：" A1 "路径是 D:\\new\\notes，公式是 $a \\neq b$。\n用户：" Q2 "\n助手：" A2,
		REPLY_ACCEPTED, 0, {Q1, A1 "路径是 D:\\new\\notes，公式是 $a \\neq b$。", Q2, A2}},
	{"a masked password", REPLY_DIALOGUE, "用户：" Q1 "\n助手：" A1 "\n密码：\n******\n其余为空。\n用户：" Q2 "\n助手：" A2,
		REPLY_ACCEPTED, 0, {Q1, A1 "\n密码：\n******\n其余为空。", Q2, A2}},
};

/* ---- what stands around ---- */

static const Case wrappings[] = {
	FLAGGED("courtesy behind a rule", APART("用户：", "助手：") "\n\n---\n\n希望以上对话对您有所帮助！", REPLY_CLOSING_TRIMMED),
	FLAGGED("courtesy behind a courtesy", APART("用户：", "助手：") "\n\n以上就是全部对话。\n\n如有需要，请随时告诉我。", REPLY_CLOSING_TRIMMED),
	{"courtesy behind a rule, described", REPLY_DESCRIPTION, D "\n\n---\n\n如果您还想了解更多细节，请告诉我。", REPLY_ACCEPTED, REPLY_CLOSING_TRIMMED, {D}},
	{"courtesy in the middle", REPLY_DIALOGUE, "用户：" Q1 "\n\n助手：" A1 "\n\n希望对您有帮助！\n\n用户：" Q2 "\n\n助手：" A2,
		REPLY_ACCEPTED, 0, {Q1, A1 "\n\n希望对您有帮助！", Q2, A2}},
	{"courtesy and no blank line", REPLY_DIALOGUE, "用户：" Q1 "\n助手：" A1 "\n用户：" Q2 "\n助手：" A2 "\n希望对您有帮助！",
		REPLY_ACCEPTED, 0, {Q1, A1, Q2, A2 "\n希望对您有帮助！"}},
	FLAGGED("thought without its opening", "先数人，再看天气。\n</think>\n\n" APART("用户：", "助手："), REPLY_THINK_REMOVED),
	FLAGGED("thought with tokens", "<think>应当写 <image> 还是 <|image_pad|>？</think>" APART("用户：", "助手："), REPLY_THINK_REMOVED),
	FLAGGED("thought in JSON, and JSON", "<think>[{\"用户\":\"草稿\"}]</think>[{\"用户\":\"" Q1 "\",\"助手\":\"" A1 "\"},{\"用户\":\"" Q2 "\",\"助手\":\"" A2 "\"}]", REPLY_THINK_REMOVED),
	REJECTED("thought not closed, in a fence's place", "\n<think>\n```\n" APART("用户：", "助手：") "\n```", REPLY_UNCLOSED_THINK),
	{"thought, and nothing but a token", REPLY_DESCRIPTION, "<think>好</think><|im_end|>", REPLY_EMPTY, 0},
	{"a tag in a screenshot", REPLY_DESCRIPTION, D "屏幕上有一行 </think> 标签，颜色发灰。", REPLY_ACCEPTED, 0, {D "屏幕上有一行 </think> 标签，颜色发灰。"}},
	{"code first, then the description", REPLY_DESCRIPTION, "```\nprint(1)\n```\n" D, REPLY_ACCEPTED, 0, {"```\nprint(1)\n```\n" D}},
	{"code in the middle", REPLY_DESCRIPTION, D "\n```\nprint(1)\n```\n代码只有一行。", REPLY_ACCEPTED, 0, {D "\n```\nprint(1)\n```\n代码只有一行。"}},
	{"fenced description", REPLY_DESCRIPTION, "```markdown\n## 图片描述\n" D "\n```", REPLY_ACCEPTED, 0, {D}},
	{"English label", REPLY_DESCRIPTION, "**Image Description:**\n" EN1 " " EN2, REPLY_ACCEPTED, 0, {EN1 " " EN2}, REPLY_FINISH_STOP, REPLY_LANGUAGE_EN},
	{"a word that is no label", REPLY_DESCRIPTION, "Description of goods is what the paper says. " EN1 " " EN2, REPLY_ACCEPTED, 0,
		{"Description of goods is what the paper says. " EN1 " " EN2}, REPLY_FINISH_STOP, REPLY_LANGUAGE_EN},
	{"label inside the description", REPLY_DESCRIPTION, D "\n\n描述：以上。", REPLY_ACCEPTED, 0, {D "\n\n描述：以上。"}},
	{"dialogue for a description", REPLY_DESCRIPTION, "画面是一段聊天：\n用户：在吗？\n助手：在。\n" D, REPLY_ACCEPTED, 0, {"画面是一段聊天：\n用户：在吗？\n助手：在。\n" D}},
	FLAGGED("preamble of eighty", TEN("一二三四五六七八") "\n" APART("用户：", "助手："), REPLY_PREAMBLE_DROPPED),
	REJECTED("preamble of eighty-one", TEN("一二三四五六七八") "九\n" APART("用户：", "助手："), REPLY_UNPARSABLE),
};

/* ---- JSON ---- */

#define PAIRS "{\"用户\":\"" Q1 "\",\"助手\":\"" A1 "\"},{\"用户\":\"" Q2 "\",\"助手\":\"" A2 "\"}"
#define PAIRS_THEN(more) "[{\"用户\":\"" Q1 "\",\"助手\":\"" A1 "\"},{\"用户\":\"" Q2 "\",\"助手\":\"" A2 more "\"}]"

static const Case json[] = {
	DIALOGUE("trailing commas in a fence", "```json\n[" PAIRS ",]\n```"),
	DIALOGUE("trailing commas in objects", "{\"对话\": [{\"用户\":\"" Q1 "\",\"助手\":\"" A1 "\",},{\"用户\":\"" Q2 "\",\"助手\":\"" A2 "\",},],}"),
	DIALOGUE("capital keys", "[{\"Question\":\"" Q1 "\",\"Answer\":\"" A1 "\"},{\"Question\":\"" Q2 "\",\"Answer\":\"" A2 "\"}]"),
	DIALOGUE("pairs in one object", "{\"用户\":\"" Q1 "\",\"助手\":\"" A1 "\",\"用户\":\"" Q2 "\",\"助手\":\"" A2 "\"}"),
	DIALOGUE("Traditional keys", "[{\"問題\":\"" Q1 "\",\"回答\":\"" A1 "\"},{\"問題\":\"" Q2 "\",\"回答\":\"" A2 "\"}]"),
	{"Python's quotes", REPLY_DIALOGUE, "[{'role': 'user', 'content': '" Q1 "'}, {'role': 'assistant', 'content': '" A1 "'}, "
		"{'role': 'user', 'content': \"" Q2 "\"}, {'role': 'assistant', 'content': '" A2 "It\\'s Tom's \"hat\".'}]",
		REPLY_ACCEPTED, 0, {Q1, A1, Q2, A2 "It's Tom's \"hat\"."}},
	DIALOGUE("a courtesy behind", "[" PAIRS "]\n\n希望以上对话对您有所帮助！"),
	FLAGGED("brackets in the preamble", "好的[已看图]，对话{如下}：\n[" PAIRS "]", REPLY_PREAMBLE_DROPPED),
	FLAGGED("a courtesy in the last answer", PAIRS_THEN("\\n\\n希望以上对话对您有所帮助！"), REPLY_CLOSING_TRIMMED),
	{"line ends in strings", REPLY_DIALOGUE, "[{\"用户\":\"" Q1 "\",\"助手\":\"" A1 "\n\n另有一只狗。\"},{\"用户\":\"" Q2 "\",\"助手\":\"" A2 "\\r\\n完。\"}]",
		REPLY_ACCEPTED, 0, {Q1, A1 "\n\n另有一只狗。", Q2, A2 "\n完。"}},
	{"a fence in a string", REPLY_DIALOGUE, PAIRS_THEN("\\n```c\\nint n;\\n```"), REPLY_ACCEPTED, 0, {Q1, A1, Q2, A2 "\n```c\nint n;\n```"}},
	{"labels in a string", REPLY_DIALOGUE, PAIRS_THEN("\\n用户：张三\\n助手：小艾"), REPLY_ACCEPTED, 0, {Q1, A1, Q2, A2 "\n用户：张三\n助手：小艾"}},
	{"JSON in a string", REPLY_DIALOGUE, PAIRS_THEN("返回 {\\\"用户\\\": \\\"张三\\\"}。"), REPLY_ACCEPTED, 0, {Q1, A1, Q2, A2 "返回 {\"用户\": \"张三\"}。"}},
	{"invisible characters, escaped", REPLY_DIALOGUE, PAIRS_THEN("\\u200b完\\ufeff。\\u2060"), REPLY_ACCEPTED, 0, {Q1, A1, Q2, A2 "完。"}},
	{"astral plane, escaped", REPLY_DIALOGUE, PAIRS_THEN("\\ud842\\udfb7\\uD83C\\uDF5C"), REPLY_ACCEPTED, 0, {Q1, A1, Q2, A2 "𠮷🍜"}},
	REJECTED("the image's place, escaped", "[{\"role\":\"user\",\"content\":\"\\u003cimage\\u003e\\n" Q1 "\"},{\"role\":\"assistant\",\"content\":\"" A1 A2 "\"}]", REPLY_IMAGE_TOKEN_LEAK),
	REJECTED("a token, escaped", PAIRS_THEN("\\u003c|vision_start|\\u003e"), REPLY_SPECIAL_TOKEN),
	REJECTED("a box, escaped", PAIRS_THEN("\\u003cbox\\u003e(1,2)\\u003c/box\\u003e"), REPLY_SPECIAL_TOKEN),
	REJECTED("a replacement character, escaped", PAIRS_THEN("\\ufffd"), REPLY_BAD_UTF8),
	REJECTED("an empty answer", "[{\"用户\":\"" Q1 "\",\"助手\":\" \"},{\"用户\":\"" Q2 "\",\"助手\":\"" A2 "\"}]", REPLY_EMPTY_TURN),
	REJECTED("two questions in a row", "[{\"role\":\"user\",\"content\":\"" Q1 "\"},{\"role\":\"user\",\"content\":\"" Q2 "\"},{\"role\":\"assistant\",\"content\":\"" A1 A2 "\"}]", REPLY_ROLES_NOT_ALTERNATING),
	{"two answers in a row", REPLY_DIALOGUE, "[{\"role\":\"user\",\"content\":\"" Q1 "\"},{\"role\":\"assistant\",\"content\":\"" A1 "\"},{\"role\":\"assistant\",\"content\":\"" A2 "\"}]",
		REPLY_ACCEPTED, REPLY_MERGED_TURNS | REPLY_SHORT_DIALOGUE, {Q1, A1 "\n\n" A2}},
	FLAGGED("the same question again", "[" PAIRS ",{\"用户\":\"" Q1 "\",\"助手\":\"" A3 "\"}]", REPLY_DUPLICATE_ROUND_DROPPED),
	FLAGGED("a question without answer", "[" PAIRS ",{\"用户\":\"" Q3 "\"}]", REPLY_DANGLING_TURN_DROPPED),
	{"several reasoning pairs", REPLY_QUESTION_ANSWER, "[{\"问题\":\"" RQ "\",\"回答\":\"" RA "\"},{\"问题\":\"" Q3 "\",\"回答\":\"" A3 "\"}]", REPLY_ACCEPTED, REPLY_EXTRA_PAIRS, {RQ, RA}},
	{"reasoning, cut in the second pair", REPLY_QUESTION_ANSWER, "[{\"问题\":\"" RQ "\",\"回答\":\"" RA "\"},{\"问题\":\"" Q3, REPLY_ACCEPTED, REPLY_SALVAGED, {RQ, RA}, REPLY_FINISH_LENGTH},
	{"reasoning, cut in the answer", REPLY_QUESTION_ANSWER, "{\"问题\":\"" RQ "\",\"回答\":\"" RA, REPLY_TRUNCATED, 0, {NULL}, REPLY_FINISH_LENGTH},
};

/* ---- who speaks ---- */

#define ASKED(question) {"asked", REPLY_DIALOGUE, "用户：" Q1 "\n助手：" A1 "\n用户：" question "\n助手：" A2, REPLY_ACCEPTED, 0, {Q1, A1, question, A2}}
#define NOT_ASKED(line) {"quoted", REPLY_DIALOGUE, "用户：" Q1 "\n助手：" A1 "\n用户：" line "\n助手：" A2, REPLY_AMBIGUOUS_ROLE, 0}
#define ENGLISH(line, reason) {"English", REPLY_DIALOGUE, "User: How many riders are there?\nAssistant: " EN1 "\nUser: " line "\nAssistant: " EN2, \
	reason, 0, {NULL}, REPLY_FINISH_STOP, REPLY_LANGUAGE_EN}

static const Case roles[] = {
	ASKED("再讲一讲天气"),
	ASKED("想听听你对天气的看法，说一说吧"),
	ASKED("帮忙数一下远处的云"),
	ASKED("那么天空里有几朵云"),
	ASKED("麻烦你把天气念给我听"),
	ASKED("天气好吗。"),
	ASKED("比一比山顶和近处的云"),
	NOT_ASKED("已登录"),
	NOT_ASKED("申请退款中"),
	NOT_ASKED("邀请码8842"),
	NOT_ASKED("电量几乎用完"),
	NOT_ASKED("2024年5月1日 12:30"),
	ENGLISH("Name the colours of the sky.", REPLY_ACCEPTED),
	ENGLISH("Tell me about the weather.", REPLY_ACCEPTED),
	ENGLISH("Count the clouds", REPLY_ACCEPTED),
	ENGLISH("And the hills, how far are they", REPLY_ACCEPTED),
	ENGLISH("Name", REPLY_AMBIGUOUS_ROLE),
	ENGLISH("Name: John Doe, last read 5 May", REPLY_AMBIGUOUS_ROLE),
	ENGLISH("showroom-admin", REPLY_AMBIGUOUS_ROLE),
	ENGLISH("playlist 4", REPLY_AMBIGUOUS_ROLE),
	ENGLISH("pleased2meetu", REPLY_AMBIGUOUS_ROLE),
	FLAGGED("the same question, otherwise stopped", APART("用户：", "助手：") "\n\n用户：图片中有几个人在骑自行车?\n\n助手：" A3, REPLY_DUPLICATE_ROUND_DROPPED),
	FLAGGED("last label empty", APART("用户：", "助手：") "\n\n用户：", REPLY_DANGLING_TURN_DROPPED),
	{"cut in the first of two pairs", REPLY_QUESTION_ANSWER, "问题：" RQ "\n回答：" RA "\n问题：" Q3 "\n回答：他可能", REPLY_ACCEPTED, REPLY_SALVAGED, {RQ, RA}, REPLY_FINISH_LENGTH},
	{"answer said in two parts", REPLY_QUESTION_ANSWER, "问题：" RQ "\n回答：" RA "\n答案：" A3, REPLY_ACCEPTED, REPLY_MERGED_TURNS, {RQ, RA "\n\n" A3}},
	{"an answer's word inside the question", REPLY_QUESTION_ANSWER, "问题：横幅上“去哪儿？回答有奖”的活动为什么吸引人？\n回答：" RA, REPLY_ACCEPTED, 0,
		{"横幅上“去哪儿？回答有奖”的活动为什么吸引人？", RA}},
	{"bold, on one line", REPLY_QUESTION_ANSWER, "**问题：** " RQ " **回答：** " RA, REPLY_ACCEPTED, 0, {RQ, RA}},
	{"Chinese numerals", REPLY_QUESTION_ANSWER, "问题一：" RQ "\n回答一：" RA, REPLY_ACCEPTED, 0, {RQ, RA}},
};

/* ---- refusals ---- */

#define NOTICE(reply, reason) {"notice", REPLY_DESCRIPTION, reply, reason, 0}, {"notice for a dialogue", REPLY_DIALOGUE, reply, reason, 0}
#define REFUSED(answer) FLAGGED("refused round", APART("用户：", "助手：") "\n\n用户：" Q3 "\n\n助手：" answer, REPLY_REFUSED_ROUND_DROPPED)
#define ANSWERED(answer) {"answered round", REPLY_DIALOGUE, APART("用户：", "助手：") "\n\n用户：" Q3 "\n\n助手：" answer, REPLY_ACCEPTED, 0, {Q1, A1, Q2, A2, Q3, answer}}

static const Case refusals[] = {
	NOTICE("**很抱歉，我无法满足该请求。**", REPLY_REFUSAL),
	NOTICE("> I'm sorry, but I can't help with that.", REPLY_REFUSAL),
	NOTICE("我無法協助您完成這項請求。", REPLY_REFUSAL),
	NOTICE("這張圖片違反了使用規定，我不能描述。", REPLY_REFUSAL),
	NOTICE("我看不到圖片，請重新上傳。", REPLY_IMAGE_NOT_SEEN),
	NOTICE("您好，我沒有收到任何圖片。", REPLY_IMAGE_NOT_SEEN),
	NOTICE("**No image was attached.** Please upload it again.", REPLY_IMAGE_NOT_SEEN),
	REFUSED("作为AI助手，我不能提供个人信息。"),
	REFUSED("我无法查看这张图片，请您描述一下。"),
	REFUSED("很抱歉，图中没有相关信息。"),
	REFUSED("I'm sorry, I cannot tell from the picture."),
	REFUSED("這張照片無法判斷原因。"),
	ANSWERED("抱歉二字写在他身后的纸牌上，他停下来是为了向路人道歉。"),
	ANSWERED("“对不起，此路不通”写在路牌上，所以他停了下来。"),
	ANSWERED("屏幕上弹出“抱歉，您无权访问该页面”，他只好停下来。"),
	ANSWERED("对不起是屏幕上最大的三个字，下面是返回按钮。"),
	ANSWERED("没有停，他只是放慢了速度。"),
	ANSWERED("作为领队，不能就这样丢下同伴，所以他停下来等候。"),
	ANSWERED("我认为他在检查后轮，因为他正低着头。"),
	ANSWERED("无法判断他的年龄，但可以看出他在检查后轮。"),
	{"an apology painted on a wall", REPLY_DESCRIPTION, "对不起三个大字占满了整面墙。" D, REPLY_ACCEPTED, 0},
	{"short, an apology painted on a wall", REPLY_DESCRIPTION, "对不起三个大字占满了整面墙。", REPLY_TOO_SHORT, 0},
	{"short, black", REPLY_DESCRIPTION, "图片是全黑的，看不到任何物体。", REPLY_TOO_SHORT, 0},
};

/* ---- measures and tags ---- */

#define TAGGED(text, flags) {"tag", REPLY_DESCRIPTION, D text, REPLY_ACCEPTED, flags, {D text}}
#define NOT_COMPLEX(question) {"not complex", REPLY_QUESTION_ANSWER, "问题：" question "\n回答：" RA, REPLY_NOT_COMPLEX, 0}
#define COMPLEX(question) {"complex", REPLY_QUESTION_ANSWER, "问题：" question "\n回答：" RA, REPLY_ACCEPTED, 0, {question, RA}}

static const Case tags[] = {
	TAGGED("证件号是110105 19491231 002X。", REPLY_PII),
	TAGGED("证件号是110105194912310020。", 0),
	TAGGED("证件号是110105199902300027。", 0),
	TAGGED("卡号6222－0212－3456－7890－128。", REPLY_PII),
	TAGGED("电话１３８－００１３－８０００。", REPLY_PII),
	TAGGED("电话（010）62345678。", REPLY_PII),
	TAGGED("电话(021) 6234-5678。", REPLY_PII),
	TAGGED("订单2024050112304567。", 0),
	TAGGED("时间2024-05-01至2024-06-30。", 0),
	TAGGED("尺寸1920x1080，比例16:9，热线110。", 0),
	TAGGED("微博@北京 的粉丝有12345678人。", 0),
	TAGGED("招牌上是「讀書樂」三字。", 0),
	TAGGED("招牌上是“いらっしゃいませ”和“어서 오세요”。", 0),
	TAGGED("图书馆在图3D打印店旁。", 0),
	{"simplified and Traditional mixed", REPLY_DESCRIPTION, D "這張照片裡還有兩個學生。", REPLY_ACCEPTED, 0},
	{"Japanese with Chinese words", REPLY_DESCRIPTION, "写真には赤い看板と青い自転車が写っています。ひとびとはかさをさして、しずかにあるいています。みぎがわのみせはまだあいていません。", REPLY_LANGUAGE, 0},
	{"Korean with Chinese characters", REPLY_DESCRIPTION, "사진에는 市場이 보이고 사람들이 천천히 걸어갑니다. 왼쪽 가게에는 과일이 가득 쌓여 있습니다.", REPLY_LANGUAGE, 0},
	NOT_COMPLEX("请用一段话描述这张照片里发生的事情。"),
	NOT_COMPLEX("这幅图描绘了怎样的场景？"),
	NOT_COMPLEX("请说说你在图中看到了什么。"),
	NOT_COMPLEX("這張圖片展示了什麼內容？"),
	NOT_COMPLEX("What is happening in this picture?"),
	COMPLEX("请描述图中人物的关系，并推断他们为什么聚在一起。"),
	COMPLEX("图中的标志有什么含义？"),
	COMPLEX("这张照片展示的场景可能发生在什么季节？"),
};

/* ---- loops ---- */

static const Case loops[] = {
	{"sentences that take turns", REPLY_DESCRIPTION, D FIVE("左边的人举起手。右边的人放下手。中间的人看着他们。"), REPLY_DEGENERATE, 0},
	{"a numbered list of one item", REPLY_DESCRIPTION, "1. 桌上有一个红色的苹果。\n2. 桌上有一个红色的苹果。\n3. 桌上有一个红色的苹果。\n4. 桌上有一个红色的苹果。\n5. 桌上有一个红色的苹果。\n" D, REPLY_DEGENERATE, 0},
	{"the same pair in JSON", REPLY_DIALOGUE, "[" FIVE("{\"用户\":\"" Q1 "\",\"助手\":\"" A1 "\"},") "]", REPLY_DEGENERATE, 0},
	{"rounds again and again", REPLY_DIALOGUE, FIVE("用户：" Q1 "\n助手：" A1 "\n"), REPLY_DEGENERATE, 0},
	{"a table whose rows differ", REPLY_DESCRIPTION, D "\n\n| 品名 | 价格 |\n|---|---|\n| 青菜 | 3元 |\n| 番茄 | 4元 |\n| 茄子 | 5元 |\n| 小葱 | 2元 |\n| 活鱼 | 18元 |\n| 豆腐 | 3元 |", REPLY_ACCEPTED, 0},
	{"four questions that begin alike", REPLY_DIALOGUE, "用户：图片左侧的摊位上放着什么？\n助手：" A1 "\n用户：图片右侧的摊位上放着什么？\n助手：" A2 "\n用户：图片上方的摊位上放着什么？\n助手：" A3, REPLY_ACCEPTED, 0},
};

#define TEST(table) static void test_##table(void **state) { (void) state; ALL_COME_OUT(table); }

TEST(labels)
TEST(wrappings)
TEST(json)
TEST(roles)
TEST(refusals)
TEST(tags)
TEST(loops)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_wrappings),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_loops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
