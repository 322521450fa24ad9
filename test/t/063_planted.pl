# A role that may create objects in the schemas adds, for every function of the extension,
# others of the same name that would fit some call better or make it ambiguous, and
# operators and casts.  None of them ever runs, whatever a superuser does.
use strict;
use warnings;
use lib 'test/perl';
use IPC::Run;
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $folder = PostgreSQL::Test::Utils::tempdir;
my $node = LlavaZh::Cluster->new('planted', conf => "llava_zh.image_directory = '$folder'\n");
my $url = $endpoint->url;

sub sql { return $node->safe_psql('postgres', "SET client_min_messages = error; SET search_path = llava, public; $_[0]"); }

# Noise in squares, by its number; the second argument is the grey of one corner.
sub noise
{
	my ($seed, $corner) = @_;
	my @grey = map { $seed = ($seed * 1103515245 + 12345) % 2**31; chr(20 + ($seed >> 16) % 200) } 1 .. 256;
	my @rows = map { my $y = $_ >> 4; join '', map { $_ x 16 } @grey[ 16 * $y .. 16 * $y + 15 ] } 0 .. 255;
	substr($rows[0], 0, 1, chr($corner)) if defined $corner;
	return LlavaZh::Cluster::grey_png(@rows);
}

sub noise_sql
{
	my ($path, @noise) = @_;
	return "INSERT INTO llava.llava_image (path, image) VALUES ('$path', pg_catalog.decode('" . unpack('H*', noise(@noise)) . "', 'hex'));\n";
}

# ---- samples, and a superuser's calls, bound before anything is planted ----

