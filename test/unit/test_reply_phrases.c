/*
 * test_reply_phrases.c
 *	  Refusals, pictures not seen, echoes, tokens, courtesies, and the tags on what an
 *	  answer holds, each beside what only resembles it.
 */
#include "reply_case.h"

#define NOTICE(reply, reason) {"notice", REPLY_DESCRIPTION, reply, reason, 0}, {"notice in a dialogue task", REPLY_DIALOGUE, reply, reason, 0}

static const Case refusals[] = {
	NOTICE("抱歉，我无法协助满足该请求。", REPLY_REFUSAL),
	NOTICE("很抱歉，我不能对图片中的真实人物进行识别或描述。", REPLY_REFUSAL),
	NOTICE("对不起，这个请求违反了我的使用政策。", REPLY_REFUSAL),
	NOTICE("非常抱歉，图片加载失败，我看不到内容。", REPLY_REFUSAL),
	NOTICE("不好意思，我暂时没办法完成这项任务，请换一张图片试试吧。", REPLY_REFUSAL),
	NOTICE("您好，我无法给到相关内容。", REPLY_REFUSAL),
	NOTICE("你好，这个问题我暂时无法回答，让我们换个话题再聊聊吧。", REPLY_REFUSAL),
	NOTICE("作为一个AI助手，我不能讨论政治敏感话题。", REPLY_REFUSAL),
	NOTICE("作为人工智能，我无法提供涉及他人隐私的描述。", REPLY_REFUSAL),
	NOTICE("由于涉及隐私，我不便描述图中人物的身份。", REPLY_REFUSAL),
	NOTICE("我无法提供与该图片相关的内容。", REPLY_REFUSAL),
	NOTICE("我拒绝生成此类内容。", REPLY_REFUSAL),
	NOTICE("我不会按照这样的要求设计对话。", REPLY_REFUSAL),
	NOTICE("该请求涉及敏感内容，我不能继续。", REPLY_REFUSAL),
	NOTICE("此内容可能违反了我们的使用政策。", REPLY_REFUSAL),
	NOTICE("这张图片包含不适宜的内容，我不会对其进行描述。", REPLY_REFUSAL),
	NOTICE("根据相关法律法规，无法显示该内容。", REPLY_REFUSAL),
	NOTICE("很遗憾，我不能满足您的要求。", REPLY_REFUSAL),
	NOTICE("恕我无法回答这个问题。", REPLY_REFUSAL),
	NOTICE("I'm sorry, but I can't assist with that request.", REPLY_REFUSAL),
	NOTICE("Sorry, I cannot help with identifying people in images.", REPLY_REFUSAL),
	NOTICE("I can't help with that.", REPLY_REFUSAL),
	NOTICE("I cannot provide a description of this person.", REPLY_REFUSAL),
	NOTICE("I’m not able to help with that request.", REPLY_REFUSAL),
	NOTICE("I am unable to assist with this.", REPLY_REFUSAL),
	NOTICE("I apologize, but I don't feel comfortable doing this.", REPLY_REFUSAL),
	NOTICE("As an AI developed by a company, I must decline to answer this.", REPLY_REFUSAL),
	NOTICE("Unfortunately, I am not able to describe this content.", REPLY_REFUSAL),
	NOTICE("This content may violate our usage policies.", REPLY_REFUSAL),
	NOTICE("I won't generate that kind of content.", REPLY_REFUSAL),
};

