-- Options of servers and user mappings, and what CREATE SERVER says about bad ones.
SET client_min_messages = error;
DROP EXTENSION IF EXISTS llava_zh CASCADE;
CREATE EXTENSION llava_zh;
RESET client_min_messages;
\set VERBOSITY default
\set SHOW_CONTEXT never

-- a plain one, one with everything
CREATE SERVER plain FOREIGN DATA WRAPPER llava_zh
	OPTIONS (url 'http://127.0.0.1:1/v1', model 'm');
CREATE SERVER rich FOREIGN DATA WRAPPER llava_zh
	OPTIONS (url 'https://model.example.cn:8443/compatible-mode/v1/', model 'qwen2.5-vl-32b-instruct',
		max_in_flight '200', requests_per_minute '1200', tokens_per_minute '1000000',
		connect_timeout '5s', request_timeout '5min', priority '-1', paused 'off',
		max_requests '0', budget '12.5', input_price '0.008', output_price '2.4e-2',
		extra_body '{"top_k": 20, "chat_template_kwargs": {"enable_thinking": false}}',
		pixel_factor '32', min_pixels '4096', max_pixels '2000000');
CREATE SERVER ipv6 FOREIGN DATA WRAPPER llava_zh OPTIONS (url 'http://[::1]:8000/v1', model 'm');

-- what is needed
CREATE SERVER bad FOREIGN DATA WRAPPER llava_zh;
CREATE SERVER bad FOREIGN DATA WRAPPER llava_zh OPTIONS (url 'http://h/v1');
ALTER SERVER plain OPTIONS (DROP url);
ALTER SERVER plain OPTIONS (SET model '');

-- what there is not
ALTER SERVER plain OPTIONS (ADD modle 'm');
ALTER SERVER plain OPTIONS (ADD api_key 'secret');
ALTER SERVER plain OPTIONS (ADD base_url 'http://h/v1');
ALTER FOREIGN DATA WRAPPER llava_zh OPTIONS (ADD url 'http://h/v1');
CREATE FOREIGN TABLE bad (x text) SERVER plain OPTIONS (url 'http://h/v1');

-- urls; what may be a secret is not repeated
\set VERBOSITY terse
ALTER SERVER plain OPTIONS (SET url 'ftp://h/v1');
ALTER SERVER plain OPTIONS (SET url '127.0.0.1:8000');
ALTER SERVER plain OPTIONS (SET url '');
ALTER SERVER plain OPTIONS (SET url 'http://');
ALTER SERVER plain OPTIONS (SET url 'http:///v1');
ALTER SERVER plain OPTIONS (SET url 'http://:8000/v1');
ALTER SERVER plain OPTIONS (SET url 'http://h:port/v1');
ALTER SERVER plain OPTIONS (SET url 'http://h:0/v1');
ALTER SERVER plain OPTIONS (SET url 'http://h:65536/v1');
ALTER SERVER plain OPTIONS (SET url 'http://h:/v1');
ALTER SERVER plain OPTIONS (SET url 'http://[::1/v1');
ALTER SERVER plain OPTIONS (SET url 'http://[]/v1');
ALTER SERVER plain OPTIONS (SET url 'http://h h/v1');
ALTER SERVER plain OPTIONS (SET url 'http://h\@evil/v1');
ALTER SERVER plain OPTIONS (SET url E'http://h/v1\r\nX: y');
ALTER SERVER plain OPTIONS (SET url 'http://主机/v1');
ALTER SERVER plain OPTIONS (SET url 'http://h/v1/chat/completions/');
\set VERBOSITY default
ALTER SERVER plain OPTIONS (SET url 'http://user:secret@h/v1');
ALTER SERVER plain OPTIONS (SET url 'http://h/v1?key=secret');
ALTER SERVER plain OPTIONS (SET url 'http://h/v1#secret');
ALTER SERVER plain OPTIONS (SET url 'gopher://h/v1');

-- numbers
ALTER SERVER plain OPTIONS (ADD max_in_flight '0');
\set VERBOSITY terse
ALTER SERVER plain OPTIONS (ADD max_in_flight '10001');
ALTER SERVER plain OPTIONS (ADD max_in_flight '32 ');
ALTER SERVER plain OPTIONS (ADD max_in_flight '1e2');
ALTER SERVER plain OPTIONS (ADD max_in_flight '99999999999999999999');
ALTER SERVER plain OPTIONS (ADD max_in_flight '');
ALTER SERVER plain OPTIONS (ADD requests_per_minute '-1');
ALTER SERVER plain OPTIONS (ADD tokens_per_minute 'many');
ALTER SERVER plain OPTIONS (ADD max_requests '-1');
ALTER SERVER plain OPTIONS (ADD priority 'high');
ALTER SERVER plain OPTIONS (ADD paused 'perhaps');
ALTER SERVER plain OPTIONS (ADD input_price 'NaN');
ALTER SERVER plain OPTIONS (ADD input_price 'infinity');
ALTER SERVER plain OPTIONS (ADD input_price '-0.1');
\set VERBOSITY default
ALTER SERVER plain OPTIONS (ADD output_price '1e999');

