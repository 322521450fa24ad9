# The pages of the documentation as tests read them: sections, code blocks, links, anchors.
# What a page says is taken from it as it stands there, so that a test and a page cannot differ.
package LlavaZh::Page;

use strict;
use warnings;
use Encode qw(decode_utf8);
use PostgreSQL::Test::Utils;

# Every page that has to be short-lined, linked and run.
our @PAGES = qw(README.md sql/README.md sql/cookbook.md test/README.md);

# new(file): text and headings are characters, not bytes
sub new
{
	my ($class, $file) = @_;
	my $self = bless { file => $file, lines => [ split /\n/, decode_utf8(slurp_file($file)) ] }, $class;
	my ($fence, $heading, %seen) = ('', { text => '', level => 1, first => 0 });
	my @headings = ($heading);
	my @blocks;

	for my $i (0 .. $#{ $self->{lines} })
	{
		my $line = $self->{lines}[$i];
		if ($fence ne '')
		{
			if ($line eq '```')
			{
				$blocks[-1]{text} = join '', map { "$_\n" } @{ $self->{lines} }[ $blocks[-1]{line} .. $i - 1 ];
				$fence = '';
			}
		}
		elsif ($line =~ /^```(\w*)$/)
		{
			$fence = 'open';
			push @blocks, { heading => $heading->{text}, language => $1, line => $i + 1 };
		}
		elsif ($line =~ /^(#+) (.*)$/)
		{
			$heading->{last} = $i - 1;
			$heading = { text => $2, level => length $1, first => $i + 1, anchor => anchor($2) };
			$heading->{anchor} .= "-$seen{$heading->{anchor}}" if $seen{ $heading->{anchor} }++;
			push @headings, $heading;
		}
	}
	$headings[-1]{last} = $#{ $self->{lines} };
	@{$self}{qw(headings blocks)} = (\@headings, \@blocks);
	die "$file has a code block without an end" if $fence ne '';
	return $self;
}

# As GitHub makes it of a heading.
sub anchor
{
	my ($heading) = @_;
	my $anchor = lc $heading;
	$anchor =~ s/[^\w\- ]//g;
	$anchor =~ tr/ /-/;
	return $anchor;
}

# The lines below a heading, down to the next one of its level or above; or its own only.
sub section
{
	my ($self, $text, $own) = @_;
	my @headings = @{ $self->{headings} };
	for my $i (0 .. $#headings)
	{
		next if $headings[$i]{text} ne $text;
		my $last = $headings[$i]{last};
		for (@headings[ $i + 1 .. $#headings ])
		{
			last if $own || $_->{level} <= $headings[$i]{level};
			$last = $_->{last};
		}
		return join '', map { "$_\n" } @{ $self->{lines} }[ $headings[$i]{first} .. $last ];
	}
	die "$self->{file} has no section \"$text\"";
}

# The blocks of these languages, or those below one heading: text, heading, language, line.
sub blocks
{
	my ($self, $languages, $heading) = @_;
	return grep { $_->{language} =~ /^(?:$languages)$/ && $_->{heading} eq ($heading // $_->{heading}) }
	  @{ $self->{blocks} };
}

# The text of the nth block below a heading, from 0, in characters.
sub block
{
	my ($self, $heading, $n) = @_;
	my @blocks = $self->blocks('sql|sh|python', $heading);
	my $block = $blocks[ $n // 0 ] or die "$self->{file} has no such block below \"$heading\"";
	return $block->{text};
}

# Every line outside of code blocks, as [number, text].
sub prose
{
	my ($self) = @_;
	my (@prose, $in_block);
	for my $i (0 .. $#{ $self->{lines} })
	{
		my $line = $self->{lines}[$i];
		$in_block = !$in_block, next if $line =~ /^```/;
		push @prose, [ $i + 1, $line ] unless $in_block;
	}
	return @prose;
}

# The rows of the tables below a heading: one list of cells each, heads left out.
sub rows
{
	my ($self, $heading, $own) = @_;
	my @lines = split /\n/, $self->section($heading, $own);
	my @rows;
	for my $i (1 .. $#lines)
	{
		next if $lines[$i] !~ /^\|/ || $lines[$i] =~ /^\|[-:|]+\|$/ || ($lines[ $i + 1 ] // '') =~ /^\|[-:|]+\|$/;
		push @rows, [ map { s/^ | $//gr } $lines[$i] =~ /\|([^|]*)(?=\|)/g ];
	}
	return @rows;
}

1;
