# A task may follow another: triage is asked about every picture of a task that follows it, the
# dear task only where the condition is true; objects are stored as annotations, with what they
# are about; and what changes takes away what was said about it.
use strict;
use warnings;
use utf8;
use lib 'test/perl';
use Encode qw(decode_utf8 encode_utf8);
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('stages', preload => 0);
sub sql { return decode_utf8($node->safe_psql('postgres', encode_utf8($_[0]))); }

# What the statement's ERROR says.
sub error_of
{
	my ($out, $err);
	$node->psql('postgres', encode_utf8($_[0]), stdout => \$out, stderr => \$err);
	return decode_utf8($err);
}

# A picture with something to see: stripes of its own.
sub striped
{
	my ($number) = @_;
	return LlavaZh::Cluster::grey_png(map { my $y = $_; pack 'C*', map { (($_ + $y) / 4 + $number) % 2 < 1 ? 10 + $number : 250 } 0 .. 55 } 0 .. 55);
}

sub insert
{
	my ($task, $plain, @numbers) = @_;
	sql(sprintf "INSERT INTO llava_image (path, image, task) VALUES %s", join ', ',
		map { sprintf "('%s%d.png', '\\x%s', %s)", $plain ? 'plain' : 'striped', $_,
			unpack('H*', $plain ? LlavaZh::Cluster::png($_) : striped($_)), defined $task ? "'$task'" : 'NULL' } @numbers);
}

$node->create_server('sim', $endpoint->url);

#
# What a task says of stages
#
like(error_of("INSERT INTO llava_task (name, after) VALUES ('描述图片', '描述图片')"), qr/would follow itself/, 'itself');
like(error_of("INSERT INTO llava_task (name, after) VALUES ('描述图片', 'nowhere')"), qr/task "nowhere" does not exist/, 'one that is not there');
like(error_of("INSERT INTO llava_task (name, share) VALUES ('描述图片', 0.5)"), qr/has a share but follows no task/, 'a share alone');
like(error_of("INSERT INTO llava_task (name, after, share) VALUES ('描述图片', '筛选', $_)"), qr/is not from 0 to 1/, "share $_")
  foreach "'NaN'", -1, 1.5;
like(error_of("INSERT INTO llava_task (name, after, condition) VALUES ('描述图片', '筛选', '\$ ? (@.worth >= 2)')"), qr/is a filter, not a predicate.*\$\.worth >= 2/s, 'a filter');
like(error_of("INSERT INTO llava_task (name, after, condition) VALUES ('描述图片', '筛选', '\$.kind like_regex \"a\"')"), qr/has like_regex/, 'a pattern');
like(error_of("INSERT INTO llava_task (name, after, condition) VALUES ('描述图片', '筛选', '\$.worth >')"), qr/syntax error/, 'a broken path');
like(error_of("INSERT INTO llava_task (name, required) VALUES ('描述图片', '{a}')"), qr/of tasks of kind json/, 'keys of a description');
like(error_of("INSERT INTO llava_task (name, required) VALUES ('筛选', '{worth 0...3}')"), qr/is not understood/, 'a key that cannot be read');
like(error_of("INSERT INTO llava_task (name, required) VALUES ('筛选', '{a,a text}')"), qr/required twice/, 'a key twice');
like(error_of("INSERT INTO llava_task (name, response_format) VALUES ('筛选', '[]')"), qr/not a JSON object/, 'a format that is no object');
like(error_of("BEGIN; INSERT INTO llava_task (name, after, condition) VALUES ('描述图片', '筛选', '\$.wroth >= 2 && \$.worth > 0'); ROLLBACK"),
	qr/WARNING:  the condition names the key "wroth", which task "筛选" does not require\nDETAIL:  It requires .*worth 0\.\.3/, 'a key that no result need have');
