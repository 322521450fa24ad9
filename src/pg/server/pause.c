/*
 * pause.c
 *	  llava_pause and llava_resume: they change the server option paused by ALTER SERVER,
 *	  which checks the caller's rights.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "foreign/foreign.h"
#include "server_private.h"
#include "utils/builtins.h"
#include "utils/guc.h"

PG_FUNCTION_INFO_V1(llava_pause);
PG_FUNCTION_INFO_V1(llava_resume);

/* Whether the server has the option, with any value. */
static bool
has_option_paused(Oid server)
{
	return options_value(GetForeignServer(server)->options, "paused") != NULL;
}

bool
server_is_paused(Oid server)
{
	const char *value = options_value(GetForeignServer(server)->options, "paused");
	bool		paused = false;
	const char *recorded;
	const Limits *limits;

	if (value != NULL && parse_bool(value, &paused) && paused)
		return true;
	limits_lock();
	limits = limits_entry_of(server);
	/* that the option was taken back counts before a worker has seen it */
	paused = limits != NULL && limits->pause.reason[0] != '\0' && strcmp(limits->pause.reason, "paused") != 0;
	limits_unlock();
	if (limits != NULL)
		return paused;
	recorded = usage_pause_reason(GetForeignServer(server)->servername);
	return recorded != NULL && strcmp(recorded, "paused") != 0;
}

/* ALTER SERVER with the caller's rights. */
static void
alter_server(const char *name, const char *options)
{
	int			rc = SPI_execute(psprintf("ALTER SERVER %s OPTIONS (%s)",
										  quote_identifier(name), options), false, 0);

	if (rc != SPI_OK_UTILITY)
		elog(ERROR, "ALTER SERVER: %s", SPI_result_code_string(rc));
}

SqlStatement sql_forget_waits = {
	.text =
	QUEUE_GROUPS ", waiting AS MATERIALIZED ("
	"  SELECT p.ctid FROM g JOIN @.llava_pending p ON " ROW_OF_GROUP
	"  WHERE p.holder IS NULL AND p.visible_at > pg_catalog.now()"
	"  FOR UPDATE OF p SKIP LOCKED)"
	" UPDATE @.llava_pending p SET visible_at = pg_catalog.now()"
	" FROM waiting WHERE p.ctid = waiting.ctid",
	.types = ""
};

/* Runs as the table's owner, with the caller's search_path out of the way. */
static SqlStatement sql_usage_resume = {
	.text =
	"UPDATE @.llava_usage SET pause_reason = NULL, pause_detail = NULL, paused_at = NULL"
	" WHERE server = $1 AND pause_reason IS NOT NULL",
	.types = "t"
};

/*
 * Forgets why a worker paused the server, and what rows wait for.  The caller has been
 * verified to own the server.
 */
static void
forget_reason(const char *name)
{
	int			level = NewGUCNestLevel();
	Datum		value = CStringGetTextDatum(name);

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	rows_run_as_owner(extension_relation("llava_usage"), &sql_usage_resume, &value, NULL);
	rows_run_as_owner(extension_relation("llava_pending"), &sql_forget_waits, NULL, NULL);
	AtEOXact_GUC(false, level);
}

/* llava_pause(server text): workers send the server no more requests. */
Datum
llava_pause(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	bool		there = has_option_paused(server_named(name));

	rows_spi_connect();
	alter_server(name, there ? "SET paused 'true'" : "ADD paused 'true'");
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * llava_resume(server text): undoes llava_pause, and has workers try a server that they
 * paused themselves, or that sent Retry-After.  A missing option is added first: only
 * ALTER SERVER checks the caller's rights, and its change of the catalogue makes
 * workers look.
 */
Datum
llava_resume(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Oid			server = server_named(name);
	bool		there = has_option_paused(server);

	rows_spi_connect();
	if (!there)
		alter_server(name, "ADD paused 'false'");
	alter_server(name, "DROP paused");
	forget_reason(name);
	limits_forget_wait_of(server);
	SPI_finish();
	wake_at_commit(GetCurrentTimestamp());
	PG_RETURN_VOID();
}