sql("DROP EXTENSION llava_zh CASCADE; CREATE SCHEMA llava; CREATE EXTENSION llava_zh SCHEMA llava;
	CREATE SERVER sim FOREIGN DATA WRAPPER llava_zh OPTIONS (url '$url', model 'test');" . LlavaZh::Cluster::pictures_sql(1, 24));
append_to_file("$folder/in_file.png", LlavaZh::Cluster::png(25));
sql("INSERT INTO llava_image (path) VALUES ('in_file.png')");
ok($node->wait_query('SELECT count(*) FROM llava.llava_conversation', '25'), 'there are samples');
is(sql('SELECT count(*) FROM llava_image WHERE in_file'), '1', 'one of a picture in a file');
my $png = "decode('" . unpack('H*', LlavaZh::Cluster::png(99)) . "', 'hex')";

my (@reads, %call);

sub reads
{
	my ($name, $query) = @_;
	push @reads, $name;
	$call{$name} = $query;
	return;
}

my @choices = ('', ", split => 'train', validation => 0.4", ", split => 'validation', validation => 0.4", ', mix => true',
	', seed => 7', ', mix => true, seed => 7', ", image_name => 'sha256'", ", mix => true, split => 'train', validation => 0.4, seed => 9");
for my $format (qw(llava llamafactory sharegpt swift qwen openai trl imagefolder))
{
	reads("export $format$_", "SELECT llava_export('$format'$_)") for @choices;
}
reads("export openai$_", "SELECT llava_export('openai'$_)") for ', data_urls => true', ', data_urls => true, mix => true, seed => 3';
reads("selected$_", "SELECT s::text FROM llava_selected('llava'$_) AS s") for @choices;
reads("exported$_", "SELECT s::text FROM llava_exported('llava'$_) AS s") for @choices;
reads('validate', 'SELECT v::text FROM llava_validate() AS v');
reads('list', "SELECT l::text FROM llava_export_list(mix => true, split => 'train') AS l");
reads('card', "SELECT llava_dataset_card(validation => 'v.jsonl')");
reads('info', "SELECT concat(llava_dataset_info(), llava_dataset_info(format => 'sharegpt'), llava_internvl_meta(samples => 3))");
reads('array', 'SELECT llava_export_array()');
reads('digests', "SELECT concat(llava_lines_sha256(l), llava_array_sha256(l), llava_file_name('./a//b')) FROM llava_export() AS l");
reads('page', "SELECT regexp_replace(llava_page(25, unseen => true), '\\d\\d\\d\\d-\\d\\d-\\d\\d \\d\\d:\\d\\d', 'now')");
reads('report', "SELECT regexp_replace(llava_report(30), '\\d\\d\\d\\d-\\d\\d-\\d\\d \\d\\d:\\d\\d', 'now', 'g')");
reads('share', "SELECT llava_image_share(1, 'abcdefgh')::text");
reads('parse', "SELECT p::text FROM llava_parse_reply('detail', 'x') AS p");
reads('sentences', "SELECT llava_sentences('甲。乙！')::text");
reads('picture', "SELECT concat(llava_image_info(i.image), llava_prepare_image(i.image), llava_image_bytes(i.id), llava_image_hash(i.image),
	llava_thumbnail(i.image), llava_image_tokens(100, 100), llava_hash_distance(1::bigint, 2::bigint), llava_hash_distance('a'::bytea, 'b'::bytea)) FROM llava_image AS i ORDER BY i.id");
reads('task', "SELECT concat(llava_draw_task(5), llava_task_name('detail'))");
reads('jsonl', "SELECT concat(llava_jsonl_line(t), llava_jsonl_check('1')) FROM (SELECT 1 AS a) AS t");
reads('verify', 'SELECT v::text FROM llava_verify_export(1) AS v');
reads('rebuild', 'SELECT llava_rebuild_export(1)');
reads($_, "SELECT s::text FROM llava_$_(1) AS s") for qw(manifest_whole manifest_since export_since gone_since);
reads('weighted', "SELECT llava_weighted_samples('detail', 1)::text");
reads('url', "SELECT u::text FROM llava_url('http://example.com/a.jpg') AS u");
reads('robots', "SELECT r::text FROM llava_robots('User-agent: *'::bytea, 'llava', 'http://example.com/a.jpg') AS r");
reads('fetch check', "SELECT c::text FROM llava_fetch_check('http://example.com/a.jpg') AS c");
my %writes = (
	'record' => "SELECT llava_record_export('f', 'llava', split => 'train', seed => 4)::text",
	'images' => "SELECT e::text FROM llava_export_images('$folder/out') AS e",
	'prepared' => "SELECT e::text FROM llava_export_images('$folder/prepared', prepared => true, mix => true, split => 'train') AS e",
	'shards' => "SELECT e::text FROM llava_export_shards('$folder/shards') AS e",
	'mixed shards' => "SELECT e::text FROM llava_export_shards('$folder/mixed', prepared => true, mix => true, split => 'train', seed => 3) AS e",
	'enqueue' => "SELECT llava_enqueue(2, 'detail_en')::text", 'retry' => 'SELECT llava_retry()::text',
	'forget' => "SELECT llava_forget(3, 'letter')::text",
	'forget resting' => "SELECT llava_forget((SELECT min(image) FROM llava_pending WHERE failure IS NOT NULL), 'letter')::text",
	'pause' => "SELECT llava_pause('sim')::text",
	'resume' => "SELECT llava_resume('sim')::text", 'start' => "SELECT (llava_start() > 0)::text",
	'since' => "SELECT llava_record_since('since', 1)::text", 'remove' => "SELECT llava_remove(5)::text",
	'cancel' => "SELECT llava_cancel(2)::text", 'resume task' => "SELECT llava_resume_task('detail')::text",
	'refetch' => 'SELECT llava_refetch()::text', 'park' => "SELECT llava_park('http://example.com')::text",
	'stop' => 'SELECT llava_stop()::text',
	'generate' => "SELECT (llava_generate($png, 'detail') IS NOT NULL)::text");
%call = (%call, %writes);
mkdir "$folder/$_" for qw(out prepared shards mixed);
sql("SELECT llava_record_export('first')");
sql('CREATE SCHEMA caller; ' . join ' ',
	map { "CREATE FUNCTION caller.\"$_\"() RETURNS SETOF text LANGUAGE sql BEGIN ATOMIC $call{$_}; END;" } sort keys %call);

# a function that is written later and called by nobody here is missed
is(sql(<<'SQL'), '', 'every function of the extension is called, but triggers\' and the script\'s own');
WITH RECURSIVE called (oid) AS (
	SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'caller'::regnamespace
	UNION SELECT d.refobjid FROM called c JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_proc'::regclass
		AND d.refclassid = 'pg_proc'::regclass)
SELECT string_agg(p.oid::regprocedure::text, ', ') FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'llava_zh'
WHERE p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype AND p.oid NOT IN (SELECT oid FROM called)
	AND NOT EXISTS (SELECT FROM pg_aggregate a WHERE p.oid IN (a.aggtransfn, a.aggfinalfn))
	AND NOT EXISTS (SELECT FROM pg_foreign_data_wrapper w WHERE w.fdwvalidator = p.oid)
	AND NOT EXISTS (SELECT FROM pg_rewrite r JOIN pg_depend v ON v.objid = r.oid AND v.classid = 'pg_rewrite'::regclass
		WHERE v.refobjid = p.oid AND v.refclassid = 'pg_proc'::regclass)
SQL

# ---- what is planted ----

sql(<<'SQL');
CREATE ROLE planter LOGIN;
GRANT USAGE, CREATE ON SCHEMA llava, public TO planter;
CREATE SCHEMA kit;
GRANT USAGE ON SCHEMA kit TO PUBLIC;
-- what is drawn from it stays drawn, also by a statement that fails
CREATE SEQUENCE kit.loot;
GRANT USAGE ON SEQUENCE kit.loot TO PUBLIC;
CREATE TYPE kit.pair AS (a integer, b text);
CREATE VIEW kit.ours AS
	SELECT p.*, ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS a (t, n) ORDER BY n) AS types,
		ARRAY(SELECT a.name FROM unnest(p.proargnames, p.proargmodes) WITH ORDINALITY AS a (name, mode, n)
			WHERE a.mode IS NULL OR a.mode IN ('i', 'b', 'v') ORDER BY n) AS names,
		(SELECT string_agg(format('OUT %I %s', a.name, format_type(a.type, NULL)), ', ' ORDER BY n)
			FROM unnest(p.proargnames, p.proargmodes, p.proallargtypes) WITH ORDINALITY AS a (name, mode, type, n) WHERE a.mode = 'o') AS outs
	FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'llava_zh'
	WHERE p.prokind IN ('f', 'p') AND p.prorettype <> 'trigger'::regtype;
