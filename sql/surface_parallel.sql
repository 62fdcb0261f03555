-- Functions that run queries of their own may stand beside a part of the query that runs in parallel.
CREATE TABLE parallel_big AS SELECT i FROM generate_series(1, 10000) AS i;
ANALYZE parallel_big;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
CREATE TABLE parallel_verify AS
	SELECT b.n, count(v.object) >= 0 AS ran FROM (SELECT count(*) AS n FROM parallel_big) AS b LEFT JOIN moderation.verify() AS v ON true GROUP BY b.n;
CREATE TABLE parallel_status AS
	SELECT b.n, s.policy FROM (SELECT count(*) AS n FROM parallel_big) AS b LEFT JOIN moderation.status() AS s ON true;
CREATE TABLE parallel_recorder AS
	SELECT b.n, r.queued >= 0 AS queued FROM (SELECT count(*) AS n FROM parallel_big) AS b LEFT JOIN moderation.recorder_status() AS r ON true;
CREATE TABLE parallel_verdict AS
	SELECT count((v).action) AS n FROM (SELECT moderation.verdict('hello' || i) AS v FROM parallel_big WHERE i <= 100) AS t;
SELECT v.n, s.n, s.policy, r.n, d.n FROM parallel_verify AS v, parallel_status AS s, parallel_recorder AS r, parallel_verdict AS d;
DROP TABLE parallel_big, parallel_verify, parallel_status, parallel_recorder, parallel_verdict;
