/*
 * test_reply_shapes.c
 *	  Replies in the shapes that models give them: labels, JSON, wrappings, and what
 *	  is repaired or refused of them.
 */
#include "reply_case.h"

static const Case labels[] = {
	DIALOGUE("plain", APART("用户：", "助手：")),
	DIALOGUE("bold, colon inside", APART("**用户：** ", "**助手：** ")),
	DIALOGUE("bold, colon outside", APART("**用户**：", "**助手**：")),
	DIALOGUE("bold, ASCII colon", APART("**用户**: ", "**视觉助手**: ")),
	DIALOGUE("bold, alone on the line", APART("**用户**\n", "**助手**\n")),
	DIALOGUE("bold, blank line below", APART("**用户：**\n\n", "**助手：**\n\n")),
	DIALOGUE("heading", APART("### 用户\n", "### 助手\n")),
	DIALOGUE("heading with a colon", APART("## 用户：\n", "## 助手：\n")),
	DIALOGUE("bold heading", APART("#### **提问者：**\n", "#### **回答者：**\n")),
	DIALOGUE("lenticular brackets", APART("【用户】", "【AI助手】")),
	DIALOGUE("lenticular brackets, line of its own", APART("【用户】\n", "【助手】\n")),
	DIALOGUE("square brackets", APART("[用户] ", "[助手] ")),
	DIALOGUE("brackets and a colon", APART("【人】：", "【助手】：")),
	DIALOGUE("bold brackets", APART("**【用户】**\n", "**【助手】**\n")),
	DIALOGUE("bold brackets and a colon", APART("**[用户]**：", "**[助手]**：")),
	DIALOGUE("hyphens", LABELLED("- 用户：", "- 助手：")),
	DIALOGUE("bold hyphens", LABELLED("- **用户：** ", "- **助手：** ")),
	DIALOGUE("stars", LABELLED("* **Human**: ", "* **Assistant**: ")),
	DIALOGUE("letters", LABELLED("Q: ", "A: ")),
	DIALOGUE("bold letters", APART("**Q:** ", "**A:** ")),
	DIALOGUE("wide letters", LABELLED("Ｑ：", "Ａ：")),
	DIALOGUE("wide words", LABELLED("Ｈｕｍａｎ：", "ＡＩ：")),
	DIALOGUE("capitals", LABELLED("USER: ", "ASSISTANT: ")),
	DIALOGUE("small letters", LABELLED("user: ", "assistant: ")),
	DIALOGUE("one character each", LABELLED("问：", "答：")),
	DIALOGUE("person", APART("人：", "助手：")),
	DIALOGUE("human kind", APART("人类：", "视觉AI助手：")),
	DIALOGUE("traditional label", APART("用戶：", "助手：")),
	DIALOGUE("small form colon", LABELLED("用户﹕", "助手﹕")),
	DIALOGUE("vertical colon", LABELLED("用户︰", "助手︰")),
	DIALOGUE("colons vary", "用户：" Q1 "\n助手: " A1 "\n用户: " Q2 "\n助手：" A2),
	DIALOGUE("blank before the colon", LABELLED("用户 ：", "助手 ：")),
	DIALOGUE("text below", APART("用户：\n", "助手：\n")),
	DIALOGUE("labels without colon", APART("用户\n", "助手\n")),
	DIALOGUE("numbers behind", "用户1：" Q1 "\n助手1：" A1 "\n用户2：" Q2 "\n助手2：" A2),
	DIALOGUE("numbers apart", "用户 1：" Q1 "\n助手 1：" A1 "\n用户 2：" Q2 "\n助手 2：" A2),
	DIALOGUE("numbered letters", "Q1: " Q1 "\nA1: " A1 "\n\nQ2: " Q2 "\nA2: " A2),
	DIALOGUE("bold numbered letters", "**Q1：**" Q1 "\n**A1：**" A1 "\n\n**Q2：**" Q2 "\n**A2：**" A2),
	DIALOGUE("wide numbers", "用户１：" Q1 "\n助手１：" A1 "\n用户２：" Q2 "\n助手２：" A2),
	DIALOGUE("list numbers on all", "1. 用户：" Q1 "\n2. 助手：" A1 "\n3. 用户：" Q2 "\n4. 助手：" A2),
	DIALOGUE("list numbers on questions", "1. **用户**：" Q1 "\n   **助手**：" A1 "\n\n2. **用户**：" Q2 "\n   **助手**：" A2),
	DIALOGUE("Chinese list numbers", "1、用户：" Q1 "\n2、助手：" A1 "\n3、用户：" Q2 "\n4、助手：" A2),
	DIALOGUE("number and hyphen below", "1. 用户：" Q1 "\n   - 助手：" A1 "\n2. 用户：" Q2 "\n   - 助手：" A2),
	DIALOGUE("quoted", "> 用户：" Q1 "\n> \n> 助手：" A1 "\n> \n> 用户：" Q2 "\n> \n> 助手：" A2),
	DIALOGUE("quoted, bold", "> **用户**：" Q1 "\n>\n> **助手**：" A1 "\n>\n> **用户**：" Q2 "\n>\n> **助手**：" A2),
	DIALOGUE("indented", "  用户：" Q1 "\n  助手：" A1 "\n  用户：" Q2 "\n  助手：" A2),
	DIALOGUE("ideographic indent", "　　用户：" Q1 "\n　　助手：" A1 "\n　　用户：" Q2 "\n　　助手：" A2),
	DIALOGUE("round headings", "### 第一轮对话\n**用户**：" Q1 "\n**助手**：" A1 "\n\n### 第二轮对话\n**用户**：" Q2 "\n**助手**：" A2),
	DIALOGUE("round headers", "第1轮：\n用户：" Q1 "\n助手：" A1 "\n\n第2轮：\n用户：" Q2 "\n助手：" A2),
	DIALOGUE("bold round headers", "**第一轮**\n\n用户：" Q1 "\n助手：" A1 "\n\n**第二轮**\n\n用户：" Q2 "\n助手：" A2),
	DIALOGUE("bracketed round headers", "【第一轮】\n用户：" Q1 "\n助手：" A1 "\n【第二轮】\n用户：" Q2 "\n助手：" A2),
	DIALOGUE("English round headers", "Round 1:\n用户：" Q1 "\n助手：" A1 "\n\nRound 2:\n用户：" Q2 "\n助手：" A2),
	DIALOGUE("rules between rounds", "用户：" Q1 "\n\n助手：" A1 "\n\n---\n\n用户：" Q2 "\n\n助手：" A2 "\n\n---"),
	DIALOGUE("stars between rounds", "用户：" Q1 "\n\n助手：" A1 "\n\n***\n\n用户：" Q2 "\n\n助手：" A2),
	DIALOGUE("written line ends", "用户：" Q1 "\\n助手：" A1 "\\n\\n用户：" Q2 "\\n助手：" A2 "\\n"),
	DIALOGUE("carriage returns", "用户：" Q1 "\r\n助手：" A1 "\r\n\r\n用户：" Q2 "\r\n助手：" A2 "\r\n"),
	DIALOGUE("invisible marks", "\xEF\xBB\xBF用户：" Q1 "\n\xE2\x80\x8B助手：" A1 "\n\xE2\x81\xA0用户：" Q2 "\n助手：" A2),
	DIALOGUE("token behind", APART("用户：", "助手：") "<|im_end|>"),
	DIALOGUE("tokens and another turn behind", APART("用户：", "助手：") "<|im_end|>\n<|im_start|>user\n还有吗？"),
	DIALOGUE("fenced", "```\n" APART("用户：", "助手：") "\n```"),
	DIALOGUE("fenced as markdown", "```markdown\n" APART("**用户**：", "**助手**：") "\n```\n"),
	DIALOGUE("fence not closed", "```text\n" APART("用户：", "助手：")),
	FLAGGED("thought", "<think>\n用户：先看看有几个人。\n</think>\n\n" APART("用户：", "助手："), REPLY_THINK_REMOVED),
	FLAGGED("blank thought", "<think>\n\n</think>\n\n" APART("**User:** ", "**Assistant:** "), REPLY_THINK_REMOVED),
	FLAGGED("preamble", "好的，根据图片内容，我设计了以下对话：\n\n" APART("用户：", "助手："), REPLY_PREAMBLE_DROPPED),
	FLAGGED("preamble and rule", "当然！下面是一段对话。\n\n---\n\n" APART("**用户：**", "**助手：**"), REPLY_PREAMBLE_DROPPED),
	FLAGGED("title", "## 关于骑行的对话\n\n" APART("用户：", "助手："), REPLY_PREAMBLE_DROPPED),
	FLAGGED("bold title", "**对话示例**\n\n" APART("用户：", "助手："), REPLY_PREAMBLE_DROPPED),
	FLAGGED("preamble and fence", "以下是生成的对话：\n\n```\n" APART("用户：", "助手：") "\n```", REPLY_PREAMBLE_DROPPED),
	FLAGGED("English preamble", "Here is the conversation based on the image:\n\n" APART("用户：", "助手："), REPLY_PREAMBLE_DROPPED),
};

