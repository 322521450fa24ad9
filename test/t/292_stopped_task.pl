# A task whose first replies are all rejected for one reason waits, before it has cost a
# request for each picture; people see why, and a new version, llava_resume_task or a reparse
# lets it go on.  Pictures that are merely hard end failed.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new(latency => '40-80');
my $node = LlavaZh::Cluster->new('stopped', conf => "llava_zh.workers = 2\n");
sub sql { return $node->safe_psql('postgres', $_[0]); }
my $state = "SELECT state FROM llava_progress WHERE task = '描述图片'";
my $quiet = 'SELECT count(*) = 0 FROM llava_pending WHERE holder IS NOT NULL';

# a task that accepts nothing; two workers, 64 in flight
$node->create_server('sim', $endpoint->url, "max_in_flight '64'");
sql("INSERT INTO llava_task (name, min_letters) VALUES ('描述图片', 100000)");
my $log = -s $node->logfile;
$node->insert_pictures(1, 400, 'detail');
is($node->wait_query($state, 'stopped'), 'stopped', 'a hopeless task is stopped');
ok($node->wait_query($quiet), 'nothing of it is held any more');
my $cost = $endpoint->stats->{requests};
cmp_ok($cost, '<=', 160, "it has cost $cost requests");
cmp_ok($cost, '>=', 32, 'and 32 at least');
is(sql("SELECT waiting, failed, eta, state FROM llava_progress WHERE task = '描述图片'"), '400|0||stopped', 'its rows wait');
like(sql("SELECT reason FROM llava_progress WHERE task = '描述图片'"),
	qr/^the first replies of version 2 were all rejected \(too_short\): see llava_reply of image \d+, id \d+\. A description's prompt must ask for plain text.*llava_resume_task\('描述图片'\)$/,
	'the reason, the shape, and what helps');
is(sql("SELECT DISTINCT status, reason ~ 'all rejected' FROM llava_status"), 'waiting|t', 'of each row too');
is(sql('SELECT count(*) FROM llava_stopped_task s JOIN llava_reply r ON r.image = s.image AND r.id = s.call AND r.reason = s.reason AND r.task_version = s.version'),
	'1', 'the reply that is named is in the ledger');
my @said = slurp_file($node->logfile, $log) =~ /LOG:  (llava_zh: the rows of task .*)/g;
is(scalar @said, 1, 'the log says it once');
unlike("@said", qr/[\x{4e00}-\x{9fff}]{20}/, 'and has none of the words');

# other tasks go on
$node->insert_pictures(401, 405, '日常对话');
ok($node->wait_query("SELECT count(*) = 5 FROM llava_conversation WHERE task = '日常对话'"), 'other tasks go on');
my ($rc, $out, $err) = $node->psql('postgres', 'CALL llava_drain()');
like($err, qr/NOTICE:  the rows of task "描述图片" wait: the first replies of version 2 are all rejected\nHINT:  A description's prompt/, 'llava_drain says what it leaves');

# it goes on when told to, and is stopped again
$cost = $endpoint->stats->{requests};
is(sql("SELECT llava_resume_task('detail'), llava_resume_task('描述图片')"), 't|f', 'llava_resume_task takes names and aliases');
is($node->wait_query("SELECT count(*) FROM llava_stopped_task", '1'), '1', 'it is found hopeless again');
ok($node->wait_query($quiet), 'and quiet');
cmp_ok($endpoint->stats->{requests} - $cost, '<=', 160, 'for no more than before');

# dumped, and told to go on by its row
my ($dump) = run_command([ 'pg_dump', '-d', $node->connstr('postgres'), '--data-only', '-t', 'llava_stopped_task' ]);
like($dump, qr/^描述图片\t2\ttoo_short\t\d+\t\d+\t/m, 'the row is dumped');
$cost = $endpoint->stats->{requests};
sql('DELETE FROM llava_stopped_task');
ok($node->wait_query('SELECT count(*) = 1 FROM llava_stopped_task'), 'a row that its owner deletes counts likewise');

# a new version goes on, and a reparse takes the row away
sql("INSERT INTO llava_task (name, min_letters) VALUES ('描述图片', 1)");
ok($node->wait_drained, 'a new version goes on');
is(sql("SELECT count(*) FROM llava_conversation WHERE task = '描述图片'"), '400', 'to the end');
is(sql($state), '', 'and nothing waits');
sql('CALL llava_reparse()');
is(sql('SELECT count(*) FROM llava_stopped_task'), '0', 'a reparse that accepts some takes the row away');

# hard pictures: their later attempts are no first ones
$endpoint->control(faults => 'refusal=1');
$node->insert_pictures(501, 524, 'detail');
my $failed = "SELECT count(*) FROM llava_pending WHERE failure = 'refusal'";
is($node->wait_query($failed, '24'), '24', 'pictures that are hard end failed');
is(sql("SELECT llava_retry(reason => 'refusal')"), '24', 'are tried again');
is($node->wait_query("$failed AND variation > 1", '24'), '24', 'and end failed again');
cmp_ok(sql("SELECT count(*) FROM llava_reply WHERE reason = 'refusal'"), '>=', 48, 'after more rejects than stop a task');
is(sql('SELECT count(*) FROM llava_stopped_task'), '0', 'which is not stopped');

$node->stop('fast');
$endpoint->stop;
done_testing();
