# The pages: short lines, links that lead somewhere, every test and every object of the
# catalogue named.  Columns and functions stand in the reference in the words of their
# comments, which \d+ and \df+ show: what is new there without a line fails here.
use strict;
use warnings;
use utf8;
use lib 'test/perl';
use Encode qw(decode_utf8);
use File::Basename qw(dirname);
use LlavaZh::Cluster;
use LlavaZh::Page;
use PostgreSQL::Test::Utils;
use Test::More;

my %page = map { $_ => LlavaZh::Page->new($_) } @LlavaZh::Page::PAGES;
my $reference = $page{'sql/README.md'};

#
# Lines and links
#
cmp_ok(scalar @{ $page{'README.md'}{lines} }, '<=', 200, 'README is short');
for my $file (@LlavaZh::Page::PAGES, 'CHANGELOG.md', 'src/README.md')
{
	$page{$file} //= LlavaZh::Page->new($file);
	my @long = grep { length $page{$file}{lines}[$_] > 120 } 0 .. $#{ $page{$file}{lines} };
	is(join(' ', map { $_ + 1 } @long), '', "$file: no line is longer than 120 characters");
	is(join(' ', map { $_->{line} } grep { $_->{language} !~ /^(?:|sql|sh|python|json|console)$/ } @{ $page{$file}{blocks} }),
		'', "$file: each block is run (sql, sh, python) or says that it is not");
}

