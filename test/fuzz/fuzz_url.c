/*
 * fuzz_url.c
 *	  Any text as a URL, and as a reference: what is accepted is in its normal form, has a
 *	  public address if it has one, and is read by libcurl as we read it.
 */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "web/web.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What inet_aton takes for an address is one to a resolver. */
static void
check_host(const WebUrl *url)
{
	WebAddress	address;
	struct in_addr ip4;

	if (web_address_parse(url->host, &address) != url->literal)
		abort();
	if (url->literal && !web_address_public(&address))
		abort();
	if (!url->literal && inet_aton(url->host, &ip4) != 0)
		abort();
	if (url->domain[0] == '\0' || strlen(url->domain) > strlen(url->host))
		abort();
}

static void
check_libcurl(const WebUrl *url)
{
	CURLU	   *handle = curl_url();
	char	   *host = NULL;
	char	   *port = NULL;
	size_t		brackets;

	if (handle == NULL)
		abort();
	if (curl_url_set(handle, CURLUPART_URL, url->normal, CURLU_PATH_AS_IS) != CURLUE_OK ||
		curl_url_get(handle, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
		curl_url_get(handle, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK)
		abort();
	brackets = host[0] == '[';
	if (strncmp(host + brackets, url->host, strlen(url->host)) != 0 || strlen(host) != strlen(url->host) + 2 * brackets ||
		atoi(port) != url->port)
		abort();
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(handle);
}

static void
check(WebUrl *url)
{
	WebUrl		again;

	for (const char *p = url->normal; *p != '\0'; p++)
		if (*p <= ' ' || *p == '\\' || *p == '#' || *p == 0x7F)
			abort();
	/* what was given as 4 KB of text may be longer when it is escaped */
	if (strlen(url->normal) <= WEB_URL_MAX)
	{
		if (web_url_parse(url->normal, strlen(url->normal), NULL, &again) != NULL || strcmp(again.normal, url->normal) != 0)
			abort();
		web_url_free(&again);
	}
	check_host(url);
	check_libcurl(url);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	size_t		first = end == NULL ? size : (size_t) (end - data);
	WebUrl		url;
	WebUrl		joined;
	char	   *reference;

	if (web_url_parse((const char *) data, first, NULL, &url) != NULL)
		return 0;
	check(&url);
	if (end != NULL)
	{
		reference = malloc(size - first);
		if (reference == NULL)
			abort();
		memcpy(reference, end + 1, size - first - 1);
		reference[size - first - 1] = '\0';
		if (web_url_join(&url, reference, NULL, &joined) == NULL)
		{
			check(&joined);
			web_url_free(&joined);
		}
		free(reference);
	}
	web_url_free(&url);
	return 0;
}
