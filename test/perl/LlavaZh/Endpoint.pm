
=head1 NAME

LlavaZh::Endpoint - the simulated chat-completions endpoint, for TAP tests

=head1 SYNOPSIS

  use LlavaZh::Endpoint;

  my $endpoint = LlavaZh::Endpoint->new(latency => '20-50', plan => '3:429');
  # CREATE SERVER ... OPTIONS (url '$url'), with
  my $url = $endpoint->url;                  # http://127.0.0.1:PORT/v1
  my $sick = $endpoint->url('/fault/503');    # http://127.0.0.1:PORT/fault/503/v1

  $endpoint->control(faults => 'hang=1');
  $endpoint->wait_for(in_flight => 4) or die;
  is($endpoint->stats->{max_in_flight}, 4);
  my @asked = $endpoint->requests;           # one hash a request, from the journal
  $endpoint->stop;

=head1 DESCRIPTION

The program is $ENV{LLAVA_ENDPOINT}, else build/llava_endpoint in the project's top directory.
Every option of new() is a long option of the program (underscores for dashes), flags
given as 1; 'args' is a list of arguments to be added as they are.  The journal lies in a
temporary directory, or where 'journal' says.

=cut

package LlavaZh::Endpoint;

use strict;
use warnings;

use Carp;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();

my %flag = map { $_ => 1 } qw(count-only until-eof);

=head1 METHODS

=over

=item LlavaZh::Endpoint->new(OPTION => VALUE, ...)

Starts it and waits for the line that tells its port.

=cut

sub new
{
	my ($class, %options) = @_;
	my $self = bless { directory => File::Temp->newdir }, $class;

	$self->{journal} = delete $options{journal} // "$self->{directory}/journal.jsonl";
	$self->{args} = delete $options{args} // [];
	$self->{options} = \%options;
	$self->start;
	return $self;
}

=item $endpoint->start

Starts it again, after stop or kill, on the port it had.

=cut

