# What a claim of the fetcher reads grows neither with the rows that wait, whatever the
# statistics say, nor with the dead entries that a snapshot keeps.
#
# LLAVA_FETCH_ROWS: as many as many (100,000); half of all are of one host.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Web;
use List::Util qw(sum0);
use PostgreSQL::Test::Utils;
use Test::More;

my $few = 10_000;
my $many = $ENV{LLAVA_FETCH_ROWS} // 100_000;
my $web = LlavaZh::Web->new;
my $node = LlavaZh::Cluster->new('fetchplans', conf => $web->settings(fetch_delay => '100ms', fetch_in_flight => 64) . <<'CONF');
shared_preload_libraries = 'llava_zh, auto_explain'
auto_explain.log_min_duration = 0
auto_explain.log_nested_statements = on
auto_explain.log_analyze = on
auto_explain.log_buffers = on
auto_explain.log_timing = off
log_line_prefix = '%m [%p] %b %q%a '
llava_zh.naptime = '1min'
autovacuum = off
shared_buffers = 256MB
max_wal_size = 4GB
CONF
my $log = $node->logfile;
sub sql { return $node->safe_psql('postgres', join '', map { "$_;\n" } 'SET auto_explain.log_min_duration = -1', @_); }

# The statements that claims are made of.
my %claim = (
	due => qr/^SELECT host, name, .* next_at <= /s,
	next => qr/^SELECT next_at FROM/,
	'first row' => qr/^SELECT visible_at FROM .*llava_fetch /,
	row => qr/^UPDATE .*llava_fetch f SET holder = /,
	waits => qr/^SELECT FROM .*llava_image WHERE id/,
	forgotten => qr/^SELECT 'its URL was taken down/,
	known => qr/^SELECT coalesce\(i\.same_as/,
	first => qr/^SELECT pg_catalog\.max\(CASE WHEN holder/,
	host => qr/^UPDATE .*llava_host SET host = host/);

# What the fetcher has run since a place in the log: pages of each kind of claim's
# statements in their order, and the plans of all.
sub statements
{
	my ($from) = @_;
	my (%pages, @plans);
	for my $entry (split /^(?=\d{4}-\d\d-\d\d )/m, slurp_file($log, $from))
	{
		next if $entry !~ /^\S+ \S+ \S+ \[\d+\] llava_zh fetcher .*LOG:  duration: .* plan:\n\s*Query Text: (.*?)\n(.*)/s;
		my ($text, $plan) = ($1, $2);
		# the first line of pages is the whole statement's
		my ($buffers) = $plan =~ /Buffers: shared (.*)/;
		my ($kind) = grep { $text =~ $claim{$_} } keys %claim;
		push @{ $pages{$kind} }, sum0(($buffers // '') =~ /(?:hit|read)=(\d+)/g) if defined $kind;
		# what a fetcher before it was asking is looked for once
		push @plans, "$text\n$plan" if $text !~ / SET asking = false/;
	}
	return (\%pages, @plans);
}

# A new fetcher takes some; pages that a claimed row has cost, of each kind.
sub claims
{
	my ($what, $most) = @_;
	my $before = sql('SELECT count(*) FROM llava_fetched');
	my $from = -s $log;
	sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'llava_zh fetcher'");
	ok($node->wait_query("SELECT count(*) >= $before + $most FROM llava_fetched"), "$what: $most pictures come");
	my ($pages, @plans) = statements($from);
	is(join(' ', grep { !$pages->{$_} } sort keys %claim), '', "$what: each statement of a claim is in the log");
	my $claimed = @{ $pages->{row} };
	my %cost = map { $_ => sum0(@{ $pages->{$_} }) / $claimed } keys %claim;
	note "$what: pages a claimed row: " . join(', ', map { sprintf '%s %.1f', $_, $cost{$_} } sort keys %cost);
	my ($scanned) = grep { /(?:Seq|Bitmap Heap) Scan on llava_(?:fetch|host|fetched|image|seen)\b/ } @plans;
	is($scanned, undef, "$what: no table that grows is read whole");
	my ($removed) = grep { /Rows Removed by Filter: [1-9]\d{2}/ } @plans;
	is($removed, undef, "$what: what is read is what is looked for");
	my ($sorted) = grep { /^\s+->  (?:Incremental )?Sort/m && /LIMIT/ } @plans;
	is($sorted, undef, "$what: no line of rows or hosts is sorted");
	return (\%cost, $pages);
}

sub insert
{
	my ($first, $last) = @_;
	sql("INSERT INTO llava_image (source_url) SELECT format('http://allow%s.test:$web->{port}/picture/%s', CASE WHEN n % 2 = 0 THEN 0 ELSE n % 1000 END, n) FROM generate_series($first, $last) n");
	return;
}

insert(1, $few);
ok($node->wait_query("SELECT count(*) > 100 FROM llava_fetched"), 'it has begun');
sql('VACUUM');
my ($cost_few) = claims("$few rows", 500);
insert($few + 1, $many);
sql('VACUUM ANALYZE');
my ($cost_many) = claims("$many rows", 500);
cmp_ok(sum0(values %$cost_many), '<=', 1.2 * sum0(values %$cost_few), 'a claim reads as many pages of many rows as of few');

# Each request leaves entries of its host behind, which a snapshot keeps from being removed.
my $snapshot = $node->background_psql('postgres');
$snapshot->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM llava_host');
my (undef, $pages) = claims('beside a snapshot', 2000);
for my $kind (qw(due next))
{
	my @of = @{ $pages->{$kind} };
	my $third = int(@of / 3);
	# the first one looks at the whole line
	my ($early, $late) = map { sum0(@$_) / @$_ } [ @of[ 1 .. $third ] ], [ @of[ -$third .. -1 ] ];
	cmp_ok($late, '<', 2 * $early + 20, sprintf '%s: dead entries are not read again and again (%.0f pages, %.0f before)', $kind, $late, $early);
}
$snapshot->quit;

$node->stop('fast');
done_testing();
