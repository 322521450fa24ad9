-- COPY ... WITH (FORMAT jsonl)
SET client_min_messages = error;
DROP EXTENSION IF EXISTS llava_zh CASCADE;
CREATE EXTENSION llava_zh;
RESET client_min_messages;

CREATE TABLE doc (doc jsonb);
INSERT INTO doc VALUES
	('{"a": "line\nnew, \"quoted\", back\\slash, tab\t, \u0001\u001f\u007f, \u2028"}'),
	('{"a": "𠀀 😀 <b>&amp;</b> 한"}'),
	('"\\."'), ('""'), ('"\\N"'), ('null'), ('[]'), ('1');

-- one jsonb column as it is; core's text and csv are something else
COPY doc TO STDOUT (FORMAT jsonl);
COPY (SELECT doc FROM doc LIMIT 1) TO STDOUT;
COPY (SELECT doc FROM doc LIMIT 1) TO STDOUT (FORMAT csv);

-- one json column on one line, its strings untouched
COPY (SELECT E'{"a" :\n\t[1,   2 ],\r\n "b\\"  c\\\\" : "  x  "}\n'::json) TO STDOUT (FORMAT jsonl);
COPY (SELECT E' "  "  '::json AS j UNION ALL SELECT E'\n[\n]\n') TO STDOUT (FORMAT jsonl);

-- one text column as it is, if it is a line of JSON
COPY (SELECT E'{"a":1 ,\t"b":"\\u0000"}'::text) TO STDOUT (FORMAT jsonl);
COPY (SELECT '{"a":'::text AS cut) TO STDOUT (FORMAT jsonl);
COPY (SELECT E'[1,\n2]'::text AS two_lines) TO STDOUT (FORMAT jsonl);
COPY (SELECT E'[1,\r2]'::text AS two_lines) TO STDOUT (FORMAT jsonl);
COPY (SELECT ''::text AS "Empty") TO STDOUT (FORMAT jsonl);
\set VERBOSITY terse
COPY (SELECT 'not JSON'::text) TO STDOUT (FORMAT jsonl);
COPY (SELECT E'"\x01"'::text) TO STDOUT (FORMAT jsonl);
COPY (SELECT '1 2'::text) TO STDOUT (FORMAT jsonl);
\set VERBOSITY default

-- a domain is its base type
CREATE DOMAIN document AS jsonb;
COPY (SELECT '{"b": 1}'::document) TO STDOUT (FORMAT jsonl);

-- anything else is a row
COPY (SELECT 1 AS n, 'x"y' AS t, NULL AS u, E'[\n1 ]'::json AS j, ARRAY[1, 2] AS a, doc FROM doc LIMIT 1)
	TO STDOUT (FORMAT jsonl);
COPY (SELECT 'v'::varchar) TO STDOUT (FORMAT jsonl);
COPY (SELECT NULL::integer AS n) TO STDOUT (FORMAT jsonl);
COPY (SELECT) TO STDOUT (FORMAT jsonl);
COPY (SELECT 1 WHERE false) TO STDOUT (FORMAT jsonl);

-- NULL is no document
COPY (SELECT NULL::jsonb AS nothing) TO STDOUT (FORMAT jsonl);
COPY (SELECT NULL::json AS nothing) TO STDOUT (FORMAT jsonl);
COPY (SELECT NULL::text AS nothing) TO STDOUT (FORMAT jsonl);
SELECT llava_jsonl_line(NULL);

-- tables: columns, generated ones left out as core does, children left out
CREATE TABLE wide (n integer, doc jsonb, g integer GENERATED ALWAYS AS (1) STORED, dropped text);
ALTER TABLE wide DROP COLUMN dropped;
INSERT INTO wide VALUES (1, '{"a": 1}'), (2, NULL);
CREATE TABLE child () INHERITS (wide);
INSERT INTO child VALUES (3, '[]');
COPY wide TO STDOUT (FORMAT jsonl);
COPY wide (doc, n) TO STDOUT (FORMAT jsonl);
COPY wide (n) TO STDOUT (FORMAT jsonl);
COPY child (doc) TO STDOUT (FORMAT jsonl);
COPY wide (n, n) TO STDOUT (FORMAT jsonl);
COPY wide (wide) TO STDOUT (FORMAT jsonl);
COPY wide (ctid) TO STDOUT (FORMAT jsonl);
COPY wide (dropped) TO STDOUT (FORMAT jsonl);
COPY nowhere TO STDOUT (FORMAT jsonl);
CREATE TABLE part (doc jsonb) PARTITION BY RANGE ((doc ->> 'k'));
CREATE TABLE part_default PARTITION OF part DEFAULT;
INSERT INTO part VALUES ('{"k": "1"}');
COPY part TO STDOUT (FORMAT jsonl);

