--
-- The report of a run: plots and tables; its HTML is in src/pg/export/report.template
--

CREATE FUNCTION @.llava_chart(kind text, title text, note text, heading text, labels text[], series text[],
	at_label text[], at_series text[], "values" double precision[]) RETURNS text
	LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_chart(text, text, text, text, text[], text[], text[], text[], double precision[]) IS
	'a plot of the report, and the table below it';

CREATE FUNCTION @.llava_report_step(days integer) RETURNS interval
	LANGUAGE c STRICT IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @.llava_report_step(integer) IS
	'how long a column of the report''s plots over time is';

CREATE FUNCTION @.llava_report_bins(since timestamptz, step interval, OUT bin timestamp, OUT label text)
	RETURNS SETOF record LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT b, to_char(b, CASE WHEN step < interval '1 day' THEN 'MM-DD HH24:MI' ELSE 'YYYY-MM-DD' END)
	FROM generate_series(date_bin(step, since::timestamp, '2000-01-03'), now()::timestamp, step) AS b;
END;
COMMENT ON FUNCTION @.llava_report_bins(timestamptz, interval) IS 'the columns of the report''s plots over time';

CREATE FUNCTION @.llava_report_figure(zh text, en text, note text, kind text, heading text, labels text[],
	series text[], at_label text[], at_series text[], "values" double precision[]) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @.llava_template('report_figure', jsonb_build_object('zh', zh, 'en', en,
		'chart', @.llava_chart(kind, concat(zh, ' ', en), note, heading, labels, series, at_label, at_series, "values")));
END;
COMMENT ON FUNCTION @.llava_report_figure(text, text, text, text, text, text[], text[], text[], text[], double precision[]) IS
	'a plot of the report with its title';

