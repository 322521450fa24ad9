# The cookbook's chapter "More than one machine", word for word: a coordinator routes 3,000
# pictures, a fifth of them copies, to two nodes; each sha256 is asked once over both, and a
# collector that subscribes to both exports what they export together and asks nothing.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use LlavaZh::Page;
use LlavaZh::Rights;
use PostgreSQL::Test::Utils;
use Test::More;

my $DISTINCT = 2400;
my $COPIES = 600;
my $endpoint = LlavaZh::Endpoint->new;
my $page = LlavaZh::Page->new('sql/cookbook.md');
my @nodes = map {
	LlavaZh::Cluster->new("node$_", conf => "wal_level = logical\nmax_wal_senders = 4\nmax_replication_slots = 4\n") } 1, 2;
my $hub = LlavaZh::Cluster->new('hub', databases => '', conf => "max_logical_replication_workers = 8\n");
my $data = $hub->basedir . '/user';
mkdir $_ for $data, "$data/images";

# A block with our hosts in it.
sub block
{
	my ($heading) = @_;
	my $text = $page->block($heading) =~ s{/data\b}{$data}gr;
	$text =~ s{host 'node(\d)'}{"host '" . $nodes[$1 - 1]->host . "', port '" . $nodes[$1 - 1]->port . "'"}ge;
	$text =~ s{'host=node(\d) }{"'host=" . $nodes[$1 - 1]->host . ' port=' . $nodes[$1 - 1]->port . ' '}ge;
	$text =~ s/\bmydb\b/postgres/g;
	return $text;
}

sub on_nodes { return map { $_->safe_psql('postgres', $_[0]) } @nodes; }

# the nodes: numbers of their own, and the roles that the coordinator and the collector use
for my $n (1, 2)
{
	my $node = $nodes[ $n - 1 ];
	my $numbers = block('How do I give each node its own numbers?') =~ s/\b1 \*/$n */gr;
	$node->safe_psql('postgres', $numbers);
	$node->create_server('qwen', $endpoint->url, "max_in_flight '32'");
	LlavaZh::Rights::set_up($node, 'postgres') if $n == 1;
	$node->safe_psql('postgres', 'CREATE ROLE caller; CREATE ROLE feeder; CREATE ROLE loader; CREATE ROLE monitor; CREATE ROLE reader;
		CREATE ROLE reviewer; CREATE ROLE publisher; CREATE ROLE operator; ' . LlavaZh::Rights::grants()) if $n == 2;
	$node->safe_psql('postgres', 'CREATE ROLE hub LOGIN; GRANT feeder, monitor TO hub;
		CREATE ROLE collector LOGIN REPLICATION; GRANT SELECT ON llava_image, llava_reply, llava_conversation TO collector');
}

# the coordinator; a part of the pictures are bytes that came before under another path
PostgreSQL::Test::Utils::append_to_file("$data/images/$_.png", LlavaZh::Cluster::png($_, 28)) for 1 .. $DISTINCT;
PostgreSQL::Test::Utils::append_to_file("$data/images/again$_.png", LlavaZh::Cluster::png($_ * 4, 28)) for 1 .. $COPIES;
$hub->safe_psql('postgres', 'CREATE DATABASE coordinator');
$hub->safe_psql('coordinator', block('How do I spread pictures over the nodes, each picture on one?'));
is(join(' ', map { $_ > $DISTINCT / 3 ? 'a share' : $_ } on_nodes('SELECT count(*) FROM llava_image')), 'a share a share', 'both nodes got pictures');
is((eval join '+', on_nodes('SELECT count(*) FROM llava_image')), $DISTINCT + $COPIES, 'all of them');
is((eval join '+', on_nodes('SELECT count(*) FROM llava_image WHERE same_as IS NOT NULL')), $COPIES, 'every copy is found');

ok($_->wait_drained, $_->name . ' drains its pictures') for @nodes;
$hub->safe_psql('coordinator', block('How far are all nodes together?'));
is($hub->safe_psql('coordinator', 'SELECT sum(waiting + in_flight + failed), sum(done), count(DISTINCT node) FROM progress'),
	"0|$DISTINCT|2", 'one view of progress over both');
is($endpoint->stats->{requests}, $DISTINCT, 'each picture was asked once');
my %asked = map { $_->{request_id} => 1 } $endpoint->requests;
is(scalar(keys %asked), $DISTINCT, 'no call id came twice');
my %seen;
$seen{$_}++ for map { split /\n/ } on_nodes('SELECT i.sha256 FROM llava_reply r JOIN llava_image i ON i.id = r.image');
is(scalar(keys %seen), $DISTINCT, 'nor a sha256');

# the collector
$hub->safe_psql('postgres', 'CREATE DATABASE collector');
$hub->safe_psql('collector', 'CREATE EXTENSION llava_zh');
$_->safe_psql('postgres', block('How do I collect the results in one database?')) for @nodes;
$hub->safe_psql('collector', block('How does the collector subscribe?'));
my $caught_up = sub {
	my ($sum) = @_;
	return $hub->wait_query("SELECT count(*) FROM llava_conversation c JOIN llava_reply r ON r.image = c.image AND r.id = c.reply
		JOIN llava_image i ON i.id = c.image", $sum, 'collector');
};
ok($caught_up->($DISTINCT), 'it has what both have');
sub lines { my ($node, $database) = @_; return split /\n/, $node->safe_psql($database, "SELECT llava_export('llava')"); }
my $together = join "\n", sort map { lines($_, 'postgres') } @nodes;
is(join("\n", sort(lines($hub, 'collector'))), $together, 'its export is the nodes\' together');

# what comes later follows; a verdict that is given in the collector stays
$hub->safe_psql('collector', 'UPDATE llava_conversation SET keep = false WHERE image = (SELECT min(image) FROM llava_conversation)');
$nodes[0]->safe_psql('postgres', 'SELECT llava_enqueue(image, task, true) FROM llava_conversation WHERE image = (SELECT min(image) FROM llava_conversation)');
ok($_->wait_drained, 'more is asked') for $nodes[0];
ok($hub->wait_query('SELECT count(*) FROM llava_reply', $DISTINCT + 1, 'collector'), 'its reply comes');
ok($hub->wait_query('SELECT c.keep, r.n FROM llava_conversation c, LATERAL (SELECT count(*) AS n FROM llava_reply r WHERE r.image = c.image AND r.id <= c.reply) r
	WHERE image = (SELECT min(image) FROM llava_conversation)', 'f\|2', 'collector'), 'and the new sample, with the verdict of the collector');
is($hub->safe_psql('collector', 'SELECT (SELECT count(*) FROM llava_pending), (SELECT count(*) FROM llava_usage)'), '0|0', 'the collector asks nothing');

# a takedown by the bytes
my $sha256 = $nodes[1]->safe_psql('postgres', 'SELECT i.sha256 FROM llava_conversation c JOIN llava_image i ON i.id = c.image LIMIT 1');
my $forget = block('How do I take a picture down on every node?') =~ s/'\\x0+'/'$sha256'/r;
like(join(' ', on_nodes($forget)), qr/^ [12]$/, 'the node that has the picture takes it down');
ok($hub->wait_query("SELECT count(*) = 0 FROM llava_image WHERE sha256 = '$sha256'", 't', 'collector'),
	'and the collector has it no more');

$hub->safe_psql('collector', "ALTER SUBSCRIPTION node$_ DISABLE") for 1, 2;
$_->stop('fast') for $hub, @nodes;
$endpoint->stop;
done_testing();
