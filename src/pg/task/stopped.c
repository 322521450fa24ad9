/*
 * stopped.c
 *	  llava_stopped_task: tasks whose rows wait, since their first replies were all rejected.
 *
 * Read as task_newest.c reads llava_task, and written as the table's owner, so that a
 * worker's role needs no privileges on it.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "db/db.h"
#include "task_row.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

enum
{
	STOPPED_TASK = 1,
	STOPPED_VERSION,
	STOPPED_REASON,
	STOPPED_IMAGE,
	STOPPED_CALL
};

static TaskStopped *
read_stopped(HeapTuple tuple, TupleDesc desc)
{
	TaskStopped *stopped = palloc(sizeof(TaskStopped));
	bool		isnull;

	stopped->task = TextDatumGetCString(heap_getattr(tuple, STOPPED_TASK, desc, &isnull));
	stopped->version = DatumGetInt32(heap_getattr(tuple, STOPPED_VERSION, desc, &isnull));
	stopped->reason = TextDatumGetCString(heap_getattr(tuple, STOPPED_REASON, desc, &isnull));
	stopped->image = DatumGetInt64(heap_getattr(tuple, STOPPED_IMAGE, desc, &isnull));
	stopped->call = DatumGetInt64(heap_getattr(tuple, STOPPED_CALL, desc, &isnull));
	return stopped;
}

List *
task_stopped_all(void)
{
	Relation	table = table_open(extension_relation("llava_stopped_task"), AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(rows_newest_snapshot());
	SysScanDesc scan = systable_beginscan(table, InvalidOid, false, snapshot, 0, NULL);
	List	   *all = NIL;
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		all = lappend(all, read_stopped(tuple, RelationGetDescr(table)));
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(table, AccessShareLock);
	return all;
}

const TaskStopped *
task_stopped_in(const List *all, const char *task, int version)
{
	ListCell   *cell;

	foreach(cell, all)
	{
		const TaskStopped *stopped = lfirst(cell);

		if (stopped->version == version && strcmp(stopped->task, task) == 0)
			return stopped;
	}
	return NULL;
}

static SqlStatement sql_task_stop = {
	.text =
	"INSERT INTO @.llava_stopped_task AS s (task, version, reason, image, call)"
	" VALUES ($1, $2, $3, $4, $5)"
	" ON CONFLICT (task) DO UPDATE SET version = EXCLUDED.version, reason = EXCLUDED.reason,"
	"  image = EXCLUDED.image, call = EXCLUDED.call, since = EXCLUDED.since"
	" WHERE s.version < EXCLUDED.version",
	.types = "titll"
};

void
task_stop(const TaskStopped *stopped)
{
	Datum		values[] = {CStringGetTextDatum(stopped->task), Int32GetDatum(stopped->version),
		CStringGetTextDatum(stopped->reason), Int64GetDatum(stopped->image),
	Int64GetDatum(stopped->call)};

	rows_run_as_owner(extension_relation("llava_stopped_task"), &sql_task_stop, values, NULL);
}

static SqlStatement sql_task_resume = {
	.text =
	"DELETE FROM @.llava_stopped_task WHERE task = $1 AND ($2 IS NULL OR version = $2)",
	.types = "ti"
};

bool
task_resume(const char *task, int version)
{
	Datum		values[] = {CStringGetTextDatum(task), Int32GetDatum(version)};

	return rows_run_as_owner(extension_relation("llava_stopped_task"), &sql_task_resume, values,
							 version == 0 ? " n" : NULL) > 0;
}

const char *
task_shape(ReplyKind kind, ReplyLanguage language)
{
	bool		zh = language == REPLY_LANGUAGE_ZH;

	switch (kind)
	{
		case REPLY_DIALOGUE:
			return zh ?
				"A dialogue's prompt must ask for rounds of \"用户：...\" and \"助手：...\", or the same labels in English." :
				"A dialogue's prompt must ask for rounds of \"User: ...\" and \"Assistant: ...\", or the same labels in Chinese.";
		case REPLY_QUESTION_ANSWER:
			return zh ?
				"A question_answer's prompt must ask for \"问题：...\" and \"回答：...\", or the same labels in English." :
				"A question_answer's prompt must ask for \"Question: ...\" and \"Answer: ...\", or the same labels in Chinese.";
		case REPLY_DESCRIPTION:
			return "A description's prompt must ask for plain text: what the picture shows, without labels.";
		default:
			return "The prompt must ask for the reply that the task's kind expects.";
	}
}
