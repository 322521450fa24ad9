/*
 * bind.c
 *	  What the names in our SQL texts stand for.
 *
 * A role that may create functions in the extension's schema (in "public", for example,
 * the database's owner) could add one of the same name that fits a call of ours better, or
 * that makes it ambiguous.  So the parser never looks up the name of a function of ours:
 * bind_text puts a placeholder in the place of each call "@.name(arguments)", and the
 * parser asks parameter() what it stands for, which is the member of the extension with
 * exactly these argument types.  A call names all its arguments, none by "=>", and casts
 * those that do not have the declared types.
 *
 * All other functions and operators are pg_catalog's.  check_query verifies this after
 * each analysis of a text, since under a search_path that another role has set an
 * unqualified operator would be found elsewhere.
 */
#include "postgres.h"

#include "access/transam.h"
#include "bind.h"
#include "catalog/pg_proc.h"
#include "compat.h"
#include "db.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/analyze.h"
#include "parser/parse_expr.h"
#include "parser/parse_func.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"

/* The most calls of a text, and the most arguments of a call. */
#define MAX_CALLS 8
#define MAX_CALL_ARGUMENTS 16

/* What the names of our functions are written with. */
#define IDENTIFIER "abcdefghijklmnopqrstuvwxyz0123456789_"

typedef struct BoundCall
{
	char	   *function;
	char	   *arguments;		/* "SELECT" and what stands between the
								 * parentheses */
} BoundCall;

struct BoundText
{
	MemoryContext context;
	char	   *sql;
	Oid		   *types;			/* of the parameters $1 ... */
	int			n_types;
	BoundCall	calls[MAX_CALLS];	/* of the placeholders after them */
	int			n_calls;
};

static post_parse_analyze_hook_type bind_next_hook;

/* ---- from a text to SQL ---- */

/* The parenthesis that closes the one which stands before. */
static const char *
closing_parenthesis(const char *c)
{
	bool		in_literal = false;

	for (int depth = 1; *c != '\0'; c++)
	{
		if (*c == '\'')
			in_literal = !in_literal;
		else if (!in_literal && *c == '(')
			depth++;
		else if (!in_literal && *c == ')' && --depth == 0)
			return c;
	}
	elog(ERROR, "unbalanced parentheses in a statement");
}

/* Puts a placeholder in the place of name(arguments); returns what follows it. */
static const char *
take_call(BoundText *bound, StringInfo sql, const char *name, const char *parenthesis)
{
	const char *end = closing_parenthesis(parenthesis + 1);
	BoundCall  *call;

	if (bound->n_calls == MAX_CALLS)
		elog(ERROR, "a statement has more than %d calls", MAX_CALLS);
	call = &bound->calls[bound->n_calls++];
	call->function = pnstrdup(name, parenthesis - name);
	call->arguments = psprintf("SELECT %.*s", (int) (end - parenthesis - 1), parenthesis + 1);
	appendStringInfo(sql, "$%d", bound->n_types + bound->n_calls);
	return end + 1;
}

/* The schema's name before the name of a table, or within a literal. */
static void
append_schema(StringInfo sql, const char *schema, bool in_literal)
{
	for (const char *s = quote_identifier(schema); *s != '\0'; s++)
	{
		appendStringInfoChar(sql, *s);
		if (*s == '\'' && in_literal)
			appendStringInfoChar(sql, *s);
	}
	appendStringInfoChar(sql, '.');
}

static char *
bound_sql(BoundText *bound, const char *c, const char *schema)
{
	StringInfoData sql;
	bool		in_literal = false;

	initStringInfo(&sql);
	while (*c != '\0')
	{
		const char *name = c + 2;

		if (*c == '\'')
			in_literal = !in_literal;
		if (c[0] != '@' || c[1] != '.')
			appendStringInfoChar(&sql, *c++);
		else if (!in_literal && name[strspn(name, IDENTIFIER)] == '(')
			c = take_call(bound, &sql, name, name + strspn(name, IDENTIFIER));
		else
		{
			append_schema(&sql, schema, in_literal);
			c = name;
		}
	}
	return sql.data;
}

BoundText *
bind_text(const char *sql, const char *schema, const Oid *types, int n_types)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "llava_zh statement",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	BoundText  *bound = palloc0(sizeof(BoundText));

	bound->context = context;
	bound->types = palloc(Max(n_types, 1) * sizeof(Oid));
	memcpy(bound->types, types, n_types * sizeof(Oid));
	bound->n_types = n_types;
	bound->sql = bound_sql(bound, sql, schema);
	MemoryContextSwitchTo(old);
	return bound;
}

