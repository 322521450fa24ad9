/*
 * object_escapes.c
 *	  What a string of JSON or Python says, as a string of strict JSON.
 */
#include "object.h"

bool
object_take_hex(const char **p, const char *stop, int digits, uint32_t *c)
{
	*c = 0;
	if (stop - *p < digits)
		return false;
	for (int i = 0; i < digits; i++)
	{
		int			digit = json_hex_digit((*p)[i]);

		if (digit < 0)
			return false;
		*c = *c * 16 + (uint32_t) digit;
	}
	*p += digits;
	return true;
}

static void
append_character(ObjectRead *read, uint32_t c, const char *at)
{
	char		bytes[8];

	if (c == 0)
	{
		read->bad_value = read->bad_value == NULL ? at : read->bad_value;
		return;
	}
	if (c == '"' || c == '\\')
	{
		bytes[0] = '\\';
		bytes[1] = (char) c;
		object_text_append(&read->text, bytes, 2);
	}
	else if (c < 0x20)
	{
		static const char hex[] = "0123456789abcdef";

		memcpy(bytes, "\\u00", 4);
		bytes[4] = hex[c >> 4];
		bytes[5] = hex[c & 15];
		object_text_append(&read->text, bytes, 6);
	}
	else
		object_text_append(&read->text, bytes, (size_t) text_encode(c, bytes));
}

/* \uXXXX, a pair of them for one character; \xXX and \UXXXXXXXX of Python. */
static bool
take_number(const char **p, const char *stop, char letter, ObjectRead *read)
{
	const char *at = *p - 2;
	const char *next;
	uint32_t	c;
	uint32_t	low;

	if (!object_take_hex(p, stop, letter == 'x' ? 2 : letter == 'u' ? 4 : 8, &c))
		return false;
	next = *p + 2;
	if (letter == 'u' && c >= 0xD800 && c <= 0xDBFF && stop - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u' &&
		object_take_hex(&next, stop, 4, &low) && low >= 0xDC00 && low <= 0xDFFF)
	{
		c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
		*p = next;
	}
	if ((c >= 0xD800 && c <= 0xDFFF) || c == 0xFFFD || c > 0x10FFFF)
	{
		read->bad_utf8 = read->bad_utf8 == NULL ? at : read->bad_utf8;
		return true;
	}
	append_character(read, c, at);
	return true;
}

/* The escape whose letter is at *p; false: nobody says what it means. */
static bool
take_escape(const char **p, const char *stop, ObjectRead *read)
{
	static const char letters[] = "\"\\/'bfnrt";
	static const char meanings[] = "\"\\/'\b\f\n\r\t";
	const char *at = *p;
	const char *found;
	int			length;

	if (at == stop)
		return false;
	if (*at == 'u' || *at == 'x' || *at == 'U')
	{
		(*p)++;
		return take_number(p, stop, *at, read);
	}
	found = *at == '\0' ? NULL : strchr(letters, *at);
	if (found != NULL)
	{
		append_character(read, (uint32_t) meanings[found - letters], at);
		(*p)++;
		return true;
	}
	length = object_quote(at, stop);
	if (length == 0)
		return false;
	object_text_append(&read->text, at, (size_t) length);
	*p += length;
	return true;
}

/* Whether strict JSON has this byte as it is. */
static inline bool
is_plain(char c)
{
	return (unsigned char) c >= 0x20 && c != '"' && c != '\\';
}

bool
object_write_text(const char *p, const char *stop, ObjectRead *read)
{
	while (p < stop)
	{
		const char *from = p;

		while (p < stop && is_plain(*p))
			p++;
		object_text_append(&read->text, from, (size_t) (p - from));
		if (p == stop)
			return true;
		if (*p == '\\')
		{
			p++;
			if (!take_escape(&p, stop, read))
				return false;
		}
		else
		{
			append_character(read, (uint32_t) *p, p);
			p++;
		}
	}
	return true;
}
