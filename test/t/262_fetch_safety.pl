# Where the fetcher connects to, by what connect() and sendto() were called with, not by its
# log: public addresses and what is let in, and nothing else, whatever URLs, names,
# redirects and variables of the environment say.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Web;
use PostgreSQL::Test::Utils;
use Test::More;

my $web = LlavaZh::Web->new;
my $node;
{
	# a proxy is not taken from the environment
	local %ENV = (%ENV, map { $_ => 'http://127.9.9.9:9' } qw(http_proxy https_proxy all_proxy HTTPS_PROXY));
	$node = LlavaZh::Cluster->new('safety',
		conf => $web->settings(fetch_allow => '127.0.0.0/27', fetch_delay => '20ms', fetch_timeout => '5s'));
}

my @refused4 = qw(0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 127.1.0.1 169.254.169.254 172.16.0.1 192.0.0.1
  192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255 168.63.129.16);
my @literals = (@refused4, '127.1', '2130706433', '0x7f000001', '0x7f.1', '017700000001', '127.0.0.1.', '127.0.0.%31', "\x{2460}\x{2461}\x{2466}.0.0.1",
	map { "[$_]" } qw(:: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::10.0.0.1 64:ff9b::10.0.0.1 64:ff9b:1::1 2002:a00:1:: 2001:0:a00:1::
	  fe80::1 fc00::1 fd00:ec2::254 fec0::1 ff02::1 2001:db8::1 3fff::1 2606:4700::5efe:a00:1));
my @names = ((map { 'ip-' . tr/./-/r . '.test' } @refused4), map { "rebind$_.test" } 1 .. 3);
push @names, 'six.test', 'mixed.test';

sub insert
{
	my (@urls) = @_;
	my $list = join ', ', map { utf8::encode($_); "('$_')" } @urls;
	return $node->safe_psql('postgres', "INSERT INTO llava_image (source_url) VALUES $list RETURNING rejected");
}

is(join(' ', grep { $_ ne 'address' } split /\n/, insert(map { "http://$_/x" } @literals)), '', 'each spelling of an address is refused at INSERT');
insert(map { ("http://$_:$web->{port}/picture/1", "http://$_:$web->{port}/picture/2") } @names);
# behind redirects, of pictures and of robots.txt
insert(map { "http://a.test:$web->{port}/raw/http://$_:$web->{port}/x" } grep { !/\x{2460}/ } @literals);
insert(map { "http://b.test:$web->{port}/to/$_/x" } @names);
insert("http://rmoved.test:$web->{port}/x");
ok($node->wait_query(<<'SQL'), 'each has ended, or waits for long') or diag($node->safe_psql('postgres', 'SELECT * FROM llava_fetch f JOIN llava_host h USING (host) WHERE failure IS NULL'));
SELECT count(*) = 0 FROM llava_fetch f LEFT JOIN llava_host h USING (host)
WHERE f.failure IS NULL AND (h.host IS NULL OR h.free_at < now() + interval '1 h') AND f.visible_at < now() + interval '30 s'
SQL
is($node->safe_psql('postgres', "SELECT count(*) FROM llava_image i JOIN llava_fetched f ON f.image = i.id WHERE f.address !~ '^127\\.0\\.0\\.'"), '0',
	'nothing came from elsewhere');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM llava_fetched'), '>', 0, 'something came from the web that is let in');

my %to = map { $_ => 1 } $web->connects;
my @wrong = grep { !/^127\.0\.0\.(?:[0-9]|[12][0-9]|3[01]):$web->{port}$/ && $_ ne "127.0.0.1:$web->{names}" && !/^127\.0\.0\.1:/ } sort keys %to;
is(join(' ', @wrong), '', 'no connection and no datagram went elsewhere');
is(join(' ', $web->refused), '', 'none was even tried');
cmp_ok(scalar(keys %to), '>', 3, 'and some went where they may');
my $log = slurp_file($node->logfile);
like($log, qr/WARNING: .*fetch_allow lets the fetcher connect to addresses that are not public/, 'what is let in is said in the log');

# a range that is let in no more: kept connections are not used either
my $before = scalar(() = $web->journal('http'));
$node->append_conf('postgresql.conf', "llava_zh.fetch_allow = ''\n");
$node->reload;
ok($node->wait_query("SELECT current_setting('llava_zh.fetch_allow') = ''"), 'the setting is read');
# the fetcher itself has read it when it refuses a host that is new
insert("http://new.test:$web->{port}/x");
ok($node->wait_query("SELECT failure FROM llava_fetch WHERE host LIKE '%new.test%'", 'address'), 'nothing is let in any more');
insert("http://a.test:$web->{port}/picture/new");
ok($node->wait_query("SELECT failure FROM llava_fetch WHERE url LIKE '%/picture/new'", 'address'), 'also over connections that were kept');
is(scalar(() = $web->journal('http')), $before, 'no request was sent');

done_testing();
