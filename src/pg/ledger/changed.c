/*
 * changed.c
 *	  A result that is there already becomes another one, whoever writes it: the settle of a
 *	  further reply, llava_reparse, or a person.  What was said about it leaves, and what
 *	  follows it is queued anew.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "db/db.h"
#include "ledger.h"
#include "process/process.h"
#include "utils/builtins.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(llava_conversation_changed);
PG_FUNCTION_INFO_V1(llava_annotation_changed);

static Datum
changed_column(const TriggerData *trigger, const char *name)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	bool		isnull;

	return heap_getattr(trigger->tg_newtuple, SPI_fnumber(desc, name), desc, &isnull);
}

static Datum
result_changed(const TriggerData *trigger)
{
	RowsCaller	caller;
	List	   *followers;
	bool		queued = false;

	rows_spi_connect();
	rows_begin_as_owner(extension_relation("llava_pending"), &caller);
	followers = followers_read();
	if (followers != NIL)
	{
		FollowedResult result = {
			DatumGetInt64(changed_column(trigger, "image")), TextDatumGetCString(changed_column(trigger, "task")),
			DatumGetInt64(changed_column(trigger, "reply"))
		};

		queued = followers_of_change(followers, &result);
	}
	rows_end_as_owner(&caller);
	SPI_finish();
	if (queued)
		wake_at_commit(GetCurrentTransactionStartTimestamp());
	return PointerGetDatum(NULL);
}

/* AFTER UPDATE OF conversation, reply on llava_conversation, FOR EACH ROW, SECURITY DEFINER. */
Datum
llava_conversation_changed(PG_FUNCTION_ARGS)
{
	return result_changed(rows_trigger_after(fcinfo, "llava_conversation"));
}

/* AFTER UPDATE OF object, reply on llava_annotation, FOR EACH ROW, SECURITY DEFINER. */
Datum
llava_annotation_changed(PG_FUNCTION_ARGS)
{
	return result_changed(rows_trigger_after(fcinfo, "llava_annotation"));
}
