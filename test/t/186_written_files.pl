# A folder that other users of the machine may write too: whatever they put under a name,
# or in the place of a file while it is written, no file of the server's is written over.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use POSIX qw(mkfifo);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes;

my $dir = PostgreSQL::Test::Utils::tempdir;
my $swaps = "$dir/swaps";
my $shim = "$dir/other_user.so";
command_ok([ 'gcc', '-shared', '-fPIC', '-O1', '-o', $shim, 'test/other_user.c', '-ldl' ], 'the other user is built');
my $node;
{
	local $ENV{LD_PRELOAD} = $shim;
	local $ENV{OTHER_USER_SWAPS} = $swaps;
	$node = LlavaZh::Cluster->new('written', preload => 0);
}
$node->safe_psql('postgres', "ALTER DATABASE postgres SET session_preload_libraries = 'llava_zh'");
my $victim = "$dir/victim.conf";
my $kept = "a file of the server's\n";
spew($victim, $kept);
chmod 0600, $victim;

sub spew
{
	my ($name, $bytes) = @_;
	open my $file, '>:raw', $name or die "$name: $!";
	print $file $bytes;
	close $file or die $!;
	return;
}

sub start
{
	my ($sql, $out, $err) = @_;
	return IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-c', $sql ],
		'<', \undef, '>', $out, '2>', $err);
}

# script(text): what was said, and the rows
sub script
{
	my ($sql) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'psql', '-XqAt', '-d', $node->connstr('postgres') ], '<', \$sql, '>', \$out, '2>', \$err);
	return ($err, $out);
}

sub psql
{
	my ($sql) = @_;
	return (script($sql))[0];
}

sub shared
{
	my ($name) = @_;
	mkdir "$dir/$name" or die $!;
	chmod 0777, "$dir/$name";
	return "$dir/$name";
}

sub found
{
	my ($folder) = @_;
	opendir my $listing, $folder or die $!;
	return join ' ', sort grep { !/^\.\.?$/ } readdir $listing;
}

sub untouched
{
	my ($what) = @_;
	is(slurp_file($victim) . sprintf('%o', (stat $victim)[2] & 07777), "${kept}600", "$what: the file is as it was");
	# each test for itself
	unlink $victim;
	spew($victim, $kept);
	chmod 0600, $victim;
	return;
}

# the name of the session's process is no secret
my $guess = shared('guess');
is(psql(<<"SQL"), '', 'a link under the name that a pid gives');
SELECT pg_backend_pid() AS pid \\gset
\\setenv PID :pid
\\! ln -s $victim $guess/new.\$PID.part
COPY (SELECT 1 AS n) TO '$guess/new' (FORMAT jsonl);
SQL
untouched('a guessed name');
is(slurp_file("$guess/new"), qq({"n":1}\n), 'and the file is written');
ok(!-l "$guess/new", 'as itself');
is(sprintf('%o', (stat "$guess/new")[2] & 07777), '644', 'with the permissions of COPY');

# a COPY that stands still: while it is planned, before core opens the file, or while it runs
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION planned() RETURNS integer IMMUTABLE LANGUAGE plpgsql AS
	'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN 1; END';
CREATE FUNCTION run() RETURNS integer VOLATILE LANGUAGE plpgsql AS
	'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN 1; END';
SQL
my $holder = $node->background_psql('postgres', on_error_stop => 1);

# held(sql, what happens meanwhile): what psql said
sub held
{
	my ($sql, $meanwhile) = @_;
	my ($out, $err) = ('', '');
	$holder->query('SELECT pg_advisory_lock(7)');
	my $run = start($sql, \$out, \$err);
	my $pid = $node->wait_query("SELECT pid FROM pg_stat_activity WHERE wait_event = 'advisory'", '\d+') // die 'it does not wait';
	$meanwhile->($pid);
	$holder->query('SELECT pg_advisory_unlock(7)');
	$run->finish;
	return $err;
}

# the part of a COPY that stands still; where there is none, the name that a pid gives
sub part
{
	my ($folder, $pid) = @_;
	my @parts = glob "$folder/*.part";
	return $parts[0] // "$folder/new.$pid.part";
}

my %names;
for my $when ('planned', 'run')
{
	my $folder = shared("names-$when");
	my $name;
	is(held("COPY (SELECT $when() AS n) TO '$folder/new' (FORMAT jsonl)", sub { $name = found($folder) }), '', "a COPY, $when");
	like($name, qr/^new\.[0-9a-f]{32}\.part$/, 'has a part under a random name');
	$names{$name}++;
	is(found($folder) . slurp_file("$folder/new"), qq(new{"n":1}\n), 'which has its own in the end');
}
is(keys %names, 2, 'no two have the same');

