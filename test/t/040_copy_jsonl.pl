# COPY with format jsonl is byte-exact every way out and in, and an independent
# reader finds the values that went in; core's text and csv formats do neither.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = LlavaZh::Cluster->new('jsonl', preload => 0, conf => "shared_buffers = '4MB'\n");
my $dir = PostgreSQL::Test::Utils::tempdir;
chmod 0777, $dir;

# read(mode, file): what the independent reader says; '' if it refuses
sub read_jsonl
{
	my ($stdout, $stderr);
	IPC::Run::run([ '/usr/bin/python3', 'test/read_jsonl.py', @_ ], '>', \$stdout, '2>', \$stderr)
	  or do { note $stderr =~ /(.{0,300})\s*\z/s; return ''; };
	chomp $stdout;
	return $stdout;
}

# psql on a file or with a command; stdout into a file if one is given
sub psql
{
	my ($arguments, %io) = @_;
	my $stderr = '';
	IPC::Run::run(
		[ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), @$arguments ],
		'<', $io{in} // '/dev/null', '>', $io{out} // '/dev/null', '2>', \$stderr);
	return $stderr;
}

sub spew
{
	my ($name, $bytes) = @_;
	open my $file, '>:raw', "$dir/$name" or die $!;
	print $file $bytes;
	close $file or die $!;
	return "$dir/$name";
}

# the hook comes with the library: any function of ours, or session_preload_libraries
like(psql([ '-c', 'COPY (SELECT 1) TO STDOUT (FORMAT jsonl)' ]),
	qr/COPY format "jsonl" not recognized/, 'before the library is loaded the format is unknown');
is(psql([ '-c', "SELECT llava_draw_task(1)", '-c', 'COPY (SELECT 1) TO STDOUT (FORMAT jsonl)' ]),
	'', 'any llava_zh function brings it');
$node->safe_psql('postgres', "ALTER DATABASE postgres SET session_preload_libraries = 'llava_zh'");

$node->safe_psql('postgres', 'CREATE TABLE hostile (n integer, conversation jsonb)');
my $sql = "$dir/hostile.sql";
IPC::Run::run([ '/usr/bin/python3', 'test/read_jsonl.py', 'sql', 'hostile' ], '>', $sql) or die;
is(psql([ '-1', '-f', $sql ]), '', 'hostile conversations are stored');

# out: file, program, STDOUT, \copy, and without COPY
my $query = '(SELECT conversation FROM hostile ORDER BY n)';
is(psql([ '-c', "COPY $query TO '$dir/file' (FORMAT jsonl)" ]), '', 'COPY TO a file');
is(psql([ '-c', "COPY $query TO PROGRAM 'cat > $dir/program' (FORMAT jsonl)" ]), '', 'to a program');
is(psql([ '-c', "COPY $query TO STDOUT (FORMAT jsonl)" ], out => "$dir/stdout"), '', 'to STDOUT');
is(psql([ '-c', "\\copy $query TO '$dir/copy' WITH (FORMAT jsonl)" ]), '', 'with \copy');
is(psql([ '-c', 'SELECT conversation FROM hostile ORDER BY n' ], out => "$dir/select"), '', 'with SELECT');
my $bytes = slurp_file("$dir/file");
my $as_psql = $bytes =~ s/\xf4\x8f\xbf\xbf//gr;    # psql itself prints no U+10FFFF
is(slurp_file("$dir/select") eq $as_psql ? 'same' : 'different', 'same', 'the bytes of select');
for my $name (qw(file program stdout copy))
{
	is(slurp_file("$dir/$name") eq $bytes ? 'same' : 'different', 'same', "the bytes of $name");
	is(read_jsonl('values', "$dir/$name"), '388 lines equal', "what went into $name is read back");
}

# core's formats are not JSONL: this is what the test would say
psql([ '-c', "COPY $query TO '$dir/text'" ]);
is(read_jsonl('values', "$dir/text"), '', 'the text format is no JSONL');
psql([ '-c', "COPY $query TO '$dir/csv' (FORMAT csv)" ]);
is(read_jsonl('values', "$dir/csv"), '', 'nor is csv');
psql([ '-c', "COPY (SELECT jsonb_build_array(E'one\\ntwo')) TO '$dir/silent'" ]);
is(slurp_file("$dir/silent"), qq(["one\\\\ntwo"]\n), 'text turns a line end into a backslash and an n, silently');

