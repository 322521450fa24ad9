--
-- The dataset card; its text is in src/pg/export/card.template
--

-- As llava_selected and llava_exported, with the caller's rights: who may read the tables may
-- make a card.
CREATE FUNCTION @.llava_card_selected(format text, tasks text[], without_flags text[], mix boolean, split text,
	validation double precision, image_token text, image_name text, folder text, seed bigint,
	data_urls boolean, cutoff_len integer)
	RETURNS TABLE (image bigint, task text, id text, file_name text, sha256 bytea, rule text, detail text)
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 100000 AS 'MODULE_PATHNAME', 'llava_selected';
COMMENT ON FUNCTION @.llava_card_selected(text, text[], text[], boolean, text, double precision, text, text, text,
	bigint, boolean, integer) IS 'llava_selected for the card, which counts what is exported';

CREATE FUNCTION @.llava_card_exported(format text, tasks text[], without_flags text[], mix boolean, split text,
	validation double precision, image_token text, image_name text, folder text, seed bigint,
	data_urls boolean, cutoff_len integer, weights jsonb, rules integer, twice boolean)
	RETURNS TABLE (line text, image bigint, task text, file_name text, sha256 bytea)
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 100000 AS 'MODULE_PATHNAME', 'llava_exported';
COMMENT ON FUNCTION @.llava_card_exported(text, text[], text[], boolean, text, double precision, text, text, text,
	bigint, boolean, integer, jsonb, integer, boolean) IS 'llava_exported_by for the card, which shows a row';

-- What the card is of: {"tasks", "manifests", "left_out": [[image, task], ...]}.  Without
-- manifests what breaks a rule is no part of it, as of no export.
CREATE FUNCTION @.llava_card_chosen(tasks text[], manifests bigint[]) RETURNS jsonb
	LANGUAGE sql STABLE PARALLEL UNSAFE
BEGIN ATOMIC
	WITH named AS (
		SELECT coalesce(
				(SELECT array_agg(@.llava_task_name(t)) FROM unnest(tasks) AS t),
				(SELECT array_agg(DISTINCT l.task) FROM @.llava_manifest_line l
					WHERE l.manifest = ANY (llava_card_chosen.manifests))) AS tasks,
			(SELECT array_agg(@.llava_manifest_known(m,
					EXISTS (SELECT FROM @.llava_manifest WHERE id = m)))
				FROM unnest(manifests) AS m) AS manifests)
	SELECT jsonb_strip_nulls(jsonb_build_object('tasks', named.tasks, 'manifests', named.manifests,
		'left_out', (SELECT jsonb_agg(jsonb_build_array((s.sample).image, (s.sample).task))
			FROM (SELECT @.llava_card_selected('imagefolder', named.tasks, NULL, false, NULL, NULL, 'first', 'path',
					NULL, NULL, false, 0) AS sample WHERE named.manifests IS NULL OFFSET 0) AS s
			WHERE (s.sample).rule IS NOT NULL)))
	FROM named;
END;
COMMENT ON FUNCTION @.llava_card_chosen(text[], bigint[]) IS
	'which samples the card counts: tasks, recorded exports, and those that are left out';

-- Those samples: of recorded exports the ones that no increment up to the latest among them takes out.
CREATE FUNCTION @.llava_card_samples(chosen jsonb)
	RETURNS SETOF @.llava_conversation LANGUAGE sql STABLE PARALLEL SAFE ROWS 100000
