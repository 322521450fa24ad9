# The fetcher through a SIGKILL, two restarts and a stop of its own: no URL is lost, none is
# fetched more than once more, and no host is asked before its delay is over.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Web;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $delay_ms = 150;
my ($hosts, $each) = (30, 12);
my $web = LlavaZh::Web->new;
my $node = LlavaZh::Cluster->new('crash', conf => $web->settings(fetch_delay => "${delay_ms}ms"));
my $fetcher = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'llava_zh fetcher'";

# slow answers, so that something is under way at each end
$node->safe_psql('postgres', <<"SQL");
INSERT INTO llava_image (source_url)
SELECT format('http://allow%s.test:$web->{port}/slow/60/%s-%s', h, h, n) FROM generate_series(1, $each) n, generate_series(1, $hosts) h
SQL

# Until this many pictures have come.
sub come { ok($node->wait_query("SELECT count(*) >= $_[0] FROM llava_fetched"), "$_[0] have come"); return; }

come($hosts);
my $killed = $node->wait_query($fetcher, '\d+');
kill 9, $killed;
ok($node->wait_query("$fetcher AND pid <> $killed", '\d+'), 'after a SIGKILL there is another fetcher');
come(4 * $hosts);
$node->restart;
come(6 * $hosts);
$node->stop('immediate');
$node->start;
come(8 * $hosts);
$node->append_conf('postgresql.conf', "llava_zh.fetch = off\n");
$node->reload;
ok($node->wait_query("SELECT count(*) = 0 FROM llava_fetch WHERE holder IS NOT NULL"), 'turned off, it lets go');
$node->append_conf('postgresql.conf', "llava_zh.fetch = on\n");
$node->reload;
ok($node->wait_query('SELECT count(*) = 0 FROM llava_fetch'), 'nothing is left to be fetched');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT sha256), count(image) FROM llava_image'),
	join('|', ($hosts * $each) x 3), 'each picture has come');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT p.image) FROM llava_pending p'),
	join('|', ($hosts * $each) x 2), 'and is queued once');

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
is(scalar(keys %asked), $hosts * ($each + 1), 'each was asked for, and robots.txt of each host');
is(join(' ', grep { $asked{$_} > 2 } keys %asked), '', 'none more than once more');
my @again = grep { $asked{$_} > 1 } keys %asked;
cmp_ok(scalar @again, '<=', 4 * $hosts, 'only what was under way was asked for again (' . scalar(@again) . ')');
is(join(' ', grep { m{/robots\.txt$} } @again), '', 'robots.txt of no host twice');

done_testing();
