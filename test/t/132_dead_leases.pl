# Leases of processes that live no more go back to the queue: for llava_drain as for a worker
# that starts, of worker slots and of sessions, also where the pid is another process's by
# now; and no lease of one that lives.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

for my $preload (0, 1)
{
	my $how = $preload ? 'preloaded' : 'not preloaded';
	my $endpoint = LlavaZh::Endpoint->new;
	my $node = LlavaZh::Cluster->new("leases$preload", preload => $preload, databases => '', conf => "llava_zh.naptime = '1s'\n");
	my $sql = sub { return $node->safe_psql('postgres', shift); };
	$node->create_server('sim', $endpoint->url, "max_in_flight '4'");

	# what a dump in the middle of a run holds: workers' leases, and those of sessions
	my $stranger = $node->background_psql('postgres');
	my $pid = $stranger->query('SELECT pg_backend_pid()');
	$node->insert_pictures(1, 8);
	$sql->("UPDATE llava_pending SET call = nextval('llava_call_seq'), attempts = 1, visible_at = now() + '1 day',
		holder = CASE image % 4 WHEN 0 THEN 0 WHEN 1 THEN 3 WHEN 2 THEN -$pid ELSE -999999 END");
	my (undef, undef, $err) = $node->psql('postgres', 'CALL llava_drain()');
	like($err, qr/llava_drain: 8 samples, 0 failed/, "$how: llava_drain asks about what rested on dead leases");
	is($sql->('SELECT count(*), count(DISTINCT call) FROM llava_interrupted'), '8|8', "$how: whose calls are known as interrupted");

	# one drains: its lease is alive for another, and for a worker
	$endpoint->control(faults => 'hold=1');
	$node->insert_pictures(11, 14);
	my $drain = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'CALL llava_drain()' ], '<', \undef, '>', \my $out, '2>', \my $first);
	$endpoint->wait_for(in_flight => 4) or die 'nothing is in flight';
	my $held = $sql->('SELECT string_agg(call::text, \' \' ORDER BY call) FROM llava_pending WHERE holder < 0');
	(undef, undef, $err) = $node->psql('postgres', 'CALL llava_drain()');
	like($err, qr/llava_drain: 0 samples, 0 failed/, "$how: a session that drains holds its leases");
	if ($preload)
	{
		$sql->("ALTER SYSTEM SET llava_zh.databases = 'postgres'");
		$node->reload;
	}
	else
	{
		$sql->('SELECT llava_start()');
	}
	ok($node->wait_query('SELECT wakes IS NOT NULL OR activity IS NOT NULL FROM llava_stat_worker WHERE slot = 0'), "$how: a worker starts");
	my $worker = $node->worker_pid;
	$node->insert_pictures(15, 15);
	ok($node->wait_query('SELECT count(*) FROM llava_pending WHERE holder = 0', '1'), "$how: and works");
	is($sql->('SELECT string_agg(call::text, \' \' ORDER BY call) FROM llava_pending WHERE holder < 0'), $held, "$how: the session's leases are as they were");
	is($sql->('SELECT count(*) FROM llava_interrupted'), '8', "$how: nothing is interrupted");

	# and a worker's leases are alive for a session that drains
	my $of_worker = $sql->('SELECT call FROM llava_pending WHERE holder = 0');
	(undef, undef, $err) = $node->psql('postgres', 'CALL llava_drain()');
	is($sql->('SELECT call FROM llava_pending WHERE holder = 0'), $of_worker, "$how: a worker holds its leases");

	# leases that carry a live worker's number, and are none of its own, as after a quick restore
	$endpoint->control(release => 1, faults => '');
	$drain->finish;
	ok($node->wait_drained, "$how: all is done");
	$node->insert_pictures(21, 24);
	ok($node->wait_drained, "$how: and more");
	$sql->("INSERT INTO llava_pending (image, task, call, holder, attempts, visible_at)
		SELECT image, 'detail_en', nextval('llava_call_seq'), CASE WHEN image % 2 = 0 THEN 0 ELSE -$pid END, 1, now() + '1 day' FROM llava_conversation ORDER BY image LIMIT 4");
	ok($node->wait_query('SELECT count(*) = 0 FROM llava_pending'), "$how: a worker that has nothing to do finds leases that are nobody's");
	is($sql->('SELECT count(*) FROM llava_interrupted'), '12', "$how: and notes their calls");
	is($node->worker_pid, $worker, "$how: it is the same worker");

	$stranger->quit;
	$node->stop('fast');
	$endpoint->stop;
}
done_testing();
