# A reply that comes after its lease ran out is kept, marked and no second sample; a
# picture that is in the air each time a worker dies is not asked about for ever.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new(faults => 'hold=1');
my $node = LlavaZh::Cluster->new('leases');
$node->create_server('sim', $endpoint->url, "max_in_flight '4'");

# the lease of a call that is in flight runs out
$node->insert_pictures(1, 1);
$endpoint->wait_for(in_flight => 1);
$node->safe_psql('postgres', 'UPDATE llava_pending SET visible_at = now()');
$endpoint->wait_for(in_flight => 2);
is($node->safe_psql('postgres', 'SELECT count(*), count(*) FILTER (WHERE call = 1) FROM llava_interrupted'), '1|1', 'the call whose lease ran out is noted');
$endpoint->control(release => 1, faults => '');
ok($node->wait_drained, 'the image is settled');
ok($node->wait_query('SELECT count(*) FROM llava_reply', '2'), 'both replies are kept');
is($node->safe_psql('postgres', 'SELECT string_agg(late::text, \' \' ORDER BY id) FROM llava_reply'), 'true false', 'the one without a lease is marked');
is($node->safe_psql('postgres', 'SELECT count(*), max(reply) = (SELECT max(id) FROM llava_reply) FROM llava_conversation'), '1|t', 'and is no second sample');
is($node->safe_psql('postgres', 'SELECT requests, replies, accepted FROM llava_usage'), '2|2|1', 'both are paid for');

# a picture that is in the air at every death
$endpoint->control(faults => 'hang=1');
$node->insert_pictures(2, 2);
my $last = 0;
for my $death (1 .. 10)
{
	my $pid = $node->worker_pid($last);
	$endpoint->wait_for(requests => 2 + $death);
	kill 'KILL', $pid;
	$last = $pid;
}
ok($node->wait_query('SELECT failure, attempts, interruptions FROM llava_pending', 'interrupted\|0\|10'), 'it rests after ten');
is($endpoint->stats->{requests}, 12, 'and is not asked about any more');
is($node->safe_psql('postgres', 'SELECT count(*) FROM llava_interrupted'), '11', 'each call is known');
$endpoint->control(faults => '');
$node->insert_pictures(3, 4);
ok($node->wait_query('SELECT count(*) FROM llava_conversation', '3'), 'the others go on');
is($node->safe_psql('postgres', "SELECT llava_retry(reason => 'interrupted')"), '1', 'a person can have it tried again');
ok($node->wait_drained, 'and it was not the picture');

$node->stop('fast');
$endpoint->stop;
done_testing();
