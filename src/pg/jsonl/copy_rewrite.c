/*
 * copy_rewrite.c
 *	  Rewrites a COPY with format jsonl as one with core's csv format over one column.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "commands/defrem.h"
#include "copy_rewrite.h"
#include "db/db.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_node.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#define CSV_QUOTE "\xff"
#define CSV_DELIMITER "\xfe"
#define CSV_NULL "\xfd"

/* What the rewritten query calls the rows of the user's. */
#define ROW_ALIAS "COPY query"

/*
 * Location of the call that llava_jsonl_line takes the place of.  No call that was
 * written in a text has it.
 */
#define LINE_LOCATION (-7001)

/* Whether an option does not concern the format and is passed to core. */
static bool
is_passed_on(const char *name, bool is_from)
{
	static const char *const names[] = {"freeze", "on_error", "log_verbosity", "reject_limit"};

	for (int i = 0; is_from && i < lengthof(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* Core calls the option of its own JSON so, from 19 on. */
static bool
is_array_option(const DefElem *option)
{
	return strcmp(option->defname, "force_array") == 0;
}

bool
copy_wants_array(const CopyStmt *statement)
{
	ListCell   *cell;

	foreach(cell, statement->options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (is_array_option(option))
			return !statement->is_from && defGetBoolean(option);
	}
	return false;
}

static void
check_encoding(ParseState *pstate, DefElem *option)
{
	char	   *name = defGetString(option);

	if (pg_char_to_encoding(name) != PG_UTF8)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("encoding \"%s\" is not for COPY with format jsonl", name),
				 errhint("JSON lines are UTF-8: leave ENCODING out."),
				 parser_errposition(pstate, option->location)));
}

/* The user's options, checked, as those of the csv format. */
static List *
csv_options(ParseState *pstate, const CopyStmt *statement)
{
	List	   *csv = NIL;
	bool		format = false;
	bool		encoding = false;
	bool		array = false;
	ListCell   *cell;

	foreach(cell, statement->options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);
		bool		is_format = strcmp(option->defname, "format") == 0;
		bool		is_encoding = strcmp(option->defname, "encoding") == 0;
		bool		is_array = !statement->is_from && is_array_option(option);

		if ((is_format && format) || (is_encoding && encoding) || (is_array && array))
			errorConflictingDefElem(option, pstate);
		format |= is_format;
		encoding |= is_encoding;
		array |= is_array;
		if (is_encoding)
			check_encoding(pstate, option);
		else if (is_array)
			(void) defGetBoolean(option);	/* ERROR if it is none */
		else if (is_passed_on(option->defname, statement->is_from))
			csv = lappend(csv, option);
		else if (!is_format)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("option \"%s\" is not for COPY with format jsonl",
							option->defname),
					 errhint("Beside FORMAT there are %s.",
							 statement->is_from ?
							 "ENCODING 'UTF8', FREEZE, ON_ERROR, LOG_VERBOSITY and REJECT_LIMIT" :
							 "ENCODING 'UTF8' and FORCE_ARRAY"),
					 parser_errposition(pstate, option->location)));
	}
	csv = lappend(csv, makeDefElem("format", (Node *) makeString("csv"), -1));
	csv = lappend(csv, makeDefElem("quote", (Node *) makeString(CSV_QUOTE), -1));
	csv = lappend(csv, makeDefElem("delimiter", (Node *) makeString(CSV_DELIMITER), -1));
	csv = lappend(csv, makeDefElem("null", (Node *) makeString(CSV_NULL), -1));
	csv = lappend(csv, makeDefElem("encoding", (Node *) makeString("UTF8"), -1));
	return csv;
}

/*
 * ERROR, in the words of core's COPY, unless the named columns exist and each is named
 * once.
 */
static void
check_columns(Relation rel, List *names)
{
	ListCell   *cell;

	foreach(cell, names)
	{
		char	   *name = strVal(lfirst(cell));

		if (get_attnum(RelationGetRelid(rel), name) <= InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of relation \"%s\" does not exist",
							name, RelationGetRelationName(rel))));
		for (int i = 0; i < foreach_current_index(cell); i++)
			if (strcmp(strVal(list_nth(names, i)), name) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("column \"%s\" specified more than once", name)));
	}
}

