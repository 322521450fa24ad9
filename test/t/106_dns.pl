# A name that never resolves: its server is paused for that, nobody's attempt counts,
# and it holds up neither other servers, sessions, other databases nor the shutdown.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $top = PostgreSQL::Test::Utils::tempdir;
my $asked = "$top/asked";
command_ok([ 'gcc', '-shared', '-fPIC', '-O1', '-o', "$top/hanging_dns.so", 'test/hanging_dns.c', '-ldl' ], 'the resolver is built');
my $endpoint = LlavaZh::Endpoint->new;
my $node;
{
	local $ENV{LD_PRELOAD} = "$top/hanging_dns.so";
	local $ENV{HANGING_DNS} = $asked;
	$node = LlavaZh::Cluster->new('dns', conf => "llava_zh.max_attempts = 2\n");
}
sub sql { return $node->safe_psql('postgres', shift); }

# Until the name was asked for so many times.
sub wait_asked
{
	my ($times) = @_;
	for (1 .. 600)
	{
		return 1 if (-s $asked // 0) >= $times;
		usleep(100_000);
	}
	return 0;
}

# beside a server that works
$node->create_server('hung', 'http://hangs.test/v1', "max_in_flight '4', connect_timeout '300ms'");
$node->create_server('sim', $endpoint->url, "max_in_flight '4', priority '1'");
$node->insert_pictures(1, 20);
ok(wait_asked(1), 'the name is asked for');
ok($node->wait_query("SELECT pause_reason IS NOT NULL FROM llava_stat_server WHERE server = 'hung'"), 'its server is paused');
note sql("SELECT pause_reason, pause_detail FROM llava_usage WHERE server = 'hung'");
ok($node->wait_drained, 'the next one answers all');
is(sql('SELECT count(*) FROM llava_conversation'), '20', 'each is a sample');
is(sql("SELECT count(DISTINCT r.image) FROM llava_reply r WHERE server <> 'sim'"), '0', 'by the server that works');
is(sql("SELECT replies FROM llava_usage WHERE server = 'hung'"), '0', 'and none by the other');

sql('DROP SERVER sim CASCADE');
sql("ALTER SERVER hung OPTIONS (SET connect_timeout '600s')");

# a session, cancelled
my $times = -s $asked;
my $since = time;
my ($code, $out, $err) = $node->psql('postgres',
	"SET statement_timeout = '5s'; SELECT llava_generate(decode('" . unpack('H*', LlavaZh::Cluster::png(99)) . "', 'hex'), '描述图片', 'hung')");
like($err, qr/canceling statement due to statement timeout/, 'a session that waits for the name can be cancelled');
cmp_ok(time - $since, '<', 30, 'long before the name is given up');
cmp_ok(-s $asked, '>', $times, 'it had asked');

# requests that wait for the name for long
sql('CREATE DATABASE other');
$times = -s $asked;
$node->insert_pictures(21, 30);
ok(wait_asked($times + 1), 'the worker asks for the name again');
is(sql('SELECT count(*) FROM llava_pending WHERE failure IS NULL'), '10', 'the pictures wait');
$since = time;
sql('DROP DATABASE other');
cmp_ok(time - $since, '<', 4, 'another database can be dropped');

# attempts: of those that were sent and timed out before, and of these
is(sql('SELECT count(*) FROM llava_pending WHERE attempts > 1'), '0', 'no attempt was burnt');
my $worker = $node->worker_pid;
$since = time;
sql("SELECT pg_terminate_backend($worker, 20000)");
$times = -s $asked;
cmp_ok(time - $since, '<', 2, 'a worker that waits for the name ends when told to');
ok(wait_asked($times + 1), 'the next one waits again');
$since = time;
$node->stop('fast');
cmp_ok(time - $since, '<', 2, 'and so does the server');
$endpoint->stop;
done_testing();
