/*
 * mask.h
 *	  The API key is overwritten in text from outside, however it is spelled: literally,
 *	  with the escapes of JSON (also those of JSON in strings of JSON), of URLs or of
 *	  HTML, each character in another way if need be.
 *
 * Every word from outside goes through here decoded and whole, before it is clipped,
 * stored, logged or shown.  A long beginning of the key is overwritten too where the
 * text, or a string in it, ends behind it: whoever sent it may have clipped it.  Keys
 * of less than four bytes are not looked for.  All take linear time.
 *
 * False: no memory; the text may still hold the key, and must not be kept.
 */
#ifndef LLAVA_VLM_MASK_H
#define LLAVA_VLM_MASK_H

#include <stdbool.h>
#include <stddef.h>

/* Words that were decoded; a byte remains a byte.  text or key may be NULL. */
extern bool mask_words(char *text, size_t size, const char *key);

/*
 * A whole response body, NUL-ended at *size, which can shrink.  JSON stays JSON, and
 * its strings mean what mask_words would make of their meaning.
 */
extern bool mask_body(char *body, size_t *size, const char *key);

#endif							/* LLAVA_VLM_MASK_H */
