--
-- The page to look at samples and to judge them; its HTML is in src/pg/export/page.template, its
-- script in page.js
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

CREATE FUNCTION @.llava_page_digest("value" jsonb) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN left(encode(sha256(convert_to("value"::text, 'UTF8')), 'hex'), 32);
COMMENT ON FUNCTION @.llava_page_digest(jsonb) IS 'by which llava_keep_in knows what the page showed';

-- As of format llava: what the rules say of a sample hardly depends on the format.
CREATE FUNCTION @.llava_page_fault(conversation jsonb, path text, sha256 bytea, format text,
	rejected text, width integer, height integer, channels integer, complete boolean, rows integer,
	OUT rule text, OUT detail text)
	RETURNS record LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_page_fault(jsonb, text, bytea, text, text, integer, integer, integer, boolean, integer) IS
	'the rule by which an export leaves a sample out; NULL: none';

CREATE FUNCTION @.llava_page_annotations(image bigint, task text, reply bigint) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(string_agg(@.llava_template('page_annotation', jsonb_build_object(
		'task', a.task, 'version', a.task_version, 'pairs', (
			SELECT string_agg(@.llava_template('page_pair', jsonb_build_object('key', left(o.key, 200),
				'value', left(o.value, 2000))), '' ORDER BY o.n)
			FROM jsonb_each_text(a.object) WITH ORDINALITY AS o (key, value, n)))), '' ORDER BY a.task), '')
	FROM @.llava_annotation a
	WHERE a.image = llava_page_annotations.image AND jsonb_typeof(a.object) = 'object'
		-- what is about the image's sample of another task stands beside that one
		AND NOT EXISTS (SELECT FROM @.llava_conversation c WHERE c.image = a.image AND c.reply = a.about
			AND c.reply <> llava_page_annotations.reply AND c.task <> llava_page_annotations.task);
END;
COMMENT ON FUNCTION @.llava_page_annotations(bigint, text, bigint) IS
	'the annotations beside a sample on the page: of its picture, and about it';

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
			'model', coalesce(r.model_reported, r.model), 'reply', c.reply,
			'words', @.llava_page_digest(c.conversation),
			'judged', @.llava_page_digest(jsonb_build_array(c.keep, c.note)),
			-- of a note that is longer than notes may be, so much that it is not taken for a whole one
			'keep', c.keep::text, 'note', left(c.note, 32769),
			'fault', CASE WHEN fault.rule IS NOT NULL THEN @.llava_template('page_fault', jsonb_build_object(
				'rule', fault.rule, 'detail', CASE WHEN fault.detail <> '' THEN
					@.llava_template('page_fault_detail', jsonb_build_object('detail', fault.detail)) END)) END,
			'annotations', @.llava_page_annotations(c.image, c.task, c.reply),
			'picture', @.llava_page_picture(@.llava_image_bytes(i.id), name.file),
			'tags', @.llava_page_tags(c.flags, c.keep, c.note),
			'turns', @.llava_page_turns(c.conversation))), '' ORDER BY h.nth), '')
	FROM chosen h
	JOIN @.llava_conversation c ON c.image = h.image AND c.task = h.task
	LEFT JOIN @.llava_reply r ON r.image = c.image AND r.id = c.reply
	LEFT JOIN @.llava_image i ON i.id = c.image,
	LATERAL (SELECT coalesce(nullif(i.path, ''), encode(i.sha256, 'hex')) AS file) AS name,
	LATERAL @.llava_page_fault(c.conversation, i.path, i.sha256, i.format, i.rejected, i.width,
		i.height, i.channels::integer, i.complete, i.rows) AS fault;
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
		'script', @.llava_template('page_policy', jsonb_build_object('hash',
			encode(sha256(convert_to(@.llava_template('page_script', '{}'), 'UTF8')), 'base64'))),
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
	SELECT @.llava_page_head(n, task, known.flag, unseen) || samples.html
		|| @.llava_template('page_foot', jsonb_build_object('guide', @.llava_template('page_guide', '{}'),
			'work', @.llava_template('page_work', jsonb_build_object(
				'digest', left(encode(sha256(convert_to(samples.html, 'UTF8')), 'hex'), 32),
				'script', @.llava_template('page_script', '{}')))))
	FROM (SELECT (@.llava_known_flags(ARRAY[llava_page.flag]))[1] AS flag OFFSET 0) AS known,
		LATERAL (SELECT @.llava_page_samples(n, task, seed, known.flag, unseen) AS html OFFSET 0) AS samples;
END;
REVOKE ALL ON FUNCTION @.llava_page(integer, text, bigint, text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION @.llava_page(integer, text, bigint, text, boolean) IS
	'one HTML page to judge n samples, drawn by the seed: pictures, dialogues, flags, counts';

-- What was judged there comes in: one line of keep.jsonl a row.  The view is empty: its trigger
-- writes keep and note, with the rights of who copies.
CREATE VIEW @.llava_keep_in WITH (security_invoker = true) AS
	SELECT NULL::text AS line WHERE false;
COMMENT ON VIEW @.llava_keep_in IS
	'takes judgements in: \copy llava_keep_in FROM ''keep.jsonl'' WITH (FORMAT jsonl)';
COMMENT ON COLUMN @.llava_keep_in.line IS 'a line that llava_page wrote';

CREATE FUNCTION @.llava_keep_in_line() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_keep_in_line() FROM PUBLIC;
COMMENT ON FUNCTION @.llava_keep_in_line() IS 'trigger: takes a judgement in, or names why it does not';
CREATE TRIGGER llava_keep_in_line INSTEAD OF INSERT ON @.llava_keep_in
	FOR EACH ROW EXECUTE FUNCTION @.llava_keep_in_line();
CREATE TRIGGER llava_keep_in_begin BEFORE INSERT ON @.llava_keep_in
	FOR EACH STATEMENT EXECUTE FUNCTION @.llava_keep_in_line();
CREATE TRIGGER llava_keep_in_end AFTER INSERT ON @.llava_keep_in
	FOR EACH STATEMENT EXECUTE FUNCTION @.llava_keep_in_line();
