/*
 * endpoints.h
 *	  How many requests all databases and servers of the cluster may have in flight together
 *	  at one URL: the setting llava_zh.endpoints.
 *
 * The counts lie in shared memory, so that the setting holds with preloading only.  They are
 * limits.c's, and are read and changed under its lock: what is below "locked" is called by
 * who has it, and neither throws nor allocates.
 *
 * Whose requests go first where there is room for some only: those of servers that are
 * trusted (a superuser's, or the queue owner's), and among equals a session's before a
 * worker's.  Of one kind each server of a process has its share, and else who has waited
 * for longest.
 */
#ifndef LLAVA_ENDPOINTS_H
#define LLAVA_ENDPOINTS_H

#include "utils/guc.h"

/* One server's requests from this process to one URL. */
typedef struct EndpointUse EndpointUse;

typedef struct EndpointFacts
{
	int			limit;			/* -1: the setting names no such URL */
	int			in_flight;		/* at the URL; -1: nobody counts */
	int			waiting;		/* servers of processes, in line; -1 */
} EndpointFacts;

extern Size endpoints_memory(void);
extern void endpoints_start_up(void *memory, bool found);

/* The setting; from _PG_init. */
extern void endpoints_define(void);

/*
 * What the server asks from now on; its requests under way stay where they are.  One that
 * the server had before must have left, and is not to be used any more but for the end of
 * these.  NULL where nothing is shared: then a setting does not hold, and the first call
 * says so.
 */
extern EndpointUse *endpoint_use(Oid server, const char *url, bool trusted);

/* The number that stands for a URL, however it is spelled; 0: no memory. */
extern uint64 endpoint_number(const char *url);

/* ---- locked ---- */

/* The setting as this process has read it holds for all, if it is the newest; or anyway. */
extern void endpoints_publish(bool anyway);

/*
 * 0 if a request may be sent now.  Else the milliseconds until it helps to ask again, or
 * -1: until the latch is set.  Who is told to wait is in line until it has asked again, or
 * leaves.  Use may be NULL, here and below.
 */
extern int64 endpoint_wait(EndpointUse *use, bool urgent);

/* After a wait of 0: the request has its slot, until it ends. */
extern void endpoint_sent(EndpointUse *use);

/* Nobody is told before endpoint_leave, or before a wait that is not 0. */
extern void endpoint_ended(EndpointUse *use);

/* It has nothing to send now: others may have what is free. */
extern void endpoint_leave(EndpointUse *use);

/* The same; and the server, which has nothing in flight, is gone. */
extern void endpoint_drop(EndpointUse *use);

/* Requests that it has or could have in flight now. */
extern int	endpoint_room(const EndpointUse *use);

/* Share of the URL's slots that is taken if so many more are sent; 0: no limit. */
extern double endpoint_load(const EndpointUse *use, int more);

extern EndpointFacts endpoint_facts(uint64 url);

/* The process ends. */
extern void endpoints_give_back_all(void);

#endif							/* LLAVA_ENDPOINTS_H */
