# What a person does on a page of llava_page, without a browser: the samples that it shows,
# and the lines of keep.jsonl that its script writes of them.
package LlavaZh::Judge;

use strict;
use warnings;
use JSON::PP;

my %ENTITIES = (amp => '&', lt => '<', gt => '>', quot => '"', '#39' => "'");

# The samples of a page that is decoded, in its order: hashes of what each article says.
sub samples
{
	my ($page) = @_;
	my @samples;
	while ($page =~ /<article class='sample'([^>]*)>/g)
	{
		my $attributes = $1;
		my %sample = $attributes =~ /data-(\w+)='([^']*)'/g;
		s/&(#39|\w+);/$ENTITIES{$1}/g for values %sample;
		push @samples, \%sample;
	}
	return @samples;
}

# A line of keep.jsonl, encoded; keep: true, false or null.
sub line
{
	my ($sample, $keep, $note) = @_;
	my $json = JSON::PP->new->utf8->allow_nonref;
	return sprintf qq({"image": %s, "task": %s, "reply": %s, "words": "%s", "judged": "%s", "keep": %s, "note": %s}\n),
	  $sample->{image}, $json->encode($sample->{task}), $sample->{reply}, $sample->{words}, $sample->{judged}, $keep,
	  $json->encode($note);
}

1;
