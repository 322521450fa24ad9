/*
 * holders.h
 *	  Functions of holders.c for the files of this folder; others see queue.h.
 */
#ifndef LLAVA_HOLDERS_H
#define LLAVA_HOLDERS_H

#include "queue.h"

/*
 * Like holders_release, but in a claim's transaction: every llava_zh.naptime while the
 * queue has no row that is due.
 */
extern void holders_look(Loop *loop);

/* Lets holders_release run once more, after a restore. */
extern void holders_release_again(Loop *loop);

#endif							/* LLAVA_HOLDERS_H */
