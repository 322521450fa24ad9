# A storm of 429 costs time and nothing else; a wrong key or an empty account is
# asked about once, not row by row, and mending it is enough.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $endpoint = LlavaZh::Endpoint->new(latency => 5);
# one attempt: whatever burns it fails the row
my $node = LlavaZh::Cluster->new('storms', conf => "llava_zh.max_attempts = 1\nllava_zh.retry_delay_max = '100ms'\n");
$node->create_server('sim', $endpoint->url, "max_in_flight '10'");
my $next = 1;

sub insert
{
	my ($n) = @_;
	$node->insert_pictures($next, $next + $n - 1, 'detail');
	$next += $n;
	return;
}

sub failed { return $node->safe_psql('postgres', 'SELECT count(*) FROM llava_pending WHERE failure IS NOT NULL'); }

# The window grows by what is answered: there is work for as long as it takes.
sub recovered
{
	my $until = time + $PostgreSQL::Test::Utils::timeout_default;

	while (time < $until)
	{
		return 1 if $node->safe_psql('postgres', 'SELECT allowed >= 9 FROM llava_stat_server') eq 't';
		insert(50);
		return 0 if !$node->wait_drained;
	}
	return 0;
}

foreach my $fault ('429-none', '429-1', '429-date', '503-1')
{
	my $before = $endpoint->stats->{requests};
	$endpoint->control(faults => "$fault=1");
	insert(30);
	ok($endpoint->wait_for(requests => $before + 5), "$fault: a storm");
	ok($node->wait_query('SELECT allowed < 5 FROM llava_stat_server', 't'), "$fault: fewer are asked at once");
	$endpoint->control(faults => '');
	insert(200);
	ok($node->wait_drained, "$fault: the queue is drained when it is over");
	ok(recovered(), "$fault: and at least nine in ten of the slots are used again");
	is(failed(), '0', "$fault: no attempt was burnt");
}

# the key of another account
$endpoint->control(api_key => 'right');
$node->safe_psql('postgres', "CREATE USER MAPPING FOR CURRENT_USER SERVER sim OPTIONS (api_key 'wrong')");
my $log = -s $node->logfile;
my $before = $endpoint->stats->{requests};
my $since = time;
insert(200);
ok($node->wait_query('SELECT pause_reason FROM llava_stat_server', 'key'), 'a wrong key pauses the server');
ok($node->wait_query('SELECT count(*) = 0 FROM llava_pending WHERE holder IS NOT NULL', 't'), 'the rows are given back');
cmp_ok($endpoint->stats->{requests} - $before, '<=', 11 + 10 * (time - $since), 'after no more requests than were in flight, and its probes');
$node->safe_psql('postgres', "ALTER USER MAPPING FOR CURRENT_USER SERVER sim OPTIONS (SET api_key 'right')");
ok($node->wait_drained, 'the right key is noticed by itself');
is(failed(), '0', 'no attempt was burnt');
my @paused = slurp_file($node->logfile, $log) =~ /server "sim" paused \(key\)/g;
is(scalar(@paused), 1, 'one pause is one line of the log');
unlike(slurp_file($node->logfile), qr/LOG:.*(?:wrong|right)'?$/m, 'which does not show the key');

# no money: what it says is in the account, not here
$endpoint->control(api_key => '', faults => '400-arrearage=1');
$before = $endpoint->stats->{requests};
$since = time;
insert(200);
ok($node->wait_query('SELECT pause_reason FROM llava_stat_server', 'money'), 'an empty account pauses the server');
ok($node->wait_query('SELECT count(*) = 0 FROM llava_pending WHERE holder IS NOT NULL', 't'), 'the rows are given back');
cmp_ok($endpoint->stats->{requests} - $before, '<=', 11 + 10 * (time - $since), 'after no more requests than were in flight, and its probes');
$endpoint->control(faults => '');
$node->safe_psql('postgres', "SELECT llava_resume('sim')");
ok($node->wait_drained, 'the account is filled, and on it goes');
is(failed(), '0', 'no attempt was burnt');

$node->stop('fast');
$endpoint->stop;
done_testing();
