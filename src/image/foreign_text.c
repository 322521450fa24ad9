/*
 * foreign_text.c
 *	  Names what a text is: a drawing in XML, a page that says that there is no picture,
 *	  and the like.
 *
 * What a document in XML or HTML is stands in the name of its first element, behind
 * instructions, comments and a document type that may be long.
 */
#include "private.h"

#include <string.h>

/* How much of a text without elements is looked at for some. */
#define HEAD_SIZE 512

/* A text in UTF-8, or in UTF-16 of which only ASCII is looked at. */
typedef struct Text
{
	const uint8_t *data;
	size_t		size;			/* in units */
	size_t		at;
	unsigned	step;			/* bytes of a unit */
	unsigned	low;			/* which of them is the low one */
} Text;

/* The unit so far from here, in lower case; 0 behind the end. */
static char
unit(const Text *text, size_t ahead)
{
	const uint8_t *p;

	if (ahead >= text->size - text->at)
		return '\0';
	p = text->data + (text->at + ahead) * text->step;
	if (text->step == 2 && p[1 - text->low] != 0)
		return '?';
	return (char) (p[text->low] >= 'A' && p[text->low] <= 'Z' ? p[text->low] + 32 : p[text->low]);
}

static bool
starts(const Text *text, const char *words)
{
	for (size_t i = 0; words[i] != '\0'; i++)
		if (unit(text, i) != words[i])
			return false;
	return true;
}

static bool
at_end(const Text *text)
{
	return text->at >= text->size;
}

static void
skip_behind(Text *text, const char *words)
{
	while (!at_end(text) && !starts(text, words))
		text->at++;
	text->at += at_end(text) ? 0 : strlen(words);
}

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void
skip_blanks(Text *text)
{
	while (is_blank(unit(text, 0)))
		text->at++;
}

/* To the end of a document type, over what stands within it. */
static void
skip_type(Text *text)
{
	int			depth = 0;

	while (!at_end(text))
	{
		char		c = unit(text, 0);

		if (starts(text, "<!--"))
		{
			skip_behind(text, "-->");
			continue;
		}
		text->at++;
		if (c == '"')
			skip_behind(text, "\"");
		else if (c == '\'')
			skip_behind(text, "'");
		else if (c == '[')
			depth++;
		else if (c == ']')
			depth--;
		else if (c == '>' && depth <= 0)
			return;
	}
}

/* The name that begins here, without what stands before a colon. */
static void
read_name(Text *text, char *name, size_t room)
{
	size_t		n = 0;

	for (; !at_end(text); text->at++)
	{
		char		c = unit(text, 0);

		if (is_blank(c) || c == '>' || c == '/' || c == '[')
			break;
		if (c == ':')
			n = 0;
		else if (n + 1 < room)
			name[n++] = c;
	}
	name[n] = '\0';
}

/* The name of the first element, or of the document's type; "" where there is neither. */
static void
find_root(Text *text, char *name, size_t room)
{
	name[0] = '\0';
	for (;;)
	{
		skip_blanks(text);
		if (starts(text, "<?"))
			skip_behind(text, "?>");
		else if (starts(text, "<!--"))
			skip_behind(text, "-->");
		else if (starts(text, "<!doctype"))
		{
			text->at += strlen("<!doctype");
			skip_blanks(text);
			read_name(text, name, room);
			skip_type(text);
		}
		else
			break;
	}
	if (unit(text, 0) == '<' && unit(text, 1) != '!' && unit(text, 1) != '\0')
	{
		text->at++;
		read_name(text, name, room);
	}
}

static bool
is_html(const char *root)
{
	static const char *const names[] = {"html", "head", "body", "script", "meta", "title", "div"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(root, names[i]) == 0)
			return true;
	return false;
}

/* A page may begin with anything, as long as it soon says what it is. */
static bool
mentions_html(Text text)
{
	for (text.at = 0; text.at < text.size && text.at < HEAD_SIZE; text.at++)
		if (starts(&text, "<html"))
			return true;
	return false;
}

static Text
text_of(const uint8_t *data, size_t size)
{
	Text		text = {.data = data,.size = size,.step = 1};

	if (size >= 2 && (memcmp(data, "\xff\xfe", 2) == 0 || memcmp(data, "\xfe\xff", 2) == 0))
	{
		text.low = data[0] == 0xff ? 0 : 1;
		text.step = 2;
		text.size = size / 2;
		text.at = 1;
	}
	else if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
		text.at = 3;
	return text;
}

ImageStatus
image_name_text(const uint8_t *data, size_t size, ImageError *error)
{
	Text		text = text_of(data, size);
	bool		is_xml;
	char		root[16];

	skip_blanks(&text);
	if (starts(&text, "{\"") || starts(&text, "[{"))
		return image_fail(error, IMAGE_UNKNOWN, "a JSON document, not a picture");
	if (starts(&text, "data:image/"))
		return image_fail(error, IMAGE_UNKNOWN, "a data URL, not a picture");
	if (starts(&text, "version https://git-lfs"))
		return image_fail(error, IMAGE_UNKNOWN, "a Git LFS pointer, not a picture");
	is_xml = starts(&text, "<?xml");
	find_root(&text, root, sizeof(root));
	if (strcmp(root, "svg") == 0)
		return image_fail(error, IMAGE_UNSUPPORTED, "SVG is not supported");
	if (is_html(root) || mentions_html(text))
		return image_fail(error, IMAGE_UNKNOWN, "an HTML page, not a picture");
	if (is_xml)
		return image_fail(error, IMAGE_UNKNOWN, "an XML document, not a picture");
	return IMAGE_OK;
}
