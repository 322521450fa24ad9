# "In flight" is what was sent and not answered, in every view and by task as well as by
# server; what is claimed ahead waits, and passes for interrupted only where nobody can know.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use LlavaZh::Rights;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new(faults => 'hold=1');
my $node = LlavaZh::Cluster->new('inflight', conf => "llava_zh.naptime = '200ms'\n");
$node->create_server('qwen', $endpoint->url, "max_in_flight '8'");
sub sql { return $node->safe_psql('postgres', shift); }

# the window open, eight in flight and as many claimed ahead
sub fill
{
	my ($what) = @_;
	$endpoint->wait_for(in_flight => 8) or die 'nothing is in flight';
	ok($node->wait_query('SELECT count(*) >= 14 FROM llava_pending WHERE holder IS NOT NULL'), "$what: more is claimed than sent");
	return;
}

# lets all that is held go, and holds what comes then
sub answer_all
{
	$endpoint->control(faults => '');
	$endpoint->control(release => 1);
	return;
}

#
# One meaning.  A session's request is about no row: it has one of the slots.
#
my $png = unpack('H*', LlavaZh::Cluster::png(1000));
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_until(qr/asking/, "\\echo asking\nSELECT jsonb_typeof(llava_generate(decode('$png', 'hex'), 'detail'));\n");
ok($node->wait_query('SELECT in_flight FROM llava_stat_server', '1'), 'llava_generate asks');
is(sql('SELECT sum(in_flight) + sum(waiting) FROM llava_progress'), '0', 'about no row of the queue');
$node->insert_pictures(1, 24, 'detail');
$node->insert_pictures(25, 40, 'conversation');
fill('two tasks');
is(sql('SELECT sum(in_flight), sum(waiting), sum(waiting + in_flight) = (SELECT count(*) FROM llava_pending) FROM llava_progress'),
	'7|33|t', 'in flight is what was sent, all else of the queue waits');
is(sql('SELECT in_flight FROM llava_stat_server'), '8', 'the same number at the server, and the session\'s');
is(sql("SELECT in_flight, waiting FROM llava_progress WHERE task = '描述图片'"), '7|17', 'and of one task');
is(sql("SELECT in_flight, waiting FROM llava_progress WHERE task = '日常对话'"), '0|16', 'but not of the other');
is(sql("SELECT count(*) FROM llava_status WHERE status = 'in flight'"), '0', 'no row is said to be in flight that may not be');
is(sql("SELECT count(*) = (SELECT count(*) FROM llava_pending WHERE holder IS NOT NULL) FROM llava_status WHERE status = 'claimed'"), 't', 'it is claimed');

# who may watch is told the same
LlavaZh::Rights::set_up($node, 'postgres');
is(sql('SET ROLE monitor; SELECT sum(in_flight) FROM llava_progress'), '7', 'the monitor of the cookbook reads it');

# a picture that is taken down in mid-air is asked about all the same
sql('DELETE FROM llava_pending WHERE call = (SELECT min(call) FROM llava_pending)');
is(sql('SELECT sum(in_flight), sum(waiting) FROM llava_progress'), '7|32', 'a row that is deleted in mid-air changes nothing of that');
answer_all();
$session->quit;
ok($node->wait_drained, 'all is answered');
is(sql('SELECT sum(in_flight) + sum(waiting) FROM llava_progress'), '0', 'and nothing is left');
is(sql('SELECT in_flight FROM llava_stat_server'), '0', 'at the server neither');

