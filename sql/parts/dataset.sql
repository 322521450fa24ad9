--
-- The accepted samples, and where each comes from
--

-- The key is also the order of an export, which must be the same in every locale.
CREATE TABLE @.llava_conversation (
	image bigint,
	task text COLLATE pg_catalog."C",
	conversation jsonb NOT NULL,
	rounds integer NOT NULL,
	flags text[] NOT NULL DEFAULT '{}',
	reply bigint NOT NULL,
	task_version integer NOT NULL,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	keep boolean,
	note text,
	PRIMARY KEY (image, task)
);
CREATE INDEX llava_conversation_task ON @.llava_conversation (task);
CREATE INDEX llava_conversation_created ON @.llava_conversation
	USING brin (created_at) WITH (pages_per_range = 16);	-- summarised by the worker
COMMENT ON TABLE @.llava_conversation IS
	'the accepted samples: [{"from": "human", "value": ...}, {"from": "gpt", ...}, ...] without <image>';
COMMENT ON COLUMN @.llava_conversation.keep IS
	'a person''s verdict: false leaves the sample out of exports; NULL: not looked at';
SELECT pg_catalog.pg_extension_config_dump('@.llava_conversation', '');

CREATE FUNCTION @.llava_conversation_lengths() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_conversation_lengths() FROM PUBLIC;
CREATE TRIGGER llava_conversation_lengths BEFORE UPDATE OF note ON @.llava_conversation
	FOR EACH ROW WHEN (NEW.note IS NOT NULL)
	EXECUTE FUNCTION @.llava_conversation_lengths();

-- lz4 where the server has it; else the server's default stays.
CREATE FUNCTION @.llava_set_compression() RETURNS void
	LANGUAGE c AS 'MODULE_PATHNAME';
SELECT @.llava_set_compression();
DROP FUNCTION @.llava_set_compression();

CREATE VIEW @.llava_turn WITH (security_invoker = true) AS
	SELECT c.image, c.task, c.task_version, r.server, t.turn,
		t.value ->> 'from' AS speaker, t.value ->> 'value' AS value
	FROM @.llava_conversation c
	LEFT JOIN @.llava_reply r ON r.image = c.image AND r.id = c.reply
	CROSS JOIN LATERAL pg_catalog.jsonb_path_query(c.conversation, 'lax $[*]')
		WITH ORDINALITY AS t (value, turn);
COMMENT ON VIEW @.llava_turn IS 'the samples turn by turn: speaker is human or gpt';

-- The ledger row may be gone (a person's DELETE); the sample is listed all the same.
CREATE VIEW @.llava_provenance WITH (security_invoker = true) AS
	SELECT c.image, c.task, i.path, i.sha256, i.source_url, i.licence,
		r.server, r.model, r.model_reported, c.task_version, r.parameters, r.seed, r.variation,
		r.sent_width, r.sent_height, r.parser_version, c.flags, c.rounds, c.reply AS call,
		r.finish_reason, r.prompt_tokens, r.completion_tokens, r.latency_ms,
		i.received_at AS image_at, r.received_at AS reply_at, c.created_at AS sample_at
	FROM @.llava_conversation c
	LEFT JOIN @.llava_reply r ON r.image = c.image AND r.id = c.reply
	LEFT JOIN @.llava_image i ON i.id = c.image;
COMMENT ON VIEW @.llava_provenance IS
	'one row a sample: which picture, server, model, prompt, parameters, seed and parser it comes from, and when';
