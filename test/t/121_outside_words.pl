# What comes from outside: a key that a server echoes is in no table, message or log,
# however it is spelled; what the database's host can reach is read to the server's
# owner only; and a reply that comes to no end in what is no body ends all the same.
use strict;
use warnings;
use lib 'test/perl';
use IO::Socket::INET;
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $key = 'sk+Ab/c"D1e2F3g4';
(my $sql_key = $key) =~ s/'/''/g;

# The key as JSON may write it: each character in its own way, as told by $how.
sub spelled
{
	my ($how) = @_;
	my $n = 0;
	return join '', map {
		my $ways = [ sprintf('\\u%04x', ord), sprintf('\\u%04X', ord),
			/["\/]/ ? "\\$_" : $_, $_ eq '"' ? '\\"' : $_ ];
		$ways->[ ($n++ + $how) % 4 ]
	} split //, $key;
}

my $answer = '这张照片展示了一条安静的街道，两旁的店铺挂着红色的招牌，行人撑着雨伞慢慢走过。'
  . '路面被雨水打湿，反射出路灯温暖的黄色光芒，远处的楼房在薄雾中显得模糊。招牌上写着%s几个字，'
  . '左侧停着一辆蓝色的自行车，车筐里放着一束白色的花，整个画面宁静而有层次。';

sub completion
{
	my ($how) = @_;
	my $echo = spelled($how);
	return '{"id":"' . $echo . '","model":"m ' . $echo . '","choices":[{"message":{"role":"assistant","content":"'
	  . sprintf($answer, $echo) . '","' . $echo . '":1},"finish_reason":"stop"}],"usage":'
	  . '{"prompt_tokens":10,"completion_tokens":20}}';
}

sub percent { return join '', map { /\w/ ? $_ : sprintf('%%%02X', ord) } split //, $key; }
sub html { return join '', map { /\w/ ? $_ : '&#' . ord() . ';' } split //, $key; }

# An error's JSON in a string of another's, as gateways pass it on.
sub nested
{
	my $inner = '{"error":{"message":"key ' . spelled(1) . '"}}';
	$inner =~ s/(["\\])/\\$1/g;
	return '{"error":{"message":"upstream said: ' . $inner . '"}}';
}

# path's first word => status and body
my %says = (
	(map { ("echo$_" => [ 200, completion($_) ]) } 0 .. 3),
	# what is shown of it ends amid the key
	(map { ("clipped$_" => [ 401, '{"error":{"message":"' . ('x' x (225 + 7 * $_)) . ' ' . spelled($_) . '"}}' ]) } 0 .. 3),
	cut => [ 401, '{"error":{"message":"Incorrect key ' . substr($key, 0, 5) . '\\u002fc\\"D1e2"}}' ],
	nested => [ 401, nested() ],
	percent => [ 400, '{"error":{"message":"bad header ' . percent() . '"}}' ],
	html => [ 400, '<html><body>Bad request: ' . html() . '</body></html>' ],
	no_completion => [ 200, '{"you":"' . spelled(2) . '"}' ],
	page => [ 200, '<html>internal secret-page</html>' ],
	object => [ 200, '{"error":{"message":"secret-page"}}' ],
	missing => [ 404, '{"message":"secret-page"}' ],
	denied => [ 403, 'secret-page' ],
	broken => [ 500, '{"detail":"secret-page"}' ],
	moved => [ 302, 'secret-page' ],
	busy => [ 503, 'secret-page' ],
	refused => [ 400, '{"error":{"code":"secret-page","message":"image: secret-page"}}' ],
	filtered => [ 400, '{"error":{"code":"data_inspection_failed","message":"secret-page"}}' ],
);

my $listener = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "listen: $!";
my $says_port = $listener->sockport;
my $parent = $$;
my $says_pid = fork() // die "fork: $!";
if ($says_pid == 0)
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
		my ($word) = $request =~ m{^POST /(\w+)};
		my ($status, $body) = @{ $says{ $word // '' } // [ 404, 'no such word' ] };
		print {$client} "HTTP/1.1 $status Said\r\nConnection: close\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
		close $client;
	}
	POSIX::_exit(0);
}
END { kill 'KILL', $says_pid if $says_pid && $$ == $parent; }

my $node = LlavaZh::Cluster->new('words', conf => "llava_zh.max_attempts = 2\nllava_zh.max_reply_size = '256kB'\n");
my $next = 1;
$node->create_server('sim', "http://127.0.0.1:$says_port/echo0", "max_in_flight '4'");
$node->safe_psql('postgres', "CREATE USER MAPPING FOR CURRENT_USER SERVER sim OPTIONS (api_key '$sql_key')");

sub point_to
{
	my ($url) = @_;
	$node->safe_psql('postgres', "ALTER SERVER sim OPTIONS (SET url '$url')");
	return;
}

sub said { return "http://127.0.0.1:$says_port/$_[0]"; }

# Whatever reads as the key, or as a good part of it.
my @parts = map { substr($key, 0, $_) } 5 .. length $key;
sub without_key
{
	my ($text, $name) = @_;
	my @found = grep { index($text, $_) >= 0 } @parts;
	is("@found", '', $name);
	return;
}

# ---- a key in an answer ----
for my $how (0 .. 3)
{
	point_to(said("echo$how"));
	$node->insert_pictures($next, $next, '描述图片');
	$next++;
	ok($node->wait_drained, "an answer that echoes the key ($how) is settled");
}
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT model_reported), min(model_reported) FROM llava_reply'),
	'4|1|m ' . '*' x length $key, 'the model reported is masked');
is($node->safe_psql('postgres', 'SELECT count(*) FROM llava_conversation'), '4', 'the answers became samples');
# as JSON the bodies are what they were, with the key's meaning masked
my $bodies = $node->safe_psql('postgres', "SELECT convert_from(body, 'UTF8')::jsonb FROM llava_reply");
is(scalar(() = $bodies =~ /"content"/g), 4, 'the bodies are kept as JSON');
without_key($bodies =~ s/\\"/"/gr, 'the bodies are without the key');
without_key($node->safe_psql('postgres',
		"SELECT conversation, r.id, r.model_reported, r.finish_reason, r.parameters FROM llava_conversation c JOIN llava_reply r ON r.id = c.reply") =~ s/\\"/"/gr,
	'samples and ledger too');
without_key($node->safe_psql('postgres', "SELECT llava_dataset_card(), llava_page(), llava_report(), string_agg(e, '') FROM llava_export() e"),
	'and what is published');
is($node->safe_psql('postgres', "CALL llava_reparse()") =~ /"rewritten": 0/ ? 'same' : 'other', 'same',
	'what is stored is read again to the same samples');

# ---- a key in an error ----
for my $case (qw(clipped0 clipped1 clipped2 clipped3 cut nested))
{
	$node->safe_psql('postgres', "SELECT llava_pause('sim')");
	point_to(said($case));
	$node->insert_pictures($next, $next, 'detail');
	$next++;
	$node->safe_psql('postgres', "SELECT llava_resume('sim')");
	ok($node->wait_query("SELECT count(*) FROM llava_stat_server WHERE pause_reason = 'key' AND pause_detail LIKE 'HTTP 401: %'", '1'),
		"$case: the server is paused");
	ok($node->wait_query("SELECT count(*) > 0 FROM llava_pending WHERE detail LIKE 'HTTP 401: %' AND failure IS NULL"),
		"$case: and its row says why");
	without_key($node->safe_psql('postgres',
			"SELECT (SELECT string_agg(pause_detail, '') FROM llava_stat_server), (SELECT string_agg(detail, '') FROM llava_pending)"),
		"$case: without the key");
}
$node->safe_psql('postgres', "SELECT llava_pause('sim'); DELETE FROM llava_pending");
point_to(said('percent'));
$node->safe_psql('postgres', "SELECT llava_resume('sim')");
for my $case (qw(percent html no_completion))
{
	point_to(said($case));
	$node->insert_pictures($next, $next, 'detail');
	my $detail = $node->wait_query(
		"SELECT p.detail FROM llava_pending p JOIN llava_image i ON i.id = p.image WHERE i.path = 'pic$next.png' AND failure IS NOT NULL", '.+');
	like($detail, qr/^HTTP \d+: /, "$case: the row has failed");
	like($detail, qr/\*{16}/, "$case: and the key is masked") if $case ne 'no_completion';
	unlike($detail, qr/Ab|D1e2F3/, "$case: no part of it is left");
	$next++;
}
without_key($node->safe_psql('postgres',
		"SELECT string_agg((convert_from(body, 'UTF8')::jsonb)::text, '') FROM llava_reply WHERE reason = 'no_completion'") =~ s/\\"/"/gr,
	'the kept body of what is no completion is without the key');
for my $case (qw(clipped0 clipped1 cut nested percent html no_completion))
{
	point_to(said($case));
	my ($ret, $out, $err) = $node->psql('postgres', "SELECT llava_generate(image, 'detail') FROM llava_image WHERE id = 1");
	isnt($ret, 0, "$case: llava_generate fails");
	unlike($err, qr/Ab|D1e2F3/, "$case: without the key");
}
without_key(slurp_file($node->logfile), 'nor has the log the key');

# ---- what others may read of it ----
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE asker;
CREATE ROLE owner_role;
CREATE ROLE member IN ROLE owner_role;
GRANT EXECUTE ON FUNCTION llava_generate(bytea, text, text) TO asker, owner_role;
GRANT SELECT ON llava_task TO asker, owner_role;
GRANT USAGE ON FOREIGN DATA WRAPPER llava_zh TO owner_role;
SET ROLE owner_role;
CREATE SERVER theirs FOREIGN DATA WRAPPER llava_zh OPTIONS (url 'http://127.0.0.1:1', model 'm', request_timeout '20s');
GRANT USAGE ON FOREIGN SERVER theirs TO asker;
RESET ROLE;
CREATE FUNCTION told(picture bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE said text; detail text; hint text; context text;
BEGIN
	PERFORM llava_generate(picture, 'detail', 'theirs');
	RETURN 'answered';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
	RETURN concat_ws('|', said, detail, hint, context);
END $$;
SQL
$node->safe_psql('postgres', "ALTER SYSTEM SET llava_zh.retry_delay = '1ms'; SELECT pg_reload_conf()");
my $picture = unpack('H*', LlavaZh::Cluster::png(500));

sub told
{
	my ($role) = @_;
	my ($ret, $out, $err) = $node->psql('postgres',
		"SET client_min_messages = debug5; SET ROLE $role; SELECT told(decode('$picture', 'hex'))");
	return $out . $err;
}

my %class = (page => 'no_completion', object => 'no_completion', missing => 'not_found', denied => 'key', broken => 'http_500',
	moved => 'redirect', busy => 'http_503', refused => 'bad_image', filtered => 'content_filter');
for my $case (sort keys %class)
{
	$node->safe_psql('postgres', "ALTER SERVER theirs OPTIONS (SET url '" . said($case) . "')");
	my $stranger = told('asker');
	like($stranger, qr/server "theirs" gave no answer \($class{$case}\)\|HTTP $says{$case}[0]\|.*server's owner/,
		"$case: another role is told status, class and what to do");
	unlike($stranger, qr/secret|JSON|choices/, "$case: and nothing of what was said");
	like(told($_), qr/secret-page/, "$case: $_ is told")
	  foreach $case eq 'busy' ? 'owner_role' : qw(owner_role member postgres);
}
# the same of what is no HTTP at all, and of nothing at all
my $banner = IO::Socket::INET->new(Listen => 8, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "listen: $!";
my $closed = $banner->sockport;
$banner->close;
$node->safe_psql('postgres', "ALTER SERVER theirs OPTIONS (SET url 'http://127.0.0.1:$closed/')");
my $stranger = told('asker');
like($stranger, qr/gave no answer \(refused\)\|.*server's owner/, 'a refused connection is told as such');
unlike($stranger, qr/\Q$closed\E/, 'without the words of the library');
like(told('owner_role'), qr/$closed/, 'which the owner is told');
my $log = -s $node->logfile;
$node->safe_psql('postgres', "ALTER SERVER theirs OPTIONS (SET url '" . said('page') . "')");
my (undef, undef, $error) = $node->psql('postgres', "SET ROLE asker; SELECT llava_generate(decode('$picture', 'hex'), 'detail', 'theirs')");
unlike($error, qr/secret/, 'nor does an error that is not caught tell a stranger');
like(slurp_file($node->logfile, $log), qr/DETAIL:  HTTP 200: .*secret-page/, 'but the log');

# ---- a reply without an end ----
my $endpoint = LlavaZh::Endpoint->new;
$node->safe_psql('postgres', "DELETE FROM llava_pending; ALTER SERVER sim OPTIONS (ADD request_timeout '60s')");
for my $fault (qw(endless-chunk endless-name endless-interim))
{
	point_to($endpoint->url("/fault/$fault"));
	$node->insert_pictures($next, $next, 'detail');
	is($node->wait_query("SELECT p.failure || ' ' || p.attempts FROM llava_pending p JOIN llava_image i ON i.id = p.image WHERE i.path = 'pic$next.png' AND failure IS NOT NULL", '.+'),
		'reply_too_large 2', "$fault: the row fails as after an over-long reply");
	is($node->safe_psql('postgres', "SELECT state FROM llava_stat_server WHERE server = 'sim'"), 'active',
		"$fault: the server is not paused");
	like(($node->psql('postgres', "SELECT llava_generate(image, 'detail', 'sim') FROM llava_image WHERE id = 1"))[2],
		qr/\(reply_too_large\)/, "$fault: llava_generate says the same");
	$next++;
}
ok($endpoint->wait_for(in_flight_max => 0), 'the connections are gone');
my @sent = map { $_->{bytes_sent} } grep { $_->{done} } $endpoint->requests;
is(scalar(@sent), 3 * (2 + 3), 'each was asked so many times');
note("bytes sent: @sent");
# what was read, and what the kernel's buffers took beside it
is(scalar(grep { $_ > 64 * 1024 * 1024 } @sent), 0, 'and read no further than a multiple of the limit');
point_to($endpoint->url);
$node->insert_pictures($next, $next, 'detail');
ok($node->wait_query("SELECT count(*) = 0 FROM llava_pending WHERE failure IS NULL"), 'the next picture is answered');

$node->stop('fast');
$endpoint->stop;
done_testing();
