--
-- Views that count.  They read with the rights of who asks, as all our views do: a reader
-- needs the columns that stand here, and row-level security holds.  llava_progress and most of
-- llava_stat_* name none that holds a picture, a body or words (sql/README.md, "Rights").
--

CREATE VIEW @.llava_status WITH (security_invoker = true) AS
	SELECT i.id AS image, i.path,
		coalesce(q.task, i.task) AS task,
		CASE WHEN q.failure = 'near_duplicate' THEN 'same'
			WHEN q.failure = 'cancelled' THEN 'cancelled'
			WHEN q.failure IN ('condition', 'condition_error') THEN 'skipped'
			WHEN q.failure = 'no_picture' THEN 'waiting'
			WHEN q.failure IS NOT NULL THEN 'failed'
			WHEN q.holder IS NOT NULL THEN 'claimed'
			WHEN q.waits THEN 'waiting'
			WHEN q.done THEN 'done'
			WHEN i.rejected IS NOT NULL THEN 'rejected'
			WHEN i.same_as IS NOT NULL THEN 'same'
			WHEN f.failure IS NOT NULL THEN 'failed'
			WHEN f.holder IS NOT NULL THEN 'fetching'
			WHEN f.image IS NOT NULL THEN 'to be fetched'
			ELSE 'not queued' END AS status,
		coalesce(q.failure, i.rejected, f.failure,
			CASE WHEN i.same_as IS NOT NULL AND q.image IS NULL
				THEN pg_catalog.concat('same bytes as image ', i.same_as)
				WHEN i.received_at IS NULL AND q.image IS NULL
				THEN 'not taken in: inserted while triggers were off'
				WHEN NOT q.waits OR q.holder IS NOT NULL THEN NULL
				WHEN w.state = 'stopped' OR (q.server = '' AND q.not_server = '') THEN w.reason
				ELSE @.llava_row_waits(q.queued, q.server, q.not_server) END) AS reason,
		coalesce(q.detail, i.rejected_detail, f.detail) AS detail,
		coalesce(q.attempts, f.attempts) AS attempts
	FROM @.llava_image i
	LEFT JOIN (
		SELECT coalesce(p.image, c.image) AS image, coalesce(p.task, c.task) AS task,
			p.failure, p.detail, p.holder, p.attempts, p.task AS queued, p.server, p.not_server,
			p.image IS NOT NULL AS waits, c.image IS NOT NULL AS done
		FROM @.llava_pending p
		FULL JOIN (SELECT image, task FROM @.llava_conversation
			UNION ALL SELECT image, task FROM @.llava_annotation) c ON c.image = p.image AND c.task = p.task
	) q ON q.image = i.id
	LEFT JOIN @.llava_waiting_tasks() w ON w.task = q.task
	LEFT JOIN @.llava_fetch f ON f.image = i.id;
COMMENT ON VIEW @.llava_status IS
	'one row an image and task: where it stands, and why';
COMMENT ON COLUMN @.llava_status.image IS 'the picture';
COMMENT ON COLUMN @.llava_status.path IS 'its path';
COMMENT ON COLUMN @.llava_status.task IS 'name of the task';
COMMENT ON COLUMN @.llava_status.status IS 'waiting, claimed, done, failed, skipped, same, cancelled, rejected, not queued';
COMMENT ON COLUMN @.llava_status.reason IS 'why';
COMMENT ON COLUMN @.llava_status.detail IS 'the same in words';
COMMENT ON COLUMN @.llava_status.attempts IS 'requests that counted';

