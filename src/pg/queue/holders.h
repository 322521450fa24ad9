/*
 * holders.h
 *	  What the room's other files see of holders.c beside its door.
 */
#ifndef LLAVA_HOLDERS_H
#define LLAVA_HOLDERS_H

#include "queue.h"

/* As holders_release, in a claim's transaction: now and then when the queue has run dry. */
extern void holders_look(Loop *loop);

/* After a restore: holders_release works once more. */
extern void holders_release_again(Loop *loop);

#endif							/* LLAVA_HOLDERS_H */
