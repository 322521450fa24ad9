/*
 * keep_in.c
 *	  The trigger of the view llava_keep_in: what people judged on a page of llava_page
 *	  becomes keep and note of the samples.
 *
 * A line says which sample it judges, by digests which words and which judgement the page
 * showed, and what the judgement is now.  A line that is no judgement, or whose sample is
 * gone, has other words or was judged otherwise since, is left and named in a WARNING; it
 * never stops the others.  The sample's row is locked from the look at it to the UPDATE.
 * All statements run with the rights of who copies, and under that role's search_path.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "ledger.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(llava_keep_in_line);

/* WARNINGs of one statement; further lines are only counted. */
#define MAX_NAMED 100

/* How much of a line that is no judgement a WARNING shows. */
#define SHOWN_CHARS 60

typedef struct KeepCounts
{
	uint64		lines;
	uint64		taken;
	uint64		known;			/* the sample has this judgement already */
	uint64		left;
} KeepCounts;

/* Of the statement that runs; BEFORE EACH STATEMENT sets it to nothing. */
static KeepCounts counts;

typedef struct Judgement
{
	int64		image;
	char	   *task;
	int64		reply;
	char	   *words;			/* digest of the conversation that the page
								 * showed */
	char	   *judged;			/* digest of keep and note that it showed */
	char		keep;			/* 't', 'f'; 'n': NULL */
	char	   *note;			/* NULL: none */
} Judgement;

/* ---- a line ---- */

typedef struct Parsing
{
	const char *line;
	Judgement  *judgement;
} Parsing;

pg_noreturn static void
bad_key(const char *key, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("key \"%s\" is not %s", key, what)));
}

/* The value of this key; NULL: null or missing. */
static JsonbValue *
value_of(Jsonb *object, const char *key)
{
	JsonbValue *value = getKeyJsonValueFromContainer(&object->root, key, strlen(key), NULL);

	return value == NULL || value->type == jbvNull ? NULL : value;
}

static int64
number_of(Jsonb *object, const char *key)
{
	JsonbValue *value = value_of(object, key);

	if (value == NULL || value->type != jbvNumeric)
		bad_key(key, "a number");
	return DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(value->val.numeric)));
}

/* NULL: null or missing, where that is allowed. */
static char *
string_of(Jsonb *object, const char *key, bool missing_ok)
{
	JsonbValue *value = value_of(object, key);

	if (value == NULL && missing_ok)
		return NULL;
	if (value == NULL || value->type != jbvString)
		bad_key(key, "a string");
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static char
keep_of(Jsonb *object)
{
	JsonbValue *value = value_of(object, "keep");

	if (value == NULL)
		return 'n';
	if (value->type != jbvBool)
		bad_key("keep", "true, false or null");
	return value->val.boolean ? 't' : 'f';
}

/* ERROR for a line that is no judgement. */
static void
parse(void *arg)
{
	Parsing    *parsing = arg;
	Judgement  *judgement = parsing->judgement;
	Jsonb	   *object = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(parsing->line)));

	if (!JB_ROOT_IS_OBJECT(object))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("it is not a JSON object")));
	judgement->image = number_of(object, "image");
	judgement->task = string_of(object, "task", false);
	judgement->reply = number_of(object, "reply");
	judgement->words = string_of(object, "words", false);
	judgement->judged = string_of(object, "judged", false);
	judgement->keep = keep_of(object);
	judgement->note = string_of(object, "note", true);
	if (judgement->note != NULL)
		lengths_check("llava_conversation", "note", CStringGetTextDatum(judgement->note));
}

/* ---- what is said ---- */

static void
leave_bad_line(const char *line, const ErrorData *error)
{
	if (counts.left++ < MAX_NAMED)
		ereport(WARNING,
				(errmsg("line " UINT64_FORMAT " was left out: it is no judgement of a page", counts.lines),
				 errdetail("%s: %.*s", error->message,
						   pg_mbcharcliplen(line, strlen(line), SHOWN_CHARS), line)));
}

static void
leave_sample(const Judgement *judgement, const char *why)
{
	if (counts.left++ < MAX_NAMED)
		ereport(WARNING,
				(errmsg("line " UINT64_FORMAT " was left out: the sample of image " INT64_FORMAT
						", task \"%s\", %s",
						counts.lines, judgement->image, judgement->task, why)));
}

/* Who has looked at both judgements can write the one that holds. */
static void
leave_judged(const Judgement *judgement)
{
	if (counts.left++ < MAX_NAMED)
		ereport(WARNING,
				(errmsg("line " UINT64_FORMAT " was left out: the sample of image " INT64_FORMAT
						", task \"%s\", was judged otherwise meanwhile",
						counts.lines, judgement->image, judgement->task),
				 errhint("To overrule that: UPDATE llava_conversation SET keep = %s, note = %s WHERE image = " INT64_FORMAT
						 " AND task = %s;", judgement->keep == 'n' ? "NULL" : judgement->keep == 't' ? "true" : "false",
						 judgement->note == NULL ? "NULL" : quote_literal_cstr(judgement->note),
						 judgement->image, quote_literal_cstr(judgement->task))));
}

