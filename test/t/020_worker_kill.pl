# SIGKILL in mid-drain: every image ends with exactly one conversation, and what
# was asked twice is known by its call id.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $endpoint = LlavaZh::Endpoint->new(faults => 'hold=1');
my $node = LlavaZh::Cluster->new('kill');
$node->create_server('sim', $endpoint->url, "max_in_flight '8'");
$node->insert_pictures(1, 40);

for my $round (1 .. 2)
{
	my $pid = $node->worker_pid;
	$endpoint->wait_for(requests => 8 * $round, in_flight => 8);
	kill 'KILL', $pid;
	$node->worker_pid($pid);
}
$endpoint->control(faults => '', release => 1);
ok($node->wait_drained, 'the worker comes back and finishes');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT image) FROM llava_conversation'),
	'40|40', 'one conversation each, none twice');
is($node->safe_psql('postgres', 'SELECT count(*) FROM llava_pending'), '0', 'nothing is left');

my %asked;
$asked{ $_->{request_id} }++ for $endpoint->requests;
is_deeply([ grep { $asked{$_} > 1 } keys %asked ], [], 'no call id reached the endpoint twice');
cmp_ok(scalar(keys %asked), '>', 40, 'some images were asked about twice');
my ($drawn, $ledger) = split /\|/,
  $node->safe_psql('postgres',
	'SELECT (SELECT last_value FROM llava_call_seq), (SELECT count(*) FROM llava_reply)');
is($ledger, 40, 'the ledger has the replies that arrived');
cmp_ok($drawn, '>=', scalar(keys %asked), 'every id the endpoint saw was drawn here');
is(scalar(grep { $_ > $drawn } keys %asked), 0, 'and none is unknown');

# SIGTERM: the launcher starts another
my $pid = $node->worker_pid;
$endpoint->control(faults => 'hold=1');
$node->insert_pictures(41, 50);
$endpoint->wait_for(in_flight => 8);
kill 'TERM', $pid;
$endpoint->control(faults => '', release => 1);
ok($node->wait_drained, 'a terminated worker is replaced');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT image) FROM llava_conversation'),
	'50|50', 'again without a loss');

# fast shutdown with requests in flight
$endpoint->control(latency => 30000);
$node->insert_pictures(51, 60);
$endpoint->wait_in_flight(8);
my $before = time;
$node->stop('fast');
cmp_ok(time - $before, '<', 2, 'fast shutdown does not wait for replies');
$endpoint->control(latency => 10);
$node->start;
ok($node->wait_drained, 'after a restart the rest is asked again');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT image) FROM llava_conversation'),
	'60|60', 'and stored once');

# a restart that costs nothing: a pause first
my $interrupted = $node->safe_psql('postgres', 'SELECT count(*) FROM llava_interrupted');
my $requests = $endpoint->stats->{requests};
$endpoint->control(faults => 'hold=1');
$node->insert_pictures(61, 70);
$endpoint->wait_for(in_flight => 8);
$node->safe_psql('postgres', "SELECT llava_pause('sim')");
$endpoint->control(faults => '');
$endpoint->control(release => 1);
ok($node->wait_query('SELECT sum(in_flight) = 0 FROM llava_progress'), 'a paused server gets nothing new, and what was in flight is settled');
$node->stop('fast');
$node->start;
$node->safe_psql('postgres', "SELECT llava_resume('sim')");
ok($node->wait_drained, 'resumed after the restart it is asked the rest');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT image) FROM llava_conversation'), '70|70', 'stored once');
is($node->safe_psql('postgres', 'SELECT count(*) FROM llava_interrupted'), $interrupted, 'nothing was interrupted');
is($endpoint->stats->{requests} - $requests, 10, 'nothing paid twice');
$node->stop('fast');
$endpoint->stop;
done_testing();
