# A sha256 that the writer gives is held against the bytes; and a picture whose bytes are
# elsewhere is not one whose bytes were erased.
use strict;
use warnings;
use lib 'test/perl';
use Digest::SHA qw(sha256_hex);
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $pictures = PostgreSQL::Test::Utils::tempdir;
my $node = LlavaZh::Cluster->new('digests', preload => 0, conf => "llava_zh.image_directory = '$pictures'\n");
$node->create_server('sim', $endpoint->url);
sub sql { return $node->safe_psql('postgres', shift); }

my %bytes = map { $_ => LlavaZh::Cluster::png($_) } 1 .. 9;
my %digest = map { $_ => sha256_hex($bytes{$_}) } keys %bytes;
chmod 0755, $pictures;
append_to_file("$pictures/$_.png", $bytes{$_}) for 6 .. 9;

sub add
{
	my ($path, $bytes, $sha256) = @_;
	my $image = defined $bytes ? "'\\x" . unpack('H*', $bytes) . "'" : 'NULL';
	sql("INSERT INTO llava_image (path, image, sha256) VALUES ('$path', $image, " . (defined $sha256 ? "'\\x$sha256'" : 'NULL') . ')');
	return;
}
add('right', $bytes{1}, $digest{1});
add('none', $bytes{2}, undef);
add('wrong', $bytes{3}, $digest{4});
add('short', $bytes{4}, substr($digest{4}, 0, 40));
add('long', $bytes{4}, $digest{4} . '00');
add('cut off', substr($bytes{5}, 0, 30), $digest{5});
add('6.png', undef, $digest{6});
add('7.png', undef, $digest{6});
add('8.png', undef, undef);

is(sql("SELECT path, rejected, image IS NOT NULL OR in_file, same_as IS NULL FROM llava_image ORDER BY id"), <<'EXPECTED' =~ s/\n$//r, 'what differs is rejected');
right||t|t
none||t|t
wrong|changed|t|t
short|changed|t|t
long|changed|t|t
cut off|changed|t|t
6.png||t|t
7.png|changed|t|t
8.png||t|t
EXPECTED
is(sql("SELECT encode(sha256, 'hex') FROM llava_image WHERE path = 'wrong'"), $digest{3}, 'the sha256 in the row is that of the bytes');
is(sql("SELECT rejected_detail FROM llava_image WHERE path = 'wrong'"), "its sha256 is $digest{3}, and $digest{4} was given", 'both are said');
is(sql("SELECT string_agg(path, ' ' ORDER BY id) FROM llava_image i JOIN llava_pending p ON p.image = i.id"), 'right none 6.png 8.png', 'nothing else is queued');

# what was rejected so hides nothing: the picture itself comes later
add('right bytes', $bytes{3}, $digest{3});
is(sql("SELECT rejected IS NULL AND same_as IS NULL FROM llava_image WHERE path = 'right bytes'"), 't', 'the picture is taken when it comes');

# a restore is taken as it is
sql("INSERT INTO llava_image (id, path, image, sha256, received_at) VALUES (900, 'restored', '\\x" . unpack('H*', $bytes{5}) . "', '\\x$digest{9}', now())");
is(sql("SELECT rejected, encode(sha256, 'hex') FROM llava_image WHERE id = 900"), "|$digest{9}", 'nothing is computed of a row that is restored');

# where the bytes are
sub refused { my (undef, undef, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT llava_enqueue($_[0], 'detail')"); return $err; }
sql("INSERT INTO llava_image (id, path, sha256, format, width, height, received_at) VALUES (901, 'elsewhere', '\\x$digest{9}', 'png', 56, 56, now()),
	(902, NULL, NULL, NULL, NULL, NULL, now())");
like(refused($_), qr/ERROR:  55000: image $_ cannot be queued: its bytes are not here\nHINT:  .*Ask where they are/, "image $_ came without bytes") for 901, 902;
my $id = sql("SELECT id FROM llava_image WHERE path = 'right'");
sql("DELETE FROM llava_pending WHERE image = $id; UPDATE llava_image SET image = NULL WHERE id = $id");
like(refused($id), qr/ERROR:  55000: image $id cannot be queued: its bytes were erased/, 'and from this one they were erased');
like(refused(sql("SELECT id FROM llava_image WHERE path = 'wrong'")), qr/it was rejected as changed/, 'a picture that is not the one that was meant is not asked about');

my (undef, undef, $err) = $node->psql('postgres', 'CALL llava_drain()');
like($err, qr/llava_drain: 4 samples, 0 failed/, 'those that are right are');

$node->stop('fast');
$endpoint->stop;
done_testing();