BEGIN ATOMIC
	WITH RECURSIVE chain (later, id) AS (
		SELECT m.id, m.base FROM @.llava_manifest m
		WHERE m.base IS NOT NULL AND chosen -> 'manifests' @> to_jsonb(m.id)
		UNION
		-- what lies between takes lines out, too, whether it is named or not
		SELECT x.later, m.base FROM chain c JOIN @.llava_manifest m ON m.id = c.id,
			LATERAL (VALUES (c.later), (c.id)) AS x (later)
		WHERE m.base IS NOT NULL),
	held AS (
		SELECT DISTINCT l.image, l.task
		FROM jsonb_array_elements(chosen -> 'manifests') AS m (id)
		JOIN @.llava_manifest_line l ON l.manifest = m.id::bigint
		LEFT JOIN (SELECT DISTINCT c.id, g.image, g.task
			FROM chain c JOIN @.llava_manifest_gone g ON g.manifest = c.later) AS gone
			ON gone.id = l.manifest AND gone.image = l.image AND gone.task = l.task
		WHERE gone.id IS NULL),
	left_out AS (
		SELECT (o ->> 0)::bigint AS image, o ->> 1 AS task
		FROM jsonb_array_elements(chosen -> 'left_out') AS o)
	SELECT c.* FROM @.llava_conversation c
	LEFT JOIN left_out o ON o.image = c.image AND o.task = c.task
	WHERE NOT chosen ? 'manifests' AND c.keep IS NOT FALSE AND o.image IS NULL
		AND (NOT chosen ? 'tasks' OR chosen -> 'tasks' ? c.task)
	UNION ALL
	SELECT c.* FROM held h JOIN @.llava_conversation c ON c.image = h.image AND c.task = h.task
	WHERE NOT chosen ? 'tasks' OR chosen -> 'tasks' ? c.task;
END;
COMMENT ON FUNCTION @.llava_card_samples(jsonb) IS 'the samples that the card counts';

CREATE FUNCTION @.llava_card_tasks(chosen jsonb) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @.llava_template('card_tasks', jsonb_build_object('rows', string_agg(
		@.llava_template('card_task', jsonb_build_object('task', task,
			'samples', to_char(n, 'FM999,999,999,990'), 'share', round(100.0 * n / total, 1),
			'images', to_char(images, 'FM999,999,999,990'), 'rounds', round(rounds, 1))),
		'' ORDER BY n DESC, task COLLATE "C")))
	FROM (SELECT task, count(*) AS n, sum(count(*)) OVER () AS total,
			count(DISTINCT image) AS images, avg(rounds) AS rounds
		FROM @.llava_card_samples(chosen) GROUP BY task) AS t;
END;
COMMENT ON FUNCTION @.llava_card_tasks(jsonb) IS 'table of the card: samples by task';

CREATE FUNCTION @.llava_card_lengths(chosen jsonb) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH turn AS (
		SELECT c.task, t ->> 'from' AS who, length(t ->> 'value') AS chars
		FROM @.llava_card_samples(chosen) AS c,
			jsonb_path_query(c.conversation, 'lax $[*]') AS t),
	chars AS (
		SELECT task,
			percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY chars) FILTER (WHERE who = 'human') AS question,
			percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY chars) FILTER (WHERE who = 'gpt') AS answer
		FROM turn GROUP BY task),
	rounds AS (
		SELECT task, sum(n) AS samples,
			string_agg(concat(rounds, ': ', to_char(n, 'FM999,999,999,990')), ', ' ORDER BY rounds) AS rounds
		FROM (SELECT task, rounds, count(*) AS n FROM @.llava_card_samples(chosen)
			GROUP BY task, rounds) AS r GROUP BY task)
	SELECT @.llava_template('card_lengths', jsonb_build_object('rows', string_agg(
		@.llava_template('card_length', jsonb_build_object('task', task, 'rounds', rounds.rounds,
			'question_p50', question[1], 'question_p95', question[2],
			'answer_p50', answer[1], 'answer_p95', answer[2])),
		'' ORDER BY samples DESC, task COLLATE "C")))
	FROM rounds LEFT JOIN chars USING (task);
END;
COMMENT ON FUNCTION @.llava_card_lengths(jsonb) IS 'table of the card: rounds and lengths';

CREATE FUNCTION @.llava_card_models(chosen jsonb) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @.llava_template('card_models', jsonb_build_object('rows', string_agg(
		@.llava_template('card_model', jsonb_build_object('model', model,
			'reported', model_reported, 'task', task, 'version', task_version,
			'samples', to_char(n, 'FM999,999,999,990'), 'parameters', parameters)),
		'' ORDER BY task COLLATE "C", task_version, n DESC, model COLLATE "C", parameters COLLATE "C")))
	FROM (SELECT r.model, r.model_reported, c.task, c.task_version, count(*) AS n,
			(SELECT string_agg(concat(p.key, ' ', p.value), ', ' ORDER BY p.key COLLATE "C")
				FROM jsonb_each_text(r.parameters) AS p) AS parameters
		FROM @.llava_card_samples(chosen) AS c
		LEFT JOIN @.llava_reply r ON r.image = c.image AND r.id = c.reply
		GROUP BY r.model, r.model_reported, c.task, c.task_version, r.parameters) AS m;
