/*
 * url_host.h
 *	  The host of a URL.
 */
#ifndef LLAVA_WEB_URL_HOST_H
#define LLAVA_WEB_URL_HOST_H

#include "web.h"

/*
 * Fills host, domain and literal.  The text has neither port nor user part.  NULL, or why
 * it is refused: 'url', 'address'.
 */
extern const char *url_host_parse(const char *text, size_t size, WebUrl *url);

/* Fills domain from host. */
extern void url_domain(WebUrl *url);

#endif