CREATE VIEW @.llava_progress WITH (security_invoker = true) AS
	WITH RECURSIVE task AS (
		SELECT DISTINCT ON (name) name AS task, weight, after
		FROM @.llava_task ORDER BY name, version DESC),
	queued AS (
		SELECT task, pg_catalog.count(*) AS n
		FROM @.llava_pending WHERE failure IS NULL GROUP BY task),
	held AS (
		SELECT task, pg_catalog.count(*) AS n
		FROM @.llava_pending WHERE holder IS NOT NULL GROUP BY task),
	absent AS (
		SELECT task, pg_catalog.count(*) AS n
		FROM @.llava_pending WHERE failure = 'no_picture' GROUP BY task),
	same AS (
		SELECT task, pg_catalog.count(*) AS n
		FROM @.llava_pending WHERE failure = 'near_duplicate' GROUP BY task),
	failed AS (
		SELECT task, pg_catalog.count(*) AS n
		FROM @.llava_pending WHERE failure IS NOT NULL
			AND failure NOT IN ('near_duplicate', 'no_picture', 'cancelled', 'condition', 'condition_error') GROUP BY task),
	skipped AS (
		SELECT task, pg_catalog.count(*) AS n
		FROM @.llava_pending WHERE failure IN ('condition', 'condition_error') GROUP BY task),
	done AS (
		SELECT task, pg_catalog.count(*) AS n FROM @.llava_conversation GROUP BY task
		UNION ALL
		SELECT task, pg_catalog.count(*) FROM @.llava_annotation GROUP BY task),
	-- the rate is that since the first of them: what came with it was not made since
	fresh AS (
		SELECT task, pg_catalog.count(*) AS n, pg_catalog.count(*) FILTER (WHERE at > first)
			/ NULLIF(EXTRACT(epoch FROM pg_catalog.now() - first), 0) AS per_second
		FROM (SELECT task, at, pg_catalog.min(at) OVER (PARTITION BY task) AS first
			FROM (SELECT task, created_at AS at FROM @.llava_conversation
				WHERE created_at > pg_catalog.now() - '1 minute'::pg_catalog.interval
				UNION ALL
				SELECT task, at FROM @.llava_annotation
				WHERE at > pg_catalog.now() - '1 minute'::pg_catalog.interval) made) last_minute
		GROUP BY task, first),
	reply AS (
		SELECT task, pg_catalog.count(*) AS n, pg_catalog.count(reason) AS rejected
		FROM @.llava_reply GROUP BY task),
	interrupted AS (
		SELECT task, pg_catalog.count(*) AS n FROM @.llava_interrupted GROUP BY task),
	-- NULL where that is not counted; then held ones stand for them
	sent AS (
		SELECT task, @.llava_task_in_flight(task)::bigint AS n FROM task),
	-- a task and each that comes before it
	chain AS (
		SELECT task, weight, after AS gate FROM task WHERE after IS NOT NULL
		UNION
		SELECT chain.task, chain.weight, task.after FROM chain JOIN task ON task.task = chain.gate
		WHERE task.after IS NOT NULL),
	behind AS (
		SELECT chain.task, pg_catalog.count(DISTINCT p.image) AS n
		FROM chain JOIN @.llava_pending p ON p.task = chain.gate JOIN @.llava_image i ON i.id = p.image
		WHERE chain.weight = 0 OR i.task = chain.task GROUP BY chain.task),
	counted AS (
		SELECT task.task, weight,
			-- one whose row was deleted meanwhile is in flight all the same
			GREATEST(coalesce(queued.n, 0) - coalesce(sent.n, held.n, 0), 0)
				+ coalesce(absent.n, 0) AS waiting,
			coalesce(absent.n, 0) AS absent,
			coalesce(sent.n, held.n, 0) AS in_flight,
			coalesce(done.n, 0) AS done,
			coalesce(failed.n, 0) AS failed,
			coalesce(same.n, 0) AS same,
			coalesce(reply.n, 0) AS replies,
			coalesce(reply.rejected, 0) AS rejected,
			coalesce(interrupted.n, 0) AS interrupted,
			coalesce(fresh.n, 0) AS per_minute,
			coalesce(skipped.n, 0) AS skipped,
			CASE WHEN after IS NOT NULL THEN coalesce(behind.n, 0) END AS behind,
			fresh.per_second
		FROM task
		LEFT JOIN queued USING (task) LEFT JOIN held USING (task) LEFT JOIN absent USING (task)
		LEFT JOIN failed USING (task) LEFT JOIN same USING (task) LEFT JOIN skipped USING (task)
		LEFT JOIN done USING (task) LEFT JOIN fresh USING (task) LEFT JOIN reply USING (task)
		LEFT JOIN interrupted USING (task) LEFT JOIN sent USING (task)
		LEFT JOIN behind USING (task))
	SELECT task, waiting, in_flight, done, failed, replies, rejected, interrupted, per_minute,
		CASE WHEN per_second > 0 AND waits.task IS NULL THEN
			pg_catalog.make_interval(secs => pg_catalog.round((waiting + in_flight) / per_second))
		END AS eta,
		-- samples that it lacks beside the task that is furthest ahead of its share
		CASE WHEN weight > 0 THEN
			pg_catalog.ceil(pg_catalog.round(weight * pg_catalog.max(done::numeric / nullif(weight, 0))
				OVER (), 6))::bigint
			- done
		END AS shortfall,
		weight,
		-- why the worker does nothing, if a table cannot be trusted
		(SELECT pg_catalog.concat(u.object, ' ', u.reason, '. ', u.remedy)
			FROM @.llava_untrusted() u LIMIT 1) AS untrusted,
		-- pictures of whichever task that were inserted while triggers were off
		(SELECT pg_catalog.count(*) FROM @.llava_image i WHERE i.received_at IS NULL) AS not_taken_in,
		-- what must come before rows are claimed
		coalesce((SELECT @.llava_restoring()),
			CASE WHEN absent > 0 THEN pg_catalog.concat(absent, ' rows: their pictures are not in llava_image') END)
			AS waits_for,
		same,
		CASE WHEN waiting > 0 THEN coalesce(waits.state, 'active') END AS state,
		CASE WHEN waiting > 0 THEN waits.reason END AS reason,
		-- rows that rest since the condition of the task did not hold
		skipped,
		-- pictures that wait or rest at a task before it; NULL: it follows none
		behind
	FROM counted LEFT JOIN @.llava_waiting_tasks() waits USING (task)
	WHERE weight > 0 OR waiting + in_flight + done + failed + same + skipped + replies > 0
	ORDER BY weight DESC, task;
