# Samples are replaced while their followers are in flight, by people and by newer replies, with
# two workers: at the end no annotation is about a reply or about words that are gone, and each
# sample has one about itself.  What comes too late is in the ledger, and costs no attempt.
#
# LLAVA_RACE: samples (200).
use strict;
use warnings;
use utf8;
use lib 'test/perl';
use Encode qw(encode_utf8);
use JSON::PP;
use List::Util qw(shuffle);
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use LlavaZh::Stages qw(stages_on sql);
use PostgreSQL::Test::Utils;
use Test::More;

my $samples = $ENV{LLAVA_RACE} // 200;
my $seed = $ENV{LLAVA_RACE_SEED} // 1911;
srand($seed);
note "seed $seed";

# a model for the samples and one for their followers, so that one may stand while the other works
my $samples_endpoint = LlavaZh::Endpoint->new;
my $endpoint = LlavaZh::Endpoint->new(obedient => 1, seed => $seed);
my $node = LlavaZh::Cluster->new('race', conf => "llava_zh.workers = 2\nllava_zh.max_attempts = 1\n");
stages_on($node);
$node->create_server('sim', $samples_endpoint->url, "max_in_flight '32'");
$node->create_server('judges', $endpoint->url, "max_in_flight '$samples', queue 'false', request_timeout '600s'");
sql("INSERT INTO llava_task (name, kind, language, prompt, required, after, server) VALUES
	('judge', 'json', 'zh', 'JSON {{conversation}}', '{worth 0..3}', '日常对话', 'judges')");

my $edits = 0;

# What replaces a sample: a person's UPDATE with words of its own, or a newer reply.
sub replacement
{
	my ($image, $person) = @_;
	$edits++;
	return $person
	  ? "UPDATE llava_conversation SET conversation = jsonb_set(conversation, '{1,value}', '\"改 $edits 。\"') WHERE image = $image AND task = '日常对话';"
	  : "SELECT llava_enqueue($image, '日常对话', true);";
}

# Sessions that replace these samples, a transaction each, in an order of their own.
sub replace
{
	my ($sessions, @images) = @_;
	my @order = shuffle(@images);
	my @running = map {
		my $n = $_;
		my $script = PostgreSQL::Test::Utils::tempdir() . "/replace$n.sql";
		my @mine = grep { $_ % $sessions == $n } 0 .. $#order;
		unlink $script;
		append_to_file($script, encode_utf8(join "\n", map { replacement($order[$_], rand() < 0.5) } @mine));
		IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', $script ], '>', '/dev/null')
	} 0 .. $sessions - 1;
	return @running;
}

sub late { return sql("SELECT count(*) FROM llava_reply WHERE task = 'judge' AND late"); }

# Nothing waits, and nothing is said about what is gone.
sub check
{
	my ($when) = @_;
	ok($node->wait_drained, "$when: to the end");
	is(sql('SELECT count(*) FROM llava_pending'), '0', 'none cost an attempt, of which there was one');
	my @rows = split /\n/, sql("SELECT jsonb_build_array(c.image, c.reply, a.about, a.reply, c.conversation) FROM llava_conversation c
		LEFT JOIN llava_annotation a ON a.image = c.image AND a.task = 'judge' WHERE c.task = '日常对话'");
	is(scalar @rows, $samples, 'each picture has a sample');
	my %prompt = map { $_->{request_id} => $_->{prompt} } grep { defined $_->{prompt} } $endpoint->requests;
	my (@none, @stale, @other);
	for (@rows)
	{
		my ($image, $reply, $about, $by, $turns) = @{ JSON::PP->new->decode($_) };
		if (!defined $about) { push @none, $image; next; }
		push @stale, $image if $about != $reply;
		my ($asked) = ($prompt{$by} // '') =~ /^JSON (".*")$/ or die "no prompt of $by";
		push @other, $image if JSON::PP->new->allow_nonref->decode($asked) ne join "\n", map { "$_->{from}: $_->{value}" } @{$turns};
	}
	is("@none", '', 'each has an annotation about itself');
	is("@stale", '', 'none about another reply');
	is("@other", '', 'and none about other words');
	return;
}

# The first of all, so that slow start is over; then a follower of each is in flight, and held.
$node->insert_pictures(1, $samples, '日常对话');
$endpoint->wait_for(answered => $samples) // die 'no answers';
ok($node->wait_drained, 'each has an annotation');
$endpoint->control(faults => 'hold=1');
sql("UPDATE llava_conversation SET conversation = jsonb_set(conversation, '{1,value}', '\"旧。\"')");
$endpoint->wait_in_flight($samples);
is(sql("SELECT count(*), count(DISTINCT holder) FROM llava_pending WHERE task = 'judge' AND holder IS NOT NULL"), "$samples|2", "$samples followers are in flight, of two workers");
my @images = split /\n/, sql('SELECT id FROM llava_image ORDER BY id');
my $replies = sql("SELECT max(reply) FROM llava_conversation");
$_->finish or die foreach replace(2, @images);
is($node->wait_query(encode_utf8("SELECT count(*) FROM llava_pending WHERE task = '日常对话'"), '0'), '0', 'meanwhile each sample is replaced');
my $newer = sql("SELECT count(*) FROM llava_conversation WHERE reply > $replies");
my $edited = sql("SELECT count(*) FROM llava_conversation WHERE conversation -> 1 ->> 'value' ~ '^改 '");
is($newer + $edited, $samples, "$newer by newer replies, $edited by people");
$endpoint->control(faults => '', release => 1);

check('after all that were held');
is(late(), $samples, 'whose answers all came too late');

# and while the followers are on their way, again, until half as many more came too late
$endpoint->control(latency => '50-250');
my $rounds = 0;
while (late() < 1.5 * $samples && $rounds++ < 50)
{
	$_->finish or die foreach replace(4, @images);
}
check("after $rounds rounds of a race");
cmp_ok(late(), '>=', 1.5 * $samples, late() . ' answers came too late in all');

$node->stop('fast');
$_->stop foreach $endpoint, $samples_endpoint;
done_testing();
