/*
 * untaken.c
 *	  Reports pictures that were inserted while triggers were off, as logical replication
 *	  and session_replication_role do it.
 *
 * No trigger has taken such a picture in, so it has no sha256 and no row in the queue.
 */
#include "postgres.h"

#include "db/db.h"
#include "executor/spi.h"
#include "loop.h"

static SqlStatement sql_not_taken_in = {
	.text =
	"SELECT pg_catalog.count(*) FROM"
	" (SELECT FROM @.llava_image WHERE received_at IS NULL LIMIT 1000) n",
	.types = ""
};

void
untaken_look(Loop *loop)
{
	bool		isnull;
	int64		n;

	sql_run(&sql_not_taken_in, NULL, NULL, 0);
	n = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	if (n > 0 && !loop->untaken_said)
		ereport(loop->tx.in_procedure ? NOTICE : LOG,
				(errmsg("llava_zh: pictures that were inserted while triggers were off are not queued: "
						INT64_FORMAT "%s", n, n >= UNTAKEN_COUNTED ? " or more" : ""),
				 errhint(UNTAKEN_HINT)));
	loop->untaken_said = n > 0;
}
