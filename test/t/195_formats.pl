# Each format read back by a reader that knows the trainers' rules and nothing of the
# extension: thousands of samples, hostile ones among them.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = LlavaZh::Cluster->new('formats', databases => '');
my $dir = $node->basedir;
my @formats = qw(llava llamafactory sharegpt swift qwen openai trl imagefolder);

# image files are looked for by the reader
mkdir "$dir/images";
$node->safe_psql('postgres', <<'SQL');
INSERT INTO llava_image (id, path, sha256, format, width, height, received_at)
SELECT n, format('图 片/%s''"%s.jpg', n % 7, n), sha256(n::text::bytea), 'jpeg', 640, 480, now() FROM generate_series(1, 2400) AS n;
CREATE TABLE word (n serial, word text);
INSERT INTO word (word) VALUES ('一只猫。'), (E'第一行\n第二行\r\n\t尾'), (E'\u2028\u2029\u0085\ufeff'), ('“"''`\u0000\n\\'), (E'\\\\x41\\'),
	('𠮷𪚥👩‍👩‍👧‍👦'), ('<script>alert("1")</script>&amp;<!-- '), ('{"from": "gpt", "value": "x"}'), (E'\b\f\x01\x7f'),
	('a < b > c <p> <imag> image> <images>'), (repeat('很长的一句话，', 3000)), ('null'), ('؜ عربي ‮'), ('%s %1$s {0} ${x}');
INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
SELECT i, llava_draw_task(i), (SELECT jsonb_agg(jsonb_build_object('from', CASE t % 2 WHEN 1 THEN 'human' ELSE 'gpt' END,
	'value', t || w.word) ORDER BY t) FROM generate_series(1, 2 * (1 + i % 5)) AS t JOIN word AS w ON w.n = 1 + (i * 3 + t) % 14), 1 + i % 5, i, 1
FROM generate_series(1, 2400) AS i;
-- what trainers choke on
UPDATE llava_conversation SET conversation = jsonb_set(conversation, '{1,value}', to_jsonb(bad)) FROM (VALUES
	(11, '看 <image> 这里'), (12, '<video>'), (13, '<audio>'), (14, '完<|im_end|>'), (15, '<think>嗯</think>好'), (16, E' \u3000\n'),
	(17, '<|vision_start|>'), (18, '<|endoftext|>')) AS v (id, bad) WHERE image = id;
UPDATE llava_image SET path = '../../etc/passwd' WHERE id = 19;
UPDATE llava_image SET path = '/etc/passwd' WHERE id = 20;
SQL

sub exported
{
	my ($name, $arguments) = @_;
	$node->safe_psql('postgres', "COPY (SELECT llava_export($arguments)) TO '$dir/$name' WITH (FORMAT jsonl)");
	return slurp_file("$dir/$name");
}

# The reader's last line; the others, if any, are faults.
sub read_back
{
	my ($format, $name, @options) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ '/usr/bin/python3', 'test/read_dataset.py', $format, "$dir/$name", @options ], '>', \$out, '2>', \$err);
	chomp $out;
	return $out . $err;
}

$node->safe_psql('postgres',
	"COPY (SELECT conversation FROM llava_conversation WHERE image NOT BETWEEN 11 AND 20 ORDER BY image) TO '$dir/stored' WITH (FORMAT jsonl)");
