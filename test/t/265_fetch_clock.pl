# The clock is set a day forward, an hour back and again: nothing waits for the time that
# was lost, and no host is asked before its delay is over.  Three days of robots.txt.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Web;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = PostgreSQL::Test::Utils::tempdir;
my $clock = "$top/clock";
system_or_bail('gcc', '-shared', '-fPIC', '-O1', '-o', "$top/set_clock.so", 'test/set_clock.c', '-ldl');

sub set_clock
{
	my ($seconds) = @_;
	open(my $file, -e $clock ? '+<' : '>', $clock) or die "$clock: $!";
	syswrite($file, pack('q', $seconds)) == 8 or die;
	close($file);
	return;
}

set_clock(0);
my $web = LlavaZh::Web->new;
my $delay_ms = 400;
my $hosts = 4;
my $node;
{
	local $ENV{LD_PRELOAD} = "$top/set_clock.so:$ENV{LD_PRELOAD}";
	local $ENV{SET_CLOCK} = $clock;
	$node = LlavaZh::Cluster->new('fetchclock', conf => $web->settings(fetch_delay => "${delay_ms}ms") . "log_min_messages = log\n");
}
my $at = ":$web->{port}";
my $n = 0;
sub sql { return $node->safe_psql('postgres', $_[0]); }
sub insert
{
	my ($each) = @_;
	$n++;
	sql("INSERT INTO llava_image (source_url) SELECT format('http://allow%s.test$at/picture/$n-%s', h, i) FROM generate_series(1, $each) i, generate_series(1, $hosts) h");
	return;
}
sub come { my ($rows, $what) = @_; return ok($node->wait_query('SELECT count(*) FROM llava_fetched', $rows), $what); }

insert(1);
come($hosts, 'pictures come');
my @days = (86400, 86400 - 3600, 2 * 86400, 2 * 86400 - 3600, 3 * 86400, 0);
my $rows = $hosts;
foreach my $day (@days)
{
	insert(3);
	# in the middle of it
	$node->wait_query("SELECT count(*) > $rows FROM llava_fetched");
	set_clock($day);
	$rows += 3 * $hosts;
	my $begun = time;
	come($rows, "all have come with the clock at $day s");
	cmp_ok(time - $begun, '<', 60, 'and soon');
}
my $said = () = slurp_file($node->logfile) =~ /the clock was set (?:back|forward) by/g;
cmp_ok($said, '>=', scalar @days, 'the log says so');

my (%last, %robots, $near);
for my $request ($web->journal('http'))
{
	my $before = $last{ $request->{host} };
	$near .= "$request->{host}$request->{path} after " . ($request->{us} - $before) . " us\n"
	  if defined $before && $request->{us} - $before < $delay_ms * 1000;
	$last{ $request->{host} } = $request->{us};
	$robots{ $request->{host} }++ if $request->{path} eq '/robots.txt';
}
is($near, undef, 'no request began before its host\'s delay was over');
is_deeply([ sort { $a <=> $b } grep { $_ > 4 } values %robots ], [], 'robots.txt of a host is asked for once a day, of three days and the first');

done_testing();