# (in the place of the part, which has been removed)
my %swapped = (
	'a link to a file' => sub { symlink $victim, $_[0] or die $! },
	'a hard link to a file' => sub { link $victim, $_[0] or die $! },
	'a link to nothing' => sub { symlink "$dir/nothing", $_[0] or die $! },
	'another file' => sub { spew($_[0], 'theirs') },
	'a pipe' => sub { mkfifo($_[0], 0666) or die $! },
	'a folder' => sub { mkdir $_[0] or die $! },
	'nothing' => sub { });
my $count = 0;
for my $when ('planned', 'run')
{
	for my $what (sort keys %swapped)
	{
		my $folder = shared('swapped' . $count++);
		spew("$folder/new", 'old');
		my $said = held("COPY (SELECT $when() AS n) TO '$folder/new' (FORMAT jsonl)", sub {
				my $part = part($folder, $_[0]);
				unlink $part;
				$swapped{$what}->($part);
			});
		like($said, qr/ERROR:  file "\Q$folder\E\/new" was not written: somebody has replaced.*HINT/s, "$what in the place of the part, $when");
		untouched($what);
		is(slurp_file("$folder/new"), 'old', 'the file that was there is, too');
		ok(!-l "$folder/new" && !-e "$dir/nothing", 'and nothing else was written');
		ok(!-l part($folder, 0), 'the link is gone');
	}
}
my $linked = shared('linked');
like(held("COPY (SELECT run() AS n) TO '$linked/new' (FORMAT jsonl)", sub { link part($linked, $_[0]), "$linked/theirs" or die $! }),
	qr/was not written/, 'a part that has a second name');

# the folder itself is taken away, and a link to another put there
my $moved = shared('moved');
my $elsewhere = shared('elsewhere');
spew("$elsewhere/new", $kept);
is(held("COPY (SELECT run() AS n) TO '$moved/new' (FORMAT jsonl)", sub {
			rename $moved, "$moved.away" or die $!;
			symlink $elsewhere, $moved or die $!;
		}), '', 'a folder that is moved');
is(slurp_file("$elsewhere/new"), $kept, 'the file in the other folder is as it was');
is(found("$moved.away") . slurp_file("$moved.away/new"), qq(new{"n":1}\n), 'and ours is where it was begun');

# what is there under the file's own name.  Ours is followed (040), theirs is replaced
my $target = shared('target');
symlink $victim, "$target/theirs.link" or die $!;
is(psql("COPY (SELECT 1 AS n) TO '$target/theirs.link' (FORMAT jsonl)"), '', 'a link of another user');
untouched('their link');
ok(!-l "$target/theirs.link", 'is replaced');
is(slurp_file("$target/theirs.link"), qq({"n":1}\n), 'by the file');
unlink "$target/theirs.link";
symlink $victim, "$target/theirs.link" or die $!;
symlink 'theirs.link', "$target/ours" or die $!;
is(psql("COPY (SELECT 2 AS n) TO '$target/ours' (FORMAT jsonl)"), '', 'a link of ours to one of theirs');
untouched('their link behind ours');
is((-l "$target/ours" ? 'link ' : '') . (-l "$target/theirs.link" ? 'link ' : '') . slurp_file("$target/theirs.link"),
	qq(link {"n":2}\n), 'theirs is replaced, ours stays');
mkfifo("$target/theirs.pipe", 0666) or die $!;
is(psql("SET statement_timeout = '60s'; COPY (SELECT 3 AS n) TO '$target/theirs.pipe' (FORMAT jsonl)"), '', 'a pipe of another user keeps nobody waiting');
ok(-f "$target/theirs.pipe", 'and is replaced');
spew("$target/theirs.file", 'theirs');
chmod 0666, "$target/theirs.file";
is(psql("COPY (SELECT 4 AS n) TO '$target/theirs.file' (FORMAT jsonl)"), '', 'a file of another user');
is(slurp_file("$target/theirs.file") . sprintf('%o', (stat "$target/theirs.file")[2] & 07777), qq({"n":4}\n644), 'is replaced by one that only we may write');
link $victim, "$target/hard" or die $!;
is(psql("COPY (SELECT 5 AS n) TO '$target/hard' (FORMAT jsonl)"), '', 'a second name of a file');
untouched('a hard link');
mkfifo("$target/pipe", 0600) or die $!;
my $read = '';
my $cat = IPC::Run::start([ 'cat', "$target/pipe" ], '>', \$read);
is(psql("COPY (SELECT 6 AS n) TO '$target/pipe' (FORMAT jsonl)"), '', 'a pipe of ours');
$cat->finish;
is($read, qq({"n":6}\n), 'is written to, as by COPY');
ok(-p "$target/pipe", 'and stays one');
symlink 'loop', "$target/loop" or die $!;
like(psql("COPY (SELECT 7) TO '$target/loop' (FORMAT jsonl)"), qr/could not open file "\Q$target\E\/loop" for writing: Too many levels/, 'a link to itself');
like(psql("COPY (SELECT 7) TO '$target/none/new' (FORMAT jsonl)"), qr/could not open file .*No such file or directory\nHINT/, 'a folder that is not there');
like(psql("COPY (SELECT 7) TO '$target/' (FORMAT jsonl)"), qr/Is a directory/, 'a folder');
my $long = '文' x 85;
is(psql("COPY (SELECT 8 AS n) TO '$target/$long' (FORMAT jsonl)"), '', 'the longest name there is');
is(slurp_file("$target/$long"), qq({"n":8}\n), 'is written');
is(found($target) =~ /part/ ? found($target) : '', '', 'no part is left');