-- times
ALTER SERVER plain OPTIONS (ADD connect_timeout '0');
\set VERBOSITY terse
ALTER SERVER plain OPTIONS (ADD connect_timeout '-5');
ALTER SERVER plain OPTIONS (ADD connect_timeout '5 parsecs');
ALTER SERVER plain OPTIONS (ADD connect_timeout '2h');
ALTER SERVER plain OPTIONS (ADD connect_timeout '-1e300');
ALTER SERVER plain OPTIONS (ADD request_timeout '1e300');
ALTER SERVER plain OPTIONS (ADD request_timeout '25h');
ALTER SERVER plain OPTIONS (ADD request_timeout '');
ALTER SERVER plain OPTIONS (ADD connect_timeout '2.5', ADD request_timeout '90s');
ALTER SERVER plain OPTIONS (SET connect_timeout '1500ms', SET request_timeout '1h');

-- a budget without prices would never be reached
\set VERBOSITY default
ALTER SERVER plain OPTIONS (ADD budget '5');
\set VERBOSITY terse
ALTER SERVER plain OPTIONS (ADD budget '5', ADD input_price '1');
ALTER SERVER plain OPTIONS (ADD budget '5', ADD input_price '1', ADD output_price '0');
ALTER SERVER plain OPTIONS (DROP output_price);
ALTER SERVER plain OPTIONS (DROP budget, DROP input_price, DROP output_price);

-- pixels
ALTER SERVER plain OPTIONS (ADD pixel_factor '13');
ALTER SERVER plain OPTIONS (ADD pixel_factor '65');
ALTER SERVER plain OPTIONS (ADD min_pixels '0');
ALTER SERVER plain OPTIONS (ADD max_pixels '100000001');
ALTER SERVER plain OPTIONS (ADD max_pixels '783', ADD min_pixels '1');
\set VERBOSITY default
ALTER SERVER plain OPTIONS (ADD max_pixels '3135');
ALTER SERVER plain OPTIONS (ADD min_pixels '1003521');
ALTER SERVER plain OPTIONS (ADD min_pixels '1003520');
ALTER SERVER plain OPTIONS (DROP min_pixels);

-- extra_body: what the extension sets itself is not to be set
ALTER SERVER plain OPTIONS (ADD extra_body '{"n": 2}');
\set VERBOSITY sqlstate
ALTER SERVER plain OPTIONS (ADD extra_body '');
ALTER SERVER plain OPTIONS (ADD extra_body '[1]');
ALTER SERVER plain OPTIONS (ADD extra_body '{"top_k": }');
ALTER SERVER plain OPTIONS (ADD extra_body '{"model": "other"}');
ALTER SERVER plain OPTIONS (ADD extra_body '{"messages": []}');
ALTER SERVER plain OPTIONS (ADD extra_body '{"stream": true}');
ALTER SERVER plain OPTIONS (ADD extra_body '{"n": 100}');
ALTER SERVER plain OPTIONS (ADD extra_body '{"seed": 1}');
ALTER SERVER plain OPTIONS (ADD extra_body '{"top_k": 20}');

-- keys, which no message repeats
\set VERBOSITY default
CREATE USER MAPPING FOR PUBLIC SERVER plain OPTIONS (api_key '');
CREATE USER MAPPING FOR PUBLIC SERVER plain OPTIONS (api_key 'secret ');
CREATE USER MAPPING FOR PUBLIC SERVER plain OPTIONS (api_key ' secret');
CREATE USER MAPPING FOR PUBLIC SERVER plain OPTIONS (api_key E'secret\nX-Header: y');
CREATE USER MAPPING FOR PUBLIC SERVER plain OPTIONS (api_key E'secret\x7f');
CREATE USER MAPPING FOR PUBLIC SERVER plain OPTIONS (password 'secret');
CREATE USER MAPPING FOR PUBLIC SERVER plain OPTIONS (nothing 'secret');
CREATE USER MAPPING FOR PUBLIC SERVER plain OPTIONS (api_key_file 'relative/key');
CREATE USER MAPPING FOR PUBLIC SERVER plain OPTIONS (api_key 'secret', api_key_file '/etc/key');
CREATE USER MAPPING FOR PUBLIC SERVER plain OPTIONS (api_key 'sk-0123456789');
DROP USER MAPPING FOR PUBLIC SERVER plain;
CREATE USER MAPPING FOR PUBLIC SERVER plain;
ALTER USER MAPPING FOR PUBLIC SERVER plain OPTIONS (ADD api_key_file '/nonexistent/key');

