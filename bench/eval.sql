-- Figures of detection for the sets in table line (set_name, line); see .ci/eval.
--
-- A text is positive for a category when its labels say 1, negative when they say 0 or the text is labelled benign; else it does not count
-- for that category.  AUROC is the probability that a positive ranks above a negative (ties count half: Hanley and McNeil,
-- Radiology 143, 1982); AUPRC is average precision over distinct scores (Manning et al., Introduction to Information Retrieval, 8.4).
-- Precision, recall and the rate of false positives are at the policy's own thresholds: positive means flagged or graver.
\set QUIET on
\pset footer off
\pset null '-'
SET client_min_messages = warning;
CREATE TABLE category_key (key text PRIMARY KEY, category text NOT NULL);
INSERT INTO category_key
SELECT category, category FROM moderation.classify('')
UNION ALL VALUES ('sexual', 'pornography'), ('sexual_minors', 'child_sexual_exploitation'), ('grooming', 'child_grooming'),
    ('trafficking', 'human_trafficking'), ('gore', 'graphic_violence'), ('misinformation', 'deception'),
    ('impersonation_fraud', 'inauthentic'), ('malware_cyber', 'cyber_attack'), ('political_sensitive', 'politics'),
    ('illicit_other', 'illegal_activity');

CREATE TABLE content AS
SELECT row_number() OVER () AS n, set_name, line::jsonb ->> 'id' AS id, line::jsonb ->> 'lang' AS lang,
       line::jsonb ->> 'text' AS content, line::jsonb -> 'labels' AS labels
FROM line WHERE line <> '';
ANALYZE content;

\echo '## Speed'
SELECT clock_timestamp() AS started \gset
SELECT count(*) FILTER (WHERE (v).flagged) AS flagged FROM (SELECT moderation.verdict(content) AS v FROM content OFFSET 0) x \gset
SELECT count(*) AS texts, pg_size_pretty(sum(octet_length(content))) AS bytes,
       round(count(*) / extract(epoch FROM clock_timestamp() - :'started')) AS texts_per_second,
       round(1e6 * extract(epoch FROM clock_timestamp() - :'started') / count(*), 1) AS microseconds_per_text
FROM content;

CREATE TABLE score AS
SELECT c.n, k.category, k.score, k.severity, k.action, k.flagged
FROM content c, LATERAL moderation.classify(c.content) k WHERE k.score > 0;
ANALYZE score;

-- One row for each text and each category that its labels speak about.
CREATE TABLE judged AS
SELECT c.n, c.set_name, c.lang, k.category, bool_or(l.value = '1') AS positive
FROM content c, LATERAL jsonb_each_text(c.labels) l JOIN category_key k ON k.key = l.key
GROUP BY 1, 2, 3, 4
UNION ALL
SELECT c.n, c.set_name, c.lang, k.category, false
FROM content c, (SELECT DISTINCT category FROM category_key) k
WHERE c.labels ->> 'benign' = '1'
  AND NOT EXISTS (SELECT FROM jsonb_each_text(c.labels) l JOIN category_key x USING (key) WHERE x.category = k.category);
CREATE TABLE point AS
SELECT j.*, coalesce(s.score, 0) AS score, coalesce(s.flagged, false) AS flagged
FROM judged j LEFT JOIN score s USING (n, category);
ANALYZE point;

