/*
 * given.c
 *	  Columns that only a table's owner may give in an INSERT.
 *
 * A row of llava_image with received_at, or of llava_task with a version, is a restore and
 * stored as it is, so it can state what intake would determine or refuse.  An id says
 * which replies, samples, recorded lines and exports a picture has.  Both are for roles
 * with the privileges of the table's owner; for the others ids are drawn from the
 * sequence.  These triggers are SECURITY INVOKER: a definer's function does not see who
 * inserts.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_authid.h"
#include "intake.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"

/* The last number that this session drew from a sequence and used in a row. */
typedef struct Numbers
{
	const char *table;
	const char *sequence;
	Oid			relation;		/* of the sequence; InvalidOid: none was drawn */
	Oid			file;			/* another one after RESTART */
	int64		used;
} Numbers;

static Numbers image_numbers =
{
	.table = "llava_image",.sequence = "llava_image_id_seq"
};
static Numbers manifest_numbers =
{
	.table = "llava_manifest",.sequence = "llava_manifest_id_seq"
};

PG_FUNCTION_INFO_V1(llava_image_restored);
PG_FUNCTION_INFO_V1(llava_image_numbered);
PG_FUNCTION_INFO_V1(llava_manifest_numbered);
PG_FUNCTION_INFO_V1(llava_task_given);

static bool
is_owner(Relation table)
{
	return has_privs_of_role(GetUserId(), table->rd_rel->relowner);
}

/* The id of the row, if it has one. */
static bool
row_id(TriggerData *trigger, int64 *id)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	bool		isnull;

	*id = DatumGetInt64(heap_getattr(trigger->tg_trigtuple, SPI_fnumber(desc, "id"), desc, &isnull));
	return !isnull;
}

static int64
current_value(Oid sequence)
{
	Oid			user;
	int			context;
	int64		value;

	/*
	 * a role that may insert needs no privilege on the sequence of an
	 * identity column
	 */
	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, context | SECURITY_LOCAL_USERID_CHANGE);
	value = DatumGetInt64(DirectFunctionCall1(currval_oid, ObjectIdGetDatum(sequence)));
	SetUserIdAndSecContext(user, context);
	return value;
}

static void
look_at_current_value(void *sequence)
{
	(void) current_value(*(Oid *) sequence);
}

/*
 * Whether this session ever drew from the sequence: currval_oid has no other way to say
 * so.
 */
static bool
was_drawn_from(Oid sequence)
{
	ErrorData  *error;

	if (tx_try(CurrentMemoryContext, look_at_current_value, &sequence, &error))
		return true;
	if (error->sqlerrcode != ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE)
		ReThrowError(error);
	FreeErrorData(error);
	return false;
}

/*
 * Whether the id is the one that this session has just drawn for the row, and has not used
 * before: the picture that had it may have been taken down since.
 */
static bool
is_just_drawn(Numbers *numbers, int64 id)
{
	Oid			sequence = extension_relation(numbers->sequence);
	Oid			file = DatumGetObjectId(DirectFunctionCall1(pg_relation_filenode,
															ObjectIdGetDatum(sequence)));
	bool		is_new = numbers->relation != sequence || numbers->file != file;

	if (is_new && !was_drawn_from(sequence))
		return false;
	if (current_value(sequence) != id || (!is_new && numbers->used == id))
		return false;
	numbers->relation = sequence;
	numbers->file = file;
	numbers->used = id;
	return true;
}

static Datum
check_number(FunctionCallInfo fcinfo, Numbers *numbers)
{
	TriggerData *trigger = rows_trigger(fcinfo, numbers->table);
	int64		id;

	/* without an id the table's own constraint raises the error */
	if (!is_owner(trigger->tg_relation) && row_id(trigger, &id) && !is_just_drawn(numbers, id))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only the owner of \"%s\" may give an id: " INT64_FORMAT, numbers->table, id),
				 errdetail("It was not drawn from the sequence for this row, and may be another row's, past or future."),
				 errhint("Leave the column id out: it is filled automatically.")));
	return PointerGetDatum(trigger->tg_trigtuple);
}

/* BEFORE INSERT on llava_image, FOR EACH ROW WHEN received_at IS NULL. */
Datum
llava_image_numbered(PG_FUNCTION_ARGS)
{
	return check_number(fcinfo, &image_numbers);
}

/* BEFORE INSERT on llava_manifest, FOR EACH ROW. */
Datum
llava_manifest_numbered(PG_FUNCTION_ARGS)
{
	return check_number(fcinfo, &manifest_numbers);
}

static TriggerData *
check_restorer(FunctionCallInfo fcinfo, const char *table, const char *column)
{
	TriggerData *trigger = rows_trigger(fcinfo, table);

	if (!is_owner(trigger->tg_relation))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only the owner of \"%s\" may give %s", table, column),
				 errdetail("A row that has it is taken for a restore and stored as it is."),
				 errhint("Leave the column %s out: it is filled automatically.", column)));
	return trigger;
}

/*
 * BEFORE INSERT on llava_image, FOR EACH ROW WHEN received_at IS NOT NULL, and also where
 * a subscription applies it: a picture that was taken down does not come back.
 */
Datum
llava_image_restored(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = check_restorer(fcinfo, "llava_image", "received_at");

	return PointerGetDatum(intake_restored(trigger->tg_trigtuple,
										   RelationGetDescr(trigger->tg_relation)));
}

/* BEFORE INSERT on llava_task, FOR EACH ROW WHEN version IS NOT NULL. */
Datum
llava_task_given(PG_FUNCTION_ARGS)
{
	return PointerGetDatum(check_restorer(fcinfo, "llava_task", "version")->tg_trigtuple);
}
