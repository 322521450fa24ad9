/*
 * url.c
 *	  The option url: the base of an endpoint, and nothing that is a secret.
 *
 * Stricter than the standard: a url that libcurl might read in another way than this file
 * does is refused.
 */
#include "postgres.h"

#include "server_private.h"

#define COMPLETIONS_PATH "/chat/completions"

#define HOST_CHARACTERS \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

/* What is wrong with the port that follows a host; NULL: nothing. */
static const char *
port_problem(const char *port, size_t length)
{
	int			number;

	if (length == 0)
		return NULL;
	if (port[0] != ':' || length == 1 || length > 6 || strspn(port + 1, "0123456789") != length - 1)
		return "its port is not a number";
	number = atoi(port + 1);
	return number < 1 || number > 65535 ? "its port is not in 1 .. 65535" : NULL;
}

/* What is wrong with host and port; NULL: nothing. */
static const char *
authority_problem(const char *authority, size_t length)
{
	size_t		host;

	if (memchr(authority, '@', length) != NULL)
		return "it holds user info";
	if (authority[0] == '[')
	{
		host = 1 + strspn(authority + 1, "0123456789abcdefABCDEF:.");
		if (host < 3 || host >= length || authority[host] != ']')
			return "its IPv6 address is malformed";
		host++;
	}
	else
	{
		host = strspn(authority, HOST_CHARACTERS);
		if (host == 0)
			return "it names no host";
		if (host < length && authority[host] != ':')
			return "its host has characters that no host name has";
	}
	return port_problem(authority + host, length - host);
}

/* Length without the slashes at the end. */
static size_t
trimmed_length(const char *url)
{
	size_t		length = strlen(url);

	while (length > 0 && url[length - 1] == '/')
		length--;
	return length;
}

const char *
options_url_problem(const char *url)
{
	const char *authority;
	const char *problem;
	size_t		length = trimmed_length(url);
	size_t		suffix = strlen(COMPLETIONS_PATH);

	if (pg_strncasecmp(url, "http://", 7) == 0)
		authority = url + 7;
	else if (pg_strncasecmp(url, "https://", 8) == 0)
		authority = url + 8;
	else
		return "it begins with neither http:// nor https://";
	for (const char *c = url; *c != '\0'; c++)
		if (*c <= ' ' || *c > '~' || strchr("\"<>\\^`{|}", *c) != NULL)
			return "it has characters that must be percent-encoded";
	problem = authority_problem(authority, strcspn(authority, "/?#"));
	if (problem != NULL)
		return problem;
	if (strchr(url, '?') != NULL)
		return "it holds a query";
	if (strchr(url, '#') != NULL)
		return "it holds a fragment";
	if (length >= suffix && strncmp(url + length - suffix, COMPLETIONS_PATH, suffix) == 0)
		return "it ends in " COMPLETIONS_PATH;
	return NULL;
}

char *
options_url(const char *url)
{
	const char *problem = options_url_problem(url);

	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("invalid value for option \"url\": %s", problem),
				 errhidestmt(true),
				 strpbrk(url, "@?#") == NULL ? errdetail("The url is \"%s\".", url) : 0,
				 errhint("A valid url is, for example, 'http://127.0.0.1:8000/v1'. The path %s is added to it. Keys belong in a user mapping.",
						 COMPLETIONS_PATH)));
	return pnstrdup(url, trimmed_length(url));
}
