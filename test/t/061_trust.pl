# No role becomes another through code that it hangs on a table: before a statement runs
# with another role's rights all that its tables can run is judged.  Each plant makes its
# role a superuser where it runs with a superuser's rights; whether it did is asked of
# pg_roles.  A plant that is refused is told of, and work goes on when it is gone.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('trust');
$node->create_server('sim', $endpoint->url);
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE evil LOGIN;
CREATE ROLE app LOGIN;
CREATE ROLE feeder LOGIN;
CREATE ROLE operator LOGIN;
CREATE ROLE watcher LOGIN IN ROLE pg_read_all_data;
GRANT EXECUTE ON FUNCTION llava_task_in_flight TO watcher;
CREATE SCHEMA evil AUTHORIZATION evil;
CREATE SCHEMA app AUTHORIZATION app;
GRANT USAGE ON SCHEMA evil, app TO PUBLIC;
GRANT CREATE ON SCHEMA public TO app;
GRANT INSERT (path, image, task) ON llava_image TO feeder;
GRANT EXECUTE ON FUNCTION llava_forget(bigint, text) TO operator;
GRANT SELECT ON llava_image TO operator;
CREATE FUNCTION harmless() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN RETURN CASE TG_OP WHEN ''DELETE'' THEN OLD ELSE NEW END; END';
CREATE TABLE ran (what text, who text);
GRANT INSERT ON ran TO PUBLIC;
SQL

