# The worker's plans are lookups, whatever the statistics say: none were taken yet, or
# when nothing waited, and then a million rows come.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('plans', conf => <<'CONF');
shared_preload_libraries = 'llava_zh, auto_explain'
auto_explain.log_min_duration = 0
auto_explain.log_nested_statements = on
log_line_prefix = '%m [%p] %q%a '
autovacuum = off
CONF
my $log = $node->logfile;

# the plans of the background processes' statements since a place in the log
sub plans
{
	my ($from) = @_;
	my @entries = split /^(?=\d{4}-\d\d-\d\d )/m, slurp_file($log, $from);
	return grep { /^\S+ \S+ \S+ \[\d+\] LOG:  duration: .* plan:/ && /\bllava_/ } @entries;
}

# Every picture waits for every task; a new worker asks for some.
sub drains_by_lookups
{
	my ($what) = @_;
	$node->safe_psql('postgres', 'TRUNCATE llava_pending, llava_reply, llava_conversation, llava_usage');
	$node->safe_psql('postgres', "INSERT INTO llava_pending (image, task) SELECT i.id, t.name FROM llava_image i, llava_task t WHERE t.weight > 0");
	my $from = -s $log;
	$node->restart;
	$node->create_server('sim', $endpoint->url, "max_in_flight '16', max_requests '500'");
	ok($node->wait_query('SELECT count(*) = 500 FROM llava_conversation'), "$what: samples come");
	$node->safe_psql('postgres', 'DROP SERVER sim CASCADE');
	my @plans = plans($from);
	my @claims = grep { /WITH picked/ } @plans;
	cmp_ok(scalar @claims, '>', 10, "$what: claims are in the log");
	my ($sorted) = grep { /^\s+->  (?:Incremental )?Sort/m } @claims;
	is($sorted, undef, "$what: no claim sorts the queue");
	my ($searched) = grep { !/->  Tid Scan on llava_pending/ } @claims;
	is($searched, undef, "$what: a claim has the rows it locked at hand, without a look through an index");
	my ($scanned) = grep { /(?:Seq|Bitmap Heap) Scan on llava_(?:pending|image|reply|conversation|seen|hash)\b/ } @plans;
	is($scanned, undef, "$what: no table that grows is read whole");
	return;
}

# one JPEG, and a comment in it that makes each copy's bytes its own
my $png = unpack('H*', LlavaZh::Cluster::png(1));
$node->safe_psql('postgres', <<"SQL");
INSERT INTO llava_image (image)
SELECT substring(jpeg FROM 1 FOR 2) || '\\xfffe000a'::bytea || int8send(n) || substring(jpeg FROM 3)
FROM generate_series(1, 15000) AS n, (SELECT llava_prepare_image(decode('$png', 'hex')) AS jpeg OFFSET 0) AS j
SQL
drains_by_lookups('no statistics');
$node->safe_psql('postgres', 'TRUNCATE llava_pending');
$node->safe_psql('postgres', 'VACUUM ANALYZE');
drains_by_lookups('statistics of an empty queue');
$node->safe_psql('postgres', 'TRUNCATE llava_pending');
$node->safe_psql('postgres', "INSERT INTO llava_pending (image, task, visible_at) SELECT id, '描述图片', '2100-01-01' FROM llava_image");
$node->safe_psql('postgres', 'ANALYZE llava_pending');
drains_by_lookups('statistics of a queue that rests');

$node->stop('fast');
$endpoint->stop;
done_testing();