#
# A worker that is told to end knows what it had sent.
#
sql("ALTER SERVER qwen OPTIONS (SET max_in_flight '8')");
$endpoint->control(faults => 'hold=1');
$node->insert_pictures(41, 80);
fill('a stop');
my $pid = $node->worker_pid;
kill 'TERM', $pid;
ok($node->wait_query('SELECT count(*) FILTER (WHERE sent), count(*) FROM llava_interrupted', '8\|8'), 'calls that were under way are interrupted, as sent; no other');
is(sql('SELECT count(*) FROM llava_interrupted i JOIN llava_pending p USING (image, task) WHERE p.attempts > 1'), '0', 'none has burnt an attempt');
my %sent = map { $_->{request_id} => 1 } $endpoint->requests;
is(scalar(grep { !$sent{$_} } split /\n/, sql('SELECT call FROM llava_interrupted')), 0, 'each has reached the endpoint');
$node->worker_pid($pid);
ok($node->wait_query('SELECT sum(in_flight) > 0 FROM llava_progress'), 'its counts went with it, the next worker counts its own');
answer_all();
ok($node->wait_drained, 'the next worker asks again');
is(sql('SELECT count(*), count(DISTINCT image) FROM llava_conversation'), '79|79', 'one sample each');

#
# A drain that is cancelled, and a call that another takes before it is sent.
#
$node->stop('fast');
$node->append_conf('postgresql.conf', "llava_zh.databases = ''\nllava_zh.retry_delay_max = '10s'\n");
$node->start;
sql('TRUNCATE llava_interrupted');
sql("ALTER SERVER qwen OPTIONS (SET max_in_flight '2', ADD request_timeout '40s')");
$endpoint->control(faults => 'hold=1');
$node->insert_pictures(81, 84);
sub start_drain
{
	return IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'CALL llava_drain()' ],
		'<', \undef, '>', \my $out, '2>', \my $err);
}
my $first = start_drain();
ok($node->wait_query('SELECT count(call) FROM llava_pending', '4'), 'a drain has claimed four');
$endpoint->wait_for(in_flight => 2) or die;
is(sql('SELECT sum(in_flight), sum(waiting) FROM llava_progress'), '2|2', 'of which two are in flight');
my $call = sql('SELECT max(call) FROM llava_pending');
sql("UPDATE llava_pending SET visible_at = now() WHERE call = $call");
my $second = start_drain();
ok($node->wait_query("SELECT call, sent IS NULL FROM llava_interrupted", "$call\\|t"), 'another one takes the last: nobody knows whether it was sent');
sql("ALTER SERVER qwen OPTIONS (SET request_timeout '1h')");
ok($node->wait_query('SELECT count(*) = 0 FROM llava_interrupted'), 'until the first finds that it is not to send it');
answer_all();
$_->finish for $first, $second;
is(sql('SELECT count(*), count(DISTINCT image) FROM llava_conversation'), '83|83', 'and each is asked once');
is(scalar(grep { $_->{request_id} eq $call } $endpoint->requests), 0, 'that call never was');

#
# After a crash nobody knows.
#
sql("ALTER SERVER qwen OPTIONS (SET max_in_flight '8')");
$node->append_conf('postgresql.conf', "llava_zh.databases = 'postgres'\n");
$endpoint->control(faults => 'hold=1');
$node->insert_pictures(101, 140);
$node->restart;
fill('a crash');
my $held = sql('SELECT count(*) FROM llava_pending WHERE holder IS NOT NULL');
cmp_ok($held, '<=', 16, 'no more than two windows are claimed');
$pid = $node->worker_pid;
kill 'KILL', $pid;
ok($node->wait_query('SELECT count(*), count(sent) FROM llava_interrupted', "$held\\|0"), 'what was claimed may have been sent: it is not known');
answer_all();
ok($node->wait_drained, 'the next worker asks again');

#
# Where nothing is shared a held row stands for a request.
#
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
$endpoint->control(faults => 'hold=1');
$node->restart;
sql("LOAD 'llava_zh'; " . LlavaZh::Cluster::pictures_sql(201, 204));
sql("ALTER SERVER qwen OPTIONS (SET max_in_flight '2')");
$first = start_drain();
ok($node->wait_query('SELECT count(call) FROM llava_pending', '4'), 'not preloaded: a drain has claimed four');
is(sql('SELECT sum(in_flight), sum(waiting) FROM llava_progress'), '4|0', 'and they count as in flight');
answer_all();
$first->finish;

$node->stop('fast');
$endpoint->stop;
done_testing();
