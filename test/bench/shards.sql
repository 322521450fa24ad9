-- Fills an empty database for test/bench/shards: -v n=... samples with pictures of -v bytes=...,
-- each the same noise, begun at another place.
CREATE EXTENSION IF NOT EXISTS llava_zh;
CREATE TEMP TABLE noise AS
SELECT string_agg(sha256(g::text::bytea), '' ORDER BY g) AS bytes FROM generate_series(1, :bytes / 32 + 1) AS g;
INSERT INTO llava_image (id, path, image, sha256, format, width, height, complete, bytes, received_at)
SELECT g, 'shops/' || g || '.jpg', p.picture, sha256(p.picture), 'jpeg', 640, 480, true, length(p.picture), now()
FROM generate_series(1, :n) AS g, noise,
LATERAL (SELECT int8send(g) || substr(noise.bytes, g % :bytes + 1) || substr(noise.bytes, 1, g % :bytes) AS picture) AS p;
INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
SELECT g, llava_draw_task(g), jsonb_build_array(
	jsonb_build_object('from', 'human', 'value', '图中的招牌上写着什么字？第' || g || '个'),
	jsonb_build_object('from', 'gpt', 'value', repeat('招牌上用红色的大字写着店名，下面一行小字是营业时间和电话。', 4) || g)), 1, g, 1
FROM generate_series(1, :n) AS g;
VACUUM ANALYZE llava_image, llava_conversation;
CHECKPOINT;
