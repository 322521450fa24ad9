/*
 * forget_urls.c
 *	  Tombstones of the URLs that forgotten pictures came from, by which these are fetched
 *	  no more, whatever they lead to by then: a letter names URLs.
 */
#include "postgres.h"

#include "db/db.h"
#include "forget.h"
#include "intake.h"

/* What the pictures were fetched from, or to be, and what their rows say. */
static SqlStatement sql_forget_urls[] = {
	{.text = "SELECT source_url FROM @.llava_image WHERE id = ANY ($1) AND source_url IS NOT NULL",.types = "L"},
	{.text = "SELECT u.url FROM @.llava_fetch f, LATERAL (SELECT f.url UNION SELECT pg_catalog.unnest(f.hops)) u (url)"
	" WHERE f.image = ANY ($1)",.types = "L"},
	{.text = "SELECT u.url FROM @.llava_fetched f, LATERAL (SELECT f.url UNION SELECT f.final_url) u (url)"
	" WHERE f.image = ANY ($1)",.types = "L"},
};

static SqlStatement sql_forget_url = {
	.text =
	"INSERT INTO @.llava_url_forgotten (digest, reason) VALUES ($1, $2) ON CONFLICT DO NOTHING",
	.types = "bt"
};

void
forget_urls(Datum ids, Datum reason)
{
	static const char *const tables[lengthof(sql_forget_urls)] = {"llava_image", "llava_fetch", "llava_fetched"};

	if (!OidIsValid(extension_find_relation("llava_url_forgotten")))
		return;
	for (int i = 0; i < lengthof(sql_forget_urls); i++)
	{
		uint64		rows = rows_run_as_owner(extension_relation(tables[i]), &sql_forget_urls[i], &ids, NULL);
		SPITupleTable *found = SPI_tuptable;

		for (uint64 row = 0; row < rows; row++)
		{
			char	   *text = SPI_getvalue(found->vals[row], found->tupdesc, 1);
			IntakeUrl	url;

			intake_url(text, strlen(text), &url);
			if (url.refused == NULL)
			{
				Datum		values[2] = {PointerGetDatum(url.digest), reason};

				(void) rows_run_as_owner(extension_relation("llava_url_forgotten"), &sql_forget_url, values, NULL);
			}
		}
	}
}
