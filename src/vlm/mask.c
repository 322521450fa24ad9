/*
 * mask.c
 *	  Overwrites the API key in text from outside, however it is spelled.
 *
 * mask_search.c finds the bytes that spell the key; this file overwrites them, and keeps
 * JSON valid.
 */
#include "mask.h"

#include "escapes.h"
#include "mask_search.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Shorter keys are no secrets, and masking them would spoil the texts around them. */
#define SHORTEST_KEY 4

/* A prefix of the key of this many bytes is masked if the text ends behind it. */
#define LONG_BEGINNING 8

/* How deep escapes are nested: JSON in a string of JSON, and so on. */
#define WORDS_DEPTH 3
#define BODY_DEPTH (WORDS_DEPTH + 1)

/* Masking can make what is left spell the key in another way; two rounds are usual. */
#define MOST_ROUNDS 8

/* A character that is not in the key, so that what is masked cannot spell it again. */
static char
mask_for(const char *key, const char *candidates)
{
	for (const char *c = candidates; *c != '\0'; c++)
		if (strchr(key, *c) == NULL)
			return *c;
	return candidates[0];
}

/* In words: each byte is replaced by one. */
static bool
overwrite_words(char *text, size_t *size, const Search *search)
{
	char		mask = mask_for(search->key, "*#x_=~+.-");
	bool		changed = false;

	for (size_t i = 0; i < *size; i++)
		if (search->marks[i] && text[i] != mask)
		{
			text[i] = mask;
			changed = true;
		}
	return changed;
}

/* In a number of JSON, which stays a number. */
static bool
overwrite_number(char *text, size_t *size, const Search *search)
{
	char		digit = mask_for(search->key, "12345678");
	bool		changed = false;

	for (size_t i = 0; i < *size; i++)
		if (search->marks[i] && text[i] >= '0' && text[i] <= '9' && text[i] != digit)
		{
			text[i] = digit;
			changed = true;
		}
	return changed;
}

/* In a string of JSON: escapes are replaced whole, as if its decoded text were masked. */
static bool
overwrite_string(char *text, size_t *size, const Search *search)
{
	char		mask = mask_for(search->key, "*#x_=~+.-");
	bool		changed = false;
	size_t		to = 0;

	for (size_t at = 0; at < *size;)
	{
		char		meaning[4];
		size_t		n = 1;
		size_t		escape = text[at] == '\\' ? escape_decode_json(text + at, *size - at, meaning, &n) : 0;
		size_t		taken = escape > 0 ? escape : 1;

		if (memchr(search->marks + at, 1, taken) != NULL)
		{
			changed |= escape > 0 || text[at] != mask;
			memset(text + to, mask, n);
			to += n;
		}
		else
		{
			memmove(text + to, text + at, taken);
			to += taken;
		}
		at += taken;
	}
	*size = to;
	return changed;
}

/* One of the three above; returns whether it changed anything. */
typedef bool (*Overwrite) (char *text, size_t *size, const Search *search);

/* False: no memory. */
static bool
mask_piece(char *text, size_t *size, Search *search, int depth, Overwrite overwrite)
{
	for (int round = 0; round < MOST_ROUNDS; round++)
	{
		memset(search->marks, 0, *size);
		if (!search_readings(search, text, *size, depth))
			return false;
		if (!search->found || !overwrite(text, size, search))
			return true;
	}
	return true;
}

/* Size of the string (without quotation marks) or number at p. */
static size_t
token_size(const char *p, size_t left, bool string)
{
	size_t		size = 0;

	while (size < left && (string ? p[size] != '"' : strchr("0123456789+-.eE", p[size]) != NULL &&
						   p[size] != '\0'))
		size += string && p[size] == '\\' && left - size > 1 ? 2 : 1;
	return size;
}

/* JSON stays JSON: strings, names among them, and numbers are masked one by one. */
static bool
mask_json(char *text, size_t *size, Search *search, int depth)
{
	size_t		to = 0;
	bool		in_string = false;
	bool		ok = true;

	for (size_t at = 0; at < *size;)
	{
		bool		number = !in_string && ((text[at] >= '0' && text[at] <= '9') || text[at] == '-');
		size_t		taken = in_string || number ? token_size(text + at, *size - at, in_string) : 0;
		size_t		kept = taken;

		if (taken > 0)
		{
			memmove(text + to, text + at, taken);
			ok = ok && mask_piece(text + to, &kept, search, depth,
								  number ? overwrite_number : overwrite_string);
			to += kept;
			at += taken;
			if (number)
				continue;
		}
		if (at == *size)
			break;
		in_string = text[at] == '"' ? !in_string : in_string;
		text[to++] = text[at++];
	}
	*size = to;
	return ok;
}

static bool
is_json(const char *text, size_t size)
{
	json_t	   *root = json_loadb(text, size, JSON_ALLOW_NUL, NULL);
	bool		is = root != NULL;

	json_decref(root);
	return is;
}

/* Masks a text that spells a prefix of the key in some reading.  False: no memory. */
static bool
mask_found(char *text, size_t *size, Search *search, int depth, bool body)
{
	bool		ok;

	search->fallbacks = malloc(search->length * sizeof(size_t));
	search->marks = malloc(*size + 1);
	ok = search->fallbacks != NULL && search->marks != NULL;
	if (ok)
	{
		search_fill_fallbacks(search->fallbacks, search->key, search->length);
		ok = body && is_json(text, *size) ? mask_json(text, size, search, depth) :
			mask_piece(text, size, search, depth, overwrite_words);
	}
	free(search->fallbacks);
	free(search->marks);
	return ok;
}

static bool
mask(char *text, size_t *size, const char *key, int depth, bool body)
{
	Search		search = {.key = key,.length = key == NULL ? 0 : strlen(key)};

	if (text == NULL || search.length < SHORTEST_KEY)
		return true;
	search.beginning = search.length / 2 < SHORTEST_KEY ? SHORTEST_KEY :
		search.length / 2 > LONG_BEGINNING ? LONG_BEGINNING : search.length / 2;
	search.ascii = true;
	for (size_t i = 0; i < search.length; i++)
		search.ascii &= (unsigned char) key[i] < 0x80;
	if (!search_readings(&search, text, *size, depth))
		return false;
	return !search.found || mask_found(text, size, &search, depth, body);
}

bool
mask_words(char *text, size_t size, const char *key)
{
	return mask(text, &size, key, WORDS_DEPTH, false);
}

bool
mask_body(char *body, size_t *size, const char *key)
{
	bool		ok = mask(body, size, key, BODY_DEPTH, true);

	if (body != NULL)
		body[*size] = '\0';
	return ok;
}
