--
-- The ledger: every reply that arrived, and the parser's verdict on it
--

CREATE TABLE @.llava_reply (
	image bigint,
	id bigint,
	task text NOT NULL,
	task_version integer NOT NULL,
	server text NOT NULL,
	model text NOT NULL,
	model_reported text,
	parameters jsonb NOT NULL,
	variation integer NOT NULL,
	seed bigint,
	sent_width integer,
	sent_height integer,
	sent_pixels bigint GENERATED ALWAYS AS (sent_width::pg_catalog.int8 OPERATOR(pg_catalog.*) sent_height) STORED,
	long_images text,
	image_tokens bigint,
	body bytea,
	finish_reason text,
	prompt_tokens bigint,
	completion_tokens bigint,
	text_tokens bigint GENERATED ALWAYS AS (prompt_tokens OPERATOR(pg_catalog.-) image_tokens) STORED,
	latency_ms bigint,
	received_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	late boolean NOT NULL DEFAULT false,
	reason text,
	reason_offset bigint,
	flags text[] NOT NULL DEFAULT '{}',
	measures jsonb,
	parser_version integer,
	cost double precision,
	estimated boolean,
	about bigint,
	keep boolean,
	note text,
	PRIMARY KEY (image, id)
);
ALTER TABLE @.llava_reply ALTER COLUMN body SET STATISTICS 0,
	ALTER COLUMN parameters SET STATISTICS 0, ALTER COLUMN measures SET STATISTICS 0,
	ALTER COLUMN note SET STATISTICS 0;
-- counts by verdict without a look at the bodies
CREATE INDEX llava_reply_verdict ON @.llava_reply (task, reason);
COMMENT ON TABLE @.llava_reply IS
	'the ledger: every HTTP 200 body that arrived whole, and the parser''s verdict on it';
COMMENT ON COLUMN @.llava_reply.image IS 'the picture';
COMMENT ON COLUMN @.llava_reply.id IS 'the call: X-Request-Id of the request';
COMMENT ON COLUMN @.llava_reply.task IS 'name of the task';
COMMENT ON COLUMN @.llava_reply.task_version IS 'version of the task';
COMMENT ON COLUMN @.llava_reply.server IS 'server that answered';
COMMENT ON COLUMN @.llava_reply.model IS 'model as the server''s option names it';
COMMENT ON COLUMN @.llava_reply.model_reported IS 'model as the reply names it';
COMMENT ON COLUMN @.llava_reply.parameters IS 'what the request set: max_tokens, temperature and so on';
COMMENT ON COLUMN @.llava_reply.variation IS 'how often asked anew before';
COMMENT ON COLUMN @.llava_reply.seed IS 'sent with the request';
COMMENT ON COLUMN @.llava_reply.sent_width IS 'width of the picture as sent';
COMMENT ON COLUMN @.llava_reply.sent_height IS 'height of the picture as sent';
COMMENT ON COLUMN @.llava_reply.sent_pixels IS 'sent_width * sent_height';
COMMENT ON COLUMN @.llava_reply.long_images IS 'shrink or raise, where the picture was long';
COMMENT ON COLUMN @.llava_reply.image_tokens IS 'forecast for the picture as sent';
COMMENT ON COLUMN @.llava_reply.body IS 'the body of the HTTP 200, byte for byte but for masked keys; NULL: erased by a takedown';
COMMENT ON COLUMN @.llava_reply.finish_reason IS 'as the server said';
COMMENT ON COLUMN @.llava_reply.prompt_tokens IS 'as the server said; NULL: it did not';
COMMENT ON COLUMN @.llava_reply.completion_tokens IS 'as the server said; NULL: it did not';
COMMENT ON COLUMN @.llava_reply.text_tokens IS 'prompt_tokens - image_tokens; the same for a task version';
COMMENT ON COLUMN @.llava_reply.latency_ms IS 'from sending to the last byte';
COMMENT ON COLUMN @.llava_reply.received_at IS 'when it was written to the ledger';
COMMENT ON COLUMN @.llava_reply.late IS 'its call was no longer the row''s: kept, never a sample';
COMMENT ON COLUMN @.llava_reply.reason IS 'why it is no sample; NULL: accepted';
COMMENT ON COLUMN @.llava_reply.reason_offset IS 'where in the text the reason begins, in bytes';
COMMENT ON COLUMN @.llava_reply.flags IS 'what the parser changed or noticed';
COMMENT ON COLUMN @.llava_reply.measures IS 'what the checks measured';
COMMENT ON COLUMN @.llava_reply.parser_version IS 'parser that gave the verdict';
COMMENT ON COLUMN @.llava_reply.cost IS 'by the server''s prices, when it was settled; NULL: by 1.0.0';
COMMENT ON COLUMN @.llava_reply.estimated IS 'true: the cost is a forecast, since the server did not say what it used';
COMMENT ON COLUMN @.llava_reply.about IS 'the reply whose result it followed; NULL: it followed none';
COMMENT ON COLUMN @.llava_reply.keep IS 'what people said of its sample, when another took its place';
COMMENT ON COLUMN @.llava_reply.note IS 'their note on that sample';
SELECT pg_catalog.pg_extension_config_dump('@.llava_reply', '');

