-- Every picture waits for three tasks, for both parties.
CREATE SCHEMA IF NOT EXISTS client;
CREATE TABLE IF NOT EXISTS client.pending (LIKE llava_pending INCLUDING ALL);
-- the client takes all rows by age: the index that this is done with, in place of the worker's
DROP INDEX IF EXISTS client.pending_task_server_not_server_visible_at_image_idx;
CREATE INDEX IF NOT EXISTS pending_by_age ON client.pending (visible_at, image, task) WHERE failure IS NULL;
CREATE TABLE IF NOT EXISTS client.reply (LIKE llava_reply INCLUDING ALL);
CREATE TABLE IF NOT EXISTS client.conversation (LIKE llava_conversation INCLUDING ALL);
CREATE SEQUENCE IF NOT EXISTS client.call_seq;
TRUNCATE llava_pending, llava_reply, llava_conversation, llava_usage, client.pending, client.reply, client.conversation;
INSERT INTO llava_pending (image, task)
SELECT id, t FROM llava_image, unnest(ARRAY['日常对话', '复杂推理', '描述图片']) t ORDER BY t, id;
INSERT INTO client.pending SELECT * FROM llava_pending;
ANALYZE llava_pending, client.pending;
CHECKPOINT;
