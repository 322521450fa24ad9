/*
 * activity.c
 *	  What the processes of this database are doing: as llava_stat_worker shows it, in
 *	  words for messages, and which of them COPY into the extension's tables.
 *
 * pg_stat_activity shows it only to roles that may read all statistics.  We may show what
 * a worker does, and that a session drains, but not what other sessions do, nor the query
 * of one that drains.
 *
 * pg_stat_progress_copy is like it, so the progress entries of COPY are read directly too.
 * The last of an entry's parameters, which COPY does not use, is where a session says that
 * it takes in pictures.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "commands/progress.h"
#include "compat.h"
#include "db.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "process/process.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

/* Columns of llava_process_activity */
enum
{
	COLUMN_PID,
	COLUMN_WORKER,
	COLUMN_STATE,
	COLUMN_WAIT_EVENT,
	COLUMN_ACTIVITY,
	COLUMN_SINCE,
	COLUMNS
};

PG_FUNCTION_INFO_V1(llava_process_activity);

static bool
is_worker(const PgBackendStatus *status)
{
	const char *type;

	if (status->st_backendType != B_BG_WORKER)
		return false;
	type = GetBackgroundWorkerTypeByPid(status->st_procpid);
	return type != NULL && (strcmp(type, WORKER_TYPE) == 0 || strcmp(type, FETCHER_TYPE) == 0);
}

/* Whether pg_stat_activity would show the caller everything about the process. */
static bool
may_see_all(const PgBackendStatus *status)
{
	return has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS) ||
		has_privs_of_role(GetUserId(), status->st_userid);
}

/* The name in pg_stat_activity; NULL if the process does not report its state. */
static const char *
state_name(BackendState state)
{
	static const char *const names[] = {
		[STATE_IDLE] = "idle",
		[STATE_RUNNING] = "active",
		[STATE_IDLEINTRANSACTION] = "idle in transaction",
		[STATE_IDLEINTRANSACTION_ABORTED] = "idle in transaction (aborted)",
		[STATE_FASTPATH] = "fastpath function call"
	};

	return state < lengthof(names) ? names[state] : NULL;
}

static const char *
wait_event(int pid)
{
	PGPROC	   *proc = BackendPidGetProc(pid);

	return proc == NULL ? NULL :
		pgstat_get_wait_event(*(volatile uint32 *) &proc->wait_event_info);
}

static void
put_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = text == NULL;

	if (text !=NULL)
		values[column] = CStringGetTextDatum(text);
}

/* What the process does and since when, with its query if the caller may see it. */
static void
put_activity(Datum *values, bool *nulls, const PgBackendStatus *status, bool words)
{
	put_text(values, nulls, COLUMN_STATE, status->st_state == STATE_DISABLED ?
			 "disabled" : state_name(status->st_state));
	put_text(values, nulls, COLUMN_WAIT_EVENT, wait_event(status->st_procpid));
	put_text(values, nulls, COLUMN_ACTIVITY,
			 words ? pgstat_clip_activity(status->st_activity_raw) : NULL);
	values[COLUMN_SINCE] = TimestampTzGetDatum(status->st_state_start_timestamp);
	nulls[COLUMN_SINCE] = status->st_state_start_timestamp == 0;
}

static void
put_process(ReturnSetInfo *result, const PgBackendStatus *status)
{
	bool		worker = is_worker(status);
	bool		words = worker || may_see_all(status);
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {false, false, true, true, true, true};

	values[COLUMN_PID] = Int32GetDatum(status->st_procpid);
	values[COLUMN_WORKER] = BoolGetDatum(worker);
	if (words || meter_has(status->st_procpid))
		put_activity(values, nulls, status, words);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * llava_process_activity(): a row for each process of this database, as many as
 * pg_stat_activity lists; whether it is a worker of ours, and what it does.
 */
Datum
llava_process_activity(PG_FUNCTION_ARGS)
{
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	n = pgstat_fetch_stat_numbackends();
	for (int i = 1; i <= n; i++)
	{
		const PgBackendStatus *status = compat_backend_status(i);

		if (status != NULL && status->st_procpid > 0 && status->st_databaseid == MyDatabaseId)
			put_process((ReturnSetInfo *) fcinfo->resultinfo, status);
	}
	return (Datum) 0;
}

/* ---- in words ---- */

static const PgBackendStatus *
status_of(int pid)
{
	int			n;

	pgstat_clear_backend_activity_snapshot();
	n = pgstat_fetch_stat_numbackends();
	for (int i = 1; i <= n; i++)
	{
		const PgBackendStatus *status = compat_backend_status(i);

		if (status != NULL && status->st_procpid == pid)
			return status;
	}
	return NULL;
}

char *
process_words(int pid)
{
	const PgBackendStatus *status;
	const char *role;
	const char *state;

	if (pid == 0)
		return pstrdup("a process that has ended since");
	status = status_of(pid);
	if (status == NULL)
		return psprintf("process %d", pid);
	role = GetUserNameFromId(status->st_userid, true);
	state = state_name(status->st_state);
	return psprintf("process %d (role \"%s\", %s)", pid, role == NULL ? "?" : role,
					state == NULL ? "active" : state);
}

const char *
process_in_the_way(int pid)
{
	const PgBackendStatus *status;
	const char *role;
	const char *state;

	if (pid == 0)
		return "A prepared transaction is in the way: see pg_prepared_xacts.";
	status = status_of(pid);
	if (status == NULL)
		return psprintf("Process %d is in the way.", pid);
	role = GetUserNameFromId(status->st_userid, true);
	state = state_name(status->st_state);
	return psprintf("Process %d of role \"%s\" is in the way: %s for %.0f s.", pid,
					role == NULL ? "" : role, state == NULL ? "in a state that is not tracked" : state,
					(double) (GetCurrentTimestamp() - status->st_state_start_timestamp) / USECS_PER_SEC);
}

/* ---- sessions that COPY ---- */

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
	Oid			owner = relation_owner(table, true);

	return extension_has(RelationRelationId, table) && OidIsValid(owner) &&
		is_member_of_role(role, owner);
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
