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
	body bytea NOT NULL,
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
	PRIMARY KEY (image, id)
);
-- counts by verdict without a look at the bodies
CREATE INDEX llava_reply_verdict ON @.llava_reply (task, reason);
COMMENT ON TABLE @.llava_reply IS
	'the ledger: every HTTP 200 body that arrived whole, and the parser''s verdict on it';
COMMENT ON COLUMN @.llava_reply.long_images IS
	'shrink or raise, where the picture was long; raise: the answer may quote what fewer pixels would hide';
COMMENT ON COLUMN @.llava_reply.image_tokens IS
	'of the picture that was sent, by the model''s rule (smart_resize) and the server''s pixel options';
COMMENT ON COLUMN @.llava_reply.text_tokens IS
	'prompt_tokens less image_tokens: of one task version the same for every picture, unless the server fits them by another rule';
SELECT pg_catalog.pg_extension_config_dump('@.llava_reply', '');

CREATE FUNCTION @.llava_parse_reply(task text, reply text, finish_reason text DEFAULT 'stop',
	 OUT conversation jsonb, OUT reason text, OUT flags text[])
	RETURNS record LANGUAGE c STRICT STABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_parse_reply(text, text, text) IS
	'the parser and the checks alone, under the task''s newest version';

CREATE PROCEDURE @.llava_reparse(task text DEFAULT NULL, first_image bigint DEFAULT NULL,
	  batch integer DEFAULT 1000, INOUT report jsonb DEFAULT NULL)
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON PROCEDURE @.llava_reparse(text, bigint, integer, jsonb) FROM PUBLIC;
COMMENT ON PROCEDURE @.llava_reparse(text, bigint, integer, jsonb) IS
	'stored replies under the parser and thresholds of today, without a request, committing as it goes; writes what changed';
