/*
 * export_twice.c
 *	  Names that pictures with different bytes have: of their lines all but one would show
 *	  another picture than they tell of, so all of them stay out.
 *
 * Most data sets have none.  A look at the paths alone finds that out; samples are looked
 * up only for names that occur twice.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "db/db.h"
#include "executor/spi.h"
#include "export.h"
#include "utils/builtins.h"

/* Whether pictures of one name differ: by the bytes, or the ids where there is no hash. */
#define DIFFERENT \
	"pg_catalog.min(@.llava_image_share(i.id, i.sha256, 0::bigint)) OPERATOR(pg_catalog.<>)" \
	" pg_catalog.max(@.llava_image_share(i.id, i.sha256, 0::bigint))"

/* These run with the caller's search_path and rights. */
static SqlStatement sql_paths_twice = {
	.text =
	"SELECT n.name FROM (SELECT @.llava_file_name(i.path) AS name FROM @.llava_image i"
	"  WHERE i.path OPERATOR(pg_catalog.<>) ''"
	"  GROUP BY @.llava_file_name(i.path) HAVING " DIFFERENT ") n"
	" WHERE n.name IS NOT NULL",
	.types = ""
};

/* Of those, $1, the ones of which two have samples that an export chooses from. */
static SqlStatement sql_names_twice = {
	.text =
	"SELECT n.name FROM (SELECT @.llava_file_name(i.path) AS name FROM"
	"   (SELECT s.* FROM @.llava_image s"
	"    WHERE @.llava_file_name(s.path) OPERATOR(pg_catalog.=) ANY ($1) OFFSET 0) i,"
	"   LATERAL (SELECT FROM @.llava_conversation c"
	"    WHERE c.image OPERATOR(pg_catalog.=) i.id AND c.keep IS NOT FALSE"
	"     AND ($2 IS NULL OR c.task OPERATOR(pg_catalog.=) ANY ($2))"
	"     AND ($3 IS NULL OR NOT c.flags OPERATOR(pg_catalog.&&) $3) LIMIT 1) chosen"
	"  GROUP BY @.llava_file_name(i.path) HAVING " DIFFERENT ") n"
	" ORDER BY n.name COLLATE pg_catalog.\"C\"",
	.types = "TTT"
};

/* A name of the rows just read. */
static Datum
twice_name(uint64 row)
{
	bool		is_null;

	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 1, &is_null);
}

void
export_find_twice(ExportShape *shape, ArrayType *tasks, ArrayType *flags, MemoryContext context)
{
	Datum		values[3] = {(Datum) 0, PointerGetDatum(tasks), PointerGetDatum(flags)};
	char		nulls[3] = {' ', tasks == NULL ? 'n' : ' ', flags == NULL ? 'n' : ' '};
	uint64		n = sql_run(&sql_paths_twice, NULL, NULL, 0);
	Datum	   *names = palloc(Max(n, 1) * sizeof(Datum));

	if (n == 0)
		return;
	for (uint64 i = 0; i < n; i++)
		names[i] = twice_name(i);
	values[0] = PointerGetDatum(construct_array(names, (int) n, TEXTOID, -1, false, TYPALIGN_INT));
	n = sql_run(&sql_names_twice, values, nulls, 0);
	shape->twice = MemoryContextAlloc(context, Max(n, 1) * sizeof(char *));
	shape->n_twice = (int) n;
	for (uint64 i = 0; i < n; i++)
		shape->twice[i] = MemoryContextStrdup(context, TextDatumGetCString(twice_name(i)));
}
