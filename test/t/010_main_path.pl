# INSERT, background worker, HTTP, conversations, export: the whole way, and each
# image asked about exactly once.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('main');
$node->create_server('sim', $endpoint->url, "max_in_flight '8'");
$node->insert_pictures(1, 30);
ok($node->wait_drained, 'the worker drains what was inserted');

is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT image) FROM llava_conversation'),
	'30|30', 'each image has one conversation');
is($node->safe_psql('postgres',
		"SELECT count(*) FROM llava_conversation c JOIN llava_image i ON i.id = c.image AND i.task = c.task"),
	'30', 'about the task that was drawn for it');
is($node->safe_psql('postgres', 'SELECT requests, replies, accepted, failed FROM llava_usage'),
	'30|30|30|0', 'the usage says what was asked');
is($node->safe_psql('postgres',
		"SELECT count(*) FROM llava_reply WHERE reason IS NULL AND prompt_tokens > 0 AND NOT late"),
	'30', 'the ledger has every reply');
is($node->safe_psql('postgres',
		'SELECT sum(done), sum(waiting + in_flight + failed + rejected + interrupted), sum(per_minute), min(shortfall), count(eta) FROM llava_progress'),
	'30|0|30|0|3', 'llava_progress adds up');

my %asked;
$asked{ $_->{request_id} }++ for $endpoint->requests;
is(scalar(keys %asked), 30, 'the endpoint saw 30 calls');
is_deeply([ grep { $asked{$_} > 1 } keys %asked ], [], 'and no call id twice');
is($node->safe_psql('postgres', 'SELECT count(*) FROM llava_reply WHERE id::text = ANY (\'{'
		  . join(',', keys %asked) . '}\')'),
	'30', 'each is the id of its ledger row');

# a wake at commit, not the nap, starts the work
$node->append_conf('postgresql.conf', "llava_zh.naptime = '1h'");
$node->reload;
$node->insert_pictures(31, 40);
ok($node->wait_drained, 'a commit wakes the worker');

# the same through llava_drain in a session
$node->safe_psql('postgres', "SELECT llava_pause('sim')");
$node->insert_pictures(41, 45, 'detail');
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION llava_zh');
$node->safe_psql('other',
	"CREATE SERVER sim FOREIGN DATA WRAPPER llava_zh OPTIONS (url '" . $endpoint->url . "', model 'test')");
$node->safe_psql('other', LlavaZh::Cluster::pictures_sql(1, 5, 'conversation'));
my ($ret, $stdout, $stderr) = $node->psql('other', 'CALL llava_drain()');
is($ret, 0, 'llava_drain ends') or diag $stderr;
like($stderr, qr/llava_drain: 5 samples, 0 failed/, 'and says what it did');
is($node->safe_psql('other', 'SELECT count(*) FROM llava_conversation'), '5', 'in its own database');
is($node->safe_psql('postgres', 'SELECT count(*) FROM llava_pending'),
	'5', 'a paused server is not asked');
$node->safe_psql('postgres', "SELECT llava_resume('sim')");
ok($node->wait_drained, 'a resumed one is');

# llava_start without preloading
my $plain = LlavaZh::Cluster->new('plain', preload => 0);
$plain->create_server('sim', $endpoint->url);
$plain->insert_pictures(1, 5);
my $pid = $plain->safe_psql('postgres', 'SELECT llava_start()');
ok($plain->wait_drained, 'llava_start drains without preloading');
is($plain->worker_pid, $pid, 'the pid is the worker\'s');
is($plain->safe_psql('postgres', 'SELECT llava_start()'), $pid, 'a second start finds the first');
$plain->insert_pictures(6, 8);
ok($plain->wait_drained, 'later rows wake it');

$node->stop('fast');
$plain->stop('fast');
$endpoint->stop;
done_testing();
