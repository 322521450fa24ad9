/*
 * export_flags.c
 *	  Flags by which a caller chooses samples.  One that is misspelt would choose all of
 *	  them, or none, so it is an ERROR.
 *
 * The parser's flags are known though no sample has them; others are those that samples
 * have, since people write into llava_conversation.flags, too.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "db/db.h"
#include "executor/spi.h"
#include "export.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "reply/reply.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(llava_known_flags);

/* These run with the caller's search_path and rights. */
static SqlStatement sql_flag_of_samples = {
	.text =
	"SELECT FROM @.llava_conversation c WHERE $1 OPERATOR(pg_catalog.=) ANY (c.flags) LIMIT 1",
	.types = "t"
};

/* As many, and as long, as a HINT can show. */
static SqlStatement sql_other_flags = {
	.text =
	"SELECT pg_catalog.string_agg(s.flag, ', ') FROM (SELECT DISTINCT pg_catalog.left(u.flag, 64)"
	"   COLLATE pg_catalog.\"C\" AS flag"
	"  FROM @.llava_conversation c, pg_catalog.unnest(c.flags) AS u (flag)"
	"  WHERE u.flag OPERATOR(pg_catalog.<>) ALL ($1) ORDER BY 1 LIMIT 50) s",
	.types = "T"
};

static bool
flag_is_of_parser(const char *flag)
{
	for (int bit = 0; bit < REPLY_FLAGS; bit++)
		if (strcmp(reply_flag_name(bit), flag) == 0)
			return true;
	return false;
}

pg_noreturn static void
flag_unknown(const char *flag)
{
	Datum		names[REPLY_FLAGS];
	StringInfoData list;
	Datum		parsers;
	Datum		others;
	bool		no_others;

	initStringInfo(&list);
	for (int bit = 0; bit < REPLY_FLAGS; bit++)
	{
		names[bit] = CStringGetTextDatum(reply_flag_name(bit));
		appendStringInfo(&list, "%s%s", bit == 0 ? "" : ", ", reply_flag_name(bit));
	}
	parsers = PointerGetDatum(construct_array(names, REPLY_FLAGS, TEXTOID, -1, false,
											  TYPALIGN_INT));
	sql_run(&sql_other_flags, &parsers, NULL, 0);
	others = sql_value(1, &no_others);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown flag \"%s\"", flag),
			 no_others ? errhint("The parser's flags are %s; samples have no others.", list.data) :
			 errhint("The parser's flags are %s; samples also have %s.", list.data,
					 TextDatumGetCString(others))));
}

void
export_check_flags(ArrayType *flags)
{
	Datum	   *names;
	bool	   *nulls;
	int			n;

	deconstruct_array(flags, TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (!nulls[i] && !flag_is_of_parser(TextDatumGetCString(names[i])) &&
			sql_run(&sql_flag_of_samples, &names[i], NULL, 1) == 0)
			flag_unknown(TextDatumGetCString(names[i]));
}

/* llava_known_flags(flags text[]): its argument, if there are such flags. */
Datum
llava_known_flags(PG_FUNCTION_ARGS)
{
	SPI_connect();
	export_check_flags(PG_GETARG_ARRAYTYPE_P(0));
	SPI_finish();
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}
