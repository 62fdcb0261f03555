# Random SQL against guarded tables: what clients may do to each other, to the tables and to the functions of schema moderation, in
# any order, with values that are usual, missing, huge or wrong.  The same seed gives the same scripts.
#
# Kinds of client: "writer" may write rows, "owner" owns the tables besides, "super" is a superuser who does not tamper with guards.
# What a superuser may take away, and what an owner may do outside of the promises, is not in here: t/090_random_sql.pl asks
# afterwards whether all of them held.
package RandomSql;
use strict;
use warnings;
use Exporter 'import';
our @EXPORT = qw(random_setup random_script);

my $accounts = 40;
my @words = qw(hello harmless words about nothing much the weather 天气 很好 naïve Ünïcode zo rb lax);
my @bad = qw(zorblax flagword redactword quarword z0rblax ZORBLAX zorblax-zorblax);
my @tables = qw(post event_1 event letter article);

sub pick { return $_[ int rand @_ ] }
sub one_in { return int(rand $_[0]) == 0 }

sub quoted
{
	my ($value) = @_;
	return 'NULL' unless defined $value;
	$value =~ s/'/''/g;
	return "'$value'";
}

sub account { return one_in(40) ? undef : 'account ' . int(rand $accounts) }

# Seldom enough that accounts are not all frozen all of the time.
sub content
{
	return undef if one_in(20);
	my $text = join ' ', map { pick(@words) } 0 .. rand 12;
	$text .= ' ' . pick(@bad) . ' ' . pick(@words) if one_in(4);
	$text .= ' suspendword' if one_in(120);
	$text = join "\x{200b}", split //, $text if one_in(50);
	$text .= "'); DROP TABLE post; --" if one_in(50);
	return $text;
}

# An expression for a content; now and then one that is too big to be written down, or too big to be scanned.
sub content_sql
{
	return pick("repeat('hello ', 2000)", "repeat('a', 70000)", "repeat('zorblax ', 500)", "repeat('e' || chr(769), 20000)", "chr(1) || chr(65535)", "repeat('x', 65530) || ' zorblax'")
	  if one_in(25);
	return quoted(content());
}

sub id { return int rand 400 }

sub insert
{
	my $table = pick(@tables);
	my ($account, $content, $note) = (quoted(account()), content_sql(), quoted(pick('a', 'b', undef)));
	my $columns = '(id, author, body, note)';
	return "INSERT INTO $table $columns VALUES (" . id() . ", $account, $content, $note)" . (one_in(3) ? ' RETURNING id, length(body)' : '') if one_in(2);
	return "INSERT INTO post $columns VALUES (" . id() . ", $account, $content, $note) ON CONFLICT (id) DO "
	  . pick('NOTHING', 'UPDATE SET body = excluded.body, author = excluded.author', "UPDATE SET body = post.body || ' ' || excluded.body", 'UPDATE SET note = excluded.note')
	  if one_in(2);
	return "INSERT INTO $table $columns SELECT i, 'account ' || (i % $accounts), " . quoted(content()) . " || i, NULL FROM generate_series(" . (1000 + id()) . ', ' . (1000 + id()) . ') AS i'
	  if one_in(3);
	return "WITH new AS (INSERT INTO $table $columns VALUES (" . id() . ", $account, $content, $note) RETURNING *) INSERT INTO letter $columns SELECT id, author, body, note FROM new" if one_in(3);
	return "INSERT INTO article_view $columns VALUES (" . id() . ", $account, $content, $note)" if one_in(2);
	return "MERGE INTO post AS p USING (SELECT " . id() . " AS id, $account AS author, $content AS body) AS n ON p.id = n.id "
	  . "WHEN MATCHED THEN UPDATE SET body = n.body WHEN NOT MATCHED THEN INSERT (id, author, body) VALUES (n.id, n.author, n.body)" if one_in(2);
	return "INSERT INTO $table $columns SELECT id, author, body, note FROM " . pick(@tables) . ' LIMIT ' . int(rand 20);
}

