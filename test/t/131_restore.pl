# A database that is being restored is not drained before it is whole: no request while rows,
# ledger, usage or the sequence of calls are still to come, in plain dumps and with
# pg_restore -j; and what waits says for what.  Then it goes on by itself.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my ($DONE, $WAITING) = (6, 40);

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('restore', conf => "max_connections = 40\n");
$node->create_server('sim', $endpoint->url, "max_requests '200'");

sub sql { return $node->safe_psql(@_ > 1 ? ($_[0], $_[1]) : ('postgres', $_[0])); }

# The workers are those of this database, or of none.
sub work_in
{
	my ($database) = @_;
	sql("ALTER SYSTEM SET llava_zh.databases = '$database'");
	$node->reload;
	return $node->wait_query("SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'llava_zh worker' AND datname IS DISTINCT FROM NULLIF('$database', '')")
	  && ($database eq '' || $node->wait_query("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'llava_zh worker' AND datname = '$database'", '1'));
}

# True as soon as the query says so; not if a request goes out, or a minute passes.
sub quietly
{
	my ($database, $query, $asked) = @_;
	for (1 .. 300)
	{
		return 0 if $endpoint->stats->{requests} != $asked;
		my (undef, $out) = $node->psql($database, $query);
		return $endpoint->stats->{requests} == $asked if $out eq 't';
		usleep(100_000);
	}
	return 0;
}

sub logged
{
	my ($words) = @_;
	return scalar(() = slurp_file($node->logfile) =~ /$words/g);
}

my %ledger = (
	llava_reply => '*', llava_conversation => '*', llava_interrupted => '*', llava_seen => '*',
	llava_usage => 'server, requests, replies, accepted, failed, prompt_tokens, cost',
	llava_pending => 'image, task, visible_at, call, holder, attempts, failure',
	llava_image => 'id, path, sha256, received_at');
my %sequences = map { $_ => 1 } qw(llava_call_seq llava_image_id_seq llava_draw_seq);

sub contents
{
	my ($database) = @_;
	return join "\n", map { ("$_:", sql($database, "SELECT $ledger{$_} FROM $_ ORDER BY 1, 2")) } sort keys %ledger;
}
sub sequences
{
	my ($database) = @_;
	return join "\n", map { sql($database, "SELECT '$_', last_value, is_called FROM $_") } sort keys %sequences;
}

# What was asked since: no id twice, and none that the dump has.
sub ids_are_unique
{
	my ($what, $asked) = @_;
	my @requests = $endpoint->requests;
	my %seen = map { $_ => 1 } split /\n/, sql('SELECT id FROM llava_reply UNION SELECT call FROM llava_pending WHERE call IS NOT NULL');
	$seen{ $_->{request_id} }++ foreach @requests[ $asked .. $#requests ];
	cmp_ok(scalar(keys %seen), '>', $WAITING, "$what: ids are known");
	is(scalar(grep { $_ > 1 } values %seen), 0, "$what: no call id was sent twice");
	return;
}

$node->insert_pictures(1, $DONE);
ok($node->wait_drained, 'some are done');
ok(work_in(''), 'no worker works');
$node->insert_pictures($DONE + 1, $DONE + $WAITING);
# a lease of a worker that is not here any more, and one of a session whose pid is ours by now
sql("UPDATE llava_pending SET call = nextval('llava_call_seq'), holder = CASE WHEN image % 2 = 0 THEN 0 ELSE -pg_backend_pid() END,
	visible_at = now() + '1 day', attempts = 1 WHERE image > $DONE + $WAITING - 4");
my $before = contents('postgres');
my $sequences = sequences('postgres');
my $folder = $node->backup_dir;
mkdir $folder unless -d $folder;
command_ok([ 'pg_dump', '-f', "$folder/plain.sql", '-d', $node->connstr('postgres') ], 'pg_dump');
command_ok([ 'pg_dump', '-Fd', '-f', "$folder/folder", '-d', $node->connstr('postgres') ], 'pg_dump -Fd');

sub new_database
{
	my ($name) = @_;
	sql("CREATE DATABASE $name");
	ok(work_in($name), "the worker works in $name");
	return;
}

# A session that is fed from here as far as we feed it; or one that runs this text.
sub feed
{
	my ($database, $input) = @_;
	my $session = IPC::Run::start([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database) ], '<', $input, '>', \my $out);
	$session->pump while length $$input;
	return $session;
}
sub psql
{
	my ($database, $text) = @_;
	unlink "$folder/$database.sql";
	append_to_file("$folder/$database.sql", $text);
	return IPC::Run::start([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database), '-f', "$folder/$database.sql" ], '<', \undef, '>', \my $out);
}

# What remains to be asked is asked, each once, and counts go on where they were.
sub goes_on
{
	my ($database, $what, $asked) = @_;
	ok($node->wait_drained($database), "$what: then it is drained") or return;
	is($endpoint->stats->{requests} - $asked, $WAITING, "$what: by a request for each row that waited");
	is(sql($database, 'SELECT count(*) FROM llava_conversation'), $DONE + $WAITING, "$what: all are samples");
	ok($node->wait_query("SELECT requests FROM llava_usage", $DONE + $WAITING, $database), "$what: usage goes on");
	is(sql($database, 'SELECT count(*) FROM llava_interrupted'), '4', "$what: calls under foreign leases are known as interrupted");
	return;
}