#define DQ "请描述这张图片里有什么？"
#define DESCRIBED(name, reply, flags) {name, REPLY_DESCRIPTION, reply, REPLY_ACCEPTED, flags, {D}}
#define AS_IT_IS(name, reply) {name, REPLY_DESCRIPTION, reply, REPLY_ACCEPTED, 0, {reply}}
#define NO_DESCRIPTION(name, reply, reason) {name, REPLY_DESCRIPTION, reply, reason, 0}

static const Case described_pairs[] = {
	DESCRIBED("pair", "用户：" DQ "\n助手：" D, REPLY_ANSWER_UNWRAPPED),
	DESCRIBED("pair apart", "\n用户：" DQ "\n\n助手：\n" D "\n", REPLY_ANSWER_UNWRAPPED),
	DESCRIBED("pair on one line", "用户：" DQ "助手：" D, REPLY_ANSWER_UNWRAPPED),
	DESCRIBED("pair in letters on one line", "Q: " DQ " A: " D, REPLY_ANSWER_UNWRAPPED),
	DESCRIBED("bold pair", "**用户**：" DQ "\n\n**助手**：" D, REPLY_ANSWER_UNWRAPPED),
	DESCRIBED("bracketed pair", "【用户】" DQ "\n【助手】" D, REPLY_ANSWER_UNWRAPPED),
	DESCRIBED("indented pair", "  用户：" DQ "\n  助手：" D, REPLY_ANSWER_UNWRAPPED),
	DESCRIBED("English pair", "User: " DQ "\nAssistant: " D, REPLY_ANSWER_UNWRAPPED),
	DESCRIBED("reasoning's pair", "问题：" DQ "\n答案：" D, REPLY_ANSWER_UNWRAPPED),
	DESCRIBED("labels of both sets", "问：" DQ "\n答：" D, REPLY_ANSWER_UNWRAPPED),
	DESCRIBED("pair without a question", "用户：\n助手：" D, REPLY_ANSWER_UNWRAPPED),
	DESCRIBED("pair of an order", "用户：请描述这张图片。\n助手：" D, REPLY_ANSWER_UNWRAPPED),
	DESCRIBED("fenced pair", "```\n用户：" DQ "\n助手：" D "\n```", REPLY_ANSWER_UNWRAPPED),
	DESCRIBED("pair below a label", "图片描述：\n用户：" DQ "\n助手：" D, REPLY_ANSWER_UNWRAPPED),
	DESCRIBED("label in a pair", "用户：" DQ "\n助手：描述：" D, REPLY_ANSWER_UNWRAPPED),
	DESCRIBED("courtesy in a pair", "用户：" DQ "\n助手：" D "\n\n如果您还想了解更多细节，请告诉我。",
			  REPLY_ANSWER_UNWRAPPED | REPLY_CLOSING_TRIMMED),
	{"a quote in a pair", REPLY_DESCRIPTION, "**用户**：" DQ "\n**助手**：" D "\n用户：在吗？\n助手：在。", REPLY_ACCEPTED,
		REPLY_ANSWER_UNWRAPPED, {D "\n用户：在吗？\n助手：在。"}},
	NO_DESCRIPTION("two pairs", "用户：" DQ "\n助手：" D "\n用户：" Q1 "\n助手：" A1, REPLY_UNPARSABLE),
	NO_DESCRIPTION("two pairs on a line each", "用户：" DQ "助手：" D "\n用户：" Q1 "助手：" A1, REPLY_UNPARSABLE),
	NO_DESCRIPTION("a third turn", "用户：" DQ "\n助手：" D "\n用户：谢谢！", REPLY_UNPARSABLE),
	NO_DESCRIPTION("two answers", "用户：" DQ "\n助手：" D "\n助手：" A1, REPLY_UNPARSABLE),
	NO_DESCRIPTION("pair without an answer", "用户：" DQ "\n助手：", REPLY_EMPTY),
	NO_DESCRIPTION("pair of a refusal", "用户：" DQ "\n助手：抱歉，我无法描述这张图片。", REPLY_REFUSAL),
	{"cut pair", REPLY_DESCRIPTION, "用户：" DQ "\n助手：" D, REPLY_TRUNCATED, 0, {NULL}, REPLY_FINISH_LENGTH},
	AS_IT_IS("a quote further on", "画面是一段聊天：\n用户：在吗？\n助手：在。\n" D),
	AS_IT_IS("a question's label alone", "用户：张三\n" D),
	AS_IT_IS("a word that is a label elsewhere", "人：左边站着三位。\n车：右边停着一辆。\n" D),
	AS_IT_IS("an answer's label in a sentence", "用户：张三，旁边写着助手：李四。\n" D),
};

