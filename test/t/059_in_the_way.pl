# Whatever roles hold, lock, name and set that they can: 200 pictures drain meanwhile, or
# the worker says who is in the way, by pid and role; and each is asked about once.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('way', conf => "max_prepared_transactions = 2\nmax_locks_per_transaction = 32\nmax_connections = 40\n");
$node->create_server('sim', $endpoint->url, "max_in_flight '16'");
my $next = 1;
my @tables = qw(llava_pending llava_image llava_conversation llava_reply llava_usage llava_task llava_interrupted llava_hash llava_seen);
my @modes = ('ACCESS SHARE', 'ROW SHARE', 'ROW EXCLUSIVE', 'SHARE UPDATE EXCLUSIVE', 'SHARE', 'SHARE ROW EXCLUSIVE', 'EXCLUSIVE', 'ACCESS EXCLUSIVE');

sub sql { return $node->safe_psql('postgres', $_[0]); }
sub bytes { return "decode('" . unpack('H*', LlavaZh::Cluster::png($_[0])) . "', 'hex')"; }

# A session of a role, its pid and what is said of it.
sub session
{
	my ($role, $database) = @_;
	my $session = $node->background_psql($database // 'postgres', extra_params => [ '-U', $role ], on_error_stop => 0);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	return ($session, $pid, qr/process $pid \(role "$role", idle in transaction\)/);
}

sub wait_log
{
	my ($from, $pattern) = @_;
	my $end = time + 50;
	until (slurp_file($node->logfile, $from) =~ $pattern)
	{
		return 0 if time > $end;
		usleep(50_000);
	}
	return 1;
}

sub waiting
{
	my ($n) = @_;
	sql("SELECT llava_pause('sim')");
	sql(LlavaZh::Cluster::pictures_sql($next, $next + $n - 1, 'detail'));
	$next += $n;
	return;
}

sub all_once
{
	my ($what) = @_;
	ok($node->wait_drained, "$what: the queue drains");
	is($endpoint->stats->{requests}, $next - 1, "$what: each picture is asked about once");
	is(sql("SELECT count(*) FROM llava_conversation c JOIN llava_image i ON i.id = c.image WHERE i.path ~ '^pic'"), $next - 1, "$what: each has its sample");
	return;
}

sql(<<'SQL');
CREATE ROLE nobody LOGIN; CREATE ROLE feeder LOGIN; CREATE ROLE reader LOGIN; CREATE ROLE operator LOGIN; CREATE ROLE editor LOGIN;
CREATE ROLE owner LOGIN CREATEROLE; ALTER DATABASE postgres OWNER TO owner;
GRANT USAGE ON FOREIGN DATA WRAPPER llava_zh TO nobody;
GRANT INSERT (path, image, source_url, page_url, licence, task, meta, long_images) ON llava_image TO feeder;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
GRANT EXECUTE ON FUNCTION llava_enqueue, llava_retry, llava_start, llava_forget TO operator;
GRANT SELECT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO editor;
CREATE TABLE noise AS SELECT i, repeat('x', 100) AS x FROM generate_series(1, 20000) i; GRANT SELECT ON noise TO PUBLIC;
SQL
waiting(10);
sql("SELECT llava_resume('sim')");
ok($node->wait_drained, 'ten samples');

#
# What stands in nobody's way
#
my $url = $endpoint->url;
my @held;

# Whatever any role can do.
sub hold_common
{
	my ($role) = @_;
	my ($numbers) = session($role);
	my ($snapshot) = session($role);
	my ($listener) = session($role);
	my $worker = $node->worker_pid;
	$numbers->query('SELECT count(pg_try_advisory_lock(1819042152, n)), count(pg_try_advisory_lock(1819042166, n)), count(pg_try_advisory_lock(n)), count(pg_try_advisory_lock_shared(1818321270, n)) FROM generate_series(0, 20) n');
	$listener->query('LISTEN llava_zh; LISTEN llava_pending');
	$listener->query('BEGIN; SELECT 1');
	$numbers->query("SELECT count(pg_notify('llava_zh', repeat('x', 7000) || n)) FROM generate_series(1, 500) n");
	$numbers->query("SET application_name = 'llava_zh worker 0'");
	$numbers->query("SELECT pg_terminate_backend($worker)");
	$numbers->query("ALTER ROLE $role SET lock_timeout = '1ms'");
	$numbers->query("CREATE SERVER of_$role FOREIGN DATA WRAPPER llava_zh OPTIONS (url '$url', model 'test')");
	$numbers->query('BEGIN; SELECT count(pg_try_advisory_xact_lock(1818321270, n)), count(pg_try_advisory_xact_lock_shared(n)) FROM generate_series(0, 20) n');
	# the strongest that the role may
	for my $table (@tables)
	{
		for my $mode (@modes)
		{
			$numbers->{stderr} = '';
			$numbers->query("SAVEPOINT a; LOCK TABLE $table IN $mode MODE NOWAIT");
			next unless $numbers->{stderr};
			$numbers->query('ROLLBACK TO a');
			last;
		}
	}
	$snapshot->query("SET work_mem = '64kB'; SET temp_file_limit = -1");
	$snapshot->query('BEGIN ISOLATION LEVEL SERIALIZABLE; DECLARE c CURSOR FOR SELECT * FROM noise a ORDER BY x, i; FETCH 1 FROM c');
	$snapshot->query('SAVEPOINT a; DECLARE d CURSOR FOR SELECT * FROM llava_image, llava_pending; FETCH 1 FROM d');
	$snapshot->query('ROLLBACK TO a') if $snapshot->{stderr};
	push @held, $numbers, $snapshot, $listener;
	return;
}

my %worst = (
	nobody => sub { },
	feeder => sub {
		my ($session) = session('feeder');
		$session->query("BEGIN; INSERT INTO llava_image (path, image, task) VALUES ('same.png', " . bytes(5000) . ", 'detail')");
		push @held, $session;
	},
	reader => sub { },
	operator => sub {
		my ($session) = session('operator');
		$session->query("BEGIN; SELECT llava_retry(id, 'detail', NULL), llava_enqueue(id, 'detail', true) FROM generate_series(1, 5) id");
		push @held, $session;
	},
	owner => sub {
		my ($session) = session('owner');
		$session->query("ALTER DATABASE postgres SET $_") for 'default_transaction_read_only = on', "statement_timeout = '1ms'", "default_transaction_isolation = 'serializable'", "temp_file_limit = 0";
		$session->query("BEGIN; CREATE TABLE public.llava_mine (i integer); ALTER DATABASE postgres SET lock_timeout = '1ms'; COMMENT ON DATABASE postgres IS 'mine'");
		push @held, $session;
	});

sub let_go
{
	sql("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename IN ('nobody', 'feeder', 'reader', 'operator', 'editor', 'owner')");
	$_->{run}->kill_kill for @held;
	@held = ();
	return;
}

# as superuser, whatever the owner has set for the database
$ENV{PGOPTIONS} = '-c default_transaction_read_only=off -c statement_timeout=0 -c default_transaction_isolation=read\ committed -c lock_timeout=0';
foreach my $role (sort keys %worst)
{
	hold_common($role);
	$worst{$role}->();
	waiting(200);
	sql("SELECT llava_resume('sim')");
	all_once("the worst of $role");
	let_go();
}
foreach my $role (sort keys %worst)
{
	hold_common($role);
	$worst{$role}->();
}
waiting(200);
my $worker = $node->worker_pid;
sql("SELECT llava_resume('sim')");
all_once('all of them');
is($node->worker_pid, $worker, 'by the same worker');
let_go();
sql('ALTER DATABASE postgres RESET ALL');

#
# What does: the log names it
#
# holds(what, role, statements, what is awaited, pictures)
sub stops
{
	my ($what, $role, $statements, $awaited, $before) = @_;
	waiting(200);
	my ($session, $pid, $who) = session($role);
	my ($front, $front_pid, $front_who) = $before ? session('reader') : ();
	my $log = -s $node->logfile;
	if ($before)
	{
		$front->query_safe($before);
		$session->query_until(qr/waits/, "\\echo waits\n$statements;\n");
		$node->wait_query("SELECT count(*) FROM pg_locks WHERE pid = $pid AND NOT granted", '1');
		$who = qr/process $pid \(role "$role", active\) is in the way, and itself waits for $front_who/;
	}
	else
	{
		$session->query_safe($statements);
		$who = qr/$who is in the way/;
	}
	sql("ALTER SERVER sim OPTIONS (SET paused 'false')");
	my $words = qr/llava_zh: [a-z ]+ waits for $awaited: $who/;
	ok(wait_log($log, qr/LOG:  $words/), "$what: the log names what, pid and role") or diag(slurp_file($node->logfile, $log));
	ok($node->wait_query("SELECT query ~ 'waits for .* process $pid .role \"$role\"' FROM pg_stat_activity WHERE backend_type = 'llava_zh worker'", 't'), "$what: so does what the worker does");
	# of each table once
	my %told;
	$told{$_}++ for slurp_file($node->logfile, $log) =~ /waits for (table \w+|a row|an advisory lock).*?: process $pid /g;
	is(join(' ', grep { $_ > 1 } values %told), '', "$what: told of once");
	($front // $session)->query_safe('ROLLBACK');
	$session->query('ROLLBACK');
	$_->quit for grep { defined } $session, $front;
	all_once($what);
	return;
}

stops('LOCK TABLE llava_pending', 'editor', 'BEGIN; LOCK TABLE llava_pending IN ACCESS EXCLUSIVE MODE', qr/table llava_pending/);
stops('LOCK TABLE llava_conversation', 'editor', 'BEGIN; LOCK TABLE llava_conversation IN SHARE MODE', qr/table llava_conversation/);
stops('rows of the queue', 'editor', 'BEGIN; SELECT count(*) FROM (SELECT FROM llava_pending FOR KEY SHARE) r', qr/a row .*relation "llava_pending".*?/);
stops('a row of llava_usage', 'editor', "BEGIN; SELECT FROM llava_usage WHERE server = 'sim' FOR UPDATE", qr/a row .*relation "llava_usage".*?/);
stops('a takedown', 'operator', "SET client_min_messages = warning; BEGIN; SELECT llava_forget(1, 'x')", qr/table llava_\w+/);
stops('one who waits for another', 'editor', 'BEGIN; LOCK TABLE llava_reply IN ACCESS EXCLUSIVE MODE', qr/table llava_reply/, 'BEGIN; LOCK TABLE llava_reply IN ACCESS SHARE MODE');

# a row that is passed over, alone
waiting(200);
my ($session, $pid, $who) = session('editor');
my $log = -s $node->logfile;
$session->query_safe('BEGIN; SELECT FROM llava_pending ORDER BY image LIMIT 1 FOR UPDATE');
sql("SELECT llava_resume('sim')");
ok($node->wait_query('SELECT count(*) FROM llava_pending', '1'), 'one row is passed over');
ok(wait_log($log, qr/LOG:  llava_zh: claiming images waits for a row .*: $who is in the way/), 'and the log says who has it');
$session->query_safe('COMMIT');
all_once('a row that is passed over');

# all room for locks, by who has no grant; whoever connects needs some too
waiting(200);
my ($greedy, $greedy_pid) = session('nobody');
$endpoint->control(latency => 300);
$log = -s $node->logfile;
sql("SELECT llava_resume('sim')");
$endpoint->wait_in_flight(1);
# session locks outlive the error
$greedy->query("SELECT count(pg_advisory_lock($_, n)) FROM generate_series(1, 1000000) n") for 1 .. 2;
ok(wait_log($log, qr/LOG:  llava_zh: .*no room for locks is left; process $greedy_pid \(role "nobody", \w+\) has \d+ of them/), 'who takes all room for locks is named');
$greedy->quit;
$endpoint->control(latency => 0);
all_once('no room for locks');

#
# llava_drain says it too
#
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION llava_zh; GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA public TO editor');
$node->safe_psql('other', "CREATE SERVER sim FOREIGN DATA WRAPPER llava_zh OPTIONS (url '$url', model 'test')");
$node->safe_psql('other', LlavaZh::Cluster::pictures_sql(6001, 6005, 'detail'));
($session, $pid, $who) = session('editor', 'other');
$session->query_safe('BEGIN; SELECT FROM llava_pending ORDER BY image LIMIT 1 FOR UPDATE');
my ($rc, $out, $err) = $node->psql('other', 'CALL llava_drain()');
like($err, qr/NOTICE:  llava_zh: claiming images waits for a row .*: $who is in the way.*NOTICE:  llava_drain: 4 samples/s, 'a drain that leaves a row says who has it');
$session->query_safe('ROLLBACK; BEGIN; LOCK TABLE llava_pending IN ACCESS EXCLUSIVE MODE');
my ($in, $errors) = ('', '');
my $drain = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('other'), '-c', 'CALL llava_drain()' ], '<', \undef, '>', \$in, '2>', \$errors, IPC::Run::timeout(60));
$drain->pump until $errors =~ /is in the way/;
like($errors, qr/NOTICE:  llava_zh: \w+ing \w+ waits for table llava_pending: $who is in the way/, 'and one that waits says for whom');
$session->query_safe('COMMIT');
$drain->finish;
is(() = $errors =~ /NOTICE: .* is in the way/g, 1, 'once');
is($node->safe_psql('other', 'SELECT count(*) FROM llava_conversation'), '5', 'and drains when it can');
$session->quit;

$node->stop('fast');
$endpoint->stop;
done_testing();
