# A hard limit of open files below max_in_flight: fewer requests at once, said once,
# and nothing fails.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new(faults => 'hold=1');
# for this process and the server it starts
system('prlimit', '--nofile=300:300', "--pid=$$") == 0 or plan skip_all => 'prlimit is needed';
my $node = LlavaZh::Cluster->new('descriptors', conf => "llava_zh.max_attempts = 1\n");
$node->create_server('sim', $endpoint->url, "max_in_flight '200', request_timeout '60s'");
$node->insert_pictures(1, 250, 'detail');
# all that are sent before one is answered; what is on its way there cannot be released
$endpoint->wait_for(held => 32);
my ($allowed) = slurp_file($node->logfile) =~ /leaves room for (\d+) requests at once, not 2\d\d/;
cmp_ok($allowed, '>=', 32, 'the log says how many requests there is room for');
cmp_ok($allowed, '<', 200, 'fewer than max_in_flight');
$endpoint->control(faults => '', latency => 20);
$endpoint->control(release => 1);
ok($node->wait_drained, 'all are asked');
is($node->safe_psql('postgres', 'SELECT count(*) FROM llava_conversation'), '250', 'and answered');
cmp_ok($endpoint->stats->{max_in_flight}, '<=', $allowed, 'never more at once');
my @said = slurp_file($node->logfile) =~ /leaves room for/g;
is(scalar(@said), 1, 'which is said once');
unlike(slurp_file($node->logfile), qr/Too many open files|out of file descriptors/, 'there was no failure');
$node->stop('fast');
$endpoint->stop;
done_testing();
