/*
 * envelope.h
 *	  The chat completion around a reply's text, sound or with its faults.
 */
#ifndef ENDPOINT_ENVELOPE_H
#define ENDPOINT_ENVELOPE_H

#include "fault.h"
#include "http.h"

typedef struct Completion
{
	int64_t		ordinal;
	const char *model;			/* as the request named it */
	const char *content;
	const char *finish_reason;
	int64_t		prompt_tokens;
} Completion;

/* The whole reply, with whatever body or wire fault is to befall it. */
extern void completion_reply(Reply *reply, const Completion *completion, const Fault *fault);

#endif							/* ENDPOINT_ENVELOPE_H */
