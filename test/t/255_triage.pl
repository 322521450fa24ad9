# Triage of a whole data set in small: a third of the pictures, drawn by a seed, are worth
# nothing, and no dear question is asked about them; at each stand every picture of a task is
# counted once; and what is left keeps the mix.
#
# LLAVA_TRIAGE: pictures (1000); make triage takes 20,000.
use strict;
use warnings;
use utf8;
use lib 'test/perl';
use Encode qw(encode_utf8);
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use LlavaZh::Page;
use LlavaZh::Stages qw(stages_on sql striped);
use List::Util qw(min sum);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $pictures = $ENV{LLAVA_TRIAGE} // 1000;
my $seed = $ENV{LLAVA_TRIAGE_SEED} // 19;
srand($seed);
note "seed $seed";
my %weight = ('日常对话' => 247_431, '复杂推理' => 194_646, '描述图片' => 199_791);
my $all = sum(values %weight);

# objects as models write them; a few pictures that the model cannot read
my $noise = join ',', (map { "object-$_=0.05" } qw(prose fence template python wide word)), '400-image=0.01';
my $endpoint = LlavaZh::Endpoint->new(seed => $seed, faults => $noise);
my $node = LlavaZh::Cluster->new('triage', conf => "llava_zh.workers = 2\nmax_wal_size = '4GB'\nshared_buffers = '256MB'\n");
stages_on($node);
$node->create_server('sim', $endpoint->url, "max_in_flight '64'");

# the recipe's edit, for all drawn tasks
my ($recipe) = grep { $_->{heading} eq 'How do I ask a cheap question first?' } @{ LlavaZh::Page->new('sql/cookbook.md')->{blocks} };
my ($edit, $look) = split /\n/, $recipe->{text};
for my $task (sort keys %weight)
{
	sql($edit =~ s/描述图片/$task/r);
}
is(sql("SELECT count(*) FROM (SELECT DISTINCT ON (name) after FROM llava_task WHERE weight > 0 ORDER BY name, version DESC) t WHERE after = '筛选'"), '3', 'the recipe gates each drawn task');

# JPEGs with something to see and plain ones, and a comment in each that makes its bytes its own
my @plain = map { rand() < 1 / 3 ? 1 : 0 } 1 .. $pictures;
my $nothing = sum(@plain);
sql('CREATE TABLE jpeg (plain integer, n integer, jpeg bytea)');
sql(sprintf 'INSERT INTO jpeg SELECT plain, n, llava_prepare_image(png) FROM (VALUES %s) AS v (plain, n, png)', join ', ',
	map { my $n = $_; map { sprintf "(%d, %d, '\\x%s'::bytea)", $_, $n, unpack('H*', $_ ? LlavaZh::Cluster::png($n) : striped($n)) } 0, 1 } 0 .. 9);

sub insert
{
	for (my $from = 0; $from < $pictures; $from += 10_000)
	{
		my $drawn = join ',', @plain[ $from .. min($from + 10_000, $pictures) - 1 ];
		sql(<<"SQL");
INSERT INTO llava_image (path, image)
SELECT CASE plain WHEN 1 THEN 'plain' ELSE 'striped' END || d.n + $from || '.jpg',
	substring(jpeg FROM 1 FOR 2) || '\\xfffe000a'::bytea || int8send(d.n + $from) || substring(jpeg FROM 3)
FROM unnest('{$drawn}'::integer[]) WITH ORDINALITY AS d (plain, n) JOIN jpeg j USING (plain) WHERE j.n = d.n % 10 ORDER BY d.n
SQL
	}
	return;
}

