# Bad input of stages: replies that are too large, too deep, no numbers, half characters or cut in
# white space, conditions that err, tasks that are gone.  Each ends as it should, in the parser
# that llava_parse_reply shows and in a settle, and nothing stops the worker.
use strict;
use warnings;
use utf8;
use lib 'test/perl';
use JSON::PP;
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use LlavaZh::Stages qw(stages_on sql error_of insert_pictures);
use PostgreSQL::Test::Utils;
use Test::More;

my $rest = '"seen": ["a"], "kind": "照片", "has_text": true, "why": "x", "unsafe": false';
my $good = "{$rest, \"worth\": 2}";
my $template = '{"seen": [...], "kind": "...", "has_text": true/false, "why": "...", "worth": 0-3, "unsafe": true/false}';
# name => reply, then what becomes of it, by llava_parse_reply and as a row: a reason, or nothing
my @replies = (
	[ '600 kB of JSON', "{$rest, \"worth\": 2, \"more\": \"" . 'x' x 600_000 . '"}', 'too_large' ],
	[ '10,000 levels', "{$rest, \"worth\": 2, \"more\": " . '[' x 10_000 . ']' x 10_000 . '}', 'too_large' ],
	[ '10,000 levels left open', '{"a":' x 10_000, 'no_object|truncated|too_large' ],
	[ 'NaN', "{$rest, \"worth\": NaN}", 'bad_value' ],
	[ 'NaN in a key that nobody asked for', "{$rest, \"worth\": 2, \"p\": NaN}", 'bad_value' ],
	[ '1e999 in such a key', "{$rest, \"worth\": 2, \"p\": 1e999}", '|bad_value' ],
	[ '1e200000 in such a key', "{$rest, \"worth\": 2, \"p\": 1e200000}", 'bad_value' ],
	[ '1e999', "{$rest, \"worth\": 1e999}", '|bad_value' ],
	[ 'half a surrogate', "{$rest, \"worth\": 2, \"p\": \"\\ud800\"}", 'bad_utf8' ],
	[ 'the halves the wrong way round', "{$rest, \"worth\": 2, \"p\": \"\\udc00\\ud800\"}", 'bad_utf8' ],
	[ 'a NUL', "{$rest, \"worth\": 2, \"p\": \"a\\u0000b\"}", 'bad_value' ],
	[ 'two templates and an answer', "$template\n$template\n$good", '' ],
	[ 'an answer and a template, which is the last', "$good\n$template", 'bad_value' ],
	[ 'a list', '[1, 2, 3]', 'no_object' ],
	[ 'a text', '"worth"', 'no_object' ],
	[ 'a key missing', "{$rest}", 'missing_key' ],
	[ 'good', $good, '' ]);

my $answers = PostgreSQL::Test::Utils::tempdir() . '/answers.jsonl';
append_to_file($answers, join '', map { JSON::PP->new->ascii->encode({ name => $_->[0], status => 200,
	body => JSON::PP->new->ascii->encode({ model => 'm', choices => [ { index => 0, finish_reason => 'stop', message => { role => 'assistant', content => $_->[1] } } ],
		usage => { prompt_tokens => 10, completion_tokens => 10 } }) }) . "\n" } @replies);
my $endpoint = LlavaZh::Endpoint->new(answers => $answers);
my $node = LlavaZh::Cluster->new('bad', preload => 0, conf => "llava_zh.max_attempts = 1\nllava_zh.max_reply_size = '8MB'\n");
stages_on($node);
$node->create_server('sim', $endpoint->url);

#
# Replies
#
sql('CREATE TABLE reply (n integer, reply text)');
insert_pictures('筛选', 0, 1 .. @replies);
for my $n (1 .. @replies)
{
	my ($name, $reply, $reasons) = @{ $replies[ $n - 1 ] };
	my $expected = qr/^(?:$reasons)$/;
	# as a file: too long for a command line
	my $file = PostgreSQL::Test::Utils::tempdir() . "/reply$n";
	append_to_file($file, Encode::encode_utf8($reply));
	my $said = sql("SELECT reason FROM llava_parse_reply('筛选', convert_from(pg_read_binary_file('$file'), 'UTF8'))");
	like($said, $expected, "$name: llava_parse_reply");
	$endpoint->control(plan => "1+:answer-$n");
	my ($image) = sql('SELECT min(image) FROM llava_pending WHERE failure IS NULL');
	sql("CALL llava_drain(max_time => '20s', \"limit\" => 1)");
	is(sql("SELECT coalesce((SELECT failure FROM llava_pending WHERE image = $image), '')"), $said, "$name: the row")
	  or diag(sql("SELECT failure, detail FROM llava_pending WHERE image = $image"));
	is(sql("SELECT count(*) FROM llava_annotation WHERE image = $image"), $said eq '' ? '1' : '0', "$name: an annotation or none");
}
is(sql('SELECT count(*) FROM llava_reply'), scalar @replies, 'each reply is in the ledger');
like(sql('CALL llava_reparse()'), qr/"changes": \[\].*"rewritten": 0/, 'where llava_reparse comes to the same verdicts');

