/*
 * from_url.c
 *	  A row without a picture but with a source_url: the picture is to be fetched.
 *
 * INSERT only writes llava_fetch, and meets no other row in it, so that statements that
 * insert the same hosts in opposite order do not wait for each other.  A URL that cannot be
 * fetched fails no statement: its row says why.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "access/xact.h"
#include "db/db.h"
#include "executor/spi.h"
#include "intake.h"
#include "mb/pg_wchar.h"
#include "process/process.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "web/web.h"

PG_FUNCTION_INFO_V1(llava_image_moved);

bool
arrival_is_to_be_fetched(const Arrival *arrival)
{
	return llava_fetch && arrival->nulls[COLUMN_IMAGE] && intake_unread_size < 0 &&
		!arrival->nulls[COLUMN_SOURCE_URL];
}

/* More than the parser takes, and less than the column does. */
#define CLIPPED_SIZE (WEB_URL_MAX + 1000)

HeapTuple
intake_clip_url(HeapTuple tuple, TupleDesc desc, const int *columns)
{
	bool		no_image;
	bool		no_url;
	Datum		given = heap_getattr(tuple, columns[COLUMN_SOURCE_URL], desc, &no_url);
	struct varlena *text;
	Datum		clipped;

	(void) heap_getattr(tuple, columns[COLUMN_IMAGE], desc, &no_image);
	if (!llava_fetch || !no_image || no_url || toast_raw_datum_size(given) - VARHDRSZ <= CLIPPED_SIZE)
		return tuple;
	text = PG_DETOAST_DATUM_PACKED(given);

	clipped = PointerGetDatum(cstring_to_text_with_len(VARDATA_ANY(text),
													   pg_mbcliplen(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text), CLIPPED_SIZE)));
	return heap_modify_tuple_by_cols(tuple, desc, 1, (int[])
/**INDENT** Error@52: Unbalanced parens */
									 {
		columns[COLUMN_SOURCE_URL]
	}, &clipped, (bool[])
	{
		false
/**INDENT** Warning@57: Extra ) */
	});
}

void
intake_url(const char *text, size_t size, IntakeUrl *url)
{
	uint8_t		digest[IMAGE_SHA256_SIZE];
	char	   *copy = palloc(3 * WEB_URL_MAX + WEB_HOST_MAX + 64);
	size_t		host = 0;
	WebUrl		parsed;

	memset(url, 0, sizeof(*url));
	url->refused = web_url_parse(text, size, config_fetch_ports(), &parsed);
	if (url->refused == NULL)
	{
		/* nothing may be raised while the parser's memory is ours to free */
		strlcpy(copy, parsed.normal, 3 * WEB_URL_MAX + WEB_HOST_MAX + 64);
		host = parsed.path - parsed.normal;
		web_url_free(&parsed);
		url->normal = copy;
		url->host = pnstrdup(copy, host);
		image_sha256((const uint8_t *) copy, strlen(copy), digest);
		url->digest = rows_bytea(digest, sizeof(digest));
	}
	else if (strcmp(url->refused, "memory") == 0)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
}

static SqlStatement sql_url_forgotten = {
	.text =
	"SELECT 'its URL was taken down on ' OPERATOR(pg_catalog.||)"
	"  pg_catalog.to_char(forgotten_at, 'YYYY-MM-DD') OPERATOR(pg_catalog.||) ': '"
	"  OPERATOR(pg_catalog.||) coalesce(pg_catalog.left(reason, 4096), '')"
	" FROM @.llava_url_forgotten WHERE digest OPERATOR(pg_catalog.=) $1",
	.types = "b"
};

char *
intake_find_forgotten(struct varlena *digest)
{
	Datum		value = PointerGetDatum(digest);
	bool		isnull;

	if (rows_run_as_owner(extension_relation("llava_url_forgotten"), &sql_url_forgotten, &value, NULL) == 0)
		return NULL;
	return TextDatumGetCString(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}

static SqlStatement sql_fetch_add = {
	.text =
	"INSERT INTO @.llava_fetch (image, host, url, digest, expected, visible_at)"
	" VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
	.types = "lttbbz"
};

static void
add_fetch(Datum id, const IntakeUrl *url, struct varlena *expected)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	Datum		values[6] = {id, CStringGetTextDatum(url->host), CStringGetTextDatum(url->normal),
	PointerGetDatum(url->digest), PointerGetDatum(expected), TimestampTzGetDatum(now)};

	(void) rows_run_as_owner(extension_relation("llava_fetch"), &sql_fetch_add, values,
							 expected == NULL ? "    n " : NULL);
	wake_at_commit(now);
}

/* The beginning of a URL that is refused, for people. */
static char *
refused_words(const char *text, size_t size)
{
	char	   *clipped = pnstrdup(text, Min(size, 200));
	char	   *clean = rows_clean_text(clipped);

	for (char *p = clean; *p != '\0'; p++)
		if ((unsigned char) *p < ' ')
			*p = '?';
	return psprintf("source_url cannot be fetched: %s%s", clean, size > 200 ? "..." : "");
}

