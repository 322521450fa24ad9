/*
 * reparse.c
 *	  CALL llava_reparse: the ledger's replies under the parser and the thresholds of
 *	  today, without a request.
 *
 * The ledger is walked by its key, a batch a transaction.  A verdict that comes out
 * as it was is not written, so a call that was interrupted is simply made again.
 * What a person judged, and what is in another reply's place, stays.
 */
#include "postgres.h"

#include "db/db.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "ledger.h"
#include "miscadmin.h"
#include "reply/reply.h"
#include "storage/lmgr.h"
#include "task/task.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "vlm/vlm.h"


#define DEFAULT_BATCH 1000

/* The columns of sql_reparse_read and sql_reparse_other. */
enum
{
	READ_IMAGE = 1,
	READ_ID,
	READ_TASK,
	READ_TASK_VERSION,
	READ_BODY,
	READ_REASON,
	READ_OFFSET,
	READ_FLAGS,
	READ_MEASURES,
	READ_SAMPLE					/* made of this reply, judged by nobody */
};

/* How often a verdict became another; NULL: accepted. */
typedef struct Change
{
	char	   *before;
	char	   *after;
	int64		n;
} Change;

typedef struct Reparse
{
	MemoryContext context;		/* of the call: survives commits */
	char	   *task;			/* or NULL: all */
	int			batch;
	int64		image;			/* the last reply looked at */
	int64		id;

	/* for the report */
	int64		replies;
	int64		accepted;		/* samples made */
	int64		withdrawn;
	int64		rewritten;		/* samples whose words are others now */
	List	   *changes;
} Reparse;

/* One stored reply, before and after. */
typedef struct Stored
{
	Datum		column[READ_SAMPLE + 1];
	bool		isnull[READ_SAMPLE + 1];
	LlavaTask  *task;
	char	   *before;			/* reason, or NULL */
	const char *after;
	VlmEnvelope envelope;
	ReplyResult result;
	Datum		flags;
	Datum		measures;		/* jsonb */
} Stored;

PG_FUNCTION_INFO_V1(llava_reparse);

static bool
same_word(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
same_jsonb(Datum a, Datum b)
{
	return compareJsonbContainers(&DatumGetJsonbP(a)->root, &DatumGetJsonbP(b)->root) == 0;
}

static void
read_stored(HeapTuple tuple, TupleDesc desc, List *tasks, Stored *stored)
{
	memset(stored, 0, sizeof(*stored));
	for (int i = 1; i <= desc->natts; i++)
		stored->column[i] = SPI_getbinval(tuple, desc, i, &stored->isnull[i]);
	stored->task = task_named(tasks, TextDatumGetCString(stored->column[READ_TASK]));
	if (!stored->isnull[READ_REASON])
		stored->before = TextDatumGetCString(stored->column[READ_REASON]);
}

/* False: the body is no completion, or its task is gone, and the verdict not the parser's. */
static bool
judge(Stored *stored)
{
	bytea	   *body = DatumGetByteaPP(stored->column[READ_BODY]);
	const char *message;

	if (stored->task == NULL ||
		!vlm_envelope_parse(VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body), &stored->envelope,
							&message))
		return false;
	stored->after = verdict_of(&stored->task->rules, &stored->envelope, &stored->result);
	if (stored->result.reason == REPLY_NO_MEMORY)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Reply " INT64_FORMAT " of image " INT64_FORMAT " could not be parsed.",
						   DatumGetInt64(stored->column[READ_ID]),
						   DatumGetInt64(stored->column[READ_IMAGE]))));
	stored->flags = conversation_flags(stored->result.flags);
	stored->measures = conversation_measures(&stored->result.measures);
	return true;
}

/* What is not palloc'd. */
static void
free_parsed(Stored *stored)
{
	reply_result_free(&stored->result);
	vlm_envelope_free(&stored->envelope);
}

