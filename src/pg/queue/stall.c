/*
 * stall.c
 *	  Reports why a loop sends nothing although rows are due.
 *
 * Many things can keep a row from being sent, each known to another file.  When there was
 * no progress for a while, this file asks them one after the other and reports the first
 * that applies.  Time is measured by the monotonic clock.
 */
#include "postgres.h"

#include <ctype.h>

#include "hopeless.h"
#include "loop.h"
#include "process/process.h"
#include "utils/builtins.h"

/* Longer than dispatch.c's pause: the directory counts as missing until the next try. */
#define FILES_AWAY_MS (15 * 1000)

/* Most servers that a report names. */
#define MAX_NAMED 4

static bool progressed = true;
static int64 since_ms;			/* last progress, by the monotonic clock */
static int64 look_ms;			/* earliest next look */
static char shown[640];			/* the activity; "": it does not stand still */
static char said[512];			/* the reason that was logged last ... */
static uint64 said_after;		/* ... and how many rows were done then */

void
stall_begin(void)
{
	progressed = true;
	shown[0] = said[0] = '\0';
}

void
stall_progress(void)
{
	progressed = true;
}

const char *
stall_activity(void)
{
	return shown[0] != '\0' ? shown : NULL;
}

/* ---- reasons ---- */

/* Why a server is sent nothing; NULL if it may be used. */
static const char *
server_words(ServerState *server)
{
	const char *name = server->options->name;
	Pause		pause;

	if (server->gone)
		return NULL;
	limits_pause_now(server->limits, &pause);
	if (pause.reason[0] != '\0')
		return psprintf("server \"%s\" is paused (%s)", name, pause.reason);
	return server_chance(server) == SERVER_OPEN ? NULL :
		psprintf("server \"%s\" has reached its max_requests or budget", name);
}

/* Why rows have no server although they or their task name one. */
static const char *
named_words(const LlavaTask *task, const Route *route)
{
	if (route_is_closed(route))
		return psprintf("rows of task \"%s\" are for server \"%s\", and forbid it", task->name, route->server);
	if (task->server != NULL && strcmp(task->server, route->server) == 0)
		return psprintf("task \"%s\" is for server \"%s\", which does not exist or which the worker may not use",
						task->name, task->server);
	return psprintf("rows are for server \"%s\", which does not exist or which the worker may not use",
					route->server);
}

/* Why rows of the task that have this route have no available server. */
static const char *
servers_words(Loop *loop, const LlavaTask *task, const Route *route)
{
	StringInfoData words;
	int			n = 0;
	int			n_others = 0;

	initStringInfo(&words);
	foreach_server(server, loop)
	{
		const char *why;

		if (!server_takes(loop, server, route))
		{
			n_others++;
			continue;
		}
		why = server_words(server);
		if (why != NULL && n++ < MAX_NAMED)
			appendStringInfo(&words, "%s%s", n > 1 ? "; " : "", why);
	}
	if (n > 0)
		return words.data;
	if (route->server != NULL)
		return named_words(task, route);
	if (n_others > 0 && route->not_server != NULL)
		return psprintf("rows forbid server \"%s\", and no other takes the queue", route->not_server);
	if (n_others > 0)
		return SERVERS_TAKE_NO_QUEUE;
	return loop->servers.strangers[0] != '\0' ?
		"no server may be used: all are owned by roles that the worker does not act for" :
		"there is no server: CREATE SERVER ... FOREIGN DATA WRAPPER llava_zh";
}

/* Why a prepared call is not sent. */
static const char *
unsent_words(Call *call)
{
	const char *name = call->server->options->name;
	const char *closed = server_words(call->server);
	int64		wait = limits_pace_wait(call->server->limits, call->request.forecast.prompt + call->request.forecast.completion);

	if (closed != NULL)
		return closed;
	if (wait > 0)
		return psprintf("server \"%s\" is sent nothing before %s: Retry-After, or its limit of requests or tokens a minute",
						name, timestamptz_to_str(TimestampTzPlusMilliseconds(GetCurrentTimestamp(), wait)));
	if (wait < 0)
		return psprintf("all slots of server \"%s\" are taken", name);
	if (!flush_is_done(call->lease.claimed_at))
		return "a claim waits for the disk";
	if (!transport_has_room())
		return "no socket is left: see the limit of open files";
	return psprintf("a prepared picture is not sent to server \"%s\"", name);
}

static int
calls_in(Loop *loop, CallState state)
{
	int			n = 0;

	foreach_call(call, loop, state)
	{
		n++;
	}
	return n;
}

/* What the calls of this process wait for; NULL if it holds none. */
static const char *
held_words(Loop *loop)
{
	if (!dlist_is_empty(&loop->calls.lists[CALL_SENT]))
		return psprintf("requests in flight, and not answered: %d", calls_in(loop, CALL_SENT));
	if (!dlist_is_empty(&loop->calls.lists[CALL_READY]))
		return unsent_words(dlist_container(Call, node,
											dlist_head_node(&loop->calls.lists[CALL_READY])));
	if (!dlist_is_empty(&loop->calls.lists[CALL_FINISHED]))
		return psprintf("replies that could not be written down: %d", calls_in(loop, CALL_FINISHED));
	if (!dlist_is_empty(&loop->calls.lists[CALL_HASHED]))
		return psprintf("pictures that wait for another process's look for copies: %d",
						calls_in(loop, CALL_HASHED));
	if (!dlist_is_empty(&loop->calls.lists[CALL_PREPARING]))
		return psprintf("pictures that are being prepared: %d", calls_in(loop, CALL_PREPARING));
	return NULL;
}

