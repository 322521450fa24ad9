/*
 * transport.c
 *	  Runs the request pool inside a PostgreSQL process.  This is the only place where the
 *	  extension sleeps.
 *
 * The pool has one descriptor (an epoll set) for all its sockets.  So the process always
 * waits for the same few events (latch, postmaster, pool, image threads), and interrupts
 * are served as everywhere in PostgreSQL.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "compat.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "process.h"
#include "storage/fd.h"
#include "storage/ipc.h"

/* Descriptors left to other code, beside fd.c's budget, when sockets are counted out. */
#define DESCRIPTORS_FOR_OTHERS 128

/* Long work that can be interrupted serves the sockets after this time. */
#define OVERDUE_US 2000

static VlmPool *pool;
static int	pool_connections;	/* as requested */
static int	pool_sockets;		/* as the limit of open files allows */
static WaitEventSet *wait_set;
static int	wait_set_extra_fd = -1;
static int	reserved_fds;		/* reported to fd.c as external */
static int	borrowed_fds;		/* of those, the ones that sockets took from
								 * fd.c's budget */
static instr_time looked_at;	/* time of the last look at the sockets; zero:
								 * none was in use */

/*
 * Takes descriptors for missing sockets out of fd.c's budget, when the limit of open files
 * leaves no others.  fd.c grants up to a third of its budget.  Returns how many were
 * granted in all.
 */
static int
borrow_descriptors(int missing)
{
	while (borrowed_fds < missing && AcquireExternalFD())
	{
		borrowed_fds++;
		reserved_fds++;
	}
	return borrowed_fds;
}

/*
 * Raises the soft limit of open files to have room for this many sockets.  Returns the
 * number of sockets that there is room for.
 */
static int
sockets_allowed(int wanted)
{
	struct rlimit limit;
	int			beside;
	rlim_t		needed = (rlim_t) wanted + max_safe_fds + DESCRIPTORS_FOR_OTHERS;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return Min(wanted, 256);
	if (limit.rlim_cur < needed && limit.rlim_cur != RLIM_INFINITY)
	{
		rlim_t		before = limit.rlim_cur;

		limit.rlim_cur = limit.rlim_max == RLIM_INFINITY ? needed : Min(needed, limit.rlim_max);
		if (limit.rlim_cur > before && setrlimit(RLIMIT_NOFILE, &limit) != 0)
			limit.rlim_cur = before;
	}
	if (limit.rlim_cur >= needed || limit.rlim_cur == RLIM_INFINITY)
		return wanted;
	beside = Max(0, (int) limit.rlim_cur - max_safe_fds - DESCRIPTORS_FOR_OTHERS);
	return Max(1, beside + borrow_descriptors(wanted - beside));
}

/*
 * Makes the kernel enlarge this process's table of descriptors now.  Otherwise it doubles
 * the table whenever it is full, which takes 5 to 10 ms in a process with threads.
 */
static void
widen_descriptor_table(int sockets)
{
	int			highest = fcntl(vlm_pool_fd(pool), F_DUPFD_CLOEXEC,
								sockets + DESCRIPTORS_FOR_OTHERS);

	if (highest >= 0)
		close(highest);
}

static void
pool_exit(int code, Datum arg)
{
	/*
	 * No vlm_pool_free here: the process ends and the kernel closes the
	 * sockets at once, whereas an orderly close could wait for a peer.
	 */
	while (reserved_fds-- > 0)
		ReleaseExternalFD();
	pool = NULL;
}

VlmPool *
transport_pool(int max_connections)
{
	int			allowed;

	if (pool != NULL && max_connections <= pool_connections)
		return pool;

	allowed = sockets_allowed(max_connections);
	if (allowed < max_connections)
		ereport(WARNING,
				(errmsg("the limit of open files leaves room for %d requests at once, not %d",
						allowed, max_connections),
				 errhint("Raise the hard limit of open files of the server (LimitNOFILE, ulimit -n).")));
	if (pool == NULL)
	{
		pool = vlm_pool_new(allowed);
		if (pool == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
					 errmsg("could not create the request pool")));
		/* the pool's own descriptor; the sockets were counted out above */
		ReserveExternalFD();
		reserved_fds++;
		before_shmem_exit(pool_exit, (Datum) 0);
	}
	else
		vlm_pool_set_max_connections(pool, allowed);
	widen_descriptor_table(allowed);
	pool_connections = max_connections;
	pool_sockets = allowed;
	return pool;
}

bool
transport_has_room(void)
{
	return vlm_pool_in_flight(pool) < pool_sockets;
}

void
transport_forget_extra(void)
{
	if (wait_set != NULL)
		FreeWaitEventSet(wait_set);
	wait_set = NULL;
}

static void
make_wait_set(int extra_fd)
{
	if (wait_set != NULL && wait_set_extra_fd == extra_fd)
		return;
	transport_forget_extra();
	wait_set = compat_wait_set(4);
	AddWaitEventToSet(wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	AddWaitEventToSet(wait_set, WL_SOCKET_READABLE, vlm_pool_fd(pool), NULL, NULL);
	if (extra_fd >= 0)
		AddWaitEventToSet(wait_set, WL_SOCKET_READABLE, extra_fd, NULL, NULL);
	wait_set_extra_fd = extra_fd;
}

/* The time since the last look at the sockets; 0 if none was in use. */
static int64
time_away_us(void)
{
	instr_time	away;

	if (INSTR_TIME_IS_ZERO(looked_at))
		return 0;
	INSTR_TIME_SET_CURRENT(away);
	INSTR_TIME_SUBTRACT(away, looked_at);
	return (int64) INSTR_TIME_GET_MICROSEC(away);
}

/* After a look at the sockets. */
static void
look_ends(void)
{
	INSTR_TIME_SET_ZERO(looked_at);
	if (vlm_pool_in_flight(pool) > 0)
		INSTR_TIME_SET_CURRENT(looked_at);
}

bool
transport_wait(int extra_fd, long timeout_ms)
{
	WaitEvent	events[4];
	int			n;
	bool		latched = false;
	int64		pool_timeout = vlm_pool_prepare_wait(pool);

	make_wait_set(extra_fd);
	if (pool_timeout >= 0 && (timeout_ms < 0 || pool_timeout < timeout_ms))
		timeout_ms = (long) pool_timeout;
	meter_look(time_away_us());
	n = WaitEventSetWait(wait_set, timeout_ms, events, lengthof(events),
						 vlm_pool_in_flight(pool) > 0 ?
						 compat_wait_event_http() : compat_wait_event_idle());
	look_ends();
	for (int i = 0; i < n; i++)
		latched |= (events[i].events & WL_LATCH_SET) != 0;
	if (latched)
		ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	vlm_pool_step(pool);
	return latched;
}

bool
transport_is_overdue(void)
{
	return time_away_us() >= OVERDUE_US;
}

void
transport_serve(void)
{
	(void) vlm_pool_prepare_wait(pool);
	meter_look(time_away_us());
	look_ends();
	vlm_pool_step(pool);
	CHECK_FOR_INTERRUPTS();
}
