/*
 * blame.c
 *	  Decides from the text of errors whether the server is at fault, and returns rows to
 *	  the queue that failed because of it.
 *
 * A failed row keeps a hash of server and error text (llava_pending.said).  When the
 * server turns out to be at fault, one lookup by that hash finds the rows that failed
 * before, in the transaction that records the pause; this works after a crash too.  Each
 * row is returned at most once (llava_pending.excused).
 */
#include "postgres.h"

#include "blame.h"
#include "hopeless.h"
#include "loop.h"
#include "miscadmin.h"
#include "utils/builtins.h"

/* Rows returned in one transaction; the next one returns more while the pause lasts. */
#define RETURNED_AT_ONCE 256

/*
 * An error text that no known provider uses may concern the pictures after all, when
 * many bad ones are neighbours in the queue.  The longest interval between probes is
 * therefore short: refusals are not billed, and each probe sends another picture.
 */
#define DOUBTFUL_PROBE_MS 8000

/* A longer name would leave no room for the rest of the hint. */
#define LONGEST_NAME 80

void
blame_thinking_hint(const LlavaServer *server, char *hint, Size size)
{
	const char *name = quote_identifier(server->name);

	snprintf(hint, size,
			 "ALTER SERVER %s OPTIONS (%s extra_body"
			 " '{\"chat_template_kwargs\": {\"enable_thinking\": false}}') switches thinking off;"
			 " with DashScope it is '{\"enable_thinking\": false}'",
			 strlen(name) > LONGEST_NAME ? "..." : name,
			 server->extra_body == NULL ? "ADD" : "SET");
}

/* Pauses the server because of this call's error, or prolongs the pause. */
static void
pause_for(ServerState *server, const Call *call)
{
	const VlmOutcome *outcome = &call->end.outcome;
	char		hint[BLAME_HINT_SIZE];

	if (outcome->action == VLM_DONE && strcmp(outcome->reason, "no_answer_thinking") == 0)
	{
		strlcpy(hint, "the model thinks and gives no answer. HINT: ", sizeof(hint));
		blame_thinking_hint(server->options, hint + strlen(hint), sizeof(hint) - strlen(hint));
		server_pause(server, outcome->reason, hint, true, call->id);
	}
	else
		server_pause(server, outcome->reason,
					 outcome->detail[0] != '\0' ? outcome->detail : outcome->reason,
					 true, call->id);
	if (outcome->action != VLM_DONE)
		limits_probe_within(server->limits, DOUBTFUL_PROBE_MS);
}

bool
blame_server(ServerState *server, Call *call)
{
	VlmOutcome *outcome = &call->end.outcome;
	Pause		pause;
	bool		probe;

	if (!limits_blame(server->limits, outcome, call->row.attempts == 1 && !call->row.excused))
		return false;
	limits_pause_now(server->limits, &pause);
	probe = pause.prober == MyProcPid;
	call->retry.blameless = true;
	hopeless_forgive(call);
	if (outcome->action == VLM_RETRY)
		outcome->counts &= probe;
	/* requests that were in flight when the pause began add no information */
	if (probe || pause.reason[0] == '\0')
		pause_for(server, call);
	return true;
}

bool
blame_excuses(const Call *call)
{
	if (!call->request.sent || call->row.excused || call->end.outcome.said == 0)
		return false;
	return call->retry.blameless || limits_guilty(call->server->limits, call->end.outcome.said);
}

int64
blame_number(const char *server, uint64 said)
{
	uint64		number = said;

	if (said == 0)
		return 0;
	for (; *server != '\0'; server++)
		number = (number ^ (unsigned char) *server) * UINT64CONST(0x100000001b3);
	return number == 0 ? 1 : (int64) number;
}

/*
 * Rows whose last failure or reject was this error text from this server.  Those that
 * failed for other causes (interrupted, near_duplicate) are left alone.
 */
static SqlStatement sql_excuse = {
	.text =
	"WITH failed AS MATERIALIZED (SELECT ctid FROM @.llava_pending"
	"  WHERE said = $1 AND holder IS NULL"
	"   AND coalesce(failure NOT IN ('interrupted', 'near_duplicate'), true)"
	"  ORDER BY call DESC LIMIT $3 FOR UPDATE SKIP LOCKED) "
	"UPDATE @.llava_pending p SET failure = NULL, attempts = 0, said = NULL, excused = true,"
	"  rejects = pg_catalog.array_remove(p.rejects, $2), refused_by = NULL,"
	"  visible_at = pg_catalog.now() FROM failed WHERE p.ctid = failed.ctid",
	.types = "ltl"
};

void
blame_return_rows(Loop *loop, ServerState *server)
{
	char		reason[BLAME_HINT_SIZE];
	uint64		said;
	Datum		values[3];

	if (!limits_owed(server->limits, &said, reason, sizeof(reason)))
		return;
	values[0] = Int64GetDatum(blame_number(server->options->name, said));
	values[1] = CStringGetTextDatum(reason);
	values[2] = Int64GetDatum(RETURNED_AT_ONCE);
	if (sql_run(&sql_excuse, values, NULL, 0) > 0)
		claims_wake(loop);
}
