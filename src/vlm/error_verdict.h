/*
 * error_verdict.h
 *	  What an error means, whoever the provider is and wherever in the response it stands.
 */
#ifndef LLAVA_ERROR_VERDICT_H
#define LLAVA_ERROR_VERDICT_H

#include "words.h"

/*
 * status is the response's, or the one that the body of a 200 names; 200 if it names none.
 * Fills action, reason, counts and probe.  retry_after_ms as in VlmResponse.
 */
extern void error_verdict(int status, bool in_body, const Words *words, int64_t retry_after_ms,
						  VlmOutcome *outcome);

#endif							/* LLAVA_ERROR_VERDICT_H */
