/*
 * usage.h
 *	  How many tokens a completion says that it took.
 */
#ifndef LLAVA_USAGE_H
#define LLAVA_USAGE_H

#include "vlm.h"

#include <jansson.h>

/* Fills prompt_tokens and completion_tokens; -1: not said, or no count. */
extern void usage_read(const json_t *root, VlmEnvelope *envelope);

/* Counts that no completion can have become unknown: sums of them would be wrong. */
extern void usage_believe(VlmEnvelope *envelope);

#endif							/* LLAVA_USAGE_H */
