# Ways round the gate of trust.h that hostile roles have found, each tried again: through
# foreign keys, what is left behind by a role that had a privilege, races, cursors.  A plant
# makes its role a superuser where it runs with a superuser's rights, and draws from a
# sequence, which a refused statement does not take back.  What users may well do works.
use strict;
use warnings;
use lib 'test/perl';
use IPC::Run;
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('ways', conf => "max_connections = 40\n");
$node->create_server('sim', $endpoint->url);

sub sql { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]"); }

sql(<<'SQL');
CREATE ROLE evil LOGIN;
CREATE ROLE app LOGIN;
CREATE ROLE feeder LOGIN;
CREATE ROLE operator LOGIN;
CREATE SCHEMA evil AUTHORIZATION evil;
CREATE SCHEMA app AUTHORIZATION app;
GRANT USAGE ON SCHEMA evil, app TO PUBLIC;
GRANT INSERT (path, image, task) ON llava_image TO feeder;
GRANT EXECUTE ON FUNCTION llava_forget(bigint, text) TO operator;
GRANT SELECT ON llava_image TO operator;
GRANT REFERENCES (id), SELECT (id) ON llava_image TO evil;
CREATE EXTENSION refint;
CREATE EXTENSION dblink;
CREATE FUNCTION harmless() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN RETURN CASE TG_OP WHEN ''DELETE'' THEN OLD ELSE NEW END; END';
CREATE TABLE ran (what text, who text);
GRANT INSERT ON ran TO PUBLIC;
CREATE SEQUENCE loot;
GRANT USAGE ON SEQUENCE loot TO PUBLIC;
SQL
for my $role ('evil', 'app')
{
	sql(<<"SQL");
SET ROLE $role;
CREATE FUNCTION $role.plant(what text) RETURNS boolean LANGUAGE plpgsql AS \$\$
BEGIN
	INSERT INTO public.ran VALUES (what, current_user);
	IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
		PERFORM pg_catalog.nextval('public.loot');
		EXECUTE 'ALTER ROLE $role SUPERUSER';
	END IF;
	RETURN true;
END\$\$;
CREATE FUNCTION $role.plant_trigger() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN PERFORM $role.plant(TG_NAME); RETURN CASE TG_OP WHEN ''DELETE'' THEN OLD ELSE NEW END; END';
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA $role TO PUBLIC;
SQL
}

my $picture = 0;

# A feeder's picture; what the server says of it.
sub feed
{
	$picture++;
	my $insert = LlavaZh::Cluster::pictures_sql($picture, $picture, 'detail');
	my ($ret, $out, $err) = $node->psql('postgres', "SET ROLE feeder; $insert", on_error_stop => 1);
	return $ret == 0 ? '' : $err;
}

# An operator's takedown; the same.
sub forget
{
	my ($id) = @_;
	my ($ret, $out, $err) = $node->psql('postgres', "SET ROLE operator; SELECT llava_forget($id, 'letter')", on_error_stop => 1);
	return $ret == 0 ? '' : $err;
}

sub is_there { return sql("SELECT count(*) FROM llava_image WHERE id = $_[0]"); }

# Setting up may run a plant, with its own role's rights or a superuser's.
sub begin_again { sql("ALTER ROLE evil NOSUPERUSER; ALTER ROLE app NOSUPERUSER; TRUNCATE ran; SELECT setval('loot', 1, false)"); return; }

sub nobody_became
{
	my ($what) = @_;
	is(sql("SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolsuper"), 'postgres', "$what: nobody became a superuser");
	is(sql("SELECT string_agg(DISTINCT what || ' as ' || who, '; ') FROM ran WHERE who NOT IN ('evil', 'app')"), '', "$what: nothing ran as another");
	is(sql('SELECT is_called FROM loot'), 'f', "$what: nothing ran as a superuser");
	return;
}

sub refused
{
	my ($what, $err, $object) = @_;
	like($err, qr/ERROR: +$object /, "$what: refused, and the object is named");
	like($err, qr/HINT: +\S/, "$what: with a remedy");
	return;
}

sql(LlavaZh::Cluster::pictures_sql(1001, 1030, 'detail'));
ok($node->wait_drained, 'pictures to take down');
my @ids = split /\n/, sql('SELECT id FROM llava_image ORDER BY id');
my $album = 'SET ROLE evil; CREATE TABLE evil.album (n int, image bigint REFERENCES public.llava_image ON DELETE CASCADE)';