static void
arrival_reject(Arrival *arrival, const char *reason, const char *detail)
{
	arrival_set(arrival, COLUMN_REJECTED, CStringGetTextDatum(reason));
	arrival_set(arrival, COLUMN_REJECTED_DETAIL, CStringGetTextDatum(detail));
}

/*
 * What is taken down while the statement runs, and what it does not store in the end, the
 * fetcher finds before it sends a request.
 */
static char *
words_of_forgotten(const IntakeUrl *url, const FetchQueue *queue)
{
	MemoryContext caller = CurrentMemoryContext;
	char	   *words;

	if (!fetch_queue_any_forgotten(queue))
		return NULL;
	rows_spi_connect();
	words = intake_find_forgotten(url->digest);
	if (words != NULL)
		words = MemoryContextStrdup(caller, words);
	SPI_finish();
	return words;
}

void
arrival_queue_fetch(Arrival *arrival, FetchQueue *queue)
{
	struct varlena *text = PG_DETOAST_DATUM_PACKED(arrival->values[COLUMN_SOURCE_URL]);
	char	   *forgotten;
	IntakeUrl	url;

	arrival_set(arrival, COLUMN_IN_FILE, BoolGetDatum(false));
	intake_url(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text), &url);
	if (url.refused != NULL)
	{
		arrival_reject(arrival, url.refused, refused_words(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text)));
		return;
	}
	forgotten = words_of_forgotten(&url, queue);
	if (forgotten != NULL)
		intake_refuse_forgotten(arrival, forgotten);
	else
		fetch_queue_add(queue, arrival->values[COLUMN_ID], &url, arrival->given_sha256);
}

/* ---- another URL for a picture that has not come yet ---- */

static SqlStatement sql_fetch_remove = {
	.text =
	"DELETE FROM @.llava_fetch WHERE image = $1",
	.types = "l"
};

static bool
column_is_null(HeapTuple tuple, TupleDesc desc, const char *name)
{
	bool		isnull;

	(void) heap_getattr(tuple, SPI_fnumber(desc, name), desc, &isnull);
	return isnull;
}

/* Whether the row waits for a picture, or has none because of its URL. */
static bool
waits_for_picture(HeapTuple tuple, TupleDesc desc, Datum id)
{
	return column_is_null(tuple, desc, "image") && column_is_null(tuple, desc, "sha256") &&
		column_is_null(tuple, desc, "same_as") &&
		(rows_run_as_owner(extension_relation("llava_fetch"), &sql_fetch_remove, &id, NULL) > 0 ||
		 (!column_is_null(tuple, desc, "rejected") && column_is_null(tuple, desc, "bytes")));
}

/* Puts what became of the new URL into the row. */
static HeapTuple
moved_row(HeapTuple tuple, TupleDesc desc, const char *rejected, const char *detail)
{
	int			columns[2] = {SPI_fnumber(desc, "rejected"), SPI_fnumber(desc, "rejected_detail")};
	Datum		values[2] = {0, 0};
	bool		nulls[2] = {rejected == NULL, rejected == NULL};

	if (rejected != NULL)
	{
		values[0] = CStringGetTextDatum(rejected);
		values[1] = CStringGetTextDatum(detail);
	}
	return heap_modify_tuple_by_cols(tuple, desc, 2, columns, values, nulls);
}

/*
 * BEFORE UPDATE OF source_url on llava_image, SECURITY DEFINER: a picture that has not come
 * yet is fetched from the new URL; what comes from the old one finds no row of its own.
 */
Datum
llava_image_moved(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = rows_trigger(fcinfo, "llava_image");
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	MemoryContext caller = CurrentMemoryContext;
	HeapTuple	row = trigger->tg_newtuple;
	IntakeUrl	url = {0};
	char	   *detail = NULL;
	bool		isnull;
	bool		gone;
	Datum		id = heap_getattr(row, SPI_fnumber(desc, "id"), desc, &isnull);
	Datum		given = heap_getattr(row, SPI_fnumber(desc, "source_url"), desc, &gone);

	rows_spi_connect();
	if (waits_for_picture(row, desc, id) && !gone && llava_fetch)
	{
		struct varlena *text = PG_DETOAST_DATUM_PACKED(given);

		intake_url(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text), &url);
		detail = url.refused != NULL ? refused_words(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text)) :
			intake_find_forgotten(url.digest);
		if (detail == NULL)
			add_fetch(id, &url, NULL);
		else if (url.refused == NULL)
			url.refused = "forgotten";
		if (detail != NULL)
			detail = MemoryContextStrdup(caller, detail);
	}
	SPI_finish();
	MemoryContextSwitchTo(caller);
	if (url.refused != NULL || url.normal != NULL)
		row = moved_row(row, desc, url.refused, detail);
	return PointerGetDatum(row);
}
