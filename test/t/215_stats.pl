# What the views say of real replies, against a count made here of the same rows: by task,
# version and server; verdicts, flags, rounds, lengths, share of Han, quotations, dullness.
use strict;
use warnings;
use lib 'test/perl';
use Encode qw(encode);
use JSON::PP;
use LlavaZh::Cluster;
use LlavaZh::Endpoint;
use List::Util qw(max min sum);
use POSIX qw(ceil);
use Test::More;

my $pictures = 150;			# of each task
my $faults = join ',', map { "$_=0.03" }
  qw(english-labels json-pairs preamble closing pii traditional emoji one-round seven-rounds refused-round merged-turns too-short refusal english loop empty);
my @endpoints = map { LlavaZh::Endpoint->new(faults => $faults, seed => $_) } 1, 2;
my $node = LlavaZh::Cluster->new('stats', conf => "llava_zh.max_attempts = 2\n");

sub sql { return $node->safe_psql('postgres', $_[0]); }

# rows of a query, as hashes
sub rows
{
	my ($query) = @_;
	my $json = JSON::PP->new->utf8->allow_nonref;
	return map { $json->decode($_) } split /\n/, sql("SELECT to_jsonb(q) FROM ($query) q");
}

# an image can be asked about by each of them; a second version halfway
$node->create_server("s$_", $endpoints[$_]->url, "max_in_flight '4'") for 0, 1;
my @tasks = qw(日常对话 描述图片 复杂推理 detail_en);
$node->insert_pictures($_ * $pictures + 1, ($_ + 1) * $pictures, $tasks[$_]) for 0 .. $#tasks;
ok($node->wait_drained, 'replies are there');
sql("INSERT INTO llava_task (name, prompt) SELECT '描述图片', prompt || ' ' FROM llava_task WHERE name = '描述图片'");
sql("SELECT llava_enqueue(id, '描述图片', true) FROM llava_image WHERE id % 5 = 0");
ok($node->wait_drained, 'and of a second version');

my $han = qr/[\x{3007}\x{3400}-\x{4dbf}\x{4e00}-\x{9fff}\x{f900}-\x{faff}\x{20000}-\x{323af}]/;

# from an opening quotation mark to a Han behind it on its line, unless it closes before
my $quoted = join '|', map { "$_->[0]\[^$_->[1]\n]*$han" }
  [ "\x{201c}", "\x{201d}" ], [ "\x{300c}", "\x{300d}" ], [ "\x{300e}", "\x{300f}" ], [ "\x{300a}", "\x{300b}" ];

# Whether a text has Han inside quotation marks, straight ones in pairs on a line.
sub quotes
{
	my ($text) = @_;
	return 1 if $text =~ /$quoted/;
	for my $line (split /\n/, $text)
	{
		my @parts = split /"/, $line, -1;
		return 1 if grep { $_ % 2 == 1 && $parts[$_] =~ $han } 0 .. $#parts;
	}
	return 0;
}

my @replies = rows('SELECT task, task_version, server, reason, flags, image, id, latency_ms, prompt_tokens, completion_tokens FROM llava_reply');
my @samples = rows('SELECT task, task_version, image, reply, rounds, conversation FROM llava_conversation');
my %server = map { ("$_->{image} $_->{id}" => $_->{server}) } @replies;
cmp_ok(scalar(grep { defined $_->{reason} } @replies), '>', 20, 'some are rejected');
cmp_ok(scalar(@samples), '>', $pictures * 2, 'most are samples');

sub key { return join '|', @_; }

