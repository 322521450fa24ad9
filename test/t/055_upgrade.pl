# ALTER EXTENSION llava_zh UPDATE: an installation of 1.0.0 with data, grants and a user's
# view becomes what CREATE EXTENSION makes today, down to statistics targets and initial
# privileges, with its rows as they were; and a dump of it restores into a new installation.
# Until then this library serves 1.0.0's declarations, and its worker waits and says for what.
use strict;
use warnings;
use lib 'test/perl';
use Digest::SHA;
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

# Scripts of released versions never change.
my %released = ('1.0.0' => '579dfe9643efcef6ece214539160110a06b17602f360990f9a082db1dd0e97ce');
for my $version (sort keys %released)
{
	is(Digest::SHA->new(256)->addfile("sql/llava_zh--$version.sql")->hexdigest,
		$released{$version}, "the script of $version is as it was released");
}

#
# Everything that the catalogue says of the extension: rows of object, property and value,
# without OIDs, so that two databases can be compared line by line.  Privileges of the
# roles in %s are left out.
#
my $CATALOGUE = <<'SQL';
WITH ext AS (
	SELECT * FROM pg_extension WHERE extname = 'llava_zh'),
member AS (
	SELECT d.classid, d.objid FROM pg_depend d, ext
	WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = ext.oid AND d.deptype = 'e'),
-- relations that are members, and what hangs on those: indexes, sequences of identity columns
rel AS (
	SELECT c.* FROM pg_class c WHERE c.oid IN (
		SELECT objid FROM member WHERE classid = 'pg_class'::regclass
		UNION SELECT x.indexrelid FROM pg_index x JOIN member m ON m.objid = x.indrelid
			AND m.classid = 'pg_class'::regclass
		UNION SELECT d.objid FROM pg_depend d JOIN member m ON m.objid = d.refobjid
			AND m.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
			WHERE d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))
		AND c.relkind <> 't'),
func AS (
	SELECT p.* FROM pg_proc p JOIN member m ON m.objid = p.oid AND m.classid = 'pg_proc'::regclass),
privilege (object, acl) AS (
	SELECT 'relation ' || relname,
		coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner))
	FROM rel WHERE relkind <> 'i'
	UNION ALL SELECT 'column ' || r.relname || '.' || a.attname, a.attacl
	FROM rel r JOIN pg_attribute a ON a.attrelid = r.oid WHERE a.attacl IS NOT NULL
	UNION ALL SELECT 'function ' || oid::regprocedure, coalesce(proacl, acldefault('f', proowner)) FROM func
	UNION ALL SELECT 'wrapper ' || fdwname, coalesce(fdwacl, acldefault('F', fdwowner))
	FROM pg_foreign_data_wrapper WHERE oid IN (SELECT objid FROM member WHERE classid = 'pg_foreign_data_wrapper'::regclass)
	UNION ALL SELECT 'type ' || typname, coalesce(typacl, acldefault('T', typowner))
	FROM pg_type WHERE oid IN (SELECT objid FROM member WHERE classid = 'pg_type'::regclass)),