static const Case contents[] = {
	/* what only looks like a label stays in the answer */
	{"a word that begins like a label", REPLY_DIALOGUE, "用户：" Q1 "\n助手：" A1 "\n人们说：天气真好。\n用户：" Q2 "\n助手：" A2,
		REPLY_ACCEPTED, 0, {Q1, A1 "\n人们说：天气真好。", Q2, A2}},
	{"other language", REPLY_DIALOGUE, "用户：" Q1 "\n助手：" A1 "\nUser: guest\n用户：" Q2 "\n助手：" A2,
		REPLY_ACCEPTED, 0, {Q1, A1 "\nUser: guest", Q2, A2}},
	{"plain under bold", REPLY_DIALOGUE, "**用户**：" Q1 "\n**助手**：" A1 "\n用户：李雷\n**用户**：" Q2 "\n**助手**：" A2,
		REPLY_ACCEPTED, 0, {Q1, A1 "\n用户：李雷", Q2, A2}},
	{"bullet under plain", REPLY_DIALOGUE, "用户：" Q1 "\n助手：" A1 "\n- 用户：李雷\n用户：" Q2 "\n助手：" A2,
		REPLY_ACCEPTED, 0, {Q1, A1 "\n- 用户：李雷", Q2, A2}},
	{"mid-line", REPLY_DIALOGUE, "用户：" Q1 "\n助手：" A1 "屏幕上写着用户：李雷。\n用户：" Q2 "\n助手：" A2,
		REPLY_ACCEPTED, 0, {Q1, A1 "屏幕上写着用户：李雷。", Q2, A2}},
	{"list, table and code stay", REPLY_DIALOGUE,
		"用户：" Q1 "\n助手：" A1 "\n\n1. **左侧**：一辆车\n2. **右侧**：两辆车\n\n| 位置 | 数量 |\n|---|---|\n| 左 | 1 |\n\n```c\nint n = 3;\n```\n用户：" Q2 "\n助手：" A2,
		REPLY_ACCEPTED, 0, {Q1, A1 "\n\n1. **左侧**：一辆车\n2. **右侧**：两辆车\n\n| 位置 | 数量 |\n|---|---|\n| 左 | 1 |\n\n```c\nint n = 3;\n```", Q2, A2}},
	{"rule inside an answer", REPLY_DIALOGUE, "用户：" Q1 "\n助手：" A1 "\n\n---\n\n其余的人在远处。\n用户：" Q2 "\n助手：" A2,
		REPLY_ACCEPTED, 0, {Q1, A1 "\n\n---\n\n其余的人在远处。", Q2, A2}},
	{"question in quotes", REPLY_DIALOGUE, "用户：“" Q1 "”\n助手：" A1 "\n用户：" Q2 "\n助手：" A2,
		REPLY_ACCEPTED, 0, {"“" Q1 "”", A1, Q2, A2}},
	{"a blank that is content", REPLY_DIALOGUE, "用户：" Q1 "\n助手：" A1 "\n\n　　另外，还有一只狗。\n用户：" Q2 "\n助手：" A2,
		REPLY_ACCEPTED, 0, {Q1, A1 "\n\n　　另外，还有一只狗。", Q2, A2}},
};