CREATE FUNCTION @.llava_report_sum(label text, value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT @.llava_template('report_sum', jsonb_build_object('label', label, 'value', value));
END;
COMMENT ON FUNCTION @.llava_report_sum(text, text) IS 'a number at the head of the report';

-- llava_conversation is read once.
CREATE FUNCTION @.llava_report_samples(since timestamptz, step interval, OUT sums text, OUT figures text)
	RETURNS record LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH bin AS (SELECT b.bin, b.label FROM @.llava_report_bins(since, step) AS b),
	made AS MATERIALIZED (
		SELECT date_bin(step, c.created_at::timestamp, '2000-01-03') AS bin, c.task, c.rounds, c.keep, count(*) AS n
		FROM @.llava_conversation c WHERE c.created_at >= since
		GROUP BY date_bin(step, c.created_at::timestamp, '2000-01-03'), c.task, c.rounds, c.keep),
	task AS (
		SELECT made.task, sum(made.n) AS n, coalesce(sum(made.n) FILTER (WHERE made.keep IS NOT NULL), 0) AS looked
		FROM made GROUP BY made.task),
	named AS (SELECT array_agg(task.task ORDER BY task.n DESC, task.task) AS tasks FROM task),
	hourly AS (
		SELECT array_agg(bin.label) AS label, array_agg(made.task::text) AS task, array_agg(made.n::double precision) AS n
		FROM made JOIN bin ON bin.bin = made.bin),
	rounds AS (
		SELECT array_agg(CASE WHEN made.rounds < 20 THEN made.rounds::text ELSE '≥ 20' END) AS label,
			array_agg(made.task::text) AS task, array_agg(made.n::double precision) AS n FROM made),
	looked AS (
		SELECT task.task, format('%s · 看过 looked at %s / %s', task.task,
			to_char(task.looked, 'FM999,999,999,990'), to_char(task.n, 'FM999,999,999,990')) AS label,
			row_number() OVER (ORDER BY task.looked DESC, task.task) AS nth
		FROM task WHERE task.looked > 0 ORDER BY task.looked DESC, task.task LIMIT 12),
	judged AS (
		SELECT array_agg(looked.label) AS label, array_agg(CASE WHEN made.keep THEN '保留 Good' ELSE '弃用 Bad' END) AS keep,
			array_agg(made.n::double precision) AS n
		FROM made JOIN looked ON looked.task = made.task WHERE made.keep IS NOT NULL)
	SELECT @.llava_report_sum('样本 Samples', to_char(coalesce((SELECT sum(task.n) FROM task), 0), 'FM999,999,999,990')),
		concat(
		@.llava_report_figure('新增样本', 'New samples', '按样本入库的时间，分任务。By the time at which they were stored, by task.',
			'columns', '时间 Time', (SELECT array_agg(bin.label ORDER BY bin.bin) FROM bin), named.tasks,
			hourly.label, hourly.task, hourly.n),
		@.llava_report_figure('轮数', 'Rounds', '每条样本的问答对数，分任务。Pairs of question and answer of a sample, by task.',
			'columns', '轮数 Rounds', (SELECT array_agg(r.label ORDER BY r.n) FROM (
				SELECT CASE WHEN g < 20 THEN g::text ELSE '≥ 20' END AS label, g AS n
				FROM generate_series((SELECT least(1, min(made.rounds)) FROM made),
					(SELECT greatest(5, least(20, max(made.rounds))) FROM made)) AS g) AS r),
			named.tasks, rounds.label, rounds.task, rounds.n),
		@.llava_report_figure('人工判定', 'Judged by people',
			'llava_conversation.keep；没有看过的不在图中。Those that nobody looked at are not in the plot.',
			'bars', '任务 Task', (SELECT array_agg(looked.label ORDER BY looked.nth) FROM looked), ARRAY['保留 Good', '弃用 Bad'],
			judged.label, judged.keep, judged.n))
	FROM named, hourly, rounds, judged;
END;
COMMENT ON FUNCTION @.llava_report_samples(timestamptz, interval) IS 'the report''s plots of samples';

-- What the report needs of each reply.
CREATE FUNCTION @.llava_report_ledger(since timestamptz, step interval, OUT bin timestamp, OUT task text, OUT server text,
	OUT reason text, OUT latency_ms bigint, OUT cost double precision, OUT chars integer, OUT han integer,
	OUT letters integer)
	RETURNS SETOF record LANGUAGE sql STABLE PARALLEL SAFE ROWS 100000
BEGIN ATOMIC
	SELECT date_bin(step, r.received_at::timestamp, '2000-01-03'), r.task, r.server, r.reason, r.latency_ms, r.cost,
		CASE WHEN r.reason IS NULL THEN (r.measures ->> 'chars')::integer END,
		CASE WHEN r.reason IS NULL THEN (r.measures ->> 'han')::integer END,
		CASE WHEN r.reason IS NULL THEN (r.measures ->> 'all_letters')::integer END
	FROM @.llava_reply r WHERE r.received_at >= since;
END;
COMMENT ON FUNCTION @.llava_report_ledger(timestamptz, interval) IS 'what the report needs of each reply';

-- The ledger is read once, and what is needed of it kept beside.
CREATE FUNCTION @.llava_report_replies(since timestamptz, step interval, OUT sums text, OUT figures text)
	RETURNS record LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH bin AS (SELECT b.bin, b.label FROM @.llava_report_bins(since, step) AS b),
	bins AS (SELECT array_agg(bin.label ORDER BY bin.bin) AS labels FROM bin),
	reply AS MATERIALIZED (SELECT * FROM @.llava_report_ledger(since, step)),
	hourly AS MATERIALIZED (
		SELECT reply.bin, reply.server, coalesce(reply.reason, 'accepted') AS verdict, count(*) AS n, sum(reply.cost) AS cost
		FROM reply GROUP BY reply.bin, reply.server, coalesce(reply.reason, 'accepted')),
	verdict AS (
		SELECT array_agg(v.verdict ORDER BY v.verdict <> 'accepted', v.n DESC, v.verdict COLLATE "C") AS names
		FROM (SELECT hourly.verdict, sum(hourly.n) AS n FROM hourly GROUP BY hourly.verdict) AS v),
	-- the sixth and those behind it share a plot
	server AS (
		SELECT s.server, least(s.nth, 6) AS nth, s.n, count(*) OVER (PARTITION BY least(s.nth, 6)) AS sharing
		FROM (SELECT hourly.server, sum(hourly.n) AS n,
				row_number() OVER (ORDER BY sum(hourly.n) DESC, hourly.server COLLATE "C") AS nth
			FROM hourly GROUP BY hourly.server) AS s),
	verdicts AS (
		SELECT server.nth, min(CASE WHEN server.sharing > 1 THEN '其他服务器 other servers' ELSE server.server END) AS name,
			array_agg(bin.label) AS label, array_agg(hourly.verdict) AS verdict, array_agg(hourly.n::double precision) AS n
		FROM hourly JOIN server ON server.server = hourly.server JOIN bin ON bin.bin = hourly.bin
		GROUP BY server.nth),
	cost AS (
		SELECT array_agg(bin.label) AS label, array_agg(hourly.server) AS server, array_agg(hourly.cost) AS cost
		FROM hourly JOIN bin ON bin.bin = hourly.bin),
	latency AS (
		SELECT array_agg(bin.label) AS label, array_agg(p.of) AS of, array_agg(l.ms[p.n]::double precision / 1000) AS seconds
		FROM (SELECT reply.bin,
				percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY reply.latency_ms) AS ms
			FROM reply WHERE reply.latency_ms IS NOT NULL GROUP BY reply.bin) AS l
		JOIN bin ON bin.bin = l.bin
		CROSS JOIN (VALUES (1, '中位数 Median'), (2, '95 % 以内 95th percentile')) AS p (n, of)),
	-- characters by fives, and by how much of the letters is Chinese
	said AS MATERIALIZED (
		SELECT reply.task, reply.chars / 5 * 5 AS chars, width_bucket(100.0::double precision * reply.han / nullif(reply.letters, 0),
				ARRAY[50, 80, 90, 95, 98, 100]::double precision[]) AS class,
			count(*) AS n, sum(reply.han) AS han, sum(reply.letters) AS letters
		FROM reply WHERE reply.reason IS NULL AND reply.chars IS NOT NULL
			AND reply.task NOT IN (SELECT t.name FROM @.llava_task t WHERE t.kind = 'json')
		GROUP BY reply.task, reply.chars / 5, 3),
	length AS (
		SELECT said.task, said.chars, sum(said.n) AS n,
			sum(sum(said.n)) OVER (PARTITION BY said.task ORDER BY said.chars) AS up_to,
			sum(sum(said.n)) OVER (PARTITION BY said.task) AS total
		FROM said GROUP BY said.task, said.chars),
	quantile AS (
		SELECT length.task, format('%s · p5 %s · p50 %s · p95 %s', length.task,
				min(length.chars) FILTER (WHERE length.up_to >= 0.05 * length.total),
				min(length.chars) FILTER (WHERE length.up_to >= 0.50 * length.total),
				min(length.chars) FILTER (WHERE length.up_to >= 0.95 * length.total)) AS name,
			max(length.total) AS n, min(length.chars) FILTER (WHERE length.up_to >= 0.99 * length.total) AS most
		FROM length GROUP BY length.task),
	-- forty classes or fewer up to where nearly all are
	width AS (
		SELECT coalesce(min(w.w), 100000) AS width, coalesce(max(q.most), 0) AS most
		FROM (SELECT max(quantile.most) AS most FROM quantile) AS q
		LEFT JOIN unnest(ARRAY[5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10000]) AS w (w) ON q.most <= 40 * w.w),
	lengths AS (
		SELECT array_agg((least(length.chars, width.most) / width.width * width.width)::text) AS label,
			array_agg(quantile.name) AS name, array_agg(length.n::double precision) AS n
		FROM length JOIN quantile ON quantile.task = length.task CROSS JOIN width),
	chinese AS (
		SELECT said.task, said.n, format('%s · 平均 mean %s %%', said.task, round(100.0 * sum(said.han) OVER w
				/ nullif(sum(said.letters) OVER w, 0), 1)) AS name,
			(ARRAY['0–50 %', '50–80 %', '80–90 %', '90–95 %', '95–98 %', '98–100 %', '100 %'])[1 + said.class] AS label
		FROM said WHERE said.class IS NOT NULL WINDOW w AS (PARTITION BY said.task)),
	shares AS (
		SELECT array_agg(chinese.label) AS label, array_agg(chinese.name) AS name,
			array_agg(chinese.n::double precision) AS n FROM chinese),
	total AS (
		SELECT coalesce(sum(hourly.n), 0) AS replies, coalesce(sum(hourly.n) FILTER (WHERE hourly.verdict = 'accepted'), 0) AS accepted,
			coalesce(sum(hourly.cost), 0) AS cost FROM hourly),
	priced AS (
		SELECT total.cost > 0 OR EXISTS (SELECT FROM pg_foreign_server s
			JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw AND w.fdwname = 'llava_zh',
			LATERAL pg_options_to_table(s.srvoptions) AS o
			WHERE o.option_name IN ('input_price', 'output_price')) AS is FROM total)
	SELECT concat(
		@.llava_report_sum('回复 Replies', to_char(total.replies, 'FM999,999,999,990')),
		@.llava_report_sum('采用率 Accepted', concat(coalesce(round(100.0 * total.accepted / nullif(total.replies, 0), 1)::text, '–'), ' %')),
		@.llava_report_sum('花费 Cost', CASE WHEN priced.is THEN to_char(total.cost, 'FM999,999,999,990.00')
			ELSE '未设单价 No prices' END)),
		concat(
		CASE WHEN priced.is THEN @.llava_report_figure('花费', 'Cost', '结算时按服务器的价格算出，分服务器。By the servers'' prices when the replies were settled, by server.',
			'columns', '时间 Time', bins.labels,
			(SELECT array_agg(server.server ORDER BY server.n DESC, server.server COLLATE "C") FROM server), cost.label, cost.server, cost.cost)
			ELSE @.llava_template('report_unpriced', '{}') END,
		(SELECT string_agg(@.llava_report_figure(concat('回复与判定：', v.name), 'Replies and verdicts',
				'按收到的时间；accepted 为采用，其余为未采用的原因。By arrival; what is not accepted is a reason of the reference.',
				'columns', '时间 Time', bins.labels, verdict.names, v.label, v.verdict, v.n), '' ORDER BY v.nth)
			FROM verdicts AS v),
		@.llava_report_figure('延迟', 'Latency', '从发送到收完最后一个字节，单位秒。Seconds from sending to the last byte.',
			'lines', '时间 Time', bins.labels, ARRAY['95 % 以内 95th percentile', '中位数 Median'],
			latency.label, latency.of, latency.seconds),
		@.llava_report_figure('回复长度', 'Lengths of replies', format(
			'采用的回复的字数，取自 llava_reply.measures 的 chars，每 %s 字一档，最后一档含更长的。'
			'Characters of accepted replies, from chars of llava_reply.measures, in classes of %s; the last has all longer ones.',
				width.width, width.width),
			'lines', '字数（起） Characters, from',
			(SELECT array_agg(c::text ORDER BY c) FROM generate_series(0, width.most, width.width) AS c),
			(SELECT array_agg(quantile.name ORDER BY quantile.n DESC, quantile.name COLLATE "C") FROM quantile),
			lengths.label, lengths.name, lengths.n),
		@.llava_report_figure('中文比例', 'Share of Chinese',
			'采用的回复中汉字占字母的比例（han / all_letters，取自 llava_reply.measures）。'
			'Han among the letters of accepted replies (han / all_letters of llava_reply.measures).',
			'columns', '比例 Share', ARRAY['0–50 %', '50–80 %', '80–90 %', '90–95 %', '95–98 %', '98–100 %', '100 %'],
			(SELECT array_agg(c.name ORDER BY c.n DESC, c.name COLLATE "C") FROM (
				SELECT chinese.name, sum(chinese.n) AS n FROM chinese GROUP BY chinese.name) AS c),
			shares.label, shares.name, shares.n))
	FROM bins, verdict, cost, latency, lengths, shares, total, width, priced;
