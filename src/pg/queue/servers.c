/*
 * servers.c
 *	  The servers as a draining process sees them: options, keys, why one is paused.
 *
 * Only servers owned by the loop's own role or by a superuser are used.  Options
 * are read anew when the catalogue says they changed, and that forgives a pause:
 * the change may well be the cure.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_user_mapping.h"
#include "db/db.h"
#include "executor/spi.h"
#include "foreign/foreign.h"
#include "loop.h"
#include "miscadmin.h"
#include "server/server.h"
#include "task/task.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

/*
 * So long the row that paused a server is none to probe it with, though no other row
 * was found: those that were may be for other servers only.
 */
#define OTHERS_FIRST_MS 5000

/* What llava_stat_server.pause_detail says of a server that is active meanwhile. */
#define TRIAL_WORDS \
	"requests that were lost together when it went down are made again, by few or one by one;" \
	" all others wait for that"
/* Servers that are not asked are named together until they take so many bytes. */
#define MAX_STRANGERS_LENGTH 256

/* A lease outlives the request by this; calls that wait longer are renewed. */
#define LEASE_MARGIN_MS (60 * 1000)

static uint64 options_read;		/* times, of any server */
static uint64 catalogue_changes = 1;	/* seen by this process */
static bool watching;

static void
note_change(Datum arg, int cacheid, uint32 hashvalue)
{
	catalogue_changes++;
}

void
servers_watch(void)
{
	if (watching)
		return;
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, note_change, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, note_change, (Datum) 0);
	CacheRegisterSyscacheCallback(FOREIGNDATAWRAPPEROID, note_change, (Datum) 0);
	watching = true;
}

uint64
servers_version(void)
{
	return catalogue_changes;
}

static ServerState *
find_server(Loop *loop, Oid oid)
{
	dlist_iter	iter;

	dlist_foreach(iter, &loop->servers.list)
	{
		ServerState *server = dlist_container(ServerState, node, iter.cur);

		if (server->oid == oid)
			return server;
	}
	return NULL;
}

LimitsRank
server_rank(Oid owner)
{
	if (superuser_arg(owner))
		return LIMITS_OF_SUPERUSER;
	return owner == tx_queue_owner() ? LIMITS_OF_QUEUE_OWNER : LIMITS_OF_OTHERS;
}

static ServerState *
add_server(Loop *loop, const LlavaServer *options)
{
	ServerState *server = MemoryContextAllocZero(loop->context, sizeof(ServerState));

	server->oid = options->oid;
	server->limits = limits_attach(options, server_rank(options->owner));
	dlist_push_tail(&loop->servers.list, &server->node);
	return server;
}

typedef struct KeyArgument
{
	LlavaServer *options;
	char	   *key;
} KeyArgument;

static void
load_key(Loop *loop, void *arg)
{
	KeyArgument *argument = arg;
	char	   *key = server_key_for_worker(argument->options);

	argument->key = key == NULL ? NULL : MemoryContextStrdup(loop->context, key);
}

/* llava_pause: whatever comes of what is in flight, it stays so. */
static bool
is_paused_by_option(ServerState *server)
{
	Pause		pause;

	limits_pause_now(server->limits, &pause);
	return server->options->paused && strcmp(pause.reason, "paused") == 0;
}

/* Ends a pause, if there is one; the log tells. */
static void
resume(ServerState *server)
{
	if (limits_resume(server->limits))
		ereport(LOG,
				(errmsg("llava_zh: server \"%s\" resumed", server->options->name)));
}

typedef struct ReadArgument
{
	Oid			server;
	MemoryContext context;
	ServerRead *read;			/* in the context */
} ReadArgument;

static void
read_options(Loop *loop, void *arg)
{
	ReadArgument *argument = arg;
	MemoryContext old = MemoryContextSwitchTo(argument->context);

	argument->read = palloc0(sizeof(ServerRead));
	argument->read->context = argument->context;
	argument->read->options = server_load(argument->server);
	argument->read->users = 1;
	MemoryContextSwitchTo(old);
}

