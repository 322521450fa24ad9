/*
 * trust_code.c
 *	  Which code an expression or a column's type can run, and who owns it.
 *
 * Expressions are read as the catalogues store them.  They are never planned: constant
 * folding would run the functions that are looked at here.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/dependency.h"
#include "catalog/pg_aggregate.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_range.h"
#include "catalog/pg_type.h"
#include "judge.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

Oid
trust_function_owner(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	owner = ((Form_pg_proc) GETSTRUCT(tuple))->proowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* The functions that an aggregate is made of have owners of their own. */
static void
judge_aggregate(Judge *judge, Oid function)
{
	HeapTuple	tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(function));
	Form_pg_aggregate form;

	if (!HeapTupleIsValid(tuple))
		return;
	form = (Form_pg_aggregate) GETSTRUCT(tuple);
	{
		Oid			parts[] = {
			form->aggtransfn, form->aggfinalfn, form->aggcombinefn, form->aggserialfn,
			form->aggdeserialfn, form->aggmtransfn, form->aggminvtransfn, form->aggmfinalfn
		};

		for (int i = 0; i < lengthof(parts); i++)
			if (OidIsValid(parts[i]))
				judge_function(judge, parts[i]);
	}
	ReleaseSysCache(tuple);
}

void
judge_function(Judge *judge, Oid function)
{
	Oid			owner = trust_function_owner(function);

	judge->basis->functions =
		list_append_unique_int(judge->basis->functions,
							   (int) GetSysCacheHashValue1(PROCOID, ObjectIdGetDatum(function)));
	if (get_func_prokind(function) == PROKIND_AGGREGATE)
		judge_aggregate(judge, function);
	judge->basis->runs_owners |= !OidIsValid(owner) || !superuser_arg(owner);

	if (judge->only_builtin && function >= FirstUnpinnedObjectId)
		judge_found(judge, owner, psprintf("calls %s, which its WHEN clause as shipped does not",
										   format_procedure_qualified(function)));
	else if (!judge_trusts(judge, owner))
		judge_found(judge, owner,
					psprintf("calls %s, a function owned by neither a superuser nor the table's owner",
							 format_procedure_qualified(function)));
}

static bool
has_name_of(const char *name, const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static bool
takes_type(Oid function, bool (*of_kind) (Oid type))
{
	Oid		   *types;
	int			n;

	(void) get_func_signature(function, &types, &n);
	for (int i = 0; i < n; i++)
		if (of_kind(types[i]))
			return true;
	return false;
}

static bool
is_of_input(Oid type)
{
	return type == CSTRINGOID || type == INTERNALOID;
}

static bool
is_string(Oid type)
{
	return type == CSTRINGOID || TypeCategory(type) == TYPCATEGORY_STRING;
}

/*
 * pg_catalog's functions that, although they write nothing, run code of what is named by
 * an argument: a query or a table, a type's checks, or constants in a partition key.
 */
static bool
reads_as_told(Oid function, const char *name)
{
	static const char *const told[] = {
		"pg_input_is_valid", "pg_input_error_info", "satisfies_hash_partition",
		"pg_get_partition_constraintdef"
	};

	return strstr(name, "_to_xml") != NULL || has_name_of(name, told, lengthof(told)) ||
		takes_type(function, is_of_input);
}

/* dblink_exec, crosstab and the like: who may EXECUTE them is said to run SQL as itself. */
static bool
is_extension_told(Oid function)
{
	return (func_volatile(function) == PROVOLATILE_VOLATILE || get_func_retset(function)) &&
		OidIsValid(getExtensionOfObject(ProcedureRelationId, function)) &&
		!extension_has(ProcedureRelationId, function) && takes_type(function, is_string);
}

/*
 * pg_catalog's functions do as their arguments say, and who wrote an expression is not
 * known once a table has another owner or a privilege was revoked: so those that run
 * SQL, read tables by name or files, or have other effects are none for an expression.
 */
static bool
does_as_told(Oid function)
{
	static const char *const harmless[] = {
		"nextval", "currval", "lastval", "random", "random_normal", "gen_random_uuid", "uuidv4",
		"uuidv7", "clock_timestamp", "timeofday", "pg_sleep"
	};
	const char *name = get_func_name(function);

	if (name == NULL)
		return false;
	if (function >= FirstUnpinnedObjectId)
		return is_extension_told(function);
	if (reads_as_told(function, name))
		return true;
	return func_volatile(function) == PROVOLATILE_VOLATILE &&
		!has_name_of(name, harmless, lengthof(harmless));
}

/* A check_function_callback: false continues with the other functions of the node. */
static bool
code_check_function(Oid function, void *arg)
{
	judge_function(arg, function);
	return false;
}

static bool
code_check_called(Oid function, void *arg)
{
	Judge	   *judge = arg;

	judge_function(judge, function);
	if (does_as_told(function))
		judge_found(judge, trust_function_owner(function),
					psprintf("calls %s, which may do whatever its arguments say",
							 format_procedure_qualified(function)));
	return false;
}

/* The type of a node that may make a value of a type with constraints. */
static Oid
made_type(Node *node)
{
	switch (nodeTag(node))
	{
		case T_Var:
		case T_Const:
		case T_Param:
		case T_FuncExpr:
		case T_OpExpr:
		case T_CoerceToDomain:
		case T_CoerceViaIO:
		case T_ArrayCoerceExpr:
		case T_ConvertRowtypeExpr:
		case T_RelabelType:
		case T_RowExpr:
		case T_ArrayExpr:
		case T_CaseExpr:
			return exprType(node);
		default:
			return InvalidOid;
	}
}

static bool
code_walker(Node *node, Judge *judge)
{
	Oid			type;

	if (node == NULL)
		return false;
	check_stack_depth();
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, code_walker, judge, QTW_EXAMINE_RTES_BEFORE);
	if (IsA(node, RangeTblEntry))
	{
		RangeTblEntry *entry = (RangeTblEntry *) node;

		if (entry->rtekind == RTE_RELATION)
			judge_relation(judge, entry->relid, false);
		return false;			/* query_tree_walker goes on into it */
	}

	/*
	 * a cast to a type goes through its input function, but the type is
	 * looked at
	 */
	(void) check_functions_in_node(node,
								   IsA(node, CoerceViaIO) ?
								   code_check_function : code_check_called,
								   judge);
	type = made_type(node);
	if (OidIsValid(type))
		judge_type(judge, type);
	return expression_tree_walker(node, code_walker, judge);
}

