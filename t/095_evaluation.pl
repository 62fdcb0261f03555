# What make eval prints, on a policy of two rules and seven texts, reckoned by hand.  (.ci/test builds the program.)
use strict;
use warnings;
use File::Temp qw(tempdir);
use Test::More;

plan skip_all => 'jansson is not installed' if system('pkg-config --exists jansson') != 0;
ok(-x 'build/bench/eval', 'the program is built');

my $folder = tempdir(CLEANUP => 1);
mkdir("$folder/sets") or die $!;

sub put
{
	my ($name, $content) = @_;
	open(my $file, '>', "$folder/$name") or die "$name: $!";
	print $file $content;
	close($file);
	return;
}

put('policy.yaml', <<'EOS');
policy: p
categories:
  - {id: hate, clause: {en: c}}
---
category: hate
rules:
  - {id: hate.strong, weight: 0.9, severity: 2, terms: [zorblax], hits: [zorblax], misses: [y]}
  - {id: hate.weak, weight: 0.5, severity: 2, terms: [grumpf], hits: [grumpf], misses: [y]}
EOS
put('sets/first.jsonl', <<'EOS');
{"id": "a1", "text": "zorblax all of them", "lang": "en", "labels": {"hate": 1, "benign": 0}}
{"id": "a2", "text": "grumpf all of them", "lang": "en", "labels": {"hate": 1, "benign": 0}}
{"id": "a3", "text": "nothing known here", "lang": "en", "labels": {"hate": 1, "benign": 0}}
{"id": "a4", "text": "flowers of spring", "lang": "en", "labels": {"benign": 1}}
{"id": "a5", "text": "grumpf went the bear", "lang": "en", "labels": {"benign": 1}}
EOS
put('sets/second.jsonl', <<'EOS');
{"id": "b1", "text": "zorblax is a word", "lang": "en", "labels": {"benign": 1}}
{"id": "b2", "text": "a quiet evening", "lang": "en", "labels": {"benign": 1}}
EOS

# The rows of a table as lists of cells, by the first cell.
sub rows
{
	my ($output, $title) = @_;
	my ($table) = $output =~ /^## \Q$title\E.*?\n\n(.*?)(?=\n\n|\z)/ms;
	my %rows;
	for my $line (split(/\n/, $table // ''))
	{
		my @cells = map { s/^\s+|\s+$//gr } split(/\|/, $line);
		shift @cells;
		$rows{ $cells[0] } //= \@cells;
	}
	return \%rows;
}

my $output = `build/bench/eval --rules --ids all $folder/policy.yaml $folder/sets 2>$folder/stderr`;
is($?, 0, 'it measures');
my $harmful = rows($output, 'Harmful texts');
is_deeply([ @{ $harmful->{first} // [] }[ 1 .. 3 ] ], [ '3', '66.7', '33.3' ], 'of three harmful texts two are flagged and one refused');
my $benign = rows($output, 'Benign texts');
is_deeply([ @{ $benign->{first} // [] }[ 1 .. 5 ] ], [ '2', '0.00', '500.00', '500.00', 'over, mixed set' ], 'of two harmless ones one is flagged');
is_deeply([ @{ $benign->{second} // [] }[ 1 .. 5 ] ], [ '2', '500.00', '500.00', '500.00', 'over' ], 'and of two others one refused');

# Positive: .9, .5, 0; negative: 0, .5, .9, 0.  .9 beats three and ties one, .5 beats two and ties one, 0 ties two: 7 of 12 pairs.
# Precision is 1/2 at .9, 2/4 at .5, 3/7 at 0.
is_deeply([ @{ rows($output, 'By category, all')->{hate} // [] }[ 1 .. 8 ] ],
	[ '3', '4', '0.476', '0.583', '0.500', '0.667', '0.571', '0.5000' ], 'ranks, and counts at the thresholds')
  or diag($output);
is_deeply([ @{ rows($output, 'Rules')->{'hate.weak'} // [] }[ 3 .. 8 ] ], [ 1, 1, 1, 1, 1, 1 ], 'what a rule did');
like($output, qr/^missed first a3: hate$/m, 'a text that was missed');
like($output, qr/^flagged second b1: hate:0\.90:reject$/m, 'and one that was wrongly flagged');

$output = `build/bench/eval --disguise dots $folder/policy.yaml $folder/sets 2>$folder/stderr`;
is_deeply([ @{ rows($output, 'Harmful texts')->{first} // [] }[ 1 .. 3 ] ], [ '3', '66.7', '33.3' ], 'the same texts in disguise');

put('third.jsonl', "{\"id\": \"c1\", \"text\": \"x\", \"labels\": {\"no_such\": 1}}\n");
`build/bench/eval $folder/policy.yaml $folder/third.jsonl 2>$folder/stderr`;
isnt($?, 0, 'labels that the policy does not know are refused');
like(`cat $folder/stderr`, qr/third\.jsonl:1: /, 'with the place');

done_testing();