static const Case json[] = {
	DIALOGUE("roles", "[{\"role\":\"user\",\"content\":\"" Q1 "\"},{\"role\":\"assistant\",\"content\":\"" A1 "\"},"
			 "{\"role\":\"user\",\"content\":\"" Q2 "\"},{\"role\":\"assistant\",\"content\":\"" A2 "\"}]"),
	DIALOGUE("from and value", "[{\"from\":\"human\",\"value\":\"" Q1 "\"},{\"from\":\"gpt\",\"value\":\"" A1 "\"},"
			 "{\"from\":\"human\",\"value\":\"" Q2 "\"},{\"from\":\"gpt\",\"value\":\"" A2 "\"}]"),
	DIALOGUE("content first", "[{\"content\":\"" Q1 "\",\"role\":\"user\"},{\"content\":\"" A1 "\",\"role\":\"assistant\"},"
			 "{\"content\":\"" Q2 "\",\"role\":\"user\"},{\"content\":\"" A2 "\",\"role\":\"assistant\"}]"),
	DIALOGUE("Chinese pairs", "[{\"用户\":\"" Q1 "\",\"助手\":\"" A1 "\"},\n {\"用户\":\"" Q2 "\",\"助手\":\"" A2 "\"}]"),
	DIALOGUE("pairs of questions", "```json\n[\n  {\"question\": \"" Q1 "\", \"answer\": \"" A1 "\"},\n  {\"question\": \"" Q2 "\", \"answer\": \"" A2 "\"}\n]\n```"),
	DIALOGUE("object of conversations", "{\"conversations\": [{\"from\": \"human\", \"value\": \"" Q1 "\"}, {\"from\": \"gpt\", \"value\": \"" A1 "\"},"
			 "{\"from\": \"human\", \"value\": \"" Q2 "\"}, {\"from\": \"gpt\", \"value\": \"" A2 "\"}]}"),
	DIALOGUE("object with more", "{\"id\": 7, \"image\": \"a.jpg\", \"messages\": [{\"role\": \"user\", \"content\": \"" Q1 "\"}, {\"role\": \"assistant\", \"content\": \"" A1 "\"},"
			 "{\"role\": \"user\", \"content\": \"" Q2 "\"}, {\"role\": \"assistant\", \"content\": \"" A2 "\"}], \"ok\": true}"),
	DIALOGUE("system turn", "[{\"role\":\"system\",\"content\":\"你是视觉助手\"},{\"role\":\"user\",\"content\":\"" Q1 "\"},{\"role\":\"assistant\",\"content\":\"" A1 "\"},"
			 "{\"role\":\"user\",\"content\":\"" Q2 "\"},{\"role\":\"assistant\",\"content\":\"" A2 "\"}]"),
	DIALOGUE("capital roles", "[{\"role\":\"User\",\"content\":\"" Q1 "\"},{\"role\":\"Assistant\",\"content\":\"" A1 "\"},"
			 "{\"role\":\"User\",\"content\":\"" Q2 "\"},{\"role\":\"Assistant\",\"content\":\"" A2 "\"}]"),
	DIALOGUE("Chinese roles", "{\"对话\":[{\"role\":\"用户\",\"content\":\"" Q1 "\"},{\"role\":\"助手\",\"content\":\"" A1 "\"},"
			 "{\"role\":\"用户\",\"content\":\"" Q2 "\"},{\"role\":\"助手\",\"content\":\"" A2 "\"}]}"),
	DIALOGUE("trailing commas", "[{\"role\":\"user\",\"content\":\"" Q1 "\",},{\"role\":\"assistant\",\"content\":\"" A1 "\",},"
			 "{\"role\":\"user\",\"content\":\"" Q2 "\",},{\"role\":\"assistant\",\"content\":\"" A2 "\",},]"),
	DIALOGUE("a line each", "{\"role\":\"user\",\"content\":\"" Q1 "\"}\n{\"role\":\"assistant\",\"content\":\"" A1 "\"}\n"
			 "{\"role\":\"user\",\"content\":\"" Q2 "\"}\n{\"role\":\"assistant\",\"content\":\"" A2 "\"}"),
	{"escapes", REPLY_DIALOGUE, "[{\"role\":\"user\",\"content\":\"" Q1 "\"},{\"role\":\"assistant\",\"content\":\"" A1 "\\n\\n\\u6807\\u8bed\\u662f\\\"\\ud83d\\ude00\\\"\\/C:\\\\\"},"
		"{\"role\":\"user\",\"content\":\"" Q2 "\"},{\"role\":\"assistant\",\"content\":\"" A2 "\"}]",
		REPLY_ACCEPTED, 0, {Q1, A1 "\n\n标语是\"😀\"/C:\\", Q2, A2}},
	{"bare quotes", REPLY_DIALOGUE, "[{\"role\":\"user\",\"content\":\"" Q1 "\"},{\"role\":\"assistant\",\"content\":\"" A1 "衣服上写着\"加油\"两个字。\"},"
		"{\"role\":\"user\",\"content\":\"" Q2 "\"},{\"role\":\"assistant\",\"content\":\"" A2 "\"}]",
		REPLY_ACCEPTED, 0, {Q1, A1 "衣服上写着\"加油\"两个字。", Q2, A2}},
	FLAGGED("preamble", "以下是JSON格式的对话：\n[{\"用户\":\"" Q1 "\",\"助手\":\"" A1 "\"},{\"用户\":\"" Q2 "\",\"助手\":\"" A2 "\"}]", REPLY_PREAMBLE_DROPPED),
	FLAGGED("preamble and fence", "好的：\n```json\n[{\"用户\":\"" Q1 "\",\"助手\":\"" A1 "\"},{\"用户\":\"" Q2 "\",\"助手\":\"" A2 "\"}]\n```", REPLY_PREAMBLE_DROPPED),
	FLAGGED("cut off", "[{\"用户\":\"" Q1 "\",\"助手\":\"" A1 "\"},{\"用户\":\"" Q2 "\",\"助手\":\"" A2 "\"},{\"用户\":\"还有", REPLY_SALVAGED),
	FLAGGED("cut off in a fence", "```json\n[{\"用户\":\"" Q1 "\",\"助手\":\"" A1 "\"},{\"用户\":\"" Q2 "\",\"助手\":\"" A2 "\"},{\"用户\":\"还有\n```", REPLY_SALVAGED),
	REJECTED("cut off in the first", "[{\"用户\":\"" Q1 "\",\"助手\":\"图片中", REPLY_TRUNCATED),
	REJECTED("half a surrogate pair", "[{\"用户\":\"" Q1 "\",\"助手\":\"" A1 "\\ud83d\"},{\"用户\":\"" Q2 "\",\"助手\":\"" A2 "\"}]", REPLY_BAD_UTF8),
	REJECTED("error object", "{\"error\":{\"message\":\"model overloaded\",\"code\":503}}", REPLY_TRANSPORT_ERROR),
	REJECTED("vLLM error", "{\"object\":\"error\",\"message\":\"The model does not exist\",\"type\":\"NotFoundError\",\"code\":404}", REPLY_TRANSPORT_ERROR),
	REJECTED("provider error", "{\"code\":\"Throttling\",\"message\":\"Requests rate limit exceeded\",\"request_id\":\"1\"}", REPLY_TRANSPORT_ERROR),
	{"error object for a description", REPLY_DESCRIPTION, "{\"error\":\"timeout\"}", REPLY_TRANSPORT_ERROR, 0},
	REJECTED("HTML", "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head></html>", REPLY_TRANSPORT_ERROR),
	REJECTED("HTML without doctype", "<html>\r\n<head><title>504 Gateway Time-out</title></head>", REPLY_TRANSPORT_ERROR),
	REJECTED("JSON of something else", "[{\"bbox_2d\": [1, 2, 3, 4], \"label\": \"自行车\"}]", REPLY_UNPARSABLE),
};

