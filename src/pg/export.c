/*
 * export.c
 *	  llava_export: the accepted samples as trainers read them.
 *
 * One line a call, from a cursor that is read a few rows at a time: memory does
 * not grow with the samples, the first line comes at once, and nothing is spooled
 * to disk.  The cursor runs with the caller's rights and snapshot.
 *
 * A line is spelt as PostgreSQL spells jsonb (key order, spaces, escapes), so that
 * it comes back byte for byte from a jsonb column.
 */
#include "postgres.h"

#include <ctype.h>

#include "executor/spi.h"
#include "funcapi.h"
#include "llava_zh.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(llava_export);

#define FETCH_ROWS 32

/* A longer '<|name|>' is no special token of any model. */
#define SPECIAL_TOKEN_MAX 64

/* Columns of SQL_EXPORT_LLAVA */
enum
{
	COLUMN_IMAGE = 1,
	COLUMN_TASK,
	COLUMN_CONVERSATION,
	COLUMN_PATH,
	COLUMN_SHA256,
	COLUMN_FORMAT,
	COLUMN_SEVERAL				/* the image has samples of other tasks too */
};

/* Why a sample would break a training run. */
typedef enum ExportFault
{
	FAULT_NONE,
	FAULT_TURNS,
	FAULT_EMPTY,
	FAULT_MEDIA_TOKEN,
	FAULT_SPECIAL_TOKEN,
	FAULT_IMAGE_NAME,
	FAULTS
} ExportFault;

static const char *const fault_names[FAULTS] = {
	[FAULT_TURNS] = "turns that do not alternate human and gpt",
	[FAULT_EMPTY] = "an empty turn",
	[FAULT_MEDIA_TOKEN] = "an image token in a turn",
	[FAULT_SPECIAL_TOKEN] = "a special token in a turn",
	[FAULT_IMAGE_NAME] = "neither path nor hash of the image",
};

typedef struct Export
{
	char	   *cursor;			/* its portal's name */
	ExprContext *caller;		/* whose end closes the cursor */
	MemoryContext lines_context;
	Datum		lines[FETCH_ROWS];
	int			n_lines;
	int			next_line;
	uint64		faults[FAULTS];
	int64		first_fault;	/* image */
} Export;

/* ---- one sample ---- */

/* Whether '<|name|>' begins here. */
static bool
is_special_token(const char *at, const char *end)
{
	const char *c = at + 2;

	if (end - at < 5 || at[1] != '|')
		return false;
	while (c < end && c - at < SPECIAL_TOKEN_MAX && (isalnum((unsigned char) *c) || *c == '_'))
		c++;
	return c > at + 2 && end - c >= 2 && c[0] == '|' && c[1] == '>';
}

/* What of a turn's text a trainer's template would take for something else. */
static ExportFault
token_fault(const char *bytes, int length)
{
	static const char *const media[] = {"<image>", "<video>", "<audio>"};
	const char *end = bytes + length;
	const char *at = bytes;

	while ((at = memchr(at, '<', end - at)) != NULL)
	{
		for (int i = 0; i < lengthof(media); i++)
			if (end - at >= strlen(media[i]) && memcmp(at, media[i], strlen(media[i])) == 0)
				return FAULT_MEDIA_TOKEN;
		if (is_special_token(at, end))
			return FAULT_SPECIAL_TOKEN;
		at++;
	}
	return FAULT_NONE;
}

/* Nothing but white space and characters that do not show. */
static bool
is_blank(const char *bytes, int length)
{
	static const struct
	{
		pg_wchar	first;
		pg_wchar	last;
	}			blanks[] =
	{
		{0, ' '}, {0x7f, 0xa0}, {0x1680, 0x1680}, {0x2000, 0x200f}, {0x2028, 0x202f},
		{0x205f, 0x2064}, {0x3000, 0x3000}, {0xfeff, 0xfeff}
	};

	for (int at = 0; at < length; at += pg_utf_mblen((const unsigned char *) bytes + at))
	{
		pg_wchar	c = utf8_to_unicode((const unsigned char *) bytes + at);
		bool		blank = false;

		for (int i = 0; i < lengthof(blanks); i++)
			blank |= c >= blanks[i].first && c <= blanks[i].last;
		if (!blank)
			return false;
	}
	return true;
}

/* As jsonb writes strings; escape_json() takes each byte by itself, this whole runs. */
static void
append_escaped(StringInfo line, const char *bytes, int length)
{
	static const char escapes[' '] = {['\b'] = 'b',['\f'] = 'f',['\n'] = 'n',['\r'] = 'r',['\t'] = 't'};
	const char *end = bytes + length;

	while (bytes < end)
	{
		const char *run = bytes;

		while (bytes < end && (unsigned char) *bytes >= ' ' && *bytes != '"' && *bytes != '\\')
			bytes++;
		appendBinaryStringInfo(line, run, bytes - run);
		if (bytes == end)
			break;
		if ((unsigned char) *bytes >= ' ')
			appendStringInfo(line, "\\%c", *bytes);
		else if (escapes[(unsigned char) *bytes] != '\0')
			appendStringInfo(line, "\\%c", escapes[(unsigned char) *bytes]);
		else
			appendStringInfo(line, "\\u%04x", (unsigned char) *bytes);
		bytes++;
	}
}

