--
-- The dataset card; its text is in src/pg/export/card.template
--

-- What the card counts, of the tasks (NULL: all): what the recorded exports hold, or
-- every sample that a person did not drop.
CREATE FUNCTION @.llava_card_samples(tasks text[], manifests bigint[])
	RETURNS SETOF @.llava_conversation LANGUAGE sql STABLE PARALLEL SAFE ROWS 100000
BEGIN ATOMIC
	SELECT c.* FROM @.llava_conversation c
	WHERE manifests IS NULL AND c.keep IS NOT FALSE AND (tasks IS NULL OR c.task = ANY (tasks))
	UNION ALL
	SELECT c.* FROM @.llava_conversation c
	WHERE manifests IS NOT NULL AND (tasks IS NULL OR c.task = ANY (tasks))
		AND EXISTS (SELECT FROM @.llava_manifest_line l
			WHERE l.image = c.image AND l.task = c.task AND l.manifest = ANY (manifests));
END;
COMMENT ON FUNCTION @.llava_card_samples(text[], bigint[]) IS 'the samples that the card counts';

CREATE FUNCTION @.llava_card_tasks(tasks text[], manifests bigint[]) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @.llava_template('card_tasks', jsonb_build_object('rows', string_agg(
		@.llava_template('card_task', jsonb_build_object('task', task,
			'samples', to_char(n, 'FM999,999,999,990'), 'share', round(100.0 * n / total, 1),
			'images', to_char(images, 'FM999,999,999,990'), 'rounds', round(rounds, 1))),
		'' ORDER BY n DESC, task COLLATE "C")))
	FROM (SELECT task, count(*) AS n, sum(count(*)) OVER () AS total,
			count(DISTINCT image) AS images, avg(rounds) AS rounds
		FROM @.llava_card_samples(tasks, manifests) GROUP BY task) AS t;
END;
COMMENT ON FUNCTION @.llava_card_tasks(text[], bigint[]) IS 'table of the card: samples by task';

CREATE FUNCTION @.llava_card_lengths(tasks text[], manifests bigint[]) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH turn AS (
		SELECT c.task, t ->> 'from' AS who, length(t ->> 'value') AS chars
		FROM @.llava_card_samples(tasks, manifests) AS c,
			jsonb_path_query(c.conversation, 'lax $[*]') AS t),
	chars AS (
		SELECT task,
			percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY chars) FILTER (WHERE who = 'human') AS question,
			percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY chars) FILTER (WHERE who = 'gpt') AS answer
		FROM turn GROUP BY task),
	rounds AS (
		SELECT task, sum(n) AS samples,
			string_agg(concat(rounds, ': ', to_char(n, 'FM999,999,999,990')), ', ' ORDER BY rounds) AS rounds
		FROM (SELECT task, rounds, count(*) AS n FROM @.llava_card_samples(tasks, manifests)
			GROUP BY task, rounds) AS r GROUP BY task)
	SELECT @.llava_template('card_lengths', jsonb_build_object('rows', string_agg(
		@.llava_template('card_length', jsonb_build_object('task', task, 'rounds', rounds.rounds,
			'question_p50', question[1], 'question_p95', question[2],
			'answer_p50', answer[1], 'answer_p95', answer[2])),
		'' ORDER BY samples DESC, task COLLATE "C")))
	FROM rounds LEFT JOIN chars USING (task);
END;
COMMENT ON FUNCTION @.llava_card_lengths(text[], bigint[]) IS 'table of the card: rounds and lengths';

CREATE FUNCTION @.llava_card_models(tasks text[], manifests bigint[]) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @.llava_template('card_models', jsonb_build_object('rows', string_agg(
		@.llava_template('card_model', jsonb_build_object('model', model,
			'reported', model_reported, 'task', task, 'version', task_version,
			'samples', to_char(n, 'FM999,999,999,990'), 'parameters', parameters)),
		'' ORDER BY task COLLATE "C", task_version, n DESC, model COLLATE "C", parameters COLLATE "C")))
	FROM (SELECT r.model, r.model_reported, c.task, c.task_version, count(*) AS n,
			(SELECT string_agg(concat(p.key, ' ', p.value), ', ' ORDER BY p.key COLLATE "C")
				FROM jsonb_each_text(r.parameters) AS p) AS parameters
		FROM @.llava_card_samples(tasks, manifests) AS c
		LEFT JOIN @.llava_reply r ON r.image = c.image AND r.id = c.reply
		GROUP BY r.model, r.model_reported, c.task, c.task_version, r.parameters) AS m;
END;
COMMENT ON FUNCTION @.llava_card_models(text[], bigint[]) IS 'table of the card: models and parameters';

