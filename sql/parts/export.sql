--
-- Exports: the samples as trainers read them
--

CREATE FUNCTION @.llava_image_share(image bigint, sha256 bytea, seed bigint DEFAULT 0)
	RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_image_share(bigint, bytea, bigint) IS
	'a number in [0, 1) by the picture''s bytes alone: below the share, a sample is for validation';

-- The number, or an ERROR: for exports with weights of their own.
CREATE FUNCTION @.llava_weighted_samples(task text, samples bigint) RETURNS bigint
	LANGUAGE c STRICT STABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_weighted_samples(text, bigint) IS
	'the number of samples; an error if a task that an export''s weights name has none';

-- A name of an image's file, by which those that several pictures have are found.
CREATE FUNCTION @.llava_file_name(path text) RETURNS text
	LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_file_name(text) IS 'the path without ./ and //; NULL where it is absolute';

-- The flags, or an ERROR: a misspelt one would leave nothing out.
CREATE FUNCTION @.llava_known_flags(flags text[]) RETURNS text[]
	LANGUAGE c STRICT STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_known_flags(text[]) IS
	'the flags; an error if neither the parser nor any sample has one of them';

CREATE FUNCTION @.llava_export(format text DEFAULT 'llava', tasks text[] DEFAULT NULL,
	without_flags text[] DEFAULT NULL, mix boolean DEFAULT false, split text DEFAULT NULL,
	validation double precision DEFAULT 0.01, image_token text DEFAULT 'first',
	image_name text DEFAULT 'path', folder text DEFAULT NULL, seed bigint DEFAULT NULL,
	data_urls boolean DEFAULT false, cutoff_len integer DEFAULT 0, weights jsonb DEFAULT NULL)
	RETURNS SETOF text LANGUAGE c STABLE PARALLEL UNSAFE ROWS 100000 AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_export FROM PUBLIC;
COMMENT ON FUNCTION @.llava_export IS
	'the accepted samples, one JSON line each, as trainers read them';

-- The same bytes as COPY (SELECT llava_export(...)) with FORCE_ARRAY writes.
CREATE FUNCTION @.llava_export_array(format text DEFAULT 'llava', tasks text[] DEFAULT NULL,
	without_flags text[] DEFAULT NULL, mix boolean DEFAULT false, split text DEFAULT NULL,
	validation double precision DEFAULT 0.01, image_token text DEFAULT 'first',
	image_name text DEFAULT 'path', folder text DEFAULT NULL, seed bigint DEFAULT NULL,
	data_urls boolean DEFAULT false, cutoff_len integer DEFAULT 0, weights jsonb DEFAULT NULL)
	RETURNS SETOF text LANGUAGE c STABLE PARALLEL UNSAFE ROWS 100000 AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_export_array FROM PUBLIC;
COMMENT ON FUNCTION @.llava_export_array IS
	'the lines of llava_export as one JSON array: a bracket, the lines with commas, and a bracket';

-- Reads with the caller's rights, as llava_export.
CREATE FUNCTION @.llava_selected(format text DEFAULT 'llava', tasks text[] DEFAULT NULL,
	without_flags text[] DEFAULT NULL, mix boolean DEFAULT false, split text DEFAULT NULL,
	validation double precision DEFAULT 0.01, image_token text DEFAULT 'first',
	image_name text DEFAULT 'path', folder text DEFAULT NULL, seed bigint DEFAULT NULL,
	data_urls boolean DEFAULT false, cutoff_len integer DEFAULT 0, weights jsonb DEFAULT NULL)
	RETURNS TABLE (image bigint, task text, id text, file_name text, sha256 bytea, rule text, detail text)
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 100000 AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_selected FROM PUBLIC;
COMMENT ON FUNCTION @.llava_selected IS
	'what llava_export writes with the same arguments, in its order, where rule IS NULL; else why it does not';

