/*
 * lengths.h
 *	  How long a value may be that a person writes: ERROR 22001 beyond, with the limit.
 */
#ifndef LLAVA_LENGTHS_H
#define LLAVA_LENGTHS_H

#include "commands/trigger.h"

/* The value of one column. */
extern void lengths_check(const char *table, const char *column, Datum value);

/* All columns of a row that comes in. */
extern void lengths_check_row(const char *table, HeapTuple row, TupleDesc desc);

/* The columns that an UPDATE changes. */
extern void lengths_check_update(const char *table, TriggerData *trigger);

#endif							/* LLAVA_LENGTHS_H */