END;
COMMENT ON FUNCTION @.llava_report_replies(timestamptz, interval) IS 'the report''s plots of replies';

-- What no reply tells of is counted by server and not by time.
CREATE FUNCTION @.llava_report_requests() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH server AS (
		SELECT u.server, u.requests, u.accepted, u.replies - u.accepted AS rejected, greatest(u.requests - u.replies, 0) AS unanswered
		FROM @.llava_usage u WHERE u.requests > 0 ORDER BY u.requests DESC, u.server COLLATE "C" LIMIT 12),
	cell AS (
		SELECT server.server, c.kind, c.n::double precision AS n FROM server
		CROSS JOIN LATERAL (VALUES ('采用 Accepted', server.accepted), ('未采用 Not accepted', server.rejected),
			('没有回复 No answer', server.unanswered)) AS c (kind, n)),
	cells AS (SELECT array_agg(cell.server) AS label, array_agg(cell.kind) AS kind, array_agg(cell.n) AS n FROM cell)
	SELECT @.llava_report_figure('全部请求', 'All requests',
		'自开始以来，不限上面的天数，取自 llava_usage；没有回复的请求只有总数。'
		'Since the beginning, whatever the days above, from llava_usage; requests without an answer are known as totals only.',
		'bars', '服务器 Server', (SELECT array_agg(server.server ORDER BY server.requests DESC, server.server COLLATE "C") FROM server),
		ARRAY['采用 Accepted', '未采用 Not accepted', '没有回复 No answer'], cells.label, cells.kind, cells.n)
	FROM cells;