-- domains must be the extension's and not the planter's own, to be no less likely
DO $$
DECLARE t text;
BEGIN
	FOR t IN SELECT DISTINCT u.t FROM kit.ours, unnest(types) AS u (t) WHERE u.t NOT IN ('internal', 'record') LOOP
		EXECUTE format('CREATE DOMAIN kit.%I AS %s', 'd ' || t, t);
	END LOOP;
END$$;
GRANT SELECT ON kit.ours TO PUBLIC;

-- One function or procedure: false if such a one cannot be.
CREATE FUNCTION kit.put(command text) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	RETURN 1;
EXCEPTION WHEN duplicate_function OR insufficient_privilege OR undefined_object OR invalid_function_definition OR invalid_parameter_value OR undefined_function
		OR feature_not_supported OR datatype_mismatch THEN
	RETURN 0;
END$$;

-- A body that tells that it ran, and as whom.
CREATE FUNCTION kit.body() RETURNS text LANGUAGE sql AS
	$$SELECT 'LANGUAGE plpgsql AS ''BEGIN PERFORM pg_catalog.nextval(''''kit.loot''''); RAISE EXCEPTION ''''a plant ran as %'''', current_user; END'''$$;

-- The arguments: those of names and types, each with this default.
CREATE FUNCTION kit.arguments(names text[], types text[], said text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat(CASE WHEN a.type LIKE 'VARIADIC%' THEN 'VARIADIC ' END, quote_ident(coalesce(nullif(a.name, ''), 'plant' || n)), ' ',
		replace(a.type, 'VARIADIC ', ''), CASE WHEN a.type NOT LIKE '%DEFAULT%' THEN said END), ', ' ORDER BY n)
	FROM unnest(names[:cardinality(types)], types) WITH ORDINALITY AS a (name, type, n) WHERE a.type IS NOT NULL
