#!/usr/bin/perl
# test/rooms.pl: checks which folder ("room") of src uses which, by includes and symbols, and
# that each part of Loop (src/pg/queue/loop.h) is written by the files that own it only.
#
#   test/rooms.pl            reports forbidden includes, calls ("up") and writes, and cycles
#   test/rooms.pl --strict   the same, and fails if there are any
#
# A file's room is its folder below src or src/pg; src/*.c is the room "load".  Run it
# after make: it reads the symbols of the object files beside the sources.
use strict;
use warnings;

# The rooms that each room may use.  %open lists the rooms that all others may use: each
# of these may itself use those with a lower number.
my %may = (
	load    => [qw(run queue fetch export ledger intake picture server task jsonl)],
	run     => [qw(queue fetch ledger picture server task intake)],
	fetch   => [qw(intake)],
	queue   => [qw(ledger picture server task)],
	ledger  => [qw(task)],
	export  => [qw(picture task jsonl)],
	intake  => [qw(task)],
	picture => [qw(server)],
	server  => [], task => [], jsonl => [],
	db      => [], process => [],
	image   => [], vlm => [], reply => [], web => []);
my %open = (db => 2, process => 1, image => 0, vlm => 0, reply => 0, web => 0);

sub room_of
{
	my ($object) = @_;
	return $object =~ m{^src/(?:pg/)?(\w+)/\w+\.o$} ? $1 : 'load';
}

sub allowed
{
	my ($from, $to) = @_;
	return 1 if $from eq $to || grep { $_ eq $to } @{ $may{$from} };
	return defined $open{$to} && $open{$to} < ($open{$from} // 3);
}

my (%home, %uses);
foreach my $object (glob('src/*.o src/*/*.o src/pg/*/*.o'))
{
	open my $nm, '-|', 'nm', $object or die "nm: $!\n";
	while (my $line = <$nm>)
	{
		my ($kind, $symbol) = $line =~ /(\S) (\S+)$/ or next;
		$uses{$object}{$symbol} = 1 if $kind eq 'U';
		$home{$symbol} = $object if $kind =~ /[TDBRC]/ && $symbol !~ /^(pg_finfo_|Pg_magic|_PG_)/;
	}
	close $nm or die "nm $object failed\n";
}
die "no objects: run make first\n" if !%uses;

my %arrows;
foreach my $from (sort keys %uses)
{
	foreach my $symbol (sort keys %{ $uses{$from} })
	{
		my $to = $home{$symbol} // next;
		push @{ $arrows{ room_of($from) }{ room_of($to) } }, "$from: $symbol";
	}
}

# Of another room a file may include only its door, the header room/room.h.
my @wrong;
foreach my $file (glob('src/*.[ch] src/*/*.[ch] src/pg/*/*.[ch]'))
{
	my $from = room_of($file =~ s/\.[ch]$/.o/r);
	open my $source, '<', $file or die "$file: $!\n";
	while (my $line = <$source>)
	{
		my ($to, $header) = $line =~ m{^#include "(\w+)/(\w+)\.h"} or next;
		next if !exists $may{$to};
		push @wrong, "$file includes $to/$header.h, which is no door" if $header ne $to;
		push @wrong, "$file includes $to/$header.h, and $from may not see $to" if !allowed($from, $to);
	}
}
print "wrong: $_\n" foreach @wrong;

sub text_of
{
	my ($file) = @_;
	open my $source, '<', $file or die "$file: $!\n";
	local $/;
	return scalar(<$source>);
}

# The parts of Loop, each with the files that may write it: the comment before the part's
# type ("claim.c's and claim_rows.c's: ..."), or the field's own ("... (pictures.c)"), names
# them.  What names none is set by loop.c.
sub parts_of_loop
{
	my $header = text_of('src/pg/queue/loop.h');
	my (%writers, %parts);
	while ($header =~ m{/\*((?:(?!\*/).)*)\*/\ntypedef struct (\w+)\n}sg)
	{
		my ($comment, $type) = ($1, $2);
		$writers{$type} = [ $comment =~ /(\w+\.c)'s/g ];
	}
	my ($fields) = $header =~ /^struct Loop\n\{\n(.*?)^\};/ms or die "loop.h has no struct Loop\n";
	while ($fields =~ m{(\w+)\s+\*?(\w+);[ \t]*(?:/\*(.*?)\*/)?}sg)
	{
		my ($type, $part, $comment) = ($1, $2, $3 // '');
		my @files = $comment =~ /\((\w+\.c)\)/ ? $1 : @{ $writers{$type} // [] };
		$parts{$part} = @files ? \@files : ['loop.c'];
	}
	return %parts;
}

# A file that takes a part's address, to write through it, counts as one that writes it.
my %parts = parts_of_loop();
my @writes;
foreach my $path (glob('src/pg/queue/*.c'))
{
	my ($file) = $path =~ m{(\w+\.c)$};
	my $source = text_of($path) =~ s{/\*.*?\*/}{}sgr;
	$source =~ s/^loop_new\(.*?^\}//ms;
	# these only read
	$source =~ s/\b(?:dlist_\w+_node|dlist_is_empty)\(&loop|\bconst \w+ \*\w+ = &loop//g;
	push @writes, "$file calls a Loop other than \"loop\"" if $source =~ /\bLoop\s+\*(?!loop\b)\w/;
	foreach my $part (sort keys %parts)
	{
		next if grep { $_ eq $file } @{ $parts{$part} };
		my $field = qr/\bloop->$part\b(?:\.\w+|->\w+|\[[^\]]*\])*/;
		push @writes, "$file writes Loop.$part ($1), which belongs to @{ $parts{$part} }"
		  while $source =~ /($field\s*(?:[-+*\/|&^]?=(?!=)|\+\+|--)|(?:\+\+|--|&)$field|(?:strlcpy|snprintf|memset|memcpy)\($field)/g;
	}
}
print "write: $_\n" foreach @writes;

my $up = 0;
foreach my $from (sort keys %arrows)
{
	foreach my $to (sort keys %{ $arrows{$from} })
	{
		my @calls = @{ $arrows{$from}{$to} };
		next if allowed($from, $to);
		$up++;
		printf "up: %s -> %s\n%s", $from, $to, join '', map { "    $_\n" } @calls;
	}
}

# Whether a room uses another one, directly or through others.
sub reaches
{
	my ($from, $goal, $seen) = @_;
	return 0 if $seen->{$from}++;
	foreach my $to (grep { $_ ne $from } keys %{ $arrows{$from} // {} })
	{
		return 1 if $to eq $goal || reaches($to, $goal, $seen);
	}
	return 0;
}
my @circle = grep { reaches($_, $_, {}) } sort keys %arrows;

printf "# %d rooms, %d arrows, %d up, %d rooms in circles, %d wrong includes, %d parts of Loop, %d wrong writes%s\n",
  scalar(keys %may), scalar(map { grep { $_ } keys %{ $arrows{$_} } } keys %arrows), $up, scalar(@circle),
  scalar(@wrong), scalar(keys %parts), scalar(@writes),
  @circle ? ": @circle" : '';
exit((@ARGV && $ARGV[0] eq '--strict' && ($up || @circle || @wrong || @writes)) ? 1 : 0);
