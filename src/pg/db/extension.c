/*
 * extension.c
 *	  Where the extension's objects are.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "db.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/* The extension's row in pg_extension.  InvalidOid, NULL: there is none. */
typedef struct Extension
{
	Oid			schema;
	char	   *version;		/* palloc'd */
} Extension;

/*
 * Looked up again after any relation has changed, since the extension comes and goes with
 * its own.
 */
static Oid	known_schema;
static bool schema_is_known;

/*
 * Only that the version is no older than the library is remembered, until then as
 * well.  ALTER EXTENSION UPDATE changes no relation if its script does not, so an
 * older version is read each time.
 */
static bool version_is_current;

static void
forget_extension(Datum arg, Oid relation)
{
	schema_is_known = false;
	version_is_current = false;
}

static void
watch_relations(void)
{
	static bool watching;

	if (!watching)
		CacheRegisterRelcacheCallback(forget_extension, (Datum) 0);
	watching = true;
}

void
catalogue_each(Oid catalogue, Oid index, AttrNumber column, Oid value, CatalogueRow each, void *arg)
{
	Relation	relation = table_open(catalogue, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(value));
	scan = systable_beginscan(relation, index, OidIsValid(index), NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		each(tuple, RelationGetDescr(relation), arg);
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
}

static void
take_extension(HeapTuple tuple, TupleDesc desc, void *arg)
{
	Extension  *extension = arg;
	bool		isnull;
	Datum		version = heap_getattr(tuple, Anum_pg_extension_extversion, desc, &isnull);

	extension->schema = ((Form_pg_extension) GETSTRUCT(tuple))->extnamespace;
	extension->version = TextDatumGetCString(version);	/* BKI_FORCE_NOT_NULL */
}

/* get_extension_schema() is static before PostgreSQL 18. */
static Extension
read_extension(void)
{
	Oid			oid = get_extension_oid("llava_zh", true);
	Extension	extension = {InvalidOid, NULL};

	if (OidIsValid(oid))
		catalogue_each(ExtensionRelationId, ExtensionOidIndexId, Anum_pg_extension_oid, oid,
					   take_extension, &extension);
	return extension;
}

Oid
extension_schema(void)
{
	watch_relations();
	if (!schema_is_known)
	{
		schema_is_known = true;
		known_schema = read_extension().schema;
	}
	return known_schema;
}

/* Versions are three numbers with dots between; 1.10.0 comes after 1.9.0. */
static int64
version_number(const char *version)
{
	unsigned	major = 0,
				minor = 0,
				patch = 0;

	(void) sscanf(version, "%3u.%3u.%3u", &major, &minor, &patch);
	return ((int64) major * 1000 + minor) * 1000 + patch;
}

char *
extension_older_version(void)
{
	char	   *version;

	watch_relations();
	if (version_is_current)
		return NULL;
	version_is_current = true;
	version = read_extension().version;
	if (version == NULL || version_number(version) >= version_number(LLAVA_ZH_VERSION))
		return NULL;
	version_is_current = false;
	return version;
}

void
extension_version_required(void)
{
	char	   *version = extension_older_version();

	if (version != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension \"llava_zh\" has version %s in this database, older than its library, %s",
						version, LLAVA_ZH_VERSION),
				 errhint("ALTER EXTENSION llava_zh UPDATE;")));
}

Oid
extension_schema_required(void)
{
	Oid			schema = extension_schema();

	if (!OidIsValid(schema))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"llava_zh\" is not installed in this database"),
				 errhint("CREATE EXTENSION llava_zh;")));
	return schema;
}

Oid
extension_find_relation(const char *name)
{
	return get_relname_relid(name, extension_schema_required());
}

Oid
extension_relation(const char *name)
{
	Oid			relation = extension_find_relation(name);

	if (!OidIsValid(relation))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("extension \"llava_zh\" has no relation \"%s\"", name),
				 errhint("ALTER EXTENSION llava_zh UPDATE;")));
	return relation;
}

Oid
relation_owner(Oid relation, bool missing_ok)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid			owner;

	if (!HeapTupleIsValid(tuple) && missing_ok)
		return InvalidOid;
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relation);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

bool
extension_has(Oid catalogue, Oid object)
{
	Oid			extension = getExtensionOfObject(catalogue, object);

	return OidIsValid(extension) && extension == get_extension_oid("llava_zh", true);
}

Oid
extension_function(const char *name, const Oid *types, int n_types)
{
	Oid			schema = extension_schema_required();
	Oid			function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
										   CStringGetDatum(name),
										   PointerGetDatum(buildoidvector(types, n_types)),
										   ObjectIdGetDatum(schema));

	if (!OidIsValid(function) || !extension_has(ProcedureRelationId, function))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("extension \"llava_zh\" has no function %s",
						funcname_signature_string(name, n_types, NIL, types)),
				 errhint("ALTER EXTENSION llava_zh UPDATE;")));
	return function;
}

/* Whether the function can be called with one argument of exactly this type. */
static bool
takes_one(Form_pg_proc function, Oid type)
{
	return function->pronargs > 0 && function->proargtypes.values[0] == type &&
		function->pronargs - function->pronargdefaults <= 1;
}

void
extension_check_unambiguous(const char *name, Oid type)
{
	Oid			schema = extension_schema_required();
	CatCList   *functions = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));

	for (int i = 0; i < functions->n_members; i++)
	{
		Form_pg_proc function = (Form_pg_proc) GETSTRUCT(&functions->members[i]->tuple);

		if (function->pronamespace == schema && takes_one(function, type) &&
			!extension_has(ProcedureRelationId, function->oid))
			ereport(ERROR,
					(errcode(ERRCODE_AMBIGUOUS_FUNCTION),
					 errmsg("function %s makes a call of the extension's %s ambiguous",
							format_procedure_qualified(function->oid), name),
					 errhint("DROP FUNCTION %s;", format_procedure_qualified(function->oid))));
	}
	ReleaseSysCacheList(functions);
}

/* ERROR that names the function, if it has a name like ours and is not the extension's. */
static void
check_not_planted(HeapTuple tuple, TupleDesc desc, void *arg)
{
	Form_pg_proc function = (Form_pg_proc) GETSTRUCT(tuple);

	if (strncmp(NameStr(function->proname), "llava_", strlen("llava_")) != 0 ||
		extension_has(ProcedureRelationId, function->oid))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_FUNCTION),
			 errmsg("function %s is in the schema of llava_zh, but does not belong to it",
					format_procedure_qualified(function->oid)),
			 errdetail("The extension's own functions could come to call it."),
			 errhint("Drop or rename it, or CREATE EXTENSION llava_zh in a schema where no other role has the privilege CREATE.")));
}

void
extension_check_planted(Oid schema)
{
	catalogue_each(ProcedureRelationId, InvalidOid, Anum_pg_proc_pronamespace, schema,
				   check_not_planted, NULL);
}
