/*
 * ledger.h
 *	  Replies as samples.
 */
#ifndef LLAVA_LEDGER_H
#define LLAVA_LEDGER_H

#include "db/db.h"
#include "fmgr.h"
#include "reply/reply.h"
#include "vlm/vlm.h"

/* ---- conversation.c: turns to jsonb ---- */

/*
 * [{"from": ..., "value": ...}, ...] as jsonb; question: the human turn of a description,
 * or NULL.
 */
extern Datum conversation_turns(const ReplyResult *result, const char *question, int *rounds);
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

#endif							/* LLAVA_LEDGER_H */
