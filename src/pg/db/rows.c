/*
 * rows.c
 *	  On whose table a trigger was fired, with whose rights rows are written, and values
 *	  for them.
 */
#include "postgres.h"

#include "access/xact.h"
#include "db.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

static TriggerData *
own_trigger(FunctionCallInfo fcinfo, const char *table, bool before, bool row)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		(bool) TRIGGER_FIRED_BEFORE(trigger->tg_event) != before ||
		(bool) TRIGGER_FIRED_FOR_ROW(trigger->tg_event) != row ||
		RelationGetRelid(trigger->tg_relation) != extension_relation(table))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("this function can only be called by the trigger on the extension's table \"%s\"",
						table)));
	return trigger;
}

TriggerData *
rows_trigger(FunctionCallInfo fcinfo, const char *table)
{
	return own_trigger(fcinfo, table, true, true);
}

TriggerData *
rows_trigger_after(FunctionCallInfo fcinfo, const char *table)
{
	return own_trigger(fcinfo, table, false, true);
}

void
rows_statement_trigger(FunctionCallInfo fcinfo, const char *table)
{
	(void) own_trigger(fcinfo, table, false, false);
}

void
rows_lock_to_write(const char *table)
{
	LockRelationOid(extension_relation(table), RowExclusiveLock);
}

void
rows_begin_as_owner(Oid table, RowsCaller *caller)
{
	caller->level = NewGUCNestLevel();
	trust_begin();
	GetUserIdAndSecContext(&caller->user, &caller->context);
	SetUserIdAndSecContext(relation_owner(table, false),
						   caller->context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
}

/* An ERROR restores all three: see AbortTransaction and AbortSubTransaction. */
void
rows_end_as_owner(const RowsCaller *caller)
{
	SetUserIdAndSecContext(caller->user, caller->context);
	trust_end();
	/* what the owner's triggers SET ends here */
	AtEOXact_GUC(false, caller->level);
}

uint64
rows_run_as_owner(Oid table, SqlStatement *statement, Datum *values, const char *nulls)
{
	RowsCaller	caller;
	List	   *constraints = NIL;
	uint64		processed;

	rows_begin_as_owner(table, &caller);
	if (constraints_may_wait(table))
		constraints = constraints_immediate(&table, 1);
	processed = sql_run(statement, values, nulls, 0);
	constraints_put_back(constraints);
	rows_end_as_owner(&caller);
	return processed;
}

void
rows_spi_connect(void)
{
	(void) SPI_connect();
}

void
rows_check_call(FunctionCallInfo fcinfo, const char *procedure)
{
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("%s commits as it goes and cannot run inside a transaction block",
						procedure),
				 errhint("CALL it outside BEGIN ... COMMIT, and not from a function.")));
}

void
rows_spi_connect_committing(void)
{
	(void) SPI_connect_ext(SPI_OPT_NONATOMIC);
}

Datum
rows_interval(int64 ms)
{
	Interval   *interval = palloc0(sizeof(Interval));

	interval->time = ms * 1000;
	return IntervalPGetDatum(interval);
}

struct varlena *
rows_bytea(const void *bytes, size_t size)
{
	return cstring_to_text_with_len(bytes, size);
}

Datum
rows_result(FunctionCallInfo fcinfo, const Datum *values, const bool *nulls)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), unconstify(Datum *, values),
											 unconstify(bool *, nulls)));
}

/* A control character that changes the order in which a terminal or a page shows text. */
static bool
turns_order(const unsigned char *character)
{
	pg_wchar	c = utf8_to_unicode(character);

	return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

char *
rows_clean_text(const char *words)
{
	int			size = strlen(words);
	char	   *clean = palloc(size + 1);
	int			n = 0;

	for (int i = 0; i < size;)
	{
		const unsigned char *at = (const unsigned char *) words + i;
		int			length = pg_utf_mblen(at);
		bool		is_legal = i + length <= size && pg_utf8_islegal(at, length);

		if (is_legal && !turns_order(at))
		{
			memcpy(clean + n, at, length);
			n += length;
		}
		else
			clean[n++] = '?';
		i += is_legal ? length : 1;
	}
	clean[n] = '\0';
	return clean;
}

Snapshot
rows_newest_snapshot(void)
{
	return IsInParallelMode() ? GetActiveSnapshot() : GetLatestSnapshot();
}
