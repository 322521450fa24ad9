/*
 * blockers.c
 *	  A function that waits for locks waits for a limited time and reports who holds
 *	  them.
 *
 * llava_forget queues for locks that every writer wants, so while it waits for an idle
 * transaction all writers wait behind it.  When a lock wait times out, the backend has
 * left the wait queue before it can ask who blocked it; so a timer notes every few
 * milliseconds which lock is awaited, and the holders of that lock are looked up
 * afterwards.
 */
#include "postgres.h"

#include "db.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

/* The lock timeout where the session has none. */
#define DEFAULT_TIMEOUT "10s"

/* How often the awaited lock is noted; in a shorter wait, four times. */
#define LOOK_MS 50

/* The longest chain of waits that is followed. */
#define MAX_CHAIN 16

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
	LOCK	   *lock = MyProc == NULL ? NULL : MyProc->waitLock;

	/* no MyProc: the process ends */
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

void
blockers_note_begin(int every_ms)
{
	awaited.mode = NoLock;
	enable_timeout_every(look_timer(),
						 TimestampTzPlusMilliseconds(GetCurrentTimestamp(), every_ms), every_ms);
}

void
blockers_note_end(void)
{
	disable_timeout(look_timer(), false);
}

/* Whether a process holds the lock that another awaits, or awaits it ahead of that one. */
static bool
is_in_the_way(const LockInstanceData *lock, const Awaited *of, int awaited_by)
{
	bool		holds = false;

	if (memcmp(&lock->locktag, &of->tag, sizeof(LOCKTAG)) != 0 || lock->leaderPid == awaited_by)
		return false;
	for (LOCKMODE mode = 1; mode <= MaxLockMode; mode++)
		holds |= (lock->holdMask & LOCKBIT_ON(mode)) != 0 && DoLockModesConflict(mode, of->mode);
	return holds || (lock->waitLockMode != NoLock && lock->waitStart != 0 &&
					 lock->waitStart < of->since &&
					 DoLockModesConflict(lock->waitLockMode, of->mode));
}

/* The first process in the way; -1 if there is none. */
static int
find_in_the_way(const LockData *locks, const Awaited *of, int awaited_by)
{
	for (int i = 0; i < locks->nelements; i++)
		if (is_in_the_way(&locks->locks[i], of, awaited_by))
			return locks->locks[i].leaderPid;
	return -1;
}

/* False if the process waits for no lock. */
static bool
awaited_of(const LockData *locks, int pid, Awaited *by_it)
{
	for (int i = 0; i < locks->nelements; i++)
	{
		const LockInstanceData *lock = &locks->locks[i];

		if (lock->leaderPid != pid || lock->waitLockMode == NoLock)
			continue;
		by_it->tag = lock->locktag;
		by_it->mode = lock->waitLockMode;
		by_it->since = lock->waitStart;
		return true;
	}
	return false;
}

bool
blockers_find(Blocker *blocker)
{
	LockData   *locks;
	Awaited		next = awaited;
	int			pid;

	if (awaited.mode == NoLock)
		return false;
	locks = GetLockStatusData();
	blocker->tag = awaited.tag;
	blocker->pid = blocker->first = find_in_the_way(locks, &awaited, MyProcPid);
	/* bounded, since the locks were not all read at one moment */
	for (int i = 0; i < MAX_CHAIN && blocker->first > 0; i++)
	{
		if (!awaited_of(locks, blocker->first, &next))
			break;
		pid = find_in_the_way(locks, &next, blocker->first);
		if (pid < 0)
			break;
		blocker->first = pid;
	}
	return blocker->pid >= 0;
}

static int
compare_pids(const void *a, const void *b)
{
	return *(const int *) a - *(const int *) b;
}

int
blockers_greediest(int *locks)
{
	LockData   *all = GetLockStatusData();
	int		   *pids = palloc(sizeof(int) * Max(all->nelements, 1));
	int			greediest = 0;
	int			run = 0;

	for (int i = 0; i < all->nelements; i++)
		pids[i] = all->locks[i].leaderPid;
	qsort(pids, all->nelements, sizeof(int), compare_pids);
	*locks = 0;
	for (int i = 0; i < all->nelements; i++)
	{
		run = i > 0 && pids[i] == pids[i - 1] ? run + 1 : 1;
		if (run <= *locks)
			continue;
		*locks = run;
		greediest = pids[i];
	}
	return greediest;
}

/*
 * Replaces the ERROR of a lock wait that timed out, and rethrows any other.  The
 * transaction is still open, no lightweight lock is held (ProcessInterrupts would have
 * waited), and the catalogue may be read for the names of roles.
 */
static void
tell_or_rethrow(const char *function, int timeout, MemoryContext context)
{
	LockData   *locks;
	StringInfoData who;

	if (geterrcode() != ERRCODE_LOCK_NOT_AVAILABLE || awaited.mode == NoLock)
		PG_RE_THROW();
	MemoryContextSwitchTo(context);
	FlushErrorState();
	locks = GetLockStatusData();
	initStringInfo(&who);
	for (int i = 0; i < locks->nelements; i++)
		if (is_in_the_way(&locks->locks[i], &awaited, MyProcPid))
			appendStringInfo(&who, "%s%s", who.len > 0 ? "\n" : "",
							 process_in_the_way(locks->locks[i].leaderPid));
	ereport(ERROR,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg("%s waited %d ms for a lock and gave up", function, timeout),
			 errdetail_internal("%s", who.len > 0 ? who.data : "Its holder has released it meanwhile."),
			 errhint("While it waits, writers wait behind it. SELECT pg_terminate_backend(pid) ends a session that is in the way (pg_signal_backend may); "
					 "ALTER ROLE ... SET idle_in_transaction_session_timeout = '1min' ends those that forgot their COMMIT, unless they change it. "
					 "How long is waited is lock_timeout, %s if that is 0.", DEFAULT_TIMEOUT)));
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
	blockers_note_begin(Max(Min(LOOK_MS, LockTimeout / 4), 1));
	PG_TRY();
	{
		work(arg);
	}
	PG_CATCH();
	{
		blockers_note_end();
		tell_or_rethrow(function, timeout, context);
	}
	PG_END_TRY();
	blockers_note_end();
	AtEOXact_GUC(false, nest_level);
}