/* A key that may not be used is its server's pause. */
static void
take_key(Loop *loop, ServerState *server)
{
	KeyArgument argument = {.options = server->read->options};
	ErrorData  *error;

	if (!loop_try(loop, load_key, &argument, &error))
	{
		/* of the look as a whole, which is tried again */
		if (error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
			ReThrowError(error);
		server_pause(server, "key", error->message, false, 0);
		FreeErrorData(error);
	}
	else if (argument.key != NULL)
	{
		server->read->key = MemoryContextStrdup(server->read->context, argument.key);
		explicit_bzero(argument.key, strlen(argument.key));
		pfree(argument.key);
	}
}

/* Another one after each ALTER SERVER; 0: there is no such server. */
static uint64
row_version(Oid server)
{
	HeapTuple	row = SearchSysCache1(FOREIGNSERVEROID, ObjectIdGetDatum(server));
	uint64		version;

	if (!HeapTupleIsValid(row))
		return 0;
	version = ((uint64) HeapTupleHeaderGetRawXmin(row->t_data) << 32) ^
		((uint64) ItemPointerGetBlockNumberNoCheck(&row->t_self) << 16) ^
		ItemPointerGetOffsetNumberNoCheck(&row->t_self);
	ReleaseSysCache(row);
	return version;
}

/*
 * After ALTER SERVER neither the server nor rows wait any longer for what Retry-After
 * said, nor for a back-off: the change may well be the cure.
 */
static void
forget_waits(Loop *loop, ServerState *server)
{
	uint64		version = row_version(server->oid);
	bool		known = server->row_version != 0;

	if (server->row_version == version)
		return;
	server->row_version = version;
	limits_forget_wait(server->limits);
	if (known && sql_run(&sql_forget_waits, NULL, NULL, 0) > 0)
		claim_reset_cursor(loop, DT_NOBEGIN);
}

/*
 * Reads one server's options and key.  Calls may hold on to the server, so what it
 * had goes only when there is something new; where nothing can be read, it is as
 * good as dropped.
 */
static void
load_server(Loop *loop, const ForeignServer *foreign)
{
	ReadArgument argument = {.server = foreign->serverid};
	ServerState *server;
	ErrorData  *error;

	argument.context = AllocSetContextCreate(loop->context, "llava_zh server",
											 ALLOCSET_SMALL_SIZES);
	if (!loop_try(loop, read_options, &argument, &error))
	{
		if (error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
		{
			MemoryContextDelete(argument.context);
			ReThrowError(error);
		}
		ereport(LOG,
				(errmsg("llava_zh: server \"%s\" cannot be asked: %s",
						foreign->servername, error->message)));
		FreeErrorData(error);
		MemoryContextDelete(argument.context);
		return;
	}
	server = find_server(loop, foreign->serverid);
	if (server == NULL)
		server = add_server(loop, argument.read->options);
	else
		server_read_release(server->read);
	server->read = argument.read;
	server->options = argument.read->options;
	server->options_read = ++options_read;
	server->gone = false;
	limits_set_options(server->limits, server->options);
	limits_set_endpoint(server->limits, server->options, server_rank(server->options->owner));
	forget_waits(loop, server);
	if (!is_paused_by_option(server))
		resume(server);
	take_key(loop, server);
}

static bool
server_is_trusted(Oid owner)
{
	return owner == GetUserId() || superuser_arg(owner);
}

/*
 * One server's row of llava_usage, zeros without one.  What it says of a pause is
 * what was recorded, or the user's word: llava_resume takes it away.  Processes
 * that share the pause are told by llava_resume itself.
 */
static void
take_usage(ServerState *server, int64 requests, double cost, const char *reason, bool trial)
{
	Pause		pause;

	limits_read(server->limits, server->reading, requests, cost);
	limits_pause_now(server->limits, &pause);
	if (pause.reason[0] != '\0' && pause.recorded && reason == NULL &&
		!limits_are_shared(server->limits))
		limits_resume(server->limits);
	limits_pause_recorded(server->limits, reason);
	limits_trial_recorded(server->limits, trial);
}

/*
 * A server's row among the n of llava_usage; what it says of a pause, or NULL, and whether
 * it tells of a trial.
 */
static const char *
usage_of(const LlavaServer *server, uint64 n, int64 *requests, double *cost, bool *trial)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;

	*requests = 0;
	*cost = 0;
	*trial = false;
	for (uint64 i = 0; i < n; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		bool		isnull;

		if (strcmp(SPI_getvalue(row, desc, 1), server->name) != 0)
			continue;
		*requests = DatumGetInt64(SPI_getbinval(row, desc, 2, &isnull));
		*cost = DatumGetFloat8(SPI_getbinval(row, desc, 3, &isnull));
		*trial = DatumGetBool(SPI_getbinval(row, desc, 5, &isnull));
		return SPI_getvalue(row, desc, 4);
	}
	return NULL;
}

static SqlStatement sql_usage_all = {
	.text =
	"SELECT server, requests, cost::pg_catalog.float8, pause_reason,"
	"  pause_reason IS NULL AND pause_detail IS NOT NULL FROM @.llava_usage",
	.types = ""
};

/* llava_usage: what max_requests and budget are held against. */
static void
load_usage(Loop *loop)
{
	dlist_iter	iter;
	uint64		n;

	dlist_foreach(iter, &loop->servers.list)
	{
		ServerState *server = dlist_container(ServerState, node, iter.cur);

		server->reading = limits_begin_reading(server->limits);
	}
	n = sql_run(&sql_usage_all, NULL, NULL, 0);
	dlist_foreach(iter, &loop->servers.list)
	{
		ServerState *server = dlist_container(ServerState, node, iter.cur);
		int64		requests;
		double		cost;
		bool		trial;
		const char *reason = usage_of(server->options, n, &requests, &cost, &trial);

		take_usage(server, requests, cost, reason, trial);
	}
}

void
server_read_usage(const LlavaServer *server, Limits *limits)
{
	int64		reading = limits_begin_reading(limits);
	int64		requests;
	double		cost;
	bool		trial;
	uint64		n;

	rows_spi_connect();
	n = rows_run_as_owner(extension_relation("llava_usage"), &sql_usage_all, NULL, NULL);
	(void) usage_of(server, n, &requests, &cost, &trial);
	limits_read(limits, reading, requests, cost);
	SPI_finish();
}

/* Those that are not there any more are forgotten when nothing points to them. */
static void
forget_dropped(Loop *loop, const List *there)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &loop->servers.list)
	{
		ServerState *server = dlist_container(ServerState, node, iter.cur);

		if (server->calls > 0 || list_member_oid(there, server->oid))
			continue;
		dlist_delete(&server->node);
		limits_detach(server->limits);
		server_read_release(server->read);
		pfree(server);
	}
}

