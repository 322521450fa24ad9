/*
 * bench_reply.c
 *	  Speed of the reply parser on ordinary replies, and growth of its time on hostile
 *	  ones of doubling size.
 *
 * Fails where doubling the input takes more than LIMIT times as long, or a byte more
 * than MAX_TIMES as long as an ordinary one.  A figure is
 * the best of several runs; growth is the mean of three doublings in a row, the
 * worst of those: a single one is as much the machine's caches as the parser.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "reply/reply.h"

#define FIRST_BYTES (64u << 10)
#define SIZES 5					/* 64 KB to 1 MB */
#define LIMIT 3.3				/* linear is 2, beyond the caches somewhat more; quadratic 4 */
#define OBJECT_RATE 100			/* MB/s of ordinary objects */
#define MAX_TIMES 10			/* the ordinary cost of a byte */
#define RUNS 5
#define STRIDE 3				/* doublings averaged */

#define PICK(i, ...) (((const char *const[]) {__VA_ARGS__})[(size_t) (i) % (sizeof((const char *const[]) {__VA_ARGS__}) / sizeof(char *))])

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/* A reply of size bytes: head, then as many of the repeated as fit, then tail. */
typedef struct Hostile
{
	const char *name;
	ReplyKind	kind;
	const char *head;
	const char *repeated;		/* %d in it: the number of the repetition */
	const char *tail;
} Hostile;