unlike(error_of("BEGIN; INSERT INTO llava_task (name, after, condition) VALUES ('描述图片', '筛选', '\$.kind == \"\$.x\" && \$.seen[*].y == 1'); ROLLBACK"), qr/WARNING/, 'but those that it has, and what is within');
sql("INSERT INTO llava_task (name, after, condition, share) VALUES ('描述图片', 'triage', '\$.worth >= 2', 0.7)");
is(sql("SELECT after, condition, share FROM llava_task WHERE name = '描述图片' AND version = 2"), '筛选|($."worth" >= 2)|0.7', 'an alias is stored as the name');
sql("INSERT INTO llava_task (name, title) VALUES ('描述图片', 'x')");
sql("INSERT INTO llava_task (name, title) VALUES ('描述图片-v2', 'x')");
is(sql("SELECT name, after, share FROM llava_task WHERE title = 'x' ORDER BY version DESC"), "描述图片|筛选|0.7\n描述图片-v2||", 'a version keeps it, an experiment does not');
like(error_of("INSERT INTO llava_task (name, after) VALUES ('筛选', '描述图片')"), qr/筛选 after 描述图片 after 筛选/, 'a circle, with its path');
sql("INSERT INTO llava_task (name, share, condition) VALUES ('描述图片', 1, 'true')");
is(sql("SELECT after, condition IS NULL FROM llava_task WHERE name = '描述图片' AND version = 4"), '筛选|t', 'a condition is taken back');
sql("INSERT INTO llava_task (name, after) VALUES ('描述图片', '')");
is(sql("SELECT after IS NULL AND condition IS NULL AND share IS NULL FROM llava_task WHERE name = '描述图片' AND version = 5"), 't', 'all is taken back');

#
# A prompt is tried without a server
#
is(sql(q{SELECT object, reason, flags FROM llava_parse_reply('筛选', '好的：{"seen": ["a"], "kind": "照片", "has_text": "是", "why": "x", "worth": "7", "unsafe": False}')}),
	'{"why": "x", "kind": "照片", "seen": ["a"], "worth": 3, "unsafe": false, "has_text": true}||{clipped}', 'an object, converted');
is(sql(q{SELECT object IS NULL, reason FROM llava_parse_reply('筛选', '{"worth": 2}')}), 't|missing_key', 'a key is missing');

#
# Triage before the dear question
#
sql("INSERT INTO llava_task (name, after, condition) VALUES ('描述图片', '筛选', '\$.worth >= 2')");
insert('描述图片', 1, 1 .. 6);
insert('描述图片', 0, 1 .. 9);
insert('日常对话', 1, 11 .. 12);
is(sql('SELECT task, count(*) FROM llava_pending GROUP BY task ORDER BY task'), "日常对话|2\n筛选|15", 'the first of the chain is queued');
is(sql('SELECT task, count(*) FROM llava_image GROUP BY task ORDER BY task'), "描述图片|15\n日常对话|2", 'the picture keeps its task');
is(sql("SELECT waiting, behind FROM llava_progress WHERE task = '描述图片'"), '0|15', 'what waits behind the gate is shown');
sql('CALL llava_drain()');
is(sql('SELECT count(*) FROM llava_annotation'), '15', 'each was judged');
is(sql("SELECT count(*) FILTER (WHERE i.path LIKE 'striped%'), count(*) FROM llava_conversation c JOIN llava_image i ON i.id = c.image WHERE c.task = '描述图片'"), '9|9', 'only those worth it were asked about');
is(sql("SELECT failure, count(*), count(detail) FROM llava_pending GROUP BY failure"), 'condition|6|6', 'the others rest');
is(scalar(grep { $_->{task} eq '描述图片' } $endpoint->requests), 9, 'the endpoint was asked nine times');
is(sql("SELECT done, failed, skipped FROM llava_progress WHERE task = '描述图片'"), '9|0|6', 'progress counts them as skipped');
is(sql("SELECT status, count(*) FROM llava_status WHERE task IN ('描述图片', '筛选') GROUP BY status ORDER BY status"), "done|24\nskipped|6", 'so does the status');
is(sql("SELECT count(*) FROM llava_reply r JOIN llava_annotation a ON a.image = r.image AND a.reply = r.about WHERE r.task = '描述图片'"), '9', 'the ledger says what each reply followed');
is(sql("SELECT count(*) FROM llava_provenance WHERE task = '筛选' AND model = 'test'"), '15', 'provenance');
is(sql('SELECT llava_retry()'), '0', 'a general retry leaves them');
is(sql("SELECT llava_retry(reason => 'condition')"), '6', 'by name they are released');
sql('CALL llava_drain()');
is(sql("SELECT count(*) FROM llava_conversation WHERE task = '描述图片'"), '15', 'and asked about without a test');

