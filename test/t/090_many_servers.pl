# Several servers: the least loaded of the best priority is asked, the next ones when
# it cannot be, and a sick one holds nobody up.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my %endpoint = map { $_ => LlavaZh::Endpoint->new(latency => 20) } qw(a b spare own);
my $node = LlavaZh::Cluster->new('servers', conf => "llava_zh.retry_delay_max = '200ms'\n");
my $next = 1;

sub requests { return $endpoint{ $_[0] }->stats->{requests}; }

sub drain
{
	my ($n, $what, $task) = @_;
	$node->insert_pictures($next, $next + $n - 1, $task);
	$next += $n;
	ok($node->wait_drained, $what);
	return;
}

$node->create_server('a', $endpoint{a}->url, "max_in_flight '4'");
$node->create_server('b', $endpoint{b}->url, "max_in_flight '4'");
$node->create_server('spare', $endpoint{spare}->url, "max_in_flight '4', priority '1'");
$endpoint{$_}->control(faults => 'hold=1') for qw(a b);
$node->insert_pictures($next, $next + 39);
$next += 40;
ok($endpoint{$_}->wait_for(in_flight => 4), "$_ has its share") for qw(a b);
$endpoint{$_}->control(faults => '', release => 1) for qw(a b);
ok($node->wait_drained, 'three servers');
is(requests('spare'), 0, 'a lower priority has none while they can be asked');
is($node->safe_psql('postgres', 'SELECT string_agg(DISTINCT server, \',\') FROM llava_reply'), 'a,b', 'the ledger says who answered');

# one that cannot even be read
$node->safe_psql('postgres', <<"END");
BEGIN;
CREATE SERVER broken FOREIGN DATA WRAPPER llava_zh OPTIONS (url 'http://127.0.0.1:1/v1', model 'test');
UPDATE pg_foreign_server SET srvoptions = srvoptions || '{max_in_flight=many}' WHERE srvname IN ('broken', 'spare');
COMMIT;
END
drain(10, 'servers whose options cannot be read hold up nobody');
like(slurp_file($node->logfile), qr/LOG:  llava_zh: server "\Q$_\E" cannot be used: .*many/, "of $_ the log tells") for qw(broken spare);
$node->safe_psql('postgres', "DROP SERVER broken; UPDATE pg_foreign_server SET srvoptions = array_remove(srvoptions, 'max_in_flight=many')");

# one that hangs keeps its own requests and nobody else's
$endpoint{a}->control(faults => 'hang=1');
$node->safe_psql('postgres', "ALTER SERVER a OPTIONS (ADD request_timeout '60s')");
$node->insert_pictures($next, $next + 39);
$next += 40;
ok($node->wait_query('SELECT count(*) <= 4 FROM llava_pending', 't'), 'while one server hangs the other goes on');
is($node->safe_psql('postgres', "SELECT in_flight FROM llava_stat_server WHERE server = 'a'"),
	$node->safe_psql('postgres', 'SELECT count(*) FROM llava_pending'), 'only what the sick one holds waits');
$endpoint{a}->stop;
ok($node->wait_drained, 'when it goes down, the others take that over');

# down: paused for its reason, probed, back by itself
ok($node->wait_query("SELECT pause_reason FROM llava_stat_server WHERE server = 'a'", 'refused'), 'a server that is down is paused');
drain(10, 'the rest go on');
$endpoint{a}->start;
$endpoint{a}->control(faults => '');
my $before = requests('a');
ok($node->wait_query(
		"INSERT INTO llava_image (path, image) SELECT 'again' || n, decode('"
		  . unpack('H*', LlavaZh::Cluster::png(9999)) . "', 'hex') || convert_to(n::text, 'UTF8') FROM (SELECT count(*) FROM llava_image) AS i (n) "
		  . "RETURNING (SELECT state = 'active' FROM llava_stat_server WHERE server = 'a')", 't'),
	'and resumes by itself when it is back');
ok($node->wait_drained, 'then');

# A server that is gone refuses connections.  On one that is kept a request can be lost instead: libcurl 8.23
# does not look whether it still stands if it was used a moment ago.
sub forget_connections
{
	my $pid = $node->worker_pid;
	kill 'TERM', $pid;
	$node->worker_pid($pid);
	return;
}

# all of the best priority down: the spare one
$endpoint{$_}->stop for qw(a b);
forget_connections();
drain(20, 'failover');
cmp_ok(requests('spare'), '>=', 20, 'to the next priority');
is($node->safe_psql('postgres', 'SELECT count(*) FROM llava_pending WHERE failure IS NOT NULL'), '0', 'nothing failed');
is($node->safe_psql('postgres', "SELECT count(*) FROM llava_stat_server WHERE pause_reason = 'refused'"), '2', 'both are known to be down');

# a task's own server
$node->create_server('own', $endpoint{own}->url, "max_in_flight '4', priority '5'");
$node->safe_psql('postgres', "INSERT INTO llava_task (name, server) VALUES ('描述图片', 'own')");
$before = requests('spare');
drain(5, 'a task with a server of its own', '描述图片');
is(requests('own') . ' ' . (requests('spare') - $before), '5 0', 'is asked there and nowhere else');
$endpoint{own}->stop;
forget_connections();
$node->insert_pictures($next, $next, '描述图片');
$node->insert_pictures($next + 1, $next + 4, '日常对话');
ok($node->wait_query("SELECT string_agg(task, ',') FROM llava_pending", '描述图片'), 'it waits for that server, and holds up no other task');
is($node->safe_psql('postgres', 'SELECT attempts - (holder IS NOT NULL)::int FROM llava_pending'), '0', 'with no attempt burnt');

$node->stop('fast');
$endpoint{spare}->stop;
done_testing();