static const Hostile hostile[] = {
	{"object: quotes", REPLY_OBJECT, "{\"a\": \"", "\"", ""},
	{"object: quotes and blanks", REPLY_OBJECT, "{\"a\": \"", "\"          x", "\"}"},
	{"object: quotes and commas", REPLY_OBJECT, "{\"a\": \"", "\", \"x\" ", "\"}"},
	{"object: quotes and comments", REPLY_OBJECT, "{\"a\": \"", "//\"\n", "\"}"},
	{"object: comments", REPLY_OBJECT, "{", "/**/", "}"},
	{"object: comments that stay open", REPLY_OBJECT, "{\"a\": \"", "\" /*", "\"}"},
	{"object: braces", REPLY_OBJECT, "", "{", ""},
	{"object: braces of prose", REPLY_OBJECT, "", "{x ", ""},
	{"object: brackets and braces", REPLY_OBJECT, "", "[{ ", ""},
	{"object: nested", REPLY_OBJECT, "", "{\"a\":", ""},
	{"object: nested, unreadable", REPLY_OBJECT, "", "{\"a\":{\"b\" 1", ""},
	{"object: unreadable ones", REPLY_OBJECT, "", "{\"a\" 1}", ""},
	{"object: small ones", REPLY_OBJECT, "", "{\"a\": %d}", ""},
	{"object: keys", REPLY_OBJECT, "{", "\"k%d\": 1,", "}"},
	{"object: the same key", REPLY_OBJECT, "{", "\"k\": 1,", "}"},
	{"object: white space", REPLY_OBJECT, "{\"a\"", " \n", ": 1}"},
	{"object: wide white space", REPLY_OBJECT, "{\"a\"", "　", ": 1}"},
	{"object: escapes", REPLY_OBJECT, "{\"a\":\"", "\\u4e2d", "\"}"},
	{"object: controls", REPLY_OBJECT, "{\"a\":\"", "\001", "\"}"},
	{"object: thoughts", REPLY_OBJECT, "", "<think>{\"a\": 1}</think>\n", "{\"a\": 1}"},
	{"object: open thoughts", REPLY_OBJECT, "", "\n</think><think>", ""},
	{"object: lists of lists", REPLY_OBJECT, "[{\"a\":", "[", ""},
	{"labels without text", REPLY_DIALOGUE, "", "用户：\n", ""},
	{"both labels without text", REPLY_DIALOGUE, "", "用户：\n助手：\n", ""},
	{"short rounds", REPLY_DIALOGUE, "", "用户：这是什么%d？\n助手：苹果%d。\n", ""},
	{"answers in a row", REPLY_DIALOGUE, "用户：这是什么？\n", "助手：苹果%d。\n", ""},
	{"answers first", REPLY_DIALOGUE, "", "助手：苹果%d。\n", "用户：什么？\n助手：苹果。\n"},
	{"questions in a row", REPLY_DIALOGUE, "", "用户：这是什么%d？\n", "助手：苹果。"},
	{"reasoning pairs", REPLY_QUESTION_ANSWER, "", "问题：为什么%d？\n回答：因为%d。\n", ""},
	{"question marks on a line", REPLY_QUESTION_ANSWER, "问题：", "为什么？", "\n回答：因为。"},
	{"answer labels on a line", REPLY_QUESTION_ANSWER, "问题：", "为什么？回答 ", ""},
	{"label without question", REPLY_QUESTION_ANSWER, "", "回答：因为%d。\n", ""},
	{"quotes", REPLY_DIALOGUE, "", "\"", ""},
	{"quotes in JSON", REPLY_DIALOGUE, "[{\"", "\"", ""},
	{"quotes and blanks in JSON", REPLY_DIALOGUE, "{\"a\": \"", "\"          x", ""},
	{"braces", REPLY_DIALOGUE, "", "{", ""},
	{"brackets", REPLY_DIALOGUE, "", "[", ""},
	{"nested JSON", REPLY_DIALOGUE, "", "[{\"a\":", ""},
	{"nested JSON, described", REPLY_DESCRIPTION, "", "{\"a\":[", ""},
	{"JSON blanks", REPLY_DIALOGUE, "[{\"a\"", " ", ":1}]"},
	{"JSON pairs", REPLY_DIALOGUE, "[", "{\"role\":\"user\",\"content\":\"什么%d？\"},{\"role\":\"assistant\",\"content\":\"苹果%d\"},", "]"},
	{"JSON pairs in one object", REPLY_DIALOGUE, "{", "\"q\":\"什么%d？\",\"a\":\"苹果%d\",", "}"},
	{"Python's quotes", REPLY_DIALOGUE, "[{'", "'", ""},
	{"JSON answers in a row", REPLY_DIALOGUE, "[{\"role\":\"user\",\"content\":\"什么？\"},", "{\"role\":\"assistant\",\"content\":\"苹果%d\"},", "]"},
	{"JSON answers first", REPLY_DIALOGUE, "[", "{\"role\":\"assistant\",\"content\":\"苹果%d\"},", "]"},
	{"JSON escapes", REPLY_DIALOGUE, "[{\"a\":\"", "\\u4e2d", "\"}]"},
	{"backslashes", REPLY_DIALOGUE, "", "\\", ""},
	{"backslashes in JSON", REPLY_DIALOGUE, "[{\"a\":\"", "\\", "\"}]"},
	{"written line ends", REPLY_DIALOGUE, "好", "\\n", "好"},
	{"written lines", REPLY_DIALOGUE, "好", "\\n好", ""},
	{"written lines and blanks", REPLY_DIALOGUE, "好", "\\n    好", ""},
	{"written lines without labels", REPLY_QUESTION_ANSWER, "", "回答说\\n", "好"},
	{"angles", REPLY_DESCRIPTION, "", "<", ""},
	{"tags", REPLY_DESCRIPTION, "", "<s>", "好"},
	{"tags of thoughts", REPLY_DESCRIPTION, "<think>", "<think>", "好"},
	{"closed thoughts", REPLY_DESCRIPTION, "", "<think></think>", "好"},
	{"thoughts that others close", REPLY_DESCRIPTION, "<think>", "</thinking>", "好"},
	{"paddings and a word", REPLY_DESCRIPTION, "", "<pad>", "好"},
	{"paddings and words", REPLY_DESCRIPTION, "好", "<pad>好", ""},
	{"wide bars", REPLY_DESCRIPTION, "", "<｜▁", ""},
	{"answers", REPLY_DESCRIPTION, "", "<answer>好\n", "</answer>"},
	{"marks of answers", REPLY_DESCRIPTION, "", "<|begin_of_box|>好<|end_of_box|>", ""},
	{"square tokens", REPLY_DESCRIPTION, "", "[INST", "]"},
	{"triangles", REPLY_DESCRIPTION, "", "◁", "<"},
	{"blanks between tags", REPLY_DESCRIPTION, "好", "        <s>        ", "好"},
	{"entities", REPLY_DESCRIPTION, "", "&amp;", "好"},
	{"entities of entities", REPLY_DESCRIPTION, "&", "amp;", "好"},
	{"ampersands", REPLY_DESCRIPTION, "", "&", "好"},
	{"numbered entities", REPLY_DESCRIPTION, "", "&#20013;", ""},
	{"citations", REPLY_DESCRIPTION, "", "\xEE\x88\x80", "好"},
	{"daggers", REPLY_DESCRIPTION, "", "【1†", "好"},
	{"letters for bytes", REPLY_DESCRIPTION, "", "ä½", "好"},
	{"blocks", REPLY_DESCRIPTION, "", "▁好", ""},
	{"data lines", REPLY_DESCRIPTION, "", "data: \n", "data: 好"},
	{"fences", REPLY_DIALOGUE, "", "```", ""},
	{"fence lines", REPLY_DIALOGUE, "", "```\n", "用户：好？\n助手：好"},
	{"fence lines behind a label", REPLY_DIALOGUE, "用户：好？\n助手：好\n", "```\n", ""},
	{"fence lines, described", REPLY_DESCRIPTION, "", "```\n图\n", ""},
	{"one sentence again and again", REPLY_DESCRIPTION, "", "图中有一只橘色的猫坐在窗台上。", ""},
	{"one sentence, a dialogue", REPLY_DIALOGUE, "用户：什么？\n助手：", "图中有一只橘色的猫坐在窗台上。", ""},
	{"one character", REPLY_DESCRIPTION, "", "啊", ""},
	{"numbered sentences", REPLY_DESCRIPTION, "", "第%d只橘色的猫坐在第%d个窗台上。", ""},
	{"courtesies", REPLY_DESCRIPTION, "图", "\n\n希望这%d对您有所帮助", ""},
	{"courtesies and rules", REPLY_DESCRIPTION, "图", "\n\n---\n\n希望这%d对您有所帮助", ""},
	{"open tokens, escaped", REPLY_DIALOGUE, "[{\"用户\":\"", "\\u003c|", "\"}]"},
	{"verbs in a row", REPLY_DIALOGUE, "用户：好？\n助手：好\n用户：", "看一", "\n助手：好"},
	{"blank lines", REPLY_DESCRIPTION, "图", "\n \n", "图"},
	{"blank lines before a label", REPLY_DIALOGUE, "", "\n \n", "用户：好？\n助手：好"},
	{"rules", REPLY_DIALOGUE, "用户：好？\n助手：好\n", "---\n", ""},
	{"round headers", REPLY_DIALOGUE, "用户：好？\n助手：好\n", "第%d轮：\n", ""},
	{"one long rule", REPLY_DIALOGUE, "用户：好？\n助手：好\n", "-", ""},
	{"numerals", REPLY_DIALOGUE, "用户：好？\n助手：好\n第", "一", "轮"},
	{"digits", REPLY_DIALOGUE, "用户：好？\n助手：好\n", "1", "."},
	{"list numbers", REPLY_DIALOGUE, "", "1.", ""},
	{"quote signs", REPLY_DIALOGUE, "> 用户：好？\n", ">", "\n> 助手：好"},
	{"quoted lines", REPLY_DIALOGUE, "> 用户：好？\n> 助手：好", "\n> 好%d", ""},
	{"quoted lines without a label", REPLY_DIALOGUE, "", "> 好%d\n", ""},
	{"open tokens", REPLY_DESCRIPTION, "", "<|", ""},
	{"open thoughts", REPLY_DESCRIPTION, "", "<think>", ""},
	{"thoughts", REPLY_DESCRIPTION, "", "<think></think>", ""},
	{"angle brackets", REPLY_DESCRIPTION, "", "<", ""},
	{"dots", REPLY_DIALOGUE, "", ".", ""},
	{"dots behind labels", REPLY_DIALOGUE, "", "用户：...\n助手：……\n", ""},
	{"dots and line ends", REPLY_DIALOGUE, "", ".\n", "好"},
	{"at signs", REPLY_DESCRIPTION, "图", "a@", ""},
	{"addresses without a dot", REPLY_DESCRIPTION, "图@", "aaaaaaaa", "@"},
	{"digits and hyphens", REPLY_DESCRIPTION, "图", "1-2 ", ""},
	{"figures", REPLY_DESCRIPTION, "", "图 ", ""},
	{"opening quotation marks", REPLY_DESCRIPTION, "图", "“", ""},
	{"carriage returns", REPLY_DESCRIPTION, "图", "\r", "图"},
	{"invisible characters", REPLY_DESCRIPTION, "图", "\xE2\x80\x8B", "图"},
	{"bold", REPLY_DIALOGUE, "", "**", ""},
	{"headings", REPLY_DIALOGUE, "", "#", ""},
	{"ideographic spaces", REPLY_DIALOGUE, "用户：好？\n助手：", "\xE3\x80\x80", "好"},
	{"ideographic spaces around labels", REPLY_DIALOGUE, "", "\xE3\x80\x80用户\xE3\x80\x80：\xE3\x80\x80好\n", ""},
};

