# A server with llava_zh, a database with the extension, pictures to insert, and
# ways to wait for what the worker does without sleeping for a guess.
package LlavaZh::Cluster;

use strict;
use warnings;
use Compress::Zlib qw(compress crc32);
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(usleep);

our @ISA = qw(PostgreSQL::Test::Cluster);

# new(name, preload => 1, databases => 'postgres', conf => '...')
sub new
{
	my ($class, $name, %options) = @_;
	my $self = PostgreSQL::Test::Cluster->new($name);
	bless $self, $class;
	$self->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
	$self->append_conf('postgresql.conf',
		"llava_zh.naptime = '1s'\nllava_zh.retry_delay = '20ms'\nllava_zh.retry_delay_max = '1s'\n")
	  if $options{preload} // 1;
	if ($options{preload} // 1)
	{
		my $databases = $options{databases} // 'postgres';
		$self->append_conf('postgresql.conf',
			"shared_preload_libraries = 'llava_zh'\nllava_zh.databases = '$databases'\n");
	}
	$self->append_conf('postgresql.conf', "restart_after_crash = on\nlog_statement = none\n");
	# made pictures look alike; tests that want it turn it on
	$self->append_conf('postgresql.conf', "llava_zh.near_duplicates = off\n");
	$self->append_conf('postgresql.conf', $options{conf} // '');
	$self->start;
	$self->safe_psql('postgres', 'CREATE EXTENSION llava_zh');
	return $self;
}

# A picture like no other: size x height pixels in two shades by its number; square where
# no height is given.
sub png
{
	my ($number, $size, $height) = @_;
	$size //= 56;
	$height //= $size;
	my @levels = ($number * 37 % 256, $number * 101 % 256, $number * 13 % 256);
	# two shades: more than a blank picture has, and less than what has a hash
	my ($upper, $lower) = map { "\0" . (pack('CCC', @$_) x $size) } \@levels, [ map { $_ < 128 ? $_ + 8 : $_ - 8 } @levels ];
	my $mark = "\0" . pack('N', $number) . substr($lower, 5);
	my $half = int($height / 2);
	return png_of_rows($size, 2, $upper x $half . $lower x ($height - 1 - $half) . $mark);
}

# A grey picture of rows of samples.
sub grey_png
{
	my (@rows) = @_;
	return png_of_rows(length $rows[0], 0, join '', map { "\0$_" } @rows);
}

sub png_of_rows
{
	my ($width, $colour_type, $rows) = @_;
	my $height = length($rows) / (1 + $width * ($colour_type == 2 ? 3 : 1));
	my $chunk = sub {
		my ($type, $data) = @_;
		return pack('N', length $data) . $type . $data . pack('N', crc32($type . $data));
	};
	return
		"\x89PNG\r\n\x1a\n"
	  . $chunk->('IHDR', pack('NNCCCCC', $width, $height, 8, $colour_type, 0, 0, 0))
	  . $chunk->('IDAT', compress($rows))
	  . $chunk->('IEND', '');
}

# insert_pictures(from, to, task): SQL for pictures from..to, path picN.png
sub pictures_sql
{
	my ($from, $to, $task) = @_;
	my $t = defined $task ? "'$task'" : 'NULL';
	return 'INSERT INTO llava_image (path, image, task) VALUES '
	  . join(', ', map { "('pic$_.png', decode('" . unpack('H*', png($_)) . "', 'hex'), $t)" }
		  $from .. $to)
	  . ';';
}

sub insert_pictures
{
	my ($self, $from, $to, $task) = @_;
	$self->safe_psql('postgres', pictures_sql($from, $to, $task));
	return;
}

# create_server(name, endpoint url, extra options)
sub create_server
{
	my ($self, $name, $url, $options) = @_;
	$options = $options ? ", $options" : '';
	$self->safe_psql('postgres',
		"CREATE SERVER $name FOREIGN DATA WRAPPER llava_zh OPTIONS (url '$url', model 'test'$options)");
	return;
}

# Waits until the query gives this answer, through crashes and restarts of the
# server.  False after four minutes or more.
sub wait_query
{
	my ($self, $query, $expected, $database) = @_;
	$expected //= 't';
	for my $try (1 .. 2400)
	{
		my ($out, $err) = ('', '');
		my @psql = ('psql', '-XAtq', '-d', $self->connstr($database // 'postgres'), '-c', $query);
		IPC::Run::run(\@psql, '<', \undef, '>', \$out, '2>', \$err);
		chomp $out;
		return $out if $out =~ /^(?:$expected)$/;
		usleep(100_000);
	}
	return;
}

# Waits until nothing waits or is in flight any more.
sub wait_drained
{
	my ($self, $database) = @_;
	return $self->wait_query('SELECT count(*) = 0 FROM llava_pending WHERE failure IS NULL',
		't', $database);
}

# After kill9: until the kernel has let go of the dead server's processes and memory.
sub start_again
{
	my ($self) = @_;
	for (1 .. 1800)
	{
		return if $self->start(fail_ok => 1);
		undef $self->{_pid};
		usleep(100_000);
	}
	die 'the server does not start again';
}

# The pid of the worker that is not this one.
sub worker_pid
{
	my ($self, $not) = @_;
	$not //= 0;
	return $self->wait_query(
		"SELECT pid FROM pg_stat_activity WHERE backend_type = 'llava_zh worker' AND application_name LIKE 'llava_zh worker%' AND datname = current_database() AND pid <> $not",
		'\d+') // die 'no worker';
}

1;
