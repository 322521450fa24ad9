# Rows that are fetched, and what people do with them meanwhile: the same URL twice, another
# URL, removal, takedown, a given sha256, parked hosts, rights, a dump, no preloading.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Web;
use PostgreSQL::Test::Utils;
use Test::More;

my $web = LlavaZh::Web->new;
my $node = LlavaZh::Cluster->new('rows', conf => $web->settings(fetch_timeout => '8s'));
my $at = ":$web->{port}";
sub sql { return $node->safe_psql('postgres', $_[0]); }
sub insert { return sql("INSERT INTO llava_image (source_url) VALUES ('http://$_[0]') RETURNING id"); }
sub asked { my ($path) = @_; return scalar grep { $_->{path} eq $path } $web->journal('http'); }

# the same URL, the same bytes
my $first = insert("a.test$at/picture/1");
ok($node->wait_query("SELECT image IS NOT NULL FROM llava_image WHERE id = $first"), 'a picture comes');
my $second = insert("A.test$at/x/../picture/1#again");
ok($node->wait_query("SELECT same_as FROM llava_image WHERE id = $second", $first), 'the same URL, spelled otherwise, is the same picture');
is(asked('/picture/1'), 1, 'and was asked for once');
my $third = insert("b.test$at/same/x");
my $fourth = insert("c.test$at/same/x");
ok($node->wait_query("SELECT count(*) = 1 FROM llava_image WHERE id IN ($third, $fourth) AND same_as IN ($third, $fourth) AND image IS NULL"),
	'the same bytes of two URLs are the same picture');
is(sql("SELECT count(*) FROM llava_fetched WHERE image IN ($third, $fourth)"), '2', 'each with its evidence');

# a sha256 that is given
my $wrong = sql("INSERT INTO llava_image (source_url, sha256) VALUES ('http://a.test$at/picture/2', '\\x00') RETURNING id");
ok($node->wait_query("SELECT rejected FROM llava_image WHERE id = $wrong", 'changed'), 'other bytes than were meant are refused');

# meanwhile
my @hang = map { insert("h$_.test$at/hang/$_") } 1 .. 3;
ok($node->wait_query("SELECT count(*) FROM llava_fetch WHERE holder IS NOT NULL AND url LIKE '%/hang/%'", '3'), 'three are under way');
sql("UPDATE llava_image SET source_url = 'http://a.test$at/picture/3' WHERE id = $hang[0]; SELECT llava_remove($hang[1])");
sql("SELECT llava_forget($hang[2], 'a letter')");
ok($node->wait_query("SELECT image IS NOT NULL FROM llava_image WHERE id = $hang[0]"), 'another URL is fetched at once');
ok($node->wait_query('SELECT count(*) = 0 FROM llava_fetch', 't'), 'what was deleted or taken down is not waited for');
is(sql("INSERT INTO llava_image (source_url) VALUES ('http://h3.test$at/hang/3') RETURNING rejected || ' ' || rejected_detail") =~ /^forgotten its URL was taken down on \d/,
	1, 'a URL that was taken down is not fetched again');
is(asked('/hang/3'), 1, 'no request was sent for it');

# a takedown of what was fetched through a redirect: each of its URLs
my $moved = insert("d.test$at/to/a.test/picture/4");
ok($node->wait_query("SELECT image IS NOT NULL FROM llava_image WHERE id = $moved"), 'a redirect leads on');
sql("SELECT llava_forget($moved, 'a letter')");
is(sql("SELECT count(*) FROM llava_fetched WHERE image = $moved"), '0', 'its evidence has gone');
is(sql("INSERT INTO llava_image (source_url) VALUES ('http://a.test$at/picture/4'), ('http://d.test$at/to/a.test/picture/4') RETURNING rejected"),
	"forgotten\nforgotten", 'neither of its URLs is fetched again');
is(sql("SELECT outcome FROM llava_fetch_check('http://a.test$at/picture/4')"), 'forgotten', 'as llava_fetch_check says');
is(sql("SELECT outcome FROM llava_fetch_check('http://a.test$at/picture/1')"), 'same', 'which knows what was fetched');

# a host whose other rows wait for tomorrow
insert("late.test$at/empty/1");
ok($node->wait_query("SELECT next_at > now() + interval '1 hour' FROM llava_host WHERE name = 'late.test' AND NOT asking"), 'an empty answer is tried again tomorrow');
my $today = insert("late.test$at/picture/6");
ok($node->wait_query("SELECT image IS NOT NULL FROM llava_image WHERE id = $today"), 'a new URL of its host is fetched today');
ok($node->wait_query("SELECT next_at > now() + interval '1 hour' FROM llava_host WHERE name = 'late.test' AND NOT asking"), 'and the host waits again');
my $led = insert("e.test$at/to/late.test/picture/7");
ok($node->wait_query("SELECT image IS NOT NULL FROM llava_image WHERE id = $led"), 'so is one that a redirect leads to');
sql("DELETE FROM llava_fetch WHERE url LIKE '%/empty/1'");

