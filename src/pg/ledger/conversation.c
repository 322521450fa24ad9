/*
 * conversation.c
 *	  What the parser found, in PostgreSQL's types: turns as jsonb, flags as text[].
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "ledger.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

static void
set_string(JsonbValue *value, const char *text, size_t length)
{
	value->type = jbvString;
	value->val.string.len = (int) length;
	value->val.string.val = unconstify(char *, text);
}

/* Keys in jsonb's order, as pushJsonbValue would sort them. */
static void
set_turn(JsonbValue *value, bool human, const char *text, size_t length)
{
	JsonbPair  *pairs = palloc0(sizeof(JsonbPair) * 2);

	set_string(&pairs[0].key, "from", strlen("from"));
	set_string(&pairs[0].value, human ? "human" : "gpt", strlen(human ? "human" : "gpt"));
	set_string(&pairs[1].key, "value", strlen("value"));
	set_string(&pairs[1].value, text, length);
	value->type = jbvObject;
	value->val.object.nPairs = 2;
	value->val.object.pairs = pairs;
}

Datum
conversation_turns(const ReplyResult *result, const char *question, int *rounds)
{
	JsonbValue *turns = palloc0(sizeof(JsonbValue) * (result->n_turns + 1));
	JsonbValue	array = {.type = jbvArray};
	int			n = 0;

	*rounds = 0;
	if (question != NULL)
		set_turn(&turns[n++], true, question, strlen(question));
	for (int i = 0; i < result->n_turns; i++)
	{
		const ReplyTurn *turn = &result->turns[i];

		set_turn(&turns[n++], turn->human, turn->text, turn->length);
		*rounds += !turn->human;
	}
	array.val.array.nElems = n;
	array.val.array.elems = turns;
	return JsonbPGetDatum(JsonbValueToJsonb(&array));
}

Datum
conversation_object(const ReplyResult *result)
{
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(result->object));
}

Datum
conversation_flags(uint32 flags)
{
	Datum		names[REPLY_FLAGS];
	int			n = 0;

	for (int bit = 0; bit < REPLY_FLAGS; bit++)
		if (flags & (1u << bit))
			names[n++] = CStringGetTextDatum(reply_flag_name(bit));
	return PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* The share of an empty text is NaN, which JSON cannot express. */
static void
append_share(StringInfo json, const char *name, double share)
{
	if (isfinite(share))
		appendStringInfo(json, ", \"%s\": %.4f", name, share);
	else
		appendStringInfo(json, ", \"%s\": null", name);
}

Datum
conversation_measures(const ReplyMeasures *measures)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"chars\": %d, \"letters\": %d, \"all_letters\": %d, \"han\": %d",
					 measures->chars, measures->letters, measures->all_letters, measures->han);
	append_share(&json, "language_share", measures->language_share);
	append_share(&json, "loop_share", measures->loop_share);
	if (measures->tail_bigrams >= 0)
		appendStringInfo(&json, ", \"tail_bigrams\": %d", measures->tail_bigrams);
	appendStringInfo(&json, ", \"quoted_han\": %d, \"foreign\": %d, \"traditional\": %d, \"simplified\": %d",
					 measures->quoted_han, measures->foreign, measures->traditional, measures->simplified);
	appendStringInfo(&json, ", \"rounds\": %d, \"shortest_question\": %d, \"longest_question\": %d,"
					 " \"shortest_answer\": %d}", measures->rounds, measures->shortest_question,
					 measures->longest_question, measures->shortest_answer);
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}