END;
COMMENT ON FUNCTION @.llava_report_requests() IS 'the report''s plot of all requests';

CREATE FUNCTION @.llava_report_pictures(OUT sums text, OUT figures text) RETURNS record LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH picture AS MATERIALIZED (
		SELECT width_bucket(i.width::double precision * i.height / 1000000,
				ARRAY[0.1, 0.25, 0.5, 1, 2, 4, 8, 16]::double precision[]) AS size,
			width_bucket(CASE WHEN i.orientation >= 5 THEN i.height::double precision / i.width
				ELSE i.width::double precision / i.height END,
				ARRAY[0.3333, 0.5, 0.7, 0.98, 1.02, 1.4, 2, 3]::double precision[]) AS ratio, count(*) AS n
		FROM @.llava_image i WHERE i.width > 0 AND i.height > 0 GROUP BY 1, 2),
	cells AS (
		SELECT array_agg((ARRAY['≤0.1', '0.1–0.25', '0.25–0.5', '0.5–1', '1–2', '2–4', '4–8', '8–16', '≥16'])[1 + picture.size]) AS size,
			array_agg((ARRAY['≤1:3', '1:3–1:2', '1:2–7:10', '7:10–1:1', '1:1', '1:1–7:5', '7:5–2:1', '2:1–3:1', '≥3:1'])[1 + picture.ratio]) AS ratio,
			array_agg('图片 Pictures'::text) AS pictures, array_agg(picture.n::double precision) AS n FROM picture)
	SELECT @.llava_report_sum('图片 Pictures', to_char(coalesce((SELECT sum(picture.n) FROM picture), 0), 'FM999,999,999,990')),
		concat(
		@.llava_report_figure('图片大小', 'Sizes of pictures', '库中全部图片，单位百万像素。All pictures there are, in megapixels.',
			'columns', '百万像素 Megapixels', ARRAY['≤0.1', '0.1–0.25', '0.25–0.5', '0.5–1', '1–2', '2–4', '4–8', '8–16', '≥16'],
			ARRAY['图片 Pictures'], cells.size, cells.pictures, cells.n),
		@.llava_report_figure('图片宽高比', 'Ratios of pictures',
			'库中全部图片，宽比高，已按 EXIF 转正。All pictures there are, width to height, upright as EXIF says.',
			'columns', '宽高比 Ratio',
			ARRAY['≤1:3', '1:3–1:2', '1:2–7:10', '7:10–1:1', '1:1', '1:1–7:5', '7:5–2:1', '2:1–3:1', '≥3:1'],
			ARRAY['图片 Pictures'], cells.ratio, cells.pictures, cells.n))
	FROM cells;
