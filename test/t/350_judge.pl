# The page where people judge: what stands beside a sample, and keep.jsonl, which is taken in
# line by line with the rights of who copies.  A browser's part is in test/page_check.pl.
use strict;
use warnings;
use utf8;
use lib 'test/perl';
use Encode qw(decode_utf8 encode_utf8);
use IPC::Run;
use JSON::PP;
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use LlavaZh::Judge;
use LlavaZh::Rights;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('judge');
my $dir = PostgreSQL::Test::Utils::tempdir;
sub sql { return decode_utf8($node->safe_psql('postgres', encode_utf8($_[0]))); }
sub spew { my ($name, @bytes) = @_; open my $file, '>:raw', "$dir/$name" or die $!; print $file @bytes; close $file or die $!; return "$dir/$name"; }

# psql's exit status, output and what it says
sub psql
{
	my ($query) = @_;
	my ($ret, $out, $err) = $node->psql('postgres', encode_utf8($query));
	return ($ret, decode_utf8($out), decode_utf8($err));
}

sub page { return sql("SELECT llava_page($_[0])"); }
sub keep_in { my ($lines, $before) = @_; my $file = spew('keep.jsonl', @$lines); return psql(($before // '') . "\\copy llava_keep_in FROM '$file' WITH (FORMAT jsonl)"); }
sub read_page { my ($page, $expected) = @_; my ($out, $err) = ('', '');
	IPC::Run::run([ 'python3', 'test/read_page.py', spew('page.html', encode_utf8($page)), spew('expected', JSON::PP->new->utf8->encode($expected)) ],
		'>', \$out, '2>', \$err) or return $err; return $out =~ s/\n$//r; }

$node->create_server('qwen', $endpoint->url);
$node->insert_pictures(1, 20, '描述图片');
ok($node->wait_drained, 'twenty samples');
is(sql('SELECT count(*) FROM llava_conversation'), '20', 'twenty samples');

#
# What stands beside a sample
#
my $evil = q{</article><script>alert(1)</script>' onclick='x" &amp;};
my $quoted = $evil =~ s/'/''/gr;
sql(<<"SQL");
INSERT INTO llava_annotation (image, task, object, reply, task_version) VALUES (1, '筛选', jsonb_build_object(
	'worth', 3, 'kind', '招牌', 'why', jsonb_build_object('a', jsonb_build_array(1, '$quoted')), '$quoted', NULL), 1, 2);
INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version)
	SELECT image, '复杂推理', conversation, 1, reply + 1000, 1 FROM llava_conversation WHERE image = 1;
INSERT INTO llava_annotation (image, task, object, about, reply, task_version)
	SELECT image, '评价 ' || task, '{"score": 5}', reply, 2, 1 FROM llava_conversation WHERE image = 1;
SQL
my $page = page(30);
is(read_page($page, [ [ by => '筛选 · 第 2 版' ], [ key => 'worth' ], [ value => '3' ], [ key => $evil ],
	[ value => sql("SELECT object ->> 'why' FROM llava_annotation WHERE task = '筛选'") ] ]),
	'page: 21 samples, 21 pictures', 'a page has annotations as text');
my %beside = map { /data-task='([^']+)'/ ? ($1 => $_) : () } grep { /data-image='1'/ } split /(?=<article)/, $page;
like($beside{'描述图片'}, qr/筛选.*评价 描述图片/s, 'of the picture, and about the sample');
unlike($beside{'描述图片'}, qr/评价 复杂推理/, 'not about another sample of the picture');
like($beside{'复杂推理'}, qr/筛选.*评价 复杂推理/s, 'which has its own');
sql("DELETE FROM llava_annotation; DELETE FROM llava_conversation WHERE task = '复杂推理'");

# what an export would leave out, by its own word
sql(q{UPDATE llava_conversation SET conversation = jsonb_set(conversation, '{1,value}', '"<image> 一只猫"') WHERE image = 2;
	UPDATE llava_conversation SET conversation = jsonb_set(conversation, '{1,value}', '"<|im_end|>"') WHERE image = 3;
	UPDATE llava_conversation SET conversation = conversation - 1 WHERE image = 4;
	UPDATE llava_conversation SET conversation = jsonb_set(conversation, '{1,value}', '" "') WHERE image = 5});
sql(q{UPDATE llava_image SET path = '../x' WHERE id = 6; UPDATE llava_image SET complete = false, rows = 3 WHERE id = 7;
	UPDATE llava_image SET rejected = 'broken' WHERE id = 8});
my $marked = join "\n", map { join '|', $$_[0], $$_[1] } sort { $$a[0] <=> $$b[0] } map {
	/data-image='(\d+)'.*?<span class='tag no fault'>导出会略去：(\w+)/s ? [ $1, $2 ] : () } split /(?=<article)/, page(30);
is($marked, sql('SELECT image, rule FROM llava_selected() WHERE rule IS NOT NULL ORDER BY image'), 'a page marks what llava_export leaves out');
is(scalar(split /\n/, $marked), 7, 'by seven rules');
like(page(30), qr/导出会略去：image_token · turn 2: &lt;image&gt; 一只猫</, 'with the place');
sql(q{UPDATE llava_image SET path = 'pic6.png' WHERE id = 6; UPDATE llava_image SET complete = true WHERE id = 7; UPDATE llava_image SET rejected = NULL WHERE id = 8});

#
# keep.jsonl
#
sub counts { return sql("SELECT count(*) FILTER (WHERE keep), count(*) FILTER (WHERE NOT keep), count(note) FROM llava_conversation"); }
sub versions { return sql('SELECT string_agg(xmin::text || ctid::text, $$ $$ ORDER BY image) FROM llava_conversation'); }
my @samples = LlavaZh::Judge::samples(page(30));
is(scalar(@samples), 20, 'the page shows twenty samples');
my $note = qq(招牌上的字\n认错了 "\\" 😀);
my @lines = map { LlavaZh::Judge::line($samples[$_], $_ % 3 == 0 ? 'false' : 'true', $_ == 5 ? $note : undef) } 0 .. 11;
my ($ret, $out, $err) = keep_in(\@lines);
is($ret, 0, 'a file is taken in');
like($err, qr/NOTICE:  of 12 lines 12 were taken in, 0 were known already, 0 were left out/, 'as a NOTICE says');
unlike($err, qr/WARNING/, 'without a warning');
is(counts(), '8|4|1', 'each judgement in its place');
is(sql("SELECT note FROM llava_conversation WHERE note IS NOT NULL"), $note, 'a note as it was written');

my $before = versions();
($ret, $out, $err) = keep_in(\@lines);
like($err, qr/of 12 lines 0 were taken in, 12 were known already, 0 were left out/, 'the same file again is known');
is(versions(), $before, 'and writes no row');

# a page of later knows what was judged: a judgement may be changed there
my @later = LlavaZh::Judge::samples(page(30));
is($later[0]{keep} . $later[1]{keep} . $later[5]{note}, "falsetrue$note", 'a page says what was judged');
($ret, $out, $err) = keep_in([ LlavaZh::Judge::line($later[0], 'true', 'doch') ]);
like($err, qr/of 1 lines 1 were taken in/, 'a judgement may be changed on a later page');
($ret, $out, $err) = keep_in(\@lines);
like($err, qr/WARNING:  line 1 was left out: the sample of image $samples[0]{image}, task "描述图片", was judged otherwise meanwhile\nHINT:  To overrule that: UPDATE llava_conversation SET keep = (\w+), note = (.*) WHERE image = $samples[0]{image} AND task = '描述图片';/, 'but not by the older file');
my ($overrule) = $err =~ /To overrule that: (UPDATE .*;)/;
sql("BEGIN; $overrule");
like($err, qr/of 12 lines 0 were taken in, 11 were known already, 1 were left out/, 'which leaves the others');

# what cannot be taken, among what can
sql("UPDATE llava_conversation SET conversation = replace(conversation::text, '。', '！')::jsonb WHERE image = $samples[12]{image}");
sql("UPDATE llava_conversation SET conversation = conversation || conversation WHERE image = $samples[12]{image}");
sql("DELETE FROM llava_conversation WHERE image = $samples[13]{image}");
sql("UPDATE llava_conversation SET note = 'other' WHERE image = $samples[14]{image}");
my @bad = ("no json", '', '[1]', '{"image": 1}', '{"image": "1", "task": "x"}', LlavaZh::Judge::line($samples[15], '"yes"', undef),
	LlavaZh::Judge::line($samples[15], 'true', 'x' x 40000), LlavaZh::Judge::line($samples[15], 'true', undef) =~ s/null/"\\u0000"/r,
	LlavaZh::Judge::line($samples[15], 'true', undef) =~ s/"reply": \d+/"reply": 1e30/r, '\\.x', '"');
chomp @bad;
($ret, $out, $err) = keep_in([ (map { LlavaZh::Judge::line($samples[$_], 'true', undef) } 12 .. 16), (map { "$_\n" } @bad),
	LlavaZh::Judge::line($samples[17], 'false', undef) ]);
is($ret, 0, 'a file with bad lines is taken in');
like($err, qr/WARNING:  line 1 was left out: the sample of image $samples[12]{image}, task "描述图片", has other words than those of reply $samples[12]{reply}/, 'other words');
like($err, qr/WARNING:  line 2 was left out: the sample of image $samples[13]{image}, task "描述图片", is gone/, 'a sample that is gone');
like($err, qr/WARNING:  line 3 was left out: .*image $samples[14]{image}, .* was judged otherwise meanwhile/, 'another note meanwhile');
my @named = $err =~ /WARNING:  line (\d+) was left out: it is no judgement of a page/g;
is("@named", join(' ', 6 .. 5 + @bad), 'each bad line by its number');
like($err, qr/DETAIL:  invalid input syntax for type json: no json\n/, 'with its beginning');
like($err, qr/DETAIL:  key "keep" is not true, false or null/, 'and with what is wrong');
my $left = 3 + @bad;
like($err, qr/of \d+ lines 3 were taken in, 0 were known already, $left were left out/, 'and the others taken');
is(sql("SELECT string_agg(keep::text, ' ' ORDER BY image) FROM llava_conversation WHERE image IN ($samples[15]{image}, $samples[16]{image}, $samples[17]{image})"),
	join(' ', map { $$_[1] } sort { $$a[0] <=> $$b[0] } [ $samples[15]{image}, 'true' ], [ $samples[16]{image}, 'true' ], [ $samples[17]{image}, 'false' ]), 'as they say');
($ret, $out, $err) = keep_in([ ("x\n") x 150 ]);
is(() = $err =~ /WARNING:  line/g, 100, 'of many bad lines a hundred are named');
like($err, qr/WARNING:  50 further lines were left out/, 'and the others counted');

# any way in
is(sql("INSERT INTO llava_keep_in VALUES ('" . decode_utf8(LlavaZh::Judge::line($samples[18], 'true', undef)) . "'); SELECT keep FROM llava_conversation WHERE image = $samples[18]{image}"), 't', 'INSERT does the same');
is(sql("WITH i AS (INSERT INTO llava_keep_in VALUES ('x'), ('" . decode_utf8(LlavaZh::Judge::line($later[18], 'true', undef)) . "') RETURNING 1) SELECT count(*) FROM i"), '0', 'and counts what it took');
is(sql('SELECT count(*) FROM llava_keep_in'), '0', 'the view has no rows');
($ret, $out, $err) = psql("CREATE TABLE lines (line text); CREATE TRIGGER t BEFORE INSERT ON lines FOR EACH ROW EXECUTE FUNCTION llava_keep_in_line(); INSERT INTO lines VALUES ('{}')");
like($err, qr/can only be called by the triggers on the extension's view/, 'its trigger is for nothing else');

# a trigger of the table keeps a sample as it is
sql("CREATE FUNCTION stays() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
	CREATE TRIGGER stays BEFORE UPDATE ON llava_conversation FOR EACH ROW EXECUTE FUNCTION stays()");
($ret, $out, $err) = keep_in([ LlavaZh::Judge::line($samples[19], 'true', undef) ]);
like($err, qr/line 1 was left out: .*image $samples[19]{image}, .* is kept as it is by a trigger\n.*of 1 lines 0 were taken in, 0 were known already, 1 were left out/s, 'what a trigger suppresses is told');
sql('DROP TRIGGER stays ON llava_conversation');

# somebody is at it: the copy waits for them, and judges what they left
my $image = $samples[19]{image};
my $other = $node->background_psql('postgres');
$other->query_safe("BEGIN; UPDATE llava_conversation SET keep = false WHERE image = $image");
my $said = '';
my $file = spew('wait.jsonl', LlavaZh::Judge::line($samples[19], 'true', undef));
my $copy = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-c', "\\copy llava_keep_in FROM '$file' WITH (FORMAT jsonl)" ], '>', \my $ignored, '2>', \$said);
ok($node->wait_query("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%llava_keep_in%' AND wait_event_type = 'Lock'", '1'), 'a copy waits for who writes the sample');
$other->query_safe('COMMIT');
$other->quit;
$copy->finish;
like(decode_utf8($said), qr/image $image, .*was judged otherwise meanwhile/, 'and leaves what they judged');
is(sql("SELECT keep FROM llava_conversation WHERE image = $image"), 'f', 'as it is');

#
# Rights
#
LlavaZh::Rights::set_up($node, 'postgres');
@samples = LlavaZh::Judge::samples(page(30));
@lines = map { LlavaZh::Judge::line($_, $_->{keep} eq 'true' ? 'false' : 'true', 'reviewed') } @samples;
for my $role (qw(reader monitor caller))
{
	($ret, $out, $err) = keep_in(\@lines, "SET ROLE $role;\n");
	like($err, qr/ERROR:  permission denied for view llava_keep_in/, "$role may not judge");
}
sql('CREATE ROLE half; GRANT INSERT ON llava_keep_in TO half; GRANT SELECT ON llava_conversation TO half');
($ret, $out, $err) = keep_in(\@lines, "SET ROLE half;\n");
like($err, qr/ERROR:  permission denied for table llava_conversation/, 'nor who may write into the view alone');
($ret, $out, $err) = keep_in(\@lines, "SET ROLE reviewer;\n");
like($err, qr/of 19 lines 19 were taken in/, 'the cookbook\'s reviewer may');
is(sql("SELECT count(*) FROM llava_conversation WHERE note = 'reviewed'"), '19', 'with UPDATE (keep, note)');
for my $change ("UPDATE llava_conversation SET flags = '{}'", 'DELETE FROM llava_conversation', "UPDATE llava_image SET path = 'x'")
{
	($ret, $out, $err) = psql("SET ROLE reviewer; $change");
	like($err, qr/ERROR:  permission denied for table/, "and nothing else: $change");
}
sql('ALTER TABLE llava_conversation ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON llava_conversation TO reviewer USING (image > 10)');
@lines = map { LlavaZh::Judge::line($_, 'true', 'again') } LlavaZh::Judge::samples(page(30));
my ($seen) = map { scalar(grep { $_->{image} > 10 } @$_) } [ LlavaZh::Judge::samples(page(30)) ];
($ret, $out, $err) = keep_in(\@lines, "SET ROLE reviewer;\n");
like($err, qr/of 19 lines $seen were taken in/, 'policies hold');
is(sql("SELECT count(*) FILTER (WHERE image <= 10), count(*) = $seen FROM llava_conversation WHERE note = 'again'"), '0|t', 'for each line');

# objects of the role's own that are named like ours, before them in its search_path
sql('ALTER TABLE llava_conversation DISABLE ROW LEVEL SECURITY; CREATE SCHEMA mine AUTHORIZATION reviewer');
($ret, $out, $err) = psql(<<'SQL');
SET ROLE reviewer;
CREATE TABLE mine.llava_conversation (image bigint, task text, conversation jsonb, keep boolean, note text);
CREATE FUNCTION mine.never(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR mine.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = mine.never);
SQL
is($ret, 0, 'a schema in the way');
@samples = LlavaZh::Judge::samples(page(30));
($ret, $out, $err) = keep_in([ map { LlavaZh::Judge::line($_, 'false', 'mine') } @samples ], "SET ROLE reviewer; SET search_path = mine, pg_catalog, public;\n");
like($err, qr/of 19 lines 19 were taken in/, 'stands in no way');

#
# The page's own digest, under which the browser keeps judgements
#
my ($one, $two) = map { page(30) =~ /data-page='([0-9a-f]{32})'/ ? $1 : die } 1, 2;
is($one, $two, 'the same page has the same digest');
sql('UPDATE llava_conversation SET keep = NULL WHERE image = 1');
isnt(page(30) =~ /data-page='([0-9a-f]{32})'/ ? $1 : $one, $one, 'another has another');
done_testing();
