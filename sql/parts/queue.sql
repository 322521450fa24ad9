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
	server text NOT NULL DEFAULT '',
	not_server text NOT NULL DEFAULT '',
	PRIMARY KEY (image, task)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
ALTER TABLE @.llava_pending ALTER COLUMN detail SET STATISTICS 0;
-- rows that the same servers may be asked about stand together: those that have to wait are not read
CREATE INDEX llava_pending_visible ON @.llava_pending (task, server, not_server, visible_at, image)
	WHERE failure IS NULL;
-- what llava_progress counts: few rows each, whatever waits
CREATE INDEX llava_pending_held ON @.llava_pending (task) WHERE holder IS NOT NULL;
CREATE INDEX llava_pending_failed ON @.llava_pending (task, failure)
	WHERE failure IS NOT NULL;
-- what goes back when its server turns out to be to blame
CREATE INDEX llava_pending_said ON @.llava_pending (said, call) WHERE said IS NOT NULL;
COMMENT ON TABLE @.llava_pending IS
	'the queue; a row leaves when its sample is settled, or rests with a failure';
COMMENT ON COLUMN @.llava_pending.image IS 'the picture';
COMMENT ON COLUMN @.llava_pending.task IS 'name of the task';
COMMENT ON COLUMN @.llava_pending.visible_at IS 'not claimed before this: order, back-off and lease';
COMMENT ON COLUMN @.llava_pending.call IS 'newest call: X-Request-Id, and id of its ledger row';
COMMENT ON COLUMN @.llava_pending.holder IS 'worker slot, or minus a session''s pid, that holds the row';
COMMENT ON COLUMN @.llava_pending.attempts IS 'requests that count against llava_zh.max_attempts';
COMMENT ON COLUMN @.llava_pending.variation IS 'how often asked anew; the seed follows from it';
COMMENT ON COLUMN @.llava_pending.interruptions IS 'calls whose worker ended before they did';
COMMENT ON COLUMN @.llava_pending.released IS 'named by llava_retry or llava_enqueue: sent, whatever it rested for';
COMMENT ON COLUMN @.llava_pending.rejects IS 'why its replies were rejected so far';
COMMENT ON COLUMN @.llava_pending.refused_by IS 'server that refused last; another one is preferred';
COMMENT ON COLUMN @.llava_pending.failure IS 'why the row rests; NULL: it waits or is held';
COMMENT ON COLUMN @.llava_pending.detail IS 'the same in words, of the server or the decoder';
COMMENT ON COLUMN @.llava_pending.said IS 'fingerprint of server and error words of its failure';
COMMENT ON COLUMN @.llava_pending.excused IS 'its server was at fault and it went back once';
COMMENT ON COLUMN @.llava_pending.company IS 'suspect of an engine crash: most requests beside it, and itself';
COMMENT ON COLUMN @.llava_pending.server IS 'the only server that may be asked; empty: as the task says';
COMMENT ON COLUMN @.llava_pending.not_server IS 'server that must not be asked; empty: none';
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
COMMENT ON COLUMN @.llava_interrupted.image IS 'the picture';
COMMENT ON COLUMN @.llava_interrupted.call IS 'the call that nobody finished';
COMMENT ON COLUMN @.llava_interrupted.task IS 'name of its task';
COMMENT ON COLUMN @.llava_interrupted.noticed_at IS 'when its lease was taken over';
COMMENT ON COLUMN @.llava_interrupted.sent IS 'true: the request was sent; NULL: nobody knows';
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
COMMENT ON COLUMN @.llava_timeline.only_row IS 'true: the table has one row';
COMMENT ON COLUMN @.llava_timeline.timeline IS 'timeline of the server at the last claim';
INSERT INTO @.llava_timeline (timeline)
	SELECT ('x' || pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8))::bit(32)::bigint;

CREATE FUNCTION @.llava_enqueue(image bigint, task text, again boolean DEFAULT false,
	first boolean DEFAULT false, server text DEFAULT NULL, not_server text DEFAULT NULL)
	RETURNS boolean LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_enqueue FROM PUBLIC;
COMMENT ON FUNCTION @.llava_enqueue IS
	'queues a task about an image; false if it waits or is done already';