COMMENT ON VIEW @.llava_progress IS
	'one row a task: what waits, is in flight, is done, has failed, how fast, how long, how far from the mix';
COMMENT ON COLUMN @.llava_progress.task IS 'name of the task';
COMMENT ON COLUMN @.llava_progress.waiting IS 'rows of the queue that are not in flight';
COMMENT ON COLUMN @.llava_progress.in_flight IS 'sent and not answered; not preloaded: rows that are held';
COMMENT ON COLUMN @.llava_progress.done IS 'samples, and annotations of tasks of kind json';
COMMENT ON COLUMN @.llava_progress.failed IS 'rows that rest';
COMMENT ON COLUMN @.llava_progress.replies IS 'replies in the ledger';
COMMENT ON COLUMN @.llava_progress.rejected IS 'replies that are no sample';
COMMENT ON COLUMN @.llava_progress.interrupted IS 'calls whose worker ended before they did';
COMMENT ON COLUMN @.llava_progress.per_minute IS 'samples of the last minute';
COMMENT ON COLUMN @.llava_progress.eta IS 'time until nothing waits, at the rate of the last minute or since its first sample';
COMMENT ON COLUMN @.llava_progress.shortfall IS 'samples it lacks beside the task furthest ahead of its share';
COMMENT ON COLUMN @.llava_progress.weight IS 'share in the mix';
COMMENT ON COLUMN @.llava_progress.untrusted IS 'why the worker may do nothing (llava_untrusted)';
COMMENT ON COLUMN @.llava_progress.not_taken_in IS 'pictures of any task inserted while triggers were off';
COMMENT ON COLUMN @.llava_progress.waits_for IS 'a restore, or rows whose pictures have not come';
COMMENT ON COLUMN @.llava_progress.same IS 'rows of near copies, which are not asked about';
COMMENT ON COLUMN @.llava_progress.state IS
	'active, or why rows that wait are not sent: no server, paused, stopped; NULL: none waits';
COMMENT ON COLUMN @.llava_progress.reason IS 'the state in words, with what helps; NULL: active';
COMMENT ON COLUMN @.llava_progress.skipped IS 'rows that rest since the condition of the task did not hold';
COMMENT ON COLUMN @.llava_progress.behind IS 'its pictures that wait or rest at a task before it in the chain; NULL: follows none';

