/*
 * usage.h
 *	  What llava_usage records of servers: what max_requests and budget are held against.
 */
#ifndef LLAVA_USAGE_H
#define LLAVA_USAGE_H

#include "limits.h"
#include "options.h"

/* A server's row, zeros without one. */
typedef struct ServerUsage
{
	int64		requests;
	double		cost;
	const char *pause_reason;	/* or NULL */
	bool		trial;			/* suspects are being tried (suspects.h) */
} ServerUsage;

/* Reads all rows as the current role, in SPI and in a transaction; returns how many. */
extern uint64 usage_read_all(void);

/* A server's among the n rows that were read last. */
extern ServerUsage usage_of(const LlavaServer *server, uint64 n);

/*
 * Writes why the server is paused; with reason NULL that it is not, and in detail what else
 * there is to say, or NULL.
 */
extern void usage_record_pause(const LlavaServer *server, const char *reason, const char *detail);

/* Tells the limits what is recorded; for callers without a loop. */
extern void server_read_usage(const LlavaServer *server, Limits *limits);

#endif							/* LLAVA_USAGE_H */
