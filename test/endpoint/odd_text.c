/*
 * odd_text.c
 *	  What noises do to a written reply, or write instead of one.
 */
#include <string.h>

#include "odd.h"

/* Every occurrence of one text becomes another. */
static void
substitute(Buffer *text, const char *from, const char *to)
{
	Buffer		changed = {0};
	const char *at = text->data;
	const char *found;

	while ((found = strstr(at, from)) != NULL)
	{
		buffer_add(&changed, at, (size_t) (found - at));
		buffer_text(&changed, to);
		at = found + strlen(from);
	}
	buffer_text(&changed, at);
	buffer_free(text);
	*text = changed;
}

void
odd_quote(Buffer *text)
{
	Buffer		quoted = {0};

	substitute(text, "\n", "\n> ");
	buffer_printf(&quoted, "> %s", text->data);
	buffer_free(text);
	*text = quoted;
}

void
odd_crlf(Buffer *text)
{
	substitute(text, "\n", "\r\n");
}

void
odd_backslash(Buffer *text)
{
	substitute(text, "\n", "\\n");
}

static void
cut_at(Buffer *text, size_t size)
{
	while (size > 0 && size < text->size && ((unsigned char) text->data[size] & 0xc0) == 0x80)
		size--;
	text->size = size;
	text->data[size] = '\0';
}

void
odd_cut(Buffer *text)
{
	cut_at(text, text->size > 80 ? text->size - 40 : text->size / 2);
}

void
odd_cut_early(Buffer *text)
{
	cut_at(text, text->size > 200 ? 160 : text->size / 2);
}

/* The answers' own words in Traditional characters; two strings, character by character. */
void
odd_traditional(Buffer *text)
{
	static const char simplified[] =
		"这张图约体辐横竖边区块处无红绿蓝黄与宽倍视觉线暗对强单较为洁丰热闹调从虑会个样两达种间点发现变细节"
		"围阳极叶荡轻丝县题问户选择颜让还该应场设计总边动复杂简显现长带当实数据层说话语见请释帮认还议论"
		"没们来时后东气书车门风开关几条华万亚严云习买业么里离匀笔灯标远轮静庄压礼电产构争笼宁凉净亲级质写";
	static const char traditional[] =
		"這張圖約體輻橫豎邊區塊處無紅綠藍黃與寬倍視覺線暗對強單較為潔豐熱鬧調從慮會個樣兩達種間點發現變細節"
		"圍陽極葉蕩輕絲縣題問戶選擇顏讓還該應場設計總邊動複雜簡顯現長帶當實數據層說話語見請釋幫認還議論"
		"沒們來時後東氣書車門風開關幾條華萬亞嚴雲習買業麼裡離勻筆燈標遠輪靜莊壓禮電產構爭籠寧涼淨親級質寫";
	size_t		i;

	for (i = 0; simplified[i] && traditional[i]; i += 3)
	{
		char		from[4] = {simplified[i], simplified[i + 1], simplified[i + 2], '\0'};
		char		to[4] = {traditional[i], traditional[i + 1], traditional[i + 2], '\0'};

		if (memcmp(from, to, 3) != 0)
			substitute(text, from, to);
	}
	substitute(text, "画", "畫");
	substitute(text, "饱", "飽");
	substitute(text, "围", "圍");
	substitute(text, "颜", "顏");
	substitute(text, "积", "積");
	substitute(text, "侧", "側");
	substitute(text, "占", "佔");
	substitute(text, "别", "別");
}

/* ---- JSON ---- */

/* The description's one turn goes without a question. */
static void
json_items(Buffer *to, const Answer *answer, const char *role, const char *human, const char *gpt, const char *text)
{
	const char *comma = "";
	int			i;

	buffer_text(to, "[");
	for (i = 0; i < answer->rounds; i++)
	{
		if (answer->turn[i].question.data)
		{
			buffer_printf(to, "%s\n  {\"%s\": \"%s\", \"%s\": ", comma, role, human, text);
			buffer_json(to, answer->turn[i].question.data);
			buffer_text(to, "}");
			comma = ",";
		}
		buffer_printf(to, "%s\n  {\"%s\": \"%s\", \"%s\": ", comma, role, gpt, text);
		buffer_json(to, answer->turn[i].answer.data);
		buffer_text(to, "}");
		comma = ",";
	}
	buffer_text(to, "\n]");
}

