/*
 * postponed.c
 *	  Remembers work that failed and will be repeated, for the log and pg_stat_activity.
 *
 * This file keeps the last error of each kind of work.  Most need a person's attention, a
 * missing privilege above all; locks that could not be had are explained by in_the_way.c,
 * whose text takes precedence.
 */
#include "postgres.h"

#include "process.h"

#define WORKS (POSTPONED_SETTLE + 1)

static const char *const names[WORKS] = {"claims", "settles"};

/* The last error of each kind of work; "": the work is not postponed. */
static char messages[WORKS][256];

bool
postponed_note(Postponed work, const ErrorData *error)
{
	char		before[sizeof(messages[0])];

	strlcpy(before, messages[work], sizeof(before));
	strlcpy(messages[work], error->message, sizeof(messages[0]));
	return strcmp(before, messages[work]) != 0;
}

bool
postponed_done(Postponed work)
{
	bool		was = messages[work][0] != '\0';

	messages[work][0] = '\0';
	return was;
}

const char *
postponed_activity(void)
{
	static char words[sizeof(messages[0]) + 64];

	for (int work = 0; work < WORKS; work++)
	{
		if (messages[work][0] == '\0')
			continue;
		snprintf(words, sizeof(words), "llava_zh: %s postponed, as the owner of llava_pending: %s",
				 names[work], messages[work]);
		return words;
	}
	return NULL;
}

void
postponed_forget(void)
{
	memset(messages, 0, sizeof(messages));
}