-- What llava_record_export notes: the lines of llava_export with whose they are, in one
-- reading; file_name is without the folder.  Reads with the caller's rights; an export
-- with a mix calls it.
CREATE FUNCTION @.llava_exported(format text DEFAULT 'llava', tasks text[] DEFAULT NULL,
	without_flags text[] DEFAULT NULL, mix boolean DEFAULT false, split text DEFAULT NULL,
	validation double precision DEFAULT 0.01, image_token text DEFAULT 'first',
	image_name text DEFAULT 'path', folder text DEFAULT NULL, seed bigint DEFAULT NULL,
	data_urls boolean DEFAULT false, cutoff_len integer DEFAULT 0, weights jsonb DEFAULT NULL)
	RETURNS TABLE (line text, image bigint, task text, file_name text, sha256 bytea)
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 100000 AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_exported FROM PUBLIC;
COMMENT ON FUNCTION @.llava_exported IS
	'the lines of llava_export with the same arguments, each with its sample and what it calls the image';

-- The same by the rules of an earlier export (llava_manifest.settings); NULL: by those of now.
-- twice: samples whose image has another's name stay in, as where published lines are made again.
CREATE FUNCTION @.llava_exported_by(format text, tasks text[] DEFAULT NULL,
	without_flags text[] DEFAULT NULL, mix boolean DEFAULT false, split text DEFAULT NULL,
	validation double precision DEFAULT 0.01, image_token text DEFAULT 'first',
	image_name text DEFAULT 'path', folder text DEFAULT NULL, seed bigint DEFAULT NULL,
	data_urls boolean DEFAULT false, cutoff_len integer DEFAULT 0, weights jsonb DEFAULT NULL,
	rules integer DEFAULT NULL, twice boolean DEFAULT false)
	RETURNS TABLE (line text, image bigint, task text, file_name text, sha256 bytea)
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 100000 AS 'MODULE_PATHNAME', 'llava_exported';
REVOKE ALL ON FUNCTION @.llava_exported_by FROM PUBLIC;
COMMENT ON FUNCTION @.llava_exported_by IS
	'llava_exported, with samples left out by the rules of this number; twice: names that two images have leave none out';

CREATE FUNCTION @.llava_export_rules() RETURNS integer
	LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_export_rules() IS
	'the number of the rules by which exports leave samples out now; 1: those of 1.0.0';

CREATE FUNCTION @.llava_validate(format text DEFAULT 'llava', tasks text[] DEFAULT NULL,
	without_flags text[] DEFAULT NULL, image_name text DEFAULT 'path', folder text DEFAULT NULL,
	data_urls boolean DEFAULT false, cutoff_len integer DEFAULT 0)
	RETURNS TABLE (rule text, image bigint, task text, detail text, left_out boolean)
	LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 100
BEGIN ATOMIC
	WITH chosen AS (
		SELECT s.*, pg_catalog.min(s.image) OVER same AS first_image, pg_catalog.count(*) OVER same AS samples
		FROM @.llava_selected(format => format, tasks => tasks, without_flags => without_flags,
			image_name => image_name, folder => folder, data_urls => data_urls, cutoff_len => cutoff_len) AS s
		WINDOW same AS (PARTITION BY s.rule IS NULL, COALESCE(s.sha256, pg_catalog.int8send(s.image))))
	SELECT c.rule, c.image, c.task, c.detail, true FROM chosen AS c WHERE c.rule IS NOT NULL
	UNION ALL
	SELECT 'image_in_two_samples', c.image, c.task,
		pg_catalog.format('%s samples of the picture of image %s', c.samples, c.first_image), false
	FROM chosen AS c WHERE c.rule IS NULL AND c.samples OPERATOR(pg_catalog.>) 1
	UNION ALL
	SELECT 'image_webp', c.image, c.task, c.file_name, false
	FROM chosen AS c JOIN @.llava_image AS i ON i.id OPERATOR(pg_catalog.=) c.image
	WHERE c.rule IS NULL AND llava_validate.format OPERATOR(pg_catalog.=) 'openai'
		AND i.format OPERATOR(pg_catalog.=) 'webp'
	UNION ALL
	SELECT 'no_samples', NULL, NULL, 'the export would be empty', false
	WHERE NOT EXISTS (SELECT FROM chosen AS c WHERE c.rule IS NULL)
	ORDER BY 2, 3, 1;
