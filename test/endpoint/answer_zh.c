/*
 * answer_zh.c
 *	  What is said of an image, in Chinese.
 */
#include "answer.h"

#define PICK(dice, list) ((list)[dice_roll((dice), (int) (sizeof(list) / sizeof((list)[0])))])

static const char *const places[CELLS] = {
	"左上角", "上方", "右上角", "左侧", "中央", "右侧", "左下角", "下方", "右下角"
};

/* What a colour stands for: common knowledge, true whatever the image shows. */
static const char *const meanings[COLOURS] = {
	[COLOUR_BLACK] = "庄重、沉稳和力量，正式场合的礼服和许多电子产品的外壳都偏爱它，但用得过多会让人感到压抑",
	[COLOUR_WHITE] = "洁净、简单和留白，中国画里常说“计白当黑”，空出来的部分同样是构图的一部分",
	[COLOUR_GREY] = "中性、理性和克制，它不会和别的颜色争抢注意力，所以常被用作背景或者过渡",
	[COLOUR_RED] = "喜庆、热情和醒目，春联、灯笼和婚礼布置都离不开它，同时它也常用来表示禁止和警告",
	[COLOUR_ORANGE] = "温暖、活力和丰收，它比红色柔和、比黄色热烈，食品和运动品牌尤其喜欢使用",
	[COLOUR_YELLOW] = "明亮、希望和尊贵，古代它是皇家专用的颜色，今天则因为显眼而被用在提示牌上",
	[COLOUR_GREEN] = "自然、生机和安全，看久了不容易疲劳，所以公园、医院和通行标志里随处可见",
	[COLOUR_CYAN] = "清新、宁静和雅致，青花瓷和青绿山水都以它为魂，给人一种凉爽而干净的感受",
	[COLOUR_BLUE] = "冷静、可靠和辽阔，它让人联想到天空和海洋，科技和金融行业的标志经常选用它",
	[COLOUR_PURPLE] = "高贵、神秘和浪漫，古代紫色染料难得，因此“紫气东来”被看作吉祥的征兆",
	[COLOUR_PINK] = "温柔、甜美和亲切，它是红色加上大量白色以后的样子，常见于节日礼物和童装",
	[COLOUR_BROWN] = "朴实、稳重和怀旧，木头、泥土和旧纸张都是这种颜色，因此显得自然而亲近",
};

static const char *
shape_name(const Facts *facts)
{
	static const char *const names[] = {"横向", "竖向", "方形"};

	return names[facts_shape(facts)];
}

static void
say_size(Buffer *to, const Facts *facts, Dice *dice)
{
	switch (dice_roll(dice, 3))
	{
		case 0:
			buffer_printf(to, "这是一张%s的图片", shape_name(facts));
			break;
		case 1:
			buffer_printf(to, "画幅是%s的", shape_name(facts));
			break;
		default:
			buffer_printf(to, "整张图采用%s构图", shape_name(facts));
			break;
	}
	/* the picture itself may be larger than what was sent of it */
	buffer_printf(to, "，收到的图像尺寸为 %d×%d 像素（原图可能更大），", facts->width, facts->height);
	switch (facts_shape(facts))
	{
		case SHAPE_WIDE:
			buffer_printf(to, "宽大约是高的%.1f倍。", facts_ratio(facts));
			break;
		case SHAPE_TALL:
			buffer_printf(to, "高大约是宽的%.1f倍。", facts_ratio(facts));
			break;
		case SHAPE_SQUARE:
			buffer_text(to, "宽和高几乎相等。");
			break;
	}
}

static void
say_place(Buffer *to, const Facts *facts, Colour colour, const char *verb)
{
	if (facts->place[colour] == ALL_OVER)
		buffer_text(to, "，在整个画面里分布得比较均匀");
	else
		buffer_printf(to, "，%s%s", verb, places[facts->place[colour]]);
}

/* The fixed words 主色调是“…” are what a check reads. */
static void
say_colours(Buffer *to, const Facts *facts, Dice *dice)
{
	static const char *const starts[] = {"画面的", "整体来看，画面的", "从色彩上看，"};
	static const char *const verbs[] = {"主要集中在", "在画面里最多见于", "最集中的位置是"};

	buffer_printf(to, "%s主色调是“%s”，大约占全部面积的%d%%", PICK(dice, starts),
				  colour_zh(facts->main), facts->share[facts->main]);
	say_place(to, facts, facts->main, PICK(dice, verbs));
	if (facts->second == facts->main)
	{
		buffer_text(to, "；除此之外没有成片的其他颜色。");
		return;
	}
	buffer_printf(to, "；其次是%s，约占%d%%", colour_zh(facts->second), facts->share[facts->second]);
	say_place(to, facts, facts->second, "多出现在");
	buffer_text(to, "。");
}

