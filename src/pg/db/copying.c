/*
 * copying.c
 *	  See copying.h.
 *
 * pg_stat_progress_copy shows a table only to roles that may read all statistics, so the
 * entries are read directly.  The last of an entry's parameters, which COPY does not use,
 * is where a session says that it takes in pictures.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "commands/extension.h"
#include "commands/progress.h"
#include "compat.h"
#include "copying.h"
#include "db.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/syscache.h"

#define OUR_PARAMETER (PGSTAT_NUM_PROGRESS_PARAM - 1)

/* 'llav' */
#define NEW_PICTURES 0x6c6c6176

static bool
copies_into_table(const PgBackendStatus *status)
{
	return status->st_procpid > 0 && status->st_databaseid == MyDatabaseId &&
		status->st_progress_command == PROGRESS_COMMAND_COPY &&
		status->st_progress_param[PROGRESS_COPY_COMMAND] == PROGRESS_COPY_COMMAND_FROM &&
		OidIsValid(status->st_progress_command_target);
}

/* Whether the table is ours, and the role could write what a dump holds of it. */
static bool
may_restore(Oid role, Oid table)
{
	HeapTuple	tuple;
	Oid			owner;
	Oid			extension = getExtensionOfObject(RelationRelationId, table);

	if (!OidIsValid(extension) || extension != get_extension_oid("llava_zh", true))
		return false;
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
	if (!HeapTupleIsValid(tuple))
		return false;
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return is_member_of_role(role, owner);
}

bool
copying_find(int *pid, Oid *table)
{
	int			n;

	pgstat_clear_backend_activity_snapshot();
	n = pgstat_fetch_stat_numbackends();
	for (int i = 1; i <= n; i++)
	{
		const PgBackendStatus *status = compat_backend_status(i);

		if (status == NULL || !copies_into_table(status) ||
			status->st_progress_param[OUR_PARAMETER] == NEW_PICTURES ||
			!may_restore(status->st_userid, status->st_progress_command_target))
			continue;
		*pid = status->st_procpid;
		*table = status->st_progress_command_target;
		return true;
	}
	return false;
}

void
copying_new_pictures(Oid table)
{
	if (MyBEEntry != NULL && MyBEEntry->st_progress_command == PROGRESS_COMMAND_COPY &&
		MyBEEntry->st_progress_command_target == table)
		pgstat_progress_update_param(OUR_PARAMETER, NEW_PICTURES);
}
