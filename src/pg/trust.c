/*
 * trust.c
 *	  The gate in front of every statement that runs with another role's rights.
 *
 * Verdicts are kept until something that they rest on changes: one of the relations
 * that were looked at, or any function, type, constraint, role, membership, foreign
 * server or schema.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "llava_zh.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "storage/lmgr.h"
#include "trust.h"
#include "utils/builtins.h"
#include "utils/guc.h"
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
	bool		has_children;
	TrustBasis	basis;
	TrustFinding *finding;		/* the first; NULL: it can be trusted */
}			Verdict;

static MemoryContext verdicts_context;
static List *verdicts;

/* Counts what may have changed a verdict; a verdict is kept only if none came meanwhile. */
static uint64 changes;

/* Transaction nesting levels in which trust_begin was called, the innermost first. */
#define MAX_DEPTH 32
static int	levels[MAX_DEPTH];
static int	depth;

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
	ListCell   *cell;

	if (!OidIsValid(relation))
	{
		forget_verdicts();
		return;
	}
	/* a verdict may be in the making */
	changes++;
	foreach(cell, verdicts)
	{
		if (list_member_oid(((Verdict *) lfirst(cell))->basis.relations, relation))
		{
			forget_verdicts();
			return;
		}
	}
}

static void
object_changed(Datum arg, int cache, uint32 hash)
{
	forget_verdicts();
}

/* Functions and types come and go with others' temporary tables: only those looked at count. */
static void
code_changed(Datum arg, int cache, uint32 hash)
{
	ListCell   *cell;

	changes++;
	foreach(cell, verdicts)
	{
		TrustBasis *basis = &((Verdict *) lfirst(cell))->basis;

		if (hash == 0 ||
			list_member_int(cache == PROCOID ? basis->functions : basis->types, (int) hash))
		{
			forget_verdicts();
			return;
		}
	}
}

static void
end_of_subtransaction(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		while (depth > 0 && levels[depth - 1] >= GetCurrentTransactionNestLevel())
			depth--;
}

static void
end_of_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
		depth = 0;
}