END;
COMMENT ON FUNCTION @.llava_card_models(jsonb) IS 'table of the card: models and parameters';

CREATE FUNCTION @.llava_card_prompts(chosen jsonb) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT string_agg(@.llava_template('card_prompt', jsonb_build_object('task', t.name,
		'version', t.version,
		-- indented, so that nothing in a prompt ends the block; a CR begins a line, too
		'prompt', regexp_replace(regexp_replace(t.prompt, E'\r\n?', E'\n', 'g'), '^', '    ', 'gn'))), '' ORDER BY t.name COLLATE "C", t.version)
	FROM @.llava_task t
	WHERE (t.name, t.version) IN (SELECT c.task, c.task_version FROM @.llava_card_samples(chosen) AS c);
END;
COMMENT ON FUNCTION @.llava_card_prompts(jsonb) IS 'the prompts on the card';

CREATE FUNCTION @.llava_card_reasons(chosen jsonb) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @.llava_template('card_reasons', jsonb_build_object('rows', string_agg(
		@.llava_template('card_reason', jsonb_build_object('kind', kind, 'task', task,
			'reason', reason, 'count', to_char(count, 'FM999,999,999,990'))),
		'' ORDER BY kind, count DESC, task COLLATE "C", reason COLLATE "C")))
	FROM @.llava_stat_reason
	WHERE task IS NULL OR CASE WHEN chosen ? 'tasks' THEN chosen -> 'tasks' ? task
		ELSE task IN (SELECT c.task FROM @.llava_card_samples(chosen) AS c) END;
END;
COMMENT ON FUNCTION @.llava_card_reasons(jsonb) IS 'table of the card: why replies were rejected';

-- What writers say of their pictures is clipped, and the seldomest are only counted: no one
-- writer makes a card that is too large for all.
CREATE FUNCTION @.llava_card_licences(chosen jsonb) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH stated AS (
		SELECT c.image, CASE WHEN length(left(i.licence, 201)) > 200 THEN left(i.licence, 200) || '...'
			ELSE coalesce(i.licence, @.llava_template('card_unstated', '{}')) END AS licence
		FROM @.llava_card_samples(chosen) AS c
		LEFT JOIN @.llava_image i ON i.id = c.image),
	counted AS (
		SELECT licence, n, row_number() OVER (ORDER BY n DESC, licence COLLATE "C") AS nth
		FROM (SELECT licence, count(DISTINCT image) AS n FROM stated GROUP BY licence) AS l)
	SELECT @.llava_template('card_licences', jsonb_build_object('rows', concat(
		(SELECT string_agg(@.llava_template('card_licence', jsonb_build_object('licence', licence,
			'images', to_char(n, 'FM999,999,999,990'))), '' ORDER BY nth) FROM counted WHERE nth <= 100),
		(SELECT @.llava_template('card_licence', jsonb_build_object(
			'licence', @.llava_template('card_others', jsonb_build_object('n', to_char(count(*), 'FM999,999,999,990'))),
			'images', to_char(sum(n), 'FM999,999,999,990')))
			FROM counted WHERE nth > 100 HAVING count(*) > 0))));
END;
COMMENT ON FUNCTION @.llava_card_licences(jsonb) IS 'table of the card: licences of the pictures';

CREATE FUNCTION @.llava_card_languages(chosen jsonb) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(string_agg(@.llava_template('card_language',
		jsonb_build_object('language', language)), '' ORDER BY language DESC),
		@.llava_template('card_language', '{"language": "zh"}'))
	FROM (SELECT DISTINCT t.language FROM @.llava_task t WHERE t.language <> 'any'
		AND (t.name, t.version) IN (SELECT c.task, c.task_version FROM @.llava_card_samples(chosen) AS c)) AS l;