# A link's target as a file of ours and an anchor in it; outside ones are not followed.
sub broken
{
	my ($file, $target) = @_;
	my ($path, $anchor) = $target =~ /^([^#]*)(?:#(.*))?$/;
	$path = $path eq '' ? $file : dirname($file) eq '.' ? $path : dirname($file) . "/$path";
	1 while $path =~ s{[^/]+/\.\./}{};
	return "$target: no such file" unless -e $path;
	return if !defined $anchor;
	$page{$path} //= LlavaZh::Page->new($path);
	return (grep { ($_->{anchor} // '') eq $anchor } @{ $page{$path}{headings} }) ? () : "$target: no such heading";
}

for my $file (@LlavaZh::Page::PAGES, 'CHANGELOG.md', 'src/README.md', 'src/reply/replies.md')
{
	my $prose = join "\n", map { $_->[1] } ($page{$file} // LlavaZh::Page->new($file))->prose;
	my @targets = grep { !m{^https?://} } $prose =~ /\]\(([^)\s]+)\)/g;
	is(join("\n", map { broken($file, $_) } @targets), '', "$file: its links lead somewhere");
	next if $file =~ /CHANGELOG|^src/;
	my @paths = grep { !-e } $prose =~ m{`((?:test|src|sql)/[\w./]+\w)`}g;
	is(join(' ', @paths), '', "$file: the files that it names are there");
}

#
# Tests and targets of make
#
my %named = map { $_ => 1 } map { $_->[0] =~ /`([^`]+)`/g } $page{'test/README.md'}->rows('What each test proves');
my @tests = map { m{([^/]+)\.pl$} } glob 'test/t/*.pl';
is(join(' ', grep { !$named{$_} } @tests), '', 'test/README.md says what each TAP test proves');
is(join(' ', grep { /^\d/ && !-e "test/t/$_.pl" } sort keys %named), '', 'and of none that is not there');
my $how = $page{'test/README.md'}->section('How to run them') . $page{'test/README.md'}->section('Benchmarks');
is(join(' ', grep { $how !~ /make [^`]*\b$_\b/ } map { /^## (bench[\w-]*|\w*check|fuzz|soak|rehearsal|purity|rooms):/mg }
	map { slurp_file($_) } 'Makefile', 'test/rooms.mk'), '', 'and names the targets that test and measure');

#
# The catalogue
#
my $node = LlavaZh::Cluster->new('pages', preload => 0);
sub sql { return decode_utf8($node->safe_psql('postgres', $_[0])); }
my $MEMBER = q{FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	AND d.deptype = 'e' AND e.extname = 'llava_zh'};

# Wide enough for a page, and no paragraph.
my %relations;
for (split /\n/, sql(qq{SELECT c.relname, c.relkind, a.attname, replace(format_type(a.atttypid, a.atttypmod),
		'timestamp with time zone', 'timestamptz'), col_description(c.oid, a.attnum)
	$MEMBER JOIN pg_class c ON c.oid = d.objid AND d.classid = 'pg_class'::regclass AND c.relkind IN ('r', 'v')
	JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum}))
{
	my ($relation, $kind, $column, $type, $comment) = split /\|/, $_, 5;
	isnt($comment, '', "$relation.$column has a comment") if $comment eq '';
	push @{ $relations{$relation} }, "| `$column` | $type | $comment |";
}
cmp_ok(scalar(keys %relations), '>=', 28, 'tables and views');
for my $relation (sort keys %relations)
{
	my @wanted = @{ $relations{$relation} };
	my $text = eval { $reference->section($relation) } // '';
	my @there = grep { !/^\| (?:column|-)/ } $text =~ /^(\|.*\|)$/mg;
	my %there = map { $_ => 1 } @there;
	is(join("\n", grep { !$there{$_} } @wanted), '', "sql/README.md has the columns of $relation in the words of \\d+");
	my %column = map { /`(\w+)`/ ? ($1 => 1) : () } @wanted;
	is(join(' ', grep { /^(\w+)$/ && !$column{$1} } map { $text =~ /^\| `(\w+)` \| [\w ]+(?:\[\])? \| /mg } 1), '', 'and no others');
}
is(sql(qq{SELECT string_agg(c.relname, ' ') $MEMBER JOIN pg_class c ON c.oid = d.objid AND d.classid = 'pg_class'::regclass
	WHERE c.relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class') IS NULL}), '', 'each table and view has a comment');
my $sequences = $reference->section('Sequences');
is(join(' ', grep { $sequences !~ /`$_`/ } split /\n/, sql(q{SELECT relname FROM pg_class WHERE relkind = 'S' AND relname ~ '^llava_'})),
	'', 'each sequence is named');

# The defaults of each kind, in Chinese and in English, are those of the shipped tasks.
for my $row (grep { $_->[0] =~ /^`(?:max|min)_\w+`$/ && @$_ == 4 } $reference->rows('llava_task'))
{
	my ($column) = $row->[0] =~ /`(\w+)`/;
	my @said = map { [ /^(\d+)(?: \((\d+)\))?$/ ] } @{$row}[ 1 .. 3 ];
	is(join(' ', map { ($_->[0], $_->[1] // $_->[0]) } @said), sql(qq{SELECT string_agg(${column}::text, ' ' ORDER BY n, language DESC)
		FROM llava_task, LATERAL array_position(ARRAY['dialogue', 'question_answer', 'description'], kind) AS n
		WHERE shipped AND version = 1 AND language IN ('zh', 'en') AND kind <> 'json'}), "sql/README.md has the defaults of $column");
}

# What is written of a function's signature: arguments, and what comes back.
sub signature
{
	my ($name, $kind, $arguments, $result) = @_;
	$arguments =~ s/(DEFAULT (?:NULL|'[^']*'))::[a-z ]+(?:\[\])?/$1/g;
	my @arguments = split /, (?=(?:OUT |INOUT )?"?\w+"? [a-z])/, $arguments;
	my @out = map { s/^OUT //r } grep { /^OUT / } @arguments;
	my $in = join ', ', grep { !/^OUT / } @arguments;
	$result = ($result =~ /^SETOF/ ? 'SETOF ' : '') . '(' . join(', ', @out) . ')' if @out && $kind ne 'p';
	$result =~ s/^TABLE/SETOF /;
	$result =~ s/timestamp with time zone/timestamptz/g;
	return $kind eq 'p' ? "CALL $name($in)" : "$name($in) → $result";
}

my (%signatures, %said_of);
for (split /\n/, sql(qq{SELECT p.oid::regprocedure, p.proname, p.prokind, pg_get_function_arguments(p.oid),
		coalesce(pg_get_function_result(p.oid), ''), coalesce(obj_description(p.oid, 'pg_proc'), '')
	$MEMBER JOIN pg_proc p ON p.oid = d.objid AND d.classid = 'pg_proc'::regclass ORDER BY p.oid::regprocedure::text}))
{
	my ($oid, $name, $kind, $arguments, $result, $comment) = split /\|/, $_, 6;
	isnt($comment, '', "$oid has a comment") if $comment eq '';
	push @{ $signatures{$name} }, signature($name, $kind, $arguments, $result);
	$said_of{$name} = $comment;
}
my %internal = map { my ($name) = $_->[0] =~ /`(\w+)`/; $name => "$_->[1]" } $reference->rows('Internal functions');
for my $name (sort keys %signatures)
{
	my ($block) = $reference->blocks('', $name);
	if (defined $block)
	{
		my $text = join "\n", map { s/\s+/ /gr } split /\n(?=\S)/, $block->{text} =~ s/\n$//r;
		is($text, join("\n", sort @{ $signatures{$name} }), "sql/README.md has $name as it is declared");
	}
	else
	{
		is($internal{$name} // 'no heading, and not among the internal functions', $said_of{$name}, "sql/README.md says what $name does");
	}
	delete $internal{$name};
}
is(join(' ', sort keys %internal), '', 'and names no function that is not there');

#
# Settings, options, formats
#
my %settings = map { $_->[0] =~ /`([^`]+)`/ ? ($1 => $_->[2]) : () } $reference->rows('Settings');
my %who = (sighup => 'reload', superuser => 'superuser', user => 'anyone', postmaster => 'restart');
my %there = map { my ($name, $context) = split /\|/; $name => $who{$context} }
  split /\n/, sql(q{SET client_min_messages = error; LOAD 'llava_zh'; SELECT name, context FROM pg_settings WHERE name LIKE 'llava_zh.%'});
is_deeply(\%settings, \%there, 'each setting has its line, with who may set it');

sub words
{
	my ($statement, $pattern) = @_;
	my ($ret, $out, $err) = $node->psql('postgres', $statement);
	my ($list) = decode_utf8($err) =~ $pattern;
	return sort map { s/^'|'$//gr } split /, (?:and )?| and /, $list // '';
}

sub cells { return sort map { $_->[0] =~ /`(\w+)/g } $reference->rows($_[0], 'own'); }
my $OPTIONS = qr/Valid options in this context are: (.*)\.$/m;
is(join(' ', cells('Server options')), join(' ', words('CREATE SERVER s FOREIGN DATA WRAPPER llava_zh OPTIONS (nosuch \'\')', $OPTIONS)),
	'each option of a server has its line');
$node->create_server('s', 'http://127.0.0.1:1/v1');
is(join(' ', cells('User-mapping options')), join(' ', words('CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (nosuch \'\')', $OPTIONS)),
	'each option of a user mapping has its line');
is(join(' ', cells('Formats')), join(' ', words("SELECT llava_export('nosuch')", qr/The formats are (.*)\.$/m)), 'each format has its line')
  or diag(($node->psql('postgres', "SELECT llava_export('nosuch')"))[2]);
my $options = $reference->section('Export options');
is(join(' ', grep { $options !~ /`$_[ `]/ } grep { $_ ne 'format' } split / /, sql(q{SELECT array_to_string(proargnames, ' ') FROM pg_proc WHERE proname = 'llava_export'})),
	'', 'each argument of llava_export has its line');

$node->stop('fast');
done_testing();
