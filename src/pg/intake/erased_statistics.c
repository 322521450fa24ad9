/*
 * erased_statistics.c
 *	  Removes the statistics in which a value of an erased row stands.
 *
 * ANALYZE copies common values and histogram bounds of columns and index expressions into
 * pg_statistic, where a DELETE leaves them until the next ANALYZE.  Columns whose values
 * the planner does not need have a statistics target of 0.  Of the others the stored
 * values are compared with those of the rows before they are erased.  Where that cannot be
 * told (extended statistics, arrays' elements, values of children) the statistics go.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/heap.h"
#include "catalog/index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_statistic.h"
#include "commands/defrem.h"
#include "erased_statistics.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* ANALYZE stores no value that is wider: WIDTH_THRESHOLD of core's analyze.c. */
#define WIDEST_STORED 1024

/* The stored values of one column, of the table or of an index expression. */
typedef struct ColumnStatistics
{
	Oid			relation;		/* the table or index */
	AttrNumber	column;			/* of it */
	Oid			collation;
	FmgrInfo   *equal;			/* NULL: the values cannot be compared */
	int			n;
	Datum	   *values;
	bool		is_marked;
} ColumnStatistics;

struct TableStatistics
{
	Oid			table;
	List	   *columns;		/* of ColumnStatistics */
	List	   *extended;		/* OIDs */
	bool		has_children;
};

/* Columns whose values the extension takes from lists of its own: they tell of no picture. */
static const char *const listed[] = {
	"task", "format", "rejected", "long_images", "flags", "failure", "rejects", "refused_by",
	"server", "not_server"
};

/* ---- what is stored ---- */

/* Adds the values of one slot of pg_statistic. */
static void
add_slot(ColumnStatistics *column, Oid type, ArrayType *array)
{
	TypeCacheEntry *of = lookup_type_cache(type, TYPECACHE_EQ_OPR_FINFO);
	Datum	   *values;
	bool	   *nulls;
	int			n;

	if (ARR_ELEMTYPE(array) != type || !OidIsValid(of->eq_opr_finfo.fn_oid))
	{
		column->equal = NULL;
		column->is_marked = true;
		return;
	}
	column->equal = &of->eq_opr_finfo;
	deconstruct_array(array, type, of->typlen, of->typbyval, of->typalign, &values, &nulls, &n);
	column->values = column->values == NULL ? palloc(sizeof(Datum) * (n + 1)) :
		repalloc(column->values, sizeof(Datum) * (column->n + n + 1));
	memcpy(column->values + column->n, values, sizeof(Datum) * n);
	column->n += n;
}

/* Adds a column's values, if it has some: of the table alone, and with its children. */
static void
add_column(TableStatistics *statistics, Oid relation, Form_pg_attribute attribute)
{
	ColumnStatistics *column = palloc0(sizeof(ColumnStatistics));

	column->relation = relation;
	column->column = attribute->attnum;
	column->collation = attribute->attcollation;
	for (int i = 0; i < 2 * STATISTIC_NUM_SLOTS; i++)
	{
		HeapTuple	tuple = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(relation),
											Int16GetDatum(attribute->attnum),
											BoolGetDatum(i >= STATISTIC_NUM_SLOTS));
		Datum		values;
		bool		isnull;

		if (!HeapTupleIsValid(tuple))
			continue;
		values = SysCacheGetAttr(STATRELATTINH, tuple,
								 Anum_pg_statistic_stavalues1 + i % STATISTIC_NUM_SLOTS, &isnull);
		if (!isnull)
			add_slot(column, attribute->atttypid, DatumGetArrayTypePCopy(values));
		ReleaseSysCache(tuple);
	}
	if (column->n > 0 || column->is_marked)
		statistics->columns = lappend(statistics->columns, column);
}

static bool
is_listed(const char *name)
{
	for (int i = 0; i < lengthof(listed); i++)
		if (strcmp(listed[i], name) == 0)
			return true;
	return false;
}

/* Numbers and times are of many pictures; words, bytes and wide identifiers of one. */
static bool
may_tell(Form_pg_attribute attribute)
{
	return !attribute->attisdropped && (attribute->attlen < 0 || attribute->attlen > sizeof(int64)) &&
		!is_listed(NameStr(attribute->attname));
}

static void
add_indexes(TableStatistics *statistics, Relation table)
{
	List	   *indexes = RelationGetIndexList(table);
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index = relation_open(lfirst_oid(cell), AccessShareLock);

		for (int i = 0; i < index->rd_index->indnatts; i++)
			if (index->rd_index->indkey.values[i] == 0 &&
				may_tell(TupleDescAttr(RelationGetDescr(index), i)))
				add_column(statistics, RelationGetRelid(index),
						   TupleDescAttr(RelationGetDescr(index), i));
		relation_close(index, NoLock);
	}
}

