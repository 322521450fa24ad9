/*
 * cursors.h
 *	  The session's open cursors, protected from code that runs in between.
 */
#ifndef LLAVA_CURSORS_H
#define LLAVA_CURSORS_H

#include "nodes/pg_list.h"

/*
 * Pins them, so that they cannot be closed before cursors_unpin; returns their names.  The
 * caller is SPI-connected.
 */
extern List *cursors_pin(void);
extern void cursors_unpin(List *names);

#endif							/* LLAVA_CURSORS_H */
