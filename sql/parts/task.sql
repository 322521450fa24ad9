--
-- Tasks: the prompts, and how replies are judged
--

CREATE TABLE @.llava_task (
	name text NOT NULL CHECK (name OPERATOR(pg_catalog.<>) ''),
	version integer NOT NULL,
	alias text,
	title text,
	prompt text NOT NULL,
	kind text NOT NULL CHECK (kind OPERATOR(pg_catalog.=) ANY (ARRAY['dialogue', 'question_answer', 'description'])),
	language text NOT NULL CHECK (language OPERATOR(pg_catalog.=) ANY (ARRAY['zh', 'en', 'any'])),
	min_rounds integer NOT NULL CHECK (min_rounds OPERATOR(pg_catalog.>=) 1),
	max_rounds integer NOT NULL CHECK (max_rounds OPERATOR(pg_catalog.>=) min_rounds),
	weight bigint NOT NULL CHECK (weight OPERATOR(pg_catalog.>=) 0),
	server text,
	questions text[],
	max_tokens integer,
	temperature double precision,
	top_p double precision,
	repetition_penalty double precision,
	presence_penalty double precision,
	min_question_chars integer NOT NULL,
	max_question_chars integer NOT NULL,
	min_answer_chars integer NOT NULL,
	min_letters integer NOT NULL,
	min_language_share double precision NOT NULL,
	max_loop_share double precision NOT NULL,
	long_images text NOT NULL CHECK (long_images OPERATOR(pg_catalog.=) ANY (ARRAY['shrink', 'raise', 'park'])),
	long_ratio double precision NOT NULL CHECK (long_ratio OPERATOR(pg_catalog.>=) 1),
	long_max_pixels bigint CHECK (long_max_pixels OPERATOR(pg_catalog.>=) 1),
	shipped boolean NOT NULL DEFAULT false,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	PRIMARY KEY (name, version)
);
COMMENT ON TABLE @.llava_task IS
	'what is asked and how replies are judged; a change is an INSERT: version is filled, columns left NULL inherit';
COMMENT ON COLUMN @.llava_task.long_images IS
	'what becomes of pictures over long_ratio that would have to be shrunk: shrink, raise (up to long_max_pixels) or park';
COMMENT ON COLUMN @.llava_task.long_max_pixels IS
	'NULL: 16384 times the server''s pixel_factor squared';
SELECT pg_catalog.pg_extension_config_dump('@.llava_task', 'WHERE NOT shipped');

CREATE FUNCTION @.llava_task_insert() RETURNS trigger
	LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_task_insert() FROM PUBLIC;
CREATE TRIGGER llava_task_insert BEFORE INSERT ON @.llava_task
	FOR EACH ROW EXECUTE FUNCTION @.llava_task_insert();

-- Before llava_task_insert, by its name: who gives a version is not a definer's to see.
CREATE FUNCTION @.llava_task_given() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_task_given() FROM PUBLIC;
CREATE TRIGGER llava_task_given BEFORE INSERT ON @.llava_task
	FOR EACH ROW WHEN (NEW.version IS NOT NULL)
	EXECUTE FUNCTION @.llava_task_given();

CREATE FUNCTION @.llava_task_frozen() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_task_frozen() FROM PUBLIC;
CREATE TRIGGER llava_task_frozen BEFORE UPDATE OR DELETE ON @.llava_task
	FOR EACH ROW EXECUTE FUNCTION @.llava_task_frozen();

-- The shipped tasks.
CREATE FUNCTION @.llava_ship_tasks() RETURNS void
	LANGUAGE c AS 'MODULE_PATHNAME';
SELECT @.llava_ship_tasks();
DROP FUNCTION @.llava_ship_tasks();

CREATE SEQUENCE @.llava_draw_seq MINVALUE 0 START 0;
SELECT pg_catalog.pg_extension_config_dump('@.llava_draw_seq', '');

CREATE FUNCTION @.llava_draw_task(n bigint) RETURNS text
	LANGUAGE c STRICT STABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_draw_task(bigint) IS
	'the task of draw number n: any sum-of-weights draws in a row give exactly the weights';

CREATE FUNCTION @.llava_task_name(task text) RETURNS text
	LANGUAGE c STRICT STABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_task_name(text) IS
	'the name of a task, for its name or alias';