# Each picture of each drawn task is counted once.
sub check_sums
{
	my ($when) = @_;
	is(sql("SELECT p.task, i.n FROM llava_progress p JOIN (SELECT task, count(*) AS n FROM llava_image WHERE rejected IS NULL AND same_as IS NULL GROUP BY task) i USING (task)
		WHERE p.weight > 0 AND i.n <> waiting + in_flight + done + failed + same + skipped + behind"), '', "$when: the sums are right")
	  or diag(encode_utf8(sql('SELECT task, waiting, in_flight, done, failed, same, skipped, behind FROM llava_progress')));
	is(sql("SELECT count(*) FROM llava_progress WHERE weight > 0"), '3', 'of three tasks');
	return;
}

# Both stages, each stopped while requests of it are in flight.
my $began = time;
$endpoint->control(faults => 'hold=1');
insert();
sql("INSERT INTO llava_image (path, image) SELECT 'again' || path, image FROM llava_image WHERE id <= 5");
$endpoint->wait_in_flight(32);
check_sums('triage in flight');
is(sql("SELECT sum(behind) FROM llava_progress WHERE weight > 0"), $pictures, 'all are behind the gate');
$endpoint->control(faults => $noise, release => 1);
$endpoint->wait_for(answered => $pictures / 2) // die 'no answers';
$endpoint->control(faults => 'hold=1');
$endpoint->wait_in_flight(32);
check_sums('half way');
like(sql($look), qr/^描述图片\|/m, 'the recipe looks');
$endpoint->control(faults => $noise, release => 1);
ok($node->wait_drained, "$pictures pictures, to the end");
note sprintf '%.0f s', time - $began;
check_sums('at the end');

#
# What was asked
#
my %failed = map { split /\|/ } split /\n/, sql("SELECT task, count(*) FROM llava_pending WHERE failure = 'bad_image' GROUP BY task");
my ($worth, $unread) = split /\|/, sql("SELECT count(*) FILTER (WHERE i.path LIKE 'striped%'), count(*) FILTER (WHERE i.path LIKE 'plain%')
	FROM llava_annotation a JOIN llava_image i ON i.id = a.image WHERE a.task = '筛选'");
is($worth + $unread + ($failed{'筛选'} // 0), $pictures, 'each picture is judged, or the model could not read it');
is(sql("SELECT count(*), count(DISTINCT failure) FROM llava_pending WHERE failure <> 'bad_image'"), "$unread|1", 'those that are worth nothing rest');
is(sql("SELECT count(*) FROM llava_pending p JOIN llava_image i ON i.id = p.image WHERE p.failure = 'condition' AND (i.path NOT LIKE 'plain%' OR p.call IS NOT NULL)"), '0', 'and only those, never asked about');
is(sql("SELECT count(*) FROM llava_reply r JOIN llava_image i ON i.id = r.image WHERE r.task <> '筛选' AND i.path NOT LIKE 'striped%'"), '0', 'no dear question about them');
my $dear = sum(map { $failed{$_} // 0 } keys %weight);
is(sql("SELECT count(*), count(DISTINCT image) FROM llava_conversation"), ($worth - $dear) . '|' . ($worth - $dear), 'one about each of the others');
is(sql("SELECT sum(skipped) FROM llava_progress"), $unread, 'the requests saved are those that the recipe counts as skipped');
my $asked = grep { exists $weight{ $_->{task} // '' } } $endpoint->requests;
is($asked, sql("SELECT count(*) FROM llava_reply WHERE task <> '筛选'") + $dear, "the endpoint was asked $asked dear questions");
cmp_ok($asked, '<', $pictures - $unread + $dear + $pictures / 20, 'in place of one a picture');

#
# The mix
#
my %done = map { split /\|/ } split /\n/, sql('SELECT task, count(*) FROM llava_conversation GROUP BY task');
for my $task (sort keys %weight)
{
	my $share = $weight{$task} / $all;
	my $sigma = sqrt($worth * $share * (1 - $share));
	cmp_ok(abs($done{$task} - $worth * $share), '<=', 4 * $sigma, sprintf '%s: %d of %d, of which it should be %.0f', encode_utf8($task), $done{$task}, $worth, $worth * $share);
}
my $scarcest = min(map { $done{$_} / $weight{$_} } keys %weight);
my %mixed = map { split /\|/ } split /\n/, sql("SELECT line::json ->> 'task', count(*) FROM llava_export('imagefolder', mix => true) AS line GROUP BY 1");
is_deeply(\%mixed, { map { ($_ => int($weight{$_} * $scarcest + 1e-9)) } keys %weight }, 'an exported mix has exactly the published shares');

$node->stop('fast');
$endpoint->stop;
done_testing();
