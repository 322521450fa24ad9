# One row that cannot be read, looked at or written down, or that somebody has locked,
# holds up no other.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('rows');
$node->create_server('sim', $endpoint->url, "max_in_flight '4'");
my $session = $node->background_psql('postgres');
my $pictures = 0;
sub sql { return $node->safe_psql('postgres', shift); }
sub samples { return sql('SELECT count(*) FROM llava_conversation'); }

sub insert
{
	my ($n) = @_;
	$node->insert_pictures($pictures + 1, $pictures + $n);
	$pictures += $n;
	return;
}

# all but one are samples, then that one too; each was paid for once
sub all_but_one
{
	my ($what, $then) = @_;
	ok($node->wait_query("SELECT count(*) = $pictures - 1 FROM llava_conversation"), "$what holds up no other");
	$then->();
	ok($node->wait_drained, 'and is settled when it can be');
	is(samples() . ' ' . $endpoint->stats->{requests}, "$pictures $pictures", 'each is asked about once');
	return;
}

# a queue row that somebody has locked while its reply comes
$endpoint->control(faults => 'hold=1');
insert(12);
$endpoint->wait_for(in_flight => 4);
$session->query_safe("BEGIN; SELECT FROM llava_pending WHERE call IS NOT NULL ORDER BY call LIMIT 1 FOR UPDATE");
$endpoint->control(faults => '', release => 1);
all_but_one('a queue row that is locked', sub { $session->query_safe('COMMIT') });

# a deferred constraint, which would fail at the commit
sql(<<'SQL');
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.image = (SELECT id FROM public.llava_image WHERE path = 'pic13.png') THEN
		RAISE check_violation;
	END IF;
	RETURN NEW;
END $$;
CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON llava_conversation DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();
SQL
insert(8);
all_but_one('a row that a deferred constraint refuses', sub { sql('DROP TRIGGER refuse ON llava_conversation') });

# replies that are kept are not asked for again when their leases run out
$session->query_safe('BEGIN; LOCK TABLE llava_conversation IN SHARE MODE');
insert(3);
$node->wait_for_log(qr/settle of \d+ replies postponed: canceling statement due to lock timeout/) or die 'nothing is kept';
$endpoint->wait_for(done => $pictures);
ok($node->wait_query("SELECT count(*) = 3 FROM llava_pending WHERE holder IS NOT NULL"), 'three replies are kept');
$node->wait_query('UPDATE llava_pending SET visible_at = now() RETURNING true', "t\nt\nt") or die 'not to be updated';
insert(1);
$endpoint->wait_for(done => $pictures);
is($endpoint->stats->{requests}, $pictures, 'a claim passes over them');
$session->query_safe('COMMIT');
ok($node->wait_drained, 'they are settled');
is(samples() . ' ' . sql('SELECT count(*) FROM llava_reply WHERE late'), "$pictures 0", 'each is a sample');

# a reply is what the server was when it was asked
$endpoint->control(faults => 'hold=1');
insert(6);
$endpoint->wait_for(in_flight => 4);
my $sent = join ',', map { $_->{request_id} } ($endpoint->requests)[ -4 .. -1 ];
sql("ALTER SERVER sim OPTIONS (SET model 'other', SET max_in_flight '3', ADD extra_body '{\"top_k\": 1}')");
$node->wait_query('SELECT allowed FROM llava_stat_server', '3') or die 'the options are not read';
$endpoint->control(faults => '', release => 1);
ok($node->wait_drained, 'a server gets another model');
is(sql("SELECT string_agg(DISTINCT format('%s %s %s', id IN ($sent), model, parameters ->> 'extra_body'), ', ') FROM llava_reply WHERE image > (SELECT max(id) - 6 FROM llava_image)"),
	'f other {"top_k": 1}, t test ', 'the replies it was asked for before say which they are of');

