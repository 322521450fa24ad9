/*
 * holders.h
 *	  Who holds leases: a worker by its slot's number, a session that drains by minus its
 *	  pid.
 */
#ifndef LLAVA_HOLDERS_H
#define LLAVA_HOLDERS_H

struct Loop;

/*
 * A session that drains is known as such from holders_begin to holders_end, to the
 * processes of this database; holders_keep, now and then, in between.
 */
extern void holders_begin(void);
extern void holders_keep(void);
extern void holders_end(void);

/*
 * The leases of holders that live no more go back to the queue, and those that carry
 * this process's number and are not its own.  holders_release: once as soon as the
 * extension is here, and after a restore; a transaction of its own.  holders_look: in a
 * claim's, now and then when the queue has run dry.
 */
extern void holders_release(struct Loop *loop);
extern void holders_look(struct Loop *loop);

#endif							/* LLAVA_HOLDERS_H */
