# What stands in the way of one host or row stands in nobody else's: locks, errors, settings,
# a busy domain, robots.txt that lead elsewhere or change, and the same URL on its way.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Web;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $web = LlavaZh::Web->new;
my $other_web = LlavaZh::Web->new;
my $node = LlavaZh::Cluster->new('obstacles',
	conf => $web->settings(fetch_ports => "$web->{port}, $other_web->{port}", fetch_timeout => '20s', fetch_memory => '1MB'));
my $at = ":$web->{port}";
sub sql { return $node->safe_psql('postgres', $_[0]); }
sub insert { return sql("INSERT INTO llava_image (source_url) VALUES " . join(', ', map { "('http://$_')" } @_) . ' RETURNING id'); }
sub has_come { my ($id, $what) = @_; return ok($node->wait_query("SELECT image IS NOT NULL FROM llava_image WHERE id = $id"), $what); }
sub asked { my ($path) = @_; return scalar grep { $_->{path} eq $path } $web->journal('http'); }
my $transactions = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'postgres'";

# the row of a host that is due is locked: others go on, and nothing turns in a circle
has_come(insert("locked.test$at/picture/1"), 'a first picture comes');
sql("SELECT llava_park('locked.test')");
my $waits = insert("locked.test$at/picture/2");
my $session = $node->background_psql('postgres');
sql("UPDATE llava_host SET parked = false, next_at = now() + interval '2 s', free_at = now() + interval '2 s' WHERE name = 'locked.test'");
$session->query_safe("BEGIN; SELECT 1 FROM llava_host WHERE name = 'locked.test' FOR UPDATE");
ok($node->wait_query("SELECT next_at < now() FROM llava_host WHERE name = 'locked.test'"), 'a host is due, and locked');
has_come(insert("free.test$at/picture/1"), 'another one is asked meanwhile');
my $transactions_before = sql($transactions);
sleep 2;
cmp_ok(sql($transactions) - $transactions_before, '<', 100, 'and nothing turns in a circle');
is(asked('/picture/2'), 0, 'the one that is locked is not asked');
$session->query_safe('COMMIT');
has_come($waits, 'when the lock is gone its turn comes');

# an error of the claim of one host
sql(<<'SQL');
CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'poisoned'; END $$;
CREATE TRIGGER poison BEFORE UPDATE ON llava_fetch FOR EACH ROW
	WHEN (NEW.host LIKE '%poison%' AND NEW.holder IS NOT NULL) EXECUTE FUNCTION poison();
SQL
insert("poison.test$at/picture/1");
ok($node->wait_query("SELECT free_at > now() + interval '30 s' OR next_at > now() + interval '30 s' FROM llava_host WHERE name = 'poison.test'"),
	'it is put off');
like(slurp_file($node->logfile), qr/WARNING: .*what waits for "http:\/\/poison\.test$at" could not be claimed: poisoned/, 'which the log says');
has_come(insert("free.test$at/picture/2"), 'and others go on');
sql('DROP TRIGGER poison ON llava_fetch');

# a port that the settings let in no more
sql("INSERT INTO llava_host (host, name, domain, parked, next_at) VALUES ('http://p.test:$other_web->{port}', 'p.test', 'p.test', true, 'infinity')");
my $port = insert("p.test:$other_web->{port}/picture/1");
$node->append_conf('postgresql.conf', "llava_zh.fetch_ports = '$web->{port}'\n");
$node->reload;
ok($node->wait_query('SHOW llava_zh.fetch_ports', $web->{port}), 'the settings are read');
sql("SELECT llava_park('p.test', false)");
ok($node->wait_query("SELECT failure FROM llava_fetch WHERE image = $port", 'port'), 'a row whose port is refused today rests');
has_come(insert("free.test$at/picture/3"), 'and others go on');
is(scalar(() = $other_web->journal('http')), 0, 'that port was not asked');

