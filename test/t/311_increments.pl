# Increments of a recorded export: what was gone taken out by the cookbook's awk line, and
# what is new appended, is a full export of now, sorted line for line, for every format and
# under everything that chooses samples; after settles, another answer, a reparse, verdicts, a
# takedown and edits by hand; and again on top of an increment, and where nothing changed.
use strict;
use warnings;
use utf8;
use lib 'test/perl';
use Digest::SHA qw(sha256_hex);
use Encode qw(encode_utf8);
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use LlavaZh::Page;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('increments', databases => '');
my $folder = $node->basedir;
sub sql { return $node->safe_psql('postgres', encode_utf8($_[0])); }
$node->create_server('sim', $endpoint->url, "max_in_flight '8'");
sub feed { sql(LlavaZh::Cluster::pictures_sql($_[0], $_[1])); sql('CALL llava_drain()'); return; }
feed(1, 36);
is(sql('SELECT count(*), count(DISTINCT task) FROM llava_conversation'), '36|3', 'samples to begin with');

# the arguments of llava_export, and whether by the rules of 1.0.0
my @bases = (
	["'llava'"], ["'llamafactory', seed => 3"], ["'swift', image_name => 'sha256', folder => 'zh'"],
	["'qwen', split => 'train', validation => 0.3"], ["'openai', data_urls => true, image_token => 'last'"],
	["'imagefolder', mix => true"], ["'llava', mix => true, split => 'validation', validation => 0.6, seed => 5"],
	[q{'swift', weights => '{"detail": 1, "conversation": 2}', seed => 7}],
	["'llava', tasks => '{detail,conversation}', without_flags => '{duplicate_key,pii}', cutoff_len => 700"],
	["'llava'", 1], ["'imagefolder', mix => true", 1]);

# The line of the cookbook.
my ($awk) = grep { /^awk / } split /\n/, join '', map { $_->{text} }
	LlavaZh::Page->new('sql/cookbook.md')->blocks('sh', 'How do I publish only what changed?');
like($awk, qr/^awk .* gone\.txt train\.jsonl more\.jsonl > \S+$/, 'the cookbook has a line of awk');

sub copied { my ($query, $file) = @_; return qq{\\copy ($query) TO '$folder/$file' WITH (FORMAT jsonl)\n}; }
sub full { my ($base) = @_; return $base->[1] ? "SELECT line FROM llava_exported_by($base->[0], rules => 1)" : "SELECT llava_export($base->[0])"; }
sub lines { return [ sort split /\n/, slurp_file("$folder/$_[0]") ]; }

