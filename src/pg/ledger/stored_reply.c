/*
 * stored_reply.c
 *	  One reply of the ledger: its verdict of before, and of the parser of today.
 */
#include "postgres.h"

#include "db/db.h"
#include "ledger.h"
#include "stored_reply.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
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

static SqlStatement sql_reparse_verdict = {
	.text =
	"UPDATE @.llava_reply SET reason = $4, reason_offset = $5, flags = $6,"
	"  measures = $7, parser_version = $8"
	" WHERE image = $1 AND id = $2 AND reason IS NOT DISTINCT FROM $3",
	.types = "llttlTji"
};

bool
stored_write_verdict(const Stored *stored)
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
