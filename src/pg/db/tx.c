/*
 * tx.c
 *	  The loop's short transactions.
 *
 * In a background worker they are begun and committed here; under CALL
 * llava_drain they are the procedure's, ended by SPI_commit, which leaves the
 * session without transaction id and snapshot until the next one.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "commands/trigger.h"
#include "compat.h"
#include "db.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "process/process.h"
#include "utils/guc.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

/* The activity of a worker while the extension is older than the library. */
#define UPDATE_WANTED "llava_zh: waiting for ALTER EXTENSION llava_zh UPDATE"

/* How long settling or claiming waits for a user's lock before other work continues. */
#define LOCK_TIMEOUT "20ms"

static Oid	saved_user;
static int	saved_context;
static int	guc_level;
static const char *doing;		/* tx_begin's activity */
static const char *commit_as;	/* synchronous_commit of the commit; NULL: as
								 * set */

Oid
tx_queue_owner(void)
{
	return relation_owner(extension_relation("llava_pending"), false);
}

void
tx_set_locally(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}

/*
 * The settings that the loop's statements need, whatever the database's owner, a role or a
 * session has set: they may write and see all rows, an error does not end the process
 * (exit_on_error), triggers fire.  The planner may only use index lookups, whatever the
 * statistics say: the queue is empty at one time and has millions of rows at another.
 * Formats of text (DateStyle, bytea_output, ...) are left alone: the loop uses none, and
 * an owner's triggers get the database's.  Nor are limits that only a superuser sets:
 * work_mem is such that the loop needs no temporary files.
 */
static const struct
{
	const char *name;
	const char *value;
}			environment[] =

{
	{"search_path", "pg_catalog, pg_temp"},
	{"default_transaction_isolation", "read committed"},
	{"default_transaction_read_only", "off"},
	{"default_transaction_deferrable", "off"},
	{"row_security", "on"},
	{"session_replication_role", "origin"},
	{"exit_on_error", "off"},
	{"lock_timeout", LOCK_TIMEOUT},
	{"statement_timeout", "0"},
	{COMPAT_TRANSACTION_TIMEOUT, "0"},
	{"idle_in_transaction_session_timeout", "0"},
	{"idle_session_timeout", "0"},
	{"work_mem", "4MB"},
	{"plan_cache_mode", "auto"},
	{"enable_seqscan", "off"},
	{"enable_hashjoin", "off"},
	{"enable_mergejoin", "off"},
	{"enable_bitmapscan", "off"},
	{"enable_tidscan", "on"},
	{"enable_indexscan", "on"},
	{"enable_indexonlyscan", "on"},
	{"enable_nestloop", "on"},

	/*
	 * an index scan by one column more, and a sort, looks cheap for a short
	 * queue
	 */
	{"enable_sort", "off"},

	/*
	 * what costs more than a plan that is turned off would be passed over for
	 * it
	 */
	{"seq_page_cost", "1"},
	{"random_page_cost", "4"},
	{"cpu_tuple_cost", "0.01"},
	{"cpu_index_tuple_cost", "0.005"},
	{"cpu_operator_cost", "0.0025"},
	{"from_collapse_limit", "8"},
	{"join_collapse_limit", "8"},
	{"geqo", "off"},
	{"max_parallel_workers_per_gather", "0"},
	{"jit", "off"},
};

void
tx_environment(bool for_good)
{
	for (int i = 0; i < lengthof(environment); i++)
	{
		if (for_good)
			SetConfigOption(environment[i].name, environment[i].value, PGC_SUSET, PGC_S_SESSION);
		else
			tx_set_locally(environment[i].name, environment[i].value);
	}
	if (!for_good)
		return;
	if (flush_is_shared())
		SetConfigOption("synchronous_commit", "off", PGC_SUSET, PGC_S_SESSION);
	/* the session's user, whom the database's owner may have set to another */
	StartTransactionCommand();
	SetConfigOption("session_authorization",
					GetUserNameFromId(GetAuthenticatedUserId(), false),
					PGC_SUSET, PGC_S_SESSION);
	CommitTransactionCommand();
	SetConfigOption("role", "none", PGC_SUSET, PGC_S_SESSION);
}

/*
 * The session's defaults of a transaction are not those of llava_drain.  The isolation
 * level is fixed by the first snapshot.
 */
static void
overrule_defaults(void)
{
	if (!FirstSnapshotSet)
	{
		XactIsoLevel = XACT_READ_COMMITTED;
		XactDeferrable = false;
	}
	XactReadOnly = false;
}

/*
 * Whether the session itself has said READ ONLY: by SET, SET TRANSACTION or an option of
 * its connection.  What was set for the database, a role or the server is a default.
 */
static bool
session_wants_read_only(void)
{
	if (!XactReadOnly)
		return false;
	return !DefaultXactReadOnly || compat_setting("transaction_read_only")->stack != NULL ||
		compat_setting("default_transaction_read_only")->source >= PGC_S_CLIENT;
}

