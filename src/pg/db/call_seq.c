/*
 * call_seq.c
 *	  The sequence that call ids are drawn from, llava_call_seq: what is done beside
 *	  drawing.
 *
 * The sequence is read from its page, as nextval does it: a worker only needs USAGE on it,
 * and a reader of llava_progress no privilege.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_sequence.h"
#include "commands/sequence.h"
#include "common/int.h"
#include "db.h"
#include "storage/bufmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"
#include "utils/syscache.h"

static void
read_definition(Oid sequence, FormData_pg_sequence *definition)
{
	HeapTuple	tuple = SearchSysCache1(SEQRELID, ObjectIdGetDatum(sequence));

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for sequence %u", sequence);
	*definition = *(Form_pg_sequence) GETSTRUCT(tuple);
	ReleaseSysCache(tuple);
}

void
call_seq_read(CallSeq *seq)
{
	Oid			oid = extension_relation("llava_call_seq");
	Relation	relation = relation_open(oid, AccessShareLock);
	Buffer		buffer = ReadBuffer(relation, 0);
	FormData_pg_sequence definition;
	Form_pg_sequence_data data;
	HeapTupleData tuple;
	Page		page;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	tuple.t_data = (HeapTupleHeader) PageGetItem(page, PageGetItemId(page, FirstOffsetNumber));
	data = (Form_pg_sequence_data) GETSTRUCT(&tuple);
	seq->last = data->last_value;
	seq->is_called = data->is_called;
	UnlockReleaseBuffer(buffer);
	relation_close(relation, NoLock);

	read_definition(oid, &definition);
	seq->is_new = !seq->is_called && seq->last == definition.seqstart;
}

int64
call_seq_last_drawn(void)
{
	CallSeq		seq;

	call_seq_read(&seq);
	return seq.is_called ? seq.last : seq.last - 1;
}

void
call_seq_skip(int64 calls, int64 *first, int64 *last)
{
	Oid			sequence = extension_relation("llava_call_seq");
	FormData_pg_sequence definition;
	RowsCaller	caller;
	CallSeq		seq;
	int64		gap;

	call_seq_read(&seq);
	read_definition(sequence, &definition);
	if (pg_mul_s64_overflow(calls, definition.seqincrement, &gap) ||
		pg_add_s64_overflow(seq.last, gap, last) ||
		*last > definition.seqmax || *last < definition.seqmin)
		ereport(ERROR,
				(errcode(ERRCODE_SEQUENCE_GENERATOR_LIMIT_EXCEEDED),
				 errmsg("cannot leave out " INT64_FORMAT " call ids after " INT64_FORMAT,
						calls, seq.last),
				 errdetail("The sequence llava_call_seq ends at " INT64_FORMAT ".",
						   definition.seqincrement > 0 ? definition.seqmax : definition.seqmin),
				 errhint("ALTER SEQUENCE llava_call_seq NO MAXVALUE;")));
	*first = seq.is_called ? seq.last + definition.seqincrement : seq.last;

	/* setval checks the caller's privilege, and runs no code of another role */
	rows_begin_as_owner(sequence, &caller);
	(void) DirectFunctionCall2(setval_oid, ObjectIdGetDatum(sequence), Int64GetDatum(*last));
	rows_end_as_owner(&caller);
}
