-- llava_export: the accepted samples as trainers read them
SET client_min_messages = error;
DROP EXTENSION IF EXISTS llava_zh CASCADE;
CREATE EXTENSION llava_zh;
RESET client_min_messages;

-- rows as a restore brings them
INSERT INTO llava_image (id, path, sha256, format, received_at) VALUES
	(1, 'a/招牌 "1".jpg', sha256('1'), 'jpeg', now()),
	(2, NULL, sha256('2'), 'jpeg', now()),
	(3, '', sha256('3'), 'webp', now()),
	(4, 'd.png', sha256('4'), 'png', now()),
	(10, 'e.png', sha256('10'), 'png', now()),
	(11, NULL, NULL, NULL, now());
CREATE FUNCTION sample(bigint, text, VARIADIC text[]) RETURNS void LANGUAGE sql AS
	$$INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
	SELECT $1, $2, jsonb_agg(jsonb_build_object('from', CASE WHEN n % 2 = 1 THEN 'human' ELSE 'gpt' END,
		'value', turn) ORDER BY n), count(*) / 2, $1, 1 FROM unnest($3) WITH ORDINALITY AS u (turn, n)$$;
SELECT sample(10, '描述图片', '第十', '十');
SELECT sample(2, '日常对话', '问一', '答一', '问二', '答二');
SELECT sample(1, '描述图片', E'请"描述"\\这张图片。', E'第一段\n\n第二段\t\u0001\u2028\u007f 𠀀😀<script>');
SELECT sample(3, '复杂推理', '为什么？', '因为 a < b | c > d，<|，|>。');
SELECT sample(4, '日常对话', '甲', '乙');
SELECT sample(4, '复杂推理', '丙', '丁');
SELECT llava_export('llava');
SELECT count(*) FROM llava_export();

-- a person's verdict
UPDATE llava_conversation SET keep = true WHERE image = 1;
UPDATE llava_conversation SET keep = false WHERE image = 3 OR image = 4 AND task = '日常对话';
SELECT line::json ->> 'id' AS id, line::json ->> 'image' AS image FROM llava_export('llava') AS line;

-- through COPY, into jsonb, and out again: the same bytes, but that jsonb escapes no U+2028
CREATE TABLE exported (line text);
COPY (SELECT llava_export('llava')) TO PROGRAM 'cat > llava_zh_export.jsonl' (FORMAT jsonl);
CREATE TABLE loaded (doc jsonb);
COPY loaded FROM PROGRAM 'cat llava_zh_export.jsonl' (FORMAT jsonl);
COPY exported FROM PROGRAM 'cat llava_zh_export.jsonl' (FORMAT jsonl);
COPY (SELECT) TO PROGRAM 'cat >/dev/null; rm llava_zh_export.jsonl';
SELECT count(*) AS lines, bool_and(doc::text = replace(line, '\u2028', U&'\2028')) AS spelt_as_jsonb
FROM (SELECT doc, row_number() OVER () AS n FROM loaded) AS l
JOIN (SELECT line, row_number() OVER () AS n FROM exported) AS e USING (n);
SELECT array_agg(line) = ARRAY(SELECT line FROM exported) AS same FROM llava_export() AS line;

-- what would stop a training run stays here
SELECT sample(1, 'image token', '问', '标签是 <image>。');
SELECT sample(1, 'video token', '问 <video>', '答');
SELECT sample(1, 'special token', '问', '答<|im_end|>');
SELECT sample(1, 'empty', '问', '');
SELECT sample(1, 'blank', E' \n\u3000\u00a0\ufeff', '答');
SELECT sample(1, 'odd', '问', '答', '问');
INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
SELECT 1, shape, shape::jsonb, 1, 1, 1 FROM unnest(ARRAY['[]', '{}', '"x"', 'null', '[1, 2]', '[[], []]',
	'[{"from": "gpt", "value": "a"}, {"from": "human", "value": "b"}]',
	'[{"from": "human", "value": "a"}, {"from": "human", "value": "b"}]',
	'[{"from": "human", "value": 1}, {"from": "gpt", "value": "b"}]',
	'[{"from": "human"}, {"from": "gpt", "value": "b"}]',
	'[{"from": "human", "value": "a", "x": 1}, {"from": "gpt", "value": "b"}]']) AS shape;
