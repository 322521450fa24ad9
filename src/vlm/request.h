/*
 * request.h
 *	  One request of the pool: its easy handle, what it sends, what comes back.
 */
#ifndef LLAVA_VLM_REQUEST_H
#define LLAVA_VLM_REQUEST_H

#include "vlm.h"

#include <curl/curl.h>

typedef struct Request
{
	struct Request *next;
	struct Request *previous;
	CURL	   *easy;
	struct curl_slist *headers;
	char	   *url;
	VlmBody		body;
	uint8_t    *image;
	size_t		image_size;
	size_t		encoded_size;	/* of the image's base64 */
	size_t		body_size;		/* of the whole request body */
	size_t		position;		/* of it, already read by libcurl */
	size_t		max_reply_bytes;
	int			fd;				/* the last socket that libcurl told of; 0:
								 * none */
	int			inbound;		/* times its socket had something to read */
	uint64_t	read_before;	/* of its connection, at the first look; 0:
								 * none yet */
	size_t		room;			/* of response.body */
	size_t	   *held;			/* the pool's bytes */
	size_t		counted;		/* of them, this request's */
	int64_t		submitted_ms;
	bool		ended_well;		/* the handle may be used again */
	char		error[CURL_ERROR_SIZE];
	void	   *user;
	VlmResponse response;
} Request;

/* NULL: no memory. */
extern Request *request_new(void);
extern void request_free(Request *request);

/*
 * Takes over wanted's body and image and sets the handle up.  False: no memory,
 * or a key or id with a control character in it; body and image are then still
 * to be treated as the caller's.  *held grows and shrinks with what the request
 * holds, until request_clear.
 */
extern bool request_set_up(Request *request, VlmRequest *wanted, size_t *held,
						   int64_t now_ms);

/*
 * Something was to be read from fd, this request's socket.  False: more has come on
 * the wire than a reply of max_reply_bytes can be; response.too_large is then set.
 */
extern bool request_inbound(Request *request, int fd);

/* Fills request->response from the handle. */
extern void request_finish(Request *request, CURLcode code, int64_t now_ms);

/* Frees all it holds, key first overwritten; the handle can be used again. */
extern void request_clear(Request *request);

#endif							/* LLAVA_VLM_REQUEST_H */
