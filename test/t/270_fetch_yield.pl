# A thousand URLs with stated outcomes, in an order of chance, through a SIGKILL in the
# middle: each ends as it must, and what was fetched is what the web has.
#
# LLAVA_SEED: of the order.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Web;
use List::Util qw(shuffle);
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{LLAVA_SEED} // 1911;
srand($seed);
note "seed $seed";

my $web = LlavaZh::Web->new;
my $at = ":$web->{port}";
my $node = LlavaZh::Cluster->new('yield', conf => $web->settings(fetch_delay => '20ms', fetch_attempts => 1, fetch_timeout => '4s')
	  . "llava_zh.image_max_size = '64kB'\n");

# path of a host that allows all, and what becomes of it; %s is a number of its own
my @kinds = (
	[ 'status/404/%s', 'not_found' ], [ 'status/410/%s', 'not_found' ], [ 'status/401/%s', 'forbidden' ], [ 'status/451/%s', 'forbidden' ],
	[ 'status/403/%s', 'forbidden' ], [ 'status/403/%s?Expires=1000000000', 'expired' ], [ 'status/418/%s', 'blocked' ], [ 'html/%s', 'not_image' ],
	[ 'page/%s', 'not_image' ], [ 'length/%s', 'too_large' ], [ 'endless/%s', 'too_large' ], [ 'gzip/%s', 'too_large' ], [ 'headers/%s', 'too_large' ],
	[ 'hop/9/%s', 'redirects' ], [ 'loop/%s', 'redirects' ], [ 'raw/file:///etc/passwd-%s', 'scheme' ], [ "raw/http://127.0.0.1$at/%s", 'address' ],
	[ "raw/http://u:p\@a.test$at/%s", 'credentials' ], [ 'raw/http://a.test:22/%s', 'port' ], [ 'to/deny1.test/%s', 'robots' ],
	[ 'to/ip-10-0-0-1.test/%s', 'address' ], [ 'header/X-Robots-Tag:%%20max-snippet:%%2010,%%20noai/%s', 'reserved' ],
	[ 'header/tdm-reservation:%%201/%s', 'reserved' ], [ 'header/Content-Usage:%%20train-ai=n/%s', 'reserved' ],
	[ 'header/X-Robots-Tag:%%20googlebot:%%20noindex/%s', 'done' ], [ 'empty/%s', 'tried: empty' ], [ 'cut/%s', 'cut' ], [ 'close/%s', 'connect' ],
	[ 'status/500/%s', 'server_error' ], [ 'junk/%s', 'connect' ], [ 'hop/3/%s', 'done' ], [ 'lie/%s', 'done' ], [ 'slow/60/%s', 'done' ],
	[ 'size/30000/%s', 'done' ], [ 'size/90000/%s', 'too_large' ], [ 'picture/图 %s?词', 'done' ], [ 'to/allow1.test/picture/%s', 'done' ]);
my %cases;
my $n = 0;
sub add { my ($url, $became) = @_; $cases{$url} = $became; return; }

# forty hosts, of whose URLs most are pictures and few are faults: none of them is down or blocked
for my $host (1 .. 40)
{
	add("http://allow$host.test$at/" . sprintf($kinds[ 5 * $n % @kinds ][0], $n), $kinds[ 5 * $n % @kinds ][1]), $n++ for 1 .. 7;
	add("http://allow$host.test$at/picture/$_", 'done') for 1 .. 14;
}
# hosts that forbid all or some, that reserve, or are not there; what is refused at INSERT
for my $n (1 .. 5)
{
	add("http://deny$_.test$at/$n", 'robots'), add("http://white$_.test$at/$n", 'robots') for 1 .. 3;
	add("http://allow$_.test$at/private/$n", 'robots') for 1 .. 3;
	add("http://signal$_.test$at/$n", 'reserved'), add("http://r403-$_.test$at/$n", 'done'), add("http://rhtml$_.test$at/$n", 'done') for 1 .. 2;
	add("http://delay9999-$n.test$at/1", 'crawl_delay');
	add("http://ip-192-168-0-$n.test$at/$_", 'address') for 1 .. 3;
	add("ftp://a.test/$n", 'rejected: scheme');
	add("http://u\@a$n.test/", 'rejected: credentials');
	add("http://a.test:2$n/", 'rejected: port');
	add("http://10.0.0.$n/", 'rejected: address');
	add("http://a\\$n.test/", 'rejected: url');
}
add("http://r500-$_.test$at/1", 'waits'), add("http://nx$_.test$at/1", 'waits') for 1 .. 3;
$n = 0;
add("http://allow99.test$at/picture/" . $n++, 'done') while keys %cases < 1000;
is(scalar(keys %cases), 1000, 'a thousand URLs');