# in: the same ways, into each type, and out again
$node->safe_psql('postgres', "CREATE TABLE back_$_ (n serial, doc $_)") for qw(jsonb json text);
for my $type (qw(jsonb json text))
{
	my %ways = (
		file => [ [ '-c', "COPY back_$type (doc) FROM '$dir/file' (FORMAT jsonl)" ] ],
		program => [ [ '-c', "COPY back_$type (doc) FROM PROGRAM 'cat $dir/file' (FORMAT jsonl)" ] ],
		stdin => [ [ '-c', "COPY back_$type (doc) FROM STDIN (FORMAT jsonl)" ], in => "$dir/file" ],
		copy => [ [ '-c', "\\copy back_$type (doc) FROM '$dir/file' (FORMAT jsonl)" ] ]);
	for my $way (sort keys %ways)
	{
		$node->safe_psql('postgres', "TRUNCATE back_$type RESTART IDENTITY");
		is(psql(@{ $ways{$way} }), '', "$type from $way");
		psql([ '-c', "COPY (SELECT doc FROM back_$type ORDER BY n) TO STDOUT (FORMAT jsonl)" ], out => "$dir/again");
		is(slurp_file("$dir/again") eq $bytes ? 'same' : 'different', 'same', 'and out again: the same bytes');
	}
}
is($node->safe_psql('postgres',
		'SELECT count(*) FROM back_jsonb AS b JOIN hostile AS h ON b.n = h.n + 1 WHERE doc = conversation'),
	'388', 'the values are those that went out');

# bad files: an error that says where, and nothing is kept
my @bad = (
	[ 'empty line', "1\n\n2\n", qr/line 2/ ],
	[ 'empty last line', "1\n\n", qr/line 2/ ],
	[ 'byte order mark', "\xef\xbb\xbf1\n2\n", qr/byte order mark.*line 1/s ],
	[ 'CRLF among LF', "1\n2\r\n", qr/all lines end in LF, or all in CRLF.*line 2/s ],
	[ 'LF among CRLF', "1\r\n2\n", qr/all lines end in LF, or all in CRLF.*line 2/s ],
	[ 'invalid UTF-8', "1\n\"\xe5\xad\"\n", qr/invalid byte sequence.*line 2/s ],
	[ 'our quote byte', "1\n\"\xffa\xff\"\n", qr/invalid byte sequence.*line 2/s ],
	[ 'our delimiter byte', "1\xfe2\n", qr/invalid byte sequence.*line 1/s ],
	[ 'our null byte', "\xfd\n", qr/invalid byte sequence.*line 1/s ],
	[ 'NUL', "1\n\"\0\"\n", qr/invalid byte sequence.*line 2/s ],
	[ 'control characters', "[1,\x01\n2\x01,3]\n", qr/invalid input syntax.*line 1/s ],
	[ 'two on a line', "1\n{} {}\n", qr/invalid input syntax.*line 2/s ],
	[ 'two separated by comma', "1,2\n", qr/invalid input syntax.*line 1/s ],
	[ 'a document on two lines', "[1,\n2]\n", qr/invalid input syntax.*line 1/s ],
	[ 'cut document', "1\n[1, \"2", qr/invalid input syntax.*line 2/s ],
	[ 'text format', "1\n\\N\n", qr/invalid input syntax.*line 2/s ],
	[ 'backslash', "1\n\\.x\n", qr/invalid input syntax.*line 2/s ],
	# where core's csv stops reading before 18
	[ 'end mark', "1\n\\.\n2\n", qr/line 2/ ],
	[ 'end mark first', "\\.\n2\n", qr/line 1/ ],
	[ 'end mark last', "1\n2\n\\.\n", qr/line 3/ ],
	[ 'end mark without a line end', "1\n\\.", qr/line 2/ ],
	[ 'end mark with CRLF', "1\r\n\\.\r\n2\r\n", qr/line 2/ ]);
