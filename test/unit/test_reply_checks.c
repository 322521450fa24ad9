/*
 * test_reply_checks.c
 *	  Each check at its threshold, with the measure that it stores; and that the
 *	  thresholds and the language are the task's.
 */
#include "reply_case.h"

#include <math.h>

#define ROOM 20000

/* One reply under rules that a test has changed. */
static ReplyResult
parsed(const ReplyRules *rules, const char *reply)
{
	ReplyResult result;

	reply_parse(rules, reply, strlen(reply), REPLY_FINISH_STOP, &result);
	return result;
}

static ReplyReason
reason_of(const ReplyRules *rules, const char *reply)
{
	ReplyResult result = parsed(rules, reply);
	ReplyReason reason = result.reason;

	if (getenv("REPLY_SHOW") != NULL)
		print_result(&result);
	reply_result_free(&result);
	return reason;
}

static ReplyRules
rules_of(ReplyKind kind)
{
	ReplyRules	rules;

	reply_rules_default(&rules, kind);
	return rules;
}

/* n different Han characters in a row behind what out holds; never the same 10 again. */
static void
add_han(char *out, int n)
{
	static int	next = 0;
	char	   *end = out + strlen(out);

	for (int i = 0; i < n; i++, next = (next + 7) % 6000)
	{
		unsigned	c = 0x4E00u + (unsigned) next;

		*end++ = (char) (0xE0 | c >> 12);
		*end++ = (char) (0x80 | (c >> 6 & 0x3F));
		*end++ = (char) (0x80 | (c & 0x3F));
	}
	*end = '\0';
}

static void
length_floors(void **state)
{
	char		reply[ROOM];
	ReplyRules	rules = rules_of(REPLY_DESCRIPTION);
	ReplyResult result;

	(void) state;
	for (int n = 79; n <= 80; n++)
	{
		strcpy(reply, "");
		add_han(reply, n);
		strcat(reply, "。20×24, abc!");
		result = parsed(&rules, reply);
		assert_int_equal(result.reason, n < 80 ? REPLY_TOO_SHORT : REPLY_ACCEPTED);
		assert_int_equal(result.measures.letters, n);
		assert_int_equal(result.measures.han, n);
		assert_int_equal(result.measures.all_letters, n + 3);
		assert_int_equal(result.measures.chars, n + 12);
		reply_result_free(&result);
	}
	rules = rules_of(REPLY_QUESTION_ANSWER);
	for (int n = 99; n <= 100; n++)
	{
		strcpy(reply, "问题：" RQ "\n回答：");
		add_han(reply, n);
		assert_int_equal(reason_of(&rules, reply), n < 100 ? REPLY_TOO_SHORT : REPLY_ACCEPTED);
	}
	rules = rules_of(REPLY_DIALOGUE);
	for (int n = 79; n <= 80; n++)
	{
		strcpy(reply, "用户：" Q1 "\n助手：");
		add_han(reply, n - 20);
		strcat(reply, "\n用户：" Q2 "\n助手：");
		add_han(reply, 20);
		assert_int_equal(reason_of(&rules, reply), n < 80 ? REPLY_TOO_SHORT : REPLY_ACCEPTED);
	}
	for (int n = 5; n <= 6; n++)
	{
		strcpy(reply, "用户：" Q1 "\n助手：" A1 A2 "\n用户：" Q3 "\n助手：");
		add_han(reply, n);
		assert_int_equal(reason_of(&rules, reply), n < 6 ? REPLY_TOO_SHORT : REPLY_ACCEPTED);
	}
	for (int n = 3; n <= 201; n += n == 4 ? 196 : 1)
	{
		strcpy(reply, "用户：");
		add_han(reply, n - 1);
		strcat(reply, "？\n助手：" A1 A2);
		assert_int_equal(reason_of(&rules, reply), n == 3 || n == 201 ? REPLY_TOO_SHORT : REPLY_ACCEPTED);
	}
}

