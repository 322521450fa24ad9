# Certificates: by default nothing comes from a host whose certificate does not hold; with
# llava_zh.fetch_tls = record it comes, and its evidence says how.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Web;
use IPC::Run;
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;

my $web = LlavaZh::Web->new;
my $folder = PostgreSQL::Test::Utils::tempdir;
mkdir "$folder/served" or die;

sub openssl { my (@command) = @_; my ($out, $err); IPC::Run::run([ 'openssl', @command ], '>', \$out, '2>', \$err) or die "openssl @command: $err"; return; }

# NAME.pem: certificate and key of a host, signed by an authority (NAME of that; itself where
# there is none), from and until so many days from now
my $serial = 1;
sub certificate
{
	my ($name, $host, $by, %options) = @_;
	my @of = ($serial++, $options{authority} ? 'basicConstraints=CA:TRUE' : "subjectAltName=DNS:$host");
	append_to_file("$folder/$name.cnf", <<"CNF");
[ca]
default_ca = here
[here]
database = $folder/$name.index
new_certs_dir = $folder
serial = $folder/$name.serial
default_md = sha256
policy = any
unique_subject = no
x509_extensions = extensions
[any]
commonName = supplied
[extensions]
$of[1]
CNF
	append_to_file("$folder/$name.index", '');
	append_to_file("$folder/$name.serial", sprintf "%04X\n", $of[0]);
	openssl('req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', "$folder/$name.key", '-out', "$folder/$name.csr", '-subj', "/CN=$host");
	my @signed = defined $by ? ('-cert', "$folder/$by.crt", '-keyfile', "$folder/$by.key") : ('-selfsign', '-keyfile', "$folder/$name.key");
	my ($from, $until) = map { POSIX::strftime('%Y%m%d%H%M%SZ', gmtime(time + 86400 * $_)) } $options{from} // -10, $options{until} // 10;
	openssl('ca', '-batch', '-notext', '-config', "$folder/$name.cnf", @signed, '-in', "$folder/$name.csr", '-out', "$folder/$name.crt",
		'-startdate', $from, '-enddate', $until);
	return;
}

sub serve
{
	my ($name, @chain) = @_;
	append_to_file("$folder/served/$name.pem", join '', map { slurp_file("$folder/$_") } "$name.key", "$name.crt", @chain);
	return;
}

certificate('root', 'root', undef, authority => 1);
certificate('middle', 'middle', 'root', authority => 1);
certificate($_, "$_.test", 'middle') for qw(good chainless);
certificate('allowself', 'allowself.test', undef);
certificate('expired', 'expired.test', 'middle', from => -20, until => -5);
certificate('future', 'future.test', 'middle', from => 5, until => 20);
certificate('wrong', 'right.test', 'middle');
serve($_, 'middle.crt') for qw(good expired future wrong);
serve('allowself');
serve('chainless');
my @bad = qw(allowself chainless expired future wrong);

my ($in, $out) = ('', '');
my $front = IPC::Run::start([ 'python3', 'test/web/tls.py', $web->{port}, "$folder/served" ], '<', \$in, '>', \$out);
$front->pump until $out =~ /\n/;
chomp(my $port = $out);

my $library = "$folder/trusted.so";
system_or_bail('gcc', '-O1', '-shared', '-fPIC', '-o', $library, 'test/web/trusted.c', '-ldl');
my $node;
{
	local $ENV{LD_PRELOAD} = "$library:$ENV{LD_PRELOAD}";
	local $ENV{TRUSTED} = "$folder/root.crt";
	$node = LlavaZh::Cluster->new('tls', conf => $web->settings(fetch_ports => $port));
}
sub sql { return $node->safe_psql('postgres', $_[0]); }
my $n = 0;
sub insert
{
	$n++;
	sql('INSERT INTO llava_image (source_url) VALUES ' . join ', ', map { "('https://$_.test:$port/picture/$n')" } 'good', @bad);
	return;
}
my $state = "SELECT string_agg(name, ' ' ORDER BY name) FROM llava_host h WHERE reason ~ '^robots.txt: SSL' AND free_at > now() + interval '23 h'";

insert();
ok($node->wait_query("SELECT image IS NOT NULL FROM llava_image WHERE source_url LIKE 'https://good%'"), 'a good certificate holds');
ok($node->wait_query($state, join ' ', map { "$_.test" } @bad), 'of all others not even robots.txt is known, which is asked for again after a day') or diag(sql('SELECT * FROM llava_host'));
is(sql('SELECT count(image) FROM llava_image'), '1', 'nothing comes from them');
is(join(' ', sort { $a cmp $b } map { $_->{host} } $web->journal('http')), 'good.test good.test', 'no request reached them');

# with record each comes, as its evidence says, and robots.txt was heard
$node->append_conf('postgresql.conf', "llava_zh.fetch_tls = record\n");
$node->reload;
ok($node->wait_query("SELECT current_setting('llava_zh.fetch_tls')", 'record'), 'with record');
sql('SELECT llava_refetch(h.host) FROM llava_host h');
ok($node->wait_query('SELECT count(image) FROM llava_image', scalar @bad + 1), 'all come') or diag(sql('SELECT * FROM llava_host'));
insert();
ok($node->wait_query('SELECT count(image) FROM llava_image', 2 * (@bad + 1)), 'and others of the same hosts');
is(sql("SELECT string_agg(DISTINCT substring(url from '//([a-z]+)') || ' ' || tls_unverified, ', ') FROM llava_fetched"),
	join(', ', map { "$_ " . ($_ eq 'good' ? 'false' : 'true') } sort 'good', @bad), 'the evidence says of whom nothing is proved');
sql(sprintf "INSERT INTO llava_image (source_url) VALUES ('https://allowself.test:%d/private/x')", $port);
ok($node->wait_query("SELECT failure FROM llava_fetch WHERE url LIKE '%/private/%'", 'robots'), 'their robots.txt is kept all the same');

# and with verify again nothing, though robots.txt is known
$node->append_conf('postgresql.conf', "llava_zh.fetch_tls = verify\n");
$node->reload;
ok($node->wait_query("SELECT current_setting('llava_zh.fetch_tls')", 'verify'), 'with verify again');
ok($node->wait_query("SELECT count(*) = 0 FROM llava_fetch WHERE failure IS NULL"), 'nothing waits');
my $before = () = $web->journal('http');
insert();
ok($node->wait_query("SELECT count(*) FROM llava_fetch WHERE tried = 'tls' AND visible_at > now() + interval '23 h'", scalar @bad),
	'what does not hold is tried once more after a day') or diag(sql('SELECT * FROM llava_fetch'));
ok($node->wait_query("SELECT image IS NOT NULL FROM llava_image WHERE source_url LIKE 'https://good%/picture/$n'"), 'what holds comes');
is((() = $web->journal('http')) - $before, 1, 'by the only request');
is(join(' ', $web->refused), '', 'no connection elsewhere was tried');

$node->stop('fast');
$in = '';
$front->finish;
done_testing();