$node->safe_psql('postgres', 'TRUNCATE back_jsonb, back_json, back_text');
for (@bad)
{
	my ($name, $content, $pattern) = @$_;
	my $file = spew('bad', $content);
	for my $type (qw(jsonb json text))
	{
		like(psql([ '-c', "COPY back_$type (doc) FROM '$file' (FORMAT jsonl)" ]), $pattern, "$name, $type");
	}
}
is($node->safe_psql('postgres',
		'SELECT count(*) FROM (SELECT doc FROM back_text UNION ALL SELECT doc::text FROM back_json UNION ALL SELECT doc::text FROM back_jsonb) AS _'),
	'0', 'nothing is kept of a bad file');
for ([ 'CRLF', "1\r\n[2]\r\n" ], [ 'no last line end', "1\n[2]" ])
{
	my ($name, $content) = @$_;
	my $file = spew('good', $content);
	is(psql([ '-c', "COPY back_text (doc) FROM '$file' (FORMAT jsonl)" ]), '', "$name is taken");
	is($node->safe_psql('postgres', 'SELECT doc FROM back_text ORDER BY n'), "1\n[2]", 'as two lines');
	$node->safe_psql('postgres', 'TRUNCATE back_text');
}

# escapes that JSON has and text has not: not for jsonb, and as they are elsewhere
for ([ 'a lone surrogate', '"\ud800"' ], [ 'U+0000', '"a\u0000"' ])
{
	my ($name, $line) = @$_;
	my $file = spew('escapes', "1\n$line\n");
	like(psql([ '-c', "COPY back_jsonb (doc) FROM '$file' (FORMAT jsonl)" ]), qr/ERROR.*COPY back_jsonb, line 2/s, "$name, jsonb");
	for my $type (qw(json text))
	{
		is(psql([ '-c', "COPY back_$type (doc) FROM '$file' (FORMAT jsonl)" ]), '', "$name, $type");
		psql([ '-c', "COPY (SELECT doc FROM back_$type ORDER BY n) TO '$dir/again' (FORMAT jsonl)" ]);
		is(slurp_file("$dir/again"), "1\n$line\n", 'and out again');
		$node->safe_psql('postgres', "TRUNCATE back_$type");
	}
}

