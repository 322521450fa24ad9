# Beyond the first claim the worker reads no picture that it has not told the kernel of
# before, no block is announced twice, and never many at once, whatever was expected.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

# what is announced at once, of which two may be on their way
my $batch = 4 * 1024 * 1024 / 8192;
my $pictures = 160;
my $top = PostgreSQL::Test::Utils::tempdir;
command_ok([ 'gcc', '-shared', '-fPIC', '-O1', '-o', "$top/read_log.so", 'test/read_log.c', '-ldl' ], 'the log of reads is built');
my $endpoint = LlavaZh::Endpoint->new;

sub highest { return (sort { $b <=> $a } keys %{ $_[0] })[0] // -1; }

# Pictures of 185 kB each, in a queue behind so many small ones, asked about by a server
# that has just started: the blocks that were announced and read, by file, and the most
# that were on their way.
sub drained
{
	my ($name, $small) = @_;
	my $log = "$top/$name";
	my $node;
	{
		local $ENV{LD_PRELOAD} = "$top/read_log.so";
		local $ENV{READ_LOG} = $log;
		$node = LlavaZh::Cluster->new($name, conf => "autovacuum = off\n");
		$node->insert_pictures(1, $small) if $small > 0;
		my $png = unpack('H*', LlavaZh::Cluster::png(0));
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
	cmp_ok($blocks, '>', $pictures * 20, "$name: the pictures are stored as large values");
	$node->create_server('sim', $endpoint->url, "max_in_flight '32'");
	ok($node->wait_drained, "$name: they are asked about");
	my $worker = $node->worker_pid;
	is($node->safe_psql('postgres', 'SELECT count(*) FROM llava_conversation'), $small + $pictures, "$name: each is a sample");
	$node->stop('fast');

	my %found = (blocks => $blocks, most => 0, map { $_ => { announced => {}, read => {}, unannounced => {} } } qw(table index));
	my %file = ($table => 'table', $index => 'index');
	my %on_their_way;
	for (split /\n/, slurp_file($log))
	{
		my ($what, $pid, $path, $first, $n) = split;
		my ($file) = grep { $path =~ m{/\Q$_\E$} } keys %file;
		next if $pid != $worker or !defined $file;
		my $of = $found{ $file{$file} };
		if ($what eq 'announced')
		{
			$of->{announced}{$_}++ for $first .. $first + $n - 1;
			next if $file ne $table;
			$on_their_way{$_} = 1 for grep { !$of->{read}{$_} } $first .. $first + $n - 1;
			$found{most} = keys %on_their_way if $found{most} < keys %on_their_way;
			next;
		}
		$of->{read}{$first}++;
		$of->{unannounced}{$first}++ if !$of->{announced}{$first};
		delete $on_their_way{$first} if $file eq $table;
	}
	is(scalar keys %{ $found{table}{read} }, $blocks, "$name: every block of the pictures is read");
	return %found;
}

my %found = drained('alike', 0);
my ($of, $index, $picture) = ($found{table}, $found{index}, $found{blocks} / $pictures);
cmp_ok(highest($of->{unannounced}), '<', $picture * 32, 'unannounced only those of the first claim');
my $twice = grep { $_ > 1 } values %{ $of->{announced} };
cmp_ok($twice, '<', $found{blocks} / 100, 'none is announced twice, but where two announcements meet');
cmp_ok($found{most}, '>', $batch, 'more than 4 MB are on their way');
cmp_ok($found{most}, '<', 2.05 * ($batch + $picture), 'and not much more than twice as many');
cmp_ok(highest($index->{read}), '>', 3 * highest($index->{unannounced}), 'their index is announced too');

# Small ones lead to expect others: a claim takes more than it can read and gives back
# what was announced, which then waits beside what is announced next.
%found = drained('unlike', 300);
is(highest($found{table}{unannounced}), -1, 'large ones behind small ones are announced before they are claimed');
cmp_ok($found{most}, '<', 4.1 * ($batch + $picture), 'and no more of them at once');

$endpoint->stop;
done_testing();
