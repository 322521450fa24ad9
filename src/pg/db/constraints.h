/*
 * constraints.h
 *	  Users' deferrable constraints on the tables that we write for others.
 */
#ifndef LLAVA_CONSTRAINTS_H
#define LLAVA_CONSTRAINTS_H

typedef struct Constraints Constraints;

/* Whether a table has a constraint or constraint trigger that could be deferred. */
extern bool constraints_may_wait(Oid table);

/*
 * Makes the deferrable constraints on these tables, and on those that follow them by
 * foreign keys, immediate: statements that run with another role's rights are
 * security-restricted operations, which may defer nothing.  palloc'd. SPI-connected.
 */
extern Constraints *constraints_immediate(const Oid *tables, int n);

/* Restores them as they were declared, since what the transaction had SET cannot be read. */
extern void constraints_put_back(const Constraints *constraints);

#endif							/* LLAVA_CONSTRAINTS_H */
