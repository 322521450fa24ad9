/*
 * fingerprint.h
 *	  A number for what was said, the same for whoever says it of another request.
 */
#ifndef LLAVA_FINGERPRINT_H
#define LLAVA_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Of a text in lower case, and of what it was said under (a status, or any other number).
 * Digits, ids, punctuation and white space do not count.  Never 0; the same on every
 * machine, so that it may be stored.
 */
extern uint64_t fingerprint(int under, const char *text, size_t size);

#endif							/* LLAVA_FINGERPRINT_H */
