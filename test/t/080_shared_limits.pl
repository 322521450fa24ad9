# The limits of a server hold for two workers and a session together.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new(faults => 'hold=1');
my $node = LlavaZh::Cluster->new('limits', conf => "llava_zh.workers = 2\n");
$node->create_server('sim', $endpoint->url, "max_in_flight '6'");
my $workers = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'llava_zh worker'";
ok($node->wait_query($workers, '2'), 'two workers');

sub server
{
	my ($columns) = @_;
	return $node->safe_psql('postgres', "SELECT $columns FROM llava_stat_server");
}

# in flight: as many as allowed, of both workers together
$node->insert_pictures(1, 40);
$endpoint->wait_for(in_flight => 6);
ok($node->wait_query('SELECT in_flight FROM llava_stat_server', '6'), 'in flight, counted together');
$endpoint->control(release => 1, faults => '', latency => 20);
ok($node->wait_drained, 'two workers drain one queue');
cmp_ok($endpoint->stats->{max_in_flight}, '<=', 6, 'never more in flight than max_in_flight');
is(server('in_flight, allowed, answers'), '0|6|40', 'what is in flight is given back, and counted');
is(server('latency_p50_ms BETWEEN 20 AND 10000 AND latency_p95_ms >= latency_p50_ms AND tokens_per_minute > 0'),
	't', 'latencies and rates are known');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT image) FROM llava_conversation'), '40|40', 'each image once');

# max_requests: to the request
$node->safe_psql('postgres', "ALTER SERVER sim OPTIONS (ADD max_requests '55')");
$node->insert_pictures(41, 80);
ok($node->wait_query('SELECT pause_reason FROM llava_stat_server', 'max_requests'), 'max_requests pauses the server');
is($endpoint->stats->{requests}, 55, 'at exactly that many, of both workers');
my $png = unpack('H*', LlavaZh::Cluster::png(1000));
my $generate = "SET statement_timeout = '20s'; SELECT jsonb_typeof(llava_generate(decode('$png', 'hex'), 'detail'))";
my (undef, undef, $stderr) = $node->psql('postgres', $generate);
like($stderr, qr/max_requests of server "sim" is used up.*HINT:  ALTER SERVER sim OPTIONS \(SET max_requests/s, 'and holds for sessions');

# a session's request comes before the queue's next
$endpoint->control(latency => 1000);
$node->safe_psql('postgres', "ALTER SERVER sim OPTIONS (SET max_requests '100000', SET max_in_flight '1')");
ok($node->wait_query('SELECT in_flight FROM llava_stat_server', '1'), 'the queue has the only slot');
is($node->safe_psql('postgres', $generate), 'array', 'llava_generate gets it next');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM llava_pending'), '>', 5, 'before the queue is empty');
$endpoint->control(latency => 0);
ok($node->wait_drained, 'which is drained after it');

# who ends in the middle of a request gives its slot back
$endpoint->control(faults => 'hang=1', latency => 0);
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_until(qr/asking/, "\\echo asking\n$generate;\n");
$endpoint->wait_for(in_flight => 1);
$node->insert_pictures(81, 82);
is(server('in_flight'), '1', 'a session holds the only slot');
$endpoint->control(faults => '');
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ 'llava_generate' AND pid <> pg_backend_pid()");
ok($node->wait_drained, 'a session that ends gives it back');
$session->{run}->finish;

$endpoint->control(faults => 'hang=1');
$node->insert_pictures(83, 84);
$endpoint->wait_for(in_flight => 1);
$endpoint->control(faults => '');
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'llava_zh worker'");
ok($node->wait_drained, 'so do workers');
is(server('in_flight'), '0', 'all slots are free at the end');

# budget: of both workers, and raised without a restart
$node->safe_psql('postgres', "ALTER SERVER sim OPTIONS (SET max_in_flight '4', ADD input_price '1000', ADD output_price '1000', ADD budget '2')");
$node->insert_pictures(90, 129);
ok($node->wait_query('SELECT pause_reason FROM llava_stat_server', 'budget'), 'the budget pauses the server');
$node->wait_query('SELECT count(holder) = 0 FROM llava_pending') or die 'replies are not settled';
my ($cost, $most) = split /\|/, $node->safe_psql('postgres', 'SELECT cost, (SELECT max(prompt_tokens + completion_tokens) / 1000.0 FROM llava_reply) FROM llava_usage');
cmp_ok($cost, '>=', 2, 'when it is used up');
cmp_ok($cost, '<', 2 + 4 * $most, 'overshot by no more than was in flight');
$node->safe_psql('postgres', "ALTER SERVER sim OPTIONS (DROP budget)");
ok($node->wait_drained, 'without a budget, on it goes');

# the table that limits are held against takes long to read, and is written meanwhile
$node->safe_psql('postgres', "INSERT INTO llava_usage (server) SELECT 'gone' || i FROM generate_series(1, 30000) i");
$endpoint->control(latency => 10);
my @made = map { $endpoint->stats->{requests} + 25 * $_ } 1 .. 5;
$node->safe_psql('postgres', "ALTER SERVER sim OPTIONS (SET max_requests '$made[0]')");
$node->insert_pictures(201, 350);
my @sent = map {
	$node->safe_psql('postgres', "ALTER SERVER sim OPTIONS (SET max_requests '$_')");
	$node->wait_query('SELECT pause_detail FROM llava_stat_server', "max_requests $_ is reached \\($_ requests made(, \\d+ of them by llava_generate since the server's start)?\\);.*");
	$endpoint->stats->{requests};
} @made;
is("@sent", "@made", 'max_requests holds to the request all the same');
$node->safe_psql('postgres', "DELETE FROM llava_usage WHERE server ~ 'gone'; ALTER SERVER sim OPTIONS (DROP max_requests)");
ok($node->wait_drained, 'without it, on it goes');

# a statement that asks about many pictures does not bring back the options that held
# when it began; of two workers the second would read the new ones again
$node->safe_psql('postgres', 'ALTER SYSTEM SET llava_zh.workers = 1');
$node->reload;
$node->wait_query($workers, '1');
$endpoint->control(faults => 'hold=1');
my $select = "SELECT count(llava_generate(decode('$png', 'hex'), 'detail', 'sim')) FROM generate_series(1, 2)";
my $err = '';
my $run = IPC::Run::start([ 'psql', '-Xq', '-d', $node->connstr('postgres'), '-c', $select ], '<', \undef, '2>', \$err);
$endpoint->wait_for(in_flight => 1);
$node->safe_psql('postgres', "ALTER SERVER sim OPTIONS (ADD budget '1')");
ok($node->wait_query('SELECT pause_reason FROM llava_stat_server', 'budget'), 'a worker reads new options');
$endpoint->control(release => 1, faults => '');
$run->finish;
like($err, qr/the budget of server "sim" is used up/, 'which a session that asks on does not undo');
(undef, undef, $stderr) = $node->psql('postgres', "BEGIN; ALTER SERVER sim OPTIONS (DROP budget); $generate; ROLLBACK");
like($stderr, qr/the budget of server "sim" is used up/, 'nor one with options that nobody else has seen');

# both processes have slots to take and images to send: a share for each
is($node->safe_psql('postgres', 'SELECT count(*) FROM llava_conversation'), '274', 'every image is a sample');
$node->stop('fast');
$endpoint->stop;
done_testing();
