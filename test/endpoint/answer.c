/*
 * answer.c
 *	  What is said of an image: what both languages share.
 */
#define _GNU_SOURCE

#include "answer.h"

#include <stdlib.h>
#include <string.h>

static const struct
{
	const char *zh;
	const char *en;
}			colour_names[COLOURS] = {
	[COLOUR_BLACK] = {"黑色", "black"},
	[COLOUR_WHITE] = {"白色", "white"},
	[COLOUR_GREY] = {"灰色", "grey"},
	[COLOUR_RED] = {"红色", "red"},
	[COLOUR_ORANGE] = {"橙色", "orange"},
	[COLOUR_YELLOW] = {"黄色", "yellow"},
	[COLOUR_GREEN] = {"绿色", "green"},
	[COLOUR_CYAN] = {"青色", "cyan"},
	[COLOUR_BLUE] = {"蓝色", "blue"},
	[COLOUR_PURPLE] = {"紫色", "purple"},
	[COLOUR_PINK] = {"粉色", "pink"},
	[COLOUR_BROWN] = {"棕色", "brown"},
};

const char *
colour_zh(Colour colour)
{
	return colour_names[colour].zh;
}

const char *
colour_en(Colour colour)
{
	return colour_names[colour].en;
}

const char *
task_name(Task task)
{
	static const char *const names[] = {"日常对话", "复杂推理", "描述图片", "筛选"};

	return names[task];
}

const char *
task_alias(Task task)
{
	static const char *const aliases[] = {"conversation", "complex_reasoning", "detail", "triage"};

	return aliases[task];
}

/* Whether there is a Han character (U+4E00 to U+9FFF, roughly) in it. */
static bool
has_han(const char *text)
{
	for (; *text; text++)
		if ((unsigned char) *text >= 0xe4 && (unsigned char) *text <= 0xe9)
			return true;
	return false;
}

static bool
has(const char *text, const char *part)
{
	return strcasestr(text, part) != NULL;
}

Task
prompt_task(const char *prompt, bool *english)
{
	*english = !has_han(prompt);
	if (has(prompt, "JSON"))
		return TASK_OBJECT;
	if (has(prompt, "用户:") || has(prompt, "用户：") || has(prompt, "对话") ||
		has(prompt, "User:") || has(prompt, "conversation"))
		return TASK_DIALOGUE;
	if (has(prompt, "回答:") || has(prompt, "回答：") || (has(prompt, "Question:") && has(prompt, "Answer:")))
		return TASK_REASONING;
	return TASK_DESCRIPTION;
}

Shape
facts_shape(const Facts *facts)
{
	if (facts_ratio(facts) < 1.05)
		return SHAPE_SQUARE;
	return facts->width > facts->height ? SHAPE_WIDE : SHAPE_TALL;
}

double
facts_ratio(const Facts *facts)
{
	double		ratio = (double) facts->width / facts->height;

	return ratio < 1 ? 1 / ratio : ratio;
}

/*
 * A colour is surely absent if not even one percent is of it, and none of a hue
 * that scaling could turn into it.
 */
bool
facts_absent(const Facts *facts, Dice *dice, Colour *colour)
{
	static const Colour sure[] = {COLOUR_PURPLE, COLOUR_GREEN, COLOUR_RED, COLOUR_BLUE, COLOUR_YELLOW};
	int			start = dice_roll(dice, 5);
	int			i;

	for (i = 0; i < 5; i++)
	{
		*colour = sure[(start + i) % 5];
		if (facts->share[*colour] == 0)
			return true;
	}
	return false;
}

void
dice_shuffle(Dice *dice, int *order, int size)
{
	int			i;

	for (i = size - 1; i > 0; i--)
	{
		int			j = dice_roll(dice, i + 1);
		int			other = order[j];

		order[j] = order[i];
		order[i] = other;
	}
}

void
answer_make(Answer *answer, const Facts *facts, uint64_t variation)
{
	Dice		dice;

	dice.state = variation;
	if (answer->english)
		answer_english(answer, facts, &dice);
	else
		answer_chinese(answer, facts, &dice);
}

void
answer_free(Answer *answer)
{
	int			i;

	for (i = 0; i < MAX_ROUNDS; i++)
	{
		buffer_free(&answer->turn[i].question);
		buffer_free(&answer->turn[i].answer);
	}
	memset(answer, 0, sizeof(*answer));
}
