--
-- The foreign data wrapper, and what each server was asked and has cost
--

CREATE FUNCTION @.llava_fdw_validator(options text[], catalog oid)
	RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_fdw_validator(text[], oid) IS 'checks the options of servers and user mappings';

CREATE FOREIGN DATA WRAPPER llava_zh
	VALIDATOR @.llava_fdw_validator;
COMMENT ON FOREIGN DATA WRAPPER llava_zh IS
	'OpenAI-compatible endpoints of vision-language models; USAGE means trusted with the images';

CREATE TABLE @.llava_usage (
	server text PRIMARY KEY,
	requests bigint NOT NULL DEFAULT 0,
	replies bigint NOT NULL DEFAULT 0,
	accepted bigint NOT NULL DEFAULT 0,
	failed bigint NOT NULL DEFAULT 0,
	throttled bigint NOT NULL DEFAULT 0,
	prompt_tokens bigint NOT NULL DEFAULT 0,
	completion_tokens bigint NOT NULL DEFAULT 0,
	cost numeric NOT NULL DEFAULT 0,
	pause_reason text,
	pause_detail text,
	paused_at timestamptz,
	estimated bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE @.llava_usage IS
	'what each server was asked and has cost; max_requests and budget are compared with it';
COMMENT ON COLUMN @.llava_usage.server IS 'name of the server';
COMMENT ON COLUMN @.llava_usage.requests IS 'requests that were sent; max_requests is compared with it';
COMMENT ON COLUMN @.llava_usage.replies IS 'replies that arrived whole';
COMMENT ON COLUMN @.llava_usage.accepted IS 'replies that became samples';
COMMENT ON COLUMN @.llava_usage.failed IS 'rows of the queue that failed at it';
COMMENT ON COLUMN @.llava_usage.throttled IS 'requests refused for load';
COMMENT ON COLUMN @.llava_usage.prompt_tokens IS 'sum of what replies said';
COMMENT ON COLUMN @.llava_usage.completion_tokens IS 'sum of what replies said';
COMMENT ON COLUMN @.llava_usage.cost IS 'by input_price and output_price; budget is compared with it';
COMMENT ON COLUMN @.llava_usage.pause_reason IS 'why it is paused; NULL: it is not';
COMMENT ON COLUMN @.llava_usage.pause_detail IS 'the same in words';
COMMENT ON COLUMN @.llava_usage.paused_at IS 'since when';
COMMENT ON COLUMN @.llava_usage.estimated IS 'replies in cost that count as forecast';
SELECT pg_catalog.pg_extension_config_dump('@.llava_usage', '');

CREATE FUNCTION @.llava_pause(server text) RETURNS void
	LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_pause(text) FROM PUBLIC;
COMMENT ON FUNCTION @.llava_pause(text) IS 'sets the server option paused';

CREATE FUNCTION @.llava_resume(server text) RETURNS void
	LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_resume(text) FROM PUBLIC;
COMMENT ON FUNCTION @.llava_resume(text) IS
	'unsets the server option paused and forgets why the worker paused the server';

CREATE FUNCTION @.llava_server_counters(OUT server oid, OUT in_flight integer,
	OUT allowed integer, OUT answers bigint, OUT throttled bigint, OUT timeouts bigint,
	OUT disconnects bigint, OUT server_errors bigint, OUT others bigint, OUT latency_p50 float8,
	OUT latency_p95 float8, OUT answers_per_minute float8, OUT tokens_per_minute float8)
	RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 4
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_server_counters() FROM PUBLIC;
COMMENT ON FUNCTION @.llava_server_counters() IS 'what all processes counted of each server since the start';

CREATE FUNCTION @.llava_server_limits(OUT server oid, OUT limits text,
	OUT held_down_by text, OUT waits_for text, OUT waits_until timestamptz,
	OUT generated bigint)
	RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 4
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_server_limits() FROM PUBLIC;
COMMENT ON FUNCTION @.llava_server_limits() IS 'whether limits of a server are shared, and what keeps it waiting';

CREATE FUNCTION @.llava_server_endpoints(OUT server oid, OUT endpoint_limit integer,
	OUT endpoint_in_flight integer, OUT endpoint_waiting integer)
	RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 4
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_server_endpoints() FROM PUBLIC;
COMMENT ON FUNCTION @.llava_server_endpoints() IS 'what llava_zh.endpoints allows at the url of a server';

CREATE VIEW @.llava_stat_server WITH (security_invoker = true) AS
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
	LEFT JOIN @.llava_usage u ON u.server = s.srvname
	-- the option says so before a worker has seen it
	LEFT JOIN LATERAL (SELECT 'paused' AS paused FROM pg_catalog.pg_options_to_table(s.srvoptions) t
		WHERE t.option_name = 'paused' AND t.option_value::boolean) p ON true
	-- the worker acts as the owner of the queue
	LEFT JOIN (SELECT r.oid, r.rolname COLLATE pg_catalog."default" AS stranger,
			pg_catalog.pg_get_userbyid(q.relowner) COLLATE pg_catalog."default" AS worker
		FROM pg_catalog.pg_class b
		JOIN pg_catalog.pg_class q ON q.relnamespace = b.relnamespace AND q.relname = 'llava_pending'
		JOIN pg_catalog.pg_roles r ON r.oid <> q.relowner AND NOT r.rolsuper
		WHERE b.oid = '@.llava_usage'::pg_catalog.regclass) o
		ON o.oid = s.srvowner
	LEFT JOIN @.llava_server_counters() c ON c.server = s.oid
	LEFT JOIN @.llava_server_limits() l ON l.server = s.oid
	LEFT JOIN @.llava_server_endpoints() e ON e.server = s.oid;
COMMENT ON VIEW @.llava_stat_server IS
	'one row a server: whether it is asked, why not, and what it was asked and has cost';
COMMENT ON COLUMN @.llava_stat_server.server IS 'name of the server';
COMMENT ON COLUMN @.llava_stat_server.state IS 'active or paused';
COMMENT ON COLUMN @.llava_stat_server.pause_reason IS 'why it is paused';
COMMENT ON COLUMN @.llava_stat_server.pause_detail IS 'the same in words';
COMMENT ON COLUMN @.llava_stat_server.paused_at IS 'since when';
COMMENT ON COLUMN @.llava_stat_server.requests IS 'requests of all time (llava_usage)';
COMMENT ON COLUMN @.llava_stat_server.replies IS 'replies that arrived whole';
COMMENT ON COLUMN @.llava_stat_server.accepted IS 'replies that became samples';
COMMENT ON COLUMN @.llava_stat_server.failed IS 'rows of the queue that failed at it';
COMMENT ON COLUMN @.llava_stat_server.throttled IS 'requests refused for load';
COMMENT ON COLUMN @.llava_stat_server.prompt_tokens IS 'sum of what replies said';
COMMENT ON COLUMN @.llava_stat_server.completion_tokens IS 'sum of what replies said';
COMMENT ON COLUMN @.llava_stat_server.cost IS 'by the prices of the server';
COMMENT ON COLUMN @.llava_stat_server.in_flight IS 'sent and not answered, llava_generate''s too';
COMMENT ON COLUMN @.llava_stat_server.allowed IS 'most that may be in flight now';
COMMENT ON COLUMN @.llava_stat_server.answers IS 'answers since the server''s start';
COMMENT ON COLUMN @.llava_stat_server.throttled_since IS 'refusals for load since then';
COMMENT ON COLUMN @.llava_stat_server.timeouts IS 'timeouts since then';
COMMENT ON COLUMN @.llava_stat_server.disconnects IS 'broken connections since then';
COMMENT ON COLUMN @.llava_stat_server.server_errors IS '5xx since then';
COMMENT ON COLUMN @.llava_stat_server.others IS 'other failures since then';
COMMENT ON COLUMN @.llava_stat_server.latency_p50_ms IS 'median latency in ms, to a fifth';
COMMENT ON COLUMN @.llava_stat_server.latency_p95_ms IS '95th percentile in ms, to a fifth';
COMMENT ON COLUMN @.llava_stat_server.answers_per_minute IS 'of the last minute';
COMMENT ON COLUMN @.llava_stat_server.tokens_per_minute IS 'of the last minute';
COMMENT ON COLUMN @.llava_stat_server.limits IS 'shared by all processes, local, or NULL: nobody asks it';
COMMENT ON COLUMN @.llava_stat_server.estimated IS 'replies in cost that count as forecast';
COMMENT ON COLUMN @.llava_stat_server.endpoint_limit IS 'what llava_zh.endpoints allows at its url';
COMMENT ON COLUMN @.llava_stat_server.endpoint_in_flight IS 'in flight there, of all servers and databases';
COMMENT ON COLUMN @.llava_stat_server.endpoint_waiting IS 'servers of processes that wait for a place there';
COMMENT ON COLUMN @.llava_stat_server.held_down_by IS 'what keeps more from being in flight';
COMMENT ON COLUMN @.llava_stat_server.waits_for IS 'what the next request waits for';
COMMENT ON COLUMN @.llava_stat_server.waits_until IS 'until when';
COMMENT ON COLUMN @.llava_stat_server.generated IS
	'requests of llava_generate, which requests does not count';