void
bind_free(BoundText *bound)
{
	MemoryContextDelete(bound->context);
}

/* ---- what the parser asks ---- */

/* The call's arguments are analysed where it stands, with its range table. */
static Node *
call_expression(ParseState *pstate, const BoundCall *call)
{
	RawStmt    *raw = linitial_node(RawStmt, raw_parser(call->arguments, RAW_PARSE_DEFAULT));
	List	   *targets = castNode(SelectStmt, raw->stmt)->targetList;
	Node	   *last_srf = pstate->p_last_srf;
	List	   *arguments = NIL;
	Oid			types[MAX_CALL_ARGUMENTS];
	FuncExpr   *expression;
	Oid			function;
	ListCell   *cell;

	if (list_length(targets) > MAX_CALL_ARGUMENTS)
		elog(ERROR, "a call of %s has too many arguments", call->function);
	foreach(cell, targets)
	{
		Node	   *argument = transformExpr(pstate, lfirst_node(ResTarget, cell)->val,
											 pstate->p_expr_kind);

		arguments = lappend(arguments, argument);
		types[foreach_current_index(cell)] = exprType(argument);
	}
	function = extension_function(call->function, types, list_length(arguments));
	expression = makeFuncExpr(function, get_func_rettype(function), arguments, InvalidOid,
							  InvalidOid, COERCE_EXPLICIT_CALL);
	if (get_func_retset(function))
	{
		check_srf_call_placement(pstate, last_srf, -1);
		expression->funcretset = true;
		pstate->p_last_srf = (Node *) expression;
	}
	return (Node *) expression;
}

/* Parser hook: what a parameter or a placeholder of this text stands for. */
static Node *
parameter(ParseState *pstate, ParamRef *reference)
{
	const BoundText *bound = pstate->p_ref_hook_state;
	int			number = reference->number;
	Param	   *param;

	if (number < 1 || number > bound->n_types + bound->n_calls)
		elog(ERROR, "a statement has no parameter $%d", number);
	if (number > bound->n_types)
		return call_expression(pstate, &bound->calls[number - bound->n_types - 1]);
	param = makeNode(Param);
	param->paramkind = PARAM_EXTERN;
	param->paramid = number;
	param->paramtype = bound->types[number - 1];
	param->paramtypmod = -1;
	param->paramcollid = get_typcollation(param->paramtype);
	param->location = reference->location;
	return (Node *) param;
}

/* At each analysis of the text, the later ones of a plan too. */
static void
set_up_parser(ParseState *pstate, void *bound)
{
	pstate->p_paramref_hook = parameter;
	pstate->p_ref_hook_state = bound;
}

SPIPlanPtr
bind_prepare(BoundText *bound)
{
	SPIPrepareOptions options = {0};

	options.parserSetup = set_up_parser;
	options.parserSetupArg = bound;

	/*
	 * a generic plan, since every statement is a lookup by key, whatever the
	 * values
	 */
	options.cursorOptions = CURSOR_OPT_GENERIC_PLAN;
	return SPI_prepare_extended(bound->sql, &options);
}

ParamListInfo
bind_values(const BoundText *bound, const Datum *values, const char *nulls)
{
	ParamListInfo list = makeParamList(bound->n_types);

	for (int i = 0; i < bound->n_types; i++)
	{
		list->params[i].value = values[i];
		list->params[i].isnull = nulls != NULL && nulls[i] == 'n';
		list->params[i].pflags = PARAM_FLAG_CONST;
		list->params[i].ptype = bound->types[i];
	}
	return list;
}

/* ---- what came of it ---- */

static bool
bind_check_function(Oid function, void *context)
{
	/* below: pg_catalog's */
	if (function >= FirstNormalObjectId && !extension_has(ProcedureRelationId, function))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("a statement of llava_zh would run function %s in place of one of pg_catalog",
						format_procedure_qualified(function)),
				 errhint("Drop it with its operators and casts, or let search_path begin with pg_catalog.")));
	return false;
}

static bool
check_node(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, check_node, context, 0);
	(void) check_functions_in_node(node, bind_check_function, context);
	return expression_tree_walker(node, check_node, context);
}

static void
check_query(ParseState *pstate, Query *query, CompatJumbleState *jumble)
{
	if (bind_next_hook != NULL)
		bind_next_hook(pstate, query, jumble);
	if (pstate->p_paramref_hook == parameter)
		(void) check_node((Node *) query, NULL);
}

void
bind_install(void)
{
	bind_next_hook = post_parse_analyze_hook;
	post_parse_analyze_hook = check_query;
}
