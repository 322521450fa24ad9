# CALL llava_forget_all: batches of takedowns beside a worker that goes on; made again after
# an interruption; llava_remove, after which the same bytes may come again; and DELETE, which
# is refused.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('forget_all', databases => 'postgres');
sub sql { return $node->safe_psql('postgres', $_[0]); }
sub ids { return join ',', $_[0] .. $_[1]; }
sub said { my ($ret, $out, $err) = $node->psql('postgres', $_[0]); return $err; }

# 3,000 pictures without bytes worth mentioning, every third with two copies, all with a sample
sql(<<'SQL');
CREATE FUNCTION png(n integer) RETURNS bytea LANGUAGE sql AS $$ SELECT convert_to('no picture ' || n, 'UTF8') $$;
INSERT INTO llava_image (path, image) SELECT format('p%s.png', n), png(n) FROM generate_series(1, 3000) n;
INSERT INTO llava_image (id, path, sha256, same_as, received_at)
	SELECT 10000 * c + id, format('copy%s-%s', c, path), sha256, id, now() FROM llava_image, generate_series(1, 2) c WHERE id % 3 = 0 AND id <= 3000;
INSERT INTO llava_reply (image, id, task, task_version, server, model, parameters, variation, body)
	SELECT id, id, 'detail', 1, 'sim', 'm', '{}', 0, '{}' FROM llava_image;
INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
	SELECT id, 'detail', '[{"from": "human", "value": "?"}, {"from": "gpt", "value": "!"}]', 1, id, 1 FROM llava_image;
SELECT setval('llava_call_seq', 100000);
ANALYZE;
CREATE ROLE operator;
GRANT EXECUTE ON PROCEDURE llava_forget_all(bigint[], text, integer) TO operator;
SQL
my $left = 'SELECT (SELECT count(*) FROM llava_image), (SELECT count(*) FROM llava_conversation), (SELECT count(body) FROM llava_reply), (SELECT count(*) FROM llava_seen WHERE forgotten_at IS NOT NULL)';

# by a role that has EXECUTE and nothing else, whose search_path has operators of its own
my $hostile = 'CREATE SCHEMA mine; GRANT ALL ON SCHEMA mine TO operator; SET ROLE operator;
	CREATE FUNCTION mine.no(bigint, bigint) RETURNS boolean LANGUAGE sql AS $$ SELECT false $$;
	CREATE OPERATOR mine.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = mine.no); RESET ROLE';
