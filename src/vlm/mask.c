/*
 * mask.c
 *	  The API key is overwritten in text from outside, however it is spelled.
 *
 * A server that echoes the key writes it literally, or with the escapes of JSON, of a
 * URL or of HTML; a gateway that wraps the server's JSON in a string escapes it
 * again.  So a text is read in several ways, one escape's meaning after the other, and
 * the key is looked for in each reading.  Offsets lead from a reading back to the
 * bytes of the text that spell it, and these are overwritten.
 *
 * All is linear in the text: Knuth-Morris-Pratt, a fixed number of readings, and each
 * byte marked once a reading.  Texts without a beginning of the key, nearly all, take
 * one memmem a reading.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "mask.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Shorter keys are no secrets, and to overwrite them would spoil what they stand in. */
#define SHORTEST_KEY 4

/* A beginning of so many bytes is masked where the text ends behind it. */
#define LONG_BEGINNING 8

/* Escapes within escapes: JSON in a string of JSON, in one of JSON, ... */
#define WORDS_DEPTH 3
#define BODY_DEPTH (WORDS_DEPTH + 1)

/* What escapes a quotation mark at that depth. */
#define MOST_BACKSLASHES 15

/* Masking can bring about another reading of what is left; two rounds are the rule. */
#define MOST_ROUNDS 8

/* A text as it reads when some of its escapes are taken for what they mean. */
typedef struct Reading
{
	const char *bytes;
	size_t		size;
	const size_t *places;		/* where in the text each byte is spelled, and
								 * the text's size; NULL: as many bytes in */
	char	   *memory;			/* behind both, if they are this reading's own */
} Reading;

typedef struct Search
{
	const char *key;
	size_t		length;
	size_t		beginning;		/* so much of the key is masked before an end */
	bool		ascii;			/* the key is */
	size_t	   *fallbacks;		/* Knuth-Morris-Pratt's; NULL: only look
								 * whether a beginning of the key is there */
	char	   *marks;			/* of the text's bytes: to be overwritten */
	size_t		text_size;
	bool		found;
} Search;

/*
 * The escape at p: how many of the bytes left it takes, or 0; its meaning, of *n
 * bytes, goes to out, which has room for four.
 */
typedef size_t (*Escape) (const char *p, size_t left, char *out, size_t *n);

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* So many hexadecimal digits at p; -1: there are none. */
static int
hex_number(const char *p, size_t left, size_t digits)
{
	int			number = 0;

	if (left < digits)
		return -1;
	for (size_t i = 0; i < digits; i++)
	{
		int			digit = hex_digit(p[i]);

		if (digit < 0)
			return -1;
		number = number * 16 + digit;
	}
	return number;
}

static size_t
put_character(char *out, uint32_t code)
{
	size_t		n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

	if (n == 1)
	{
		out[0] = (char) code;
		return 1;
	}
	for (size_t i = n - 1; i > 0; i--)
	{
		out[i] = (char) (0x80 | (code & 0x3f));
		code >>= 6;
	}
	out[0] = (char) ((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | code);
	return n;
}

static size_t
unicode_escape(const char *p, size_t left, char *out, size_t *n)
{
	int			code = left < 2 ? -1 : hex_number(p + 2, left - 2, 4);
	int			second;

	if (code < 0)
		return 0;
	if (code >= 0xd800 && code < 0xdc00 && left >= 12 && p[6] == '\\' && p[7] == 'u')
	{
		second = hex_number(p + 8, left - 8, 4);
		if (second >= 0xdc00 && second < 0xe000)
		{
			*n = put_character(out, 0x10000 + (((uint32_t) code - 0xd800) << 10) +
							   ((uint32_t) second - 0xdc00));
			return 12;
		}
	}
	*n = put_character(out, (uint32_t) code);
	return 6;
}

/* "\x2b": not JSON's, but what logs and Python write. */
static size_t
byte_escape(const char *p, size_t left, char *out, size_t *n)
{
	int			code = hex_number(p + 2, left - 2, 2);

	if (code < 0)
		return 0;
	*out = (char) code;
	*n = 1;
	return 4;
}

static size_t
json_escape(const char *p, size_t left, char *out, size_t *n)
{
	static const char letters[] = "bfnrt\"\\/";
	static const char meanings[] = "\b\f\n\r\t\"\\/";
	const char *letter;

	if (left < 2)
		return 0;
	if (p[1] == 'u')
		return unicode_escape(p, left, out, n);
	if (p[1] == 'x')
		return byte_escape(p, left, out, n);
	letter = memchr(letters, p[1], sizeof(letters) - 1);
	if (letter == NULL)
		return 0;
	*out = meanings[letter - letters];
	*n = 1;
	return 2;
}

static size_t
url_escape(const char *p, size_t left, char *out, size_t *n)
{
	int			code = hex_number(p + 1, left - 1, 2);

	if (code < 0)
		return 0;
	*out = (char) code;
	*n = 1;
	return 3;
}

/* "&#43;" and "&#x2b;". */
static size_t
html_number(const char *p, size_t left, char *out, size_t *n)
{
	bool		hex = left > 2 && (p[2] == 'x' || p[2] == 'X');
	size_t		first = hex ? 3 : 2;
	size_t		at = first;
	uint32_t	code = 0;

	for (; at < left && at < first + 7; at++)
	{
		int			digit = hex_digit(p[at]);

		if (digit < 0 || (!hex && digit > 9))
			break;
		code = code * (hex ? 16 : 10) + (uint32_t) digit;
	}
	if (at == first || at == left || p[at] != ';' || code > 0x10ffff)
		return 0;
	*n = put_character(out, code);
	return at + 1;
}

static size_t
html_escape(const char *p, size_t left, char *out, size_t *n)
{
	static const char *const names[] = {"amp;", "lt;", "gt;", "quot;", "apos;"};
	static const char meanings[] = "&<>\"'";

	if (left > 1 && p[1] == '#')
		return html_number(p, left, out, n);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		size_t		size = strlen(names[i]);

		if (left > size && memcmp(p + 1, names[i], size) == 0)
		{
			*out = meanings[i];
			*n = 1;
			return size + 1;
		}
	}
	return 0;
}