sub update
{
	my $table = pick(@tables);
	my $set = pick('body = ' . content_sql(), 'author = ' . quoted(account()), "note = 'c', id = id", "body = body || ' ' || " . content_sql(),
		'id = ' . id(), 'body = author', 'document = ' . pick('NULL', q{'{"a": ["hello", {"b": "zorblax"}]}'}, q{'{"a": "hello"}'}));
	$set = 'body = ' . content_sql() if $set =~ /^document/ && $table ne 'post';
	return "UPDATE $table SET $set WHERE id " . pick('= ', '> ', '% 7 = ') . int(rand 400) . (one_in(4) ? ' RETURNING *' : '');
}

# A value for a parameter of a function, by its type.
sub argument
{
	my ($type, $function) = @_;
	return 'NULL' if one_in(8);
	my $text = pick(content_sql(), content_sql(), quoted(account()), quoted('test'), quoted('terms-of-service'), quoted("policy: x\ncategories: [\n"),
		quoted("no such ''thing\""), 'NULL', "''");
	my $table = $function =~ /guard/ ? 'side_' . (1 + int rand 3) : pick(@tables, 'side_1', 'pg_class', 'moderation.violation', 'article_view');
	return $text if $type eq 'text';
	return quoted($table) . '::regclass' if $type eq 'regclass' && !one_in(10);
	return pick('0::oid::regclass', '4294967295::oid::regclass') if $type eq 'regclass';
	return quoted(pick('{body}', '{body,note}', '{author}', '{id}', '{}', '{NULL}', '{nothing}', '{{body},{note}}')) . '::name[]' if $type eq 'name[]';
	return quoted(pick('author', 'id', 'body', 'nothing', '')) . '::name' if $type eq 'name';
	return quoted(pick(qw(allow flag redact quarantine reject))) . '::moderation.action' if $type eq 'moderation.action';
	return pick('true', 'false') if $type eq 'boolean';
	return pick(qw(0 1 -1 2147483647 -2147483648 7)) if $type eq 'integer' || $type eq 'bigint' && one_in(2);
	return pick(0, -1, '9223372036854775807') if $type eq 'bigint';
	return quoted(pick('infinity', '-infinity', '2000-01-01', '2100-01-01', 'epoch')) . '::timestamptz' if $type eq 'timestamp with time zone';
	return "clock_timestamp() + '20 milliseconds'" if $type eq 'timestamp with time zone';
	return quoted(pick(qw(random_writer random_owner))) . '::regrole' if $type eq 'regrole';
	return "gen_random_uuid()" if $type eq 'uuid';
	return "$text\::bytea" if $type eq 'bytea' && one_in(2);
	return pick("'\\x00'::bytea", "sha256('a')") if $type eq 'bytea';
	return "'1 day'::interval" if $type eq 'interval';
	return "NULL::$type";
}

# $functions: [name, type, type, ...] of everything in schema moderation that may be called, as the catalog has them.
sub call
{
	my ($functions) = @_;
	my ($name, @types) = @{ pick(@$functions) };
	my $call = "$name(" . join(', ', map { argument($_, $name) } @types) . ')';
	return "SELECT (moderation.verdict(body, 'test')).action, count(*), sum(length(moderation.redact(body, 'test'))) FROM " . pick(@tables) . ' GROUP BY 1' if one_in(6);
	return "SELECT count(*) FROM " . pick(@tables) . " AS t CROSS JOIN LATERAL moderation." . pick('classify', 'explain') . "(t.body, 'test')" if one_in(8);
	return "SELECT moderation.reinstate(account, 'another chance') FROM moderation.account WHERE state <> 'active'" if one_in(4);
	return "SELECT moderation.$call" if one_in(2);
	return "SELECT * FROM moderation.$call AS t LIMIT 5";
}

