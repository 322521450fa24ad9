# A worker that is told to end first settles the replies that have come, and gives back
# what it claimed but did not send.  What holds that up does not hold up its end.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('stop');
$node->create_server('sim', $endpoint->url, "max_in_flight '30'");
sub sql { return $node->safe_psql('postgres', shift); }

# The worker, stopped (SIGSTOP) with others claimed and 30 requests in flight, whose
# replies have come since and wait in its sockets.
sub stopped_before_replies
{
	my ($first, $last) = @_;
	$endpoint->control(faults => 'hold=1');
	$node->insert_pictures($first, $last);
	$endpoint->wait_for(in_flight => 30) or die 'nothing is in flight';
	# beyond what leads to another claim
	$node->wait_query('SELECT count(*) > 45 FROM llava_pending WHERE call IS NOT NULL', 't') or die 'no more are claimed';
	my $pid = $node->worker_pid;
	kill 'STOP', $pid;
	$endpoint->control(release => 1);
	$endpoint->wait_for(in_flight_max => 0) or die 'replies are held';
	return $pid;
}

# A reload has the launcher start it at once.
sub next_worker
{
	my ($pid) = @_;
	$node->wait_query("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid", 't') or die 'it does not end';
	$node->reload;
	$node->worker_pid($pid);
	$endpoint->wait_for(in_flight => 30) or die 'it asks nothing';
	return;
}

# past slow start
$node->insert_pictures(1, 300);
ok($node->wait_drained, 'a full window is open');
my $requests = $endpoint->stats->{requests};

my $pid = stopped_before_replies(301, 400);
kill 'TERM', $pid;
kill 'CONT', $pid;
next_worker($pid);
is(sql('SELECT count(*) FROM llava_conversation'), '330', 'replies that had come are samples');
is($endpoint->stats->{requests} - $requests, 60, 'the worker sent nothing more');
is(sql('SELECT count(*) FROM llava_interrupted'), '0', 'no call that was not sent passes for an interrupted one');
is(sql('SELECT max(attempts) FROM llava_pending'), '1', 'or burns an attempt');

$endpoint->control(faults => '');
$endpoint->control(release => 1);
ok($node->wait_drained, 'the next worker goes on');
is($endpoint->stats->{requests} - $requests, 100, 'and nothing was paid twice');

# in the middle of a settle that waits for us, with more replies behind it and pictures
# that could be sent
sql(<<'SQL');
CREATE FUNCTION go_on() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	WHILE (pg_stat_file('gate', true)).size IS NOT NULL LOOP
		PERFORM pg_sleep(0.001);
	END LOOP;
	RETURN true;
END $$;
ALTER TABLE llava_conversation ADD CONSTRAINT when_told CHECK (go_on()) NOT VALID;
SQL
my $gate = $node->data_dir . '/gate';
append_to_file($gate, 'closed');
$requests = $endpoint->stats->{requests};
# the first is slow: all of the window is out before it is settled
$endpoint->control(plan => '1:slow-2000,2-61:hold');
$node->insert_pictures(401, 500);
$endpoint->wait_for(requests => $requests + 31) or die 'the slot of the first reply is not filled again';
$pid = $node->worker_pid;
$node->wait_query("SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $pid AND query LIKE '%settling%' AND state = 'active'", 't') or die 'it is not settled';
$node->wait_query('SELECT count(*) > 45 FROM llava_pending WHERE call IS NOT NULL', 't') or die 'no more are claimed';
$endpoint->control(release => 1);
$endpoint->wait_for(in_flight_max => 0) or die 'replies are held';
kill 'STOP', $pid;
unlink $gate or die;
kill 'TERM', $pid;
kill 'CONT', $pid;
next_worker($pid);
is(sql('SELECT count(*) FROM llava_conversation'), '431', 'a settle that is under way is finished, and so is what came behind it');
is($endpoint->stats->{requests} - $requests, 61, 'nothing is sent meanwhile');
$endpoint->control(plan => '');
$endpoint->control(release => 1);
ok($node->wait_drained, 'the next worker goes on again');
is($endpoint->stats->{requests} - $requests, 100, 'and again nothing was paid twice');

# a settle that takes a minute a reply
sql('ALTER TABLE llava_conversation DROP CONSTRAINT when_told, ADD CONSTRAINT slow CHECK (pg_sleep(60) IS NOT NULL) NOT VALID');
$pid = stopped_before_replies(501, 600);
my $held = sql('SELECT count(*) FROM llava_pending WHERE call IS NOT NULL');
kill 'TERM', $pid;
kill 'CONT', $pid;
my $since = time;
$node->wait_query("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid", 't') or die 'it does not end';
cmp_ok(time - $since, '<', 20, 'a worker that cannot settle ends all the same');
next_worker($pid);
is(sql('SELECT count(*) FROM llava_interrupted'), $held, 'what it held is known as interrupted calls');
sql('ALTER TABLE llava_conversation DROP CONSTRAINT slow');
$endpoint->control(faults => '');
$endpoint->control(release => 1);
ok($node->wait_drained, 'the next one asks again');
is(sql('SELECT count(*), count(DISTINCT image) FROM llava_conversation'), '600|600', 'one sample each');

$node->stop('fast');
$endpoint->stop;
done_testing();
