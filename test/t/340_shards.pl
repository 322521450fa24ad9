# llava_export_shards: tar files that WebDataset's readers take, of the chosen samples and
# nothing else, the same bytes for the same samples, and recorded to the byte.
use strict;
use warnings;
use utf8;
use lib 'test/perl';
use Digest::SHA qw(sha256_hex);
use Encode qw(decode_utf8 encode_utf8);
use IPC::Run;
use LlavaZh::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = PostgreSQL::Test::Utils::tempdir;
my $node = LlavaZh::Cluster->new('shards', preload => 0, conf => "session_preload_libraries = 'llava_zh'\n");
sub sql { return decode_utf8($node->safe_psql('postgres', encode_utf8($_[0]))); }

# ten pictures with a sample each; the first has another one, of a task with a hostile name
sql(LlavaZh::Cluster::pictures_sql(1, 10));
sql(q{INSERT INTO llava_task (name, kind, language, prompt) VALUES ('a.b/c%d\e', 'description', 'zh', 'x')});
sql(q{INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
SELECT id, '描述图片', jsonb_build_array(jsonb_build_object('from', 'human', 'value', '问' || id),
	jsonb_build_object('from', 'gpt', 'value', '答' || id)), 1, id, 1 FROM llava_image;
INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
SELECT image, 'a.b/c%d\e', conversation, 1, 11, 1 FROM llava_conversation WHERE image = 1});

