# What each kind of role can do, and what it cannot: an ordinary one, one with CREATE
# SERVER, one with TRIGGER on the tables, a hostile search_path, the worker's own.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use LlavaZh::Rights;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new('api_key' => 'sk-the-secret');
my $node = LlavaZh::Cluster->new('rights');
my $url = $endpoint->url;
$node->safe_psql('postgres', <<"SQL");
CREATE ROLE ordinary LOGIN;
CREATE ROLE maker LOGIN;
CREATE ROLE feeder LOGIN;
CREATE ROLE trigger_role LOGIN;
GRANT CREATE ON SCHEMA public TO maker, trigger_role;
GRANT USAGE ON FOREIGN DATA WRAPPER llava_zh TO maker;
CREATE SERVER sim FOREIGN DATA WRAPPER llava_zh OPTIONS (url '$url', model 'test', paused 'true');
CREATE USER MAPPING FOR CURRENT_USER SERVER sim OPTIONS (api_key 'sk-the-secret');
SQL

# refused(role, sql, what): as that role, an error like this
sub refused
{
	my ($role, $sql, $like, $what) = @_;
	my ($ret, $out, $err) = $node->psql('postgres', "SET ROLE $role; $sql", on_error_stop => 1);
	isnt($ret, 0, "$what: refused");
	like($err, $like, "$what: and says why");
	unlike($err, qr/sk-the-secret/, "$what: without the key");
	return;
}

my $png = unpack('H*', LlavaZh::Cluster::png(1));
my $denied = qr/permission denied/;
refused('ordinary', "SELECT llava_generate(decode('$png', 'hex'), 'detail')", $denied, 'llava_generate');
refused('ordinary', "INSERT INTO llava_image (path, image) VALUES ('x', 'x')", $denied, 'INSERT');
refused('ordinary', "SELECT * FROM llava_image", $denied, 'SELECT on the images');
refused('ordinary', "SELECT * FROM llava_conversation", $denied, 'SELECT on the samples');
refused('ordinary', "SELECT llava_export()", $denied, 'llava_export');
refused('ordinary', "SELECT * FROM llava_$_()", $denied, "llava_$_") for qw(selected exported server_counters worker_counters process_activity);
refused('ordinary', "COPY llava_conversation (note) FROM STDIN (FORMAT jsonl)", $denied, 'COPY FROM');
refused('ordinary', "SELECT llava_start()", $denied, 'llava_start');
refused('ordinary', "CALL llava_drain()", $denied, 'llava_drain');
refused('ordinary', "CALL llava_load('/tmp')", $denied, 'llava_load');
refused('ordinary', "SELECT llava_retry()", $denied, 'llava_retry');
refused('ordinary', "SELECT llava_pause('sim')", $denied, 'llava_pause');
refused('ordinary', "CREATE SERVER s FOREIGN DATA WRAPPER llava_zh OPTIONS (url 'http://x/v1', model 'm')", $denied, 'CREATE SERVER');
refused('ordinary', "CREATE TABLE t (a int); CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION llava_intake()", $denied, 'our trigger function elsewhere');
refused('maker', "CREATE USER MAPPING FOR maker SERVER sim OPTIONS (api_key_file '/etc/passwd')", qr/denied|superuser/, 'api_key_file');

# somebody's own server draws neither pictures nor keys from the worker
my $trap = LlavaZh::Endpoint->new;
my $trap_url = $trap->url;
$node->safe_psql('postgres', "SET ROLE maker; CREATE SERVER trap FOREIGN DATA WRAPPER llava_zh OPTIONS (url '$trap_url', model 'test', priority '-100')");
$node->safe_psql('postgres', "CREATE USER MAPPING FOR CURRENT_USER SERVER trap OPTIONS (api_key 'sk-the-secret')");
$node->safe_psql('postgres', "GRANT INSERT (path, image, task) ON llava_image TO feeder");
$node->safe_psql('postgres', "SET ROLE feeder; " . LlavaZh::Cluster::pictures_sql(1, 5));
$node->safe_psql('postgres', "SELECT llava_resume('sim')");
ok($node->wait_drained, 'INSERT is the right to spend');
is($trap->stats->{requests}, 0, 'the worker sends nothing to a server of an ordinary role');
# a superuser's call through it is refused its key
my ($ret, $out, $err) = $node->psql('postgres', "SELECT llava_generate(decode('$png', 'hex'), 'detail', 'trap')");
isnt($ret, 0, 'a key is not sent where the owner of the server could read it');
is($trap->stats->{requests}, 0, 'nothing was sent');
unlike($err, qr/sk-the-secret/, 'nor said');