#
# A takedown, and what hangs on tables that reference the pictures
#
# [what, a superuser's SQL with ID for the picture, the object that is named, what undoes it]
for my $way (
	[ 'a trigger with TRIGGER on llava_hash', "INSERT INTO llava_hash (image, coarse, fine, colours, copy) VALUES (ID, 0, '', '', false) ON CONFLICT DO NOTHING;
		GRANT TRIGGER ON llava_hash TO evil; SET ROLE evil; CREATE TRIGGER p BEFORE DELETE ON llava_hash FOR EACH ROW EXECUTE FUNCTION evil.plant_trigger()",
		'trigger p on table (?:public\.)?llava_hash', 'DROP TRIGGER p ON llava_hash; REVOKE TRIGGER ON llava_hash FROM evil' ],
	[ 'the WHEN clause of one', "INSERT INTO llava_hash (image, coarse, fine, colours, copy) VALUES (ID, 0, '', '', false) ON CONFLICT DO NOTHING;
		GRANT TRIGGER ON llava_hash TO evil; SET ROLE evil; CREATE TRIGGER p AFTER DELETE ON llava_hash FOR EACH ROW WHEN (evil.plant('when')) EXECUTE FUNCTION harmless()",
		'trigger p on table (?:public\.)?llava_hash', 'DROP TRIGGER p ON llava_hash; REVOKE TRIGGER ON llava_hash FROM evil' ],
	[ 'one on a superuser\'s referencing table', 'CREATE TABLE su_album (image bigint REFERENCES llava_image ON DELETE CASCADE); INSERT INTO su_album VALUES (ID);
		GRANT TRIGGER ON su_album TO evil; SET ROLE evil; CREATE TRIGGER p BEFORE DELETE ON su_album FOR EACH ROW EXECUTE FUNCTION evil.plant_trigger()',
		'trigger p on table (?:public\.)?su_album', 'DROP TABLE su_album' ],
	[ 'an exclusion constraint looked at again', "SET ROLE evil; CREATE TABLE evil.album (n int, image bigint REFERENCES public.llava_image ON DELETE SET NULL);
		CREATE FUNCTION evil.f(bigint) RETURNS int LANGUAGE plpgsql IMMUTABLE AS \$\$BEGIN PERFORM evil.plant('exclusion'); RETURN 1; END\$\$;
		ALTER TABLE evil.album ADD CONSTRAINT x EXCLUDE USING btree ((evil.f(image)) WITH =) WHERE (image IS NULL) DEFERRABLE INITIALLY IMMEDIATE;
		INSERT INTO evil.album VALUES (1, ID), (2, NULL)", 'index evil\.x', 'DROP TABLE evil.album; DROP FUNCTION evil.f' ],
	[ 'a trigger of refint', "$album; CREATE TABLE evil.victim (image bigint); INSERT INTO evil.album VALUES (1, ID); INSERT INTO evil.victim VALUES (ID);
		CREATE TRIGGER v BEFORE DELETE ON evil.victim FOR EACH ROW EXECUTE FUNCTION evil.plant_trigger();
		CREATE TRIGGER p AFTER DELETE ON evil.album FOR EACH ROW EXECUTE FUNCTION public.check_foreign_key(1, 'cascade', 'image', 'evil.victim', 'image')",
		'trigger p on table evil\.album', 'DROP TABLE evil.album, evil.victim' ],
	[ 'a search_path that is set in a BEFORE trigger', "$album; INSERT INTO evil.album VALUES (1, ID);
		CREATE FUNCTION evil.eq(text, text) RETURNS boolean LANGUAGE plpgsql AS \$\$BEGIN PERFORM evil.plant('operator'); RETURN \$1 OPERATOR(pg_catalog.=) \$2; END\$\$;
		CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.eq);
		CREATE FUNCTION evil.setpath() RETURNS trigger LANGUAGE plpgsql AS \$\$BEGIN SET search_path = evil, pg_catalog; RETURN OLD; END\$\$;
		CREATE TRIGGER b BEFORE DELETE ON evil.album FOR EACH ROW EXECUTE FUNCTION evil.setpath(); RESET ROLE;
		CREATE TABLE su_album (image bigint REFERENCES llava_image ON DELETE CASCADE); INSERT INTO su_album VALUES (ID);
		CREATE TRIGGER a AFTER DELETE ON su_album FOR EACH ROW EXECUTE FUNCTION harmless()",
		'trigger b on table evil\.album', 'DROP TABLE su_album, evil.album; DROP OPERATOR evil.= (text, text); DROP FUNCTION evil.eq, evil.setpath' ],
	[ 'a rule', "$album; INSERT INTO evil.album VALUES (1, ID); CREATE TABLE evil.t2 (image bigint);
		CREATE TRIGGER p AFTER INSERT ON evil.t2 FOR EACH ROW EXECUTE FUNCTION evil.plant_trigger();
		CREATE RULE r AS ON DELETE TO evil.album DO ALSO INSERT INTO evil.t2 VALUES (OLD.image)", 'rule r on table evil\.album', 'DROP TABLE evil.album, evil.t2' ],
	[ 'a trigger behind two foreign keys', "SET ROLE evil; CREATE TABLE evil.album (n int PRIMARY KEY, image bigint REFERENCES public.llava_image ON DELETE CASCADE);
		CREATE TABLE evil.page (n int DEFAULT 0 REFERENCES evil.album ON DELETE SET DEFAULT);
		INSERT INTO evil.album VALUES (0, NULL), (1, ID); INSERT INTO evil.page VALUES (1);
		CREATE TRIGGER p AFTER UPDATE ON evil.page FOR EACH ROW EXECUTE FUNCTION evil.plant_trigger()", 'trigger p on table evil\.page', 'DROP TABLE evil.album, evil.page' ],
	[ 'a trigger of a partition\'s partition', "SET ROLE evil; CREATE TABLE evil.album (n int, image bigint REFERENCES public.llava_image ON DELETE CASCADE) PARTITION BY LIST (n);
		CREATE TABLE evil.a1 PARTITION OF evil.album FOR VALUES IN (1) PARTITION BY LIST (image); CREATE TABLE evil.a2 PARTITION OF evil.a1 DEFAULT;
		INSERT INTO evil.album VALUES (1, ID); CREATE TRIGGER p AFTER DELETE ON evil.a2 FOR EACH ROW EXECUTE FUNCTION evil.plant_trigger()",
		'trigger p on table evil\.a2', 'DROP TABLE evil.album' ],
	[ 'a BEFORE trigger that swaps a cursor', "$album; INSERT INTO evil.album VALUES (1, ID); CREATE FUNCTION evil.swap() RETURNS trigger LANGUAGE plpgsql AS \$\$
		DECLARE c refcursor := 'src'; BEGIN CLOSE c; OPEN c FOR SELECT 1, evil.plant('cursor'); RETURN OLD; END\$\$;
		CREATE TRIGGER b BEFORE DELETE ON evil.album FOR EACH ROW EXECUTE FUNCTION evil.swap()", 'trigger b on table evil\.album', 'DROP TABLE evil.album; DROP FUNCTION evil.swap' ],
  )
{
	my ($what, $setup, $object, $undo) = @$way;
	my $id = $ids[0];
	sql($setup =~ s/\bID\b/$id/gr);
	begin_again();
	my $err = forget($id);
	nobody_became($what);
	refused($what, $err, $object);
	my ($ret, $out) = $node->psql('postgres', "BEGIN; DECLARE src CURSOR FOR SELECT 1, true FROM generate_series(1, 3); FETCH src; SELECT llava_forget($id, 'letter'); FETCH src; COMMIT");
	nobody_became("$what, a superuser's takedown");
	is(is_there($id), '1', "$what: the picture is there");
	like(sql("SELECT string_agg(object, ';') FROM llava_untrusted()"), qr/(?:\A|;)$object(?:;|\z)/, "$what: llava_untrusted tells of it");
	sql($undo);
	is(forget($id), '', "$what: without it the picture goes");
	is(is_there($id), '0', "$what: in fact");
	shift @ids;
}

#
# A trigger that comes while a takedown looks
#
sub of_operator
{
	my ($id) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	$session->query('SET ROLE operator; SET lock_timeout = \'8s\'');
	# what was found to be trusted in this session must not count any more
	$session->query("SELECT llava_forget($id, 'letter')");
	return $session;
}

sub wait_for_lock
{
	my ($what) = @_;
	is($node->wait_query("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT llava_forget%' AND wait_event_type = 'Lock'", '1'), '1', "$what: the takedown waits");
	return;
}

my ($first, $second) = splice @ids, 0, 2;
my $late = 'CREATE TRIGGER p AFTER DELETE ON evil.album FOR EACH ROW EXECUTE FUNCTION evil.plant_trigger()';
for my $way (
	[ 'a trigger that comes with the row', "INSERT INTO evil.album VALUES (1, $second)", $late ],
	[ 'a trigger that is not yet committed', "$late; INSERT INTO evil.album VALUES (1, $second)", 'SELECT 1' ],
  )
{
	my ($what, $before, $meanwhile) = @$way;
	sql($album);
	begin_again();
	my $evil = $node->background_psql('postgres', on_error_stop => 0);
	my $operator = of_operator($first);
	$evil->query("SET ROLE evil; BEGIN; $before; SELECT 1");
	$operator->query_until(qr/started/, "\\echo started\nSELECT llava_forget($second, 'letter');\n");
	wait_for_lock($what);
	# core ends one of the two where each waits for the other
	$evil->query("$meanwhile; COMMIT; SELECT 1");
	$operator->query('SELECT 1');
	nobody_became($what);
	my $trigger = sql("SELECT count(*) FROM pg_trigger WHERE tgname = 'p'");
	isnt(is_there($second) . $trigger, '01', "$what: a picture with it is not taken down");
	is(is_there($second) . $trigger, '11', "$what: refused") if $meanwhile eq 'SELECT 1';
	$_->quit for $evil, $operator;
	sql('DROP TABLE evil.album');
	$first = shift @ids;
	$second = shift @ids unless is_there($second);
}

#
# Intake and the worker
#
my $xml = sub { my ($role) = @_; return "(query_to_xml('SELECT $role.plant(''xml'')', false, false, '') IS NOT NULL)"; };
# [what, a superuser's SQL, the object, what undoes it, whether the INSERT is refused]
for my $way (
	[ 'a WHEN clause left behind when TRIGGER was revoked', "GRANT TRIGGER ON llava_seen TO evil; SET ROLE evil;
		CREATE TRIGGER p BEFORE INSERT ON llava_seen FOR EACH ROW WHEN " . $xml->('evil') . ' EXECUTE FUNCTION harmless(); RESET ROLE; REVOKE TRIGGER ON llava_seen FROM evil',
		'trigger p on table (?:public\.)?llava_seen', 'DROP TRIGGER p ON llava_seen', 1 ],
	[ 'a trigger of refint left behind when TRIGGER was revoked', "GRANT TRIGGER ON llava_pending TO evil; SET ROLE evil; CREATE TABLE evil.victim (image bigint); INSERT INTO evil.victim SELECT generate_series(1, 100);
		CREATE TRIGGER v BEFORE DELETE ON evil.victim FOR EACH ROW EXECUTE FUNCTION evil.plant_trigger();
		CREATE TRIGGER p AFTER DELETE ON llava_pending FOR EACH ROW EXECUTE FUNCTION check_foreign_key(1, 'cascade', 'image', 'evil.victim', 'image');
		RESET ROLE; REVOKE TRIGGER ON llava_pending FROM evil", 'trigger p on table (?:public\.)?llava_pending', 'DROP TRIGGER p ON llava_pending; DROP TABLE evil.victim', 1 ],
	[ 'a WHEN clause left behind by an earlier owner', 'ALTER TABLE llava_seen OWNER TO app; SET ROLE app;
		CREATE TRIGGER p BEFORE INSERT ON llava_seen FOR EACH ROW WHEN ' . $xml->('app') . ' EXECUTE FUNCTION harmless(); RESET ROLE; ALTER TABLE llava_seen OWNER TO postgres',
		'trigger p on table (?:public\.)?llava_seen', 'DROP TRIGGER p ON llava_seen', 1 ],
	[ 'a check left behind by an earlier owner', 'ALTER TABLE llava_conversation OWNER TO app; SET ROLE app;
		ALTER TABLE llava_conversation ADD CONSTRAINT p CHECK ' . $xml->('app') . ' NOT VALID; RESET ROLE; ALTER TABLE llava_conversation OWNER TO postgres',
		'constraint p on table (?:public\.)?llava_conversation', 'ALTER TABLE llava_conversation DROP CONSTRAINT p', 0 ],
	[ 'a child that references its parent', "CREATE TABLE app.child () INHERITS (llava_pending); ALTER TABLE app.child OWNER TO app; GRANT REFERENCES (image, task) ON llava_pending TO app; SET ROLE app;
		ALTER TABLE app.child ADD FOREIGN KEY (image, task) REFERENCES public.llava_pending ON DELETE CASCADE NOT VALID;
		CREATE TRIGGER p BEFORE UPDATE ON app.child FOR EACH ROW EXECUTE FUNCTION app.plant_trigger()",
		'(?:table|trigger p on table) app\.child', 'DROP TABLE app.child; REVOKE ALL (image, task) ON llava_pending FROM app', 1 ],
	[ 'a stranger\'s table with ours as its partition', "SET ROLE evil; CREATE FUNCTION evil.key(bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS \$\$BEGIN PERFORM evil.plant('key'); RETURN \$1; END\$\$;
		CREATE TABLE evil.parent (sha256 bytea NOT NULL, image bigint NOT NULL, forgotten_at timestamptz, forgotten_reason text) PARTITION BY RANGE (evil.key(image)); RESET ROLE;
		ALTER TABLE evil.parent ATTACH PARTITION llava_seen FOR VALUES FROM (MINVALUE) TO (MAXVALUE)",
		'table (?:public\.)?llava_seen', 'ALTER TABLE evil.parent DETACH PARTITION llava_seen; DROP TABLE evil.parent; DROP FUNCTION evil.key', 1 ],
	[ 'an exclusion constraint on what references the queue', "GRANT REFERENCES (image, task), SELECT (image, task) ON llava_pending TO evil; SET ROLE evil;
		CREATE TABLE evil.q (image bigint, task text, FOREIGN KEY (image, task) REFERENCES public.llava_pending ON DELETE SET NULL);
		CREATE FUNCTION evil.f(bigint) RETURNS int LANGUAGE plpgsql IMMUTABLE AS \$\$BEGIN PERFORM evil.plant('exclusion'); RETURN 1; END\$\$;
		ALTER TABLE evil.q ADD CONSTRAINT x EXCLUDE USING btree ((evil.f(image)) WITH =) WHERE (image IS NULL) DEFERRABLE INITIALLY IMMEDIATE; INSERT INTO evil.q VALUES (NULL, NULL)",
		'index evil\.x', 'DROP TABLE evil.q; DROP FUNCTION evil.f; REVOKE ALL (image, task) ON llava_pending FROM evil', 0 ],
  )
{
	my ($what, $setup, $object, $undo, $insert_refused) = @$way;
	# the worker may find it before a picture comes
	my $log = -s $node->logfile;
	sql($setup);
	begin_again();
	my $err = feed();
	if ($insert_refused)
	{
		refused($what, $err, $object);
	}
	else
	{
		is($err, '', "$what: the picture is taken");
		ok($node->wait_for_log(qr/claims postponed: $object /, $log), "$what: the worker says why it does not ask");
	}
	like(sql("SELECT string_agg(object, ';') FROM llava_untrusted()"), qr/(?:\A|;)$object(?:;|\z)/, "$what: llava_untrusted tells of it");
	nobody_became($what);
	sql($undo);
	is(feed(), '', "$what: without it a picture is taken");
	ok($node->wait_drained, "$what: and asked about");
	nobody_became("$what, afterwards");
}

# what a superuser's functions run that are told so by an argument, left behind
my $here = sql("SELECT format('dbname=postgres user=postgres host=%s port=%s', current_setting('unix_socket_directories'), current_setting('port'))");
sql(<<'SQL');
SET ROLE evil;
CREATE DOMAIN evil.d AS text CHECK (evil.plant('domain'));
CREATE TYPE evil.c AS (a evil.d);
CREATE FUNCTION evil.key(bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM evil.plant(''key''); RETURN 1; END';
CREATE TABLE evil.by_range (a bigint) PARTITION BY RANGE ((evil.key(1) + a));
CREATE TABLE evil.one PARTITION OF evil.by_range FOR VALUES FROM (1) TO (2);
CREATE TABLE evil.by_hash (a bigint) PARTITION BY HASH ((evil.key(1) + a));
SQL
for my $call ("array_in('{x}'::cstring, 'evil.d'::regtype::oid, -1)", "domain_in('x'::cstring, 'evil.d'::regtype::oid, -1)",
	"record_in('(x)'::cstring, 'evil.c'::regtype::oid, -1)", "pg_get_partition_constraintdef('evil.one'::regclass::oid)",
	"satisfies_hash_partition('evil.by_hash'::regclass::oid, 2, 0, 1::bigint)", "dblink_exec('$here', 'ALTER ROLE evil SUPERUSER')",
	sql("SELECT 1 FROM pg_proc WHERE proname = 'pg_input_is_valid'") ? "pg_input_is_valid('x', 'evil.d')" : ())
{
	my ($name) = $call =~ /\A(\w+)/;
	sql("GRANT TRIGGER ON llava_seen TO evil; SET ROLE evil; CREATE TRIGGER p BEFORE INSERT ON llava_seen FOR EACH ROW WHEN ($call IS NOT NULL) EXECUTE FUNCTION harmless();
		RESET ROLE; REVOKE TRIGGER ON llava_seen FROM evil");
	begin_again();
	my $error = feed();
	nobody_became("$name left behind");
	refused("$name left behind", $error, 'trigger p on table (?:public\.)?llava_seen');
	sql('DROP TRIGGER p ON llava_seen');
	is(feed(), '', "$name left behind: without it a picture is taken");
}
# what casts to and from text run, and functions of extensions that run no SQL, stop nothing
sql(<<'SQL');
CREATE EXTENSION pg_trgm;
CREATE TRIGGER p BEFORE INSERT ON llava_seen FOR EACH ROW
	WHEN (NEW.image::text::numeric > 0 AND '{1}'::text::int[] IS NOT NULL AND similarity(NEW.image::text, 'x') >= 0) EXECUTE FUNCTION harmless();
SQL
is(feed(), '', 'casts through text: a picture is taken');
sql('DROP TRIGGER p ON llava_seen');
ok($node->wait_drained, 'and asked about');

# a superuser's llava_load
my $folder = PostgreSQL::Test::Utils::tempdir;
chmod 0755, $folder;
append_to_file("$folder/a.png", LlavaZh::Cluster::png(7777));
sql('GRANT TRIGGER ON llava_image TO evil; SET ROLE evil; CREATE TRIGGER aaa BEFORE INSERT ON llava_image FOR EACH ROW EXECUTE FUNCTION evil.plant_trigger()');
begin_again();
my ($ret, $out, $err) = $node->psql('postgres', "CALL llava_load('$folder')", on_error_stop => 1);
nobody_became('llava_load');
refused('llava_load', $err, 'trigger aaa on table (?:public\.)?llava_image');
sql('DROP TRIGGER aaa ON llava_image; REVOKE TRIGGER ON llava_image FROM evil');
($ret, $out, $err) = $node->psql('postgres', "CALL llava_load('$folder')", on_error_stop => 1);
is($ret, 0, 'llava_load without it') or diag($err);
is(sql("SELECT count(*) FROM llava_image WHERE path LIKE '%a.png'"), '1', 'llava_load without it: the picture is there');
ok($node->wait_drained, 'llava_load without it: and asked about');

#
# A queue in an unprivileged role's hands
#
sql(<<'SQL');
ALTER TABLE llava_pending OWNER TO app;
GRANT CREATE ON SCHEMA public TO app;
GRANT SELECT ON llava_image, llava_task TO app;
GRANT UPDATE (same_as, same_distance) ON llava_image TO app;
GRANT SELECT, INSERT, UPDATE, DELETE ON llava_reply, llava_interrupted, llava_conversation, llava_annotation, llava_usage, llava_hash TO app;
GRANT USAGE ON SEQUENCE llava_call_seq TO app;
SET ROLE app;
CREATE FUNCTION app.swap() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	c refcursor;
	n text;
BEGIN
	INSERT INTO public.ran VALUES ('swap', current_user);
	FOR n IN SELECT name FROM pg_cursors WHERE statement NOT LIKE '%pg_cursors%' LOOP
		BEGIN
			c := n;
			CLOSE c;
			OPEN c SCROLL FOR SELECT 5000 + g, app.plant('cursor') FROM generate_series(1, 3) g;
		EXCEPTION WHEN OTHERS THEN NULL;
		END;
	END LOOP;
	IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
	RETURN NEW;
END$$;
CREATE TRIGGER t BEFORE INSERT OR DELETE ON llava_pending FOR EACH ROW EXECUTE FUNCTION app.swap();
SQL
my $id = shift @ids;
my $source = 'BEGIN; DECLARE src CURSOR FOR SELECT g, true FROM generate_series(1, 3) g; FETCH src';
for my $way (
	[ 'a cursor around an INSERT', "$source; " . LlavaZh::Cluster::pictures_sql(500, 500, 'detail') . ' FETCH src; COMMIT', "1|t\n2|t" ],
	[ 'a cursor around llava_enqueue', "$source; SELECT llava_enqueue($id, 'conversation'); FETCH src; COMMIT", "1|t\nt\n2|t" ],
	[ 'a loop around llava_enqueue', "DO \$\$DECLARE r record; s bigint := 0; BEGIN FOR r IN SELECT g FROM generate_series(1, 3) g LOOP s := s + r.g; PERFORM llava_enqueue(r.g + $id, 'detail_en'); END LOOP;
		PERFORM set_config('my.sum', s::text, false); END\$\$; SHOW my.sum", '6' ],
	[ 'a cursor around llava_forget', "$source; SELECT llava_enqueue($id, 'detail_en'); SELECT llava_forget($id, 'letter'); FETCH src; COMMIT", "1|t\nt\n1\n2|t" ],
  )
{
	my ($what, $statements, $expected) = @$way;
	begin_again();
	($ret, $out, $err) = $node->psql('postgres', $statements, on_error_stop => 1);
	is($ret, 0, "$what: works") or diag($err);
	is($out, $expected, "$what: what was being read is read on");
	is(sql("SELECT string_agg(DISTINCT who, ' ') FROM ran WHERE what = 'swap'"), 'app', "$what: the trigger ran, as its owner");
	nobody_became($what);
}
sql('DROP TRIGGER t ON llava_pending');
ok($node->wait_drained, 'the queue\'s owner asks about what came in');

# policies that apply to it
sql(<<'SQL');
CREATE POLICY f ON llava_image FOR INSERT WITH CHECK (true);
CREATE POLICY o ON llava_image FOR SELECT TO operator USING (true);
SET ROLE evil;
CREATE TABLE evil.members (r text);
INSERT INTO evil.members VALUES ('x');
CREATE VIEW evil.v AS SELECT r FROM evil.members WHERE evil.plant('view');
GRANT SELECT ON evil.members, evil.v TO PUBLIC;
RESET ROLE;
CREATE POLICY p ON llava_image TO app USING (EXISTS (SELECT FROM evil.members));
ALTER TABLE llava_image ENABLE ROW LEVEL SECURITY;
SQL
begin_again();
is(feed(), '', 'a policy that reads another role\'s table: the picture is taken');
ok($node->wait_query("SELECT count(*) FROM llava_reply r JOIN llava_image i ON i.id = r.image WHERE i.path = 'pic$picture.png'", '1'), 'a policy that reads another role\'s table: and asked about');
is(sql('SELECT count(*) FROM llava_untrusted()'), '0', 'a policy that reads another role\'s table: it is trusted');
my $log = -s $node->logfile;
sql('ALTER POLICY p ON llava_image USING (EXISTS (SELECT FROM evil.v))');
is(feed(), '', 'a policy that reads another role\'s view: the picture is taken');
ok($node->wait_for_log(qr/claims postponed: .*(?:evil\.v|policy p)/, $log), 'a policy that reads another role\'s view: nothing is asked');
nobody_became('policies');
sql('DROP POLICY p ON llava_image; DROP POLICY f ON llava_image; DROP POLICY o ON llava_image; ALTER TABLE llava_image DISABLE ROW LEVEL SECURITY; ALTER TABLE llava_pending OWNER TO postgres');
ok($node->wait_drained, 'policies: gone, work goes on');

#
# What stops nothing
#
begin_again();
$id = shift @ids;
sql("$album; CREATE TRIGGER t AFTER INSERT ON evil.album FOR EACH ROW EXECUTE FUNCTION evil.plant_trigger();
	CREATE TRIGGER s AFTER INSERT ON evil.album EXECUTE FUNCTION evil.plant_trigger(); INSERT INTO evil.album VALUES (1, $id)");
is(sql('SELECT count(*) FROM llava_untrusted()'), '0', 'AFTER INSERT triggers of a referencing table: trusted');
is(feed(), '', 'AFTER INSERT triggers of a referencing table: a picture is taken');
ok($node->wait_drained, 'AFTER INSERT triggers of a referencing table: and asked about');
is(forget($id), '', 'AFTER INSERT triggers of a referencing table: a picture is taken down');
is(is_there($id) . sql('SELECT count(*) FROM evil.album'), '00', 'AFTER INSERT triggers of a referencing table: with its row');
nobody_became('AFTER INSERT triggers of a referencing table');
sql('DROP TABLE evil.album');

my $owner_is = sub {
	my ($owner) = @_;
	return "DO \$\$DECLARE r record; BEGIN FOR r IN SELECT oid::regclass t FROM pg_class WHERE relkind = 'r' AND relname LIKE 'llava\\_%' LOOP
		EXECUTE format('ALTER TABLE %s OWNER TO $owner', r.t); END LOOP; ALTER SEQUENCE llava_call_seq OWNER TO $owner; END\$\$";
};
sql('CREATE ROLE own; ' . $owner_is->('own'));
is(sql('SELECT count(*) FROM llava_untrusted()'), '0', 'all tables in an unprivileged role\'s hands: trusted');
$id = shift @ids;
is(feed(), '', 'all tables in an unprivileged role\'s hands: a picture is taken');
ok($node->wait_query("SELECT count(*) FROM llava_reply r JOIN llava_image i ON i.id = r.image WHERE i.path = 'pic$picture.png'", '1'), 'all tables in an unprivileged role\'s hands: and asked about');
is(forget($id), '', 'all tables in an unprivileged role\'s hands: a picture is taken down');
is(is_there($id), '0', 'all tables in an unprivileged role\'s hands: in fact');
sql($owner_is->('postgres') . '; DROP ROLE own');

#
# INSERTs beside ANALYZE and tables that come and go, with a superuser's triggers
#
ok($node->wait_drained, 'all is asked about');
sql("SELECT llava_pause('sim')");
sql("DO \$\$BEGIN FOR i IN 1..8 LOOP EXECUTE format('CREATE TRIGGER audit%s BEFORE INSERT ON llava_pending FOR EACH ROW EXECUTE FUNCTION harmless()', i); END LOOP; END\$\$");
my $witness = $node->background_psql('postgres');
my $before = -s $node->logfile;
my $hex = unpack('H*', LlavaZh::Cluster::png(1));
my %rounds = (
	insert => [ 'feeder', 3, 250, "\\set n random(1, 1000000000)\nINSERT INTO llava_image (path, image, task) VALUES ('s' || :n, decode('$hex' || lpad(to_hex(:n), 8, '0') || lpad(to_hex(:client_id), 4, '0'), 'hex'), 'detail');\n" ],
	analyze => [ 'postgres', 1, 250, "ANALYZE llava_pending;\nANALYZE llava_image;\nANALYZE llava_task;\n" ],
	temporary => [ 'evil', 1, 500, "BEGIN;\nCREATE TEMP TABLE x (a int PRIMARY KEY CHECK (a > 0)) ON COMMIT DROP;\nCOMMIT;\n" ],
);
my %said;
my @storms;
for my $name (sort keys %rounds)
{
	my ($role, $clients, $number, $script) = @{ $rounds{$name} };
	append_to_file("$folder/$name.sql", $script);
	$said{$name} = '';
	push @storms, IPC::Run::start([ 'pgbench', '-n', '-U', $role, '-f', "$folder/$name.sql", '-c', $clients, '-j', 1, '-t', $number, $node->connstr('postgres') ],
		'<', \undef, '>&', \$said{$name}, IPC::Run::timeout(120));
}
IPC::Run::finish($_) for @storms;
like($said{$_}, qr/actually processed: (\d+)\/\1\b/, "a storm: $_") for sort keys %rounds;
is($witness->query('SELECT 1'), '1', 'a storm: a session from before it is still there');
$witness->quit;
unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile, $before), qr/terminated by signal|reinitializing/, 'a storm: the server went on');

$node->stop('fast');
$endpoint->stop;
done_testing();
