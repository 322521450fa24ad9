/*
 * robots.c
 *	  Reads a robots.txt (RFC 9309) for one product token.
 *
 * Read as leniently as the large crawlers do: byte order marks, any line end, usual typing
 * errors, a missing colon, a page of HTML around it.  What is kept is the rules of the
 * groups that name us, merged, and of those for all, which count where none names us.
 */
#include "robots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What is behind is cut off, as Google does: eight times a URL of the longest kind. */
#define LINE_MAX_SIZE 16664

typedef enum Field
{
	FIELD_OTHER,
	FIELD_AGENT,
	FIELD_DISALLOW,
	FIELD_ALLOW,
	FIELD_DELAY,
	FIELD_SIGNAL,
	FIELD_USAGE
} Field;

typedef struct Spelling
{
	const char *name;
	Field		field;
	bool		beginning;		/* of a longer word, too */
} Spelling;

static const Spelling spellings[] = {
	{"user-agent", FIELD_AGENT, true}, {"useragent", FIELD_AGENT, true}, {"user agent", FIELD_AGENT, true},
	{"usser-agent", FIELD_AGENT, false}, {"user-agents", FIELD_AGENT, false}, {"use-agent", FIELD_AGENT, false},
	{"ser-agent", FIELD_AGENT, false}, {"user_agent", FIELD_AGENT, false},
	{"disallow", FIELD_DISALLOW, true}, {"dissallow", FIELD_DISALLOW, true}, {"dissalow", FIELD_DISALLOW, true},
	{"disalow", FIELD_DISALLOW, true}, {"diasllow", FIELD_DISALLOW, true}, {"disallaw", FIELD_DISALLOW, true},
	{"diallow", FIELD_DISALLOW, false}, {"desallow", FIELD_DISALLOW, false}, {"disallows", FIELD_DISALLOW, false},
	{"allow", FIELD_ALLOW, true}, {"crawl-delay", FIELD_DELAY, false}, {"crawl delay", FIELD_DELAY, false},
	{"crawldelay", FIELD_DELAY, false}, {"crawl_delay", FIELD_DELAY, false},
	{"content-signal", FIELD_SIGNAL, false}, {"content-usage", FIELD_USAGE, false}
};

typedef struct Reader
{
	WebRobots  *robots;
	const char *agent;
	bool		markup;			/* HTML: tags are taken off */
	bool		in_rules;		/* the next user-agent begins a group */
	bool		ours;			/* the group names us */
	bool		everyone;
	int			line;
	bool		failed;			/* no memory */
} Reader;

/* A part of a line. */
typedef struct Word
{
	const char *p;
	size_t		size;
} Word;

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static Word
trim(Word word)
{
	while (word.size > 0 && is_space(word.p[0]))
		word.p++, word.size--;
	while (word.size > 0 && is_space(word.p[word.size - 1]))
		word.size--;
	return word;
}

static size_t
word_until(Word word, char c)
{
	const char *found = memchr(word.p, c, word.size);

	return found == NULL ? word.size : (size_t) (found - word.p);
}

static Word
word_behind(Word word, size_t size)
{
	return (Word)
	{
		word.p + size, word.size - size
	};
}

static bool
word_is(Word word, const char *name)
{
	return word.size == strlen(name) && strncasecmp(word.p, name, word.size) == 0;
}

/* ---- rules ---- */

static void
add_rule(Reader *reader, RobotsGroup *group, RobotsKind kind, Word pattern)
{
	WebRobots  *robots = reader->robots;
	size_t		needed = robots->texts_size + 3 * pattern.size;

	if (needed > robots->texts_room)
	{
		char	   *grown = realloc(robots->texts, needed * 2);

		reader->failed |= grown == NULL;
		if (grown == NULL)
			return;
		robots->texts = grown;
		robots->texts_room = needed * 2;
	}
	if (group->n == group->room)
	{
		int			room = group->room * 2 + 16;
		RobotsRule *grown = realloc(group->rules, sizeof(RobotsRule) * (size_t) room);

		reader->failed |= grown == NULL;
		if (grown == NULL)
			return;
		group->rules = grown;
		group->room = room;
	}
	group->rules[group->n++] = (RobotsRule)
	{
		.pattern = robots->texts_size,
			.size = robots_canonical(pattern.p, pattern.size, true, robots->texts + robots->texts_size),
			.line = reader->line,
			.kind = kind
	};
	robots->texts_size += group->rules[group->n - 1].size;
}

static void
add_to_groups(Reader *reader, RobotsKind kind, Word pattern)
{
	if (pattern.size == 0)
		return;
	if (reader->ours)
		add_rule(reader, &reader->robots->ours, kind, pattern);
	if (reader->everyone)
		add_rule(reader, &reader->robots->everyone, kind, pattern);
}

