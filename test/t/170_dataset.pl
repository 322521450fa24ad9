# What goes with an export: where each sample comes from, a page to look at them, the
# card, and the record of what was published.
use strict;
use warnings;
use utf8;
use lib 'test/perl';
use Encode qw(decode_utf8 encode_utf8);
use JSON::PP;
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use LlavaZh::Page;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('dataset', preload => 0);
my $dir = PostgreSQL::Test::Utils::tempdir;
my $json = JSON::PP->new->utf8->canonical;

sub sql { return $node->safe_psql('postgres', encode_utf8($_[0])); }

# the answer of a query as a file, without psql's own last line end
sub to_file
{
	my ($name, $query) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c', encode_utf8($query) ],
		'>', \$out, '2>', \$err) or die $err;
	return spew_file("$dir/$name", substr($out, 0, -1));
}

sub spew_file
{
	my ($name, $bytes) = @_;
	open my $file, '>:raw', $name or die $!;
	print $file $bytes;
	close $file or die $!;
	return $name;
}

# Whether two texts are one JSON value.
sub eq_deeply_json
{
	my @values = map { $json->encode($json->decode(encode_utf8($_))) } @_;
	return $values[0] eq $values[1];
}

sub reader
{
	my ($out, $err) = ('', '');
	IPC::Run::run([ '/usr/bin/python3', @_ ], '>', \$out, '2>', \$err) or note $err;
	chomp $out;
	return $out;
}

# samples from two prompts, a rejected reply and a rejected picture
$node->create_server('sim', $endpoint->url);
$endpoint->control(plan => '2:refusal');
$node->insert_pictures(1, 6, 'detail');
sql('CALL llava_drain()');
sql("INSERT INTO llava_task (name, prompt) VALUES ('描述图片', E'用```一段话```描述。\\n# 标题\\n---\\n<script>')");
$node->insert_pictures(7, 9, 'detail');
$node->insert_pictures(10, 14, 'conversation');
sql("INSERT INTO llava_image (path, image) VALUES ('bad.jpg', 'no picture')");
sql("UPDATE llava_image SET licence = 'CC|BY <4.0>' WHERE id = 3");
sql('CALL llava_drain()');
is(sql('SELECT count(*) FROM llava_conversation'), '14', 'fourteen samples');

# provenance: each sample's own call, as the ledger and the endpoint know it
is(sql(<<'SQL'), '14|14|1,2|test|5|14|14', 'one row a sample, with all that made it');
SELECT count(*), count(DISTINCT call), string_agg(DISTINCT task_version::text, ','), min(model),
	min(parser_version), count(*) FILTER (WHERE model_reported LIKE 'simulated%' AND seed IS NOT NULL
		AND parameters ->> 'temperature' IS NOT NULL AND server = 'sim'),
	count(*) FILTER (WHERE image_at <= reply_at AND reply_at <= sample_at
		AND sha256 = (SELECT sha256(image) FROM llava_image i WHERE i.id = p.image))
