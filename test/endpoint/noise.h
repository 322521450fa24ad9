/*
 * noise.h
 *	  An answer written down as models write: in the format asked for, or not quite.
 */
#ifndef ENDPOINT_NOISE_H
#define ENDPOINT_NOISE_H

#include "answer.h"

/* The index that means: exactly as asked for. */
#define NOISE_NONE (-1)

/*
 * Writes the answer in the manner of noise fault `index`; finish (static) is the
 * finish_reason that goes with it.  The answer's turns may be changed by it.
 */
extern void noise_write(Buffer *to, Answer *answer, int index, const char **finish);

#endif							/* ENDPOINT_NOISE_H */
