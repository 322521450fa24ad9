/*
 * restore.h
 *	  Nothing is claimed from a database that is being restored.
 */
#ifndef LLAVA_RESTORE_H
#define LLAVA_RESTORE_H

struct Loop;

/* What a loop knows of a restore that it waits for. */
typedef struct RestoreWait
{
	bool		calls_are_known;	/* llava_call_seq is not as it was made:
									 * for good */
	TimestampTz look_at;		/* for what shows a restore, next */
	TimestampTz since;			/* it was seen; 0: none is waited for */
	TimestampTz until;			/* nothing is claimed before */
	bool		is_clear;		/* the last look saw nothing any more */
	bool		is_copy;		/* of the last look that did: it ends by
								 * itself */
	bool		said;
	char		words[256];		/* of the last that did */
	char		activity[320];
} RestoreWait;

/* Before a claim, in its transaction: whether it must wait.  Says so, once. */
extern bool restore_is_awaited(struct Loop *loop);

/* What this process shows that it waits for; NULL: nothing. */
extern const char *restore_activity(const struct Loop *loop);

/* Whether rows wait for a restore of which nobody knows when it ends. */
extern bool restore_has_no_end(const struct Loop *loop);

#endif							/* LLAVA_RESTORE_H */
