# The roles of the cookbook and what its grants let them read: the grants are taken from the
# page as they stand there, so that a test and the page cannot differ.
package LlavaZh::Rights;

use strict;
use warnings;
use Encode qw(encode_utf8);
use LlavaZh::Page;
use PostgreSQL::Test::Utils;
use Test::More;

# Which views each role reads.
my @READS_ALL = qw(reader operator publisher reviewer);
my @READS_NONE = qw(caller feeder loader);
my $WORDS = qr/^llava_stat_(?:length|opening|repeat)$/;

sub roles
{
	return ('monitor', @READS_ALL, @READS_NONE);
}

sub grants
{
	my $page = LlavaZh::Page->new('sql/cookbook.md');
	return encode_utf8($page->block('How do I give each colleague only the rights they need?'));
}

# Grants what the cookbook grants.  The server qwen is there.
sub set_up
{
	my ($node, $database) = @_;
	my $grants = grants();
	my %named = map { $_ => 1 } $grants =~ /\bTO (\w+);/g;
	is(join(' ', sort keys %named), join(' ', sort(roles())), 'the cookbook grants something to each role');
	$node->safe_psql($database, "CREATE ROLE $_") for sort keys %named;
	$node->safe_psql($database, $grants);
	return;
}

# llava_keep_in has no rows: it takes lines in.
sub views
{
	my ($node, $database) = @_;
	return split /\n/, $node->safe_psql($database, <<'SQL');
SELECT c.relname FROM pg_extension e
JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'
JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'v'
WHERE e.extname = 'llava_zh' AND c.relname <> 'llava_keep_in' ORDER BY 1
SQL
}

sub reads
{
	my ($role, $view) = @_;
	return 1 if grep { $_ eq $role } @READS_ALL;
	return 0 if grep { $_ eq $role } @READS_NONE;
	return $view =~ /^llava_(?:progress|work|stat_\w+)$/ && $view !~ $WORDS;
}

# What of a view is the same a moment later.
my %STEADY = (
	llava_stat_worker => 'pid, slot, held',
	llava_work => 'pid, what, total',
	llava_stat_server => 'server, state, requests, replies, accepted, cost, in_flight, answers',
	llava_progress => 'task, waiting, in_flight, done, failed, replies, rejected, interrupted, shortfall, weight');

# The rows of a view as a role sees them, or (undef, error); without a role as a superuser
# does, after a change that is rolled back.
sub rows
{
	my ($node, $database, $view, $role, $change) = @_;
	my $columns = $STEADY{$view} // '*';
	my $before = defined $role ? "SET ROLE $role;" : defined $change ? "BEGIN; $change;" : '';
	# all columns are read, whatever is compared
	my ($ret, $out, $err) = $node->psql($database, "$before SELECT count(v.*) FROM $view v;
		SELECT v::text FROM (SELECT $columns FROM $view) v ORDER BY 1", on_error_stop => 1);
	return ($ret == 0 ? $out : undef, $err);
}

# Each role reads the views that it may, and sees there what a superuser does, and no other.
sub check_views
{
	my ($node, $database) = @_;
	my @views = views($node, $database);
	cmp_ok(scalar(@views), '>=', 16, 'the views');
	for my $view (@views)
	{
		my ($all) = rows($node, $database, $view);
		for my $role (roles())
		{
			my ($seen, $err) = rows($node, $database, $view, $role);
			if (reads($role, $view))
			{
				is($seen, $all, "$role reads $view") or diag($err);
			}
			else
			{
				is($seen, undef, "$role does not read $view");
				like($err, qr/permission denied/, 'and is told so');
			}
		}
	}
	return;
}

1;
