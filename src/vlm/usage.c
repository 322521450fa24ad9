/*
 * usage.c
 *	  How many tokens a completion says that it took.
 */
#include "usage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of any one completion. */
#define MOST_TOKENS 1000000000

/* The names in use: OpenAI's, Anthropic's, and those of clients that rewrite them. */
static const char *const prompt_names[] = {
	"prompt_tokens", "input_tokens", "promptTokens", "inputTokens", "promptTokenCount",
	"prompt_token_count", "inputTokenCount", NULL
};
static const char *const completion_names[] = {
	"completion_tokens", "output_tokens", "completionTokens", "outputTokens",
	"candidatesTokenCount", "candidates_token_count", "generated_tokens", "outputTokenCount", NULL
};
static const char *const total_names[] = {
	"total_tokens", "totalTokens", "totalTokenCount", "total_token_count", NULL
};

/* A whole number as text, perhaps with blanks around it or a fraction of nothing. */
static double
number_of(const char *text)
{
	char	   *end;
	double		number;

	while (*text == ' ')
		text++;
	if (*text < '0' || *text > '9' || strspn(text, "0123456789. ") != strlen(text))
		return -1;
	number = strtod(text, &end);
	while (*end == ' ')
		end++;
	return *end == '\0' ? number : -1;
}

static int64_t
count_of(const json_t *value)
{
	double		number = json_is_string(value) ? number_of(json_string_value(value)) :
	json_is_real(value) ? json_real_value(value) : -1;

	if (json_is_integer(value))
		return json_integer_value(value) >= 0 ? json_integer_value(value) : -1;
	return number >= 0 && number <= MOST_TOKENS && floor(number) == number ? (int64_t) number : -1;
}

/* The first of the names that has a count above zero, else zero if one has that. */
static int64_t
named_count(const json_t *usage, const char *const *names)
{
	int64_t		found = -1;

	for (; *names != NULL && found <= 0; names++)
	{
		int64_t		count = count_of(json_object_get(usage, *names));

		if (count > found)
			found = count;
	}
	return found;
}

static const json_t *
usage_object(const json_t *root)
{
	static const char *const names[] = {"usage", "usageMetadata", "usage_metadata", "token_usage", NULL};
	const json_t *choice = json_array_get(json_object_get(root, "choices"), 0);

	for (const char *const *name = names; *name != NULL; name++)
		if (json_is_object(json_object_get(root, *name)))
			return json_object_get(root, *name);
	return json_object_get(choice, "usage");
}

void
usage_read(const json_t *root, VlmEnvelope *envelope)
{
	const json_t *usage = usage_object(root);
	int64_t		prompt = named_count(usage, prompt_names);
	int64_t		completion = named_count(usage, completion_names);
	int64_t		total = named_count(usage, total_names);

	if (prompt <= 0 && completion >= 0 && total > completion)
		prompt = total - completion;
	if (completion < 0 && prompt > 0 && total > prompt)
		completion = total - prompt;
	envelope->prompt_tokens = prompt;
	envelope->completion_tokens = completion;
}

/* A picture and a question are some tokens, and so is an answer, or what was thought. */
void
usage_believe(VlmEnvelope *envelope)
{
	if (envelope->prompt_tokens > MOST_TOKENS || envelope->prompt_tokens == 0)
		envelope->prompt_tokens = -1;
	if (envelope->completion_tokens > MOST_TOKENS ||
		(envelope->completion_tokens == 0 &&
		 (envelope->content_size > 0 || envelope->has_reasoning)))
		envelope->completion_tokens = -1;
}