# what a plant does: it tries to become a superuser, and says with whose rights it ran
for my $role ('evil', 'app')
{
	$node->safe_psql('postgres', <<"SQL");
SET ROLE $role;
CREATE FUNCTION $role.plant(what text) RETURNS boolean LANGUAGE plpgsql AS \$\$
BEGIN
	INSERT INTO public.ran VALUES (what, current_user);
	EXECUTE 'ALTER ROLE $role SUPERUSER';
	RETURN true;
EXCEPTION WHEN insufficient_privilege THEN
	INSERT INTO public.ran VALUES (what, current_user);
	RETURN true;
END\$\$;
CREATE FUNCTION $role.plant_immutable(what text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
	'BEGIN RETURN $role.plant(what); END';
CREATE FUNCTION $role.plant_trigger() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN PERFORM $role.plant(TG_NAME); RETURN CASE TG_OP WHEN ''DELETE'' THEN OLD ELSE NEW END; END';
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA $role TO PUBLIC;
SQL
}

sub superusers
{
	return $node->safe_psql('postgres',
		"SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolsuper");
}

my $picture = 0;

# A feeder's picture; what the server says of it.
sub feed
{
	$picture++;
	my $sql = LlavaZh::Cluster::pictures_sql($picture, $picture, 'detail');
	my ($ret, $out, $err) = $node->psql('postgres', "SET ROLE feeder; $sql", on_error_stop => 1);
	return $ret == 0 ? '' : $err;
}

is($node->safe_psql('postgres', 'SELECT count(*) FROM llava_untrusted()'), '0',
	'a new installation is trusted');
# a trigger that the script makes and the list in C does not know would be told of
$node->safe_psql('postgres', <<'SQL');
SELECT format('GRANT TRIGGER ON %s TO evil', oid::regclass) FROM pg_class
WHERE relkind = 'r' AND relname LIKE 'llava\_%' \gexec
SQL
is($node->safe_psql('postgres', 'SELECT count(*) FROM llava_untrusted()'), '0',
	'the privilege TRIGGER alone is no reason: the extension\'s own triggers are known');
is(feed(), '', 'and pictures are taken');
ok($node->wait_drained, 'and asked about');

# [what is planted, table that is named, SQL of a superuser, SQL of the plant, its undoing, whether INSERT is refused]
my $harmless = 'EXECUTE FUNCTION harmless()';
my $xml = q{query_to_xml('SELECT evil.plant(''xml'')', false, false, '') IS NOT NULL};
my @plants = (
	[ 'WHEN on the queue', 'llava_pending', '', "SET ROLE evil; CREATE TRIGGER p BEFORE INSERT ON llava_pending FOR EACH ROW WHEN (evil.plant('when pending')) $harmless", 'DROP TRIGGER p ON llava_pending', 1 ],
	[ 'WHEN on the samples', 'llava_conversation', '', "SET ROLE evil; CREATE TRIGGER p BEFORE INSERT ON llava_conversation FOR EACH ROW WHEN (evil.plant('when conversation')) $harmless", 'DROP TRIGGER p ON llava_conversation' ],
	[ 'WHEN on what was seen', 'llava_seen', '', "SET ROLE evil; CREATE TRIGGER p BEFORE INSERT ON llava_seen FOR EACH ROW WHEN (evil.plant('when seen')) $harmless", 'DROP TRIGGER p ON llava_seen', 1 ],
	[ 'a superuser\'s function that runs its argument', 'llava_reply', '', "SET ROLE evil; CREATE TRIGGER p BEFORE INSERT ON llava_reply FOR EACH ROW WHEN ($xml) $harmless", 'DROP TRIGGER p ON llava_reply' ],
	[ 'an AFTER trigger of a statement', 'llava_usage', '', "SET ROLE evil; CREATE TRIGGER p AFTER INSERT OR UPDATE ON llava_usage EXECUTE FUNCTION evil.plant_trigger()", 'DROP TRIGGER p ON llava_usage' ],
	[ 'a constraint trigger', 'llava_conversation', '', "SET ROLE evil; CREATE CONSTRAINT TRIGGER p AFTER INSERT ON llava_conversation DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION evil.plant_trigger()", 'DROP TRIGGER p ON llava_conversation' ],
	[ 'our trigger\'s name', 'llava_image', '', "SET ROLE evil; CREATE OR REPLACE TRIGGER llava_image_frozen BEFORE UPDATE ON llava_image FOR EACH ROW $harmless",
		'CREATE OR REPLACE TRIGGER llava_image_frozen BEFORE UPDATE OF id, image, sha256 ON llava_image FOR EACH ROW EXECUTE FUNCTION llava_image_frozen()', 1 ],
	[ 'a check', 'llava_conversation', 'ALTER TABLE llava_conversation OWNER TO app', "SET ROLE app; ALTER TABLE llava_conversation ADD CONSTRAINT p CHECK (app.plant(task))", 'ALTER TABLE llava_conversation DROP CONSTRAINT p; ALTER TABLE llava_conversation OWNER TO postgres' ],
	[ 'an index', 'llava_reply', 'ALTER TABLE llava_reply OWNER TO app', "SET ROLE app; CREATE INDEX p ON llava_reply (app.plant_immutable(task))", 'DROP INDEX p; ALTER TABLE llava_reply OWNER TO postgres' ],
	[ 'a default', 'llava_interrupted', 'ALTER TABLE llava_interrupted OWNER TO app', "SET ROLE app; ALTER TABLE llava_interrupted ADD p boolean; ALTER TABLE llava_interrupted ALTER p SET DEFAULT app.plant('default')", 'ALTER TABLE llava_interrupted DROP COLUMN p; ALTER TABLE llava_interrupted OWNER TO postgres' ],
	[ 'a generated column', 'llava_usage', 'ALTER TABLE llava_usage OWNER TO app', "SET ROLE app; ALTER TABLE llava_usage ADD p boolean GENERATED ALWAYS AS (app.plant_immutable(server)) STORED", 'ALTER TABLE llava_usage DROP COLUMN p; ALTER TABLE llava_usage OWNER TO postgres' ],
	[ 'a domain of another role', 'llava_conversation', 'GRANT USAGE ON SCHEMA app TO postgres; SET ROLE app; CREATE DOMAIN app.d AS text; RESET ROLE; ALTER TABLE llava_conversation ADD p app.d', "SET ROLE app; ALTER DOMAIN app.d ADD CHECK (VALUE IS NULL AND app.plant('domain'))", 'ALTER TABLE llava_conversation DROP COLUMN p; DROP DOMAIN app.d' ],
	[ 'a range of another role\'s function', 'llava_conversation', 'SET ROLE app; CREATE FUNCTION app.diff(int, int) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$SELECT app.plant($q$range$q$)::int::float8$$; CREATE TYPE app.r AS RANGE (subtype = int, subtype_diff = app.diff); RESET ROLE; ALTER TABLE llava_conversation ADD p app.r', 'SELECT 1', 'ALTER TABLE llava_conversation DROP COLUMN p; DROP TYPE app.r; DROP FUNCTION app.diff' ],
	[ 'a default of a superuser\'s table', 'llava_conversation', q{ALTER TABLE llava_conversation ADD p boolean; ALTER TABLE llava_conversation ALTER p SET DEFAULT app.plant('default')}, 'SELECT 1', 'ALTER TABLE llava_conversation DROP COLUMN p' ],
	[ 'a rule', 'llava_conversation', 'ALTER TABLE llava_conversation OWNER TO app', "SET ROLE app; CREATE RULE p AS ON INSERT TO llava_conversation DO ALSO SELECT app.plant('rule')", 'DROP RULE p ON llava_conversation; ALTER TABLE llava_conversation OWNER TO postgres' ],
	[ 'a child', 'llava_pending', 'CREATE TABLE app.child () INHERITS (llava_pending); ALTER TABLE app.child OWNER TO app', "SET ROLE app; CREATE TRIGGER p BEFORE UPDATE ON app.child FOR EACH ROW EXECUTE FUNCTION app.plant_trigger(); INSERT INTO app.child (image, task) VALUES (-1, '描述图片')", 'DROP TABLE app.child', 1 ],
	[ 'statistics', 'llava_reply', 'ALTER TABLE llava_reply OWNER TO app', "SET ROLE app; CREATE STATISTICS app.p ON (app.plant_immutable('statistics')), (image + 1) FROM llava_reply", 'DROP STATISTICS app.p; ALTER TABLE llava_reply OWNER TO postgres' ],
	[ 'the sequence of calls', 'llava_call_seq', 'ALTER SEQUENCE llava_call_seq OWNER TO app', 'SELECT 1', 'ALTER SEQUENCE llava_call_seq OWNER TO postgres' ],
	[ 'UPDATE on the sequence of calls', 'llava_call_seq', 'GRANT UPDATE ON SEQUENCE llava_call_seq TO app', 'SELECT 1', 'REVOKE UPDATE ON SEQUENCE llava_call_seq FROM app' ],
	[ 'a table of pictures of another owner', 'llava_image', 'ALTER TABLE llava_image OWNER TO app', 'SELECT 1', 'ALTER TABLE llava_image OWNER TO postgres' ],
);
for my $plant (@plants)
{
	my ($what, $table, $setup, $sql, $undo, $insert_refused) = @$plant;
	my $log = -s $node->logfile;
	$node->safe_psql('postgres', $setup) if $setup ne '';
	$node->safe_psql('postgres', $sql);
	# planting itself may run the plant, with its own role's rights
	$node->safe_psql('postgres', 'TRUNCATE ran');
	my $err = feed();
	if ($insert_refused)
	{
		isnt($err, '', "$what: the INSERT is refused");
		like($err, qr/ERROR:.*(?:$table|app\.child)/, "$what: and names the table");
		like($err, qr/HINT: /, "$what: with a remedy");
	}
	else
	{
		is($err, '', "$what: the picture is taken");
	}
	like($node->safe_psql('postgres', 'SELECT DISTINCT "table" FROM llava_untrusted()'), qr/\A(?:$table|child)\Z/m, "$what: llava_untrusted names the table");
	# not as a superuser: to read a stranger's table is to run its code, of statistics for one
	isnt($node->safe_psql('postgres', 'SET ROLE watcher; SELECT max(untrusted) FROM llava_progress'), '', "$what: llava_progress says so");
	unless ($insert_refused || $table eq 'llava_seen')
	{
		ok($node->wait_for_log(qr/claims postponed: .*/, $log), "$what: the log says so");
		is($node->safe_psql('postgres', "SET ROLE watcher; SELECT count(*) FROM llava_reply WHERE image = $picture"), '0', "$what: nothing was asked");
	}
	is(superusers(), 'postgres', "$what: nobody became a superuser");
	is($node->safe_psql('postgres', "SELECT count(*) FROM ran WHERE who NOT IN ('app', 'evil', 'feeder', 'watcher')"), '0', "$what: it did not run");
	$node->safe_psql('postgres', $undo);
	is($node->safe_psql('postgres', 'SELECT count(*) FROM llava_untrusted()'), '0', "$what: gone, all is trusted");
	ok($node->wait_drained, "$what: and work goes on");
	is(superusers(), 'postgres', "$what: nobody became a superuser then");
}

# what was trusted in a session is judged again when it changes
my $session = $node->background_psql('postgres', on_error_stop => 0);
sub insert_in_session
{
	$picture++;
	my $hex = unpack('H*', LlavaZh::Cluster::png($picture));
	return $session->query("INSERT INTO llava_image (path, image, task) VALUES ('s$picture', decode('$hex', 'hex'), 'detail'); SELECT 'taken ' || count(*) FROM llava_image WHERE path = 's$picture'");
}
my $nobody = 'REVOKE TRIGGER ON llava_pending FROM evil';
$node->safe_psql('postgres', <<"SQL");
$nobody;
CREATE ROLE admin SUPERUSER;
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER audit BEFORE INSERT ON llava_pending FOR EACH ROW EXECUTE FUNCTION audit();
SQL
like(insert_in_session(), qr/taken 1/, 'a superuser\'s trigger where nobody else may make any is trusted');
for my $change (
	[ 'the function\'s owner', 'ALTER FUNCTION audit() OWNER TO app', 'ALTER FUNCTION audit() OWNER TO admin' ],
	[ 'its owner\'s rights', 'ALTER ROLE admin NOSUPERUSER', 'ALTER ROLE admin SUPERUSER' ],
	[ 'the privilege TRIGGER', 'GRANT TRIGGER ON llava_pending TO PUBLIC', 'REVOKE TRIGGER ON llava_pending FROM PUBLIC' ],
	[ 'the privilege TRIGGER of a group', 'GRANT TRIGGER ON llava_pending TO app', 'REVOKE TRIGGER ON llava_pending FROM app' ],
	[ 'a rule', 'CREATE RULE r AS ON DELETE TO llava_pending DO ALSO NOTHING', 'DROP RULE r ON llava_pending' ],
)
{
	my ($what, $do, $undo) = @$change;
	$node->safe_psql('postgres', $do);
	unlike(insert_in_session(), qr/taken 1/, "$what changed: refused in the same session");
	$node->safe_psql('postgres', $undo);
	like(insert_in_session(), qr/taken 1/, "$what as before: taken");
}
$session->quit;
$node->safe_psql('postgres', 'DROP TRIGGER audit ON llava_pending; ALTER ROLE admin NOSUPERUSER');

# a view under the name of one of our tables
$node->safe_psql('postgres', 'ALTER TABLE llava_seen OWNER TO app');
$node->safe_psql('postgres', q{SET ROLE app; ALTER TABLE llava_seen RENAME TO moved; CREATE VIEW public.llava_seen AS SELECT * FROM moved WHERE app.plant('view')});
$node->safe_psql('postgres', 'TRUNCATE ran');
feed();
is($node->safe_psql('postgres', "SELECT string_agg(DISTINCT who, ' ') FROM ran WHERE who NOT IN ('app')"), '', 'a view in the place of a table runs as its owner at most');
is(superusers(), 'postgres', 'a view in the place of a table: nobody became a superuser');
$node->safe_psql('postgres', 'DROP VIEW llava_seen; ALTER TABLE moved RENAME TO llava_seen; ALTER TABLE llava_seen OWNER TO postgres');

# a table that references the pictures: what its triggers do runs with its owner's rights, or not at all
$node->safe_psql('postgres', 'GRANT REFERENCES (id), SELECT (id) ON llava_image TO evil');
$node->safe_psql('postgres', <<'SQL');
SET ROLE evil;
CREATE TABLE evil.album (image bigint REFERENCES public.llava_image ON DELETE CASCADE);
INSERT INTO evil.album SELECT min(id) FROM public.llava_image;
SQL
my $first = $node->safe_psql('postgres', 'SELECT image FROM evil.album');
is($node->safe_psql('postgres', 'SELECT count(*) FROM llava_untrusted()'), '0', 'a referencing table alone is no reason');
$node->safe_psql('postgres', 'SET ROLE evil; CREATE TRIGGER p AFTER DELETE ON evil.album FOR EACH ROW EXECUTE FUNCTION evil.plant_trigger()');
my ($ret, $out, $err) = $node->psql('postgres', "SET ROLE operator; SELECT llava_forget($first, 'letter')", on_error_stop => 1);
is(superusers(), 'postgres', 'a takedown does not run a referencing table\'s AFTER trigger as a superuser');
isnt($ret, 0, 'it is refused');
like($err, qr/trigger p on table evil\.album.*\n.*\n?HINT:  DROP TRIGGER p ON evil\.album;/s, 'with the trigger\'s name');
$node->safe_psql('postgres', 'DROP TRIGGER p ON evil.album');
is($node->safe_psql('postgres', "SET ROLE operator; SELECT llava_forget($first, 'letter')"), '1', 'without it the picture goes');
is($node->safe_psql('postgres', 'SELECT count(*) FROM evil.album'), '0', 'and so does the row that referenced it');

# two keys of one table: what happens to its rows by the second is looked at as well
my $second = $node->safe_psql('postgres', 'SELECT min(id) FROM llava_image');
$node->safe_psql('postgres', <<"SQL");
SET ROLE evil;
CREATE TABLE evil.twice (cover bigint REFERENCES public.llava_image ON DELETE SET NULL,
	image bigint REFERENCES public.llava_image ON DELETE CASCADE);
CREATE TRIGGER p AFTER DELETE ON evil.twice FOR EACH ROW EXECUTE FUNCTION evil.plant_trigger();
INSERT INTO evil.twice VALUES (NULL, $second);
SQL
($ret, $out, $err) = $node->psql('postgres', "SET ROLE operator; SELECT llava_forget($second, 'letter')", on_error_stop => 1);
is(superusers(), 'postgres', 'nor by the second of two keys');
like($err, qr/trigger p on table evil\.twice/, 'which is named');
$node->safe_psql('postgres', 'DROP TRIGGER p ON evil.twice');
is($node->safe_psql('postgres', "SET ROLE operator; SELECT llava_forget($second, 'letter')"), '1', 'and without it the picture goes');

$node->stop('fast');
$endpoint->stop;
done_testing();
