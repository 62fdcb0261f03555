-- Every category of the built-in policy has rules in English and in Chinese, with examples that must be found and benign twins that must not
-- (both were run when the extension was created), and the great other languages are there.
SELECT category,
       count(*) FILTER (WHERE language = 'en') > 0 AND sum(hits) FILTER (WHERE language = 'en') > 0 AND sum(misses) FILTER (WHERE language = 'en') > 0 AS en,
       count(*) FILTER (WHERE language = 'zh') > 0 AND sum(hits) FILTER (WHERE language = 'zh') > 0 AND sum(misses) FILTER (WHERE language = 'zh') > 0 AS zh,
       count(DISTINCT language) FILTER (WHERE language NOT IN ('en', 'zh', 'any')) >= 7 AS others
FROM moderation.rule WHERE policy = 'terms-of-service' GROUP BY category ORDER BY category;
SELECT min(hits) > 0 AS hits, min(misses) > 0 AS misses, count(*) = count(DISTINCT rule) AS distinct_rules FROM moderation.rule WHERE policy = 'terms-of-service';
