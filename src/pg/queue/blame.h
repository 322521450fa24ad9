/*
 * blame.h
 *	  Whether the server is at fault for an error (blame.c).
 */
#ifndef LLAVA_BLAME_H
#define LLAVA_BLAME_H

#include "loop.h"

/* Judges a failed call by its error text.  If the server is at fault, pauses it, returns true. */
extern bool blame_server(ServerState *server, Call *call);

/* Whether to return the call's row to the queue: its server is at fault, and it is the first time. */
extern bool blame_excuses(const Call *call);

/* The value of llava_pending.said for a server and the hash of an error text; 0: none. */
extern int64 blame_number(const char *server, uint64 said);

/* Returns rows to the queue that failed because of the server.  In a transaction. */
extern void blame_return_rows(Loop *loop, ServerState *server);

#endif							/* LLAVA_BLAME_H */