static size_t
place_of(const Reading *reading, size_t at)
{
	return reading->places == NULL ? at : reading->places[at];
}

/* Memory for what can become of the text: an escape never is shorter than its meaning. */
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

/* n bytes more, all spelled at place, or, if it is a copy, each where it was before. */
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

/* Whether the key may have such a byte, or an escape. */
static bool
is_telling(const Search *search, char c)
{
	static const char escapes[] = "0123456789abcdefABCDEF\\%&#;uxlgtqmpos";

	return memchr(escapes, c, sizeof(escapes)) != NULL ||
		memchr(search->key, c, search->length) != NULL;
}

/*
 * Whether one of these escapes can be part of the key, or of an escape that is.  Line
 * ends, quotation marks and other scripts' characters, which all texts have, are not,
 * and their meanings need not be written down.
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

		/* most are these, in a text without a word of ASCII */
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
 * The reading in which escapes that begin with this character mean what they mean.
 * False: no memory; *reading has none of its own if it would tell nothing new.
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

/* The text's bytes that spell these of the reading; *done: marked up to there before. */
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

/* Marks the key, and long beginnings of it where a string or the text ends. */
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

/* A reading that leads to no other. */
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

/* Looks at all readings of the text.  False: no memory. */
static bool
look_at_readings(Search *search, const char *text, size_t size, int depth)
{
	Reading		reading = {.bytes = text,.size = size};
	bool		ok = true;

	search->text_size = size;
	search->found = false;
	while (ok)
	{
		Reading		next;

		look_at(search, &reading);
		ok = look_beside(search, &reading, '%', url_escape) &&
			look_beside(search, &reading, '&', html_escape);
		if (!ok || depth-- == 0)
			break;
		ok = read_escapes(search, &next, &reading, '\\', json_escape);
		if (!ok || next.memory == NULL)
			break;
		free(reading.memory);
		reading = next;
	}
	free(reading.memory);
	return ok;
}

/* A character that is not in the key: what is masked cannot be the key again. */
static char
mask_for(const char *key, const char *candidates)
{
	for (const char *c = candidates; *c != '\0'; c++)
		if (strchr(key, *c) == NULL)
			return *c;
	return candidates[0];
}

/* Of words: a byte remains a byte. */
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

/* Of a number of JSON, which remains one. */
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

/* Of a string of JSON: escapes go as a whole, and it means what words would be made of it. */
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
		size_t		escape = text[at] == '\\' ? json_escape(text + at, *size - at, meaning, &n) : 0;
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

/* One of these three; whether it changed anything. */
typedef bool (*Overwrite) (char *text, size_t *size, const Search *search);

/* False: no memory. */
static bool
mask_piece(char *text, size_t *size, Search *search, int depth, Overwrite overwrite)
{
	for (int round = 0; round < MOST_ROUNDS; round++)
	{
		memset(search->marks, 0, *size);
		if (!look_at_readings(search, text, *size, depth))
			return false;
		if (!search->found || !overwrite(text, size, search))
			return true;
	}
	return true;
}

/* The bytes of the string, without its quotation marks, or number at p; or 0. */
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

static void
fill_fallbacks(size_t *fallbacks, const char *key, size_t length)
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

/* A text that has a beginning of the key in one reading.  False: no memory. */
static bool
mask_found(char *text, size_t *size, Search *search, int depth, bool body)
{
	bool		ok;

	search->fallbacks = malloc(search->length * sizeof(size_t));
	search->marks = malloc(*size + 1);
	ok = search->fallbacks != NULL && search->marks != NULL;
	if (ok)
	{
		fill_fallbacks(search->fallbacks, search->key, search->length);
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
	if (!look_at_readings(&search, text, *size, depth))
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
