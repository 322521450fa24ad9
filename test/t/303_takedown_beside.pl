# A takedown beside whoever has locked the rows of a picture and is about to write: llava_follow,
# keep.jsonl and llava_enqueue.  One waits for the other; there is no deadlock, and nothing of
# the picture is left behind.
use strict;
use warnings;
use utf8;
use lib 'test/perl';
use Encode qw(decode_utf8 encode_utf8);
use IPC::Run;
use LlavaZh::Cluster;
use LlavaZh::Judge;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = LlavaZh::Cluster->new('beside', preload => 0, conf => "session_preload_libraries = 'llava_zh'\n");
my $dir = PostgreSQL::Test::Utils::tempdir;
sub sql { return decode_utf8($node->safe_psql('postgres', encode_utf8($_[0]))); }

sql(LlavaZh::Cluster::pictures_sql(1, 6));
sql(q{DELETE FROM llava_pending;
INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
SELECT id, '描述图片', '[{"from": "human", "value": "问"}, {"from": "gpt", "value": "答"}]', 1, id, 1 FROM llava_image;
INSERT INTO llava_task (name, kind, language, prompt, required, after) VALUES ('judge', 'json', 'zh', '只输出 JSON', '{worth 0..3}', '描述图片')});
my $holder = $node->background_psql('postgres', on_error_stop => 1);
my $waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND backend_type = 'client backend'";

sub begin
{
	my $run = { said => '' };
	$run->{psql} = IPC::Run::start([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), map { ('-c', encode_utf8($_)) } @_ ],
		'<', \undef, '>&', \$run->{said});
	return $run;
}

# beside(what, lock, command, image): command waits behind the lock, and the takedown of the image behind both
sub beside
{
	my ($what, $lock, $command, $image) = @_;
	$holder->query_safe(encode_utf8("BEGIN; $lock"));
	my $first = begin($command);
	ok($node->wait_query($waiting, '1'), "$what has locked rows of a picture, and waits") or diag($first->{said});
	my $takedown = begin("SELECT llava_forget($image, 'letter')");
	ok($node->wait_query($waiting, '2'), 'so does its takedown') or diag($takedown->{said});
	$holder->query_safe('COMMIT');
	ok($first->{psql}->finish, "$what ends well") or diag($first->{said});
	ok($takedown->{psql}->finish, 'and the takedown, too') or diag($takedown->{said});
	is(sql("SELECT (SELECT count(*) FROM llava_image WHERE id = $image), (SELECT count(*) FROM llava_conversation WHERE image = $image),
		(SELECT count(*) FROM llava_pending WHERE image = $image)"), '0|0|0', 'nothing of it is left');
	return;
}

beside('llava_follow', 'SELECT FROM llava_conversation WHERE image = 2 FOR UPDATE', "CALL llava_follow('judge')", 1);
is(sql("SELECT string_agg(image::text, ' ' ORDER BY image) FROM llava_pending WHERE task = 'judge'"), '2 3 4 5 6', 'what is owed to the others is queued');

# the first line says what is known
sql('UPDATE llava_conversation SET keep = true WHERE image = 2');
my %sample = map { $_->{image} => $_ } LlavaZh::Judge::samples(sql('SELECT llava_page()'));
PostgreSQL::Test::Utils::append_to_file("$dir/keep.jsonl", join '', map { LlavaZh::Judge::line($sample{$_}, 'true', undef) } 2, 3);
beside('a copy of judgements', 'SELECT FROM llava_conversation WHERE image = 3 FOR UPDATE', "\\copy llava_keep_in FROM '$dir/keep.jsonl' WITH (FORMAT jsonl)", 2);
is(sql('SELECT keep FROM llava_conversation WHERE image = 3'), 't', 'the other one is taken in');

beside('llava_enqueue', 'LOCK TABLE llava_conversation', 'SELECT llava_enqueue(4, \'日常对话\')', 4);

$holder->quit;
$node->stop('fast');
done_testing();
