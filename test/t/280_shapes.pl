# Files as crawls bring them, from the INSERT to the exported folder: whole pictures in
# files that end early, films, AVIF, drawings on nothing; and blank ones, which cost nothing.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('shapes', conf => "llava_zh.prepare_threads = 2\n");
$node->create_server('sim', $endpoint->url);
sub sql { return $node->safe_psql('postgres', shift); }

my $made = $node->basedir . '/made';
command_ok([ '/usr/bin/python3', 'test/make_shapes.py', $made ], 'the files are made');
my @files = map { s{.*/}{}r } sort glob "$made/*";
my $built = sql("SELECT (llava_image_info('\\x0000001c6674797061766966000000006176696d6966316d696166')).problem") !~ /built without libavif/;
my $avif = $built && -e "$made/avif-still.avif";
@files = grep { !/^avif-/ } @files if !$avif;

sub insert
{
	my ($file, $path, $more) = @_;
	$more //= '';
	return sql("INSERT INTO llava_image (path, image) VALUES ('$path', pg_read_binary_file('$made/$file') || '$more')");
}

# how each of them stands: what the header says, and why it rests
sub standing
{
	my ($like) = @_;
	return sql("SELECT i.path, i.complete, i.rows, i.rejected, p.failure FROM llava_image i LEFT JOIN llava_pending p ON p.image = i.id
		WHERE i.path ~ '$like' ORDER BY i.path COLLATE \"C\"");
}

my @early = ('film.gif', 'film.png', 'film.webp', 'no-eoi-progressive.jpg', 'no-eoi.jpg', 'no-iend.png',
	'no-trailer-interlaced.gif', 'no-trailer.gif');
for my $file (grep { !/large/ } @files) { insert($file, $file); }
ok($node->wait_drained, 'all are through');
is(standing('^(film|no-)'), join("\n", map { "$_|f|240||" } @early), 'whole pictures in files that end early are taken');
is(standing('^(moving|turned|white)'), "moving.webp|t|||\nturned.png|t|||\nwhite.png|t|||", 'and films, and drawings on nothing');
is(standing('^cut'), "cut-progressive.jpg|f|240||truncated\ncut.jpg|f|128|truncated|",
	'those that are cut are not: by the header, or as the worker finds');
is(standing('^blank'), "blank.gif|t|||blank\nblank.jpg|t|||blank\nblank.png|t|||blank", 'blank ones rest');
my $asked = @early + 3 + ($avif ? 3 : 0);
is($endpoint->stats->{requests}, $asked, 'and nothing was asked about them');
SKIP:
{
	skip 'no AVIF here', 2 if !$avif;
	is(standing('^avif'), "avif-deep.avif|t|||\navif-film.avif|t|||\navif-still.avif|t|||", 'AVIF is taken');
	is(sql("SELECT string_agg(concat_ws(' ', width, height, bits, orientation, animated), ', ' ORDER BY path) FROM llava_image WHERE path ~ '^avif'"),
		'320 240 10 8 f, 320 240 8 1 t, 320 240 8 1 f', 'with its facts');
}

# a whole picture is exported whether or not its file is; a trainer opens every file
my $taken = sql('SELECT count(*) FROM llava_conversation');
is($taken, $asked, 'each is a sample');
is(sql("SELECT count(*) FROM llava_export('llava')"), $taken, 'and in the export');
is(sql("SELECT string_agg(image || rule, ', ') FROM llava_validate() WHERE left_out"), '', 'which leaves none out');
is(sql("SELECT string_agg(DISTINCT rule, ', ') FROM llava_validate('openai', data_urls => true) WHERE left_out"),
	join(', ', 'image_cut', $avif ? 'image_format' : ()), 'a data URL is the file itself, which must be whole');
