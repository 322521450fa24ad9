/*
 * streak.c
 *	  Tells a prompt whose replies are all rejected from one that is merely hard.
 *
 * The first replies about different pictures are independent: while none was ever accepted,
 * STREAK rejects in a row for one reason say that the prompt asks for another shape than its
 * task expects.  Where one in N is accepted, runs of rejects are N long as a rule; one of 16
 * times that is as unlikely (e^-16), and says that something has changed.
 */
#include <string.h>

#include "vlm.h"

#define STREAK 32
#define TIMES_THE_USUAL 16

bool
vlm_streak_note(VlmStreak *streak, const char *reason)
{
	streak->replies++;
	if (reason == NULL)
	{
		streak->accepted++;
		streak->run = 0;
		return false;
	}
	if (streak->run == 0 || strncmp(streak->reason, reason, sizeof(streak->reason) - 1) != 0)
	{
		streak->run = 0;
		strncpy(streak->reason, reason, sizeof(streak->reason) - 1);
		streak->reason[sizeof(streak->reason) - 1] = '\0';
	}
	streak->run++;
	return streak->run >= STREAK &&
		streak->run * streak->accepted >= TIMES_THE_USUAL * (streak->accepted > 0 ? streak->replies : 0);
}
