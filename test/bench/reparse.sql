-- llava_reparse over 200,000 stored replies: none changes, then 5 % do, then these back.
--   make bench-reparse
\set ON_ERROR_STOP on
SET client_min_messages = warning;
INSERT INTO llava_image (id, path, received_at)
SELECT n, n || '.png', now() FROM generate_series(1, 200000) n;
-- dialogues of five rounds, every twentieth with fewer Han
CREATE TEMP TABLE body AS
SELECT n, convert_to(jsonb_build_object('id', 'chatcmpl-' || n, 'model', 'bench',
	'choices', jsonb_build_array(jsonb_build_object('index', 0, 'finish_reason', 'stop',
		'message', jsonb_build_object('role', 'assistant', 'content', (
			SELECT string_agg('用户：图中第' || r || '处的' || (ARRAY['房屋','车辆','树木','行人','招牌'])[1 + (n + r) % 5]
				|| '有什么值得注意的地方？' || E'\n助手：在画面' || (ARRAY['左侧','右侧','中央','远处','近处'])[1 + (n / 5 + r) % 5]
				|| '可以看到它，颜色以' || (ARRAY['红','蓝','绿','灰','黄'])[1 + (n / 25 + r) % 5]
				|| '色为主，旁边还有' || (n % 97 + r) || '件较小的物品排列在一起。'
				|| (ARRAY['光线从上方照下来，影子很短，说明拍摄时间接近正午。',
					'地面有些潮湿，反光里映着天空，可能刚刚下过一场小雨。', '背景中的建筑比较模糊，可见焦点落在前方的主体上。',
					'整体构图平衡，主体突出，给人一种安静而又整洁的感觉。', '几个人正从旁边经过，神情放松，像是在散步聊天。'])[r] || CASE WHEN n % 20 > 0 THEN (ARRAY['门口放着一把雨伞','窗台上有盆小花','墙面贴了两张海报','路边停着自行车','桌上摆着茶杯'])[1 + (n / 7 + r) % 5] || '。' ELSE '' END,
				E'\n') FROM generate_series(1, 5) r)))),
	'usage', jsonb_build_object('prompt_tokens', 900, 'completion_tokens', 300))::text, 'UTF8') AS body
FROM generate_series(1, 200000) n;
INSERT INTO llava_reply (image, id, task, task_version, server, model, parameters, variation, body)
SELECT n, n, '日常对话', 1, 'bench', 'bench', '{}', 0, body FROM body;
-- the first verdicts: as if none had been accepted
UPDATE llava_reply SET reason = 'unparsable', reason_offset = 0;
VACUUM ANALYZE llava_reply, llava_image;
SELECT count(*) AS replies, round(avg(length(body))) AS body_bytes FROM llava_reply;
CALL llava_reparse();
VACUUM ANALYZE llava_reply, llava_conversation, llava_pending;
CHECKPOINT;
-- seconds of CPU time this backend has had, in ticks of 10 ms (proc(5))
CREATE FUNCTION pg_temp.cpu() RETURNS numeric LANGUAGE sql AS $$
	SELECT (f[12]::numeric + f[13]::numeric) / 100
	FROM regexp_split_to_array(regexp_replace(pg_read_file('/proc/self/stat'), '^.*\) ', ''), ' ') f $$;
CREATE TEMP TABLE began (cpu numeric, at timestamptz);
CREATE FUNCTION pg_temp.begin() RETURNS void LANGUAGE sql AS $$
	TRUNCATE began; INSERT INTO began SELECT pg_temp.cpu(), clock_timestamp() $$;
CREATE FUNCTION pg_temp.measured(OUT per_cpu_second integer, OUT per_second integer) LANGUAGE plpgsql AS $$
BEGIN
	SELECT 200000 / (pg_temp.cpu() - cpu), 200000 / extract(epoch FROM clock_timestamp() - at)
	INTO per_cpu_second, per_second FROM began;
	IF per_cpu_second < 20000 THEN
		RAISE EXCEPTION '% replies a second of CPU time are fewer than 20,000', per_cpu_second;
	END IF;
END $$;
\set begin 'SELECT pg_temp.begin() \\g /dev/null'
\set measured 'SELECT * FROM pg_temp.measured() \\g (format=unaligned footer=off)'
:begin
\echo nothing changes
CALL llava_reparse();
:measured
INSERT INTO llava_task (name, min_letters)
SELECT '日常对话', 1 + max((measures ->> 'letters')::integer) FROM llava_reply WHERE image % 20 = 0;
:begin
\echo 5 % are withdrawn
CALL llava_reparse();
:measured
INSERT INTO llava_task (name, min_letters) VALUES ('日常对话', 1);
:begin
\echo 5 % are accepted
CALL llava_reparse();
:measured
