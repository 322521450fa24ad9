# llava_load made again: a file is known by its size and time, else by its bytes.  Other
# bytes under a known path are told, never left out in silence, and take the path where
# that is wanted.
use strict;
use warnings;
use lib 'test/perl';
use File::Path qw(make_path);
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir;
my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('known', preload => 0, conf => "llava_zh.image_directory = '$dir'\nllava_zh.image_max_size = '4096kB'\n");
$node->create_server('sim', $endpoint->url);

sub sql { return $node->safe_psql('postgres', $_[0]); }
sub fails { my ($rc, $out, $err) = $node->psql('postgres', $_[0], extra_params => [ '-v', 'VERBOSITY=verbose' ]); return $err; }

# A file that was changed so many seconds ago.
sub spew
{
	my ($name, $bytes, $ago) = @_;
	open my $file, '>:raw', "$dir/$name" or die "$name: $!";
	print $file $bytes;
	close $file or die $!;
	age($name, $ago // 3600);
	return;
}
my $start = time;
sub age { utime($start - $_[1], $start - $_[1], "$dir/$_[0]") or die $!; return; }
sub picture { spew($_[0], LlavaZh::Cluster::png($_[1]), $_[2]); return; }

# Three pictures 1.png to 3.png.
sub folder
{
	my ($name, $first) = @_;
	make_path("$dir/$name");
	picture("$name/$_.png", $first + $_) for 1 .. 3;
	return;
}

sub load
{
	my ($folder, $arguments, $before) = @_;
	my ($code, $out, $err) = $node->psql('postgres', ($before // '') . "CALL llava_load('$dir/$folder'" . ($arguments ? ", $arguments" : '') . ')');
	$err =~ s/^psql:\S+ //mg;
	return $err;
}
sub report { my ($said) = $_[0] =~ /NOTICE:  llava_load: (.*)/; return $said; }
sub paths { return sql("SELECT string_agg(coalesce(path, '-'), ' ' ORDER BY id) FROM llava_image"); }
sub file_times { return sql("SELECT string_agg(coalesce(round(extract(epoch FROM now() - file_time) / 3600)::text, '-'), ' ' ORDER BY id) FROM llava_image"); }
sub empty { return sql('TRUNCATE llava_image, llava_pending, llava_seen, llava_hash, llava_conversation, llava_reply RESTART IDENTITY CASCADE'); }

# two folders of other pictures under the same names
folder('a', 0);
folder('b', 10);
is(report(load('a')), '3 files, 3 queued, 0 stopped before any request, 0 known', 'a folder');
is(file_times(), '1 1 1', 'the times of its files are stored');
my $said = load('b');
is(report($said), '3 files, 0 queued, 0 stopped before any request, 0 known, 3 left out', 'another one with the same names is left out');
like($said, qr/WARNING:  3 files were left out: their paths are known and have other pictures\nDETAIL:  The first is "1\.png"; image 1 has the path "1\.png"\.\nHINT:  .*prefix => 'b\/'.*replace => true/, 'and that is told, with an example and the cure');
like($said, qr/NOTICE.*\nWARNING/s, 'at the end');
is(paths(), '1.png 2.png 3.png', 'nothing was changed');
is(report(load('b', "prefix => 'b/'")), '3 files, 3 queued, 0 stopped before any request, 0 known', 'with a prefix it is loaded');
is(paths(), '1.png 2.png 3.png b/1.png b/2.png b/3.png', 'under paths of its own');
is(report(load('b', "prefix => 'b/'")), '3 files, 0 queued, 0 stopped before any request, 3 known', 'and known');
like(fails("CALL llava_load('$dir/b', prefix => '/b')"), qr/22023: prefix "\/b" is absolute\nHINT/, 'a prefix that is absolute is refused');
like(fails("CALL llava_load('$dir/b', prefix => 'b/../../')"), qr/22023: prefix "b\/\.\.\/\.\.\/" leads upwards\nHINT/, 'or leads out');
like(fails("CALL llava_load('$dir/b', store => false, prefix => 'b/')"), qr/22023: prefix "b\/" was given with store => false\nDETAIL/, 'or of pictures that stay in their files');
empty();

# what is read again, and what is not
load('a');
chmod 0, map { "$dir/a/$_.png" } 1 .. 3;
$said = load('a');
is(report($said), '3 files, 0 queued, 0 stopped before any request, 3 known', 'files of the stored size and time are not even opened');
age('a/2.png', 7200);
$said = load('a');
is(report($said), '3 files, 0 queued, 0 stopped before any request, 2 known, 1 unreadable', 'one of another time is');
like($said, qr/WARNING:  could not read "\Q$dir\E\/a\/2\.png": Permission denied/, 'and tells if it cannot be');
chmod 0644, "$dir/a/2.png";
is(report(load('a')), '3 files, 0 queued, 0 stopped before any request, 3 known', 'the same bytes of another time are known');
is(file_times(), '1 2 1', 'the new time is stored');
chmod 0, "$dir/a/2.png";
is(report(load('a')), '3 files, 0 queued, 0 stopped before any request, 3 known', 'and then it is not opened any more');
chmod 0644, map { "$dir/a/$_.png" } 1 .. 3;
spew('a/3.png', LlavaZh::Cluster::png(3) ^ ("\0" x 60 . 'x'));
is(report(load('a')), '3 files, 0 queued, 0 stopped before any request, 3 known', 'other bytes of the same size and time are not found');

# rows of 1.0.0, and what INSERT gives
sql('UPDATE llava_image SET file_time = NULL');
is(report(load('a', 'batch => 1')), '3 files, 0 queued, 0 stopped before any request, 2 known, 1 left out', 'rows without a time are compared by their bytes');
is(file_times(), '1 2 -', 'and have it then');
like(fails("UPDATE llava_image SET file_time = now()"), qr/55000: column "file_time" of "llava_image" is set by llava_load only\nHINT/, 'nobody else sets it');
sql("INSERT INTO llava_image (path, image, file_time) VALUES ('given.png', '\\x89', '2020-01-01')");
is(sql("SELECT file_time IS NULL FROM llava_image WHERE path = 'given.png'"), 't', 'nor in an INSERT');
sql("CREATE TABLE log (path text); CREATE FUNCTION also() RETURNS trigger LANGUAGE plpgsql AS
	\$\$ BEGIN INSERT INTO llava_image (path, image) VALUES ('also ' || NEW.path, '\\x8950'); RETURN NEW; END \$\$;
	CREATE TRIGGER also BEFORE INSERT ON llava_image FOR EACH ROW WHEN (NEW.path !~ '^also') EXECUTE FUNCTION also()");
empty();
load('a');
is(sql("SELECT count(*) FILTER (WHERE path ~ '^also'), count(file_time) FILTER (WHERE path ~ '^also'), count(file_time) FROM llava_image"), '3|0|3', 'and what a trigger inserts meanwhile has none');
sql('DROP TRIGGER also ON llava_image');
empty();

# a file that may be changed again and bear the same time: until one call is fast enough
for (1 .. 20)
{
	empty();
	picture('a/1.png', 1, $start - time - 1);
	load('a');
	last if file_times() =~ /^-/;
}
is(file_times(), '- 2 1', 'the time of a file that is written just now is not taken');
picture('a/1.png', 31, $start - time - 1);
is(report(load('a')), '3 files, 0 queued, 0 stopped before any request, 2 known, 1 left out', 'so that a change in the same second is found');
empty();

# replaced
folder('a', 0);
load('a');
sql('CALL llava_drain()');
is(sql('SELECT count(*) FROM llava_conversation'), '3', 'samples');
picture('a/2.png', 42, 60);
spew('a/3.png', LlavaZh::Cluster::png(3) . 'more', 60);
is(report(load('a')), '3 files, 0 queued, 0 stopped before any request, 1 known, 2 left out', 'two files are changed');
is(report(load('a', 'replace => true, batch => 1')), '3 files, 2 queued, 0 stopped before any request, 1 known, 2 replaced', 'they are taken in the place of the old ones');
is(paths(), '1.png - - 2.png 3.png', 'which have no path any more');
is(report(load('a')), '3 files, 0 queued, 0 stopped before any request, 3 known', 'and are known');
is(report(load('a', 'replace => true')), '3 files, 0 queued, 0 stopped before any request, 3 known', 'so that a second call replaces nothing');
sql('CALL llava_drain()');
is(sql('SELECT string_agg(image::text, \' \' ORDER BY image) FROM llava_conversation'), '1 2 3 4 5', 'the old samples stay');
is(scalar(my @asked = $endpoint->requests), 5, 'a request each');
picture('a/2.png', 2, 30);
is(report(load('a', 'replace => true')), '3 files, 0 queued, 1 stopped before any request, 2 known, 1 replaced', 'what it was before comes back');
is(sql("SELECT same_as FROM llava_image WHERE path = '2.png'"), '2', 'as the same picture');

# the row that is to have the path is not stored: the old one keeps it
picture('a/1.png', 51, 30);
sql("CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
	CREATE TRIGGER stop BEFORE INSERT ON llava_image FOR EACH ROW EXECUTE FUNCTION stop()");
like(report(load('a', 'replace => true')), qr/^3 files, 0 queued, 0 stopped before any request, 2 known, 1 refused$/, 'a row that a trigger suppresses is told');
sql("CREATE OR REPLACE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''not this one''; END'");
like(report(load('a', 'replace => true')), qr/, 1 refused$/, 'and so is one that it refuses');
sql('DROP TRIGGER stop ON llava_image');
is(sql("SELECT id FROM llava_image WHERE path = '1.png'"), '1', 'both leave the path where it was');
empty();

# rows that say little of their bytes: taken down, too large, without a file
make_path("$dir/c");
picture('c/down.png', 61);
spew('c/large.png', 'x' x (5 * 1024 * 1024));
load('c');
sql("SELECT llava_forget(id, 'asked') FROM llava_image WHERE path = 'down.png'");
is(report(load('c')), '2 files, 0 queued, 1 stopped before any request, 1 known', 'a picture that was taken down is refused');
is(sql("SELECT rejected, file_time IS NULL FROM llava_image WHERE path = 'down.png'"), 'forgotten|t', 'and nothing of it is kept');
is(report(load('c')), '2 files, 0 queued, 0 stopped before any request, 2 known', 'and known from then on');
sql('UPDATE llava_image SET file_time = NULL');
is(report(load('c')), '2 files, 0 queued, 0 stopped before any request, 2 known', 'a file that was too large is known by its size');
sql("SET session_replication_role = replica; UPDATE llava_image SET sha256 = NULL, file_time = NULL WHERE path = 'down.png'");
is(report(load('c')), '2 files, 0 queued, 0 stopped before any request, 2 known', 'and one whose row says nothing of it by its tombstone');
picture('c/down.png', 62);
spew('c/large.png', 'x' x (5 * 1024 * 1024 + 1));
is(report(load('c')), '2 files, 0 queued, 0 stopped before any request, 0 known, 2 left out', 'other ones in their places are told');
empty();
sql("INSERT INTO llava_image (path) VALUES ('c/late.png')");
is(sql("SELECT rejected FROM llava_image"), 'no_file', 'a row without its file');
picture('c/late.png', 63);
like(load('c', 'store => false'), qr/HINT:  Where files were changed, replace => true/, 'the file that comes is another picture than none');
is(report(load('c', 'store => false, replace => true')), '3 files, 1 queued, 0 stopped before any request, 2 known, 1 replaced', 'and is taken');

# a picture in its file that another one replaces is gone
empty();
unlink("$dir/c/down.png", "$dir/c/large.png");
spew('c/late.png', LlavaZh::Cluster::png(64) . ('x' x (3 * 1024 * 1024)));
load('c', 'store => false');
is(sql('SELECT in_file, image IS NULL, file_time IS NOT NULL FROM llava_image'), 't|t|t', 'a file');
picture('c/late.png', 65, 60);
is(report(load('c', 'store => false, replace => true')), '1 files, 1 queued, 0 stopped before any request, 0 known, 1 replaced', 'and another one in its place');
is(sql('SELECT llava_image_bytes(1) IS NULL, llava_image_bytes(2) IS NULL'), 't|f', 'the first is gone');
sql('CALL llava_drain()');
is(sql('SELECT image, status, reason FROM llava_status ORDER BY image'), "1|failed|no_bytes\n2|done|", 'and its row says so, where it had waited');
like(fails("SELECT llava_enqueue(1, 'detail_en')"), qr/its bytes were erased/, 'it cannot be queued again');
empty();

# rights: a loader of 1.0.0's grants goes on, and replaces where it may
sql(<<'SQL');
CREATE ROLE loader IN ROLE pg_read_server_files;
GRANT INSERT (path, image, task, licence) ON llava_image TO loader;
GRANT SELECT (path, rejected, rejected_detail, same_as) ON llava_image TO loader;
GRANT EXECUTE ON PROCEDURE llava_load TO loader;
SQL
folder('a', 0);
is(report(load('a', undef, 'SET ROLE loader; ')), '3 files, 3 queued, 0 stopped before any request, 0 known', 'a loader loads');
is(file_times(), '1 1 1', 'with times');
age('a/1.png', 7200);
is(report(load('a', undef, 'SET ROLE loader; ')), '3 files, 0 queued, 0 stopped before any request, 3 known', 'and knows what it has loaded');
is(file_times(), '2 1 1', 'whose times it may not write itself');
picture('a/1.png', 71);
like(load('a', 'replace => true', 'SET ROLE loader; '), qr/ERROR:  permission denied to replace pictures\nHINT:  GRANT UPDATE \(path\) ON llava_image TO loader;/, 'it does not replace');
sql('GRANT UPDATE (path) ON llava_image TO loader');
is(report(load('a', 'replace => true', 'SET ROLE loader; ')), '3 files, 1 queued, 0 stopped before any request, 2 known, 1 replaced', 'unless it may');
like(fails("SET ROLE loader; UPDATE llava_image SET file_time = now()"), qr/42501/, 'but not set a time');

# two rows of one path: one of them is enough
sql("INSERT INTO llava_image (path, image) SELECT '1.png', '\\x8950'");
is(report(load('a')), '3 files, 0 queued, 0 stopped before any request, 3 known', 'a path of two pictures is known by either');
picture('a/1.png', 72);
load('a', 'replace => true');
is(sql("SELECT count(*) FROM llava_image WHERE path = '1.png'"), '1', 'and taken from both');

# through a dump
my $before = sql('SELECT string_agg(concat_ws(\' \', id, path, file_time), \', \' ORDER BY id) FROM llava_image');
mkdir $node->backup_dir;
my $dump = $node->backup_dir . '/dump.sql';
command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
sql('CREATE DATABASE restored');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored') ], 'restore');
is($node->safe_psql('restored', 'SELECT string_agg(concat_ws(\' \', id, path, file_time), \', \' ORDER BY id) FROM llava_image'), $before, 'times are restored');
chmod 0, map { "$dir/a/$_.png" } 1 .. 3;
my ($code, $out, $err) = $node->psql('restored', "CALL llava_load('$dir/a')");
like($err, qr/3 files, 0 queued, 0 stopped before any request, 3 known$/m, 'and files known by them');
chmod 0644, map { "$dir/a/$_.png" } 1 .. 3;

# a directory that cannot be read
make_path("$dir/closed/below");
picture('closed/closed.png', 81);
for my $mode (0, 0444, 0333)
{
	chmod $mode, "$dir/closed";
	my $name = sprintf '%04o', $mode;
	like(fails("CALL llava_load('$dir/closed')"), qr/ERROR:  42501: could not read directory "\Q$dir\E\/closed": Permission denied/, "a directory of mode $name is an error");
}
chmod 0755, "$dir/closed";
like(fails("CALL llava_load('$dir/missing')"), qr/ERROR:  58P01: could not read directory "\Q$dir\E\/missing": No such file/, 'as one that is missing is');
chmod 0, "$dir/closed/below";
like(load('closed'), qr/WARNING:  could not read "\Q$dir\E\/closed\/below": Permission denied(?:.*\n)*NOTICE:  llava_load: 1 files, 1 queued/, 'one below it is a warning');
chmod 0755, "$dir/closed/below";

# 1.0.0 with this library, and after the update
folder('a', 0);
sql('CREATE DATABASE older');
sub older { return $node->safe_psql('older', $_[0]); }
sub load_older { my ($rc, $o, $e) = $node->psql('older', "CALL llava_load('$dir/a'" . ($_[0] // '') . ')'); return $e; }
older("CREATE EXTENSION llava_zh VERSION '1.0.0'; CREATE ROLE trusted; GRANT EXECUTE ON PROCEDURE llava_load TO trusted WITH GRANT OPTION");
like(load_older(), qr/3 files, 3 queued/, 'before the update llava_load works');
picture('a/3.png', 93);
like(load_older(), qr/3 files, 0 queued, 0 stopped before any request, 3 known$/m, 'as it did');
($code, $out, $err) = $node->psql('older', 'ALTER EXTENSION llava_zh UPDATE');
is($code, 0, 'the update');
is(older("SELECT has_function_privilege('trusted', oid, 'EXECUTE WITH GRANT OPTION') FROM pg_proc WHERE proname ~ '^llava_load'"), 't', 'gives the new procedure to who had the old one');
is(older('SELECT count(file_time) FROM llava_image'), '0', 'rows have no times');
like(load_older(), qr/3 files, 0 queued, 0 stopped before any request, 2 known, 1 left out\n.*\bWARNING/s, 'the next call compares the files');
is(older('SELECT count(file_time) FROM llava_image'), '2', 'and stores their times');

$node->stop('fast');
$endpoint->stop;
done_testing();
