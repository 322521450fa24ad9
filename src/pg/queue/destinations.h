/*
 * destinations.h
 *	  What a claim takes rows for.
 *
 * The rows of one task, pin and prohibition (llava_pending.task, server, not_server) are a
 * group; they stand together in the index that claims read, in the order of the queue.  The
 * groups that the same servers may be asked about are a destination: it has a cursor of its
 * own, and rows are claimed for it only while its servers have room.  So rows that must wait
 * are never read, and no cursor passes them.
 */
#ifndef LLAVA_DESTINATIONS_H
#define LLAVA_DESTINATIONS_H

#include "loop.h"

/* Most groups of a destination; further ones make another of the same servers. */
#define MAX_GROUPS 16

/* Groups: of each the task, pin and prohibition, as three text[]. */
typedef struct Groups
{
	int			n;
	ArrayType  *columns[3];
} Groups;

typedef struct Destination
{
	dlist_node	node;
	Route		route;
	int			part;			/* of the destinations of this route */
	List	   *keys;			/* String: its groups */
	Groups		all;
	Groups		asked;			/* those with rows from the cursor on; never
								 * none */
	bool		is_asked_known; /* false: find them anew */
	TimestampTz queued_from;	/* earliest visible_at of rows that came since
								 * they were found; DT_NOEND: none came */
	QueuePlace	cursor;			/* claims have read the queue up to here */
	QueuePlace	cursor_before;	/* the claim under way */
	Ahead		ahead;
	TimestampTz at;				/* when there may be rows to claim */
	TimestampTz next_due;		/* earliest visible_at of the waiting rows;
								 * DT_NOEND: none waits */
	bool		dry;			/* a full pass found no row that is due */
	bool		open;			/* a server may be asked, at the last look */
	int64		room;			/* then: rows that it may claim */
	int			wanted;			/* rows that the claim under way asked for; 0:
								 * it asked for none */
	int			claimed;		/* and got */
} Destination;

#define foreach_destination(destination, loop) \
	foreach_entry(Destination, destination, &(loop)->destinations.list)
StaticAssertDecl(offsetof(Destination, node) == 0, "the pointer to a node must be the pointer to its entry");

/* Sets the first three parameters of a statement that reads the rows of these groups. */
extern void groups_values(const Groups *groups, Datum *values);

/* Finds the destinations of all rows that may be asked about.  In the claim's transaction. */
extern void destinations_read(Loop *loop);

/* Moves the cursor back to the beginning. */
extern void destination_reset(Destination *destination);

/* Moves the cursor back before all rows that are due from then on. */
extern void destination_go_back(Destination *destination, TimestampTz from);

extern bool destination_has_route(const Destination *destination, const Route *route);

/* Tasks, pins and prohibitions of the groups of open destinations, or dry ones, as three text[]. */
extern void destinations_groups(Loop *loop, bool only_dry, Datum *values);

/* ---- room.c ---- */

/* Looks at the servers of all destinations. */
extern void destinations_look(Loop *loop);

/*
 * After destinations_look, the one that is to be claimed for next, or NULL: with room, not
 * asked in this claim, and not waiting for a time.  That whose cursor is furthest behind
 * goes first, so that rows are asked about in the order of the queue.
 */
extern Destination *destination_next(Loop *loop);

/* Rows were claimed for it: others have so much less room at the servers that they share. */
extern void destination_took(Loop *loop, const Destination *destination, int rows);

/* Whether this process holds no call that could be for it. */
extern bool destination_is_idle(Loop *loop, const Destination *destination);

#endif							/* LLAVA_DESTINATIONS_H */
