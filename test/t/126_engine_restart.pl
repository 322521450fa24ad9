# An engine that goes down by itself blames nobody; one behind a gateway, several workers and
# a crash of PostgreSQL make no difference to whom a killer is told from.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use LlavaZh::Poison;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new(faults => 'hold=1', poison => $LlavaZh::Poison::SIZE, crash_ms => 1500);
my $node = LlavaZh::Cluster->new('restart', conf => "llava_zh.workers = 2\n");
my $pictures = LlavaZh::Poison->new($node, $endpoint);
$node->create_server('sim', $endpoint->url, "max_in_flight '64'");
my $view = "SELECT state || coalesce(': ' || pause_detail, '') FROM llava_stat_server";
my $attempts = 'SELECT max(attempts - (holder IS NOT NULL)::int) FROM llava_pending';

# with 32 in flight, which is how a server is begun with
$pictures->insert(40);
$endpoint->wait_in_flight(32);
$endpoint->control(faults => '', latency => 1000, crash => 1);
ok($node->wait_query('SELECT pause_reason FROM llava_stat_server', 'connection_lost|refused'), 'an outage: the server is paused');
is($node->safe_psql('postgres', $attempts), 0, 'an outage: no attempt counts');
ok($node->wait_query($view, 'active: requests that were lost together.*'), 'an outage: the view says that they are tried');
is($node->safe_psql('postgres', $attempts), 0, 'an outage: no attempt has counted');
$pictures->ends('an outage', pictures => 40, killers => 0, requests => 120, crashes => 1, company => 6);
ok($node->wait_query($view, 'active'), 'an outage: the view says so no more');
my $log = slurp_file($node->logfile);
like($log, qr/server "sim": requests that were lost together/, 'the log says that they are tried');
like($log, qr/server "sim" is sent requests as before/, 'and that it is over');

$endpoint->control(faults => 'hold=1', latency => 100);
$pictures->insert(1);
$endpoint->wait_in_flight(1);
$endpoint->control(faults => '', crash => 1);
$pictures->ends('an outage with one in flight', pictures => 1, killers => 0, requests => 10, crashes => 1, company => 1);

$endpoint->control(latency => '100-300');
$pictures->insert(200, 100);
$pictures->ends('two workers', pictures => 200, killers => 1, requests => 500, crashes => 5, company => 8);

# The worker and PostgreSQL go down while suspects wait.
$pictures->insert(100, 50);
ok($node->wait_query('SELECT count(*) > 0 FROM llava_pending WHERE company > 0'), 'a crash of PostgreSQL: there are suspects');
$node->kill9;
$node->start_again;
$pictures->ends('a crash of PostgreSQL', pictures => 100, killers => 1, crashes => 7);

# A gateway before the engine: only others' answers tell a kill from an outage.
$endpoint->control('crash-status' => 502);
$pictures->insert(100, 50);
my $more = 0;
until ($node->wait_query("SELECT count(*) FILTER (WHERE failure IS NULL) <= 1, count(failure) > 0 FROM llava_pending", 't\|.') =~ /t$/)
{
	$pictures->insert(1);
	$more++;
	ok($node->wait_query("SELECT count(*) <= 1 FROM llava_pending WHERE failure IS NULL"), 'another picture is answered');
	last if $more == 5;
}
$pictures->ends('behind a gateway', pictures => 100 + $more, killers => 1, crashes => 8, company => 8);

$node->stop('fast');
$endpoint->stop;
done_testing();
