# A server that answers nothing but errors is paused, and probed until it answers again:
# an outage uses up neither attempts nor max_requests, and floods nobody.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('outage', conf => "llava_zh.max_attempts = 2\nllava_zh.retry_delay_max = '200ms'\n");
$node->create_server('sim', $endpoint->url, "max_in_flight '8'");
my $next = 1;

sub insert
{
	my ($n) = @_;
	$node->insert_pictures($next, $next + $n - 1, 'detail');
	$next += $n;
	return;
}

sub sql { return $node->safe_psql('postgres', shift); }

foreach my $case ([ '500', 'http_500' ], [ '502', 'http_502' ], [ 'reset', 'connection_lost' ], [ 'garbage', 'no_completion' ], [ '400-context', 'context' ])
{
	my ($fault, $reason) = @$case;
	my $log = -s $node->logfile;
	$endpoint->control(faults => "$fault=1");
	my $before = $endpoint->stats->{requests};
	my $since = time;
	insert(100);
	ok($node->wait_query('SELECT pause_reason FROM llava_stat_server', $reason), "$fault: the server is paused");
	ok($node->wait_query('SELECT count(*) = 0 FROM llava_pending WHERE holder IS NOT NULL', 't'), "$fault: the rows wait");
	ok($endpoint->wait_for(requests => $before + 26), "$fault: it is probed again and again");
	is(sql('SELECT count(failure), count(*) FILTER (WHERE attempts - (holder IS NOT NULL)::int > 1) FROM llava_pending'),
		"0|0", "$fault: no picture fails for it, or loses more than one attempt");
	# 16 in a row, and what was in flight with the last of them; then one by one, five a second
	cmp_ok($endpoint->stats->{requests} - $before, '<', 30 + 6 * (time - $since), "$fault: it is not flooded");
	$endpoint->control(faults => '');
	ok($node->wait_drained, "$fault: it is noticed that it answers again");
	is(sql("SELECT state, count(*) FROM llava_stat_server, llava_conversation GROUP BY state"), 'active|' . ($next - 1), "$fault: every picture is a sample");
	my @paused = slurp_file($node->logfile, $log) =~ /server "sim" paused/g;
	is(scalar(@paused), 1, "$fault: which is one line of the log");
}

# Pictures that are to blame fail, however many there are of them, beside those that are not.
$endpoint->control(faults => '500=1/2');
insert(100);
ok($node->wait_drained, 'a server that answers every other request goes on being asked');
is(sql("SELECT count(*) FROM llava_pending WHERE failure IS DISTINCT FROM 'http_500'"), '0', 'the pictures that had no luck rest');
my @paused = slurp_file($node->logfile) =~ /paused \(http_500\)/g;
is(scalar(@paused), 1, 'and it was not paused');

$node->stop('fast');
$endpoint->stop;
done_testing();