sub ddl
{
	my $side = 'side_' . (1 + int rand 3);
	my $number = 2 + int rand 6;
	my $table = pick(qw(post event letter article));
	return pick(
		"CREATE TABLE $side (id int, author text, body text, note text)", "DROP TABLE $side", "DROP TABLE $side CASCADE",
		"SELECT moderation.guard('$side', '{body}', 'author', 'test')", "SELECT moderation.unguard('$side')",
		"SELECT moderation.guard('$side', '{body,note}', 'author', 'test', '" . pick(qw(flag reject allow)) . "', true)",
		"INSERT INTO $side VALUES (1, 'account 1', " . content_sql() . ")",
		"ALTER TABLE $side RENAME COLUMN body TO text", "ALTER TABLE $side RENAME COLUMN text TO body", "ALTER TABLE $side DROP COLUMN note",
		"ALTER TABLE $side ALTER COLUMN body TYPE varchar(100)", "ALTER TABLE $side ADD COLUMN note text DEFAULT 'zorblax'", "ALTER TABLE $side RENAME TO side_9",
		"ALTER TABLE side_9 RENAME TO $side", "ALTER TABLE $side SET UNLOGGED", "ALTER TABLE $side INHERIT letter", "TRUNCATE $side",
		"CREATE TABLE event_$number PARTITION OF event FOR VALUES FROM (" . ($number * 1000) . ') TO (' . ($number * 1000 + 1000) . ')', "DROP TABLE event_$number",
		"ALTER TABLE event ATTACH PARTITION $side FOR VALUES FROM (90000) TO (90001)",
		"ALTER TABLE $table ADD COLUMN extra int", "ALTER TABLE $table DROP COLUMN extra", "ALTER TABLE $table ALTER COLUMN note TYPE varchar",
		"ALTER TABLE $table ALTER COLUMN note SET DEFAULT " . quoted(content()), "CREATE INDEX ON letter (author)", 'DROP INDEX letter_author_idx',
		"ALTER TABLE $table DISABLE TRIGGER ALL", "DROP TRIGGER zzz_moderation_scan ON $table", "ALTER TABLE $table DISABLE TRIGGER zzz_moderation_verify",
		"ALTER TRIGGER zzz_moderation_scan ON $table RENAME TO aaa", "ALTER TABLE $table ENABLE TRIGGER ALL", "ALTER TABLE letter DROP COLUMN body CASCADE",
		"CREATE TRIGGER zzzz BEFORE INSERT OR UPDATE ON $table FOR EACH ROW EXECUTE FUNCTION spoil()", "CREATE TRIGGER aaa BEFORE INSERT OR UPDATE ON $table FOR EACH ROW EXECUTE FUNCTION spoil()",
		"DROP TRIGGER aaa ON $table", "VACUUM $table", "VACUUM FULL letter", "ANALYZE $table", "CLUSTER post USING post_pkey", "REINDEX TABLE letter", "LOCK TABLE $table IN SHARE MODE",
		"GRANT ALL ON $table TO PUBLIC", "COMMENT ON TABLE $table IS 'a table'", "TRUNCATE letter", "CREATE TEMP TABLE own AS SELECT * FROM post LIMIT 10", 'DROP TABLE own');
}

# Ends, begins and interrupts.
sub transaction
{
	my $at = pick(qw(a b c));
	return pick("BEGIN", "BEGIN ISOLATION LEVEL " . pick('REPEATABLE READ', 'SERIALIZABLE'), "BEGIN READ ONLY", 'COMMIT', 'COMMIT', 'COMMIT', 'COMMIT', 'ROLLBACK', 'COMMIT AND CHAIN',
		"SAVEPOINT $at", "SAVEPOINT $at", "ROLLBACK TO $at", "RELEASE $at", "PREPARE TRANSACTION '" . int(rand 1e9) . "'", 'SET CONSTRAINTS ALL IMMEDIATE');
}

