/*
 * stored_reply.c
 *	  One reply of the ledger: its recorded verdict, and that of the current parser.
 */
#include "postgres.h"

#include "ledger.h"
#include "reparse.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

bool
stored_same_word(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
same_jsonb(Datum a, Datum b)
{
	return compareJsonbContainers(&DatumGetJsonbP(a)->root, &DatumGetJsonbP(b)->root) == 0;
}

void
stored_read(HeapTuple tuple, TupleDesc desc, List *tasks, Stored *stored)
{
	memset(stored, 0, sizeof(*stored));
	for (int i = 1; i <= desc->natts; i++)
		stored->column[i] = SPI_getbinval(tuple, desc, i, &stored->isnull[i]);
	stored->task = task_named(tasks, TextDatumGetCString(stored->column[READ_TASK]));
	if (!stored->isnull[READ_REASON])
		stored->before = TextDatumGetCString(stored->column[READ_REASON]);
}

bool
stored_judge(Stored *stored)
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

void
stored_free(Stored *stored)
{
	reply_result_free(&stored->result);
	vlm_envelope_free(&stored->envelope);
}

bool
stored_same_verdict(const Stored *stored)
{
	bool		rejected = stored->result.reason != REPLY_ACCEPTED;
	struct varlena *flags_before = PG_DETOAST_DATUM(stored->column[READ_FLAGS]);
	struct varlena *flags = (struct varlena *) DatumGetPointer(stored->flags);

	return stored_same_word(stored->before, stored->after) &&
		stored->isnull[READ_OFFSET] == !rejected &&
		(!rejected || DatumGetInt64(stored->column[READ_OFFSET]) == (int64) stored->result.offset) &&
		VARSIZE(flags) == VARSIZE(flags_before) &&
		memcmp(flags, flags_before, VARSIZE(flags)) == 0 &&
		!stored->isnull[READ_MEASURES] &&
		same_jsonb(stored->column[READ_MEASURES], stored->measures);
}

/* What the verdict becomes, after its reason. */
#define VERDICT_COLUMNS(ARGUMENT) \
	ARGUMENT(5, VERDICT_OFFSET, "reason_offset", "l") \
	ARGUMENT(6, VERDICT_FLAGS, "flags", "T") \
	ARGUMENT(7, VERDICT_MEASURES, "measures", "j") \
	ARGUMENT(8, VERDICT_PARSER_VERSION, "parser_version", "i")

enum
{
	VERDICT_IMAGE,
	VERDICT_ID,
	VERDICT_BEFORE,				/* the reason that the reply was read with */
	VERDICT_REASON,
	VERDICT_COLUMNS(SQL_INDEX)
	VERDICT_SIZE
};

static SqlStatement sql_reparse_verdict = {
	.text =
	"UPDATE @.llava_reply SET reason = $4" VERDICT_COLUMNS(SQL_SET)
	" WHERE image = $1 AND id = $2 AND reason IS NOT DISTINCT FROM $3",
	.types = "lltt" VERDICT_COLUMNS(SQL_TYPE)
};

bool
stored_write_verdict(const Stored *stored)
{
	Datum		values[VERDICT_SIZE];
	char		nulls[VERDICT_SIZE];
	bool		rejected = stored->result.reason != REPLY_ACCEPTED;

	memset(nulls, ' ', sizeof(nulls));
	values[VERDICT_IMAGE] = stored->column[READ_IMAGE];
	values[VERDICT_ID] = stored->column[READ_ID];
	values[VERDICT_BEFORE] = stored->column[READ_REASON];
	nulls[VERDICT_BEFORE] = stored->before == NULL ? 'n' : ' ';
	values[VERDICT_REASON] = stored->after == NULL ? (Datum) 0 : CStringGetTextDatum(stored->after);
	nulls[VERDICT_REASON] = stored->after == NULL ? 'n' : ' ';
	values[VERDICT_OFFSET] = Int64GetDatum((int64) stored->result.offset);
	nulls[VERDICT_OFFSET] = rejected ? ' ' : 'n';
	values[VERDICT_FLAGS] = stored->flags;
	values[VERDICT_MEASURES] = stored->measures;
	values[VERDICT_PARSER_VERSION] = Int32GetDatum(REPLY_PARSER_VERSION);
	return sql_run(&sql_reparse_verdict, values, nulls, 0) > 0;
}