# a picture that cannot be read
sql("ALTER SERVER sim OPTIONS (SET model 'test', SET max_in_flight '4', DROP extra_body); SELECT llava_pause('sim')");
srand(118);
my $noise = LlavaZh::Cluster::grey_png(map { join '', map { chr(int rand 256) } 1 .. 100 } 1 .. 100);
insert(3);
sql("INSERT INTO llava_image (path, image) VALUES ('damaged.png', decode('" . unpack('H*', $noise) . "', 'hex'))");
insert(3);
my $toast = sql("SELECT reltoastrelid::regclass FROM pg_class WHERE oid = 'llava_image'::regclass");
sql("CREATE EXTENSION pg_surgery; SELECT heap_force_kill('$toast', array_agg(ctid)) FROM $toast; SELECT llava_resume('sim')");
ok($node->wait_drained, 'a picture that cannot be read holds up no other');
is(sql('SELECT failure, attempts FROM llava_pending') . ' ' . samples(), "unreadable|1 $pictures", 'and rests with its reason');
like(sql('SELECT detail FROM llava_pending'), qr/missing chunk/, 'which is told');

# a picture whose row somebody has locked when it is looked at for copies
sql("DELETE FROM llava_pending; ALTER SYSTEM SET llava_zh.near_duplicates = on; SELECT pg_reload_conf()");
sub blocks
{
	my @rows = map { join '', map { chr(int(rand 256)) x 8 } 1 .. 8 } 1 .. 8;
	return unpack('H*', LlavaZh::Cluster::grey_png(map { ($_) x 8 } @rows));
}
sql("SELECT llava_pause('sim')");
sql('INSERT INTO llava_image (path, image) VALUES ' . join(', ', map { "('blocks$_.png', decode('" . blocks() . "', 'hex'))" } 1 .. 10));
$session->query_safe("BEGIN; SELECT FROM llava_image WHERE path = 'blocks2.png' FOR UPDATE");
sql("SELECT llava_resume('sim')");
$pictures += 10;
ok($node->wait_query("SELECT count(*) = $pictures - 1 FROM llava_conversation"), 'a picture whose row is locked holds up no other');
$session->query_safe('COMMIT');
ok($node->wait_drained, 'and is asked about later');
is(samples(), $pictures, 'once');

# a worker is gone, and of what it held a row is locked
$endpoint->control(faults => 'hold=1');
insert(4);
$endpoint->wait_for(in_flight => 4);
$session->query_safe('BEGIN; SELECT FROM llava_pending WHERE call = (SELECT min(call) FROM llava_pending) FOR UPDATE');
my $gone = $node->worker_pid;
kill 'TERM', $gone;
$node->wait_query("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $gone");
$node->reload;
$node->worker_pid($gone);
$endpoint->control(faults => '', release => 1);
ok($node->wait_query('SELECT count(*) = 1 FROM llava_pending'), 'what a worker held is asked about by the next, but for a row that is locked');
$session->query_safe('COMMIT');
sql('UPDATE llava_pending SET visible_at = now()');
ok($node->wait_drained, 'and that one when its lease is over');

# the tables go away with calls in hand
$endpoint->control(faults => 'hold=1');
insert(12);
$endpoint->wait_for(in_flight => 4);
$node->wait_query('SELECT count(*) >= 8 FROM llava_pending WHERE call IS NOT NULL') or die 'nothing is claimed ahead';
my $dropped = sql("DROP EXTENSION llava_zh CASCADE; SELECT clock_timestamp()");
my $pid = $node->worker_pid;
$node->wait_query("SELECT state_change > '$dropped' FROM pg_stat_activity WHERE pid = $pid") or die 'it does not look';
my $before = $endpoint->stats->{requests};
my $answered = $endpoint->stats->{answered};
$endpoint->control(release => 1);
$endpoint->wait_for(answered => $answered + 4);
sql('CREATE EXTENSION llava_zh');
$node->worker_pid($pid);
is($endpoint->stats->{requests}, $before, 'without its tables a worker sends nothing more');

$session->quit;
$node->stop('fast');
$endpoint->stop;
done_testing();
