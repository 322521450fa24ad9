# The simulated web (test/web/llava_web.c): hosts below .test on 127.0.0.0/8, a name server
# for them, and a journal of all requests.  What is started afterwards reaches nothing but
# this machine (test/web/connects.c), whatever it tries.
package LlavaZh::Web;

use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();
use POSIX ();

my $directory;

sub new
{
	my ($class) = @_;
	my $self = bless { directory => File::Temp->newdir }, $class;
	keep_here() if !defined $directory;
	my $program = $ENV{LLAVA_WEB} // dirname(abs_path(__FILE__)) . '/../../../build/llava_web';

	$self->{journal} = "$self->{directory}/journal";
	# it ends when we do, however we end: our end of its standard input closes
	pipe(my $input, my $held_open) or die "pipe: $!";
	pipe(my $output, my $told) or die "pipe: $!";
	my $pid = fork() // die "fork: $!";
	if ($pid == 0)
	{
		open(STDIN, '<&', $input) && open(STDOUT, '>&', $told) or POSIX::_exit(127);
		close($_) foreach $input, $held_open, $output, $told;
		exec { $program } $program, $self->{journal} or POSIX::_exit(127);
	}
	close($input);
	close($told);
	@$self{qw(port names)} = (<$output> // '') =~ /^(\d+) (\d+)$/ or die 'the simulated web did not start';
	@$self{qw(held_open output)} = ($held_open, $output);
	return $self;
}

# Once for all webs of a test: all of its children are kept on this machine.
sub keep_here
{
	$directory = File::Temp->newdir;
	my $library = "$directory/connects.so";
	my $source = dirname(abs_path(__FILE__)) . '/../../web/connects.c';
	system('gcc', '-O1', '-shared', '-fPIC', '-o', $library, $source, '-ldl') == 0 or die 'gcc failed';
	chmod 0755, $directory;
	$ENV{LD_PRELOAD} = join ':', $library, grep { defined } $ENV{LD_PRELOAD};
	$ENV{CONNECTS} = "$directory/connects";
	return;
}

# Where connections and datagrams went, "address:port"; or what was refused instead.
sub connects { return map { /^(?:connect|send) (\S+) (\d+)$/ ? "$1:$2" : () } connect_lines(); }
sub refused { return map { /^refused (\S+) (\d+)$/ ? "$1:$2" : () } connect_lines(); }

sub connect_lines
{
	open my $file, '<', $ENV{CONNECTS} or return;
	chomp(my @lines = <$file>);
	close $file;
	return @lines;
}

# Settings of a server that fetches from it, with a short delay.
sub settings
{
	my ($self, %more) = @_;
	my %set = (
		fetch => 'on', fetch_contact => 'nobody@example.org', fetch_allow => '127.0.0.0/8', fetch_delay => '50ms',
		fetch_ports => $self->{port}, fetch_nameservers => "127.0.0.1:$self->{names}", %more);
	return join '', map { "llava_zh.$_ = '$set{$_}'\n" } sort keys %set;
}

sub url { my ($self, $host, $path) = @_; return "http://$host:$self->{port}$path"; }

# The journal's lines as hashes: us, kind (http or dns), host, path.
sub journal
{
	my ($self, $kind) = @_;
	my @lines;

	open my $file, '<', $self->{journal} or die "$self->{journal}: $!";
	while (my $line = <$file>)
	{
		my %entry;
		@entry{qw(us kind host path status)} = split ' ', $line;
		push @lines, \%entry if !defined $kind || $entry{kind} eq $kind;
	}
	close $file;
	return @lines;
}

1;
