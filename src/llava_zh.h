/*
 * llava_zh.h
 *	  What the PostgreSQL-facing half shares.  Include postgres.h first.
 */
#ifndef LLAVA_ZH_H
#define LLAVA_ZH_H

#include "access/xlogdefs.h"
#include "db/sql.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/timestamp.h"

#include "image/image.h"
#include "reply/reply.h"
#include "vlm/vlm.h"

/* The extension's version that goes with this library: default_version of llava_zh.control. */
#define LLAVA_ZH_VERSION "1.1.0"

/* ---- config.c: settings ---- */

/* Most workers of one database. */
#define MAX_WORKERS 8

extern char *llava_databases;
extern int	llava_workers;
extern int	llava_naptime;		/* ms */
extern int	llava_stall_report; /* ms */
extern int	llava_max_attempts;
extern int	llava_retry_delay;	/* ms */
extern int	llava_retry_delay_max;	/* ms */
extern int	llava_prepare_threads;
extern int	llava_prepare_memory;	/* kB */
extern int	llava_image_quality;
extern int	llava_image_max_size;	/* kB */
extern int	llava_image_max_pixels; /* thousands of pixels */
extern int	llava_image_max_memory; /* kB */
extern int	llava_image_max_time;	/* ms */
extern bool llava_image_full_chroma;
extern bool llava_image_take_cut;
extern bool llava_near_duplicates;
extern int	llava_max_reply_size;	/* kB */
extern char *llava_image_directory; /* empty: no pictures in files */
extern char *llava_server;		/* USERSET: the server of llava_generate */

extern void config_define(void);

/* The names in llava_zh.databases, palloc'd.  Empty elements are none. */
extern List *config_databases(void);

/* Limits and quality of the settings; factor and pixels are a server's. */
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

/* OID of one of the extension's own tables. */
extern Oid	extension_relation(const char *name);

/*
 * OID of one of the extension's own functions, by its declared types; ERROR if it has
 * none.  Others of the same name do not matter.
 */
extern Oid	extension_function(const char *name, const Oid *types, int n_types);

/*
 * ERROR if the schema has a function of somebody's that makes a call of ours by
 * this name, with one argument of exactly this type, ambiguous.
 */
extern void extension_check_unambiguous(const char *name, Oid type);

/* ERROR if the schema has a function named as ours are that is not the extension's. */
extern void extension_check_planted(Oid schema);

/* Whether the function is the extension's own. */
extern bool extension_has_function(Oid function);

/* What to do about pictures that were inserted while triggers were off. */
#define UNTAKEN_HINT \
	"Insert them anew: WITH gone AS (DELETE FROM llava_image WHERE received_at IS NULL RETURNING path, image, source_url, page_url, licence, task, meta, long_images) INSERT INTO llava_image (path, image, source_url, page_url, licence, task, meta, long_images) SELECT * FROM gone;"

/* ---- bind.c ---- */

extern void bind_install(void); /* the check of analysed statements, once */

/* ---- options.c: servers and user mappings ---- */

typedef struct LlavaServer
{
	Oid			oid;
	Oid			owner;
	char	   *name;
	char	   *url;
	char	   *model;
	int			max_in_flight;
	int			requests_per_minute;	/* 0: no limit */
	int64		tokens_per_minute;	/* 0: no limit */
	int			connect_timeout;	/* ms */
	int			request_timeout;	/* ms */
	int			priority;		/* smaller is tried first */
	bool		paused;
	int64		max_requests;	/* -1: no limit */
	double		budget;			/* -1: no limit */
	double		input_price;	/* per million tokens */
	double		output_price;
	char	   *extra_body;		/* or NULL */
	int			pixel_factor;
	int64		min_pixels;
	int64		max_pixels;
} LlavaServer;

/* palloc'd in the current context. */
extern LlavaServer *server_load(Oid server);

/* Whether others see the server as this transaction does. */
extern bool server_is_committed(Oid server);

/* OIDs of all servers of the wrapper llava_zh. */
extern List *server_oids(void);

/*
 * The server a caller means: by name, else the setting, else the only one it has
 * USAGE on.  ERRORs name what is missing, with CREATE SERVER or the names as HINT.
 */
extern LlavaServer *server_for_caller(const char *name);

/*
 * The key to send to this server, palloc'd; NULL if there is no mapping or it has
 * none.  The worker's: the owner's mapping, else PUBLIC's.  A caller's: its own,
 * else PUBLIC's.  A key that an ALTER SERVER ... url by the server's owner could
 * steal is an ERROR (design section 3).
 */
extern char *server_key_for_worker(const LlavaServer *server);
extern char *server_key_for_caller(const LlavaServer *server);