sql($hostile);
my $all = said('SET search_path = mine, public, pg_catalog; SET ROLE operator;
	CALL public.llava_forget_all(\'{' . ids(1, 300) . ',NULL,999999}\', \'letter\')');
like($all, qr/NOTICE:  llava_forget_all: 301 ids, 500 rows of llava_image erased\n/, '300 pictures with the copies of 100 of them');
unlike($all, qr/nothing is known/, 'without a word for each copy that went with its original');
is(sql($left), '4500|4500|4500|300', 'everything of them is gone, and a tombstone each');
like(said("CALL llava_forget_all('{@{[ids(1, 300)]}}', 'letter')"), qr/300 ids, 0 rows/, 'the same call again changes nothing');
is(sql($left), '4500|4500|4500|300', 'in fact');

# committed as it goes: an error in the middle leaves what was done, and the call is made again
sql("CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN RAISE 'stopped'; END \$\$;
	CREATE TRIGGER stop BEFORE DELETE ON llava_conversation FOR EACH ROW WHEN (OLD.image = 450) EXECUTE FUNCTION stop()");
like(said("CALL llava_forget_all('{@{[ids(301, 600)]}}', 'letter', 20)"), qr/stopped/, 'a call is broken off');
my ($images) = split /\|/, sql($left);
cmp_ok($images, '<=', 4500 - 140, 'what was committed is gone');
cmp_ok($images, '>', 4000, 'and no more');
is(sql("SELECT count(*) FROM llava_conversation c WHERE NOT EXISTS (SELECT FROM llava_image i WHERE i.id = c.image)"), '0', 'each batch wholly');
sql('DROP TRIGGER stop ON llava_conversation');
like(said("CALL llava_forget_all('{@{[ids(301, 600)]}}', 'letter')"), qr/300 ids/, 'and made again');
is(sql($left), '4000|4000|4000|600', 'all are gone');

# a picture whose row was deleted before has its tombstone all the same
sql("INSERT INTO llava_seen (sha256, image) SELECT sha256, id FROM llava_image WHERE id = 601;
	SET session_replication_role = replica; DELETE FROM llava_image WHERE id = 601");
sql("CALL llava_forget_all('{601,602}', 'letter')");
is(sql("SELECT count(*) FROM llava_seen WHERE image IN (601, 602) AND forgotten_reason = 'letter'"), '2', 'a row that was deleted before leaves a tombstone too');
is(sql('SELECT count(*) FROM llava_conversation WHERE image IN (601, 602)'), '0', 'and its sample goes');

for my $case (
	[ "BEGIN; CALL llava_forget_all('{1}', 'x')", qr/cannot run inside a transaction block/ ],
	[ "CALL llava_forget_all(NULL, 'x')", qr/images is NULL.*HINT:.*CALL llava_forget_all/s ],
	[ "CALL llava_forget_all('{1}', '')", qr/reason is empty/ ],
	[ "CALL llava_forget_all('{1}', 'x', 0)", qr/batch 0 is less than 1/ ],
	[ "SET default_transaction_isolation = 'serializable'; CALL llava_forget_all('{700}', 'x')", qr/^NOTICE:.*1 ids, 1 rows/ ],
	[ "SET ROLE operator; SELECT llava_remove(1)", qr/permission denied for function llava_remove/ ],
	[ "SELECT llava_remove(NULL)", qr/image is NULL/ ],
	[ "DELETE FROM llava_image WHERE id = 900", qr/rows of "llava_image" are not deleted by DELETE\n.*DETAIL:.*stay behind.*HINT:  SELECT llava_remove\(id\)/s ])
{
	like(said($case->[0]) =~ s/^psql:\S+ //mgr, $case->[1], $case->[0]);
}
is(sql('SELECT count(*) FROM llava_image WHERE id = 900'), '1', 'the row is there');

# beside a worker: its slots stay full, and no batch is in its way for long
$node->create_server('sim', $endpoint->url, "max_in_flight '8'");
$node->insert_pictures(1, 200, 'detail');
my $call = $node->background_psql('postgres', on_error_stop => 0);
$call->query_until(qr/begun/, "\\echo begun\nCALL llava_forget_all('{@{[ids(1001, 3000)]}}', 'letter');\n");
ok($node->wait_drained, 'a worker goes on beside it');
$call->quit;
is(sql("SELECT count(*) FROM llava_conversation c JOIN llava_image i ON i.id = c.image WHERE path LIKE 'pic%'"), '200', 'every sample is there');
is(sql('SELECT count(*) FROM llava_image WHERE id BETWEEN 1001 AND 3000'), '0', 'and every picture of the call gone');

#
# llava_remove
#
sub insert { sql("INSERT INTO llava_image (path, image, task) VALUES ('$_[1]', decode('" . unpack('H*', LlavaZh::Cluster::png($_[0])) . "', 'hex'), 'detail')"); return; }
insert(901, 'mistake.png');
insert(901, 'mistake-copy.png');
ok($node->wait_drained, 'a picture with a copy');
my ($mistake, $copy) = map { sql("SELECT id FROM llava_image WHERE path = '$_.png'") } qw(mistake mistake-copy);
is(sql("SELECT llava_remove($copy)"), '1', 'a copy goes alone');
is(sql("SELECT count(*) FROM llava_conversation WHERE image = $mistake"), '1', 'the picture stays');
insert(901, 'mistake-copy.png');
is(sql("SELECT same_as FROM llava_image WHERE path = 'mistake-copy.png'"), $mistake, 'and is known to be the same');
my $cost = sql('SELECT sum(completion_tokens), count(*) FROM llava_reply');
is(sql("SELECT llava_remove($mistake)"), '2', 'the picture takes its copies with it');
is(sql("SELECT count(*) FROM llava_conversation WHERE image = $mistake") . sql("SELECT count(body) FROM llava_reply WHERE image = $mistake"), '00', 'its sample and the words of its reply');
is(sql('SELECT sum(completion_tokens), count(*) FROM llava_reply'), $cost, 'but not the cost');
my $asked = $endpoint->stats->{requests};
insert(901, 'again.png');
ok($node->wait_drained, 'the same bytes come again');
is(sql("SELECT rejected IS NULL, same_as IS NULL, (SELECT count(*) FROM llava_conversation WHERE image = id) FROM llava_image WHERE path = 'again.png'"), 't|t|1', 'as a new picture');
is($endpoint->stats->{requests}, $asked + 1, 'which is asked about');
my $again = sql("SELECT id FROM llava_image WHERE path = 'again.png'");
sql("SELECT llava_forget($again, 'letter')");
insert(901, 'refused.png');
is(sql("SELECT llava_remove(id) FROM llava_image WHERE path = 'refused.png'"), '1', 'the row of a picture that was taken down can be removed');
insert(901, 'refused.png');
is(sql("SELECT rejected FROM llava_image WHERE path = 'refused.png'"), 'forgotten', 'its tombstone cannot');
like(said('SELECT llava_remove(999999)'), qr/NOTICE:.*nothing is known of image 999999/, 'nothing is known of what was never there');

$node->stop('fast');
$endpoint->stop;
done_testing();
