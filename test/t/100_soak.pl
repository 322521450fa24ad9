# Workers are killed and terminated, the whole server is killed, at moments that the
# requests choose, while the endpoint fails in all its ways: nothing is lost, nothing
# stored twice, and every request the endpoint saw is accounted for.
#
# LLAVA_SOAK: rounds (20); every tenth kills the whole server.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $rounds = $ENV{LLAVA_SOAK} // 20;
my $seed = $ENV{LLAVA_SOAK_SEED} // 4711;
srand($seed);
note "seed $seed";

# one request in five, in all ways the endpoint knows but the one that waits for a word of ours
my ($listed) = `${\ LlavaZh::Endpoint::program()} --help` =~ /^Faults by name(.*)/ms;
my @faults = grep { $_ ne 'hold' } $listed =~ /^  ([a-z0-9-]+) /mg;
cmp_ok(scalar @faults, '>', 120, scalar @faults . ' kinds of faults');
my $faults = join ',', map { sprintf '%s=%.5f', $_, 0.2 / @faults } @faults;
my $endpoint = LlavaZh::Endpoint->new(latency => '20-200', faults => $faults, seed => $seed);
my $node = LlavaZh::Cluster->new('soak', conf => "llava_zh.workers = 2\nllava_zh.max_attempts = 8\nllava_zh.retry_delay_max = '200ms'\n");
$node->create_server('sim', $endpoint->url, "max_in_flight '16', request_timeout '3s'");
my $images = 0;

# as many new pictures as keep it busy until the next blow
sub feed
{
	$node->safe_psql('postgres', LlavaZh::Cluster::pictures_sql($images + 1, $images + 40));
	$images += 40;
	return;
}

# Until the server has noticed: after SIGKILL it ends all its processes and starts again.
sub kill_worker
{
	my ($signal) = @_;
	my @pids = split /\n/, $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = 'llava_zh worker' ORDER BY pid");
	my $pid = @pids ? $pids[ rand @pids ] : return;
	kill $signal, $pid;
	$node->wait_query("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid", '0') // die 'it does not end';
	return;
}

for my $round (1 .. $rounds)
{
	my $moment = $endpoint->stats->{requests} + 1 + int rand 30;
	feed();
	$endpoint->wait_for(requests => $moment) // die "round $round: the requests stopped";
	if ($round % 10 == 0)
	{
		$node->kill9;
		$node->start_again;
	}
	else
	{
		kill_worker(rand() < 0.5 ? 'KILL' : 'TERM');
	}
}
# a minute for what waited, and one for each ten rounds' worth
my $drained;
for (0 .. $rounds / 10)
{
	last if $drained = $node->wait_drained;
}
ok($drained, "after $rounds rounds the queue runs dry");

my $counts = $node->safe_psql('postgres', <<'SQL');
SELECT (SELECT count(*) FROM llava_image), (SELECT count(*) FROM llava_image i
	WHERE NOT EXISTS (SELECT FROM llava_conversation c WHERE c.image = i.id)
	AND NOT EXISTS (SELECT FROM llava_pending p WHERE p.image = i.id AND p.failure IS NOT NULL)),
	(SELECT count(*) FROM (SELECT image FROM llava_conversation GROUP BY image HAVING count(*) > 1) d)
SQL
is($counts, "$images|0|0", 'every image is a sample or failed with a reason, none is two samples');
note $node->safe_psql('postgres', "SELECT 'failed: ' || failure || ' ' || count(*) FROM llava_pending GROUP BY failure");

my %asked;
$asked{ $_->{request_id} }++ for $endpoint->requests;
is(join(' ', grep { $asked{$_} > 1 } keys %asked), '', 'no call id reached the endpoint twice');

my %known = map { $_ => 1 } split /\n/,
  $node->safe_psql('postgres', 'SELECT id FROM llava_reply UNION ALL SELECT call FROM llava_interrupted');
my $unexplained = grep { !$known{$_} } keys %asked;
is($unexplained, $node->safe_psql('postgres', 'SELECT sum(requests - replies) FROM llava_usage'),
	'calls without a reply or an interruption are those that failed, to the one');
is($node->safe_psql('postgres', 'SELECT count(*) FROM (SELECT id FROM llava_reply WHERE NOT late INTERSECT SELECT call FROM llava_interrupted) b'),
	'0', 'no call is both');
my $stats = $endpoint->stats;
cmp_ok($stats->{connections}, '<', $stats->{requests} / 2, 'connections are used again');
note "requests $stats->{requests}, connections $stats->{connections}, unexplained $unexplained";
$node->stop('fast');
$endpoint->stop;
done_testing();