#define QA(name, reply) {name, REPLY_QUESTION_ANSWER, reply, REPLY_ACCEPTED, 0, {RQ, RA}}

static const Case reasoning[] = {
	QA("plain", "问题：" RQ "\n回答：" RA),
	QA("bold", "**问题：** " RQ "\n\n**回答：** " RA),
	QA("headings", "### 问题\n" RQ "\n\n### 详细回答\n" RA),
	QA("brackets", "【问题】" RQ "\n【答案】" RA),
	QA("English", "Question: " RQ "\n\nAnswer: " RA),
	QA("letters", "Q：" RQ "\nA：" RA),
	QA("dialogue's labels", "用户：" RQ "\n助手：" RA),
	QA("dialogue's bold labels", "**User**: " RQ "\n**Assistant**: " RA),
	QA("on one line", "问题：" RQ "回答：" RA),
	QA("on one line, blank between", "问题：" RQ " 回答：" RA),
	QA("one object", "{\"问题\":\"" RQ "\",\"回答\":\"" RA "\"}"),
	QA("English object", "```json\n{\n  \"question\": \"" RQ "\",\n  \"answer\": \"" RA "\"\n}\n```"),
	QA("numbered", "问题1：" RQ "\n回答1：" RA),
	QA("asked and solved", "提问：" RQ "\n解答：" RA),
	{"inner headings", REPLY_QUESTION_ANSWER, "问题：" RQ "\n回答：" RA "\n\n**问题1：价格**\n价格便宜。", REPLY_ACCEPTED, 0,
		{RQ, RA "\n\n**问题1：价格**\n价格便宜。"}},
	{"several pairs", REPLY_QUESTION_ANSWER, "问题：" RQ "\n回答：" RA "\n\n问题：" Q3 "\n回答：" A3, REPLY_ACCEPTED, REPLY_EXTRA_PAIRS, {RQ, RA}},
	{"preamble", REPLY_QUESTION_ANSWER, "好的，我来提出一个需要推理的问题。\n\n问题：" RQ "\n回答：" RA, REPLY_ACCEPTED, REPLY_PREAMBLE_DROPPED, {RQ, RA}},
	{"closing", REPLY_QUESTION_ANSWER, "问题：" RQ "\n回答：" RA "\n\n希望这个回答对您有所帮助。", REPLY_ACCEPTED, REPLY_CLOSING_TRIMMED, {RQ, RA}},
	{"no question", REPLY_QUESTION_ANSWER, "回答：" RA, REPLY_NO_QUESTION, 0},
	{"no labels", REPLY_QUESTION_ANSWER, RA, REPLY_NO_QUESTION, 0},
	{"no answer", REPLY_QUESTION_ANSWER, "问题：" RQ, REPLY_NO_ANSWER, 0},
	{"no answer, cut", REPLY_QUESTION_ANSWER, "问题：" RQ, REPLY_TRUNCATED, 0, {NULL}, REPLY_FINISH_LENGTH},
	{"empty answer", REPLY_QUESTION_ANSWER, "问题：" RQ "\n回答：", REPLY_NO_ANSWER, 0},
	{"cut answer", REPLY_QUESTION_ANSWER, "问题：" RQ "\n回答：" RA, REPLY_TRUNCATED, 0, {NULL}, REPLY_FINISH_LENGTH},
	{"describe", REPLY_QUESTION_ANSWER, "问题：请详细描述这张图片的内容。\n回答：" RA, REPLY_NOT_COMPLEX, 0},
	{"what is there", REPLY_QUESTION_ANSWER, "问题：图片中有什么？\n回答：" RA, REPLY_NOT_COMPLEX, 0},
	{"what does it show", REPLY_QUESTION_ANSWER, "问题：这张照片展示了什么内容？\n回答：" RA, REPLY_NOT_COMPLEX, 0},
	{"can you describe", REPLY_QUESTION_ANSWER, "问题：你能描述一下画面中的场景吗？\n回答：" RA, REPLY_NOT_COMPLEX, 0},
	{"describe in English", REPLY_QUESTION_ANSWER, "Question: Please describe this image in detail.\nAnswer: " RA, REPLY_NOT_COMPLEX, 0},
	{"which elements", REPLY_QUESTION_ANSWER, "问题：图中有哪些主要元素？\n回答：" RA, REPLY_NOT_COMPLEX, 0},
	{"history of what it shows", REPLY_QUESTION_ANSWER, "问题：请介绍图中建筑的历史背景。\n回答：" RA, REPLY_ACCEPTED, 0, {"请介绍图中建筑的历史背景。", RA}},
	{"how what it shows works", REPLY_QUESTION_ANSWER, "问题：请说明图片里这台装置的工作原理。\n回答：" RA, REPLY_ACCEPTED, 0, {"请说明图片里这台装置的工作原理。", RA}},
	{"describe and explain", REPLY_QUESTION_ANSWER, "问题：请描述图中人物的情绪，并解释原因。\n回答：" RA, REPLY_ACCEPTED, 0, {"请描述图中人物的情绪，并解释原因。", RA}},
};

