/*
 * json.c
 *	  A tolerant scanner for replies in JSON: takes what is complete of a cut
 *	  document, bare quotes and newlines inside strings, missing commas, Python's quotes.
 *
 * Not a parser: objects are looked at one at a time, the innermost, whatever they
 * lie in, so depth costs nothing.
 */
#include "parts.h"

#include <stdlib.h>

#define PREAMBLE_LOOK 400

/* How far behind a quote that ends a string the next sign of JSON may be. */
#define QUOTE_LOOK 64

typedef enum Key
{
	KEY_OTHER, KEY_ROLE, KEY_CONTENT, KEY_HUMAN, KEY_GPT
} Key;

/* The object being read. */
typedef struct Item
{
	bool		has_role;
	bool		role_human;
	char	   *content;
	size_t		content_size;
	char	   *human;
	size_t		human_size;
	char	   *gpt;
	size_t		gpt_size;
} Item;

typedef struct Scanner
{
	const char *p;
	const char *end;
	JsonReply  *reply;
	Item		item;
	bool		has_key;
	Key			key;
	bool		saw_error;
	bool		saw_code;
	bool		saw_message;
	bool		saw_object_error;
	char		last_key[16];
	int			depth;
} Scanner;

/* Whether an array of objects, or an object with a key, begins here. */
static bool
begins_document(const char *p, const char *end)
{
	const char *next = p + 1;

	while (next < end && (*next == ' ' || *next == '\n' || *next == '\t'))
		next++;
	return next < end && ((*p == '[' && *next == '{') || (*p == '{' && (*next == '"' || *next == '\'')));
}

const char *
json_start(Span text)
{
	const char *end = text.p + text.n;
	const char *limit = text.n < PREAMBLE_LOOK ? end : text.p + PREAMBLE_LOOK;

	for (const char *p = text.p; p < limit; p++)
		if ((*p == '[' || *p == '{') && begins_document(p, end))
			return p;
	return NULL;
}

int
json_hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
		c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool
hex4(const char *p, const char *end, uint32_t *value)
{
	*value = 0;
	if (end - p < 4)
		return false;
	for (int i = 0; i < 4; i++)
	{
		int			digit = json_hex_digit(p[i]);

		if (digit < 0)
			return false;
		*value = *value * 16 + (uint32_t) digit;
	}
	return true;
}

/* \uXXXX, with the second half of a surrogate pair; p is behind the u. */
static const char *
unescape_unicode(Scanner *s, const char *p, char *out, size_t *size)
{
	uint32_t	c;
	uint32_t	low;

	if (!hex4(p, s->end, &c))
		return p;
	p += 4;
	if (c >= 0xD800 && c <= 0xDBFF && s->end - p >= 6 && p[0] == '\\' && p[1] == 'u' &&
		hex4(p + 2, s->end, &low) && low >= 0xDC00 && low <= 0xDFFF)
	{
		c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
		p += 6;
	}
	else if (c >= 0xD800 && c <= 0xDFFF)
		c = 0xFFFD;
	if (c == 0xFFFD)
		s->reply->bad_character = true;
	if (c == 0x85 || c == 0x2028 || c == 0x2029)
		c = '\n';
	if (!text_is_dropped(c))
		*size += (size_t) text_encode(c, out + *size);
	return p;
}

/* Whether a sign that continues a document follows, so that the quote before p ends a string. */
static bool
quote_ends_string(const char *p, const char *end)
{
	const char *limit = end - p > QUOTE_LOOK ? p + QUOTE_LOOK : end;

	while (p < limit && (*p == ' ' || *p == '\n' || *p == '\t'))
		p++;
	return p == end || strchr(",:}]", *p) != NULL;
}

/* Where the string that begins at p ends: at its closing quote, or with the text. */
static const char *
string_end(const Scanner *s, const char *p, char quote)
{
	while (p < s->end && !(*p == quote && quote_ends_string(p + 1, s->end)))
		p += *p == '\\' && p + 1 < s->end ? 2 : 1;
	return p;
}

/* Appends to out what the escape with its letter at p[-1] means; returns what follows it. */
static const char *
unescape(Scanner *s, const char *p, const char *stop, char *out, size_t *size)
{
	switch (p[-1])
	{
		case 'n':
			out[(*size)++] = '\n';
			break;
		case 't':
			out[(*size)++] = '\t';
			break;
		case 'r':
			if (stop - p < 2 || p[0] != '\\' || p[1] != 'n')
				out[(*size)++] = '\n';
			break;
		case 'b':
		case 'f':
			break;
		case 'u':
			return unescape_unicode(s, p, out, size);
		default:
			out[(*size)++] = p[-1];
	}
	return p;
}

/*
 * The string whose opening quote is at s->p; malloc'd, decoded.  NULL with *whole
 * false at the end of the text, or without memory.
 */
static char *
read_string(Scanner *s, size_t *size, bool *whole)
{
	const char *p = s->p + 1;
	const char *stop = string_end(s, p, *s->p);

	/* the decoded form is never longer */
	char	   *out = malloc((size_t) (stop - p) + 4);

	*size = 0;
	*whole = false;
	if (out == NULL)
	{
		s->reply->parts.no_memory = true;
		s->p = s->end;
		return NULL;
	}
	while (p < stop)
	{
		if (*p != '\\' || p + 1 >= stop)
			out[(*size)++] = *p++;
		else
			p = unescape(s, p + 2, stop, out, size);
	}
	*whole = stop < s->end;
	s->p = *whole ? stop + 1 : s->end;
	return out;
}

