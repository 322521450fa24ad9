/*
 * sql.c
 *	  See sql.h.
 */
#include "postgres.h"

#include "access/xact.h"
#include "bind.h"
#include "catalog/namespace.h"
#include "db.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/portal.h"
#include "utils/rls.h"

#define MAX_ARGUMENTS 32

/* Of statements that run with another role's rights. */
#define SAFE_SEARCH_PATH "pg_catalog, pg_temp"

/* Statements that this process has run. */
static slist_head known = SLIST_STATIC_INIT(known);
static Oid	plans_schema = InvalidOid;
static char plans_schema_name[NAMEDATALEN];

static Oid
argument_type(char letter)
{
	static const struct
	{
		char		letter;
		Oid			type;
	}			types[] =

	{
		{'t', TEXTOID}, {'j', JSONBOID}, {'i', INT4OID}, {'l', INT8OID}, {'d', FLOAT8OID},
		{'B', BOOLOID}, {'b', BYTEAOID}, {'z', TIMESTAMPTZOID}, {'v', INTERVALOID},
		{'T', TEXTARRAYOID}, {'L', INT8ARRAYOID}, {'Y', BYTEAARRAYOID}
	};

	for (int i = 0; i < lengthof(types); i++)
		if (types[i].letter == letter)
			return types[i].type;
	elog(ERROR, "unknown argument type letter %c", letter);
}

/* Plans name the schema they were made for; another schema needs others. */
static void
forget_plans_of_another_schema(Oid schema)
{
	char	   *name = get_namespace_name(schema);
	slist_iter	iter;

	if (name == NULL)
		elog(ERROR, "schema %u does not exist", schema);
	if (schema == plans_schema && strcmp(name, plans_schema_name) == 0)
		return;
	slist_foreach(iter, &known)
	{
		SqlStatement *statement = slist_container(SqlStatement, node, iter.cur);

		/* a plan that is running keeps its text, which is never freed */
		if (statement->plan != NULL && statement->running == 0)
			SPI_freeplan(statement->plan);
		statement->plan = NULL;
		if (statement->bound != NULL && statement->running == 0)
			bind_free(statement->bound);
		statement->bound = NULL;
	}
	plans_schema = schema;
	strlcpy(plans_schema_name, name, NAMEDATALEN);
}

/* An error may have ended executions before they counted down. */
static void
sql_end_of_transaction(XactEvent event, void *arg)
{
	slist_iter	iter;

	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
		slist_foreach(iter, &known)
			slist_container(SqlStatement, node, iter.cur)->running = 0;
}

static SPIPlanPtr
statement_plan(SqlStatement *statement)
{
	static bool watching;
	Oid			types[MAX_ARGUMENTS];
	int			n = strlen(statement->types);
	SPIPlanPtr	plan;

	if (!watching)
		RegisterXactCallback(sql_end_of_transaction, NULL);
	watching = true;
	if (!statement->is_known)
		slist_push_head(&known, &statement->node);
	statement->is_known = true;
	forget_plans_of_another_schema(extension_schema_required());
	if (statement->plan != NULL)
		return statement->plan;

	if (statement->bound == NULL)
	{
		if (n > MAX_ARGUMENTS)
			elog(ERROR, "a statement has more than %d arguments", MAX_ARGUMENTS);
		for (int i = 0; i < n; i++)
			types[i] = argument_type(statement->types[i]);
		statement->bound = bind_text(statement->text, plans_schema_name, types, n);
	}
	plan = bind_prepare(statement->bound);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare of \"%s\": %s", statement->text,
			 SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	statement->plan = plan;
	return plan;
}

/*
 * The plan, when its tables were locked and judged.  What a statement was parsed to is
 * looked at before it is planned: planning already runs code, to fold constants.  A
 * plan that became void is parsed anew, not only planned anew.
 */
static SPIPlanPtr
judged_plan(SqlStatement *statement)
{
	for (;;)
	{
		SPIPlanPtr	plan = statement_plan(statement);

		if (trust_check_query(linitial(SPI_plan_get_plan_sources(plan))))
			return plan;
		statement->plan = NULL;
		if (statement->running == 0)
			SPI_freeplan(plan);
		CHECK_FOR_INTERRUPTS();
	}
}

static uint64
run_plan(SqlStatement *statement, SPIPlanPtr plan, Datum *values, const char *nulls, long limit)
{
	ParamListInfo list = bind_values(statement->bound, values, nulls);
	int			rc;

	statement->running++;
	rc = SPI_execute_plan_with_paramlist(plan, list, false, limit);
	statement->running--;
	/* the plan was replaced while it ran */
	if (plan != statement->plan && statement->running == 0)
		SPI_freeplan(plan);
	if (rc < 0)
		elog(ERROR, "\"%s\": %s", statement->text, SPI_result_code_string(rc));
	pfree(list);
	return SPI_processed;
}

/*
 * Pins the session's open cursors, so that they cannot be closed; returns their names.  Not
 * inlined: gcc takes its variables for ones that PG_TRY of the caller might clobber.
 */
static pg_noinline List *
cursors_pin(void)
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *names = NIL;

	if (SPI_execute("SELECT name FROM pg_catalog.pg_cursor()", true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not list the session's cursors");
	MemoryContextSwitchTo(caller);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *name = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		Portal		portal = GetPortalByName(name);

		if (!PortalIsValid(portal) || portal->portalPinned)
			continue;
		PinPortal(portal);
		names = lappend(names, name);
	}
	return names;
}

static void
cursors_unpin(List *names)
{
	ListCell   *cell;

	foreach(cell, names)
	{
		Portal		portal = GetPortalByName(lfirst(cell));

		if (PortalIsValid(portal) && portal->portalPinned)
			UnpinPortal(portal);
	}
}

/*
 * A cursor has no owner: a role's trigger could put a query of its own in the place of
 * one that the session will FETCH from.
 */
static uint64
run_judged(SqlStatement *statement, SPIPlanPtr plan, Datum *values, const char *nulls, long limit)
{
	List	   *pinned;
	volatile uint64 processed = 0;

	if (!trust_runs_owners_code())
		return run_plan(statement, plan, values, nulls, limit);
	pinned = cursors_pin();
	PG_TRY();
	{
		processed = run_plan(statement, plan, values, nulls, limit);
	}
	PG_FINALLY();
	{
		cursors_unpin(pinned);
	}
	PG_END_TRY();
	return processed;
}

/* Sets name lookup and policies as our texts need them, whatever code before us has SET. */
static void
set_safe_names(void)
{
	if (strcmp(namespace_search_path, SAFE_SEARCH_PATH) != 0)
		(void) set_config_option("search_path", SAFE_SEARCH_PATH, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	if (!row_security)
		(void) set_config_option("row_security", "on", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
}

uint64
sql_run(SqlStatement *statement, Datum *values, const char *nulls, long limit)
{
	int			level;
	uint64		processed;

	if (!trust_is_on())
		return run_plan(statement, statement_plan(statement), values, nulls, limit);

	/*
	 * settings that triggers change, also those of other roles' referencing
	 * tables, end with it
	 */
	level = NewGUCNestLevel();
	set_safe_names();
	processed = run_judged(statement, judged_plan(statement), values, nulls, limit);
	AtEOXact_GUC(false, level);
	return processed;
}

Datum
sql_value(int column, bool *is_null)
{
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, is_null);
}

Portal
sql_open(SqlStatement *statement, Datum *values, const char *nulls)
{
	SPIPlanPtr	plan = statement_plan(statement);

	return SPI_cursor_open_with_paramlist(NULL, plan,
										  bind_values(statement->bound, values, nulls), true);
}