# pictures that cannot be written down: others can, and the memory that they take counts
my $ids = insert(map { "stuck$_.test$at/slow/1500/$_" } 1 .. 40) =~ tr/\n/,/r;
$session->query_safe("BEGIN; SELECT count(*) FROM (SELECT FROM llava_image WHERE id IN ($ids) FOR UPDATE) l");
ok($node->wait_query("SELECT count(*) FROM llava_fetch WHERE holder IS NOT NULL AND host LIKE 'http://stuck%'", '40'), 'forty are asked for');
has_come(insert("free.test$at/slow/3000/4"), 'one comes behind them, while forty cannot be written down');
$session->query_safe('COMMIT');
ok($node->wait_query("SELECT count(image) FROM llava_image WHERE id IN ($ids)", '40'), 'then they come');
is(scalar(grep { asked("/slow/1500/$_") != 1 } 1 .. 40), 0, 'each was asked for once');
$ids = insert(map { "full$_.test$at/picture/first$_" } 1 .. 10) =~ tr/\n/,/r;
ok($node->wait_query("SELECT count(image) FROM llava_image WHERE id IN ($ids)", '10'), 'ten hosts are known');
sql("SELECT llava_park(format('full%s.test', n)) FROM generate_series(1, 10) n");
$ids = insert(map { "full$_.test$at/size/200000/$_" } 1 .. 10) =~ tr/\n/,/r;
$session->query_safe("BEGIN; SELECT count(*) FROM (SELECT FROM llava_image WHERE id IN ($ids) FOR UPDATE) l");
sql("SELECT llava_park(format('full%s.test', n), false) FROM generate_series(1, 10) n");
ok($node->wait_query("SELECT count(*) >= 6 FROM llava_fetch WHERE holder IS NOT NULL AND host LIKE 'http://full%'"), 'six or more are asked for, of 1.2 MB');
my $more = insert("free.test$at/picture/more");
sleep 2;
is(asked('/picture/more'), 0, 'while more than llava_zh.fetch_memory is not written down nothing else is asked for');
$session->query_safe('COMMIT');
has_come($more, 'then it is');

# hosts of one owner: turns, not a crowd
my $updates = "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'llava_host'";
$node->wait_query('SELECT count(*) = 0 FROM llava_fetch WHERE failure IS NULL AND holder IS NOT NULL');
my $before = sql($updates);
my @crowd = split /\n/, insert(map { "h$_.crowd.test$at/slow/100/$_" } 1 .. 40);
ok($node->wait_query("SELECT count(image) FROM llava_image WHERE id IN (" . join(',', @crowd) . ')', '40'), 'forty hosts of one owner are asked');
cmp_ok(sql($updates) - $before, '<', 900, 'and their rows are written a few times each');

# robots.txt that lead elsewhere
insert("deny-rmoved7.test$at/x");
ok($node->wait_query("SELECT count(*) FROM llava_fetch WHERE host LIKE '%deny-rmoved7%' AND failure = 'robots'", '1'), 'a host that forbids all');
sql("SELECT llava_park('deny-rmoved7.test')");
insert("rmoved7.test$at/x");
ok($node->wait_query("SELECT state || ' ' || reason FROM llava_stat_host WHERE host LIKE 'http://rmoved7%'",
		'robots_unreachable robots.txt is redirected to a host that is parked'), 'a robots.txt that leads to a parked host is not waited for');
insert("rmoved8.test$at/x");
ok($node->wait_query("SELECT failure FROM llava_fetch WHERE host LIKE 'http://rmoved8%'", 'robots'), 'one that leads to a host without rows is read there');

