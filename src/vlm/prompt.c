/*
 * prompt.c
 *	  Puts texts in the place of a prompt's placeholders, {{name}}.
 *
 * An inserted text is not ours: it may try to tell the model what to answer.  It is written
 * as one JSON string in which line ends, angle brackets, braces and backticks are escaped,
 * so that it can end neither the string nor a fence or a tag that the prompt puts round it.
 * The prompt is read once: what is inserted is not searched for placeholders.
 */
#include "vlm.h"

#include <stdio.h>
#include <string.h>

#include "text_buffer.h"

/* Behind the placeholder of this name that text begins with; NULL: it begins with none. */
static const char *
behind_placeholder(const char *text, const char *name)
{
	size_t		n = strlen(name);

	if (strncmp(text, "{{", 2) != 0 || strncmp(text + 2, name, n) != 0 || strncmp(text + 2 + n, "}}", 2) != 0)
		return NULL;
	return text + 2 + n + 2;
}

bool
vlm_prompt_has(const char *prompt, const char *name)
{
	for (const char *p = prompt; (p = strstr(p, "{{")) != NULL; p++)
		if (behind_placeholder(p, name) != NULL)
			return true;
	return false;
}

/*
 * Bytes of the character at p that must be escaped, and its number in *code; 0: it stands
 * for itself.  Beside ASCII these are the other line ends and controls of Unicode below
 * U+00A0, U+2028 and U+2029.
 */
static size_t
escaped_character(const unsigned char *p, const unsigned char *end, unsigned *code)
{
	*code = *p;
	if (*p < 0x20 || *p == 0x7F || strchr("<>{}`", *p) != NULL)
		return 1;
	if (end - p >= 2 && p[0] == 0xC2 && p[1] >= 0x80 && p[1] < 0xA0)
	{
		*code = p[1];
		return 2;
	}
	if (end - p >= 3 && p[0] == 0xE2 && p[1] == 0x80 && (p[2] == 0xA8 || p[2] == 0xA9))
	{
		*code = 0x2000 + p[2] - 0x80;
		return 3;
	}
	return 0;
}

static void
add_quoted(TextBuffer *to, const char *text, size_t length)
{
	const unsigned char *p = (const unsigned char *) text;
	const unsigned char *end = p + length;

	text_add(to, "\"", 1);
#ifdef LLAVA_TEST_NO_ESCAPE
	/* a test shows by this what the escaping is for */
	text_add(to, text, length);
	p = end;
#endif
	while (p < end)
	{
		char		escape[8];
		unsigned	code;
		size_t		n = escaped_character(p, end, &code);

		if (n > 0)
		{
			snprintf(escape, sizeof(escape), "\\u%04x", code);
			text_add(to, escape, 6);
			p += n;
			continue;
		}
		if (*p == '"' || *p == '\\')
			text_add(to, "\\", 1);
		text_add(to, (const char *) p, 1);
		p++;
	}
	text_add(to, "\"", 1);
}

/* Adds the text for the placeholder at p; returns behind it, or p if none stands there. */
static const char *
add_insert(TextBuffer *to, const char *p, const VlmInsert *inserts, int n)
{
	for (int i = 0; i < n; i++)
	{
		const char *behind = behind_placeholder(p, inserts[i].name);

		if (behind == NULL)
			continue;
		add_quoted(to, inserts[i].text, inserts[i].length);
		return behind;
	}
	return p;
}

char *
vlm_prompt_insert(const char *prompt, const VlmInsert *inserts, int n)
{
	TextBuffer	to = {0};
	const char *p = prompt;

	text_add(&to, "", 0);
	while (*p != '\0')
	{
		const char *next = strstr(p, "{{");
		const char *behind;

		if (next == NULL)
			next = p + strlen(p);
		text_add(&to, p, (size_t) (next - p));
		p = next;
		behind = add_insert(&to, p, inserts, n);
		if (behind == p && *p != '\0')
		{
			text_add(&to, p, 1);
			behind = p + 1;
		}
		p = behind;
	}
	if (!to.failed)
		return to.p;
	text_free(&to);
	return NULL;
}
