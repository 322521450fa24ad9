# Whatever a database's owner or a role's settings say, a worker works: each of them by
# ALTER DATABASE, ALTER ROLE and ALTER ROLE ... IN DATABASE.  In llava_drain such defaults
# do not count; a session's own READ ONLY does.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my @settings = (
	[ default_transaction_read_only => 'on' ], [ default_transaction_deferrable => 'on' ],
	[ default_transaction_isolation => 'serializable' ], [ row_security => 'off' ],
	[ session_replication_role => 'replica' ], [ statement_timeout => '1ms' ],
	[ lock_timeout => '1ms' ], [ idle_in_transaction_session_timeout => '1ms' ],
	[ idle_session_timeout => '1ms' ], [ temp_file_limit => '0' ],
	[ plan_cache_mode => 'force_custom_plan' ], [ DateStyle => 'SQL, DMY' ],
	[ IntervalStyle => 'sql_standard' ], [ bytea_output => 'escape' ],
	[ TimeZone => 'Asia/Shanghai' ], [ lc_messages => 'C.UTF-8' ],
	[ extra_float_digits => '-15' ], [ check_function_bodies => 'off' ],
	[ exit_on_error => 'on' ], [ role => 'nobody' ], [ session_authorization => 'nobody' ],
);
# by ALTER DATABASE only
my @others = (
	[ work_mem => '64kB' ], [ array_nulls => 'off' ], [ standard_conforming_strings => 'off' ],
	[ backslash_quote => 'off' ], [ quote_all_identifiers => 'on' ], [ transform_null_equals => 'on' ],
	[ xmlbinary => 'hex' ], [ client_min_messages => 'error' ], [ application_name => 'llava_zh worker 0' ],
	[ default_table_access_method => 'heap' ], [ synchronous_commit => 'off' ], [ geqo_threshold => '2' ],
	[ join_collapse_limit => '1' ], [ cursor_tuple_fraction => '0' ], [ jit_above_cost => '0' ],
	[ random_page_cost => '1e12' ], [ cpu_index_tuple_cost => '1e12' ], [ default_toast_compression => 'pglz' ],
	[ search_path => 'nowhere' ], [ transaction_read_only => 'on' ],
	(map { [ "enable_$_" => 'off' ] } qw(indexscan indexonlyscan nestloop material tidscan hashagg memoize)),
);

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('settings');
$node->create_server('sim', $endpoint->url);
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE nobody;
CREATE TABLE fired (image bigint);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN INSERT INTO public.fired VALUES (NEW.image); RETURN NEW; END';
CREATE TRIGGER note BEFORE INSERT ON llava_conversation FOR EACH ROW EXECUTE FUNCTION note();
SQL
my $known = $node->safe_psql('postgres', "SELECT string_agg(lower(name), ' ') FROM pg_settings") . ' role session_authorization';
my %known = map { $_ => 1 } split / /, $known;
# PostgreSQL 19 knows no other
@others = grep { $_->[0] ne 'standard_conforming_strings' } @others
  if $node->safe_psql('postgres', 'SHOW server_version_num') >= 190000;
push @settings, [ transaction_timeout => '1ms' ] if $known{transaction_timeout};

# sessions of the test have what they need, whatever is set
my $superuser = $node->safe_psql('postgres', 'SELECT current_user');
$ENV{PGOPTIONS} = join ' ', map { "-c $_" } 'default_transaction_read_only=off', 'default_transaction_isolation=read\ committed',
	'row_security=on', 'session_replication_role=origin', 'statement_timeout=0', 'lock_timeout=0',
	'idle_in_transaction_session_timeout=0', 'idle_session_timeout=0', 'exit_on_error=off', 'temp_file_limit=-1',
	'work_mem=4MB', 'standard_conforming_strings=on', 'search_path=public', 'client_min_messages=notice',
	'DateStyle=ISO', 'bytea_output=hex', "session_authorization=$superuser", 'role=none',
	'random_page_cost=4', 'cpu_index_tuple_cost=0.005', ($known{transaction_timeout} ? 'transaction_timeout=0' : ());

# ALTER what SET the setting: the next worker, which has it, works
my $next = 1;
sub works
{
	my ($what, $setting) = @_;
	my ($name, $value) = @$setting;
	my $pid = $node->worker_pid;
	$node->safe_psql('postgres', "ALTER $what SET $name = " . ($value =~ /,/ ? $value : "'$value'"));
	# a reload has the launcher start the next one at once
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	$node->wait_query("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid", 't') or die 'it does not end';
	$node->reload;
	my $worker = $node->worker_pid($pid);
	$node->insert_pictures($next, $next + 1);
	my $drained = $node->wait_query('SELECT count(*) FROM llava_pending', '0');
	is(defined $drained ? $node->safe_psql('postgres', "SELECT count(*) FROM llava_conversation JOIN fired USING (image) WHERE image >= $next") : 'not drained',
		'2', "$name = $value by ALTER $what");
	is($node->worker_pid, $worker, "$name = $value by ALTER $what: one worker, all along") if $name eq 'exit_on_error';
	$next += 2;
	# by its name PostgreSQL 17 does not reset transaction_read_only
	$node->safe_psql('postgres', "ALTER $what RESET ALL");
	return;
}

for my $setting (@settings)
{
	works($_, $setting) for 'DATABASE postgres', "ROLE $superuser", "ROLE $superuser IN DATABASE postgres";
}
works('DATABASE postgres', $_) for grep { $known{ lc $_->[0] } } @others;

