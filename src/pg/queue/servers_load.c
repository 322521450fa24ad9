/*
 * servers_load.c
 *	  A draining process reads its servers: options, keys, what llava_usage records.
 *
 * Only servers of the loop's own role or of a superuser are used.  Options are read
 * again when the catalogue has changed, and that lifts a pause: the change may well be
 * the cure.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "foreign/foreign.h"
#include "loop.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

/* A log line names servers up to about this many bytes. */
#define MAX_STRANGERS_LENGTH 256

static uint64 options_read;		/* how often any server's options were read */

static ServerState *
find_server_state(Loop *loop, Oid oid)
{
	foreach_server(server, loop)
	{
		if (server->oid == oid)
			return server;
	}
	return NULL;
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

static void
load_key(Loop *loop, void *arg)
{
	ServerRead *read = arg;
	char	   *key = server_key_for_worker(read->options);
	char	   *unused = server_mappings_unused(read->options);

	if (key != NULL)
		read->key = MemoryContextStrdup(read->context, key);
	if (unused != NULL)
		read->mappings_unused = MemoryContextStrdup(read->context, unused);
}

static void
read_options(Loop *loop, void *arg)
{
	ServerRead *read = arg;
	MemoryContext old = MemoryContextSwitchTo(read->context);

	read->options = server_load(read->server);
	MemoryContextSwitchTo(old);
}

/* Reads the server's key; if it may not be used, the server is paused. */
static void
take_key(Loop *loop, ServerState *server)
{
	ErrorData  *error;

	if (loop_try(loop, load_key, server->read, &error))
		return;
	/* the whole look is tried again */
	if (error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
		ReThrowError(error);
	server_pause(server, "key", error->message, false, 0);
	FreeErrorData(error);
}

/* A number that each ALTER SERVER changes; 0 if there is no such server. */
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
 * After ALTER SERVER neither the server nor its rows wait any longer for Retry-After or
 * a back-off: the change may well be the cure.
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
 * Reads one server's options and key.  Calls may point to the server, so its last
 * reading is only replaced by a new one; if the options cannot be read, the server
 * counts as dropped.
 */
static void
load_server(Loop *loop, const ForeignServer *foreign)
{
	MemoryContext context = AllocSetContextCreate(loop->context, "llava_zh server",
												  ALLOCSET_SMALL_SIZES);
	ServerRead *read = MemoryContextAllocZero(context, sizeof(ServerRead));
	ServerState *server;
	ErrorData  *error;

	read->context = context;
	read->server = foreign->serverid;
	read->users = 1;
	if (!loop_try(loop, read_options, read, &error))
	{
		MemoryContextDelete(context);
		if (error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
			ReThrowError(error);
		ereport(LOG,
				(errmsg("llava_zh: server \"%s\" cannot be used: %s",
						foreign->servername, error->message)));
		FreeErrorData(error);
		return;
	}
	server = find_server_state(loop, foreign->serverid);
	if (server == NULL)
		server = add_server(loop, read->options);
	else
		server_read_release(server->read);
	server->read = read;
	server->options = read->options;
	server->options_read = ++options_read;
	server->gone = false;
	limits_set_options(server->limits, server->options);
	limits_set_endpoint(server->limits, server->options, server_rank(server->options->owner));
	forget_waits(loop, server);
	if (!server_is_paused_by_option(server))
		server_resume(server);
	take_key(loop, server);
}

static bool
server_is_trusted(Oid owner)
{
	return owner == GetUserId() || superuser_arg(owner);
}

/*
 * Takes over one server's row of llava_usage.  If a pause was recorded and the row has
 * none now, llava_resume has lifted it; processes that share the limits are told by
 * llava_resume itself.
 */
static void
take_usage(ServerState *server, const ServerUsage *usage)
{
	Pause		pause;

	limits_read(server->limits, server->reading, usage->requests, usage->cost);
	limits_pause_now(server->limits, &pause);
	if (pause.reason[0] != '\0' && pause.recorded && usage->pause_reason == NULL &&
		!limits_are_shared(server->limits))
		limits_resume(server->limits);
	limits_pause_recorded(server->limits, usage->pause_reason);
	limits_trial_recorded(server->limits, usage->trial);
}

/* llava_usage: what max_requests and budget are held against. */
static void
load_usage(Loop *loop)
{
	uint64		n;

	foreach_server(server, loop)
	{
		server->reading = limits_begin_reading(server->limits);
	}
	n = usage_read_all();
	foreach_server(server, loop)
	{
		ServerUsage usage = usage_of(server->options, n);

		take_usage(server, &usage);
	}
}

/* Frees servers that were dropped, unless a call points to them. */
static void
forget_dropped(Loop *loop, const List *there)
{
	foreach_server(server, loop)
	{
		if (server->calls > 0 || list_member_oid(there, server->oid))
			continue;
		dlist_delete(&server->node);
		limits_detach(server->limits);
		server_read_release(server->read);
		pfree(server);
	}
}

/* Logs the servers that rows may wait for in vain, and again when they have changed. */
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
			(errmsg("llava_zh: workers send no requests to servers that belong neither to a superuser nor to \"%s\", the owner of llava_pending: %s",
					GetUserNameFromId(GetUserId(), false), names),
			 errhint("ALTER SERVER ... OWNER TO %s;",
					 quote_identifier(GetUserNameFromId(GetUserId(), false)))));
}

/* Adds a server's name, as far as there is room in a line of the log. */
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
	ListCell   *cell;
	StringInfoData strangers;

	if (loop->servers.version != version)
	{
		List	   *oids = server_oids();

		foreach_server(server, loop)
		{
			server->gone = true;
		}
		/* first, so that new servers get the places of dropped ones */
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
	servers_refresh(loop);
}

void
servers_load_again(Loop *loop)
{
	loop->servers.version = 0;
}

void
servers_hurry(Loop *loop)
{
	foreach_server(server, loop)
	{
		limits_clock_set_back(server->limits);
	}
}
