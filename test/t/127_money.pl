# A budget holds whatever a server says of tokens: where no usable count comes the forecast
# is counted, and llava_stat_server says of how many replies.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

# a task's replies are forecast at half of its max_tokens, its prompt and the chat template
# at 300, and a picture of 56 x 56 pixels at 6
use constant FORECAST => (6 + 300 + 400) / 1000;
use constant PRICED => "max_in_flight '1', input_price '1000', output_price '1000'";

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('money', conf => "llava_zh.max_attempts = 100\n");
my $next = 1;

sub sql { return $node->safe_psql('postgres', $_[0]); }

sql("INSERT INTO llava_task (name, max_tokens) VALUES ('描述图片', 800), ('日常对话', NULL)");

# Asks about 40 pictures under this fault until the server has no budget left: requests,
# cost, the estimated replies among all, and what the endpoint used in truth.
sub spend
{
	my ($fault, $budget) = @_;
	$node->create_server('sim', $endpoint->url, PRICED . ", budget '$budget'");
	$endpoint->control(faults => $fault ? "$fault=1" : '');
	my $before = $endpoint->stats->{requests};
	$node->insert_pictures($next, $next + 39, '描述图片');
	$next += 40;
	# a server that breaks every connection off is paused for that
	my $reason = $fault =~ /^(?:truncated|reset)/ ? 'partial_body|connection_lost' : 'budget';
	ok($node->wait_query("SELECT pause_reason FROM llava_stat_server WHERE cost >= $budget", $reason), "$fault: the budget ends it")
	  or note sql('SELECT * FROM llava_usage');
	$node->wait_query('SELECT count(holder) = 0 FROM llava_pending') or die 'replies are not settled';
	my @spent = split /\|/, sql('SELECT requests, round(cost, 6), estimated, replies FROM llava_stat_server');
	is($spent[0], $endpoint->stats->{requests} - $before, "$fault: all that was asked is counted");
	return @spent;
}

# Forgets server, queue and usage.
sub forget
{
	sql('DROP SERVER sim; DELETE FROM llava_pending; DELETE FROM llava_usage');
	return;
}

# what is said is counted as it is said
my ($requests, $cost, $estimated) = spend('', 4);
my $used = sql('SELECT round(sum(prompt_tokens + completion_tokens) / 1000.0, 6) FROM llava_reply');
is("$cost $estimated", "$used 0", 'what a server says is what is counted');
cmp_ok($cost, '>=', 4, 'up to the budget');
my $true = $requests;
forget();
($requests, $cost, $estimated) = spend('usage-text', 4);
is("$requests $estimated", "$true 0", 'numbers in strings are numbers');
forget();

# what is not said is the forecast
my $most = int(4 / FORECAST + 0.999);
foreach my $fault ('no-usage', 'usage-zero', 'usage-nonsense')
{
	my @spent = spend($fault, 4);
	is("@spent", join(' ', $most, sprintf('%.6f', $most * FORECAST), $most, $most),
		"$fault: each reply counts as forecast, and is shown as estimated");
	is(sql('SELECT prompt_tokens || \' \' || completion_tokens FROM llava_usage'), '0 0', "$fault: the sums of tokens are what servers said");
	forget();
}

# what was broken off is paid for all the same, and so is what holds no answer
foreach my $fault ('truncated', 'reset-midway', 'not-json', 'huge-2')
{
	my ($n, $spent, $guessed) = spend($fault, 4);
	is("$n $spent $guessed", join(' ', $most, sprintf('%.6f', $most * FORECAST), $most), "$fault: counted as forecast");
	forget();
}
foreach my $fault ('content-null', 'empty-choices', 'no-choices')
{
	my ($n, $spent, $guessed) = spend($fault, 0.5);
	is("$guessed", '0', "$fault: what is said counts where no answer is");
	cmp_ok($spent, '>=', 0.5, 'up to the budget');
	forget();
}

# what no model was at work for is not
$node->create_server('sim', $endpoint->url, PRICED . ", budget '4'");
foreach my $fault ('error-200', '500', 'garbage', 'reset', '429')
{
	$endpoint->control(faults => "$fault=1");
	my $before = $endpoint->stats->{requests};
	$node->insert_pictures($next, $next, '描述图片');
	$next++;
	$endpoint->wait_for(requests => $before + 2) or die "$fault: not asked";
	$endpoint->control(faults => '');
	ok($node->wait_drained, "$fault: then there is an answer");
}
is(sql('SELECT estimated, replies > 5, cost < 4 FROM llava_stat_server'), '0|t|t', 'errors cost nothing');
is(sql('SELECT round(cost, 6) FROM llava_usage'),
	sql("SELECT round(sum(prompt_tokens + completion_tokens) / 1000.0, 6) FROM llava_reply r JOIN llava_image i ON i.id = r.image WHERE substr(path, 4, length(path) - 7)::int >= $next - 5 AND reason IS NULL"),
	'what was answered does');
forget();

# a task that sets replies no limit is not free
$endpoint->control(faults => 'no-usage=1');
$node->create_server('sim', $endpoint->url, "max_in_flight '1', input_price '0', output_price '1000', budget '4'");
$node->insert_pictures($next, $next + 39, '日常对话');
$next += 40;
ok($node->wait_query('SELECT pause_reason FROM llava_stat_server', 'budget'), 'replies without a limit are forecast too');
forget();

# llava_generate, which writes no table
$endpoint->control(faults => 'no-usage=1');
$node->create_server('sim', $endpoint->url, PRICED . ", budget '4'");
my $before = $endpoint->stats->{requests};
my $png = unpack('H*', LlavaZh::Cluster::png(1000));
my (undef, undef, $stderr) = $node->psql('postgres', "SELECT llava_generate(decode('$png', 'hex'), 'detail') FROM generate_series(1, 40)");
like($stderr, qr/the budget of server "sim" is used up/, 'llava_generate stops at the budget');
is($endpoint->stats->{requests} - $before, $most, 'after as many requests');
$node->stop('fast');
$endpoint->stop;
done_testing();
