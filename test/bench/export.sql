-- llava_export beside a plain COPY of the same samples: 641,868 of them, or -v n=...
--
--   createdb bench && psql -Xq -d bench -v file=/var/tmp/export.jsonl -f test/bench/export.sql
--
-- Each is written twice, in turn; the second times are the ones to compare.  The server
-- writes the file, so its user must be able to.
\if :{?n} \else \set n 641868 \endif
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
\timing on
\echo plain COPY of llava_conversation.conversation
COPY (SELECT conversation FROM llava_conversation) TO :'file';
\echo llava_export, JSONL
COPY (SELECT llava_export()) TO :'file' WITH (FORMAT jsonl);
\echo plain
COPY (SELECT conversation FROM llava_conversation) TO :'file';
\echo llava_export
COPY (SELECT llava_export()) TO :'file' WITH (FORMAT jsonl);
\timing off
SELECT pg_size_pretty((pg_stat_file(:'file')).size) AS exported, pg_size_pretty(sum(total_bytes)) AS memory
FROM pg_backend_memory_contexts;
