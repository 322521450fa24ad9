# A picture of 200 MB is refused at once, wherever it comes in, and what comes
# beside it goes on; one of some megabytes comes to the endpoint as it is.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('large');
$node->create_server('sim', $endpoint->url);
# a real header, and more after it than anybody wants
my $large = "decode('" . unpack('H*', LlavaZh::Cluster::png(1)) . "', 'hex') || repeat('x', 200 * 1024 * 1024)::bytea";

is($node->safe_psql('postgres', LlavaZh::Cluster::pictures_sql(2, 3) .
		"INSERT INTO llava_image (path, image) VALUES ('large.png', $large) RETURNING rejected, bytes, task"),
	'too_large|' . (200 * 1024 * 1024 + length LlavaZh::Cluster::png(1)) . '|', 'INSERT takes it as rejected');
ok($node->wait_drained, 'the pictures beside it are asked about');
is($node->safe_psql('postgres', 'SELECT count(*) FROM llava_conversation'), '2', 'and become samples');

my $asked = $endpoint->stats->{requests};
my (undef, undef, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT llava_generate($large, '描述图片')");
like($stderr, qr/ERROR:  (22|54)\w{3}: .*209715/s, 'llava_generate refuses it, with its size');
like($stderr, qr/HINT:.*image_max_size/s, 'and says which setting it is');
is($node->safe_psql('postgres', "SELECT problem ~ '209715' FROM llava_image_info($large)"), 't', 'llava_image_info says so too');
is($endpoint->stats->{requests}, $asked, 'nothing was asked');

# read from its table in slices
srand(1);
my $noise = $node->basedir . '/noise.png';
append_to_file($noise, LlavaZh::Cluster::grey_png(map { pack 'C*', map { int rand 256 } 1 .. 1500 } 1 .. 1500));
cmp_ok(-s $noise, '>', 2_000_000, 'a picture of more than 2 MB');
$node->safe_psql('postgres', "INSERT INTO llava_image (path, image) VALUES ('noise.png', pg_read_binary_file('$noise'))");
ok($node->wait_drained, 'is asked about');
my ($sent) = grep { ($_->{width} // 0) > 200 } $endpoint->requests;
is($sent->{image}, $node->safe_psql('postgres', "SELECT encode(sha256(llava_prepare_image(image)), 'hex') FROM llava_image WHERE path = 'noise.png'"),
	'with the very bytes that a session prepares of it');

# more than memory has room for: what is claimed is read, and what is read is sent
$node->append_conf('postgresql.conf', "llava_zh.prepare_memory = '1MB'\n");
$node->reload;
my $values = join ', ', map {
	my $pixels = pack 'C*', map { int rand 256 } 1 .. 100_000;
	"('many$_.png', decode('" . unpack('H*', LlavaZh::Cluster::grey_png(unpack '(a400)*', $pixels)) . "', 'hex'))"
} 1 .. 60;
$node->safe_psql('postgres', "INSERT INTO llava_image (path, image) VALUES $values");
ok($node->wait_drained, '60 pictures of 100 KB go through 1 MB of memory');
is($node->safe_psql('postgres', 'SELECT last_value FROM llava_call_seq'), $node->safe_psql('postgres', 'SELECT count(*) FROM llava_reply'),
	'and no call is claimed in vain');

my $folder = $node->basedir . '/pictures';
mkdir $folder;
PostgreSQL::Test::Utils::append_to_file("$folder/a.png", LlavaZh::Cluster::png(9));
open my $file, '>', "$folder/large-file.png" or die;
print $file LlavaZh::Cluster::png(1);
truncate $file, 200 * 1024 * 1024 or die;
close $file;
my ($code) = $node->psql('postgres', "CALL llava_load('$folder')");
is($code, 0, 'llava_load goes on after it');
is($node->safe_psql('postgres', "SELECT string_agg(path || ' ' || COALESCE(rejected, 'ok'), ', ' ORDER BY path) FROM llava_image WHERE path IN ('a.png', 'large-file.png')"),
	'a.png ok, large-file.png too_large', 'and records it');

$node->stop('fast');
$endpoint->stop;
done_testing();
