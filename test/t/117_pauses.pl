# A person's pause holds whatever comes of what is in flight, and is written down in the
# end; servers that come and go use up no shared memory.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new(faults => 'hold=1');
my $node = LlavaZh::Cluster->new('pauses');
sub sql { return $node->safe_psql('postgres', shift); }
my $pauses = "SELECT string_agg(format('%s %s', server, pause_reason), ', ' ORDER BY server) FROM llava_stat_server";
$node->create_server('sim', $endpoint->url, "max_in_flight '2'");

# paused with requests in flight, which then are answered
$node->insert_pictures(1, 10);
$endpoint->wait_for(in_flight => 2);
sql("SELECT llava_pause('sim')");
ok($node->wait_query($pauses, 'sim paused'), 'paused with two requests in flight');
$node->wait_for_log(qr/server "sim" paused \(paused\)/);
$endpoint->control(release => 1, faults => '');
ok($node->wait_query('SELECT count(*) FROM llava_conversation', '2'), 'they are samples');
ok($node->wait_query('SELECT count(*) = 0 FROM llava_pending WHERE holder IS NOT NULL'), 'what was claimed ahead is given back');
is(sql($pauses), 'sim paused', 'their answers do not end the pause');
unlike(slurp_file($node->logfile), qr/resumed/, 'not even for a moment');
is($endpoint->stats->{requests}, 2, 'nothing else was asked');
sql("SELECT llava_resume('sim')");
ok($node->wait_drained, 'llava_resume does end it');

# a pause whose writing down is rolled back with another's
$node->create_server('tail', $endpoint->url);
sql("INSERT INTO llava_usage (server) VALUES ('tail')");
my $session = $node->background_psql('postgres');
$session->query_safe("BEGIN; SELECT FROM llava_usage WHERE server = 'tail' FOR UPDATE");
sql("BEGIN; SELECT llava_pause('sim'), llava_pause('tail'); COMMIT");
ok($node->wait_for_log(qr/claims postponed/), 'a pause cannot be written down');
$session->query_safe('COMMIT');
ok($node->wait_query($pauses, 'sim paused, tail paused'), 'in the end both are');
sql("SELECT llava_resume('sim')");
ok($node->wait_query($pauses, 'sim , tail paused'), 'until one is resumed');

# more servers than there is room for at a time
sql("DO \$\$ BEGIN FOR i IN 1 .. 130 LOOP EXECUTE format('CREATE SERVER s%s FOREIGN DATA WRAPPER llava_zh OPTIONS (url ''http://127.0.0.1:1/v1'', model ''m'', paused ''true'')', i); END LOOP; END \$\$");
my $shared = 'SELECT count(in_flight) FROM llava_stat_server';
ok($node->wait_query($shared, '128'), 'all room is taken');
sql("DO \$\$ BEGIN FOR i IN 1 .. 130 LOOP EXECUTE format('DROP SERVER s%s', i); END LOOP; END \$\$");
$node->create_server('late', $endpoint->url);
ok($node->wait_query("SELECT in_flight = 0 FROM llava_stat_server WHERE server = 'late'"), 'and given back');

$session->quit;
$node->stop('fast');
$endpoint->stop;
done_testing();