static void
say_light(Buffer *to, const Facts *facts, Dice *dice)
{
	static const char *const starts[] = {"光线方面，", "就明暗而言，", "从亮度上看，"};
	int			across = facts->left - facts->right;
	int			down = facts->top - facts->bottom;

	buffer_printf(to, "%s整体%s，", PICK(dice, starts),
				  facts->light >= 170 ? "很明亮" : facts->light >= 85 ? "亮度适中" : "偏暗");
	if (across >= 8 || across <= -8)
		buffer_printf(to, "%s比%s亮", across > 0 ? "左半边" : "右半边", across > 0 ? "右半边" : "左半边");
	else
		buffer_text(to, "左右两边差不多亮");
	if (down >= 8 || down <= -8)
		buffer_printf(to, "，%s比%s亮", down > 0 ? "上半部分" : "下半部分", down > 0 ? "下半部分" : "上半部分");
	else
		buffer_text(to, "，上下两部分也没有明显差别");
	if (facts->brightest != facts->darkest)
		buffer_printf(to, "；最亮的一块在%s，最暗的一块在%s", places[facts->brightest], places[facts->darkest]);
	buffer_printf(to, "，明暗对比%s。",
				  facts->contrast >= 60 ? "很强烈" : facts->contrast >= 25 ? "适中" : "比较柔和");
}

static void
say_busy(Buffer *to, const Facts *facts, Dice *dice)
{
	static const char *const starts[] = {"再看细节，", "从疏密来看，", "至于画面的繁简，"};

	buffer_text(to, PICK(dice, starts));
	if (facts->busiest == facts->calmest || facts->busy < 5)
		buffer_text(to, "各处都很平整，几乎看不到明暗起伏。");
	else
		buffer_printf(to, "%s的变化最密集，%s最为平静，整体%s。",
					  places[facts->busiest], places[facts->calmest],
					  facts->busy >= 300 ? "相当繁复" : facts->busy >= 100 ? "疏密有致" : "较为简洁");
}

/* ---- the dialogue's rounds ---- */

static void
round_size(Turn *turn, const Facts *facts, Dice *dice)
{
	static const char *const questions[] = {
		"这张图片是横向的还是竖向的，尺寸有多大？", "请问这张图的画幅和像素尺寸是多少？",
		"图片的宽和高分别是多少，是哪种画幅？"
	};

	buffer_text(&turn->question, PICK(dice, questions));
	say_size(&turn->answer, facts, dice);
}

static void
round_colours(Turn *turn, const Facts *facts, Dice *dice)
{
	static const char *const questions[] = {
		"画面里最主要的颜色是什么，它在哪个位置？", "哪种颜色占的面积最大，其次又是哪一种？",
		"从配色上看，这张图片以什么颜色为主？"
	};

	buffer_text(&turn->question, PICK(dice, questions));
	say_colours(&turn->answer, facts, dice);
}

static void
round_light(Turn *turn, const Facts *facts, Dice *dice)
{
	static const char *const questions[] = {
		"画面哪一边更亮，哪里最暗？", "这张图的明暗是怎样分布的？", "光线主要落在图片的什么位置？"
	};

	buffer_text(&turn->question, PICK(dice, questions));
	say_light(&turn->answer, facts, dice);
}

static void
round_busy(Turn *turn, const Facts *facts, Dice *dice)
{
	static const char *const questions[] = {
		"图片的哪个区域细节最多，哪个区域最安静？", "画面里最热闹的地方和最空旷的地方各在哪里？",
		"视线最容易被哪一块区域吸引？"
	};

	buffer_text(&turn->question, PICK(dice, questions));
	say_busy(&turn->answer, facts, dice);
}

static void
round_absent(Turn *turn, const Facts *facts, Dice *dice)
{
	Colour		colour;

	if (!facts_absent(facts, dice, &colour))
	{
		buffer_text(&turn->question, "画面是不是只有一种颜色？");
		buffer_text(&turn->answer, "不是，画面里红、黄、绿、蓝、紫这几类颜色都能找到，色彩相当丰富。");
		return;
	}
	buffer_printf(&turn->question, "图片里有没有大片的%s？", colour_zh(colour));
	buffer_printf(&turn->answer, "没有，整个画面里看不到成片的%s，占比不到百分之一。", colour_zh(colour));
}

