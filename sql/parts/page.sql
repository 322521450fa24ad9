--
-- The page to look at samples; its HTML is in src/pg/export/page.template
--

CREATE FUNCTION @.llava_template(name text, "values" jsonb) RETURNS text
	LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_template(text, jsonb) IS 'a text of the page or the card with escaped values in it';

CREATE FUNCTION @.llava_page_bars(labels text[], counts bigint[]) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(string_agg(@.llava_template('page_bar', jsonb_build_object(
			'label', label, 'count', to_char(count, 'FM999,999,999,999,990'),
			'width', round(100.0 * count / greatest(most, 1), 1))), '' ORDER BY n),
		@.llava_template('page_no_bars', '{}'))
	FROM (SELECT label, count, n, max(count) OVER () AS most
		FROM unnest(labels, counts) WITH ORDINALITY AS u (label, count, n)) AS bar;
END;
COMMENT ON FUNCTION @.llava_page_bars(text[], bigint[]) IS 'bars of the page';

CREATE FUNCTION @.llava_page_picture(image bytea, file text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN image IS NULL THEN @.llava_template('page_no_picture', '{}')
		WHEN jpeg IS NULL THEN @.llava_template('page_bad_picture', '{}')
		ELSE @.llava_template('page_picture', jsonb_build_object('file', file,
			'base64', translate(encode(jpeg, 'base64'), E'\n', ''))) END
	FROM (SELECT @.llava_thumbnail(image) AS jpeg OFFSET 0) AS small;
END;
COMMENT ON FUNCTION @.llava_page_picture(bytea, text) IS 'a picture of the page';

CREATE FUNCTION @.llava_page_turns(conversation jsonb) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT string_agg(@.llava_template('page_turn', jsonb_build_object(
		'who', turn ->> 'from', 'value', turn ->> 'value')), '' ORDER BY n)
	FROM ROWS FROM (jsonb_path_query(conversation, 'lax $[*]')) WITH ORDINALITY AS t (turn, n);
END;
COMMENT ON FUNCTION @.llava_page_turns(jsonb) IS 'the turns of a sample on the page';

CREATE FUNCTION @.llava_page_tags(flags text[], keep boolean, note text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT concat(
		CASE keep WHEN true THEN @.llava_template('page_kept', '{}')
			WHEN false THEN @.llava_template('page_dropped', '{}') END,
		CASE WHEN note <> '' THEN
			@.llava_template('page_note', jsonb_build_object('note', left(note, 32768))) END,
		(SELECT string_agg(@.llava_template('page_flag', jsonb_build_object('flag', flag)),
			'' ORDER BY n) FROM unnest(flags) WITH ORDINALITY AS f (flag, n)));
END;
COMMENT ON FUNCTION @.llava_page_tags(text[], boolean, text) IS 'flags, verdict and note of a sample on the page';

-- The samples of a page, in its order: by a hash of image and seed.
CREATE FUNCTION @.llava_page_samples(n integer, task text, seed bigint, flag text, unseen boolean)
	RETURNS text LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
	WITH chosen AS (
		SELECT c.image, c.task, row_number() OVER () AS nth
		FROM (
			SELECT s.image, s.task FROM @.llava_conversation s
			WHERE (llava_page_samples.task IS NULL
					OR s.task = @.llava_task_name(llava_page_samples.task))
				AND (llava_page_samples.flag IS NULL OR llava_page_samples.flag = ANY (s.flags))
				AND (unseen IS NOT TRUE OR s.keep IS NULL)
			ORDER BY hashint8extended(s.image, coalesce(seed, 0)), s.image, s.task COLLATE "C"
			LIMIT coalesce(llava_page_samples.n, 100)) AS c)
	SELECT coalesce(string_agg(@.llava_template('page_sample', jsonb_build_object(
			'image', c.image, 'n', h.nth, 'file', name.file,
			'sides', CASE WHEN i.width > 0 THEN @.llava_template('page_sides',
				CASE WHEN i.orientation >= 5
				THEN jsonb_build_object('width', i.height, 'height', i.width)
				ELSE jsonb_build_object('width', i.width, 'height', i.height) END) END, 'task', c.task, 'version', c.task_version,
			'model', coalesce(r.model_reported, r.model),
			'picture', @.llava_page_picture(@.llava_image_bytes(i.id), name.file),
			'tags', @.llava_page_tags(c.flags, c.keep, c.note),
			'turns', @.llava_page_turns(c.conversation))), '' ORDER BY h.nth), '')
	FROM chosen h
	JOIN @.llava_conversation c ON c.image = h.image AND c.task = h.task
	LEFT JOIN @.llava_reply r ON r.image = c.image AND r.id = c.reply
	LEFT JOIN @.llava_image i ON i.id = c.image,
	LATERAL (SELECT coalesce(nullif(i.path, ''), encode(i.sha256, 'hex')) AS file) AS name;
END;
COMMENT ON FUNCTION @.llava_page_samples(integer, text, bigint, text, boolean) IS 'the samples of the page';

CREATE FUNCTION @.llava_page_head(n integer, task text, flag text, unseen boolean)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH sample AS (
		SELECT s.task, s.rounds, s.keep, s.flags FROM @.llava_conversation s
		WHERE llava_page_head.task IS NULL
			OR s.task = @.llava_task_name(llava_page_head.task)),
	total AS (
		SELECT count(*) AS n, count(keep) AS looked, count(*) FILTER (WHERE NOT keep) AS dropped,
			count(*) FILTER (WHERE (llava_page_head.flag IS NULL OR llava_page_head.flag = ANY (s.flags))
				AND (unseen IS NOT TRUE OR s.keep IS NULL)) AS fits
		FROM sample s),
	task AS (SELECT s.task AS label, count(*) AS n FROM sample s GROUP BY s.task),
	rounds AS (SELECT s.rounds, count(*) AS n FROM sample s GROUP BY s.rounds),
	reason AS (
		SELECT s.reason AS label, sum(s.count)::bigint AS n FROM @.llava_stat_reason s
		WHERE s.kind <> 'failed' AND (llava_page_head.task IS NULL
			OR s.task = @.llava_task_name(llava_page_head.task))
		GROUP BY s.reason ORDER BY sum(s.count) DESC, s.reason COLLATE "C" LIMIT 8)
	SELECT @.llava_template('page_head', jsonb_build_object(
		'total', to_char(total.n, 'FM999,999,999,999,990'),
		'shown', to_char(least(total.fits, coalesce(llava_page_head.n, 100)), 'FM999,999,990'),
		'looked', to_char(total.looked, 'FM999,999,999,990'),
		'dropped', to_char(total.dropped, 'FM999,999,999,990'),
		'scope', CASE WHEN llava_page_head.task IS NOT NULL THEN @.llava_template('page_scope',
			jsonb_build_object('task', @.llava_task_name(llava_page_head.task))) END,
		'made', to_char(now(), 'YYYY-MM-DD HH24:MI'),
		'tasks', (SELECT @.llava_page_bars(array_agg(label ORDER BY task.n DESC, label COLLATE "C"),
			array_agg(task.n ORDER BY task.n DESC, label COLLATE "C")) FROM task),
		'rounds', (SELECT @.llava_page_bars(array_agg(@.llava_template('page_rounds',
			jsonb_build_object('rounds', rounds.rounds)) ORDER BY rounds.rounds),
			array_agg(rounds.n ORDER BY rounds.rounds)) FROM rounds),
		'reasons', (SELECT @.llava_page_bars(array_agg(label ORDER BY reason.n DESC, label COLLATE "C"),
			array_agg(reason.n ORDER BY reason.n DESC, label COLLATE "C")) FROM reason)))
	FROM total;
END;
COMMENT ON FUNCTION @.llava_page_head(integer, text, text, boolean) IS 'the head of the page: counts and bars';

CREATE FUNCTION @.llava_page(n integer DEFAULT 100, task text DEFAULT NULL,
	seed bigint DEFAULT 0, flag text DEFAULT NULL, unseen boolean DEFAULT false)
	RETURNS text LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
	SELECT @.llava_page_head(n, task, known.flag, unseen)
		|| @.llava_page_samples(n, task, seed, known.flag, unseen)
		|| @.llava_template('page_foot', '{}')
	FROM (SELECT (@.llava_known_flags(ARRAY[llava_page.flag]))[1] AS flag OFFSET 0) AS known;
END;
REVOKE ALL ON FUNCTION @.llava_page(integer, text, bigint, text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION @.llava_page(integer, text, bigint, text, boolean) IS
	'one HTML page to look at n samples, drawn by the seed: pictures, dialogues, flags, counts';
