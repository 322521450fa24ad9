/*
 * checks.c
 *	  Finished turns held against the task's thresholds, and tags on their content.
 */
#include "parts.h"

typedef struct Counts
{
	size_t		letters;
	size_t		han;
	size_t		latin;
	size_t		foreign;		/* kana and hangul */
	size_t		traditional;
	size_t		simplified;
	size_t		quoted_han;
} Counts;

/* Characters of the tables are looked up for the first so many of a text. */
#define SCRIPT_SAMPLE 400

/* 1 or 0. */
static inline unsigned
stands_in(uint32_t c, const unsigned char *set)
{
	return set[(c - FIRST_HAN) / 8] >> (c - FIRST_HAN) % 8 & 1u;
}

/* c is from FIRST_HAN to LAST_HAN; no branch, for it would be taken at random. */
static inline void
count_script(Counts *counts, const ScriptSets *sets, uint32_t c)
{
	unsigned	simplified = stands_in(c, sets->simplified);
	unsigned	traditional = stands_in(c, sets->traditional);

	counts->simplified += simplified & ~traditional;
	counts->traditional += traditional & ~simplified;
}

static void
count_rare(Counts *counts, uint32_t c, bool quoted)
{
	bool		han;

	/* punctuation, ASCII's but for the letters, and the Chinese */
	if (c < 'A' || (c >= 0x2000 && c <= 0x3006) || (c >= 0xFF01 && c <= 0xFF20))
		return;
	han = text_is_han(c);
	counts->letters += text_is_letter(c);
	counts->han += han;
	counts->quoted_han += han && quoted;
	counts->latin += text_is_latin(c);
	counts->foreign += text_is_kana_or_hangul(c);
}

/* Quotation marks that are open; they close at the line's end at the latest. */
typedef struct Quotes
{
	int			pairs;			/* of marks that open or close */
	bool		straight;		/* of one that does either */
} Quotes;

/* False: c is no quotation mark and no line's end. */
static bool
is_quote(Quotes *quotes, uint32_t c)
{
	switch (c)
	{
		case 0x201C:			/* “ 「 『 《 */
		case 0x300C:
		case 0x300E:
		case 0x300A:
			quotes->pairs++;
			return true;
		case 0x201D:			/* ” 」 』 》 */
		case 0x300D:
		case 0x300F:
		case 0x300B:
			quotes->pairs -= quotes->pairs > 0;
			return true;
		case '"':
		case 0xFF02:
			quotes->straight = !quotes->straight;
			return true;
		case '\n':
			memset(quotes, 0, sizeof(*quotes));
			return true;
		default:
			return false;
	}
}

static void
count_text(Counts *counts, Span text)
{
	const ScriptSets *sets = script_sets();
	const char *end = text.p + text.n;
	int			length;
	Quotes		quotes = {0};

	for (const char *p = text.p; p < end; p += length)
	{
		uint32_t	c = text_decode(p, end, &length);

		if (c >= FIRST_HAN && c <= LAST_HAN)
		{
			counts->letters++;
			counts->quoted_han += quotes.pairs > 0 || quotes.straight;
			if (counts->han++ < SCRIPT_SAMPLE)
				count_script(counts, sets, c);
		}
		else if (!is_quote(&quotes, c))
			count_rare(counts, c, quotes.pairs > 0 || quotes.straight);
	}
}

static void
add_counts(Counts *all, const Counts *some)
{
	all->letters += some->letters;
	all->han += some->han;
	all->latin += some->latin;
	all->foreign += some->foreign;
	all->traditional += some->traditional;
	all->simplified += some->simplified;
	all->quoted_han += some->quoted_han;
}

/* ---- thresholds ---- */

static size_t
letters_of(const Counts *counts, ReplyLanguage language)
{
	return language == REPLY_LANGUAGE_ZH ? counts->han :
		language == REPLY_LANGUAGE_EN ? counts->latin : counts->letters;
}

static bool
is_wrong_language(const ReplyRules *rules, const Counts *all, ReplyMeasures *measures)
{
	size_t		wanted = letters_of(all, rules->language);

	measures->language_share = all->letters == 0 ? 0 : (double) wanted / (double) all->letters;
	if (rules->language == REPLY_LANGUAGE_ANY)
		return false;
	return measures->language_share < rules->min_language_share ||
		(rules->language == REPLY_LANGUAGE_ZH && all->foreign > all->han);
}

/* Makes *shortest and *longest, 0 so far where it is the first, take in n. */
static void
take_in(int n, int *shortest, int *longest)
{
	if (*shortest == 0 || n < *shortest)
		*shortest = n;
	if (n > *longest)
		*longest = n;
}

static bool
is_wrong_length(const ReplyRules *rules, const ReplyMeasures *measures)
{
	if (measures->longest_question > 0 &&
		(measures->shortest_question < rules->min_question_chars ||
		 (rules->max_question_chars > 0 &&
		  measures->longest_question > rules->max_question_chars)))
		return true;
	return measures->shortest_answer < rules->min_answer_chars ||
		measures->letters < rules->min_letters;
}

/* Counts what the turns hold; *all of them together. */
static void
measure(const ReplyRules *rules, const Parts *parts, Counts *all, ReplyMeasures *measures)
{
	Counts		questions = {0};
	Counts		answers = {0};
	int			longest_answer = 0;

	for (int i = 0; i < parts->n; i++)
	{
		Span		text = parts->items[i].text;
		int			chars = (int) text_chars(text);

		if (parts->items[i].human)
			take_in(chars, &measures->shortest_question, &measures->longest_question);
		else
			take_in(chars, &measures->shortest_answer, &longest_answer);
		count_text(parts->items[i].human ? &questions : &answers, text);
	}
	*all = questions;
	add_counts(all, &answers);
	measures->han = (int) answers.han;
	measures->letters = (int) letters_of(&answers, rules->language);
	measures->all_letters = (int) answers.letters;
	measures->quoted_han = (int) answers.quoted_han;
	measures->foreign = (int) all->foreign;
	measures->traditional = (int) all->traditional;
	measures->simplified = (int) all->simplified;
}

/* Chinese without the characters that only Simplified has may be no Chinese at all. */
static bool
is_garbled(const ReplyRules *rules, const Parts *parts, const Counts *all)
{
	if (rules->language == REPLY_LANGUAGE_EN || all->simplified * 20 >= (all->han < SCRIPT_SAMPLE ? all->han : SCRIPT_SAMPLE))
		return false;
	for (int i = 0; i < parts->n; i++)
		if (text_is_uncommon(parts->items[i].text))
			return true;
	return false;
}

ReplyReason
check_content(const ReplyRules *rules, const Parts *parts, ReplyMeasures *measures,
			  uint32_t *flags)
{
	Counts		all;

	measure(rules, parts, &all, measures);
	for (int i = 0; i < parts->n; i++)
	{
		if (check_is_personal(parts->items[i].text))
			*flags |= REPLY_PII;
		check_leaks(parts->items[i].text, flags);
	}
	if (all.traditional >= 5 && all.traditional > all.simplified * 4)
		*flags |= REPLY_ZH_HANT;
	if (is_garbled(rules, parts, &all))
		return REPLY_MOJIBAKE;
	if (is_wrong_language(rules, &all, measures))
		return REPLY_LANGUAGE;
	return is_wrong_length(rules, measures) ? REPLY_TOO_SHORT : REPLY_ACCEPTED;
}
