/*
 * connection.h
 *	  A client's connection: a request is read whole, served, answered; then the
 *	  next one.
 *
 * Who serves (serve.c) gets a connection by serve_request(), and ends its part by
 * connection_send() or connection_close().  If the peer leaves before that,
 * serve_gone() says so; serve_sent() says that the reply went out whole or as
 * far as it was meant to.
 */
#ifndef ENDPOINT_CONNECTION_H
#define ENDPOINT_CONNECTION_H

#include "http.h"
#include "loop.h"

struct Chat;

typedef enum ConnectionState
{
	CONNECTION_READING,
	CONNECTION_SERVING,
	CONNECTION_SENDING,
	CONNECTION_CLOSED
} ConnectionState;

typedef struct Connection
{
	struct Connection *next;
	struct Connection *before;
	Watch		watch;
	Timer		timer;			/* the server's; while sending the pace's */
	int64_t		number;			/* from 1, in order of arrival */
	int64_t		requests;		/* whole ones, this one included */
	ConnectionState state;
	uint32_t	events;			/* waited for */

	Buffer		input;			/* a head's beginning, or the next request */
	bool		in_body;
	HttpHead	head;
	int64_t		body_left;
	int64_t		body_size;		/* whether kept or not */
	Chunked		chunked;
	Buffer		body;			/* empty where bodies are thrown away */

	Reply		reply;
	size_t		sent;
	int64_t		sent_in_all;	/* of the reply, all its rounds if it is endless */
	void	   *user;			/* the server's, while SERVING or SENDING */
} Connection;

/* keep_bodies: false throws them away as they come, uncopied. */
extern void connections_open(bool keep_bodies);
extern void connection_accept(int fd);
extern void connection_send(Connection *connection, Reply *reply);	/* takes the bytes */
extern void connection_close(Connection *connection, bool reset);
extern void connections_sweep(void);	/* frees what was closed */
extern void connections_close_all(void);

/* Resets all but those that ask for control. */
extern void connections_reset(void);

/* Those whose request waits for a reply. */
extern void connections_each_chat(void (*what) (struct Chat *chat));

extern int	connections_now(void);
extern int64_t connections_ever(void);

/* serve.c */
extern void serve_request(Connection *connection);
extern void serve_sent(Connection *connection);
extern void serve_gone(Connection *connection);

#endif							/* ENDPOINT_CONNECTION_H */