/* A row's thresholds, not the code's. */
static void
thresholds_are_the_tasks(void **state)
{
	ReplyRules	rules = rules_of(REPLY_DESCRIPTION);
	static const char loop[] = D "水面波光粼粼十分好看。水面波光粼粼十分好看。水面波光粼粼十分好看。水面波光粼粼十分好看。";

	(void) state;
	rules.min_letters = 200;
	assert_int_equal(reason_of(&rules, D), REPLY_TOO_SHORT);
	rules.min_letters = 0;
	assert_int_equal(reason_of(&rules, "一只猫。"), REPLY_ACCEPTED);
	rules = rules_of(REPLY_DESCRIPTION);
	assert_int_equal(reason_of(&rules, loop), REPLY_DEGENERATE);
	rules.max_loop_share = 0.5;
	assert_int_equal(reason_of(&rules, loop), REPLY_ACCEPTED);
	rules.max_loop_share = 0;	/* none */
	assert_int_equal(reason_of(&rules, loop), REPLY_ACCEPTED);
	rules = rules_of(REPLY_DESCRIPTION);
	rules.min_language_share = 0.9999;
	assert_int_equal(reason_of(&rules, D "ABCDEFG"), REPLY_LANGUAGE);
	rules = rules_of(REPLY_DIALOGUE);
	rules.max_question_chars = 5;
	assert_int_equal(reason_of(&rules, "用户：" Q1 "\n助手：" A1 A2), REPLY_TOO_SHORT);
	rules.max_question_chars = 0;
	rules.min_rounds = 2;
	assert_int_equal(reason_of(&rules, "用户：" Q1 "\n助手：" A1 A2), REPLY_TOO_FEW_ROUNDS);
	assert_int_equal(reason_of(&rules, "用户：" Q1 "\n助手：" A1 "\n用户：" Q2 "\n助手：" A2), REPLY_ACCEPTED);
}

#define EN "An elderly man in a blue apron hands a bunch of spring onions to a customer, while a tricycle full of live fish waits " \
	"on the wet cobblestones behind them and red lanterns hang from the eaves."
#define JA "朝の市場は人でにぎわっています。左側の屋台には野菜がきれいに並べられ、青いエプロンをした店主がネギをお客さんに渡しています。右側には三輪車が止まっていて、荷台には生きた魚がいっぱい入っています。"
#define KO "아침 시장은 사람들로 붐빕니다. 왼쪽 가판대에는 채소가 가지런히 놓여 있고 파란 앞치마를 두른 상인이 손님에게 파를 건네고 있습니다."
#define RU "Утренний рынок полон людей. Слева на прилавке аккуратно разложены овощи, а продавец в синем фартуке протягивает зелёный лук покупателю."
#define HANT "清晨的菜市場裡人來人往，左側的攤位上整齊地擺著青菜和番茄，攤主繫著藍色圍裙，正把一把小蔥遞給彎腰挑選的老人。右側停著一輛三輪車，車斗裡裝滿了剛送來的活魚，水花濺到石板路上，遠處的屋簷下掛著紅燈籠。"

static const Case scripts[] = {
	{"English for Chinese", REPLY_DESCRIPTION, EN, REPLY_LANGUAGE, 0},
	{"Japanese", REPLY_DESCRIPTION, JA, REPLY_LANGUAGE, 0},
	{"Korean", REPLY_DESCRIPTION, KO, REPLY_LANGUAGE, 0},
	{"Russian", REPLY_DESCRIPTION, RU, REPLY_LANGUAGE, 0},
	{"English before too short", REPLY_DESCRIPTION, "A cat.", REPLY_LANGUAGE, 0},
	{"Traditional", REPLY_DESCRIPTION, HANT, REPLY_ACCEPTED, REPLY_ZH_HANT, {HANT}},
	{"Traditional quoted", REPLY_DESCRIPTION, D "匾額上題著「書畫樓」。", REPLY_ACCEPTED, 0},
	{"Japanese quoted", REPLY_DESCRIPTION, D "招牌上写着日文“いらっしゃいませ”。", REPLY_ACCEPTED, 0},
	{"English quoted", REPLY_DESCRIPTION, D "T恤上印着“NEVER STOP EXPLORING THE WORLD”，旁边是“OPEN 24 HOURS”。", REPLY_ACCEPTED, 0},
	{"English answers under Chinese questions", REPLY_DIALOGUE, "用户：" Q1 "\n助手：" EN "\n用户：" Q2 "\n助手：" EN, REPLY_LANGUAGE, 0},
	{"English task", REPLY_DESCRIPTION, EN, REPLY_ACCEPTED, 0, {EN}, REPLY_FINISH_STOP, REPLY_LANGUAGE_EN},
	{"Chinese for English", REPLY_DESCRIPTION, D, REPLY_LANGUAGE, 0, {NULL}, REPLY_FINISH_STOP, REPLY_LANGUAGE_EN},
	{"English dialogue", REPLY_DIALOGUE, "User: How many people are there?\n\nAssistant: " EN "\n\nUser: What hangs from the eaves?\n\nAssistant: Red lanterns hang there.",
		REPLY_ACCEPTED, 0, {"How many people are there?", EN, "What hangs from the eaves?", "Red lanterns hang there."}, REPLY_FINISH_STOP, REPLY_LANGUAGE_EN},
};

