# A disk that takes no commit for a while holds up neither the sockets nor the requests
# in flight; what was claimed meanwhile is not sent before its claim is safe.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = PostgreSQL::Test::Utils::tempdir;
my $blocked = "$top/blocked";
command_ok([ 'gcc', '-shared', '-fPIC', '-O1', '-o', "$top/blocked_disk.so", 'test/blocked_disk.c', '-ldl' ], 'the disk is built');
my $endpoint = LlavaZh::Endpoint->new(faults => 'hold=1');
my $node;
{
	local $ENV{LD_PRELOAD} = "$top/blocked_disk.so";
	local $ENV{BLOCKED_DISK} = $blocked;
	$node = LlavaZh::Cluster->new('disk', conf => "fsync = on\nautovacuum = off\ncheckpoint_timeout = '1h'\n");
}
sub sql { return $node->safe_psql('postgres', shift); }

$node->create_server('sim', $endpoint->url, "max_in_flight '4'");
$node->insert_pictures(1, 4);
$endpoint->wait_for(in_flight => 4);

append_to_file($blocked, '');
my $looks = sql('SELECT looks FROM llava_stat_worker');
$endpoint->control(faults => '');
$endpoint->control(release => 1);
ok($node->wait_query('SELECT count(*) FROM llava_conversation', '4'), 'replies are settled, as far as the server goes');
sql('SET synchronous_commit = off; ' . LlavaZh::Cluster::pictures_sql(5, 8));
ok($node->wait_query('SELECT count(*) FROM llava_pending WHERE holder IS NOT NULL', '4'), 'pictures are claimed');
ok($node->wait_query("SELECT looks >= $looks + 100 FROM llava_stat_worker", 't'), 'the sockets are looked at again and again');
is($endpoint->stats->{requests}, 4, 'and nothing is sent whose claim a crash would forget');
unlink $blocked;
ok($node->wait_drained, 'it is when the disk has it');
is($endpoint->stats->{requests}, 8, 'each once');

# a session that drains waits for its own claims, whatever it has set
$node->safe_psql('postgres', 'CREATE DATABASE drained');
$node->safe_psql('drained', 'CREATE EXTENSION llava_zh');
my $asked = LlavaZh::Endpoint->new;
$node->safe_psql('drained', "CREATE SERVER sim FOREIGN DATA WRAPPER llava_zh OPTIONS (url '" . $asked->url . "', model 'test')");
$node->safe_psql('drained', LlavaZh::Cluster::pictures_sql(1, 2));
append_to_file($blocked, '');
my $session = $node->background_psql('drained');
$session->query_until(qr/start/, "\\echo start\nSET synchronous_commit = off;\nCALL llava_drain();\n\\echo end\n");
ok($node->wait_query("SELECT lower(wait_event) FROM pg_stat_activity WHERE datname = 'drained' AND query LIKE 'CALL%'", 'walsync|walwrite'),
	'llava_drain waits for the disk');
is($asked->stats->{requests}, 0, 'and sends nothing before');
unlink $blocked;
$session->query_until(qr/end/, '');
$session->quit;
$asked->stop;
is($node->safe_psql('drained', 'SELECT count(*) FROM llava_conversation'), '2', 'and goes on');

# commits that the disk never had
$endpoint->control(faults => 'hold=1');
$node->insert_pictures(9, 12);
$endpoint->wait_for(in_flight => 4);
append_to_file($blocked, '');
$endpoint->control(faults => '');
$endpoint->control(release => 1);
ok($node->wait_query('SELECT count(*) FROM llava_conversation', '12'), 'replies are settled');
$node->kill9;
unlink $blocked;
$node->start_again;
ok($node->wait_drained, 'after a crash the queue is drained');
is(sql('SELECT count(*), count(DISTINCT image) FROM llava_conversation'), '12|12', 'each image is one sample');
my %asked;
$asked{ $_->{request_id} }++ for $endpoint->requests;
is(join(' ', grep { $asked{$_} > 1 } keys %asked), '', 'no call id reached the endpoint twice');
is(sql('SELECT count(*) FROM (SELECT id FROM llava_reply UNION SELECT call FROM llava_interrupted) k'), scalar(keys %asked), 'and each is known');

$node->stop('fast');
$endpoint->stop;
done_testing();
