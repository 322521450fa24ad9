/*
 * ledger.h
 *	  Replies as samples.
 */
#ifndef LLAVA_LEDGER_H
#define LLAVA_LEDGER_H

#include "db/db.h"
#include "fmgr.h"
#include "nodes/pg_list.h"
#include "reply/reply.h"
#include "task/task.h"
#include "vlm/vlm.h"

/* ---- conversation.c: turns to jsonb ---- */

/*
 * [{"from": ..., "value": ...}, ...] as jsonb; question: the human turn of a description,
 * or NULL.
 */
extern Datum conversation_turns(const ReplyResult *result, const char *question, int *rounds);

/* The object of an accepted reply, as jsonb. */
extern Datum conversation_object(const ReplyResult *result);
extern Datum conversation_flags(uint32 flags);	/* text[] */
extern Datum conversation_measures(const ReplyMeasures *measures);	/* jsonb */

/* ---- edited.c ---- */

/*
 * Runs a statement that stores a reply's conversation over an older one: it counts as no
 * person's edit.
 */
extern uint64 conversation_store(SqlStatement *statement, Datum *values);

/*
 * Whether a stored conversation is a non-empty array of objects with strings "from" and
 * "value"; rounds: its answers.
 */
extern bool conversation_is_whole(Datum conversation, int *rounds);

/* ---- verdict.c ---- */

/*
 * Parses the answer's text by the task's rules.  Always fills *result, to be freed.  Why
 * the answer is no sample, static; NULL: it is one.  Without the memory to parse it
 * result->reason is REPLY_NO_MEMORY, which is for the caller to report.
 */
extern const char *verdict_of(const ReplyRules *rules, const VlmEnvelope *envelope,
							  ReplyResult *result);

/* ---- followers.c: tasks that follow another; the caller is SPI-connected ---- */

/* Those of now, in the current context. */
extern List *followers_read(void);

/* A result that is stored by now. */
typedef struct FollowedResult
{
	int64		image;
	const char *task;
	int64		reply;
} FollowedResult;

/*
 * Results were accepted, one at most of an image and task: what was said about older ones
 * leaves, and their followers are queued.  True if any was.
 */
extern bool followers_of_results(const List *followers, const FollowedResult *results, int n);

/*
 * The same where the result of the reply has other words by now: what was said about it
 * leaves, too, and what is being said about it will be late.
 */
extern bool followers_of_change(const List *followers, const FollowedResult *result);

/* The result is gone, and with it what was said about it. */
extern void followers_of_withdrawn(const List *followers, int64 image, const char *task);

/* The reply whose result the picture has of the task, locked; 0: it has none. */
extern int64 result_reply(int64 image, const LlavaTask *task);

/*
 * The same with the result, and without a lock: where the row of a follower is locked, since
 * whoever changes the result then waits for that row.
 */
extern int64 result_read(int64 image, const LlavaTask *task, Datum *result);

/* ---- inserted.c ---- */

/*
 * The prompt of a task that has placeholders, with the result of the task that it follows in
 * their place, palloc'd.  NULL: that is not possible, and *why, static, says why.
 */
extern char *inserted_prompt(const LlavaTask *task, const LlavaTask *followed, Datum result,
							 const char **why);

#endif							/* LLAVA_LEDGER_H */
