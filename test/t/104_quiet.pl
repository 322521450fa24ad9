# What a drain with faults says: start, stop, pause and resume in the log, and what
# it is doing in pg_stat_activity.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new(faults => '500=0.1,empty-body=0.1,refusal=0.1,garbage=0.1,429-none=0.1');
my $node = LlavaZh::Cluster->new('quiet', conf => "autovacuum = off\n");
$node->create_server('sim', $endpoint->url, "max_in_flight '8'");
$node->insert_pictures(1, 300);
ok($node->wait_drained, 'a drain with faults of five kinds');
cmp_ok($endpoint->stats->{requests}, '>', 330, 'that befell many');

# a pause and what ends it
$endpoint->control(faults => 'hold=1');
$node->insert_pictures(301, 301);
$endpoint->wait_for(held => 1);
my $activity = "SELECT %s FROM pg_stat_activity WHERE application_name = 'llava_zh worker 0'";
ok($node->wait_query(sprintf($activity, 'state, wait_event_type, xact_start IS NULL, backend_xmin IS NULL'), 'idle\|Extension\|t\|t'),
	'a worker with requests in flight waits for them in no transaction');
if ($node->safe_psql('postgres', "SELECT current_setting('server_version_num')::int >= 170000") eq 't')
{
	ok($node->wait_query(sprintf($activity, 'wait_event'), 'LlavaZhHttp'), 'by name');
}
ok($node->wait_query("SELECT w.slot, w.state, w.activity ~ '^llava_zh: ', w.held FROM llava_stat_worker w JOIN pg_stat_activity a USING (pid) WHERE a.application_name = 'llava_zh worker 0'",
		'0\|idle\|t\|1'), 'llava_stat_worker says what it does and how many rows it holds');
$endpoint->control(faults => '401=1');
$endpoint->control(release => 1);
$node->insert_pictures(311, 320);
ok($node->wait_query('SELECT pause_reason FROM llava_stat_server', 'key'), 'a pause');
$endpoint->wait_for(in_flight_max => 0);
$node->wait_query('SELECT count(*) = 0 FROM llava_pending WHERE holder IS NOT NULL') or die 'rows are held';
$endpoint->control(faults => '');
$node->safe_psql('postgres', "ALTER SERVER sim OPTIONS (SET max_in_flight '9')");
ok($node->wait_drained, 'a resumption');

like($node->safe_psql('postgres', sprintf($activity, 'query')), qr/^llava_zh: \w+/, 'pg_stat_activity says what the worker did last');
$node->stop('fast');

my @lines = grep { /llava_zh/ && !/STATEMENT|statement:/ } split /\n/, slurp_file($node->logfile);
my @other = grep { !/worker \d+ of database "\w+" (?:started|stopped)|server "sim" (?:paused|resumed)|background worker "llava_zh/ } @lines;
# PostgreSQL 19 says of each process that is told to end by whom
@other = grep { !/DETAIL:  Signal sent by PID/ } @other;
is(join("\n", @other), '', 'the log tells of nothing but starts, stops, pauses and resumptions');
is(scalar(grep { /paused \(key\)/ } @lines), 1, 'one pause, one line');
is(scalar(grep { /resumed/ } @lines), 1, 'one resumption, one line');
is(scalar(grep { /worker 0 of database "postgres" started/ } @lines), 1, 'one start, one line');
$endpoint->stop;
done_testing();
