/*
 * endpoints.h
 *	  How many requests all databases and servers of the cluster may have in flight together
 *	  at one URL: the setting llava_zh.endpoints.
 *
 * The counts lie in shared memory, so that the setting has an effect with preloading
 * only.  They are read and changed under the lock of limits.c: the functions below
 * "locked" are called with that lock held, and neither throw nor allocate.
 *
 * If there is room for some requests only, those of trusted servers (a superuser's, or
 * the queue owner's) go first, and among equals a session's before a worker's.  Within
 * one kind each server of a process has its share; beyond that, whichever has waited
 * longest goes first.
 */
#ifndef LLAVA_ENDPOINTS_H
#define LLAVA_ENDPOINTS_H

#include "utils/guc.h"

/* One server's requests from this process to one URL. */
typedef struct EndpointUse EndpointUse;

typedef struct EndpointFacts
{
	int			limit;			/* -1: the setting does not name the URL */
	int			in_flight;		/* at the URL; -1: not counted */
	int			waiting;		/* servers of processes, in line; -1: not
								 * counted */
} EndpointFacts;

extern Size endpoints_memory(void);
extern void endpoints_start_up(void *memory, bool found);

/* The setting; from _PG_init. */
extern void endpoints_define(void);

/*
 * What the server sends to from now on; its requests in flight stay where they are
 * counted.  The use that the server had before must have left the line, and is only
 * used for the end of those.  NULL without preloading: the setting then has no effect,
 * and the first call says so.
 */
extern EndpointUse *endpoint_use(Oid server, const char *url, bool trusted);

/* The number that stands for a URL, however it is spelled; 0: out of memory. */
extern uint64 endpoint_number(const char *url);

/* ---- locked ---- */

/*
 * The setting as this process has read it takes effect for all, if it is the newest
 * reading; or anyway.
 */
extern void endpoints_publish(bool anyway);

/*
 * 0 if a request may be sent now; else the milliseconds after which to ask again, or -1
 * to wait for the latch.  The caller is in line until it asks again or leaves.  The use
 * may be NULL, here and below.
 */
extern int64 endpoint_wait(EndpointUse *use, bool urgent);

/* After a wait of 0: the request takes its slot, until it ends. */
extern void endpoint_sent(EndpointUse *use);

/* The slot is offered to others at endpoint_leave, or at a wait that is not 0. */
extern void endpoint_ended(EndpointUse *use);

/* The use has nothing to send now: free slots are offered to others. */
extern void endpoint_leave(EndpointUse *use);

/* The same, for a server that was dropped and has nothing in flight. */
extern void endpoint_drop(EndpointUse *use);

/* Requests that the use has or could have in flight now. */
extern int	endpoint_room(const EndpointUse *use);

/*
 * Share of the URL's slots that is taken if this many more requests are sent; 0: no
 * limit.
 */
extern double endpoint_load(const EndpointUse *use, int more);

extern EndpointFacts endpoint_facts(uint64 url);

/* The process exits. */
extern void endpoints_give_back_all(void);

#endif							/* LLAVA_ENDPOINTS_H */
