-- llava_export: the formats of trainers, and which samples
SET client_min_messages = error;
DROP EXTENSION IF EXISTS llava_zh CASCADE;
CREATE EXTENSION llava_zh;
RESET client_min_messages;

INSERT INTO llava_image (id, path, sha256, format, received_at) VALUES
	(1, 'a/招牌 "1".jpg', sha256('1'), 'jpeg', now()),
	(2, 'b.png', sha256('2'), 'png', now());
CREATE FUNCTION sample(bigint, text, VARIADIC text[]) RETURNS void LANGUAGE sql AS
	$$INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
	SELECT $1, $2, jsonb_agg(jsonb_build_object('from', CASE WHEN n % 2 = 1 THEN 'human' ELSE 'gpt' END,
		'value', turn) ORDER BY n), count(*) / 2, $1, 1 FROM unnest($3) WITH ORDINALITY AS u (turn, n)$$;
SELECT sample(1, '日常对话', E'问"一"\\', E'答\n一', '问二', '答二');
SELECT sample(2, '描述图片', '描述', '一只猫。');

-- every format, the token before and after the question; spelt as jsonb spells it
SELECT format, line FROM unnest(ARRAY['llava', 'llamafactory', 'sharegpt', 'swift', 'qwen', 'openai', 'trl', 'imagefolder']) AS format,
	llava_export(format) AS line;
SELECT format, line FROM unnest(ARRAY['llava', 'llamafactory', 'sharegpt', 'swift', 'qwen', 'openai', 'trl', 'imagefolder']) AS format,
	llava_export(format, tasks => ARRAY['detail'], image_token => 'last') AS line;
SELECT format, token, bool_and(line = line::jsonb::text) AS spelt_as_jsonb
FROM unnest(ARRAY['llava', 'llamafactory', 'sharegpt', 'swift', 'qwen', 'openai', 'trl', 'imagefolder']) AS format,
	unnest(ARRAY['first', 'last']) AS token, llava_export(format, image_token => token) AS line
GROUP BY format, token ORDER BY format, token;
SELECT line::json ->> 'image' AS image FROM llava_export(image_name => 'sha256', folder => '/data/images') AS line;
SELECT jsonb_pretty(llava_dataset_info('signs', 'signs.jsonl'));
SELECT llava_dataset_info('signs', 'signs.jsonl', 'sharegpt');
SELECT llava_internvl_meta('signs', 'signs.jsonl', 'images', 2), llava_internvl_meta();
-- one JSON array, as COPY with FORCE_ARRAY writes it; without samples, too
SELECT llava_export_array('qwen');
SELECT llava_export_array(tasks => ARRAY['复杂推理']);
COPY (SELECT llava_export('qwen')) TO STDOUT WITH (FORMAT jsonl, FORCE_ARRAY);
SELECT llava_array_sha256(l) = (SELECT sha256(convert_to(string_agg(a || E'\n', ''), 'UTF8')) FROM llava_export_array('qwen') AS a) AS same
FROM llava_export('qwen') AS l;
SELECT llava_array_sha256(l) = sha256(E'[]\n') AS empty, llava_lines_sha256(l) = sha256('') AS no_line FROM unnest(ARRAY[NULL::text]) AS l;

-- tasks by name or alias, flags
UPDATE llava_conversation SET flags = '{traditional,cut}' WHERE image = 2;
SELECT count(*) FROM llava_export(tasks => ARRAY['conversation', '描述图片']);
SELECT count(*) FROM llava_export(tasks => ARRAY['复杂推理']);
SELECT count(*) FROM llava_export(without_flags => ARRAY['cut']);
SELECT count(*) FROM llava_export(without_flags => ARRAY['pii', NULL]);
-- a misspelt flag would leave nothing out
SELECT count(*) FROM llava_export(without_flags => '{cut,piii}');
\set VERBOSITY sqlstate
SELECT count(*) FROM llava_export(without_flags => '{piii}');
SELECT count(*) FROM llava_selected(without_flags => '{piii}');
SELECT count(*) FROM llava_validate(without_flags => '{piii}');
SELECT llava_record_export('x', without_flags => '{piii}');
SELECT llava_page(flag => 'xx');
\set VERBOSITY default
SELECT llava_page(flag => 'cut') LIKE '%一只猫%' AS chosen, llava_page(flag => 'pii') LIKE '%一只猫%' AS other;
-- an export that was recorded is made again though no sample has its flag any more
SELECT count(*) FROM llava_exported_by('llava', without_flags => '{gone}', rules => 2);

