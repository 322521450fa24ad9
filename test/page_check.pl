# The page where people judge, in a browser: 200 samples are judged by key events, the file
# is taken in, and the counts are right.  Needs Chromium (apt-get install chromium
# fonts-noto-cjk), so it is no part of test/check: make page-check.
use strict;
use warnings;
use lib 'test/perl';
use IPC::Run;
use JSON::PP;
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use LlavaZh::Page;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('browser');
my $dir = PostgreSQL::Test::Utils::tempdir;
sub sql { return $node->safe_psql('postgres', $_[0]); }

$node->create_server('qwen', $endpoint->url, "max_in_flight '16'");
$node->insert_pictures(1, 200);
ok($node->wait_drained, 'pictures are asked about');
my $total = sql('SELECT count(*) FROM llava_conversation');
is($total, '200', '200 samples');
# a sample and an annotation that would like to be more than text
sql(q{UPDATE llava_conversation SET conversation = jsonb_set(conversation, '{0,value}', '"</script><script>window.ran = true</script>{{script}}"') WHERE image = 7;
	INSERT INTO llava_annotation (image, task, object, reply, task_version)
	SELECT id, 'triage_en', '{"worth": 2, "kind": "<img src=x onerror=window.ran=true>"}', 1, 1 FROM llava_image WHERE id % 2 = 0});

open my $file, '>:raw', "$dir/page.html" or die $!;
print $file sql('SELECT llava_page(200)');
close $file or die $!;
my ($out, $err) = ('', '');
my $ok = IPC::Run::run([ 'python3', 'test/judge_page.py', "$dir/page.html", $dir, $ENV{LLAVA_SHOTS} // () ], '>', \$out, '2>', \$err);
ok($ok, 'a person judges them by keys alone') or BAIL_OUT($err);
my $done = decode_json($out);
is("$done->{good} $done->{bad}", '133 67', 'good and bad, as the page counts them');
(undef, $out, $err) = $node->psql('postgres', "\\copy llava_keep_in FROM '$dir/keep.jsonl' WITH (FORMAT jsonl)");
like($err, qr/of 200 lines 200 were taken in/, 'the file is taken in');
is(sql('SELECT count(*) FILTER (WHERE keep), count(*) FILTER (WHERE NOT keep), count(note) FROM llava_conversation'), '133|67|20', 'as it was judged');
is(sql(q{SELECT note ~ '^.{8} <b>"\d*0"</b>$', count(*) FROM llava_conversation WHERE note IS NOT NULL GROUP BY 1}), 't|20', 'with the notes');
(undef, $out, $err) = $node->psql('postgres', "\\copy llava_keep_in FROM '$dir/keep.jsonl' WITH (FORMAT jsonl)");
like($err, qr/of 200 lines 0 were taken in, 200 were known already/, 'and again changes nothing');
done_testing();
