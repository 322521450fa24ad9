\echo Use "CREATE EXTENSION llava_zh" to load this file. \quit

-- Names in this script are qualified or pg_catalog's: in the schema of the extension
-- somebody may have planted a concat(text, text), which fits better than that of
-- pg_catalog.  Nothing is created IF NOT EXISTS or OR REPLACE either.  The
-- script is pure ASCII, so that a database in another encoding gets our words
-- and not a conversion error; the shipped tasks' Chinese is in src/pg/task/shipped.c.

CREATE FUNCTION @.llava_require_utf8() RETURNS void
	LANGUAGE c AS 'MODULE_PATHNAME';
SELECT @.llava_require_utf8();
DROP FUNCTION @.llava_require_utf8();

SET LOCAL search_path = pg_catalog, pg_temp;
