# A commit that queued rows wakes the workers once, however many rows it queued, and
# the 100,000th commit of a session as cheaply as the first.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# no server: nothing but commits gives the worker reason to wake
my $node = LlavaZh::Cluster->new('wakes', conf => "autovacuum = off\n");
my $wakes = 'SELECT wakes FROM llava_stat_worker';
ok($node->wait_query('SELECT count(wakes) FROM llava_stat_worker', '1'), 'a worker waits');
# it has waited once, and from then on counts
my $looks = $node->safe_psql('postgres', 'SELECT looks FROM llava_stat_worker');
$node->wait_query("SELECT looks >= $looks + 2 FROM llava_stat_worker") or die 'it does not look';
my $before = $node->safe_psql('postgres', $wakes);

# what was inserted here wakes: each of these is one transaction
$node->insert_pictures(1, 1000);
ok($node->wait_query($wakes, $before + 1), 'an INSERT of 1,000 pictures is one wake');
$node->safe_psql('postgres', 'BEGIN; ' . LlavaZh::Cluster::pictures_sql(1001, 1010) . 'ROLLBACK;');
$node->safe_psql('postgres',
	'BEGIN; ' . LlavaZh::Cluster::pictures_sql(1011, 1020) . LlavaZh::Cluster::pictures_sql(1021, 1030) . 'COMMIT;');
ok($node->wait_query($wakes, $before + 2), 'so is a transaction of several, and one that is rolled back is none');

# Commits of one session that each queue a row; the clock ticks its CPU time is worth.
my $session = $node->background_psql('postgres', on_error_stop => 1);
my $pid = $session->query_safe('SELECT pg_backend_pid()');

sub ticks
{
	my @fields = split ' ', (slurp_file("/proc/$pid/stat") =~ s/.*\) //sr);
	return $fields[11] + $fields[12];
}

sub commits
{
	my ($n) = @_;
	my $from = ticks();
	$session->query_safe(<<"SQL");
DO \$\$
BEGIN
	FOR i IN 1..$n LOOP
		DELETE FROM llava_pending WHERE image = 1;
		PERFORM llava_enqueue(1, 'detail');
		COMMIT;
	END LOOP;
END \$\$;
SQL
	return ticks() - $from;
}

commits(1000);
my $first = commits(9000);
$node->safe_psql('postgres', 'VACUUM llava_pending');
commits(15000), $node->safe_psql('postgres', 'VACUUM llava_pending') for 1 .. 4;
my ($last) = sort { $a <=> $b } map { my $ticks = commits(10000); $node->safe_psql('postgres', 'VACUUM llava_pending'); $ticks } 1 .. 3;
ok($node->wait_query($wakes, $before + 2 + 100_000), '100,000 commits of a session are as many wakes');
cmp_ok($last, '<=', 2 * $first, "the last 10,000 cost no more than the first ($last and $first ticks of CPU time)");
$session->quit;

$node->stop('fast');
done_testing();
