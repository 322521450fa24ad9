# llava_generate against an endpoint: what it returns, what it survives, how it is
# stopped, and that a key is told to nobody but the endpoint.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $node = LlavaZh::Cluster->new('generate', preload => 0, conf => "llava_zh.retry_delay = '10ms'\n");
$node->create_server('sim', $endpoint->url, "request_timeout '60s'");
$node->safe_psql('postgres', "CREATE TABLE picture AS SELECT decode('"
	  . unpack('H*', LlavaZh::Cluster::png(7, 280)) . "', 'hex') AS bytes");

sub generate
{
	my ($task, %options) = @_;
	return $node->psql('postgres',
		($options{before} // '') . "SELECT llava_generate(bytes, '$task') FROM picture",
		extra_params => [ '-v', 'VERBOSITY=verbose' ]);
}

# The fault stands in the url; the next test gets a server without it.
sub fails
{
	my ($fault, $pattern, $name, $before) = @_;
	$node->safe_psql('postgres',
		"ALTER SERVER sim OPTIONS (SET url '" . $endpoint->url("/fault/$fault") . "')");
	my ($ret, $stdout, $stderr) = generate('描述图片', before => $before);
	like($stderr, $pattern, $name);
	$node->safe_psql('postgres', "ALTER SERVER sim OPTIONS (SET url '" . $endpoint->url . "')");
	return $stderr;
}

# the three kinds
my $shape = 'SELECT jsonb_array_length(c), bool_and((t.value ->> \'from\') = CASE t.n % 2 WHEN 1 THEN'
  . " 'human' ELSE 'gpt' END), bool_and(length(t.value ->> 'value') > 0)"
  . ' FROM (SELECT llava_generate(bytes, \'%s\') AS c FROM picture) s,'
  . ' jsonb_array_elements(c) WITH ORDINALITY AS t (value, n) GROUP BY c';
is($node->safe_psql('postgres', sprintf($shape, '描述图片')), '2|t|t', 'a description');
is($node->safe_psql('postgres', sprintf($shape, 'complex_reasoning')), '2|t|t', 'a question and its answer');
like($node->safe_psql('postgres', sprintf($shape, '日常对话')), qr/^(4|6|8|10)\|t\|t$/, 'a dialogue');
is($node->safe_psql('postgres',
		"SELECT count(DISTINCT llava_generate(bytes, 'detail') -> 0) FROM picture, generate_series(1, 3)"),
	'1', 'the same picture gets the same question');
my %ids = map { $_->{request_id} => 1 } grep { defined $_->{request_id} } $endpoint->requests;
is(scalar(keys %ids), 6, 'each request has an id of its own');
is($node->safe_psql('postgres', 'SELECT (SELECT count(*) FROM llava_reply) + (SELECT count(*) FROM llava_usage)'),
	'0', 'nothing is written');

# what passes is tried again, what does not is not
$endpoint->control(plan => '1:429-0,2:500');
is((generate('描述图片'))[0], 0, 'a third try after 429 and 500');
my $before = $endpoint->stats->{requests};
fails('500', qr/ERROR:  HV000: .*\(http_500\)/, 'a server that fails');
is($endpoint->stats->{requests} - $before, 3, 'was asked three times');
$before = $endpoint->stats->{requests};
fails('401', qr/ERROR:  28000: .*\(key\).*CREATE USER MAPPING/s, 'a key that is wanted');
fails('404', qr/ERROR:  HV024: /, 'nothing there');
fails('refusal', qr/ERROR:  22000: .*\(refusal\)\nDETAIL:  The reply begins: \S/, 'a refusal');
fails('html-content', qr/ERROR:  22000: .*\(transport_error\)/, 'a page in place of a reply');
is($endpoint->stats->{requests} - $before, 4, 'these were asked once');
fails('429-3600', qr/ERROR:  53000: .*\(throttled\)/, 'Retry-After beyond the patience is not waited for');
fails('huge', qr/ERROR:  54000: .*llava_zh\.max_reply_size/s, 'a huge reply is not swallowed');
fails('close', qr/ERROR:  08006: .*\(connection_lost\)/, 'a connection that is closed');
$node->safe_psql('postgres', "ALTER SERVER sim OPTIONS (SET request_timeout '2s')");
fails('hang', qr/ERROR:  08006: .*\(timeout\).*request_timeout/s, 'request_timeout ends it');
$node->safe_psql('postgres', "ALTER SERVER sim OPTIONS (SET request_timeout '60s')");

# statements are cancelled as any other, and the connection does not outlive them
fails('hang', qr/ERROR:  57014: canceling statement due to statement timeout/, 'statement_timeout ends it',
	"SET statement_timeout = '2s';");
ok($endpoint->wait_for(in_flight_max => 0), 'and the endpoint sees it go');
$node->safe_psql('postgres', "ALTER SERVER sim OPTIONS (SET url '" . $endpoint->url('/fault/hang') . "')");
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_until(qr/^started$/m, "\\echo started\nSELECT llava_generate(bytes, 'detail') FROM picture;\n");
$endpoint->wait_in_flight(1);
$node->safe_psql('postgres',
	"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT llava_generate%' AND pid <> pg_backend_pid()");
ok($endpoint->wait_for(in_flight_max => 0), 'a cancelled request is let go');
# DROP DATABASE needs every backend's attention
$session->query_until(qr/^again$/m, "\\echo again\nSELECT llava_generate(bytes, 'detail') FROM picture;\n");
$endpoint->wait_in_flight(1);
$node->safe_psql('postgres', 'CREATE DATABASE passing');
$node->safe_psql('postgres', "SET statement_timeout = '60s'; DROP DATABASE passing");
is($endpoint->stats->{in_flight}, 1, 'DROP DATABASE does not wait for a request');
$node->safe_psql('postgres',
	"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT llava_generate%' AND pid <> pg_backend_pid()");
ok($endpoint->wait_for(in_flight_max => 0), 'nor does the end of a session');
$session->{run}->finish;
$node->safe_psql('postgres', "ALTER SERVER sim OPTIONS (SET url '" . $endpoint->url . "')");

# what others have used up counts, though this session was told by none of them
is((generate('描述图片', before => "INSERT INTO llava_usage (server, requests) VALUES ('sim', 5); ALTER SERVER sim OPTIONS (ADD max_requests '6'); "))[0],
	0, 'one request is left');
$node->safe_psql('postgres', "ALTER SERVER sim OPTIONS (SET max_requests '5')");
like((generate('描述图片'))[2], qr/ERROR:  53000: the max_requests of server "sim" is used up/, 'none is left');
$node->safe_psql('postgres', "ALTER SERVER sim OPTIONS (DROP max_requests); DELETE FROM llava_usage");

# an error inside a block leaves the session as good as before
is($node->safe_psql('postgres', <<"END"), '2', 'a call after a cancelled one');
CREATE SERVER hang FOREIGN DATA WRAPPER llava_zh OPTIONS (url '@{[$endpoint->url('/fault/hang')]}', model 'test');
SET statement_timeout = '2s';
DO \$\$ BEGIN PERFORM llava_generate(bytes, 'detail', 'hang') FROM picture; EXCEPTION WHEN query_canceled THEN NULL; END \$\$;
RESET statement_timeout;
SELECT jsonb_array_length(llava_generate(bytes, 'detail', 'sim')) FROM picture;
DROP SERVER hang;
END

# keys: from a mapping, from a file, and in no message and no log
my $key = 'sk-9f3d71c2a8';
my $file = PostgreSQL::Test::Utils::tempdir() . '/key';
$endpoint->control(api_key => $key);
$node->safe_psql('postgres', "CREATE USER MAPPING FOR PUBLIC SERVER sim OPTIONS (api_key '$key')");
is((generate('描述图片'))[0], 0, 'the key of a mapping');
PostgreSQL::Test::Utils::append_to_file($file, "$key\n");
$node->safe_psql('postgres', "ALTER USER MAPPING FOR PUBLIC SERVER sim OPTIONS (DROP api_key, ADD api_key_file '$file')");
is((generate('描述图片'))[0], 0, 'the key in a file');
symlink($file, "$file.link");
$node->safe_psql('postgres', "ALTER USER MAPPING FOR PUBLIC SERVER sim OPTIONS (SET api_key_file '$file.link')");
like((generate('描述图片'))[2], qr/could not read the key file/, 'a link is not followed');
PostgreSQL::Test::Utils::append_to_file($file, "second line\n");
$node->safe_psql('postgres', "ALTER USER MAPPING FOR PUBLIC SERVER sim OPTIONS (SET api_key_file '$file')");
like((generate('描述图片'))[2], qr/is not used: it has control characters/, 'a file with more than a key');
my ($ret, $stdout, $stderr) = $node->psql('postgres',
	"ALTER USER MAPPING FOR PUBLIC SERVER sim OPTIONS (ADD apikey '$key')");
unlike($stderr, qr/$key/, 'a mistyped option does not tell its value');
unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/$key/, 'the log has no key');

$node->stop('fast');
$endpoint->stop;
done_testing();