CREATE FUNCTION @.llava_card_prompts(tasks text[], manifests bigint[]) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT string_agg(@.llava_template('card_prompt', jsonb_build_object('task', t.name,
		'version', t.version,
		-- indented, so that nothing in a prompt ends the block; a CR begins a line, too
		'prompt', regexp_replace(regexp_replace(t.prompt, E'\r\n?', E'\n', 'g'), '^', '    ', 'gn'))), '' ORDER BY t.name COLLATE "C", t.version)
	FROM @.llava_task t
	WHERE (t.name, t.version) IN (SELECT c.task, c.task_version FROM @.llava_card_samples(tasks, manifests) AS c);
END;
COMMENT ON FUNCTION @.llava_card_prompts(text[], bigint[]) IS 'the prompts on the card';

CREATE FUNCTION @.llava_card_reasons(tasks text[]) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @.llava_template('card_reasons', jsonb_build_object('rows', string_agg(
		@.llava_template('card_reason', jsonb_build_object('kind', kind, 'task', task,
			'reason', reason, 'count', to_char(count, 'FM999,999,999,990'))),
		'' ORDER BY kind, count DESC, task COLLATE "C", reason COLLATE "C")))
	FROM @.llava_stat_reason
	WHERE tasks IS NULL OR task IS NULL OR task = ANY (tasks);
END;
COMMENT ON FUNCTION @.llava_card_reasons(text[]) IS 'table of the card: why replies were rejected';