CREATE FUNCTION @.llava_retry(image bigint DEFAULT NULL, task text DEFAULT NULL,
	reason text DEFAULT NULL, first boolean DEFAULT false, new_server text DEFAULT NULL,
	not_server text DEFAULT NULL)
	RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_retry FROM PUBLIC;
COMMENT ON FUNCTION @.llava_retry IS
	'queues failed rows again, all or by image, task, reason; returns how many';

CREATE FUNCTION @.llava_cancel(image bigint DEFAULT NULL, task text DEFAULT NULL)
	RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_cancel FROM PUBLIC;
COMMENT ON FUNCTION @.llava_cancel IS
	'takes rows that wait out of the queue, by image or task; returns how many';

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

CREATE FUNCTION @.llava_waiting_tasks(OUT task text, OUT state text, OUT reason text)
	RETURNS SETOF record LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_waiting_tasks() IS
	'tasks whose rows nobody will send as things are, and why';

CREATE FUNCTION @.llava_row_waits(task text, server text, not_server text) RETURNS text
	LANGUAGE c STRICT STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_row_waits(text, text, text) IS
	'why nobody will send rows of a task that name or forbid a server; NULL: they are sent';

CREATE FUNCTION @.llava_task_in_flight(task text) RETURNS integer
	LANGUAGE c STRICT VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_task_in_flight(text) FROM PUBLIC;
COMMENT ON FUNCTION @.llava_task_in_flight(text) IS 'requests of a task in flight; NULL where not preloaded';

CREATE FUNCTION @.llava_restoring() RETURNS text
	LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_restoring() IS
	'what shows that a restore into this database has not ended, so that nothing is claimed; NULL: nothing does';

CREATE FUNCTION @.llava_worker_counters(OUT pid integer, OUT wakes bigint, OUT looks bigint,
	OUT late bigint, OUT longest_ms float8)
	RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 4
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_worker_counters() FROM PUBLIC;
COMMENT ON FUNCTION @.llava_worker_counters() IS 'what each process that drains counted since it began';

CREATE FUNCTION @.llava_worker_slots(OUT pid integer, OUT slot integer)
	RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 4
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_worker_slots() FROM PUBLIC;
COMMENT ON FUNCTION @.llava_worker_slots() IS 'the workers of this database and their slots';

CREATE FUNCTION @.llava_process_activity(OUT pid integer, OUT worker boolean, OUT state text,
	OUT wait_event text, OUT activity text, OUT since timestamptz)
	RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 100
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_process_activity() FROM PUBLIC;
COMMENT ON FUNCTION @.llava_process_activity() IS 'what the processes of this database do';

CREATE FUNCTION @.llava_missing_workers(OUT slot integer, OUT reason text, OUT since timestamptz)
	RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 1
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_missing_workers() FROM PUBLIC;
COMMENT ON FUNCTION @.llava_missing_workers() IS 'workers that could not be started, and why';

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
	'the workers of this database, and sessions that drain: what each does, and how many rows it holds';
COMMENT ON COLUMN @.llava_stat_worker.pid IS 'process; NULL: it could not be started';
COMMENT ON COLUMN @.llava_stat_worker.slot IS 'number of the worker; NULL: a session that drains';
COMMENT ON COLUMN @.llava_stat_worker.state IS 'as in pg_stat_activity, or missing';
COMMENT ON COLUMN @.llava_stat_worker.wait_event IS 'what the process waits for';
COMMENT ON COLUMN @.llava_stat_worker.activity IS 'what it does, or why nothing moves';
COMMENT ON COLUMN @.llava_stat_worker.since IS 'since when';
COMMENT ON COLUMN @.llava_stat_worker.held IS 'rows that it holds';
COMMENT ON COLUMN @.llava_stat_worker.wakes IS 'commits that woke it';
COMMENT ON COLUMN @.llava_stat_worker.looks IS 'how often it looked at its sockets';
COMMENT ON COLUMN @.llava_stat_worker.late IS 'looks that came over 10 ms late';
COMMENT ON COLUMN @.llava_stat_worker.longest_ms IS 'longest time between two looks';
