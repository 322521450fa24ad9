/*
 * cursors.h
 *	  The session's open cursors, kept from code that runs in between.
 */
#ifndef LLAVA_CURSORS_H
#define LLAVA_CURSORS_H

#include "nodes/pg_list.h"

/* Until cursors_unpin nobody can close them.  The names; SPI-connected. */
extern List *cursors_pin(void);
extern void cursors_unpin(List *names);

#endif							/* LLAVA_CURSORS_H */
