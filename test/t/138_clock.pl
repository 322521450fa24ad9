# A clock that is set back, or rows whose time somebody has set far ahead, keep nothing
# waiting: rows become due, paused servers are probed, workers start; the log says it once.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = PostgreSQL::Test::Utils::tempdir;
my $clock = "$top/clock";
command_ok([ 'gcc', '-shared', '-fPIC', '-O1', '-o', "$top/set_clock.so", 'test/set_clock.c', '-ldl' ], 'the clock is built');

# how many seconds ahead of the machine's the server's clock is
sub set_clock
{
	my ($seconds) = @_;
	# the same file for ever: servers have it mapped
	open(my $file, -e $clock ? '+<' : '>', $clock) or die "$clock: $!";
	syswrite($file, pack('q', $seconds)) == 8 or die;
	close($file);
	return;
}

set_clock(0);
my $endpoint = LlavaZh::Endpoint->new;
my $node;
{
	local $ENV{LD_PRELOAD} = "$top/set_clock.so";
	local $ENV{SET_CLOCK} = $clock;
	$node = LlavaZh::Cluster->new('clock',
		conf => "llava_zh.retry_delay_max = '5s'\nlog_min_messages = log\n");
}
sub sql { return $node->safe_psql('postgres', shift); }
sub lines { my ($what) = @_; return scalar(() = slurp_file($node->logfile) =~ /$what/g); }
my $BROUGHT_BACK = qr/rows of the queue were to wait for longer/;
my $SET_BACK = qr/the clock was set back by/;

#
# Rows that somebody has put off, in a drain.
#
$node->safe_psql('postgres', 'CREATE DATABASE alone');
$node->safe_psql('alone', 'CREATE EXTENSION llava_zh');
$node->safe_psql('alone', "CREATE SERVER sim FOREIGN DATA WRAPPER llava_zh OPTIONS (url '" . $endpoint->url . "', model 'test')");
# a queue that was never asked about, with calls in it, would be taken for a restore's
$node->safe_psql('alone', "SELECT nextval('llava_call_seq')");
$node->safe_psql('alone', LlavaZh::Cluster::pictures_sql(1, 6));
$node->safe_psql('alone', "UPDATE llava_pending SET visible_at = now() + interval '1 day' WHERE image <= 3");
$node->safe_psql('alone', "UPDATE llava_pending SET visible_at = 'infinity', holder = 3, call = 77, attempts = 1 WHERE image = 4");
my ($rc, undef, $err) = $node->psql('alone', "SET statement_timeout = '60s'; CALL llava_drain()");
is($rc, 0, 'a drain ends') or diag($err);
like($err, qr/NOTICE:  llava_zh: rows of the queue were to wait for longer than 360 s.*DETAIL.*6 samples, 0 failed/s, 'and asks what was put off for a day, and says so');
is($node->safe_psql('alone', 'SELECT call, sent IS NULL FROM llava_interrupted'), '77|t', 'a lease that nobody holds is ended, too');

# a wait that may be one of ours is none of that
$node->safe_psql('alone', LlavaZh::Cluster::pictures_sql(11, 11));
$node->safe_psql('alone', "UPDATE llava_pending SET visible_at = now() + interval '350 s'");
($rc, undef, $err) = $node->psql('alone', "SET statement_timeout = '5s'; CALL llava_drain()");
unlike($err, $BROUGHT_BACK, 'a wait that is no longer than a lease is left alone');
is($node->safe_psql('alone', 'SELECT count(*) FROM llava_pending'), '1', 'and waits');

#
# The clock is set back by a day: what waits, a lease, a pause.
#
set_clock(86400);
$node->create_server('sim', $endpoint->url, "max_in_flight '4'");
$endpoint->stop;
$node->insert_pictures(1, 20);
ok($node->wait_query('SELECT pause_reason FROM llava_stat_server', 'refused'), 'the server is paused, and its probe is for tomorrow');
is(lines($SET_BACK), 0, 'a clock that goes forward is none of it');
set_clock(0);
$endpoint->start;
ok($node->wait_drained, 'all is asked today');
is(sql('SELECT count(*), count(DISTINCT image) FROM llava_conversation'), '20|20', 'once each');
is(lines($SET_BACK), 1, 'the worker says once that the clock was set back');
is(lines($BROUGHT_BACK), 1, 'and that it brought rows back');

# in mid-air
set_clock(86400);
$endpoint->control(faults => 'hold=1');
$node->insert_pictures(21, 40);
$endpoint->wait_for(in_flight => 4) or die;
set_clock(0);
$endpoint->control(faults => '');
$endpoint->control(release => 1);
ok($node->wait_drained, 'what was in flight is settled, and the rest asked');
is(sql('SELECT count(*), count(DISTINCT image), (SELECT count(*) FROM llava_interrupted) FROM llava_conversation'), '40|40|0', 'once each again');

# requests that are lost together tomorrow, and a picture that is missing tomorrow
set_clock(86400);
$endpoint->control(faults => 'hold=1');
$node->insert_pictures(41, 60);
$endpoint->wait_for(in_flight => 4) or die;
sql("INSERT INTO llava_pending (image, task) VALUES (100000, '描述图片')");
$endpoint->kill;
ok($node->wait_query('SELECT count(*) > 0 FROM llava_pending WHERE company IS NOT NULL'), 'they are suspects');
set_clock(0);
$endpoint->start;
$endpoint->control(faults => '');
ok($node->wait_query("SELECT count(*) = 0 FROM llava_pending WHERE failure IS NULL OR failure <> 'no_picture'"), 'they are asked today');
is(sql('SELECT count(*), count(DISTINCT image) FROM llava_conversation'), '60|60', 'all of them');
ok($node->wait_query("SELECT count(*) = 1 FROM llava_pending WHERE failure = 'no_picture'"), 'a row waits for its picture');
sql('INSERT INTO llava_image (id, path, image) SELECT 100000, ' . "'late.png', decode('" . unpack('H*', LlavaZh::Cluster::png(99)) . "', 'hex')");
ok($node->wait_query("SELECT count(*) FROM llava_conversation WHERE image = 100000 AND task = '描述图片'", '1'), 'and is asked when it comes');

# a worker that is to start tomorrow
set_clock(86400);
my $pid = $node->worker_pid;
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 60000)");
set_clock(0);
ok($node->worker_pid($pid), 'starts today');

$node->stop('fast');
$endpoint->stop;
done_testing();
