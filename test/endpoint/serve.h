/*
 * serve.h
 *	  Which request is for whom.
 */
#ifndef ENDPOINT_SERVE_H
#define ENDPOINT_SERVE_H

#include "connection.h"

/* Sends a JSON body. */
extern void serve_json(Connection *connection, int status, const Buffer *body);

/* control.c: /control, /control/stats, /control/wait, false: no such path. */
extern bool control_request(Connection *connection);
extern void control_gone(Connection *connection);

/* Answers the waits that have come true; called when a batch is over. */
extern void control_check_waits(void);

#endif							/* ENDPOINT_SERVE_H */