static const Case loops[] = {
	{"one character", REPLY_DESCRIPTION, "图中有" TEN(TEN("啊")), REPLY_DEGENERATE, 0},
	{"one mark", REPLY_DESCRIPTION, D TEN(TEN("！")), REPLY_DEGENERATE, 0},
	{"two characters", REPLY_DESCRIPTION, D TEN(TEN("哈，")), REPLY_DEGENERATE, 0},
	{"a sentence", REPLY_DESCRIPTION, D FIVE("老人正在弯腰挑选新鲜的小葱。"), REPLY_DEGENERATE, 0},
	{"a list that counts", REPLY_DESCRIPTION, "左边：一个红色的苹果放在桌子上。右边：一个红色的苹果放在桌子上。上面：一个红色的苹果放在桌子上。下面：一个红色的苹果放在桌子上。" D, REPLY_DEGENERATE, 0},
	{"few pairs at the end", REPLY_DESCRIPTION, D D TEN(TEN("ABAB")), REPLY_DEGENERATE, 0},
	{"an answer again and again", REPLY_DIALOGUE, "用户：" Q1 "\n助手：" A1 "\n用户：" Q2 "\n助手：" A1 "\n用户：" Q3 "\n助手：" A1 "\n用户：还有呢？\n助手：" A1, REPLY_DEGENERATE, 0},
	{"before truncation", REPLY_DESCRIPTION, D FIVE("老人正在弯腰挑选新鲜的小葱。"), REPLY_DEGENERATE, 0, {NULL}, REPLY_FINISH_LENGTH},
	{"cut while looping, dialogue", REPLY_DIALOGUE, "用户：" Q1 "\n助手：" TEN("一辆自行车停在路边的树下，"), REPLY_DEGENERATE, 0, {NULL}, REPLY_FINISH_LENGTH},
	{"in JSON", REPLY_DIALOGUE, "[{\"用户\":\"" Q1 "\",\"助手\":\"" TEN("一辆自行车停在路边的树下，") "\"}]", REPLY_DEGENERATE, 0},
	{"English words", REPLY_DESCRIPTION, EN TEN(" the same red lantern"), REPLY_DEGENERATE, 0, {NULL}, REPLY_FINISH_STOP, REPLY_LANGUAGE_EN},
	{"a long passage", REPLY_DESCRIPTION, FIVE(D), REPLY_DEGENERATE, 0},
	{"a long passage after another", REPLY_DESCRIPTION, D RA A1 A2 A3 D D D, REPLY_DEGENERATE, 0},
	/* no loops */
	{"a passage four times, but most is new", REPLY_DESCRIPTION, D Q3 A1 Q3 A2 Q3 A3 Q3 RA "左边的人头发花白，右边的人背着书包，中间的人拿着报纸。", REPLY_ACCEPTED, 0},
	{"three times is none", REPLY_DESCRIPTION, D "老人正在弯腰挑选新鲜的小葱。老人正在弯腰挑选新鲜的小葱。老人正在弯腰挑选新鲜的小葱。", REPLY_ACCEPTED, 0},
	{"an indented array", REPLY_DIALOGUE, "[\n                {\n                    \"role\": \"user\",\n                    \"content\": \"" Q1 "\"\n                },\n"
		"                {\n                    \"role\": \"assistant\",\n                    \"content\": \"" A1 A2 "\"\n                }\n            ]", REPLY_ACCEPTED, REPLY_SHORT_DIALOGUE},
	{"labels", REPLY_DIALOGUE, "**视觉AI助手看图问答的用户**\n\n**用户1：**" Q1 "\n**视觉AI助手1：**" A1 "\n**用户2：**" Q2 "\n**视觉AI助手2：**" A2 "\n**用户3：**" Q3 "\n**视觉AI助手3：**" A3,
		REPLY_ACCEPTED, REPLY_PREAMBLE_DROPPED, THREE_ROUNDS},
	{"a table's rules", REPLY_DESCRIPTION, D D "\n\n| 摊位 | 货物 |\n| --- | --- |\n| 左 | 青菜 |\n| 右 | 活鱼 |\n\n牌子上写着：--------", REPLY_ACCEPTED, 0},
};

