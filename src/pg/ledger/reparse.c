/*
 * reparse.c
 *	  CALL llava_reparse: judges the ledger's replies by the current parser and
 *	  thresholds, without a request.
 *
 * The ledger is walked by its key, a batch a transaction.  An unchanged verdict is not
 * written, so an interrupted call can simply be repeated.  Samples that a person judged,
 * and samples of another reply, stay.
 */
#include "postgres.h"

#include "ledger.h"
#include "miscadmin.h"
#include "process/process.h"
#include "reparse.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"

#define DEFAULT_BATCH 1000

/* How often one verdict became another; NULL stands for accepted. */
typedef struct Change
{
	char	   *before;
	char	   *after;
	int64		n;
} Change;

PG_FUNCTION_INFO_V1(llava_reparse);

static void
count_change(Reparse *reparse, const Stored *stored)
{
	MemoryContext caller;
	Change	   *change;
	ListCell   *cell;

	foreach(cell, reparse->changes)
	{
		change = lfirst(cell);
		if (stored_same_word(change->before, stored->before) && stored_same_word(change->after, stored->after))
		{
			change->n++;
			return;
		}
	}
	caller = MemoryContextSwitchTo(reparse->context);
	change = palloc0(sizeof(Change));
	change->before = stored->before == NULL ? NULL : pstrdup(stored->before);
	change->after = stored->after == NULL ? NULL : pstrdup(stored->after);
	change->n = 1;
	reparse->changes = lappend(reparse->changes, change);
	MemoryContextSwitchTo(caller);
}

/* True, with a WARNING, if the reply's sample is no conversation: somebody wrote it. */
static bool
leave_odd(Reparse *reparse, const Stored *stored)
{
	int			rounds;

	if (stored->isnull[READ_SAMPLE] || stored->task->kind == REPLY_OBJECT ||
		conversation_is_whole(stored->column[READ_SAMPLE], &rounds))
		return false;
	reparse->odd++;
	ereport(WARNING,
			(errmsg("the sample of image " INT64_FORMAT ", task \"%s\" is no conversation and stays as it is",
					reparse->image, TextDatumGetCString(stored->column[READ_TASK])),
			 errhint("UPDATE llava_conversation SET conversation = ..., or DELETE the row and queue the task again.")));
	return true;
}

static void
judge_again(Reparse *reparse, Stored *stored, List *tasks)
{
	bool		changed;

	if (!stored_judge(stored) || leave_odd(reparse, stored))
		return;
	/* from here on it is as one that a person judged */
	if (!stored->isnull[READ_EDITED] && !reparse->edited_too)
	{
		reparse->edited++;
		stored->isnull[READ_SAMPLE] = true;
	}
	changed = !stored_same_verdict(stored);
	if (changed)
	{
		if (!stored_write_verdict(stored))
			return;
		count_change(reparse, stored);
		reparse_apply(reparse, stored, tasks);
	}
	if (stored->after == NULL && !stored->isnull[READ_SAMPLE])
		reparse_rewrite(reparse, stored, changed);
}

static void
reparse_reply(Reparse *reparse, HeapTuple tuple, TupleDesc desc, List *tasks)
{
	Stored	   *stored = palloc(sizeof(Stored));

	stored_read(tuple, desc, tasks, stored);
	reparse->image = DatumGetInt64(stored->column[READ_IMAGE]);
	reparse->id = DatumGetInt64(stored->column[READ_ID]);
	PG_TRY();
	{
		judge_again(reparse, stored, tasks);
	}
	PG_FINALLY();
	{
		stored_free(stored);
	}
	PG_END_TRY();
}

/* In the order in which settling and llava_forget lock them. */
static void
reparse_lock_tables(void)
{
	LockRelationOid(extension_relation("llava_image"), RowShareLock);
	LockRelationOid(extension_relation("llava_pending"), RowExclusiveLock);
	LockRelationOid(extension_relation("llava_conversation"), RowExclusiveLock);
	LockRelationOid(extension_relation("llava_annotation"), RowExclusiveLock);
	LockRelationOid(extension_relation("llava_reply"), RowExclusiveLock);
}

static SqlStatement sql_reparse_read = {
	.text =
	"SELECT r.image" READ_COLUMNS(SQL_RESULT) ","
	" coalesce((SELECT c.conversation FROM @.llava_conversation c WHERE c.image = r.image"
	"    AND c.task = r.task AND c.reply = r.id AND c.keep IS NULL),"
	"  (SELECT a.object FROM @.llava_annotation a WHERE a.image = r.image"
	"    AND a.task = r.task AND a.reply = r.id)),"
	" (SELECT c.edited_at FROM @.llava_conversation c WHERE c.image = r.image"
	"    AND c.task = r.task AND c.reply = r.id AND c.keep IS NULL) "
	"FROM @.llava_reply r "
	"WHERE (r.image, r.id) > ($1, $2) AND NOT r.late AND r.body <> ''"
	"  AND ($3 IS NULL OR r.task = $3) ORDER BY r.image, r.id LIMIT $4",
	.types = "lltl"
};

