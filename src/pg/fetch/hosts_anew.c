/*
 * hosts_anew.c
 *	  What is done to all hosts at once: when a fetcher begins, and when the clock was set.
 */
#include "postgres.h"

#include "errand.h"
#include "executor/spi.h"
#include "utils/builtins.h"

static SqlStatement sql_rows_release = {
	.text =
	"UPDATE @.llava_fetch SET holder = NULL, visible_at = pg_catalog.now() WHERE holder IS NOT NULL",
	.types = ""
};

/*
 * A host's delay counts from a second on: when its request was sent is not known, nor how
 * long the host took to read it.
 */
#define DELAY "pg_catalog.make_interval(secs => 1 + GREATEST(delay_ms, $1) / 1000.0)"
static SqlStatement sql_hosts_release = {
	.text =
	"UPDATE @.llava_host SET asking = false, free_at = GREATEST(free_at,"
	"  pg_catalog.now() + " DELAY "),"
	"  next_at = CASE WHEN parked THEN 'infinity' ELSE"
	"   GREATEST(free_at, pg_catalog.now() + " DELAY ") END"
	" WHERE asking",
	.types = "i"
};

void
hosts_release(int delay_ms)
{
	Datum		value = Int32GetDatum(delay_ms);

	(void) sql_run(&sql_rows_release, NULL, NULL, 0);
	(void) sql_run(&sql_hosts_release, &value, NULL, 0);
}

/*
 * A host that is asked as usual waits for its delay from now on.  How long it is put off by
 * what it has said itself, or by what it does not do, follows the clock.
 */
static SqlStatement sql_hosts_follow = {
	.text =
	"UPDATE @.llava_host SET free_at = pg_catalog.now() + pg_catalog.make_interval(secs => delay_ms / 1000.0),"
	"  next_at = CASE WHEN next_at = 'infinity' THEN next_at"
	"   ELSE pg_catalog.now() + pg_catalog.make_interval(secs => delay_ms / 1000.0) END"
	" WHERE NOT asking AND state IN ('ok', 'slow') AND robots_failed_at IS NULL"
	"  AND free_at > pg_catalog.now() - pg_catalog.make_interval(secs => GREATEST($1, 0) / 1000.0)",
	.types = "l"
};

/* What was queued by the clock of before. */
static SqlStatement sql_rows_follow = {
	.text =
	"UPDATE @.llava_fetch SET visible_at = pg_catalog.now()"
	" WHERE failure IS NULL AND holder IS NULL AND tried IS NULL AND visible_at > pg_catalog.now()",
	.types = ""
};

void
hosts_follow_clock(int64 step_ms)
{
	Datum		value = Int64GetDatum(step_ms);

	(void) sql_run(&sql_hosts_follow, &value, NULL, 0);
	if (step_ms < 0)
		(void) sql_run(&sql_rows_follow, NULL, NULL, 0);
}
