# The rules by which exports leave samples out have a number: an export that was recorded
# by those of 1.0.0 is verified and written again by them after the update, to the byte,
# while new ones keep the rules of now; and what the parser accepts an export takes.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = LlavaZh::Cluster->new('rules', databases => '');
sub sql { return $node->safe_psql('postgres', shift); }
sql(q{DROP EXTENSION llava_zh; CREATE EXTENSION llava_zh VERSION '1.0.0'});

# 1 clean; 2 and 3 left out by both; 4 only by those of now; 5 only by those of 1.0.0; 11 and 12
# have one name
sql(<<'SQL');
CREATE TABLE said (n int, word text);
INSERT INTO said VALUES (1, '一只猫。'), (2, '完<|im_end|>'), (3, '完</s>'), (4, '[INST] 一只狗。'), (5, '屏幕上写着“</s>”这个标签。'),
	(6, '名'), (7, '名'), (8, '名'), (9, E'一\u2028二\u2029三\u0085四\u2028'), (10, '名'), (11, '名'), (12, '名');
INSERT INTO llava_image (id, path, sha256, format, width, height, received_at)
SELECT n, CASE n WHEN 6 THEN 'http:/a.jpg' WHEN 7 THEN './/' || n || E'.jpg\u3000' WHEN 8 THEN ' 8.jpg' WHEN 10 THEN './x/http' WHEN 11 THEN 'x//d.jpg' WHEN 12 THEN './x/d.jpg' ELSE n || '.jpg' END,
	sha256(n::text::bytea), 'jpeg', 640, 480, now() FROM said;
INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
SELECT n, '描述图片', jsonb_build_array(jsonb_build_object('from', 'human', 'value', '问'),
	jsonb_build_object('from', 'gpt', 'value', word)), 1, n, 1 FROM said;
SQL

my $exported = q{SELECT string_agg(image::text, ' ' ORDER BY image) FROM llava_exported()};
my $left_out = q{SELECT string_agg(image || ' ' || rule, ', ' ORDER BY image) FROM llava_validate() WHERE left_out};
my $of_file = sub { sql(qq{SELECT string_agg(image::text, ' ' ORDER BY line) FROM llava_manifest_line WHERE manifest = $_[0]}) };
my $rebuilt = sub { sql(qq{SELECT encode(llava_lines_sha256(l), 'hex') FROM llava_rebuild_export($_[0]) AS l}) };
my $recorded = sub { sql(qq{SELECT encode(sha256, 'hex') FROM llava_manifest WHERE id = $_[0]}) };

my $old = sql(q{SELECT llava_record_export('old.jsonl')});
is($of_file->($old), '1 4 6 7 8 9 10 11 12', 'under the schema of 1.0.0 its rules are kept');
is(sql($exported), '1 4 6 7 8 9 10 11 12', 'by every export');
my $separators = qr/\xe2\x80[\xa8\xa9]|\xc2\x85/;
like(sql("SELECT l FROM llava_export() AS l WHERE l LIKE '%9.jpg%'"), $separators, 'which leaves separators of lines as they are');