static void
round_meaning(Turn *turn, const Facts *facts, Dice *dice)
{
	static const char *const questions[] = {
		"占比最大的那种颜色通常会给人什么感受？", "这种最主要的颜色在生活里一般代表什么含义？",
		"为什么设计者会大面积使用这样的颜色？"
	};

	buffer_text(&turn->question, PICK(dice, questions));
	buffer_printf(&turn->answer, "%s常常让人联想到%s。", colour_zh(facts->main), meanings[facts->main]);
}

static void
round_caption(Turn *turn, const Facts *facts, Dice *dice)
{
	static const char *const questions[] = {
		"如果想在画面上加一行说明，放在哪里比较合适，为什么？", "要给这张图配一个标题，应该选什么位置和深浅？"
	};

	buffer_text(&turn->question, PICK(dice, questions));
	buffer_printf(&turn->answer,
				  "建议放在%s。\n\n第一，那里的起伏最少，加上的内容不会和原有细节打架；"
				  "第二，画面的平均亮度在中间值%s，所以用%s的笔画更容易看清；第三，要和边缘留出一点距离，避免裁切时被切掉。",
				  places[facts->calmest], facts->light >= 128 ? "以上" : "以下",
				  facts->light >= 128 ? "深色" : "浅色");
}

/* Size and colours always, then two kinds of look, then one to think about. */
static void
make_dialogue(Answer *answer, const Facts *facts, Dice *dice)
{
	static void (*const looks[]) (Turn *, const Facts *, Dice *) = {round_light, round_busy, round_absent};
	int			order[] = {0, 1, 2};
	int			extra = dice_roll(dice, 3);
	int			i;

	if (dice_roll(dice, 2))
	{
		round_size(&answer->turn[0], facts, dice);
		round_colours(&answer->turn[1], facts, dice);
	}
	else
	{
		round_colours(&answer->turn[0], facts, dice);
		round_size(&answer->turn[1], facts, dice);
	}
	answer->rounds = 2;
	dice_shuffle(dice, order, 3);
	for (i = 0; i < extra; i++)
		looks[order[i]] (&answer->turn[answer->rounds++], facts, dice);
	if (dice_roll(dice, 2))
		round_meaning(&answer->turn[answer->rounds++], facts, dice);
	else
		round_caption(&answer->turn[answer->rounds++], facts, dice);
}

/* ---- the reasoning's questions ---- */

static void
reason_caption(Turn *turn, const Facts *facts, Dice *dice)
{
	buffer_text(&turn->question, "如果要把它改成一张宣传海报，标题应该放在哪里、用深色还是浅色，理由是什么？");
	buffer_printf(&turn->answer, "标题最好放在%s，并且选用%s。理由可以分三步来看。\n\n1. 先看底子。",
				  places[facts->calmest], facts->light >= 128 ? "深色" : "浅色");
	say_size(&turn->answer, facts, dice);
	say_colours(&turn->answer, facts, dice);
	buffer_text(&turn->answer, "\n\n2. 再看疏密。");
	say_busy(&turn->answer, facts, dice);
	buffer_text(&turn->answer, "标题压在平静的地方，笔画才不会被细节淹没。\n\n3. 最后看明暗。");
	say_light(&turn->answer, facts, dice);
	buffer_text(&turn->answer, "笔画和底色的亮度拉开距离，远看才醒目。");
}

static void
reason_screen(Turn *turn, const Facts *facts, Dice *dice)
{
	static const char *const screens[] = {"电脑桌面", "手机壁纸", "社交头像"};
	static const char *const others[] = {"手机上竖着使用", "电脑上横着使用", "长条形的屏幕"};

	buffer_text(&turn->question, "把它用作手机壁纸、电脑桌面或者社交头像，哪一种最合适，还需要做哪些准备？");
	buffer_printf(&turn->answer, "最合适的是%s。", screens[facts_shape(facts)]);
	say_size(&turn->answer, facts, dice);
	buffer_printf(&turn->answer, "比例接近的屏幕可以完整显示，若换到%s，就要裁掉不少内容。\n\n", others[facts_shape(facts)]);
	say_colours(&turn->answer, facts, dice);
	buffer_printf(&turn->answer, "图标和时间尽量摆在%s，那里最干净。\n\n", places[facts->calmest]);
	say_light(&turn->answer, facts, dice);
	buffer_printf(&turn->answer, "夜间使用时%s。", facts->light >= 128 ? "建议调低亮度，以免刺眼" : "不会刺眼，可以直接使用");
}

