/*
 * db.h
 *	  How the other rooms reach the database: settings, the extension's objects,
 *	  statements, rights, locks.
 */
#ifndef LLAVA_DB_H
#define LLAVA_DB_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "blockers.h"
#include "fmgr.h"
#include "image/image.h"
#include "nodes/pg_list.h"
#include "process/process.h"
#include "rows.h"
#include "sql.h"
#include "trust.h"
#include "tx.h"
#include "utils/timestamp.h"
#include "web/web.h"

/*
 * The extension's version that goes with this library: default_version of
 * llava_zh.control.
 */
#define LLAVA_ZH_VERSION "1.1.0"

/* ---- config.c: settings ---- */

/* Most workers of one database. */
#define MAX_WORKERS 8

extern int	llava_workers;
extern int	llava_naptime;		/* ms */
extern int	llava_stall_report; /* ms */
extern int	llava_max_attempts;
extern int	llava_retry_delay;	/* ms */
extern int	llava_retry_delay_max;	/* ms */
extern int	llava_prepare_threads;
extern int	llava_prepare_memory;	/* kB */
extern int	llava_image_max_size;	/* kB */
extern bool llava_image_take_cut;
extern bool llava_near_duplicates;
extern int	llava_max_reply_size;	/* kB */
extern char *llava_image_directory; /* empty: no pictures in files */
extern char *llava_server;		/* USERSET: the server of llava_generate */

/* config_fetch.c */
typedef enum FetchTls
{
	FETCH_TLS_VERIFY,
	FETCH_TLS_RECORD
} FetchTls;

extern bool llava_fetch;
extern char *llava_fetch_contact;
extern char *llava_fetch_allow;
extern char *llava_fetch_ports;
extern char *llava_fetch_nameservers;
extern int	llava_fetch_in_flight;
extern int	llava_fetch_delay;	/* ms */
extern int	llava_fetch_max_delay;	/* ms */
extern int	llava_fetch_timeout;	/* ms */
extern int	llava_fetch_memory; /* kB */
extern int	llava_fetch_attempts;
extern int	llava_fetch_tls;	/* FetchTls */
extern char *llava_fetch_reservations;

extern void config_define_fetch(void);

/* Of llava_zh.fetch_ports. */
extern const WebPorts *config_fetch_ports(void);

extern void config_define(void);

/* The names in llava_zh.databases, palloc'd.  Empty elements are skipped. */
extern List *config_databases(void);

/* Sets limits and quality from the settings; factor and pixels come from a server. */
extern void config_image_fit(ImageFit *fit);

/* ---- extension.c: which schema, and whether at all ---- */

/* InvalidOid if the extension is not installed here. */
extern Oid	extension_schema(void);

/* Same, with an ERROR that says CREATE EXTENSION. */
extern Oid	extension_schema_required(void);

/*
 * The version that is installed here if it is older than the library, palloc'd; NULL
 * if it is not.  In a transaction, where the extension is installed.
 */
extern char *extension_older_version(void);

/* ERROR that says ALTER EXTENSION UPDATE, for an installed version that is older. */
extern void extension_version_required(void);

/* OID of one of the extension's own tables; InvalidOid: its version has none of that name. */
extern Oid	extension_find_relation(const char *name);

/* The same, with an ERROR that says ALTER EXTENSION UPDATE. */
extern Oid	extension_relation(const char *name);

/*
 * OID of one of the extension's own functions, by its declared types; ERROR if it has
 * none.  Others of the same name do not matter.
 */
extern Oid	extension_function(const char *name, const Oid *types, int n_types);

/*
 * ERROR if the schema has another role's function that makes a call of ours by this name,
 * with one argument of exactly this type, ambiguous.
 */
extern void extension_check_unambiguous(const char *name, Oid type);

/* ERROR if the schema has a function that is named like ours and is not the extension's. */
extern void extension_check_planted(Oid schema);

/* Whether an object of this catalogue is the extension's own. */
extern bool extension_has(Oid catalogue, Oid object);

/* The owner of any relation.  If there is none: InvalidOid, or an ERROR. */
extern Oid	relation_owner(Oid relation, bool missing_ok);

/*
 * Calls 'each' for every row of a catalogue in which this column is 'value'; index
 * InvalidOid: reads the whole catalogue.
 */
