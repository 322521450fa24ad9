/*
 * envelope.h
 *	  The two readers behind vlm_envelope_parse; they never disagree.
 */
#ifndef LLAVA_ENVELOPE_H
#define LLAVA_ENVELOPE_H

#include "vlm.h"

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

/* Any body, by jansson.  As vlm_envelope_parse. */
extern bool envelope_load(const char *body, size_t size, VlmEnvelope *envelope,
						  const char **message);

#endif							/* LLAVA_ENVELOPE_H */
