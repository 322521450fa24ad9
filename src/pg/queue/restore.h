/*
 * restore.h
 *	  Holds back claims while the database is being restored from a dump.
 */
#ifndef LLAVA_RESTORE_H
#define LLAVA_RESTORE_H

struct Loop;

/* The state of a loop's wait for a restore. */
typedef struct RestoreWait
{
	bool		calls_are_known;	/* llava_call_seq was used or set, and
									 * need not be checked again */
	TimestampTz look_at;		/* next check for signs of a restore */
	TimestampTz since;			/* first sign of it; 0: no wait */
	TimestampTz until;			/* nothing is claimed before */
	bool		is_clear;		/* the last check found no sign */
	bool		is_copy;		/* the last sign was a COPY, which will end
								 * without help */
	bool		said;			/* the wait was logged */
	char		words[256];		/* describes the last sign */
	char		activity[320];	/* for pg_stat_activity */
} RestoreWait;

/* Before a claim, in its transaction: whether it must wait.  Logs the wait once. */
extern bool restore_is_awaited(struct Loop *loop);

/* Text for pg_stat_activity while claims wait, else NULL. */
extern const char *restore_activity(const struct Loop *loop);

/*
 * Whether claims wait although no COPY is running: a person may have to set the sequence,
 * so a drain must not wait for it.
 */
extern bool restore_has_no_end(const struct Loop *loop);

#endif							/* LLAVA_RESTORE_H */
