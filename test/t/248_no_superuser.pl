# The main job of README as the cookbook's role that is no superuser, from CREATE SERVER on;
# and after a dump and a restore with the one line that no dump carries.
use strict;
use warnings;
use lib 'test/perl';
use Encode qw(encode_utf8);
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use LlavaZh::Page;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('owner', preload => 0);
my $data = $node->basedir . '/user';
mkdir $_ for $data, "$data/images";
PostgreSQL::Test::Utils::append_to_file("$data/images/shop-sign.jpg", scalar slurp_file('test/samples/shop-sign.jpg'));
PostgreSQL::Test::Utils::append_to_file("$data/images/$_.png", LlavaZh::Cluster::png($_)) for 1 .. 119;

my $role = LlavaZh::Page->new('sql/cookbook.md')->block('How does a role that is no superuser do the main job?');
my $session = encode_utf8(LlavaZh::Page->new('README.md')->block('The main job'));
$session =~ s{/data/}{$data/}g;
my $url = $endpoint->url;
$session =~ s{http://127\.0\.0\.1:8000/v1}{$url}g;
is($session =~ s/^CREATE EXTENSION llava_zh;$//m, 1, 'what a superuser does');

$node->safe_psql('postgres', 'DROP EXTENSION llava_zh');
$node->safe_psql('postgres', $_) for 'CREATE DATABASE zh';
$node->safe_psql('zh', 'CREATE SCHEMA llava; CREATE EXTENSION llava_zh SCHEMA llava; ALTER DATABASE zh SET search_path = llava, public');
$node->safe_psql('zh', $role);
is($node->safe_psql('zh', "SELECT rolsuper FROM pg_roles WHERE rolname = 'zh'"), 'f', 'the role is no superuser');
is($node->safe_psql('zh', 'SELECT count(*) FROM llava_untrusted()'), '0', 'nothing is refused');

my ($first, $look, $go_on, $export) = $session =~ /^(.*?)(SELECT \* FROM llava_progress.*?)(ALTER SERVER.*?)(COPY.*)$/s;
my $psql = $node->background_psql('zh', on_error_stop => 1, extra_params => [ '-U', 'zh' ]);
like($psql->query($first), qr/^\[\{"from": "human"/m, 'one image, now');
ok($node->wait_query("SELECT state || ' ' || pause_reason || ' ' || requests FROM llava_stat_server", 'paused max_requests 100', 'zh'),
	'the worker asks its server, until the look');
like($psql->query($look), qr/^\S+\|\d+\|\d+\.\d+$/m, 'samples to look at');
$psql->query($go_on);
ok($node->wait_drained('zh'), 'and goes on');
$psql->query($export);
is(scalar(split /\n/, slurp_file("$data/train.jsonl")), 120, 'a line an image');

# what a data engineer does besides
$psql->query("INSERT INTO llava_task (name, prompt) SELECT name, prompt || ' ' FROM llava_task WHERE name = llava_task_name('detail'); SELECT llava_enqueue(1, 'detail', true);");
ok($node->wait_drained('zh'), 'a new prompt');
my $done = $psql->query("UPDATE llava_conversation SET keep = false WHERE image = 2; CALL llava_reparse();
	SELECT llava_record_export('train.jsonl'); SELECT llava_forget(3, 'letter'); SELECT llava_pause('qwen'); SELECT llava_resume('qwen');
	SELECT llava_page(1) ~ '^<!doctype html>', llava_dataset_card() ~ '^---'");
like($done, qr/^t\|t$/m, 'judge, reparse, record, take down, pause, resume, look');
$psql->quit;

# a restore: the owner of the queue is the one thing that is lost
my ($worker) = $node->safe_psql('zh', "SELECT pid FROM llava_stat_worker WHERE slot IS NOT NULL");
command_ok([ 'pg_dump', '-Fc', '-f', "$data/dump", '-d', $node->connstr('zh') ], 'a dump');
$node->safe_psql('postgres', 'CREATE DATABASE again');
$node->safe_psql('postgres', 'ALTER DATABASE again SET search_path = llava, public');
command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('again'), "$data/dump" ], 'is restored');
isnt($node->safe_psql('again', "SELECT relowner::regrole FROM pg_class WHERE oid = 'llava.llava_pending'::regclass"), 'zh', 'without the owner');
is($node->safe_psql('again', 'SELECT pause_reason FROM llava_stat_server'), 'owner', 'so that no worker asks its server');
my ($line) = $role =~ /^(ALTER TABLE .*?;)/m;
$node->safe_psql('again', $line);
$node->safe_psql('again', LlavaZh::Cluster::pictures_sql(200, 204));
my $ret = $node->psql('again', 'CALL llava_drain()', extra_params => [ '-U', 'zh' ]);
is($ret, 0, 'and with the line the role drains it');
is($node->safe_psql('again', 'SELECT count(*) FROM llava_pending'), '0', 'to the end');

$node->stop('fast');
$endpoint->stop;
done_testing();