END;
REVOKE ALL ON FUNCTION @.llava_validate FROM PUBLIC;
COMMENT ON FUNCTION @.llava_validate IS
	'what a training run would choke on: left_out samples are in no export, the others are warnings';

-- With sharegpt the tags are those that LLaMA-Factory expects where none are said.
CREATE FUNCTION @.llava_dataset_info(name text DEFAULT 'llava_zh', file_name text DEFAULT 'train.jsonl',
	format text DEFAULT 'llamafactory')
	RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN pg_catalog.jsonb_build_object(name, CASE format
		WHEN 'llamafactory' THEN pg_catalog.jsonb_build_object(
			'file_name', file_name, 'formatting', 'sharegpt',
			'columns', pg_catalog.jsonb_build_object('messages', 'messages', 'images', 'images'),
			'tags', pg_catalog.jsonb_build_object('role_tag', 'role', 'content_tag', 'content',
				'user_tag', 'user', 'assistant_tag', 'assistant'))
		WHEN 'sharegpt' THEN pg_catalog.jsonb_build_object(
			'file_name', file_name, 'formatting', 'sharegpt',
			'columns', pg_catalog.jsonb_build_object('messages', 'conversations', 'images', 'images')) END);
COMMENT ON FUNCTION @.llava_dataset_info(text, text, text) IS
	'the entry of LLaMA-Factory''s dataset_info.json for an export in format llamafactory or sharegpt';

CREATE FUNCTION @.llava_internvl_meta(name text DEFAULT 'llava_zh', file_name text DEFAULT 'train.jsonl',
	root text DEFAULT 'images', samples bigint DEFAULT NULL)
	RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN pg_catalog.jsonb_build_object(name, pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
		'root', root, 'annotation', file_name, 'data_augment', false, 'repeat_time', 1, 'length', samples)));
COMMENT ON FUNCTION @.llava_internvl_meta(text, text, text, bigint) IS
	'the entry of InternVL''s meta file for an export in format llava, a line a sample';

-- Which samples llava_export writes with these arguments, in its order, and what
-- it calls their images: as the format that says all of that tells it.
CREATE FUNCTION @.llava_export_list(tasks text[] DEFAULT NULL,
	without_flags text[] DEFAULT NULL, mix boolean DEFAULT false, split text DEFAULT NULL,
	validation double precision DEFAULT 0.01, image_name text DEFAULT 'path', seed bigint DEFAULT NULL,
	weights jsonb DEFAULT NULL, OUT image bigint, OUT task text, OUT file_name text)
	RETURNS SETOF record LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 100000
BEGIN ATOMIC
	SELECT (e.sample).image, (e.sample).task, (e.sample).file_name
	FROM (SELECT @.llava_exported('imagefolder', tasks => tasks, without_flags => without_flags,
			mix => mix, split => split, validation => validation, image_name => image_name,
			seed => seed, weights => weights) AS sample OFFSET 0) AS e;
END;
REVOKE ALL ON FUNCTION @.llava_export_list FROM PUBLIC;
COMMENT ON FUNCTION @.llava_export_list IS
	'which samples llava_export writes with these arguments, and what it calls their images';

CREATE FUNCTION @.llava_export_images(directory text, prepared boolean DEFAULT false,
	tasks text[] DEFAULT NULL, without_flags text[] DEFAULT NULL, mix boolean DEFAULT false,
	split text DEFAULT NULL, validation double precision DEFAULT 0.01, image_name text DEFAULT 'path',
	weights jsonb DEFAULT NULL, OUT written bigint, OUT present bigint, OUT missing bigint, OUT bytes bigint)
	RETURNS record LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_export_images FROM PUBLIC;
COMMENT ON FUNCTION @.llava_export_images IS
	'the images of an export as files below a directory of the server; those that are there are passed';
