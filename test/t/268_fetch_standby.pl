# A standby fetches nothing and says nothing, though its settings let it; when it is promoted
# it goes on where the primary has ended, and keeps the hosts' delays.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Web;
use PostgreSQL::Test::Utils;
use Test::More;

my $delay_ms = 50;
my $web = LlavaZh::Web->new;
my $at = ":$web->{port}";
my $primary = LlavaZh::Cluster->new('primary', conf => $web->settings . "wal_level = replica\nmax_wal_senders = 4\nhot_standby = on\nlisten_addresses = ''\n");
append_to_file($primary->data_dir . '/pg_hba.conf', "local replication all trust\n");
$primary->reload;
sub insert { $primary->safe_psql('postgres', "INSERT INTO llava_image (source_url) SELECT format('http://$_[0]$at/picture/%s', n) FROM generate_series($_[1], $_[2]) n"); return; }
insert('a.test', 1, 1);
insert('b.test', 1, 1);
ok($primary->wait_query('SELECT count(*) FROM llava_fetched', '2'), 'the primary fetches');
$primary->safe_psql('postgres', "SELECT llava_park('b.test')");
insert('b.test', 2, 6);

$primary->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
bless $standby, 'LlavaZh::Cluster';
$standby->init_from_backup($primary, 'copy', has_streaming => 1);
$standby->start;
# time passes on the standby while the primary works
insert('a.test', 2, 41);
ok($standby->wait_query('SELECT count(*) FROM llava_fetched', '42'), 'the standby hears of it');
is($standby->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type ~ 'llava_zh'"), '0', 'no process of ours is on the standby');
is($standby->safe_psql('postgres', "SELECT rows FROM llava_stat_fetch WHERE state = 'waiting'"), '5', 'the views work there');
is($standby->safe_psql('postgres', "SELECT outcome FROM llava_fetch_check('http://a.test$at/picture/1')"), 'same', 'and llava_fetch_check');
is(join('', grep { /ERROR|WARNING|FATAL|fetcher/ } split /^/m, slurp_file($standby->logfile)), '', 'its log is quiet');
my ($ret, $out, $err) = $standby->psql('postgres', "SELECT llava_refetch()");
like($err, qr/read-only transaction/, 'what would write says that it cannot');

$primary->stop('immediate');
my $before = () = $web->journal('http');
$standby->promote;
ok($standby->wait_query("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'llava_zh fetcher'", '1'), 'promoted, it has a fetcher');
is(scalar(() = $web->journal('http')), $before, 'which asks for nothing while what waits is parked');
$standby->safe_psql('postgres', "SELECT llava_park('b.test', false)");
ok($standby->wait_query('SELECT count(*) = 0 FROM llava_fetch'), 'then what waited is fetched');
is($standby->safe_psql('postgres', 'SELECT count(image), count(DISTINCT sha256) FROM llava_image'), '47|47', 'all have come');

my (%asked, %last, $near);
for my $request ($web->journal('http'))
{
	$asked{"$request->{host}$request->{path}"}++;
	my $earlier = $last{ $request->{host} };
	$near .= "$request->{host}$request->{path} " if defined $earlier && $request->{us} - $earlier < $delay_ms * 1000;
	$last{ $request->{host} } = $request->{us};
}
is(join(' ', grep { $asked{$_} > 1 } sort keys %asked), '', 'nothing was asked for twice');
is($near, undef, 'nor sooner than the delay');
$standby->stop('fast');
done_testing();