static const Case unseen[] = {
	NOTICE("作为一个AI语言模型，我看不到图片。", REPLY_IMAGE_NOT_SEEN),
	NOTICE("我目前没有看到任何图片，请重新上传。", REPLY_IMAGE_NOT_SEEN),
	NOTICE("您似乎没有附上图片。", REPLY_IMAGE_NOT_SEEN),
	NOTICE("请提供图片，以便我为您进行详细的描述。", REPLY_IMAGE_NOT_SEEN),
	NOTICE("由于我是文本模型，无法查看图像。", REPLY_IMAGE_NOT_SEEN),
	NOTICE("图片加载失败，请重新发送一次。", REPLY_IMAGE_NOT_SEEN),
	NOTICE("我暂时还不能处理图片。", REPLY_IMAGE_NOT_SEEN),
	NOTICE("你好！请把图片发给我，我会根据图片设计一段对话。", REPLY_IMAGE_NOT_SEEN),
	NOTICE("看起来图片没有成功上传，能再试一次吗？", REPLY_IMAGE_NOT_SEEN),
	NOTICE("我无法直接查看您提到的照片。", REPLY_IMAGE_NOT_SEEN),
	NOTICE("您提供的图片链接无法访问。", REPLY_IMAGE_NOT_SEEN),
	NOTICE("我没有收到您发送的图片。", REPLY_IMAGE_NOT_SEEN),
	NOTICE("目前对话中没有提供图片，因此无法生成描述。", REPLY_IMAGE_NOT_SEEN),
	NOTICE("我看不到图片的内容，请您用文字告诉我。", REPLY_IMAGE_NOT_SEEN),
	NOTICE("It seems the image did not come through; please upload it again.", REPLY_IMAGE_NOT_SEEN),
	NOTICE("I don't see any image attached to your message.", REPLY_IMAGE_NOT_SEEN),
	NOTICE("No image was provided.", REPLY_IMAGE_NOT_SEEN),
	NOTICE("Please provide the image you would like me to describe.", REPLY_IMAGE_NOT_SEEN),
	NOTICE("As a text-based AI, I cannot view images.", REPLY_IMAGE_NOT_SEEN),
	NOTICE("Could you please share the picture?", REPLY_IMAGE_NOT_SEEN),
	NOTICE("I can't see images directly.", REPLY_IMAGE_NOT_SEEN),
	NOTICE("It looks like the photo failed to load.", REPLY_IMAGE_NOT_SEEN),
	/* what is said of a picture that was seen */
	{"nobody in it", REPLY_DESCRIPTION, "图片中看不到任何人，" D, REPLY_ACCEPTED, 0},
	{"not to be made out", REPLY_DESCRIPTION, "招牌上的字无法辨认。" D, REPLY_ACCEPTED, 0},
	{"regret in it", REPLY_DESCRIPTION, D "孩子脸上写满了抱歉。", REPLY_ACCEPTED, 0},
	{"a poster asks for photos", REPLY_DESCRIPTION, D "海报上写着“请上传照片参加比赛”。", REPLY_ACCEPTED, 0},
	{"short, a poster asks for photos", REPLY_DESCRIPTION, "海报上写着“请上传照片参加比赛”。", REPLY_TOO_SHORT, 0},
	{"short, and nothing unseen", REPLY_DESCRIPTION, "画面中看不到天空，只有一条空荡荡的街道。", REPLY_TOO_SHORT, 0},
	{"short, a picture in the picture", REPLY_DESCRIPTION, "墙上挂着一幅照片，照片里的人没有看镜头。", REPLY_TOO_SHORT, 0},
};

static const Case echoes[] = {
	{"ellipses", REPLY_DIALOGUE, "用户：……\n助手：……\n用户：……\n助手：……", REPLY_TEMPLATE_ECHO, 0},
	{"dots", REPLY_DIALOGUE, "User: ...\n\nAssistant: ...", REPLY_TEMPLATE_ECHO, 0},
	{"dots, fenced", REPLY_DIALOGUE, "```\n用户：...\n助手：...\n```", REPLY_TEMPLATE_ECHO, 0},
	{"dots, bold", REPLY_DIALOGUE, "**用户：** ...\n**助手：** ...", REPLY_TEMPLATE_ECHO, 0},
	{"dots under question and answer", REPLY_QUESTION_ANSWER, "问题：……\n回答：……", REPLY_TEMPLATE_ECHO, 0},
	{"dots written with line ends", REPLY_DIALOGUE, "用户：...\\n助手：...\\n", REPLY_TEMPLATE_ECHO, 0},
	{"dots alone", REPLY_DESCRIPTION, "……", REPLY_TEMPLATE_ECHO, 0},
	{"an answer that trails off", REPLY_DESCRIPTION, D "……", REPLY_ACCEPTED, 0, {D "……"}},
};

