# test/demo as a user meets it: wrong arguments are refused before anything is done, what was
# paid for outlives the throwaway cluster however the run ends, and the lines that it prints
# can be pasted.  sudo, apt-get and dpkg-query are ours, so that nothing is installed.
use strict;
use warnings;
use Cwd qw(getcwd);
use File::Path qw(make_path);
use IPC::Run;
use JSON::PP;
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $dir = PostgreSQL::Test::Utils::tempdir;
my $demo = getcwd() . '/test/demo';
# sockets want short names
my $tmp = PostgreSQL::Test::Utils::tempdir_short;
make_path("$dir/bin", "$dir/pictures/more", "$dir/empty", "$dir/links", "$dir/here");

sub script
{
	my ($name, $text) = @_;
	PostgreSQL::Test::Utils::append_to_file("$dir/bin/$name", "#!/bin/bash\n$text\n");
	chmod 0755, "$dir/bin/$name";
	return;
}

script('sudo', "echo \"\$*\" >>$dir/sudo.log; [ \"\$1\" = make ] || exec \"\$@\"");
script('apt-get', 'exit 0');
script('dpkg-query', 'echo install ok installed');
my ($psql) = map { chomp; $_ } qx(bash -c 'type -P psql');
script('psql', "case \"\$BREAK \$*\" in page*llava_page*) echo 'the disk is full' >&2; exit 3 ;; esac; exec $psql \"\$@\"");

PostgreSQL::Test::Utils::append_to_file("$dir/pictures/$_", LlavaZh::Cluster::png(length $_)) for 'a.png', 'bb.png', 'more/c.png';
PostgreSQL::Test::Utils::append_to_file("$dir/pictures/large.png", LlavaZh::Cluster::png(7, 1600, 1200));
symlink '../a.png', "$dir/pictures/more/link$_.png" for 1 .. 6;
symlink 'nowhere', "$dir/links/one.png";
PostgreSQL::Test::Utils::append_to_file("$dir/no-key", '');

# started(name, environment, arguments): a demo under way, called in $dir/here
sub started
{
	my ($name, $environment, @arguments) = @_;
	my $run = { name => $name, said => '' };
	local %ENV = (%ENV, PATH => "$dir/bin:$ENV{PATH}", TMPDIR => $tmp, PGPORT => 1, PGOPTIONS => '-c no.such', BREAK => '', %$environment);
	my $top = getcwd();
	chdir "$dir/here";
	$run->{harness} = IPC::Run::start([ $demo, @arguments ], '<', \undef, '>&', \$run->{said});
	chdir $top;
	return $run;
}

sub waits_for
{
	my ($run, $pattern) = @_;
	for (1 .. 1200)
	{
		$run->{harness}->pump_nb;
		return 1 if $run->{said} =~ $pattern;
		usleep(50_000);
	}
	return;
}

# ended(run, code): what it said
sub ended
{
	my ($run, $code) = @_;
	$run->{harness}->finish;
	my ($result) = $run->{harness}->full_results;
	is($result & 127 ? 128 + ($result & 127) : $result >> 8, $code, "$run->{name}: exit status") or diag($run->{said});
	my $noise = $run->{name} eq 'locked' ? qr/could not change directory|FAILED/ : qr/could not change directory|FAILED|line \d+:/;
	unlike($run->{said}, $noise, "$run->{name}: no noise");
	return $run->{said};
}

sub lines_of
{
	my ($file) = @_;
	return -e $file ? split(/\n/, slurp_file($file)) : ();
}

sub replies_in { return grep { $_->{table} eq 'llava_reply' } map { decode_json($_) } lines_of($_[0]); }

