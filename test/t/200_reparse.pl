# llava_reparse: stored replies under other thresholds become samples, or are withdrawn,
# without a request; what did not change is not written; an interrupted call is made again.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('reparse');
$node->create_server('sim', $endpoint->url, "max_in_flight '8'");

sub sql { return $node->safe_psql('postgres', $_[0]); }

# key of the report, after a call with these arguments
sub reparse
{
	my ($arguments) = @_;
	return sql("CALL llava_reparse(" . ($arguments // '') . ")");
}

sub counts
{
	my ($report) = @_;
	return join ' ', map { $report =~ /"$_": (\d+)/ ? $1 : '?' } qw(replies accepted withdrawn rewritten);
}

# which sample is made of which reply, and what it says; and who rests with what
sub samples
{
	return sql("SELECT image, reply, conversation, flags, task_version FROM llava_conversation ORDER BY 1");
}

sub resting
{
	return sql("SELECT image, failure FROM llava_pending ORDER BY 1");
}

# xmin of everything that could have been written
sub written
{
	return sql("SELECT r.xmin, r.ctid, c.xmin, c.ctid, p.xmin, p.ctid FROM llava_reply r
		LEFT JOIN llava_conversation c USING (image, task) LEFT JOIN llava_pending p USING (image, task) ORDER BY r.image");
}

$node->insert_pictures(1, 24, '描述图片');
ok($node->wait_drained, 'replies are there');
is(sql("SELECT count(*) FROM llava_conversation"), 24, 'all accepted');
my $asked = $endpoint->stats->{requests};
my $all = samples();

my $before = written();
is(counts(reparse()), '24 0 0 0', 'nothing changes under the same rules');
is(written(), $before, 'and nothing is written');

# a limit that some replies are under; some that are were judged by a person
my $limit = sql("SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY (measures->>'letters')::integer) FROM llava_reply");
my $under = sql("SELECT string_agg(image::text, ',' ORDER BY image) FROM llava_reply WHERE (measures->>'letters')::integer < $limit");
my @under = split /,/, $under;
cmp_ok(scalar @under, '>', 3, 'some are under the limit');
cmp_ok(scalar @under, '<', 24, 'and some are not');
my ($kept, $dropped) = splice @under, 0, 2;
sql("UPDATE llava_conversation SET keep = (image = $kept) WHERE image IN ($kept, $dropped)");
my $n = @under;
my $rewritten = @under + 2;

sql("INSERT INTO llava_task (name, min_letters) VALUES ('描述图片', $limit)");
my $report = reparse();
is(counts($report), "24 0 $n 0", 'a tighter threshold withdraws samples');
like($report, qr/\[\{"after": "too_short", "count": $rewritten, "before": "accepted"\}\]/, 'verdicts are counted by before and after');
is(resting(), join("\n", map { "$_|too_short" } @under), 'the rows rest with the reason');
is(sql("SELECT count(*) FROM llava_conversation"), 24 - $n, 'and the others are there');
is(sql("SELECT string_agg(image::text, ',' ORDER BY image) FROM llava_conversation WHERE keep IS NOT NULL"),
	join(',', sort { $a <=> $b } $kept, $dropped), 'what a person judged stays');
is(sql("SELECT string_agg(image::text, ',' ORDER BY image) FROM llava_reply WHERE reason = 'too_short'"), $under, 'the ledger says which');

$before = written();
is(counts(reparse()), '24 0 0 0', 'a second call changes nothing');
is(written(), $before, 'and writes nothing');

# late and forgotten replies are nobody's samples
my ($late, $forgotten) = @under[0, 1];
sql("UPDATE llava_reply SET late = true WHERE image = $late");
sql("SELECT llava_forget($forgotten, 'test')");
sql("UPDATE llava_conversation SET keep = NULL");

# loosened again: interrupted after the first batches, by a row that cannot be written
sql("INSERT INTO llava_task (name, min_letters) VALUES ('描述图片', 1)");
my $last = $under[-1];
sql("CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN RAISE EXCEPTION 'interrupted'; END \$\$;
	CREATE TRIGGER no BEFORE INSERT ON llava_conversation FOR EACH ROW WHEN (NEW.image = $last) EXECUTE FUNCTION no()");
my ($rc, $out, $err) = $node->psql('postgres', 'CALL llava_reparse(batch => 2)');
like($err, qr/interrupted/, 'a call ends in the middle');
my $done = sql("SELECT count(*) FROM llava_conversation");
is($done, 24 - $n + ($n - 3), 'what was committed before is there');
my $written_before = sql("SELECT image, xmin FROM llava_conversation ORDER BY 1");
sql("DROP TRIGGER no ON llava_conversation");
is(counts(reparse("first_image => $last")), (24 - $last + 1) . ' 1 0 0', 'the next goes on there');
is(sql("SELECT image, xmin FROM llava_conversation WHERE image <> $last ORDER BY 1"), $written_before, 'and does not write the first ones again');
is(counts(reparse()), '22 0 0 0', 'and all is done');
my $expected = join "\n", grep { !/^(?:$late|$forgotten)\|/ } split /\n/, $all;
is(samples(), $expected, 'the samples are to the letter what they were');
is(resting(), "$late|too_short", 'no row rests but the late reply\'s');
is($endpoint->stats->{requests}, $asked, 'and no request was made');

# another reply about the same takes the place of one that is withdrawn
my ($image, $reply, $task) = split /\|/, sql("SELECT image, reply, task FROM llava_conversation LIMIT 1");
sql("INSERT INTO llava_reply (image, id, task, task_version, server, model, parameters, variation, body, reason, flags, measures, parser_version)
	SELECT image, id + 100000, task, task_version, server, model, parameters, 1, body, NULL, flags, measures, 1 FROM llava_reply WHERE id = $reply;
	UPDATE llava_reply SET body = convert_to('{\"choices\": [{\"message\": {\"content\": \"\"}, \"finish_reason\": \"stop\"}]}', 'UTF8') WHERE id = $reply");
is(counts(reparse("'描述图片', $image")), (24 - $image + 1 + 1 - grep({ $_ > $image } $late, $forgotten)) . ' 1 1 0', 'one withdrawn, one accepted');
is(sql("SELECT reply - $reply FROM llava_conversation WHERE image = $image"), 100000, 'the other reply is the sample');

# wrong calls
($rc, $out, $err) = $node->psql('postgres', 'BEGIN; CALL llava_reparse()');
like($err, qr/cannot run inside a transaction block/, 'not inside a transaction');
($rc, $out, $err) = $node->psql('postgres', 'CALL llava_reparse(batch => 0)');
like($err, qr/batch 0 is less than 1/, 'a batch has replies');
($rc, $out, $err) = $node->psql('postgres', "CALL llava_reparse('nothing')");
like($err, qr/task "nothing" does not exist/, 'a task that is not there');

$node->stop;
$endpoint->stop;
done_testing();