sub session
{
	return pick(
		'SET work_mem = ' . pick(64, 4096), 'SET statement_timeout = ' . pick(1, 2, 5, 20, 3000, 3000, 3000), 'SET ROLE random_writer', 'SET ROLE random_owner', 'RESET ROLE', 'RESET ALL',
		'SET force_parallel_mode = ' . pick('on', 'off', 'regress'), 'SET jit_above_cost = ' . pick(0, 100000), "SET client_encoding = '" . pick(qw(UTF8 LATIN1 SQL_ASCII)) . "'",
		"SET moderation.mode = enforce", 'SET search_path = ' . pick('public', 'pg_temp, public', 'public, pg_catalog'), 'SET plan_cache_mode = ' . pick(qw(auto force_generic_plan force_custom_plan)),
		'SET enable_seqscan = ' . pick('on', 'off'), 'DISCARD PLANS', 'DEALLOCATE ALL', 'SET row_security = ' . pick('on', 'off'), 'SET check_function_bodies = off',
		"PREPARE p1 (int, text, text) AS INSERT INTO post (id, author, body) VALUES (\$1, \$2, \$3)", "PREPARE p2 (text) AS UPDATE event SET body = \$1 WHERE id < 100",
		'PREPARE p3 (text) AS SELECT * FROM moderation.classify($1, \'test\')', 'DISCARD ALL');
}

sub prepared
{
	return pick('EXECUTE p1 (' . id() . ', ' . quoted(account()) . ', ' . content_sql() . ')', 'EXECUTE p2 (' . content_sql() . ')', 'EXECUTE p3 (' . content_sql() . ')',
		'DECLARE c1 CURSOR FOR SELECT body, (moderation.verdict(body, \'test\')).* FROM event', 'DECLARE c2 CURSOR WITH HOLD FOR SELECT id, moderation.normalize(body) FROM post',
		'DECLARE c3 CURSOR FOR SELECT * FROM letter FOR UPDATE', 'FETCH 3 FROM c1', 'FETCH BACKWARD 1 FROM c2', 'FETCH ALL FROM c2', 'FETCH c3', 'UPDATE letter SET body = ' . content_sql() . ' WHERE CURRENT OF c3',
		'MOVE 5 FROM c1', 'CLOSE ALL', 'CLOSE c1', 'EXPLAIN (ANALYZE, TIMING off) ' . insert());
}

# Refusals that the client does not get to see: the block says which they were.
sub block
{
	my $inner = join ";\n", map { one_in(2) ? insert() : update() } 0 .. rand 3;
	my $savior = one_in(4) ? 'RAISE;' : 'NULL;';
	$inner =~ s/ RETURNING (?!\*\) INSERT)[^;\n]*//g;
	return "DO \$do\$ DECLARE said text; state text; BEGIN FOR i IN 1..2 LOOP BEGIN\n$inner;\nEXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL, state = RETURNED_SQLSTATE; "
	  . "IF state = 'MD001' THEN RAISE NOTICE 'caught MD001 %', said; END IF; $savior END; END LOOP; END \$do\$";
}

