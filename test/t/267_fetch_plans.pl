# What a claim of the fetcher reads does not grow with what waits: the plans are lookups
# whatever the statistics say, and a claim touches as many pages with many rows as with few.
#
# LLAVA_FETCH_ROWS: the many (100,000; of which half on one host).
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Web;
use PostgreSQL::Test::Utils;
use Test::More;

my $few = 10_000;
my $many = $ENV{LLAVA_FETCH_ROWS} // 100_000;
my $web = LlavaZh::Web->new;
my $node = LlavaZh::Cluster->new('fetchplans', conf => $web->settings(fetch_delay => '100ms') . <<'CONF');
shared_preload_libraries = 'llava_zh, auto_explain'
auto_explain.log_min_duration = 0
auto_explain.log_nested_statements = on
auto_explain.log_analyze = on
auto_explain.log_buffers = on
auto_explain.log_timing = off
auto_explain.log_triggers = off
log_line_prefix = '%m [%p] %b %q%a '
autovacuum = off
fsync = off
shared_buffers = 256MB
max_wal_size = 4GB
CONF
my $log = $node->logfile;
sub sql { return $node->safe_psql('postgres', "SET auto_explain.log_min_duration = -1; $_[0]"); }

# the statements of the fetcher since a place in the log: [text, plan, pages of all nodes]
sub statements
{
	my ($from) = @_;
	my @found;
	for my $entry (split /^(?=\d{4}-\d\d-\d\d )/m, slurp_file($log, $from))
	{
		next if $entry !~ /^\S+ \S+ \S+ \[\d+\] llava_zh fetcher .*LOG:  duration: .* plan:\n\s*Query Text: (.*?)\n(.*)/s;
		my ($text, $plan) = ($1, $2);
		# the first line of it is the whole statement's
		my ($buffers) = $plan =~ /Buffers: shared (.*)/;
		my $pages = 0;
		$pages += $_ for ($buffers // '') =~ /(?:hit|read)=(\d+)/g;
		push @found, [ $text, $plan, $pages ];
	}
	return @found;
}

# Rows are there, a new fetcher takes some: the plans, and the pages that a claimed row costs.
sub claims
{
	my ($what) = @_;
	my $before = sql('SELECT count(*) FROM llava_fetched');
	$node->append_conf('postgresql.conf', "llava_zh.fetch = on\n");
	my $from = -s $log;
	$node->restart;
	ok($node->wait_query("SELECT count(*) >= $before + 500 FROM llava_fetched"), "$what: pictures come");
	$node->append_conf('postgresql.conf', "llava_zh.fetch = off\n");
	$node->restart;
	my @all = statements($from);
	my $claimed = grep { $_->[0] =~ /^UPDATE llava_fetch f SET holder/ } @all;
	$claimed = grep { $_->[0] =~ /llava_fetch f SET holder/ } @all;
	cmp_ok($claimed, '>', 400, "$what: claims are in the log");
	my %pages;
	my %n;
	for my $statement (@all)
	{
		my $kind = substr $statement->[0], 0, 100;
		$pages{$kind} += $statement->[2];
		$n{$kind}++;
	}
	diag sprintf('%7.1f pages x %5d  %s', $pages{$_} / $n{$_}, $n{$_}, $_) for sort { $pages{$b} <=> $pages{$a} } keys %pages;
	my ($worst) = sort { $b->[2] <=> $a->[2] } @all;
	diag "worst: $worst->[2] $worst->[0] $worst->[1]";
	return;
}

sub fill
{
	my ($rows) = @_;
	$node->append_conf('postgresql.conf', "llava_zh.fetch_in_flight = 1\nllava_zh.fetch = on\n");
	$node->reload;
	$node->wait_query("SELECT current_setting('llava_zh.fetch')", 'on');
	sql("INSERT INTO llava_image (source_url) SELECT format('http://allow%s.test:$web->{port}/picture/%s', CASE WHEN n % 2 = 0 THEN 0 ELSE n % 1000 END, n) FROM generate_series(1, $rows) n");
	$node->append_conf('postgresql.conf', "llava_zh.fetch_in_flight = 64\n");
	return;
}

fill($few);
claims('few rows');
$node->stop('fast');
done_testing();
