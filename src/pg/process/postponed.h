/*
 * postponed.h
 *	  What this process could not do and tries again, for the log and its activity.
 */
#ifndef LLAVA_POSTPONED_H
#define LLAVA_POSTPONED_H

#include "utils/elog.h"

typedef enum Postponed
{
	POSTPONED_CLAIM,
	POSTPONED_SETTLE
} Postponed;

/*
 * The work failed as error says, and is tried again.  True where it did not fail for
 * that before it last succeeded: then the caller writes a line to the log.
 */
extern bool postponed_note(Postponed work, const ErrorData *error);

/* The work was done; true if it was postponed until now. */
extern bool postponed_done(Postponed work);

/* What this process shows of it; NULL: nothing is postponed. */
extern const char *postponed_activity(void);

/* A session's loop begins, or has ended. */
extern void postponed_forget(void);

#endif							/* LLAVA_POSTPONED_H */