static void
watch_catalogues(void)
{
	static const int caches[] = {
		CONSTROID, AUTHOID, AUTHMEMMEMROLE, AUTHMEMROLEMEM, FOREIGNSERVEROID, FOREIGNDATAWRAPPEROID
	};

	verdicts_context = AllocSetContextCreate(TopMemoryContext, "llava_zh verdicts",
											 ALLOCSET_SMALL_SIZES);
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	for (int i = 0; i < lengthof(caches); i++)
		CacheRegisterSyscacheCallback(caches[i], object_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(PROCOID, code_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(TYPEOID, code_changed, (Datum) 0);
	RegisterSubXactCallback(end_of_subtransaction, NULL);
	RegisterXactCallback(end_of_transaction, NULL);
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
find_verdict(Oid relation, Oid acting)
{
	ListCell   *cell;

	foreach(cell, verdicts)
	{
		Verdict    *verdict = lfirst(cell);

		if (verdict->relation == relation && verdict->acting == acting)
			return verdict;
	}
	return NULL;
}

static TrustFinding *
copy_finding(const TrustFinding * finding)
{
	TrustFinding *copy = palloc(sizeof(TrustFinding));

	*copy = *finding;
	copy->object = pstrdup(finding->object);
	copy->reason = pstrdup(finding->reason);
	copy->remedy = pstrdup(finding->remedy);
	return copy;
}

static void
keep_verdict(Oid relation, Oid acting, const TrustBasis * basis, const TrustFinding * finding)
{
	MemoryContext caller = MemoryContextSwitchTo(verdicts_context);
	Verdict    *verdict = palloc(sizeof(Verdict));

	verdict->relation = relation;
	verdict->acting = acting;
	verdict->has_children = has_subclass(relation);
	verdict->basis.relations = list_copy(basis->relations);
	verdict->basis.functions = list_copy(basis->functions);
	verdict->basis.types = list_copy(basis->types);
	verdict->finding = finding == NULL ? NULL : copy_finding(finding);
	verdicts = lappend(verdicts, verdict);
	MemoryContextSwitchTo(caller);
}

/* All findings about a relation; names in them are qualified. */
static List *
judge_now(Oid relation, Oid acting, LOCKMODE mode, TrustBasis * basis)
{
	int			level = NewGUCNestLevel();
	List	   *findings;

	(void) set_config_option("search_path", "pg_catalog", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("quote_all_identifiers", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	findings = trust_judge(relation, acting, mode, basis);
	AtEOXact_GUC(false, level);
	return findings;
}

List *
trust_findings(Oid relation, Oid acting)
{
	TrustBasis	basis;

	return judge_now(relation, acting, AccessShareLock, &basis);
}

/* The first finding about a relation, in the current context; NULL: it can be trusted. */
static TrustFinding *
verdict_on(Oid relation, Oid acting, LOCKMODE mode)
{
	Verdict    *verdict = find_verdict(relation, acting);
	uint64		changes_before = changes;
	TrustBasis	basis;
	List	   *findings;

	/* a child may be new, or not locked yet in this transaction */
	if (verdict != NULL && verdict->has_children)
		(void) find_all_inheritors(relation, mode, NULL);
	verdict = find_verdict(relation, acting);
	if (verdict != NULL)
		return verdict->finding == NULL ? NULL : copy_finding(verdict->finding);

	findings = judge_now(relation, acting, mode, &basis);
	if (changes == changes_before)
		keep_verdict(relation, acting, &basis, findings == NIL ? NULL : linitial(findings));
	return findings == NIL ? NULL : linitial(findings);
}

/* ---- the gate ---- */

static void
refuse(const TrustFinding * finding, Oid acting)
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
check_relation(Oid relation, LOCKMODE mode)
{
	TrustFinding *finding;

	if (relation < FirstNormalObjectId)
		return;
	finding = verdict_on(relation, GetUserId(), mode);
	if (finding != NULL)
		refuse(finding, GetUserId());
}

/* Context of lock_relations. */
typedef struct Touched
{
	List	   *relations;		/* OIDs */
	List	   *modes;			/* ints, beside them */
}			Touched;

static bool
touched_walker(Node *node, Touched * touched)
{
	if (node == NULL)
		return false;
	if (IsA(node, RangeTblEntry))
	{
		RangeTblEntry *entry = (RangeTblEntry *) node;

		if (entry->rtekind == RTE_RELATION)
		{
			touched->relations = lappend_oid(touched->relations, entry->relid);
			touched->modes = lappend_int(touched->modes, entry->rellockmode);
		}
		return false;
	}
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, touched_walker, touched,
								 QTW_EXAMINE_RTES_BEFORE);
	return expression_tree_walker(node, touched_walker, touched);
}

/*
 * The locks are the planner's, taken first here and held until the transaction ends:
 * what is looked at under them is what the execution that follows will meet.
 */
bool
trust_check_query(CachedPlanSource * source)
{
	Touched		touched = {NIL, NIL};
	ListCell   *relation;
	ListCell   *mode;

	if (!source->is_valid)
		return false;
	(void) touched_walker((Node *) source->query_list, &touched);
	forboth(relation, touched.relations, mode, touched.modes)
		LockRelationOid(lfirst_oid(relation), lfirst_int(mode));
	AcceptInvalidationMessages();
	if (!source->is_valid)
		return false;
	forboth(relation, touched.relations, mode, touched.modes)
		check_relation(lfirst_oid(relation), lfirst_int(mode));
	/* sequences: nextval's argument is a constant of type regclass */
	foreach(relation, source->relationOids)
		if (get_rel_relkind(lfirst_oid(relation)) == RELKIND_SEQUENCE)
		check_relation(lfirst_oid(relation), AccessShareLock);
	return source->is_valid;
}

void
trust_check_worker_relations(void)
{
	static const char *const relations[] = {
		"llava_task", "llava_image", "llava_hash", "llava_pending", "llava_interrupted",
		"llava_reply", "llava_conversation", "llava_usage", "llava_call_seq"
	};

	for (int i = 0; i < lengthof(relations); i++)
	{
		Oid			relation = extension_relation(relations[i]);

		if (ConditionalLockRelationOid(relation, AccessShareLock))
			check_relation(relation, AccessShareLock);
	}
}