CREATE FUNCTION figures(rows_of text) RETURNS TABLE (set_name text, category text, positives bigint, negatives bigint,
    auprc numeric, auroc numeric, "precision" numeric, recall numeric, f1 numeric, false_positive_rate numeric)
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format($query$
        WITH step AS (
            SELECT g.set_name, g.category, p.score, count(*) FILTER (WHERE positive) AS tp, count(*) FILTER (WHERE NOT positive) AS fp
            FROM (%s) g JOIN point p USING (n, category) GROUP BY 1, 2, 3),
        run AS (
            SELECT *, sum(tp) OVER w AS ctp, sum(fp) OVER w AS cfp,
                   sum(tp) OVER (PARTITION BY set_name, category) AS p, sum(fp) OVER (PARTITION BY set_name, category) AS n
            FROM step WINDOW w AS (PARTITION BY set_name, category ORDER BY score DESC)),
        rank AS (
            SELECT set_name, category, max(p) AS p, max(n) AS n,
                   CASE WHEN max(n) > 0 THEN sum(tp * ctp / (ctp + cfp)) / nullif(max(p), 0) END AS auprc,
                   sum(tp * (n - cfp + fp / 2.0)) / nullif(max(p) * max(n), 0) AS auroc
            FROM run GROUP BY 1, 2),
        cut AS (
            SELECT g.set_name, g.category, count(*) FILTER (WHERE flagged AND positive) AS tp, count(*) FILTER (WHERE flagged AND NOT positive) AS fp
            FROM (%s) g JOIN point p USING (n, category) GROUP BY 1, 2)
        SELECT r.set_name, r.category, r.p::bigint, r.n::bigint, round(r.auprc, 3), round(r.auroc, 3),
               CASE WHEN r.p > 0 THEN round(c.tp::numeric / nullif(c.tp + c.fp, 0), 3) END, round(c.tp / nullif(r.p, 0), 3),
               CASE WHEN r.p > 0 THEN round(2.0 * c.tp / nullif(2 * c.tp + c.fp + (r.p - c.tp), 0), 3) END, round(c.fp / nullif(r.n, 0), 4)
        FROM rank r JOIN cut c USING (set_name, category)$query$, rows_of, rows_of);
END $$;

\echo
\echo '## By set and category (sets that have positives)'
SELECT * FROM figures('SELECT n, category, set_name FROM judged') WHERE positives > 0 ORDER BY 1, 2;
\echo
\echo '## By category, all sets together'
SELECT category, positives, negatives, auprc, auroc, "precision", recall, f1, false_positive_rate
FROM figures('SELECT n, category, ''all'' AS set_name FROM judged') ORDER BY 1;
\echo
\echo '## By language and category (at least 50 positives)'
SELECT set_name AS lang, category, positives, negatives, auprc, auroc, "precision", recall, false_positive_rate
FROM figures('SELECT n, category, lang AS set_name FROM judged') WHERE positives >= 50 ORDER BY 1, 2;

CREATE TABLE outcome AS
SELECT c.n, c.set_name, c.lang, c.labels ->> 'benign' = '1' AS benign, coalesce(bool_or(s.flagged), false) AS flagged,
       coalesce(bool_or(s.flagged AND s.category NOT IN ('violence', 'politics')), false) AS flagged_strictly,
       coalesce(bool_or(s.action = 'reject'), false) AS refused
FROM content c LEFT JOIN score s USING (n) GROUP BY 1, 2, 3, 4;
\echo
\echo '## Texts that ask for harm or are harmful (labelled not benign): caught, in percent'
SELECT set_name, count(*) AS texts, round(100.0 * count(*) FILTER (WHERE flagged) / count(*), 1) AS flagged,
       round(100.0 * count(*) FILTER (WHERE refused) / count(*), 1) AS refused
FROM outcome WHERE NOT benign GROUP BY ROLLUP (1) ORDER BY set_name NULLS LAST;
\echo
\echo '## Benign texts: false alarms in 1,000 (strictly: in anything but violence and politics)'
SELECT set_name, count(*) AS texts, round(1000.0 * count(*) FILTER (WHERE refused) / count(*), 2) AS refused,
       round(1000.0 * count(*) FILTER (WHERE flagged_strictly) / count(*), 2) AS flagged_strictly,
       round(1000.0 * count(*) FILTER (WHERE flagged) / count(*), 2) AS flagged
FROM outcome WHERE benign GROUP BY ROLLUP (1) ORDER BY set_name NULLS LAST;
\echo
\echo '## Rules that raise false alarms on benign texts (findings; in how many sets)'
SELECT e.rule, e.category, count(*) AS texts, count(DISTINCT o.set_name) AS sets
FROM outcome o JOIN content c USING (n), LATERAL (SELECT DISTINCT rule, category FROM moderation.explain(c.content) WHERE score > 0) e
WHERE o.benign AND o.flagged_strictly GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 40;
