/*
 * envelope.h
 *	  The two readers behind vlm_envelope_parse; they never disagree.
 */
#ifndef LLAVA_ENVELOPE_H
#define LLAVA_ENVELOPE_H

#include "vlm.h"

#include <jansson.h>

typedef enum EnvelopeScan
{
	ENVELOPE_READ,
	ENVELOPE_UNSURE,			/* envelope_load says what it is */
	ENVELOPE_NO_MEMORY
} EnvelopeScan;

/*
 * scan.c: a completion as servers write them, at ten times the speed of a tree of
 * all its values.  ENVELOPE_UNSURE for whatever is unusual, wrong JSON among it;
 * nothing is allocated then.
 */
extern EnvelopeScan envelope_scan(const char *body, size_t size, VlmEnvelope *envelope);

/* Any body, by jansson.  As vlm_envelope_parse, but for counts that are not to be believed. */
extern bool envelope_load(const char *body, size_t size, VlmEnvelope *envelope,
						  const char **message);

/* Whether it is a member of a message that holds thinking, besides reasoning and reasoning_content. */
extern bool envelope_is_thinking(const char *name, size_t size);

/* What stands in the first choice; a completion may come in a list, or in "data". */
extern const json_t *envelope_root(const json_t *root);
extern const json_t *envelope_choice(const json_t *root);

/* Whether this, where an error may stand, says that there is one. */
extern bool envelope_is_error(const json_t *error);

#endif							/* LLAVA_ENVELOPE_H */
