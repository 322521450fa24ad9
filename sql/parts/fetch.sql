--
-- Pictures that are fetched from the web
--

CREATE TABLE @.llava_fetch (
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
CREATE INDEX llava_fetch_waiting ON @.llava_fetch (host, visible_at, image) WHERE failure IS NULL;
CREATE INDEX llava_fetch_failed ON @.llava_fetch (failure, host) WHERE failure IS NOT NULL;
CREATE INDEX llava_fetch_held ON @.llava_fetch (image) WHERE holder IS NOT NULL;
CREATE INDEX llava_fetch_asked ON @.llava_fetch (digest) WHERE claim IS NOT NULL AND failure IS NULL;
COMMENT ON TABLE @.llava_fetch IS
	'pictures that wait to be fetched, or could not be; a row leaves when its picture has come';
COMMENT ON COLUMN @.llava_fetch.image IS 'the picture';
COMMENT ON COLUMN @.llava_fetch.host IS 'scheme, host and port of url: whose robots.txt and pace hold';
COMMENT ON COLUMN @.llava_fetch.url IS 'what is asked for next, in its normal form: source_url, or where it led';
COMMENT ON COLUMN @.llava_fetch.digest IS 'sha256 of the normal form of source_url';
COMMENT ON COLUMN @.llava_fetch.visible_at IS 'not asked for before; while it is being asked for, its lease';
COMMENT ON COLUMN @.llava_fetch.claim IS 'number of the newest request, which fences its outcome';
COMMENT ON COLUMN @.llava_fetch.holder IS 'slot of the fetcher that is asking for it; NULL: none is';
COMMENT ON COLUMN @.llava_fetch.attempts IS 'requests that failed for its own sake';
COMMENT ON COLUMN @.llava_fetch.hops IS 'URLs that were redirected to the next';
COMMENT ON COLUMN @.llava_fetch.tried IS 'why the last request failed';
COMMENT ON COLUMN @.llava_fetch.expected IS 'the sha256 that the INSERT gave: other bytes are refused';
COMMENT ON COLUMN @.llava_fetch.failure IS 'why the row rests; NULL: it waits';
COMMENT ON COLUMN @.llava_fetch.detail IS 'the same in words';
COMMENT ON COLUMN @.llava_fetch.failed_at IS 'since when it rests';
SELECT pg_catalog.pg_extension_config_dump('@.llava_fetch', '');

CREATE TABLE @.llava_host (
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
CREATE INDEX llava_host_next ON @.llava_host (next_at, host);
COMMENT ON TABLE @.llava_host IS
	'the hosts that were asked for pictures, and what is known of each; written by the fetcher';
COMMENT ON COLUMN @.llava_host.host IS 'scheme, host and port';
COMMENT ON COLUMN @.llava_host.name IS 'the host alone';
COMMENT ON COLUMN @.llava_host.domain IS 'what one owner has registered';
COMMENT ON COLUMN @.llava_host.next_at IS 'its place in the line; infinity: nothing waits, or it is being asked';
COMMENT ON COLUMN @.llava_host.free_at IS 'no request begins before';
COMMENT ON COLUMN @.llava_host.asking IS 'a request is under way';
COMMENT ON COLUMN @.llava_host.state IS 'ok, slow, throttled, blocked, down, robots_unreachable';
COMMENT ON COLUMN @.llava_host.since IS 'of the state';
COMMENT ON COLUMN @.llava_host.reason IS 'of the state, in words';
COMMENT ON COLUMN @.llava_host.rests IS 'why its rows rest instead of being asked for';
COMMENT ON COLUMN @.llava_host.parked IS 'a person has stopped it (llava_park)';
COMMENT ON COLUMN @.llava_host.delay_ms IS 'from one request to the next, at the last one';
COMMENT ON COLUMN @.llava_host.crawl_delay_ms IS 'what its robots.txt asks for';
COMMENT ON COLUMN @.llava_host.penalty_ms IS 'delay that its 429 and 503 have led to';
COMMENT ON COLUMN @.llava_host.latency_ms IS 'of its answers, smoothed';
COMMENT ON COLUMN @.llava_host.errors IS 'in a row: not reached, not answered, or 5xx';
COMMENT ON COLUMN @.llava_host.refusals IS '403 in a row';
COMMENT ON COLUMN @.llava_host.probes IS 'in vain, since it is blocked or down';
COMMENT ON COLUMN @.llava_host.recent IS 'its newest answers, a bit each: 403';
COMMENT ON COLUMN @.llava_host.n_recent IS 'how many those are';
COMMENT ON COLUMN @.llava_host.robots IS 'its robots.txt; NULL: it has none';
COMMENT ON COLUMN @.llava_host.robots_status IS 'HTTP status of the request for it';
COMMENT ON COLUMN @.llava_host.robots_sha256 IS 'of robots';
COMMENT ON COLUMN @.llava_host.robots_until IS 'when it is asked for again';
COMMENT ON COLUMN @.llava_host.robots_good_at IS 'when it was answered last';
COMMENT ON COLUMN @.llava_host.robots_failed_at IS 'when it could not be had for the first time since';
COMMENT ON COLUMN @.llava_host.fetched IS 'pictures that came';
COMMENT ON COLUMN @.llava_host.bytes IS 'of those';
SELECT pg_catalog.pg_extension_config_dump('@.llava_host', '');

CREATE TABLE @.llava_fetched (
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
CREATE INDEX llava_fetched_digest ON @.llava_fetched (digest, image);
COMMENT ON TABLE @.llava_fetched IS
	'evidence: where each picture was fetched, when, from which address, and what robots.txt and the headers said';
COMMENT ON COLUMN @.llava_fetched.image IS 'the picture';
COMMENT ON COLUMN @.llava_fetched.digest IS 'sha256 of the normal form of url';
COMMENT ON COLUMN @.llava_fetched.url IS 'the source_url, in its normal form';
COMMENT ON COLUMN @.llava_fetched.final_url IS 'where the redirects led';
COMMENT ON COLUMN @.llava_fetched.hops IS 'URLs that were redirected to the next';
COMMENT ON COLUMN @.llava_fetched.address IS 'that was connected to';
COMMENT ON COLUMN @.llava_fetched.status IS 'HTTP status';
COMMENT ON COLUMN @.llava_fetched.fetched_at IS 'when the request was sent';
COMMENT ON COLUMN @.llava_fetched.robots_sha256 IS 'of the robots.txt that was in force; NULL: there was none';
COMMENT ON COLUMN @.llava_fetched.robots_line IS 'its line that allows the picture; NULL: none speaks of it';
COMMENT ON COLUMN @.llava_fetched.headers IS 'content-type, last-modified, etag and those of reservations';
COMMENT ON COLUMN @.llava_fetched.referer IS 'the Referer that was sent; NULL: none';
COMMENT ON COLUMN @.llava_fetched.tls_unverified IS 'the certificate did not hold (llava_zh.fetch_tls is record)';
SELECT pg_catalog.pg_extension_config_dump('@.llava_fetched', '');

CREATE TABLE @.llava_url_forgotten (
	digest bytea PRIMARY KEY,
	forgotten_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	reason text
);
COMMENT ON TABLE @.llava_url_forgotten IS
	'sha256 of the URLs of pictures that were taken down: they are not fetched again';
COMMENT ON COLUMN @.llava_url_forgotten.digest IS 'sha256 of the normal form of a URL';
COMMENT ON COLUMN @.llava_url_forgotten.forgotten_at IS 'when it was taken down';
COMMENT ON COLUMN @.llava_url_forgotten.reason IS 'the reason that llava_forget was given';
SELECT pg_catalog.pg_extension_config_dump('@.llava_url_forgotten', '');

CREATE FUNCTION @.llava_image_queued() RETURNS trigger
	LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_image_queued() FROM PUBLIC;
COMMENT ON FUNCTION @.llava_image_queued() IS 'trigger: queues what a statement''s rows have to be fetched';
CREATE TRIGGER llava_image_queued AFTER INSERT ON @.llava_image
	FOR EACH STATEMENT EXECUTE FUNCTION @.llava_image_queued();

CREATE FUNCTION @.llava_image_moved() RETURNS trigger
	LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_image_moved() FROM PUBLIC;
COMMENT ON FUNCTION @.llava_image_moved() IS 'trigger: a new source_url queues the fetch anew';
CREATE TRIGGER llava_image_moved BEFORE UPDATE OF source_url ON @.llava_image
	FOR EACH ROW WHEN (NEW.source_url IS DISTINCT FROM OLD.source_url)
	EXECUTE FUNCTION @.llava_image_moved();

CREATE FUNCTION @.llava_url(url text, OUT normal text, OUT host text, OUT domain text, OUT reason text)
	RETURNS record LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_url(text) IS
	'how a URL would be fetched: its normal form, host and registrable domain, or the reason why not';

CREATE FUNCTION @.llava_robots(robots bytea, agent text, url text, OUT allowed boolean,
	OUT line integer, OUT crawl_delay float8)
	RETURNS record LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_robots(bytea, text, text) IS
	'whether a robots.txt allows the product token agent to fetch a URL, and by which line';

CREATE FUNCTION @.llava_fetch_check(url text, OUT outcome text, OUT reason text)
	RETURNS record LANGUAGE c STRICT STABLE PARALLEL RESTRICTED COST 1000 AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_fetch_check(text) FROM PUBLIC;
COMMENT ON FUNCTION @.llava_fetch_check(text) IS
	'what would become of a URL by what is known today, and why: refused, forgotten, same, rests, waits, or fetch; no request is sent';

CREATE FUNCTION @.llava_refetch(host text DEFAULT NULL, reason text DEFAULT NULL, image bigint DEFAULT NULL)
	RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_refetch(text, text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION @.llava_refetch(text, text, bigint) IS
	'fetches what rests again, all or by host, reason, image; reads the robots.txt of a named host anew; returns how many rows';

CREATE FUNCTION @.llava_park(host text, parked boolean DEFAULT true) RETURNS bigint
	LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_park(text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION @.llava_park(text, boolean) IS
	'stops all fetching from a host, or with false lets it go on; its rows wait; returns how many hosts';

CREATE VIEW @.llava_stat_fetch WITH (security_invoker = true) AS
	WITH hosts AS (
		SELECT f.host, coalesce(f.failure, CASE WHEN f.holder IS NULL THEN 'waiting' ELSE 'fetching' END) AS state,
			pg_catalog.count(*) AS rows, pg_catalog.min(f.image) AS example
		FROM @.llava_fetch f GROUP BY 1, 2),
	came AS (
		SELECT pg_catalog.count(*) AS rows, pg_catalog.max(d.image) AS example,
			pg_catalog.count(*) FILTER (WHERE d.fetched_at > pg_catalog.now() - interval '1 minute') AS per_minute
		FROM @.llava_fetched d)
	SELECT w.state, pg_catalog.sum(w.rows)::bigint AS rows, pg_catalog.min(w.example) AS example,
		pg_catalog.count(*) AS hosts, NULL::bigint AS per_minute,
		CASE WHEN w.state = 'waiting' THEN GREATEST(
			pg_catalog.make_interval(secs => pg_catalog.max(CASE WHEN NOT coalesce(h.parked, false)
				THEN w.rows * (coalesce(h.delay_ms, 1000) / 1000.0) END)::float8),
			pg_catalog.make_interval(secs => (pg_catalog.sum(w.rows)
				* 60 / nullif((SELECT c.per_minute FROM came c), 0))::float8)) END AS eta
	FROM hosts w LEFT JOIN @.llava_host h ON h.host = w.host GROUP BY w.state
	UNION ALL
	SELECT 'fetched', c.rows, c.example, NULL, c.per_minute, NULL
	FROM came c;
COMMENT ON VIEW @.llava_stat_fetch IS
	'pictures that wait, are being fetched, were fetched, or rest, by reason, with an image as an example; how many come, and how long the rest takes';
COMMENT ON COLUMN @.llava_stat_fetch.state IS 'waiting, fetching, fetched, or the reason why rows rest';
COMMENT ON COLUMN @.llava_stat_fetch.rows IS 'how many';
COMMENT ON COLUMN @.llava_stat_fetch.example IS 'one of the pictures';
COMMENT ON COLUMN @.llava_stat_fetch.hosts IS 'of so many hosts';
COMMENT ON COLUMN @.llava_stat_fetch.per_minute IS 'of fetched: how many came in the last minute';
COMMENT ON COLUMN @.llava_stat_fetch.eta IS
	'of waiting: how long it will take, by the last minute or by the host that takes longest';

CREATE VIEW @.llava_stat_host WITH (security_invoker = true) AS
	SELECT h.host, h.domain, CASE WHEN h.parked THEN 'parked' ELSE h.state END AS state,
		coalesce(h.rests, h.reason) AS reason, h.since,
		CASE WHEN h.free_at > pg_catalog.now() THEN h.free_at END AS until,
		coalesce(w.waiting, 0) AS waiting, coalesce(w.resting, 0) AS resting, h.fetched, h.bytes,
		pg_catalog.make_interval(secs => h.delay_ms / 1000.0) AS delay,
		CASE WHEN NOT h.parked AND h.rests IS NULL
			THEN pg_catalog.make_interval(secs => coalesce(w.waiting, 0) * (h.delay_ms / 1000.0)) END AS eta
	FROM @.llava_host h
	LEFT JOIN (SELECT f.host, pg_catalog.count(*) FILTER (WHERE f.failure IS NULL) AS waiting,
			pg_catalog.count(f.failure) AS resting
		FROM @.llava_fetch f GROUP BY f.host) w ON w.host = h.host;
COMMENT ON VIEW @.llava_stat_host IS
	'the hosts: state and since when, what waits and rests, the delay from one request to the next, and how long the rest will take at that pace';
COMMENT ON COLUMN @.llava_stat_host.host IS 'scheme, host and port';
COMMENT ON COLUMN @.llava_stat_host.domain IS 'what one owner has registered';
COMMENT ON COLUMN @.llava_stat_host.state IS 'as in llava_host, or parked';
COMMENT ON COLUMN @.llava_stat_host.reason IS 'why';
COMMENT ON COLUMN @.llava_stat_host.since IS 'of the state';
COMMENT ON COLUMN @.llava_stat_host.until IS 'it is not asked before; NULL: it may be asked now';
COMMENT ON COLUMN @.llava_stat_host.waiting IS 'rows that wait';
COMMENT ON COLUMN @.llava_stat_host.resting IS 'rows that rest';
COMMENT ON COLUMN @.llava_stat_host.fetched IS 'pictures that came';
COMMENT ON COLUMN @.llava_stat_host.bytes IS 'of those';
COMMENT ON COLUMN @.llava_stat_host.delay IS 'from one request to the next';
COMMENT ON COLUMN @.llava_stat_host.eta IS 'how long what waits will take at that pace';
