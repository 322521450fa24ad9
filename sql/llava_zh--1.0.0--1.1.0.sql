\echo Use "ALTER EXTENSION llava_zh UPDATE" to load this file. \quit

-- What sql/parts changed since 1.0.0, in the same order and by the same rules: names are
-- qualified or pg_catalog's, no text but ASCII.  No object is dropped that a user's own may
-- depend on.  test/t/055_upgrade.pl compares the outcome with a fresh installation.
-- A part's @.name is spelled @extschema@.name here.

-- Refuses a schema in which others have functions named like ours.
CREATE FUNCTION @extschema@.llava_require_utf8() RETURNS void
	LANGUAGE c AS 'MODULE_PATHNAME';
SELECT @extschema@.llava_require_utf8();
DROP FUNCTION @extschema@.llava_require_utf8();

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

CREATE FUNCTION @extschema@.llava_untrusted(OUT "table" text, OUT object text, OUT owner text, OUT reason text,
	OUT remedy text)
	RETURNS SETOF record LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 10 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.llava_untrusted() IS
	'why statements that run with another role''s rights are refused: whose code they would run; no row: none is';

--
-- Ledger (sql/parts/ledger.sql)
--

--
-- Samples (sql/parts/dataset.sql)
--

--
-- Views that count (sql/parts/stats.sql)
--

CREATE OR REPLACE VIEW @extschema@.llava_progress AS
	WITH task AS (
		SELECT DISTINCT ON (name) name AS task, weight
		FROM @extschema@.llava_task ORDER BY name, version DESC),
	queued AS (
		SELECT task, pg_catalog.count(*) AS n
		FROM @extschema@.llava_pending WHERE failure IS NULL GROUP BY task),
	held AS (
		SELECT task, pg_catalog.count(*) AS n
		FROM @extschema@.llava_pending WHERE holder IS NOT NULL GROUP BY task),
	failed AS (
		SELECT task, pg_catalog.count(*) AS n
		FROM @extschema@.llava_pending WHERE failure IS NOT NULL AND failure <> 'near_duplicate'
		GROUP BY task),
	done AS (
		SELECT task, pg_catalog.count(*) AS n FROM @extschema@.llava_conversation GROUP BY task),
	fresh AS (
		SELECT task, pg_catalog.count(*) AS n FROM @extschema@.llava_conversation
		WHERE created_at > pg_catalog.now() - '1 minute'::pg_catalog.interval GROUP BY task),
	reply AS (
		SELECT task, pg_catalog.count(*) AS n, pg_catalog.count(reason) AS rejected
		FROM @extschema@.llava_reply GROUP BY task),
	interrupted AS (
		SELECT task, pg_catalog.count(*) AS n FROM @extschema@.llava_interrupted GROUP BY task),
	counted AS (
		SELECT task, weight,
			coalesce(queued.n, 0) - coalesce(held.n, 0) AS waiting,
			coalesce(held.n, 0) AS in_flight,
			coalesce(done.n, 0) AS done,
			coalesce(failed.n, 0) AS failed,
			coalesce(reply.n, 0) AS replies,
			coalesce(reply.rejected, 0) AS rejected,
			coalesce(interrupted.n, 0) AS interrupted,
			coalesce(fresh.n, 0) AS per_minute
		FROM task
		LEFT JOIN queued USING (task) LEFT JOIN held USING (task) LEFT JOIN failed USING (task)
		LEFT JOIN done USING (task) LEFT JOIN fresh USING (task) LEFT JOIN reply USING (task)
		LEFT JOIN interrupted USING (task))
	SELECT task, waiting, in_flight, done, failed, replies, rejected, interrupted, per_minute,
		CASE WHEN per_minute > 0 THEN
			pg_catalog.make_interval(secs => pg_catalog.round((waiting + in_flight) * 60.0 / per_minute))
		END AS eta,
		-- samples that it lacks beside the task that is furthest ahead of its share
		CASE WHEN weight > 0 THEN
			pg_catalog.ceil(pg_catalog.round(weight * pg_catalog.max(done::numeric / nullif(weight, 0))
				OVER (), 6))::bigint
			- done
		END AS shortfall,
		weight,
		-- why the worker does nothing, if a table cannot be trusted
		(SELECT pg_catalog.concat(u.object, ' ', u.reason, '. ', u.remedy)
			FROM @extschema@.llava_untrusted() u LIMIT 1) AS untrusted
	FROM counted
	WHERE weight > 0 OR waiting + in_flight + done + failed + replies > 0
	ORDER BY weight DESC, task;

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
