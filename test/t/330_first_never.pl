# What a person wants asked first is claimed before all that waits, the newest wish first;
# what a person cancels rests, is no failure, and comes back only by name.  What is in
# flight is left.
use strict;
use warnings;
use utf8;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new(faults => 'hold=1');
my $node = LlavaZh::Cluster->new('first_never');
sub sql { return $node->safe_psql('postgres', shift); }
sub fails { my (undef, undef, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$_[0]"); return $err; }

# one request in flight, which does not end, and what was claimed beside it
sql('CREATE ROLE nobody');
$node->create_server('sim', $endpoint->url, "max_in_flight '1'");
$node->insert_pictures(1, 30, 'conversation');
$endpoint->wait_for(in_flight => 1);
ok($node->wait_query('SELECT count(*) = 2 FROM llava_pending WHERE holder IS NOT NULL'), 'one in flight, one claimed ahead');
my $newest = sql('SELECT max(call) FROM llava_pending');

# first: a new row, then one that waits, then one that had failed
my $waits = sql('SELECT max(image) FROM llava_pending WHERE holder IS NULL');
my $failed = $waits - 1;
my $never = $waits - 2;
sql("UPDATE llava_pending SET failure = 'timeout' WHERE image IN ($failed, $never)");
is(sql("SELECT llava_enqueue(1, 'detail_en', first => true)"), 't', 'a row is queued in front');
is(sql("SELECT llava_enqueue($waits, 'conversation', first => true)"), 'f', 'one that waits is not queued again');
is(sql("SELECT llava_retry($failed, first => true)"), '1', 'and one that failed goes to the front');
is(sql("SELECT llava_enqueue($never, 'conversation', first => true)"), 'f', 'one that rests is left');
is(sql("SELECT failure FROM llava_pending WHERE image = $never"), 'timeout', 'with its reason');
my $held = sql('SELECT min(image) FROM llava_pending WHERE holder IS NOT NULL');
my $lease = sql("SELECT visible_at FROM llava_pending WHERE image = $held AND task = '日常对话'");
is(sql("SELECT llava_enqueue($held, 'conversation', first => true)"), 'f', 'as is one in flight');
is(sql("SELECT visible_at FROM llava_pending WHERE image = $held AND task = '日常对话'"), $lease, 'with its lease');

# never
like(fails('SELECT llava_cancel()'), qr/ERROR:  22004: llava_cancel needs an image or a task\nHINT:  .*llava_pause/, 'neither is named');
like(fails("SELECT llava_cancel(task => 'describe')"), qr/ERROR:  \w+: .*"describe"/, 'a task that is not there');
like(fails('SET ROLE nobody; SELECT llava_cancel(1)'), qr/42501: permission denied for function llava_cancel/, 'it is not for all');
is(sql("SELECT llava_cancel(image => $held, task => 'conversation')"), '0', 'a row in flight is left');
is(sql('SELECT llava_cancel(12345)'), '0', 'a picture that has no row');
is(sql("SELECT llava_cancel(image => 7)"), '1', 'one row is cancelled');
is(sql("SELECT llava_cancel(image => 7)"), '0', 'once');
is(sql("SELECT llava_enqueue(7, 'conversation')"), 'f', 'llava_enqueue leaves it');
is(sql("SELECT status, reason FROM llava_status WHERE image = 7"), 'cancelled|cancelled', 'llava_status says so');
is(sql("SELECT failed, waiting + in_flight FROM llava_progress WHERE task = '日常对话'"), '1|28', 'it has neither failed nor does it wait');
is(sql("SELECT llava_retry(task => 'conversation')"), '1', 'llava_retry by task takes what failed');
is(sql('SELECT failure FROM llava_pending WHERE image = 7'), 'cancelled', 'and not what was cancelled');

# in which order
$endpoint->control(faults => '');
$endpoint->control(release => 1);
ok($node->wait_drained, 'all that waits is asked');
is(sql("SELECT string_agg(image::text, ' ' ORDER BY id) FROM llava_reply WHERE id BETWEEN $newest + 1 AND $newest + 3"),
	"$failed $waits 1", 'first the last wish, then the others, then the rest');
is(sql('SELECT count(*) FROM llava_reply'), '30', 'and nothing of what was cancelled');

is(sql("SELECT llava_retry(reason => 'cancelled')"), '1', 'by its reason it comes back');
ok($node->wait_query('SELECT count(*) = 31 FROM llava_conversation'), 'and is asked');

# a row that waits for its picture can be cancelled, and the picture does not bring it back
sql("ALTER SERVER sim OPTIONS (ADD paused 'true'); INSERT INTO llava_pending (image, task, failure) VALUES (999, '日常对话', 'no_picture')");
is(sql("SELECT llava_cancel(task => 'conversation')"), '1', 'nor does it wait for its picture any more');
is(sql('SELECT failure FROM llava_pending'), 'cancelled', 'it rests');

$node->stop('fast');
$endpoint->stop;
done_testing();