sub start
{
	my ($self) = @_;
	my @command = (program(), '--port', $self->{port} // 0, '--journal', $self->{journal}, '--until-eof');

	croak 'the endpoint runs already' if $self->{pid};
	foreach my $name (sort keys %{ $self->{options} })
	{
		my $value = $self->{options}{$name};

		(my $long = $name) =~ tr/_/-/;
		next if $flag{$long} && !$value;
		push @command, "--$long", $flag{$long} ? () : $value;
	}

	push @command, @{ $self->{args} };

	# It ends when we do, however we end: our end of its standard input closes.
	pipe(my $input, my $held_open) or croak "pipe: $!";
	pipe(my $output, my $told) or croak "pipe: $!";
	my $pid = fork() // croak "fork: $!";
	if ($pid == 0)
	{
		open(STDIN, '<&', $input) && open(STDOUT, '>&', $told) or POSIX::_exit(127);
		close($_) foreach $input, $held_open, $output, $told;
		exec { $command[0] } @command or POSIX::_exit(127);
	}
	close($input);
	close($told);
	my $line = <$output> // '';
	if ($line !~ /^listening on 127\.0\.0\.1:(\d+)$/)
	{
		waitpid($pid, 0);
		croak "the endpoint did not start: @command";
	}
	$self->{port} = $1;
	$self->{pid} = $pid;
	$self->{owner} = $$;
	$self->{held_open} = $held_open;
	$self->{output} = $output;
	return $self;
}

# Where the program is.
sub program
{
	return $ENV{LLAVA_ENDPOINT} if $ENV{LLAVA_ENDPOINT};
	my $program = dirname(abs_path(__FILE__)) . '/../../../build/llava_endpoint';

	croak "no $program: build it, or set LLAVA_ENDPOINT" unless -x $program;
	return $program;
}

=item $endpoint->port, ->pid

=item $endpoint->url(PREFIX)

The base URL, as a server's option url wants it; PREFIX as '/fault/hang'.

=cut

sub port { return $_[0]{port}; }
sub pid { return $_[0]{pid}; }

sub url
{
	my ($self, $prefix) = @_;

	return "http://127.0.0.1:$self->{port}" . ($prefix // '') . '/v1';
}

=item $endpoint->request(METHOD, PATH, BODY)

One request over a connection of its own: returns status and body.

=cut

sub request
{
	my ($self, $method, $path, $body) = @_;
	my $socket = IO::Socket::INET->new(
		PeerAddr => '127.0.0.1',
		PeerPort => $self->{port},
		Proto => 'tcp') or croak "cannot connect to the endpoint: $!";
	my $reply = '';

	$body //= '';
	print {$socket} "$method $path HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
	  . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
	$socket->flush;
	while (sysread($socket, my $piece, 65536))
	{
		$reply .= $piece;
	}
	my ($head, $content) = split(/\r\n\r\n/, $reply, 2);
	my ($status) = ($head // '') =~ m{^HTTP/1\.1 (\d+)} or croak "no reply to $method $path";
	return ($status, $content);
}

=item $endpoint->control(SETTING => VALUE, ...)

Changes settings while it runs (--help lists them; underscores for dashes); release => 1
lets the held requests go, crash => 1 takes the engine down.  A hash reference will do too.  Returns the counts, as stats does.

=cut

sub control
{
	my ($self, @settings) = @_;
	my %settings = ref $settings[0] ? %{ $settings[0] } : @settings;
	my %wanted;

	foreach my $setting (keys %settings)
	{
		my ($name, $value) = ($setting, $settings{$setting});

		$name =~ tr/_/-/;
		$wanted{$name} = $name =~ /^(?:release|crash)$/ ? JSON::PP::true : "$value";
	}
	my ($status, $body) = $self->request('POST', '/control', JSON::PP->new->utf8->encode(\%wanted));
	croak "the endpoint refused: $body" if $status != 200;
	return decode($body);
}

sub decode { return JSON::PP->new->utf8->decode($_[0]); }

=item $endpoint->stats

The counts: requests, answered, done, in_flight, max_in_flight, images, status, fault, ...

=cut

sub stats
{
	my ($self) = @_;
	my ($status, $body) = $self->request('GET', '/control/stats');

	return decode($body);
}

=item $endpoint->wait_for(NAME => N, ..., timeout => MS)

Blocks until each count is at least N (NAME_max: at most N): the counts then, or undef
when the time (180 s where not told) is over.

=cut

sub wait_for
{
	my ($self, %wanted) = @_;

	$wanted{timeout} //= 180_000;
	my $query = join('&', map { "$_=$wanted{$_}" } sort keys %wanted);
	my ($status, $body) = $self->request('GET', "/control/wait?$query");
	croak "the endpoint knows no such count: $query" if $status == 400;
	return $status == 200 ? decode($body) : undef;
}

=item $endpoint->wait_in_flight(N)

Blocks until N requests are in flight at least; dies if that takes too long.

=cut

sub wait_in_flight
{
	my ($self, $count) = @_;

	return $self->wait_for(in_flight => $count) // croak "never $count requests in flight";
}

=item $endpoint->journal_lines

The journal's lines as hashes: event (arrived, answered, done; crash, restart), n, request_id, connection,
on_connection, authorization, image, ask, task, status, fault, sent, ...

=cut

sub journal_lines
{
	my ($self) = @_;
	my @lines;

	open(my $file, '<', $self->{journal}) or return;
	while (my $line = <$file>)
	{
		push @lines, decode($line) if $line =~ /\n\z/;
	}
	close($file);
	return @lines;
}

=item $endpoint->requests

One hash a request, in order of arrival: what its journal lines say together, with
'answered' and 'done' true where there is such a line.  Requests of an earlier run of
the program on the same journal come first.

=cut

sub requests
{
	my ($self) = @_;
	my @requests;
	my %open;

	foreach my $line ($self->journal_lines)
	{
		my $event = delete $line->{event};

		next unless defined $line->{n};    # crash, restart
		if ($event eq 'arrived')
		{
			$open{ $line->{n} } = $line;
			push @requests, $line;
		}
		else
		{
			my $request = $open{ $line->{n} };

			@{$request}{ keys %{$line} } = values %{$line};
			$request->{$event} = 1;
		}
	}
	return @requests;
}

=item $endpoint->stop, ->kill

Ends it: by SIGTERM, or SIGKILL.  DESTROY stops it too.

=cut

sub stop
{
	my ($self, $signal) = @_;

	return unless $self->{pid};
	local ($?, $!);
	CORE::kill($signal // 'TERM', $self->{pid});
	waitpid($self->{pid}, 0);
	delete @{$self}{qw(pid held_open output)};
	return;
}

sub kill
{
	my ($self) = @_;

	return $self->stop('KILL');
}

sub DESTROY
{
	my ($self) = @_;

	# In a child that inherited us the program is not ours to end.
	$self->stop if ($self->{pid} && ($self->{owner} // $$) == $$);
	return;
}

=back

=cut

1;
