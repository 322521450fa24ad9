# The reference names every reason that the code can give for a picture, a row or a pause,
# every flag of a reply and every rule of an export, and no other.  They are read from the
# sources, so this needs no server.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Page;
use PostgreSQL::Test::Utils;
use Test::More;

# Images that are well, and what no row ends with: its worker does.
my %not_written = map { $_ => 1 } qw(ok no_directory stopped);

my %given;

sub give
{
	$given{$_} = 1 foreach grep { !$not_written{$_} } @_;
}

sub source
{
	my $text = slurp_file($_[0]);
	$text =~ s{/\*.*?\*/}{}gs;
	return $text;
}

sub strings
{
	return $_[0] =~ /"([^"]*)"/g;
}

# What stands between these words; "" is a failure, since then the code has changed.
sub part
{
	my ($file, $pattern) = @_;
	my ($part) = source($file) =~ $pattern;
	ok(defined $part, "$file is as this test reads it");
	return $part // '';
}

# names in tables
give(strings(part('src/image/image.c', qr/^image_status_name\(.*?names\[\] = \{(.*?)\};/ms)));
give(strings(part('src/reply/reply.c', qr/reason_names\[REPLY_REASONS\] = \{(.*?)\};/s)));

# names that functions return
give(part('src/vlm/finish.c', qr/^vlm_envelope_reason\((.*?)^\}/ms) =~ /return "(\w+)"/g);
give(strings(part('src/vlm/error_verdict.c', qr/^server_reason\((.*?)^\}/ms)));
give(strings(part('src/pg/server/limits_chance.c', qr/^used_up_option\((.*?)^\}/ms)));
give(strings(part('src/pg/server/limits_chance.c', qr/^limits_closed_by\((.*?)^\}/ms)));

# what libcurl's codes mean
my @codes = source('src/vlm/outcome.c') =~ /\{CURLE_\w+, VLM_\w+, "(\w+)"/g;
cmp_ok(scalar @codes, '>', 5, 'there is a table of codes');
give(@codes);

# outcomes of requests; one of load is written nowhere, its row only waits
foreach my $file ('src/vlm/outcome.c', 'src/vlm/error_verdict.c')
{
	my @outcomes = source($file) =~ /\bset\(outcome, VLM_(\w+,[^;]*);/g;
	cmp_ok(scalar @outcomes, '>', 10, "$file has outcomes");
	foreach (grep { !/^THROTTLE/ } @outcomes)
	{
		s/\bsays\([^)]*\)//g;
		give(strings($_));
	}
}

# Assignments of one kind in all files: those of a name give it, the others are known.
sub give_assigned
{
	my ($pattern, @known) = @_;
	my %known = map { $_ => 1 } @known;
	my @unknown;
	my $n = 0;

	foreach my $file (glob 'src/pg/*/*.c')
	{
		foreach (source($file) =~ /$pattern/g)
		{
			$n++;
			/^"(\w+)"$/ ? give($1) : $known{$_} || push @unknown, "$file: $_";
		}
	}
	cmp_ok($n, '>', 0, "there are assignments as $pattern");
	is(join("\n", @unknown), '', 'and each is a name or known');
}

# what the caller says, and what was judged or paused for before
give_assigned(qr/(?:->|\.)fault = ([^;]+);/, 'fault', 'image_status_name(job->status)', 'WEB_FAULT_MEMORY');
give_assigned(qr/outcome(?:->|\.)reason = ([^;]+);/, 'reason');
give_assigned(qr/\bserver_pause\(\w+, ([^,]+),/, 'outcome->reason', 'pause.reason', 'reason');
give_assigned(qr/COLUMN_REJECTED, CStringGetTextDatum\(([^;]+)\)\);/, 'image_status_name(status)', 'reason');

# the fetch: why a URL is refused, what a fault and a status mean, why rows rest
foreach my $file ('src/web/url.c', 'src/web/url_host.c')
{
	my @reasons = source($file) =~ /return "(\w+)";/g;
	cmp_ok(scalar @reasons, '>', 2, "$file has reasons");
	give(@reasons);
}
my $fetch = join '', map { source($_) } glob 'src/pg/fetch/*.c';
give($fetch =~ /\{"(\w+)", \w+, WEB_FAULT_/g);
give(grep { defined } $fetch =~ /outcome_make\(OUTCOME_\w+, (?:[^,"]*\? )?"(\w+)"(?: : "(\w+)")?,/g);
give($fetch =~ /\b(?:rest|rest_row)\(errand, "(\w+)"/g);
give($fetch =~ /host_rest_rows\(\w+, "(\w+)"/g);
give($fetch =~ /robots_did_not_come\(host, "(\w+)"/g);
give(map { /"(\w+)"/g } $fetch =~ /rests = pstrdup\(([^;]*)\);/g);

# statements
my $statements = join '', map { source($_) } glob 'src/pg/*/*.[ch]';
foreach ($statements =~ /\bfailure = ('\w+'|CASE .*? END|\S+)(?=[, "])/g)
{
	# a variable, or what another statement has judged
	next if /^(?:NULL|EXCLUDED|\$\d|v\.failure|SPI_)/;
	my @names = /'(\w+)'/g;
	is(scalar @names, 1, "a statement writes one reason: $_");
	give(@names);
}
give(part('src/pg/ledger/followers.c', qr/sql_follow = \{(.*?)\};/s) =~ /'(condition\w*)'/g);
give(part('sql/parts/server.sql', qr/ AS state,(.*?) AS pause_reason/s) =~ /THEN '(\w+)'/g);

# The second column of the section's tables; code font that is no reason names a setting.
my $reference = LlavaZh::Page->new('sql/README.md');
my %named;
my $column = '';
foreach (split /\n/, $reference->section('How failures end'))
{
	my (undef, undef, $second) = split /\s*\|\s*/;
	$column = '' unless /^\|/;
	next unless /^\|/;
	if ($column eq '')
	{
		$column = $second;
	}
	elsif ($column =~ /reason|failure/)
	{
		$named{$_} = 1 foreach $second =~ /`([^`]+)`/g;
	}
}

cmp_ok(scalar(keys %given), '>', 60, 'the code has reasons');
is(join(' ', grep { !$named{$_} } sort keys %given), '', 'sql/README.md names each reason that the code can give');
is(join(' ', grep { !$given{$_} } sort keys %named), '', 'sql/README.md names no other');

# flags and rules: a table each
sub first_cells
{
	return join ' ', sort map { $_->[0] =~ /^`(\w+)`$/ } $reference->rows($_[0]);
}

is(first_cells('Flags'), join(' ', sort(strings(part('src/reply/reply.c', qr/flag_names\[REPLY_FLAGS\] = \{(.*?)\};/s)))),
	'and each flag');
is(first_cells('Export rules'), join(' ', sort(part('src/pg/export/export_rules.c', qr/export_rules\[FAULTS\] =(.*?)\n};/s) =~ /\{"(\w+)",/g)),
	'and each rule of exports');
my ($warnings) = $reference->section('Export rules') =~ /also warns of (.*)/;
is(join(' ', sort(($warnings // '') =~ /`(\w+)`/g)),
	join(' ', sort(part('sql/parts/export.sql', qr/CREATE FUNCTION @\.llava_validate\((.*?)^END;/ms) =~ /SELECT '(\w+)',/g)),
	'and what llava_validate warns of');

done_testing();
