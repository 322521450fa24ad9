# llava_export_images: the files an export's lines name, whole or not at all, and
# never outside of the directory.
use strict;
use warnings;
use lib 'test/perl';
use Fcntl qw(:flock);
use JSON::PP;
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
	$node = LlavaZh::Cluster->new('images', preload => 0);
}

# ten samples; paths with folders, hostile but lawful names, and one image without a path
my @paths = ('a.png', 'b/c.png', 'b/d e.png', "q'\"`\$(x).png", '中文/图.png', './e.png', 'f//g.png', '-rf', 'h.png');
$node->safe_psql('postgres', LlavaZh::Cluster::pictures_sql(1, 10));
for my $i (1 .. 9)
{
	(my $quoted = $paths[ $i - 1 ]) =~ s/'/''/g;
	$node->safe_psql('postgres', "UPDATE llava_image SET path = '$quoted' WHERE id = $i");
}
$node->safe_psql('postgres', <<'SQL');
UPDATE llava_image SET path = NULL WHERE id = 10;
INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
SELECT id, '描述图片', '[{"from": "human", "value": "问"}, {"from": "gpt", "value": "答"}]', 1, id, 1
FROM llava_image;
SQL

# export(directory, arguments): (row or '', what was said)
sub export
{
	my ($directory, $arguments, $before) = @_;
	$arguments = $arguments ? ", $arguments" : '';
	my ($ret, $out, $err) = $node->psql('postgres',
		($before // '') . "SELECT written, present, missing FROM llava_export_images('$directory'$arguments)");
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
	my $found = `cd '$directory' && find . -type f | LC_ALL=C sort`;
	return $found;
}

# every line's image is there and has its bytes
sub complete
{
	my ($directory, $arguments, $what) = @_;
	my @lines = split /\n/, $node->safe_psql('postgres', "SELECT llava_export('llava'$arguments)");
	my $equal = 0;
	for (@lines)
	{
		my $row = decode_json($_);
		my $name = $row->{image};
		utf8::encode($name);
		my $bytes = -f "$directory/$name" ? slurp_file("$directory/$name") : '';
		$equal++ if $bytes eq LlavaZh::Cluster::png($row->{id} =~ /^(\d+)-/);
	}
	is($equal, scalar(@lines), $what);
	return scalar(@lines);
}

my $good = folder('good');
is((export($good))[0], '10|0|0', 'ten files');
is(complete($good, '', 'each line names a file with its bytes'), 10, 'of ten lines');
is((stat "$good/b/c.png")[2] & 07777, 0644, 'readable, as files of COPY TO');
is((export($good))[0], '0|10|0', 'a second call writes nothing');
unlink "$good/b/c.png", "$good/h.png" or die;
is((export($good))[0], '2|8|0', 'and goes on where files are not there');
complete($good, '', 'with all of them again');

my $hash = folder('hash');
is((export($hash, "image_name => 'sha256'"))[0], '10|0|0', 'named by hash');
complete($hash, ", image_name => 'sha256'", 'as the lines name them');
is((export(folder('split'), "split => 'validation', validation => 0.5"))[0] =~ s/\|.*//r,
	$node->safe_psql('postgres', "SELECT count(*) FROM llava_export('llava', split => 'validation', validation => 0.5)"),
	'only those of the chosen samples');
is((export(folder('tasks'), "tasks => '{conversation}'"))[0], '0|0|0', 'nothing to export is no error');

my $prepared = folder('prepared');
is((export($prepared, 'prepared => true'))[0], '10|0|0', 'prepared');
is(unpack('H4', slurp_file("$prepared/a.png")), 'ffd8', 'is the JPEG that the model is sent');
is((export($prepared, 'prepared => true'))[0], '0|10|0', 'and goes on as well');
like((export($prepared))[1], qr/ERROR:  file "\S+" exists and is not of this export\nDETAIL:.*\nHINT:/, 'the two do not mix');

# out of every export, or written whole where the setting takes such files
my $notice = slurp_file('test/samples/notice.jpg');
my $cut = unpack('H*', substr($notice, 0, int(0.98 * length $notice)));
my $take = 'SET llava_zh.image_take_cut = on; ';
$node->safe_psql('postgres', <<"SQL");
$take
INSERT INTO llava_image (id, path, image) VALUES (11, 'early.jpg', decode('$cut', 'hex'));
INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
SELECT 11, task, conversation, 1, 11, 1 FROM llava_conversation WHERE image = 1;
SQL
is($node->safe_psql('postgres', 'SELECT complete, rejected IS NULL FROM llava_image WHERE id = 11'), 'f|t', 'a file that ends early');
my $early = folder('early');
is((export($early))[0], '10|0|0', 'is not exported');
is((export($early, '', $take))[0], '1|10|0', 'with the setting it is');
is((export($early, '', $take))[0], '0|11|0', 'once');
like(unpack('H*', slurp_file("$early/early.jpg")), qr/^ffd8.*ffd9$/, 'as a whole file');
is((export(folder('early prepared'), 'prepared => true', $take))[0], '11|0|0', 'also when all are prepared');
$node->safe_psql('postgres', 'SELECT llava_remove(11)');

# what is refused
like((export('data/export'))[1], qr/is not an absolute path\nHINT/, 'a relative directory');
like((export("$top/nowhere"))[1], qr/could not open directory .*No such file or directory\nHINT/, 'one that is not there');
PostgreSQL::Test::Utils::append_to_file("$top/file", 'x');
like((export("$top/file"))[1], qr/is not a directory/, 'a file');
symlink $good, "$top/link" or die $!;
like((export("$top/link"))[1], qr/is a symbolic link\nHINT/, 'a link');
like((export("$top/link/"))[1], qr/is a symbolic link\nHINT/, 'a link with a slash behind it');
my ($ret, $out, $err) = $node->psql('postgres', 'SELECT llava_export_images(NULL)');
like($err, qr/directory is NULL/, 'NULL');

my $trap = folder('trap');
my $outside = folder('outside');
symlink $outside, "$trap/b" or die $!;
like((export($trap))[1], qr/could not make a folder for "b\/c.png".*\nHINT:  Links/, 'a folder that is a link');
is(files($outside), '', 'is not followed');
my $trap2 = folder('trap2');
symlink "$outside/stolen", "$trap2/a.png" or die $!;
like((export($trap2))[1], qr/"\S+\/a.png" exists and is not a regular file/, 'a file that is a link');
is(files($outside), '', 'is not followed');
my $trap3 = folder('trap3');
symlink "$outside/stolen", "$trap3/.llava_zh.part" or die $!;
is((export($trap3))[0], '10|0|0', 'a link in the place of the unfinished file is replaced');
is(files($outside), '', 'and not followed');
my $theirs = folder('theirs');
PostgreSQL::Test::Utils::append_to_file("$theirs/a.png", 'a file of the user');
like((export($theirs))[1], qr/exists and is not of this export/, 'a file of somebody else');
is(slurp_file("$theirs/a.png"), 'a file of the user', 'is not overwritten');
$node->safe_psql('postgres', "UPDATE llava_image SET path = '../out.png' WHERE id = 1");
my $climb = folder('climb');
($out, $err) = export($climb);
is($out, '9|0|0', 'a name that leads out is not exported');
like($err, qr/WARNING:  1 sample was left out/, 'which is said');
ok(!-e "$top/out.png", 'and nothing was written there');
$node->safe_psql('postgres', "UPDATE llava_image SET path = 'a.png' WHERE id = 1");

# two pictures under one path
$node->safe_psql('postgres', "UPDATE llava_image SET path = 'a.png' WHERE id = 2");
my $twice = folder('twice');
($out, $err) = export($twice);
is($out, '8|0|0', 'one path for two pictures stops none of the others');
like($err, qr/WARNING:  2 samples were left out.*\nDETAIL:.*2 with a name that another image has, too/, 'both are left out, which is said');
is(complete($twice, '', 'each line names a file with its bytes'), 8, 'and no line names them');
is($node->safe_psql('postgres', q{SELECT string_agg(concat_ws(' ', image, rule, detail), ', ' ORDER BY image) FROM llava_validate()}),
	'1 image_name_twice a.png, 2 image_name_twice a.png', 'llava_validate names both');
is((export(folder('twice by hash'), "image_name => 'sha256'"))[0], '10|0|0', 'named by hash they are written');
$node->safe_psql('postgres', "UPDATE llava_image SET path = 'b/c.png' WHERE id = 2");

# bytes that were taken away, and an image that was
$node->safe_psql('postgres', <<'SQL');
UPDATE llava_image SET image = NULL WHERE id = 4;
SET session_replication_role = replica;
DELETE FROM llava_image WHERE id = 8;
SQL
($out, $err) = export(folder('gone'));
is($out, '8|0|1', 'what is gone does not stop the rest');
like($err, qr/WARNING:  1 sample was left out of the export/, 'the deleted image is told');
like($err, qr/WARNING:  1 image of the export was not written\nDETAIL:  The first is image 4: its bytes are gone\./, 'and the one without bytes');

# the disk is full in mid-file: no such file and no part of it, and then it goes on
my $disk = folder('disk');
PostgreSQL::Test::Utils::append_to_file($full, '');
like((export($disk))[1], qr/ERROR:  could not write "\S+": No space left on device\nHINT:.*continues/, 'a full disk');
is(files($disk), '', 'leaves nothing half-written');
unlink $full or die;
is((export($disk))[0], '8|0|1', 'and with room again it goes on');

# the process is killed in mid-file: its part is not called an image, and is taken away
my $kill = folder('kill');
PostgreSQL::Test::Utils::append_to_file($full, 'kill');
my $end_of_log = -s $node->logfile;
export($kill);
unlink $full or die;
like(files($kill), qr{^\./(?:\w\w/)?\.llava_zh\.part\n\z}, 'a killed process leaves what it had, under no image\'s name');
ok($node->wait_for_log(qr/ready to accept connections/, $end_of_log), 'the server comes back');
is((export($kill))[0], '8|0|1', 'and another call goes on');
unlike(files($kill), qr/part/, 'and leaves no part');

# one at a time
open my $lock, '<', $disk or die $!;
flock $lock, LOCK_EX or die $!;
like((export($disk))[1], qr/is being written by another export/, 'two at once');
close $lock;

# rights
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE reader LOGIN;
GRANT SELECT ON llava_image, llava_conversation, llava_task TO reader;
SQL
like((export($disk, '', 'SET ROLE reader; '))[1], qr/permission denied for function llava_export_images/, 'not for everyone');
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION llava_export_list, llava_exported, llava_export_images, llava_image_bytes TO reader');
like((export($disk, '', 'SET ROLE reader; '))[1], qr/permission denied to write files of the server\nHINT:  GRANT pg_write_server_files TO reader;/, 'not without that role');
$node->safe_psql('postgres', 'GRANT pg_write_server_files TO reader');
is((export($disk, '', 'SET ROLE reader; '))[0], '0|8|1', 'and with it');
is((export(folder('hostile'), '', 'CREATE SCHEMA evil; CREATE FUNCTION evil.octet_length(bytea) RETURNS integer LANGUAGE sql AS \'SELECT 1/0\'; SET search_path = evil, pg_catalog, public; '))[0],
	'8|0|1', 'a hostile search_path changes nothing');

$node->stop('fast');
done_testing();
