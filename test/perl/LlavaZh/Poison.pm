# Pictures of which some take the simulated engine down, and what comes of them.
package LlavaZh::Poison;

use strict;
use warnings;
use LlavaZh::Cluster;
use Test::More;

# What the endpoint's option poison says.
our $SIZE = '84x56';

# new(node, endpoint): of a database without pictures
sub new
{
	my ($class, $node, $endpoint) = @_;
	return bless { node => $node, endpoint => $endpoint, next => 1, crashes => 0 }, $class;
}

sub sql
{
	my ($self, $query) = @_;
	return $self->{node}->safe_psql('postgres', $query);
}

# A picture of its own bytes, which as a JPEG, too, is like none of the 511 before it.
sub png
{
	my ($number, $width, $height) = @_;
	my $pixel = pack('CCC', map { 16 + 32 * (int($number / $_) % 8) } 1, 8, 64);

	my $row = "\0" . $pixel x $width;

	return LlavaZh::Cluster::png_of_rows($width, 2, $row x ($height - 1) . "\0" . pack('N', $number) . substr($row, 5));
}

# n pictures, of which those at these places take the engine down
sub insert
{
	my ($self, $n, @killers) = @_;
	my %kills = map { $_ => 1 } @killers;
	my @rows;
	for my $place (1 .. $n)
	{
		my $png = png($self->{next}, $kills{$place} ? split(/x/, $SIZE) : (56, 56));
		push @rows, "('pic$self->{next}.png', decode('" . unpack('H*', $png) . "', 'hex'), 'detail')";
		$self->{next}++;
	}
	$self->sql('INSERT INTO llava_image (path, image, task) VALUES ' . join(', ', @rows));
	return;
}

sub crashes
{
	my ($self) = @_;
	return scalar grep { $_->{event} eq 'crash' } $self->{endpoint}->journal_lines;
}

# Numbers of the requests about pictures whose request before was lost.
sub suspects
{
	my (@lines) = @_;
	my (%suspect, %lost);

	foreach my $line (grep { $_->{event} eq 'done' && defined $_->{image} } @lines)
	{
		$suspect{ $line->{n} } = 1 if $lost{ $line->{image} };
		$lost{ $line->{image} } = !$line->{sent} || $line->{status} == 502;
	}
	return \%suspect;
}

# The most requests that were in flight together with a suspect, since the last crash that ends
# saw.
sub most_beside_suspects
{
	my ($self) = @_;
	my @lines = $self->{endpoint}->journal_lines;
	my $suspect = suspects(@lines);
	my ($crashes, $most, %in_flight) = (0, 0);

	foreach my $line (@lines)
	{
		$crashes++ if $line->{event} eq 'crash';
		$in_flight{ $line->{n} } = 1 if $line->{event} eq 'arrived';
		delete $in_flight{ $line->{n} } if $line->{event} eq 'done';
		next if $crashes <= $self->{crashes};
		$most = keys %in_flight if keys %in_flight > $most && grep { $suspect->{$_} } keys %in_flight;
	}
	return $most;
}

# What came of n pictures, of which killers took the engine down: no more requests and crashes
# than these, and no more together with a suspect than company.
sub ends
{
	my ($self, $what, %e) = @_;
	my $failed = q{SELECT coalesce(string_agg(concat_ws(' ', failure, width || 'x' || height), ', '), '') FROM llava_pending JOIN llava_image ON id = llava_pending.image};

	ok($self->{node}->wait_drained, "$what: it ends");
	is($self->sql($failed), join(', ', ("kills_server $SIZE") x $e{killers}), "$what: who took the engine down has failed");
	is($self->sql('SELECT count(*) FROM llava_conversation'), $e{pictures} - $e{killers}, "$what: all others are samples");
	my $requests = $self->sql('SELECT requests FROM llava_usage');
	my $crashes = $self->crashes - $self->{crashes};
	my $company = $self->most_beside_suspects;
	cmp_ok($requests, '<=', $e{requests}, "$what: requests") if $e{requests};
	cmp_ok($crashes, '<=', $e{crashes}, "$what: crashes");
	cmp_ok($company, '<=', $e{company}, "$what: requests together with a suspect") if $e{company};
	note("$what: $requests requests, $crashes crashes, at most $company together with a suspect");
	$self->sql('TRUNCATE llava_pending, llava_conversation, llava_reply');
	$self->sql('UPDATE llava_usage SET requests = 0');
	$self->{crashes} += $crashes;
	return;
}

1;
