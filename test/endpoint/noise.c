/*
 * noise.c
 *	  An answer written down as models write: in the format asked for, or not quite.
 *
 * Each noise is one row: how labels and gaps look, what is changed in the answer
 * before, what is done to the text afterwards.  What a row leaves NULL is as the
 * prompt asks for it.  In labels %H and %A are the task's two words, %n the
 * round's number, %c the same in Chinese.
 */
#include "noise.h"

#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "odd.h"

#define CUT "length"

typedef struct Noise
{
	FaultName	name;
	const char *human;
	const char *gpt;
	const char *between;		/* question and answer */
	const char *rounds;			/* answer and next question */
	const char *lead;
	const char *tail;
	void		(*alter) (Answer *answer);
	void		(*rewrite) (Buffer *text);
	void		(*write) (Buffer *to, const Answer *answer);	/* instead of labels */
	const char *finish;
} Noise;

static const Noise noises[] = {
	/* labels */
	{{"fullwidth-colon", "用户："},.human = "%H：",.gpt = "%A："},
	{{"colon-variant", "用户﹕"},.human = "%H﹕",.gpt = "%A﹕"},
	{{"single-newline", "one newline between turns"},.between = "\n",.rounds = "\n"},
	{{"bold", "**用户**："},.human = "**%H**：",.gpt = "**%A**："},
	{{"bold-colon", "**用户：**"},.human = "**%H：** ",.gpt = "**%A：** "},
	{{"heading", "### 用户, alone on its line"},.human = "### %H\n",.gpt = "### %A\n",.between = "\n",.rounds = "\n"},
	{{"numbered", "1. 用户："},.human = "%n. %H：",.gpt = "   %A："},
	{{"round-headers", "第一轮："},.human = "第%c轮：\n%H：",.gpt = "%A：",.between = "\n",.rounds = "\n"},
	{{"indexed", "用户1："},.human = "%H%n：",.gpt = "%A%n："},
	{{"english-labels", "User: Assistant: (Question: Answer:)"},.alter = odd_english_labels},
	{{"fullwidth-labels", "Ｕｓｅｒ："},.human = "Ｕｓｅｒ：",.gpt = "Ａｓｓｉｓｔａｎｔ："},
	{{"human-ai", "Human: AI:"},.human = "Human: ",.gpt = "AI: "},
	{{"q-a", "Q1：A1："},.human = "Q%n：",.gpt = "A%n："},
	{{"ask-answer", "问：答："},.human = "问：",.gpt = "答："},
	{{"brackets", "【用户】"},.human = "【%H】",.gpt = "【%A】"},
	{{"bullets", "- 用户："},.human = "- %H：",.gpt = "- %A："},
	{{"visual-assistant", "视觉AI助手:"},.human = "用户:",.gpt = "视觉AI助手:"},
	{{"asker", "提问者：回答者："},.human = "提问者：",.gpt = "回答者："},
	{{"cross-labels", "用户/助手 whatever the task"},.human = "用户：",.gpt = "助手："},
	{{"ideographic-space", "U+3000 behind the label"},.human = "%H：\xe3\x80\x80",.gpt = "%A：\xe3\x80\x80"},
	{{"same-line", "the answer's label behind the question mark"},.human = "%H：",.gpt = "%A：",.between = " "},
	{{"description-label", "图片描述： in front"},.lead = "图片描述："},
	{{"outline", "a heading in front, for descriptions"},.lead = "### 图片描述\n#### 1. 概况\n"},
	{{"unlabelled", "no label at all"},.human = "",.gpt = ""},

	/* around */
	{{"preamble", "好的，以下是…"},.lead = "好的，以下是根据这张图片设计的内容：\n\n"},
	{{"closing", "希望…有所帮助"},.tail = "\n\n希望以上内容对您有所帮助！"},
	{{"rules", "--- between rounds"},.rounds = "\n\n---\n\n"},
	{{"fence", "a code fence around all"},.lead = "```\n",.tail = "\n```"},
	{{"quote", "> before each line"},.rewrite = odd_quote},
	{{"think", "<think>…</think> in front"},.lead = "<think>\n先看颜色，再看明暗。\n用户:这一行不算。\n</think>\n\n"},
	{{"think-open", "<think> never closed"},.lead = "<think>\n先看颜色，再看明暗，",.human = "",.gpt = "",.finish = CUT},
	{{"crlf", "CRLF line ends"},.rewrite = odd_crlf},
	{{"bom", "U+FEFF and U+200B"},.lead = "\xef\xbb\xbf\xe2\x80\x8b"},
	{{"backslash-n", "\\n as two characters"},.rewrite = odd_backslash},
	{{"end-token", "<|im_end|> and more behind"},.tail = "<|im_end|>\n<|im_start|>user"},

	/* JSON */
	{{"json-fence", "[{\"role\":…}] in a fence"},.lead = "```json\n",.tail = "\n```",.write = odd_json_roles},
	{{"json-object", "{\"conversations\":[{\"from\":…}]}"},.write = odd_json_object},
	{{"json-pairs", "[{\"用户\":…,\"助手\":…}]"},.write = odd_json_pairs},
	{{"json-cut", "JSON that stops in a string"},.write = odd_json_roles,.rewrite = odd_cut,.finish = CUT},

	/* one object */
	{{"object-prose", "words around the object"},.lead = "根据图片，判断如下：\n\n",.tail = "\n\n以上就是我的判断。"},
	{{"object-fence", "a fence of json around it"},.lead = "```json\n",.tail = "\n```"},
	{{"object-template", "a template first, then the object"},.lead = "{\"seen\": [\"…\"], \"kind\": \"…\", \"has_text\": true/false, \"why\": \"…\", \"worth\": 0-3, \"unsafe\": true/false}\n\n"},
	{{"object-python", "Python's quotes and words"},.rewrite = odd_object_python},
	{{"object-wide", "full-width colons and commas"},.rewrite = odd_object_wide},
	{{"object-word", "the worth as a word"},.rewrite = odd_object_word},
	{{"object-white", "white space until max_tokens inside it"},.rewrite = odd_object_white,.finish = CUT},
	{{"object-tail", "white space until max_tokens behind it"},.rewrite = odd_object_tail,.finish = CUT},

	/* rounds */
	{{"leading-answer", "an answer comes first"},.lead = "助手:您好，我已经看到这张图片了。\n\n"},
	{{"dangling-turn", "ends in a question"},.tail = "\n\n用户:这张图片还有什么值得注意的地方吗？"},
	{{"empty-turn", "a label with nothing behind"},.alter = odd_empty_turn},
	{{"two-questions", "two questions in a row"},.lead = "用户:画面里最亮的地方在哪里？\n\n"},
	{{"merged-turns", "two answers in a row"},.tail = "\n\n助手:补充一点，以上都是从画面直接看到的。"},
	{{"seven-rounds", "7 rounds"},.alter = odd_seven_rounds},
	{{"one-round", "1 round"},.alter = odd_one_round},
	{{"duplicate-round", "the first question again"},.alter = odd_duplicate_round},
	{{"refused-round", "one answer is a refusal"},.alter = odd_refused_round},
	{{"extra-pairs", "问题1 回答1 问题2 回答2"},.human = "%H%n：",.gpt = "%A%n：",.alter = odd_extra_pair},
	{{"label-inside", "a label in the middle of a line"},.alter = odd_label_inside},
	{{"label-list", "labels as list items in an answer"},.alter = odd_label_list},
	{{"ambiguous-role", "用户：admin on a line of its own in an answer"},.alter = odd_ambiguous_role},
	{{"no-question", "no question"},.alter = odd_no_question},
	{{"no-answer", "no answer"},.alter = odd_no_answer},
	{{"not-complex", "a question that asks for a description"},.alter = odd_not_complex},

	/* content */
	{{"too-short", "answers of a few characters"},.alter = odd_too_short},
	{{"image-token", "<image> in the text"},.alter = odd_image_token},
	{{"special-token", "<|vision_pad|> in the text"},.alter = odd_special_token},
	{{"pii", "a telephone number and a URL"},.alter = odd_pii},
	{{"dangling-reference", "如上图所示"},.alter = odd_reference},
	{{"meta-leak", "根据您提供的描述"},.alter = odd_meta},
	{{"fffd", "U+FFFD in the text"},.alter = odd_fffd},
	{{"emoji", "characters beyond U+FFFF"},.alter = odd_emoji},
	{{"traditional", "Traditional characters"},.rewrite = odd_traditional},

	/* instead of an answer */
	{{"refusal", "抱歉，我无法…"},.write = odd_refusal},
	{{"refusal-en", "I'm sorry, I can't…"},.write = odd_refusal_en},
	{{"not-seen", "我看不到图片"},.write = odd_not_seen},
	{{"template-echo", "用户:... 助手:..."},.write = odd_template},
	{{"prompt-echo", "the prompt instead of an answer"},.write = odd_prompt},
	{{"english", "an answer in English to a Chinese prompt"},.write = odd_english},
	{{"japanese", "an answer in Japanese"},.write = odd_japanese},
	{{"loop", "the same words until max_tokens"},.write = odd_loop,.finish = CUT},
	{{"loop-marks", "！！！！"},.write = odd_loop_marks,.finish = CUT},
	{{"empty", "nothing"},.write = odd_empty},
	{{"null", "the word null"},.write = odd_null},
	{{"html-content", "a gateway's error page as content"},.write = odd_html},
	{{"error-content", "a provider's JSON error as content"},.write = odd_error},

	/* cut off */
	{{"length", "the last answer stops in mid-sentence"},.rewrite = odd_cut,.finish = CUT},
	{{"length-early", "so does the first"},.rewrite = odd_cut_early,.finish = CUT},
};

