# Rows that nobody will send say why: a task whose server is gone, servers that leave the
# queue to others, a key that workers do not use, and what llava_generate took of max_requests.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('reasons', conf => "llava_zh.stall_report = '1s'\n");
my $picture = "decode('" . unpack('H*', LlavaZh::Cluster::png(5000)) . "', 'hex')";
sub sql { return $node->safe_psql('postgres', $_[0]); }

# a server that a task names and that is dropped
$node->create_server('own', $endpoint->url, "max_requests '0'");
$node->create_server('sim', $endpoint->url, "max_requests '0'");
sql("INSERT INTO llava_task (name, server) VALUES ('描述图片', 'own')");
$node->insert_pictures(1, 2, 'detail');
$node->insert_pictures(3, 3, '日常对话');
ok($node->wait_query("SELECT state, reason FROM llava_progress WHERE task = '描述图片'",
	'paused\|server "own", which the task names, is paused: see llava_stat_server'), 'a task whose server a limit pauses waits for it');
sql('DROP SERVER own');
is(sql("SELECT waiting, eta, state, reason FROM llava_progress WHERE task = '描述图片'"),
	'2||no server|server "own", which the task names, does not exist', 'a server that is dropped later is the reason');
is(sql("SELECT DISTINCT status, reason FROM llava_status WHERE task = '描述图片'"),
	'waiting|server "own", which the task names, does not exist', 'of each row');
ok($node->wait_query("SELECT state, reason FROM llava_progress WHERE task = '日常对话'",
	'paused\|all servers that take the queue are paused: see llava_stat_server'), 'of no other task');
is(sql("SELECT DISTINCT status, reason FROM llava_status WHERE task = '日常对话'"),
	'waiting|all servers that take the queue are paused: see llava_stat_server', 'whose rows say their own');
my ($rc, $out, $err) = $node->psql('postgres', "INSERT INTO llava_task (name, prompt) VALUES ('描述图片', 'x')");
like($err, qr/ERROR:  server "own" of the task "描述图片" does not exist\nHINT:  .*an empty text means any server/, 'and the next version must name another');
sql("INSERT INTO llava_task (name, server) VALUES ('描述图片', '')");

# servers that leave the queue to others
sql("ALTER SERVER sim OPTIONS (ADD queue 'false', SET max_requests '2')");
is(sql("SELECT DISTINCT state, reason FROM llava_progress WHERE waiting > 0"),
	"no server|no server takes rows that name none: ALTER SERVER ... OPTIONS (SET queue 'true')", 'no server takes the queue: the reason');
is(sql("SELECT jsonb_array_length(llava_generate($picture, 'detail'))"), '2', 'llava_generate asks such a server');
ok($node->wait_query("SELECT activity ~ 'standing still: no server takes rows' FROM llava_stat_worker"), 'the worker stands still');
is($endpoint->stats->{requests}, 1, 'the worker asks it for nothing');
is(sql('SELECT generated, requests FROM llava_stat_server'), '1|0', 'what llava_generate asked is counted by itself');
sql("INSERT INTO llava_task (name, server) VALUES ('描述图片', 'sim')");
ok($node->wait_query("SELECT pause_reason = 'max_requests' AND requests = 1 FROM llava_stat_server"), 'rows of a task that names it go there');
like(sql('SELECT pause_detail FROM llava_stat_server'), qr/^max_requests 2 is reached \(2 requests made, 1 of them by llava_generate since the server's start\); ALTER SERVER sim /,
	'and the pause names both numbers');
is(sql('SELECT generated, requests FROM llava_stat_server'), '1|1', 'as the view does');
sql("ALTER SERVER sim OPTIONS (SET queue 'true', SET max_requests '100')");
ok($node->wait_drained, 'the option back: the queue drains');
sql("ALTER SERVER sim OPTIONS (SET max_requests '1')");
is($node->wait_query("SELECT pause_detail ~ '^max_requests 1 is reached [(]4 requests made, 1 of them by llava_generate' FROM llava_stat_server", 't'), 't',
	'a limit that is set too late says how many were made');
sql("ALTER SERVER sim OPTIONS (SET max_requests '100')");
ok($node->wait_query("SELECT state = 'active' FROM llava_stat_server"), 'and goes');

# a drain that names the server takes the queue's rows
sql("ALTER SERVER sim OPTIONS (SET queue 'false')");
$node->insert_pictures(4, 4, '日常对话');
sql("CALL llava_drain(server => 'sim')");
is(sql("SELECT count(*) FROM llava_conversation WHERE task = '日常对话'"), '2', 'llava_drain(server) asks it for all rows');

# a key that workers do not use
sql("ALTER SERVER sim OPTIONS (SET url '" . $endpoint->url('/fault/401') . "', SET queue 'true')");
$node->insert_pictures(5, 5, '日常对话');
ok($node->wait_query("SELECT pause_reason = 'key' AND pause_detail !~ 'workers use' FROM llava_stat_server"), 'a refused key');
sql("CREATE ROLE bob; CREATE USER MAPPING FOR bob SERVER sim OPTIONS (api_key 'sk-of-bob')");
ok($node->wait_query("SELECT pause_reason = 'key' AND pause_detail ~ 'workers use only the user mapping of the server''s owner, \".*\", or of PUBLIC, not that of \"bob\"\$' FROM llava_stat_server"),
	'and a mapping that workers do not use is named');
unlike(sql('SELECT pause_detail FROM llava_stat_server'), qr/sk-of/, 'without its key');

# without preloading a pause is read from its row
$node->stop('fast');
$node = LlavaZh::Cluster->new('alone', preload => 0);
$node->create_server('sim', $endpoint->url, "max_requests '0'");
$node->insert_pictures(1, 2, 'detail');
is(sql("SELECT state, eta FROM llava_progress WHERE task = '描述图片'"), 'active|', 'before anybody has looked');
sql('CALL llava_drain()');
is(sql('SELECT state, pause_reason FROM llava_stat_server'), 'paused|max_requests', 'a drain finds the limit');
my $paused = 'paused||all servers that take the queue are paused: see llava_stat_server';
is(sql("SELECT state, eta, reason FROM llava_progress WHERE task = '描述图片'"), $paused, 'llava_progress says so');
sql('CREATE ROLE anybody');
is(sql("SET ROLE anybody; SELECT reason FROM llava_waiting_tasks() WHERE task = '描述图片'"), $paused =~ s/paused\|\|//r, 'to anybody');
is(sql("SELECT llava_resume('sim')"), '', 'until it is resumed');
is(sql("SELECT state FROM llava_progress WHERE task = '描述图片'"), 'active', 'or somebody looks again');

$node->stop('fast');
$endpoint->stop;
done_testing();
