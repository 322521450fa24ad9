# What somebody with INSERT may say, and what only a table's owner may: no row of a
# feeder brings back what was taken down, points at another's picture, takes an id that
# is another's, or is so large that the others' statements fail.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('writers', conf => "wal_level = logical\nmax_wal_senders = 4\nmax_replication_slots = 4\n");
$node->create_server('sim', $endpoint->url);

sub sql { return $node->safe_psql('postgres', $_[0]); }

# The error of a statement, with its SQLSTATE in front; '' if there is none.
sub fails
{
	my ($statement) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$statement", on_error_stop => 1);
	return $rc == 0 ? '' : $err;
}

# refused(role, statement, like, what): an error like this, and no row more or less
sub refused
{
	my ($role, $statement, $like, $what) = @_;
	my $count = 'SELECT (SELECT count(*) FROM llava_image), (SELECT count(*) FROM llava_pending),
		(SELECT count(*) FROM llava_task), (SELECT count(*) FROM llava_manifest)';
	my $before = sql($count);
	like(fails("SET ROLE $role;\n$statement"), $like, "$what: refused");
	is(sql($count), $before, "$what: and nothing is left of it");
	return;
}

sub bytes { return "decode('" . unpack('H*', LlavaZh::Cluster::png($_[0])) . "', 'hex')"; }

sql(<<'SQL');
CREATE ROLE feeder;          -- as the cookbook grants
CREATE ROLE wide;            -- the grants of 1.0.0's README
CREATE ROLE keeper;          -- owns the pictures
CREATE ROLE helper IN ROLE keeper;
CREATE ROLE publisher;
CREATE ROLE tasker;
CREATE ROLE loader IN ROLE pg_read_server_files;
GRANT INSERT (path, image, source_url, page_url, licence, task, meta, long_images) ON llava_image TO feeder, loader;
GRANT INSERT, SELECT ON llava_image TO wide;
GRANT INSERT, SELECT ON llava_task TO tasker;
GRANT SELECT ON llava_manifest TO publisher;
GRANT INSERT ON llava_manifest TO publisher;
GRANT SELECT (path, rejected, rejected_detail, same_as) ON llava_image TO loader;
GRANT EXECUTE ON PROCEDURE llava_load TO loader;
GRANT USAGE, CREATE ON SCHEMA public TO wide, keeper;
SQL

#
# received_at: a restore
#
sql(LlavaZh::Cluster::pictures_sql(1, 3));
ok($node->wait_drained, 'three samples');
sql("SELECT llava_forget(1, 'letter')");
my $asked = $endpoint->stats->{requests};
my $owner_only = qr/^psql:.*ERROR:  42501: only the owner of "llava_image" may give received_at.*HINT:  Leave the column received_at out/s;
my $restore = 'INSERT INTO llava_image (path, image, received_at) VALUES (\'back.png\', ' . bytes(1) . ', now())';
refused('wide', $restore, $owner_only, 'a row with received_at');
refused('feeder', $restore, qr/ERROR:  42501: permission denied/, 'with the grants of a column');
refused('wide', "INSERT INTO llava_image (path, received_at, same_as) VALUES ('x', now(), 2)", $owner_only, 'same_as of another');
refused('wide', "INSERT INTO llava_image (path, received_at, rejected) VALUES ('/etc/passwd', '-infinity', 'x')", $owner_only, 'a path that leads out');
refused('wide', "COPY llava_image (path, received_at) FROM STDIN;\nx\t2020-01-01\n\\.\n", $owner_only, 'COPY');
refused('wide', "$restore ON CONFLICT DO NOTHING", $owner_only, 'ON CONFLICT');
refused('wide', "MERGE INTO llava_image USING (VALUES (1)) v (n) ON false WHEN NOT MATCHED THEN INSERT (path, received_at) VALUES ('x', now())", $owner_only, 'MERGE');
refused('wide', "WITH one AS ($restore RETURNING id) SELECT * FROM one", $owner_only, 'a WITH');
sql(<<'SQL');
CREATE VIEW pictures AS SELECT * FROM llava_image;
GRANT INSERT, SELECT ON pictures TO feeder;
CREATE TABLE inbox (path text, at timestamptz);
GRANT INSERT ON inbox TO feeder;
CREATE RULE forward AS ON INSERT TO inbox DO ALSO INSERT INTO llava_image (path, received_at) VALUES (NEW.path, NEW.at);
SQL
refused('feeder', "INSERT INTO pictures (path, received_at) VALUES ('x', now())", $owner_only, "a superuser's view");
refused('feeder', "INSERT INTO inbox VALUES ('x', now())", $owner_only, "a superuser's rule");
refused('wide', "PREPARE p AS $restore; EXECUTE p", $owner_only, 'a prepared statement');
sql('DROP VIEW pictures; DROP TABLE inbox');

