--
-- What COPY with format jsonl calls; everyone who may use the schema may execute it.
--

CREATE FUNCTION @.llava_jsonl_line(row_of_query record) RETURNS text
	LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_jsonl_line(record) IS 'a row as COPY TO with FORMAT jsonl writes it';

CREATE FUNCTION @.llava_jsonl_check(line text) RETURNS boolean
	LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_jsonl_check(text) IS 'true for JSON, else an error: COPY FROM into a text column';
