# The README's first session, word for word and in one session: its folder and its
# endpoint are a folder and a simulated endpoint of ours, nothing else is changed.
use strict;
use warnings;
use lib 'test/perl';
use Encode qw(encode_utf8);
use JSON::PP;
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use LlavaZh::Page;
use LlavaZh::Rights;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('readme', preload => 0);
my $data = $node->basedir . '/user';
mkdir $data;
mkdir "$data/images";
my $picture = slurp_file('test/samples/shop-sign.jpg');
PostgreSQL::Test::Utils::append_to_file("$data/images/shop-sign.jpg", $picture);
PostgreSQL::Test::Utils::append_to_file("$data/images/$_.png", LlavaZh::Cluster::png($_)) for 1 .. 129;

my @blocks = LlavaZh::Page->new('README.md')->blocks('sql|sh|python');
is(scalar @blocks, 1, 'the README has one session, and nothing else to run');
my $session = encode_utf8($blocks[0]{text});
$session =~ s{/data/}{$data/}g;
my $url = $endpoint->url;
is($session =~ s{http://127\.0\.0\.1:8000/v1}{$url}g, 1, 'with one endpoint');
$node->safe_psql('postgres', 'DROP EXTENSION llava_zh CASCADE');

# up to the look that the user takes after 100 requests, and then on
my ($first, $look, $go_on, $export) = $session =~ /^(.*?)(SELECT \* FROM llava_progress.*?)(ALTER SERVER.*?)(COPY.*)$/s;
my $psql = $node->background_psql('postgres', on_error_stop => 1);
my $answer = $psql->query($first);
like($answer, qr/^\[\{"from": "human"/m, 'one image, now');
ok($node->wait_query("SELECT state || ' ' || pause_reason || ' ' || requests FROM llava_stat_server", 'paused max_requests 100'),
	'the server rests after 100 requests');
$answer = $psql->query($look);
like($answer, qr/^日常对话\|\d+\|\d+\.\d+$/m, 'samples to look at');
$psql->query($go_on);
ok($node->wait_drained, 'and goes on');
$psql->query($export);
$psql->quit;
my @lines = split /\n/, slurp_file("$data/train.jsonl");
is(scalar(@lines), 130, 'a line an image');
my %images = map { decode_json($_)->{image} => 1 } @lines;
is(scalar(keys %images), 130, 'each image once');

# with the grants of the cookbook each role reads what it is said to
LlavaZh::Rights::set_up($node, 'postgres');
LlavaZh::Rights::check_views($node, 'postgres');

$node->stop('fast');
$endpoint->stop;
done_testing();
