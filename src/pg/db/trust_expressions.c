/*
 * trust_expressions.c
 *	  What the planner may fold and a write evaluate: columns, constraints, indexes,
 *	  statistics and the partition key of the relation that is being judged.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_partitioned_table.h"
#include "catalog/pg_statistic_ext.h"
#include "judge.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

static void
judge_columns(Judge *judge)
{
	TupleDesc	desc = RelationGetDescr(judge->rel);
	TupleConstr *constraints = desc->constr;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (column->attisdropped)
			continue;
		judge->object = psprintf("column %s of table %s", quote_identifier(NameStr(column->attname)),
								 judge_relation_name(judge->rel));
		judge->remedy = psprintf("ALTER TABLE %s DROP COLUMN %s;", judge_relation_name(judge->rel),
								 quote_identifier(NameStr(column->attname)));
		judge_type(judge, column->atttypid);
	}
	for (int i = 0; constraints != NULL && i < constraints->num_defval; i++)
	{
		AttrNumber	number = constraints->defval[i].adnum;
		const char *name = quote_identifier(NameStr(TupleDescAttr(desc, number - 1)->attname));

		judge->object = psprintf("default of column %s of table %s", name,
								 judge_relation_name(judge->rel));
		judge->remedy = psprintf("ALTER TABLE %s ALTER COLUMN %s DROP DEFAULT;",
								 judge_relation_name(judge->rel), name);
		judge_stored_code(judge, constraints->defval[i].adbin);
	}
	for (int i = 0; constraints != NULL && i < constraints->num_check; i++)
	{
		const char *name = constraints->check[i].ccname;

		judge_look_at(judge, ConstraintRelationId,
					  get_relation_constraint_oid(RelationGetRelid(judge->rel), name, false),
					  psprintf("ALTER TABLE %s DROP CONSTRAINT %s;", judge_relation_name(judge->rel),
							   quote_identifier(name)));
		judge_stored_code(judge, constraints->check[i].ccbin);
	}
}

static char *
attribute_text(int cache, HeapTuple tuple, AttrNumber attribute)
{
	bool		isnull;
	Datum		value = SysCacheGetAttr(cache, tuple, attribute, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/*
 * Only a superuser can create an operator class, but may have used functions of other
 * roles.
 */
static void
judge_operator_family(Judge *judge, Oid family)
{
	CatCList   *list;

	if (family < FirstUnpinnedObjectId)
		return;
	list = SearchSysCacheList1(AMPROCNUM, ObjectIdGetDatum(family));
	for (int i = 0; i < list->n_members; i++)
		judge_function(judge, ((Form_pg_amproc) GETSTRUCT(&list->members[i]->tuple))->amproc);
	ReleaseSysCacheList(list);
	list = SearchSysCacheList1(AMOPSTRATEGY, ObjectIdGetDatum(family));
	for (int i = 0; i < list->n_members; i++)
		judge_function(judge, get_opcode(((Form_pg_amop) GETSTRUCT(&list->members[i]->tuple))->amopopr));
	ReleaseSysCacheList(list);
}

static void
judge_operator_classes(Judge *judge, HeapTuple index)
{
	bool		isnull;
	Datum		classes = SysCacheGetAttr(INDEXRELID, index, Anum_pg_index_indclass, &isnull);
	oidvector  *vector = (oidvector *) DatumGetPointer(classes);

	for (int i = 0; !isnull && i < vector->dim1; i++)
		judge_operator_family(judge, get_opclass_family(vector->values[i]));
}

static char *
drop_index(const Judge *judge, Oid index)
{
	Oid			constraint = get_index_constraint(index);

	if (OidIsValid(constraint))
		return psprintf("ALTER TABLE %s DROP CONSTRAINT %s;", judge_relation_name(judge->rel),
						quote_identifier(get_constraint_name(constraint)));
	return psprintf("DROP INDEX %s;",
					quote_qualified_identifier(get_namespace_name(get_rel_namespace(index)),
											   get_rel_name(index)));
}

static void
judge_indexes(Judge *judge)
{
	List	   *indexes = RelationGetIndexList(judge->rel);
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Oid			index = lfirst_oid(cell);
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));

		if (!HeapTupleIsValid(tuple))
			continue;
		judge_look_at(judge, RelationRelationId, index, drop_index(judge, index));
		judge_stored_code(judge, attribute_text(INDEXRELID, tuple, Anum_pg_index_indexprs));
		judge_stored_code(judge, attribute_text(INDEXRELID, tuple, Anum_pg_index_indpred));
		judge_operator_classes(judge, tuple);
		ReleaseSysCache(tuple);
	}
}

/* The planner folds constants in the expressions of extended statistics. */
static void
judge_statistics(Judge *judge)
{
	List	   *statistics = RelationGetStatExtList(judge->rel);
	ListCell   *cell;

	foreach(cell, statistics)
	{
		HeapTuple	tuple = SearchSysCache1(STATEXTOID, ObjectIdGetDatum(lfirst_oid(cell)));
		Form_pg_statistic_ext form;

		if (!HeapTupleIsValid(tuple))
			continue;
		form = (Form_pg_statistic_ext) GETSTRUCT(tuple);
		judge_look_at(judge, StatisticExtRelationId, lfirst_oid(cell),
					  psprintf("DROP STATISTICS %s;",
							   quote_qualified_identifier(get_namespace_name(form->stxnamespace),
														  NameStr(form->stxname))));
		judge_stored_code(judge, attribute_text(STATEXTOID, tuple, Anum_pg_statistic_ext_stxexprs));
		ReleaseSysCache(tuple);
	}
}

static void
judge_partition_key(Judge *judge)
{
	HeapTuple	tuple = SearchSysCache1(PARTRELID, ObjectIdGetDatum(RelationGetRelid(judge->rel)));

	if (!HeapTupleIsValid(tuple))
		return;
	judge_look_at_relation(judge, pstrdup("-- Partition the table by columns."));
	judge_stored_code(judge, attribute_text(PARTRELID, tuple, Anum_pg_partitioned_table_partexprs));
	ReleaseSysCache(tuple);
}

void
judge_expressions(Judge *judge)
{
	if (judge->rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		judge_partition_key(judge);
	judge_columns(judge);
	judge_indexes(judge);
	judge_statistics(judge);
}
