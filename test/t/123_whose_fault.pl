# Picture after picture refused in one wording, and no answer between: the server is to
# blame, whatever the wording is.  It pauses, and what failed for it goes back, each row
# once.  A refusal of one picture, or in words of its own, stays the picture's.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('blame', conf => "llava_zh.max_attempts = 2\nllava_zh.retry_delay_max = '200ms'\nllava_zh.workers = 2\n");
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

# Nothing is known of the server yet, as far as it is concerned.
sub begin_anew
{
	my ($faults, %more) = @_;
	$endpoint->control(faults => '', plan => '');
	$node->wait_drained or die 'not drained';
	sql("TRUNCATE llava_pending; ALTER SERVER sim OPTIONS (SET model 'm$next')");
	$node->wait_query($state, 'active') or die 'still paused';
	$endpoint->control(faults => $faults, %more);
	return;
}

sub waiting { return sql('SELECT count(*), count(failure) FROM llava_pending'); }

# All rows wait for a server that is paused, and are asked when it is well.
sub pauses_and_returns
{
	my ($what, $faults, $reason, $n) = @_;
	my $log = -s $node->logfile;
	my $before = $endpoint->stats->{requests};
	begin_anew($faults);
	insert($n);
	ok($node->wait_query($state, $reason), "$what: the server is paused for $reason");
	ok($node->wait_query('SELECT count(*) = count(*) FILTER (WHERE failure IS NULL) FROM llava_pending', 't'), "$what: what failed goes back");
	is(waiting(), "$n|0", "$what: all rows wait");
	ok($endpoint->wait_for(requests => $before + 28), "$what: it is probed");
	is(waiting(), "$n|0", "$what: which fails none of them");
	is(sql('SELECT count(*) FROM llava_pending WHERE attempts - (holder IS NOT NULL)::int > 0'), '0', "$what: no attempt is counted");
	$endpoint->control(faults => '');
	ok($node->wait_drained, "$what: it is noticed that it answers");
	is(waiting(), '0|0', "$what: every picture is a sample");
	# a worker that reads the changed options later forgives the pause once more
	my @paused = slurp_file($node->logfile, $log) =~ /server "sim" paused/g;
	cmp_ok(scalar(@paused), '<=', 2, "$what: which is no more than a line of the log from each worker");
	return;
}

$node->create_server('sim', $endpoint->url, "max_in_flight '8'");

# digits and ids differ from request to request, and two processes share the count
pauses_and_returns('words with ids', '400-upstream=1', 'bad_image', 60);
pauses_and_returns('words about the length', '400-context=1', 'context', 60);
pauses_and_returns('too large', '413=1', 'too_large', 60);
pauses_and_returns('a firewall that blocks all pictures', '403-firewall=1', 'content_filter', 60);
pauses_and_returns('a filter in every reply', 'content-filter=1', 'content_filter', 60);
pauses_and_returns('a model without pictures, said as 400', '400-text-only=1', 'model', 60);
pauses_and_returns('a model without pictures, said as 500', '500-text-only=1', 'model', 60);
pauses_and_returns('a wrong key, said as 422', '422-key=1', 'key', 60);

# once: the second time a failure stands
begin_anew('400-upstream=1');
my $before = $endpoint->stats->{requests};
insert(20);
ok($node->wait_query('SELECT count(failure) FROM llava_pending', '20'), 'rows that fail again stay failed');
is(sql('SELECT string_agg(DISTINCT failure, $$,$$), bool_or(excused), count(said) FROM llava_pending'), 'bad_image|f|0', 'with the reason, and go back no more');
is($endpoint->stats->{requests} - $before, 40, 'each picture was asked about twice');
is(sql('SELECT state FROM llava_stat_server'), 'paused', 'the server is paused');
$endpoint->control(faults => '');
is(sql("SELECT llava_retry(reason => 'bad_image')"), '20', 'llava_retry takes them');
ok($node->wait_drained, 'and they are asked again');
is(waiting(), '0|0', 'and answered');

# 16 in a row: not 15, and not in two wordings
begin_anew('', plan => '1-15:400-upstream,17-31:400-upstream');
sql("ALTER SERVER sim OPTIONS (SET max_in_flight '1')");
insert(32);
ok($node->wait_drained, 'an answer between');
is(sql("SELECT count(*) FROM llava_pending WHERE failure = 'bad_image'"), '30', 'thirty pictures fail');
is(sql('SELECT state FROM llava_stat_server'), 'active', 'the server is not paused');
begin_anew('400-upstream=1/2,400-other=1');
insert(40);
ok($node->wait_drained, 'two wordings by turns');
is(sql("SELECT count(*) FROM llava_pending WHERE failure = 'bad_image'"), '40', 'are the pictures\' fault');
is(sql('SELECT state FROM llava_stat_server'), 'active', 'the server is not paused');
sql("ALTER SERVER sim OPTIONS (SET max_in_flight '8')");

# a filter is not to blame where there was an answer
begin_anew('');
insert(1);
ok($node->wait_drained, 'the server has answered');
$endpoint->control(faults => '403-flagged=1');
insert(40);
ok($node->wait_drained, 'flagged pictures');
is(sql("SELECT count(*) FROM llava_pending WHERE failure = 'content_filter'"), '40', 'fail as such');
is(sql('SELECT state FROM llava_stat_server'), 'active', 'the server is not paused');

# what failed before a crash is not forgotten; what failed for other words stays
begin_anew('400-image=1');
insert(1);
ok($node->wait_query("SELECT count(*) FROM llava_pending WHERE failure = 'bad_image'", '1'), 'one picture fails for its own sake');
$endpoint->control(faults => '400-upstream=1');
insert(10);
ok($node->wait_query("SELECT count(*) FROM llava_pending WHERE failure = 'bad_image'", '11'), 'ten are refused');
$node->stop('immediate');
$node->start;
# the probe is kept waiting
$endpoint->control(faults => '', plan => '1-16:400-upstream,17+:hold');
insert(16);
ok($node->wait_query($state, 'bad_image'), 'after a crash, sixteen more');
ok($node->wait_query("SELECT count(*) FROM llava_pending WHERE failure = 'bad_image'", '1'), 'all twenty-six go back');
$endpoint->control(plan => '', release => 1);
ok($node->wait_drained, 'and are asked');
is(sql("SELECT count(*), bool_and(detail ~ 'identify') FROM llava_pending WHERE failure = 'bad_image'"), '1|t', 'the one that failed for other words stays failed')
  or diag(sql('SELECT image, failure, detail, said, excused FROM llava_pending'));

# where it is the pictures after all, many that lie side by side, they hold up nobody for long
begin_anew('400-upstream=1', 'fault-task' => 'conversation');
$node->append_conf('postgresql.conf', "llava_zh.retry_delay_max = '5min'\n");
sql('SELECT pg_reload_conf()');
$before = $endpoint->stats->{requests};
$node->insert_pictures($next, $next + 59, 'conversation');
$node->insert_pictures($next + 60, $next + 79, 'detail');
ok($node->wait_drained, 'sixty pictures that are refused, before twenty that are answered');
is(sql("SELECT count(*) FILTER (WHERE failure = 'bad_image'), count(*) FROM llava_pending"), '60|60', 'the sixty fail');
is(sql('SELECT state FROM llava_stat_server'), 'active', 'the server is not paused in the end');
cmp_ok($endpoint->stats->{requests} - $before, '<=', 2 * 60 + 20, 'and none was asked about more than twice');

$node->stop('fast');
$endpoint->stop;
done_testing();
