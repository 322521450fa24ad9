# Takedown: after llava_forget no table, view or export shows the picture or a word
# about it, whatever was under way; the same bytes are refused; the cost stays.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('forget', databases => 'postgres, restored');
$node->create_server('sim', $endpoint->url, "max_in_flight '4', input_price '1', output_price '2'");

sub sql { return $node->safe_psql('postgres', $_[0]); }

# one picture with everything that can be said of it
sub insert
{
	my ($number, $path) = @_;
	my $bytes = unpack('H*', LlavaZh::Cluster::png($number));
	sql("INSERT INTO llava_image (path, image, task, source_url, page_url, licence, meta)
		VALUES ('$path.png', decode('$bytes', 'hex'), '描述图片', 'http://$path.cn/a.png', 'http://$path.cn/', '$path licence', '{\"title\": \"$path\"}')");
	return;
}

# Where a word is seen: every table and view of the extension as text, bytes as hex,
# and every export.
sub where
{
	my ($word) = @_;
	my $hex = unpack('H*', $word);
	return join ' ', split /\n/, sql(<<SQL);
CREATE TEMP TABLE found (name text);
DO \$\$
DECLARE
	relation regclass;
	n bigint;
BEGIN
	FOR relation IN
		SELECT d.objid FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND d.classid = 'pg_class'::regclass
			JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'llava_zh'
		WHERE d.deptype = 'e' AND c.relkind IN ('r', 'p', 'v', 'm')
	LOOP
		EXECUTE format('SELECT count(*) FROM %s t WHERE t::text LIKE %L OR t::text LIKE %L', relation, '%$word%', '%$hex%') INTO n;
		IF n > 0 THEN
			INSERT INTO found VALUES (relation::text);
		END IF;
	END LOOP;
	SELECT count(*) INTO n FROM llava_export('llava') line WHERE line LIKE '%$word%';
	IF n > 0 THEN
		INSERT INTO found VALUES ('export');
	END IF;
END \$\$;
SELECT name FROM found ORDER BY name COLLATE "C";
SQL
}

# done, with copies of its bytes under other names
insert(1, 'gone');
insert(2, 'kept');
ok($node->wait_drained, 'two samples');
insert(1, 'gone-copy');
insert(1, 'gone-again');
my ($id, $kept) = map { sql("SELECT id FROM llava_image WHERE path = '$_.png'") } qw(gone kept);
sql("INSERT INTO llava_interrupted (image, call, task) VALUES ($id, 900, 'gone task')");
# twelve characters that were said of it and not of the other
my $words = sql(<<SQL);
SELECT substr(g.value, n, 12)
FROM (SELECT conversation->1->>'value' FROM llava_conversation WHERE image = $id) g (value),
	(SELECT conversation::text FROM llava_conversation WHERE image = $kept) k (value),
	generate_series(1, length(g.value) - 12) n
WHERE strpos(k.value, substr(g.value, n, 12)) = 0 AND substr(g.value, n, 12) !~ '[[:space:]"]' LIMIT 1
SQL
like(where('gone'), qr/export.*llava_duplicate.*llava_image.*llava_status/, 'the search finds its name');
my $seen = where($words);
like($seen, qr/export.*llava_conversation.*llava_reply/, 'and the words about it, also in stored bodies');
my $pixels = unpack('H*', substr(LlavaZh::Cluster::png(1), 20, 40));
is(sql("SELECT count(*) FROM llava_image t WHERE t::text LIKE '%$pixels%'"), '1', 'and its bytes');

is(sql("SELECT llava_record_export('published.jsonl') > 0"), 't', 'an export is recorded');
like(where('gone'), qr/llava_manifest_line.*llava_published/, 'with the name of its file');

my $cost = 'SELECT sum(prompt_tokens), sum(completion_tokens), count(*), sum(latency_ms) FROM llava_reply';
my $spent = sql($cost);
my $usage = sql('SELECT * FROM llava_usage');
my $copy = sql("SELECT id FROM llava_image WHERE path = 'gone-copy.png'");
my (undef, $rows, $notice) = $node->psql('postgres', "SELECT llava_forget($copy, 'asked by its painter')");
is($rows, '3', 'a copy takes the picture and all copies with it');
my ($files) = $notice =~ /NOTICE:  1 line of recorded exports still has what was taken down\nHINT:  (SELECT file, .*;) names the files\./;
is(sql($files), 'published.jsonl|1', 'a NOTICE says that an export has it, and how to find which');
is(where('gone'), '', 'no table, view or export knows its name');
is(where($words), '', 'nor what was said about it');
is(sql("SELECT count(*) FROM llava_reply WHERE image = $id AND body IS NULL AND measures IS NULL"), '1', 'the reply is empty');
is(sql("SELECT count(*) FROM llava_image t WHERE t::text LIKE '%$pixels%'"), '0', 'its bytes are gone');
is(sql("SELECT (SELECT count(*) FROM llava_conversation WHERE image = $id) + (SELECT count(*) FROM llava_pending WHERE image = $id) + (SELECT count(*) FROM llava_interrupted WHERE image = $id) + (SELECT count(*) FROM llava_image WHERE $id IN (id, same_as))"),
	'0', 'and so are all its other rows');
is(sql($cost), $spent, 'what it cost stays');
is(sql('SELECT * FROM llava_usage'), $usage, 'in the sums too');
is(sql("SELECT image = $id, forgotten_at > now() - interval '5 minutes', forgotten_reason FROM llava_seen WHERE forgotten_at IS NOT NULL"), 't|t|asked by its painter', 'and a tombstone');
is(sql("SELECT file, line FROM llava_published WHERE image = $id"), 'published.jsonl|1', 'which published file has it is still known');
is(sql("SELECT count(*), count(conversation) FROM llava_image JOIN llava_conversation c ON c.image = id"), '1|1', 'the other picture is as it was');

# the same bytes again
my $asked = $endpoint->stats->{requests};
insert(1, 'crawled');
is(sql("SELECT rejected, rejected_detail ~ '^taken down on ....-..-..: asked by its painter\$', image IS NULL, width IS NULL, same_as IS NULL FROM llava_image WHERE path = 'crawled.png'"),
	'forgotten|t|t|t|t', 'are refused, and say why');
is(sql('SELECT count(*) FROM llava_pending'), '0', 'and not queued');
is(sql("SELECT count FROM llava_stat_reason WHERE kind = 'image' AND reason = 'forgotten'"), '1', 'but counted');
is(sql("SELECT llava_forget($id, 'once more')"), '0', 'to forget it again changes nothing');
is(sql("SELECT forgotten_reason FROM llava_seen WHERE image = $id"), 'asked by its painter', 'not even the reason');

# broken pictures that came under many names
sql("INSERT INTO llava_image (path, image) SELECT 'torn' || n || '.png', substr(decode('" . unpack('H*', LlavaZh::Cluster::png(3)) . "', 'hex'), 1, 60) FROM generate_series(1, 3) n");
is(sql("SELECT llava_forget(id, 'torn') FROM llava_image WHERE path LIKE 'torn%'"), "3\n0\n0", 'a broken picture, by what it is called');
is(where('torn1'), '', 'all of them are gone');
sql("INSERT INTO llava_image (path, image) SELECT 'torn.png', substr(decode('" . unpack('H*', LlavaZh::Cluster::png(3)) . "', 'hex'), 1, 60)");
is(sql("SELECT rejected FROM llava_image WHERE path = 'torn.png'"), 'forgotten', 'and refused');

# a picture that was confirmed to look like it: other bytes, a row of its own
insert(6, 'alike');
insert(7, 'alike-small');
ok($node->wait_drained, 'two more');
my ($alike, $small) = map { sql("SELECT id FROM llava_image WHERE path = '$_.png'") } qw(alike alike-small);
sql("UPDATE llava_image SET same_as = $alike, same_distance = 3 WHERE id = $small");
sql("INSERT INTO llava_hash (image, coarse, fine, colours) VALUES ($alike, 1, 'x', 'y'), ($small, 1, 'x', 'y')");
is(sql("SELECT llava_forget($alike, 'twins')"), '2', 'a confirmed copy goes with it');
is(where('alike'), '', 'without a word');
is(sql("SELECT count(*) FROM llava_hash WHERE image IN ($alike, $small)"), '0', 'or a hash');
insert(7, 'alike-crawled');
is(sql("SELECT rejected FROM llava_image WHERE path = 'alike-crawled.png'"), 'forgotten', 'and its bytes are refused too');

# in flight: the late reply brings nothing back but its cost
$endpoint->control(faults => 'hold=1');
insert(4, 'flying');
$endpoint->wait_for(in_flight => 1) or die;
my $flying = sql("SELECT id FROM llava_image WHERE path = 'flying.png'");
is(sql("SELECT llava_forget($flying, 'while asked')"), '1', 'a picture in flight');
$endpoint->control(faults => '', release => 1);
ok($node->wait_query("SELECT count(*) = 1 FROM llava_reply WHERE image = $flying"), 'its reply comes late');
is(sql("SELECT late, body IS NULL, measures IS NULL, completion_tokens > 0 FROM llava_reply WHERE image = $flying"), 't|t|t|t', 'only its cost is kept');
is(where('flying'), '', 'and not a word');
is(sql("SELECT count(*) FROM llava_conversation WHERE image = $flying"), '0', 'no sample');

# an INSERT of a copy that commits after: the takedown waits for it
insert(5, 'racing');
ok($node->wait_drained, 'a fifth picture');
my $first = sql("SELECT id FROM llava_image WHERE path = 'racing.png'");
my $writer = $node->background_psql('postgres');
$writer->query_safe("BEGIN; INSERT INTO llava_image (path, image) SELECT 'racing-copy.png', image FROM llava_image WHERE id = $first");
my $admin = $node->background_psql('postgres');
$admin->query_until(qr/begun/, "\\echo begun\nSELECT llava_forget($first, 'raced');\n");
ok($node->wait_query("SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND relation = 'llava_image'::regclass"), 'the takedown waits for a copy on its way in');
$writer->query_safe('COMMIT');
$writer->quit;
$admin->quit;
is(where('racing'), '', 'and takes it too');

# who may, and what may be said
sql('CREATE ROLE clerk; CREATE ROLE stranger');
sql('GRANT EXECUTE ON FUNCTION llava_forget(bigint, text) TO clerk');
is(sql("SET ROLE clerk; SELECT llava_forget(999999, 'nothing')"), '0', 'EXECUTE is the right to');
for my $case (
	[ "SET ROLE stranger; SELECT llava_forget($kept, 'x')", qr/permission denied for function llava_forget/ ],
	[ "SELECT llava_forget($kept, NULL)", qr/reason is NULL/ ],
	[ "SELECT llava_forget($kept, '')", qr/reason is empty/ ],
	[ "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT llava_forget($kept, 'x')", qr/needs the isolation level READ COMMITTED/ ])
{
	my ($rc, $out, $err) = $node->psql('postgres', $case->[0]);
	like($err, $case->[1], $case->[0]);
}

# the tombstone is dumped; nothing else of the picture is there to be dumped
my $dump = $node->backup_dir . '/dump.sql';
mkdir $node->backup_dir unless -d $node->backup_dir;
command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
my $text = slurp_file($dump);
unlike($text =~ s{llava_manifest_gone}{}gr, qr/gone|\Q$pixels\E|flying/, 'has no word about it');
like($text, qr/asked by its painter/, 'but the tombstone');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored') ], 'restore');
$node->safe_psql('restored', LlavaZh::Cluster::pictures_sql(1, 1));
is($node->safe_psql('restored', "SELECT rejected FROM llava_image WHERE path = 'pic1.png'"), 'forgotten', 'refuses it still');

$node->stop('fast');
$endpoint->stop;
done_testing();