CREATE FUNCTION @.llava_reply_words(body bytea, reason_offset bigint, OUT text text, OUT detail text)
	RETURNS record LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_reply_words(bytea, bigint) IS
	'the text of a stored body, and the words at that byte of it, or why it is no completion';

CREATE VIEW @.llava_reply_text WITH (security_invoker = true) AS
	SELECT r.image, r.id, (@.llava_reply_words(r.body, NULL)).text
	FROM @.llava_reply r;
COMMENT ON VIEW @.llava_reply_text IS
	'what each reply of the ledger says';
COMMENT ON COLUMN @.llava_reply_text.image IS 'the picture';
COMMENT ON COLUMN @.llava_reply_text.id IS 'the call';
COMMENT ON COLUMN @.llava_reply_text.text IS 'the text, read from the body; NULL: no completion, or erased';

CREATE VIEW @.llava_rejected WITH (security_invoker = true) AS
	SELECT r.image, r.id, r.task, r.task_version AS version, r.server, r.reason,
		(@.llava_reply_words(r.body, r.reason_offset)).detail,
		(@.llava_reply_words(r.body, NULL)).text, r.received_at AS at
	FROM @.llava_reply r WHERE r.reason IS NOT NULL;
COMMENT ON VIEW @.llava_rejected IS
	'the replies that are no sample: why, and what they say';
COMMENT ON COLUMN @.llava_rejected.image IS 'the picture';
COMMENT ON COLUMN @.llava_rejected.id IS 'the call';
COMMENT ON COLUMN @.llava_rejected.task IS 'name of the task';
COMMENT ON COLUMN @.llava_rejected.version IS 'version of the task';
COMMENT ON COLUMN @.llava_rejected.server IS 'server that answered';
COMMENT ON COLUMN @.llava_rejected.reason IS 'why it is no sample';
COMMENT ON COLUMN @.llava_rejected.detail IS 'the words where the reason begins, or what a body lacks';
COMMENT ON COLUMN @.llava_rejected.text IS 'the text, read from the body; NULL: no completion, or erased';
COMMENT ON COLUMN @.llava_rejected.at IS 'when it arrived';

CREATE FUNCTION @.llava_parse_reply(task text, reply text, finish_reason text DEFAULT 'stop',
	 OUT conversation jsonb, OUT reason text, OUT flags text[], OUT object jsonb)
	RETURNS record LANGUAGE c STRICT STABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_parse_reply(text, text, text) IS
	'the parser and the checks alone, under the task''s newest version';

CREATE PROCEDURE @.llava_reparse(task text DEFAULT NULL, first_image bigint DEFAULT NULL,
	  batch integer DEFAULT 1000, INOUT report jsonb DEFAULT NULL, edited boolean DEFAULT false)
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON PROCEDURE @.llava_reparse(text, bigint, integer, jsonb, boolean) FROM PUBLIC;
COMMENT ON PROCEDURE @.llava_reparse(text, bigint, integer, jsonb, boolean) IS
	'stored replies under the parser and thresholds of today, without a request, committing as it goes; writes what changed';

CREATE FUNCTION @.llava_sentences(text text) RETURNS text[]
	LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_sentences(text) IS
	'the sentences of a text, with the numbers that {{sentences}} of a prompt gives them';

CREATE PROCEDURE @.llava_follow(task text DEFAULT NULL, batch integer DEFAULT 1000, dry boolean DEFAULT false,
	  INOUT report jsonb DEFAULT NULL)
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON PROCEDURE @.llava_follow(text, integer, boolean, jsonb) FROM PUBLIC;
COMMENT ON PROCEDURE @.llava_follow(text, integer, boolean, jsonb) IS
	'queues what a change of after, condition or share owes to older results, committing as it goes; dry: only counts';
