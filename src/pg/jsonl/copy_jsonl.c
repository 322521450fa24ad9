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

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/defrem.h"
#include "compat.h"
#include "copy_array.h"
#include "copy_part.h"
#include "copy_rewrite.h"
#include "db/db.h"
#include "jsonl.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "parser/analyze.h"
#include "storage/fd.h"
#include "tcop/utility.h"

#define SCAN_CHUNK (256 * 1024)

static ProcessUtility_hook_type copy_next_hook;
static post_parse_analyze_hook_type next_analyze_hook;

/* The format that the statement names; NULL: it is no COPY, or names none. */
static const char *
copy_format(const Node *statement)
{
	ListCell   *cell;

	if (statement == NULL || !IsA(statement, CopyStmt))
		return NULL;
	foreach(cell, ((const CopyStmt *) statement)->options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "format") == 0 && option->arg != NULL)
			return defGetString(option);
	}
	return NULL;
}

/* Whether it is another name under which people look for ours. */
static bool
is_alias(const char *format)
{
	return pg_strcasecmp(format, "json") == 0 || pg_strcasecmp(format, "jsonlines") == 0 ||
		pg_strcasecmp(format, "ndjson") == 0 || pg_strcasecmp(format, "jsonl") == 0;
}

/* Error context of a COPY in such a format, where core does not know it. */
static void
explain_format(void *arg)
{
	if (geterrcode() == ERRCODE_INVALID_PARAMETER_VALUE)
		errhint("JSON lines are WITH (FORMAT jsonl), one array of them WITH (FORMAT jsonl, FORCE_ARRAY).");
}

#define LINE_HINT \
	"Each line holds one JSON document, in UTF-8 without a byte order mark; all lines end in " \
	"LF, or all in CRLF."

/*
 * Error context of COPY FROM: adds a hint about this format.  Core's would be about csv
 * and quotes, and a byte order mark cannot be seen in its message.  arg: the statement.
 * Drivers can only have spoilt what a client sends.
 */
static void
explain_line(void *arg)
{
	const CopyStmt *statement = arg;

	switch (geterrcode())
	{
		case ERRCODE_INVALID_TEXT_REPRESENTATION:
			if (statement->filename == NULL)
				errhint(LINE_HINT " psycopg's copy.write_row() doubles each backslash: use "
						"copy.write().");
			else
				errhint(LINE_HINT);
			break;
		case ERRCODE_BAD_COPY_FILE_FORMAT:
		case ERRCODE_CHARACTER_NOT_IN_REPERTOIRE:
			errhint(LINE_HINT);
			break;
		default:
			break;
	}
}

/* ---- the end mark, at which core's COPY FROM may stop reading ---- */

pg_noreturn static void
cannot_read_again(const char *name)
{
	ereport(ERROR,
			(errcode_for_file_access(),
			 errmsg("could not read file \"%s\" again: %m", name)));
}

/*
 * Where a line of nothing but '\.' begins in the bytes, or NULL.  'first' and 'last': of
 * the file.
 */
static const char *
find_end_mark(const char *bytes, size_t size, bool first, bool last)
{
	const char *end = bytes + size;

	for (const char *at = bytes; (at = memmem(at, end - at, "\\.", 2)) != NULL; at += 2)
	{
		bool		begins = at == bytes ? first : at[-1] == '\n' || at[-1] == '\r';
		bool		ends = at + 2 == end ? last : at[2] == '\n' || at[2] == '\r';

		if (begins && ends)
			return at;
	}
	return NULL;
}

static uint64
count_lines(const char *bytes, const char *end)
{
	uint64		lines = 0;

	for (const char *at = bytes; (at = memchr(at, '\n', end - at)) != NULL; at++)
		lines++;
	return lines;
}

/* Reads up to size bytes; fewer only at the end of the file. */
static size_t
read_chunk(int fd, const char *name, char *bytes, size_t size)
{
	size_t		done = 0;

	while (done < size)
	{
		ssize_t		n = read(fd, bytes + done, size - done);

		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			cannot_read_again(name);
		done += Max(n, 0);
	}
	return done;
}

/* The number of the first line that is an end mark; 0 if there is none. */
static uint64
end_mark_line(int fd, const char *name, char *bytes)
{
	uint64		lines = 0;
	size_t		kept = 0;
	bool		first = true;

	for (;;)
	{
		size_t		got = read_chunk(fd, name, bytes + kept, SCAN_CHUNK - kept);
		size_t		size = kept + got;
		bool		last = got < SCAN_CHUNK - kept;
		const char *mark = find_end_mark(bytes, size, first, last);

		CHECK_FOR_INTERRUPTS();
		if (mark != NULL)
			return lines + count_lines(bytes, mark) + 1;
		if (last)
			return 0;

		/*
		 * a mark may lie across two chunks: the line end before it, and its
		 * part in this chunk
		 */
		kept = 3;
		lines += count_lines(bytes, bytes + size - kept);
		memmove(bytes, bytes + size - kept, kept);
		first = false;
	}
}

