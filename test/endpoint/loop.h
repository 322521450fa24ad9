/*
 * loop.h
 *	  One thread's event loop: descriptors through epoll, deadlines in a heap.
 */
#ifndef ENDPOINT_LOOP_H
#define ENDPOINT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/* Something that is told when its descriptor is ready. */
typedef struct Watch
{
	int			fd;
	void		(*ready) (void *owner, uint32_t events);
	void	   *owner;
} Watch;

/* Something that is told when its time has come; zeroed memory is not armed. */
typedef struct Timer
{
	int64_t		due;			/* µs of loop_now() */
	int			place;			/* in the heap, from 1; 0: not armed */
	void		(*fire) (void *owner);
	void	   *owner;
} Timer;

extern void loop_open(void);
extern bool loop_watch(Watch *watch, uint32_t events);	/* false: epoll cannot */
extern void loop_change(Watch *watch, uint32_t events);
extern void loop_forget(Watch *watch);
extern void loop_arm(Timer *timer, int64_t due);
extern void loop_disarm(Timer *timer);
extern int64_t loop_now(void);	/* µs, monotonic */

/* Runs until loop_stop(); after_batch is called when all that was ready was told. */
extern void loop_run(void (*after_batch) (void));
extern void loop_stop(void);

#endif							/* ENDPOINT_LOOP_H */
