# pg_dump and restore: the same rows, not one request, and then it goes on.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('dump', conf => "llava_zh.max_attempts = 1\n", databases => 'postgres, restored');
$node->create_server('sim', $endpoint->url);
$node->safe_psql('postgres', "INSERT INTO llava_task (name, prompt) VALUES ('描述图片', '用一段话描述这张图片。')");

# 3 samples, 1 failed, 2 waiting, one repeated and one broken picture
$node->insert_pictures(1, 3);
ok($node->wait_drained, 'three samples');
$endpoint->control(plan => '1:refusal');
$node->insert_pictures(4, 4);
ok($node->wait_query('SELECT count(*) FROM llava_pending WHERE failure IS NOT NULL', '1'), 'one failed');
$node->safe_psql('postgres', "SELECT llava_pause('sim')");
$node->insert_pictures(5, 6, 'detail');
$node->safe_psql('postgres', "INSERT INTO llava_image (path, image) SELECT 'again.png', image FROM llava_image WHERE path = 'pic1.png'");
$node->safe_psql('postgres', "INSERT INTO llava_image (path, image) VALUES ('bad.jpg', 'no picture')");
$node->safe_psql('postgres', "UPDATE llava_conversation SET keep = false, note = 'dull' WHERE image = 1");
$node->safe_psql('postgres', "SELECT llava_record_export('train.jsonl')");
mkdir $node->basedir . '/shards' or die $!;
$node->safe_psql('postgres', "SELECT llava_export_shards('" . $node->basedir . "/shards')");

my %rows = (
	llava_image => 'id, path, image, task, sha256, format, width, rejected, same_as, received_at',
	llava_seen => '*',
	llava_task => 'name, version, prompt, alias, weight, shipped',
	llava_pending => 'image, task, visible_at, attempts, variation, failure, detail',
	llava_reply => '*',
	llava_conversation => '*',
	llava_manifest => '*',
	llava_manifest_line => '*',
	llava_manifest_shard => '*',
	llava_usage => 'server, requests, replies, accepted, failed');

sub contents
{
	my ($database) = @_;
	return join "\n", map {
		my $order = $_ eq 'llava_task' ? '1, 2' : '1';
		"$_\n" . $node->safe_psql($database, "SELECT $rows{$_} FROM $_ ORDER BY $order")
	} sort keys %rows;
}

my $before = contents('postgres');
my $asked = $endpoint->stats->{requests};
my $dump = $node->backup_dir . '/dump.sql';
mkdir $node->backup_dir unless -d $node->backup_dir;
command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored') ], 'restore');

is(contents('restored'), $before, 'every row is the same');
is($endpoint->stats->{requests}, $asked, 'nothing was asked');
is($node->safe_psql('restored', 'SELECT (SELECT last_value FROM llava_call_seq) >= (SELECT max(id) FROM llava_reply)'),
	't', 'call ids go on where they were');

is($node->safe_psql('restored', "WITH again (id) AS MATERIALIZED (SELECT llava_record_export('again.jsonl')) SELECT m.rows FROM llava_manifest m, again WHERE m.id = again.id - 1"), '2', 'ids of manifests too');

# it goes on: the waiting ones are asked, with the edited prompt, under new ids
$node->reload; # the launcher has its back-off from when the database was not there
$node->safe_psql('restored', "SELECT llava_resume('sim')");
ok($node->wait_drained('restored'), 'the waiting ones are asked');
is($node->safe_psql('restored', 'SELECT count(*) FROM llava_conversation'), '5', 'five samples');
is($node->safe_psql('restored', "SELECT DISTINCT task_version FROM llava_reply WHERE image IN (SELECT id FROM llava_image WHERE path IN ('pic5.png', 'pic6.png'))"),
	'2', 'under the edited task');
$node->safe_psql('restored', LlavaZh::Cluster::pictures_sql(7, 7));
ok($node->wait_drained('restored'), 'new pictures go on');
is($node->safe_psql('restored', "SELECT count(*) FROM llava_image WHERE same_as IS NOT NULL"), '1', 'with no id used twice');
is($node->safe_psql('postgres', 'SELECT count(*) FROM llava_conversation'), '3', 'the first database is as it was');

$node->stop('fast');
$endpoint->stop;
done_testing();
