# A chain of three tasks and a branch of it, with conditions and shares, while workers, calls of
# llava_follow and whole servers are killed, samples are replaced and edited, shares raised and
# conditions loosened: at the end one SELECT that recomputes from ledger, conditions and shares
# what must exist of which picture and task finds no difference.
#
# LLAVA_SOAK: rounds (6); make soak takes more.
use strict;
use warnings;
use utf8;
use lib 'test/perl';
use Encode qw(encode_utf8);
use IPC::Run;
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use LlavaZh::Stages qw(stages_on sql striped);
use PostgreSQL::Test::Utils;
use Test::More;

my $rounds = $ENV{LLAVA_SOAK} // 6;
my $seed = $ENV{LLAVA_SOAK_SEED} // 4719;
srand($seed);
note "seed $seed";

my $faults = join ',', (map { "$_=0.02" } qw(429-none 500 503 reset-midway truncated object-prose object-python object-white refusal loop 400-image));
my $endpoint = LlavaZh::Endpoint->new(latency => '5-60', faults => $faults, seed => $seed);
my $node = LlavaZh::Cluster->new('stages_soak', conf => "llava_zh.workers = 2\nllava_zh.max_attempts = 6\nllava_zh.retry_delay_max = '200ms'\n");
stages_on($node);
$node->create_server('sim', $endpoint->url, "max_in_flight '16', request_timeout '3s'");