static bool
same_verdict(const Stored *stored)
{
	bool		rejected = stored->result.reason != REPLY_ACCEPTED;
	struct varlena *flags_before = PG_DETOAST_DATUM(stored->column[READ_FLAGS]);
	struct varlena *flags = (struct varlena *) DatumGetPointer(stored->flags);

	return same_word(stored->before, stored->after) &&
		stored->isnull[READ_OFFSET] == !rejected &&
		(!rejected || DatumGetInt64(stored->column[READ_OFFSET]) == (int64) stored->result.offset) &&
		VARSIZE(flags) == VARSIZE(flags_before) &&
		memcmp(flags, flags_before, VARSIZE(flags)) == 0 &&
		!stored->isnull[READ_MEASURES] &&
		same_jsonb(stored->column[READ_MEASURES], stored->measures);
}

static void
count_change(Reparse *reparse, const Stored *stored)
{
	MemoryContext caller = MemoryContextSwitchTo(reparse->context);
	Change	   *change = NULL;
	ListCell   *cell;

	foreach(cell, reparse->changes)
	{
		change = lfirst(cell);
		if (same_word(change->before, stored->before) && same_word(change->after, stored->after))
			break;
		change = NULL;
	}
	if (change == NULL)
	{
		change = palloc0(sizeof(Change));
		change->before = stored->before == NULL ? NULL : pstrdup(stored->before);
		change->after = stored->after == NULL ? NULL : pstrdup(stored->after);
		reparse->changes = lappend(reparse->changes, change);
	}
	change->n++;
	MemoryContextSwitchTo(caller);
}

static SqlStatement sql_reparse_verdict = {
	.text =
	"UPDATE @.llava_reply SET reason = $4, reason_offset = $5, flags = $6,"
	"  measures = $7, parser_version = $8"
	" WHERE image = $1 AND id = $2 AND reason IS NOT DISTINCT FROM $3",
	.types = "llttlTji"
};

/* False: another session's call was faster. */
static bool
write_verdict(const Stored *stored)
{
	Datum		v[8];
	char		nulls[9] = "        ";
	bool		rejected = stored->result.reason != REPLY_ACCEPTED;

	v[0] = stored->column[READ_IMAGE];
	v[1] = stored->column[READ_ID];
	v[2] = stored->column[READ_REASON];
	nulls[2] = stored->before == NULL ? 'n' : ' ';
	v[3] = stored->after == NULL ? (Datum) 0 : CStringGetTextDatum(stored->after);
	nulls[3] = stored->after == NULL ? 'n' : ' ';
	v[4] = Int64GetDatum((int64) stored->result.offset);
	nulls[4] = rejected ? ' ' : 'n';
	v[5] = stored->flags;
	v[6] = stored->measures;
	v[7] = Int32GetDatum(REPLY_PARSER_VERSION);
	return sql_run(&sql_reparse_verdict, v, nulls, 0) > 0;
}

/* The human turn of the sample that is there, so that a pool that grew changes none. */
static const char *
human_turn(const Stored *stored)
{
	Datum		path[2];

	if (stored->task->kind != REPLY_DESCRIPTION)
		return NULL;
	if (stored->isnull[READ_SAMPLE])
		return task_question(stored->task, DatumGetInt64(stored->column[READ_IMAGE]));
	path[0] = DirectFunctionCall2(jsonb_array_element, stored->column[READ_SAMPLE],
								  Int32GetDatum(0));
	path[1] = DirectFunctionCall2(jsonb_object_field_text, path[0],
								  CStringGetTextDatum("value"));
	return TextDatumGetCString(path[1]);
}

static SqlStatement sql_reparse_done = {
	.text =
	"DELETE FROM @.llava_pending WHERE image = $1 AND task = $2 AND NOT EXISTS"
	"  (SELECT FROM @.llava_conversation c WHERE c.image = $1 AND c.task = $2)",
	.types = "ltjiTli"
};

static SqlStatement sql_reparse_sample = {
	.text =
	"INSERT INTO @.llava_conversation (image, task, conversation, rounds, flags, reply,"
	"  task_version) SELECT $1, $2, $3, $4, $5, $6, $7"
	" FROM @.llava_image WHERE id = $1 ON CONFLICT DO NOTHING",
	.types = "ltjiTli"
};

