# Beyond the first claims the worker reads no picture that it has not told the kernel of
# before, and no block is announced twice.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $pictures = 160;
my $top = PostgreSQL::Test::Utils::tempdir;
my $log = "$top/reads";
command_ok([ 'gcc', '-shared', '-fPIC', '-O1', '-o', "$top/read_log.so", 'test/read_log.c', '-ldl' ], 'the log of reads is built');
my $endpoint = LlavaZh::Endpoint->new;
my $node;
{
	local $ENV{LD_PRELOAD} = "$top/read_log.so";
	local $ENV{READ_LOG} = $log;
	$node = LlavaZh::Cluster->new('ahead', conf => "autovacuum = off\n");

	# of 185 kB each, so that a claim takes some twenty
	my $png = unpack('H*', LlavaZh::Cluster::png(1));
	$node->safe_psql('postgres', <<"SQL");
INSERT INTO llava_image (image)
SELECT substring(jpeg FROM 1 FOR 2) || string_agg('\\xfffef002'::bytea || convert_to(lpad(n || ' ' || part, 61440, 'x'), 'UTF8'), '' ORDER BY part)
	|| substring(jpeg FROM 3)
FROM generate_series(1, $pictures) AS n, generate_series(1, 3) AS part,
	(SELECT llava_prepare_image(decode('$png', 'hex')) AS jpeg OFFSET 0) AS j
GROUP BY n, jpeg ORDER BY n
SQL
	$node->restart;
}
my ($table, $index, $blocks) = split /\|/, $node->safe_psql('postgres', <<'SQL');
SELECT pg_relation_filepath(t.oid), pg_relation_filepath(i.indexrelid), pg_relation_size(t.oid) / 8192
FROM pg_class c JOIN pg_class t ON t.oid = c.reltoastrelid JOIN pg_index i ON i.indrelid = t.oid
WHERE c.oid = 'llava_image'::regclass
SQL
cmp_ok($blocks, '>', $pictures * 20, 'the pictures are stored as large values');
$node->create_server('sim', $endpoint->url, "max_in_flight '32'");
ok($node->wait_drained, 'they are asked about');
my $worker = $node->worker_pid;
is($node->safe_psql('postgres', 'SELECT count(*) FROM llava_conversation'), $pictures, 'each is a sample');

my (%announced, %read, %unannounced);
for (split /\n/, slurp_file($log))
{
	my ($what, $pid, $file, $first, $n) = split;
	next if $pid != $worker or $file !~ m{/(\Q$table\E|\Q$index\E)$};
	$announced{$1}{$_}++ for $what eq 'announced' ? $first .. $first + $n - 1 : ();
	next if $what ne 'read';
	$read{$1}{$first}++;
	$unannounced{$1}{$first}++ if !$announced{$1}{$first};
}
sub highest { return (sort { $b <=> $a } keys %{ $_[0] })[0] // -1; }
is(scalar keys %{ $read{$table} }, $blocks, 'every block of the pictures is read');
cmp_ok(highest($unannounced{$table}), '<', $blocks / $pictures * 32, 'unannounced only those of the first claim');
my $twice = grep { $_ > 1 } values %{ $announced{$table} };
cmp_ok($twice, '<', $blocks / 100, 'none is announced twice, but where two announcements meet');
cmp_ok(highest($read{$index}), '>', 3 * highest($unannounced{$index}), 'their index is announced too');

$node->stop('fast');
$endpoint->stop;
done_testing();