static void
say_counts(void)
{
	if (counts.left > MAX_NAMED)
		ereport(WARNING,
				(errmsg(UINT64_FORMAT " further lines were left out", counts.left - MAX_NAMED)));
	ereport(NOTICE,
			(errmsg("of " UINT64_FORMAT " lines " UINT64_FORMAT " were taken in, " UINT64_FORMAT
					" were known already, " UINT64_FORMAT " were left out",
					counts.lines, counts.taken, counts.known, counts.left)));
}

/* ---- a sample ---- */

static SqlStatement sql_keep_look = {
	.text =
	"SELECT c.keep, c.note, @.llava_page_digest(c.conversation),"
	" @.llava_page_digest(pg_catalog.jsonb_build_array(c.keep, c.note))"
	" FROM @.llava_conversation c WHERE c.image OPERATOR(pg_catalog.=) $1"
	" AND c.task OPERATOR(pg_catalog.=) $2 FOR NO KEY UPDATE OF c",
	.types = "lt"
};

static SqlStatement sql_keep_set = {
	.text =
	"UPDATE @.llava_conversation SET keep = $3, note = $4 WHERE image OPERATOR(pg_catalog.=) $1"
	" AND task OPERATOR(pg_catalog.=) $2",
	.types = "ltBt"
};

/* Whether keep and note of the row that was looked at are the judgement's. */
static bool
is_known(const Judgement *judgement)
{
	bool		keep_is_null,
				note_is_null;
	Datum		keep = sql_value(1, &keep_is_null);
	Datum		note = sql_value(2, &note_is_null);

	return judgement->keep == (keep_is_null ? 'n' : DatumGetBool(keep) ? 't' : 'f') &&
		note_is_null == (judgement->note == NULL) &&
		(note_is_null || strcmp(TextDatumGetCString(note), judgement->note) == 0);
}

/* Whether the digest in this column of that row is the one that the page had. */
static bool
is_digest(int column, const char *digest)
{
	bool		isnull;
	Datum		value = sql_value(column, &isnull);

	return !isnull && strcmp(TextDatumGetCString(value), digest) == 0;
}

/* True if the sample has the judgement now and did not before. */
static bool
take(const Judgement *judgement)
{
	Datum		values[4] = {Int64GetDatum(judgement->image), CStringGetTextDatum(judgement->task)};
	char		nulls[4] = {' ', ' ', ' ', ' '};

	if (sql_run(&sql_keep_look, values, NULL, 0) == 0)
		leave_sample(judgement, "is gone, or not this role's to change");
	else if (!is_digest(3, judgement->words))
		leave_sample(judgement, psprintf("has other words than those of reply " INT64_FORMAT ", which the page showed",
										 judgement->reply));
	else if (is_known(judgement))
		counts.known++;
	else if (!is_digest(4, judgement->judged))
		leave_judged(judgement);
	else
	{
		nulls[2] = judgement->keep == 'n' ? 'n' : ' ';
		nulls[3] = judgement->note == NULL ? 'n' : ' ';
		values[2] = BoolGetDatum(judgement->keep == 't');
		values[3] = judgement->note == NULL ? (Datum) 0 : CStringGetTextDatum(judgement->note);
		/* none: a trigger of the table has suppressed it */
		if (sql_run(&sql_keep_set, values, nulls, 0) > 0)
			return true;
		leave_sample(judgement, "is kept as it is by a trigger");
	}
	return false;
}

/* The row if its judgement was taken in, which INSERT counts; else NULL. */
static HeapTuple
take_line(TriggerData *trigger)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	Judgement	judgement = {0};
	ErrorData  *error;
	bool		isnull;
	Datum		value = heap_getattr(trigger->tg_trigtuple, SPI_fnumber(desc, "line"), desc, &isnull);
	Parsing		parsing = {isnull ? "" : TextDatumGetCString(value), &judgement};
	bool		taken;

	counts.lines++;
	if (!tx_try(CurrentMemoryContext, parse, &parsing, &error))
	{
		leave_bad_line(parsing.line, error);
		return NULL;
	}
	rows_spi_connect();
	/* not before: a role may be one that may write nothing but the view */
	rows_lock_to_write("llava_conversation");
	taken = take(&judgement);
	SPI_finish();
	counts.taken += taken;
	return taken ? trigger->tg_trigtuple : NULL;
}

/* INSTEAD OF INSERT on llava_keep_in FOR EACH ROW, and FOR EACH STATEMENT around them. */
Datum
llava_keep_in_line(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ||
		RelationGetRelid(trigger->tg_relation) != extension_relation("llava_keep_in"))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("this function can only be called by the triggers on the extension's view \"llava_keep_in\"")));
	if (TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		return PointerGetDatum(take_line(trigger));
	if (TRIGGER_FIRED_BEFORE(trigger->tg_event))
		memset(&counts, 0, sizeof(counts));
	else
		say_counts();
	return PointerGetDatum(NULL);
}
