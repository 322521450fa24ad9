/*
 * copy_array.c
 *	  COPY TO with format jsonl and FORCE_ARRAY: a bracket, the lines with commas before
 *	  all but the first, and a bracket, each on a line.  Without lines both brackets stand
 *	  on one.
 *
 * Core's COPY writes a line for each row that its receiver is given.  So a receiver of
 * ours stands before it while the query runs: it sees the rows in their order, whatever
 * the plan is, and knows the last one, which no function of the query does.
 */
#include "postgres.h"

#include "compat.h"
#include "copy_array.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

static ExecutorRun_hook_type array_next_hook;
static CopyArray *awaited = NULL;

/* Hands a line of its own to core's COPY. */
static bool
array_line(CopyArray *array, Datum line)
{
	ExecClearTuple(array->slot);
	array->slot->tts_values[0] = line;
	array->slot->tts_isnull[0] = false;
	ExecStoreVirtualTuple(array->slot);
	return array->copy->receiveSlot(array->slot, array->copy);
}

static void
array_bracket(CopyArray *array, const char *bracket)
{
	text	   *line = cstring_to_text(bracket);

	(void) array_line(array, PointerGetDatum(line));
	pfree(line);
}

/* The line with a comma before it, in memory that the next one uses again. */
static Datum
line_with_comma(CopyArray *array, Datum value)
{
	text	   *line = DatumGetTextPP(value);
	StringInfo	made = array->line;

	resetStringInfo(made);
	appendStringInfoSpaces(made, VARHDRSZ);
	appendStringInfoChar(made, ',');
	appendBinaryStringInfo(made, VARDATA_ANY(line), VARSIZE_ANY_EXHDR(line));
	SET_VARSIZE(made->data, made->len);
	if (PointerGetDatum(line) != value)
		pfree(line);
	return PointerGetDatum(made->data);
}

static bool
array_take(TupleTableSlot *row, DestReceiver *receiver)
{
	CopyArray  *array = (CopyArray *) receiver;

	if (array->lines++ == 0)
	{
		array_bracket(array, "[");
		return array->copy->receiveSlot(row, array->copy);
	}
	slot_getallattrs(row);
	return array_line(array, line_with_comma(array, row->tts_values[0]));
}

static void
array_begin(DestReceiver *receiver, int operation, TupleDesc desc)
{
	CopyArray  *array = (CopyArray *) receiver;

	array->slot = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	array->copy->rStartup(array->copy, operation, desc);
}

/* Called when the query has ended well. */
static void
array_end(DestReceiver *receiver)
{
	CopyArray  *array = (CopyArray *) receiver;

	array_bracket(array, array->lines == 0 ? "[]" : "]");
	ExecDropSingleTupleTableSlot(array->slot);
	array->copy->rShutdown(array->copy);
}

static void
array_nothing(DestReceiver *receiver)
{
}

CopyArray *
copy_array_new(void)
{
	CopyArray  *array = palloc0(sizeof(CopyArray));

	array->receiver.receiveSlot = array_take;
	array->receiver.rStartup = array_begin;
	array->receiver.rShutdown = array_end;
	array->receiver.rDestroy = array_nothing;
	array->receiver.mydest = DestCopyOut;
	array->line = makeStringInfo();
	return array;
}

CopyArray *
copy_array_await(CopyArray *array)
{
	CopyArray  *before = awaited;

	awaited = array;
	return before;
}

void
copy_array_check(const CopyArray *array)
{
	if (array->copy == NULL)
		elog(ERROR, "the lines of a COPY did not come by as an array");
}

static void
run_query(QueryDesc *query, ScanDirection direction, uint64 count COMPAT_RUN_ONCE)
{
	CopyArray  *array = awaited;

	if (array != NULL && query->dest->mydest == DestCopyOut)
	{
		awaited = NULL;
		array->copy = query->dest;
		query->dest = &array->receiver;
	}
	else
		array = NULL;
	array_next_hook(query, direction, count COMPAT_RUN_ONCE_PASSED);
	if (array != NULL)
		query->dest = array->copy;
}

void
copy_array_install(void)
{
	array_next_hook = ExecutorRun_hook != NULL ? ExecutorRun_hook : standard_ExecutorRun;
	ExecutorRun_hook = run_query;
}
