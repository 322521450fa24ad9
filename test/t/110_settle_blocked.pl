# Replies that cannot be written down yet are kept, not asked for again: a table that
# is locked, a disk that is full, a claim that fails.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('blocked');
$node->create_server('sim', $endpoint->url, "max_in_flight '8'");

# Until the worker has tried this or that so often.
sub wait_for_turns
{
	my ($turns) = @_;
	my $worker = "FROM pg_stat_activity WHERE backend_type = 'llava_zh worker'";
	for (1 .. $turns)
	{
		my $last = $node->safe_psql('postgres', "SELECT state_change $worker");
		$node->wait_query("SELECT state_change > '$last' $worker") // die 'it gave up';
	}
	return;
}

# something was asked before: else the claim looks whether a restore is under way
$node->safe_psql('postgres', "SELECT nextval('llava_call_seq')");

# a user's lock
my $session = $node->background_psql('postgres');
$session->query_safe('BEGIN; LOCK TABLE llava_conversation IN ACCESS EXCLUSIVE MODE');
$node->insert_pictures(1, 5);
$endpoint->wait_for(done => 5);
my $log = $node->logfile;
ok($node->wait_for_log(qr/settle of \d+ replies postponed/), 'the settle gives way to a lock');
is($node->safe_psql('postgres', 'SELECT count(*) FROM llava_pending WHERE holder IS NOT NULL'), '5', 'the rows stay leased');
my $pid = $node->worker_pid;
ok($node->wait_query("SELECT state = 'idle' AND backend_xmin IS NULL FROM pg_stat_activity WHERE pid = $pid", 't'), 'the worker waits outside of a transaction');
# it tries again and again, and the log tells of each reply once
wait_for_turns(8);
my $told = 0;
$told += $_ for slurp_file($log) =~ /settle of (\d+) replies postponed/g;
is($told, 5, 'each postponed reply is told of once');
$session->query_safe('COMMIT');
ok($node->wait_drained, 'and settles when the lock is gone');

# the same for claims
my $from = -s $log;
$session->query_safe('BEGIN; LOCK TABLE llava_pending IN EXCLUSIVE MODE');
ok($node->wait_for_log(qr/claims postponed: /, $from), 'a claim gives way too');
wait_for_turns(8);
$session->query_safe('COMMIT');
ok($node->wait_for_log(qr/claims go on/, $from), 'and goes on');
my $postponed = () = slurp_file($log, $from) =~ /claims postponed/g;
is($postponed, 1, 'told of once');
is($endpoint->stats->{requests}, 5, 'without asking again');

# a full disk, as a table's trigger reports it
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE disk (full_now boolean);
INSERT INTO disk VALUES (true);
CREATE FUNCTION write() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
	IF (SELECT full_now FROM disk) THEN
		RAISE disk_full USING MESSAGE = 'could not extend file: No space left on device';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER write BEFORE INSERT ON llava_reply FOR EACH ROW EXECUTE FUNCTION write();
SQL
my $offset = -s $log;
$node->insert_pictures(6, 10);
$endpoint->wait_for(done => 10);
ok($node->wait_for_log(qr/settle of \d+ replies postponed: could not extend file/, $offset), 'a full disk postpones the settle');
is($node->safe_psql('postgres', 'SELECT count(*) FROM llava_reply'), '5', 'nothing was written');
is($endpoint->stats->{requests}, 10, 'and nothing asked twice meanwhile');
$node->safe_psql('postgres', 'UPDATE disk SET full_now = false');
ok($node->wait_drained, 'with room again the replies are written');
is($endpoint->stats->{requests}, 10, 'the very ones that were kept');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT image) FROM llava_conversation'), '10|10', 'each image once');

# one reply that the database will not take holds up no other
$node->safe_psql('postgres', <<'SQL');
CREATE OR REPLACE FUNCTION write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.image = (SELECT id FROM public.llava_image WHERE path = 'pic11.png') THEN
		RAISE check_violation;
	END IF;
	RETURN NEW;
END $$;
SQL
$node->insert_pictures(11, 15);
$endpoint->wait_for(done => 15);
ok($node->wait_query('SELECT count(*) FROM llava_conversation', '14'), 'a reply that cannot be written holds up no other');
is($endpoint->stats->{requests}, 15, 'it is kept too');
$node->safe_psql('postgres', 'DROP TRIGGER write ON llava_reply');
ok($node->wait_drained, 'and written when it can be');

$node->stop('fast');
$endpoint->stop;
done_testing();
