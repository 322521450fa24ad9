# Retry-After holds for its row; a server stops for it only when most answers say so, or the
# headers say that its budget is empty, for llava_zh.retry_delay_max at most.  What is
# waited for is shown with its end, and forgotten by llava_resume and by ALTER SERVER.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new(latency => 5);
my $node = LlavaZh::Cluster->new('retry_after', conf => "llava_zh.retry_delay_max = '1h'\n");
my $next = 1;
$node->create_server('sim', $endpoint->url, "max_in_flight '500'");

sub sql { return $node->safe_psql('postgres', shift); }

sub insert
{
	my ($n) = @_;
	$node->insert_pictures($next, $next + $n - 1, 'detail');
	$next += $n;
	return;
}

sub server { return sql("SELECT $_[0] FROM llava_stat_server WHERE server = 'sim'"); }
sub server_becomes { return $node->wait_query("SELECT $_[0] FROM llava_stat_server WHERE server = 'sim'", $_[1]); }
my $waits = "SELECT count(*) FROM llava_pending WHERE visible_at > now() + '5 minutes'";

# what holds requests back at a server that refuses nothing
$endpoint->control(faults => 'hold=1');
insert(10);
ok(server_becomes('held_down_by', 'slow start'), 'slow start is what holds allowed down');
sql("ALTER SERVER sim OPTIONS (SET max_in_flight '8')");
ok(server_becomes('held_down_by', 'max_in_flight'), 'then max_in_flight');
$endpoint->control(faults => '', release => 1);
ok($node->wait_drained, 'on it goes');

# one refusal among many is its row's
$endpoint->control(plan => '5:429-21600');
insert(40);
ok($node->wait_query('SELECT count(*) FROM llava_conversation', '49'), 'one Retry-After of six hours holds up no other row');
is(sql("$waits AND visible_at < now() + '1 hour 1 second'"), '1', 'its row waits, for retry_delay_max at most');
is(server("state, coalesce(waits_for, 'nothing'), waits_until IS NULL, allowed"), 'active|nothing|t|8', 'the server waits for nothing');
sql("SELECT llava_resume('sim')");
ok($node->wait_drained, 'llava_resume has the row asked again');

# nothing but refusals: the server waits, and says for what
sub stop_server
{
	my ($fault, $why) = @_;
	$endpoint->control(faults => "$fault=1", plan => '');
	insert(40);
	ok(server_becomes("concat(state, ' ', waits_for, ' ', held_down_by)", 'active Retry-After Retry-After'), "$why: the server waits for Retry-After");
	is(server("waits_until BETWEEN now() + '55 minutes' AND now() + '1 hour'"), 't', "$why: for retry_delay_max at most");
	$endpoint->control(faults => '');
	return;
}

stop_server('429-21600', 'nothing but refusals');
cmp_ok(sql($waits), '>', 0, 'rows wait, too');
sql("SELECT llava_resume('sim')");
ok($node->wait_drained, 'llava_resume has both forgotten');
ok(server_becomes('waits_for IS NULL AND waits_until IS NULL'), 'nothing is waited for any more');

stop_server('429-21600', 'again');
sql("ALTER SERVER sim OPTIONS (SET max_in_flight '9')");
ok($node->wait_drained, 'ALTER SERVER has both forgotten');

# one answer is enough if it says that nothing is left
$endpoint->control(plan => '1:429-budget-7200');
insert(1);
ok(server_becomes('waits_for', 'Retry-After'), 'an empty budget stops the server at once');
is(server("waits_until BETWEEN now() + '55 minutes' AND now() + '1 hour'"), 't', 'for retry_delay_max at most');
sql("SELECT llava_resume('sim')");
ok($node->wait_drained, 'llava_resume lifts that, too');

# a short one ends by itself
sql("ALTER SYSTEM SET llava_zh.retry_delay_max = '1s'");
$node->restart;
my $before = $endpoint->stats->{requests};
$endpoint->control(faults => '429-21600=1', plan => '');
insert(40);
ok($endpoint->wait_for(requests => $before + 5), 'refusals again');
$endpoint->control(faults => '');
ok($node->wait_drained, 'which end by themselves after retry_delay_max');
is(sql('SELECT count(*) FROM llava_pending WHERE failure IS NOT NULL'), '0', 'no attempt was burnt');

# what else holds requests back
sql("ALTER SERVER sim OPTIONS (ADD requests_per_minute '30')");
insert(3);
ok(server_becomes("concat(held_down_by, ' ', waits_for, ' ', waits_until <= now() + '3 seconds')", 'requests_per_minute requests_per_minute t'), 'requests_per_minute, with the end of the wait');
sql("ALTER SERVER sim OPTIONS (DROP requests_per_minute, ADD tokens_per_minute '10000')");
ok(server_becomes("concat(held_down_by, ' ', waits_for)", 'tokens_per_minute tokens_per_minute'), 'tokens_per_minute');
sql("ALTER SERVER sim OPTIONS (DROP tokens_per_minute)");
ok($node->wait_drained, 'on it goes');
$endpoint->control(faults => '401=1');
sql("ALTER SYSTEM SET llava_zh.retry_delay_max = '1min'");
$node->reload;
insert(1);
ok(server_becomes("concat(state, ' ', waits_for, ' ', waits_until > now())", 'paused probe t'), 'a paused server waits for its probe');

$node->stop('fast');
$endpoint->stop;
done_testing();
