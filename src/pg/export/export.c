/*
 * export.c
 *	  llava_export: the accepted samples as trainers read them; llava_selected: which
 *	  those are, and which are not exported and why; llava_exported: lines, and whose
 *	  they are; llava_export_array: the lines as one JSON array.
 *
 * One line or row a call, from a cursor that is read a few rows at a time: memory does not
 * grow with the samples, the first comes at once, and nothing is spooled to disk.  The
 * cursor runs with the caller's rights and snapshot.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "export.h"
#include "funcapi.h"
#include "process/process.h"
#include "tcop/dest.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(llava_export);
PG_FUNCTION_INFO_V1(llava_selected);
PG_FUNCTION_INFO_V1(llava_exported);
PG_FUNCTION_INFO_V1(llava_export_array);

#define FETCH_ROWS 32

/* Columns of llava_selected */
enum
{
	SELECTED_IMAGE,
	SELECTED_TASK,
	SELECTED_ID,
	SELECTED_FILE_NAME,
	SELECTED_SHA256,
	SELECTED_RULE,
	SELECTED_DETAIL,
	SELECTED_COLUMNS
};

/* Columns of llava_exported */
enum
{
	EXPORTED_LINE,
	EXPORTED_IMAGE,
	EXPORTED_TASK,
	EXPORTED_FILE_NAME,
	EXPORTED_SHA256,
	EXPORTED_COLUMNS
};

typedef enum ExportResult
{
	RESULT_LINE,				/* of llava_export */
	RESULT_ARRAY,				/* a line of a file that is an array of them */
	RESULT_SELECTED,			/* a row, also of what is left out */
	RESULT_EXPORTED				/* a row with the line */
} ExportResult;

typedef struct Export
{
	DestReceiver receiver;		/* of the cursor's rows; must be first */
	char	   *cursor;			/* its portal's name */
	ExportShape shape;
	ExportResult wanted;
	TupleDesc	desc;			/* of rows */
	ExprContext *caller;		/* whose end closes the cursor */
	MemoryContext row_context;	/* of one row */
	StringInfoData line;
	MemoryContext results_context;
	Datum		results[FETCH_ROWS + 1];	/* and the bracket before the
											 * first */
	int			n_results;
	int			next_result;
	uint64		written;		/* samples */
	bool		is_closed;		/* the array's last bracket is written */
	struct Work *work;			/* how far the call is */
	uint64		faults[FAULTS];
	int64		first_fault;	/* image */
} Export;

/* ---- one sample ---- */

/* NULL where there is no string. */
static void
set_text(Datum *values, bool *nulls, int column, const char *string)
{
	nulls[column] = string == NULL;
	if (string != NULL)
		values[column] = CStringGetTextDatum(string);
}

static void
set_sha256(Datum *values, bool *nulls, int column, const ExportSample *sample)
{
	values[column] = PointerGetDatum(sample->sha256);
	nulls[column] = sample->sha256 == NULL;
}

static Datum
line_text(const Export *export)
{
	return PointerGetDatum(cstring_to_text_with_len(export->line.data, export->line.len));
}

static Datum
selected_row(const Export *export, const ExportSample *sample, ExportFault fault)
{
	Datum		values[SELECTED_COLUMNS] = {0};
	bool		nulls[SELECTED_COLUMNS] = {0};

	values[SELECTED_IMAGE] = Int64GetDatum(sample->image);
	set_text(values, nulls, SELECTED_TASK, sample->task);
	set_text(values, nulls, SELECTED_ID, sample->id);
	set_text(values, nulls, SELECTED_FILE_NAME, sample->name);
	set_sha256(values, nulls, SELECTED_SHA256, sample);
	nulls[SELECTED_RULE] = nulls[SELECTED_DETAIL] = true;
	if (fault != FAULT_NONE)
	{
		set_text(values, nulls, SELECTED_RULE, export_rules[fault].name);
		set_text(values, nulls, SELECTED_DETAIL, export_fault_detail(fault, sample));
	}
	return HeapTupleGetDatum(heap_form_tuple(export->desc, values, nulls));
}

