/*
 * sql.h
 *	  SQL texts with saved plans.
 *
 * A statement is a static struct in the file that runs it.  "@." in its text stands for
 * the extension's schema, "@.name(" calls a function of ours (see bind.c).  Every name
 * is qualified, and every operator is pg_catalog's as long as the search_path begins
 * there; statements that run with a user's search_path say so, and use OPERATOR() forms.
 * No SQL is built from strings at run time.
 */
#ifndef LLAVA_SQL_H
#define LLAVA_SQL_H

#include "executor/spi.h"
#include "lib/ilist.h"

typedef struct SqlStatement
{
	const char *text;

	/*
	 * A letter an argument: t text, i integer, l bigint, d double, B boolean,
	 * b bytea, z timestamptz, v interval, j jsonb, T text[], L bigint[], Y
	 * bytea[].
	 */
	const char *types;

	/* sql.c's */
	bool		is_known;		/* among those that were run in this process */
	slist_node	node;
	struct BoundText *bound;
	SPIPlanPtr	plan;			/* NULL: there is none yet */
	int			running;		/* executions under way: it is not freed */
} SqlStatement;

/*
 * Of a statement with many arguments or columns each stands in one line of a list, from
 * which the enum, the types and parts of the text are made:
 *
 *	#define ROW_ARGUMENTS(ARGUMENT) \
 *		ARGUMENT(2, ROW_TASK, "task", "t") \
 *		ARGUMENT(3, ROW_REPLY, "reply", "l")
 *	enum {ROW_IMAGE, ROW_ARGUMENTS(SQL_INDEX) ROW_SIZE};
 *	.text = "INSERT INTO @.row (image" ROW_ARGUMENTS(SQL_COLUMN) ")"
 *		" VALUES ($1" ROW_ARGUMENTS(SQL_VALUE) ")",
 *	.types = "l" ROW_ARGUMENTS(SQL_TYPE)
 *
 * What begins the text's lists is written by hand, since a comma comes before each.
 */
#define SQL_INDEX(position, name, column, type) name = (position) - 1,
#define SQL_COLUMN(position, name, column, type) ", " column
#define SQL_VALUE(position, name, column, type) ", $" #position
#define SQL_SET(position, name, column, type) ", " column " = $" #position
#define SQL_TYPE(position, name, column, type) type

/* The same of the columns that a statement returns. */
#define SQL_RESULT_INDEX(name, expression) name,
#define SQL_RESULT(name, expression) ", " expression

/*
 * Runs a statement through its saved plan; the caller is SPI-connected.
 * nulls as for SPI_execute_plan, or NULL.  Returns the rows processed; ERROR on
 * anything else than success.
 */
extern uint64 sql_run(SqlStatement *statement, Datum *values, const char *nulls, long limit);

/* A column, from 1, of the first row that the last statement returned. */
extern Datum sql_value(int column, bool *is_null);

/* A cursor that reads its rows. */
extern Portal sql_open(SqlStatement *statement, Datum *values, const char *nulls);

#endif							/* LLAVA_SQL_H */
