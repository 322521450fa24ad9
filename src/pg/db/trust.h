/*
 * trust.h
 *	  Whether our statements may run with another role's rights.
 *
 * The worker acts as the owner of llava_pending, a trigger function as the owner of
 * the table that it writes.  Whatever the tables of such a statement can run
 * (triggers, constraints, index expressions, policies, children, ...) runs with that
 * role's rights too.  Each relation of a statement is therefore judged after the
 * statement's locks were taken and before it is executed: its owner must be the
 * acting role or a superuser, and everything that it can run must belong to a
 * superuser or to its owner.
 */
#ifndef LLAVA_TRUST_H
#define LLAVA_TRUST_H

#include "nodes/pg_list.h"
#include "storage/lockdefs.h"
#include "utils/plancache.h"

/* Why a relation cannot be trusted.  All strings are palloc'd or static. */
typedef struct TrustFinding
{
	Oid			relation;
	char	   *object;			/* "trigger t on table s.r", as in core's
								 * messages */
	Oid			owner;			/* whose code would run, or who could change
								 * it */
	char	   *reason;			/* a phrase with the object as its subject */
	char	   *remedy;			/* an SQL command */
} TrustFinding;

/*
 * From trust_begin to trust_end sql_run judges the relations of its statements, as
 * the current user.  The calls nest; an aborted (sub)transaction ends those that
 * began in it.
 */
extern void trust_begin(void);
extern void trust_end(void);
extern bool trust_is_on(void);

/*
 * Locks what a statement touches, in the modes that it needs, and judges it as the
 * current user.  False where the statement is void and must be parsed anew.  ERROR
 * 42501 that names the object, with the remedy as its hint, if a relation cannot be
 * trusted.
 */
extern bool trust_check_query(CachedPlanSource *source);

/* Whether the statement that was just looked at can run code that is not a superuser's. */
extern bool trust_runs_owners_code(void);

/* ERROR as above for one relation that the caller is about to write with its own rights. */
extern void trust_check_relation(Oid relation);

/*
 * The same for all relations that the worker writes and reads, as the current user: so
 * that no request is made if its reply could not be stored.  Waits for no lock: what is
 * locked is judged when its turn comes.
 */
extern void trust_check_worker_relations(void);

/* What the worker writes and reads, as the owner of llava_pending, the first of them. */
#define TRUST_WORKER_RELATIONS 10
extern const char *const trust_worker_relations[TRUST_WORKER_RELATIONS];

/* All findings that a statement of this role would meet in a relation, which is locked. */
extern List *trust_findings(Oid relation, Oid acting);

/* InvalidOid if there is no such function. */
extern Oid	trust_function_owner(Oid function);

/* Whether an error was raised by one of the two. */
extern bool trust_refused(const ErrorData *error);

/* ---- trust_relation.c ---- */

/* What a verdict rests on: it is void when one of these changes. */
typedef struct TrustBasis
{
	List	   *relations;		/* OIDs */
	List	   *dependents;		/* OIDs: those of them that a statement
								 * reaches through the judged one, its
								 * children and the tables whose foreign keys
								 * follow it */
	List	   *functions;		/* hash values of syscache PROCOID */
	bool		runs_owners;	/* functions that are not a superuser's */
	List	   *written;		/* OIDs looked at as tables of the statement, */
	List	   *read;			/* as what policies read, */
	List	   *deleted;		/* as tables whose rows are deleted, */
	List	   *followed_deletes;	/* as tables of other owners whose rows
									 * foreign keys delete */
	List	   *followed_updates;	/* or update rows of */
	List	   *types;			/* hash values of syscache TYPEOID */
} TrustBasis;

/*
 * Judges one relation and, recursively, its children, what its policies read, and, where
 * rows are deleted, what foreign keys that reference it run.  Children and referencing
 * tables are locked in this mode, which the statement needs.  A list of TrustFinding in
 * the current context, with qualified names; NIL: the relation can be trusted.  Runs none
 * of the code that it looks at.
 */
extern List *trust_judge(Oid relation, Oid acting, LOCKMODE mode, bool deletes, TrustBasis *basis);

#endif							/* LLAVA_TRUST_H */