static void
scripts_and_languages(void **state)
{
	(void) state;
	ALL_COME_OUT(scripts);
}

static void
loops_of_every_kind(void **state)
{
	(void) state;
	ALL_COME_OUT(loops);
}

static void
measures_say_why(void **state)
{
	ReplyRules	rules = rules_of(REPLY_DESCRIPTION);
	char		reply[ROOM] = "";
	ReplyResult result;

	(void) state;
	/* 60 Han of 100 letters */
	add_han(reply, 60);
	strcat(reply, "The quick brown fox jumps over the lazy dog again");
	rules.min_language_share = 0.61;
	result = parsed(&rules, reply);
	assert_int_equal(result.reason, REPLY_LANGUAGE);
	assert_true(fabs(result.measures.language_share - 0.6) < 1e-9);
	assert_int_equal(result.measures.tail_bigrams, -1);
	reply_result_free(&result);

	/* ten different characters five times among 90 others: 50 of 140 */
	rules = rules_of(REPLY_DESCRIPTION);
	strcpy(reply, "");
	for (int i = 0; i < 5; i++)
	{
		add_han(reply, 18);
		strcat(reply, "东西南北天地玄黄宇宙");
	}
	result = parsed(&rules, reply);
	assert_int_equal(result.reason, REPLY_DEGENERATE);
	assert_true(fabs(result.measures.loop_share - 50.0 / 140) < 1e-9);
	reply_result_free(&result);

	/* occurrences that overlap are counted once: 100 of 180 */
	strcpy(reply, "");
	add_han(reply, 80);
	strcat(reply, TEN("上下左右前后里外高低"));
	result = parsed(&rules, reply);
	assert_true(fabs(result.measures.loop_share - 100.0 / 180) < 1e-9);
	reply_result_free(&result);

	/* a passage of 60 again and again counts two fifths of what it covers, 300 of 400 */
	strcpy(reply, "");
	add_han(reply, 60);
	for (int i = 1; i <= 4; i++)
		memcpy(reply + 180 * i, reply, 180);
	reply[180 * 5] = '\0';
	add_han(reply, 100);
	result = parsed(&rules, reply);
	assert_int_equal(result.reason, REPLY_DEGENERATE);
	assert_true(fabs(result.measures.loop_share - 0.4 * 300 / 400) < 1e-9);
	reply_result_free(&result);

	/* the last 200: one character's pairs, and those around it */
	strcpy(reply, "");
	add_han(reply, 300);
	result = parsed(&rules, reply);
	assert_int_equal(result.reason, REPLY_ACCEPTED);
	assert_int_equal(result.measures.tail_bigrams, 199);
	assert_true(result.measures.loop_share == 0);
	reply_result_free(&result);
	strcat(reply, TEN(TEN("啊")) TEN(TEN("啊")));
	result = parsed(&rules, reply);
	assert_int_equal(result.reason, REPLY_DEGENERATE);
	assert_int_equal(result.measures.tail_bigrams, 1);
	reply_result_free(&result);

	/* a tail of 11 pairs is a loop however long the text before it, one of 12 is none */
	for (int pairs = 11; pairs <= 12; pairs++)
	{
		strcpy(reply, "");
		add_han(reply, 3000);
		for (int i = 0; i < 200; i++)
			strcat(reply, (const char *const[]) {"一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "百", "千"}[i % pairs]);
		result = parsed(&rules, reply);
		assert_int_equal(result.measures.tail_bigrams, pairs);
		assert_int_equal(result.reason, pairs == 11 ? REPLY_DEGENERATE : REPLY_ACCEPTED);
		reply_result_free(&result);
	}

	/* rounds, and the lengths of their turns; scripts */
	rules = rules_of(REPLY_DIALOGUE);
	result = parsed(&rules, "用户：" Q1 "\n助手：" A1 "\n用户：天气呢？\n助手：" A2 "招牌是「書」和“いろは”。");
	assert_int_equal(result.reason, REPLY_ACCEPTED);
	assert_int_equal(result.measures.rounds, 2);
	assert_int_equal(result.measures.shortest_question, 4);
	assert_int_equal(result.measures.longest_question, 13);
	assert_int_equal(result.measures.shortest_answer, 43);
	assert_int_equal(result.measures.foreign, 3);
	assert_int_equal(result.measures.traditional, 1);
	assert_true(result.measures.simplified > 5);
	reply_result_free(&result);
	rules.min_rounds = 3;
	result = parsed(&rules, "用户：" Q1 "\n助手：" A1 "\n用户：" Q2 "\n助手：" A2);
	assert_int_equal(result.reason, REPLY_TOO_FEW_ROUNDS);
	assert_int_equal(result.measures.rounds, 2);
	reply_result_free(&result);
	rules = rules_of(REPLY_DESCRIPTION);

	/* Han that the answers quote */
	result = parsed(&rules, D "牌子上写着“小心地滑”，旁边是《早市》和「open营业」，他说“走");
	assert_int_equal(result.measures.quoted_han, 9);
	reply_result_free(&result);
	result = parsed(&rules, D "横幅是\"𠮷祥\"，门上是＂推＂，英寸写作5\"，不配对。\n下一行“又‘一’句”。");
	assert_int_equal(result.measures.quoted_han, 9);
	reply_result_free(&result);
}

/* Where in the raw reply a verdict points. */
static void
offsets_point_there(void **state)
{
	static const struct
	{
		const char *reply;
		const char *at;
		ReplyKind	kind;
		ReplyReason reason;
	}			cases[] = {
		{D "<|vision_end|>", "<|vision_end|>", REPLY_DESCRIPTION, REPLY_SPECIAL_TOKEN},
		{"\xEF\xBB\xBF" D "\r\n\r\n" D "\r\n<image>", "<image>", REPLY_DESCRIPTION, REPLY_IMAGE_TOKEN_LEAK},
		{D "\xC0\xAF", "\xC0\xAF", REPLY_DESCRIPTION, REPLY_BAD_UTF8},
		{"\n\n<think>想一想", "<think>", REPLY_DESCRIPTION, REPLY_UNCLOSED_THINK},
		{"\r\n问题：请描述这张图片。\r\n回答：" RA, "请描述", REPLY_QUESTION_ANSWER, REPLY_NOT_COMPLEX},
	};

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		ReplyRules	rules = rules_of(cases[i].kind);
		ReplyResult result = parsed(&rules, cases[i].reply);

		assert_int_equal(result.reason, cases[i].reason);
		assert_int_equal(result.offset, strstr(cases[i].reply, cases[i].at) - cases[i].reply);
		reply_result_free(&result);
	}
}

static void
names_are_all_different(void **state)
{
	(void) state;
	assert_null(reply_reason_name(REPLY_ACCEPTED));
	for (int i = 1; i < REPLY_REASONS; i++)
		for (int j = 1; j < i; j++)
			assert_string_not_equal(reply_reason_name((ReplyReason) i), reply_reason_name((ReplyReason) j));
	for (int i = 0; i < REPLY_FLAGS; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(reply_flag_name(i), reply_flag_name(j));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(length_floors),
		cmocka_unit_test(thresholds_are_the_tasks),
		cmocka_unit_test(scripts_and_languages),
		cmocka_unit_test(loops_of_every_kind),
		cmocka_unit_test(measures_say_why),
		cmocka_unit_test(offsets_point_there),
		cmocka_unit_test(names_are_all_different),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