END;
COMMENT ON FUNCTION @.llava_card_languages(jsonb) IS 'languages in the front matter of the card';

-- How COPY writes such a file: a name that ends in .json is one array.
CREATE FUNCTION @.llava_card_copy(command text, file text, as_array boolean) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	-- on one line, whatever the file is called
	SELECT format(E'    \\copy (SELECT %s) TO %s WITH (FORMAT jsonl%s)\n', command,
		regexp_replace(quote_literal(file), '[\x01-\x1f]', ' ', 'g'), CASE WHEN as_array THEN ', FORCE_ARRAY' END)
	WHERE file IS NOT NULL;
END;
COMMENT ON FUNCTION @.llava_card_copy(text, text, boolean) IS 'a command on the card that writes a file';

CREATE FUNCTION @.llava_card_export(format text, file text, split text, tasks text[]) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN file LIKE '%.tar' THEN format(E'    SELECT * FROM llava_export_shards(''/data'', %L%s%s);\n', format,
			', split => ' || quote_literal(split),
			', tasks => ' || regexp_replace(quote_literal(tasks::text), '[\x01-\x1f]', ' ', 'g'))
		ELSE @.llava_card_copy(format('llava_export(%L%s%s)', format, ', split => ' || quote_literal(split),
			', tasks => ' || regexp_replace(quote_literal(tasks::text), '[\x01-\x1f]', ' ', 'g')), file, file ~ '\.json$') END;
END;
COMMENT ON FUNCTION @.llava_card_export(text, text, text, text[]) IS 'the export command on the card';

-- A recorded export has its own command, and what the file must be.
CREATE FUNCTION @.llava_card_rebuild(manifests bigint[]) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT string_agg(concat(format(E'    -- %s samples, sha256 %s, %s\n',
			to_char(m.rows, 'FM999,999,999,990'), encode(m.sha256, 'hex'), m.settings),
		-- of shards: their lines
		@.llava_card_copy(format('llava_rebuild_export(%s)', m.id),
			CASE WHEN m.settings ? 'shard_bytes' THEN split_part(m.file, '-*', 1) || '.jsonl' ELSE m.file END,
			m.settings ? 'as_array')), '' ORDER BY m.id)
	FROM @.llava_manifest m WHERE m.id = ANY (manifests);
END;
COMMENT ON FUNCTION @.llava_card_rebuild(bigint[]) IS 'the commands on the card that rebuild a recorded export';

-- The files of the data set: {"split", "path", "samples"} each; of recorded exports theirs.
CREATE FUNCTION @.llava_card_files(chosen jsonb, train text, validation text) RETURNS jsonb
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT jsonb_agg(jsonb_build_object('split', coalesce(m.settings ->> 'split', 'train'), 'path', m.file,
		'samples', m.rows) ORDER BY coalesce(m.settings ->> 'split', 'train'), m.id)
	FROM @.llava_manifest m WHERE chosen -> 'manifests' @> to_jsonb(m.id) HAVING count(*) > 0
	UNION ALL
	SELECT CASE WHEN validation IS NULL THEN jsonb_build_array(jsonb_build_object(
			'split', 'train', 'path', coalesce(train, 'metadata.jsonl'), 'samples', n.total))
		ELSE jsonb_build_array(
			jsonb_build_object('split', 'train', 'path', coalesce(train, 'metadata.jsonl'), 'samples', n.total - n.held_back),
			jsonb_build_object('split', 'validation', 'path', validation, 'samples', n.held_back)) END
	FROM (SELECT count(*) AS total,
			-- as llava_export has it by default
			count(*) FILTER (WHERE @.llava_image_share(c.image, i.sha256, 0) < 0.01) AS held_back
		FROM @.llava_card_samples(chosen) AS c LEFT JOIN @.llava_image i ON i.id = c.image) AS n
	WHERE NOT chosen ? 'manifests';
END;
COMMENT ON FUNCTION @.llava_card_files(jsonb, text, text) IS 'files, splits and samples on the card';