#
# A plain dump, held up by a lock behind the queue, and before the sequences.
#
my $plain = slurp_file("$folder/plain.sql");
my $held_up = $plain;
ok($held_up =~ s/^(COPY public\.llava_pending .*?^\\\.\n)/$1SELECT pg_advisory_lock(1), pg_advisory_unlock(1);\n/ms, 'the queue is in the dump');
ok($held_up =~ s/^(SELECT pg_catalog\.setval)/SELECT pg_advisory_lock(2), pg_advisory_unlock(2);\n$1/m, 'and so are the sequences');

new_database('plain');
my $gates = $node->background_psql('plain');
$gates->query_safe('SELECT pg_advisory_lock(1), pg_advisory_lock(2)');
my $asked = $endpoint->stats->{requests};
my $restore = psql('plain', $held_up);
ok(quietly('plain', "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = 1", $asked), 'the queue is here, the ledger is not');
ok(quietly('plain', "SELECT activity LIKE 'llava_zh: waiting for a restore to end: llava_call_seq is not set%' FROM llava_stat_worker", $asked),
	'the worker says that it waits');
is(sql('plain', 'SELECT DISTINCT waits_for FROM llava_progress'), 'a restore to end: llava_call_seq is not set, and there are calls already', 'and llava_progress does');
ok(quietly('plain', 'SELECT true', $asked), 'nothing was asked');
$gates->query_safe('SELECT pg_advisory_unlock(1)');
ok(quietly('plain', "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = 2", $asked), 'all rows are here, the sequences are not');
is(contents('plain'), $before, 'as they were dumped');
ok(quietly('plain', 'SELECT is_called IS FALSE FROM llava_call_seq', $asked), 'nothing was asked yet');
$node->wait_for_log(qr/nothing is claimed in database "plain" until a restore has ended/);
$gates->query_safe('SELECT pg_advisory_unlock(2)');
ok($restore->finish, 'the restore succeeds');
goes_on('plain', 'plain', $asked);
is(logged('nothing is claimed in database "plain" until a restore has ended: llava_call_seq is not set'), 1, 'the log has it once');
is(logged('claims go on in database "plain": the restore has ended'), 1, 'and its end');
is(sql('plain', 'SELECT count(waits_for) FROM llava_progress'), '0', 'nothing is waited for');
$gates->quit;
ids_are_unique('plain', $asked);