# %{view's rows}, by their first columns, with the others joined
sub view
{
	my ($name, $keys, $values, $where) = @_;
	my %rows;
	for my $row (rows("SELECT * FROM $name WHERE " . ($where // 'true')))
	{
		$rows{ key(map { $_ // '' } @{$row}{ @{$keys} }) } = key(map { $_ // '' } @{$row}{ @{$values} });
	}
	return \%rows;
}

my @group = qw(task task_version server);
# ---- replies ----

my (%all, %verdict, %flag);
for my $r (@replies)
{
	my $k = key(@{$r}{@group});
	$all{$k}{replies}++;
	$all{$k}{accepted} += !defined $r->{reason};
	$all{$k}{tokens} += $r->{completion_tokens};
	push @{ $all{$k}{latency} }, $r->{latency_ms};
	$verdict{$k}{ $r->{reason} // 'accepted' }++;
	next if defined $r->{reason};
	$flag{$k}{$_}++ for @{ $r->{flags} };
}
cmp_ok(scalar(keys %all), '>=', 8, 'two servers, and two versions of one task of four') or diag(encode('UTF-8', join "\n", keys %all));

# to four places, half up
sub share { my ($part, $of) = @_; return sprintf '%.4f', int((20000 * $part + $of) / (2 * $of)) / 10000; }

sub with_share
{
	my ($counts, $of) = @_;
	my %rows;
	for my $k (keys %{$counts})
	{
		$rows{ key($k, $_) } = key($counts->{$k}{$_}, share($counts->{$k}{$_}, $all{$k}{$of})) for keys %{ $counts->{$k} };
	}
	return \%rows;
}

# the last column with four places
sub four_places { my ($rows) = @_; s/\|([0-9.]+)$/sprintf '|%.4f', $1/e for values %{$rows}; return $rows; }

is_deeply(four_places(view('llava_stat_verdict', [ @group, 'verdict' ], [qw(count share)])), with_share(\%verdict, 'replies'), 'verdicts and their shares');
is_deeply(four_places(view('llava_stat_flag', [ @group, 'flag' ], [qw(count share)])), with_share(\%flag, 'accepted'), 'flags and their shares');
is_deeply(view('llava_stat_task', \@group, [qw(replies accepted rejected)]),
	{ map { $_ => key($all{$_}{replies}, $all{$_}{accepted}, $all{$_}{replies} - $all{$_}{accepted}) } keys %all }, 'replies, accepted, rejected');

# ---- samples ----

my (%rounds, %length, %letters, %opening, %answer);
for my $s (@samples)
{
	my $k = key($s->{task}, $s->{task_version}, $server{"$s->{image} $s->{reply}"});
	my @answers = grep { $_->{from} eq 'gpt' } @{ $s->{conversation} };
	$rounds{$k}{ scalar @answers }++;
	is($s->{rounds}, scalar @answers, 'rounds are answers') if $s->{rounds} != @answers;
	for my $turn (@{ $s->{conversation} })
	{
		push @{ $length{ key($k, $turn->{from}) } }, length $turn->{value};
		$opening{ key($s->{task}, $s->{task_version}, $turn->{from}) }{ substr $turn->{value}, 0, 7 }++;
	}
	$answer{ key($s->{task}, $s->{task_version}) }{ $_->{value} }++ for @answers;
	my $text = join "\n", map { $_->{value} } @answers;
	$letters{$k}{han} += () = $text =~ /$han/g;
	$letters{$k}{all} += () = $text =~ /\p{Alphabetic}/g;
	$letters{$k}{quoting} += quotes($text);
	$letters{$k}{samples}++;
}

my %expected;
for my $k (keys %rounds) { $expected{ key($k, $_) } = $rounds{$k}{$_} for keys %{ $rounds{$k} }; }
is_deeply(view('llava_stat_rounds', [ @group, 'rounds' ], ['count']), \%expected, 'rounds');

%expected = ();
for my $k (keys %length)
{
	my @sorted = sort { $a <=> $b } @{ $length{$k} };
	$expected{$k} = key(scalar @sorted, (map { $sorted[ ceil($_ * @sorted) - 1 ] } 0.05, 0.5, 0.95), $sorted[-1]);
}
is_deeply(view('llava_stat_length', [ @group, 'speaker' ], [qw(turns p5 median p95 longest)]), \%expected, 'lengths of questions and answers');

# a sample of version 1 that version 2 has replaced leaves its accepted reply behind
my @live = grep { $letters{$_}{samples} == $all{$_}{accepted} } keys %letters;
cmp_ok(scalar @live, '>=', 4, 'groups whose accepted replies all are samples');
my $task = view('llava_stat_task', \@group, [qw(han_share quoting_share)]);
for my $k (sort @live)
{
	my ($share, $quoting) = split /\|/, $task->{$k};
	my $counted = $letters{$k};
	my $name = encode('UTF-8', $k);
	cmp_ok(abs($share - $counted->{han} / $counted->{all}), '<', 0.0005, "share of Han in $name: $share");
	cmp_ok(abs($quoting - $counted->{quoting} / $counted->{samples}), '<', 0.0001, "share of those that quote in $name: $quoting");
}

# no view that says the same of all would pass
my @shares = map { (split /\|/, $task->{$_})[0] } @live;
cmp_ok(max(@shares), '>', 0.9, 'nearly all letters of Chinese answers are Han');
cmp_ok(min(@shares), '<', 0.1, 'next to none of English answers');
cmp_ok(min(map { (split /\|/, $task->{$_})[1] } @live), '<', 1, 'and not all quote');

# ---- dullness ----

%expected = ();
for my $k (keys %opening)
{
	my $turns = sum(values %{ $opening{$k} });
	$expected{ key($k, $_) } = key($opening{$k}{$_}, share($opening{$k}{$_}, $turns)) for grep { $opening{$k}{$_} > 1 } keys %{ $opening{$k} };
}
is_deeply(four_places(view('llava_stat_opening', [qw(task task_version speaker opening)], [qw(count share)])), \%expected, 'openings');
%expected = ();
for my $k (keys %answer) { $expected{ key($k, $_) } = $answer{$k}{$_} for grep { $answer{$k}{$_} > 1 } keys %{ $answer{$k} }; }
is_deeply(view('llava_stat_repeat', [qw(task task_version answer)], ['count']), \%expected, 'answers that are repeated');

# ---- parallel plans, which large tables have ----

my $parallel = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2';
my @gathered;
for my $name (split /\n/, sql("SELECT relname FROM pg_class WHERE relname LIKE 'llava%' AND relkind = 'v' ORDER BY relname"))
{
	push @gathered, $name if sql("$parallel; EXPLAIN SELECT count(v::text) FROM $name v") =~ /Gather/;
	my ($status, $out, $err) = $node->psql('postgres', "$parallel; SELECT count(v::text) FROM $name v");
	is($err, '', "$name by a parallel plan");
}
like("@gathered", qr/llava_progress.*llava_stat_task.*llava_status/, scalar @gathered . ' views have one');

$node->stop;
$_->stop for @endpoints;
done_testing();
