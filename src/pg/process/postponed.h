/*
 * postponed.h
 *	  Remembers work that failed and will be repeated, for the log and pg_stat_activity.
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
 * Notes that the work failed with this error and will be repeated.  Returns true if the
 * message differs from the last failure's, so that the caller should log it.
 */
extern bool postponed_note(Postponed work, const ErrorData *error);

/* Notes that the work succeeded.  Returns true if it was postponed until now. */
extern bool postponed_done(Postponed work);

/* Text for pg_stat_activity about postponed work, else NULL. */
extern const char *postponed_activity(void);

/* Forgets all failures, when a loop begins or has ended. */
extern void postponed_forget(void);

#endif							/* LLAVA_POSTPONED_H */
