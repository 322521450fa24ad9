/*
 * verdict_of.h
 *	  What an error means, whoever the provider is and wherever in the response it stands.
 */
#ifndef LLAVA_VERDICT_OF_H
#define LLAVA_VERDICT_OF_H

#include "words.h"

/*
 * status is the response's, or the one that the body of a 200 names; 200 if it names none.
 * Fills action, reason, counts and probe.  retry_after_ms as in VlmResponse.
 */
extern void verdict_of(int status, bool in_body, const Words *words, int64_t retry_after_ms,
					   VlmOutcome *outcome);

#endif							/* LLAVA_VERDICT_OF_H */
