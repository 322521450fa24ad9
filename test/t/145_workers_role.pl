# The cookbook's role for the worker as it stands there: the queue of a role that may
# nothing else is drained; and what the role lacks is named where a person looks.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use LlavaZh::Page;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('role');
sub sql { return $node->safe_psql('postgres', shift); }

my $block = LlavaZh::Page->new('sql/cookbook.md')->block("How do I run the worker without a superuser's rights?");
sql('DROP EXTENSION llava_zh; CREATE SCHEMA llava; CREATE EXTENSION llava_zh SCHEMA llava;
	ALTER DATABASE postgres SET search_path = llava, public');
$node->create_server('sim', $endpoint->url);
sql($block);
is(sql(q{SELECT rolsuper OR rolcanlogin FROM pg_roles WHERE rolname = 'queue'}), 'f', 'a role that may nothing else');

$node->insert_pictures(1, 3);
ok($node->wait_query('SELECT count(*) = 3 FROM llava_conversation'), 'its queue is drained');
is(sql('SELECT count(*) FROM llava_untrusted()'), '0', 'nothing is refused');

# each of the privileges: without it the worker says what it waits for, with it it goes on
my $n = 3;
for (
	[ 'USAGE ON SEQUENCE llava.llava_call_seq', 'sequence llava_call_seq' ],
	[ 'INSERT ON llava.llava_conversation', 'table llava_conversation' ],
	[ 'SELECT ON llava.llava_image', 'table llava_image' ],
	[ 'USAGE ON SCHEMA llava', 'schema llava' ])
{
	my ($privilege, $named) = @$_;
	sql("REVOKE $privilege FROM queue");
	$n++;
	my ($ret, undef, $err) = $node->psql('postgres', LlavaZh::Cluster::pictures_sql($n, $n));
	if ($privilege =~ /SCHEMA/)
	{
		like($err, qr/permission denied for $named/, 'an INSERT says so at once');
		sql("GRANT $privilege TO queue");
		$node->insert_pictures($n, $n);
	}
	else
	{
		is($ret, 0, "a picture comes while $privilege is missing");
		ok($node->wait_query("SELECT count(*) > 0 FROM llava_stat_worker WHERE activity LIKE '%permission denied for $named%'"),
			"$named is named in llava_stat_worker");
		like(slurp_file($node->logfile), qr/permission denied for $named/, 'and in the log');
		sql("GRANT $privilege TO queue");
	}
	ok($node->wait_query("SELECT count(*) = $n FROM llava_conversation"), 'and it goes on by itself');
}
done_testing;
