--
-- The queue, and who drains it
--

CREATE TABLE @.llava_pending (
	image bigint,
	task text,
	visible_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	call bigint,
	holder integer,
	attempts integer NOT NULL DEFAULT 0,
	variation integer NOT NULL DEFAULT 0,
	interruptions integer NOT NULL DEFAULT 0,
	released boolean NOT NULL DEFAULT false,
	rejects text[],
	refused_by text,
	failure text,
	detail text,
	said bigint,
	excused boolean NOT NULL DEFAULT false,
	company integer,
	PRIMARY KEY (image, task)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX llava_pending_visible ON @.llava_pending (visible_at, image, task)
	WHERE failure IS NULL;
-- what llava_progress counts: few rows each, whatever waits
CREATE INDEX llava_pending_held ON @.llava_pending (task) WHERE holder IS NOT NULL;
CREATE INDEX llava_pending_failed ON @.llava_pending (task, failure)
	WHERE failure IS NOT NULL;
-- what goes back when its server turns out to be to blame
CREATE INDEX llava_pending_said ON @.llava_pending (said, call) WHERE said IS NOT NULL;
COMMENT ON TABLE @.llava_pending IS
	'the queue; a row leaves when its sample is settled, or rests with a failure';
COMMENT ON COLUMN @.llava_pending.visible_at IS
	'queue order, back-off and lease in one: not claimed before';
COMMENT ON COLUMN @.llava_pending.call IS
	'id of the newest call: X-Request-Id, fence of the settle, id of the ledger row';
COMMENT ON COLUMN @.llava_pending.released IS
	'it was parked as a long picture and llava_retry released it: it is not parked again';
COMMENT ON COLUMN @.llava_pending.rejects IS
	'why the replies so far were rejected; the next request follows from it';
COMMENT ON COLUMN @.llava_pending.refused_by IS
	'the server that refused or filtered last: another one is asked if there is one';
COMMENT ON COLUMN @.llava_pending.company IS
	'it was in flight when a server went down, and may be why: so many requests may be in flight with it, itself included; NULL: any number';
COMMENT ON COLUMN @.llava_pending.holder IS
	'the worker slot (or minus the pid of a draining session) that holds the lease; NULL: nobody';
COMMENT ON COLUMN @.llava_pending.said IS
	'a number for the server and the words that it failed for, digits and ids apart: those of one number go back together';
COMMENT ON COLUMN @.llava_pending.excused IS
	'it failed for a fault of its server and went back to the queue: the next failure stands';
SELECT pg_catalog.pg_extension_config_dump('@.llava_pending', '');

CREATE TABLE @.llava_interrupted (
	image bigint,
	call bigint,
	task text NOT NULL,
	noticed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	sent boolean,
	PRIMARY KEY (image, call)
);
COMMENT ON TABLE @.llava_interrupted IS
	'calls whose worker ended before their settle: what may have been paid for without a reply in the ledger';
COMMENT ON COLUMN @.llava_interrupted.sent IS
	'true: the request was under way when its worker ended; NULL: not known, it may have been claimed and not sent';
SELECT pg_catalog.pg_extension_config_dump('@.llava_interrupted', '');

CREATE SEQUENCE @.llava_call_seq;
SELECT pg_catalog.pg_extension_config_dump('@.llava_call_seq', '');

-- Not dumped: in another cluster it means nothing.
CREATE TABLE @.llava_timeline (
	only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
	timeline bigint NOT NULL
);
COMMENT ON TABLE @.llava_timeline IS
	'the server''s timeline at the last claim; on another one, after a failover, call ids are left out';
INSERT INTO @.llava_timeline (timeline)
	SELECT ('x' || pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8))::bit(32)::bigint;

