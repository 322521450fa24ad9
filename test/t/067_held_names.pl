# What a role without any grant can hold or name stands in no worker's way: advisory
# locks, names of sessions and of parallel workers, workers that nobody needs, places of
# servers in shared memory.  Who is in the way by right is named.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('held', conf => "llava_zh.near_duplicates = on\nmax_worker_processes = 16\n");
$node->create_server('sim', $endpoint->url);
$node->safe_psql('postgres', 'CREATE ROLE nobody LOGIN');
my $next = 1;
my $count = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'llava_zh worker'";

# Pictures of random squares: no copies of each other.
sub noise_sql
{
	my ($n) = @_;
	my @values;
	for (1 .. $n)
	{
		srand($next);
		my @rows = map { join '', map { chr(int(rand(8)) * 32) x 8 } 1 .. 12 } 1 .. 12;
		my $png = LlavaZh::Cluster::grey_png(map { ($_) x 8 } @rows);
		push @values, "('n$next.png', decode('" . unpack('H*', $png) . "', 'hex'))";
		$next++;
	}
	return 'INSERT INTO llava_image (path, image) VALUES ' . join(', ', @values);
}

sub drains
{
	my ($what) = @_;
	$node->safe_psql('postgres', noise_sql(5));
	ok($node->wait_drained, $what);
	is($node->safe_psql('postgres', "SELECT count(*) FROM llava_conversation c JOIN llava_image i ON i.id = c.image WHERE i.path ~ '^n'"), $next - 1, "$what: all are samples");
	return;
}

# ends the worker and has the launcher start the next one at once; does not wait for it
sub end_worker
{
	my ($pid) = @_;
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	$node->wait_query("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid", 't') or die 'it does not end';
	$node->reload;
	return;
}