#
# A reply that is cut in white space is asked again without response_format
#
sql('ALTER SYSTEM SET llava_zh.max_attempts = 3; SELECT pg_reload_conf()');
sql("INSERT INTO llava_task (name, kind, language, prompt, required, response_format) VALUES ('formed', 'json', 'zh', 'JSON', '{worth 0..3}', '{\"type\": \"json_object\"}')");
insert_pictures('formed', 0, 101);
$endpoint->control(plan => '1:object-white');
sql('CALL llava_drain()');
is(sql("SELECT string_agg(concat_ws(' ', reason, parameters -> 'response_format' ->> 'type'), ', ' ORDER BY id) FROM llava_reply WHERE task = 'formed'"),
	'truncated json_object, ', 'once with it, once without');
is(sql("SELECT count(*) FROM llava_annotation WHERE task = 'formed'"), '1', 'which is accepted');
insert_pictures('formed', 0, 102);
$endpoint->control(plan => '1+:object-white');
sql('CALL llava_drain()');
is(sql("SELECT failure, attempts FROM llava_pending WHERE task = 'formed'"), 'truncated|2', 'twice is enough');
$endpoint->control(plan => '');
# a server that sets one itself: the task's wins
sql("INSERT INTO llava_task (name, kind, language, prompt, required) VALUES ('unformed', 'json', 'zh', 'JSON', '{worth 0..3}')");
like(error_of("INSERT INTO llava_task (name, response_format) VALUES ('formed', '\"text\"')"), qr/not a JSON object/, 'a format that is no object');

#
# Shares and conditions
#
like(error_of("INSERT INTO llava_task (name, after, share) VALUES ('unformed', 'formed', $_)"), qr/is not from 0 to 1/, "share $_") foreach -1, "'NaN'", "'Infinity'", 1.0001;
sql("INSERT INTO llava_task (name, after, share) VALUES ('unformed', 'formed', $_)") foreach 0, 1;
like(error_of("INSERT INTO llava_task (name, condition) VALUES ('unformed', '$_')"), qr/syntax error|invalid input syntax|is not defined|cannot/i, "condition $_") foreach '$.', '$.worth >', ')', '';
my %condition = ('$.worth / 0 > 1' => 'condition_error', '$.worth + "a" > 1' => 'condition_error', '$.none' => 'condition_error', '$.worth' => 'condition_error',
	'$.none == 1' => 'condition', 'strict $.none == 1' => 'condition_error|condition', 'exists($.worth)' => '', '$.worth >= 0 && $.worth <= 3' => '');
for my $condition (sort keys %condition)
{
	sql("DELETE FROM llava_pending WHERE task = 'unformed'; INSERT INTO llava_task (name, condition) VALUES ('unformed', '$condition')");
	sql("CALL llava_follow('unformed')");
	like(sql("SELECT coalesce(failure, '') FROM llava_pending WHERE task = 'unformed'"), qr/^(?:$condition{$condition})$/, "condition $condition");
	# and in a settle, which it must not stop
	sql("DELETE FROM llava_pending WHERE task = 'unformed'; DELETE FROM llava_annotation WHERE task = 'unformed'; SELECT llava_enqueue((SELECT image FROM llava_annotation WHERE task = 'formed'), 'formed', true)");
	sql("CALL llava_drain(task => 'formed')");
	like(sql("SELECT coalesce(failure, '') FROM llava_pending WHERE task = 'unformed'"), qr/^(?:$condition{$condition})$/, "condition $condition, in a settle");
}

#
# What a task follows is gone: a restore brings rows as they are
#
sql("INSERT INTO llava_task (name, version, kind, language, prompt, weight, after) VALUES ('orphan', 1, 'json', 'zh', 'JSON', 0, 'nobody')");
my $image = sql("SELECT image FROM llava_annotation WHERE task = 'formed'");
is(sql("CALL llava_follow('orphan')"), '{"orphan": {"queued": 0, "results": 0, "condition": 0, "exchanged": 0, "condition_error": 0}}', 'llava_follow of a task whose predecessor is gone');
sql("INSERT INTO llava_pending (image, task) VALUES ($image, 'orphan')");
my $asked = $endpoint->stats->{requests};
sql("CALL llava_drain(task => 'orphan')");
is(sql("SELECT failure FROM llava_pending WHERE task = 'orphan'"), 'nothing_to_follow', 'its row ends');
is($endpoint->stats->{requests}, $asked, 'without a request');
sql("SELECT llava_enqueue($image, 'orphan', true)");
is(sql("SELECT llava_retry($image, 'orphan')"), '1', 'by name');
sql("CALL llava_drain(task => 'orphan')");
is(sql("SELECT failure FROM llava_pending WHERE task = 'orphan'"), 'nothing_to_follow', 'there is still nothing to follow');
# a circle that a restore brought
sql("INSERT INTO llava_task (name, version, kind, language, prompt, weight, after) VALUES ('ring1', 1, 'json', 'zh', 'JSON', 0, 'ring2'), ('ring2', 1, 'json', 'zh', 'JSON', 0, 'ring1')");
like(sql('CALL llava_follow()'), qr/"ring1"/, 'a circle ends nothing');
insert_pictures('ring1', 0, 201);
is(sql("SELECT count(*) FROM llava_pending WHERE task LIKE 'ring_'"), '1', 'nor an INSERT');

$node->stop('fast');
$endpoint->stop;
done_testing();
