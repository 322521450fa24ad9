# Answers of other people's servers, through the worker: what is one picture's fault ends
# on its row, what is the server's pauses it at once, load and outages cost no attempt,
# and a reply that was paid for is read or in the ledger with its reason.
use strict;
use warnings;
use lib 'test/perl';
use IO::Socket::INET;
use Encode ();
use JSON::PP;
use LlavaZh::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# name => the case, of the files that the unit test asks for one by one
my %case;
foreach my $file ('servers', 'servers_more')
{
	open my $in, '<:raw', "test/unit/$file.jsonl" or die "$file: $!";
	while (<$in>)
	{
		my $one = decode_json($_);
		$one->{body} = Encode::encode_utf8($one->{body}) if defined $one->{body};
		$case{ $one->{name} } = $one;
	}
}

my $listener = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "listen: $!";
my $port = $listener->sockport;
my $parent = $$;
my $pid = fork() // die "fork: $!";
if ($pid == 0)
{
	while (getppid() == $parent)
	{
		my $client = $listener->accept or next;
		my $request = '';
		while (sysread($client, $request, 1 << 20, length $request))
		{
			my ($head, $body) = split /\r\n\r\n/, $request, 2;
			last if defined $body && $head =~ /content-length: *(\d+)/i && length $body >= $1;
		}
		my ($name) = $request =~ m{^POST /(\w+)};
		my $one = $case{ $name // '' } // { status => 404, headers => [], body => 'no such case' };
		print {$client} join("\r\n", "HTTP/1.1 $one->{status} Said", @{ $one->{headers} }, 'Connection: close',
			'Content-Length: ' . length $one->{body}, '', $one->{body});
		close $client;
	}
	POSIX::_exit(0);
}
END { kill 'KILL', $pid if $pid && $$ == $parent; }

my $node = LlavaZh::Cluster->new('answers', conf => "llava_zh.max_attempts = 2\n");
my $next = 1;
$node->create_server('sim', "http://127.0.0.1:$port/bom", "max_in_flight '4'");

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub point_to
{
	my ($name) = @_;
	die "no case $name" if !$case{$name};
	sql("ALTER SERVER sim OPTIONS (SET url 'http://127.0.0.1:$port/$name')");
	return;
}

sub new_picture
{
	my ($name) = @_;
	point_to($name);
	$node->insert_pictures($next, $next, 'detail');
	return 'pic' . $next++ . '.png';
}

sub row_ends
{
	my ($name, $reason, $attempts) = @_;
	my $path = new_picture($name);
	is($node->wait_query("SELECT p.failure || ' ' || p.attempts FROM llava_pending p JOIN llava_image i ON i.id = p.image WHERE i.path = '$path' AND failure IS NOT NULL", '.+'),
		"$reason $attempts", "$name: the row fails as $reason");
	is(sql('SELECT state FROM llava_stat_server'), 'active', "$name: the server is not paused");
	return;
}

sub becomes_sample
{
	my ($name, $tokens) = @_;
	my $path = new_picture($name);
	is($node->wait_query("SELECT coalesce(r.prompt_tokens, -1) || ' ' || coalesce(r.completion_tokens, -1) FROM llava_reply r JOIN llava_conversation c ON c.reply = r.id JOIN llava_image i ON i.id = r.image WHERE i.path = '$path'", '.+'),
		$tokens, "$name: the reply is a sample, its tokens known as far as they are said");
	return;
}

# Paused, the row waits with no attempt counted; an answer is all that it needs.
sub server_pauses
{
	my ($name, $reason) = @_;
	my $path = new_picture($name);
	ok($node->wait_query('SELECT pause_reason FROM llava_stat_server', $reason), "$name: the server is paused for $reason");
	is(sql("SELECT count(*), count(failure), max(attempts - (holder IS NOT NULL)::int) FROM llava_pending p JOIN llava_image i ON i.id = p.image WHERE i.path = '$path'"),
		'1|0|0', "$name: no attempt counts");
	point_to('bom');
	ok($node->wait_query("SELECT count(*) FROM llava_conversation c JOIN llava_image i ON i.id = c.image WHERE i.path = '$path'", '1'),
		"$name: then it is a sample");
	return;
}

# Asked again and again, and nothing is counted.
sub costs_nothing
{
	my ($name) = @_;
	my $before = sql('SELECT coalesce(max(requests), 0) FROM llava_usage');
	my $path = new_picture($name);
	ok($node->wait_query("SELECT max(requests) >= $before + 4 FROM llava_usage", 't'), "$name: asked again");
	is(sql("SELECT count(failure), max(attempts - (holder IS NOT NULL)::int) FROM llava_pending p JOIN llava_image i ON i.id = p.image WHERE i.path = '$path'"),
		'0|0', "$name: no attempt counts");
	point_to('bom');
	ok($node->wait_query("SELECT count(*) FROM llava_conversation c JOIN llava_image i ON i.id = c.image WHERE i.path = '$path'", '1'),
		"$name: then it is a sample");
	return;
}

becomes_sample('bom', '100 200');
becomes_sample('sse', '-1 -1');
becomes_sample('sse_crlf_event', '310 120');
becomes_sample('sse_comment_before', '100 200');
becomes_sample('usage_strings', '100 200');
becomes_sample('usage_zero', '-1 -1');
becomes_sample('s_oneapi_emptyerr', '100 200');
becomes_sample('fin_odd_whole', '310 120');
is(sql("SELECT count(*) FROM llava_conversation WHERE 'odd_finish' = ANY (flags)"), '1', 'an end of unknown meaning is flagged');
is(sql("SELECT bool_and(octet_length(convert_from(body, 'UTF8')::jsonb #>> '{choices,0,message,content}') > 100) FROM llava_reply r JOIN llava_image i ON i.id = r.image WHERE i.path IN ('pic2.png', 'pic3.png')"),
	't', 'a stream is in the ledger as a completion');

row_ends($_, 'content_filter', 2) foreach ('flagged403', 'waf405', 'b_sf451', 'b_minimax', 'b_gemini_block', 'fin_SAFETY', 'f_cloudflare');
row_ends('lone_surrogate', 'bad_utf8', 2);
row_ends('think_null_length', 'no_answer_thinking', 2);
row_ends('fin_abort', 'unfinished', 2);
is(sql("SELECT count(*), min(prompt_tokens), min(completion_tokens), min(finish_reason) FROM llava_reply WHERE reason = 'unfinished'"),
	'2|100|200|abort', 'a reply that was broken off is in the ledger each time, with what it took');
row_ends('b_dash_size', 'bad_image', 1);

server_pauses('s_ark_noimg', 'model');
server_pauses('s_ollama_noimg', 'model');
server_pauses('s_gemini_key', 'key');
server_pauses('s_200_error401', 'key');
server_pauses('s_zhipu_1113', 'money');
server_pauses('s_200_error402', 'money');
server_pauses('region', 'region');

costs_nothing($_) foreach ('s_524', 's_498', 's_200_error429', 's_200_error503');

# the verdicts are the same when the ledger is read again
sql('CALL llava_reparse()');
is(sql("SELECT count(*) FILTER (WHERE reason = 'unfinished'), count(*) FILTER (WHERE reason = 'no_answer_thinking'), count(*) FILTER (WHERE reason = 'bad_utf8') FROM llava_reply"),
	'2|2|2', 'llava_reparse comes to the same verdicts');

$node->stop('fast');
done_testing();
