/*
 * test_reply_sentences.c
 *	  Sentences of known texts; and of any text: they make up the text again, and each is
 *	  one sentence by itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "replies.h"

#define MADE 100000

typedef struct Known
{
	const char *text;
	const char *sentences;		/* with a bar between them */
} Known;

static const Known known[] = {
	{"", ""}, {" \n ", ""}, {"你好", "你好"}, {"甲。乙！丙？丁；戊", "甲。|乙！|丙？|丁；|戊"},
	{"第一段。\n\n第二段\n第三段。", "第一段。|第二段|第三段。"}, {"真的吗？！是的。", "真的吗？！|是的。"},
	{"牌子上写着“营业中。欢迎！”，很亮。他走了。", "牌子上写着“营业中。欢迎！”，很亮。|他走了。"},
	{"他问：\"去吗？去！\"然后走了。", "他问：\"去吗？去！\"然后走了。"}, {"《你好！》很好看。完", "《你好！》很好看。|完"},
	{"一个“没有结束的引号。下一句。", "一个“没有结束的引号。|下一句。"}, {"引号“跨\n行”了。", "引号“跨|行”了。"},
	{"价格是 3.5 元。约 2.0", "价格是 3.5 元。|约 2.0"}, {"It is red. It's 3.5 m wide! OK", "It is red.|It's 3.5 m wide!|OK"},
	{"J. Smith walks. He waits.", "J. Smith walks.|He waits."}, {"1. 红色。\n2. 蓝色。", "1. 红色。|2. 蓝色。"},
	{"（他笑了。）她也笑了。", "（他笑了。）|她也笑了。"}, {"甲；乙;丙", "甲；|乙;|丙"}, {"他等着……然后走了。", "他等着……然后走了。"}, {"a.b.c 是文件名。", "a.b.c 是文件名。"},
	{"。", "。"}, {"完。”又一句。", "完。”|又一句。"}
};

static void
known_texts_are_cut(void **state)
{
	(void) state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
	{
		const char *p = known[i].text;
		const char *end = p + strlen(p);
		char		cut[1024] = "";

		while (p < end)
		{
			size_t		n = reply_sentence(p, (size_t) (end - p));
			const char *from = p;
			const char *to = p + n;

			assert_true(n > 0);
			p = to;
			while (from < to && (*from == ' ' || *from == '\n'))
				from++;
			while (to > from && (to[-1] == ' ' || to[-1] == '\n'))
				to--;
			if (to == from)
				continue;
			if (*cut != '\0')
				strcat(cut, "|");
			strncat(cut, from, (size_t) (to - from));
		}
		assert_string_equal(cut, known[i].sentences);
	}
}

static void
sentences_are_taken_one_by_one(void **state)
{
	static const char text[] = " 第一句。\r\n\r\n 第二句\r\n\xE3\x80\x80第三句。 \n";
	static const char *const sentences[] = {"第一句。", "第二句", "第三句。"};
	const char *rest = text;
	size_t		length = strlen(text);
	const char *sentence;
	size_t		size;

	(void) state;
	for (size_t i = 0; i < 3; i++)
	{
		assert_true(reply_next_sentence(&rest, &length, &sentence, &size));
		assert_int_equal(size, strlen(sentences[i]));
		assert_memory_equal(sentence, sentences[i], size);
	}
	assert_false(reply_next_sentence(&rest, &length, &sentence, &size));
	assert_int_equal(length, 0);
}

static const char *const pieces[] = {
	"街上", "有人", "red", "3.5", "A", "。", "！", "？", "；", "!", "?", ";", ".", ". ", "“", "”", "\"", "「", "」", "《", "》", "‘", "’", "（", "）", "(", ")", "\n", "\n\n",
	" ", "\xE3\x80\x80", "\t", "\r\n", "……", "，", "：", "1. ", "e.g. ", "\xF0\x9F\x98\x80", "\xFF", "\xE4", "."
};

static const char *
without_white(const char *p, const char *end, const char **stop)
{
	static const char *const white[] = {" ", "\t", "\n", "\r", "\xE3\x80\x80"};
	bool		more = true;

	*stop = end;
	for (int i = 0; i < 5 && p < *stop; i++)
		if (strncmp(p, white[i], strlen(white[i])) == 0)
		{
			p += strlen(white[i]);
			i = -1;
		}
	while (more)
	{
		more = false;
		for (int i = 0; i < 5; i++)
		{
			size_t		n = strlen(white[i]);

			if ((size_t) (*stop - p) >= n && memcmp(*stop - n, white[i], n) == 0)
			{
				*stop -= n;
				more = true;
			}
		}
	}
	return p;
}

static void
sentences_make_up_the_text(void **state)
{
	char		room[4096];
	Text		text = {room, 0};
	long		sentences = 0;

	(void) state;
	random_state = 20240229;
	for (long i = 0; i < MADE; i++)
	{
		const char *end;

		text.n = 0;
		room[0] = '\0';
		for (int j = (int) below(40); j > 0; j--)
			put(&text, PICK(pieces));
		end = text.p + text.n;
		for (const char *p = text.p; p < end;)
		{
			size_t		n = reply_sentence(p, (size_t) (end - p));
			const char *stop;
			const char *from = without_white(p, p + n, &stop);

			assert_true(n > 0 && n <= (size_t) (end - p));
			/* only a text without any has one of white space alone */
			assert_true(from < stop || (p == text.p && p + n == end));
			if (from < stop && reply_sentence(from, (size_t) (stop - from)) != (size_t) (stop - from))
				fail_msg("not one sentence: %.*s|", (int) (stop - from), from);
			sentences++;
			p += n;
		}
	}
	printf("%ld sentences of %d texts\n", sentences, MADE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_texts_are_cut),
		cmocka_unit_test(sentences_are_taken_one_by_one),
		cmocka_unit_test(sentences_make_up_the_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