/* The columns that core's COPY takes: the named ones, else all not generated. */
static List *
copied_columns(Relation rel, List *names)
{
	TupleDesc	desc = RelationGetDescr(rel);
	List	   *columns = NIL;

	check_columns(rel, names);
	if (names != NIL)
		return names;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (!attribute->attisdropped && attribute->attgenerated == '\0')
			columns = lappend(columns, makeString(pstrdup(NameStr(attribute->attname))));
	}
	return columns;
}

static ColumnRef *
column_reference(List *fields)
{
	ColumnRef  *reference = makeNode(ColumnRef);

	reference->fields = fields;
	reference->location = -1;
	return reference;
}

static ResTarget *
result_target(char *name, Node *value)
{
	ResTarget  *target = makeNode(ResTarget);

	target->name = name;
	target->val = value;
	target->location = -1;
	return target;
}

/*
 * SELECT of what COPY table TO would copy.  It needs the same rights and obeys the
 * same policies.  Like core's, it leaves inheritance children out.
 */
static Node *
table_query(const CopyStmt *statement)
{
	Oid			relid = RangeVarGetRelid(statement->relation, AccessShareLock, false);
	Relation	rel = table_open(relid, NoLock);
	SelectStmt *select = makeNode(SelectStmt);
	RangeVar   *from = copyObject(statement->relation);
	ListCell   *cell;

	foreach(cell, copied_columns(rel, statement->attlist))
		select->targetList =
		lappend(select->targetList,
				result_target(NULL, (Node *) column_reference(list_make1(lfirst(cell)))));
	from->inh = rel->rd_rel->relkind != RELKIND_RELATION;
	select->fromClause = list_make1(from);
	table_close(rel, NoLock);
	return (Node *) select;
}

/* Where this kind of statement keeps its WITH clause. */
static WithClause **
with_clause(Node *query)
{
	switch (nodeTag(query))
	{
		case T_SelectStmt:
			return &((SelectStmt *) query)->withClause;
		case T_InsertStmt:
			return &((InsertStmt *) query)->withClause;
		case T_UpdateStmt:
			return &((UpdateStmt *) query)->withClause;
		case T_DeleteStmt:
			return &((DeleteStmt *) query)->withClause;
		case T_MergeStmt:
			return &((MergeStmt *) query)->withClause;
		default:
			elog(ERROR, "unexpected query in COPY: %d", (int) nodeTag(query));
	}
}

/* INSERT ... RETURNING and its like as the last member of the WITH clause. */
static void
add_to_with_clause(SelectStmt *select, Node *query)
{
	CommonTableExpr *member = makeNode(CommonTableExpr);

	member->ctename = ROW_ALIAS;
	member->ctematerialized = CTEMaterializeDefault;
	member->ctequery = query;
	member->location = -1;
	if (select->withClause == NULL)
	{
		select->withClause = makeNode(WithClause);
		select->withClause->location = -1;
	}
	select->withClause->ctes = lappend(select->withClause->ctes, member);
}

/*
 * SELECT any_out(row.*) FROM (query) AS row, for copy_bind_line.  The query's WITH
 * moves to the top, the only place where it may change data.
 */
static Node *
line_query(Node *query)
{
	SelectStmt *select = makeNode(SelectStmt);
	WithClause **with = with_clause(query);
	ColumnRef  *row = column_reference(list_make2(makeString(ROW_ALIAS), makeNode(A_Star)));
	FuncCall   *line = makeFuncCall(SystemFuncName("any_out"), list_make1(row),
									COERCE_EXPLICIT_CALL, LINE_LOCATION);
	Node	   *from;

	select->withClause = *with;
	*with = NULL;
	if (IsA(query, SelectStmt))
	{
		RangeSubselect *subselect = makeNode(RangeSubselect);

		subselect->subquery = query;
		subselect->alias = makeAlias(ROW_ALIAS, NIL);
		from = (Node *) subselect;
	}
	else
	{
		add_to_with_clause(select, query);
		from = (Node *) makeRangeVar(NULL, ROW_ALIAS, -1);
	}
	select->targetList = list_make1(result_target("line", (Node *) line));
	select->fromClause = list_make1(from);
	return (Node *) select;
}