/*
 * After core's COPY FROM this file: ERROR if a line is '\.'.  The name may lead to a pipe
 * by now, so it is opened without blocking.
 */
static void
check_end(const char *name)
{
	int			fd = OpenTransientFile(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | PG_BINARY);
	struct stat facts;
	uint64		line = 0;

	if (fd < 0 || fstat(fd, &facts) < 0)
		cannot_read_again(name);
	/* a pipe has been read, and cannot be again */
	if (S_ISREG(facts.st_mode))
	{
		char	   *bytes = palloc(SCAN_CHUNK);

		line = end_mark_line(fd, name, bytes);
		pfree(bytes);
	}
	CloseTransientFile(fd);
	if (line > 0)
		ereport(ERROR,
				(errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
				 errmsg("line " UINT64_FORMAT " of file \"%s\" is \"\\.\", which is not JSON", line, name),
				 errdetail("This version of the server stops reading there.")));
}

/* ---- the hooks ---- */

/* A COPY in core's formats, and all other statements. */
static void
process_other(PlannedStmt *pstmt, const char *source, bool read_only_tree,
			  ProcessUtilityContext context, ParamListInfo params,
			  QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	ErrorContextCallback explain = {error_context_stack, explain_format, NULL};
	const char *format = copy_format(pstmt->utilityStmt);
	CopyArray  *outer = copy_array_await(NULL);

	if (format != NULL && is_alias(format) && OidIsValid(extension_schema()))
		error_context_stack = &explain;
	copy_next_hook(pstmt, source, read_only_tree, context, params, environment, dest, completion);
	error_context_stack = explain.previous;
	(void) copy_array_await(outer);
}

/* The statement's tag counts lines, not brackets. */
static void
finish_array(const CopyArray *array, QueryCompletion *completion)
{
	copy_array_check(array);
	if (completion != NULL)
		completion->nprocessed = array->lines;
}

static void
process_utility(PlannedStmt *pstmt, const char *source, bool read_only_tree,
				ProcessUtilityContext context, ParamListInfo params,
				QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	ErrorContextCallback explain = {error_context_stack, explain_line, NULL};
	PlannedStmt *rewritten;
	CopyStmt   *statement;
	CopyPart   *volatile part = NULL;
	CopyArray  *array;
	CopyArray  *outer;
	const char *format = copy_format(pstmt->utilityStmt);
	char	   *file;

	/* In a database without the extension core refuses the format. */
	if (format == NULL || strcmp(format, "jsonl") != 0 || !OidIsValid(extension_schema()))
	{
		process_other(pstmt, source, read_only_tree, context, params, environment, dest, completion);
		return;
	}
	rewritten = copy_rewrite(pstmt, source);
	statement = castNode(CopyStmt, rewritten->utilityStmt);
	explain.arg = statement;
	file = statement->is_program ? NULL : statement->filename;
	if (statement->is_from)
		error_context_stack = &explain;
	else if (file != NULL)
		part = copy_part_new(file);
	if (part != NULL)
		statement->filename = pstrdup(part->name);
	array = copy_wants_array(castNode(CopyStmt, pstmt->utilityStmt)) ? copy_array_new() : NULL;
	outer = copy_array_await(array);
	PG_TRY();
	{
		copy_next_hook(rewritten, source, read_only_tree, context, params, environment, dest,
					   completion);
		if (array != NULL)
			finish_array(array, completion);
		if (part != NULL)
			copy_part_finish(part);
	}
	PG_CATCH();
	{
		(void) copy_array_await(outer);
		if (part != NULL)
			copy_part_drop(part);
		PG_RE_THROW();
	}
	PG_END_TRY();
	(void) copy_array_await(outer);
	error_context_stack = explain.previous;
	if (COMPAT_COPY_STOPS_AT_END_MARK && statement->is_from && file != NULL)
		check_end(file);
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
	copy_next_hook = ProcessUtility_hook != NULL ? ProcessUtility_hook : standard_ProcessUtility;
	ProcessUtility_hook = process_utility;
	copy_array_install();
	next_analyze_hook = post_parse_analyze_hook;
	post_parse_analyze_hook = after_analysis;
}
