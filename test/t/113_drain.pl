# CALL llava_drain: what each of its arguments promises, and what it refuses.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my %endpoint = map { $_ => LlavaZh::Endpoint->new } qw(one other);
my $node = LlavaZh::Cluster->new('drain', preload => 0, conf => "llava_zh.naptime = '1s'\n");
$node->create_server($_, $endpoint{$_}->url, "max_in_flight '4'") for keys %endpoint;
$node->insert_pictures(1, 10, 'detail');
$node->insert_pictures(11, 20, '日常对话');

sub sql { return $node->safe_psql('postgres', shift); }
sub requests { return map { $endpoint{$_}->stats->{requests} } qw(one other); }

# what it says on its way
sub drain
{
	my ($arguments) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', "CALL llava_drain($arguments)");
	is($rc, 0, "llava_drain($arguments)") or diag($err);
	return $err;
}

# the same beside us
sub start_drain
{
	my ($arguments, $err) = @_;
	return IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "CALL llava_drain($arguments)" ],
		'<', \undef, '>', \my $out, '2>', $err);
}

# whatever the drain goes on to ask is answered, so that it ends
sub let_go
{
	$endpoint{one}->control(faults => '');
	$endpoint{one}->control(release => 1);
	return;
}

sub fails
{
	my ($sql) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $err;
}

like(drain('"limit" => 3'), qr/llava_drain: 3 samples, 0 failed/, 'says what came of it');
my ($one, $other) = requests();
is($one + $other, 3, 'no more requests than its limit');
is(sql('SELECT count(*), sum(attempts), count(holder) FROM llava_pending'), '17|0|0', 'the rest waits as before');

drain(q{task => 'detail'});
is(sql('SELECT task, count(*) FROM llava_pending GROUP BY task'), '日常对话|10', 'one task, and no other');

($one, $other) = requests();
drain(q{5, server => 'other'});
is_deeply([ requests() ], [ $one, $other + 5 ], 'one server, and no other');

drain(q{max_time => '0'});
is_deeply([ requests() ], [ $one, $other + 5 ], 'no time, no request');

# its time is over while four requests are in flight and more are claimed
$endpoint{one}->control(faults => 'hold=1');
$node->insert_pictures(21, 60);
my $err;
my $session = start_drain(q{server => 'one', max_time => '5 s'}, \$err);
ok($endpoint{one}->wait_for(in_flight => 4), 'requests are in flight');
ok($node->wait_query('SELECT count(holder) = 4 FROM llava_pending'), 'when its time is over it gives back what was not sent');
is(sql("SELECT clock_timestamp() - query_start >= '5 s' FROM pg_stat_activity WHERE query LIKE 'CALL%'"), 't', 'and not before');
let_go();
$session->finish;
like($err, qr/llava_drain: 4 samples, 0 failed/, 'what is in flight is waited for');
is_deeply([ requests() ], [ $one + 4, $other + 5 ], 'and nothing new is asked');
is(sql('SELECT sum(attempts), (SELECT count(*) FROM llava_interrupted) FROM llava_pending'), '0|0', 'which costs no attempt');

like(fails('CALL llava_drain(-1)'), qr/22023: limit -1 is negative.*HINT:  The argument limit is the most/s, 'a negative limit');
like(fails("CALL llava_drain(max_time => '-1 s')"), qr/22023: max_time -00:00:01 is negative.*HINT:  The argument max_time is how long/s, 'a negative time');
like(fails("CALL llava_drain(task => 'nope')"), qr/42704: task "nope" does not exist.*HINT:  Tasks are/s, 'an unknown task');
like(fails("CALL llava_drain(server => 'nope')"), qr/42704: server "nope" does not exist.*HINT/s, 'an unknown server');
sql('CREATE FOREIGN DATA WRAPPER foreign_to_us; CREATE SERVER file FOREIGN DATA WRAPPER foreign_to_us');
like(fails("CALL llava_drain(server => 'file')"), qr/42809: server "file" is not a server of the wrapper llava_zh.*HINT/s, 'a server of another wrapper');
like(fails("BEGIN;\nCALL llava_drain()"), qr/2D000: llava_drain commits as it goes and cannot run inside a transaction block.*HINT/s, 'a transaction of the caller');
is_deeply([ requests() ], [ $one + 4, $other + 5 ], 'none of which asks anything');

# a pause ends it too
$endpoint{one}->control(faults => 'hold=1');
$session = start_drain(q{server => 'one'}, \$err);
ok($endpoint{one}->wait_for(in_flight => 4), 'requests are in flight again');
sql("SELECT llava_pause('one')");
ok($node->wait_query('SELECT count(holder) = 4 FROM llava_pending'), 'a pause gives back what was not sent');
let_go();
$session->finish;
like($err, qr/server "one" is paused \(paused\).*llava_drain: 4 samples, 0 failed/s, 'and what is in flight is waited for');
sql("SELECT llava_resume('one')");

like(drain(''), qr/llava_drain: 37 samples, 0 failed/, 'without arguments all that waits is asked about');
is(sql('SELECT count(*), count(DISTINCT image) FROM llava_conversation'), '60|60', 'once each');

# a session that may not write is told so
$node->insert_pictures(901, 901);
my (undef, undef, $refused) = $node->psql('postgres', "SET default_transaction_read_only = on; SET statement_timeout = '60s'; CALL llava_drain()");
like($refused, qr/read-only transaction/, 'in a read-only session it ends with the error');

$node->stop('fast');
$_->stop for values %endpoint;
done_testing();
