/*
 * personal.c
 *	  Numbers and addresses of people in a text: telephone, identity card, bank card,
 *	  e-mail, URL.
 */
#include "parts.h"

#include <ctype.h>

#define MIN_GROUP 3				/* digits between blanks or hyphens */
#define MAX_DIGITS 24

static bool
luhn(const char *digits, int n)
{
	int			sum = 0;

	for (int i = 0; i < n; i++)
	{
		int			d = digits[n - 1 - i] - '0';

		d = i % 2 == 1 ? d * 2 : d;
		sum += d > 9 ? d - 9 : d;
	}
	return sum % 10 == 0;
}

/* GB 11643: 17 digits and a check character; the birthday must be one. */
static bool
is_id_number(const char *digits, uint32_t last)
{
	static const int weights[] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
	int			sum = 0;
	int			month = (digits[10] - '0') * 10 + digits[11] - '0';
	int			day = (digits[12] - '0') * 10 + digits[13] - '0';

	for (int i = 0; i < 17; i++)
		sum += (digits[i] - '0') * weights[i];
	return month >= 1 && month <= 12 && day >= 1 && day <= 31 &&
		(uint32_t) "10X98765432"[sum % 11] == (last == 'x' ? 'X' : last);
}

static bool
is_mobile(const char *digits, int n)
{
	return n == 11 && digits[0] == '1' && digits[1] >= '3';
}

static bool
is_telephone(const char *digits, int n, bool plus)
{
	if (is_mobile(digits, n) || (plus && n >= 9 && n <= 15))
		return true;
	if (n == 13 && memcmp(digits, "86", 2) == 0)
		return is_mobile(digits + 2, n - 2);
	if (n == 15 && memcmp(digits, "0086", 4) == 0)
		return is_mobile(digits + 4, n - 4);
	if (n >= 10 && n <= 12 && digits[0] == '0' && digits[1] != '0')
		return true;			/* with area code */
	return n == 10 && (memcmp(digits, "400", 3) == 0 || memcmp(digits, "800", 3) == 0);
}

/* next is the character behind the digits. */
static bool
is_card(const char *digits, int n, uint32_t next)
{
	if (n == 17 && (next == 'x' || next == 'X') && is_id_number(digits, next))
		return true;
	if (n == 18 && is_id_number(digits, (uint32_t) digits[17]))
		return true;
	return n >= 16 && n <= 19 && digits[0] >= '3' && digits[0] <= '9' && luhn(digits, n);
}

/* ASCII or full-width digit. */
static bool
digit_at(const char *p, const char *end, char *digit, int *length)
{
	uint32_t	c;

	if (p >= end)
		return false;
	c = text_fold(text_decode(p, end, length));
	*digit = (char) c;
	return c >= '0' && c <= '9';
}

/* Behind what may stand between two groups of digits: one of these; NULL if none does. */
static const char *
skip_separator(const char *p, const char *end)
{
	static const char *const separators[] = {
		" ", "-", "－", "–", ")", "）", ") ", "） ", ")-", "）-", "）－", NULL
	};

	return text_skip_one(p, end, separators);
}

/*
 * Reads the number at p; *behind is its end.  Groups of digits may stand apart by one
 * separator each, if they are no single figures ('1 3 5 7').
 */
static bool
number_at(const char *p, const char *end, bool plus, bool fraction, const char **behind)
{
	char		digits[MAX_DIGITS + 1];
	int			n = 0;
	int			length;
	bool		telephone = false;

	for (;;)
	{
		int			before = n;
		int			group = 0;
		char		digit;
		uint32_t	next;
		const char *separated;

		for (; digit_at(p, end, &digit, &length); p += length, group++)
			if (n < MAX_DIGITS + 1)
				digits[n++] = digit;
		*behind = p;
		telephone |= n <= MAX_DIGITS && is_telephone(digits, n, plus);
		separated = group >= MIN_GROUP || (plus && before == 0) ? skip_separator(p, end) : NULL;
		if (separated != NULL && digit_at(separated, end, &digit, &length))
		{
			p = separated;
			continue;
		}
		next = p < end ? text_fold(text_decode(p, end, &length)) : 0;
		/* a last group that is too short does not belong to it */
		return !fraction && (telephone || (n <= MAX_DIGITS && is_card(digits, n, next)) ||
							 (group < MIN_GROUP && is_card(digits, before, 0)));
	}
}

static bool
is_word_char(char c)
{
	return isalnum((unsigned char) c) || c == '_' || c == '-';
}

/* An e-mail's @: a word before it, words with a dot behind it; *behind is their end. */
static bool
is_mail_at(Span text, const char *p, const char **behind)
{
	const char *end = text.p + text.n;
	bool		word = p > text.p && is_word_char(p[-1]);
	bool		dotted = false;

	for (p++; p < end && (is_word_char(*p) || *p == '.'); p++)
		dotted |= *p == '.' && is_word_char(p[-1]) && p + 1 < end && isalpha((unsigned char) p[1]);
	*behind = p;
	return word && dotted;
}

/* 'taobao.com' at its dot. */
static bool
is_domain_at(Span text, const char *dot)
{
	static const char *const ends[] = {"com", "cn", "net", "org", "gov", NULL};
	const char *end = text.p + text.n;

	if (dot == text.p || !isalnum((unsigned char) dot[-1]))
		return false;
	for (const char *const *word = ends; *word != NULL; word++)
	{
		const char *behind = dot + 1 + strlen(*word);

		if (text_starts(text_span(dot + 1, end), *word) && (behind == end || !is_word_char(*behind)))
			return true;
	}
	return false;
}

static bool
is_scheme_at(Span text, const char *p)
{
	static const char *const schemes[] = {"http://", "https://", "ftp://", "www.", NULL};

	return text_starts_any(text_span(p, text.p + text.n), schemes);
}

/* What a number or an address has; 0xEF begins what is full-width. */
static const unsigned char telling[256] = {
	['0'] = 1,['1'] = 1,['2'] = 1,['3'] = 1,['4'] = 1,['5'] = 1,['6'] = 1,['7'] = 1,['8'] = 1,['9'] = 1,
	['@'] = 1,['.'] = 1,['h'] = 1,['H'] = 1,['w'] = 1,['W'] = 1,['f'] = 1,['F'] = 1,[0xEF] = 1
};

bool
check_is_personal(Span text)
{
	const char *end = text.p + text.n;
	const char *behind;
	char		digit;
	int			length;

	for (const char *p = text.p; p < end;)
	{
		if (!telling[(unsigned char) *p])
			p++;
		else if (digit_at(p, end, &digit, &length))
		{
			char		before = p > text.p ? p[-1] : '\0';
			bool		fraction = before == '.' && p - text.p >= 2 && isdigit((unsigned char) p[-2]);

			if (number_at(p, end, before == '+', fraction, &behind))
				return true;
			p = behind;
		}
		else if (*p == '@')
		{
			if (is_mail_at(text, p, &behind))
				return true;
			p = behind;
		}
		else if (*p == '.' ? is_domain_at(text, p) : is_scheme_at(text, p))
			return true;
		else
			p++;
	}
	return false;
}
