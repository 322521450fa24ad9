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

CREATE FUNCTION @extschema@.llava_server_limits(OUT server oid, OUT limits text,
	OUT held_down_by text, OUT waits_for text, OUT waits_until timestamptz,
	OUT generated bigint)
	RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 4
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_server_limits() FROM PUBLIC;

CREATE FUNCTION @extschema@.llava_server_endpoints(OUT server oid, OUT endpoint_limit integer,
	OUT endpoint_in_flight integer, OUT endpoint_waiting integer)
	RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 4
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_server_endpoints() FROM PUBLIC;

ALTER TABLE @extschema@.llava_usage ADD estimated bigint NOT NULL DEFAULT 0;
COMMENT ON TABLE @extschema@.llava_usage IS
	'what each server was asked and has cost; max_requests and budget are compared with it';

ALTER VIEW @extschema@.llava_stat_server RENAME COLUMN latency_p50 TO latency_p50_ms;
ALTER VIEW @extschema@.llava_stat_server RENAME COLUMN latency_p95 TO latency_p95_ms;
CREATE OR REPLACE VIEW @extschema@.llava_stat_server AS
	SELECT s.srvname AS server,
		CASE WHEN u.pause_reason IS NULL AND p.paused IS NULL AND o.stranger IS NULL THEN 'active'
			ELSE 'paused' END AS state,
		coalesce(u.pause_reason, p.paused, CASE WHEN o.stranger IS NOT NULL THEN 'owner' END) AS pause_reason,
		coalesce(u.pause_detail, CASE WHEN p.paused IS NOT NULL THEN 'by the server option paused'
			WHEN o.stranger IS NOT NULL THEN
			pg_catalog.concat('workers ask servers of superusers and of ', o.worker, '; this one is ',
				o.stranger, '''s') END) AS pause_detail,
		u.paused_at,
		coalesce(u.requests, 0) AS requests, coalesce(u.replies, 0) AS replies,
		coalesce(u.accepted, 0) AS accepted, coalesce(u.failed, 0) AS failed,
		coalesce(u.throttled, 0) AS throttled,
		coalesce(u.prompt_tokens, 0) AS prompt_tokens,
		coalesce(u.completion_tokens, 0) AS completion_tokens,
		coalesce(u.cost, 0) AS cost,
		c.in_flight, c.allowed, c.answers, c.throttled AS throttled_since, c.timeouts,
		c.disconnects, c.server_errors, c.others,
		c.latency_p50 AS latency_p50_ms, c.latency_p95 AS latency_p95_ms, c.answers_per_minute, c.tokens_per_minute,
		l.limits, coalesce(u.estimated, 0) AS estimated,
		e.endpoint_limit, e.endpoint_in_flight, e.endpoint_waiting,
		l.held_down_by, l.waits_for, l.waits_until, l.generated
	FROM pg_catalog.pg_foreign_server s
	JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw AND w.fdwname = 'llava_zh'
	LEFT JOIN @extschema@.llava_usage u ON u.server = s.srvname
	-- the option says so before a worker has seen it
	LEFT JOIN LATERAL (SELECT 'paused' AS paused FROM pg_catalog.pg_options_to_table(s.srvoptions) t
		WHERE t.option_name = 'paused' AND t.option_value::boolean) p ON true
	-- the worker acts as the owner of the queue
	LEFT JOIN (SELECT r.oid, r.rolname COLLATE pg_catalog."default" AS stranger,
			pg_catalog.pg_get_userbyid(q.relowner) COLLATE pg_catalog."default" AS worker
		FROM pg_catalog.pg_class b
		JOIN pg_catalog.pg_class q ON q.relnamespace = b.relnamespace AND q.relname = 'llava_pending'
		JOIN pg_catalog.pg_roles r ON r.oid <> q.relowner AND NOT r.rolsuper
		WHERE b.oid = '@extschema@.llava_usage'::pg_catalog.regclass) o
		ON o.oid = s.srvowner
	LEFT JOIN @extschema@.llava_server_counters() c ON c.server = s.oid
	LEFT JOIN @extschema@.llava_server_limits() l ON l.server = s.oid
	LEFT JOIN @extschema@.llava_server_endpoints() e ON e.server = s.oid;
ALTER VIEW @extschema@.llava_stat_server SET (security_invoker = true);
COMMENT ON VIEW @extschema@.llava_stat_server IS
	'one row a server: whether it is asked, why not, and what it was asked and has cost';

--
-- Tasks (sql/parts/task.sql)
--

-- Before llava_task_insert, by its name: who gives a version is not a definer's to see.
CREATE FUNCTION @extschema@.llava_task_given() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_task_given() FROM PUBLIC;
CREATE TRIGGER llava_task_given BEFORE INSERT ON @extschema@.llava_task
	FOR EACH ROW WHEN (NEW.version IS NOT NULL)
	EXECUTE FUNCTION @extschema@.llava_task_given();

CREATE TABLE @extschema@.llava_stopped_task (
	task text PRIMARY KEY,
	version integer NOT NULL,
	reason text NOT NULL,
	image bigint NOT NULL,
	call bigint NOT NULL,
	since timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE @extschema@.llava_stopped_task IS
	'tasks whose rows wait, since the first replies of their version were all rejected';
COMMENT ON COLUMN @extschema@.llava_stopped_task.task IS 'name of the task';
COMMENT ON COLUMN @extschema@.llava_stopped_task.version IS 'its version; a newer one goes on';
COMMENT ON COLUMN @extschema@.llava_stopped_task.reason IS 'why each of the replies was rejected';
COMMENT ON COLUMN @extschema@.llava_stopped_task.image IS 'picture of one of them';
COMMENT ON COLUMN @extschema@.llava_stopped_task.call IS 'id of that reply (llava_reply)';
COMMENT ON COLUMN @extschema@.llava_stopped_task.since IS 'when it was stopped';
SELECT pg_catalog.pg_extension_config_dump('@extschema@.llava_stopped_task', '');

CREATE FUNCTION @extschema@.llava_resume_task(task text) RETURNS boolean
	LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_resume_task(text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_resume_task(text) IS
	'lets the rows of a stopped task be sent again; false if it was not stopped';

ALTER TABLE @extschema@.llava_task ADD COLUMN required text[], ADD COLUMN response_format jsonb,
	ADD COLUMN after text, ADD COLUMN condition jsonpath, ADD COLUMN share double precision,
	DROP CONSTRAINT llava_task_kind_check,
	ADD CONSTRAINT llava_task_kind_check
		CHECK (kind OPERATOR(pg_catalog.=) ANY (ARRAY['dialogue', 'question_answer', 'description', 'json']));
COMMENT ON COLUMN @extschema@.llava_task.required IS 'of kind json: keys with types, as worth 0..3, has_text boolean';
COMMENT ON COLUMN @extschema@.llava_task.response_format IS 'of kind json: sent as it is; NULL: nothing is sent';
COMMENT ON COLUMN @extschema@.llava_task.after IS 'the task whose results this one follows; NULL: none';
COMMENT ON COLUMN @extschema@.llava_task.condition IS 'predicate on the result that it follows: queued where true';
COMMENT ON COLUMN @extschema@.llava_task.share IS 'share of the pictures for which it is queued; NULL: all';

-- What 1.0.0 did not ship; a user's own task of that name stays.
CREATE FUNCTION @extschema@.llava_ship_tasks() RETURNS void
	LANGUAGE c AS 'MODULE_PATHNAME';
SELECT @extschema@.llava_ship_tasks();
DROP FUNCTION @extschema@.llava_ship_tasks();

--
-- Pictures (sql/parts/image.sql)
--

ALTER TABLE @extschema@.llava_image ADD COLUMN rows integer, ADD COLUMN file_time timestamptz;
-- what was inserted while triggers were off: none, as a rule
CREATE INDEX llava_image_not_taken_in ON @extschema@.llava_image (id) WHERE received_at IS NULL;

-- Before llava_intake, by their names, and with the rights of who inserts.
CREATE FUNCTION @extschema@.llava_image_numbered() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_image_numbered() FROM PUBLIC;
CREATE TRIGGER llava_image_numbered BEFORE INSERT ON @extschema@.llava_image
	FOR EACH ROW WHEN (NEW.received_at IS NULL)
	EXECUTE FUNCTION @extschema@.llava_image_numbered();

CREATE FUNCTION @extschema@.llava_image_restored() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_image_restored() FROM PUBLIC;
CREATE TRIGGER llava_image_restored BEFORE INSERT ON @extschema@.llava_image
	FOR EACH ROW WHEN (NEW.received_at IS NOT NULL)
	EXECUTE FUNCTION @extschema@.llava_image_restored();
-- a subscription's rows meet the tombstones too
ALTER TABLE @extschema@.llava_image ENABLE ALWAYS TRIGGER llava_image_restored;

CREATE FUNCTION @extschema@.llava_image_lengths() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_image_lengths() FROM PUBLIC;
CREATE TRIGGER llava_image_lengths
	BEFORE UPDATE OF path, source_url, page_url, licence, task, meta ON @extschema@.llava_image
	FOR EACH ROW EXECUTE FUNCTION @extschema@.llava_image_lengths();

CREATE FUNCTION @extschema@.llava_image_timed() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_image_timed() FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_image_timed() IS 'trigger: file_time is set by llava_load only';
CREATE TRIGGER llava_image_timed BEFORE UPDATE OF file_time ON @extschema@.llava_image
	FOR EACH ROW EXECUTE FUNCTION @extschema@.llava_image_timed();

CREATE FUNCTION @extschema@.llava_image_deleted() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_image_deleted() FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_image_deleted() IS 'trigger: rows are taken out by llava_forget and llava_remove only';
CREATE TRIGGER llava_image_deleted BEFORE DELETE ON @extschema@.llava_image
	FOR EACH ROW WHEN (OLD.received_at IS NOT NULL)
	EXECUTE FUNCTION @extschema@.llava_image_deleted();

ALTER PROCEDURE @extschema@.llava_load(text, text, text, integer, boolean) RENAME TO llava_load_1_0_0;
CREATE PROCEDURE @extschema@.llava_load(directory text, task text DEFAULT NULL,
	licence text DEFAULT NULL,
	batch integer DEFAULT 100,
	store boolean DEFAULT true,
	replace boolean DEFAULT false,
	prefix text DEFAULT '')
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON PROCEDURE @extschema@.llava_load(text, text, text, integer, boolean, boolean, text) FROM PUBLIC;
COMMENT ON PROCEDURE @extschema@.llava_load(text, text, text, integer, boolean, boolean, text) IS
	'reads every file below a directory of the server into llava_image, committing as it goes; files that are there are skipped, others of a known path are left out or, with replace, take it; prefix: before each path; store false: the bytes stay in the files';

CREATE FUNCTION @extschema@.llava_remove(image bigint) RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_remove(bigint) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_remove(bigint) IS
	'takes out a picture that was loaded by mistake, with its copies, as llava_forget does, but without a tombstone: the same bytes may come again';

CREATE PROCEDURE @extschema@.llava_forget_all(images bigint[], reason text, batch integer DEFAULT 100)
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON PROCEDURE @extschema@.llava_forget_all(bigint[], text, integer) FROM PUBLIC;
COMMENT ON PROCEDURE @extschema@.llava_forget_all(bigint[], text, integer) IS
	'llava_forget of many pictures, committing as it goes; can be called again';

ALTER VIEW @extschema@.llava_duplicate SET (security_invoker = true);

--
-- Queue (sql/parts/queue.sql)
--

ALTER TABLE @extschema@.llava_pending ADD COLUMN said bigint,
	ADD COLUMN excused boolean NOT NULL DEFAULT false;
CREATE INDEX llava_pending_said ON @extschema@.llava_pending (said, call) WHERE said IS NOT NULL;
ALTER TABLE @extschema@.llava_pending ADD COLUMN company integer,
	ADD COLUMN server text NOT NULL DEFAULT '',
	ADD COLUMN not_server text NOT NULL DEFAULT '';
-- rows that the same servers may be asked about stand together: those that have to wait are not read
DROP INDEX @extschema@.llava_pending_visible;
CREATE INDEX llava_pending_visible ON @extschema@.llava_pending (task, server, not_server, visible_at, image)
	WHERE failure IS NULL;

-- Not dumped: in another cluster it means nothing.
CREATE TABLE @extschema@.llava_timeline (
	only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
	timeline bigint NOT NULL
);
COMMENT ON TABLE @extschema@.llava_timeline IS
	'the server''s timeline at the last claim; on another one, after a failover, call ids are left out';
INSERT INTO @extschema@.llava_timeline (timeline)
	SELECT ('x' || pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8))::bit(32)::bigint;

CREATE FUNCTION @extschema@.llava_stop() RETURNS boolean
	LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_stop() FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_stop() IS
	'ends the worker that llava_start() began, for good; false if none runs';

CREATE FUNCTION @extschema@.llava_untrusted(OUT "table" text, OUT object text, OUT owner text, OUT reason text,
	OUT remedy text)
	RETURNS SETOF record LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 10 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.llava_untrusted() IS
	'why statements that run with another role''s rights are refused: whose code they would run; no row: none is';

CREATE FUNCTION @extschema@.llava_restoring() RETURNS text
	LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.llava_restoring() IS
	'what shows that a restore into this database has not ended, so that nothing is claimed; NULL: nothing does';

CREATE FUNCTION @extschema@.llava_worker_slots(OUT pid integer, OUT slot integer)
	RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 4
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_worker_slots() FROM PUBLIC;

ALTER FUNCTION @extschema@.llava_parse_reply(text, text, text) RENAME TO llava_parse_reply_1_0_0;
CREATE FUNCTION @extschema@.llava_parse_reply(task text, reply text, finish_reason text DEFAULT 'stop',
	 OUT conversation jsonb, OUT reason text, OUT flags text[], OUT object jsonb)
	RETURNS record LANGUAGE c STRICT STABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.llava_parse_reply(text, text, text) IS
	'the parser and the checks alone, under the task''s newest version';

CREATE TABLE @extschema@.llava_annotation (
	image bigint,
	task text COLLATE "C",
	object jsonb NOT NULL,
	flags text[] NOT NULL DEFAULT '{}',
	about bigint,
	reply bigint NOT NULL,
	task_version integer NOT NULL,
	at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (image, task)
);
CREATE INDEX llava_annotation_task ON @extschema@.llava_annotation (task, at);
COMMENT ON TABLE @extschema@.llava_annotation IS
	'the accepted objects of tasks of kind json, one an image and task';
COMMENT ON COLUMN @extschema@.llava_annotation.image IS 'the picture';
COMMENT ON COLUMN @extschema@.llava_annotation.task IS 'name of the task';
COMMENT ON COLUMN @extschema@.llava_annotation.object IS 'what the model said, its required values converted';
COMMENT ON COLUMN @extschema@.llava_annotation.flags IS 'what the parser changed or noticed';
COMMENT ON COLUMN @extschema@.llava_annotation.about IS 'the reply whose result it followed; NULL: it followed none';
COMMENT ON COLUMN @extschema@.llava_annotation.reply IS 'id of its row in llava_reply';
COMMENT ON COLUMN @extschema@.llava_annotation.task_version IS 'version of the task that was asked';
COMMENT ON COLUMN @extschema@.llava_annotation.at IS 'when it was accepted';
SELECT pg_extension_config_dump('@extschema@.llava_annotation', '');

-- Another result than before: what was said about it leaves, and what follows it is queued.
CREATE FUNCTION @extschema@.llava_conversation_changed() RETURNS trigger
	LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_conversation_changed() FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_conversation_changed() IS 'trigger: another sample than before has other followers';
CREATE TRIGGER llava_conversation_changed AFTER UPDATE OF conversation, reply ON @extschema@.llava_conversation
	FOR EACH ROW WHEN (NEW.conversation IS DISTINCT FROM OLD.conversation OR NEW.reply IS DISTINCT FROM OLD.reply)
	EXECUTE FUNCTION @extschema@.llava_conversation_changed();
CREATE FUNCTION @extschema@.llava_annotation_changed() RETURNS trigger
	LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_annotation_changed() FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_annotation_changed() IS 'trigger: another object than before has other followers';
CREATE TRIGGER llava_annotation_changed AFTER UPDATE OF object, reply ON @extschema@.llava_annotation
	FOR EACH ROW WHEN (NEW.object IS DISTINCT FROM OLD.object OR NEW.reply IS DISTINCT FROM OLD.reply)
	EXECUTE FUNCTION @extschema@.llava_annotation_changed();


ALTER TABLE @extschema@.llava_interrupted ADD COLUMN sent boolean;

CREATE FUNCTION @extschema@.llava_waiting_tasks(OUT task text, OUT state text, OUT reason text)
	RETURNS SETOF record LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.llava_waiting_tasks() IS
	'tasks whose rows nobody will send as things are, and why';

CREATE FUNCTION @extschema@.llava_row_waits(task text, server text, not_server text) RETURNS text
	LANGUAGE c STRICT STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.llava_row_waits(text, text, text) IS
	'why nobody will send rows of a task that name or forbid a server; NULL: they are sent';

CREATE FUNCTION @extschema@.llava_task_in_flight(task text) RETURNS integer
	LANGUAGE c STRICT VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_task_in_flight(text) FROM PUBLIC;

CREATE FUNCTION @extschema@.llava_process_activity(OUT pid integer, OUT worker boolean, OUT state text,
	OUT wait_event text, OUT activity text, OUT since timestamptz)
	RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 100
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_process_activity() FROM PUBLIC;

CREATE FUNCTION @extschema@.llava_missing_workers(OUT slot integer, OUT reason text, OUT since timestamptz)
	RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 1
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_missing_workers() FROM PUBLIC;

CREATE OR REPLACE VIEW @extschema@.llava_stat_worker WITH (security_invoker = true) AS
	SELECT a.pid, w.slot, a.state, a.wait_event, a.activity, a.since,
		COALESCE(h.held, 0) AS held, c.wakes, c.looks, c.late, c.longest_ms
	FROM @extschema@.llava_process_activity() a
	LEFT JOIN @extschema@.llava_worker_slots() w ON w.pid = a.pid
	LEFT JOIN (SELECT p.holder, pg_catalog.count(*) AS held
		FROM @extschema@.llava_pending p WHERE p.holder IS NOT NULL GROUP BY p.holder) h
		ON h.holder = COALESCE(w.slot, -a.pid)
	LEFT JOIN @extschema@.llava_worker_counters() c ON c.pid = a.pid
	WHERE w.slot IS NOT NULL OR h.held > 0
	UNION ALL
	SELECT NULL, m.slot, 'missing', NULL, m.reason, m.since, 0, NULL, NULL, NULL, NULL
	FROM @extschema@.llava_missing_workers() m;
COMMENT ON VIEW @extschema@.llava_stat_worker IS
	'the workers of this database, and sessions that drain: what each does, and how many rows it holds';

--
-- Ledger (sql/parts/ledger.sql)
--

-- A takedown leaves NULL.
ALTER TABLE @extschema@.llava_reply ALTER COLUMN body DROP NOT NULL;
ALTER TABLE @extschema@.llava_reply ADD cost double precision, ADD estimated boolean;
COMMENT ON COLUMN @extschema@.llava_reply.cost IS 'by the server''s prices, when it was settled; NULL: by 1.0.0';
COMMENT ON COLUMN @extschema@.llava_reply.estimated IS 'true: the cost is a forecast, since the server did not say what it used';
ALTER TABLE @extschema@.llava_reply ADD about bigint, ADD keep boolean, ADD note text;
COMMENT ON COLUMN @extschema@.llava_reply.about IS 'the reply whose result it followed; NULL: it followed none';
COMMENT ON COLUMN @extschema@.llava_reply.keep IS 'what people said of its sample, when another took its place';
COMMENT ON COLUMN @extschema@.llava_reply.note IS 'their note on that sample';

CREATE FUNCTION @extschema@.llava_reply_words(body bytea, reason_offset bigint, OUT text text, OUT detail text)
	RETURNS record LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.llava_reply_words(bytea, bigint) IS
	'the text of a stored body, and the words at that byte of it, or why it is no completion';

CREATE VIEW @extschema@.llava_reply_text WITH (security_invoker = true) AS
	SELECT r.image, r.id, (@extschema@.llava_reply_words(r.body, NULL)).text
	FROM @extschema@.llava_reply r;
COMMENT ON VIEW @extschema@.llava_reply_text IS
	'what each reply of the ledger says';
COMMENT ON COLUMN @extschema@.llava_reply_text.image IS 'the picture';
COMMENT ON COLUMN @extschema@.llava_reply_text.id IS 'the call';
COMMENT ON COLUMN @extschema@.llava_reply_text.text IS 'the text, read from the body; NULL: no completion, or erased';

CREATE VIEW @extschema@.llava_rejected WITH (security_invoker = true) AS
	SELECT r.image, r.id, r.task, r.task_version AS version, r.server, r.reason,
		(@extschema@.llava_reply_words(r.body, r.reason_offset)).detail,
		(@extschema@.llava_reply_words(r.body, NULL)).text, r.received_at AS at
	FROM @extschema@.llava_reply r WHERE r.reason IS NOT NULL;
COMMENT ON VIEW @extschema@.llava_rejected IS
	'the replies that are no sample: why, and what they say';
COMMENT ON COLUMN @extschema@.llava_rejected.image IS 'the picture';
COMMENT ON COLUMN @extschema@.llava_rejected.id IS 'the call';
COMMENT ON COLUMN @extschema@.llava_rejected.task IS 'name of the task';
COMMENT ON COLUMN @extschema@.llava_rejected.version IS 'version of the task';
COMMENT ON COLUMN @extschema@.llava_rejected.server IS 'server that answered';
COMMENT ON COLUMN @extschema@.llava_rejected.reason IS 'why it is no sample';
COMMENT ON COLUMN @extschema@.llava_rejected.detail IS 'the words where the reason begins, or what a body lacks';
COMMENT ON COLUMN @extschema@.llava_rejected.text IS 'the text, read from the body; NULL: no completion, or erased';
COMMENT ON COLUMN @extschema@.llava_rejected.at IS 'when it arrived';

ALTER PROCEDURE @extschema@.llava_reparse(text, bigint, integer, jsonb) RENAME TO llava_reparse_1_0_0;
CREATE PROCEDURE @extschema@.llava_reparse(task text DEFAULT NULL, first_image bigint DEFAULT NULL,
	  batch integer DEFAULT 1000, INOUT report jsonb DEFAULT NULL, edited boolean DEFAULT false)
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON PROCEDURE @extschema@.llava_reparse(text, bigint, integer, jsonb, boolean) FROM PUBLIC;
COMMENT ON PROCEDURE @extschema@.llava_reparse(text, bigint, integer, jsonb, boolean) IS
	'stored replies under the parser and thresholds of today, without a request, committing as it goes; writes what changed';

CREATE FUNCTION @extschema@.llava_sentences(text text) RETURNS text[]
	LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.llava_sentences(text) IS
	'the sentences of a text, with the numbers that {{sentences}} of a prompt gives them';

CREATE PROCEDURE @extschema@.llava_follow(task text DEFAULT NULL, batch integer DEFAULT 1000, dry boolean DEFAULT false,
	  INOUT report jsonb DEFAULT NULL)
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON PROCEDURE @extschema@.llava_follow(text, integer, boolean, jsonb) FROM PUBLIC;
COMMENT ON PROCEDURE @extschema@.llava_follow(text, integer, boolean, jsonb) IS
	'queues what a change of after, condition or share owes to older results, committing as it goes; dry: only counts';

--
-- Samples (sql/parts/dataset.sql)
--

-- The worker summarises.
ALTER INDEX @extschema@.llava_conversation_created RESET (autosummarize);

CREATE FUNCTION @extschema@.llava_conversation_lengths() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_conversation_lengths() FROM PUBLIC;
CREATE TRIGGER llava_conversation_lengths BEFORE UPDATE OF note ON @extschema@.llava_conversation
	FOR EACH ROW WHEN (NEW.note IS NOT NULL)
	EXECUTE FUNCTION @extschema@.llava_conversation_lengths();
ALTER TABLE @extschema@.llava_conversation ADD COLUMN edited_at timestamptz;
COMMENT ON COLUMN @extschema@.llava_conversation.edited_at IS 'when a person changed conversation; NULL: it is as the reply has it';

CREATE FUNCTION @extschema@.llava_conversation_edited() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_conversation_edited() FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_conversation_edited() IS 'trigger: refuses what is no conversation, sets rounds and edited_at';
CREATE TRIGGER llava_conversation_edited BEFORE UPDATE OF conversation ON @extschema@.llava_conversation
	FOR EACH ROW EXECUTE FUNCTION @extschema@.llava_conversation_edited();
ALTER VIEW @extschema@.llava_turn SET (security_invoker = true);
CREATE OR REPLACE VIEW @extschema@.llava_provenance WITH (security_invoker = true) AS
	SELECT c.image, c.task, i.path, i.sha256, i.source_url, i.licence,
		r.server, r.model, r.model_reported, c.task_version, r.parameters, r.seed, r.variation,
		r.sent_width, r.sent_height, r.parser_version, c.flags, c.rounds, c.reply AS call,
		r.finish_reason, r.prompt_tokens, r.completion_tokens, r.latency_ms,
		i.received_at AS image_at, r.received_at AS reply_at, c.created_at AS sample_at
	FROM (SELECT image, task, task_version, flags, rounds, reply, created_at FROM @extschema@.llava_conversation
		UNION ALL
		SELECT image, task, task_version, flags, NULL, reply, at FROM @extschema@.llava_annotation) c
	LEFT JOIN @extschema@.llava_reply r ON r.image = c.image AND r.id = c.reply
	LEFT JOIN @extschema@.llava_image i ON i.id = c.image;

-- They have a further argument.  See "Functions whose arguments are others" below.
ALTER FUNCTION @extschema@.llava_enqueue(bigint, text, boolean) RENAME TO llava_enqueue_1_0_0;
ALTER FUNCTION @extschema@.llava_retry(bigint, text, text) RENAME TO llava_retry_1_0_0;

CREATE FUNCTION @extschema@.llava_enqueue(image bigint, task text, again boolean DEFAULT false,
	first boolean DEFAULT false, server text DEFAULT NULL, not_server text DEFAULT NULL)
	RETURNS boolean LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_enqueue FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_enqueue IS
	'queues a task about an image; false if it waits or is done already';

CREATE FUNCTION @extschema@.llava_retry(image bigint DEFAULT NULL, task text DEFAULT NULL,
	reason text DEFAULT NULL, first boolean DEFAULT false, new_server text DEFAULT NULL,
	not_server text DEFAULT NULL)
	RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_retry FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_retry IS
	'queues failed rows again, all or by image, task, reason; returns how many';

CREATE FUNCTION @extschema@.llava_cancel(image bigint DEFAULT NULL, task text DEFAULT NULL)
	RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_cancel FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_cancel IS
	'takes rows that wait out of the queue, by image or task; returns how many';

--
-- Pictures that are fetched from the web (sql/parts/fetch.sql)
--

CREATE TABLE @extschema@.llava_fetch (
	image bigint PRIMARY KEY,
	host text NOT NULL,
	url text NOT NULL,
	digest bytea NOT NULL,
	visible_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	claim bigint,
	holder integer,
	attempts integer NOT NULL DEFAULT 0,
	hops text[],
	tried text,
	expected bytea,
	failure text,
	detail text,
	failed_at timestamptz
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX llava_fetch_waiting ON @extschema@.llava_fetch (host, visible_at, image) WHERE failure IS NULL;
CREATE INDEX llava_fetch_failed ON @extschema@.llava_fetch (failure, host) WHERE failure IS NOT NULL;
CREATE INDEX llava_fetch_held ON @extschema@.llava_fetch (image) WHERE holder IS NOT NULL;
CREATE INDEX llava_fetch_asked ON @extschema@.llava_fetch (digest) WHERE claim IS NOT NULL AND failure IS NULL;
COMMENT ON TABLE @extschema@.llava_fetch IS
	'pictures that wait to be fetched, or could not be; a row leaves when its picture has come';
COMMENT ON COLUMN @extschema@.llava_fetch.image IS 'the picture';
COMMENT ON COLUMN @extschema@.llava_fetch.host IS 'scheme, host and port of url: whose robots.txt and pace hold';
COMMENT ON COLUMN @extschema@.llava_fetch.url IS 'what is asked for next, in its normal form: source_url, or where it led';
COMMENT ON COLUMN @extschema@.llava_fetch.digest IS 'sha256 of the normal form of source_url';
COMMENT ON COLUMN @extschema@.llava_fetch.visible_at IS 'not asked for before; while it is being asked for, its lease';
COMMENT ON COLUMN @extschema@.llava_fetch.claim IS 'number of the newest request, which fences its outcome';
COMMENT ON COLUMN @extschema@.llava_fetch.holder IS 'slot of the fetcher that is asking for it; NULL: none is';
COMMENT ON COLUMN @extschema@.llava_fetch.attempts IS 'requests that failed for its own sake';
COMMENT ON COLUMN @extschema@.llava_fetch.hops IS 'URLs that were redirected to the next';
COMMENT ON COLUMN @extschema@.llava_fetch.tried IS 'why the last request failed';
COMMENT ON COLUMN @extschema@.llava_fetch.expected IS 'the sha256 that the INSERT gave: other bytes are refused';
COMMENT ON COLUMN @extschema@.llava_fetch.failure IS 'why the row rests; NULL: it waits';
COMMENT ON COLUMN @extschema@.llava_fetch.detail IS 'the same in words';
COMMENT ON COLUMN @extschema@.llava_fetch.failed_at IS 'since when it rests';
SELECT pg_catalog.pg_extension_config_dump('@extschema@.llava_fetch', '');

CREATE TABLE @extschema@.llava_host (
	host text PRIMARY KEY,
	name text NOT NULL,
	domain text NOT NULL,
	next_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	free_at timestamptz NOT NULL DEFAULT '-infinity',
	asking boolean NOT NULL DEFAULT false,
	state text NOT NULL DEFAULT 'ok',
	since timestamptz NOT NULL DEFAULT pg_catalog.now(),
	reason text,
	rests text,
	parked boolean NOT NULL DEFAULT false,
	delay_ms integer NOT NULL DEFAULT 1000,
	crawl_delay_ms integer NOT NULL DEFAULT 0,
	penalty_ms integer NOT NULL DEFAULT 0,
	latency_ms integer NOT NULL DEFAULT 0,
	errors integer NOT NULL DEFAULT 0,
	refusals integer NOT NULL DEFAULT 0,
	probes integer NOT NULL DEFAULT 0,
	recent bigint NOT NULL DEFAULT 0,
	n_recent integer NOT NULL DEFAULT 0,
	robots bytea,
	robots_status integer,
	robots_sha256 bytea,
	robots_until timestamptz,
	robots_good_at timestamptz,
	robots_failed_at timestamptz,
	fetched bigint NOT NULL DEFAULT 0,
	bytes bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX llava_host_next ON @extschema@.llava_host (next_at, host);
COMMENT ON TABLE @extschema@.llava_host IS
	'the hosts that were asked for pictures, and what is known of each; written by the fetcher';
COMMENT ON COLUMN @extschema@.llava_host.host IS 'scheme, host and port';
COMMENT ON COLUMN @extschema@.llava_host.name IS 'the host alone';
COMMENT ON COLUMN @extschema@.llava_host.domain IS 'what one owner has registered';
COMMENT ON COLUMN @extschema@.llava_host.next_at IS 'its place in the line; infinity: nothing waits, or it is being asked';
COMMENT ON COLUMN @extschema@.llava_host.free_at IS 'no request begins before';
COMMENT ON COLUMN @extschema@.llava_host.asking IS 'a request is under way';
COMMENT ON COLUMN @extschema@.llava_host.state IS 'ok, slow, throttled, blocked, down, robots_unreachable';
COMMENT ON COLUMN @extschema@.llava_host.since IS 'of the state';
COMMENT ON COLUMN @extschema@.llava_host.reason IS 'of the state, in words';
COMMENT ON COLUMN @extschema@.llava_host.rests IS 'why its rows rest instead of being asked for';
COMMENT ON COLUMN @extschema@.llava_host.parked IS 'a person has stopped it (llava_park)';
COMMENT ON COLUMN @extschema@.llava_host.delay_ms IS 'from one request to the next, at the last one';
COMMENT ON COLUMN @extschema@.llava_host.crawl_delay_ms IS 'what its robots.txt asks for';
COMMENT ON COLUMN @extschema@.llava_host.penalty_ms IS 'delay that its 429 and 503 have led to';
COMMENT ON COLUMN @extschema@.llava_host.latency_ms IS 'of its answers, smoothed';
COMMENT ON COLUMN @extschema@.llava_host.errors IS 'in a row: not reached, not answered, or 5xx';
COMMENT ON COLUMN @extschema@.llava_host.refusals IS '403 in a row';
COMMENT ON COLUMN @extschema@.llava_host.probes IS 'in vain, since it is blocked or down';
COMMENT ON COLUMN @extschema@.llava_host.recent IS 'its newest answers, a bit each: 403';
COMMENT ON COLUMN @extschema@.llava_host.n_recent IS 'how many those are';
COMMENT ON COLUMN @extschema@.llava_host.robots IS 'its robots.txt; NULL: it has none';
COMMENT ON COLUMN @extschema@.llava_host.robots_status IS 'HTTP status of the request for it';
COMMENT ON COLUMN @extschema@.llava_host.robots_sha256 IS 'of robots';
COMMENT ON COLUMN @extschema@.llava_host.robots_until IS 'when it is asked for again';
COMMENT ON COLUMN @extschema@.llava_host.robots_good_at IS 'when it was answered last';
COMMENT ON COLUMN @extschema@.llava_host.robots_failed_at IS 'when it could not be had for the first time since';
COMMENT ON COLUMN @extschema@.llava_host.fetched IS 'pictures that came';
COMMENT ON COLUMN @extschema@.llava_host.bytes IS 'of those';
SELECT pg_catalog.pg_extension_config_dump('@extschema@.llava_host', '');

CREATE TABLE @extschema@.llava_fetched (
	image bigint PRIMARY KEY,
	digest bytea NOT NULL,
	url text NOT NULL,
	final_url text NOT NULL,
	hops text[],
	address text,
	status integer NOT NULL,
	fetched_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	robots_sha256 bytea,
	robots_line integer,
	headers jsonb,
	referer text,
	tls_unverified boolean NOT NULL DEFAULT false
);
CREATE INDEX llava_fetched_digest ON @extschema@.llava_fetched (digest, image);
COMMENT ON TABLE @extschema@.llava_fetched IS
	'evidence: where each picture was fetched, when, from which address, and what robots.txt and the headers said';
COMMENT ON COLUMN @extschema@.llava_fetched.image IS 'the picture';
COMMENT ON COLUMN @extschema@.llava_fetched.digest IS 'sha256 of the normal form of url';
COMMENT ON COLUMN @extschema@.llava_fetched.url IS 'the source_url, in its normal form';
COMMENT ON COLUMN @extschema@.llava_fetched.final_url IS 'where the redirects led';
COMMENT ON COLUMN @extschema@.llava_fetched.hops IS 'URLs that were redirected to the next';
COMMENT ON COLUMN @extschema@.llava_fetched.address IS 'that was connected to';
COMMENT ON COLUMN @extschema@.llava_fetched.status IS 'HTTP status';
COMMENT ON COLUMN @extschema@.llava_fetched.fetched_at IS 'when the request was sent';
COMMENT ON COLUMN @extschema@.llava_fetched.robots_sha256 IS 'of the robots.txt that was in force; NULL: there was none';
COMMENT ON COLUMN @extschema@.llava_fetched.robots_line IS 'its line that allows the picture; NULL: none speaks of it';
COMMENT ON COLUMN @extschema@.llava_fetched.headers IS 'content-type, last-modified, etag and those of reservations';
COMMENT ON COLUMN @extschema@.llava_fetched.referer IS 'the Referer that was sent; NULL: none';
COMMENT ON COLUMN @extschema@.llava_fetched.tls_unverified IS 'the certificate did not hold (llava_zh.fetch_tls is record)';
SELECT pg_catalog.pg_extension_config_dump('@extschema@.llava_fetched', '');

CREATE TABLE @extschema@.llava_url_forgotten (
	digest bytea PRIMARY KEY,
	forgotten_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	reason text
);
COMMENT ON TABLE @extschema@.llava_url_forgotten IS
	'sha256 of the URLs of pictures that were taken down: they are not fetched again';
COMMENT ON COLUMN @extschema@.llava_url_forgotten.digest IS 'sha256 of the normal form of a URL';
COMMENT ON COLUMN @extschema@.llava_url_forgotten.forgotten_at IS 'when it was taken down';
COMMENT ON COLUMN @extschema@.llava_url_forgotten.reason IS 'the reason that llava_forget was given';
SELECT pg_catalog.pg_extension_config_dump('@extschema@.llava_url_forgotten', '');

CREATE FUNCTION @extschema@.llava_image_queued() RETURNS trigger
	LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_image_queued() FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_image_queued() IS 'trigger: queues what a statement''s rows have to be fetched';
CREATE TRIGGER llava_image_queued AFTER INSERT ON @extschema@.llava_image
	FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.llava_image_queued();

CREATE FUNCTION @extschema@.llava_image_moved() RETURNS trigger
	LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_image_moved() FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_image_moved() IS 'trigger: a new source_url queues the fetch anew';
CREATE TRIGGER llava_image_moved BEFORE UPDATE OF source_url ON @extschema@.llava_image
	FOR EACH ROW WHEN (NEW.source_url IS DISTINCT FROM OLD.source_url)
	EXECUTE FUNCTION @extschema@.llava_image_moved();

CREATE FUNCTION @extschema@.llava_url(url text, OUT normal text, OUT host text, OUT domain text, OUT reason text)
	RETURNS record LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.llava_url(text) IS
	'how a URL would be fetched: its normal form, host and registrable domain, or the reason why not';

CREATE FUNCTION @extschema@.llava_robots(robots bytea, agent text, url text, OUT allowed boolean,
	OUT line integer, OUT crawl_delay float8)
	RETURNS record LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.llava_robots(bytea, text, text) IS
	'whether a robots.txt allows the product token agent to fetch a URL, and by which line';

CREATE FUNCTION @extschema@.llava_fetch_check(url text, OUT outcome text, OUT reason text)
	RETURNS record LANGUAGE c STRICT STABLE PARALLEL RESTRICTED COST 1000 AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_fetch_check(text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_fetch_check(text) IS
	'what would become of a URL by what is known today, and why: refused, forgotten, same, rests, waits, or fetch; no request is sent';

CREATE FUNCTION @extschema@.llava_refetch(host text DEFAULT NULL, reason text DEFAULT NULL, image bigint DEFAULT NULL)
	RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_refetch(text, text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_refetch(text, text, bigint) IS
	'fetches what rests again, all or by host, reason, image; reads the robots.txt of a named host anew; returns how many rows';

CREATE FUNCTION @extschema@.llava_park(host text, parked boolean DEFAULT true) RETURNS bigint
	LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_park(text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_park(text, boolean) IS
	'stops all fetching from a host, or with false lets it go on; its rows wait; returns how many hosts';

CREATE VIEW @extschema@.llava_stat_fetch WITH (security_invoker = true) AS
	WITH hosts AS (
		SELECT f.host, coalesce(f.failure, CASE WHEN f.holder IS NULL THEN 'waiting' ELSE 'fetching' END) AS state,
			pg_catalog.count(*) AS rows, pg_catalog.min(f.image) AS example
		FROM @extschema@.llava_fetch f GROUP BY 1, 2),
	came AS (
		SELECT pg_catalog.count(*) AS rows, pg_catalog.max(d.image) AS example,
			pg_catalog.count(*) FILTER (WHERE d.fetched_at > pg_catalog.now() - interval '1 minute') AS per_minute
		FROM @extschema@.llava_fetched d)
	SELECT w.state, pg_catalog.sum(w.rows)::bigint AS rows, pg_catalog.min(w.example) AS example,
		pg_catalog.count(*) AS hosts, NULL::bigint AS per_minute,
		CASE WHEN w.state = 'waiting' THEN GREATEST(
			pg_catalog.make_interval(secs => pg_catalog.max(CASE WHEN NOT coalesce(h.parked, false)
				THEN w.rows * (coalesce(h.delay_ms, 1000) / 1000.0) END)::float8),
			pg_catalog.make_interval(secs => (pg_catalog.sum(w.rows)
				* 60 / nullif((SELECT c.per_minute FROM came c), 0))::float8)) END AS eta
	FROM hosts w LEFT JOIN @extschema@.llava_host h ON h.host = w.host GROUP BY w.state
	UNION ALL
	SELECT 'fetched', c.rows, c.example, NULL, c.per_minute, NULL
	FROM came c;
COMMENT ON VIEW @extschema@.llava_stat_fetch IS
	'pictures that wait, are being fetched, were fetched, or rest, by reason, with an image as an example; how many come, and how long the rest takes';
COMMENT ON COLUMN @extschema@.llava_stat_fetch.state IS 'waiting, fetching, fetched, or the reason why rows rest';
COMMENT ON COLUMN @extschema@.llava_stat_fetch.rows IS 'how many';
COMMENT ON COLUMN @extschema@.llava_stat_fetch.example IS 'one of the pictures';
COMMENT ON COLUMN @extschema@.llava_stat_fetch.hosts IS 'of so many hosts';
COMMENT ON COLUMN @extschema@.llava_stat_fetch.per_minute IS 'of fetched: how many came in the last minute';
COMMENT ON COLUMN @extschema@.llava_stat_fetch.eta IS
	'of waiting: how long it will take, by the last minute or by the host that takes longest';

CREATE VIEW @extschema@.llava_stat_host WITH (security_invoker = true) AS
	SELECT h.host, h.domain, CASE WHEN h.parked THEN 'parked' ELSE h.state END AS state,
		coalesce(h.rests, h.reason) AS reason, h.since,
		CASE WHEN h.free_at > pg_catalog.now() THEN h.free_at END AS until,
		coalesce(w.waiting, 0) AS waiting, coalesce(w.resting, 0) AS resting, h.fetched, h.bytes,
		pg_catalog.make_interval(secs => h.delay_ms / 1000.0) AS delay,
		CASE WHEN NOT h.parked AND h.rests IS NULL
			THEN pg_catalog.make_interval(secs => coalesce(w.waiting, 0) * (h.delay_ms / 1000.0)) END AS eta
	FROM @extschema@.llava_host h
	LEFT JOIN (SELECT f.host, pg_catalog.count(*) FILTER (WHERE f.failure IS NULL) AS waiting,
			pg_catalog.count(f.failure) AS resting
		FROM @extschema@.llava_fetch f GROUP BY f.host) w ON w.host = h.host;
COMMENT ON VIEW @extschema@.llava_stat_host IS
	'the hosts: state and since when, what waits and rests, the delay from one request to the next, and how long the rest will take at that pace';
COMMENT ON COLUMN @extschema@.llava_stat_host.host IS 'scheme, host and port';
COMMENT ON COLUMN @extschema@.llava_stat_host.domain IS 'what one owner has registered';
COMMENT ON COLUMN @extschema@.llava_stat_host.state IS 'as in llava_host, or parked';
COMMENT ON COLUMN @extschema@.llava_stat_host.reason IS 'why';
COMMENT ON COLUMN @extschema@.llava_stat_host.since IS 'of the state';
COMMENT ON COLUMN @extschema@.llava_stat_host.until IS 'it is not asked before; NULL: it may be asked now';
COMMENT ON COLUMN @extschema@.llava_stat_host.waiting IS 'rows that wait';
COMMENT ON COLUMN @extschema@.llava_stat_host.resting IS 'rows that rest';
COMMENT ON COLUMN @extschema@.llava_stat_host.fetched IS 'pictures that came';
COMMENT ON COLUMN @extschema@.llava_stat_host.bytes IS 'of those';
COMMENT ON COLUMN @extschema@.llava_stat_host.delay IS 'from one request to the next';
COMMENT ON COLUMN @extschema@.llava_stat_host.eta IS 'how long what waits will take at that pace';

--
-- Views that count (sql/parts/stats.sql)
--

CREATE OR REPLACE VIEW @extschema@.llava_progress WITH (security_invoker = true) AS
	WITH RECURSIVE task AS (
		SELECT DISTINCT ON (name) name AS task, weight, after
		FROM @extschema@.llava_task ORDER BY name, version DESC),
	queued AS (
		SELECT task, pg_catalog.count(*) AS n
		FROM @extschema@.llava_pending WHERE failure IS NULL GROUP BY task),
	held AS (
		SELECT task, pg_catalog.count(*) AS n
		FROM @extschema@.llava_pending WHERE holder IS NOT NULL GROUP BY task),
	absent AS (
		SELECT task, pg_catalog.count(*) AS n
		FROM @extschema@.llava_pending WHERE failure = 'no_picture' GROUP BY task),
	same AS (
		SELECT task, pg_catalog.count(*) AS n
		FROM @extschema@.llava_pending WHERE failure = 'near_duplicate' GROUP BY task),
	failed AS (
		SELECT task, pg_catalog.count(*) AS n
		FROM @extschema@.llava_pending WHERE failure IS NOT NULL
			AND failure NOT IN ('near_duplicate', 'no_picture', 'cancelled', 'condition', 'condition_error') GROUP BY task),
	skipped AS (
		SELECT task, pg_catalog.count(*) AS n
		FROM @extschema@.llava_pending WHERE failure IN ('condition', 'condition_error') GROUP BY task),
	done AS (
		SELECT task, pg_catalog.count(*) AS n FROM @extschema@.llava_conversation GROUP BY task
		UNION ALL
		SELECT task, pg_catalog.count(*) FROM @extschema@.llava_annotation GROUP BY task),
	-- the rate is that since the first of them: what came with it was not made since
	fresh AS (
		SELECT task, pg_catalog.count(*) AS n, pg_catalog.count(*) FILTER (WHERE at > first)
			/ NULLIF(EXTRACT(epoch FROM pg_catalog.now() - first), 0) AS per_second
		FROM (SELECT task, at, pg_catalog.min(at) OVER (PARTITION BY task) AS first
			FROM (SELECT task, created_at AS at FROM @extschema@.llava_conversation
				WHERE created_at > pg_catalog.now() - '1 minute'::pg_catalog.interval
				UNION ALL
				SELECT task, at FROM @extschema@.llava_annotation
				WHERE at > pg_catalog.now() - '1 minute'::pg_catalog.interval) made) last_minute
		GROUP BY task, first),
	reply AS (
		SELECT task, pg_catalog.count(*) AS n, pg_catalog.count(reason) AS rejected
		FROM @extschema@.llava_reply GROUP BY task),
	interrupted AS (
		SELECT task, pg_catalog.count(*) AS n FROM @extschema@.llava_interrupted GROUP BY task),
	-- NULL where that is not counted; then held ones stand for them
	sent AS (
		SELECT task, @extschema@.llava_task_in_flight(task)::bigint AS n FROM task),
	-- a task and each that comes before it
	chain AS (
		SELECT task, weight, after AS gate FROM task WHERE after IS NOT NULL
		UNION
		SELECT chain.task, chain.weight, task.after FROM chain JOIN task ON task.task = chain.gate
		WHERE task.after IS NOT NULL),
	behind AS (
		SELECT chain.task, pg_catalog.count(DISTINCT p.image) AS n
		FROM chain JOIN @extschema@.llava_pending p ON p.task = chain.gate JOIN @extschema@.llava_image i ON i.id = p.image
		WHERE chain.weight = 0 OR i.task = chain.task GROUP BY chain.task),
	counted AS (
		SELECT task.task, weight,
			-- one whose row was deleted meanwhile is in flight all the same
			GREATEST(coalesce(queued.n, 0) - coalesce(sent.n, held.n, 0), 0)
				+ coalesce(absent.n, 0) AS waiting,
			coalesce(absent.n, 0) AS absent,
			coalesce(sent.n, held.n, 0) AS in_flight,
			coalesce(done.n, 0) AS done,
			coalesce(failed.n, 0) AS failed,
			coalesce(same.n, 0) AS same,
			coalesce(reply.n, 0) AS replies,
			coalesce(reply.rejected, 0) AS rejected,
			coalesce(interrupted.n, 0) AS interrupted,
			coalesce(fresh.n, 0) AS per_minute,
			coalesce(skipped.n, 0) AS skipped,
			CASE WHEN after IS NOT NULL THEN coalesce(behind.n, 0) END AS behind,
			fresh.per_second
		FROM task
		LEFT JOIN queued USING (task) LEFT JOIN held USING (task) LEFT JOIN absent USING (task)
		LEFT JOIN failed USING (task) LEFT JOIN same USING (task) LEFT JOIN skipped USING (task)
		LEFT JOIN done USING (task) LEFT JOIN fresh USING (task) LEFT JOIN reply USING (task)
		LEFT JOIN interrupted USING (task) LEFT JOIN sent USING (task)
		LEFT JOIN behind USING (task))
	SELECT task, waiting, in_flight, done, failed, replies, rejected, interrupted, per_minute,
		CASE WHEN per_second > 0 AND waits.task IS NULL THEN
			pg_catalog.make_interval(secs => pg_catalog.round((waiting + in_flight) / per_second))
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
			FROM @extschema@.llava_untrusted() u LIMIT 1) AS untrusted,
		-- pictures of whichever task that were inserted while triggers were off
		(SELECT pg_catalog.count(*) FROM @extschema@.llava_image i WHERE i.received_at IS NULL) AS not_taken_in,
		-- what must come before rows are claimed
		coalesce((SELECT @extschema@.llava_restoring()),
			CASE WHEN absent > 0 THEN pg_catalog.concat(absent, ' rows: their pictures are not in llava_image') END)
			AS waits_for,
		same,
		CASE WHEN waiting > 0 THEN coalesce(waits.state, 'active') END AS state,
		CASE WHEN waiting > 0 THEN waits.reason END AS reason,
		-- rows that rest since the condition of the task did not hold
		skipped,
		-- pictures that wait or rest at a task before it; NULL: it follows none
		behind
	FROM counted LEFT JOIN @extschema@.llava_waiting_tasks() waits USING (task)
	WHERE weight > 0 OR waiting + in_flight + done + failed + same + skipped + replies > 0
	ORDER BY weight DESC, task;

COMMENT ON VIEW @extschema@.llava_progress IS
	'one row a task: what waits, is in flight, is done, has failed, how fast, how long, how far from the mix';

CREATE OR REPLACE VIEW @extschema@.llava_status WITH (security_invoker = true) AS
	SELECT i.id AS image, i.path,
		coalesce(q.task, i.task) AS task,
		CASE WHEN q.failure = 'near_duplicate' THEN 'same'
			WHEN q.failure = 'cancelled' THEN 'cancelled'
			WHEN q.failure IN ('condition', 'condition_error') THEN 'skipped'
			WHEN q.failure = 'no_picture' THEN 'waiting'
			WHEN q.failure IS NOT NULL THEN 'failed'
			WHEN q.holder IS NOT NULL THEN 'claimed'
			WHEN q.waits THEN 'waiting'
			WHEN q.done THEN 'done'
			WHEN i.rejected IS NOT NULL THEN 'rejected'
			WHEN i.same_as IS NOT NULL THEN 'same'
			WHEN f.failure IS NOT NULL THEN 'failed'
			WHEN f.holder IS NOT NULL THEN 'fetching'
			WHEN f.image IS NOT NULL THEN 'to be fetched'
			ELSE 'not queued' END AS status,
		coalesce(q.failure, i.rejected, f.failure,
			CASE WHEN i.same_as IS NOT NULL AND q.image IS NULL
				THEN pg_catalog.concat('same bytes as image ', i.same_as)
				WHEN i.received_at IS NULL AND q.image IS NULL
				THEN 'not taken in: inserted while triggers were off'
				WHEN NOT q.waits OR q.holder IS NOT NULL THEN NULL
				WHEN w.state = 'stopped' OR (q.server = '' AND q.not_server = '') THEN w.reason
				ELSE @extschema@.llava_row_waits(q.queued, q.server, q.not_server) END) AS reason,
		coalesce(q.detail, i.rejected_detail, f.detail) AS detail,
		coalesce(q.attempts, f.attempts) AS attempts
	FROM @extschema@.llava_image i
	LEFT JOIN (
		SELECT coalesce(p.image, c.image) AS image, coalesce(p.task, c.task) AS task,
			p.failure, p.detail, p.holder, p.attempts, p.task AS queued, p.server, p.not_server,
			p.image IS NOT NULL AS waits, c.image IS NOT NULL AS done
		FROM @extschema@.llava_pending p
		FULL JOIN (SELECT image, task FROM @extschema@.llava_conversation
			UNION ALL SELECT image, task FROM @extschema@.llava_annotation) c ON c.image = p.image AND c.task = p.task
	) q ON q.image = i.id
	LEFT JOIN @extschema@.llava_waiting_tasks() w ON w.task = q.task
	LEFT JOIN @extschema@.llava_fetch f ON f.image = i.id;
COMMENT ON VIEW @extschema@.llava_status IS
	'one row an image and task: where it stands, and why';
ALTER VIEW @extschema@.llava_progress SET (security_invoker = true);
ALTER VIEW @extschema@.llava_stat_task RENAME COLUMN prompt_tokens TO mean_prompt_tokens;
ALTER VIEW @extschema@.llava_stat_task RENAME COLUMN completion_tokens TO mean_completion_tokens;
ALTER VIEW @extschema@.llava_stat_task RENAME COLUMN image_tokens TO mean_image_tokens;
CREATE OR REPLACE VIEW @extschema@.llava_stat_task WITH (security_invoker = true) AS
	SELECT r.task, r.task_version, r.server,
		pg_catalog.count(*) AS replies,
		pg_catalog.count(*) FILTER (WHERE r.reason IS NULL) AS accepted,
		pg_catalog.count(r.reason) AS rejected,
		pg_catalog.avg(r.prompt_tokens) AS mean_prompt_tokens,
		pg_catalog.avg(r.completion_tokens) AS mean_completion_tokens,
		pg_catalog.avg(r.image_tokens) AS mean_image_tokens,
		pg_catalog.min(r.text_tokens) AS min_text_tokens,
		pg_catalog.max(r.text_tokens) AS max_text_tokens,
		pg_catalog.percentile_cont(0.5) WITHIN GROUP (ORDER BY r.latency_ms) AS median_latency_ms,
		pg_catalog.round(pg_catalog.sum((r.measures ->> 'han')::bigint) FILTER (WHERE r.reason IS NULL)
			/ NULLIF(pg_catalog.sum((r.measures ->> 'all_letters')::bigint) FILTER (WHERE r.reason IS NULL), 0), 4) AS han_share,
		pg_catalog.round(pg_catalog.count(*) FILTER (WHERE r.reason IS NULL AND (r.measures ->> 'quoted_han')::integer > 0)
			/ NULLIF(pg_catalog.count(*) FILTER (WHERE r.reason IS NULL), 0)::numeric, 4) AS quoting_share,
		pg_catalog.sum(r.prompt_tokens)::bigint AS prompt_tokens,
		pg_catalog.sum(r.completion_tokens)::bigint AS completion_tokens,
		pg_catalog.sum(r.image_tokens)::bigint AS image_tokens,
		pg_catalog.sum(r.cost) AS cost,
		pg_catalog.count(*) FILTER (WHERE r.estimated) AS estimated
	FROM @extschema@.llava_reply r GROUP BY r.task, r.task_version, r.server;
CREATE VIEW @extschema@.llava_stat_day WITH (security_invoker = true) AS
	SELECT r.received_at::date AS day, r.server,
		pg_catalog.count(*) AS replies,
		pg_catalog.count(*) FILTER (WHERE r.reason IS NULL) AS accepted,
		pg_catalog.count(r.reason) AS rejected,
		pg_catalog.sum(r.prompt_tokens)::bigint AS prompt_tokens,
		pg_catalog.sum(r.completion_tokens)::bigint AS completion_tokens,
		pg_catalog.sum(r.cost) AS cost,
		pg_catalog.count(*) FILTER (WHERE r.estimated) AS estimated
	FROM @extschema@.llava_reply r GROUP BY r.received_at::date, r.server;
COMMENT ON VIEW @extschema@.llava_stat_day IS
	'one row a day and server: replies, tokens and what they have cost';
COMMENT ON COLUMN @extschema@.llava_stat_day.day IS 'day of arrival, in the time zone of the session';
COMMENT ON COLUMN @extschema@.llava_stat_day.server IS 'server that answered';
COMMENT ON COLUMN @extschema@.llava_stat_day.replies IS 'replies in the ledger';
COMMENT ON COLUMN @extschema@.llava_stat_day.accepted IS 'replies that became samples';
COMMENT ON COLUMN @extschema@.llava_stat_day.rejected IS 'replies that are no sample';
COMMENT ON COLUMN @extschema@.llava_stat_day.prompt_tokens IS 'sum of what replies said';
COMMENT ON COLUMN @extschema@.llava_stat_day.completion_tokens IS 'sum of what replies said';
COMMENT ON COLUMN @extschema@.llava_stat_day.cost IS 'sum of the replies; NULL: all were settled by 1.0.0';
COMMENT ON COLUMN @extschema@.llava_stat_day.estimated IS 'replies in cost that count as forecast';

CREATE OR REPLACE VIEW @extschema@.llava_stat_reason WITH (security_invoker = true) AS
	SELECT 'image' AS kind, NULL::text AS task, i.rejected AS reason, pg_catalog.count(*) AS count
	FROM @extschema@.llava_image i WHERE i.rejected IS NOT NULL GROUP BY i.rejected
	UNION ALL
	SELECT 'reply', r.task, r.reason, pg_catalog.count(*)
	FROM @extschema@.llava_reply r WHERE r.reason IS NOT NULL GROUP BY r.task, r.reason
	UNION ALL
	SELECT CASE WHEN p.failure = 'near_duplicate' THEN 'same'
			WHEN p.failure = 'cancelled' THEN 'cancelled'
			WHEN p.failure IN ('condition', 'condition_error') THEN 'skipped'
			WHEN p.failure = 'no_picture' THEN 'waiting'
			ELSE 'failed' END, p.task, p.failure,
		pg_catalog.count(*)
	FROM @extschema@.llava_pending p WHERE p.failure IS NOT NULL GROUP BY p.task, p.failure;
ALTER VIEW @extschema@.llava_stat_rounds SET (security_invoker = true);
ALTER VIEW @extschema@.llava_stat_verdict SET (security_invoker = true);
ALTER VIEW @extschema@.llava_stat_flag SET (security_invoker = true);
ALTER VIEW @extschema@.llava_stat_length SET (security_invoker = true);
ALTER VIEW @extschema@.llava_stat_opening SET (security_invoker = true);
ALTER VIEW @extschema@.llava_stat_repeat SET (security_invoker = true);

CREATE FUNCTION @extschema@.llava_work_counters(OUT pid integer, OUT what text, OUT done bigint,
	OUT total bigint, OUT per_second float8)
	RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 1
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_work_counters() FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_work_counters() IS 'how far the long calls in this database are';

CREATE VIEW @extschema@.llava_work WITH (security_invoker = true) AS
	SELECT w.pid, w.what, w.done, w.total, pg_catalog.round(w.per_second::numeric, 1) AS per_second,
		CASE WHEN w.per_second > 0 AND w.total >= w.done THEN
			pg_catalog.make_interval(secs => pg_catalog.round((w.total - w.done) / w.per_second::numeric))
		END AS eta
	FROM @extschema@.llava_work_counters() w;
COMMENT ON VIEW @extschema@.llava_work IS
	'one row a long call of this database, where preloaded: how far it is, how fast, how long';
COMMENT ON COLUMN @extschema@.llava_work.pid IS 'process that makes the call';
COMMENT ON COLUMN @extschema@.llava_work.what IS 'function that was called';
COMMENT ON COLUMN @extschema@.llava_work.done IS 'files, replies, samples or images that are done';
COMMENT ON COLUMN @extschema@.llava_work.total IS 'how many there are; NULL: not known before the end';
COMMENT ON COLUMN @extschema@.llava_work.per_second IS 'rate of the last minute';
COMMENT ON COLUMN @extschema@.llava_work.eta IS 'time that is left, at that rate';

--
-- llava_generate (sql/parts/ask.sql)
--

--
-- Exports (sql/parts/export.sql)
--

-- They have a further argument.  See "Functions whose arguments are others" below.
ALTER FUNCTION @extschema@.llava_record_export(text, text, text[], text[], boolean, text, double precision, text, text, text, bigint, boolean, integer)
	RENAME TO llava_record_export_1_0_0;
ALTER FUNCTION @extschema@.llava_export_images(text, boolean, text[], text[], boolean, text, double precision, text)
	RENAME TO llava_export_images_1_0_0;
ALTER FUNCTION @extschema@.llava_export_list(text[], text[], boolean, text, double precision, text, bigint)
	RENAME TO llava_export_list_1_0_0;
ALTER FUNCTION @extschema@.llava_selected(text, text[], text[], boolean, text, double precision, text, text, text, bigint, boolean, integer)
	RENAME TO llava_selected_1_0_0;
ALTER FUNCTION @extschema@.llava_exported(text, text[], text[], boolean, text, double precision, text, text, text, bigint, boolean, integer)
	RENAME TO llava_exported_1_0_0;
ALTER FUNCTION @extschema@.llava_export(text, text[], text[], boolean, text, double precision, text, text, text, bigint, boolean, integer)
	RENAME TO llava_export_1_0_0;
ALTER FUNCTION @extschema@.llava_dataset_info(text, text)
	RENAME TO llava_dataset_info_1_0_0;

-- The number, or an ERROR: for exports with weights of their own.
CREATE FUNCTION @extschema@.llava_weighted_samples(task text, samples bigint) RETURNS bigint
	LANGUAGE c STRICT STABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.llava_weighted_samples(text, bigint) IS
	'the number of samples; an error if a task that an export''s weights name has none';

-- A name of an image's file, by which those that several pictures have are found.
CREATE FUNCTION @extschema@.llava_file_name(path text) RETURNS text
	LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.llava_file_name(text) IS 'the path without ./ and //; NULL where it is absolute';

-- The flags, or an ERROR: a misspelt one would leave nothing out.
CREATE FUNCTION @extschema@.llava_known_flags(flags text[]) RETURNS text[]
	LANGUAGE c STRICT STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.llava_known_flags(text[]) IS
	'the flags; an error if neither the parser nor any sample has one of them';

CREATE FUNCTION @extschema@.llava_export(format text DEFAULT 'llava', tasks text[] DEFAULT NULL,
	without_flags text[] DEFAULT NULL, mix boolean DEFAULT false, split text DEFAULT NULL,
	validation double precision DEFAULT 0.01, image_token text DEFAULT 'first',
	image_name text DEFAULT 'path', folder text DEFAULT NULL, seed bigint DEFAULT NULL,
	data_urls boolean DEFAULT false, cutoff_len integer DEFAULT 0, weights jsonb DEFAULT NULL)
	RETURNS SETOF text LANGUAGE c STABLE PARALLEL UNSAFE ROWS 100000 AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_export FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_export IS
	'the accepted samples, one JSON line each, as trainers read them';

-- The same bytes as COPY (SELECT llava_export(...)) with FORCE_ARRAY writes.
CREATE FUNCTION @extschema@.llava_export_array(format text DEFAULT 'llava', tasks text[] DEFAULT NULL,
	without_flags text[] DEFAULT NULL, mix boolean DEFAULT false, split text DEFAULT NULL,
	validation double precision DEFAULT 0.01, image_token text DEFAULT 'first',
	image_name text DEFAULT 'path', folder text DEFAULT NULL, seed bigint DEFAULT NULL,
	data_urls boolean DEFAULT false, cutoff_len integer DEFAULT 0, weights jsonb DEFAULT NULL)
	RETURNS SETOF text LANGUAGE c STABLE PARALLEL UNSAFE ROWS 100000 AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_export_array FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_export_array IS
	'the lines of llava_export as one JSON array: a bracket, the lines with commas, and a bracket';

-- Reads with the caller's rights, as llava_export.
CREATE FUNCTION @extschema@.llava_selected(format text DEFAULT 'llava', tasks text[] DEFAULT NULL,
	without_flags text[] DEFAULT NULL, mix boolean DEFAULT false, split text DEFAULT NULL,
	validation double precision DEFAULT 0.01, image_token text DEFAULT 'first',
	image_name text DEFAULT 'path', folder text DEFAULT NULL, seed bigint DEFAULT NULL,
	data_urls boolean DEFAULT false, cutoff_len integer DEFAULT 0, weights jsonb DEFAULT NULL)
	RETURNS TABLE (image bigint, task text, id text, file_name text, sha256 bytea, rule text, detail text)
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 100000 AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_selected FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_selected IS
	'what llava_export writes with the same arguments, in its order, where rule IS NULL; else why it does not';

-- What llava_record_export notes: the lines of llava_export with whose they are, in one
-- reading; file_name is without the folder.  Reads with the caller's rights; an export
-- with a mix calls it.
CREATE FUNCTION @extschema@.llava_exported(format text DEFAULT 'llava', tasks text[] DEFAULT NULL,
	without_flags text[] DEFAULT NULL, mix boolean DEFAULT false, split text DEFAULT NULL,
	validation double precision DEFAULT 0.01, image_token text DEFAULT 'first',
	image_name text DEFAULT 'path', folder text DEFAULT NULL, seed bigint DEFAULT NULL,
	data_urls boolean DEFAULT false, cutoff_len integer DEFAULT 0, weights jsonb DEFAULT NULL)
	RETURNS TABLE (line text, image bigint, task text, file_name text, sha256 bytea)
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 100000 AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_exported FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_exported IS
	'the lines of llava_export with the same arguments, each with its sample and what it calls the image';

-- The same by the rules of an earlier export (llava_manifest.settings); NULL: by those of now.
-- twice: samples whose image has another's name stay in, as where published lines are made again.
CREATE FUNCTION @extschema@.llava_exported_by(format text, tasks text[] DEFAULT NULL,
	without_flags text[] DEFAULT NULL, mix boolean DEFAULT false, split text DEFAULT NULL,
	validation double precision DEFAULT 0.01, image_token text DEFAULT 'first',
	image_name text DEFAULT 'path', folder text DEFAULT NULL, seed bigint DEFAULT NULL,
	data_urls boolean DEFAULT false, cutoff_len integer DEFAULT 0, weights jsonb DEFAULT NULL,
	rules integer DEFAULT NULL, twice boolean DEFAULT false)
	RETURNS TABLE (line text, image bigint, task text, file_name text, sha256 bytea)
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 100000 AS 'MODULE_PATHNAME', 'llava_exported';
REVOKE ALL ON FUNCTION @extschema@.llava_exported_by FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_exported_by IS
	'llava_exported, with samples left out by the rules of this number; twice: names that two images have leave none out';

CREATE FUNCTION @extschema@.llava_export_rules() RETURNS integer
	LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.llava_export_rules() IS
	'the number of the rules by which exports leave samples out now; 1: those of 1.0.0';

CREATE OR REPLACE FUNCTION @extschema@.llava_validate(format text DEFAULT 'llava', tasks text[] DEFAULT NULL,
	without_flags text[] DEFAULT NULL, image_name text DEFAULT 'path', folder text DEFAULT NULL,
	data_urls boolean DEFAULT false, cutoff_len integer DEFAULT 0)
	RETURNS TABLE (rule text, image bigint, task text, detail text, left_out boolean)
	LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 100
BEGIN ATOMIC
	WITH chosen AS (
		SELECT s.*, pg_catalog.min(s.image) OVER same AS first_image, pg_catalog.count(*) OVER same AS samples
		FROM @extschema@.llava_selected(format => format, tasks => tasks, without_flags => without_flags,
			image_name => image_name, folder => folder, data_urls => data_urls, cutoff_len => cutoff_len) AS s
		WINDOW same AS (PARTITION BY s.rule IS NULL, COALESCE(s.sha256, pg_catalog.int8send(s.image))))
	SELECT c.rule, c.image, c.task, c.detail, true FROM chosen AS c WHERE c.rule IS NOT NULL
	UNION ALL
	SELECT 'image_in_two_samples', c.image, c.task,
		pg_catalog.format('%s samples of the picture of image %s', c.samples, c.first_image), false
	FROM chosen AS c WHERE c.rule IS NULL AND c.samples OPERATOR(pg_catalog.>) 1
	UNION ALL
	SELECT 'image_webp', c.image, c.task, c.file_name, false
	FROM chosen AS c JOIN @extschema@.llava_image AS i ON i.id OPERATOR(pg_catalog.=) c.image
	WHERE c.rule IS NULL AND llava_validate.format OPERATOR(pg_catalog.=) 'openai'
		AND i.format OPERATOR(pg_catalog.=) 'webp'
	UNION ALL
	SELECT 'no_samples', NULL, NULL, 'the export would be empty', false
	WHERE NOT EXISTS (SELECT FROM chosen AS c WHERE c.rule IS NULL)
	ORDER BY 2, 3, 1;
END;

-- With sharegpt the tags are those that LLaMA-Factory expects where none are said.
CREATE FUNCTION @extschema@.llava_dataset_info(name text DEFAULT 'llava_zh', file_name text DEFAULT 'train.jsonl',
	format text DEFAULT 'llamafactory')
	RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN pg_catalog.jsonb_build_object(name, CASE format
		WHEN 'llamafactory' THEN pg_catalog.jsonb_build_object(
			'file_name', file_name, 'formatting', 'sharegpt',
			'columns', pg_catalog.jsonb_build_object('messages', 'messages', 'images', 'images'),
			'tags', pg_catalog.jsonb_build_object('role_tag', 'role', 'content_tag', 'content',
				'user_tag', 'user', 'assistant_tag', 'assistant'))
		WHEN 'sharegpt' THEN pg_catalog.jsonb_build_object(
			'file_name', file_name, 'formatting', 'sharegpt',
			'columns', pg_catalog.jsonb_build_object('messages', 'conversations', 'images', 'images')) END);
COMMENT ON FUNCTION @extschema@.llava_dataset_info(text, text, text) IS
	'the entry of LLaMA-Factory''s dataset_info.json for an export in format llamafactory or sharegpt';

CREATE FUNCTION @extschema@.llava_internvl_meta(name text DEFAULT 'llava_zh', file_name text DEFAULT 'train.jsonl',
	root text DEFAULT 'images', samples bigint DEFAULT NULL)
	RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN pg_catalog.jsonb_build_object(name, pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
		'root', root, 'annotation', file_name, 'data_augment', false, 'repeat_time', 1, 'length', samples)));
COMMENT ON FUNCTION @extschema@.llava_internvl_meta(text, text, text, bigint) IS
	'the entry of InternVL''s meta file for an export in format llava, a line a sample';

-- Which samples llava_export writes with these arguments, in its order, and what
-- it calls their images: as the format that says all of that tells it.
CREATE FUNCTION @extschema@.llava_export_list(tasks text[] DEFAULT NULL,
	without_flags text[] DEFAULT NULL, mix boolean DEFAULT false, split text DEFAULT NULL,
	validation double precision DEFAULT 0.01, image_name text DEFAULT 'path', seed bigint DEFAULT NULL,
	weights jsonb DEFAULT NULL, OUT image bigint, OUT task text, OUT file_name text)
	RETURNS SETOF record LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 100000
BEGIN ATOMIC
	SELECT (e.sample).image, (e.sample).task, (e.sample).file_name
	FROM (SELECT @extschema@.llava_exported('imagefolder', tasks => tasks, without_flags => without_flags,
			mix => mix, split => split, validation => validation, image_name => image_name,
			seed => seed, weights => weights) AS sample OFFSET 0) AS e;
END;
REVOKE ALL ON FUNCTION @extschema@.llava_export_list FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_export_list IS
	'which samples llava_export writes with these arguments, and what it calls their images';

CREATE FUNCTION @extschema@.llava_export_images(directory text, prepared boolean DEFAULT false,
	tasks text[] DEFAULT NULL, without_flags text[] DEFAULT NULL, mix boolean DEFAULT false,
	split text DEFAULT NULL, validation double precision DEFAULT 0.01, image_name text DEFAULT 'path',
	weights jsonb DEFAULT NULL, OUT written bigint, OUT present bigint, OUT missing bigint, OUT bytes bigint)
	RETURNS record LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_export_images FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_export_images IS
	'the images of an export as files below a directory of the server; those that are there are passed';

--
-- Recorded exports (sql/parts/manifest.sql)
--

ALTER TABLE @extschema@.llava_manifest ADD base bigint;
COMMENT ON TABLE @extschema@.llava_manifest IS
	'exports that were recorded: file, arguments, samples, and the sha256 that sha256sum says of it';
COMMENT ON TABLE @extschema@.llava_manifest_line IS
	'the samples of a recorded export: whose picture, and the sha256 of picture and line';
COMMENT ON FUNCTION @extschema@.llava_rebuild_export(bigint) IS
	'the lines of a recorded export again, in its order, without samples that came later';
COMMENT ON COLUMN @extschema@.llava_manifest.base IS 'of an increment: the recorded export that it follows';

-- Beside the lines, and not among them: what is in no file of the increment's is not published by it.
CREATE TABLE @extschema@.llava_manifest_gone (
	manifest bigint,
	line bigint,
	image bigint NOT NULL,
	task text NOT NULL,
	PRIMARY KEY (manifest, line)
);
COMMENT ON TABLE @extschema@.llava_manifest_gone IS
	'the lines of its base that a recorded increment takes away, since they changed or left';
COMMENT ON COLUMN @extschema@.llava_manifest_gone.manifest IS 'the recorded increment';
COMMENT ON COLUMN @extschema@.llava_manifest_gone.line IS 'number of the line in the base''s file, from 1';
COMMENT ON COLUMN @extschema@.llava_manifest_gone.image IS 'the picture';
COMMENT ON COLUMN @extschema@.llava_manifest_gone.task IS 'name of the task';
SELECT pg_catalog.pg_extension_config_dump('@extschema@.llava_manifest_gone', '');

-- Of an export that is written as shards; rows and bytes of llava_manifest are those of its lines.
CREATE TABLE @extschema@.llava_manifest_shard (
	manifest bigint,
	line bigint,
	file text NOT NULL,
	rows bigint NOT NULL,
	bytes bigint NOT NULL,
	sha256 bytea NOT NULL,
	PRIMARY KEY (manifest, line)
);
COMMENT ON TABLE @extschema@.llava_manifest_shard IS
	'the files of a recorded export that was written as shards (llava_export_shards)';
COMMENT ON COLUMN @extschema@.llava_manifest_shard.manifest IS 'the recorded export';
COMMENT ON COLUMN @extschema@.llava_manifest_shard.line IS 'number of its first line, from 1';
COMMENT ON COLUMN @extschema@.llava_manifest_shard.file IS 'name of the file';
COMMENT ON COLUMN @extschema@.llava_manifest_shard.rows IS 'samples that are in it';
COMMENT ON COLUMN @extschema@.llava_manifest_shard.bytes IS 'size of the file';
COMMENT ON COLUMN @extschema@.llava_manifest_shard.sha256 IS 'of the file, as sha256sum says';
SELECT pg_catalog.pg_extension_config_dump('@extschema@.llava_manifest_shard', '');

CREATE FUNCTION @extschema@.llava_manifest_numbered() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_manifest_numbered() FROM PUBLIC;
CREATE TRIGGER llava_manifest_numbered BEFORE INSERT ON @extschema@.llava_manifest
	FOR EACH ROW EXECUTE FUNCTION @extschema@.llava_manifest_numbered();
CREATE OR REPLACE VIEW @extschema@.llava_published WITH (security_invoker = true) AS
	SELECT l.image, l.task, l.image_sha256, l.file_name, COALESCE((
		SELECT s.file FROM @extschema@.llava_manifest_shard s WHERE s.manifest = l.manifest AND s.line <= l.line
		ORDER BY s.line DESC LIMIT 1), m.file) AS file, l.line, l.manifest, m.made_at
	FROM @extschema@.llava_manifest_line l JOIN @extschema@.llava_manifest m ON m.id = l.manifest;

CREATE FUNCTION @extschema@.llava_array_sha256_add(internal, text) RETURNS internal
	LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.llava_array_sha256_add(internal, text) IS 'step of the aggregate llava_array_sha256';
CREATE FUNCTION @extschema@.llava_array_sha256_end(internal) RETURNS bytea
	LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.llava_array_sha256_end(internal) IS 'end of the aggregate llava_array_sha256';
CREATE AGGREGATE @extschema@.llava_array_sha256(text) (
	SFUNC = @extschema@.llava_array_sha256_add, STYPE = internal, SSPACE = 512,
	FINALFUNC = @extschema@.llava_array_sha256_end);
COMMENT ON AGGREGATE @extschema@.llava_array_sha256(text) IS
	'sha256 of a file that is a JSON array of these lines, as COPY with FORCE_ARRAY writes it';

CREATE FUNCTION @extschema@.llava_record_export(file text, format text DEFAULT 'llava',
	tasks text[] DEFAULT NULL, without_flags text[] DEFAULT NULL, mix boolean DEFAULT false,
	split text DEFAULT NULL, validation double precision DEFAULT 0.01,
	image_token text DEFAULT 'first', image_name text DEFAULT 'path', folder text DEFAULT NULL,
	seed bigint DEFAULT NULL, data_urls boolean DEFAULT false, cutoff_len integer DEFAULT 0,
	weights jsonb DEFAULT NULL, as_array boolean DEFAULT false)
	RETURNS bigint LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
	WITH line AS MATERIALIZED (
		SELECT (e.sample).*, row_number() OVER () AS nth
		FROM (SELECT @extschema@.llava_exported(format, tasks, without_flags, mix, split, validation,
				image_token, image_name, folder, seed, data_urls, cutoff_len, weights) AS sample OFFSET 0) AS e),
	manifest AS (
		INSERT INTO @extschema@.llava_manifest (file, settings, rows, bytes, sha256)
		SELECT llava_record_export.file, jsonb_strip_nulls(jsonb_build_object('format', format,
				'tasks', tasks, 'without_flags', without_flags,
				'mix', mix OR weights IS NOT NULL, 'weights', weights, 'split', split,
				'validation', CASE WHEN split IS NOT NULL THEN validation END,
				'image_token', image_token, 'image_name', image_name, 'folder', folder, 'seed', seed,
				'data_urls', data_urls, 'cutoff_len', cutoff_len, 'rules', @extschema@.llava_export_rules(),
				'as_array', CASE WHEN as_array THEN true END,
				'extension', (SELECT extversion FROM pg_extension WHERE extname = 'llava_zh'))),
			count(*),
			-- an array has a comma or a bracket before each line, its end, and three bytes beside
			coalesce(sum(octet_length(line.line) + CASE WHEN as_array THEN 2 ELSE 1 END), 0)
				+ CASE WHEN as_array THEN 3 ELSE 0 END,
			CASE WHEN as_array THEN @extschema@.llava_array_sha256(line.line ORDER BY nth) FILTER (WHERE as_array)
				ELSE @extschema@.llava_lines_sha256(line.line ORDER BY nth) FILTER (WHERE as_array IS NOT TRUE) END
		FROM line
		RETURNING id),
	listed AS (
		INSERT INTO @extschema@.llava_manifest_line
			(image, task, manifest, line, image_sha256, file_name, sha256)
		SELECT line.image, line.task, manifest.id, nth, line.sha256, line.file_name,
			sha256(convert_to(line.line || E'\n', 'UTF8'))
		FROM manifest, line)
	SELECT id FROM manifest;
END;
REVOKE ALL ON FUNCTION @extschema@.llava_record_export FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_record_export IS
	'notes what llava_export writes with these arguments into a file: its digest, and each line''s; the manifest''s id';

-- Writes the files of llava_export_shards, and returns what that records: a row a sample
-- (image is set), a row a shard (line is set, too) and one of the whole.  Said to be few: to
-- have the plan around it compiled takes longer than to run it.
CREATE FUNCTION @extschema@.llava_write_shards(directory text, settings jsonb, prepared boolean, shard_bytes bigint,
	shard_rows bigint, format text, tasks text[], without_flags text[], mix boolean, split text,
	validation double precision, image_token text, seed bigint, cutoff_len integer, weights jsonb)
	RETURNS TABLE (line bigint, image bigint, task text, file_name text, image_sha256 bytea, sha256 bytea,
		file text, rows bigint, bytes bigint, written boolean, missing bigint)
	LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_write_shards FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_write_shards IS
	'writes the files of llava_export_shards, and tells what it records of them';

CREATE FUNCTION @extschema@.llava_export_shards(directory text, format text DEFAULT 'llava',
	prepared boolean DEFAULT false, shard_bytes bigint DEFAULT 1000000000, shard_rows bigint DEFAULT NULL,
	tasks text[] DEFAULT NULL, without_flags text[] DEFAULT NULL, mix boolean DEFAULT false,
	split text DEFAULT NULL, validation double precision DEFAULT 0.01, image_token text DEFAULT 'first',
	seed bigint DEFAULT NULL, cutoff_len integer DEFAULT 0, weights jsonb DEFAULT NULL,
	OUT manifest bigint, OUT shards bigint, OUT written bigint, OUT rows bigint, OUT missing bigint, OUT bytes bigint)
	RETURNS record LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
	WITH said AS MATERIALIZED (
		SELECT jsonb_strip_nulls(jsonb_build_object('format', format, 'prepared', coalesce(prepared, false),
			'shard_bytes', shard_bytes, 'shard_rows', shard_rows, 'tasks', tasks, 'without_flags', without_flags,
			'mix', mix OR weights IS NOT NULL, 'weights', weights, 'split', split,
			'validation', CASE WHEN split IS NOT NULL THEN validation END, 'image_token', image_token,
			'image_name', CASE WHEN prepared THEN 'sample.jpg' ELSE 'sample' END, 'seed', seed,
			'cutoff_len', cutoff_len, 'data_urls', false, 'rules', @extschema@.llava_export_rules(),
			'extension', (SELECT extversion FROM pg_extension WHERE extname = 'llava_zh'))) AS settings),
	part AS MATERIALIZED (
		SELECT w.* FROM said, @extschema@.llava_write_shards(directory, said.settings, prepared, shard_bytes, shard_rows,
			format, tasks, without_flags, mix, split, validation, image_token, seed, cutoff_len, weights) AS w),
	recorded AS (
		INSERT INTO @extschema@.llava_manifest (file, settings, rows, bytes, sha256)
		SELECT part.file, said.settings, part.rows, part.bytes, part.sha256
		FROM said, part WHERE part.line IS NULL
		RETURNING id),
	shard AS (
		INSERT INTO @extschema@.llava_manifest_shard (manifest, line, file, rows, bytes, sha256)
		SELECT recorded.id, part.line, part.file, part.rows, part.bytes, part.sha256
		FROM recorded, part WHERE part.line IS NOT NULL AND part.image IS NULL),
	listed AS (
		INSERT INTO @extschema@.llava_manifest_line (image, task, manifest, line, image_sha256, file_name, sha256)
		SELECT part.image, part.task, recorded.id, part.line, part.image_sha256, part.file_name, part.sha256
		FROM recorded, part WHERE part.image IS NOT NULL)
	SELECT recorded.id, count(*) FILTER (WHERE part.line IS NOT NULL), count(*) FILTER (WHERE part.written),
		max(part.rows) FILTER (WHERE part.line IS NULL), max(part.missing),
		coalesce(sum(part.bytes) FILTER (WHERE part.line IS NOT NULL), 0)::bigint
	FROM recorded, part WHERE part.image IS NULL
	GROUP BY recorded.id;
END;
REVOKE ALL ON FUNCTION @extschema@.llava_export_shards FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_export_shards IS
	'writes an export as tar files of pictures and lines into a directory of the server, and records it';

CREATE OR REPLACE FUNCTION @extschema@.llava_manifest_today(manifest bigint, OUT nth bigint, OUT image bigint,
	OUT task text, OUT line text, OUT same boolean)
	RETURNS SETOF record LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 100000
BEGIN ATOMIC
	WITH said AS (SELECT settings AS s FROM @extschema@.llava_manifest WHERE id = manifest),
	today AS (
		SELECT (e.sample).image, (e.sample).task, (e.sample).line
		FROM (SELECT @extschema@.llava_exported_by(s ->> 'format', image_token => s ->> 'image_token',
				-- an export of 1.0.0 does not name its rules
				rules => COALESCE((s -> 'rules')::integer, 1), twice => true,
				image_name => s ->> 'image_name', folder => s ->> 'folder',
				data_urls => (s -> 'data_urls')::boolean) AS sample
			FROM said OFFSET 0) AS e)
	SELECT l.line, l.image, l.task, today.line,
		sha256(convert_to(today.line || E'\n', 'UTF8')) = l.sha256
	FROM @extschema@.llava_manifest_line l LEFT JOIN today USING (image, task)
	WHERE l.manifest = llava_manifest_today.manifest;
END;

CREATE OR REPLACE FUNCTION @extschema@.llava_verify_export(manifest bigint, OUT line bigint, OUT image bigint,
	OUT task text, OUT problem text)
	RETURNS SETOF record LANGUAGE sql STABLE PARALLEL UNSAFE
BEGIN ATOMIC
	SELECT t.nth, t.image, t.task, CASE WHEN t.line IS NULL THEN 'gone' WHEN t.same THEN 'no picture' ELSE 'changed' END
	FROM @extschema@.llava_manifest_today(@extschema@.llava_manifest_known(manifest,
		EXISTS (SELECT FROM @extschema@.llava_manifest m WHERE m.id = manifest))) AS t
	WHERE t.same IS NOT TRUE OR (
		-- shards have the pictures in them
		EXISTS (SELECT FROM @extschema@.llava_manifest m WHERE m.id = llava_verify_export.manifest AND m.settings ? 'shard_bytes')
		AND EXISTS (SELECT FROM @extschema@.llava_image i WHERE i.id = t.image AND i.image IS NULL AND NOT i.in_file))
	ORDER BY t.nth;
END;

--
-- Increments: what has come, changed and gone since a recorded export
--

-- The lines of the file that a recorded export and the increments before it amount to: each
-- increment takes its gone lines out and stands behind what is left.
CREATE FUNCTION @extschema@.llava_manifest_whole(manifest bigint, OUT nth bigint, OUT image bigint,
	OUT task text, OUT sha256 bytea)
	RETURNS SETOF record LANGUAGE sql STABLE PARALLEL SAFE ROWS 100000
BEGIN ATOMIC
	WITH RECURSIVE chain (id, base, age) AS (
		SELECT m.id, m.base, 0 FROM @extschema@.llava_manifest m WHERE m.id = llava_manifest_whole.manifest
		UNION ALL
		SELECT m.id, m.base, c.age + 1 FROM chain c JOIN @extschema@.llava_manifest m ON m.id = c.base
	) CYCLE id SET again USING path,
	-- the youngest increment that takes it out
	gone AS (
		SELECT g.image, g.task, min(c.age) AS age
		FROM chain c JOIN @extschema@.llava_manifest_gone g ON g.manifest = c.id
		WHERE NOT c.again GROUP BY g.image, g.task)
	SELECT row_number() OVER (ORDER BY c.age DESC, l.line), l.image, l.task, l.sha256
	FROM chain c JOIN @extschema@.llava_manifest_line l ON l.manifest = c.id
	LEFT JOIN gone g ON g.image = l.image AND g.task = l.task
	WHERE NOT c.again AND (g.age IS NULL OR g.age >= c.age);
END;
REVOKE ALL ON FUNCTION @extschema@.llava_manifest_whole(bigint) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_manifest_whole(bigint) IS
	'the lines of the whole file that a recorded export or increment amounts to';

-- The samples whose line is another one than in that file, with all arguments and the rules
-- of the recorded export.  gone: the line's number there; nth: its place in an export of now.
CREATE FUNCTION @extschema@.llava_manifest_since(manifest bigint, OUT gone bigint, OUT nth bigint,
	OUT image bigint, OUT task text, OUT line text, OUT file_name text, OUT image_sha256 bytea)
	RETURNS SETOF record LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 100000
BEGIN ATOMIC
	WITH said AS (
		SELECT m.settings AS s FROM @extschema@.llava_manifest m
		WHERE m.id = llava_manifest_since.manifest),
	now AS (
		SELECT (e.sample).*, row_number() OVER () AS nth
		FROM (SELECT @extschema@.llava_exported_by(s ->> 'format',
				tasks => CASE WHEN s ? 'tasks' THEN ARRAY(SELECT jsonb_array_elements_text(s -> 'tasks')) END,
				without_flags => CASE WHEN s ? 'without_flags'
					THEN ARRAY(SELECT jsonb_array_elements_text(s -> 'without_flags')) END,
				mix => COALESCE((s -> 'mix')::boolean, false), split => s ->> 'split',
				validation => COALESCE((s ->> 'validation')::double precision, 0.01),
				image_token => s ->> 'image_token', image_name => s ->> 'image_name',
				folder => s ->> 'folder', seed => (s -> 'seed')::bigint,
				data_urls => COALESCE((s -> 'data_urls')::boolean, false),
				cutoff_len => COALESCE((s -> 'cutoff_len')::integer, 0), weights => s -> 'weights',
				rules => COALESCE((s -> 'rules')::integer, 1)) AS sample
			FROM said OFFSET 0) AS e)
	SELECT b.nth, n.nth, COALESCE(n.image, b.image), COALESCE(n.task, b.task), n.line, n.file_name, n.sha256
	FROM now n FULL JOIN @extschema@.llava_manifest_whole(llava_manifest_since.manifest) AS b
		ON b.image = n.image AND b.task = n.task
	WHERE sha256(convert_to(n.line || E'\n', 'UTF8')) IS DISTINCT FROM b.sha256;
END;
REVOKE ALL ON FUNCTION @extschema@.llava_manifest_since(bigint) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_manifest_since(bigint) IS
	'the samples whose lines have come, changed or gone since a recorded export';

CREATE FUNCTION @extschema@.llava_export_since(manifest bigint) RETURNS SETOF text
	LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 10000
BEGIN ATOMIC
	SELECT s.line FROM @extschema@.llava_manifest_since(@extschema@.llava_manifest_known(manifest,
		EXISTS (SELECT FROM @extschema@.llava_manifest m WHERE m.id = manifest))) AS s
	WHERE s.nth IS NOT NULL ORDER BY s.nth;
END;
REVOKE ALL ON FUNCTION @extschema@.llava_export_since(bigint) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_export_since(bigint) IS
	'the lines that are new or changed since a recorded export, by its arguments and rules';

CREATE FUNCTION @extschema@.llava_gone_since(manifest bigint, OUT line bigint, OUT image bigint, OUT task text)
	RETURNS SETOF record LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 10000
BEGIN ATOMIC
	SELECT s.gone, s.image, s.task FROM @extschema@.llava_manifest_since(@extschema@.llava_manifest_known(manifest,
		EXISTS (SELECT FROM @extschema@.llava_manifest m WHERE m.id = manifest))) AS s
	WHERE s.gone IS NOT NULL ORDER BY s.gone;
END;
REVOKE ALL ON FUNCTION @extschema@.llava_gone_since(bigint) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_gone_since(bigint) IS
	'the lines of a recorded export''s file that changed or left since: to be taken out before llava_export_since is appended';

CREATE FUNCTION @extschema@.llava_record_since(file text, manifest bigint) RETURNS bigint
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
	WITH since AS MATERIALIZED (
		-- those that are gone and no more come last, and have no line
		SELECT s.*, row_number() OVER (ORDER BY s.nth) AS place
		FROM @extschema@.llava_manifest_since(@extschema@.llava_manifest_known(llava_record_since.manifest,
			EXISTS (SELECT FROM @extschema@.llava_manifest m WHERE m.id = llava_record_since.manifest))) AS s),
	-- as its base is
	shape AS (
		SELECT COALESCE((m.settings -> 'as_array')::boolean, false) AS is_array
		FROM @extschema@.llava_manifest m WHERE m.id = llava_record_since.manifest),
	recorded AS (
		INSERT INTO @extschema@.llava_manifest (file, settings, rows, bytes, sha256, base)
		SELECT llava_record_since.file, m.settings || jsonb_build_object(
				'extension', (SELECT extversion FROM pg_extension WHERE extname = 'llava_zh')),
			n.rows, n.bytes, n.sha256, m.id
		-- in this order, so that a manifest that is nobody's is an error of since
		FROM (SELECT count(*) AS rows,
				COALESCE(sum(octet_length(line) + CASE WHEN (SELECT is_array FROM shape) THEN 2 ELSE 1 END), 0)
					+ CASE WHEN (SELECT is_array FROM shape) THEN 3 ELSE 0 END AS bytes,
				CASE WHEN (SELECT is_array FROM shape)
					THEN @extschema@.llava_array_sha256(line ORDER BY nth) FILTER (WHERE (SELECT is_array FROM shape))
					ELSE @extschema@.llava_lines_sha256(line ORDER BY nth) FILTER (WHERE (SELECT NOT is_array FROM shape))
					END AS sha256
			FROM since WHERE nth IS NOT NULL) AS n
		LEFT JOIN @extschema@.llava_manifest m ON m.id = llava_record_since.manifest
		RETURNING id),
	listed AS (
		INSERT INTO @extschema@.llava_manifest_line (image, task, manifest, line, image_sha256, file_name, sha256)
		SELECT s.image, s.task, r.id, s.place, s.image_sha256, s.file_name,
			sha256(convert_to(s.line || E'\n', 'UTF8'))
		FROM recorded r, since s WHERE s.nth IS NOT NULL),
	left_out AS (
		INSERT INTO @extschema@.llava_manifest_gone (manifest, line, image, task)
		SELECT r.id, s.gone, s.image, s.task FROM recorded r, since s WHERE s.gone IS NOT NULL)
	SELECT id FROM recorded;
END;
REVOKE ALL ON FUNCTION @extschema@.llava_record_since(text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_record_since(text, bigint) IS
	'notes llava_export_since and llava_gone_since as an increment, which may be the base of the next; its manifest''s id';

--
-- The page (sql/parts/page.sql)
--

CREATE OR REPLACE FUNCTION @extschema@.llava_page_tags(flags text[], keep boolean, note text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT concat(
		CASE keep WHEN true THEN @extschema@.llava_template('page_kept', '{}')
			WHEN false THEN @extschema@.llava_template('page_dropped', '{}') END,
		CASE WHEN note <> '' THEN
			@extschema@.llava_template('page_note', jsonb_build_object('note', left(note, 32768))) END,
		(SELECT string_agg(@extschema@.llava_template('page_flag', jsonb_build_object('flag', flag)),
			'' ORDER BY n) FROM unnest(flags) WITH ORDINALITY AS f (flag, n)));
END;

CREATE FUNCTION @extschema@.llava_page_digest("value" jsonb) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN left(encode(sha256(convert_to("value"::text, 'UTF8')), 'hex'), 32);
COMMENT ON FUNCTION @extschema@.llava_page_digest(jsonb) IS 'by which llava_keep_in knows what the page showed';

-- As of format llava: what the rules say of a sample hardly depends on the format.
CREATE FUNCTION @extschema@.llava_page_fault(conversation jsonb, path text, sha256 bytea, format text,
	rejected text, width integer, height integer, channels integer, complete boolean, rows integer,
	OUT rule text, OUT detail text)
	RETURNS record LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.llava_page_fault(jsonb, text, bytea, text, text, integer, integer, integer, boolean, integer) IS
	'the rule by which an export leaves a sample out; NULL: none';

CREATE FUNCTION @extschema@.llava_page_annotations(image bigint, task text, reply bigint) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(string_agg(@extschema@.llava_template('page_annotation', jsonb_build_object(
		'task', a.task, 'version', a.task_version, 'pairs', (
			SELECT string_agg(@extschema@.llava_template('page_pair', jsonb_build_object('key', left(o.key, 200),
				'value', left(o.value, 2000))), '' ORDER BY o.n)
			FROM jsonb_each_text(a.object) WITH ORDINALITY AS o (key, value, n)))), '' ORDER BY a.task), '')
	FROM @extschema@.llava_annotation a
	WHERE a.image = llava_page_annotations.image AND jsonb_typeof(a.object) = 'object'
		-- what is about the image's sample of another task stands beside that one
		AND NOT EXISTS (SELECT FROM @extschema@.llava_conversation c WHERE c.image = a.image AND c.reply = a.about
			AND c.reply <> llava_page_annotations.reply AND c.task <> llava_page_annotations.task);
END;
COMMENT ON FUNCTION @extschema@.llava_page_annotations(bigint, text, bigint) IS
	'the annotations beside a sample on the page: of its picture, and about it';

-- The samples of a page, in its order: by a hash of image and seed.
CREATE OR REPLACE FUNCTION @extschema@.llava_page_samples(n integer, task text, seed bigint, flag text, unseen boolean)
	RETURNS text LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
	WITH chosen AS (
		SELECT c.image, c.task, row_number() OVER () AS nth
		FROM (
			SELECT s.image, s.task FROM @extschema@.llava_conversation s
			WHERE (llava_page_samples.task IS NULL
					OR s.task = @extschema@.llava_task_name(llava_page_samples.task))
				AND (llava_page_samples.flag IS NULL OR llava_page_samples.flag = ANY (s.flags))
				AND (unseen IS NOT TRUE OR s.keep IS NULL)
			ORDER BY hashint8extended(s.image, coalesce(seed, 0)), s.image, s.task COLLATE "C"
			LIMIT coalesce(llava_page_samples.n, 100)) AS c)
	SELECT coalesce(string_agg(@extschema@.llava_template('page_sample', jsonb_build_object(
			'image', c.image, 'n', h.nth, 'file', name.file,
			'sides', CASE WHEN i.width > 0 THEN @extschema@.llava_template('page_sides',
				CASE WHEN i.orientation >= 5
				THEN jsonb_build_object('width', i.height, 'height', i.width)
				ELSE jsonb_build_object('width', i.width, 'height', i.height) END) END, 'task', c.task, 'version', c.task_version,
			'model', coalesce(r.model_reported, r.model), 'reply', c.reply,
			'words', @extschema@.llava_page_digest(c.conversation),
			'judged', @extschema@.llava_page_digest(jsonb_build_array(c.keep, c.note)),
			-- of a note that is longer than notes may be, so much that it is not taken for a whole one
			'keep', c.keep::text, 'note', left(c.note, 32769),
			'fault', CASE WHEN fault.rule IS NOT NULL THEN @extschema@.llava_template('page_fault', jsonb_build_object(
				'rule', fault.rule, 'detail', CASE WHEN fault.detail <> '' THEN
					@extschema@.llava_template('page_fault_detail', jsonb_build_object('detail', fault.detail)) END)) END,
			'annotations', @extschema@.llava_page_annotations(c.image, c.task, c.reply),
			'picture', @extschema@.llava_page_picture(@extschema@.llava_image_bytes(i.id), name.file),
			'tags', @extschema@.llava_page_tags(c.flags, c.keep, c.note),
			'turns', @extschema@.llava_page_turns(c.conversation))), '' ORDER BY h.nth), '')
	FROM chosen h
	JOIN @extschema@.llava_conversation c ON c.image = h.image AND c.task = h.task
	LEFT JOIN @extschema@.llava_reply r ON r.image = c.image AND r.id = c.reply
	LEFT JOIN @extschema@.llava_image i ON i.id = c.image,
	LATERAL (SELECT coalesce(nullif(i.path, ''), encode(i.sha256, 'hex')) AS file) AS name,
	LATERAL @extschema@.llava_page_fault(c.conversation, i.path, i.sha256, i.format, i.rejected, i.width,
		i.height, i.channels::integer, i.complete, i.rows) AS fault;
END;

CREATE OR REPLACE FUNCTION @extschema@.llava_page_head(n integer, task text, flag text, unseen boolean)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH sample AS (
		SELECT s.task, s.rounds, s.keep, s.flags FROM @extschema@.llava_conversation s
		WHERE llava_page_head.task IS NULL
			OR s.task = @extschema@.llava_task_name(llava_page_head.task)),
	total AS (
		SELECT count(*) AS n, count(keep) AS looked, count(*) FILTER (WHERE NOT keep) AS dropped,
			count(*) FILTER (WHERE (llava_page_head.flag IS NULL OR llava_page_head.flag = ANY (s.flags))
				AND (unseen IS NOT TRUE OR s.keep IS NULL)) AS fits
		FROM sample s),
	task AS (SELECT s.task AS label, count(*) AS n FROM sample s GROUP BY s.task),
	rounds AS (SELECT s.rounds, count(*) AS n FROM sample s GROUP BY s.rounds),
	reason AS (
		SELECT s.reason AS label, sum(s.count)::bigint AS n FROM @extschema@.llava_stat_reason s
		WHERE s.kind <> 'failed' AND (llava_page_head.task IS NULL
			OR s.task = @extschema@.llava_task_name(llava_page_head.task))
		GROUP BY s.reason ORDER BY sum(s.count) DESC, s.reason COLLATE "C" LIMIT 8)
	SELECT @extschema@.llava_template('page_head', jsonb_build_object(
		'total', to_char(total.n, 'FM999,999,999,999,990'),
		'shown', to_char(least(total.fits, coalesce(llava_page_head.n, 100)), 'FM999,999,990'),
		'looked', to_char(total.looked, 'FM999,999,999,990'),
		'dropped', to_char(total.dropped, 'FM999,999,999,990'),
		'scope', CASE WHEN llava_page_head.task IS NOT NULL THEN @extschema@.llava_template('page_scope',
			jsonb_build_object('task', @extschema@.llava_task_name(llava_page_head.task))) END,
		'made', to_char(now(), 'YYYY-MM-DD HH24:MI'),
		'script', @extschema@.llava_template('page_policy', jsonb_build_object('hash',
			encode(sha256(convert_to(@extschema@.llava_template('page_script', '{}'), 'UTF8')), 'base64'))),
		'tasks', (SELECT @extschema@.llava_page_bars(array_agg(label ORDER BY task.n DESC, label COLLATE "C"),
			array_agg(task.n ORDER BY task.n DESC, label COLLATE "C")) FROM task),
		'rounds', (SELECT @extschema@.llava_page_bars(array_agg(@extschema@.llava_template('page_rounds',
			jsonb_build_object('rounds', rounds.rounds)) ORDER BY rounds.rounds),
			array_agg(rounds.n ORDER BY rounds.rounds)) FROM rounds),
		'reasons', (SELECT @extschema@.llava_page_bars(array_agg(label ORDER BY reason.n DESC, label COLLATE "C"),
			array_agg(reason.n ORDER BY reason.n DESC, label COLLATE "C")) FROM reason)))
	FROM total;
END;

CREATE OR REPLACE FUNCTION @extschema@.llava_page(n integer DEFAULT 100, task text DEFAULT NULL,
	seed bigint DEFAULT 0, flag text DEFAULT NULL, unseen boolean DEFAULT false)
	RETURNS text LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
	SELECT @extschema@.llava_page_head(n, task, known.flag, unseen) || samples.html
		|| @extschema@.llava_template('page_foot', jsonb_build_object('guide', @extschema@.llava_template('page_guide', '{}'),
			'work', @extschema@.llava_template('page_work', jsonb_build_object(
				'digest', left(encode(sha256(convert_to(samples.html, 'UTF8')), 'hex'), 32),
				'script', @extschema@.llava_template('page_script', '{}')))))
	FROM (SELECT (@extschema@.llava_known_flags(ARRAY[llava_page.flag]))[1] AS flag OFFSET 0) AS known,
		LATERAL (SELECT @extschema@.llava_page_samples(n, task, seed, known.flag, unseen) AS html OFFSET 0) AS samples;
END;
COMMENT ON FUNCTION @extschema@.llava_page(integer, text, bigint, text, boolean) IS
	'one HTML page to judge n samples, drawn by the seed: pictures, dialogues, flags, counts';

-- What was judged there comes in: one line of keep.jsonl a row.  The view is empty: its trigger
-- writes keep and note, with the rights of who copies.
CREATE VIEW @extschema@.llava_keep_in WITH (security_invoker = true) AS
	SELECT NULL::text AS line WHERE false;
COMMENT ON VIEW @extschema@.llava_keep_in IS
	'takes judgements in: \copy llava_keep_in FROM ''keep.jsonl'' WITH (FORMAT jsonl)';
COMMENT ON COLUMN @extschema@.llava_keep_in.line IS 'a line that llava_page wrote';

CREATE FUNCTION @extschema@.llava_keep_in_line() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @extschema@.llava_keep_in_line() FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_keep_in_line() IS 'trigger: takes a judgement in, or names why it does not';
CREATE TRIGGER llava_keep_in_line INSTEAD OF INSERT ON @extschema@.llava_keep_in
	FOR EACH ROW EXECUTE FUNCTION @extschema@.llava_keep_in_line();
CREATE TRIGGER llava_keep_in_begin BEFORE INSERT ON @extschema@.llava_keep_in
	FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.llava_keep_in_line();
CREATE TRIGGER llava_keep_in_end AFTER INSERT ON @extschema@.llava_keep_in
	FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.llava_keep_in_line();

--
-- The dataset card (sql/parts/card.sql)
--

-- They have one argument, which says also what is left out.
ALTER FUNCTION @extschema@.llava_card_tasks(text[], bigint[])
	RENAME TO llava_card_tasks_1_0_0;
ALTER FUNCTION @extschema@.llava_card_lengths(text[], bigint[])
	RENAME TO llava_card_lengths_1_0_0;
ALTER FUNCTION @extschema@.llava_card_models(text[], bigint[])
	RENAME TO llava_card_models_1_0_0;
ALTER FUNCTION @extschema@.llava_card_prompts(text[], bigint[])
	RENAME TO llava_card_prompts_1_0_0;
ALTER FUNCTION @extschema@.llava_card_licences(text[], bigint[])
	RENAME TO llava_card_licences_1_0_0;
ALTER FUNCTION @extschema@.llava_card_languages(text[], bigint[])
	RENAME TO llava_card_languages_1_0_0;
ALTER FUNCTION @extschema@.llava_card_samples(text[], bigint[])
	RENAME TO llava_card_samples_1_0_0;
ALTER FUNCTION @extschema@.llava_card_reasons(text[])
	RENAME TO llava_card_reasons_1_0_0;

-- As llava_selected and llava_exported, with the caller's rights: who may read the tables may
-- make a card.
CREATE FUNCTION @extschema@.llava_card_selected(format text, tasks text[], without_flags text[], mix boolean, split text,
	validation double precision, image_token text, image_name text, folder text, seed bigint,
	data_urls boolean, cutoff_len integer)
	RETURNS TABLE (image bigint, task text, id text, file_name text, sha256 bytea, rule text, detail text)
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 100000 AS 'MODULE_PATHNAME', 'llava_selected';
COMMENT ON FUNCTION @extschema@.llava_card_selected(text, text[], text[], boolean, text, double precision, text, text, text,
	bigint, boolean, integer) IS 'llava_selected for the card, which counts what is exported';

CREATE FUNCTION @extschema@.llava_card_exported(format text, tasks text[], without_flags text[], mix boolean, split text,
	validation double precision, image_token text, image_name text, folder text, seed bigint,
	data_urls boolean, cutoff_len integer, weights jsonb, rules integer, twice boolean)
	RETURNS TABLE (line text, image bigint, task text, file_name text, sha256 bytea)
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 100000 AS 'MODULE_PATHNAME', 'llava_exported';
COMMENT ON FUNCTION @extschema@.llava_card_exported(text, text[], text[], boolean, text, double precision, text, text, text,
	bigint, boolean, integer, jsonb, integer, boolean) IS 'llava_exported_by for the card, which shows a row';

-- What the card is of: {"tasks", "manifests", "left_out": [[image, task], ...]}.  Without
-- manifests what breaks a rule is no part of it, as of no export.
CREATE FUNCTION @extschema@.llava_card_chosen(tasks text[], manifests bigint[]) RETURNS jsonb
	LANGUAGE sql STABLE PARALLEL UNSAFE
BEGIN ATOMIC
	WITH named AS (
		SELECT coalesce(
				(SELECT array_agg(@extschema@.llava_task_name(t)) FROM unnest(tasks) AS t),
				(SELECT array_agg(DISTINCT l.task) FROM @extschema@.llava_manifest_line l
					WHERE l.manifest = ANY (llava_card_chosen.manifests))) AS tasks,
			(SELECT array_agg(@extschema@.llava_manifest_known(m,
					EXISTS (SELECT FROM @extschema@.llava_manifest WHERE id = m)))
				FROM unnest(manifests) AS m) AS manifests)
	SELECT jsonb_strip_nulls(jsonb_build_object('tasks', named.tasks, 'manifests', named.manifests,
		'left_out', (SELECT jsonb_agg(jsonb_build_array((s.sample).image, (s.sample).task))
			FROM (SELECT @extschema@.llava_card_selected('imagefolder', named.tasks, NULL, false, NULL, NULL, 'first', 'path',
					NULL, NULL, false, 0) AS sample WHERE named.manifests IS NULL OFFSET 0) AS s
			WHERE (s.sample).rule IS NOT NULL)))
	FROM named;
END;
COMMENT ON FUNCTION @extschema@.llava_card_chosen(text[], bigint[]) IS
	'which samples the card counts: tasks, recorded exports, and those that are left out';

-- Those samples: of recorded exports the ones that no increment up to the latest among them takes out.
CREATE FUNCTION @extschema@.llava_card_samples(chosen jsonb)
	RETURNS SETOF @extschema@.llava_conversation LANGUAGE sql STABLE PARALLEL SAFE ROWS 100000
BEGIN ATOMIC
	WITH RECURSIVE chain (later, id) AS (
		SELECT m.id, m.base FROM @extschema@.llava_manifest m
		WHERE m.base IS NOT NULL AND chosen -> 'manifests' @> to_jsonb(m.id)
		UNION
		-- what lies between takes lines out, too, whether it is named or not
		SELECT x.later, m.base FROM chain c JOIN @extschema@.llava_manifest m ON m.id = c.id,
			LATERAL (VALUES (c.later), (c.id)) AS x (later)
		WHERE m.base IS NOT NULL),
	held AS (
		SELECT DISTINCT l.image, l.task
		FROM jsonb_array_elements(chosen -> 'manifests') AS m (id)
		JOIN @extschema@.llava_manifest_line l ON l.manifest = m.id::bigint
		LEFT JOIN (SELECT DISTINCT c.id, g.image, g.task
			FROM chain c JOIN @extschema@.llava_manifest_gone g ON g.manifest = c.later) AS gone
			ON gone.id = l.manifest AND gone.image = l.image AND gone.task = l.task
		WHERE gone.id IS NULL),
	left_out AS (
		SELECT (o ->> 0)::bigint AS image, o ->> 1 AS task
		FROM jsonb_array_elements(chosen -> 'left_out') AS o)
	SELECT c.* FROM @extschema@.llava_conversation c
	LEFT JOIN left_out o ON o.image = c.image AND o.task = c.task
	WHERE NOT chosen ? 'manifests' AND c.keep IS NOT FALSE AND o.image IS NULL
		AND (NOT chosen ? 'tasks' OR chosen -> 'tasks' ? c.task)
	UNION ALL
	SELECT c.* FROM held h JOIN @extschema@.llava_conversation c ON c.image = h.image AND c.task = h.task
	WHERE NOT chosen ? 'tasks' OR chosen -> 'tasks' ? c.task;
END;
COMMENT ON FUNCTION @extschema@.llava_card_samples(jsonb) IS 'the samples that the card counts';

CREATE FUNCTION @extschema@.llava_card_tasks(chosen jsonb) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @extschema@.llava_template('card_tasks', jsonb_build_object('rows', string_agg(
		@extschema@.llava_template('card_task', jsonb_build_object('task', task,
			'samples', to_char(n, 'FM999,999,999,990'), 'share', round(100.0 * n / total, 1),
			'images', to_char(images, 'FM999,999,999,990'), 'rounds', round(rounds, 1))),
		'' ORDER BY n DESC, task COLLATE "C")))
	FROM (SELECT task, count(*) AS n, sum(count(*)) OVER () AS total,
			count(DISTINCT image) AS images, avg(rounds) AS rounds
		FROM @extschema@.llava_card_samples(chosen) GROUP BY task) AS t;
END;
COMMENT ON FUNCTION @extschema@.llava_card_tasks(jsonb) IS 'table of the card: samples by task';

CREATE FUNCTION @extschema@.llava_card_lengths(chosen jsonb) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH turn AS (
		SELECT c.task, t ->> 'from' AS who, length(t ->> 'value') AS chars
		FROM @extschema@.llava_card_samples(chosen) AS c,
			jsonb_path_query(c.conversation, 'lax $[*]') AS t),
	chars AS (
		SELECT task,
			percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY chars) FILTER (WHERE who = 'human') AS question,
			percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY chars) FILTER (WHERE who = 'gpt') AS answer
		FROM turn GROUP BY task),
	rounds AS (
		SELECT task, sum(n) AS samples,
			string_agg(concat(rounds, ': ', to_char(n, 'FM999,999,999,990')), ', ' ORDER BY rounds) AS rounds
		FROM (SELECT task, rounds, count(*) AS n FROM @extschema@.llava_card_samples(chosen)
			GROUP BY task, rounds) AS r GROUP BY task)
	SELECT @extschema@.llava_template('card_lengths', jsonb_build_object('rows', string_agg(
		@extschema@.llava_template('card_length', jsonb_build_object('task', task, 'rounds', rounds.rounds,
			'question_p50', question[1], 'question_p95', question[2],
			'answer_p50', answer[1], 'answer_p95', answer[2])),
		'' ORDER BY samples DESC, task COLLATE "C")))
	FROM rounds LEFT JOIN chars USING (task);
END;
COMMENT ON FUNCTION @extschema@.llava_card_lengths(jsonb) IS 'table of the card: rounds and lengths';

CREATE FUNCTION @extschema@.llava_card_models(chosen jsonb) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @extschema@.llava_template('card_models', jsonb_build_object('rows', string_agg(
		@extschema@.llava_template('card_model', jsonb_build_object('model', model,
			'reported', model_reported, 'task', task, 'version', task_version,
			'samples', to_char(n, 'FM999,999,999,990'), 'parameters', parameters)),
		'' ORDER BY task COLLATE "C", task_version, n DESC, model COLLATE "C", parameters COLLATE "C")))
	FROM (SELECT r.model, r.model_reported, c.task, c.task_version, count(*) AS n,
			(SELECT string_agg(concat(p.key, ' ', p.value), ', ' ORDER BY p.key COLLATE "C")
				FROM jsonb_each_text(r.parameters) AS p) AS parameters
		FROM @extschema@.llava_card_samples(chosen) AS c
		LEFT JOIN @extschema@.llava_reply r ON r.image = c.image AND r.id = c.reply
		GROUP BY r.model, r.model_reported, c.task, c.task_version, r.parameters) AS m;
END;
COMMENT ON FUNCTION @extschema@.llava_card_models(jsonb) IS 'table of the card: models and parameters';

CREATE FUNCTION @extschema@.llava_card_prompts(chosen jsonb) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT string_agg(@extschema@.llava_template('card_prompt', jsonb_build_object('task', t.name,
		'version', t.version,
		-- indented, so that nothing in a prompt ends the block; a CR begins a line, too
		'prompt', regexp_replace(regexp_replace(t.prompt, E'\r\n?', E'\n', 'g'), '^', '    ', 'gn'))), '' ORDER BY t.name COLLATE "C", t.version)
	FROM @extschema@.llava_task t
	WHERE (t.name, t.version) IN (SELECT c.task, c.task_version FROM @extschema@.llava_card_samples(chosen) AS c);
END;
COMMENT ON FUNCTION @extschema@.llava_card_prompts(jsonb) IS 'the prompts on the card';

CREATE FUNCTION @extschema@.llava_card_reasons(chosen jsonb) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @extschema@.llava_template('card_reasons', jsonb_build_object('rows', string_agg(
		@extschema@.llava_template('card_reason', jsonb_build_object('kind', kind, 'task', task,
			'reason', reason, 'count', to_char(count, 'FM999,999,999,990'))),
		'' ORDER BY kind, count DESC, task COLLATE "C", reason COLLATE "C")))
	FROM @extschema@.llava_stat_reason
	WHERE task IS NULL OR CASE WHEN chosen ? 'tasks' THEN chosen -> 'tasks' ? task
		ELSE task IN (SELECT c.task FROM @extschema@.llava_card_samples(chosen) AS c) END;
END;
COMMENT ON FUNCTION @extschema@.llava_card_reasons(jsonb) IS 'table of the card: why replies were rejected';

-- What writers say of their pictures is clipped, and the seldomest are only counted: no one
-- writer makes a card that is too large for all.
CREATE FUNCTION @extschema@.llava_card_licences(chosen jsonb) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH stated AS (
		SELECT c.image, CASE WHEN length(left(i.licence, 201)) > 200 THEN left(i.licence, 200) || '...'
			ELSE coalesce(i.licence, @extschema@.llava_template('card_unstated', '{}')) END AS licence
		FROM @extschema@.llava_card_samples(chosen) AS c
		LEFT JOIN @extschema@.llava_image i ON i.id = c.image),
	counted AS (
		SELECT licence, n, row_number() OVER (ORDER BY n DESC, licence COLLATE "C") AS nth
		FROM (SELECT licence, count(DISTINCT image) AS n FROM stated GROUP BY licence) AS l)
	SELECT @extschema@.llava_template('card_licences', jsonb_build_object('rows', concat(
		(SELECT string_agg(@extschema@.llava_template('card_licence', jsonb_build_object('licence', licence,
			'images', to_char(n, 'FM999,999,999,990'))), '' ORDER BY nth) FROM counted WHERE nth <= 100),
		(SELECT @extschema@.llava_template('card_licence', jsonb_build_object(
			'licence', @extschema@.llava_template('card_others', jsonb_build_object('n', to_char(count(*), 'FM999,999,999,990'))),
			'images', to_char(sum(n), 'FM999,999,999,990')))
			FROM counted WHERE nth > 100 HAVING count(*) > 0))));
END;
COMMENT ON FUNCTION @extschema@.llava_card_licences(jsonb) IS 'table of the card: licences of the pictures';

CREATE FUNCTION @extschema@.llava_card_languages(chosen jsonb) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(string_agg(@extschema@.llava_template('card_language',
		jsonb_build_object('language', language)), '' ORDER BY language DESC),
		@extschema@.llava_template('card_language', '{"language": "zh"}'))
	FROM (SELECT DISTINCT t.language FROM @extschema@.llava_task t WHERE t.language <> 'any'
		AND (t.name, t.version) IN (SELECT c.task, c.task_version FROM @extschema@.llava_card_samples(chosen) AS c)) AS l;
END;
COMMENT ON FUNCTION @extschema@.llava_card_languages(jsonb) IS 'languages in the front matter of the card';

-- How COPY writes such a file: a name that ends in .json is one array.
CREATE FUNCTION @extschema@.llava_card_copy(command text, file text, as_array boolean) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	-- on one line, whatever the file is called
	SELECT format(E'    \\copy (SELECT %s) TO %s WITH (FORMAT jsonl%s)\n', command,
		regexp_replace(quote_literal(file), '[\x01-\x1f]', ' ', 'g'), CASE WHEN as_array THEN ', FORCE_ARRAY' END)
	WHERE file IS NOT NULL;
END;
COMMENT ON FUNCTION @extschema@.llava_card_copy(text, text, boolean) IS 'a command on the card that writes a file';

CREATE OR REPLACE FUNCTION @extschema@.llava_card_export(format text, file text, split text, tasks text[]) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN file LIKE '%.tar' THEN format(E'    SELECT * FROM llava_export_shards(''/data'', %L%s%s);\n', format,
			', split => ' || quote_literal(split),
			', tasks => ' || regexp_replace(quote_literal(tasks::text), '[\x01-\x1f]', ' ', 'g'))
		ELSE @extschema@.llava_card_copy(format('llava_export(%L%s%s)', format, ', split => ' || quote_literal(split),
			', tasks => ' || regexp_replace(quote_literal(tasks::text), '[\x01-\x1f]', ' ', 'g')), file, file ~ '\.json$') END;
END;

-- A recorded export has its own command, and what the file must be.
CREATE OR REPLACE FUNCTION @extschema@.llava_card_rebuild(manifests bigint[]) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT string_agg(concat(format(E'    -- %s samples, sha256 %s, %s\n',
			to_char(m.rows, 'FM999,999,999,990'), encode(m.sha256, 'hex'), m.settings),
		-- of shards: their lines
		@extschema@.llava_card_copy(format('llava_rebuild_export(%s)', m.id),
			CASE WHEN m.settings ? 'shard_bytes' THEN split_part(m.file, '-*', 1) || '.jsonl' ELSE m.file END,
			m.settings ? 'as_array')), '' ORDER BY m.id)
	FROM @extschema@.llava_manifest m WHERE m.id = ANY (manifests);
END;

-- The files of the data set: {"split", "path", "samples"} each; of recorded exports theirs.
CREATE FUNCTION @extschema@.llava_card_files(chosen jsonb, train text, validation text) RETURNS jsonb
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_agg(jsonb_build_object('split', coalesce(m.settings ->> 'split', 'train'), 'path', m.file,
		'samples', m.rows) ORDER BY coalesce(m.settings ->> 'split', 'train'), m.id)
	FROM @extschema@.llava_manifest m WHERE chosen -> 'manifests' @> to_jsonb(m.id) HAVING count(*) > 0
	UNION ALL
	SELECT CASE WHEN validation IS NULL THEN jsonb_build_array(jsonb_build_object(
			'split', 'train', 'path', coalesce(train, 'metadata.jsonl'), 'samples', n.total))
		ELSE jsonb_build_array(
			jsonb_build_object('split', 'train', 'path', coalesce(train, 'metadata.jsonl'), 'samples', n.total - n.held_back),
			jsonb_build_object('split', 'validation', 'path', validation, 'samples', n.held_back)) END
	FROM (SELECT count(*) AS total,
			-- as llava_export has it by default
			count(*) FILTER (WHERE @extschema@.llava_image_share(c.image, i.sha256, 0) < 0.01) AS held_back
		FROM @extschema@.llava_card_samples(chosen) AS c LEFT JOIN @extschema@.llava_image i ON i.id = c.image) AS n
	WHERE NOT chosen ? 'manifests';
END;
COMMENT ON FUNCTION @extschema@.llava_card_files(jsonb, text, text) IS 'files, splits and samples on the card';

CREATE FUNCTION @extschema@.llava_card_splits(files jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @extschema@.llava_template('card_splits', jsonb_build_object('rows', string_agg(
		@extschema@.llava_template('card_split', f || jsonb_build_object(
			'samples', to_char((f -> 'samples')::bigint, 'FM999,999,999,990'))), '' ORDER BY nth)))
	FROM jsonb_array_elements(files) WITH ORDINALITY AS f (f, nth);
END;
COMMENT ON FUNCTION @extschema@.llava_card_splits(jsonb) IS 'table of the card: files and splits';

-- Which files are which split: a hub that looks for itself goes by words in their names.  Of a
-- folder of pictures (train NULL) all are train.
CREATE FUNCTION @extschema@.llava_card_configs(files jsonb, train text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @extschema@.llava_template('card_configs', jsonb_build_object('files', CASE WHEN train IS NULL
		THEN @extschema@.llava_template('card_file', '{"split": "train", "path": "\"**\""}')
		ELSE string_agg(@extschema@.llava_template('card_file', jsonb_build_object('split', f ->> 'split',
			'path', (f -> 'path')::text)), '' ORDER BY nth) END))
	FROM jsonb_array_elements(files) WITH ORDINALITY AS f (f, nth);
END;
COMMENT ON FUNCTION @extschema@.llava_card_configs(jsonb, text) IS 'configs in the front matter of the card';

-- The hubs know licences by these ids only; any other is "other", and its name is said.
CREATE FUNCTION @extschema@.llava_card_license(licence text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN licence IS NULL THEN @extschema@.llava_template('card_license', '{"id": "unknown"}')
		WHEN said.id = ANY (ARRAY['afl-3.0', 'agpl-3.0', 'apache-2.0', 'artistic-2.0', 'bsd', 'bsd-2-clause',
			'bsd-3-clause', 'bsd-3-clause-clear', 'bsl-1.0', 'c-uda', 'cc', 'cc-by-2.0', 'cc-by-2.5', 'cc-by-3.0',
			'cc-by-4.0', 'cc-by-nc-2.0', 'cc-by-nc-3.0', 'cc-by-nc-4.0', 'cc-by-nc-nd-3.0', 'cc-by-nc-nd-4.0',
			'cc-by-nc-sa-2.0', 'cc-by-nc-sa-3.0', 'cc-by-nc-sa-4.0', 'cc-by-nd-4.0', 'cc-by-sa-3.0', 'cc-by-sa-4.0',
			'cc0-1.0', 'cdla-permissive-1.0', 'cdla-permissive-2.0', 'cdla-sharing-1.0', 'ecl-2.0', 'epl-1.0',
			'epl-2.0', 'etalab-2.0', 'eupl-1.1', 'eupl-1.2', 'gemma', 'gfdl', 'gpl', 'gpl-2.0', 'gpl-3.0', 'isc',
			'lgpl', 'lgpl-2.1', 'lgpl-3.0', 'lgpl-lr', 'llama2', 'llama3', 'llama3.1', 'llama3.2', 'llama3.3',
			'llama4', 'lppl-1.3c', 'mit', 'mpl-2.0', 'ms-pl', 'ncsa', 'odbl', 'odc-by', 'ofl-1.1', 'openrail',
			'openrail++', 'osl-3.0', 'other', 'pddl', 'postgresql', 'unknown', 'unlicense', 'wtfpl', 'zlib'])
			THEN @extschema@.llava_template('card_license', jsonb_build_object('id', said.id))
		ELSE @extschema@.llava_template('card_license_other', jsonb_build_object('name', to_json(licence)::text)) END
	FROM (SELECT regexp_replace(lower(btrim(licence)), '[\s_]+', '-', 'g') AS id) AS said;
END;
COMMENT ON FUNCTION @extschema@.llava_card_license(text) IS 'licence in the front matter of the card';

-- A person's words for the name: without its owner, and of a plain id the words in it.
CREATE FUNCTION @extschema@.llava_card_pretty(name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN bare ~ '^[A-Za-z0-9._-]+$' THEN initcap(translate(bare, '-_', '  ')) ELSE bare END
	FROM (SELECT regexp_replace(name, '^[A-Za-z0-9._-]+/', '') AS bare) AS b;
END;
COMMENT ON FUNCTION @extschema@.llava_card_pretty(text) IS 'pretty_name in the front matter of the card';

-- The shortest of the first rows, as the export has it; of recorded exports the first one's shape.
CREATE FUNCTION @extschema@.llava_card_example(chosen jsonb, train text) RETURNS jsonb LANGUAGE sql STABLE PARALLEL UNSAFE
BEGIN ATOMIC
	WITH said AS (
		SELECT coalesce(
			(SELECT m.settings FROM @extschema@.llava_manifest m WHERE chosen -> 'manifests' @> to_jsonb(m.id) ORDER BY m.id LIMIT 1),
			jsonb_build_object('format', CASE WHEN train IS NULL THEN 'imagefolder' ELSE 'llava' END,
				'image_token', 'first', 'image_name', 'path', 'rules', @extschema@.llava_export_rules())) AS s)
	SELECT first.line::jsonb FROM (
		SELECT (e.sample).line FROM (
			SELECT @extschema@.llava_card_exported(s ->> 'format', CASE WHEN chosen ? 'tasks'
					THEN ARRAY(SELECT jsonb_array_elements_text(chosen -> 'tasks')) END,
				NULL, false, NULL, NULL, s ->> 'image_token', s ->> 'image_name', s ->> 'folder', NULL, false, 0, NULL,
				coalesce((s -> 'rules')::integer, 1), chosen ? 'manifests') AS sample FROM said OFFSET 0) AS e
		WHERE NOT chosen ? 'manifests' OR EXISTS (SELECT FROM @extschema@.llava_manifest_line l
			WHERE l.image = (e.sample).image AND l.task = (e.sample).task
				AND chosen -> 'manifests' @> to_jsonb(l.manifest))
		LIMIT 20) AS first
	ORDER BY length(first.line) LIMIT 1;
END;
COMMENT ON FUNCTION @extschema@.llava_card_example(jsonb, text) IS 'the row on the card';

CREATE FUNCTION @extschema@.llava_card_row(example jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @extschema@.llava_template('card_row', jsonb_build_object(
		-- indented, so that nothing in it ends the block
		'row', regexp_replace(jsonb_pretty(example), '^', '    ', 'gn'),
		'fields', (SELECT string_agg(@extschema@.llava_template('card_field', jsonb_build_object('field', k.key,
				'type', jsonb_typeof(k.value), 'meaning', m.meaning)), '' ORDER BY m.nth)
			FROM jsonb_each(example) AS k
			LEFT JOIN (VALUES (1, 'id', '图片编号与任务 number of the picture, and task'),
				(2, 'task', '任务 task'),
				(3, 'image', '图片文件 file of the picture'),
				(4, 'images', '图片文件，只有一张 file of the picture, one'),
				(5, 'file_name', '图片文件 file of the picture'),
				(6, 'conversations', '对话：from 是 human 或 gpt，value 是文字 turns: from is human or gpt, value the text'),
				(7, 'messages', '对话：role 是 user 或 assistant，content 是内容 turns: role is user or assistant'))
				AS m (nth, key, meaning) ON m.key = k.key)))
	WHERE example IS NOT NULL;
END;
COMMENT ON FUNCTION @extschema@.llava_card_row(jsonb) IS 'the row on the card and its fields';

CREATE OR REPLACE FUNCTION @extschema@.llava_dataset_card(name text DEFAULT 'llava-instruct-zh',
	licence text DEFAULT NULL, train text DEFAULT 'train.jsonl', validation text DEFAULT NULL,
	tasks text[] DEFAULT NULL, manifests bigint[] DEFAULT NULL)
	RETURNS text LANGUAGE sql STABLE PARALLEL UNSAFE
BEGIN ATOMIC
	WITH chosen AS MATERIALIZED (
		SELECT @extschema@.llava_card_chosen(tasks, manifests) AS of),
	said AS MATERIALIZED (
		SELECT coalesce(llava_dataset_card.name, 'llava-instruct-zh') AS name, c.of,
			CASE WHEN c.of ? 'tasks' THEN ARRAY(SELECT jsonb_array_elements_text(c.of -> 'tasks')) END AS tasks,
			@extschema@.llava_card_files(c.of, train, validation) AS files
		FROM chosen AS c),
	sample AS (
		SELECT count(*) AS n, count(DISTINCT c.image) AS images,
			string_agg(DISTINCT r.parser_version::text, ', ') AS parsers,
			count(c.keep) AS looked, array_agg(DISTINCT c.task) AS tasks,
			round(100.0 * count(*) FILTER (WHERE (r.measures ->> 'quoted_han')::numeric > 0)
				/ nullif(count(*), 0), 1) AS quoting
		FROM said, @extschema@.llava_card_samples(said.of) AS c
		LEFT JOIN @extschema@.llava_reply r ON r.image = c.image AND r.id = c.reply),
	verdict AS (
		SELECT count(keep) AS looked, count(*) FILTER (WHERE NOT keep) AS dropped
		FROM @extschema@.llava_conversation, said, sample
		WHERE task = ANY (coalesce(said.tasks, sample.tasks))),
	-- of other tasks, as those that only judge, the card has nothing
	reply AS (
		SELECT count(*) AS n, count(reason) AS rejected FROM @extschema@.llava_reply, said, sample
		WHERE task = ANY (coalesce(said.tasks, sample.tasks)))
	SELECT @extschema@.llava_template('card', jsonb_build_object(
		'name', said.name, 'pretty_name', to_json(@extschema@.llava_card_pretty(said.name))::text,
		'load_name', to_json(said.name)::text,
		'license', @extschema@.llava_card_license(llava_dataset_card.licence),
		'licence_words', coalesce(llava_dataset_card.licence, @extschema@.llava_template('card_unstated', '{}')),
		'languages', @extschema@.llava_card_languages(said.of),
		'size', CASE WHEN sample.n < 1000 THEN 'n<1K' WHEN sample.n < 10000 THEN '1K<n<10K'
			WHEN sample.n < 100000 THEN '10K<n<100K' WHEN sample.n < 1000000 THEN '100K<n<1M'
			WHEN sample.n < 10000000 THEN '1M<n<10M' WHEN sample.n < 100000000 THEN '10M<n<100M'
			ELSE '100M<n<1B' END,
		'configs', @extschema@.llava_card_configs(said.files, train),
		'splits', @extschema@.llava_card_splits(said.files),
		'row', @extschema@.llava_card_row(@extschema@.llava_card_example(said.of, train)),
		'samples', to_char(sample.n, 'FM999,999,999,990'),
		'images', to_char(sample.images, 'FM999,999,999,990'),
		'unlooked', to_char(sample.n - sample.looked, 'FM999,999,999,990'),
		'looked', to_char(verdict.looked, 'FM999,999,999,990'),
		'dropped', to_char(verdict.dropped, 'FM999,999,999,990'),
		'replies', to_char(reply.n, 'FM999,999,999,990'),
		'rejected', to_char(reply.rejected, 'FM999,999,999,990'),
		'images_rejected', (SELECT to_char(coalesce(sum(count), 0), 'FM999,999,999,990')
			FROM @extschema@.llava_stat_reason WHERE kind = 'image'),
		'extension', (SELECT extversion FROM pg_extension WHERE extname = 'llava_zh'),
		'parsers', sample.parsers, 'quoting', coalesce(sample.quoting, 0),
		'tasks', @extschema@.llava_card_tasks(said.of), 'lengths', @extschema@.llava_card_lengths(said.of),
		'models', @extschema@.llava_card_models(said.of), 'reasons', @extschema@.llava_card_reasons(said.of),
		'licences', @extschema@.llava_card_licences(said.of), 'prompts', @extschema@.llava_card_prompts(said.of),
		'export', CASE WHEN said.of ? 'manifests' THEN @extschema@.llava_card_rebuild(manifests) ELSE concat(
			@extschema@.llava_card_export(CASE WHEN train IS NULL THEN 'imagefolder' ELSE 'llava' END,
				coalesce(train, 'metadata.jsonl'), CASE WHEN validation IS NOT NULL THEN 'train' END, said.tasks),
			@extschema@.llava_card_export('llava', validation, 'validation', said.tasks)) END))
	FROM sample, verdict, reply, said;
END;

--
-- The report (sql/parts/report.sql)
--

CREATE FUNCTION @extschema@.llava_chart(kind text, title text, note text, heading text, labels text[], series text[],
	at_label text[], at_series text[], "values" double precision[]) RETURNS text
	LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.llava_chart(text, text, text, text, text[], text[], text[], text[], double precision[]) IS
	'a plot of the report, and the table below it';

CREATE FUNCTION @extschema@.llava_report_step(days integer) RETURNS interval
	LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.llava_report_step(integer) IS
	'how long a column of the report''s plots over time is';

CREATE FUNCTION @extschema@.llava_report_bins(since timestamptz, step interval, OUT bin timestamp, OUT label text)
	RETURNS SETOF record LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT b, to_char(b, CASE WHEN step < interval '1 day' THEN 'MM-DD HH24:MI' ELSE 'YYYY-MM-DD' END)
	FROM generate_series(date_bin(step, since::timestamp, '2000-01-03'), now()::timestamp, step) AS b;
END;
COMMENT ON FUNCTION @extschema@.llava_report_bins(timestamptz, interval) IS 'the columns of the report''s plots over time';

CREATE FUNCTION @extschema@.llava_report_figure(zh text, en text, note text, kind text, heading text, labels text[],
	series text[], at_label text[], at_series text[], "values" double precision[]) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @extschema@.llava_template('report_figure', jsonb_build_object('zh', zh, 'en', en,
		'chart', @extschema@.llava_chart(kind, concat(zh, ' ', en), note, heading, labels, series, at_label, at_series, "values")));
END;
COMMENT ON FUNCTION @extschema@.llava_report_figure(text, text, text, text, text, text[], text[], text[], text[], double precision[]) IS
	'a plot of the report with its title';

CREATE FUNCTION @extschema@.llava_report_sum(label text, value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @extschema@.llava_template('report_sum', jsonb_build_object('label', label, 'value', value));
END;
COMMENT ON FUNCTION @extschema@.llava_report_sum(text, text) IS 'a number at the head of the report';

-- llava_conversation is read once.
CREATE FUNCTION @extschema@.llava_report_samples(since timestamptz, step interval, OUT sums text, OUT figures text)
	RETURNS record LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH bin AS (SELECT b.bin, b.label FROM @extschema@.llava_report_bins(since, step) AS b),
	made AS MATERIALIZED (
		SELECT date_bin(step, c.created_at::timestamp, '2000-01-03') AS bin, c.task, c.rounds, c.keep, count(*) AS n
		FROM @extschema@.llava_conversation c WHERE c.created_at >= since
		GROUP BY date_bin(step, c.created_at::timestamp, '2000-01-03'), c.task, c.rounds, c.keep),
	task AS (
		SELECT made.task, sum(made.n) AS n, coalesce(sum(made.n) FILTER (WHERE made.keep IS NOT NULL), 0) AS looked
		FROM made GROUP BY made.task),
	named AS (SELECT array_agg(task.task ORDER BY task.n DESC, task.task) AS tasks FROM task),
	hourly AS (
		SELECT array_agg(bin.label) AS label, array_agg(made.task::text) AS task, array_agg(made.n::double precision) AS n
		FROM made JOIN bin ON bin.bin = made.bin),
	rounds AS (
		SELECT array_agg(CASE WHEN made.rounds < 20 THEN made.rounds::text ELSE '≥ 20' END) AS label,
			array_agg(made.task::text) AS task, array_agg(made.n::double precision) AS n FROM made),
	looked AS (
		SELECT task.task, format('%s · 看过 looked at %s / %s', task.task,
			to_char(task.looked, 'FM999,999,999,990'), to_char(task.n, 'FM999,999,999,990')) AS label,
			row_number() OVER (ORDER BY task.looked DESC, task.task) AS nth
		FROM task WHERE task.looked > 0 ORDER BY task.looked DESC, task.task LIMIT 12),
	judged AS (
		SELECT array_agg(looked.label) AS label, array_agg(CASE WHEN made.keep THEN '保留 Good' ELSE '弃用 Bad' END) AS keep,
			array_agg(made.n::double precision) AS n
		FROM made JOIN looked ON looked.task = made.task WHERE made.keep IS NOT NULL)
	SELECT @extschema@.llava_report_sum('样本 Samples', to_char(coalesce((SELECT sum(task.n) FROM task), 0), 'FM999,999,999,990')),
		concat(
		@extschema@.llava_report_figure('新增样本', 'New samples', '按样本入库的时间，分任务。By the time at which they were stored, by task.',
			'columns', '时间 Time', (SELECT array_agg(bin.label ORDER BY bin.bin) FROM bin), named.tasks,
			hourly.label, hourly.task, hourly.n),
		@extschema@.llava_report_figure('轮数', 'Rounds', '每条样本的问答对数，分任务。Pairs of question and answer of a sample, by task.',
			'columns', '轮数 Rounds', (SELECT array_agg(r.label ORDER BY r.n) FROM (
				SELECT CASE WHEN g < 20 THEN g::text ELSE '≥ 20' END AS label, g AS n
				FROM generate_series((SELECT least(1, min(made.rounds)) FROM made),
					(SELECT greatest(5, least(20, max(made.rounds))) FROM made)) AS g) AS r),
			named.tasks, rounds.label, rounds.task, rounds.n),
		@extschema@.llava_report_figure('人工判定', 'Judged by people',
			'llava_conversation.keep；没有看过的不在图中。Those that nobody looked at are not in the plot.',
			'bars', '任务 Task', (SELECT array_agg(looked.label ORDER BY looked.nth) FROM looked), ARRAY['保留 Good', '弃用 Bad'],
			judged.label, judged.keep, judged.n))
	FROM named, hourly, rounds, judged;
END;
COMMENT ON FUNCTION @extschema@.llava_report_samples(timestamptz, interval) IS 'the report''s plots of samples';

-- What the report needs of each reply.
CREATE FUNCTION @extschema@.llava_report_ledger(since timestamptz, step interval, OUT bin timestamp, OUT task text, OUT server text,
	OUT reason text, OUT latency_ms bigint, OUT cost double precision, OUT chars integer, OUT han integer,
	OUT letters integer)
	RETURNS SETOF record LANGUAGE sql STABLE PARALLEL SAFE ROWS 100000
BEGIN ATOMIC
	SELECT date_bin(step, r.received_at::timestamp, '2000-01-03'), r.task, r.server, r.reason, r.latency_ms, r.cost,
		CASE WHEN r.reason IS NULL THEN (r.measures ->> 'chars')::integer END,
		CASE WHEN r.reason IS NULL THEN (r.measures ->> 'han')::integer END,
		CASE WHEN r.reason IS NULL THEN (r.measures ->> 'all_letters')::integer END
	FROM @extschema@.llava_reply r WHERE r.received_at >= since;
END;
COMMENT ON FUNCTION @extschema@.llava_report_ledger(timestamptz, interval) IS 'what the report needs of each reply';

-- The ledger is read once, and what is needed of it kept beside.
CREATE FUNCTION @extschema@.llava_report_replies(since timestamptz, step interval, OUT sums text, OUT figures text)
	RETURNS record LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH bin AS (SELECT b.bin, b.label FROM @extschema@.llava_report_bins(since, step) AS b),
	bins AS (SELECT array_agg(bin.label ORDER BY bin.bin) AS labels FROM bin),
	reply AS MATERIALIZED (SELECT * FROM @extschema@.llava_report_ledger(since, step)),
	hourly AS MATERIALIZED (
		SELECT reply.bin, reply.server, coalesce(reply.reason, 'accepted') AS verdict, count(*) AS n, sum(reply.cost) AS cost
		FROM reply GROUP BY reply.bin, reply.server, coalesce(reply.reason, 'accepted')),
	verdict AS (
		SELECT array_agg(v.verdict ORDER BY v.verdict <> 'accepted', v.n DESC, v.verdict COLLATE "C") AS names
		FROM (SELECT hourly.verdict, sum(hourly.n) AS n FROM hourly GROUP BY hourly.verdict) AS v),
	-- the sixth and those behind it share a plot
	server AS (
		SELECT s.server, least(s.nth, 6) AS nth, s.n, count(*) OVER (PARTITION BY least(s.nth, 6)) AS sharing
		FROM (SELECT hourly.server, sum(hourly.n) AS n,
				row_number() OVER (ORDER BY sum(hourly.n) DESC, hourly.server COLLATE "C") AS nth
			FROM hourly GROUP BY hourly.server) AS s),
	verdicts AS (
		SELECT server.nth, min(CASE WHEN server.sharing > 1 THEN '其他服务器 other servers' ELSE server.server END) AS name,
			array_agg(bin.label) AS label, array_agg(hourly.verdict) AS verdict, array_agg(hourly.n::double precision) AS n
		FROM hourly JOIN server ON server.server = hourly.server JOIN bin ON bin.bin = hourly.bin
		GROUP BY server.nth),
	cost AS (
		SELECT array_agg(bin.label) AS label, array_agg(hourly.server) AS server, array_agg(hourly.cost) AS cost
		FROM hourly JOIN bin ON bin.bin = hourly.bin),
	latency AS (
		SELECT array_agg(bin.label) AS label, array_agg(p.of) AS of, array_agg(l.ms[p.n]::double precision / 1000) AS seconds
		FROM (SELECT reply.bin,
				percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY reply.latency_ms) AS ms
			FROM reply WHERE reply.latency_ms IS NOT NULL GROUP BY reply.bin) AS l
		JOIN bin ON bin.bin = l.bin
		CROSS JOIN (VALUES (1, '中位数 Median'), (2, '95 % 以内 95th percentile')) AS p (n, of)),
	-- characters by fives, and by how much of the letters is Chinese
	said AS MATERIALIZED (
		SELECT reply.task, reply.chars / 5 * 5 AS chars, width_bucket(100.0::double precision * reply.han / nullif(reply.letters, 0),
				ARRAY[50, 80, 90, 95, 98, 100]::double precision[]) AS class,
			count(*) AS n, sum(reply.han) AS han, sum(reply.letters) AS letters
		FROM reply WHERE reply.reason IS NULL AND reply.chars IS NOT NULL
			AND reply.task NOT IN (SELECT t.name FROM @extschema@.llava_task t WHERE t.kind = 'json')
		GROUP BY reply.task, reply.chars / 5, 3),
	length AS (
		SELECT said.task, said.chars, sum(said.n) AS n,
			sum(sum(said.n)) OVER (PARTITION BY said.task ORDER BY said.chars) AS up_to,
			sum(sum(said.n)) OVER (PARTITION BY said.task) AS total
		FROM said GROUP BY said.task, said.chars),
	quantile AS (
		SELECT length.task, format('%s · p5 %s · p50 %s · p95 %s', length.task,
				min(length.chars) FILTER (WHERE length.up_to >= 0.05 * length.total),
				min(length.chars) FILTER (WHERE length.up_to >= 0.50 * length.total),
				min(length.chars) FILTER (WHERE length.up_to >= 0.95 * length.total)) AS name,
			max(length.total) AS n, min(length.chars) FILTER (WHERE length.up_to >= 0.99 * length.total) AS most
		FROM length GROUP BY length.task),
	-- forty classes or fewer up to where nearly all are
	width AS (
		SELECT coalesce(min(w.w), 100000) AS width, coalesce(max(q.most), 0) AS most
		FROM (SELECT max(quantile.most) AS most FROM quantile) AS q
		LEFT JOIN unnest(ARRAY[5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10000]) AS w (w) ON q.most <= 40 * w.w),
	lengths AS (
		SELECT array_agg((least(length.chars, width.most) / width.width * width.width)::text) AS label,
			array_agg(quantile.name) AS name, array_agg(length.n::double precision) AS n
		FROM length JOIN quantile ON quantile.task = length.task CROSS JOIN width),
	chinese AS (
		SELECT said.task, said.n, format('%s · 平均 mean %s %%', said.task, round(100.0 * sum(said.han) OVER w
				/ nullif(sum(said.letters) OVER w, 0), 1)) AS name,
			(ARRAY['0–50 %', '50–80 %', '80–90 %', '90–95 %', '95–98 %', '98–100 %', '100 %'])[1 + said.class] AS label
		FROM said WHERE said.class IS NOT NULL WINDOW w AS (PARTITION BY said.task)),
	shares AS (
		SELECT array_agg(chinese.label) AS label, array_agg(chinese.name) AS name,
			array_agg(chinese.n::double precision) AS n FROM chinese),
	total AS (
		SELECT coalesce(sum(hourly.n), 0) AS replies, coalesce(sum(hourly.n) FILTER (WHERE hourly.verdict = 'accepted'), 0) AS accepted,
			coalesce(sum(hourly.cost), 0) AS cost FROM hourly),
	priced AS (
		SELECT total.cost > 0 OR EXISTS (SELECT FROM pg_foreign_server s
			JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw AND w.fdwname = 'llava_zh',
			LATERAL pg_options_to_table(s.srvoptions) AS o
			WHERE o.option_name IN ('input_price', 'output_price')) AS is FROM total)
	SELECT concat(
		@extschema@.llava_report_sum('回复 Replies', to_char(total.replies, 'FM999,999,999,990')),
		@extschema@.llava_report_sum('采用率 Accepted', concat(coalesce(round(100.0 * total.accepted / nullif(total.replies, 0), 1)::text, '–'), ' %')),
		@extschema@.llava_report_sum('花费 Cost', CASE WHEN priced.is THEN to_char(total.cost, 'FM999,999,999,990.00')
			ELSE '未设单价 No prices' END)),
		concat(
		CASE WHEN priced.is THEN @extschema@.llava_report_figure('花费', 'Cost', '结算时按服务器的价格算出，分服务器。By the servers'' prices when the replies were settled, by server.',
			'columns', '时间 Time', bins.labels,
			(SELECT array_agg(server.server ORDER BY server.n DESC, server.server COLLATE "C") FROM server), cost.label, cost.server, cost.cost)
			ELSE @extschema@.llava_template('report_unpriced', '{}') END,
		(SELECT string_agg(@extschema@.llava_report_figure(concat('回复与判定：', v.name), 'Replies and verdicts',
				'按收到的时间；accepted 为采用，其余为未采用的原因。By arrival; what is not accepted is a reason of the reference.',
				'columns', '时间 Time', bins.labels, verdict.names, v.label, v.verdict, v.n), '' ORDER BY v.nth)
			FROM verdicts AS v),
		@extschema@.llava_report_figure('延迟', 'Latency', '从发送到收完最后一个字节，单位秒。Seconds from sending to the last byte.',
			'lines', '时间 Time', bins.labels, ARRAY['95 % 以内 95th percentile', '中位数 Median'],
			latency.label, latency.of, latency.seconds),
		@extschema@.llava_report_figure('回复长度', 'Lengths of replies', format(
			'采用的回复的字数，取自 llava_reply.measures 的 chars，每 %s 字一档，最后一档含更长的。'
			'Characters of accepted replies, from chars of llava_reply.measures, in classes of %s; the last has all longer ones.',
				width.width, width.width),
			'lines', '字数（起） Characters, from',
			(SELECT array_agg(c::text ORDER BY c) FROM generate_series(0, width.most, width.width) AS c),
			(SELECT array_agg(quantile.name ORDER BY quantile.n DESC, quantile.name COLLATE "C") FROM quantile),
			lengths.label, lengths.name, lengths.n),
		@extschema@.llava_report_figure('中文比例', 'Share of Chinese',
			'采用的回复中汉字占字母的比例（han / all_letters，取自 llava_reply.measures）。'
			'Han among the letters of accepted replies (han / all_letters of llava_reply.measures).',
			'columns', '比例 Share', ARRAY['0–50 %', '50–80 %', '80–90 %', '90–95 %', '95–98 %', '98–100 %', '100 %'],
			(SELECT array_agg(c.name ORDER BY c.n DESC, c.name COLLATE "C") FROM (
				SELECT chinese.name, sum(chinese.n) AS n FROM chinese GROUP BY chinese.name) AS c),
			shares.label, shares.name, shares.n))
	FROM bins, verdict, cost, latency, lengths, shares, total, width, priced;
END;
COMMENT ON FUNCTION @extschema@.llava_report_replies(timestamptz, interval) IS 'the report''s plots of replies';

-- What no reply tells of is counted by server and not by time.
CREATE FUNCTION @extschema@.llava_report_requests() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH server AS (
		SELECT u.server, u.requests, u.accepted, u.replies - u.accepted AS rejected, greatest(u.requests - u.replies, 0) AS unanswered
		FROM @extschema@.llava_usage u WHERE u.requests > 0 ORDER BY u.requests DESC, u.server COLLATE "C" LIMIT 12),
	cell AS (
		SELECT server.server, c.kind, c.n::double precision AS n FROM server
		CROSS JOIN LATERAL (VALUES ('采用 Accepted', server.accepted), ('未采用 Not accepted', server.rejected),
			('没有回复 No answer', server.unanswered)) AS c (kind, n)),
	cells AS (SELECT array_agg(cell.server) AS label, array_agg(cell.kind) AS kind, array_agg(cell.n) AS n FROM cell)
	SELECT @extschema@.llava_report_figure('全部请求', 'All requests',
		'自开始以来，不限上面的天数，取自 llava_usage；没有回复的请求只有总数。'
		'Since the beginning, whatever the days above, from llava_usage; requests without an answer are known as totals only.',
		'bars', '服务器 Server', (SELECT array_agg(server.server ORDER BY server.requests DESC, server.server COLLATE "C") FROM server),
		ARRAY['采用 Accepted', '未采用 Not accepted', '没有回复 No answer'], cells.label, cells.kind, cells.n)
	FROM cells;
END;
COMMENT ON FUNCTION @extschema@.llava_report_requests() IS 'the report''s plot of all requests';

CREATE FUNCTION @extschema@.llava_report_pictures(OUT sums text, OUT figures text) RETURNS record LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH picture AS MATERIALIZED (
		SELECT width_bucket(i.width::double precision * i.height / 1000000,
				ARRAY[0.1, 0.25, 0.5, 1, 2, 4, 8, 16]::double precision[]) AS size,
			width_bucket(CASE WHEN i.orientation >= 5 THEN i.height::double precision / i.width
				ELSE i.width::double precision / i.height END,
				ARRAY[0.3333, 0.5, 0.7, 0.98, 1.02, 1.4, 2, 3]::double precision[]) AS ratio, count(*) AS n
		FROM @extschema@.llava_image i WHERE i.width > 0 AND i.height > 0 GROUP BY 1, 2),
	cells AS (
		SELECT array_agg((ARRAY['≤0.1', '0.1–0.25', '0.25–0.5', '0.5–1', '1–2', '2–4', '4–8', '8–16', '≥16'])[1 + picture.size]) AS size,
			array_agg((ARRAY['≤1:3', '1:3–1:2', '1:2–7:10', '7:10–1:1', '1:1', '1:1–7:5', '7:5–2:1', '2:1–3:1', '≥3:1'])[1 + picture.ratio]) AS ratio,
			array_agg('图片 Pictures'::text) AS pictures, array_agg(picture.n::double precision) AS n FROM picture)
	SELECT @extschema@.llava_report_sum('图片 Pictures', to_char(coalesce((SELECT sum(picture.n) FROM picture), 0), 'FM999,999,999,990')),
		concat(
		@extschema@.llava_report_figure('图片大小', 'Sizes of pictures', '库中全部图片，单位百万像素。All pictures there are, in megapixels.',
			'columns', '百万像素 Megapixels', ARRAY['≤0.1', '0.1–0.25', '0.25–0.5', '0.5–1', '1–2', '2–4', '4–8', '8–16', '≥16'],
			ARRAY['图片 Pictures'], cells.size, cells.pictures, cells.n),
		@extschema@.llava_report_figure('图片宽高比', 'Ratios of pictures',
			'库中全部图片，宽比高，已按 EXIF 转正。All pictures there are, width to height, upright as EXIF says.',
			'columns', '宽高比 Ratio',
			ARRAY['≤1:3', '1:3–1:2', '1:2–7:10', '7:10–1:1', '1:1', '1:1–7:5', '7:5–2:1', '2:1–3:1', '≥3:1'],
			ARRAY['图片 Pictures'], cells.ratio, cells.pictures, cells.n))
	FROM cells;
END;
COMMENT ON FUNCTION @extschema@.llava_report_pictures() IS 'the report''s plots of pictures';

CREATE FUNCTION @extschema@.llava_report(days integer DEFAULT 7) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH span AS (
		SELECT d.days, d.step, now() - make_interval(days => d.days) AS since, extract(epoch FROM d.step)::integer / 3600 AS hours
		FROM (SELECT n.days, @extschema@.llava_report_step(n.days) AS step FROM (SELECT coalesce(llava_report.days, 7) AS days) AS n) AS d)
	SELECT @extschema@.llava_template('report', jsonb_build_object('days', span.days,
		'since', to_char(span.since, 'YYYY-MM-DD HH24:MI'), 'until', to_char(now(), 'YYYY-MM-DD HH24:MI'),
		'bins', @extschema@.llava_template('report_bins', CASE
			WHEN span.step < interval '1 day' THEN jsonb_build_object('zh', concat(span.hours, ' 小时'), 'en', concat(span.hours, ' h'))
			ELSE jsonb_build_object('zh', concat(span.hours / 24, ' 天'), 'en', concat(span.hours / 24, ' d')) END),
		'extension', (SELECT extversion FROM pg_extension WHERE extname = 'llava_zh'),
		'sums', concat(samples.sums, replies.sums, pictures.sums),
		'figures', concat(samples.figures, replies.figures, @extschema@.llava_report_requests(), pictures.figures)))
	FROM span, @extschema@.llava_report_samples(span.since, span.step) AS samples,
		@extschema@.llava_report_replies(span.since, span.step) AS replies, @extschema@.llava_report_pictures() AS pictures;
END;
REVOKE ALL ON FUNCTION @extschema@.llava_report(integer) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.llava_report(integer) IS
	'one HTML page of the last days: plots and tables of samples, cost, replies, latency, lengths and pictures';

--
-- COPY with format jsonl (sql/parts/jsonl.sql)
--

--
-- What ANALYZE copied into pg_statistic, and bodies that a takedown has erased
--

ALTER TABLE @extschema@.llava_image ALTER COLUMN image SET STATISTICS 0,
	ALTER COLUMN meta SET STATISTICS 0, ALTER COLUMN rejected_detail SET STATISTICS 0,
	ALTER COLUMN file_time SET STATISTICS 0;
ALTER TABLE @extschema@.llava_conversation ALTER COLUMN conversation SET STATISTICS 0,
	ALTER COLUMN note SET STATISTICS 0;
ALTER TABLE @extschema@.llava_reply ALTER COLUMN body SET STATISTICS 0,
	ALTER COLUMN parameters SET STATISTICS 0, ALTER COLUMN measures SET STATISTICS 0,
	ALTER COLUMN note SET STATISTICS 0;
ALTER TABLE @extschema@.llava_hash ALTER COLUMN coarse SET STATISTICS 0,
	ALTER COLUMN fine SET STATISTICS 0, ALTER COLUMN colours SET STATISTICS 0;
ALTER TABLE @extschema@.llava_pending ALTER COLUMN detail SET STATISTICS 0;
ALTER TABLE @extschema@.llava_manifest_line ALTER COLUMN file_name SET STATISTICS 0;

-- The target alone leaves there what is stored.
CREATE FUNCTION @extschema@.llava_update_statistics(relation oid, place smallint) RETURNS void
	LANGUAGE c STRICT AS 'MODULE_PATHNAME';
SELECT @extschema@.llava_update_statistics(a.attrelid, a.attnum)
FROM pg_extension e
JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'
JOIN pg_attribute a ON a.attrelid = d.objid AND a.attnum > 0 AND a.attstattarget = 0
WHERE e.extname = 'llava_zh';
DROP FUNCTION @extschema@.llava_update_statistics(oid, smallint);

CREATE FUNCTION @extschema@.llava_update_bodies() RETURNS void LANGUAGE c AS 'MODULE_PATHNAME';
SELECT @extschema@.llava_update_bodies();
DROP FUNCTION @extschema@.llava_update_bodies();

--
-- Who may execute what
--

CREATE FUNCTION @extschema@.llava_update_grant(statement text, initial boolean) RETURNS void
	LANGUAGE c STRICT AS 'MODULE_PATHNAME';

--
-- Functions whose arguments are others.  A function keeps the arguments that it was made
-- with, so it was renamed to name_1_0_0 above and the new one made beside it.
--

-- Who was granted the old one has the new one.
SELECT @extschema@.llava_update_grant(concat('GRANT EXECUTE ON ROUTINE ', n.oid::regprocedure, ' TO ',
		CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
		CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END), false)
FROM pg_extension e
JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
JOIN pg_proc o ON o.oid = d.objid
JOIN pg_proc n ON n.pronamespace = o.pronamespace AND o.proname = n.proname || '_1_0_0',
LATERAL aclexplode(o.proacl) AS a
WHERE e.extname = 'llava_zh' AND a.grantee <> o.proowner
	-- PUBLIC had these without a grant
	AND (a.grantee <> 0 OR n.proname NOT IN ('llava_selected', 'llava_exported'));

-- No longer PUBLIC's.  What users were granted is taken away before and given back after, so
-- that it does not count as the extension's own, which pg_dump would leave out.
SELECT @extschema@.llava_update_grant(concat('REVOKE ALL ON FUNCTION ', f.name, ' FROM ',
		string_agg(DISTINCT f.grantee, ', '), ' CASCADE'), false),
	@extschema@.llava_update_grant(concat('REVOKE ALL ON FUNCTION ', f.name, ' FROM PUBLIC'), true),
	-- NULL, and not called, where there is nobody
	@extschema@.llava_update_grant('GRANT EXECUTE ON FUNCTION ' || f.name || ' TO '
		|| string_agg(DISTINCT f.grantee, ', ') FILTER (WHERE f.grantee <> 'PUBLIC'), false),
	@extschema@.llava_update_grant('GRANT EXECUTE ON FUNCTION ' || f.name || ' TO '
		|| string_agg(DISTINCT f.grantee, ', ') FILTER (WHERE f.grantable) || ' WITH GRANT OPTION', false)
FROM (SELECT p.oid::regprocedure AS name, a.is_grantable AS grantable,
		CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee
	FROM pg_extension e
	JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
		AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
	JOIN pg_proc p ON p.oid = d.objid,
	LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
	WHERE e.extname = 'llava_zh' AND a.grantee <> p.proowner
		AND p.proname IN ('llava_server_counters', 'llava_worker_counters', 'llava_selected_1_0_0',
			'llava_exported_1_0_0', 'llava_manifest_today')) AS f
GROUP BY f.name;

-- Who was granted a function or a view may execute what that calls; who was granted
-- llava_export, also llava_selected and llava_export_array, which tell the same.
SELECT @extschema@.llava_update_grant(concat('GRANT EXECUTE ON FUNCTION ', p.oid::regprocedure, ' TO ',
		CASE h.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(h.grantee)) END,
		CASE WHEN h.grantable THEN ' WITH GRANT OPTION' END), false)
FROM pg_extension e
JOIN LATERAL (
	SELECT p.proname AS name, a.grantee, bool_or(a.is_grantable) AS grantable
	FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid, LATERAL aclexplode(p.proacl) AS a
	WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
		AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e' AND a.grantee <> p.proowner
	GROUP BY p.proname, a.grantee
	UNION ALL
	SELECT c.relname, a.grantee, bool_or(a.is_grantable)
	FROM pg_depend d JOIN pg_class c ON c.oid = d.objid,
	LATERAL (SELECT c.relacl UNION ALL SELECT attacl FROM pg_attribute WHERE attrelid = c.oid) AS held (acl),
	LATERAL aclexplode(held.acl) AS a
	WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.classid = 'pg_class'::regclass
		AND d.deptype = 'e' AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner
	GROUP BY c.relname, a.grantee) AS h ON true
JOIN (VALUES ('llava_export', 'llava_exported'), ('llava_export', 'llava_selected'), ('llava_export', 'llava_export_array'),
	('llava_validate', 'llava_selected'),
	('llava_export_list', 'llava_exported'), ('llava_export_images', 'llava_exported'),
	('llava_record_export', 'llava_exported'), ('llava_verify_export', 'llava_exported_by'),
	('llava_verify_export', 'llava_manifest_today'), ('llava_rebuild_export', 'llava_exported_by'),
	('llava_rebuild_export', 'llava_manifest_today'), ('llava_stat_server', 'llava_server_counters'),
	('llava_stat_server', 'llava_server_limits'), ('llava_stat_server', 'llava_server_endpoints'),
	('llava_stat_worker', 'llava_worker_counters'),
	('llava_stat_worker', 'llava_process_activity'), ('llava_stat_worker', 'llava_worker_slots'),
	('llava_stat_worker', 'llava_missing_workers'), ('llava_progress', 'llava_task_in_flight')
	) AS needs (holder, function) ON needs.holder = h.name
JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
JOIN pg_proc p ON p.oid = d.objid AND p.proname = needs.function
WHERE e.extname = 'llava_zh';

-- llava_status reads llava_fetch, too: who could read it goes on reading it.
SELECT @extschema@.llava_update_grant(concat('GRANT SELECT ON @extschema@.llava_fetch TO ',
		CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
		CASE WHEN bool_or(a.is_grantable) THEN ' WITH GRANT OPTION' END), false)
FROM pg_class c, LATERAL (SELECT c.relacl UNION ALL SELECT attacl FROM pg_attribute WHERE attrelid = c.oid) AS held (acl),
	LATERAL aclexplode(held.acl) AS a
WHERE c.oid = '@extschema@.llava_pending'::regclass AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner
GROUP BY a.grantee;

-- llava_published reads llava_manifest_shard, too.
SELECT @extschema@.llava_update_grant(concat('GRANT SELECT ON @extschema@.llava_manifest_shard TO ',
		CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
		CASE WHEN bool_or(a.is_grantable) THEN ' WITH GRANT OPTION' END), false)
FROM pg_class c, LATERAL (SELECT c.relacl UNION ALL SELECT attacl FROM pg_attribute WHERE attrelid = c.oid) AS held (acl),
	LATERAL aclexplode(held.acl) AS a
WHERE c.oid = '@extschema@.llava_manifest'::regclass AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner
GROUP BY a.grantee;

-- llava_status reads further columns of llava_pending, too.
SELECT @extschema@.llava_update_grant(concat('GRANT SELECT (server, not_server) ON @extschema@.llava_pending TO ',
		CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
		CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END), false)
FROM pg_attribute c, LATERAL aclexplode(c.attacl) AS a
WHERE c.attrelid = '@extschema@.llava_pending'::regclass AND c.attname = 'holder' AND a.privilege_type = 'SELECT';

-- llava_dataset_card reads llava_manifest_gone, too.
SELECT @extschema@.llava_update_grant(concat('GRANT SELECT ON @extschema@.llava_manifest_gone TO ',
		CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
		CASE WHEN bool_or(a.is_grantable) THEN ' WITH GRANT OPTION' END), false)
FROM pg_class c, LATERAL (SELECT c.relacl UNION ALL SELECT attacl FROM pg_attribute WHERE attrelid = c.oid) AS held (acl),
	LATERAL aclexplode(held.acl) AS a
WHERE c.oid = '@extschema@.llava_manifest_line'::regclass AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner
GROUP BY a.grantee;

-- Who may read the samples, or a column of theirs, may read the annotations, too; and a worker's
-- role may write them.
SELECT @extschema@.llava_update_grant(concat('GRANT ', g.privilege_type, ' ON @extschema@.llava_annotation TO ', g.grantee,
		CASE WHEN g.grantable THEN ' WITH GRANT OPTION' END), false)
FROM (SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee,
		a.privilege_type, bool_or(a.is_grantable) AS grantable
	FROM pg_class c, LATERAL aclexplode(c.relacl) AS a
	WHERE c.oid = '@extschema@.llava_conversation'::regclass
		AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
		AND a.grantee <> c.relowner GROUP BY a.grantee, a.privilege_type) AS g;
SELECT @extschema@.llava_update_grant(concat('GRANT SELECT (', n.name, ') ON @extschema@.llava_annotation TO ',
		CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
		CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END), false)
FROM pg_attribute c CROSS JOIN LATERAL aclexplode(c.attacl) AS a
JOIN (VALUES ('image', 'image'), ('task', 'task'), ('conversation', 'object'), ('flags', 'flags'),
	('reply', 'reply'), ('task_version', 'task_version'), ('created_at', 'at')) AS n (before, name)
	ON n.before = c.attname
WHERE c.attrelid = '@extschema@.llava_conversation'::regclass AND a.privilege_type = 'SELECT';
-- Who may read a column by which llava_progress counted may read those that it counts by now.
SELECT @extschema@.llava_update_grant(concat('GRANT SELECT (', n.name, ') ON @extschema@.', n.relation, ' TO ',
		CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
		CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END), false)
FROM (VALUES ('llava_task', 'weight', 'after'), ('llava_pending', 'holder', 'image'),
	('llava_image', 'rejected', 'id, task, received_at')) AS n (relation, before, name)
JOIN pg_attribute c ON c.attrelid = concat('@extschema@.', n.relation)::regclass AND c.attname = n.before
CROSS JOIN LATERAL aclexplode(c.attacl) AS a
WHERE a.privilege_type = 'SELECT';

-- The old one goes, unless something of a user's depends on it, which then goes on with it.
CREATE FUNCTION @extschema@.llava_update_replaced(routine regprocedure) RETURNS void
	LANGUAGE c STRICT AS 'MODULE_PATHNAME';
SELECT @extschema@.llava_update_replaced('@extschema@.llava_enqueue_1_0_0(bigint, text, boolean)');
SELECT @extschema@.llava_update_replaced('@extschema@.llava_retry_1_0_0(bigint, text, text)');
SELECT @extschema@.llava_update_replaced('@extschema@.llava_record_export_1_0_0(text, text, text[], text[], boolean, text, double precision, text, text, text, bigint, boolean, integer)');
SELECT @extschema@.llava_update_replaced('@extschema@.llava_export_images_1_0_0(text, boolean, text[], text[], boolean, text, double precision, text)');
SELECT @extschema@.llava_update_replaced('@extschema@.llava_export_list_1_0_0(text[], text[], boolean, text, double precision, text, bigint)');
SELECT @extschema@.llava_update_replaced('@extschema@.llava_selected_1_0_0(text, text[], text[], boolean, text, double precision, text, text, text, bigint, boolean, integer)');
SELECT @extschema@.llava_update_replaced('@extschema@.llava_exported_1_0_0(text, text[], text[], boolean, text, double precision, text, text, text, bigint, boolean, integer)');
SELECT @extschema@.llava_update_replaced('@extschema@.llava_export_1_0_0(text, text[], text[], boolean, text, double precision, text, text, text, bigint, boolean, integer)');
SELECT @extschema@.llava_update_replaced('@extschema@.llava_load_1_0_0(text, text, text, integer, boolean)');
SELECT @extschema@.llava_update_replaced('@extschema@.llava_dataset_info_1_0_0(text, text)');
SELECT @extschema@.llava_update_replaced('@extschema@.llava_card_tasks_1_0_0(text[], bigint[])');
SELECT @extschema@.llava_update_replaced('@extschema@.llava_card_lengths_1_0_0(text[], bigint[])');
SELECT @extschema@.llava_update_replaced('@extschema@.llava_card_models_1_0_0(text[], bigint[])');
SELECT @extschema@.llava_update_replaced('@extschema@.llava_card_prompts_1_0_0(text[], bigint[])');
SELECT @extschema@.llava_update_replaced('@extschema@.llava_card_licences_1_0_0(text[], bigint[])');
SELECT @extschema@.llava_update_replaced('@extschema@.llava_card_languages_1_0_0(text[], bigint[])');
SELECT @extschema@.llava_update_replaced('@extschema@.llava_card_samples_1_0_0(text[], bigint[])');
SELECT @extschema@.llava_update_replaced('@extschema@.llava_card_reasons_1_0_0(text[])');
SELECT @extschema@.llava_update_replaced('@extschema@.llava_reparse_1_0_0(text, bigint, integer, jsonb)');
SELECT @extschema@.llava_update_replaced('@extschema@.llava_parse_reply_1_0_0(text, text, text)');
DROP FUNCTION @extschema@.llava_update_replaced(regprocedure);
DROP FUNCTION @extschema@.llava_update_grant(text, boolean);

--
-- Columns (beside each table and view in sql/parts)
--

COMMENT ON COLUMN @extschema@.llava_image.id IS 'number of the picture, drawn from a sequence';
COMMENT ON COLUMN @extschema@.llava_image.image IS 'the bytes; NULL for a copy, a rejected or erased picture, or in_file';
COMMENT ON COLUMN @extschema@.llava_image.path IS 'your name for it, relative; exports call the image so';
COMMENT ON COLUMN @extschema@.llava_image.in_file IS 'true: the bytes stay in the file path, below llava_zh.image_directory';
COMMENT ON COLUMN @extschema@.llava_image.source_url IS 'where the file was fetched; yours';
COMMENT ON COLUMN @extschema@.llava_image.page_url IS 'the page that showed it; yours';
COMMENT ON COLUMN @extschema@.llava_image.licence IS 'the licence as you state it; the card counts them';
COMMENT ON COLUMN @extschema@.llava_image.task IS 'task to queue, by name or alias; NULL at INSERT: drawn to the mix';
COMMENT ON COLUMN @extschema@.llava_image.sha256 IS 'of the bytes; one that you give is compared with them';
COMMENT ON COLUMN @extschema@.llava_image.format IS 'jpeg, png, webp, gif or avif';
COMMENT ON COLUMN @extschema@.llava_image.width IS 'in pixels as stored; EXIF orientations 5 to 8 swap the sides';
COMMENT ON COLUMN @extschema@.llava_image.height IS 'in pixels as stored';
COMMENT ON COLUMN @extschema@.llava_image.channels IS '1 grey, 2 grey with alpha, 3 colour, 4 with alpha or CMYK';
COMMENT ON COLUMN @extschema@.llava_image.bits IS 'bits per channel';
COMMENT ON COLUMN @extschema@.llava_image.orientation IS 'as EXIF says, 1 to 8';
COMMENT ON COLUMN @extschema@.llava_image.progressive IS 'progressive JPEG or interlaced PNG or GIF';
COMMENT ON COLUMN @extschema@.llava_image.animated IS 'more than one frame; the first is the picture';
COMMENT ON COLUMN @extschema@.llava_image.complete IS 'false: the file ends early; exports write what the model was sent';
COMMENT ON COLUMN @extschema@.llava_image.bytes IS 'size of the file';
COMMENT ON COLUMN @extschema@.llava_image.rejected IS 'why no model can be asked about the picture; NULL: it can be';
COMMENT ON COLUMN @extschema@.llava_image.rejected_detail IS 'the same in words';
COMMENT ON COLUMN @extschema@.llava_image.same_as IS 'first image with the same bytes, or that it looks like (same_distance)';
COMMENT ON COLUMN @extschema@.llava_image.long_images IS 'what becomes of it if it is long; NULL: as its task says';
COMMENT ON COLUMN @extschema@.llava_image.same_distance IS 'bits of 256 in which the hashes differ; NULL: the same bytes';
COMMENT ON COLUMN @extschema@.llava_image.meta IS 'anything of yours, as JSON';
COMMENT ON COLUMN @extschema@.llava_image.received_at IS 'when it was taken in; set at INSERT: the row is a restore';
COMMENT ON COLUMN @extschema@.llava_image.rows IS 'of a file that ends early: rows that are there, as far as is known';
COMMENT ON COLUMN @extschema@.llava_image.file_time IS 'when its file was changed; llava_load reads no file of this time and size again';

COMMENT ON COLUMN @extschema@.llava_seen.sha256 IS 'of the bytes';
COMMENT ON COLUMN @extschema@.llava_seen.image IS 'first image that had them, even if it is gone';
COMMENT ON COLUMN @extschema@.llava_seen.forgotten_at IS 'when llava_forget erased it: these bytes are refused since';
COMMENT ON COLUMN @extschema@.llava_seen.forgotten_reason IS 'the reason that llava_forget was given';

COMMENT ON COLUMN @extschema@.llava_hash.image IS 'the picture';
COMMENT ON COLUMN @extschema@.llava_hash.coarse IS '64 bits of its low frequencies, by which candidates are found';
COMMENT ON COLUMN @extschema@.llava_hash.fine IS '256 bits that confirm a candidate';
COMMENT ON COLUMN @extschema@.llava_hash.colours IS 'mean colours of its quarters, which confirm it too';
COMMENT ON COLUMN @extschema@.llava_hash.copy IS 'true: a copy of another picture, and no candidate itself';

COMMENT ON COLUMN @extschema@.llava_task.name IS 'name of the task; exports and views use it';
COMMENT ON COLUMN @extschema@.llava_task.version IS '1, 2, ...: each INSERT under the same name is the next';
COMMENT ON COLUMN @extschema@.llava_task.alias IS 'second name, accepted wherever a task is named';
COMMENT ON COLUMN @extschema@.llava_task.title IS 'what it is, for people';
COMMENT ON COLUMN @extschema@.llava_task.prompt IS 'the text that is sent with the picture';
COMMENT ON COLUMN @extschema@.llava_task.kind IS 'shape of the reply: dialogue, question_answer, description or json';
COMMENT ON COLUMN @extschema@.llava_task.language IS 'zh, en or any: replies in another language are rejected';
COMMENT ON COLUMN @extschema@.llava_task.min_rounds IS 'fewest rounds of a dialogue';
COMMENT ON COLUMN @extschema@.llava_task.max_rounds IS 'most rounds; those beyond are cut off';
COMMENT ON COLUMN @extschema@.llava_task.weight IS 'share in the mix; 0: never drawn, only where named';
COMMENT ON COLUMN @extschema@.llava_task.server IS 'the only server that is asked, which must exist; NULL: any';
COMMENT ON COLUMN @extschema@.llava_task.questions IS 'human turns for a description; one is drawn by image';
COMMENT ON COLUMN @extschema@.llava_task.max_tokens IS 'most tokens of a reply, 1 to 1,000,000';
COMMENT ON COLUMN @extschema@.llava_task.temperature IS 'sent if not NULL';
COMMENT ON COLUMN @extschema@.llava_task.top_p IS 'sent if not NULL';
COMMENT ON COLUMN @extschema@.llava_task.repetition_penalty IS 'sent if not NULL';
COMMENT ON COLUMN @extschema@.llava_task.presence_penalty IS 'sent if not NULL; raised after a loop';
COMMENT ON COLUMN @extschema@.llava_task.min_question_chars IS 'shortest question, in characters';
COMMENT ON COLUMN @extschema@.llava_task.max_question_chars IS 'longest question, in characters; 0: no limit';
COMMENT ON COLUMN @extschema@.llava_task.min_answer_chars IS 'shortest single answer, in characters';
COMMENT ON COLUMN @extschema@.llava_task.min_letters IS 'fewest letters (zh: Han) of all answers together';
COMMENT ON COLUMN @extschema@.llava_task.min_language_share IS 'least share of the language among letters';
COMMENT ON COLUMN @extschema@.llava_task.max_loop_share IS 'largest share of text in one repeated passage';
COMMENT ON COLUMN @extschema@.llava_task.long_images IS 'what becomes of long pictures: shrink, raise or park';
COMMENT ON COLUMN @extschema@.llava_task.long_ratio IS 'a picture is long if its sides are over this ratio';
COMMENT ON COLUMN @extschema@.llava_task.long_max_pixels IS 'most pixels under raise; NULL: 16384 * pixel_factor^2';
COMMENT ON COLUMN @extschema@.llava_task.shipped IS 'true: made by CREATE EXTENSION, and not dumped';
COMMENT ON COLUMN @extschema@.llava_task.created_at IS 'when it was inserted';

COMMENT ON COLUMN @extschema@.llava_pending.image IS 'the picture';
COMMENT ON COLUMN @extschema@.llava_pending.task IS 'name of the task';
COMMENT ON COLUMN @extschema@.llava_pending.visible_at IS 'not claimed before this: order, back-off and lease';
COMMENT ON COLUMN @extschema@.llava_pending.call IS 'newest call: X-Request-Id, and id of its ledger row';
COMMENT ON COLUMN @extschema@.llava_pending.holder IS 'worker slot, or minus a session''s pid, that holds the row';
COMMENT ON COLUMN @extschema@.llava_pending.attempts IS 'requests that count against llava_zh.max_attempts';
COMMENT ON COLUMN @extschema@.llava_pending.variation IS 'how often asked anew; the seed follows from it';
COMMENT ON COLUMN @extschema@.llava_pending.interruptions IS 'calls whose worker ended before they did';
COMMENT ON COLUMN @extschema@.llava_pending.released IS 'named by llava_retry or llava_enqueue: sent, whatever it rested for';
COMMENT ON COLUMN @extschema@.llava_pending.rejects IS 'why its replies were rejected so far';
COMMENT ON COLUMN @extschema@.llava_pending.refused_by IS 'server that refused last; another one is preferred';
COMMENT ON COLUMN @extschema@.llava_pending.failure IS 'why the row rests; NULL: it waits or is held';
COMMENT ON COLUMN @extschema@.llava_pending.detail IS 'the same in words, of the server or the decoder';
COMMENT ON COLUMN @extschema@.llava_pending.said IS 'fingerprint of server and error words of its failure';
COMMENT ON COLUMN @extschema@.llava_pending.excused IS 'its server was at fault and it went back once';
COMMENT ON COLUMN @extschema@.llava_pending.company IS 'suspect of an engine crash: most requests beside it, and itself';
COMMENT ON COLUMN @extschema@.llava_pending.server IS 'the only server that may be asked; empty: as the task says';
COMMENT ON COLUMN @extschema@.llava_pending.not_server IS 'server that must not be asked; empty: none';

COMMENT ON COLUMN @extschema@.llava_interrupted.image IS 'the picture';
COMMENT ON COLUMN @extschema@.llava_interrupted.call IS 'the call that nobody finished';
COMMENT ON COLUMN @extschema@.llava_interrupted.task IS 'name of its task';
COMMENT ON COLUMN @extschema@.llava_interrupted.noticed_at IS 'when its lease was taken over';
COMMENT ON COLUMN @extschema@.llava_interrupted.sent IS 'true: the request was sent; NULL: nobody knows';

COMMENT ON COLUMN @extschema@.llava_timeline.only_row IS 'true: the table has one row';
COMMENT ON COLUMN @extschema@.llava_timeline.timeline IS 'timeline of the server at the last claim';

COMMENT ON COLUMN @extschema@.llava_reply.image IS 'the picture';
COMMENT ON COLUMN @extschema@.llava_reply.id IS 'the call: X-Request-Id of the request';
COMMENT ON COLUMN @extschema@.llava_reply.task IS 'name of the task';
COMMENT ON COLUMN @extschema@.llava_reply.task_version IS 'version of the task';
COMMENT ON COLUMN @extschema@.llava_reply.server IS 'server that answered';
COMMENT ON COLUMN @extschema@.llava_reply.model IS 'model as the server''s option names it';
COMMENT ON COLUMN @extschema@.llava_reply.model_reported IS 'model as the reply names it';
COMMENT ON COLUMN @extschema@.llava_reply.parameters IS 'what the request set: max_tokens, temperature and so on';
COMMENT ON COLUMN @extschema@.llava_reply.variation IS 'how often asked anew before';
COMMENT ON COLUMN @extschema@.llava_reply.seed IS 'sent with the request';
COMMENT ON COLUMN @extschema@.llava_reply.sent_width IS 'width of the picture as sent';
COMMENT ON COLUMN @extschema@.llava_reply.sent_height IS 'height of the picture as sent';
COMMENT ON COLUMN @extschema@.llava_reply.sent_pixels IS 'sent_width * sent_height';
COMMENT ON COLUMN @extschema@.llava_reply.long_images IS 'shrink or raise, where the picture was long';
COMMENT ON COLUMN @extschema@.llava_reply.image_tokens IS 'forecast for the picture as sent';
COMMENT ON COLUMN @extschema@.llava_reply.body IS 'the body of the HTTP 200, byte for byte but for masked keys; NULL: erased by a takedown';
COMMENT ON COLUMN @extschema@.llava_reply.finish_reason IS 'as the server said';
COMMENT ON COLUMN @extschema@.llava_reply.prompt_tokens IS 'as the server said; NULL: it did not';
COMMENT ON COLUMN @extschema@.llava_reply.completion_tokens IS 'as the server said; NULL: it did not';
COMMENT ON COLUMN @extschema@.llava_reply.text_tokens IS 'prompt_tokens - image_tokens; the same for a task version';
COMMENT ON COLUMN @extschema@.llava_reply.latency_ms IS 'from sending to the last byte';
COMMENT ON COLUMN @extschema@.llava_reply.received_at IS 'when it was written to the ledger';
COMMENT ON COLUMN @extschema@.llava_reply.late IS 'its call was no longer the row''s: kept, never a sample';
COMMENT ON COLUMN @extschema@.llava_reply.reason IS 'why it is no sample; NULL: accepted';
COMMENT ON COLUMN @extschema@.llava_reply.reason_offset IS 'where in the text the reason begins, in bytes';
COMMENT ON COLUMN @extschema@.llava_reply.flags IS 'what the parser changed or noticed';
COMMENT ON COLUMN @extschema@.llava_reply.measures IS 'what the checks measured';
COMMENT ON COLUMN @extschema@.llava_reply.parser_version IS 'parser that gave the verdict';

COMMENT ON COLUMN @extschema@.llava_conversation.image IS 'the picture';
COMMENT ON COLUMN @extschema@.llava_conversation.task IS 'name of the task';
COMMENT ON COLUMN @extschema@.llava_conversation.conversation IS '[{"from": "human", "value": ...}, {"from": "gpt", ...}, ...]';
COMMENT ON COLUMN @extschema@.llava_conversation.rounds IS 'pairs of question and answer';
COMMENT ON COLUMN @extschema@.llava_conversation.flags IS 'what the parser changed or noticed';
COMMENT ON COLUMN @extschema@.llava_conversation.reply IS 'id of its row in llava_reply';
COMMENT ON COLUMN @extschema@.llava_conversation.task_version IS 'version of the task';
COMMENT ON COLUMN @extschema@.llava_conversation.created_at IS 'when this sample was stored';
COMMENT ON COLUMN @extschema@.llava_conversation.keep IS 'your verdict; false: in no export; NULL: not looked at';
COMMENT ON COLUMN @extschema@.llava_conversation.note IS 'your words';

COMMENT ON COLUMN @extschema@.llava_usage.server IS 'name of the server';
COMMENT ON COLUMN @extschema@.llava_usage.requests IS 'requests that were sent; max_requests is compared with it';
COMMENT ON COLUMN @extschema@.llava_usage.replies IS 'replies that arrived whole';
COMMENT ON COLUMN @extschema@.llava_usage.accepted IS 'replies that became samples';
COMMENT ON COLUMN @extschema@.llava_usage.failed IS 'rows of the queue that failed at it';
COMMENT ON COLUMN @extschema@.llava_usage.throttled IS 'requests refused for load';
COMMENT ON COLUMN @extschema@.llava_usage.prompt_tokens IS 'sum of what replies said';
COMMENT ON COLUMN @extschema@.llava_usage.completion_tokens IS 'sum of what replies said';
COMMENT ON COLUMN @extschema@.llava_usage.cost IS 'by input_price and output_price; budget is compared with it';
COMMENT ON COLUMN @extschema@.llava_usage.pause_reason IS 'why it is paused; NULL: it is not';
COMMENT ON COLUMN @extschema@.llava_usage.pause_detail IS 'the same in words';
COMMENT ON COLUMN @extschema@.llava_usage.paused_at IS 'since when';
COMMENT ON COLUMN @extschema@.llava_usage.estimated IS 'replies in cost that count as forecast';

COMMENT ON COLUMN @extschema@.llava_manifest.id IS 'number of the recorded export';
COMMENT ON COLUMN @extschema@.llava_manifest.file IS 'name of the file, as you gave it';
COMMENT ON COLUMN @extschema@.llava_manifest.settings IS 'format, arguments, rules, version of the extension; as_array: one JSON array';
COMMENT ON COLUMN @extschema@.llava_manifest.rows IS 'samples in the file';
COMMENT ON COLUMN @extschema@.llava_manifest.bytes IS 'size of the file';
COMMENT ON COLUMN @extschema@.llava_manifest.sha256 IS 'of the file, as sha256sum says';
COMMENT ON COLUMN @extschema@.llava_manifest.made_at IS 'when it was recorded';

COMMENT ON COLUMN @extschema@.llava_manifest_line.image IS 'the picture';
COMMENT ON COLUMN @extschema@.llava_manifest_line.task IS 'name of the task';
COMMENT ON COLUMN @extschema@.llava_manifest_line.manifest IS 'the recorded export';
COMMENT ON COLUMN @extschema@.llava_manifest_line.line IS 'number of the sample in the file, from 1';
COMMENT ON COLUMN @extschema@.llava_manifest_line.image_sha256 IS 'of the picture''s original bytes, as stored';
COMMENT ON COLUMN @extschema@.llava_manifest_line.file_name IS 'what the line calls the image, without the folder';
COMMENT ON COLUMN @extschema@.llava_manifest_line.sha256 IS 'of the sample''s line with its line end';

COMMENT ON COLUMN @extschema@.llava_duplicate.image IS 'the repeated picture';
COMMENT ON COLUMN @extschema@.llava_duplicate.path IS 'its path';
COMMENT ON COLUMN @extschema@.llava_duplicate.same_as IS 'the first picture';
COMMENT ON COLUMN @extschema@.llava_duplicate.same_as_path IS 'path of the first picture';
COMMENT ON COLUMN @extschema@.llava_duplicate.distance IS 'bits of 256 in which they differ; NULL: the same bytes';

COMMENT ON COLUMN @extschema@.llava_stat_worker.pid IS 'process; NULL: it could not be started';
COMMENT ON COLUMN @extschema@.llava_stat_worker.slot IS 'number of the worker; NULL: a session that drains';
COMMENT ON COLUMN @extschema@.llava_stat_worker.state IS 'as in pg_stat_activity, or missing';
COMMENT ON COLUMN @extschema@.llava_stat_worker.wait_event IS 'what the process waits for';
COMMENT ON COLUMN @extschema@.llava_stat_worker.activity IS 'what it does, or why nothing moves';
COMMENT ON COLUMN @extschema@.llava_stat_worker.since IS 'since when';
COMMENT ON COLUMN @extschema@.llava_stat_worker.held IS 'rows that it holds';
COMMENT ON COLUMN @extschema@.llava_stat_worker.wakes IS 'commits that woke it';
COMMENT ON COLUMN @extschema@.llava_stat_worker.looks IS 'how often it looked at its sockets';
COMMENT ON COLUMN @extschema@.llava_stat_worker.late IS 'looks that came over 10 ms late';
COMMENT ON COLUMN @extschema@.llava_stat_worker.longest_ms IS 'longest time between two looks';

COMMENT ON COLUMN @extschema@.llava_stat_server.server IS 'name of the server';
COMMENT ON COLUMN @extschema@.llava_stat_server.state IS 'active or paused';
COMMENT ON COLUMN @extschema@.llava_stat_server.pause_reason IS 'why it is paused';
COMMENT ON COLUMN @extschema@.llava_stat_server.pause_detail IS 'the same in words';
COMMENT ON COLUMN @extschema@.llava_stat_server.paused_at IS 'since when';
COMMENT ON COLUMN @extschema@.llava_stat_server.requests IS 'requests of all time (llava_usage)';
COMMENT ON COLUMN @extschema@.llava_stat_server.replies IS 'replies that arrived whole';
COMMENT ON COLUMN @extschema@.llava_stat_server.accepted IS 'replies that became samples';
COMMENT ON COLUMN @extschema@.llava_stat_server.failed IS 'rows of the queue that failed at it';
COMMENT ON COLUMN @extschema@.llava_stat_server.throttled IS 'requests refused for load';
COMMENT ON COLUMN @extschema@.llava_stat_server.prompt_tokens IS 'sum of what replies said';
COMMENT ON COLUMN @extschema@.llava_stat_server.completion_tokens IS 'sum of what replies said';
COMMENT ON COLUMN @extschema@.llava_stat_server.cost IS 'by the prices of the server';
COMMENT ON COLUMN @extschema@.llava_stat_server.in_flight IS 'sent and not answered, llava_generate''s too';
COMMENT ON COLUMN @extschema@.llava_stat_server.allowed IS 'most that may be in flight now';
COMMENT ON COLUMN @extschema@.llava_stat_server.answers IS 'answers since the server''s start';
COMMENT ON COLUMN @extschema@.llava_stat_server.throttled_since IS 'refusals for load since then';
COMMENT ON COLUMN @extschema@.llava_stat_server.timeouts IS 'timeouts since then';
COMMENT ON COLUMN @extschema@.llava_stat_server.disconnects IS 'broken connections since then';
COMMENT ON COLUMN @extschema@.llava_stat_server.server_errors IS '5xx since then';
COMMENT ON COLUMN @extschema@.llava_stat_server.others IS 'other failures since then';
COMMENT ON COLUMN @extschema@.llava_stat_server.latency_p50_ms IS 'median latency in ms, to a fifth';
COMMENT ON COLUMN @extschema@.llava_stat_server.latency_p95_ms IS '95th percentile in ms, to a fifth';
COMMENT ON COLUMN @extschema@.llava_stat_server.answers_per_minute IS 'of the last minute';
COMMENT ON COLUMN @extschema@.llava_stat_server.tokens_per_minute IS 'of the last minute';
COMMENT ON COLUMN @extschema@.llava_stat_server.limits IS 'shared by all processes, local, or NULL: nobody asks it';
COMMENT ON COLUMN @extschema@.llava_stat_server.estimated IS 'replies in cost that count as forecast';
COMMENT ON COLUMN @extschema@.llava_stat_server.endpoint_limit IS 'what llava_zh.endpoints allows at its url';
COMMENT ON COLUMN @extschema@.llava_stat_server.endpoint_in_flight IS 'in flight there, of all servers and databases';
COMMENT ON COLUMN @extschema@.llava_stat_server.endpoint_waiting IS 'servers of processes that wait for a place there';
COMMENT ON COLUMN @extschema@.llava_stat_server.held_down_by IS 'what keeps more from being in flight';
COMMENT ON COLUMN @extschema@.llava_stat_server.waits_for IS 'what the next request waits for';
COMMENT ON COLUMN @extschema@.llava_stat_server.waits_until IS 'until when';
COMMENT ON COLUMN @extschema@.llava_stat_server.generated IS
	'requests of llava_generate, which requests does not count';

COMMENT ON COLUMN @extschema@.llava_turn.image IS 'the picture';
COMMENT ON COLUMN @extschema@.llava_turn.task IS 'name of the task';
COMMENT ON COLUMN @extschema@.llava_turn.task_version IS 'version of the task';
COMMENT ON COLUMN @extschema@.llava_turn.server IS 'server that answered';
COMMENT ON COLUMN @extschema@.llava_turn.turn IS 'number of the turn, from 1';
COMMENT ON COLUMN @extschema@.llava_turn.speaker IS 'human or gpt';
COMMENT ON COLUMN @extschema@.llava_turn.value IS 'the text';

COMMENT ON COLUMN @extschema@.llava_provenance.image IS 'the picture';
COMMENT ON COLUMN @extschema@.llava_provenance.task IS 'name of the task';
COMMENT ON COLUMN @extschema@.llava_provenance.path IS 'path of the picture';
COMMENT ON COLUMN @extschema@.llava_provenance.sha256 IS 'of the picture''s bytes';
COMMENT ON COLUMN @extschema@.llava_provenance.source_url IS 'where the file was fetched';
COMMENT ON COLUMN @extschema@.llava_provenance.licence IS 'as the writer stated it';
COMMENT ON COLUMN @extschema@.llava_provenance.server IS 'server that answered';
COMMENT ON COLUMN @extschema@.llava_provenance.model IS 'model as the server''s option names it';
COMMENT ON COLUMN @extschema@.llava_provenance.model_reported IS 'model as the reply names it';
COMMENT ON COLUMN @extschema@.llava_provenance.task_version IS 'version of the task';
COMMENT ON COLUMN @extschema@.llava_provenance.parameters IS 'what the request set';
COMMENT ON COLUMN @extschema@.llava_provenance.seed IS 'sent with the request';
COMMENT ON COLUMN @extschema@.llava_provenance.variation IS 'how often asked anew before';
COMMENT ON COLUMN @extschema@.llava_provenance.sent_width IS 'width of the picture as sent';
COMMENT ON COLUMN @extschema@.llava_provenance.sent_height IS 'height of the picture as sent';
COMMENT ON COLUMN @extschema@.llava_provenance.parser_version IS 'parser that gave the verdict';
COMMENT ON COLUMN @extschema@.llava_provenance.flags IS 'what the parser changed or noticed';
COMMENT ON COLUMN @extschema@.llava_provenance.rounds IS 'pairs of question and answer';
COMMENT ON COLUMN @extschema@.llava_provenance.call IS 'the call: X-Request-Id, llava_reply.id';
COMMENT ON COLUMN @extschema@.llava_provenance.finish_reason IS 'as the server said';
COMMENT ON COLUMN @extschema@.llava_provenance.prompt_tokens IS 'as the server said';
COMMENT ON COLUMN @extschema@.llava_provenance.completion_tokens IS 'as the server said';
COMMENT ON COLUMN @extschema@.llava_provenance.latency_ms IS 'from sending to the last byte';
COMMENT ON COLUMN @extschema@.llava_provenance.image_at IS 'when the picture was taken in';
COMMENT ON COLUMN @extschema@.llava_provenance.reply_at IS 'when the reply was written to the ledger';
COMMENT ON COLUMN @extschema@.llava_provenance.sample_at IS 'when the sample was stored';

COMMENT ON COLUMN @extschema@.llava_published.image IS 'the picture';
COMMENT ON COLUMN @extschema@.llava_published.task IS 'name of the task';
COMMENT ON COLUMN @extschema@.llava_published.image_sha256 IS 'of the picture''s original bytes';
COMMENT ON COLUMN @extschema@.llava_published.file_name IS 'what the line calls the image, without the folder';
COMMENT ON COLUMN @extschema@.llava_published.file IS 'name of the file that has it';
COMMENT ON COLUMN @extschema@.llava_published.line IS 'number of the sample in the file, from 1';
COMMENT ON COLUMN @extschema@.llava_published.manifest IS 'id of the recorded export';
COMMENT ON COLUMN @extschema@.llava_published.made_at IS 'when it was recorded';

COMMENT ON COLUMN @extschema@.llava_status.image IS 'the picture';
COMMENT ON COLUMN @extschema@.llava_status.path IS 'its path';
COMMENT ON COLUMN @extschema@.llava_status.task IS 'name of the task';
COMMENT ON COLUMN @extschema@.llava_status.status IS 'waiting, claimed, done, failed, skipped, same, cancelled, rejected, not queued';
COMMENT ON COLUMN @extschema@.llava_status.reason IS 'why';
COMMENT ON COLUMN @extschema@.llava_status.detail IS 'the same in words';
COMMENT ON COLUMN @extschema@.llava_status.attempts IS 'requests that counted';

COMMENT ON COLUMN @extschema@.llava_progress.task IS 'name of the task';
COMMENT ON COLUMN @extschema@.llava_progress.waiting IS 'rows of the queue that are not in flight';
COMMENT ON COLUMN @extschema@.llava_progress.in_flight IS 'sent and not answered; not preloaded: rows that are held';
COMMENT ON COLUMN @extschema@.llava_progress.done IS 'samples, and annotations of tasks of kind json';
COMMENT ON COLUMN @extschema@.llava_progress.failed IS 'rows that rest';
COMMENT ON COLUMN @extschema@.llava_progress.replies IS 'replies in the ledger';
COMMENT ON COLUMN @extschema@.llava_progress.rejected IS 'replies that are no sample';
COMMENT ON COLUMN @extschema@.llava_progress.interrupted IS 'calls whose worker ended before they did';
COMMENT ON COLUMN @extschema@.llava_progress.per_minute IS 'samples of the last minute';
COMMENT ON COLUMN @extschema@.llava_progress.eta IS 'time until nothing waits, at the rate of the last minute or since its first sample';
COMMENT ON COLUMN @extschema@.llava_progress.shortfall IS 'samples it lacks beside the task furthest ahead of its share';
COMMENT ON COLUMN @extschema@.llava_progress.weight IS 'share in the mix';
COMMENT ON COLUMN @extschema@.llava_progress.untrusted IS 'why the worker may do nothing (llava_untrusted)';
COMMENT ON COLUMN @extschema@.llava_progress.not_taken_in IS 'pictures of any task inserted while triggers were off';
COMMENT ON COLUMN @extschema@.llava_progress.waits_for IS 'a restore, or rows whose pictures have not come';
COMMENT ON COLUMN @extschema@.llava_progress.same IS 'rows of near copies, which are not asked about';
COMMENT ON COLUMN @extschema@.llava_progress.state IS
	'active, or why rows that wait are not sent: no server, paused, stopped; NULL: none waits';
COMMENT ON COLUMN @extschema@.llava_progress.reason IS 'the state in words, with what helps; NULL: active';
COMMENT ON COLUMN @extschema@.llava_progress.skipped IS 'rows that rest since the condition of the task did not hold';
COMMENT ON COLUMN @extschema@.llava_progress.behind IS 'its pictures that wait or rest at a task before it in the chain; NULL: follows none';

COMMENT ON COLUMN @extschema@.llava_stat_task.task IS 'name of the task';
COMMENT ON COLUMN @extschema@.llava_stat_task.task_version IS 'version of the task';
COMMENT ON COLUMN @extschema@.llava_stat_task.server IS 'server that answered';
COMMENT ON COLUMN @extschema@.llava_stat_task.replies IS 'replies in the ledger';
COMMENT ON COLUMN @extschema@.llava_stat_task.accepted IS 'replies that became samples';
COMMENT ON COLUMN @extschema@.llava_stat_task.rejected IS 'replies that are no sample';
COMMENT ON COLUMN @extschema@.llava_stat_task.mean_prompt_tokens IS 'mean of a reply';
COMMENT ON COLUMN @extschema@.llava_stat_task.mean_completion_tokens IS 'mean of a reply';
COMMENT ON COLUMN @extschema@.llava_stat_task.mean_image_tokens IS 'mean forecast for a picture';
COMMENT ON COLUMN @extschema@.llava_stat_task.min_text_tokens IS 'least text_tokens of a reply';
COMMENT ON COLUMN @extschema@.llava_stat_task.max_text_tokens IS 'most text_tokens of a reply';
COMMENT ON COLUMN @extschema@.llava_stat_task.median_latency_ms IS 'median latency';
COMMENT ON COLUMN @extschema@.llava_stat_task.han_share IS 'of the letters of accepted answers';
COMMENT ON COLUMN @extschema@.llava_stat_task.quoting_share IS 'of the accepted, those that quote Chinese words';
COMMENT ON COLUMN @extschema@.llava_stat_task.prompt_tokens IS 'sum of what replies said';
COMMENT ON COLUMN @extschema@.llava_stat_task.completion_tokens IS 'sum of what replies said';
COMMENT ON COLUMN @extschema@.llava_stat_task.image_tokens IS 'sum of the forecasts for pictures';
COMMENT ON COLUMN @extschema@.llava_stat_task.cost IS 'sum of the replies; NULL: all were settled by 1.0.0';
COMMENT ON COLUMN @extschema@.llava_stat_task.estimated IS 'replies in cost that count as forecast';

COMMENT ON COLUMN @extschema@.llava_stat_reason.kind IS 'image, reply, or of a row of the queue: failed, skipped, same, cancelled, waiting';
COMMENT ON COLUMN @extschema@.llava_stat_reason.task IS 'name of the task; NULL: of a picture';
COMMENT ON COLUMN @extschema@.llava_stat_reason.reason IS 'the reason';
COMMENT ON COLUMN @extschema@.llava_stat_reason.count IS 'how often';

COMMENT ON COLUMN @extschema@.llava_stat_rounds.task IS 'name of the task';
COMMENT ON COLUMN @extschema@.llava_stat_rounds.task_version IS 'version of the task';
COMMENT ON COLUMN @extschema@.llava_stat_rounds.server IS 'server that answered';
COMMENT ON COLUMN @extschema@.llava_stat_rounds.rounds IS 'number of rounds';
COMMENT ON COLUMN @extschema@.llava_stat_rounds.count IS 'samples with this number of rounds';

COMMENT ON COLUMN @extschema@.llava_stat_verdict.task IS 'name of the task';
COMMENT ON COLUMN @extschema@.llava_stat_verdict.task_version IS 'version of the task';
COMMENT ON COLUMN @extschema@.llava_stat_verdict.server IS 'server that answered';
COMMENT ON COLUMN @extschema@.llava_stat_verdict.verdict IS 'accepted, or the reason';
COMMENT ON COLUMN @extschema@.llava_stat_verdict.count IS 'replies with it';
COMMENT ON COLUMN @extschema@.llava_stat_verdict.share IS 'of all replies of the task version and server';

COMMENT ON COLUMN @extschema@.llava_stat_flag.task IS 'name of the task';
COMMENT ON COLUMN @extschema@.llava_stat_flag.task_version IS 'version of the task';
COMMENT ON COLUMN @extschema@.llava_stat_flag.server IS 'server that answered';
COMMENT ON COLUMN @extschema@.llava_stat_flag.flag IS 'the flag';
COMMENT ON COLUMN @extschema@.llava_stat_flag.count IS 'accepted replies with it';
COMMENT ON COLUMN @extschema@.llava_stat_flag.share IS 'of all accepted replies of the task version and server';

COMMENT ON COLUMN @extschema@.llava_stat_length.task IS 'name of the task';
COMMENT ON COLUMN @extschema@.llava_stat_length.task_version IS 'version of the task';
COMMENT ON COLUMN @extschema@.llava_stat_length.server IS 'server that answered';
COMMENT ON COLUMN @extschema@.llava_stat_length.speaker IS 'human (questions) or gpt (answers)';
COMMENT ON COLUMN @extschema@.llava_stat_length.turns IS 'number of turns';
COMMENT ON COLUMN @extschema@.llava_stat_length.p5 IS '5th percentile of their characters';
COMMENT ON COLUMN @extschema@.llava_stat_length.median IS 'median of their characters';
COMMENT ON COLUMN @extschema@.llava_stat_length.p95 IS '95th percentile of their characters';
COMMENT ON COLUMN @extschema@.llava_stat_length.longest IS 'characters of the longest';

COMMENT ON COLUMN @extschema@.llava_stat_opening.task IS 'name of the task';
COMMENT ON COLUMN @extschema@.llava_stat_opening.task_version IS 'version of the task';
COMMENT ON COLUMN @extschema@.llava_stat_opening.speaker IS 'human or gpt';
COMMENT ON COLUMN @extschema@.llava_stat_opening.opening IS 'first seven characters';
COMMENT ON COLUMN @extschema@.llava_stat_opening.count IS 'turns that begin so';
COMMENT ON COLUMN @extschema@.llava_stat_opening.share IS 'of the turns of this speaker';

COMMENT ON COLUMN @extschema@.llava_stat_repeat.task IS 'name of the task';
COMMENT ON COLUMN @extschema@.llava_stat_repeat.task_version IS 'version of the task';
COMMENT ON COLUMN @extschema@.llava_stat_repeat.count IS 'how often the answer stands';
COMMENT ON COLUMN @extschema@.llava_stat_repeat.first_image IS 'first picture that has it';
COMMENT ON COLUMN @extschema@.llava_stat_repeat.answer IS 'the answer';

--
-- Functions that are called by ours only (beside each in sql/parts)
--

COMMENT ON FUNCTION @extschema@.llava_fdw_validator(text[], oid) IS 'checks the options of servers and user mappings';
COMMENT ON FUNCTION @extschema@.llava_task_insert() IS 'trigger: numbers versions, fills in what is inherited';
COMMENT ON FUNCTION @extschema@.llava_task_given() IS 'trigger: only the owner may give a version';
COMMENT ON FUNCTION @extschema@.llava_task_frozen() IS 'trigger: refuses UPDATE and DELETE of tasks';
COMMENT ON FUNCTION @extschema@.llava_intake() IS 'trigger: fills in the facts of a picture, queues its task';
COMMENT ON FUNCTION @extschema@.llava_image_numbered() IS 'trigger: only the owner may give an id that was not drawn';
COMMENT ON FUNCTION @extschema@.llava_image_restored() IS 'trigger: who may write a restored row, and its tombstone';
COMMENT ON FUNCTION @extschema@.llava_image_lengths() IS 'trigger: refuses what is too long';
COMMENT ON FUNCTION @extschema@.llava_image_frozen() IS 'trigger: refuses changes of id, image and sha256';
COMMENT ON FUNCTION @extschema@.llava_image_released() IS 'trigger: releases a parked picture when long_images changes';
COMMENT ON FUNCTION @extschema@.llava_conversation_lengths() IS 'trigger: refuses a note that is too long';
COMMENT ON FUNCTION @extschema@.llava_manifest_numbered() IS 'trigger: only the owner may give an id';
COMMENT ON FUNCTION @extschema@.llava_task_in_flight(text) IS 'requests of a task in flight; NULL where not preloaded';
COMMENT ON FUNCTION @extschema@.llava_worker_counters() IS 'what each process that drains counted since it began';
COMMENT ON FUNCTION @extschema@.llava_worker_slots() IS 'the workers of this database and their slots';
COMMENT ON FUNCTION @extschema@.llava_process_activity() IS 'what the processes of this database do';
COMMENT ON FUNCTION @extschema@.llava_missing_workers() IS 'workers that could not be started, and why';
COMMENT ON FUNCTION @extschema@.llava_server_counters() IS 'what all processes counted of each server since the start';
COMMENT ON FUNCTION @extschema@.llava_server_limits() IS 'whether limits of a server are shared, and what keeps it waiting';
COMMENT ON FUNCTION @extschema@.llava_server_endpoints() IS 'what llava_zh.endpoints allows at the url of a server';
COMMENT ON FUNCTION @extschema@.llava_template(text, jsonb) IS 'a text of the page or the card with escaped values in it';
COMMENT ON FUNCTION @extschema@.llava_page_bars(text[], bigint[]) IS 'bars of the page';
COMMENT ON FUNCTION @extschema@.llava_page_picture(bytea, text) IS 'a picture of the page';
COMMENT ON FUNCTION @extschema@.llava_page_turns(jsonb) IS 'the turns of a sample on the page';
COMMENT ON FUNCTION @extschema@.llava_page_tags(text[], boolean, text) IS 'flags, verdict and note of a sample on the page';
COMMENT ON FUNCTION @extschema@.llava_page_samples(integer, text, bigint, text, boolean) IS 'the samples of the page';
COMMENT ON FUNCTION @extschema@.llava_page_head(integer, text, text, boolean) IS 'the head of the page: counts and bars';
COMMENT ON FUNCTION @extschema@.llava_card_export(text, text, text, text[]) IS 'the export command on the card';
COMMENT ON FUNCTION @extschema@.llava_card_rebuild(bigint[]) IS 'the commands on the card that rebuild a recorded export';
COMMENT ON FUNCTION @extschema@.llava_manifest_known(bigint, boolean) IS 'the id of a manifest that exists, else an error';
COMMENT ON FUNCTION @extschema@.llava_manifest_today(bigint) IS 'the lines of a manifest as they would be written today';
COMMENT ON FUNCTION @extschema@.llava_lines_sha256_add(internal, text) IS 'step of the aggregate llava_lines_sha256';
COMMENT ON FUNCTION @extschema@.llava_lines_sha256_end(internal) IS 'end of the aggregate llava_lines_sha256';
COMMENT ON FUNCTION @extschema@.llava_jsonl_line(record) IS 'a row as COPY TO with FORMAT jsonl writes it';
COMMENT ON FUNCTION @extschema@.llava_jsonl_check(text) IS 'true for JSON, else an error: COPY FROM into a text column';
COMMENT ON VIEW @extschema@.llava_stat_task IS
	'one row a task version and server: replies, verdicts, tokens, latency, share of Han and of quotations';
