/*
 * usage.h
 *	  What llava_usage records of servers: what max_requests and budget are held against.
 */
#ifndef LLAVA_USAGE_H
#define LLAVA_USAGE_H

#include "limits.h"
#include "options.h"

extern SqlStatement sql_usage_all;

/*
 * A server's row among the n of llava_usage; what it says of a pause, or NULL, and whether
 * it tells of a trial.
 */
extern const char *usage_of(const LlavaServer *server, uint64 n, int64 *requests, double *cost,
							bool *trial);

/* Tells the limits what is recorded; for callers without a loop. */
extern void server_read_usage(const LlavaServer *server, Limits *limits);

#endif							/* LLAVA_USAGE_H */