typedef void (*CatalogueRow) (HeapTuple tuple, TupleDesc desc, void *arg);
extern void catalogue_each(Oid catalogue, Oid index, AttrNumber column, Oid value,
						   CatalogueRow each, void *arg);

/* What to do about pictures that were inserted while triggers were off. */
#define UNTAKEN_HINT \
	"Insert them anew: WITH gone AS (DELETE FROM llava_image WHERE received_at IS NULL RETURNING path, image, source_url, page_url, licence, task, meta, long_images) INSERT INTO llava_image (path, image, source_url, page_url, licence, task, meta, long_images) SELECT * FROM gone;"

/* ---- bind.c ---- */

extern void bind_install(void); /* the check of analysed statements, once */

/* ---- activity.c: what other processes do.  In a transaction ---- */

/* Describes a process for the log: pid, role and state, palloc'd. */
extern char *process_words(int pid);

/* A sentence that says who is in the way; pid 0: a prepared transaction. */
extern const char *process_in_the_way(int pid);

/*
 * Whether a session of this database COPYs FROM something into a table of ours; who, and
 * which table.  A role without the privileges of the table's owner does not count, since
 * it cannot restore, nor a COPY that brings new pictures (copying_new_pictures).
 */
extern bool copying_find(int *pid, Oid *table);

/*
 * The statement that this process runs takes in new pictures: if it is a COPY it is no
 * restore.
 */
extern void copying_new_pictures(Oid table);

/* ---- call_seq.c: the sequence llava_call_seq, beside drawing from it ---- */

typedef struct CallSeq
{
	int64		last;			/* the last one drawn or set; the next one, if
								 * there was none */
	bool		is_called;		/* false: as it was created, or after RESTART */
	bool		is_new;			/* as CREATE EXTENSION makes it */
} CallSeq;

/* Needs no privilege on it.  In a transaction. */
extern void call_seq_read(CallSeq *seq);

/* Larger ids can only be drawn after this call. */
extern int64 call_seq_last_drawn(void);

/*
 * Leaves out this many ids: *first to *last are never drawn.  Runs as the sequence's
 * owner.  ERROR 2200H if too few are left.
 */
extern void call_seq_skip(int64 calls, int64 *first, int64 *last);

/* ---- own_lock.c: locks that no SQL can take, of this database ---- */

/* The fourth field of the lock's tag; those of SQL have 1 and 2. */
typedef enum OwnLock
{
	OWN_LOCK_LOOK = 3,			/* one process at a time looks for copies */
	OWN_LOCK_START,				/* llava_start: look and start are one step */
	OWN_LOCK_SLOT,				/* a worker's, of its slot (slots.c) */
	OWN_LOCK_DRAIN				/* a session's that drains, of its pid */
} OwnLock;

/*
 * Takes the lock until the transaction ends.  Waits as long as lock_timeout allows, which
 * the caller has set.
 */
extern void own_lock_take(OwnLock kind, int number);

/* Takes the lock at once or not at all.  for_good: until the process ends. */
extern bool own_lock_try(OwnLock kind, int number, bool for_good);

/* Releases the lock before the transaction or process ends; for_good as it was taken. */
extern void own_lock_release(OwnLock kind, int number, bool for_good);
extern bool own_lock_is_mine(OwnLock kind, int number);

/* The pid of its holder; 0 if it is free. */
extern int	own_lock_holder(OwnLock kind, int number);

/* All locks of this kind that are held, palloc'd; returns how many. */
typedef struct OwnLockHolder
{
	int			number;
	int			pid;
} OwnLockHolder;

extern int	own_lock_holders(OwnLock kind, OwnLockHolder **holders);

/* The pid of the one with this number among n of them, which are freed; 0: there is none. */
extern int	own_lock_pid(OwnLockHolder *holders, int n, int number);

/* ---- slots.c: which process is the worker of a slot ---- */

extern const SharedPart slots_shared;

/* Makes this process the slot's worker; false if another one is. */
extern bool slot_take(int slot);

/* The pid of the slot's worker; 0 if there is none. */
extern int	slot_holder(int slot);

/* Slots and pids of this database's workers, palloc'd; returns how many. */
extern int	slots_taken(OwnLockHolder **workers);

/* Called by the worker periodically: FATAL if it has lost its slot to another process. */
extern void slot_keep(int slot);

#endif							/* LLAVA_DB_H */