/* Servers that rows may wait for in vain are told of once, and again when they are others. */
static void
say_strangers(Loop *loop, const char *names)
{
	if (strcmp(loop->servers.strangers, names) == 0)
		return;
	pfree(loop->servers.strangers);
	loop->servers.strangers = MemoryContextStrdup(loop->context, names);
	if (names[0] == '\0' || loop->tx.in_procedure)
		return;
	ereport(LOG,
			(errmsg("llava_zh: servers that belong neither to a superuser nor to \"%s\", the owner of llava_pending, are not asked by workers: %s",
					GetUserNameFromId(GetUserId(), false), names),
			 errhint("ALTER SERVER ... OWNER TO %s;",
					 quote_identifier(GetUserNameFromId(GetUserId(), false)))));
}

/* The names of servers, as far as a line of the log has room for them. */
static void
add_stranger(StringInfo names, const char *name)
{
	if (names->len < MAX_STRANGERS_LENGTH)
		appendStringInfo(names, "%s\"%s\"", names->len > 0 ? ", " : "", name);
	else if (names->data[names->len - 1] != '.')
		appendStringInfoString(names, ", ...");
}

void
servers_load(Loop *loop)
{
	uint64		version = servers_version();
	dlist_iter	iter;
	ListCell   *cell;
	StringInfoData strangers;

	if (loop->servers.version != version)
	{
		List	   *oids = server_oids();

		dlist_foreach(iter, &loop->servers.list)
			dlist_container(ServerState, node, iter.cur)->gone = true;
		/* first, so that new ones get the room of the old ones */
		forget_dropped(loop, oids);
		initStringInfo(&strangers);
		foreach(cell, oids)
		{
			ForeignServer *foreign = GetForeignServerExtended(lfirst_oid(cell), FSV_MISSING_OK);

			if (foreign == NULL)
				continue;
			if (server_is_trusted(foreign->owner))
				load_server(loop, foreign);
			else
				add_stranger(&strangers, foreign->servername);
		}
		say_strangers(loop, strangers.data);
		loop->servers.version = version;
	}
	load_usage(loop);
}

/* Why a person's limits forbid to ask; NULL: they do not. */
static const char *
limit_reached(const ServerState *server)
{
	if (server->options->paused)
		return "paused";
	if (limits_remaining(server->limits) <= 0 && limits_unsettled(server->limits) == 0)
		return "max_requests";
	if (limits_over_budget(server->limits))
		return "budget";
	return NULL;
}

static const char *
limit_detail(const ServerState *server, const char *reason)
{
	const char *name = quote_identifier(server->options->name);

	if (strcmp(reason, "max_requests") == 0)
		return psprintf("%lld requests were made; ALTER SERVER %s OPTIONS (SET max_requests '...') to go on",
						(long long) server->options->max_requests, name);
	if (strcmp(reason, "budget") == 0)
		return psprintf("the budget is used up; ALTER SERVER %s OPTIONS (SET budget '...') to go on",
						name);
	return "by the server option paused";
}

