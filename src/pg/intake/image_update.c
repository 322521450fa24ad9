/*
 * image_update.c
 *	  What an UPDATE of a picture or sample may change, and what follows from it.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "db/db.h"
#include "intake.h"
#include "process/process.h"
#include "task/task.h"
#include "utils/datum.h"

PG_FUNCTION_INFO_V1(llava_image_frozen);
PG_FUNCTION_INFO_V1(llava_image_timed);
PG_FUNCTION_INFO_V1(llava_image_released);
PG_FUNCTION_INFO_V1(llava_image_lengths);
PG_FUNCTION_INFO_V1(llava_conversation_lengths);

/* Whether the UPDATE leaves this column as it is. */
static bool
is_unchanged(TriggerData *trigger, const char *name)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	int			number = SPI_fnumber(desc, name);
	Form_pg_attribute attribute = TupleDescAttr(desc, number - 1);
	bool		old_null,
				new_null;
	Datum		before = heap_getattr(trigger->tg_trigtuple, number, desc, &old_null);
	Datum		after = heap_getattr(trigger->tg_newtuple, number, desc, &new_null);

	if (old_null || new_null)
		return old_null == new_null;
	return datumIsEqual(before, after, attribute->attbyval, attribute->attlen);
}

/* BEFORE UPDATE OF id, image, sha256 on llava_image, FOR EACH ROW. */
Datum
llava_image_frozen(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = rows_trigger(fcinfo, "llava_image");
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	const char *changed;
	bool		erased;

	/* what was fetched comes once, into a row that has no picture */
	if (intake_arriving != 0 && intake_arriving == DatumGetInt64(heap_getattr(trigger->tg_newtuple, SPI_fnumber(desc, "id"), desc, &erased)))
		return PointerGetDatum(trigger->tg_newtuple);
	(void) heap_getattr(trigger->tg_newtuple, SPI_fnumber(desc, "image"), desc, &erased);
	changed = !is_unchanged(trigger, "id") ? "id" :
		!is_unchanged(trigger, "sha256") ? "sha256" :
		!erased && !is_unchanged(trigger, "image") ? "image" : NULL;
	if (changed != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("column \"%s\" of \"llava_image\" is never changed", changed),
				 errdetail("Replies and samples refer to the picture as it was."),
				 errhint("INSERT the other picture as a new row. image = NULL erases the bytes.")));
	return PointerGetDatum(trigger->tg_newtuple);
}

/*
 * BEFORE UPDATE OF file_time on llava_image, FOR EACH ROW: only llava_load sets it, which
 * knows a file by it; anybody may take it away.
 */
Datum
llava_image_timed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = rows_trigger(fcinfo, "llava_image");
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	bool		isnull;
	Datum		time = heap_getattr(trigger->tg_newtuple, SPI_fnumber(desc, "file_time"), desc, &isnull);

	if (!isnull && !is_unchanged(trigger, "file_time") &&
		(intake_file.path == NULL || DatumGetTimestampTz(time) != intake_file.time))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("column \"file_time\" of \"llava_image\" is set by llava_load only"),
				 errhint("file_time = NULL lets the next llava_load compare the bytes.")));
	return PointerGetDatum(trigger->tg_newtuple);
}

static SqlStatement sql_unpark = {
	.text =
	"UPDATE @.llava_pending SET failure = NULL, detail = NULL, attempts = 0, interruptions = 0,"
	"  released = false, visible_at = pg_catalog.now() "
	"WHERE image = $1 AND failure = 'long_image'",
	.types = "l"
};

/*
 * BEFORE UPDATE OF long_images on llava_image, SECURITY DEFINER: rows that were parked are
 * queued again.
 */
Datum
llava_image_released(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = rows_trigger(fcinfo, "llava_image");
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	Datum		image;
	bool		isnull;
	uint64		rows;

	image = heap_getattr(trigger->tg_newtuple, SPI_fnumber(desc, "id"), desc, &isnull);
	rows_spi_connect();
	rows = rows_run_as_owner(extension_relation("llava_pending"), &sql_unpark, &image, NULL);
	SPI_finish();
	if (rows > 0)
		wake_at_commit(GetCurrentTransactionStartTimestamp());
	return PointerGetDatum(trigger->tg_newtuple);
}

/* BEFORE UPDATE OF path, source_url, page_url, licence, task, meta on llava_image. */
Datum
llava_image_lengths(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = rows_trigger(fcinfo, "llava_image");

	lengths_check_update("llava_image", trigger);
	return PointerGetDatum(trigger->tg_newtuple);
}

/* BEFORE UPDATE OF note on llava_conversation: a person writes it, the worker never does. */
Datum
llava_conversation_lengths(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = rows_trigger(fcinfo, "llava_conversation");

	lengths_check_update("llava_conversation", trigger);
	return PointerGetDatum(trigger->tg_newtuple);
}