-- queries of every kind
COPY (VALUES ('1'::jsonb), ('"2"')) TO STDOUT (FORMAT jsonl);
COPY (TABLE part) TO STDOUT (FORMAT jsonl);
COPY (WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3)
	SELECT n FROM r UNION ALL SELECT 9 ORDER BY n DESC) TO STDOUT (FORMAT jsonl);
COPY (WITH gone AS (DELETE FROM child RETURNING doc) SELECT doc FROM gone) TO STDOUT (FORMAT jsonl);
COPY (WITH s AS (SELECT 7 AS n) INSERT INTO child SELECT n, '[7]' FROM s RETURNING doc) TO STDOUT (FORMAT jsonl);
COPY (UPDATE child SET doc = '[8]' RETURNING doc) TO STDOUT (FORMAT jsonl);
COPY (DELETE FROM child RETURNING *) TO STDOUT (FORMAT jsonl);
COPY (DELETE FROM child) TO STDOUT (FORMAT jsonl);
COPY (SELECT 1 INTO elsewhere) TO STDOUT (FORMAT jsonl);
COPY (SELECT nothing FROM wide) TO STDOUT (FORMAT jsonl);
COPY (SELECT llava_jsonl_row.* FROM wide AS llava_jsonl_row ORDER BY n) TO STDOUT (FORMAT jsonl);

-- the statement of a cached plan is not touched
CREATE FUNCTION copies() RETURNS void LANGUAGE plpgsql AS
	$$BEGIN FOR i IN 1..3 LOOP COPY doc TO PROGRAM 'cat > /dev/null' (FORMAT jsonl); END LOOP; END$$;
SELECT copies();
SELECT copies();

-- options
COPY doc TO STDOUT (FORMAT jsonl, ENCODING 'sql_ascii');
COPY part TO STDOUT (ENCODING 'utf-8', FORMAT jsonl);
COPY part TO STDOUT (FORMAT 'jsonl');
COPY part TO STDOUT (FORMAT jsonl, HEADER);
COPY part TO STDOUT (FORMAT jsonl, QUOTE '"');
COPY part TO STDOUT (FORMAT jsonl, NULL '');
COPY part TO STDOUT (FORMAT jsonl, FREEZE);
COPY part TO STDOUT (FORMAT jsonl, FORMAT csv);
COPY part TO STDOUT (FORMAT jsonl, ENCODING 'UTF8', ENCODING 'UTF8');
COPY part FROM '/dev/null' (FORMAT jsonl, HEADER false);
COPY part FROM '/dev/null' (FORMAT jsonl, DELIMITER ',');

