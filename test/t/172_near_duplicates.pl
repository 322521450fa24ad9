# Copies of a picture are parked before any request; pages of one layout with other
# words, and what is released, are asked about.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('copies', databases => 'postgres, restored',
	conf => "llava_zh.workers = 2\nllava_zh.near_duplicates = on\n");
$node->create_server('sim', $endpoint->url);

sub sql { return $node->safe_psql('postgres', $_[0]); }
sub requests { return $endpoint->stats->{requests}; }

# A page of one layout: bars and a margin, and lines of made characters drawn by the seed.
sub page
{
	my ($seed) = @_;
	my ($width, $height) = (360, 480);
	my @rows = map { $_ < 110 || $_ > 400 ? "\x30" x $width : "\x60" x 100 . "\xf4" x ($width - 100) } 1 .. $height;
	for my $line (0 .. 8)
	{
		for my $place (0 .. 10)
		{
			for my $part (0 .. 48)
			{
				$seed = ($seed * 1103515245 + 12345) % 2**31;
				next if $seed >> 16 & 1;
				my ($x, $y) = (115 + $place * 21 + $part % 7 * 2, 125 + $line * 30 + int($part / 7) * 2);
				substr($rows[$_], $x, 2, "\x20" x 2) for $y .. $y + 1;
			}
		}
	}
	return LlavaZh::Cluster::grey_png(@rows);
}

sub add_page
{
	my ($node_sql, $path, $seed) = @_;
	return $node_sql->("INSERT INTO llava_image (path, image) VALUES ('$path', decode('" . unpack('H*', page($seed)) . "', 'hex'))");
}

# the pictures of test/samples are all different
sql('CREATE TABLE sample (name text, bytes bytea)');
for my $file (sort glob('test/samples/*.jpg test/samples/*.png test/samples/*.webp'))
{
	next if $file =~ /-cut|empty|login|-again/;
	my ($name) = $file =~ m{([^/]+)$};
	sql("INSERT INTO sample VALUES ('$name', decode('" . unpack('H*', slurp_file($file)) . "', 'hex'))");
}
my $samples = sql('SELECT count(*) FROM sample');
sql('INSERT INTO llava_image (path, image) SELECT name, bytes FROM sample');
ok($node->wait_drained, 'the samples are through');
is(sql('SELECT count(*) FROM llava_hash WHERE NOT copy'), $samples, 'each has a hash');
is(requests(), $samples, 'and was asked about');

# copies: smaller, recompressed, as JPEG
my $copy = 'INSERT INTO llava_image (path, image) SELECT %s || name, llava_prepare_image(bytes, 28, 3136, %s, %s) FROM sample';
sql(sprintf $copy, "'copy-'", 200_000, 45);
ok($node->wait_drained, 'copies are through');
is(requests(), $samples, 'not one of them was asked about');
is(sql("SELECT count(*) FROM llava_duplicate WHERE path = 'copy-' || same_as_path AND distance <= 20"), $samples,
	'each is known as a copy of its picture');
is(sql("SELECT DISTINCT status || ' ' || reason || ' ' || attempts FROM llava_status WHERE path LIKE 'copy-%'"),
	'same near_duplicate 0', 'llava_status says so, and no attempt counts');
like(sql("SELECT detail FROM llava_status WHERE path = 'copy-menu.png'"), qr/^\d+ of 256 bits from image \d+$/, 'and how near');
is(sql('SELECT sum(failed) FROM llava_progress'), '0', 'nothing has failed');
is(sql('SELECT sum(failed) FROM llava_stat_server'), '0', 'and no server is blamed');
is(sql("SELECT count(*) FROM llava_hash WHERE copy"), $samples, 'copies are nobody\'s candidates');

# several at once, in both workers: one of each is asked about
sql("SELECT llava_pause('sim')");
add_page(\&sql, "page-$_", $_) for 1 .. 12;
sql("INSERT INTO llava_image (path, image) SELECT path || '-' || q, llava_prepare_image(image, 28, 3136, 100000, q) FROM llava_image, generate_series(50, 95, 5) AS q WHERE path LIKE 'page-%'");
sql("SELECT llava_resume('sim')");
ok($node->wait_drained, 'pages are through');
is(sql("SELECT count(*) FROM llava_conversation c JOIN llava_image i ON i.id = c.image WHERE path LIKE 'page-%'"), '12',
	'of 132 pages of one layout the 12 different ones were asked about');
is(sql("SELECT count(*) FROM llava_duplicate WHERE path LIKE 'page-%' AND split_part(path, '-', 2) <> split_part(same_as_path, '-', 2)"), '0',
	'and none was taken for another');
is(requests(), $samples + 12, 'each once');
is(sql("SELECT bool_or(llava_hash_distance(a.coarse, b.coarse) <= 8 AND llava_hash_distance(a.fine, b.fine) > 20) FROM llava_hash a, llava_hash b, llava_image i, llava_image j WHERE a.image < b.image AND NOT a.copy AND NOT b.copy AND i.id = a.image AND j.id = b.image AND i.path LIKE 'page-%' AND j.path LIKE 'page-%'"),
	't', 'which their coarse hashes alone would not have told');

