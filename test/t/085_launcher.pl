# The launcher keeps the workers that the settings ask for: of several databases, more
# and fewer after a reload, after deaths, and never two of a slot.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('launcher', databases => 'postgres, second, missing', conf => "llava_zh.workers = 2\nmax_worker_processes = 16\n");
$node->safe_psql('postgres', 'CREATE DATABASE second');
$node->safe_psql('second', 'CREATE EXTENSION llava_zh');

sub workers
{
	my ($database, $count, $what) = @_;
	is($node->wait_query("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'llava_zh worker' AND datname = '$database' AND application_name LIKE 'llava_zh worker%'",
			$count), $count, $what);
	return;
}

sub set_and_reload
{
	my ($line) = @_;
	$node->append_conf('postgresql.conf', "$line\n");
	$node->reload;
	return;
}

workers('postgres', 2, 'two workers of one database');
workers('second', 2, 'and of another, found when it is there');
$node->safe_psql('second', "CREATE SERVER sim FOREIGN DATA WRAPPER llava_zh OPTIONS (url '" . $endpoint->url . "', model 'test')");
$node->safe_psql('second', LlavaZh::Cluster::pictures_sql(1, 4));
ok($node->wait_drained('second'), 'it is drained');
my $log = slurp_file($node->logfile);
my $tries = () = $log =~ /database "missing" does not exist/g;
cmp_ok($tries, '<=', 12, 'a database that is not there is tried seldom');

set_and_reload('llava_zh.workers = 3');
workers('postgres', 3, 'more after a reload');
set_and_reload('llava_zh.workers = 1');
workers('postgres', 1, 'fewer after another');

# never two of a slot
my $pid = $node->worker_pid;
is($node->safe_psql('postgres', 'SELECT llava_start()'), $pid, 'llava_start finds the one that runs');
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'llava_zh launcher'");
ok($node->wait_query("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'llava_zh launcher'", '1'), 'the launcher comes back');
workers('postgres', 1, 'with one worker still');

# databases come and go
set_and_reload("llava_zh.databases = 'postgres'");
workers('second', 0, 'a database that is taken out has no worker');
$node->safe_psql('postgres', 'DROP DATABASE second');
set_and_reload("llava_zh.databases = 'postgres, second'");
$node->safe_psql('postgres', 'CREATE DATABASE second');
workers('second', 1, 'a new database gets one, with the extension or without');
$node->safe_psql('postgres', 'DROP DATABASE second WITH (FORCE)');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_database WHERE datname = 'second'"), '0', 'DROP DATABASE WITH (FORCE) ends it');

# DROP EXTENSION while requests are in flight, and again
$endpoint->control(faults => 'hold=1');
$node->create_server('sim', $endpoint->url);
$node->insert_pictures(1, 3);
$endpoint->wait_for(in_flight => 3);
$node->safe_psql('postgres', 'DROP EXTENSION llava_zh CASCADE');
$endpoint->control(release => 1, faults => '');
$node->safe_psql('postgres', 'CREATE EXTENSION llava_zh');
$node->create_server('sim', $endpoint->url);
$node->insert_pictures(11, 13);
ok($node->wait_drained, 'DROP EXTENSION in the middle harms nobody');
is($node->safe_psql('postgres', 'SELECT count(*) FROM llava_conversation'), '3', 'and leaves nothing behind');

$node->stop('fast');
$endpoint->stop;
done_testing();