fact (object, property, value) AS (
	SELECT 'extension', f.* FROM ext, LATERAL (VALUES
		('version', ext.extversion), ('schema', ext.extnamespace::regnamespace::text),
		('relocatable', ext.extrelocatable::text), ('owner', ext.extowner::regrole::text),
		('comment', obj_description(ext.oid, 'pg_extension'))) AS f
	UNION ALL SELECT 'member ' || pg_describe_object(classid, objid, 0), 'is there', 'true' FROM member
	UNION ALL SELECT 'dumped ' || c.oid::regclass, 'condition', c.condition
	FROM ext, LATERAL unnest(extconfig, extcondition) AS c (oid, condition)

	UNION ALL SELECT 'relation ' || r.relname, f.* FROM rel r, LATERAL (VALUES
		('kind', r.relkind::text), ('owner', r.relowner::regrole::text), ('persistence', r.relpersistence::text),
		('schema', r.relnamespace::regnamespace::text),
		('options', r.reloptions::text), ('access method', (SELECT amname::text FROM pg_am WHERE oid = r.relam)),
		('options of its toast table', (SELECT t.reloptions::text FROM pg_class t WHERE t.oid = r.reltoastrelid)),
		('has a toast table', (r.reltoastrelid <> 0)::text),
		('tablespace', (SELECT spcname::text FROM pg_tablespace WHERE oid = r.reltablespace)),
		('row security', concat(r.relrowsecurity, r.relforcerowsecurity)),
		('replica identity', r.relreplident::text),
		('parents', (SELECT string_agg(inhparent::regclass::text, ', ' ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = r.oid)),
		('children', (SELECT string_agg(inhrelid::regclass::text, ', ' ORDER BY 1) FROM pg_inherits WHERE inhparent = r.oid)),
		('comment', obj_description(r.oid, 'pg_class')),
		('view', CASE WHEN r.relkind IN ('v', 'm') THEN pg_get_viewdef(r.oid) END),
		('index', (SELECT concat_ws(' ', pg_get_indexdef(r.oid), indisprimary, indisvalid, indisclustered, indisreplident)
			FROM pg_index WHERE indexrelid = r.oid)),
		('sequence', (SELECT concat_ws(' ', seqtypid::regtype, 'start', seqstart, 'increment', seqincrement,
			'max', seqmax, 'min', seqmin, 'cache', seqcache, 'cycle', seqcycle)
			FROM pg_sequence WHERE seqrelid = r.oid)),
		('sequence of', (SELECT string_agg(pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid) || ' ' || d.deptype::text, ', ')
			FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid AND r.relkind = 'S'
			AND d.refclassid = 'pg_class'::regclass))) AS f

	UNION ALL SELECT 'column ' || r.relname || '.' || a.attname, f.* FROM rel r
	JOIN (SELECT *, row_number() OVER (PARTITION BY attrelid ORDER BY attnum) AS place
		FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped) a ON a.attrelid = r.oid
	LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum, LATERAL (VALUES
		('place', a.place::text), ('type', format_type(a.atttypid, a.atttypmod)), ('not null', a.attnotnull::text),
		('default', pg_get_expr(d.adbin, d.adrelid)), ('identity', a.attidentity::text),
		('generated', a.attgenerated::text),
		('collation', (SELECT collnamespace::regnamespace || '.' || collname FROM pg_collation WHERE oid = a.attcollation)),
		('storage', a.attstorage::text), ('compression', a.attcompression::text),
		('statistics target', coalesce(a.attstattarget, -1)::text),
		-- pg_attver is the server's own (pg_attribute.h), and another for each column ever made
		('options', (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(a.attoptions) AS o WHERE o NOT LIKE 'pg_attver=%%')),
		('comment', col_description(r.oid, a.attnum))) AS f

	UNION ALL SELECT 'constraint ' || r.relname || '.' || c.conname, f.* FROM rel r JOIN pg_constraint c ON c.conrelid = r.oid,
	LATERAL (VALUES ('definition', pg_get_constraintdef(c.oid)), ('valid', c.convalidated::text),
		('no inherit', c.connoinherit::text), ('comment', obj_description(c.oid, 'pg_constraint'))) AS f
	UNION ALL SELECT 'trigger ' || r.relname || '.' || t.tgname, f.* FROM rel r JOIN pg_trigger t ON t.tgrelid = r.oid,
	LATERAL (VALUES ('definition', pg_get_triggerdef(t.oid)), ('enabled', t.tgenabled::text),
		('comment', obj_description(t.oid, 'pg_trigger'))) AS f WHERE NOT t.tgisinternal
	UNION ALL SELECT 'constraint trigger of ' || r.relname, p.proname || ' ' || t.tgtype,
		string_agg(t.tgenabled::text, '' ORDER BY t.tgenabled)
	FROM rel r JOIN pg_trigger t ON t.tgrelid = r.oid JOIN pg_proc p ON p.oid = t.tgfoid
	WHERE t.tgisinternal GROUP BY r.relname, p.proname, t.tgtype
	UNION ALL SELECT 'rule ' || r.relname || '.' || u.rulename, f.* FROM rel r JOIN pg_rewrite u ON u.ev_class = r.oid,
	LATERAL (VALUES ('definition', pg_get_ruledef(u.oid)), ('enabled', u.ev_enabled::text),
		('comment', obj_description(u.oid, 'pg_rewrite'))) AS f
	UNION ALL SELECT 'policy ' || r.relname || '.' || p.polname, 'definition', concat_ws(' ', p.polcmd, p.polpermissive,
		p.polroles::regrole[], pg_get_expr(p.polqual, r.oid), 'check', pg_get_expr(p.polwithcheck, r.oid))
	FROM rel r JOIN pg_policy p ON p.polrelid = r.oid
	UNION ALL SELECT 'statistics ' || s.stxname, f.* FROM rel r JOIN pg_statistic_ext s ON s.stxrelid = r.oid,
	LATERAL (VALUES ('definition', pg_get_statisticsobjdef(s.oid)), ('target', coalesce(s.stxstattarget, -1)::text),
		('comment', obj_description(s.oid, 'pg_statistic_ext'))) AS f

	UNION ALL SELECT 'function ' || p.oid::regprocedure, f.* FROM func p, LATERAL (VALUES
		('definition', CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END),
		('kind', p.prokind::text), ('owner', p.proowner::regrole::text),
		('result', pg_get_function_result(p.oid)), ('arguments', pg_get_function_arguments(p.oid)),
		('volatile, parallel, strict, definer', concat(p.provolatile, p.proparallel, p.proisstrict, p.prosecdef)),
		('cost, rows', concat_ws(' ', p.procost, p.prorows)), ('settings', p.proconfig::text),
		('source', p.prosrc), ('library', p.probin),
		('comment', obj_description(p.oid, 'pg_proc')),
		('aggregate', (SELECT concat_ws(' ', aggkind, aggnumdirectargs, aggtransfn, aggfinalfn, aggcombinefn, aggserialfn,
			aggdeserialfn, aggmtransfn, aggminvtransfn, aggmfinalfn, aggfinalextra, aggmfinalextra, aggfinalmodify,
			aggmfinalmodify, aggsortop::regoperator, aggtranstype::regtype, aggtransspace, aggmtranstype::regtype,
			aggmtransspace, agginitval, aggminitval) FROM pg_aggregate WHERE aggfnoid = p.oid))) AS f
	UNION ALL SELECT 'wrapper ' || w.fdwname, f.* FROM pg_foreign_data_wrapper w
	JOIN member m ON m.objid = w.oid AND m.classid = 'pg_foreign_data_wrapper'::regclass, LATERAL (VALUES
		('handler', w.fdwhandler::regproc::text), ('validator', w.fdwvalidator::regproc::text),
		('options', w.fdwoptions::text), ('owner', w.fdwowner::regrole::text),
		('comment', obj_description(w.oid, 'pg_foreign_data_wrapper'))) AS f
	UNION ALL SELECT 'type ' || t.typname, f.* FROM pg_type t
	JOIN member m ON m.objid = t.oid AND m.classid = 'pg_type'::regclass, LATERAL (VALUES
		('kind', t.typtype::text), ('base', format_type(t.typbasetype, t.typtypmod)), ('not null', t.typnotnull::text),
		('default', t.typdefault), ('owner', t.typowner::regrole::text),
		('labels', (SELECT string_agg(enumlabel, ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)),
		('constraints', (SELECT string_agg(conname || ' ' || pg_get_constraintdef(oid), ', ' ORDER BY conname)
			FROM pg_constraint WHERE contypid = t.oid)),
		('comment', obj_description(t.oid, 'pg_type'))) AS f

	UNION ALL SELECT p.object, 'privileges of ' || CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END,
		string_agg(x.privilege_type || CASE WHEN x.is_grantable THEN '*' ELSE '' END, ', ' ORDER BY x.privilege_type)
	FROM privilege p, LATERAL aclexplode(p.acl) x
	WHERE x.grantee = 0 OR x.grantee::regrole::text <> ALL ('{%s}')
	GROUP BY p.object, x.grantee
	-- what pg_dump takes for granted
	UNION ALL SELECT 'initial privileges of ' || pg_describe_object(i.classoid, i.objoid, i.objsubid),
		CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END,
		string_agg(x.privilege_type || CASE WHEN x.is_grantable THEN '*' ELSE '' END, ', ' ORDER BY x.privilege_type)
	FROM pg_init_privs i JOIN member m ON m.classid = i.classoid AND m.objid = i.objoid, LATERAL aclexplode(i.initprivs) x
	WHERE i.privtype = 'e' GROUP BY i.classoid, i.objoid, i.objsubid, x.grantee)
SELECT object || ' | ' || property || ' | ' || regexp_replace(coalesce(value, '(none)'), E'\\s+', ' ', 'g')
FROM fact ORDER BY object, property COLLATE "C", value;
SQL

my @MADE_BY_TEST = qw(reader feeder everything exporter publisher stranger);
my $MADE_BY_TEST = join ', ', @MADE_BY_TEST;

sub catalogue
{
	my ($node, $database, $without, $change) = @_;
	my $query = sprintf $CATALOGUE, $without;
	$query = "BEGIN; $change; $query ROLLBACK;" if $change;
	return $node->safe_psql($database, $query);
}

# The lines that only one of two catalogues has.
sub differences
{
	my ($one, $other) = @_;
	my (%one, %other);
	$one{$_}++ for split /\n/, $one;
	$other{$_}++ for split /\n/, $other;
	return join "\n", map({ "- $_" } grep { !$other{$_} } sort keys %one),
		map({ "+ $_" } grep { !$one{$_} } sort keys %other);
}

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('upgrade', databases => 'behind');
my $fresh = catalogue($node, 'postgres', '');
cmp_ok(scalar(split /\n/, $fresh), '>', 1000, 'the catalogue of a new installation');

#
# The comparison sees a difference of each kind, and says which object has it.
#
my @changes = (
	[ 'ALTER TABLE llava_image ADD extra integer' => 'column llava_image.extra \| type \| integer' ],
	[ 'ALTER TABLE llava_image RENAME licence TO license' => 'column llava_image.license ' ],
	[ 'ALTER TABLE llava_seen ADD moved text; ALTER TABLE llava_seen DROP forgotten_reason CASCADE;
	   ALTER TABLE llava_seen RENAME moved TO forgotten_reason; ALTER TABLE llava_seen ADD c text' => 'column llava_seen.c \| place' ],
	[ 'ALTER TABLE llava_seen ADD again timestamptz; ALTER TABLE llava_seen DROP forgotten_at CASCADE;
	   ALTER TABLE llava_seen RENAME again TO forgotten_at' => 'column llava_seen.forgotten_at \| place \| 4' ],
	[ 'ALTER TABLE llava_interrupted ALTER noticed_at TYPE date' => 'column llava_interrupted.noticed_at \| type \| date' ],
	[ 'ALTER TABLE llava_usage ALTER requests DROP NOT NULL' => 'column llava_usage.requests \| not null \| false' ],
	[ 'ALTER TABLE llava_usage ALTER requests SET DEFAULT 1' => 'column llava_usage.requests \| default \| ' ],
	[ 'ALTER TABLE llava_image ALTER id SET GENERATED ALWAYS' => 'column llava_image.id \| identity \| a' ],
	[ 'ALTER TABLE llava_reply ALTER sent_pixels DROP EXPRESSION' => 'column llava_reply.sent_pixels \| generated' ],
	[ 'ALTER TABLE llava_seen ALTER forgotten_reason TYPE text COLLATE "C"' => 'column llava_seen.forgotten_reason \| collation' ],
	[ 'ALTER TABLE llava_image ALTER image SET STORAGE EXTENDED' => 'column llava_image.image \| storage \| x' ],
	[ 'ALTER TABLE llava_image ALTER meta SET COMPRESSION pglz' => 'column llava_image.meta \| compression \| p' ],
	[ 'ALTER TABLE llava_image ALTER path SET STATISTICS 500' => 'column llava_image.path \| statistics target \| 500' ],
	[ 'ALTER INDEX llava_hash_0 ALTER COLUMN 1 SET STATISTICS 500' => 'column llava_hash_0.expr \| statistics target \| 500' ],
	[ 'ALTER TABLE llava_image ALTER path SET (n_distinct = 5)' => 'column llava_image.path \| options' ],
	[ "COMMENT ON COLUMN llava_image.path IS 'x'" => 'column llava_image.path \| comment \| x' ],
	[ "COMMENT ON TABLE llava_image IS 'x'" => 'relation llava_image \| comment \| x' ],
	[ "COMMENT ON VIEW llava_turn IS 'x'" => 'relation llava_turn \| comment \| x' ],
	[ "COMMENT ON FUNCTION llava_start() IS 'x'" => 'function llava_start\(\) \| comment \| x' ],
	[ "COMMENT ON EXTENSION llava_zh IS 'x'" => 'extension \| comment \| x' ],
	[ "COMMENT ON FOREIGN DATA WRAPPER llava_zh IS 'x'" => 'wrapper llava_zh \| comment \| x' ],
	[ "COMMENT ON TRIGGER llava_intake ON llava_image IS 'x'" => 'trigger llava_image.llava_intake \| comment \| x' ],
	[ "ALTER TABLE llava_usage ADD CONSTRAINT c CHECK (cost >= 0)" => 'constraint llava_usage.c \| definition' ],
	[ "ALTER TABLE llava_usage ADD CONSTRAINT c CHECK (cost >= 0) NOT VALID" => 'constraint llava_usage.c \| valid \| false' ],
	[ 'ALTER TABLE llava_task DROP CONSTRAINT llava_task_name_check' => 'constraint llava_task.llava_task_name_check ' ],
	[ 'CREATE INDEX i ON llava_image (licence)' => 'relation i \| index ' ],
	[ 'DROP INDEX llava_image_path; CREATE INDEX llava_image_path ON llava_image (path DESC)' => 'relation llava_image_path \| index' ],
	[ 'ALTER INDEX llava_image_path SET (fillfactor = 50)' => 'relation llava_image_path \| options' ],
	[ 'ALTER TABLE llava_pending SET (fillfactor = 60)' => 'relation llava_pending \| options' ],
	[ 'ALTER TABLE llava_image SET (toast.autovacuum_enabled = off)' => 'relation llava_image \| options of its toast' ],
	[ 'ALTER TABLE llava_usage SET UNLOGGED' => 'relation llava_usage \| persistence \| u' ],
	[ 'ALTER TABLE llava_usage REPLICA IDENTITY FULL' => 'relation llava_usage \| replica identity \| f' ],
	[ 'ALTER TABLE llava_usage ENABLE ROW LEVEL SECURITY' => 'relation llava_usage \| row security' ],
	[ 'CREATE POLICY p ON llava_usage USING (true)' => 'policy llava_usage.p ' ],
	[ 'CREATE STATISTICS s ON path, licence FROM llava_image' => 'statistics s \| definition' ],
	[ 'CREATE TABLE child () INHERITS (llava_usage)' => 'relation llava_usage \| children \| child' ],
	[ 'ALTER TABLE llava_image DISABLE TRIGGER llava_intake' => 'trigger llava_image.llava_intake \| enabled \| D' ],
	[ 'ALTER TABLE llava_image ENABLE ALWAYS TRIGGER llava_intake' => 'trigger llava_image.llava_intake \| enabled \| A' ],
	[ 'ALTER TABLE llava_hash DISABLE TRIGGER ALL' => 'constraint trigger of llava_hash ' ],
	[ 'CREATE OR REPLACE TRIGGER llava_intake BEFORE INSERT ON llava_image FOR EACH ROW EXECUTE FUNCTION llava_intake()'
		=> 'trigger llava_image.llava_intake \| definition' ],
	[ 'CREATE RULE r AS ON DELETE TO llava_usage DO NOTHING' => 'rule llava_usage.r ' ],
	[ 'ALTER VIEW llava_turn SET (security_invoker = false)' => 'relation llava_turn \| options' ],
	[ 'CREATE OR REPLACE VIEW llava_published AS SELECT l.image, l.task, l.image_sha256, l.file_name, m.file, l.line,
		l.manifest, m.made_at FROM llava_manifest_line l JOIN llava_manifest m ON m.id = l.manifest WHERE l.line > 0'
		=> 'relation llava_published \| view' ],
	[ 'ALTER SEQUENCE llava_call_seq CACHE 5' => 'relation llava_call_seq \| sequence \| .* cache 5' ],
	[ 'ALTER SEQUENCE llava_draw_seq START 1' => 'relation llava_draw_seq \| sequence \| .* start 1' ],
	[ 'ALTER SEQUENCE llava_image_id_seq CYCLE' => 'relation llava_image_id_seq \| sequence \| .* cycle t' ],
	[ 'ALTER TABLE llava_usage OWNER TO reader' => 'relation llava_usage \| owner \| reader' ],
	[ 'ALTER FUNCTION llava_start() OWNER TO reader' => 'function llava_start\(\) \| owner' ],
	[ 'ALTER FUNCTION llava_image_tokens COST 7' => 'function llava_image_tokens\(.*\) \| cost, rows \| 7' ],
	[ 'ALTER FUNCTION llava_export ROWS 7' => 'function llava_export\(.*\) \| cost, rows' ],
	[ 'ALTER FUNCTION llava_enqueue RESET ALL' => 'function llava_enqueue\(.*\) \| settings \| \(none\)' ],
	[ 'ALTER FUNCTION llava_enqueue SECURITY INVOKER' => 'function llava_enqueue\(.*\) \| volatile, .* \| vuff' ],
	[ 'ALTER FUNCTION llava_image_tokens VOLATILE' => 'function llava_image_tokens\(.*\) \| volatile,.* \| vs' ],
	[ 'ALTER FUNCTION llava_image_tokens PARALLEL UNSAFE' => 'function llava_image_tokens\(.*\) \| volatile,.* \| iu' ],
	[ 'ALTER FUNCTION llava_image_tokens CALLED ON NULL INPUT' => 'function llava_image_tokens\(.*\) \| volatile,.* \| isf' ],
	[ 'ALTER FUNCTION llava_image_tokens LEAKPROOF' => 'function llava_image_tokens\(.*\) \| definition' ],
	[ 'CREATE OR REPLACE FUNCTION llava_page_turns(conversation jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
		BEGIN ATOMIC SELECT NULL::text; END' => 'function llava_page_turns\(jsonb\) \| definition' ],
	[ "CREATE OR REPLACE FUNCTION llava_start() RETURNS integer LANGUAGE c AS '\$libdir/llava_zh', 'llava_draw_task'"
		=> 'function llava_start\(\) \| source' ],
	[ 'CREATE OR REPLACE AGGREGATE llava_lines_sha256(text) (SFUNC = llava_lines_sha256_add, STYPE = internal, SSPACE = 99,
		FINALFUNC = llava_lines_sha256_end)' => 'function llava_lines_sha256\(text\) \| aggregate' ],
	[ 'ALTER FOREIGN DATA WRAPPER llava_zh NO VALIDATOR' => 'wrapper llava_zh \| validator' ],
	[ 'ALTER EXTENSION llava_zh DROP VIEW llava_turn' => 'member view llava_turn ' ],
	[ "CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'; ALTER EXTENSION llava_zh ADD FUNCTION f()"
		=> 'member function f\(\) ' ],
	[ 'CREATE DOMAIN d AS text; ALTER EXTENSION llava_zh ADD DOMAIN d' => 'type d \| base \| text' ],
	[ "UPDATE pg_extension SET extconfig = extconfig[2:], extcondition = extcondition[2:] WHERE extname = 'llava_zh'"
		=> 'dumped llava_' ],
	[ "UPDATE pg_extension SET extcondition[1] = 'WHERE false' WHERE extname = 'llava_zh'" => 'dumped llava_\w+ \| condition \| WHERE false' ],
	[ 'GRANT SELECT ON llava_image TO PUBLIC' => 'relation llava_image \| privileges of PUBLIC \| SELECT' ],
	[ 'GRANT SELECT (path) ON llava_image TO PUBLIC' => 'column llava_image.path \| privileges of PUBLIC' ],
	[ 'GRANT SELECT ON llava_turn TO reader' => 'relation llava_turn \| privileges of reader' ],
	[ 'GRANT EXECUTE ON FUNCTION llava_start() TO PUBLIC' => 'function llava_start\(\) \| privileges of PUBLIC' ],
	[ 'REVOKE EXECUTE ON FUNCTION llava_image_tokens FROM PUBLIC' => 'function llava_image_tokens\(.*\) \| privileges of PUBLIC' ],
	[ 'GRANT USAGE ON SEQUENCE llava_call_seq TO reader' => 'relation llava_call_seq \| privileges of reader' ],
	[ 'GRANT USAGE ON FOREIGN DATA WRAPPER llava_zh TO reader' => 'wrapper llava_zh \| privileges of reader' ],
	[ "DELETE FROM pg_init_privs WHERE objoid = 'llava_start()'::regprocedure" => 'initial privileges of function llava_start\(\)' ],
);
$node->safe_psql('postgres', join '; ', map { "CREATE ROLE $_" } @MADE_BY_TEST);
for (@changes)
{
	my ($change, $seen) = @$_;
	like(differences($fresh, eval { catalogue($node, 'postgres', '', $change) } // $@), qr/^[-+] $seen/m,
		'it sees ' . $change =~ s/\s+/ /gr);
}
is(differences($fresh, catalogue($node, 'postgres', $MADE_BY_TEST,
	'GRANT SELECT ON llava_turn TO reader; GRANT INSERT (path) ON llava_image TO feeder')), '',
	'but not what was granted to roles that it was told to leave out');

#
# An installation of 1.0.0 with something in each table.
#
$node->safe_psql('postgres', 'CREATE DATABASE old');
$node->safe_psql('old', "CREATE EXTENSION llava_zh VERSION '1.0.0'");
$node->safe_psql('old', $_) for
	"INSERT INTO llava_task (name, prompt) VALUES ('描述图片', '用一段话描述这张图片。')",
	"INSERT INTO llava_task (name, title, prompt, kind, language, weight) VALUES ('ours', 'Ours', 'Say.', 'description', 'en', 0)",
	LlavaZh::Cluster::pictures_sql(1, 6),
	"INSERT INTO llava_image (path, image) SELECT 'again.png', image FROM llava_image WHERE path = 'pic1.png'",
	"INSERT INTO llava_image (path, image) VALUES ('bad.jpg', 'no picture')",
	"SELECT llava_enqueue(2, 'ours')",
	"INSERT INTO llava_hash (image, coarse, fine, colours) VALUES (1, 5, '\\x01', '\\x02')",
	"INSERT INTO llava_interrupted (image, call, task) VALUES (1, nextval('llava_call_seq'), 'ours')",
	"INSERT INTO llava_reply (image, id, task, task_version, server, model, parameters, variation, sent_width, sent_height,
		body, prompt_tokens, image_tokens) VALUES (1, nextval('llava_call_seq'), 'ours', 1, 'sim', 'test', '{}', 0, 56, 56, '{}', 40, 4)",
	"INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version, keep, note)
		VALUES (1, 'ours', '[{\"from\": \"human\", \"value\": \"Say.\"}, {\"from\": \"gpt\", \"value\": \"A square.\"}]', 1, 2, 1, true, 'good')",
	"UPDATE llava_pending SET failure = 'refusal', detail = 'no', rejects = '{refusal}' WHERE image = 3",
	"INSERT INTO llava_usage (server, requests, cost) VALUES ('sim', 17, 1.25)",
	"SELECT llava_record_export('train.jsonl')",
	"SELECT llava_forget(6, 'a letter')",
	'GRANT SELECT ON llava_image, llava_conversation, llava_status, llava_pending TO reader',
	'GRANT SELECT (image, task, reason) ON llava_reply TO reader',
	'GRANT INSERT (path, image, licence) ON llava_image TO feeder WITH GRANT OPTION',
	'GRANT EXECUTE ON FUNCTION llava_export TO reader',
	'GRANT EXECUTE ON FUNCTION llava_validate TO reader WITH GRANT OPTION',
	'GRANT SELECT (pid, slot) ON llava_stat_worker TO reader',
	'GRANT SELECT ON llava_stat_server TO feeder',
	'GRANT EXECUTE ON FUNCTION llava_enqueue TO feeder',
	# functions that PUBLIC has in 1.0.0, too
	'GRANT EXECUTE ON FUNCTION llava_selected TO everything',
	'GRANT EXECUTE ON FUNCTION llava_server_counters TO everything WITH GRANT OPTION',
	'SET ROLE everything; GRANT EXECUTE ON FUNCTION llava_server_counters TO feeder',
	'GRANT EXECUTE ON FUNCTION llava_export TO exporter WITH GRANT OPTION',
	# 1.0.0's README, of who publishes
	'GRANT SELECT ON llava_image, llava_conversation, llava_task, llava_manifest, llava_manifest_line TO publisher',
	'GRANT INSERT ON llava_manifest, llava_manifest_line TO publisher',
	'GRANT EXECUTE ON FUNCTION llava_export, llava_record_export, llava_verify_export, llava_rebuild_export TO publisher',
	# what the lines of an export are made of, and none of its functions
	'GRANT SELECT ON llava_image, llava_conversation, llava_task, llava_reply TO stranger',
	'GRANT USAGE ON FOREIGN DATA WRAPPER llava_zh TO reader',
	'CREATE VIEW mine AS SELECT image, status, CASE WHEN status <> \'waiting\' THEN reason END AS reason FROM llava_status; GRANT SELECT ON mine TO reader';

my $tables = $node->safe_psql('old', <<'SQL');
SELECT format('SELECT %L, (SELECT string_agg(r::text, E''\n'' ORDER BY r::text) FROM (SELECT %s FROM %I) AS r);', c.relname,
	string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum), c.relname)
FROM pg_depend d JOIN pg_class c ON c.oid = d.objid JOIN pg_attribute a ON a.attrelid = c.oid
WHERE d.refclassid = 'pg_extension'::regclass AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'
	AND c.relkind IN ('r', 'S') AND NOT a.attisdropped AND (a.attnum > 0)
	AND a.attname <> 'log_cnt'
GROUP BY c.relname ORDER BY c.relname;
SQL
my @tables = split /\n/, $tables;

# All columns that 1.0.0 has, and the sequences.
sub contents
{
	my ($database, $only) = @_;
	$only = $only ? " WHERE $only" : '';
	return join "\n", map { $node->safe_psql($database, $_) } map({ s/FROM llava_task\K/$only/r } @tables),
		'SELECT * FROM mine ORDER BY 1, 2, 3',
		"SELECT sequencename, last_value FROM pg_sequences WHERE sequencename LIKE 'llava_%' ORDER BY 1";
}

# Who was granted what by the user.
sub grants
{
	my ($database) = @_;
	my $roles = join '|', @MADE_BY_TEST;
	return join "\n", grep { /privileges of (?:$roles) \|/ } split /\n/, catalogue($node, $database, '');
}

# Who publishes exports with a mix, in which a task needs a weight, records, verifies and rebuilds;
# all of it is undone.
sub publishes
{
	my ($database) = @_;
	my ($status, $out, $err) = $node->psql($database, <<'PUBLISHER', on_error_stop => 1);
BEGIN;
INSERT INTO llava_task (name, weight) VALUES ('ours', 1);
SET LOCAL ROLE publisher;
SELECT count(*) FROM llava_export(mix => true, tasks => '{ours}');
SELECT llava_record_export('mixed.jsonl', mix => true, tasks => '{ours}') > 1, llava_record_export('all.jsonl') > 1;
SELECT count(*) FROM llava_verify_export(1);
SELECT count(*) FROM llava_rebuild_export(1);
ROLLBACK;
PUBLISHER
	return $out . $err;
}

my $published = publishes('old');
is($published, "1\nt|t\n0\n1", 'a publisher exports with a mix, records, verifies and rebuilds');
is($node->safe_psql('old', "SET ROLE stranger; SELECT count(*) FROM llava_$_()"), '1', "llava_$_ is PUBLIC's in 1.0.0")
  for qw(selected exported);

my $contents = contents('old');
my $to_be_dumped = contents('old', 'NOT shipped');
my $grants = grants('old');
is(scalar(grep { $node->safe_psql('old', $_) =~ /^[a-z_]+\|.+/ } @tables), scalar @tables, 'every table has rows');
like($contents, qr/A square\..*again\.png.*a letter/s, 'which are read in full');
is(scalar(split /\n/, $grants), 34, 'there are grants');

$node->safe_psql('old', 'ALTER EXTENSION llava_zh UPDATE');
is(differences(catalogue($node, 'postgres', $MADE_BY_TEST), catalogue($node, 'old', $MADE_BY_TEST)), '',
	'after the update the catalogue is that of a new installation');
is(contents('old', q(kind <> 'json')), $contents, 'with every row as it was');
my $ARGUMENTS = 'text,text[],text[],boolean,text,double precision,text,text,text,bigint,boolean,integer,jsonb';
# these have a further argument
my $kept = $grants =~ s/^(function llava_(?:export|exported|selected|record_export|export_images|export_list)\([^)]*)\)/$1,jsonb)/mgr;
$kept =~ s/^(function llava_record_export\([^)]*)\)/$1,boolean)/m;
$kept =~ s/^(function llava_enqueue\(bigint,text,boolean)\)/$1,boolean,text,text)/m;
is(differences($kept, grants('old')), join("\n", map({ "+ function $_" }
	"llava_export_array($ARGUMENTS) | privileges of exporter | EXECUTE*",
	"llava_export_array($ARGUMENTS) | privileges of publisher | EXECUTE",
	"llava_export_array($ARGUMENTS) | privileges of reader | EXECUTE",
	"llava_exported($ARGUMENTS) | privileges of exporter | EXECUTE*",
	"llava_exported($ARGUMENTS) | privileges of publisher | EXECUTE",
	"llava_exported($ARGUMENTS) | privileges of reader | EXECUTE",
	"llava_exported_by($ARGUMENTS,integer,boolean) | privileges of publisher | EXECUTE",
	'llava_manifest_today(bigint) | privileges of publisher | EXECUTE',
	'llava_missing_workers() | privileges of reader | EXECUTE',
	'llava_process_activity() | privileges of reader | EXECUTE',
	"llava_selected($ARGUMENTS) | privileges of exporter | EXECUTE*",
	"llava_selected($ARGUMENTS) | privileges of publisher | EXECUTE",
	"llava_selected($ARGUMENTS) | privileges of reader | EXECUTE*",
	'llava_server_endpoints() | privileges of feeder | EXECUTE',
	'llava_server_limits() | privileges of feeder | EXECUTE',
	'llava_worker_counters() | privileges of reader | EXECUTE',
	'llava_worker_slots() | privileges of reader | EXECUTE'),
	# who may read the samples
	map({ "+ relation llava_annotation | privileges of $_ | SELECT" } qw(publisher reader stranger)),
	'+ relation llava_fetch | privileges of reader | SELECT', '+ relation llava_manifest_gone | privileges of publisher | SELECT',
	'+ relation llava_manifest_shard | privileges of publisher | SELECT'), 'every grant, and what each role needs for what it has');

