/*
 * request.h
 *	  One request of the pool: its easy handle, what it sends, what comes back.
 */
#ifndef LLAVA_VLM_REQUEST_H
#define LLAVA_VLM_REQUEST_H

#include "vlm.h"

#include <curl/curl.h>

/* What is sent: the JSON around the picture's base64. */
typedef struct RequestBody
{
	VlmBody		json;
	uint8_t    *image;			/* NULL once all was handed over */
	size_t		image_size;
	size_t		encoded_size;	/* of the image's base64 */
	size_t		size;			/* of the whole */
	size_t		position;		/* of it, already read by libcurl */
} RequestBody;

/* The limit on what comes back, and what has come on the wire. */
typedef struct RequestInbound
{
	size_t		max_reply_bytes;
	int			fd;				/* the last socket that libcurl told of; 0:
								 * none */
	int			times;			/* that its socket had something to read */
	uint64_t	read_before;	/* of its connection, at the first look; 0:
								 * none yet */
} RequestInbound;

typedef struct Request
{
	/* the pool's list that it is in */
	struct Request *next;
	struct Request *previous;

	/* libcurl's */
	CURL	   *easy;
	struct curl_slist *headers;
	char	   *url;
	char		error[CURL_ERROR_SIZE];
	bool		ended_well;		/* the handle may be used again */

	/* out and in */
	int64_t		submitted_ms;
	RequestBody body;
	RequestInbound inbound;
	VlmResponse response;
	size_t		room;			/* of response.body */

	/* bytes that it holds */
	size_t	   *held;			/* the pool's sum */
	size_t		counted;		/* of it, this request's */

	void	   *user;
} Request;

/* NULL: no memory. */
extern Request *request_new(void);
extern void request_free(Request *request);

/*
 * Takes over wanted's body and image and sets the handle up.  False: no memory,
 * or a key or id with a control character in it; body and image then still belong
 * to the caller.  Until request_clear *held follows the bytes that the request holds.
 */
extern bool request_set_up(Request *request, VlmRequest *wanted, size_t *held,
						   int64_t now_ms);

/*
 * To be called when fd, this request's socket, had something to read.  False: more has come
 * on the wire than a reply of max_reply_bytes can need; response.too_large is then set.
 */
extern bool request_inbound(Request *request, int fd);

/*
 * Whether the code says that a connection broke.  Others that are kept are likely to be
 * broken then, too, and libcurl 8.23 does not look at those that it used a moment ago: each
 * would cost a request, which would count as lost.
 */
extern bool request_lost_connection(CURLcode code);

/* Fills request->response from the handle. */
extern void request_finish(Request *request, CURLcode code, int64_t now_ms);

/* Frees all it holds, key first overwritten; the handle can be used again. */
extern void request_clear(Request *request);

#endif							/* LLAVA_VLM_REQUEST_H */