static const Case tokens[] = {
	{"role token", REPLY_DIALOGUE, "<|im_start|>assistant\n用户：" Q1 "\n助手：" A1 A2, REPLY_SPECIAL_TOKEN, 0},
	{"vision token", REPLY_DESCRIPTION, D "<|vision_start|>", REPLY_SPECIAL_TOKEN, 0},
	{"box token", REPLY_DESCRIPTION, "左侧的<|box_start|>(12,30),(80,99)<|box_end|>" D, REPLY_SPECIAL_TOKEN, 0},
	{"object reference", REPLY_DESCRIPTION, "<ref>老人</ref><box>(1,2),(3,4)</box>" D, REPLY_SPECIAL_TOKEN, 0},
	{"user token", REPLY_DESCRIPTION, D "<|user|>", REPLY_SPECIAL_TOKEN, 0},
	{"end of text", REPLY_DESCRIPTION, D "<|endoftext|>Human: 再来一段", REPLY_ACCEPTED, 0, {D}},
	{"end of turn, then a token", REPLY_DESCRIPTION, D "<|im_end|><|im_start|>", REPLY_ACCEPTED, 0, {D}},
	{"the image's place", REPLY_DIALOGUE, "用户：<image>\n" Q1 "\n助手：" A1 A2, REPLY_IMAGE_TOKEN_LEAK, 0},
	{"the image's place in an answer", REPLY_DESCRIPTION, "<image>" D, REPLY_IMAGE_TOKEN_LEAK, 0},
	{"less than", REPLY_DESCRIPTION, D "价格 <3 元，尺寸 a<b。", REPLY_ACCEPTED, 0},
	{"a bar behind less-than", REPLY_DESCRIPTION, D "屏幕上是 a <| b 这行代码。", REPLY_ACCEPTED, 0},
	{"HTML in a screenshot", REPLY_DESCRIPTION, D "屏幕上写着 <img src=x> 和 <images>。", REPLY_ACCEPTED, 0},
};

#define CLOSED(closing) {"courtesy", REPLY_DESCRIPTION, D "\n\n" closing, REPLY_ACCEPTED, REPLY_CLOSING_TRIMMED, {D}}
#define NOT_CLOSED(last) {"no courtesy", REPLY_DESCRIPTION, D "\n\n" last, REPLY_ACCEPTED, 0, {D "\n\n" last}}

static const Case closings[] = {
	CLOSED("希望这段描述对您有所帮助！"),
	CLOSED("希望能帮到你。"),
	CLOSED("希望以上回答对你有用～"),
	CLOSED("如果您还有其他问题，请随时告诉我。"),
	CLOSED("如果还需要更多细节，请告诉我！"),
	CLOSED("如有任何疑问，欢迎继续提问。"),
	CLOSED("如需进一步的描述，我很乐意为您补充。"),
	CLOSED("若您对图片还有疑问，可以继续问我。"),
	CLOSED("欢迎随时提问！"),
	CLOSED("欢迎您继续提出问题。"),
	CLOSED("请随时告诉我您的想法。"),
	CLOSED("以上就是对图片的详细描述。"),
	CLOSED("以上是我根据图片生成的内容。"),
	CLOSED("希望有帮助。\n\n如果您有问题，请告诉我。"),
	CLOSED("I hope this helps!"),
	CLOSED("Let me know if you need anything else."),
	CLOSED("Feel free to ask more questions."),
	CLOSED("希望這些描述對您有所幫助！"),
	CLOSED("如果您還有其他問題，請隨時告訴我。"),
	CLOSED("*希望以上描述对您有帮助*😊"),
	CLOSED("欢迎随时向我提问。"),
	CLOSED("以上是照片的全部内容。"),
	NOT_CLOSED("希望小狗能早日找到主人。"),
	NOT_CLOSED("如果路面结冰，骑车的人需要格外小心。"),
	NOT_CLOSED("如今这里已经成了游客最爱的去处。"),
	NOT_CLOSED("欢迎光临的牌子挂在门口。"),
	NOT_CLOSED("如图中所见，需要排队的人很多。"),
	NOT_CLOSED("整体来看，这里热闹而温暖。"),
	NOT_CLOSED("希望流浪的小狗能得到帮助。"),
	NOT_CLOSED("欢迎您光临的横幅挂在门口。"),
	NOT_CLOSED("随时可能落雨的云压在屋檐上。"),
	NOT_CLOSED("以上是左侧的招牌，右侧则空着。"),
	NOT_CLOSED("如果需要排队，人们会站在黄线后面。"),
	NOT_CLOSED("请随手关门的牌子挂在墙上。"),
};

