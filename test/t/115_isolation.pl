# Whatever isolation level is a database's default, those who drain read what is committed:
# at another one two workers would fail each other's settles, and limits be held against
# an old reading.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('isolation', preload => 0,
	conf => "default_transaction_isolation = serializable\nllava_zh.naptime = '1s'\n");
$node->create_server('sim', $endpoint->url);
$node->safe_psql('postgres', <<'END');
CREATE TABLE levels (level text);
CREATE FUNCTION note_level() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.levels VALUES (current_setting('transaction_isolation'));
	RETURN NEW;
END $$;
CREATE TRIGGER note_level BEFORE INSERT OR UPDATE ON llava_pending FOR EACH ROW EXECUTE FUNCTION note_level();
CREATE TRIGGER note_level BEFORE INSERT ON llava_conversation FOR EACH ROW EXECUTE FUNCTION note_level();
END

# the levels at which n pictures are queued (their session's own), claimed and settled
sub levels
{
	my ($from, $n, $drain) = @_;
	$node->insert_pictures($from, $from + $n - 1);
	$node->safe_psql('postgres', $drain);
	$node->wait_drained or return 'not drained';
	return $node->safe_psql('postgres', "SELECT string_agg(format('%s %s', level, n), ', ' ORDER BY level)"
		  . ' FROM (SELECT level, count(*) AS n FROM levels GROUP BY level) l; TRUNCATE levels');
}

is(levels(1, 5, 'CALL llava_drain()'), 'read committed 10, serializable 5', 'llava_drain');
is(levels(11, 5, 'SELECT llava_start()'), 'read committed 10, serializable 5', 'a worker');

$node->stop('fast');
$endpoint->stop;
done_testing();
