#!/usr/bin/perl
# test/rooms.pl: checks which folder ("room") of src uses which, by includes and symbols.
#
#   test/rooms.pl            reports forbidden includes, forbidden calls ("up") and cycles
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

printf "# %d rooms, %d arrows, %d up, %d rooms in circles, %d wrong includes%s\n", scalar(keys %may),
  scalar(map { grep { $_ } keys %{ $arrows{$_} } } keys %arrows), $up, scalar(@circle), scalar(@wrong),
  @circle ? ": @circle" : '';
exit((@ARGV && $ARGV[0] eq '--strict' && ($up || @circle || @wrong)) ? 1 : 0);
