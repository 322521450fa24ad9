# make without pkg-config, a library's headers, a compiler or pg_config: one line says what
# to install; help, clean, uninstall and purity work all the same.
use strict;
use warnings;
use Cwd qw(getcwd);
use File::Basename qw(basename);
use File::Path qw(make_path);
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir;
my $tree = "$dir/tree";
my $major = (split /\./, (split ' ', qx(pg_config --version))[1])[0];
make_path($tree, "$dir/bin");
system("tar --exclude='*.o' --exclude='*.bc' -cf - Makefile llava_zh.control README.md src sql test/*.mk | tar -C $tree -xf -") == 0
  or die 'tar';

# a PATH without pkg-config and pg_config
for my $program (glob '/usr/bin/* /bin/*')
{
	symlink $program, "$dir/bin/" . basename($program)
	  if -x $program && $program !~ /pkg-?conf|pg_config/;
}

sub script
{
	my ($name, $text) = @_;
	PostgreSQL::Test::Utils::append_to_file("$dir/$name", "#!/bin/sh\n$text\n");
	chmod 0755, "$dir/$name";
	return "$dir/$name";
}

# a compiler and a pkg-config that find no giflib and no libwebp
my $no_gif = script('no_gif', 'case " $* " in *" -E -x c - "*) sed "s/<gif_lib/<no_gif_lib/" | exec gcc "$@" ;; esac; exec gcc "$@"');
my $no_webp = script('no_webp', 'case " $* " in *" --exists libwebp "*) exit 1 ;; esac; exec pkg-config "$@"');

# run_make(environment, arguments): what it said, its exit status
sub run_make
{
	my ($environment, @arguments) = @_;
	my $said = '';
	local %ENV = %ENV;
	delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES PG_CONFIG PKG_CONFIG)};
	@ENV{ keys %$environment } = values %$environment;
	IPC::Run::run([ 'make', '-C', $tree, '--no-print-directory', 'with_llvm=no', @arguments ], '<', \undef, '>&', \$said);
	return ($said, $? >> 8);
}

sub stops
{
	my ($what, $packages, $environment, @arguments) = @_;
	my ($said, $code) = run_make($environment, @arguments);
	like($said, qr/\A[^\n]*: \*\*\* packages that the build needs are missing: apt-get install $packages\.  Stop\.\n\z/,
		"$what: one line names the package");
	is($code, 2, "$what: and make fails");
	return;
}

my %bare = (PATH => "$dir/bin");
my $server = "postgresql-server-dev-(?:$major|\\d+|all)";
stops('no pkg-config', 'pkg-config', {}, 'PKG_CONFIG=/none/pkg-config');
stops('no header', 'libgif-dev', {}, "CC=$no_gif", 'all');
stops('no module', 'libwebp-dev', { PKG_CONFIG => $no_webp }, 'install');
stops('no compiler', 'gcc', {}, 'CC=/none/cc', 'endpoint');
stops('no pg_config', $server, {}, 'PG_CONFIG=/none/pg_config');
stops('nothing in PATH', "pkg-config $server", \%bare, 'installcheck');
stops('all at once', "libgif-dev pkg-config $server", \%bare, "CC=$no_gif");
my ($said, $code) = run_make({}, '-n');
is($code, 0, 'where all is there, make goes on') or diag($said);

for my $lack ([ 'bare PATH', \%bare ], [ 'no headers', {}, "CC=$no_gif" ], [ 'no pkg-config', {}, 'PKG_CONFIG=/none' ])
{
	my ($what, $environment, @arguments) = @$lack;
	($said, $code) = run_make($environment, @arguments, 'help');
	is($code, 0, "$what: help");
	like($said, qr/^make uninstall: /m, "$what: names uninstall");
	unlike($said, qr/not found|No such file/, "$what: and complains of nothing");

	PostgreSQL::Test::Utils::append_to_file("$tree/$_", '') for 'llava_zh.so', 'src/shmem.o';
	make_path("$tree/build");
	($said, $code) = run_make($environment, @arguments, 'clean');
	is($code, 0, "$what: clean") or diag($said);
	ok(!-e "$tree/llava_zh.so" && !-e "$tree/src/shmem.o" && !-e "$tree/build", "$what: removes what was built");

	my ($lib, $share) = map { s/\s+\z//r } qx(pg_config --pkglibdir), qx(pg_config --sharedir);
	my @ours = ("$lib/llava_zh.so", map { "$share/extension/llava_zh$_" } '.control', '--1.0.0.sql', '--1.1.0.sql');
	my $other = "$dir/root$share/extension/other.control";
	make_path("$dir/root$lib", "$dir/root$share/extension");
	PostgreSQL::Test::Utils::append_to_file($_, '') for $other, map { "$dir/root$_" } @ours;
	($said, $code) = run_make($environment, @arguments, 'uninstall', "DESTDIR=$dir/root");
	is($code, 0, "$what: uninstall") or diag($said);
	is(join(' ', grep { -e "$dir/root$_" } @ours), '', "$what: removes what was installed");
	ok(-e $other, "$what: and nothing else");
}

# headers are there: objects too, without pkg-config; else includes only, and it says so
($said, $code) = run_make({}, 'purity', "CC=$no_gif");
is($code, 0, 'purity without headers') or diag($said);
like($said, qr/^# only includes are looked at; symbols need: libgif-dev\n# pure: image, vlm, reply, web\n\z/m, 'says at what it did not look');
($said, $code) = run_make(\%bare, 'purity');
is($code, 0, 'purity without pkg-config and pg_config') or diag($said);
is($said =~ s/^gcc .*//mgr =~ s/\A.*?^(?=# no server)//msr, "# no server here: its names are not compared\n# pure: image, vlm, reply, web\n", 'looks at the objects');
PostgreSQL::Test::Utils::append_to_file("$tree/src/reply/reply.c", "#include \"../vlm/vlm.h\"\n");
for my $arguments ([\%bare], [ {}, "CC=$no_gif" ])
{
	($said, $code) = run_make($arguments->[0], 'purity', @{$arguments}[ 1 .. $#$arguments ]);
	is($code, 2, 'and finds what reaches out of its room');
}

like(slurp_file('README.md'), qr/make uninstall/, 'the README names uninstall');
done_testing();