my $stored = read_back('stored', 'stored');
like($stored, qr/^2390 rows [0-9a-f]{64}$/, 'the samples that should leave');
# LLaMA-Factory reads by its entry in dataset_info.json
my %options = map {
	$node->safe_psql('postgres', "COPY (SELECT llava_dataset_info('zh', '$_', '$_')) TO '$dir/$_.info' WITH (FORMAT jsonl)");
	($_ => [ '--info', "$dir/$_.info" ]);
} qw(llamafactory sharegpt);
for my $format (@formats)
{
	my $bytes = exported($format, "'$format'");
	my @options = @{ $options{$format} // [] };
	is(read_back($format, $format, @options), $stored, "$format holds those, to the letter");
	is(exported("$format.last", "'$format', image_token => 'last'") eq $bytes ? 'same' : 'other', 'other', 'the token goes to the end');
	is(read_back($format, "$format.last", @options), $stored, 'and the trainer finds it there');
	is(exported("$format.again", "'$format'") eq $bytes ? 'same' : 'other', 'same', 'twice the same bytes');
	like(read_back($format, $format, @options, '--images', "$dir/images"), qr/is not there/, 'a missing file would be noticed');
}

# LLaVA's own trainer reads a file with json.load: one array, by COPY and by psql the same
$node->safe_psql('postgres', "COPY (SELECT llava_export('llava')) TO '$dir/llava.json' WITH (FORMAT jsonl, FORCE_ARRAY)");
is(read_back('llava', 'llava.json', '--array'), $stored, 'llava as one JSON array holds those, to the letter');
my $array = slurp_file("$dir/llava.json");
is("$array", "[\n" . join("\n,", split /\n/, slurp_file("$dir/llava")) . "\n]\n", 'a line a sample, which is the line of the other file');
is($node->safe_psql('postgres', "SELECT llava_export_array('llava')") . "\n" eq $array ? 'same' : 'other', 'same', 'and the same through psql');
my $manifest = $node->safe_psql('postgres', "SELECT llava_record_export('llava.json', as_array => true)");
my ($digest) = split / /, `sha256sum $dir/llava.json`;
is($node->safe_psql('postgres', "SELECT rows, bytes, encode(sha256, 'hex'), settings -> 'as_array' FROM llava_manifest WHERE id = $manifest"),
	'2390|' . (-s "$dir/llava.json") . "|$digest|true", 'its record counts samples, and has the size and the digest of the file');
is($node->safe_psql('postgres', "SELECT count(*) FROM llava_verify_export($manifest)"), '0', 'it can be verified');
$node->safe_psql('postgres', "COPY (SELECT llava_rebuild_export($manifest)) TO '$dir/again.json' WITH (FORMAT jsonl, FORCE_ARRAY)");
is(slurp_file("$dir/again.json") eq $array ? 'same' : 'other', 'same', 'and written again to the byte');

# no sample, and one: still an array, and still the digest of the file
for my $tasks ('{筛选}', '{detail_en}')
{
	$node->safe_psql('postgres', "INSERT INTO llava_conversation SELECT 1, 'detail_en', conversation, rounds, '{}', reply, 1 FROM llava_conversation WHERE image = 1")
	  if $tasks eq '{detail_en}';
	$node->safe_psql('postgres', "COPY (SELECT llava_export('llava', tasks => '$tasks')) TO '$dir/few.json' WITH (FORMAT jsonl, FORCE_ARRAY)");
	my $few = slurp_file("$dir/few.json");
	like($few, $tasks eq '{筛选}' ? qr/\A\[\]\n\z/ : qr/\A\[\n\{.*\}\n\]\n\z/, "an array of $tasks");
	is($node->safe_psql('postgres', "SELECT llava_export_array('llava', tasks => '$tasks')") . "\n", $few, 'the same through psql');
	my $id = $node->safe_psql('postgres', "SELECT llava_record_export('few.json', tasks => '$tasks', as_array => true)");
	is($node->safe_psql('postgres', "SELECT encode(sha256, 'hex'), bytes FROM llava_manifest WHERE id = $id"),
		(split / /, `sha256sum $dir/few.json`)[0] . '|' . (-s "$dir/few.json"), 'and so says the record');
	$node->safe_psql('postgres', "DELETE FROM llava_conversation WHERE task = 'detail_en'");
}

# whole or not at all: a line that is no JSON, or a name that breaks a rule of the server's
$node->safe_psql('postgres', "COPY (SELECT llava_export('llava')) TO '$dir/kept.json' WITH (FORMAT jsonl, FORCE_ARRAY)");
like(($node->psql('postgres', "COPY (SELECT l FROM llava_export('llava') WITH ORDINALITY AS e (l, n) UNION ALL SELECT '{') TO '$dir/kept.json' WITH (FORMAT jsonl, FORCE_ARRAY)"))[2],
	qr/invalid input syntax for type json/, 'a line that is no JSON is an error');
is(slurp_file("$dir/kept.json") eq $array ? 'same' : 'other', 'same', 'which leaves the file that was there');
is(join(' ', glob "$dir/*.part"), '', 'and nothing beside it');

# InternVL's meta file
$node->safe_psql('postgres', "COPY (SELECT llava_export('llava')) TO '$dir/zh.jsonl' WITH (FORMAT jsonl);"
	  . "COPY (SELECT llava_internvl_meta('zh', '$dir/zh.jsonl', '$dir/images', 2390)) TO '$dir/meta.json' WITH (FORMAT jsonl)");
my $internvl = read_back('llava', 'meta.json', '--meta');
like($internvl, qr/^line 1: the image .* is not there\n/, 'InternVL looks for the pictures below its root');
unlike($internvl, qr/^line \d+: (?!the image )/m, 'and finds nothing else amiss');
like($internvl, qr/^2390 rows /m, 'in as many rows as its entry says');

# the rules say what was left out, and an export says how many
is($node->safe_psql('postgres', "SELECT string_agg(image || ' ' || rule, ', ' ORDER BY image) FROM llava_validate() WHERE left_out"),
	'11 image_token, 12 media_token, 13 media_token, 14 special_token, 15 think_tag, 16 empty_turn, 17 special_token, '
	  . '18 special_token, 19 image_name, 20 image_name',
	'llava_validate names image and rule');
my ($ret, $stdout, $stderr) = $node->psql('postgres', 'SELECT count(*) FROM llava_export()');
like($stderr, qr/10 samples were left out of the export/, 'and the export how many');

# \u0000 is in JSON that comes from elsewhere; jsonb does not take it
like(($node->psql('postgres', q(SELECT '"\u0000"'::jsonb)))[2], qr/cannot be converted to text/, 'no U+0000 can be stored');

# through COPY FROM and out again
$node->safe_psql('postgres', "CREATE TABLE back (n serial, line jsonb); COPY back (line) FROM '$dir/llava' WITH (FORMAT jsonl);"
	  . "COPY (SELECT line FROM back ORDER BY n) TO '$dir/back' WITH (FORMAT jsonl)");
my $first = slurp_file("$dir/back");
is(read_back('llava', 'back'), $stored, 'an export that was loaded is the same data');
$node->safe_psql('postgres', "TRUNCATE back RESTART IDENTITY; COPY back (line) FROM '$dir/back' WITH (FORMAT jsonl);"
	  . "COPY (SELECT line FROM back ORDER BY n) TO '$dir/back' WITH (FORMAT jsonl)");
is(slurp_file("$dir/back") eq $first ? 'same' : 'other', 'same', 'COPY TO, FROM and TO are the same bytes');

# the published mix where 7 % of the pictures have no sample: the largest of all sets in
# which each task has its share, rounded down, beside some n of another; found by trying
# every n that no task is too scarce for
my %weight = ('日常对话' => 247_431, '复杂推理' => 194_646, '描述图片' => 199_791);
sub largest_mix
{
	my (%have) = @_;
	my ($largest, $mix) = (0, '');
	for my $scarce (keys %weight)
	{
		for my $n (0 .. $have{$scarce})
		{
			use integer;
			next if grep { $weight{$_} * $n > $have{$_} * $weight{$scarce} } keys %weight;
			my %take = map { $_ => $weight{$_} * $n / $weight{$scarce} } keys %weight;
			my $total = 0;
			$total += $_ for values %take;
			($largest, $mix) = ($total, join ' ', map { "$_ $take{$_}" } sort keys %take) if $total > $largest;
		}
	}
	return $mix;
}
sub by_task { return map { split /\|/ } split /\n/, $_[0]; }
my %scarcest;
for my $seed (1 .. 9)
{
	my $task = (sort keys %weight)[ $seed % 3 ];
	my ($have, $mix, $again) = split /--\n?/, $node->safe_psql('postgres', <<"SQL");
BEGIN;
DELETE FROM llava_conversation WHERE abs(hashint8extended(image, $seed)) % 100 < CASE task WHEN '$task' THEN 7 + $seed ELSE 7 END;
SELECT line::json ->> 'task', count(*) FROM llava_export('imagefolder') AS line GROUP BY 1;
SELECT '--';
SELECT line::json ->> 'task', count(*) FROM llava_export('imagefolder', mix => true) AS line GROUP BY 1;
SELECT '--';
SELECT count(*) FROM (SELECT llava_export(mix => true) EXCEPT SELECT llava_export()) AS _;
ROLLBACK;
SQL
	my %have = by_task($have);
	my %mix = by_task($mix);
	is(join(' ', map { "$_ $mix{$_}" } sort keys %mix), largest_mix(%have), "the largest mix, where $task is scarce");
	is($again, '0', 'of what is exported');
	$scarcest{$_}++ for grep { $mix{$_} == $have{$_} } keys %mix;
}
is(join(' ', sort keys %scarcest), join(' ', sort keys %weight), 'each task was the scarcest once');

$node->stop('fast');
done_testing();
