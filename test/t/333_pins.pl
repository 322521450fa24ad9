# Rows for one server, or not for one: whom they go to, what says why they wait, and that
# rows whose servers have no room are neither claimed nor read on the way to others.
use strict;
use warnings;
use utf8;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use Test::More;

my %endpoint = map { $_ => LlavaZh::Endpoint->new } qw(a b c);
my $node = LlavaZh::Cluster->new('pins');
sub sql { return $node->safe_psql('postgres', shift); }
sub fails { my (undef, undef, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$_[0]"); return $err; }
sub requests { return $endpoint{ $_[0] }->stats->{requests}; }
sub reason { return sql("SELECT reason FROM llava_status WHERE image = $_[0] AND task = '描述图片'"); }

sub settled
{
	my ($what, $rest) = @_;
	my $waits = $rest // 0;
	return ok($node->wait_query("SELECT count(*) = $waits FROM llava_pending WHERE failure IS NULL"), $what);
}

$node->create_server($_, $endpoint{$_}->url, "max_in_flight '8'") for qw(a b);
$node->create_server('c', $endpoint{c}->url, "max_in_flight '1', queue 'false'");
sql("ALTER SERVER b OPTIONS (ADD paused 'true'); ALTER SERVER c OPTIONS (ADD paused 'true')");
$node->insert_pictures(1, 12, '描述图片');
settled('one server asks about all');

# ---- what is refused ----

like(fails("SELECT llava_enqueue(1, 'detail', true, false, 'nowhere')"), qr/ERROR:  42704: server "nowhere" is not a server of the wrapper llava_zh\nHINT:  Name one of llava_stat_server/, 'a server that is not there');
like(fails("SELECT llava_retry(not_server => 'nowhere')"), qr/42704: not_server "nowhere"/, 'nor to be forbidden');
like(fails("SELECT llava_retry(new_server => 'a', not_server => 'a')"), qr/22023: new_server and not_server are both "a"/, 'both the same');
is(sql("SELECT llava_enqueue(NULL, 'detail') IS NULL, llava_enqueue(1, NULL) IS NULL, llava_enqueue(1, 'detail', NULL) IS NULL"), 't|t|t', 'NULL as before');
is(sql("SELECT llava_enqueue(1, 'detail')"), 'f', 'a call without pins does what it did');

# ---- one server, not one server ----

my $before = requests('a');
sql("ALTER SERVER b OPTIONS (SET paused 'false')");
sql("UPDATE llava_conversation SET keep = false, note = 'Wort' || image WHERE image <= 4");
is(sql("SELECT count(*) FILTER (WHERE llava_enqueue(image, task, true, server => 'b')) FROM llava_conversation WHERE image <= 2"), '2', 'two rows for b');
is(sql("SELECT count(*) FILTER (WHERE llava_enqueue(image, task, true, not_server => 'a')) FROM llava_conversation WHERE image IN (3, 4)"), '2', 'two rows for any but a');
settled('all are asked');
is(requests('a') - $before, '0', 'a is asked about none of them');
is(requests('b'), '4', 'b about all');

# what was said of the old words stays with them
is(sql("SELECT string_agg(concat(r.image, r.keep, r.note, c.keep, c.note), ' ' ORDER BY r.image) FROM llava_reply r JOIN llava_conversation c USING (image, task) WHERE r.server = 'a' AND r.image <= 4"),
	'1fWort1 2fWort2 3fWort3 4fWort4', 'keep and note of the old samples are in their ledger rows, and not on the new ones');
is(sql('SELECT count(*) FROM llava_reply WHERE keep IS NOT NULL OR note IS NOT NULL'), '4', 'and in no others');
sql("SELECT llava_forget(4, 'letter')");
is(sql("SELECT count(*), count(keep), count(note) FROM llava_reply WHERE image = 4"), '2|0|0', 'a takedown erases them');

# ---- why a row waits ----

sql("ALTER SERVER b OPTIONS (SET paused 'true')");
sql("SELECT llava_enqueue(5, 'detail', true, server => 'b'), llava_enqueue(6, 'detail', true, not_server => 'a'),
	llava_enqueue(7, 'detail', true, server => 'c')");
is(reason(5), 'server "b", which the row names, is paused: see llava_stat_server', 'its server is paused');
is(reason(6), 'the row forbids server "a", and all others that take the queue are paused: see llava_stat_server', 'all others are');
sql("ALTER SERVER c RENAME TO away");
is(reason(7), 'server "c", which the row names, does not exist', 'its server is gone');
sql("ALTER SERVER away RENAME TO c");
$before = requests('a');
sql("SELECT llava_enqueue(8, 'detail', true)");
settled('a free row goes past them', 3);
is(requests('a') - $before, '1', 'and they are not asked of another');
is(sql('SELECT count(call), sum(attempts) FROM llava_pending WHERE image IN (5, 6, 7)'), '0|0', 'nor claimed');
sql("INSERT INTO llava_task (name, server) VALUES ('描述图片', 'a')");
is(reason(6), 'the row forbids server "a", which its task names', 'the only one is forbidden');
sql("INSERT INTO llava_task (name, server) VALUES ('描述图片', '')");

# ---- and what lets it go on ----

is(sql("SELECT llava_enqueue(5, 'detail', server => '')"), 'f', 'a row that waits is not queued again');
settled('but takes the pin off', 2);
is(sql('SELECT max(server) FROM llava_reply WHERE image = 5 AND id = (SELECT max(id) FROM llava_reply)'), 'a', 'and is asked');
sql("SELECT llava_enqueue(6, 'detail', server => 'c', not_server => '')");
is(sql('SELECT server, not_server FROM llava_pending WHERE image = 6'), 'c|', 'one pin for another');
sql("ALTER SERVER c OPTIONS (SET paused 'false')");
settled('when its server may be asked again, they go there');
is(requests('c'), '2', 'both');

# failed rows choose by the first arguments, and go by the others
sql("ALTER SERVER b OPTIONS (SET paused 'false')");
$endpoint{a}->control(faults => 'refusal=1');
sql("SELECT llava_enqueue(image, task, true, server => 'a') FROM llava_conversation WHERE image IN (9, 10)");
ok($node->wait_query("SELECT count(*) = 2 FROM llava_pending WHERE failure = 'refusal'"), 'two rows fail');
$endpoint{a}->control(faults => '');
$before = requests('b');
is(sql("SELECT llava_retry(reason => 'refusal', new_server => 'b')"), '2', 'both are put back for another server');
settled('and are asked');
is(requests('b') - $before, '2', 'there');

# ---- no room ----

# c answers nobody, b is paused: their rows stand before all others
sql("ALTER SERVER b OPTIONS (SET paused 'true')");
$endpoint{c}->control(faults => 'hold=1');
my $png = unpack('H*', LlavaZh::Cluster::png(1));
sql(<<"SQL");
INSERT INTO llava_image (path, image, task)
SELECT 'many' || n, substring(jpeg FROM 1 FOR 2) || '\\xfffe000a'::bytea || int8send(n) || substring(jpeg FROM 3), '描述图片'
FROM generate_series(1, 3000) AS n, (SELECT llava_prepare_image(decode('$png', 'hex')) AS jpeg OFFSET 0) AS j
SQL
settled('many pictures are asked about');
sql('VACUUM llava_pending');
sql("SELECT count(llava_enqueue(id, '复杂推理', server => CASE WHEN id % 2 = 0 THEN 'b' ELSE 'c' END, first => true)) FROM llava_image WHERE path LIKE 'many%'");
$endpoint{c}->wait_for(in_flight => 1);
ok($node->wait_query("SELECT count(*) = 2 FROM llava_pending WHERE holder IS NOT NULL"), 'one is in flight, one is prepared');
my %first = map { $_ => requests($_) } qw(a b c);
my $calls = sql('SELECT last_value FROM llava_call_seq');
my $read = sql("SELECT pg_stat_clear_snapshot(), idx_tup_read FROM pg_stat_all_indexes WHERE indexrelname = 'llava_pending_visible'") =~ s/.*\|//r;
sql("SELECT count(llava_enqueue(id, '日常对话')) FROM (SELECT id FROM llava_image WHERE path LIKE 'many%' ORDER BY id LIMIT 600) AS i");
ok($node->wait_query("SELECT count(*) = 0 FROM llava_pending WHERE task = '日常对话'"), 'the free rows behind them are asked');
is(requests('a') - $first{a}, '600', 'all of the server that has room');
cmp_ok(sql('SELECT last_value FROM llava_call_seq') - $calls, '<=', 600 + 64, 'and the others draw no calls');
sql('SELECT pg_stat_force_next_flush()') if sql("SELECT count(*) FROM pg_proc WHERE proname = 'pg_stat_force_next_flush'");
my $statistics = "SELECT idx_tup_read - $read FROM pg_stat_all_indexes WHERE indexrelname = 'llava_pending_visible'";
note('entries read: ', sql($statistics));
cmp_ok(sql($statistics), '<', 3000 * 3, 'nor are they read at each claim');
is(requests('b') - $first{b}, '0', 'the paused one is asked nothing');

# room again
$endpoint{c}->control(faults => '', release => 1);
sql("ALTER SERVER b OPTIONS (SET paused 'false')");
settled('when there is room, all are asked');
is(requests('b') - $first{b}, '1500', 'b about its own');
is(requests('c') - $first{c}, '1499', 'c about its own, of which it had one before');
is(requests('a') - $first{a}, '600', 'and a about none of them');

# ---- a cursor ----

# an old snapshot keeps the index entries of settled rows: each claim begins behind those before
my $old = $node->background_psql('postgres', on_error_stop => 1);
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM llava_pending');
my $deleted = sql("SELECT pg_stat_clear_snapshot(), n_tup_del FROM pg_stat_all_tables WHERE relname = 'llava_pending'") =~ s/.*\|//r;
$read = sql("SELECT idx_tup_read FROM pg_stat_all_indexes WHERE indexrelname = 'llava_pending_visible'");
sql("SELECT count(llava_enqueue(id, '日常对话')) FROM (SELECT id FROM llava_image WHERE path LIKE 'many%' ORDER BY id OFFSET 600 LIMIT 2400) AS i");
settled('many rows beside an old snapshot are asked');
ok($node->wait_query("SELECT n_tup_del >= $deleted + 2400 FROM pg_stat_all_tables WHERE relname = 'llava_pending'"), 'and their statistics written');
note('entries read: ', sql($statistics =~ s/- \d+/- $read/r));
cmp_ok(sql($statistics =~ s/- \d+/- $read/r), '<', 2400 * 40, 'and the entries of settled rows are not read at each claim');
$old->query_safe('COMMIT');
$old->quit;

# ---- rows of a task that had none ----

# While the search for such tasks is put off, claims for others pass their rows.  Requests are
# held, since an idle worker would look for what it passed; others do a minute after the last look.
sql("ALTER SERVER b OPTIONS (SET paused 'true'); ALTER SYSTEM SET llava_zh.naptime = '1h'; SELECT pg_reload_conf()");
# so many that a search takes a while
sql("INSERT INTO llava_task (name, kind, language, prompt, weight) SELECT '龙' || n, 'description', 'zh', '写', 0 FROM generate_series(1, 1500) AS n");
my @pictures = split /\n/, sql("SELECT id FROM llava_image WHERE path LIKE 'many%' ORDER BY id LIMIT 3");
$endpoint{a}->control(faults => 'hold=1');
sql("SELECT llava_enqueue($pictures[2], '描述图片', true)");
$endpoint{a}->wait_for(in_flight => 1);
sql("SELECT llava_enqueue($pictures[0], '复杂推理', true), llava_enqueue($pictures[1], '描述图片', true)");
ok(defined $endpoint{a}->wait_for(in_flight => 3, timeout => 30_000), 'rows that a claim for other tasks has passed are asked');
$endpoint{a}->control(faults => '', release => 1);
settled('to the end');

$node->stop('fast');
$endpoint{$_}->stop for qw(a b c);
done_testing();