CREATE VIEW @.llava_stat_task WITH (security_invoker = true) AS
	SELECT r.task, r.task_version, r.server,
		pg_catalog.count(*) AS replies,
		pg_catalog.count(*) FILTER (WHERE r.reason IS NULL) AS accepted,
		pg_catalog.count(r.reason) AS rejected,
		pg_catalog.avg(r.prompt_tokens) AS mean_prompt_tokens,
		pg_catalog.avg(r.completion_tokens) AS mean_completion_tokens,
		pg_catalog.avg(r.image_tokens) AS mean_image_tokens,
		pg_catalog.min(r.text_tokens) AS min_text_tokens,
		pg_catalog.max(r.text_tokens) AS max_text_tokens,
		pg_catalog.percentile_cont(0.5) WITHIN GROUP (ORDER BY r.latency_ms) AS median_latency_ms,
		pg_catalog.round(pg_catalog.sum((r.measures ->> 'han')::bigint) FILTER (WHERE r.reason IS NULL)
			/ NULLIF(pg_catalog.sum((r.measures ->> 'all_letters')::bigint) FILTER (WHERE r.reason IS NULL), 0), 4) AS han_share,
		pg_catalog.round(pg_catalog.count(*) FILTER (WHERE r.reason IS NULL AND (r.measures ->> 'quoted_han')::integer > 0)
			/ NULLIF(pg_catalog.count(*) FILTER (WHERE r.reason IS NULL), 0)::numeric, 4) AS quoting_share,
		pg_catalog.sum(r.prompt_tokens)::bigint AS prompt_tokens,
		pg_catalog.sum(r.completion_tokens)::bigint AS completion_tokens,
		pg_catalog.sum(r.image_tokens)::bigint AS image_tokens,
		pg_catalog.sum(r.cost) AS cost,
		pg_catalog.count(*) FILTER (WHERE r.estimated) AS estimated
	FROM @.llava_reply r GROUP BY r.task, r.task_version, r.server;
COMMENT ON VIEW @.llava_stat_task IS
	'one row a task version and server: replies, verdicts, tokens, latency, share of Han and of quotations';
COMMENT ON COLUMN @.llava_stat_task.task IS 'name of the task';
COMMENT ON COLUMN @.llava_stat_task.task_version IS 'version of the task';
COMMENT ON COLUMN @.llava_stat_task.server IS 'server that answered';
COMMENT ON COLUMN @.llava_stat_task.replies IS 'replies in the ledger';
COMMENT ON COLUMN @.llava_stat_task.accepted IS 'replies that became samples';
COMMENT ON COLUMN @.llava_stat_task.rejected IS 'replies that are no sample';
COMMENT ON COLUMN @.llava_stat_task.mean_prompt_tokens IS 'mean of a reply';
COMMENT ON COLUMN @.llava_stat_task.mean_completion_tokens IS 'mean of a reply';
COMMENT ON COLUMN @.llava_stat_task.mean_image_tokens IS 'mean forecast for a picture';
COMMENT ON COLUMN @.llava_stat_task.min_text_tokens IS 'least text_tokens of a reply';
COMMENT ON COLUMN @.llava_stat_task.max_text_tokens IS 'most text_tokens of a reply';
COMMENT ON COLUMN @.llava_stat_task.median_latency_ms IS 'median latency';
COMMENT ON COLUMN @.llava_stat_task.han_share IS 'of the letters of accepted answers';
COMMENT ON COLUMN @.llava_stat_task.quoting_share IS 'of the accepted, those that quote Chinese words';
COMMENT ON COLUMN @.llava_stat_task.prompt_tokens IS 'sum of what replies said';
COMMENT ON COLUMN @.llava_stat_task.completion_tokens IS 'sum of what replies said';
COMMENT ON COLUMN @.llava_stat_task.image_tokens IS 'sum of the forecasts for pictures';
COMMENT ON COLUMN @.llava_stat_task.cost IS 'sum of the replies; NULL: all were settled by 1.0.0';
COMMENT ON COLUMN @.llava_stat_task.estimated IS 'replies in cost that count as forecast';

