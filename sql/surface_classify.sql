-- What a policy makes of a content: classify, verdict, explain, normalize, redact.
\set VERBOSITY default
\set SHOW_CONTEXT never
\i sql/include/test_policy.sql

SELECT * FROM moderation.classify('a zorblax and a flagword', 'test');
SELECT flagged, action, category, severity, score, policy, policy_version IS NOT NULL AS version, unknown
	FROM moderation.verdict('a zorblax and a flagword', 'test');
SELECT flagged, action, category, severity, score, unknown FROM moderation.verdict('nothing at all', 'test');
SELECT flagged, action, category, severity, score, unknown FROM moderation.verdict('', 'test');

-- Positions count characters of the text as given, also where folding changes lengths.
SELECT e.category, e.rule, e.score, e.start, e.length, replace(e.matched, E'\u200B', '<zero width>') AS matched, e.view, e.context,
	substr(t.content, e.start, e.length) = e.matched AS found
	FROM (VALUES ('plain zorblax'), ('é ﬁ 炸 😀 ＺＯＲＢＬＡＸ, Flagword'), (E'zor\u200Bblax'), ('z.o.r.b.l.a.x'), ('z0rbl4x'), ('zorblaaaax')) AS t (content)
	CROSS JOIN LATERAL moderation.explain(t.content, 'test') AS e;
SELECT count(*) FROM moderation.explain('nothing at all', 'test');

SELECT moderation.normalize('Ａ  Ｂig   CAFÉ'), moderation.normalize('') = '' AS empty, moderation.normalize(NULL) IS NULL AS null;

-- One mask for each character, whatever its length in bytes; what is refused is masked, too, what is only flagged is not.
SELECT moderation.redact('é redactword ＲＥＤＡＣＴＷＯＲＤ zorblax flagword', 'test');
SELECT moderation.redact('a redactword', 'test', mask => '<x>'), moderation.redact('a redactword', 'test', '');
SELECT moderation.redact('nothing at all', 'test');

-- NULL gives NULL, or no row.
SELECT (v).* FROM moderation.verdict(NULL, 'test') AS v;
SELECT count(*) FROM moderation.classify(NULL, 'test');
SELECT count(*) FROM moderation.explain(NULL, 'test');
SELECT moderation.redact(NULL, 'test') IS NULL AS content, moderation.redact('x', 'test', NULL) IS NULL AS mask;

-- Beyond the policy's bounds it is unknown, and never clean.
SELECT flagged, action, category, unknown IS NOT NULL AS unknown FROM moderation.verdict(repeat('x', 65537), 'test');
SELECT flagged, action, category, unknown IS NOT NULL AS unknown FROM moderation.verdict(repeat('x', 65536), 'test');
SELECT bool_and(unknown IS NOT NULL) AS unknown FROM moderation.classify(repeat('x', 65537), 'test');
\set VERBOSITY sqlstate
SELECT moderation.redact(repeat('x', 65537), 'test');
\set VERBOSITY default

-- Nothing is written, and the answer may be used anywhere in a query: a read-only transaction, parallel workers.
CREATE TABLE surface_content (content text) WITH (parallel_workers = 2);
INSERT INTO surface_content SELECT CASE WHEN i % 100 = 0 THEN 'a zorblax ' ELSE 'nothing ' END || i FROM generate_series(1, 1000) AS i;
BEGIN READ ONLY;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT count(*) FROM surface_content WHERE (moderation.verdict(content, 'test')).action = 'reject';
SELECT count(*) FROM surface_content WHERE (moderation.verdict(content, 'test')).action = 'reject';
SELECT count(*), max(length(moderation.normalize(content))) FROM surface_content WHERE moderation.redact(content, 'test') <> content;
ROLLBACK;
DROP TABLE surface_content;
SELECT p.proname, p.provolatile, p.proparallel FROM pg_proc AS p
	WHERE p.pronamespace = 'moderation'::regnamespace AND p.proname IN ('classify', 'verdict', 'explain', 'normalize', 'redact')
	ORDER BY p.proname COLLATE "C";

-- Without a name, the built-in policy.
SELECT policy FROM moderation.verdict('x');
SELECT count(*) > 0 AS categories FROM moderation.classify('x');
SELECT * FROM moderation.classify('x', 'no such policy');
