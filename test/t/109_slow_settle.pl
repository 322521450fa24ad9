# While replies are settled, however long that takes, sockets are looked at and freed
# slots are filled.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $one = LlavaZh::Endpoint->new;
my $other = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('slow');
$node->create_server('one', $one->url, "max_in_flight '30'");
$node->create_server('other', $other->url, "max_in_flight '30'");
sub sql { return $node->safe_psql('postgres', shift); }

# past slow start
$node->insert_pictures(1, 300);
ok($node->wait_drained, 'full windows are open');
$_->control(faults => 'hold=1') for $one, $other;
$node->insert_pictures(301, 480);
$_->wait_for(in_flight => 30) for $one, $other;
$node->wait_query('SELECT count(*) > 90 FROM llava_pending WHERE holder IS NOT NULL') or die 'nothing is claimed ahead';

# 30 replies come at once, and each takes a third of a second
sql('ALTER TABLE llava_conversation ADD CONSTRAINT slow CHECK (pg_sleep(0.3) IS NOT NULL) NOT VALID');
$one->control(release => 1);
my $worker = "FROM pg_stat_activity WHERE backend_type = 'llava_zh worker'";
ok($node->wait_query("SELECT clock_timestamp() - xact_start > '0.3 s' $worker AND query LIKE '%settling%'"), 'several replies are settled in one transaction');
my $transaction = sql("SELECT xact_start $worker");
my $requests = $other->stats->{requests};
$other->control(release => 1);
ok($other->wait_for(requests => $requests + 1), 'a reply that comes meanwhile frees a slot, which is filled');
is(sql("SELECT xact_start $worker"), $transaction, 'before the transaction ends');
cmp_ok(sql('SELECT longest_ms FROM llava_stat_worker'), '<', 5000, 'sockets are looked at between the replies');

sql('ALTER TABLE llava_conversation DROP CONSTRAINT slow');
for ($one, $other)
{
	$_->control(faults => '');
	$_->control(release => 1);
}
ok($node->wait_drained, 'and all is drained');
is(sql('SELECT count(*) FROM llava_conversation'), '480', 'to one sample each');

$node->stop('fast');
$_->stop for $one, $other;
done_testing();
