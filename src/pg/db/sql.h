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
 * Runs a statement through its saved plan; the caller is SPI-connected.
 * nulls as for SPI_execute_plan, or NULL.  Returns the rows processed; ERROR on
 * anything else than success.
 */
extern uint64 sql_run(SqlStatement *statement, Datum *values, const char *nulls, long limit);

/* A cursor that reads its rows. */
extern Portal sql_open(SqlStatement *statement, Datum *values, const char *nulls);

#endif							/* LLAVA_SQL_H */
