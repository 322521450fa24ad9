# While requests hang the worker holds no transaction, snapshot or lock, and other
# databases can be dropped.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('quiet', conf => "llava_zh.naptime = '1h'\n");
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->create_server('sim', $endpoint->url('/fault/hang'), "max_in_flight '4'");
$node->insert_pictures(1, 4);
my $pid = $node->worker_pid;
$endpoint->wait_in_flight(4);
ok($node->poll_query_until('postgres',
		"SELECT state = 'idle' AND backend_xid IS NULL AND backend_xmin IS NULL AND xact_start IS NULL FROM pg_stat_activity WHERE pid = $pid"),
	'no transaction is open');
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_locks WHERE pid = $pid AND locktype <> 'virtualxid'"),
	'no lock is held');
my $before = time;
$node->safe_psql('postgres', 'DROP DATABASE other');
cmp_ok(time - $before, '<', 4, 'DROP DATABASE of another database is not held up');
$before = time;
$node->safe_psql('postgres', 'DROP EXTENSION llava_zh CASCADE');
cmp_ok(time - $before, '<', 2, 'nor is DROP EXTENSION');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid = $pid"),
	'1', 'the worker lives on');
$node->safe_psql('postgres', 'CREATE EXTENSION llava_zh');
$node->create_server('sim', $endpoint->url, "max_in_flight '4'");
$node->insert_pictures(1, 4);
ok($node->wait_drained, 'and works for the extension that comes next');

# the same for a session in llava_drain
$node->safe_psql('postgres', 'CREATE DATABASE drained');
$node->safe_psql('drained', 'CREATE EXTENSION llava_zh');
$node->safe_psql('drained',
	"CREATE SERVER sim FOREIGN DATA WRAPPER llava_zh OPTIONS (url '" . $endpoint->url('/fault/hang') . "', model 'test')");
$node->safe_psql('drained', LlavaZh::Cluster::pictures_sql(1, 2));
my $session = $node->background_psql('drained', on_error_stop => 0);
$session->query_until(qr/start/, "\\echo start\nSET statement_timeout = '180s';\nCALL llava_drain();\n");
$endpoint->wait_in_flight(2);
ok($node->poll_query_until('postgres',
		"SELECT backend_xid IS NULL AND backend_xmin IS NULL FROM pg_stat_activity WHERE datname = 'drained' AND query LIKE 'CALL%'"),
	'a draining session has no snapshot while it waits');
$before = time;
$node->safe_psql('postgres', 'CREATE DATABASE other2');
$node->safe_psql('postgres', 'DROP DATABASE other2');
cmp_ok(time - $before, '<', 4, 'and holds nobody up');
$node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = 'drained' AND query LIKE 'CALL%'");
$session->quit;
$node->stop('fast');
$endpoint->stop;
done_testing();
