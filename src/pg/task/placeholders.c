/*
 * placeholders.c
 *	  What the prompt of a task that follows another may have in it: {{conversation}} and
 *	  {{sentences}} of a sample, {{annotation}} of an object.
 *
 * In the prompt of any other task two braces are text.  So are they round any other word.
 */
#include "postgres.h"

#include "task.h"

static const char *const placeholder_names[] = {"conversation", "sentences", "annotation"};
static const char *const placeholder_words[] = {"{{conversation}}", "{{sentences}}", "{{annotation}}"};

int
prompt_placeholders(const char *prompt)
{
	int			placeholders = 0;

	for (int i = 0; i < lengthof(placeholder_names); i++)
		if (vlm_prompt_has(prompt, placeholder_names[i]))
			placeholders |= 1 << i;
	return placeholders;
}

int
task_placeholders(const LlavaTask *task)
{
	return task->after == NULL ? 0 : prompt_placeholders(task->prompt);
}

const char *
placeholder_word(int placeholders)
{
	for (int i = 0; i < lengthof(placeholder_words); i++)
		if (placeholders & (1 << i))
			return placeholder_words[i];
	return "";
}

int
placeholders_unfit(int placeholders, ReplyKind followed)
{
	return placeholders & (followed == REPLY_OBJECT ? PLACEHOLDER_CONVERSATION | PLACEHOLDER_SENTENCES :
						   PLACEHOLDER_ANNOTATION);
}