static const Case descriptions[] = {
	{"bare", REPLY_DESCRIPTION, D, REPLY_ACCEPTED, 0, {D}},
	{"label", REPLY_DESCRIPTION, "描述：" D, REPLY_ACCEPTED, 0, {D}},
	{"long label", REPLY_DESCRIPTION, "图片描述：\n" D, REPLY_ACCEPTED, 0, {D}},
	{"bold label", REPLY_DESCRIPTION, "**图片描述：**\n\n" D, REPLY_ACCEPTED, 0, {D}},
	{"bold, colon outside", REPLY_DESCRIPTION, "**描述**：" D, REPLY_ACCEPTED, 0, {D}},
	{"heading", REPLY_DESCRIPTION, "### 图片描述\n\n" D, REPLY_ACCEPTED, 0, {D}},
	{"a sentence that begins so", REPLY_DESCRIPTION, "描述的是一个市场。" D, REPLY_ACCEPTED, 0, {"描述的是一个市场。" D}},
	{"fenced", REPLY_DESCRIPTION, "```\n" D "\n```", REPLY_ACCEPTED, 0, {D}},
	{"thought", REPLY_DESCRIPTION, "<think>这是菜市场。</think>\n" D, REPLY_ACCEPTED, REPLY_THINK_REMOVED, {D}},
	{"closing", REPLY_DESCRIPTION, D "\n\n以上就是对这张图片的详细描述。", REPLY_ACCEPTED, REPLY_CLOSING_TRIMMED, {D}},
	{"paragraphs", REPLY_DESCRIPTION, D "\n\n整体氛围热闹而温暖。", REPLY_ACCEPTED, 0, {D "\n\n整体氛围热闹而温暖。"}},
	{"cut", REPLY_DESCRIPTION, D, REPLY_TRUNCATED, 0, {NULL}, REPLY_FINISH_LENGTH},
};

