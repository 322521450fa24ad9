# Workers are killed and terminated, the whole server is killed, at moments that the
# requests choose, while the endpoint fails in all its ways, and in a provider's own
# words, another provider's each round: nothing is lost, nothing stored twice, every
# request the endpoint saw is accounted for, and every row is a sample or failed for what
# the provider said of its picture.
#
# LLAVA_SOAK: rounds (20); every tenth kills the whole server.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use JSON::PP;
use Test::More;

my $rounds = $ENV{LLAVA_SOAK} // 20;
my $seed = $ENV{LLAVA_SOAK_SEED} // 4711;
srand($seed);
note "seed $seed";

# one request in five, in all ways the endpoint knows but the one that waits for a word of ours
my ($listed) = `${\ LlavaZh::Endpoint::program()} --help` =~ /^Faults by name(.*)/ms;
my @faults = grep { !/^(?:hold|answer)$/ } $listed =~ /^  ([a-z0-9-]+) /mg;
cmp_ok(scalar @faults, '>', 120, scalar @faults . ' kinds of faults');
my $faults = join ',', map { sprintf '%s=%.5f', $_, 0.2 / @faults } @faults;

# answers of providers, each with what must become of it
my $answers = PostgreSQL::Test::Utils::tempdir() . "/answers.jsonl";
my @answers = grep { defined $_->{body} && !grep { /^(?:Transfer|Content)-Encoding/i } @{ $_->{headers} } }
  map { JSON::PP->new->utf8->decode($_) } map { split /\n/, slurp_file("test/unit/$_.jsonl") } qw(servers servers_more);
append_to_file($answers, join '', map { JSON::PP->new->ascii->encode($_) . "\n" } @answers);
my %provider = (
	OpenRouter => qr/openrouter|sse_comment|comment_|choice_error|200_error|flagged403|error_none_in_choice|y_openrouter/,
	DashScope => qr/dash|_tpm|content_parts|think_|fin_sensitive/,
	Zhipu => qr/zhipu|sensitive|network_error|zh\d*$|f_zh|y_zh/,
	SiliconFlow => qr/_sf|sf_|reasoning_content|think_null|t_sf/,
	Gemini => qr/gemini|SAFETY|MAX_TOKENS|STOP|BLOCK|PROHIBITED|RECITATION|SPII|MALFORMED|t_list/,
	vLLM => qr/vllm|abort|stop_sequence|fin_stop|x_str|i_vllm|refusal_|usage_null/,
	'llama.cpp' => qr/llamacpp|no_encoder|usage_zero|eos|t_loading|i_ollama|fin_length/,
	'one-api' => qr/oneapi|gateway|litellm|in_data|usage_strings|g_200|x_aihubmix|m_zh/);

# a provider's answers to one request in five, or all that the endpoint knows
sub choose_provider
{
	my $name = (sort keys %provider, 'none')[ int rand keys(%provider) + 1 ];
	return $faults if $name eq 'none';
	my @own = grep { $answers[ $_ - 1 ]{name} =~ $provider{$name} } 1 .. @answers;
	return join ',', map { sprintf 'answer-%d=%.5f', $_, 0.2 / @own } @own;
}

my $endpoint = LlavaZh::Endpoint->new(latency => '20-200', faults => $faults, seed => $seed, answers => $answers);
my $node = LlavaZh::Cluster->new('soak', conf => "llava_zh.workers = 2\nllava_zh.max_attempts = 8\nllava_zh.retry_delay_max = '200ms'\n");
$node->create_server('sim', $endpoint->url, "max_in_flight '16', request_timeout '3s'");
my $images = 0;

# as many new pictures as keep it busy until the next blow
sub feed
{
	$node->safe_psql('postgres', LlavaZh::Cluster::pictures_sql($images + 1, $images + 40));
	$images += 40;
	return;
}

# Until the server has noticed: after SIGKILL it ends all its processes and starts again.
sub kill_worker
{
	my ($signal) = @_;
	my @pids = split /\n/, $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = 'llava_zh worker' ORDER BY pid");
	my $pid = @pids ? $pids[ rand @pids ] : return;
	kill $signal, $pid;
	$node->wait_query("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid", '0') // die 'it does not end';
	return;
}

