# What the roles of the cookbook read: every view as its grants let them, under row-level
# security exactly what its policies allow; page, card and exports with the same grants;
# what monitor does not see; and the grants that CHANGELOG names for each view.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use LlavaZh::Rights;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('views');
$node->create_server('qwen', $endpoint->url, "max_in_flight '4'");

sub sql { return $node->safe_psql('postgres', shift); }

# as(role, sql): what that role is told; refused(role, sql): that it may not
sub as
{
	my ($role, $sql) = @_;
	my ($ret, $out, $err) = $node->psql('postgres', "SET ROLE $role; $sql", on_error_stop => 1);
	return $ret == 0 ? $out : "ERROR: $err";
}

sub refused
{
	my ($role, $sql) = @_;
	like(as($role, $sql), qr/^ERROR: .*permission denied/s, "$role may not: $sql");
	return;
}

#
# Something in every view: even and odd pictures, so that a policy can part them.
#
$node->insert_pictures(1, 8, 'detail');
$node->insert_pictures(9, 14, 'conversation');
ok($node->wait_drained, 'there are samples');
sql($_) for
	"INSERT INTO llava_image (path, image) SELECT 'again ' || path, image FROM llava_image WHERE id IN (1, 2)",
	"INSERT INTO llava_image (path, image) VALUES ('bad1.jpg', 'no picture'), ('bad2.jpg', 'none either')",
	"INSERT INTO llava_reply (image, id, task, task_version, server, model, parameters, variation, body, reason)
		SELECT id, nextval('llava_call_seq'), '描述图片', 1, 'qwen', 'm', '{}', 0, 'a body', CASE WHEN id < 4 THEN 'refusal' ELSE 'loop' END
		FROM llava_image WHERE id BETWEEN 3 AND 6",
	"UPDATE llava_reply SET flags = '{pii}' WHERE reason IS NULL AND image < 6",
	"INSERT INTO llava_pending (image, task, failure, detail) VALUES (5, 'x', 'refusal', 'no'), (6, 'x', 'refusal', 'no')",
	"INSERT INTO llava_interrupted (image, call, task) VALUES (1, nextval('llava_call_seq'), '描述图片')",
	"UPDATE llava_conversation SET created_at = now() - interval '1 hour'",
	"UPDATE llava_conversation SET conversation = jsonb_set(conversation, '{1,value}', '\"一样的回答在这里。\"') WHERE image < 9",
	"INSERT INTO llava_host (host, name, domain) VALUES ('http://a.cn', 'a.cn', 'a.cn')",
	"INSERT INTO llava_fetch (image, host, url, digest, failure) SELECT id, 'http://a.cn', 'http://a.cn/' || id, 'x', 'not_found'
		FROM llava_image WHERE rejected IS NOT NULL",
	"SELECT llava_record_export('train.jsonl')";
# a call that waits for a lock, so that llava_work has a row
my $other = $node->background_psql('postgres');
$other->query_safe('BEGIN; LOCK TABLE llava_reply IN SHARE MODE');
my $call = IPC::Run::start([ 'psql', '-Xq', '-d', $node->connstr('postgres'), '-c', "CALL llava_reparse('描述图片')" ], '<', \undef, '>', \my $said, '2>', \my $refused);
ok($node->wait_query('SELECT count(*) = 1 FROM llava_work'), 'a long call is under way');
LlavaZh::Rights::set_up($node, 'postgres');
LlavaZh::Rights::check_views($node, 'postgres');
cmp_ok(sql("SELECT count(*) FROM $_"), '>', 0, "$_ has rows") for LlavaZh::Rights::views($node, 'postgres');
sql('SELECT pg_cancel_backend(pid) FROM llava_work');
$call->finish;
$other->query_safe('ROLLBACK');
$other->quit;