static const Case repairs[] = {
	{"greeting first", REPLY_DIALOGUE, "助手：你好，我可以看到图片。\n" APART("用户：", "助手："), REPLY_ACCEPTED, REPLY_LEADING_TURN_DROPPED, TWO_ROUNDS},
	REJECTED("greeting alone", "助手：你好，我是你的视觉助手。", REPLY_NO_USER_FIRST),
	{"unanswered", REPLY_DIALOGUE, APART("用户：", "助手：") "\n\n用户：还有别的吗？", REPLY_ACCEPTED, REPLY_DANGLING_TURN_DROPPED, TWO_ROUNDS},
	{"answer not begun", REPLY_DIALOGUE, APART("用户：", "助手：") "\n\n用户：还有别的吗？\n助手：", REPLY_ACCEPTED, REPLY_DANGLING_TURN_DROPPED, TWO_ROUNDS},
	REJECTED("empty question", "用户：\n助手：" A1 "\n用户：" Q2 "\n助手：" A2, REPLY_EMPTY_TURN),
	REJECTED("empty answer", "用户：" Q1 "\n助手：\n用户：" Q2 "\n助手：" A2, REPLY_EMPTY_TURN),
	{"two answers", REPLY_DIALOGUE, "用户：" Q1 "\n助手：" A1 "\n助手：" A2, REPLY_ACCEPTED, REPLY_MERGED_TURNS | REPLY_SHORT_DIALOGUE, {Q1, A1 "\n\n" A2}},
	REJECTED("two questions", "用户：" Q1 "\n用户：" Q2 "\n助手：" A1 "\n用户：" Q3 "\n助手：" A2, REPLY_ROLES_NOT_ALTERNATING),
	REJECTED("a line of a screen", "用户：" Q1 "\n助手：" A1 "屏幕显示：\n用户：李雷\n助手：" A2, REPLY_AMBIGUOUS_ROLE),
	{"same question", REPLY_DIALOGUE, APART("用户：", "助手：") "\n用户：" Q1 "\n助手：" A3, REPLY_ACCEPTED, REPLY_DUPLICATE_ROUND_DROPPED, TWO_ROUNDS},
	{"refused round", REPLY_DIALOGUE, APART("用户：", "助手：") "\n用户：" Q3 "\n助手：抱歉，从图片中无法确定原因。", REPLY_ACCEPTED, REPLY_REFUSED_ROUND_DROPPED, TWO_ROUNDS},
	{"cannot tell", REPLY_DIALOGUE, APART("用户：", "助手：") "\n用户：" Q3 "\n助手：从图片中无法判断他停下来的原因。", REPLY_ACCEPTED, REPLY_REFUSED_ROUND_DROPPED, TWO_ROUNDS},
	{"hard to tell", REPLY_DIALOGUE, APART("用户：", "助手：") "\n用户：" Q3 "\n助手：仅凭这张照片，我难以确定具体的时间。", REPLY_ACCEPTED, REPLY_REFUSED_ROUND_DROPPED, TWO_ROUNDS},
	{"plain negative", REPLY_DIALOGUE, "用户：" Q1 "\n助手：" A1 "\n用户：图中有汽车吗？\n助手：没有，图中看不到任何汽车。\n用户：" Q2 "\n助手：" A2, REPLY_ACCEPTED, 0,
		{Q1, A1, "图中有汽车吗？", "没有，图中看不到任何汽车。", Q2, A2}},
	{"six rounds", REPLY_DIALOGUE, APART("用户：", "助手：") "\n用户：" Q3 "\n助手：" A3 "\n用户：路边有树吗？\n助手：有，路边种着一排高大的梧桐。\n用户：他们往哪边骑？\n助手：他们都在往画面左侧骑。\n用户：有狗吗？\n助手：没有看到狗的身影。",
		REPLY_ACCEPTED, REPLY_TRIMMED_ROUNDS, {Q1, A1, Q2, A2, Q3, A3, "路边有树吗？", "有，路边种着一排高大的梧桐。", "他们往哪边骑？", "他们都在往画面左侧骑。"}},
	{"one round", REPLY_DIALOGUE, "用户：" Q1 "\n助手：" A1 A2, REPLY_ACCEPTED, REPLY_SHORT_DIALOGUE, {Q1, A1 A2}},
	{"cut in the third", REPLY_DIALOGUE, APART("用户：", "助手：") "\n\n用户：" Q3 "\n\n助手：他可能是在", REPLY_ACCEPTED, REPLY_SALVAGED, TWO_ROUNDS, REPLY_FINISH_LENGTH},
	{"cut in the second", REPLY_DIALOGUE, APART("用户：", "助手："), REPLY_TRUNCATED, 0, {NULL}, REPLY_FINISH_LENGTH},
	{"cut in a question", REPLY_DIALOGUE, APART("用户：", "助手：") "\n\n用户：他们", REPLY_ACCEPTED, REPLY_DANGLING_TURN_DROPPED, TWO_ROUNDS, REPLY_FINISH_LENGTH},
	REJECTED("no labels", D, REPLY_UNPARSABLE),
	REJECTED("long preamble", D "\n\n" APART("用户：", "助手："), REPLY_UNPARSABLE),
	REJECTED("thought not closed", "<think>先数一数有几个人，再看天气。\n用户：" Q1, REPLY_UNCLOSED_THINK),
	REJECTED("nothing", "", REPLY_EMPTY),
	REJECTED("blanks", " \n\t　\n", REPLY_EMPTY),
	REJECTED("null", "null", REPLY_EMPTY),
	REJECTED("thought alone", "<think>好。</think>\n", REPLY_EMPTY),
	REJECTED("token alone", "<|im_end|>", REPLY_EMPTY),
};

static void
labels_of_every_kind(void **state)
{
	(void) state;
	ALL_COME_OUT(labels);
}

static void
what_only_looks_like_a_label(void **state)
{
	(void) state;
	ALL_COME_OUT(contents);
}

static void
json_of_every_kind(void **state)
{
	(void) state;
	ALL_COME_OUT(json);
}

static void
reasoning_replies(void **state)
{
	(void) state;
	ALL_COME_OUT(reasoning);
}

static void
description_replies(void **state)
{
	(void) state;
	ALL_COME_OUT(descriptions);
	ALL_COME_OUT(described_pairs);
}

static void
repairs_and_their_limits(void **state)
{
	(void) state;
	ALL_COME_OUT(repairs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_of_every_kind),
		cmocka_unit_test(what_only_looks_like_a_label),
		cmocka_unit_test(json_of_every_kind),
		cmocka_unit_test(reasoning_replies),
		cmocka_unit_test(description_replies),
		cmocka_unit_test(repairs_and_their_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
