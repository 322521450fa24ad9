# A standby that lags is promoted after its primary has died: no call id is sent twice.  On a
# standby llava_drain says at once that it cannot work there.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $GAP = 2**26;

my $endpoint = LlavaZh::Endpoint->new(latency => '5');
my $primary = LlavaZh::Cluster->new('primary', conf => "wal_level = replica\nmax_wal_senders = 4\nhot_standby = on\nlisten_addresses = ''\n");
append_to_file($primary->data_dir . '/pg_hba.conf', "local replication all trust\n");
$primary->reload;
$primary->create_server('sim', $endpoint->url, "max_in_flight '8'");
$primary->insert_pictures(1, 20);
ok($primary->wait_drained, 'the primary works');
is($primary->safe_psql('postgres', 'SELECT timeline FROM llava_timeline'), '1', 'on the first timeline');

$primary->backup('copy');
sub new_standby
{
	my ($name, $of) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	bless $node, 'LlavaZh::Cluster';
	$node->init_from_backup($of, 'copy', has_streaming => 1);
	$node->start;
	return $node;
}
my $standby = new_standby('standby', $primary);
my $clean = new_standby('clean', $primary);

#
# llava_drain on a standby
#
my (undef, undef, $err) = $standby->psql('postgres', "\\set VERBOSITY verbose\nCALL llava_drain()");
like($err, qr/ERROR:  25006: cannot execute llava_drain during recovery$/m, 'llava_drain says that it cannot');
unlike($err, qr/CONTEXT|llava_pending/, 'and nothing of its statements');
my $log = slurp_file($standby->logfile);
is(scalar(() = $log =~ /ERROR:|llava_zh: (?:claims|leases|nothing)/g), 1, 'the log has it once');
unlike($log, qr/CONTEXT/, 'without a statement');

#
# Replication is cut in the middle of a run; what comes then the standbys never hear of.
#
$endpoint->control(latency => '300');
$primary->insert_pictures(21, 400);
$endpoint->wait_for(requests => 40) or die 'nothing is asked';
for my $node ($standby, $clean)
{
	$node->safe_psql('postgres', "ALTER SYSTEM SET primary_conninfo = ''");
	$node->reload;
	$node->wait_query('SELECT count(*) = 0 FROM pg_stat_wal_receiver') or die 'replication goes on';
}
my $cut = $endpoint->stats->{requests};
$endpoint->wait_for(requests => $cut + 60) or die 'the primary does not go on';
$primary->kill9;
ok($endpoint->wait_for(in_flight_max => 0), 'the primary is dead');
$endpoint->control(latency => '2');

sub ids
{
	my %times;
	$times{ $_->{request_id} }++ foreach $endpoint->requests;
	return \%times;
}

$standby->promote;
ok($standby->wait_drained, 'the standby that was promoted does the rest');
is($standby->safe_psql('postgres', 'SELECT count(*), count(DISTINCT image) FROM llava_conversation'), '400|400', 'each picture has its sample');
my $times = ids();
is(scalar(grep { $_ > 1 } values %$times), 0, 'no call id was sent twice');
cmp_ok(scalar(keys %$times), '>', 400, 'although pictures were asked about twice');
is($standby->safe_psql('postgres', 'SELECT timeline FROM llava_timeline'), '2', 'its timeline is kept');
like(slurp_file($standby->logfile), qr/LOG:  llava_zh: database "postgres" is on timeline 2, and was on 1 at its last claim: call ids \d+ to (\d+) are left out/, 'and the log tells of the gap');
my ($first, $last) = slurp_file($standby->logfile) =~ /call ids (\d+) to (\d+) are left out/;
cmp_ok($last - $first, '>=', $GAP - 64, 'of so many ids');
is(scalar(() = slurp_file($standby->logfile) =~ /are left out/g), 1, 'once');
$standby->restart;
$standby->safe_psql('postgres', LlavaZh::Cluster::pictures_sql(401, 402));
ok($standby->wait_drained, 'it goes on after a restart');
cmp_ok($standby->safe_psql('postgres', 'SELECT max(id) FROM llava_reply'), '<', $last + 1000, 'without another gap');

#
# The sequence's end is no reason to send ids again.
#
$clean->append_conf('postgresql.conf', "llava_zh.databases = ''\n");
$clean->restart;
$clean->promote;
$clean->wait_query('SELECT NOT pg_is_in_recovery()') or die 'not promoted';
$clean->safe_psql('postgres', 'ALTER SEQUENCE llava_call_seq MAXVALUE 1000000');
(undef, undef, $err) = $clean->psql('postgres', "\\set VERBOSITY verbose\nCALL llava_drain(\"limit\" => 1)");
like($err, qr/ERROR:  2200H: cannot leave out $GAP call ids after \d+\nDETAIL:  The sequence llava_call_seq ends at 1000000\.\nHINT:  ALTER SEQUENCE llava_call_seq NO MAXVALUE;/,
	'a sequence that has not so many left is said');
is($clean->safe_psql('postgres', 'SELECT timeline FROM llava_timeline'), '1', 'and nothing has happened');

#
# A dump that is restored into another cluster leaves nothing out.
#
my $other = LlavaZh::Cluster->new('other', databases => '');
my $folder = $other->backup_dir;
mkdir $folder unless -d $folder;
command_ok([ 'pg_dump', '-f', "$folder/dump.sql", '-d', $standby->connstr('postgres') ], 'pg_dump of the promoted server');
unlike(slurp_file("$folder/dump.sql"), qr/COPY public\.llava_timeline/, 'its timeline is not in the dump');
$other->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$folder/dump.sql", '-d', $other->connstr('restored') ], 'restored elsewhere');
my $before = $other->safe_psql('restored', 'SELECT last_value FROM llava_call_seq');
$other->safe_psql('restored', LlavaZh::Cluster::pictures_sql(501, 502) . ' CALL llava_drain()');
is($other->safe_psql('restored', 'SELECT last_value FROM llava_call_seq'), $before + 2, 'call ids go on where they were');
is($other->safe_psql('restored', 'SELECT timeline FROM llava_timeline'), '1', 'on the other cluster\'s timeline');

$_->stop('fast') for $standby, $clean, $other;
$endpoint->stop;
done_testing();
