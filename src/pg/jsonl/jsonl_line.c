/*
 * jsonl_line.c
 *	  One row as one line of JSON, and whether a text is one: the functions that
 *	  COPY with format jsonl calls.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "copy_part.h"
#include "executor/executor.h"
#include "jsonl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(llava_jsonl_line);
PG_FUNCTION_INFO_V1(llava_jsonl_check);

/* What is known of the rows of one call site. */
typedef struct LineColumn
{
	Oid			row_type;
	int32		row_typmod;
	AttrNumber	number;			/* of the only column; 0: there are more, or
								 * none */
	Oid			type;			/* of it, if JSON or text; else InvalidOid */
	NameData	name;
} LineColumn;

/* Looks for the one column of type jsonb, json or text. */
static void
inspect_row(LineColumn *column, Oid row_type, int32 row_typmod)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(row_type, row_typmod);
	int			columns = 0;

	memset(column, 0, sizeof(*column));
	column->row_type = row_type;
	column->row_typmod = row_typmod;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (attribute->attisdropped)
			continue;
		columns++;
		column->number = attribute->attnum;
		column->name = attribute->attname;
		column->type = getBaseType(attribute->atttypid);
	}
	if (columns != 1 || (column->type != JSONBOID && column->type != JSONOID &&
						 column->type != TEXTOID))
	{
		column->number = 0;
		column->type = InvalidOid;
	}
	ReleaseTupleDesc(desc);
}

static LineColumn *
line_column(FmgrInfo *flinfo, HeapTupleHeader row)
{
	LineColumn *column = flinfo->fn_extra;
	Oid			row_type = HeapTupleHeaderGetTypeId(row);
	int32		row_typmod = HeapTupleHeaderGetTypMod(row);

	if (column == NULL)
	{
		column = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(LineColumn));
		flinfo->fn_extra = column;
	}
	if (column->row_type != row_type || column->row_typmod != row_typmod)
		inspect_row(column, row_type, row_typmod);
	return column;
}

static bool
is_white(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Valid JSON on one line: white space outside strings becomes one space. */
static text *
fold_white_space(const text *json)
{
	const char *from = VARDATA_ANY(json);
	const char *end = from + VARSIZE_ANY_EXHDR(json);
	text	   *folded = palloc(VARHDRSZ + (end - from));
	char	   *start = VARDATA(folded);
	char	   *to = start;
	bool		in_string = false;

	for (; from < end; from++)
	{
		if (in_string && *from == '\\' && from + 1 < end)
			*to++ = *from++;
		else if (*from == '"')
			in_string = !in_string;
		else if (!in_string && is_white(*from))
		{
			if (to > start && to[-1] != ' ')
				*to++ = ' ';
			continue;
		}
		*to++ = *from;
	}
	if (to > start && to[-1] == ' ')
		to--;
	SET_VARSIZE(folded, VARHDRSZ + (to - start));
	return folded;
}

static text *
jsonb_line(Jsonb *jsonb)
{
	StringInfoData line;

	initStringInfo(&line);
	appendStringInfoSpaces(&line, VARHDRSZ);
	JsonbToCString(&line, &jsonb->root, VARSIZE(jsonb));
	SET_VARSIZE(line.data, line.len);
	return (text *) line.data;
}

/* ERROR unless it is valid JSON. */
static void
check_json(const text *json)
{
	if (!json_is_certain(VARDATA_ANY(json), VARSIZE_ANY_EXHDR(json)))
		(void) DirectFunctionCall1(json_in, CStringGetDatum(text_to_cstring(json)));
}

/* Error context: which column holds the invalid JSON. */
static void
explain_text(void *arg)
{
	if (geterrcode() == ERRCODE_INVALID_TEXT_REPRESENTATION)
		errhint("A text column is written as it is, so it must hold JSON; "
				"to_jsonb(%s) makes a JSON string of any text.",
				quote_identifier((const char *) arg));
	errcontext("column \"%s\"", (const char *) arg);
}

/* Appends a text as it is, if it is one line of JSON. */
static text *
text_line(text *value, char *column)
{
	ErrorContextCallback explain = {error_context_stack, explain_text, column};
	size_t		length = VARSIZE_ANY_EXHDR(value);

	if (json_is_certain(VARDATA_ANY(value), length))
		return value;
	/* line ends, which JSON allows between its tokens and a line does not */
	if (memchr(VARDATA_ANY(value), '\n', length) != NULL ||
		memchr(VARDATA_ANY(value), '\r', length) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("text column \"%s\" holds a line end", column),
				 errhint("Cast JSON to jsonb or json; to_jsonb(%s) makes a JSON string of any text.",
						 quote_identifier(column))));
	error_context_stack = &explain;
	check_json(value);
	error_context_stack = explain.previous;
	return value;
}

static text *
column_line(LineColumn *column, HeapTupleHeader row)
{
	bool		is_null;
	Datum		value = GetAttributeByNum(row, column->number, &is_null);

	if (is_null)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("cannot write column \"%s\", which is null, as JSON",
						NameStr(column->name)),
				 errhint("Leave such rows out with WHERE.")));
	switch (column->type)
	{
		case JSONBOID:
			return jsonb_line(DatumGetJsonbP(value));
		case JSONOID:
			return fold_white_space(DatumGetTextPP(value));
		default:
			return text_line(DatumGetTextPP(value), NameStr(column->name));
	}
}

/*
 * llava_jsonl_line(record): the row as one line of JSON.  Its only column if that
 * is jsonb, json or text holding JSON; else row_to_json.  NULL is an ERROR.
 */
Datum
llava_jsonl_line(PG_FUNCTION_ARGS)
{
	HeapTupleHeader row;
	LineColumn *column;
	text	   *line;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("cannot write a null row as JSON")));
	row = PG_GETARG_HEAPTUPLEHEADER(0);
	column = line_column(fcinfo->flinfo, row);
	if (column->number != 0)
		line = column_line(column, row);
	else						/* json columns inside keep their white space
								 * there */
		line = fold_white_space(DatumGetTextPP(DirectFunctionCall1(row_to_json,
																   PG_GETARG_DATUM(0))));
	copy_part_line(VARSIZE_ANY(line));
	PG_RETURN_TEXT_P(line);
}

/* llava_jsonl_check(text): true, or the ERROR that it is not JSON. */
Datum
llava_jsonl_check(PG_FUNCTION_ARGS)
{
	if (!PG_ARGISNULL(0))
		check_json(PG_GETARG_TEXT_PP(0));
	PG_RETURN_BOOL(true);
}
