/*
 * tokens.c
 *	  The control tokens of all families of models, and how a name is found among them.
 *
 * One list serves the parser and the exports, so that the parser removes or rejects what an
 * export would leave out.  A new token is a new line.  Lists of earlier rules never change:
 * an export that was recorded under them must come out the same again.
 */
#include "tokens.h"

#include <pthread.h>

static const TokenEntry entries[] = {
	{"image", ANGLE, TOKEN_IMAGE, false},
	{"video", ANGLE, TOKEN_MEDIA, false},
	{"audio", ANGLE, TOKEN_MEDIA, false},

	/* thoughts, and answers beside them */
	{"think", ANGLE, TOKEN_THINK, true},
	{"thinking", ANGLE, TOKEN_THINK, true},
	{"thought", ANGLE, TOKEN_THINK, true},
	{"thoughts", ANGLE, TOKEN_THINK, true},
	{"reasoning", ANGLE, TOKEN_THINK, true},
	{"reflection", ANGLE, TOKEN_THINK, true},
	{"seed:think", ANGLE, TOKEN_THINK, true},
	{"longcat_think", ANGLE, TOKEN_THINK, true},
	{"antthinking", ANGLE, TOKEN_THINK, true},
	{"THINK", SQUARE, TOKEN_THINK, true},
	{"think", TRIANGLE, TOKEN_THINK, true},
	{"begin_of_thought", BARRED, TOKEN_THINK, false},
	{"end_of_thought", BARRED, TOKEN_THINK, false},
	{"start_thinking", BARRED, TOKEN_THINK, false},
	{"end_thinking", BARRED, TOKEN_THINK, false},
	{"answer", ANGLE, TOKEN_ANSWER, true},
	{"final_answer", ANGLE, TOKEN_ANSWER, true},
	{"response", ANGLE, TOKEN_ANSWER, true},
	{"output", ANGLE, TOKEN_ANSWER, true},
	{"conclusion", ANGLE, TOKEN_ANSWER, true},
	{"final", ANGLE, TOKEN_ANSWER, true},
	{"result", ANGLE, TOKEN_ANSWER, true},
	{"description", ANGLE, TOKEN_ANSWER, true},
	{"caption", ANGLE, TOKEN_ANSWER, true},
	{"begin_of_box", BARRED, TOKEN_MARK, false},
	{"end_of_box", BARRED, TOKEN_MARK, false},
	{"begin_of_solution", BARRED, TOKEN_MARK, false},
	{"end_of_solution", BARRED, TOKEN_MARK, false},
	{"start_response", BARRED, TOKEN_MARK, false},
	{"end_response", BARRED, TOKEN_MARK, false},

	/* where a reply ends */
	{"im_end", BARRED, TOKEN_END, false},
	{"endoftext", BARRED, TOKEN_END, false},
	{"end_of_text", BARRED, TOKEN_END, false},
	{"eot_id", BARRED, TOKEN_END, false},
	{"eom_id", BARRED, TOKEN_END, false},
	{"eot", BARRED, TOKEN_END, false},
	{"eos", BARRED, TOKEN_END, false},
	{"end", BARRED, TOKEN_END, false},
	{"return", BARRED, TOKEN_END, false},
	{"observation", BARRED, TOKEN_END, false},
	{"end_of_sentence", BARRED, TOKEN_END, false},
	{"end_of_turn_token", BARRED, TOKEN_END, false},
	{"end_of_role", BARRED, TOKEN_HEAD, false},
	{"eod", BARRED, TOKEN_END, false},
	{"im_end", ANGLE, TOKEN_END, false},
	{"end_of_turn", ANGLE, TOKEN_END, false},
	{"end_of_utterance", ANGLE, TOKEN_END, false},
	{"eoa", ANGLE, TOKEN_END, true},
	{"eos", ANGLE, TOKEN_END, true},
	{"eot", ANGLE, TOKEN_END, true},
	{"eod", ANGLE, TOKEN_END, true},
	{"/s", ANGLE, TOKEN_END, true},
	{"EOS", SQUARE, TOKEN_END, true},
	{"UNUSED_TOKEN_145", SQUARE, TOKEN_END, false},
	{"pad", BARRED, TOKEN_LAST, false},
	{"pad", ANGLE, TOKEN_LAST, true},
	{"PAD", SQUARE, TOKEN_LAST, true},

	/* where a reply begins */
	{"s", ANGLE, TOKEN_BEGIN, true},
	{"bos", ANGLE, TOKEN_BEGIN, true},
	{"sop", ANGLE, TOKEN_BEGIN, false},
	{"BOS", SQUARE, TOKEN_BEGIN, true},
	{"gMASK", SQUARE, TOKEN_BEGIN, false},
	{"sop", BARRED, TOKEN_BEGIN, false},
	{"bos", BARRED, TOKEN_BEGIN, false},
	{"startoftext", BARRED, TOKEN_BEGIN, false},
	{"begin_of_text", BARRED, TOKEN_BEGIN, false},
	{"begin_of_sentence", BARRED, TOKEN_BEGIN, false},
	{"start_of_turn_token", BARRED, TOKEN_BEGIN, false},
	{"assistant", BARRED, TOKEN_BEGIN, false},
	{"chatbot_token", BARRED, TOKEN_BEGIN, false},
	{"bot", BARRED, TOKEN_BEGIN, false},
	{"AI", ANGLE, TOKEN_BEGIN, true},
	{"im_middle", BARRED, TOKEN_HEAD, false},
	{"im_sep", BARRED, TOKEN_HEAD, false},
	{"im_assistant", BARRED, TOKEN_HEAD, false},
	{"start", BARRED, TOKEN_HEAD, false},
	{"start_header_id", BARRED, TOKEN_HEAD, false},
	{"end_header_id", BARRED, TOKEN_HEAD, false},
	{"start_of_role", BARRED, TOKEN_HEAD, false},
	{"start_of_turn", ANGLE, TOKEN_HEAD, false},
	{"channel", BARRED, TOKEN_CHANNEL, false},
	{"message", BARRED, TOKEN_MESSAGE, false},

	/* pieces of bytes and of words that a tokenizer did not put together */
	{"0x@@", ANGLE, TOKEN_DEBRIS, true},
	{"/w", ANGLE, TOKEN_DEBRIS, true},

	/* other tokens, which no reply may hold */
	{"unk", ANGLE, TOKEN_OTHER, true},
	{"mask", ANGLE, TOKEN_OTHER, true},
	{"cls", ANGLE, TOKEN_OTHER, true},
	{"sep", ANGLE, TOKEN_OTHER, true},
	{"img", ANGLE, TOKEN_OTHER, false},
	{"ref", ANGLE, TOKEN_OTHER, false},
	{"box", ANGLE, TOKEN_OTHER, false},
	{"quad", ANGLE, TOKEN_OTHER, false},
	{"bbox", ANGLE, TOKEN_OTHER, false},
	{"ref-object", ANGLE, TOKEN_OTHER, false},
	{"cot-process", ANGLE, TOKEN_OTHER, false},
	{"im_patch", ANGLE, TOKEN_OTHER, false},
	{"im_start", ANGLE, TOKEN_OTHER, false},
	{"IMG_CONTEXT", ANGLE, TOKEN_OTHER, false},
	{"img_context", ANGLE, TOKEN_OTHER, false},
	{"image_soft_token", ANGLE, TOKEN_OTHER, false},
	{"audio_soft_token", ANGLE, TOKEN_OTHER, false},
	{"image_id", ANGLE, TOKEN_OTHER, false},
	{"image_#", ANGLE, TOKEN_OTHER, false},
	{"img_#", ANGLE, TOKEN_OTHER, false},
	{"img-#", SQUARE, TOKEN_OTHER, false},
	{"minimax:tool_call", ANGLE, TOKEN_OTHER, false},
	{"slice", ANGLE, TOKEN_OTHER, false},
	{"image_pad", ANGLE, TOKEN_OTHER, false},
	{"image_placeholder", ANGLE, TOKEN_OTHER, false},
	{"ImageHere", ANGLE, TOKEN_OTHER, false},
	{"start_of_image", ANGLE, TOKEN_OTHER, false},
	{"end_of_image", ANGLE, TOKEN_OTHER, false},
	{"boi", ANGLE, TOKEN_OTHER, false},
	{"eoi", ANGLE, TOKEN_OTHER, false},
	{"fake_token_around_image", ANGLE, TOKEN_OTHER, false},
	{"global-img", ANGLE, TOKEN_OTHER, false},
	{"eoh", ANGLE, TOKEN_OTHER, false},
	{"eop", ANGLE, TOKEN_OTHER, false},
	{"用户", ANGLE, TOKEN_OTHER, true},
	{"tool_call", ANGLE, TOKEN_OTHER, false},
	{"tool_calls", ANGLE, TOKEN_OTHER, false},
	{"tool_response", ANGLE, TOKEN_OTHER, false},
	{"tools", ANGLE, TOKEN_OTHER, true},
	{"function_call", ANGLE, TOKEN_OTHER, false},
	{"function_calls", ANGLE, TOKEN_OTHER, false},
	{"tool_code", ANGLE, TOKEN_OTHER, false},
	{"unused#", ANGLE, TOKEN_OTHER, false},
	{"reserved_#", ANGLE, TOKEN_OTHER, false},
	{"reserved_token_#", ANGLE, TOKEN_OTHER, false},
	{"extra_id_#", ANGLE, TOKEN_OTHER, false},
	{"SPECIAL_#", ANGLE, TOKEN_OTHER, false},
	{"loc_#", ANGLE, TOKEN_OTHER, false},
	{"loc#", ANGLE, TOKEN_OTHER, false},
	{"seg#", ANGLE, TOKEN_OTHER, false},
	{"unused#", SQUARE, TOKEN_OTHER, false},
	{"UNUSED_TOKEN_#", SQUARE, TOKEN_OTHER, false},
	{"UNK", SQUARE, TOKEN_OTHER, true},
	{"CLS", SQUARE, TOKEN_OTHER, true},
	{"SEP", SQUARE, TOKEN_OTHER, true},
	{"MASK", SQUARE, TOKEN_OTHER, true},
	{"sMASK", SQUARE, TOKEN_OTHER, false},
	{"INST", SQUARE, TOKEN_OTHER, false},
	{"SYSTEM_PROMPT", SQUARE, TOKEN_OTHER, false},
	{"IMG", SQUARE, TOKEN_OTHER, true},
	{"IMG_BREAK", SQUARE, TOKEN_OTHER, false},
	{"IMG_END", SQUARE, TOKEN_OTHER, false},
	{"TOOL_CALLS", SQUARE, TOKEN_OTHER, false},
	{"TOOL_RESULTS", SQUARE, TOKEN_OTHER, false},
	{"AVAILABLE_TOOLS", SQUARE, TOKEN_OTHER, false},
	{NULL, ANGLE, TOKEN_NONE, false}
};

