# Rows that are due and are not asked: after llava_zh.stall_report the worker says why, in
# llava_stat_worker and once for each reason in the log, and nothing when it goes on.
use strict;
use warnings;
use lib 'test/perl';
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use PostgreSQL::Test::Utils;
use Test::More;

my $endpoint = LlavaZh::Endpoint->new;
my $files = PostgreSQL::Test::Utils::tempdir;
chmod 0755, $files;
mkdir "$files/pictures";
append_to_file("$files/pictures/one.png", LlavaZh::Cluster::png(900));
my $node = LlavaZh::Cluster->new('stall', conf => "llava_zh.stall_report = '1s'\nllava_zh.naptime = '300ms'\nllava_zh.retry_delay_max = '1h'\nllava_zh.image_directory = '$files/pictures'\n");
my $activity = 'SELECT activity FROM llava_stat_worker WHERE slot = 0';
sub sql { return $node->safe_psql('postgres', shift); }
sub lines { my ($what) = @_; return scalar(() = slurp_file($node->logfile) =~ /LOG:  llava_zh: rows are due, and nothing was sent or answered for \d+ s: $what/g); }

# the worker stands still for this reason, and the log has so many lines of it
sub stands_still
{
	my ($what, $count, $name) = @_;
	ok($node->wait_query($activity, "llava_zh: standing still: $what"), $name) or diag(sql($activity));
	# some looks later
	sql("SELECT pg_sleep(0.7)");
	is(lines($what), $count, "$name: one line in the log") if defined $count;
	return;
}

sub goes_on
{
	my ($name) = @_;
	ok($node->wait_drained, $name);
	ok($node->wait_query("$activity AND activity !~ 'standing still'", '.+'), "$name, and stands still no more");
	return;
}

# nothing is due: nothing is said
ok($node->wait_query("$activity", 'llava_zh: .*'), 'an idle worker');
sql('SELECT pg_sleep(2)');
unlike(sql($activity), qr/standing still/, 'does not stand still');

$node->insert_pictures(1, 4, 'detail');
stands_still('there is no server.*', 1, 'no server');
$node->create_server('sim', $endpoint->url, "max_in_flight '4', paused 'true'");
stands_still('server "sim" is paused \(paused\)', 1, 'a pause');
sql("SELECT llava_resume('sim')");
goes_on('a server');

# a reason is told of again after work was done
sql("SELECT llava_pause('sim')");
$node->insert_pictures(5, 6);
stands_still('server "sim" is paused \(paused\)', 2, 'another pause');
sql("SELECT llava_resume('sim')");
goes_on('resumed again');

# a task whose server is not there
$node->create_server('gone', $endpoint->url);
sql("INSERT INTO llava_task (name, prompt, kind, language, min_rounds, max_rounds, weight, server) SELECT 'elsewhere', prompt, kind, language, min_rounds, max_rounds, 0, 'gone' FROM llava_task WHERE alias = 'detail' AND version = 1");
sql('DROP SERVER gone CASCADE');
$node->insert_pictures(11, 12, 'elsewhere');
stands_still('task "elsewhere" is for server "gone", which does not exist or which the worker may not use', 1, 'a server that is not there');
$node->create_server('gone', $endpoint->url, "max_in_flight '4'");
goes_on('when it is there');

# answers that do not come
$endpoint->control(faults => 'hold=1');
$node->insert_pictures(21, 80, 'detail');
$endpoint->wait_for(in_flight => 4) or die;
stands_still('requests in flight, and not answered: \d+', 1, 'a server that does not answer');
$endpoint->control(faults => '');
$endpoint->control(release => 1);
goes_on('answered');

# Retry-After
sql('ALTER SERVER gone OPTIONS (ADD paused \'true\')');
$endpoint->control(faults => '429-3600=1');
$node->insert_pictures(81, 100, 'detail');
stands_still('server "sim" is sent nothing before [-0-9:. +]+: Retry-After.*', 1, 'a server that said when');
$endpoint->control(faults => '');
sql('DROP SERVER sim');
$node->create_server('sim', $endpoint->url, "max_in_flight '4'");
sql('UPDATE llava_pending SET visible_at = now()');
# a new worker looks at all of the queue
sql('SELECT pg_terminate_backend(pid, 60000) FROM llava_stat_worker');
goes_on('another one');

# whose code would run
sql('CREATE ROLE owner; ALTER TABLE llava_usage OWNER TO owner; CREATE FUNCTION code() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; ALTER FUNCTION code() OWNER TO owner');
sql('CREATE TRIGGER planted BEFORE INSERT ON llava_reply FOR EACH ROW EXECUTE FUNCTION code()');
$node->insert_pictures(101, 102, 'detail');
ok($node->wait_query($activity, 'llava_zh: claims postponed, .*'), 'a table that cannot be trusted, of which the log has another line');
is(scalar(() = slurp_file($node->logfile) =~ /llava_zh: claims postponed/g) > 0, 1, 'that one');
sql('DROP TRIGGER planted ON llava_reply; ALTER TABLE llava_usage OWNER TO postgres');
goes_on('trusted again');

# the directory of pictures
sql("INSERT INTO llava_image (path, task) VALUES ('one.png', 'elsewhere')");
rename "$files/pictures", "$files/away" or die;
sql("ALTER SERVER gone OPTIONS (DROP paused)");
# the first is put off; the second is due meanwhile
ok($node->wait_query("SELECT count(*) FROM llava_pending WHERE holder IS NULL AND visible_at > now() + interval '5 s'", '1'), 'a picture that cannot be read is put off');
sql("UPDATE llava_pending SET visible_at = visible_at + interval '10 s'; INSERT INTO llava_pending (image, task) SELECT 1, 'elsewhere'");
stands_still('the directory of pictures, llava_zh.image_directory, cannot be opened', 1, 'a directory that is away');
rename "$files/away", "$files/pictures" or die;
goes_on('there again');

# rows that somebody has locked
my $session = $node->background_psql('postgres');
sql("SELECT llava_pause('sim'), llava_pause('gone')");
$node->insert_pictures(201, 202, 'detail');
$session->query_safe('BEGIN; SELECT image FROM llava_pending FOR UPDATE');
sql("SELECT llava_resume('sim')");
ok($node->wait_query($activity, '.*is in the way.*'), 'rows that are locked');
$session->query_safe('COMMIT');
$session->quit;
goes_on('unlocked');

$node->stop('fast');
$endpoint->stop;
done_testing();