-- names that leave the folder
UPDATE llava_image SET path = '/etc/passwd' WHERE id = 1;
UPDATE llava_image SET path = 'a/../../b.png' WHERE id = 2;
SELECT count(*) FROM llava_export('swift');
UPDATE llava_image SET path = E'a\nb.jpg' WHERE id = 1;
UPDATE llava_image SET path = '..a/b..png' WHERE id = 2;
SELECT line::json ->> 'image' AS image FROM llava_export() AS line;
SELECT count(*) FROM llava_export('swift', image_name => 'sha256');
-- one file has one name, and it is one that a file can have
CREATE TABLE name (n serial, name text);
INSERT INTO name (name) VALUES ('./a.jpg'), ('a//b/./c.jpg'), ('.a'), ('a/.../b'), ('a/'), (repeat('长', 85)), (repeat('a/', 2047) || 'b'),
	('.'), ('./'), ('a/..'), ('..'), ('./../a'), (repeat('长', 85) || 'x'), (repeat('a/', 2049)), (E'a\u007f'), ('/'), (' ');
INSERT INTO llava_image (id, path, received_at) SELECT 100 + n, name, now() FROM name;
SELECT count(sample(100 + n, '描述图片', '描述', '猫')) FROM name;
SELECT s.image - 100 AS n, left(i.path, 8) AS path, left(file_name, 8) AS name, length(file_name), rule
FROM llava_selected() AS s JOIN llava_image AS i ON i.id = s.image WHERE s.image > 100;
SET session_replication_role = replica;
DELETE FROM llava_image WHERE id > 100;
SET session_replication_role = origin;
DELETE FROM llava_conversation WHERE image > 100;
DROP TABLE name;
UPDATE llava_image SET path = 'a.jpg' WHERE id = 1;
SELECT folder, line::json ->> 'image' AS image FROM unnest(ARRAY['', '/', 'zh', 'zh//', '/data/']) AS folder,
	llava_export(folder => folder) AS line;
UPDATE llava_conversation SET conversation = '[{"from": "human", "value": "q"}, {"from": "gpt", "value": "<think>a</think>b"}]'
WHERE image = 2;
SELECT count(*) FROM llava_export();

-- every rule: what a sample breaks first; image_in_two_samples is a warning
TRUNCATE llava_image, llava_hash, llava_conversation;
CREATE FUNCTION broken(id bigint, conversation jsonb, path text DEFAULT NULL, format text DEFAULT 'jpeg',
	side integer DEFAULT 100, rejected text DEFAULT NULL, bytes bytea DEFAULT '\xffd8ff') RETURNS void LANGUAGE sql AS $$
	INSERT INTO llava_image (id, path, sha256, format, width, height, rejected, image, received_at)
	VALUES (id, coalesce(path, id || '.jpg'), sha256(id::text::bytea), format, side, side, rejected, bytes, now());
	INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
	VALUES (id, '描述图片', conversation, 1, id, 1);
$$;
CREATE FUNCTION said(VARIADIC text[]) RETURNS jsonb LANGUAGE sql AS
	$$SELECT jsonb_agg(jsonb_build_object('from', CASE WHEN n % 2 = 1 THEN 'human' ELSE 'gpt' END, 'value', turn) ORDER BY n)
	FROM unnest($1) WITH ORDINALITY AS u (turn, n)$$;
SELECT * FROM llava_validate();
SELECT count(*) FROM llava_export();
SELECT count(broken(n, said('问', turn))) FROM unnest(ARRAY['写着 <image>', 'a<video>b', '<audio>', '完<|im_end|>', 'x</s>',
	'<｜end▁of▁sentence｜>', '<IMG_CONTEXT>', '<box>1</box>', '想</think>', E'\u3000\n', 'a < b<|，|><imag>< image><p>',
	repeat('长', 300)]) WITH ORDINALITY AS u (turn, n);