-- a file of the server's may be named by superusers only
CREATE ROLE regress_llava_user;
GRANT USAGE ON FOREIGN SERVER plain TO regress_llava_user;
SET ROLE regress_llava_user;
CREATE USER MAPPING FOR CURRENT_USER SERVER plain OPTIONS (api_key_file '/etc/passwd');
CREATE USER MAPPING FOR CURRENT_USER SERVER plain OPTIONS (api_key 'sk-mine');
ALTER USER MAPPING FOR CURRENT_USER SERVER plain OPTIONS (DROP api_key, ADD api_key_file '/etc/passwd');

-- llava_pause and llava_resume: core says who may
SELECT llava_pause('plain');
RESET ROLE;
GRANT EXECUTE ON FUNCTION llava_pause(text), llava_resume(text) TO regress_llava_user;
SET ROLE regress_llava_user;
SELECT llava_pause('plain');
SELECT llava_resume('plain');
SELECT llava_pause('nowhere');
RESET ROLE;
CREATE FOREIGN DATA WRAPPER regress_other;
CREATE SERVER other FOREIGN DATA WRAPPER regress_other;
SELECT llava_pause('other');
DROP FOREIGN DATA WRAPPER regress_other CASCADE;

-- its owner may, with no right on llava_usage, whose reason is forgotten too
GRANT USAGE ON FOREIGN DATA WRAPPER llava_zh TO regress_llava_user;
ALTER SERVER plain OWNER TO regress_llava_user;
INSERT INTO llava_usage (server, requests, pause_reason, pause_detail, paused_at)
	VALUES ('plain', 7, 'key', 'HTTP 401', now()), ('rich', 8, 'key', 'HTTP 401', now());
CREATE FUNCTION plain_paused() RETURNS text LANGUAGE sql AS $$
	SELECT concat(array_to_string(ARRAY(SELECT o FROM pg_foreign_server, unnest(srvoptions) o
		WHERE srvname = 'plain' AND o LIKE 'paused=%'), ','), ' ',
		(SELECT pause_reason FROM llava_usage WHERE server = 'plain'))
$$;
SET ROLE regress_llava_user;
SELECT llava_pause('plain');
RESET ROLE;
SELECT plain_paused();
SET ROLE regress_llava_user;
SELECT llava_pause('plain');
SELECT llava_resume('plain');
SELECT has_table_privilege('llava_usage', 'SELECT'), has_table_privilege('llava_usage', 'UPDATE');
RESET ROLE;
SELECT plain_paused();
SELECT server, requests, pause_reason, paused_at IS NULL AS forgotten FROM llava_usage ORDER BY server;
-- paused by a worker only: nothing is left of the way the owner was made sure of
UPDATE llava_usage SET pause_reason = 'key' WHERE server = 'plain';
SET ROLE regress_llava_user;
SELECT llava_resume('plain');
RESET ROLE;
SELECT plain_paused();

-- no code of the caller's runs as the owner of llava_usage
CREATE SCHEMA regress_evil AUTHORIZATION regress_llava_user;
SET ROLE regress_llava_user;
CREATE FUNCTION regress_evil.equal(text, text) RETURNS boolean LANGUAGE plpgsql AS $$
	BEGIN RAISE EXCEPTION 'evil code runs as %', current_user; END $$;
CREATE OPERATOR regress_evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = regress_evil.equal);
SET search_path = regress_evil, pg_catalog, public;
SELECT llava_resume('plain');
RESET search_path;
RESET ROLE;

-- what was paused and rolled back is not paused
BEGIN;
SELECT llava_pause('rich');
ROLLBACK;
SELECT srvoptions @> '{paused=off}' AS as_before FROM pg_foreign_server WHERE srvname = 'rich';

DROP FUNCTION plain_paused();
DELETE FROM llava_usage;
DROP SERVER plain CASCADE;
DROP SERVER rich;
DROP SERVER ipv6;
DROP OWNED BY regress_llava_user CASCADE;
DROP ROLE regress_llava_user;
