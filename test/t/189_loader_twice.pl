# Loaders that run again, and two at once: what is known is not inserted again; at worst a
# second row has the same bytes, and no second request is made.
use strict;
use warnings;
use lib 'test/perl';
use File::Path qw(make_path);
use IPC::Run;
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use LlavaZh::Page;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = PostgreSQL::Test::Utils::tempdir;
my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('twice');
$node->create_server('sim', $endpoint->url, "max_in_flight '8'");
sub sql { return $node->safe_psql('postgres', $_[0]); }

my $pictures = 0;
sub folder
{
	my ($name, $n) = @_;
	make_path("$data/$name");
	append_to_file(sprintf('%s/%s/%03d.png', $data, $name, $_), LlavaZh::Cluster::png(++$pictures)) for 1 .. $n;
	return;
}

# Several commands at once; what each has said.
sub at_once
{
	my @commands = @_;
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => 'postgres');
	my @runs = map {
		my $run = { said => '' };
		$run->{harness} = IPC::Run::start($_, '<', \undef, '>', \$run->{said}, '2>&1');
		$run;
	} @commands;
	ok($_->{harness}->finish, 'it ends well') or diag($_->{said}) for @runs;
	return map { $_->{said} } @runs;
}

# Every picture is there, was asked about once, and has one row that is no copy.
sub once_each
{
	my ($what) = @_;
	ok($node->wait_drained, "$what: drained");
	is(sql('SELECT count(DISTINCT path), count(DISTINCT sha256), count(*) FILTER (WHERE same_as IS NULL), (SELECT count(*) FROM llava_conversation),
		(SELECT count(*) FROM llava_image c LEFT JOIN llava_image f ON f.id = c.same_as WHERE c.same_as IS NOT NULL AND f.path IS DISTINCT FROM c.path) FROM llava_image'),
		"$pictures|$pictures|$pictures|$pictures|0", "$what: a sample each, and second rows are copies of the first");
	my %asked;
	$asked{ $_->{image} }++ for $endpoint->requests;
	is(scalar(keys %asked) . ' ' . scalar(grep { $_ > 1 } values %asked), "$pictures 0", "$what: a request each");
	return;
}

my $page = LlavaZh::Page->new('sql/cookbook.md');
my ($block) = map { $_->{text} } $page->blocks('python', 'How do I run a loader again and insert only what is new?');
$block =~ s{/data/images}{$data/images};
my ($statement) = $block =~ /"""\s*(INSERT.*?)\s*"""/s or die;
$statement =~ s/%\((path|image)\)[sb]/$1 eq 'path' ? '$1' : '$2'/ge;
my @python = ('/usr/bin/python3', '-c', $block);

# the page's loader, again, and with new files
folder('images', 40);
is((at_once(\@python))[0], "40 new of 40\n", 'a loader inserts what there is');
is((at_once(\@python))[0], "0 new of 40\n", 'again it inserts nothing');
append_to_file("$data/images/new.png", LlavaZh::Cluster::png(++$pictures));
is((at_once(\@python))[0], "1 new of 41\n", 'and then what is new');
once_each('one loader');

# two sessions that both find the path new
append_to_file("$data/images/both.png", LlavaZh::Cluster::png(++$pictures));
my $prepare = "PREPARE new (text, bytea) AS $statement";
my $execute = "EXECUTE new ('nightly/both.png', pg_read_binary_file('$data/images/both.png'))";
my $first = $node->background_psql('postgres');
$first->query_safe("$prepare; BEGIN; $execute");
my $second = { out => '' };
$second->{run} = IPC::Run::start([ 'psql', '-Xq', '-d', $node->connstr('postgres'), '-c', $prepare, '-c', $execute ], '<', \undef, '>&', \$second->{out});
ok($node->wait_query("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'EXECUTE%'", '1'), 'the second one waits for the first');
$first->query_safe('COMMIT');
ok($second->{run}->finish, 'and ends well') or diag($second->{out});
is(sql("SELECT count(*), count(same_as) FROM llava_image WHERE path = 'nightly/both.png'"), '2|1', 'it leaves a second row, which is a copy');
once_each('two sessions');

# the first one rolls back
append_to_file("$data/images/undone.png", LlavaZh::Cluster::png(++$pictures));
$execute =~ s/both/undone/g;
$first->query_safe("BEGIN; $execute");
$second->{run} = IPC::Run::start([ 'psql', '-Xq', '-d', $node->connstr('postgres'), '-c', $prepare, '-c', $execute ], '<', \undef, '>&', \$second->{out});
ok($node->wait_query("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'EXECUTE%'", '1'), 'the second one waits again');
$first->query_safe('ROLLBACK');
$first->quit;
ok($second->{run}->finish, 'and ends well');
is(sql("SELECT count(*), count(same_as) FROM llava_image WHERE path = 'nightly/undone.png'"), '1|0', 'its row is the first');
once_each('one that is rolled back');

# whole loaders, beside each other and the worker
unlink glob("$data/images/*.png");
folder('images', 80);
rename("$data/images/$_", "$data/images/second-$_") or die $! for map { sprintf '%03d.png', $_ } 1 .. 80;
like($_, qr/^\d+ new of 80\n$/, 'a loader beside another') for at_once((\@python) x 3);
is((at_once(\@python))[0], "0 new of 80\n", 'and then all is known');
once_each('three loaders');

# and llava_load
folder('loaded', 80);
my @load = ('psql', '-Xq', '-d', $node->connstr('postgres'), '-c', "CALL llava_load('$data/loaded', batch => 7)");
like($_, qr/80 files, \d+ queued, \d+ stopped before any request, \d+ known$/m, 'llava_load beside another') for at_once((\@load) x 3);
like((at_once(\@load))[0], qr/80 files, 0 queued, 0 stopped before any request, 80 known$/m, 'and then all is known');
once_each('three calls of llava_load');

$node->stop('fast');
$endpoint->stop;
done_testing();
