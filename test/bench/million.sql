-- :n pictures with their bytes' digests, replies and samples, as a week of work would have left
-- them; a tenth as many replies that were not accepted; and :waiting pictures, :file with a
-- comment of its own in each, that wait for all three tasks.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET synchronous_commit = off;
CREATE TEMP TABLE said AS
SELECT k, convert_to(jsonb_build_object('id', 'chatcmpl-' || k, 'model', 'bench', 'choices', jsonb_build_array(
		jsonb_build_object('index', 0, 'finish_reason', 'stop', 'message', jsonb_build_object('role', 'assistant', 'content', text))),
		'usage', jsonb_build_object('prompt_tokens', 900, 'completion_tokens', 300))::text, 'UTF8') AS body,
	(SELECT jsonb_agg(jsonb_build_object('from', CASE t % 2 WHEN 1 THEN 'human' ELSE 'gpt' END, 'value', left(text, 20 + 60 * (1 - t % 2) + k % 90))
		ORDER BY t) FROM generate_series(1, 2 * (1 + k % 5)) t) AS conversation,
	jsonb_build_object('chars', length(text), 'letters', length(text), 'all_letters', length(text) - 40,
		'han', length(text) - 40 - k % 30, 'rounds', 1 + k % 5, 'shortest_question', 9, 'longest_question', 30,
		'shortest_answer', 40, 'quoted_han', k % 9, 'foreign', 0, 'traditional', 0, 'simplified', 200) AS measures
FROM generate_series(0, 999) k, LATERAL (
	SELECT string_agg('用户：图中第' || r || '处的' || md5(concat(k, r)) || '有什么？' || E'\n助手：在画面的一侧可以看到它，旁边还有'
		|| md5(concat(r, k)) || (k * r) || '件较小的物品排列在一起，光线从上方照下来，影子很短，拍摄时间接近正午。', E'\n') AS text
	FROM generate_series(1, 2 + k % 7) r) t;

INSERT INTO llava_image (id, path, source_url, licence, image, sha256, format, width, height, channels, bits, orientation, complete, bytes, received_at)
SELECT n, format('pictures/%s/%s.jpg', n % 1000, n), format('https://example.org/%s.jpg', n), 'CC BY 4.0', decode(repeat(md5(n::text), 16), 'hex'),
	sha256(n::text::bytea), 'jpeg', 400 + n % 3000, 300 + n % 2000, 3, 8, 1 + 5 * (n % 8 / 7), true, 256, now()
FROM generate_series(1, :n) n;
INSERT INTO llava_seen (sha256, image) SELECT sha256, id FROM llava_image;
INSERT INTO llava_hash (image, coarse, fine, colours)
SELECT id, ('x' || left(encode(sha256, 'hex'), 16))::bit(64)::bigint, sha256, substr(sha256, 1, 12) FROM llava_image;
INSERT INTO llava_reply (image, id, task, task_version, server, model, model_reported, parameters, variation, seed, sent_width, sent_height, image_tokens, body,
	finish_reason, prompt_tokens, completion_tokens, latency_ms, received_at, reason, measures, parser_version, cost, estimated)
SELECT CASE WHEN r THEN 10 * (n - :n) ELSE n END, n, (ARRAY['日常对话', '复杂推理', '描述图片'])[1 + n % 3], 1, (ARRAY['qwen', 'qwen', 'intern'])[1 + n % 7 / 3], 'bench', 'bench',
	'{"max_tokens": 1024, "temperature": 0.7}', 0, n, 1280, 960, 1200, said.body, 'stop', 900, 300, 2000 + (n::bigint * 7919 % 6000),
	now() - interval '7 days' * (1 - CASE WHEN r THEN (n - :n) * 10.0 ELSE n END / :n),
	CASE WHEN r THEN (ARRAY['too_short', 'unparsable', 'refusal', 'truncated'])[1 + n % 4] END, said.measures, 1, 0.0004, false
FROM (SELECT n, n > :n AS r FROM generate_series(1, :n + :n / 10) n) AS n JOIN said ON said.k = n.n % 1000;
INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version, created_at, keep)
SELECT n, (ARRAY['日常对话', '复杂推理', '描述图片'])[1 + n % 3], said.conversation, 1 + n % 1000 % 5, n, 1,
	now() - interval '7 days' * (1 - n::numeric / :n), CASE n % 100 WHEN 1 THEN true WHEN 2 THEN n % 3 = 0 END
FROM generate_series(1, :n) n JOIN said ON said.k = n % 1000;
SELECT setval('llava_call_seq', 2 * :n + 1), setval('llava_image_id_seq', 2 * :n + 1) \g /dev/null

INSERT INTO llava_image (path, image, task)
SELECT g || '.jpg', substr(b, 1, 2) || '\xfffe0012'::bytea || convert_to(lpad(g::text, 16, '0'), 'UTF8') || substr(b, 3), '描述图片'
FROM pg_read_binary_file(:'file') b, generate_series(1, :waiting) g;
INSERT INTO llava_pending (image, task)
SELECT i.id, t FROM llava_image i, unnest(ARRAY['日常对话', '复杂推理']) t WHERE i.id > 2 * :n ORDER BY t, i.id;
VACUUM ANALYZE;
CHECKPOINT;

-- how long a writer of llava_image waits, while there is this table
CREATE TABLE probing ();
CREATE UNLOGGED TABLE probed (ms double precision);
CREATE PROCEDURE probe() LANGUAGE plpgsql AS $$
DECLARE
	began timestamptz;
	ms double precision;
BEGIN
	WHILE to_regclass('probing') IS NOT NULL LOOP
		began := clock_timestamp();
		LOCK TABLE llava_image IN ROW EXCLUSIVE MODE;
		ms := 1000 * extract(epoch FROM clock_timestamp() - began);
		COMMIT;
		IF ms > 1 THEN
			INSERT INTO probed VALUES (ms);
			COMMIT;
		END IF;
		PERFORM pg_sleep(0.002);
	END LOOP;
END $$;
