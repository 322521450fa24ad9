/*
 * required.c
 *	  The keys that an object must have and the types of their values: 'worth 0..3',
 *	  'has_text boolean', 'lines list', 'why text', or only 'key'.
 *
 * Values of other types are converted only where nothing else can be meant; a number out of
 * its range becomes the nearest one in it.
 */
#include "object.h"

#include <stdio.h>
#include <stdlib.h>

#define NAME_MOST 200			/* bytes */
#define RANGE_MOST 1000000000
#define INTEGER_ROOM 16

/* ---- what is asked for ---- */

/* A whole number of a range, with its sign; false: none stands at *p. */
static bool
take_bound(const char **p, const char *end, int *bound)
{
	bool		minus = *p < end && **p == '-';
	const char *digits = minus ? *p + 1 : *p;
	long		value = 0;

	for (*p = digits; *p < end && **p >= '0' && **p <= '9' && value <= RANGE_MOST; (*p)++)
		value = value * 10 + (**p - '0');
	if (*p == digits || value > RANGE_MOST)
		return false;
	*bound = (int) (minus ? -value : value);
	return true;
}

static bool
take_range(Span word, ReplyKey *key)
{
	const char *p = word.p;
	const char *end = word.p + word.n;

	if (!take_bound(&p, end, &key->low) || !text_starts(text_span(p, end), ".."))
		return false;
	p += 2;
	return take_bound(&p, end, &key->high) && p == end && key->low <= key->high;
}

static bool
is(Span word, const char *other)
{
	return word.n == strlen(other) && memcmp(word.p, other, word.n) == 0;
}

static bool
take_type(Span word, ReplyKey *key)
{
	key->type = is(word, "boolean") ? REPLY_BOOLEAN : is(word, "list") ? REPLY_LIST :
		is(word, "text") ? REPLY_TEXT : REPLY_RANGE;
	return key->type != REPLY_RANGE || take_range(word, key);
}

bool
reply_key_parse(const char *spec, size_t length, ReplyKey *key)
{
	Span		name = text_trim(text_span(spec, spec + length));
	const char *end = name.p + name.n;
	const char *blank = end;

	memset(key, 0, sizeof(*key));
	while (blank > name.p && blank[-1] != ' ')
		blank--;
	if (blank > name.p)
	{
		if (!take_type(text_span(blank, end), key))
			return false;
		name = text_trim(text_span(name.p, blank));
	}
	key->name = name.p;
	key->length = name.n;
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char) name.p[i] < 0x20 || name.p[i] == '"' || name.p[i] == '\\')
			return false;
	return name.n > 0 && name.n <= NAME_MOST;
}

/* ---- what is there ---- */

ObjectEntry *
object_entry(const ObjectRead *read, const ReplyKey *key)
{
	for (int i = 0; i < read->n; i++)
	{
		ObjectEntry *entry = &read->entries[i];

		if (!entry->replaced && entry->key.n == key->length &&
			memcmp(read->text.p + entry->key.at, key->name, key->length) == 0)
			return entry;
	}
	return NULL;
}

static void
replace_value(ObjectRead *read, ObjectEntry *entry, const char *value)
{
	entry->value.at = read->text.n;
	entry->value.n = strlen(value);
	object_text_append(&read->text, value, entry->value.n);
}

/* The value as it was written; of a text without its quotes. */
static Span
value_of(const ObjectRead *read, const ObjectEntry *entry)
{
	const char *p = read->text.p + entry->value.at;

	if (entry->kind == VALUE_TEXT)
		return text_trim(text_span(p + 1, p + entry->value.n - 1));
	return text_span(p, p + entry->value.n);
}

/* A number of decimal digits before and behind its point, times a power of ten. */
typedef struct Decimal
{
	bool		minus;
	const char *digits;			/* the whole part; the fraction follows a
								 * point */
	size_t		n_whole;
	const char *fraction;
	size_t		n_fraction;
	long		exponent;
} Decimal;

static size_t
count_digits(const char *p, const char *end)
{
	size_t		n = 0;

	while (p + n < end && p[n] >= '0' && p[n] <= '9')
		n++;
	return n;
}

/* Takes apart what has the shape of a number of JSON; false: it has not. */
static bool
decimal_of(Span text, Decimal *d)
{
	const char *p = text.p;
	const char *end = text.p + text.n;

	memset(d, 0, sizeof(*d));
	d->minus = p < end && *p == '-';
	d->digits = p += d->minus;
	d->n_whole = count_digits(p, end);
	p += d->n_whole;
	if (p < end && *p == '.')
	{
		d->fraction = ++p;
		d->n_fraction = count_digits(p, end);
		p += d->n_fraction;
		if (d->n_fraction == 0)
			return false;
	}
	if (d->n_whole > 0 && p < end && (*p == 'e' || *p == 'E'))
	{
		char	   *behind;

		d->exponent = strtol(p + 1, &behind, 10);
		p = behind;
	}
	return d->n_whole > 0 && p == end;
}

