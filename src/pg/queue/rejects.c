/*
 * rejects.c
 *	  Decides how the next attempt after a rejected reply differs from the last one.
 *
 * Each attempt has another seed.  After a reply that repeated itself (degenerate) it has a
 * presence penalty, the remedy that Qwen's model cards name: 0 to 2, where higher values
 * may mix languages.  After a truncated reply it has twice max_tokens, once; where that
 * ended in nothing but white space, a habit of structured output, it asks for none.  After a
 * refusal or a content filter it goes to another server if there is one, once.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "loop.h"
#include "utils/builtins.h"

#define LOOP_PENALTY 1.0
#define LOOP_PENALTY_STEP 0.5	/* added to the task's own penalty */
#define LOOP_PENALTY_MOST 2.0

/* What llava_pending.rejects says of a reply that was cut in white space. */
#define REJECTED_BLANK "white_space"

static void
rejects_note(Rejects *rejects, const char *reason)
{
	if (strcmp(reason, "degenerate") == 0)
		rejects->looped = true;
	else if (strcmp(reason, "truncated") == 0)
		rejects->cut = true;
	else if (strcmp(reason, REJECTED_BLANK) == 0)
		rejects->blank = true;
	else if (strcmp(reason, "refusal") == 0 || strcmp(reason, "content_filter") == 0)
		rejects->refused = true;
}

Rejects
rejects_of(Datum reasons)
{
	Rejects		rejects = {0};
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(reasons), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			rejects_note(&rejects, TextDatumGetCString(elements[i]));
	return rejects;
}

bool
rejects_final(const Rejects *before, const char *reason)
{
	Rejects		now = {0};

	rejects_note(&now, reason);
	return (now.cut && before->cut) || (now.blank && before->blank) || (now.refused && before->refused);
}

bool
rejects_blame_server(const char *reason)
{
	Rejects		now = {0};

	rejects_note(&now, reason);
	return now.refused;
}

VlmSampling
rejects_sampling(const Rejects *before, const VlmSampling *of_task)
{
	VlmSampling sampling = *of_task;

	if (before->looped)
		sampling.presence_penalty = isnan(sampling.presence_penalty) ? LOOP_PENALTY :
			Min(Max(LOOP_PENALTY, sampling.presence_penalty + LOOP_PENALTY_STEP), LOOP_PENALTY_MOST);
	if (before->cut && sampling.max_tokens > 0)
		sampling.max_tokens = (int) Min((int64) sampling.max_tokens * 2, PG_INT32_MAX);
	if (before->blank)
		sampling.response_format = NULL;
	return sampling;
}

const char *
rejects_word(const Call *call, const char *reason)
{
	if (strcmp(reason, "truncated") == 0 && (call->end.result.flags & REPLY_WHITE_SPACE))
		return REJECTED_BLANK;
	return reason;
}
