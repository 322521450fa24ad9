# llava_follow: what a change of a task owes to results that were there before is queued once,
# no more and no less, beside settles under way; an INSERT only says how much it would be; rows
# that wait are exchanged for the first of their chain; and no two INSERTs close a circle.
use strict;
use warnings;
use utf8;
use lib 'test/perl';
use Encode qw(encode_utf8);
use JSON::PP;
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use LlavaZh::Stages qw(stages_on sql error_of notice_of insert_pictures);
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('follow', preload => 0);
stages_on($node);
$node->create_server('sim', $endpoint->url);

# follow(task, arguments): the report about it
sub follow
{
	my ($task, $arguments) = @_;
	my $report = sql("CALL llava_follow('$task'" . ($arguments // '') . ')');
	my $of = JSON::PP->new->decode($report)->{$task} // die "no $task in $report";
	return join ' ', map { "$_=$of->{$_}" } grep { $of->{$_} != 0 } qw(results passes queued condition condition_error exchanged);
}

# waiting(task): rows that wait, and those that rest by their reasons
sub rows_of
{
	return sql("SELECT string_agg(coalesce(failure, 'waits') || '=' || n, ' ' ORDER BY failure NULLS FIRST) FROM
		(SELECT failure, count(*) AS n FROM llava_pending WHERE task = '$_[0]' GROUP BY failure) p");
}

#
# Nothing to follow
#
sql("INSERT INTO llava_task (name, after) VALUES ('复杂推理', '筛选')");
like(notice_of("CALL llava_follow('复杂推理')"), qr/NOTICE:  there is nothing to follow yet: task "筛选" has no results\nHINT: .*SELECT llava_enqueue\(id, '筛选'\) FROM llava_image WHERE/,
	'a task without results is named');
unlike(notice_of('CALL llava_follow()'), qr/NOTICE/, 'where one was named');
sql("INSERT INTO llava_task (name, after) VALUES ('复杂推理', '')");
unlike(notice_of("CALL llava_follow('复杂推理')"), qr/NOTICE/, 'and follows one');

#
# A new follower of what was settled
#
insert_pictures('描述图片', 1, 1 .. 6);
insert_pictures('描述图片', 0, 1 .. 9);
sql('CALL llava_drain()');
my $json = "'json', 'zh', '只输出 JSON', '{worth 0..3}'";
like(notice_of("INSERT INTO llava_task (name, kind, language, prompt, required, after) VALUES ('judge', $json, '描述图片')"),
	qr/NOTICE:  nothing is queued.*would queue 15 rows of "judge".*CALL llava_follow\('judge'\)/s, 'an INSERT says what is owed');
is(rows_of('judge'), '', 'and queues nothing');
is(follow('judge', ', dry => true'), 'results=15 passes=15 queued=15', 'a dry run counts');
is(rows_of('judge'), '', 'and queues nothing either');
is(follow('judge', ', batch => 4'), 'results=15 queued=15', 'llava_follow queues it');
is(follow('judge'), 'results=15', 'once');
is(rows_of('judge'), 'waits=15', 'each result has one row');
sql('CALL llava_drain()');
is(sql("SELECT count(*), count(DISTINCT image) FROM llava_annotation a WHERE task = 'judge' AND about = (SELECT reply FROM llava_conversation c WHERE c.image = a.image)"), '15|15', 'and one annotation about it');
is(follow('judge'), 'results=15', 'what is done is not owed');
is(sql('SELECT count(*) FROM llava_reply'), '30', 'of thirty replies');
like(sql('SELECT llava_dataset_card()'), qr/模型的回复共 15 份.*^Of 15 replies 0 were/ms, 'the card counts those of tasks that it has samples of');
unlike(notice_of("INSERT INTO llava_task (name, title) VALUES ('judge', 'x')"), qr/NOTICE/, 'a version that owes nothing says nothing');

#
# A share that is raised, a condition that is loosened and tightened
#
sql("INSERT INTO llava_task (name, kind, language, prompt, required, after, share) VALUES ('half', $json, '描述图片', 0)");
is(follow('half'), 'results=15', 'a share of none');
like(notice_of("INSERT INTO llava_task (name, share) VALUES ('half', 0.5)"), qr/would queue \d+ rows/, 'raised');
my $half = sql('SELECT count(*) FROM llava_image WHERE llava_image_share(id, sha256, 2) < 0.5');
is(follow('half'), "results=15 queued=$half", 'half of them');
sql("INSERT INTO llava_task (name, share) VALUES ('half', 1)");
is(follow('half'), 'results=15 queued=' . (15 - $half), 'and the other half');

sql("INSERT INTO llava_task (name, kind, language, prompt, required, after, condition) VALUES ('cond', $json, 'judge', '\$.worth >= 2')");
is(follow('cond', ', dry => true'), 'results=15 passes=9 queued=9 condition=6', 'how many a condition would let through');
is(follow('cond'), 'results=15 queued=9 condition=6', 'so many it lets through');
is(rows_of('cond'), 'waits=9 condition=6', 'the others rest');
is(sql("SELECT kind, count FROM llava_stat_reason WHERE task = 'cond'"), 'skipped|6', 'as skipped ones');
unlike(sql('SELECT llava_dataset_card()'), qr/\| condition \|/, 'of which a card of another task says nothing');
sql("INSERT INTO llava_task (name, condition) VALUES ('cond', '\$.worth >= 0')");
is(follow('cond', ', dry => true'), 'results=15 passes=15 queued=6', 'loosened');
is(follow('cond'), 'results=15 queued=6', 'those that rested wait');
is(rows_of('cond'), 'waits=15', 'none rests');
sql("SELECT llava_cancel((SELECT min(image) FROM llava_pending WHERE task = 'cond'), 'cond')");
sql("INSERT INTO llava_task (name, condition) VALUES ('cond', '\$.worth >= 2')");
is(follow('cond'), 'results=15 condition=5', 'tightened: what was never sent rests');
is(rows_of('cond'), 'waits=9 cancelled=1 condition=5', 'but what a person cancelled stays so');
sql("SELECT llava_retry(reason => 'condition')");
is(follow('cond'), 'results=15', 'what was released by name stays so');
sql("INSERT INTO llava_task (name, condition) VALUES ('cond', '\$.nothing')");
is(follow('cond'), 'results=15 condition_error=9', 'neither true nor false');
sql("INSERT INTO llava_task (name, condition) VALUES ('cond', 'true')");
is(follow('cond'), 'results=15 queued=9', 'without a condition all wait again');
sql('CALL llava_drain()');
is(sql("SELECT count(*) FROM llava_annotation WHERE task = 'cond'"), '14', 'and are asked for');

#
# A weight: only pictures that are the task's
#
insert_pictures('日常对话', 0, 11 .. 13);
sql('CALL llava_drain()');
sql("INSERT INTO llava_task (name, kind, language, prompt, weight, after) VALUES ('drawn', 'description', 'zh', '描述', 1, '日常对话')");
is(follow('drawn'), 'results=3', 'a follower with a weight is for its own pictures');
sql("INSERT INTO llava_task (name, weight) VALUES ('drawn', 0)");
is(follow('drawn'), 'results=3 queued=3', 'one without for all');
sql("SELECT llava_cancel(task => 'drawn')");

#
# Rows that wait, when a gate is put before their task
#
insert_pictures('复杂推理', 0, 21 .. 26);
insert_pictures('复杂推理', 1, 27 .. 30);
my ($named, $sent) = split /\|/, sql("SELECT min(image), max(image) FROM llava_pending WHERE task = '复杂推理'");
sql("UPDATE llava_pending SET released = true WHERE image = $named; UPDATE llava_pending SET call = 1 WHERE image = $sent");
like(notice_of("INSERT INTO llava_task (name, after, condition) VALUES ('复杂推理', '筛选', '\$.worth >= 2')"), qr/exchange 8 that wait/, 'an INSERT says how many wait');
is(follow('复杂推理', ', dry => true'), 'exchanged=8', 'so does a dry run');
is(follow('复杂推理', ', batch => 3'), 'exchanged=8', 'they are exchanged');
is(follow('复杂推理'), '', 'once');
is(rows_of('复杂推理') . ' ' . rows_of('筛选'), 'waits=2 waits=8', 'what was sent, or asked for by name, stays');
sql('CALL llava_drain()');
is(sql("SELECT count(*) FROM llava_annotation WHERE task = '筛选'") . ' ' . sql("SELECT count(*) FROM llava_conversation WHERE task = '复杂推理'") . ' ' . rows_of('复杂推理'),
	'8 6 condition=3 nothing_to_follow=1', 'and go through the gate');
is(follow('复杂推理'), 'results=8 exchanged=1', 'what was sent before and had nothing to follow then is exchanged, too');
is(sql("SELECT count(*) FROM llava_pending WHERE task = '筛选' AND visible_at > now()"), '0', 'and does not wait for a lease');
sql('CALL llava_drain()');
is(rows_of('复杂推理'), 'condition=4', 'so that no picture is left out');

#
# A chain of three, of which the last is named
#
insert_pictures('日常对话', 0, 31 .. 33);
sql("INSERT INTO llava_task (name, kind, language, prompt, required) VALUES ('first', $json)");
sql("INSERT INTO llava_task (name, kind, language, prompt, required, after) VALUES ('second', $json, 'first')");
sql("INSERT INTO llava_task (name, after) VALUES ('日常对话', 'second')");
is(follow('日常对话'), 'exchanged=3', 'rows at the end of a chain');
is(rows_of('first') . rows_of('second') . rows_of('日常对话'), 'waits=3', 'become rows of its first');
sql("CALL llava_drain(task => 'first')");
is(rows_of('second'), 'waits=3', 'the second follows');
sql("DELETE FROM llava_pending WHERE task = 'second'");
is(sql("CALL llava_follow('日常对话')"), sql("SELECT jsonb_build_object('second', jsonb_build_object('results', 3, 'queued', 3, 'condition', 0, 'condition_error', 0, 'exchanged', 0),
	'日常对话', jsonb_build_object('results', 0, 'queued', 0, 'condition', 0, 'condition_error', 0, 'exchanged', 0))"), 'a chain is followed from its beginning');
sql("INSERT INTO llava_pending (image, task) SELECT image, '日常对话' FROM llava_annotation WHERE task = 'first'");
is(follow('日常对话'), 'exchanged=3', 'rows at its end, of pictures whose first result is there');
is(rows_of('first') . '/' . rows_of('日常对话'), '/', 'go without asking for the first again');
sql('CALL llava_drain()');
is(sql("SELECT count(*) FROM llava_conversation c JOIN llava_image i ON i.id = c.image WHERE c.task = '日常对话' AND i.path ~ 'striped3[123]'"), '3', 'to its end');

#
# A gate that is taken away
#
insert_pictures('复杂推理', 0, 41 .. 43);
sql("CALL llava_drain(task => '筛选')");
sql("DELETE FROM llava_pending WHERE task = '复杂推理' AND failure IS NULL");
sql("INSERT INTO llava_task (name, after) VALUES ('复杂推理', '')");
is(follow('复杂推理', ', dry => true'), 'queued=7', 'pictures that stand behind a gate that is gone');
is(follow('复杂推理', ', batch => 2'), 'queued=7', 'are queued, and those that rested for it');
is(follow('复杂推理'), '', 'once');
is(sql("CALL llava_follow('筛选')"), '{"筛选": {"queued": 0, "results": 0, "condition": 0, "exchanged": 0, "condition_error": 0}}', 'a task that never followed any is owed nothing');

#
# Settles under way
#
sql("INSERT INTO llava_task (name, kind, language, prompt, required, after) VALUES ('late', $json, '描述图片')");
my $writer = $node->background_psql('postgres', on_error_stop => 0);
$writer->query_safe('BEGIN; UPDATE llava_conversation SET note = note WHERE false');
my $vacuum = $node->background_psql('postgres', on_error_stop => 0);
$vacuum->query_safe('BEGIN; LOCK TABLE llava_annotation IN SHARE UPDATE EXCLUSIVE MODE');
my $call = $node->background_psql('postgres', on_error_stop => 0);
$call->query_until(qr/begun/, "\\echo begun\nCALL llava_follow('late');\n");
ok($node->wait_query("SELECT count(*) FROM pg_locks WHERE locktype = 'virtualxid' AND NOT granted", '1'), 'llava_follow waits for a transaction that has written results');
is(rows_of('late'), '', 'and has queued nothing before');
# what it might have missed: a result that its transaction settles without a row for the follower
$writer->query_safe(encode_utf8("INSERT INTO llava_conversation (image, task, reply, conversation, rounds, flags, task_version)
	SELECT id, '描述图片', 1, '[{\"from\": \"human\", \"value\": \"a\"}, {\"from\": \"gpt\", \"value\": \"b\"}]', 1, '{}', 1 FROM llava_image WHERE path = 'striped11.png'; COMMIT"));
$call->quit;
is(rows_of('late'), 'waits=16', 'what was settled meanwhile is among it, and a VACUUM is not waited for');
$writer->quit;
$vacuum->quit;

#
# More than an INSERT counts
#
sql("SET session_replication_role = replica; INSERT INTO llava_image (path, task, sha256, received_at) SELECT 'many' || n, 'detail_en', sha256(n::text::bytea), now() FROM generate_series(1, 10100) AS n");
sql("SET session_replication_role = replica; INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
	SELECT id, task, '[{\"from\": \"human\", \"value\": \"a\"}, {\"from\": \"gpt\", \"value\": \"b\"}]', 1, id, 1 FROM llava_image WHERE path LIKE 'many%'");
like(notice_of("INSERT INTO llava_task (name, kind, language, prompt, required, after, share) VALUES ('many', $json, 'detail_en', 0)"), qr/\A\z/, 'a share of none owes nothing');
like(notice_of("INSERT INTO llava_task (name, share) VALUES ('many', 1)"),
	qr/would queue at least 10000 rows of "many".*Of the first 10000 that it finds it would lay aside 0 rows/s, 'an INSERT counts 10,000 results');
is(follow('many', ', dry => true'), 'results=10100 passes=10100 queued=10100', 'a dry run all of them');

#
# Who is told what
#
$node->safe_psql('postgres', encode_utf8("CREATE ROLE writer LOGIN; GRANT SELECT, INSERT ON llava_task TO writer"));
unlike(error_of("SET ROLE writer; INSERT INTO llava_task (name, kind, language, prompt, required, after) VALUES ('spy', $json, '描述图片')"),
	qr/NOTICE/, 'who may not read results is not told how many meet a condition');
like(error_of("SET ROLE writer; CALL llava_follow('spy')"), qr/permission denied/, 'nor may queue what is owed');
like(error_of("CALL llava_follow('nowhere')"), qr/task "nowhere" does not exist/, 'a task that is not there');
like(error_of("CALL llava_follow('late', 0)"), qr/batch 0 is less than 1/, 'batch');
like(error_of("BEGIN; CALL llava_follow('late')"), qr/cannot run inside a transaction block/, 'in a transaction');

#
# A circle that two INSERTs would close at once
#
my $new = 'INSERT INTO llava_task (name, kind, language, prompt, required, after)';
sql("INSERT INTO llava_task (name, kind, language, prompt, required) VALUES ('$_', $json)") foreach qw(round about here there);
my $one = $node->background_psql('postgres', on_error_stop => 0);
my $two = $node->background_psql('postgres', on_error_stop => 0);
$one->query_safe("BEGIN; INSERT INTO llava_task (name, after) VALUES ('round', 'about')");
$two->query_until(qr/begun/, "\\echo begun\nINSERT INTO llava_task (name, after) VALUES ('about', 'round');\n");
ok($node->wait_query("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'", '1'), 'the second waits for the first');
$one->query_safe('COMMIT');
$two->quit;
is(sql("SELECT count(*) FROM llava_task WHERE name = 'about' AND after IS NOT NULL"), '0', 'and is refused');
like($two->{stderr}, qr/would follow itself/, 'as a circle');
$two = $node->background_psql('postgres', on_error_stop => 0);
$two->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM llava_task');
$two->query_safe("INSERT INTO llava_task (name, title) VALUES ('there', 'own rows are no other''s')");
sql("DO \$\$BEGIN PERFORM 1; END\$\$");
$two->query_safe('ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM llava_task');
$one->query_safe("INSERT INTO llava_task (name, after) VALUES ('here', 'there')");
$two->query("INSERT INTO llava_task (name, after) VALUES ('there', 'here')");
like($two->{stderr}, qr/could not serialize access due to a concurrent INSERT into llava_task/, 'who cannot see the other is refused');
$two->quit;
$one->quit;
is(sql("SELECT count(*) FROM llava_task WHERE name = 'there' AND after IS NOT NULL"), '0', 'so that there is no circle');

$node->stop('fast');
$endpoint->stop;
done_testing();