#
# monitor reads numbers and reasons, and not what they are about.
#
my $readable = sql(<<'SQL');
SELECT c.relname || ': ' || string_agg(a.attname, ' ' ORDER BY a.attname)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relname LIKE 'llava%' AND c.relkind = 'r' AND has_column_privilege('monitor', c.oid, a.attnum, 'SELECT')
GROUP BY c.relname ORDER BY c.relname
SQL
is($readable, <<'EXPECTED' =~ s/\n$//r, 'the columns that monitor reads');
llava_annotation: at image reply task task_version
llava_conversation: created_at image reply rounds task task_version
llava_fetch: failure holder host image
llava_fetched: fetched_at image
llava_host: bytes delay_ms domain fetched free_at host parked reason rests since state
llava_image: id received_at rejected task
llava_interrupted: task
llava_pending: failure holder image task
llava_reply: completion_tokens cost estimated flags id image image_tokens latency_ms measures prompt_tokens reason received_at server task task_version text_tokens
llava_task: after name version weight
llava_usage: accepted completion_tokens cost estimated failed pause_detail pause_reason paused_at prompt_tokens replies requests server throttled
EXPECTED
refused('monitor', $_) for
	'SELECT image FROM llava_image', 'SELECT path FROM llava_image', 'SELECT body FROM llava_reply',
	'SELECT conversation FROM llava_conversation', 'SELECT note FROM llava_conversation', 'SELECT prompt FROM llava_task',
	'SELECT detail FROM llava_pending', 'SELECT c FROM llava_conversation c';

#
# What shows samples is for those only to whom the cookbook gives it, and works for them.
#
sql('CREATE ROLE tables; GRANT SELECT ON ALL TABLES IN SCHEMA public TO tables');
for my $function ('llava_export()', 'llava_export_array()', 'llava_exported()', 'llava_selected()', 'llava_validate()', 'llava_export_list()',
	'llava_page()', 'llava_page_samples(1, NULL, 0, NULL, false)', 'llava_report()', 'llava_dataset_card()',
	"llava_export_shards('/tmp')", "llava_write_shards('/tmp', '{}', false, 1, 1, 'llava', NULL, NULL, false, NULL, 0, 'first', NULL, 0, NULL)",
	'llava_manifest_today(1)', 'llava_verify_export(1)', 'llava_rebuild_export(1)', 'llava_image_bytes(1)')
{
	refused($_, "SELECT * FROM $function") for qw(tables monitor caller feeder);
}
refused($_, q{SELECT * FROM llava_card_samples('{}')}) for qw(monitor caller feeder);
refused($_, 'SELECT * FROM llava_server_counters(), llava_worker_counters(), llava_worker_slots(), llava_server_limits(), llava_server_endpoints(), llava_process_activity(), llava_missing_workers(), llava_task_in_flight(\'detail\'), llava_work_counters()')
  for qw(tables caller feeder);
for my $role (qw(reader operator publisher))
{
	is(as($role, "SELECT count(*) FROM $_"), sql("SELECT count(*) FROM $_"), "$role: $_") for
		'llava_export()', 'llava_export_array()', "llava_export(mix => true, tasks => '{detail}')", 'llava_exported()', 'llava_selected()', 'llava_validate()',
		"llava_export('openai', data_urls => true)", 'llava_export_list()';
	is(as($role, "SELECT length($_) > 1000"), 't', "$role: $_") for
		'llava_page()', 'llava_report()', 'llava_dataset_card()', "llava_dataset_card(manifests => '{1}')";
	is(as($role, 'SELECT llava_image_bytes(3)'), sql('SELECT image FROM llava_image WHERE id = 3'), "$role: llava_image_bytes");
}
my $folder = $node->basedir . '/published';
mkdir $folder;
chmod 0777, $folder;
is(as('publisher', "SELECT llava_record_export('mixed.jsonl', mix => true, tasks => '{detail}')"), '2', 'publisher records an export');
is(as('publisher', 'SELECT count(*) FROM llava_verify_export(1)'), '0', 'verifies it');
is(as('publisher', "SELECT llava_record_since('more.jsonl', 2)"), '3', 'records an increment of it');
is(as('publisher', 'SELECT count(*) > 0 FROM llava_export_since(2)'), 'f', 'which has no lines');
is(as('publisher', 'SELECT count(*) FROM llava_rebuild_export(1)'), sql('SELECT count(*) FROM llava_rebuild_export(1)'), 'builds it again');
is(as('publisher', "SELECT written FROM llava_export_images('$folder')"), '14', 'writes the pictures');
is(as('publisher', "SELECT written, rows FROM llava_export_shards('$folder')"), '1|' . sql('SELECT count(*) FROM llava_export()'), 'and shards');
is(as('reader', 'SELECT count(*) FROM llava_published'), sql('SELECT count(*) FROM llava_published'), 'which a reader sees');
is(as('operator', "SELECT llava_enqueue(7, 'detail_en'), llava_start() > 0"), 't|t', 'operator asks again');
ok($node->wait_drained, 'and is answered');
like(as('operator', "CALL llava_reparse('detail')"), qr/^\{/, 'judges again');
like(as('operator', "CALL llava_follow()"), qr/^\{/, 'queues what tasks are owed');
is(as('operator', "SELECT llava_forget(id, 'a letter') FROM llava_image WHERE path = 'pic14.png'"), '1', 'takes down what it finds');

#
# What the processes do: the workers and drains for all who may ask, words of others for none.
#
my $session = $node->background_psql('postgres');
$session->query('SELECT $$a stranger says this$$');
like(as('monitor', "SELECT state, activity FROM llava_stat_worker WHERE slot = 0"), qr/^(?:idle|active)\|llava_zh: ./,
	'monitor sees what a worker does');
like(sql("SELECT string_agg(activity, '; ') FROM llava_process_activity()"), qr/a stranger says this/, 'a superuser sees every query');
is(as('monitor', 'SELECT count(*), count(state), count(activity) FROM llava_process_activity() WHERE NOT worker'),
	sql("SELECT count(*) || '|0|0' FROM pg_stat_activity WHERE backend_type = 'client backend' AND datname = current_database()"),
	'monitor sees nothing of others');
$session->quit;

# a session that drains, where there is no worker
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION llava_zh');
$node->safe_psql('other', "CREATE SERVER qwen FOREIGN DATA WRAPPER llava_zh OPTIONS (url '" . $endpoint->url . "', model 'test')");
$node->safe_psql('other', LlavaZh::Rights::grants());
$node->safe_psql('other', LlavaZh::Cluster::pictures_sql(1, 2, 'detail'));
$endpoint->control(faults => 'hold=1');
my $drain = IPC::Run::start([ 'psql', '-Xq', '-d', $node->connstr('other'), '-c', 'CALL llava_drain()' ], '<', \undef, '>', \my $out, '2>', \my $err);
ok($node->wait_query('SET ROLE monitor; SELECT slot IS NULL, state, activity IS NULL, held, wait_event IS NOT NULL FROM llava_stat_worker',
	't\|active\|t\|2\|t', 'other'), 'monitor sees that a session drains, and not its query');
is($node->safe_psql('other', 'SELECT activity FROM llava_stat_worker'), 'CALL llava_drain()', 'which a superuser sees');
$endpoint->control(faults => '');
$endpoint->control(release => 1);
$drain->finish;

#
# Row-level security: each view shows what is left when what the policies hide is not there.
#
sql(<<'SQL');
UPDATE llava_reply SET flags = '{pii}' WHERE reason IS NULL AND image < 6;
ALTER TABLE llava_image ENABLE ROW LEVEL SECURITY;
ALTER TABLE llava_conversation ENABLE ROW LEVEL SECURITY;
ALTER TABLE llava_reply ENABLE ROW LEVEL SECURITY;
CREATE POLICY even ON llava_image TO reader USING (id % 2 = 0);
CREATE POLICY even ON llava_conversation TO reader USING (image % 2 = 0);
CREATE POLICY even ON llava_reply TO reader USING (image % 2 = 0);
SQL
my $hide = 'DELETE FROM llava_reply WHERE image % 2 <> 0; DELETE FROM llava_conversation WHERE image % 2 <> 0; SET session_replication_role = replica; DELETE FROM llava_image WHERE id % 2 <> 0; RESET session_replication_role';
for my $view (LlavaZh::Rights::views($node, 'postgres'))
{
	next if $view eq 'llava_work';	# which is of no rows
	my ($all) = LlavaZh::Rights::rows($node, 'postgres', $view);
	my ($left) = LlavaZh::Rights::rows($node, 'postgres', $view, undef, $hide);
	isnt($left, $all, "$view would show others") unless $view =~ /^llava_(?:stat_server|stat_worker|stat_fetch|stat_host|published)$/;
	for my $role (qw(reader operator publisher))
	{
		my ($seen) = LlavaZh::Rights::rows($node, 'postgres', $view, $role);
		is($seen, $left, "$role sees in $view what the policies allow");
	}
}
# monitor has no policy: it counts nothing there
is(as('monitor', 'SELECT sum(done), sum(replies) FROM llava_progress'), '0|0', 'without a policy nothing is counted');
is(as('monitor', "SELECT count(*) FROM $_"), '0', "nor in $_") for qw(llava_stat_task llava_stat_verdict llava_stat_flag llava_stat_rounds);
is(as('reader', 'SELECT count(*) FROM llava_export()'), sql('SELECT count(*) FROM llava_conversation WHERE image % 2 = 0'), 'an export has what is allowed');
is(as('reader', 'SELECT llava_dataset_card()'), sql("BEGIN; $hide; SELECT llava_dataset_card(); ROLLBACK"), 'a card is of what is allowed');
like(as('reader', 'SELECT llava_page(task => $$detail$$)'), qr/pic2\.png/, 'a page has what is allowed');
unlike(as('reader', 'SELECT llava_page(task => $$detail$$)'), qr/pic[1357]\.png/, 'and nothing else');
sql("ALTER TABLE $_ DISABLE ROW LEVEL SECURITY") for qw(llava_image llava_conversation llava_reply);

#
# For who had a view alone, CHANGELOG names the grants that it takes, view by view.
#
my ($open) = slurp_file('CHANGELOG.md') =~ /^## 1\.1\.0(.*?)^## 1\.0\.0/ms;
my ($block) = $open =~ /^```sql\n(-- llava_.*?)^```/ms;
my %needs;
while ($block =~ /^-- (llava_[\w, ]+)\n((?:(?!--).*\n)+)/mg)
{
	my ($names, $grants) = ($1, $2);
	$needs{$_} = $grants for split /, /, $names;
}
is(join(' ', sort keys %needs), join(' ', LlavaZh::Rights::views($node, 'postgres')), 'CHANGELOG names each view');
for my $view (sort keys %needs)
{
	# the functions are the update's to grant
	my $functions = $view =~ /^llava_(?:stat_server|stat_worker|progress)$/
	  ? 'GRANT EXECUTE ON FUNCTION llava_server_counters, llava_server_limits, llava_server_endpoints, llava_worker_counters, llava_worker_slots, llava_missing_workers, llava_process_activity, llava_task_in_flight TO one;' : '';
	sql("CREATE ROLE one; GRANT SELECT ON $view TO one; $functions");
	refused('one', "SELECT * FROM $view") if $view ne 'llava_stat_flag';
	sql($needs{$view} =~ s/TO reader;/TO one;/gr);
	my ($seen, $why) = LlavaZh::Rights::rows($node, 'postgres', $view, 'one');
	is($seen, (LlavaZh::Rights::rows($node, 'postgres', $view))[0], "with these grants $view is read") or diag($why);
	sql('DROP OWNED BY one; DROP ROLE one');
}

$node->stop('fast');
$endpoint->stop;
done_testing();
