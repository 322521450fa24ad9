# A picture that takes the engine down fails, alone, and costs the others nothing: what is
# lost together counts no attempt, and is asked again by few, in the end one by one.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use LlavaZh::Poison;
use PostgreSQL::Test::Utils;
use Test::More;

# 30000: as long as an engine may take to be back; by hand
my $long = $ENV{LLAVA_CRASH_MS} // 5000;
my $endpoint = LlavaZh::Endpoint->new(latency => '100-300', poison => $LlavaZh::Poison::SIZE);
my $node = LlavaZh::Cluster->new('poison');
my $pictures = LlavaZh::Poison->new($node, $endpoint);
$node->create_server('sim', $endpoint->url, "max_in_flight '64'");

# down by 64, by 8, alone, and alone again; and once more where nothing has shown that it was back
my %one = (killers => 1, crashes => 5, company => 8);

$pictures->insert(500, 250);
$pictures->ends('one killer among 500', pictures => 500, requests => 700, %one);

$endpoint->control('crash-ms' => 1500);
$pictures->insert(300, 150, 152);
$pictures->ends('two killers in one window', pictures => 300, requests => 600, %one, killers => 2, crashes => 10);

$pictures->insert(100, 100);
$pictures->ends('a killer at the end of the queue', pictures => 100, requests => 300, %one);

$pictures->insert(1, 1);
$pictures->ends('a killer by itself', pictures => 1, requests => 10, %one, crashes => 2, company => 1);
like(slurp_file($node->logfile), qr/image \d+, task "[^"]+", is not sent any more: the server went down twice/, 'the log names it');

# the engine may be down still
for (1 .. 600)
{
	last if eval { $endpoint->control('crash-ms' => $long); 1 };
	select(undef, undef, undef, 0.1);
}
$pictures->insert(100, 50);
$pictures->ends("an engine that is back after $long ms", pictures => 100, requests => 350, %one);

$node->stop('fast');
$endpoint->stop;
done_testing();