SELECT broken(20, said('问', '答', '问'));
SELECT broken(21, '[{"from": "gpt", "value": "答"}, {"from": "human", "value": "问"}]');
SELECT broken(22, '{"from": "human", "value": "问"}');
SELECT broken(23, '[{"from": "human", "value": "问"}, {"from": "gpt", "value": 1}]');
SELECT broken(24, '[]');
SELECT broken(30, said('问', '答'), path => '../x.jpg');
SELECT broken(31, said('问', '答'), side => 15000);
SELECT broken(32, said('问', '答'), rejected => 'truncated');
SELECT broken(33, said('问', '答'), format => 'gif');
SELECT broken(34, said('问', '答'), format => 'png', bytes => NULL);
SELECT broken(35, said('问', '答'), bytes => convert_to(repeat('0', 10485761), 'UTF8'));
SELECT broken(36, said('问', '答'));
-- a cut file, and for OpenAI grey ones and CMYK; RGBA and what is not known are taken
SELECT count(broken(id, said('问', '答'), format => CASE WHEN id > 42 THEN 'png' ELSE 'jpeg' END)) FROM generate_series(40, 46) AS id;
UPDATE llava_image SET complete = false WHERE id = 40;
UPDATE llava_image SET complete = true, channels = (ARRAY[4, 1, 2, 4, 3, NULL])[id - 40] WHERE id > 40;
INSERT INTO llava_image (id, path, sha256, received_at) VALUES (37, 'b.jpg', sha256('36'), now());
INSERT INTO llava_conversation SELECT 37, task, conversation, 1, '{}', reply, 1 FROM llava_conversation WHERE image = 36;
INSERT INTO llava_conversation SELECT image, '日常对话', conversation, 1, '{}', reply, 1 FROM llava_conversation WHERE image = 11;
INSERT INTO llava_conversation SELECT 99, '日常对话', conversation, 1, '{}', reply, 1 FROM llava_conversation WHERE image = 11 AND task = '描述图片';
SELECT * FROM llava_validate(cutoff_len => 300);
SELECT rule, image, detail FROM llava_validate('openai', data_urls => true) WHERE image > 29;
SELECT image, file_name, rule FROM llava_selected('openai', data_urls => true, image_name => 'sha256') WHERE image > 30;
SELECT image, rule, detail FROM llava_validate('openai') WHERE image > 37;
SET llava_zh.image_take_cut = on;
SELECT image, rule FROM llava_validate() WHERE image = 40;
SELECT image, rule FROM llava_validate('openai', data_urls => true) WHERE image = 40;
RESET llava_zh.image_take_cut;
SELECT line::json #> '{messages,0,content,0}' AS part FROM llava_export('openai', data_urls => true) AS line
	WHERE line LIKE '%;base64,/9j/"%' LIMIT 1;
-- WebP is a warning: not all that call themselves OpenAI-compatible take it
UPDATE llava_image SET format = 'webp' WHERE id IN (36, 46);
SELECT rule, image, detail, left_out FROM llava_validate('openai') WHERE rule = 'image_webp';
SELECT count(*) FROM llava_validate() WHERE rule = 'image_webp';
UPDATE llava_image SET format = 'jpeg' WHERE id IN (36, 46);
-- a name that two pictures have leaves out both, however it is spelt, unless the other has no
-- sample that may leave; names by hash do not
UPDATE llava_image SET path = './/36.jpg' WHERE id = 41;
SELECT rule, image, detail, left_out FROM llava_validate() WHERE image IN (36, 41) AND task = '描述图片';
SELECT rule, image, detail FROM llava_validate(folder => 'zh') WHERE rule = 'image_name_twice';
SELECT count(*) FROM llava_selected(split => 'train', validation => 0.5) WHERE rule = 'image_name_twice';
SELECT count(*) FROM llava_selected(split => 'validation', validation => 0.5) WHERE rule = 'image_name_twice';
SELECT count(*) FROM llava_selected(image_name => 'sha256') WHERE rule = 'image_name_twice';
SELECT count(*) FROM llava_exported_by('llava', rules => 1) WHERE image IN (36, 41);
SELECT count(*) FROM llava_exported_by('llava', twice => true) WHERE image IN (36, 41);
SELECT count(*) FROM llava_export_list(mix => true, tasks => '{detail}') WHERE image IN (36, 41);
UPDATE llava_conversation SET keep = false WHERE image = 41;
SELECT count(*) FROM llava_exported() WHERE image = 36;
UPDATE llava_conversation SET keep = NULL WHERE image = 41;
-- the same bytes under one name are one file
UPDATE llava_image SET path = 'b.jpg' WHERE id = 36;
SELECT count(*) FROM llava_selected() WHERE rule = 'image_name_twice';
UPDATE llava_image SET path = id || '.jpg' WHERE id IN (36, 41);
-- what is exported is what is selected, whatever the arguments
SELECT array_agg(line::json ->> 'id') = (SELECT array_agg(id) FROM llava_selected(seed => 3) WHERE rule IS NULL) AS same
FROM llava_export(seed => 3) AS line;

