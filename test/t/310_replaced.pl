# Functions that have an argument more since 1.0.0: the update keeps each role's right to
# them, and what users built on the old ones goes on: a view, a function that is bound to it,
# also through a dump.  Where nobody depends on an old one, it is gone.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = LlavaZh::Cluster->new('replaced', databases => '');
sub sql { return $node->safe_psql('postgres', shift); }
sql(q{CREATE ROLE publisher; DROP EXTENSION llava_zh; CREATE EXTENSION llava_zh VERSION '1.0.0'});

my $SAMPLES = <<'SQL';
INSERT INTO llava_image (id, path, sha256, format, width, height, received_at)
SELECT n, n || '.jpg', sha256(n::text::bytea), 'jpeg', 640, 480, now() FROM generate_series(1, 60) AS n;
INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
SELECT n, t.name, jsonb_build_array(jsonb_build_object('from', 'human', 'value', '问'), jsonb_build_object('from', 'gpt', 'value', n || '。')), 1, n, 1
FROM generate_series(1, 60) AS n, llava_task AS t WHERE t.weight > 0 AND t.shipped AND n % 7 > 0;
SQL
sql($SAMPLES);
sql(<<'SQL');
CREATE VIEW mine AS SELECT llava_export('swift') AS line;
CREATE VIEW mixed AS SELECT image, task FROM llava_export_list(mix => true);
CREATE FUNCTION recorded(file text) RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT llava_record_export(file, mix => true); END;
CREATE FUNCTION by_name(OUT lines bigint) LANGUAGE sql AS 'SELECT count(*) FROM llava_export()';
GRANT EXECUTE ON FUNCTION llava_export, llava_export_images TO publisher;
SQL
my @works = (
	'SELECT md5(string_agg(line, chr(10))) FROM mine',
	'SELECT count(*), md5(string_agg(m::text, chr(10))) FROM mixed AS m',
	'SELECT by_name()');
my @before = map { sql($_) } @works;
like($before[1], qr/^\d\d+\|/, 'there is a mix');

my ($status, $out, $err) = $node->psql('postgres', 'ALTER EXTENSION llava_zh UPDATE');
is($status, 0, 'the update does not fail');
my @kept = $err =~ /WARNING:  public\.(\w+)\(.*\) stays, since other objects depend on it/g;
is("@kept", 'llava_record_export_1_0_0 llava_export_list_1_0_0 llava_exported_1_0_0 llava_export_1_0_0',
	'it names the functions that stay, and those under them');
is(sql(q{SELECT string_agg(proname, ' ' ORDER BY proname) FROM pg_proc WHERE proname ~ '_1_0_0$'}),
	join(' ', sort @kept), 'the others are gone');
is(sql(q{SELECT count(*) FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
	WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e' AND p.proname ~ '_1_0_0$'}), '0', 'none is the extension\'s');

my $goes_on = sub {
	my ($database, $when) = @_;
	my @after = map { $node->safe_psql($database, $_) } @works;
	is_deeply(\@after, \@before, "$when: the views and the function give what they gave");
	is($node->safe_psql($database, q{SELECT recorded('mixed.jsonl') > 0}), 't', "$when: a mix is recorded by the old function");
	is($node->safe_psql($database, q{SET ROLE publisher; SELECT has_function_privilege(oid, 'EXECUTE') FROM pg_proc
		WHERE proname IN ('llava_export', 'llava_export_images', 'llava_exported', 'llava_selected') ORDER BY proname}),
		"t\nt\nt\nt", "$when: who had the functions has them");
	is($node->safe_psql($database, q{SELECT count(*) FROM llava_export('llava', weights => '{"detail": 1}')}), '52',
		"$when: and the new argument is there");
};
$goes_on->('postgres', 'after the update');

mkdir $node->backup_dir;
my $dump = $node->backup_dir . '/dump.sql';
sql('CREATE DATABASE restored');
command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored') ], 'restore');
$goes_on->('restored', 'after a restore');

# what no longer needs them lets them go
sql('DROP VIEW mine, mixed; DROP FUNCTION recorded; DROP FUNCTION llava_record_export_1_0_0, llava_export_list_1_0_0; '
	. 'DROP FUNCTION llava_exported_1_0_0, llava_export_1_0_0');
$node->stop;
done_testing;
