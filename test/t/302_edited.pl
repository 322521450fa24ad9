# Samples that a person changes by UPDATE: what is no conversation is refused, rounds and
# edited_at follow, llava_reparse leaves such samples as they are unless it is told
# otherwise; one that is no conversation at all stops no call.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('edited');
$node->create_server('sim', $endpoint->url, "max_in_flight '8'");
sub sql { return $node->safe_psql('postgres', $_[0]); }
sub said { my ($ret, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$_[0]"); return $err; }
sub turns { return '[' . join(', ', map { my ($from, $value) = @$_; "{\"from\": \"$from\", \"value\": \"$value\"}" } @_) . ']'; }

$node->insert_pictures(1, 8, '描述图片');
ok($node->wait_drained, 'eight samples');
my ($one, $two, $three, $four, $five) = split /\n/, sql('SELECT image FROM llava_conversation ORDER BY 1 LIMIT 5');
is(sql('SELECT count(*) FROM llava_conversation WHERE edited_at IS NOT NULL'), '0', 'none of them edited');

# what is refused
for my $odd ('[]', '{}', '"x"', 'null', '[null]', '[[]]', '[{"from": "human"}]', '[{"from": 1, "value": "x"}]', '[{"from": "gpt", "value": null}]')
{
	like(said("UPDATE llava_conversation SET conversation = '$odd' WHERE image = $one"),
		qr/ERROR:  22023: this is no conversation.*DETAIL:.*"from" and "value".*HINT:/s, "$odd is refused");
}
like(said("UPDATE llava_conversation SET conversation = NULL WHERE image = $one"), qr/23502/, 'NULL by the table itself');

# what is taken and no export takes: the WARNING names the rule of llava_validate
my %broken = (
	odd_turns => turns([ human => 'x' ]),
	roles => turns([ gpt => 'x' ], [ human => 'y' ]),
	empty_turn => turns([ human => 'x' ], [ gpt => ' ' ]),
	image_token => turns([ human => '<image>x' ], [ gpt => 'y' ]),
	media_token => turns([ human => '<video>x' ], [ gpt => 'y' ]),
	think_tag => turns([ human => 'x' ], [ gpt => '<think>y</think>' ]),
	special_token => turns([ human => 'x' ], [ gpt => '<|im_end|>' ]),
	conversation => '[{"from": "human", "value": "x", "more": 1}, {"from": "gpt", "value": "y"}]');
foreach my $rule (sort keys %broken)
{
	like(said("UPDATE llava_conversation SET conversation = '$broken{$rule}' WHERE image = $one"),
		qr/WARNING:  01000: exports leave this conversation out, by the rule $rule\nHINT: .*llava_validate/, "a conversation that breaks $rule");
	is(sql("SELECT rule FROM llava_validate() WHERE image = $one AND left_out"), $rule, 'as llava_validate has it');
}

# what is taken
my $edit = turns([ human => '什么?' ], [ gpt => '一。' ], [ human => '还有?' ], [ gpt => '二。' ]);
unlike(said("UPDATE llava_conversation SET conversation = '$edit' WHERE image = $one"), qr/WARNING/, 'what exports take is taken in silence');
is(sql("SELECT rounds, edited_at > now() - interval '5 minutes' FROM llava_conversation WHERE image = $one"), '2|t', 'rounds and the time of the edit follow');
sql("UPDATE llava_conversation SET conversation = conversation, note = 'seen' WHERE image = $two");
is(sql("SELECT edited_at IS NULL FROM llava_conversation WHERE image = $two"), 't', 'an UPDATE that changes nothing is no edit');
sql("UPDATE llava_conversation SET conversation = '$edit' WHERE image = $three");

# one of 1.0.0, from before there was a trigger
sql("ALTER TABLE llava_conversation DISABLE TRIGGER llava_conversation_edited;
	UPDATE llava_conversation SET conversation = '[]' WHERE image = $four;
	UPDATE llava_conversation SET conversation = '{\"a\": null}' WHERE image = $five;
	ALTER TABLE llava_conversation ENABLE TRIGGER llava_conversation_edited");
my $before = sql('SELECT * FROM llava_conversation ORDER BY image');

# the flags of all replies are others under the new list, so that every sample would be written
sql("UPDATE llava_reply SET flags = '{said}'; UPDATE llava_conversation SET flags = '{said}' WHERE edited_at IS NULL AND image NOT IN ($four, $five)");
my $report = sql('CALL llava_reparse()');
like($report, qr/"edited": 2\b/, 'two edited samples are counted');
like($report, qr/"odd": 2\b/, 'and two that are no conversations');
is(sql('SELECT * FROM llava_conversation ORDER BY image'), $before, 'they are as they were, and the others as their replies have them');
my $said = said("UPDATE llava_reply SET flags = '{said}'; CALL llava_reparse()");
like($said, qr/WARNING:.*image $four, task "描述图片" is no conversation and stays as it is.*image $five/s, 'the odd ones are named');
unlike($said, qr/ERROR/, 'and stop nothing');

# a tighter threshold withdraws none of them; told so, it does
sql("INSERT INTO llava_task (name, min_letters) VALUES ('描述图片', 100000)");
$report = sql('CALL llava_reparse()');
like($report, qr/"withdrawn": 4\b/, 'the others are withdrawn');
is(sql('SELECT string_agg(image::text, \',\' ORDER BY image) FROM llava_conversation'), "$one,$three,$four,$five", 'what a person wrote stays');
sql("INSERT INTO llava_task (name, min_letters) VALUES ('描述图片', 1)");
$report = sql('CALL llava_reparse(edited => true)');
like($report, qr/"accepted": 4, .*"rewritten": 2\b/, 'edited => true takes the edited ones');
is(sql("SELECT count(*), count(edited_at), max(rounds) FROM llava_conversation WHERE image IN ($one, $three)"), '2|0|1', 'they are as their replies have them');

# a new reply takes the place of an edited one
sql("UPDATE llava_conversation SET conversation = '$edit' WHERE image = $two; SELECT llava_enqueue($two, '描述图片', true)");
ok($node->wait_drained, 'asked again');
is(sql("SELECT edited_at IS NULL, rounds FROM llava_conversation WHERE image = $two"), 't|1', 'the new sample is not edited');

$node->stop('fast');
$endpoint->stop;
done_testing();
