-- What the views count, on rows made by hand.
SET client_min_messages = error;
DROP EXTENSION IF EXISTS llava_zh CASCADE;
CREATE EXTENSION llava_zh;
RESET client_min_messages;

-- one reply in four rejected; s asked twice as often as t
INSERT INTO llava_reply (image, id, task, task_version, server, model, parameters, variation, body,
	prompt_tokens, completion_tokens, image_tokens, latency_ms, reason, flags, measures, parser_version)
SELECT n, n, CASE WHEN n <= 4 THEN '日常对话' ELSE '描述图片' END, 1, CASE WHEN n % 3 = 0 THEN 't' ELSE 's' END, 'm', '{}', 0, '',
	100 + n, 10 * n, 60, 1000, CASE WHEN n % 4 = 0 THEN 'too_short' END,
	CASE WHEN n % 2 = 1 THEN '{trimmed_preamble}'::text[] ELSE '{}' END,
	jsonb_build_object('letters', 1, 'all_letters', 100, 'han', 90 + n % 2, 'quoted_han', n % 3), 2
FROM generate_series(1, 8) n;
INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
SELECT r.image, r.task, jsonb_agg(jsonb_build_object('from', who, 'value', value) ORDER BY turn), count(*) / 2, r.image, 1
FROM llava_reply r, LATERAL (VALUES
	(1, 'human', '图中有什么？'), (2, 'gpt', '这张图片展示了' || repeat('很', r.image::integer) || '多东西。'),
	(3, 'human', '还有呢？'), (4, 'gpt', CASE WHEN r.image % 2 = 1 THEN '没有别的了。' ELSE '有' || r.image || '只猫。' END)) v (turn, who, value)
WHERE r.reason IS NULL AND (turn < 3 OR r.task = '日常对话')
GROUP BY r.image, r.task;

SELECT task, server, replies, accepted, rejected, mean_prompt_tokens::numeric(6, 1) AS mean_prompt, mean_completion_tokens::numeric(6, 1) AS mean_completion,
	prompt_tokens, completion_tokens,
	han_share, quoting_share FROM llava_stat_task ORDER BY task COLLATE "C", server;
SELECT * FROM llava_stat_verdict ORDER BY task COLLATE "C", server, verdict;
SELECT * FROM llava_stat_flag ORDER BY task COLLATE "C", server, flag;
SELECT * FROM llava_stat_rounds ORDER BY task COLLATE "C", server, rounds;
SELECT * FROM llava_stat_length ORDER BY task COLLATE "C", server, speaker;
SELECT * FROM llava_turn WHERE image = 1 ORDER BY turn;

-- dullness
SELECT * FROM llava_stat_opening ORDER BY task COLLATE "C", speaker, count DESC, opening COLLATE "C";
SELECT * FROM llava_stat_repeat ORDER BY task COLLATE "C", count DESC;

-- a person's own idea of a conversation stops no view
SET session_replication_role = replica;
UPDATE llava_conversation SET conversation = '"none"' WHERE image = 1;
RESET session_replication_role;
SELECT count(*) FROM llava_turn WHERE image = 1;
SELECT sum(turns) FROM llava_stat_length;

-- nothing there, nothing counted
TRUNCATE llava_reply, llava_conversation;
SELECT (SELECT count(*) FROM llava_stat_task), (SELECT count(*) FROM llava_stat_verdict), (SELECT count(*) FROM llava_stat_flag),
	(SELECT count(*) FROM llava_stat_length), (SELECT count(*) FROM llava_stat_opening), (SELECT count(*) FROM llava_stat_repeat);
DROP EXTENSION llava_zh;