TableStatistics *
erased_statistics_read(Oid table, bool rows_stay)
{
	TableStatistics *statistics = palloc0(sizeof(TableStatistics));
	Relation	relation = table_open(table, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(relation);

	statistics->table = table;
	for (int i = 0; i < desc->natts && !rows_stay; i++)
		if (may_tell(TupleDescAttr(desc, i)))
			add_column(statistics, table, TupleDescAttr(desc, i));
	add_indexes(statistics, relation);
	statistics->extended = RelationGetStatExtList(relation);
	statistics->has_children = has_subclass(table);
	table_close(relation, NoLock);
	return statistics->columns == NIL && statistics->extended == NIL ? NULL : statistics;
}

/* ---- what stands there ---- */

static void
compare(ColumnStatistics *column, Datum value)
{
	for (int i = 0; i < column->n && !column->is_marked; i++)
		column->is_marked = DatumGetBool(FunctionCall2Coll(column->equal, column->collation,
														   value, column->values[i]));
}

static void
compare_attribute(ColumnStatistics *column, Datum value, bool isnull, Form_pg_attribute attribute)
{
	if (isnull || column->is_marked)
		return;
	if (attribute->attlen == -1)
	{
		if (toast_raw_datum_size(value) > WIDEST_STORED + VARHDRSZ)
			return;
		value = PointerGetDatum(PG_DETOAST_DATUM(value));
	}
	compare(column, value);
}

/* The row in the slot, with the expressions of one index. */
static void
compare_index(ColumnStatistics *column, TupleTableSlot *slot, EState *estate)
{
	Relation	index = relation_open(column->relation, AccessShareLock);
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];

	GetPerTupleExprContext(estate)->ecxt_scantuple = slot;
	FormIndexDatum(BuildIndexInfo(index), slot, estate, values, nulls);
	compare_attribute(column, values[column->column - 1], nulls[column->column - 1],
					  TupleDescAttr(RelationGetDescr(index), column->column - 1));
	relation_close(index, NoLock);
}

static void
compare_row(TableStatistics *statistics, TupleTableSlot *slot, EState *estate)
{
	ListCell   *cell;

	slot_getallattrs(slot);
	foreach(cell, statistics->columns)
	{
		ColumnStatistics *column = lfirst(cell);
		int			i = column->column - 1;

		if (column->is_marked)
			continue;
		if (column->relation == statistics->table)
			compare_attribute(column, slot->tts_values[i], slot->tts_isnull[i],
							  TupleDescAttr(slot->tts_tupleDescriptor, i));
		else
			compare_index(column, slot, estate);
	}
	ResetPerTupleExprContext(estate);
}

/* The rows whose ctids the last statement returned. */
static void
compare_rows(TableStatistics *statistics, Relation table, uint64 n)
{
	SPITupleTable *ctids = SPI_tuptable;
	EState	   *estate = CreateExecutorState();
	TupleTableSlot *slot = table_slot_create(table, NULL);
	bool		isnull;

	for (uint64 i = 0; i < n; i++)
	{
		Datum		ctid = SPI_getbinval(ctids->vals[i], ctids->tupdesc, 1, &isnull);

		CHECK_FOR_INTERRUPTS();
		if (table_tuple_fetch_row_version(table, (ItemPointer) DatumGetPointer(ctid), SnapshotAny, slot))
			compare_row(statistics, slot, estate);
	}
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
	SPI_freetuptable(ctids);
}

void
erased_statistics_find(TableStatistics *statistics, SqlStatement *rows, Datum argument)
{
	RowsCaller	caller;
	Relation	table;
	uint64		n;

	rows_begin_as_owner(statistics->table, &caller);
	/* its index expressions are about to run */
	trust_check_relation(statistics->table);
	n = sql_run(rows, &argument, NULL, 0);
	table = table_open(statistics->table, AccessShareLock);
	compare_rows(statistics, table, n);
	table_close(table, NoLock);
	rows_end_as_owner(&caller);
}

/* ---- what goes ---- */

static bool
remove_extended(Oid statistics)
{
	bool		found = false;

	for (int inherited = 0; inherited < 2; inherited++)
		if (SearchSysCacheExists2(STATEXTDATASTXOID, ObjectIdGetDatum(statistics),
								  BoolGetDatum(inherited != 0)))
		{
			RemoveStatisticsDataById(statistics, inherited != 0);
			found = true;
		}
	return found;
}

bool
erased_statistics_remove(TableStatistics *statistics)
{
	bool		removed = false;
	ListCell   *cell;

	foreach(cell, statistics->columns)
	{
		ColumnStatistics *column = lfirst(cell);

		if (column->is_marked || statistics->has_children)
		{
			RemoveStatistics(column->relation, column->column);
			removed = true;
		}
	}
	foreach(cell, statistics->extended)
		removed |= remove_extended(lfirst_oid(cell));
	return removed;
}
