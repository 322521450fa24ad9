# A row may be a URL: what comes of each, exactly, as rows and in the server's journal.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Web;
use PostgreSQL::Test::Utils;
use Test::More;

my $web = LlavaZh::Web->new;
my $node = LlavaZh::Cluster->new('fetch', conf => $web->settings . "llava_zh.image_max_size = '64kB'\nllava_zh.fetch_timeout = '3s'\n");
my $port = $web->{port};

# URL, and what becomes of it: 'done', a failure that rests, or why it waits
my @cases = (
	[ 'http://a.test/picture/1', 'done' ],
	[ 'http://a.test/lie/1', 'done' ],
	[ 'http://a.test/picture/图 1?词', 'done' ],
	[ 'http://allow.test/x', 'done' ],
	[ 'http://allow.test/private/x', 'robots' ],
	[ 'http://deny.test/x', 'robots' ],
	[ 'http://white.test/x', 'robots' ],
	[ 'http://rhtml.test/x', 'done' ],
	[ 'http://r403.test/x', 'done' ],
	[ 'http://r500.test/x', 'waits: robots.txt: HTTP status 500' ],
	[ 'http://r429.test/x', 'waits: robots.txt: HTTP status 429' ],
	[ 'http://rcut.test/x', 'waits: robots.txt: ' ],
	[ 'http://rmoved.test/x', 'robots' ],
	[ 'http://rloop.test/x', 'done' ],
	[ 'http://signal.test/x', 'reserved' ],
	[ 'http://delay9999.test/x', 'crawl_delay' ],
	[ 'http://b.test/status/404', 'not_found' ],
	[ 'http://b.test/status/410', 'not_found' ],
	[ 'http://b.test/status/401', 'forbidden' ],
	[ 'http://c.test/status/403', 'forbidden' ],
	[ 'http://c.test/status/403/x?Expires=1000000000', 'expired' ],
	[ 'http://c.test/status/418', 'blocked' ],
	[ 'http://c.test/html', 'not_image' ],
	[ 'http://d.test/page', 'not_image' ],
	[ 'http://d.test/empty', 'tried: empty' ],
	[ 'http://d.test/length', 'too_large' ],
	[ 'http://d.test/endless', 'too_large' ],
	[ 'http://e.test/gzip', 'too_large' ],
	[ 'http://e.test/headers', 'too_large' ],
	[ 'http://e.test/hop/3/x', 'done' ],
	[ 'http://e.test/hop/9/x', 'redirects' ],
	[ 'http://e.test/loop', 'redirects' ],
	[ 'http://f.test/to/deny.test/y', 'robots' ],
	[ 'http://f.test/to/a.test/y', 'done' ],
	[ 'http://f.test/to/nx.test/y', 'waits: robots.txt: ' ],
	[ 'http://f.test/raw/file:///etc/passwd', 'scheme' ],
	[ 'http://f.test/raw/http://127.0.0.1/x', 'address' ],
	[ 'http://f.test/raw/http://u:p@a.test/x', 'credentials' ],
	[ 'http://f.test/to/ip-10-0-0-1.test/y', 'address' ],
	[ 'http://g.test/header/X-Robots-Tag:%20max-snippet:%2010,%20noai/1', 'reserved' ],
	[ 'http://g.test/header/tdm-reservation:%201/2', 'reserved' ],
	[ 'http://g.test/header/Content-Usage:%20train-ai=n/3', 'reserved' ],
	[ 'http://g.test/header/X-Robots-Tag:%20googlebot:%20noindex/4', 'done' ],
	[ 'http://h.test/status/500', 'tried: server_error' ],
	[ 'http://h.test/cut', 'tried: cut' ],
	[ 'http://h.test/close', 'tried: connect' ],
	[ 'http://i.test/hang', 'tried: timeout' ],
	[ 'http://nx2.test/x', 'waits: robots.txt: ' ],
	[ 'http://ip-169-254-169-254.test/x', 'address' ],
	[ 'http://ip-10-1-1-1.test/x', 'address' ],
	[ 'http://six.test/x', 'address' ],
	[ 'http://mixed.test/x', 'done' ],
	# refused at once
	[ 'ftp://a.test/x', 'rejected: scheme' ],
	[ 'data:image/png;base64,AAAA', 'rejected: scheme' ],
	[ "http://a.test/\tx", 'rejected: url' ],
	[ 'http://' . ('a' x 64) . '.test/', 'rejected: url' ],
	[ 'http://' . ('a.' x 130) . 'test/', 'rejected: url' ],
	[ 'http://127.0.0.1/x', 'rejected: address' ],
	[ 'http://0x7f.1/x', 'rejected: address' ],
	[ 'http://u@a.test/x', 'rejected: credentials' ],
	[ 'http://a.test:1/x', 'rejected: port' ]);

