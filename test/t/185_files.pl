# Pictures that stay in files: read below one directory and nowhere else, only if they
# are what they were, without their bytes ever being in the database.
use strict;
use warnings;
use lib 'test/perl';
use File::Path qw(make_path);
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = PostgreSQL::Test::Utils::tempdir . '/pictures';
make_path("$top/a/b", "$top/links");

sub write_file
{
	my ($path, $bytes) = @_;
	open(my $file, '>:raw', $path) or die "$path: $!";
	print $file $bytes;
	close($file) or die;
	return;
}

write_file("$top/a/pic$_.png", LlavaZh::Cluster::png($_)) for 1 .. 30;
write_file("$top/a/b/pic$_.png", LlavaZh::Cluster::png($_)) for 31 .. 40;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('files');
$node->create_server('sim', $endpoint->url, "max_in_flight '8'");
sub sql { return $node->safe_psql('postgres', $_[0]); }
sub fails { my ($rc, $out, $err) = $node->psql('postgres', $_[0]); return $err; }

# without the setting
like(fails("INSERT INTO llava_image (path) VALUES ('a/pic1.png')"),
	qr/needs the bytes of its picture.*HINT:.*llava_zh\.image_directory/s, 'without the setting a row needs its bytes');
like(fails("CALL llava_load('$top', store => false)"),
	qr/image_directory, which is not set.*HINT:.*ALTER SYSTEM SET llava_zh\.image_directory = '\Q$top\E'/s, 'and so does llava_load');
like(fails("SET llava_zh.image_directory = 'pictures'"), qr/not an absolute path/, 'the setting is an absolute path');
sql('CREATE ROLE someone');
like(fails("SET ROLE someone; SET llava_zh.image_directory = '/'"), qr/permission denied/, 'and a superuser\'s');
sql("ALTER SYSTEM SET llava_zh.image_directory = '$top'");
$node->reload;
ok($node->wait_query('SHOW llava_zh.image_directory', "\Q$top\E"), 'it takes effect');

# a directory, drained to samples
like(fails("CALL llava_load('/usr/share', store => false)"), qr/not below llava_zh.image_directory/, 'another directory cannot stay where it is');
my ($rc, $out, $err) = $node->psql('postgres', "CALL llava_load('$top/a', store => false)");
like($err, qr/40 files, 40 queued/, '40 files are queued');
ok($node->wait_drained, 'and asked about');
is(sql('SELECT count(*), count(DISTINCT image) FROM llava_conversation'), '40|40', 'a sample each');
is(sql("SELECT count(*), count(image), bool_and(in_file), count(sha256), count(width), min(path), max(path) FROM llava_image"),
	'40|0|t|40|40|a/b/pic31.png|a/pic9.png', 'the rows have facts and no bytes; paths are below the setting\'s directory');
($rc, $out, $err) = $node->psql('postgres', "CALL llava_load('$top', store => false)");
like($err, qr/40 files, 0 queued, 0 stopped before any request, 40 known/, 'loaded again from above, all are known');
my %images = map { $_->{image} => 1 } $endpoint->requests;
is(scalar(keys %images), 40, 'the endpoint saw each picture');

# the same bytes, in a file and in a row
sql(LlavaZh::Cluster::pictures_sql(1, 1));
is(sql("SELECT o.path FROM llava_image i JOIN llava_image o ON o.id = i.same_as WHERE i.path = 'pic1.png'"), 'a/pic1.png', 'the same bytes are known wherever they are');
is(sql("SELECT llava_enqueue(id, 'detail', true) FROM llava_image WHERE path = 'a/pic2.png'"), 't', 'a further task is queued');
ok($node->wait_drained, 'and asked');

# what is not below the directory, or not there
symlink('/etc/passwd', "$top/links/out.png") or die;
symlink("$top/a/pic1.png", "$top/links/in.png") or die;
symlink("$top/a", "$top/links/dir") or die;
make_path("$top/a/folder.png");
write_file("$top/secret.png", 'not a picture');
my %refused = (
	'links/out.png' => 'no_file|the path has a symbolic link, which is not followed',
	'links/in.png' => 'no_file|the path has a symbolic link, which is not followed',
	'links/dir/pic1.png' => 'no_file|the path has a symbolic link, which is not followed',
	'a/missing.png' => 'no_file|the file could not be opened: No such file or directory',
	'a/pic1.png/x' => 'no_file|the file could not be opened: Not a directory',
	'a/folder.png' => 'no_file|the path is not a file\'s',
	'a/' => 'no_file|the file could not be opened: No such file or directory');
for my $path (sort keys %refused)
{
	sql("INSERT INTO llava_image (path) VALUES ('$path')");
	is(sql("SELECT rejected, rejected_detail FROM llava_image WHERE path = '$path'"), $refused{$path}, "$path is refused");
}
is(sql('SELECT count(*) FROM llava_pending'), '0', 'and not queued');
like(fails("INSERT INTO llava_image (path) VALUES ('../x.png')"), qr/leads upwards/, 'nor a path that leads out');
sql("INSERT INTO llava_image (path) VALUES ('secret.png')");
is(sql("SELECT rejected, in_file, bytes FROM llava_image WHERE path = 'secret.png'"), 'not_an_image|t|13', 'what is no picture says so');