static Datum
exported_row(const Export *export, const ExportSample *sample)
{
	Datum		values[EXPORTED_COLUMNS] = {0};
	bool		nulls[EXPORTED_COLUMNS] = {0};
	const char *folder = export->shape.folder;

	values[EXPORTED_LINE] = line_text(export);
	values[EXPORTED_IMAGE] = Int64GetDatum(sample->image);
	set_text(values, nulls, EXPORTED_TASK, sample->task);
	set_text(values, nulls, EXPORTED_FILE_NAME,
			 sample->name + (folder == NULL ? 0 : strlen(folder) + 1));
	set_sha256(values, nulls, EXPORTED_SHA256, sample);
	return HeapTupleGetDatum(heap_form_tuple(export->desc, values, nulls));
}

/* A bracket of the array, on a line of its own. */
static Datum
bracket_text(const char *bracket)
{
	return PointerGetDatum(cstring_to_text(bracket));
}

/* What the sample is among the results, with a bracket before the first of an array. */
static void
add_result(Export *export, const ExportSample *sample, ExportFault fault)
{
	MemoryContext old = MemoryContextSwitchTo(export->results_context);
	Datum		result;

	if (export->wanted == RESULT_ARRAY && export->written == 0)
		export->results[export->n_results++] = bracket_text("[");
	if (export->wanted == RESULT_SELECTED)
		result = selected_row(export, sample, fault);
	else if (export->wanted == RESULT_EXPORTED)
		result = exported_row(export, sample);
	else
		result = line_text(export);
	export->results[export->n_results++] = result;
	export->written++;
	MemoryContextSwitchTo(old);
}

/* The sample's line or row among the results, if it has one. */
static void
take_sample(Export *export, ExportSample *sample)
{
	bool		selected = export->wanted == RESULT_SELECTED;
	ExportFault fault;

	resetStringInfo(&export->line);
	if (export->wanted == RESULT_ARRAY && export->written > 0)
		appendStringInfoChar(&export->line, ',');
	fault = export_line(&export->line, sample, &export->shape, !selected);
	if (fault != FAULT_NONE)
	{
		if (export->first_fault == 0)
			export->first_fault = sample->image;
		export->faults[fault]++;
		if (!selected)
			return;
	}
	add_result(export, sample, fault);
}

/* ---- the stream ---- */

/* The receiver's: a row as it comes out of the plan, without a copy. */
static bool
receive_row(TupleTableSlot *row, DestReceiver *receiver)
{
	Export	   *export = (Export *) receiver;
	MemoryContext old = MemoryContextSwitchTo(export->row_context);
	ExportSample sample;

	export_sample(row, &sample);
	take_sample(export, &sample);
	MemoryContextSwitchTo(old);
	MemoryContextReset(export->row_context);
	return true;
}

static void
receive_start(DestReceiver *receiver, int operation, TupleDesc desc)
{
}

static void
receive_nothing(DestReceiver *receiver)
{
}

/*
 * The next rows' results.  False at the end.
 */
static bool
fetch_results(Export *export)
{
	Portal		cursor = SPI_cursor_find(export->cursor);

	/* a line with a picture has megabytes */
	long		wanted = export->shape.data_urls ? 1 : FETCH_ROWS;
	uint64		rows;

	/* ROLLBACK TO a savepoint before the first FETCH, or CLOSE ALL */
	if (cursor == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_CURSOR_STATE),
				 errmsg("the cursor of llava_export was closed before its end")));
	MemoryContextReset(export->results_context);
	export->n_results = export->next_result = 0;

	SPI_connect();
	rows = PortalRunFetch(cursor, FETCH_FORWARD, wanted, &export->receiver);
	SPI_finish();
	work_done(export->work, (int64) export->written);
	return rows > 0;
}

/*
 * The same with the end of an array: its last bracket, or both.
 */