/*
 * The limits that a person set are pauses too, found and lifted at every look; the
 * option paused is lifted by what lifts all pauses, its change.
 */
static void
check_limits(ServerState *server)
{
	const char *reason = limit_reached(server);
	Pause		pause;

	limits_pause_now(server->limits, &pause);
	if (reason != NULL && pause.reason[0] == '\0')
		server_pause(server, reason, limit_detail(server, reason), false, 0);
	else if (reason == NULL && (strcmp(pause.reason, "max_requests") == 0 ||
								strcmp(pause.reason, "budget") == 0))
		resume(server);
}

ServerChance
server_chance(ServerState *server)
{
	Pause		pause;

	if (server->gone || server->options->paused ||
		limits_remaining(server->limits) <= 0 || limits_over_budget(server->limits))
		return SERVER_CLOSED;
	limits_pause_now(server->limits, &pause);
	if (pause.reason[0] == '\0')
		return SERVER_OPEN;
	if (pause.prober == MyProcPid)
		return SERVER_PROBED;
	return pause.prober == 0 && GetCurrentTimestamp() >= pause.probe_at ?
		SERVER_TO_PROBE : SERVER_CLOSED;
}

int64
server_not_to_probe_with(ServerState *server)
{
	Pause		pause;

	if (server_chance(server) != SERVER_TO_PROBE)
		return 0;
	limits_pause_now(server->limits, &pause);
	return GetCurrentTimestamp() < TimestampTzPlusMilliseconds(pause.probe_at, OTHERS_FIRST_MS) ?
		pause.call : 0;
}

bool
servers_probe_blamed(Loop *loop)
{
	bool		blamed = false;
	dlist_iter	iter;

	dlist_foreach(iter, &loop->servers.list)
	{
		ServerState *server = dlist_container(ServerState, node, iter.cur);
		ServerChance chance = server_chance(server);

		if (chance == SERVER_OPEN)
			return false;
		blamed |= chance == SERVER_TO_PROBE && limits_guilty(server->limits, 0);
	}
	return blamed;
}

/* Requests that could be claimed for it: one if it is to be probed. */
static int
claimable(Loop *loop, ServerState *server)
{
	if (loop->scope.only_server != NULL && strcmp(loop->scope.only_server, server->options->name) != 0)
		return -1;
	if (!server->gone)
		check_limits(server);
	switch (server_chance(server))
	{
		case SERVER_OPEN:
			return limits_room(server->limits);
		case SERVER_TO_PROBE:
			return server->in_flight + server->unsent == 0 ? 1 : -1;
		default:
			return -1;
	}
}

/* The share of its window that is taken. */
static double
load_of(const ServerState *server)
{
	return limits_load(server->limits, server->unsent);
}

ServerState *
server_for_task(Loop *loop, const LlavaTask *task, const char *not_of)
{
	ServerState *best = NULL;
	ServerState *last_resort = NULL;
	dlist_iter	iter;

	dlist_foreach(iter, &loop->servers.list)
	{
		ServerState *server = dlist_container(ServerState, node, iter.cur);

		if (task->server != NULL && strcmp(task->server, server->options->name) != 0)
			continue;
		if (claimable(loop, server) < 0)
			continue;
		if (not_of != NULL && strcmp(server->options->name, not_of) == 0)
			last_resort = server;
		else if (best == NULL || server->options->priority < best->options->priority ||
				 (server->options->priority == best->options->priority &&
				  load_of(server) < load_of(best)))
			best = server;
	}
	return best != NULL ? best : last_resort;
}

void
server_pause(ServerState *server, const char *reason, const char *detail, bool probe,
			 int64 call)
{
	if (!is_paused_by_option(server) &&
		limits_pause(server->limits, reason, detail, probe, call))
		ereport(LOG,
				(errmsg("llava_zh: server \"%s\" paused (%s): %s",
						server->options->name, reason, detail)));
}

void
server_works(ServerState *server)
{
	Pause		pause;

	limits_pause_now(server->limits, &pause);
	if (pause.reason[0] != '\0' && limit_reached(server) == NULL)
		resume(server);
}

void
server_still_ill(ServerState *server, int64 call)
{
	Pause		pause;

	limits_pause_now(server->limits, &pause);
	if (pause.prober == MyProcPid)
		server_pause(server, pause.reason, pause.detail, true, call);
}

