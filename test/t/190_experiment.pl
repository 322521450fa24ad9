# The cookbook's experiment, word for word: another prompt and another model on the
# same 200 images, told apart, and kept out of the data set.
use strict;
use warnings;
use utf8;
use lib 'test/perl';
use Encode qw(decode_utf8 encode_utf8);
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use LlavaZh::Page;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('experiment', preload => 0);
sub sql { return decode_utf8($node->safe_psql('postgres', encode_utf8($_[0]))); }

my $cookbook = LlavaZh::Page->new('sql/cookbook.md');
my $how = 'How do I compare prompts and models?';
my ($ask, $compare) = map { $cookbook->block($how, $_) } 0, 1;
my ($export) = $cookbook->section($how) =~ /`(llava_export\(mix => true\))`/;
my ($tasks) = $cookbook->section($how) =~ /`(tasks => '.*?')`/;
my ($won) = $cookbook->block('How does an experiment become the task?') =~ /^(INSERT .* SELECT .*)$/m;
ok($won && $export && $tasks, 'the cookbook says how');

$node->create_server('sim', $endpoint->url);
$node->create_server('other', $endpoint->url, "priority '1'");
sql("ALTER SERVER other OPTIONS (SET model 'other')");
$node->insert_pictures(1, 210, 'detail');
$node->insert_pictures(211, 215, 'conversation');
sql('CALL llava_drain()');
is(sql('SELECT count(*) FROM llava_conversation'), '215', 'samples to begin with');

is(join(' ', sort split /\n/, sql($ask)), '描述图片-other|200 描述图片-v2|200', 'the same 200 images, for both');
sql('CALL llava_drain()');
is(sql("SELECT count(DISTINCT image), count(*) FROM llava_conversation WHERE task LIKE '描述图片-%'"), '200|400', 'both are done on the same images');
is(sql("SELECT string_agg(DISTINCT task || ' ' || model || ' ' || task_version, ', ' ORDER BY task || ' ' || model || ' ' || task_version) FROM llava_provenance WHERE task LIKE '描述图片%'"),
	'描述图片 test 1, 描述图片-other other 1, 描述图片-v2 test 1', 'each at the model that was meant');
is(sql("SELECT count(DISTINCT prompt) FROM llava_task WHERE name IN ('描述图片', '描述图片-other')"), '1', 'the same prompt where only the model is another');
my @rows = map { [ split /\|/ ] } split /\n/, sql($compare);
is_deeply([ map { "@$_[0, 1, 4]" } @rows ], [ '描述图片 test 200', '描述图片-other other 200', '描述图片-v2 test 200' ], 'side by side');
ok((grep { $_->[2] >= $_->[4] && $_->[5] > 50 && $_->[6] > 0 } @rows) == 3, 'with what they cost and how long they are');

my $info = sql("SELECT count(*), count(*) FILTER (WHERE line LIKE '%-描述图片-%') FROM (SELECT $export AS line) _");
like($info, qr/^\d+\|0$/, 'the mix has no experiment');
is(sql("SELECT count(*) FROM llava_export($tasks)"), '215', 'nor has an export that names its tasks');
like(sql("SELECT llava_dataset_card($tasks)"), qr/共 \*\*215\*\* 条样本/, 'nor its card');

sql($won);
is(sql("SELECT version, prompt = (SELECT prompt FROM llava_task WHERE name = '描述图片-v2'), weight FROM llava_task WHERE name = '描述图片' ORDER BY version DESC LIMIT 1"),
	'2|t|199791', 'the one that won is the next version');

$node->stop('fast');
$endpoint->stop;
done_testing();
