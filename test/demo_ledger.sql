-- Takes the ledger that test/demo writes beside its samples into a database: pictures'
-- rows, replies, samples, failures.
--
--   psql -d mydb -f test/demo_ledger.sql <train.ledger.jsonl
--
-- The database has llava_zh and no pictures yet.  CALL llava_reparse() then judges the
-- replies by the parser and the thresholds of the day, without a request.  The bytes of the
-- pictures are not in the ledger: llava_image has their paths and digests.
\set ON_ERROR_STOP 1
-- loads the library, which knows the format
SELECT llava_image_tokens(28, 28) \g /dev/null
BEGIN;
CREATE TEMP TABLE ledger (line jsonb) ON COMMIT DROP;
\copy ledger FROM pstdin WITH (FORMAT jsonl)
-- of each table the columns that both it and the ledger have
SELECT format('INSERT INTO %I (%s) SELECT %2$s FROM ledger, jsonb_populate_record(NULL::%1$I, line->''row'')'
	' WHERE line->>''table'' = %1$L', name, columns)
FROM unnest(ARRAY['llava_image', 'llava_task', 'llava_reply', 'llava_conversation', 'llava_pending']) WITH ORDINALITY t (name, place),
	LATERAL (SELECT string_agg(quote_ident(attname), ', ') AS columns FROM pg_attribute
		WHERE attrelid = name::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
			AND attname IN (SELECT jsonb_object_keys(line->'row') FROM ledger WHERE line->>'table' = name)) c
WHERE columns IS NOT NULL ORDER BY place \gexec
SELECT setval(pg_get_serial_sequence('llava_image', 'id'), max(id)) FROM llava_image HAVING max(id) > 0 \g /dev/null
SELECT setval('llava_call_seq', max(id)) FROM llava_reply HAVING max(id) > 0 \g /dev/null
COMMIT;
