-- Intake: what INSERT INTO llava_image finds out, stores and queues.
SET client_min_messages = error;
DROP EXTENSION IF EXISTS llava_zh CASCADE;
CREATE EXTENSION llava_zh;
RESET client_min_messages;

-- grey pictures of 64 x 48, told apart by two pixels; one of 8 x 8
CREATE TABLE picture (name text PRIMARY KEY, bytes bytea);
INSERT INTO picture VALUES
	('a', '\x89504e470d0a1a0a0000000d4948445200000040000000300800000000842023c3000000264944415478daedcc311100000800a18f6e7443b87910806a4e120804028140201008045f8305cf39d04c6a5176770000000049454e44ae426082'),
	('b', '\x89504e470d0a1a0a0000000d4948445200000040000000300800000000842023c3000000274944415478daedcc411100000803a0d9dce80be1cf830024b327110804028140201008045f8302f980d07c9caa39190000000049454e44ae426082'),
	('c', '\x89504e470d0a1a0a0000000d4948445200000040000000300800000000842023c3000000274944415478daedcc310d00000803b005e5489f083ed20a68327b12814020100804028140f0352823d6d0acf8d130c90000000049454e44ae426082'),
	('small', '\x89504e470d0a1a0a0000000d4948445200000008000000080800000000e164e157000000104944415478da6360606c000306ca180049a918093efe53240000000049454e44ae426082'),
	('text', 'not a picture'),
	('empty', '');
INSERT INTO picture SELECT 'cut', substr(bytes, 1, 60) FROM picture WHERE name = 'a';

-- one statement: good ones, broken ones, a repeated one; nothing fails
INSERT INTO llava_image (path, image)
SELECT 'first/' || name, bytes FROM picture ORDER BY name;
INSERT INTO llava_image (path, image, licence, source_url, meta)
SELECT 'again/' || name, bytes, 'CC0', 'https://example.org/', '{"k": 1}' FROM picture WHERE name IN ('a', 'text') ORDER BY name;

SELECT id, path, format, width, height, orientation, bytes, rejected, same_as,
       image IS NULL AS no_bytes, sha256 IS NOT NULL AS digest, task IS NOT NULL AS task,
       rejected_detail IS NOT NULL AS detail, received_at = now() AS now, licence, meta
FROM llava_image ORDER BY id;
-- the facts of the header, as llava_image_info has them
SELECT i.path FROM llava_image i, llava_image_info(i.image) f
WHERE (i.format, i.width, i.height, i.channels, i.bits, i.orientation, i.progressive, i.animated, i.complete)
	IS DISTINCT FROM (f.format, f.width, f.height, f.channels::smallint, f.bits::smallint, f.orientation::smallint,
	f.progressive, f.animated, f.complete) AND i.image IS NOT NULL;
SELECT path, channels, bits, progressive, animated, complete FROM llava_image ORDER BY id LIMIT 3;
SELECT i.path, i.sha256 = sha256(p.bytes) AS digest, i.image = p.bytes AS stored
FROM llava_image i JOIN picture p ON i.path = 'first/' || p.name ORDER BY id;

-- queued: what can be asked about, once, under the task that was drawn
SELECT p.image, p.task = i.task AS task, p.task = llava_draw_task(row_number() OVER (ORDER BY p.image) - 1) AS drawn,
       p.call, p.holder, p.attempts, p.variation, p.failure
FROM llava_pending p JOIN llava_image i ON i.id = p.image ORDER BY p.image;
SELECT s.image FROM llava_seen s JOIN llava_image i ON i.id = s.image AND i.sha256 = s.sha256 ORDER BY 1;
-- draws were taken only for those
SELECT last_value, is_called FROM llava_draw_seq;

-- a given task is stored by its name; no draw is taken
UPDATE picture SET bytes = overlay(bytes PLACING '\x000000'::bytea FROM 51) WHERE false;
DELETE FROM llava_seen WHERE image = (SELECT id FROM llava_image WHERE path = 'first/b');
INSERT INTO llava_image (path, image, task) SELECT 'given', bytes, 'detail' FROM picture WHERE name = 'b';
SELECT i.task, p.task AS queued FROM llava_image i JOIN llava_pending p ON p.image = i.id WHERE path = 'given';
SELECT last_value FROM llava_draw_seq;

-- a rolled back INSERT leaves no claim on its bytes
BEGIN;
DELETE FROM llava_seen;
INSERT INTO llava_image (path, image) SELECT 'undone', bytes FROM picture WHERE name = 'a';
ROLLBACK;
SELECT count(*) FROM llava_pending p LEFT JOIN llava_image i ON i.id = p.image WHERE i.id IS NULL;

