/*
 * reply_case.h
 *	  Replies with their verdicts, as tables.
 */
#ifndef TEST_REPLY_CASE_H
#define TEST_REPLY_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reply/reply.h"

/* Two rounds that pass every check: 84 Han in the answers. */
#define Q1 "图片中有几个人在骑自行车？"
#define A1 "图片中有三个人正在骑自行车，他们沿着河边的小路一字排开，最前面的那位戴着一顶黄色头盔。"
#define Q2 "当时的天气看起来怎么样？"
#define A2 "天气晴朗，天空是湛蓝色的，只有远处的山顶上飘着几朵白云，阳光从右侧照过来，地上有清晰的影子。"
#define Q3 "为什么最后面的人停了下来？"
#define A3 "他可能是在等后面的同伴，也可能是车链松了，因为他正低头看着后轮，一只脚踩在地上保持平衡。"
#define TWO_ROUNDS {Q1, A1, Q2, A2}
#define THREE_ROUNDS {Q1, A1, Q2, A2, Q3, A3}

/* A reasoning answer, and the longer of descriptions. */
#define RQ "从画面推测，这家小店为什么在雨天仍然排着长队？"
#define RA "首先，店门口的黑板上写着今日特价，说明店家正在做促销，这会吸引附近的居民。其次，排队的人大多撑着伞、提着菜篮，可以推断他们是下班后顺路来买晚饭的。" \
	"再次，蒸笼里冒着热气，点心显然刚刚出炉，口味最好。综合来看，价格、时间和新鲜程度共同解释了人们为什么愿意冒雨等候。"
#define D "清晨的菜市场里人来人往，左侧的摊位上整齐地码放着青菜、番茄和茄子，摊主系着蓝色围裙，正把一把小葱递给弯腰挑选的老人。" \
	"右侧停着一辆三轮车，车斗里装满了刚送来的活鱼，水花溅到了石板路上。远处的屋檐下挂着红灯笼，光线柔和。"

/* A case says what is not as usual. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

typedef struct Case
{
	const char *name;
	ReplyKind	kind;
	const char *reply;
	ReplyReason reason;
	uint32_t	flags;
	const char *turns[12];		/* if accepted; none: they are not looked at */
	ReplyFinish finish;
	ReplyLanguage language;		/* 0: Chinese */
} Case;

#define FIVE(s) s s s s s
#define TEN(s) FIVE(s) FIVE(s)

/* The two rounds under these labels, the text right behind each. */
#define LABELLED(human, gpt) human Q1 "\n" gpt A1 "\n" human Q2 "\n" gpt A2
#define APART(human, gpt) human Q1 "\n\n" gpt A1 "\n\n" human Q2 "\n\n" gpt A2
#define DIALOGUE(name, reply) {name, REPLY_DIALOGUE, reply, REPLY_ACCEPTED, 0, TWO_ROUNDS}
#define FLAGGED(name, reply, flags) {name, REPLY_DIALOGUE, reply, REPLY_ACCEPTED, flags, TWO_ROUNDS}
#define REJECTED(name, reply, reason) {name, REPLY_DIALOGUE, reply, reason, 0}

static bool
turns_are(const ReplyResult *result, const char *const *turns)
{
	int			n = 0;

	while (n < 12 && turns[n] != NULL)
		n++;
	if (n == 0)
		return true;
	if (n != result->n_turns)
		return false;
	for (int i = 0; i < n; i++)
		if (strcmp(result->turns[i].text, turns[i]) != 0)
			return false;
	return true;
}

static void
print_result(const ReplyResult *result)
{
	const char *reason = reply_reason_name(result->reason);

	printf("    is %s", reason == NULL ? "accepted" : reason);
	for (int bit = 0; bit < REPLY_FLAGS; bit++)
		if (result->flags >> bit & 1)
			printf(" %s", reply_flag_name(bit));
	printf("\n");
	for (int i = 0; i < result->n_turns; i++)
		printf("    %s: %s\n", result->turns[i].human ? "human" : "gpt", result->turns[i].text);
}

/* How many of the cases come out otherwise; says which. */
static int
count_wrong(const Case *cases, size_t n)
{
	int			wrong = 0;

	for (size_t i = 0; i < n; i++)
	{
		const Case *c = &cases[i];
		ReplyRules	rules;
		ReplyResult result;

		reply_rules_default(&rules, c->kind);
		if (c->language != REPLY_LANGUAGE_ANY)
			rules.language = c->language;
		reply_parse(&rules, c->reply, strlen(c->reply), c->finish, &result);
		if (result.reason != c->reason || result.flags != c->flags ||
			!turns_are(&result, c->turns))
		{
			printf("  %s: %.120s\n", c->name, c->reply);
			print_result(&result);
			wrong++;
		}
		reply_result_free(&result);
	}
	printf("%zu cases, %d wrong\n", n, wrong);
	return wrong;
}

#define ALL_COME_OUT(cases) assert_int_equal(count_wrong((cases), sizeof(cases) / sizeof((cases)[0])), 0)

#endif							/* TEST_REPLY_CASE_H */