/* True: the sample is there now and was not. */
static bool
make_sample(const Stored *stored)
{
	Datum		v[7];
	int			rounds;

	v[0] = stored->column[READ_IMAGE];
	v[1] = stored->column[READ_TASK];
	v[2] = conversation_turns(&stored->result, human_turn(stored), &rounds);
	v[3] = Int32GetDatum(rounds);
	v[4] = stored->flags;
	v[5] = stored->column[READ_ID];
	v[6] = stored->column[READ_TASK_VERSION];
	/* a call in flight about it finds no row, and its reply is kept as late */
	sql_run(&sql_reparse_done, v, NULL, 0);
	return sql_run(&sql_reparse_sample, v, NULL, 0) > 0;
}

/* The stored conversation has the reply's turns, after its own question. */
static bool
same_turns(const Stored *stored)
{
	JsonbContainer *turns = &DatumGetJsonbP(stored->column[READ_SAMPLE])->root;
	uint32		first = stored->task->kind == REPLY_DESCRIPTION ? 1 : 0;

	if (!JsonContainerIsArray(turns) ||
		JsonContainerSize(turns) != first + (uint32) stored->result.n_turns)
		return false;
	for (int i = 0; i < stored->result.n_turns; i++)
	{
		const ReplyTurn *turn = &stored->result.turns[i];
		JsonbValue *object = getIthJsonbValueFromContainer(turns, first + (uint32) i);
		JsonbValue	value;

		if (object == NULL || object->type != jbvBinary ||
			!JsonContainerIsObject(object->val.binary.data) ||
			getKeyJsonValueFromContainer(object->val.binary.data, "value", 5, &value) == NULL ||
			value.type != jbvString || value.val.string.len != (int) turn->length ||
			memcmp(value.val.string.val, turn->text, turn->length) != 0)
			return false;
	}
	return true;
}

static SqlStatement sql_reparse_rewrite = {
	.text =
	"UPDATE @.llava_conversation SET conversation = $3, rounds = $4,"
	"  flags = $5 WHERE image = $1 AND task = $2 AND reply = $6 AND keep IS NULL"
	"  AND (conversation <> $3 OR flags <> $5)",
	.types = "ltjiTl"
};

static void
rewrite_sample(Reparse *reparse, const Stored *stored, bool flags_too)
{
	Datum		v[7];
	int			rounds;

	if (!flags_too && same_turns(stored))
		return;
	v[0] = stored->column[READ_IMAGE];
	v[1] = stored->column[READ_TASK];
	v[2] = conversation_turns(&stored->result, human_turn(stored), &rounds);
	v[3] = Int32GetDatum(rounds);
	v[4] = stored->flags;
	v[5] = stored->column[READ_ID];
	reparse->rewritten += sql_run(&sql_reparse_rewrite, v, NULL, 0);
}

static bool
make_if_accepted(Stored *stored)
{
	volatile bool made = false;

	PG_TRY();
	{
		if (judge(stored) && stored->after == NULL)
			made = make_sample(stored);
	}
	PG_CATCH();
	{
		free_parsed(stored);
		PG_RE_THROW();
	}
	PG_END_TRY();
	free_parsed(stored);
	return made;
}

static SqlStatement sql_reparse_other = {
	.text =
	"SELECT r.image, r.id, r.task, r.task_version, r.body, r.reason, r.reason_offset, r.flags,"
	"  r.measures FROM @.llava_reply r WHERE r.image = $1 AND r.task = $2 AND r.id <> $3"
	"  AND NOT r.late AND r.body <> '' AND r.reason IS NULL ORDER BY r.id DESC",
	.types = "ltl"
};

/* Another reply about the same, accepted, takes the place of one that was withdrawn. */
static bool
make_from_other(const Stored *withdrawn, List *tasks)
{
	Datum		values[3] = {
		withdrawn->column[READ_IMAGE], withdrawn->column[READ_TASK], withdrawn->column[READ_ID]
	};
	uint64		n = sql_run(&sql_reparse_other, values, NULL, 0);
	SPITupleTable *table = SPI_tuptable;
	bool		made = false;

	for (uint64 i = 0; i < n && !made; i++)
	{
		Stored		other;

		read_stored(table->vals[i], table->tupdesc, tasks, &other);
		other.isnull[READ_SAMPLE] = true;
		made = make_if_accepted(&other);
	}
	return made;
}

