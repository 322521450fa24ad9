/*
 * task_row.h
 *	  A row of llava_task, taken apart: its columns by their names.
 */
#ifndef LLAVA_TASK_ROW_H
#define LLAVA_TASK_ROW_H

#include "db/db.h"
#include "task.h"
#include "utils/rel.h"

typedef struct TaskRow
{
	TupleDesc	desc;
	Datum	   *values;
	bool	   *nulls;
} TaskRow;

extern TaskRow *task_row_new(HeapTuple tuple, TupleDesc desc);

/* Index of a column into values and nulls. */
extern int	task_row_column(const TaskRow *row, const char *name);

/* NULL for NULL, else palloc'd. */
extern char *task_row_text(const TaskRow *row, const char *name);

/* ---- task_stage.c: objects and stages ---- */

/*
 * Checks a row that is complete but for what it follows; taken_back: the row gives the
 * empty text for that.
 */
extern void task_stage_check(TaskRow *row, List *tasks, const char *name, bool taken_back);

/*
 * ERROR if the transaction sees the table as it was before another one inserted into it: two
 * INSERTs could close a circle then.
 */
extern void task_stage_check_newest(Relation table);

/* What an experiment does not take from the task that it is one on. */
extern void task_stage_leave(TaskRow *base);

/* ---- task_rows.c ---- */

/* The newest row of this name, in the current context; NULL if there is none. */
extern TaskRow *task_row_newest(Oid table, const char *name);

/* ---- advice.c: a row that is complete, and what may not be meant ---- */

/*
 * Says in a NOTICE which human turns a new task of descriptions has that gives none, and in a
 * WARNING which key its condition names that is not required of what it follows.
 */
extern void task_advise(const TaskRow *row, Oid table, bool is_new);

/* ---- task_owed.c ---- */

/* Says in a NOTICE what the new row owes to results that are there, if anything. */
extern void task_tell_owed(const TaskRow *row);

/* A number that a task says, or leaves to the defaults of its kind. */
typedef struct TaskNumber
{
	const char *column;
	size_t		offset;			/* in LlavaTask */
	bool		is_double;		/* else an int */
	bool		nullable;		/* NULL, which is NAN or -1: the server
								 * decides */
	bool		of_kind;		/* the default depends on kind and language */
} TaskNumber;

#define TASK_NUMBERS 14
extern const TaskNumber task_numbers[TASK_NUMBERS];

#endif							/* LLAVA_TASK_ROW_H */