CREATE FUNCTION @.llava_card_splits(files jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @.llava_template('card_splits', jsonb_build_object('rows', string_agg(
		@.llava_template('card_split', f || jsonb_build_object(
			'samples', to_char((f -> 'samples')::bigint, 'FM999,999,999,990'))), '' ORDER BY nth)))
	FROM jsonb_array_elements(files) WITH ORDINALITY AS f (f, nth);
END;
COMMENT ON FUNCTION @.llava_card_splits(jsonb) IS 'table of the card: files and splits';

-- Which files are which split: a hub that looks for itself goes by words in their names.  Of a
-- folder of pictures (train NULL) all are train.
CREATE FUNCTION @.llava_card_configs(files jsonb, train text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @.llava_template('card_configs', jsonb_build_object('files', CASE WHEN train IS NULL
		THEN @.llava_template('card_file', '{"split": "train", "path": "\"**\""}')
		ELSE string_agg(@.llava_template('card_file', jsonb_build_object('split', f ->> 'split',
			'path', (f -> 'path')::text)), '' ORDER BY nth) END))
	FROM jsonb_array_elements(files) WITH ORDINALITY AS f (f, nth);
END;
COMMENT ON FUNCTION @.llava_card_configs(jsonb, text) IS 'configs in the front matter of the card';

-- The hubs know licences by these ids only; any other is "other", and its name is said.
CREATE FUNCTION @.llava_card_license(licence text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN licence IS NULL THEN @.llava_template('card_license', '{"id": "unknown"}')
		WHEN said.id = ANY (ARRAY['afl-3.0', 'agpl-3.0', 'apache-2.0', 'artistic-2.0', 'bsd', 'bsd-2-clause',
			'bsd-3-clause', 'bsd-3-clause-clear', 'bsl-1.0', 'c-uda', 'cc', 'cc-by-2.0', 'cc-by-2.5', 'cc-by-3.0',
			'cc-by-4.0', 'cc-by-nc-2.0', 'cc-by-nc-3.0', 'cc-by-nc-4.0', 'cc-by-nc-nd-3.0', 'cc-by-nc-nd-4.0',
			'cc-by-nc-sa-2.0', 'cc-by-nc-sa-3.0', 'cc-by-nc-sa-4.0', 'cc-by-nd-4.0', 'cc-by-sa-3.0', 'cc-by-sa-4.0',
			'cc0-1.0', 'cdla-permissive-1.0', 'cdla-permissive-2.0', 'cdla-sharing-1.0', 'ecl-2.0', 'epl-1.0',
			'epl-2.0', 'etalab-2.0', 'eupl-1.1', 'eupl-1.2', 'gemma', 'gfdl', 'gpl', 'gpl-2.0', 'gpl-3.0', 'isc',
			'lgpl', 'lgpl-2.1', 'lgpl-3.0', 'lgpl-lr', 'llama2', 'llama3', 'llama3.1', 'llama3.2', 'llama3.3',
			'llama4', 'lppl-1.3c', 'mit', 'mpl-2.0', 'ms-pl', 'ncsa', 'odbl', 'odc-by', 'ofl-1.1', 'openrail',
			'openrail++', 'osl-3.0', 'other', 'pddl', 'postgresql', 'unknown', 'unlicense', 'wtfpl', 'zlib'])
			THEN @.llava_template('card_license', jsonb_build_object('id', said.id))
		ELSE @.llava_template('card_license_other', jsonb_build_object('name', to_json(licence)::text)) END
	FROM (SELECT regexp_replace(lower(btrim(licence)), '[\s_]+', '-', 'g') AS id) AS said;
END;
COMMENT ON FUNCTION @.llava_card_license(text) IS 'licence in the front matter of the card';

-- A person's words for the name: without its owner, and of a plain id the words in it.
CREATE FUNCTION @.llava_card_pretty(name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN bare ~ '^[A-Za-z0-9._-]+$' THEN initcap(translate(bare, '-_', '  ')) ELSE bare END
	FROM (SELECT regexp_replace(name, '^[A-Za-z0-9._-]+/', '') AS bare) AS b;
END;
COMMENT ON FUNCTION @.llava_card_pretty(text) IS 'pretty_name in the front matter of the card';

-- The shortest of the first rows, as the export has it; of recorded exports the first one's shape.
CREATE FUNCTION @.llava_card_example(chosen jsonb, train text) RETURNS jsonb LANGUAGE sql STABLE PARALLEL UNSAFE
BEGIN ATOMIC
	WITH said AS (
		SELECT coalesce(
			(SELECT m.settings FROM @.llava_manifest m WHERE chosen -> 'manifests' @> to_jsonb(m.id) ORDER BY m.id LIMIT 1),
			jsonb_build_object('format', CASE WHEN train IS NULL THEN 'imagefolder' ELSE 'llava' END,
				'image_token', 'first', 'image_name', 'path', 'rules', @.llava_export_rules())) AS s)
	SELECT first.line::jsonb FROM (
		SELECT (e.sample).line FROM (
			SELECT @.llava_card_exported(s ->> 'format', CASE WHEN chosen ? 'tasks'
					THEN ARRAY(SELECT jsonb_array_elements_text(chosen -> 'tasks')) END,
				NULL, false, NULL, NULL, s ->> 'image_token', s ->> 'image_name', s ->> 'folder', NULL, false, 0, NULL,
				coalesce((s -> 'rules')::integer, 1), chosen ? 'manifests') AS sample FROM said OFFSET 0) AS e
		WHERE NOT chosen ? 'manifests' OR EXISTS (SELECT FROM @.llava_manifest_line l
			WHERE l.image = (e.sample).image AND l.task = (e.sample).task
				AND chosen -> 'manifests' @> to_jsonb(l.manifest))
		LIMIT 20) AS first
	ORDER BY length(first.line) LIMIT 1;
END;
COMMENT ON FUNCTION @.llava_card_example(jsonb, text) IS 'the row on the card';

CREATE FUNCTION @.llava_card_row(example jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @.llava_template('card_row', jsonb_build_object(
		-- indented, so that nothing in it ends the block
		'row', regexp_replace(jsonb_pretty(example), '^', '    ', 'gn'),
		'fields', (SELECT string_agg(@.llava_template('card_field', jsonb_build_object('field', k.key,
				'type', jsonb_typeof(k.value), 'meaning', m.meaning)), '' ORDER BY m.nth)
			FROM jsonb_each(example) AS k
			LEFT JOIN (VALUES (1, 'id', '图片编号与任务 number of the picture, and task'),
				(2, 'task', '任务 task'),
				(3, 'image', '图片文件 file of the picture'),
				(4, 'images', '图片文件，只有一张 file of the picture, one'),
				(5, 'file_name', '图片文件 file of the picture'),
				(6, 'conversations', '对话：from 是 human 或 gpt，value 是文字 turns: from is human or gpt, value the text'),
				(7, 'messages', '对话：role 是 user 或 assistant，content 是内容 turns: role is user or assistant'))
				AS m (nth, key, meaning) ON m.key = k.key)))
	WHERE example IS NOT NULL;
END;
COMMENT ON FUNCTION @.llava_card_row(jsonb) IS 'the row on the card and its fields';

CREATE FUNCTION @.llava_dataset_card(name text DEFAULT 'llava-instruct-zh',
	licence text DEFAULT NULL, train text DEFAULT 'train.jsonl', validation text DEFAULT NULL,
	tasks text[] DEFAULT NULL, manifests bigint[] DEFAULT NULL)
	RETURNS text LANGUAGE sql STABLE PARALLEL UNSAFE
BEGIN ATOMIC
	WITH chosen AS MATERIALIZED (
		SELECT @.llava_card_chosen(tasks, manifests) AS of),
	said AS MATERIALIZED (
		SELECT coalesce(llava_dataset_card.name, 'llava-instruct-zh') AS name, c.of,
			CASE WHEN c.of ? 'tasks' THEN ARRAY(SELECT jsonb_array_elements_text(c.of -> 'tasks')) END AS tasks,
			@.llava_card_files(c.of, train, validation) AS files
		FROM chosen AS c),
	sample AS (
		SELECT count(*) AS n, count(DISTINCT c.image) AS images,
			string_agg(DISTINCT r.parser_version::text, ', ') AS parsers,
			count(c.keep) AS looked, array_agg(DISTINCT c.task) AS tasks,
			round(100.0 * count(*) FILTER (WHERE (r.measures ->> 'quoted_han')::numeric > 0)
				/ nullif(count(*), 0), 1) AS quoting
		FROM said, @.llava_card_samples(said.of) AS c
		LEFT JOIN @.llava_reply r ON r.image = c.image AND r.id = c.reply),
	verdict AS (
		SELECT count(keep) AS looked, count(*) FILTER (WHERE NOT keep) AS dropped
		FROM @.llava_conversation, said, sample
		WHERE task = ANY (coalesce(said.tasks, sample.tasks))),
	-- of other tasks, as those that only judge, the card has nothing
	reply AS (
		SELECT count(*) AS n, count(reason) AS rejected FROM @.llava_reply, said, sample
		WHERE task = ANY (coalesce(said.tasks, sample.tasks)))
	SELECT @.llava_template('card', jsonb_build_object(
		'name', said.name, 'pretty_name', to_json(@.llava_card_pretty(said.name))::text,
		'load_name', to_json(said.name)::text,
		'license', @.llava_card_license(llava_dataset_card.licence),
		'licence_words', coalesce(llava_dataset_card.licence, @.llava_template('card_unstated', '{}')),
		'languages', @.llava_card_languages(said.of),
		'size', CASE WHEN sample.n < 1000 THEN 'n<1K' WHEN sample.n < 10000 THEN '1K<n<10K'
			WHEN sample.n < 100000 THEN '10K<n<100K' WHEN sample.n < 1000000 THEN '100K<n<1M'
			WHEN sample.n < 10000000 THEN '1M<n<10M' WHEN sample.n < 100000000 THEN '10M<n<100M'
			ELSE '100M<n<1B' END,
		'configs', @.llava_card_configs(said.files, train),
		'splits', @.llava_card_splits(said.files),
		'row', @.llava_card_row(@.llava_card_example(said.of, train)),
		'samples', to_char(sample.n, 'FM999,999,999,990'),
		'images', to_char(sample.images, 'FM999,999,999,990'),
		'unlooked', to_char(sample.n - sample.looked, 'FM999,999,999,990'),
		'looked', to_char(verdict.looked, 'FM999,999,999,990'),
		'dropped', to_char(verdict.dropped, 'FM999,999,999,990'),
		'replies', to_char(reply.n, 'FM999,999,999,990'),
		'rejected', to_char(reply.rejected, 'FM999,999,999,990'),
		'images_rejected', (SELECT to_char(coalesce(sum(count), 0), 'FM999,999,999,990')
			FROM @.llava_stat_reason WHERE kind = 'image'),
		'extension', (SELECT extversion FROM pg_extension WHERE extname = 'llava_zh'),
		'parsers', sample.parsers, 'quoting', coalesce(sample.quoting, 0),
		'tasks', @.llava_card_tasks(said.of), 'lengths', @.llava_card_lengths(said.of),
		'models', @.llava_card_models(said.of), 'reasons', @.llava_card_reasons(said.of),
		'licences', @.llava_card_licences(said.of), 'prompts', @.llava_card_prompts(said.of),
		'export', CASE WHEN said.of ? 'manifests' THEN @.llava_card_rebuild(manifests) ELSE concat(
			@.llava_card_export(CASE WHEN train IS NULL THEN 'imagefolder' ELSE 'llava' END,
				coalesce(train, 'metadata.jsonl'), CASE WHEN validation IS NOT NULL THEN 'train' END, said.tasks),
			@.llava_card_export('llava', validation, 'validation', said.tasks)) END))
	FROM sample, verdict, reply, said;
END;
REVOKE ALL ON FUNCTION @.llava_dataset_card(text, text, text, text, text[], bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION @.llava_dataset_card(text, text, text, text, text[], bigint[]) IS
	'README.md of the data set, with Hugging Face front matter, in Chinese and English';
