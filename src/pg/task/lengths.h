/*
 * lengths.h
 *	  Limits on the length of values that people write: ERROR 22001, with the limit,
 *	  beyond it.
 */
#ifndef LLAVA_LENGTHS_H
#define LLAVA_LENGTHS_H

#include "commands/trigger.h"

/* Checks the value of one column. */
extern void lengths_check(const char *table, const char *column, Datum value);

/* Checks all columns of a new row. */
extern void lengths_check_row(const char *table, HeapTuple row, TupleDesc desc);

/* Checks the columns that an UPDATE changes. */
extern void lengths_check_update(const char *table, TriggerData *trigger);

#endif							/* LLAVA_LENGTHS_H */
