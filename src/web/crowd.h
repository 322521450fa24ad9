/*
 * crowd.h
 *	  How many requests go to each address.
 */
#ifndef LLAVA_WEB_CROWD_H
#define LLAVA_WEB_CROWD_H

#include "web.h"

/* An address that at least one request is counted for. */
typedef struct CrowdPlace
{
	struct CrowdPlace *next;
	WebAddress	address;
	int			running;
	int			waiting;
} CrowdPlace;

typedef struct Crowd Crowd;

/* NULL: no memory. */
extern Crowd *crowd_new(void);
extern void crowd_free(Crowd *crowd);

/* The place of an address; NULL: nothing is counted for it. */
extern CrowdPlace *crowd_find(const Crowd *crowd, const WebAddress *address);

/* Counts one more, so many running and so many waiting; NULL: no memory, nothing is counted. */
extern CrowdPlace *crowd_enter(Crowd *crowd, const WebAddress *address, int running, int waiting);

/* Takes them away again.  A place that nothing is counted for is freed; place may be NULL. */
extern void crowd_leave(Crowd *crowd, CrowdPlace *place, int running, int waiting);

#endif
