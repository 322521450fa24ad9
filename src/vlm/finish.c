/*
 * finish.c
 *	  What a finish_reason means, and what an envelope alone says of its reply.
 *
 * Servers name their ends in many words, so families are told by the parts that their
 * words are made of.
 */
#include "vlm.h"

#include <string.h>

typedef struct Part
{
	const char *part;
	VlmFinish	finish;
} Part;

/*
 * Found anywhere in the word, which is written in lower case without its separators;
 * the first that is there decides.
 */
static const Part parts[] = {
	{"error", VLM_FINISH_BROKEN}, {"abort", VLM_FINISH_BROKEN}, {"cancel", VLM_FINISH_BROKEN},
	{"fail", VLM_FINISH_BROKEN}, {"insufficient", VLM_FINISH_BROKEN}, {"resource", VLM_FINISH_BROKEN},
	{"timeout", VLM_FINISH_BROKEN}, {"timedout", VLM_FINISH_BROKEN}, {"network", VLM_FINISH_BROKEN},
	{"interrupt", VLM_FINISH_BROKEN}, {"overload", VLM_FINISH_BROKEN}, {"malformed", VLM_FINISH_BROKEN},
	{"disconnect", VLM_FINISH_BROKEN}, {"unavailable", VLM_FINISH_BROKEN}, {"crash", VLM_FINISH_BROKEN},
	{"preempt", VLM_FINISH_BROKEN}, {"evict", VLM_FINISH_BROKEN}, {"exception", VLM_FINISH_BROKEN},
	{"outofmemory", VLM_FINISH_BROKEN}, {"terminated", VLM_FINISH_BROKEN}, {"ratelimit", VLM_FINISH_BROKEN},

	{"filter", VLM_FINISH_FILTERED}, {"sensitive", VLM_FINISH_FILTERED}, {"safety", VLM_FINISH_FILTERED},
	{"prohibited", VLM_FINISH_FILTERED}, {"block", VLM_FINISH_FILTERED}, {"recitation", VLM_FINISH_FILTERED},
	{"spii", VLM_FINISH_FILTERED}, {"guardrail", VLM_FINISH_FILTERED}, {"moderat", VLM_FINISH_FILTERED},
	{"risk", VLM_FINISH_FILTERED}, {"policy", VLM_FINISH_FILTERED}, {"refus", VLM_FINISH_FILTERED},
	{"censor", VLM_FINISH_FILTERED}, {"violation", VLM_FINISH_FILTERED}, {"harm", VLM_FINISH_FILTERED},
	{"inspection", VLM_FINISH_FILTERED}, {"illegal", VLM_FINISH_FILTERED}, {"flagged", VLM_FINISH_FILTERED},
	{"unsafe", VLM_FINISH_FILTERED}, {"\xe6\x95\x8f\xe6\x84\x9f", VLM_FINISH_FILTERED},

	{"length", VLM_FINISH_LENGTH}, {"maxtoken", VLM_FINISH_LENGTH},
	{"tokenlimit", VLM_FINISH_LENGTH}, {"maxoutput", VLM_FINISH_LENGTH}, {"maxnew", VLM_FINISH_LENGTH},
	{"context", VLM_FINISH_LENGTH}, {"truncat", VLM_FINISH_LENGTH}, {"maxcompletion", VLM_FINISH_LENGTH},
	{"incomplete", VLM_FINISH_LENGTH}, {"outputlimit", VLM_FINISH_LENGTH},

	{"stop", VLM_FINISH_STOP}, {"eos", VLM_FINISH_STOP}, {"endturn", VLM_FINISH_STOP},
	{"endofturn", VLM_FINISH_STOP}, {"endof", VLM_FINISH_STOP}, {"complete", VLM_FINISH_STOP},
	{"finish", VLM_FINISH_STOP}, {"success", VLM_FINISH_STOP}
};

