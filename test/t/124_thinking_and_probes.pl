# A model that only thinks pauses its server, with a hint; and a paused server is probed
# with another row than the one that it was paused for.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('thinking', conf => "llava_zh.max_attempts = 5\nllava_zh.retry_delay_max = '200ms'\n");
my $next = 1;
my $state = 'SELECT coalesce(pause_reason, state) FROM llava_stat_server';

sub sql { return $node->safe_psql('postgres', shift); }

sub insert
{
	my ($n) = @_;
	$node->insert_pictures($next, $next + $n - 1, 'detail');
	$next += $n;
	return;
}

sub images { return map { $_->{image} } $endpoint->requests; }

# How often one picture was asked about twice in a row, of the requests from this one on.
sub twice_in_a_row
{
	my ($from) = @_;
	my @images = images();
	return scalar grep { $images[$_] eq $images[ $_ - 1 ] } $from + 1 .. $#images;
}

# ---- thinking ----

$endpoint->control(faults => 'reasoning-only=1');
$node->create_server('sim', $endpoint->url, "max_in_flight '4'");
insert(60);
ok($node->wait_query($state, 'no_answer_thinking'), 'a model that thinks and does not answer pauses its server');
my $detail = sql('SELECT pause_detail FROM llava_stat_server');
like($detail, qr/HINT: .*\QALTER SERVER sim OPTIONS (ADD extra_body '{"chat_template_kwargs": {"enable_thinking": false}}')\E/, 'with a hint for the usual servers');
like($detail, qr/DashScope.*\Q'{"enable_thinking": false}'\E/, 'and for DashScope');
ok($endpoint->wait_for(requests => 22), 'it is probed');
is(sql('SELECT count(*), count(failure), count(*) FILTER (WHERE attempts - (holder IS NOT NULL)::int > 0 OR rejects <> $${}$$) FROM llava_pending'),
	'60|0|0', 'all rows wait, as if they had not been asked');
cmp_ok(sql("SELECT count(*) FROM llava_reply WHERE reason = 'no_answer_thinking' AND NOT late"), '>=', 20, 'the replies are in the ledger');
my ($code, $out, $err) = $node->psql('postgres', "SELECT llava_generate(decode('" . unpack('H*', LlavaZh::Cluster::png(9)) . "', 'hex'), 'detail')");
like($err, qr/no_answer_thinking.*HINT: .*enable_thinking/s, 'llava_generate has the hint, too');

# the hint does it
my ($options) = $detail =~ /(ALTER SERVER .*?\))/;
$endpoint->control(faults => '');
sql($options);
ok($node->wait_drained, 'it goes on after the ALTER SERVER of the hint');
is(sql('SELECT count(*), (SELECT count(*) FROM llava_pending) FROM llava_conversation'), '60|0', 'every picture is a sample');
is(sql("SELECT options FROM (SELECT unnest(srvoptions) AS options FROM pg_foreign_server) o WHERE options LIKE 'extra_body%'"),
	'extra_body={"chat_template_kwargs": {"enable_thinking": false}}', 'the option is what was meant');

# 16 in a row, not fewer
sql("ALTER SERVER sim OPTIONS (SET max_in_flight '1')");
$endpoint->control(faults => '', plan => '1-15:reasoning-only,17-31:reasoning-only');
insert(8);
ok($node->wait_drained, 'an answer between');
is(sql("SELECT state, (SELECT count(*) FROM llava_pending WHERE failure IS NULL) FROM llava_stat_server"), 'active|0', 'does not pause the server');
unlike(slurp_file($node->logfile), qr/paused \(no_answer_thinking\).*paused \(no_answer_thinking\)/s, 'not even for a moment');

# once: then a reply without an answer is a reject like others, and the row fails in the end
sql('TRUNCATE llava_pending');
$endpoint->control(faults => 'reasoning-only=1', plan => '');
sql("ALTER SERVER sim OPTIONS (SET max_in_flight '4')");
my $before = $endpoint->stats->{requests};
insert(5);
ok($node->wait_query("SELECT count(failure) FROM llava_pending WHERE failure = 'no_answer_thinking'", '5'), 'rows that get no answer in the end fail');
cmp_ok($endpoint->stats->{requests} - $before, '<=', 5 * 6 + 4, 'after one request more than max_attempts');
$endpoint->control(faults => '');
sql("SELECT llava_resume('sim')");
ok($node->wait_query($state, 'active'), 'llava_resume');
sql('TRUNCATE llava_pending');

# ---- probes ----

foreach my $fault ('401', '422-key', '403-flagged')
{
	$endpoint->control(faults => '');
	sql("ALTER SERVER sim OPTIONS (SET max_in_flight '1', SET model '$fault')");
	$node->wait_query($state, 'active') or die 'paused';
	my $from = $endpoint->stats->{requests};
	$endpoint->control(faults => "$fault=1");
	insert($fault eq '403-flagged' ? 20 : 2);
	ok($node->wait_query($state, $fault eq '403-flagged' ? 'content_filter' : 'key'), "$fault: paused");
	my $more = $fault eq '403-flagged' ? 16 + 8 : 8;
	ok($endpoint->wait_for(requests => $from + $more), "$fault: probed");
	is(twice_in_a_row($from), 0, "$fault: never with the row that was asked last");
	$endpoint->control(faults => '');
	ok($node->wait_drained, "$fault: it goes on");
}

# where there is no other row, it is the probe
$endpoint->control(faults => '401=1');
my $alone = $endpoint->stats->{requests};
insert(1);
ok($endpoint->wait_for(requests => $alone + 4), 'the only row that waits is asked again');
$endpoint->control(faults => '');
ok($node->wait_drained, 'and becomes a sample');

$node->stop('fast');
$endpoint->stop;
done_testing();