#define NOISES ((int) (sizeof(noises) / sizeof(noises[0])))

const FaultName *
noise_fault_name(int index)
{
	return index < NOISES ? &noises[index].name : NULL;
}

/* A label with its placeholders filled. */
static void
add_label(Buffer *to, const char *label, const Answer *answer, int round)
{
	static const char *const numbers[] = {"一", "二", "三", "四", "五", "六", "七", "八"};
	bool		dialogue = answer->task == TASK_DIALOGUE;

	for (; *label; label++)
	{
		if (*label != '%')
		{
			buffer_add(to, label, 1);
			continue;
		}
		label++;
		if (*label == 'n')
			buffer_printf(to, "%d", round + 1);
		else if (*label == 'c')
			buffer_text(to, numbers[round]);
		else if (*label == 'H')
			buffer_text(to, answer->english ? (dialogue ? "User" : "Question") : dialogue ? "用户" : "问题");
		else
			buffer_text(to, answer->english ? (dialogue ? "Assistant" : "Answer") : dialogue ? "助手" : "回答");
	}
}

static const char *
chosen(const char *noisy, const char *plain)
{
	return noisy ? noisy : plain;
}

/* The turns with their labels; a turn whose text is NULL is left out. */
static void
write_turns(Buffer *to, const Answer *answer, const Noise *noise)
{
	int			round;

	for (round = 0; round < answer->rounds; round++)
	{
		const Turn *turn = &answer->turn[round];

		if (round > 0)
			buffer_text(to, chosen(noise->rounds, "\n\n"));
		if (turn->question.data)
		{
			add_label(to, chosen(noise->human, "%H:"), answer, round);
			buffer_text(to, turn->question.data);
			if (turn->answer.data)
				buffer_text(to, chosen(noise->between, "\n\n"));
		}
		if (turn->answer.data && answer->task < TASK_DESCRIPTION)
			add_label(to, chosen(noise->gpt, "%A:"), answer, round);
		if (turn->answer.data)
			buffer_text(to, turn->answer.data);
	}
}

void
noise_write(Buffer *to, Answer *answer, int index, const char **finish)
{
	static const Noise none;
	const Noise *noise = index == NOISE_NONE ? &none : &noises[index];

	*finish = chosen(noise->finish, "stop");
	if (noise->alter)
		noise->alter(answer);
	buffer_text(to, chosen(noise->lead, ""));
	if (noise->write)
		noise->write(to, answer);
	else
		write_turns(to, answer, noise);
	buffer_text(to, chosen(noise->tail, ""));
	if (noise->rewrite)
		noise->rewrite(to);
}