/* The next of a fixed sequence of numbers that looks random. */
static unsigned
scattered(unsigned *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 16;
}

/* What an ordinary model says: five rounds, 4 KB, no sentence twice. */
static size_t
ordinary(char *out, size_t size)
{
	size_t		n = 0;
	unsigned	state = 1;

	for (int i = 1; i <= 5; i++)
	{
		n += (size_t) snprintf(out + n, size - n, "用户：照片里第%d个人在做什么，为什么这样做？\n助手：", i);
		for (int j = 1; j <= 9; j++)
			n += (size_t) snprintf(out + n, size - n, "%s%s的%s%s%s，%s%s%s。",
								   PICK(scattered(&state), "左侧", "画面中央", "远处", "右下方", "最前面", "背景里"),
								   PICK(scattered(&state), "街角", "桥上", "窗边", "树下", "站台旁", "桌前", "门口", "台阶上"),
								   PICK(scattered(&state), "老人", "学生", "店员", "橘色小猫", "医生", "游客", "母亲和孩子"),
								   PICK(scattered(&state), "正", "悠闲地", "似乎想要", "小心地", "一边说话一边", "刚刚"),
								   PICK(scattered(&state), "撑开雨伞", "读一本书", "整理木箱", "等待绿灯", "望向 2 号楼", "收起地图", "喝咖啡", "拍照片"),
								   PICK(scattered(&state), "身旁", "脚边", "“出口”牌下", "对面", "不远处", "玻璃后面"),
								   PICK(scattered(&state), "停着", "能看到", "还有", "摆放着", "露出", "堆着"),
								   PICK(scattered(&state), "两辆自行车", "一片积水", "红色的灯笼", "几张空椅", "刚出炉的面包", "零散的报纸"));
		n += (size_t) snprintf(out + n, size - n, "\n\n");
	}
	return n;
}