# 筛选, then 描述图片 where there is something to see, then 评判 of some; 明暗 of pictures that are not too dark
my $json = "'json', 'zh', '只输出 JSON', '{worth 0..3,light}'";
sql("INSERT INTO llava_task (name, after, condition) VALUES ('描述图片', '筛选', '\$.worth >= 2');
	INSERT INTO llava_task (name, kind, language, prompt, required, after, share) VALUES ('评判', $json, '描述图片', 0.2);
	INSERT INTO llava_task (name, kind, language, prompt, required, after, share, condition) VALUES ('明暗', $json, '筛选', 0.7, '\$.light >= 200')");
# what people changed, and the last call until then: what was asked before is about older words
sql('CREATE TABLE edited (image bigint, reply bigint, call bigint)');
my %share = ('评判' => 0.2);
my $light = 200;
my $images = 0;

# New pictures, of which one in three is plain; of older ones some samples are asked for again, and some edited.
sub feed
{
	sql('INSERT INTO llava_image (path, image, task) VALUES ' . join ', ', map {
		my $n = ++$images;
		my $plain = rand() < 1 / 3;
		sprintf "('%s%d.png', '\\x%s', '描述图片')", $plain ? 'plain' : 'striped', $n, unpack('H*', $plain ? LlavaZh::Cluster::png($n) : striped($n))
	} 1 .. 30);
	sql("SELECT llava_enqueue(image, task, true) FROM (SELECT image, task FROM llava_conversation
		UNION ALL SELECT image, task FROM llava_annotation WHERE task = '筛选') r WHERE hashint8(image + $images) % 7 = 0");
	sql("WITH changed AS (UPDATE llava_conversation SET conversation = jsonb_set(conversation, '{1,value}', to_jsonb('改 $images ' || image))
		WHERE hashint8(image - $images) % 9 = 0 RETURNING image, reply) INSERT INTO edited SELECT image, reply, last_value FROM changed, llava_call_seq");
	return;
}

# An edit that owes rows of what was settled before, and the call that queues them, under way.
sub edit
{
	my ($task) = @_;
	if ($task eq '评判')
	{
		$share{$task} = $share{$task} < 0.9 ? $share{$task} + 0.05 : 1;
		sql("INSERT INTO llava_task (name, share) VALUES ('$task', $share{$task})");
	}
	else
	{
		$light -= 4;
		sql("INSERT INTO llava_task (name, condition) VALUES ('$task', '\$.light >= $light')");
	}
	return IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', encode_utf8("CALL llava_follow('$task', batch => 3)") ], '>', '/dev/null', '2>', '/dev/null');
}

sub kill_worker
{
	my ($signal) = @_;
	my @pids = split /\n/, sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'llava_zh worker' ORDER BY pid");
	my $pid = @pids ? $pids[ rand @pids ] : return;
	kill $signal, $pid;
	$node->wait_query("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid", '0') // die 'it does not end';
	return;
}

my ($broken, $follows) = (0, 0);
for my $round (1 .. $rounds)
{
	my $moment = $endpoint->stats->{requests} + 1 + int rand 40;
	feed();
	my $edited = $round % 2 == 0 ? ('评判', '明暗')[ rand 2 ] : undef;
	my $call = defined $edited ? edit($edited) : undef;
	$endpoint->wait_for(requests => $moment) // die "round $round: the requests stopped";
	if ($round % 5 == 0)
	{
		$node->kill9;
		$node->start_again;
	}
	else
	{
		kill_worker(rand() < 0.6 ? 'KILL' : 'TERM');
	}
	if (defined $call)
	{
		# what was broken off is called again
		$follows++;
		if (!$call->finish)
		{
			$broken++;
			sql("CALL llava_follow('$edited')");
		}
	}
}
my $drained;
for (0 .. $rounds / 10)
{
	last if $drained = $node->wait_drained;
}
ok($drained, "after $rounds rounds the queue runs dry");
note "$broken of $follows calls of llava_follow were broken off";

#
# What must exist, from the ledger, conditions and shares; and what does
#
my $difference = <<'SQL';
WITH RECURSIVE task AS (
	SELECT DISTINCT ON (name) name, after, condition, coalesce(share, 1) AS share, weight, kind FROM llava_task ORDER BY name, version DESC),
accepted AS (	-- the newest reply that became a result; a sample stays when what it followed is another
	SELECT DISTINCT ON (r.image, r.task) r.image, r.task, r.id, CASE WHEN t.kind = 'json' THEN coalesce(r.about, 0) END AS about,
		CASE WHEN t.kind = 'json' THEN (llava_parse_reply(r.task, (llava_reply_words(r.body, NULL)).text)).object END AS object
	FROM llava_reply r JOIN task t ON t.name = r.task
	WHERE r.reason IS NULL AND NOT r.late
		AND NOT EXISTS (SELECT FROM edited e WHERE e.image = r.image AND e.reply = r.about AND r.id <= e.call) ORDER BY r.image, r.task, r.id DESC),
must AS (		-- before: the reply that it follows; 0 of the first in the chain
	SELECT i.id AS image, '筛选' AS task, 0::bigint AS before, true AS passes FROM llava_image i
	UNION ALL
	SELECT m.image, t.name, a.id, t.condition IS NULL OR jsonb_path_match(a.object, t.condition)
	FROM must m JOIN accepted a ON a.image = m.image AND a.task = m.task AND coalesce(a.about, m.before) = m.before
	JOIN task t ON t.after = m.task JOIN llava_image i ON i.id = m.image
	WHERE m.passes AND (t.weight = 0 OR t.name = i.task) AND llava_image_share(i.id, i.sha256, 2) < t.share),
expected AS (
	SELECT m.image, m.task, CASE WHEN NOT m.passes THEN 'condition' WHEN a.id IS NOT NULL THEN 'done' ELSE 'failed' END AS state, a.id AS reply
	FROM must m LEFT JOIN accepted a ON m.passes AND a.image = m.image AND a.task = m.task AND coalesce(a.about, m.before) = m.before),
result AS (
	SELECT image, task, reply FROM llava_conversation UNION ALL SELECT image, task, reply FROM llava_annotation),
there AS (
	SELECT image, task, 'done' AS state, reply FROM result
	UNION ALL
	SELECT image, task, CASE WHEN failure IS NULL THEN 'waits' WHEN failure = 'condition' THEN failure ELSE 'failed' END, NULL FROM llava_pending p
	WHERE NOT EXISTS (SELECT FROM result r WHERE r.image = p.image AND r.task = p.task))
SELECT CASE WHEN e.image IS NULL THEN 'too much' ELSE 'lacks' END, image, task, e.state, e.reply, t.state, t.reply
FROM expected e FULL JOIN there t USING (image, task, state)
WHERE e.image IS NULL OR t.image IS NULL OR e.reply IS DISTINCT FROM t.reply ORDER BY image, task
SQL
is(sql($difference), '', 'what exists is what must');
my %stands = map { my ($task, $state, $n) = split /\|/; ("$task $state" => $n) } split /\n/, sql("SELECT task, failure, count(*) FROM llava_pending GROUP BY task, failure
	UNION ALL SELECT task, 'done', count(*) FROM llava_conversation GROUP BY task UNION ALL SELECT task, 'done', count(*) FROM llava_annotation GROUP BY task");
note encode_utf8(join ', ', map { "$_: $stands{$_}" } sort keys %stands);
cmp_ok($stands{$_} // 0, '>', 0, encode_utf8("$_: $stands{$_}")) foreach '筛选 done', '描述图片 done', '描述图片 condition', '评判 done', '明暗 done', '明暗 condition';
cmp_ok($stands{'评判 done'}, '<', $stands{'描述图片 done'}, 'a share of them');
is(sql("SELECT count(*) FROM llava_annotation a WHERE task = '评判' AND about <> (SELECT reply FROM llava_conversation c WHERE c.image = a.image)"), '0', 'none is about what is gone');
like(sql('CALL llava_follow(dry => true)'), qr/^(?!.*"(?:queued|condition|condition_error|exchanged)": [1-9])/, 'and llava_follow finds nothing owed');
my %sent;
$sent{ $_->{request_id} }++ foreach $endpoint->requests;
is(join(' ', grep { $sent{$_} > 1 } keys %sent), '', 'no call id reached the endpoint twice');

$node->stop('fast');
$endpoint->stop;
done_testing();
