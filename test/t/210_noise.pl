# An endpoint that answers in every manner of noise it knows, and fails in between: no
# reply that came whole is lost, every picture ends as a sample or with a reason, and
# replies that a threshold kept out are samples once it is lowered, without a request.
#
# LLAVA_NOISE: pictures (5000).
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use Test::More;

my $pictures = $ENV{LLAVA_NOISE} // 5000;

# all names of the endpoint's own list of bodies and texts; 'huge' is over max_reply_size
my $program = LlavaZh::Endpoint::program();
my ($bodies, $texts) = `$program --help` =~ /^In the body of a 200:\n(.*?)^In the reply's text:\n(.*?)(?:^\S|\z)/ms;
my @noise = grep { $_ ne 'huge' } "$bodies$texts" =~ /^  ([a-z0-9-]+) /mg;
cmp_ok(scalar @noise, '>', 70, scalar @noise . ' kinds of noise');
my @failures = qw(429-none 500 503 400-image 400-filter reset close chunked no-length);
my $faults = join ',', map({ "$_=0.007" } @noise), map({ "$_=0.01" } @failures);

my $endpoint = LlavaZh::Endpoint->new(faults => $faults, seed => 3);
my $node = LlavaZh::Cluster->new('noise', conf => "llava_zh.max_attempts = 2\nllava_zh.retry_delay_max = '50ms'\n");
sub sql { return $node->safe_psql('postgres', shift); }

sql("INSERT INTO llava_task (name, min_rounds) VALUES ('日常对话', 2)");
# one JPEG, and a comment in it that makes each copy's bytes its own
my $png = unpack('H*', LlavaZh::Cluster::png(1));
sql(<<"SQL");
INSERT INTO llava_image (image)
SELECT substring(jpeg FROM 1 FOR 2) || '\\xfffe000a'::bytea || int8send(n) || substring(jpeg FROM 3)
FROM generate_series(1, $pictures) AS n, (SELECT llava_prepare_image(decode('$png', 'hex')) AS jpeg OFFSET 0) AS j
SQL
$node->create_server('sim', $endpoint->url, "max_in_flight '32'");
ok($node->wait_drained, "$pictures pictures, to the end");
note sql("SELECT string_agg(coalesce(reason, 'accepted') || ' ' || n, ', ' ORDER BY n DESC) FROM (SELECT reason, count(*) AS n FROM llava_reply GROUP BY reason) r");

# the 200 bodies that the endpoint finished sending, and the ledger
$endpoint->wait_for(in_flight_max => 0);
my @asked = $endpoint->requests;
my %whole = map { $_->{request_id} => $_->{fault} } grep { ($_->{status} // 0) == 200 && $_->{done} } @asked;
my %kept = map { $_ => 1 } split /\n/, sql('SELECT id FROM llava_reply');
cmp_ok(scalar keys %whole, '>', $pictures, 'more whole replies than pictures');
is(join(' ', grep { !$kept{$_} } keys %whole), '', 'each is in the ledger under its call id');
is(join(' ', grep { !exists $whole{$_} } keys %kept), '', 'and nothing else is');
my %seen;
$seen{ $_->{fault} // 'none' }++ for @asked;
is(join(' ', grep { !$seen{$_} } @noise, @failures), '', 'every kind was met');

is(sql("SELECT count(*) FROM llava_image i WHERE (SELECT count(*) FROM llava_conversation c WHERE c.image = i.id)
	+ (SELECT count(*) FROM llava_pending p WHERE p.image = i.id AND p.failure IS NOT NULL) <> 1"),
	'0', 'each picture is a sample or rests with a reason');
is(sql("SELECT count(*) FROM llava_reply r WHERE reason IS NULL AND NOT EXISTS (SELECT FROM llava_conversation c WHERE c.reply = r.id)"),
	'0', 'each accepted reply is a sample');
is(sql("SELECT count(*) FROM llava_validate(image_name => 'sha256') WHERE left_out"), '0', 'and all samples are fit for training');

# too few rounds by the row's threshold, not by its next lower one
my @short = grep { ($whole{$_} // '') eq 'one-round' } keys %whole;
my $right = sql("SELECT string_agg(DISTINCT image::text, ' ') FROM llava_pending JOIN llava_reply r USING (image, task)
	WHERE failure IS NOT NULL AND r.task = '日常对话' AND r.id IN (" . join(',', @short, 0) . ")");
my $more = () = $right =~ /\d+/g;
cmp_ok($more, '>', 0, "$more pictures rest though they had a reply of one round");
my $before = sql('SELECT count(*) FROM llava_conversation');
my $requests = $endpoint->stats->{requests};
sql("INSERT INTO llava_task (name, min_rounds) VALUES ('日常对话', 1)");
sql('CALL llava_reparse()');
my $new = sql("SELECT string_agg(image::text, ' ' ORDER BY image) FROM llava_conversation WHERE task = '日常对话' AND rounds = 1");
my %now = map { $_ => 1 } split / /, $new;
is(join(' ', grep { !$now{$_} } split / /, $right), '', 'with a lower threshold they are samples');
is(sql("SELECT count(*) FROM llava_pending p WHERE p.failure IS NOT NULL AND EXISTS (SELECT FROM llava_conversation c WHERE c.image = p.image AND c.task = p.task)"),
	'0', 'and rest no more');
is(sql('SELECT count(*) FROM llava_conversation') - $before, scalar(keys %now), 'nothing else became a sample');
is($endpoint->stats->{requests}, $requests, 'and no request was made');
$node->stop('fast');
$endpoint->stop;
done_testing();