# arguments: a sentence, exit status 2, and nothing was done
my $url = 'http://127.0.0.1:1/v1';
for my $case (
	[ 'no folder for --out', qr/--out .*: there is no folder .*nowhere$/m, '--out', 'nowhere/train.jsonl' ],
	[ '--out is a folder', qr/it is a folder, and a file is wanted/, '--out', "$dir/empty" ],
	[ '--out is no file', qr/it is no ordinary file/, '--out', '/dev/null' ],
	[ '--url at the end', qr{--url needs a value, as in: --url http://gpu:8000/v1}, '--url' ],
	[ '--url before an option', qr/--url needs a value/, '--url', '--model', 'x' ],
	[ '--url empty', qr/--url needs a value/, '--url', '', '--model', 'x' ],
	[ '--url without a scheme', qr{begins with http:// or https://}, '--url', 'gpu:8000', '--model', 'x' ],
	[ '--url without --model', qr/--url needs --model/, '--url', $url ],
	[ '--model without --url', qr/are for a real endpoint/, '--model', 'x' ],
	[ '--out at the end', qr/--out needs a value/, '--out' ],
	[ 'no key file', qr/--api-key-file .*no such file/, '--url', $url, '--model', 'x', '--api-key-file', 'none' ],
	[ 'an empty key file', qr/--api-key-file .*is empty/, '--url', $url, '--model', 'x', '--api-key-file', "$dir/no-key" ],
	[ 'no such folder', qr/there is no folder .*none$/m, 'none' ],
	[ 'an empty folder', qr/the folder .*empty is empty: there is no picture to ask about/, "$dir/empty" ],
	[ 'links only', qr/has no files: 1 symbolic link is left out: one\.png/, '../links' ],
	[ 'two folders', qr/one folder, please/, "$dir/pictures", "$dir/links" ],
	[ 'a wrong option', qr/there is no option --ou$/m, '--ou' ])
{
	my ($what, $pattern, @arguments) = @$case;
	like(ended(started($what, {}, @arguments), 2), $pattern, "$what: a sentence");
}
ok(!-e "$dir/sudo.log" && !glob("$tmp/llava_zh*"), 'nothing was done');

# the simulated model and --keep, with a large picture and links, from a folder of its own
my $said = ended(started('simulated', {}, '../pictures', '--out', 'train.jsonl', '--keep'), 0);
like($said, qr/^\s+6 symbolic links are left out: more\/link1\.png, .*more\/link5\.png, …$/m, 'links are counted and named');
like($said, qr/^  train: \Q$dir\E\/here\/train\.jsonl$/m, 'paths are from where it was called');
is(scalar(my @samples = lines_of("$dir/here/train.jsonl")), 4, 'a sample a picture');
like((grep { /large/ } @samples)[0], qr/收到的图像尺寸为 \d+×\d+ 像素（原图可能更大）/,
	'a size is said to be that of the picture as it was sent');
like($said, qr/stays: llava_zh in PostgreSQL \d+ \(make uninstall/, 'it says what stays');

my ($look) = $said =~ /To look, paste:\n\n(.*)\n/;
my ($stop) = $said =~ /remove it, paste:\n\n(.*?)\n\n/s;
my ($work) = $look =~ /-h (\S+)/;
my $out = '';
{
	local $ENV{PGPORT} = 1;
	chdir $dir;
	IPC::Run::run([ 'bash', '-c', $look ], '<', \"SELECT 'samples', count(*) FROM llava_conversation;\n", '>&', \$out);
	like($out, qr/samples\s+\|\s+4/, 'the line to look can be pasted');
	IPC::Run::run([ 'bash', '-e' ], '<', \$stop, '>&', \$out) or diag($out);
	is($?, 0, 'the lines to stop it, too');
	chdir $demo =~ s{/test/demo$}{}r;
}
ok(!-e $work, 'and nothing is left');

# the ledger, taken into another database, is what the demo had, and is judged again
my $node = LlavaZh::Cluster->new('again', preload => 0);
my $ledger = "$dir/here/train.ledger.jsonl";
my @replies = replies_in($ledger);
cmp_ok(scalar @replies, '>=', 4, 'the ledger has every reply');
is(scalar(grep { length $_->{words} } @replies), scalar @replies, 'with its words');
sub sql { return $node->safe_psql('postgres', $_[0]); }
sub restore
{
	my ($from) = @_;
	IPC::Run::run([ $psql, '-Xq', '-d', $node->connstr('postgres'), '-f', 'test/demo_ledger.sql' ], '<', $from, '>&', \$out);
	is($?, 0, 'a ledger is taken in') or diag($out);
	return;
}
restore($ledger);
my $exported = sql("SELECT llava_export('llava')");
is("$exported\n", slurp_file("$dir/here/train.jsonl"), 'its samples are the same');
my $limits = sql("SELECT string_agg(format('(%L, %s)', name, min_letters), ', ') FROM llava_task WHERE name !~ '_en'");
sql("INSERT INTO llava_task (name, min_letters) SELECT name, 100000 FROM llava_task WHERE name !~ '_en'");
sql('CALL llava_reparse()');
is(sql('SELECT count(*) FROM llava_conversation'), 0, 'llava_reparse withdraws all');
sql("INSERT INTO llava_task (name, min_letters) VALUES $limits");
sql('CALL llava_reparse()');
is(sql("SELECT llava_export('llava')"), $exported, 'and makes them again');

# five runs at once: nothing accepted; nobody there; interrupted; a later step fails; no room
# for the ledger
my %endpoint = map { $_->[0] => LlavaZh::Endpoint->new(@{$_}[ 1 .. $#$_ ]) }
  ([ refused => (faults => 'refusal=1') ], [ held => (plan => '3+:hold') ], [ good => () ]);
sub real { return ("$dir/pictures", '--model', 'test', '--url', $endpoint{ $_[0] }->url, '--out', $_[1]); }
make_path("$dir/locked");
my %run;
$run{refused} = started('refused', {}, real('refused', "$dir/refused.jsonl"));
$run{absent} = started('absent', { DEMO_PATIENCE => 2 }, "$dir/pictures", '--model', 'x', '--url', $url, '--out', "$dir/absent.jsonl");
$run{held} = started('interrupted', {}, real('held', "$dir/held.jsonl"));
$run{broken} = started('broken', { BREAK => 'page' }, real('good', "$dir/here/train.jsonl"));
$run{locked} = started('locked', {}, real('good', "$dir/locked/train.jsonl"));
ok(waits_for($run{locked}, qr/^\[2\/6\]/m), 'under way');
chmod 0555, "$dir/locked";

ok($endpoint{held}->wait_for(answered => 2, in_flight => 2), 'two are answered, two under way');
$run{held}{harness}->signal('INT');
ok(waits_for($run{held}, qr/waiting 30 s at most for 2 replies that are under way/), 'an interrupt waits for what was sent');
$endpoint{held}->control(release => 1);
$said = ended($run{held}, 130);
like($said, qr/^ended early.*\n  train: .*held\.jsonl\n  ledger: .*held\.ledger\.jsonl$/m, 'and says where it is');
is(scalar(@replies = replies_in("$dir/held.ledger.jsonl")), 4, 'all that was paid for is there');
is(scalar(my @held = lines_of("$dir/held.jsonl")), 4, 'and the samples of it');

$said = ended($run{refused}, 1);
like($said, qr/^\[5\/6\] nothing was accepted/m, 'nothing accepted: it says so');
like($said, qr/^\s+\d+ × reply rejected: refusal\n\s+it began: \S.{8}/m, 'with reasons, counts and the beginning of a reply');
ok(!-e "$dir/refused.jsonl", 'leaves no empty JSONL');
cmp_ok(scalar(@replies = replies_in("$dir/refused.ledger.jsonl")), '>=', 4, 'and every reply');

$said = ended($run{absent}, 1);
like($said, qr/nothing was accepted.*4 × still waiting: the server is paused: refused/s, 'nobody there: it says why, and ends');
ok(!-e "$dir/absent.ledger.jsonl", 'there is no ledger of nothing');

$said = ended($run{broken}, 3);
is(scalar(@replies = replies_in("$dir/here/train.ledger.2.jsonl")), 4, 'a step that fails later deletes nothing');
is(slurp_file($ledger) =~ tr/\n//, 4 + 4 + (() = slurp_file($ledger) =~ /"table": "llava_reply"/g), 'nor does another run');

$said = ended($run{locked}, 1);
my ($data) = $said =~ /the cluster that has them stays in (\S+)$/m;
ok($data && -e "$data/PG_VERSION", 'where the ledger cannot be written the cluster stays');
my ($start) = $said =~ /^to start it again, paste:\n\n(.*)$/m;
(($look) = $said =~ /^(psql -h .*)$/m) && IPC::Run::run([ 'bash', '-c', $start ], '<', \undef, '>', \$out, '2>&1');
IPC::Run::run([ 'bash', '-c', "$look -At" ], '<', \'SELECT count(*) FROM llava_reply;', '>&', \$out);
is($out, "4\n", 'and comes up again by the line that it printed');
($stop) = $said =~ /remove it, paste:\n\n(.*?)\n\n/s;
IPC::Run::run([ 'bash', '-e' ], '<', \$stop, '>&', \$out) or diag($out);
is(join(' ', glob("$tmp/llava_zh*")), '', 'and otherwise nothing');

$node->stop('fast');
$_->stop for values %endpoint;
done_testing();