static size_t
make_hostile(const Hostile *h, char *out, size_t size)
{
	size_t		room = size - strlen(h->tail) - 200;
	size_t		n = (size_t) snprintf(out, size, "%s", h->head);

	for (int i = 0; n < room; i++)
	{
		int			one = i * 7919 % 1000003;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
		n += (size_t) snprintf(out + n, size - n, h->repeated, one, one);
#pragma GCC diagnostic pop
	}
	return n + (size_t) snprintf(out + n, size - n, "%s", h->tail);
}

/* Of a task's length; a reply is held against it. */
static const char *const prompts[] = {
	"你是一个视觉AI助手，你正在看一张图片。设计一个你和一个询问这张照片的人之间的对话。答案应该是以视觉AI助手看到图像并回答问题的语气。提出不同的问题，并给出相应的答案。"
	"包括询问图像视觉内容的问题，包括对象类型、计数对象、对象动作、对象位置、对象之间的相对位置等。只包括有明确答案的问题：一是人们可以看到图像中问题所问的内容，并能自信地回答；"
	"二是人们可以从图像中自信地确定它不在图像中。不要问任何不能自信回答的问题。还包括与图像中的内容相关的复杂问题，例如，询问图像中对象的背景知识，要求讨论图像中发生的事件等。"
	"同样，不要问不确定的细节。在回答复杂问题时提供详细的答案。例如，给出详细的例子或推理步骤，使内容更有说服力和条理。如果需要，可以包括多个段落。", NULL
};

/* Seconds of one parse, the best of several. */
static double
timed(ReplyKind kind, const char *text, size_t n, const char **verdict)
{
	double		best = 1e9;
	ReplyRules	rules;

	reply_rules_default(&rules, kind);
	rules.prompts = prompts;
	for (int i = 0; i < RUNS; i++)
	{
		ReplyResult result;
		double		start = seconds();
		double		taken;

		reply_parse(&rules, text, n, REPLY_FINISH_STOP, &result);
		taken = seconds() - start;
		best = taken < best ? taken : best;
		*verdict = result.reason == REPLY_ACCEPTED ? "accepted" : reply_reason_name(result.reason);
		reply_result_free(&result);
		if (taken > 0.1)
			break;
	}
	return best;
}

/* MB/s: the best of ten slices of a fifth of a second, for the machine may have other work. */
static double
measure_ordinary(char *text, size_t size)
{
	size_t		n = ordinary(text, size);
	const char *verdict = "";
	double		best = 1e9;

	for (int i = 0; i < 10; i++)
	{
		double		start = seconds();
		int			times = 0;
		double		each;

		for (; seconds() - start < 0.2; times += RUNS)
			(void) timed(REPLY_DIALOGUE, text, n, &verdict);
		each = (seconds() - start) / times;
		best = each < best ? each : best;
	}
	printf("%-34s %8.1f MB/s, %.1f us each of %zu bytes, %s\n", "ordinary dialogue",
		   (double) n / best / 1e6, best * 1e6, n, verdict);
	return (double) n / best / 1e6;
}

