/*
 * blockers.c
 *	  A function that waits for locks waits for a time and says who holds them.
 *
 * llava_forget queues for locks that every writer wants, so while it waits for an idle
 * transaction all writers wait behind it.  When a lock wait times out, the backend has
 * left the wait queue before anybody can ask who blocked it; so a timer notes every few
 * milliseconds which lock is awaited, and whoever holds that lock is looked up then.
 */
#include "postgres.h"

#include "blockers.h"
#include "compat.h"
#include "llava_zh.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

/* How long is waited where the session does not say. */
#define DEFAULT_TIMEOUT "10s"

/* The awaited lock is noted so often; four times in a shorter wait. */
#define LOOK_MS 50

typedef struct Awaited
{
	LOCKTAG		tag;
	LOCKMODE	mode;			/* NoLock: no wait was seen */
	TimestampTz since;
} Awaited;

static Awaited awaited;

/*
 * In the handler of SIGALRM.  MyProc->waitLock is set and read by this process; another
 * one only clears it, when it grants the lock, and the lock lives until we release it.
 */
static void
note_awaited(void)
{
	LOCK	   *lock = MyProc->waitLock;

	if (lock == NULL)
		return;
	awaited.tag = lock->tag;
	awaited.mode = MyProc->waitLockMode;
	awaited.since = (TimestampTz) pg_atomic_read_u64(&MyProc->waitStart);
}

static TimeoutId
look_timer(void)
{
	static TimeoutId timer = MAX_TIMEOUTS;

	if (timer == MAX_TIMEOUTS)
		timer = RegisterTimeout(USER_TIMEOUT, note_awaited);
	return timer;
}

static void
start_looking(void)
{
	int			ms = Max(Min(LOOK_MS, LockTimeout / 4), 1);

	awaited.mode = NoLock;
	enable_timeout_every(look_timer(),
						 TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms), ms);
}

/* Whether this process holds the awaited lock, or waits for it in front of us. */
static bool
is_in_the_way(const LockInstanceData *lock)
{
	bool		holds = false;

	if (memcmp(&lock->locktag, &awaited.tag, sizeof(LOCKTAG)) != 0 || lock->pid == MyProcPid)
		return false;
	for (LOCKMODE mode = 1; mode <= MaxLockMode; mode++)
		holds |= (lock->holdMask & LOCKBIT_ON(mode)) != 0 && DoLockModesConflict(mode, awaited.mode);
	return holds || (lock->waitLockMode != NoLock && lock->waitStart != 0 &&
					 lock->waitStart < awaited.since &&
					 DoLockModesConflict(lock->waitLockMode, awaited.mode));
}

static PgBackendStatus *
status_of(int pid)
{
	int			n = pgstat_fetch_stat_numbackends();

	for (int i = 1; i <= n; i++)
	{
		PgBackendStatus *status = compat_backend_status(i);

		if (status != NULL && status->st_procpid == pid)
			return status;
	}
	return NULL;
}

static const char *
state_name(BackendState state)
{
	switch (state)
	{
		case STATE_IDLE:
			return "idle";
		case STATE_RUNNING:
			return "active";
		case STATE_IDLEINTRANSACTION:
			return "idle in transaction";
		case STATE_IDLEINTRANSACTION_ABORTED:
			return "idle in transaction (aborted)";
		case STATE_FASTPATH:
			return "fastpath function call";
		default:
			return "in a state that is not tracked";
	}
}

static void
append_blocker(StringInfo words, int pid)
{
	PgBackendStatus *status = status_of(pid);
	const char *role;

	if (words->len > 0)
		appendStringInfoChar(words, '\n');
	if (pid == 0)
		appendStringInfoString(words, "A prepared transaction is in the way: see pg_prepared_xacts.");
	else if (status == NULL)
		appendStringInfo(words, "Process %d is in the way.", pid);
	else
	{
		role = GetUserNameFromId(status->st_userid, true);
		appendStringInfo(words, "Process %d of role \"%s\" is in the way: %s for %.0f s.", pid,
						 role != NULL ? role : "", state_name(status->st_state),
						 (double) (GetCurrentTimestamp() - status->st_state_start_timestamp) / USECS_PER_SEC);
	}
}

/* A line each; empty if they have let go meanwhile. */
static char *
who_blocks(void)
{
	LockData   *locks = GetLockStatusData();
	StringInfoData words;

	initStringInfo(&words);
	pgstat_clear_backend_activity_snapshot();
	for (int i = 0; i < locks->nelements; i++)
		if (is_in_the_way(&locks->locks[i]))
			append_blocker(&words, locks->locks[i].leaderPid);
	return words.data;
}

/*
 * In the place of the ERROR of a lock wait that timed out.  The transaction is still
 * open, no lightweight lock is held (ProcessInterrupts would have waited), and the
 * catalogue may be read for the names of roles.
 */
static void
tell(const char *function, int timeout)
{
	const char *who = who_blocks();

	ereport(ERROR,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg("%s waited %d ms for a lock and gave up", function, timeout),
			 errdetail_internal("%s", who[0] != '\0' ? who : "Whoever held it has let go meanwhile."),
			 errhint("While it waits, writers wait behind it. SELECT pg_terminate_backend(pid) ends a session that is in the way; "
					 "ALTER ROLE ... SET idle_in_transaction_session_timeout = '1min' ends those that forgot their COMMIT. "
					 "How long is waited is lock_timeout, %s if that is 0.", DEFAULT_TIMEOUT)));
}

static void
tell_or_rethrow(const char *function, int timeout, MemoryContext context)
{
	if (geterrcode() != ERRCODE_LOCK_NOT_AVAILABLE || awaited.mode == NoLock)
		PG_RE_THROW();
	MemoryContextSwitchTo(context);
	FlushErrorState();
	tell(function, timeout);
}

void
blockers_run(const char *function, void (*work) (void *arg), void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	int			nest_level = NewGUCNestLevel();
	int			timeout;

	if (LockTimeout == 0)
		(void) set_config_option("lock_timeout", DEFAULT_TIMEOUT, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	timeout = LockTimeout;
	start_looking();
	PG_TRY();
	{
		work(arg);
	}
	PG_CATCH();
	{
		disable_timeout(look_timer(), false);
		tell_or_rethrow(function, timeout, context);
	}
	PG_END_TRY();
	disable_timeout(look_timer(), false);
	AtEOXact_GUC(false, nest_level);
}
