# A backend that runs out of memory while it judges: the statement fails, the content is not stored, the session goes on, and nothing
# crashes.  The kernel refuses the memory (RLIMIT_AS, set from outside by prlimit), so that every malloc() and mmap() is meant, those of
# PCRE2 and ICU included.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'prlimit and /proc are needed' if system('prlimit --version >/dev/null 2>&1') != 0 || !-r '/proc/self/status';

my $node = PostgreSQL::Test::Cluster->new('starved');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->append_conf('postgresql.conf', "fsync = off\nautovacuum = off\njit = off\n");
$node->start;
$node->safe_psql('postgres', q{CREATE EXTENSION moderation;
	CREATE TABLE post (account text, body text);
	SELECT moderation.guard('post', '{body}', 'account');
	CREATE TABLE hostile AS SELECT string_agg(m[1], ' ') AS body FROM (SELECT m FROM moderation.policy, regexp_matches(document, '"([^"{}\\\\]{2,60})"', 'g') AS m
		LIMIT 300) AS m;
	INSERT INTO hostile SELECT string_agg(m[1], '') FROM (SELECT m FROM moderation.policy, regexp_matches(document, '([一-鿿]{2,})', 'g') AS m LIMIT 300) AS m;});

# A session that has so many kB more than it stands with, from the first look at the policy on.  The stack is grown before, since a stack
# that may not grow is a crash of any server's.
sub starved
{
	my ($kb, $warm) = @_;
	my $limit = q{\! prlimit --pid $BACKEND --as=};
	my ($code, $out, $err) = $node->psql('postgres', q{
SELECT (repeat('[', 4500) || repeat(']', 4500))::json \g /dev/null
SELECT pg_backend_pid() AS pid \gset
\setenv BACKEND :pid
} . ($warm ? "INSERT INTO post (body) SELECT body FROM hostile;\n" : '') . $limit . q{$(($(sed -n 's/^VmSize:[^0-9]*\([0-9]*\) kB/\1/p' /proc/$BACKEND/status) * 1024 + } . $kb * 1024 . q{)):unlimited
INSERT INTO post (body) SELECT body FROM hostile;
\echo state=:SQLSTATE
} . $limit . q{unlimited:unlimited
INSERT INTO post (body) SELECT body FROM hostile;
\echo state=:SQLSTATE
INSERT INTO post (body) VALUES ('harmless');
\echo state=:SQLSTATE
}, on_error_stop => 0);
	return ($out =~ /state=(\w+)/g, 'gone', 'gone', 'gone')[0 .. 2];
}

my (%states, @odd);
my $steps = $ENV{MODERATION_SOAK} ? 96 : 16;
# A session that begins needs room for the library, and for the compiled policy.
my $needed = $node->safe_psql('postgres', q{SELECT ((SELECT (pg_stat_file(setting || '/moderation.so')).size FROM pg_config WHERE name = 'PKGLIBDIR')
	+ (SELECT max(octet_length(image)) FROM moderation.policy_image)) / 1024});
for my $kb (0, 16, 64, 192, map({ int($_ * $needed / $steps) } 1 .. $steps), 2 * $needed, 4 * $needed)
{
	# Without the policy at hand, or with it; in the one case even the library may not find room.
	for my $warm (0, 1)
	{
		my ($starved, $fed, $harmless) = starved($kb, $warm);
		$states{$starved}++;
		push @odd, "$kb kB" . ($warm ? ', warm' : '') . ": $starved, $fed, $harmless"
			unless $starved =~ /^(53200|58P01|MD001|MD004)$/ && $fed =~ /^MD00[14]$/ && $harmless eq '00000';
	}
}
note(join ', ', map { "$_: $states{$_}" } sort keys %states);
is(join('; ', @odd), '', 'however little memory there is, the content is refused, and the session goes on');
cmp_ok($states{'53200'} // 0, '>', 5, 'memory did run out');
cmp_ok(($states{MD001} // 0) + ($states{MD004} // 0), '>', 2, 'and at last sufficed');
is($node->safe_psql('postgres', q{SELECT count(*) FROM post WHERE body <> 'harmless'}), 0, 'nothing of it was stored');
$node->stop;
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC/, 'and the server never crashed');
done_testing();