# TRIGGER on a table is no way to run code as whoever writes it
$node->safe_psql('postgres', <<'SQL');
GRANT TRIGGER, SELECT ON llava_pending, llava_reply, llava_conversation, llava_usage, llava_seen TO trigger_role;
CREATE TABLE loot (who text);
GRANT INSERT ON loot TO PUBLIC;
SET ROLE trigger_role;
CREATE FUNCTION steal() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN EXECUTE ''INSERT INTO public.loot VALUES (current_user)''; RETURN NEW; END';
CREATE TRIGGER steal BEFORE INSERT OR UPDATE ON llava_conversation FOR EACH ROW EXECUTE FUNCTION steal();
SQL
my $log = -s $node->logfile;
$node->safe_psql('postgres', LlavaZh::Cluster::pictures_sql(6, 7));
ok($node->wait_query("SELECT count(*) FROM llava_pending", '2'), 'a stranger\'s trigger stops the settling');
for my $try (1 .. 600)
{
	last if slurp_file($node->logfile, $log) =~ /trigger steal on table public\.llava_conversation/;
	Time::HiRes::usleep(100_000);
}
like(slurp_file($node->logfile, $log), qr/claims postponed: trigger steal on table public\.llava_conversation may be the work of role trigger_role/, 'the log says which');
is($node->safe_psql('postgres', 'SELECT count(*) FROM loot'), '0', 'the trigger did not run');
$node->safe_psql('postgres', 'DROP TRIGGER steal ON llava_conversation');
ok($node->wait_drained, 'without it the work goes on');
is($node->safe_psql('postgres', 'SELECT count(*) FROM loot'), '0', 'and nothing was stolen');

# operators and functions in a hostile search_path are not found
$node->safe_psql('postgres', <<'SQL');
CREATE SCHEMA evil;
CREATE FUNCTION evil.eq(text, text) RETURNS boolean LANGUAGE plpgsql AS
	'BEGIN INSERT INTO public.loot VALUES (''eq as '' || current_user); RETURN true; END';
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.eq);
CREATE OPERATOR evil.> (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.eq);
CREATE OPERATOR evil.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.eq);
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE plpgsql AS
	'BEGIN INSERT INTO public.loot VALUES (''now as '' || current_user); RETURN clock_timestamp(); END';
SQL
my $hostile = 'SET search_path = evil, pg_catalog, public;';
$node->safe_psql('postgres', "$hostile " . LlavaZh::Cluster::pictures_sql(8, 9, 'detail'));
$node->safe_psql('postgres', "$hostile SELECT llava_enqueue(1, 'detail_en'), llava_retry(), llava_draw_task(5)");
$node->safe_psql('postgres', "$hostile CALL llava_drain()");
$node->safe_psql('postgres', "$hostile SELECT llava_export('llava')");
$node->safe_psql('postgres', "$hostile SELECT llava_parse_reply('detail', 'x')");
ok($node->wait_drained, 'work is done under a hostile search_path');
is($node->safe_psql('postgres', 'SELECT count(*) FROM loot'), '0', 'and nobody else\'s operator ran');

# nor are those that were planted in the extension's schema before it came, and fit better
$node->safe_psql('postgres', 'CREATE DATABASE planted');
$node->safe_psql('planted', <<'SQL');
CREATE SCHEMA evil;
CREATE FUNCTION evil.stolen() RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE 'stolen'; END$$;
CREATE FUNCTION evil.concat(text, text) RETURNS text LANGUAGE sql AS 'SELECT evil.stolen()';
CREATE FUNCTION evil.concat(text, text, text) RETURNS text LANGUAGE sql AS 'SELECT evil.stolen()';
CREATE FUNCTION evil.jsonb_build_object(text, text) RETURNS jsonb LANGUAGE sql AS 'SELECT evil.stolen()::jsonb';
CREATE FUNCTION evil.unnest(text[]) RETURNS SETOF text LANGUAGE sql AS 'SELECT evil.stolen()';
CREATE FUNCTION evil.keep(bigint, bigint) RETURNS bigint LANGUAGE sql AS 'SELECT evil.stolen()::bigint';
CREATE AGGREGATE evil.count(bigint) (SFUNC = evil.keep, STYPE = bigint);
CREATE FUNCTION evil.same(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT evil.stolen()::boolean';
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.same);
CREATE EXTENSION llava_zh SCHEMA evil;
INSERT INTO evil.llava_image (id, path, received_at) VALUES (1, 'a.jpg', now());
INSERT INTO evil.llava_conversation (image, task, conversation, rounds, reply, task_version, flags)
VALUES (1, 'detail_en', '[{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]', 1, 1, 1, '{f}');
SQL
is($node->safe_psql('planted', 'SELECT evil.llava_record_export($$x$$)'), '1', 'what was planted does not run');
is($node->safe_psql('planted', <<'SQL'), '0|t', 'in nothing that leaves');
SELECT (SELECT count(*) FROM evil.llava_verify_export(1)),
	length(evil.llava_page()) + length(evil.llava_dataset_card(tasks => '{detail_en}')) + length(evil.llava_dataset_info()::text) > 0
