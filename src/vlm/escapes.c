/*
 * escapes.c
 *	  What the escapes of JSON, of URLs and of HTML mean.
 */
#include "escapes.h"

#include <stdbool.h>
#include <string.h>

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int
escape_hex_number(const char *p, size_t left, size_t digits)
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

size_t
escape_put_character(char *out, uint32_t code)
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
	int			code = left < 2 ? -1 : escape_hex_number(p + 2, left - 2, 4);
	int			second;

	if (code < 0)
		return 0;
	if (code >= 0xd800 && code < 0xdc00 && left >= 12 && p[6] == '\\' && p[7] == 'u')
	{
		second = escape_hex_number(p + 8, left - 8, 4);
		if (second >= 0xdc00 && second < 0xe000)
		{
			*n = escape_put_character(out, 0x10000 + (((uint32_t) code - 0xd800) << 10) +
									  ((uint32_t) second - 0xdc00));
			return 12;
		}
	}
	*n = escape_put_character(out, (uint32_t) code);
	return 6;
}

/* "\x2b": not JSON's, but what logs and Python write. */
static size_t
byte_escape(const char *p, size_t left, char *out, size_t *n)
{
	int			code = escape_hex_number(p + 2, left - 2, 2);

	if (code < 0)
		return 0;
	*out = (char) code;
	*n = 1;
	return 4;
}

size_t
escape_decode_json(const char *p, size_t left, char *out, size_t *n)
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

size_t
escape_decode_url(const char *p, size_t left, char *out, size_t *n)
{
	int			code = escape_hex_number(p + 1, left - 1, 2);

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
	*n = escape_put_character(out, code);
	return at + 1;
}

size_t
escape_decode_html(const char *p, size_t left, char *out, size_t *n)
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
