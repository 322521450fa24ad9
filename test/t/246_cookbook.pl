# Every block of SQL, shell and Python of the pages, word for word: each heading in a
# database of its own, a copy of one with pictures, replies, samples and a recorded export.
# Folder, endpoint and the name of the database are ours; nothing else is changed.  What a
# block is to bring about is listed here by its heading; a block without a line must run.
use strict;
use warnings;
use utf8;
use lib 'test/perl';
use Encode qw(decode_utf8 encode_utf8);
use IPC::Run;
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use LlavaZh::Judge;
use LlavaZh::Page;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('kitchen', databases => '');
my $data = $node->basedir . '/user';
mkdir $_ for $data, map { "$data/$_" } qw(images zh pictures shards work);
sub write_file { PostgreSQL::Test::Utils::append_to_file(@_); return; }
write_file(sprintf('%s/images/%03d.png', $data, $_), LlavaZh::Cluster::png($_)) for 1 .. 24;
write_file("$data/images/again.png", LlavaZh::Cluster::png(1));
write_file("$data/images/broken.jpg", "\xff\xd8\xff");

my $url = $endpoint->url;
my $database = 'kitchen';
sub query { return decode_utf8($node->safe_psql($database, encode_utf8($_[0]))); }
$node->safe_psql('postgres', 'CREATE DATABASE kitchen');
query('CREATE EXTENSION llava_zh');
query("CREATE SERVER qwen FOREIGN DATA WRAPPER llava_zh OPTIONS (url '$url', model 'simulated')");
query("CALL llava_load('$data/images', licence => 'CC BY 4.0'); CALL llava_drain()");
query("SELECT llava_record_export('train.jsonl')");
is(query('SELECT count(*) FROM llava_conversation'), '24', 'samples to cook with');

sub sha256_of { return (split / /, `sha256sum $_[0]`)[0]; }

# keep.jsonl of twelve samples
sub judged
{
	unlink "$data/work/keep.jsonl";
	write_file("$data/work/keep.jsonl", LlavaZh::Judge::line($_, $_->{image} % 3 ? 'true' : 'false', undef))
	  for LlavaZh::Judge::samples(query('SELECT llava_page(12, unseen => true)'));
	return;
}

# What is done before the first block of a heading: SQL, or code.
my %before = (
	'How do I ask again?' => 'UPDATE llava_conversation SET keep = false WHERE image IN (2, 3)',
	'How do I load a second folder that has the same names in it?' => sub {
		mkdir "$data/more";
		write_file("$data/more/001.png", LlavaZh::Cluster::png(101));
		write_file("$data/more/003.png", LlavaZh::Cluster::png(3));
	},
	'How do I load files that were changed since?' => sub { unlink "$data/images/024.png"; write_file("$data/images/024.png", LlavaZh::Cluster::png(124)) },
	'How do I run a loader again and insert only what is new?' => q{INSERT INTO llava_image (path, sha256, received_at) SELECT 'other/' || n, sha256(n::text::bytea), now() FROM generate_series(1, 20000) AS n;
		INSERT INTO llava_image (path, image) VALUES ('nightly/001.png', 'x'), ('nightly/002.png', 'y'); ANALYZE llava_image},
	'How do I ask again of another server?' => 'UPDATE llava_conversation SET keep = false WHERE image IN (2, 3)',
	'How do I put failed rows back?' => "SELECT llava_enqueue(2, 'detail', true); UPDATE llava_pending SET failure = 'timeout'",
	'How do I run it as a batch job, without a worker?' => 'SELECT llava_enqueue(image, task, true) FROM llava_conversation',
	'How do I compare prompts and models?' => "CREATE SERVER other FOREIGN DATA WRAPPER llava_zh OPTIONS (url '$url', model 'other')",
	'How do I publish only what changed?' => sub {
		unlink "$data/work/train.jsonl";
		write_file("$data/work/train.jsonl", encode_utf8(query('SELECT llava_rebuild_export(1)') . "\n"));
		query('UPDATE llava_conversation SET keep = false WHERE image IN (4, 5)');
		query(q{UPDATE llava_conversation SET conversation = replace(conversation::text, '。', '！')::jsonb WHERE image = 6});
	},
	'Are the shards that I have those that were written?' => sub { unlink glob "$data/shards/* $data/shards/.llava_zh.*"; query("SELECT llava_export_shards('$data/shards')") },
	'How do I mix it with English data?' => sub { write_file("$data/work/llava_v1_5_mix665k.json", '[{"id": "en 1", "image": "coco/1.jpg"}]') },
	'How do I judge many samples?' => \&judged,
	llava_keep_in => \&judged,
	'How do I get verdicts beside pictures, to train a filter of my own?' => q{INSERT INTO llava_annotation (image, task, object, reply, task_version)
		SELECT image, '筛选', jsonb_build_object('worth', image % 4, 'kind', '招牌'), reply, 1 FROM llava_conversation},
	'How do I take pictures down?' => "UPDATE llava_image SET page_url = 'https://example.cn/' || id WHERE id < 4",
	'How do I give each colleague only the rights they need?' => join('; ', map { "CREATE ROLE $_" } qw(caller feeder loader monitor reader reviewer publisher operator)),
	"How do I run the worker without a superuser's rights?" => 'DROP EXTENSION llava_zh CASCADE; CREATE SCHEMA llava; CREATE EXTENSION llava_zh SCHEMA llava',
	'How do I install it where I do not know everybody?' => 'DROP EXTENSION llava_zh CASCADE');

