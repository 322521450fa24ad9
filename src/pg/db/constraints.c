/*
 * constraints.c
 *	  Users' deferrable constraints on the tables that we write for others.
 *
 * SET CONSTRAINTS checks what the transaction has deferred so far, for all constraints of
 * one name in a schema.  It is therefore done as the owner of their table, and refused
 * where tables of different owners share the name: else a role could have its own trigger
 * fired with another's rights.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "db.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/reltrigger.h"

typedef struct Deferrable
{
	char	   *schema;
	char	   *name;
	Oid			owner;			/* of its table */
	bool		deferred;		/* initially */
} Deferrable;

/* Columns of sql_constraints */
enum
{
	COLUMN_SCHEMA = 1,
	COLUMN_NAME,
	COLUMN_OWNER,
	COLUMN_DEFERRED,
	COLUMN_STRANGER				/* another owner's table with a constraint of
								 * this name */
};

bool
constraints_may_wait(Oid table)
{
	Relation	rel = table_open(table, AccessShareLock);
	TriggerDesc *triggers = rel->trigdesc;
	bool		found = false;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers && !found; i++)
		found = triggers->triggers[i].tgdeferrable;
	table_close(rel, AccessShareLock);
	return found;
}

static Deferrable *
constraint_of_row(HeapTuple row, TupleDesc desc)
{
	Deferrable *constraint = palloc(sizeof(Deferrable));
	bool		isnull;
	char	   *stranger = SPI_getvalue(row, desc, COLUMN_STRANGER);

	constraint->schema = SPI_getvalue(row, desc, COLUMN_SCHEMA);
	constraint->name = SPI_getvalue(row, desc, COLUMN_NAME);
	constraint->owner = (Oid) DatumGetInt64(SPI_getbinval(row, desc, COLUMN_OWNER, &isnull));
	constraint->deferred = DatumGetBool(SPI_getbinval(row, desc, COLUMN_DEFERRED, &isnull));
	if (stranger != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("deferrable constraints named \"%s\" belong to tables of different owners",
						constraint->name),
				 errdetail("One is on table %s; they can only be made immediate together.", stranger),
				 errhint("ALTER TABLE %s RENAME CONSTRAINT %s TO ...;", stranger,
						 quote_identifier(constraint->name))));
	return constraint;
}

/*
 * Deferrable ones on the tables $1 and those that follow them, the owner of their table,
 * whether all of this name are initially deferred, and a table of another owner with one
 * of this name.
 */
static SqlStatement sql_constraints = {
	.text =
	"WITH RECURSIVE reached (relation) AS ("
	"  SELECT pg_catalog.unnest($1)::pg_catalog.oid"
	"  UNION SELECT c.conrelid FROM reached r JOIN pg_catalog.pg_constraint c"
	"   ON c.confrelid = r.relation AND c.contype = 'f'"
	"   WHERE c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('c', 'n', 'd')) "
	"SELECT n.nspname::pg_catalog.text, c.conname::pg_catalog.text,"
	"  t.relowner::pg_catalog.int8, pg_catalog.bool_and(c.condeferred AND NOT EXISTS ("
	"   SELECT FROM pg_catalog.pg_constraint o WHERE o.connamespace = c.connamespace"
	"    AND o.conname = c.conname AND NOT o.condeferred)),"
	"  (SELECT pg_catalog.min(o.conrelid::pg_catalog.regclass::pg_catalog.text)"
	"   FROM pg_catalog.pg_constraint o JOIN pg_catalog.pg_class ot ON ot.oid = o.conrelid"
	"   WHERE o.connamespace = c.connamespace AND o.conname = c.conname AND o.condeferrable"
	"    AND ot.relowner <> t.relowner) "
	"FROM reached r JOIN pg_catalog.pg_constraint c ON r.relation IN (c.conrelid, c.confrelid)"
	" JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace"
	" JOIN pg_catalog.pg_class t ON t.oid = c.conrelid "
	"WHERE c.condeferrable GROUP BY 1, 2, 3, c.connamespace, c.conname, t.relowner"
	" ORDER BY 1, 2, 3",
	.types = "L"
};

static List *
find_constraints(const Oid *tables, int n)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum	   *oids = palloc(sizeof(Datum) * n);
	Datum		value;
	uint64		rows;
	List	   *found = NIL;

	for (int i = 0; i < n; i++)
		oids[i] = Int64GetDatum((int64) tables[i]);
	value = PointerGetDatum(construct_array(oids, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
											TYPALIGN_DOUBLE));
	trust_begin();
	rows = sql_run(&sql_constraints, &value, NULL, 0);
	trust_end();
	MemoryContextSwitchTo(caller);
	for (uint64 i = 0; i < rows; i++)
		found = lappend(found, constraint_of_row(SPI_tuptable->vals[i], SPI_tuptable->tupdesc));
	return found;
}

static void
set_constraint(const Deferrable *constraint, bool deferred)
{
	ConstraintsSetStmt statement = {.type = T_ConstraintsSetStmt};
	Oid			user;
	int			context;

	statement.constraints = list_make1(makeRangeVar(constraint->schema, constraint->name, -1));
	statement.deferred = deferred;
	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(constraint->owner, context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	AfterTriggerSetState(&statement);
	SetUserIdAndSecContext(user, context);
}

List *
constraints_immediate(const Oid *tables, int n)
{
	List	   *constraints = find_constraints(tables, n);
	ListCell   *cell;

	foreach(cell, constraints)
		set_constraint(lfirst(cell), false);
	return constraints;
}

void
constraints_put_back(const List *constraints)
{
	ListCell   *cell;

	foreach(cell, constraints)
		if (((Deferrable *) lfirst(cell))->deferred)
		set_constraint(lfirst(cell), true);
}
