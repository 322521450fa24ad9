/*
 * edited.c
 *	  Samples that a person changes: what a conversation must be, and the mark of it.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "db/db.h"
#include "ledger.h"
#include "utils/jsonb.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* Set while this process stores what a reply says. */
static bool is_storing = false;

PG_FUNCTION_INFO_V1(llava_conversation_edited);

uint64
conversation_store(SqlStatement *statement, Datum *values)
{
	volatile uint64 rows = 0;

	is_storing = true;
	PG_TRY();
	{
		rows = sql_run(statement, values, NULL, 0);
	}
	PG_FINALLY();
	{
		is_storing = false;
	}
	PG_END_TRY();
	return rows;
}

/* The string under this key of a turn; false if there is none. */
static bool
turn_string(JsonbContainer *turn, const char *key, JsonbValue *value)
{
	return getKeyJsonValueFromContainer(turn, key, strlen(key), value) != NULL &&
		value->type == jbvString;
}

bool
conversation_is_whole(Datum conversation, int *rounds)
{
	JsonbContainer *turns = &DatumGetJsonbP(conversation)->root;

	*rounds = 0;
	if (!JsonContainerIsArray(turns) || JsonContainerIsScalar(turns) || JsonContainerSize(turns) == 0)
		return false;
	for (uint32 i = 0; i < JsonContainerSize(turns); i++)
	{
		JsonbValue *turn = getIthJsonbValueFromContainer(turns, i);
		JsonbValue	from,
					value;

		if (turn->type != jbvBinary || !JsonContainerIsObject(turn->val.binary.data) ||
			!turn_string(turn->val.binary.data, "from", &from) ||
			!turn_string(turn->val.binary.data, "value", &value))
			return false;
		*rounds += from.val.string.len == 3 && memcmp(from.val.string.val, "gpt", 3) == 0;
	}
	return true;
}

/* The rule of llava_validate that the turn breaks, static; NULL: none. */
static const char *
turn_fault(JsonbContainer *turn, bool human)
{
	const char *role = human ? "human" : "gpt";
	JsonbValue	from,
				value;
	ReplyToken	token;

	(void) turn_string(turn, "from", &from);
	(void) turn_string(turn, "value", &value);
	if (JsonContainerSize(turn) != 2)
		return "conversation";
	if (from.val.string.len != (int) strlen(role) || memcmp(from.val.string.val, role, strlen(role)) != 0)
		return "roles";
	if (reply_is_blank(value.val.string.val, value.val.string.len))
		return "empty_turn";
	if (reply_find_token(value.val.string.val, value.val.string.len, REPLY_TOKEN_RULES, &token) == NULL)
		return NULL;
	return token.kind == TOKEN_IMAGE ? "image_token" : token.kind == TOKEN_MEDIA ? "media_token" :
		token.kind == TOKEN_THINK ? "think_tag" : "special_token";
}

/* A conversation that no export takes is a person's to write, by steps perhaps. */
static void
warn_of_fault(Datum conversation)
{
	JsonbContainer *turns = &DatumGetJsonbP(conversation)->root;
	const char *fault = JsonContainerSize(turns) % 2 == 0 ? NULL : "odd_turns";

	for (uint32 i = 0; fault == NULL && i < JsonContainerSize(turns); i++)
		fault = turn_fault(getIthJsonbValueFromContainer(turns, i)->val.binary.data, i % 2 == 0);
	if (fault != NULL)
		ereport(WARNING,
				(errmsg("exports leave this conversation out, by the rule %s", fault),
				 errhint("Turns alternate human and gpt, in pairs, with text in each and no tokens of models: "
						 "llava_validate() lists what exports leave out.")));
}

/*
 * What the UPDATE makes of the columns.  A worker's sample of another reply is nobody's
 * edit.
 */
static HeapTuple
edited_row(TriggerData *trigger, Datum conversation, bool same_reply)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	int			columns[2] = {SPI_fnumber(desc, "rounds"), SPI_fnumber(desc, "edited_at")};
	Datum		values[2];
	bool		nulls[2] = {false, false};
	int			rounds;

	if (!conversation_is_whole(conversation, &rounds))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("this is no conversation"),
				 errdetail("It is a non-empty array of objects with the strings \"from\" and \"value\"."),
				 errhint("SET conversation = '[{\"from\": \"human\", \"value\": \"...\"}, {\"from\": \"gpt\", \"value\": \"...\"}]'. To leave a sample out of exports: SET keep = false.")));
	if (same_reply)
		warn_of_fault(conversation);
	values[0] = Int32GetDatum(rounds);
	values[1] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	return heap_modify_tuple_by_cols(trigger->tg_newtuple, desc, same_reply ? 2 : 1, columns, values,
									 nulls);
}

static bool
has_same_reply(TriggerData *trigger)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	int			column = SPI_fnumber(desc, "reply");
	bool		isnull;

	return DatumGetInt64(heap_getattr(trigger->tg_trigtuple, column, desc, &isnull)) ==
		DatumGetInt64(heap_getattr(trigger->tg_newtuple, column, desc, &isnull));
}

/* BEFORE UPDATE OF conversation on llava_conversation, FOR EACH ROW. */
Datum
llava_conversation_edited(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = rows_trigger(fcinfo, "llava_conversation");
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	int			column = SPI_fnumber(desc, "conversation");
	bool		isnull;
	Datum		before,
				after;

	if (is_storing)
		return PointerGetDatum(trigger->tg_newtuple);
	before = heap_getattr(trigger->tg_trigtuple, column, desc, &isnull);
	after = heap_getattr(trigger->tg_newtuple, column, desc, &isnull);
	/* the table's own constraint refuses a NULL */
	if (isnull || compareJsonbContainers(&DatumGetJsonbP(before)->root,
										 &DatumGetJsonbP(after)->root) == 0)
		return PointerGetDatum(trigger->tg_newtuple);
	return PointerGetDatum(edited_row(trigger, after, has_same_reply(trigger)));
}
