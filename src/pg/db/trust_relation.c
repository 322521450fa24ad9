/*
 * trust_relation.c
 *	  One relation as a statement meets it: its owner, and all that it can run.
 *
 * Code is read in the form that the catalogues store; nothing is planned, so that no code
 * runs while it is judged.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_rewrite.h"
#include "foreign/foreign.h"
#include "judge.h"
#include "miscadmin.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rowsecurity.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/syscache.h"

void
judge_found(Judge *judge, Oid owner, char *reason)
{
	TrustFinding *finding = palloc(sizeof(TrustFinding));

	finding->relation = RelationGetRelid(judge->rel);
	finding->object = pstrdup(judge->object);
	finding->owner = owner;
	finding->reason = reason;
	finding->remedy = pstrdup(judge->remedy);
	judge->findings = lappend(judge->findings, finding);
}

char *
judge_relation_name(Relation rel)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  RelationGetRelationName(rel));
}

static bool
trusts(Oid trusted, Oid role)
{
	return role == trusted || superuser_arg(role);
}

bool
judge_trusts(const Judge *judge, Oid role)
{
	return OidIsValid(role) && trusts(judge->trusted, role);
}

const char *
judge_role_name(Oid role)
{
	return role == ACL_ID_PUBLIC ? "PUBLIC" : quote_identifier(GetUserNameFromId(role, false));
}

const char *
judge_role(Oid role)
{
	return role == ACL_ID_PUBLIC ? "PUBLIC" : psprintf("role %s", judge_role_name(role));
}

List *
judge_grantees(Relation rel, AclMode privilege)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(RelationGetRelid(rel)));
	List	   *grantees = NIL;
	bool		isnull;
	Datum		acl;

	if (!HeapTupleIsValid(tuple))
		return NIL;
	acl = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_relacl, &isnull);
	for (int i = 0; !isnull && i < ACL_NUM(DatumGetAclP(acl)); i++)
	{
		AclItem    *item = &ACL_DAT(DatumGetAclP(acl))[i];

		if ((ACLITEM_GET_PRIVS(*item) & privilege) != 0 &&
			!trusts(rel->rd_rel->relowner, item->ai_grantee))
			grantees = lappend_oid(grantees, item->ai_grantee);
	}
	ReleaseSysCache(tuple);
	return grantees;
}

bool
judge_is_new(Judge *judge, List **looked_at, Oid relation)
{
	if (list_member_oid(*looked_at, relation))
		return false;
	*looked_at = lappend_oid(*looked_at, relation);
	judge->basis->relations = list_append_unique_oid(judge->basis->relations, relation);
	return true;
}

void
judge_lock(Judge *judge, Oid relation)
{
	LockRelationOid(relation, judge->mode);
	judge->basis->dependents = list_append_unique_oid(judge->basis->dependents, relation);
}

void
judge_look_at(Judge *judge, Oid catalog, Oid object, char *remedy)
{
	ObjectAddress address;

	ObjectAddressSet(address, catalog, object);
	judge->object = getObjectDescription(&address, false);
	judge->remedy = remedy;
}

void
judge_look_at_relation(Judge *judge, char *remedy)
{
	judge_look_at(judge, RelationRelationId, RelationGetRelid(judge->rel), remedy);
}

/* ---- who may change it ---- */

/*
 * An owner can add code of its own at any time.  The acting role may run its own and a
 * superuser's, and a superuser only a superuser's.
 */
static void
judge_owner(Judge *judge)
{
	Oid			owner = judge->rel->rd_rel->relowner;
	ObjectAddress address;
	char	   *kind;

	if (trusts(judge->acting, owner) && (superuser_arg(owner) || !superuser_arg(judge->acting)))
		return;
	ObjectAddressSet(address, RelationRelationId, RelationGetRelid(judge->rel));
	kind = getObjectTypeDescription(&address, false);
	judge_look_at_relation(judge, psprintf("ALTER %s %s OWNER TO %s;",
										   asc_toupper(kind, strlen(kind)),
										   judge_relation_name(judge->rel),
										   judge_role_name(judge->acting)));
	judge_found(judge, owner,
				psprintf("is owned by %s, but used with the rights of %s", judge_role(owner),
						 judge_role(judge->acting)));
}

/* With UPDATE a role can set a sequence back, and call ids would be drawn twice. */
static void
judge_sequence_grants(Judge *judge)
{
	ListCell   *cell;

	foreach(cell, judge_grantees(judge->rel, ACL_UPDATE))
	{
		Oid			role = lfirst_oid(cell);

		if (role == judge->acting)
			continue;
		judge_look_at_relation(judge, psprintf("REVOKE UPDATE ON SEQUENCE %s FROM %s;",
											   judge_relation_name(judge->rel), judge_role_name(role)));
		judge_found(judge, role, psprintf("can be set back by %s, which has the privilege UPDATE",
										  judge_role(role)));
	}
}

/* ---- what it can run ---- */

/* Policies run if they apply to the acting role. */
static void
judge_policies(Judge *judge)
{
	RowSecurityDesc *security = judge->rel->rd_rsdesc;
	ListCell   *cell;

	if (security == NULL ||
		check_enable_rls(RelationGetRelid(judge->rel), judge->acting, true) != RLS_ENABLED)
		return;
	foreach(cell, security->policies)
	{
		RowSecurityPolicy *policy = lfirst(cell);

		judge->object = psprintf("policy %s on table %s", quote_identifier(policy->policy_name),
								 judge_relation_name(judge->rel));
		judge->remedy = psprintf("DROP POLICY %s ON %s;", quote_identifier(policy->policy_name),
								 judge_relation_name(judge->rel));
		judge_code(judge, (Node *) policy->qual);
		judge_code(judge, (Node *) policy->with_check_qual);
	}
}

