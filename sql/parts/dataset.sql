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
	edited_at timestamptz,
	PRIMARY KEY (image, task)
);
ALTER TABLE @.llava_conversation ALTER COLUMN conversation SET STATISTICS 0,
	ALTER COLUMN note SET STATISTICS 0;
CREATE INDEX llava_conversation_task ON @.llava_conversation (task);
CREATE INDEX llava_conversation_created ON @.llava_conversation
	USING brin (created_at) WITH (pages_per_range = 16);	-- summarised by the worker
COMMENT ON TABLE @.llava_conversation IS
	'the accepted samples: [{"from": "human", "value": ...}, {"from": "gpt", ...}, ...] without <image>';
COMMENT ON COLUMN @.llava_conversation.image IS 'the picture';
COMMENT ON COLUMN @.llava_conversation.task IS 'name of the task';
COMMENT ON COLUMN @.llava_conversation.conversation IS '[{"from": "human", "value": ...}, {"from": "gpt", ...}, ...]';
COMMENT ON COLUMN @.llava_conversation.rounds IS 'pairs of question and answer';
COMMENT ON COLUMN @.llava_conversation.flags IS 'what the parser changed or noticed';
COMMENT ON COLUMN @.llava_conversation.reply IS 'id of its row in llava_reply';
COMMENT ON COLUMN @.llava_conversation.task_version IS 'version of the task';
COMMENT ON COLUMN @.llava_conversation.created_at IS 'when this sample was stored';
COMMENT ON COLUMN @.llava_conversation.keep IS 'your verdict; false: in no export; NULL: not looked at';
COMMENT ON COLUMN @.llava_conversation.note IS 'your words';
COMMENT ON COLUMN @.llava_conversation.edited_at IS 'when a person changed conversation; NULL: it is as the reply has it';
SELECT pg_catalog.pg_extension_config_dump('@.llava_conversation', '');

CREATE FUNCTION @.llava_conversation_lengths() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_conversation_lengths() FROM PUBLIC;
COMMENT ON FUNCTION @.llava_conversation_lengths() IS 'trigger: refuses a note that is too long';
CREATE TRIGGER llava_conversation_lengths BEFORE UPDATE OF note ON @.llava_conversation
	FOR EACH ROW WHEN (NEW.note IS NOT NULL)
	EXECUTE FUNCTION @.llava_conversation_lengths();

CREATE FUNCTION @.llava_conversation_edited() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_conversation_edited() FROM PUBLIC;
COMMENT ON FUNCTION @.llava_conversation_edited() IS 'trigger: refuses what is no conversation, sets rounds and edited_at';
CREATE TRIGGER llava_conversation_edited BEFORE UPDATE OF conversation ON @.llava_conversation
	FOR EACH ROW EXECUTE FUNCTION @.llava_conversation_edited();

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
COMMENT ON COLUMN @.llava_turn.image IS 'the picture';
COMMENT ON COLUMN @.llava_turn.task IS 'name of the task';
COMMENT ON COLUMN @.llava_turn.task_version IS 'version of the task';
COMMENT ON COLUMN @.llava_turn.server IS 'server that answered';
COMMENT ON COLUMN @.llava_turn.turn IS 'number of the turn, from 1';
COMMENT ON COLUMN @.llava_turn.speaker IS 'human or gpt';
COMMENT ON COLUMN @.llava_turn.value IS 'the text';

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
COMMENT ON COLUMN @.llava_provenance.image IS 'the picture';
COMMENT ON COLUMN @.llava_provenance.task IS 'name of the task';
COMMENT ON COLUMN @.llava_provenance.path IS 'path of the picture';
COMMENT ON COLUMN @.llava_provenance.sha256 IS 'of the picture''s bytes';
COMMENT ON COLUMN @.llava_provenance.source_url IS 'where the file was fetched';
COMMENT ON COLUMN @.llava_provenance.licence IS 'as the writer stated it';
COMMENT ON COLUMN @.llava_provenance.server IS 'server that answered';
COMMENT ON COLUMN @.llava_provenance.model IS 'model as the server''s option names it';
COMMENT ON COLUMN @.llava_provenance.model_reported IS 'model as the reply names it';
COMMENT ON COLUMN @.llava_provenance.task_version IS 'version of the task';
COMMENT ON COLUMN @.llava_provenance.parameters IS 'what the request set';
COMMENT ON COLUMN @.llava_provenance.seed IS 'sent with the request';
COMMENT ON COLUMN @.llava_provenance.variation IS 'how often asked anew before';
COMMENT ON COLUMN @.llava_provenance.sent_width IS 'width of the picture as sent';
COMMENT ON COLUMN @.llava_provenance.sent_height IS 'height of the picture as sent';
COMMENT ON COLUMN @.llava_provenance.parser_version IS 'parser that gave the verdict';
COMMENT ON COLUMN @.llava_provenance.flags IS 'what the parser changed or noticed';
COMMENT ON COLUMN @.llava_provenance.rounds IS 'pairs of question and answer';
COMMENT ON COLUMN @.llava_provenance.call IS 'the call: X-Request-Id, llava_reply.id';
COMMENT ON COLUMN @.llava_provenance.finish_reason IS 'as the server said';
COMMENT ON COLUMN @.llava_provenance.prompt_tokens IS 'as the server said';
COMMENT ON COLUMN @.llava_provenance.completion_tokens IS 'as the server said';
COMMENT ON COLUMN @.llava_provenance.latency_ms IS 'from sending to the last byte';
COMMENT ON COLUMN @.llava_provenance.image_at IS 'when the picture was taken in';
COMMENT ON COLUMN @.llava_provenance.reply_at IS 'when the reply was written to the ledger';
COMMENT ON COLUMN @.llava_provenance.sample_at IS 'when the sample was stored';
