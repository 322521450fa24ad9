# The settings of preparation that only a worker shows: how many threads it has, the
# quality of the JPEGs it makes, and the time a picture may take.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('preparation', conf => "llava_zh.prepare_threads = 3\nllava_zh.image_max_size = '64MB'\n");
$node->create_server('sim', $endpoint->url);

# Its pid, once it is ready to work.
sub ready
{
	my ($pid) = @_;
	$node->wait_query("SELECT count(*) = 1 FROM llava_stat_worker WHERE pid = $pid", 't') or die 'no worker';
	return $pid;
}

sub threads { my ($pid) = @_; return scalar(my @threads = glob "/proc/$pid/task/*"); }

# The setting, and the pid of a worker that works by it.
sub set
{
	my ($setting, $value) = @_;
	my $pid = $node->worker_pid;
	$node->safe_psql('postgres', "ALTER SYSTEM SET llava_zh.$setting = '$value'");
	$node->reload;
	kill 'TERM', $pid;
	$node->wait_query("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid", 't') or die 'the worker does not end';
	$node->reload;
	return ready($node->worker_pid($pid));
}

# Bytes that were sent of a picture that has to be made smaller; its pixels are the
# same whatever its number.
my $noise = join '', map { chr(($_ * 2654435761 >> 13) % 256) } 1 .. 1600 * 4;
sub bytes_sent
{
	my ($number) = @_;
	my @rows = map { substr $noise, ($_ * 37) % 4000, 1600 } 1 .. 1600;
	my $file = $node->basedir . "/noise$number.png";
	append_to_file($file, LlavaZh::Cluster::grey_png(@rows) . $number);
	$node->safe_psql('postgres', "INSERT INTO llava_image (path, image) VALUES ('noise$number', pg_read_binary_file('$file'))");
	$node->wait_drained or die 'no reply comes';
	return (($endpoint->requests)[-1])->{image_bytes};
}

is(threads(ready($node->worker_pid)), 1 + 3, 'it has the threads it was given');
is(threads(set('prepare_threads', 1)), 1 + 1, 'the next one others');

my $fine = bytes_sent(1);
set('image_quality', 30);
my $coarse = bytes_sent(2);
cmp_ok($coarse, '<', $fine * 0.7, "JPEGs of a lower quality are smaller ($fine and $coarse bytes)");

# 100 megapixels take longer than 10 ms of CPU time
set('image_max_time', '10ms');
my $file = $node->basedir . '/large.png';
append_to_file($file, LlavaZh::Cluster::png(1, 10000));
$node->safe_psql('postgres', "INSERT INTO llava_image (path, image) VALUES ('large', pg_read_binary_file('$file'))");
ok($node->wait_query("SELECT failure FROM llava_pending", 'too_slow'), 'a picture that takes too long rests with that reason');
is(scalar($endpoint->requests), 2, 'and is not asked about');
$node->safe_psql('postgres', "ALTER SYSTEM SET llava_zh.image_max_time = '60s'");
$node->reload;
is($node->safe_psql('postgres', 'SELECT llava_retry()'), '1', 'with more time');
ok($node->wait_drained, 'it is');
is(scalar($endpoint->requests), 3, 'asked about');

$node->stop('fast');
$endpoint->stop;
done_testing();
