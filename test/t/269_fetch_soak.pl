# The fetcher is killed again and again, sometimes with the whole server, at moments that
# requests choose: no URL is lost, none is asked for more than once more, and no delay is
# shortened.
#
# LLAVA_FETCH_SOAK: rounds (3); every fifth kills the whole server.  LLAVA_SOAK_SEED.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Web;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $rounds = $ENV{LLAVA_FETCH_SOAK} // 3;
my $seed = $ENV{LLAVA_SOAK_SEED} // 4711;
srand($seed);
note "seed $seed";

my ($hosts, $each, $delay_ms) = (20, 4, 60);
my $web = LlavaZh::Web->new;
my $node = LlavaZh::Cluster->new('fetchsoak', conf => $web->settings(fetch_delay => "${delay_ms}ms"));

# what goes on in different ways: pictures, slow ones, redirects, refusals, faults
my @paths = ('picture/%s', 'slow/80/%s', 'slow/200/%s', 'to/allow%s.test/picture/%s-%s', 'hop/2/%s', 'size/300000/%s', 'status/404/%s', 'html/%s');

sub wait_requests
{
	my ($n) = @_;
	for (1 .. 6000)
	{
		return 1 if (() = $web->journal('http')) >= $n;
		usleep(10_000);
	}
	die "the requests stopped before $n";
}

my $done = "SELECT count(*) = 0 FROM llava_fetch WHERE failure IS NULL";
my $inserted = 0;
for my $round (1 .. $rounds)
{
	my @urls;
	for my $host (1 .. $hosts)
	{
		for my $n (1 .. $each)
		{
			my $path = $paths[ rand @paths ] =~ s/%s/"$round-$host-$n"/er;
			$path =~ s/allow\d+-(\d+)-\d+/"allow" . ($1 % $hosts + 1)/e;
			$path =~ s/%s/$round/;
			$path =~ s/%s/$host$n/;
			push @urls, "('http://allow$host.test:$web->{port}/$path')";
		}
	}
	my $before = () = $web->journal('http');
	$node->safe_psql('postgres', 'INSERT INTO llava_image (source_url) VALUES ' . join(', ', @urls));
	$inserted += @urls;
	wait_requests($before + 1 + int rand 0.8 * @urls);
	if ($round % 5 == 0)
	{
		$node->kill9;
		$node->start_again;
	}
	else
	{
		my $pid = $node->wait_query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'llava_zh fetcher'", '\d+') // die 'no fetcher';
		kill 9, $pid;
		$node->wait_query("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid", '0') // die 'it does not end';
	}
	# each URL lives through one blow
	$node->wait_query($done) or die "round $round does not end";
}

is($node->safe_psql('postgres', <<'SQL'), "$inserted|0", "after $rounds rounds each row has its picture, or says why not");
SELECT count(*), count(*) FILTER (WHERE image IS NULL AND same_as IS NULL
	AND NOT EXISTS (SELECT FROM llava_fetch f WHERE f.image = i.id AND f.failure IN ('not_found', 'not_image'))) FROM llava_image i
SQL
is($node->safe_psql('postgres', "SELECT count(*) FROM llava_fetched d WHERE NOT EXISTS (SELECT FROM llava_image i WHERE i.id = d.image AND (i.image IS NOT NULL OR i.same_as IS NOT NULL))"),
	'0', 'there is no evidence without a picture');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT image) FROM llava_pending'), join('|', ($node->safe_psql('postgres', 'SELECT count(image) FROM llava_image')) x 2),
	'each picture is queued once');

my (%asked, %last, $near);
for my $request ($web->journal('http'))
{
	my $before = $last{ $request->{host} };
	$asked{"$request->{host}$request->{path}"}++;
	$near .= "$request->{host}$request->{path} after " . ($request->{us} - $before) . " us\n"
	  if defined $before && $request->{us} - $before < $delay_ms * 1000;
	$last{ $request->{host} } = $request->{us};
}
is($near, undef, 'no request began before its host\'s delay was over');
is(join(' ', grep { $asked{$_} > 2 } sort keys %asked), '', 'nothing was asked for more than once more');
my $again = grep { $asked{$_} > 1 } keys %asked;
cmp_ok($again, '<=', $rounds * $hosts, "only what was under way was ($again of " . keys(%asked) . ')');
$node->stop('fast');
done_testing();
