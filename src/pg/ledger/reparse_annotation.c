/*
 * reparse_annotation.c
 *	  What follows from a verdict that llava_reparse changed, for tasks of kind json:
 *	  annotations are made, rewritten and withdrawn.
 */
#include "postgres.h"

#include "ledger.h"
#include "reparse.h"

static SqlStatement sql_annotation_done = {
	.text =
	"DELETE FROM @.llava_pending WHERE image = $1 AND task = $2",
	.types = "lt"
};

/* Not where the result that it is about is gone or another one's by now. */
static SqlStatement sql_annotation_make = {
	.text =
	"INSERT INTO @.llava_annotation (image, task, object, flags, about, reply, task_version)"
	" SELECT $1, $2, $3, $4, $5, $6, $7 FROM @.llava_image WHERE id = $1 AND ($5 IS NULL"
	"  OR EXISTS (SELECT FROM @.llava_conversation c WHERE c.image = $1 AND c.reply = $5)"
	"  OR EXISTS (SELECT FROM @.llava_annotation a WHERE a.image = $1 AND a.reply = $5))"
	" ON CONFLICT DO NOTHING",
	.types = "ltjTlli"
};

bool
annotation_make(const Stored *stored)
{
	Datum		values[7] = {
		stored->column[READ_IMAGE], stored->column[READ_TASK], conversation_object(&stored->result), stored->flags,
		stored->column[READ_ABOUT], stored->column[READ_ID], stored->column[READ_TASK_VERSION]
	};
	char		nulls[8] = "       ";

	nulls[4] = stored->isnull[READ_ABOUT] ? 'n' : ' ';
	if (sql_run(&sql_annotation_make, values, nulls, 0) == 0)
		return false;
	/* a call in flight then finds no queue row, and its reply is kept as late */
	sql_run(&sql_annotation_done, values, NULL, 0);
	return true;
}

static SqlStatement sql_annotation_rewrite = {
	.text =
	"UPDATE @.llava_annotation SET object = $3, flags = $4"
	" WHERE image = $1 AND task = $2 AND reply = $5 AND (object <> $3 OR flags <> $4)",
	.types = "ltjTl"
};

bool
annotation_rewrite(const Stored *stored)
{
	Datum		values[5] = {
		stored->column[READ_IMAGE], stored->column[READ_TASK], conversation_object(&stored->result), stored->flags,
		stored->column[READ_ID]
	};

	return sql_run(&sql_annotation_rewrite, values, NULL, 0) > 0;
}

static SqlStatement sql_annotation_withdraw = {
	.text =
	"DELETE FROM @.llava_annotation WHERE image = $1 AND task = $2 AND reply = $3",
	.types = "ltl"
};

bool
annotation_withdraw(const Stored *stored)
{
	Datum		values[3] = {
		stored->column[READ_IMAGE], stored->column[READ_TASK], stored->column[READ_ID]
	};

	return sql_run(&sql_annotation_withdraw, values, NULL, 0) > 0;
}