FROM llava_provenance p
SQL
my %asked = map { $_->{request_id} // '' => 1 } $endpoint->requests;
is(scalar(grep { $asked{$_} } split /\n/, sql("SELECT call FROM llava_provenance")), 14, 'the calls are those the endpoint saw')
  or diag join ' ', %asked;
sql('DELETE FROM llava_reply WHERE image = 14');
is(sql('SELECT count(*), count(model) FROM llava_provenance'), '14|13', 'a sample without a ledger row is listed');

# the page: hostile strings are text, whatever they look like
my @hostile = (
	"<script>alert(1)</script>", "</p></article></main><img src=x onerror=alert(1)>",
	"\"'><svg/onload=alert(1)>", "&lt;b&gt; &amp; &#60;i&#62; &notanentity", "<!-- --> <![CDATA[ ]]> <?php ?>",
	"{{task}} {{{turns}}} }} {{", "\x{202e}drowssap\x{2028}line\x{2029}", "\x{20000}\x{2a6df} 𠮷野家",
	"back\\slash \\u003cscript\\u003e %3Cscript%3E", "javascript:alert(1)", "a\ttab\nand a line");
my @expected;
for my $i (0 .. $#hostile)
{
	(my $text = $hostile[$i]) =~ s/'/''/g;
	my $id = 100 + $i;
	sql(<<"SQL");
INSERT INTO llava_image (id, path, image, received_at) SELECT $id, '$text', image, now() FROM llava_image WHERE id = 1;
INSERT INTO llava_task (name, prompt, kind, language) VALUES ('任务 $i $text', 'x', 'description', 'zh');
INSERT INTO llava_conversation (image, task, conversation, rounds, flags, reply, task_version, note)
VALUES ($id, '任务 $i $text', jsonb_build_array(jsonb_build_object('from', 'human', 'value', '问 $text'),
	jsonb_build_object('from', 'gpt', 'value', '答 $text')), 1, ARRAY['旗 $text'], 1, 1, '记 $text');
INSERT INTO llava_reply (image, id, task, task_version, server, model, parameters, variation, body, reason)
VALUES ($id, 1, '任务 $i $text', 1, 's', '型 $text', '{"k": "v|<b>"}', 0, '', '因 $text');
SQL
	push @expected, [ 'file', $hostile[$i] ], [ 'turn human', "问 $hostile[$i]" ], [ 'turn gpt', "答 $hostile[$i]" ],
	  [ 'tag', "旗 $hostile[$i]" ], [ 'tag note', "记 $hostile[$i]" ], [ '', "型 $hostile[$i]" ],
	  [ '', "任务 $i $hostile[$i] · 第 1 版" ], [ 'name', "任务 $i $hostile[$i]" ];
}
# unusual samples: no bytes, broken bytes, no image row, no turns, odd turns
sql(<<'SQL');
UPDATE llava_image SET image = NULL WHERE id = 1;
INSERT INTO llava_image (id, path, image, received_at) VALUES (200, 'broken.jpg', 'no picture', now());
INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version) VALUES
	(200, '描述图片', '[]', 0, 0, 1), (201, '描述图片', '{"from": "<i>", "value": {"a": "<b>"}}', 1, 0, 1),
	(202, '描述图片', '"text"', 1, 0, 1), (203, '描述图片', '[null, 1, [2], {"from": "gpt"}]', 1, 0, 1);
UPDATE llava_conversation SET keep = true WHERE image = 2;
UPDATE llava_conversation SET keep = false, note = '看错了' WHERE image IN (3, 4);
SQL
open my $file, '>:raw', "$dir/expected" or die $!;
print $file $json->encode([ @expected, [ 'tag note', '看错了' ], [ 'tag no', '已看，弃用' ], [ 'tag', '已看，保留' ] ]);
close $file;
my $page = to_file('page', 'SELECT llava_page()');
is(reader('test/read_page.py', $page, "$dir/expected"), 'page: 29 samples, 24 pictures', 'the page has them all, as text');
like(decode_utf8(slurp_file($page)), qr{共 <b>29</b> 条样本，此页 <b>29</b> 条；已人工看过 <b>3</b> 条，其中弃用 <b>2</b> 条}, 'and how many a person looked at');
unlike(slurp_file($page) =~ s{<script>.*?</script>}{}sr, qr{https?:|<script|onerror=alert\(1\)>}, 'with no script but its own and no address');
open $file, '>', "$dir/none" or die $!;
print $file '[]';
close $file;
sub page { return reader('test/read_page.py', to_file('page', "SELECT llava_page($_[0])"), "$dir/none"); }
is(page("3, 'conversation'"), 'page: 3 samples, 3 pictures', 'as many as wanted');
is(page("100, 'detail'"), 'page: 13 samples, 8 pictures', 'of one task, by its alias');
is(page("100, 'detail', unseen => true") =~ /(\d+)/ ? $1 : '', '10', 'not looked at before');
is(page("100, flag => '旗 javascript:alert(1)'") =~ /(\d+)/ ? $1 : '', '1', 'with a flag');
is(page('0'), 'page: 0 samples, 0 pictures', 'none');
is(sql('SELECT llava_page(5, seed => 3) = llava_page(5, seed => 3)'), 't', 'the same seed is the same page');
is(sql("SELECT count(DISTINCT regexp_match(llava_page(5, seed => s), 'id=.s(\\d+)')) > 1 FROM generate_series(1, 9) s"), 't', 'another is another');
my ($ret, $out, $err) = $node->psql('postgres', "SELECT llava_page(task => 'nothing')");
like($err, qr/ERROR:.*"nothing".*HINT/s, 'no such task');
cmp_ok(length(sql('SELECT llava_thumbnail(image, 1024) FROM llava_image WHERE id = 2')), '<', 4000, 'a thumbnail is small');

# the card
my $card = $json->decode(reader('test/read_card.py',
	to_file('card', "SELECT llava_dataset_card('名称 \"x\": # <y>', licence => 'CC BY 4.0', tasks => '{detail, 日常对话}')")));
is($card->{front}{license}, 'cc-by-4.0', 'its licence, by the id that hubs know');
is($card->{front}{license_name}, undef, 'which needs no name');
is($card->{front}{pretty_name}, '名称 "x": # <y>', 'a hostile name');
is_deeply($card->{front}{annotations_creators}, ['machine-generated'], 'whose words it has');
is_deeply($card->{front}{language}, ['zh'], 'its language');
is_deeply($card->{front}{configs}, [ { config_name => 'default', data_files => [ { split => 'train', path => 'train.jsonl' } ] } ], 'its files');
my %tables = %{ $card->{tables} };
my ($tasks) = grep { $_->[0][1] eq '样本 Samples' } @{ $tables{'任务 Task'} };
is_deeply([ map { "@$_[0, 1]" } @$tasks[ 1 .. $#$tasks ] ], [ '描述图片 7', '日常对话 5' ], 'samples by task, without those a person dropped and those that no export has');
is(sql("SELECT count(*) FROM llava_export(tasks => '{detail, 日常对话}')"), '12', 'as many as an export has');
is_deeply($tables{'文件 File'}[0], [ [ '文件 File', '划分 Split', '样本 Samples' ], [ 'train.jsonl', 'train', '12' ] ], 'files and splits');
is_deeply([ map { "@$_[0, 1]" } @{ $tables{'字段 Field'}[0] }[ 1 .. 3 ] ], [ 'id string', 'image string', 'conversations array' ], 'fields');
is_deeply([ sort map { $_->[3] } @{ $tables{'模型 Model'}[0] }[ 1 .. 2 ] ], [ 1, 2 ], 'models and versions');
ok((grep { $_->[0] eq 'CC\\|BY &lt;4.0>' && $_->[1] eq '1' } @{ $tables{'许可 Licence'}[0] }) == 0, 'a dropped sample\'s licence is not there');
is_deeply([ grep { $_->[2] eq 'refusal' } @{ $tables{'类别 Kind'}[0] } ], [ [ 'reply', '描述图片', 'refusal', '1' ] ], 'rejects by reason');
my $text = decode_utf8(slurp_file("$dir/card"));
like($text, qr/^    用```一段话```描述。\n    # 标题\n    ---\n    <script>$/m, 'a prompt is an indented block');
my ($row) = $text =~ /^(    \{\n(?:    .*\n)+?    \})$/m;
ok((grep { eq_deeply_json($_, $row) } split /\n/, decode_utf8(sql("SELECT llava_export(tasks => '{detail, 日常对话}')"))), 'a row, which is one of the export');
like($text, qr/^    data = load_dataset\("名称 \\"x\\": # <y>"\)$/m, 'how to load it');
like($text, qr/^### Known limits\n\n(?:- .*\n){4}/m, 'known limits');
like($text, qr/人工看过 \*\*3\*\* 条样本，其中弃用 2 条/, 'looked at');
ok((grep { $_ eq '## 中文' } @{ $card->{headings} }) && (grep { $_ eq '## English' } @{ $card->{headings} }), 'in both languages');
$card = $json->decode(reader('test/read_card.py', to_file('card', "SELECT llava_dataset_card('me/llava-zh_x', validation => 'v.jsonl')")));
is($card->{front}{license}, 'unknown', 'no licence was stated');
is($card->{front}{pretty_name}, 'Llava Zh X', 'a name for people');
is(scalar(@{ $card->{tables}{'任务 Task'}[0] }) - 1, 11, 'all tasks, hostile names among them, but for two whose files no loader would find');
is_deeply([ map { "$_->[1] $_->[2]" } @{ $card->{tables}{'文件 File'}[0] }[ 1, 2 ] ],
	[ map { "$_ " . sql("SELECT count(*) FROM llava_export(split => '$_')") } qw(train validation) ], 'the sizes of both splits');
is_deeply([ map { "$_->{split} $_->{path}" } @{ $card->{front}{configs}[0]{data_files} } ], [ 'train train.jsonl', 'validation v.jsonl' ], 'their files');
for ([ "'看 \"店主\"'", 'other', '看 "店主"' ], [ "' MIT '", 'mit', undef ], [ "'x\ny: z'", 'other', "x\ny: z" ])
{
	$card = $json->decode(reader('test/read_card.py', to_file('card', "SELECT llava_dataset_card(licence => $_->[0])")));
	is_deeply([ @{ $card->{front} }{qw(license license_name)} ], [ @$_[ 1, 2 ] ], encode_utf8("the licence $_->[0]"));
}
sql('CREATE DATABASE empty');
$node->safe_psql('empty', 'CREATE EXTENSION llava_zh');
like($node->safe_psql('empty', 'SELECT llava_dataset_card() || llava_page()'), qr/n<1K.*<\/html>/s, 'of nothing there are both');

# the record of an export: the file's digest, each line's, and what became of them
sql("DELETE FROM llava_conversation WHERE image >= 100");
my $shape = "'swift', seed => 5, image_name => 'sha256', folder => '图'";
is(sql("SELECT llava_record_export('train.jsonl', $shape)"), '1', 'a record');
$node->safe_psql('postgres', encode_utf8("SELECT llava_draw_task(1); COPY (SELECT llava_export($shape)) TO '$dir/train.jsonl' (FORMAT jsonl)"));
my ($digest) = `sha256sum $dir/train.jsonl` =~ /^(\w+)/;
is(sql('SELECT encode(sha256, \'hex\'), bytes, rows FROM llava_manifest'),
	"$digest|" . (-s "$dir/train.jsonl") . '|12', 'has the digest and the size of the file');
my @lines = map { decode_utf8($_) } split /\n/, slurp_file("$dir/train.jsonl");
my ($line, $name) = split /\|/, decode_utf8(sql("SELECT line, file_name FROM llava_published WHERE image = 9 AND file = 'train.jsonl'"));
like($lines[ $line - 1 ], qr/\Q$name\E/, 'says which file has an image, and on which line');
is(sql("SELECT count(*) FROM llava_manifest_line l JOIN llava_image i ON i.id = l.image AND i.sha256 = l.image_sha256"), '12', 'with the picture\'s hash');
is(sql('SELECT count(*) FROM llava_verify_export(1)'), '0', 'nothing has changed');
sub rebuilt { return sql("SELECT encode(llava_lines_sha256(l), 'hex') FROM llava_rebuild_export(1) l"); }
is(rebuilt(), $digest, 'so that it can be built again');
$node->insert_pictures(15, 17, 'conversation');
sql('CALL llava_drain()');
sql("INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version) SELECT image, 'detail_en', conversation, rounds, 0, 1 FROM llava_conversation WHERE image < 5");
is(rebuilt(), $digest, 'also when there are more samples, of other pictures and of the same');
is(sql('SELECT count(*) FROM llava_verify_export(1)'), '0', 'and nothing has changed');
sql("DELETE FROM llava_conversation WHERE task = 'detail_en'");
sql("UPDATE llava_conversation SET keep = false WHERE image = 9; UPDATE llava_conversation SET conversation = jsonb_set(conversation, '{1,value}', '\"别的\"') WHERE image = 10; DELETE FROM llava_conversation WHERE image = 11");
is(sql("SELECT string_agg(concat_ws(' ', image, problem), ', ' ORDER BY image) FROM llava_verify_export(1)"), '9 gone, 10 changed, 11 gone', 'what is different is told');
is(sql('SELECT count(*) FROM llava_rebuild_export(1)'), '10', 'and dropped samples stay out');
is(sql("SELECT count(*) FROM (SELECT llava_lines_sha256(repeat('a', n)) AS a, sha256(convert_to(repeat('a', n) || E'\\n', 'UTF8')) AS b FROM generate_series(0, 200) n GROUP BY n) _ WHERE a = b"),
	'201', 'the digest is SHA-256 at every length');

# a reader's rights suffice for the page and the card, and nobody else has them
sql(<<'SQL');
CREATE ROLE reader; CREATE ROLE nobody;
GRANT SELECT ON llava_image, llava_pending, llava_reply, llava_conversation, llava_annotation, llava_task, llava_provenance, llava_stat_reason, llava_manifest, llava_manifest_line, llava_manifest_gone TO reader;
GRANT EXECUTE ON FUNCTION llava_page, llava_dataset_card, llava_image_bytes TO reader;
SQL
like(sql('SET ROLE reader; SELECT left(llava_page(3), 15) || left(llava_dataset_card(), 3) || count(*) FROM llava_provenance'), qr/^<!doctype html>---\d+$/, 'a reader sees them');
for ('llava_page()', 'llava_dataset_card()', "llava_record_export('x')", 'llava_verify_export(1)', 'llava_rebuild_export(1)')
{
	($ret, $out, $err) = $node->psql('postgres', "SET ROLE nobody; SELECT $_");
	like($err, qr/permission denied/, "$_ is not for everyone");
}

# the cookbook's grants are enough
my $cookbook = LlavaZh::Page->new('sql/cookbook.md');
my $grants = $cookbook->block('How do I give each colleague only the rights they need?');
sql('REVOKE EXECUTE ON FUNCTION llava_page, llava_dataset_card FROM reader; CREATE ROLE caller; CREATE ROLE feeder; CREATE ROLE publisher; CREATE ROLE operator; CREATE ROLE monitor; CREATE ROLE loader; CREATE ROLE reviewer');
$grants =~ s/FOREIGN SERVER qwen/FOREIGN SERVER sim/;
sql($grants);
mkdir "$dir/images";
chmod 0777, "$dir/images";
like(sql("SET ROLE publisher; SELECT llava_record_export('second.jsonl'); SELECT left(llava_page(1), 15), left(llava_dataset_card(), 3), (SELECT count(*) FROM llava_verify_export(2)), (SELECT count(*) > 10 FROM llava_rebuild_export(2)), (SELECT count(*) > 10 FROM llava_published WHERE manifest = 2), (SELECT written > 10 FROM llava_export_images('$dir/images'))"),
	qr/^2\n<!doctype html>\|---\|0\|t\|t\|t$/, 'for somebody who publishes');

# a format that leaves an image out: each line is still recorded under its own sample
sql("UPDATE llava_image SET format = 'gif' WHERE id = (SELECT min(image) + 1 FROM llava_conversation)");
sql("SELECT llava_record_export('openai.jsonl', 'openai')");
is(sql(<<'SQL'), 't|0', 'nothing is recorded under another sample than its own');
WITH today AS (SELECT (e).* FROM (SELECT llava_exported('openai') AS e) AS _),
recorded AS (SELECT l.* FROM llava_manifest_line l JOIN llava_manifest m ON m.id = l.manifest WHERE m.file = 'openai.jsonl')
SELECT count(r.image) = (SELECT count(*) - 1 FROM llava_export()),
	count(*) FILTER (WHERE (r.sha256 = sha256(convert_to(t.line || E'\n', 'UTF8'))) IS NOT TRUE)
FROM recorded r FULL JOIN today t USING (image, task)
SQL

# a card of what was recorded: its samples, its digest, its command
my $recorded = sql("SELECT llava_record_export('half.jsonl', split => 'validation', validation => 0.5)");
my ($rows, $digest2) = split /\|/, sql("SELECT rows, encode(sha256, 'hex') FROM llava_manifest WHERE id = $recorded");
cmp_ok($rows, '<', sql('SELECT count(*) FROM llava_export()'), 'a record of a part');
sql("UPDATE llava_conversation SET keep = false WHERE image = (SELECT min(image) FROM llava_manifest_line WHERE manifest = $recorded)");
$card = $json->decode(reader('test/read_card.py', to_file('card', "SELECT llava_dataset_card(manifests => '{$recorded,$recorded}')")));
($tasks) = grep { $_->[0][1] eq '样本 Samples' } @{ $card->{tables}{'任务 Task'} };
my $counted = 0;
$counted += $_->[1] for @$tasks[ 1 .. $#$tasks ];
is($counted, $rows, 'its card counts the samples of the record, also one that was dropped since');
$text = decode_utf8(slurp_file("$dir/card"));
like($text, qr/共 \*\*$rows\*\* 条样本/, 'and says how many');
like($text, qr/^    -- $rows samples, sha256 $digest2, \{.*"split": "validation".*\}\n    \\copy \(SELECT llava_rebuild_export\($recorded\)\) TO 'half.jsonl' WITH \(FORMAT jsonl\)$/m,
	'how to build it again, and what it must be');
for ("llava_verify_export(999)", "llava_rebuild_export(999)", "llava_dataset_card(manifests => '{$recorded,999}')")
{
	($ret, $out, $err) = $node->psql('postgres', "SELECT $_");
	like($err, qr/recorded export 999 does not exist\nHINT/, "$_: no such record");
}

# a card of a base and its increments: what the last of them amounts to
sub of_card
{
	my ($ids) = @_;
	$card = $json->decode(reader('test/read_card.py', to_file('card', "SELECT llava_dataset_card(manifests => '{$ids}')")));
	my ($table) = grep { $_->[0][1] eq '样本 Samples' } @{ $card->{tables}{'任务 Task'} };
	my $n = 0;
	$n += $_->[1] for @$table[ 1 .. $#$table ];
	return $n;
}
my $base = sql("SELECT llava_record_export('base.json', as_array => true)");
my $all = sql('SELECT count(*) FROM llava_export()');
sql("UPDATE llava_conversation SET keep = false WHERE image IN (12, 14); UPDATE llava_conversation SET conversation = jsonb_set(conversation, '{1,value}', '\"改过\"') WHERE image = 13");
my $next = sql("SELECT llava_record_since('more.json', $base)");
is(of_card($base), $all, 'a card of a base has what it had');
is(of_card("$base,$next"), $all - 2, 'with its increment it has what is not gone');
is(of_card($next), 1, 'of the increment alone its own');
like(slurp_file("$dir/card"), qr/^    \\copy \(SELECT llava_rebuild_export\($next\)\) TO 'more.json' WITH \(FORMAT jsonl, FORCE_ARRAY\)$/m, 'which is an array, as its base');
$node->safe_psql('postgres', "SELECT llava_draw_task(1); COPY (SELECT llava_rebuild_export($next)) TO '$dir/more.json' (FORMAT jsonl, FORCE_ARRAY)");
is((split / /, `sha256sum $dir/more.json`)[0], sql("SELECT encode(sha256, 'hex') FROM llava_manifest WHERE id = $next"), 'to the byte');
sql("UPDATE llava_conversation SET keep = NULL WHERE image = 12");
my $last = sql("SELECT llava_record_since('last.json', $next)");
is(of_card("$base,$next,$last"), $all - 1, 'what came back is there');
is(of_card("$last,$base"), $all - 2, 'what an increment between them took out is not there, nor what it alone has');

# the cookbook's publication, word for word: one folder, whose record is right
my ($publish) = $cookbook->block('How do I publish a folder of pictures?') =~
  /^psql -XqAt -v ON_ERROR_STOP=1 <<'SQL'\n(BEGIN ISOLATION.*?)^SQL$/ms;
ok($publish, 'the cookbook says how to publish');
sql('UPDATE llava_conversation SET keep = false WHERE image = 1');    # whose bytes are gone
mkdir "$dir/zh";
chmod 0777, "$dir/zh";
$publish =~ s{/data/zh}{$dir/zh}g;
my ($said, $wrong) = ('', '');
IPC::Run::run([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres') ],
	'<', \encode_utf8($publish), '>', \$said, '2>', \$wrong);
like($said, qr/^\d+\|0\|0\|\d+\n$/, 'the images are written');
like(reader('test/read_dataset.py', 'imagefolder', "$dir/zh/metadata.jsonl", '--images', "$dir/zh"), qr/^\d+ rows /, 'each line names one');
($digest) = `sha256sum $dir/zh/metadata.jsonl` =~ /^(\w+)/;
is(sql("SELECT encode(sha256, 'hex') FROM llava_manifest WHERE file = 'metadata.jsonl'"), $digest, 'the record is of that file');
$card = $json->decode(reader('test/read_card.py', "$dir/zh/README.md"));
is_deeply($card->{front}{configs}[0]{data_files}, [ { split => 'train', path => '**' } ], 'a hub makes no splits of words in names');
is_deeply([ map { @$_[ 0, 1 ] } @{ $card->{tables}{'文件 File'}[0] }[1] ], [ 'metadata.jsonl', 'train' ], 'the card names the file');
like(slurp_file("$dir/zh/README.md"), qr/sha256 $digest/, 'and the card names its digest');

# and its mixing with English data
my ($mixing) = map { $_->{text} } $cookbook->blocks('sh', 'How do I mix it with English data?');
is($mixing =~ s/^psql .*\n//m, 1, 'after the export');
spew_file("$dir/llava_v1_5_mix665k.json", '[{"id": "en 1", "image": "coco/1.jpg", "conversations": []}, {"id": "en 2", "conversations": []}]');
$node->safe_psql('postgres', "SELECT llava_draw_task(1); COPY (SELECT llava_export('llava', folder => 'zh')) TO '$dir/zh.jsonl' (FORMAT jsonl)");
sub mixed { return IPC::Run::run([ 'bash', '-c', $_[0] ], '2>', \my $said, init => sub { chdir $dir }); }
ok(mixed($mixing), 'the cookbook says how to mix');
my $mixed = $json->decode(slurp_file("$dir/mixed.json"));
my $order = slurp_file("$dir/mixed.json");
ok(mixed($mixing), 'again');
is(slurp_file("$dir/mixed.json") eq $order ? 'same' : 'other', 'same', 'in the same order');
ok(mixed($mixing =~ s/pass:seed/pass:other/r), 'with another seed');
is(slurp_file("$dir/mixed.json") eq $order ? 'same' : 'other', 'other', 'in another');
# more lines than a short source has chances for; a source that runs dry is an error
spew_file("$dir/llava_v1_5_mix665k.json", '[' . join(',', map { "{\"id\": \"en $_\"}" } 1 .. 50_000) . ']');
ok(mixed($mixing), 'a long list');
is(scalar(@{ $json->decode(slurp_file("$dir/mixed.json")) }), 50_000 + @$mixed - 2, 'is mixed whole');
spew_file("$dir/short", 'x' x 10);
ok(!mixed($mixing =~ s/<\(.*\)/short/r), 'a source that runs dry is an error');
is(join(' ', sort map { $_->{id} } @$mixed), join(' ', sort('en 1', 'en 2', map { $json->decode($_)->{id} } split /\n/, slurp_file("$dir/zh.jsonl"))),
	'one list of both');
is((grep { ($_->{image} // 'coco/') !~ m{^(coco|zh)/} } @$mixed) + 0, 0, 'each below its folder');

# the pictures themselves in the lines, and a length
for ("'openai', data_urls => true", "'llava', cutoff_len => 300")
{
	my $id = sql("SELECT llava_record_export('same.jsonl', $_)");
	$node->safe_psql('postgres', "SELECT llava_draw_task(1); COPY (SELECT llava_export($_)) TO '$dir/same.jsonl' (FORMAT jsonl)");
	my ($sum) = `sha256sum $dir/same.jsonl` =~ /^(\w+)/;
	is(sql("SELECT encode(m.sha256, 'hex'), m.rows > 0, m.rows < (SELECT count(*) FROM llava_conversation), (SELECT count(*) FROM llava_verify_export($id)) FROM llava_manifest m WHERE id = $id"),
		"$sum|t|t|0", "a record of $_");
	is(sql("SELECT encode(llava_lines_sha256(l), 'hex') FROM llava_rebuild_export($id) l"), $sum, 'which is rebuilt');
}

$node->stop('fast');
$endpoint->stop;
done_testing();