for (@cases)
{
	$_->[0] =~ s{^(http://[^/:]+\.test)(?=/)}{$1:$port} if $_->[1] !~ /^rejected/;
	$_->[0] =~ s{/raw/http://([^/]+)}{/raw/http://$1:$port} if $_->[1] ne 'scheme';
}
my $rows = join ', ', map { my $url = $_->[0] =~ s/'/''/gr; "('$url')" } @cases;
$node->safe_psql('postgres', "INSERT INTO llava_image (source_url) VALUES $rows");
is($node->safe_psql('postgres', "INSERT INTO llava_image (source_url) VALUES ('http://a.cn/' || repeat('x', 10000000)) RETURNING rejected"),
	'url', 'a URL of 10 MB is refused, and no error');

my $settled = <<'SQL';
SELECT count(*) = 0 FROM llava_fetch f LEFT JOIN llava_host h USING (host)
WHERE f.failure IS NULL AND f.tried IS NULL AND (h.host IS NULL OR h.reason IS NULL OR h.free_at < now() + interval '1 h')
SQL
ok($node->wait_query($settled), 'everything has come, rests, or waits for long')
  or diag($node->safe_psql('postgres', 'SELECT f.*, h.* FROM llava_fetch f LEFT JOIN llava_host h USING (host) WHERE failure IS NULL'));

my %became = map { my ($url, $became) = split /\|/, $_, 2; ($url => $became) } split /\n/, $node->safe_psql('postgres', <<'SQL');
SELECT i.source_url, CASE WHEN i.image IS NOT NULL THEN 'done' WHEN i.rejected IS NOT NULL THEN 'rejected: ' || i.rejected
	WHEN i.same_as IS NOT NULL THEN 'same' WHEN f.failure IS NOT NULL THEN f.failure
	WHEN f.tried IS NOT NULL THEN 'tried: ' || f.tried WHEN h.reason IS NOT NULL THEN 'waits: ' || h.reason ELSE 'waits' END
FROM llava_image i LEFT JOIN llava_fetch f ON f.image = i.id LEFT JOIN llava_host h USING (host)
WHERE length(i.source_url) < 5000
SQL
for my $case (@cases)
{
	my $became = $became{ $case->[0] } // 'nothing';
	if ($case->[1] =~ /^waits: /) { like($became, qr/^\Q$case->[1]\E/, $case->[0]); }
	else { is($became, $case->[1], $case->[0]); }
}

# evidence
is($node->safe_psql('postgres', <<"SQL"), "t|t|1|200|t", 'evidence says where a picture came from');
SELECT d.final_url = 'http://a.test:$port/y', d.address LIKE '127.0.0.%', cardinality(d.hops), d.status, d.fetched_at > now() - interval '5 min'
FROM llava_fetched d WHERE d.url LIKE '%/to/a.test/y'
SQL
is($node->safe_psql('postgres', "SELECT count(*), count(DISTINCT task) > 1 FROM llava_image WHERE image IS NOT NULL AND task IS NOT NULL AND sha256 IS NOT NULL AND format = 'jpeg' AND width = 64"),
	scalar(grep { $_->[1] eq 'done' } @cases) . '|t', 'what came has facts and a task');
is($node->safe_psql('postgres', "SELECT count(*) FROM llava_pending p JOIN llava_image i ON i.id = p.image WHERE i.image IS NOT NULL"),
	scalar(grep { $_->[1] eq 'done' } @cases), 'and waits for the model');

# the journal: delays, robots.txt, what was not asked for
my @requests = $web->journal('http');
my %last;
my $near = 0;
for my $request (@requests)
{
	my $before = $last{ $request->{host} };
	$near++, diag("$request->{host} $request->{path} after " . ($request->{us} - $before) . ' us')
	  if defined $before && $request->{us} - $before < 50_000;
	$last{ $request->{host} } = $request->{us};
}
is($near, 0, 'no two requests to a host are nearer than its delay (of ' . scalar(@requests) . ')');
my %robots;
$robots{ $_->{host} }++ for grep { $_->{path} eq '/robots.txt' } @requests;
is_deeply([ grep { $robots{$_} > 1 && !/^rloop/ } sort keys %robots ], [], 'robots.txt is asked for once a host');
is_deeply([ grep { $_->{path} =~ m{^/private/} || ($_->{host} =~ /^(deny|white)/ && $_->{path} ne '/robots.txt') } @requests ], [],
	'nothing is asked for that robots.txt refuses');
is(join(' ', $web->refused), '', 'no connection elsewhere was tried');

done_testing();
