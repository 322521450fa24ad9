/*
 * retry_after.h
 *	  How long a server asks to be left alone, in all the ways it is said.
 */
#ifndef LLAVA_RETRY_AFTER_H
#define LLAVA_RETRY_AFTER_H

#include <stdbool.h>
#include <stdint.h>

/* The value of the header with this name, or NULL. */
typedef const char *(*HeaderOf) (void *arg, const char *name);

/*
 * Milliseconds from now (seconds since 1970), one at least and six hours at most; -1:
 * not said, or not to be understood.  status decides whether what is said of limits counts,
 * which stands in answers of all kinds.  *budget_empty: one of them is used up, and it is
 * said when it begins anew.
 */
extern int64_t retry_after_ms(HeaderOf header, void *arg, int status, int64_t now_s,
							  bool *budget_empty);

#endif							/* LLAVA_RETRY_AFTER_H */