/* Returns how many replies were read; 0 if there are no more. */
static uint64
reparse_batch(Reparse *reparse)
{
	List	   *tasks = task_list();
	MemoryContext each = AllocSetContextCreate(CurrentMemoryContext, "llava_reparse reply",
											   ALLOCSET_DEFAULT_SIZES);
	Datum		values[4] = {
		Int64GetDatum(reparse->image), Int64GetDatum(reparse->id),
		PointerGetDatum(reparse->task), Int64GetDatum(reparse->batch)
	};
	uint64		n;
	SPITupleTable *table;

	reparse_lock_tables();
	reparse->followers = followers_read();
	n = sql_run(&sql_reparse_read, values, reparse->task == NULL ? "  n " : NULL, 0);
	table = SPI_tuptable;
	for (uint64 i = 0; i < n; i++)
	{
		MemoryContext caller = MemoryContextSwitchTo(each);

		CHECK_FOR_INTERRUPTS();
		reparse_reply(reparse, table->vals[i], table->tupdesc, tasks);
		work_done(reparse->work, reparse->replies + i + 1);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(each);
	}
	reparse->replies += n;
	return n;
}

static SqlStatement sql_reparse_count = {
	.text =
	"SELECT pg_catalog.count(*) FROM @.llava_reply r"
	" WHERE (r.image, r.id) > ($1, $2) AND NOT r.late AND ($3 IS NULL OR r.task = $3)",
	.types = "llt"
};

/* Counts what is to be read; erased replies are among it. */
static void
begin_work(Reparse *reparse)
{
	Datum		values[3] = {
		Int64GetDatum(reparse->image), Int64GetDatum(reparse->id), PointerGetDatum(reparse->task)
	};

	bool		isnull;

	(void) sql_run(&sql_reparse_count, values, reparse->task == NULL ? "  n" : NULL, 0);
	reparse->work = work_begin(reparse->context, "llava_reparse", "replies",
							   DatumGetInt64(sql_value(1, &isnull)));
}

static void
reparse_all(Reparse *reparse)
{
	Tx			tx = {.in_procedure = true};
	uint64		n;
	bool		counted = false;

	do
	{
		if (!tx_begin(&tx, "llava_zh: parsing replies again"))
			extension_schema_required();
		/* this session holds nothing up while it waits for a lock */
		tx_set_locally("lock_timeout", "0");
		if (!counted)
			begin_work(reparse);
		counted = true;
		n = reparse_batch(reparse);
		tx_commit(&tx, NULL);
	} while (n > 0);
}

static void
append_word(StringInfo json, const char *word)
{
	escape_json(json, word == NULL ? "accepted" : word);
}

static Datum
reparse_report(const Reparse *reparse)
{
	StringInfoData json;
	ListCell   *cell;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"replies\": " INT64_FORMAT ", \"accepted\": " INT64_FORMAT
					 ", \"withdrawn\": " INT64_FORMAT ", \"rewritten\": " INT64_FORMAT
					 ", \"edited\": " INT64_FORMAT ", \"odd\": " INT64_FORMAT
					 ", \"changes\": [", reparse->replies, reparse->accepted,
					 reparse->withdrawn, reparse->rewritten, reparse->edited, reparse->odd);
	foreach(cell, reparse->changes)
	{
		const Change *change = lfirst(cell);

		appendStringInfoString(&json, cell == list_head(reparse->changes) ?
							   "{\"before\": " : ", {\"before\": ");
		append_word(&json, change->before);
		appendStringInfoString(&json, ", \"after\": ");
		append_word(&json, change->after);
		appendStringInfo(&json, ", \"count\": " INT64_FORMAT "}", change->n);
	}
	appendStringInfoString(&json, "]}");
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}

static Reparse *
reparse_new(FunctionCallInfo fcinfo)
{
	MemoryContext context = AllocSetContextCreate(PortalContext, "llava_reparse",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Reparse    *reparse = palloc0(sizeof(Reparse));

	reparse->context = context;
	if (!PG_ARGISNULL(0))
		reparse->task = cstring_to_text(task_find(text_to_cstring(PG_GETARG_TEXT_PP(0)))->name);
	reparse->image = PG_ARGISNULL(1) ? PG_INT64_MIN : PG_GETARG_INT64(1);
	reparse->id = PG_INT64_MIN;
	reparse->batch = PG_ARGISNULL(2) ? DEFAULT_BATCH : PG_GETARG_INT32(2);
	if (reparse->batch < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("batch %d is less than 1", reparse->batch),
				 errhint("The argument batch is the number of replies committed at once, %d by default.",
						 DEFAULT_BATCH)));
	/* the procedure of 1.0.0 has one argument less */
	reparse->edited_too = PG_NARGS() > 4 && !PG_ARGISNULL(4) && PG_GETARG_BOOL(4);
	MemoryContextSwitchTo(caller);
	return reparse;
}

/* PROCEDURE llava_reparse(task, first_image, batch, INOUT report jsonb, edited) */
Datum
llava_reparse(PG_FUNCTION_ARGS)
{
	Reparse    *reparse;
	Datum		report;
	bool		is_null = false;

	rows_check_call(fcinfo, "llava_reparse");
	extension_schema_required();
	reparse = reparse_new(fcinfo);
	rows_spi_connect_committing();
	tx_enter_procedure("llava_reparse");
	reparse_all(reparse);
	SPI_finish();
	work_end(reparse->work);

	report = reparse_report(reparse);
	PG_RETURN_DATUM(rows_result(fcinfo, &report, &is_null));
}