SELECT sample(11, 'no name', '问', '答');
SELECT sample(12, 'no image', '问', '答');
SELECT line::json ->> 'id' AS id FROM llava_export('llava') AS line;
DELETE FROM llava_conversation WHERE image IN (11, 12) OR image = 1 AND task <> '描述图片' AND task <> 'empty';
SELECT line::json ->> 'id' AS id FROM llava_export('llava') AS line;

-- more rows than one fetch, some faulty; an end before the last row; cursors
TRUNCATE llava_image, llava_hash, llava_conversation;
INSERT INTO llava_image (id, path, received_at) SELECT n, n || '.jpg', now() FROM generate_series(1, 400) AS n;
SELECT count(sample(n, 't', 'q' || n, CASE WHEN n % 50 < 40 THEN 'a' ELSE ' ' END)) FROM generate_series(1, 400) AS n;
SELECT count(*), count(DISTINCT line::json ->> 'id'),
	bool_and(line::json #>> '{conversations,0,value}' = E'<image>\nq' || split_part(line::json ->> 'id', '-', 1)) AS own_question
FROM llava_export() AS line;
SELECT count(*) FROM (SELECT llava_export() LIMIT 100) AS _;
SELECT name FROM pg_cursors;
BEGIN;
DECLARE c CURSOR FOR SELECT left(llava_export(), 32);
FETCH 2 FROM c;
CLOSE c;
SELECT name FROM pg_cursors;
COMMIT;
BEGIN;
DECLARE c CURSOR FOR SELECT left(llava_export(), 32);
SAVEPOINT s;
FETCH 1 FROM c;
ROLLBACK TO s;
MOVE 399 FROM c;
ROLLBACK;
SELECT count(*) FROM generate_series(1, 3) AS n, LATERAL (SELECT llava_export() LIMIT n) AS _;
DO $$
DECLARE
	line text;
	lines integer := 0;
BEGIN
	FOR line IN SELECT llava_export() LOOP
		lines := lines + 1;
		COMMIT;
	END LOOP;
	RAISE NOTICE '% lines', lines;
END$$;

-- formats
SELECT llava_export('llava-v2');
SELECT llava_export('');
SELECT llava_export(NULL);

-- the caller's rights, policies and search_path
\set SHOW_CONTEXT never
CREATE ROLE regress_llava_export;
SET ROLE regress_llava_export;
SELECT llava_export();
RESET ROLE;
GRANT EXECUTE ON FUNCTION llava_export TO regress_llava_export;
GRANT SELECT ON llava_conversation TO regress_llava_export;
SET ROLE regress_llava_export;
SELECT llava_export();
RESET ROLE;
GRANT SELECT ON llava_image TO regress_llava_export;
ALTER TABLE llava_conversation ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON llava_conversation USING (image < 3);
CREATE FUNCTION stolen(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS
	$$BEGIN RAISE 'stolen by %', current_user; END$$;
CREATE SCHEMA hostile;
CREATE OPERATOR hostile.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = stolen);
CREATE TABLE hostile.llava_conversation (image bigint);
GRANT USAGE ON SCHEMA hostile TO regress_llava_export;
SET ROLE regress_llava_export;
SET search_path = hostile, public, pg_catalog;
SELECT llava_export();
RESET search_path;
RESET ROLE;

SET client_min_messages = error;
DROP SCHEMA hostile CASCADE;
DROP FUNCTION stolen(bigint, bigint), sample(bigint, text, text[]);
DROP TABLE exported, loaded;
DROP OWNED BY regress_llava_export;
DROP ROLE regress_llava_export;
DROP EXTENSION llava_zh CASCADE;
CREATE EXTENSION llava_zh;
