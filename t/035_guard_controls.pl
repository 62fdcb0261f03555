# Every way around the guard that the regression tests say is closed, tried with the mechanism that closes it switched off: then
# content gets through, so that the attack is known to be one and the test to see it.  A superuser switches the mechanism off, or
# a point of the test library does.  With the mechanism, the same attack stores nothing.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TestLibrary;

my $node = PostgreSQL::Test::Cluster->new('controls');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nmax_connections = 20");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION moderation; ' . slurp_file('sql/include/test_policy.sql'));
$node->safe_psql('postgres', q{
	CREATE ROLE owner; CREATE ROLE writer; CREATE ROLE replicator;
	GRANT CREATE ON DATABASE postgres TO owner;
	GRANT SET ON PARAMETER session_replication_role TO replicator;
	GRANT USAGE ON SCHEMA moderation TO owner, writer, replicator;
});
use_test_library($node, 'postgres');

# Runs SQL, whatever comes of it; psql goes on after an error.
sub attempt { my ($out, $err) = ('', ''); $node->psql('postgres', shift, stdout => \$out, stderr => \$err, on_error_stop => 0, on_error_die => 0); return $err; }

# How many rows with the refused word there are in the guarded tables, or in what is meant for them.
my $stored = q{SELECT coalesce(sum((xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %s AS t WHERE t::text LIKE ''%%zorblax%%''', oid::regclass), false, true, '')))[1]::text::int), 0)
	FROM pg_class WHERE relnamespace::regnamespace::text IN ('app', 'app_2') AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'staged'};

my $set_up = q{
	SET client_min_messages = error;
	ALTER EVENT TRIGGER moderation_keep_guards ENABLE ALWAYS;
	ALTER EVENT TRIGGER moderation_note_guards ENABLE ALWAYS;
	DROP SCHEMA IF EXISTS app, app_2 CASCADE;
	CREATE SCHEMA app AUTHORIZATION owner;
	GRANT USAGE ON SCHEMA app TO writer, replicator;
	SET ROLE owner;
	CREATE TABLE app.post (id int, author text, title text, body text);
	CREATE TABLE app.part (id int, author text, body text) PARTITION BY LIST (id);
	CREATE TABLE app.part_1 PARTITION OF app.part FOR VALUES IN (1, 2);
	CREATE TABLE app.other (id int);
	CREATE TABLE app.staged (id int, author text, body text);
	INSERT INTO app.staged VALUES (3, 'ann', 'a zorblax');
	INSERT INTO app.post VALUES (1, 'ann', 'hello', 'hello');
	GRANT ALL ON ALL TABLES IN SCHEMA app TO writer, replicator;
	RESET ROLE;
	DO $$ BEGIN
		PERFORM moderation.guard('app.post', '{title,body}', 'author', 'test');
		PERFORM moderation.guard('app.part', '{body}', 'author', 'test');
		PERFORM moderation.reinstate(a.account, 'test') FROM moderation.account AS a WHERE a.state <> 'active' OR a.strikes > 0;
	END $$;
};

sub point { return "SET moderation.test_points = '$_[0]=fail';"; }
my $disable = 'ALTER EVENT TRIGGER moderation_keep_guards DISABLE;';
my $rewriter = q{CREATE FUNCTION app.rewrite() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.body := 'a zorblax'; RETURN NEW; END $$; };

# [ promise and attack, what switches the mechanism off, the attack, what is there before (or is switched off as well) ]
my @attacks = (
	[ 'P5 INSERT', point('guard_pass=fail, guard_after'), q{SET ROLE writer; INSERT INTO app.post VALUES (2, 'ann', '', 'a zorblax')} ],
	[ 'P5 COPY', point('guard_pass=fail, guard_after'), qq{SET ROLE writer; COPY app.post FROM stdin;\n2\tann\t\ta zorblax\n\\.\n} ],
	[ 'P5 UPDATE, with a trigger for INSERT alone',
		q{CREATE OR REPLACE TRIGGER zzz_moderation_scan BEFORE INSERT ON app.post FOR EACH ROW EXECUTE FUNCTION moderation.scan_row();
		CREATE OR REPLACE TRIGGER zzz_moderation_verify AFTER INSERT ON app.post FOR EACH ROW EXECUTE FUNCTION moderation.verify_row();},
		q{SET ROLE writer; UPDATE app.post SET body = 'a zorblax'} ],
	[ 'P5 replica role, with triggers that do not fire always',
		q{ALTER TABLE app.post ENABLE TRIGGER zzz_moderation_scan, ENABLE TRIGGER zzz_moderation_verify;},
		q{SET ROLE replicator; SET session_replication_role = replica; INSERT INTO app.post VALUES (2, 'ann', '', 'a zorblax')} ],
	[ 'P5 a row that an UPDATE might have moved, stored again', point('guard_move'),
		q{BEGIN; UPDATE app.part SET id = 2; INSERT INTO app.part VALUES (1, 'ann', 'an old zorblax'); COMMIT},
		q{SET moderation.mode = restore; INSERT INTO app.part VALUES (1, 'ann', 'an old zorblax'); RESET moderation.mode;} ],
	[ 'P6 DISABLE TRIGGER', $disable,
		q{SET ROLE owner; ALTER TABLE app.post DISABLE TRIGGER ALL; INSERT INTO app.post VALUES (2, 'ann', '', 'a zorblax')} ],
	[ 'P6 DROP TRIGGER', $disable,
		q{SET ROLE owner; DROP TRIGGER zzz_moderation_scan ON app.post; DROP TRIGGER zzz_moderation_verify ON app.post; INSERT INTO app.post VALUES (2, 'ann', '', 'a zorblax')} ],
	[ 'P6 DISABLE TRIGGER in a command that runs another', point('guard_note'),
		q{SET ROLE owner;
		CREATE FUNCTION app.run(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'ALTER TABLE app.other ADD COLUMN IF NOT EXISTS x int'; RETURN i; END $$;
		ALTER TABLE app.post DISABLE TRIGGER ALL, ALTER id TYPE bigint USING app.run(id); INSERT INTO app.post VALUES (2, 'ann', '', 'a zorblax')} ],
	[ 'P6 an heir', $disable,
		q{SET ROLE owner; CREATE TABLE app.heir () INHERITS (app.post); INSERT INTO app.heir VALUES (2, 'ann', '', 'a zorblax')} ],
	[ 'P6 an heir in a schema of its own', $disable,
		q{SET ROLE owner; CREATE SCHEMA app_2 CREATE TABLE heir () INHERITS (app.post); INSERT INTO app_2.heir VALUES (2, 'ann', '', 'a zorblax')} ],
	[ 'P6 a rule that stores elsewhere', $disable,
		q{SET ROLE owner; CREATE TABLE app.twin (LIKE app.post); CREATE RULE r AS ON INSERT TO app.post DO INSTEAD INSERT INTO app.twin VALUES (NEW.*);
		INSERT INTO app.post VALUES (2, 'ann', '', 'a zorblax')} ],
	[ 'P6 a column in the place of another', point('guard_names'),
		q{SET ROLE owner; ALTER TABLE app.post DROP COLUMN body, ADD COLUMN body text; INSERT INTO app.post VALUES (2, 'ann', '', 'a zorblax')},
		q{ALTER EVENT TRIGGER moderation_note_guards DISABLE;} ],
	[ 'P6 ALTER TYPE USING', point('guard_rows'), q{SET ROLE owner; ALTER TABLE app.post ALTER body TYPE text USING 'a zorblax'} ],
	[ 'P6 ATTACH PARTITION', point('guard_rows'),
		q{SET ROLE owner; ALTER TABLE app.part ATTACH PARTITION app.staged FOR VALUES IN (3)} ],
	[ 'P7 a trigger that sorts after the scan', point('guard_after'),
		qq{SET ROLE owner; $rewriter CREATE TRIGGER zzzz BEFORE INSERT OR UPDATE ON app.post FOR EACH ROW EXECUTE FUNCTION app.rewrite();
		SET ROLE writer; INSERT INTO app.post VALUES (2, 'ann', '', 'hello')} ],
	[ 'P7 a trigger that sorts after the scan, UPDATE', point('guard_after'),
		qq{SET ROLE owner; $rewriter CREATE TRIGGER zzzz BEFORE INSERT OR UPDATE ON app.post FOR EACH ROW EXECUTE FUNCTION app.rewrite();
		SET ROLE writer; UPDATE app.post SET id = 2} ]);

my %through;
for my $attack (@attacks)
{
	my ($name, $off, $statements, $before) = @$attack;
	$before //= '';
	my $only_off = $before =~ /EVENT TRIGGER/;	# part of what switches the mechanism off
	for my $mechanism ('off', 'on')
	{
		my $had = $node->safe_psql('postgres', $set_up . ($only_off && $mechanism eq 'on' ? '' : $before) . $stored);
		my $err = attempt(($mechanism eq 'off' ? "SET client_min_messages = error; $off RESET client_min_messages; " : '') . $statements);
		my $gained = $node->safe_psql('postgres', $stored) - $had;
		if ($mechanism eq 'off')
		{
			cmp_ok($gained, '>', 0, "$name: without the mechanism it gets through") or diag($err);
			$through{$name} = $gained;
		}
		else
		{
			is($gained, 0, "$name: with it, nothing is stored");
			like($err, qr/ERROR:  (content refused|must be superuser to weaken)/, "$name: and that is said");
		}
	}
}
note("$_: $through{$_} rows got through without the mechanism") for sort keys %through;

done_testing();