# parked, let go, fetched again
sql('SELECT llava_park(\'a.test\')');
my $parked = insert("a.test$at/picture/5");
my $other = insert("e.test$at/picture/5");
ok($node->wait_query("SELECT image IS NOT NULL FROM llava_image WHERE id = $other"), 'others go on');
is(sql("SELECT status FROM llava_status WHERE image = $parked"), 'to be fetched', 'a parked host is not asked');
is(sql("SELECT state FROM llava_stat_host WHERE host LIKE 'http://a.test:%'"), 'parked', 'llava_stat_host says so');
is(sql("SELECT outcome FROM llava_fetch_check('http://a.test$at/picture/6')"), 'waits', 'and llava_fetch_check');
sql('SELECT llava_park(\'a.test\', false)');
ok($node->wait_query("SELECT image IS NOT NULL FROM llava_image WHERE id = $parked"), 'it is when it may go on');
my $missing = insert("f.test$at/status/404");
ok($node->wait_query("SELECT status || ' ' || reason FROM llava_status WHERE image = $missing", 'failed not_found'), 'what is not there rests');
is(sql("SELECT llava_refetch(image => $missing), llava_refetch(reason => 'nothing')"), '1|0', 'and is asked for again');
ok($node->wait_query("SELECT failure FROM llava_fetch WHERE image = $missing", 'not_found'), 'in vain');
is(asked('/status/404'), 2, 'which made two requests');
is(sql("SELECT count(*) FROM llava_stat_fetch WHERE state = 'not_found' AND rows = 1 AND example = $missing"), '1', 'llava_stat_fetch counts it');

# rights
my ($ret, $out, $err) = $node->psql('postgres', "UPDATE llava_image SET image = 'x' WHERE id = $missing");
like($err, qr/column "image" of "llava_image" is never changed/, 'nobody else gives a row its picture');
sql("CREATE ROLE feeder; GRANT INSERT (source_url) ON llava_image TO feeder; GRANT SELECT (id) ON llava_image TO feeder");
my $fed = sql("SET ROLE feeder; INSERT INTO llava_image (source_url) VALUES ('http://g.test$at/picture/7') RETURNING id");
ok($node->wait_query("SELECT image IS NOT NULL FROM llava_image WHERE id = $fed"), 'a feeder needs INSERT on a column');
($ret, $out, $err) = $node->psql('postgres', 'SET ROLE feeder; SELECT llava_refetch()');
like($err, qr/permission denied/, 'and cannot do more');
my $log = slurp_file($node->logfile);
unlike($log, qr/may INSERT into any column/, 'nobody else is warned of');

# a dump of rows that wait lands, and waits where nothing is fetched
sql("SELECT llava_park('a.test')");
my $waits = insert("a.test$at/picture/8");
my $dump = $node->basedir . '/dump';
command_ok([ 'pg_dump', '-x', '-f', $dump, '-d', $node->connstr('postgres') ], 'a dump');
my $plain = LlavaZh::Cluster->new('plain', preload => 0,
	conf => $web->settings(fetch => 'off') . "session_preload_libraries = 'llava_zh'\n");
$plain->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $plain->connstr('restored') ], 'a restore');
is($plain->safe_psql('restored', "SELECT count(*) FROM llava_fetch WHERE failure IS NULL AND image = $waits"), '1', 'the row is there, and waits');
is($plain->safe_psql('restored', 'SELECT count(*) FROM llava_fetched'), sql('SELECT count(*) FROM llava_fetched'), 'evidence comes along');

# without preloading llava_start starts the fetcher, too
$plain->safe_psql('restored', 'CREATE ROLE wide; GRANT INSERT ON llava_image TO wide');
$plain->append_conf('postgresql.conf', "llava_zh.fetch = on\n");
$plain->reload;
ok($plain->wait_query("SHOW llava_zh.fetch_delay", '50ms'), 'the settings are read');
$plain->safe_psql('restored', "SELECT llava_park('a.test', false)");
$plain->safe_psql('restored', 'SELECT llava_start()');
ok($plain->wait_query("SELECT image IS NOT NULL FROM llava_image WHERE id = $waits", 't', 'restored'), 'what was restored is fetched')
  or diag($plain->safe_psql('restored', 'SELECT * FROM llava_stat_worker'));

like(slurp_file($plain->logfile), qr/WARNING: .*may INSERT into any column of "llava_image" can make this server send requests: wide\n/,
	'roles with too wide a grant are named');

done_testing();
