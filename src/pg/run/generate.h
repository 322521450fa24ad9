/*
 * generate.h
 *	  One call of llava_generate: generate.c asks, generate_refusal.c says why not.
 */
#ifndef LLAVA_GENERATE_H
#define LLAVA_GENERATE_H

#include "compat.h"
#include "image/image.h"
#include "reply/reply.h"
#include "server/server.h"
#include "task/task.h"
#include "utils/timestamp.h"
#include "vlm/vlm.h"

/* One call of llava_generate. */
typedef struct Asking
{
	const LlavaTask *task;
	const LlavaServer *server;
	char	   *key;			/* or NULL */
	const uint8 *image;			/* the caller's bytes */
	size_t		image_size;
	int64		seed;
	VlmTokens	forecast;
	Limits	   *limits;
	EndpointUse *endpoint;		/* of the slot */
	bool		slot;			/* one of theirs is held */
	TimestampTz deadline;		/* of all tries together */
	VlmPool    *pool;			/* NULL: nothing was sent */

	/* malloc'd */
	ImagePrepared prepared;
	VlmResponse response;
	VlmEnvelope envelope;
	ReplyResult result;
	bool		answered;		/* envelope and result are set */
} Asking;

/* ERROR: the request brought no answer, and will not be made again. */
pg_noreturn extern void generate_refuse(const Asking *asking, const VlmOutcome *outcome);

/* ERROR: the answer in asking->envelope is no sample, for this reason of verdict_of. */
pg_noreturn extern void generate_refuse_reply(const Asking *asking, const char *reason);

#endif							/* LLAVA_GENERATE_H */
