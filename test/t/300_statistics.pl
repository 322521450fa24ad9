# A takedown and pg_statistic: no value of an erased picture is left in what ANALYZE stored,
# of columns, index expressions and extended statistics; what tells of no erased picture
# stays; after README's commands no relation file has its words.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Page;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = LlavaZh::Cluster->new('statistics', databases => '');
sub sql { return $node->safe_psql('postgres', $_[0]); }

# Words that are nowhere compressed, of picture $_[0].
sub marker { return "Zx$_[0]qWvKpT"; }

# Everything that can be said of picture n, in every table.
sql(<<'SQL');
CREATE INDEX by_title ON llava_image ((meta ->> 'title'));
CREATE INDEX by_note ON llava_conversation ((note || ''));
CREATE INDEX by_words ON llava_reply (substr(encode(body, 'escape'), 1, 40));
CREATE STATISTICS pairs (mcv) ON path, licence FROM llava_image;
ALTER TABLE llava_image ADD asset text;
SQL

sub fill
{
	my ($from, $to) = @_;
	for my $n ($from .. $to)
	{
		my ($m, $bytes) = (marker($n), unpack('H*', LlavaZh::Cluster::png($n)));
		sql(<<SQL);
INSERT INTO llava_image (path, image, source_url, page_url, licence, meta, asset)
	VALUES ('$m.png', decode('$bytes', 'hex'), 'http://x.cn/$m.png', 'http://x.cn/$m/', 'licence ' || $n % 3, '{"title": "$m"}', 'asset $m');
INSERT INTO llava_reply (image, id, task, task_version, server, model, parameters, variation, body, measures)
	SELECT id, $n, 'detail', 1, 'sim', 'm', '{}', 0, convert_to('$m said', 'UTF8'), '{"m": "$m"}' FROM llava_image WHERE path = '$m.png';
INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version, note)
	SELECT id, 'detail', '[{"from": "human", "value": "?"}, {"from": "gpt", "value": "$m"}]', 1, $n, 1, 'Note $m' FROM llava_image WHERE path = '$m.png';
UPDATE llava_pending SET failure = 'refusal', detail = 'no $m' WHERE image = (SELECT id FROM llava_image WHERE path = '$m.png');
INSERT INTO llava_manifest_line (image, task, manifest, line, file_name, sha256)
	SELECT id, 'detail', 1, $n, '$m.png', 'x' FROM llava_image WHERE path = '$m.png';
INSERT INTO llava_hash (image, coarse, fine, colours)
	SELECT id, $n, convert_to('fine $m', 'UTF8'), convert_to('$m', 'UTF8') FROM llava_image WHERE path = '$m.png';
SQL
	}
	return;
}
fill(1, 30);

# Which columns' stored statistics have the words; bytes are hex.
my $COLUMNS = <<'SQL';
SELECT string_agg(format('%%s.%%s', starelid::regclass, attname), ' ' ORDER BY starelid::regclass::text COLLATE "C", attname COLLATE "C")
FROM pg_statistic s JOIN pg_attribute a ON attrelid = starelid AND attnum = staattnum
WHERE concat(stavalues1, stavalues2, stavalues3, stavalues4, stavalues5) ~ '%s|%s'
	AND starelid::regclass::text ~ '^by_|^llava_(image|conversation|reply|pending|manifest_line|hash|seen|interrupted)'
SQL
sub where { return sql(sprintf $COLUMNS, $_[0], unpack('H*', $_[0])); }
sub pairs { return sql("SELECT count(*) FROM pg_stats_ext WHERE statistics_name = 'pairs' AND most_common_vals IS NOT NULL"); }

sql('ANALYZE');
my $kept = 'by_note.expr by_title.expr by_words.substr llava_image.asset llava_image.page_url llava_image.path llava_image.source_url';
is(where(marker(7)), $kept, 'ANALYZE stores what joins are planned by, and none of the other words');
is(sql(sprintf $COLUMNS, ('x' . unpack('H*', substr(LlavaZh::Cluster::png(7), 40, 8))) x 2), '', 'nor a picture');
is(sql("SELECT string_agg(attname, ' ') FROM pg_stats WHERE tablename = 'llava_hash' AND attname IN ('coarse', 'fine', 'colours')"), '', 'nor what one looks like');
is(pairs(), '1', 'and extended statistics');