void
copy_bind_line(Query *query)
{
	Oid			argument = RECORDOID;
	TargetEntry *target;
	FuncExpr   *call;

	if (list_length(query->targetList) != 1)
		return;
	target = linitial_node(TargetEntry, query->targetList);
	call = (FuncExpr *) target->expr;
	if (call == NULL || !IsA(call, FuncExpr) || call->funcid != F_ANY_OUT ||
		call->location != LINE_LOCATION)
		return;
	if (exprType(linitial(call->args)) != argument)
		elog(ERROR, "unexpected row type in COPY");
	call->funcid = extension_function("llava_jsonl_line", &argument, 1);
	call->funcresulttype = TEXTOID;
	call->funccollid = DEFAULT_COLLATION_OID;
	call->location = -1;
}

static void
rewrite_to(CopyStmt *statement)
{
	if (statement->relation != NULL)
		statement->query = table_query(statement);
	statement->query = line_query(statement->query);
	statement->relation = NULL;
	statement->attlist = NIL;
}

/* The one column that lines are stored in, and its type, the base type for a domain. */
static char *
target_column(const CopyStmt *statement, Oid *type)
{
	Oid			relid = RangeVarGetRelid(statement->relation, AccessShareLock, false);
	Relation	rel = table_open(relid, NoLock);
	List	   *columns = copied_columns(rel, statement->attlist);
	char	   *column;

	if (list_length(columns) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("COPY FROM with format jsonl fills one column of relation \"%s\", not %d",
						RelationGetRelationName(rel), list_length(columns)),
				 errhint("Name it, a column of type jsonb, json or text: COPY %s (...) FROM ...",
						 quote_identifier(RelationGetRelationName(rel)))));
	column = strVal(linitial(columns));
	*type = getBaseType(get_atttype(relid, get_attnum(relid, column)));
	if (*type != JSONBOID && *type != JSONOID && *type != TEXTOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("COPY FROM with format jsonl cannot fill column \"%s\" of type %s",
						column, format_type_be(*type)),
				 errhint("Copy into a column of type jsonb, json or text and take the lines apart with INSERT ... SELECT.")));
	table_close(rel, NoLock);
	return column;
}

/* llava_jsonl_check(column::text) */
static Node *
line_check(char *column)
{
	TypeCast   *cast = makeNode(TypeCast);
	Oid			schema = extension_schema_required();

	extension_check_unambiguous("llava_jsonl_check", TEXTOID);
	cast->arg = (Node *) column_reference(list_make1(makeString(column)));
	cast->typeName = makeTypeNameFromOid(TEXTOID, -1);
	cast->location = -1;
	return (Node *) makeFuncCall(list_make2(makeString(get_namespace_name(schema)),
											makeString("llava_jsonl_check")),
								 list_make1(cast), COERCE_EXPLICIT_CALL, -1);
}

/* Whether the relation's own trigger checks each line, and goes on after a bad one. */
static bool
checks_lines(const RangeVar *relation)
{
	Oid			checking = extension_find_relation("llava_keep_in");

	return OidIsValid(checking) && RangeVarGetRelid(relation, AccessShareLock, false) == checking;
}

/*
 * The input function of a jsonb or json column accepts only JSON.  That of a text column
 * accepts anything, so its lines are checked in the WHERE clause.
 */
static void
rewrite_from(CopyStmt *statement)
{
	Oid			type;
	char	   *column = target_column(statement, &type);
	Node	   *check;

	statement->attlist = list_make1(makeString(column));
	if (type != TEXTOID || checks_lines(statement->relation))
		return;
	check = line_check(column);
	if (statement->whereClause != NULL)
		check = (Node *) makeBoolExpr(AND_EXPR, list_make2(check, statement->whereClause), -1);
	statement->whereClause = check;
}

PlannedStmt *
copy_rewrite(PlannedStmt *original, const char *source)
{
	PlannedStmt *planned = copyObject(original);
	CopyStmt   *statement = castNode(CopyStmt, planned->utilityStmt);
	ParseState *pstate = make_parsestate(NULL);

	pstate->p_sourcetext = source;
	statement->options = csv_options(pstate, statement);
	free_parsestate(pstate);
	if (statement->is_from)
		rewrite_from(statement);
	else
		rewrite_to(statement);
	return planned;
}