-- 3,000 samples: the split and the mix go by the bytes of the image
TRUNCATE llava_image, llava_hash, llava_conversation;
CREATE FUNCTION fill(first integer, last integer) RETURNS void LANGUAGE sql AS $$
	INSERT INTO llava_image (id, path, sha256, format, received_at)
	SELECT n, n || '.jpg', sha256(n::text::bytea), 'jpeg', now() FROM generate_series(first, last) AS n;
	INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
	SELECT n, llava_draw_task(n), '[{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]', 1, n, 1
	FROM generate_series(first, last) AS n;
$$;
SELECT fill(1, 2000);
CREATE TABLE before AS SELECT line::json ->> 'id' AS id, split
	FROM unnest(ARRAY['train', 'validation']) AS split, llava_export(split => split, validation => 0.1) AS line;
SELECT fill(2001, 3000);
CREATE TABLE after AS SELECT line::json ->> 'id' AS id, split
	FROM unnest(ARRAY['train', 'validation']) AS split, llava_export(split => split, validation => 0.1) AS line;
SELECT split, count(*) FROM after GROUP BY split ORDER BY split;
SELECT count(*), count(DISTINCT id) FROM after;
SELECT count(*) AS moved FROM before JOIN after USING (id) WHERE before.split <> after.split;
SELECT count(*) AS in_both FROM llava_export(split => 'validation', validation => 0.05) AS line
JOIN after ON id = line::json ->> 'id' AND split = 'train';

-- the order: by id, or the seed's
SELECT string_agg(line::json ->> 'id', ' ') FROM (SELECT llava_export() AS line LIMIT 5) AS _;
SELECT string_agg(line::json ->> 'id', ' ') FROM (SELECT llava_export(seed => 1) AS line LIMIT 5) AS _;
SELECT string_agg(line::json ->> 'id', ' ') FROM (SELECT llava_export(seed => 2) AS line LIMIT 5) AS _;
SELECT count(DISTINCT line) FROM llava_export(seed => 2) AS line;
SELECT md5(string_agg(a, '')) = (SELECT md5(string_agg(b, '')) FROM llava_export(seed => 2) AS b) AS same
FROM llava_export(seed => 2) AS a;

-- 7 % of one task are missing, some samples are invalid, some have no place in the mix
DELETE FROM llava_conversation WHERE task = '复杂推理' AND image % 14 = 0;
SET session_replication_role = replica;
UPDATE llava_conversation SET conversation = '[]' WHERE task = '复杂推理' AND image % 100 = 1;
RESET session_replication_role;
UPDATE llava_conversation SET keep = false WHERE task = '日常对话' AND image % 50 = 0;
INSERT INTO llava_conversation SELECT image, 'detail_en', conversation, 1, '{}', reply, 1
	FROM llava_conversation WHERE image < 20 AND conversation <> '[]';
CREATE VIEW mixed AS SELECT line::json ->> 'task' AS task, line::json ->> 'id' AS id
	FROM llava_export('imagefolder', mix => true) AS line;
CREATE VIEW have AS SELECT line::json ->> 'task' AS task, count(*) AS n FROM llava_export('imagefolder') AS line GROUP BY 1;
SELECT m.task, h.n AS have, m.n AS taken, floor(weight::numeric * a.n / 194646) AS share
FROM (SELECT task, count(*) AS n FROM mixed GROUP BY task) AS m JOIN have AS h USING (task)
JOIN llava_task AS t ON t.name = m.task, (SELECT n FROM have WHERE task = '复杂推理') AS a ORDER BY weight;
CREATE TABLE first_mix AS SELECT * FROM mixed;
SELECT count(*) AS changed FROM (SELECT * FROM mixed EXCEPT SELECT * FROM first_mix) AS _;
SELECT fill(3001, 3100);
SELECT count(*) AS left_when_rows_were_added FROM (SELECT * FROM first_mix EXCEPT SELECT * FROM mixed) AS _;
SELECT md5(string_agg(line, '' ORDER BY line)) = (SELECT md5(string_agg(line, '' ORDER BY line))
	FROM llava_export(mix => true, seed => 7) AS line) AS same_set FROM llava_export(mix => true) AS line;
