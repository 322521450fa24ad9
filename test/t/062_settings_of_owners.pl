# What code of a table's owner has SET ends with the statement that ran it: neither the
# caller's session nor a later statement of ours is under it.  The queue is in an
# unprivileged role's hands, as the cookbook recommends.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('settings');
$node->create_server('sim', $endpoint->url, "paused 'true'");
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE worker_role;
CREATE ROLE operator;
CREATE SCHEMA evil AUTHORIZATION worker_role;
GRANT USAGE ON SCHEMA evil TO PUBLIC;
ALTER TABLE llava_pending OWNER TO worker_role;
GRANT SELECT ON llava_image, llava_task TO worker_role;
GRANT UPDATE (same_as, same_distance) ON llava_image TO worker_role;
GRANT SELECT, INSERT, UPDATE ON llava_reply, llava_interrupted, llava_conversation, llava_annotation, llava_usage, llava_hash TO worker_role;
GRANT USAGE ON SEQUENCE llava_call_seq TO worker_role;
-- what a careless administrator may have granted
GRANT SET ON PARAMETER session_replication_role TO worker_role;
GRANT EXECUTE ON FUNCTION llava_forget, llava_retry TO operator;
CREATE TABLE ran (what text, who text);
GRANT INSERT ON ran TO PUBLIC;
SET ROLE worker_role;
CREATE FUNCTION evil.same(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS
	$$BEGIN INSERT INTO public.ran VALUES ('=', current_user); RETURN $1 OPERATOR(pg_catalog.=) $2; END$$;
CREATE OPERATOR evil.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.same);
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE plpgsql AS
	$$BEGIN INSERT INTO public.ran VALUES ('now', current_user); RETURN clock_timestamp(); END$$;
CREATE FUNCTION evil.set_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	SET search_path = evil, pg_catalog;
	SET session_replication_role = replica;
	SET row_security = off;
	SET lock_timeout = '1h';
	IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
	RETURN NEW;
END$$;
CREATE FUNCTION evil.set_read_only() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN SET transaction_read_only = on; RETURN NULL; END';
RESET ROLE;
GRANT CREATE ON SCHEMA public TO worker_role;
SET ROLE worker_role;
CREATE TRIGGER a BEFORE INSERT OR UPDATE OR DELETE ON llava_pending FOR EACH ROW EXECUTE FUNCTION evil.set_all();
CREATE TRIGGER b AFTER INSERT OR UPDATE OR DELETE ON llava_pending FOR EACH ROW EXECUTE FUNCTION evil.set_read_only();
SQL

my @names = ('search_path', 'session_replication_role', 'row_security', 'lock_timeout', 'transaction_read_only');
my $now = 'SELECT ' . join(" || ' ' || ", map { "current_setting('$_')" } @names);
my $before = $node->safe_psql('postgres', $now);

# settings(what, sql): after sql, in its transaction and behind it, they are as before
sub unchanged
{
	my ($what, $sql) = @_;
	is($node->safe_psql('postgres', "BEGIN; DO \$\$BEGIN NULL; END\$\$; $sql; $now; COMMIT; $now"), "$before\n$before", "$what leaves the session's settings alone")
	  unless $sql =~ /CALL/;
	is((split /\n/, $node->safe_psql('postgres', "$sql; $now"))[-1], $before, "$what: as before at its end")
	  if $sql =~ /CALL/;
	return;
}

my $one = LlavaZh::Cluster::pictures_sql(1, 3, 'detail');
unchanged('INSERT', $one);
unchanged('llava_enqueue', "DO \$\$BEGIN PERFORM llava_enqueue(1, 'conversation'); END\$\$");
$node->safe_psql('postgres', "SELECT llava_resume('sim')");
ok($node->wait_drained, 'the worker works under such triggers');
is($node->safe_psql('postgres', 'SELECT count(*) FROM llava_conversation'), '4', 'with all samples');
$node->safe_psql('postgres', "SELECT llava_pause('sim')");
unchanged('another INSERT', LlavaZh::Cluster::pictures_sql(4, 6, 'detail'));
is($node->safe_psql('postgres', "SET ROLE operator; SELECT llava_forget(4, 'letter'), llava_forget(1, 'letter')"), '1|1', 'a takedown works');
unchanged('llava_forget', "DO \$\$BEGIN PERFORM llava_forget(2, 'letter'); END\$\$");

# in this session, with the worker away
$node->append_conf('postgresql.conf', "llava_zh.databases = ''\n");
$node->reload;
ok($node->wait_query("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'llava_zh worker'", '0') eq '0', 'the worker is away');
$node->safe_psql('postgres', "SELECT llava_resume('sim')");
unchanged('llava_drain', 'CALL llava_drain()');
is($node->safe_psql('postgres', 'SELECT count(*) FROM llava_pending'), '0', 'and drains');
unchanged('llava_reparse', 'CALL llava_reparse()');
unchanged('llava_follow', 'CALL llava_follow()');
is($node->safe_psql('postgres', "SELECT string_agg(DISTINCT what || ' as ' || who, ', ') FROM ran WHERE who <> 'worker_role'"), '',
	'nothing that was planted ran with another role\'s rights');

$node->stop('fast');
$endpoint->stop;
done_testing();