$$;

-- Lists of argument types that some call would fit.
CREATE FUNCTION kit.lists(types text[]) RETURNS TABLE (list text[], said text) LANGUAGE sql AS $$
	-- one argument of another type
	SELECT types[:i - 1] || s || types[i + 1:], d FROM generate_series(1, cardinality(types)) AS i,
		unnest(ARRAY['integer', 'smallint', 'bigint', 'text', 'character varying', 'jsonb', 'anyelement', 'kit.pair', 'kit.' || quote_ident('d ' || types[i])]) AS s,
		unnest(ARRAY['', ' DEFAULT NULL']) AS d
	-- all of them
	UNION ALL SELECT ARRAY(SELECT 'kit.' || quote_ident('d ' || t) FROM unnest(types) AS t), ' DEFAULT NULL'
	UNION ALL SELECT ARRAY(SELECT s FROM unnest(types)), '' FROM unnest(ARRAY['text', 'anyelement', 'integer']) AS s
	-- fewer, more, any number
	UNION ALL SELECT types[:i], '' FROM generate_series(0, cardinality(types) - 1) AS i
	UNION ALL SELECT types || s, d FROM unnest(ARRAY['integer DEFAULT 0', 'VARIADIC integer[] DEFAULT NULL']) AS s, unnest(ARRAY['', ' DEFAULT NULL']) AS d
	UNION ALL SELECT types || ARRAY['integer DEFAULT 0', 'text DEFAULT NULL'], ''
	UNION ALL SELECT types[:i] || ARRAY['VARIADIC anyarray'], '' FROM generate_series(0, cardinality(types)) AS i
$$;

CREATE FUNCTION kit.plant_functions(home text, ambiguous boolean) RETURNS bigint LANGUAGE sql AS $$
	SELECT sum(kit.put(CASE f.prokind
		WHEN 'p' THEN format('CREATE PROCEDURE %s.%I(%s) %s', home, f.proname, kit.arguments(f.names, l.list, l.said), kit.body())
		WHEN 'f' THEN format('CREATE OR REPLACE FUNCTION %s.%I(%s) %s %s', home, f.proname, concat_ws(', ', kit.arguments(f.names, l.list, l.said), f.outs),
			CASE WHEN f.outs IS NULL OR f.proretset THEN 'RETURNS ' || pg_get_function_result(f.oid) END, kit.body()) END))
	FROM kit.ours f, kit.lists(f.types) l
	-- a call of a procedure cannot be bound beforehand, so it must not be made ambiguous
	WHERE ambiguous AND f.prokind = 'f' OR concat(array_to_string(l.list, ','), l.said) NOT LIKE '%DEFAULT%'
$$;