# one that leads to a host whose row somebody has locked: it is tried again, and nothing is left of each try
insert("deny-rmoved9.test$at/x");
ok($node->wait_query("SELECT count(*) FROM llava_fetch WHERE host LIKE '%deny-rmoved9%' AND failure = 'robots'", '1'), 'another host that forbids all');
$session->query_safe("BEGIN; SELECT 1 FROM llava_host WHERE name = 'deny-rmoved9.test' FOR UPDATE");
my @led = split /\n/, insert("rmoved9.test$at/x", "rmoved9.test$at/y");
ok($node->wait_query("SELECT asking FROM llava_host WHERE name = 'rmoved9.test'", 't'), 'its robots.txt is asked for');
sleep 3;
my $log = -s $node->logfile;
sql("SELECT pg_log_backend_memory_contexts(pid) FROM pg_stat_activity WHERE backend_type = 'llava_zh fetcher'");
ok($node->wait_for_log(qr/Grand total: /, $log), 'what the fetcher holds is told');
my $errands = () = substr(slurp_file($node->logfile), $log) =~ /; llava_zh errand: /g;
is($errands, 1, 'one request');
$session->query_safe('COMMIT');
ok($node->wait_query("SELECT count(*) FROM llava_fetch WHERE image IN ($led[0], $led[1]) AND failure = 'robots'", '2'), 'then that one is read');

# robots.txt that has changed
has_come(insert("allow5.test$at/picture/1"), 'a host that allows all');
sql(<<"SQL");
SELECT llava_park('allow5.test');
INSERT INTO llava_image (source_url) SELECT 'http://allow5.test$at/picture/many' || n FROM generate_series(1, 2500) n;
UPDATE llava_fetch SET failure = 'robots', failed_at = now() WHERE host = 'http://allow5.test$at';
UPDATE llava_host SET robots_sha256 = '\\x00', robots_until = now() WHERE name = 'allow5.test';
INSERT INTO llava_image (source_url) VALUES ('http://allow5.test$at/picture/new');
SELECT llava_park('allow5.test', false);
SQL
ok($node->wait_query("SELECT count(*) = 0 FROM llava_fetch WHERE host LIKE '%allow5%' AND failure = 'robots'"), 'what other rules refused waits again, a thousand rows at a time');
ok($node->wait_query("SELECT count(*) > 5 FROM llava_fetched WHERE url LIKE '%/picture/many%'"), 'and is asked for');
sql("SELECT llava_park('allow5.test')");

# the same URL, whose first row is on its way elsewhere
has_come(insert("slowhop.test$at/picture/1"), 'the host that a redirect leads to');
sql("SELECT llava_park('slowhop.test')");
my $first = insert("hopper.test$at/to/slowhop.test/picture/2");
ok($node->wait_query("SELECT cardinality(hops) FROM llava_fetch WHERE image = $first", '1'), 'a row is on its way');
my $second = insert("hopper.test$at/to/slowhop.test/picture/2");
ok($node->wait_query("SELECT visible_at > now() + interval '5 s' AND claim IS NULL FROM llava_fetch WHERE image = $second"), 'another one with its URL waits for it');
is(asked('/to/slowhop.test/picture/2'), 1, 'and was not asked for');
sql("SELECT llava_park('slowhop.test', false)");
has_come($first, 'the first one comes');
sql("UPDATE llava_fetch SET visible_at = now() WHERE image = $second; SELECT llava_park('hopper.test', false)");
ok($node->wait_query("SELECT same_as FROM llava_image WHERE id = $second", $first), 'and is the second one, too');
is(asked('/to/slowhop.test/picture/2'), 1, 'after one request');

# how fast, how long
sql("SELECT llava_park('slowhop.test'); INSERT INTO llava_host (host, name, domain, parked, next_at, free_at, delay_ms) VALUES ('http://far.test$at', 'far.test', 'far.test', false, '2100-01-01', '2100-01-01', 60000)");
sql("INSERT INTO llava_image (source_url) SELECT 'http://far.test$at/picture/' || n FROM generate_series(1, 30) n");
is(sql("SELECT eta >= interval '30 min' FROM llava_stat_fetch WHERE state = 'waiting'"), 't', 'the host with the longest line says how long');
is(sql("SELECT per_minute > 0 AND per_minute <= rows FROM llava_stat_fetch WHERE state = 'fetched'"), 't', 'and how many came in the last minute is told');

$session->quit;
done_testing();