/* Suspects are being tried, or are not any more: what llava_usage does not say yet. */
static void
say_trial(const ServerState *server, bool trial)
{
	if (trial)
		ereport(LOG,
				(errmsg("llava_zh: server \"%s\": %s", server->options->name, TRIAL_WORDS)));
	else
		ereport(LOG,
				(errmsg("llava_zh: server \"%s\" is asked as before", server->options->name)));
}

static SqlStatement sql_usage_pause = {
	.text =
	"INSERT INTO @.llava_usage AS u (server, pause_reason, pause_detail, paused_at) "
	"VALUES ($1, $2, $3, CASE WHEN $2 IS NULL THEN NULL ELSE pg_catalog.now() END) "
	"ON CONFLICT (server) DO UPDATE SET pause_reason = EXCLUDED.pause_reason,"
	"  pause_detail = EXCLUDED.pause_detail, paused_at = EXCLUDED.paused_at"
	" WHERE u.pause_reason IS DISTINCT FROM EXCLUDED.pause_reason"
	"  OR u.pause_detail IS DISTINCT FROM EXCLUDED.pause_detail",
	.types = "ttt"
};

void
server_record_pauses(Loop *loop)
{
	dlist_iter	iter;

	dlist_foreach(iter, &loop->servers.list)
	{
		ServerState *server = dlist_container(ServerState, node, iter.cur);
		Pause		pause;
		Datum		values[3];
		char		nulls[4] = "   ";
		bool		news;
		bool		trial = limits_trial(server->limits, &news);

		if (server->gone)
			continue;
		blame_return_rows(loop, server);
		limits_pause_now(server->limits, &pause);
		/* a pause is what is told then */
		trial &= pause.reason[0] == '\0';
		if (pause.recorded && (!news || pause.reason[0] != '\0'))
			continue;
		values[0] = CStringGetTextDatum(server->options->name);
		values[1] = values[2] = (Datum) 0;
		if (pause.reason[0] == '\0')
		{
			nulls[1] = 'n';
			nulls[2] = trial ? ' ' : 'n';
			values[2] = trial ? CStringGetTextDatum(TRIAL_WORDS) : (Datum) 0;
			if (news)
				say_trial(server, trial);
		}
		else
		{
			values[1] = CStringGetTextDatum(pause.reason);
			values[2] = CStringGetTextDatum(rows_clean_text(pause.detail));
		}
		sql_run(&sql_usage_pause, values, nulls, 0);
		limits_pause_recorded(server->limits, pause.reason[0] != '\0' ? pause.reason : NULL);
		limits_trial_recorded(server->limits, trial);
	}
}

TimestampTz
servers_next_probe(Loop *loop)
{
	TimestampTz next = DT_NOEND;
	dlist_iter	iter;

	dlist_foreach(iter, &loop->servers.list)
	{
		ServerState *server = dlist_container(ServerState, node, iter.cur);
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
	dlist_iter	iter;

	dlist_foreach(iter, &loop->servers.list)
	{
		Pause		pause;

		limits_pause_now(dlist_container(ServerState, node, iter.cur)->limits, &pause);
		if (pause.reason[0] != '\0')
			return true;
	}
	return dlist_is_empty(&loop->servers.list);
}

bool
servers_any_usable(Loop *loop)
{
	dlist_iter	iter;

	dlist_foreach(iter, &loop->servers.list)
	{
		if (claimable(loop, dlist_container(ServerState, node, iter.cur)) >= 0)
			return true;
	}
	return false;
}

int64
servers_capacity(Loop *loop, int64 *left)
{
	int64		capacity = 0;
	dlist_iter	iter;

	*left = 0;
	dlist_foreach(iter, &loop->servers.list)
	{
		ServerState *server = dlist_container(ServerState, node, iter.cur);
		int			room = claimable(loop, server);

		if (room < 0)
			continue;
		capacity += room;
		*left += server_chance(server) == SERVER_TO_PROBE ? 1 :
			limits_remaining(server->limits) - server->unsent;
		*left = Min(*left, PG_INT32_MAX);
	}
	return Min(capacity, PG_INT32_MAX);
}

int64
servers_longest_lease(Loop *loop)
{
	int64		longest = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &loop->servers.list)
	{
		ServerState *server = dlist_container(ServerState, node, iter.cur);

		longest = Max(longest, server->options->request_timeout);
	}
	return longest + LEASE_MARGIN_MS;
}

void
servers_load_again(Loop *loop)
{
	loop->servers.version = 0;
}

void
servers_hurry(Loop *loop)
{
	dlist_iter	iter;

	dlist_foreach(iter, &loop->servers.list)
		limits_clock_set_back(dlist_container(ServerState, node, iter.cur)->limits);
}