/* A view's query is a rule.  No other rule is trusted, since it replaces our statements. */
static void
judge_rules(Judge *judge)
{
	RuleLock   *rules = judge->rel->rd_rules;

	for (int i = 0; rules != NULL && i < rules->numLocks; i++)
	{
		RewriteRule *rule = rules->rules[i];
		bool		of_view = rule->event == CMD_SELECT;

		judge_look_at(judge, RewriteRelationId, rule->ruleId,
					  of_view ? psprintf("DROP VIEW %s;", judge_relation_name(judge->rel)) :
					  psprintf("DROP RULE ... ON %s;", judge_relation_name(judge->rel)));
		if (of_view)
			judge_code(judge, (Node *) rule->actions);
		else
			judge_found(judge, judge->rel->rd_rel->relowner,
						pstrdup("would run in place of the extension's statements"));
	}
}

/* The owner of the server or the wrapper decides where rows come from and go to. */
static void
judge_foreign_table(Judge *judge)
{
	ForeignTable *table = GetForeignTable(RelationGetRelid(judge->rel));
	ForeignServer *server = GetForeignServer(table->serverid);
	ForeignDataWrapper *wrapper = GetForeignDataWrapper(server->fdwid);

	judge_look_at(judge, ForeignServerRelationId, server->serverid,
				  psprintf("DROP FOREIGN TABLE %s;", judge_relation_name(judge->rel)));
	if (!judge_trusts(judge, server->owner))
		judge_found(judge, server->owner,
					pstrdup("is owned by neither a superuser nor the owner of its foreign table"));
	if (!judge_trusts(judge, wrapper->owner))
		judge_found(judge, wrapper->owner,
					psprintf("has wrapper %s, which is owned by neither a superuser nor the owner of its foreign table",
							 quote_identifier(wrapper->fdwname)));
	if (OidIsValid(wrapper->fdwhandler))
		judge_function(judge, wrapper->fdwhandler);
}

static void
judge_children(Judge *judge)
{
	List	   *children;
	ListCell   *cell;

	if (!judge->rel->rd_rel->relhassubclass)
		return;
	children = find_inheritance_children(RelationGetRelid(judge->rel), judge->mode);
	foreach(cell, children)
	{
		judge_lock(judge, lfirst_oid(cell));
		judge->of_parent = true;
		judge_relation(judge, lfirst_oid(cell), true);
		judge->of_parent = false;
	}
}

/* The partition constraint of a table calls what its parent's key does. */
static void
judge_parent(Judge *judge)
{
	if (!judge->rel->rd_rel->relispartition || judge->of_parent)
		return;
	judge_look_at_relation(judge, psprintf("ALTER TABLE ... DETACH PARTITION %s;",
										   judge_relation_name(judge->rel)));
	judge_found(judge, judge->rel->rd_rel->relowner,
				pstrdup("is a partition of a table that the extension does not know"));
}

static void
judge_written(Judge *judge)
{
	judge_owner(judge);
	if (judge->rel->rd_rel->relkind == RELKIND_SEQUENCE)
	{
		if (RelationGetRelid(judge->rel) == get_relname_relid("llava_call_seq", extension_schema()))
			judge_sequence_grants(judge);
		return;
	}
	judge_parent(judge);
	judge->of_parent = false;
	if (judge->rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
		judge_foreign_table(judge);
	judge_expressions(judge);
	judge_triggers(judge);
	judge_policies(judge);
	judge_rules(judge);
	judge_children(judge);
}

static void
judge_read(Judge *judge)
{
	if (judge->rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
		judge_foreign_table(judge);
	judge_expressions(judge);
	judge_policies(judge);
	if (judge->rel->rd_rel->relkind == RELKIND_VIEW)
		judge_rules(judge);
	judge_children(judge);
}

/*
 * Relations of pg_catalog belong to a superuser.  The caller's state is kept, but for the
 * findings, which name the relation.
 */
void
judge_relation(Judge *judge, Oid relation, bool is_written)
{
	Judge		inner = *judge;

	if (relation < FirstNormalObjectId ||
		!judge_is_new(judge, is_written ? &judge->basis->written : &judge->basis->read, relation))
		return;
	check_stack_depth();
	inner.types = NIL;
	inner.only_builtin = false;
	inner.rel = try_relation_open(relation, AccessShareLock);
	if (inner.rel == NULL)
		return;
	inner.trusted = is_written ? inner.rel->rd_rel->relowner : judge->acting;
	if (is_written)
		judge_written(&inner);
	else
		judge_read(&inner);
	relation_close(inner.rel, NoLock);
	judge->findings = inner.findings;
}

List *
trust_judge(Oid relation, Oid acting, LOCKMODE mode, bool deletes, TrustBasis *basis)
{
	Judge		judge = {.acting = acting,.mode = mode,.deletes = deletes,.basis = basis};
	int			level = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("quote_all_identifiers", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	memset(basis, 0, sizeof(*basis));
	judge_relation(&judge, relation, true);
	AtEOXact_GUC(false, level);
	return judge.findings;
}