static char
digit_at(const Decimal *d, size_t i)
{
	return i < d->n_whole ? d->digits[i] : d->fraction[i - d->n_whole];
}

/* The number if it is a whole one, at most RANGE_MOST + 1 either way; false: it is none. */
static bool
whole_number(const Decimal *d, long *value)
{
	size_t		n = d->n_whole + d->n_fraction;
	long		point = (long) d->n_whole + d->exponent;	/* digits before it */
	bool		zero = true;

	*value = 0;
	for (size_t i = 0; i < n; i++)
	{
		int			digit = digit_at(d, i) - '0';

		zero &= digit == 0;
		if ((long) i >= point && digit != 0)
			return false;
		if ((long) i < point && *value <= RANGE_MOST)
			*value = *value * 10 + digit;
	}
	for (long i = (long) n; i < point && *value <= RANGE_MOST && !zero; i++)
		*value *= 10;
	*value = *value > RANGE_MOST ? RANGE_MOST + 1L : *value;
	*value = d->minus ? -*value : *value;
	return true;
}

/* Full-width digits, sign and stroke to ASCII, in room; false: there is something else. */
static bool
half_width(Span text, char *room, size_t size, Span *out)
{
	size_t		n = 0;
	int			length;

	for (const char *p = text.p; p < text.p + text.n; p += length)
	{
		uint32_t	c = text_fold(text_decode(p, text.p + text.n, &length));

		if (n == size || !((c >= '0' && c <= '9') || c == '/' || c == '-' || c == '.' || c == ' '))
			return false;
		room[n++] = (char) c;
	}
	*out = text_span(room, room + n);
	return true;
}

/* The number that a text says: digits, or "n/m" with the range's own top. */
static bool
number_in_text(const ReplyKey *key, Span text, long *value)
{
	char		room[64];
	const char *stroke;
	Decimal		d;
	long		top;

	if (!half_width(text, room, sizeof(room), &text) || text.n == 0)
		return false;
	stroke = memchr(text.p, '/', text.n);
	if (stroke != NULL)
	{
		if (!decimal_of(text_trim(text_span(stroke + 1, text.p + text.n)), &d) || d.fraction != NULL ||
			!whole_number(&d, &top) || top != key->high)
			return false;
		text = text_trim(text_span(text.p, stroke));
	}
	return decimal_of(text, &d) && !(d.minus && key->low >= 0) && whole_number(&d, value);
}

static bool
convert_range(ObjectRead *read, ObjectEntry *entry, const ReplyKey *key, uint32_t *flags)
{
	char		number[INTEGER_ROOM];
	Span		text = value_of(read, entry);
	Decimal		d;
	long		value;

	if (entry->kind == VALUE_NUMBER)
	{
		if (!decimal_of(text, &d) || !whole_number(&d, &value))
			return false;
	}
	else if (entry->kind != VALUE_TEXT || !number_in_text(key, text, &value))
		return false;
	if (value < key->low || value > key->high)
	{
		value = value < key->low ? key->low : key->high;
		*flags |= REPLY_CLIPPED;
	}
	snprintf(number, sizeof(number), "%ld", value);
	replace_value(read, entry, number);
	return true;
}

/* "true" and "false" in any case, 是 and 否. */
static bool
convert_boolean(ObjectRead *read, ObjectEntry *entry)
{
	char		small[8];
	Span		text = value_of(read, entry);
	bool		yes;

	if (entry->kind == VALUE_BOOLEAN)
		return true;
	if (entry->kind != VALUE_TEXT || text.n > sizeof(small))
		return false;
	for (size_t i = 0; i < text.n; i++)
		small[i] = (char) (text.p[i] >= 'A' && text.p[i] <= 'Z' ? text.p[i] + 32 : text.p[i]);
	text.p = small;
	yes = is(text, "true") || is(text, "是");
	if (!yes && !is(text, "false") && !is(text, "否"))
		return false;
	replace_value(read, entry, yes ? "true" : "false");
	return true;
}

static bool
convert(ObjectRead *read, ObjectEntry *entry, const ReplyKey *key, uint32_t *flags)
{
	switch (key->type)
	{
		case REPLY_ANY:
			return true;
		case REPLY_BOOLEAN:
			return convert_boolean(read, entry);
		case REPLY_LIST:
			return entry->kind == VALUE_LIST;
		case REPLY_TEXT:
			return entry->kind == VALUE_TEXT;
		case REPLY_RANGE:
			return convert_range(read, entry, key, flags);
	}
	return false;
}

const ObjectEntry *
object_convert(ObjectRead *read, const ReplyKey *keys, int n_keys, uint32_t *flags)
{
	for (int i = 0; i < n_keys; i++)
	{
		ObjectEntry *entry = object_entry(read, &keys[i]);

		if (!convert(read, entry, &keys[i], flags))
			return entry;
	}
	return NULL;
}
