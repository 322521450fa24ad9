/*
 * holders.c
 *	  Releases the leases of processes that no longer exist.
 *
 * A pid proves nothing: it may
 * have been reused, and a lease from a dump belongs to another cluster.  A holder is
 * alive only if it is a worker with a slot in this database or a draining session with
 * its advisory lock.
 *
 * A process that starts after the list of live holders was made may reuse a dead holder's
 * number.  So only rows are released whose call id was drawn before the list was made.
 */
#include "postgres.h"

#include "claim.h"
#include "miscadmin.h"

void
holders_begin(void)
{
	(void) own_lock_try(OWN_LOCK_DRAIN, MyProcPid, true);
}

/* A trigger may have run pg_advisory_unlock_all() in this session. */
void
holders_keep(void)
{
	if (!own_lock_is_mine(OWN_LOCK_DRAIN, MyProcPid))
		holders_begin();
}

void
holders_end(void)
{
	if (own_lock_is_mine(OWN_LOCK_DRAIN, MyProcPid))
		own_lock_release(OWN_LOCK_DRAIN, MyProcPid, true);
}

/* The live holders of this database without this process, as bigint[]. */
static Datum
others(Loop *loop)
{
	OwnLockHolder *workers;
	OwnLockHolder *sessions;
	int			n_workers = slots_taken(&workers);
	int			n_sessions = own_lock_holders(OWN_LOCK_DRAIN, &sessions);
	Datum	   *values = palloc(sizeof(Datum) * (n_workers + n_sessions + 1));
	int			n = 0;

	for (int i = 0; i < n_workers; i++)
		if (workers[i].number != loop->holder)
			values[n++] = Int64GetDatum(workers[i].number);
	for (int i = 0; i < n_sessions; i++)
		if (-sessions[i].number != loop->holder)
			values[n++] = Int64GetDatum(-sessions[i].number);
	return loop_bigints(values, n);
}

/*
 * Releases the leases of all holders but $1, on rows with call ids up to $3.  A locked row
 * is skipped, and waits for the end of its lease.
 */
static SqlStatement sql_release_holders = {
	.text =
	"WITH held AS MATERIALIZED ("
	"  SELECT ctid FROM @.llava_pending"
	"  WHERE failure IS NULL AND visible_at > pg_catalog.now() AND holder IS NOT NULL"
	"    AND holder <> ALL ($1) AND coalesce(call, 0) <= $3"
	"  FOR UPDATE SKIP LOCKED), "
	RELEASE_HELD ", "
	"noted AS (INSERT INTO @.llava_interrupted (image, call, task)"
	"  SELECT image, call, task FROM released WHERE call IS NOT NULL ON CONFLICT DO NOTHING) "
	"SELECT FROM released",
	.types = "Lil"
};

static void
release(Loop *loop, void *arg)
{
	Datum		values[3];

	/* the call id must be read before the list of live holders */
	values[2] = Int64GetDatum(call_seq_last_drawn());
	values[0] = others(loop);
	values[1] = Int32GetDatum(MAX_INTERRUPTIONS);
	if (sql_run(&sql_release_holders, values, NULL, 0) > 0)
		claim_reset_cursor(loop, DT_NOBEGIN);
}

static void
try_release(Loop *loop)
{
	ErrorData  *error;

	loop->holders.look_ms = clock_monotonic_ms() + Max(llava_naptime, 1000);
	if (loop_try(loop, release, NULL, &error))
		return;
	/* no harm is done: the leases run out anyway */
	ereport(LOG, (errmsg("llava_zh: could not release leases of ended processes: %s", error->message)));
	FreeErrorData(error);
}

void
holders_release(Loop *loop)
{
	/*
	 * others() leaves this process out, so its own calls would be released
	 * too
	 */
	if (loop->holders.released || loop->calls.held > 0)
		return;
	loop->holders.released = true;	/* after an error too */
	if (!loop_begin(loop, "llava_zh: releasing leases"))
	{
		loop->holders.released = false;
		return;
	}
	try_release(loop);
	loop_commit(loop);
}

void
holders_look(Loop *loop)
{
	TimestampTz next_due;

	if (loop->calls.held == 0 && clock_monotonic_ms() >= loop->holders.look_ms &&
		destinations_are_dry(loop, &next_due))
		try_release(loop);
}

void
holders_release_again(Loop *loop)
{
	loop->holders.released = false;
}
