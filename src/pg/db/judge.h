/*
 * judge.h
 *	  What the files that judge a relation share: trust_relation.c,
 *	  trust_expressions.c, trust_code.c, trust_triggers.c, trust_foreign_keys.c.
 */
#ifndef LLAVA_JUDGE_H
#define LLAVA_JUDGE_H

#include "db.h"
#include "nodes/parsenodes.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"

/* What is being judged, and what was found so far. */
typedef struct Judge
{
	Oid			acting;			/* with whose rights the statement runs */
	LOCKMODE	mode;			/* of dependents */
	Relation	rel;			/* the relation whose code is looked at */
	Oid			trusted;		/* whose code may run, beside superusers' */
	bool		of_parent;		/* rel is a child of a table of the statement */
	bool		deletes;		/* the statement deletes rows */
	TrustBasis *basis;			/* all that was looked at */
	List	   *types;			/* OIDs looked at for this relation's owner */
	List	   *findings;		/* TrustFinding */

	/* the part of rel that is being looked at, as findings say it */
	const char *object;
	const char *remedy;
	bool		only_builtin;	/* functions must be pg_catalog's own */
} Judge;

/* Adds a finding about judge->object. */
extern void judge_found(Judge *judge, Oid owner, char *reason);

/* "public.llava_reply", quoted. */
extern char *judge_relation_name(Relation rel);

/* Whether code of this role may run here. */
extern bool judge_trusts(const Judge *judge, Oid role);

/* "role app" and "app", quoted; "PUBLIC" for ACL_ID_PUBLIC. */
extern const char *judge_role(Oid role);
extern const char *judge_role_name(Oid role);

/*
 * Who was granted a privilege on the relation, beside its owner and superusers;
 * ACL_ID_PUBLIC too.
 */
extern List *judge_grantees(Relation rel, AclMode privilege);

/* Sets what the next findings are about: an object as core's messages call it. */
extern void judge_look_at(Judge *judge, Oid catalog, Oid object, char *remedy);
extern void judge_look_at_relation(Judge *judge, char *remedy); /* judge->rel itself */

/* False if the relation is in this list of the basis already. */
extern bool judge_is_new(Judge *judge, List **looked_at, Oid relation);

/* Locks a relation that the statement will reach. */
extern void judge_lock(Judge *judge, Oid relation);

/*
 * Another table: one that the statement writes, with all that it can run; or one that a
 * policy reads: anyone may own it, but its code must be trusted.
 */
extern void judge_relation(Judge *judge, Oid relation, bool is_written);

/* ---- trust_expressions.c ---- */

/*
 * What the planner may fold and a write evaluate: columns, constraints, indexes,
 * statistics.
 */
extern void judge_expressions(Judge *judge);

/* ---- trust_code.c ---- */

extern void judge_function(Judge *judge, Oid function);

/* All functions, domains and relations that an expression, query or list of them uses. */
extern void judge_code(Judge *judge, Node *node);

/* The same, of an expression as the catalogues store it; NULL: none. */
extern void judge_stored_code(Judge *judge, const char *stored);

/* A column's type: its owner, and the constraints of domains in it. */
extern void judge_type(Judge *judge, Oid type);

/* ---- trust_triggers.c ---- */

extern void judge_triggers(Judge *judge);

/* Sets what the next findings are about: a trigger of this table. */
extern void judge_look_at_trigger(Judge *judge, Relation rel, const Trigger *trigger);

/* ---- trust_foreign_keys.c ---- */

/* The tables whose rows are deleted or changed with rows of judge->rel. */
extern void judge_followers(Judge *judge);

#endif							/* LLAVA_JUDGE_H */