static SqlStatement sql_reparse_withdraw = {
	.text =
	"DELETE FROM @.llava_conversation WHERE image = $1 AND task = $2 AND reply = $3"
	"  AND keep IS NULL AND $4 IS NOT NULL",
	.types = "ltlt"
};

/* What waits to be asked again goes on waiting. */
static SqlStatement sql_reparse_failed = {
	.text =
	"INSERT INTO @.llava_pending (image, task, call, attempts, variation, failure) "
	"SELECT $1, $2, $3, pg_catalog.count(*), coalesce(pg_catalog.max(r.variation), 0), $4"
	" FROM @.llava_reply r WHERE r.image = $1 AND r.task = $2"
	"  AND EXISTS (SELECT FROM @.llava_image WHERE id = $1) HAVING pg_catalog.count(*) > 0 "
	"ON CONFLICT DO NOTHING",
	.types = "ltlt"
};

static void
withdraw(Reparse *reparse, const Stored *stored, List *tasks)
{
	Datum		v[4];

	v[0] = stored->column[READ_IMAGE];
	v[1] = stored->column[READ_TASK];
	v[2] = stored->column[READ_ID];
	v[3] = CStringGetTextDatum(stored->after);
	if (sql_run(&sql_reparse_withdraw, v, NULL, 0) == 0)
		return;
	reparse->withdrawn++;
	if (make_from_other(stored, tasks))
		reparse->accepted++;
	else
		sql_run(&sql_reparse_failed, v, NULL, 0);
}

static SqlStatement sql_reparse_reason = {
	.text =
	"UPDATE @.llava_pending SET failure = $5 WHERE image = $1 AND task = $2 AND call = $3"
	"  AND failure = $4",
	.types = "ltltt"
};

/* What follows from a verdict that changed. */
static void
apply_change(Reparse *reparse, const Stored *stored, List *tasks)
{
	if (stored->after == NULL && stored->before != NULL)
		reparse->accepted += make_sample(stored);
	else if (stored->after != NULL && stored->before == NULL)
		withdraw(reparse, stored, tasks);
	else if (stored->after != NULL && !same_word(stored->before, stored->after))
	{
		Datum		v[5];

		v[0] = stored->column[READ_IMAGE];
		v[1] = stored->column[READ_TASK];
		v[2] = stored->column[READ_ID];
		v[3] = CStringGetTextDatum(stored->before);
		v[4] = CStringGetTextDatum(stored->after);
		sql_run(&sql_reparse_reason, v, NULL, 0);
	}
}

static void
judge_again(Reparse *reparse, Stored *stored, List *tasks)
{
	bool		changed;

	if (!judge(stored))
		return;
	changed = !same_verdict(stored);
	if (changed)
	{
		if (!write_verdict(stored))
			return;
		count_change(reparse, stored);
		apply_change(reparse, stored, tasks);
	}
	if (stored->after == NULL && !stored->isnull[READ_SAMPLE])
		rewrite_sample(reparse, stored, changed);
}

static void
reparse_reply(Reparse *reparse, HeapTuple tuple, TupleDesc desc, List *tasks)
{
	Stored	   *stored = palloc(sizeof(Stored));

	read_stored(tuple, desc, tasks, stored);
	reparse->image = DatumGetInt64(stored->column[READ_IMAGE]);
	reparse->id = DatumGetInt64(stored->column[READ_ID]);
	PG_TRY();
	{
		judge_again(reparse, stored, tasks);
	}
	PG_CATCH();
	{
		free_parsed(stored);
		PG_RE_THROW();
	}
	PG_END_TRY();
	free_parsed(stored);
}

