-- llava_generate as far as no endpoint is needed: port 1 refuses.
SET client_min_messages = error;
DROP EXTENSION IF EXISTS llava_zh CASCADE;
CREATE EXTENSION llava_zh;
RESET client_min_messages;
\set VERBOSITY default
\set SHOW_CONTEXT never

SELECT decode('
		iVBORw0KGgoAAAANSUhEUgAAAHAAAABUCAIAAADVvyQ8AAAApElEQVR42u3csQnAIBBA0VywyhA3UWqHtHYIJ0qd
		0gESEOT9/kAed60xMg/914kAKFCgAgoUqIACBSqgQIECFVCgQAUU6H6VL8N3u1a9u9fHhjp5AQUKVECBAhVQoECB
		CihQoAIKFKiAAgUqoECBAhVQoEAFFChQAQUKFKiAAgUqoED3LHwmaEOBAhVQoEAFFChQAQUKFKiAAgUqoECBCihQ
		oJq9dk4FsdoahEAAAAAASUVORK5CYII=', 'base64') AS picture \gset

-- arguments
SELECT llava_generate(NULL, '描述图片');
SELECT llava_generate(:'picture', NULL);
SELECT llava_generate(:'picture', 'no such task');

-- which server
SELECT llava_generate(:'picture', '描述图片');
SELECT llava_generate(:'picture', '描述图片', 'nowhere');
CREATE SERVER one FOREIGN DATA WRAPPER llava_zh
	OPTIONS (url 'http://127.0.0.1:1/v1', model 'm', request_timeout '20s');
SELECT llava_generate(:'picture', '描述图片', 'nowhere');
\set VERBOSITY sqlstate
SELECT llava_generate(:'picture', '描述图片');
\set VERBOSITY default
CREATE SERVER two FOREIGN DATA WRAPPER llava_zh
	OPTIONS (url 'http://127.0.0.1:1/v1', model 'm', request_timeout '20s');
SELECT llava_generate(:'picture', '描述图片');
SET llava_zh.server = 'three';
SELECT llava_generate(:'picture', '描述图片');
\set VERBOSITY terse
SET llava_zh.server = 'two';
SELECT llava_generate(:'picture', '描述图片');
SELECT llava_generate(:'picture', 'detail', server => 'one');
RESET llava_zh.server;
-- a task may have a server of its own; the caller's word comes first
INSERT INTO llava_task (name, server) VALUES ('描述图片-two', 'two');
SELECT llava_generate(:'picture', '描述图片-two');
SELECT llava_generate(:'picture', '描述图片-two', 'one');
-- a paused one is not asked
SELECT llava_pause('one');
\set VERBOSITY default
SELECT llava_generate(:'picture', '描述图片', 'one');
SELECT llava_resume('one');

-- pictures that cannot be asked about
SELECT llava_generate('', '描述图片', 'one');
SELECT llava_generate('This is no picture.', '描述图片', 'one');
SELECT llava_generate(substr(:'picture'::bytea, 1, 150), '描述图片', 'one');

-- who may
CREATE ROLE regress_llava_caller;
CREATE ROLE regress_llava_owner;
GRANT SELECT ON llava_task TO regress_llava_caller, regress_llava_owner;
SET ROLE regress_llava_caller;
SELECT llava_generate(:'picture', '描述图片', 'one');
RESET ROLE;
GRANT EXECUTE ON FUNCTION llava_generate(bytea, text, text)
	TO regress_llava_caller, regress_llava_owner;
SET ROLE regress_llava_caller;
SELECT llava_generate(:'picture', '描述图片', 'one');
SELECT llava_generate(:'picture', '描述图片');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER one TO regress_llava_caller;
\set VERBOSITY terse
SET ROLE regress_llava_caller;
SELECT llava_generate(:'picture', '描述图片');
RESET ROLE;

-- A superuser's server gets the caller's key.
CREATE USER MAPPING FOR regress_llava_caller SERVER one OPTIONS (api_key 'sk-of-the-caller');
SET ROLE regress_llava_caller;
SELECT llava_generate(:'picture', '描述图片');
RESET ROLE;
-- Another's does not: its owner could have it sent anywhere.
GRANT USAGE ON FOREIGN DATA WRAPPER llava_zh TO regress_llava_owner;
ALTER SERVER one OWNER TO regress_llava_owner;
\set VERBOSITY default
SET ROLE regress_llava_caller;
SELECT llava_generate(:'picture', '描述图片');
RESET ROLE;
-- Its own key and PUBLIC's are the owner's to read anyway.
DROP USER MAPPING FOR regress_llava_caller SERVER one;
CREATE USER MAPPING FOR PUBLIC SERVER one OPTIONS (api_key 'sk-of-everybody');
CREATE USER MAPPING FOR regress_llava_owner SERVER one OPTIONS (api_key 'sk-of-the-owner');
\set VERBOSITY terse
SET ROLE regress_llava_caller;
SELECT llava_generate(:'picture', '描述图片');
SET ROLE regress_llava_owner;
SELECT llava_generate(:'picture', '描述图片');
RESET ROLE;
-- A file is nobody's but the superuser's, whosoever mapping names it.
ALTER USER MAPPING FOR PUBLIC SERVER one OPTIONS (DROP api_key, ADD api_key_file '/nonexistent/key');
ALTER USER MAPPING FOR regress_llava_owner SERVER one
	OPTIONS (DROP api_key, ADD api_key_file '/nonexistent/key');
SET ROLE regress_llava_caller;
SELECT llava_generate(:'picture', '描述图片');
SET ROLE regress_llava_owner;
SELECT llava_generate(:'picture', '描述图片');
RESET ROLE;
-- Read when it is needed, and not otherwise.
ALTER SERVER one OWNER TO CURRENT_USER;
\set VERBOSITY default
SELECT llava_generate(:'picture', '描述图片', 'one');
\set VERBOSITY terse
SET ROLE regress_llava_caller;
SELECT llava_generate(:'picture', '描述图片');
RESET ROLE;
-- no directories and devices
ALTER USER MAPPING FOR PUBLIC SERVER one OPTIONS (SET api_key_file '/');
SELECT llava_generate(:'picture', '描述图片', 'one');
ALTER USER MAPPING FOR PUBLIC SERVER one OPTIONS (SET api_key_file '/dev/zero');
SELECT llava_generate(:'picture', '描述图片', 'one');

-- Errors leave nothing behind: the next call is as good as the first.
DO $$
BEGIN
	FOR i IN 1 .. 20 LOOP
		BEGIN
			PERFORM llava_generate('\x00', '描述图片', 'two');
		EXCEPTION WHEN invalid_binary_representation THEN NULL;
		END;
	END LOOP;
END $$;
SELECT llava_generate(:'picture', '描述图片', 'two');

-- nothing is written
SELECT (SELECT count(*) FROM llava_image) AS images, (SELECT count(*) FROM llava_reply) AS replies,
	(SELECT count(*) FROM llava_usage) AS usages;

DROP SERVER one CASCADE;
DROP SERVER two;
DROP OWNED BY regress_llava_caller, regress_llava_owner CASCADE;
DROP ROLE regress_llava_caller;
DROP ROLE regress_llava_owner;
