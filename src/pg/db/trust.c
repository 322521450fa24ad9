/*
 * trust.c
 *	  The gate in front of every statement that runs with another role's rights.
 *
 * Verdicts are kept until something that they rest on changes: a relation, function or
 * type that was looked at, or any role, membership, foreign server or wrapper.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "db.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/syscache.h"

/* A verdict, and what it rests on. */
typedef struct Verdict
{
	Oid			relation;
	Oid			acting;
	bool		deletes;
	TrustBasis	basis;
	TrustFinding *finding;		/* the first; NULL if it can be trusted */
} Verdict;

const char *const trust_worker_relations[TRUST_WORKER_RELATIONS] = {
	"llava_pending", "llava_image", "llava_task", "llava_reply", "llava_conversation", "llava_annotation",
	"llava_interrupted", "llava_hash", "llava_usage", "llava_call_seq"
};

static MemoryContext verdicts_context;
static List *verdicts;

/*
 * Counts changes that may void a verdict; a verdict is kept only if there was none while
 * it was made.
 */
static uint64 changes;

/* Transaction nesting levels in which trust_begin was called, the innermost first. */
#define MAX_DEPTH 32
static int	levels[MAX_DEPTH];
static int	depth;

/*
 * Whether what the last trust_check_query looked at can run code that is not a
 * superuser's.
 */
static bool runs_owners;

/* ---- what makes verdicts void ---- */

static void
forget_verdicts(void)
{
	changes++;
	verdicts = NIL;
	if (verdicts_context != NULL)
		MemoryContextReset(verdicts_context);
}

static void
relation_changed(Datum arg, Oid relation)
{
	bool		is_void = !OidIsValid(relation);
	ListCell   *cell;

	foreach(cell, verdicts)
		is_void |= list_member_oid(((Verdict *) lfirst(cell))->basis.relations, relation);
	/* a verdict may be in the making */
	changes++;
	if (is_void)
		forget_verdicts();
}

static void
object_changed(Datum arg, int cache, uint32 hash)
{
	forget_verdicts();
}

/*
 * Functions and types come and go with others' temporary tables: only those looked at
 * count.
 */
static void
code_changed(Datum arg, int cache, uint32 hash)
{
	bool		is_void = false;
	ListCell   *cell;

	foreach(cell, verdicts)
	{
		TrustBasis *basis = &((Verdict *) lfirst(cell))->basis;

		is_void |= hash == 0 ||
			list_member_int(cache == PROCOID ? basis->functions : basis->types, (int) hash);
	}
	changes++;
	if (is_void)
		forget_verdicts();
}

static void
end_of_subtransaction(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		while (depth > 0 && levels[depth - 1] >= GetCurrentTransactionNestLevel())
			depth--;
}

static void
trust_end_of_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
		depth = 0;
}

