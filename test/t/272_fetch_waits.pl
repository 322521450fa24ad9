# What the fetcher waits for: a host for as long as it has said, and nobody for names that
# are never resolved and answers that trickle.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Web;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes;

my $web = LlavaZh::Web->new;
my $at = ":$web->{port}";
my $node = LlavaZh::Cluster->new('waits', conf => $web->settings(fetch_timeout => '60s'));
sub sql { return $node->safe_psql('postgres', $_[0]); }

# Retry-After, in seconds
sql("INSERT INTO llava_image (source_url) VALUES ('http://a.test$at/retry/429/3/x'), ('http://b.test$at/retry/503/3/x')");
ok($node->wait_query("SELECT count(*) FROM llava_host WHERE state = 'throttled'", '2'), 'hosts say that they are asked too often');
my @names = qw(a.test b.test);
my %times;
for (1 .. 600)
{
	%times = ();
	push @{ $times{ $_->{host} } }, $_->{us} for grep { $_->{path} =~ m{^/retry/} } $web->journal('http');
	last if 2 == grep { @{ $times{$_} // [] } > 1 } @names;
	Time::HiRes::usleep(50_000);
}
cmp_ok($times{$_}[1] - $times{$_}[0], '>=', 3_000_000, "$_ is asked again when it has said") for @names;
is(sql('SELECT max(attempts) FROM llava_fetch'), '0', 'and no attempt counts');

# the end, while all that is under way hangs
sql("INSERT INTO llava_image (source_url) SELECT format('http://silent%s.test$at/x', n) FROM generate_series(1, 200) n");
sql("INSERT INTO llava_image (source_url) SELECT format('http://trickle%s.test$at/trickle/x', n) FROM generate_series(1, 20) n");
ok($node->wait_query("SELECT count(*) FROM llava_fetch WHERE holder IS NOT NULL", '20'), 'answers trickle');
ok($node->wait_query("SELECT count(*) >= 200 FROM llava_host WHERE asking"), 'two hundred names are asked for');
is(sql("SELECT pg_terminate_backend(pid, 500) FROM pg_stat_activity WHERE backend_type = 'llava_zh fetcher'"), 't', 'it ends within half a second');
is(sql('SELECT count(*) FROM llava_fetch WHERE failure IS NULL'), '222', 'and nothing is lost');
$node->stop('fast');
done_testing();
