/*
 * mask_search.c
 *	  Finds the bytes of a text that spell the key, whatever escapes are used.
 *
 * A server that echoes the key writes it literally, or with the escapes of JSON, of a
 * URL or of HTML; a gateway that wraps the server's JSON in a string escapes it
 * again.  So a text is decoded in several ways ("readings"), one kind of escape after
 * another, and the key is looked for in each.  Offsets lead from a reading back to the
 * bytes of the text, and those that spell the key are marked.
 *
 * All of it takes linear time: Knuth-Morris-Pratt, a fixed number of readings, and each
 * byte marked once a reading.  Texts without a prefix of the key, nearly all, take one
 * memmem a reading.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "mask_search.h"

#include "escapes.h"

#include <stdlib.h>
#include <string.h>

/* Backslashes before a quotation mark that is escaped four times (mask.c's BODY_DEPTH). */
#define MOST_BACKSLASHES 15

/* A text with some of its escapes decoded. */
typedef struct Reading
{
	const char *bytes;
	size_t		size;
	const size_t *places;		/* where in the text each byte is spelled, and
								 * at the end the text's size; NULL: at the
								 * same offset */
	char	   *memory;			/* that holds both; NULL: the caller's */
} Reading;

void
search_fill_fallbacks(size_t *fallbacks, const char *key, size_t length)
{
	size_t		matched = 0;

	fallbacks[0] = 0;
	for (size_t i = 1; i < length; i++)
	{
		while (matched > 0 && key[matched] != key[i])
			matched = fallbacks[matched - 1];
		if (key[matched] == key[i])
			matched++;
		fallbacks[i] = matched;
	}
}

static size_t
place_of(const Reading *reading, size_t at)
{
	return reading->places == NULL ? at : reading->places[at];
}

/* Allocates for the decoded text: an escape is never shorter than its meaning. */
static bool
make_reading(Reading *reading, size_t room, bool with_places)
{
	size_t		places = with_places ? (room + 1) * sizeof(size_t) : 0;

	reading->memory = malloc(places + room + 1);
	reading->places = with_places ? (const size_t *) (void *) reading->memory : NULL;
	reading->bytes = reading->memory + places;
	reading->size = 0;
	return reading->memory != NULL;
}

/* Appends n bytes: copied from at on, or all the meaning of the escape at at. */
static void
add_bytes(Reading *reading, const char *bytes, size_t n, const Reading *of, size_t at, bool copy)
{
	char	   *to = reading->memory + (reading->bytes - reading->memory) + reading->size;
	size_t	   *places = (size_t *) (void *) reading->memory;

	memcpy(to, bytes, n);
	if (reading->places != NULL)
		for (size_t i = 0; i < n; i++)
			places[reading->size + i] = place_of(of, copy ? at + i : at);
	reading->size += n;
}

/* Whether this byte can be part of the key, or of an escape. */
static bool
is_telling(const Search *search, char c)
{
	static const char escapes[] = "0123456789abcdefABCDEF\\%&#;uxlgtqmpos";

	return memchr(escapes, c, sizeof(escapes)) != NULL ||
		memchr(search->key, c, search->length) != NULL;
}

/*
 * Whether decoding these escapes can show the key, or an escape that does.  Those of line
 * ends, quotation marks and other scripts, which all texts have, cannot, and need not be
 * decoded.
 */
static bool
has_telling_escape(const Search *search, const Reading *of, char begins, Escape escape)
{
	const char *end = of->bytes + of->size;

	for (const char *p = of->bytes; (p = memchr(p, begins, (size_t) (end - p))) != NULL;)
	{
		char		meaning[4];
		size_t		n = 0;
		size_t		taken;

		/* most escapes of a Chinese text */
		if (search->ascii && end - p > 3 && p[1] == 'u' && (p[2] != '0' || p[3] != '0'))
		{
			p += 2;
			continue;
		}
		taken = escape(p, (size_t) (end - p), meaning, &n);
		for (size_t i = 0; taken > 0 && i < n; i++)
			if (is_telling(search, meaning[i]))
				return true;
		p += taken > 0 ? taken : 1;
	}
	return false;
}

/*
 * The reading of another in which escapes that begin with this character are decoded.
 * reading->memory is NULL if it would show nothing new.  False: no memory.
 */