SQL

# the queue in an unprivileged role's hands: the worker has that role's rights only
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE worker_role;
GRANT USAGE, CREATE ON SCHEMA public TO worker_role;
ALTER TABLE llava_pending OWNER TO worker_role;
GRANT SELECT ON llava_image, llava_task TO worker_role;
GRANT UPDATE (same_as, same_distance) ON llava_image TO worker_role;
GRANT SELECT, INSERT, UPDATE ON llava_reply, llava_interrupted, llava_conversation, llava_annotation, llava_usage, llava_hash TO worker_role;
GRANT USAGE ON SEQUENCE llava_call_seq TO worker_role;
SQL
$node->safe_psql('postgres', LlavaZh::Cluster::pictures_sql(10, 12));
ok($node->wait_drained, 'the worker works as an unprivileged owner of the queue');
is($node->safe_psql('postgres', "SELECT count(*) FROM llava_conversation WHERE image > 9"), '3', 'with samples');

# the cookbook's roles read the views that it says, of a queue that somebody else owns
$node->safe_psql('postgres', "CREATE SERVER qwen FOREIGN DATA WRAPPER llava_zh OPTIONS (url '$url', model 'test', paused 'true')");
$node->safe_psql('postgres', 'REASSIGN OWNED BY feeder TO CURRENT_USER; DROP OWNED BY feeder; DROP ROLE feeder');
LlavaZh::Rights::set_up($node, 'postgres');
LlavaZh::Rights::check_views($node, 'postgres');

# who has llava_export has what it and its like call, and nobody else has
my $who = q{SELECT string_agg(r, ' ' ORDER BY r) FROM unnest(string_to_array('%s', ' ')) AS r
	WHERE has_function_privilege(r, (SELECT oid FROM pg_proc WHERE proname = '%s'), 'EXECUTE')};
my $roles = join ' ', LlavaZh::Rights::roles();
my $exporters = $node->safe_psql('postgres', sprintf $who, $roles, 'llava_export');
is($exporters, 'operator publisher reader reviewer', "the cookbook's roles that may export");
is($node->safe_psql('postgres', sprintf $who, $roles, $_), $exporters, "and those that may $_") for qw(llava_selected llava_exported);

# reading the tables is not enough for it
$node->safe_psql('postgres', 'CREATE ROLE tables; GRANT SELECT ON ALL TABLES IN SCHEMA public TO tables');
refused('tables', "SELECT count(*) FROM $_", qr/permission denied for function llava_(?:selected|exported)/, $_)
  for 'llava_selected()', 'llava_exported()';
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION llava_export TO tables');
refused('tables', 'SELECT count(*) FROM llava_export(mix => true)', qr/permission denied for function llava_exported/, 'a mix without llava_exported');

# and its publisher can do all that calls them
my ($mixed, $all) = map { $node->safe_psql('postgres', "SELECT count(*) FROM llava_export($_)") } "mix => true, tasks => '{detail}'", '';
cmp_ok($mixed, '>', 0, 'there is something to publish');
($ret, $out, $err) = $node->psql('postgres', <<'PUBLISHER', on_error_stop => 1);
SET ROLE publisher;
SELECT count(*) FROM llava_export(mix => true, tasks => '{detail}');
SELECT llava_record_export('mixed.jsonl', mix => true, tasks => '{detail}'), llava_record_export('all.jsonl');
SELECT count(*) FROM llava_verify_export(1);
SELECT count(*) FROM llava_verify_export(2);
SELECT count(*) FROM llava_rebuild_export(1);
SELECT count(*) FROM llava_rebuild_export(2);
PUBLISHER
is($out . $err, "$mixed\n1|2\n0\n0\n$mixed\n$all", 'publisher exports with a mix, records, verifies and rebuilds');

# the key is nowhere a reader could find it
my $everything = $node->safe_psql('postgres', 'SELECT (SELECT string_agg(r::text, chr(10)) FROM llava_reply r), (SELECT string_agg(u::text, chr(10)) FROM llava_usage u), (SELECT string_agg(a::text, chr(10)) FROM pg_stat_activity a)');
unlike($everything, qr/sk-the-secret/, 'no table or view shows the key');
unlike(slurp_file($node->logfile), qr/sk-the-secret/, 'nor does the log');

# another encoding is refused in words
$node->safe_psql('postgres', "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
($ret, $out, $err) = $node->psql('latin', 'CREATE EXTENSION llava_zh');
isnt($ret, 0, 'a database in LATIN1 is refused');
like($err, qr/UTF8/, 'and told what is needed');

$node->stop('fast');
$trap->stop;
$endpoint->stop;
done_testing();