static void
watch_catalogues(void)
{
	static const int caches[] = {
		AUTHOID, AUTHMEMMEMROLE, AUTHMEMROLEMEM, FOREIGNSERVEROID, FOREIGNDATAWRAPPEROID
	};

	verdicts_context = AllocSetContextCreate(TopMemoryContext, "llava_zh verdicts",
											 ALLOCSET_SMALL_SIZES);
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	for (int i = 0; i < lengthof(caches); i++)
		CacheRegisterSyscacheCallback(caches[i], object_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(PROCOID, code_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(TYPEOID, code_changed, (Datum) 0);
	RegisterSubXactCallback(end_of_subtransaction, NULL);
	RegisterXactCallback(trust_end_of_transaction, NULL);
}

/* ---- when statements are judged ---- */

void
trust_begin(void)
{
	if (verdicts_context == NULL)
		watch_catalogues();
	if (depth == MAX_DEPTH)
		ereport(ERROR,
				(errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
				 errmsg("triggers on the tables of llava_zh call each other more than %d times",
						MAX_DEPTH)));
	levels[depth++] = GetCurrentTransactionNestLevel();
}

void
trust_end(void)
{
	Assert(depth > 0);
	depth--;
}

bool
trust_is_on(void)
{
	return depth > 0;
}

/* ---- verdicts ---- */

static Verdict *
find_verdict(Oid relation, Oid acting, bool deletes)
{
	ListCell   *cell;

	foreach(cell, verdicts)
	{
		Verdict    *verdict = lfirst(cell);

		if (verdict->relation == relation && verdict->acting == acting &&
			verdict->deletes == deletes)
			return verdict;
	}
	return NULL;
}

static TrustFinding *
copy_finding(const TrustFinding *finding)
{
	TrustFinding *copy = palloc(sizeof(TrustFinding));

	*copy = *finding;
	copy->object = pstrdup(finding->object);
	copy->reason = pstrdup(finding->reason);
	copy->remedy = pstrdup(finding->remedy);
	return copy;
}

static void
keep_verdict(Oid relation, Oid acting, bool deletes, const TrustBasis *basis, const TrustFinding *finding)
{
	MemoryContext caller = MemoryContextSwitchTo(verdicts_context);
	Verdict    *verdict = palloc(sizeof(Verdict));

	verdict->relation = relation;
	verdict->acting = acting;
	verdict->deletes = deletes;
	verdict->basis.relations = list_copy(basis->relations);
	verdict->basis.dependents = list_copy(basis->dependents);
	verdict->basis.runs_owners = basis->runs_owners;
	verdict->basis.functions = list_copy(basis->functions);
	verdict->basis.types = list_copy(basis->types);
	verdict->finding = finding == NULL ? NULL : copy_finding(finding);
	verdicts = lappend(verdicts, verdict);
	MemoryContextSwitchTo(caller);
}

List *
trust_findings(Oid relation, Oid acting)
{
	TrustBasis	basis;

	return trust_judge(relation, acting, AccessShareLock, true, &basis);
}

static TrustFinding *
judge_and_keep(Oid relation, Oid acting, LOCKMODE mode, bool deletes)
{
	uint64		changes_before = changes;
	TrustBasis	basis;
	List	   *findings = trust_judge(relation, acting, mode, deletes, &basis);

	if (changes == changes_before)
		keep_verdict(relation, acting, deletes, &basis, findings == NIL ? NULL : linitial(findings));
	runs_owners |= basis.runs_owners;
	return findings == NIL ? NULL : linitial(findings);
}

/*
 * The first finding about a relation, in the current context; NULL if it can be trusted. A
 * verdict that is known counts only when what the statement will reach is locked in this
 * transaction too: to lock it makes known what has changed.
 */
static TrustFinding *
verdict_on(Oid relation, Oid acting, LOCKMODE mode, bool deletes)
{
	Verdict    *verdict = find_verdict(relation, acting, deletes);
	List	   *dependents = verdict == NULL ? NIL : list_copy(verdict->basis.dependents);
	ListCell   *cell;

	foreach(cell, dependents)
		LockRelationOid(lfirst_oid(cell), mode);
	verdict = find_verdict(relation, acting, deletes);
	if (verdict == NULL)
		return judge_and_keep(relation, acting, mode, deletes);
	runs_owners |= verdict->basis.runs_owners;
	return verdict->finding == NULL ? NULL : copy_finding(verdict->finding);
}

/* ---- the gate ---- */

static void
trust_refuse(const TrustFinding *finding, Oid acting)
{
	char	   *schema = get_namespace_name(get_rel_namespace(finding->relation));
	char	   *relation = get_rel_name(finding->relation);

	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("%s %s", finding->object, finding->reason),
			 errdetail("The statement would use it with the rights of role \"%s\".",
					   GetUserNameFromId(acting, false)),
			 errhint("%s", finding->remedy),
			 err_generic_string(PG_DIAG_SCHEMA_NAME, schema == NULL ? "" : schema),
			 err_generic_string(PG_DIAG_TABLE_NAME, relation == NULL ? "" : relation)));
}

bool
trust_refused(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE && error->table_name != NULL;
}

static void
check_relation(Oid relation, LOCKMODE mode, bool deletes)
{
	TrustFinding *finding;

	if (relation < FirstNormalObjectId)
		return;
	finding = verdict_on(relation, GetUserId(), mode, deletes);
	if (finding != NULL)
		trust_refuse(finding, GetUserId());
}

