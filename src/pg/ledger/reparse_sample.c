/*
 * reparse_sample.c
 *	  What follows from a verdict that llava_reparse changed: samples are made, rewritten
 *	  and withdrawn.
 */
#include "postgres.h"

#include "ledger.h"
#include "reparse.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

/*
 * The human turn of the existing sample, so that questions added to the pool change no
 * sample.
 */
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
	.types = "lt"
};

#define SAMPLE_COLUMNS(ARGUMENT) \
	ARGUMENT(2, SAMPLE_TASK, "task", "t") \
	ARGUMENT(3, SAMPLE_CONVERSATION, "conversation", "j") \
	ARGUMENT(4, SAMPLE_ROUNDS, "rounds", "i") \
	ARGUMENT(5, SAMPLE_FLAGS, "flags", "T") \
	ARGUMENT(6, SAMPLE_REPLY, "reply", "l") \
	ARGUMENT(7, SAMPLE_TASK_VERSION, "task_version", "i")

enum
{
	SAMPLE_IMAGE,
	SAMPLE_COLUMNS(SQL_INDEX)
	SAMPLE_SIZE
};

static SqlStatement sql_reparse_sample = {
	.text =
	"INSERT INTO @.llava_conversation (image" SAMPLE_COLUMNS(SQL_COLUMN) ")"
	" SELECT $1" SAMPLE_COLUMNS(SQL_VALUE)
	" FROM @.llava_image WHERE id = $1 ON CONFLICT DO NOTHING",
	.types = "l" SAMPLE_COLUMNS(SQL_TYPE)
};

/* The arguments of sql_reparse_sample and of sql_reparse_rewrite. */
static void
sample_arguments(const Stored *stored, Datum *values)
{
	int			rounds;

	values[SAMPLE_IMAGE] = stored->column[READ_IMAGE];
	values[SAMPLE_TASK] = stored->column[READ_TASK];
	values[SAMPLE_CONVERSATION] = conversation_turns(&stored->result, human_turn(stored), &rounds);
	values[SAMPLE_ROUNDS] = Int32GetDatum(rounds);
	values[SAMPLE_FLAGS] = stored->flags;
	values[SAMPLE_REPLY] = stored->column[READ_ID];
	values[SAMPLE_TASK_VERSION] = stored->column[READ_TASK_VERSION];
}

/* True if the sample was made; false if there was one already. */
static bool
make_sample(const Stored *stored)
{
	Datum		values[SAMPLE_SIZE];

	if (stored->task->kind == REPLY_OBJECT)
		return annotation_make(stored);
	sample_arguments(stored, values);
	/* a call in flight then finds no queue row, and its reply is kept as late */
	sql_run(&sql_reparse_done, values, NULL, 0);
	return sql_run(&sql_reparse_sample, values, NULL, 0) > 0;
}

/* Whether the stored conversation has the reply's turns after its question. */
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
	"  flags = $5, edited_at = NULL WHERE image = $1 AND task = $2 AND reply = $6 AND keep IS NULL"
	"  AND ($8 OR edited_at IS NULL)"
	"  AND (conversation <> $3 OR flags <> $5)",
	.types = "l" SAMPLE_COLUMNS(SQL_TYPE) "B"
};

/* The stored reply's result is there now; rewritten: in other words than before. */
static void
tell_followers(Reparse *reparse, const Stored *stored, bool rewritten)
{
	FollowedResult result = {
		.image = DatumGetInt64(stored->column[READ_IMAGE]),.task = stored->task->name,
		.reply = DatumGetInt64(stored->column[READ_ID])
	};

	if (rewritten)
		followers_of_change(reparse->followers, &result);
	else
		followers_of_results(reparse->followers, &result, 1);
}

void
reparse_rewrite(Reparse *reparse, const Stored *stored, bool flags_too)
{
	Datum		values[SAMPLE_SIZE + 1];
	bool		changed;

	if (stored->task->kind == REPLY_OBJECT)
		changed = annotation_rewrite(stored);
	else
	{
		if (!flags_too && same_turns(stored))
			return;
		sample_arguments(stored, values);
		values[SAMPLE_SIZE] = BoolGetDatum(reparse->edited_too);
		changed = conversation_store(&sql_reparse_rewrite, values) > 0;
	}
	reparse->rewritten += changed;
	if (changed)
		tell_followers(reparse, stored, true);
}

static bool
make_if_accepted(Reparse *reparse, Stored *stored)
{
	volatile bool made = false;

	PG_TRY();
	{
		if (stored_judge(stored) && stored->after == NULL)
			made = make_sample(stored);
		if (made)
			tell_followers(reparse, stored, false);
	}
	PG_CATCH();
	{
		stored_free(stored);
		PG_RE_THROW();
	}
	PG_END_TRY();
	stored_free(stored);
	return made;
}

static SqlStatement sql_reparse_other = {
	.text =
	"SELECT r.image" READ_COLUMNS(SQL_RESULT)
	" FROM @.llava_reply r WHERE r.image = $1 AND r.task = $2 AND r.id <> $3"
	"  AND NOT r.late AND r.body <> '' AND r.reason IS NULL ORDER BY r.id DESC",
	.types = "ltl"
};

/*
 * Makes a sample of another accepted reply about the same image and task, after one was
 * withdrawn.
 */
static bool
make_from_other(Reparse *reparse, const Stored *withdrawn, List *tasks)
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

		stored_read(table->vals[i], table->tupdesc, tasks, &other);
		other.isnull[READ_SAMPLE] = true;
		made = make_if_accepted(reparse, &other);
	}
	return made;
}

static SqlStatement sql_reparse_withdraw = {
	.text =
	"DELETE FROM @.llava_conversation WHERE image = $1 AND task = $2 AND reply = $3"
	"  AND keep IS NULL AND $4 IS NOT NULL AND ($5 OR edited_at IS NULL)",
	.types = "ltltB"
};

/* A row that is queued already stays as it is. */
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
	Datum		v[5] = {
		stored->column[READ_IMAGE], stored->column[READ_TASK], stored->column[READ_ID],
		CStringGetTextDatum(stored->after), BoolGetDatum(reparse->edited_too)
	};

	if (!(stored->task->kind == REPLY_OBJECT ? annotation_withdraw(stored) :
		  sql_run(&sql_reparse_withdraw, v, NULL, 0) > 0))
		return;
	reparse->withdrawn++;
	followers_of_withdrawn(reparse->followers, DatumGetInt64(stored->column[READ_IMAGE]), stored->task->name);
	if (make_from_other(reparse, stored, tasks))
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

void
reparse_apply(Reparse *reparse, const Stored *stored, List *tasks)
{
	if (stored->after == NULL && stored->before != NULL)
	{
		task_resume(stored->task->name, DatumGetInt32(stored->column[READ_TASK_VERSION]));
		if (!make_sample(stored))
			return;
		reparse->accepted++;
		tell_followers(reparse, stored, false);
	}
	else if (stored->after != NULL && stored->before == NULL)
		withdraw(reparse, stored, tasks);
	else if (stored->after != NULL && !stored_same_word(stored->before, stored->after))
	{
		Datum		v[5] = {
			stored->column[READ_IMAGE], stored->column[READ_TASK], stored->column[READ_ID],
			CStringGetTextDatum(stored->before), CStringGetTextDatum(stored->after)
		};

		sql_run(&sql_reparse_reason, v, NULL, 0);
	}
}