-- one array of the lines
COPY (SELECT doc FROM doc LIMIT 3) TO STDOUT (FORMAT jsonl, FORCE_ARRAY);
COPY (SELECT doc FROM doc LIMIT 1) TO STDOUT (FORMAT jsonl, force_array true);
COPY (SELECT 1 AS a WHERE false) TO STDOUT (FORMAT jsonl, FORCE_ARRAY on, ENCODING 'UTF8');
COPY part TO STDOUT (FORMAT jsonl, FORCE_ARRAY false);
COPY (SELECT n AS a, repeat('字', n * 3000) = '' AS b FROM generate_series(1, 3) AS n ORDER BY n DESC) TO STDOUT (FORMAT jsonl, FORCE_ARRAY);
COPY (WITH s AS (SELECT 7 AS n) INSERT INTO child SELECT n, '[7]' FROM s RETURNING doc) TO STDOUT (FORMAT jsonl, FORCE_ARRAY);
COPY (DELETE FROM child RETURNING n) TO STDOUT (FORMAT jsonl, FORCE_ARRAY);
COPY (SELECT '1'::text UNION ALL SELECT '{') TO STDOUT (FORMAT jsonl, FORCE_ARRAY);
COPY (SELECT doc FROM doc LIMIT 1) TO STDOUT (FORMAT jsonl);
COPY part TO STDOUT (FORMAT jsonl, FORCE_ARRAY maybe);
COPY part TO STDOUT (FORMAT jsonl, FORCE_ARRAY, FORCE_ARRAY);
COPY part FROM '/dev/null' (FORMAT jsonl, FORCE_ARRAY);
-- rows, not lines, are counted; one array may be written while another one is
CREATE FUNCTION array_inside(n integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE rows integer;
BEGIN
	EXECUTE format('COPY (SELECT 1 AS a WHERE %s = 2) TO PROGRAM ''cat >/dev/null'' (FORMAT jsonl, FORCE_ARRAY)', n);
	GET DIAGNOSTICS rows = ROW_COUNT;
	COPY (SELECT 1 AS a) TO PROGRAM 'cat >/dev/null' (FORMAT csv);
	RETURN rows;
END$$;
COPY (SELECT array_inside(n) AS rows FROM generate_series(1, 3) AS n) TO STDOUT (FORMAT jsonl, FORCE_ARRAY);
DROP FUNCTION array_inside(integer);

-- other formats are as they were
COPY wide TO STDOUT;
COPY wide TO STDOUT (FORMAT csv, HEADER);
COPY wide TO STDOUT (FORMAT jsonlines);
COPY wide TO STDOUT (FORMAT 'JSONL');
COPY wide FROM '/dev/null' (FORMAT ndjson);
COPY wide TO STDOUT (FORMAT nosuch);
COPY wide TO STDOUT (FORMAT);

-- client_encoding has no part in it
SET client_encoding = 'LATIN1';
COPY (SELECT '"\u00e9 \u5b57"'::jsonb) TO STDOUT (FORMAT jsonl);
CREATE TABLE utf8 (doc jsonb);
COPY utf8 FROM STDIN (FORMAT jsonl);
"é 字"
\.
RESET client_encoding;
SELECT doc, length(doc ->> 0) FROM utf8;

-- COPY FROM: one column of type jsonb, json or text
CREATE TABLE lines (n serial, b jsonb, j json, t text, v varchar, d document);
COPY lines (b) FROM STDIN (FORMAT jsonl);
{"b":1,"a":"x\ny\\z\"\t"}
"\\N"
"\\."
 null 
1.50
[1, 2,  "<br>"]
\.
COPY lines (j) FROM STDIN (FORMAT jsonl);
{"b":1,"a":"x\ny\\z\"\t"}
\.
COPY lines (t) FROM STDIN (FORMAT jsonl, ENCODING 'UTF8');
{"b":1 , "a":"x\ny\\z\"\t𠀀"}
\.
COPY lines (d) FROM STDIN (FORMAT jsonl) WHERE d <> '2';
1
2
3
\.
COPY lines (t) FROM STDIN (FORMAT jsonl) WHERE t <> '5' OR t IS NULL;
4
5
\.
SELECT * FROM lines ORDER BY n;

-- what is no document is an error with its line
COPY lines (b) FROM STDIN (FORMAT jsonl);
1

3
\.
COPY lines (t) FROM STDIN (FORMAT jsonl);
1

3
\.
COPY lines (b) FROM STDIN (FORMAT jsonl);
{"a": 1}
{"a": 1
\.
\set VERBOSITY terse
COPY lines (t) FROM STDIN (FORMAT jsonl);
not JSON
\.
COPY lines (b) FROM STDIN (FORMAT jsonl);
1,2
\.
COPY lines (j) FROM STDIN (FORMAT jsonl);
\N
\.
\set VERBOSITY default
SELECT count(*) FROM lines;

-- what cannot be filled
COPY lines FROM '/dev/null' (FORMAT jsonl);
COPY lines (n) FROM '/dev/null' (FORMAT jsonl);
COPY lines (v) FROM '/dev/null' (FORMAT jsonl);
COPY lines (b, j) FROM '/dev/null' (FORMAT jsonl);
COPY lines (nothing) FROM '/dev/null' (FORMAT jsonl);
COPY nowhere FROM '/dev/null' (FORMAT jsonl);
COPY part FROM STDIN (FORMAT jsonl);
{"k": "2"}
\.
COPY part TO STDOUT (FORMAT jsonl);
BEGIN;
TRUNCATE doc;
COPY doc FROM STDIN (FORMAT jsonl, FREEZE);
"frozen"
\.
COPY doc TO STDOUT (FORMAT jsonl);
ROLLBACK;

-- rights are core's
CREATE ROLE regress_llava_copy;
SET ROLE regress_llava_copy;
COPY wide TO STDOUT (FORMAT jsonl);
COPY wide (doc) TO STDOUT (FORMAT jsonl);
COPY (SELECT n FROM wide) TO STDOUT (FORMAT jsonl);
\set VERBOSITY sqlstate
COPY (SELECT 1) TO '/dev/null' (FORMAT jsonl);
COPY (SELECT 1) TO PROGRAM 'cat' (FORMAT jsonl);
COPY lines (b) FROM '/dev/null' (FORMAT jsonl);
COPY lines (b) FROM PROGRAM 'echo 1' (FORMAT jsonl);
\set VERBOSITY default
RESET ROLE;
GRANT SELECT (n, doc) ON wide TO regress_llava_copy;
SET ROLE regress_llava_copy;
COPY wide TO STDOUT (FORMAT jsonl);
COPY (SELECT * FROM wide) TO STDOUT (FORMAT jsonl);
RESET ROLE;
GRANT SELECT ON wide TO regress_llava_copy;
ALTER TABLE wide ENABLE ROW LEVEL SECURITY;
CREATE POLICY first_only ON wide USING (n = 1);
SET ROLE regress_llava_copy;
COPY wide TO STDOUT (FORMAT jsonl);
SET row_security = off;
COPY wide TO STDOUT (FORMAT jsonl);
RESET row_security;
BEGIN READ ONLY;
COPY wide TO STDOUT (FORMAT jsonl);
COMMIT;
RESET ROLE;
BEGIN READ ONLY;
COPY lines (b) FROM '/dev/null' (FORMAT jsonl);
ROLLBACK;

-- what COPY of a text column takes for JSON is what the type json takes: documents with each
-- byte gone, doubled or another
CREATE FUNCTION is_json(line text, by_copy boolean) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF by_copy THEN
		RETURN llava_jsonl_check(line);
	END IF;
	PERFORM line::json;
	RETURN true;
EXCEPTION WHEN invalid_text_representation OR untranslatable_character THEN
	RETURN false;
END$$;
WITH document (d) AS (VALUES ('{"a": [1, -0.5, true, null], "b": {}, "字": "x\n\"\u00e9\\"}'),
	('[[], {"k": [{}, "\ud83d\ude00 \u0000/\/"]}, 1e5, -0, false]'),
	(repeat('[', 64) || repeat(']', 64)), (repeat('{"k":', 65) || '1' || repeat('}', 65)),
	('"12345678招牌1234567\t12345678"'), ('0'), ('-12.50'), (' null ')),
edit (line) AS (SELECT d FROM document
	UNION SELECT overlay(d PLACING put FROM n FOR gone)
	FROM document, generate_series(1, length(d)) AS n, generate_series(0, 1) AS gone,
		unnest(ARRAY['', '"', '\', '{', '}', '[', ']', ',', ':', ' ', '0', '1', '.', '-', 'e', 'u', 'd', 'n', E'\t', E'\x01', E'\x7f', '字']) AS put)
SELECT count(*) > 5000 AS many, count(*) FILTER (WHERE is_json(line, false)) > 500 AS valid,
	count(*) FILTER (WHERE is_json(line, true) <> is_json(line, false)) AS differ
FROM edit;
DROP FUNCTION is_json(text, boolean);

-- a hostile search_path, and the extension in a schema of its own
SET client_min_messages = error;
DROP EXTENSION llava_zh CASCADE;
CREATE SCHEMA "Llava Zh";
CREATE EXTENSION llava_zh SCHEMA "Llava Zh";
RESET client_min_messages;
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.llava_jsonl_line(record) RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE 'stolen'; END$$;
CREATE FUNCTION hostile.row_to_json(record) RETURNS json LANGUAGE plpgsql AS $$BEGIN RAISE 'stolen'; END$$;
SET search_path = hostile, public, pg_catalog;
COPY wide TO STDOUT (FORMAT jsonl);
RESET search_path;

-- without the extension the format is core's to refuse
SET client_min_messages = error;
DROP EXTENSION llava_zh CASCADE;
RESET client_min_messages;
COPY wide TO STDOUT (FORMAT jsonl);
SELECT copies();

SET client_min_messages = error;
DROP SCHEMA "Llava Zh", hostile CASCADE;
DROP FUNCTION copies();
DROP TABLE doc, wide, child, part, lines, utf8;
DROP DOMAIN document;
DROP ROLE regress_llava_copy;
CREATE EXTENSION llava_zh;