/* A string of a turn; false if it is not there or is something else. */
static bool
turn_string(JsonbContainer *turn, const char *key, JsonbValue *value)
{
	return getKeyJsonValueFromContainer(turn, key, strlen(key), value) != NULL &&
		value->type == jbvString;
}

/* The i-th turn, checked, onto the line. */
static ExportFault
append_turn(StringInfo line, JsonbContainer *turn, int i)
{
	const char *role = i % 2 == 0 ? "human" : "gpt";
	JsonbValue	from;
	JsonbValue	value;
	ExportFault fault;

	if (!JsonContainerIsObject(turn) || JsonContainerSize(turn) != 2 ||
		!turn_string(turn, "from", &from) || !turn_string(turn, "value", &value) ||
		from.val.string.len != strlen(role) ||
		memcmp(from.val.string.val, role, strlen(role)) != 0)
		return FAULT_TURNS;
	if (is_blank(value.val.string.val, value.val.string.len))
		return FAULT_EMPTY;
	fault = token_fault(value.val.string.val, value.val.string.len);
	if (fault != FAULT_NONE)
		return fault;

	appendStringInfo(line, "%s{\"from\": \"%s\", \"value\": \"%s", i == 0 ? "" : ", ", role,
					 i == 0 ? "<image>\\n" : "");
	append_escaped(line, value.val.string.val, value.val.string.len);
	appendStringInfoString(line, "\"}");
	return FAULT_NONE;
}

static ExportFault
append_turns(StringInfo line, Jsonb *conversation)
{
	int			turns;

	if (!JB_ROOT_IS_ARRAY(conversation) || JB_ROOT_IS_SCALAR(conversation))
		return FAULT_TURNS;
	turns = JB_ROOT_COUNT(conversation);
	if (turns == 0 || turns % 2 != 0)
		return FAULT_TURNS;
	for (int i = 0; i < turns; i++)
	{
		JsonbValue *turn = getIthJsonbValueFromContainer(&conversation->root, i);
		ExportFault fault = FAULT_TURNS;

		if (turn->type == jbvBinary)
			fault = append_turn(line, turn->val.binary.data, i);
		pfree(turn);
		if (fault != FAULT_NONE)
			return fault;
	}
	return FAULT_NONE;
}

static char *
row_text(HeapTuple row, TupleDesc desc, int column)
{
	bool		is_null;
	Datum		value = SPI_getbinval(row, desc, column, &is_null);

	return is_null ? NULL : TextDatumGetCString(value);
}

/* The user's name for the image, else 'ab/abcd....jpg' by its hash; or NULL. */
static char *
image_name(HeapTuple row, TupleDesc desc)
{
	char	   *path = row_text(row, desc, COLUMN_PATH);
	char	   *format = row_text(row, desc, COLUMN_FORMAT);
	bool		is_null;
	Datum		sha256 = SPI_getbinval(row, desc, COLUMN_SHA256, &is_null);
	char	   *hex;

	if (path != NULL && path[0] != '\0')
		return path;
	if (is_null || format == NULL)
		return NULL;
	hex = TextDatumGetCString(DirectFunctionCall2(binary_encode, sha256,
												  CStringGetTextDatum("hex")));
	return psprintf("%.2s/%s.%s", hex, hex, strcmp(format, "jpeg") == 0 ? "jpg" : format);
}

/* The whole line.  The id is always a string, and no two lines' are the same. */
static ExportFault
append_sample(StringInfo line, HeapTuple row, TupleDesc desc)
{
	bool		is_null;
	int64		image = DatumGetInt64(SPI_getbinval(row, desc, COLUMN_IMAGE, &is_null));
	bool		several = DatumGetBool(SPI_getbinval(row, desc, COLUMN_SEVERAL, &is_null));
	Jsonb	   *conversation = DatumGetJsonbP(SPI_getbinval(row, desc, COLUMN_CONVERSATION,
															&is_null));
	char	   *name = image_name(row, desc);
	char	   *id = psprintf(INT64_FORMAT "%s%s", image, several ? "-" : "",
							  several ? row_text(row, desc, COLUMN_TASK) : "");
	ExportFault fault;

	if (name == NULL)
		return FAULT_IMAGE_NAME;
	appendStringInfoString(line, "{\"id\": ");
	escape_json(line, id);
	appendStringInfoString(line, ", \"image\": ");
	escape_json(line, name);
	appendStringInfoString(line, ", \"conversations\": [");
	fault = append_turns(line, conversation);
	appendStringInfoString(line, "]}");
	return fault;
}