#define TAGGED(text, flags) {"tag", REPLY_DESCRIPTION, D text, REPLY_ACCEPTED, flags, {D text}}

static const Case personal[] = {
	TAGGED("招牌上写着电话13812345678。", REPLY_PII),
	TAGGED("联系方式：138-1234-5678。", REPLY_PII),
	TAGGED("电话是 139 8765 4321，欢迎咨询。", REPLY_PII),
	TAGGED("热线：+86 13912345678。", REPLY_PII),
	TAGGED("拨打8613912345678即可。", REPLY_PII),
	TAGGED("电话１３９１２３４５６７８。", REPLY_PII),
	TAGGED("订餐电话：010-62345678。", REPLY_PII),
	TAGGED("服务热线 400-820-8820。", REPLY_PII),
	TAGGED("Tel: +1 415 555 2671.", REPLY_PII),
	TAGGED("证件号码是11010519491231002X。", REPLY_PII),
	TAGGED("证件号码是11010519491231002x。", REPLY_PII),
	TAGGED("身份证：440524188001010014。", REPLY_PII),
	TAGGED("卡号6222 0212 3456 7890 127。", 0),
	TAGGED("卡号6222 0212 3456 7890 128。", REPLY_PII),
	TAGGED("卡号4111 1111 1111 1111。", REPLY_PII),
	TAGGED("卡号4111111111111111。", REPLY_PII),
	TAGGED("卡号4111111111111112。", 0),
	TAGGED("邮箱 li.lei@example.com.cn 印在下方。", REPLY_PII),
	TAGGED("网址是https://example.org/a?b=1。", REPLY_PII),
	TAGGED("网址是HTTP://EXAMPLE.ORG。", REPLY_PII),
	TAGGED("底部印着www.example.net。", REPLY_PII),
	TAGGED("车身上印着taobao.com。", REPLY_PII),
	/* no number or address of anybody */
	TAGGED("号码11010519491231002Y。", 0),
	TAGGED("编号110105194912310021。", 0),
	TAGGED("日期是2023-05-01 08:30。", 0),
	TAGGED("年份从1999到2003，共5年。", 0),
	TAGGED("钟面上有12 1 2 3 4 5 6 7 8 9 10 11。", 0),
	TAGGED("黑板上写着1 3 5 7 9 11 13 15。", 0),
	TAGGED("圆周率约为3.14159265358979。", 0),
	TAGGED("条形码是6901234567892。", 0),
	TAGGED("价格12,800,000元，编号A12345678901。", 0),
	TAGGED("车牌是京A12345。", 0),
	TAGGED("他@了李雷，又写了a@b。", 0),
	TAGGED("文件名是app.config.js。", 0),
};

static const Case pointing[] = {
	TAGGED("如上图所示，人很多。", REPLY_DANGLING_REFERENCE),
	TAGGED("详见附件。", REPLY_DANGLING_REFERENCE),
	TAGGED("如图1所示，人很多。", REPLY_DANGLING_REFERENCE),
	TAGGED("图2展示了另一侧。", REPLY_DANGLING_REFERENCE),
	TAGGED("对比图 3 可以看出差别。", REPLY_DANGLING_REFERENCE),
	TAGGED("如图一所示，人很多。", REPLY_DANGLING_REFERENCE),
	TAGGED("数量见表1。", REPLY_DANGLING_REFERENCE),
	TAGGED("见下图。", REPLY_DANGLING_REFERENCE),
	TAGGED("As shown in Figure 2, it is crowded.", REPLY_DANGLING_REFERENCE),
	TAGGED("See the attached file.", REPLY_DANGLING_REFERENCE),
	TAGGED("牌子上写着“图1”。", 0),
	TAGGED("这张图一共有三个人。", 0),
	TAGGED("墙上有一张地图3号线的标记。", 0),
	TAGGED("拼图1000片装在盒子里。", 0),
	TAGGED("这幅图2023年拍摄。", 0),
	TAGGED("他企图1次就成功。", 0),
	TAGGED("代表1班的同学举着旗。", 0),
	TAGGED("附近有一家表店。", 0),
	TAGGED("A figure stands by the door.", 0),
};

