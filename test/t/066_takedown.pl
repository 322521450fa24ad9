# A takedown that somebody is in the way of ends in time and says who; so do the other
# functions that wait for locks.  Users' own tables that refer to ours, with constraints
# of every kind of deferral, do not stop it, or say which constraint does.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('takedown', conf => "max_prepared_transactions = 2\n");
$node->create_server('sim', $endpoint->url);

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub fails
{
	my ($statement) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$statement", on_error_stop => 1);
	return $rc == 0 ? '' : $err;
}

sub bytes { return "decode('" . unpack('H*', LlavaZh::Cluster::png($_[0])) . "', 'hex')"; }

sql('CREATE ROLE feeder LOGIN; CREATE ROLE operator LOGIN; CREATE ROLE app LOGIN;
	GRANT INSERT (path, image, task) ON llava_image TO feeder;
	GRANT EXECUTE ON FUNCTION llava_forget, llava_enqueue, llava_retry TO operator');
sql(LlavaZh::Cluster::pictures_sql(1, 9, 'detail'));
ok($node->wait_drained, 'nine samples');
sub id { return sql("SELECT id FROM llava_image WHERE path = 'pic$_[0].png'"); }

#
# In the way
#
my $feeder = $node->background_psql('postgres', extra_params => [ '-U', 'feeder' ], on_error_stop => 0);
$feeder->query_safe('BEGIN; INSERT INTO llava_image (path, image) VALUES (\'idle.png\', ' . bytes(20) . ')');
my $pid = $feeder->query_safe('SELECT pg_backend_pid()');
my $one = id(1);
my $who = qr/ERROR:  55P03: llava_forget waited (\d+) ms for a lock and gave up.*DETAIL:  Process $pid of role "feeder" is in the way: idle in transaction for \d+ s\.\n.*HINT:.*pg_terminate_backend/s;

my $started = time;
my $error = fails("SET ROLE operator; SELECT llava_forget($one, 'letter')");
like($error, $who, 'a takedown says who it waited for');
is(($error =~ $who)[0], '10000', 'ten seconds long');
cmp_ok(time - $started, '>', 9.5, 'in fact');
is(sql("SELECT count(*) FROM llava_image WHERE id = $one"), '1', 'nothing was done');
$started = time;
like(fails("SET lock_timeout = '300ms'; SELECT llava_forget($one, 'letter')"), $who, "the session's lock_timeout is kept to");
cmp_ok(time - $started, '<', 9, 'in fact');
is(sql("SET lock_timeout = '300ms'; SELECT llava_forget(999999, 'x') FROM (SELECT 1) o WHERE false; SHOW lock_timeout"), '300ms', 'and kept');

# two in the way, one of them a superuser's
my $other = $node->background_psql('postgres');
$other->query_safe("BEGIN; UPDATE llava_conversation SET note = 'x' WHERE image = $one");
my $other_pid = $other->query_safe('SELECT pg_backend_pid()');
$feeder->query_safe('COMMIT');
like(fails("SET lock_timeout = '300ms'; SELECT llava_forget($one, 'letter')"), qr/Process $other_pid of role "postgres" is in the way: idle in transaction/, 'whichever table it is about');
# writers behind it go on
my $admin = $node->background_psql('postgres', on_error_stop => 0);
$admin->query_until(qr/begun/, "\\echo begun\nSET lock_timeout = '2s';\nSELECT llava_forget($one, 'letter');\n");
ok($node->wait_query("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND mode = 'ShareRowExclusiveLock'"), 'while a takedown waits');
sql('SET ROLE feeder; INSERT INTO llava_image (path, image) VALUES (\'behind.png\', ' . bytes(21) . ')');
pass('an INSERT waits no longer than it');
$admin->quit;
$other->query_safe('ROLLBACK');

# a row that somebody locked, when the tables are already locked
$other->query_safe("BEGIN; SELECT FROM llava_image WHERE id = $one FOR UPDATE");
like(fails("SET lock_timeout = '300ms'; SELECT llava_forget($one, 'letter')"), qr/55P03.*DETAIL:  Process $other_pid of role "postgres" is in the way: idle in transaction for/s, 'a row that somebody locked');
like(fails("SET lock_timeout = '300ms'; SET ROLE operator; SELECT llava_enqueue($one, 'detail_en')"),
	qr/ERROR:  55P03: llava_enqueue waited 300 ms.*DETAIL:  Process $other_pid of role "postgres" is in the way/s, 'llava_enqueue says so too');
$other->query_safe('ROLLBACK');
$other->query_safe("BEGIN; SELECT llava_enqueue($one, 'detail_en')");
like(fails("SET lock_timeout = '300ms'; SELECT llava_enqueue($one, 'detail_en')"), qr/llava_enqueue waited 300 ms.*Process $other_pid of role "postgres"/s, 'and of a key that somebody is about to insert');
$other->query_safe('ROLLBACK');
sql("INSERT INTO llava_pending (image, task, failure) VALUES ($one, 'detail_en', 'refusal')");
$other->query_safe("BEGIN; UPDATE llava_pending SET detail = 'mine' WHERE image = $one");
like(fails("SET lock_timeout = '300ms'; SET ROLE operator; SELECT llava_retry(reason => 'refusal')"),
	qr/ERROR:  55P03: llava_retry waited 300 ms.*DETAIL:  Process $other_pid of role "postgres" is in the way/s, 'and llava_retry');
$other->query_safe('ROLLBACK');
# one who only waits in front
$other->query_safe('BEGIN; SELECT count(*) FROM llava_image');
my $third = $node->background_psql('postgres', on_error_stop => 0);
my $third_pid = $third->query_safe('SELECT pg_backend_pid()');
$third->query_until(qr/begun/, "\\echo begun\nALTER TABLE llava_image ADD later integer;\n");
ok($node->wait_query("SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"), 'somebody waits in front');
like(fails("SET lock_timeout = '300ms'; SELECT llava_forget($one, 'letter')"), qr/Process $third_pid of role "postgres" is in the way: active/, 'and is named');
sql("SELECT pg_cancel_backend($third_pid)");
$third->quit;
$other->query_safe('ROLLBACK');
# a prepared transaction
$other->query_safe("BEGIN; DELETE FROM llava_interrupted; PREPARE TRANSACTION 'two'");
like(fails("SET lock_timeout = '300ms'; SELECT llava_forget($one, 'letter')"), qr/A prepared transaction is in the way: see pg_prepared_xacts/, 'a prepared transaction');
sql("ROLLBACK PREPARED 'two'");
# and who locks from a trigger of a user is not blamed on others
sql(<<'SQL');
CREATE FUNCTION busy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE lock_not_available USING MESSAGE = 'mine'; END $$;
CREATE TRIGGER busy BEFORE DELETE ON llava_image FOR EACH ROW EXECUTE FUNCTION busy();
SQL
like(fails("SELECT llava_forget($one, 'letter')"), qr/ERROR:  55P03: mine/, "a trigger's own error is passed on");
sql('DROP TRIGGER busy ON llava_image');
# what the cookbook has feeders' roles do
sql("ALTER ROLE feeder SET idle_in_transaction_session_timeout = '1s'");
my $idle = $node->background_psql('postgres', extra_params => [ '-U', 'feeder' ], on_error_stop => 0);
$idle->query_safe('BEGIN; INSERT INTO llava_image (path, image) VALUES (\'idle2.png\', ' . bytes(22) . ')');
is(sql("SELECT llava_forget($one, 'letter')"), '1', 'with a limit for idle transactions it comes through');
$other->quit;
$feeder->quit;
eval { $idle->quit };

#
# Referring tables
#
sql(<<'SQL');
CREATE SCHEMA app AUTHORIZATION app;
GRANT REFERENCES ON llava_image, llava_conversation, llava_reply TO app;
CREATE TABLE app.log (what text, who text);
GRANT INSERT, SELECT ON app.log TO PUBLIC;
SQL
my $n = 2;
my $operator = 'SET ROLE operator';
for my $deferral ('', 'DEFERRABLE', 'DEFERRABLE INITIALLY DEFERRED')
{
	for my $action ('CASCADE', 'SET NULL', 'SET DEFAULT', 'NO ACTION', 'RESTRICT')
	{
		my $what = "ON DELETE $action $deferral";
		for my $set ('', 'SET CONSTRAINTS ALL DEFERRED;')
		{
			my $id = id($n);
			sql("SET ROLE app; CREATE TABLE app.t (k serial, image bigint DEFAULT NULL REFERENCES public.llava_image ON DELETE $action $deferral);
				RESET ROLE; INSERT INTO app.t (image) VALUES ($id)");
			my $statement = "BEGIN; $operator; $set SELECT llava_forget($id, 'letter'); COMMIT";
			if ($action =~ /^(?:NO ACTION|RESTRICT)$/)
			{
				my $violates = $action eq 'RESTRICT' && sql('SHOW server_version_num') >= 180000 ? '23001.*violates RESTRICT setting of' : '23503.*violates';
				like(fails($statement), qr/$violates foreign key constraint "t_image_fkey" on table "t"/, "$what $set: names the constraint");
				is(sql("SELECT count(*) FROM llava_image WHERE id = $id"), '1', 'and nothing is done');
			}
			else
			{
				is(fails($statement), '', "$what $set: the takedown is done");
				is(sql("SELECT count(*), count(image) FROM app.t"), $action eq 'CASCADE' ? '0|0' : '1|0', 'and the other table follows');
				is(sql("SELECT count(*) FROM llava_image WHERE id = $id"), '0', 'the picture is gone');
				sql("DELETE FROM llava_seen WHERE image = $id; INSERT INTO llava_image (path, image, task) VALUES ('pic$n.png', " . bytes($n) . ", 'detail')");
			}
			sql('DROP TABLE app.t');
		}
	}
}
ok($node->wait_drained, 'they came back as new ones');

# samples and replies; two steps; unique constraints and constraint triggers
my $id = id(3);
sql(<<'SQL');
ALTER TABLE llava_reply ADD UNIQUE (id);
SET ROLE app;
CREATE FUNCTION app.note() RETURNS trigger LANGUAGE plpgsql AS
	$$ BEGIN INSERT INTO app.log VALUES (TG_TABLE_NAME || ' ' || TG_OP, current_user); RETURN NULL; END $$;
CREATE TABLE app.sample (image bigint, task text COLLATE "C", k integer PRIMARY KEY,
	CONSTRAINT sample_fk FOREIGN KEY (image, task) REFERENCES public.llava_conversation ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE app.step (k integer REFERENCES app.sample ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, n integer UNIQUE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE app.paid (image bigint REFERENCES public.llava_image ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED, n integer UNIQUE DEFERRABLE INITIALLY DEFERRED);
RESET ROLE;
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS
	$$ BEGIN INSERT INTO app.log VALUES (TG_TABLE_NAME || ' ' || TG_OP, current_user); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER noted AFTER DELETE ON llava_conversation DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION noted();
CREATE CONSTRAINT TRIGGER noted AFTER UPDATE ON llava_reply DEFERRABLE FOR EACH ROW EXECUTE FUNCTION noted();
CREATE CONSTRAINT TRIGGER noted AFTER INSERT ON llava_seen DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION noted();
ALTER TABLE app.step OWNER TO postgres;
CREATE CONSTRAINT TRIGGER step AFTER DELETE ON app.step DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION noted();
SQL
sql("INSERT INTO app.sample SELECT image, task, 1 FROM llava_conversation WHERE image = $id; INSERT INTO app.step VALUES (1, 1); INSERT INTO app.paid VALUES ($id, 1)");
is(fails("BEGIN; $operator; SET CONSTRAINTS ALL DEFERRED; SELECT llava_forget($id, 'letter'); COMMIT"), '', 'constraints of every kind on the way');
is(sql('SELECT (SELECT count(*) FROM app.sample), (SELECT count(*) FROM app.step), (SELECT count(*) FROM app.paid WHERE image IS NULL)'), '0|0|1', 'all follow');
is(sql("SELECT string_agg(what, ', ' ORDER BY what COLLATE \"C\") FROM app.log"), 'llava_conversation DELETE, llava_reply UPDATE, step DELETE', 'and the triggers fire');

# what is not on the way stays deferred, and what is, is again as it was declared
sql(<<'SQL');
CREATE TABLE app.a (k integer PRIMARY KEY);
CREATE TABLE app.b (k integer REFERENCES app.a DEFERRABLE INITIALLY DEFERRED);
SQL
my $fourth = id(4);
is(fails("BEGIN; INSERT INTO app.b VALUES (7); SELECT llava_forget($fourth, 'letter'); INSERT INTO app.a VALUES (7);
	INSERT INTO app.step VALUES (9, NULL); INSERT INTO app.sample VALUES (NULL, NULL, 9); COMMIT"), '', 'the rest of the transaction may still defer');
is(sql('SELECT count(*) FROM app.b JOIN app.a USING (k)'), '1', 'as it did');
sql('DROP TRIGGER noted ON llava_seen');

# REFERENCES is not the right to run code as the owner of the pictures
for my $case (
	[ 'AFTER DELETE', 'FOR EACH ROW', 'CASCADE' ], [ 'AFTER UPDATE', 'FOR EACH ROW', 'SET NULL' ],
	[ 'AFTER DELETE', 'FOR EACH STATEMENT', 'CASCADE' ], [ 'BEFORE DELETE', 'FOR EACH ROW', 'CASCADE' ])
{
	my ($when, $each, $action) = @$case;
	my $victim = id(6);
	sql(<<"SQL");
SET ROLE app;
CREATE OR REPLACE FUNCTION app.rise() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN
	BEGIN EXECUTE 'ALTER ROLE app SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END; RETURN coalesce(NEW, OLD); END \$\$;
CREATE TABLE app.trap (image bigint REFERENCES public.llava_image ON DELETE $action);
CREATE TRIGGER rise $when ON app.trap $each EXECUTE FUNCTION app.rise();
RESET ROLE;
INSERT INTO app.trap VALUES ($victim);
SQL
	my $said = fails("SELECT llava_forget($victim, 'letter')");
	is(sql("SELECT rolsuper FROM pg_roles WHERE rolname = 'app'"), 'f', "$when $each of a referring table: nobody became superuser");
	like($said, qr/42501: trigger rise on table app.trap .*HINT:  DROP TRIGGER rise ON app.trap/s, 'and the takedown says why');
	sql("DROP TRIGGER rise ON app.trap; SELECT llava_forget($victim, 'letter')");
	is(sql("SELECT count(*) FROM llava_image WHERE id = $victim"), '0', 'it is done');
	sql("DROP TABLE app.trap; DELETE FROM llava_seen WHERE image = $victim; INSERT INTO llava_image (path, image, task) VALUES ('pic6.png', " . bytes(6) . ", 'detail')");
}

# constraints of one name are set together: a role could have had its own trigger fired so
sql(<<'SQL');
CREATE TABLE album (image bigint CONSTRAINT shared_name REFERENCES llava_image DEFERRABLE INITIALLY DEFERRED);
GRANT CREATE ON SCHEMA public TO app;
GRANT EXECUTE ON FUNCTION llava_forget(bigint, text) TO app;
GRANT EXECUTE ON PROCEDURE llava_drain(bigint, text, text, interval), llava_reparse(text, bigint, integer, jsonb, boolean) TO app;
GRANT SELECT ON llava_task TO app;
SET ROLE app;
CREATE TABLE public.mine (a int);
CREATE CONSTRAINT TRIGGER shared_name AFTER INSERT ON public.mine DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION app.rise();
SQL
my $seventh = id(6);
my $said = fails("SET ROLE app; BEGIN; INSERT INTO public.mine VALUES (1); SELECT llava_forget($seventh, 'letter'); COMMIT");
is(sql("SELECT rolsuper FROM pg_roles WHERE rolname = 'app'"), 'f', 'a constraint of the same name: nobody became superuser');
like($said, qr/42501: deferrable constraints named "shared_name".*HINT:  ALTER TABLE (?:public\.)?mine RENAME CONSTRAINT shared_name/s, 'and the takedown says why');
for my $call ('llava_drain()', 'llava_reparse(NULL, NULL, 1000, report)')
{
	sql("SET ROLE app; DO \$\$ DECLARE report jsonb; BEGIN INSERT INTO public.mine VALUES (1); CALL $call; END \$\$");
	is(sql("SELECT rolsuper FROM pg_roles WHERE rolname = 'app'"), 'f', "what a caller of $call put off runs with its own rights");
}
sql('DROP TABLE mine, album');

# the owner's own constraint triggers, deferred, on the tables that INSERT and the worker write
sql(<<'SQL');
CREATE TABLE told (what text);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.told VALUES (TG_TABLE_NAME); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON llava_pending DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION tell();
CREATE CONSTRAINT TRIGGER tell_seen AFTER INSERT ON llava_seen DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION tell();
SQL
is(fails("INSERT INTO llava_image (path, image, task) VALUES ('pic70.png', " . bytes(70) . ", 'detail')"), '', 'deferred triggers of the owner do not stop an INSERT');
ok($node->wait_drained, 'nor the worker');
is(sql("SELECT string_agg(DISTINCT what, ' ' ORDER BY what) FROM told"), 'llava_pending llava_seen', 'and they ran');

$node->stop('fast');
$endpoint->stop;
done_testing();
