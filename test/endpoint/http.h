/*
 * http.h
 *	  HTTP/1.1 requests as they come in pieces, and replies as bytes.
 */
#ifndef ENDPOINT_HTTP_H
#define ENDPOINT_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"

#define HTTP_MAX_HEAD 65536

/* What the program needs of a request's head. */
typedef struct HttpHead
{
	char		method[16];
	char		path[1024];		/* without the query */
	char		query[1024];
	char		request_id[256];
	char		authorization[1024];
	int64_t		content_length; /* -1: not said */
	bool		chunked;
	bool		close;			/* the client wants no further request */
	bool		expects_continue;
} HttpHead;

/* Bytes of the head, 0 if it is not whole yet, -1 if it is none. */
extern int	http_parse_head(const char *data, size_t size, HttpHead *head);

/* A chunked body being taken apart; zeroed at its start. */
typedef struct Chunked
{
	int			state;
	uint64_t	left;
	bool		done;
	bool		bad;
	Buffer		line;
} Chunked;

/* Takes what it can of data, adds the body's bytes to body (if not NULL), says how much it took. */
extern size_t http_take_chunks(Chunked *chunked, const char *data, size_t size, Buffer *body);

/* A parameter of the query as a number; false if it is not there. */
extern bool http_query_number(const char *query, const char *name, int64_t *value);

/* How a reply goes out. */
typedef enum ReplyEnd
{
	END_KEEP,					/* the connection may serve again */
	END_CLOSE,					/* FIN behind the last byte */
	END_RESET					/* RST behind the last byte */
} ReplyEnd;

typedef struct Reply
{
	Buffer		bytes;			/* head and body */
	int			status;
	size_t		limit;			/* send no more than this; 0 with cut: nothing */
	bool		cut;			/* limit counts */
	size_t		again;			/* > 0: the bytes from there on, without end */
	int			pace_ms;		/* > 0: a piece of pace_bytes each so often */
	size_t		pace_bytes;
	ReplyEnd	end;
} Reply;

/* How the body's length is told. */
typedef enum BodyLength
{
	LENGTH_TOLD,
	LENGTH_TOO_LONG,			/* Content-Length says more than there is */
	LENGTH_CHUNKED,
	LENGTH_UNTIL_CLOSE
} BodyLength;

/* extra: further header lines, each with CRLF, or NULL. */
extern void http_reply(Reply *reply, int status, const char *type, const char *extra,
					   const Buffer *body, BodyLength length);
extern void reply_free(Reply *reply);

#endif							/* ENDPOINT_HTTP_H */
