/*
 * answer_en.c
 *	  What is said of an image, in English.
 */
#include "answer.h"

#define PICK(dice, list) ((list)[dice_roll((dice), (int) (sizeof(list) / sizeof((list)[0])))])

static const char *const places[CELLS] = {
	"the upper left corner", "the top", "the upper right corner", "the left side", "the centre",
	"the right side", "the lower left corner", "the bottom", "the lower right corner"
};

static void
say_size(Buffer *to, const Facts *facts)
{
	static const char *const names[] = {"landscape", "portrait", "square"};

	buffer_printf(to, "This is a %s picture; as it was sent, its size is %d×%d pixels, and its longer side is %.1f times the "
				  "shorter one.", names[facts_shape(facts)], facts->width, facts->height, facts_ratio(facts));
}

static void
say_place(Buffer *to, const Facts *facts, Colour colour)
{
	if (facts->place[colour] == ALL_OVER)
		buffer_text(to, ", spread over the whole picture");
	else
		buffer_printf(to, ", most of it at %s", places[facts->place[colour]]);
}

/* The fixed words: the main colour is "…". */
static void
say_colours(Buffer *to, const Facts *facts)
{
	buffer_printf(to, "In this picture the main colour is \"%s\", about %d%% of the area",
				  colour_en(facts->main), facts->share[facts->main]);
	say_place(to, facts, facts->main);
	if (facts->second == facts->main)
		buffer_text(to, "; there is no other colour to speak of.");
	else
	{
		buffer_printf(to, "; next comes %s with about %d%%", colour_en(facts->second), facts->share[facts->second]);
		say_place(to, facts, facts->second);
		buffer_text(to, ".");
	}
}

static void
say_light(Buffer *to, const Facts *facts)
{
	int			across = facts->left - facts->right;

	buffer_printf(to, "The light is %s, %s, and the contrast is %s.",
				  facts->light >= 170 ? "bright" : facts->light >= 85 ? "moderate" : "dim",
				  across >= 8 ? "the left half is brighter than the right one" :
				  across <= -8 ? "the right half is brighter than the left one" : "both halves are about as bright",
				  facts->contrast >= 60 ? "strong" : facts->contrast >= 25 ? "moderate" : "soft");
	if (facts->brightest != facts->darkest)
		buffer_printf(to, " The brightest part is %s and the darkest is %s.",
					  places[facts->brightest], places[facts->darkest]);
}

static void
say_busy(Buffer *to, const Facts *facts)
{
	if (facts->busiest == facts->calmest || facts->busy < 5)
		buffer_text(to, "It is plain all over, with hardly any change of tone.");
	else
		buffer_printf(to, "The busiest part is %s, while %s is the calmest.",
					  places[facts->busiest], places[facts->calmest]);
}

static void
round_light(Turn *turn, const Facts *facts)
{
	buffer_text(&turn->question, "How are light and dark distributed?");
	say_light(&turn->answer, facts);
}

static void
round_busy(Turn *turn, const Facts *facts)
{
	buffer_text(&turn->question, "Which part of the picture is the busiest?");
	say_busy(&turn->answer, facts);
}

static void
say_caption(Turn *turn, const Facts *facts)
{
	buffer_printf(&turn->answer, "The best place for a title is %s: that is where the picture is calmest, so the letters "
				  "do not fight with details. As the mean brightness is %s the middle, %s letters are the easiest to read.",
				  places[facts->calmest], facts->light >= 128 ? "above" : "below", facts->light >= 128 ? "dark" : "light");
}

static void
make_dialogue(Answer *answer, const Facts *facts, Dice *dice)
{
	static const char *const sizes[] = {
		"What is the size and orientation of the picture?", "How large is the picture, and which way is it turned?"
	};
	static const char *const colours[] = {
		"Which colour takes up the most space?", "What are the main colours, and where are they?"
	};
	int			extra = dice_roll(dice, 3);
	int			first = dice_roll(dice, 2);

	buffer_text(&answer->turn[0].question, PICK(dice, sizes));
	say_size(&answer->turn[0].answer, facts);
	buffer_text(&answer->turn[1].question, PICK(dice, colours));
	say_colours(&answer->turn[1].answer, facts);
	answer->rounds = 2;
	if (extra > 0)
		(first ? round_light : round_busy) (&answer->turn[answer->rounds++], facts);
	if (extra > 1)
		(first ? round_busy : round_light) (&answer->turn[answer->rounds++], facts);
	buffer_text(&answer->turn[answer->rounds].question, "Where would a title fit best, and why?");
	say_caption(&answer->turn[answer->rounds++], facts);
}

static void
make_reasoning(Answer *answer, const Facts *facts, Dice *dice)
{
	static const char *const questions[] = {
		"If this were turned into a poster, where should the title go, and should it be dark or light?",
		"A designer wants to put a headline on it; which place and which tone should be chosen, and why?"
	};
	Turn	   *turn = &answer->turn[0];

	answer->rounds = 1;
	buffer_text(&turn->question, PICK(dice, questions));
	say_caption(turn, facts);
	buffer_text(&turn->answer, " Here is the reasoning step by step.\n\n1. ");
	say_size(&turn->answer, facts);
	buffer_text(&turn->answer, " ");
	say_colours(&turn->answer, facts);
	buffer_text(&turn->answer, "\n\n2. ");
	say_busy(&turn->answer, facts);
	buffer_text(&turn->answer, "\n\n3. ");
	say_light(&turn->answer, facts);
}

static void
make_description(Answer *answer, const Facts *facts, Dice *dice)
{
	static void (*const parts[]) (Buffer *, const Facts *) = {say_size, say_colours, say_light, say_busy};
	int			order[] = {0, 1, 2, 3};
	int			i;

	answer->rounds = 1;
	dice_shuffle(dice, order, 4);
	for (i = 0; i < 4; i++)
	{
		buffer_text(&answer->turn[0].answer, i == 0 ? "" : i == 2 ? "\n\n" : " ");
		parts[order[i]] (&answer->turn[0].answer, facts);
	}
}

void
answer_english(Answer *answer, const Facts *facts, Dice *dice)
{
	switch (answer->task)
	{
		case TASK_DIALOGUE:
			make_dialogue(answer, facts, dice);
			break;
		case TASK_REASONING:
			make_reasoning(answer, facts, dice);
			break;
		case TASK_DESCRIPTION:
			make_description(answer, facts, dice);
			break;
		case TASK_OBJECT:
			answer_object(answer, facts);
			break;
	}
}
