/*
 * conversation.c
 *	  What the parser found, in PostgreSQL's types: turns as jsonb, flags as text[].
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "ledger.h"
#include "reply/reply.h"
#include "task/task.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "vlm/vlm.h"

PG_FUNCTION_INFO_V1(llava_parse_reply);

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
conversation_flags(uint32 flags)
{
	Datum		names[REPLY_FLAGS];
	int			n = 0;

	for (int bit = 0; bit < REPLY_FLAGS; bit++)
		if (flags & (1u << bit))
			names[n++] = CStringGetTextDatum(reply_flag_name(bit));
	return PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* A share of nothing is not a number, which JSON has no word for. */
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

ReplyFinish
conversation_finish(const char *finish_reason)
{
	switch (vlm_finish(finish_reason))
	{
		case VLM_FINISH_STOP:
			return REPLY_FINISH_STOP;
		case VLM_FINISH_LENGTH:
			return REPLY_FINISH_LENGTH;
		default:
			return REPLY_FINISH_OTHER;
	}
}

const char *
conversation_reason(const VlmEnvelope *envelope, const ReplyResult *result)
{
	const char *reason = vlm_envelope_reason(envelope);

	if (reason != NULL)
		return reason;
	return result->reason == REPLY_ACCEPTED ? NULL : reply_reason_name(result->reason);
}

/* The first question of the pool: which image it is about is not known. */
static const char *
first_question(const LlavaTask *task)
{
	int			n;

	if (task->kind != REPLY_DESCRIPTION)
		return NULL;
	return task->n_questions > 0 ? task->questions[0] :
		shipped_questions(task->language, &n)[0];
}

/* The columns of llava_parse_reply. */
static Datum
verdict_row(FunctionCallInfo fcinfo, const LlavaTask *task, const ReplyResult *result)
{
	TupleDesc	desc;
	Datum		values[3] = {0};
	bool		nulls[3] = {false, false, false};
	int			rounds;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	nulls[0] = result->reason != REPLY_ACCEPTED;
	nulls[1] = !nulls[0];
	if (nulls[1])
		values[0] = conversation_turns(result, first_question(task), &rounds);
	else
		values[1] = CStringGetTextDatum(reply_reason_name(result->reason));
	values[2] = conversation_flags(result->flags);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/*
 * llava_parse_reply(task text, reply text, finish_reason text): the conversation
 * or the reason why not, and the flags.
 */
Datum
llava_parse_reply(PG_FUNCTION_ARGS)
{
	LlavaTask  *task = task_find(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	text	   *reply = PG_GETARG_TEXT_PP(1);
	char	   *finish_reason = text_to_cstring(PG_GETARG_TEXT_PP(2));
	ReplyResult result;
	volatile Datum row;

	reply_parse(&task->rules, VARDATA_ANY(reply), VARSIZE_ANY_EXHDR(reply),
				conversation_finish(finish_reason), &result);
	PG_TRY();
	{
		if (result.reason == REPLY_NO_MEMORY)
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("out of memory"),
					 errdetail("The reply could not be parsed.")));
		row = verdict_row(fcinfo, task, &result);
	}
	PG_FINALLY();
	{
		reply_result_free(&result);
	}
	PG_END_TRY();
	PG_RETURN_DATUM(row);
}
