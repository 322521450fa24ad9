/*
 * conversation.c
 *	  What the parser found, in PostgreSQL's types: turns as jsonb, flags as text[].
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "task.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"

PG_FUNCTION_INFO_V1(llava_parse_reply);

static void
append_turn(StringInfo json, bool human, const char *text)
{
	appendStringInfo(json, "%s{\"from\": \"%s\", \"value\": ", json->len > 1 ? ", " : "",
					 human ? "human" : "gpt");
	escape_json(json, text);
	appendStringInfoChar(json, '}');
}

char *
conversation_json(const ReplyResult *result, const char *question, int *rounds)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	*rounds = 0;
	if (question != NULL)
		append_turn(&json, true, question);
	for (int i = 0; i < result->n_turns; i++)
	{
		append_turn(&json, result->turns[i].human, result->turns[i].text);
		if (!result->turns[i].human)
			(*rounds)++;
	}
	appendStringInfoChar(&json, ']');
	return json.data;
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

char *
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
	return json.data;
}

ReplyFinish
conversation_finish(const char *finish_reason)
{
	if (finish_reason == NULL || strcmp(finish_reason, "stop") == 0)
		return REPLY_FINISH_STOP;
	if (strcmp(finish_reason, "length") == 0)
		return REPLY_FINISH_LENGTH;
	return REPLY_FINISH_OTHER;
}

const char *
conversation_reason(const VlmEnvelope *envelope, const ReplyResult *result)
{
	if (envelope->refused)
		return "refusal";
	if (envelope->finish_reason != NULL &&
		strcmp(envelope->finish_reason, "content_filter") == 0)
		return "content_filter";
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
		values[0] = DirectFunctionCall1(jsonb_in,
										CStringGetDatum(conversation_json(result,
																		  first_question(task),
																		  &rounds)));
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