# what the indexes find is what there is
is(sql('SELECT count(*) FROM llava_hash a, llava_image i WHERE i.id = a.image AND a.copy AND NOT EXISTS (SELECT FROM llava_hash b WHERE b.image = i.same_as AND NOT b.copy AND llava_hash_distance(a.coarse, b.coarse) <= 8 AND llava_hash_distance(a.fine, b.fine) = i.same_distance)'),
	'0', 'distances are those of the table');

# candidates are exact to 8 bits, however these lie in the thirds that are indexed: of
# eight bits one third has two, whichever these are
my @thirds = ([ 0 .. 21 ], [ 22 .. 42 ], [ 43 .. 63 ]);
my @cases = ([ 1 .. 8 ], [ map { @$_[0, 7, 20] } @thirds ]);
for my $few (0 .. 2)
{
	for my $pair ([ 0, 1 ], [ 0, 20 ], [ 10, 11 ], [ 19, 20 ])
	{
		push @cases, [ map { @{ $thirds[$_] }[ $_ == $few ? @$pair : (1, 9, 19) ] } 0 .. 2 ];
	}
}
for my $n (1 .. @cases)
{
	my $bits = $cases[ $n - 1 ];
	my $mask = join ' # ', map { "(1::bigint << $_)" } @$bits;
	sql("WITH one AS (INSERT INTO llava_image (path, received_at) VALUES ('like-$n', now()) RETURNING id)
		INSERT INTO llava_hash (image, coarse, fine, colours) SELECT id, coarse # $mask, fine, colours FROM one, llava_image_hash(decode('" . unpack('H*', page(100 + $n)) . "', 'hex'))");
	add_page(\&sql, "near-$n", 100 + $n);
}
ok($node->wait_drained, 'looked at');
is(sql("SELECT string_agg(path, ' ' ORDER BY path) FROM llava_image WHERE path LIKE 'near-%' AND path NOT IN (SELECT path FROM llava_duplicate WHERE path = replace(same_as_path, 'like', 'near') AND distance = 0)"),
	'near-2', 'apart in eight bits they are copies, in nine another picture');
is(requests(), $samples + 13, 'which is asked about');

# released
is(sql('SELECT llava_retry()'), '0', 'llava_retry() without a name leaves copies parked');
my $id = sql("SELECT id FROM llava_image WHERE path = 'copy-menu.png'");
is(sql("SELECT llava_retry($id)"), '1', 'a copy is released');
ok($node->wait_drained, 'and is through');
is(sql("SELECT status FROM llava_status WHERE image = $id"), 'done', 'asked about');
is(sql("SELECT count(*) FROM llava_image WHERE id = $id AND same_as IS NULL AND same_distance IS NULL"), '1', 'no copy any more');
is(requests(), $samples + 14, 'with one request');

# off
sql("ALTER SYSTEM SET llava_zh.near_duplicates = off");
sql("SELECT pg_reload_conf()");
ok($node->wait_query('SHOW llava_zh.near_duplicates', 'off'), 'off');
sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'llava_zh worker'");
sql(sprintf $copy, "'again-'", 150_000, 60);
ok($node->wait_drained, 'copies while it is off');
is(requests(), 2 * $samples + 14, 'are asked about');
is(sql("SELECT count(*) FROM llava_duplicate WHERE path LIKE 'again-%'"), '0', 'and not marked');
sql('ALTER SYSTEM RESET llava_zh.near_duplicates');
sql('SELECT pg_reload_conf()');

# a restored database knows its pictures
my $dump = $node->backup_dir . '/dump.sql';
mkdir $node->backup_dir unless -d $node->backup_dir;
command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored') ], 'restore');
my $hashes = 'SELECT h.*, same_as, same_distance FROM llava_hash h JOIN llava_image i ON i.id = h.image ORDER BY 1';
is($node->safe_psql('restored', $hashes), sql($hashes), 'with every hash');
ok($node->wait_query('SHOW llava_zh.near_duplicates', 'on'), 'on');
my $before = requests();
# the launcher has its back-off from when the database was not there
$node->reload;
$node->safe_psql('restored', sprintf $copy, "'third-'", 120_000, 50);
ok($node->wait_drained('restored'), 'copies in the restored one');
is(requests(), $before, 'are not asked about');

# what goes takes its hash with it
sql("SELECT llava_remove(id) FROM llava_image WHERE path = 'menu.png'");
is(sql('SELECT count(*) FROM llava_hash h WHERE NOT EXISTS (SELECT FROM llava_image i WHERE i.id = h.image)'), '0',
	'a deleted picture has no hash');

$node->stop('fast');
$endpoint->stop;
done_testing();