CREATE VIEW @.llava_stat_day WITH (security_invoker = true) AS
	SELECT r.received_at::date AS day, r.server,
		pg_catalog.count(*) AS replies,
		pg_catalog.count(*) FILTER (WHERE r.reason IS NULL) AS accepted,
		pg_catalog.count(r.reason) AS rejected,
		pg_catalog.sum(r.prompt_tokens)::bigint AS prompt_tokens,
		pg_catalog.sum(r.completion_tokens)::bigint AS completion_tokens,
		pg_catalog.sum(r.cost) AS cost,
		pg_catalog.count(*) FILTER (WHERE r.estimated) AS estimated
	FROM @.llava_reply r GROUP BY r.received_at::date, r.server;
COMMENT ON VIEW @.llava_stat_day IS
	'one row a day and server: replies, tokens and what they have cost';
COMMENT ON COLUMN @.llava_stat_day.day IS 'day of arrival, in the time zone of the session';
COMMENT ON COLUMN @.llava_stat_day.server IS 'server that answered';
COMMENT ON COLUMN @.llava_stat_day.replies IS 'replies in the ledger';
COMMENT ON COLUMN @.llava_stat_day.accepted IS 'replies that became samples';
COMMENT ON COLUMN @.llava_stat_day.rejected IS 'replies that are no sample';
COMMENT ON COLUMN @.llava_stat_day.prompt_tokens IS 'sum of what replies said';
COMMENT ON COLUMN @.llava_stat_day.completion_tokens IS 'sum of what replies said';
COMMENT ON COLUMN @.llava_stat_day.cost IS 'sum of the replies; NULL: all were settled by 1.0.0';
COMMENT ON COLUMN @.llava_stat_day.estimated IS 'replies in cost that count as forecast';

CREATE VIEW @.llava_stat_reason WITH (security_invoker = true) AS
	SELECT 'image' AS kind, NULL::text AS task, i.rejected AS reason, pg_catalog.count(*) AS count
	FROM @.llava_image i WHERE i.rejected IS NOT NULL GROUP BY i.rejected
	UNION ALL
	SELECT 'reply', r.task, r.reason, pg_catalog.count(*)
	FROM @.llava_reply r WHERE r.reason IS NOT NULL GROUP BY r.task, r.reason
	UNION ALL
	SELECT CASE WHEN p.failure = 'near_duplicate' THEN 'same'
			WHEN p.failure = 'cancelled' THEN 'cancelled'
			WHEN p.failure IN ('condition', 'condition_error') THEN 'skipped'
			WHEN p.failure = 'no_picture' THEN 'waiting'
			ELSE 'failed' END, p.task, p.failure,
		pg_catalog.count(*)
	FROM @.llava_pending p WHERE p.failure IS NOT NULL GROUP BY p.task, p.failure;
COMMENT ON VIEW @.llava_stat_reason IS
	'why pictures were not asked about, replies not accepted, rows failed; with counts';
COMMENT ON COLUMN @.llava_stat_reason.kind IS 'image, reply, or of a row of the queue: failed, skipped, same, cancelled, waiting';
COMMENT ON COLUMN @.llava_stat_reason.task IS 'name of the task; NULL: of a picture';
COMMENT ON COLUMN @.llava_stat_reason.reason IS 'the reason';
COMMENT ON COLUMN @.llava_stat_reason.count IS 'how often';

CREATE VIEW @.llava_stat_rounds WITH (security_invoker = true) AS
	SELECT c.task, c.task_version, r.server, c.rounds, pg_catalog.count(*) AS count
	FROM @.llava_conversation c
	LEFT JOIN @.llava_reply r ON r.image = c.image AND r.id = c.reply
	GROUP BY c.task, c.task_version, r.server, c.rounds;
COMMENT ON VIEW @.llava_stat_rounds IS 'how many rounds the samples have';
COMMENT ON COLUMN @.llava_stat_rounds.task IS 'name of the task';
COMMENT ON COLUMN @.llava_stat_rounds.task_version IS 'version of the task';
COMMENT ON COLUMN @.llava_stat_rounds.server IS 'server that answered';
COMMENT ON COLUMN @.llava_stat_rounds.rounds IS 'number of rounds';
COMMENT ON COLUMN @.llava_stat_rounds.count IS 'samples with this number of rounds';

