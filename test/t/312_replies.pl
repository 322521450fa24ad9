# What replies say and cost: llava_reply_text and llava_rejected read the stored bodies, and
# are empty after a takedown; the cost of each reply is written with it, survives a takedown,
# and sums by task and by day are llava_usage's, for estimated ones too.
use strict;
use warnings;
use utf8;
use lib 'test/perl';
use Encode qw(decode_utf8);
use JSON::PP;
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('replies', databases => '');
sub sql { return decode_utf8($node->safe_psql('postgres', $_[0])); }
$node->create_server('sim', $endpoint->url, "max_in_flight '8', input_price '1000', output_price '3000'");
sql(LlavaZh::Cluster::pictures_sql(1, 24));
sql('CALL llava_drain()');

# sums of llava_reply by both views, and what was counted
sub sums_agree
{
	my ($when) = @_;
	for my $view ('llava_reply', 'llava_stat_task', 'llava_stat_day')
	{
		is(sql("SELECT round((SELECT sum(cost) FROM $view)::numeric, 9) = round(sum(cost)::numeric, 9) AND sum(cost) > 0 FROM llava_usage"), 't',
			"$when: the costs in $view add up to llava_usage's");
		is(sql("SELECT (SELECT sum(prompt_tokens) FROM $view) = sum(prompt_tokens) FROM llava_usage"), 't', "$when: and the tokens");
	}
	is(sql('SELECT (SELECT sum(estimated) FROM llava_stat_day), (SELECT sum(estimated) FROM llava_stat_task)'),
		sql('SELECT sum(estimated), sum(estimated) FROM llava_usage'), "$when: those that are estimated");
	return;
}
sums_agree('after a drain');
is(sql('SELECT count(*) FROM llava_reply WHERE round((cost - (prompt_tokens * 1000 + completion_tokens * 3000) / 1e6)::numeric, 9) = 0 AND NOT estimated'),
	sql('SELECT count(*) FROM llava_reply'), 'each reply has its own cost');

# replies of which one was rejected for what stands in its middle, and others that are no completion
my $json = JSON::PP->new->utf8;
my $body = sub { my ($text) = @_; return unpack 'H*', $json->encode({ choices => [ { message => { role => 'assistant', content => $text }, finish_reason => 'stop' } ] }); };
my $odd = "第一行\nsecond “line” <image> 完\x{202e}了\x{0}。";
my $id = 1_000_000;
for my $row ([ $body->($odd), "'image_token_leak'", length Encode::encode_utf8("第一行\nsecond “line” ") ], [ unpack('H*', '{"error": "busy"}'), "'no_completion'", 'NULL' ],
	[ unpack('H*', 'not JSON'), "'no_completion'", 'NULL' ], [ '', "'refusal'", 'NULL' ], [ $body->('好'), 'NULL', 'NULL' ])
{
	$id++;
	sql("INSERT INTO llava_reply (image, id, task, task_version, server, model, parameters, variation, body, reason, reason_offset)
		VALUES (24, $id, '描述图片', 1, 'old', 'test', '{}', 0, decode('$row->[0]', 'hex'), $row->[1], $row->[2])" =~ s/([^\x00-\x7f]+)/Encode::encode_utf8($1)/ger);
}
is(sql('SELECT text FROM llava_reply_text WHERE id = 1000001'), "第一行\nsecond “line” <image> 完?了?。", 'a text is read as a terminal may show it');
is(sql('SELECT count(*), count(text) FROM llava_reply_text WHERE id < 1000000'), '24|24', 'that of each reply');
is(sql(q{SELECT bool_and(t.text = convert_from(r.body, 'UTF8')::jsonb #>> '{choices,0,message,content}') FROM llava_reply r JOIN llava_reply_text t USING (image, id)
	WHERE id < 1000000}), 't', 'as the body has it');
is(sql('SELECT id, version, server, reason, text IS NULL, detail FROM llava_rejected WHERE id > 1000000 AND id <> 1000002 AND id <> 1000003 ORDER BY id'),
	"1000001|1|old|image_token_leak|f|<image> 完?了?。\n1000004|1|old|refusal|t|", 'a rejected reply: what was found, and nothing where nothing is left');
like(sql('SELECT text IS NULL, detail FROM llava_rejected WHERE id IN (1000002, 1000003) ORDER BY id'), qr/^t\|\S.*\nt\|\S.*$/, 'what is no completion says what it lacks');
is(sql('SELECT count(*) FROM llava_rejected WHERE id = 1000005'), '0', 'an accepted one is not among them');
is(sql(q{SELECT cost IS NULL AND estimated IS NULL FROM llava_reply WHERE id = 1000001}), 't', 'an older one has no cost');
is(sql(q{SELECT cost IS NULL, estimated FROM llava_stat_day WHERE server = 'old'}), 't|0', 'nor has its day');
sql('DELETE FROM llava_reply WHERE id > 1000000');

# a takedown
my $before = sql('SELECT round(sum(cost)::numeric, 9) FROM llava_reply');
sql(q{SELECT llava_forget(5, 'a letter')});
is(sql('SELECT text IS NULL FROM llava_reply_text WHERE image = 5'), 't', 'a takedown leaves no text');
is(sql('SELECT round(sum(cost)::numeric, 9) FROM llava_reply'), $before, 'and the cost');
sums_agree('after a takedown');

# an answer without usage
$endpoint->control(faults => 'no-usage=1');
sql(LlavaZh::Cluster::pictures_sql(25, 28));
sql('CALL llava_drain()');
is(sql('SELECT count(*) FROM llava_reply WHERE estimated AND cost > 0 AND prompt_tokens IS NULL'), '4', 'a reply without usage is marked as estimated');
is(sql('SELECT round((SELECT sum(cost) FROM llava_stat_day)::numeric, 9) = round(sum(cost)::numeric, 9) FROM llava_usage'), 't', 'and its cost is in the sums');

# near copies are 'same' everywhere
sql(q{UPDATE llava_pending SET failure = 'near_duplicate'; INSERT INTO llava_pending (image, task, failure) SELECT 7, '描述图片', 'near_duplicate' ON CONFLICT DO NOTHING});
is(sql(q{SELECT same, failed FROM llava_progress WHERE task = '描述图片'}), '1|0', 'llava_progress counts near copies as same');
is(sql(q{SELECT kind, count FROM llava_stat_reason WHERE reason = 'near_duplicate'}), 'same|1', 'llava_stat_reason');
is(sql(q{SELECT status FROM llava_status WHERE reason = 'near_duplicate'}), 'same', 'llava_status');

$node->stop;
$endpoint->stop;
done_testing;