/* The larger of two; what is no plain number is none. */
static void
take_delay(Reader *reader, Word value)
{
	char		text[32];
	double		delay;

	if (value.size == 0 || value.size >= sizeof(text))
		return;
	memcpy(text, value.p, value.size);
	text[value.size] = '\0';
	if (text[strspn(text, "0123456789.")] != '\0' || strchr(text, '.') != strrchr(text, '.') ||
		strcmp(text, ".") == 0)
		return;
	delay = strtod(text, NULL);
	if (reader->ours && delay > reader->robots->ours.crawl_delay)
		reader->robots->ours.crawl_delay = delay;
	if (reader->everyone && delay > reader->robots->everyone.crawl_delay)
		reader->robots->everyone.crawl_delay = delay;
}

/* "name=value" in a list that commas, semicolons or blanks divide. */
static bool
list_says(Word list, const char *what)
{
	while (list.size > 0)
	{
		size_t		size = 0;

		while (size < list.size && !is_space(list.p[size]) && list.p[size] != ',' && list.p[size] != ';')
			size++;
		if (word_is((Word)
/**INDENT** Error@189: Unbalanced parens */
					{
			list.p, size
/**INDENT** Warning@191: Extra ) */
/**INDENT** Warning@191: Extra ) */
		}, what))
			return true;
		list = word_behind(list, size < list.size ? size + 1 : size);
	}
	return false;
}

/* Content-Signal: ai-train=no; Content-Usage: [/path] train-ai=n (or, in older drafts, ai=n). */
static void
take_reservation(Reader *reader, Field field, Word value)
{
	Word		path = {"/", 1};

	if (field == FIELD_USAGE && value.size > 0 && value.p[0] == '/')
	{
		path = (Word)
		{
			value.p, 0
		};
		while (path.size < value.size && !is_space(value.p[path.size]))
			path.size++;
		value = trim(word_behind(value, path.size));
	}
	if (field == FIELD_SIGNAL ? list_says(value, "ai-train=no") :
		list_says(value, "train-ai=n") || list_says(value, "ai=n"))
		add_to_groups(reader, ROBOTS_RESERVED, path);
}

/* ---- lines ---- */

static void
take_agent(Reader *reader, Word value)
{
	size_t		size = 0;

	if (reader->in_rules)
		reader->in_rules = reader->ours = reader->everyone = false;
	if (value.size > 0 && value.p[0] == '*' && (value.size == 1 || is_space(value.p[1])))
	{
		reader->everyone = reader->robots->everyone.named = true;
		return;
	}
	while (size < value.size && (((value.p[size] | 0x20) >= 'a' && (value.p[size] | 0x20) <= 'z') ||
								 value.p[size] == '-' || value.p[size] == '_'))
		size++;
	if (size > 0 && word_is((Word)
/**INDENT** Error@237: Unbalanced parens */
							{
		value.p, size
/**INDENT** Warning@239: Extra ) */
/**INDENT** Warning@239: Extra ) */
	}, reader->agent))
		reader->ours = reader->robots->ours.named = true;
}

static Field
field_of(Word name)
{
	for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++)
	{
		size_t		size = strlen(spellings[i].name);

		if (name.size >= size && strncasecmp(name.p, spellings[i].name, size) == 0 &&
			(name.size == size || spellings[i].beginning))
			return spellings[i].field;
	}
	return FIELD_OTHER;
}

/* The name and what it says; a missing colon is made up for where there are two words. */
static bool
split_line(Word line, Word *name, Word *value)
{
	size_t		size = word_until(line, ':');

	if (size == line.size)
	{
		for (size = 0; size < line.size && !is_space(line.p[size]);)
			size++;
		*value = trim(word_behind(line, size));
		for (size_t i = 0; i < value->size; i++)
			if (is_space(value->p[i]))
				return false;
	}
	else
		*value = trim(word_behind(line, size + 1));
	*name = trim((Word)
/**INDENT** Error@275: Unbalanced parens */
				 {
		line.p, size
/**INDENT** Warning@277: Extra ) */
	});
	return size < line.size && name->size > 0;
}

static void
read_line(Reader *reader, Word line)
{
	Word		name;
	Word		value;
	Field		field;

	reader->line++;
	if (line.size > LINE_MAX_SIZE)
		line.size = LINE_MAX_SIZE;
	line = trim((Word)
/**INDENT** Error@292: Unbalanced parens */
				{
		line.p, word_until(line, '#')
/**INDENT** Warning@294: Extra ) */
	});
	if (!split_line(line, &name, &value))
		return;
	field = field_of(name);
	if (field == FIELD_AGENT)
		take_agent(reader, value);
	else if (field == FIELD_DISALLOW || field == FIELD_ALLOW)
	{
		reader->in_rules = true;
		add_to_groups(reader, field == FIELD_ALLOW ? ROBOTS_ALLOW : ROBOTS_DISALLOW, value);
	}
	else if (field == FIELD_DELAY)
		take_delay(reader, value);
	else if (field != FIELD_OTHER)
		take_reservation(reader, field, value);
}

