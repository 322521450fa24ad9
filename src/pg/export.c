/*
 * export.c
 *	  llava_export: the accepted samples as trainers read them.
 *
 * One line a call, from a cursor that is read a few rows at a time: memory does
 * not grow with the samples, the first line comes at once, and nothing is spooled
 * to disk.  The cursor runs with the caller's rights and snapshot.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "export.h"
#include "funcapi.h"
#include "llava_zh.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(llava_export);

#define FETCH_ROWS 32

typedef struct Export
{
	char	   *cursor;			/* its portal's name */
	ExportShape shape;
	ExprContext *caller;		/* whose end closes the cursor */
	MemoryContext lines_context;
	Datum		lines[FETCH_ROWS];
	int			n_lines;
	int			next_line;
	uint64		faults[FAULTS];
	int64		first_fault;	/* image */
} Export;

/* ---- the stream ---- */

static void
take_line(Export *export, HeapTuple row, TupleDesc desc)
{
	StringInfoData line;
	ExportFault fault;
	ExportSample sample;

	initStringInfo(&line);
	export_sample(row, desc, &sample);
	fault = export_line(&line, &sample, &export->shape);
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
		export->first_fault = sample.image;
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
export_begin(FunctionCallInfo fcinfo, MemoryContext context)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Export	   *export = MemoryContextAllocZero(context, sizeof(Export));
	MemoryContext old = MemoryContextSwitchTo(context);

	export->cursor = export_open(fcinfo, &export->shape);
	export->caller = result->econtext;
	export->lines_context = AllocSetContextCreate(context, "llava_export lines",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(old);
	RegisterExprContextCallback(export->caller, close_cursor, PointerGetDatum(export));
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
						 export->faults[fault], export_fault_text(fault));
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

/* llava_export(format text, ...): one line of JSON a sample that a person did not reject. */
Datum
llava_export(PG_FUNCTION_ARGS)
{
	FuncCallContext *call;
	Export	   *export;

	if (SRF_IS_FIRSTCALL())
	{
		call = SRF_FIRSTCALL_INIT();
		call->user_fctx = export_begin(fcinfo, call->multi_call_memory_ctx);
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
