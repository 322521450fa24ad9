/*
 * servers.c
 *	  The servers as a draining process sees them: options, pace, why one is paused.
 *
 * Only servers owned by the loop's own role or by a superuser are used.  Options
 * are read anew when the catalogue says they changed, and that forgives a pause:
 * the change may well be the cure.
 */
#include "postgres.h"

#include "catalog/pg_user_mapping.h"
#include "executor/spi.h"
#include "foreign/foreign.h"
#include "loop.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

/* First pause before a server is probed; doubles up to llava_zh.retry_delay_max. */
#define PROBE_DELAY_MS 1000

static bool catalogue_changed = true;
static bool watching;

static void
note_change(Datum arg, int cacheid, uint32 hashvalue)
{
	catalogue_changed = true;
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

bool
servers_changed(void)
{
	bool		changed = catalogue_changed;

	catalogue_changed = false;
	return changed;
}

static int64
now_ms(void)
{
	return GetCurrentTimestamp() / 1000;
}

static ServerState *
find_server(Loop *loop, Oid oid)
{
	dlist_iter	iter;

	dlist_foreach(iter, &loop->servers)
	{
		ServerState *server = dlist_container(ServerState, node, iter.cur);

		if (server->oid == oid)
			return server;
	}
	return NULL;
}

static ServerState *
add_server(Loop *loop, Oid oid)
{
	ServerState *server = MemoryContextAllocZero(loop->context, sizeof(ServerState));

	server->oid = oid;
	server->context = AllocSetContextCreate(loop->context, "llava_zh server",
											ALLOCSET_SMALL_SIZES);
	vlm_pace_init(&server->pace, now_ms());
	dlist_push_tail(&loop->servers, &server->node);
	return server;
}

static void
forget_pause(ServerState *server)
{
	if (server->pause_reason != NULL)
		server->pause_recorded = false;
	server->pause_reason = NULL;
	server->pause_detail[0] = '\0';
	server->pause_count = 0;
	server->probing = false;
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

/* Reads one server's options and key; a key that may not be used is its pause. */
static void
load_server(Loop *loop, ServerState *server)
{
	MemoryContext old;
	KeyArgument argument = {0};
	ErrorData  *error;

	MemoryContextReset(server->context);
	server->key = NULL;
	old = MemoryContextSwitchTo(server->context);
	server->options = server_load(server->oid);
	MemoryContextSwitchTo(old);
	vlm_pace_limits(&server->pace, server->options->max_in_flight,
					server->options->requests_per_minute,
					server->options->tokens_per_minute);
	forget_pause(server);

	argument.options = server->options;
	if (tx_try(loop, load_key, &argument, &error))
	{
		if (argument.key != NULL)
		{
			server->key = MemoryContextStrdup(server->context, argument.key);
			explicit_bzero(argument.key, strlen(argument.key));
			pfree(argument.key);
		}
	}
	else
	{
		server_pause(server, "key", error->message, false);
		FreeErrorData(error);
	}
}

static bool
server_is_trusted(Oid owner)
{
	return owner == GetUserId() || superuser_arg(owner);
}

/* llava_usage: what max_requests and budget are held against, and user's resumes. */
static void
load_usage(Loop *loop)
{
	uint64		n = sql_run(SQL_USAGE_ALL, NULL, NULL, 0);
	dlist_iter	iter;

	dlist_foreach(iter, &loop->servers)
	{
		ServerState *server = dlist_container(ServerState, node, iter.cur);
		bool		recorded = false;

		server->requests = 0;
		server->cost = 0;
		for (uint64 i = 0; i < n; i++)
		{
			HeapTuple	row = SPI_tuptable->vals[i];
			TupleDesc	desc = SPI_tuptable->tupdesc;
			bool		isnull;
			char	   *name = SPI_getvalue(row, desc, 1);

			if (strcmp(name, server->options->name) != 0)
				continue;
			server->requests = DatumGetInt64(SPI_getbinval(row, desc, 2, &isnull));
			server->cost = DatumGetFloat8(SPI_getbinval(row, desc, 3, &isnull));
			recorded = SPI_getvalue(row, desc, 4) != NULL;
		}
		/* llava_resume cleared what we had written there */
		if (server->pause_reason != NULL && server->pause_recorded && !recorded)
		{
			forget_pause(server);
			server->pause_recorded = true;
		}
		else if (server->pause_reason == NULL && recorded)
			server->pause_recorded = false;
	}
}

void
servers_load(Loop *loop)
{
	dlist_mutable_iter iter;
	List	   *oids;
	ListCell   *cell;

	if (servers_changed() || loop->servers_stale)
	{
		oids = server_oids();
		dlist_foreach_modify(iter, &loop->servers)
		{
			ServerState *server = dlist_container(ServerState, node, iter.cur);

			server->gone = true;
		}
		foreach(cell, oids)
		{
			Oid			oid = lfirst_oid(cell);
			ServerState *server = find_server(loop, oid);

			if (!server_is_trusted(GetForeignServer(oid)->owner))
				continue;
			if (server == NULL)
				server = add_server(loop, oid);
			server->gone = false;
			load_server(loop, server);
		}
		dlist_foreach_modify(iter, &loop->servers)
		{
			ServerState *server = dlist_container(ServerState, node, iter.cur);

			if (!server->gone || server->calls > 0)
				continue;
			dlist_delete(&server->node);
			MemoryContextDelete(server->context);
			pfree(server);
		}
		loop->servers_stale = false;
	}
	load_usage(loop);
}

int64
server_remaining(const ServerState *server)
{
	if (server->options->max_requests < 0)
		return PG_INT64_MAX / 2;	/* room for sums */
	return server->options->max_requests - server->requests - server->unsettled_requests;
}

static bool
over_budget(const ServerState *server)
{
	return server->options->budget >= 0 && server->cost >= server->options->budget;
}

/* The limits that a person set are pauses too, found and lifted at every look. */
static void
check_limits(ServerState *server)
{
	const char *reason = NULL;

	if (server->options->paused)
		reason = "paused";
	else if (server_remaining(server) <= 0 && server->unsettled_requests == 0)
		reason = "max_requests";
	else if (over_budget(server))
		reason = "budget";

	if (reason != NULL && server->pause_reason == NULL)
		server_pause(server, reason,
					 strcmp(reason, "max_requests") == 0 ?
					 psprintf("%lld requests were made; ALTER SERVER %s OPTIONS (SET max_requests '...') to go on",
							  (long long) server->requests, quote_identifier(server->options->name)) :
					 strcmp(reason, "budget") == 0 ? "the option budget is used up" :
					 "by the server option paused", false);
	else if (reason == NULL && server->pause_reason != NULL &&
			 (strcmp(server->pause_reason, "max_requests") == 0 ||
			  strcmp(server->pause_reason, "budget") == 0 ||
			  strcmp(server->pause_reason, "paused") == 0))
		forget_pause(server);
}

bool
server_usable(Loop *loop, ServerState *server)
{
	if (server->gone ||
		(loop->only_server != NULL && strcmp(loop->only_server, server->options->name) != 0))
		return false;
	check_limits(server);
	if (server->pause_reason == NULL)
		return server_remaining(server) > 0;
	if (server->probe_at == DT_NOEND || GetCurrentTimestamp() < server->probe_at)
		return false;
	/* one request may find out whether it works again */
	server->probing = true;
	return server->pace.in_flight + server->unsent == 0 && server_remaining(server) > 0;
}

/* The share of its window that is taken. */
static double
load_of(const ServerState *server)
{
	return (server->pace.in_flight + server->unsent) / Max(server->pace.window, 1.0);
}

ServerState *
server_for_task(Loop *loop, const LlavaTask *task)
{
	ServerState *best = NULL;
	dlist_iter	iter;

	dlist_foreach(iter, &loop->servers)
	{
		ServerState *server = dlist_container(ServerState, node, iter.cur);

		if (task->server != NULL && strcmp(task->server, server->options->name) != 0)
			continue;
		if (!server_usable(loop, server))
			continue;
		if (best == NULL || server->options->priority < best->options->priority ||
			(server->options->priority == best->options->priority &&
			 load_of(server) < load_of(best)))
			best = server;
	}
	return best;
}

void
server_pause(ServerState *server, const char *reason, const char *detail, bool probe)
{
	int64		delay = PROBE_DELAY_MS;
	bool		news = server->pause_reason == NULL ||
	strcmp(server->pause_reason, reason) != 0;

	/* the requests in flight that fail for the same reason are one failure */
	if (!news && !server->probing)
		return;
	for (int i = 0; i < server->pause_count && delay < llava_retry_delay_max; i++)
		delay *= 2;
	server->pause_count++;
	server->pause_reason = reason;
	if (detail != server->pause_detail)
		strlcpy(server->pause_detail, detail, sizeof(server->pause_detail));
	server->probe_at = probe ?
		TimestampTzPlusMilliseconds(GetCurrentTimestamp(), Min(delay, llava_retry_delay_max)) :
		DT_NOEND;
	server->probing = false;
	if (news)
	{
		server->pause_recorded = false;
		ereport(LOG,
				(errmsg("llava_zh: server \"%s\" paused (%s): %s",
						server->options->name, reason, detail)));
	}
}

void
server_works(ServerState *server)
{
	if (server->pause_reason == NULL)
		return;
	ereport(LOG,
			(errmsg("llava_zh: server \"%s\" resumed", server->options->name)));
	forget_pause(server);
}

/* A probe that failed in passing: the pause goes on. */
void
server_still_ill(ServerState *server)
{
	if (server->pause_reason == NULL || !server->probing)
		return;
	server_pause(server, server->pause_reason, server->pause_detail, true);
}

void
server_record_pauses(Loop *loop)
{
	dlist_iter	iter;

	dlist_foreach(iter, &loop->servers)
	{
		ServerState *server = dlist_container(ServerState, node, iter.cur);
		Datum		values[3];
		char		nulls[4] = "   ";

		if (server->pause_recorded || server->gone)
			continue;
		values[0] = CStringGetTextDatum(server->options->name);
		values[1] = values[2] = (Datum) 0;
		if (server->pause_reason == NULL)
			nulls[1] = nulls[2] = 'n';
		else
		{
			values[1] = CStringGetTextDatum(server->pause_reason);
			values[2] = CStringGetTextDatum(settle_clean_text(server->pause_detail));
		}
		sql_run(SQL_USAGE_PAUSE, values, nulls, 0);
		server->pause_recorded = true;
	}
}

TimestampTz
servers_next_probe(Loop *loop)
{
	TimestampTz next = DT_NOEND;
	dlist_iter	iter;

	dlist_foreach(iter, &loop->servers)
	{
		ServerState *server = dlist_container(ServerState, node, iter.cur);

		if (server->pause_reason != NULL && !server->gone && server->pace.in_flight == 0)
			next = Min(next, server->probe_at);
	}
	return next;
}

bool
servers_any_paused(Loop *loop)
{
	dlist_iter	iter;

	dlist_foreach(iter, &loop->servers)
	{
		if (dlist_container(ServerState, node, iter.cur)->pause_reason != NULL)
			return true;
	}
	return dlist_is_empty(&loop->servers);
}

int
servers_capacity(Loop *loop)
{
	int64		capacity = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &loop->servers)
	{
		ServerState *server = dlist_container(ServerState, node, iter.cur);

		if (server_usable(loop, server))
			capacity += server->probing ? 1 : server->options->max_in_flight;
	}
	return (int) Min(capacity, 1000000);
}