/* ---- task.c ---- */

/* What becomes of a picture so long that its text would be shrunk away. */
typedef enum LongImages
{
	LONG_AS_TASK,				/* a row's: says nothing */
	LONG_SHRINK,
	LONG_RAISE,
	LONG_PARK
} LongImages;

typedef struct LlavaTask
{
	char	   *name;
	int			version;
	char	   *alias;			/* or NULL */
	char	   *prompt;
	ReplyKind	kind;
	ReplyLanguage language;
	int64		weight;
	char	   *server;			/* or NULL */
	int			n_questions;
	char	  **questions;
	LongImages	long_images;
	double		long_ratio;		/* pictures over it that must shrink are long */
	int64		long_max_pixels;	/* of LONG_RAISE; 0: the model's own limit */
	VlmSampling sampling;		/* seed unset */
	ReplyRules	rules;			/* rules.prompts set up */
	VlmBody		body;			/* dispatch.c's */
	uint64		body_of;		/* whose: ServerState.options_read; 0: none */
	struct TaskCounter *counter;	/* the loop's, as soon as a row was
									 * claimed */
} LlavaTask;

/* Newest version by name or alias, palloc'd; ERROR with the names as HINT. */
extern LlavaTask *task_find(const char *name);

/* Newest versions of all tasks, in the current context. */
extern List *task_list(void);

/* The task of a draw; NULL if no task has a weight. */
extern const char *task_draw(List *tasks, int64 n);

/* Seed of a request: a hash of image, task and variation, in [0, 2^31). */
extern int64 task_seed(int64 image, const char *task, int variation);

/* The human turn of a description: deterministic per image. */
extern const char *task_question(const LlavaTask *task, int64 image);

/* ---- long_images.c ---- */

/* NULL is LONG_AS_TASK, 'shrink' ... the others; and back, static, NULL for LONG_AS_TASK. */
extern LongImages long_images_of(const char *word);
extern const char *long_images_name(LongImages policy);

/*
 * Applies the task's policy, or the row's own, to a fit that has the server's
 * limits.  What was done: LONG_AS_TASK where the picture is not long.
 */
extern LongImages long_images_fit(const LlavaTask *task, LongImages of_row,
								  const ImageInfo *info, ImageFit *fit);

/* ---- conversation.c: turns to jsonb ---- */

/* [{"from": ..., "value": ...}, ...] as jsonb; question: the human turn of a description, or NULL. */
extern Datum conversation_turns(const ReplyResult *result, const char *question, int *rounds);
extern Datum conversation_flags(uint32 flags);	/* text[] */
extern Datum conversation_measures(const ReplyMeasures *measures);	/* jsonb */

/* The server's finish_reason (NULL: it said none) as the parser knows it. */
extern ReplyFinish conversation_finish(const char *finish_reason);

/* Why an answer is no sample, static; NULL: it is one. */
extern const char *conversation_reason(const VlmEnvelope *envelope, const ReplyResult *result);

/* ---- image_sql.c ---- */

/*
 * image_check and image_prepare in this process, with interrupts served; ERROR
 * says why not.  Sets the fit's stop callback.  *prepared is zeroed before and
 * freed by the caller, after an ERROR too.
 */
extern void image_prepare_here(const uint8 *data, size_t size, ImageFit *fit,
							   ImagePrepared *prepared);

/* Same, with the error in *error and no ERROR but a cancel's. */
extern ImageStatus image_try_prepare_here(const uint8 *data, size_t size, ImageFit *fit,
										  ImagePrepared *prepared, ImageError *error);

/* ---- transport.c: the request pool in a PostgreSQL process ---- */

/*
 * The process's pool and its wait.  transport_wait sleeps until the pool, the
 * extra descriptor (the image pool's; -1: none), the latch or the timeout (ms,
 * -1: none) needs attention, resets the latch, runs CHECK_FOR_INTERRUPTS and
 * steps the pool.  True if the latch was set.
 */
extern VlmPool *transport_pool(int max_connections);

/* Whether a socket is left for a request more; a request beyond would wait in the pool. */
extern bool transport_has_room(void);
extern bool transport_wait(int extra_fd, long timeout_ms);

/* The extra descriptor is closed; another may get its number. */
extern void transport_forget_extra(void);

/* Serves the sockets in the middle of something long, without waiting. */
extern void transport_serve(void);

/* Whether sockets in use have been left alone for longer than such work should. */
extern bool transport_is_overdue(void);

/* ---- meter.c: what the loop of this process tells llava_stat_worker ---- */

extern Size meter_memory(void);
extern void meter_start_up(void *memory, bool found);

