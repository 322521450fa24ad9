# One answer in fifty is a 429 with Retry-After, whatever is sent: as many are in flight
# as ever.  A server that takes so many at once is found out, with few refusals.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new(latency => 20, count_only => 1);
# one attempt: whatever burns it fails the row
my $node = LlavaZh::Cluster->new('strays', conf => "llava_zh.max_attempts = 1\n");
sub sql { return $node->safe_psql('postgres', shift); }

# pictures that are not looked at, three tasks each
sub insert
{
	my ($from, $to) = @_;
	$node->insert_pictures($_ * 100 + 1, $_ * 100 + 100, 'detail') foreach $from .. $to;
	return;
}

$node->create_server('sim', $endpoint->url, "max_in_flight '16', paused 'true'");
insert(0, 7);
$endpoint->control(faults => '429-1=1/50');
sql("SELECT llava_resume('sim')");
my ($least, $lowest) = (16, 0);
ok($node->wait_query('SELECT answers >= 100 FROM llava_stat_server'), 'under way');
while (sql('SELECT count(*) > 100 FROM llava_pending') eq 't')
{
	my ($allowed, $waits) = split /\|/, sql('SELECT allowed, waits_for IS NOT NULL FROM llava_stat_server');
	$least = $allowed if $allowed < $least;
	$lowest++ if $waits eq 't';
}
cmp_ok($least, '>=', 15, 'strays do not lower what is allowed');
is($lowest, 0, 'nor does the server ever wait for one');
ok($node->wait_drained, 'all are answered');
cmp_ok(sql('SELECT throttled_since FROM llava_stat_server'), '>=', 14, 'though one in fifty was refused');
is(sql('SELECT count(*) FROM llava_pending WHERE failure IS NOT NULL'), '0', 'no attempt was burnt');

# four at once, and the rest is refused
$endpoint->control(faults => '', slots => 4, reject => '429-none');
my $before = $endpoint->stats;
insert(10, 17);
ok($node->wait_drained, 'a server of four slots answers all');
my $after = $endpoint->stats;
my $requests = $after->{requests} - $before->{requests};
my $refused = $after->{status}{429} - $before->{status}{429};
cmp_ok($refused, '>', 0, 'it refused some');
cmp_ok($refused, '<=', $requests * 0.1, 'but few');
is(sql("SELECT allowed BETWEEN 3 AND 6, held_down_by FROM llava_stat_server"), 't|throttling', 'what it takes was found');
is(sql('SELECT count(*) FROM llava_pending WHERE failure IS NOT NULL'), '0', 'no attempt was burnt');

$node->stop('fast');
$endpoint->stop;
done_testing();
