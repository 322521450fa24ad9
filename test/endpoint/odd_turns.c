/*
 * odd_turns.c
 *	  What noises do to an answer's turns before they are written down.
 */
#include <string.h>

#include "odd.h"

static void
replace(Buffer *buffer, const char *text)
{
	buffer_clear(buffer);
	buffer_text(buffer, text);
}

static void
put_in_front(Buffer *buffer, const char *text)
{
	Buffer		joined = {0};

	buffer_text(&joined, text);
	buffer_add(&joined, buffer->data, buffer->size);
	buffer_free(buffer);
	*buffer = joined;
}

static void
add_round(Answer *answer, const char *question, const char *text)
{
	Turn	   *turn;

	if (answer->rounds == MAX_ROUNDS || answer->task >= TASK_DESCRIPTION)
		return;
	turn = &answer->turn[answer->rounds++];
	replace(&turn->question, question);
	replace(&turn->answer, text);
}

static Buffer *
last_answer(Answer *answer)
{
	return &answer->turn[answer->rounds - 1].answer;
}

void
odd_english_labels(Answer *answer)
{
	answer->english = true;
}

void
odd_empty_turn(Answer *answer)
{
	replace(&answer->turn[0].answer, "");
}

void
odd_seven_rounds(Answer *answer)
{
	static const char *const extra[][2] = {
		{"这张图是用什么方式保存下来的？", "它是一张数字图片，由一个个像素排列而成，放大以后能看到方格。"},
		{"画面里哪种颜色最少见？", "最少见的是没有提到的那些颜色，它们合起来也只占很小的面积。"},
		{"画面的四个角有什么不同吗？", "四个角的明暗和疏密各不相同，其中最暗的一角最适合放置水印。"},
		{"这张图适合做成黑白的吗？", "可以，只要明暗对比足够，去掉颜色以后轮廓依然清楚。"},
		{"如果裁成正方形，应该保留哪里？", "应该保留变化最密集的那一块，因为那里的内容最多。"}
	};
	int			i;

	for (i = 0; answer->rounds < 7 && i < 5; i++)
		add_round(answer, extra[i][0], extra[i][1]);
}

void
odd_one_round(Answer *answer)
{
	const Turn *look = &answer->turn[answer->rounds - 1];

	if (answer->task != TASK_DIALOGUE)
		return;

	/* Long enough on its own: the round to think about joins the first answer. */
	buffer_printf(&answer->turn[0].answer, "\n\n%s\n\n%s", answer->turn[1].answer.data, look->answer.data);
	answer->rounds = 1;
}

void
odd_duplicate_round(Answer *answer)
{
	add_round(answer, answer->turn[0].question.data, "前面已经说过，这里不再重复，请看上文。");
}

void
odd_refused_round(Answer *answer)
{
	add_round(answer, "拍下这张图片的人是谁？", "抱歉，无法确定拍摄者是谁，画面里没有相关的线索。");
}

void
odd_extra_pair(Answer *answer)
{
	add_round(answer, "如果要在夜里观看，还要注意什么？",
			  "夜里观看应当调低屏幕亮度，并在房间里留一盏小灯，让眼睛的负担小一些，同时避免灯光直接照在屏幕上形成反光。");
}

void
odd_label_inside(Answer *answer)
{
	buffer_text(last_answer(answer), "说明的写法可以是“用户：请看这里”，也可以换成别的。");
}

void
odd_label_list(Answer *answer)
{
	buffer_text(last_answer(answer), "\n看图的次序可以这样列：\n- 用户：先看颜色\n- 用户：再看明暗\n- 用户：最后看疏密");
}

void
odd_ambiguous_role(Answer *answer)
{
	buffer_text(&answer->turn[0].answer, "说明写成下面这样：\n用户：admin\n密码：已经用圆点遮住");
}

void
odd_no_question(Answer *answer)
{
	buffer_free(&answer->turn[0].question);
}

void
odd_no_answer(Answer *answer)
{
	if (answer->task < TASK_DESCRIPTION)
		buffer_free(&answer->turn[0].answer);
}

void
odd_not_complex(Answer *answer)
{
	if (answer->task < TASK_DESCRIPTION)
		replace(&answer->turn[0].question, "请描述这张图片。");
}

void
odd_too_short(Answer *answer)
{
	int			i;

	for (i = 0; i < answer->rounds; i++)
		replace(&answer->turn[i].answer, "从画面上可以看出来。");
}

void
odd_image_token(Answer *answer)
{
	put_in_front(answer->task >= TASK_DESCRIPTION ? &answer->turn[0].answer : &answer->turn[0].question, "<image>\n");
}

void
odd_special_token(Answer *answer)
{
	put_in_front(&answer->turn[0].answer, "<|vision_pad|>");
}

void
odd_pii(Answer *answer)
{
	buffer_text(last_answer(answer), "想进一步了解可以拨打13800138000，或者访问www.example.com查看。");
}

void
odd_reference(Answer *answer)
{
	put_in_front(last_answer(answer), "如上图所示，");
}

void
odd_meta(Answer *answer)
{
	put_in_front(last_answer(answer), "根据您提供的描述，");
}

void
odd_fffd(Answer *answer)
{
	put_in_front(last_answer(answer), "画\xef\xbf\xbd\xef\xbf\xbd里，");
}

void
odd_emoji(Answer *answer)
{
	buffer_text(last_answer(answer), "这样看下来更有意思了\xf0\x9f\x8e\x89\xf0\x9f\x8d\x9c，连生僻字\xf0\xa0\xae\xb7也不怕。");
}
