# llava_reparse beside everything else that writes: a worker that settles, another call,
# thresholds that change in between, takedowns.  Nothing deadlocks, and in the end each
# picture is a sample of an accepted reply, to the letter, or rests.
use strict;
use warnings;
use lib 'test/perl';
use IPC::Run qw(start finish);
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $pictures = 600;
my $endpoint = LlavaZh::Endpoint->new(faults => 'english=0.1,too-short=0.1,loop=0.05', latency => 5);
my $node = LlavaZh::Cluster->new('races', conf => "llava_zh.workers = 2\nllava_zh.max_attempts = 3\ndeadlock_timeout = '100ms'\n");
sub sql { return $node->safe_psql('postgres', $_[0]); }

# a session that runs these statements one by one
my $dir = PostgreSQL::Test::Utils::tempdir();
my @sessions;

sub session
{
	my ($name, @statements) = @_;
	my $file = "$dir/$name.sql";
	append_to_file($file, join(";\n", @statements) . ";\n");
	my $err = '';
	my $session = { name => $name, err => \$err };
	$session->{run} = start([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', $file ],
		'>', '/dev/null', '2>', \$err);
	push @sessions, $session;
	return;
}

# half of them wait for the worker when the others begin
$node->insert_pictures(1, $pictures / 2, '描述图片');
$node->create_server('sim', $endpoint->url, "max_in_flight '8'");
ok($node->wait_query('SELECT count(*) > 20 FROM llava_reply'), 'the first replies are there');
my @taken_down = grep { $_ % 25 == 0 } 1 .. $pictures;
# a threshold that half of the replies are under, and none
my $half = sql("SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY (measures ->> 'letters')::integer) FROM llava_reply WHERE reason IS NULL");
session('thresholds', map { ("INSERT INTO llava_task (name, min_letters) VALUES ('描述图片', " . ($_ % 2 ? $half : 1) . ')', 'CALL llava_reparse(batch => 20)') } 1 .. 12);
session('again', map { 'CALL llava_reparse(batch => 7)' } 1 .. 12);
session('takedown', map { "SELECT llava_forget($_, 'race')" } @taken_down[ 0 .. $#taken_down / 2 ]);
$node->insert_pictures($pictures / 2 + 1, $pictures, '描述图片');
for my $session (@sessions)
{
	ok(finish($session->{run}), "$session->{name}: to its end") or diag(${ $session->{err} });
}
sql("SELECT llava_forget(id, 'race') FROM llava_image WHERE id = ANY ('{" . join(',', @taken_down) . "}')");
ok($node->wait_query('SELECT count(*) = 0 FROM llava_pending WHERE failure IS NULL'), 'the queue too');
unlike(slurp_file($node->logfile), qr/deadlock detected|PANIC|TRAP/, 'and nobody was in anybody\'s way for good');

# What holds once nothing is under way.
sub check_rows
{
	my ($when) = @_;
	like(sql('CALL llava_reparse()'), qr/"changes": \[\].*"accepted": 0/, "$when: all verdicts are those of the last thresholds");
	is(sql('SELECT count(*) FROM llava_image i WHERE (SELECT count(*) FROM llava_conversation c WHERE c.image = i.id)
		+ (SELECT count(*) FROM llava_pending p WHERE p.image = i.id AND p.failure IS NOT NULL) <> 1'), '0', "$when: each picture is a sample or rests");
	is(sql('SELECT count(*) FROM llava_image'), $pictures - @taken_down, "$when: but for those taken down");
	is(sql("SELECT count(*) FROM llava_reply WHERE image % 25 = 0 AND body <> ''") + sql('SELECT count(*) FROM llava_conversation WHERE image % 25 = 0')
		+ sql('SELECT count(*) FROM llava_pending WHERE image % 25 = 0'), 0, "$when: of which nothing came back");
	is(sql('SELECT count(*) FROM llava_pending p JOIN llava_reply r USING (image, task) WHERE r.reason IS NULL AND NOT r.late'), '0',
		"$when: none rests that has an accepted reply");
	is(sql(<<'SQL'), '0', "$when: each sample says what its reply says");
SELECT count(*) FROM llava_conversation c LEFT JOIN llava_reply r ON r.image = c.image AND r.id = c.reply
LEFT JOIN LATERAL llava_parse_reply(c.task, convert_from(r.body, 'UTF8')::jsonb #>> '{choices,0,message,content}', r.finish_reason) p ON true
WHERE r.reason IS NOT NULL OR p.conversation -> 1 IS DISTINCT FROM c.conversation -> 1 OR p.flags IS DISTINCT FROM c.flags
SQL
	return sql('SELECT count(*) FROM llava_pending');
}

my @resting = map { sql("INSERT INTO llava_task (name, min_letters) VALUES ('描述图片', $_)"); sql('CALL llava_reparse()'); check_rows("at least $_") } $half, 1;
cmp_ok($resting[0], '>', $resting[1] + 50, 'the higher threshold leaves more resting');
$endpoint->wait_for(in_flight_max => 0);
my %asked = map { $_->{request_id} => 1 } grep { ($_->{status} // 0) == 200 && $_->{done} } $endpoint->requests;
is(join(' ', grep { !$asked{$_} } split /\n/, sql('SELECT id FROM llava_reply')), '', 'the ledger has none but the endpoint\'s replies');
ok($node->wait_query('SELECT count(*) = ' . scalar(keys %asked) . ' FROM llava_reply'), 'and all of them');

$node->stop('fast');
$endpoint->stop;
done_testing();
