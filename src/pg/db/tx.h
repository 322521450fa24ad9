/*
 * tx.h
 *	  Short transactions of a process that works on the queue.
 */
#ifndef LLAVA_TX_H
#define LLAVA_TX_H

#include "access/xlogdefs.h"
#include "utils/elog.h"
#include "utils/palloc.h"

typedef struct Tx
{
	bool		in_procedure;	/* transactions are the caller's CALL's */
	Oid			schema;			/* of the extension at the last look */
	Oid			pending;		/* the llava_pending that was claimed from */
	char		older_version[NAMEDATALEN]; /* installed here, which is waited
											 * for, and has been said; "": it
											 * is not */
} Tx;

/*
 * A transaction of the loop's: as the owner of llava_pending, with a safe
 * search_path, SPI-connected, with a snapshot.  False, with nothing begun, if the
 * extension is not here, or is older than the library: then the log and the
 * activity of the worker say so, and a procedure ends with an ERROR.
 */
extern bool tx_begin(Tx *tx, const char *activity);

/*
 * Commits; idle is what the process shows then, NULL: nothing.  Until flush_is_done of
 * what it returns the commit may be lost with the server; InvalidXLogRecPtr: it is safe,
 * or wrote nothing.
 */
extern XLogRecPtr tx_commit(Tx *tx, const char *idle);

/* The synchronous_commit with which the transaction that was begun will commit. */
extern void tx_commit_as(const char *synchronous_commit);

/* The role that the worker acts as: the owner of llava_pending. */
extern Oid	tx_queue_owner(void);

/* The settings that the loop's statements need: for this process, or for this transaction. */
extern void tx_environment(bool for_good);

/*
 * Called by a procedure as it begins: a transaction of the modes that the loop needs.
 * ERROR if the session itself has set READ ONLY.
 */
extern void tx_enter_procedure(const char *name);

/* Changes a setting until the transaction that tx_begin began is committed. */
extern void tx_set_locally(const char *name, const char *value);

/*
 * Runs work in a subtransaction.  True if it succeeded; else it is rolled back
 * and *error, palloc'd in the context errors, says why.
 */
extern bool tx_try(MemoryContext errors, void (*work) (void *arg), void *arg, ErrorData **error);

/*
 * A user's lock, a full disk, or a table that cannot be trusted: the same work is tried
 * again.
 */
extern bool tx_error_passes(const ErrorData *error);

/* The purpose of the transaction, as tx_begin was given it. */
extern const char *tx_activity(void);

#endif							/* LLAVA_TX_H */