CREATE FUNCTION @.llava_enqueue(image bigint, task text, again boolean DEFAULT false)
	RETURNS boolean LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_enqueue(bigint, text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION @.llava_enqueue(bigint, text, boolean) IS
	'queues a task about an image; false if it waits or is done already';

CREATE FUNCTION @.llava_retry(image bigint DEFAULT NULL, task text DEFAULT NULL,
	reason text DEFAULT NULL)
	RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_retry(bigint, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @.llava_retry(bigint, text, text) IS
	'queues failed rows again, all or by image, task, reason; returns how many';

CREATE FUNCTION @.llava_start() RETURNS integer
	LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_start() FROM PUBLIC;
COMMENT ON FUNCTION @.llava_start() IS
	'starts a background worker for this database; the pid of the one that runs';

CREATE FUNCTION @.llava_stop() RETURNS boolean
	LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_stop() FROM PUBLIC;
COMMENT ON FUNCTION @.llava_stop() IS
	'ends the worker that llava_start() began, for good; false if none runs';

CREATE PROCEDURE @.llava_drain("limit" bigint DEFAULT NULL, task text DEFAULT NULL,
	server text DEFAULT NULL, max_time interval DEFAULT NULL)
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON PROCEDURE @.llava_drain(bigint, text, text, interval) FROM PUBLIC;
COMMENT ON PROCEDURE @.llava_drain(bigint, text, text, interval) IS
	'the worker''s loop in this session, until nothing is left that can be asked';

CREATE FUNCTION @.llava_untrusted(OUT "table" text, OUT object text, OUT owner text, OUT reason text,
	OUT remedy text)
	RETURNS SETOF record LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 10 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_untrusted() IS
	'why statements that run with another role''s rights are refused: whose code they would run; no row: none is';

CREATE FUNCTION @.llava_task_in_flight(task text) RETURNS integer
	LANGUAGE c STRICT VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_task_in_flight(text) FROM PUBLIC;
COMMENT ON FUNCTION @.llava_task_in_flight(text) IS
	'requests about the queue''s rows of a task that were sent and are not answered yet; NULL where llava_zh is not preloaded';

CREATE FUNCTION @.llava_restoring() RETURNS text
	LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_restoring() IS
	'what shows that a restore into this database has not ended, so that nothing is claimed; NULL: nothing does';

CREATE FUNCTION @.llava_worker_counters(OUT pid integer, OUT wakes bigint, OUT looks bigint,
	OUT late bigint, OUT longest_ms float8)
	RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 4
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_worker_counters() FROM PUBLIC;
COMMENT ON FUNCTION @.llava_worker_counters() IS
	'what each process that drains counted since it began, where llava_zh is preloaded';

CREATE FUNCTION @.llava_worker_slots(OUT pid integer, OUT slot integer)
	RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 4
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_worker_slots() FROM PUBLIC;
COMMENT ON FUNCTION @.llava_worker_slots() IS
	'the workers of this database, as they know each other: no name or setting of a session';

CREATE FUNCTION @.llava_process_activity(OUT pid integer, OUT worker boolean, OUT state text,
	OUT wait_event text, OUT activity text, OUT since timestamptz)
	RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 100
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_process_activity() FROM PUBLIC;
COMMENT ON FUNCTION @.llava_process_activity() IS
	'the processes of this database: what our workers do, that a session drains, and of others what the caller may see';

CREATE FUNCTION @.llava_missing_workers(OUT slot integer, OUT reason text, OUT since timestamptz)
	RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 1
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_missing_workers() FROM PUBLIC;
COMMENT ON FUNCTION @.llava_missing_workers() IS
	'workers of this database that llava_zh.databases asks for and the launcher could not start, and why';

CREATE VIEW @.llava_stat_worker WITH (security_invoker = true) AS
	SELECT a.pid, w.slot, a.state, a.wait_event, a.activity, a.since,
		COALESCE(h.held, 0) AS held, c.wakes, c.looks, c.late, c.longest_ms
	FROM @.llava_process_activity() a
	LEFT JOIN @.llava_worker_slots() w ON w.pid = a.pid
	LEFT JOIN (SELECT p.holder, pg_catalog.count(*) AS held
		FROM @.llava_pending p WHERE p.holder IS NOT NULL GROUP BY p.holder) h
		ON h.holder = COALESCE(w.slot, -a.pid)
	LEFT JOIN @.llava_worker_counters() c ON c.pid = a.pid
	WHERE w.slot IS NOT NULL OR h.held > 0
	UNION ALL
	SELECT NULL, m.slot, 'missing', NULL, m.reason, m.since, 0, NULL, NULL, NULL, NULL
	FROM @.llava_missing_workers() m;
COMMENT ON VIEW @.llava_stat_worker IS
	'the workers of this database, and sessions that drain (slot NULL): what each does, and how many rows it holds. State missing: one that should run and could not be started, and why';
