# Two databases of a cluster and one host: together they keep its delay, where llava_zh is
# preloaded.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Web;
use PostgreSQL::Test::Utils;
use Test::More;

my $web = LlavaZh::Web->new;
my $delay_ms = 200;
my @databases = qw(postgres second);
my $node = LlavaZh::Cluster->new('two', conf => $web->settings(fetch_delay => "${delay_ms}ms") . "max_worker_processes = 16\n");
$node->safe_psql('postgres', 'CREATE DATABASE second');
$node->safe_psql('second', 'CREATE EXTENSION llava_zh');
$node->append_conf('postgresql.conf', "llava_zh.databases = 'postgres, second'\n");
$node->reload;
for my $database (@databases)
{
	$node->safe_psql($database, <<"SQL");
INSERT INTO llava_image (source_url) SELECT format('http://%s.test:$web->{port}/slow/50/$database-%s', h, n) FROM generate_series(1, 8) n, unnest(ARRAY['a', 'b', 'c']) h
SQL
}
ok($node->wait_query('SELECT count(*) FROM llava_fetched', '24', $_), "all have come in $_") for @databases;

my (%last, $near, %from);
for my $request ($web->journal('http'))
{
	my $before = $last{ $request->{host} };
	$near .= "$request->{host}$request->{path} after " . ($request->{us} - $before) . " us\n"
	  if defined $before && $request->{us} - $before < $delay_ms * 1000;
	$last{ $request->{host} } = $request->{us};
	$from{$1}++ if $request->{path} =~ m{/(postgres|second)-};
}
is_deeply(\%from, { map { $_ => 24 } @databases }, 'each was asked for once');
is($near, undef, 'no request began before the delay was over, whichever database sent the one before');

done_testing();