my $out = $node->basedir . '/out';
mkdir $out or die $!;
is(sql("SELECT written, missing FROM llava_export_images('$out')"), "$taken|0", 'all are written');
my %seen;
for my $python ('/usr/bin/python3', $ENV{PILLOW_NOW} // 'python3')
{
	my ($said, $err) = ('', '');
	next if !IPC::Run::run([ $python, 'test/open_pictures.py', $out ], '>', \$said, '2>', \$err);
	my ($version) = $said =~ /^(\S+)\n\z/m;
	is($said, "$taken\n$version\n", "Pillow $version opens every one") if !$seen{$version}++;
}
ok(scalar(keys %seen), 'by some Pillow');
is(unpack('H4', slurp_file("$out/$_")), 'ffd8', "$_ is written as it was sent") for grep { -e "$out/$_" } @early, 'avif-still.avif';

# blank ones cost something only for who asks for it by name
is(sql('SELECT llava_retry()'), '1', 'llava_retry() leaves them');
ok($node->wait_drained, 'and retries the cut one');
is(sql("SELECT llava_retry(reason => 'blank')"), '3', 'by name they are released');
ok($node->wait_drained, 'and sent');
is($endpoint->stats->{requests}, $asked + 3, 'all three');
is(standing('^blank'), "blank.gif|t|||\nblank.jpg|t|||\nblank.png|t|||", 'to an answer');
like(sql("SELECT llava_generate(pg_read_binary_file('$made/blank.jpg'), '描述图片')"), qr/"from": "gpt"/, 'llava_generate asks at once');

# really cut ones, where the setting takes them, keep the rule
sql("ALTER SYSTEM SET llava_zh.image_take_cut = on");
$node->reload;
sql("INSERT INTO llava_image (path, image) SELECT 'nearly.png', substr(b, 1, octet_length(b) * 98 / 100) FROM pg_read_binary_file('$made/turned.png') b");
ok($node->wait_drained, 'one of 98 % of its bytes');
like(standing('^nearly'), qr/^nearly.png\|f\|2[23]\d\|\|$/, 'is taken, and its rows are counted');
is(sql("SELECT count(*) FROM llava_export('llava') AS l WHERE l::json ->> 'image' = 'nearly.png'"), '1', 'it is exported with the setting');
sql("ALTER SYSTEM RESET llava_zh.image_take_cut");
$node->reload;
is(sql("SELECT string_agg(rule, ', ') FROM llava_validate() v JOIN llava_image i ON i.id = v.image WHERE i.path = 'nearly.png' AND left_out"),
	'image_cut', 'and left out without');
# as 1.0.0 took them in
sql("UPDATE llava_image SET rows = NULL WHERE path = 'no-iend.png'");
is(sql("SELECT string_agg(i.path, ', ' ORDER BY i.path) FROM llava_validate() v JOIN llava_image i ON i.id = v.image WHERE rule = 'image_cut'"),
	'nearly.png, no-iend.png', 'a row of 1.0.0 counts as cut');

SKIP:
{
	skip 'no AVIF here', 6 if !$avif;
	# the largest that is allowed: nothing interrupts its decoding, but all else goes on
	my $large = "pg_read_binary_file('$made/avif-large.avif')";
	my ($ret, $stdout, $stderr) = $node->psql('postgres', "SET statement_timeout = '20ms'; SELECT llava_prepare_image($large)");
	like($stderr, qr/canceling statement due to statement timeout/, 'a statement is cancelled behind it');
	like(sql("SET llava_zh.image_max_avif_pixels = 20000; SELECT (llava_image_info($large)).problem"),
		qr/^AVIF of 1000 x 1000 pixels and \d+ bytes takes too long to decode$/, 'a smaller limit refuses it by the header');

	my $before = $endpoint->stats->{requests};
	my $pid = $node->worker_pid;
	insert('avif-large.avif', "large$_.avif", "\\x0$_") for 1 .. 6;
	$node->wait_query("SELECT count(*) > 0 FROM llava_pending p JOIN llava_image i ON i.id = p.image WHERE i.path ~ '^large' AND p.holder IS NOT NULL", 't')
	  or die 'none is claimed';
	kill 'TERM', $pid;
	ok($node->wait_query("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid", 't'), 'a worker that decodes some ends when told');
	# one may have been decoded and sent before
	my $in_flight = sql('SELECT count(*) FROM llava_interrupted');
	$node->reload;
	ok($node->wait_drained, 'the next one goes on');
	is(standing('^large'), join("\n", map { "large$_.avif|t|||" } 1 .. 6), 'to the end of all');
	is($endpoint->stats->{requests} - $before, 6 + $in_flight, 'each was sent once, and again what was in flight when the worker ended');
}

$node->stop('fast');
$endpoint->stop;
done_testing();
