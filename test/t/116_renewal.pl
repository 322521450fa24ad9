# A call that waits longer than its lease lasts has it renewed before it is sent; a row
# that somebody has locked keeps no other from it, and is asked about when it can be.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new(faults => 'hold=1');
my $node = LlavaZh::Cluster->new('renewal');
$node->create_server('sim', $endpoint->url, "max_in_flight '2', request_timeout '110s'");

# two in flight, two claimed that wait for their slots
$node->insert_pictures(1, 10);
$endpoint->wait_for(in_flight => 2);
ok($node->wait_query('SELECT count(*) FROM llava_pending WHERE call IS NOT NULL', '4'), 'some are claimed ahead');
# the threads may have made a later one ready first
my $sent = join ',', map { $_->{request_id} } ($endpoint->requests)[ 0, 1 ];
my $session = $node->background_psql('postgres');
$session->query_safe('BEGIN; SELECT image FROM llava_pending WHERE call NOT IN (' . $sent . ') ORDER BY call DESC LIMIT 1 FOR UPDATE');

# a request may now take longer than those leases last
$node->safe_psql('postgres', "ALTER SERVER sim OPTIONS (SET request_timeout '1h')");
ok($node->wait_query("SELECT string_agg((visible_at > now() + interval '1 hour')::text, ' ' ORDER BY call NOT IN ($sent), call) FROM llava_pending WHERE call IS NOT NULL",
		'false false true false'), 'what waits is renewed, but for the row that is locked');
$endpoint->control(release => 1, faults => '');
ok($node->wait_query('SELECT count(*) FROM llava_pending', '1'), 'the others are asked about');
is($endpoint->stats->{requests}, 9, 'and nothing else');
$session->query_safe('COMMIT');
ok($node->wait_drained, 'so is the last when it can be renewed');
is($endpoint->stats->{requests}, 10, 'each is asked about once');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT image) FROM llava_conversation'), '10|10', 'each is a sample');
unlike(slurp_file($node->logfile), qr/postponed/, 'no step was put off as a whole');

$session->quit;
$node->stop('fast');
$endpoint->stop;
done_testing();