# export(directory, arguments, before): the row or '', and what was said
sub export
{
	my ($directory, $arguments, $before) = @_;
	$arguments = $arguments ? ", $arguments" : '';
	my ($ret, $out, $err) = $node->psql('postgres', encode_utf8(($before // '')
		. "SELECT shards, written, rows, missing FROM llava_export_shards('$directory'$arguments)"));
	return ($out, decode_utf8($err));
}

sub folder
{
	my ($name) = @_;
	mkdir "$top/$name" or die $!;
	return "$top/$name";
}

sub files
{
	my ($directory, $pattern) = @_;
	opendir my $listing, $directory or die $!;
	return join ' ', sort grep { /^[^.]/ || /^\.llava/ } readdir $listing;
}

# read_shards(options and files): what the reader prints, and what it complains of
sub read_shards
{
	my ($out, $err) = ('', '');
	IPC::Run::run([ '/usr/bin/python3', 'test/read_shards.py', @_ ], '>', \$out, '2>', \$err,
		init => sub { $ENV{PYTHONIOENCODING} = 'utf-8' });
	return (decode_utf8($out), $err);
}

my $lines = sub { my ($arguments) = @_; return encode_utf8(join '', map { "$_\n" } split /\n/, sql("SELECT llava_export($arguments)")) };
my $last = sub { return sql('SELECT max(id) FROM llava_manifest') };

# what is in them
my $one = folder('one');
is((export($one))[0], '1|1|11|0', 'eleven samples in one shard');
is(files($one), '.llava_zh.train.shards train-00000-of-00001.tar', 'with its name');
is((stat "$one/train-00000-of-00001.tar")[2] & 07777, 0644, 'readable, as files of COPY TO');
my ($read, $complaint) = read_shards("$one/train-00000-of-00001.tar");
is($complaint, '', 'readers take it');
my @samples = map { [ split / / ] } split /\n/, $read;
my $total = pop @samples;
my $expected = $lines->("image_name => 'sample'");
is("@$total", '11 ' . sha256_hex($expected), 'the members are the lines of llava_export');
is(join(' ', map { $_->[0] } @samples[ 0 .. 2 ]), '1-a%2Eb%2Fc%25d%5Ce 1-描述图片 2-描述图片', 'keys are image and task, without dots');
is(join(' ', map { $_->[2] } @samples), join(' ', map { sha256_hex(LlavaZh::Cluster::png($_)) } 1, 1 .. 10), 'with the pictures as they came');
is(decode_utf8(`tar tf '$one/train-00000-of-00001.tar' --quoting-style=literal | sed -n 3,4p`), "1-描述图片.png\n1-描述图片.json\n", 'tar lists them, two a sample');

# the record
my $id = $last->();
is(sql("SELECT file, rows, bytes, encode(sha256, 'hex') FROM llava_manifest WHERE id = $id"),
	'train-*-of-00001.tar|11|' . length($expected) . '|' . sha256_hex($expected), 'the manifest has their digest');
is(sql("SELECT file, line, rows, bytes, encode(sha256, 'hex') FROM llava_manifest_shard WHERE manifest = $id"),
	'train-00000-of-00001.tar|1|11|' . (-s "$one/train-00000-of-00001.tar") . '|' . sha256_hex(slurp_file("$one/train-00000-of-00001.tar")),
	'and the one of the shard');
is(sql("SELECT string_agg(concat(encode(image_sha256, 'hex'), ' ', encode(sha256, 'hex')), E'\\n' ORDER BY line) FROM llava_manifest_line WHERE manifest = $id"),
	join("\n", map { "$_->[2] $_->[3]" } @samples), 'and those of pictures and lines');
is(sql("SELECT count(*) FROM llava_verify_export($id)"), '0', 'which can be written again');
is(encode_utf8(join '', map { "$_\n" } split /\n/, sql("SELECT llava_rebuild_export($id)")), $expected, 'line by line');

# one call more
is((export($one))[0], '1|0|11|0', 'the same again writes nothing');
is($last->(), $id + 1, 'and is recorded');
my $two = folder('two');
export($two);
is(slurp_file("$two/train-00000-of-00001.tar") eq slurp_file("$one/train-00000-of-00001.tar") ? 'same' : 'other', 'same', 'in another folder it has the same bytes');

# several shards
my $some = folder('some');
is((export($some, 'shard_rows => 2'))[0], '6|6|11|0', 'by rows');
is(files($some), join(' ', '.llava_zh.train.shards', map { sprintf 'train-%05d-of-00006.tar', $_ } 0 .. 5), 'numbered from 0');
is((read_shards('--quiet', glob "$some/*.tar"))[0], "11 " . sha256_hex($expected) . "\n", 'in order the same lines');
is(sql('SELECT file FROM llava_published WHERE image = 10 AND manifest = ' . $last->()), 'train-00005-of-00006.tar', 'llava_published names the shard of a picture');
is(sql('SELECT string_agg(line::text, \' \' ORDER BY line) FROM llava_manifest_shard WHERE manifest = ' . $last->()), '1 3 5 7 9 11', 'and each knows its first line');
my $pair = sub { my ($name) = @_; my $size = 0; my $n = 0; $size += 512 + 512 * int(((length $_) + 511) / 512) for @_; return $size };
my $full = folder('full');
my $bytes = 1024 + 3 * $pair->(LlavaZh::Cluster::png(2), 'x' x 200);
export($full, "shard_bytes => $bytes");
my @sizes = map { -s } sort glob "$full/*.tar";
is(scalar(grep { $_ > $bytes } @sizes), 0, 'by bytes: none is larger');
is("@sizes[0 .. 2]", "$bytes $bytes $bytes", 'and each is as full as can be');
export(my $tiny = folder('tiny'), 'shard_bytes => 1');
is(scalar(my @tiny = glob "$tiny/*.tar"), 11, 'one sample at least');

# prepared, chosen, shuffled, mixed, in another format
my $prepared = folder('prepared');
is((export($prepared, 'prepared => true'))[0], '1|1|11|0', 'prepared');
($read, $complaint) = read_shards('--one-kind', glob "$prepared/*.tar");
is($complaint, '', 'is one kind for all');
like($read, qr/^2-描述图片 jpg /m, 'of JPEG');
is((split / /, (split /\n/, $read)[-1])[1], sha256_hex($lines->("image_name => 'sample.jpg'")), 'which the lines say, too');
is(`tar xOf $prepared/train-00000-of-00001.tar '2-描述图片.jpg' | head -c 2 | od -An -tx1` =~ s/\s//gr, 'ffd8', 'and which they are');
for my $case (["seed => 7", "seed => 7"], ["format => 'swift', image_token => 'last'", "'swift', image_token => 'last'"], ["tasks => '{a.b/c%d\\e}'", "tasks => '{a.b/c%d\\\\e}'"],
	["weights => '{\"描述图片\": 3, \"a.b/c%d\\\\e\": 1}', seed => 2", "weights => '{\"描述图片\": 3, \"a.b/c%d\\\\e\": 1}', seed => 2"],
	["mix => true", "mix => true"], ["cutoff_len => 1", "cutoff_len => 1"], ["without_flags => '{}'", "without_flags => '{}'"])
{
	my ($shards, $llava) = @$case;
	$shards = $llava if $shards =~ /^tasks/;
	my $folder = folder('case' . sha256_hex(encode_utf8($shards)));
	my ($row, $said) = export($folder, $shards);
	my $wanted = $lines->("$llava, image_name => 'sample'" =~ s/format => //r);
	my @files = glob "$folder/*.tar";
	is(@files ? (read_shards('--quiet', @files))[0] : "0 " . sha256_hex('') . "\n", ($wanted =~ tr/\n//) . ' ' . sha256_hex($wanted) . "\n", encode_utf8("$shards: the lines of llava_export"));
	is(sql('SELECT encode(sha256, \'hex\') FROM llava_manifest WHERE id = ' . $last->()), sha256_hex($wanted), 'and recorded') if @files;
}
my $split = folder('split');
my ($train) = export($split, "split => 'train', validation => 0.4");
my ($validation) = export($split, "split => 'validation', validation => 0.4");
is((split /\|/, $train)[2] + (split /\|/, $validation)[2], 11, 'both sides of a split in one folder');
like(files($split), qr/ train-00000-of-00001\.tar validation-00000-of-00001\.tar$/, 'under their names');
like(sql("SELECT llava_dataset_card(train => 'train-*.tar', validation => 'validation-*.tar', manifests => ARRAY[" . ($last->() - 1) . ', ' . $last->() . '])'),
	qr/^  - split: train\n    path: "train-\*-of-00001\.tar"\n  - split: validation\n    path: "validation-\*-of-00001\.tar"\n/m, "the card's configs name the files");
unlike(sql("SELECT llava_dataset_card(manifests => ARRAY[" . $last->() . '])'), qr/TO 'validation-\*/, 'and its commands write no file of that name');
like(sql("SELECT llava_dataset_card(train => 'train-*.tar')"), qr/^    SELECT \* FROM llava_export_shards\('\/data', 'llava'\);$/m, 'nor without a record');

# what is refused
my $other = qr/ERROR:  directory "\S+" holds train shards of an export with other arguments\nDETAIL:  It was made with \{.*\nHINT:  Export into another directory/;
like((export($one, 'shard_rows => 3'))[1], $other, 'other arguments in the same folder');
like((export($one, 'prepared => true'))[1], $other, 'other pictures');
$node->append_conf('postgresql.conf', 'llava_zh.image_quality = 20');
$node->reload;
$node->wait_query('SHOW llava_zh.image_quality', '20') or die;
like((export($one))[1], $other, 'another quality');
$node->append_conf('postgresql.conf', 'llava_zh.image_quality = 90');
$node->reload;
$node->wait_query('SHOW llava_zh.image_quality', '90') or die;
like((export($split, "split => 'train', validation => 0.1"))[1], qr/holds validation shards of an export with other arguments/, 'another share of a split');
like((export(my $leak = folder('leak'), "split => 'validation', validation => 0.4"))[0], qr/^1\|1/, 'a validation set');
like((export($leak))[1], qr/holds validation shards of an export with other arguments/, 'and beside it an export that has its pictures, too');
like((export($leak, "split => 'train', validation => 0.2"))[1], qr/holds validation shards of an export with other arguments/, 'or some of them');
is((split /\|/, (export($leak, "split => 'train', validation => 0.4, shard_rows => 1"))[0])[0] > 1, 1, 'its own other side may have other sizes');
like((export($one, "split => 'x'"))[1], qr/invalid split "x"\nHINT/, 'a side that there is not');
like((export($one, "split => '../x'"))[1], qr/invalid split "..\/x"\nHINT/, 'or one that leads out');
like((export(folder('format'), "format => 'x'"))[1], qr/unknown export format "x"\nHINT/, 'an unknown format');
like((export($one, 'shard_bytes => 0'))[1], qr/must be positive\nHINT/, 'shards of nothing');
like((export($one, 'shard_rows => -1'))[1], qr/must be positive\nHINT/, 'or of less');
like((export('data'))[1], qr/is not an absolute path\nHINT/, 'a relative directory');
like((export("$top/nowhere"))[1], qr/could not open directory .*\nHINT/, 'one that is not there');
like(($node->psql('postgres', 'SELECT llava_export_shards(NULL)'))[2], qr/directory is NULL\nHINT/, 'none');
my $strange = folder('strange');
PostgreSQL::Test::Utils::append_to_file("$strange/train-00000-of-00003.tar", 'x');
like((export($strange))[1], qr/holds "train-00000-of-00003\.tar", which is not of this export\nHINT/, 'a folder with shards of somebody else');
is(slurp_file("$strange/train-00000-of-00003.tar"), 'x', 'which stay as they are');
is((export($strange, "split => 'validation', validation => 0.4"))[0] =~ s/\|.*//r, '1', 'those of the other side are in nobody\'s way');

# the samples change
sql('UPDATE llava_conversation SET keep = false WHERE image = 5');
like((export($one))[1], qr/ERROR:  directory "\S+" holds the shards of an export with the same arguments and other samples\nDETAIL:  Shard 0 would be another one now\.\nHINT/, 'a finished export is not changed when a sample goes');
is((read_shards('--quiet', glob "$one/*.tar"))[0], "11 " . sha256_hex($expected) . "\n", 'it is what it was');
like(sql("SELECT string_agg(problem, ',') FROM llava_verify_export($id)"), qr/^gone$/, 'and its record says what is not');
sql('UPDATE llava_conversation SET keep = NULL WHERE image = 5');
sql(LlavaZh::Cluster::pictures_sql(11, 11) . q{INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version) SELECT 11, task, conversation, 1, 11, 1 FROM llava_conversation WHERE image = 2});
like((export($one))[1], qr/other samples\nDETAIL:  Shard 1 would/, 'nor when one comes');
PostgreSQL::Test::Utils::append_to_file("$two/train-00000-of-00001.tar", 'x');
sql('UPDATE llava_conversation SET keep = false WHERE image = 11');
like((export($two))[1], qr/ERROR:  directory "\S+" holds shards that are not as they were written\nDETAIL:  Shard 0 is gone or has changed\.\nHINT/, 'nor when a shard is damaged');

# pictures whose bytes are gone
is((export($one))[0], '1|0|11|0', 'as it was, all is well');
sql('UPDATE llava_image SET image = NULL WHERE id IN (1, 4, 10)');
is(sql("SELECT string_agg(image || ' ' || problem, ', ' ORDER BY line) FROM llava_verify_export($id)"), '1 no picture, 1 no picture, 4 no picture, 10 no picture', 'released pictures: shards cannot be written again');
my $gone = folder('gone');
my ($row, $said) = export($gone, 'shard_rows => 3');
is($row, '3|3|7|4', 'their samples are left out');
like($said, qr/WARNING:  4 samples were left out of the shards/, 'which is said');
is(sql('SELECT count(*), count(DISTINCT image), max(line) FROM llava_manifest_line WHERE manifest = ' . $last->()), '7|7|7', 'and not recorded');
is((export($gone, 'shard_rows => 3'))[0], '3|0|7|4', 'the same again');
is(sql('SELECT count(*), max(line) FROM llava_manifest_line WHERE manifest = ' . $last->()), '7|7', 'is recorded as it is');

# several kinds of pictures
sql('UPDATE llava_conversation SET keep = false WHERE image IN (1, 4, 10)');
my $jpeg = unpack 'H*', slurp_file('test/samples/notice.jpg');
sql("INSERT INTO llava_image (id, path, image) VALUES (12, 'n.jpg', decode('$jpeg', 'hex')); INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version) SELECT 12, task, conversation, 1, 12, 1 FROM llava_conversation WHERE image = 2");
like((export(my $kinds = folder('kinds')))[1], qr/NOTICE:  the pictures in the shards are of several formats\nDETAIL:.*\nHINT:  With prepared => true/, 'JPEG beside PNG is told');
like((read_shards('--one-kind', glob "$kinds/*.tar"))[1], qr/12-描述图片 is jpg/, 'which one reader does not take') if 0;
unlike((export(folder('kind'), 'prepared => true'))[1], qr/NOTICE/, 'prepared they are of one');

# nothing
($row, $said) = export(my $nothing = folder('nothing'), "tasks => '{conversation}'");
is($row, '0|0|0|0', 'nothing to export is no error');
is(files($nothing), '', 'and leaves nothing');
is((export($nothing))[0] =~ s/\|.*//r, '1', 'so that something can follow');

# rights
sql('CREATE ROLE reader LOGIN; GRANT SELECT ON llava_image, llava_conversation, llava_task TO reader');
my $free = folder('free');
my $as = 'SET ROLE reader; ';
like((export($free, '', $as))[1], qr/permission denied for function llava_export_shards/, 'not for everyone');
sql('GRANT EXECUTE ON FUNCTION llava_exported, llava_export_shards, llava_write_shards, llava_image_bytes TO reader');
like((export($free, '', $as))[1], qr/permission denied for table llava_manifest/, 'not without a record');
sql('GRANT SELECT, INSERT (file, settings, rows, bytes, sha256) ON llava_manifest TO reader; GRANT INSERT ON llava_manifest_line, llava_manifest_shard TO reader');
like((export($free, '', $as))[1], qr/permission denied to write files of the server\nHINT:  GRANT pg_write_server_files TO reader;/, 'not without that role');
is(files($free), '', 'and nothing was written');
sql('GRANT pg_write_server_files TO reader');
like((export($free, '', $as))[0], qr/^1\|1\|\d+\|0$/, 'and with it');
like((export(folder('hostile'), '', 'CREATE SCHEMA evil; CREATE FUNCTION evil.llava_exported(text, text[], text[], boolean, text, double precision, text, text, text, bigint, boolean, integer, jsonb) RETURNS integer LANGUAGE sql AS \'SELECT 1/0\'; SET search_path = evil, pg_catalog, public; '))[0],
	qr/^1\|1\|\d+\|0$/, 'a hostile search_path changes nothing');

$node->stop('fast');
done_testing();
