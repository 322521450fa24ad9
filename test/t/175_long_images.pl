# Long pictures: shrunk, sent with more pixels, or parked, as task or row says; what was
# sent is known, and so is what the model took for it.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('long');

# 320 tokens: 140 x 2800 pixels are shrunk to 112 x 2240
$node->create_server('sim', $endpoint->url, "max_pixels '250880'");

sub sql { return $node->safe_psql('postgres', $_[0]); }

my $number = 0;
sub insert
{
	my ($path, $width, $height, $policy) = @_;
	$policy = defined $policy ? "'$policy'" : 'NULL';
	sql("INSERT INTO llava_image (path, image, task, long_images) VALUES ('$path', decode('"
		  . unpack('H*', LlavaZh::Cluster::png(++$number, $width, $height)) . "', 'hex'), '描述图片', $policy)");
	return;
}

# what the endpoint got for a path, as width x height
sub got
{
	my ($path) = @_;
	my $call = sql("SELECT r.id FROM llava_reply r JOIN llava_image i ON i.id = r.image WHERE i.path = '$path' AND r.reason IS NULL");
	my ($request) = grep { ($_->{request_id} // '') eq $call } $endpoint->requests;
	return $request ? "$request->{width}x$request->{height}" : 'nothing';
}

sub settled { return $node->wait_drained; }

# as the task says: at first, shrink
insert('short', 280, 2240 / 2);
insert('shrink', 140, 2800);
ok(settled(), 'two pictures');
is(got('short'), '224x980', 'a picture under the ratio is fitted as ever');
is(got('shrink'), '112x2240', 'a long one too, if the task does not mind');
is(sql("SELECT i.path, r.long_images, sent_width, sent_height, sent_pixels, image_tokens FROM llava_reply r JOIN llava_image i ON i.id = r.image ORDER BY path"),
	"short||224|980|219520|282\nshrink|shrink|112|2240|250880|322", 'the ledger has the pixels that were sent, and what was done');

# raised by the row, by the task, and up to the task's limit
insert('raise', 140, 2800, 'raise');
ok(settled(), 'a row that is raised');
is(got('raise'), '140x2800', 'more pixels for this one');
is(sql("SELECT long_images, sent_pixels, image_tokens, parameters->>'max_pixels' FROM llava_reply WHERE long_images = 'raise'"),
	'raise|392000|502|12845056', 'the ledger says so');
is(sql("SELECT count(DISTINCT text_tokens) = 1 AND min(text_tokens) > 0 FROM llava_reply"), 't', 'less the forecast the usage is the same for all: the forecast is right');
is(sql("SELECT min_text_tokens = max_text_tokens AND mean_image_tokens > 322 FROM llava_stat_task"), 't', 'and the view shows it');
sql("INSERT INTO llava_task (name, long_images, long_max_pixels) VALUES ('描述图片', 'raise', 300000)");
insert('task', 140, 2800);
insert('little', 84, 1120);
ok(settled(), 'a task that raises');
is(got('task'), '112x2436', 'up to its limit');
is(got('little'), '84x1120', 'a long picture that need not shrink is not long');
is(sql("SELECT r.long_images IS NULL FROM llava_reply r JOIN llava_image i ON i.id = r.image WHERE path = 'little'"), 't', 'and the ledger agrees');
insert('row', 140, 2800, 'shrink');
ok(settled(), 'a row against its task');
is(got('row'), '112x2240', 'the row wins');

# parked: recorded, not asked, released by hand
sql("INSERT INTO llava_task (name, long_images) VALUES ('描述图片', 'park')");
my $asked = $endpoint->stats->{requests};
insert("park$_", 140, 2800 + 28 * $_) for 1 .. 3;
ok($node->wait_query("SELECT count(*) FROM llava_pending WHERE failure = 'long_image'", '3'), 'three are parked');
is(sql("SELECT status, reason, detail FROM llava_status WHERE path = 'park1'"),
	'failed|long_image|140 x 2828 pixels are over the ratio 4, and more than 250880 pixels', 'with the reason');
is(sql("SELECT count FROM llava_stat_reason WHERE reason = 'long_image'"), '3', 'counted');
is($endpoint->stats->{requests}, $asked, 'and not asked');
is(sql("SELECT llava_retry(id, reason => 'long_image') FROM llava_image WHERE path = 'park1'"), '1', 'llava_retry releases');
ok(settled(), 'the released one');
is(got('park1'), '84x2240', 'it is shrunk');
sql("UPDATE llava_image SET long_images = 'raise' WHERE path = 'park2'");
ok(settled(), 'an update releases too');
is(got('park2'), '112x2464', 'and says how, up to the limit that the task inherited');
sql("UPDATE llava_image SET long_images = 'park' WHERE path = 'park3'");
ok(settled(), 'one that is to stay');
is(sql("SELECT status FROM llava_status WHERE path = 'park3'"), 'failed', 'stays parked');
is($endpoint->stats->{requests}, $asked + 2, 'two requests in all');

# one image, now: somebody wants it
my $long = unpack('H*', LlavaZh::Cluster::png(++$number, 140, 2800));
like(sql("SELECT llava_generate(decode('$long', 'hex'), '描述图片')"), qr/"gpt"/, 'llava_generate asks about what would be parked');
is(($endpoint->requests)[-1]->{width}, 112, 'shrunk');
sql("INSERT INTO llava_task (name, long_images) VALUES ('描述图片', 'raise')");
sql("SELECT llava_generate(decode('$long', 'hex'), '描述图片')");
is(($endpoint->requests)[-1]->{width}, 112, 'long_max_pixels is inherited');

# what cannot be said
my ($rc, $out, $err) = $node->psql('postgres', "INSERT INTO llava_task (name, long_images) VALUES ('描述图片', 'cut')");
like($err, qr/long_images_check/, 'another word');
($rc, $out, $err) = $node->psql('postgres', "UPDATE llava_image SET long_images = 'cut'");
like($err, qr/long_images_check/, 'on a row too');

# the forecast alone
is(sql("SELECT llava_image_tokens(640, 480), llava_image_tokens(1920, 1080), llava_image_tokens(750, 8000), llava_image_tokens(750, 8000, max_pixels => 12845056), llava_image_tokens(120, 90)"),
	'393|1224|1162|7724|14', 'tokens of known sizes, with the two markers');

$node->stop('fast');
$endpoint->stop;
done_testing();