is($node->safe_psql('old', "SET ROLE reader; SELECT count(*) FROM mine"), '9', "a user's view goes on");

#
# A dump of it is one of a new installation.
#
mkdir $node->backup_dir;
my $dump = $node->backup_dir . '/dump.sql';
$node->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('old') ], 'pg_dump');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored') ], 'restore');
is(differences(catalogue($node, 'old', ''), catalogue($node, 'restored', '')), '', 'the catalogue is the same, grants too');
is(contents('restored', 'NOT shipped'), $to_be_dumped, 'and every row');

# What goes on for roles that have llava_export goes on; the others lose what was PUBLIC's.
for my $database ('old', 'restored')
{
	is(publishes($database), $published, "$database: mix, record, verify and rebuild do what they did");
	for my $function ('llava_selected', 'llava_exported')
	{
		my ($status, $out, $err) = $node->psql($database, "SET ROLE stranger; SELECT count(*) FROM $function()", on_error_stop => 1);
		like($err, qr/permission denied for function $function/, "$database: $function is not for who has not llava_export");
	}
}

# Where PUBLIC was granted llava_export it keeps the two.
$node->safe_psql('postgres', 'CREATE DATABASE open');
$node->safe_psql('open', "CREATE EXTENSION llava_zh VERSION '1.0.0'; GRANT EXECUTE ON FUNCTION llava_export TO PUBLIC;
	ALTER EXTENSION llava_zh UPDATE");
is(differences(catalogue($node, 'postgres', ''), catalogue($node, 'open', '')),
	join("\n", map { "+ function $_($ARGUMENTS) | privileges of PUBLIC | EXECUTE" } qw(llava_export llava_export_array llava_exported llava_selected)),
	'PUBLIC has the two where it has llava_export');

# The update needs no particular schema.
$node->safe_psql('postgres', 'CREATE DATABASE elsewhere');
$node->safe_psql('elsewhere', <<'SQL');
CREATE SCHEMA "Bilder 1"; CREATE EXTENSION llava_zh SCHEMA "Bilder 1" VERSION '1.0.0'; ALTER EXTENSION llava_zh UPDATE;
SET search_path = "Bilder 1";
SQL
$node->safe_psql('elsewhere', 'ALTER DATABASE elsewhere SET search_path = "Bilder 1"');
$node->safe_psql('postgres', 'CREATE DATABASE elsewhere_new');
$node->safe_psql('elsewhere_new', 'CREATE SCHEMA "Bilder 1"; CREATE EXTENSION llava_zh SCHEMA "Bilder 1";
	ALTER DATABASE elsewhere_new SET search_path = "Bilder 1"');
is(differences(catalogue($node, 'elsewhere_new', ''), catalogue($node, 'elsewhere', '')), '', 'nor any particular schema');

#
# Today's library where 1.0.0 is installed.
#
my ($library) = slurp_file('src/pg/db/db.h') =~ /define LLAVA_ZH_VERSION "(.*)"/;
is($library, $node->safe_psql('postgres', "SELECT extversion FROM pg_extension WHERE extname = 'llava_zh'"),
	'library and control file name one version');

sub times_logged
{
	my $log = slurp_file($node->logfile);
	return scalar(() = $log =~ /LOG:  llava_zh: nothing is claimed in database "behind": the extension has version 1\.0\.0/g);
}

my $WAITS = "state = 'idle' AND activity LIKE '%ALTER EXTENSION llava_zh UPDATE%'";
$node->safe_psql('postgres', 'CREATE DATABASE behind');
$node->safe_psql('behind', "CREATE EXTENSION llava_zh VERSION '1.0.0'");
$node->safe_psql('behind', "CREATE SERVER sim FOREIGN DATA WRAPPER llava_zh OPTIONS (url '" . $endpoint->url . "', model 'test')");
$node->reload; # the launcher has its back-off from when the database was not there
my $worker = $node->wait_query("SELECT pid FROM llava_stat_worker WHERE $WAITS", '\d+', 'behind');
ok($worker, 'the worker says what it waits for');

$node->safe_psql('behind', LlavaZh::Cluster::pictures_sql(1, 3));
is($node->safe_psql('behind', 'SELECT count(*) FROM llava_pending'), '3', 'an INSERT is taken in and queues');
is($node->safe_psql('behind', "SELECT llava_enqueue(2, 'detail_en')"), 't', 'llava_enqueue queues');
like($node->safe_psql('behind', "SELECT llava_generate(image, 'detail') FROM llava_image WHERE id = 1"), qr/"gpt"/, 'llava_generate asks');
$node->safe_psql('behind', "INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
	VALUES (1, 'detail_en', '[{\"from\": \"human\", \"value\": \"Say.\"}, {\"from\": \"gpt\", \"value\": \"A square.\"}]', 1, 1, 1)");
like($node->safe_psql('behind', 'SELECT llava_export()'), qr/A square\./, 'llava_export writes');
like($node->safe_psql('behind', "SELECT llava_retry(), llava_record_export('f'), llava_page(1), llava_dataset_card()"), qr/A square\./,
	'and the others do what they did');

for my $call ('llava_drain()', 'llava_reparse()')
{
	my ($status, $out, $err) = $node->psql('behind', "\\set VERBOSITY verbose\nCALL $call");
	like($err, qr/ERROR:  55000: extension "llava_zh" has version 1\.0\.0 .*\nHINT:  ALTER EXTENSION llava_zh UPDATE;/,
		"$call asks for the update");
}

# a worker of 1.0.0 ended with this row
$node->safe_psql('behind', "UPDATE llava_pending SET holder = 0, call = nextval('llava_call_seq'), visible_at = now() + '1 day'
	WHERE image = 3");
my $rows = $node->safe_psql('behind', 'SELECT * FROM llava_pending ORDER BY image, task');
my $wakes = $node->safe_psql('behind', 'SELECT wakes FROM llava_stat_worker');
for (1 .. 3)
{
	$node->safe_psql('behind', "BEGIN; SELECT llava_enqueue(3, 'detail_en'); COMMIT; BEGIN; DELETE FROM llava_pending WHERE image = 3 AND task = 'detail_en'; COMMIT");
	$wakes++;
	ok($node->wait_query("SELECT wakes >= $wakes AND $WAITS FROM llava_stat_worker", 't', 'behind'), "wake $_ changes nothing");
}
is($node->safe_psql('behind', 'SELECT * FROM llava_pending ORDER BY image, task'), $rows, 'no row is claimed or written');
is($endpoint->stats->{requests}, 1, 'nobody but llava_generate asks');
is(times_logged(), 1, 'and one line in the log says why');

$node->safe_psql('behind', 'ALTER EXTENSION llava_zh UPDATE');
ok($node->wait_drained('behind'), 'after the update the worker goes on');
is($node->safe_psql('behind', 'SELECT pid FROM llava_stat_worker'), $worker, 'and is the same process');
is($node->safe_psql('behind', 'SELECT count(*) FROM llava_conversation'), '5', 'all that waited is done');
is($node->safe_psql('behind', 'SELECT count(*) FROM llava_interrupted WHERE image = 3'), '1', 'what its predecessor held too');
$node->safe_psql('behind', "SELECT llava_enqueue(3, 'detail_en'); CALL llava_drain(); CALL llava_reparse()");
is(times_logged(), 1, 'nothing more is said');

$node->safe_psql('behind', "DROP EXTENSION llava_zh CASCADE; CREATE EXTENSION llava_zh VERSION '1.0.0'");
ok($node->wait_query("SELECT true FROM llava_stat_worker WHERE $WAITS", 't', 'behind'), 'an older version made anew is waited for again');
is(times_logged(), 2, 'and logged again');

$node->stop('fast');
$endpoint->stop;
done_testing();
