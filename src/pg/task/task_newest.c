/*
 * task_newest.c
 *	  The newest version of each task for views, which anybody may read.
 *
 * The table is scanned as a catalogue is: no code of a role runs, so that a view does not
 * fail where the table cannot be trusted (trust.h).
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "task_row.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

static TaskNewest *
newest_of(List *tasks, const char *name)
{
	ListCell   *cell;

	foreach(cell, tasks)
	{
		TaskNewest *task = lfirst(cell);

		if (strcmp(task->name, name) == 0)
			return task;
	}
	return NULL;
}

/* Adds the row's task, or takes the row in place of an older version. */
static List *
add_version(List *tasks, const TaskRow *row)
{
	char	   *name = task_row_text(row, "name");
	int			version = DatumGetInt32(row->values[task_row_column(row, "version")]);
	TaskNewest *task = newest_of(tasks, name);

	if (task != NULL && task->version >= version)
		return tasks;
	if (task == NULL)
	{
		task = palloc0(sizeof(TaskNewest));
		tasks = lappend(tasks, task);
	}
	task->name = name;
	task->version = version;
	task->kind = task_row_text(row, "kind");
	task->language = task_row_text(row, "language");
	task->server = task_row_text(row, "server");
	return tasks;
}

List *
task_newest(void)
{
	Relation	table = table_open(extension_relation("llava_task"), AccessShareLock);
	SysScanDesc scan = systable_beginscan(table, InvalidOid, false, GetActiveSnapshot(), 0, NULL);
	List	   *tasks = NIL;
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		tasks = add_version(tasks, task_row_new(tuple, RelationGetDescr(table)));
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return tasks;
}
