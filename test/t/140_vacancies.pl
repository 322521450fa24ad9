# Where there are fewer background worker slots than workers, a database without one says
# so in llava_stat_worker and in the log, and gets the next that is free.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use LlavaZh::Rights;
use PostgreSQL::Test::Utils;
use Test::More;

# slots for the launchers of llava_zh and of logical replication, and two
my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('vacancies', conf => "max_worker_processes = 4\nmax_parallel_workers = 0\n");
my @databases = qw(postgres one two);
my $mine = "SELECT count(*) FROM llava_stat_worker WHERE pid IS NOT NULL";
my $missing = "SELECT slot, state, activity, since <= now(), held FROM llava_stat_worker WHERE pid IS NULL";
my $WHY = '0\|missing\|llava_zh: no background worker slot is free: raise max_worker_processes\|t\|0';

$node->worker_pid;
for (qw(one two))
{
	$node->safe_psql('postgres', "CREATE DATABASE $_");
	$node->safe_psql($_, 'CREATE EXTENSION llava_zh');
	$node->safe_psql($_, "CREATE SERVER qwen FOREIGN DATA WRAPPER llava_zh OPTIONS (url '" . $endpoint->url . "', model 'test')");
}
sub databases
{
	$node->append_conf('postgresql.conf', "llava_zh.databases = '" . join(', ', @_) . "'\n");
	$node->reload;
	return;
}

databases(@databases);
ok($node->wait_query($mine, '1', 'one'), 'the second database has the last slot');
ok($node->wait_query($missing, $WHY, 'two'), 'the third one says that it has no worker, and why');
is($node->safe_psql($_, 'SELECT count(*) FROM llava_stat_worker WHERE pid IS NULL'), '0', "$_ lacks none") for qw(postgres one);
LlavaZh::Rights::set_up($node, 'two');
is($node->safe_psql('two', "SET ROLE monitor; SELECT count(*) FROM llava_stat_worker WHERE state = 'missing'"), '1', 'the monitor of the cookbook reads it');
$node->safe_psql('two', LlavaZh::Cluster::pictures_sql(1, 3));

# each time a worker ends the next one gets its slot
databases(qw(one two));
ok($node->wait_query('SELECT count(*) = 0 FROM llava_pending', 't', 'two'), 'it has the slot that is freed, and asks');
is($node->safe_psql('two', 'SELECT count(*) FILTER (WHERE pid IS NULL), count(*) FROM llava_stat_worker'), '0|1', 'and lacks none');
databases(@databases);
ok($node->wait_query($missing, $WHY), 'then the first has none');
my $log = slurp_file($node->logfile);
is(scalar(() = $log =~ /no background worker slot is free for database "two"/g), 1, 'the log has said it once');

# one that ends at once
databases(qw(one), 'absent');
$node->wait_query("SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'llava_zh worker' AND datname = 'two'", 't', 'one') or die;
$node->safe_psql('postgres', 'ALTER DATABASE two ALLOW_CONNECTIONS false');
databases(qw(one two));
for (1 .. 900)
{
	$log = slurp_file($node->logfile);
	last if (() = $log =~ /database "two" is not currently accepting connections/g) >= 3;
	select(undef, undef, undef, 0.1);
}
$node->safe_psql('postgres', 'ALTER DATABASE two ALLOW_CONNECTIONS true');
ok($node->wait_query($missing, '0\|missing\|llava_zh: the worker ended soon after its start: the log says why.*\|t\|0', 'two'),
	'one that ended again and again says so');
ok($node->wait_query($mine, '1', 'two'), 'until it is started again');

$node->stop('fast');
$endpoint->stop;
done_testing();
