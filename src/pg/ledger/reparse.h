/*
 * reparse.h
 *	  One call of llava_reparse: reparse.c walks the ledger, stored_reply.c judges a reply
 *	  of it again, reparse_sample.c changes samples.
 */
#ifndef LLAVA_REPARSE_H
#define LLAVA_REPARSE_H

#include "db/db.h"
#include "task/task.h"

/* ---- stored_reply.c: one reply, with its verdicts before and after ---- */

#define READ_COLUMNS(COLUMN) \
	COLUMN(READ_ID, "r.id") \
	COLUMN(READ_TASK, "r.task") \
	COLUMN(READ_TASK_VERSION, "r.task_version") \
	COLUMN(READ_BODY, "r.body") \
	COLUMN(READ_REASON, "r.reason") \
	COLUMN(READ_OFFSET, "r.reason_offset") \
	COLUMN(READ_FLAGS, "r.flags") \
	COLUMN(READ_MEASURES, "r.measures") \
	COLUMN(READ_ABOUT, "r.about")

/* The columns of sql_reparse_read and, but for the last two, of sql_reparse_other. */
enum
{
	READ_IMAGE = 1,
	READ_COLUMNS(SQL_RESULT_INDEX)
	READ_SAMPLE,				/* made of this reply, and judged by no person */
	READ_EDITED					/* when a person changed it; or NULL */
};

/* One stored reply, before and after. */
typedef struct Stored
{
	Datum		column[READ_EDITED + 1];
	bool		isnull[READ_EDITED + 1];
	LlavaTask  *task;
	char	   *before;			/* reason, or NULL */
	const char *after;
	VlmEnvelope envelope;
	ReplyResult result;
	Datum		flags;
	Datum		measures;		/* jsonb */
} Stored;

/* Either may be NULL. */
extern bool stored_same_word(const char *a, const char *b);

extern void stored_read(HeapTuple tuple, TupleDesc desc, List *tasks, Stored *stored);

/*
 * False if the body is no completion or its task is gone: then the verdict is not the
 * parser's.
 */
extern bool stored_judge(Stored *stored);

/* Frees what is not palloc'd. */
extern void stored_free(Stored *stored);

extern bool stored_same_verdict(const Stored *stored);

/* False if another session has changed the verdict meanwhile. */
extern bool stored_write_verdict(const Stored *stored);

/* ---- reparse.c, reparse_sample.c ---- */

typedef struct Reparse
{
	struct Work *work;			/* how far the call is */
	MemoryContext context;		/* of the call: survives commits */
	text	   *task;			/* or NULL: all */
	int			batch;
	bool		edited_too;		/* samples that a person changed, too */
	List	   *followers;		/* of the current batch */
	int64		image;			/* the last reply looked at */
	int64		id;

	/* for the report */
	int64		replies;
	int64		accepted;		/* samples made */
	int64		withdrawn;
	int64		rewritten;		/* samples whose text or flags changed */
	int64		edited;			/* samples left, since a person changed them */
	int64		odd;			/* samples left, since they are no
								 * conversations */
	List	   *changes;
} Reparse;

/* Applies what follows from a verdict that changed. */
extern void reparse_apply(Reparse *reparse, const Stored *stored, List *tasks);

extern void reparse_rewrite(Reparse *reparse, const Stored *stored, bool flags_too);

/* ---- reparse_annotation.c: the same for tasks of kind json ---- */

/* True if the annotation was made; false if there was one, or what it is about has changed. */
extern bool annotation_make(const Stored *stored);

/* Whether the object or its flags were changed. */
extern bool annotation_rewrite(const Stored *stored);
extern bool annotation_withdraw(const Stored *stored);

#endif							/* LLAVA_REPARSE_H */