/* What exports of 1.0.0 left out, besides any <|name|>. */
static const TokenEntry entries_of_1_0[] = {
	{"image", ANGLE, TOKEN_IMAGE, false},
	{"video", ANGLE, TOKEN_MEDIA, false},
	{"audio", ANGLE, TOKEN_MEDIA, false},
	{"think", ANGLE, TOKEN_THINK, false},
	{"s", ANGLE, TOKEN_OTHER, false},
	{"unk", ANGLE, TOKEN_OTHER, false},
	{"pad", ANGLE, TOKEN_OTHER, false},
	{"bos", ANGLE, TOKEN_OTHER, false},
	{"eos", ANGLE, TOKEN_OTHER, false},
	{"img", ANGLE, TOKEN_OTHER, false},
	{"ref", ANGLE, TOKEN_OTHER, false},
	{"box", ANGLE, TOKEN_OTHER, false},
	{"quad", ANGLE, TOKEN_OTHER, false},
	{"bbox", ANGLE, TOKEN_OTHER, false},
	{"ref-object", ANGLE, TOKEN_OTHER, false},
	{"cot-process", ANGLE, TOKEN_OTHER, false},
	{"im_start", ANGLE, TOKEN_OTHER, false},
	{"im_end", ANGLE, TOKEN_OTHER, false},
	{"im_patch", ANGLE, TOKEN_OTHER, false},
	{"IMG_CONTEXT", ANGLE, TOKEN_OTHER, false},
	{"start_of_image", ANGLE, TOKEN_OTHER, false},
	{"end_of_image", ANGLE, TOKEN_OTHER, false},
	{"start_of_turn", ANGLE, TOKEN_OTHER, false},
	{"end_of_turn", ANGLE, TOKEN_OTHER, false},
	{NULL, ANGLE, TOKEN_NONE, false}
};

