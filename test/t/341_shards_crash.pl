# llava_export_shards that is broken off in shard 5 of 7, by a full disk, a SIGKILL or a
# cancel: no shard has its name, another call goes on behind the whole ones, and the files
# are those of a call that nothing has broken off, also where samples have changed since.
use strict;
use warnings;
use utf8;
use lib 'test/perl';
use Digest::SHA qw(sha256_hex);
use Encode qw(decode_utf8 encode_utf8);
use LlavaZh::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = PostgreSQL::Test::Utils::tempdir;
my $full = "$top/disk-is-full";
my $shim = "$top/disk_full.so";
command_ok([ 'gcc', '-shared', '-fPIC', '-O1', '-o', $shim, 'test/disk_full.c', '-ldl' ], 'the full disk is built');
my $node;
{
	local $ENV{LD_PRELOAD} = $shim;
	local $ENV{DISK_FULL} = $full;
	# in the middle of a file that is larger than the notes, when there are four
	local $ENV{DISK_FULL_FROM} = 100_000;
	local $ENV{DISK_FULL_AFTER} = '.llava_zh.train-00003.tar';
	$node = LlavaZh::Cluster->new('crash');
}
sub sql { return decode_utf8($node->safe_psql('postgres', encode_utf8($_[0]))); }

# fourteen pictures of 100 KB, two in a shard
srand 1;
for my $i (1 .. 14)
{
	my $png = unpack 'H*', LlavaZh::Cluster::grey_png(map { pack 'C*', map { int rand 256 } 1 .. 320 } 1 .. 320);
	sql("INSERT INTO llava_image (path, image) VALUES ('$i.png', decode('$png', 'hex'))");
}
sql(q{INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
SELECT id, '描述图片', '[{"from": "human", "value": "问"}, {"from": "gpt", "value": "答"}]', 1, id, 1 FROM llava_image});

