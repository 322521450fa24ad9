-- CALL llava_load: a directory of the server.
SET client_min_messages = error;
DROP EXTENSION IF EXISTS llava_zh CASCADE;
CREATE EXTENSION llava_zh;
RESET client_min_messages;

-- below the data directory, where the server may surely write
COPY (SELECT) TO PROGRAM 'cat >/dev/null; mkdir -p llava_zh_load/b/deep llava_zh_load/empty';
\set a '\'\\x89504e470d0a1a0a0000000d4948445200000040000000300800000000842023c3000000264944415478daedcc311100000800a18f6e7443b87910806a4e120804028140201008045f8305cf39d04c6a5176770000000049454e44ae426082\''
\set b '\'\\x89504e470d0a1a0a0000000d4948445200000040000000300800000000842023c3000000274944415478daedcc411100000803a0d9dce80be1cf830024b327110804028140201008045f8302f980d07c9caa39190000000049454e44ae426082\''
SELECT count(lo_from_bytea(id, bytes)) AS made FROM (VALUES
	(770001, :a), (770002, :b), (770003, :a), (770004, 'not a picture'::bytea), (770005, ''),
	(770006, decode(repeat('00', 3000), 'hex')), (770007, 'not a picture either')) AS file (id, bytes);
SELECT sum(lo_export(id::oid, 'llava_zh_load/' || path)) AS written FROM (VALUES
	(770001, 'z.png'), (770002, 'b/deep/街景.png'), (770003, 'b/same.png'), (770004, 'a.txt'),
	(770005, 'b/empty.png'), (770006, 'large.png')) AS file (id, path);
COPY (SELECT) TO PROGRAM 'cat >/dev/null; cd llava_zh_load && ln -s ../PG_VERSION link.png && ln -s ../base linked && mkfifo pipe.png';
SELECT current_setting('data_directory') || '/llava_zh_load' AS directory \gset

-- in the order of the paths' bytes; links and fifos are passed over
SET llava_zh.image_max_size = '2kB';
CALL llava_load(:'directory', licence => 'CC0');
SELECT id, path, format, rejected, (SELECT path FROM llava_image o WHERE o.id = i.same_as) AS same_as,
       image IS NULL AS no_bytes, bytes, task IS NOT NULL AS task, licence, received_at IS NOT NULL AS received
FROM llava_image i ORDER BY id;
SELECT path FROM llava_pending p JOIN llava_image i ON i.id = p.image ORDER BY 1;

-- again: everything is known; a new file is found
CALL llava_load(:'directory' || '//');
SELECT lo_export(770007, 'llava_zh_load/b/new.txt') AS new;
SELECT count(lo_unlink(id::oid)) FROM generate_series(770001, 770007) AS id;
CALL llava_load(:'directory');

-- commits as it goes: what was read before an error stays
TRUNCATE llava_image, llava_hash;
DELETE FROM llava_seen;
CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN RAISE ''stop at %'', NEW.path USING ERRCODE = ''disk_full''; END';
CREATE TRIGGER stop BEFORE INSERT ON llava_image FOR EACH ROW WHEN (NEW.path = 'b/new.txt') EXECUTE FUNCTION stop();
CALL llava_load(:'directory', batch => 2);
SELECT path FROM llava_image ORDER BY id;
DROP TRIGGER stop ON llava_image;
CALL llava_load(:'directory', 'detail', batch => 1);
SELECT path, task FROM llava_image WHERE task IS NOT NULL ORDER BY path COLLATE "C";

-- what cannot be read is a warning
COPY (SELECT) TO PROGRAM 'cat >/dev/null; chmod 0 llava_zh_load/b/deep llava_zh_load/a.txt';
TRUNCATE llava_image, llava_hash;
\set VERBOSITY sqlstate
CALL llava_load(:'directory');
\set VERBOSITY default
SELECT path FROM llava_image ORDER BY id;

-- what is refused
CALL llava_load('images');
CALL llava_load(NULL);
CALL llava_load('/no/such/directory');
CALL llava_load(:'directory', batch => 0);
CALL llava_load(:'directory', task => 'describe');
BEGIN;
CALL llava_load(:'directory');
ROLLBACK;
\set VERBOSITY terse
DO $$ BEGIN EXECUTE format('CALL llava_load(%L)', current_setting('data_directory') || '/llava_zh_load/empty'); END $$;

\set VERBOSITY default
-- pg_read_server_files, and INSERT as anywhere
CREATE ROLE regress_llava_loader;
GRANT EXECUTE ON PROCEDURE llava_load TO regress_llava_loader;
SET ROLE regress_llava_loader;
CALL llava_load(:'directory');
RESET ROLE;
GRANT pg_read_server_files TO regress_llava_loader;
TRUNCATE llava_image, llava_hash;
SET ROLE regress_llava_loader;
SET client_min_messages = error;
CALL llava_load(:'directory' || '/b');
RESET client_min_messages;
RESET ROLE;
GRANT INSERT, SELECT ON llava_image TO regress_llava_loader;
SET ROLE regress_llava_loader;
\set VERBOSITY sqlstate
CALL llava_load(:'directory' || '/b');
\set VERBOSITY default
RESET ROLE;
SELECT path FROM llava_image ORDER BY id;

DROP OWNED BY regress_llava_loader;
DROP ROLE regress_llava_loader;
DROP FUNCTION stop();
COPY (SELECT) TO PROGRAM 'cat >/dev/null; chmod 700 llava_zh_load/b/deep && rm -r llava_zh_load';