for my $round (1 .. $rounds)
{
	$endpoint->control(faults => choose_provider());
	my $moment = $endpoint->stats->{requests} + 1 + int rand 30;
	feed();
	$endpoint->wait_for(requests => $moment) // die "round $round: the requests stopped";
	if ($round % 10 == 0)
	{
		$node->kill9;
		$node->start_again;
	}
	else
	{
		kill_worker(rand() < 0.5 ? 'KILL' : 'TERM');
	}
}
# a minute for what waited, and one for each ten rounds' worth
my $drained;
for (0 .. $rounds / 10)
{
	last if $drained = $node->wait_drained;
}
ok($drained, "after $rounds rounds the queue runs dry");

my $counts = $node->safe_psql('postgres', <<'SQL');
SELECT (SELECT count(*) FROM llava_image), (SELECT count(*) FROM llava_image i
	WHERE NOT EXISTS (SELECT FROM llava_conversation c WHERE c.image = i.id)
	AND NOT EXISTS (SELECT FROM llava_pending p WHERE p.image = i.id AND p.failure IS NOT NULL)),
	(SELECT count(*) FROM (SELECT image FROM llava_conversation GROUP BY image HAVING count(*) > 1) d)
SQL
is($counts, "$images|0|0", 'every image is a sample or failed with a reason, none is two samples');
note $node->safe_psql('postgres', "SELECT 'failed: ' || failure || ' ' || count(*) FROM llava_pending GROUP BY failure");

my %asked;
my %said;
for my $request ($endpoint->requests)
{
	$asked{ $request->{request_id} }++;
	$said{ $request->{request_id} } = $answers[ $1 - 1 ] if ($request->{fault} // '') =~ /^answer-(\d+)$/;
}

# the last request about each failed picture: what a provider answered it
my %reason = (
	content_filter => qr/^content_filter$/,
	bad_image => qr/^bad_image$/,
	'content_filter or retry' => qr/^content_filter$/);
my ($judged, @wrong) = (0);
for (split /\n/, $node->safe_psql('postgres', 'SELECT call, failure FROM llava_pending WHERE failure IS NOT NULL'))
{
	my ($call, $failure) = split /\|/;
	my $answer = $said{$call} // next;
	$judged++;
	my $wanted = $reason{ $answer->{expect} };
	# what is asked again fails at last by the last verdict, or as an outage's request
	push @wrong, "$answer->{name} ($answer->{expect}): $failure"
	  if defined $wanted ? $failure !~ $wanted : $failure =~ /^(?:content_filter|bad_image)$/;
	push @wrong, "$answer->{name} ($answer->{expect}): $failure" if $answer->{expect} =~ /^(?:pause|throttle|busy)/;
}
cmp_ok($judged, '>', $rounds / 10, "$judged rows failed by what a provider said");
is(join("\n", @wrong), '', 'each for the right reason');

is(join(' ', grep { $asked{$_} > 1 } keys %asked), '', 'no call id reached the endpoint twice');

my %known = map { $_ => 1 } split /\n/,
  $node->safe_psql('postgres', 'SELECT id FROM llava_reply UNION ALL SELECT call FROM llava_interrupted');
my $unexplained = grep { !$known{$_} } keys %asked;
is($unexplained, $node->safe_psql('postgres', 'SELECT sum(requests - replies) FROM llava_usage'),
	'calls without a reply or an interruption are those that failed, to the one');
is($node->safe_psql('postgres', 'SELECT count(*) FROM (SELECT id FROM llava_reply WHERE NOT late INTERSECT SELECT call FROM llava_interrupted) b'),
	'0', 'no call is both');
my $stats = $endpoint->stats;
cmp_ok($stats->{connections}, '<', $stats->{requests} / 2, 'connections are used again');
note "requests $stats->{requests}, connections $stats->{connections}, unexplained $unexplained";
$node->stop('fast');
$endpoint->stop;
done_testing();