# export(directory, before): the row or '', and what was said
sub export
{
	my ($directory, $before) = @_;
	my ($ret, $out, $err) = $node->psql('postgres',
		($before // '') . "SELECT shards, written, rows, missing FROM llava_export_shards('$directory', shard_rows => 2)");
	return ($out, $err);
}

sub folder
{
	my ($name) = @_;
	mkdir "$top/$name" or die $!;
	return "$top/$name";
}

sub files
{
	my ($directory) = @_;
	opendir my $listing, $directory or die $!;
	return join ' ', sort grep { !/^\.\.?$/ } readdir $listing;
}

sub digests { return join "\n", map { sha256_hex(slurp_file($_)) } sort glob "$_[0]/train-*.tar"; }

# what is left of a call that ended in the fifth shard, and that the next goes on with it
my $four = join ' ', map { ".llava_zh.train-0000$_.tar" } 0 .. 3;
my $seven = join ' ', '.llava_zh.train.shards', map { "train-0000$_-of-00007.tar" } 0 .. 6;

sub goes_on
{
	my ($directory, $what, $written, $before) = @_;
	my $start = sql('SELECT count(*) FROM llava_manifest');
	is((export($directory, $before))[0], "7|$written|14|0", "$what: another call writes $written");
	is(files($directory), $seven, 'then all have their names');
	is(sql('SELECT count(*) FROM llava_manifest'), $start + 1, 'there is one record');
	is(sql('SELECT string_agg(encode(sha256, \'hex\'), E\'\n\' ORDER BY file) FROM llava_manifest_shard WHERE manifest = (SELECT max(id) FROM llava_manifest)'),
		digests($directory), 'of these files');
	is(sql('SELECT count(*), count(DISTINCT image) FROM llava_manifest_line WHERE manifest = (SELECT max(id) FROM llava_manifest)'), '14|14', 'and all lines');
	return;
}

sub break_off
{
	my ($directory, $how) = @_;
	PostgreSQL::Test::Utils::append_to_file($full, $how);
	my $end_of_log = -s $node->logfile;
	my ($out, $err) = export($directory);
	unlink $full or die;
	ok($node->wait_for_log(qr/ready to accept connections/, $end_of_log), 'the server comes back') if $how;
	return $err;
}

my $whole = folder('whole');
is((export($whole))[0], '7|7|14|0', 'seven shards');
my $expected = digests($whole);
is(sql('SELECT count(*) FROM llava_manifest'), '1', 'and a record');

my $disk = folder('disk');
like(break_off($disk, ''), qr/ERROR:  could not write "\S+\/\.llava_zh\.train-00004\.tar": No space left on device\nHINT:.*continues/, 'a full disk in shard 5');
is(files($disk), "$four .llava_zh.train.shards", 'leaves four shards without their names');
is(sql('SELECT count(*) FROM llava_manifest'), '1', 'and no record');
goes_on($disk, 'a full disk', 3);
is(digests($disk), $expected, 'the files are those of a call that nothing has broken off');

my $kill = folder('kill');
break_off($kill, 'kill');
is(files($kill), ".llava_zh.part $four .llava_zh.train.shards", 'a SIGKILL in shard 5 leaves its part, too');
goes_on($kill, 'a SIGKILL', 3);
is(digests($kill), $expected, 'the files are the same');

# killed between renames: some have their names
my $names = folder('names');
export($names);
rename "$names/train-0000$_-of-00007.tar", "$names/.llava_zh.train-0000$_.tar" or die $! for 3 .. 6;
goes_on($names, 'a SIGKILL while shards get their names', 0);
is(digests($names), $expected, 'the files are the same');

# killed behind the last shard, before that it is the last was noted; then there are more samples
my $grown = folder('grown');
sql('UPDATE llava_conversation SET keep = false WHERE image = 14');
is((export($grown))[0], '7|7|13|0', 'a last shard that is not full');
rename "$grown/train-0000$_-of-00007.tar", "$grown/.llava_zh.train-0000$_.tar" or die $! for 0 .. 6;
my $noted = slurp_file("$grown/.llava_zh.train.shards");
is($noted =~ s/^end\n//m, 1, 'whose export has no end yet');
unlink "$grown/.llava_zh.train.shards";
PostgreSQL::Test::Utils::append_to_file("$grown/.llava_zh.train.shards", $noted);
sql('UPDATE llava_conversation SET keep = NULL WHERE image = 14');
goes_on($grown, 'a sample that has room in it', 1);
is(digests($grown), $expected, 'the files are the same');

# what was noted is no longer so
my $damaged = folder('damaged');
break_off($damaged, '');
PostgreSQL::Test::Utils::append_to_file("$damaged/.llava_zh.train-00002.tar", 'x');
goes_on($damaged, 'a shard that has changed', 5);
is(digests($damaged), $expected, 'the files are the same');
my $flipped = folder('flipped');
break_off($flipped, '');
open my $shard, '+<:raw', "$flipped/.llava_zh.train-00002.tar" or die $!;
seek $shard, 5000, 0;
read $shard, my $byte, 1;
seek $shard, 5000, 0;
print $shard $byte ^ "\1";
close $shard or die $!;
goes_on($flipped, 'a shard of the same size that has changed', 5);
is(digests($flipped), $expected, 'the files are the same');
my $lost = folder('lost');
break_off($lost, '');
unlink "$lost/.llava_zh.train-00000.tar" or die $!;
goes_on($lost, 'one that is gone', 7);
is(digests($lost), $expected, 'the files are the same');
my $notes = folder('notes');
break_off($notes, '');
PostgreSQL::Test::Utils::append_to_file("$notes/.llava_zh.train.shards", "1 2\n");
like((export($notes))[1], qr/holds damaged notes of an earlier export\nHINT:.*remove/, 'damaged notes are told');
my $others = folder('others');
break_off($others, '');
like(($node->psql('postgres', "SELECT llava_export_shards('$others', shard_rows => 3)"))[2], qr/holds train shards of an export with other arguments/, 'other arguments do not go on with it');
is(files($others), "$four .llava_zh.train.shards", 'which leaves it as it was');

# samples change in between
my $changed = folder('changed');
break_off($changed, '');
sql(q{UPDATE llava_conversation SET conversation = jsonb_set(conversation, '{1,value}', '"另一"') WHERE image = 5});
goes_on($changed, 'a sample of shard 2 that has changed', 5);
my $fresh = folder('fresh');
export($fresh);
is(digests($changed), digests($fresh), 'the files are those of now');
isnt(digests($fresh), $expected, 'which are others');
my $fewer = folder('fewer');
break_off($fewer, '');
# a SIGKILL behind a shard, before it was noted
PostgreSQL::Test::Utils::append_to_file("$fewer/.llava_zh.train-00004.tar", 'x');
sql('UPDATE llava_conversation SET keep = false WHERE image > 3');
is((export($fewer))[0], '2|1|3|0', 'fewer samples: a shard stays, one is written');
is(files($fewer), '.llava_zh.train.shards train-00000-of-00002.tar train-00001-of-00002.tar', 'and those that there are no more are gone, noted or not');
sql('UPDATE llava_conversation SET keep = NULL');

# a call that waits, in the third shard, for a lock that its policy takes
sql(<<'SQL');
CREATE ROLE slow LOGIN;
GRANT pg_write_server_files, pg_signal_backend TO slow;
GRANT SELECT ON llava_image, llava_conversation, llava_task TO slow;
GRANT SELECT, INSERT ON llava_manifest TO slow;
GRANT INSERT ON llava_manifest_line, llava_manifest_shard TO slow;
GRANT EXECUTE ON FUNCTION llava_exported, llava_export_shards, llava_write_shards, llava_image_bytes TO slow;
CREATE FUNCTION seen(id bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	context text;
BEGIN
	IF id = 5 THEN
		GET DIAGNOSTICS context = PG_CONTEXT;
		IF context LIKE '%CASE WHEN in_file%' THEN
			PERFORM pg_advisory_xact_lock(7);
		END IF;
	END IF;
	RETURN true;
END $$;
ALTER TABLE llava_image ENABLE ROW LEVEL SECURITY;
CREATE POLICY slow ON llava_image USING (seen(id));
SQL
my $holder = $node->background_psql('postgres', on_error_stop => 1);
$holder->query('SELECT pg_advisory_lock(7)');
my $stopped = folder('stopped');
my ($out, $err) = ('', '');
my $run = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-c', 'SET ROLE slow', '-c',
		"SELECT shards FROM llava_export_shards('$stopped', shard_rows => 2)" ], '<', \undef, '>', \$out, '2>', \$err);
my $pid = $node->wait_query("SELECT pid FROM pg_stat_activity WHERE wait_event = 'advisory'", '\d+') // die 'it does not wait';
is(sql('SELECT what, done, total IS NULL FROM llava_work'), 'llava_export_shards|4|t', 'llava_work shows how far it is');
is(files($stopped), '.llava_zh.part .llava_zh.train-00000.tar .llava_zh.train.shards', 'a shard is there, and the next until its last picture is');
like((export($stopped))[1], qr/is being written by another export/, 'nobody else writes there');
sql("SELECT pg_cancel_backend($pid)");
$run->finish;
like($err, qr/ERROR:  canceling statement due to user request/, 'it is cancelled');
is(files($stopped), '.llava_zh.train-00000.tar .llava_zh.train.shards', 'and leaves no part');
is(sql('SELECT count(*) FROM llava_work'), '0', 'nor a row in llava_work');
$holder->query('SELECT pg_advisory_unlock(7)');
$holder->quit;
goes_on($stopped, 'a cancelled call', 6, 'SET ROLE slow; ');
is(digests($stopped), digests($fresh), 'the files are the same');

$node->stop('fast');
done_testing();
