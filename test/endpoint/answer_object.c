/*
 * answer_object.c
 *	  What is said of an image to a prompt that asks for JSON: one object, true, with the
 *	  keys of the shipped task 筛选 and some measures.
 *
 * What a picture is worth follows from its pixels alone: a plain area is worth nothing,
 * and the more there is to see the more.
 */
#include "answer.h"

/* Standard deviation of luma, and steps between neighbours (times 10), that set the worth. */
#define BLANK_CONTRAST 3
#define LITTLE_CONTRAST 12
#define MUCH_CONTRAST 40
#define BUSY 40

int
facts_worth(const Facts *facts)
{
	if (facts->contrast < BLANK_CONTRAST && facts->busy < BLANK_CONTRAST)
		return 0;
	if (facts->contrast < LITTLE_CONTRAST)
		return 1;
	return facts->contrast >= MUCH_CONTRAST && facts->busy >= BUSY ? 3 : 2;
}

static void
say_why(Buffer *to, const Facts *facts, bool english)
{
	static const char *const zh[] = {"画面是一片均匀的颜色，没有内容", "明暗几乎没有变化，内容很少", "能看清主要的色块", "明暗对比强，细节丰富"};
	static const char *const en[] = {"one plain area without content", "hardly any light and dark, little to see", "the main areas can be told apart", "strong contrast and rich detail"};

	buffer_text(to, (english ? en : zh)[facts_worth(facts)]);
}

void
answer_object(Answer *answer, const Facts *facts)
{
	Buffer	   *to = &answer->turn[0].answer;
	Buffer		why = {0};
	bool		english = answer->english;

	answer->rounds = 1;
	buffer_text(to, "{\"seen\": [");
	buffer_json(to, english ? colour_en(facts->main) : colour_zh(facts->main));
	if (facts->second != facts->main)
	{
		buffer_text(to, ", ");
		buffer_json(to, english ? colour_en(facts->second) : colour_zh(facts->second));
	}
	say_why(&why, facts, english);
	buffer_printf(to, "], \"kind\": \"%s\", \"has_text\": false, \"why\": ",
				  facts_worth(facts) == 0 ? (english ? "blank" : "空白") : english ? "other" : "其他");
	buffer_json(to, why.data);
	buffer_printf(to, ", \"worth\": %d, \"unsafe\": false, \"light\": %d, \"contrast\": %d}",
				  answer->told > 0 ? answer->told - 1 : facts_worth(facts), facts->light, facts->contrast);
	buffer_free(&why);
}