-- a digest outlives its image
SET session_replication_role = replica;
DELETE FROM llava_image WHERE path = 'first/c';
RESET session_replication_role;
INSERT INTO llava_image (path, image) SELECT 'after', bytes FROM picture WHERE name = 'c';
SELECT same_as IS NOT NULL AS same_as, image IS NULL AS no_bytes, task FROM llava_image WHERE path = 'after';

-- an id that is there already: nothing is queued or claimed for it
BEGIN;
DELETE FROM llava_seen;
DELETE FROM llava_pending;
INSERT INTO llava_image (id, path, image) SELECT 1, 'conflict', bytes FROM picture WHERE name = 'b' ON CONFLICT DO NOTHING;
SELECT (SELECT count(*) FROM llava_seen) AS seen, (SELECT count(*) FROM llava_pending) AS pending;
ROLLBACK;

-- a restore is taken as it is
INSERT INTO llava_image (id, path, task, width, received_at) VALUES (1000, '/kept/as/it/is', 'no such task', 7, '2020-01-01 00:00+00');
SELECT path, task, width, bytes, rejected FROM llava_image WHERE id = 1000;
SELECT count(*) FROM llava_pending WHERE image = 1000;

-- over the size limit: not even fetched
SET llava_zh.image_max_size = '1kB';
INSERT INTO llava_image (path, image) VALUES ('large', decode(repeat('00', 1025), 'hex')), ('not large', decode(repeat('00', 1024), 'hex'));
SELECT path, rejected, rejected_detail LIKE '%1025%image_max_size%' AS detail, bytes, image IS NULL AS no_bytes, sha256 IS NULL AS no_digest
FROM llava_image WHERE path LIKE '%large' ORDER BY id;
RESET llava_zh.image_max_size;

-- refused by what the header says, with the facts and a reason
INSERT INTO llava_image (path, image) VALUES ('moving.webp', convert_to('RIFF', 'UTF8') || '\x28000000' || convert_to('WEBPVP8X', 'UTF8') ||
	'\x0a000000020000006f0000530000' || convert_to('ANIM', 'UTF8') || '\x06000000ffffffff0000' || '\x00000000');
SELECT format, width, height, animated, complete, rejected, rejected_detail FROM llava_image WHERE path = 'moving.webp';

-- bytes that come from another table's TOAST are stored uncompressed, as given
CREATE TABLE kept (bytes bytea);
ALTER TABLE kept ALTER bytes SET STORAGE EXTENDED;
INSERT INTO kept SELECT bytes || decode(repeat('00', 100000), 'hex') FROM picture WHERE name = 'text';
INSERT INTO llava_image (path, image) SELECT 'toasted', bytes FROM kept;
SELECT i.image = k.bytes AS same, pg_column_size(i.image) AS stored, i.sha256 = sha256(k.bytes) AS digest, rejected
FROM llava_image i, kept k WHERE path = 'toasted';

-- the writer's own mistakes
INSERT INTO llava_image (path, image, task) SELECT 'x', bytes, 'describe' FROM picture WHERE name = 'a';
INSERT INTO llava_image (path, source_url) VALUES ('x', 'https://example.org/x.jpg');
INSERT INTO llava_image (path, image) VALUES ('/etc/x', 'x');
INSERT INTO llava_image (path, image) VALUES ('a/../../x', 'x');
INSERT INTO llava_image (path, image) VALUES ('..', 'x');
INSERT INTO llava_image (path, image) VALUES ('a\..\x', 'x');
INSERT INTO llava_image (path, image) VALUES ('', 'x');
\set VERBOSITY terse
INSERT INTO llava_image (id, image) VALUES (NULL, 'x');
\set VERBOSITY default
BEGIN;
INSERT INTO llava_image (path, image) VALUES ('..a/b..c/...', 'x') RETURNING path, rejected;
INSERT INTO llava_task (name, weight) SELECT name, 0 FROM llava_task WHERE weight > 0;
DELETE FROM llava_seen;
INSERT INTO llava_image (path, image) SELECT 'x', bytes FROM picture WHERE name = 'a';
ROLLBACK;

-- what was received stays what it was; bytes may be erased
UPDATE llava_image SET image = 'x' WHERE path = 'first/a';
UPDATE llava_image SET sha256 = NULL WHERE path = 'first/a';
UPDATE llava_image SET id = id + 1 WHERE path = 'first/a';
UPDATE llava_image SET image = NULL, sha256 = 'x' WHERE path = 'first/a';
UPDATE llava_image SET image = image, licence = 'CC0' WHERE path = 'first/a';
UPDATE llava_image SET image = NULL WHERE path = 'first/b';
SELECT path, licence, image IS NULL AS no_bytes FROM llava_image WHERE path IN ('first/a', 'first/b') ORDER BY id;

