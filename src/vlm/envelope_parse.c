/*
 * envelope_parse.c
 *	  Reads a response body: by the fast scan, or, where that is unsure, by jansson.
 */
#include "envelope.h"

#include "usage.h"

bool
vlm_envelope_parse(const char *body, size_t size, VlmEnvelope *envelope, const char **message)
{
	switch (envelope_scan(body, size, envelope))
	{
		case ENVELOPE_READ:
			*message = NULL;
			break;
		case ENVELOPE_NO_MEMORY:
			*message = "out of memory";
			return false;
		default:
			if (!envelope_load(body, size, envelope, message))
				return false;
	}
	usage_believe(envelope);
	return true;
}