# wait_log(cluster, from, like, seconds): whether the log has it within that time
sub wait_log
{
	my ($cluster, $from, $like, $seconds) = @_;
	for (1 .. 10 * ($seconds // 90))
	{
		return 1 if slurp_file($cluster->logfile, $from) =~ $like;
		usleep(100_000);
	}
	return;
}

# every number that an advisory lock of ours ever had, in both of SQL's ways, held by a
# role without grants
my $holder = $node->background_psql('postgres');
$holder->query_safe('SET ROLE nobody');
$holder->query_safe("SELECT pg_advisory_lock(c, o), pg_advisory_lock((c::bigint << 32) | o) FROM unnest('{1819042152,1819042166}'::int[]) c, generate_series(0, 9) o");
drains('looks for copies have a lock that no SQL can take');
my $pid = $node->worker_pid;
end_worker($pid);
drains('and so does a worker\'s start');
isnt($node->worker_pid, $pid, 'by the next worker');

# a session and a parallel worker of it with a worker's name
my ($parallel) = $node->safe_psql('postgres', "SELECT name FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query')");
$holder->query_safe("SET application_name = 'llava_zh worker 0'; SET $parallel = on");
$holder->query_until(qr/asleep/, "\\echo asleep\nSELECT pg_sleep(600);\n");
is($node->wait_query("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker' AND application_name = 'llava_zh worker 0'", '1'),
	'1', 'a parallel worker has the name of ours');
$pid = $node->worker_pid;
end_worker($pid);
my $worker = $node->worker_pid($pid);
drains('which keeps no worker from its slot');
is($node->safe_psql('postgres', 'SELECT pid, slot FROM llava_stat_worker'), "$worker|0", 'or from llava_stat_worker, nor is it there');
is($node->safe_psql('postgres', 'SELECT llava_start()'), $worker, 'llava_start finds the worker');
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ 'pg_sleep' AND pid <> pg_backend_pid()");
$holder->{run}->finish;

# one that the database's owner gives to all, the standby among them
$node->safe_psql('postgres', "ALTER DATABASE postgres SET application_name = 'llava_zh worker 0'");
end_worker($worker);
drains('nor does a name that is a setting of the database');
$node->safe_psql('postgres', 'ALTER DATABASE postgres RESET application_name');

# who is in the way by right: a look for copies that does not come to an end
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	WHILE (pg_stat_file('gate', true)).size IS NOT NULL LOOP
		PERFORM pg_sleep(0.01);
	END LOOP;
	RETURN NEW;
END $$;
CREATE TRIGGER linger BEFORE INSERT ON llava_hash FOR EACH ROW EXECUTE FUNCTION linger();
SQL
append_to_file($node->data_dir . '/gate', "closed\n");
my $log = -s $node->logfile;
$worker = $node->worker_pid;
$node->safe_psql('postgres', noise_sql(1));
ok($node->wait_query("SELECT count(*) FROM pg_stat_activity WHERE pid = $worker AND query ~ 'looking for copies' AND wait_event = 'PgSleep'", '1'), 'a look for copies lingers');
my $drain = $node->background_psql('postgres', on_error_stop => 0);
$drain->query_until(qr/draining/, "\\echo draining\nCALL llava_drain(max_time => '5 minutes');\n");
$node->safe_psql('postgres', noise_sql(1));
ok(wait_log($node, $log, qr/LOG:  llava_zh: looks for copies have waited \d+ s for process $worker \(role "\w+", active\)/),
	'who waits for it says for whom');
unlink $node->data_dir . '/gate';
ok($node->wait_drained, 'and goes on by itself');
$drain->quit;
$node->safe_psql('postgres', 'DROP TRIGGER linger ON llava_hash');

# a worker of llava_start has the slot: the launcher's stands by and says so
$node->safe_psql('postgres', "ALTER SYSTEM SET llava_zh.databases = ''");
$node->reload;
ok($node->wait_query("SELECT ($count) = 0", 't'), 'no database has a worker');
$worker = $node->safe_psql('postgres', 'SELECT llava_start()');
$log = -s $node->logfile;
$node->safe_psql('postgres', 'ALTER SYSTEM RESET llava_zh.databases');
$node->reload;
ok(wait_log($node, $log, qr/LOG:  llava_zh: worker 0 of database "postgres" stands by for process $worker \(role/), 'a worker that waits for its slot says for whom');
is($node->wait_query("SELECT query FROM pg_stat_activity WHERE application_name = 'llava_zh standby 0'", "llava_zh: standing by for process $worker .*"),
	$node->safe_psql('postgres', "SELECT query FROM pg_stat_activity WHERE application_name = 'llava_zh standby 0'"), 'in pg_stat_activity too');
is($node->safe_psql('postgres', 'SELECT pid, slot FROM llava_stat_worker'), "$worker|0", 'and is not the worker');
$log = -s $node->logfile;
$node->safe_psql('postgres', "SELECT pg_terminate_backend($worker)");
isnt($node->worker_pid($worker), $worker, 'it follows when that ends');
is($node->wait_query($count, '1'), '1', 'one is left');
drains('and works');
$node->stop('fast');

# every slot of background workers, held by parallel queries while ours is away
my $full = LlavaZh::Cluster->new('full', conf => "max_worker_processes = 4\n");
my @sleepers = map { $full->background_psql('postgres', on_error_stop => 0) } 1 .. 2;
$_->query_safe("SET $parallel = on") for @sleepers;
my $asleep = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'";
$worker = $full->worker_pid;
$log = -s $full->logfile;
$sleepers[0]->query_until(qr/asleep/, "\\echo asleep\nSELECT pg_sleep(600);\n");
is($full->wait_query($asleep, '1'), '1', 'a parallel query has the last slot');
$full->safe_psql('postgres', "SELECT pg_terminate_backend($worker, 60000)");
$sleepers[1]->query_until(qr/asleep/, "\\echo asleep\nSELECT pg_sleep(600);\n");
is($full->wait_query($asleep, '2'), '2', 'and another one that of our worker');
ok(wait_log($full, $log, qr/LOG:  llava_zh: no background worker slot is free for database "postgres"/), 'as the log says');
$full->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ 'pg_sleep' AND pid <> pg_backend_pid()");
$_->{run}->finish for @sleepers;
ok($full->wait_query($count, '1'), 'the worker is back when one is free');
$full->stop('fast');

# places in shared memory: servers of roles that may create them take none of those that
# a worker asks, however many they are, and when nobody asks these
$node->start;
$worker = $node->worker_pid;
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE keeper;
CREATE ROLE maker0;
GRANT USAGE ON FOREIGN DATA WRAPPER llava_zh TO maker0, keeper;
SQL
my $url = $endpoint->url;
my $create = sub {
	my ($role, $from, $to) = @_;
	return "SET ROLE $role; DO \$\$ BEGIN FOR i IN $from .. $to LOOP EXECUTE format('CREATE SERVER ${role}_%s FOREIGN DATA WRAPPER llava_zh OPTIONS (url ''$url'', model ''test'')', i); END LOOP; END \$\$; RESET ROLE;";
};
my $limits = sub { return $node->safe_psql('postgres', "SELECT limits, count(*) FROM llava_stat_server WHERE server ~ '^$_[0]' GROUP BY limits ORDER BY limits"); };
$node->safe_psql('postgres', $create->('maker0', 1, 20));
is($node->safe_psql('postgres', "SELECT limits FROM llava_stat_server WHERE server = 'maker0_1'"), '', 'nothing is said of the limits of a server that nobody asks');
my $png = unpack('H*', LlavaZh::Cluster::png(1));
my $asker = $node->background_psql('postgres');
my $ask = "SELECT count(llava_generate(decode('$png', 'hex'), 'detail', srvname)) FROM pg_foreign_server WHERE srvname ~ ";
$log = -s $node->logfile;
is($asker->query_safe("$ask '^maker0'"), '20', 'a session asks twenty servers of one role');
is($limits->('maker0'), "local|4\nshared|16", 'which have sixteen places');
ok(wait_log($node, $log, qr/LOG:  llava_zh: the limits of server "maker0_\d+" apply to each process separately.*\n.*DETAIL:  Shared memory has 16 places for the servers of one role/), 'as the log says');
my $said = () = slurp_file($node->logfile, $log) =~ /apply to each process separately/g;
$asker->query_safe("$ask '^maker0'");
is(() = slurp_file($node->logfile, $log) =~ /apply to each process separately/g, $said, 'once');

for my $i (1 .. 9)
{
	$node->safe_psql('postgres', "CREATE ROLE maker$i; GRANT USAGE ON FOREIGN DATA WRAPPER llava_zh TO maker$i; " . $create->("maker$i", 1, 20));
}
# nobody asks ours meanwhile
$node->safe_psql('postgres', "ALTER SYSTEM SET llava_zh.databases = ''");
$node->safe_psql('postgres', 'ALTER SYSTEM SET llava_zh.workers = 2');
$node->reload;
$node->wait_query("SELECT ($count) = 0", 't') or die 'a worker is left';
is($asker->query_safe("$ask '^maker'"), '200', 'a session asks two hundred servers of ten roles');
is($limits->('maker'), "local|72\nshared|128", 'which have 128 places together');
my $made = $endpoint->stats->{requests};
my $used = $node->safe_psql('postgres', "SELECT requests + 10 FROM llava_usage WHERE server = 'sim'");
$node->safe_psql('postgres', "ALTER SERVER sim OPTIONS (ADD max_requests '$used')");
$endpoint->control(latency => 50);
$node->safe_psql('postgres', noise_sql(60));
$node->safe_psql('postgres', 'ALTER SYSTEM RESET llava_zh.databases');
$node->reload;
ok($node->wait_query("SELECT pause_reason FROM llava_stat_server WHERE server = 'sim'", 'max_requests'), 'max_requests of a server that the worker asks');
is($endpoint->stats->{requests} - $made, 10, 'holds to the request, for two workers together');
is($limits->('sim'), 'shared|1', 'as llava_stat_server says');

# those of the queue's owner, who is no superuser, are ours too
$node->safe_psql('postgres', <<'SQL' . $create->('keeper', 1, 20));
GRANT USAGE, CREATE ON SCHEMA public TO keeper;
GRANT SELECT, INSERT, UPDATE, DELETE ON llava_image, llava_task, llava_reply, llava_interrupted, llava_conversation, llava_usage, llava_hash TO keeper;
GRANT USAGE ON SEQUENCE llava_call_seq TO keeper;
ALTER TABLE llava_pending OWNER TO keeper;
SQL
ok($node->wait_drained, 'the queue\'s owner has servers');
is($limits->('keeper'), 'shared|20', 'whose places nobody took');
$asker->quit;
$endpoint->control(latency => 0);
$node->stop('fast');

# without preloading: six at once start one worker
my $plain = LlavaZh::Cluster->new('plain', preload => 0, conf => "max_worker_processes = 8\n");
$plain->create_server('sim', $endpoint->url);
my @outputs = ('') x 6;
my @runs = map {
	IPC::Run::start([ 'psql', '-XAtq', '-d', $plain->connstr('postgres'), '-c', 'SELECT llava_start()' ], '<', \undef, '>', \$outputs[$_], '2>', '/dev/null')
} 0 .. 5;
$_->finish for @runs;
chomp @outputs;
$worker = $plain->worker_pid;
is("@outputs", join(' ', ($worker) x 6), 'six at once have the pid of one worker');
is($plain->safe_psql('postgres', $count), '1', 'and there is one');
is($plain->safe_psql('postgres', 'SELECT pid, slot FROM llava_stat_worker'), "$worker|0", 'as llava_stat_worker says');
is($plain->safe_psql('postgres', 'SELECT limits FROM llava_stat_server'), 'local', 'limits apply to each process separately');
ok(wait_log($plain, 0, qr/LOG:  llava_zh is not preloaded: per-server limits apply to each process separately/), 'as the log says');

# after a crash it comes back, alone
kill 'KILL', $worker;
my $after = $plain->worker_pid($worker);
$plain->insert_pictures(1, 3);
ok($plain->wait_drained, 'after a crash the work goes on');
is($plain->safe_psql('postgres', $count), '1', 'by one worker');

# what runs in a worker cannot take its slot from it
$worker = $plain->worker_pid;
$plain->safe_psql('postgres', <<'SQL');
CREATE FUNCTION let_go() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN PERFORM pg_advisory_unlock_all(); PERFORM set_config(''application_name'', ''nobody'', false); RETURN NEW; END';
CREATE TRIGGER let_go BEFORE INSERT ON llava_conversation FOR EACH ROW EXECUTE FUNCTION let_go();
SQL
$plain->insert_pictures(4, 6);
ok($plain->wait_drained, 'a trigger that lets go of all locks');
is($plain->safe_psql('postgres', 'SELECT llava_start()'), $worker, 'does not have a second worker started');
is($plain->safe_psql('postgres', 'SELECT pid, slot FROM llava_stat_worker'), "$worker|0", 'nor the first forgotten');
$plain->safe_psql('postgres', 'DROP TRIGGER let_go ON llava_conversation');

# a worker that cannot begin is not tried each second
$plain->safe_psql('postgres', 'CREATE DATABASE closed');
$plain->safe_psql('closed', 'CREATE EXTENSION llava_zh');
my $session = $plain->background_psql('closed', on_error_stop => 0);
$session->query_safe('SELECT 1');
$plain->safe_psql('postgres', 'ALTER DATABASE closed ALLOW_CONNECTIONS false');
$log = -s $plain->logfile;
$session->query('SELECT llava_start()');
like($session->{stderr}, qr/ERROR:  could not start a background worker.*DETAIL:  It ended before it began to work/s, 'llava_start says that its worker ended');
my $refused = qr/FATAL:  database "closed" is not currently accepting connections/;
ok(wait_log($plain, $log, $refused), 'the log says why');
ok(!wait_log($plain, $log, qr/$refused.*$refused/s, 3), 'and it is not tried again');
$plain->safe_psql('postgres', 'ALTER DATABASE closed ALLOW_CONNECTIONS true');
$session->{stderr} = '';
like($session->query('SELECT llava_start()'), qr/^\d+$/, 'and again when it is called again');
$session->quit;
$plain->stop('fast');

$endpoint->stop;
done_testing();