/* An object as the shipped tasks ask for it, in a fence and some words. */
static size_t
ordinary_object(char *out, size_t size)
{
	return (size_t) snprintf(out, size, "好的，以下是判断结果：\n\n```json\n{\n  \"seen\": [\"两辆停在路边的自行车\", \"挂着红灯笼的小店\", \"写着“营业中”的木牌\"],\n"
							 "  \"kind\": \"照片\",\n  \"has_text\": true,\n  \"why\": \"街景清楚，有多个主体和可以辨认的店招，适合提出需要推理的问题；光线充足，细节丰富，前后景层次分明。\",\n"
							 "  \"worth\": 3,\n  \"unsafe\": false\n}\n```\n");
}

/* MB/s of objects, the best of ten slices. */
static double
measure_objects(char *text, size_t size)
{
	static const char *const specs[] = {"seen list", "kind text", "has_text boolean", "why text", "worth 0..3", "unsafe boolean"};
	ReplyKey	keys[6];
	ReplyRules	rules = {.kind = REPLY_OBJECT,.required = keys,.n_required = 6};
	size_t		n = ordinary_object(text, size);
	double		best = 1e9;

	for (int i = 0; i < 6; i++)
		(void) reply_key_parse(specs[i], strlen(specs[i]), &keys[i]);
	for (int i = 0; i < 10; i++)
	{
		double		start = seconds();
		int			times = 0;

		for (; seconds() - start < 0.2; times++)
		{
			ReplyResult result;

			reply_parse(&rules, text, n, REPLY_FINISH_STOP, &result);
			if (result.object == NULL)
				return 0;
			reply_result_free(&result);
		}
		best = fmin(best, (seconds() - start) / times);
	}
	printf("%-34s %8.1f MB/s, %.1f us each of %zu bytes\n", "ordinary object", (double) n / best / 1e6, best * 1e6, n);
	return (double) n / best / 1e6;
}

/* The worst growth; *rate and *verdict are those of the largest size. */
static double
growth_of(const Hostile *h, char *text, double *rate, const char **verdict)
{
	double		taken[SIZES] = {0};
	double		growth = 0;
	double		last = 0;
	size_t		n = 0;

	for (int i = 0; i < SIZES && last < 5; i++)
	{
		double		mean;

		n = make_hostile(h, text, FIRST_BYTES << i);
		taken[i] = last = timed(h->kind, text, n, verdict);
		mean = i >= STRIDE ? pow(last / taken[i - STRIDE], 1.0 / STRIDE) : 0;
		growth = mean > growth ? mean : growth;
	}
	*rate = (double) n / last / 1e6;
	return growth;
}

/*
 * True if its time grows in proportion to size; a disturbed measurement is repeated.
 * *slowest is the least MB/s of all so far.
 */
static bool
measure_hostile(const Hostile *h, char *text, double *slowest)
{
	double		growth = LIMIT + 1;
	double		rate = 0;
	const char *verdict = "";

	for (int i = 0; i < 3 && growth > LIMIT; i++)
	{
		double		again = growth_of(h, text, &rate, &verdict);

		growth = again < growth ? again : growth;
	}
	printf("%-34s %8.1f MB/s, growth %.2f%s, %s\n", h->name, rate, growth,
		   growth > LIMIT ? " TOO MUCH" : "", verdict);
	fflush(stdout);
	*slowest = rate < *slowest ? rate : *slowest;
	return growth <= LIMIT;
}

int
main(int argc, char **argv)
{
	char	   *text = malloc((FIRST_BYTES << (SIZES - 1)) + 1);
	double		usual;
	double		objects;
	double		slowest = 1e9;
	int			bad = 0;

	if (text == NULL)
		return 2;
	usual = measure_ordinary(text, 65536);
	objects = measure_objects(text, 65536);
	bad += objects < OBJECT_RATE;
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++)
		if (argc < 2 || strstr(hostile[i].name, argv[1]) != NULL)
			bad += !measure_hostile(&hostile[i], text, &slowest);
	if (slowest < 1e9)
		printf("the slowest costs %.1f times what a byte of the ordinary one does%s\n", usual / slowest,
			   usual / slowest > MAX_TIMES ? " TOO MUCH" : "");
	free(text);
	return bad > 0 || (slowest < 1e9 && usual / slowest > MAX_TIMES);
}
