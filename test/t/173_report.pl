# llava_report: the numbers on the page are those of the tables, whatever tasks and servers
# are called; one HTML page without script, whose tables a reader of its own takes apart.
use strict;
use warnings;
use utf8;
use lib 'test/perl';
use Encode qw(decode_utf8 encode_utf8);
use JSON::PP;
use LlavaZh::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = LlavaZh::Cluster->new('report', preload => 0);
my $json = JSON::PP->new->utf8;
sub sql { return decode_utf8($node->safe_psql('postgres', encode_utf8($_[0]))); }

my $page = $node->basedir . '/report.html';
sub report
{
	my ($arguments, $database) = @_;
	my $text = $node->safe_psql($database // 'postgres', "SELECT llava_report($arguments)");
	unlink $page;
	PostgreSQL::Test::Utils::append_to_file($page, "$text\n");
	my ($out, $err) = ('', '');
	ok(IPC::Run::run([ '/usr/bin/python3', 'test/read_report.py', $page ], '>', \$out, '2>', \$err), "llava_report($arguments) is made of what it may be") or diag($err);
	return $json->decode($out);
}

# A table without its head; and that one of a title that begins so.
sub table
{
	my ($report, $title) = @_;
	my ($found) = grep { /^\Q$title\E/ } sort keys %{ $report->{tables} };
	return ref $report->{tables}{ $found // '' } ? @{ $report->{tables}{$found} } : ();
}
sub rows { my ($head, @rows) = table(@_); return join "\n", map { join '|', @$_ } @rows; }
sub head { my ($head) = table(@_); return join '|', @{ $head // [] }; }

# of nothing there is one, too
my $empty = report('');
is_deeply([ $empty->{tables}, $empty->{sums}{'样本 Samples'} ], [ {}, '0' ], 'of nothing: no plot, and 0 samples');

like(decode_utf8(slurp_file($page)), qr{<p class='none'>服务器未设单价（input_price、output_price）}, 'without prices no cost is spoken of');

# Replies over some hours, with names that would be mark-up; a picture for each, samples for most.
my $task = q{</text></svg><script>alert(1)</script>};
my $server = q{"'><img src=x onerror=alert(2)>};
sql(<<"SQL");
SET session_replication_role = replica;
INSERT INTO llava_image (id, path, width, height, orientation, received_at)
	SELECT n, n || '.png', 800, 600, CASE WHEN n <= 10 THEN 6 ELSE 1 END, now() FROM generate_series(1, 90) n;
INSERT INTO llava_reply (image, id, task, task_version, server, model, parameters, variation, body, latency_ms, received_at, reason, measures, cost)
	SELECT n, n, CASE n % 3 WHEN 0 THEN \$t\$$task\$t\$ ELSE '描述图片' END, 1, CASE n % 2 WHEN 0 THEN \$s\$$server\$s\$ ELSE 'qwen' END, 'm', '{}', 0, '{}',
		1000 * (1 + n % 10), date_trunc('hour', now()) - interval '1 hour' * (n % 5), CASE WHEN n > 80 THEN 'refusal' END,
		jsonb_build_object('chars', 200 + n, 'han', 90, 'all_letters', 100), 0.5
	FROM generate_series(1, 90) n;
INSERT INTO llava_conversation (image, task, conversation, rounds, reply, task_version, created_at, keep)
	SELECT image, task, '[{"from": "human", "value": "?"}, {"from": "gpt", "value": "!"}]', 1 + image % 2, id, 1, received_at,
		CASE WHEN image <= 7 THEN true WHEN image <= 9 THEN false END FROM llava_reply WHERE reason IS NULL;
INSERT INTO llava_usage (server, requests, replies, accepted) VALUES (\$s\$$server\$s\$, 50, 45, 40), ('qwen', 60, 45, 40);
SQL
my $report = report('');
is_deeply([ @{ $report->{sums} }{ '样本 Samples', '回复 Replies', '采用率 Accepted', '花费 Cost', '图片 Pictures' } ],
	[ '80', '90', '88.9 %', '45.00', '90' ], 'the sums at the head');
is(head($report, '新增样本'), "时间 Time|描述图片|$task|合计 Total", 'a task that is called like mark-up is text in a table');
my $by_hour = "SELECT to_char(%1\$s, 'MM-DD HH24:00'), count(*) FILTER (WHERE %2\$s), count(*) FILTER (WHERE NOT %2\$s), count(*) FROM %3\$s GROUP BY 1 ORDER BY min(%1\$s)";
sub dashed { return $_[0] =~ s/\|0(?=\||$)/|–/gmr; }
is(rows($report, '新增样本'), dashed(sql(sprintf $by_hour, 'created_at', "task = '描述图片'", 'llava_conversation')), 'samples by hour and task');
is(rows($report, '回复与判定：qwen'), dashed(sql(sprintf $by_hour, 'received_at', 'reason IS NULL', "llava_reply WHERE server = 'qwen'")), 'verdicts by hour of one server');
is(rows($report, "回复与判定：$server"), dashed(sql(sprintf $by_hour, 'received_at', 'reason IS NULL', "llava_reply WHERE server <> 'qwen'")), 'and of another');
is(rows($report, '延迟'), sql(q{SELECT to_char(received_at, 'MM-DD HH24:00'), percentile_disc(0.95) WITHIN GROUP (ORDER BY latency_ms) / 1000,
	percentile_disc(0.5) WITHIN GROUP (ORDER BY latency_ms) / 1000 FROM llava_reply GROUP BY 1 ORDER BY min(received_at)}), 'latency by hour');
my $cost = 0;
$cost += $_->[-1] for grep { $_->[0] ne '时间 Time' } table($report, '花费');
is($cost, 45, 'cost by hour');
is(rows($report, '轮数'), dashed(sql(q{SELECT rounds, count(*) FILTER (WHERE task = '描述图片'), count(*) FILTER (WHERE task <> '描述图片'), count(*)
	FROM llava_conversation GROUP BY 1 ORDER BY 1})), 'rounds');
is(rows($report, '人工判定'), "描述图片 · 看过 looked at 6 / 54|5|1|6\n$task · 看过 looked at 3 / 26|2|1|3", 'what people judged');
is(rows($report, '全部请求'), "qwen|40|5|15|60\n$server|40|5|5|50", 'requests, and those without an answer');
my @lengths = table($report, '回复长度');
like($lengths[0][1], qr/^描述图片 · p5 \d+ · p50 \d+ · p95 27\d$/, 'quantiles of lengths');
my $lengths = 0;
$lengths += /^\d+$/ ? $_ : 0 for map { @$_[ 1, 2 ] } @lengths[ 1 .. $#lengths ];
is($lengths, 80, 'each accepted reply is in a class of length');
is(head($report, '中文比例'), "比例 Share|描述图片 · 平均 mean 90.0 %|$task · 平均 mean 90.0 %|合计 Total", 'the mean share of Chinese');
is(rows($report, '中文比例'), '90–95 %|54|26|80', 'and its classes');
is(rows($report, '图片大小'), '0.25–0.5|90', 'sizes of pictures');
is(rows($report, '图片宽高比'), "7:10–1:1|10\n1:1–7:5|80", 'ratios, with the sides that EXIF swaps');
unlike(slurp_file($page), qr/<script|<img|https?:|style=|onerror=alert\(2\)>/, 'no script, picture or address');
ok((grep { $_ eq $server } @{ $report->{plots}{"全部请求 All requests"} }), 'and in a plot it is text');

# many tasks and servers: what there are no shades for is added up
sql(q{INSERT INTO llava_reply (image, id, task, task_version, server, model, parameters, variation, body, reason, cost)
	SELECT 1000 + n, 1000 + n, 'task' || n, 1, 'server' || n, 'm', '{}', 0, '{}', 'reason' || n, 2 FROM generate_series(1, 9) n});
$report = report('1');
my ($total) = reverse map { $_->[6] } grep { $_->[6] =~ /^[\d.]+$/ } table($report, '花费');
is(head($report, '花费'), "时间 Time|$server|qwen|server1|server2|server3|其他 Others|合计 Total", 'five series and the others');
is($total, '12', 'the others are added up');
is(scalar(grep { /^回复与判定/ } keys %{ $report->{tables} }), 6, 'six plots of servers');
is(head($report, '回复与判定：其他服务器'), '时间 Time|accepted|refusal|reason1|reason2|reason3|其他 Others|合计 Total', 'the last of the other servers');

# how many days
is(report('NULL')->{sums}{'回复 Replies'}, '99', 'NULL: seven days');
sql("UPDATE llava_reply SET received_at = now() - interval '100 days' WHERE id <= 50");
is(report('7')->{sums}{'回复 Replies'}, '49', 'what is older is left out');
sql("UPDATE llava_conversation SET created_at = now() - interval '100 days' WHERE image <= 50");
is(report('7')->{sums}{'样本 Samples'}, '30', 'samples, too');
my $long = report('3650');
is($long->{sums}{'样本 Samples'}, '80', 'in ten years they are there');
is($long->{sums}{'回复 Replies'}, '99', 'ten years');
like(rows($long, '花费'), qr/^\d{4}-\d\d-\d\d\|/, 'by days then');
for my $days (0, 3651)
{
	my ($ret, $out, $err) = $node->psql('postgres', "SELECT llava_report($days)");
	like($err, qr/ERROR:  days $days is not between 1 and 3650\nHINT:  SELECT llava_report\(30\)/, "$days days");
}

# verdicts in JSON are no replies that have a length
sql(q{INSERT INTO llava_reply (image, id, task, task_version, server, model, parameters, variation, body, measures)
	VALUES (1, 5000, '筛选', 1, 'qwen', 'm', '{}', 0, '{}', '{"chars": 9, "han": 1, "all_letters": 1}')});
$report = report('');
unlike(head($report, '回复长度') . head($report, '中文比例'), qr/筛选/, 'nor a share of Chinese');

# what the C function refuses, and leaves out
for my $case (
	[ "'pie', '', '', '', '{a}', '{s}', '{a}', '{s}', '{1}'" => qr/ERROR:  there is no chart "pie"\nHINT:  There are columns, lines and bars/ ],
	[ "'bars', '', '', '', '{a}', '{s}', '{a,a}', '{s,s}', '{1}'" => qr/ERROR:  the cells of a chart are 2 labels, 2 series and 1 values/ ])
{
	my ($ret, $out, $err) = $node->psql('postgres', "SELECT llava_chart($case->[0])");
	like($err, $case->[1], $case->[0]);
}
like(sql("SELECT llava_chart('lines', 't', 'n', 'h', '{a}', '{s}', '{a}', '{s}', '{1}')"), qr{<circle class='l0' }, 'one point alone is a dot');
like(sql("SELECT llava_chart('lines', 't', 'n', 'h', '{a,b}', '{s,t}', '{a,b,NULL,c}', '{s,s,s,s}', '{1,NaN,2,3}')"),
	qr{<td>1</td><td>–</td></tr>\n</tbody>}, 'no number, no label and a label that is none: no cell');
is(sql("SELECT llava_chart('bars', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) ~ 'No data'"), 't', 'and nothing at all is no data');
unlike(sql("SELECT llava_chart('columns', 't', 'n', 'h', '{a,b}', '{s}', '{a,b}', '{s,s}', '{$_}')"), qr/nan|inf/i, "$_ can be drawn")
  for '5e-324,1e-323', '1.7e308,1', '1e300,1e299', 'Infinity,1', '-5,-1e299';
my ($ret, $out, $err);
sql(q{CREATE TABLE many AS SELECT array_agg('a' || n) AS labels, array_agg('a' || 150001 - n) AS at, array_agg('s'::text) AS series,
	array_agg(1::float8) AS ones FROM generate_series(1, 150000) n});
my $begun = time;
($ret, $out, $err) = $node->psql('postgres', "SET statement_timeout = '500ms'; SELECT llava_chart('bars', 't', 'n', 'h', labels, '{s}', at, series, ones) FROM many");
like($err, qr/canceling statement due to statement timeout/, 'many labels');
cmp_ok(time - $begun, '<', 10, 'can be cancelled');

# who may read it
sql('CREATE ROLE nobody');
($ret, $out, $err) = $node->psql('postgres', 'SET ROLE nobody; SELECT llava_report()');
like($err, qr/permission denied for function llava_report/, 'it is not for everybody');

$node->stop('fast');
done_testing();
