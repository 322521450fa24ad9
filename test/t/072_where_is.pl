# The table "Where is ..." of src/README.md names a function, or a table, that stands in that file.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;

my ($table) = slurp_file('src/README.md') =~ /^## Where is \.\.\.\n(.*?)^## /ms;
ok(defined $table, 'there is the table');
my $n = 0;
foreach my $line (split /\n/, $table // '')
{
	my ($question, $file, $name) = $line =~ /^\| ([^|]+) \| `([^`|]+)` \| `(\w+)` \|$/ or next;
	my $source = -f "src/$file" ? slurp_file("src/$file") : '';
	like($source, qr/^(?:static const \w+ )?$name(?:\(|\[)/m, "$question: src/$file, $name");
	$n++;
}
cmp_ok($n, '>=', 10, 'with its questions');
is(scalar(() = ($table // '') =~ /^\|/mg), $n + 2, 'each in a line that this test reads');
done_testing;
