/*
 * advice.c
 *	  What an INSERT into llava_task says of a row that is valid and may not be what was meant.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "task_row.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"

static bool
has_value(const TaskRow *row, const char *name)
{
	return !row->nulls[task_row_column(row, name)];
}

/* A prompt of a person's own, and human turns that may ask for something else. */
static void
tell_questions(const TaskRow *row, const char *name)
{
	int			n;

	if (task_kind(task_row_text(row, "kind")) != REPLY_DESCRIPTION || has_value(row, "questions"))
		return;
	ereport(NOTICE,
			(errmsg("the human turns of task \"%s\" will be stock questions, such as \"%s\"", name,
					shipped_questions(task_language(task_row_text(row, "language")), &n)[0]),
			 errhint("If the prompt asks for something else: INSERT INTO llava_task (name, questions) VALUES (%s, ARRAY['...']);",
					 quote_literal_cstr(name))));
}

/* ---- the keys that a condition names ---- */

/* Behind the quoted part that begins at p. */
static const char *
skip_quoted(const char *p)
{
	for (p++; *p != '\0' && *p != '"'; p++)
		p += *p == '\\' && p[1] != '\0';
	return *p == '\0' ? p : p + 1;
}

static bool
is_required(Datum required, const char *key, size_t length)
{
	Datum	   *specs;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(required), TEXTOID, -1, false, TYPALIGN_INT, &specs, NULL, &n);
	for (int i = 0; i < n; i++)
	{
		char	   *spec = TextDatumGetCString(specs[i]);
		ReplyKey	parsed;

		if (reply_key_parse(spec, strlen(spec), &parsed) && parsed.length == length &&
			memcmp(parsed.name, key, length) == 0)
			return true;
	}
	return false;
}

/*
 * The first key of the result itself that the path, as jsonpath prints it, names and that is
 * not required, palloc'd; NULL: there is none.
 */
static char *
unrequired_key(const char *path, Datum required)
{
	const char *p = path;

	while (*p != '\0')
	{
		const char *end = *p == '"' ? skip_quoted(p) : p + 1;
		bool		is_key = *p == '"' && p - path >= 2 && strncmp(p - 2, "$.", 2) == 0;
		size_t		length = end - p;

		if (is_key && length > 2 && memchr(p, '\\', length) == NULL && !is_required(required, p + 1, length - 2))
			return pnstrdup(p + 1, length - 2);
		p = end;
	}
	return NULL;
}

static void
tell_condition(const TaskRow *row, Oid table)
{
	TaskRow    *followed;
	const char *path;
	char	   *key;
	Datum		required;

	if (!has_value(row, "after") || !has_value(row, "condition"))
		return;
	followed = task_row_newest(table, task_row_text(row, "after"));
	if (followed == NULL || !has_value(followed, "required"))
		return;
	required = followed->values[task_row_column(followed, "required")];
	path = DatumGetCString(DirectFunctionCall1(jsonpath_out, row->values[task_row_column(row, "condition")]));
	key = unrequired_key(path, required);
	if (key != NULL)
		ereport(WARNING,
				(errmsg("the condition names the key \"%s\", which task \"%s\" does not require", key,
						task_row_text(row, "after")),
				 errdetail("It requires %s.", TextDatumGetCString(OidFunctionCall2(F_ARRAY_TO_STRING_ANYARRAY_TEXT, required,
																				   CStringGetTextDatum(", ")))),
				 errhint("Where a result has no such key, a comparison with it is false and the picture is left out.")));
}

void
task_advise(const TaskRow *row, Oid table, bool is_new)
{
	if (is_new)
		tell_questions(row, task_row_text(row, "name"));
	/* not before ALTER EXTENSION UPDATE */
	if (SPI_fnumber(row->desc, "after") > 0)
		tell_condition(row, table);
}
