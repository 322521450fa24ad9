# What cannot be asked says so where a person looks, once in the log, and goes on when it
# can: pictures inserted while triggers were off, servers of roles that the worker does not
# act for, a list of databases with a comma too many.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('notforus', conf => "max_worker_processes = 16\n");
sub sql { return $node->safe_psql('postgres', shift); }
sub lines { my ($what) = @_; return scalar(() = slurp_file($node->logfile) =~ /$what/g); }

#
# A server of a role that the worker does not act for.
#
sql('CREATE ROLE stranger; GRANT USAGE ON FOREIGN DATA WRAPPER llava_zh TO stranger');
sql("SET ROLE stranger; CREATE SERVER sim FOREIGN DATA WRAPPER llava_zh OPTIONS (url '" . $endpoint->url . "', model 'test')");
$node->insert_pictures(1, 3);
is(sql('SELECT state, pause_reason, pause_detail FROM llava_stat_server'),
	"paused|owner|workers ask servers of superusers and of postgres; this one is stranger's", 'llava_stat_server says whose it is');
ok($node->wait_query("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'llava_zh worker 0'", '1'), 'the worker runs');
for (1 .. 600)
{
	last if lines(qr/the owner of llava_pending: "sim"/);
	select(undef, undef, undef, 0.1);
}
sql("SET ROLE stranger; ALTER SERVER sim OPTIONS (ADD priority '1')");
is(sql('SELECT count(*) FROM llava_reply'), '0', 'nothing is asked');
sql('ALTER SERVER sim OWNER TO postgres');
ok($node->wait_drained, 'it is when the server is the worker\'s');
is(lines(qr/the owner of llava_pending: "sim"/), 1, 'the log has said it once');
is(sql('SELECT state, pause_reason IS NULL, pause_detail IS NULL FROM llava_stat_server'), 'active|t|t', 'and llava_stat_server no more');

#
# Pictures that were inserted while triggers were off.
#
sql('SET session_replication_role = replica; ' . LlavaZh::Cluster::pictures_sql(11, 12, 'detail'));
is(sql("SELECT count(*) FILTER (WHERE sha256 IS NULL) FROM llava_image"), '2', 'two pictures without a sha256');
is(sql("SELECT DISTINCT status, reason FROM llava_status WHERE path IN ('pic11.png', 'pic12.png')"),
	'not queued|not taken in: inserted while triggers were off', 'llava_status says so');
is(sql('SELECT DISTINCT not_taken_in FROM llava_progress'), '2', 'llava_progress counts them');
my ($rc, undef, $err) = $node->psql('postgres', "SELECT llava_enqueue(id, 'detail') FROM llava_image WHERE path = 'pic11.png'");
like($err, qr/cannot be queued: it was never taken in.*HINT:  Insert them anew: WITH gone/s, 'llava_enqueue refuses it, with a remedy');
is(sql('SELECT count(*) FROM llava_pending'), '0', 'and queues nothing');
# the end of a drain looks for them
$node->insert_pictures(13, 14);
ok($node->wait_drained, 'others are asked');
for (1 .. 900)
{
	last if lines(qr/inserted while triggers were off are not queued: 2/);
	select(undef, undef, undef, 0.1);
}
$node->insert_pictures(15, 16);
ok($node->wait_drained, 'and more of them');
is(lines(qr/inserted while triggers were off are not queued: 2/), 1, 'the log has said it once');
my ($remedy) = $err =~ /(WITH gone.*;)/;
sql($remedy);
ok($node->wait_drained, 'the remedy has them asked');
is(sql("SELECT count(*), count(i.sha256), (SELECT DISTINCT not_taken_in FROM llava_progress) FROM llava_image i JOIN llava_conversation c ON c.image = i.id WHERE path IN ('pic11.png', 'pic12.png')"),
	'2|2|0', 'as all others are');

#
# The list of databases.
#
sql('CREATE DATABASE second');
my $pid = $node->worker_pid;
sub databases
{
	my ($list) = @_;
	$node->append_conf('postgresql.conf', "llava_zh.databases = '$list'\n");
	$node->reload;
	return;
}
my $others = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'llava_zh worker' AND datname = 'second' AND application_name LIKE 'llava_zh worker%'";
databases('postgres ,, second,');
ok($node->wait_query($others, '1'), 'a comma too many names no database, the others have their workers');
is($node->worker_pid, $pid, 'and keep those that they had');
databases('postgres second');
for (1 .. 600)
{
	last if lines(qr/invalid value for parameter "llava_zh.databases"/);
	select(undef, undef, undef, 0.1);
}
like(slurp_file($node->logfile), qr/invalid value for parameter "llava_zh.databases": "postgres second"\n.*DETAIL:  "postgres second" is not the name of a database/, 'what is no list is refused');
is(sql('SHOW llava_zh.databases'), 'postgres ,, second,', 'and the list stays as it was');
databases('postgres, "second" , ');
$node->wait_query("SELECT setting = 'postgres, \"second\" , ' FROM pg_settings WHERE name = 'llava_zh.databases'") or die;
databases('postgres,');
ok($node->wait_query("SELECT ($others) = 0"), 'one that is left out has none');
is($node->worker_pid, $pid, 'the first has been there all the time');
($rc, undef, $err) = $node->psql('postgres', q{ALTER SYSTEM SET llava_zh.databases = 'a b'});
isnt($rc, 0, 'ALTER SYSTEM refuses it, too');

$node->stop('fast');
$endpoint->stop;
done_testing();