/* Why nothing is claimed although the task has an available server. */
static const char *
unclaimed_words(Loop *loop)
{
	int64		left;
	int64		capacity = servers_capacity(loop, &left);

	if (left <= 0)
		return "requests in flight in other processes may use up max_requests";
	if (capacity <= 0)
		return "other processes use all slots of the servers";
	if (pictures_at_once(loop) == 0)
		return "llava_zh.prepare_memory is used up";
	return "the worker knows no reason";
}

/* The row that is due first. */
typedef struct DueRow
{
	char	   *task;			/* NULL: none is due */
	char	   *server;
	char	   *not_server;
} DueRow;

/* Why it is not sent. */
static const char *
reason_of(Loop *loop, const DueRow *due)
{
	int64		files_away_ms = loop->dispatch.files_away_until_ms;
	const LlavaTask *known = loop->claims.tasks == NULL ? NULL : taskset_task(loop->claims.tasks, due->task);
	const char *held;
	Route		route;

	if (files_away_ms != 0 && clock_monotonic_ms() < files_away_ms + FILES_AWAY_MS)
		return "the directory of pictures, llava_zh.image_directory, cannot be opened";
	held = held_words(loop);
	if (held != NULL)
		return held;
	if (known == NULL)
		return psprintf("task \"%s\" is not in llava_task", due->task);
	if (hopeless_waits(known))
		return psprintf("task \"%s\" waits: its first replies were all rejected, see llava_progress", due->task);
	route = route_of(known, due->server, due->not_server);
	if (server_for_route(loop, &route, NULL) == NULL)
		return servers_words(loop, known, &route);
	return unclaimed_words(loop);
}

/* ---- looking ---- */

/* A reason that differs from the last one only in times or counts is not logged again. */
static bool
same_but_for_digits(const char *a, const char *b)
{
	for (;;)
	{
		while (isdigit((unsigned char) *a))
			a++;
		while (isdigit((unsigned char) *b))
			b++;
		if (*a != *b)
			return false;
		if (*a++ == '\0')
			return true;
		b++;
	}
}

static void
stall_show(const char *reason)
{
	snprintf(shown, sizeof(shown), "llava_zh: standing still: %s", reason);
}

/* Logs a new reason, or the same one again if rows were settled since. */
static void
stall_say(Loop *loop, const char *reason, int64 still_ms)
{
	uint64		done = loop->settles.accepted + loop->settles.failed;

	stall_show(reason);
	if (said_after == done && same_but_for_digits(said, reason))
		return;
	strlcpy(said, reason, sizeof(said));
	said_after = done;
	ereport(loop->tx.in_procedure ? NOTICE : LOG,
			(errmsg("llava_zh: rows are due, and nothing was sent or answered for " INT64_FORMAT " s: %s",
					still_ms / 1000, said)));
}

/* The first row of each group is looked at, also of unknown tasks. */
static SqlStatement sql_first_due = {
	.text =
	QUEUE_GROUPS
	" SELECT g.task, g.server, g.not_server FROM g CROSS JOIN LATERAL ("
	"  SELECT p.visible_at, p.image FROM @.llava_pending p"
	"  WHERE " ROW_OF_GROUP " AND p.visible_at <= pg_catalog.now()"
	"  ORDER BY p.visible_at, p.image LIMIT 1) d"
	" WHERE $1 IS NULL OR g.task = $1 ORDER BY d.visible_at, d.image LIMIT 1",
	.types = "t"
};

/* Sets *arg to the row that is due first, if there is one. */
static void
find_due(Loop *loop, void *arg)
{
	DueRow	   *due = arg;
	Datum		task = (Datum) 0;

	if (loop->scope.only_task != NULL)
		task = CStringGetTextDatum(loop->scope.only_task);
	if (sql_run(&sql_first_due, &task, loop->scope.only_task == NULL ? "n" : NULL, 1) == 0)
		return;
	due->task = TextDatumGetCString(returned(0, 1));
	due->server = TextDatumGetCString(returned(0, 2));
	due->not_server = TextDatumGetCString(returned(0, 3));
}

static void
stall_explain(Loop *loop, int64 still_ms)
{
	DueRow		due = {NULL};
	ErrorData  *error;

	if (!loop_begin(loop, "llava_zh: looking why nothing is sent"))
		return;					/* it has logged why */
	if (!loop_try(loop, find_due, &due, &error))
	{
		stall_say(loop, error->message, still_ms);
		FreeErrorData(error);
	}
	else if (due.task == NULL)
		shown[0] = '\0';
	else if (loop_waits_for(loop) != NULL)	/* already logged */
		stall_show(loop_waits_for(loop));
	else
		stall_say(loop, reason_of(loop, &due), still_ms);
	loop_commit(loop);
}

void
stall_look(Loop *loop)
{
	int64		now_ms = clock_monotonic_ms();

	if (progressed)
	{
		progressed = false;
		since_ms = look_ms = now_ms;
		shown[0] = '\0';
	}
	if (now_ms - since_ms < llava_stall_report || now_ms < look_ms || !loop->claims.looked)
		return;
	stall_explain(loop, now_ms - since_ms);

	/* a worker that stands still looks as often as it looks at the queue */
	look_ms = now_ms + (shown[0] != '\0' ? Min(llava_naptime, llava_stall_report) :
						llava_stall_report);
}
