-- Every picture waits for three tasks, for both parties.
CREATE SCHEMA IF NOT EXISTS client;
CREATE TABLE IF NOT EXISTS client.pending (LIKE llava_pending INCLUDING ALL);
CREATE TABLE IF NOT EXISTS client.reply (LIKE llava_reply INCLUDING ALL);
CREATE TABLE IF NOT EXISTS client.conversation (LIKE llava_conversation INCLUDING ALL);
CREATE SEQUENCE IF NOT EXISTS client.call_seq;
TRUNCATE llava_pending, llava_reply, llava_conversation, llava_usage, client.pending, client.reply, client.conversation;
INSERT INTO llava_pending (image, task)
SELECT id, t FROM llava_image, unnest(ARRAY['日常对话', '复杂推理', '描述图片']) t ORDER BY t, id;
INSERT INTO client.pending SELECT * FROM llava_pending;
ANALYZE llava_pending, client.pending;
CHECKPOINT;