CREATE FUNCTION kit.plant_operators(home text) RETURNS bigint LANGUAGE sql AS $$
	WITH pair (l, r) AS (
		SELECT t, t FROM unnest(ARRAY['smallint', 'integer', 'bigint', 'numeric', 'double precision', 'text', 'character varying', 'bytea', 'boolean',
			'jsonb', 'timestamptz', 'interval', 'text[]', 'bigint[]', 'record', 'anyelement', 'kit."d text"', 'kit."d bigint"']) AS t
		UNION ALL VALUES ('bigint', 'integer'), ('integer', 'bigint'), ('smallint', 'integer'), ('jsonb', 'text'), ('jsonb', 'integer'),
			('text', 'anyelement'), ('timestamptz', 'interval'), ('tid', 'tid'), ('bigint', 'smallint')),
	op (o, result) AS (
		SELECT o, 'boolean' FROM unnest(ARRAY['=', '<>', '<', '<=', '>', '>=', '&&', '@>', '?', '~', '~~']) AS o
		UNION ALL SELECT o, NULL FROM unnest(ARRAY['||', '+', '-', '*', '/', '&', '|', '#', '<<', '>>']) AS o
		UNION ALL VALUES ('->', 'jsonb'), ('->>', 'text'))
	SELECT sum(kit.put(format('CREATE FUNCTION %1$s.%2$I(%3$s, %4$s) RETURNS %5$s %6$s',
			home, 'plant' || o, l, r, coalesce(result, l), kit.body()))
		+ kit.put(format('CREATE OPERATOR %1$s.%2$s (LEFTARG = %3$s, RIGHTARG = %4$s, FUNCTION = %1$s.%5$I)', home, o, l, r, 'plant' || o)))
	FROM pair, op
$$;

CREATE FUNCTION kit.plant_casts(home text) RETURNS bigint LANGUAGE sql AS $$
	SELECT kit.put(format('CREATE TYPE %s.planted AS (a integer)', home));
	SELECT kit.put(format('CREATE DOMAIN %s.planted_text AS text', home));
	SELECT sum(kit.put(format('CREATE FUNCTION %1$s.planted(%1$s.%2$s) RETURNS %3$s %4$s', home, s, t, kit.body()))
		+ kit.put(format('CREATE CAST (%1$s.%2$s AS %3$s) WITH FUNCTION %1$s.planted(%1$s.%2$s) AS IMPLICIT', home, s, t)))
	FROM (VALUES ('planted', 'text'), ('planted_text', 'bytea')) AS c (s, t)
$$;

-- VARIADIC "any" is not for plpgsql: such a one fails with an error of its own
CREATE FUNCTION kit.plant_any(home text) RETURNS bigint LANGUAGE sql AS $$
	SELECT sum(kit.put(format('CREATE FUNCTION %s.%I(%s) RETURNS %s LANGUAGE internal AS ''any_out''', home, f.proname,
		array_to_string(f.types[:n] || 'VARIADIC "any"'::text, ', '), pg_get_function_result(f.oid))))
	FROM kit.ours f, generate_series(0, cardinality(f.types)) AS n WHERE f.prokind = 'f' AND f.outs IS NULL
$$;

-- what was planted before must not come in the way of what plants
DO $$
DECLARE f text;
BEGIN
	FOR f IN SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'kit'::regnamespace LOOP
		EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog', f);
	END LOOP;
END$$;
SQL

# what a superuser sees of the calls, before and after; all in one session
my $hostile = "SET search_path = llava, public, pg_temp, pg_catalog;\n";