sub notice { my ($ret, $out, $err) = $node->psql('postgres', $_[0]); return $err =~ s/^psql:\S+ //mgr; }
my $seventh = "(SELECT id FROM llava_image WHERE path = '" . marker(7) . ".png')";
my $ANALYZE = qr/NOTICE:  statistics in which erased values stood were removed\n.*HINT:  .*: ANALYZE llava_image; ANALYZE llava_conversation; ANALYZE llava_reply;/s;
like(notice("BEGIN; SELECT llava_forget($seventh, 'letter'); ROLLBACK"), $ANALYZE, 'a takedown says which ANALYZE to run');
is(where(marker(7)), $kept, 'what is rolled back stays');
like(notice("SELECT llava_forget($seventh, 'letter')"), $ANALYZE, 'a takedown');
is(where(marker(7)), '', 'takes the statistics in which an erased value stands');
is(pairs(), '0', 'and the extended ones');
is(where('detail'), 'llava_conversation.task llava_manifest_line.task llava_reply.task', 'no others');
is(sql('SELECT body IS NULL, measures IS NULL FROM llava_reply WHERE id = 7'), 't|t', 'the body of an erased reply is NULL');
is(sql("SELECT count(*), count(convert_from(body, 'UTF8')) FROM llava_reply"), '30|29', 'so that a query over all of them can read what is there');

# a picture that ANALYZE did not see leaves the statistics as they are
sql('DROP STATISTICS pairs; ANALYZE');
is(where(marker(8)), $kept, 'ANALYZE brings back those of the others');
fill(31, 31);
my $unseen = "(SELECT id FROM llava_image WHERE path = '" . marker(31) . ".png')";
like(notice("UPDATE llava_image SET licence = 'own' WHERE id = $unseen; SELECT llava_forget($unseen, 'letter')") =~ s{^NOTICE:.*recorded exports.*\nHINT:.*\n?}{}r, qr/^$/, 'what stands nowhere costs no statistics');
is(where(marker(8)), $kept, 'they are as they were');

# a role that may take pictures down needs no right to the catalogue, and the owner's
# expressions run as the owner
sql("CREATE ROLE operator; GRANT EXECUTE ON FUNCTION llava_forget(bigint, text) TO operator;
	CREATE FUNCTION titled(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS \$\$ BEGIN IF current_user <> 'postgres' THEN RAISE 'as %', current_user; END IF; RETURN \$1 || '!'; END \$\$;
	CREATE INDEX by_function ON llava_image (titled(path)); ANALYZE llava_image");
my $eighth = sql("SELECT id FROM llava_image WHERE path = '" . marker(8) . ".png'");
like(where(marker(8)), qr/by_function\.titled/, 'an expression that calls a function');
like(notice("SET ROLE operator; SELECT llava_forget($eighth, 'letter')"), qr/^NOTICE:.*removed/m, 'the operator takes a picture down');
is(where(marker(8)), '', 'its words are gone from the statistics');

#
# In the files: README's commands for who must be sure
#
my @commands = grep { /VACUUM|CHECKPOINT/ } split /\n/, LlavaZh::Page->new('sql/README.md')->block('Takedown');
cmp_ok(scalar @commands, '>', 2, 'README has the commands');
my $data = $node->data_dir . '/base/' . sql("SELECT oid FROM pg_database WHERE datname = 'postgres'");

# The relation files that have the words as text or as bytes.
sub files
{
	my ($word) = @_;
	my @found;
	for my $file (glob("$data/*"))
	{
		push @found, $file if slurp_file($file) =~ /\Q$word\E/;
	}
	return scalar @found;
}
sql('CHECKPOINT');
cmp_ok(files(marker(7)), '>', 0, 'before them the files have the words of what was erased');
sql($_) for @commands;
is(files(marker(7)), 0, 'after them no file has');
is(files(marker(8)), 0, 'nor of the other');
cmp_ok(files(marker(9)), '>', 3, 'of what is there they have');

$node->stop;
done_testing();
