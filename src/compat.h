/*
 * compat.h
 *	  The differences between PostgreSQL 15 and 19 that concern this extension, behind
 *	  functions and macros that are the same for all versions.
 */
#ifndef LLAVA_COMPAT_H
#define LLAVA_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "llava_zh needs PostgreSQL 15 or later"
#endif

#include "access/genam.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "parser/analyze.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/backend_status.h"
#include "utils/guc_tables.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/wait_event.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#if PG_VERSION_NUM >= 180000
#include "storage/waiteventset.h"
#endif

/* get_database_name() */
#if PG_VERSION_NUM >= 190000
#include "utils/lsyscache.h"
#else
#include "commands/dbcommands.h"
#endif

/* PostgreSQL 18 has pg_noreturn, in front of a prototype, and no pg_attribute_noreturn(). */
#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif

/* COPY FROM a file of the server stops at a line of nothing but '\.'. */
#define COMPAT_COPY_STOPS_AT_END_MARK (PG_VERSION_NUM < 180000)

/* A setting that limits a whole transaction where there is one, else each statement. */
#if PG_VERSION_NUM >= 170000
#define COMPAT_TRANSACTION_TIMEOUT "transaction_timeout"
#else
#define COMPAT_TRANSACTION_TIMEOUT "statement_timeout"
#endif

/* The context of an error about a lock, from the line on that says what it is for. */
static inline const char *
compat_lock_context(const char *context)
{
#if PG_VERSION_NUM >= 190000
	/* the first line says how it was waited for */
	const char *next = strchr(context, '\n');

	if (next != NULL)
		return next + 1;
#endif
	return context;
}

/* A wait set that lives as long as the process. */
static inline WaitEventSet *
compat_wait_set(int events)
{
#if PG_VERSION_NUM >= 170000
	return CreateWaitEventSet(NULL, events);
#else
	return CreateWaitEventSet(TopMemoryContext, events);
#endif
}

/* Wait events have names of their own where the server allows that. */
static inline uint32
compat_wait_event(uint32 *event, const char *name)
{
#if PG_VERSION_NUM >= 170000
	if (*event == 0)
		*event = WaitEventExtensionNew(name);
#else
	*event = PG_WAIT_EXTENSION;
#endif
	return *event;
}

static inline uint32
compat_wait_event_http(void)
{
	static uint32 event;

	return compat_wait_event(&event, "LlavaZhHttp");
}

static inline uint32
compat_wait_event_idle(void)
{
	static uint32 event;

	return compat_wait_event(&event, "LlavaZhIdle");
}

static inline AclResult
compat_server_aclcheck(Oid server, Oid role, AclMode mode)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ForeignServerRelationId, server, role, mode);
#else
	return pg_foreign_server_aclcheck(server, role, mode);
#endif
}

static inline AclResult
compat_wrapper_aclcheck(Oid wrapper, Oid role, AclMode mode)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ForeignDataWrapperRelationId, wrapper, role, mode);
#else
	return pg_foreign_data_wrapper_aclcheck(wrapper, role, mode);
#endif
}

static inline PgBackendStatus *
compat_backend_status(int index)
{
#if PG_VERSION_NUM >= 160000
	LocalPgBackendStatus *local = pgstat_get_local_beentry_by_index(index);
#else
	LocalPgBackendStatus *local = pgstat_fetch_stat_local_beentry(index);
#endif

	return local == NULL ? NULL : &local->backendStatus;
}

static inline bool
compat_lock_held_by_me(const LOCKTAG *tag, LOCKMODE mode)
{
#if PG_VERSION_NUM >= 170000
	return LockHeldByMe(tag, mode, false);
#else
	return LockHeldByMe(tag, mode);
#endif
}

/* The server's record of a setting: among others, its source and its stack of values. */
static inline const struct config_generic *
compat_setting(const char *name)
{
#if PG_VERSION_NUM >= 160000
	return find_option(name, false, false, ERROR);
#else
	struct config_generic **all = get_guc_variables();

	for (int i = 0; i < GetNumConfigOptions(); i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	elog(ERROR, "unrecognized configuration parameter \"%s\"", name);
#endif
}

/* A scan of one key for index_getnext_tid. */
static inline IndexScanDesc
compat_index_beginscan(Relation table, Relation index, Snapshot snapshot, int nkeys)
{
#if PG_VERSION_NUM >= 190000
	return index_beginscan(table, index, snapshot, NULL, nkeys, 0, 0);
#elif PG_VERSION_NUM >= 180000
	return index_beginscan(table, index, snapshot, NULL, nkeys, 0);
#else
	return index_beginscan(table, index, snapshot, nkeys, 0);
#endif
}

/* The path of the table's first segment, relative to the data directory. */
static inline void
compat_relation_path(Relation table, char *path, size_t size)
{
#if PG_VERSION_NUM >= 180000
	strlcpy(path, relpathperm(table->rd_locator, MAIN_FORKNUM).str, size);
#elif PG_VERSION_NUM >= 160000
	strlcpy(path, relpathperm(table->rd_locator, MAIN_FORKNUM), size);
#else
	strlcpy(path, relpathperm(table->rd_node, MAIN_FORKNUM), size);
#endif
}

/* Since 19 DROP DATABASE can end a worker that has this flag. */
#if PG_VERSION_NUM >= 190000
#define COMPAT_BGWORKER_INTERRUPTIBLE BGWORKER_INTERRUPTIBLE
#else
#define COMPAT_BGWORKER_INTERRUPTIBLE 0
#endif

static inline bool
compat_proc_is_worker(const PGPROC *proc)
{
#if PG_VERSION_NUM >= 190000
	return proc->backendType == B_BG_WORKER;
#elif PG_VERSION_NUM >= 180000
	return !proc->isRegularBackend;
#else
	return proc->isBackgroundWorker;
#endif
}

/* The third argument of a post_parse_analyze_hook. */
#if PG_VERSION_NUM >= 190000
typedef const JumbleState CompatJumbleState;
#else
typedef JumbleState CompatJumbleState;
#endif

/* The last argument of ExecutorRun, which 18 no longer has. */
#if PG_VERSION_NUM >= 180000
#define COMPAT_RUN_ONCE
#define COMPAT_RUN_ONCE_PASSED
#else
#define COMPAT_RUN_ONCE , bool execute_once
#define COMPAT_RUN_ONCE_PASSED , execute_once
#endif

#endif							/* LLAVA_COMPAT_H */