/* ---- the stream ---- */

static void
take_line(Export *export, HeapTuple row, TupleDesc desc)
{
	StringInfoData line;
	ExportFault fault;
	bool		is_null;

	initStringInfo(&line);
	fault = append_sample(&line, row, desc);
	if (fault == FAULT_NONE)
	{
		MemoryContext old = MemoryContextSwitchTo(export->lines_context);

		export->lines[export->n_lines++] =
			PointerGetDatum(cstring_to_text_with_len(line.data, line.len));
		MemoryContextSwitchTo(old);
		return;
	}
	export->faults[fault]++;
	if (export->first_fault == 0)
		export->first_fault = DatumGetInt64(SPI_getbinval(row, desc, COLUMN_IMAGE, &is_null));
}

/*
 * The next rows' lines.  False at the end.
 */
static bool
fetch_lines(Export *export)
{
	Portal		cursor = SPI_cursor_find(export->cursor);
	MemoryContext row_context;
	MemoryContext old;
	uint64		rows;

	/* ROLLBACK TO a savepoint before the first FETCH, or CLOSE ALL */
	if (cursor == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_CURSOR_STATE),
				 errmsg("the cursor of llava_export was closed before its end")));
	MemoryContextReset(export->lines_context);
	export->n_lines = export->next_line = 0;

	SPI_connect();
	SPI_cursor_fetch(cursor, true, FETCH_ROWS);
	rows = SPI_processed;
	row_context = AllocSetContextCreate(CurrentMemoryContext, "llava_export row",
										ALLOCSET_DEFAULT_SIZES);
	for (uint64 i = 0; i < rows; i++)
	{
		old = MemoryContextSwitchTo(row_context);
		take_line(export, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
		MemoryContextSwitchTo(old);
		MemoryContextReset(row_context);
	}
	SPI_finish();
	return rows > 0;
}

/* Callback at the end of the caller's query, also one that wanted fewer rows. */
static void
close_cursor(Datum arg)
{
	Export	   *export = (Export *) DatumGetPointer(arg);
	Portal		cursor = SPI_cursor_find(export->cursor);

	if (cursor != NULL)
		SPI_cursor_close(cursor);
}

static Export *
export_begin(ExprContext *caller, MemoryContext context)
{
	Export	   *export = MemoryContextAllocZero(context, sizeof(Export));

	export->caller = caller;
	export->lines_context = AllocSetContextCreate(context, "llava_export lines",
												  ALLOCSET_DEFAULT_SIZES);
	SPI_connect();
	export->cursor = MemoryContextStrdup(context,
										 SPI_cursor_open(NULL, sql_plan(SQL_EXPORT_LLAVA),
														 NULL, NULL, true)->name);
	SPI_finish();
	RegisterExprContextCallback(caller, close_cursor, PointerGetDatum(export));
	return export;
}

/* Says what was left out, and why. */
static void
warn_of_faults(const Export *export)
{
	StringInfoData detail;
	uint64		total = 0;

	initStringInfo(&detail);
	for (int fault = FAULT_NONE + 1; fault < FAULTS; fault++)
	{
		if (export->faults[fault] == 0)
			continue;
		appendStringInfo(&detail, "%s" UINT64_FORMAT " with %s", total > 0 ? ", " : "",
						 export->faults[fault], fault_names[fault]);
		total += export->faults[fault];
	}
	if (total > 0)
		ereport(WARNING,
				(errmsg_plural("%llu sample was left out of the export",
							   "%llu samples were left out of the export",
							   (unsigned long) total, (unsigned long long) total),
				 errdetail("They would stop a training run: %s; the first is of image %lld.",
						   detail.data, (long long) export->first_fault)));
}

static void
export_end(Export *export)
{
	UnregisterExprContextCallback(export->caller, close_cursor, PointerGetDatum(export));
	close_cursor(PointerGetDatum(export));
	warn_of_faults(export);
}

static void
check_format(const char *format)
{
	if (strcmp(format, "llava") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown export format \"%s\"", format),
				 errhint("Known formats: llava.")));
}

/* llava_export(format text): one line of JSON a sample that a person did not reject. */
Datum
llava_export(PG_FUNCTION_ARGS)
{
	FuncCallContext *call;
	Export	   *export;

	if (SRF_IS_FIRSTCALL())
	{
		ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

		check_format(text_to_cstring(PG_GETARG_TEXT_PP(0)));
		call = SRF_FIRSTCALL_INIT();
		call->user_fctx = export_begin(result->econtext, call->multi_call_memory_ctx);
	}
	call = SRF_PERCALL_SETUP();
	export = call->user_fctx;
	while (export->next_line == export->n_lines)
		if (!fetch_lines(export))
		{
			export_end(export);
			SRF_RETURN_DONE(call);
		}
	SRF_RETURN_NEXT(call, export->lines[export->next_line++]);
}
