/*
 * verdict.c
 *	  Whether a reply is a sample, and why not.
 */
#include "postgres.h"

#include "db/db.h"
#include "ledger.h"
#include "task/task.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(llava_parse_reply);

/* The server's finish_reason (NULL: it gave none) as the parser knows it. */
static ReplyFinish
verdict_finish(const char *finish_reason)
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
verdict_of(const ReplyRules *rules, const VlmEnvelope *envelope, ReplyResult *result)
{
	const char *reason = vlm_envelope_reason(envelope);

	reply_parse(rules, envelope->content, envelope->content_size,
				verdict_finish(envelope->finish_reason), result);
	if (reason != NULL)
		return reason;
	return result->reason == REPLY_ACCEPTED ? NULL : reply_reason_name(result->reason);
}

/* The first question of the pool, since the image is not known here. */
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
	Datum		values[4] = {0};
	bool		nulls[4] = {true, true, false, true};
	int			rounds;

	if (result->reason != REPLY_ACCEPTED)
	{
		values[1] = CStringGetTextDatum(reply_reason_name(result->reason));
		nulls[1] = false;
	}
	else if (task->kind == REPLY_OBJECT)
	{
		/* before ALTER EXTENSION UPDATE the function has no such column */
		values[3] = conversation_object(result);
		nulls[3] = false;
	}
	else
	{
		values[0] = conversation_turns(result, first_question(task), &rounds);
		nulls[0] = false;
	}
	values[2] = conversation_flags(result->flags);
	return rows_result(fcinfo, values, nulls);
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
				verdict_finish(finish_reason), &result);
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