/* A relation that a statement names, or a policy that was put into it. */
typedef struct Touched
{
	Oid			relation;
	LOCKMODE	mode;
	bool		deletes;
	bool		of_policy;		/* judged with the table that the policy is on */
} Touched;

typedef struct TouchedBy
{
	List	   *touched;
	bool		in_policy;
} TouchedBy;

static bool touched_walker(Node *node, TouchedBy *by);

static bool
touch_policy(Node *node, TouchedBy *by)
{
	bool		in_policy = by->in_policy;

	by->in_policy = true;
	(void) expression_tree_walker(node, touched_walker, by);
	by->in_policy = in_policy;
	return false;
}

/*
 * The rewriter puts policies into the entry's security quals and the query's check
 * options.
 */
static void
touch_relations(Query *query, TouchedBy *by)
{
	ListCell   *cell;
	int			number = 0;

	foreach(cell, query->rtable)
	{
		RangeTblEntry entry = *(RangeTblEntry *) lfirst(cell);

		number++;
		if (entry.rtekind == RTE_RELATION)
		{
			Touched    *t = palloc(sizeof(Touched));

			t->relation = entry.relid;
			t->mode = entry.rellockmode;
			t->deletes = query->commandType == CMD_DELETE && query->resultRelation == number;
			t->of_policy = by->in_policy;
			by->touched = lappend(by->touched, t);
		}
		(void) touch_policy((Node *) entry.securityQuals, by);
		entry.securityQuals = NIL;
		(void) range_table_entry_walker(&entry, touched_walker, by, 0);
	}
	(void) query_tree_walker(query, touched_walker, by, QTW_IGNORE_RANGE_TABLE);
}

static bool
touched_walker(Node *node, TouchedBy *by)
{
	if (node == NULL)
		return false;
	if (IsA(node, WithCheckOption) && ((WithCheckOption *) node)->kind != WCO_VIEW_CHECK)
		return touch_policy(node, by);
	if (IsA(node, Query))
	{
		touch_relations((Query *) node, by);
		return false;
	}
	return expression_tree_walker(node, touched_walker, by);
}

/*
 * The locks are the planner's, taken first here and held until the transaction ends:
 * what is looked at under them is what the execution that follows will meet.
 */
bool
trust_check_query(CachedPlanSource *source)
{
	TouchedBy	by = {NIL, false};
	ListCell   *cell;

	runs_owners = false;
	if (!source->is_valid)
		return false;
	(void) touched_walker((Node *) source->query_list, &by);
	foreach(cell, by.touched)
	{
		Touched    *t = lfirst(cell);

		LockRelationOid(t->relation, t->mode);
	}
	AcceptInvalidationMessages();
	if (!source->is_valid)
		return false;
	foreach(cell, by.touched)
	{
		Touched    *t = lfirst(cell);

		if (!t->of_policy)
			check_relation(t->relation, t->mode, t->deletes);
	}
	/* sequences: nextval's argument is a constant of type regclass */
	foreach(cell, source->relationOids)
		if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_SEQUENCE)
		check_relation(lfirst_oid(cell), AccessShareLock, false);
	list_free_deep(by.touched);
	return source->is_valid;
}

bool
trust_runs_owners_code(void)
{
	return runs_owners;
}

void
trust_check_relation(Oid relation)
{
	if (verdicts_context == NULL)
		watch_catalogues();
	LockRelationOid(relation, RowExclusiveLock);
	check_relation(relation, RowExclusiveLock, false);
}

void
trust_check_worker_relations(void)
{
	for (int i = 0; i < lengthof(trust_worker_relations); i++)
	{
		Oid			relation = extension_relation(trust_worker_relations[i]);

		/*
		 * rows are only deleted from the queue, the first of them; those of
		 * other tables go with their pictures
		 */
		if (ConditionalLockRelationOid(relation, AccessShareLock))
			check_relation(relation, AccessShareLock, i == 0);
	}
}