/* Whether [p, end) is the name. */
static bool
is_name(const char *p, const char *end, const char *name, bool folded)
{
	for (; *name != '\0'; name++)
	{
		if (*name == '#')
		{
			while (p < end && is_digit(*p))
				p++;
			continue;
		}
		if (p == end)
			return false;
		if (*name == '@' ? !is_digit(*p) && ((*p | 32) < 'a' || (*p | 32) > 'f') :
			folded ? (char) text_fold((unsigned char) *p) != *name : *p != *name)
			return false;
		p++;
	}
	return p == end;
}

TokenIndex	tokens_now =
{
	.list = entries
};
TokenIndex	tokens_of_1_0 =
{
	.list = entries_of_1_0
};
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int
key_of(char c)
{
	return (unsigned char) c < KEYS ? (int) text_fold((unsigned char) c) : 0;
}

/* Entries of one form and first letter are chained in the order of the list. */
static void
make_index(TokenIndex *index, size_t n)
{
	while (n-- > 0)
	{
		const TokenEntry *entry = &index->list[n];
		unsigned char *head = &index->first[entry->form][key_of(entry->name[0])];

		index->next[n] = *head;
		*head = (unsigned char) (n + 1);
	}
}

static void
make(void)
{
	make_index(&tokens_now, sizeof(entries) / sizeof(entries[0]) - 1);
	make_index(&tokens_of_1_0, sizeof(entries_of_1_0) / sizeof(entries_of_1_0[0]) - 1);
}

void
tokens_make_index(void)
{
	pthread_once(&once, make);
}

/* The entry of this form and name, or NULL. */
static const TokenEntry *
find_name(const TokenIndex *index, TokenForm form, const char *p, const char *end)
{
	for (int i = p < end ? index->first[form][key_of(*p)] : 0; i > 0; i = index->next[i - 1])
	{
		const TokenEntry *entry = &index->list[i - 1];
		bool		thought = entry->kind == TOKEN_THINK || entry->kind == TOKEN_ANSWER;

		if (is_name(p, end, entry->name,
					form == BARRED || (form == ANGLE && thought && index == &tokens_now)))
			return entry;
	}
	return NULL;
}

const TokenEntry *
tokens_find_entry(const TokenIndex *index, TokenForm form, const char *p, const char *end, bool *closing)
{
	const TokenEntry *entry = find_name(index, form, p, end);

	*closing = false;
	if (entry != NULL || p == end || *p != '/')
		return entry;
	*closing = true;
	return find_name(index, form, p + 1, end);
}
