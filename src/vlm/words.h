/*
 * words.h
 *	  What a response that is no completion says, wherever and in whatever shape.
 */
#ifndef LLAVA_WORDS_H
#define LLAVA_WORDS_H

#include "vlm.h"

#include <jansson.h>

/*
 * To be searched, never shown.  Both are in lower case; text has one blank for any white
 * space, "not" for "n't", of URLs the host only, and each text stands between '\n'.
 * Codes are all that is said without blanks and ASCII punctuation, each between '|';
 * numbers and flags in members of certain names stand behind the name: "statuscode1026".
 */
typedef struct Words
{
	char		text[6000];
	size_t		text_size;
	char		codes[8000];
	size_t		codes_size;
	int			status;			/* that the body names, 400 to 599; 0: none */
	int			values;			/* of the JSON, that were looked at */
	bool		json;			/* the body is JSON */
	const char *said;			/* for people: the first text, unmasked and
								 * whole, in root or the body; or NULL */
	json_t	   *root;			/* to be released; or NULL */
} Words;

extern void words_read(const VlmResponse *response, Words *words);
extern void words_free(Words *words);

#endif							/* LLAVA_WORDS_H */