# descriptors are given back, whatever the end
my $opened = "SELECT count(*) FROM pg_ls_dir('/proc/self/fd');\n";
my $some = join '', map { "COPY (SELECT 1 / 0) TO '$target/a' (FORMAT jsonl);\nCOPY (SELECT 1) TO '$target/b' (FORMAT jsonl);\nCOPY (SELECT 1) TO '$target' (FORMAT jsonl);\nCOPY (SELECT 1) TO '$target/none/c' (FORMAT jsonl);\n" } 1 .. 20;
my @open = split /\n/, (script($some . $opened . $some . $opened))[1];
is($open[1], $open[0], 'no descriptor stays open');

# a file that is read a second time, and is a pipe by then
my $again = shared('again');
spew("$again/in", qq({"n": 1}\n));
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE lines (doc jsonb);
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NEW; END';
CREATE TRIGGER wait BEFORE INSERT ON lines FOR EACH ROW EXECUTE FUNCTION wait();
SQL
my ($copy, $out, $err) = (undef, '', '');
$holder->query('SELECT pg_advisory_lock(7)');
$copy = start("COPY lines FROM '$again/in' (FORMAT jsonl)", \$out, \$err);
$node->wait_query("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'", '1') or die;
unlink "$again/in" or die $!;
mkfifo("$again/in", 0666) or die $!;
$holder->query('SELECT pg_advisory_unlock(7)');
my $done = 0;
for (1 .. 300)
{
	$done = $node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY lines%' AND state = 'active'") eq '0';
	last if $done;
	Time::HiRes::usleep(100_000);
}
ok($done, 'COPY FROM does not wait for the pipe that its file has become');
if (!$done)
{
	open my $writer, '>', "$again/in" or die $!;
	close $writer;
}
$copy->finish;
is($node->safe_psql('postgres', 'SELECT doc FROM lines'), '{"n": 1}', 'and what it has read is there');
$holder->quit;

# llava_export_images and llava_export_shards: the same of their unfinished files
$node->safe_psql('postgres', LlavaZh::Cluster::pictures_sql(1, 3));
$node->safe_psql('postgres', <<'SQL');
INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
SELECT id, '描述图片', '[{"from": "human", "value": "问"}, {"from": "gpt", "value": "答"}]', 1, id, 1
FROM llava_image;
SQL
for my $export ([ 'images', 'pic1.png', 'pic1.png pic2.png pic3.png' ],
	[ 'shards', '.llava_zh.train-00000.tar', '.llava_zh.train.shards train-00000-of-00001.tar' ])
{
	my ($kind, $first, $all) = @$export;
	for my $what ($victim, "$dir/nothing")
	{
		my $folder = shared($kind . $count++);
		spew($swaps, $what);
		like(psql("SELECT * FROM llava_export_$kind('$folder')"),
			qr/ERROR:  "\Q$folder\E\/\Q$first\E" was not written: somebody has replaced.*HINT/s, "$kind whose unfinished file is swapped");
		ok(!-e $swaps, 'it was');
		untouched($kind);
		is(found($folder), '', 'no file and no part is left');
		ok(!-e "$dir/nothing", 'and nothing was written elsewhere');
		is(psql("SELECT * FROM llava_export_$kind('$folder')"), '', 'another call');
		is(found($folder), $all, 'writes them');
	}
}

# what llava_export_shards notes is not read through a link
my $noted = shared('noted');
symlink $victim, "$noted/.llava_zh.train.shards" or die $!;
like(psql("SELECT llava_export_shards('$noted')"), qr/could not read "\S+shards": Too many levels/, 'notes that are a link are not followed');
untouched('notes');
unlink "$noted/.llava_zh.train.shards";
link $victim, "$noted/.llava_zh.train.shards" or die $!;
like(psql("SELECT llava_export_shards('$noted')"), qr/is not a file of the server's own user, with one name\nHINT/, 'nor is a second name of a file');
untouched('notes');
unlink "$noted/.llava_zh.train.shards";
mkfifo("$noted/.llava_zh.train.shards", 0666) or die $!;
like(psql("SET statement_timeout = '60s'; SELECT llava_export_shards('$noted')"), qr/is not a file of the server's own user/, 'a pipe keeps nobody waiting');

$node->stop('fast');
done_testing();