static const Case meta[] = {
	TAGGED("根据您提供的描述，人很多。", REPLY_META_LEAK),
	TAGGED("根据图片说明文字，这是早市。", REPLY_META_LEAK),
	TAGGED("根据描述，这是早市。", REPLY_META_LEAK),
	TAGGED("从上述文字描述来看，这是早市。", REPLY_META_LEAK),
	TAGGED("基于给定的边界框，老人在左侧。", REPLY_META_LEAK),
	TAGGED("描述中没有提到天气。", REPLY_META_LEAK),
	TAGGED("图片描述中提到了活鱼。", REPLY_META_LEAK),
	TAGGED("根据所提供的信息，这是早市。", REPLY_META_LEAK),
	TAGGED("According to the provided description, it is early.", REPLY_META_LEAK),
	TAGGED("Based on the image caption, it is early.", REPLY_META_LEAK),
	TAGGED("The description mentions fish.", REPLY_META_LEAK),
	TAGGED("根据画面的光线，这是清晨。", 0),
	TAGGED("根据牌子上的说明，这里禁止停车。", 0),
	TAGGED("展板上的文字说明介绍了历史。", 0),
	TAGGED("这块展板提供的信息很丰富。", 0),
	TAGGED("根据图片提供的信息，这是清晨。", 0),
	TAGGED("难以用语言描述这种热闹。", 0),
	TAGGED("A caption on the poster reads open.", 0),
};

static void
refusals_of_every_kind(void **state)
{
	(void) state;
	ALL_COME_OUT(refusals);
}

static void
pictures_not_seen(void **state)
{
	(void) state;
	ALL_COME_OUT(unseen);
}

static void
templates_said_back(void **state)
{
	(void) state;
	ALL_COME_OUT(echoes);
}

static void
tokens_that_leak(void **state)
{
	(void) state;
	ALL_COME_OUT(tokens);
}

static void
courtesies_at_the_end(void **state)
{
	(void) state;
	ALL_COME_OUT(closings);
}

static void
numbers_and_addresses_of_people(void **state)
{
	(void) state;
	ALL_COME_OUT(personal);
}

static void
references_to_nothing(void **state)
{
	(void) state;
	ALL_COME_OUT(pointing);
}

static void
descriptions_that_leak(void **state)
{
	(void) state;
	ALL_COME_OUT(meta);
}

/* The task's own prompt, or a good part of it, comes back. */
static void
prompts_said_back(void **state)
{
	static const char *const prompts[] = {
		"你是一个视觉AI助手，你正在看一张图片。请设计一段你和询问这张照片的人之间的对话。答案应该使用视觉AI助手看到图像并回答问题的语气。"
		"提出不同的问题，并给出相应的答案。只包括有明确答案的问题。",
		"Describe the scene in this photo in detail, as if you were looking at it.", NULL
	};
	static const struct
	{
		const char *reply;
		ReplyReason reason;
	}			cases[] = {
		{prompts[0], REPLY_PROMPT_ECHO},
		{"你是一个视觉AI助手，你正在看一张图片。 请设计一段你和询问这张照片的人之间的对话。\n答案应该使用视觉AI助手看到图像并回答问题的语气。", REPLY_PROMPT_ECHO},
		{"提出不同的问题，并给出相应的答案。只包括有明确答案的问题。", REPLY_PROMPT_ECHO},
		{prompts[1], REPLY_PROMPT_ECHO},
		{D, REPLY_ACCEPTED},
	};

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		ReplyRules	rules;
		ReplyResult result;

		reply_rules_default(&rules, REPLY_DESCRIPTION);
		rules.prompts = prompts;
		reply_parse(&rules, cases[i].reply, strlen(cases[i].reply), REPLY_FINISH_STOP, &result);
		if (result.reason != cases[i].reason)
			print_result(&result);
		assert_int_equal(result.reason, cases[i].reason);
		reply_result_free(&result);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals_of_every_kind),
		cmocka_unit_test(pictures_not_seen),
		cmocka_unit_test(templates_said_back),
		cmocka_unit_test(prompts_said_back),
		cmocka_unit_test(tokens_that_leak),
		cmocka_unit_test(courtesies_at_the_end),
		cmocka_unit_test(numbers_and_addresses_of_people),
		cmocka_unit_test(references_to_nothing),
		cmocka_unit_test(descriptions_that_leak),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
