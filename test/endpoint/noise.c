/* noise.c */
#include "noise.h"
#include "fault.h"
static const FaultName names[] = {{"refusal", "抱歉"}, {"length", "cut"}};
const FaultName *
noise_fault_name(int index)
{
	return index < 2 ? &names[index] : NULL;
}
void
noise_write(Buffer *to, Answer *answer, int index, const char **finish)
{
	int i;
	*finish = "stop";
	if (index == 0) { buffer_text(to, "抱歉，我无法查看这张图片，因此不能提供相关内容。"); return; }
	for (i = 0; i < answer->rounds; i++)
	{
		const char *q = answer->english ? (answer->task == TASK_DIALOGUE ? "User" : "Question") : (answer->task == TASK_DIALOGUE ? "用户" : "问题");
		const char *a = answer->english ? (answer->task == TASK_DIALOGUE ? "Assistant" : "Answer") : (answer->task == TASK_DIALOGUE ? "助手" : "回答");
		if (answer->task == TASK_DESCRIPTION)
			buffer_text(to, answer->turn[i].answer.data);
		else
			buffer_printf(to, "%s%s:%s\n\n%s:%s", i ? "\n\n" : "", q, answer->turn[i].question.data, a, answer->turn[i].answer.data);
	}
	if (index == 1)
	{
		size_t cut = to->size - 40;
		while (((unsigned char) to->data[cut] & 0xc0) == 0x80) cut--;
		to->data[cut] = '\0'; to->size = cut;
		*finish = "length";
	}
}