sql('ALTER EXTENSION llava_zh UPDATE');
is(sql($exported), '1 5 9 10', 'after the update those of now are');
is(sql($left_out), '2 special_token, 3 special_token, 4 special_token, 6 image_name, 7 image_name, 8 image_name, 11 image_name_twice, 12 image_name_twice', 'llava_validate says the same');
is(sql(q{SELECT count(*) FROM llava_selected(image_name => 'sha256') WHERE rule = 'image_name'}), '0', 'named by their hashes they leave');
is(sql(q{SELECT count(*) FROM llava_selected(folder => 'f') WHERE rule = 'image_name'}), '1', 'below a folder only a blank at the end counts');
for my $format (qw(llava llamafactory sharegpt swift qwen openai trl imagefolder))
{
	my $line = sql("SELECT l FROM llava_export('$format') AS l WHERE l LIKE '%9.jpg%'");
	unlike($line, $separators, "$format: no separator of lines in a line");
	like($line, qr/一\\u2028二\\u2029三\\u0085四\\u2028"/, 'but their escapes');
	is(sql(qq{SELECT count(*) FROM llava_export('$format') AS l, llava_conversation c WHERE c.image = 9 AND strpos(l::jsonb::text, E'一\\u2028二\\u2029三\\u0085四\\u2028') > 0}),
		'1', 'which mean the same');
}
is(sql("SELECT settings -> 'rules' IS NULL FROM llava_manifest WHERE id = $old"), 't', 'the old manifest names no rules');
is(sql("SELECT count(*) FROM llava_verify_export($old)"), '0', 'and is judged by those of 1.0.0');
is($rebuilt->($old), $recorded->($old), 'by which it is written again to the byte');

my $new = sql(q{SELECT llava_record_export('new.jsonl')});
is($of_file->($new), '1 5 9 10', 'a new one keeps those of now');
is(sql("SELECT settings -> 'rules' FROM llava_manifest WHERE id = $new"), sql('SELECT llava_export_rules()'), 'and says so');
is(sql("SELECT count(*) FROM llava_verify_export($new)"), '0', 'it can be verified');
is($rebuilt->($new), $recorded->($new), 'and written again');
sql(q{INSERT INTO llava_image (id, path, sha256, format, width, height, received_at) VALUES (13, './1.jpg', sha256('13'), 'jpeg', 640, 480, now());
	INSERT INTO llava_conversation SELECT 13, task, conversation, 1, '{}', 13, 1 FROM llava_conversation WHERE image = 1});
is(sql($exported), '5 9 10', 'a picture that comes later under the name of another leaves out both');
is(sql("SELECT count(*) FROM llava_verify_export($new)"), '0', 'but what was published can still be verified');
is($rebuilt->($new), $recorded->($new), 'and written again');
is(sql("SELECT string_agg(line::text, ' ') FROM llava_gone_since($new)"), '1', 'though a new increment takes it out');
sql('DELETE FROM llava_conversation WHERE image = 13');
is(sql(q{SELECT string_agg(image::text, ' ' ORDER BY image) FROM llava_exported_by('llava', rules => 1)}), '1 4 6 7 8 9 10 11 12',
	'the rules of 1.0.0 can be named');

# a reply with each token: what is accepted is in an export
sql(<<'SQL');
CREATE TABLE reply (n int, text text, wanted text);
INSERT INTO reply SELECT row_number() OVER () + 100, replace(t, '#', repeat('一二三四五六七八九十甲乙丙丁', 1) || '这张照片展示了一个热闹的中国街头市场，画面左侧是一家挂着红色招牌的小吃店，'
	|| '店门口摆放着三张木质方桌，几位顾客正坐在桌旁用餐。画面中央是一条狭窄的步行街，街道两旁停放着多辆自行车和电动车。'), w
FROM (VALUES ('#</s>', NULL), ('<s>#', NULL), ('#<end_of_turn>', NULL), ('#<｜end▁of▁sentence｜>', NULL), ('#[INST]', 'special_token'),
	('#<unused12>', 'special_token'), ('#屏幕上写着“</s>”这个标签。', NULL), ('#<video>', 'image_token_leak'), ('#<0x0A>#', 'token_debris'),
	('<answer>#</answer>', NULL), ('◁think▷好◁/think▷#', NULL)) AS v (t, w);
SQL
is(sql(q{SELECT string_agg(format('%s: %s', n, p.reason), ', ') FROM reply, llava_parse_reply('描述图片', text) AS p
	WHERE p.reason IS DISTINCT FROM wanted}) // '', '', 'each is accepted or refused as it must be');
sql(<<'SQL');
INSERT INTO llava_image (id, path, sha256, format, width, height, received_at)
SELECT n, n || '.jpg', sha256(n::text::bytea), 'jpeg', 640, 480, now() FROM reply WHERE wanted IS NULL;
INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
SELECT n, '描述图片', p.conversation, 1, n, 1
FROM reply, llava_parse_reply('描述图片', text) AS p WHERE p.conversation IS NOT NULL;
SQL
is(sql('SELECT count(*) FROM llava_exported() WHERE image > 100'), sql('SELECT count(*) FROM reply WHERE wanted IS NULL'), 'and what is accepted leaves');
done_testing();