CREATE VIEW @.llava_stat_verdict WITH (security_invoker = true) AS
	SELECT r.task, r.task_version, r.server, COALESCE(r.reason, 'accepted') AS verdict,
		pg_catalog.count(*) AS count,
		pg_catalog.round(pg_catalog.count(*)
			/ pg_catalog.sum(pg_catalog.count(*)) OVER (PARTITION BY r.task, r.task_version, r.server), 4) AS share
	FROM @.llava_reply r GROUP BY r.task, r.task_version, r.server, r.reason;
COMMENT ON VIEW @.llava_stat_verdict IS
	'what became of the replies of a task version and server: accepted, or why not';
COMMENT ON COLUMN @.llava_stat_verdict.task IS 'name of the task';
COMMENT ON COLUMN @.llava_stat_verdict.task_version IS 'version of the task';
COMMENT ON COLUMN @.llava_stat_verdict.server IS 'server that answered';
COMMENT ON COLUMN @.llava_stat_verdict.verdict IS 'accepted, or the reason';
COMMENT ON COLUMN @.llava_stat_verdict.count IS 'replies with it';
COMMENT ON COLUMN @.llava_stat_verdict.share IS 'of all replies of the task version and server';

CREATE VIEW @.llava_stat_flag WITH (security_invoker = true) AS
	SELECT r.task, r.task_version, r.server, f.flag, pg_catalog.count(*) AS count,
		pg_catalog.round(pg_catalog.count(*)::numeric / pg_catalog.max(a.accepted), 4) AS share
	FROM @.llava_reply r CROSS JOIN LATERAL pg_catalog.unnest(r.flags) AS f (flag)
	JOIN @.llava_stat_task a USING (task, task_version, server)
	WHERE r.reason IS NULL GROUP BY r.task, r.task_version, r.server, f.flag;
COMMENT ON VIEW @.llava_stat_flag IS
	'how many accepted replies of a task version and server have a flag, and their share';
COMMENT ON COLUMN @.llava_stat_flag.task IS 'name of the task';
COMMENT ON COLUMN @.llava_stat_flag.task_version IS 'version of the task';
COMMENT ON COLUMN @.llava_stat_flag.server IS 'server that answered';
COMMENT ON COLUMN @.llava_stat_flag.flag IS 'the flag';
COMMENT ON COLUMN @.llava_stat_flag.count IS 'accepted replies with it';
COMMENT ON COLUMN @.llava_stat_flag.share IS 'of all accepted replies of the task version and server';

CREATE VIEW @.llava_stat_length WITH (security_invoker = true) AS
	SELECT t.task, t.task_version, t.server, t.speaker, pg_catalog.count(*) AS turns,
		pg_catalog.percentile_disc(0.05) WITHIN GROUP (ORDER BY t.chars) AS p5,
		pg_catalog.percentile_disc(0.5) WITHIN GROUP (ORDER BY t.chars) AS median,
		pg_catalog.percentile_disc(0.95) WITHIN GROUP (ORDER BY t.chars) AS p95,
		pg_catalog.max(t.chars) AS longest
	FROM (SELECT task, task_version, server, speaker, pg_catalog.length(value) AS chars
		FROM @.llava_turn) t
	GROUP BY t.task, t.task_version, t.server, t.speaker;
COMMENT ON VIEW @.llava_stat_length IS
	'how long questions (human) and answers (gpt) are, in characters';
COMMENT ON COLUMN @.llava_stat_length.task IS 'name of the task';
COMMENT ON COLUMN @.llava_stat_length.task_version IS 'version of the task';
COMMENT ON COLUMN @.llava_stat_length.server IS 'server that answered';
COMMENT ON COLUMN @.llava_stat_length.speaker IS 'human (questions) or gpt (answers)';
COMMENT ON COLUMN @.llava_stat_length.turns IS 'number of turns';
COMMENT ON COLUMN @.llava_stat_length.p5 IS '5th percentile of their characters';
COMMENT ON COLUMN @.llava_stat_length.median IS 'median of their characters';
COMMENT ON COLUMN @.llava_stat_length.p95 IS '95th percentile of their characters';
COMMENT ON COLUMN @.llava_stat_length.longest IS 'characters of the longest';

