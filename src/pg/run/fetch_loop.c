/*
 * fetch_loop.c
 *	  The background worker that fetches: as a worker, with another loop.
 */
#include "postgres.h"

#include "access/xact.h"
#include "compat.h"
#include "db/db.h"
#include "fetch/fetch.h"
#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "process/process.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "worker.h"

/* The pause after an error that no single row caused. */
#define ERROR_PAUSE_MS 1000

static void
end_if_wanted(Fetcher *fetcher)
{
	static bool wound_up;

	if (!stop_wanted())
		return;
	if (!wound_up)
	{
		wound_up = true;
		fetcher_wind_up(fetcher);
	}
	stop_now();
}

static void
reload_if_wanted(Fetcher *fetcher)
{
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	fetcher_reload(fetcher);
}

void
worker_fetch(const WorkerTarget *target)
{
	Fetcher    *fetcher = fetcher_new();
	sigjmp_buf	on_error;

	stop_watch();
	if (sigsetjmp(on_error, 1) != 0)
	{
		worker_watch_errors();
		HOLD_INTERRUPTS();
		EmitErrorReport();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(TopMemoryContext);
		FlushErrorState();
		RESUME_INTERRUPTS();
		pgstat_report_activity(STATE_IDLE, NULL);
		fetcher_recover(fetcher, ERROR_PAUSE_MS);
	}
	PG_exception_stack = &on_error;
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		slot_keep(target->slot);
		end_if_wanted(fetcher);
		reload_if_wanted(fetcher);
		worker_end_without_extension(target);
		fetcher_turn(fetcher);
	}
}