void
odd_json_roles(Buffer *to, const Answer *answer)
{
	json_items(to, answer, "role", "user", "assistant", "content");
}

void
odd_json_object(Buffer *to, const Answer *answer)
{
	buffer_text(to, "{\"conversations\": ");
	json_items(to, answer, "from", "human", "gpt", "value");
	buffer_text(to, "}");
}

void
odd_json_pairs(Buffer *to, const Answer *answer)
{
	bool		dialogue = answer->task == TASK_DIALOGUE;
	int			i;

	buffer_text(to, "[");
	for (i = 0; i < answer->rounds; i++)
	{
		buffer_text(to, i > 0 ? ",\n {" : "\n {");
		if (answer->turn[i].question.data)
		{
			buffer_printf(to, "\"%s\": ", dialogue ? "用户" : "问题");
			buffer_json(to, answer->turn[i].question.data);
			buffer_text(to, ", ");
		}
		buffer_printf(to, "\"%s\": ", dialogue ? "助手" : "回答");
		buffer_json(to, answer->turn[i].answer.data);
		buffer_text(to, "}");
	}
	buffer_text(to, "\n]");
}

/* ---- instead of an answer ---- */

#define FIXED(name, text) \
void \
name(Buffer *to, const Answer *answer) \
{ \
	(void) answer; \
	buffer_text(to, text); \
}

FIXED(odd_refusal, "抱歉，我无法根据这张图片生成相关内容。")
FIXED(odd_refusal_en, "I'm sorry, but I can't help with this image.")
FIXED(odd_not_seen, "作为一个AI语言模型，我看不到图片，请您用文字告诉我图片里有什么内容。")
FIXED(odd_template, "用户:...\n\n助手:...\n\n用户:...\n\n助手:...\n\n")
FIXED(odd_prompt,
	  "设计一个你和一个询问这张照片的人之间的对话。答案应该是视觉AI助手看到图像并回答问题的语气。\n"
	  "你需要提出不同的问题并给出相应的答案。问题可以包括询问图像视觉内容的问题,包括对象类型、对象计数、对象动作、"
	  "对象位置、对象之间的相对位置等。必须是有明确答案的问题,即\n"
	  "(1) 人们可以在图像中明确看到问题所问的内容,并且可以自信地回答;\n"
	  "(2) 人们可以从图像中肯定地确定它不在图像中。")
FIXED(odd_english,
	  "The picture is made of several areas of colour. Some of them are brighter than others, and the busiest part "
	  "draws the eye at once, while the calm part leaves room to rest. The light comes evenly from all sides, and no "
	  "single object stands out from the background. It would look good on a plain wall.")
FIXED(odd_japanese,
	  "この写真には、いろいろないろのものがうつっています。あかるいところとくらいところがあり、まんなかがいちばん"
	  "めだちます。ひだりがわはしずかで、みぎがわはにぎやかです。ぜんたいとしては、おちついたふんいきのしゃしんです。"
	  "かべにかざると、へやがすこしあかるくなるかもしれません。")
FIXED(odd_empty, "")
FIXED(odd_null, "null")
FIXED(odd_html,
	  "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
	  "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n")
FIXED(odd_error, "{\"error\":{\"message\":\"inference internal error\",\"type\":\"internal_error\",\"code\":\"InternalError.Algo\"}}")

void
odd_loop(Buffer *to, const Answer *answer)
{
	int			i;

	(void) answer;
	buffer_text(to, "画面里有一片安静的颜色，");
	for (i = 0; i < 60; i++)
		buffer_text(to, "旁边还有一片同样的颜色，它们排列得很整齐，");
}

void
odd_loop_marks(Buffer *to, const Answer *answer)
{
	int			i;

	(void) answer;
	for (i = 0; i < 400; i++)
		buffer_text(to, "！");
}
