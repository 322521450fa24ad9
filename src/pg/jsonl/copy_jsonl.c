/*
 * copy_jsonl.c
 *	  COPY ... WITH (FORMAT jsonl): a ProcessUtility hook.
 *
 * The statement is rewritten to core's csv format over one column and handed on: core
 * keeps privileges, row-level security, files, programs and the protocol.
 *
 * Quote, delimiter and null string are bytes that UTF-8 does not have.  So csv adds
 * nothing to a line that goes out.  Core checks the encoding of what comes in before it
 * looks for them: every line reaches the column's input function as it is, an empty one
 * too, and what is not JSON is an error there.
 *
 * Core analyses the rewritten statement, and a role that may create functions in the
 * extension's schema could add one that fits a name of ours better.  So our
 * llava_jsonl_line is put in by its OID when core has analysed the query (copy_bind_line),
 * in place of a call that always fails.  No hook reaches the WHERE clause of COPY FROM:
 * there the call has exactly the declared type, which no other function fits as well.
 */
#include "postgres.h"

#include "commands/defrem.h"
#include "compat.h"
#include "copy_end_mark.h"
#include "copy_part.h"
#include "copy_rewrite.h"
#include "db/db.h"
#include "jsonl.h"
#include "nodes/parsenodes.h"
#include "parser/analyze.h"
#include "tcop/utility.h"

static ProcessUtility_hook_type copy_next_hook;
static post_parse_analyze_hook_type next_analyze_hook;

static bool
is_jsonl(const Node *statement)
{
	ListCell   *cell;

	if (statement == NULL || !IsA(statement, CopyStmt))
		return false;
	foreach(cell, ((const CopyStmt *) statement)->options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "format") == 0 && option->arg != NULL &&
			strcmp(defGetString(option), "jsonl") == 0)
			return true;
	}
	return false;
}

/*
 * Error context of COPY FROM: adds a hint about this format.  Core's would be about csv
 * and quotes, and a byte order mark cannot be seen in its message.
 */
static void
explain_line(void *arg)
{
	switch (geterrcode())
	{
		case ERRCODE_INVALID_TEXT_REPRESENTATION:
		case ERRCODE_BAD_COPY_FILE_FORMAT:
		case ERRCODE_CHARACTER_NOT_IN_REPERTOIRE:
			errhint("Each line holds one JSON document, in UTF-8 without a byte order mark; "
					"all lines end in LF, or all in CRLF.");
			break;
		default:
			break;
	}
}

static void
hand_on(PlannedStmt *pstmt, const char *source, bool read_only_tree,
		ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *environment,
		DestReceiver *dest, QueryCompletion *completion)
{
	ProcessUtility_hook_type next = copy_next_hook != NULL ? copy_next_hook : standard_ProcessUtility;

	next(pstmt, source, read_only_tree, context, params, environment, dest, completion);
}

static void
process_utility(PlannedStmt *pstmt, const char *source, bool read_only_tree,
				ProcessUtilityContext context, ParamListInfo params,
				QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	bool		ours = is_jsonl(pstmt->utilityStmt) && OidIsValid(extension_schema());
	ErrorContextCallback explain = {error_context_stack, explain_line, NULL};
	PlannedStmt *rewritten;
	CopyStmt   *statement;
	CopyPart   *part = NULL;
	char	   *file;

	/* In a database without the extension core refuses the format. */
	if (!ours)
	{
		hand_on(pstmt, source, read_only_tree, context, params, environment, dest, completion);
		return;
	}
	rewritten = copy_rewrite(pstmt, source);
	statement = castNode(CopyStmt, rewritten->utilityStmt);
	file = statement->is_program ? NULL : statement->filename;
	if (statement->is_from)
		error_context_stack = &explain;
	else if (file != NULL)
		part = copy_part_new(file);
	if (part != NULL)
		statement->filename = pstrdup(part->name);
	PG_TRY();
	{
		hand_on(rewritten, source, read_only_tree, context, params, environment, dest,
				completion);
		if (part != NULL)
			copy_part_finish(part);
	}
	PG_CATCH();
	{
		if (part != NULL)
			copy_part_drop(part);
		PG_RE_THROW();
	}
	PG_END_TRY();
	error_context_stack = explain.previous;
	if (statement->is_from && file != NULL)
		copy_check_end(file);
}

static void
after_analysis(ParseState *pstate, Query *query, CompatJumbleState *jumble)
{
	if (next_analyze_hook != NULL)
		next_analyze_hook(pstate, query, jumble);
	copy_bind_line(query);
}

void
copy_jsonl_install(void)
{
	copy_next_hook = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
	next_analyze_hook = post_parse_analyze_hook;
	post_parse_analyze_hook = after_analysis;
}