/* Takes the tags out of a line, into copy; what is open at its end is a tag's, too. */
static Word
without_tags(Word line, char *copy)
{
	size_t		size = 0;
	bool		tag = false;

	for (size_t i = 0; i < line.size; i++)
	{
		if (line.p[i] == '<')
			tag = true;
		else if (line.p[i] == '>' && tag)
			tag = false;
		else if (!tag)
			copy[size++] = line.p[i];
	}
	return (Word)
	{
		copy, size
	};
}

/* ---- the file ---- */

/* UTF-16 becomes UTF-8; half a pair is dropped.  out: room for 2 * size.  The size written. */
static size_t
from_utf16(const unsigned char *in, size_t size, bool big, char *out)
{
	char	   *begin = out;
	uint32_t	high = 0;

	for (size_t i = 2; i + 1 < size; i += 2)
	{
		uint32_t	c = big ? (uint32_t) (in[i] << 8 | in[i + 1]) : (uint32_t) (in[i + 1] << 8 | in[i]);

		if (c >= 0xD800 && c < 0xDC00)
		{
			high = c;
			continue;
		}
		if (c >= 0xDC00 && c < 0xE000)
		{
			if (high == 0)
				continue;
			c = 0x10000 + ((high - 0xD800) << 10) + (c - 0xDC00);
		}
		high = 0;
		if (c < 0x80)
			*out++ = (char) c;
		else if (c < 0x800)
			*out++ = (char) (0xC0 | c >> 6), *out++ = (char) (0x80 | (c & 0x3F));
		else if (c < 0x10000)
			*out++ = (char) (0xE0 | c >> 12), *out++ = (char) (0x80 | (c >> 6 & 0x3F)), *out++ = (char) (0x80 | (c & 0x3F));
		else
			*out++ = (char) (0xF0 | c >> 18), *out++ = (char) (0x80 | (c >> 12 & 0x3F)),
				*out++ = (char) (0x80 | (c >> 6 & 0x3F)), *out++ = (char) (0x80 | (c & 0x3F));
	}
	return (size_t) (out - begin);
}

/* Lines end with CR, LF, or both. */
static void
read_lines(Reader *reader, Word text, char *copy)
{
	while (text.size > 0 && !reader->failed)
	{
		size_t		size = 0;

		while (size < text.size && text.p[size] != '\n' && text.p[size] != '\r')
			size++;
		read_line(reader, reader->markup ? without_tags((Word)
/**INDENT** Error@382: Unbalanced parens */
														{
			text.p, size
/**INDENT** Warning@384: Extra ) */
		}, copy) : (Word)
		{
			text.p, size
/**INDENT** Warning@387: Extra ) */
		});
		if (size + 1 < text.size && text.p[size] == '\r' && text.p[size + 1] == '\n')
			size++;
		text = word_behind(text, size < text.size ? size + 1 : size);
	}
}

WebRobots *
web_robots_parse(const char *bytes, size_t size, const char *agent)
{
	Reader		reader = {.robots = calloc(1, sizeof(WebRobots)),.agent = agent};
	const unsigned char *in = (const unsigned char *) bytes;
	char	   *copy = malloc(2 * size + 1);
	Word		text = {bytes, size};
	size_t		bom = 0;

	reader.failed = reader.robots == NULL || copy == NULL;
	if (!reader.failed)
	{
		reader.robots->ours.crawl_delay = reader.robots->everyone.crawl_delay = -1;
		if (size >= 2 && ((in[0] == 0xFE && in[1] == 0xFF) || (in[0] == 0xFF && in[1] == 0xFE)))
			text = (Word)
		{
			copy, from_utf16(in, size, in[0] == 0xFE, copy)
		};
		/* a mark that is cut short is one, too */
		while (bom < 3 && bom < text.size && text.p[bom] == "\xEF\xBB\xBF"[bom])
			bom++;
		text = word_behind(text, bom);
		reader.markup = trim(text).size > 0 && trim(text).p[0] == '<';
		/* tags are taken out in place where the text is a copy already */
		read_lines(&reader, text, copy);
	}
	free(copy);
	if (reader.failed)
	{
		web_robots_free(reader.robots);
		return NULL;
	}
	return reader.robots;
}

double
web_robots_crawl_delay(const WebRobots *robots)
{
	return robots->ours.named ? robots->ours.crawl_delay : robots->everyone.crawl_delay;
}

void
web_robots_free(WebRobots *robots)
{
	if (robots == NULL)
		return;
	free(robots->ours.rules);
	free(robots->everyone.rules);
	free(robots->texts);
	free(robots);
}