void
tx_enter_procedure(const char *name)
{
	PreventCommandDuringRecovery(name);
	if (session_wants_read_only())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("cannot execute %s in a read-only transaction", name),
				 errhint("SET default_transaction_read_only = off, and no SET TRANSACTION READ ONLY.")));

	/*
	 * What the caller's transaction has deferred is done now, with the
	 * caller's rights.  The modes of a transaction that has a snapshot are
	 * fixed.
	 */
	SPI_commit();
	overrule_defaults();
}

/*
 * Requests in flight belong to the tables that they were claimed from.  If they were
 * dropped and created anew, its call ids are those of other calls by now: this process
 * ends, and the next one starts with nothing.
 */
static void
check_same_tables(Tx *tx)
{
	Oid			pending = extension_relation("llava_pending");

	if (OidIsValid(tx->pending) && tx->pending != pending)
		ereport(FATAL,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("llava_zh: the extension was dropped and created again")));
	tx->pending = pending;
}

/*
 * Whether the extension is here as this library needs it.  Only changes are reported;
 * *activity is NULL while the last one still holds.
 */
static bool
extension_is_usable(Tx *tx, const char **activity)
{
	char	   *older = NULL;

	*activity = NULL;
	tx->schema = extension_schema();
	if (OidIsValid(tx->schema))
	{
		if (tx->in_procedure)
			extension_version_required();
		older = extension_older_version();
	}
	if (older != NULL && strcmp(tx->older_version, older) != 0)
	{
		*activity = UPDATE_WANTED;
		ereport(LOG,
				(errmsg("llava_zh: nothing is claimed in database \"%s\": the extension has version %s, older than its library, %s",
						get_database_name(MyDatabaseId), older, LLAVA_ZH_VERSION),
				 errhint("ALTER EXTENSION llava_zh UPDATE;")));
	}
	else if (older == NULL && tx->older_version[0] != '\0')
		*activity = "";
	strlcpy(tx->older_version, older == NULL ? "" : older, sizeof(tx->older_version));
	return OidIsValid(tx->schema) && older == NULL;
}

/*
 * Users' deferred constraints are checked row by row: at the commit no row would be to
 * blame, and core lets a security-restricted operation leave nothing for later.  Nothing
 * was put off before in this transaction (tx_enter_procedure), so no code of a caller
 * runs here.
 */
static void
defer_nothing(void)
{
	ConstraintsSetStmt all = {.type = T_ConstraintsSetStmt};

	AfterTriggerSetState(&all);
}

bool
tx_begin(Tx *tx, const char *activity)
{
	const char *in_vain;

	if (!tx->in_procedure)
	{
		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
	}
	else
		overrule_defaults();
	PushActiveSnapshot(GetTransactionSnapshot());

	if (!extension_is_usable(tx, &in_vain))
	{
		PopActiveSnapshot();
		if (!tx->in_procedure)
		{
			CommitTransactionCommand();
			pgstat_report_activity(STATE_IDLE, in_vain);	/* each look shows */
		}
		return false;
	}
	if (!tx->in_procedure)
		pgstat_report_activity(STATE_RUNNING, activity);
	check_same_tables(tx);

	commit_as = NULL;
	doing = activity;
	guc_level = NewGUCNestLevel();
	trust_begin();
	GetUserIdAndSecContext(&saved_user, &saved_context);
	SetUserIdAndSecContext(relation_owner(tx->pending, false),
						   saved_context | SECURITY_RESTRICTED_OPERATION);
	if (tx->in_procedure)
		tx_environment(false);
	(void) SPI_connect();
	defer_nothing();
	return true;
}

const char *
tx_activity(void)
{
	return doing;
}

void
tx_commit_as(const char *synchronous_commit)
{
	commit_as = synchronous_commit;
}

XLogRecPtr
tx_commit(Tx *tx, const char *idle)
{
	XLogRecPtr	before = XactLastCommitEnd;

	SPI_finish();
	SetUserIdAndSecContext(saved_user, saved_context);
	trust_end();
	/* also what a trigger of the queue's owner has SET */
	AtEOXact_GUC(false, guc_level);
	if (commit_as != NULL)
		tx_set_locally("synchronous_commit", commit_as);
	PopActiveSnapshot();
	if (tx->in_procedure)
		SPI_commit();
	else
	{
		CommitTransactionCommand();
		pgstat_report_stat(false);
		pgstat_report_activity(STATE_IDLE, idle);
	}
	if (tx->in_procedure || !flush_is_shared() || XactLastCommitEnd == before)
		return InvalidXLogRecPtr;
	flush_ask(XactLastCommitEnd);
	return XactLastCommitEnd;
}

bool
tx_error_passes(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE || trust_refused(error) ||
		ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_INSUFFICIENT_RESOURCES;
}

bool
tx_try(MemoryContext errors, void (*work) (void *arg), void *arg, ErrorData **error)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool done = false;

	*error = NULL;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		work(arg);
		ReleaseCurrentSubTransaction();
		done = true;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(errors);
		*error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;

	/* a cancel or a shutdown must not be caught */
	if (!done && ((*error)->sqlerrcode == ERRCODE_QUERY_CANCELED ||
				  (*error)->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN))
		ReThrowError(*error);
	return done;
}
