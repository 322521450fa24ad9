-- Tasks: what ships, how a task is changed, and the draw.
SET client_min_messages = error;
DROP EXTENSION IF EXISTS llava_zh CASCADE;
CREATE EXTENSION llava_zh;
RESET client_min_messages;

SELECT name, version, alias, kind, language, weight, min_rounds, max_rounds,
       cardinality(questions) AS questions, shipped
FROM llava_task ORDER BY weight DESC, name COLLATE "C";
SELECT name, max_tokens, temperature, top_p, repetition_penalty,
       min_question_chars, max_question_chars, min_answer_chars, min_letters,
       min_language_share, max_loop_share
FROM llava_task ORDER BY weight DESC, name COLLATE "C";

-- the prompts, byte for byte: sha256sum test/prompts/*.txt
SELECT t.name, encode(sha256(convert_to(t.prompt, 'UTF8')), 'hex') = d.digest AS same
FROM llava_task t FULL JOIN (VALUES
	('日常对话', '8a2906e0ea7021f997c29cf24593189e4dcc9e6ef0f243e40b925a4e69b6b810'),
	('复杂推理', '3b50f8b70f19699a5322dde83773270eed32b0cf2633c94f11a8d714af9cca03'),
	('描述图片', 'db98663aba81cc918fadbea8bd1cd4edbd6e2ced24d09ba0af2fa43c64098b89'),
	('conversation_en', '404f12ead6f038dc0770f620e3cebdc9b880ee5708a33fa53f9785d5d8d25a14'),
	('complex_reasoning_en', '3271621f0018f3e49fb8f9e2c7b03c6159fabdc2f7e2c6c832ab256c30b49168'),
	('detail_en', '66a0783496cb4ce69b489cf1e113a308d08aab266cd76c4731992aa6420e6e3e'),
	('筛选', '0567578fd6bbc08bd43f399fae375dbfe21bd1925ccf888b8fdb9fbfcdd6f73e'),
	('triage_en', '0adbd0a513d5a4095a2565489033b347d7593a0ac7c4cc193034e57e7b7e6ad4')
) AS d (name, digest) USING (name) ORDER BY name COLLATE "C";

-- questions are distinct and no marker or blank slipped in
SELECT name, count(*) = count(DISTINCT q) AS distinct, bool_and(q = btrim(q) AND q !~ '<') AS clean
FROM llava_task, unnest(questions) AS q GROUP BY name ORDER BY name COLLATE "C";

-- any 641,868 draws in a row give exactly the published counts
SELECT start, task, count(*)
FROM unnest(ARRAY[0, 123456, -300000, 9000000000000]) AS start,
     LATERAL (SELECT llava_draw_task(n) AS task FROM generate_series(start, start + 641867) AS n) AS draws
GROUP BY start, task ORDER BY start, task COLLATE "C";

-- and no shorter run strays from its share by a dozen
SELECT max(abs(a - k * 194646.0 / 641868)) < 12 AS reasoning,
       max(abs(b - k * 199791.0 / 641868)) < 12 AS description,
       max(abs(k - a - b - k * 247431.0 / 641868)) < 12 AS conversation
FROM (SELECT n - 777776 AS k,
             count(*) FILTER (WHERE task = '复杂推理') OVER run AS a,
             count(*) FILTER (WHERE task = '描述图片') OVER run AS b
      FROM (SELECT n, llava_draw_task(n) AS task FROM generate_series(777777, 777777 + 641867) AS n) AS draws
      WINDOW run AS (ORDER BY n ROWS UNBOUNDED PRECEDING)) AS prefixes;

SELECT llava_draw_task(9223372036854775807) IS NOT NULL AS largest,
       llava_draw_task('-9223372036854775808') IS NOT NULL AS smallest,
       llava_draw_task(NULL) IS NULL AS nothing;

-- a change is an INSERT: the next version, the rest as before
BEGIN;
INSERT INTO llava_task (name, prompt) VALUES ('描述图片', '描述一下。');
SELECT n.version, n.shipped, n.prompt, n.title = o.title AS title, n.alias = o.alias AS alias,
       n.weight = o.weight AS weight, n.questions = o.questions AS questions,
       n.min_letters = o.min_letters AS min_letters, n.temperature = o.temperature AS temperature
FROM llava_task n JOIN llava_task o USING (name)
WHERE name = '描述图片' AND n.version = 2 AND o.version = 1;
INSERT INTO llava_task (name, weight, alias, max_tokens) VALUES ('描述图片', 0, '', 4096);
SELECT version, alias, weight, prompt, max_tokens, min_letters FROM llava_task
WHERE name = '描述图片' ORDER BY version;
-- the newest version counts, at once
SELECT task, count(*) FROM generate_series(1, 442077) AS n, llava_draw_task(n) AS task
GROUP BY task ORDER BY task COLLATE "C";
ROLLBACK;

-- an experiment inherits from the task before the dash, but is not drawn
BEGIN;
INSERT INTO llava_task (name, prompt) VALUES ('描述图片-v2', '换一种说法描述。');
INSERT INTO llava_task (name, temperature) VALUES ('描述图片-v2-hot', 1.2), ('conversation-short', 0.1);
SELECT name, version, alias, kind, weight, left(prompt, 8) AS prompt, temperature, min_letters,
       cardinality(questions) AS questions, shipped
FROM llava_task WHERE NOT shipped ORDER BY name COLLATE "C";
-- another kind of reply does not take over what fits only the old kind
INSERT INTO llava_task (name, kind, language, prompt) VALUES ('描述图片-qa', 'question_answer', 'en', 'Ask.');
SELECT kind, language, min_rounds, max_rounds, min_letters, max_question_chars, max_tokens, questions
FROM llava_task WHERE name = '描述图片-qa';
ROLLBACK;

-- a new task has its kind's defaults
BEGIN;
INSERT INTO llava_task (name, kind, language, prompt) VALUES ('地标', 'dialogue', 'zh', '谈谈地标。');
INSERT INTO llava_task (name, kind, prompt, language, min_rounds) VALUES ('landmark', 'dialogue', 'Talk.', 'any', 7);
SELECT name, version, weight, language, min_rounds, max_rounds, max_tokens, temperature, min_letters, shipped
FROM llava_task WHERE NOT shipped ORDER BY name COLLATE "C";
ROLLBACK;

-- a row with a version is a restore: as it is, but never as ours
BEGIN;
INSERT INTO llava_task (name, version, prompt, kind, alias, shipped) VALUES ('描述图片', 7, '旧的。', 'description', 'other', true);
SELECT version, alias, title, weight, language, min_letters, max_tokens, questions, shipped
FROM llava_task WHERE name = '描述图片' AND version = 7;
ROLLBACK;

-- what is refused
\set VERBOSITY default
INSERT INTO llava_task (name) VALUES ('新任务');
INSERT INTO llava_task (name, kind) VALUES ('新任务', 'description');
INSERT INTO llava_task (name, kind, language) VALUES ('新任务', 'description', 'zh');
INSERT INTO llava_task (name, kind, language, prompt) VALUES ('新任务', 'poem', 'zh', '写诗。');
INSERT INTO llava_task (name, kind) VALUES ('新任务', 'qa');
INSERT INTO llava_task (name, kind, prompt, language) VALUES ('新任务', 'description', '写。', 'fr');
INSERT INTO llava_task (name, kind, language, prompt, alias) VALUES ('新任务', 'description', 'zh', '写。', 'detail');
INSERT INTO llava_task (name, kind, language, prompt, alias) VALUES ('新任务', 'description', 'zh', '写。', '日常对话');
INSERT INTO llava_task (name, kind, language, prompt) VALUES ('detail', 'description', 'zh', '写。');
INSERT INTO llava_task (name, weight) VALUES ('描述图片', 1000000000001);
INSERT INTO llava_task (name, max_tokens) VALUES ('描述图片', 0);
INSERT INTO llava_task (name, max_tokens) VALUES ('描述图片', 1000001);
INSERT INTO llava_task (name, server) VALUES ('描述图片', 'nowhere');
CREATE FOREIGN DATA WRAPPER regress_llava_other;
CREATE SERVER regress_llava_other FOREIGN DATA WRAPPER regress_llava_other;
INSERT INTO llava_task (name, server) VALUES ('描述图片', 'regress_llava_other');
DROP FOREIGN DATA WRAPPER regress_llava_other CASCADE;

-- descriptions of something else need human turns that ask for it
BEGIN;
INSERT INTO llava_task (name, kind, language, prompt) VALUES ('颜色', 'description', 'zh', '只说颜色。');
INSERT INTO llava_task (name, kind, language, prompt) VALUES ('colours', 'description', 'en', 'Colours only.');
INSERT INTO llava_task (name, questions) VALUES ('颜色', ARRAY['有哪些颜色？']);
INSERT INTO llava_task (name, prompt) VALUES ('描述图片-颜色', '详细描述颜色。');
ROLLBACK;
\set VERBOSITY terse
INSERT INTO llava_task (name, max_rounds) VALUES ('日常对话', 0);
INSERT INTO llava_task (name, prompt) VALUES (NULL, '写。');
\set VERBOSITY default
UPDATE llava_task SET weight = 5 WHERE name = '描述图片';
UPDATE llava_task SET prompt = '很长的一段话，长到提示里放不下，所以后面的部分会被省略号代替。', weight = 1 WHERE name = '日常对话';
UPDATE llava_task SET shipped = shipped WHERE name = 'detail_en';
DELETE FROM llava_task WHERE name = '复杂推理';
SELECT count(*), count(*) FILTER (WHERE shipped) AS shipped FROM llava_task;

-- the trigger functions are of use on no other table
CREATE TABLE somebody_elses (LIKE llava_task);
CREATE TRIGGER t BEFORE INSERT ON somebody_elses FOR EACH ROW EXECUTE FUNCTION llava_task_insert();
INSERT INTO somebody_elses (name, prompt) VALUES ('描述图片', '描述一下。');
DROP TABLE somebody_elses;

-- without weights nothing is drawn
BEGIN;
INSERT INTO llava_task (name, weight) SELECT name, 0 FROM llava_task WHERE weight > 0;
SELECT llava_draw_task(1) IS NULL AS nothing;
ROLLBACK;
-- one task with a weight is always drawn; weights whose multiplier must be looked for
BEGIN;
INSERT INTO llava_task (name, weight) SELECT name, CASE alias WHEN 'detail' THEN 1 ELSE 0 END FROM llava_task WHERE weight > 0;
SELECT DISTINCT llava_draw_task(n) FROM generate_series(-3, 3) AS n;
INSERT INTO llava_task (name, weight) VALUES ('日常对话', 1000000000000), ('描述图片', 500000000000), ('复杂推理', 500000000000);
SELECT task, count(*) FROM generate_series(1, 4000) AS n, llava_draw_task(n) AS task GROUP BY task ORDER BY task COLLATE "C";
ROLLBACK;