SELECT count(*) FROM llava_export(mix => true, tasks => ARRAY['描述图片']);
SELECT count(*) FROM llava_export(mix => true, tasks => ARRAY['detail_en']);
SELECT m.task, count(*), count(*) FILTER (WHERE llava_image_share(i.id, sha256) >= 0.2) AS of_the_other_side
FROM (SELECT line::json ->> 'task' AS task, split_part(line::json ->> 'id', '-', 1)::bigint AS id
	FROM llava_export('imagefolder', mix => true, split => 'validation', validation => 0.2) AS line) AS m
JOIN llava_image AS i USING (id) GROUP BY m.task ORDER BY 2;

-- the export's own weights, exact to a sample, under aliases, with all else that chooses
CREATE FUNCTION weighted(weights jsonb, text DEFAULT NULL, OUT text, OUT bigint) RETURNS SETOF record LANGUAGE sql AS
	$$SELECT line::json ->> 'task', count(*) FROM llava_export('imagefolder', weights => $1, split => $2) AS line GROUP BY 1 ORDER BY 1$$;
SELECT * FROM have WHERE task <> 'detail_en' ORDER BY task;
SELECT * FROM weighted('{"detail": 2, "conversation": 1}');
SELECT * FROM weighted('{"detail": 0.5, "conversation": 0.25, "detail_en": 0.125}');
SELECT count(*) AS of_both FROM (SELECT weights FROM llava_export(weights => '{"detail": 1}') AS weights
	INTERSECT SELECT llava_export(tasks => '{detail}')) AS _;
SELECT (SELECT md5(string_agg(line, '')) FROM llava_export(weights => (SELECT jsonb_object_agg(name, weight) FROM llava_task
		WHERE weight > 0), seed => 7) AS line) = md5(string_agg(line, '')) AS is_the_mix
FROM llava_export(mix => true, seed => 7) AS line;
SELECT sum(n) = (SELECT count(*) FROM llava_export_list(weights => '{"detail": 2, "conversation": 1}')) AS listed,
	sum(n) = (SELECT count(*) FROM llava_selected(weights => '{"detail": 2, "conversation": 1}') WHERE rule IS NULL) AS selected
FROM weighted('{"detail": 2, "conversation": 1}') AS w (task, n);
SELECT sum(share::integer) = 0 AS of_one_side FROM (SELECT llava_image_share(image, sha256) >= 0.2 AS share
	FROM llava_exported(weights => '{"detail": 2, "conversation": 1}', split => 'validation', validation => 0.2)) AS _;
SELECT llava_record_export('weighted.jsonl', weights => '{"detail": 2, "conversation": 1}') IS NOT NULL AS recorded;
SELECT settings -> 'mix' AS mix, settings -> 'weights' AS weights FROM llava_manifest ORDER BY id DESC LIMIT 1;
SELECT llava_export(weights => '{}');
SELECT llava_export(weights => '["detail"]');
SELECT llava_export(weights => '3');
SELECT llava_export(weights => '{"detail": "2"}');
SELECT llava_export(weights => '{"detail": 0}');
SELECT llava_export(weights => '{"detail": -0.5}');
SELECT llava_export(weights => '{"detial": 1}');
SELECT llava_export(weights => '{"detail": 1, "描述图片": 1}');
SELECT llava_export(weights => '{"detail": 1, "conversation": 1}', tasks => '{detail}');
SELECT llava_export(weights => '{"detail": 1, "conversation_en": 1}');
SELECT llava_export_list(weights => '{"detail": 1, "conversation_en": 1}');
DROP FUNCTION weighted(jsonb, text);

-- mistakes
SELECT llava_export('LLaVA');
SELECT llava_export(tasks => ARRAY['描述']);
SELECT llava_export(tasks => ARRAY[NULL]);
SELECT llava_export(split => 'test');
SELECT llava_export(split => 'train', validation => 0);
SELECT llava_export(split => 'train', validation => 'NaN');
SELECT llava_export(split => 'train', validation => NULL);
SELECT llava_export(image_token => 'middle');
SELECT llava_export(image_name => NULL);
SELECT llava_export('imagefolder', folder => 'images');
SELECT llava_export(data_urls => true);
SELECT llava_export(cutoff_len => -1);
SELECT llava_validate('LLaVA');

SET client_min_messages = error;
DROP VIEW mixed, have;
DROP TABLE before, after, first_mix;
DROP FUNCTION sample(bigint, text, text[]), fill(integer, integer), said(text[]),
	broken(bigint, jsonb, text, text, integer, text, bytea);
DROP EXTENSION llava_zh CASCADE;
CREATE EXTENSION llava_zh;
