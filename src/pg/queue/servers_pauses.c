/*
 * servers_pauses.c
 *	  Why a draining process sends a server no requests: pauses, and what llava_usage says of them.
 */
#include "postgres.h"

#include "blame.h"
#include "loop.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

/* What llava_stat_server.pause_detail says while suspects are being tried. */
#define TRIAL_WORDS \
	"requests that were lost together when it went down are sent again, a few at a time or one by one;" \
	" all others wait for that"

/*
 * Whether llava_pause paused the server: such a pause outlasts whatever its requests
 * bring.
 */
bool
server_is_paused_by_option(ServerState *server)
{
	Pause		pause;

	limits_pause_now(server->limits, &pause);
	return server->options->paused && strcmp(pause.reason, "paused") == 0;
}

/* Ends a pause, if there is one, and logs that. */
void
server_resume(ServerState *server)
{
	if (limits_resume(server->limits))
		ereport(LOG,
				(errmsg("llava_zh: server \"%s\" resumed", server->options->name)));
}

/* How many requests were made: of the queue's rows, which llava_usage counts, and others. */
static const char *
requests_words(const ServerState *server)
{
	long long	most = (long long) server->options->max_requests;
	long long	made = most - (long long) limits_remaining(server->limits);
	long long	generated = (long long) limits_generated(server->limits);
	const char *reached = psprintf("max_requests %lld is reached (%lld request%s made", most, made, made == 1 ? "" : "s");

	if (generated == 0)
		return psprintf("%s)", reached);
	return psprintf("%s, %lld of them by llava_generate since the server's start)", reached, generated);
}

static const char *
limit_detail(const ServerState *server, const char *reason)
{
	const char *name = quote_identifier(server->options->name);

	if (strcmp(reason, "max_requests") == 0)
		return psprintf("%s; ALTER SERVER %s OPTIONS (SET max_requests '...') to go on",
						requests_words(server), name);
	if (strcmp(reason, "budget") == 0)
		return psprintf("the budget is used up; ALTER SERVER %s OPTIONS (SET budget '...') to go on",
						name);
	return "by the server option paused";
}

/*
 * A limit that a person set is a pause too, found and lifted here; the option paused is
 * lifted by its change, as every pause is.
 */
static void
check_server_limits(ServerState *server)
{
	const char *reason = limits_closed_by(server->options, server->limits);
	Pause		pause;

	limits_pause_now(server->limits, &pause);
	if (reason != NULL && pause.reason[0] == '\0')
		server_pause(server, reason, limit_detail(server, reason), false, 0);
	else if (reason == NULL && (strcmp(pause.reason, "max_requests") == 0 ||
								strcmp(pause.reason, "budget") == 0))
		server_resume(server);
}

void
servers_refresh(Loop *loop)
{
	foreach_server(server, loop)
	{
		if (!server->gone && server_is_asked_for(loop, server))
			check_server_limits(server);
	}
}

void
server_pause(ServerState *server, const char *reason, const char *detail, bool probe,
			 int64 call)
{
	if (!server_is_paused_by_option(server) &&
		limits_pause(server->limits, reason, detail, probe, call))
		ereport(LOG,
				(errmsg("llava_zh: server \"%s\" paused (%s): %s",
						server->options->name, reason, detail)));
}

/* The server's words are cut for what a person with a mapping of their own must know. */
void
server_pause_for_key(ServerState *server, const VlmOutcome *outcome, int64 call)
{
	const char *unused = server->read->mappings_unused;
	char		words[sizeof(outcome->detail)];
	int			room;

	if (unused == NULL || strlen(unused) + strlen("; ") >= sizeof(words))
	{
		server_pause(server, outcome->reason, outcome->detail, outcome->probe, call);
		return;
	}
	room = (int) (sizeof(words) - 1 - strlen(unused) - strlen("; "));
	room = pg_mbcliplen(outcome->detail, (int) strlen(outcome->detail), room);
	snprintf(words, sizeof(words), "%.*s; %s", room, outcome->detail, unused);
	server_pause(server, outcome->reason, words, outcome->probe, call);
}

void
server_works(ServerState *server)
{
	Pause		pause;

	limits_pause_now(server->limits, &pause);
	if (pause.reason[0] != '\0' && limits_closed_by(server->options, server->limits) == NULL)
		server_resume(server);
}

void
server_probe_failed(ServerState *server, int64 call)
{
	Pause		pause;

	limits_pause_now(server->limits, &pause);
	if (pause.prober == MyProcPid)
		server_pause(server, pause.reason, pause.detail, true, call);
}

/* Logs that suspects are being tried, or no longer. */
static void
say_trial(const ServerState *server, bool trial)
{
	if (trial)
		ereport(LOG,
				(errmsg("llava_zh: server \"%s\": %s", server->options->name, TRIAL_WORDS)));
	else
		ereport(LOG,
				(errmsg("llava_zh: server \"%s\" is sent requests as before", server->options->name)));
}

/* Writes to llava_usage what it lacks of the server's pause, or of its trial. */
static void
record_pause(ServerState *server)
{
	Pause		pause;
	bool		paused;
	bool		news;
	bool		trial = limits_trial(server->limits, &news);

	limits_pause_now(server->limits, &pause);
	paused = pause.reason[0] != '\0';
	/* a pause is reported in place of a trial */
	trial &= !paused;
	if (pause.recorded && (!news || paused))
		return;
	if (!paused && news)
		say_trial(server, trial);
	if (paused)
		usage_record_pause(server->options, pause.reason, rows_clean_text(pause.detail));
	else
		usage_record_pause(server->options, NULL, trial ? TRIAL_WORDS : NULL);
	limits_pause_recorded(server->limits, paused ? pause.reason : NULL);
	limits_trial_recorded(server->limits, trial);
}

void
server_record_pauses(Loop *loop)
{
	foreach_server(server, loop)
	{
		if (server->gone)
			continue;
		blame_return_rows(loop, server);
		record_pause(server);
	}
}

TimestampTz
servers_next_probe(Loop *loop)
{
	TimestampTz next = DT_NOEND;

	foreach_server(server, loop)
	{
		Pause		pause;

		limits_pause_now(server->limits, &pause);
		if (pause.reason[0] != '\0' && !server->gone && server->in_flight == 0)
			next = Min(next, pause.probe_at);
	}
	return next;
}

bool
servers_any_paused(Loop *loop)
{
	foreach_server(server, loop)
	{
		Pause		pause;

		limits_pause_now(server->limits, &pause);
		if (pause.reason[0] != '\0')
			return true;
	}
	return dlist_is_empty(&loop->servers.list);
}