# in two lots; the fetcher is killed in the middle
my @urls = shuffle sort keys %cases;
for my $lot ([ @urls[ 0 .. 699 ] ], [ @urls[ 700 .. 999 ] ])
{
	my $rows = join ', ', map { "('" . s/'/''/gr . "')" } @$lot;
	$node->safe_psql('postgres', "SET standard_conforming_strings = on; INSERT INTO llava_image (source_url) VALUES $rows");
	last if $lot->[0] eq $urls[700];
	ok($node->wait_query('SELECT count(*) > 200 FROM llava_fetched'), 'it is in the middle');
	my $pid = $node->wait_query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'llava_zh fetcher'", '\d+');
	kill 9, $pid;
	$node->wait_query("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid", '0') // die 'it does not end';
}
my $settled = <<'SQL';
SELECT count(*) = 0 FROM llava_fetch f LEFT JOIN llava_host h USING (host)
WHERE f.failure IS NULL AND f.tried IS NULL AND (h.host IS NULL OR h.reason IS NULL OR h.free_at < now() + interval '30 s')
SQL
ok($node->wait_query($settled), 'each has come, rests, or waits for long')
  or diag($node->safe_psql('postgres', 'SELECT f.*, h.* FROM llava_fetch f LEFT JOIN llava_host h USING (host) WHERE failure IS NULL'));

my %became = map { my ($url, $became) = split /\|/, $_, 2; ($url => $became) } split /\n/, $node->safe_psql('postgres', <<'SQL');
SELECT i.source_url, CASE WHEN i.image IS NOT NULL THEN 'done' WHEN i.rejected IS NOT NULL THEN 'rejected: ' || i.rejected
	WHEN i.same_as IS NOT NULL THEN 'same' WHEN f.failure IS NOT NULL THEN f.failure
	WHEN f.tried IS NOT NULL THEN 'tried: ' || f.tried ELSE 'waits' END
FROM llava_image i LEFT JOIN llava_fetch f ON f.image = i.id
SQL
my @wrong = map { "$_: " . ($became{$_} // 'nothing') . ", not $cases{$_}" } grep { ($became{$_} // '') ne $cases{$_} } sort keys %cases;
is(join("\n", @wrong), '', 'each has ended as it must');
my $pictures = grep { $_ eq 'done' } values %cases;
is($node->safe_psql('postgres', 'SELECT count(image), count(DISTINCT sha256) FROM llava_image'), "$pictures|$pictures", 'each picture is there');
is($node->safe_psql('postgres', "SELECT count(*) FROM llava_image i WHERE image IS NOT NULL AND source_url LIKE '%/picture/%' AND source_url NOT LIKE '%图%' AND source_url NOT LIKE '%/to/%'"
	  . " AND position(convert_to(regexp_replace(source_url, '^http://([^:]+):\\d+', '\\1'), 'UTF8') in image) = 0"), '0', 'and is the one of its URL');
my %asked;
$asked{"$_->{host}$_->{path}"}++ for $web->journal('http');
is(join(' ', grep { $asked{$_} > 2 && !/robots\.txt/ } sort keys %asked), '', 'none was asked for more than once more');
is(join(' ', $web->refused), '', 'no connection elsewhere was tried');
$node->stop('fast');
done_testing();