for my $n (0 .. $#bases)
{
	sql(copied(full($bases[$n]), "base$n"));
	$bases[$n][2] = sql("SELECT llava_record_export('base$n', $bases[$n][0])");
	sql(qq{UPDATE llava_manifest SET settings = settings || '{"rules": 1}' WHERE id = $bases[$n][2]}) if $bases[$n][1];
	is(sql("SELECT encode(sha256, 'hex') FROM llava_manifest WHERE id = $bases[$n][2]"), sha256_hex(slurp_file("$folder/base$n")),
		"($bases[$n][0]) is recorded");
}

# Takes an increment of each base, applies it, compares.
sub increments
{
	my ($when) = @_;
	my ($gone, $more) = (0, 0);
	for my $n (0 .. $#bases)
	{
		my ($arguments, $old, $manifest) = @{ $bases[$n] };
		my $what = "$when: ($arguments)" . ($old ? ' by the rules of 1.0.0' : '');
		my $next = sql("BEGIN ISOLATION LEVEL REPEATABLE READ;\n"
			. copied("SELECT llava_export_since($manifest)", 'more.jsonl')
			. "\\copy (SELECT line FROM llava_gone_since($manifest)) TO '$folder/gone.txt'\n"
			. copied(full($bases[$n]), "full$n")
			. "SELECT llava_record_since('more.jsonl', $manifest); COMMIT");
		($next) = $next =~ /(\d+)\s*\z/;
		rename "$folder/base$n", "$folder/train.jsonl" or die;
		is(system("cd $folder && " . $awk =~ s/> \S+$/> base$n/r), 0, "$what: awk");
		is_deeply(lines("base$n"), lines("full$n"), "$what: the lines of a full export");
		is(sql("SELECT rows, encode(sha256, 'hex'), base FROM llava_manifest WHERE id = $next"),
			join('|', scalar @{ lines('more.jsonl') }, sha256_hex(slurp_file("$folder/more.jsonl")), $manifest), "$what: the increment is recorded");
		is(sql("SELECT count(*) FROM llava_verify_export($next)"), '0', "$what: verified");
		is(sql("SELECT encode(llava_lines_sha256(l), 'hex') FROM llava_rebuild_export($next) AS l"),
			(-s "$folder/more.jsonl" ? sha256_hex(slurp_file("$folder/more.jsonl")) : sha256_hex('')), "$what: built again");
		is(sql("SELECT settings - 'extension' = (SELECT settings - 'extension' FROM llava_manifest WHERE id = $manifest)
			FROM llava_manifest WHERE id = $next"), 't', "$what: by the base's arguments and rules");
		is(sql("SELECT count(*) FROM llava_published WHERE manifest = $next"), scalar @{ lines('more.jsonl') },
			"$what: it publishes its own lines alone");
		$gone += @{ lines('gone.txt') };
		$more += @{ lines('more.jsonl') };
		$bases[$n][2] = $next;
	}
	return ($gone, $more);
}

# settles, another answer, verdicts, a takedown, an edit, and one that only the rules of 1.0.0 let pass
feed(37, 54);
sql(q{SELECT llava_enqueue(image, task, true) FROM llava_conversation WHERE image IN (3, 4, 5)});
sql('CALL llava_drain()');
sql(q{UPDATE llava_conversation SET keep = false WHERE image IN (6, 7)});
sql(q{SELECT llava_forget(8, 'a letter')});
sql(q{UPDATE llava_conversation SET conversation = jsonb_set(conversation, '{1,value}', '"改过的\\\\回答“\\n”。"') WHERE image IN (9, 10, 11)});
sql(q{UPDATE llava_conversation SET conversation = jsonb_set(conversation, '{1,value}', '"看完</s>"') WHERE image = 12});
sql(q{UPDATE llava_conversation SET conversation = jsonb_set(conversation, '{1,value}', '"[INST] 一只狗。"') WHERE image = 13});
sql(q{UPDATE llava_conversation SET flags = '{pii}' WHERE image = 14});
my ($gone, $more) = increments('changed');
cmp_ok($gone, '>', 20, 'lines were gone');
cmp_ok($more, '>', 100, 'and came');

# a reparse that withdraws, and verdicts taken back, on top of increments
my $before = sql('SELECT count(*) FROM llava_conversation');
sql(q{INSERT INTO llava_task (name, min_letters) SELECT '描述图片', percentile_disc(0.5) WITHIN GROUP (ORDER BY (measures ->> 'letters')::integer)
	FROM llava_reply WHERE task = '描述图片'; CALL llava_reparse()});
cmp_ok(sql('SELECT count(*) FROM llava_conversation'), '<', $before, 'a reparse withdraws samples');
sql(q{UPDATE llava_conversation SET keep = NULL WHERE image IN (6, 7)});
feed(55, 63);
increments('on top of an increment');
is(join(' ', increments('unchanged')), '0 0', 'nothing has gone or come');

# mistakes
for my $function ("llava_export_since(%s)", "llava_gone_since(%s)", "llava_record_since('x', %s)")
{
	for my $manifest (99, 'NULL')
	{
		my ($status, $out, $err) = $node->psql('postgres', sprintf "SELECT count(*) FROM $function", $manifest);
		like($err, qr/ERROR:  (?:recorded export 99 does not exist|the number of the recorded export is NULL)/, sprintf $function, $manifest);
	}
}

$node->stop;
$endpoint->stop;
done_testing;