# What is done between two blocks.
my %between = (
	'How do I keep the pictures in their files?' => sub { $node->wait_query('SHOW llava_zh.image_directory', quotemeta $data) or die },
	'How do I compare prompts and models?' => 'CALL llava_drain()');

# What has come of the blocks: a query and its answer, or code, of the output.
my %after = (
	'How do I load a folder of pictures?' => [ 'SELECT count(*), count(rejected), count(same_as) FROM llava_image', '26|1|1' ],
	'How do I load a second folder that has the same names in it?' => [ "SELECT string_agg(path || '|' || (same_as IS NULL), ' ' ORDER BY path) FROM llava_image WHERE path LIKE 'more/%'", 'more/001.png|true more/003.png|false' ],
	'How do I load files that were changed since?' => sub {
		like($_[0], qr/^24\|\d/, $_[1]);
		is(query("SELECT count(*) FROM llava_image WHERE path = '024.png' AND id > 26"), '1', $_[1]);
		unlink "$data/images/024.png";
		write_file("$data/images/024.png", LlavaZh::Cluster::png(24));
	},
	'How do I insert pictures with my own facts about them?' => [ "SELECT licence, same_as IS NOT NULL FROM llava_image WHERE meta ->> 'album' = 'shops'", 'CC BY 4.0|t' ],
	'How do I keep the pictures in their files?' => [ "SELECT count(*), count(image) FROM llava_image WHERE path LIKE 'images/%'", '26|0' ],
	'Why was a picture not taken?' => sub { like($_[0], qr/^again\.png\|same\|same bytes as image \d+\|\nbroken\.jpg\|rejected\|\w+\|/m, $_[1]) },
	'How do I have 5 % of the pictures asked for another task?' => [ "SELECT (SELECT count(*) FROM llava_pending WHERE task = '描述图片-short')
		= (SELECT count(*) FROM llava_image WHERE rejected IS NULL AND same_as IS NULL AND llava_image_share(id, sha256, 5) < 0.05)", 't' ],
	'How do I give each picture two tasks?' => [ "SELECT (SELECT count(*) FROM llava_pending) + (SELECT count(*) FROM llava_conversation WHERE task = '描述图片')", '24' ],
	'How do I ask about one picture, now?' => sub { like($_[0], qr/"from": "gpt"/, $_[1]) },
	'How do I ask again?' => [ 'SELECT count(*), count(c.image) FROM llava_pending p LEFT JOIN llava_conversation c USING (image, task)', '2|2' ],
	'What does asking again do to keep and note?' => [ 'SELECT count(*), count(c.keep), count(c.note), count(DISTINCT r.id) FROM llava_conversation c JOIN llava_reply r USING (image) WHERE image = 1', '2|0|0|2' ],
	'How do I ask again of another server?' => [ "SELECT count(*) FROM llava_pending WHERE not_server = 'qwen'", '2' ],
	'How do I put failed rows back?' => [ 'SELECT count(*), count(failure) FROM llava_pending', '1|0' ],
	'How do I change what is rejected, without asking again?' => [ "SELECT max(version), (SELECT count(*) FROM llava_conversation) FROM llava_task WHERE name = '描述图片'", '2|24' ],
	'How do I run it as a batch job, without a worker?' => [ 'SELECT (SELECT count(*) FROM llava_pending), (SELECT count(*) FROM llava_reply)', '0|48' ],
	'How do I change a prompt?' => sub { like($_[0], qr/^描述图片\|1\|.*\n描述图片\|2\|先抄录图中的文字,再详细/m, $_[1]) },
	'How do I make a task of my own?' => sub { like($_[0], qr/^文字问答\|100\|1536$/m, $_[1]) },
	'How do I try a prompt before I pay for it?' => sub { like($_[0], qr/^\|\{\}\|\[\n(?:.*\n)*(?:\d+\.png\|\[\{.*(?:\n|\z)){3}/m, $_[1]) },
	'How do I compare prompts and models?' => sub { like($_[0], qr/^描述图片-v2\|simulated\|(\d+)\|0\|\1\|\d+\|\d+\|/m, $_[1]) },
	'How does an experiment become the task?' => [ "SELECT count(DISTINCT prompt) FROM llava_task WHERE (name, version) IN (('描述图片', 2), ('描述图片-v2', 1))", '1' ],
	'How do I stop, and go on?' => [ 'SELECT state FROM llava_stat_server', 'active' ],
	'How do I look first, and then let it go on?' => [ 'SELECT state FROM llava_stat_server', 'active' ],
	'Which replies were rejected, and what did they say?' => sub { like($_[0], qr/^image\|\|/m, $_[1]) },
	'What came out?' => sub { like($_[0], qr/^日常对话\|qwen\|\d+\|\d+\|0\|/m, $_[1]) },
	'How do I look at samples?' => sub { like(slurp_file("$data/work/page.html"), qr/^<!doctype html>/, $_[1]) },
	'How do I judge many samples?' => [ 'SELECT count(keep) FROM llava_conversation', '12' ],
	llava_keep_in => [ 'SELECT count(keep) FROM llava_conversation', '12' ],
	'How do I get verdicts beside pictures, to train a filter of my own?' => sub {
		my @lines = split /\n/, slurp_file("$data/work/filter/metadata.jsonl");
		is(scalar(@lines), 24, $_[1]);
		like(decode_utf8($lines[0]), qr/^\{"file_name": "\d+\.png", "kind": "招牌", "worth": \d\}$/, $_[1]);
		is(scalar(my @files = glob "$data/work/filter/*.png"), 24, $_[1]);
	},
	'How did the last days go?' => sub { like(slurp_file("$data/work/report.html"), qr/^<!doctype html>/, $_[1]) },
	'How do I judge a sample?' => [ 'SELECT count(*) FILTER (WHERE keep), count(*) FILTER (WHERE NOT keep) FROM llava_conversation', '1|1' ],
	'How do I export for a trainer?' => sub { is(scalar(split /\n/, slurp_file("$data/train.jsonl")), 24, $_[1]) },
	'How do I export without a file on the server?' => sub { is(scalar(split /\n/, slurp_file("$data/work/train.jsonl")), 24, $_[1]) },
	'How do I get a file to train on and one to validate with?' => sub { is(scalar(split /\n/, slurp_file("$data/train.jsonl") . slurp_file("$data/validation.jsonl")), 24, $_[1]) },
	'How do I get the pictures with it?' => sub { is(scalar(my @files = glob "$data/pictures/*.png"), 24, $_[1]) },
	'How do I publish on Hugging Face and ModelScope?' => [ "SELECT string_agg(encode(sha256, 'hex'), ' ' ORDER BY file) FROM llava_manifest_shard",
		sub { join ' ', map { sha256_of($_) } sort glob "$data/shards/*.tar" } ],
	'How do I publish a folder of pictures?' => [ "SELECT encode(sha256, 'hex') FROM llava_manifest WHERE file = 'metadata.jsonl'", sub { sha256_of("$data/zh/metadata.jsonl") } ],
	'How do I make Parquet with the pictures in it?' => sub { is(scalar(my @files = glob "$data/pictures/??/*.png"), 24, $_[1]) },
	'Are the shards that I have those that were written?' => sub { is($_[0], 'train-00000-of-00001.tar: OK', $_[1]) },
	'What does the card look like?' => sub { like(decode_utf8(slurp_file("$data/work/README.md")), qr/共 \*\*24\*\* 条样本/, $_[1]) },
	'Which sha256 does a manifest hold?' => sub { like($_[0], qr/^1\|\d+\.png\|[0-9a-f]{64}\|[0-9a-f]{64}$/m, $_[1]) },
	'Can I still make the file that was published?' => [ "SELECT encode(sha256, 'hex') FROM llava_manifest WHERE id = 1", sub { sha256_of("$data/train.jsonl") } ],
	'How do I publish only what changed?' => sub { is(join("\n", sort split /\n/, decode_utf8(slurp_file("$data/work/new.jsonl"))),
		join("\n", sort split /\n/, query('SELECT llava_export()')), $_[1]) },
	'How do I take pictures down?' => [ 'SELECT count(*), (SELECT count(*) FROM llava_seen WHERE forgotten_at IS NOT NULL) FROM llava_image WHERE page_url IS NOT NULL', '0|3' ],
	'How do I insert pictures from Python, and see the verdict?' => sub { like($_[0], qr/^\d+ 001\.png same as \d+\n(?:.*\n)*\d+ broken\.jpg \w+$/m, $_[1]) },
	'How do I run a loader again and insert only what is new?' => sub {
		like($_[0], qr/^24 new of 26\n?Insert on llava_image\n(?:.*\n)*.*Index (?:Only )?Scan using llava_image_path on llava_image/, $_[1]) },
	'How do I read an export in Python?' => sub { like($_[0], qr/^24 001\.png$/, $_[1]) },
	'How do I call the procedures from Python?' => sub { like($_[0], qr/llava_load.*\n.*\{.*'replies': 24/s, $_[1]) },
	'How do I stop a call from Python?' => sub { is($_[0], 'cancelled', $_[1]) },
	'How do I move from one version to the next?' => sub { like($_[0], qr/^\d+\.\d+\.\d+$/m, $_[1]) });

# Headings that other tests run, where they are in their place.
my %elsewhere = (
	'How do I give each node its own numbers?' => '247_nodes',
	'How do I spread pictures over the nodes, each picture on one?' => '247_nodes',
	'How far are all nodes together?' => '247_nodes',
	'How do I collect the results in one database?' => '247_nodes',
	'How does the collector subscribe?' => '247_nodes',
	'How do I take a picture down on every node?' => '247_nodes',
	'How does a role that is no superuser do the main job?' => '248_no_superuser');

my %program = (
	sql => [ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-f', '-' ],
	sh => [ 'bash', '-eo', 'pipefail', '-s' ],
	python => [ '/usr/bin/python3', '-' ]);

# Output of a block with what is ours in it; fails unless it ends well.
sub run_block
{
	my ($block, $name) = @_;
	my $text = $block->{text} =~ s{/data\b}{$data}gr =~ s{\bmydb\b}{$database}gr;
	$text =~ s{http://127\.0\.0\.1:8000/v1}{$url}g;
	$text = encode_utf8($text);
	my ($out, $err) = ('', '');
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => $database, PYTHONIOENCODING => 'utf-8');
	my $ok = IPC::Run::run($program{ $block->{language} }, '<', \$text, '>', \$out, '2>', \$err, init => sub { chdir "$data/work" });
	ok($ok, $name) or diag(decode_utf8($err));
	chomp $out;
	return decode_utf8($out);
}

my $n = 0;
my %headings;
for my $page (map { LlavaZh::Page->new($_) } @LlavaZh::Page::PAGES)
{
	my $heading = '';
	my $output = '';
	my $finish = sub {
		my $check = $after{$heading} or return;
		my $what = "$page->{file}: $heading";
		return $check->($output, $what) if ref $check eq 'CODE';
		is(query($check->[0]), ref $check->[1] ? $check->[1]->() : $check->[1], $what);
	};
	for my $block ($page->blocks('sql|sh|python'))
	{
		next if $page->{file} eq 'README.md';    # 070_readme_session.pl
		$headings{ $block->{heading} } = 1;
		next if $elsewhere{ $block->{heading} };
		if ($block->{heading} eq $heading)
		{
			my $between = $between{$heading} // '';
			ref $between ? $between->() : query($between);
		}
		else
		{
			$finish->();
			($heading, $output) = ($block->{heading}, '');
			$database = 'dish' . ++$n;
			$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE kitchen");
			my $before = $before{$heading} // '';
			ref $before ? $before->() : query($before);
		}
		$output .= run_block($block, "$page->{file}:$block->{line} runs");
	}
	$finish->();
}
is(join("\n", grep { !$headings{$_} } sort keys %before, keys %between, keys %after, keys %elsewhere), '', 'each heading that this test knows is there');

$node->stop('fast');
$endpoint->stop;
done_testing();