static void
reason_edit(Turn *turn, const Facts *facts, Dice *dice)
{
	buffer_text(&turn->question, "想让画面更有层次、更耐看，后期应该先调整哪些地方，为什么要按这样的顺序？");
	buffer_text(&turn->answer, "可以按照曝光、色彩、裁剪的顺序来做，因为后面的判断都依赖前面的结果。\n\n首先是曝光。");
	say_light(&turn->answer, facts, dice);
	if (facts->light < 85)
		buffer_text(&turn->answer, "所以先把暗部提起来，让被藏住的内容露出来。");
	else if (facts->light >= 170)
		buffer_text(&turn->answer, "所以先把高光压下去，避免大片发白。");
	else
		buffer_text(&turn->answer, "所以曝光不必大动，只需微调两端。");
	buffer_text(&turn->answer, "\n\n其次是色彩。");
	say_colours(&turn->answer, facts, dice);
	buffer_text(&turn->answer, "保住占比最大的颜色，再让次要颜色做点缀，气氛就不会跑偏。\n\n最后是裁剪。");
	say_size(&turn->answer, facts, dice);
	buffer_printf(&turn->answer, "裁剪时尽量保留%s，那里是视觉的重心。", places[facts->busiest]);
}

static void
reason_print(Turn *turn, const Facts *facts, Dice *dice)
{
	double		wide = facts->width * 2.54 / 150;
	double		high = facts->height * 2.54 / 150;

	buffer_text(&turn->question, "如果打印出来挂在墙上，最大能做到多少厘米，墙面和灯光又该怎样搭配？");
	say_size(&turn->answer, facts, dice);
	buffer_printf(&turn->answer,
				  "挂墙观看通常按每英寸一百五十个像素计算，所以按收到的尺寸最大约为 %.1f×%.1f 厘米，再放大就会看到颗粒。\n\n", wide, high);
	say_colours(&turn->answer, facts, dice);
	buffer_printf(&turn->answer, "墙面宜选%s，才能把它衬托出来。\n\n",
				  facts->light >= 128 ? "颜色较深的木色或灰色" : "素净的浅色");
	say_light(&turn->answer, facts, dice);
	buffer_printf(&turn->answer, "射灯可以略微偏向%s，弥补那里的不足，同时要避开窗户的直射，以免褪色和反光。",
				  places[facts->darkest]);
}

static void
make_reasoning(Answer *answer, const Facts *facts, Dice *dice)
{
	static void (*const reasons[]) (Turn *, const Facts *, Dice *) = {
		reason_caption, reason_screen, reason_edit, reason_print
	};

	answer->rounds = 1;
	PICK(dice, reasons) (&answer->turn[0], facts, dice);
}

/* ---- the description ---- */

static void
make_description(Answer *answer, const Facts *facts, Dice *dice)
{
	static void (*const parts[]) (Buffer *, const Facts *, Dice *) = {say_colours, say_light, say_busy};
	Buffer	   *to = &answer->turn[0].answer;
	int			order[] = {0, 1, 2};
	Colour		colour;
	int			i;

	answer->rounds = 1;
	dice_shuffle(dice, order, 3);
	say_size(to, facts, dice);
	for (i = 0; i < 3; i++)
	{
		buffer_text(to, i == 1 ? "\n\n" : "");
		parts[order[i]] (to, facts, dice);
	}
	if (facts_absent(facts, dice, &colour))
		buffer_printf(to, "\n\n画面中看不到成片的%s，", colour_zh(colour));
	else
		buffer_text(to, "\n\n画面里红黄绿蓝各类颜色俱全，");
	buffer_printf(to, "给人的整体印象是%s、%s。",
				  facts->light >= 170 ? "清亮" : facts->light >= 85 ? "平和" : "深沉",
				  facts->busy >= 300 ? "热闹" : facts->busy >= 100 ? "丰富" : "安静");
}

void
answer_chinese(Answer *answer, const Facts *facts, Dice *dice)
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
