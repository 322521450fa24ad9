/*
 * tokens.h
 *	  What the list of control tokens (tokens.c) and the search for them (token_scan.c) share.
 */
#ifndef LLAVA_REPLY_TOKENS_H
#define LLAVA_REPLY_TOKENS_H

#include "parts.h"

typedef enum TokenForm
{
	ANGLE,						/* <name> and </name> */
	BARRED,						/* <|name|>, letters folded, U+2581 as '_';
								 * wide bars too */
	SQUARE,						/* [NAME] and [/NAME] */
	TRIANGLE					/* U+25C1 name U+25B7, Kimi's */
} TokenForm;

/* In a name '#' stands for digits (there may be none), '@' for one hexadecimal digit. */
typedef struct TokenEntry
{
	const char *name;
	TokenForm	form;
	TokenKind	kind;
	bool		word;			/* people write about it: a text may name it */
} TokenEntry;

/*
 * A list, and for each form and first letter the chain of its entries: places in the list
 * plus 1; 0: none.
 */
#define KEYS 128
#define MAX_ENTRIES 255

typedef struct TokenIndex
{
	const TokenEntry *list;
	unsigned char first[TRIANGLE + 1][KEYS];
	unsigned char next[MAX_ENTRIES];
} TokenIndex;

extern TokenIndex tokens_now;
extern TokenIndex tokens_of_1_0;

/* Must be called before any search in a list; does its work once. */
extern void tokens_make_index(void);

/* The entry of this form and name; *closing: of the name behind a '/'.  NULL: none. */
extern const TokenEntry *tokens_find_entry(const TokenIndex *index, TokenForm form, const char *p,
										   const char *end, bool *closing);

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

#endif							/* LLAVA_REPLY_TOKENS_H */