# an end mark anywhere about a border of what is read at once
for my $before (262134 .. 262146, 524280 .. 524290)
{
	my $file = spew('border', '"' . ('\\\\' x 1000) . ('x' x ($before - 2003)) . "\"\n\\.\n2\n");
	like(psql([ '-c', "COPY back_text (doc) FROM '$file' (FORMAT jsonl)" ]), qr/line 2/, "an end mark after $before bytes");
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM back_text'), '0', 'and nothing is kept');
my $long = spew('border', ("[1, 2]\n" x 300_000) . "\\.\n2\n");
like(psql([ '-c', "COPY back_text (doc) FROM '$long' (FORMAT jsonl)" ]), qr/line 300001\b/, 'many lines before it are counted');
is($node->safe_psql('postgres', 'SELECT count(*) FROM back_text'), '0', 'and not kept');
my $lawful = spew('lawful', join "\n", '"\\\\."', ('"' . ('\\\\.' x 300_000) . '"') x 3, '');
is(psql([ '-c', "COPY back_text (doc) FROM '$lawful' (FORMAT jsonl)" ]), '', 'a backslash and a point in a string are none');
$node->safe_psql('postgres', 'TRUNCATE back_text');

# a file has its name when it is whole: an ERROR, a cancel, the end of the process and a
# full disk leave what was there, and no part
my %ends = (
	'an error' => 'SELECT 1 / (90000 - g) FROM generate_series(1, 100000) AS g',
	'an error before the first line' => "SELECT llava_export('nothing')",
	'a cancel' => 'SELECT g, CASE WHEN g = 90000 THEN pg_cancel_backend(pg_backend_pid()) END FROM generate_series(1, 100000) AS g',
	'the end of the process' =>
	  'SELECT g, CASE WHEN g = 90000 THEN pg_terminate_backend(pg_backend_pid()) END FROM generate_series(1, 100000) AS g');
sub found { return join ' ', map { s/.*\///r } glob "$dir/whole/*"; }
mkdir "$dir/whole";
chmod 0777, "$dir/whole";
for my $end (sort keys %ends)
{
	like(psql([ '-c', "COPY ($ends{$end}) TO '$dir/whole/new' (FORMAT jsonl)" ]), qr/ERROR|FATAL/, $end);
	is(found(), '', 'leaves no file');
}
is(psql([ '-c', "COPY (SELECT 'old'::text AS t, 1 AS n) TO '$dir/whole/file' (FORMAT jsonl)" ]), '', 'a whole file');
chmod 0640, "$dir/whole/file";
for my $end (sort keys %ends)
{
	psql([ '-c', "COPY ($ends{$end}) TO '$dir/whole/file' (FORMAT jsonl)" ]);
	is(found() . slurp_file("$dir/whole/file"), qq(file{"t":"old","n":1}\n), "$end leaves the file that was there");
}
# the limit stands in for the full disk; it is above the size of a WAL segment
spew('limited.sql', <<"SQL");
SELECT pg_backend_pid() AS pid \\gset
\\setenv PID :pid
\\! prlimit --pid "\$PID" --fsize=33554432
COPY (SELECT repeat('x', 1000) AS x, g FROM generate_series(1, 50000) AS g) TO '$dir/whole/file' (FORMAT jsonl);
SQL
like(psql([ '-f', "$dir/limited.sql" ]), qr/could not write to COPY file: File too large/, 'a disk that is full in mid-file');
is(found() . slurp_file("$dir/whole/file"), qq(file{"t":"old","n":1}\n), 'leaves the file that was there');
is(psql([ '-c', "COPY (SELECT 2) TO '$dir/whole/file' (FORMAT jsonl)" ]), '', 'and with room');
is(found() . slurp_file("$dir/whole/file"), qq(file{"?column?":2}\n), 'the new one takes its place');
is(sprintf('%o', (stat "$dir/whole/file")[2] & 07777), '640', 'with its permissions');
symlink "$dir/whole/file", "$dir/whole/link" or die $!;
is(psql([ '-c', "COPY (SELECT 3) TO '$dir/whole/link' (FORMAT jsonl)" ]), '', 'a link');
is(found() . slurp_file("$dir/whole/file"), qq(file link{"?column?":3}\n), 'still leads to its file');
ok(-l "$dir/whole/link", 'and is one');
psql([ '-c', "COPY ($ends{'an error'}) TO '$dir/whole/link' (FORMAT jsonl)" ]);
is(slurp_file("$dir/whole/file"), qq({"?column?":3}\n), 'whose file an error leaves as it was');
like(psql([ '-c', "COPY (SELECT 4) TO '$dir/whole' (FORMAT jsonl)" ]), qr/Is a directory/, 'a directory');
like(psql([ '-c', "COPY (SELECT 4) TO 'whole' (FORMAT jsonl)" ]), qr/relative path not allowed/, 'a relative path');
is(psql([ '-c', "COPY (SELECT 4) TO '/dev/null' (FORMAT jsonl)" ]), '', 'a device');
spew('unprivileged.sql', <<"SQL");
SELECT pg_backend_pid() AS pid \\gset
\\setenv PID :pid
\\! touch "$dir/whole/theirs.\$PID.part"
SET ROLE nobody;
COPY (SELECT 1) TO '$dir/whole/theirs' (FORMAT jsonl);
SQL
$node->safe_psql('postgres', 'CREATE ROLE nobody');
like(psql([ '-f', "$dir/unprivileged.sql" ]), qr/COPY to/, 'without the right to write files');
like(found(), qr/theirs\.\d+\.part/, 'nothing is taken away');

# files and programs are for core's roles
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE writer LOGIN IN ROLE pg_write_server_files;
CREATE ROLE runner LOGIN IN ROLE pg_execute_server_program;
GRANT SELECT ON hostile TO writer, runner;
SQL
my %doing = (file => "COPY hostile (conversation) TO '$dir/role' (FORMAT jsonl)",
	program => "COPY hostile (conversation) TO PROGRAM 'cat > $dir/role' (FORMAT jsonl)");
for ([ 'writer', 'file', 1 ], [ 'writer', 'program', 0 ], [ 'runner', 'file', 0 ], [ 'runner', 'program', 1 ])
{
	my ($role, $what, $may) = @$_;
	my $stderr = psql([ '-c', "SET ROLE $role", '-c', $doing{$what} ]);
	if ($may)
	{
		is($stderr, '', "a $role may write a $what");
	}
	else
	{
		like($stderr, qr/COPY to/, "a $role may not write a $what");
	}
}

# llava_export: each line a sample, in flat memory
$node->safe_psql('postgres', <<'SQL');
INSERT INTO llava_image (id, path, received_at) SELECT n, n || '.jpg', now() FROM generate_series(0, 399) AS n;
INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
SELECT n, 'x', conversation, 1, n, 1 FROM hostile;
SQL
my $left_out = psql([ '-c', "COPY (SELECT llava_export('llava')) TO '$dir/train.jsonl' WITH (FORMAT jsonl)" ]);
like($left_out, qr/WARNING:  \d+ samples were left out.*an empty turn/s, 'blank turns stay out');
my ($stay) = $left_out =~ /WARNING:  (\d+)/;
is(read_jsonl('llava', "$dir/train.jsonl"), (388 - $stay) . ' samples', 'the others are all valid for LLaVA');
cmp_ok($stay, '<', 10, 'only those');

$node->safe_psql('postgres', <<'SQL');
TRUNCATE llava_image, llava_hash, llava_conversation;
INSERT INTO llava_image (id, path, received_at) SELECT n, n || '.jpg', now() FROM generate_series(1, 6000) AS n;
INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
SELECT n, 'x', jsonb_build_array(jsonb_build_object('from', 'human', 'value', 'q'),
	jsonb_build_object('from', 'gpt', 'value', (SELECT string_agg(md5(n::text || m), ' ') FROM generate_series(1, 300) AS m))), 1, n, 1
FROM generate_series(1, 6000) AS n;
ANALYZE llava_image, llava_conversation;
SQL
my $peak = "SELECT substring(pg_read_file('/proc/self/status', 0, 4096) FROM 'VmHWM:\\s+(\\d+)')";
psql([ '-c', "COPY (SELECT llava_export() LIMIT 10) TO '/dev/null' (FORMAT jsonl)", '-c', $peak,
		'-c', "COPY (SELECT llava_export()) TO '$dir/large.jsonl' (FORMAT jsonl)", '-c', $peak ],
	out => "$dir/peak");
my ($before, $after) = split /\n/, slurp_file("$dir/peak");
cmp_ok(-s "$dir/large.jsonl", '>', 55_000_000, 'an export of 57 MB');
cmp_ok($after - $before, '<', 16_000, 'takes less than 16 MB of memory');

# a line of 300 MB: too long for jsonb, which the error says with its line; text takes it
{
	open my $file, '>:raw', "$dir/long.jsonl" or die $!;
	print $file "1\n[\"";
	print $file 'x' x 1_000_000 for 1 .. 300;
	print $file "\"]\n3\n";
	close $file or die $!;
}
$node->safe_psql('postgres', 'CREATE TABLE long (j jsonb, t text)');
my $error = psql([ '-c', "COPY long (j) FROM '$dir/long.jsonl' (FORMAT jsonl)" ]);
like($error, qr/ERROR:  string too long to represent as jsonb string/, 'a string of 300 MB is too long for jsonb');
like($error, qr/CONTEXT:  COPY long, line 2, column j/, 'the error names the line');
cmp_ok(length $error, '<', 2000, 'and does not repeat it');
is(psql([ '-c', "COPY long (t) FROM '$dir/long.jsonl' (FORMAT jsonl)",
			'-c', 'SELECT octet_length(t) FROM long WHERE j IS NULL ORDER BY 1', '-c', $peak ],
		out => "$dir/lengths"), '', 'a text column takes it');
my @lengths = split /\n/, slurp_file("$dir/lengths");
is("@lengths[0 .. 2]", '1 1 300000004', 'whole');
cmp_ok($lengths[3], '<', 1_500_000, 'in less than 1.5 GB of memory');
unlink "$dir/long.jsonl" or die $!;

$node->stop('fast');
done_testing();
