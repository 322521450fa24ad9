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
COMMENT ON COLUMN @.llava_task.name IS 'name of the task; exports and views use it';
COMMENT ON COLUMN @.llava_task.version IS '1, 2, ...: each INSERT under the same name is the next';
COMMENT ON COLUMN @.llava_task.alias IS 'second name, accepted wherever a task is named';
COMMENT ON COLUMN @.llava_task.title IS 'what it is, for people';
COMMENT ON COLUMN @.llava_task.prompt IS 'the text that is sent with the picture';
COMMENT ON COLUMN @.llava_task.kind IS 'shape of the reply: dialogue, question_answer or description';
COMMENT ON COLUMN @.llava_task.language IS 'zh, en or any: replies in another language are rejected';
COMMENT ON COLUMN @.llava_task.min_rounds IS 'fewest rounds of a dialogue';
COMMENT ON COLUMN @.llava_task.max_rounds IS 'most rounds; those beyond are cut off';
COMMENT ON COLUMN @.llava_task.weight IS 'share in the mix; 0: never drawn, only where named';
COMMENT ON COLUMN @.llava_task.server IS 'the only server that is asked, which must exist; NULL: any';
COMMENT ON COLUMN @.llava_task.questions IS 'human turns for a description; one is drawn by image';
COMMENT ON COLUMN @.llava_task.max_tokens IS 'most tokens of a reply, 1 to 1,000,000';
COMMENT ON COLUMN @.llava_task.temperature IS 'sent if not NULL';
COMMENT ON COLUMN @.llava_task.top_p IS 'sent if not NULL';
COMMENT ON COLUMN @.llava_task.repetition_penalty IS 'sent if not NULL';
COMMENT ON COLUMN @.llava_task.presence_penalty IS 'sent if not NULL; raised after a loop';
COMMENT ON COLUMN @.llava_task.min_question_chars IS 'shortest question, in characters';
COMMENT ON COLUMN @.llava_task.max_question_chars IS 'longest question, in characters; 0: no limit';
COMMENT ON COLUMN @.llava_task.min_answer_chars IS 'shortest single answer, in characters';
COMMENT ON COLUMN @.llava_task.min_letters IS 'fewest letters (zh: Han) of all answers together';
COMMENT ON COLUMN @.llava_task.min_language_share IS 'least share of the language among letters';
COMMENT ON COLUMN @.llava_task.max_loop_share IS 'largest share of text in one repeated passage';
COMMENT ON COLUMN @.llava_task.long_images IS 'what becomes of long pictures: shrink, raise or park';
COMMENT ON COLUMN @.llava_task.long_ratio IS 'a picture is long if its sides are over this ratio';
COMMENT ON COLUMN @.llava_task.long_max_pixels IS 'most pixels under raise; NULL: 16384 * pixel_factor^2';
COMMENT ON COLUMN @.llava_task.shipped IS 'true: made by CREATE EXTENSION, and not dumped';
COMMENT ON COLUMN @.llava_task.created_at IS 'when it was inserted';
SELECT pg_catalog.pg_extension_config_dump('@.llava_task', 'WHERE NOT shipped');

CREATE FUNCTION @.llava_task_insert() RETURNS trigger
	LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_task_insert() FROM PUBLIC;
COMMENT ON FUNCTION @.llava_task_insert() IS 'trigger: numbers versions, fills in what is inherited';
CREATE TRIGGER llava_task_insert BEFORE INSERT ON @.llava_task
	FOR EACH ROW EXECUTE FUNCTION @.llava_task_insert();

-- Before llava_task_insert, by its name: who gives a version is not a definer's to see.
CREATE FUNCTION @.llava_task_given() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_task_given() FROM PUBLIC;
COMMENT ON FUNCTION @.llava_task_given() IS 'trigger: only the owner may give a version';
CREATE TRIGGER llava_task_given BEFORE INSERT ON @.llava_task
	FOR EACH ROW WHEN (NEW.version IS NOT NULL)
	EXECUTE FUNCTION @.llava_task_given();

CREATE FUNCTION @.llava_task_frozen() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_task_frozen() FROM PUBLIC;
COMMENT ON FUNCTION @.llava_task_frozen() IS 'trigger: refuses UPDATE and DELETE of tasks';
CREATE TRIGGER llava_task_frozen BEFORE UPDATE OR DELETE ON @.llava_task
	FOR EACH ROW EXECUTE FUNCTION @.llava_task_frozen();

CREATE TABLE @.llava_stopped_task (
	task text PRIMARY KEY,
	version integer NOT NULL,
	reason text NOT NULL,
	image bigint NOT NULL,
	call bigint NOT NULL,
	since timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE @.llava_stopped_task IS
	'tasks whose rows wait, since the first replies of their version were all rejected';
COMMENT ON COLUMN @.llava_stopped_task.task IS 'name of the task';
COMMENT ON COLUMN @.llava_stopped_task.version IS 'its version; a newer one goes on';
COMMENT ON COLUMN @.llava_stopped_task.reason IS 'why each of the replies was rejected';
COMMENT ON COLUMN @.llava_stopped_task.image IS 'picture of one of them';
COMMENT ON COLUMN @.llava_stopped_task.call IS 'id of that reply (llava_reply)';
COMMENT ON COLUMN @.llava_stopped_task.since IS 'when it was stopped';
SELECT pg_catalog.pg_extension_config_dump('@.llava_stopped_task', '');

CREATE FUNCTION @.llava_resume_task(task text) RETURNS boolean
	LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_resume_task(text) FROM PUBLIC;
COMMENT ON FUNCTION @.llava_resume_task(text) IS
	'lets the rows of a stopped task be sent again; false if it was not stopped';

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
