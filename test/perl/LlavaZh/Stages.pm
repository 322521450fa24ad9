# Pictures for tests of tasks that follow others, and statements with Chinese in them: plain
# pictures are worth nothing to the simulated endpoint, striped ones are worth asking about.
package LlavaZh::Stages;

use strict;
use warnings;
use utf8;
use Encode qw(decode_utf8 encode_utf8);
use Exporter qw(import);
use LlavaZh::Cluster;

our @EXPORT_OK = qw(stages_on sql error_of notice_of insert_pictures striped);

my $node;

# The server that the functions below talk to.
sub stages_on
{
	($node) = @_;
	return;
}

sub sql { return decode_utf8($node->safe_psql('postgres', encode_utf8($_[0]))); }

# What the statement's ERROR or NOTICE says.
sub error_of
{
	my ($out, $err);
	$node->psql('postgres', encode_utf8($_[0]), stdout => \$out, stderr => \$err);
	return decode_utf8($err);
}

sub notice_of { return error_of($_[0]); }

# A picture with something to see: stripes of its own.
sub striped
{
	my ($number) = @_;
	my @rows = map { my $y = $_; pack 'C*', map { (($_ + $y) / 4 + $number) % 2 < 1 ? 10 + $number % 60 : 250 - int($number / 60) % 60 } 0 .. 55 } 0 .. 54;
	return LlavaZh::Cluster::grey_png(@rows, pack('N', $number) . substr($rows[0], 4));
}

# insert_pictures(task or undef, plain?, numbers ...): paths plainN.png and stripedN.png
sub insert_pictures
{
	my ($task, $plain, @numbers) = @_;
	sql(sprintf 'INSERT INTO llava_image (path, image, task) VALUES %s', join ', ',
		map { sprintf "('%s%d.png', '\\x%s', %s)", $plain ? 'plain' : 'striped', $_,
			unpack('H*', $plain ? LlavaZh::Cluster::png($_) : striped($_)), defined $task ? "'$task'" : 'NULL' } @numbers);
	return;
}

1;
