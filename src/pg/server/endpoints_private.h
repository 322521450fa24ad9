/*
 * endpoints_private.h
 *	  The counts of requests at URLs from inside: for endpoints*.c only.
 *
 * All of it is read and changed under the lock of limits.c, but for the setting as this
 * process has read it.
 */
#ifndef LLAVA_ENDPOINTS_PRIVATE_H
#define LLAVA_ENDPOINTS_PRIVATE_H

#include "server_private.h"

/* URLs that the setting may name; places for these, and for others that are in use. */
#define MAX_LISTED 64
#define MAX_ENDPOINTS (MAX_LISTED + 512)

/* Places in line; if all are taken, the caller polls every ASK_AGAIN_MS. */
#define MAX_IN_LINE 256

/* A slot that was offered to a use is kept for it this long. */
#define OFFER_MS 1000

/*
 * Requests of trusted servers and of others, urgent or not; the greater rank goes
 * first.
 */
#define RANK(trusted, urgent) (2 * (int) (trusted) + (int) (urgent))
#define RANKS 4

typedef struct ListedEndpoint
{
	uint64		url;			/* endpoint_number */
	int			limit;
} ListedEndpoint;

typedef struct Endpoint
{
	uint64		url;			/* 0: the place is free */
	int			limit;			/* -1: the setting does not name it */
	int			in_flight[2];	/* of others' servers, of trusted ones */
	int			users[2];		/* EndpointUses that are in flight or in line */
} Endpoint;

typedef struct EndpointWaiter
{
	int			place;			/* of the endpoint */
	Oid			server;
	Latch	   *latch;
	int			rank;
	TimestampTz offered_until;	/* a slot; 0: none is */
} EndpointWaiter;

typedef struct SharedEndpoints
{
	TimestampTz read_at;		/* the setting that holds */
	Endpoint	endpoints[MAX_ENDPOINTS];
	int			n_waiting;
	EndpointWaiter waiting[MAX_IN_LINE];	/* in the order in which they came */
} SharedEndpoints;

struct EndpointUse
{
	Oid			server;
	uint64		url;
	bool		trusted;
	bool		current;		/* what the server asks now */
	int			place;			/* stays while it is in flight or in line */
	int			in_flight;
	bool		waiting;		/* in line, unless another took its place */
};

extern SharedEndpoints *shared_endpoints;	/* NULL without preloading */

/* ---- endpoints_setting.c ---- */

/* The setting as this process has read it. */
extern const ListedEndpoint *endpoints_listed(int *n);

/* ---- endpoints_places.c ---- */

/* Whether the use has requests in flight, or is in line. */
extern bool endpoint_is_active(const EndpointUse *use);

/* The entry of the use's URL; NULL if it has none. */
extern Endpoint *endpoint_of(const EndpointUse *use);

/* The same, made if it is missing; NULL if there is no place. */
extern Endpoint *endpoint_settle_down(EndpointUse *use);

/* Sets what the use has at its place. */
extern void endpoint_set_use(EndpointUse *use, int in_flight, bool waiting);

extern int	endpoint_in_flight(const Endpoint *endpoint);

/* The use's share of the slots that servers of its kind have. */
extern int	endpoint_share(const Endpoint *endpoint, const EndpointUse *use);

/* ---- endpoints.c ---- */

/* Sets the latches of the first in line, as many as there are slots for. */
extern void endpoint_offer(int place);

#endif							/* LLAVA_ENDPOINTS_PRIVATE_H */
