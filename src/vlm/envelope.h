/*
 * envelope.h
 *	  The two readers behind vlm_envelope_parse, which never come to different results.
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
 * scan.c: reads a usual completion ten times as fast as by a tree of all its values.
 * ENVELOPE_UNSURE for anything unusual, invalid JSON included; nothing is allocated then.
 */
extern EnvelopeScan envelope_scan(const char *body, size_t size, VlmEnvelope *envelope);

/* Reads any body with jansson.  As vlm_envelope_parse, but implausible counts are kept. */
extern bool envelope_load(const char *body, size_t size, VlmEnvelope *envelope,
						  const char **message);

/* Whether a message's member of this name, besides reasoning and reasoning_content, holds thinking. */
extern bool envelope_is_thinking(const char *name, size_t size);

/* The object that has the choices (it may be in a list, or in "data"), and its first choice. */
extern const json_t *envelope_root(const json_t *root);
extern const json_t *envelope_choice(const json_t *root);

/* Whether the value of an error member says that there is one. */
extern bool envelope_is_error(const json_t *error);

#endif							/* LLAVA_ENVELOPE_H */
