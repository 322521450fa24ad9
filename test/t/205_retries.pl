# A rejected reply is asked for again as its reason deserves: another seed, after a loop
# a presence penalty, after a cut one more room, after a refusal another server; until
# max_attempts, and then the row rests with its reason.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use List::Util qw(uniq);
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $other = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('retries', conf => "llava_zh.max_attempts = 4\n");
$node->create_server('sim', $endpoint->url, "max_in_flight '8'");
my $picture = 0;
my $task = '描述图片';
my $max_tokens = $node->safe_psql('postgres', "SELECT max_tokens FROM llava_task WHERE name = '$task'");

sub sql { return $node->safe_psql('postgres', shift); }

# The requests about one new picture, asked while these faults are set.
sub asked_with
{
	my ($faults, @endpoints) = @_;
	@endpoints = ($endpoint) if !@endpoints;
	my %before = map { $_ => scalar $_->requests } @endpoints;
	$_->control(faults => $faults) for @endpoints;
	$node->insert_pictures(++$picture, $picture, $task);
	ok($node->wait_query('SELECT count(*) = 0 FROM llava_pending WHERE failure IS NULL'), "$faults: to its end");
	return map { my @all = $_->requests; splice @all, $before{$_} } @endpoints;
}

sub failure { return sql("SELECT failure FROM llava_pending WHERE image = (SELECT max(id) FROM llava_image)"); }

sub column { my ($name, @requests) = @_; return join ',', map { $_->{$name} // '-' } @requests; }

# a reason that asks for nothing but another try
my @asked = asked_with('english=1');
is(scalar @asked, 4, 'max_attempts requests');
is(scalar(uniq map { $_->{seed} } @asked), 4, 'each with a seed of its own');
is(column('presence_penalty', @asked), '-,-,-,-', 'and nothing else changed');
is(column('max_tokens', @asked), join(',', ($max_tokens) x 4), 'nor the tokens');
is(failure(), 'language', 'then the row rests with its reason');
is(sql('SELECT count(*), count(*) FILTER (WHERE reason = \'language\') FROM llava_reply'), '4|4', 'each reply is kept');

# loops
@asked = asked_with('loop=1');
is(column('presence_penalty', @asked), '-,1,1,1', 'after a loop there is a presence penalty');
is(failure(), 'degenerate', 'a loop is what it rests with');
is(sql("SELECT string_agg(coalesce(parameters ->> 'presence_penalty', '-'), ',' ORDER BY id) FROM llava_reply WHERE reason = 'degenerate'"),
	'-,1,1,1', 'the ledger says with what it was asked');

# cut replies
@asked = asked_with('length-early=1');
is(column('max_tokens', @asked), $max_tokens . ',' . 2 * $max_tokens, 'after a cut reply twice the tokens, once');
is(failure(), 'truncated', 'and then it rests');
is(sql("SELECT string_agg(parameters ->> 'max_tokens', ',' ORDER BY id) FROM llava_reply WHERE reason = 'truncated'"),
	$max_tokens . ',' . 2 * $max_tokens, 'as the ledger says');

# one server: refusals are asked once more there
for my $case ([ 'refusal=1', 'refusal' ], [ 'content-filter=1', 'content_filter' ], [ '400-filter=1', 'content_filter' ])
{
	my ($fault, $reason) = @{$case};
	@asked = asked_with($fault);
	is(scalar @asked, 2, "$fault: once more");
	is(scalar(uniq map { $_->{seed} } @asked), 2, "$fault: with another seed");
	is(failure(), $reason, "$fault: then it rests as $reason");
}

# two: the other one has its say, whatever its priority
sql("CREATE SERVER zz FOREIGN DATA WRAPPER llava_zh OPTIONS (url '" . $other->url . "', model 'test', priority '9')");
for my $fault ('refusal=1', '400-filter=1')
{
	@asked = asked_with($fault, $endpoint, $other);
	is($other->stats->{requests}, 1, "$fault: the next server is asked");
	is(scalar @asked, 2, "$fault: and nobody after it");
	$other->stop;
	$other = LlavaZh::Endpoint->new;
	sql("ALTER SERVER zz OPTIONS (SET url '" . $other->url . "')");
}
$endpoint->control(faults => 'refusal=1');
$node->insert_pictures(++$picture, $picture, $task);
ok($node->wait_drained, 'one refuses');
is(sql('SELECT server FROM llava_reply WHERE id = (SELECT max(id) FROM llava_reply)'), 'zz', 'the other one answers');
is(sql('SELECT count(*) FROM llava_conversation WHERE image = (SELECT max(id) FROM llava_image)'), '1', 'that is a sample');
sql('DROP SERVER zz CASCADE');

# llava_retry: by image, reason, task
$endpoint->control(faults => '');
my $looped = sql("SELECT image FROM llava_pending WHERE failure = 'degenerate'");
is(sql("SELECT llava_retry(image => $looped)"), '1', 'one image again');
ok($node->wait_query("SELECT count(*) = 1 FROM llava_conversation WHERE image = $looped"), 'it is a sample now');
is((($endpoint->requests)[-1])->{presence_penalty} // '-', '-', 'what was wrong before the retry is forgotten');
is(sql("SELECT llava_retry(reason => 'refusal')"), '2', 'all of one reason');
ok($node->wait_query("SELECT count(*) = 0 FROM llava_pending WHERE failure = 'refusal'"), 'they are samples too');
my $rest = sql("SELECT count(*) FROM llava_pending WHERE failure IS NOT NULL AND task = '$task'");
cmp_ok($rest, '>', 2, 'others rest');
is(sql("SELECT llava_retry(task => '日常对话')"), '0', 'none of another task');
is(sql("SELECT llava_retry(task => '$task')"), $rest, 'all of a task');
ok($node->wait_query('SELECT count(*) = 0 FROM llava_pending'), 'all are samples');

# replies that are settled together, asked with what each task says
$endpoint->control(faults => 'hold=1');
my $before = $endpoint->requests;
my @tasks = ('日常对话', '复杂推理', '描述图片');
for (1 .. 6)
{
	++$picture;
	$node->insert_pictures($picture, $picture, $tasks[ $picture % 3 ]);
}
$endpoint->wait_for(in_flight => 6);
$endpoint->control(faults => '');
$endpoint->control(release => 1);
ok($node->wait_drained, 'six replies at once');
@asked = $endpoint->requests;
@asked = splice @asked, $before;
cmp_ok(scalar(uniq map { $_->{max_tokens} } @asked), '>', 1, 'of tasks that differ');
is(sql("SELECT string_agg(id || ' ' || (parameters ->> 'max_tokens'), ', ' ORDER BY id) FROM (SELECT * FROM llava_reply ORDER BY id DESC LIMIT 6) r"),
	join(', ', map { "$_->{request_id} $_->{max_tokens}" } sort { $a->{request_id} <=> $b->{request_id} } @asked),
	'the ledger says of each with what it was asked');

my ($code, $out, $err) = $node->psql('postgres', "SELECT llava_retry(task => '描图')");
like($err, qr/ERROR:.*描图.*HINT:.*日常对话/s, 'a task that is not there is an error that names those that are');
(undef, $out, $err) = $node->psql('postgres', "SELECT llava_retry(reason => 'degenerated')");
like($err, qr/NOTICE:.*"degenerated"/s, 'a reason that no row rests with is said so');

$node->stop('fast');
$_->stop for $endpoint, $other;
done_testing();
