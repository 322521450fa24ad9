/*
 * reserved.c
 *	  Reservations that come with an answer: who owns the content keeps it from being used.
 */
#include "web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct
{
	const char *name;
	int			bit;
}			signals[] = {
	{"noai", WEB_RESERVED_NOAI}, {"noindex", WEB_RESERVED_NOINDEX}, {"tdm", WEB_RESERVED_TDM},
	{"content-usage", WEB_RESERVED_USAGE}
};

static const struct
{
	const char *name;
	int			bit;
}			directives[] = {
	{"noai", WEB_RESERVED_NOAI}, {"noimageai", WEB_RESERVED_NOAI}, {"noml", WEB_RESERVED_NOAI},
	{"noindex", WEB_RESERVED_NOINDEX}, {"noimageindex", WEB_RESERVED_NOINDEX}, {"none", WEB_RESERVED_NOINDEX}
};

bool
web_reservations_parse(const char *text, int *honoured, const char **bad)
{
	*honoured = 0;
	for (text += strspn(text, " \t,"); *text != '\0'; text += strspn(text, " \t,"))
	{
		size_t		size = strcspn(text, " \t,");
		bool		known = false;

		*bad = text;
		for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
			if (strlen(signals[i].name) == size && strncasecmp(signals[i].name, text, size) == 0)
			{
				*honoured |= signals[i].bit;
				known = true;
			}
		if (!known)
			return false;
		text += size;
	}
	return true;
}

static int
directive_bit(const char *word, size_t size)
{
	while (size > 0 && (word[size - 1] == ' ' || word[size - 1] == '\t'))
		size--;
	for (size_t i = 0; i < sizeof(directives) / sizeof(directives[0]); i++)
		if (strlen(directives[i].name) == size && strncasecmp(directives[i].name, word, size) == 0)
			return directives[i].bit;
	return 0;
}

/* Directives that have a value of their own, and are nobody's name. */
static bool
has_a_value(const char *name, size_t size)
{
	return (size > 4 && strncasecmp(name, "max-", 4) == 0) ||
		(size == 17 && strncasecmp(name, "unavailable_after", 17) == 0);
}

/*
 * X-Robots-Tag: directives divided by commas.  A name with a colon before one says for whom
 * it and those behind it are, until the next name.
 */
static bool
tag_reserves(const char *value, int honoured, const char *agent)
{
	bool		ours = true;

	while (*value != '\0')
	{
		size_t		size;
		size_t		name;

		/* of a repeated header each begins anew */
		value += strspn(value, " \t");
		size = strcspn(value, ",\n");
		name = strcspn(value, ":,\n");
		if (name < size && !has_a_value(value, name))
		{
			ours = (name == 1 && value[0] == '*') ||
				(name == strlen(agent) && strncasecmp(value, agent, name) == 0);
			value += name + 1;
			continue;
		}
		if (ours && name == size && (directive_bit(value, size) & honoured) != 0)
			return true;
		if (value[size] == '\n')
			ours = true;
		value += size + (value[size] != '\0');
	}
	return false;
}

/* "train-ai=n", in older drafts "ai=n", among the members of a dictionary. */
static bool
usage_reserves(const char *value)
{
	while (*value != '\0')
	{
		size_t		size = strcspn(value, ",;\n \t");

		if ((size == 10 && strncasecmp(value, "train-ai=n", 10) == 0) || (size == 4 && strncasecmp(value, "ai=n", 4) == 0))
			return true;
		value += size + (value[size] != '\0');
	}
	return false;
}

static char *
named(const char *name, const char *value)
{
	size_t		room = strlen(name) + strlen(value) + 3;
	char	   *text = malloc(room);

	if (text != NULL)
		snprintf(text, room, "%s: %s", name, value);
	return text;
}

char *
web_reserved(const WebResponse *response, int honoured, const char *agent)
{
	const char *tag = response->headers[WEB_HEADER_X_ROBOTS_TAG];
	const char *tdm = response->headers[WEB_HEADER_TDM_RESERVATION];
	const char *usage = response->headers[WEB_HEADER_CONTENT_USAGE];

	if (tag != NULL && tag_reserves(tag, honoured, agent))
		return named("X-Robots-Tag", tag);
	if (tdm != NULL && (honoured & WEB_RESERVED_TDM) != 0 && strncmp(tdm + strspn(tdm, " \t"), "1", 1) == 0)
		return named("tdm-reservation", tdm);
	if (usage != NULL && (honoured & WEB_RESERVED_USAGE) != 0 && usage_reserves(usage))
		return named("Content-Usage", usage);
	return NULL;
}

int64_t
web_url_expires(const char *normal)
{
	/* of Alibaba, AWS and Huawei; Qiniu; Alibaba's CDN; Tencent ("begin;end") */
	static const struct
	{
		const char *name;
		char		before;		/* the time stands behind this */
	}			parameters[] = {{"Expires=", 0}, {"e=", 0}, {"auth_key=", 0}, {"q-key-time=", ';'}};
	const char *p = strchr(normal, '?');

	for (; p != NULL; p = strchr(p, '&'))
	{
		p++;
		for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++)
		{
			size_t		size = strlen(parameters[i].name);
			const char *value = strncmp(p, parameters[i].name, size) == 0 ? p + size : NULL;
			long long	time;

			if (value != NULL && parameters[i].before != 0)
				value = strchr(value, parameters[i].before) == NULL ? NULL : strchr(value, parameters[i].before) + 1;
			time = value == NULL ? 0 : strtoll(value, NULL, 10);
			/* a time of this century; what else is named so is none */
			if (time > 946684800 && time < 4102444800)
				return time;
		}
	}
	return 0;
}
