/*
 * trust_sql.c
 *	  llava_untrusted: everything for which the gate of trust.h refuses, or would refuse,
 *	  a statement.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
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
#include "trust.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"

#define COLUMNS 5

PG_FUNCTION_INFO_V1(llava_untrusted);

static Oid
trust_relation_owner(Oid relation)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid			owner = InvalidOid;

	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

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

/* The same finding may come up for the worker and for the table's owner. */
static bool
trust_is_told(List *told, const TrustFinding *finding)
{
	ListCell   *cell;

	foreach(cell, told)
	{
		const TrustFinding *other = lfirst(cell);

		if (strcmp(other->object, finding->object) == 0 &&
			strcmp(other->reason, finding->reason) == 0)
			return true;
	}
	return false;
}

static List *
put_findings(ReturnSetInfo *result, List *findings, List *told)
{
	ListCell   *cell;

	foreach(cell, findings)
	{
		if (trust_is_told(told, lfirst(cell)))
			continue;
		put(result, lfirst(cell));
		told = lappend(told, lfirst(cell));
	}
	return told;
}

/* Waits for no lock: a relation that is locked is reported as such. */
static void
put_relation(ReturnSetInfo *result, const char *name, bool of_worker, Oid worker)
{
	Oid			relation = get_relname_relid(name, extension_schema());
	Oid			owner = trust_relation_owner(relation);
	List	   *told = NIL;

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
		told = put_findings(result, trust_findings(relation, worker), told);
	if (!of_worker || owner != worker)
		put_findings(result, trust_findings(relation, owner), told);
}

/* A function or view of ours whose owner can put other code in its place. */
static void
put_member(ReturnSetInfo *result, Form_pg_depend member)
{
	bool		is_function = member->classid == ProcedureRelationId;
	TrustFinding finding = {InvalidOid};
	ObjectAddress address;

	if (!is_function && (member->classid != RelationRelationId ||
						 get_rel_relkind(member->objid) != RELKIND_VIEW))
		return;
	finding.owner = is_function ? trust_function_owner(member->objid) :
		trust_relation_owner(member->objid);
	if (!OidIsValid(finding.owner) || superuser_arg(finding.owner))
		return;
	ObjectAddressSet(address, member->classid, member->objid);
	finding.relation = is_function ? InvalidOid : member->objid;
	finding.object = getObjectDescription(&address, false);
	finding.reason = "can be replaced by its owner, whose code then runs as whoever uses it";
	finding.remedy = psprintf("ALTER %s OWNER TO ...;", finding.object);
	put(result, &finding);
}

static void
put_members(ReturnSetInfo *result)
{
	Relation	catalog = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(ExtensionRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(get_extension_oid("llava_zh", false)));
	scan = systable_beginscan(catalog, DependReferenceIndexId, true, NULL, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		if (((Form_pg_depend) GETSTRUCT(tuple))->deptype == DEPENDENCY_EXTENSION)
			put_member(result, (Form_pg_depend) GETSTRUCT(tuple));
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
}

/* llava_untrusted(): one row a finding. */
Datum
llava_untrusted(PG_FUNCTION_ARGS)
{
	static const struct
	{
		const char *name;
		bool		of_worker;	/* the worker touches it, as llava_pending's
								 * owner */
	}			relations[] =

	{
		{"llava_pending", true}, {"llava_image", true}, {"llava_task", true},
		{"llava_reply", true}, {"llava_conversation", true}, {"llava_interrupted", true},
		{"llava_hash", true}, {"llava_usage", true}, {"llava_call_seq", true},
		{"llava_seen", false}, {"llava_timeline", false}, {"llava_draw_seq", false}, {"llava_manifest", false},
		{"llava_manifest_line", false}
	};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			worker = trust_relation_owner(extension_relation("llava_pending"));

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < lengthof(relations); i++)
		put_relation(result, relations[i].name, relations[i].of_worker, worker);
	put_members(result);
	return (Datum) 0;
}