END;
COMMENT ON FUNCTION @.llava_report_pictures() IS 'the report''s plots of pictures';

CREATE FUNCTION @.llava_report(days integer DEFAULT 7) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH span AS (
		SELECT d.days, d.step, now() - make_interval(days => d.days) AS since, extract(epoch FROM d.step)::integer / 3600 AS hours
		FROM (SELECT n.days, @.llava_report_step(n.days) AS step FROM (SELECT coalesce(llava_report.days, 7) AS days) AS n) AS d)
	SELECT @.llava_template('report', jsonb_build_object('days', span.days,
		'since', to_char(span.since, 'YYYY-MM-DD HH24:MI'), 'until', to_char(now(), 'YYYY-MM-DD HH24:MI'),
		'bins', @.llava_template('report_bins', CASE
			WHEN span.step < interval '1 day' THEN jsonb_build_object('zh', concat(span.hours, ' 小时'), 'en', concat(span.hours, ' h'))
			ELSE jsonb_build_object('zh', concat(span.hours / 24, ' 天'), 'en', concat(span.hours / 24, ' d')) END),
		'extension', (SELECT extversion FROM pg_extension WHERE extname = 'llava_zh'),
		'sums', concat(samples.sums, replies.sums, pictures.sums),
		'figures', concat(samples.figures, replies.figures, @.llava_report_requests(), pictures.figures)))
	FROM span, @.llava_report_samples(span.since, span.step) AS samples,
		@.llava_report_replies(span.since, span.step) AS replies, @.llava_report_pictures() AS pictures;
END;
REVOKE ALL ON FUNCTION @.llava_report(integer) FROM PUBLIC;
COMMENT ON FUNCTION @.llava_report(integer) IS
	'one HTML page of the last days: plots and tables of samples, cost, replies, latency, lengths and pictures';
