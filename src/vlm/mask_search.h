/*
 * mask_search.h
 *	  Finds the bytes of a text that spell the key, whatever escapes are used.
 */
#ifndef LLAVA_VLM_MASK_SEARCH_H
#define LLAVA_VLM_MASK_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Search
{
	const char *key;
	size_t		length;
	size_t		beginning;		/* bytes of the prefix that is masked before
								 * an end */
	bool		ascii;			/* the key is */
	size_t	   *fallbacks;		/* Knuth-Morris-Pratt's; NULL: only look
								 * whether a prefix of the key is there */
	char	   *marks;			/* of the text's bytes: to be overwritten */
	size_t		text_size;
	bool		found;
} Search;

/*
 * Looks for the key in all readings of the text, decoding escapes of JSON depth times;
 * sets found, and marks.  False: no memory.
 */
extern bool search_readings(Search *search, const char *text, size_t size, int depth);

/* Fills the table of Knuth-Morris-Pratt for the key, of length entries. */
extern void search_fill_fallbacks(size_t *fallbacks, const char *key, size_t length);

#endif							/* LLAVA_VLM_MASK_SEARCH_H */
