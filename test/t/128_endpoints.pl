# llava_zh.endpoints bounds what all databases and servers of the cluster have in flight at
# one URL, and servers of strangers get what the others leave of it.
use strict;
use warnings;
use lib 'test/perl';
use IPC::Run;
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new(faults => 'hold=1');
my $url = $endpoint->url;
my $port = $endpoint->port;
my @databases = ('postgres', map { "d$_" } 2 .. 5);
my $node = LlavaZh::Cluster->new('endpoints', databases => join(',', @databases),
	conf => "llava_zh.endpoints = 'https://other/v1 3, $url 32'\nmax_worker_processes = 16\n");
my $png = unpack('H*', LlavaZh::Cluster::png(1000));
my $stat = 'SELECT endpoint_limit, endpoint_in_flight, endpoint_waiting FROM llava_stat_server';

sub sql { return $node->safe_psql($_[1] // 'postgres', $_[0]); }

# The setting from now on.
sub allow
{
	my ($value) = @_;
	sql("ALTER SYSTEM SET llava_zh.endpoints = '$value'");
	$node->reload;
	return;
}

sub drained
{
	my ($what) = @_;
	ok($node->wait_drained($_), "$what: $_") foreach @databases;
	return;
}

# ---- five databases, each with another spelling of the URL ----

my %spelling = (
	postgres => $url, d2 => "HTTP://127.0.0.1:$port/v1//", d3 => "http://127.1:$port/v1/.",
	d4 => "http://127.0.0.1:$port/x/../v1", d5 => "http://0x7f000001:$port/./v1");
my $next = 1;

sub insert_everywhere
{
	my ($n) = @_;
	sql(LlavaZh::Cluster::pictures_sql($next, $next + $n - 1), $_) foreach @databases;
	$next += $n;
	return;
}

foreach my $database (@databases)
{
	sql("CREATE DATABASE $database") if $database ne 'postgres';
	sql('CREATE EXTENSION llava_zh', $database) if $database ne 'postgres';
	sql("CREATE SERVER sim FOREIGN DATA WRAPPER llava_zh OPTIONS (url '$spelling{$database}', model 'test', max_in_flight '16')", $database);
}
insert_everywhere(80);
$endpoint->wait_for(in_flight => 32) or die 'not asked';
ok($node->wait_query($stat, '32\|32\|[1-9]\d*', $_), "$_ sees one endpoint, however it is spelled") foreach @databases;
is(sql("SELECT count(*) FROM llava_stat_server WHERE in_flight > 16"), '0', 'each server keeps its own limit besides');
# each has something to send, in flight or in line
$node->wait_query('SELECT count(*) > 0 FROM llava_pending WHERE holder IS NOT NULL', 't', $_) or die "$_ claims nothing" foreach @databases;
$endpoint->control(release => 1, faults => '', latency => 200);
ok($node->wait_query('SELECT count(*) >= 40 FROM llava_conversation', 't', 'd2'), 'one database is half done');
my @done = map { sql('SELECT count(*) FROM llava_conversation', $_) } @databases;
cmp_ok((sort { $a <=> $b } @done)[0], q(>), 10, "and none has waited for another's end (@done)");
drained('all drain');
is($endpoint->stats->{max_in_flight}, 32, 'never more than llava_zh.endpoints allows, and all of it');
is(sql($stat), '32|0|0', 'all is given back');

# ---- reload ----

$endpoint->control(faults => 'hold=1', latency => 0);
allow("$url 8");
ok($node->wait_query($stat, '8\|0\|0'), 'a reload holds at once');
insert_everywhere(60);
$endpoint->wait_for(in_flight => 8) or die 'not asked';
ok($node->wait_query($stat, '8\|8\|5', $_), "$_: it is full, and all wait") foreach @databases;
is($endpoint->stats->{in_flight}, 8, 'fewer');
allow("HTTP://LOCALHOST/v1 1, $url/ 12");
ok($endpoint->wait_for(in_flight => 12), 'more are sent at once');
ok($node->wait_query($stat, '12\|12\|5'), 'and no more than that');
allow('');
ok($endpoint->wait_for(in_flight => 80), 'a URL that is not listed any more is not bounded');
is(sql($stat), '||', 'nor shown');
allow("$url 4");
ok($node->wait_query($stat, '4\|80\|.*'), 'listed again, what is in flight counts');
$endpoint->control(release => 1);
ok($endpoint->wait_for(in_flight_max => 4), 'and ends as it began');
ok($node->wait_query($stat, '4\|4\|5'), 'nothing is sent beyond the new number');
is($endpoint->stats->{in_flight}, 4, 'as the endpoint sees it');
$endpoint->control(release => 1, faults => '');
drained('in the end all drain');
is(sql($stat), '4|0|0', 'all is given back again');

# ---- strangers get what is left ----

sql(<<"END");
CREATE ROLE maker LOGIN;
GRANT USAGE ON FOREIGN DATA WRAPPER llava_zh TO maker;
GRANT SELECT ON llava_task TO maker;
GRANT EXECUTE ON FUNCTION llava_generate TO maker;
SET ROLE maker;
CREATE SERVER theirs FOREIGN DATA WRAPPER llava_zh OPTIONS (url '$url', model 'test', max_in_flight '16', request_timeout '10min');
END
my @sessions;
my $generate = "SELECT jsonb_typeof(llava_generate(decode('$png', 'hex'), 'detail', 'theirs'))";

sub begin_session
{
	my ($role, $text) = @_;
	my $session = { out => '', err => '' };
	$session->{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "SET ROLE $role", '-c', $text, $role eq 'postgres' ? ('-c', 'SELECT pg_sleep(600)') : () ],
		'<', \undef, '>', \$session->{out}, '2>', \$session->{err});
	push @sessions, $session;
	return $session;
}

allow("$url 2");
$endpoint->control(faults => 'hold=1');
$node->wait_query($stat . " WHERE server = 'theirs'", '2\|0\|0') or die 'not read';
my $before = $endpoint->stats->{requests};
begin_session('maker', $generate) for 1 .. 2;
$endpoint->wait_for(in_flight => 2) or die 'not asked';
begin_session('maker', $generate) for 1 .. 2;
ok($node->wait_query("$stat WHERE server = 'sim'", '2\|2\|2'), "strangers may have all that nobody else wants");
$node->insert_pictures($next, $next + 19);
$next += 20;

# They end one by one.  What the worker sends is held, and it is in line with its next
# request before the other ends: who has nothing to send leaves a slot to strangers.
my $oldest = "(SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query ~ 'llava_generate' AND pid <> pg_backend_pid() ORDER BY backend_start LIMIT 1)";
foreach my $n (1 .. 2)
{
	ok($node->wait_query("$stat WHERE server = 'sim'", '2\|2\|3'), "the worker waits for request $n that is in flight");
	sql("SELECT pg_cancel_backend($oldest)");
	$sessions[ $n - 1 ]{run}->finish;
	$endpoint->wait_for(requests => $before + 2 + $n) or die 'not asked';
}
my @asked = map { $_->{request_id} } $endpoint->requests;
like("@asked[$before + 2, $before + 3]", qr/^\d+ \d+$/, 'then its requests come first');
is(sql("SELECT in_flight FROM llava_stat_server WHERE server = 'theirs'"), '0', 'and strangers, who came before, wait on');
$endpoint->control(release => 1, faults => '');
$_->{run}->finish foreach @sessions[ 2, 3 ];
is(join(' ', map { $_->{out} =~ s/\s//gr } @sessions), '  array array', 'until there is room for them');
ok($node->wait_drained, 'and the queue is drained');
is(sql("$stat WHERE server = 'sim'"), '2|0|0', 'all is given back');

# a server that nobody else can see yet counts as well
$endpoint->control(faults => 'hold=1');
@sessions = ();
begin_session('maker', $generate) for 1 .. 2;
$endpoint->wait_for(in_flight => 2) or die 'not asked';
my (undef, undef, $err) = $node->psql('postgres', <<"END");
SET ROLE maker;
BEGIN;
CREATE SERVER fresh FOREIGN DATA WRAPPER llava_zh OPTIONS (url '$spelling{d3}', model 'test', request_timeout '1s');
SELECT llava_generate(decode('$png', 'hex'), 'detail', 'fresh');
END
like($err, qr/server "fresh" had no room for a request in time.*llava_zh\.endpoints/s, 'one of an open transaction does not go round it');

# ---- who ends gives back ----

$node->insert_pictures($next, $next + 39);
$next += 40;
ok($node->wait_query("$stat WHERE server = 'sim'", '2\|2\|1'), 'the worker waits');
begin_session('postgres', 'CALL llava_drain()');
ok($node->wait_query("$stat WHERE server = 'sim'", '2\|2\|2'), 'a session that drains does, too');
sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ 'llava_drain' AND pid <> pg_backend_pid()");
ok($node->wait_query("$stat WHERE server = 'sim'", '2\|2\|1'), 'but no longer when it is cancelled');
$endpoint->control(release => 1, faults => '');
$node->wait_query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE state = 'active' AND query ~ 'pg_sleep' AND pid <> pg_backend_pid()") or die 'it does not live on';
$_->{run}->finish foreach @sessions;
# what the cancelled one had claimed is released by the next that begins
sql('CALL llava_drain()');
ok($node->wait_drained, 'all is asked about');
$endpoint->control(faults => 'hold=1');
@sessions = ();
begin_session('maker', $generate) for 1 .. 2;
$endpoint->wait_for(in_flight => 2) or die 'not asked';
begin_session('maker', $generate) for 1 .. 2;
ok($node->wait_query("$stat WHERE server = 'sim'", '2\|2\|2'), 'two sessions are in flight, and two wait');
sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ 'llava_generate' AND pid <> pg_backend_pid()");
$_->{run}->finish foreach @sessions;
ok($node->wait_query("$stat WHERE server = 'sim'", '2\|0\|0'), 'sessions that are terminated give back slots and places in line');
$endpoint->control(release => 1);
$node->insert_pictures($next, $next + 9);
$next += 10;
$endpoint->wait_for(in_flight => 2) or die 'not asked';
sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'llava_zh worker' AND datname = 'postgres'");
$endpoint->wait_for(in_flight_max => 0) or die 'the worker did not end';
$endpoint->wait_for(in_flight => 2) or die 'not asked again';
ok($node->wait_query("$stat WHERE server = 'sim'", '2\|2\|1'), 'so do workers');
kill 'KILL', $node->worker_pid;
$endpoint->wait_for(in_flight_max => 0) or die 'the worker did not end';
$endpoint->control(faults => '');
ok($node->wait_drained, 'after a crash the next worker goes on');
is(sql("$stat WHERE server = 'sim'"), '2|0|0', 'and no slot is lost');

# ---- values ----

foreach my $bad (
	[ 'http://gpu:8000/v1', qr/Entry 1: no number follows the URL/ ],
	[ 'gpu:8000/v1 5', qr{Entry 1: it begins with neither http:// nor https://} ],
	[ 'http://gpu/v1 5, http://gpu/v2 many', qr/Entry 2: no number follows the URL/ ],
	[ 'http://gpu/v1 5 6', qr/Entry 1: what follows the URL is not a number/ ],
	[ 'http://gpu/v1 0', qr/Entry 1: the number is not in 1/ ],
	[ 'http://gpu/v1 -1', qr/Entry 1: no number/ ],
	[ 'http://gpu/v1 99999999999999999999', qr/Entry 1: the number is not in 1/ ],
	[ 'http://gpu/v1 5,', qr/Entry 1: an entry is empty/ ],
	[ 'http://gpu/v1 5,,http://gpu/v2 6', qr/Entry 2: an entry is empty/ ],
	[ 'http://gpu/v1 5, http://GPU:80/v1/ 6', qr/Entry 2: the same URL is there twice/ ],
	[ 'http://user:secret@gpu/v1 5', qr/Entry 1: it holds user info/ ],
	[ 'http://gpu:8000/v1/chat/completions 5', qr{it ends in /chat/completions} ],
	[ join(', ', map { "http://gpu$_/v1 5" } 1 .. 65), qr/there are more than 64 URLs/ ])
{
	(undef, undef, $err) = $node->psql('postgres', "ALTER SYSTEM SET llava_zh.endpoints = '$bad->[0]'");
	like($err, qr/ERROR:  invalid value for parameter "llava_zh\.endpoints".*$bad->[1].*HINT:  List each server's URL/s, 'refused: ' . substr($bad->[0], 0, 60));
}
(undef, undef, $err) = $node->psql('postgres', "SET llava_zh.endpoints = ''");
like($err, qr/cannot be changed now/, 'no session may change it');
sql("ALTER SYSTEM SET llava_zh.endpoints = 'http://gpu/v1 5', 'http://gpu/v1,2 6'");
$node->reload;
ok($node->wait_query('SHOW llava_zh.endpoints', 'http://gpu/v1 5, http://gpu/v1,2 6'), 'a list may come in parts, and a URL hold a comma');
$node->stop('fast');

# ---- without preloading ----

my $plain = LlavaZh::Cluster->new('unshared', preload => 0, conf => "llava_zh.endpoints = '$url 1'\n");
$plain->create_server('sim', $url);
my ($code, $out);
($code, $out, $err) = $plain->psql('postgres', "SELECT jsonb_typeof(llava_generate(decode('$png', 'hex'), 'detail')); $stat");
like($err, qr/WARNING:  llava_zh is not preloaded: llava_zh\.endpoints has no effect.*HINT:  Add llava_zh to shared_preload/s, 'without preloading a session says that it does not hold');
is($out, "array\n1||", 'as llava_stat_server shows, and asks all the same');
$plain->insert_pictures(1, 3);
$plain->safe_psql('postgres', 'SELECT llava_start()');
ok($plain->wait_drained, 'so does a worker');
my @said = slurp_file($plain->logfile) =~ /LOG:  llava_zh is not preloaded: llava_zh\.endpoints has no effect/g;
is(scalar @said, 1, 'which says so once');
$plain->stop('fast');
$endpoint->stop;
done_testing();