/* Nothing is counted before meter_begin, or where there is no shared memory. */
extern void meter_begin(void);
extern void meter_end(void);

/* Whether that process has one: it drains. */
extern bool meter_has(int pid);

/* So many commits queued rows. */
extern void meter_woken(uint64 commits);

/*
 * The sockets are looked at again.  away_us: since they were looked at last, 0
 * where no request was in flight.
 */
extern void meter_look(int64 away_us);

/* ---- flush.c: commits reach the disk without the loop waiting ---- */

extern Size flush_memory(void);
extern void flush_start_up(void *memory, bool found);

/* The launcher: it flushes from now on, and what was asked for since the last call. */
extern void flush_begin(void);
extern void flush_serve(void);

/* Whether there is a launcher to ask; the others only where there is. */
extern bool flush_is_shared(void);

/*
 * Has the log flushed up to there, soon.  Where it is not yet, the latch is set when
 * it is; but the launcher may die: look again every FLUSH_LOOK_MS.
 */
#define FLUSH_LOOK_MS 10
extern void flush_ask(XLogRecPtr upto);
extern bool flush_is_done(XLogRecPtr upto);

/* ---- src/shmem.c ---- */

/* From _PG_init while preloading: asks for the shared memory of all rooms. */
extern void shmem_request(void);

/* ---- wake.c: "rows were queued", told at commit ---- */

extern Size wake_memory(void);
extern void wake_start_up(void *memory, bool found);

/* Whether this cluster preloads llava_zh. */
extern bool wake_is_shared(void);

/* Marks that this transaction queued rows visible from this time on. */
extern void wake_at_commit(TimestampTz visible_at);

/*
 * The smallest visible_at committed for this database since the last call; DT_NOEND:
 * nothing was, DT_NOBEGIN: so much was that it may be any.  False where nothing is
 * shared and nobody knows.
 */
extern bool wake_take_queued(TimestampTz *earliest);

/* The locks of the tranche "llava_zh". */
typedef enum SharedLock
{
	SHARED_LOCK_LIMITS,
	SHARED_LOCK_SLOTS,
	SHARED_LOCK_TASKS,
	SHARED_LOCKS
}			SharedLock;

/* ---- own_lock.c: locks that no SQL can take, of this database ---- */

/* The fourth field of the lock's tag; those of SQL have 1 and 2. */
typedef enum OwnLock
{
	OWN_LOCK_LOOK = 3,			/* one process looks for copies at a time */
	OWN_LOCK_START,				/* llava_start: look and start are one step */
	OWN_LOCK_SLOT,				/* a worker's, of its slot (slots.c) */
	OWN_LOCK_DRAIN				/* a session's that drains, of its pid */
} OwnLock;

/* Until the transaction's end.  Waits as long as lock_timeout lets it, which is set. */
extern void own_lock_take(OwnLock kind, int number);

/* At once or not at all.  for_good: until the process ends. */
extern bool own_lock_try(OwnLock kind, int number, bool for_good);

/* Before the transaction's or the process's end; for_good as it was taken. */
extern void own_lock_release(OwnLock kind, int number, bool for_good);
extern bool own_lock_is_mine(OwnLock kind, int number);

/* Pid of who holds it; 0: nobody. */
extern int	own_lock_holder(OwnLock kind, int number);

/* All that are held, palloc'd; how many. */
typedef struct OwnLockHolder
{
	int			number;
	int			pid;
} OwnLockHolder;

extern int	own_lock_holders(OwnLock kind, OwnLockHolder **holders);

/* Who a process is, for the log: pid, role and state, palloc'd.  In a transaction. */
extern char *process_words(int pid);

/* ---- slots.c: which process is the worker of a slot ---- */

extern Size slots_memory(void);
extern void slots_start_up(void *memory, bool found);

/* Whether this process is the slot's worker from now on; false: another is. */
extern bool slot_take(int slot);

/* Pid of the slot's worker; 0: there is none. */
extern int	slot_holder(int slot);

/* Slots and pids of this database's workers, palloc'd; how many. */
extern int	slots_taken(OwnLockHolder **workers);

/* The worker, now and then: FATAL if it has lost its slot to another. */
extern void slot_keep(int slot);

/* ---- launcher.c, worker.c, loop.c ---- */

extern void launcher_register(void);	/* from _PG_init while preloading */
extern PGDLLEXPORT void llava_launcher_main(Datum arg);
extern PGDLLEXPORT void llava_worker_main(Datum arg);

/* ---- copy_jsonl.c ---- */

extern void copy_jsonl_install(void);	/* the ProcessUtility hook, once */

#endif							/* LLAVA_ZH_H */
