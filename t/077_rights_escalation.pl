# Nobody's code runs with rights that are not its caller's.  Mallory owns a guarded table on which everything that can carry a
# function carries one that notes as whom it runs; rows of every fate go in, and everybody's functions are called.  And Mallory
# puts objects in the place of ours: in the schema of a dropped or renamed extension, on our tables, in pg_temp.
# CVE-2022-1552, CVE-2023-2454, CVE-2024-0985 (maintenance runs owner's code), CVE-2023-22847, CVE-2023-23554 (a trigger with the
# owner's rights), CVE-2023-2455, CVE-2024-10976 (plans of one role used by another), CVE-2019-10130, CVE-2017-7484 (leaky
# operators), CVE-2023-5870 (signals to workers).
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Recorder;

my $node = PostgreSQL::Test::Cluster->new('rights');
$node->init;
$node->append_conf('postgresql.conf', "max_prepared_transactions = 5\nmoderation.recorder_idle = 4000\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION moderation');
$node->safe_psql('postgres', slurp_file('sql/include/test_policy.sql'));
$node->safe_psql('postgres', q{
	CREATE ROLE mallory LOGIN;
	CREATE ROLE app LOGIN;
	CREATE ROLE reviewer LOGIN;
	CREATE ROLE auditor LOGIN;
	GRANT CREATE ON DATABASE postgres TO mallory;
	SELECT moderation.grant_duty('mallory', 'application'), moderation.grant_duty('app', 'application'),
		moderation.grant_duty('reviewer', 'reviewer'), moderation.grant_duty('auditor', 'auditor');
	GRANT EXECUTE ON FUNCTION moderation.guard(regclass, name[], name, text, moderation.action, boolean) TO mallory;
	GRANT EXECUTE ON FUNCTION moderation.unguard(regclass) TO mallory;
	CREATE TABLE canary (what text, who name DEFAULT current_user, login name DEFAULT session_user,
		super boolean DEFAULT current_setting('is_superuser')::boolean);
	GRANT ALL ON canary TO PUBLIC;
});

sub as
{
	my ($role, $sql) = @_;
	my ($code, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql", on_error_stop => 0, extra_params => [ '-U', $role ]);
	return join("\n", grep { length } $out, $err);
}

# Everything that can carry a function.  note() tries to take what it can, and says as whom it ran.
is(as('mallory', q{
	CREATE SCHEMA m;
	GRANT USAGE ON SCHEMA m TO PUBLIC;
	CREATE FUNCTION m.note(what text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
	BEGIN
		INSERT INTO public.canary (what) VALUES (note.what);
		BEGIN
			ALTER ROLE mallory SUPERUSER;
		EXCEPTION WHEN insufficient_privilege THEN NULL;
		END;
		RETURN true;
	END $$;
	CREATE FUNCTION m.quiet(what text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM m.note(what); RETURN 'x'; END $$;
	CREATE DOMAIN m.account AS text CHECK (m.note('account domain'));
	CREATE DOMAIN m.content AS text CHECK (m.note('content domain'));
	CREATE DOMAIN m.contents AS m.content[];
	CREATE DOMAIN m.document AS jsonb CHECK (m.note('jsonb domain'));
	CREATE TYPE m.kind AS ENUM ('anna', 'ben');
	CREATE FUNCTION m.kind_text(m.kind) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM m.note('account cast'); RETURN 'kind'; END $$;
	CREATE CAST (m.kind AS text) WITH FUNCTION m.kind_text(m.kind) AS ASSIGNMENT;
	CREATE FUNCTION m.kind_json(m.kind) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM m.note('json cast'); RETURN '{}'; END $$;
	CREATE CAST (m.kind AS json) WITH FUNCTION m.kind_json(m.kind);
	CREATE TABLE m.post (id serial, author m.account, body m.content, bodies m.contents, document m.document, kind m.kind DEFAULT 'ben',
		filled text DEFAULT m.quiet('default'), made text GENERATED ALWAYS AS (m.quiet('generated')) STORED, CHECK (m.note('check')));
	CREATE INDEX ON m.post (m.quiet('index'));
	CREATE TABLE m.post2 (author m.kind, body text);
	CREATE FUNCTION m.fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM m.note(TG_NAME); RETURN NEW; END $$;
	CREATE TRIGGER aaa BEFORE INSERT OR UPDATE ON m.post FOR EACH ROW EXECUTE FUNCTION m.fire();
	CREATE TRIGGER zzzz BEFORE INSERT OR UPDATE ON m.post FOR EACH ROW EXECUTE FUNCTION m.fire();
	CREATE TRIGGER after_row AFTER INSERT OR UPDATE ON m.post FOR EACH ROW EXECUTE FUNCTION m.fire();
	CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON m.post DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION m.fire();
	CREATE POLICY p ON m.post USING (m.note('policy')) WITH CHECK (m.note('policy check'));
	ALTER TABLE m.post ENABLE ROW LEVEL SECURITY;
	ALTER TABLE m.post FORCE ROW LEVEL SECURITY;
	GRANT ALL ON ALL TABLES IN SCHEMA m TO PUBLIC;
	GRANT ALL ON ALL SEQUENCES IN SCHEMA m TO PUBLIC;
	CREATE VIEW m.seen AS SELECT * FROM m.post WHERE m.note('view');
	SELECT moderation.guard('m.post', '{body,bodies,document}', 'author', 'test', row_security => true);
	SELECT moderation.guard('m.post2', '{body}', 'author', 'test');
}) =~ /ERROR/ ? 'failed' : '', '', 'Mallory guards a table full of code');

# Rows of every fate, by Mallory and by somebody else; what is done must be what was to be done.
my %fate = (hello => '', 'a flagword' => '', 'a redactword' => '', 'a quarword' => '', 'a zorblax' => 'MD001', 'a suspendword' => 'MD001');
for my $role ('mallory', 'app')
{
	for my $content (sort keys %fate)
	{
		(my $name = "$role$content") =~ s/ //g;
		for my $sql ("INSERT INTO m.post (author, body) VALUES ('$name', '$content')",
			"INSERT INTO m.post (author, bodies) VALUES ('${name}2', ARRAY['$content', 'other'])",
			"INSERT INTO m.post (author, document) VALUES ('${name}3', '{\"k\": \"$content\"}')",
			"INSERT INTO m.post2 VALUES ('anna', '$content')")
		{
			my $said = as($role, $sql);
			$said =~ s/.*ERROR:  (\w+):.*/$1/s or $said = '';
			is($said, $said eq 'MD003' && $sql =~ /post2/ ? 'MD003' : $fate{$content}, "$role: $sql");
		}
		as('postgres', "DELETE FROM moderation.account WHERE account = 'kind'");
	}
	as($role, q{UPDATE m.post SET body = 'a flagword again' WHERE body = 'hello'});
	as($role, q{SELECT count(*) FROM m.seen});
}
is(as('postgres', q{SELECT count(*) > 10, bool_or(action = 'flag') AND bool_or(action = 'redact') AND bool_or(action = 'quarantine') AND bool_or(action = 'reject') FROM moderation.violation}),
	't|t', 'and every fate was met');

# Everything that is run with the owner's rights, or by somebody with more of them, on what there is now.
settled($node);
as('auditor', 'SELECT * FROM moderation.verify(); SELECT * FROM moderation.status(); SELECT * FROM moderation.violation; SELECT * FROM moderation.evidence');
as('reviewer', q{SELECT moderation.freeze('someone', 'why'); SELECT moderation.reinstate('someone', 'why'); SELECT * FROM moderation.quarantine});
as('mallory', q{
	ALTER TABLE m.post RENAME COLUMN body TO text;
	ALTER TABLE m.post DROP COLUMN bodies;
	ALTER TABLE m.post DISABLE TRIGGER zzz_moderation_scan;
	DROP TRIGGER zzz_moderation_verify ON m.post;
	SELECT moderation.unguard('m.post2');
	DROP TABLE m.post2;
});
is(as('postgres', q{SELECT string_agg(DISTINCT who, ' ' ORDER BY who) FROM canary}), 'app mallory', 'all of it ran as those who wrote');
is(as('postgres', q{SELECT count(*) FROM canary WHERE super OR who <> login}), '0', 'and never as anybody else');
is(as('postgres', q{SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'}), 'f', 'Mallory is no superuser');
is(as('postgres', q{SELECT string_agg(DISTINCT what, ' ' ORDER BY what) FROM canary}),
	join(' ', sort { lc $a cmp lc $b } 'aaa', 'account cast', 'account domain', 'after_row', 'check', 'content domain', 'default', 'deferred', 'generated', 'index',
		'json cast', 'jsonb domain', 'policy check', 'view', 'zzzz', 'policy'), 'and all of it did run');

# As superuser, what only looks: none of it runs at all.
as('postgres', 'TRUNCATE canary');
as('postgres', q{SELECT * FROM moderation.verify(); SELECT * FROM moderation.status(); SELECT moderation.compile_policies();
	SELECT moderation.freeze('one', 'why'); SELECT count(*) FROM moderation.quarantine;
	SELECT moderation.guard('m.post', '{text,document}', 'author', 'test', row_security => true); SELECT moderation.unguard('m.post'); SELECT moderation.stop_recorder()});
is(as('postgres', 'SELECT count(*) FROM canary'), '0', 'a superuser who verifies, guards and unguards runs nothing of Mallory\'s');
as('mallory', q{SELECT moderation.guard('m.post', '{text,document}', 'author', 'test', row_security => true)});

# Nothing of ours takes anything of Mallory's.
for my $try ('CREATE INDEX ON moderation.violation (m.quiet(account))', 'CREATE TRIGGER t BEFORE INSERT ON moderation.violation FOR EACH ROW EXECUTE FUNCTION m.fire()',
	'CREATE RULE r AS ON INSERT TO moderation.violation DO ALSO SELECT 1', 'CREATE POLICY p ON moderation.violation USING (m.note(account))',
	'ALTER TABLE moderation.violation ADD CHECK (m.note(account))', 'ALTER TABLE moderation.account ALTER account TYPE m.account',
	'ALTER TABLE moderation.account ALTER reason SET DEFAULT m.quiet(\'default\')', 'CREATE TABLE m.child () INHERITS (moderation.violation)',
	'CREATE TABLE moderation.mine ()', 'CREATE FUNCTION moderation.mine() RETURNS int LANGUAGE sql AS \'SELECT 1\'', 'CREATE STATISTICS m.s ON account, category FROM moderation.violation',
	'CREATE TABLE m.r (a text REFERENCES moderation.account)', 'ALTER EXTENSION moderation ADD TABLE m.post', 'ALTER EXTENSION moderation UPDATE', 'DROP EXTENSION moderation CASCADE',
	'ALTER TYPE moderation.action ADD VALUE \'none\' BEFORE \'allow\'', 'BEGIN; LOCK moderation.account', 'BEGIN; LOCK moderation.freeze_gate IN ACCESS SHARE MODE', 'TRUNCATE moderation.violation',
	'SELECT * FROM moderation.account FOR UPDATE', 'ALTER EVENT TRIGGER moderation_keep_guards DISABLE', 'CREATE EVENT TRIGGER mine ON sql_drop EXECUTE FUNCTION moderation.follow_drop()',
	'ALTER FUNCTION moderation.may_write(text) LEAKPROOF', 'CREATE OR REPLACE FUNCTION moderation.may_write(account text) RETURNS boolean LANGUAGE sql AS \'SELECT true\'',
	'CREATE FUNCTION m.c() RETURNS trigger LANGUAGE c AS \'$libdir/moderation\', \'moderation_scan_row\'', 'COMMENT ON SCHEMA moderation IS \'mine\'',
	'CREATE CAST (text AS moderation.action) WITH INOUT AS IMPLICIT', 'SET SESSION AUTHORIZATION postgres', 'SET ROLE postgres', 'VACUUM moderation.violation; SELECT 1/0',
	'CREATE PUBLICATION p FOR TABLE moderation.violation', 'COPY moderation.evidence TO STDOUT', 'SELECT pg_relation_size(\'moderation.violation\'), 1/0')
{
	like(as('mallory', $try), qr/ERROR:  (42501|42P17|42710|42602|22012|0A000)/, "refused: $try");
}
unlike(as('mallory', 'CREATE TRIGGER zzz_moderation_scan BEFORE INSERT ON m.seen FOR EACH ROW EXECUTE FUNCTION moderation.scan_row()'), qr/CREATE/, 'our trigger on a view is refused');

# Functions of triggers and event triggers called as anything else.
as('mallory', q{CREATE TABLE m.other (author text, body text)});
for my $function ('scan_row', 'verify_row')
{
	like(as('mallory', "SELECT moderation.$function()"), qr/ERROR:  39P01/, "$function() is not called by hand");
	like(as('mallory', "CREATE TRIGGER odd BEFORE INSERT ON m.other FOR EACH STATEMENT EXECUTE FUNCTION moderation.$function(); INSERT INTO m.other VALUES ('a', 'b'); DROP TRIGGER odd ON m.other"),
		qr/ERROR:  39P01/, "$function() as a trigger of another kind refuses");
}

# CVE-2023-2455, CVE-2024-10976: a plan made as one role is run as another, and what it may see is the latter's.
like(as('postgres', q{PREPARE q AS SELECT count(*) FROM moderation.violation; EXECUTE q; SET ROLE app; EXECUTE q;}), qr/ERROR:  42501/, 'a prepared query asks for the rights of the role that runs it');
as('postgres', q{CREATE TABLE public.post3 (author text, body text); SELECT moderation.guard('public.post3', '{body}', 'author', 'test');
	GRANT ALL ON public.post3 TO PUBLIC; SELECT moderation.freeze('sven', 'why')});
like(as('postgres', q{PREPARE w (text) AS INSERT INTO public.post3 VALUES ($1, 'hello'); SET plan_cache_mode = force_generic_plan;
	EXECUTE w('tina'); SET ROLE app; EXECUTE w('sven')}), qr/ERROR:  MD002/, 'a prepared insert meets the gate of the role that runs it');
is(as('postgres', q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'moderation'::regnamespace AND proleakproof}), '0', 'nothing is LEAKPROOF');

# CVE-2023-5870: who may signal backends may not signal the worker, which is a superuser's.
as('postgres', q{CREATE ROLE signaller LOGIN; GRANT pg_signal_backend TO signaller});
as('app', q{INSERT INTO m.post (author, text) VALUES ('ute', 'a zorblax')});
my $worker = worker_pid($node);
ok($worker, 'the worker runs');
unlike(as('signaller', "SELECT pg_terminate_backend($worker)"), qr/^t$/m, 'and a member of pg_signal_backend cannot end it');
is(worker_pid($node), $worker, 'it still runs');

# Another's objects in pg_temp, of the names that are used inside.
as('postgres', 'TRUNCATE canary');
like(as('app', q{
	SET search_path = pg_temp, public;
	CREATE FUNCTION pg_temp.grab() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.canary (what) VALUES ('pg_temp'); RETURN true; END $$;
	CREATE FUNCTION pg_temp.grab2(name, text) RETURNS boolean LANGUAGE sql AS 'SELECT pg_temp.grab()';
	CREATE OPERATOR pg_temp.= (LEFTARG = name, RIGHTARG = text, PROCEDURE = pg_temp.grab2);
	CREATE VIEW pg_temp.violation AS SELECT pg_temp.grab();
	CREATE VIEW pg_temp.pg_class AS SELECT pg_temp.grab();
	CREATE VIEW pg_temp.pg_proc AS SELECT pg_temp.grab();
	CREATE VIEW pg_temp.account AS SELECT pg_temp.grab();
	CREATE FUNCTION pg_temp.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT pg_temp.grab(); SELECT pg_catalog.now() $$;
	CREATE DOMAIN pg_temp.action AS text CHECK (pg_temp.grab());
	INSERT INTO m.post (author, text) VALUES ('uwe', 'a flagword');
	INSERT INTO m.post (author, text) VALUES ('uwe', 'a quarword');
	INSERT INTO m.post (author, text) VALUES ('uwe', 'a zorblax');
}), qr/ERROR:  MD001/, 'content is refused under another\'s pg_temp');
is(as('auditor', q{
	SET search_path = pg_temp, public;
	CREATE VIEW pg_temp.pg_class AS SELECT 1 AS oid;
	CREATE VIEW pg_temp.pg_trigger AS SELECT 1 AS oid;
	CREATE FUNCTION pg_temp.format(text, VARIADIC "any") RETURNS text LANGUAGE internal AS 'text_format';
	CREATE VIEW pg_temp.duty AS SELECT 1;
	SELECT count(*) FROM moderation.verify();
}) =~ /^\d+$/m ? 1 : 0, 1, 'verify() works under another\'s pg_temp');
is(as('postgres', q{SELECT count(*) FROM canary WHERE what = 'pg_temp'}), '0', 'and nothing of pg_temp was run');

# The worker is superuser.  While it has strikes to count, the extension is dropped, and Mallory is quicker than its next look.
as('postgres', q{TRUNCATE canary; SELECT moderation.freeze('zoe', 'x'); SELECT moderation.reinstate('zoe', 'x')});
my $holder = $node->background_psql('postgres', on_error_stop => 0);
$holder->query(q{BEGIN; SELECT account FROM moderation.account WHERE account = 'zoe' FOR UPDATE});
like(as('app', q{INSERT INTO public.post3 VALUES ('zoe', 'a zorblax')}), qr/MD001/, 'refused; its strike waits for a row that is held');
$node->poll_query_until('postgres', q{SELECT uncounted = 1 FROM moderation.recorder_status()}) or die 'no strike waits';
$holder->query(q{
	DROP EXTENSION moderation CASCADE;
	DROP SCHEMA IF EXISTS moderation;
	SET LOCAL ROLE mallory;
	CREATE SCHEMA moderation;
	CREATE TYPE moderation.action AS ENUM ('allow', 'flag', 'redact', 'quarantine', 'reject');
	CREATE TYPE moderation.account_state AS ENUM ('active', 'warned', 'frozen', 'suspended');
	CREATE FUNCTION m.row() RETURNS TABLE (violation_id uuid, account text, category text, policy text, suspend boolean, strike boolean, counted boolean, occurred_at timestamptz)
		LANGUAGE plpgsql AS $$ BEGIN PERFORM m.note('worker'); RETURN QUERY SELECT gen_random_uuid(), 'zoe', 'c', 'test', false, true, false, now(); END $$;
	CREATE VIEW moderation.violation AS SELECT * FROM m.row();
	COMMIT});
# It looks every 100 ms.
$node->safe_psql('postgres', 'SELECT pg_sleep(1.5)');
is(as('postgres', q{SELECT what, who, super FROM canary}), '', 'the worker runs nothing of a schema that took the place of ours');
is(as('postgres', q{SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'}), 'f', 'and Mallory is what Mallory was');
$holder->quit;
like(as('postgres', 'CREATE EXTENSION moderation'), qr/ERROR:  42501.*schema "moderation" belongs to role "mallory"/s, 'and the extension is not installed into it');

# The extension's schema renamed, and another in its place.
as('postgres', 'DROP SCHEMA moderation CASCADE');
is(as('postgres', 'CREATE EXTENSION moderation'), '', 'installed again');
$node->safe_psql('postgres', slurp_file('sql/include/test_policy.sql'));
as('postgres', q{SELECT moderation.guard('public.post3', '{body}', 'author', 'test')});
as('postgres', 'ALTER SCHEMA moderation RENAME TO moderation_old');
as('mallory', q{
	CREATE SCHEMA moderation;
	CREATE TYPE moderation.action AS ENUM ('allow', 'flag', 'redact', 'quarantine', 'reject');
	CREATE TABLE moderation.violation (violation_id uuid, account text, category text, severity int, action moderation.action, score real, policy text, policy_version int, rules text[],
		relation text, column_name text, content_sha256 bytea, occurred_at timestamptz, db_role text, strike boolean, suspend boolean, counted boolean);
	CREATE TRIGGER mine AFTER INSERT ON moderation.violation FOR EACH ROW EXECUTE FUNCTION m.fire();
	CREATE CONSTRAINT TRIGGER later AFTER INSERT ON moderation.violation DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION m.fire();
	CREATE TABLE moderation.guarded (relation regclass PRIMARY KEY, content_columns name[], account_column name, policy text, action moderation.action, row_security boolean);
	INSERT INTO moderation.guarded VALUES ('public.post3', '{}', 'author', NULL, 'allow', false);
	GRANT ALL ON ALL TABLES IN SCHEMA moderation TO PUBLIC;
});
for my $content ('hello', 'a flagword', 'a zorblax')
{
	like(as('postgres', "INSERT INTO public.post3 VALUES ('xenia', '$content')"), qr/ERROR/, "\"$content\" is refused while another's schema is in the place of ours");
}
is(as('postgres', q{SELECT what, who, super FROM canary}), '', 'and nothing of Mallory\'s was run');
as('postgres', 'DROP SCHEMA moderation CASCADE; ALTER SCHEMA moderation_old RENAME TO moderation');
is(as('postgres', q{INSERT INTO public.post3 VALUES ('xenia', 'hello'); SELECT object, problem FROM moderation.verify()}), '', 'renamed back, all is well');

$node->stop;
done_testing();
