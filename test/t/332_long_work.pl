# Long calls say how far they are: to their caller every ten seconds, and to other sessions
# in llava_work, with a rate and the time that is left; without preloading only to the
# caller.  Nothing is shown any more when they end, fail or are cancelled.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = LlavaZh::Cluster->new('long_work', databases => '');
sub sql { return $node->safe_psql('postgres', shift); }

# Nine pictures, three of them in a folder below.
my $folder;
my $made = 0;
sub make_folder
{
	$folder = $node->basedir . "/pictures$made";
	mkdir $_ for $folder, "$folder/below";
	PostgreSQL::Test::Utils::append_to_file("$folder/" . ($_ > 6 ? 'below/' : '') . sprintf('%03d.png', ++$made), LlavaZh::Cluster::png($made)) for 1 .. 9;
	return;
}

# A folder whose fourth picture's row waits for a lock, and so does the call.
my $other = $node->background_psql('postgres');
sub block
{
	make_folder();
	my $fourth = sprintf '%s/%03d.png', $folder, $made - 5;
	$other->query_safe("BEGIN; INSERT INTO llava_seen (sha256, image) SELECT sha256(pg_read_binary_file('$fourth')), 0");
	return;
}
sub call
{
	my ($statement) = @_;
	my $call = { out => '', err => '' };
	$call->{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $statement ],
		'<', \undef, '>', \$call->{out}, '2>', \$call->{err});
	return $call;
}
block();
my $load = call("CALL llava_load('$folder', batch => 1)");
ok($node->wait_query("SELECT what, done, total, pid = (SELECT pid FROM pg_stat_activity WHERE query LIKE 'CALL llava_load%') FROM llava_work",
	'llava_load\|4\|9\|t'), 'another session sees how far the load is');
ok($node->wait_query("SELECT clock_timestamp() > query_start + interval '10.5 s' FROM pg_stat_activity WHERE query LIKE 'CALL llava_load%'"),
	'after more than ten seconds');
sql('CREATE DATABASE elsewhere');
$node->safe_psql('elsewhere', 'CREATE EXTENSION llava_zh');
is($node->safe_psql('elsewhere', 'SELECT count(*) FROM llava_work'), '0', 'it is not shown in another database');
$other->query_safe('ROLLBACK');
$load->{run}->finish;
like($load->{err}, qr/NOTICE:  llava_load: 5 of 9 files, 0\.\d a second, about 0:00:\d\d left\n/, 'the caller is told, with a rate and the time left');
like($load->{err}, qr/NOTICE:  llava_load: 9 files, 9 queued/, 'and at the end as before');
is(sql('SELECT count(*) FROM llava_work'), '0', 'then nothing is shown any more');

# cancelled
block();
$load = call("CALL llava_load('$folder', batch => 1)");
ok($node->wait_query('SELECT count(*) = 1 FROM llava_work'), 'shown');
sql('SELECT pg_cancel_backend(pid) FROM llava_work');
$load->{run}->finish;
like($load->{err}, qr/canceling statement/, 'cancelled');
is(sql('SELECT count(*) FROM llava_work'), '0', 'not shown any more');
$other->query_safe('ROLLBACK');
block();
$load = call("CALL llava_load('$folder', batch => 1)");
ok($node->wait_query('SELECT count(*) = 1 FROM llava_work'), 'shown');
sql('SELECT pg_terminate_backend(pid) FROM llava_work');
$load->{run}->finish;
ok($node->wait_query('SELECT count(*) = 0 FROM llava_work'), 'nor when its process is ended');
$other->query_safe('ROLLBACK');

# reparse and exports, each shown by what it waits for or returns in between
sql("INSERT INTO llava_reply (image, id, task, task_version, server, model, parameters, variation, body)
	SELECT g, nextval('llava_call_seq'), 'detail_en', 1, 'sim', 'test', '{}', 0, '{}' FROM generate_series(1, 20) g;
	INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
	SELECT g, 'detail_en', '[{\"from\": \"human\", \"value\": \"Say.\"}, {\"from\": \"gpt\", \"value\": \"A square.\"}]', 1, g, 1 FROM generate_series(1, 20) g");
$other->query_safe('BEGIN; LOCK TABLE llava_reply IN SHARE MODE');
my $reparse = call("CALL llava_reparse('detail_en', batch => 5)");
ok($node->wait_query('SELECT what, done, total FROM llava_work', 'llava_reparse\|0\|20'), 'llava_reparse');
$other->query_safe('ROLLBACK');
$reparse->{run}->finish;
is(sql("BEGIN; DECLARE c CURSOR FOR SELECT llava_export(image_name => 'sha256'); MOVE 3 c; SELECT what, total IS NULL FROM llava_work; MOVE ALL c;
	SELECT count(*) FROM llava_work; COMMIT"), "llava_export|t\n0", 'llava_export, whose end is not known before');
is(sql("BEGIN; DECLARE c CURSOR FOR SELECT llava_export(image_name => 'sha256'); MOVE 3 c; CLOSE c; SELECT count(*) FROM llava_work; COMMIT"),
	'0', 'and one that was closed before its end');

sql("CREATE SERVER sim FOREIGN DATA WRAPPER llava_zh OPTIONS (url 'http://127.0.0.1:9/v1', model 'test')");
# llava_progress: what came after the first sample of the last minute, since that; the rest waits
is(sql("BEGIN; DELETE FROM llava_conversation; DELETE FROM llava_pending;
	INSERT INTO llava_pending (image, task) SELECT g, 'detail_en' FROM generate_series(1, 8) g;
	INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version, created_at)
	SELECT 100 + g, 'detail_en', '[]', 1, g, 1, now() - make_interval(secs => CASE WHEN g < 4 THEN 10 ELSE 5 END) FROM generate_series(1, 7) g;
	SELECT waiting, per_minute, eta FROM llava_progress WHERE task = 'detail_en';
	SELECT llava_pause('sim'); SELECT waiting, eta, state, reason FROM llava_progress WHERE task = 'detail_en';
	CREATE SERVER other FOREIGN DATA WRAPPER llava_zh OPTIONS (url 'http://127.0.0.1:9/v1', model 'test');
	SELECT eta, state FROM llava_progress WHERE task = 'detail_en';
	SELECT llava_resume('sim'); DROP SERVER other;
	UPDATE llava_conversation SET created_at = now() - interval '5 s';
	SELECT per_minute, eta IS NULL FROM llava_progress WHERE task = 'detail_en'; ROLLBACK"),
	"8|7|00:00:20\n\n8||paused|all servers that take the queue are paused: see llava_stat_server\n00:00:20|active\n\n7|t",
	'an ETA by the rate of the last minute, none while all servers are paused, and none from one moment');

# paused as soon as the option says so, whether a worker has seen it or not
is(sql('SELECT state, pause_reason FROM llava_stat_server'), 'active|', 'a server');
sql("SELECT llava_pause('sim')");
is(sql('SELECT state, pause_reason, pause_detail FROM llava_stat_server'), 'paused|paused|by the server option paused', 'is paused at once');
sql("SELECT llava_resume('sim')");
is(sql('SELECT state, pause_reason FROM llava_stat_server'), 'active|', 'and goes on at once');

# not for everybody
my (undef, undef, $err) = $node->psql('postgres', 'CREATE ROLE nobody; SET ROLE nobody; SELECT * FROM llava_work');
like($err, qr/permission denied for view llava_work/, 'llava_work is not for everybody');

$other->quit;
$node->stop('fast');
done_testing();
