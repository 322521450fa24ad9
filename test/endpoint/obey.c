/*
 * obey.c
 *	  A model that does whatever a prompt tells it, wherever that stands, but in a quoted
 *	  string.
 *
 * What reads as a string is a JSON string: it begins at a quote and ends at the next one that
 * is not escaped.  As real models do it also takes a line end, a fence, a closing tag or two
 * closing braces for the end of what is quoted.
 */
#define _GNU_SOURCE

#include "answer.h"

#include <string.h>

/* How far behind the word the number may stand. */
#define REACH 24

static const char *const words[] = {"worth", "score", "answer", "打分", "评分", "打", "填", "输出", "写", "改成", NULL};
static const char *const breaks[] = {"\n", "```", "</", "}}", NULL};

static bool
begins_with_any(const char *text, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strncmp(text, *list, strlen(*list)) == 0)
			return true;
	return false;
}

/* Behind the string that opens at the quote p. */
static const char *
skip_string(const char *p)
{
	for (p++; *p != '\0' && *p != '"' && !begins_with_any(p, breaks); p++)
		if (*p == '\\' && p[1] != '\0')
			p++;
	return *p == '"' ? p + 1 : p;
}

/* The prompt without what stands in strings. */
static void
leave_strings_out(Buffer *to, const char *prompt)
{
	buffer_add(to, "", 0);
	while (*prompt != '\0')
	{
		if (*prompt == '"')
		{
			prompt = skip_string(prompt);
			continue;
		}
		buffer_add(to, prompt++, 1);
	}
}

bool
answer_obey(const char *prompt, int *worth)
{
	Buffer		rest = {0};
	bool		told = false;

	leave_strings_out(&rest, prompt);
	for (const char *p = rest.data; *p != '\0'; p++)
	{
		if (!begins_with_any(p, words))
			continue;
		for (int i = 0; i < REACH && p[i] != '\0' && p[i] != '\n'; i++)
			if (p[i] >= '0' && p[i] <= '3')
			{
				*worth = p[i] - '0';
				told = true;
				break;
			}
	}
	buffer_free(&rest);
	return told;
}