-- enqueue: a further task about an image
SELECT llava_enqueue(id, 'conversation_en') FROM llava_image WHERE path = 'first/a';
SELECT llava_enqueue(id, 'conversation_en') AS waits FROM llava_image WHERE path = 'first/a';
DELETE FROM llava_pending WHERE task = 'conversation_en';
INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
SELECT id, 'conversation_en', '[]', 1, 1, 1 FROM llava_image WHERE path = 'first/a';
INSERT INTO llava_reply (image, id, task, task_version, server, model, parameters, variation, body)
SELECT id, 1, 'conversation_en', 1, 's', 'm', '{}', 2, '' FROM llava_image WHERE path = 'first/a';
SELECT llava_enqueue(id, 'conversation_en') AS done, llava_enqueue(id, 'conversation_en', again => true) AS again
FROM llava_image WHERE path = 'first/a';
-- asked again under a seed that was not used before
SELECT variation FROM llava_pending WHERE task = 'conversation_en';
SELECT llava_enqueue(12345, 'detail');
SELECT llava_enqueue(id, 'describe') FROM llava_image WHERE path = 'first/a';
SELECT llava_enqueue(id, 'detail') FROM llava_image WHERE path = 'first/text';
SELECT llava_enqueue(id, 'detail') FROM llava_image WHERE path = 'again/a';
SELECT llava_enqueue(id, 'detail_en') FROM llava_image WHERE path = 'first/b';
-- it is llava_seen that knows that the bytes were here
INSERT INTO llava_seen (sha256, image) SELECT sha256, id FROM llava_image WHERE path = 'first/b'
	ON CONFLICT (sha256) DO UPDATE SET image = EXCLUDED.image;
SELECT llava_enqueue(id, 'detail_en') FROM llava_image WHERE path = 'first/b';

-- retry: failed rows by image, task or reason
DELETE FROM llava_pending;
INSERT INTO llava_pending (image, task, failure, detail, attempts, variation, visible_at) VALUES
	(1, '描述图片', 'refusal', 'd', 5, 3, '2020-01-01'), (2, '描述图片', 'truncated', 'd', 5, 0, '2020-01-01'),
	(3, '日常对话', 'refusal', 'd', 5, 0, '2020-01-01'), (4, '日常对话', NULL, NULL, 2, 1, '2020-01-01');
SELECT llava_retry(reason => 'no such reason');
SELECT llava_retry(task => 'detail', reason => 'refusal');
SELECT llava_retry(image => 2);
SELECT llava_retry(task => 'describe');
SELECT image, failure, detail, attempts, variation, visible_at = now() AS now FROM llava_pending ORDER BY image;
SELECT llava_retry();
SELECT count(*) FROM llava_pending WHERE failure IS NOT NULL;

-- INSERT on llava_image is the right to queue; the tables behind need none
CREATE ROLE regress_llava_writer;
GRANT INSERT (path, image, task), SELECT (id, path) ON llava_image TO regress_llava_writer;
SET ROLE regress_llava_writer;
INSERT INTO llava_image (path, image) SELECT 'writer', '\x89504e47'::bytea;
SELECT llava_enqueue(1, 'detail');
SELECT llava_retry();
RESET ROLE;

-- with the queue in an unprivileged role's hands that role's code gets only its rights
CREATE ROLE regress_llava_queue;
GRANT USAGE, CREATE ON SCHEMA public TO regress_llava_queue;
ALTER TABLE llava_pending OWNER TO regress_llava_queue;
SET ROLE regress_llava_queue;
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN RAISE NOTICE ''as %'', current_user; RETURN NEW; END';
CREATE TRIGGER tell BEFORE INSERT ON llava_pending FOR EACH ROW EXECUTE FUNCTION tell();
RESET ROLE;
DELETE FROM llava_seen;
INSERT INTO llava_image (path, image) SELECT 'told', bytes FROM picture WHERE name = 'a';
-- and a third party's does not run at all
ALTER FUNCTION tell() OWNER TO regress_llava_writer;
DELETE FROM llava_seen;
INSERT INTO llava_image (path, image) SELECT 'not told', bytes FROM picture WHERE name = 'a';
DROP TRIGGER tell ON llava_pending;
DROP FUNCTION tell();
ALTER TABLE llava_pending OWNER TO CURRENT_USER;

-- the trigger is of use on no other table
CREATE TABLE somebody_elses (LIKE llava_image);
CREATE TRIGGER t BEFORE INSERT ON somebody_elses FOR EACH ROW EXECUTE FUNCTION llava_intake();
INSERT INTO somebody_elses (id, path, image) VALUES (1, 'x', 'x');
DROP TABLE somebody_elses, picture, kept;

DROP OWNED BY regress_llava_writer, regress_llava_queue;
DROP ROLE regress_llava_writer, regress_llava_queue;