-- What writers say of their pictures is clipped, and the seldomest are only counted: no one
-- writer makes a card that is too large for all.
CREATE FUNCTION @.llava_card_licences(tasks text[], manifests bigint[]) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH stated AS (
		SELECT c.image, CASE WHEN length(left(i.licence, 201)) > 200 THEN left(i.licence, 200) || '...'
			ELSE coalesce(i.licence, @.llava_template('card_unstated', '{}')) END AS licence
		FROM @.llava_card_samples(tasks, manifests) AS c
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
COMMENT ON FUNCTION @.llava_card_licences(text[], bigint[]) IS 'table of the card: licences of the pictures';

CREATE FUNCTION @.llava_card_languages(tasks text[], manifests bigint[]) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(string_agg(@.llava_template('card_language',
		jsonb_build_object('language', language)), '' ORDER BY language DESC),
		@.llava_template('card_language', '{"language": "zh"}'))
	FROM (SELECT DISTINCT t.language FROM @.llava_task t WHERE t.language <> 'any'
		AND (t.name, t.version) IN (SELECT c.task, c.task_version FROM @.llava_card_samples(tasks, manifests) AS c)) AS l;
END;
COMMENT ON FUNCTION @.llava_card_languages(text[], bigint[]) IS 'languages in the front matter of the card';

-- The command in an indented block: on one line, whatever the file is called.
CREATE FUNCTION @.llava_card_export(format text, file text, split text, tasks text[]) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format(CASE WHEN file LIKE '%.tar' THEN E'    SELECT * FROM llava_export_shards(''/data'', %L%s%s);\n'
		ELSE E'    \\copy (SELECT llava_export(%L%s%s)) TO %s WITH (FORMAT jsonl)\n' END, format,
		', split => ' || quote_literal(split),
		', tasks => ' || regexp_replace(quote_literal(tasks::text), '[\x01-\x1f]', ' ', 'g'),
		regexp_replace(quote_literal(file), '[\x01-\x1f]', ' ', 'g'))
	WHERE file IS NOT NULL;
END;
COMMENT ON FUNCTION @.llava_card_export(text, text, text, text[]) IS 'the export command on the card';

-- A recorded export has its own command, and what the file must be.
CREATE FUNCTION @.llava_card_rebuild(manifests bigint[]) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT string_agg(format(E'    -- %s rows, sha256 %s, %s\n    \\copy (SELECT llava_rebuild_export(%s)) TO %s WITH (FORMAT jsonl)\n',
		to_char(m.rows, 'FM999,999,999,990'), encode(m.sha256, 'hex'), m.settings, m.id,
		-- of shards: their lines
		regexp_replace(quote_literal(CASE WHEN m.settings ? 'shard_bytes' THEN split_part(m.file, '-*', 1) || '.jsonl'
			ELSE m.file END), '[\x01-\x1f]', ' ', 'g')), '' ORDER BY m.id)
	FROM @.llava_manifest m WHERE m.id = ANY (manifests);
END;
COMMENT ON FUNCTION @.llava_card_rebuild(bigint[]) IS 'the commands on the card that rebuild a recorded export';

CREATE FUNCTION @.llava_dataset_card(name text DEFAULT 'llava-instruct-zh',
	licence text DEFAULT NULL, train text DEFAULT 'train.jsonl', validation text DEFAULT NULL,
	tasks text[] DEFAULT NULL, manifests bigint[] DEFAULT NULL)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH said AS (
		SELECT coalesce(llava_dataset_card.name, 'llava-instruct-zh') AS name,
			coalesce(
				(SELECT array_agg(@.llava_task_name(t)) FROM unnest(llava_dataset_card.tasks) AS t),
				(SELECT array_agg(DISTINCT l.task) FROM @.llava_manifest_line l
					WHERE l.manifest = ANY (llava_dataset_card.manifests))) AS tasks,
			(SELECT array_agg(@.llava_manifest_known(m,
					EXISTS (SELECT FROM @.llava_manifest WHERE id = m)))
				FROM unnest(llava_dataset_card.manifests) AS m) AS manifests),
	sample AS (
		SELECT count(*) AS n, count(DISTINCT c.image) AS images,
			string_agg(DISTINCT r.parser_version::text, ', ') AS parsers,
			round(100.0 * count(*) FILTER (WHERE (r.measures ->> 'quoted_han')::numeric > 0)
				/ nullif(count(*), 0), 1) AS quoting
		FROM said, @.llava_card_samples(said.tasks, said.manifests) AS c
		LEFT JOIN @.llava_reply r ON r.image = c.image AND r.id = c.reply),
	verdict AS (
		SELECT count(keep) AS looked, count(*) FILTER (WHERE NOT keep) AS dropped
		FROM @.llava_conversation, said
		WHERE said.tasks IS NULL OR task = ANY (said.tasks)),
	reply AS (
		SELECT count(*) AS n, count(reason) AS rejected FROM @.llava_reply, said
		WHERE said.tasks IS NULL OR task = ANY (said.tasks))
	SELECT @.llava_template('card', jsonb_build_object(
		'name', said.name, 'pretty_name', to_json(said.name)::text,
		'licence', to_json(coalesce(llava_dataset_card.licence, 'unknown'))::text,
		'licence_words', coalesce(llava_dataset_card.licence, @.llava_template('card_unstated', '{}')),
		'languages', @.llava_card_languages(said.tasks, said.manifests),
		'size', CASE WHEN sample.n < 1000 THEN 'n<1K' WHEN sample.n < 10000 THEN '1K<n<10K'
			WHEN sample.n < 100000 THEN '10K<n<100K' WHEN sample.n < 1000000 THEN '100K<n<1M'
			WHEN sample.n < 10000000 THEN '1M<n<10M' WHEN sample.n < 100000000 THEN '10M<n<100M'
			ELSE '100M<n<1B' END,
		-- without them a hub looks for itself, and finds an image folder
		'configs', CASE WHEN train IS NOT NULL THEN @.llava_template('card_configs',
			jsonb_build_object('files', concat(
				@.llava_template('card_file', jsonb_build_object('split', 'train',
					'path', to_json(train)::text)),
				CASE WHEN validation IS NOT NULL THEN @.llava_template('card_file',
					jsonb_build_object('split', 'validation', 'path', to_json(validation)::text)) END))) END,
		'samples', to_char(sample.n, 'FM999,999,999,990'),
		'images', to_char(sample.images, 'FM999,999,999,990'),
		'looked', to_char(verdict.looked, 'FM999,999,999,990'),
		'dropped', to_char(verdict.dropped, 'FM999,999,999,990'),
		'replies', to_char(reply.n, 'FM999,999,999,990'),
		'rejected', to_char(reply.rejected, 'FM999,999,999,990'),
		'images_rejected', (SELECT to_char(coalesce(sum(count), 0), 'FM999,999,999,990')
			FROM @.llava_stat_reason WHERE kind = 'image'),
		'extension', (SELECT extversion FROM pg_extension WHERE extname = 'llava_zh'),
		'parsers', sample.parsers, 'quoting', coalesce(sample.quoting, 0),
		'tasks', @.llava_card_tasks(said.tasks, said.manifests), 'lengths', @.llava_card_lengths(said.tasks, said.manifests),
		'models', @.llava_card_models(said.tasks, said.manifests), 'reasons', @.llava_card_reasons(said.tasks),
		'licences', @.llava_card_licences(said.tasks, said.manifests), 'prompts', @.llava_card_prompts(said.tasks, said.manifests),
		'export', CASE WHEN said.manifests IS NOT NULL THEN @.llava_card_rebuild(said.manifests) ELSE concat(
			@.llava_card_export(CASE WHEN train IS NULL THEN 'imagefolder' ELSE 'llava' END,
				coalesce(train, 'metadata.jsonl'), CASE WHEN validation IS NOT NULL THEN 'train' END, said.tasks),
			@.llava_card_export('llava', validation, 'validation', said.tasks)) END))
	FROM sample, verdict, reply, said;
END;
REVOKE ALL ON FUNCTION @.llava_dataset_card(text, text, text, text, text[], bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION @.llava_dataset_card(text, text, text, text, text[], bigint[]) IS
	'README.md of the data set, with Hugging Face front matter, in Chinese and English';