/* Ignores the case of ASCII letters; words are in lower case. */
static bool
is_one_of(const char *text, size_t size, const char *const *words)
{
	char		room[32];
	Span		lower;

	if (size > sizeof(room))
		return false;
	lower = script_plain(text_span(text, text + size), room, sizeof(room));
	for (; *words != NULL; words++)
		if (strlen(*words) == size && memcmp(lower.p, *words, size) == 0)
			return true;
	return false;
}

static const char *const humans[] = {
	"user", "human", "question", "q", "用户", "人类", "人", "提问者", "问题", "提问", "问", NULL
};
static const char *const models[] = {
	"assistant", "gpt", "ai", "answer", "a", "助手", "ai助手", "视觉助手", "视觉ai助手", "回答者",
	"回答", "详细回答", "答案", "答", NULL
};

static Key
key_of(const char *text, size_t size)
{
	static const char *const role[] = {"role", "from", NULL};
	static const char *const content[] = {"content", "value", NULL};

	return is_one_of(text, size, role) ? KEY_ROLE : is_one_of(text, size, content) ? KEY_CONTENT :
		is_one_of(text, size, humans) ? KEY_HUMAN : is_one_of(text, size, models) ? KEY_GPT : KEY_OTHER;
}

static void
clear_item(Item *item)
{
	free(item->content);
	free(item->human);
	free(item->gpt);
	memset(item, 0, sizeof(*item));
}

static void
keep(char **slot, size_t *slot_size, char *text, size_t size)
{
	free(*slot);
	*slot = text;
	*slot_size = size;
}

static void
add_turn(Scanner *s, bool human, char **text, size_t size)
{
	Span		span = text_trim(text_span(*text, *text + size));

	parts_add(&s->reply->parts, human, span, *text);
	*text = NULL;
}

/* Adds the turn or the pair that a complete object says. */
static void
end_item(Scanner *s)
{
	Item	   *item = &s->item;

	if (item->has_role && item->content != NULL)
		add_turn(s, item->role_human, &item->content, item->content_size);
	if (item->human != NULL)
		add_turn(s, true, &item->human, item->human_size);
	if (item->gpt != NULL)
		add_turn(s, false, &item->gpt, item->gpt_size);
	clear_item(item);
}

static void
take_value(Scanner *s, char *text, size_t size)
{
	static const char *const error[] = {"error", NULL};
	Item	   *item = &s->item;

	switch (s->key)
	{
		case KEY_ROLE:
			/* a system turn is left out */
			item->role_human = is_one_of(text, size, humans);
			item->has_role = item->role_human || is_one_of(text, size, models);
			free(text);
			return;
		case KEY_CONTENT:
			keep(&item->content, &item->content_size, text, size);
			return;
		case KEY_HUMAN:
			/* several pairs in one object */
			if (item->human != NULL && item->gpt != NULL)
				end_item(s);
			keep(&item->human, &item->human_size, text, size);
			return;
		case KEY_GPT:
			keep(&item->gpt, &item->gpt_size, text, size);
			return;
		case KEY_OTHER:
			if (strcmp(s->last_key, "object") == 0 && is_one_of(text, size, error))
				s->saw_object_error = true;
			free(text);
	}
}

static void
take_key(Scanner *s, const char *text, size_t size)
{
	s->key = key_of(text, size);
	s->last_key[0] = '\0';
	if (size < sizeof(s->last_key))
	{
		memcpy(s->last_key, text, size);
		s->last_key[size] = '\0';
	}
	if (s->depth == 1)
	{
		s->saw_error |= strcmp(s->last_key, "error") == 0;
		s->saw_code |= strcmp(s->last_key, "code") == 0;
		s->saw_message |= strcmp(s->last_key, "message") == 0;
	}
}

/* A string: a key if a colon follows, else a value. */
static bool
scan_string(Scanner *s)
{
	size_t		size;
	bool		whole;
	char	   *text = read_string(s, &size, &whole);
	const char *next = s->p;

	if (!whole)
	{
		free(text);
		return false;
	}
	while (next < s->end && (*next == ' ' || *next == '\n' || *next == '\t'))
		next++;
	if (next < s->end && *next == ':' && !s->has_key)
	{
		take_key(s, text, size);
		s->has_key = true;
		s->p = next + 1;
		free(text);
		return true;
	}
	if (s->has_key)
		take_value(s, text, size);
	else
		free(text);
	s->has_key = false;
	return true;
}

/* Whether another object follows, as in JSON Lines. */
static bool
another_follows(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == ','))
		p++;
	return p < end && *p == '{';
}

void
json_read(Span text, JsonReply *reply)
{
	Scanner		s = {.p = text.p,.end = text.p + text.n,.reply = reply};
	bool		whole = true;

	memset(reply, 0, sizeof(*reply));
	while (s.p < s.end && whole)
	{
		if (*s.p == '"' || *s.p == '\'')
		{
			whole = scan_string(&s);
			continue;
		}
		if (*s.p == '{' || *s.p == '[')
		{
			s.depth++;
			s.has_key = false;
			if (*s.p == '{')
				clear_item(&s.item);
		}
		else if (*s.p == '}' || *s.p == ']')
		{
			if (*s.p == '}')
				end_item(&s);
			s.has_key = false;
			/* what follows the document is a fence or a courtesy */
			if (--s.depth <= 0 && !(*s.p == '}' && another_follows(s.p + 1, s.end)))
				break;
		}
		else if (*s.p == ',')
			s.has_key = false;
		s.p++;
	}
	reply->cut = s.depth > 0;
	clear_item(&s.item);
	reply->error_object = reply->parts.n == 0 &&
		(s.saw_error || s.saw_object_error || (s.saw_code && s.saw_message));
}