static bool
read_escapes(const Search *search, Reading *reading, const Reading *of, char begins, Escape escape)
{
	bool		with_places = search->fallbacks != NULL;
	size_t		at = 0;

	reading->memory = NULL;
	if (!has_telling_escape(search, of, begins, escape))
		return true;
	if (!make_reading(reading, of->size, with_places))
		return false;
	while (at < of->size)
	{
		const char *p = of->bytes + at;
		const char *next = memchr(p, begins, of->size - at);
		size_t		plain = next == NULL ? of->size - at : (size_t) (next - p);
		char		meaning[4];
		size_t		n = 0;
		size_t		taken;

		if (plain > 0)
			add_bytes(reading, p, plain, of, at, true);
		at += plain;
		if (next == NULL)
			break;
		taken = escape(next, of->size - at, meaning, &n);
		if (taken == 0)
			add_bytes(reading, next, 1, of, at, true);
		else
			add_bytes(reading, meaning, n, of, at, false);
		at += taken == 0 ? 1 : taken;
	}
	if (with_places)
		((size_t *) (void *) reading->memory)[reading->size] = place_of(of, of->size);
	return true;
}

/* Marks the text's bytes that spell [from, to) of the reading, from *done on. */
static void
mark_span(Search *search, const Reading *reading, size_t from, size_t to, size_t *done)
{
	size_t		first = place_of(reading, from);
	size_t		end;

	/* all bytes of one escape have one place */
	while (to < reading->size && place_of(reading, to) == place_of(reading, to - 1))
		to++;
	end = to < reading->size ? place_of(reading, to) : search->text_size;
	first = first < *done ? *done : first;
	if (end > first)
		memset(search->marks + first, 1, end - first);
	*done = end > *done ? end : *done;
	search->found = true;
}

/* Whether a string ends here: one in a string at a quotation mark with its backslashes. */
static bool
is_end(const Reading *reading, size_t at)
{
	for (int i = 0; i < MOST_BACKSLASHES && at < reading->size && reading->bytes[at] == '\\'; i++)
		at++;
	return at == reading->size || reading->bytes[at] == '"';
}

/* Marks the key, and long prefixes of it where a string or the text ends. */
static void
mark_reading(Search *search, const Reading *reading)
{
	size_t		matched = 0;
	size_t		done = 0;

	for (size_t i = 0; i < reading->size; i++)
	{
		char		c = reading->bytes[i];

		if (matched >= search->beginning && is_end(reading, i))
			mark_span(search, reading, i - matched, i, &done);
		while (matched > 0 && (matched == search->length || search->key[matched] != c))
			matched = search->fallbacks[matched - 1];
		if (search->key[matched] == c)
			matched++;
		if (matched == search->length)
			mark_span(search, reading, i + 1 - matched, i + 1, &done);
	}
	if (matched >= search->beginning)
		mark_span(search, reading, reading->size - matched, reading->size, &done);
}

static void
look_at(Search *search, const Reading *reading)
{
	if (search->fallbacks != NULL)
		mark_reading(search, reading);
	else if (memmem(reading->bytes, reading->size, search->key, search->beginning) != NULL)
		search->found = true;
}

/* Looks at a reading from which no other is made. */
static bool
look_beside(Search *search, const Reading *of, char begins, Escape escape)
{
	Reading		reading;

	if (!read_escapes(search, &reading, of, begins, escape))
		return false;
	if (reading.memory != NULL)
		look_at(search, &reading);
	free(reading.memory);
	return true;
}

bool
search_readings(Search *search, const char *text, size_t size, int depth)
{
	Reading		reading = {.bytes = text,.size = size};
	bool		ok = true;

	search->text_size = size;
	search->found = false;
	while (ok)
	{
		Reading		next;

		look_at(search, &reading);
		ok = look_beside(search, &reading, '%', escape_decode_url) &&
			look_beside(search, &reading, '&', escape_decode_html);
		if (!ok || depth-- == 0)
			break;
		ok = read_escapes(search, &next, &reading, '\\', escape_decode_json);
		if (!ok || next.memory == NULL)
			break;
		free(reading.memory);
		reading = next;
	}
	free(reading.memory);
	return ok;
}
