# What test/demo and test/check install: no server package makes a cluster meanwhile, and
# postgresql-common's configuration is afterwards what it was, also after a failure or an
# interrupt.  apt-get, dpkg-query and sudo are ours.
use strict;
use warnings;
use File::Path qw(make_path remove_tree);
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir;
make_path("$dir/bin", "$dir/work");

sub script
{
	my ($name, $text) = @_;
	unlink "$dir/bin/$name";
	PostgreSQL::Test::Utils::append_to_file("$dir/bin/$name", "#!/bin/bash\n$text\n");
	chmod 0755, "$dir/bin/$name";
	return;
}

# what is below a folder: names, modes, times and contents
sub state_of
{
	my ($folder) = @_;
	return qx(cd $folder && find . ! -name . -type d -printf '%p %m\\n' -o -type f -printf '%p %m %T@ ' -exec md5sum {} \\; | sort);
}

script('sudo', 'exec "$@"');
script('dpkg-query', 'exit 1');
script('apt-cache', 'echo "postgresql-server-dev-15 - x"');

# installs(folder, apt-get's commands): what was said, the exit status, and what
# postgresql-common would have made of create_main_cluster meanwhile
sub installs
{
	my ($etc, $apt) = @_;
	my $said = '';
	unlink "$dir/seen";
	script('apt-get', "cat $etc/createcluster.conf $etc/createcluster.d/*.conf 2>/dev/null | "
		  . "sed -n 's/^create_main_cluster = //p' | tail -n 1 >$dir/seen\n$apt");
	local $ENV{PATH} = "$dir/bin:$ENV{PATH}";
	IPC::Run::run(
		[
			'bash', '-c',
			"set -euo pipefail; . test/lib.sh; work=$dir/work; createcluster_conf=$etc/createcluster.conf; "
			  . 'install_packages postgresql-15 gcc; echo "added: ${added_packages[*]}"'
		],
		'<', \undef, '>&', \$said);
	my $code = $? & 127 ? 128 + ($? & 127) : $? >> 8;
	my $seen = -e "$dir/seen" ? slurp_file("$dir/seen") : '';
	chomp $seen;
	return ($said, $code, $seen);
}

my %folders = (
	absent => sub { },
	empty => sub { make_path($_[0]) },
	configured => sub {
		make_path($_[0]);
		# no newline at its end
		PostgreSQL::Test::Utils::append_to_file("$_[0]/createcluster.conf", "create_main_cluster = true\nssl = on");
		chmod 0640, "$_[0]/createcluster.conf";
		utime 1e9, 1e9, "$_[0]/createcluster.conf";
	},
	parts => sub {
		make_path("$_[0]/createcluster.d");
		PostgreSQL::Test::Utils::append_to_file("$_[0]/createcluster.d/own.conf", "create_main_cluster = true\n");
	});
for my $name (sort keys %folders)
{
	for my $end ([ 'success', '', 0 ], [ 'failure', 'exit 100', 1 ], [ 'interrupt', 'kill -INT $PPID; sleep 0.2', undef ])
	{
		my $root = "$dir/$name $end->[0]" =~ s/ /_/r;
		make_path($root);
		$folders{$name}->("$root/etc");
		my $before = state_of($root);
		my ($said, $code, $seen) = installs("$root/etc", $end->[1]);
		is($seen, 'false', "$name, $end->[0]: no cluster is made meanwhile");
		is(state_of($root), $before, "$name, $end->[0]: all is as it was");
		defined $end->[2] ? is($code, $end->[2], "$name, $end->[0]: exit status") : isnt($code, 0, "$name, $end->[0]: it failed");
		like($said, qr/^added: postgresql-15 gcc$/m, "$name: knows what it added") if $end->[0] eq 'success';
	}
}

# the package brings its own file: that stays, and says nothing of us
my $fresh = "$dir/fresh";
make_path($fresh);
my ($said, $code, $seen) = installs("$fresh/etc", "echo '# default' >$fresh/etc/createcluster.conf");
is($code, 0, 'a first installation') or diag($said);
is($seen, 'false', 'makes no cluster');
is(join(' ', map { s/\Q$fresh\E//r } glob "$fresh/etc/*"), '/etc/createcluster.conf', "leaves the package's file alone");
is(slurp_file("$fresh/etc/createcluster.conf"), "# default\n", 'and as the package has it');
done_testing();
