/*
 * canned.c
 *	  The reply of count-only mode: one for all, in a form every task's parser takes.
 */
#include <string.h>

#include "chat.h"
#include "envelope.h"

static Buffer text;
static Reply whole;

static void
canned_completion(Reply *reply, const Fault *fault)
{
	Completion	completion = {0, "count-only", NULL, "stop", 1000};

	completion.content = text.data;
	completion_reply(reply, &completion, fault);
}

/* One round of dialogue, its answer as long as it takes, without any loop in it. */
void
canned_make(size_t bytes)
{
	static const char *const words[] = {
		"画面", "中央", "左侧", "右侧", "上方", "下方", "明亮", "柔和", "深色", "浅色", "背景", "前景",
		"边缘", "角落", "线条", "轮廓", "层次", "对比", "平静", "繁复", "红色", "蓝色", "绿色", "黄色",
		"灰色", "白色", "横向", "竖向", "均匀", "集中", "清楚", "模糊"
	};
	Dice		dice = {1};
	Fault		none = {0};
	size_t		i;

	buffer_text(&text, "用户:这张图片的画面是怎样安排的？\n\n助手:");
	for (i = 1; i < 60 || text.size + 400 < bytes; i++)
	{
		buffer_text(&text, words[dice_roll(&dice, 32)]);
		buffer_text(&text, i % 7 == 0 ? "。" : i % 3 == 0 ? "，" : "");
	}
	buffer_text(&text, "。");
	canned_completion(&whole, &none);
}

void
canned_reply(Reply *reply, const Fault *fault)
{
	if (fault->group == FAULT_BODY || fault->group == FAULT_WIRE)
	{
		canned_completion(reply, fault);
		return;
	}
	reply->status = 200;
	buffer_add(&reply->bytes, whole.bytes.data, whole.bytes.size);
}