# a locked table is an error of a settle, not the end of the worker
$node->safe_psql('postgres', 'ALTER DATABASE postgres SET exit_on_error = on');
my $pid = $node->worker_pid;
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
my $worker = $node->worker_pid($pid);
my $log = -s $node->logfile;
my $locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK TABLE llava_reply IN SHARE ROW EXCLUSIVE MODE');
$node->insert_pictures($next, $next);
$node->wait_query('SELECT count(holder) FROM llava_pending', '1') or die 'nothing is claimed';
for (1 .. 2400)
{
	last if slurp_file($node->logfile, $log) =~ /lock timeout/;
	Time::HiRes::usleep(100_000);
}
$locker->query_safe('COMMIT');
$locker->quit;
ok($node->wait_drained, 'a lock that is waited for');
is($node->worker_pid, $worker, 'ends no worker, with exit_on_error either');
$node->safe_psql('postgres', 'ALTER DATABASE postgres RESET ALL');
$next++;

# all that makes a transaction wait for those of others, and one that does not end
$node->safe_psql('postgres', "ALTER DATABASE postgres SET $_") for 'default_transaction_read_only = on',
	'default_transaction_deferrable = on', 'default_transaction_isolation = serializable';
my $other = $node->background_psql('postgres');
$other->query_safe('BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE; SELECT count(*) FROM pg_class');
$pid = $node->worker_pid;
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
$node->insert_pictures($next, $next);
ok($node->wait_drained, 'a worker waits for no safe snapshot');
$next++;
$other->query_safe('COMMIT');
$other->quit;
$node->safe_psql('postgres', 'ALTER DATABASE postgres RESET ALL');

# with row security, a role that is neither a superuser nor the tables' owner
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE keeper;
GRANT USAGE, CREATE ON SCHEMA public TO keeper;
ALTER TABLE llava_pending OWNER TO keeper;
GRANT SELECT, INSERT, UPDATE, DELETE ON llava_image, llava_task, llava_reply, llava_interrupted, llava_conversation, llava_annotation, llava_usage, llava_hash TO keeper;
GRANT INSERT ON fired TO keeper;
GRANT USAGE ON SEQUENCE llava_call_seq TO keeper;
ALTER TABLE llava_image ENABLE ROW LEVEL SECURITY;
CREATE POLICY keeper ON llava_image TO keeper USING (true);
SQL
works('DATABASE postgres', [ row_security => 'off' ]);

# llava_drain: defaults do not count
$node->safe_psql('postgres', "SELECT llava_pause('sim')");
sub drain
{
	my ($sql) = @_;
	my $before = $endpoint->stats->{requests};
	my ($ret, $out, $err) = $node->psql('postgres', $sql, on_error_stop => 1);
	return ($err, $endpoint->stats->{requests} - $before);
}
$node->safe_psql('postgres', "SELECT llava_pause('sim')");
$node->safe_psql('postgres', "ALTER SYSTEM SET llava_zh.databases = ''");
$node->reload;
$node->wait_query("SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'llava_zh worker'", 't') or die 'the worker goes on';
$node->safe_psql('postgres', "SELECT llava_resume('sim')");
for my $setting (@settings)
{
	my ($name, $value) = @$setting;
	# these two say who may call it; the others end the call or the session, as they should
	next if $name =~ /^(?:role|session_authorization|(?:statement|idle_session|transaction)_timeout)$/;
	$value = "'$value'" unless $value =~ /,/;
	my $default = $name eq 'default_transaction_read_only';
	$node->insert_pictures($next, $next);
	$node->safe_psql('postgres', "ALTER DATABASE postgres SET $name = $value") if $default;
	local $ENV{PGOPTIONS} = $default ? '' : $ENV{PGOPTIONS};
	my ($err, $requests) = drain($default ? 'CALL llava_drain()' : "SET $name = $value; CALL llava_drain()");
	like($err, qr/llava_drain: 1 samples, 0 failed/, "llava_drain with $name = $value");
	is($requests, 1, 'by one request');
	$node->safe_psql('postgres', "BEGIN READ WRITE; ALTER DATABASE postgres RESET $name; COMMIT");
	$next++;
}

# what the session itself says does
$node->insert_pictures($next, $next);
my $read_only = 'DO $$ BEGIN SET TRANSACTION READ ONLY; CALL llava_drain(); END $$';
sub refused
{
	my ($sql, $what) = @_;
	my ($err, $requests) = drain($sql);
	like($err, qr/ERROR:  cannot execute llava_drain in a read-only transaction/, "$what is an error");
	is($requests, 0, 'and asks nothing');
	return;
}
refused($read_only, 'SET TRANSACTION READ ONLY');
refused('SET default_transaction_read_only = on; CALL llava_drain()', 'SET default_transaction_read_only');
{
	local $ENV{PGOPTIONS} = '-c default_transaction_read_only=on';
	refused('CALL llava_drain()', 'an option of the connection');
}
$node->safe_psql('postgres', 'ALTER DATABASE postgres SET default_transaction_read_only = on');
{
	local $ENV{PGOPTIONS} = '';
	refused($read_only, 'SET TRANSACTION READ ONLY where that is the default too');
	my ($err, $requests) = drain('CALL llava_drain()');
	is($requests, 1, 'the next transaction is another');
}

$node->stop('fast');
$endpoint->stop;
done_testing();
