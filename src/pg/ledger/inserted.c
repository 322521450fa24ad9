/*
 * inserted.c
 *	  The prompt of a task that follows another, with the result that it follows in the
 *	  place of its placeholders; and the sentences of a text, as such a prompt numbers them.
 *
 * The numbers of llava_sentences, of {{sentences}} and of whoever reads a reply that names
 * sentences are the same, since all come from reply_next_sentence.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "ledger.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

/* More of a result than any model is to be asked about: only a person's edit has as much. */
#define INSERTED_MOST (256 * 1024)

PG_FUNCTION_INFO_V1(llava_sentences);

/* Calls each with the strings of each turn of a conversation that is whole. */
static void
each_turn(Datum conversation, void (*each) (StringInfo to, int *n, const JsonbValue *from, const JsonbValue *value),
		  StringInfo to)
{
	JsonbContainer *turns = &DatumGetJsonbP(conversation)->root;
	int			n = 0;

	for (uint32 i = 0; i < JsonContainerSize(turns); i++)
	{
		JsonbContainer *turn = getIthJsonbValueFromContainer(turns, i)->val.binary.data;
		JsonbValue	from,
					value;

		if (getKeyJsonValueFromContainer(turn, "from", strlen("from"), &from) != NULL &&
			getKeyJsonValueFromContainer(turn, "value", strlen("value"), &value) != NULL)
			each(to, &n, &from, &value);
	}
}

static void
insert_turn(StringInfo to, int *n, const JsonbValue *from, const JsonbValue *value)
{
	if ((*n)++ > 0)
		appendStringInfoChar(to, '\n');
	appendBinaryStringInfo(to, from->val.string.val, from->val.string.len);
	appendStringInfoString(to, ": ");
	appendBinaryStringInfo(to, value->val.string.val, value->val.string.len);
}

/* The answers' sentences, a line each; n counts through all answers. */
static void
insert_sentences(StringInfo to, int *n, const JsonbValue *from, const JsonbValue *value)
{
	const char *rest = value->val.string.val;
	size_t		length = value->val.string.len;
	const char *sentence;
	size_t		size;

	if (from->val.string.len != 3 || memcmp(from->val.string.val, "gpt", 3) != 0)
		return;
	while (reply_next_sentence(&rest, &length, &sentence, &size))
	{
		appendStringInfo(to, "%s%d. ", *n > 0 ? "\n" : "", *n + 1);
		(*n)++;
		appendBinaryStringInfo(to, sentence, (int) size);
	}
}

/* Fills inserts with what the placeholders stand for; returns how many. */
static int
fill_inserts(VlmInsert *inserts, int placeholders, Datum result)
{
	StringInfoData texts[3];
	static const char *const names[] = {"conversation", "sentences", "annotation"};
	int			n = 0;

	for (int i = 0; i < lengthof(names); i++)
	{
		if (!(placeholders & (1 << i)))
			continue;
		initStringInfo(&texts[i]);
		if (1 << i == PLACEHOLDER_ANNOTATION)
			appendStringInfoString(&texts[i], DatumGetCString(DirectFunctionCall1(jsonb_out, result)));
		else
			each_turn(result, 1 << i == PLACEHOLDER_SENTENCES ? insert_sentences : insert_turn, &texts[i]);
		inserts[n].name = names[i];
		inserts[n].text = texts[i].data;
		inserts[n++].length = texts[i].len;
	}
	return n;
}

/* Why the result cannot be put in, static; NULL: it can. */
static const char *
cannot_insert(int placeholders, Datum result, const LlavaTask *followed)
{
	int			rounds;

	if (placeholders_unfit(placeholders, followed->kind) != 0)
		return followed->kind == REPLY_OBJECT ? "the prompt needs a conversation, and what it follows is an object" :
			"the prompt needs an object, and what it follows is a conversation";
	if (followed->kind != REPLY_OBJECT && !conversation_is_whole(result, &rounds))
		return "what it follows is no conversation: somebody wrote it";
	if (VARSIZE_ANY_EXHDR(DatumGetPointer(result)) > INSERTED_MOST)
		return "what it follows has more than 256 kB";
	return NULL;
}

char *
inserted_prompt(const LlavaTask *task, const LlavaTask *followed, Datum result, const char **why)
{
	int			placeholders = task_placeholders(task);
	VlmInsert	inserts[3];
	int			n;
	char	   *expanded;
	char	   *prompt = NULL;

	result = PointerGetDatum(PG_DETOAST_DATUM(result));
	*why = cannot_insert(placeholders, result, followed);
	if (*why != NULL)
		return NULL;
	n = fill_inserts(inserts, placeholders, result);
	expanded = vlm_prompt_insert(task->prompt, inserts, n);
	if (expanded != NULL)
		prompt = MemoryContextAllocExtended(CurrentMemoryContext, strlen(expanded) + 1, MCXT_ALLOC_NO_OOM);
	if (prompt != NULL)
		memcpy(prompt, expanded, strlen(expanded) + 1);
	free(expanded);
	if (prompt == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("The prompt could not be made.")));
	return prompt;
}

/* llava_sentences(text): its sentences, in the order and with the numbers of {{sentences}}. */
Datum
llava_sentences(PG_FUNCTION_ARGS)
{
	text	   *whole = PG_GETARG_TEXT_PP(0);
	const char *rest = VARDATA_ANY(whole);
	size_t		length = VARSIZE_ANY_EXHDR(whole);
	ArrayBuildState *sentences = initArrayResult(TEXTOID, CurrentMemoryContext, false);
	const char *sentence;
	size_t		size;

	while (reply_next_sentence(&rest, &length, &sentence, &size))
		accumArrayResult(sentences, PointerGetDatum(cstring_to_text_with_len(sentence, (int) size)),
						 false, TEXTOID, CurrentMemoryContext);
	PG_RETURN_DATUM(makeArrayResult(sentences, CurrentMemoryContext));
}
