/*
 * mask.h
 *	  Overwrites the API key in text from outside, however it is spelled: literally, with
 *	  the escapes of JSON (also of JSON in strings of JSON), of URLs or of HTML, and with
 *	  any mix of them.
 *
 * All text from outside is masked decoded and whole, before it is clipped, stored, logged
 * or shown.  A long prefix of the key is overwritten too where the text, or a string in
 * it, ends behind it: the sender may have clipped it.  Keys of less than four bytes are
 * not looked for.  All functions take linear time.
 *
 * They return false without memory; the text may then still hold the key, and must not be
 * kept.
 */
#ifndef LLAVA_VLM_MASK_H
#define LLAVA_VLM_MASK_H

#include <stdbool.h>
#include <stddef.h>

/* Decoded text, whose size stays the same.  text or key may be NULL. */
extern bool mask_words(char *text, size_t size, const char *key);

/*
 * A whole response body, NUL-ended at *size, which can shrink.  JSON stays valid, and
 * its strings decode to what mask_words would make of their text.
 */
extern bool mask_body(char *body, size_t *size, const char *key);

#endif							/* LLAVA_VLM_MASK_H */