sub session
{
	my ($script) = @_;
	my $out = '';
	IPC::Run::run([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$script, '>&', \$out);
	my (undef, @parts) = split /^=== (.*)\n/m, $out, -1;
	return { @parts };
}

# Begins the part of a session's output that has this name.
sub part
{
	my ($name) = @_;
	(my $quoted = $name) =~ s/'/''/g;
	return "\\echo '=== $quoted'\n";
}

sub called
{
	my ($before, @names) = @_;
	return session($before . join '', map { part($_) . "SELECT * FROM caller.\"$_\"();\n" } @names);
}

my $before = called('', @reads);
is(scalar(grep { defined $_ && !/ERROR/ } @$before{@reads}), scalar @reads, 'all calls are right');
cmp_ok(length $before->{'export llava'}, '>', 1000, 'with lines');
isnt($before->{"export llava$choices[1]"}, $before->{'export llava'}, 'the split leaves some out');
isnt($before->{"export llava$choices[4]"}, $before->{'export llava'}, 'the seed mixes them');

sub plant
{
	my ($home, $ambiguous) = @_;
	return "SET ROLE planter; SELECT kit.plant_functions('$home', $ambiguous) > 1000; RESET ROLE;\n";
}

sub plant_others
{
	my ($home) = @_;
	return "SET ROLE planter; SELECT kit.plant_operators('$home') > 800, kit.plant_casts('$home') = 4; RESET ROLE;\n";
}

my $log = -s $node->logfile;

sub nothing_ran
{
	my ($what) = @_;
	is($node->safe_psql('postgres', 'SELECT is_called, last_value FROM kit.loot'), 'f|1', "$what: nothing planted ran");
	unlike(slurp_file($node->logfile, $log), qr/a plant ran|value of type any|is not unique|ambiguous|in place of one of pg_catalog/, "$what: nor did it come in the way");
	return;
}

sub same
{
	my ($what, $said, @names) = @_;
	my @other = grep { $said->{$_} ne $before->{$_} } @names;
	is(join('; ', @other), '', "$what: every call says what it said before");
	diag("$_: " . ($said->{$_} =~ /(.*ERROR.*)/ ? $1 : substr($said->{$_}, 0, 200))) for @other;
	return;
}

# ---- everything that reads: beside functions that fit better, then beside those that make a call ambiguous too ----

sql("CREATE TABLE kit.lines (t text, d kit.\"d text\", j jsonb); CREATE TABLE kit.rows (a integer, b kit.pair)");
sql("INSERT INTO kit.rows VALUES (1, (2, 'x'))");
is(sql(plant($_, 'false')), 't', "overloads are planted in $_") for qw(llava public);
is(sql(plant_others($_)), 't|t', "operators and casts are planted in $_") for qw(llava public);
same('overloads', called(plant('pg_temp', 'false') . plant_others('pg_temp') . $hostile, @reads), @reads);
is(session($hostile . part('domain') . "COPY kit.lines (d) FROM PROGRAM 'echo 1' (FORMAT jsonl);\n")->{domain}, '', 'COPY into a domain');
nothing_ran('overloads');
is(sql(plant($_, 'true')), 't', "more are planted in $_") for qw(llava public);
is(sql("SELECT kit.plant_any('llava') > 100"), 't', 'and those of VARIADIC "any"');
same('ambiguities', called(plant('pg_temp', 'true') . $hostile, @reads), @reads);
my $views = sql("SELECT string_agg(format('SELECT pg_catalog.count(*) FROM %s', oid::regclass), E';\\n') FROM pg_class WHERE relkind = 'v' AND relnamespace = 'llava'::regnamespace");
unlike(session($hostile . part('views') . "$views;\n")->{views}, qr/ERROR/, 'every view can be read');
nothing_ran('ambiguities');

# ---- COPY ----

my $copies = session(join '', $hostile,
	part('query'), "COPY (SELECT caller.\"export llava\"()) TO '$folder/query.jsonl' (FORMAT jsonl);\n",
	part('table'), "COPY kit.rows TO STDOUT (FORMAT jsonl);\n",
	part('written'), "COPY (INSERT INTO kit.rows VALUES (3, NULL) RETURNING b, a) TO STDOUT (FORMAT jsonl);\n",
	part('samples'), "COPY llava.llava_conversation (conversation) TO '$folder/samples.jsonl' (FORMAT jsonl);\n",
	part('jsonb'), "COPY kit.lines (j) FROM '$folder/query.jsonl' (FORMAT jsonl);\n");
is(join('', map { $copies->{$_} } qw(query samples jsonb)), '', 'COPY works both ways');
is(slurp_file("$folder/query.jsonl"), $before->{'export llava'}, 'it writes the lines');
is($copies->{table}, qq({"a":1,"b":{"a":2,"b":"x"}}\n), 'and rows');
is($copies->{written}, qq({"b":null,"a":3}\n), 'also those that a statement returns');
nothing_ran('COPY');

# into text a function that takes our arguments and more makes the call ambiguous: it is named until it is gone
my $named = 0;
for my $column (qw(t d))
{
	for (1 .. 20)
	{
		my ($ret, $out, $err) = $node->psql('postgres', "$hostile COPY kit.lines ($column) FROM '$folder/query.jsonl' (FORMAT jsonl)", on_error_stop => 1);
		last if $ret == 0;
		my ($drop) = $err =~ /HINT:  (DROP FUNCTION llava\.llava_jsonl_check\(.*\);)/;
		like($err, qr/function llava\.llava_jsonl_check\(pg_catalog\.text,.*\) makes a call of the extension's llava_jsonl_check ambiguous/, 'an ambiguity is named');
		last if !defined $drop;
		sql($drop);
		$named++;
	}
}
cmp_ok($named, '>', 1, 'each by itself');
is(sql('SELECT count(t), count(d), count(j) FROM kit.lines'), '25|26|25', 'then lines come in');
my ($ret, $out, $err) = $node->psql('postgres', "$hostile COPY kit.lines (d) FROM PROGRAM 'echo x' (FORMAT jsonl)");
like($err, qr/invalid input syntax for type json/, 'and ours looks at them');
is($node->safe_psql('postgres', 'SELECT is_called FROM kit.loot'), 'f', 'none of those ran');
$log = -s $node->logfile;

# ---- everything that writes ----

my $written = called($hostile, qw(record images prepared pause enqueue retry forget resume start));
is($written->{record}, "2\n", 'an export is recorded');
like($written->{images}, qr/^\(25,0,0,\d+\)$/m, 'pictures are written');
like($written->{prepared}, qr/^\(\d+,0,0,\d+\)$/m, 'also as they were sent');
is($written->{enqueue}, "true\n", 'a task is queued');
is($written->{retry}, "0\n", 'nothing had failed');
my $notice = "NOTICE:  2 lines of recorded exports still have what was taken down\n"
  . "HINT:  SELECT file, count(*) FROM llava_published WHERE file_name = '' GROUP BY file ORDER BY file; names the files.\n";
is($written->{forget}, "${notice}1\n", 'a picture is forgotten');
is($written->{$_} =~ /ERROR/ ? $written->{$_} : '', '', $_) for qw(pause resume start);
is(called($hostile, 'generate')->{generate}, "true\n", 'an image is asked about');
ok($node->wait_query("SELECT count(*) = 0 FROM llava.llava_pending WHERE failure IS NULL"), 'the worker has done what was queued');
my %further = (since => "3\n", remove => "${notice}1\n", cancel => "0\n", 'resume task' => "false\n", refetch => "0\n");
my $further = called($hostile, keys %further, 'stop', 'park');
is($further->{$_}, $further{$_}, $_) for sort keys %further;
like($further->{park}, qr/^NOTICE:.*is known\n.*^0$/ms, 'no host is parked');
like($further->{stop}, qr/ERROR:.*llava_zh\.databases/, 'stop names the setting that keeps workers');

# pictures and their copies, by the worker and by a session
$node->safe_psql('postgres', 'ALTER SYSTEM SET llava_zh.near_duplicates = on');
$node->reload;
ok($node->wait_query('SHOW llava_zh.near_duplicates', 'on'), 'copies are looked for');
for my $drain (0, 1)
{
	my $path = "noise-$drain";
	$node->safe_psql('postgres', $hostile . noise_sql($path, 1 + $drain));
	ok($node->wait_query("SELECT count(*) FROM llava.llava_hash h JOIN llava.llava_image i ON i.id = h.image WHERE i.path = '$path'", '1'), 'a picture is hashed');
	called($hostile, 'pause') if $drain;
	$node->safe_psql('postgres', $hostile . noise_sql("$path-copy", 1 + $drain, 77));
	called($hostile, 'resume') if $drain;
	$node->safe_psql('postgres', "$hostile CALL llava.llava_drain(NULL::bigint, NULL::text, NULL::text, NULL::interval)") if $drain;
	ok($node->wait_query("SELECT failure FROM llava.llava_pending p JOIN llava.llava_image i ON i.id = p.image WHERE i.path = '$path-copy'", 'near_duplicate'), 'its copy is parked');
}
is(called($hostile, 'retry')->{retry}, "0\n", 'a copy is not asked about by the way');
# with thresholds that no reply meets
sql("INSERT INTO llava_task (name, min_letters) SELECT DISTINCT name, 100000 FROM llava_task");
$node->safe_psql('postgres', "$hostile CALL llava.llava_reparse(NULL::text, NULL::bigint, 10, NULL::jsonb, false)");
$node->safe_psql('postgres', "$hostile CALL llava.llava_follow(NULL::text, 10, false, NULL::jsonb)");
is(sql('SELECT count(*) FROM llava_conversation'), '0', 'samples are withdrawn');
is(sql('SELECT count(*) > 20 FROM llava_pending WHERE failure IS NOT NULL'), 't', 'and their rows rest');
mkdir "$folder/load";
append_to_file("$folder/load/one.png", LlavaZh::Cluster::png(30));
$node->safe_psql('postgres', "$hostile CALL llava.llava_load('$folder/load'::text, NULL::text, NULL::text, 10, true, false, ''::text)");
is(sql("SELECT count(*) FROM llava_image WHERE path LIKE '%one.png'"), '1', 'a folder is loaded');
ok($node->wait_query("SELECT count(*) = 0 FROM llava.llava_pending WHERE failure IS NULL"), 'and all is done');
nothing_ran('what writes');

# ---- a search_path that a trigger of the queue's owner leaves behind, under which other operators would be found ----

sql("CREATE ROLE queue; GRANT USAGE, CREATE ON SCHEMA llava, public TO queue; ALTER TABLE llava_pending OWNER TO queue;
	SET ROLE queue; CREATE FUNCTION public.leave_path() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN PERFORM pg_catalog.set_config(''search_path'', ''public, pg_catalog'', false); RETURN OLD; END';
	CREATE TRIGGER leave_path BEFORE DELETE ON llava_pending FOR EACH ROW EXECUTE FUNCTION public.leave_path()");
my $left = called('', 'forget resting')->{'forget resting'};
like($left, qr/^1$|would run function public\./m, 'the picture is forgotten, or it is said what is in the way');
is($node->safe_psql('postgres', 'SELECT is_called, last_value FROM kit.loot'), 'f|1', 'no planted operator ran');

# ---- before the extension comes ----

$node->safe_psql('postgres', 'CREATE DATABASE early');
$node->safe_psql('early', "GRANT CREATE ON SCHEMA public TO planter; SET ROLE planter;
	CREATE FUNCTION public.llava_template(text, text) RETURNS text LANGUAGE sql AS 'SELECT current_user::text'");
($ret, $out, $err) = $node->psql('early', 'CREATE EXTENSION llava_zh');
like($err, qr/function public\.llava_template\(pg_catalog\.text,pg_catalog\.text\) is in the schema of llava_zh, but does not belong to it/, 'the script is not run beside a function of its own names');
like($err, qr/HINT:.*a schema where no other role has the privilege CREATE/, 'and it is said what to do');
$node->safe_psql('early', 'CREATE SCHEMA own; CREATE EXTENSION llava_zh SCHEMA own');
is($node->safe_psql('early', "SELECT own.llava_page() LIKE '%</html>%'"), 't', 'in a schema of its own it is not in the way');

is($node->safe_psql('postgres', "SELECT rolsuper FROM pg_roles WHERE rolname = 'planter'"), 'f', 'the planter is nobody');
$node->stop('fast');
$endpoint->stop;
done_testing();
