/*
 * get.h
 *	  One request of the pool.
 */
#ifndef LLAVA_WEB_GET_H
#define LLAVA_WEB_GET_H

#include "crowd.h"
#include "names.h"
#include "web.h"

#include <curl/curl.h>

typedef enum GetState
{
	GET_NAMING,
	GET_WAITING,				/* its address has enough requests in flight */
	GET_RUNNING,
	GET_ENDED
} GetState;

/* Where it may be sent. */
typedef struct GetPlaces
{
	WebAddress	addresses[NAMES_ADDRESSES];
	int			n;
	int			tried;			/* the one whose turn it is */
	CrowdPlace *counted;		/* where it is counted; or NULL */
} GetPlaces;

typedef struct Get
{
	struct Get *next;
	struct Get *previous;
	struct WebPool *pool;
	GetState	state;

	/* what is asked for */
	char	   *url;
	char		host[WEB_HOST_MAX + 1];
	int			port;
	WebRequest	request;
	int64_t		deadline_ms;

	GetPlaces	places;

	/* how it goes */
	CURL	   *easy;
	struct curl_slist *headers;
	struct curl_slist *connect_to;
	size_t		header_bytes;
	size_t		body_room;
	WebFault	stopped_for;	/* why a callback has ended it */
	bool		answer_begun;
	bool		whole;			/* cut_is_enough, and enough came */
	WebResponse response;
	char		error[CURL_ERROR_SIZE];
} Get;

/* NULL: no memory. */
extern Get *get_new(struct WebPool *pool, const WebRequest *request);
extern void get_free(Get *get);

/* Sets the handle up for the address that is tried. */
extern bool get_set_up(Get *get, const WebPoolConfig *config);

/* What the end of the transfer means; true: the next address is to be tried. */
extern bool get_finish(Get *get, CURLcode code);

/* Ends it without libcurl. */
extern void get_fail(Get *get, WebFault fault, const char *error);

/* pool.c's, for the callbacks. */
extern const WebPoolConfig *pool_config(const struct WebPool *pool);
extern void pool_count_bytes(struct WebPool *pool, size_t bytes);

#endif
