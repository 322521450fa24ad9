# The worker keeps the BRIN index over the times of samples summarised, writes no line
# about it, and waits for nobody who has the table locked meanwhile.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('summarise', conf => <<'CONF');
autovacuum_naptime = 1h
llava_zh.near_duplicates = off
CONF
sub sql { return $node->safe_psql('postgres', shift); }

is(sql(q{SELECT reloptions FROM pg_class WHERE oid = 'llava_conversation_created'::regclass}), '{pages_per_range=16}',
	'the index does not ask autovacuum');

# samples of some kB each, so that there are many ranges; they are as a settle writes them
my $fill = <<'SQL';
INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
SELECT n, '描述图片', to_jsonb((SELECT string_agg(md5(n::text || i), '') FROM generate_series(1, 50) AS i)), 1, nextval('llava_call_seq'), 1
FROM generate_series((SELECT coalesce(max(image), 1000000) + 1 FROM llava_conversation),
	(SELECT coalesce(max(image), 1000000) + 4000 FROM llava_conversation)) AS n
SQL
my $ranges = q{SELECT pg_relation_size('llava_conversation') / (16 * current_setting('block_size')::int)};
sql($fill);
cmp_ok(sql($ranges), '>', 20, 'there are ranges to be summarised');

$node->create_server('sim', $endpoint->url);
$node->insert_pictures(1, 3);
ok($node->wait_drained, 'the worker writes samples');
sql('CREATE EXTENSION pageinspect');
# ranges with a summary: those of the data pages' items
my $done = q{SELECT count(DISTINCT i.blknum) FROM generate_series(0, pg_relation_size('llava_conversation_created') / current_setting('block_size')::int - 1) AS p,
	LATERAL (SELECT get_raw_page('llava_conversation_created', p::int) AS raw OFFSET 0) AS page,
	LATERAL brin_page_items(raw, 'llava_conversation_created') AS i
	WHERE brin_page_type(raw) = 'regular' AND NOT i.placeholder};
ok($node->wait_query("SELECT ($done) >= ($ranges)"), 'which are summarised soon after');

# somebody who holds VACUUM's lock: the worker goes on, and comes back to it
my $session = $node->background_psql('postgres');
$session->query_safe('BEGIN; LOCK TABLE llava_conversation IN SHARE UPDATE EXCLUSIVE MODE');
sql($fill);
$node->insert_pictures(4, 6);
ok($node->wait_drained, 'with the lock held by another samples are written');
ok($node->wait_query('SELECT count(*) = 6 FROM llava_conversation WHERE image < 1000000'), 'all of them');
$session->query_safe('COMMIT');
$session->quit;
$node->insert_pictures(7, 9);
ok($node->wait_query("SELECT ($done) >= ($ranges)"), 'what was missed is summarised after the next samples');

my $lines = () = slurp_file($node->logfile) =~ /BRIN|summari[sz]ed/g;
is($lines, 0, 'the log has no line about it');

# a drain in a session summarises what it wrote
$node->append_conf('postgresql.conf', "llava_zh.databases = ''");
$node->restart;
sql($fill);
$node->insert_pictures(10, 12);
sql('CALL llava_drain()');
is(sql("SELECT ($done) >= ($ranges)"), 't', 'a drain summarises before it returns');

# an index that a person dropped or replaced is nobody's trouble
sql('DROP INDEX llava_conversation_created; CREATE INDEX llava_conversation_created ON llava_conversation (created_at)');
$node->insert_pictures(13, 15);
sql('CALL llava_drain()');
is(sql('SELECT count(*) FROM llava_conversation WHERE image < 1000000'), '15', 'another index of that name is left alone');
done_testing;
