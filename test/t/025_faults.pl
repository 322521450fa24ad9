# Faults of the image end on its row with a reason; faults of the server pause the
# server with a reason and the rows wait; the others go on.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('faults', conf => "llava_zh.max_attempts = 2\nllava_zh.max_reply_size = '256kB'\n");
$node->create_server('sim', $endpoint->url, "max_in_flight '4'");
my $next = 1;

sub point_to
{
	my ($prefix) = @_;
	$node->safe_psql('postgres', "ALTER SERVER sim OPTIONS (SET url '" . $endpoint->url($prefix) . "')");
	return;
}

# One picture at a faulty server: how its row ends.
sub row_ends
{
	my ($fault, $reason, $attempts) = @_;
	point_to("/fault/$fault");
	$node->insert_pictures($next, $next, 'detail');
	my $row = $node->wait_query("SELECT p.failure || ' ' || p.attempts FROM llava_pending p JOIN llava_image i ON i.id = p.image WHERE i.path = 'pic$next.png' AND failure IS NOT NULL", '.+');
	is($row, "$reason $attempts", "$fault: the row fails as $reason");
	is($node->safe_psql('postgres', "SELECT state FROM llava_stat_server"), 'active',
		"$fault: the server is not paused");
	$next++;
	return;
}

row_ends('400', 'bad_request', 1);
row_ends('400-image', 'bad_image', 1);
row_ends('400-image-flat', 'bad_image', 1);
row_ends('400-context', 'context', 1);
row_ends('413', 'too_large', 1);
row_ends('content-filter', 'content_filter', 2);
row_ends('500', 'http_500', 2);
row_ends('garbage', 'no_completion', 2);
row_ends('empty-choices', 'no_completion', 2);
row_ends('content-null', 'no_completion', 2);
row_ends('truncated', 'partial_body', 2);
row_ends('huge', 'reply_too_large', 2);
row_ends('reset', 'connection_lost', 2);
row_ends('refusal', 'refusal', 2);
row_ends('length', 'truncated', 2);
row_ends('loop', 'degenerate', 2);
row_ends('bad-utf8', 'bad_utf8', 2);

is($node->safe_psql('postgres', "SELECT count(*) FROM llava_reply WHERE reason = 'refusal' AND body <> ''"),
	'2', 'a refused reply is in the ledger each time it was paid for');
is($node->safe_psql('postgres', "SELECT count(DISTINCT seed) FROM llava_reply WHERE reason = 'refusal'"),
	'2', 'and was asked for with another seed');
is($node->safe_psql('postgres', "SELECT count(*) FROM llava_conversation"), '0', 'none became a sample');

# NUL in a reply is dropped, and no reason to refuse it
point_to('/fault/nul');
$node->insert_pictures($next, $next, 'detail');
ok($node->wait_query("SELECT count(*) FROM llava_conversation", '1'), 'NUL in a reply does no harm');
$next++;

# One picture at a server that cannot be used: it waits, and goes on when it can.
sub server_pauses
{
	my ($fault, $reason) = @_;
	$node->safe_psql('postgres', "SELECT llava_pause('sim')");
	point_to("/fault/$fault");
	$node->insert_pictures($next, $next + 9, 'detail');
	$node->safe_psql('postgres', "SELECT llava_resume('sim')");
	ok($node->wait_query("SELECT pause_reason FROM llava_stat_server", $reason),
		"$fault: the server is paused for $reason");
	my $asked = $endpoint->stats->{requests};
	is($node->safe_psql('postgres', "SELECT count(*), count(failure), max(attempts - (holder IS NOT NULL)::int) FROM llava_pending WHERE failure IS NULL"),
		'10|0|0', "$fault: the rows wait, no attempt burnt");
	point_to('');
	ok($node->wait_drained, "$fault: another url is the cure, noticed without a restart");
	is($node->safe_psql('postgres', "SELECT state FROM llava_stat_server"), 'active', "$fault: and shown");
	$next += 10;
	return;
}

server_pauses('401', 'key');
server_pauses('404-model', 'model');
server_pauses('404', 'not_found');
server_pauses('400-arrearage', 'money');

# refused connection: probed by itself
$node->safe_psql('postgres', "SELECT llava_pause('sim')");
$node->insert_pictures($next, $next + 4, 'detail');
$endpoint->stop;
$node->safe_psql('postgres', "SELECT llava_resume('sim')");
ok($node->wait_query("SELECT pause_reason FROM llava_stat_server", 'refused'), 'an endpoint that is down pauses its server');
$endpoint->start;
ok($node->wait_drained, 'and is found again when it is back');
$next += 5;

# 429 and 503: fewer at once, no attempt counted
$endpoint->control(plan => '1:429,2:503,3:429-date,4:429-none');
$node->insert_pictures($next, $next + 9, 'detail');
ok($node->wait_drained, 'throttled requests are made again');
is($node->safe_psql('postgres', "SELECT count(*) FROM llava_pending WHERE image > (SELECT max(id) - 10 FROM llava_image)"),
	'0', 'none of them failed');
$next += 10;

# max_requests: the server stops there, a larger one goes on
my $requests = $node->safe_psql('postgres', 'SELECT requests FROM llava_usage');
$node->safe_psql('postgres', "ALTER SERVER sim OPTIONS (ADD max_requests '" . ($requests + 3) . "')");
my $before = $endpoint->stats->{requests};
$node->insert_pictures($next, $next + 9, 'detail');
ok($node->wait_query("SELECT pause_reason FROM llava_stat_server", 'max_requests'), 'max_requests pauses the server');
is($endpoint->stats->{requests} - $before, 3, 'at exactly that many');
$node->safe_psql('postgres', "ALTER SERVER sim OPTIONS (SET max_requests '1000000')");
ok($node->wait_drained, 'a larger one lets it go on');

# llava_retry brings failed rows back
$node->safe_psql('postgres', "SELECT llava_retry(reason => 'http_500')");
ok($node->wait_drained, 'a failed row can be asked again');
is($node->safe_psql('postgres', "SELECT count(*) FROM llava_pending WHERE failure = 'http_500'"), '0', 'and becomes a sample');

$node->stop('fast');
$endpoint->stop;
done_testing();
