# llava_load: one file never stops the rest, whatever its name, its kind, its rights or its
# row; what concerns all of them ends the call.
use strict;
use warnings;
use lib 'test/perl';
use Cwd qw(getcwd);
use File::Path qw(make_path);
use IO::Socket::UNIX;
use LlavaZh::Cluster;
use POSIX qw(mkfifo);
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir;
my $node = LlavaZh::Cluster->new('names', preload => 0, conf => "llava_zh.image_max_size = '64kB'\nllava_zh.image_directory = '$dir'\n");
my $number = 0;

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub picture
{
	my ($name) = @_;
	open my $file, '>:raw', $name or die "$name: $!";
	print $file LlavaZh::Cluster::png(++$number);
	close $file or die $!;
	return;
}

# folder(name, pictures): pictures in it; its whole name
sub folder
{
	my ($name, @pictures) = @_;
	make_path("$dir/$name");
	picture("$dir/$name/$_") for @pictures;
	return "$dir/$name";
}

# load(folder, arguments): what was said, the code of the end
sub load
{
	my ($folder, $arguments, $before) = @_;
	$arguments = $arguments ? ", $arguments" : '';
	my ($code, $out, $err) = $node->psql('postgres', ($before // '') . "CALL llava_load('$folder'$arguments)");
	return ($err, $code);
}

sub paths { return sql("SELECT string_agg(path, ' ' ORDER BY path COLLATE \"C\") FROM llava_image"); }
sub empty { return sql('TRUNCATE llava_image, llava_pending, llava_seen CASCADE'); }

# rows are of each picture once, and each of them is queued
sub consistent
{
	my ($what) = @_;
	is(sql('SELECT count(*) = count(DISTINCT path), count(*) FILTER (WHERE rejected IS NULL AND same_as IS NULL) = (SELECT count(*) FROM llava_pending) FROM llava_image'),
		't|t', "$what: each file once, and queued");
	return;
}

# names that the intake refuses, or that are not text
my $names = folder('names', 'a.png', 'b.png', 'back\\..\\x.png', 'c.png', '\\d.png', '..\\e.png', 'y.png', 'z.png', "line\nend.png");
picture("$names/not \xe5\xad UTF-8.png");
make_path("$names/not \xff either");
picture("$names/not \xff either/f.png");
my ($said, $code) = load($names);
is($code, 0, 'names that are refused do not end the call');
like($said, qr/WARNING:  could not load "back\\\.\.\\x\.png": path "back\\\.\.\\x\.png" leads upwards\nHINT/, 'they are told');
like($said, qr/WARNING:  could not load "\\d\.png": path "\\d\.png" is absolute/, 'with their own reason');
like($said, qr/WARNING:  a file name in "\Q$names\E" is not valid in encoding UTF8\nDETAIL:  not \\xe5\\xad UTF-8\.png\n/, 'and so are those that are not text');
like($said, qr/NOTICE:  llava_load: 11 files, 6 queued, 0 stopped before any request, 0 known, 2 unreadable, 3 refused\nDETAIL:  Skipped.*\n2 x name not valid in encoding UTF8, as "not \\xe5\\xad UTF-8\.png"\n3 x SQLSTATE 22023, as "\.\.\\e\.png": path/, 'the report has them');
is(paths(), "a.png b.png c.png line\nend.png y.png z.png", 'the rest is loaded');
consistent('names');
($said, $code) = load($names, 'batch => 2');
like($said, qr/11 files, 0 queued, 0 stopped before any request, 6 known, 2 unreadable, 3 refused/, 'and known when it is called again');
empty();

# files that cannot be read, and what is no file
my $kinds = folder('kinds', map { "p$_.png" } 1 .. 5);
folder('kinds/q', 'closed.png', 'open.png');
folder('kinds/r', 'in.png');
chmod 0, "$kinds/q/closed.png", "$kinds/r";
mkfifo("$kinds/a.pipe", 0666) or die $!;
my $socket;
{
	my $here = getcwd();
	chdir $kinds or die $!;
	$socket = IO::Socket::UNIX->new(Local => 'a.socket', Listen => 1) or die $!;
	chdir $here or die $!;
}
symlink '.', "$kinds/loop" or die $!;
symlink "$names/a.png", "$kinds/out.png" or die $!;
symlink 'nothing', "$kinds/dangling" or die $!;
{
	open my $file, '>', "$kinds/huge.png" or die $!;
	truncate $file, 3 * 1024 * 1024 * 1024 or die $!;
	close $file;
}
($said, $code) = load($kinds, 'batch => 3');
is($code, 0, 'files that cannot be read do not end the call');
like($said, qr/WARNING:  could not read "\Q$kinds\E\/q\/closed\.png": Permission denied\n(HINT:  The database server reads it as the operating system's user "[^"]+", who needs r and x on the folder)?/, 'a closed file is told');
is(scalar(() = $said =~ /HINT:  The database server reads it as/g), 1, 'and once who cannot read it');
like((load("$kinds/r"))[0], qr/ERROR:  could not read directory "\Q$kinds\E\/r": Permission denied\nHINT:  The database server reads it as .*who needs r and x/, 'a closed folder by itself');
like((load("$kinds/nowhere"))[0], qr/ERROR:  could not read directory .*\nHINT:  .*must be on that machine/, 'a folder that is elsewhere');
like($said, qr/WARNING:  could not read "\Q$kinds\E\/r": Permission denied/, 'and a closed folder');
like($said, qr/8 files, 6 queued, 1 stopped before any request, 0 known, 2 unreadable\nDETAIL:  Skipped.*\n2 x Permission denied, as "r"\n?$/, 'links, pipes and sockets are none');
is(paths(), 'huge.png p1.png p2.png p3.png p4.png p5.png q/open.png', 'the rest is loaded');
is(sql("SELECT rejected, bytes FROM llava_image WHERE path = 'huge.png'"), 'too_large|3221225472', 'and the largest has its row');
chmod 0755, "$kinds/r";
chmod 0644, "$kinds/q/closed.png";
consistent('kinds');
empty();

# paths that are too long for an index, and folders without end
my $deep = folder('deep', 'a.png', 'z.png');
{
	my $here = getcwd();
	chdir $deep or die $!;
	for my $level (1 .. 80)
	{
		my $name = 'f' . join '', map { chr(97 + int rand 26) } 1 .. 49;
		mkdir $name or die $!;
		chdir $name or die $!;
		picture('in.png') if $level % 20 == 0;
	}
	chdir $deep or die $!;
	mkdir 'bottomless' or die $!;
	chdir 'bottomless' or die $!;
	for (1 .. 3000) { mkdir 'd' or die $!; chdir 'd' or die $!; }
	picture('in.png');
	chdir $here or die $!;
}
($said, $code) = load($deep, undef, "SET max_stack_depth = '100kB'; ");
is($code, 0, 'long paths and deep folders do not end the call');
like($said, qr/WARNING:  could not read "\S+": File name too long/, 'the depth is told');
like($said, qr/WARNING:  could not load "f\w+\/\S+in\.png": value too long for column "path"/, 'and the length');
is(sql("SELECT count(*) FROM llava_image WHERE path IN ('a.png', 'z.png')"), '2', 'the rest is loaded');
is(sql("SELECT count(*) FROM llava_image WHERE path LIKE 'f%'"), '2', 'as far as paths go');
consistent('depth');
system('rm', '-rf', $deep);
empty();

# rows that the user's own constraints and triggers refuse
my $rows = folder('rows', (map { sprintf 'p%02d.png', $_ } 1 .. 40), 'check.png', 'p20-deferred.png', 'p30-trigger.png', 'twin.png', 'zz-deferred.png');
sql(<<'SQL');
ALTER TABLE llava_image ADD CONSTRAINT ours CHECK (path <> 'check.png');
CREATE TABLE twins (path text PRIMARY KEY);
INSERT INTO twins VALUES ('twin.png');
CREATE FUNCTION one_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.path LIKE '%trigger.png' THEN RAISE 'not this one'; END IF;
	IF NEW.path = 'twin.png' THEN INSERT INTO twins VALUES (NEW.path); END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER one_row BEFORE INSERT ON llava_image FOR EACH ROW EXECUTE FUNCTION one_row();
CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''not at the end''; END';
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON llava_image DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW WHEN (NEW.path LIKE '%deferred.png') EXECUTE FUNCTION at_commit();
SQL
for my $batch (1, 7, 100)
{
	($said, $code) = load($rows, "batch => $batch");
	is($code, 0, "rows that are refused do not end the call, batches of $batch");
	like($said, qr/WARNING:  could not load "check\.png": new row for relation "llava_image" violates check constraint "ours"\nDETAIL/, 'a constraint');
	like($said, qr/WARNING:  could not load "p30-trigger\.png": not this one/, 'a trigger');
	like($said, qr/WARNING:  could not load "twin\.png": duplicate key/, 'a unique key');
	like($said, qr/WARNING:  could not load "p20-deferred\.png": not at the end/, 'a trigger of the commit');
	is(scalar(() = $said =~ /WARNING/g), 5, 'each is told once');
	like($said, qr/45 files, 40 queued, 0 stopped before any request, 0 known, 5 refused\nDETAIL:.*\n1 x SQLSTATE 23514, as "check.png": .*\n/, 'and counted');
	like($said, qr/\n3 x SQLSTATE P0001, as "p20-deferred\.png": not at the end\n/, 'by kind');
	is(sql("SELECT count(*), count(*) FILTER (WHERE path ~ '^p[0-9]+\\.png\$') FROM llava_image"), '40|40', 'the rest is loaded');
	consistent('rows');
	empty();
}

# every file refused, and every commit
sql("ALTER TABLE llava_image DROP CONSTRAINT ours; ALTER TABLE llava_image ADD CONSTRAINT ours CHECK (false) NOT VALID");
($said, $code) = load($rows);
like($said, qr/45 files, 0 queued, 0 stopped before any request, 0 known, 45 refused/, 'all are refused, each for itself');
is($code, 0, 'and the call ends well');
sql("ALTER TABLE llava_image DROP CONSTRAINT ours; DROP TRIGGER at_commit ON llava_image; CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON llava_image DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()");
($said, $code) = load($rows);
like($said, qr/45 files, 0 queued, 0 stopped before any request, 0 known, 45 refused/, 'and each at its commit');
sql('DROP TRIGGER at_commit ON llava_image; DROP TRIGGER one_row ON llava_image');
empty();

# row-level security refuses rows, privileges refuse everything
sql(<<'SQL');
CREATE ROLE loader IN ROLE pg_read_server_files;
GRANT EXECUTE ON PROCEDURE llava_load TO loader;
GRANT SELECT ON llava_image TO loader;
SQL
my $files = folder('files', map { "p$_.png" } 1 .. 9);
($said, $code) = load($files, undef, 'SET ROLE loader; ');
is($code, 3, 'without INSERT the call ends');
like($said, qr/^psql:\S+ ERROR:  permission denied for table llava_image\n/m, 'with that error');
unlike($said, qr/WARNING/, 'and no file is blamed');
sql(<<'SQL');
GRANT INSERT (path, image, task, licence) ON llava_image TO loader;
ALTER TABLE llava_image ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON llava_image FOR SELECT TO loader USING (true);
CREATE POLICY most ON llava_image FOR INSERT TO loader WITH CHECK (path <> 'p5.png');
SQL
($said, $code) = load($files, undef, 'SET ROLE loader; ');
is($code, 0, 'a policy that refuses one row does not end the call');
like($said, qr/WARNING:  could not load "p5\.png": new row violates row-level security policy/, 'it is told');
is(paths(), 'p1.png p2.png p3.png p4.png p6.png p7.png p8.png p9.png', 'the rest is loaded');
sql('DROP POLICY most ON llava_image; DROP POLICY seen ON llava_image; ALTER TABLE llava_image DISABLE ROW LEVEL SECURITY');
empty();

# other faults of everything
my %ends = (
	'no task to draw' => [ "INSERT INTO llava_task (name, weight) SELECT DISTINCT name, 0 FROM llava_task", qr/ERROR:  no task has a weight/, "INSERT INTO llava_task (name, weight) VALUES ('描述图片', 1)" ],
	'a full disk' => [ "CREATE FUNCTION full() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no space'' USING ERRCODE = ''disk_full''; END'; CREATE TRIGGER ends BEFORE INSERT ON llava_image FOR EACH ROW WHEN (NEW.path = 'p5.png') EXECUTE FUNCTION full()",
		qr/ERROR:  no space/, 'DROP TRIGGER ends ON llava_image' ],
	'a cancel' => [ "CREATE FUNCTION cancel() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_cancel_backend(pg_backend_pid()); PERFORM pg_sleep(60); RETURN NEW; END'; CREATE TRIGGER ends BEFORE INSERT ON llava_image FOR EACH ROW WHEN (NEW.path = 'p5.png') EXECUTE FUNCTION cancel()",
		qr/ERROR:  canceling statement due to user request/, 'DROP TRIGGER ends ON llava_image' ]);
for my $end (sort keys %ends)
{
	my ($before, $like, $after) = @{ $ends{$end} };
	sql($before);
	($said, $code) = load($files, 'batch => 2');
	is($code, 3, "$end ends the call");
	like($said, $like, 'with that error');
	unlike($said, qr/WARNING/, 'and no file is blamed');
	consistent($end);
	sql($after);
	($said, $code) = load($files);
	like($said, qr/9 files/, 'another call goes on');
	is(sql('SELECT count(*) FROM llava_image'), '9', 'and loads the rest');
	empty();
}
($said, $code) = load($files, undef, 'SET default_transaction_read_only = on; ');
like($said, qr/ERROR:  cannot execute INSERT in a read-only transaction/, 'a session that only reads ends the call');
sql("CREATE FUNCTION strange() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE ROLE stranger; ALTER FUNCTION strange() OWNER TO stranger; CREATE TRIGGER ends BEFORE INSERT ON llava_pending FOR EACH ROW EXECUTE FUNCTION strange()");
($said, $code) = load($files);
is($code, 3, "a stranger's trigger on the queue ends the call");
sql('DROP TRIGGER ends ON llava_pending');
is(sql('SELECT count(*) FROM llava_image'), '0', 'nothing was loaded meanwhile');

# pictures that stay in files: the same, and their directory is everybody's
($said, $code) = load($names, 'store => false');
like($said, qr/11 files, 7 queued, 0 stopped before any request, 0 known, 2 unreadable, 2 refused/, 'names are refused alike where the bytes stay');
is(sql("SELECT count(*) FROM llava_image WHERE path LIKE 'names/%' AND in_file"), '7', 'and the rest is loaded');
empty();

# a folder that becomes a link to elsewhere while it is read is not left
my $walk = folder('walk', 'a.png');
folder('walk/b', '1.png', '2.png', '3.png');
my $secret = folder('secret', '2.png', '3.png');
sql(<<'SQL');
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NEW; END';
CREATE TRIGGER wait BEFORE INSERT ON llava_image FOR EACH ROW WHEN (NEW.path = 'b/1.png') EXECUTE FUNCTION wait();
SQL
my $holder = $node->background_psql('postgres', on_error_stop => 1);
$holder->query('SELECT pg_advisory_lock(7)');
my ($out, $err) = ('', '');
my $run = IPC::Run::start([ 'psql', '-Xq', '-d', $node->connstr('postgres'), '-c', "CALL llava_load('$walk', batch => 1)" ], '<', \undef, '>', \$out, '2>', \$err);
$node->wait_query("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'", '1') or die;
rename "$walk/b", "$walk/c" or die $!;
symlink $secret, "$walk/b" or die $!;
$holder->query('SELECT pg_advisory_unlock(7)');
$run->finish;
$holder->quit;
is(paths(), 'a.png b/1.png', 'what the link leads to is not loaded');
like($err, qr/WARNING:  could not read "\Q$walk\E\/b\/2\.png"/, 'and told');

$node->stop('fast');
done_testing();
