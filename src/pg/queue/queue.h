/*
 * queue.h
 *	  One call's life: rows are claimed, sent and settled.
 */
#ifndef LLAVA_QUEUE_H
#define LLAVA_QUEUE_H

#include "holders.h"
#include "loop.h"
#include "stall.h"



#endif							/* LLAVA_QUEUE_H */