sub copy
{
	my ($dir) = @_;
	my $file = "$dir/copy_" . int(rand 1e9);
	open my $rows, '>:utf8', $file or die "$file: $!";
	for (0 .. rand 30)
	{
		my ($account, $text) = (account() // '\\N', one_in(3) ? content() : 'hello');
		$text //= '\\N';
		$text =~ s/\\(?!N$)/\\\\/g;
		print $rows id(), "\t$account\t$text\n";
	}
	close $rows;
	return "\\copy " . pick(@tables) . " (id, author, body) FROM '$file'" if one_in(2);
	return "\\copy letter (id, author, body) FROM '$file' WITH (FREEZE)" if one_in(4);
	return "\\copy (SELECT * FROM " . pick(@tables) . ") TO '$dir/copy_out'";
}

# So many statements of one client, as a file for psql.
sub random_script
{
	my ($kind, $count, $functions, $dir) = @_;
	my $script = "\\set VERBOSITY verbose\n\\set SHOW_CONTEXT never\n";
	# Every statement in a savepoint, so that a transaction goes on after its errors.
	$script .= "\\set ON_ERROR_ROLLBACK on\n" if one_in(2);
	for (1 .. $count)
	{
		my $dice = rand 100;
		my $statement =
			$dice < 30 ? insert()
		  : $dice < 42 ? update()
		  : $dice < 46 ? 'DELETE FROM ' . pick(@tables) . ' WHERE id % 11 = ' . int(rand 11)
		  : $dice < 56 ? transaction()
		  : $dice < 62 ? session()
		  : $dice < 70 ? prepared()
		  : $dice < 76 ? block()
		  : $dice < 80 ? copy($dir)
		  : $dice < 92 ? call($functions)
		  : $kind eq 'owner' ? ddl()
		  : $kind eq 'super' && one_in(3) ? pick("SELECT load_test_policy('" . int(rand 1e9) . "')", 'CHECKPOINT', 'SELECT moderation.stop_recorder()', 'SELECT * FROM moderation.verify()', 'SELECT * FROM moderation.status()')
		  : insert();
		$script .= $statement . ($statement =~ /^\\/ ? "\n" : ";\n");
	}
	return $script;
}

# Tables whose guard nobody in here may take off, roles, and a policy that is loaded anew under the same name and with the same rules.
sub random_setup
{
	my ($node, $policy) = @_;
	$node->safe_psql('postgres', 'CREATE EXTENSION moderation');
	$node->safe_psql('postgres', $policy);
	$node->safe_psql('postgres', q{
		CREATE ROLE random_writer LOGIN; CREATE ROLE random_owner LOGIN IN ROLE random_writer; CREATE ROLE random_super LOGIN SUPERUSER;
		GRANT random_writer, random_owner TO random_super;
		GRANT CREATE ON SCHEMA public TO random_owner;
		CREATE FUNCTION load_test_policy(mark text) RETURNS int LANGUAGE sql AS $$
			SELECT moderation.load_policy(regexp_replace(p.document, 'description: [^\n]*', 'description: ' || mark))
			FROM moderation.policy AS p WHERE p.policy = 'test' AND p.policy_version = 1 $$;
		SET ROLE random_owner;
		CREATE TABLE post (id int PRIMARY KEY, author text, body text, note text, document jsonb, born xid8 DEFAULT pg_current_xact_id());
		CREATE TABLE event (id int, author text, body text, note text, born xid8 DEFAULT pg_current_xact_id()) PARTITION BY RANGE (id);
		CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (MINVALUE) TO (2000);
		CREATE TABLE letter (id int, author text, body varchar, note text, born xid8 DEFAULT pg_current_xact_id(), CHECK (length(note) < 1000));
		CREATE TABLE article (id int, author text, body text COMPRESSION pglz, note text, born xid8 DEFAULT pg_current_xact_id());
		CREATE VIEW article_view AS SELECT id, author, body, note FROM article WHERE id >= 0 WITH CHECK OPTION;
		CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.body := NEW.body || ' zorblax'; RETURN NEW; END $$;
		GRANT ALL ON post, event, event_1, letter, article, article_view TO random_writer;
		RESET ROLE;
		SELECT moderation.guard('post', '{body,document}', 'author', 'test'), moderation.guard('event', '{body}', 'author', 'test'),
			moderation.guard('letter', '{body}', 'author', 'test'), moderation.guard('article', '{body}', 'author', 'test', row_security => true);
		SELECT moderation.grant_duty('random_writer', 'application'), moderation.grant_duty('random_owner', 'administrator');
	});
	# Functions that return a trigger can be called, too: they must say that they are none.
	my @functions = map { [ split /\|/ ] } split /\n/, $node->safe_psql('postgres', q{
		SELECT p.proname || coalesce('|' || string_agg(format_type(t.type, NULL), '|' ORDER BY t.n), '')
		FROM pg_proc AS p LEFT JOIN LATERAL unnest(p.proargtypes) WITH ORDINALITY AS t (type, n) ON true
		WHERE p.pronamespace = 'moderation'::regnamespace AND p.prokind = 'f' GROUP BY p.oid, p.proname ORDER BY p.proname, p.oid});
	return \@functions;
}

1;