#
# A condition that errs, a share, a follower of every picture
#
sql("INSERT INTO llava_task (name, kind, language, prompt, required, after, condition) VALUES ('odd', 'json', 'zh', 'JSON', '{worth 0..3}', '日常对话', '\$.nothing')");
sql("INSERT INTO llava_task (name, kind, language, prompt, required, after, share) VALUES ('half', 'json', 'zh', 'JSON', '{worth 0..3}', '筛选', 0.5)");
sql("INSERT INTO llava_task (name, kind, language, prompt, required, after, share) VALUES ('none', 'json', 'zh', 'JSON', '{worth 0..3}', '筛选', 0)");
insert('日常对话', 0, 21 .. 22);
insert('描述图片', 0, 23 .. 52);
sql('CALL llava_drain()');
is(sql("SELECT failure, count(*) FROM llava_pending WHERE task = 'odd' GROUP BY failure"), 'condition_error|2', 'no boolean is an error of the condition');
is(sql("SELECT count(*) FROM llava_annotation WHERE task = 'none'"), '0', 'a share of none');
is(sql("SELECT a.n = b.n, a.n BETWEEN 5 AND 25 FROM (SELECT count(*) AS n FROM llava_annotation WHERE task = 'half') a,
	(SELECT count(*) AS n FROM llava_image WHERE id > 19 AND task = '描述图片' AND llava_image_share(id, sha256, 2) < 0.5) b"), 't|t', 'a share by the picture');

#
# What changes takes away what was said about it
#
my $image = sql("SELECT min(image) FROM llava_annotation WHERE task = 'half'");
is(sql("SELECT llava_enqueue($image, '筛选')"), 'f', 'what has an annotation is done');
is(sql("SELECT llava_enqueue($image, '筛选', true)"), 't', 'unless it is asked again');
my $before = sql("SELECT about, reply FROM llava_annotation WHERE image = $image AND task = 'half'");
sql('CALL llava_drain()');
isnt(sql("SELECT about, reply FROM llava_annotation WHERE image = $image AND task = 'half'"), $before, 'another result has another annotation about it');
is(sql("SELECT count(*) FROM llava_annotation a WHERE about IS NOT NULL AND NOT EXISTS (SELECT FROM llava_annotation b WHERE b.image = a.image AND b.reply = a.about)
	AND NOT EXISTS (SELECT FROM llava_conversation c WHERE c.image = a.image AND c.reply = a.about)"), '0', 'none is about what is gone');
is(sql("SELECT count(*) FROM llava_conversation WHERE image = $image"), '1', 'the sample is not asked for again');

# what is claimed later is about what is there then
sql("INSERT INTO llava_task (name, kind, language, prompt, required, after) VALUES ('late', 'json', 'zh', 'JSON late', '{worth 0..3}', '筛选')");
insert('筛选', 0, 61);
$image = sql("SELECT max(id) FROM llava_image");
sql("CALL llava_drain(task => '筛选')");
sql("UPDATE llava_annotation SET reply = reply + 1000000 WHERE image = $image AND task = '筛选'");
sql('CALL llava_drain()');
is(sql("SELECT about - 1000000 > 0 FROM llava_annotation WHERE image = $image AND task = 'late'"), 't', 'what is claimed later is about the newer');

# a person changes the words of a result: what was said about it leaves at once, and is said anew
$before = sql("SELECT reply FROM llava_annotation WHERE image = $image AND task = 'late'");
sql("UPDATE llava_annotation SET object = object || '{\"worth\": 0}' WHERE image = $image AND task = '筛选'");
is(sql("SELECT (SELECT count(*) FROM llava_annotation WHERE image = $image AND task = 'late'),
	(SELECT count(*) FROM llava_pending WHERE image = $image AND task = 'late' AND failure IS NULL)"), '0|1', 'an UPDATE takes away what was said about the old words');
is(sql("SELECT llava_cancel($image, 'late')"), '1', 'a person takes it out of the queue');
sql("UPDATE llava_annotation SET object = object || '{\"worth\": 1}' WHERE image = $image AND task = '筛选'");
is(sql("SELECT failure FROM llava_pending WHERE image = $image AND task = 'late'"), 'cancelled', 'and no newer result brings it back');
is(sql("SELECT llava_retry($image, 'late')"), '1', 'by name it is released');
sql('CALL llava_drain()');
is(sql("SELECT reply > $before FROM llava_annotation WHERE image = $image AND task = 'late'"), 't', 'which is asked for again');
is(sql("UPDATE llava_annotation SET flags = flags WHERE image = $image AND task = '筛选'; SELECT count(*) FROM llava_annotation WHERE image = $image AND task = 'late'"), '1', 'another column changes nothing');

# while the follower is in flight: its answer is about what is no more
sql("INSERT INTO llava_task (name, kind, language, prompt, required, after) VALUES ('slow', 'json', 'zh', 'JSON slow', '{worth 0..3}', '日常对话')");
insert('日常对话', 0, 71);
$image = sql("SELECT max(id) FROM llava_image");
sql("CALL llava_drain(task => '日常对话')");
$endpoint->control(faults => 'hold=1');
my $drain = $node->background_psql('postgres', on_error_stop => 0);
$drain->query_until(qr/begun/, "\\echo begun\nCALL llava_drain(task => 'slow');\n");
ok($endpoint->wait_in_flight(1), 'a follower is in flight');
sql("UPDATE llava_conversation SET conversation = jsonb_set(conversation, '{1,value}', '\"另一句话。\"') WHERE image = $image AND task = '日常对话'");
$endpoint->control(faults => '', release => 1);
$drain->quit;
sql('CALL llava_drain()');
is(sql("SELECT count(*), count(*) FILTER (WHERE late), (SELECT count(*) FROM llava_annotation WHERE image = $image AND task = 'slow') FROM llava_reply WHERE image = $image AND task = 'slow'"),
	'2|1|1', 'its answer is kept as late, and it is asked again');

# a sample that is deleted says nothing of it; the one that comes in its place does
insert('日常对话', 0, 72);
$image = sql("SELECT max(id) FROM llava_image");
sql('CALL llava_drain()');
sql("DELETE FROM llava_conversation WHERE image = $image AND task = '日常对话'; SELECT llava_enqueue($image, '日常对话')");
sql('CALL llava_drain()');
is(sql("SELECT a.about = c.reply, a.reply > c.reply FROM llava_annotation a JOIN llava_conversation c USING (image) WHERE a.image = $image AND a.task = 'slow' AND c.task = '日常对话'"),
	't|t', 'what was said about a deleted sample leaves when there is another, which is asked about');

#
# Takedown and reparse
#
$image = sql("SELECT id FROM llava_image WHERE path = 'striped61.png'");
sql("SELECT llava_forget($image, 'test')");
is(sql("SELECT count(*) FROM llava_annotation WHERE image = $image"), '0', 'a takedown takes annotations, too');
my $n = sql('SELECT count(*) FROM llava_annotation');
sql("INSERT INTO llava_task (name, required) VALUES ('筛选', '{worth 0..3,nowhere}')");
like(sql("CALL llava_reparse(task => '筛选')"), qr/"after": "missing_key"/, 'a key more: reparse takes annotations back');
is(sql("SELECT count(*) FROM llava_annotation WHERE task IN ('筛选', 'half', 'late')"), '0', 'and those about them');
sql("INSERT INTO llava_task (name, required) VALUES ('筛选', '{worth 0..3}')");
like(sql("CALL llava_reparse()"), qr{"odd": 0, "edited": 1,}, 'an object is no odd conversation, and one that a person changed stays');
is(sql("SELECT count(*) FROM llava_annotation WHERE task = '筛选'"), '45', 'and makes them again');

$node->stop('fast');
$endpoint->stop;
done_testing();
