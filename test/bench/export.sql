-- Fills an empty database for test/bench/export: -v n=... samples of four turns.
CREATE EXTENSION IF NOT EXISTS llava_zh;
INSERT INTO llava_image (id, path, sha256, format, width, height, received_at)
SELECT g, 'shops/' || g || '.jpg', sha256(g::text::bytea), 'jpeg', 640, 480, now() FROM generate_series(1, :n) AS g;
INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
SELECT g, llava_draw_task(g), jsonb_build_array(
	jsonb_build_object('from', 'human', 'value', '图中的招牌上写着什么字？第' || g || '个'),
	jsonb_build_object('from', 'gpt', 'value', repeat('招牌上用红色的大字写着店名，下面一行小字是营业时间和电话。', 4) || g),
	jsonb_build_object('from', 'human', 'value', '店门口有几个人，他们在做什么？'),
	jsonb_build_object('from', 'gpt', 'value', repeat('门口有两个人正在交谈，旁边停着一辆自行车。', 5))), 2, g, 1
FROM generate_series(1, :n) AS g;
VACUUM ANALYZE llava_image, llava_conversation;
