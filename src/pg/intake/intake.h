/*
 * intake.h
 *	  What comes in: pictures, and rows that a person queues.
 */
#ifndef LLAVA_INTAKE_H
#define LLAVA_INTAKE_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "db/db.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

/* ---- a row on its way into llava_image ---- */

/* The columns intake reads or writes; the first WRITTEN of them it writes. */
enum
{
	COLUMN_IMAGE,
	COLUMN_IN_FILE,
	COLUMN_TASK,
	COLUMN_SHA256,
	COLUMN_FORMAT,
	COLUMN_WIDTH,
	COLUMN_HEIGHT,
	COLUMN_CHANNELS,
	COLUMN_BITS,
	COLUMN_ORIENTATION,
	COLUMN_PROGRESSIVE,
	COLUMN_ANIMATED,
	COLUMN_COMPLETE,
	COLUMN_BYTES,
	COLUMN_REJECTED,
	COLUMN_REJECTED_DETAIL,
	COLUMN_SAME_AS,
	COLUMN_SAME_DISTANCE,
	COLUMN_RECEIVED_AT,
	COLUMN_ROWS,
	COLUMN_FILE_TIME,
	WRITTEN,
	COLUMN_ID = WRITTEN,
	COLUMN_PATH,
	COLUMN_SOURCE_URL,
	COLUMNS
};

/* All columns; the first WRITTEN of them are stored. */
typedef struct Arrival
{
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];
	bytea	   *given_sha256;	/* what the INSERT gave; or NULL */
} Arrival;

typedef struct FetchQueue FetchQueue;

/* What all rows of a statement share. */
typedef struct Intake
{
	List	   *tasks;			/* task_weights() */
	Oid			image;
	Oid			seen;
	Oid			pending;
	Oid			draw_seq;
	ImageLimits limits;
	int			columns[COLUMNS];
	int			written;		/* of the columns */
	FetchQueue *fetch_queue;	/* NULL: no row of the statement is to be
								 * fetched yet */
} Intake;

/* ---- arrival.c ---- */

/*
 * Looks up the attribute number of each column; returns how many are written.  That is all
 * but the last two where the table is 1.0.0's, which has neither rows nor file_time.
 */
extern int	arrival_find_columns(TupleDesc desc, int *columns);

/*
 * Reads the columns that an INSERT may give.  Facts about the picture are determined anew,
 * and a given sha256 is compared with that of the bytes.
 */
extern void arrival_read(Arrival *arrival, const int *columns, HeapTuple tuple, TupleDesc desc);

extern void arrival_set(Arrival *arrival, int column, Datum value);
extern void arrival_set_null(Arrival *arrival, int column);

/* ---- image_facts.c ---- */

/*
 * Sets size, sha256 and header facts; true if the picture can be sent to a model.  A
 * picture over the size limit is not even fetched, and its row is stored without bytes.
 */
extern bool arrival_find_facts(Arrival *arrival, const ImageLimits *limits);

/*
 * False, with the row rejected, if the INSERT gave a sha256 and the bytes have another:
 * they are not the picture that was meant.  Bytes that were not read are not compared.
 */
extern bool arrival_has_given_digest(Arrival *arrival);

/* ---- intake.c ---- */

/* Sets it up for the table llava_image. */
extern void intake_set_up(Intake *intake, Relation image);

/*
 * Judges the bytes that have arrived, and queues the row or says why not.  task: NULL: one
 * is drawn.  is_there: the row is in the table already, and waits for its bytes.
 */
extern void intake_judge(Arrival *arrival, const Intake *intake, const char *task, bool is_there);

/* These bytes, or this URL, were taken down: the row says so and holds nothing of them. */
extern void intake_refuse_forgotten(Arrival *arrival, const char *forgotten);

/*
 * $1 is a sha256.  Returns the first picture that had it, and when and why that was taken
 * down.
 */
extern SqlStatement sql_seen_find;

/*
 * $1 is a picture's id.  The row is locked against llava_forget until what follows from it
 * is committed.
 */
extern SqlStatement sql_image_state;

/*
 * The size of the file whose row is inserted next, if llava_load does not read it since it
 * is over the limit; else -1.
 */
extern int64 intake_unread_size;

/* The file whose row llava_load writes next; path NULL: it writes none. */
typedef struct IntakeFile
{
	const char *path;			/* as in the row */
	TimestampTz time;			/* when it was changed last; DT_NOBEGIN: not
								 * known */
} IntakeFile;

extern IntakeFile intake_file;

/* Why a path cannot name a picture (static), or NULL. */
extern const char *intake_path_problem(const char *path);

/* Whether the bytes with this sha256 were taken down. */
extern bool intake_is_forgotten(Datum sha256);

/*
 * The row that a restore stores: the one given, or one that says that its picture was
 * taken down.
 */
extern HeapTuple intake_restored(HeapTuple tuple, TupleDesc desc);

/* ---- from_url.c ---- */

/* A URL as it is queued; refused: why it is not (static). */
typedef struct IntakeUrl
{
	const char *refused;
	char	   *normal;
	char	   *host;			/* scheme, host and port */
	struct varlena *digest;		/* sha256 of normal, as bytea */
} IntakeUrl;

extern void intake_url(const char *text, size_t size, IntakeUrl *url);

/* Whether the row has no picture but a URL, from which one is fetched. */
extern bool arrival_is_to_be_fetched(const Arrival *arrival);

/* The row, with a source_url that is too long for any URL cut: it is refused, not an ERROR. */
extern HeapTuple intake_clip_url(HeapTuple tuple, TupleDesc desc, const int *columns);

/* Queues the fetch, or says in the row why there is none. */
extern void arrival_queue_fetch(Arrival *arrival, FetchQueue *queue);

/* ---- fetch_queue.c ---- */

/* Of the statement with this memory context. */
extern FetchQueue *fetch_queue_of(Intake *intake, MemoryContext statement);

/* False: no URL had been taken down when the statement began. */
extern bool fetch_queue_any_forgotten(const FetchQueue *queue);

/* expected: the sha256 that was given, or NULL. */
extern void fetch_queue_add(FetchQueue *queue, Datum id, const IntakeUrl *url, const struct varlena *expected);

/* ---- arrive.c: what was fetched ---- */

/*
 * Puts the bytes of a picture that was fetched into its row, judged as an INSERT's are, and
 * queues it.  False: the row is gone, or has a picture already.  expected: the sha256 that
 * was given, or NULL.
 */
extern bool intake_arrive(int64 image, const void *bytes, size_t size, struct varlena *expected);

/* The row's URL has the picture of this one, or is why there is none. */
extern void intake_same_url(int64 image, int64 first);
extern void intake_url_forgotten(int64 image, const char *words);

/* Words about the takedown of this URL, palloc'd; NULL: it was not taken down. */
extern char *intake_find_forgotten(struct varlena *digest);

/* The row of llava_image that is given its picture just now; 0: none. */
extern int64 intake_arriving;

/* ---- pins.c ---- */

/* What a call says of the servers that rows may go to: two texts, empty to take them back. */
typedef struct Pins
{
	Datum		server;
	Datum		not_server;
	char		nulls[2];		/* as for sql_run: 'n', nothing is said */
} Pins;

/*
 * The argument n, of this name, and the one after it, not_server; functions of 1.0.0 have
 * neither.  ERROR where no server could be asked.
 */
extern Pins pins_argument(FunctionCallInfo fcinfo, int n, const char *argument);

/* Whether one of these two is given.  1.0.0 has no columns for them. */
extern bool pins_are_given(const char *nulls);

#endif							/* LLAVA_INTAKE_H */
