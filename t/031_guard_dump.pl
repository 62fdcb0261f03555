# A dump carries the guards, and restoring it judges nothing again: the tables, the violations and the guards are what they were.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('dump');
$node->init;
$node->start;
my $policy = slurp_file('sql/include/test_policy.sql');
$node->safe_psql('postgres', "CREATE DATABASE origin");
$node->safe_psql('origin', 'CREATE EXTENSION moderation; ' . $policy);
$node->safe_psql('origin', <<'EOC');
CREATE SCHEMA "Odd schema";
CREATE TABLE "Odd schema"."Post" (id int PRIMARY KEY, "the author" text, "Body" text);
CREATE TABLE event (day int, author text, body text) PARTITION BY LIST (day);
CREATE TABLE event_1 PARTITION OF event FOR VALUES IN (1);
CREATE TABLE event_2 PARTITION OF event FOR VALUES IN (2);
CREATE TABLE gone (author text, body text);
INSERT INTO "Odd schema"."Post" VALUES (1, 'ada', 'a zorblax from before');
SELECT moderation.guard('"Odd schema"."Post"', '{Body}', 'the author', 'test');
SELECT moderation.guard('event', '{body}', 'author', 'test', 'flag', row_security => true);
SELECT moderation.guard('gone', '{body}', 'author', 'test');
INSERT INTO "Odd schema"."Post" VALUES (2, 'ben', 'a flagword'), (3, 'ben', 'a redactword'), (4, 'cia', 'a quarword');
INSERT INTO event VALUES (1, 'ben', 'a zorblax'), (2, 'ben', 'hello');
ALTER TABLE "Odd schema"."Post" RENAME TO "Post 2";
ALTER TABLE "Odd schema"."Post 2" RENAME "Body" TO "the body";
ALTER EVENT TRIGGER moderation_follow_drop DISABLE;
DROP TABLE gone;
ALTER EVENT TRIGGER moderation_follow_drop ENABLE;
EOC
$node->psql('origin', q{INSERT INTO "Odd schema"."Post 2" VALUES (5, 'dan', 'a zorblax')});
is($node->safe_psql('origin', 'SELECT problem FROM moderation.verify_guards()'), 'the table is gone', 'a registration without a table is reported');

my $guards = q{SELECT relation, content_columns, account_column, policy, action, row_security, enabled_on, forced_on FROM moderation.guarded
	WHERE relation IN (SELECT oid FROM pg_class) ORDER BY relation::text};
my $triggers = q{SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE tgname LIKE 'zzz%' ORDER BY tgrelid::regclass::text, tgname};
my $security = q{SELECT oid::regclass, relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname LIKE 'event%' ORDER BY 1};
my $violations = q{SELECT violation_id, account, category, action, relation FROM moderation.violation ORDER BY violation_id};
my $diverted = q{SELECT account, violation_id, row_data FROM moderation.quarantine};
my $rows = q{SELECT * FROM "Odd schema"."Post 2" ORDER BY 1};
my $events = q{SELECT * FROM event ORDER BY 1};
my @all = ($guards, $triggers, $security, $violations, $diverted, $rows, $events);
my %before = map { $_ => $node->safe_psql('origin', $_) } @all;

sub same
{
	my ($database, $how) = @_;
	for my $query (@all)
	{
		my ($name) = $query =~ /FROM ("[^"]+"."[^"]+"|\S+)/;
		is($node->safe_psql($database, $query), $before{$query}, "$how: the same in $name");
	}
	is($node->safe_psql($database, 'SELECT object, problem FROM moderation.verify_guards()'), '', "$how: nothing wrong with the guards");
	my ($code, $out, $err) = $node->psql($database, q{INSERT INTO "Odd schema"."Post 2" VALUES (9, 'eva', 'a zorblax')});
	like($err, qr/content refused/, "$how: the guard is awake");
	($code, $out, $err) = $node->psql($database, q{INSERT INTO event_2 VALUES (2, 'eva', 'a flagword')});
	is($node->safe_psql($database, q{SELECT category FROM moderation.violation WHERE account = 'eva' ORDER BY 1}), "test_flag\ntest_reject", "$how: and records");
}

# The whole database, as an archive and as a script.
my $dir = $node->basedir;
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/full.dump", '-d', $node->connstr('origin') ], 'dumped as an archive');
$node->command_ok([ 'pg_dump', '-f', "$dir/full.sql", '-d', $node->connstr('origin') ], 'dumped as a script');
$node->safe_psql('postgres', 'CREATE DATABASE archive');
$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr('archive'), "$dir/full.dump" ], 'restored from the archive');
same('archive', 'archive');
$node->safe_psql('postgres', 'CREATE DATABASE script');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/full.sql", '-d', $node->connstr('script') ], 'restored from the script');
same('script', 'script');

# The schema first and the data later: with moderation.mode = restore nothing is judged again.
$node->safe_psql('postgres', 'CREATE DATABASE parts');
$node->command_ok([ 'pg_restore', '-e', '--schema-only', '-d', $node->connstr('parts'), "$dir/full.dump" ], 'restored the schema');
{
	local $ENV{PGOPTIONS} = '-c moderation.mode=restore';
	$node->command_ok([ 'pg_restore', '-e', '--data-only', '-d', $node->connstr('parts'), "$dir/full.dump" ], 'restored the data in restore mode');
}
same('parts', 'parts');

# Without it, the guard judges the rows as any others.
$node->safe_psql('postgres', 'CREATE DATABASE judged');
$node->command_ok([ 'pg_restore', '-e', '--schema-only', '-d', $node->connstr('judged'), "$dir/full.dump" ], 'restored the schema once more');
$node->command_fails([ 'pg_restore', '-e', '--data-only', '-d', $node->connstr('judged'), "$dir/full.dump" ], 'the data without restore mode is refused');

# --disable-triggers leaves the triggers enabled, but no longer always: that is reported, and mended by guarding again.
$node->safe_psql('postgres', 'CREATE DATABASE weakened');
$node->command_ok([ 'pg_restore', '-e', '--schema-only', '-d', $node->connstr('weakened'), "$dir/full.dump" ], 'restored the schema again');
$node->command_ok([ 'pg_restore', '-e', '--data-only', '--disable-triggers', '-d', $node->connstr('weakened'), "$dir/full.dump" ],
	'restored the data with --disable-triggers');
is($node->safe_psql('weakened', 'SELECT count(*), min(problem) FROM moderation.verify_guards()'),
	'6|trigger zzz_moderation_scan is not enabled always', 'verify_guards() reports what that did');
$node->safe_psql('weakened', $node->safe_psql('weakened', 'SELECT DISTINCT hint FROM moderation.verify_guards()'));
same('weakened', '--disable-triggers, mended');
$node->stop;
done_testing();
