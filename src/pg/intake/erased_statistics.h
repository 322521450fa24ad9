/*
 * erased_statistics.h
 *	  What ANALYZE has copied of erased rows into the catalogue.
 */
#ifndef LLAVA_ERASED_STATISTICS_H
#define LLAVA_ERASED_STATISTICS_H

#include "db/db.h"

/* The statistics of one table, while rows of it are erased. */
typedef struct TableStatistics TableStatistics;

/*
 * Reads them, palloc'd; NULL if none of them can hold what is erased.  rows_stay: only
 * columns without statistics are emptied, and the rows stay.  The table is locked
 * against ANALYZE.
 */
extern TableStatistics *erased_statistics_read(Oid table, bool rows_stay);

/*
 * Marks those in which a value of these rows stands.  The statement, with its argument,
 * returns their ctids, FROM ONLY the table.  Index expressions run as the table's owner.
 */
extern void erased_statistics_find(TableStatistics *statistics, SqlStatement *rows, Datum argument);

/* Removes the marked ones from the catalogue; returns whether there were any. */
extern bool erased_statistics_remove(TableStatistics *statistics);

#endif							/* LLAVA_ERASED_STATISTICS_H */
