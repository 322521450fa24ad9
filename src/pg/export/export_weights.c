/*
 * export_weights.c
 *	  The weights that an export's caller gives its tasks in place of llava_task's:
 *	  {"detail": 2, "conversation": 1}.
 *
 * A task that is not named is not in the export.  One that is named and has no samples
 * would leave nothing to export, so it is an ERROR rather than an empty file.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "export.h"
#include "fmgr.h"
#include "task/task.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

PG_FUNCTION_INFO_V1(llava_weighted_samples);

static bool
weights_has(Datum *names, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (strcmp(TextDatumGetCString(names[i]), name) == 0)
			return true;
	return false;
}

/* The weight of a task, as text. */
static Datum
weight_text(const char *task, const JsonbValue *weight)
{
	char	   *text;

	if (weight->type != jbvNumeric)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the weight of task \"%s\" is not a number", task),
				 errhint("weights => '{\"%s\": 1}'", task)));
	text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(weight->val.numeric)));

	/*
	 * without an exponent, so its first character that is no zero shows its
	 * sign
	 */
	if (text[0] == '-' || text[strspn(text, "0.")] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the weight %s of task \"%s\" is not positive", text, task),
				 errhint("A task that weights does not name is not in the export.")));
	return CStringGetTextDatum(text);
}

/* The task's name as it is stored; ERROR if it may not stand here. */
static const char *
weighted_task(const char *said, Datum *names, int n, ArrayType *tasks)
{
	const char *name = task_find(said)->name;
	Datum	   *allowed;
	int			n_allowed;

	if (weights_has(names, n, name))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weights names task \"%s\" twice", name),
				 errhint("Once by its name and once by its alias, perhaps.")));
	if (tasks == NULL)
		return name;
	deconstruct_array(tasks, TEXTOID, -1, false, TYPALIGN_INT, &allowed, NULL, &n_allowed);
	if (!weights_has(allowed, n_allowed, name))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weights names task \"%s\", which is not among tasks", name),
				 errhint("With weights, tasks can be left out: weights says which there are.")));
	return name;
}

void
export_weights(Jsonb *given, ArrayType *tasks, Datum *names, Datum *weights)
{
	bool		is_object = JB_ROOT_IS_OBJECT(given);
	int			size = is_object ? JB_ROOT_COUNT(given) : 0;
	Datum	   *tasks_named = palloc(Max(size, 1) * sizeof(Datum));
	Datum	   *numbers = palloc(Max(size, 1) * sizeof(Datum));
	JsonbIterator *members;
	JsonbIteratorToken token;
	JsonbValue	member;
	char	   *said = NULL;
	int			n = 0;

	if (size == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weights is not an object of weights by task"),
				 errhint("weights => '{\"detail\": 2, \"conversation\": 1}'")));
	members = JsonbIteratorInit(&given->root);
	while ((token = JsonbIteratorNext(&members, &member, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			said = pnstrdup(member.val.string.val, member.val.string.len);
		else if (token == WJB_VALUE)
		{
			const char *name = weighted_task(said, tasks_named, n, tasks);

			numbers[n] = weight_text(name, &member);
			tasks_named[n++] = CStringGetTextDatum(name);
		}
	}
	*names = PointerGetDatum(construct_array(tasks_named, n, TEXTOID, -1, false, TYPALIGN_INT));
	*weights = PointerGetDatum(construct_array(numbers, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* llava_weighted_samples(task text, samples bigint): the samples, if there are any. */
Datum
llava_weighted_samples(PG_FUNCTION_ARGS)
{
	if (PG_GETARG_INT64(1) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("task \"%s\" of weights has no samples to export",
						text_to_cstring(PG_GETARG_TEXT_PP(0))),
				 errhint("Leave it out of weights. llava_progress shows what is done and waiting, "
						 "llava_validate what is left out and why.")));
	PG_RETURN_INT64(PG_GETARG_INT64(1));
}