/* Short words mean something only by themselves. */
static const Part words[] = {
	{"", VLM_FINISH_STOP}, {"null", VLM_FINISH_STOP}, {"none", VLM_FINISH_STOP},
	{"normal", VLM_FINISH_STOP}, {"end", VLM_FINISH_STOP}, {"done", VLM_FINISH_STOP},
	{"limit", VLM_FINISH_LENGTH}, {"oom", VLM_FINISH_BROKEN}
};

/* Lower case, without separators; "FINISH_REASON_" before it says nothing. */
static const char *
plain_word(const char *word, char *plain, size_t room)
{
	size_t		n = 0;

	for (; *word != '\0' && n + 1 < room; word++)
		if (strchr("_- .", *word) == NULL)
			plain[n++] = (char) (*word >= 'A' && *word <= 'Z' ? *word | 0x20 : *word);
	plain[n] = '\0';
	return strncmp(plain, "finishreason", 12) == 0 ? plain + 12 : plain;
}

VlmFinish
vlm_finish(const char *finish_reason)
{
	char		room[64];
	const char *word;

	if (finish_reason == NULL)
		return VLM_FINISH_STOP;
	word = plain_word(finish_reason, room, sizeof(room));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(word, words[i].part) == 0)
			return words[i].finish;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strstr(word, parts[i].part) != NULL)
			return parts[i].finish;
	return VLM_FINISH_UNKNOWN;
}

/* Where the text ends if blanks, and all that may close a sentence, are left out. */
static size_t
without(const char *text, size_t size, const char *const *ends)
{
	for (size_t i = 0; ends[i] != NULL;)
	{
		size_t		n = strlen(ends[i]);

		if (size >= n && memcmp(text + size - n, ends[i], n) == 0)
		{
			size -= n;
			i = 0;
		}
		else
			i++;
	}
	return size;
}

static const char *const blanks[] = {" ", "\n", "\r", "\t", "\xe3\x80\x80", NULL};
static const char *const closing[] = {
	" ", "\n", "\r", "\t", "\xe3\x80\x80", "\"", "'", ")", "]", "}", "*", "_", "`",
	"\xe2\x80\x9d", "\xe2\x80\x99", "\xef\xbc\x89", "\xe3\x80\x8d", "\xe3\x80\x8f", "\xe3\x80\x8b", NULL
};
static const char *const terminal[] = {
	".", "!", "?", "\xe3\x80\x82", "\xef\xbc\x81", "\xef\xbc\x9f", "\xe2\x80\xa6", "\xef\xbd\xa1", NULL
};

/* How the last mark of a model's thinking ends, where it stands in the content. */
static const char *const thought_ends[] = {
	"</think>", "</thinking>", "</thought>", "</thoughts>", "</reasoning>", "</reason>",
	"[/THINK]", "\xe2\x97\x81/think\xe2\x96\xb7", NULL
};

static bool
ends_in(const VlmEnvelope *envelope, size_t size, const char *const *ends)
{
	for (; *ends != NULL; ends++)
	{
		size_t		n = strlen(*ends);

		if (size >= n && memcmp(envelope->content + size - n, *ends, n) == 0)
			return true;
	}
	return false;
}

/* Thinking, and behind it or beside it no answer. */
static bool
has_no_answer(const VlmEnvelope *envelope)
{
	size_t		size = without(envelope->content, envelope->content_size, blanks);

	return size == 0 ? envelope->has_reasoning : ends_in(envelope, size, thought_ends);
}

/* Whether the text ends as texts do, in a mark at the end of a sentence. */
static bool
ends_well(const VlmEnvelope *envelope)
{
	size_t		size = without(envelope->content, envelope->content_size, closing);

	return ends_in(envelope, size, terminal);
}

const char *
vlm_envelope_reason(const VlmEnvelope *envelope)
{
	VlmFinish	finish = vlm_finish(envelope->finish_reason);

	if (envelope->refused)
		return "refusal";
	if (finish == VLM_FINISH_FILTERED)
		return "content_filter";
	if (finish == VLM_FINISH_BROKEN)
		return "unfinished";
	if (has_no_answer(envelope))
		return "no_answer_thinking";
	if (finish == VLM_FINISH_UNKNOWN && !ends_well(envelope))
		return "unfinished";
	return NULL;
}
