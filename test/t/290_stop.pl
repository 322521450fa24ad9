# A worker that llava_start() began ends for good when it is told to, when another has its
# slot, and when its database or its extension is gone; a crash of the server brings it back.
# The launcher's workers wait for CREATE EXTENSION and come back.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $ended = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'llava_zh worker' AND datname = ";

sub database
{
	my ($node, $name) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql($name, 'CREATE EXTENSION llava_zh');
	return $node->safe_psql($name, 'SELECT llava_start()');
}

# How many workers began to work since that place in the log.
sub starts
{
	my ($node, $name, $from) = @_;
	return () = slurp_file($node->logfile, $from) =~ /worker \d+ of database "$name" started/g;
}

# A worker that the postmaster starts again each second would show within 2.5 seconds.
sub some_seconds
{
	my ($node, $seconds) = @_;
	my $now = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
	return $node->wait_query("SELECT clock_timestamp() > '$now'::timestamptz + interval '$seconds s'");
}

for my $preload (0, 1)
{
	my $what = $preload ? 'preloaded' : 'not preloaded';
	my $node = LlavaZh::Cluster->new("stop$preload", preload => $preload, databases => 'kept');
	my $log = -s $node->logfile;

	# llava_stop, with requests in flight: what was answered is settled, and nothing comes back
	my $pid = database($node, 'one');
	$node->safe_psql('one', "CREATE SERVER sim FOREIGN DATA WRAPPER llava_zh OPTIONS (url '" . $endpoint->url . "', model 'test')");
	$node->safe_psql('one', LlavaZh::Cluster::pictures_sql(1, 3));
	ok($node->wait_drained('one'), "$what: a worker of llava_start drains");
	is($node->safe_psql('one', 'SELECT llava_stop()'), 't', "$what: llava_stop ends it");
	is($node->safe_psql('postgres', "$ended 'one'"), '0', "$what: before it returns");
	is($node->safe_psql('one', 'SELECT llava_stop()'), 'f', "$what: and finds none any more");
	$node->safe_psql('postgres', 'DROP DATABASE one');

	# told to end by others: by a role, and by DROP DATABASE
	my $told = database($node, 'two');
	database($node, 'three');
	$node->safe_psql('two', "SELECT pg_terminate_backend($told, 20000)");
	$node->safe_psql('postgres', 'DROP DATABASE three WITH (FORCE)');
	some_seconds($node, 2.5);
	is(starts($node, 'two', $log), 1, "$what: one that pg_terminate_backend ended is not started again");
	is(starts($node, 'three', $log), 1, "$what: nor one that DROP DATABASE WITH (FORCE) ended");
	unlike(slurp_file($node->logfile, $log), qr/database "three" does not exist/, "$what: nor is that tried");
	isnt($node->safe_psql('two', 'SELECT llava_start()'), $told, "$what: llava_start begins another");

	# DROP EXTENSION: it ends by itself, and the database can be dropped; DROP DATABASE waits 5 s
	$node->safe_psql('two', 'DROP EXTENSION llava_zh CASCADE');
	is($node->wait_query("$ended 'two'", '0'), '0', "$what: it ends after DROP EXTENSION");
	$node->safe_psql('postgres', 'DROP DATABASE two');

	# created in the transaction that starts the worker, which waits for its commit
	$node->safe_psql('postgres', 'CREATE DATABASE four');
	my $session = $node->background_psql('four');
	$session->query_safe('SET client_min_messages = error; BEGIN; CREATE EXTENSION llava_zh');
	$pid = $session->query_safe('SELECT llava_start()');
	some_seconds($node, 1.2);
	$session->query_safe('COMMIT');
	is($node->safe_psql('four', 'SELECT llava_start()'), $pid, "$what: a worker waits for the extension's commit");
	$session->quit;

	# a crash of the server brings it back
	my $victim = $node->background_psql('postgres', on_error_stop => 0);
	kill 'KILL', $victim->query_safe('SELECT pg_backend_pid()');
	like($node->wait_query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'llava_zh worker' AND datname = 'four' AND pid <> $pid", '\d+'),
		qr/^\d+$/, "$what: a crash of the server brings it back");
	eval { $victim->quit };

	# dropped and created anew: the worker was the old extension's
	$node->safe_psql('four', 'DROP EXTENSION llava_zh CASCADE; CREATE EXTENSION llava_zh');
	is($node->wait_query("$ended 'four'", '0'), '0', "$what: it does not serve an extension that is created anew");
	is(() = slurp_file($node->logfile, $log) =~ /FATAL:  database "(?!kept)/g, 0, "$what: no worker looked for a database that is gone");

	if ($preload)
	{
		# the launcher's
		$node->safe_psql('postgres', 'CREATE DATABASE kept');
		ok($node->wait_query("$ended 'kept'", '1'), 'a worker of llava_zh.databases waits for CREATE EXTENSION');
		$node->safe_psql('kept', 'CREATE EXTENSION llava_zh');
		my ($rc, $out, $err) = $node->psql('kept', 'SELECT llava_stop()');
		like($err, qr/ERROR:  the workers of database "kept" are kept running by the setting llava_zh\.databases\nHINT:  .*llava_pause/, 'and cannot be stopped by llava_stop');
		$pid = $node->safe_psql('kept', 'SELECT pid FROM llava_stat_worker WHERE slot = 0');
		$node->safe_psql('kept', "SELECT pg_terminate_backend($pid, 20000)") if $pid;
		ok($node->wait_query("$ended 'kept' AND pid <> " . ($pid || 0), '1'), 'one that is told to end comes back');
	}
	$node->stop('fast');
}
$endpoint->stop;
done_testing();