# the owner, by whatever way: but what was taken down does not come back
my $sha256 = 'sha256(' . bytes(1) . ')';
sql("ALTER TABLE llava_image OWNER TO keeper; GRANT SELECT, INSERT, DELETE ON llava_image TO postgres;
	ALTER TABLE llava_hash OWNER TO keeper");
for my $role (qw(keeper helper postgres))
{
	sql("SET ROLE $role; INSERT INTO llava_image (path, image, sha256, format, width, same_as, received_at)
		VALUES ('$role.png', " . bytes(1) . ", $sha256, 'png', 56, 2, '2020-01-01')");
	is(sql("SELECT rejected, rejected_detail ~ '^taken down on ....-..-..: letter\$', image IS NULL, in_file, format IS NULL,
			width IS NULL, same_as IS NULL, received_at::date, sha256 = $sha256
		FROM llava_image WHERE path = '$role.png'"), 'forgotten|t|t|f|t|t|t|2020-01-01|t', "restored by $role it is a row that says so");
}
sql("INSERT INTO llava_image (path, image, sha256, received_at) VALUES ('copy.png', " . bytes(3) . ", sha256(" . bytes(3) . "), now())");
is(sql("SELECT rejected IS NULL, length(image) > 0 FROM llava_image WHERE path = 'copy.png'"), 't|t', 'another is taken as it is');
sql("INSERT INTO llava_image (path, sha256, rejected, rejected_detail, received_at) VALUES ('was.png', $sha256, 'forgotten', 'said before', now())");
is(sql("SELECT rejected_detail FROM llava_image WHERE path = 'was.png'"), 'said before', 'so is one that was refused before');
my $hostile = "CREATE SCHEMA IF NOT EXISTS evil; CREATE OR REPLACE FUNCTION evil.eq(bytea, bytea) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE ''stolen''; END';
	CREATE OPERATOR evil.= (LEFTARG = bytea, RIGHTARG = bytea, FUNCTION = evil.eq);";
sql($hostile);
sql("SET search_path = evil, pg_catalog, public; INSERT INTO llava_image (path, image, sha256, received_at) VALUES ('evil.png', " . bytes(1) . ", $sha256, now())");
is(sql("SELECT rejected FROM llava_image WHERE path = 'evil.png'"), 'forgotten', 'under a hostile search_path too');
sql("SET session_replication_role = replica; INSERT INTO llava_image (path, image, sha256, received_at) VALUES ('applied.png', " . bytes(1) . ", $sha256, now())");
is(sql("SELECT rejected, image IS NULL FROM llava_image WHERE path = 'applied.png'"), 'forgotten|t', 'and where a subscription applies it');
is(sql("SELECT count(*) FROM llava_pending"), '0', 'nothing is queued');
is($endpoint->stats->{requests}, $asked, 'and nothing was asked');
# a table's grants of before still let pictures in
sql("SET ROLE wide; INSERT INTO llava_image (path, image, same_as, rejected, in_file, width) VALUES ('wide.png', " . bytes(4) . ", 2, 'x', true, 7)");
is(sql("SELECT same_as IS NULL, rejected IS NULL, sha256 = sha256(image), in_file, width, received_at IS NOT NULL FROM llava_image WHERE path = 'wide.png'"),
	't|t|t|f|56|t', 'what intake finds out is not what a writer says');
sql("SET session_replication_role = replica; DELETE FROM llava_image WHERE path IN ('keeper.png', 'helper.png', 'postgres.png', 'copy.png', 'was.png', 'evil.png', 'applied.png');
	RESET session_replication_role;
	ALTER TABLE llava_image OWNER TO postgres; ALTER TABLE llava_hash OWNER TO postgres");
ok($node->wait_drained, 'and it is asked about');

# a real subscription
my $from = $node->connstr('postgres') =~ s/'//gr;
my $copy = LlavaZh::Cluster->new('subscriber', databases => '');
$copy->safe_psql('postgres', "INSERT INTO llava_seen (sha256, image, forgotten_at, forgotten_reason) VALUES (sha256(" . bytes(2) . "), 2, now(), 'there')");
sql('CREATE PUBLICATION pictures FOR TABLE llava_image');
$copy->safe_psql('postgres', "CREATE SUBSCRIPTION pictures CONNECTION '$from' PUBLICATION pictures");
ok($copy->wait_query("SELECT string_agg(path || ':' || coalesce(rejected, 'whole'), ' ' ORDER BY path) FROM llava_image", 'pic2.png:forgotten pic3.png:whole wide.png:whole'),
	'a subscriber has its own tombstones');
sql(LlavaZh::Cluster::pictures_sql(2, 2));
sql("SELECT llava_remove(id) FROM llava_image WHERE path = 'pic3.png'");
ok($copy->wait_query("SELECT count(*) = 0 FROM llava_image WHERE path = 'pic3.png'"), 'and follows');
$copy->safe_psql('postgres', 'DROP SUBSCRIPTION pictures');
$copy->stop('fast');
sql('DROP PUBLICATION pictures');

#
# ids
#
my $no_id = qr/ERROR:  42501: only the owner of "llava_image" may give an id: -?\d+.*HINT:  Leave the column id out/s;
my $next = sql("SELECT last_value + 1 FROM llava_image_id_seq");
refused('wide', "INSERT INTO llava_image (id, path, image) VALUES ($next, 'x', " . bytes(20) . ')', $no_id, 'the next id');
refused('wide', "INSERT INTO llava_image (id, path, image) VALUES (9223372036854775807, 'x', " . bytes(20) . ')', $no_id, 'the last id');
refused('wide', "INSERT INTO llava_image (id, path, image) VALUES (1, 'x', " . bytes(20) . ')', $no_id, 'the id of a picture that was taken down');
refused('wide', "INSERT INTO llava_image (id, path, image) VALUES (-1, 'x', " . bytes(20) . ')', $no_id, 'an id below');
refused('wide', "COPY llava_image (id, path) FROM STDIN;\n$next\tx\n\\.\n", $no_id, 'an id by COPY');
refused('wide', "INSERT INTO llava_image (id, path, image) VALUES (DEFAULT, 'x', " . bytes(20) . '), (' . ($next + 2) . ", 'y', " . bytes(21) . ')', $no_id, 'one in a statement');
# drawn, taken down, given again in the same session
like(fails("SET ROLE wide;
	INSERT INTO llava_image (path, image) VALUES ('drawn.png', " . bytes(22) . ") RETURNING id \\gset\n
	RESET ROLE; SELECT llava_forget(:id, 'at once'); SET ROLE wide;
	INSERT INTO llava_image (id, path, image) VALUES (:id, 'again.png', " . bytes(23) . ')'), $no_id, 'an id that the session drew serves once');
is(sql("SELECT count(*) FROM llava_image WHERE path IN ('drawn.png', 'again.png')"), '0', 'and not again');
sql("SET ROLE wide; INSERT INTO llava_image (path, image) SELECT 'many' || n, " . bytes(24) . ' FROM generate_series(1, 5) n');
is(sql("SELECT count(*) FROM llava_image WHERE path LIKE 'many%'"), '5', 'ids that are drawn are given');
is(sql("SET ROLE feeder; INSERT INTO llava_image (path, image) VALUES ('f1', " . bytes(25) . '), (\'f2\', ' . bytes(26) . "); RESET ROLE;
	SELECT count(*) FROM llava_image WHERE path IN ('f1', 'f2')"), '2', 'to a feeder without rights on the sequence');
sql("SET ROLE feeder;\nCOPY llava_image (path, image) FROM STDIN;\nc1\t\\\\x00\nc2\t\\\\x01\n\\.\n");
is(sql("SELECT count(*) FROM llava_image WHERE path IN ('c1', 'c2')"), '2', 'by COPY too');
sql("INSERT INTO llava_image (id, path, image) VALUES (100000, 'mine', " . bytes(27) . ')');
is(sql('SELECT path FROM llava_image WHERE id = 100000'), 'mine', "the owner's are taken");
is(sql("BEGIN; TRUNCATE llava_image, llava_hash, llava_seen, llava_pending RESTART IDENTITY; SET LOCAL ROLE wide;
	INSERT INTO llava_image (path, image) VALUES ('r1', " . bytes(30) . ") RETURNING id; RESET ROLE;
	TRUNCATE llava_image, llava_hash, llava_seen, llava_pending RESTART IDENTITY; SET LOCAL ROLE wide;
	INSERT INTO llava_image (path, image) VALUES ('r2', " . bytes(30) . ") RETURNING id; ROLLBACK"), "1\n1", 'RESTART IDENTITY is none of a session\'s business');
ok($node->wait_drained, 'and asked about');
refused('publisher', "INSERT INTO llava_manifest (id, file, settings, rows, bytes, sha256) VALUES (99, 'x', '{}', 0, 0, '')",
	qr/42501: only the owner of "llava_manifest" may give an id: 99/, "a recorded export's id");
sql("SET ROLE publisher; INSERT INTO llava_manifest (file, settings, rows, bytes, sha256) VALUES ('x', '{}', 0, 0, '')");
refused('tasker', "INSERT INTO llava_task (name, version, prompt, kind) VALUES ('x', 2147483647, 'p', 'description')",
	qr/42501: only the owner of "llava_task" may give version/, 'a version');
sql("SET ROLE tasker; INSERT INTO llava_task (name, prompt, kind, language) VALUES ('x', 'p', 'description', 'zh')");
sql("INSERT INTO llava_task (name, version, prompt, kind) VALUES ('last', 2147483647, 'p', 'description')");
like(fails("INSERT INTO llava_task (name, prompt) VALUES ('last', 'q')"), qr/22003: the task "last" has version 2147483647/, 'there is no version after the last');

#
# llava_load by somebody with a feeder's rights
#
my $folder = PostgreSQL::Test::Utils::tempdir . '/load';
mkdir $folder or die;
append_to_file("$folder/huge.png", 'x' x 3000);
append_to_file("$folder/small.png", LlavaZh::Cluster::png(40, 12));
sql("ALTER SYSTEM SET llava_zh.image_max_size = '2kB'; SELECT pg_reload_conf()");
ok($node->wait_query('SHOW llava_zh.image_max_size', '2kB'), 'files over 2 kB are refused');
sql("ALTER TABLE llava_image ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON llava_image TO loader USING (true) WITH CHECK (licence = 'mine')");
my ($rc, $out, $err) = $node->psql('postgres', "SET ROLE loader; CALL llava_load('$folder', licence => 'theirs')");
like($err, qr/could not load "huge.png": new row violates row-level security/, 'a file that is too large meets the policies, too');
is(sql("SELECT count(*) FROM llava_image WHERE path IN ('huge.png', 'small.png')"), '0', 'and no row comes of it');
like(fails("SET ROLE loader;\nCALL llava_load('$folder', licence => repeat('x', 4097));"), qr/22001: value too long for column "licence"/, 'a licence that is too long is said before the first file');
is(fails("SET ROLE loader;\nCALL llava_load('$folder', licence => 'mine');"), '', 'a feeder loads');
is(sql("SELECT path, rejected, rejected_detail, bytes, image IS NULL, received_at IS NOT NULL FROM llava_image WHERE path IN ('huge.png', 'small.png') ORDER BY path"),
	"huge.png|too_large|the file has 3000 bytes, over llava_zh.image_max_size|3000|t|t\nsmall.png|||" . length(LlavaZh::Cluster::png(40, 12)) . '|f|t', 'also what is too large, as a row that says so');
sql('DROP POLICY own ON llava_image; ALTER TABLE llava_image DISABLE ROW LEVEL SECURITY; REVOKE INSERT (licence) ON llava_image FROM loader');
append_to_file("$folder/huge2.png", 'x' x 3000);
like(fails("SET ROLE loader;\nCALL llava_load('$folder', licence => 'mine');"), qr/42501: permission denied for table llava_image/, 'without INSERT on a column it does not');
like(fails('INSERT INTO llava_image (path) VALUES (\'none\')'), qr/needs the bytes of its picture/, 'and a row without bytes is still an error');
sql('ALTER SYSTEM RESET llava_zh.image_max_size; SELECT pg_reload_conf()');

#
# Lengths: at the limit a value is taken, a byte beyond it is not
#
my %limit = (
	path => 2048, source_url => 8192, page_url => 8192, licence => 4096);
sub insert_one { return "INSERT INTO llava_image ($_[0], path, image) VALUES ($_[1], 'one', " . bytes(50) . ')'; }
for my $column (sort keys %limit)
{
	my $n = $limit{$column};
	my $as = sub { $column eq 'path' ? "INSERT INTO llava_image (path, image) VALUES ($_[0], " . bytes(50) . ')' : insert_one($column, $_[0]) };
	my $like = qr/ERROR:  22001: value too long for column "$column" of "llava_image": @{[$n + 1]} bytes, and the limit is $n.*HINT:/s;
	refused('feeder', $as->("repeat('x', $n + 1)"), $like, $column);
	refused('feeder', $as->("repeat('\x{e7}\x{8c}\x{ab}', $n / 3 + 1)"), qr/22001/, "$column in characters of three bytes");
	is(fails("SET ROLE feeder;\n" . $as->("repeat('x', $n)")), '', "$column of $n bytes is taken");
	like(fails("UPDATE llava_image SET $column = repeat('x', $n + 1) WHERE path = 'pic2.png'"), $like, "$column by UPDATE");
}
refused('feeder', insert_one('licence', "repeat('x', 240000000)"), qr/22001.*240000000 bytes/, 'a licence of 240 MB');
refused('feeder', insert_one('meta', "jsonb_build_object('m', repeat('x', 1100000))"), qr/22001: value too long for column "meta"/, 'a large meta');
refused('feeder', insert_one('task', "repeat('x', 100000)"), qr/22001: value too long for column "task"/, 'a long task');
refused('feeder', insert_one('licence', "chr(0)"), qr/54000/, 'a NUL');
refused('feeder', insert_one('licence', "convert_from('\\xff', 'UTF8')"), qr/22021/, 'invalid UTF-8');
refused('feeder', insert_one('meta', "repeat('[', 100000)::jsonb"), qr/54001/, 'JSON without an end to its depth');
refused('feeder', insert_one('long_images', "'no'"), qr/23514/, 'a word that is not long_images\'');
refused('tasker', "INSERT INTO llava_task (name, kind, language, prompt) VALUES ('long', 'description', 'zh', repeat('x', 131073))", qr/22001: value too long for column "prompt" of "llava_task"/, 'a prompt');
refused('tasker', "INSERT INTO llava_task (name, kind, language, prompt) VALUES (repeat('x', 257), 'description', 'zh', 'p')", qr/22001: .*"name"/, 'the name of a task');
refused('tasker', "INSERT INTO llava_task (name, kind, language, prompt, questions) VALUES ('long', 'description', 'zh', 'p', ARRAY[repeat('x', 1100000)])", qr/22001: .*"questions"/, 'questions');
refused('tasker', "INSERT INTO llava_task (name, kind, language, prompt, alias) VALUES ('long', 'description', 'zh', 'p', repeat('x', 257))", qr/22001: .*"alias"/, 'an alias');

# what is allowed at its worst harms nobody
ok($node->wait_drained, 'what was taken is asked about');
sql("DELETE FROM llava_conversation; TRUNCATE llava_image, llava_hash");
sql('SET ROLE feeder; ' . join ' ', map {
	"INSERT INTO llava_image (path, image, task, licence, source_url, page_url, meta)
	VALUES ($_ || E'\\n\\t\x01|`*<b>/' || repeat(repeat('p', 200) || '/', 4) || 'ppp', " . bytes(100 + $_) . ", 'detail', $_ || E'\\r\\n| x |\\n# y\x7f<script>\\u2028' || repeat('\x{e7}\x{8c}\x{ab}', 1300),
		repeat('u', 8192), repeat(E'\\n', 8192), ('{\"a\": ' || repeat('[', 1000) || repeat(']', 1000) || ', \"b\": \"' || repeat('\\u0001', 100000) || '\"}')::jsonb);" } 1 .. 120);
ok($node->wait_drained, 'a hundred and twenty pictures with the worst words');
is(sql('SELECT count(*) FROM llava_conversation'), '120', 'a sample each');
# under names that every file can have
sub card { my $id = sql("SELECT llava_record_export('x', image_name => 'sha256')"); return "llava_dataset_card(manifests => '{$id}')"; }
my $card = sql('SELECT ' . card());
is(scalar(() = $card =~ /^\| \d+  \\\| x \\\| .{0,900}\.\.\. \| 1 \|$/mg), 100, 'the card has a hundred licences, clipped');
is(scalar(() = $card =~ /^\| \S+ 20 \S+ others \| 20 \|$/mg), 1, 'and counts the others');
unlike($card, qr/^# y/m, 'none of which leaves its line');
unlike($card, qr/<script>/, 'or is mark-up');
cmp_ok(length $card, '<', 300_000, 'so it stays a page');
is(sql("SELECT count(*) FROM llava_export('llava')"), '0', 'an export leaves out names that no file can have');
is(sql("SELECT count(*) FROM llava_export('llava', image_name => 'sha256')"), '120', 'and has them by their sha256');
is(sql("SELECT length(llava_page(10)) BETWEEN 1 AND 1000000"), 't', 'and the page');
is(sql("SELECT count(*), max(samples) FROM (SELECT task, done AS samples FROM llava_progress WHERE done > 0) p"), '1|120', 'progress counts');
is(sql("SELECT count(*) FROM llava_status WHERE status = 'done'"), '120', 'so does the status');
sql("INSERT INTO llava_task (name, kind, language, prompt) VALUES ('cr', 'description', 'zh', E'one\\r# two\\r\\nthree')");
sql("UPDATE llava_conversation SET task = 'cr', task_version = 1 WHERE image = (SELECT min(id) FROM llava_image)");
like(sql('SELECT ' . card()), qr/^    one\n    # two\n    three$/m, 'a carriage return does not end the block of a prompt');

# notes
sql("GRANT SELECT, UPDATE (keep, note) ON llava_conversation TO wide");
like(fails("SET ROLE wide;\nUPDATE llava_conversation SET note = repeat('n', 32769)"), qr/22001: value too long for column "note" of "llava_conversation": 32769 bytes, and the limit is 32768/, 'a note has a limit');
is(sql("SET ROLE wide; UPDATE llava_conversation SET note = repeat('n', 32768), keep = true WHERE image = (SELECT min(image) FROM llava_conversation); RESET ROLE;
	SELECT max(length(note)) FROM llava_conversation"), '32768', 'at which it is taken');

# reasons of operators
like(fails("SELECT llava_forget(id, repeat('r', 4097)) FROM llava_image"), qr/22001: value too long for column "forgotten_reason"/, 'so has a reason');
like(fails("SELECT llava_retry(reason => repeat('r', 1000000))"), qr/^$/, 'a reason that no row has changes nothing');

# values of 1.0.0 stay, and break nothing
sql("SET session_replication_role = replica; UPDATE llava_image SET licence = repeat('*', 240000000) WHERE id = (SELECT max(id) FROM llava_image);
	UPDATE llava_conversation SET note = repeat('N', 240000000) WHERE image = (SELECT max(id) FROM llava_image)");
cmp_ok(sql('SELECT length(' . card() . ')'), '<', 300_000, 'a card with a licence of 240 MB');
cmp_ok(sql('SELECT length(llava_page(120))'), '<', 5_000_000, 'a page with such a note');
is(sql("UPDATE llava_image SET licence = licence, path = path; UPDATE llava_conversation SET note = note, keep = false WHERE note LIKE 'N%' RETURNING keep"), 'f', 'an UPDATE that leaves them is none of a new value');
is(sql("SELECT llava_forget(max(id), 'large') FROM llava_image"), '1', 'and they can be taken down');
sql("UPDATE llava_seen SET forgotten_reason = repeat('R', 200000000) WHERE forgotten_reason = 'large'");
sql('SET ROLE feeder; INSERT INTO llava_image (path, image) VALUES (\'again\', ' . bytes(220) . ')');
is(sql("SELECT rejected, length(rejected_detail) < 5000 FROM llava_image WHERE path = 'again'"), 'forgotten|t', 'a reason of 200 MB is not copied to each row');

$node->stop('fast');
$endpoint->stop;
done_testing();