# what changes between intake and preparation
sub queue_paused
{
	sql("SELECT llava_pause('sim')");
	$node->wait_query('SELECT pause_reason FROM llava_stat_server', 'paused') or die 'not paused';
	write_file("$top/a/$_->[0].png", LlavaZh::Cluster::png($_->[1])) for @_;
	sql("INSERT INTO llava_image (path) VALUES " . join(', ', map { "('a/$_->[0].png')" } @_));
	return;
}
my $asked = $endpoint->stats->{requests};
queue_paused([ 'grown', 101 ], [ 'other', 102 ], [ 'gone', 103 ], [ 'linked', 104 ], [ 'good', 105 ]);
write_file("$top/a/grown.png", LlavaZh::Cluster::png(101) . 'more');
my $other = LlavaZh::Cluster::png(102);
substr($other, -1) = chr(ord(substr($other, -1)) ^ 1);
write_file("$top/a/other.png", $other);
unlink("$top/a/gone.png");
unlink("$top/a/linked.png");
symlink("$top/a/good.png", "$top/a/linked.png") or die;
sql("SELECT llava_resume('sim')");
ok($node->wait_drained, 'files that changed');
is(sql("SELECT path, status, reason FROM llava_status WHERE path ~ '^a/(grown|other|gone|linked|good)' ORDER BY path COLLATE \"C\""),
	"a/gone.png|failed|no_file\na/good.png|done|\na/grown.png|failed|file_changed\na/linked.png|failed|no_file\na/other.png|failed|file_changed", 'are noticed, with a reason on the row');
is(sql("SELECT detail FROM llava_status WHERE path = 'a/other.png'"), 'the file has another sha256 than at intake', 'which says what is different');
is($endpoint->stats->{requests}, $asked + 1, 'and not asked about');
write_file("$top/a/gone.png", LlavaZh::Cluster::png(103));
is(sql("SELECT llava_retry(reason => 'no_file')"), '2', 'put back, it can be asked again');
ok($node->wait_query("SELECT status FROM llava_status WHERE path = 'a/gone.png'", 'done'), 'and is');

# the directory goes away and comes back: rows wait
queue_paused([ 'away', 110 ]);
rename($top, "$top.away") or die;
sql("SELECT llava_resume('sim')");
ok($node->wait_query("SELECT status, detail FROM llava_status WHERE path = 'a/away.png'", 'waiting\|the directory of pictures could not be opened: No such file or directory'), 'without the directory rows wait, and say so');
like(fails("INSERT INTO llava_image (path) VALUES ('a/pic1.png')"), qr/directory of pictures could not be opened.*HINT/s, 'and INSERT says so');
ok($node->wait_query("SELECT attempts = 0 FROM llava_pending WHERE failure IS NULL"), 'it is no attempt');
rename("$top.away", $top) or die;
ok($node->wait_query("SELECT status FROM llava_status WHERE path = 'a/away.png'", 'done'), 'it goes on when the directory is back');

# a drain that finds no directory ends and says why
my $drained = LlavaZh::Cluster->new('drained', preload => 0, conf => "llava_zh.image_directory = '$top'\n");
$drained->create_server('sim', $endpoint->url);
$drained->safe_psql('postgres', "INSERT INTO llava_image (path) VALUES ('a/pic1.png'), ('a/pic2.png')");
rename($top, "$top.away") or die;
($rc, $out, $err) = $drained->psql('postgres', 'CALL llava_drain()');
like($err, qr/image_directory, cannot be opened/, 'llava_drain without the directory ends, and says so');
is($drained->safe_psql('postgres', 'SELECT count(*) FROM llava_pending WHERE failure IS NULL'), '2', 'the rows wait');
rename("$top.away", $top) or die;
$drained->safe_psql('postgres', "UPDATE llava_pending SET visible_at = now()");
($rc, $out, $err) = $drained->psql('postgres', 'CALL llava_drain()');
like($err, qr/2 samples, 0 failed/, 'and with it goes on');
$drained->stop('fast');

# they leave as others do
mkdir "$top.out" or die;
is(sql("SELECT written, missing FROM llava_export_images('$top.out') WHERE written = (SELECT count(DISTINCT image) FROM llava_conversation)"), "43|0", 'llava_export_images writes them');
ok(slurp_file("$top.out/a/pic3.png") eq LlavaZh::Cluster::png(3), 'as they are');
like(sql("SELECT llava_page()"), qr/data:image\/jpeg;base64/, 'and llava_page shows them');
is(sql("SELECT llava_image_bytes(id) IS NULL FROM llava_image WHERE path = 'a/other.png'"), 't', 'a file that has changed has no bytes');
is(sql("SELECT llava_image_bytes(0) IS NULL"), 't', 'nor has a row that is not there');

# nothing of the bytes is in a dump
my $dump = $node->backup_dir . '/dump.sql';
mkdir $node->backup_dir unless -d $node->backup_dir;
command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
my $text = slurp_file($dump);
like($text, qr{a/pic7\.png}, 'knows the paths');
unlike($text, qr/89504e470d0a1a0a/, 'and has no picture');

# a takedown refuses the file from then on
is(sql("SELECT llava_forget(id, 'asked') FROM llava_image WHERE path = 'a/pic7.png'"), '1', 'llava_forget');
sql("INSERT INTO llava_image (path) VALUES ('a/pic7.png')");
is(sql("SELECT rejected, in_file FROM llava_image WHERE path = 'a/pic7.png'"), 'forgotten|f', 'the file is refused');

$node->stop('fast');
$endpoint->stop;
done_testing();
