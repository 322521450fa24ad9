# Requests that hang and large pictures in preparation hold up nobody: not other
# requests, DROP DATABASE, whoever ends a session, or the server's shutdown.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('hanging', databases => 'postgres, hung', conf => "llava_zh.max_attempts = 1\nllava_zh.image_max_size = '64MB'\nllava_zh.image_max_pixels = 200000000\n");

# 100 megapixels in a small file
my $file = $node->basedir . '/large.png';
append_to_file($file, LlavaZh::Cluster::png(1, 10000));

# Seconds until the query says so.
sub seconds_until
{
	my ($query, $database) = @_;
	my $since = time;
	$node->wait_query($query, 't', $database) // die "never: $query";
	return time - $since;
}

# bytes one by one: the deadline holds, and whatever else is asked is answered
$node->create_server('sim', $endpoint->url, "max_in_flight '4', request_timeout '10s'");
$endpoint->control(plan => '1-2:trickle-400');
$node->insert_pictures(1, 12, 'detail');
ok($node->wait_query("SELECT count(*) FROM llava_conversation", '10'), 'others are answered beside a trickle');
ok($node->wait_query("SELECT string_agg(DISTINCT failure, ',') FROM llava_pending WHERE failure IS NOT NULL HAVING count(*) = 2", 'timeout'),
	'which is cut off when its time is over');

# a session that prepares 100 megapixels
foreach my $call ("llava_prepare_image(pg_read_binary_file('$file'))", "llava_generate(pg_read_binary_file('$file'), 'detail')")
{
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	my ($name) = $call =~ /^(\w+)/;
	$session->query_until(qr/begun/, "\\echo begun\nSELECT count($call) FROM generate_series(1, 1000);\n");
	$node->wait_query("SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ '$name' AND state = 'active' AND pid <> pg_backend_pid()", 't');
	$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '$name' AND pid <> pg_backend_pid()");
	cmp_ok(seconds_until("SELECT count(*) = 0 FROM pg_stat_activity WHERE query ~ '$name' AND pid <> pg_backend_pid()"),
		'<', 2, "$name of 100 megapixels ends when it is told to");
	$session->{run}->finish;
}

# a worker that prepares 100 megapixels
sub large_pictures_sql
{
	my ($from, $to) = @_;
	return "INSERT INTO llava_image (path, image, task) SELECT 'large' || n, pg_read_binary_file('$file') || convert_to(n::text, 'UTF8'), 'detail' FROM generate_series($from, $to) n";
}
my $pid = $node->worker_pid;
$node->safe_psql('postgres', large_pictures_sql(1, 20));
$node->wait_query('SELECT count(*) > 0 FROM llava_pending WHERE holder IS NOT NULL', 't');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
cmp_ok(seconds_until("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), '<', 2, 'so does a worker');
$node->worker_pid($pid);
$node->wait_query('SELECT count(*) > 0 FROM llava_pending WHERE holder IS NOT NULL', 't') or die 'the next worker claims nothing';
my $sent = join ',', 0, map { $_->{request_id} // () } $endpoint->requests;
is($node->safe_psql('postgres', "SELECT count(*) FROM llava_interrupted WHERE call NOT IN ($sent)"), '0', 'and what it did not send is not interrupted');

# DROP DATABASE while requests hang
$endpoint->control(faults => 'hang=1', plan => '');
$node->safe_psql('postgres', 'CREATE DATABASE hung');
$node->safe_psql('hung', 'CREATE EXTENSION llava_zh');
# the launcher has its back-off from when the database was not there
$node->reload;
$node->safe_psql('hung', "CREATE SERVER sim FOREIGN DATA WRAPPER llava_zh OPTIONS (url '" . $endpoint->url . "', model 'test', max_in_flight '8')");
my $base = $endpoint->stats->{in_flight};
$node->safe_psql('hung', LlavaZh::Cluster::pictures_sql(100, 120));
ok($node->wait_query('SELECT in_flight FROM llava_stat_server', '8', 'hung'), 'eight requests hang');
my $since = time;
$node->safe_psql('postgres', 'DROP DATABASE hung WITH (FORCE)');
cmp_ok(time - $since, '<', 4, 'the database can be dropped');

# a shutdown with requests in flight and pictures in preparation
$node->safe_psql('postgres', "ALTER SERVER sim OPTIONS (SET request_timeout '600s')");
$node->insert_pictures(200, 240);
$node->safe_psql('postgres', large_pictures_sql(21, 40));
ok($node->wait_query('SELECT in_flight FROM llava_stat_server', '4'), 'requests are in flight');
$since = time;
$node->stop('fast');
cmp_ok(time - $since, '<', 2, 'a fast shutdown is fast');
$endpoint->stop;
done_testing();