void
judge_code(Judge *judge, Node *node)
{
	(void) code_walker(node, judge);
}

void
judge_stored_code(Judge *judge, const char *stored)
{
	if (stored != NULL)
		judge_code(judge, stringToNode(stored));
}

/* ---- types ---- */

/* A domain's constraints are run wherever a value of it is made. */
static void
judge_domain_constraint(HeapTuple constraint, TupleDesc desc, void *judge)
{
	bool		isnull;
	Datum		stored = heap_getattr(constraint, Anum_pg_constraint_conbin, desc, &isnull);

	if (!isnull)
		judge_stored_code(judge, TextDatumGetCString(stored));
}

/* The columns of a composite type, or of a table whose row type is used. */
static void
judge_attribute_types(Judge *judge, Oid relation)
{
	Relation	rel = relation_open(relation, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			judge_type(judge, TupleDescAttr(desc, i)->atttypid);
	relation_close(rel, AccessShareLock);
}

static void
judge_range(Judge *judge, Oid type)
{
	HeapTuple	tuple = SearchSysCache1(RANGETYPE, ObjectIdGetDatum(type));
	Form_pg_range form;

	if (!HeapTupleIsValid(tuple))
		return;
	form = (Form_pg_range) GETSTRUCT(tuple);
	judge_type(judge, form->rngsubtype);
	if (OidIsValid(form->rngcanonical))
		judge_function(judge, form->rngcanonical);
	if (OidIsValid(form->rngsubdiff))
		judge_function(judge, form->rngsubdiff);
	ReleaseSysCache(tuple);
}

static void
judge_parts_of_type(Judge *judge, Oid type, Form_pg_type form)
{
	if (OidIsValid(form->typelem))
		judge_type(judge, form->typelem);
	switch (form->typtype)
	{
		case TYPTYPE_DOMAIN:
			catalogue_each(ConstraintRelationId, ConstraintTypidIndexId,
						   Anum_pg_constraint_contypid, type, judge_domain_constraint, judge);
			/* it applies to a column that has none */
			judge_code(judge, get_typdefault(type));
			judge_type(judge, form->typbasetype);
			break;
		case TYPTYPE_COMPOSITE:
			judge_attribute_types(judge, form->typrelid);
			break;
		case TYPTYPE_MULTIRANGE:
			judge_type(judge, get_multirange_range(type));
			break;
		case TYPTYPE_RANGE:
			judge_range(judge, type);
			break;
		default:
			break;
	}
}

/*
 * The owner of a type can add constraints to it, or columns of such types, so its owner is
 * judged, not only what it can run now.
 */
void
judge_type(Judge *judge, Oid type)
{
	HeapTuple	tuple;
	Form_pg_type form;

	if (type < FirstUnpinnedObjectId || list_member_oid(judge->types, type))
		return;
	check_stack_depth();
	judge->types = lappend_oid(judge->types, type);
	judge->basis->types =
		list_append_unique_int(judge->basis->types,
							   (int) GetSysCacheHashValue1(TYPEOID, ObjectIdGetDatum(type)));
	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	if (!HeapTupleIsValid(tuple))
		return;
	form = (Form_pg_type) GETSTRUCT(tuple);
	/* an array's or a row type's owner is that of its element or relation */
	if (!judge_trusts(judge, form->typowner))
		judge_found(judge, form->typowner,
					psprintf("uses type %s, which is owned by neither a superuser nor the table's owner",
							 format_type_be_qualified(type)));
	judge_parts_of_type(judge, type, form);
	ReleaseSysCache(tuple);
}
