/*
 * trust_sql.c
 *	  llava_untrusted: everything for which the gate of trust.h refuses, or would refuse,
 *	  a statement.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "db.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/tuplestore.h"

#define COLUMNS 5

PG_FUNCTION_INFO_V1(llava_untrusted);

static void
put(ReturnSetInfo *result, const TrustFinding *finding)
{
	char	   *table = get_rel_name(finding->relation);
	char	   *owner = OidIsValid(finding->owner) ? GetUserNameFromId(finding->owner, true) : NULL;
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {table == NULL, false, owner == NULL, false, false};

	if (table != NULL)
		values[0] = CStringGetTextDatum(table);
	values[1] = CStringGetTextDatum(finding->object);
	if (owner != NULL)
		values[2] = CStringGetTextDatum(owner);
	values[3] = CStringGetTextDatum(finding->reason);
	values[4] = CStringGetTextDatum(finding->remedy);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static bool
is_same_finding(const TrustFinding *one, const TrustFinding *other)
{
	return strcmp(one->object, other->object) == 0 && strcmp(one->reason, other->reason) == 0;
}

/* The same finding may come up for the worker and for the table's owner. */
static void
put_findings(ReturnSetInfo *result, List *findings)
{
	ListCell   *cell;

	foreach(cell, findings)
	{
		bool		told = false;

		for (int i = 0; i < foreach_current_index(cell) && !told; i++)
			told = is_same_finding(list_nth(findings, i), lfirst(cell));
		if (!told)
			put(result, lfirst(cell));
	}
}

/* Waits for no lock: a relation that is locked is reported as such. */
static void
put_relation(ReturnSetInfo *result, const char *name, bool of_worker, Oid worker)
{
	Oid			relation = get_relname_relid(name, extension_schema());
	Oid			owner = relation_owner(relation, true);
	List	   *findings = NIL;

	if (!OidIsValid(owner))
		return;
	if (!ConditionalLockRelationOid(relation, AccessShareLock))
	{
		TrustFinding locked = {relation, psprintf("relation %s", name), owner,
		"is locked by another session and was not looked at", "SELECT * FROM llava_untrusted();"};

		put(result, &locked);
		return;
	}
	if (of_worker)
		findings = trust_findings(relation, worker);
	if (!of_worker || owner != worker)
		findings = list_concat(findings, trust_findings(relation, owner));
	put_findings(result, findings);
}

/* A function or view of ours whose owner can put other code in its place. */
static void
put_member(HeapTuple tuple, TupleDesc desc, void *result)
{
	Form_pg_depend member = (Form_pg_depend) GETSTRUCT(tuple);
	bool		is_function = member->classid == ProcedureRelationId;
	TrustFinding finding = {InvalidOid};
	ObjectAddress address;

	if (member->refclassid != ExtensionRelationId || member->deptype != DEPENDENCY_EXTENSION)
		return;
	if (!is_function && (member->classid != RelationRelationId ||
						 get_rel_relkind(member->objid) != RELKIND_VIEW))
		return;
	finding.owner = is_function ? trust_function_owner(member->objid) :
		relation_owner(member->objid, true);
	if (!OidIsValid(finding.owner) || superuser_arg(finding.owner))
		return;
	ObjectAddressSet(address, member->classid, member->objid);
	finding.relation = is_function ? InvalidOid : member->objid;
	finding.object = getObjectDescription(&address, false);
	finding.reason = "can be replaced by its owner, whose code then runs as whoever uses it";
	finding.remedy = psprintf("ALTER %s OWNER TO ...;", finding.object);
	put(result, &finding);
}

/* llava_untrusted(): one row a finding. */
Datum
llava_untrusted(PG_FUNCTION_ARGS)
{
	static const char *const others[] = {
		"llava_seen", "llava_timeline", "llava_draw_seq", "llava_manifest", "llava_manifest_line"
	};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			worker = relation_owner(extension_relation("llava_pending"), true);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < lengthof(trust_worker_relations); i++)
		if (OidIsValid(extension_find_relation(trust_worker_relations[i])))
			put_relation(result, trust_worker_relations[i], true, worker);
	for (int i = 0; i < lengthof(others); i++)
		put_relation(result, others[i], false, worker);
	catalogue_each(DependRelationId, DependReferenceIndexId, Anum_pg_depend_refobjid,
				   get_extension_oid("llava_zh", false), put_member, result);
	return (Datum) 0;
}