static bool
more_results(Export *export)
{
	MemoryContext old;

	if (export->is_closed)
		return false;
	if (fetch_results(export))
		return true;
	if (export->wanted != RESULT_ARRAY)
		return false;
	old = MemoryContextSwitchTo(export->results_context);
	export->results[export->n_results++] = bracket_text(export->written > 0 ? "]" : "[]");
	MemoryContextSwitchTo(old);
	export->is_closed = true;
	return true;
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
export_begin(FunctionCallInfo fcinfo, ExportResult wanted, MemoryContext context)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Export	   *export = MemoryContextAllocZero(context, sizeof(Export));
	MemoryContext old = MemoryContextSwitchTo(context);

	export->receiver.receiveSlot = receive_row;
	export->receiver.rStartup = receive_start;
	export->receiver.rShutdown = export->receiver.rDestroy = receive_nothing;
	export->receiver.mydest = DestNone;
	export->cursor = export_open(fcinfo, &export->shape);
	export->caller = result->econtext;
	export->wanted = wanted;
	if (wanted == RESULT_SELECTED || wanted == RESULT_EXPORTED)
	{
		if (get_call_result_type(fcinfo, NULL, &export->desc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "an export's function does not return rows");
		BlessTupleDesc(export->desc);
	}
	initStringInfo(&export->line);
	export->row_context = AllocSetContextCreate(context, "llava_export row",
												ALLOCSET_DEFAULT_SIZES);
	export->results_context = AllocSetContextCreate(context, "llava_export results",
													ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(old);
	RegisterExprContextCallback(export->caller, close_cursor, PointerGetDatum(export));
	export->work = work_begin(context, "llava_export", "samples", -1);
	return export;
}

/* Reports what was left out, and why. */
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
						 export->faults[fault], export_rules[fault].broken);
		total += export->faults[fault];
	}
	if (total > 0)
		ereport(WARNING,
				(errmsg_plural("%llu sample was left out of the export",
							   "%llu samples were left out of the export",
							   (unsigned long) total, (unsigned long long) total),
				 errdetail("They would stop a training run: %s; the first is of image %lld.",
						   detail.data, (long long) export->first_fault),
				 errhint("llava_validate, with the same format and options, lists them.")));
	else if (export->written == 0)
		ereport(NOTICE,
				(errmsg("there is nothing to export"),
				 errhint("No accepted and kept sample matches the arguments, or a task of "
						 "the mix has none; llava_progress shows what is done and waiting.")));
}

static void
export_end(Export *export)
{
	work_end(export->work);
	UnregisterExprContextCallback(export->caller, close_cursor, PointerGetDatum(export));
	close_cursor(PointerGetDatum(export));
	if (export->wanted != RESULT_SELECTED)
		warn_of_faults(export);
}

static Datum
next_result(FunctionCallInfo fcinfo, ExportResult wanted)
{
	FuncCallContext *call;
	Export	   *export;

	if (SRF_IS_FIRSTCALL())
	{
		call = SRF_FIRSTCALL_INIT();
		call->user_fctx = export_begin(fcinfo, wanted, call->multi_call_memory_ctx);
	}
	call = SRF_PERCALL_SETUP();
	export = call->user_fctx;
	while (export->next_result == export->n_results)
		if (!more_results(export))
		{
			export_end(export);
			SRF_RETURN_DONE(call);
		}
	SRF_RETURN_NEXT(call, export->results[export->next_result++]);
}

/* llava_export(format text, ...): one line of JSON a sample that a person did not reject. */
Datum
llava_export(PG_FUNCTION_ARGS)
{
	return next_result(fcinfo, RESULT_LINE);
}

/* llava_selected(format text, ...): one row a sample, the same in the same order. */
Datum
llava_selected(PG_FUNCTION_ARGS)
{
	return next_result(fcinfo, RESULT_SELECTED);
}

/* llava_exported(format text, ...): the lines of llava_export with whose they are. */
Datum
llava_exported(PG_FUNCTION_ARGS)
{
	return next_result(fcinfo, RESULT_EXPORTED);
}

/*
 * llava_export_array(format text, ...): the lines of llava_export between brackets and with
 * commas, as COPY with FORCE_ARRAY writes them.
 */
Datum
llava_export_array(PG_FUNCTION_ARGS)
{
	return next_result(fcinfo, RESULT_ARRAY);
}