-- seven: the commonest openings of Chinese descriptions ("this picture shows") have as many
CREATE VIEW @.llava_stat_opening WITH (security_invoker = true) AS
	SELECT o.task, o.task_version, o.speaker, o.opening, o.count,
		pg_catalog.round(o.count / o.turns, 4) AS share
	FROM (SELECT t.task, t.task_version, t.speaker, pg_catalog.left(t.value, 7) AS opening,
			pg_catalog.count(*) AS count,
			pg_catalog.sum(pg_catalog.count(*)) OVER (PARTITION BY t.task, t.task_version, t.speaker) AS turns
		FROM @.llava_turn t
		GROUP BY t.task, t.task_version, t.speaker, pg_catalog.left(t.value, 7)) o
	WHERE o.count > 1;
COMMENT ON VIEW @.llava_stat_opening IS
	'first seven characters that several questions or answers of a task version share';
COMMENT ON COLUMN @.llava_stat_opening.task IS 'name of the task';
COMMENT ON COLUMN @.llava_stat_opening.task_version IS 'version of the task';
COMMENT ON COLUMN @.llava_stat_opening.speaker IS 'human or gpt';
COMMENT ON COLUMN @.llava_stat_opening.opening IS 'first seven characters';
COMMENT ON COLUMN @.llava_stat_opening.count IS 'turns that begin so';
COMMENT ON COLUMN @.llava_stat_opening.share IS 'of the turns of this speaker';

CREATE VIEW @.llava_stat_repeat WITH (security_invoker = true) AS
	SELECT g.task, g.task_version, g.count, g.image AS first_image, a.value AS answer
	FROM (SELECT t.task, t.task_version, pg_catalog.md5(t.value) AS digest,
			pg_catalog.count(*) AS count, pg_catalog.min(t.image) AS image
		FROM @.llava_turn t WHERE t.speaker = 'gpt'
		GROUP BY t.task, t.task_version, pg_catalog.md5(t.value) HAVING pg_catalog.count(*) > 1) g
	CROSS JOIN LATERAL (SELECT t.value FROM @.llava_turn t
		WHERE t.image = g.image AND t.task = g.task AND t.speaker = 'gpt'
			AND pg_catalog.md5(t.value) = g.digest LIMIT 1) a;
COMMENT ON VIEW @.llava_stat_repeat IS
	'answers that stand word for word in more than one place, with counts';
COMMENT ON COLUMN @.llava_stat_repeat.task IS 'name of the task';
COMMENT ON COLUMN @.llava_stat_repeat.task_version IS 'version of the task';
COMMENT ON COLUMN @.llava_stat_repeat.count IS 'how often the answer stands';
COMMENT ON COLUMN @.llava_stat_repeat.first_image IS 'first picture that has it';
COMMENT ON COLUMN @.llava_stat_repeat.answer IS 'the answer';

CREATE FUNCTION @.llava_work_counters(OUT pid integer, OUT what text, OUT done bigint,
	OUT total bigint, OUT per_second float8)
	RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 1
	AS 'MODULE_PATHNAME';
REVOKE ALL ON FUNCTION @.llava_work_counters() FROM PUBLIC;
COMMENT ON FUNCTION @.llava_work_counters() IS 'how far the long calls in this database are';

CREATE VIEW @.llava_work WITH (security_invoker = true) AS
	SELECT w.pid, w.what, w.done, w.total, pg_catalog.round(w.per_second::numeric, 1) AS per_second,
		CASE WHEN w.per_second > 0 AND w.total >= w.done THEN
			pg_catalog.make_interval(secs => pg_catalog.round((w.total - w.done) / w.per_second::numeric))
		END AS eta
	FROM @.llava_work_counters() w;
COMMENT ON VIEW @.llava_work IS
	'one row a long call of this database, where preloaded: how far it is, how fast, how long';
COMMENT ON COLUMN @.llava_work.pid IS 'process that makes the call';
COMMENT ON COLUMN @.llava_work.what IS 'function that was called';
COMMENT ON COLUMN @.llava_work.done IS 'files, replies, samples or images that are done';
COMMENT ON COLUMN @.llava_work.total IS 'how many there are; NULL: not known before the end';
COMMENT ON COLUMN @.llava_work.per_second IS 'rate of the last minute';
COMMENT ON COLUMN @.llava_work.eta IS 'time that is left, at that rate';