/* In the order in which settles, and llava_forget, take them. */
static void
lock_tables(void)
{
	LockRelationOid(extension_relation("llava_image"), RowShareLock);
	LockRelationOid(extension_relation("llava_pending"), RowExclusiveLock);
	LockRelationOid(extension_relation("llava_conversation"), RowExclusiveLock);
	LockRelationOid(extension_relation("llava_reply"), RowExclusiveLock);
}

static SqlStatement sql_reparse_read = {
	.text =
	"SELECT r.image, r.id, r.task, r.task_version, r.body, r.reason, r.reason_offset, r.flags,"
	"  r.measures, (SELECT c.conversation FROM @.llava_conversation c WHERE c.image = r.image"
	"    AND c.task = r.task AND c.reply = r.id AND c.keep IS NULL) "
	"FROM @.llava_reply r "
	"WHERE (r.image, r.id) > ($1, $2) AND NOT r.late AND r.body <> ''"
	"  AND ($3 IS NULL OR r.task = $3) ORDER BY r.image, r.id LIMIT $4",
	.types = "lltl"
};

/* Replies that were read; 0: there are no more. */
static uint64
reparse_batch(Reparse *reparse)
{
	List	   *tasks = task_list();
	MemoryContext each = AllocSetContextCreate(CurrentMemoryContext, "llava_reparse reply",
											   ALLOCSET_DEFAULT_SIZES);
	Datum		values[4];
	char		nulls[5] = "    ";
	uint64		n;
	SPITupleTable *table;

	lock_tables();
	values[0] = Int64GetDatum(reparse->image);
	values[1] = Int64GetDatum(reparse->id);
	values[2] = reparse->task == NULL ? (Datum) 0 : CStringGetTextDatum(reparse->task);
	nulls[2] = reparse->task == NULL ? 'n' : ' ';
	values[3] = Int64GetDatum(reparse->batch);
	n = sql_run(&sql_reparse_read, values, nulls, 0);
	table = SPI_tuptable;
	for (uint64 i = 0; i < n; i++)
	{
		MemoryContext caller = MemoryContextSwitchTo(each);

		CHECK_FOR_INTERRUPTS();
		reparse_reply(reparse, table->vals[i], table->tupdesc, tasks);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(each);
	}
	reparse->replies += n;
	return n;
}

static void
reparse_all(Reparse *reparse)
{
	Tx			tx = {.in_procedure = true};
	uint64		n;

	do
	{
		if (!tx_begin(&tx, "llava_zh: parsing replies again"))
			extension_schema_required();
		/* nobody else waits for this session's next batch */
		tx_set_locally("lock_timeout", "0");
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
report(const Reparse *reparse)
{
	StringInfoData json;
	ListCell   *cell;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"replies\": " INT64_FORMAT ", \"accepted\": " INT64_FORMAT
					 ", \"withdrawn\": " INT64_FORMAT ", \"rewritten\": " INT64_FORMAT
					 ", \"changes\": [", reparse->replies, reparse->accepted,
					 reparse->withdrawn, reparse->rewritten);
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
		reparse->task = task_find(text_to_cstring(PG_GETARG_TEXT_PP(0)))->name;
	reparse->image = PG_ARGISNULL(1) ? PG_INT64_MIN : PG_GETARG_INT64(1);
	reparse->id = PG_INT64_MIN;
	reparse->batch = PG_ARGISNULL(2) ? DEFAULT_BATCH : PG_GETARG_INT32(2);
	if (reparse->batch < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("batch %d is less than 1", reparse->batch),
				 errhint("batch is how many replies are committed at once, %d if not given.",
						 DEFAULT_BATCH)));
	MemoryContextSwitchTo(caller);
	return reparse;
}

/* PROCEDURE llava_reparse(task, first_image, batch, INOUT report jsonb) */
Datum
llava_reparse(PG_FUNCTION_ARGS)
{
	Reparse    *reparse;
	TupleDesc	desc;
	Datum		values[1];
	bool		nulls[1] = {false};

	rows_check_call(fcinfo, "llava_reparse");
	extension_schema_required();
	reparse = reparse_new(fcinfo);
	rows_spi_connect_committing();
	tx_enter_procedure("llava_reparse");
	reparse_all(reparse);
	SPI_finish();

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = report(reparse);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