#
# pg_restore -j 4, with llava_image held back: all else is whole, the sequences too.
#
new_database('jobs');
command_ok([ 'pg_restore', '--section=pre-data', '-d', $node->connstr('jobs'), "$folder/folder" ], 'pg_restore: tables');
my $holder = $node->background_psql('jobs');
$holder->query_safe('BEGIN; LOCK TABLE llava_image IN SHARE MODE');
$asked = $endpoint->stats->{requests};
$restore = IPC::Run::start([ 'pg_restore', '--section=data', '--section=post-data', '-j', '4', '-d', $node->connstr('jobs'), "$folder/folder" ]);
ok(quietly('jobs', "SELECT is_called AND (SELECT count(*) = $WAITING FROM llava_pending) AND (SELECT count(*) > 0 FROM llava_usage)
	AND (SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'llava_image'::regclass) FROM llava_call_seq", $asked),
	'everything is here but the pictures');
is(sequences('jobs'), $sequences, 'sequences as they were dumped');
ok(quietly('jobs', "SELECT count(*) = $WAITING FROM llava_pending WHERE failure = 'no_picture'", $asked), 'the rows wait for their pictures');
is(sql('jobs', "SELECT sum(waiting), sum(failed), string_agg(DISTINCT waits_for, ';') ~ '^[0-9]+ rows: their pictures are not in llava_image' FROM llava_progress"),
	"$WAITING|0|t", 'as llava_progress says');
ok(quietly('jobs', "SELECT activity LIKE 'llava_zh: % rows wait for pictures that are not in llava_image' FROM llava_stat_worker", $asked), 'and the worker');
$holder->query_safe('COMMIT');
$holder->quit;
ok($restore->finish, 'the restore succeeds');
ok($node->wait_drained('jobs') && $node->wait_query('SELECT count(*) = 0 FROM llava_pending', 't', 'jobs'), 'the pictures have come: all is asked');
is($endpoint->stats->{requests} - $asked, $WAITING, 'once');
is(sql('jobs', 'SELECT count(*), (SELECT requests FROM llava_usage) FROM llava_conversation'), ($DONE + $WAITING) . '|' . ($DONE + $WAITING), 'and counted');
is(sql('jobs', 'SELECT max(attempts) FROM (SELECT count(*) AS attempts FROM llava_reply GROUP BY image) r'), '1', 'no reply twice');
is(logged('\d+ rows wait for pictures that are not in llava_image'), 1, 'the log has it once');
ids_are_unique('-j', $asked);

#
# The sequence is set and the queue is whole while a session still copies pictures.
#
my ($image_copy) = $plain =~ /^(COPY public\.llava_image .*?^\\\.\n)/ms;
(my $others = $plain) =~ s/^COPY public\.llava_image .*?^\\\.\n//ms;
sql('CREATE DATABASE copied');
$asked = $endpoint->stats->{requests};
my @lines = split /^/, $image_copy;
my $input = join '', @lines[ 0 .. 3 ];
psql('copied', $others)->finish or die 'no restore';
my $copy = feed('copied', \$input);
ok($node->wait_query("SELECT count(*) FROM pg_stat_progress_copy WHERE relid = 'llava_image'::regclass", '1', 'copied'), 'pictures are being copied');
ok(work_in('copied'), 'the worker comes');
ok(quietly('copied', "SELECT activity ~ 'waiting for a restore to end: process [0-9]+ copies into llava_image' FROM llava_stat_worker", $asked), 'it says whom it waits for');
is(sql('copied', 'SELECT count(*), count(failure) FROM llava_pending'), "$WAITING|0", 'no row was touched');
sql('copied', 'CREATE ROLE looker LOGIN; GRANT EXECUTE ON FUNCTION llava_restoring() TO looker');
like($node->safe_psql('copied', 'SELECT llava_restoring()', extra_params => [ '-U', 'looker' ]), qr/^a restore to end: process \d+ copies into llava_image$/, 'any role sees it');
$input = join '', @lines[ 4 .. $#lines ];
$copy->pump while length $input;
ok($copy->finish, 'the last picture has come');
goes_on('copied', 'a COPY under way', $asked);
ids_are_unique('a COPY under way', $asked);

#
# New pictures that arrive by COPY are no restore, whoever copies them, and hold up nobody.
#
$asked = $endpoint->stats->{requests};
$input = "COPY llava_image (path, image) FROM STDIN;\n"
  . join('', map { "new$_.png\t\\\\x" . unpack('H*', LlavaZh::Cluster::png($_)) . "\n" } 1001 .. 1060);
$copy = feed('copied', \$input);
ok($node->wait_query("SELECT tuples_processed > 0 FROM pg_stat_progress_copy WHERE relid = 'llava_image'::regclass", 't', 'copied'), 'pictures have come, and its COPY goes on');
sql('copied', LlavaZh::Cluster::pictures_sql(901, 901));
ok($node->wait_drained('copied'), 'others are asked about meanwhile');
is($endpoint->stats->{requests} - $asked, 1, 'one is');
$input = "\\.\n";
$copy->pump while length $input;
$copy->finish;
ok($node->wait_query('SELECT count(*) FROM llava_conversation', $DONE + $WAITING + 61, 'copied'), 'and then those that were copied');

#
# The dump of a queue that was never asked keeps nobody waiting, nor does a range of ids of one's own.
#
sql('CREATE DATABASE fresh');
sql('fresh', "CREATE EXTENSION llava_zh; CREATE SERVER sim FOREIGN DATA WRAPPER llava_zh OPTIONS (url '" . $endpoint->url . "', model 'test')");
sql('fresh', LlavaZh::Cluster::pictures_sql(1, 3));
command_ok([ 'pg_dump', '-f', "$folder/fresh.sql", '-d', $node->connstr('fresh') ], 'pg_dump of a queue that was never asked');
sql('CREATE DATABASE never');
ok(work_in('never'), 'its worker');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$folder/fresh.sql", '-d', $node->connstr('never') ], 'restored');
ok($node->wait_drained('never'), 'it is drained');
is(sql('never', 'SELECT count(*), max(reply) FROM llava_conversation'), '3|3', 'from the first call on');

sql('CREATE DATABASE ranges');
sql('ranges', "CREATE EXTENSION llava_zh; CREATE SERVER sim FOREIGN DATA WRAPPER llava_zh OPTIONS (url '" . $endpoint->url . "', model 'test');
	INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version) VALUES (900, 'detail', '[]', 1, 7, 1)");
sql('ranges', LlavaZh::Cluster::pictures_sql(1, 2));
ok(work_in('ranges'), 'samples by hand, and calls that were never set');
ok($node->wait_query("SELECT activity LIKE '%llava_call_seq is not set%' FROM llava_stat_worker", 't', 'ranges'), 'are waited for');
my ($rc, $out, $err) = $node->psql('ranges', 'CALL llava_drain()');
like($err, qr/NOTICE:  llava_zh: nothing is claimed .* until a restore has ended: llava_call_seq is not set.*\nHINT:  If no restore is under way, run SELECT setval\('llava_call_seq', n\)/,
	'llava_drain says what to do');
like($err, qr/llava_drain: 0 samples, 0 failed/, 'and ends');
sql('ranges', 'ALTER SEQUENCE llava_call_seq RESTART WITH 1000');
ok($node->wait_drained('ranges'), 'done so, it goes on');
is(sql('ranges', 'SELECT min(id) FROM llava_reply'), '1000', 'with the ids that were chosen');

$node->stop('fast');
$endpoint->stop;
done_testing();
