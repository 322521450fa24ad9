\echo Use "ALTER EXTENSION llava_zh UPDATE" to load this file. \quit

-- What sql/parts changed since 1.0.0, in the same order and by the same rules: names are
-- qualified or pg_catalog's, no text but ASCII.  No object is dropped that a user's own may
-- depend on.  test/t/055_upgrade.pl compares the outcome with a fresh installation.
-- A part's @.name is spelled @extschema@.name here.

SET LOCAL search_path = pg_catalog, pg_temp;

--
-- Servers (sql/parts/server.sql)
--

--
-- Tasks (sql/parts/task.sql)
--

--
-- Pictures (sql/parts/image.sql)
--

--
-- Queue (sql/parts/queue.sql)
--

--
-- Ledger (sql/parts/ledger.sql)
--

--
-- Samples (sql/parts/dataset.sql)
--

--
-- Views that count (sql/parts/stats.sql)
--

--
-- llava_generate (sql/parts/ask.sql)
--

--
-- Exports (sql/parts/export.sql)
--

--
-- Recorded exports (sql/parts/manifest.sql)
--

--
-- The page (sql/parts/page.sql)
--

--
-- The dataset card (sql/parts/card.sql)
--

--
-- COPY with format jsonl (sql/parts/jsonl.sql)
--
