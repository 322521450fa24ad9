/*
 * rows.h
 *	  What the triggers and the functions that write the extension's rows share.
 */
#ifndef LLAVA_ROWS_H
#define LLAVA_ROWS_H

#include "commands/trigger.h"
#include "sql.h"
#include "utils/snapshot.h"

/*
 * The trigger call, if it is one, before (or after) each row's change, on the extension's own table of this name;
 * else an ERROR: any role could create a trigger with our function on a table of its own.
 */
extern TriggerData *rows_trigger(FunctionCallInfo fcinfo, const char *table);
extern TriggerData *rows_trigger_after(FunctionCallInfo fcinfo, const char *table);

/* The same after each statement. */
extern void rows_statement_trigger(FunctionCallInfo fcinfo, const char *table);

/*
 * sql_run as the owner of the table that the statement writes or reads, behind the gate of
 * trust.h: only code of a superuser or of the owner runs, only with the owner's rights,
 * and settings that it changes are restored afterwards.
 */
extern uint64 rows_run_as_owner(Oid table, SqlStatement *statement, Datum *values,
								const char *nulls);

/*
 * Locks a table that is to be written, before rows of others are locked: a takedown locks all
 * tables at first.  If it came between the two it would wait for those rows, and their
 * holder for the table.
 */
extern void rows_lock_to_write(const char *table);

/* The state that rows_end_as_owner restores. */
typedef struct RowsCaller
{
	Oid			user;
	int			context;
	int			level;
} RowsCaller;

/* The same for all statements in between; an ERROR restores the state as well. */
extern void rows_begin_as_owner(Oid table, RowsCaller *caller);
extern void rows_end_as_owner(const RowsCaller *caller);

extern void rows_spi_connect(void);

/* ERROR unless the procedure was CALLed where it may commit as it goes. */
extern void rows_check_call(FunctionCallInfo fcinfo, const char *procedure);

/* rows_spi_connect for such a procedure: SPI_commit may be called. */
extern void rows_spi_connect_committing(void);

/* Values for a statement, palloc'd. */
extern Datum rows_interval(int64 ms);
extern struct varlena *rows_bytea(const void *bytes, size_t size);

/* The row that a function which returns one row returns. */
extern Datum rows_result(FunctionCallInfo fcinfo, const Datum *values, const bool *nulls);

/* Text from outside as the database takes it: valid UTF-8 without NUL, palloc'd. */
extern char *rows_clean_text(const char *text);

/*
 * What is committed by now, for a scan beside the statement's.  In a parallel plan, which
 * may take no snapshot, the statement's own.
 */
extern Snapshot rows_newest_snapshot(void);

/* ---- constraints.c: users' deferrable constraints on the tables that we write for others ---- */

/* Whether a table has a constraint or constraint trigger that could be deferred. */
extern bool constraints_may_wait(Oid table);

/*
 * Makes the deferrable constraints on these tables, and on those that follow them by
 * foreign keys, immediate: statements that run with another role's rights are
 * security-restricted operations, which may defer nothing.  palloc'd. SPI-connected.
 */
extern List *constraints_immediate(const Oid *tables, int n);

/* Restores them as they were declared, since what the transaction had SET cannot be read. */
extern void constraints_put_back(const List *constraints);

#endif							/* LLAVA_ROWS_H */
