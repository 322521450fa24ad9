--
-- One image, one task, one request
--

CREATE FUNCTION @.llava_generate(image bytea, task text, server text DEFAULT NULL)
	RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000000
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_generate(bytea, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @.llava_generate(bytea, text, text) IS
	'one image, one task, one request, now: the conversation. Blocks; writes no table';
