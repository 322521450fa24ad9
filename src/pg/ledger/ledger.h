/*
 * ledger.h
 *	  Replies as samples.
 */
#ifndef LLAVA_LEDGER_H
#define LLAVA_LEDGER_H

#include "fmgr.h"
#include "reply/reply.h"
#include "vlm/vlm.h"

/* ---- conversation.c: turns to jsonb ---- */

/* [{"from": ..., "value": ...}, ...] as jsonb; question: the human turn of a description, or NULL. */
extern Datum conversation_turns(const ReplyResult *result, const char *question, int *rounds);
extern Datum conversation_flags(uint32 flags);	/* text[] */
extern Datum conversation_measures(const ReplyMeasures *measures);	/* jsonb */

/* ---- verdict.c ---- */

/* The server's finish_reason (NULL: it said none) as the parser knows it. */
extern ReplyFinish conversation_finish(const char *finish_reason);

/* Why an answer is no sample, static; NULL: it is one. */
extern const char *conversation_reason(const VlmEnvelope *envelope, const ReplyResult *result);

#endif							/* LLAVA_LEDGER_H */
