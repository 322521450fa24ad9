# A whole dataset in small: distinct tiny pictures, three tasks in the published mix,
# two workers, one endpoint; to the end, unattended, each picture once.
#
# LLAVA_REHEARSAL: pictures (20000); make rehearsal takes all 641,868.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use List::Util qw(max sum);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $pictures = $ENV{LLAVA_REHEARSAL} // 20_000;
my %published = ('日常对话' => 247_431, '复杂推理' => 194_646, '描述图片' => 199_791);
my $all = 641_868;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('rehearsal', conf => "llava_zh.workers = 2\nllava_zh.near_duplicates = off\nmax_wal_size = '4GB'\nshared_buffers = '256MB'\n");
$node->create_server('sim', $endpoint->url, "max_in_flight '128'");

# one JPEG, and a comment in it that makes each copy's bytes its own
my $png = unpack('H*', LlavaZh::Cluster::png(1));
my $began = time;
for (my $from = 1; $from <= $pictures; $from += 10_000)
{
	my $to = $from + 9_999 < $pictures ? $from + 9_999 : $pictures;
	$node->safe_psql('postgres', <<"SQL");
INSERT INTO llava_image (path, image)
SELECT n || '.jpg', substring(jpeg FROM 1 FOR 2) || '\\xfffe000a'::bytea || int8send(n) || substring(jpeg FROM 3)
FROM generate_series($from, $to) AS n, (SELECT llava_prepare_image(decode('$png', 'hex')) AS jpeg OFFSET 0) AS j
SQL
}
note sprintf('%d pictures inserted in %.0f s', $pictures, time - $began);

# resident memory of the workers, in MB
sub memory
{
	my $most = 0;
	for my $pid (split /\n/, $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'llava_zh worker'"))
	{
		my ($anonymous) = eval { slurp_file("/proc/$pid/status") } =~ /^RssAnon:\s+(\d+)/m;
		$most = max($most, ($anonymous // 0) / 1024);
	}
	return $most;
}

my ($peak, $before) = (0, 0);
my $done = 0;
while ($done < $pictures)
{
	my $at = time;
	my $goal = $done + 20_000 < $pictures ? $done + 20_000 : $pictures;
	$endpoint->wait_for(done => $goal, timeout => 1_800_000) // last;
	$peak = max($peak, memory());
	note sprintf('%d requests answered, %.0f a second, workers up to %.0f MB', $goal, ($goal - $done) / (time - $at), $peak);
	$done = $goal;
}
ok($node->wait_drained, "$pictures pictures, to the end");
note sprintf('%.0f s in all, database %s', time - $began, $node->safe_psql('postgres', 'SELECT pg_size_pretty(pg_database_size(current_database()))'));

my $samples = $node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT image) FROM llava_conversation');
is($samples, "$pictures|$pictures", 'each picture is one sample');
is($node->safe_psql('postgres', 'SELECT count(*) FROM llava_pending'), '0', 'none failed');
my %done = map { split /\|/ } split /\n/, $node->safe_psql('postgres', 'SELECT task, count(*) FROM llava_conversation GROUP BY task');
cmp_ok(abs($done{$_} - $pictures * $published{$_} / $all), '<=', $pictures % $all == 0 ? 0 : 12, "$_ has its share: $done{$_}")
  for sort keys %published;
# the questions of the pool, each as often as the others within five sigma
my @asked = split /\n/, $node->safe_psql('postgres', "SELECT count(c.image) FROM llava_task t CROSS JOIN LATERAL unnest(t.questions) q
	LEFT JOIN llava_conversation c ON c.task = t.name AND c.conversation -> 0 ->> 'value' = q
	WHERE t.name = '描述图片' GROUP BY q");
my $mean = ($done{'描述图片'} // 0) / @asked;
cmp_ok(scalar @asked, '>', 10, 'a pool of questions');
cmp_ok(abs($_ - $mean), '<', 5 * sqrt($mean), "a question is asked $_ times") for @asked;
is(sum(@asked), $done{'描述图片'}, 'and no other question');
cmp_ok($peak, '<', 200, 'in bounded memory');

$node->stop('fast');
$endpoint->stop;
done_testing();
